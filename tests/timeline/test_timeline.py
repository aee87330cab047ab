"""Long recordings: windows, segments, exports, live streams."""

from __future__ import annotations

import csv
import itertools
import json
import os
import stat
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from soundclf import (
    AudioError,
    AudioWarning,
    DenseAudioClassifier,
    LogMelTransformer,
    MFCCMeanTransformer,
    ParameterError,
    load_clip,
    predict_stream,
    predict_timeline,
)
from soundclf.datasets import make_sounds
from soundclf.timeline import Segment, Timeline

SR = 22050
CLASSES = ["bird", "engine", "phone", "rain"]


def pipeline(**parameters):
    """A classifier in which a row's probabilities do not depend on the other rows, to the last bit."""
    return make_pipeline(MFCCMeanTransformer(**parameters), GaussianNB())


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(96, classes=CLASSES, duration=2.0, random_state=0)


@pytest.fixture(scope="module")
def model(sounds):
    return pipeline().fit(sounds.data, sounds.target)


@pytest.fixture(scope="module")
def order():
    """Classes in random order, without repetitions in a row."""
    rng = np.random.default_rng(0)
    chosen = [0]
    while len(chosen) < 24:
        chosen.append(rng.choice(np.setdiff1d(np.arange(4), chosen[-1:])))
    return np.array(CLASSES)[chosen]


@pytest.fixture(scope="module")
def recording(order):
    """Clips of 5 s that the model has not seen, one after the other, at 44.1 kHz."""
    new = make_sounds(48, classes=CLASSES, duration=5.0, sr=44100, clips_per_recording=1, random_state=1)
    taken = {name: iter(np.flatnonzero(new.target == name)) for name in CLASSES}
    return np.concatenate([new.data[next(taken[name])] for name in order])


class Listener(ClassifierMixin, BaseEstimator):
    """A classifier that records its input, at the sampling rate of its transformer."""

    def __init__(self, transformer=None):
        self.transformer = transformer
        self.classes_ = np.array(["quiet", "loud"])
        self.clips = []

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        self.clips += list(X)
        loud = np.array([min(1.0, float(np.abs(samples).mean())) for samples, _ in X])
        return np.column_stack([1 - loud, loud])


def noise(seconds, sr=SR, channels=None, seed=0):
    shape = round(seconds * sr) if channels is None else (round(seconds * sr), channels)
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


# -- windows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "sr", "channels"),
    [("wav", SR, 1), ("wav", 44100, 2), ("flac", 48000, 1), ("ogg", 44100, 2), ("wav", 8000, 3), ("flac", 16000, 2)],
)
def test_probabilities_are_those_of_the_pipeline_for_each_window(model, tmp_path, suffix, sr, channels):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, noise(20.3, sr, channels), sr)
    timeline = predict_timeline(model, path, window=2.0, hop=0.5)
    y = load_clip(path, sr=SR)
    starts = [*range(0, len(y) - 2 * SR, SR // 2), len(y) - 2 * SR]
    expected = model.predict_proba([y[start : start + 2 * SR] for start in starts])
    np.testing.assert_array_equal(timeline.probabilities, expected)
    np.testing.assert_array_equal(timeline.starts, np.array(starts) / SR)
    np.testing.assert_array_equal(timeline.ends, (np.array(starts) + 2 * SR) / SR)
    assert timeline.duration == len(y) / SR
    assert timeline.path == str(path)
    assert (timeline.hop, timeline.sr) == (0.5, SR)
    assert timeline.classes.tolist() == CLASSES


@pytest.mark.parametrize("form", [str, lambda path: path.read_bytes(), lambda path: path.open("rb")])
def test_recordings_in_all_forms_of_clips(model, tmp_path, form):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(6), SR)
    expected = predict_timeline(model, (load_clip(path), SR))
    timeline = predict_timeline(model, form(path))
    np.testing.assert_array_equal(timeline.probabilities, expected.probabilities)
    assert timeline.path == (str(path) if form is str else None)
    assert expected.path is None


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.data())
def test_windows_cover_every_recording(n, n_window, n_hop, data):
    n_hop = min(n_hop, n_window)
    listener = Listener()
    y = np.arange(1, n + 1, dtype=np.float32)
    timeline = predict_timeline(listener, (y, 10), sr=10, window=n_window / 10, hop=n_hop / 10)
    regular = [(start, start + n_window) for start in range(0, n - n_window + 1, n_hop)]
    expected = regular or [(0, n)]
    if expected[-1][1] < n:
        expected.append((n - n_window, n))  # the last one ends where the recording ends
    np.testing.assert_array_equal(timeline.starts, np.array([start for start, _ in expected]) / 10)
    np.testing.assert_array_equal(timeline.ends, np.array([end for _, end in expected]) / 10)
    for (start, end), (samples, rate) in zip(expected, listener.clips, strict=True):
        np.testing.assert_array_equal(samples, y[start:end])
        assert rate == 10

    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    live = Listener()
    windows = list(predict_stream(live, np.split(y, cuts), sr=10, window=n_window / 10, hop=n_hop / 10))
    assert [(window.start, window.end) for window in windows] == [(start / 10, end / 10) for start, end in expected]
    for (samples, _), (other, _) in zip(listener.clips, live.clips, strict=True):
        np.testing.assert_array_equal(samples, other)


def test_a_short_recording_is_one_window(model):
    y = noise(0.7)
    timeline = predict_timeline(model, y)
    np.testing.assert_array_equal(timeline.probabilities, model.predict_proba([y]))
    assert (timeline.starts.tolist(), timeline.ends.tolist()) == ([0.0], [0.7])
    (segment,) = timeline.segments(high=0, low=0)
    assert segment[:3] == (0.0, 0.7, timeline.labels[0])
    assert len(predict_timeline(model, y, window=1e305, hop=1e305).starts) == 1


def test_windows_and_hops_are_whole_samples(model):
    timeline = predict_timeline(model, noise(3), window=1.00001, hop=0.33333)
    assert timeline.hop == 7350 / SR
    assert timeline.ends[0] == 1.0
    np.testing.assert_array_equal(timeline.starts[:-1] * SR, np.arange(len(timeline.starts) - 1) * 7350)


def test_threads_do_not_change_windows(sounds):
    one, two = (pipeline(n_jobs=n).fit(sounds.data, sounds.target) for n in (None, 2))
    y = noise(60)
    np.testing.assert_array_equal(predict_timeline(one, y).probabilities, predict_timeline(two, y).probabilities)


def test_the_pipeline_of_the_readme(sounds, recording, order):
    clf = make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier(epochs=20, random_state=0))
    clf.fit(sounds.data, sounds.target)
    timeline = predict_timeline(clf, (recording, 44100), window=2.0, hop=0.5)
    assert [segment.label for segment in timeline.segments(min_duration=2)] == order.tolist()


def test_spectra_and_networks_over_them(sounds):
    clf = make_pipeline(
        LogMelTransformer(duration=2.0), FunctionTransformer(np.mean, kw_args={"axis": 2}), GaussianNB()
    )
    clf.fit(sounds.data, sounds.target)
    y = noise(5)
    expected = clf.predict_proba([y[: 2 * SR], y[SR : 3 * SR], y[2 * SR : 4 * SR], y[3 * SR :]])
    np.testing.assert_array_equal(predict_timeline(clf, y, window=2.0).probabilities, expected)


# -- sampling rate ----------------------------------------------------------------------------------------------------


def searched(sounds):
    search = GridSearchCV(pipeline(), {"mfccmeantransformer__sr": [8000, 11025]}, cv=2)
    search.fit([(y, SR) for y in sounds.data], sounds.target)
    assert search.estimator[0].sr == SR
    return search, search.best_params_["mfccmeantransformer__sr"]


MODELS = {
    "voting": lambda: VotingClassifier([("a", pipeline(sr=16000)), ("b", pipeline(sr=16000))], voting="soft"),
    "calibrated": lambda: CalibratedClassifierCV(pipeline(sr=16000), cv=2),
    "one against the rest": lambda: OneVsRestClassifier(pipeline(sr=16000)),
    "union": lambda: make_pipeline(
        make_union(MFCCMeanTransformer(sr=16000), MFCCMeanTransformer(20, sr=16000)), LogisticRegression(max_iter=1000)
    ),
    "pipeline in a pipeline": lambda: make_pipeline(make_pipeline(MFCCMeanTransformer(sr=16000)), GaussianNB()),
}


@pytest.mark.parametrize("name", MODELS)
def test_sampling_rate_of_nested_transformers(sounds, name):
    model = MODELS[name]().fit([(y, SR) for y in sounds.data], sounds.target)
    timeline = predict_timeline(model, (noise(6), SR))
    assert timeline.sr == 16000
    y = load_clip((noise(6), SR), sr=16000)
    expected = model.predict_proba([y[start : start + 64000] for start in (0, 16000, 32000)])
    np.testing.assert_array_equal(timeline.probabilities, expected)


def test_sampling_rate_of_a_search_is_that_of_the_best_estimator(sounds):
    search, best = searched(sounds)
    assert predict_timeline(search, (noise(5), SR)).sr == best
    assert predict_timeline(FrozenEstimator(search.best_estimator_), (noise(5), SR)).sr == best


def test_several_sampling_rates_need_sr(sounds):
    parts = [("a", pipeline(sr=8000)), ("b", pipeline(sr=16000))]
    model = VotingClassifier(parts, voting="soft").fit([(y, SR) for y in sounds.data], sounds.target)
    sentence = "resamplers in VotingClassifier: sr=8000 with 'soxr_hq', sr=16000 with 'soxr_hq'; pass sr"
    with pytest.raises(ParameterError, match=sentence):
        predict_timeline(model, (noise(5), SR))
    timeline = predict_timeline(model, (noise(5), SR), sr=SR)
    expected = model.predict_proba([(noise(5)[:88200], SR), (noise(5)[SR:], SR)])
    np.testing.assert_array_equal(timeline.probabilities, expected)
    live = np.array([window.probabilities for window in predict_stream(model, [noise(5)], sr=SR)])
    np.testing.assert_array_equal(live, expected)


def test_a_model_without_clip_transformer_needs_sr():
    with pytest.raises(ParameterError, match=r"needs sr, in Hz: Listener has no clip transformer of soundclf"):
        predict_timeline(Listener(), noise(5))
    assert predict_timeline(Listener(), noise(5), sr=8000).sr == 8000


def test_resampler_is_that_of_the_transformer(tmp_path):
    listener = Listener(MFCCMeanTransformer(res_type="polyphase"))
    predict_timeline(listener, (noise(3, 44100), 44100), window=3.0, hop=3.0)
    ((samples, _),) = listener.clips
    np.testing.assert_array_equal(samples, load_clip((noise(3, 44100), 44100), sr=SR, res_type="polyphase"))


def test_a_duration_shorter_than_a_window_warns(sounds):
    model = pipeline(duration=1.5).fit(sounds.data, sounds.target)
    for predict in (lambda: predict_timeline(model, noise(5)), lambda: predict_stream(model, [noise(5)], sr=SR)):
        with pytest.warns(
            AudioWarning, match=r"uses only the first 1\.5 s .* window of 4 s is ignored; pass window=1\.5"
        ) as caught:
            predict()
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict_timeline(model, noise(5), window=1.5)


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"window": 0}, "'window' parameter of predict_timeline must be a number in"),
        ({"hop": -1}, "'hop' parameter of predict_timeline must be a number in"),
        ({"hop": 5}, "hop <= window, got hop=5 and window=4.0"),
        ({"hop": 1e-5}, "hop of at least one sample at 22050 Hz, got hop=1e-05"),
        ({"sr": "22050"}, "'sr' parameter of predict_timeline must be None or a number in"),
        ({"on_error": "nan"}, "'on_error' parameter of predict_timeline must be 'raise' or 'warn'"),
    ],
)
def test_bad_parameters_are_refused(model, parameters, sentence):
    with pytest.raises(ParameterError, match=sentence):
        predict_timeline(model, noise(5), **parameters)


def test_models_without_probabilities_are_refused(sounds):
    unfit = make_pipeline(MFCCMeanTransformer(), LinearSVC()).fit(sounds.data, sounds.target)
    for predict in (predict_timeline, lambda model, y: predict_stream(model, [y], sr=SR)):
        with pytest.raises(ParameterError, match="must have predict_proba, got Pipeline"):
            predict(unfit, noise(5))
        with pytest.raises(ParameterError, match="must have predict_proba, got the class LogisticRegression"):
            predict(LogisticRegression, noise(5))
        with pytest.raises(NotFittedError):
            predict(pipeline(), noise(5))
        several = Listener(MFCCMeanTransformer())
        several.classes_ = [np.array(["a", "b"]), np.array([1, 2, 3])]
        with pytest.raises(ParameterError, match=r"must have classes_, a 1-D array of labels, got Listener"):
            predict(several, noise(5))


def test_a_model_with_circular_references():
    outer, inner = Listener(), Listener(MFCCMeanTransformer(sr=16000))
    outer.transformer, inner.whole = inner, outer
    assert predict_timeline(outer, (noise(5), SR)).sr == 16000


def test_probabilities_of_the_wrong_shape():
    listener = Listener(MFCCMeanTransformer())
    listener.classes_ = np.array(["a", "b", "c"])
    with pytest.raises(ValueError, match=r"returned an array of shape \(2, 2\) for 2 windows and 3 classes"):
        predict_timeline(listener, noise(5))


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A WAV file of 12.5 s without its last 2.5 s."""
    path = tmp_path_factory.mktemp("damaged") / "cut.wav"
    soundfile.write(path, noise(12.5), SR, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 10 * SR])
    return path


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A FLAC file with damaged bytes in the middle."""
    path = tmp_path_factory.mktemp("damaged") / "middle.flac"
    soundfile.write(path, noise(60), SR)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20000] = bytes(20000)
    path.write_bytes(content)
    return path


def test_errors_name_the_recording(model, tmp_path, cut_off, damaged):
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), SR)
    soundfile.write(tmp_path / "nan.wav", np.append(noise(9), np.nan), SR, subtype="FLOAT")
    for path, reason in [
        (tmp_path / "absent.wav", "no such file"),
        (tmp_path / "empty.wav", "the file is empty"),
        (tmp_path / "nothing.wav", "holds no samples"),
        (tmp_path / "nan.wav", "contains NaN or infinity"),
        (cut_off, "truncated"),
        (damaged, "damaged"),
    ]:
        with pytest.raises(AudioError, match=reason) as caught:
            predict_timeline(model, path)
        assert caught.value.clip == repr(str(path))


def test_timeline_before_damage(model, cut_off, damaged):
    with pytest.warns(AudioWarning, match=r"cut\.wav': it is truncated: .* The timeline ends there") as caught:
        timeline = predict_timeline(model, cut_off, on_error="warn")
    assert caught[0].filename == __file__
    assert caught[0].message.errors == (timeline.damage,)
    assert timeline.damage.reason.startswith("it is truncated: ")
    assert timeline.duration == 10
    y = load_clip((noise(12.5)[: 10 * SR], SR))
    assert len(timeline.starts) == 7
    whole = predict_timeline(model, y)
    assert whole.damage is None
    np.testing.assert_allclose(timeline.probabilities, whole.probabilities, atol=0.01)  # 16 bits
    with pytest.warns(AudioWarning, match=r"middle\.flac': .* damaged after .* The timeline ends there"):
        timeline = predict_timeline(model, damaged, on_error="warn")
    assert 10 < timeline.duration < 40
    assert timeline.damage.clip == repr(str(damaged))


def test_recordings_that_cannot_be_opened_raise(model, tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        predict_timeline(model, tmp_path / "absent.wav", on_error="warn")


def test_unusable_windows_are_reported_with_their_time(model):
    y = noise(30)
    y[round(21.5 * SR)] = 1e30
    with pytest.raises(AudioError, match=r"the window starting at 18 s cannot be used: .* too large"):
        predict_timeline(model, y)


def test_progress_is_shown_on_demand(model, tmp_path, capsys):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(12), SR)
    predict_timeline(model, path)
    assert capsys.readouterr() == ("", "")
    predict_timeline(model, path, verbose=1)
    assert "predict_timeline: 100%" in capsys.readouterr().err


# -- memory ------------------------------------------------------------------------------------------------------------

PEAK = """
import json, resource, sys
import numpy as np
from pathlib import Path
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from soundclf import MFCCMeanTransformer, predict_stream, predict_timeline

def peak():
    status = Path("/proc/self/status")  # getrusage counts the parent's on Linux
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)

rng = np.random.default_rng(0)
model = make_pipeline(MFCCMeanTransformer(13, sr=8000, n_fft=512, n_mels=32), LogisticRegression(max_iter=1000))
model.fit([rng.normal(size=8000), rng.uniform(size=8000)], ["a", "b"])
block = rng.normal(size=1600).astype(np.float32)
peaks = []
for path, minutes in ((sys.argv[1], 2), (sys.argv[2], 60)):
    n = len(predict_timeline(model, path).starts)
    n_live = sum(1 for _ in predict_stream(model, (block for _ in range(600 * minutes)), sr=16000))
    peaks.append([n, n_live, peak()])
print(json.dumps(peaks))
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_two_minutes(tmp_path):
    for minutes in (2, 60):
        with soundfile.SoundFile(tmp_path / f"{minutes}.wav", "w", 16000, 2, "PCM_16") as file:
            block = noise(60, 16000, 2)
            for _ in range(minutes):
                file.write(block)
    command = [sys.executable, "-c", PEAK, str(tmp_path / "2.wav"), str(tmp_path / "60.wav")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (n_short, n_live_short, short), (n_long, n_live_long, long) = json.loads(output)
    assert (n_short, n_live_short, n_long, n_live_long) == (117, 117, 3597, 3597)
    assert (tmp_path / "60.wav").stat().st_size > 200e6
    assert long - short < 24  # MiB


# -- segments ----------------------------------------------------------------------------------------------------------


def test_boundaries_lie_within_a_hop_of_the_true_ones(sounds, recording, order, tmp_path):
    model = make_pipeline(MFCCMeanTransformer(), StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(sounds.data, sounds.target)
    path = tmp_path / "order.flac"
    soundfile.write(path, recording, 44100)
    segments = predict_timeline(model, path, window=2.0, hop=1.0).segments(min_duration=2)
    assert [segment.label for segment in segments] == order.tolist()
    truth = 5.0 * np.arange(len(order) + 1)
    assert np.abs([segment.start for segment in segments] - truth[:-1]).max() <= 1
    assert np.abs([segment.end for segment in segments] - truth[1:]).max() <= 1


def made(probabilities, *, window=2.0, hop=1.0, classes=("a", "b")):
    """Build a timeline of regular windows; of two classes, the first one's probabilities are enough."""
    rows = np.asarray(probabilities, float)
    rows = np.column_stack([rows, 1 - rows]) if rows.ndim == 1 else rows
    starts = np.arange(len(rows)) * hop
    return Timeline(None, starts, starts + window, rows, np.array(classes), starts[-1] + window, hop, SR)


def test_overlapping_windows_are_averaged():
    # Both windows cover the second in the middle; at each moment the window with the nearer middle has more weight.
    segments = made([1.0, 0.0]).segments(high=0, low=0)
    assert [segment[:3] for segment in segments] == [(0.0, 1.5, "a"), (1.5, 3.0, "b")]
    # From 1 to 2 s the first one's weight falls from 1 to 0; eight slices of an eighth of a second each.
    share = (8 + sum(1 - (i + 0.5) / 8 for i in range(4))) / 12
    np.testing.assert_allclose([segment.probability for segment in segments], share)


def test_hysteresis_thresholds():
    timeline = made([0.9, 0.9, 0.6, 0.6, 0.6, 0.9, 0.6, 0.6, 0.4, 0.6], hop=2.0)
    both = timeline.segments(high=0.8, low=0.55)
    assert [segment[:3] for segment in both] == [(0.0, 16.0, "a")]
    assert [s[:3] for s in timeline.segments(high=0.55, low=0.55)] == [
        (0.0, 16.0, "a"),
        (16.0, 18.0, "b"),
        (18.0, 20.0, "a"),
    ]
    assert [s[:3] for s in timeline.segments(high=0.8, low=0.8)] == [(0.0, 4.0, "a"), (10.0, 12.0, "a")]
    assert timeline.segments(high=0.95, low=0.3) == []


def test_short_segments_are_dropped_and_gaps_closed():
    timeline = made([1, 1, 1, 0, 1, 1, 0, 0, 0], hop=2.0)  # a for 6 s, b for 2, a for 4, b for 6
    assert [s[:3] for s in timeline.segments(min_duration=4)] == [(0, 6, "a"), (8, 12, "a"), (12, 18, "b")]
    assert [s[:3] for s in timeline.segments(min_duration=4, min_gap=2)] == [(0, 6, "a"), (8, 12, "a"), (12, 18, "b")]
    assert [s[:3] for s in timeline.segments(min_duration=4, min_gap=2.5)] == [(0, 12, "a"), (12, 18, "b")]
    doubtful = made([0.9, 0.2, 0.9], hop=2.0, classes="ab")
    assert [s[:3] for s in doubtful.segments(high=0.85, low=0.85, min_gap=3, min_duration=5)] == [(0, 6, "a")]
    (joined,) = doubtful.segments(high=0.85, low=0.85, min_gap=3)
    np.testing.assert_allclose(joined.probability, 2 / 3)


def test_labels_keep_their_type():
    (segment,) = made([[0.2, 0.1, 0.7]], classes=(7, 8, 9)).segments()
    assert segment == (0.0, 2.0, 9, pytest.approx(0.7))
    assert type(segment.label) is int
    assert all(type(value) is float for value in (segment.start, segment.end, segment.probability))


@settings(deadline=None, max_examples=200)
@given(st.floats(5, 15), st.sampled_from([(4, 1), (4, 2), (4, 4), (4, 1.5), (2, 0.1), (1, 1), (3, 0.7), (4, 3)]))
def test_boundaries_of_correct_windows_lie_within_a_hop(change, sizes):
    window, hop = sizes
    starts = np.append(np.arange(0, 20 - window, hop), 20 - window)
    share = np.clip((change - starts) / window, 0, 1)  # the share of the window before the change
    for rows in (share, (share > 0.5).astype(float)):
        timeline = Timeline(
            None, starts, starts + window, np.column_stack([rows, 1 - rows]), np.array(["a", "b"]), 20, hop, SR
        )
        first, last = timeline.segments()
        assert (first.start, first.label, last.end, last.label) == (0, "a", 20, "b")
        assert abs((first.end + last.start) / 2 - change) <= hop


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 40), st.integers(2, 5), st.sampled_from([(4, 1), (4, 4), (4, 1.5), (2, 0.1)]), st.integers(0, 2**32)
)
def test_segments_never_overlap(n, n_classes, sizes, seed):
    window, hop = sizes
    rows = np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.3), n)
    timeline = made(rows, window=window, hop=hop, classes=range(n_classes))
    segments = timeline.segments()
    edges = np.array([(segment.start, segment.end) for segment in segments]).reshape(-1)
    assert (np.diff(edges) >= 0).all()
    assert all(0.3 <= segment.probability <= 1 + 1e-9 for segment in segments)
    whole = timeline.segments(high=0, low=0)
    assert whole[0].start == 0
    assert whole[-1].end == timeline.duration
    assert all(one.end == other.start and one.label != other.label for one, other in itertools.pairwise(whole))


def test_bad_thresholds_are_refused():
    with pytest.raises(ParameterError, match=r"needs low <= high, got low=0\.6 and high=0.5"):
        made([1.0]).segments(low=0.6)
    with pytest.raises(ParameterError, match=r"'min_gap' parameter of Timeline\.segments must be a number in"):
        made([1.0]).segments(min_gap=-1)


def test_to_frame_and_repr(model):
    timeline = predict_timeline(model, noise(6), window=2.0)
    frame = timeline.to_frame()
    assert frame.columns.tolist() == CLASSES
    assert frame.index.names == ["start", "end"]
    np.testing.assert_array_equal(frame.loc[(3.0, 5.0)], timeline.probabilities[3])
    assert frame.idxmax(axis=1).tolist() == timeline.labels.tolist()
    assert repr(timeline) == "<Timeline 5 windows in 6 s, 4 classes>"


# -- exports -----------------------------------------------------------------------------------------------------------

SEGMENTS = [
    Segment(0.5, 2.0, 'the "big" one', 0.75),
    Segment(2.0, 3.25, "Hundegebell, nah: äöü 犬", 0.5),
    Segment(1000.0000001, 1234.5678, "", 1 / 3),
]


def long_timeline():
    return Timeline(
        "day.wav", np.array([0.0]), np.array([2000.0]), np.array([[1.0]]), np.array(["a"]), 2000.0, 2000.0, SR
    )


def test_csv(tmp_path):
    labels = ['tab\tbreak\n"end', "carriage\rreturn", "both\r\n", "\r", "=1+1"]
    segments = [*SEGMENTS, *(Segment(1300.0 + i, 1301.0 + i, label, 1.0) for i, label in enumerate(labels))]
    long_timeline().export(tmp_path / "a.csv", segments)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["start", "end", "label", "probability"]
    assert [row[2] for row in rows] == [segment.label for segment in segments]
    numbers = [[float(row[i]) for i in (0, 1, 3)] for row in rows]
    np.testing.assert_allclose(numbers, [(s.start, s.end, s.probability) for s in segments], atol=1e-6)


def test_audacity_labels(tmp_path):
    long_timeline().export(tmp_path / "a.txt", SEGMENTS)
    content = (tmp_path / "a.txt").read_bytes().decode()
    assert content.splitlines()[0] == '0.500000\t2.000000\tthe "big" one'
    rows = [line.split("\t") for line in content.rstrip("\n").split("\n")]
    assert [row[2] for row in rows] == [segment.label for segment in SEGMENTS]
    np.testing.assert_allclose([[float(row[0]), float(row[1])] for row in rows], [s[:2] for s in SEGMENTS], atol=1e-6)
    for label in ("a\tb", "a\nb", "a\rb"):
        with pytest.raises(ValueError, match=r"contains a tab or line break, .* export to \.csv, \.TextGrid or \.jams"):
            long_timeline().export(tmp_path / "a.txt", [Segment(0, 1, label, 1.0)])
    assert (tmp_path / "a.txt").read_bytes().decode() == content


def test_praat_reads_textgrids(tmp_path):
    parselmouth = pytest.importorskip("parselmouth")
    segments = [*SEGMENTS[:2], Segment(3.25, 5.0, 'tab\tbreak\n""intervals [2]:', 1.0), SEGMENTS[2]]
    long_timeline().export(tmp_path / "a.TextGrid", segments)
    grid = parselmouth.read(str(tmp_path / "a.TextGrid"))
    call = parselmouth.praat.call
    assert (call(grid, "Get start time"), call(grid, "Get end time")) == (0, 2000)
    assert call(grid, "Get number of tiers") == 1
    assert call(grid, "Is interval tier", 1)
    assert call(grid, "Get tier name", 1) == "sounds"
    intervals = [
        (
            call(grid, "Get start time of interval", 1, i),
            call(grid, "Get end time of interval", 1, i),
            call(grid, "Get label of interval", 1, i),
        )
        for i in range(1, call(grid, "Get number of intervals", 1) + 1)
    ]
    assert intervals == [
        (0, 0.5, ""),
        *[segment[:3] for segment in segments[:3]],
        (5.0, 1000.0000001, ""),
        segments[3][:3],
        (1234.5678, 2000, ""),
    ]


def test_textgrid_refuses_overlaps(tmp_path):
    for segments in (
        [Segment(0, 2, "a", 1.0), Segment(1, 3, "b", 1.0)],
        [Segment(2, 3, "a", 1.0), Segment(0, 1, "b", 1.0)],
        [Segment(1999, 2001, "a", 1.0)],
        [Segment(1, 1, "a", 1.0)],
    ):
        with pytest.raises(ValueError, match="sorted by time, without overlap and within the recording's 2000 s"):
            long_timeline().export(tmp_path / "a.TextGrid", segments)
    assert not list(tmp_path.iterdir())


def test_jams(tmp_path):
    jams = pytest.importorskip("jams")
    long_timeline().export(tmp_path / "a.jams", SEGMENTS)
    loaded = jams.load(str(tmp_path / "a.jams"), validate=True, strict=True)
    assert loaded.file_metadata.duration == 2000
    (annotation,) = loaded.annotations
    assert (annotation.namespace, annotation.time, annotation.duration) == ("tag_open", 0, 2000)
    assert [observation.value for observation in annotation.data] == [segment.label for segment in SEGMENTS]
    found = [(o.time, o.time + o.duration, o.confidence) for o in annotation.data]
    np.testing.assert_allclose(found, [(s.start, s.end, s.probability) for s in SEGMENTS])


def test_exports_of_no_segments_and_by_default(model, recording, order, tmp_path):
    timeline = predict_timeline(model, (recording, 44100), window=2.0, hop=0.5)
    timeline.export(tmp_path / "a.TXT")
    lines = (tmp_path / "a.TXT").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[2] for line in lines] == [segment.label for segment in timeline.segments()]
    timeline.export(tmp_path / "b.txt", [])
    assert (tmp_path / "b.txt").read_bytes() == b""
    timeline.export(tmp_path / "b.textgrid", [])
    assert "intervals: size = 1\n" in (tmp_path / "b.textgrid").read_text(encoding="utf-8")


def test_labels_are_written_as_strings(tmp_path):
    timeline = made([[0.2, 0.8]], classes=(3, 4))
    for suffix in ("csv", "txt", "TextGrid"):
        timeline.export(tmp_path / f"a.{suffix}")
        assert "4" in (tmp_path / f"a.{suffix}").read_text(encoding="utf-8")


def test_exports_are_atomic(tmp_path):
    timeline = long_timeline()
    with pytest.raises(ParameterError, match=r"must end in \.csv or \.txt or \.TextGrid or \.jams, got '.*a\.xml'"):
        timeline.export(tmp_path / "a.xml")
    with pytest.raises(FileNotFoundError, match=r"nothing was written.*a\.csv"):
        timeline.export(tmp_path / "absent" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OSError, match="nothing was written"):
        timeline.export(tmp_path / "folder.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    timeline.export(link)
    assert link.is_symlink()
    assert target.read_text().startswith("start,end,label,probability\n")
    umask = os.umask(0)
    os.umask(umask)
    timeline.export(tmp_path / "new.csv")
    assert stat.S_IMODE((tmp_path / "new.csv").stat().st_mode) == 0o666 & ~umask
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "link.csv", "new.csv", "target.csv"]


# -- live --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sr", [SR, 44100, 48000, 16000])
@pytest.mark.parametrize("size", [160, 4097, 10**7])
def test_a_stream_yields_the_windows_of_the_file(tmp_path, sr, size):
    y = noise(11.3, sr, 2)
    soundfile.write(tmp_path / "sound.wav", y, sr, subtype="FLOAT")
    file, live = Listener(MFCCMeanTransformer()), Listener(MFCCMeanTransformer())
    timeline = predict_timeline(file, tmp_path / "sound.wav", window=2.0, hop=0.7)
    blocks = (y[start : start + size].T for start in range(0, len(y), size))
    windows = list(predict_stream(live, blocks, sr=sr, window=2.0, hop=0.7))
    for (one, _), (other, _) in zip(file.clips, live.clips, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal([window.start for window in windows], timeline.starts)
    np.testing.assert_array_equal([window.end for window in windows], timeline.ends)
    np.testing.assert_array_equal([w.probabilities for w in windows], timeline.probabilities)
    assert [window.label for window in windows] == timeline.labels.tolist()


def test_a_stream_of_the_pipeline(model, recording):
    timeline = predict_timeline(model, (recording, 44100), window=2.0)
    blocks = np.array_split(recording, 1000)
    windows = list(predict_stream(model, blocks, sr=44100, window=2.0))
    np.testing.assert_array_equal([w.probabilities for w in windows], timeline.probabilities)
    assert [window.label for window in windows] == timeline.labels.tolist()
    assert type(windows[0].label) is str


@pytest.mark.parametrize(
    ("sr", "res_type", "held"),
    [
        (SR, "soxr_hq", 0),
        *[(sr, "soxr_hq", 1000) for sr in (8000, 11025, 16000, 24000, 32000, 44100, 48000, 96000)],
        *[(sr, "soxr_vhq", 2000) for sr in (16000, 44100, 48000)],
    ],
)
def test_latency_of_streams(sr, res_type, held):
    """The resampler holds back fewer samples, at the lower of the two rates, than documented."""
    n_given, size, y = 0, 64, noise(6, sr)

    def blocks():
        nonlocal n_given
        for start in range(0, len(y), size):
            n_given = start + size
            yield y[start : start + size]

    late = []
    for window in predict_stream(
        Listener(MFCCMeanTransformer(res_type=res_type)), blocks(), sr=sr, window=1.0, hop=0.25
    ):
        late.append(n_given - window.end * sr)
        if window.end > 4:  # beyond that, the end of the blocks brings what was held back
            break
    assert min(late) >= 0
    assert max(late) < size + held * max(1, sr / SR)


def test_live_blocks_may_be_overwritten(model):
    y, buffer = noise(6), np.empty(1000, np.float32)

    def blocks():
        for start in range(0, 132000, 1000):
            buffer[:] = y[start : start + 1000]
            yield buffer

    live = np.array([window.probabilities for window in predict_stream(model, blocks(), sr=SR, window=2.0)])
    expected = predict_timeline(model, y[:132000], window=2.0).probabilities
    np.testing.assert_array_equal(live, expected)


def test_blocks_of_all_kinds(model):
    y = noise(3)
    stereo = np.stack([y, y])
    expected = predict_timeline(model, y).probabilities
    for blocks in (
        [y.astype(np.float64)],
        [stereo],
        [y[:0], y[:1], np.zeros((2, 0), np.float32), y[1:]],
        [stereo[:, i : i + 1] for i in range(len(y))],
    ):
        (window,) = predict_stream(model, blocks, sr=SR)
        np.testing.assert_allclose(window.probabilities, expected[0], rtol=0, atol=1e-9)
    assert list(predict_stream(model, [], sr=SR)) == []
    assert list(predict_stream(model, [y[:0]], sr=44100)) == []


@pytest.mark.parametrize(
    ("block", "error", "sentence"),
    [
        (np.zeros(100, np.int16), AudioError, "block 2: its samples are integers .*divide them by it"),
        (np.full(100, np.nan), AudioError, "block 2: it contains NaN or infinity"),
        (np.zeros((512, 1)), AudioError, r"block 2: .* shape \(512, 1\), .*transpose them to \(channels, n\)"),
        (np.zeros((2, 100)), AudioError, "block 2: it has 2 channels, but earlier blocks had 1"),
        (np.zeros((2, 2, 2)), AudioError, r"block 2: its samples have the shape \(2, 2, 2\)"),
        (b"\0\0\0\0", TypeError, "Block 2: a block must be a float array .* got bytes"),
        (np.zeros(5, complex), TypeError, "Block 2: samples must be floats"),
    ],
)
def test_unusable_blocks_are_reported_by_number(model, block, error, sentence):
    y = noise(5)
    windows = predict_stream(model, iter([y[:100000], y[100000:], block]), sr=SR)
    assert [next(windows).start, next(windows).start] == [0, 1]
    with pytest.raises(error, match=sentence):
        next(windows)


def test_parameters_of_a_stream_are_checked_before_iteration(model, sounds):
    with pytest.raises(ParameterError, match="'sr' parameter of predict_stream must be a number in"):
        predict_stream(model, [], sr=None)
    with pytest.raises(ParameterError, match="hop <= window"):
        predict_stream(model, [], sr=SR, hop=5)
    with pytest.raises(TypeError, match="an iterable of arrays, got a single array; wrap it in a list"):
        predict_stream(model, np.zeros((2, 1000)), sr=SR)
    with pytest.raises(TypeError, match="an iterable of arrays, got int"):
        predict_stream(model, 3, sr=SR)
    kaiser = pipeline(res_type="kaiser_fast").fit(sounds.data, sounds.target)
    with pytest.raises(ParameterError, match=r"from 44100 Hz to the model's 22050 Hz .* pass blocks at 22050 Hz"):
        predict_stream(kaiser, [], sr=44100)
    assert len(list(predict_stream(kaiser, [noise(5)], sr=SR))) == 2
    with pytest.raises(AudioError, match="too far from"):
        list(predict_stream(model, [noise(5)], sr=1))


# -- real recordings ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_recordings(real_data):
    paths = sorted((real_data / "UrbanSound8K" / "audio").glob("fold*/*.wav"))
    labels = ["long" if soundfile.info(path).duration > 3.9 else "short" for path in paths]
    clf = pipeline().fit(paths, labels)
    for path in paths:
        timeline = predict_timeline(clf, path, window=1.0, hop=0.5)
        y = load_clip(path)
        first = clf.predict_proba([y[:SR]])
        np.testing.assert_array_equal(timeline.probabilities[:1], first)
        assert timeline.duration == len(y) / SR
