"""mfcc_mean and mel_filters: equal to librosa's, true to the mathematics, and the same however the samples are cut."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from soundclf import AudioError, AudioWarning, MFCCMeanTransformer, ParameterError, load_clip, stream_clip
from soundclf.features import mel_filters, mfcc_mean

SR = 22050
EMPTY_BANDS = {"sr": SR, "n_fft": 64, "n_mels": 64}
SENTENCE = (
    "23 of 64 mel bands contain no bin of an FFT of 64 samples and stay empty; use fewer bands or a longer window"
)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=n).astype(np.float32)


def sine(frequency: float, n: int = SR, sr: float = SR) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(n) / sr).astype(np.float32)


def mean_by_librosa(y: np.ndarray, **parameters) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty bands, and of sounds shorter than a window
        return librosa.feature.mfcc(y=y, **parameters).mean(axis=1)


def log_mel_mean(y: np.ndarray, **parameters) -> np.ndarray:
    """The mean log-mel spectrum that belongs to all mean coefficients: the DCT is orthonormal."""
    n_mels = parameters.get("n_mels", 128)
    return scipy.fft.idct(mfcc_mean(y, **parameters, n_mfcc=n_mels), norm="ortho")


# -- librosa is the reference ------------------------------------------------------------------------------------------


@st.composite
def filter_parameters(draw):
    sr = draw(st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000, 22050.5]))
    fmin = draw(st.one_of(st.just(0.0), st.floats(0, 0.45 * sr)))
    fmax = draw(st.one_of(st.none(), st.floats(fmin + 1, sr / 2)))
    n_fft = draw(st.one_of(st.sampled_from([64, 100, 101, 256, 511, 512, 1024, 2048, 4096]), st.integers(64, 4096)))
    return {"sr": sr, "fmin": fmin, "fmax": fmax, "n_fft": n_fft, "n_mels": draw(st.integers(1, 256))}


@st.composite
def mfcc_parameters(draw):
    parameters = draw(filter_parameters())
    n_mfcc = draw(st.integers(1, parameters["n_mels"]))
    hop_length = draw(st.one_of(st.sampled_from([1, 64, 160, 512, 8192]), st.integers(1, 8192)))
    return {**parameters, "n_mfcc": n_mfcc, "hop_length": hop_length}


KINDS = {
    "noise": lambda n: noise(n),
    "sine": lambda n: sine(1000, n),
    "two sines": lambda n: sine(300, n) + 1e-3 * sine(3000, n),
    "impulse": lambda n: np.eye(1, n, n // 3, dtype=np.float32)[0],
    "impulses": lambda n: (np.arange(n) % 997 == 0).astype(np.float32),
    "silence": lambda n: np.zeros(n, np.float32),
    "silence, then loud": lambda n: noise(n) * (np.arange(n) > n * 0.6),
    "loud, then faint": lambda n: noise(n) * np.where(np.arange(n) < n * 0.1, 1, 1e-5).astype(np.float32),
    "constant": lambda n: np.full(n, 0.5, np.float32),
}


@st.composite
def sounds(draw, hop_length):
    n = draw(st.one_of(st.integers(1, 100), st.integers(1, min(20_000, 200 * hop_length))))
    level = draw(st.sampled_from([1.0, 1e-7, 1e-3, 1e4]))
    return (KINDS[draw(st.sampled_from(sorted(KINDS)))](n) * np.float32(level)).astype(np.float32)


@settings(max_examples=250, deadline=None)
@given(data=st.data(), parameters=mfcc_parameters())
def test_equals_librosa_for_any_parameters_and_sound(data, parameters):
    y = data.draw(sounds(parameters["hop_length"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        mean = mfcc_mean(y, **parameters)
    assert mean.dtype == np.float32
    assert mean.shape == (parameters["n_mfcc"],)
    np.testing.assert_allclose(mean, mean_by_librosa(y, **parameters), rtol=0, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [1e-7, 1, 1e4])
def test_equals_librosa_in_the_usual_setting(kind, level):
    y = KINDS[kind](3 * SR) * np.float32(level)
    np.testing.assert_allclose(mfcc_mean(y), mean_by_librosa(y.astype(np.float64), sr=SR, n_mfcc=40), rtol=0, atol=5e-4)


@pytest.mark.parametrize("limits", [{"fmin": 5500}, {"fmax": 2000}, {"fmin": 2000, "fmax": 5000}], ids=str)
@pytest.mark.parametrize("frequency", [0, 300, 8000])
def test_loud_components_outside_the_bands_do_not_leak_into_them(frequency, limits):
    y = np.hanning(SR) ** 2 * np.cos(2 * np.pi * frequency * np.arange(SR) / SR)
    y = (1e4 * y).astype(np.float32)  # far above 1e-10, where librosa cuts off
    expected = mean_by_librosa(y, sr=SR, n_mfcc=40, **limits)
    np.testing.assert_allclose(mfcc_mean(y, **limits), expected, rtol=0, atol=1e-3)


def test_the_range_of_80_db_is_that_of_the_whole_sound():
    y = KINDS["loud, then faint"](3 * SR)
    halves = [mfcc_mean(part) for part in (y[: SR // 2], y[SR // 2 :])]
    assert np.abs(mfcc_mean(y) - mfcc_mean(y * np.float32(0.01))).max() > 10  # less of it lies above librosa's 1e-10
    assert np.abs(mfcc_mean(y)[0] - np.average([half[0] for half in halves], weights=[1, 5])) > 10


@settings(max_examples=150, deadline=None)
@given(parameters=filter_parameters())
def test_filters_equal_librosas_and_warn_as_they_do(parameters):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = mel_filters(**parameters)
    with warnings.catch_warnings(record=True) as expected_warnings:
        warnings.simplefilter("always")
        expected = librosa.filters.mel(**parameters)
    assert filters.dtype == np.float32
    np.testing.assert_allclose(filters, expected, rtol=1e-6, atol=1e-12)
    assert len(caught) == len(expected_warnings)


# -- analytic truths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_mels", [40, 128])
@pytest.mark.parametrize("frequency", [200, 440, 1000, 3000, 9000])
def test_a_sine_lies_in_the_band_of_its_frequency(frequency, n_mels):
    filters = mel_filters(sr=SR, n_fft=2048, n_mels=n_mels)
    at = frequency * 2048 / SR
    weights = [np.interp(at, np.arange(1025), band) for band in filters]
    assert np.argmax(log_mel_mean(sine(frequency), n_mels=n_mels)) == np.argmax(weights)


@pytest.mark.parametrize("n_mels", [1, 40, 128])
def test_silence_is_the_dct_of_the_floor(n_mels):
    expected = np.zeros(n_mels)
    expected[0] = -100 * np.sqrt(n_mels)  # 10 log10 of 1e-10 in every band
    np.testing.assert_allclose(mfcc_mean(np.zeros(SR), n_mfcc=n_mels, n_mels=n_mels), expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("n_mels", [40, 128])
def test_ten_times_the_amplitude_moves_only_the_first_coefficient(n_mels):
    y = noise(SR)
    moved = mfcc_mean(10 * y, n_mels=n_mels) - mfcc_mean(y, n_mels=n_mels)
    expected = np.zeros(40)
    expected[0] = 20 * np.sqrt(n_mels)  # 20 dB in every band
    np.testing.assert_allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("level", [1e-3, 0.5, 100.0])
@pytest.mark.parametrize("n_fft", [256, 257, 2048])
def test_an_impulse_is_flat(n_fft, level):
    # One sample in the middle of the only frame, where the window is 1: every bin has its square as power.
    filters = mel_filters(sr=SR, n_fft=n_fft, n_mels=20)
    center = np.sin(np.pi * (n_fft // 2) / n_fft) ** 2
    expected = 10 * np.log10((level * center) ** 2 * filters.sum(axis=1, dtype=np.float64))
    np.testing.assert_allclose(log_mel_mean(np.array([level]), n_fft=n_fft, n_mels=20), expected, atol=1e-3)


def test_the_dct_is_orthonormal():
    y = noise(SR)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR)).mean(axis=1)
    all_of_them = mfcc_mean(y, n_mfcc=128)
    np.testing.assert_allclose(np.linalg.norm(all_of_them), np.linalg.norm(mel), rtol=1e-6)
    np.testing.assert_allclose(log_mel_mean(y), mel, atol=1e-3)


@pytest.mark.parametrize("n_mfcc", [1, 13, 127])
def test_fewer_coefficients_are_the_first_ones(n_mfcc):
    np.testing.assert_allclose(
        mfcc_mean(noise(SR), n_mfcc=n_mfcc), mfcc_mean(noise(SR), n_mfcc=128)[:n_mfcc], rtol=1e-6
    )


def test_frames_are_centered_at_multiples_of_the_hop():
    # With a hop of more than the sound there is one frame, centered at its beginning: what lies behind is not seen.
    y = noise(5000)
    seen, beyond = np.r_[y[:1024], np.zeros(3976, np.float32)], np.r_[y[:1024], y[1024:] * 2]
    np.testing.assert_array_equal(mfcc_mean(seen, hop_length=6000), mfcc_mean(beyond, hop_length=6000))
    np.testing.assert_allclose(
        mfcc_mean(y, hop_length=6000), mean_by_librosa(y, sr=SR, n_mfcc=40, hop_length=6000), atol=1e-3
    )


def test_filters_are_triangles_of_unit_area():
    filters = mel_filters(sr=SR, n_fft=2**15, n_mels=40, fmin=100, fmax=10_000)
    np.testing.assert_allclose(filters.sum(axis=1) * SR / 2**15, 1, rtol=1e-3)
    bins = np.arange(filters.shape[1]) * SR / 2**15
    assert not filters[:, (bins <= 100) | (bins >= 10_000)].any()
    peaks = filters.argmax(axis=1)
    assert (np.diff(peaks) > 0).all()
    for band, peak in zip(filters, peaks, strict=True):
        assert (np.diff(band[: peak + 1]) >= 0).all()
        assert (np.diff(band[peak:]) <= 0).all()


# -- blocks ------------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    n_fft=st.sampled_from([64, 65, 512, 2048]),
    hop_length=st.sampled_from([1, 7, 64, 512, 513, 3000, 8192]),
)
def test_blocks_do_not_change_a_bit_of_the_result(data, n_fft, hop_length):
    y = noise(data.draw(st.integers(1, min(40_000, 400 * hop_length))))
    cuts = data.draw(st.lists(st.integers(0, len(y)), max_size=12))
    cuts += [cut + 1 for cut in cuts[::2]] + cuts[1::3]  # blocks of one sample, and empty ones
    parameters = {"n_fft": n_fft, "hop_length": hop_length, "n_mels": 20, "n_mfcc": 20}
    expected = mfcc_mean(y, **parameters)
    np.testing.assert_array_equal(mfcc_mean(np.split(y, sorted(cuts)), **parameters), expected)
    np.testing.assert_array_equal(mfcc_mean(iter(np.split(y, sorted(cuts))), **parameters), expected)


@pytest.mark.parametrize("size", [1, 2, 511, 512, 2048, 65536])
def test_blocks_of_any_size_do_not_change_a_bit_of_the_result(size):
    y = noise(30_000)
    blocks = (y[start : start + size] for start in range(0, len(y), size))
    np.testing.assert_array_equal(mfcc_mean(blocks), mfcc_mean(y))


def test_a_source_of_blocks_may_use_its_memory_again():
    y, buffer = noise(30_000), np.empty(1000, np.float32)

    def blocks():
        for start in range(0, len(y), 1000):
            buffer[:] = y[start : start + 1000]
            yield buffer

    np.testing.assert_array_equal(mfcc_mean(blocks()), mfcc_mean(y))


def test_a_streamed_clip_gives_what_a_loaded_one_does():
    clip = (noise(300_000), 44100)
    np.testing.assert_array_equal(mfcc_mean(stream_clip(clip)), mfcc_mean(load_clip(clip)))


def test_a_long_sound_takes_little_memory():
    def minutes():
        for seed in range(120):
            yield noise(SR, seed)

    mfcc_mean(minutes())
    tracemalloc.start()
    mfcc_mean(minutes())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000  # the samples are 10.6 MB, their log-mel spectrum 2.6 MB


@pytest.mark.parametrize("kind", ["f2", "f8", ">f4", "longdouble"])
def test_other_floats_are_the_same_numbers(kind):
    y = noise(5000).astype("f2").astype(kind)
    np.testing.assert_array_equal(mfcc_mean(y), mfcc_mean(y.astype(np.float32)))


def test_samples_may_lie_anywhere_in_memory_and_are_not_changed():
    y = noise(5000)
    y.flags.writeable = False
    expected = mfcc_mean(y)
    np.testing.assert_array_equal(mfcc_mean(np.repeat(y, 2)[::2]), expected)
    np.testing.assert_array_equal(mfcc_mean(y[::-1].copy()[::-1]), expected)
    np.testing.assert_array_equal(y, noise(5000))


def test_many_threads_get_the_same():
    sounds = [noise(5000 + 100 * i, i) for i in range(16)]
    expected = [mfcc_mean(y, n_fft=1000) for y in sounds]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda y: mfcc_mean(y, n_fft=1000), sounds * 4))
    for i, row in enumerate(got):
        np.testing.assert_array_equal(row, expected[i % 16])


# -- warnings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 100, 511, 512, 1023, 1024, 2047, 2048, 2049])
@pytest.mark.parametrize("kind", ["noise", "silence", "impulse"])
def test_a_short_sound_causes_no_warning(n, kind):
    y = KINDS[kind](n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean = mfcc_mean(y)
    np.testing.assert_allclose(mean, mean_by_librosa(y, sr=SR, n_mfcc=40), atol=1e-3)


def test_every_call_warns_about_empty_bands_at_the_line_of_the_call():
    calls = [
        lambda: mel_filters(**EMPTY_BANDS),
        lambda: mfcc_mean(noise(100), **EMPTY_BANDS),
        lambda: mfcc_mean(noise(100), **EMPTY_BANDS),  # its filters are cached by now
    ]
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [str(warning.message) for warning in caught] == [SENTENCE]
        assert caught[0].category is AudioWarning
        assert caught[0].filename == __file__


def test_a_collection_causes_one_warning_by_default():
    transformer = MFCCMeanTransformer(n_mfcc=20, n_fft=64, n_mels=64)
    for work in (
        lambda: [mfcc_mean(noise(100), **EMPTY_BANDS) for _ in range(5)],
        lambda: transformer.transform([noise(100)] * 5),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            work()
        assert len(caught) == 1


def test_the_usual_settings_have_no_empty_band():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mel_filters(sr=SR, n_fft=2048)
        mfcc_mean(noise(100))


def test_filters_are_the_callers_to_change():
    mel_filters(sr=SR, n_fft=512, n_mels=20)[:] = 0
    np.testing.assert_array_equal(
        mel_filters(sr=SR, n_fft=512, n_mels=20), librosa.filters.mel(sr=SR, n_fft=512, n_mels=20)
    )


# -- invalid input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [np.zeros(0), [], [np.zeros(0)], [np.zeros(0)] * 3, iter(())],
    ids=["array", "no blocks", "block", "blocks", "iterator"],
)
def test_no_samples(y):
    with pytest.raises(AudioError) as caught:
        mfcc_mean(y)
    assert caught.value.reason == "it holds no samples"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, 1e300])
@pytest.mark.parametrize("at", [0, 5000, 100_000, 199_999])
def test_samples_that_are_not_finite(bad, at):
    y = np.zeros(200_000)
    y[at] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given_as in (y, np.split(y, [3000])):
            with pytest.raises(AudioError) as caught:
                mfcc_mean(given_as)
            assert caught.value.reason == "it contains NaN, infinity or samples too large to be squared"


@pytest.mark.parametrize(
    ("y", "given_as"),
    [
        (np.zeros((2, 100)), "array of shape (2, 100) and type float64"),
        (np.array(0.5), "array of shape () and type float64"),
        (np.zeros(100, np.int16), "array of shape (100,) and type int16"),
        (np.zeros(100, complex), "array of shape (100,) and type complex128"),
        ([0.1, 0.2], "0.1"),
        ([np.zeros(9), np.zeros(9, int)], "array of shape (9,) and type int64"),
        ("sound.wav", "'sound.wav'"),
        (None, "None"),
        (3, "3"),
    ],
    ids=["2-D", "0-D", "integers", "complex", "list", "block of integers", "path", "None", "int"],
)
def test_invalid_samples(y, given_as):
    with pytest.raises(ParameterError) as caught:
        mfcc_mean(y)
    assert str(caught.value) == (
        "The 'y' parameter must be a 1-D float array or an iterable of such blocks, got " + given_as + "."
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        *(
            ({"n_fft": value}, "'n_fft' parameter of {} must be an integer in [1, inf)")
            for value in (0, -1, 2048.0, None)
        ),
        ({"n_mels": 0}, "'n_mels' parameter of {} must be an integer in [1, inf)"),
        ({"sr": 0}, "'sr' parameter of {} must be a number in (0, inf)"),
        ({"sr": np.nan}, "'sr' parameter of {} must be a number in (0, inf)"),
        ({"fmin": -1}, "'fmin' parameter of {} must be a number in [0, inf)"),
        ({"fmax": 0}, "'fmax' parameter of {} must be None or a number in (0, inf)"),
        ({"fmin": 11025}, "{} needs fmin < fmax <= sr / 2, got fmin=11025, fmax=None and sr=22050"),
        ({"fmin": 500, "fmax": 500}, "{} needs fmin < fmax <= sr / 2, got fmin=500, fmax=500 and sr=22050"),
        ({"fmax": 11026}, "{} needs fmin < fmax <= sr / 2, got fmin=0.0, fmax=11026 and sr=22050"),
    ],
    ids=str,
)
def test_bad_parameters(parameters, message):
    for function, given_too in ((mfcc_mean, {"y": noise(9)}), (mel_filters, {"sr": SR, "n_fft": 2048})):
        with pytest.raises(ParameterError) as caught:
            function(**{**given_too, **parameters})
        assert message.format(function.__name__) in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hop_length": 0}, "'hop_length' parameter of mfcc_mean must be an integer in [1, inf), got 0 (int)"),
        ({"hop_length": 0.5}, "'hop_length' parameter of mfcc_mean must be an integer in [1, inf), got 0.5 (float)"),
        ({"n_mfcc": 0}, "'n_mfcc' parameter of mfcc_mean must be an integer in [1, inf), got 0 (int)"),
        ({"n_mfcc": 41, "n_mels": 40}, "mfcc_mean needs n_mfcc <= n_mels, got n_mfcc=41 and n_mels=40"),
    ],
    ids=str,
)
def test_bad_parameters_of_coefficients(parameters, message):
    with pytest.raises(ParameterError) as caught:
        mfcc_mean(noise(9), **parameters)
    assert message in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    parameters = {"n_mfcc": 13, "n_fft": 512, "hop_length": 100, "n_mels": 40, "fmin": 50.0, "fmax": 8000.0}
    of_numpy = {name: np.float64(v) if isinstance(v, float) else np.int64(v) for name, v in parameters.items()}
    np.testing.assert_array_equal(mfcc_mean(noise(5000), **of_numpy), mfcc_mean(noise(5000), **parameters))


def test_more_frames_than_are_kept_in_memory():
    rng = np.random.default_rng(0)
    loudness = np.geomspace(1e-6, 1, 60)  # what is below the clipping is known only at the end
    y = (rng.standard_normal((60, 60_000)) * loudness[:, None]).astype(np.float32).ravel()
    parameters = {"sr": SR, "n_mfcc": 20, "n_fft": 256, "hop_length": 32, "n_mels": 77, "fmax": SR / 2}
    assert 4 * 77 * len(y) / 32 > 2**25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bands that are empty
        expected = mean_by_librosa(y, **parameters)
        np.testing.assert_allclose(mfcc_mean(y, **parameters), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    "parameters", [{"hop_length": 10**9}, {"n_fft": 2, "hop_length": 50_000}, {"n_fft": 256, "hop_length": 999}]
)
def test_hops_longer_than_frames(parameters):
    y = np.random.default_rng(0).standard_normal(120_000).astype(np.float32)
    parameters = {"sr": SR, "n_mfcc": 2, "n_mels": 2, **parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bands that are empty
        expected = mean_by_librosa(y, **parameters)
        np.testing.assert_allclose(mfcc_mean(y, **parameters), expected, rtol=0, atol=2e-3)
        pieces = (y[i : i + 313] for i in range(0, len(y), 313))
        np.testing.assert_array_equal(mfcc_mean(pieces, **parameters), mfcc_mean(y, **parameters))


@pytest.mark.parametrize(
    "parameters", [{}, {"n_mels": 20, "n_mfcc": 20}, {"n_mels": 64}, {"n_fft": 512, "n_mels": 40}], ids=str
)
def test_blas_keeps_to_the_thread_that_calls_it(parameters):
    code = f"""
import time, numpy as np
from soundclf.features import mfcc_mean
y = np.random.default_rng(0).standard_normal(500_000).astype(np.float32)
mfcc_mean(y, **{parameters})
time.sleep(1)  # BLAS threads started by imports spin for a while
wall, cpu = time.perf_counter(), time.process_time()
for _ in range(50):
    mfcc_mean(y, **{parameters})
print((time.process_time() - cpu) / (time.perf_counter() - wall))
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert float(out.stdout) < 1.3  # CPU seconds per second: two threads would make it 2
