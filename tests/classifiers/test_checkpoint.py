"""Tests of checkpoint: the fit of a killed process continues from its last epoch, with the same result."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from soundclf import DenseAudioClassifier, ParameterError
from soundclf.classifiers._keras._checkpoint import Checkpoint

PARAMETERS = {"hidden_layer_sizes": (16,), "n_networks": 1, "epochs": 6, "random_state": 0}
VALIDATED = {"early_stopping": True, "patience": 3, "validation_fraction": 0.3, "learning_rate": 0.01}

# Fits in a new process, which a thread kills with SIGKILL as soon as a checkpoint has that many epochs.
FIT = """
import json, os, signal, sys, threading
from pathlib import Path
import joblib, numpy as np
from soundclf import DenseAudioClassifier
clf, X, y = joblib.load(sys.argv[1])
folder, fatal = Path(clf.checkpoint), int(sys.argv[3])
def kill():
    while True:
        for path in folder.glob("[!.]*.npz"):  # no drafts
            with np.load(path) as entry:
                if json.loads(entry["description"].tobytes())["progress"]["epoch"] >= fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
if fatal:
    threading.Thread(target=kill, daemon=True).start()
joblib.dump(clf.fit(X, y), sys.argv[2])
"""


def small(folder=None, **parameters):
    return DenseAudioClassifier(**{**PARAMETERS, "checkpoint": folder, **parameters})


def assert_same(a, b):
    """Check that two fitted classifiers, including the state that training continues from, are bit-identical."""
    for name in ("coefs_", "intercepts_"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            np.testing.assert_array_equal(x, y, strict=True)
    assert (a.history_, a.best_epoch_) == (b.history_, b.best_epoch_)
    for one, other in zip(a._training_states, b._training_states, strict=True):
        assert one.keys() == other.keys()
        for name in ("weights", "optimizer"):
            assert one[name].keys() == other[name].keys()
            for key in one[name]:
                np.testing.assert_array_equal(one[name][key], other[name][key], strict=True)
        assert (one["epochs"], one["random"]) == (other["epochs"], other["random"])


def entries(folder):
    return sorted(Path(folder).iterdir())


def n_epochs(clf, X, y, capsys):
    """Fit, and return the numbers of epochs that were left and that were trained, as the progress bar shows them."""
    capsys.readouterr()
    clf.set_params(verbose=1).fit(X, y)
    shown = capsys.readouterr().err.rsplit("\r", 1)[-1]
    return tuple(map(int, shown.split("| ")[-1].split(" [")[0].split("/"))) if "/" in shown.split("[")[0] else (0, 0)


class EndedError(Exception):
    pass


def interrupt(folder, X, y, epoch, **parameters):
    """Leave the checkpoint of a fit that an exception ended after an epoch."""
    save = Checkpoint.save

    def ending(self, states, progress):
        save(self, states, progress)
        if progress["epoch"] == epoch:
            raise EndedError

    clf = small(folder, **parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", ending)
        with pytest.raises(EndedError):
            clf.fit(X, y)


# -- continuing --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
@pytest.mark.parametrize("parameters", [VALIDATED | {"epochs": 200, "patience": 200}, {"epochs": 200, "dropout": 0.5}])
def test_a_killed_fit_continues_and_ends_with_the_same_bits(blobs, tmp_path, capsys, parameters):
    X, y = blobs
    clf = small(str(tmp_path / "checkpoints"), **parameters)
    joblib.dump((clf, X, y), tmp_path / "job")
    command = [sys.executable, "-c", FIT, tmp_path / "job", tmp_path / "fitted"]
    killed = subprocess.run([*command, "80"], capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "fitted").exists()
    left, done = n_epochs(clf, X, y, capsys)
    assert left == done
    assert 0 < done <= 120
    whole = small(**parameters).fit(X, y)
    assert_same(clf, whole)
    assert n_epochs(clf, X, y, capsys) == (0, 0)
    assert_same(clf, whole)
    assert len(entries(tmp_path / "checkpoints")) == 1


@pytest.mark.parametrize("epoch", [1, 4])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        VALIDATED,
        VALIDATED | {"restore_best": False},
        {"average": False, "optimizer": "SGD"},
        {"hidden_layer_sizes": (), "class_weight": "balanced"},
        {"batch_size": np.int64(7)},
    ],
)
def test_from_any_epoch_to_the_same_bits(blobs, tmp_path, capsys, parameters, epoch):
    interrupt(tmp_path, *blobs, epoch, **parameters)
    clf = small(tmp_path, **parameters)
    assert n_epochs(clf, *blobs, capsys) == (6 - epoch, 6 - epoch)
    assert_same(clf, small(**parameters).fit(*blobs))


def test_patience_is_remembered(blobs, tmp_path, capsys):
    parameters = VALIDATED | {"epochs": 300, "learning_rate": 0.1, "average": False, "dropout": 0.0}
    expected = small(**parameters).fit(*blobs)
    n = len(expected.history_["loss"])
    assert n == expected.best_epoch_ + 4 < 300  # stopped by patience
    interrupt(tmp_path, *blobs, n - 1, **parameters)
    clf = small(tmp_path, **parameters)
    assert n_epochs(clf, *blobs, capsys) == (1, 301 - n)
    assert_same(clf, expected)
    assert n_epochs(clf, *blobs, capsys)[0] == 0
    assert_same(clf, expected)


def test_an_optimizer_with_a_schedule_continues(blobs, tmp_path):
    keras = pytest.importorskip("keras")

    def parameters():
        decay = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.9)
        return {"optimizer": keras.optimizers.Adam(decay, use_ema=True), "average": False}

    interrupt(tmp_path, *blobs, 3, **parameters())
    assert_same(small(tmp_path, **parameters()).fit(*blobs), small(**parameters()).fit(*blobs))
    assert len(entries(tmp_path)) == 1


def test_a_warm_start_continues_from_its_own_entry(blobs, tmp_path, capsys):
    expected = small(warm_start=True).fit(*blobs).fit(*blobs)
    clf = small(tmp_path, warm_start=True).fit(*blobs)
    assert len(entries(tmp_path)) == 1
    clf.fit(*blobs)
    assert len(entries(tmp_path)) == 2
    assert_same(clf, expected)
    again = small(tmp_path, warm_start=True)
    assert [n_epochs(again, *blobs, capsys) for _ in range(2)] == [(0, 0), (0, 0)]
    assert_same(again, expected)


# -- which fits share a file -------------------------------------------------------------------------------------------


def test_equivalent_parameters_share_an_entry(blobs, tmp_path, capsys):
    small(tmp_path).fit(*blobs)
    X, y = blobs
    assert n_epochs(small(str(tmp_path), optimizer="Adam"), X.tolist(), y.tolist(), capsys) == (0, 0)
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    ("parameters", "data"),
    [
        ({"epochs": 7}, None),
        ({"random_state": 1}, None),
        ({"learning_rate": 0.002}, None),
        ({"dropout": 0.3}, None),
        ({"dropout": 0.0}, None),
        ({"activation": "elu"}, None),
        ({"hidden_layer_sizes": (17,)}, None),
        ({"batch_size": 31}, None),
        ({"optimizer": "rmsprop"}, None),
        ({"average": False}, None),
        ({"class_weight": {"cat": 2}}, None),
        ({"normalize": False}, None),
        (VALIDATED, None),
        ({}, lambda X, y: (X * np.where(np.arange(90) == 5, 1.01, 1)[:, np.newaxis], y)),
        ({}, lambda X, y: (X, np.roll(y, 1))),
        ({}, lambda X, y: (X[1:], y[1:])),
        ({}, lambda X, y: (X, y, np.where(np.arange(90) == 5, 1.01, 1))),
    ],
)
def test_other_fits_have_other_entries(blobs, tmp_path, parameters, data):
    small(tmp_path).fit(*blobs)
    rows = blobs if data is None else data(*blobs)
    clf = small(tmp_path, **parameters).fit(*rows)
    assert len(entries(tmp_path)) == 2
    assert_same(clf, small(**parameters).fit(*rows))


@pytest.mark.parametrize(("name", "value"), [("patience", 2), ("restore_best", False), ("validation_fraction", 0.4)])
def test_other_stopping_rules_have_other_entries(blobs, tmp_path, name, value):
    for parameters in (VALIDATED, VALIDATED | {name: value}):
        assert_same(small(tmp_path, **parameters).fit(*blobs), small(**parameters).fit(*blobs))
    assert len(entries(tmp_path)) == 2


def test_the_validation_rows_count(blobs, tmp_path):
    X, y = blobs
    for part in (slice(60, 75), slice(75, 90)):
        fitted = [
            small(folder, early_stopping=True).fit(X[:60], y[:60], X_val=X[part], y_val=y[part])
            for folder in (tmp_path, None)
        ]
        assert_same(*fitted)
    assert len(entries(tmp_path)) == 2


@pytest.mark.slow
def test_a_search_shares_a_folder(blobs, tmp_path):
    X, y = blobs
    grid = {"dropout": [0.0, 0.5]}
    search_with_files = GridSearchCV(small(tmp_path, epochs=3), grid, cv=3, n_jobs=2).fit(X, y)
    assert len(entries(tmp_path)) == 2 * 3 + 1
    expected = GridSearchCV(small(epochs=3), grid, cv=3).fit(X, y)
    for search in (search_with_files, clone(search_with_files).set_params(n_jobs=None).fit(X, y)):
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
        assert_same(search.best_estimator_, expected.best_estimator_)
    assert len(entries(tmp_path)) == 2 * 3 + 1


# -- the file ---------------------------------------------------------------------------------------------------------


def test_one_plain_file_is_all_that_is_written(blobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clf = small("a/b").fit(*blobs)
    assert entries(tmp_path) == [tmp_path / "a"]
    assert entries("a") == [Path("a/b")]
    (entry,) = entries("a/b")
    assert entry.suffix == ".npz"
    with np.load(entry, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)
    assert entry.stat().st_size < 5 * 4 * sum(w.size for w in clf.coefs_ + clf.intercepts_) + 10_000


def test_drafts_of_killed_processes_are_removed(blobs, tmp_path):
    small(tmp_path).fit(*blobs)
    (entry,) = entries(tmp_path)
    left, foreign = tmp_path / f".12345678.{entry.name[-50:]}", tmp_path / ".12345678.other.npz"
    left.write_bytes(b"half")
    foreign.write_bytes(b"of another fit")
    small(tmp_path).fit(*blobs)
    assert entries(tmp_path) == sorted([entry, foreign])


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def rewritten(entry, change):
    """Write an entry again with other arrays, or another description."""
    with np.load(entry) as arrays:
        arrays = dict(arrays)
    description = json.loads(arrays.pop("description").tobytes())
    given = change(arrays, description)
    description = description if given is None else given
    np.savez(entry, **arrays, description=np.frombuffer(json.dumps(description).encode(), np.uint8))


def setting(*keys, to):
    def change(arrays, description):
        for key in keys[:-1]:
            description = description[key]
        description[keys[-1]] = to

    return lambda entry: rewritten(entry, change)


def with_array(name, make):
    return lambda entry: rewritten(entry, lambda arrays, _: arrays.update({name: make(arrays[name])}))


def flipped(entry):
    data = bytearray(entry.read_bytes())
    at = data.index(b"\x93NUMPY") + 200
    data[at] ^= 1
    entry.write_bytes(data)


DAMAGE = {
    "empty": lambda entry: entry.write_bytes(b""),
    "truncated": lambda entry: entry.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2]),
    "a flipped bit": flipped,
    "no archive": lambda entry: entry.write_bytes(b"PK\x03\x04 and more"),
    "a plain array": lambda entry: np.save(entry.open("wb"), np.zeros(3)),
    "a pickle": lambda entry: entry.write_bytes(pickle.dumps(Trap())),
    "an object array": with_array("last.weights.0", lambda a: np.array([Trap()], dtype=object)),
    "no description": lambda entry: np.savez(entry, a=np.zeros(3)),
    "a description that is no text": lambda entry: np.savez(entry, description=np.frombuffer(b"\xff{", np.uint8)),
    "a list": lambda entry: rewritten(entry, lambda *_: []),
    "lists within": lambda entry: rewritten(entry, lambda *_: {"progress": [], "states": []}),
    "no states": setting("states", to={}),
    "no names": setting("states", "last", "names", to=[]),
    "too many arrays": setting("states", "last", "names", "weights", to=[str(i) for i in range(100)]),
    "too few arrays": setting("states", "last", "names", "weights", to=["hidden_1/kernel", "hidden_1/bias"]),
    "unknown arrays": setting("states", "last", "names", "more", to=[]),
    "another generator": setting("states", "last", "random", "bit_generator", to="MT19937"),
    "no generator": setting("states", "last", "random", to={}),
    "a generator in words": setting("states", "best", "random", to="PCG64"),
    "epochs in words": setting("states", "last", "epochs", to="three"),
    "fewer epochs averaged": setting("states", "last", "epochs", to=1),
    "epochs below zero": setting("progress", "epoch", to=-1),
    "no epochs": setting("progress", "epoch", to=0),
    "epochs and a half": setting("progress", "epoch", to=2.5),
    "more epochs than wanted": setting("progress", "epoch", to=1000),
    "a best epoch to come": setting("progress", "best_epoch", to=3),
    "a best epoch below zero": setting("progress", "best_epoch", to=-1),
    "a best loss in words": setting("progress", "best_loss", to="low"),
    "another history": setting("progress", "history", to={}),
    "no validation": setting("progress", "history", to={"loss": [1.0] * 3, "accuracy": [1.0] * 3}),
    "a short history": setting("progress", "history", "loss", to=[1.0]),
    "words in the history": setting("progress", "history", "loss", to=["a", "b", "c"]),
    "unknown progress": setting("progress", "more", to=1),
    "an average from progress": setting("progress", "average", to=[]),
    "no best state": lambda entry: rewritten(entry, lambda _, d: d["states"].pop("best") and None),
    "another shape": with_array("last.weights.0", lambda a: a.T),
    "another type": with_array("best.average.1", lambda a: a.astype(np.float64)),
    "another optimizer": with_array("last.optimizer.2", lambda a: a[..., np.newaxis]),
}


@pytest.fixture(scope="module")
def whole(blobs):
    return small(**VALIDATED).fit(*blobs)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_entry_is_reported_and_not_used(blobs, whole, tmp_path, capsys, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    interrupt("checkpoints", *blobs, 3, **VALIDATED)
    (entry,) = entries("checkpoints")
    damage(entry)
    clf = small("checkpoints", **VALIDATED)
    with pytest.warns(
        RuntimeWarning, match=r"checkpoint '.*npz' cannot be read, so training starts from the beginning: ."
    ) as caught:
        assert n_epochs(clf, *blobs, capsys) == (6, 6)
    assert len(caught) == 1
    assert not Path("trapped").exists()
    assert_same(clf, whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert n_epochs(clf, *blobs, capsys) == (0, 0)  # the entry is whole again


def test_an_entry_that_was_rewritten_without_changes(blobs, tmp_path, capsys):
    interrupt(tmp_path, *blobs, 3, **VALIDATED)
    rewritten(*entries(tmp_path), lambda *_: None)
    assert n_epochs(small(tmp_path, **VALIDATED), *blobs, capsys) == (3, 3)


# -- parameters and errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_needs_an_integer_random_state(blobs, tmp_path, random_state):
    clf = small(tmp_path / "checkpoints", random_state=random_state)
    for fit in (clf.fit, clf.partial_fit):
        with pytest.raises(ParameterError, match=r"checkpoint needs an integer random_state, .*, got random_state="):
            fit(*blobs)
    assert not (tmp_path / "checkpoints").exists()


def test_callbacks_cannot_be_combined(blobs, tmp_path):
    keras = pytest.importorskip("keras")
    clf = small(tmp_path / "checkpoints", callbacks=[keras.callbacks.Callback()])
    with pytest.raises(ParameterError, match="checkpoint and callbacks cannot be combined"):
        clf.fit(*blobs)
    clf.set_params(callbacks=[]).fit(*blobs)
    assert len(entries(tmp_path / "checkpoints")) == 1


@pytest.mark.parametrize("value", ["", 3, b"checkpoints", True])
def test_a_checkpoint_that_is_no_path(blobs, value):
    with pytest.raises(ParameterError, match=r"'checkpoint' parameter .* must be None or the path of a folder, got"):
        small(value).fit(*blobs)


def test_a_folder_that_cannot_be(blobs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"checkpoint='.*file' cannot be used as a folder"):
        small(tmp_path / "file").fit(*blobs)


def test_partial_fit_writes_nothing(blobs, tmp_path):
    X, y = blobs
    clf, expected = (small(folder).partial_fit(X, y, np.unique(y)).partial_fit(X, y) for folder in (tmp_path, None))
    assert_same(clf, expected)
    assert entries(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process' files are Unix's")
def test_a_full_disk_costs_the_checkpoint_only(blobs, tmp_path):
    code = f"""
import resource, signal, sys, warnings
import joblib
from soundclf import DenseAudioClassifier
import tensorflow  # before there is no room for files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
X, y = joblib.load({str(tmp_path / "data.joblib")!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    clf = DenseAudioClassifier(**{PARAMETERS!r}, checkpoint={str(tmp_path / "checkpoints")!r}).fit(X, y)
print(len(clf.history_["loss"]), [str(w.message) for w in caught if "cannot be written" in str(w.message)][0])
"""
    joblib.dump(blobs, tmp_path / "data.joblib")
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert re.search(r"^6 The checkpoint '.*npz' cannot be written \(File too large\)", run.stdout, re.MULTILINE)
    assert list((tmp_path / "checkpoints").iterdir()) == []
