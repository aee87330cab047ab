"""Arrays that compiled code of scikit-learn and NumPy takes without checking them.

These are trees, libsvm, neighbors, k-means and one-hot encoders; all other estimators were tried with arrays cut, grown
and emptied. The arrays are private attributes of scikit-learn, so what cannot be found is refused with what to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..exceptions import ModelError
from ._parts import Place, is_tree
from ._trusted import FUNCTIONS

__all__ = ["check_arrays", "check_generator", "check_random_state", "check_tree"]

_NEIGHBORS = (
    *("KNeighborsClassifier", "KNeighborsRegressor", "KNeighborsTransformer", "LocalOutlierFactor", "NearestNeighbors"),
    *("RadiusNeighborsClassifier", "RadiusNeighborsRegressor", "RadiusNeighborsTransformer"),
)
_UNKNOWN = (AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)  # of a state by other names, say


def check_arrays(part: Any, where: Place, trusted: Collection[str] = ()) -> None:
    """Check the arrays of a loaded scikit-learn estimator that compiled code does not check.

    Parameters
    ----------
    part : object
        A part of a loaded model; all but some of scikit-learn's estimators pass.
    where : Place
        Its place in the model.
    trusted : collection of str, default=()
        Names of classes whose state is accepted if it cannot be checked.

    Raises
    ------
    ModelError
        If the arrays do not agree with each other, or if they cannot be checked since another version of scikit-learn
        stores them differently.
    """
    try:
        coherent = _are_coherent(part)
    except _UNKNOWN as error:
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
    from sklearn import cluster, ensemble, neighbors, preprocessing, svm, tree

    state = vars(part)
    fitted = "n_features_in_" in state
    if isinstance(part, tree.BaseDecisionTree) and "tree_" in state:
        return _is_tree_over(part, state.get("n_features_in_"))
    if isinstance(part, ensemble.HistGradientBoostingClassifier | ensemble.HistGradientBoostingRegressor):
        stages = state["_predictors"] if fitted else state.get("_predictors", ())
        predictors = [predictor for stage in stages for predictor in stage]
        if state.get("_preprocessor") is not None:  # it may return fewer features
            return False
        return all(_is_predictor(predictor, state.get("n_features_in_")) for predictor in predictors)
    if isinstance(part, svm.SVC | svm.NuSVC | svm.SVR | svm.NuSVR | svm.OneClassSVM):
        counted = isinstance(part, svm.SVC | svm.NuSVC)
        return not (fitted or "support_" in state) or _are_support_vectors(part, state, counted=counted)
    if isinstance(part, tuple(getattr(neighbors, name) for name in _NEIGHBORS)):
        return not (fitted or "_fit_X" in state) or _are_neighbors(state)
    if isinstance(part, cluster.KMeans | cluster.MiniBatchKMeans):
        centers = state.get("cluster_centers_")
        return centers is None or _is_matrix(centers, state.get("n_features_in_"))
    if isinstance(part, preprocessing.OneHotEncoder):
        return not ("categories_" in state or "_n_features_outs" in state) or _is_encoder(state)
    return True


def _is_tree_over(part: Any, n_features: Any) -> bool:
    tree = vars(part).get("tree_")
    return is_tree(tree) and bool(tree.n_features == n_features)


def _is_predictor(predictor: Any, n_features: Any) -> bool:
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


def _are_support_vectors(part: Any, state: Mapping[str, Any], *, counted: bool) -> bool:
    support, counts = np.asarray(state["support_"]), np.asarray(state["_n_support"])
    vectors, coefs = np.asarray(state["support_vectors_"]), np.asarray(state["_dual_coef_"])
    if issparse(state["support_vectors_"]):  # which no file holds
        return True
    n_classes, pairs = len(counts), len(counts) * (len(counts) - 1) // 2
    n_fitted = state["shape_fit_"][0]
    by_function = callable(part.kernel)
    if by_function and (not _is_function(part.kernel) or len(state["_BaseLibSVM__Xfit"]) != n_fitted):
        return False
    return bool(
        state["_sparse"] is False
        and n_classes >= 2
        and (counts >= 0).all()
        and (not counted or counts.sum() == len(support))
        and ((support >= 0) & (support < n_fitted)).all()
        and (by_function or part.kernel == "precomputed" or vectors.shape == (len(support), state["n_features_in_"]))
        and coefs.shape == (n_classes - 1, len(support))
        and np.size(state["_intercept_"]) >= pairs
        and all(np.size(state[name]) in (0, pairs) for name in ("_probA", "_probB"))
    )


def _is_function(kernel: Any) -> bool:
    """Return whether a kernel is a function other than those in any file, which return arrays of other shapes."""
    return isinstance(kernel, FunctionType) and f"{kernel.__module__}.{kernel.__name__}" not in FUNCTIONS


def _is_matrix(array: Any, n_columns: Any) -> bool:
    return isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == n_columns


def _is_codes(array: Any, n: int) -> bool:
    """Return whether an array holds nothing but integers from 0 to before ``n``."""
    return isinstance(array, np.ndarray) and array.dtype.kind in "iu" and bool(((array >= 0) & (array < n)).all())


def _are_neighbors(state: Mapping[str, Any]) -> bool:
    X, n_features = state["_fit_X"], state["n_features_in_"]
    if issparse(X):  # which no file holds
        return True
    if not _is_matrix(X, n_features) or state["n_samples_fit_"] != len(X):
        return False
    if not 1 <= (state.get("n_neighbors") or 1) <= len(X):
        return False
    shapes = {"w": (n_features,), "V": (n_features,), "VI": (n_features, n_features)}
    for name in ("metric_params", "effective_metric_params_"):
        if any(np.shape(value) != shapes.get(key, ()) for key, value in (state.get(name) or {}).items()):
            return False
    if "classes_" not in state or state["outputs_2d_"]:  # several outputs are looked up by NumPy
        return True
    return np.shape(state["_y"]) == (len(X),) and _is_codes(state["_y"], len(state["classes_"]))


def _is_encoder(state: Mapping[str, Any]) -> bool:
    """Return whether a OneHotEncoder puts every category into a column of its own."""
    categories = state["categories_"]
    nothing = [None] * len(categories)
    grouped = state["_infrequent_enabled"]
    infrequent = state["_infrequent_indices"] if grouped else nothing
    mappings = state["_default_to_infrequent_mappings"] if grouped else nothing
    dropped = nothing if state["_drop_idx_after_grouping"] is None else state["_drop_idx_after_grouping"]
    parts = zip(categories, infrequent, mappings, dropped, state["_n_features_outs"], strict=True)
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
    """Check the state of scikit-learn's Tree, which itself checks neither children nor features.

    Parameters
    ----------
    n_features, n_classes, n_outputs
        Arguments of its constructor.
    state : mapping
        Argument of ``__setstate__``.

    Raises
    ------
    ModelError
        Unless the nodes are a tree over these features.
    """
    try:
        coherent = _is_tree_state(n_features, n_classes, n_outputs, state)
    except _UNKNOWN as error:
        raise ModelError(
            "the decision trees in it (sklearn.tree._tree.Tree) cannot be checked, since their state is not the one "
            f"that soundclf knows ({type(error).__name__}: {error}); exchange the model with joblib"
        ) from error
    if not coherent:
        raise ModelError("one of its decision trees has nodes that are no tree")


def _is_tree_state(n_features: Any, n_classes: Any, n_outputs: Any, state: Mapping[str, Any]) -> bool:
    nodes, values, depth = state["nodes"], state["values"], state["max_depth"]
    count = len(nodes)
    return bool(
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
    )


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
    """Check that a state of NumPy's RandomState is not read outside of its array.

    Parameters
    ----------
    state : mapping
        As ``RandomState.get_state(legacy=False)`` returns it.
    """
    pos, key = state["state"]["pos"], state["state"]["key"]
    if state["bit_generator"] != "MT19937" or type(pos) is not int or not 0 <= pos <= 624 or key.shape != (624,):
        raise ModelError("the state of a random generator in it is none")


def check_generator(state: Mapping[str, Any], seeds: Mapping[str, Any]) -> None:
    """Check that the state of NumPy's Generator is one of ``default_rng``.

    Parameters
    ----------
    state : mapping
        Of the bit generator.
    seeds : mapping
        What its SeedSequence is made from.
    """
    if state["bit_generator"] != "PCG64" or seeds["pool_size"] != 4:
        raise ModelError("the state of a random generator in it is none")
