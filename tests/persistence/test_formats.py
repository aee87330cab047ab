"""Model files of earlier formats, and what changes in scikit-learn do to saving and loading."""

import importlib.util
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import soundclf
from soundclf import ModelError, ModelWarning
from soundclf.persistence import _arrays, _migrations, _nodes, _persistence, _requests, describe

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


@pytest.fixture
def tree(tmp_path):
    rng = np.random.default_rng(0)
    model = DecisionTreeClassifier(random_state=0).fit(rng.normal(size=(40, 2)), np.arange(40) % 2)
    soundclf.save(model, tmp_path / "tree.skops")
    return model


def test_trees_whose_nodes_scikit_learn_renamed_are_saved_and_refused_with_what_to_do(tree, tmp_path, monkeypatch):
    def missing(*args):
        raise ValueError("no field of name left_child")

    monkeypatch.setattr(_arrays, "_is_tree", missing)
    soundclf.save(tree, tmp_path / "again.skops")
    with pytest.raises(ModelError, match=r"sklearn\.tree\._tree\.Tree.*no field of name left_child.*joblib"):
        soundclf.load(tmp_path / "again.skops")


def test_kmeans_is_loaded_without_scikit_learns_private_count_of_threads(tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = KMeans(2, random_state=0, n_init=1).fit(X)
    for module in (types.ModuleType("_openmp_helpers"), None):  # without the function, and not there
        monkeypatch.setitem(sys.modules, "sklearn.utils._openmp_helpers", module)
        soundclf.save(model, tmp_path / "model.skops")
        np.testing.assert_array_equal(soundclf.load(tmp_path / "model.skops").predict(X), model.predict(X))


def test_attributes_that_scikit_learns_base_classes_add_are_saved(tmp_path):
    model = soundclf.MFCCMeanTransformer()
    model._sklearn_something_new = {"dense": "default"}
    soundclf.save(model, tmp_path / "model.skops")
    soundclf.load(tmp_path / "model.skops")


def test_requests_for_metadata_that_cannot_be_detached_are_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(_requests, "_MODULE", "elsewhere")
    with sklearn.config_context(enable_metadata_routing=True):
        model = StandardScaler().set_fit_request(sample_weight=True)
        if isinstance(model._metadata_request.owner, str):  # as in scikit-learn 1.7, which can be saved as it is
            pytest.skip("requests of this scikit-learn do not refer to their estimator")
        with pytest.raises(ModelError, match=r"has requests for metadata .* use joblib"):
            soundclf.save(model, tmp_path / "model.skops")


def test_another_protocol_of_skops_is_refused_in_one_sentence(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(_nodes, "_PROTOCOL", 99)
    with pytest.raises(ModelError, match="written by another version of skops"):
        soundclf.load(tmp_path / "tree.skops")


def test_types_that_scikit_learn_moved_are_refused_with_what_to_do(tmp_path, monkeypatch):
    name = "sklearn.calibration._CalibratedClassifier"
    X, y = np.arange(20.0)[:, np.newaxis], np.arange(20) % 2
    model = CalibratedClassifierCV(LogisticRegression(), cv=2).fit(X, y)
    monkeypatch.setattr(_persistence, "CLASSES", _persistence.CLASSES - {name})
    with pytest.raises(ModelError, match=rf"{name} .*trusted=\[\.\.\.\]"):
        soundclf.save(model, tmp_path / "model.skops")
    trusted = [type(model.calibrated_classifiers_[0])]
    soundclf.save(model, tmp_path / "model.skops", trusted=trusted)
    soundclf.load(tmp_path / "model.skops", trusted=trusted)
