"""Statistics over time, descriptors and mel spectra, against librosa and SciPy."""

from __future__ import annotations

import io
import warnings

import librosa
import numpy as np
import pytest
import sklearn
import soundfile
from scipy import stats
from sklearn.base import clone

from soundclf import AudioError, AudioWarning, LogMelTransformer, MFCCStatisticsTransformer, ParameterError
from soundclf.datasets import make_sounds
from soundclf.features import log_mel, mfcc_statistics

SR = 22050
STATISTICS = {
    "mean": lambda x: x.mean(axis=1),
    "std": lambda x: x.std(axis=1),
    "min": lambda x: x.min(axis=1),
    "max": lambda x: x.max(axis=1),
    "median": lambda x: np.median(x, axis=1),
    "skewness": lambda x: stats.skew(x, axis=1),
    "kurtosis": lambda x: stats.kurtosis(x, axis=1),
}
EVERYTHING = {"deltas": 2, "statistics": list(STATISTICS)}
TRANSFORMERS = [MFCCStatisticsTransformer(n_mfcc=13), LogMelTransformer(1.0, n_mels=32)]


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(8, duration=1.3, sr=SR, random_state=0).data


def by_librosa(y, sr=SR, **settings):
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20, **settings)
    spectrum = np.abs(librosa.stft(y, n_fft=settings.get("n_fft", 2048), hop_length=settings.get("hop_length", 512)))
    frames = {
        "mfcc": mfcc,
        "mfcc_delta": librosa.feature.delta(mfcc),
        "mfcc_delta2": librosa.feature.delta(mfcc, order=2),
        "log_mel": librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, **settings)),
        "contrast": librosa.feature.spectral_contrast(S=spectrum, sr=sr),
        "centroid": librosa.feature.spectral_centroid(S=spectrum, sr=sr),
        "bandwidth": librosa.feature.spectral_bandwidth(S=spectrum, sr=sr),
        "rolloff": librosa.feature.spectral_rolloff(S=spectrum, sr=sr),
        "flatness": librosa.feature.spectral_flatness(S=spectrum),
    }
    return {name: values.astype(float) for name, values in frames.items()}


@pytest.mark.parametrize("settings", [{}, {"n_fft": 1024, "hop_length": 300, "n_mels": 40}], ids=str)
@pytest.mark.parametrize("i", range(8))
def test_statistics_equal_librosas(sounds, i, settings):
    expected = by_librosa(sounds[i], **settings)
    descriptors = list(expected)[3:]
    row = mfcc_statistics(sounds[i], sr=SR, n_mfcc=20, **EVERYTHING, descriptors=descriptors, **settings)
    start = 0
    for name, frames in expected.items():
        scale = max(1.0, np.abs(frames).max())
        for statistic, compute in STATISTICS.items():
            part = row[start : start + len(frames)]
            np.testing.assert_allclose(
                part, compute(frames), atol=1e-4 * scale, rtol=1e-3, err_msg=f"{name} {statistic}"
            )
            start += len(frames)
    assert start == len(row)


def test_the_chosen_ones_come_in_the_chosen_order(sounds):
    everything = mfcc_statistics(sounds[0], sr=SR, n_mfcc=5, **EVERYTHING, descriptors=["flatness", "centroid"])
    some = mfcc_statistics(
        sounds[0], sr=SR, n_mfcc=5, deltas=0, descriptors=["centroid", "flatness"], statistics=["max", "mean"]
    )
    flatness, centroid = everything[105:112], everything[112:]
    np.testing.assert_array_equal(
        some, [*everything[15:20], *everything[:5], centroid[3], centroid[0], flatness[3], flatness[0]]
    )


def test_mel_spectra_stay_arrays_where_tables_are_asked_for(sounds):
    transformer = LogMelTransformer(0.5, n_mels=8)
    expected = transformer.transform(sounds[:1])
    with sklearn.config_context(transform_output="pandas"):
        np.testing.assert_array_equal(transformer.transform(sounds[:1]), expected, strict=True)
    assert not hasattr(transformer, "set_output")


@pytest.mark.parametrize("descriptors", [{"centroid", "flatness"}, iter(["centroid"])], ids=["set", "iterator"])
def test_names_without_an_order_or_for_one_reading_are_refused(sounds, descriptors):
    with pytest.raises(ParameterError, match=r"'descriptors' parameter of .* must be a list of 'log_mel', 'contrast'"):
        MFCCStatisticsTransformer(descriptors=descriptors).transform(sounds[:1])


def test_feature_names(sounds):
    transformer = MFCCStatisticsTransformer(
        n_mfcc=3, deltas=1, descriptors=["contrast", "rolloff"], statistics=["std", "min"]
    )
    frame = transformer.set_output(transform="pandas").fit_transform(sounds)
    assert frame.columns[:4].tolist() == ["mfcc_std_0", "mfcc_std_1", "mfcc_std_2", "mfcc_min_0"]
    assert frame.columns[[6, 12, 19, -2, -1]].tolist() == [
        "mfcc_delta_std_0", "contrast_std_0", "contrast_min_0", "rolloff_std", "rolloff_min",
    ]  # fmt: skip
    expected = by_librosa(sounds[0])["rolloff"]
    assert frame["rolloff_min"].iloc[0] == pytest.approx(expected.min(), abs=0.01)


def test_short_sounds_have_differences_too():
    y = np.sin(np.arange(1500.0))  # three frames
    mfcc = librosa.feature.mfcc(y=y.astype(np.float32), sr=SR, n_mfcc=4)
    padded = np.pad(mfcc, ((0, 0), (3, 3)), mode="edge")
    row = mfcc_statistics(y, sr=SR, n_mfcc=4, deltas=1, statistics=["max"])
    np.testing.assert_allclose(row[4:], librosa.feature.delta(padded).max(axis=1), atol=1e-3)


def test_constant_series_have_zero_skewness_and_kurtosis():
    row = mfcc_statistics(np.zeros(SR), sr=SR, n_mfcc=4, descriptors=["log_mel", "contrast", "centroid"])
    assert np.isfinite(row).all()
    silence = MFCCStatisticsTransformer(n_mfcc=4, statistics=["skewness", "kurtosis"]).transform([np.zeros(SR)])
    assert not silence.any()


@pytest.mark.parametrize("cuts", [[1], [100, 5000, 5001], list(range(0, 20000, 999))], ids=len)
def test_cuts_do_not_change_the_numbers(sounds, cuts):
    blocks = np.split(sounds[1], cuts)
    settings = {"sr": SR, "descriptors": ["log_mel", "contrast"]}
    np.testing.assert_array_equal(mfcc_statistics(blocks, **settings), mfcc_statistics(sounds[1], **settings))
    np.testing.assert_array_equal(log_mel(blocks, sr=SR), log_mel(sounds[1], sr=SR))


@pytest.mark.parametrize(
    "settings", [{}, {"n_fft": 1023, "hop_length": 400}, {"n_mels": 64, "fmin": 50, "fmax": 8000}], ids=str
)
def test_log_mel_equals_librosas(sounds, settings):
    for y in sounds[:4]:
        expected = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR, **settings))
        np.testing.assert_allclose(log_mel(y, sr=SR, **settings), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("fill", "samples"), [("loop", lambda y: np.resize(y, 2 * SR)), ("pad", lambda y: np.pad(y, (0, 2 * SR - len(y))))]
)
def test_short_clips_are_repeated_or_followed_by_silence(sounds, fill, samples):
    spectra = LogMelTransformer(2.0, fill=fill).transform(sounds[:2])
    assert spectra.shape == (2, 128, 1 + 2 * SR // 512)
    assert spectra.dtype == np.float32
    np.testing.assert_array_equal(spectra[1], log_mel(samples(sounds[1]), sr=SR))


def test_long_clips_are_cut(sounds):
    np.testing.assert_array_equal(
        LogMelTransformer(0.5).transform(sounds[:1])[0], log_mel(sounds[0][: round(0.5 * SR)], sr=SR)
    )


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)
class TestAllTransformers:
    def test_forms_of_a_clip_are_equal(self, transformer, sounds, tmp_path):
        path = tmp_path / "a.wav"
        soundfile.write(path, sounds[0], SR, subtype="FLOAT")
        content = path.read_bytes()
        rows = transformer.transform([str(path), path, content, io.BytesIO(content), sounds[0], (sounds[0], SR)])
        assert (rows == rows[0]).all()

    def test_threads_and_cache_change_nothing(self, transformer, sounds, tmp_path):
        expected = transformer.transform(sounds)
        cached = clone(transformer).set_params(memory=tmp_path, n_jobs=2)
        np.testing.assert_array_equal(cached.transform(sounds), expected)
        np.testing.assert_array_equal(cached.transform(sounds), expected)
        assert [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite"] == ["soundclf-features.sqlite"]

    def test_other_parameters_are_not_found_in_the_cache(self, transformer, sounds, tmp_path):
        cached = clone(transformer).set_params(memory=tmp_path)
        cached.transform(sounds)
        for name, value in {"n_fft": 1024, "hop_length": 300, "sr": 16000, "fmin": 30.0}.items():
            other = clone(cached).set_params(**{name: value})
            expected = clone(other).set_params(memory=None).transform(sounds)
            np.testing.assert_array_equal(other.transform(sounds), expected)

    def test_bad_clips_raise_or_become_nan(self, transformer, sounds, tmp_path):
        (tmp_path / "bad.wav").write_bytes(b"RIFF")
        clips = [sounds[0], str(tmp_path / "bad.wav"), np.zeros(0)]
        with pytest.raises(AudioError, match=r"^Clip 1, .*bad\.wav"):
            transformer.transform(clips)
        with pytest.warns(AudioWarning, match="2 of 3 clips cannot be used"):
            rows = clone(transformer).set_params(on_error="nan").transform(clips)
        assert np.isnan(rows).all(axis=tuple(range(1, rows.ndim))).tolist() == [False, True, True]

    def test_names_are_as_many_as_features(self, transformer, sounds):
        assert len(set(transformer.get_feature_names_out())) == transformer.transform(sounds[:1])[0].size

    def test_no_warnings(self, transformer, sounds):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transformer.transform(sounds)


def test_choices_belong_to_the_key_of_the_cache(sounds, tmp_path):
    for settings in ({"deltas": 1, "statistics": ["mean", "std"]}, {"deltas": 1, "statistics": ["std", "mean"]}):
        transformer = MFCCStatisticsTransformer(n_mfcc=5, descriptors=[], **settings)
        expected = transformer.transform(sounds)
        np.testing.assert_array_equal(transformer.set_params(memory=tmp_path).transform(sounds), expected)
    for fill in ("loop", "pad"):
        expected = LogMelTransformer(2.0, fill=fill).transform(sounds)
        np.testing.assert_array_equal(LogMelTransformer(2.0, fill=fill, memory=tmp_path).transform(sounds), expected)


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (MFCCStatisticsTransformer(statistics=["mode"]), r"'statistics' parameter .* a list of one or more of 'mean'"),
        (MFCCStatisticsTransformer(statistics=[]), "'statistics' parameter"),
        (MFCCStatisticsTransformer(statistics="mean"), "'statistics' parameter"),
        (
            MFCCStatisticsTransformer(descriptors=["chroma"]),
            "'descriptors' parameter .* a list of 'log_mel', 'contrast'",
        ),
        (MFCCStatisticsTransformer(descriptors=["log_mel", "log_mel"]), "'descriptors' parameter"),
        (MFCCStatisticsTransformer(deltas=3), r"'deltas' parameter .* an integer in \[0, 3\)"),
        (MFCCStatisticsTransformer(sr=8000), r"sr > 12800 Hz for the descriptor 'contrast', got sr=8000"),
        (MFCCStatisticsTransformer(n_fft=64), "a longer window for the descriptor 'contrast'"),
        (MFCCStatisticsTransformer(sr=192000, n_fft=256), "a longer window for the descriptor 'contrast'"),
        (MFCCStatisticsTransformer(n_mfcc=50, n_mels=40), "n_mfcc <= n_mels"),
        (LogMelTransformer(None), "'duration' parameter"),
        (LogMelTransformer(fill="reflect"), "'fill' parameter .* 'loop' or 'pad'"),
        (LogMelTransformer(fmin=5000, fmax=4000), "fmin < fmax"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_parameters_are_one_sentence(estimator, sentence, sounds):
    with pytest.raises(ParameterError, match=sentence):
        estimator.fit(sounds)
    with pytest.raises(ParameterError, match=sentence):
        estimator.transform(sounds)
