"""Keras' optimizers: made from a name or an object, their variables by name, and a faster update for Adam."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["fuse_adam", "make_optimizer", "match_optimizer", "name_optimizer"]

_AUTOMATIC_NAME = re.compile(r"variable(_\d+)?")
_can_fuse: dict[type, bool] = {}
_lock = threading.Lock()


def make_optimizer(keras: Any, optimizer: Any) -> Any:
    """Make a new optimizer from a name or from an optimizer object, which is copied."""
    if isinstance(optimizer, str):
        return _make_named(keras, optimizer)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"optimizer must be the name of a Keras optimizer or a keras.optimizers.Optimizer, got {optimizer!r}"
        )
    return type(optimizer).from_config(optimizer.get_config()) if optimizer.built else copy.deepcopy(optimizer)


def _make_named(keras: Any, name: str) -> Any:
    known = find_optimizers(keras)
    if name.lower() in known:
        return known[name.lower()]()
    if not known:  # a Keras that does not list its optimizers in keras.optimizers
        return keras.optimizers.get(name.lower())
    raise ValueError(f"Keras has no optimizer named {name!r}; it has {', '.join(sorted(known))}")


def find_optimizers(keras: Any) -> dict[str, type]:
    """Return the classes of Keras' optimizers by name in lower case."""
    base = keras.optimizers.Optimizer
    listed = {name: getattr(keras.optimizers, name, None) for name in dir(keras.optimizers)}
    return {
        name.lower(): kind
        for name, kind in listed.items()
        if isinstance(kind, type) and issubclass(kind, base) and name not in ("Optimizer", "LossScaleOptimizer")
    }


def fuse_adam(keras: Any, optimizer: Any) -> Any:
    """Make a built Adam or AdamW update each variable in three operations, where that is possible.

    The update of Keras' Adam takes a dozen passes over each variable. Operations of TensorFlow's other optimizers do
    parts of it in one pass each, with the same result to the last bit: gradient descent moves a moment, and Adagrad
    divides by a root. TensorFlow's operation for all of Adam would start a second thread for every matrix, which takes
    longer. Everything around the update (clipping, weight decay, schedules) stays Keras'.

    The update stands on private parts of Keras. It is used only if, in a trial, it runs and has the result of Keras'
    own; otherwise the optimizer stays Keras'.
    """
    kind = type(optimizer)
    if kind not in (keras.optimizers.Adam, keras.optimizers.AdamW) or getattr(optimizer, "amsgrad", True):
        return optimizer
    with _lock:
        if kind not in _can_fuse:
            _can_fuse[kind] = _try_fusing(keras, kind)
    if _can_fuse[kind]:
        # A new object would lack what is not in the configuration of this one, such as excluded variables.
        optimizer.__class__ = _make_fused(kind)
    return optimizer


def _make_fused(kind: type) -> type:
    import tensorflow as tf

    ops = tf.raw_ops

    class Fused(kind):
        def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
            rates: dict[Any, Any] = {}
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                weights, i = variable.value, self._get_variable_index(variable)
                mean, square = self._momentums[i].value, self._velocities[i].value
                dtype = weights.dtype
                if dtype not in rates:
                    step, rate = tf.cast(self.iterations + 1, dtype), tf.cast(learning_rate, dtype)
                    first, second = (tf.pow(tf.cast(beta, dtype), step) for beta in (self.beta_1, self.beta_2))
                    rates[dtype] = rate * tf.sqrt(1 - second) / (1 - first)
                g = tf.cast(gradient, dtype)
                for moment, beta, target in ((mean, self.beta_1, g), (square, self.beta_2, tf.square(g))):
                    ops.ResourceApplyGradientDescent(
                        var=moment.handle, alpha=tf.cast(1 - beta, dtype), delta=moment - target
                    )
                ops.ResourceApplyAdagradV2(
                    var=weights.handle,
                    accum=square.handle,
                    lr=rates[dtype],
                    epsilon=tf.cast(self.epsilon, dtype),
                    grad=tf.convert_to_tensor(mean),
                    update_slots=False,
                )

    for name in ("__module__", "__name__", "__qualname__"):  # callbacks then save models with Keras' Adam
        setattr(Fused, name, getattr(kind, name))
    return Fused


def _try_fusing(keras: Any, kind: type) -> bool:
    """Return whether the fused update of a variable runs and has the result of Keras' own."""
    try:
        expected, fused = _update_twice(keras, kind), _update_twice(keras, kind, _make_fused(kind))
    except Exception:  # whatever changed in Keras or TensorFlow, Keras' own update does the same, only slower
        return False
    return expected.shape == fused.shape and bool(np.allclose(expected, fused, rtol=1e-5, atol=0))


def _update_twice(keras: Any, kind: type, fused: type | None = None) -> np.ndarray:
    """Return the values of a variable after two updates of a new optimizer, followed by its moments."""
    import tensorflow as tf

    variable = keras.Variable(np.array([1.0, -2.0], np.float32), dtype="float32", name="trial")
    optimizer = kind(0.1, name="trial")
    optimizer.build([variable])
    if fused is not None:
        optimizer.__class__ = fused
    for gradient in ([0.5, -0.1], [0.2, 0.3]):
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
    return np.concatenate([np.ravel(np.asarray(v)) for v in (variable, *optimizer.variables)])


def name_optimizer(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's variables by name; repeated names, such as those of an inner optimizer, are numbered."""
    return _number_names((variable.name, variable) for variable in optimizer.variables)


def _number_names(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by unique names that do not depend on the process.

    Keras names a variable without a name, such as one of Nadam, ``variable``, ``variable_1``, ... by a counter of the
    process.
    """
    named: dict[str, Any] = {}
    for given, value in items:
        first = "unnamed" if _AUTOMATIC_NAME.fullmatch(given) else given
        name, n = first, 2
        while name in named:
            name, n = f"{first}_{n}", n + 1
        named[name] = value
    return named


def match_optimizer(variables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values of an optimizer's variables by name, also if they are only numbered so far."""
    numbered = [f"variable_{i}" for i in range(len(variables))]
    if values.keys() == variables.keys():
        return {name: values[name] for name in variables}
    if values.keys() == set(numbered):
        return {name: values[number] for name, number in zip(variables, numbered, strict=True)}
    renamed = _number_names(values.items())  # those of an automatic name
    if renamed.keys() == variables.keys():
        return {name: renamed[name] for name in variables}
    raise ValueError(
        f"The state of the optimizer has the variables {', '.join(sorted(values))}, while Keras' optimizer has "
        f"{', '.join(sorted(variables))}"
    )
