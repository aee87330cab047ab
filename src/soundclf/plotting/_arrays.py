"""Validation of the arrays passed to displays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import ParameterError

__all__ = ["check_borders", "check_counts", "check_matrix", "check_numbers"]


def _make_array_error(owner: str, name: str, allowed: str, values: Any) -> ParameterError:
    try:
        given = np.asarray(values)
        text = f"an array of shape {given.shape} and type {given.dtype}"
    except ValueError:
        text = "rows of different lengths"
    return ParameterError(f"The {name!r} parameter of {owner} must be {allowed}, got {text}.")


def check_numbers(owner: str, name: str, values: Any, allowed: str, ndim: int = 1) -> NDArray[np.float64]:
    """Return a non-empty float array with ``ndim`` dimensions; NaN is allowed for unknown values."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise _make_array_error(owner, name, allowed, values) from None
    if array.ndim != ndim or not array.size:
        raise _make_array_error(owner, name, allowed, values)
    return array


def check_matrix(owner: str, name: str, values: Any) -> NDArray[np.float64]:
    """Return a non-empty 2-D array of finite numbers."""
    allowed = "a 2-D array of finite numbers"
    array = check_numbers(owner, name, values, allowed, ndim=2)
    if not np.isfinite(array).all():
        raise _make_array_error(owner, name, f"{allowed}, without NaN and infinity", values)
    return array


def check_borders(owner: str, name: str, values: Any, n: int) -> NDArray[np.float64]:
    """Return the ``n + 1`` increasing boundaries of ``n`` intervals."""
    allowed = f"{n + 1} increasing numbers, the boundaries of {n} intervals"
    array = check_numbers(owner, name, values, allowed)
    if len(array) != n + 1 or not (np.diff(array) > 0).all():
        raise _make_array_error(owner, name, allowed, values)
    return array


def check_counts(owner: str, name: str, values: Any, n: int) -> NDArray[np.intp]:
    """Return a count for each of ``n`` classes."""
    allowed = f"{n} non-negative integers, one for each class"
    array = check_numbers(owner, name, values, allowed)
    if len(array) != n or not (array >= 0).all() or (array % 1).any():
        raise _make_array_error(owner, name, allowed, values)
    return array.astype(np.intp)
