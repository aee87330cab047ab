"""scikeras: training inside its wrapper where it works, and without it where it does not.

The hook ``_fit_keras_model`` is a private part of scikeras. Only soundclf's own loop over the epochs trains, on
soundclf's own arrays, so the result is the same with scikeras, without it, and with a version that has changed.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import sklearn

from ._backend import import_keras

__all__ = ["run_in_scikeras"]

T = TypeVar("T")
_HOOK = "_fit_keras_model"
_ABSENT = object()
_wrapper_base: list[type] = []
_failures: list[str] = []  # the first one; scikeras is not used after it
_lock = threading.RLock()


def run_in_scikeras(model: Any, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray, train: Callable[[], T]) -> T:
    """Call a training function from inside scikeras' wrapper.

    Parameters
    ----------
    model : keras.Model
        Compiled model.
    X : ndarray of shape (n_samples, ...)
        Training rows.
    y : ndarray of shape (n_samples,)
        Class indices.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    train : callable
        Function without arguments that sets the model's weights, trains it and returns the result.

    Returns
    -------
    object
        The result of ``train``, which is called once. If scikeras fails before it calls ``train`` or never calls it,
        a RuntimeWarning says why, ``train`` is called directly, and scikeras is not used again in this process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def hook(*_: Any, **__: Any) -> None:
        if results:
            return
        try:
            results.append(train())
        except BaseException as error:
            errors.append(error)
            raise

    if not _failures:
        try:
            base: Any = import_wrapper()
            if not callable(getattr(base, _HOOK, None)):
                raise AttributeError(f"its BaseWrapper has no method {_HOOK}")
            wrapper = type("Wrapper", (base,), {_HOOK: hook})
            with sklearn.config_context(transform_output="default"):  # scikeras passes arrays through transformers
                wrapper(model=lambda: model, verbose=0).fit(X, y, sample_weight=sample_weight)
            if not results and not errors:
                raise RuntimeError(f"its BaseWrapper never called {_HOOK}")
        except Exception as error:
            if not errors:
                _report_failure(error)
    if errors:
        raise errors[0]
    return results[0] if results else train()


def import_wrapper() -> type:
    """Return scikeras' BaseWrapper and leave Keras as it was.

    Importing scikeras replaces how Keras objects are pickled and copied, for the whole process. Unless the user has
    imported it, that is undone, and its modules are removed from ``sys.modules`` so that a later import by the user
    works as it should.
    """
    with _lock:
        if not _wrapper_base:
            keras = import_keras()
            if "scikeras" in sys.modules:
                from scikeras.wrappers import BaseWrapper
            else:
                before = [
                    (owner, name, vars(owner).get(name, _ABSENT))
                    for owner in _find_patched_classes(keras)
                    for name in ("__reduce__", "__deepcopy__")
                ]
                try:
                    from scikeras.wrappers import BaseWrapper
                finally:
                    for owner, name, value in before:
                        with contextlib.suppress(AttributeError, TypeError):
                            if value is not _ABSENT:
                                setattr(owner, name, value)
                            elif name in vars(owner):
                                delattr(owner, name)
                    for name in [m for m in sys.modules if m == "scikeras" or m.startswith("scikeras.")]:
                        del sys.modules[name]
            _wrapper_base.append(BaseWrapper)
        return _wrapper_base[0]


def _find_patched_classes(keras: Any) -> list[type]:
    """Return the classes of Keras that scikeras patches, as far as this version of Keras has them."""
    paths = (("Model",), ("losses", "Loss"), ("metrics", "Metric"), ("optimizers", "Optimizer"))
    found = []
    for path in paths:
        owner = keras
        for name in path:
            owner = getattr(owner, name, None)
        if isinstance(owner, type):
            found.append(owner)
    return found


def _report_failure(error: Exception) -> None:
    """Warn that scikeras does not work, once per process."""
    with _lock:
        if _failures:
            return
        _failures.append(f"{type(error).__name__}: {error}")
    warnings.warn(
        f"scikeras does not work here ({_failures[0]}); soundclf trains without it, with the same results. To get rid "
        "of this warning, install a version of scikeras that works with the installed Keras and scikit-learn",
        RuntimeWarning,
        stacklevel=2,
    )
