"""Validation of parameters: one table per class, one sentence per bad value."""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import ParameterError

__all__ = [
    "BOOLEAN",
    "DIRECTORY",
    "NONE",
    "N_JOBS",
    "Rule",
    "check_groups",
    "check_params",
    "integer_in",
    "list_of",
    "one_of",
    "real_in",
]


@dataclass(frozen=True)
class Rule:
    """A set of allowed values: its description in messages, its predicate, and its members if these are strings."""

    description: str
    accepts: Callable[[Any], bool]
    options: tuple[str, ...] = ()


def _bounds(low: float | None, high: float | None, closed: str) -> str:
    left = "(-inf" if low is None else f"{'[' if closed in ('left', 'both') else '('}{low}"
    right = "inf)" if high is None else f"{high}{']' if closed in ('right', 'both') else ')'}"
    return f"{left}, {right}"


def _inside(value: float, low: float | None, high: float | None, closed: str) -> bool:
    above = low is None or value > low or (value == low and closed in ("left", "both"))
    below = high is None or value < high or (value == high and closed in ("right", "both"))
    return above and below and math.isfinite(value)


def real_in(low: float | None = None, high: float | None = None, closed: str = "left") -> Rule:
    """Accept finite real numbers in an interval."""
    return Rule(
        f"a number in {_bounds(low, high, closed)}",
        lambda v: isinstance(v, numbers.Real) and not _is_bool(v) and _inside(float(v), low, high, closed),
    )


def integer_in(low: int | None = None, high: int | None = None) -> Rule:
    """Accept integers in an interval that includes its lower end."""
    return Rule(
        f"an integer in {_bounds(low, high, 'left')}",
        lambda v: isinstance(v, numbers.Integral) and not _is_bool(v) and _inside(float(v), low, high, "left"),
    )


def one_of(allowed: Iterable[str]) -> Rule:
    """Accept one of a list of strings."""
    known = tuple(allowed)
    return Rule(" or ".join(map(repr, known)), lambda v: isinstance(v, str) and v in known, known)


def list_of(allowed: Iterable[str], least: int = 0) -> Rule:
    """Accept a list of distinct strings from a list; not sets, which have no order, nor iterators."""
    known = tuple(allowed)

    def accepts(value: Any) -> bool:
        if isinstance(value, str | Set | Iterator) or not isinstance(value, Iterable):
            return False
        items = list(value)
        return len(items) >= least and len(set(map(str, items))) == len(items) and all(item in known for item in items)

    return Rule(f"a list of {'one or more of ' if least else ''}{', '.join(map(repr, known))}", accepts)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


BOOLEAN = Rule("True or False", _is_bool)
NONE = Rule("None", lambda v: v is None)
N_JOBS = Rule("an integer other than 0", lambda v: integer_in().accepts(v) and v != 0)
DIRECTORY = Rule(
    "the path of a folder", lambda v: isinstance(v, str | os.PathLike) and isinstance(os.fspath(v), str) and v != ""
)


def check_params(owner: str, values: Mapping[str, Any], table: Mapping[str, tuple[Rule, ...]]) -> None:
    """Raise one ParameterError that names every bad parameter.

    Parameters
    ----------
    owner : str
        The name of the estimator's class.
    values : mapping of str to object
        The values of the parameters.
    table : mapping of str to tuple of Rule
        The rules of each parameter, one of which its value must meet.

    Raises
    ------
    ParameterError
        With a sentence for each bad parameter: its name and owner, what is allowed, what was given, and the likely
        spelling.
    """
    bad = []
    for name, rules in table.items():
        value = values[name]
        if any(rule.accepts(value) for rule in rules):
            continue
        allowed = " or ".join(rule.description for rule in rules)
        text = f"The {name!r} parameter of {owner} must be {allowed}, got {value!r} ({type(value).__name__})."
        known = [known for rule in rules for known in rule.options]
        near = difflib.get_close_matches(value, known, n=1) if isinstance(value, str) else []
        bad.append(f"{text} Did you mean {near[0]!r}?" if near else text)
    if bad:
        raise ParameterError(" ".join(bad))


def check_groups(groups: Any) -> np.ndarray:
    """Check the recording of every clip and return them as an array; missing ones, such as NaN, are refused."""
    from sklearn.utils.validation import column_or_1d

    groups = column_or_1d(groups)
    try:
        unknown = groups.dtype.kind in "mM" and bool(np.isnat(groups).any())
        unknown = unknown or any(group != group for group in np.unique(groups).tolist())
    except TypeError:  # None among strings cannot be sorted
        unknown = True
    if unknown:
        raise ValueError("groups must name every recording by a label of the same type, and some are missing")
    return groups
