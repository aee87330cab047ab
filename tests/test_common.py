"""scikit-learn's contract, and ours, for every public estimator."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample
from sklearn.utils.estimator_checks import check_estimator

import soundclf
from soundclf import DenseAudioClassifier, MFCCMeanTransformer

ESTIMATORS = [
    value
    for value in (getattr(soundclf, name) for name in soundclf.__all__)
    if isinstance(value, type) and issubclass(value, BaseEstimator)
]
QUICK = {
    # Spectra of one frame, distinguished by their level, and three of two bands: no masks or mixtures.
    "ConvAudioClassifier": {
        "channels": (16,),
        "epochs": 30,
        "learning_rate": 0.02,
        "mixup": 0,
        "dropout": 0,
    },
    "DenseAudioClassifier": {"epochs": 10, "n_networks": 2},
}
EXEMPTION = (
    "batches of rows: a weight of 2 is one row in one batch, a repeated row is two in two, and dropout and the order "
    "of the rows differ; scikit-learn exempts its own mini-batch learners, such as SGDClassifier, for the same reason"
)
EXPECTED_FAILURES = {
    name: {"check_sample_weight_equivalence_on_dense_data": EXEMPTION}
    for name in ("ConvAudioClassifier", "DenseAudioClassifier")
}


def short_pipeline(**parameters):
    return make_pipeline(
        MFCCMeanTransformer(n_mfcc=13), DenseAudioClassifier((16,), epochs=60, random_state=0, **parameters)
    )


def test_every_estimator_is_checked():
    assert {estimator.__name__ for estimator in ESTIMATORS} >= {"DenseAudioClassifier", "MFCCMeanTransformer"}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.__name__)
def test_estimator_checks(estimator):
    expected = EXPECTED_FAILURES.get(estimator.__name__, {})
    results = check_estimator(
        estimator(**QUICK.get(estimator.__name__, {})), expected_failed_checks=expected, on_fail=None, on_skip=None
    )
    outcome = {
        status: {r["check_name"] for r in results if r["status"] == status} for status in ("failed", "skipped", "xfail")
    }
    assert outcome == {"failed": set(), "skipped": set(), "xfail": set(expected)}
    assert len(results) >= 44


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.__name__)
def test_parameters_round_trip_and_show(estimator):
    instance = estimator()
    assert clone(instance).get_params() == instance.get_params()
    assert estimator.__name__ in repr(instance)
    assert estimator.__name__ in instance._repr_html_()


# -- the forms of clips ------------------------------------------------------------------------------------------------

FORMS = {
    "paths": lambda files, clips: files,
    "tuple of paths": lambda files, clips: tuple(files),
    "Paths": lambda files, clips: [Path(file) for file in files],
    "bytes": lambda files, clips: [Path(file).read_bytes() for file in files],
    "file objects": lambda files, clips: [io.BytesIO(Path(file).read_bytes()) for file in files],
    "arrays": lambda files, clips: clips,
    "pairs": lambda files, clips: [(clip, 22050) for clip in clips],
    "object array": lambda files, clips: np.array(files, dtype=object),
    "string array": lambda files, clips: np.array(files),
    "Series": lambda files, clips: pd.Series(files, index=np.arange(len(files))[::-1]),
    "object Series": lambda files, clips: pd.Series(files, dtype=object),
    "Index": lambda files, clips: pd.Index(files),
    "2-D array": lambda files, clips: np.stack(clips),
    "2-D list": lambda files, clips: np.stack(clips).tolist(),
    "DataFrame": lambda files, clips: pd.DataFrame(np.stack(clips)),
    "mixed": lambda files, clips: [files[0], Path(files[1]), clips[2], (clips[3], 22050), *files[4:]],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_one_sound_give_the_same_features(form, tones, tone_files):
    expected = MFCCMeanTransformer().transform(tone_files)
    np.testing.assert_array_equal(MFCCMeanTransformer().fit_transform(FORMS[form](tone_files, tones[0])), expected)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "file objects"])
def test_forms_go_through_cross_validation_in_two_processes(form, tones, tone_files):
    clips = FORMS[form](tone_files, tones[0])
    if form == "Index":
        try:
            resample(clips, n_samples=2)
        except (TypeError, ValueError) as error:  # strings backed by pyarrow, scikit-learn 1.9
            pytest.skip(f"scikit-learn cannot index a pandas Index of strings here: {error}")
    clf = make_pipeline(MFCCMeanTransformer(n_mfcc=13), StandardScaler(), LogisticRegression())
    scores = cross_val_score(clf, clips, tones[1], cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, [1.0, 1.0])


# -- inside scikit-learn -----------------------------------------------------------------------------------------------


def test_classifier_is_one_and_is_split_by_class(tones):
    pipeline = short_pipeline()
    assert is_classifier(DenseAudioClassifier())
    assert is_classifier(pipeline)
    assert isinstance(check_cv(3, tones[1], classifier=is_classifier(pipeline)), StratifiedKFold)


def test_five_lines(tone_files, tones, tmp_path):
    import joblib

    clf = make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier(random_state=0))
    clf.fit(tone_files[::2], list(tones[1][::2]))
    assert clf.score(tone_files[1::2], tones[1][1::2]) == 1.0
    assert clf.predict([tone_files[0]]).tolist() == ["high"]
    joblib.dump(clf, tmp_path / "sounds.joblib")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "sounds.joblib").predict_proba(tone_files), clf.predict_proba(tone_files)
    )


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_over_both_steps(n_jobs, tone_files, tones):
    grid = {"mfccmeantransformer__n_mfcc": [5, 13], "denseaudioclassifier__dropout": [0.0, 0.3]}
    search = GridSearchCV(short_pipeline(), grid, cv=2, n_jobs=n_jobs).fit(pd.Series(tone_files), pd.Series(tones[1]))
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ == 1.0
    assert search.predict(pd.Series(tone_files[:3])).tolist() == ["high"] * 3


def test_cross_val_predict_and_learning_curve(tone_files, tones):
    X, y = pd.Series(tone_files), tones[1]
    predicted = cross_val_predict(short_pipeline(), X, y, cv=3, method="predict_proba")
    assert predicted.shape == (24, 3)
    np.testing.assert_array_equal(np.unique(y)[predicted.argmax(axis=1)], y)
    sizes, _, test_scores = learning_curve(
        short_pipeline(), X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )
    assert sizes.tolist() == [6, 12]
    assert test_scores[-1].mean() == 1.0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: CalibratedClassifierCV(clf, cv=2),
        lambda clf: VotingClassifier(
            [("a", clf), ("b", clone(clf).set_params(denseaudioclassifier__dropout=0.0))], voting="soft"
        ),
        lambda clf: StackingClassifier([("a", clf)], cv=2),
    ],
    ids=["calibrated", "voting", "stacking"],
)
def test_meta_estimators_over_paths(wrap, tone_files, tones):
    X = pd.Series(tone_files)
    meta = wrap(short_pipeline()).fit(X, tones[1])
    assert meta.score(X, tones[1]) == 1.0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(meta)).predict(X), meta.predict(X))


def test_output_as_pandas(tone_files, tones):
    frame = MFCCMeanTransformer(n_mfcc=5).set_output(transform="pandas").fit_transform(tone_files)
    assert list(frame.columns) == [f"mfcc_mean_{i}" for i in range(5)]
    assert list(MFCCMeanTransformer(n_mfcc=5).get_feature_names_out()) == list(frame.columns)
    clf = DenseAudioClassifier((4,), epochs=2).fit(frame, tones[1])
    assert clf.feature_names_in_.tolist() == list(frame.columns)
    pipeline = short_pipeline().set_output(transform="pandas").fit(tone_files, tones[1])
    assert pipeline[:-1].get_feature_names_out().tolist() == [f"mfcc_mean_{i}" for i in range(13)]


@pytest.fixture
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("_routing")
def test_sample_weight_is_routed(tone_files, tones):
    used = tones[1] != "mid"
    weighted = short_pipeline().fit(tone_files, tones[1], sample_weight=used.astype(float))
    assert weighted.score(np.array(tone_files)[used], tones[1][used]) == 1.0
    features = weighted[0].transform(np.array(tone_files)[used])
    np.testing.assert_allclose(weighted[-1].mean_, features.mean(axis=0, dtype=float))  # rows of no weight do not count
    unweighted = make_scorer(accuracy_score).set_score_request(sample_weight=False)
    scores = cross_val_score(  # another layer, which must pass the weights on to fit alone
        short_pipeline(),
        tone_files,
        tones[1],
        cv=2,
        params={"sample_weight": used.astype(float)},
        scoring=unweighted,
    )
    assert (scores >= 0.6).all()  # two classes of three were learned


@pytest.mark.usefixtures("_routing")
def test_validation_clips_are_routed_and_transformed(tone_files, tones):
    pipeline = make_pipeline(
        MFCCMeanTransformer(n_mfcc=13), DenseAudioClassifier((8,), epochs=3, random_state=0), transform_input=["X_val"]
    )
    pipeline.fit(tone_files[::2], tones[1][::2], X_val=tone_files[1::2], y_val=tones[1][1::2])
    assert len(pipeline[-1].history_["val_loss"]) == 3
