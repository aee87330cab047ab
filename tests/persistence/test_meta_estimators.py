"""What scikit-learn users have in their pipelines: meta-estimators, functions of NumPy, imbalanced-learn."""

import importlib

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import soundclf
from soundclf import DenseAudioClassifier, ModelError
from soundclf.persistence import _trusted

LOGISTIC = LogisticRegression()
DENSE = DenseAudioClassifier((3,), epochs=2, n_networks=1, random_state=0)
STEPS = [("logistic", LOGISTIC), ("tree", DecisionTreeClassifier(random_state=0))]
MODELS = {
    "tuned": TunedThresholdClassifierCV(LOGISTIC),
    "tuned-scorer": TunedThresholdClassifierCV(LOGISTIC, scoring=make_scorer(f1_score, pos_label="b")),
    "tuned-curve": TunedThresholdClassifierCV(LOGISTIC, store_cv_results=True, cv=3),
    "fixed": FixedThresholdClassifier(LOGISTIC, threshold=0.3),
    "sigmoid": CalibratedClassifierCV(LOGISTIC, method="sigmoid"),
    "isotonic": CalibratedClassifierCV(LOGISTIC, method="isotonic"),
    "temperature": CalibratedClassifierCV(LOGISTIC, method="temperature"),
    "one-calibrator": CalibratedClassifierCV(LinearSVC(), ensemble=False),
    "stacking": StackingClassifier(STEPS, final_estimator=LogisticRegression(), cv=StratifiedKFold(3)),
    "stacking-passthrough": StackingClassifier(STEPS, passthrough=True),
    "voting": VotingClassifier([*STEPS, ("forest", RandomForestClassifier(3, random_state=0))], voting="soft"),
    "calibrated-networks": CalibratedClassifierCV(DENSE, cv=2),
    "tuned-networks": TunedThresholdClassifierCV(DENSE, cv=2),
    "ufuncs": make_pipeline(
        FunctionTransformer(np.cbrt, inverse_func=np.square, check_inverse=False),
        FunctionTransformer(np.tanh),
        LOGISTIC,
    ),
    "clip": make_pipeline(FunctionTransformer(np.clip, kw_args={"a_min": -1, "a_max": 1}), LOGISTIC),
    "nan": make_pipeline(FunctionTransformer(np.nan_to_num), LOGISTIC),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b"])[np.arange(60) % 2]
    return rng.normal(size=(60, 4)) + (y == "b")[:, np.newaxis], y


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.mark.parametrize("name", list(MODELS))
def test_models_come_back_with_equal_probabilities(name, rows, path):
    X, y = rows
    model = MODELS[name].fit(X, y)
    soundclf.save(model, path)
    loaded = soundclf.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    soundclf.save(loaded, path)


def test_requests_for_metadata_are_saved_and_the_model_stays_as_it_is(rows, path):
    X, y = rows
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), LogisticRegression().set_fit_request(sample_weight=True))
        model[0].set_fit_request(sample_weight=False)
        model.fit(X, y, sample_weight=np.ones(60))
        requests, owner = str(model[1].get_metadata_routing()), model[1]._metadata_request.owner
        soundclf.save(model, path)
        assert model[1]._metadata_request.owner is owner
        loaded = soundclf.load(path)
        assert str(loaded[1].get_metadata_routing()) == requests
        loaded.fit(X, y, sample_weight=np.ones(60))


def test_functions_of_numpy_are_named_as_in_files():
    names = [name for name in _trusted.FUNCTIONS if name.startswith("numpy")]
    assert len(names) > 40
    for name in names:
        module, _, function = name.rpartition(".")
        function = getattr(importlib.import_module(module), function)
        assert name == f"{function.__module__}.{function.__name__}" or name in ("numpy.amax", "numpy.amin")


@pytest.mark.parametrize(
    "function", [np.load, np.fromfile, np.save, np.pad, np.tile, np.apply_along_axis, np.vectorize]
)
def test_other_functions_of_numpy_are_refused_with_what_to_do(function, path):
    with pytest.raises(ModelError, match=rf"numpy\S*{function.__name__} .*trusted=\[...\].*joblib\.dump"):
        soundclf.save(FunctionTransformer(function), path)


def test_imbalanced_learn_is_saved_by_trust(rows, path):
    pipeline = pytest.importorskip("imblearn.pipeline")
    sampling = pytest.importorskip("imblearn.over_sampling")
    X, y = rows
    for sampler in (sampling.RandomOverSampler(random_state=0), sampling.SMOTE(k_neighbors=3, random_state=0)):
        model = pipeline.make_pipeline(StandardScaler(), sampler, LogisticRegression()).fit(X[:50], y[:50])
        with pytest.raises(ModelError, match=rf"imblearn\S*{type(sampler).__name__} .*trusted="):
            soundclf.save(model, path)
        trusted = [pipeline.Pipeline, type(sampler)]
        soundclf.save(model, path, trusted=trusted)
        loaded = soundclf.load(path, trusted=trusted)
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
