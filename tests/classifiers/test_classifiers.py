"""Tests of DenseAudioClassifier: training, fitted state, prediction without TensorFlow."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from soundclf import DenseAudioClassifier, ParameterError
from soundclf.classifiers._forward import ACTIVATIONS


def small(**parameters):
    defaults = {"hidden_layer_sizes": (16,), "n_networks": 1, "epochs": 5, "random_state": 0}
    return DenseAudioClassifier(**{**defaults, **parameters})


def weights(clf):
    return [*clf.coefs_, *clf.intercepts_]


def assert_same_weights(a, b):
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(x, y)


def differ(a, b):
    return any((x != y).any() for x, y in zip(weights(a), weights(b), strict=True))


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_trains_as_keras_does(blobs, optimizer):
    keras = pytest.importorskip("keras")
    started = []

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            started.append(self.model.get_weights())

        def __deepcopy__(self, memo):
            return self

    X, y = blobs
    X = StandardScaler().fit_transform(X)
    clf = small(
        optimizer=optimizer,
        dropout=0.0,
        average=False,
        batch_size=len(y),
        learning_rate=0.01,
        normalize=False,
        callbacks=[Start()],
    ).fit(X, y)
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3)])
    model.set_weights(started[0])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.01
    codes = np.searchsorted(clf.classes_, y)
    losses = [model.train_on_batch(X, codes, return_dict=True)["loss"] for _ in range(5)]
    np.testing.assert_allclose(clf.history_["loss"][0], losses[0], rtol=1e-5)
    kept = [array[0] for layer in zip(clf.coefs_, clf.intercepts_, strict=True) for array in layer]
    for ours, theirs in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_a_callback_saves_a_model_of_keras_alone(blobs, tmp_path, name):
    keras = pytest.importorskip("keras")
    path = tmp_path / "model.keras"
    small(optimizer=name, callbacks=[keras.callbacks.ModelCheckpoint(path)]).fit(*blobs)
    model = keras.models.load_model(path)
    assert type(model.optimizer) is getattr(keras.optimizers, name)
    assert model.optimizer.iterations.numpy() == 5 * -(-len(blobs[1]) // 32)


@pytest.mark.parametrize("dropout", [0.2, 0.8])
def test_dropout_is_that_of_keras(blobs, dropout):
    X, y = np.tile(blobs[0], (100, 1)), np.tile(blobs[1], 100)
    # With a tiny learning rate, the loss of the epoch is that of the initial weights under dropout.
    clf = small(
        hidden_layer_sizes=(33, 7), dropout=dropout, learning_rate=1e-12, batch_size=500, epochs=1, average=False
    )
    clf.fit(X, y)
    codes = np.searchsorted(clf.classes_, y)

    def loss(training):
        probabilities = np.asarray(clf.model_(X, training=training))
        return -np.log(probabilities[np.arange(len(codes)), codes])

    draws = np.concatenate([loss(training=True) for _ in range(4)])
    assert abs(draws.mean() - loss(training=False).mean()) > 0.02  # dropout shows
    assert abs(clf.history_["loss"][0] - draws.mean()) < 6 * draws.std() / len(y) ** 0.5


def test_learns_separable_classes(blobs):
    X, y = blobs
    clf = small(epochs=150).fit(X[:60], y[:60])
    assert clf.score(X[60:], y[60:]) > 0.85
    assert clf.history_["loss"][-1] < clf.history_["loss"][0] / 2
    assert set(clf.history_) == {"loss", "accuracy"}
    assert len(clf.history_["loss"]) == 150
    assert clf.best_epoch_ == 149


def test_no_hidden_layers_is_logistic_regression(blobs):
    X, y = StandardScaler().fit_transform(blobs[0]), blobs[1]
    clf = small(hidden_layer_sizes=(), normalize=False, epochs=600, batch_size=90, learning_rate=0.05).fit(X, y)
    regression = LogisticRegression(C=np.inf, max_iter=5000).fit(X, y)
    assert np.mean(clf.predict(X) == regression.predict(X)) > 0.98
    assert [coef.shape for coef in clf.coefs_] == [(1, 8, 3)]


def test_normalize_uses_the_training_rows(blobs):
    X, y = blobs
    clf = small().fit(X, y)
    np.testing.assert_allclose(clf.mean_, X.mean(axis=0))
    np.testing.assert_allclose(clf.scale_, X.std(axis=0))
    scaled = small(normalize=False).fit(StandardScaler().fit_transform(X), y)
    assert_same_weights(clf, scaled)
    assert scaled.mean_ is None
    assert small(epochs=60).fit(X, y).score(X, y) > small(epochs=60, normalize=False).fit(X, y).score(X, y)


def test_a_constant_feature_does_no_harm(blobs):
    X = np.column_stack([blobs[0], np.full(90, 1e6)])
    assert small(epochs=60).fit(X, blobs[1]).score(X, blobs[1]) > 0.9


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog", "owl"],
        [3, 7, 5],
        [True, False, True],
        [-1.0, 2.0, 0.0],
        [np.str_("ä"), np.str_("ö"), np.str_("ü")],
    ],
    ids=str,
)
def test_any_labels(blobs, labels):
    y = np.array(labels)[np.searchsorted(["cat", "dog", "owl"], blobs[1])]
    clf = small(epochs=60).fit(blobs[0], y)
    assert clf.classes_.tolist() == sorted(set(labels))
    assert clf.predict(blobs[0]).dtype == y.dtype
    assert clf.score(blobs[0], y) > 0.6
    assert clf.predict_proba(blobs[0]).shape == (90, len(set(labels)))


def test_object_labels(blobs):
    y = blobs[1].astype(object)
    assert small().fit(blobs[0], y).predict(blobs[0]).dtype == object


def test_class_weight_equals_the_corresponding_sample_weight(blobs):
    X, y = blobs
    few = np.flatnonzero((y != "cat") | (np.arange(90) % 5 == 0))
    X, y = X[few], y[few]
    balanced = small(class_weight="balanced").fit(X, y)
    counts = {label: len(y) / (3 * np.sum(y == label)) for label in np.unique(y)}
    by_dict = small(class_weight=counts).fit(X, y)
    assert_same_weights(balanced, by_dict)
    assert differ(balanced, small().fit(X, y))


def test_sample_weight_has_an_effect_and_is_not_changed(blobs):
    X, y = blobs
    given = np.where(y == "cat", 3.0, 1.0)
    before = given.copy()
    weighted = small(class_weight={"dog": 2.0, "cat": 1.0, "owl": 1.0}).fit(X, y, sample_weight=given)
    np.testing.assert_array_equal(given, before)
    equal = small().fit(X, y, sample_weight=np.where(y == "cat", 3.0, np.where(y == "dog", 2.0, 1.0)))
    for a, b in zip(weighted.coefs_, equal.coefs_, strict=True):
        assert a.shape == b.shape  # class weights have no effect on the standardization, sample weights do
    np.testing.assert_allclose(weighted.mean_, np.average(X, axis=0, weights=given))
    none, ones = small().fit(X, y), small().fit(X, y, sample_weight=np.ones(90))
    assert_same_weights(none, ones)


def test_rows_of_weight_zero_are_not_used(blobs):
    X, y = blobs
    wrong = y.copy()
    wrong[::3] = np.roll(wrong[::3], 1)
    kept = np.arange(90) % 3 != 0
    for parameters in ({}, {"class_weight": "balanced"}, {"early_stopping": True}):
        clf = small(**parameters).fit(X, wrong, sample_weight=kept.astype(float))
        assert_same_weights(clf, small(**parameters).fit(X[kept], wrong[kept]))


def test_class_weight_of_missing_classes(blobs):
    X, y = blobs
    few = y != "dog"
    clf = small(class_weight={"cat": 3, "dog": 2}).partial_fit(X[few], y[few], classes=np.unique(y))
    same = small().partial_fit(X[few], y[few], classes=np.unique(y), sample_weight=np.ones(few.sum()))
    assert differ(clf, same)


# -- determinism and global state --------------------------------------------------------------------------------------


def test_an_int_makes_fits_identical_to_the_last_bit(blobs):
    first, second = small().fit(*blobs), small().fit(*blobs)
    assert_same_weights(first, second)
    assert first.history_ == second.history_
    assert differ(first, small(random_state=1).fit(*blobs))
    assert differ(small(random_state=None).fit(*blobs), small(random_state=None).fit(*blobs))


def test_a_random_state_instance_is_drawn_from(blobs):
    state = np.random.RandomState(3)
    first, second = small(random_state=state).fit(*blobs), small(random_state=state).fit(*blobs)
    assert differ(first, second)
    assert_same_weights(first, small(random_state=np.random.RandomState(3)).fit(*blobs))


def test_threads_do_not_disturb_each_other(blobs):
    seeds = [0, 1, 2, 3] * 3
    alone = {seed: small(random_state=seed).fit(*blobs) for seed in set(seeds)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: small(random_state=seed).fit(*blobs), seeds))
    for seed, clf in zip(seeds, together, strict=True):
        assert_same_weights(clf, alone[seed])


@pytest.mark.parametrize("random_state", [None, 0])
def test_no_global_state_changes(blobs, random_state):
    import tensorflow as tf
    from tensorflow.python.framework import config  # the only place where TensorFlow reports op determinism

    small().fit(*blobs)  # TensorFlow's and Keras' own set-up happens once
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    tf.random.set_seed(5)
    tf.random.uniform(())
    expected = (random.getstate(), np.random.get_state(), dict(os.environ), tf.random.uniform(()).numpy())  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    tf.random.set_seed(5)
    tf.random.uniform(())
    clf = small(random_state=random_state, early_stopping=True, class_weight="balanced")
    clf.fit(*blobs).set_params(class_weight=None).partial_fit(*blobs)
    assert random.getstate() == expected[0]
    assert [str(part) for part in np.random.get_state()] == [str(part) for part in expected[1]]  # noqa: NPY002
    assert dict(os.environ) == expected[2]
    assert tf.random.uniform(()).numpy() == expected[3]
    assert not config.is_op_determinism_enabled()


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_keras_and_scikeras_are_not_changed():
    assert (
        run(
            """
import sys, keras, numpy as np
from soundclf import DenseAudioClassifier
classes = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
names = "__reduce__", "__deepcopy__"
before = [vars(c).get(n) for c in classes for n in names]
threads = __import__("tensorflow").config.threading.get_intra_op_parallelism_threads()
X, y = np.random.default_rng(0).normal(size=(20, 3)), [0, 1] * 10
DenseAudioClassifier((4,), epochs=1).fit(X, y)
assert [vars(c).get(n) for c in classes for n in names] == before
assert not [m for m in sys.modules if m.split(".")[0] == "scikeras"]
assert __import__("tensorflow").config.threading.get_intra_op_parallelism_threads() == threads
from scikeras.wrappers import KerasClassifier  # the user's own import works as ever, patches included
assert vars(keras.Model)["__reduce__"] is not before[0]
patched = [vars(c).get(n) for c in classes for n in names]
DenseAudioClassifier((5,), epochs=1).fit(X, y)
assert [vars(c).get(n) for c in classes for n in names] == patched
print("fine")
"""
        )
        == "fine"
    )


@pytest.mark.slow
def test_patches_of_a_user_who_imported_scikeras_first_stay():
    assert (
        run(
            """
import scikeras, keras, numpy as np
patched = keras.Model.__reduce__
from soundclf import DenseAudioClassifier
DenseAudioClassifier((4,), epochs=1).fit(np.eye(4), [0, 1, 0, 1])
assert keras.Model.__reduce__ is patched
print("fine")
"""
        )
        == "fine"
    )


def test_showing_a_fitted_classifier_does_not_import_tensorflow(blobs, tmp_path):
    joblib.dump(small().fit(*blobs), tmp_path / "clf.joblib")
    code = """
import inspect, sys, joblib
clf = joblib.load(sys.argv[1])
assert "DenseAudioClassifier" in clf._repr_html_()
inspect.getmembers(clf)
print("tensorflow" in sys.modules, hasattr(type(clf), "model_"))
"""
    assert run(code, tmp_path / "clf.joblib") == "False True"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_training_in_a_forked_process_raises_instead_of_hanging():
    code = """
import joblib, numpy as np
from soundclf import DenseAudioClassifier
X, y = np.random.default_rng(0).normal(size=(20, 3)), [0, 1] * 10
clf = DenseAudioClassifier((4,), epochs=1).fit(X, y)
with joblib.parallel_config(backend="multiprocessing"):
    assert joblib.Parallel(2)(joblib.delayed(clf.predict)(X) for _ in range(2))[0].shape == (20,)
    try:
        joblib.Parallel(2)(joblib.delayed(clf.fit)(X, y) for _ in range(2))
    except RuntimeError as error:
        print(error)
"""
    assert "TensorFlow was in use before this process was forked" in run(code)


@pytest.mark.slow
def test_the_process_wide_precision_has_no_effect(blobs):
    assert (
        run(
            """
import keras, numpy as np
from soundclf import DenseAudioClassifier
X, y = np.random.default_rng(0).normal(size=(60, 4)), [0, 1] * 30
expected = DenseAudioClassifier((4,), epochs=2, random_state=0).fit(X, y).predict_proba(X)
for policy in "mixed_bfloat16", "mixed_float16", "float64":
    keras.config.set_dtype_policy(policy)
    for sizes in (4,), (4, 3):  # one graph that there is, one that is not
        got = DenseAudioClassifier(sizes, epochs=2, random_state=0).fit(X, y)
        assert abs(got.predict_proba(X) - got.model_.predict(X, verbose=0)).max() < 1e-5
        assert got.coefs_[0].dtype == np.float32
        if sizes == (4,):
            np.testing.assert_array_equal(got.predict_proba(X), expected)
for floatx in "float64", "float16":
    keras.config.set_floatx(floatx)
    got = DenseAudioClassifier((4,), epochs=2, random_state=0).fit(X, y)
    np.testing.assert_allclose(got.predict_proba(X), expected, atol=1e-4)
print("fine")
"""
        )
        == "fine"
    )


# -- forward pass ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_pass_equals_keras(blobs, activation):
    X, y = blobs
    clf = small(hidden_layer_sizes=(16, 8), activation=activation).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X), clf.model_.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize("layers", [(), (5,), (100, 200, 100)])
@pytest.mark.parametrize("normalize", [True, False])
def test_model_is_the_compiled_keras_model(blobs, layers, normalize, tmp_path):
    import keras

    X, y = blobs
    X = X if normalize else StandardScaler().fit_transform(X)
    clf = small(hidden_layer_sizes=layers, normalize=normalize).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X), clf.model_.predict(X, verbose=0), atol=1e-5)
    loss, accuracy = clf.model_.evaluate(X, np.searchsorted(clf.classes_, y), verbose=0)
    assert accuracy == pytest.approx(clf.score(X, y))
    assert loss == pytest.approx(
        -np.log(clf.predict_proba(X)[np.arange(90), np.searchsorted(clf.classes_, y)]).mean(), rel=1e-4
    )
    clf.model_.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(clf.predict_proba(X), loaded.predict(X, verbose=0), atol=1e-5)


def test_large_offsets_do_not_cost_digits():
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(60, 3)) * 16) / 16 + 1e6  # exact in float32, which Keras takes its input as
    y = (X[:, 0] > 1e6).astype(int)
    clf = small(epochs=200).fit(X, y)
    assert clf.score(X, y) > 0.9
    np.testing.assert_allclose(clf.predict_proba(X), clf.model_.predict(X, verbose=0), atol=1e-5)


def test_one_row_is_predicted_as_among_many(blobs):
    clf = small(hidden_layer_sizes=(100, 200, 100)).fit(*blobs)
    rows = np.concatenate([clf.predict_proba(row[None]) for row in blobs[0]])
    np.testing.assert_allclose(rows, clf.predict_proba(blobs[0]), rtol=1e-10)
    np.testing.assert_allclose(np.tile(rows, (40, 1)), clf.predict_proba(np.tile(blobs[0], (40, 1))), rtol=1e-10)


def test_predict_from_many_threads(blobs):
    clf = small().fit(*blobs)
    expected = clf.predict_proba(blobs[0])
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(clf.predict_proba, [blobs[0]] * 64):
            np.testing.assert_array_equal(got, expected)


# -- saving ------------------------------------------------------------------------------------------------------------

COPIES = {
    "pickle": lambda clf, folder: pickle.loads(pickle.dumps(clf)),
    "joblib": lambda clf, folder: (joblib.dump(clf, folder / "clf.joblib"), joblib.load(folder / "clf.joblib"))[1],
    "deepcopy": lambda clf, folder: copy.deepcopy(clf),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("optimizer", ["adam", "object"])
def test_copies_predict_and_continue_training_alike(blobs, tmp_path, way, optimizer):
    import keras

    X, y = blobs
    chosen = keras.optimizers.SGD(0.05, momentum=0.9) if optimizer == "object" else optimizer
    clf = small(optimizer=chosen, callbacks=[keras.callbacks.TerminateOnNaN()], warm_start=True)
    assert COPIES[way](clf, tmp_path).get_params()["epochs"] == 5
    clf.fit(X, y)
    twin = COPIES[way](clf, tmp_path)
    np.testing.assert_array_equal(twin.predict_proba(X), clf.predict_proba(X))
    clf.fit(X, y)
    twin.fit(X, y)
    assert_same_weights(clf, twin)  # only if the states of the optimizer and all generators were copied
    assert not hasattr(clone(clf), "coefs_")
    clf.partial_fit(X, y)
    twin.partial_fit(X, y)
    assert_same_weights(clf, twin)


def test_a_fresh_process_predicts_without_tensorflow(blobs, tmp_path):
    clf = small().fit(*blobs)
    joblib.dump(clf, tmp_path / "clf.joblib")
    np.save(tmp_path / "X.npy", blobs[0])
    out = run(
        """
import sys, joblib, numpy as np
folder = sys.argv[1]
np.save(folder + "/p.npy", joblib.load(folder + "/clf.joblib").predict_proba(np.load(folder + "/X.npy")))
print([m for m in ("tensorflow", "keras", "scikeras", "librosa") if m in sys.modules])
""",
        tmp_path,
    )
    assert out == "[]"
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), clf.predict_proba(blobs[0]))


def test_fitted_state_is_plain(blobs):
    clf = small(early_stopping=True, validation_fraction=0.2).fit(*blobs)

    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list | tuple):
            return all(map(plain, value))
        return value is None or isinstance(value, str | int | float | bool | np.ndarray | np.generic)

    assert [name for name, value in vars(clf).items() if not plain(value)] == []


# -- continuing --------------------------------------------------------------------------------------------------------


def test_two_fits_with_warm_start_are_one_longer_fit(blobs):
    whole = small(epochs=8).fit(*blobs)
    parts = small(epochs=3, warm_start=True).fit(*blobs).set_params(epochs=5).fit(*blobs)
    assert_same_weights(whole, parts)
    np.testing.assert_allclose(parts.history_["loss"], whole.history_["loss"])
    assert parts.best_epoch_ == 7


def test_partial_fit_is_an_epoch(blobs):
    X, y = blobs
    fitted = small(epochs=3).fit(X, y)
    parts = small()
    for _ in range(3):
        parts.partial_fit(X, y, classes=["owl", "cat", "dog"])
    assert_same_weights(fitted, parts)
    assert len(parts.history_["loss"]) == 3


def test_partial_fit_over_parts_that_lack_classes(blobs):
    X, y = blobs
    order = np.argsort(y, kind="stable")
    clf = small(epochs=1)
    for _ in range(80):
        for part in np.array_split(order, 3):
            clf.partial_fit(X[part], y[part], classes=np.unique(y))
    assert clf.classes_.tolist() == ["cat", "dog", "owl"]
    assert clf.score(X, y) > 0.8
    np.testing.assert_allclose(clf.mean_, X.mean(axis=0), rtol=1e-6)  # of all rows seen, each 80 times


@pytest.mark.parametrize("kind", ["name", "object"])
def test_learning_rate_of_a_warm_start_is_the_one_that_is_set(blobs, kind):
    import keras

    optimizer = "adam" if kind == "name" else keras.optimizers.Adam(0.01)
    slow = small(warm_start=True, average=False, optimizer=optimizer).fit(*blobs)
    slow.set_params(learning_rate=1e-12, optimizer="Adam" if kind == "name" else keras.optimizers.Adam(1e-12))
    before = copy.deepcopy(slow)
    slow.fit(*blobs)
    for a, b in zip(weights(before), weights(slow), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_sizes": (8,)},
        {"activation": "tanh"},
        {"optimizer": "sgd"},
        {"normalize": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_architecture_cannot_continue(blobs, change):
    clf = small(warm_start=True).fit(*blobs)
    expected = clf.predict_proba(blobs[0])
    clf.set_params(**change)
    np.testing.assert_array_equal(clf.predict_proba(blobs[0]), expected)  # parameters count at the next fit
    np.testing.assert_allclose(clf.model_.predict(blobs[0], verbose=0), expected, atol=1e-5)
    with pytest.raises(ValueError, match=f"Training cannot continue with another {next(iter(change))}: it was"):
        clf.fit(*blobs)
    with np.errstate(all="ignore"):
        clf.set_params(warm_start=False, epochs=1).fit(*blobs)


@pytest.mark.parametrize(
    "parameters", [{"batch_size": np.int64(16)}, {"batch_size": 2**40}, {"dropout": 0.9999999}], ids=str
)
def test_parameters_at_the_edge(blobs, parameters):
    assert np.isfinite(small(**parameters).fit(*blobs).history_["loss"]).all()


def test_training_continues_with_another_dropout(blobs):
    clf = small(dropout=0.0, warm_start=True).fit(*blobs)
    before = copy.deepcopy(clf)
    assert differ(clf.set_params(dropout=0.9).fit(*blobs), before.fit(*blobs))
    assert len(clf.history_["loss"]) == 10


def test_history_grows_with_and_without_validation(blobs):
    X, y = blobs
    clf = small(epochs=2).fit(X, y, X_val=X, y_val=y).partial_fit(X, y)
    assert {len(values) for values in clf.history_.values()} == {3}
    assert np.isnan(clf.history_["val_loss"][2])
    assert not np.isnan(clf.history_["loss"]).any()


# -- validation --------------------------------------------------------------------------------------------------------


def test_validation_rows_are_drawn_from_each_class(blobs):
    clf = small(early_stopping=True, validation_fraction=0.2).fit(*blobs)
    assert set(clf.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {round(v * 18, 6) % 1 for v in clf.history_["val_accuracy"]} == {0}  # shares of 3 x 6 rows
    assert not np.allclose(clf.mean_, blobs[0].mean(axis=0))  # the standardization does not use them


def test_the_best_epoch_is_restored(blobs):
    X, y = blobs[0], np.where(np.arange(90) % 5 == 0, np.roll(blobs[1], 1), blobs[1])  # a fifth is wrong: overfits
    settings = {"hidden_layer_sizes": (64, 64), "epochs": 40, "learning_rate": 0.02, "dropout": 0.0}
    fit = {"X_val": X[60:], "y_val": y[60:]}
    best = small(**settings).fit(X[:60], y[:60], **fit)
    last = small(**settings, restore_best=False).fit(X[:60], y[:60], **fit)
    losses = best.history_["val_loss"]
    assert losses == last.history_["val_loss"]
    assert best.best_epoch_ == last.best_epoch_ == int(np.argmin(losses)) < 39
    for clf, epoch in ((best, best.best_epoch_), (last, 39)):
        chosen = clf.predict_proba(X[60:])[np.arange(30), np.searchsorted(clf.classes_, y[60:])]
        assert -np.log(chosen).mean() == pytest.approx(losses[epoch], rel=1e-3)
    short = small(**settings | {"epochs": best.best_epoch_ + 1}).fit(X[:60], y[:60], **fit)
    assert_same_weights(best, short)


def test_early_stopping_waits_for_patience(blobs):
    X, y = blobs
    clf = small(epochs=300, learning_rate=0.02, early_stopping=True, patience=4)
    clf.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    losses = clf.history_["val_loss"]
    assert len(losses) == clf.best_epoch_ + 5 < 300
    assert min(losses) == losses[clf.best_epoch_]


def test_validation_rows_are_set_aside_only_for_early_stopping(blobs):
    assert "val_loss" not in small().fit(*blobs).history_
    assert "val_loss" not in small(early_stopping=True).partial_fit(*blobs, classes=np.unique(blobs[1])).history_
    assert "val_loss" in small(early_stopping=True, epochs=1).fit(*blobs).history_


# -- several networks --------------------------------------------------------------------------------------------------


def alone(clf, i):
    """Return a classifier with only one of the networks."""
    part = copy.deepcopy(clf)
    part._weights = {name: array[i : i + 1] for name, array in clf._weights.items()}
    return part


def test_probabilities_are_the_mean_of_those_of_the_networks(blobs):
    clf = small(n_networks=3).fit(*blobs)
    assert [coef.shape for coef in clf.coefs_] == [(3, 8, 16), (3, 16, 3)]
    parts = [alone(clf, i).predict_proba(blobs[0]) for i in range(3)]
    assert np.abs(parts[0] - parts[1]).max() > 0.01
    np.testing.assert_allclose(clf.predict_proba(blobs[0]), np.mean(parts, axis=0), atol=1e-12)
    np.testing.assert_allclose(clf.model_.predict(blobs[0], verbose=0), np.mean(parts, axis=0), atol=1e-5)


def test_the_first_network_equals_a_single_one(blobs):
    together, single = small(n_networks=2).fit(*blobs), small().fit(*blobs)
    assert_same_weights(alone(together, 0), single)
    assert differ(alone(together, 1), single)
    losses = np.array([single.history_["loss"], together.history_["loss"]])
    assert (losses[0] != losses[1]).all()  # the history is that of both


def test_all_networks_continue_training(blobs):
    whole = small(n_networks=2, epochs=6).fit(*blobs)
    resumed = small(n_networks=2, epochs=3, normalize=True, warm_start=True).fit(*blobs)
    resumed = pickle.loads(pickle.dumps(resumed)).fit(*blobs)
    assert_same_weights(resumed, whole)
    assert len(resumed.history_["loss"]) == 6
    with pytest.raises(ValueError, match="cannot continue with another n_networks: it was 2, now it is 3"):
        resumed.set_params(n_networks=3).fit(*blobs)
    parts = small(n_networks=2).partial_fit(*blobs, classes=np.unique(blobs[1])).partial_fit(*blobs)
    assert len(parts.coefs_[0]) == 2


def test_each_network_stops_and_restores_its_best_epoch_separately(blobs):
    X, y = blobs
    settings = {"epochs": 300, "learning_rate": 0.02, "early_stopping": True, "patience": 4}
    both = small(n_networks=2, **settings).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    first = small(**settings).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert_same_weights(alone(both, 0), first)
    assert len(both.history_["val_loss"]) >= len(first.history_["val_loss"])
    assert np.isfinite(both.history_["val_loss"]).all()


def test_average_is_the_moving_average_of_the_weights(blobs):
    after = [small(epochs=n, average=False).fit(*blobs).coefs_[0] for n in range(1, 24)]
    expected = after[0]
    for n, coef in enumerate(after[1:], start=1):
        decay = min(0.95, n / (n + 1))
        expected = decay * expected + (1 - decay) * coef
    np.testing.assert_allclose(small(epochs=23).fit(*blobs).coefs_[0], expected, atol=1e-6)


def test_a_class_with_one_row_stays_in_training(blobs):
    X, y = blobs
    y = y.copy()
    y[0] = "yak"
    clf = small(early_stopping=True, validation_fraction=0.3, epochs=100).fit(X, y)
    assert clf.classes_.tolist() == ["cat", "dog", "owl", "yak"]


# -- callbacks and optimizers ------------------------------------------------------------------------------------------


def test_callbacks_are_called_and_never_shared(blobs):
    import keras

    calls = []

    class Watch(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.epochs = []

        def on_train_batch_end(self, batch, logs=None):
            calls.append(("batch", batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            self.epochs.append(epoch)
            calls.append(("epoch", epoch, sorted(logs)))
            if epoch == 1:
                self.model.stop_training = True

    watch = Watch()
    clf = small(callbacks=[watch]).fit(*blobs)
    batches = [("batch", batch, ["accuracy", "loss"]) for batch in range(3)]
    assert calls == [*batches, ("epoch", 0, ["accuracy", "loss"]), *batches, ("epoch", 1, ["accuracy", "loss"])]
    assert watch.epochs == []  # a copy was called
    assert watch.model is None
    assert len(clf.history_["loss"]) == 2
    assert_same_weights(clf, small(epochs=2).fit(*blobs))  # callbacks do not change the training


def test_callbacks_of_all_kinds(blobs, tmp_path):
    import keras

    calls = []
    hook = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
    small(callbacks=[hook]).fit(*blobs)  # it sets its hooks on the instance
    assert calls == [0, 1, 2] * 5

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    assert len(small(callbacks=[Stop(), hook]).fit(*blobs).history_["loss"]) == 1
    assert calls == [*[0, 1, 2] * 5, 0]

    class Zero(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.set_weights([0 * weight for weight in self.model.get_weights()])

    assert not any(weight.any() for weight in weights(small(average=False, callbacks=[Zero()]).fit(*blobs)))

    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    small(callbacks=[log]).fit(*blobs)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 6


def test_an_exception_in_a_callback_leaves_everything_usable(blobs):
    import keras

    class Break(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    clf = small().fit(*blobs)
    expected = clf.predict_proba(blobs[0])
    clf.set_params(callbacks=[Break()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(blobs[0][:, :3], blobs[1])
    np.testing.assert_array_equal(clf.predict_proba(blobs[0]), expected)
    assert_same_weights(clf.set_params(callbacks=None).fit(*blobs), small().fit(*blobs))


def test_a_callback_may_change_the_learning_rate(blobs):
    import keras

    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 if epoch < 2 else 1e-12)
    frozen = small(average=False, callbacks=[schedule]).fit(*blobs)
    np.testing.assert_allclose(frozen.coefs_[0], small(average=False, epochs=2).fit(*blobs).coefs_[0], atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "adadelta",
        "adafactor",
        "adagrad",
        "adam",
        "adamax",
        "adamw",
        "ftrl",
        "lamb",
        "lion",
        "muon",
        "nadam",
        "rmsprop",
        "SGD",
    ],
)
def test_every_optimizer_of_keras_by_name(blobs, name):
    clf = small(optimizer=name, epochs=2, learning_rate=0.01).fit(*blobs)
    assert type(clf.model_.optimizer).__name__.lower() == name.lower()
    assert clf.history_["loss"][1] != clf.history_["loss"][0]


def test_an_optimizer_object_is_not_changed(blobs):
    import keras

    optimizer = keras.optimizers.Adam(0.001)
    assert_same_weights(small(optimizer=optimizer).fit(*blobs), small().fit(*blobs))
    assert not optimizer.built
    scaled = keras.optimizers.SGD(0.1, loss_scale_factor=1024.0)
    plain = small(optimizer=keras.optimizers.SGD(0.1)).fit(*blobs)
    np.testing.assert_allclose(small(optimizer=scaled).fit(*blobs).coefs_[0], plain.coefs_[0], atol=1e-4)
    slow = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.999999)
    plain = small(optimizer=keras.optimizers.SGD(0.1), average=False).fit(*blobs)
    assert differ(small(optimizer=slow, average=False).fit(*blobs), plain)
    clf = small(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)))
    assert clf.fit(*blobs).history_["loss"][-1] < 3


OPTIMIZERS = {
    "clipnorm": lambda keras: keras.optimizers.Adam(0.01, clipnorm=0.01),
    "global_clipnorm": lambda keras: keras.optimizers.Adam(0.01, global_clipnorm=0.01),
    "clipvalue": lambda keras: keras.optimizers.AdamW(0.01, clipvalue=0.001),
    "weight decay": lambda keras: keras.optimizers.AdamW(0.01, weight_decay=1.0),
    "amsgrad": lambda keras: keras.optimizers.Adam(0.01, amsgrad=True),
    "beta and epsilon": lambda keras: keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.7, epsilon=0.1),
    "average": lambda keras: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "scaled loss": lambda keras: keras.optimizers.Adam(0.01, loss_scale_factor=1024.0),
    "accumulated gradients": lambda keras: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "schedule": lambda keras: keras.optimizers.AdamW(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)),
    "function": lambda keras: keras.optimizers.Adam(lambda: 0.01),
    "optimizer within": lambda keras: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_object_trains_as_in_keras(blobs, name):
    import keras

    started = []

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            started.append(self.model.get_weights())

        def __deepcopy__(self, memo):
            return self

    X, y = StandardScaler().fit_transform(blobs[0]), blobs[1]
    settings = {"dropout": 0.0, "average": False, "batch_size": len(y), "normalize": False}
    clf = small(optimizer=OPTIMIZERS[name](keras), callbacks=[Start()], **settings).fit(X, y)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3)])
    model.set_weights(started[0])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[name](keras), loss, auto_scale_loss=False)
    for _ in range(5):
        model.train_on_batch(X, np.searchsorted(clf.classes_, y))
    model.optimizer.finalize_variable_values(model.trainable_variables)
    kept = [array[0] for layer in zip(clf.coefs_, clf.intercepts_, strict=True) for array in layer]
    for ours, theirs, before in zip(kept, model.get_weights(), started[0], strict=True):
        assert (theirs != before).any()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_conditions_in_an_optimizer_do_not_wait_for_a_missing_thread():
    # With TensorFlow's pool of a single core, one condition in the graph was enough to wait forever.
    code = """
import keras, numpy as np, tensorflow as tf
from soundclf import DenseAudioClassifier
tf.config.threading.set_inter_op_parallelism_threads(1)
rates = keras.optimizers.schedules.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5)
optimizer = keras.optimizers.SGD(rates, gradient_accumulation_steps=2)
clf = DenseAudioClassifier((4,), n_networks=1, epochs=3, optimizer=optimizer, random_state=0)
print(len(clf.fit(np.eye(8), np.arange(8) % 2).history_["loss"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "3\n", done.stderr


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"dropout": 1.0},
            r"'dropout' parameter of DenseAudioClassifier must be a number in \[0, 1\), got 1.0 \(float\)",
        ),
        ({"activation": "rellu"}, r"Did you mean 'relu'\?"),
        ({"epochs": 0}, r"'epochs' .* must be an integer in \[1, inf\), got 0 \(int\)"),
        ({"epochs": 1.5}, "'epochs' .* must be an integer"),
        ({"epochs": True}, "'epochs' .* must be an integer"),
        ({"batch_size": -1}, "'batch_size'"),
        ({"learning_rate": 0}, r"'learning_rate' .* a number in \(0, inf\)"),
        ({"learning_rate": float("nan")}, "'learning_rate'"),
        ({"hidden_layer_sizes": 100}, "'hidden_layer_sizes' .* tuple or list of integers above 0"),
        ({"hidden_layer_sizes": (10, 0)}, "'hidden_layer_sizes'"),
        ({"normalize": "yes"}, "'normalize' .* must be True or False"),
        ({"optimizer": 3}, "'optimizer' .* the name of a Keras optimizer"),
        ({"random_state": -1}, r"'random_state' .* None or an integer in \[0, 4294967296\)"),
        pytest.param(
            {"random_state": np.random.default_rng(0)},
            "'random_state' .* a numpy.random.RandomState",
            id="random_state-generator",
        ),
        ({"class_weight": "balance"}, "Did you mean 'balanced'"),
        ({"callbacks": "EarlyStopping"}, "'callbacks' .* list of keras.callbacks.Callback"),
        ({"validation_fraction": 1}, "'validation_fraction'"),
        ({"early_stopping": "auto"}, "'early_stopping' .* True or False"),
        ({"n_networks": 0}, r"'n_networks' .* an integer in \[1, inf\)"),
        ({"patience": 0}, "'patience'"),
    ],
    ids=str,
)
def test_bad_parameters(blobs, parameters, sentence):
    with pytest.raises(ParameterError, match=sentence):
        small(**parameters).fit(*blobs)


def test_all_bad_parameters_are_reported_together(blobs):
    with pytest.raises(ParameterError, match=r"'dropout'.*'epochs'"):
        small(dropout=2, epochs=0).fit(*blobs)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda X, y: {"y": np.full(90, "cat")}, "at least two classes, got one class: 'cat'"),
        (lambda X, y: {"y": np.eye(3, dtype=int)[np.searchsorted(np.unique(y), y)]}, "multilabel|1d array"),
        (lambda X, y: {"y": np.linspace(0, 1, 90)}, "Unknown label type: continuous"),
        (lambda X, y: {"X": np.where(np.arange(720).reshape(90, 8) == 5, np.nan, X)}, "Input X contains NaN"),
        (lambda X, y: {"X": X[:50]}, "inconsistent numbers of samples"),
        (lambda X, y: {"sample_weight": np.zeros(90)}, "zero for every row"),
        (lambda X, y: {"sample_weight": -np.ones(90)}, "must not be negative"),
        (lambda X, y: {"sample_weight": np.ones(3)}, "inconsistent numbers of samples"),
        (lambda X, y: {"X_val": X[:9]}, "X_val and y_val must be passed together"),
        (
            lambda X, y: {"X_val": X[:9, :3], "y_val": y[:9]},
            "X has 3 features, but DenseAudioClassifier is expecting 8",
        ),
        (lambda X, y: {"X_val": X[:1], "y_val": ["emu"]}, "y_val has labels that are not among the classes .*: 'emu'"),
    ],
)
def test_bad_data(blobs, change, sentence):
    X, y = blobs
    with pytest.raises(ValueError, match=sentence):
        small().fit(**{"X": X, "y": y} | change(X, y))


@pytest.mark.parametrize(
    ("class_weight", "sentence"),
    [
        ({"cat": -1}, "nonnegative numbers"),
        ({"cat": "2"}, "nonnegative numbers"),
        ({"emu": 5}, r"class_weight has labels that are not among the classes .*: \['emu'\]"),
        ({"cat": 0, "dog": 0, "owl": 0}, "leaves nothing to train on"),
    ],
)
def test_bad_class_weights(blobs, class_weight, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(class_weight=class_weight).fit(*blobs)


def test_values_beyond_float32(blobs):
    X, y = blobs
    clf = small().fit(X, y)
    for call in (lambda: clf.predict(X * 1e300), lambda: small(normalize=False).fit(X * 1e38, y)):
        with pytest.raises(ValueError, match="too large for the network's float32"):
            call()


def test_a_subclass_may_have_fewer_parameters(blobs):
    class Sub(DenseAudioClassifier):
        def __init__(self, *, epochs=3):
            super().__init__((8,), epochs=epochs, random_state=0)

    assert clone(Sub()).fit(*blobs).predict(blobs[0]).shape == (90,)


def test_other_errors(blobs):
    import keras

    X, y = blobs
    with pytest.raises(ValueError, match="finds no validation row"):
        small(early_stopping=True).fit(X[:2], ["a", "b"])
    with pytest.raises(ValueError, match=r"Keras has no optimizer named 'adamant'; it has .*adam"):
        small(optimizer="adamant").fit(X, y)
    with pytest.raises(TypeError, match=r"callbacks must hold keras\.callbacks\.Callback objects, got 3"):
        small(callbacks=[3]).fit(X, y)
    with pytest.raises(ValueError, match="With warm_start=True the classes must stay the same"):
        small(warm_start=True).fit(X, y).fit(X[y != "cat"], y[y != "cat"])
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        small().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y has labels that are not among the classes 'cat', 'dog': 'owl'"):
        small().partial_fit(X, y, classes=["cat", "dog"])
    with pytest.raises(ValueError, match="classes must stay the same in every call"):
        small().fit(X, y).partial_fit(X, y, classes=["cat", "dog", "owl", "yak"])
    with pytest.raises(ValueError, match='class_weight="balanced" needs all rows at once'):
        small(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))
    with pytest.raises(ValueError, match="Training diverged: the loss became"):
        small(optimizer=keras.optimizers.SGD(1e30), epochs=20).fit(X, y)
    with pytest.raises(NotFittedError):
        small().predict(X)
    with pytest.raises(NotFittedError):
        _ = small().model_
    assert not hasattr(small(), "model_")


def test_a_failed_fit_does_not_change_the_fitted_classifier(blobs):
    X, y = blobs
    clf = small().fit(X, y)
    expected = clf.predict_proba(X)
    with pytest.raises(ValueError, match="contains NaN"):
        clf.fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="two classes"):
        clf.fit(X[:, :3], np.full(90, "cat"))
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


def test_inputs_are_never_changed(blobs):
    X, y = blobs[0].copy(), blobs[1].copy()
    for array in (X, y):
        array.setflags(write=False)
    small(early_stopping=True, validation_fraction=0.2).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, blobs[0])


def test_progress_is_shown_only_with_verbose(blobs, capsys):
    small().fit(*blobs)
    assert capsys.readouterr() == ("", "")
    small(verbose=1).fit(*blobs)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err
    assert "loss=" in err


# -- fitted state ------------------------------------------------------------------------------------------------------


def test_state_is_arrays_by_name(blobs):
    clf = small(n_networks=2).fit(*blobs)
    names = ["hidden_1/kernel", "hidden_1/bias", "classes/kernel", "classes/bias"]
    assert list(clf._weights) == names
    assert {len(array) for array in clf._weights.values()} == {2}
    for state in clf._training_states:
        assert list(state["weights"]) == names
        assert {"iteration", "hidden_1_kernel_momentum", "classes_bias_velocity"} < state["optimizer"].keys()


def test_order_of_names_does_not_matter(blobs):
    clf = small(warm_start=True).fit(*blobs)
    twin = copy.deepcopy(clf)
    twin._weights = dict(reversed(twin._weights.items()))
    for state in twin._training_states:
        state["weights"] = dict(reversed(state["weights"].items()))
        state["optimizer"] = dict(reversed(state["optimizer"].items()))
    np.testing.assert_array_equal(twin.predict_proba(blobs[0]), clf.predict_proba(blobs[0]))
    assert_same_weights(twin.fit(*blobs), clf.fit(*blobs))


def test_numbered_variables_of_an_optimizer_are_accepted_in_their_order(blobs):
    clf = small().fit(*blobs)
    twin = copy.deepcopy(clf)
    for state in twin._training_states:
        state["optimizer"] = {f"variable_{i}": value for i, value in enumerate(state["optimizer"].values())}
    for ours, theirs in zip(twin.model_.optimizer.variables, clf.model_.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert_same_weights(twin.partial_fit(*blobs), clf.partial_fit(*blobs))


def test_automatic_names_of_variables_do_not_depend_on_the_process(blobs):
    import keras

    clf = small(optimizer="nadam", epochs=2, warm_start=True).fit(*blobs)
    assert not [name for name in clf._training_states[0]["optimizer"] if name.startswith("variable")]
    twin = copy.deepcopy(clf)
    for state in twin._training_states:
        state["optimizer"]["variable_7"] = state["optimizer"].pop("unnamed")
    keras.Variable(0.0)  # counts
    assert_same_weights(twin.fit(*blobs), clf.fit(*blobs))


def test_unknown_variables_of_an_optimizer(blobs):
    clf = small().fit(*blobs)
    for state in clf._training_states:
        state["optimizer"]["other"] = state["optimizer"].pop("iteration")
    with pytest.raises(ValueError, match=r"state of the optimizer has the variables .* other"):
        clf.partial_fit(*blobs)
