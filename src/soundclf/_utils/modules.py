"""Public paths of classes and functions."""

from __future__ import annotations

from typing import Any

__all__ = ["set_public_module"]


def set_public_module(module: str, *objects: Any) -> None:
    """Set ``__module__`` of classes and functions to the module that users import them from.

    Model files, pickles and ``repr`` name classes by ``__module__``, so it must not depend on which private module
    they are defined in.
    """
    for item in objects:
        item.__module__ = module
