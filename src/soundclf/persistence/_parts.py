"""The objects that a model holds, and their places in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import ModelError

__all__ = ["Place", "is_tree", "iterate_parts"]


class Place(NamedTuple):
    """The place of an object in a model; joined to a text only on demand, since names in a file may be long."""

    parent: Place | None
    step: str

    def __str__(self) -> str:
        steps, place = [self.step], self.parent
        while place is not None:
            steps.append(place.step)
            place = place.parent
        return "".join(reversed(steps))


def is_tree(part: Any) -> bool:
    """Return whether an object is the compiled tree of one of scikit-learn's decision trees."""
    return type(part).__name__ == "Tree" and type(part).__module__.startswith("sklearn.tree.")


def iterate_parts(model: Any) -> Iterator[tuple[Place, Any]]:
    """Yield all objects with attributes that a model holds, itself first, each once, and where it is."""
    from sklearn.tree import BaseDecisionTree

    found: dict[int, Any] = {}
    waiting: list[tuple[Place, Any]] = [(Place(None, "model"), model)]
    while waiting:
        where, part = waiting.pop()
        if id(part) in found or isinstance(part, type | FunctionType | MethodType | ModuleType):
            continue
        if type(part).__name__ == "Tree" and type(part).__module__.startswith(
            "sklearn.tree"
        ):  # which by itself takes rows of any length
            raise ModelError(f"{where} is a tree outside of a decision tree")
        found[id(part)] = part
        inside: Iterator[tuple[str, Any]] = iter(())
        if hasattr(part, "__dict__"):
            yield where, part
            owned = "tree_" if isinstance(part, BaseDecisionTree) else None
            inside = ((f".{name}", value) for name, value in vars(part).items() if name != owned)
        elif isinstance(part, np.ndarray) and part.dtype == object:
            inside = ((f"[{i}]", value) for i, value in enumerate(part.flat))
        elif isinstance(part, list | tuple | set):
            inside = ((f"[{i}]", value) for i, value in enumerate(part))
        waiting += ((Place(where, step), value) for step, value in inside)
        if isinstance(part, Mapping):
            waiting += ((Place(where, f"[{key!r}]"), value) for key, value in part.items())
