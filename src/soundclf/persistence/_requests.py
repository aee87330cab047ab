"""Requests for metadata (such as ``set_fit_request``), which refer to their owner and so to themselves."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ._parts import iterate_parts

__all__ = ["detach_requests"]

_MODULE = "sklearn.utils._metadata_requests"


def detach_requests(model: Any) -> Any:
    """Return a model whose requests for metadata hold the name of their owner's class in place of the owner.

    Parameters
    ----------
    model : estimator
        About to be saved; it stays as it is.

    Returns
    -------
    estimator
        The model itself if nothing has to be replaced, or if it cannot be copied; otherwise a copy that shares arrays.
    """
    parts = [part for _, part in iterate_parts(model)]
    if not any(map(_has_owner, parts)):
        return model
    shared = {
        id(value): value
        for part in parts
        for value in vars(part).values()
        if isinstance(value, np.ndarray) and value.dtype != object
    }
    try:
        model = copy.deepcopy(model, shared)
        for _, part in iterate_parts(model):
            if _has_owner(part):
                part.owner = type(part.owner).__name__
    except Exception:  # of a user's own classes; then the check of the model explains what cannot be saved
        return model
    return model


def _has_owner(part: Any) -> bool:
    owner = getattr(part, "owner", None)
    return type(part).__module__ == _MODULE and owner is not None and not isinstance(owner, str)
