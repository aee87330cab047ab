"""Comparison of estimators on the same splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._utils.validation import check_params
from ._cross_validation import PARAMETERS, CrossValidation
from ._features import cache_features
from ._results import Comparison, Evaluation

__all__ = ["compare"]


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

    The accuracies of each pair of estimators are compared by a paired t-test over the splits. Because the training sets
    of the splits overlap, the variance is corrected as proposed by Nadeau and Bengio [1]_.

    Parameters
    ----------
    estimators : mapping of str to classifier
        At least two estimators, by name.
    dataset, cv, n_bootstrap, confidence_level, random_state, n_jobs, verbose
        As for :func:`cross_validate_clips`; at least two splits are needed.

    Returns
    -------
    Comparison
        Evaluation of each estimator, and differences of each pair.

    Raises
    ------
    ValueError
        If there are fewer than two estimators or splits, and as from :func:`cross_validate_clips`.

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
    check_params("compare", values, PARAMETERS)
    if not isinstance(estimators, Mapping) or len(estimators) < 2:
        raise ValueError("compare needs at least two estimators, as a dict of names and estimators")
    validation = CrossValidation.from_dataset(dataset, cv, random_state)
    if len(validation.splits) < 2:
        raise ValueError("compare needs at least two splits, to distinguish a difference from chance")
    with cache_features(list(estimators.values())) as prepared:
        validation.check_leaks(prepared, n_jobs, bool(verbose))
        evaluations = {
            name: validation.evaluate(estimator, n_bootstrap, confidence_level, random_state, n_jobs, bool(verbose))
            for name, estimator in zip(estimators, prepared, strict=True)
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
