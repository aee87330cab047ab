"""Model files of earlier formats, and what changes in scikit-learn do to saving and loading."""

import importlib.util
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

import soundclf
from soundclf import ModelError, ModelWarning
from soundclf.persistence import _migrations, describe

MODELS = Path(__file__).parent / "models"
FILES = sorted(MODELS.glob("format-*/*.skops"))


@pytest.fixture(scope="module")
def clips():
    spec = importlib.util.spec_from_file_location("write_models", MODELS / "write_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_clips()


@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}-{file.stem}" for file in FILES])
def test_a_file_of_any_format_loads_predicts_and_can_be_saved_again(file, clips, tmp_path):
    X, y = clips
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The model file .* was written with", ModelWarning)  # of versions alone
        model = soundclf.load(file)
    expected = np.load(file.parent / "expected.npz")[file.stem]
    soundclf.save(model, tmp_path / "again.skops")
    for one in (model, soundclf.load(tmp_path / "again.skops")):
        got = one.predict_proba(X) if hasattr(one, "predict_proba") else one.transform(X)
        np.testing.assert_allclose(got, expected, rtol=0 if got.max() <= 1 else 1e-5, atol=1e-6)
    if file.stem.startswith("dense"):
        model[-1].partial_fit(model[:-1].transform(X), y)
        assert np.isfinite(model.predict_proba(X)).all()


def test_a_default_of_an_earlier_format_goes_before_that_of_the_class(tmp_path, monkeypatch):
    model = soundclf.MFCCMeanTransformer()
    for last, value in ((1, 11), (2, 22), (3, 33)):
        entry = {"soundclf.transformers.MFCCMeanTransformer": {"n_mfcc": value}}
        monkeypatch.setitem(_migrations._DEFAULTS, last, entry)
    for version, value in ((1, 11), (2, 22), (4, 40)):
        del model.n_mfcc
        _migrations.fill_parameters([model], version)
        assert model.n_mfcc == value


def test_a_missing_architecture_key_gets_the_default_of_its_format(monkeypatch):
    entry = {"soundclf.classifiers.DenseAudioClassifier": {"activation": "gelu"}}
    monkeypatch.setitem(_migrations._DEFAULTS, 1, entry)
    for version, activation in ((1, "gelu"), (2, "relu")):
        model = soundclf.DenseAudioClassifier((3,))
        model._architecture = model._get_architecture_parameters()
        del model.activation, model._architecture["activation"]
        _migrations.fill_parameters([model], version)
        assert model.activation == model._architecture["activation"] == activation
        assert model._architecture["hidden_layer_sizes"] == (3,)


def test_save_does_not_need_any_library_to_be_installed(tmp_path, monkeypatch):
    version = metadata.version

    def missing(name):
        if name in ("tensorflow", "keras"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", missing)
    soundclf.save(soundclf.MFCCMeanTransformer(), tmp_path / "model.skops")
    assert not {"tensorflow", "keras"} & describe(tmp_path / "model.skops")["versions"].keys()


@pytest.mark.parametrize(
    ("model", "attribute"),
    [
        (HistGradientBoostingClassifier(max_iter=2), "_predictors"),
        (SVC(), "_n_support"),
        (SVC(), "_dual_coef_"),
        (SVC(), "_sparse"),
        (KNeighborsClassifier(1, algorithm="brute"), "_fit_X"),
        (KNeighborsClassifier(1, algorithm="brute"), "_y"),
        (OneHotEncoder(), "_n_features_outs"),
        (OneHotEncoder(), "_infrequent_enabled"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_states_that_scikit_learn_renamed_are_saved_and_refused_with_what_to_do(model, attribute, tmp_path):
    rng = np.random.default_rng(0)
    model.fit(rng.integers(0, 3, (40, 2)).astype(float), np.arange(40) % 2)
    vars(model)[f"{attribute}_renamed"] = vars(model).pop(attribute)
    soundclf.save(model, tmp_path / "model.skops")
    with pytest.raises(ModelError, match=rf"{type(model).__name__} \(KeyError: '{attribute}'\).*trusted=.*joblib"):
        soundclf.load(tmp_path / "model.skops")
    loaded = soundclf.load(tmp_path / "model.skops", trusted=[type(model)])
    assert f"{attribute}_renamed" in vars(loaded)
