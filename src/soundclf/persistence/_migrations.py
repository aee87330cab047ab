"""What older model files lack, and what it is filled with.

A file holds the parameters that its estimators had when it was written. Parameters added since then are filled with
the default of the version that wrote the file, so that the model predicts as it did.

When a constructor parameter, or a key of a network's architecture, is added
    If its default keeps the behavior from before, nothing has to be done: the default of its class is used. If it does
    not, raise ``FORMAT`` and add the value that does to ``_DEFAULTS``, under the last format without the parameter.
When anything else of an estimator's state changes (attributes, names of weights, keys of the architecture)
    Raise ``FORMAT``, add a function to ``_MIGRATIONS`` under the last format with the old state, which turns that state
    into the one of the next format, and write the files of the new format with ``tests/persistence/models``'
    ``write_models.py``. Never change an existing function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sklearn.base import BaseEstimator

from ..classifiers import ConvAudioClassifier, NeuralClassifier

__all__ = ["FORMAT", "fill_parameters", "get_parameter_defaults", "migrate_parts"]

FORMAT = 2  # of the files that are written

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
    """Set the parameters and the keys of networks' architectures that a file lacks, in place.

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
        defaults = get_parameter_defaults(cls) | _get_earlier_defaults(cls, version)
        state = vars(part)
        for name, default in defaults.items():
            if name not in state and default is not inspect.Parameter.empty:
                setattr(part, name, default)
        architecture = state.get("_architecture")
        if isinstance(part, NeuralClassifier) and isinstance(architecture, dict) and architecture:
            reference = cls(**_get_earlier_defaults(cls, version))
            state["_architecture"] = reference._get_architecture_parameters() | architecture


def _get_earlier_defaults(cls: type, version: int) -> dict[str, Any]:
    """Return the defaults that differ from those of the class for files of a format."""
    defaults: dict[str, Any] = {}
    for last in sorted(_DEFAULTS, reverse=True):  # the entry of the earliest format that applies is used last
        if last >= version:
            defaults |= _DEFAULTS[last].get(f"{cls.__module__}.{cls.__name__}", {})
    return defaults


def migrate_parts(parts: Iterable[Any], version: int) -> None:
    """Bring the state of soundclf's estimators from an older format to the present one, in place.

    Parameters
    ----------
    parts : iterable of object
        All objects that a loaded model holds.
    version : int
        The format of the file.
    """
    classifiers = [part for part in parts if isinstance(part, NeuralClassifier)]
    for last in range(max(version, 1), FORMAT):
        for classifier in classifiers:
            _MIGRATIONS[last](classifier)


def _migrate_from_1(classifier: NeuralClassifier) -> None:
    """Convert lists of weights in Keras' order of variables to named arrays, and drop ``gain``."""
    state: dict[str, Any] = classifier.__dict__
    if isinstance(classifier, ConvAudioClassifier):
        state.pop("gain", None)
    if "_averages" not in state:  # not fitted
        return
    architecture = dict(state.pop("_network"))
    architecture.pop("gain", None)
    names = _list_weights_of_format_1(architecture)
    state["_weights"] = _name_arrays(names, state.pop("_averages"))
    state["_architecture"] = architecture
    state["_training_states"] = [
        {
            "weights": _name_arrays(names, network["weights"]),
            "optimizer": {f"variable_{i}": array for i, array in enumerate(network["optimizer"])},
            "epochs": network["epochs"],
            "random": network["random"],
        }
        for network in state.pop("_states")
    ]
    state["_scaler_state"] = state.pop("_seen", None)


def _list_weights_of_format_1(architecture: dict[str, Any]) -> list[str]:
    head = ["classes/kernel", "classes/bias"]
    if "channels" not in architecture:
        layers = range(1, len(architecture["hidden_layer_sizes"]) + 1)
        return [f"hidden_{i}/{name}" for i in layers for name in ("kernel", "bias")] + head
    layers = range(1, len(architecture["channels"]) + 1)
    trained = [
        name
        for i in layers
        for name in (f"convolution_{i}/kernel", f"normalization_{i}/gamma", f"normalization_{i}/beta")
    ]
    moving = [f"normalization_{i}/{name}" for i in layers for name in ("moving_mean", "moving_variance")]
    return trained + head + moving


def _name_arrays(names: Sequence[str], arrays: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, arrays, strict=True))


# Last format with a state -> function that turns it into the state of the next format.
_MIGRATIONS: dict[int, Callable[[NeuralClassifier], None]] = {1: _migrate_from_1}
