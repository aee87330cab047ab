"""Metrics of predictions: scores, confidence intervals, calibration error."""

from __future__ import annotations

import numpy as np

__all__ = ["bootstrap_intervals", "compute_calibration_error", "compute_scores"]

_BINS = 15  # of the calibration error


def compute_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of confusion matrices ``(n, n_classes, n_classes)``, over the classes that occur."""
    correct = np.einsum("nii->ni", matrices).astype(float)
    support, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    with np.errstate(invalid="ignore"):
        recall, f1 = correct / support, 2 * correct / (support + predicted)
    return {
        "accuracy": correct.sum(axis=1) / support.sum(axis=1),
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
    }


def bootstrap_intervals(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    classes: np.ndarray,
    recordings: np.ndarray,
    n_bootstrap: int,
    level: float,
    random_state: int | None,
) -> dict[str, tuple[float, float]]:
    """Compute percentile intervals of the scores by a bootstrap over whole recordings."""
    k = len(classes)
    members = np.unique(recordings, return_inverse=True)[1]
    cells = np.searchsorted(classes, y_true) * k + np.searchsorted(classes, y_pred)
    n = members.max() + 1
    random = np.random.default_rng(random_state)
    samples: list[dict[str, np.ndarray]] = []
    for first in range(0, n_bootstrap, 100):
        size = min(100, n_bootstrap - first)
        times = random.multinomial(n, np.full(n, 1 / n), size)
        matrices = [np.bincount(cells, weights=row[members], minlength=k * k).reshape(k, k) for row in times]
        samples.append(compute_scores(np.stack(matrices)))
    tails = (0.5 - level / 2, 0.5 + level / 2)
    found = {}
    for name in samples[0]:
        low, high = np.quantile(np.concatenate([scores[name] for scores in samples]), tails)
        found[name] = (float(low), float(high))
    return found


def compute_calibration_error(y_true: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> float:
    """Compute the expected calibration error over equal bins of the probability of the predicted class."""
    best = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(best)), best]
    correct = classes[best] == y_true
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(best))
