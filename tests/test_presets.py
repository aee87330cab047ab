"""Ready classifiers by name: what they are made of, and that each does a classifier's whole job on files."""

from __future__ import annotations

import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from soundclf import ParameterError, make_classifier, save
from soundclf.datasets import make_sounds
from soundclf.evaluation import cross_validate_clips
from soundclf.presets import PRESETS


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return make_sounds(32, duration=0.6, directory=tmp_path_factory.mktemp("sounds"), random_state=0)


def quick(preset, **parameters):
    """A preset whose networks train for two epochs."""
    classifier = make_classifier(preset, **{"random_state": 0, **parameters})
    return classifier.set_params(**{name: 2 for name in classifier.get_params() if name.endswith("__epochs")})


def test_their_names():
    assert PRESETS == ("fast", "balanced", "accurate")
    with pytest.raises(ParameterError, match=r"'preset' .* must be 'fast' or 'balanced' or 'accurate', got 'best'"):
        make_classifier("best")


@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_reach_every_step(preset, tmp_path):
    given = {"memory": tmp_path, "n_jobs": 2, "random_state": 7, "verbose": 1}
    found = make_classifier(preset, **given).get_params()
    reached = [sum(key.endswith(f"__{name}") and found[key] == given[name] for key in found) for name in given]
    assert reached == {"fast": [1, 1, 1, 2], "balanced": [1, 1, 2, 2], "accurate": [2, 2, 3, 4]}[preset]


@pytest.mark.parametrize("preset", PRESETS)
def test_fit_save_load_and_predict_without_tensorflow(preset, sounds, tmp_path):
    classifier = quick(preset, n_jobs=2).fit(sounds.data, sounds.target)
    assert classifier.classes_.tolist() == sounds.target_names
    probabilities = classifier.predict_proba(sounds.data)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    save(classifier, tmp_path / "model.skops")
    joblib.dump((classifier, sounds.data, probabilities), tmp_path / "model.joblib")
    code = (
        "import sys, joblib, numpy as np, soundclf\n"
        "classifier, clips, expected = joblib.load(sys.argv[1])\n"
        "np.testing.assert_array_equal(classifier.predict_proba(clips), expected)\n"
        "classifier = soundclf.load(sys.argv[2])\n"
        "np.testing.assert_array_equal(classifier.predict_proba(clips), expected)\n"
        "assert set(classifier.predict(clips)) <= set(classifier.classes_)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    files = [tmp_path / "model.joblib", tmp_path / "model.skops"]
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("preset", PRESETS)
def test_fits_are_identical_for_one_random_state(preset, sounds):
    first = quick(preset).fit(sounds.data, sounds.target)
    second = clone(first).fit(sounds.data, sounds.target)
    np.testing.assert_array_equal(first.predict_proba(sounds.data), second.predict_proba(sounds.data))


def test_accurate_is_the_weighted_mean_of_its_members(sounds):
    classifier = quick("accurate").fit(sounds.data, sounds.target)
    members = [member.predict_proba(sounds.data) for member in classifier.estimators_]
    assert len(members) == 2
    assert np.abs(members[0] - members[1]).max() > 0.01
    np.testing.assert_allclose(classifier.predict_proba(sounds.data), np.average(members, axis=0, weights=(3, 2)))


def test_accurate_is_judged_by_recordings(sounds):
    evaluation = cross_validate_clips(quick("accurate"), sounds, cv=2, n_bootstrap=20)
    assert evaluation.probabilities.shape == (32, len(sounds.target_names))


@pytest.mark.parametrize("preset", PRESETS)
def test_sounds_of_any_length_and_rate(preset, sounds):
    classifier = quick(preset).fit(sounds.data, sounds.target)
    rng = np.random.default_rng(0)
    others = [
        (rng.normal(size=400).astype(np.float32), 8000),
        (rng.normal(size=(2, 96_000 * 7)).astype(np.float32), 96_000),
    ]
    assert classifier.predict_proba(others).shape == (2, len(sounds.target_names))
