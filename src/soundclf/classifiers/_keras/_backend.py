"""Keras and TensorFlow: import and versions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

__all__ = ["get_versions", "import_backend", "import_keras"]

_pids: list[int] = []  # of the process that imported TensorFlow


def import_keras() -> Any:
    """Import Keras with TensorFlow as its backend.

    Raises
    ------
    RuntimeError
        If Keras runs on another backend, or if TensorFlow was in use before this process was forked, which it does not
        survive.
    """
    if _pids and os.getpid() not in _pids:
        raise RuntimeError(
            "TensorFlow was in use before this process was forked, and would hang in it; use threads, or processes "
            "that are started rather than forked, such as those of joblib's backend 'loky'"
        )
    import keras

    _pids[:] = [os.getpid()]

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"soundclf trains with TensorFlow, but Keras runs on {keras.backend.backend()!r}: "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    return keras


def import_backend() -> None:
    """Import Keras and TensorFlow, which takes seconds and writes to standard error."""
    import_keras()


def get_versions() -> list[str]:
    """Return the versions that the results of training depend on."""
    keras = import_keras()
    import tensorflow as tf

    return [keras.__version__, tf.__version__, np.__version__]
