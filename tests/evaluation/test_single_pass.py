"""An evaluation decodes, hashes and predicts each clip once, and gives what several passes would."""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from soundclf import (
    AudioError,
    AudioWarning,
    DenseAudioClassifier,
    LeakWarning,
    LogMelTransformer,
    MFCCMeanTransformer,
    MFCCStatisticsTransformer,
)
from soundclf.evaluation import compare, cross_validate_clips, find_duplicates
from soundclf.evaluation._features import extract_features
from soundclf.evaluation._prediction import predict_once
from soundclf.transformers import _digests
from soundclf.transformers._cache import FeatureCache

SR = 22050


@pytest.fixture
def decoded(monkeypatch):
    """The files that are decoded, in a list that grows."""
    opened = []
    init = soundfile.SoundFile.__init__

    def count(self, file, *args, **kwargs):
        opened.append(file)
        init(self, file, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", count)
    return opened


@pytest.fixture
def hashed(monkeypatch):
    """The files that are hashed as a whole, in a list that grows."""
    names = []
    file_digest = hashlib.file_digest

    def count(file, *args):
        names.append(file.name)
        return file_digest(file, *args)

    monkeypatch.setattr(hashlib, "file_digest", count)
    return names


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    """48 files of two classes."""
    folder = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(0)
    y = np.array(["hiss", "rumble"] * 24)
    for i, label in enumerate(y):
        sound = rng.normal(size=9000) * 0.1
        if label == "rumble":
            sound = np.cumsum(sound) / 100
        soundfile.write(folder / f"{i}.wav", np.clip(sound, -1, 1), SR)
    time.sleep(0.2)  # digests of files that have just been written are not remembered
    return [str(folder / f"{i}.wav") for i in range(48)], y


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Start every test without remembered digests."""
    monkeypatch.setattr(_digests, "_files", _digests.FileDigests())


def flatten(X):
    return X.reshape(len(X), -1)


def statistics(**parameters):
    settings = {"n_mfcc": 5, "descriptors": [], "deltas": 0, "statistics": ["mean", "std"]}
    return make_pipeline(MFCCStatisticsTransformer(**settings, **parameters), GaussianNB())


def spectra(**parameters):
    transformer = LogMelTransformer(0.2, n_mels=8, **parameters)
    return make_pipeline(transformer, FunctionTransformer(flatten), GaussianNB())


def means(classifier=None, **parameters):
    return make_pipeline(MFCCMeanTransformer(8, **parameters), StandardScaler(), classifier or GaussianNB())


def evaluate(estimator, dataset, **parameters):
    return cross_validate_clips(estimator, dataset, **{"n_bootstrap": 5, "cv": 5, **parameters})


# -- decodes and hashes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_pipeline_decodes_and_hashes_each_of_48_clips_once(noises, decoded, hashed, n_jobs):
    result = evaluate(means(), {"data": noises[0], "target": noises[1]}, n_jobs=n_jobs)
    assert sorted(map(str, decoded)) == sorted(str(path.encode()) for path in noises[0])
    assert sorted(hashed) == sorted(noises[0])
    assert result.duplicates == []
    assert result.pooled["accuracy"] == 1


def test_two_readings_decode_each_clip_twice_and_hash_it_once(noises, decoded, hashed):
    vote = VotingClassifier([("spectra", spectra()), ("statistics", statistics())], voting="soft")
    evaluate(vote, {"data": noises[0], "target": noises[1]})
    assert (len(decoded), len(hashed)) == (2 * 48, 48)


def test_estimators_that_are_compared_share_features(noises, decoded, hashed):
    evaluated = {"a": means(), "b": means(LogisticRegression()), "c": statistics()}
    result = compare(evaluated, {"data": noises[0], "target": noises[1]}, cv=3, n_bootstrap=5)
    assert (len(decoded), len(hashed)) == (2 * 48, 48)
    assert all(estimator[0].memory is None for estimator in evaluated.values())
    assert result.differences[0]["difference"] == 0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: GridSearchCV(clf, {"gaussiannb__var_smoothing": [1e-9, 1e-3]}, cv=2),
        lambda clf: GridSearchCV(clf, {"gaussiannb__var_smoothing": [1e-9, 1e-3]}, cv=2, n_jobs=2),
        lambda clf: CalibratedClassifierCV(clf, cv=2),
        lambda clf: FixedThresholdClassifier(clf),
        lambda clf: StackingClassifier([("a", clf), ("b", means(LogisticRegression()))], cv=2),
        lambda clf: make_pipeline(FrozenEstimator(clf[0]), GaussianNB()),
    ],
    ids=["search", "search in processes", "calibrated", "threshold", "stack", "frozen"],
)
def test_meta_estimators_decode_each_clip_once(noises, decoded, wrap):
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        evaluate(wrap(means()), {"data": noises[0], "target": noises[1]}, cv=2)
    assert len(decoded) == 48


def test_a_users_cache_that_holds_the_rows_leaves_one_decode_for_the_fingerprint(noises, tmp_path, decoded):
    dataset = {"data": [*noises[0], noises[0][0]], "target": [*noises[1], noises[1][0]]}
    for n_decoded in (49, 98):  # the copy is not extracted, and fingerprinted by a decode of its own
        with pytest.warns(LeakWarning):
            assert evaluate(means(memory=tmp_path), dataset, cv=[(range(40), range(40, 49))]).duplicates == [[0, 48]]
        assert len(decoded) == n_decoded


# -- the same results --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["whole", "duration", "spectra"])
def test_duplicates_are_those_of_find_duplicates(noises, tmp_path, kind):
    sound, _ = soundfile.read(noises[0][0], dtype="int16")
    soundfile.write(tmp_path / "copy.flac", sound, SR)
    soundfile.write(tmp_path / "other end.wav", np.append(sound[:-1], sound[-1] + 1), SR)
    soundfile.write(tmp_path / "quiet.wav", np.zeros(9000), SR)
    soundfile.write(tmp_path / "quiet too.wav", np.zeros(9000), SR)
    copies = [tmp_path / "copy.flac", tmp_path / "other end.wav", tmp_path / "quiet.wav", tmp_path / "quiet too.wav"]
    clips = [*noises[0], *copies, Path(noises[0][1]).read_bytes(), io.BytesIO(Path(noises[0][2]).read_bytes())]
    make = {"whole": means, "duration": lambda: means(duration=0.1), "spectra": spectra}[kind]
    with pytest.warns(LeakWarning):
        result = evaluate(make(), {"data": clips, "target": [*noises[1], *noises[1][:6]]}, cv=[(range(48), range(54))])
    assert result.duplicates == find_duplicates(clips) == [[0, 48], [1, 52], [2, 53]]


def test_damage_after_the_duration_only_costs_the_fingerprint(noises, tmp_path):
    content = Path(noises[0][0]).read_bytes()
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(content[:12000])
    clips = [*noises[0], tmp_path / "a.wav", tmp_path / "b.wav"]
    dataset = {"data": clips, "target": [*noises[1], *noises[1][:2]]}
    result = evaluate(means(duration=0.1), dataset)
    assert (result.duplicates, len(result.y_pred)) == ([], 50)
    assert find_duplicates(clips) == []
    with pytest.raises(AudioError, match="it is truncated"):
        evaluate(means(), dataset)


def test_features_do_not_depend_on_the_fingerprint(noises, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    clips = [*noises[0][:2], (rng.normal(size=(2, 600_000)), 48000), rng.normal(size=300_000)]
    for transformer in (
        MFCCMeanTransformer(),
        MFCCMeanTransformer(duration=0.3),
        MFCCMeanTransformer(duration=7.0),
        LogMelTransformer(1.0),
        MFCCMeanTransformer(sr=48000, duration=6.0),
        MFCCMeanTransformer(sr=16000, res_type="fft"),
    ):
        estimator = make_pipeline(clone(transformer).set_params(memory=tmp_path), FunctionTransformer(flatten))
        extract_features([estimator], clips, None)
        with monkeypatch.context() as patch:
            patch.setattr(FeatureCache, "_extract_row", lambda *_: pytest.fail("a row was not saved"))
            np.testing.assert_array_equal(estimator[0].transform(clips), transformer.transform(clips))


def test_bad_clips_fail_as_in_fit(noises, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    clips, y = [*noises[0], str(tmp_path / "bad.wav"), str(tmp_path / "none.wav")], [*noises[1], *noises[1][:2]]
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    train, _ = next(cv.split(clips, y))
    with pytest.raises(AudioError) as expected:
        means().fit([clips[i] for i in train], np.array(y)[train])
    with pytest.raises(AudioError) as raised:
        evaluate(means(), {"data": clips, "target": y})
    assert str(raised.value) == str(expected.value)
    with pytest.raises(TypeError, match="Clip 48: a clip must be"):
        evaluate(means(), {"data": [*noises[0], {}], "target": y[:49]})
    with pytest.warns(AudioWarning) as caught, pytest.raises(ValueError, match="NaN"):
        evaluate(means(on_error="nan"), {"data": clips, "target": y})
    assert caught[0].message.errors


def test_a_leak_is_reported_before_the_first_fit(noises):
    class Failing(GaussianNB):
        def fit(self, X, y):
            raise RuntimeError("fit")

    dataset = {"data": [*noises[0], noises[0][0]], "target": [*noises[1], noises[1][0]]}
    with pytest.warns(LeakWarning) as caught, pytest.raises(RuntimeError, match="fit"):
        evaluate(means(Failing()), dataset, cv=[(range(40), range(40, 49))])
    assert caught[0].filename == __file__


def test_bad_parameters_fail_as_in_fit(noises):
    with pytest.raises(ValueError, match="'n_mfcc' parameter of MFCCMeanTransformer"):
        evaluate(make_pipeline(MFCCMeanTransformer(0), GaussianNB()), {"data": noises[0], "target": noises[1]})


# -- labels and probabilities ------------------------------------------------------------------------------------------


class Counting(StandardScaler):
    """A scaler that counts what it transforms."""

    n_transformed = 0

    def transform(self, X, copy=None):
        type(self).n_transformed += 1
        return super().transform(X, copy)


class Contrary(LogisticRegression):
    """A classifier that predicts the least probable class."""

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmin(axis=1)]


def over_rows(classifier):
    return make_pipeline(StandardScaler(), "passthrough", classifier)


CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "pipeline": over_rows(LogisticRegression()),
    "SVC": over_rows(SVC()),
    "LinearSVC": over_rows(LinearSVC()),
    "contrary": over_rows(Contrary()),
    "dense": over_rows(DenseAudioClassifier((4,), epochs=3, random_state=0)),
    "soft vote": VotingClassifier([("a", over_rows(Contrary())), ("b", GaussianNB())], voting="soft", weights=(1, 3)),
    "hard vote": VotingClassifier([("a", over_rows(Contrary())), ("b", GaussianNB()), ("c", LinearSVC())]),
    "grid": GridSearchCV(over_rows(Contrary()), {"contrary__C": [0.1, 1]}, cv=2),
    "random": RandomizedSearchCV(over_rows(GaussianNB()), {"gaussiannb__var_smoothing": [1e-9, 1]}, cv=2, n_iter=2),
    "calibrated": CalibratedClassifierCV(over_rows(LinearSVC()), cv=2),
    "stack": StackingClassifier([("a", over_rows(LinearSVC())), ("b", GaussianNB())], Contrary(), cv=2),
    "deep stack": over_rows(
        StackingClassifier([("a", GaussianNB())], GridSearchCV(SVC(), {"C": [1, 9]}, cv=2), cv=2, passthrough=True)
    ),
    "frozen": over_rows(FrozenEstimator(GaussianNB())),
}


@pytest.mark.parametrize("labels", [["b", "a", "c"], [7, 3, 5], [2.0, 5.0, 1.0]], ids=["str", "int", "float"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_pass_gives_what_predict_and_predict_proba_give(name, labels):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), np.repeat(labels, 30)
    X += 0.7 * np.repeat(np.eye(3), 30, axis=0)
    clf = CLASSIFIERS[name]
    if name == "frozen":
        clf = over_rows(FrozenEstimator(GaussianNB().fit(X, y)))
    clf = clone(clf).fit(X, y)
    predicted, probabilities = predict_once(clf, X)
    expected = clf.predict(X)
    assert predicted.dtype == expected.dtype
    np.testing.assert_array_equal(predicted, expected)
    assert (probabilities is None) == (not hasattr(clf, "predict_proba"))
    if probabilities is not None:
        np.testing.assert_array_equal(probabilities, clf.predict_proba(X))


def test_a_threshold_is_kept():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.array([0, 1] * 30)
    clf = over_rows(FixedThresholdClassifier(LogisticRegression(), threshold=0.9)).fit(X, y)
    predicted, probabilities = predict_once(clf, X)
    np.testing.assert_array_equal(predicted, clf.predict(X))
    assert (predicted != probabilities.argmax(axis=1)).any()


def test_a_subclass_is_called_twice():
    class Contrarian(DenseAudioClassifier):
        def predict(self, X):
            return self.classes_[self.predict_proba(X).argmin(axis=1)]

    X = np.random.default_rng(0).normal(size=(20, 3))
    clf = Contrarian((4,), epochs=2, random_state=0).fit(X, [0, 1] * 10)
    np.testing.assert_array_equal(predict_once(clf, X)[0], clf.predict(X))


@pytest.mark.parametrize("voting", ["soft", None])
def test_test_clips_are_transformed_once_per_split(noises, voting):
    clf = make_pipeline(MFCCMeanTransformer(8), Counting(), GaussianNB())
    if voting:
        clf = VotingClassifier([("a", clf), ("b", means())], voting="soft")
    Counting.n_transformed = 0
    evaluate(clf, {"data": noises[0], "target": noises[1]})
    assert Counting.n_transformed == 5 * 2  # the training clips, and the test clips
