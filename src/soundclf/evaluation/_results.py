"""What an evaluation finds, as objects that show themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.figures import compute_labels_width, get_axes, shorten
from . import _report

__all__ = ["Comparison", "Evaluation"]

_SPACIOUS = 20  # classes up to which the cells of a drawn confusion matrix have room for large numbers


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an estimator achieves on clips it was not trained on.

    Made by :func:`soundclf.evaluation.cross_validate_clips`. ``print`` shows it as text, a notebook as HTML.

    Attributes
    ----------
    scores : dict of str to ndarray of shape (n_splits,)
        "accuracy", "balanced_accuracy" and "macro_f1" of every split.
    pooled : dict of str to float
        The same for the predictions of all splits together.
    intervals : dict of str to (float, float)
        Confidence interval of each pooled figure, from a bootstrap over recordings.
    confidence_level : float
        Of the intervals.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    y_true, y_pred : ndarray of shape (n_predictions,)
        True and predicted labels of all test clips, split after split.
    probabilities : ndarray of shape (n_predictions, n_classes) or None
        What ``predict_proba`` gave, if the estimator has it.
    positions : ndarray of shape (n_predictions,), int
        Positions of the test clips in the data set.
    split : ndarray of shape (n_predictions,), int
        The split that each prediction is from, counted from 0.
    confusion_matrix : ndarray of shape (n_classes, n_classes), int
        Pooled; rows are true classes.
    report : dict
        scikit-learn's classification report of the pooled predictions: precision, recall, F1 and support by class.
    calibration_error : float or None
        Expected calibration error [1]_: by how much the probability of the predicted class is off from the share of
        right predictions, on average over 15 equal bins of probability.
    n_train, n_test : ndarray of shape (n_splits,), int
        Clips on either side.
    fit_time, predict_time : ndarray of shape (n_splits,)
        Seconds. The features of audio clips are extracted before the first fit and not included.
    n_recordings : int or None
        Recordings among the test clips; None if the data set tells of none.
    leaks : ndarray of shape (n_leaks,)
        Recordings on both sides of a split, see :func:`soundclf.evaluation.find_leaks`.
    duplicates : list of list of int
        Positions of identical sounds that stand on both sides of a split, see
        :func:`soundclf.evaluation.find_duplicates`.
    missing_classes : list of (int, label)
        Classes that a split tests and has no training clip of, with the split, counted from 0.
    cv_description : str
        What the clips were split by.

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
        """Draw the pooled confusion matrix, its zeros left blank; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default a new figure, large enough for all classes.
        normalize : {"true", "pred", "all"}, default=None
            Shares in place of counts, as in scikit-learn.

        Returns
        -------
        sklearn.metrics.ConfusionMatrixDisplay
            scikit-learn's display.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        n = len(self.classes)
        labels = list(map(shorten, self.classes))
        upright = sum(map(len, labels)) > 40
        side = max(4.5, 2 + (0.4 if n <= _SPACIOUS else 0.25) * n)
        beside = compute_labels_width(labels) - compute_labels_width([""])
        size = (side + beside, side + (beside if upright else 0.0))
        _, (drawn_on,) = get_axes("Evaluation.plot_confusion_matrix", ax, 1, size)
        from sklearn.metrics import ConfusionMatrixDisplay

        display = ConfusionMatrixDisplay.from_predictions(
            self.y_true,
            self.y_pred,
            labels=self.classes,
            display_labels=labels,
            normalize=normalize,
            ax=drawn_on,
            cmap="Blues",
            colorbar=False,
            xticks_rotation="vertical" if upright else "horizontal",
            values_format=None if normalize is None else ".2f",
            text_kw=None if n <= _SPACIOUS else {"fontsize": "xx-small"},
        )
        for text in display.text_[display.confusion_matrix == 0]:
            text.set_visible(False)
        for label in [*drawn_on.get_xticklabels(), *drawn_on.get_yticklabels()]:
            label.set_parse_math(False)
        return display


@dataclass(frozen=True, eq=False)
class Comparison:
    """How estimators differ on the same splits.

    Made by :func:`soundclf.evaluation.compare`. ``print`` shows it as text, a notebook as HTML.

    Attributes
    ----------
    evaluations : dict of str to Evaluation
        Each estimator's own.
    differences : list of dict
        For each pair: "first", "second"; "per_split", the accuracy of the first less that of the second in every split;
        "difference", their mean; "interval", its confidence interval; "p_value" of the corrected test; and
        "p_adjusted", the same after Holm's correction for the number of pairs.

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
