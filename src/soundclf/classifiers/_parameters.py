"""Parameters of all neural classifiers: their allowed values, and which may change when training continues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._utils.validation import BOOLEAN, DIRECTORY, NONE, Rule, integer_in, one_of, real_in
from ..exceptions import ParameterError

__all__ = ["RULES", "are_sizes", "check_checkpoint", "check_unchanged"]

_MAY_CHANGE = ("dropout", "shift", "band_mask", "time_mask", "mixup", "label_smoothing")

RULES: dict[str, tuple[Rule, ...]] = {
    "n_networks": (integer_in(1),),
    "dropout": (real_in(0, 1),),
    "normalize": (BOOLEAN,),
    "optimizer": (
        Rule(
            "the name of a Keras optimizer or a keras.optimizers.Optimizer",
            lambda v: isinstance(v, str) or (hasattr(v, "get_config") and hasattr(v, "apply")),
        ),
    ),
    "learning_rate": (real_in(0, closed="neither"),),
    "epochs": (integer_in(1),),
    "batch_size": (integer_in(1),),
    "validation_fraction": (real_in(0, 1, closed="neither"),),
    "early_stopping": (BOOLEAN,),
    "patience": (integer_in(1),),
    "restore_best": (BOOLEAN,),
    "average": (BOOLEAN,),
    "class_weight": (NONE, one_of(["balanced"]), Rule("a dict of weights", lambda v: isinstance(v, dict))),
    "checkpoint": (NONE, DIRECTORY),
    "callbacks": (NONE, Rule("a list of keras.callbacks.Callback", lambda v: isinstance(v, list | tuple))),
    "warm_start": (BOOLEAN,),
    "random_state": (
        NONE,
        integer_in(0, 2**32),
        Rule("a numpy.random.RandomState", lambda v: isinstance(v, np.random.RandomState)),
    ),
    "verbose": (integer_in(0), BOOLEAN),
}


def are_sizes(value: Any) -> bool:
    """Return whether a value is a sequence of integers above 0."""
    return isinstance(value, tuple | list | np.ndarray) and all(integer_in(1).accepts(size) for size in value)


def check_checkpoint(checkpoint: Any, callbacks: Any, random_state: Any) -> None:
    """Check that the other parameters allow a checkpoint, if there is one."""
    if checkpoint is None:
        return
    if callbacks:
        raise ParameterError(
            "checkpoint and callbacks cannot be combined, because the state of callbacks cannot be saved"
        )
    if not integer_in().accepts(random_state):
        raise ParameterError(
            f"checkpoint needs an integer random_state, which identifies the fit, got random_state={random_state!r}"
        )


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that training continues with the parameters that it started with, as far as they shape the network."""
    for name, value in now.items():
        if name not in _MAY_CHANGE and _get_fixed_part(name, value) != _get_fixed_part(name, before[name]):
            raise ValueError(
                f"Training cannot continue with another {name}: it was {before[name]!r}, now it is {value!r}; "
                "use warm_start=False to train from the beginning"
            )


def _get_fixed_part(name: str, value: Any) -> Any:
    """Return a parameter without what may change when training continues: of an optimizer, the learning rate."""
    if name == "optimizer" and not isinstance(value, str):
        config = value.get_config()
        rate = config.pop("learning_rate", None)
        return type(value), config | {"learning_rate": rate if isinstance(rate, dict) else None, "name": None}
    return value
