import os
import random
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from scipy.signal import find_peaks, spectrogram
from sklearn.utils import Bunch

from soundclf.datasets import make_sounds

SR = 22050
CLASSES = ["bell", "bird", "clock", "drum", "engine", "phone", "rain", "siren"]


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(96, random_state=7)


def of(sounds, name):
    return [clip for clip, label in zip(sounds.data, sounds.target, strict=True) if label == name]


def spectrum(clip, n_bands=32):
    """Levels in dB of bands equally wide in octaves, relative to their mean."""
    power = np.abs(np.fft.rfft(clip)) ** 2
    frequency = np.fft.rfftfreq(len(clip), 1 / SR)
    edges = np.geomspace(60, 10000, n_bands + 1)
    levels = [np.log10(power[(frequency >= a) & (frequency < b)].mean()) for a, b in pairwise(edges)]
    return 10 * (np.array(levels) - np.mean(levels))


def envelope(clip, low=0.0, width=64):
    """Power above `low` Hz in frames of `width` samples."""
    frequency, _, power = spectrogram(clip, SR, nperseg=2 * width, noverlap=width)
    return power[frequency >= low].sum(axis=0)


def ridge(clip, low, high):
    """The strongest frequency between two bounds, frame by frame."""
    frequency, _, power = spectrogram(clip, SR, nperseg=1024, noverlap=512)
    inside = (frequency >= low) & (frequency <= high)
    return frequency[inside][power[inside].argmax(axis=0)]


def strongest(clip, low, high, apart_from=None):
    """The strongest frequency of a whole clip between two bounds, farther than 8 % from a given one."""
    power = np.abs(np.fft.rfft(clip * np.hanning(len(clip)))) ** 2
    frequency = np.fft.rfftfreq(len(clip), 1 / SR)
    inside = (frequency >= low) & (frequency <= high)
    if apart_from is not None:
        inside &= np.abs(frequency / apart_from - 1) > 0.08
    return frequency[inside][power[inside].argmax()]


def ticks(clip):
    """Times of the peaks above 1 kHz, at least 0.15 s from each other."""
    x = np.sqrt(envelope(clip, low=1000))
    peaks, _ = find_peaks(x, height=0.2 * x.max(), distance=int(0.15 * SR / 64))
    return peaks * 64 / SR


def pulsing(clip, shortest, longest):
    """How much a clip's envelope resembles itself after a time between two bounds, in seconds; 1 is equal."""
    x = np.sqrt(envelope(clip))
    x = x - x.mean()
    r = np.correlate(x, x, "full")[len(x) - 1 :] / np.dot(x, x)
    lags = np.arange(len(r)) * 64 / SR
    return r[(lags >= shortest) & (lags <= longest)].max()


def flatness(clip):
    """Geometric over arithmetic mean of the power between 200 Hz and 8 kHz: 0.56 for white noise, 0 for tones."""
    power = np.abs(np.fft.rfft(clip)) ** 2
    frequency = np.fft.rfftfreq(len(clip), 1 / SR)
    power = power[(frequency > 200) & (frequency < 8000)]
    return np.exp(np.log(power).mean()) / power.mean()


# What comes back.


def test_default_set():
    sounds = make_sounds(duration=0.2, random_state=0)
    assert isinstance(sounds, Bunch)
    assert isinstance(sounds.data, list)
    assert len(sounds.data) == len(sounds.target) == len(sounds.groups) == 240
    assert sounds.target_names == CLASSES
    assert sounds.target.tolist() == [name for name in CLASSES for _ in range(30)]
    assert sounds.groups[:7].tolist() == ["bell-000"] * 3 + ["bell-001"] * 3 + ["bell-002"]
    assert len(set(sounds.groups)) == 80
    assert sounds.target.dtype.kind == sounds.groups.dtype.kind == "U"
    assert type(sounds.sr) is int
    assert sounds.sr == 22050
    assert "8 classes: bell" in sounds.DESCR
    assert "240 mono clips of 0.2 s at 22050 Hz, from 80 recordings" in sounds.DESCR


@pytest.mark.parametrize(
    ("duration", "sr"), [(1.5, 22050), (0.1003, 8000), (0.3333, 44100), (np.float32(0.25), np.int64(16000))]
)
def test_clips_are_float32_mono_of_the_asked_length_and_in_range(duration, sr):
    sounds = make_sounds(24, clips_per_recording=1, duration=duration, sr=sr, random_state=1)
    assert sounds.sr == sr
    for clip in sounds.data:
        assert clip.dtype == np.float32
        assert clip.shape == (round(float(duration) * int(sr)),)
        assert np.isfinite(clip).all()
        assert 10 ** (-23.6 / 20) < np.abs(clip).max() < 10 ** (-0.4 / 20)
        assert abs(clip.mean()) < 1e-6


def test_clips_are_spread_evenly_and_the_first_classes_get_the_rest():
    sounds = make_sounds(
        14, classes=("siren", "rain", "bell", "drum"), clips_per_recording=2, duration=0.2, random_state=0
    )
    names, counts = np.unique(sounds.target, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"siren": 4, "rain": 4, "bell": 3, "drum": 3}
    assert sounds.target_names == ["siren", "rain", "bell", "drum"]
    assert sounds.groups[8:11].tolist() == ["bell-000", "bell-000", "bell-001"]


def test_as_many_clips_as_classes():
    assert make_sounds(8, duration=0.2, random_state=0).target.tolist() == CLASSES


def test_classes_may_be_an_array():
    sounds = make_sounds(2, classes=np.array(["rain", "bell"]), duration=0.2, random_state=0)
    assert sounds.target_names == ["rain", "bell"]
    assert type(sounds.target_names[0]) is str


def test_levels_vary_by_about_20_dB_between_recordings_and_little_within(sounds):
    peaks = 20 * np.log10([np.abs(clip).max() for clip in sounds.data]).reshape(-1, 3)
    assert 15 < np.ptp(peaks.mean(axis=1)) < 23
    assert 0 < np.ptp(peaks, axis=1).max() < 3.01


# What determines the sounds.


def test_an_int_determines_every_bit():
    one, two, other = (make_sounds(16, duration=0.5, random_state=seed) for seed in (5, np.int32(5), 6))
    for a, b, c in zip(one.data, two.data, other.data, strict=True):
        assert a.tobytes() == b.tobytes()
        assert a.tobytes() != c.tobytes()


def test_another_process_makes_the_same_sounds():
    code = (
        "from soundclf.datasets import make_sounds; print(make_sounds(8, duration=0.2, random_state=5).data[6].sum())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(make_sounds(8, duration=0.2, random_state=5).data[6].sum())


def test_no_two_clips_are_equal(sounds):
    assert len({clip.tobytes() for clip in sounds.data}) == 96


def test_a_random_state_is_drawn_from():
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    first, second = (make_sounds(1, classes=["bird"], duration=0.2, random_state=ours).data[0] for _ in range(2))
    again = make_sounds(1, classes=["bird"], duration=0.2, random_state=theirs).data[0]
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != second.tobytes()


def test_none_takes_fresh_entropy():
    first, second = (make_sounds(1, classes=["bird"], duration=0.2).data[0] for _ in range(2))
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("seed", [None, 0])
def test_global_random_state_is_not_touched(seed):
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    first = make_sounds(1, classes=["rain"], duration=0.2, random_state=seed).data[0]
    assert random.getstate() == pythons
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(after[1], numpys[1])
    assert after[2:] == numpys[2:]
    if seed is not None:
        np.random.random()  # noqa: NPY002
        random.random()
    again = make_sounds(1, classes=["rain"], duration=0.2, random_state=seed).data[0]
    assert (first.tobytes() == again.tobytes()) == (seed is not None)


def test_a_larger_set_contains_the_smaller_one():
    small = make_sounds(9, classes=["rain", "bell"], clips_per_recording=2, duration=0.2, random_state=4)
    large = make_sounds(80, clips_per_recording=2, duration=0.2, random_state=4)
    found = {}
    for group, clip in zip(large.groups, large.data, strict=True):
        found.setdefault(group, []).append(clip.tobytes())
    for group in np.unique(small.groups):
        mine = [clip.tobytes() for clip, own in zip(small.data, small.groups, strict=True) if own == group]
        assert mine == found[group][: len(mine)]


def test_takes_do_not_depend_on_how_many_are_cut():
    few = make_sounds(2, classes=["drum"], clips_per_recording=2, duration=0.2, random_state=4)
    many = make_sounds(4, classes=["drum"], clips_per_recording=4, duration=0.2, random_state=4)
    assert [clip.tobytes() for clip in few.data] == [clip.tobytes() for clip in many.data[:2]]


# Files.


def test_files_hold_the_clips_to_16_bits(tmp_path):
    parameters = {"n_samples": 10, "classes": ["clock", "phone"], "duration": 0.4, "sr": 16000, "random_state": 2}
    arrays = make_sounds(**parameters)
    files = make_sounds(**parameters, directory=tmp_path / "made" / "here")
    assert files.data.shape == (10,)
    assert files.data.dtype == object
    assert all(type(path) is str for path in files.data)
    assert files.data[3] == str(tmp_path / "made" / "here" / "clock" / "clock-001-0.wav")
    assert len(list(tmp_path.rglob("*.wav"))) == 10
    np.testing.assert_array_equal(files.target, arrays.target)
    np.testing.assert_array_equal(files.groups, arrays.groups)
    for path, clip in zip(files.data, arrays.data, strict=True):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 16000)
        np.testing.assert_allclose(soundfile.read(path, dtype="float32")[0], clip, rtol=0, atol=1.5 / 2**15)


def test_a_directory_may_be_a_str_and_exist(tmp_path):
    sounds = make_sounds(2, classes=["bell"], duration=0.2, random_state=0, directory=str(tmp_path))
    assert sounds.data.tolist() == [str(tmp_path / "bell" / f"bell-000-{take}.wav") for take in range(2)]


def test_an_existing_file_remains_and_nothing_is_written(tmp_path):
    taken = tmp_path / "siren" / "siren-000-1.wav"
    taken.parent.mkdir()
    taken.write_bytes(b"mine")
    with pytest.raises(FileExistsError) as error:
        make_sounds(6, classes=["bell", "siren"], duration=0.2, random_state=0, directory=tmp_path)
    assert (
        str(error.value) == f"The file {str(taken)!r} already exists; use another directory or remove the file first."
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [taken]
    assert taken.read_bytes() == b"mine"


# Parameters out of range.


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"n_samples": 7}, "The 'n_samples' parameter of make_sounds must be an integer in [8, inf), got 7 (int)."),
        (
            {"n_samples": 1, "classes": ["bell", "rain"]},
            "The 'n_samples' parameter of make_sounds must be an integer in [2, inf), got 1 (int).",
        ),
        (
            {"n_samples": 20.0},
            "The 'n_samples' parameter of make_sounds must be an integer in [1, inf), got 20.0 (float).",
        ),
        (
            {"clips_per_recording": 0},
            "The 'clips_per_recording' parameter of make_sounds must be an integer in [1, inf), got 0 (int).",
        ),
        ({"duration": 0.1}, "The 'duration' parameter of make_sounds must be a number in (0.1, inf), got 0.1 (float)."),
        (
            {"duration": float("inf")},
            "The 'duration' parameter of make_sounds must be a number in (0.1, inf), got inf (float).",
        ),
        ({"sr": 7999}, "The 'sr' parameter of make_sounds must be an integer in [8000, inf), got 7999 (int)."),
        ({"sr": 22050.0}, "The 'sr' parameter of make_sounds must be an integer in [8000, inf), got 22050.0 (float)."),
        ({"directory": 3}, "The 'directory' parameter of make_sounds must be None or a path, got 3 (int)."),
        (
            {"random_state": -1},
            "The 'random_state' parameter of make_sounds must be None or an integer in [0, inf) or a RandomState, "
            "got -1 (int).",
        ),
        (
            {"classes": "bell"},
            "The 'classes' parameter of make_sounds must be None or a list of different names, got 'bell' (str).",
        ),
        (
            {"classes": []},
            "The 'classes' parameter of make_sounds must be None or a list of different names, got [] (list).",
        ),
        (
            {"classes": ["bell", "bell"]},
            "The 'classes' parameter of make_sounds must be None or a list of different names, "
            "got ['bell', 'bell'] (list).",
        ),
        (
            {"classes": ["bell", "sirene"]},
            "The 'classes[1]' parameter of make_sounds must be 'bell' or 'bird' or 'clock' or 'drum' or 'engine' or "
            "'phone' or 'rain' or 'siren', got 'sirene' (str). Did you mean 'siren'?",
        ),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(parameters, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011, the whole sentence is compared
        make_sounds(**parameters)
    assert str(error.value) == sentence


# How it sounds.


def test_clips_of_a_recording_are_closer_to_each_other_than_to_the_rest_of_their_class(sounds):
    spectra = np.array([spectrum(clip) for clip in sounds.data])
    distance = np.sqrt(((spectra[:, None] - spectra) ** 2).mean(axis=2))
    same_class = sounds.target[:, None] == sounds.target
    same_recording = sounds.groups[:, None] == sounds.groups
    for name in CLASSES:
        mine = (sounds.target == name)[:, None] & same_class
        within = distance[mine & same_recording & ~np.eye(len(spectra), dtype=bool)].mean()
        between = distance[mine & ~same_recording].mean()
        assert within < 0.5 * between, name


def test_classes_differ_in_their_mean_spectra(sounds):
    means = np.array([np.mean([spectrum(clip) for clip in of(sounds, name)], axis=0) for name in CLASSES])
    distance = np.sqrt(((means[:, None] - means) ** 2).mean(axis=2))
    assert distance[~np.eye(8, dtype=bool)].min() > 3  # dB


def test_bells_ring_at_the_ratios_of_church_bells(sounds):
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5.3])

    def share(clip):
        """Share of the power that lies near the partials of the bell that fits best."""
        power = np.abs(np.fft.rfft(clip * np.hanning(len(clip)))) ** 2
        frequency = np.fft.rfftfreq(len(clip), 1 / SR)
        fits = [
            power[(np.abs(frequency[:, None] / (prime * ratios) - 1) < 0.02).any(axis=1)].sum()
            for prime in np.geomspace(600, 900, 30)
        ]
        return max(fits) / power.sum()

    assert min(share(clip) for clip in of(sounds, "bell")[::3]) > 0.65
    assert max(share(clip) for name in ("bird", "rain", "siren") for clip in of(sounds, name)[::6]) < 0.55


def test_high_partials_of_bells_die_away_sooner(sounds):
    for clip in of(sounds, "bell"):
        frequency, time, power = spectrogram(clip, SR, nperseg=1024, noverlap=896)
        strike = time[np.argmax(np.diff(power[frequency > 1000].sum(axis=0))[time[1:] < 1.0])]
        early = power[:, (time > strike + 0.04) & (time < strike + 0.1)].mean(axis=1)
        late = power[:, (time > strike + 0.28) & (time < strike + 0.34)].mean(axis=1)
        fall = [10 * np.log10(early[band].sum() / late[band].sum()) for band in (frequency < 1000, frequency > 1500)]
        assert fall[1] > fall[0] > 0


def test_birds_whistle_high(sounds):
    for clip in of(sounds, "bird"):
        assert 2000 < strongest(clip, 50, 11000) < 5500


def test_clocks_tick_in_strict_time(sounds):
    gaps = [np.diff(ticks(clip)) for clip in of(sounds, "clock")]
    for gap in gaps:
        assert 0.19 < gap.min() <= gap.max() < 0.51
        assert np.ptp(gap) < 0.015
    means = np.array([gap.mean() for gap in gaps]).reshape(-1, 3)
    assert np.ptp(means, axis=1).max() < 0.01
    assert np.ptp(means) > 0.05
    drops = [np.diff(ticks(clip)) for clip in of(sounds, "rain")]
    assert np.median([np.ptp(gap) for gap in drops if len(gap) > 1]) > 0.03


def test_drums_are_struck_and_low(sounds):
    for clip in of(sounds, "drum"):
        assert 50 < strongest(clip, 20, 11000) < 300
        x = envelope(clip, width=1024)
        assert x.max() > 2 * np.median(x)


def test_engines_fire_at_a_low_rate(sounds):
    for clip in of(sounds, "engine"):
        assert strongest(clip, 20, 11000) < 600
        assert pulsing(clip, 0.012, 0.17) > 0.45
    assert max(pulsing(clip, 0.012, 0.17) for clip in of(sounds, "rain")) < 0.35


def test_phones_ring_two_tones_in_turn(sounds):
    for clip in of(sounds, "phone"):
        one = strongest(clip, 1000, 2000)
        other = strongest(clip, 1000, 2000, apart_from=one)
        assert 1.15 < max(one, other) / min(one, other) < 1.4
        frequency, _, power = spectrogram(clip, SR, nperseg=384, noverlap=320)
        levels = np.sqrt([power[np.abs(frequency - tone).argmin()] for tone in (one, other)])
        sounding = levels.sum(axis=0) > 0.3 * levels.sum(axis=0).max()
        assert np.corrcoef(levels[:, sounding])[0, 1] < -0.3


def test_rain_is_the_flattest(sounds):
    means = {name: np.mean([flatness(clip) for clip in of(sounds, name)]) for name in CLASSES}
    assert max(means, key=means.get) == "rain"


def test_the_pitch_of_sirens_moves_far_and_smoothly(sounds):
    for clip in of(sounds, "siren"):
        octaves = np.log2(ridge(clip, 350, 1650))
        assert np.ptp(np.percentile(octaves, [5, 95])) > 0.5
        assert np.median(np.abs(np.diff(octaves))) < 0.2
