"""Cross-validation of estimators on splits that keep recordings whole."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report, confusion_matrix, f1_score
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed  # which take scikit-learn's configuration into their threads
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._utils.progress import show_progress
from .._utils.text import format_list
from .._utils.validation import BOOLEAN, N_JOBS, NONE, Rule, check_groups, check_params, integer_in, real_in
from ._features import cache_features, extract_features
from ._leaks import find_leaks, warn_leaks
from ._metrics import bootstrap_intervals, compute_calibration_error, compute_scores
from ._prediction import predict_once
from ._results import Evaluation
from ._splits import make_splits

__all__ = ["PARAMETERS", "CrossValidation", "cross_validate_clips"]

PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "n_bootstrap": (integer_in(1),),
    "confidence_level": (real_in(0, 1, closed="neither"),),
    "random_state": (NONE, integer_in(0, 2**32)),
    "n_jobs": (NONE, N_JOBS),
    "verbose": (integer_in(0), BOOLEAN),
}


def cross_validate_clips(
    estimator: Any,
    dataset: Mapping[str, Any],
    *,
    cv: Any = None,
    n_bootstrap: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Evaluate an estimator by cross-validation on clips of recordings that it was not trained on.

    The data set's own folds are used if it has any, else five stratified folds that keep recordings whole. Each clip is
    decoded once, before the first fit, whatever the number of folds. If the estimator's ``fit`` accepts ``groups``, as
    :class:`~soundclf.DenseAudioClassifier` does to choose its validation rows, it gets those of the training clips,
    through scikit-learn's metadata routing.

    Parameters
    ----------
    estimator : classifier
        For example a pipeline of a transformer and a classifier. It is cloned for each split.
    dataset : Bunch or mapping
        With "data", "target", and optionally "groups", the recording of each clip, and "cv", as returned by the loaders
        of :mod:`soundclf.datasets`. "data" contains clips, or rows of features for a classifier alone.
    cv : int, splitter or iterable of (train, test), default=None
        Other splits: a number of folds, or as in scikit-learn. None uses those of the data set.
    n_bootstrap : int >= 1, default=2000
        Number of bootstrap samples of the recordings, for the confidence intervals.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int or None, default=0
        Seed of the bootstrap, and of the folds if the data set has none; it does not affect the estimator.
    n_jobs : int, default=None
        Number of threads over splits, and over clips while their features are extracted.
    verbose : int, default=0
        If positive, show a progress bar over the clips and one over the splits.

    Returns
    -------
    Evaluation
        Scores of each split, pooled scores with intervals, confusion matrix, report by class, calibration error, leaks.

    Raises
    ------
    ValueError
        If the data set lacks "data" or "target", if they differ in length, if groups are missing, if ``cv`` yields no
        splits, or if the estimator predicts labels that the data set does not contain.
    ParameterError
        For a parameter outside its range.

    Warns
    -----
    LeakWarning
        If clips of one recording, or identical sounds, are on both sides of a split. If the splits are the data set's
        own folds and less than 5 % of the test clips are affected, leaks are only reported in the result.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from soundclf import MFCCMeanTransformer
    >>> from soundclf.datasets import make_sounds
    >>> from soundclf.evaluation import cross_validate_clips
    >>> sounds = make_sounds(48, classes=["bird", "drum"], duration=0.5, random_state=0)
    >>> clf = make_pipeline(MFCCMeanTransformer(), StandardScaler(), LogisticRegression())
    >>> result = cross_validate_clips(clf, {**sounds, "data": [(y, sounds.sr) for y in sounds.data]}, cv=4)
    >>> result.confusion_matrix.shape
    (2, 2)
    """
    values = {
        "n_bootstrap": n_bootstrap,
        "confidence_level": confidence_level,
        "random_state": random_state,
        "n_jobs": n_jobs,
        "verbose": verbose,
    }
    check_params("cross_validate_clips", values, PARAMETERS)
    validation = CrossValidation.from_dataset(dataset, cv, random_state)
    with cache_features([estimator]) as (prepared,):
        validation.check_leaks([prepared], n_jobs, bool(verbose))
        return validation.evaluate(prepared, n_bootstrap, confidence_level, random_state, n_jobs, bool(verbose))


@dataclass
class CrossValidation:
    """A data set, its splits, and, after :meth:`check_leaks`, their leaks.

    Attributes
    ----------
    X : sequence of clips, or array-like of shape (n_clips, n_features)
        The clips.
    y : ndarray of shape (n_clips,)
        Their labels.
    groups : ndarray of shape (n_clips,) or None
        Recording of each clip.
    splits : list of (train, test)
        Positions of training and test clips.
    cv_description : str
        Description of the splits.
    own : bool
        Whether the splits are the data set's own.
    leaks, duplicates
        As in :class:`Evaluation`.
    """

    X: Any
    y: np.ndarray
    groups: np.ndarray | None
    splits: list[tuple[np.ndarray, np.ndarray]]
    cv_description: str
    own: bool
    leaks: np.ndarray = field(default_factory=lambda: np.array([]))
    duplicates: list[list[int]] = field(default_factory=list)

    @classmethod
    def from_dataset(cls, dataset: Mapping[str, Any], cv: Any, random_state: int | None) -> CrossValidation:
        """Check and split a data set."""
        if not isinstance(dataset, Mapping) or "data" not in dataset or "target" not in dataset:
            raise ValueError(
                'dataset must be a Bunch or a dict with "data" and "target", as the loaders of soundclf.datasets '
                "return them"
            )
        X, y = dataset["data"], column_or_1d(dataset["target"])
        check_classification_targets(y)
        groups = None if dataset.get("groups") is None else check_groups(dataset["groups"])
        check_consistent_length(X, y, groups)
        own = dataset.get("cv")
        splits, cv_description = make_splits(y, groups, own, cv, random_state)
        return cls(X, y, groups, splits, cv_description, own is not None and (cv is None or cv is own))

    def check_leaks(self, estimators: Sequence[Any], n_jobs: int | None, verbose: bool) -> None:
        """Extract the features of all clips into the caches of estimators, and warn of leaks before the first fit."""
        if self.groups is not None:
            self.leaks = find_leaks(self.groups, self.splits)
        self.duplicates = [
            positions
            for positions in extract_features(estimators, self.X, n_jobs, verbose=verbose)
            if any(np.isin(positions, train).any() and np.isin(positions, test).any() for train, test in self.splits)
        ]
        warn_leaks(self.leaks, self.duplicates, self.groups, self.splits, own=self.own)

    def evaluate(
        self,
        estimator: Any,
        n_bootstrap: int,
        confidence_level: float,
        random_state: int | None,
        n_jobs: int | None,
        verbose: bool,
    ) -> Evaluation:
        classes = np.unique(self.y)
        work = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            delayed(self._evaluate_split)(estimator, train, test, classes) for train, test in self.splits
        )
        outcomes = []
        with show_progress("cross_validate_clips", len(self.splits), "split", enabled=verbose) as update:
            for outcome in work:
                outcomes.append(outcome)
                update()
        predicted, probabilities, fit_time, predict_time = zip(*outcomes, strict=True)
        positions = np.concatenate([test for _, test in self.splits])
        y_true, y_pred = self.y[positions], np.concatenate(predicted)
        matrix = confusion_matrix(y_true, y_pred, labels=classes)
        proba = None if probabilities[0] is None else np.concatenate(probabilities)
        recordings = positions if self.groups is None else self.groups[positions]
        pooled = {name: float(value) for name, value in compute_scores(matrix[np.newaxis]).items() for value in value}
        return Evaluation(
            scores=self._score_splits(predicted),
            pooled=pooled,
            intervals=bootstrap_intervals(
                y_true, y_pred, classes, recordings, n_bootstrap, confidence_level, random_state
            ),
            confidence_level=confidence_level,
            classes=classes,
            y_true=y_true,
            y_pred=y_pred,
            probabilities=proba,
            positions=positions,
            split=np.repeat(np.arange(len(self.splits)), [len(test) for _, test in self.splits]),
            confusion_matrix=matrix,
            report=classification_report(y_true, y_pred, labels=classes, output_dict=True, zero_division=0),
            calibration_error=None if proba is None else compute_calibration_error(y_true, proba, classes),
            n_train=np.array([len(train) for train, _ in self.splits]),
            n_test=np.array([len(test) for _, test in self.splits]),
            fit_time=np.array(fit_time),
            predict_time=np.array(predict_time),
            n_recordings=None if self.groups is None else len(np.unique(recordings)),
            leaks=self.leaks,
            missing_classes=[
                (i, label)
                for i, (train, test) in enumerate(self.splits)
                for label in np.setdiff1d(self.y[test], self.y[train]).tolist()
            ],
            duplicates=self.duplicates,
            cv_description=self.cv_description,
        )

    def _score_splits(self, predicted: Sequence[np.ndarray]) -> dict[str, NDArray[np.float64]]:
        pairs = [(self.y[test], labels) for (_, test), labels in zip(self.splits, predicted, strict=True)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about predicted classes that are not in a small split
            return {
                "accuracy": np.array([accuracy_score(*pair) for pair in pairs]),
                "balanced_accuracy": np.array([balanced_accuracy_score(*pair) for pair in pairs]),
                "macro_f1": np.array([f1_score(*pair, average="macro", zero_division=0) for pair in pairs]),
            }

    def _evaluate_split(
        self, estimator: Any, train: np.ndarray, test: np.ndarray, classes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, float, float]:
        fitted = clone(estimator)
        start = time.perf_counter()
        if self.groups is not None and _takes_groups(fitted):
            with sklearn.config_context(enable_metadata_routing=True):
                fitted.fit(_rows(self.X, train), self.y[train], groups=self.groups[train])
        else:
            fitted.fit(_rows(self.X, train), self.y[train])
        fit_time = time.perf_counter() - start
        clips = _rows(self.X, test)
        predicted, computed = predict_once(fitted, clips)
        predict_time = time.perf_counter() - start - fit_time
        unknown = np.setdiff1d(getattr(fitted, "classes_", predicted), classes)
        if len(unknown):
            raise ValueError(f"The estimator predicts labels that are not in the data set: {format_list(unknown)}")
        probabilities = None
        if computed is not None:
            probabilities = np.zeros((len(test), len(classes)))
            probabilities[:, np.searchsorted(classes, fitted.classes_)] = computed
        return predicted, probabilities, fit_time, predict_time


def _rows(X: Any, positions: np.ndarray) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[positions]
    return X[positions] if isinstance(X, np.ndarray) else [X[i] for i in positions]


def _takes_groups(estimator: Any) -> bool:
    try:
        return bool(get_routing_for_object(estimator).consumes("fit", ["groups"]))
    except NotImplementedError:  # a meta-estimator without metadata routing, such as AdaBoostClassifier
        return False
    except (AttributeError, TypeError):  # another scikit-learn: only a classifier that is not wrapped can be asked
        return "groups" in signature(estimator.fit).parameters
