"""Whether a model's state can be relied on: by a file that is to hold it, and by whoever loads a stranger's file.

What constructs a model from a file sets attributes and calls no ``__init__``, so attributes are checked here: that none
stands in for a method, that parameters are allowed ones, and that arrays agree with each other where compiled code of
scikit-learn takes them on trust (trees and libsvm; all others were tried with arrays cut, grown and emptied).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from .._utils.validation import check_params
from ..classifiers import NeuralClassifier
from ..exceptions import ModelError
from ..transformers import ClipTransformer
from ._migrations import get_parameter_defaults
from ._trusted import FUNCTIONS

__all__ = ["Place", "check_generator", "check_model", "check_random_state", "check_tree", "iterate_parts"]

_GENERAL = {"n_features_in_", "feature_names_in_", "_sklearn_output_config"}
_LEARNED = {  # by a NeuralClassifier
    *("classes_", "history_", "best_epoch_", "mean_", "scale_"),
    *("_weights", "_architecture", "_training_states", "_scaler_state"),
}
_LOT = 2**18  # samples whose spectra are computed together
_MOST_IN_SPECTRA = 2**25  # numbers in filters, transforms of bands, and bands of a lot of spectra
_MOST_NUMBERS = 2**27  # in the features of one clip, and samples that it is repeated to
_MOST_HZ = 2**24


class Place(NamedTuple):
    """Where something is in a model; joined to a text only if it has to be told, since names in a file may be long."""

    whole: Place | None
    step: str

    def __str__(self) -> str:
        steps, place = [self.step], self.whole
        while place is not None:
            steps.append(place.step)
            place = place.whole
        return "".join(reversed(steps))


def check_model(model: Any, *, arrays: bool, trusted: Collection[str] = ()) -> None:
    """Check a model and all that it holds.

    Parameters
    ----------
    model : estimator
        About to be saved, or just loaded.
    arrays : bool
        Whether to check the arrays that compiled code of scikit-learn takes on trust. Those are private attributes of
        scikit-learn, which another version may name otherwise, so they are checked in loaded models only.
    trusted : collection of str, default=()
        Names of classes whose arrays are accepted if they cannot be checked.

    Raises
    ------
    ModelError
        For what cannot be kept in a file, or cannot have come from :meth:`fit`: where it is, and why.
    """
    if isinstance(model, type) or not hasattr(model, "get_params"):
        raise ModelError(f"it must be a scikit-learn estimator, not {type(model).__name__}")
    for where, part in iterate_parts(model):
        if _of(part, "sklearn", "soundclf"):
            _check_names(part, where)
        if isinstance(part, NeuralClassifier):
            _check_neural(part, where)
        elif isinstance(part, ClipTransformer):
            _check_transformer(part, where)
        if arrays:
            _check_arrays(part, where, trusted)


def _of(part: Any, *packages: str) -> bool:
    return type(part).__module__.split(".")[0] in packages


def iterate_parts(model: Any) -> Iterator[tuple[Place, Any]]:
    """Yield all objects with attributes that a model holds, itself first, each once, and where it is."""
    from sklearn.tree import BaseDecisionTree
    from sklearn.tree._tree import Tree

    found: dict[int, Any] = {}
    waiting: list[tuple[Place, Any]] = [(Place(None, "model"), model)]
    while waiting:
        where, part = waiting.pop()
        if id(part) in found or isinstance(part, type | FunctionType | MethodType | ModuleType):
            continue
        if isinstance(part, Tree):  # which by itself takes rows of any length
            raise ModelError(f"{where} is a tree outside of a decision tree")
        found[id(part)] = part
        inside: Iterator[tuple[str, Any]] = iter(())
        if hasattr(part, "__dict__"):
            yield where, part
            owned = "tree_" if isinstance(part, BaseDecisionTree) else None
            inside = ((f".{name}", value) for name, value in vars(part).items() if name != owned)
        elif isinstance(part, np.ndarray) and part.dtype == object:
            inside = ((f"[{i}]", value) for i, value in enumerate(part.flat))
        elif isinstance(part, list | tuple | set):
            inside = ((f"[{i}]", value) for i, value in enumerate(part))
        waiting += ((Place(where, step), value) for step, value in inside)
        if isinstance(part, Mapping):
            waiting += ((Place(where, f"[{key!r}]"), value) for key, value in part.items())


def _check_names(part: Any, where: Place) -> None:
    """Refuse attributes that stand in for methods or properties of the class."""
    parameters = get_parameter_defaults(type(part)) if isinstance(part, BaseEstimator) else {}
    for name in vars(part):
        if name == "_metadata_request" and not isinstance(getattr(vars(part)[name], "owner", None), str):
            raise ModelError(f"{where} has requests for metadata (set_fit_request and the like), which cannot be kept")
        if hasattr(type(part), name) and name not in parameters:
            raise ModelError(f"{where}.{name} would stand in for what {type(part).__name__} itself has by that name")


def _check_attributes(part: Any, where: Place, learned: set[str]) -> None:
    if not _of(part, "soundclf"):  # a class of the user's may have more
        return
    parameters = get_parameter_defaults(type(part)).keys()
    for name in vars(part).keys() - parameters - learned:
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
        raise ModelError(f"{where} does not tell what its networks are made from")
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
    spectra = n_mels * max(n_fft, n_mels, _LOT // n_fft)
    n_samples = values["duration"] * values["sr"] if "fill" in values else 0
    n_numbers = max(n_samples, math.prod(part._get_shape()))
    if spectra > _MOST_IN_SPECTRA or n_numbers > _MOST_NUMBERS or values["sr"] > _MOST_HZ:
        raise ModelError(f"{where} is set to features so large that one clip could exhaust the memory")


# -- what compiled code takes on trust ---------------------------------------------------------------------------------


def _check_arrays(part: Any, where: Place, trusted: Collection[str]) -> None:
    try:
        coherent = _are_coherent(part)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # attributes by other names, say
        name = f"{type(part).__module__}.{type(part).__name__}"
        if name in trusted:
            return
        raise ModelError(
            f"the state of {where} cannot be checked, since it is not the one that soundclf knows of {name} "
            f"({type(error).__name__}: {error}); if you know the file's author, pass the class in trusted=[...], or "
            f"exchange the model with joblib"
        ) from error
    if not coherent:
        raise ModelError(f"the arrays of {where} do not agree with each other as those of a fitted model do")


def _are_coherent(part: Any) -> bool:
    """Check arrays of scikit-learn's estimators against each other; raise if an attribute to check is not there."""
    from sklearn import cluster, ensemble, preprocessing, svm, tree
    from sklearn.neighbors._base import NeighborsBase

    state = vars(part)
    fitted = "n_features_in_" in state
    if isinstance(part, tree.BaseDecisionTree) and "tree_" in state:
        return _is_tree_over(part, state.get("n_features_in_"))
    if isinstance(part, ensemble.HistGradientBoostingClassifier | ensemble.HistGradientBoostingRegressor):
        stages = state["_predictors"] if fitted else state.get("_predictors", ())
        predictors = [predictor for stage in stages for predictor in stage]
        if state.get("_preprocessor") is not None:  # it may return fewer features
            return False
        return all(_predicts(predictor, state.get("n_features_in_")) for predictor in predictors)
    if isinstance(part, svm.SVC | svm.NuSVC | svm.SVR | svm.NuSVR | svm.OneClassSVM):
        counted = isinstance(part, svm.SVC | svm.NuSVC)
        return not (fitted or "support_" in state) or _supports(part, state, counted=counted)
    if isinstance(part, NeighborsBase):
        return not (fitted or "_fit_X" in state) or _are_neighbours(state)
    if isinstance(part, cluster.KMeans | cluster.MiniBatchKMeans):
        centers = state.get("cluster_centers_")
        return centers is None or _is_matrix(centers, state.get("n_features_in_"))
    if isinstance(part, preprocessing.OneHotEncoder):
        return not ("categories_" in state or "_n_features_outs" in state) or _encodes(state)
    return True


def _is_tree_over(part: Any, n_features: Any) -> bool:
    from sklearn.tree._tree import Tree

    tree = vars(part).get("tree_")
    return type(tree) is Tree and tree.n_features == n_features


def _predicts(predictor: Any, n_features: Any) -> bool:
    nodes = vars(predictor).get("nodes")
    if not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or not nodes.size or not isinstance(n_features, int):
        return False
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    children = nodes["left"][inner].astype(np.int64), nodes["right"][inner].astype(np.int64)
    features = nodes["feature_idx"][inner]
    return bool(
        not nodes["is_categorical"].any()  # whose bit sets would be one thing more to check
        and all(((child > inner) & (child < len(nodes))).all() for child in children)
        and ((features >= 0) & (features < n_features)).all()
    )


def _supports(part: Any, kept: Mapping[str, Any], *, counted: bool) -> bool:
    support, counts = np.asarray(kept["support_"]), np.asarray(kept["_n_support"])
    vectors, coefs = np.asarray(kept["support_vectors_"]), np.asarray(kept["_dual_coef_"])
    if issparse(kept["support_vectors_"]):  # which no file holds
        return True
    n_classes, pairs = len(counts), len(counts) * (len(counts) - 1) // 2
    n_fitted = kept["shape_fit_"][0]
    by_function = callable(part.kernel)
    if by_function and (not _is_function(part.kernel) or len(kept["_BaseLibSVM__Xfit"]) != n_fitted):
        return False
    return bool(
        kept["_sparse"] is False
        and n_classes >= 2
        and (counts >= 0).all()
        and (not counted or counts.sum() == len(support))
        and ((support >= 0) & (support < n_fitted)).all()
        and (by_function or part.kernel == "precomputed" or vectors.shape == (len(support), kept["n_features_in_"]))
        and coefs.shape == (n_classes - 1, len(support))
        and np.size(kept["_intercept_"]) >= pairs
        and all(np.size(kept[name]) in (0, pairs) for name in ("_probA", "_probB"))
    )


def _is_function(kernel: Any) -> bool:
    """Tell a kernel from the functions of arrays that any file may hold, and that give arrays of other shapes."""
    return isinstance(kernel, FunctionType) and f"{kernel.__module__}.{kernel.__name__}" not in FUNCTIONS


def _is_matrix(array: Any, n_columns: Any) -> bool:
    return isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == n_columns


def _is_codes(array: Any, n: int) -> bool:
    """Tell whether an array holds nothing but integers from 0 to before ``n``."""
    return isinstance(array, np.ndarray) and array.dtype.kind in "iu" and bool(((array >= 0) & (array < n)).all())


def _are_neighbours(kept: Mapping[str, Any]) -> bool:
    X, n_features = kept["_fit_X"], kept["n_features_in_"]
    if issparse(X):  # which no file holds
        return True
    if not _is_matrix(X, n_features) or kept["n_samples_fit_"] != len(X):
        return False
    if not 1 <= (kept.get("n_neighbors") or 1) <= len(X):
        return False
    shapes = {"w": (n_features,), "V": (n_features,), "VI": (n_features, n_features)}
    for name in ("metric_params", "effective_metric_params_"):
        if any(np.shape(value) != shapes.get(key, ()) for key, value in (kept.get(name) or {}).items()):
            return False
    if "classes_" not in kept or kept["outputs_2d_"]:  # several outputs are looked up by NumPy
        return True
    return np.shape(kept["_y"]) == (len(X),) and _is_codes(kept["_y"], len(kept["classes_"]))


def _encodes(kept: Mapping[str, Any]) -> bool:
    """Tell whether a OneHotEncoder puts every category into a column of its own."""
    categories = kept["categories_"]
    nothing = [None] * len(categories)
    grouped = kept["_infrequent_enabled"]
    infrequent = kept["_infrequent_indices"] if grouped else nothing
    mappings = kept["_default_to_infrequent_mappings"] if grouped else nothing
    dropped = nothing if kept["_drop_idx_after_grouping"] is None else kept["_drop_idx_after_grouping"]
    parts = zip(categories, infrequent, mappings, dropped, kept["_n_features_outs"], strict=True)
    for names, rare, mapping, drop, n_columns in parts:
        n = len(names)
        if names.dtype.kind not in "OUS" and not np.array_equal(
            np.unique(names), names, equal_nan=True
        ):  # it is searched
            return False
        if (mapping is None) != (rare is None):
            return False
        if mapping is not None:
            if len(mapping) != n or not _is_codes(mapping, n):
                return False
            n = int(mapping.max()) + 1
        if drop is not None and not 0 <= drop < n:
            return False
        if n_columns != n - (drop is not None):
            return False
    return True


def check_tree(n_features: Any, n_classes: Any, n_outputs: Any, state: Mapping[str, Any]) -> None:
    """Refuse what scikit-learn's Tree must not be constructed from, since it checks neither children nor features.

    Parameters
    ----------
    n_features, n_classes, n_outputs
        What its constructor is called with.
    state : mapping
        What ``__setstate__`` is called with.

    Raises
    ------
    ModelError
        Unless the nodes are a tree over these features.
    """
    nodes, values, depth = state["nodes"], state["values"], state["max_depth"]
    count = len(nodes)
    if not (
        (type(n_features), type(n_outputs), type(depth)) == (int, int, int)
        and n_features > 0
        and n_classes.shape == (n_outputs,)
        and n_classes.dtype.kind in "iu"
        and n_classes.min() > 0
        and values.dtype.kind == "f"
        and values.shape == (count, n_outputs, n_classes.max())
        and state["node_count"] == count > 0
        and 0 <= depth < count
        and _is_tree(nodes, n_features, depth)
    ):
        raise ModelError("one of its decision trees has nodes that are no tree")


def _is_tree(nodes: np.ndarray, n_features: int, depth: int) -> bool:
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    inner = np.flatnonzero(left != -1)
    children = np.concatenate([left[inner], right[inner]])
    later = children > np.concatenate([inner, inner])  # so there is no way back, and no end to run past
    if not (later & (children < len(nodes))).all() or not ((feature[inner] >= 0) & (feature[inner] < n_features)).all():
        return False
    if not np.array_equal(np.bincount(children, minlength=len(nodes)), np.arange(len(nodes)) > 0):
        return False  # each but the root has one parent
    level = np.zeros(1, np.intp)
    for _ in range(depth + 1):
        level = level[left[level] != -1]
        level = np.concatenate([left[level], right[level]])
    return not len(level)


def check_random_state(state: Mapping[str, Any]) -> None:
    """Refuse a state of NumPy's RandomState that would be read outside of its array.

    Parameters
    ----------
    state : mapping
        As ``RandomState.get_state(legacy=False)`` gives it.
    """
    pos, key = state["state"]["pos"], state["state"]["key"]
    if state["bit_generator"] != "MT19937" or type(pos) is not int or not 0 <= pos <= 624 or key.shape != (624,):
        raise ModelError("the state of a random generator in it is none")


def check_generator(state: Mapping[str, Any], seeds: Mapping[str, Any]) -> None:
    """Refuse states of NumPy's Generator other than those of ``default_rng``.

    Parameters
    ----------
    state : mapping
        Of the bit generator.
    seeds : mapping
        What its SeedSequence is made from.
    """
    if state["bit_generator"] != "PCG64" or seeds["pool_size"] != 4:
        raise ModelError("the state of a random generator in it is none")
