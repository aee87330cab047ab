"""Estimators, parameters and reports in a form that JSON can express."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..exceptions import ModelError
from ._nodes import RESET

__all__ = ["convert_report", "convert_to_json", "shorten"]

_MAX_CHARACTERS = 1000  # of a message, or of a parameter that JSON cannot express


def shorten(text: str) -> str:
    """Return a text in one line, cut after 1000 characters."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"


def convert_to_json(value: Any) -> Any:
    """Convert a parameter to what JSON can express; estimators become their class and parameters."""
    if isinstance(value, BaseEstimator):
        parameters = value.get_params(deep=False).items()
        converted: dict[str, Any] = {
            "class": f"{type(value).__module__}.{type(value).__name__}",
            "parameters": {name: convert_to_json(part) for name, part in parameters if name not in RESET},
        }
        best = getattr(value, "best_estimator_", None)
        return converted if best is None else {**converted, "best_estimator": convert_to_json(best)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple):
        return [convert_to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(name): convert_to_json(item) for name, item in value.items()}
    return shorten(getattr(value, "__name__", None) or repr(value))


def convert_report(value: Any) -> Any:
    """Convert NumPy arrays and numbers in a report; to be used as ``json.dumps``' ``default``."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise ModelError(f"the report holds {type(value).__name__}, which JSON cannot express")
