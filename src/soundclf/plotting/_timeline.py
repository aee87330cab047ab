"""What a classifier hears in the course of a long recording."""

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

_END, _BAR, _HEIGHT = 0.15, 0.36, 0.16  # of a row from -0.5 to 0.5: the end of its probabilities, the bars of segments


class TimelineDisplay:
    """Probabilities of classes over time, with the segments made of them, under the spectrogram of the recording.

    Parameters
    ----------
    starts, ends : array-like of shape (n_windows,)
        Where windows begin and end, in seconds. Of windows that overlap, each moment shows the one whose centre is
        nearest.
    probabilities : array-like of shape (n_windows, n_classes)
        Of each class in each window.
    classes : array-like of shape (n_classes,)
        The labels, in the order of the columns.
    segments : iterable of (start, end, label), default=()
        Where, in seconds, a class was found.
    spectrogram : SpectrogramDisplay, default=None
        Of the recording.
    title : str, default=None
        What is written above; by default that of the spectrogram.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What probabilities and segments are drawn on.
    axes_ : list of matplotlib.axes.Axes
        That, and before it, if there is one, that of the spectrogram.
    figure_ : matplotlib.figure.Figure
        What they are on.
    image_ : matplotlib.collections.QuadMesh
        The probabilities.
    colorbar_ : matplotlib.colorbar.Colorbar
        What its colours mean.
    segment_bars_ : matplotlib.container.BarContainer
        The segments.

    Raises
    ------
    ParameterError
        If the arrays do not belong together.

    See Also
    --------
    SpectrogramDisplay : The upper part.

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
            raise ParameterError(f"{owner} needs starts that ascend, and ends after them.")
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
        """Take what :func:`soundclf.predict_timeline` gives.

        Parameters
        ----------
        timeline : Timeline
            Its windows and probabilities are shown.
        segments : iterable of Segment, default=None
            What its ``segments`` gave; by default, what they give without parameters.
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple, default=None
            The recording whose spectrogram is shown; by default the file that the timeline was made from, if it was.

        Returns
        -------
        TimelineDisplay
            Not drawn yet.

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
        """Draw a row for each class, darker where it is more probable, and a bar below for each segment.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Where to draw: one axes for the spectrogram, if there is one, and one for the probabilities, or one that is
            divided between them; by default a new figure, high enough for all classes.

        Returns
        -------
        TimelineDisplay
            The display itself.

        Raises
        ------
        ImportError
            Without matplotlib.
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
        borders, columns = self._columns()
        rows = np.stack([np.arange(n) - 0.5, np.arange(n) + _END], axis=1).ravel()
        self.image_ = self.ax_.pcolormesh(
            borders, rows, _with_gaps(columns.T), cmap="Greys", vmin=0, vmax=1, rasterized=True
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
            edgecolor=PRIMARY_COLOR,  # without which a short segment of a long recording is not seen
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

    def _columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the borders of columns in seconds, and their probabilities; NaN between windows that do not touch."""
        centres = (self.starts + self.ends) / 2
        halfway = (centres[:-1] + centres[1:]) / 2
        lefts = np.maximum(self.starts, np.append(-np.inf, halfway))
        rights = np.minimum(self.ends, np.append(halfway, np.inf))
        return np.stack([lefts, rights], axis=1).ravel(), _with_gaps(self.probabilities)


def _with_gaps(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put rows of NaN, which are drawn as nothing, between rows."""
    gaps = np.full_like(rows, np.nan)
    return np.stack([rows, gaps], axis=1).reshape(-1, rows.shape[1])[:-1]
