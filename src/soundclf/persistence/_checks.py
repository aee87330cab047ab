"""Attributes and parameters of a model that is about to be saved, or was just loaded.

skops sets attributes and does not call ``__init__``, so attributes are checked here: none replaces a method, and
parameters are valid and bounded.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from sklearn.base import BaseEstimator

from .._utils.validation import check_params
from ..classifiers import NeuralClassifier
from ..exceptions import ModelError
from ..transformers import ClipTransformer
from ._arrays import check_arrays
from ._migrations import get_parameter_defaults
from ._parts import Place, iterate_parts

__all__ = ["check_model"]

_GENERAL = {"n_features_in_", "feature_names_in_"}
_LEARNED = {  # by a NeuralClassifier
    *("classes_", "history_", "best_epoch_", "mean_", "scale_"),
    *("_weights", "_architecture", "_training_states", "_scaler_state"),
}
_BLOCK = 2**18  # samples whose spectra are computed together
_MAX_SPECTRA = 2**25  # numbers in filters, transforms of bands, and bands of a block of spectra
_MAX_NUMBERS = 2**27  # in the features of one clip, and samples that it is repeated to
_MAX_HZ = 2**24


def check_model(model: Any, *, arrays: bool, trusted: Collection[str] = ()) -> None:
    """Check a model and all that it holds.

    Parameters
    ----------
    model : estimator
        About to be saved, or just loaded.
    arrays : bool
        Whether to check the arrays that compiled code of scikit-learn does not check. They are private attributes,
        which another version of scikit-learn may name otherwise, so they are checked in loaded models only.
    trusted : collection of str, default=()
        Names of classes whose arrays are accepted if they cannot be checked.

    Raises
    ------
    ModelError
        For what cannot be saved in a file, or cannot have come from :meth:`fit`: where it is, and why.
    """
    if isinstance(model, type) or not hasattr(model, "get_params"):
        raise ModelError(f"it must be a scikit-learn estimator, not {type(model).__name__}")
    for where, part in iterate_parts(model):
        if _is_from(part, "sklearn", "soundclf"):
            _check_names(part, where)
        if isinstance(part, NeuralClassifier):
            _check_neural(part, where)
        elif isinstance(part, ClipTransformer):
            _check_transformer(part, where)
        if arrays:
            check_arrays(part, where, trusted)


def _is_from(part: Any, *packages: str) -> bool:
    return type(part).__module__.split(".")[0] in packages


def _check_names(part: Any, where: Place) -> None:
    """Check that no attribute replaces a method or property of the class."""
    parameters = get_parameter_defaults(type(part)) if isinstance(part, BaseEstimator) else {}
    for name in vars(part):
        if name == "_metadata_request" and not isinstance(getattr(vars(part)[name], "owner", None), str):
            raise ModelError(
                f"{where} has requests for metadata (such as set_fit_request), which cannot be saved; use joblib"
            )
        if hasattr(type(part), name) and name not in parameters:
            raise ModelError(f"{where}.{name} would stand in for what {type(part).__name__} itself has by that name")


def _check_attributes(part: Any, where: Place, learned: set[str]) -> None:
    if not _is_from(part, "soundclf"):  # a user's subclass may have more
        return
    parameters = get_parameter_defaults(type(part)).keys()
    for name in vars(part).keys() - parameters - learned:
        if name.startswith("_sklearn_"):  # set by scikit-learn's base classes
            continue
        raise ModelError(f"{where} has an attribute {name!r}, which {type(part).__name__} does not know")
    for name in parameters - vars(part).keys():
        raise ModelError(f"{where} lacks the parameter {name!r}")


def _check_parameters(part: Any, where: Place, values: Mapping[str, Any]) -> None:
    try:
        check_params(type(part).__name__, values, {name: type(part)._rules[name] for name in values})
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where} has a parameter that is not allowed: {error}") from error


def _check_neural(part: NeuralClassifier, where: Place) -> None:
    _check_attributes(part, where, _GENERAL | _LEARNED)
    _check_parameters(part, where, {name: getattr(part, name) for name in type(part)._rules})
    if part.callbacks:
        raise ModelError(f"{where}.callbacks holds Keras objects; set callbacks=None first, they serve fit alone")
    network = getattr(part, "_architecture", {})
    if not isinstance(network, dict) or (network and network.keys() != part._get_architecture_parameters().keys()):
        raise ModelError(f"{where} does not describe what its networks are made from")
    for optimizer in (part.optimizer, network.get("optimizer", "")):
        if not isinstance(optimizer, str):
            raise ModelError(
                f"{where}.optimizer is a Keras object; fit with its name in place of it, such as optimizer='adam'"
            )
    _check_parameters(part, where, network)


def _check_transformer(part: ClipTransformer, where: Place) -> None:
    _check_attributes(part, where, _GENERAL)
    values = {name: getattr(part, name) for name in type(part)._rules}
    _check_parameters(part, where, values)
    n_fft, n_mels = int(values.get("n_fft", 1)), int(values.get("n_mels", 1))
    spectra = n_mels * max(n_fft, n_mels, _BLOCK // n_fft)
    n_samples = values["duration"] * values["sr"] if "fill" in values else 0
    n_numbers = max(n_samples, math.prod(part._get_shape()))
    if spectra > _MAX_SPECTRA or n_numbers > _MAX_NUMBERS or values["sr"] > _MAX_HZ:
        raise ModelError(f"{where} is set to features so large that one clip could exhaust the memory")
