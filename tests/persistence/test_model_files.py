"""Model files from strangers: nothing of theirs runs, nothing exhausts the process, and one sentence says why."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import sklearn
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import soundclf
from soundclf import DenseAudioClassifier, LogMelTransformer, MFCCMeanTransformer, MFCCStatisticsTransformer, ModelError


def touched(*args):
    """A function that a user may trust, that records that it was called."""
    open(os.environ["SOUNDCLF_TEST_MARKER"], "w").close()  # noqa: PTH123


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that is there if anything of a stranger's has run."""
    path = tmp_path / "marker"
    monkeypatch.setenv("SOUNDCLF_TEST_MARKER", str(path))
    return path


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 20)
    return rng.normal(size=(60, 4)) + np.searchsorted(["a", "b", "c"], y)[:, np.newaxis], y


# -- files as one may write them ---------------------------------------------------------------------------------------


def plain(value):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def kind(loader, name, **parts):
    module, _, name = name.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader, **parts}


def sequence(*items, name="list", **parts):
    return kind(f"{name.capitalize()}Node", f"builtins.{name}", content=list(items), **parts)


def mapping(items, **parts):
    types = sequence(*[kind("TypeNode", "builtins.str")] * len(items))
    return kind("DictNode", "builtins.dict", content=items, key_types=types, **parts)


def instance(name, **attributes):
    return kind("ObjectNode", name, content=mapping(attributes))


def logistic(**attributes):
    version = plain(sklearn.__version__)
    name = "sklearn.linear_model._logistic.LogisticRegression"
    return instance(name, C=plain(1.0), _sklearn_version=version, **attributes)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


DESCRIPTION = {
    "format": 2,
    "saved": "",
    "versions": {"scikit-learn": sklearn.__version__, "soundclf": soundclf.__version__},
    "model": {},
    "classes": None,
    "audio": [],
}


def write(path, schema, files=None, *, description=DESCRIPTION, protocol=2, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("soundclf.json", json.dumps(description))
        for name, content in (files or {}).items():
            archive.writestr(name, content)
        archive.writestr(
            "schema.json", schema if isinstance(schema, str) else json.dumps(schema | {"protocol": protocol})
        )
    return path


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members.pop("soundclf.json")
    return json.loads(members.pop("schema.json")), members


def nodes(schema, loader):
    """All nodes of a kind in a schema."""
    found = []

    def look(value):
        if isinstance(value, dict):
            if value.get("__loader__") == loader:
                found.append(value)
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(schema)
    return found


def attributes(schema, name):
    """The attributes of an estimator by the name of its class."""
    return next(node for node in nodes(schema, "ObjectNode") if node["__class__"] == name)["content"]["content"]


def refused(path, **options):
    """What is said of a file that cannot be loaded."""
    with pytest.raises(ModelError) as caught:
        soundclf.load(path, **options)
    text = str(caught.value)
    assert text.startswith(f"The model file {str(path)!r} cannot be loaded: ")
    assert "\n" not in text
    return text.split("loaded: ", 1)[1]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


def test_files_written_here_are_those_that_save_writes(path):
    assert soundclf.load(write(path, logistic())).C == 1.0


# -- code --------------------------------------------------------------------------------------------------------------


class Touch:
    def __reduce__(self):
        return touched, ()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_by_another_name_does_not_run(protocol, path, marker):
    path.write_bytes(pickle.dumps(Touch(), protocol))
    assert refused(path) in (
        "it is a pickle, which can run any code when it is loaded; joblib.load reads your own",
        "it is no file in skops' format",
    )
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()


COMMAND = sequence(plain("touch $SOUNDCLF_TEST_MARKER"), name="tuple")
TOUCH = kind("FunctionNode", "test_model_files.touched")
CODE = {
    "a function": (kind("FunctionNode", "os.system"), r"os.system"),
    "a builtin": (kind("FunctionNode", "builtins.eval"), r"builtins.eval"),
    "a builtin as a type": (kind("TypeNode", "builtins.eval"), r"builtins.eval"),
    "an own function": (TOUCH, "test_model_files.touched"),
    "a call": (kind("ConstructorFromReduceNode", "posix.system", content=COMMAND), "posix.system"),
    "an object": (instance("subprocess.Popen", args=plain("touch")), "subprocess.Popen"),
    "an object without attributes": (kind("ObjectNode", "subprocess.Popen"), "subprocess.Popen"),
    "a method": (
        kind("MethodNode", "pathlib.PosixPath", content={"func": "touch", "obj": instance("pathlib.PosixPath")}),
        "pathlib.PosixPath",
    ),
    "a method of a trusted class": (
        kind(
            "MethodNode",
            "sklearn.linear_model._logistic.LogisticRegression",
            content={"func": "fit", "obj": logistic()},
        ),
        "sklearn.linear_model._logistic.LogisticRegression",
    ),
    "a partial": (
        kind(
            "PartialNode",
            "functools.partial",
            content={
                "func": kind("FunctionNode", "os.system"),
                "args": COMMAND,
                "kwds": mapping({}),
                "namespace": plain(None),
            },
        ),
        "functools.partial",
    ),
    "an operator": (kind("OperatorFuncNode", "operator.methodcaller", attrs=COMMAND), "operator.methodcaller"),
    "an operator's call": (kind("OperatorFuncNode", "operator.call", attrs=sequence(TOUCH)), "operator.call"),
    "a list by another name": (kind("ListNode", "os.system", content=[]), "os.system"),
    "a tuple by another name": (kind("TupleNode", "test_model_files.touched", content=[]), "test_model_files.touched"),
    "a set by another name": (kind("SetNode", "os.system", content=[]), "os.system"),
    "a dict by another name": (mapping({}) | {"__module__": "os", "__class__": "abort"}, "os.abort"),
    "an array by another name": (kind("NdArrayNode", "os.system", type="numpy", file="a.npy"), "os.system"),
    "a loss by another name": (
        kind("LossNode", "os.abort", __reduce__={"args": sequence(name="tuple")}, content=mapping({})),
        "os.abort",
    ),
    "a generator by another name": (kind("RandomStateNode", "os.abort", content=mapping({})), "os.abort"),
    "a type by another name": (kind("DTypeNode", "os.abort", content=plain(1)), "os.abort"),
    "an unknown kind": (kind("FutureNode", "os.abort"), "os.abort"),
    "something cached": (kind("CachedNode", "builtins.str", __id__=7), "builtins.str"),
    "a default dict": (
        kind(
            "DefaultDictNode",
            "collections.defaultdict",
            content={"main": mapping({}), "default_factory": kind("TypeNode", "builtins.list")},
        ),
        "collections.defaultdict",
    ),
    "a sparse matrix": (kind("SparseMatrixNode", "scipy.sparse.csr_matrix", file="a.npz"), "scipy.sparse.csr_matrix"),
    "bytes": (kind("BytesNode", "builtins.bytes", file="a.npy"), "builtins.bytes"),
    "a class as a function": (
        kind("FunctionNode", "soundclf.classifiers.DenseAudioClassifier"),
        "soundclf.classifiers.DenseAudioClassifier",
    ),
    "a class as a value": (kind("TypeNode", "sklearn.tree._tree.Tree"), "sklearn.tree._tree.Tree"),
    "a tree as an object": (kind("ObjectNode", "sklearn.tree._tree.Tree"), "sklearn.tree._tree.Tree"),
    "a Keras object": (instance("keras.src.optimizers.adam.Adam"), "keras.src.optimizers.adam.Adam"),
}


@pytest.mark.parametrize("name", list(CODE))
@pytest.mark.parametrize("place", ["attribute", "key", "root"])
def test_code_is_refused_by_its_name(name, place, path, marker):
    node, called = CODE[name]
    if place == "attribute":
        schema = logistic(transform=sequence(node))
    elif place == "key":
        schema = logistic(x=mapping({"a": plain(1)}) | {"key_types": sequence(node)})
    else:
        schema = copy.deepcopy(node)
    why = refused(write(path, schema, {"a.npy": npy(np.ones(2))}))
    assert called in why or (place == "key" and "is no" in why)
    assert ("no model file can hold" in why) != ("not known to be safe" in why) or place == "key"
    assert not marker.exists()


def test_what_the_user_trusts_is_not_called(path, marker):
    write(path, logistic(function=TOUCH))
    assert soundclf.load(path, trusted=[touched]).function is touched
    ways = [
        kind("LossNode", "test_model_files.touched", __reduce__={"args": sequence(name="tuple")}, content=mapping({})),
        kind("NdArrayNode", "test_model_files.touched", type="numpy", file="a.npy"),
        kind("ConstructorFromReduceNode", "test_model_files.touched", content=sequence()),
        kind("ListNode", "test_model_files.touched", content=[]),
        kind("ObjectNode", "test_model_files.touched", content=mapping({})),
        mapping({}) | {"__module__": "test_model_files", "__class__": "touched"},
        mapping({"a": plain(1)}) | {"key_types": sequence(TOUCH)},
    ]
    for way in ways:
        refused(write(path, logistic(x=way), {"a.npy": npy(np.ones(2))}), trusted=[touched])
    assert not marker.exists()


def test_what_is_reset_is_not_even_constructed(path, marker):
    for name in ("memory", "n_jobs", "checkpoint"):
        back = soundclf.load(write(path, logistic(**{name: CODE["a call"][0]})))
        assert vars(back)[name] is None
    shared = mapping({"memory": plain("/stranger"), "steps": sequence()}, __id__=3)
    owner = kind("ObjectNode", "sklearn.utils._bunch.Bunch", content=shared)
    back = soundclf.load(write(path, logistic(first=shared, second=owner)))
    assert back.first["memory"] is None
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [-1, 0, 1, 3, 99, True, "2", 2.5, None])
def test_other_protocols_are_refused(protocol, path):
    assert refused(write(path, logistic(), protocol=protocol)).startswith("it was written by another version of skops")


# -- attributes of trusted classes -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(rows, tmp_path_factory):
    """A saved pipeline of soundclf."""
    X, y = rows
    clf = DenseAudioClassifier((3,), n_networks=1, epochs=1, random_state=0).fit(X, y)
    file = tmp_path_factory.mktemp("saved") / "model.skops"
    soundclf.save(Pipeline([("features", MFCCMeanTransformer()), ("clf", clf)]), file)
    return file


HOSTILE = {
    "clf.predict": (kind("FunctionNode", "numpy.add"), "would stand in for what DenseAudioClassifier itself has"),
    "clf._rules": (mapping({}), "would stand in for what DenseAudioClassifier itself has"),
    "clf.__class__": (kind("TypeNode", "builtins.list"), "__class__"),
    "clf._check_parameters": (plain(None), "would stand in"),
    "clf.get_params": (kind("TypeNode", "builtins.list"), "would stand in"),
    "clf.extra": (plain(1), "has an attribute 'extra', which DenseAudioClassifier does not know"),
    "clf.optimizer": (kind("FunctionNode", "numpy.add"), "parameter that is not allowed: The 'optimizer' parameter"),
    "clf.callbacks": (sequence(logistic()), "callbacks holds Keras objects"),
    "clf.epochs": (plain(-3), "parameter that is not allowed: The 'epochs' parameter"),
    "clf.hidden_layer_sizes": (plain("abc"), "parameter that is not allowed: The 'hidden_layer_sizes' parameter"),
    "clf.random_state": (
        kind("FunctionNode", "numpy.add"),
        "parameter that is not allowed: The 'random_state' parameter",
    ),
    "clf._architecture": (mapping({"gain": plain(0.0)}), "does not describe what its networks are made from"),
    "features.n_mels": (plain(10**9), "features so large that one clip could exhaust the memory"),
    "features.n_fft": (plain(2**40), "features so large that one clip could exhaust the memory"),
    "features.sr": (plain(1e15), "features so large that one clip could exhaust the memory"),
    "features.n_mfcc": (kind("FunctionNode", "numpy.add"), "parameter that is not allowed: The 'n_mfcc' parameter"),
    "features.transform": (kind("FunctionNode", "numpy.add"), "would stand in for what MFCCMeanTransformer itself has"),
    "features._make_extractor": (plain(1), "would stand in"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_attributes_that_fit_would_not_have_set_are_refused(name, saved, path):
    schema, files = parts_of(saved)
    step, name = name.split(".")
    node, why = HOSTILE[f"{step}.{name}"]
    given = attributes(schema, "MFCCMeanTransformer" if step == "features" else "DenseAudioClassifier")
    owner = next(
        n for n in nodes(schema, "ObjectNode") if n["__class__"].startswith("MFCC" if step == "features" else "Dense")
    )
    if name not in given:
        owner["content"]["key_types"]["content"].append(kind("TypeNode", "builtins.str"))
    given[name] = node
    text = refused(write(path, schema, files))
    assert why in text


def test_optimizers_and_parameters_of_the_network_are_checked(saved, path):
    for name, node in (("optimizer", logistic()), ("activation", plain("relu6")), ("dropout", plain(7))):
        schema, files = parts_of(saved)
        attributes(schema, "DenseAudioClassifier")["_architecture"]["content"][name] = node
        assert name in refused(write(path, schema, files))


def test_missing_parameters_get_their_defaults(saved, path):
    schema, files = parts_of(saved)
    owner = next(n for n in nodes(schema, "ObjectNode") if n["__class__"].startswith("Dense"))
    content = owner["content"]["content"]
    del content["epochs"]
    owner["content"]["key_types"]["content"].pop()
    clf = soundclf.load(write(path, schema, files))[-1]
    assert clf.epochs == type(clf)().epochs


def test_missing_parameters_of_scikit_learn_get_their_defaults(path):
    back = soundclf.load(write(path, logistic()))
    assert repr(back) == "LogisticRegression()"
    assert back.tol == LogisticRegression().tol


def test_paths_and_workers_of_a_stranger_are_reset(saved, path):
    schema, files = parts_of(saved)
    attributes(schema, "MFCCMeanTransformer").update(memory=plain("/stranger"), n_jobs=plain(10**6))
    attributes(schema, "Pipeline").update(memory=plain("/stranger"))
    attributes(schema, "DenseAudioClassifier").update(checkpoint=plain("/stranger"))
    back = soundclf.load(write(path, schema, files))
    assert [back.memory, back[0].memory, back[0].n_jobs, back[1].checkpoint] == [None] * 4


def test_methods_of_scikit_learn_are_not_replaced_either(path):
    for name in ("predict", "_parameter_constraints", "__sklearn_tags__", "coef_path"):
        write(path, logistic(**{name: kind("FunctionNode", "numpy.add")}))
        if name == "coef_path":
            soundclf.load(path)
        else:
            assert f"model.{name} would stand in for what LogisticRegression itself has" in refused(path)


def test_messages_stay_short(path):
    assert len(refused(write(path, logistic(x=kind("FunctionNode", "os." + "x" * 10**6))))) < 1100
    assert len(refused(write(path, logistic(**{"x" * 10**6: plain([])})))) < 1100


LARGE = {  # that would need gigabytes for a clip of five seconds
    "a clip repeated for a month": LogMelTransformer(3e6, hop_length=2**30),
    "bands of no bins": MFCCMeanTransformer(1, n_fft=1, n_mels=2**18),
    "bands of many frames": MFCCMeanTransformer(1, n_fft=64, n_mels=2**17),
    "a transform of bands": MFCCStatisticsTransformer(30_000, n_fft=512, n_mels=30_000),
    "a window of an hour": MFCCMeanTransformer(1, n_fft=2**26, n_mels=1),
}


@pytest.mark.parametrize("name", list(LARGE))
def test_transformers_that_would_exhaust_the_memory_are_refused(name, path):
    assert "features so large that one clip could exhaust the memory" in refused(stranger(path, LARGE[name]))


def test_large_transformers_are_not_refused(path):
    for large in (
        LogMelTransformer(60.0, sr=96000, n_fft=16384, hop_length=1024, n_mels=512),
        MFCCStatisticsTransformer(128, n_fft=65536, n_mels=512),
        MFCCMeanTransformer(n_fft=32),
    ):
        soundclf.save(large, path)
        assert soundclf.load(path).get_params() == large.get_params()


@pytest.mark.parametrize("schema", [plain(1), sequence(logistic()), mapping({}), kind("TypeNode", "builtins.int")])
def test_what_is_no_estimator_is_refused(schema, path):
    assert "must be a scikit-learn estimator" in refused(write(path, schema))


# -- what compiled code would take on trust ----------------------------------------------------------------------------


def refit(path, model, change):
    """Save a model, change what is in the file, and say why it is refused."""
    soundclf.save(model, path)
    schema, files = parts_of(path)
    change(schema, files)
    return refused(write(path, schema, files))


def changed(node, files, function):
    array = np.load(io.BytesIO(files[node["file"]]))
    files[node["file"]] = npy(function(array))


def _set(field, at, value):
    def function(array):
        array[field][at] = value
        return array

    return function


TREES = {
    "a child out of bounds": ("nodes", _set("left_child", 0, 10**9)),
    "a negative child": ("nodes", _set("right_child", 0, -7)),
    "a way back": ("nodes", _set("left_child", 0, 0)),
    "two parents": ("nodes", lambda a: _set("left_child", 0, int(a["right_child"][0]))(a)),
    "a feature out of bounds": ("nodes", _set("feature", 0, 4)),
    "a negative feature": ("nodes", _set("feature", 0, -1)),
    "too few values": ("values", lambda a: a[:1]),
    "values of other classes": ("values", lambda a: a[:, :, :1]),
    "no nodes": ("nodes", lambda a: a[:0]),
    "nodes of another type": ("nodes", lambda a: a["feature"].copy()),
}


@pytest.mark.parametrize("name", list(TREES))
def test_trees_that_are_none_are_refused_before_they_are_constructed(name, rows, path):
    array, function = TREES[name]

    def change(schema, files):
        changed(nodes(schema, "TreeNode")[-1]["content"]["content"][array], files, function)

    refit(path, make_pipeline(StandardScaler(), ExtraTreesClassifier(2, random_state=0)).fit(*rows), change)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_depth", 0), ("max_depth", 10**12), ("node_count", 10**6), ("node_count", 0), ("max_depth", "deep")],
)
def test_numbers_of_trees_are_checked(name, value, rows, path):
    def change(schema, files):
        nodes(schema, "TreeNode")[0]["content"]["content"][name] = plain(value)

    why = refit(path, RandomForestClassifier(2, random_state=0).fit(*rows), change)
    assert "has nodes that are no tree" in why


@pytest.mark.parametrize(("at", "value"), [(0, 10**9), (2, 10**9), (2, 0), (2, -1), (0, 0), (0, "many")])
def test_what_trees_are_constructed_with_is_checked(at, value, rows, path):
    def change(schema, files):
        nodes(schema, "TreeNode")[0]["__reduce__"]["args"]["content"][at] = plain(value)

    assert any(
        why in refit(path, DecisionTreeClassifier().fit(*rows), change)
        for why in ("has nodes that are no tree", "do not agree")
    )


def test_a_tree_over_more_features_than_its_estimator_checks_is_refused(rows, path):
    def change(schema, files):
        nodes(schema, "TreeNode")[0]["__reduce__"]["args"]["content"][0] = plain(10**9)

    assert "the arrays of model do not agree" in refit(path, DecisionTreeClassifier().fit(*rows), change)


def test_an_id_that_comes_again_counts_as_it_came_first(rows, path):
    """skops takes what it met first by an id; what is checked has to be that."""
    soundclf.save(RandomForestClassifier(2, random_state=0).fit(*rows), path)
    schema, files = parts_of(path)
    tree = nodes(schema, "TreeNode")[0]
    hostile = copy.deepcopy(tree["content"])
    number = hostile["__id__"] = 10**9
    hostile["content"]["nodes"] |= {"file": "other.npy", "__id__": 10**9 + 1}
    files["other.npy"] = npy(
        _set("left_child", 0, 10**9)(np.load(io.BytesIO(files[tree["content"]["content"]["nodes"]["file"]])))
    )
    tree["content"]["__id__"] = number
    model = attributes(schema, "RandomForestClassifier")
    schema["content"]["content"] = {"first": hostile, **model}
    schema["content"]["key_types"]["content"].append(kind("TypeNode", "builtins.str"))
    assert "has nodes that are no tree" in refused(write(path, schema, files))


def test_gradient_boosting_has_to_be_trusted(rows, path):
    clf = GradientBoostingClassifier(n_estimators=2).fit(*rows)
    soundclf.save(clf, path, trusted=[GradientBoostingClassifier])
    assert "GradientBoostingClassifier (model)" in refused(path)
    back = soundclf.load(path, trusted=[GradientBoostingClassifier])
    np.testing.assert_array_equal(back.predict_proba(rows[0]), clf.predict_proba(rows[0]))


HISTOGRAMS = {
    "a child out of bounds": _set("left", 0, 10**9),
    "a way back": _set("right", 0, 0),
    "a feature out of bounds": _set("feature_idx", 0, 4),
    "a category": _set("is_categorical", 0, 1),
    "no nodes": lambda a: a[:0],
}


@pytest.mark.parametrize("name", list(HISTOGRAMS))
def test_trees_on_histograms_are_checked(name, rows, path):
    def change(schema, files):
        changed(attributes(schema, "TreePredictor")["nodes"], files, HISTOGRAMS[name])

    clf = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2, max_features=0.5).fit(*rows)
    assert "do not agree" in refit(path, clf, change)


VECTORS = {
    "support_": lambda a: np.resize(a, 20_000).astype(np.int32),
    "support_vectors_": lambda a: a[:0],
    "_dual_coef_": lambda a: a[:, :1].copy(),
    "_n_support": lambda a: np.full_like(a, 10**8),
    "_intercept_": lambda a: a[:1],
    "_probA": lambda a: np.ones(1),
}


@pytest.mark.parametrize("name", list(VECTORS))
def test_support_vectors_are_checked(name, rows, path):
    def change(schema, files):
        changed(attributes(schema, "SVC")[name], files, VECTORS[name])

    assert "the arrays of model" in refit(path, SVC().fit(*rows), change)


@pytest.mark.parametrize("position", [-1, 625, 10**6, 1.5, "x"])
def test_states_of_random_generators_are_checked(position, rows, path):
    def change(schema, files):
        state = nodes(schema, "RandomStateNode")[0]["content"]["content"]["state"]
        state["content"]["pos"] = plain(position)

    clf = MLPClassifier((2,), max_iter=1, random_state=0)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        clf.fit(*rows)
    assert "random generator" in refit(path, clf, change)


def test_seeds_of_random_generators_are_checked(rows, path):
    clf = HistGradientBoostingClassifier(max_iter=1, max_features=0.5).fit(*rows)
    for part, name, value in (("seed_seq", "pool_size", 10**12), ("bit_generator", "bit_generator", "seed")):

        def change(schema, files, part=part, name=name, value=value):
            node = nodes(schema, "RandomGeneratorNode")[0]
            node["content"][part]["content"][name] = plain(value)

        assert "random generator" in refit(path, clf, change)


def stranger(path, model):
    """Write a model as save would, if it looked at nothing."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return write(path, json.loads(members.pop("schema.json")), members)


def having(model, **attributes):
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def endless_tree():
    """A tree over a thousand million features, consistent in itself."""
    tree = DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"]).tree_
    state = tree.__getstate__()
    state["nodes"]["feature"][0] = 10**9 - 1
    wide = type(tree)(10**9, np.array([2]), 1)
    wide.__setstate__(state)
    return wide


def neighbours(rows, **attributes):
    return having(KNeighborsClassifier(algorithm="brute", metric="manhattan").fit(*rows), **attributes)


def by_function(rows, kernel, **attributes):
    return having(SVC(kernel="linear").fit(*rows), kernel=kernel, shape_fit_=(10**9, 4), **attributes)


def encoder(**attributes):
    clf = OneHotEncoder(sparse_output=False, min_frequency=2).fit(np.array([[1], [1], [2], [2], [3], [4]]))
    return having(clf, **attributes)


VI = {"VI": np.ones((1, 1))}
STATES = {  # those that were tried crashed when the model was used, or read what was not theirs
    "labels beyond the classes": lambda rows: neighbours(rows, _y=np.full(60, 10**12)),
    "negative labels": lambda rows: neighbours(rows, _y=np.full(60, -(10**6))),
    "too few labels": lambda rows: neighbours(rows, _y=np.zeros(1, int)),
    "rows of fewer features": lambda rows: neighbours(rows, _fit_X=np.ones((60, 1))),
    "fewer rows than neighbours": lambda rows: neighbours(rows, n_neighbors=61),
    "more rows than there are": lambda rows: having(
        NearestNeighbors(n_neighbors=99, algorithm="brute").fit(rows[0]), n_samples_fit_=100
    ),
    "labels beyond the classes in a radius": lambda rows: having(
        RadiusNeighborsClassifier(9.0, algorithm="brute", metric="manhattan").fit(*rows), _y=np.full(60, 10**12)
    ),
    "a metric's small matrix": lambda rows: neighbours(rows, metric="mahalanobis", effective_metric_params_=VI),
    "a metric's norms": lambda rows: neighbours(rows, effective_metric_params_={"Y_norm_squared": np.ones(1)}),
    "centres of more features": lambda rows: having(
        KMeans(2, n_init=1).fit(rows[0]), cluster_centers_=np.ones((2, 99))
    ),
    "centres of no known features": lambda rows: having(KMeans(2, n_init=1).fit(rows[0]), n_features_in_=None),
    "a kernel that gives fewer columns": lambda rows: by_function(rows, np.add, _BaseLibSVM__Xfit=np.ones(1)),
    "a step before trees on histograms": lambda rows: having(
        HistGradientBoostingClassifier(max_iter=1).fit(*rows), _preprocessor=FunctionTransformer()
    ),
    "too few columns": lambda rows: encoder(_n_features_outs=[1]),
    "groups without columns": lambda rows: encoder(_default_to_infrequent_mappings=[np.full(4, 10**12)]),
    "groups of nothing": lambda rows: encoder(_default_to_infrequent_mappings=[None]),
    "a category that is dropped twice": lambda rows: encoder(_drop_idx_after_grouping=np.array([3], object)),
    "categories out of order": lambda rows: encoder(categories_=[np.array([4, 3, 2, 1])]),
}


@pytest.mark.parametrize("name", list(STATES))
def test_states_that_compiled_code_would_take_on_trust_are_refused(name, rows, path):
    assert "do not agree with each other" in refused(stranger(path, STATES[name](rows)))


@pytest.mark.parametrize("ensemble", [VotingClassifier, StackingClassifier])
def test_a_tree_by_itself_is_refused(ensemble, rows, path):
    """It checks its rows for nothing but their type."""
    clf = ensemble([("a", LogisticRegression())]).fit(*rows)
    clf.estimators_ = [endless_tree()]
    assert refused(stranger(path, clf)) == "model.estimators_[0] is a tree outside of a decision tree"


@pytest.mark.parametrize("step", [CountVectorizer(vocabulary={"a": 0}), HashingVectorizer(n_features=0)], ids=str)
def test_vectorizers_of_text_have_to_be_trusted(step, path):
    name = type(step).__name__
    assert f"not known to be safe, sklearn.feature_extraction.text.{name} (model)" in refused(stranger(path, step))
    soundclf.load(path, trusted=[type(step)])


def test_kernels_of_ones_own_are_checked_against_their_rows(rows, path):
    clf = SVC(kernel=dot).fit(*rows)
    back = soundclf.load(stranger(path, clf), trusted=[dot])
    np.testing.assert_allclose(back.decision_function(rows[0]), clf.decision_function(rows[0]), rtol=0, atol=1e-12)
    clf._BaseLibSVM__Xfit = rows[0][:1]
    assert "do not agree" in refused(stranger(path, clf), trusted=[dot])


def dot(X, Y):
    return X @ Y.T


def test_threads_are_those_of_this_machine(rows, path):
    clf = make_pipeline(KMeans(3, n_init=1, random_state=0), LogisticRegression()).fit(*rows)
    threads = clf[0]._n_threads
    clf[0]._n_threads = -1
    back = soundclf.load(stranger(path, clf))
    assert back[0]._n_threads == threads
    np.testing.assert_array_equal(back.predict(rows[0]), clf.predict(rows[0]))
    np.testing.assert_array_equal(back[0].predict(rows[0]), clf[0].labels_)


HONEST = {
    "integers": lambda X: KNeighborsClassifier(algorithm="brute").fit(np.rint(X).astype(int), X[:, 0] > 0),
    "distances": lambda X: KNeighborsClassifier(metric="precomputed").fit(np.abs(X @ X.T), X[:, 0] > 0),
    "several outputs": lambda X: KNeighborsClassifier(algorithm="brute").fit(X, X[:, :2] > 0),
    "variances": lambda X: KNeighborsClassifier(
        algorithm="brute", metric="seuclidean", metric_params={"V": X.var(axis=0)}
    ).fit(X, X[:, 0] > 0),
    "bins": lambda X: KBinsDiscretizer(3, encode="onehot-dense").fit(X),
    "codes": lambda X: OneHotEncoder(sparse_output=False, drop="if_binary", min_frequency=3).fit(np.rint(X)),
    "first codes": lambda X: OneHotEncoder(sparse_output=False, drop="first").fit(np.where(X > 1, np.nan, np.rint(X))),
    "words": lambda X: OneHotEncoder(sparse_output=False).fit(np.rint(X).astype(str)),
}


@pytest.mark.parametrize("name", list(HONEST))
def test_states_of_fitted_models_are_not_refused(name, rows, path):
    model = HONEST[name](rows[0])
    soundclf.save(model, path)
    assert soundclf.load(path).get_params().keys() == model.get_params().keys()


# -- sizes -------------------------------------------------------------------------------------------------------------


def header(text, content=b""):
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + content


ARRAYS = {
    "enormous": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "enormous in many ways": header("{'descr': '<f8', 'fortran_order': False, 'shape': (65536,65536,65536,65536,0), }"),
    "enormous and empty": header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "a void": header("{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "negative": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
    "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps(Touch())),
    "objects in fields": header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "a pickle": pickle.dumps(Touch()),
    "an archive": b"PK\3\4" + bytes(100),
    "code in the header": header("__import__('os').abort()"),
    "many brackets": header("{'descr': '<f8', 'shape': " + "(" * 80),
    "cut": npy(np.ones(100))[:-8],
    "too long": npy(np.ones(100)) + b"x",
    "nothing": b"",
    "flags that are none": npy(np.ones(3, bool))[:-1] + b"\xff",
    "another version": b"\x93NUMPY\3\0" + bytes(100),
}


@pytest.mark.parametrize("name", list(ARRAYS))
def test_arrays_that_are_not_what_they_claim_are_refused(name, path, marker):
    node = kind("NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy")
    refused(write(path, logistic(coef_=node), {"a.npy": ARRAYS[name]}))
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../../marker", "/etc/passwd", "a/../b.npy", "schema.json", "missing.npy", 7, None])
def test_nothing_is_written_or_read_by_the_names_in_a_file(name, path, marker):
    node = kind("NdArrayNode", "numpy.ndarray", type="numpy", file=name)
    before = sorted(path.parent.iterdir())
    files = {"../../marker": npy(np.ones(2)), "a/../b.npy": npy(np.ones(2))}
    write(path, logistic(coef_=node), files)
    if name in files:
        np.testing.assert_array_equal(soundclf.load(path).coef_, np.ones(2))
    else:
        refused(path)
    assert sorted(path.parent.iterdir()) == [*before, path]


def test_one_array_is_not_read_again_and_again(path):
    node = kind("NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy")
    write(path, logistic(coef_=sequence(*[node] * 1000)), {"a.npy": npy(np.ones(1000))})
    assert "refers to another part's array" in refused(path)
    write(path, logistic(coef_=sequence(*[node | {"__id__": 5}] * 1000)), {"a.npy": npy(np.ones(1000))})
    assert len({id(array) for array in soundclf.load(path).coef_}) == 1


def stacked(items, *shape):
    return kind("NdArrayNode", "numpy.ndarray", type="json", content=items, shape=sequence(*map(plain, shape)))


ONE = kind("NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy", __id__=5)
AGAIN = [{"__id__": 5}] * 5000  # of an array of a MiB
MASKED = [
    kind("MaskedArrayNode", "numpy.ma.MaskedArray", content={"data": data, "mask": plain(True)})
    for data in (ONE, *AGAIN)
]
MULTIPLIED = {
    "objects of several axes": (stacked([ONE, *AGAIN[:99]], 100, 2**20), "is no array of objects"),
    "objects of several axes in lists": (stacked([sequence(ONE, *AGAIN[:99])], 1, 100), "is no array of objects"),
    "objects that are fewer": (stacked([plain(1)], 2), "is no array of objects"),
    "masks": (sequence(*MASKED), "refers to arrays again and again"),
    "types": (kind("DTypeNode", "numpy.dtype", content=sequence(ONE, *AGAIN)), "refers to arrays again and again"),
    "numbers": (kind("NdArrayNode", "numpy.clongdouble", type="numpy", file="a.npy"), "is no single number"),
}


@pytest.mark.parametrize("name", list(MULTIPLIED))
def test_arrays_are_not_multiplied(name, path):
    node, why = MULTIPLIED[name]
    assert why in refused(write(path, logistic(x=node), {"a.npy": npy(np.zeros(2**20, np.uint8))}))


def test_objects_of_several_axes_come_back(path):
    objects = np.array([["a", None], [3, np.float64(0.5)]], dtype=object)
    soundclf.save(having(LogisticRegression(), extra=objects, nothing=np.empty((2, 0), object)), path)
    assert soundclf.load(path).extra.tolist() == objects.tolist()


def test_compressed_files_are_refused_before_anything_is_unpacked(path):
    bomb = npy(np.zeros(2**24))
    write(path, logistic(), {"a.npy": bomb}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < len(bomb) / 500
    assert refused(path) == "it is compressed or encrypted, as model files never are"


def _directory(name, size, offset=0):
    """An entry of an archive's directory."""
    fields = (b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, size, size, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", *fields) + name


def _archive(path, entries, tail=b""):
    directory = b"".join(entries)
    start = b"PK\3\4" + bytes(1000)
    count = min(len(entries), 65535)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(start), 0)
    path.write_bytes(start + directory + tail + end)
    return path


def test_archives_that_claim_more_than_is_there_are_refused(path):
    names = [b"schema.json", b"soundclf.json", b"a.npy"]
    assert "files in it overlap" in refused(_archive(path, [_directory(name, 800) for name in names]))
    assert "files in it overlap" in refused(_archive(path, [_directory(b"schema.json", 4)] * 2))
    many = [_directory(b"%d" % i, 0) for i in range(200_000)]
    assert "too many files" in refused(_archive(path, many))
    assert "its end is missing" in refused(_archive(path, [], tail=b"PK\6\7" + bytes(16)))


def test_nesting_and_repetition_are_bounded(path):
    deep = plain(1)
    for _ in range(200):
        deep = sequence(deep)
    assert "nested more than 100 deep" in refused(write(path, logistic(x=deep)))
    assert "(RecursionError)" in refused(write(path, "[" * 10**5)) or "nested" in refused(path)
    assert "nested" in refused(write(path, logistic(x=plain(1) | {"content": "[" * 10**5})))
    laughs = sequence(plain(1), __id__=1)
    for i in range(2, 60):
        laughs = sequence(laughs, sequence(__id__=i - 1), __id__=i)
    assert "a model of more than 32 MiB beside its arrays" in refused(write(path, logistic(x=laughs)))
    cycle = sequence(sequence(__id__=1), __id__=1)
    assert "is a part of itself" in refused(write(path, logistic(x=cycle)))
    assert "is larger than 32 MiB" in refused(write(path, " " * (2**25 + 1)))


@pytest.mark.parametrize(
    "node",
    [
        None,
        7,
        "text",
        [],
        {},
        plain(1) | {"content": 7},
        plain(1) | {"content": "{"},
        plain([1]),
        plain({"a": 1}),
        plain(1) | {"content": "1" * 10**5},
        plain(1) | {"__id__": "a"},
        plain(1) | {"__id__": [1]},
        plain(1) | {"__id__": 1.0},
        plain(1) | {"__loader__": ["JsonNode"]},
        plain(1) | {"__module__": None},
        sequence() | {"content": {}},
        mapping({}) | {"content": []},
        mapping({}) | {"key_types": plain(1)},
        mapping({"a": plain(1)}) | {"key_types": sequence()},
        mapping({"a": plain(1)}) | {"key_types": sequence(kind("TypeNode", "builtins.list"))},
        mapping({"a": plain(1)}) | {"key_types": sequence(kind("TypeNode", "builtins.int"))},
        kind("SetNode", "builtins.set", content=[sequence()]),
        kind("SliceNode", "builtins.slice", content={"start": [], "stop": None, "step": None}),
        kind("SliceNode", "builtins.slice", content=None),
        kind("ObjectNode", "sklearn.svm._classes.SVC", content=plain(1)),
        kind("ObjectNode", "sklearn.svm._classes.SVC", content=sequence()),
        kind("ObjectNode", "sklearn.svm._classes.Missing"),
        kind("ObjectNode", "sklearn.missing.SVC"),
        kind("TreeNode", "sklearn.tree._tree.Tree"),
        kind("TreeNode", "sklearn.tree._tree.Tree", __reduce__={"args": sequence()}, content=mapping({})),
        kind("MaskedArrayNode", "numpy.ma.MaskedArray", content={}),
        kind("NdArrayNode", "numpy.ndarray", type="other"),
        kind("NdArrayNode", "numpy.ndarray", type="json", content={}, shape=plain(1)),
        kind("RandomStateNode", "numpy.random.mtrand.RandomState", content=plain(None)),
        kind("DTypeNode", "numpy.dtype", content=plain(None)),
    ],
    ids=str,
)
def test_nodes_that_are_none_are_refused(node, path):
    refused(write(path, logistic(x=node)))
    if not isinstance(node, str):
        refused(write(path, json.dumps(node)))


@pytest.mark.parametrize(
    "description",
    [
        None,
        [],
        {},
        DESCRIPTION | {"format": "1"},
        DESCRIPTION | {"versions": None},
        DESCRIPTION | {"audio": 3},
        DESCRIPTION | {"classes": "abc"},
    ],
)
def test_invalid_descriptions_are_refused(description, path):
    assert refused(write(path, logistic(), description=description)) == "its soundclf.json does not describe a model"
    with pytest.raises(ModelError, match="cannot be read: its soundclf"):
        soundclf.persistence.describe(path)


# -- anything else -----------------------------------------------------------------------------------------------------


def test_a_file_cut_anywhere_is_refused(saved, path):
    whole = saved.read_bytes()
    for size in [*range(200), *range(200, len(whole) - 200, 997), *range(len(whole) - 200, len(whole))]:
        path.write_bytes(whole[:size])
        refused(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_loaded_and_nothing_else(data, saved, path):
    content = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        start = archive.getinfo("schema.json").header_offset
    for _ in range(data.draw(st.integers(1, 3))):  # mostly where words are, and the archive's directory
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(start, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        assert hasattr(soundclf.load(path), "get_params")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x", "x" * 10**7], ids=["short", "long"])
def test_memory_stays_in_bounds_for_many_nodes(name, path):
    """In a process of its own, whose memory is limited to half a gigabyte more."""
    node = sequence(name="tuple")
    write(path, logistic(**{name: sequence(*[node] * 100_000)}))
    code = """
import resource, sys, soundclf, skops.io
soundclf.persistence
limit = 2**29 + int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(len(getattr(soundclf.load(sys.argv[1]), sys.argv[2][0] * int(sys.argv[2][1:]))))
"""
    run = subprocess.run([sys.executable, "-c", code, path, f"x{len(name)}"], capture_output=True, text=True)
    assert run.stdout == "100000\n", run.stderr


@pytest.mark.slow
def test_hostile_trees_would_kill_the_process(rows, path):
    """That what is refused above is worth refusing: scikit-learn itself takes such a tree."""
    code = """
import numpy as np
from sklearn.tree import DecisionTreeClassifier
clf = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
state = clf.tree_.__getstate__()
state["nodes"]["left_child"][0] = 10**12
clf.tree_.__setstate__(state)
clf.predict([[0.0]])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert run.returncode in (-signal.SIGSEGV, -signal.SIGBUS)


def test_functions_of_numpy_are_known(path):
    soundclf.save(FunctionTransformer(np.log1p), path)
    assert soundclf.load(path).func is np.log1p


def test_a_logistic_regression_of_a_stranger_is_just_numbers(rows, path):
    clf = LogisticRegression().fit(*rows)
    soundclf.save(clf, path)
    np.testing.assert_array_equal(soundclf.load(path).predict(rows[0]), clf.predict(rows[0]))
