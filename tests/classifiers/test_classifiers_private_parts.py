"""Training works without scikeras and without private parts of Keras and TensorFlow, with the same results."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
import types
import warnings

import numpy as np
import pytest

import soundclf
from soundclf import ConvAudioClassifier, DenseAudioClassifier
from soundclf.classifiers._keras import _networks, _optimizers, _scikeras

keras = pytest.importorskip("keras")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Forget what earlier fits found out about scikeras and Keras, and the networks that they left."""
    monkeypatch.setattr(_networks, "_pool", [])
    monkeypatch.setattr(_optimizers, "_can_fuse", {})
    monkeypatch.setattr(_scikeras, "_failures", [])
    monkeypatch.setattr(_scikeras, "_wrapper_base", [])


def make_classifiers():
    dense = {"epochs": 4, "n_networks": 2, "random_state": 0, "early_stopping": True}
    return [
        DenseAudioClassifier((16,), **dense),
        DenseAudioClassifier((8,), optimizer="adamw", **dense),
        ConvAudioClassifier((4,), epochs=2, random_state=0),
    ]


def use(blobs, path):
    """Fit, predict, save and load, and return the probabilities."""
    X, y = blobs
    results = []
    for clf in make_classifiers():
        rows = X[:, :, np.newaxis] if isinstance(clf, ConvAudioClassifier) else X
        clf.fit(rows, y)
        clf.partial_fit(rows, y)
        soundclf.save(clf, path / "model.skops")
        loaded = soundclf.load(path / "model.skops")
        np.testing.assert_array_equal(loaded.predict(rows), clf.predict(rows))
        results.append(loaded.predict_proba(rows))
    return results


@pytest.fixture(scope="module")
def expected(blobs, tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return use(blobs, tmp_path_factory.mktemp("unbroken"))


def assert_equal(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# -- scikeras ----------------------------------------------------------------------------------------------------------


class WithoutHook:
    """A BaseWrapper whose training has another name, and trains by itself."""

    def __init__(self, model, verbose):
        self.model = model

    def fit(self, X, y, sample_weight=None):
        model = self.model()
        model.fit(X, y, sample_weight=sample_weight, verbose=0)
        model.set_weights([weight + 1 for weight in model.get_weights()])
        return self


class WithUncalledHook(WithoutHook):
    def _fit_keras_model(self, X, y, sample_weight):
        raise AssertionError


class WithOtherArguments(WithUncalledHook):
    """A BaseWrapper that passes other data to the hook, more than once."""

    def fit(self, X, y, sample_weight=None):
        for _ in range(2):
            self._fit_keras_model(data=(X[::-1], y), epochs=3)
        return self


class FailingInConstructor(WithUncalledHook):
    def __init__(self, **_):
        raise TypeError("no such parameters")


class FailingInFit(WithUncalledHook):
    def fit(self, X, y, sample_weight=None):
        raise ValueError("tags of scikit-learn are unknown")


class FailingAfterwards(WithOtherArguments):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y)
        raise ValueError("no history")


def replace_scikeras(monkeypatch, base):
    package, wrappers = types.ModuleType("scikeras"), types.ModuleType("scikeras.wrappers")
    package.wrappers, wrappers.BaseWrapper = wrappers, base
    monkeypatch.setitem(sys.modules, "scikeras", package)
    monkeypatch.setitem(sys.modules, "scikeras.wrappers", wrappers)


BREAKS = {
    "not installed": (None, "ModuleNotFoundError: import of scikeras"),
    "without the hook": (WithoutHook, "AttributeError: its BaseWrapper has no method _fit_keras_model"),
    "with an uncalled hook": (WithUncalledHook, "RuntimeError: its BaseWrapper never called _fit_keras_model"),
    "failing in the constructor": (FailingInConstructor, "TypeError: no such parameters"),
    "failing in fit": (FailingInFit, "ValueError: tags of scikit-learn are unknown"),
    "failing after training": (FailingAfterwards, "ValueError: no history"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_without_scikeras_results_are_the_same_and_one_warning_is_shown(blobs, expected, tmp_path, monkeypatch, name):
    base, reason = BREAKS[name]
    if base is None:
        monkeypatch.setitem(sys.modules, "scikeras", None)
        monkeypatch.setitem(sys.modules, "scikeras.wrappers", None)
    else:
        replace_scikeras(monkeypatch, base)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = use(blobs, tmp_path)
    assert_equal(got, expected)
    messages = [str(w.message) for w in caught if issubclass(w.category, RuntimeWarning)]
    assert len(messages) == 1
    assert messages[0].startswith(f"scikeras does not work here ({reason}")


def test_other_arguments_of_the_hook_do_not_matter(blobs, expected, tmp_path, monkeypatch):
    replace_scikeras(monkeypatch, WithOtherArguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert_equal(use(blobs, tmp_path), expected)


def test_errors_of_the_training_are_not_blamed_on_scikeras(blobs):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ValueError("a callback's own")

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(ValueError, match="a callback's own"):
            DenseAudioClassifier((4,), epochs=1, callbacks=[Failing()]).fit(*blobs)


@pytest.mark.slow
def test_a_scikeras_that_breaks_during_its_import_leaves_keras_as_it_was(tmp_path):
    (tmp_path / "scikeras").mkdir()
    (tmp_path / "scikeras" / "__init__.py").write_text(
        "import keras\nkeras.Model.__reduce__ = None\nkeras.losses.Loss.__deepcopy__ = None\nraise ImportError('old')\n"
    )
    code = """
import sys, warnings, keras, numpy as np
sys.path.insert(0, sys.argv[1])
from soundclf import DenseAudioClassifier
before = keras.Model.__reduce__
warnings.simplefilter("ignore")
DenseAudioClassifier((4,), epochs=1).fit(np.eye(4), [0, 1, 0, 1])
print(keras.Model.__reduce__ is before, "__deepcopy__" in vars(keras.losses.Loss), "scikeras" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "True False False\n", done.stderr


@pytest.mark.parametrize("path", ["metrics.Metric", "losses.Loss"])
def test_classes_that_scikeras_patches_may_be_missing(blobs, expected, tmp_path, monkeypatch, path):
    module, name = path.split(".")
    monkeypatch.delattr(getattr(keras, module), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scikeras itself may need the class
        assert_equal(use(blobs, tmp_path), expected)


# -- Keras' optimizers -------------------------------------------------------------------------------------------------


def rename(monkeypatch, old, new):
    """Rename a private part of Keras' Adam, as another version of Keras might."""
    owners = [owner for owner in keras.optimizers.Adam.__mro__ if owner is not object]
    for owner in owners:
        for name, function in list(vars(owner).items()):
            if not inspect.isfunction(function) or old not in (*function.__code__.co_names, name):
                continue
            source = textwrap.dedent(inspect.getsource(function)).replace(old, new)
            source = source.replace("super()", f"super(_owner_{owner.__name__}, self)")
            source = source[source.index("def ") :]
            namespace = {**function.__globals__, f"_owner_{owner.__name__}": owner}
            exec(source, namespace)
            if name == old:
                monkeypatch.delattr(owner, old)
            monkeypatch.setattr(owner, name.replace(old, new), namespace[name.replace(old, new)], raising=False)


def fused():
    return [
        type(network.model.optimizer) not in (keras.optimizers.Adam, keras.optimizers.AdamW)
        for network in _networks._pool
    ]


def test_the_fused_update_is_used(blobs, expected, tmp_path):
    assert_equal(use(blobs, tmp_path), expected)
    assert fused() == [True] * 3


@pytest.mark.parametrize("name", ["_backend_update_step", "_get_variable_index", "_momentums", "_velocities"])
def test_a_private_part_of_an_optimizer_with_another_name(blobs, expected, tmp_path, monkeypatch, name):
    rename(monkeypatch, name, "_renamed")
    assert not hasattr(keras.optimizers.Adam, name)
    assert_equal(use(blobs, tmp_path), expected)
    if name != "_backend_update_step":  # a method that Keras does not call does no harm
        assert fused() == [False] * 3


@pytest.mark.parametrize("name", ["ResourceApplyGradientDescent", "ResourceApplyAdagradV2"])
def test_a_missing_operation_of_tensorflow(blobs, expected, tmp_path, monkeypatch, name):
    import tensorflow as tf

    ops = {key: value for key, value in vars(tf.raw_ops).items() if key != name and not key.startswith("__")}
    monkeypatch.setattr(tf, "raw_ops", types.SimpleNamespace(**ops))
    assert_equal(use(blobs, tmp_path), expected)
    assert fused() == [False] * 3


def test_missing_operations_of_tensorflow(blobs, expected, tmp_path, monkeypatch):
    import tensorflow as tf

    monkeypatch.delattr(tf, "raw_ops")
    assert_equal(use(blobs, tmp_path), expected)
    assert fused() == [False] * 3


def test_an_update_with_another_result_is_not_used(blobs, expected, tmp_path, monkeypatch):
    import tensorflow as tf

    def move_twice(**arguments):
        for _ in range(2):
            original(**arguments)

    original = tf.raw_ops.ResourceApplyAdagradV2
    ops = {key: value for key, value in vars(tf.raw_ops).items() if not key.startswith("__")}
    monkeypatch.setattr(tf, "raw_ops", types.SimpleNamespace(**ops | {"ResourceApplyAdagradV2": move_twice}))
    assert_equal(use(blobs, tmp_path), expected)
    assert fused() == [False] * 3


def test_a_class_that_cannot_be_set(blobs, expected, tmp_path, monkeypatch):
    def refuse(self, name, value):
        if name == "__class__":
            raise TypeError("__class__ assignment is not supported")
        original(self, name, value)

    original = keras.optimizers.Adam.__setattr__
    monkeypatch.setattr(keras.optimizers.Adam, "__setattr__", refuse)
    assert_equal(use(blobs, tmp_path), expected)
    assert fused() == [False] * 3


def test_optimizers_that_are_not_listed(blobs, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(_optimizers, "find_optimizers", lambda keras: {})
    assert_equal(use(blobs, tmp_path), expected)
    with pytest.raises(ValueError, match="adamant"):
        DenseAudioClassifier(optimizer="adamant").fit(*blobs)


# -- TensorFlow and callbacks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["experimental", "experimental.function_executor_type"])
def test_a_missing_choice_of_the_executor(blobs, expected, tmp_path, monkeypatch, name):
    import tensorflow as tf

    *path, attribute = name.split(".")
    monkeypatch.delattr(getattr(tf, path[0]) if path else tf, attribute)
    for a, b in zip(use(blobs, tmp_path), expected, strict=True):  # another executor may add gradients in another order
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_callbacks_without_a_dict_and_without_some_hooks(blobs, monkeypatch):
    monkeypatch.delattr(keras.callbacks.Callback, "on_batch_begin")

    class Slots(keras.callbacks.Callback):
        @property
        def __dict__(self):
            raise AttributeError("__dict__")

        def __deepcopy__(self, memo):
            return self

    settings = {"epochs": 3, "n_networks": 1, "random_state": 0}
    clf = DenseAudioClassifier((4,), callbacks=[Slots()], **settings).fit(*blobs)
    same = DenseAudioClassifier((4,), **settings).fit(*blobs)
    np.testing.assert_array_equal(clf.predict_proba(blobs[0]), same.predict_proba(blobs[0]))
