"""Tests of ConvAudioClassifier, beyond what all classifiers share."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from soundclf import ConvAudioClassifier, LogMelTransformer, ParameterError
from soundclf.classifiers._keras._conv import ConvArchitecture

ZERO = ("band_mask", "time_mask", "mixup", "label_smoothing", "dropout")
PLAIN = {"shift": False, **dict.fromkeys(ZERO, 0.0)}


def small(**parameters):
    return ConvAudioClassifier(**{"channels": (4, 6), "epochs": 3, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def spectra():
    """Sixty spectra of 12 bands and 10 frames, three classes by where they are loud."""
    rng = np.random.default_rng(0)
    y = np.repeat(["hiss", "hum", "tone"], 20)
    X = rng.normal(-40, 4, size=(60, 12, 10))
    X[:20, 8:] += 15
    X[20:40, :3] += 15
    X[40:, 5] += 25
    order = rng.permutation(60)
    return X[order].astype(np.float32), y[order]


def assert_same(a, b):
    assert a._weights.keys() == b._weights.keys()
    for name in a._weights:
        np.testing.assert_array_equal(a._weights[name], b._weights[name])


def test_learns_separable_classes(spectra):
    X, y = spectra
    clf = ConvAudioClassifier((8, 8), epochs=20, random_state=0).fit(X[:40], y[:40])
    assert clf.score(X[40:], y[40:]) >= 0.95
    assert clf.n_features_in_ == 12
    assert len(clf.history_["loss"]) == 20


@pytest.mark.parametrize("shape", [(12, 10), (7, 9), (5, 1), (1, 6), (33, 40)], ids=str)
@pytest.mark.parametrize("n_networks", [1, 3])
def test_probabilities_are_those_of_keras(shape, n_networks):
    rng = np.random.default_rng(1)
    X = rng.normal(3, 2, size=(9, *shape))
    clf = small(n_networks=n_networks, average=False, channels=(3, 5, 4)).fit(X, np.arange(9) % 3)
    expected = clf.model_.predict(X, verbose=0)
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=2e-5)
    assert np.abs(expected - expected[0]).max() > 1e-3


def watching(method, record):
    """Make a callback that is not copied and records the model it sees."""
    import keras

    class Watch(keras.callbacks.Callback):
        def __deepcopy__(self, memo):
            return self

    setattr(Watch, method, lambda self, *_: record(self.model))
    return Watch()


def test_trains_as_keras_does(spectra):
    import keras

    X, y = (spectra[0] + 40) / 10, spectra[1]
    started = []
    start = watching("on_train_begin", lambda model: started.append(model.get_weights()))
    settings = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.05, "batch_size": 60, "normalize": False}
    clf = small(callbacks=[start], average=False, **settings, **PLAIN).fit(X, y)
    model = clf.model_
    model.set_weights(started[0])
    model.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy())
    codes = np.searchsorted(clf.classes_, y)
    losses = [float(np.ravel(model.train_on_batch(X, codes))[0]) for _ in range(3)]
    assert clf.history_["loss"][0] == pytest.approx(losses[0], rel=1e-4)
    for ours, theirs in zip(clf.model_.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_number_of_frames_may_differ(spectra):
    X, y = spectra
    clf = small(epochs=30, learning_rate=0.02).fit(X, y)
    twice = np.concatenate([X, X], axis=2)
    assert np.mean(clf.predict(twice) == clf.predict(X)) > 0.9
    assert clf.predict_proba(X[:, :, :3]).shape == (60, 3)
    with pytest.raises(ValueError, match="X has 11 features, but ConvAudioClassifier is expecting 12"):
        clf.predict(X[:, :11])


def test_two_dimensions_are_spectra_of_one_frame(spectra):
    X, y = spectra
    flat = X.mean(axis=2)
    assert_same(small().fit(flat, y), small().fit(flat[:, :, np.newaxis], y))
    with pytest.raises(ValueError, match=r"X must be of shape \(n_samples, n_bands, n_frames\), got .* 4 dimensions"):
        small().fit(X[:, :, :, np.newaxis], y)


@pytest.mark.parametrize("shape", [(6, 0, 10), (6, 12, 0), (6, 12, 0, 1)], ids=str)
def test_spectra_without_bands_or_frames(spectra, shape):
    sentence = "at least one band and one frame, got an array of shape" if len(shape) == 3 else "4 dimensions"
    with pytest.raises(ValueError, match=sentence):
        small().fit(np.zeros(shape), np.arange(6) % 2)
    with pytest.raises(ValueError, match="at least one band and one frame"):
        small().fit(*spectra).predict(spectra[0][:, :, :0])


def test_the_process_wide_order_of_axes_has_no_effect(spectra):
    import keras

    settings = {"channels": (5, 3), "epochs": 2}
    expected = small(**settings).fit(*spectra).predict_proba(spectra[0])
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        clf = small(**settings, callbacks=[keras.callbacks.Callback()]).fit(
            *spectra
        )  # a callback gets a graph of its own
        model = clf.model_
    finally:
        keras.config.set_image_data_format(before)
    np.testing.assert_array_equal(clf.predict_proba(spectra[0]), expected)
    np.testing.assert_allclose(model.predict(spectra[0], verbose=0), expected, atol=2e-5)


def test_many_validation_rows_are_evaluated_in_parts():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 64, 80)).astype(np.float32), np.arange(500) % 2  # more than are evaluated in a call
    clf = small(epochs=1).fit(X[:20], y[:20], X_val=X, y_val=y)
    losses = -np.log(clf.predict_proba(X)[np.arange(500), y])
    assert clf.history_["val_loss"] == pytest.approx([losses.mean()], rel=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module here")
def test_validation_rows_take_little_more_memory_than_they_are():
    code = """
import resource, sys, numpy as np
from soundclf import ConvAudioClassifier
X, y = np.random.default_rng(0).normal(size=(800, 64, 200)).astype(np.float32), np.arange(800) % 2
clf = ConvAudioClassifier((32,), epochs=1, random_state=0)
peaks = []
for passed in ({}, {"X_val": X, "y_val": y}):
    clf.fit(X[:16], y[:16], **passed)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
print(peaks[1] - peaks[0] < 7 * X.nbytes)  # all at once they took 10 times as much
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_fits_are_identical_for_one_random_state(spectra):
    assert_same(small().fit(*spectra), small().fit(*spectra))
    other = small(random_state=1).fit(*spectra)
    weights = small().fit(*spectra)._weights
    assert any((weights[name] != other._weights[name]).any() for name in weights)


def test_training_continues_after_pickling(spectra):
    settings = {"schedule": "constant", "warm_start": True}
    whole = small(**settings).set_params(epochs=4).fit(*spectra)
    resumed = pickle.loads(pickle.dumps(small(**settings).set_params(epochs=2).fit(*spectra))).fit(*spectra)
    assert_same(resumed, whole)
    first = small().partial_fit(*spectra, classes=np.unique(spectra[1])).partial_fit(*spectra)
    assert len(first.history_["loss"]) == 2


def test_best_epoch_and_checkpoint(spectra, tmp_path):
    X, y = spectra
    settings = {"epochs": 6, "early_stopping": True, "validation_fraction": 0.3, "checkpoint": tmp_path / "checkpoints"}
    clf = small(**settings).fit(X, y)
    assert clf.history_["val_loss"][clf.best_epoch_] == min(clf.history_["val_loss"])
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert_same(small(**settings).fit(X, y), clf)


@pytest.mark.parametrize(("schedule", "expected"), [("cosine", [0.002, 0.0015, 0.0005]), ("constant", [0.002] * 3)])
def test_learning_rate_follows_the_schedule(spectra, schedule, expected):
    rates = []
    watch = watching("on_epoch_begin", lambda model: rates.append(float(model.optimizer.learning_rate)))
    small(schedule=schedule, callbacks=[watch]).fit(*spectra)
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_a_pipeline_predicts_without_tensorflow(tmp_path):
    from soundclf.datasets import make_sounds

    sounds = make_sounds(8, classes=["bird", "drum"], duration=0.5, directory=tmp_path, random_state=0)
    clf = make_pipeline(LogMelTransformer(0.5, n_mels=16), small()).fit(sounds.data, sounds.target)
    joblib.dump((clf, sounds.data.tolist(), clf.predict_proba(sounds.data)), tmp_path / "clf.joblib")
    code = f"""
import joblib, sys
import numpy as np
clf, clips, expected = joblib.load({str(tmp_path / "clf.joblib")!r})
np.testing.assert_array_equal(clf.predict_proba(clips), expected)
print([name for name in ("tensorflow", "keras", "scikeras", "librosa") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


# -- augmentation ------------------------------------------------------------------------------------------------------


def architecture(**settings):
    values = {"shift": False, "band_mask": 0.0, "time_mask": 0.0, "mixup": 0.0, "label_smoothing": 0.0}
    return ConvArchitecture(
        n_bands=8, channels=(4,), n_classes=3, dropout=0.0, optimizer="adam", **{**values, **settings}
    )


def augment(rows, **settings):
    import tensorflow as tf

    made = architecture(**settings)
    draws = made.draw_augmentation(len(rows), np.random.default_rng(0))
    return made._augment(tf, tf.constant(rows), tf.constant(draws)).numpy(), draws


@pytest.fixture
def rows():
    return np.random.default_rng(3).normal(size=(50, 8, 20)).astype(np.float32)


def test_zero_parameters_augment_nothing(rows):
    np.testing.assert_array_equal(augment(rows)[0], rows)


def test_shift_rotates_spectra_in_time(rows):
    shifted, draws = augment(rows, shift=True)
    steps = (draws[:, 1] * 20).astype(int)
    assert len(set(steps.tolist())) > 10
    for got, row, step in zip(shifted, rows, steps, strict=True):
        np.testing.assert_array_equal(got, np.roll(row, -step, axis=1))


@pytest.mark.parametrize(("name", "axis", "most"), [("band_mask", 2, 4), ("time_mask", 1, 10)])
def test_masks_cover_whole_bands_or_frames(rows, name, axis, most):
    masked = augment(rows, **{name: 0.25})[0] == 0
    lines = masked.all(axis=axis)
    np.testing.assert_array_equal(masked, np.broadcast_to(np.expand_dims(lines, axis), masked.shape))
    counts = lines.sum(axis=1)
    assert counts.max() <= most
    assert len(set(counts.tolist())) > 2


def test_mixup_mixes_rows_and_labels_alike(rows):
    import tensorflow as tf

    made = architecture(mixup=0.4, label_smoothing=0.1)
    mixed, draws = augment(rows, mixup=0.4, label_smoothing=0.1)
    weight = draws[:, 0]
    assert weight.min() >= 0.5
    assert weight.max() <= 1
    before = np.roll(rows, 1, axis=0)
    np.testing.assert_allclose(mixed, weight[:, None, None] * rows + (1 - weight)[:, None, None] * before, atol=1e-6)
    y, weights = np.arange(50) % 3, np.linspace(0.5, 2, 50).astype(np.float32)
    logits = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    alone = -weights[:, None] * (0.9 * np.eye(3)[y] + 0.1 / 3)
    expected = (weight[:, None] * alone + (1 - weight)[:, None] * np.roll(alone, 1, axis=0)) * log
    losses = made.compute_losses(tf, tf.constant(logits), tf.constant(y), tf.constant(weights), tf.constant(draws))
    np.testing.assert_allclose(losses, expected.sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"channels": ()}, "'channels' .* one or more integers above 0"),
        ({"channels": 32}, "'channels'"),
        ({"band_mask": 1.0}, r"'band_mask' .* a number in \[0, 1\)"),
        ({"mixup": -0.1}, "'mixup'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"label_smoothing": 1}, "'label_smoothing'"),
    ],
    ids=str,
)
def test_bad_parameters(parameters, sentence, spectra):
    with pytest.raises(ParameterError, match=sentence):
        clone(small()).set_params(**parameters).fit(*spectra)


def test_threads_have_no_effect_on_results(spectra):
    X, y = spectra
    alone = [small(random_state=seed).fit(X, y) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: small(random_state=seed).fit(X, y), range(3)))
        answers = list(pool.map(lambda i: alone[0].predict_proba(X[i : i + 7]), range(50)))
    for a, b in zip(alone, together, strict=True):
        assert_same(a, b)
    for i, answer in enumerate(answers):
        np.testing.assert_allclose(answer, alone[0].predict_proba(X)[i : i + 7], atol=1e-6)
