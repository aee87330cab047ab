"""Display of predictions over a long recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.figures import (
    PRIMARY_COLOR,
    compute_labels_width,
    compute_rows_height,
    format_time_axis,
    get_axes,
    shorten,
)
from .._utils.text import format_list
from ..audio import Clip
from ..exceptions import ParameterError
from ._arrays import check_numbers
from ._spectrogram import SpectrogramDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colorbar import Colorbar
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

__all__ = ["TimelineDisplay"]

_END, _BAR, _HEIGHT = (
    0.15,
    0.36,
    0.16,
)  # in a row from -0.5 to 0.5: end of the probabilities, position and height of bars


class TimelineDisplay:
    """Class probabilities and segments over time, below the spectrogram of the recording.

    Parameters
    ----------
    starts, ends : array-like of shape (n_windows,)
        Start and end of each window, in seconds. Where windows overlap, the one with the nearest center is shown.
    probabilities : array-like of shape (n_windows, n_classes)
        Probability of each class in each window.
    classes : array-like of shape (n_classes,)
        Class labels, in the order of the columns.
    segments : iterable of (start, end, label), default=()
        Detected segments, in seconds.
    spectrogram : SpectrogramDisplay, default=None
        Spectrogram of the recording.
    title : str, default=None
        Title of the plot; by default that of the spectrogram.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the probabilities and segments.
    axes_ : list of matplotlib.axes.Axes
        All axes: that of the spectrogram, if there is one, and ``ax_``.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    image_ : matplotlib.collections.QuadMesh
        Image of the probabilities.
    colorbar_ : matplotlib.colorbar.Colorbar
        Color bar of the probabilities.
    segment_bars_ : matplotlib.container.BarContainer
        Bars of the segments.

    Raises
    ------
    ParameterError
        If the shapes of the arrays do not match.

    See Also
    --------
    SpectrogramDisplay : Display of the spectrogram alone.

    Examples
    --------
    >>> from soundclf.plotting import TimelineDisplay
    >>> display = TimelineDisplay(
    ...     [0, 1, 2], [2, 3, 4], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], ["dog", "siren"], segments=[(0.0, 2.5, "dog")]
    ... ).plot()
    >>> print(display.segment_bars_[0].get_width())
    2.5
    """

    figure_: Figure
    axes_: list[Axes]
    ax_: Axes
    image_: QuadMesh
    colorbar_: Colorbar
    segment_bars_: BarContainer

    def __init__(
        self,
        starts: ArrayLike,
        ends: ArrayLike,
        probabilities: ArrayLike,
        classes: ArrayLike,
        *,
        segments: Iterable[tuple[float, float, Any]] = (),
        spectrogram: SpectrogramDisplay | None = None,
        title: str | None = None,
    ):
        owner = type(self).__name__
        self.starts = check_numbers(owner, "starts", starts, "a list of seconds")
        self.ends = check_numbers(owner, "ends", ends, "a list of seconds")
        self.probabilities = check_numbers(
            owner, "probabilities", probabilities, "an array (n_windows, n_classes)", ndim=2
        )
        self.classes = np.asarray(classes)
        shapes = [array.shape for array in (self.starts, self.ends, self.probabilities, self.classes)]
        n_windows, n_classes = self.probabilities.shape
        if shapes != [(n_windows,), (n_windows,), (n_windows, n_classes), (n_classes,)]:
            raise ParameterError(
                f"{owner} needs starts and ends (n_windows,), probabilities (n_windows, n_classes) and classes "
                f"(n_classes,), got the shapes {', '.join(map(str, shapes))}."
            )
        if not (self.starts < self.ends).all() or not (np.diff(self.starts) > 0).all():
            raise ParameterError(f"{owner} needs increasing starts, and an end after each start.")
        self.segments = [(float(start), float(end), label) for start, end, label in segments]
        known = self.classes.tolist()
        unknown = [label for _, _, label in self.segments if label not in known]
        if unknown:
            raise ParameterError(
                f"{owner} got segments with labels that are not among its classes: {format_list(unknown)}."
            )
        self.spectrogram = spectrogram
        self.title = title

    @classmethod
    def from_timeline(cls, timeline: Any, *, segments: Iterable[Any] | None = None, clip: Clip | None = None) -> Self:
        """Create a display from a timeline.

        Parameters
        ----------
        timeline : Timeline
            Timeline returned by :func:`soundclf.predict_timeline`.
        segments : iterable of Segment, default=None
            Segments to show; by default those of ``timeline.segments()``.
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple, default=None
            Recording whose spectrogram is shown; by default the file that the timeline was made from, if any.

        Returns
        -------
        TimelineDisplay
            The display, not yet drawn.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        """
        recording = timeline.path if clip is None else clip
        shown = timeline.segments() if segments is None else segments
        return cls(
            timeline.starts,
            timeline.ends,
            timeline.probabilities,
            timeline.classes,
            segments=[(segment.start, segment.end, segment.label) for segment in shown],
            spectrogram=None if recording is None else SpectrogramDisplay.from_clip(recording),
        )

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Self:
        """Draw the probabilities of each class as a row, darker if higher, with a bar for each segment below.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw on: one for the spectrogram, if there is one, and one for the probabilities, or one that is
            split; by default those of a new figure that is high enough for all classes.

        Returns
        -------
        TimelineDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        owner = f"{type(self).__name__}.plot"
        n = len(self.classes)
        heights = [2.5, compute_rows_height(n)][self.spectrogram is None :]
        self.figure_, self.axes_ = get_axes(
            owner, ax, len(heights), (1 + compute_labels_width(self.classes), sum(heights)), heights
        )
        self.ax_ = self.axes_[-1]
        if self.spectrogram is not None:
            self.spectrogram.plot(self.axes_[0])
        borders, columns = self._compute_columns()
        rows = np.stack([np.arange(n) - 0.5, np.arange(n) + _END], axis=1).ravel()
        self.image_ = self.ax_.pcolormesh(
            borders, rows, _insert_gaps(columns.T), cmap="Greys", vmin=0, vmax=1, rasterized=True
        )
        self.colorbar_ = self.figure_.colorbar(
            self.image_, ax=self.ax_, label="Probability", pad=0.02, aspect=8 * heights[-1]
        )
        known = self.classes.tolist()
        self.segment_bars_ = self.ax_.barh(
            [known.index(label) + _BAR for _, _, label in self.segments],
            [end - start for start, end, _ in self.segments],
            left=[start for start, _, _ in self.segments],
            height=_HEIGHT,
            color=PRIMARY_COLOR,
            edgecolor=PRIMARY_COLOR,  # keeps short segments of long recordings visible
            linewidth=1,
            label="segments",
        )
        if self.segments:
            self.ax_.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
        span = borders[[0, -1]] if self.spectrogram is None else self.spectrogram.times[[0, -1]]
        self.ax_.set(xlim=span, ylim=(n - 0.5, -0.5))
        self.ax_.set_yticks(np.arange(n), [shorten(label) for label in known], parse_math=False)
        format_time_axis(self.ax_, float(span[1] - span[0]))
        if self.title is not None:
            self.axes_[0].set_title(shorten(self.title), parse_math=False)
        for one in self.axes_:
            one.label_outer()
        return self

    def _compute_columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the boundaries of columns, in seconds, and their probabilities, with NaN between separate windows."""
        centers = (self.starts + self.ends) / 2
        halfway = (centers[:-1] + centers[1:]) / 2
        lefts = np.maximum(self.starts, np.append(-np.inf, halfway))
        rights = np.minimum(self.ends, np.append(halfway, np.inf))
        return np.stack([lefts, rights], axis=1).ravel(), _insert_gaps(self.probabilities)


def _insert_gaps(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Insert rows of NaN, which are not drawn, between rows."""
    gaps = np.full_like(rows, np.nan)
    return np.stack([rows, gaps], axis=1).reshape(-1, rows.shape[1])[:-1]
