"""Display of a training history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._utils.figures import PRIMARY_COLOR, SECONDARY_COLOR, get_axes
from .._utils.validation import NONE, check_params, integer_in
from ..classifiers import NeuralClassifier
from ..exceptions import ParameterError
from ._arrays import check_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["TrainingHistoryDisplay"]

_METRICS = {"loss": "Loss", "accuracy": "Accuracy"}
_MARKED = 30  # epochs up to which each is marked


class TrainingHistoryDisplay:
    """Training and validation loss and accuracy per epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float
        "loss" per epoch and optionally "accuracy", "val_loss" and "val_accuracy", as in the ``history_`` of a fitted
        classifier. Other metrics are ignored.
    best_epoch : int, default=None
        Epoch to mark, counted from 0. None marks no epoch.

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        Axes of the loss and, if available, of the accuracy.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    lines_ : dict of str to matplotlib.lines.Line2D
        Line of each metric in ``history``.
    best_lines_ : list of matplotlib.lines.Line2D
        Markers of the best epoch, one per axes; empty without one.

    Raises
    ------
    ParameterError
        If the history has no "loss", its lists differ in length, or ``best_epoch`` is out of range.

    See Also
    --------
    soundclf.DenseAudioClassifier : Classifier with a training history.
    sklearn.model_selection.LearningCurveDisplay : Scores as a function of the training set size.

    Examples
    --------
    >>> from soundclf.plotting import TrainingHistoryDisplay
    >>> history = {"loss": [1.2, 0.8, 0.5], "val_loss": [1.3, 1.0, 1.1]}
    >>> display = TrainingHistoryDisplay(history, best_epoch=1).plot()
    >>> sorted(display.lines_)
    ['loss', 'val_loss']
    """

    figure_: Figure
    axes_: list[Axes]
    lines_: dict[str, Line2D]
    best_lines_: list[Line2D]

    def __init__(self, history: Mapping[str, Sequence[float]], *, best_epoch: int | None = None):
        owner = type(self).__name__
        if not isinstance(history, Mapping) or "loss" not in history:
            raise ParameterError(
                f"The 'history' parameter of {owner} must be a mapping with \"loss\", got {type(history).__name__}."
            )
        names = [name for metric in _METRICS for name in (metric, f"val_{metric}") if name in history]
        self.history = {
            name: check_numbers(owner, name, history[name], "a list of one number per epoch") for name in names
        }
        lengths = {name: len(values) for name, values in self.history.items()}
        if len(set(lengths.values())) > 1:
            raise ParameterError(f"{owner} needs lists of the same number of epochs, got lengths {lengths}.")
        check_params(owner, {"best_epoch": best_epoch}, {"best_epoch": (NONE, integer_in(0, lengths["loss"]))})
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: Any) -> Self:
        """Take the history of a fitted classifier.

        Parameters
        ----------
        estimator : DenseAudioClassifier, ConvAudioClassifier or Pipeline
            A fitted classifier, or a pipeline that ends with one. The best epoch is marked if the
            classifier was fitted with validation data.

        Returns
        -------
        TrainingHistoryDisplay
            The display, not yet drawn.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If the estimator has no training history.
        """
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(last, NeuralClassifier):
            raise TypeError(
                f"{cls.__name__}.from_estimator needs a DenseAudioClassifier or ConvAudioClassifier, or a pipeline "
                f"that ends with one, got {type(last).__name__}"
            )
        check_is_fitted(last)
        return cls(last.history_, best_epoch=last.best_epoch_ if "val_loss" in last.history_ else None)

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Self:
        """Draw training and validation loss and accuracy, and mark the best epoch.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw on: one each for loss and accuracy, or one that is split; by default those of a new figure.

        Returns
        -------
        TrainingHistoryDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        drawn = [metric for metric in _METRICS if {metric, f"val_{metric}"} & self.history.keys()]
        self.figure_, self.axes_ = get_axes(f"{type(self).__name__}.plot", ax, len(drawn), (8, 1 + 2.3 * len(drawn)))
        from matplotlib.ticker import MaxNLocator

        self.lines_ = {}
        self.best_lines_ = []
        n_epochs = len(self.history["loss"])
        for one, metric in zip(self.axes_, drawn, strict=True):
            for name, label, color, style, marker in (
                (metric, "training", PRIMARY_COLOR, "-", "o"),
                (f"val_{metric}", "validation", SECONDARY_COLOR, "--", "s"),
            ):
                if name in self.history:
                    (self.lines_[name],) = one.plot(
                        np.arange(n_epochs),
                        self.history[name],
                        color=color,
                        linestyle=style,
                        marker=marker if n_epochs <= _MARKED else None,
                        markersize=4,
                        label=label,
                    )
            if self.best_epoch is not None:
                label = f"best epoch: {self.best_epoch}"
                self.best_lines_.append(one.axvline(self.best_epoch, color="0.3", linestyle=":", label=label))
            one.set_ylabel(_METRICS[metric])
            one.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
            one.set(xlim=(-0.5, n_epochs - 0.5), xlabel="Epoch, counted from 0")
            one.label_outer()
        self.axes_[0].update_datalim([(0, 0)])
        self.axes_[0].autoscale_view(scalex=False)
        if "accuracy" in drawn:
            self.axes_[-1].set_ylim(0, 1.03)
        self.axes_[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
        return self
