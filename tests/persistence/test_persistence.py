"""save, load and describe: what comes back, what is left out, what is refused, and what is left behind."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys
import time
import warnings
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedGroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

import soundclf
from soundclf import (
    ConvAudioClassifier,
    DenseAudioClassifier,
    LogMelTransformer,
    MFCCMeanTransformer,
    MFCCStatisticsTransformer,
    ModelError,
    ModelWarning,
)
from soundclf.persistence import describe

RESET = ("checkpoint", "memory", "n_jobs")


def dense(**parameters):
    return DenseAudioClassifier(**{"hidden_layer_sizes": (6,), "n_networks": 2, "epochs": 2, **parameters})


def kept(model, path, **options):
    """The model after its time in a file."""
    soundclf.save(model, path, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return soundclf.load(path, **{name: value for name, value in options.items() if name == "trusted"})


def assert_same(one, other):
    """That two states are equal to the last bit, and of the same types."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        if one.dtype == object:
            assert one.tolist() == other.tolist()
        else:
            assert one.tobytes() == other.tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(legacy=False), other.get_state(legacy=False))
    else:
        assert one == other


def names_in(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.fixture(scope="module")
def spectra():
    rng = np.random.default_rng(0)
    X = rng.normal(-50, 3, size=(12, 8, 10)).astype(np.float32)
    X[:6, 4:] += 20
    return X, np.repeat([3, 7], 6)


@pytest.fixture(scope="module")
def classifiers(blobs, spectra):
    """Our fitted classifiers, with what they were fitted on."""
    X, y = blobs
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])
    weights = {"cat": 1.0, "dog": 2.0, "owl": 0.5}
    conv = ConvAudioClassifier((4,), epochs=2, random_state=0)
    return {
        "dense": (dense(random_state=0).fit(X, y), X, y),
        "names": (dense(random_state=0, class_weight=weights, n_networks=1).fit(frame, y), frame, y),
        "raw": (dense(normalize=False, optimizer="SGD", random_state=np.random.RandomState(3)).fit(X / 1e5, y), X, y),
        "bool": (dense(random_state=0, early_stopping=True).fit(X, y == "dog"), X, y == "dog"),
        "numpy": (
            dense(hidden_layer_sizes=np.array([5, 4]), epochs=np.int64(2), dropout=np.float32(0.25)).fit(X, y),
            X,
            y,
        ),
        "conv": (conv.fit(*spectra), *spectra),
    }


NAMES = ["dense", "names", "raw", "bool", "numpy", "conv"]


@pytest.mark.parametrize("name", NAMES)
def test_classifiers_come_back_to_the_last_bit(classifiers, name, path):
    clf, X, _ = classifiers[name]
    back = kept(clf, path)
    assert_same(vars(clf), vars(back))
    assert_same(clf.predict_proba(X), back.predict_proba(X))
    assert_same(clf.predict(X), back.predict(X))
    assert_same(clone(clf).get_params().keys(), clone(back).get_params().keys())


def test_states_of_generators_are_kept_exactly(classifiers, path):
    clf = classifiers["dense"][0]
    random = kept(clf, path)._training_states[0]["random"]
    assert random == clf._training_states[0]["random"]
    assert random["state"]["state"] > 2**64


@pytest.mark.parametrize("name", ["dense", "raw"])
def test_learning_goes_on_as_before(classifiers, name, path):
    clf, X, y = classifiers[name]
    X = X / 1e5 if name == "raw" else X
    back = kept(clf, path)
    original = joblib.load(_dumped(clf, path))
    for one in (original, back):
        one.partial_fit(X[:20], y[:20])
        one.set_params(warm_start=True).fit(X, y)
    assert_same(vars(original), vars(back))


def _dumped(model, path):
    joblib.dump(model, path.with_suffix(".joblib"))
    return path.with_suffix(".joblib")


def test_the_keras_model_is_built_from_a_loaded_classifier(classifiers, path):
    clf, X, _ = classifiers["dense"]
    back = kept(clf, path)
    np.testing.assert_allclose(back.model_.predict(X, verbose=0), clf.predict_proba(X), atol=1e-5)


def test_an_unfitted_estimator_may_be_saved(path):
    back = kept(dense(epochs=7), path)
    assert back.get_params() == dense(epochs=7).get_params()


# -- scikit-learn around it --------------------------------------------------------------------------------------------


def _models():
    logistic = LogisticRegression()
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    return {
        "svc": make_pipeline(StandardScaler(), SVC()),
        "nusvc": make_pipeline(StandardScaler(), NuSVC(kernel="poly")),
        "extra trees": ExtraTreesClassifier(5, random_state=0),
        "forest": RandomForestClassifier(5, max_leaf_nodes=6, random_state=0),
        "histograms": HistGradientBoostingClassifier(max_iter=3, max_features=0.5, random_state=0),
        "voting": VotingClassifier([("a", scaled), ("b", make_pipeline(MinMaxScaler(), SVC()))]),
        "stacking": StackingClassifier([("a", scaled), ("b", LinearDiscriminantAnalysis())]),
        "search": GridSearchCV(
            scaled, {"logisticregression__C": [0.1, 1]}, cv=StratifiedGroupKFold(2), scoring="f1_macro"
        ),
        "scorers": GridSearchCV(
            logistic,
            [{"C": [0.1]}, {"max_iter": [9]}],
            scoring={"f1": make_scorer(f1_score, average="macro"), "accuracy": "accuracy"},
            refit="f1",
        ),
        "random search": RandomizedSearchCV(logistic, {"C": [0.1, 1.0]}, n_iter=2, random_state=0),
        "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2),
        "isotonic": CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2),
        "union": make_pipeline(FeatureUnion([("pca", PCA(3)), ("best", SelectKBest(k=4))]), logistic),
        "columns": make_pipeline(
            ColumnTransformer(
                [("a", StandardScaler(), ["f0"]), ("b", MinMaxScaler(), make_column_selector("f[12]"))],
                remainder="passthrough",
            ),
            logistic,
        ),
        "imputed": make_pipeline(SimpleImputer(), KBinsDiscretizer(3, encode="ordinal"), logistic),
        "neighbours": KNeighborsClassifier(algorithm="brute"),
        "perceptron": MLPClassifier((4,), max_iter=3, random_state=0),
        "sgd": SGDClassifier(loss="log_loss", random_state=0),
        "boosted": AdaBoostClassifier(n_estimators=3, random_state=0),
        "bagged": BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0),
        "one versus rest": OneVsRestClassifier(SVC()),
        "function": make_pipeline(FunctionTransformer(np.arctan), StandardScaler(), logistic),
        "passthrough": Pipeline([("nothing", "passthrough"), ("clf", LogisticRegression())]),
    }


@pytest.mark.parametrize("name", list(_models()))
@pytest.mark.filterwarnings("ignore")
def test_steps_of_scikit_learn_come_back(name, blobs, path):
    X, y = blobs
    X = pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])]) if name == "columns" else X
    groups = {"groups": np.arange(len(y)) // 2} if name == "search" else {}
    model = _models()[name].fit(X, y, **groups)
    back = kept(model, path)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            assert_same(getattr(model, method)(X), getattr(back, method)(X))
    shown = [re.sub(" at 0x[0-9a-f]+", "", str(clone(one))) for one in (model, back)]
    assert shown[0] == shown[1]
    if name in ("search", "scorers", "random search"):
        assert back.best_params_ == model.best_params_
        assert list(back.cv_results_) == list(model.cv_results_)


def test_a_pipeline_over_files_comes_back(tone_files, tones, path):
    features = FeatureUnion(
        [
            ("mean", MFCCMeanTransformer(12, duration=1.5)),
            ("statistics", MFCCStatisticsTransformer(6, deltas=0, descriptors=[], statistics=["std"])),
        ]
    )
    clf = make_pipeline(features, dense(random_state=0)).fit(tone_files, tones[1])
    back = kept(clf, path)
    assert_same(clf.predict_proba(tone_files), back.predict_proba(tone_files))
    assert_same(back.classes_, clf.classes_)


def test_loading_and_predicting_import_neither_tensorflow_nor_keras(tone_files, tones, path):
    clf = make_pipeline(MFCCMeanTransformer(12), dense(random_state=0)).fit(tone_files, tones[1])
    soundclf.save(clf, path)
    code = """
import sys, soundclf
print(*soundclf.load(sys.argv[1]).predict(sys.argv[2:]))
print([name for name in ("tensorflow", "keras", "scikeras", "librosa") if name in sys.modules])
"""
    command = [sys.executable, "-c", code, path, *tone_files[:3]]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == [" ".join(clf.predict(tone_files[:3])), "[]"]


# -- what is left out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, pathlib.Path, joblib.Memory])
def test_paths_and_workers_are_not_kept_in_any_step(kind, blobs, tmp_path, path):
    X, y = blobs
    secret = "a-folder-of-mine"
    folder = kind(str(tmp_path / secret)) if kind is not joblib.Memory else joblib.Memory(tmp_path / secret, verbose=0)
    inner = make_pipeline(
        StandardScaler(), LogisticRegression(), memory=folder if kind is not pathlib.Path else str(folder)
    )
    voting = VotingClassifier([("a", inner), ("b", ExtraTreesClassifier(3, n_jobs=2, random_state=0))], n_jobs=2)
    search = GridSearchCV(voting, {"b__max_depth": [2, 3]}, cv=2, n_jobs=1).fit(X, y)
    transformer = MFCCMeanTransformer(memory=folder, n_jobs=2)
    model = Pipeline([("features", transformer), ("search", search)])
    before = pickle.dumps(model)
    back = kept(model, path)
    assert pickle.dumps(model) == before
    assert secret.encode() not in path.read_bytes()
    found = {**back.get_params(), **back[-1].best_estimator_.get_params(), **back[-1].best_estimator_.__dict__}
    for fitted in back[-1].best_estimator_.estimators_:
        found |= {f"{fitted}{name}": value for name, value in fitted.get_params().items()}
    reset = {name: value for name, value in found.items() if name.split("__")[-1] in RESET}
    assert len(reset) > 10
    assert set(reset.values()) == {None}
    given, now = model.get_params(), back.get_params()
    assert given.keys() == now.keys()
    assert back[0].get_params() == {**model[0].get_params(), "memory": None, "n_jobs": None}
    assert_same(back[-1].predict(X), search.predict(X))


def test_a_checkpoint_is_not_kept(blobs, tmp_path, path):
    clf = dense(random_state=0, checkpoint=tmp_path / "progress").fit(*blobs)
    back = kept(clf, path)
    assert back.checkpoint is None
    assert clf.checkpoint == tmp_path / "progress"
    assert b"progress" not in path.read_bytes()


def test_the_same_model_gives_the_same_file_but_for_the_date(classifiers, tmp_path):
    clf = classifiers["dense"][0]
    members = []
    for name in ("a.skops", "b.skops"):
        soundclf.save(kept(clf, tmp_path / "c.skops"), tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as archive:
            members.append({n: archive.read(n) for n in archive.namelist() if n != "soundclf.json"})
    assert members[0] == members[1]


# -- the description --------------------------------------------------------------------------------------------------


def test_a_file_describes_its_model(blobs, path):
    X, y = blobs
    grid = {"denseaudioclassifier__dropout": [0.1, 0.2], "mfccmeantransformer__n_mfcc": [8]}
    pipe = make_pipeline(
        MFCCMeanTransformer(sr=8000, duration=2.0, memory=path.parent / "cache"), dense(random_state=0)
    )
    search = GridSearchCV(pipe, grid, cv=2).fit([(row / 1e6, 8000) for row in X.repeat(50, axis=1)], y)
    soundclf.save(search, path, report={"accuracy": np.float64(0.5), "matrix": np.eye(2), "note": None})
    description = describe(path)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description["classes"] == ["cat", "dog", "owl"]
    assert description["audio"] == [{"sr": 8000, "duration": 2.0, "res_type": "soxr_hq"}]
    assert description["report"] == {"accuracy": 0.5, "matrix": [[1, 0], [0, 1]], "note": None}
    assert description["versions"]["soundclf"] == soundclf.__version__
    assert description["versions"]["scikit-learn"] == sklearn.__version__
    model = description["model"]
    assert model["class"].endswith("GridSearchCV")
    name, clf = model["best_estimator"]["parameters"]["steps"][1]
    assert name == "denseaudioclassifier"
    assert clf["parameters"]["dropout"] == search.best_params_["denseaudioclassifier__dropout"]
    assert "cache" not in json.dumps(description)
    code = "import sys; from soundclf.persistence import describe; describe(sys.argv[1]); print('skops' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"


def test_a_report_that_json_cannot_express_is_refused(path):
    with pytest.raises(ModelError, match=r"model\.skops': the report holds set, which JSON cannot express"):
        soundclf.save(LogisticRegression(), path, report={"classes": {1, 2}})
    assert not path.exists()


def _rewrite(path, schema=lambda text: text, **changes):
    """Rewrite a file with another description."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["soundclf.json"])
    versions = {**description["versions"], **changes.get("versions", {})}
    members["soundclf.json"] = json.dumps({**description, **changes, "versions": versions}).encode()
    members["schema.json"] = schema(members["schema.json"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("versions", "description"),
    [
        ({"soundclf": "99.1.0"}, f"soundclf 99.1.0, here is {soundclf.__version__}"),
        ({"scikit-learn": "1.2.3"}, f"scikit-learn 1.2.3, here is {sklearn.__version__}"),
    ],
)
def test_other_versions_are_reported_once(versions, description, path):
    soundclf.save(make_pipeline(StandardScaler(), LogisticRegression()), path)
    given = json.dumps(json.dumps(sklearn.__version__)).encode()
    _rewrite(path, lambda text: text.replace(given, json.dumps(json.dumps("1.2.3")).encode()), versions=versions)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("schema.json").count(b"1.2.3") == 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        soundclf.load(path)
    assert [str(warning.message) for warning in caught] == [
        f"The model file {str(path)!r} was written with {description}: it may predict otherwise, or fail"
    ]
    assert caught[0].category is ModelWarning
    assert caught[0].filename == __file__


def test_a_warning_of_other_versions_stays_one_short_line(path):
    soundclf.save(LogisticRegression(), path)
    _rewrite(path, versions={"scikit-learn": "1\n2" + "x" * 10**6})
    with pytest.warns(ModelWarning) as caught:
        soundclf.load(path)
    (text,) = (str(warning.message) for warning in caught)
    assert len(text) < 1300
    assert "\n" not in text


def test_a_file_of_a_later_format_is_refused(path):
    soundclf.save(LogisticRegression(), path)
    _rewrite(path, format=99, versions={"soundclf": "99.1.0"})
    for function in (soundclf.load, describe):
        with pytest.raises(ModelError, match=r"written by soundclf 99\.1\.0, in a format that soundclf .* not know"):
            function(path)


# -- what is refused ---------------------------------------------------------------------------------------------------


class Halved(TransformerMixin, BaseEstimator):
    """A step of a user's own."""

    def __init__(self, by=2):
        self.by = by

    def fit(self, X, y=None):
        self.seen_ = len(X)
        return self

    def transform(self, X):
        return X / self.by


def doubled(X):
    return X * 2


def test_steps_of_ones_own_have_to_be_named_both_times(blobs, path):
    X, y = blobs
    clf = make_pipeline(Halved(), FunctionTransformer(doubled), LogisticRegression()).fit(X, y)
    names = r"test_persistence\.Halved \(model\.steps\[0\]\[1\]\), test_persistence\.doubled \(model.*func\)"
    with pytest.raises(ModelError, match=rf"not known to be safe, {names}; pass .* trusted=\[\.\.\.\], here and to"):
        soundclf.save(clf, path)
    assert not path.exists()
    trusted = [Halved, doubled]
    back = kept(clf, path, trusted=trusted)
    assert_same(back.predict_proba(X), clf.predict_proba(X))
    assert back[0].seen_ == len(X)
    with pytest.raises(ModelError, match=rf"model\.skops' cannot be loaded: .*{names}; if you know"):
        soundclf.load(path)


def test_trust_is_in_objects_not_names(path):
    soundclf.save(LogisticRegression(), path)
    for trusted in ("os.system", ["os.system"], [lambda X: X], [functools.partial(doubled)], None, {Halved}):
        with pytest.raises(ModelError, match="trusted must"):
            soundclf.load(path, trusted=trusted)


def _refused():
    X, y = np.arange(12.0).reshape(6, 2), np.repeat([0, 1], 3)
    itself = FunctionTransformer(kw_args={})
    itself.kw_args["itself"] = itself
    return {
        "partial": (FunctionTransformer(functools.partial(doubled)), r"can hold functools\.partial \(model\.func\)"),
        "lambda": (FunctionTransformer(lambda X: X), r"not known to be safe, test_persistence\.<lambda> \(model\.func"),
        "method": (FunctionTransformer(Halved().transform), r"no model file can hold test_persistence\.Halved"),
        "sparse": (SVC().fit(scipy.sparse.csr_array(X), y), r"can hold scipy\.sparse\._csr\.csr_"),
        "bytes": (FunctionTransformer(kw_args={"a": b"b"}), r"can hold builtins\.bytes \(model\.kw_args\.a\)"),
        "flags": (LogisticRegression(class_weight={True: 1, False: 2}), r"class_weight has keys .*\(builtins\.bool\)"),
        "a tree of neighbours": (
            KNeighborsClassifier(1).fit(X, y),
            r"no model file can .*_kd_tree\.KDTree \(model\._tree\)",
        ),
        "keys": (FunctionTransformer(kw_args={1: 1, "1": 2}), r"kw_args has keys that no .*\(alike in JSON\)"),
        "boosting": (GradientBoostingClassifier(n_estimators=1).fit(X, y), r"\.GradientBoostingClassifier \(model\)"),
        "itself": (itself, "nested too deeply, or in themselves"),
        "a class": (LogisticRegression, "it must be a scikit-learn estimator, not type"),
        "no estimator": ([1, 2], "it must be a scikit-learn estimator, not list"),
        "a bad parameter": (MFCCMeanTransformer(n_mfcc=-1), r"parameter that is not allowed: The 'n_mfcc' parameter"),
    }


@pytest.mark.parametrize("name", list(_refused()))
def test_what_load_would_refuse_is_not_written(name, path):
    model, why = _refused()[name]
    with pytest.raises(ModelError, match=why) as caught:
        soundclf.save(model, path)
    assert str(caught.value).startswith(f"The model cannot be saved as {str(path)!r}: ")
    assert "\n" not in str(caught.value)
    assert names_in(path.parent) == []


def test_the_model_comes_first(path):
    with pytest.raises(
        TypeError, match=r"^save takes the model first and then the path, got LogisticRegression as the"
    ):
        soundclf.save(path, LogisticRegression())


def test_objects_of_keras_are_refused(blobs, path):
    keras = pytest.importorskip("keras")
    X, y = blobs
    fitted = make_pipeline(StandardScaler(), dense(optimizer=keras.optimizers.Adam(0.01)).fit(X, y))
    with pytest.raises(ModelError, match=r"steps\[1\]\[1\]\.optimizer is a Keras object; fit with its name in place"):
        soundclf.save(fitted, path)
    fitted.set_params(denseaudioclassifier__optimizer="adam")  # which the network was not made with
    with pytest.raises(ModelError, match=r"\.optimizer is a Keras object"):
        soundclf.save(fitted, path)
    watched = dense(callbacks=[keras.callbacks.TerminateOnNaN()]).fit(X, y)
    with pytest.raises(ModelError, match=r"model\.callbacks holds Keras objects; set callbacks=None first"):
        soundclf.save(watched, path)
    assert names_in(path.parent) == []
    assert_same(kept(watched.set_params(callbacks=None), path).predict_proba(X), watched.predict_proba(X))


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model", "model.skops.zip"])
def test_other_suffixes_are_refused(name, tmp_path):
    with pytest.raises(ModelError, match=r"A model file's name ends in \.skops, got .*; for other formats use joblib"):
        soundclf.save(LogisticRegression(), tmp_path / name)


def _files(folder):
    """Files that are no model files, and what is said about them."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    for name, content, why in [
        ("empty", b"", "it is empty"),
        ("text", b"hello", "it is no file in skops' format"),
        ("short", b"P", "it is no file in skops' format"),
        ("picture", png, "it is no file in skops' format"),
        ("only zeros", bytes(1000), "it is no file in skops' format"),
    ]:
        (folder / name).write_bytes(content)
        yield name, why
    joblib.dump(LogisticRegression(), folder / "pickled")
    yield "pickled", "it is a pickle, which can run any code when it is loaded; joblib.load reads your own"
    joblib.dump(LogisticRegression(), folder / "compressed", compress=3)
    yield "compressed", "it is no file in skops' format"
    np.savez(folder / "arrays.npz", a=np.ones(3))
    yield "arrays.npz", r"it was not written by soundclf.save (it holds no soundclf.json)"
    np.savez_compressed(folder / "packed.npz", a=np.ones(3))
    yield "packed.npz", "it is compressed or encrypted, as model files never are"
    (folder / "a folder").mkdir()
    yield "a folder", "it is a folder"
    yield "missing", "there is no such file"
    os.mkfifo(folder / "pipe")
    yield "pipe", "it is not a regular file"
    yield "empty/inside", "it cannot be opened (Not a directory)"


@pytest.mark.parametrize("function", [soundclf.load, describe])
def test_other_files_are_refused_with_a_sentence(function, tmp_path):
    for name, why in _files(tmp_path):
        with pytest.raises(ModelError) as caught:
            function(tmp_path / name)
        verb = "loaded" if function is soundclf.load else "read"
        assert str(caught.value) == f"The model file {str(tmp_path / name)!r} cannot be {verb}: {why}"


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_a_link_stays_a_link_and_an_old_file_is_replaced(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "latest.skops").symlink_to(tmp_path / "models" / "1.skops")
    for C in (1.0, 2.0):
        soundclf.save(LogisticRegression(C=C), tmp_path / "latest.skops")
        assert soundclf.load(tmp_path / "models" / "1.skops").C == C
    assert (tmp_path / "latest.skops").is_symlink()
    assert names_in(tmp_path / "models") == ["1.skops"]


def test_what_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r"cannot be written to '.*no/a\.skops' \(No such file or directory\)"):
        soundclf.save(LogisticRegression(), tmp_path / "no" / "a.skops")
    (tmp_path / "b.skops").mkdir()
    with pytest.raises(OSError, match=r"cannot be written to '.*b\.skops' \(Is a directory\)"):
        soundclf.save(LogisticRegression(), tmp_path / "b.skops")
    assert names_in(tmp_path) == ["b.skops"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(path):
    soundclf.save(LogisticRegression(C=3.0), path)
    code = """
import resource, signal, sys, numpy as np, soundclf
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(np.ones((2, 100_000)))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    soundclf.save(scaler, sys.argv[1])
except OSError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert run.stdout == f"The model cannot be written to {str(path)!r} (File too large)\n"
    assert names_in(path.parent) == [path.name]
    assert soundclf.load(path).C == 3.0


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_save_that_is_stopped_leaves_the_old_file(stop, path):
    soundclf.save(LogisticRegression(C=3.0), path)
    code = """
import sys, numpy as np, soundclf
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(np.ones((2, 1_000_000)))
print("begins", flush=True)
while True:
    soundclf.save(scaler, sys.argv[1])
"""
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    while process.poll() is None and len(names_in(path.parent)) < 2:  # until it writes
        time.sleep(0.001)
    process.send_signal(stop)
    process.wait()
    left = [name for name in names_in(path.parent) if name != path.name]
    assert len(left) <= (stop == signal.SIGKILL)
    assert all(re.fullmatch(r"\.[0-9a-f]{8}\.model\.skops", name) for name in left)
    assert type(soundclf.load(path)) in (LogisticRegression, StandardScaler)


def test_log_mel_and_convolutions_over_files_come_back(tone_files, tones, path):
    clf = make_pipeline(
        LogMelTransformer(duration=0.4, n_mels=16), ConvAudioClassifier((4,), epochs=1, random_state=0)
    ).fit(tone_files, tones[1])
    assert_same(kept(clf, path).predict_proba(tone_files), clf.predict_proba(tone_files))
