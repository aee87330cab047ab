"""Splits of a data set into training and test clips."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

__all__ = ["check_splits", "generate_splits", "make_splits", "take_rows"]

_N_SPLITS = 5  # default number of folds


def make_splits(
    y: np.ndarray, groups: np.ndarray | None, own: Any, cv: Any, random_state: int | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """Return the splits of a data set, as pairs of positions, and a description of them.

    Parameters
    ----------
    y : ndarray of shape (n_clips,)
        Labels.
    groups : ndarray of shape (n_clips,) or None
        Recording of each clip.
    own : splitter, iterable or None
        The data set's own folds.
    cv : int, splitter, iterable or None
        Other splits.
    random_state : int or None
        Determines the folds where neither of these has any.
    """
    chosen = own if cv is None else cv
    if chosen is None or isinstance(chosen, numbers.Integral):
        n_splits = _N_SPLITS if chosen is None else int(chosen)
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
    splits = [(take_rows(rows, train), take_rows(rows, test)) for train, test in generate_splits(splitter, y, groups)]
    if not splits or not all(len(train) and len(test) for train, test in splits):
        raise ValueError("cv must yield at least one split, with clips on both sides of each")
    return splits, cv_description


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


def check_splits(splits: Any, name: str) -> Any:
    """Return a splitter, or a list of pairs of positions; raise an error that names the parameter for others."""
    if isinstance(splits, type):
        raise ValueError(f"{name} is a class, where a splitter is expected: {splits.__name__}(...)")
    if hasattr(splits, "split") and not isinstance(splits, str):
        return splits
    pairs = list(splits) if isinstance(splits, Iterable) and not isinstance(splits, str) else [splits]
    for pair in pairs:
        if not isinstance(pair, Sequence | np.ndarray) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f"{name} must be a splitter or (train, test) pairs of positions, got {type(splits).__name__}; folds "
                "given clip by clip become a splitter by sklearn.model_selection.PredefinedSplit(folds)"
            )
    return pairs


def generate_splits(splitter: Any, y: np.ndarray | None, groups: np.ndarray | None) -> Iterable[tuple[Any, Any]]:
    """Split, passing groups only to splitters that ask for them; the others would warn."""
    known = y if groups is None else groups
    rows = np.zeros(0 if known is None else len(known))
    if not hasattr(splitter, "get_metadata_routing"):  # not scikit-learn's
        wanted = True
    else:
        try:
            wanted = bool(get_routing_for_object(splitter).consumes("split", ["groups"]))
        except (AttributeError, TypeError):  # another scikit-learn: ignored groups cause a warning
            wanted = True
    pairs: Iterable[tuple[Any, Any]] = splitter.split(rows, y, groups if wanted else None)
    return pairs


def take_rows(values: np.ndarray, part: Any) -> np.ndarray:
    """Return the rows at positions or under a mask."""
    part = np.asarray(part)
    taken: np.ndarray = values[part if part.size else part.astype(int)]  # an empty list makes an array of floats
    return taken
