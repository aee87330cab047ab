"""Rows, labels and weights of a fit, and the choice of validation rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from .._utils.text import format_list

__all__ = [
    "check_sample_weight",
    "compute_row_weights",
    "count_validation_rows",
    "draw_groups",
    "draw_rows",
    "draw_validation_rows",
    "encode_labels",
    "make_generator",
    "standardize",
]


def standardize(X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
    """Standardize rows in float64 and return them in float32, the type of the networks."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = (X if mean is None or scale is None else (X - mean) / scale).astype(np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("X has values too large for the network's float32")
    return rows


def encode_labels(y: np.ndarray, classes: np.ndarray, name: str) -> NDArray[np.int32]:
    """Return the indices of labels in ``classes``."""
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"{name} has labels that are not among the classes {format_list(classes)}: {format_list(unknown)}"
        )
    return np.searchsorted(classes, y).astype(np.int32)


def check_sample_weight(sample_weight: Any, X: np.ndarray) -> NDArray[np.float64]:
    """Check the weights of rows and return a copy as an array."""
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight", copy=True)
    weights = column_or_1d(weights)
    check_consistent_length(X, weights)
    if (weights < 0).any():
        raise ValueError("sample_weight must not be negative")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row, so there is nothing to train on")
    result: NDArray[np.float64] = weights
    return result


def make_generator(random_state: Any) -> np.random.Generator:
    """Make a random generator; only a RandomState passed by the user changes its state."""
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    return np.random.default_rng(int(random_state))


def compute_row_weights(class_weight: Any, classes: np.ndarray, codes: np.ndarray) -> NDArray[np.float64]:
    """Return the class weight of each row."""
    if class_weight is None:
        return np.ones(len(codes))
    if isinstance(class_weight, str):  # "balanced"
        counts = np.bincount(codes)
        return len(codes) / (np.count_nonzero(counts) * counts[codes])
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise ValueError(f"class_weight has labels that are not among the classes {format_list(classes)}: {unknown}")
    weights = np.array([class_weight.get(label, 1.0) for label in labels])
    if weights.dtype.kind not in "iuf" or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"class_weight must map classes to nonnegative numbers, got {class_weight}")
    if not weights[codes].any():
        raise ValueError(f"class_weight={class_weight} leaves nothing to train on: every row's weight is zero")
    return weights[codes].astype(np.float64)


def count_validation_rows(codes: np.ndarray, fraction: float) -> NDArray[np.int64]:
    """Compute the number of validation rows of each class: a fraction, rounded, that leaves at least one row."""
    counts = np.bincount(codes)
    return np.clip(np.rint(fraction * counts).astype(np.int64), 0, np.maximum(counts - 1, 0))


def draw_rows(codes: np.ndarray, n_rows: np.ndarray, random: np.random.Generator) -> NDArray[np.bool_]:
    """Draw ``n_rows`` rows of each class; return a mask."""
    mask = np.zeros(len(codes), bool)
    for code in np.unique(codes):
        mask[random.permutation(np.flatnonzero(codes == code))[: n_rows[code]]] = True
    return mask


def draw_validation_rows(
    codes: np.ndarray, fraction: float, groups: np.ndarray | None, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a fraction of the rows of each class, or whole groups where there are groups; return a mask."""
    n_rows = count_validation_rows(codes, fraction)
    mask = draw_rows(codes, n_rows, random) if groups is None else draw_groups(codes, n_rows, groups, random)
    if not mask.any():
        unit = "row" if groups is None else "recording"
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} finds no validation {unit}: no class has enough "
            f"{unit}s for training and validation; use more {unit}s, a larger fraction, or early_stopping=False"
        )
    return mask


def draw_groups(
    codes: np.ndarray, n_rows: np.ndarray, groups: np.ndarray, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw whole groups with about ``n_rows`` rows of each class, leaving at least one group of each; return a mask.

    Groups are visited in random order; one is taken if that brings the counts of the classes closer to ``n_rows``. From
    a class without a group so far, the smallest group is taken, if another one is left.
    """
    members = np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((members.max() + 1, len(n_rows)), np.int64)
    np.add.at(counts, (members, codes), 1)
    left = counts.sum(axis=0)
    taken = np.zeros_like(n_rows)
    chosen = np.zeros(len(counts), bool)
    for group in random.permutation(len(counts)):
        more = taken + counts[group]
        emptied = (counts[group] > 0) & (counts[group] == left)
        if np.abs(n_rows - more).sum() < np.abs(n_rows - taken).sum() and not emptied.any():
            chosen[group] = True
            taken, left = more, left - counts[group]
    for code in np.flatnonzero((n_rows > 0) & (taken == 0)):  # all groups are too large: the smallest one
        spare = [g for g in np.flatnonzero(counts[:, code]) if not ((counts[g] > 0) & (counts[g] == left)).any()]
        if spare:
            smallest = min(spare, key=lambda g: counts[g].sum())
            chosen[smallest] = True
            taken, left = taken + counts[smallest], left - counts[smallest]
    return chosen[members]
