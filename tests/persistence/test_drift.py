"""Features of a reference signal in model files, and the warning when they change."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import soundclf
from soundclf import FeatureDriftWarning, LogMelTransformer, MFCCMeanTransformer, ModelError, ModelWarning
from soundclf.persistence import _drift, describe


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.fixture
def pipeline():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=11025).astype(np.float32) * level for level in (0.1, 0.2, 0.3, 0.4)]
    model = make_pipeline(MFCCMeanTransformer(13, memory="cache"), StandardScaler(), LogisticRegression())
    model[0].memory = None
    return model.fit(clips, ["a", "b", "a", "b"])


def edit(path, *, versions=None, shift=None, references=None):
    """Change the recorded versions, features or records of a model file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["soundclf.json"])
    for reference in description["references"]:
        reference["with"] = versions or reference["with"]
        if shift is not None:
            buffer = io.BytesIO()
            np.save(buffer, np.load(io.BytesIO(members[reference["features"]])) + np.float32(shift))
            members[reference["features"]] = buffer.getvalue()
    if references is not None:
        description["references"] = references(description["references"])
    members["soundclf.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def load_quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return soundclf.load(path)


def test_the_reference_signal_is_that_of_its_formula():
    clips = [soundfile.read(io.BytesIO(clip), dtype="int16") for clip in _drift.make_reference_clips()]
    assert [(len(samples), sr) for samples, sr in clips] == [(44100, 44100)] * 4
    for n in (0, 1, 1000, 50_000, 176_399):
        t = n / 44100
        noise = (2654435769 * n**2 % 2**32) / 2**31 - 1
        chirp = np.sin(2 * np.pi * 50 * (4 / np.log(320)) * (320 ** (t / 4) - 1))
        expected = 32767 * np.exp(-(t % 1)) * (0.5 * chirp + 0.1 * noise)
        assert abs(clips[n // 44100][0][n % 44100] - expected) <= 0.5 + 1e-6


def test_with_the_same_versions_nothing_is_computed(pipeline, path, monkeypatch):
    soundclf.save(pipeline, path)
    monkeypatch.setattr(_drift, "_compute_features", None)
    load_quietly(path)


def test_other_versions_with_the_same_features_do_not_warn(pipeline, path):
    soundclf.save(pipeline, path)
    edit(path, versions="scipy 0.1")
    load_quietly(path)
    edit(path, versions="scipy 0.1", shift=1e-4)
    load_quietly(path)


def test_changed_features_warn_in_units_of_the_training_data(pipeline, path):
    soundclf.save(pipeline, path)
    shift = np.zeros(13)
    shift[3] = 0.5 * pipeline[1].scale_[3]
    edit(path, versions="scipy 0.1", shift=shift)
    with pytest.warns(FeatureDriftWarning) as caught:
        model = soundclf.load(path)
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.message.drift == pytest.approx(0.5, rel=1e-4)
    text = str(warning.message)
    assert "by MFCCMeanTransformer differ by up to 0.5 standard deviations of the training data" in text
    assert "scipy 0.1 then" in text
    assert issubclass(FeatureDriftWarning, ModelWarning)
    assert isinstance(model[0], MFCCMeanTransformer)


def test_without_a_scaler_the_unit_is_the_spread_over_the_reference_signal(path):
    transformer = MFCCMeanTransformer(13)
    soundclf.save(transformer, path)
    spread = np.asarray(transformer.transform(_drift.make_reference_clips())).std(axis=0)
    edit(path, versions="scipy 0.1", shift=np.where(np.arange(13) == 2, 0.25 * spread, 0))
    with pytest.warns(FeatureDriftWarning, match="standard deviations over the reference signal's seconds") as caught:
        soundclf.load(path)
    assert caught[0].message.drift == pytest.approx(0.25, rel=1e-4)


def test_features_of_another_number_or_nan_are_an_infinite_drift(path):
    soundclf.save(MFCCMeanTransformer(13), path)
    edit(path, versions="scipy 0.1", shift=np.where(np.arange(13) == 2, np.nan, 0))
    with pytest.warns(FeatureDriftWarning, match="differ by up to inf"):
        soundclf.load(path)


def test_bands_of_spectra_are_compared_by_the_scale_of_the_classifier(path):
    model = make_pipeline(LogMelTransformer(0.5, n_mels=8), StandardScaler())
    model[1].scale_ = np.arange(1.0, 9.0)
    scale = _drift._find_scale(model[1], model[0])
    n_frames = model[0]._get_shape()[1]
    np.testing.assert_array_equal(scale, np.repeat(np.arange(1.0, 9.0), n_frames))


def test_each_distinct_setting_is_recorded_once_and_not_described(path):
    model = make_pipeline(MFCCMeanTransformer(13), MFCCMeanTransformer(13, n_jobs=2), MFCCMeanTransformer(20))
    soundclf.save(model, path)
    with zipfile.ZipFile(path) as archive:
        references = json.loads(archive.read("soundclf.json"))["references"]
    assert [reference["parameters"]["n_mfcc"] for reference in references] in ([13, 20], [20, 13])
    assert "references" not in describe(path)


def test_parameters_that_a_record_lacks_do_not_count(path):
    soundclf.save(MFCCMeanTransformer(13), path)

    def without_fmax(references):
        del references[0]["parameters"]["fmax"]
        return references

    edit(path, versions="scipy 0.1", shift=100, references=without_fmax)
    with pytest.warns(FeatureDriftWarning):
        soundclf.load(path)


@pytest.mark.parametrize(
    "transformer",
    [MFCCMeanTransformer(hop_length=1, sr=192000), LogMelTransformer(60, hop_length=8, n_mels=40)],
    ids=["mfcc", "log-mel"],
)
def test_settings_that_would_take_long_are_not_compared(transformer, path):
    soundclf.save(transformer, path)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("soundclf.json"))["references"] == []


def test_a_transformer_that_cannot_compute_features_here_is_saved_and_loaded(path, monkeypatch):
    def fail(transformer):
        raise ImportError("resampy")

    soundclf.save(MFCCMeanTransformer(13), path)
    monkeypatch.setattr(_drift, "_get_versions", fail)
    load_quietly(path)
    soundclf.save(MFCCMeanTransformer(13), path)
    load_quietly(path)


@pytest.mark.parametrize(
    "references",
    [
        {},
        [1],
        [{}],
        [{"parameters": 1, "features": "reference_0.npy"}],
        [{"parameters": {}, "features": 3}],
        [{"parameters": {}, "features": "schema.json"}],
        [{"parameters": {}, "features": "missing.npy"}],
        [{"parameters": {}}] * 17,
    ],
    ids=["dict", "number", "empty", "parameters", "name", "schema", "missing", "many"],
)
def test_damaged_records_are_refused(references, path):
    soundclf.save(MFCCMeanTransformer(13), path)
    edit(path, references=lambda _: references)
    with pytest.raises(ModelError, match="cannot be loaded: "):
        soundclf.load(path)
