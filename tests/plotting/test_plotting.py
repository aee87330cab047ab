"""Pictures: what is drawn is what librosa computes and what was counted, and names, ticks and legends can be read."""

from __future__ import annotations

import base64
import io
import itertools
import json
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import librosa
import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from soundclf import (
    AudioError,
    ConvAudioClassifier,
    DenseAudioClassifier,
    MFCCMeanTransformer,
    ParameterError,
    load_clip,
    plotting,
)
from soundclf.datasets import load_audio_folder, make_sounds
from soundclf.evaluation import cross_validate_clips
from soundclf.plotting import (
    ClassBalanceDisplay,
    ClipPlayer,
    MFCCDisplay,
    SpectrogramDisplay,
    TimelineDisplay,
    TrainingHistoryDisplay,
    WaveformDisplay,
)
from soundclf.timeline import predict_timeline

SR = 22050
TEN = [f"class number {i}" for i in range(10)]
FIFTY = [f"{adjective} {noun} from far away" for adjective in "abcde" for noun in ("bark", "siren") for _ in range(5)]
FIFTY = [f"{name} {i}" for i, name in enumerate(FIFTY)]


@pytest.fixture(autouse=True)
def _closed():
    mpl.use("Agg")
    yield
    plt.close("all")


def noise(n: int, channels: int | None = None, scale: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(n)
    return (scale * rng.normal(size=n if channels is None else (channels, n))).astype(np.float32)


def heights_of(collection) -> np.ndarray:
    """The upper border of an envelope."""
    vertices = collection.get_paths()[0].vertices
    return vertices[vertices[:, 1] > 0, 1]


def assert_apart(labels) -> None:
    """Labels that are drawn do not overlap."""
    boxes = [label.get_window_extent() for label in labels if label.get_text() and label.get_visible()]
    assert len(boxes) > 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def drawn(display) -> None:
    display.figure_.canvas.draw()


# -- waveforms ---------------------------------------------------------------------------------------------------------


def test_short_samples_are_a_line(tmp_path):
    samples = noise(300, 2)
    soundfile.write(tmp_path / "two.wav", samples.T, 8000, subtype="FLOAT")
    display = WaveformDisplay.from_clip(tmp_path / "two.wav").plot()
    assert len(display.axes_) == len(display.waves_) == 2
    for channel, wave in enumerate(display.waves_):
        assert wave.steps.get_visible()
        assert not wave.envelope.get_visible()
        np.testing.assert_allclose(wave.steps.get_xdata(), np.arange(300) / 8000)
        np.testing.assert_array_equal(wave.steps.get_ydata(), samples[channel])
    first, last = display.axes_
    assert first.figure is last.figure is display.figure_
    assert first.get_title() == "two.wav"
    assert last.get_title() == ""
    assert last.get_xlabel() == "Time (s)"
    assert first.get_ylabel().split() == ["Amplitude,", "channel", "1"]
    for one in display.axes_:
        assert one.get_xlim() == (0, 300 / 8000)
        assert one.get_ylim() == (-1, 1)


def test_many_samples_are_an_envelope():
    samples = noise(110_250)  # ten for each of the 11,025 points
    display = WaveformDisplay(samples, SR).plot()
    (wave,) = display.waves_
    assert wave.envelope.get_visible()
    assert not wave.steps.get_visible()
    expected = np.abs(samples).reshape(-1, 10).max(axis=1)
    assert set(heights_of(wave.envelope)) == set(expected)
    display.axes_[0].set_xlim(2, 2.1)  # zooming in shows the samples
    assert wave.steps.get_visible()
    shown = dict(zip(np.rint(wave.steps.get_xdata() * SR).astype(int), wave.steps.get_ydata(), strict=True))
    assert [shown[i] for i in range(2 * SR, 2 * SR + 2000)] == samples[2 * SR : 2 * SR + 2000].tolist()


@pytest.mark.parametrize("n", [2**22, 2**22 + 1, 10_000_000])
def test_of_a_long_recording_the_farthest_samples_remain(n):
    samples = noise(n, 2)
    display = WaveformDisplay.from_clip((samples, 48000))
    width = {2**22: 1, 2**22 + 1: 2, 10_000_000: 4}[n]
    assert display.sr == 48000 / width
    assert display.samples.shape == (2, -(-n // width))
    parts = samples[:, : n // width * width].reshape(2, -1, width)
    farthest = np.take_along_axis(parts, np.abs(parts).argmax(axis=2)[:, :, np.newaxis], axis=2)[:, :, 0]
    np.testing.assert_array_equal(display.samples[:, : farthest.shape[1]], farthest)


@pytest.mark.parametrize("n", [1, 2, 11_025, 11_026])
def test_waveforms_of_odd_lengths(n):
    display = WaveformDisplay(noise(n), SR).plot()
    drawn(display)
    assert display.axes_[0].get_xlim() == (0, n / SR)
    assert (display.waves_[0].steps.get_marker() == ".") == (n <= 200)


def test_samples_beyond_full_scale_are_seen():
    display = WaveformDisplay(np.array([0.5, -2.5, 1.0]), SR).plot()
    assert display.axes_[0].get_ylim() == (-2.5, 2.5)


def test_a_waveform_keeps_its_rate_and_duration():
    display = WaveformDisplay.from_clip(noise(1000), sr=8000, duration=0.1)
    assert display.sr == 8000
    assert display.samples.shape == (1, 800)
    assert display.title is None


# -- spectrograms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_mels": 40, "fmin": 300.0, "fmax": 4000.0},
        {"sr": 16000, "n_fft": 512, "hop_length": 160, "n_mels": 32},
        {"n_fft": 1001, "hop_length": 300, "n_mels": 64},
    ],
)
@pytest.mark.parametrize("n", [40_000, 3])
def test_a_mel_spectrogram_is_librosas(settings, n):
    samples = noise(n)
    sr = settings.get("sr", SR)
    display = SpectrogramDisplay.from_clip((samples, sr), **settings).plot()
    given = {"sr": sr, "n_fft": 2048, "hop_length": 512, **settings}
    with pytest.warns(UserWarning, match="is too large for") if n == 3 else np.errstate():
        power = librosa.feature.melspectrogram(y=samples, **given)
    expected = librosa.power_to_db(power, ref=np.max)
    np.testing.assert_allclose(display.image_.get_array(), expected, atol=1e-3)
    assert display.image_.get_clim() == (-80, 0)
    low, high = display.ax_.get_ylim()
    assert (low, high) == (settings.get("fmin", 0.0), settings.get("fmax", sr / 2))
    borders = display.image_.get_coordinates()[:, 0, 1]
    centers = librosa.mel_frequencies(expected.shape[0] + 2, fmin=low, fmax=high)[1:-1]
    assert ((borders[:-1] < centers) & (centers < borders[1:])).all()


@pytest.mark.parametrize(("n_fft", "hop_length"), [(2048, 512), (1001, 250), (256, 300)])
@pytest.mark.parametrize("n", [40_000, 3])
def test_a_linear_spectrogram_is_librosas(n_fft, hop_length, n):
    samples = noise(n)
    display = SpectrogramDisplay.from_clip(samples, kind="linear", n_fft=n_fft, hop_length=hop_length).plot()
    with pytest.warns(UserWarning, match="is too large for") if n == 3 else np.errstate():
        spectrum = np.abs(librosa.stft(samples, n_fft=n_fft, hop_length=hop_length))
    expected = librosa.amplitude_to_db(spectrum, ref=np.max)
    np.testing.assert_allclose(display.image_.get_array(), expected, atol=1e-2)
    borders = display.image_.get_coordinates()[:, 0, 1]
    bins = librosa.fft_frequencies(sr=SR, n_fft=n_fft)
    assert borders[0] == 0
    assert borders[-1] == SR / 2
    np.testing.assert_allclose(borders[1:-1], (bins[:-1] + bins[1:]) / 2)
    assert display.ax_.get_yscale() == "linear"


def test_frames_are_drawn_where_they_sound():
    samples = np.zeros(20 * 512, np.float32)
    samples[10 * 512] = 1.0  # in the middle of frame 10 of a window of one hop
    display = SpectrogramDisplay.from_clip(samples, kind="linear", n_fft=512).plot()
    borders = display.image_.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(borders[:3], np.array([0, 0.5, 1.5]) * 512 / SR)
    loudest = display.image_.get_array().max(axis=0).argmax()
    assert borders[loudest] < 10 * 512 / SR < borders[loudest + 1]
    assert display.ax_.get_xlim() == (0, len(samples) / SR) == (borders[0], borders[-1])


def test_axes_and_colors_of_a_spectrogram(tmp_path):
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "a $x$ b.wav"
    soundfile.write(path, noise(SR), SR)
    display = SpectrogramDisplay.from_clip(str(path)).plot()
    drawn(display)
    assert display.ax_.get_title() == "a $x$ b.wav"
    assert not display.ax_.title.get_parse_math()
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    assert display.colorbar_.ax.get_ylabel() == "Level (dB)"
    assert display.ax_.get_yscale() == "symlog"
    assert_apart(display.ax_.get_xticklabels())
    assert_apart(display.ax_.get_yticklabels())
    bare = SpectrogramDisplay.from_clip(path).plot(cmap="gray", colorbar=False)
    assert bare.colorbar_ is None
    assert bare.image_.get_cmap().name == "gray"
    assert len(bare.figure_.axes) == 1


@pytest.mark.parametrize(("fmin", "fmax"), [(5000, 6000), (600, 1000), (30, 60), (10_000, 11_000)])
def test_narrow_bands_have_numbers_beside_them(fmin, fmax):
    display = SpectrogramDisplay.from_clip(noise(SR), fmin=fmin, fmax=fmax, n_mels=20, n_fft=8192).plot()
    drawn(display)
    shown = [tick for tick in display.ax_.get_yticks() if fmin <= tick <= fmax]
    assert len(shown) >= 2
    texts = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert [text for text in texts if text] == sorted({text for text in texts if text}, key=float)
    assert_apart(display.ax_.get_yticklabels())


@pytest.mark.parametrize("cmap", ["magma", "viridis", "Greys"])
def test_colors_differ_in_lightness_alone(cmap):
    colors = mpl.colormaps[cmap](np.linspace(0, 1, 64))[:, :3]
    lightness = colors @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) > 0).all() or (np.diff(lightness) < 0).all()


@pytest.mark.parametrize("kind", ["mel", "linear"])
def test_silence_is_dark(kind):
    display = SpectrogramDisplay.from_clip(np.zeros(5000), kind=kind).plot()
    assert set(np.unique(display.image_.get_array())) == {-80}
    assert display.image_.get_clim() == (-80, 0)


def test_columns_of_a_long_clip_are_means_of_power():
    samples, settings = noise(150_000), {"n_fft": 64, "hop_length": 16, "n_mels": 8}  # 9376 frames
    display = SpectrogramDisplay.from_clip(samples, **settings)
    power = librosa.feature.melspectrogram(y=samples, sr=SR, **settings)
    means = np.stack([power[:, i : i + 4].mean(axis=1) for i in range(0, power.shape[1], 4)], axis=1)
    np.testing.assert_allclose(display.decibels, librosa.power_to_db(means, ref=np.max), atol=1e-3)
    np.testing.assert_allclose(display.times[:3], np.array([0, 3.5, 7.5]) * 16 / SR)
    assert display.times[-1] == pytest.approx(150_000 / SR)
    assert display.times.shape == (means.shape[1] + 1,)


def test_a_spectrogram_of_ones_own():
    display = SpectrogramDisplay([[-30, 20], [0, 10]], [0, 1, 3], [0, 100, 400], kind="linear").plot()
    assert display.image_.get_clim() == (-60, 20)
    np.testing.assert_array_equal(display.image_.get_coordinates()[0, :, 0], [0, 1, 3])
    assert display.ax_.get_title() == ""


# -- coefficients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"n_mfcc": 13, "n_mels": 40, "fmin": 50.0, "n_fft": 1024, "hop_length": 300}])
def test_coefficients_are_librosas(settings):
    samples = noise(30_000)
    display = MFCCDisplay.from_clip(samples, **settings).plot()
    expected = librosa.feature.mfcc(y=samples, sr=SR, **{"n_mfcc": 40, **settings})
    np.testing.assert_allclose(display.image_.get_array(), expected, atol=1e-2)
    low, high = display.image_.get_clim()
    assert -low == high == pytest.approx(np.percentile(np.abs(expected[1:]), 98), abs=1e-2)
    assert display.ax_.get_ylabel() == "Coefficient"
    assert display.colorbar_.ax.get_ylabel() == "Value"
    ticks = [tick for tick in display.ax_.get_yticks() if 0 <= tick < len(expected)]
    assert ticks == [int(tick) for tick in ticks]
    assert display.ax_.get_xlim() == (0, 30_000 / SR)


@pytest.mark.parametrize("samples", [np.zeros(5000), noise(1), noise(700)], ids=["silence", "one sample", "one frame"])
def test_coefficients_of_odd_clips(samples):
    display = MFCCDisplay.from_clip(samples, n_mfcc=5).plot()
    drawn(display)
    low, high = display.image_.get_clim()
    assert low < 0 < high
    one = MFCCDisplay.from_clip(samples, n_mfcc=1).plot()
    assert one.mfcc.shape[0] == 1
    assert [tick for tick in one.ax_.get_yticks() if -0.5 <= tick <= 0.5] == [0]


def test_columns_of_many_coefficients_are_means():
    samples, settings = noise(70_000), {"n_fft": 64, "hop_length": 16, "n_mels": 8, "n_mfcc": 5}  # 4376 frames
    display = MFCCDisplay.from_clip(samples, **settings)
    frames = librosa.feature.mfcc(y=samples, sr=SR, **settings)
    np.testing.assert_allclose(display.mfcc, (frames[:, ::2] + frames[:, 1::2]) / 2, atol=1e-2)


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "label", "some"),
    [
        (0.01, "Time (s)", None),
        (60, "Time (s)", "20"),
        (600, "Time (min:s)", "2:00"),
        (21_600, "Time (h:min:s)", "1:00:00"),
        (86_400, "Time (h:min:s)", "3:00:00"),
    ],
)
def test_time_is_in_readable_units(seconds, label, some):
    display = TimelineDisplay([0], [seconds], [[0.4, 0.6]], ["a", "b"]).plot()
    drawn(display)
    labels = display.ax_.get_xticklabels()
    assert display.ax_.get_xlabel() == label
    assert some is None or some in [text.get_text() for text in labels]
    assert_apart(labels)
    assert display.ax_.get_xlim() == (0, seconds)


def test_zooming_into_minutes_finds_ticks():
    display = TimelineDisplay([0], [600], [[0.4, 0.6]], ["a", "b"]).plot()
    display.ax_.set_xlim(61, 62)
    drawn(display)
    assert "1:01.2" in [text.get_text() for text in display.ax_.get_xticklabels()]


# -- training ----------------------------------------------------------------------------------------------------------


def history(n: int, *, validation: bool = True) -> dict[str, list[float]]:
    names = ["loss", "accuracy", *(["val_loss", "val_accuracy"] if validation else [])]
    return {name: (0.1 + (i + 1) / (np.arange(n) + 5)).tolist() for i, name in enumerate(names)}


@pytest.mark.parametrize("n", [1, 5, 100])
@pytest.mark.parametrize("validation", [True, False])
def test_lines_are_the_history(n, validation):
    measures = history(n, validation=validation)
    display = TrainingHistoryDisplay(measures, best_epoch=n - 1 if validation else None).plot()
    drawn(display)
    assert display.lines_.keys() == measures.keys()
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), np.arange(n))
        np.testing.assert_array_equal(line.get_ydata(), measures[name])
        assert line.axes is display.axes_[name.endswith("accuracy")]
        assert (line.get_marker() not in ("None", None)) == (n == 1 or n == 5)
    assert [one.get_ylabel() for one in display.axes_] == ["Loss", "Accuracy"]
    assert display.axes_[1].get_xlabel() == "Epoch, counted from 0"
    names = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert names == ["training", *(["validation", f"best epoch: {n - 1}"] if validation else [])]
    assert [line.get_xdata()[0] for line in display.best_lines_] == ([n - 1, n - 1] if validation else [])
    ticks = [label.get_text() for label in display.axes_[1].get_xticklabels()]
    assert all(tick.removeprefix("\N{MINUS SIGN}").isdigit() for tick in ticks)
    assert display.axes_[0].get_ylim()[0] <= 0
    assert display.axes_[0].get_ylim()[1] > max(measures["loss"])


def test_training_and_validation_are_distinguishable_without_color():
    lines = TrainingHistoryDisplay(history(5)).plot().lines_
    for measure in ("loss", "accuracy"):
        one, other = lines[measure], lines[f"val_{measure}"]
        assert one.get_linestyle() != other.get_linestyle()
        assert one.get_marker() != other.get_marker()
        assert {to_hex(line.get_color()).upper() for line in (one, other)} == {"#0072B2", "#E69F00"}
        gray = [float(np.dot(to_rgb(line.get_color()), [0.299, 0.587, 0.114])) for line in (one, other)]
        assert abs(gray[0] - gray[1]) > 0.2


def test_histories_of_classifiers(blobs):
    X, y = blobs
    clf = make_pipeline(StandardScaler(), DenseAudioClassifier((4,), epochs=4, early_stopping=True, random_state=0))
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(clf)
    clf.fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(clf)
    assert {name: values.tolist() for name, values in display.history.items()} == clf[-1].history_
    assert display.best_epoch == clf[-1].best_epoch_
    assert display.plot().best_lines_[0].get_xdata()[0] == clf[-1].best_epoch_
    plain = ConvAudioClassifier((4,), epochs=1, random_state=0).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(plain).plot()
    assert display.best_epoch is None
    assert display.best_lines_ == []
    assert display.lines_["loss"].get_ydata().tolist() == plain.history_["loss"]


def test_a_history_with_gaps_and_without_accuracy():
    nan = float("nan")
    display = TrainingHistoryDisplay({"loss": [2, 1, nan], "val_loss": [nan, 1.5, 1], "lr": [1, 1, 1]}).plot()
    drawn(display)
    assert len(display.axes_) == 1
    assert display.lines_.keys() == {"loss", "val_loss"}


# -- classes -----------------------------------------------------------------------------------------------------------


def test_bars_are_the_counts():
    y = ["owl"] * 3 + ["dog"] * 1200 + ["cat"] * 3
    groups = [*"aab", *(f"r{i // 100}" for i in range(1200)), *"aaa"]
    display = ClassBalanceDisplay.from_labels(y, groups=groups).plot()
    drawn(display)
    assert display.classes.tolist() == ["dog", "cat", "owl"]
    assert [bar.get_width() for bar in display.clip_bars_] == [1200, 3, 3]
    assert [bar.get_width() for bar in display.recording_bars_] == [12, 1, 2]
    assert [text.get_text() for text in display.ax_.texts] == ["1,200", "3", "3", "12", "1", "2"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["dog", "cat", "owl"]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["clips", "recordings"]
    heights = [bar.get_y() + bar.get_height() / 2 for bar in display.clip_bars_]
    positions = display.ax_.transData.transform([(0, height) for height in heights])[:, 1]
    assert (np.diff(positions) < 0).all()  # the largest on top
    assert {bar.get_hatch() for bar in display.recording_bars_} == {"//"}


def test_without_recordings():
    display = ClassBalanceDisplay.from_labels([3, 1, 3]).plot()
    drawn(display)
    assert display.recording_bars_ is None
    assert display.ax_.get_legend() is None
    assert display.ax_.get_xlabel() == "Clips"
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["3", "1"]
    ticks = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert len(set(ticks)) == len(ticks)


def test_a_data_set_is_counted(tmp_path):
    make_sounds(12, classes=["bird", "drum"], duration=0.2, directory=tmp_path, random_state=0)
    sounds = load_audio_folder(tmp_path, group=r"(.+)-")
    display = ClassBalanceDisplay.from_dataset(sounds)
    for label, n_clips, n_recordings in zip(display.classes, display.n_clips, display.n_recordings, strict=True):
        assert n_clips == np.sum(sounds.target == label)
        assert n_recordings == len(set(sounds.groups[sounds.target == label]))
    assert ClassBalanceDisplay.from_dataset({"target": sounds.target, "groups": None}).n_recordings is None


@pytest.mark.parametrize("classes", [TEN, FIFTY], ids=len)
@pytest.mark.parametrize("recordings", [None, 2], ids=["clips", "recordings"])
def test_labels_of_bars_are_apart(classes, recordings):
    counts = np.arange(len(classes)) + 2
    display = ClassBalanceDisplay(classes, counts, None if recordings is None else counts // 2).plot()
    drawn(display)
    assert len(display.ax_.get_yticklabels()) == len(classes)
    assert_apart(display.ax_.get_yticklabels())
    assert_apart(display.ax_.texts)
    assert_apart(display.ax_.get_xticklabels())


def test_names_that_are_too_long_lose_their_middle():
    names = ["begin " + 60 * "x" + " end", "a\nb $c$ \udcff"]
    display = ClassBalanceDisplay(names, [2, 1]).plot()
    drawn(display)
    first, second = (label.get_text() for label in display.ax_.get_yticklabels())
    assert len(first) == 60
    assert first.startswith("begin xx")
    assert first.endswith("xx end")
    assert second == "a b $c$ ?"


# -- timelines ---------------------------------------------------------------------------------------------------------


def timeline(
    n_windows: int = 5, classes=("bark", "siren", "rain"), *, path=None, hop: float = 1.0, window: float = 2.0
):
    """What soundclf.timeline gives, as far as a picture needs it."""
    starts = np.arange(n_windows) * hop
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(classes)), n_windows)
    segments = [
        SimpleNamespace(start=0.0, end=2.5, label=classes[1], probability=0.7),
        SimpleNamespace(start=3.0, end=4.0, label=classes[0], probability=0.6),
    ]
    return SimpleNamespace(
        starts=starts,
        ends=starts + window,
        probabilities=probabilities,
        classes=np.array(classes),
        duration=starts[-1] + window,
        path=path,
        segments=lambda: segments,
    )


def test_a_timeline_without_a_recording():
    found = timeline()
    display = TimelineDisplay.from_timeline(found).plot()
    drawn(display)
    assert display.axes_ == [display.ax_]
    image = display.image_.get_array()
    np.testing.assert_array_equal(image[::2, ::2], found.probabilities.T)
    assert np.ma.getmaskarray(np.ma.masked_invalid(image))[1::2].all()  # below the rows is room for segments
    # windows of two seconds, one second apart: each shows where its center is the nearest
    borders = display.image_.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(borders[::2], [0, 1.5, 2.5, 3.5, 4.5])
    np.testing.assert_allclose(borders[1::2], [1.5, 2.5, 3.5, 4.5, 6])
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["bark", "siren", "rain"]
    assert display.ax_.yaxis_inverted()
    assert display.ax_.get_xlim() == (0, 6)
    assert display.colorbar_.ax.get_ylabel() == "Probability"
    assert display.image_.get_clim() == (0, 1)


def test_segments_are_bars_in_the_rows_of_their_classes():
    display = TimelineDisplay.from_timeline(timeline()).plot()
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in display.segment_bars_]
    assert bars == [(0.0, 2.5, 1), (3.0, 1.0, 0)]
    rows = display.image_.get_coordinates()[:, 0, 1]
    for bar in display.segment_bars_:
        row = round(bar.get_y())
        assert rows[2 * row + 1] < bar.get_y() < bar.get_y() + bar.get_height() < row + 0.5
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["segments"]
    none = TimelineDisplay([0, 1], [1, 2], [[1, 0], [0, 1]], ["a", "b"]).plot()
    assert len(none.segment_bars_) == 0
    assert none.ax_.get_legend() is None


def test_segments_by_other_thresholds_may_be_passed():
    found = timeline()
    display = TimelineDisplay.from_timeline(found, segments=found.segments()[1:]).plot()
    assert [(bar.get_x(), bar.get_width()) for bar in display.segment_bars_] == [(3.0, 1.0)]
    assert len(TimelineDisplay.from_timeline(found, segments=[]).plot().segment_bars_) == 0


def test_the_timeline_of_a_classifier(tones):
    clf = make_pipeline(MFCCMeanTransformer(n_mfcc=13), StandardScaler(), LogisticRegression()).fit(*tones)
    found = predict_timeline(clf, (np.concatenate(tones[0]), SR), window=0.4, hop=0.2)
    display = TimelineDisplay.from_timeline(found, clip=(np.concatenate(tones[0]), SR)).plot()
    np.testing.assert_array_equal(display.image_.get_array()[::2, ::2], found.probabilities.T)
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in display.segment_bars_]
    np.testing.assert_allclose(spans, [(segment.start, segment.end) for segment in found.segments()])
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["high", "low", "mid"]


def test_windows_that_do_not_touch_leave_gaps():
    display = TimelineDisplay([0, 5], [2, 7], [[0.9, 0.1], [0.2, 0.8]], ["a", "b"]).plot()
    np.testing.assert_array_equal(display.image_.get_coordinates()[0, :, 0], [0, 2, 5, 7])
    image = np.ma.filled(np.ma.masked_invalid(display.image_.get_array()), -1)
    np.testing.assert_array_equal(image[::2], [[0.9, -1, 0.2], [0.1, -1, 0.8]])


def test_the_spectrogram_is_above(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(6 * SR), SR, subtype="FLOAT")
    display = TimelineDisplay.from_timeline(timeline(path=str(path))).plot()
    drawn(display)
    upper, lower = display.axes_
    assert lower is display.ax_
    assert upper is display.spectrogram.ax_
    assert upper.get_title() == "long.wav"
    assert upper.get_xlim() == lower.get_xlim() == (0, 6)
    left, right = (one.get_position().intervalx for one in display.axes_)
    np.testing.assert_allclose(left, right)  # so that a time is in one place
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=noise(6 * SR), sr=SR), ref=np.max)
    np.testing.assert_allclose(display.spectrogram.image_.get_array(), expected, atol=1e-3)
    other = TimelineDisplay.from_timeline(timeline(path=str(path)), clip=(noise(1000), 1000.0))
    assert other.spectrogram.times[-1] == 1
    with pytest.raises(AudioError, match="there is no such file"):
        TimelineDisplay.from_timeline(timeline(path="nothing.wav"))


@pytest.mark.parametrize("classes", [TEN, FIFTY], ids=len)
def test_labels_of_a_timeline_are_apart(classes):
    display = TimelineDisplay.from_timeline(timeline(20, classes)).plot()
    drawn(display)
    assert_apart(display.ax_.get_yticklabels())


# -- players -----------------------------------------------------------------------------------------------------------


class Parts(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: dict[str, dict[str, str | None]] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements[tag] = dict(attrs)

    def handle_data(self, data):
        self.text += data


def embedded(parts: Parts, tag: str, kind: str) -> bytes:
    head, contents = parts.elements[tag]["src"].split(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(contents, validate=True)


def test_a_player_holds_sound_and_picture(tmp_path):
    path = tmp_path / "a <b> & 'c'.wav"
    soundfile.write(path, noise(48_000, 2).T, 48_000)
    parts = Parts(ClipPlayer(path)._repr_html_())
    assert parts.elements.keys() == {"figure", "img", "audio", "figcaption"}
    sound, rate = soundfile.read(io.BytesIO(embedded(parts, "audio", "audio/wav")), dtype="float32")
    assert rate == SR
    np.testing.assert_allclose(sound, load_clip(path), atol=1 / 32768)
    assert "controls" in parts.elements["audio"]
    picture = plt.imread(io.BytesIO(embedded(parts, "img", "image/png")))
    assert picture.shape[1] == 800
    assert parts.elements["img"]["alt"] == "Waveform and spectrogram of a <b> & 'c'.wav"
    assert parts.text == (
        "a <b> & 'c'.wav: 1.00 s, 2 channels at 48,000 Hz. The player contains all of it as 16-bit mono WAV, "
        "22,050 Hz (44 kB)."
    )
    assert str(tmp_path) not in repr(parts.elements) + parts.text
    assert plt.get_fignums() == []


def test_a_player_is_of_bounded_size():
    page = ClipPlayer((noise(40 * 8000), 8000.0), duration=None)._repr_html_()
    parts = Parts(page)
    assert "The player contains the first 30 s of it" in parts.text
    assert parts.text.startswith("clip: 40.00 s, 1 channel at 8,000 Hz.")
    assert soundfile.info(io.BytesIO(embedded(parts, "audio", "audio/wav"))).frames == 30 * SR
    assert len(page) < 2_500_000
    cut = ClipPlayer(noise(40 * SR))
    assert cut.waveform.samples.shape == (1, 30 * SR)
    assert repr(cut) == "<ClipPlayer: the first 30.00 s, 1 channel at 22,050 Hz>"
    assert "first" not in repr(ClipPlayer(noise(30 * SR)))


@pytest.mark.parametrize("samples", [np.zeros(100), noise(1), 3 * noise(1000, scale=1)], ids=["silent", "one", "loud"])
def test_a_player_of_odd_clips(samples):
    parts = Parts(ClipPlayer((samples, SR))._repr_html_())
    sound, _ = soundfile.read(io.BytesIO(embedded(parts, "audio", "audio/wav")))
    np.testing.assert_allclose(sound, np.clip(samples, -1, 1), atol=2 / 32768)


# -- confusion matrices ------------------------------------------------------------------------------------------------


def test_the_confusion_matrix_of_a_pipeline_over_paths(tone_files, tones):
    labels = tones[1]
    wrong = np.where(np.arange(len(labels)) % 5, labels, "low")  # so that something is off the diagonal
    clf = make_pipeline(MFCCMeanTransformer(n_mfcc=13), StandardScaler(), LogisticRegression()).fit(tone_files, labels)
    display = ConfusionMatrixDisplay.from_estimator(clf, tone_files, wrong)
    drawn(SimpleNamespace(figure_=display.figure_))
    np.testing.assert_array_equal(display.confusion_matrix, confusion_matrix(wrong, clf.predict(tone_files)))
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["high", "low", "mid"]


@pytest.mark.parametrize("classes", [TEN, FIFTY], ids=len)
@pytest.mark.parametrize("normalize", [None, "true"])
def test_an_evaluation_of_many_classes_is_readable(classes, normalize):
    rng = np.random.default_rng(0)
    y = np.repeat(classes, 6)
    X = np.repeat(rng.normal(size=(len(classes), 6)), 6, axis=0) + 0.7 * rng.normal(size=(len(y), 6))
    result = cross_validate_clips(LogisticRegression(), {"data": X, "target": y}, cv=2, n_bootstrap=2)
    display = result.plot_confusion_matrix(normalize=normalize)
    drawn(SimpleNamespace(figure_=display.figure_))
    assert_apart(display.ax_.get_xticklabels())
    assert_apart(display.ax_.get_yticklabels())
    assert_apart(display.text_.ravel())
    visible = np.array([[text.get_visible() for text in row] for row in display.text_])
    np.testing.assert_array_equal(visible, display.confusion_matrix > 0)
    size = display.figure_.get_window_extent()
    assert all(size.contains(*label.get_window_extent().min) for label in display.ax_.get_xticklabels())


# -- axes, files, and what is missing ----------------------------------------------------------------------------------

DISPLAYS = {
    "WaveformDisplay": (lambda: WaveformDisplay(noise(100, 2), SR), 2),
    "SpectrogramDisplay": (lambda: SpectrogramDisplay.from_clip(noise(3000)), 1),
    "MFCCDisplay": (lambda: MFCCDisplay.from_clip(noise(3000)), 1),
    "TrainingHistoryDisplay": (lambda: TrainingHistoryDisplay(history(3), best_epoch=1), 2),
    "ClassBalanceDisplay": (lambda: ClassBalanceDisplay(["a", "b"], [1, 2]), 1),
    "TimelineDisplay": (lambda: TimelineDisplay.from_timeline(timeline(), clip=noise(6 * SR)), 2),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_axes_may_be_passed(name):
    make, n = DISPLAYS[name]
    display = make()
    figure, axes = plt.subplots(n)
    assert display.plot(axes) is display
    assert display.figure_ is figure
    assert (display.axes_ if n > 1 else [display.ax_]) == list(np.ravel(axes))
    assert len(plt.get_fignums()) == 1
    _, whole = plt.subplots(layout="constrained")
    display.plot(whole)  # is divided, if there are several
    drawn(display)
    assert display.figure_ is whole.figure
    if n > 1:
        assert whole not in display.axes_
        assert len(display.axes_) == n
        assert not whole.axison
    _, three = plt.subplots(3)
    with pytest.raises(
        ParameterError, match=rf"^The 'ax' parameter of {name}\.plot must be None or .*, got 3 of them\.$"
    ):
        display.plot(three)
    with pytest.raises(ParameterError, match=rf"^The 'ax' parameter of {name}\.plot must be None or .*, got str\.$"):
        display.plot("here")


def test_free_axes_cannot_be_divided():
    free = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ParameterError, match="made by subplots, or 2 of them, got Axes"):
        WaveformDisplay(noise(10, 2), SR).plot(free)
    assert WaveformDisplay(noise(10), SR).plot(free).axes_ == [free]


@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_can_be_saved(name, suffix, tmp_path):
    path = tmp_path / f"picture.{suffix}"
    DISPLAYS[name][0]().plot().figure_.savefig(path)
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert path.stat().st_size > 3000


@pytest.fixture(scope="module")
def without_matplotlib():
    """What each display says in a process without matplotlib."""
    code = """
import json, sys
sys.modules["matplotlib"] = None
import numpy as np
from soundclf.plotting import *
from soundclf.evaluation import cross_validate_clips
from sklearn.dummy import DummyClassifier
draw = {
    "WaveformDisplay": lambda: WaveformDisplay(np.zeros(100), 22050.0).plot(),
    "SpectrogramDisplay": lambda: SpectrogramDisplay([[0.0]], [0, 1], [0, 1]).plot(),
    "MFCCDisplay": lambda: MFCCDisplay([[0.0]], [0, 1]).plot(),
    "TrainingHistoryDisplay": lambda: TrainingHistoryDisplay({"loss": [1]}).plot(),
    "ClassBalanceDisplay": lambda: ClassBalanceDisplay(["a"], [1]).plot(),
    "TimelineDisplay": lambda: TimelineDisplay([0], [1], [[1]], ["a"]).plot(),
    "ClipPlayer": lambda: ClipPlayer(np.zeros(100))._repr_html_(),
    "Evaluation": lambda: cross_validate_clips(
        DummyClassifier(), {"data": np.zeros((4, 1)), "target": list("abab")}, cv=2, n_bootstrap=1
    ).plot_confusion_matrix(),
}
messages = {}
for name, call in draw.items():
    try:
        call()
    except ImportError as error:
        messages[name] = str(error)
print(json.dumps(messages))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*DISPLAYS, "ClipPlayer", "Evaluation"])
def test_without_matplotlib_one_sentence_says_so(without_matplotlib, name):
    message = without_matplotlib[name]
    assert message.startswith(name)
    assert message.endswith('needs the package matplotlib: pip install "soundclf[plot]"')


@pytest.mark.parametrize(
    ("function", "make"),
    [
        ("waveshow", lambda: WaveformDisplay(np.zeros(100), SR)),
        ("specshow", lambda: SpectrogramDisplay([[0.0]], [0, 1], [0, 1])),
    ],
    ids=["waveshow", "specshow"],
)
def test_a_librosa_without_a_drawing_function_is_an_error(monkeypatch, function, make):
    import librosa.display

    monkeypatch.delattr(librosa.display, function)
    with pytest.raises(ImportError, match=f"cannot import name '{function}' from 'librosa.display'"):
        make().plot()


# -- wrong input -------------------------------------------------------------------------------------------------------

WRONG = {
    "samples of integers": (lambda: WaveformDisplay(np.zeros(3, int), SR), AudioError, "its samples are integers"),
    "no samples": (lambda: WaveformDisplay(np.zeros(0), SR), AudioError, "it holds no samples"),
    "no file": (lambda: WaveformDisplay.from_clip("nothing.wav"), AudioError, r"'nothing\.wav': there is no such file"),
    "no clip": (lambda: SpectrogramDisplay.from_clip(3), TypeError, "a clip must be a path"),
    "a kind": (
        lambda: SpectrogramDisplay.from_clip(noise(9), kind="melo"),
        ParameterError,
        r"'kind' parameter of SpectrogramDisplay\.from_clip must be 'mel' or 'linear', .* Did you mean 'mel'\?",
    ),
    "another kind": (lambda: SpectrogramDisplay([[1]], [0, 1], [0, 1], kind="log"), ParameterError, "'kind' parameter"),
    "a hop": (
        lambda: SpectrogramDisplay.from_clip(noise(9), hop_length=0),
        ParameterError,
        r"'hop_length' parameter of SpectrogramDisplay\.from_clip must be an integer",
    ),
    "bands": (lambda: MFCCDisplay.from_clip(noise(9), n_mfcc=200), ParameterError, "needs n_mfcc <= n_mels"),
    "samples that overflow": (
        lambda: SpectrogramDisplay.from_clip(np.full(4000, 1e30)),
        AudioError,
        "it contains samples too large to be squared",
    ),
    "levels": (
        lambda: SpectrogramDisplay([1, 2], [0, 1], [0, 1]),
        ParameterError,
        r"must be a 2-D array .* shape \(2,\)",
    ),
    "levels of NaN": (lambda: SpectrogramDisplay([[np.nan]], [0, 1], [0, 1]), ParameterError, "finite numbers"),
    "times": (lambda: SpectrogramDisplay([[1, 2]], [0, 1], [0, 1]), ParameterError, "'times' .* must be 3 increasing"),
    "falling times": (lambda: MFCCDisplay([[1, 2]], [0, 2, 1]), ParameterError, "'times' .* increasing numbers"),
    "colors": (
        lambda: MFCCDisplay([[1, 2]], [0, 1, 2]).plot(cmap="magna"),
        ParameterError,
        r"'cmap' parameter of MFCCDisplay\.plot must be the name of a matplotlib colormap, got 'magna'",
    ),
    "a history": (lambda: TrainingHistoryDisplay([1, 2]), ParameterError, 'must be a mapping with "loss"'),
    "a history without loss": (
        lambda: TrainingHistoryDisplay({"val_loss": [1]}),
        ParameterError,
        'mapping with "loss"',
    ),
    "an empty history": (
        lambda: TrainingHistoryDisplay({"loss": []}),
        ParameterError,
        "a list of one number per epoch",
    ),
    "an uneven history": (
        lambda: TrainingHistoryDisplay({"loss": [1, 2], "val_loss": [1]}),
        ParameterError,
        r"got lengths {'loss': 2, 'val_loss': 1}",
    ),
    "a history of text": (lambda: TrainingHistoryDisplay({"loss": ["low"]}), ParameterError, "one number per epoch"),
    "a best epoch": (
        lambda: TrainingHistoryDisplay({"loss": [1, 2]}, best_epoch=2),
        ParameterError,
        r"'best_epoch' parameter of TrainingHistoryDisplay must be None or an integer in \[0, 2\)",
    ),
    "no network": (
        lambda: TrainingHistoryDisplay.from_estimator(make_pipeline(LogisticRegression())),
        TypeError,
        "or a pipeline that ends with one, got LogisticRegression",
    ),
    "no labels": (lambda: ClassBalanceDisplay([], []), ParameterError, "'classes' .* must be a list of labels"),
    "counts": (
        lambda: ClassBalanceDisplay(["a", "b"], [1]),
        ParameterError,
        "'n_clips' .* must be 2 non-negative integers",
    ),
    "shares": (lambda: ClassBalanceDisplay(["a"], [0.5]), ParameterError, "'n_clips' .* non-negative integers"),
    "a data set": (lambda: ClassBalanceDisplay.from_dataset(["a"]), ValueError, 'a dict with "target"'),
    "missing recordings": (
        lambda: ClassBalanceDisplay.from_labels(["a", "b"], groups=["x", None]),
        ValueError,
        "groups must name every recording",
    ),
    "too few recordings": (
        lambda: ClassBalanceDisplay.from_labels(["a", "b"], groups=["x"]),
        ValueError,
        "inconsistent numbers of samples",
    ),
    "no classes but numbers": (lambda: ClassBalanceDisplay.from_labels([0.5, 1.5]), ValueError, "Unknown label type"),
    "windows": (
        lambda: TimelineDisplay([0, 1], [1, 2], [[1, 0]], ["a", "b"]),
        ParameterError,
        r"got the shapes \(2,\), \(2,\), \(1, 2\), \(2,\)\.",
    ),
    "windows that go back": (
        lambda: TimelineDisplay([1, 0], [2, 1], [[1], [0]], ["a"]),
        ParameterError,
        "increasing starts",
    ),
    "windows of text": (
        lambda: TimelineDisplay(["x"], [1], [[1]], ["a"]),
        ParameterError,
        "'starts' .* a list of seconds",
    ),
    "segments": (
        lambda: TimelineDisplay([0], [1], [[1]], ["a"], segments=[(0, 1, "z")]),
        ParameterError,
        "segments with labels that are not among its classes: 'z'",
    ),
    "a player's duration": (
        lambda: ClipPlayer(noise(9), duration=-0.5),
        ParameterError,
        "'duration' parameter of ClipPlayer must be None or a number",
    ),
    "a player": (lambda: ClipPlayer("nothing.wav"), AudioError, "there is no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence(case):
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_every_name_is_documented():
    for name in plotting.__all__:
        assert ">>>" in getattr(plotting, name).__doc__
