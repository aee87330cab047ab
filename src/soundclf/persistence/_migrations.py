"""What older model files lack, and what it is filled with.

A file holds the parameters that its estimators had when it was written. Parameters added since then are filled with
the default of the version that wrote the file, so that the model predicts as it did.

When a constructor parameter is added
    If its default keeps the behavior from before, nothing has to be done: the default of its class is used. If it does
    not, add the value that does to ``_DEFAULTS``, under the last format without the parameter.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from sklearn.base import BaseEstimator

__all__ = ["fill_parameters", "get_parameter_defaults"]

# Last format without a parameter -> class -> parameter -> value that keeps the behavior of that format.
_DEFAULTS: dict[int, dict[str, dict[str, Any]]] = {}


def get_parameter_defaults(estimator: type) -> dict[str, Any]:
    """Return the constructor parameters of an estimator's class, and their defaults (``Parameter.empty`` if none)."""
    if estimator.__init__ is object.__init__:  # type: ignore[misc]
        return {}
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(estimator.__init__).parameters.values())[1:]  # type: ignore[misc]
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind not in several}


def fill_parameters(parts: Iterable[Any], version: int) -> None:
    """Set the parameters that a file lacks, in place.

    Parameters
    ----------
    parts : iterable of object
        All objects that a loaded model holds. Estimators of soundclf and scikit-learn are filled.
    version : int
        The format of the file.
    """
    for part in parts:
        cls = type(part)
        if not isinstance(part, BaseEstimator) or cls.__module__.split(".")[0] not in ("sklearn", "soundclf"):
            continue
        defaults = get_parameter_defaults(cls)
        for last in sorted(_DEFAULTS, reverse=True):  # the entry of the earliest format that counts goes last
            if last >= version:
                defaults |= _DEFAULTS[last].get(f"{cls.__module__}.{cls.__name__}", {})
        for name, default in defaults.items():
            if name not in vars(part) and default is not inspect.Parameter.empty:
                setattr(part, name, default)
