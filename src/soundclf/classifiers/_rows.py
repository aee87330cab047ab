"""Rows, labels and weights on their way into a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.text import format_list

__all__ = [
    "compute_row_weights",
    "count_validation_rows",
    "draw_groups",
    "draw_rows",
    "encode_labels",
    "make_generator",
    "standardize",
]


def standardize(X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
    """Standardise in float64; what the network sees is float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = (X if mean is None or scale is None else (X - mean) / scale).astype(np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("X has values too large for the network's float32")
    return rows


def encode_labels(y: np.ndarray, classes: np.ndarray, name: str) -> NDArray[np.int32]:
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"{name} has labels that are not among the classes {format_list(classes)}: {format_list(unknown)}"
        )
    return np.searchsorted(classes, y).astype(np.int32)


def make_generator(random_state: Any) -> np.random.Generator:
    """Give a generator of our own; only a RandomState that the user passed is drawn from."""
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    return np.random.default_rng(int(random_state))


def compute_row_weights(class_weight: Any, classes: np.ndarray, codes: np.ndarray) -> NDArray[np.float64]:
    """Give each row the weight of its class."""
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
        raise ValueError(f"class_weight must give each class a number that is not negative, got {class_weight}")
    if not weights[codes].any():
        raise ValueError(f"class_weight={class_weight} leaves nothing to train on: every row's weight is zero")
    return weights[codes].astype(np.float64)


def count_validation_rows(codes: np.ndarray, fraction: float) -> NDArray[np.int64]:
    """Say how many rows of each class make up a fraction of it, rounded, with at least one left over."""
    counts = np.bincount(codes)
    return np.clip(np.rint(fraction * counts).astype(np.int64), 0, np.maximum(counts - 1, 0))


def draw_rows(codes: np.ndarray, parts: np.ndarray, random: np.random.Generator) -> NDArray[np.bool_]:
    """Choose that many rows of each class."""
    part = np.zeros(len(codes), bool)
    for code in np.unique(codes):
        part[random.permutation(np.flatnonzero(codes == code))[: parts[code]]] = True
    return part


def draw_groups(
    codes: np.ndarray, parts: np.ndarray, groups: np.ndarray, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose whole groups so that about that many rows of each class come together, and every class keeps a group.

    Groups are visited in random order; one is taken if that brings the counts of the classes nearer to ``parts``. A
    class that would be left without gives its smallest group, if it has another.
    """
    members = np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((members.max() + 1, len(parts)), np.int64)
    np.add.at(counts, (members, codes), 1)
    left = counts.sum(axis=0)
    taken = np.zeros_like(parts)
    part = np.zeros(len(counts), bool)
    for group in random.permutation(len(counts)):
        more = taken + counts[group]
        emptied = (counts[group] > 0) & (counts[group] == left)
        if np.abs(parts - more).sum() < np.abs(parts - taken).sum() and not emptied.any():
            part[group] = True
            taken, left = more, left - counts[group]
    for code in np.flatnonzero((parts > 0) & (taken == 0)):  # recordings too big for the share: the smallest, if any
        spare = [g for g in np.flatnonzero(counts[:, code]) if not ((counts[g] > 0) & (counts[g] == left)).any()]
        if spare:
            smallest = min(spare, key=lambda g: counts[g].sum())
            part[smallest] = True
            taken, left = taken + counts[smallest], left - counts[smallest]
    return part[members]
