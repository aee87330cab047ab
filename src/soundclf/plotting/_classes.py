"""Display of the class distribution of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._utils.figures import (
    PRIMARY_COLOR,
    SECONDARY_COLOR,
    compute_labels_width,
    compute_rows_height,
    get_axes,
    shorten,
)
from .._utils.validation import check_groups
from ..exceptions import ParameterError
from ._arrays import check_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

__all__ = ["ClassBalanceDisplay"]


class ClassBalanceDisplay:
    """Number of clips and recordings per class.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        Class labels.
    n_clips : array-like of shape (n_classes,), int
        Number of clips per class.
    n_recordings : array-like of shape (n_classes,), int, default=None
        Number of recordings per class, if known.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the plot.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    clip_bars_, recording_bars_ : matplotlib.container.BarContainer or None
        Bars sorted by decreasing number of clips, as are ``classes``, ``n_clips`` and ``n_recordings``.

    Raises
    ------
    ParameterError
        If the shapes of the arrays do not match.

    See Also
    --------
    soundclf.evaluation.cross_validate_clips : Cross-validation that does not split recordings.

    Examples
    --------
    >>> from soundclf.plotting import ClassBalanceDisplay
    >>> display = ClassBalanceDisplay.from_labels(["dog", "siren", "dog"], groups=["a", "b", "a"]).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['dog', 'siren']
    """

    figure_: Figure
    ax_: Axes
    clip_bars_: BarContainer
    recording_bars_: BarContainer | None

    def __init__(self, classes: ArrayLike, n_clips: ArrayLike, n_recordings: ArrayLike | None = None):
        labels = np.asarray(classes)
        if labels.ndim != 1 or not len(labels):
            raise ParameterError(
                f"The 'classes' parameter of {type(self).__name__} must be a list of labels, got an array of shape "
                f"{labels.shape}."
            )
        owner = type(self).__name__
        clips = check_counts(owner, "n_clips", n_clips, len(labels))
        order = np.argsort(-clips, kind="stable")
        self.classes = labels[order]
        self.n_clips = clips[order]
        self.n_recordings: NDArray[np.intp] | None = None
        if n_recordings is not None:
            self.n_recordings = check_counts(owner, "n_recordings", n_recordings, len(labels))[order]

    @classmethod
    def from_labels(cls, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Count labels.

        Parameters
        ----------
        y : array-like of shape (n_clips,)
            Label of each clip.
        groups : array-like of shape (n_clips,), default=None
            Recording of each clip, if known.

        Returns
        -------
        ClassBalanceDisplay
            The display, not yet drawn.

        Raises
        ------
        ValueError
            If ``y`` is not 1-D, or ``groups`` differs from it in length.
        """
        labels = column_or_1d(y)
        check_classification_targets(labels)
        recordings = None if groups is None else check_groups(groups)
        check_consistent_length(labels, recordings)
        classes, n_clips = np.unique(labels, return_counts=True)
        if recordings is None:
            return cls(classes, n_clips)
        return cls(classes, n_clips, [len(np.unique(recordings[labels == label])) for label in classes])

    @classmethod
    def from_dataset(cls, dataset: Mapping[str, Any]) -> Self:
        """Count the labels of a data set.

        Parameters
        ----------
        dataset : Bunch or mapping
            Contains "target" and, if recordings are known, "groups", as returned by the loaders of
            :mod:`soundclf.datasets`.

        Returns
        -------
        ClassBalanceDisplay
            The display, not yet drawn.

        Raises
        ------
        ValueError
            If it has no "target", or as in :meth:`from_labels`.
        """
        if not isinstance(dataset, Mapping) or "target" not in dataset:
            raise ValueError(
                'dataset must be a Bunch or a dict with "target", as returned by the loaders of soundclf.datasets'
            )
        return cls.from_labels(dataset["target"], groups=dataset.get("groups"))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the number of clips and recordings of each class as labeled bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; by default those of a new figure that is high enough for all classes.

        Returns
        -------
        ClassBalanceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.classes)
        both = self.n_recordings is not None
        size = (compute_labels_width(self.classes), compute_rows_height(n, each=0.3 if both else 0.2))
        self.figure_, (self.ax_,) = get_axes(f"{type(self).__name__}.plot", ax, 1, size)
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        rows = np.arange(n)
        height = 0.4 if both else 0.8
        self.clip_bars_ = self.ax_.barh(
            rows - (0.2 if both else 0), self.n_clips, height, color=PRIMARY_COLOR, label="clips"
        )
        self._label_bars(self.clip_bars_, self.n_clips)
        self.recording_bars_ = None
        if self.n_recordings is not None:
            self.recording_bars_ = self.ax_.barh(
                rows + 0.2,
                self.n_recordings,
                height,
                color=SECONDARY_COLOR,
                hatch="//",
                edgecolor="white",
                label="recordings",
            )
            self._label_bars(self.recording_bars_, self.n_recordings)
            self.ax_.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
        self.ax_.set_yticks(rows, [shorten(label) for label in self.classes], parse_math=False)
        self.ax_.set(ylim=(n - 0.5, -0.5), xlabel="Clips and recordings" if both else "Clips")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        self.ax_.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        self.ax_.margins(x=0.08)
        return self

    def _label_bars(self, bars: BarContainer, numbers: NDArray[np.intp]) -> None:
        self.ax_.bar_label(bars, [f"{number:,}" for number in numbers], padding=2, fontsize="small")
