"""Results of evaluations and comparisons, with their text, HTML and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.figures import compute_labels_width, get_axes, shorten
from . import _report

__all__ = ["Comparison", "Evaluation"]

_SPACIOUS = 20  # classes up to which the cells of a confusion matrix have room for large numbers


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of a cross-validation.

    Returned by :func:`soundclf.evaluation.cross_validate_clips`. ``print`` shows it as text, notebooks as HTML.

    Attributes
    ----------
    scores : dict of str to ndarray of shape (n_splits,)
        "accuracy", "balanced_accuracy" and "macro_f1" of each split.
    pooled : dict of str to float
        The same scores, of the predictions of all splits together.
    intervals : dict of str to (float, float)
        Confidence interval of each pooled score, from a bootstrap over recordings.
    confidence_level : float
        Confidence level of the intervals.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    y_true, y_pred : ndarray of shape (n_predictions,)
        True and predicted labels of the test clips, in the order of the splits.
    probabilities : ndarray of shape (n_predictions, n_classes) or None
        Output of ``predict_proba``; None if the estimator has no such method.
    positions : ndarray of shape (n_predictions,), int
        Positions of the test clips in the data set.
    split : ndarray of shape (n_predictions,), int
        Split of each prediction, counted from 0.
    confusion_matrix : ndarray of shape (n_classes, n_classes), int
        Pooled; rows are true classes.
    report : dict
        scikit-learn's classification report of the pooled predictions: precision, recall, F1 and support by class.
    calibration_error : float or None
        Expected calibration error [1]_: mean absolute difference between the probability of the predicted class and the
        share of correct predictions, over 15 equal bins of probability; None without probabilities.
    n_train, n_test : ndarray of shape (n_splits,), int
        Numbers of training and test clips.
    fit_time, predict_time : ndarray of shape (n_splits,)
        Seconds. The features of audio clips are extracted before the first fit and not included.
    n_recordings : int or None
        Number of recordings among the test clips; None if they are unknown.
    leaks : ndarray of shape (n_leaks,)
        Recordings on both sides of a split, as from :func:`soundclf.evaluation.find_leaks`.
    duplicates : list of list of int
        Positions of identical sounds on both sides of a split, as from :func:`soundclf.evaluation.find_duplicates`.
    missing_classes : list of (int, label)
        Splits, counted from 0, and classes that have test clips but no training clips there.
    cv_description : str
        Description of the splits.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from soundclf.evaluation import cross_validate_clips
    >>> rows = {"data": [[0.0], [1.0], [0.2], [1.2], [0.1], [1.1]], "target": ["dog", "siren"] * 3}
    >>> result = cross_validate_clips(GaussianNB(), rows, cv=3)
    >>> result.scores["accuracy"].tolist(), result.confusion_matrix.tolist()
    ([1.0, 1.0, 1.0], [[3, 0], [0, 3]])
    """

    scores: dict[str, NDArray[np.float64]]
    pooled: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    confidence_level: float
    classes: np.ndarray
    y_true: np.ndarray
    y_pred: np.ndarray
    probabilities: NDArray[np.float64] | None
    positions: NDArray[np.intp]
    split: NDArray[np.intp]
    confusion_matrix: NDArray[np.intp]
    report: dict[str, Any]
    calibration_error: float | None
    n_train: NDArray[np.intp]
    n_test: NDArray[np.intp]
    fit_time: NDArray[np.float64]
    predict_time: NDArray[np.float64]
    n_recordings: int | None
    leaks: np.ndarray
    duplicates: list[list[int]]
    missing_classes: list[tuple[int, Any]]
    cv_description: str

    def __str__(self) -> str:
        return _report.format_evaluation_text(self)

    def _repr_html_(self) -> str:
        return _report.format_evaluation_html(self)

    def plot_confusion_matrix(self, *, ax: Any = None, normalize: str | None = None) -> Any:
        """Plot the pooled confusion matrix, with zeros left blank; requires matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None creates a figure large enough for all classes.
        normalize : {"true", "pred", "all"}, default=None
            Normalization over true classes, predicted classes or all clips. None shows counts.

        Returns
        -------
        sklearn.metrics.ConfusionMatrixDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.classes)
        labels = list(map(shorten, self.classes))
        upright = sum(map(len, labels)) > 40
        side = max(4.5, 2 + (0.4 if n <= _SPACIOUS else 0.25) * n)
        beside = compute_labels_width(labels) - compute_labels_width([""])
        size = (side + beside, side + (beside if upright else 0.0))
        _, (axes,) = get_axes("Evaluation.plot_confusion_matrix", ax, 1, size)
        from sklearn.metrics import ConfusionMatrixDisplay

        display = ConfusionMatrixDisplay.from_predictions(
            self.y_true,
            self.y_pred,
            labels=self.classes,
            display_labels=labels,
            normalize=normalize,
            ax=axes,
            cmap="Blues",
            colorbar=False,
            xticks_rotation="vertical" if upright else "horizontal",
            values_format=None if normalize is None else ".2f",
            text_kw=None if n <= _SPACIOUS else {"fontsize": "xx-small"},
        )
        for text in display.text_[display.confusion_matrix == 0]:
            text.set_visible(False)
        for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
            label.set_parse_math(False)
        return display


@dataclass(frozen=True, eq=False)
class Comparison:
    """Differences between estimators on the same splits.

    Returned by :func:`soundclf.evaluation.compare`. ``print`` shows it as text, notebooks as HTML.

    Attributes
    ----------
    evaluations : dict of str to Evaluation
        Evaluation of each estimator.
    differences : list of dict
        For each pair: "first" and "second", their names; "per_split", the accuracy of the first minus that of the
        second in each split; "difference", the mean; "interval", its confidence interval; "p_value" of the corrected
        test; and "p_adjusted", after Holm's correction for the number of pairs.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from soundclf.evaluation import compare
    >>> rows = {"data": [[0.0], [1.0], [0.2], [1.2], [0.1], [1.1]], "target": ["dog", "siren"] * 3}
    >>> (pair,) = compare({"bayes": GaussianNB(), "dummy": DummyClassifier()}, rows, cv=3).differences
    >>> pair["first"], pair["second"], pair["difference"]
    ('bayes', 'dummy', 0.5)
    """

    evaluations: dict[str, Evaluation]
    differences: list[dict[str, Any]]

    def __str__(self) -> str:
        return _report.format_comparison_text(self)

    def _repr_html_(self) -> str:
        return _report.format_comparison_html(self)
