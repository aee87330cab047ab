"""Cross-validation and comparison of estimators on splits that keep recordings whole."""

from __future__ import annotations

import contextlib
import numbers
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed  # which take scikit-learn's configuration into their threads
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._utils.progress import show_progress
from .._utils.text import format_list
from .._utils.validation import BOOLEAN, N_JOBS, NONE, Rule, check_groups, check_params, integer_in, real_in
from ..transformers import ClipTransformer
from ._leaks import check_splits, find_duplicates, find_leaks, generate_splits, take_rows, warn_leaks
from ._metrics import bootstrap_intervals, compute_calibration_error, compute_scores
from ._results import Comparison, Evaluation

__all__ = ["Comparison", "Evaluation", "compare", "cross_validate_clips", "find_duplicates", "find_leaks"]

_SPLITS = 5

_PARAMETERS: dict[str, tuple[Rule, ...]] = {
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
    """Evaluate an estimator on clips of recordings that it was not trained on.

    The data set's own folds are used if it has any, else five folds that keep recordings whole and classes in
    proportion. The features of every clip are extracted once, whatever the number of folds. Where the estimator's
    ``fit`` takes ``groups``, as :class:`~soundclf.DenseAudioClassifier` does to choose its validation rows, they are
    those of the training clips, as scikit-learn's metadata routing determines.

    Parameters
    ----------
    estimator : classifier
        Such as a pipeline of a transformer and a classifier. It is cloned for every split.
    dataset : Bunch or mapping
        With "data" and "target", and where they are known "groups", the recording of every clip, and "cv": as the
        loaders of :mod:`soundclf.datasets` give them. "data" may hold clips, or rows of features for a classifier
        alone.
    cv : int, splitter or iterable of (train, test), default=None
        Other splits: a number of folds, or as in scikit-learn.
    n_bootstrap : int >= 1, default=2000
        Resamplings of the recordings for the intervals.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    random_state : int or None, default=0
        Determines the resamplings, and the folds where the data set has none; not the estimator's fits.
    n_jobs : int, default=None
        Number of splits to work on at the same time, in threads.
    verbose : int, default=0
        With 1 or more, a progress bar over the splits.

    Returns
    -------
    Evaluation
        Scores by split, pooled scores with intervals, confusion matrix, report by class, calibration error, leaks.

    Raises
    ------
    ValueError
        If the data set lacks "data" or "target", or they differ in length; for missing groups, a ``cv`` without splits,
        and an estimator that knows labels which the data set lacks.
    ParameterError
        For a parameter outside its range.

    Warns
    -----
    LeakWarning
        If ``cv`` puts clips of one recording, or identical sounds, on both sides of a split. Of a data set's own folds
        the result says so without a warning, as long as that touches less than 5 % of the test clips.

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
    check_params("cross_validate_clips", values, _PARAMETERS)
    job = _Job.from_dataset(dataset, cv, random_state, n_jobs)
    return job.evaluate(estimator, n_bootstrap, confidence_level, random_state, n_jobs, bool(verbose))


def compare(
    estimators: Mapping[str, Any],
    dataset: Mapping[str, Any],
    *,
    cv: Any = None,
    n_bootstrap: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Comparison:
    """Compare estimators on the same splits.

    The accuracies of two estimators are compared split by split. The training sets of the splits overlap, so that a
    plain t-test finds differences that are not there; the variance is corrected as Nadeau and Bengio propose [1]_.

    Parameters
    ----------
    estimators : mapping of str to classifier
        At least two, by name.
    dataset, cv, n_bootstrap, confidence_level, random_state, n_jobs, verbose
        As for :func:`cross_validate_clips`; there must be at least two splits.

    Returns
    -------
    Comparison
        Each estimator's evaluation, and each pair's differences.

    Raises
    ------
    ValueError
        For fewer than two estimators or splits, and as from :func:`cross_validate_clips`.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from soundclf import MFCCMeanTransformer
    >>> from soundclf.datasets import make_sounds
    >>> from soundclf.evaluation import compare
    >>> sounds = make_sounds(36, classes=["bird", "drum"], duration=0.5, random_state=0)
    >>> sounds.data = MFCCMeanTransformer().transform(sounds.data)
    >>> comparison = compare({"bayes": GaussianNB(), "dummy": DummyClassifier()}, sounds, cv=3)
    >>> comparison.evaluations["bayes"].pooled["accuracy"] > comparison.evaluations["dummy"].pooled["accuracy"]
    True
    """
    values = {
        "n_bootstrap": n_bootstrap,
        "confidence_level": confidence_level,
        "random_state": random_state,
        "n_jobs": n_jobs,
        "verbose": verbose,
    }
    check_params("compare", values, _PARAMETERS)
    if not isinstance(estimators, Mapping) or len(estimators) < 2:
        raise ValueError("compare needs at least two estimators, as a dict of names and estimators")
    job = _Job.from_dataset(dataset, cv, random_state, n_jobs)
    if len(job.splits) < 2:
        raise ValueError("compare needs at least two splits, to tell a difference from chance")
    evaluations = {
        name: job.evaluate(estimator, n_bootstrap, confidence_level, random_state, n_jobs, bool(verbose))
        for name, estimator in estimators.items()
    }
    names = list(evaluations)
    pairs = [
        _compute_difference(first, second, evaluations, confidence_level)
        for i, first in enumerate(names)
        for second in names[i + 1 :]
    ]
    largest = 0.0
    for rank, pair in enumerate(sorted(pairs, key=lambda pair: pair["p_value"])):  # Holm's step-down
        largest = max(largest, min(1.0, (len(pairs) - rank) * pair["p_value"]))
        pair["p_adjusted"] = largest
    return Comparison(evaluations, pairs)


def _compute_difference(first: str, second: str, evaluations: Mapping[str, Evaluation], level: float) -> dict[str, Any]:
    from scipy.stats import t

    one, other = evaluations[first], evaluations[second]
    per_split = one.scores["accuracy"] - other.scores["accuracy"]
    k = len(per_split)
    mean, variance = float(per_split.mean()), float(per_split.var(ddof=1))
    error = float(np.sqrt(variance * (1 / k + np.mean(one.n_test / one.n_train))))
    statistic = abs(mean) / error if error > 0 else (np.inf if mean else 0.0)
    margin = float(t.ppf(0.5 + level / 2, k - 1)) * error
    return {
        "first": first,
        "second": second,
        "per_split": per_split,
        "difference": mean,
        "interval": (mean - margin, mean + margin),
        "p_value": float(2 * t.sf(statistic, k - 1)),
    }


@dataclass(frozen=True)
class _Job:
    """A data set, the splits to evaluate on, and their leaks."""

    X: Any
    y: np.ndarray
    groups: np.ndarray | None
    splits: list[tuple[np.ndarray, np.ndarray]]
    cv_description: str
    leaks: np.ndarray
    duplicates: list[list[int]]

    @classmethod
    def from_dataset(cls, dataset: Mapping[str, Any], cv: Any, random_state: int | None, n_jobs: int | None) -> _Job:
        if not isinstance(dataset, Mapping) or "data" not in dataset or "target" not in dataset:
            raise ValueError(
                'dataset must be a Bunch or a dict with "data" and "target", as the loaders of soundclf.datasets give'
            )
        X, y = dataset["data"], column_or_1d(dataset["target"])
        check_classification_targets(y)
        groups = None if dataset.get("groups") is None else check_groups(dataset["groups"])
        check_consistent_length(X, y, groups)
        own = dataset.get("cv")
        chosen = own if cv is None else cv
        if chosen is None or isinstance(chosen, numbers.Integral):
            n_splits = _SPLITS if chosen is None else int(chosen)
            _check_enough(n_splits, y, groups)
            kind: Any = StratifiedKFold if groups is None else StratifiedGroupKFold
            splitter = kind(n_splits, shuffle=True, random_state=random_state)
            whole = ", no recordings being known" if groups is None else " that keep recordings whole"
            cv_description = f"{n_splits} folds in proportion of the classes{whole}"
        else:
            splitter = check_cv(check_splits(chosen, "cv"), y, classifier=True)
            cv_description = "the data set's own folds" if cv is None else f"the splits passed ({type(cv).__name__})"
        n_described = len(getattr(splitter, "test_fold", y))
        if n_described != len(y):
            raise ValueError(f"cv describes {n_described:,} clips, and the data set has {len(y):,}")
        rows = np.arange(len(y))
        splits = [
            (take_rows(rows, train), take_rows(rows, test)) for train, test in generate_splits(splitter, y, groups)
        ]
        if not splits or not all(len(train) and len(test) for train, test in splits):
            raise ValueError("cv must give at least one split, and clips on both sides of each")
        leaks = np.array([]) if groups is None else find_leaks(groups, splits)
        on_both_sides = [
            positions
            for positions in find_duplicates(X, n_jobs=n_jobs)
            if any(np.isin(positions, train).any() and np.isin(positions, test).any() for train, test in splits)
        ]
        warn_leaks(leaks, on_both_sides, groups, splits, own=own is not None and (cv is None or cv is own))
        return cls(X, y, groups, splits, cv_description, leaks, on_both_sides)

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
        with _cache_features(estimator) as prepared:
            work = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
                delayed(self._evaluate_split)(prepared, train, test, classes) for train, test in self.splits
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
            warnings.simplefilter("ignore", UserWarning)  # a predicted class that a small split lacks
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
        predicted = fitted.predict(clips)
        predict_time = time.perf_counter() - start - fit_time
        unknown = np.setdiff1d(getattr(fitted, "classes_", predicted), classes)
        if len(unknown):
            raise ValueError(f"The estimator knows labels that the data set lacks: {format_list(unknown)}")
        probabilities = None
        if hasattr(fitted, "predict_proba"):
            probabilities = np.zeros((len(test), len(classes)))
            probabilities[:, np.searchsorted(classes, fitted.classes_)] = fitted.predict_proba(clips)
        return predicted, probabilities, fit_time, predict_time


def _check_enough(n_splits: int, y: np.ndarray, groups: np.ndarray | None) -> None:
    labels, counts = np.unique(y, return_counts=True)
    most = counts.argmax()
    n_recordings = n_splits if groups is None else len(np.unique(groups))
    if counts[most] < n_splits:
        label = labels[most].item()
        lack = f"{n_splits} clips of a class, and the largest, {label!r}, has {counts[most]}"
    elif n_recordings < n_splits:
        lack = f"{n_splits} recordings, and there are {n_recordings}"
    else:
        return
    error = ValueError(f"{n_splits} folds need {lack}")
    error.add_note("Pass a smaller number of folds as cv.")  # not part of the message: the command line has no cv
    raise error


def _rows(X: Any, positions: np.ndarray) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[positions]
    return X[positions] if isinstance(X, np.ndarray) else [X[i] for i in positions]


def _takes_groups(estimator: Any) -> bool:
    try:
        return bool(get_routing_for_object(estimator).consumes("fit", ["groups"]))
    except NotImplementedError:  # a meta-estimator that passes nothing on, such as AdaBoostClassifier
        return False


@contextlib.contextmanager
def _cache_features(estimator: Any) -> Iterator[Any]:
    """Return a clone whose transformers save the features of clips while it is evaluated."""
    prepared = clone(estimator)
    parts = [prepared, *prepared.get_params(deep=True).values()]
    uncached = [part for part in parts if isinstance(part, ClipTransformer) and part.memory is None]
    with tempfile.TemporaryDirectory(prefix="soundclf-", ignore_cleanup_errors=True) as folder:
        for part in uncached:
            part.set_params(memory=folder)
        try:
            yield prepared
        finally:
            for part in uncached:  # a frozen one is the user's own
                part.set_params(memory=None)
