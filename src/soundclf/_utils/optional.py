"""Imports of optional dependencies."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_optional"]


def import_optional(module: str, *, extra: str, feature: str) -> Any:
    """Import a module of an optional dependency.

    Parameters
    ----------
    module : str
        Its dotted name, such as "matplotlib.pyplot".
    extra : str
        The extra of soundclf that installs it.
    feature : str
        What needs it, as the beginning of a sentence.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If the package is not installed, naming the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f'{feature} needs the package {package}: pip install "soundclf[{extra}]"') from error
