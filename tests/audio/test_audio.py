"""load_clip and stream_clip: equal to librosa for what is sound, one clear sentence for what is not."""

from __future__ import annotations

import copy
import gzip
import io
import mmap
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from soundclf import AudioError, ParameterError, load_clip, stream_clip
from soundclf.audio import RES_TYPES, check_res_type, load_channels

RATE = 48000  # the only one that every format allows
SOXR = [name for name in RES_TYPES if name.startswith("soxr")]
OTHERS = ["kaiser_best", "kaiser_fast", "fft", "scipy", "polyphase"]
LENGTHS = [1, 2, 99, 100, 101, 2**18 - 1, 2**18, 2**18 + 1]  # the last three around the size of a block


def noise(n: int, channels: int | None = None) -> np.ndarray:
    """Noise of 16 bits, ``(n,)`` or ``(n, channels)``, that float32 holds exactly, its two extremes included."""
    rng = np.random.default_rng(n)
    shape = (n,) if channels is None else (n, channels)
    samples = np.clip(np.rint(rng.normal(scale=8000, size=shape)), -32768, 32767)
    samples.flat[0], samples.flat[-1] = 32767, -32768
    return (samples / 32768).astype(np.float32)


def encode(samples: np.ndarray, rate: int = RATE, container: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def wav(
    samples: bytes = bytes(200),
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 22050,
    bits: int = 16,
    before: bytes = b"",
    after: bytes = b"",
    data_size: int | None = None,
    riff_size: int | None = None,
) -> bytes:
    """A WAV file by hand, whose header may be wrong."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame % 2**32, frame, bits)
    size = len(samples) if data_size is None else data_size
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    body += samples + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def loaded_by_librosa(encoded: bytes, **parameters) -> np.ndarray:
    return librosa.load(io.BytesIO(encoded), mono=True, **parameters)[0]


def assert_same(a: np.ndarray, b: np.ndarray) -> None:
    assert a.dtype == b.dtype == np.float32
    np.testing.assert_array_equal(a, b)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def reason_of(clip, **parameters) -> str:
    """Why a clip is refused."""
    with pytest.raises(AudioError) as caught:
        load_clip(clip, **parameters)
    return caught.value.reason


# -- librosa is the reference ------------------------------------------------------------------------------------------


FORMATS = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("WAV", subtype) for subtype in ("IMA_ADPCM", "MS_ADPCM")),
    *(("FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
    *(("OGG", subtype) for subtype in ("VORBIS", "OPUS")),
    ("MP3", "MPEG_LAYER_III"),
    *(("AIFF", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT")),
    *(("CAF", subtype) for subtype in ("PCM_16", "ALAC_16", "ALAC_24")),
    *((container, "PCM_16") for container in ("AU", "W64", "RF64", "WAVEX", "NIST", "VOC", "MAT5", "IRCAM")),
    ("SDS", "PCM_16"),
]
AT_MOST = {"MP3": 2, "IMA_ADPCM": 2, "MS_ADPCM": 2, "VOC": 2, "SDS": 1}  # channels


@pytest.mark.parametrize(
    ("container", "subtype", "channels"),
    [
        (container, subtype, channels)
        for container, subtype in FORMATS
        for channels in (1, 2, 3, 6)
        if channels <= min(AT_MOST.get(container, 8), AT_MOST.get(subtype, 8))
    ],
)
def test_equals_librosa_in_every_format(container, subtype, channels):
    encoded = encode(noise(70_001, channels), RATE, container, subtype)  # more than a block
    at_its_rate = load_clip(encoded, sr=RATE)
    assert at_its_rate.std() > 0.03
    assert_same(at_its_rate, loaded_by_librosa(encoded, sr=RATE))
    assert_same(load_clip(encoded, sr=22050), loaded_by_librosa(encoded, sr=22050))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("res_type", [*SOXR, *OTHERS])
def test_equals_librosa_with_every_resampler(res_type, rate):
    encoded = encode(noise(4001, 2), rate)
    parameters = {"sr": 22050, "res_type": res_type}
    assert_same(load_clip(encoded, **parameters), loaded_by_librosa(encoded, **parameters))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("res_type", SOXR)
def test_equals_librosa_at_odd_lengths(res_type, n):
    encoded = encode(noise(n, 2), 44100)
    for sr in (8000, 22050, 44100, 48000):
        parameters = {"sr": sr, "res_type": res_type}
        assert_same(load_clip(encoded, **parameters), loaded_by_librosa(encoded, **parameters))


@pytest.mark.parametrize("n", LENGTHS[:5])
@pytest.mark.parametrize("res_type", OTHERS)
def test_equals_librosa_at_odd_lengths_in_one_piece(res_type, n):
    encoded = encode(noise(n), 44100)
    parameters = {"sr": 22050, "res_type": res_type}
    if n == 1 and res_type.startswith("kaiser"):
        assert (
            reason_of(encoded, **parameters) == f"it is too short to be resampled from 44100 to 22050 Hz by {res_type}"
        )
        with pytest.raises(ValueError, match="too small"):
            loaded_by_librosa(encoded, **parameters)
    else:
        assert_same(load_clip(encoded, **parameters), loaded_by_librosa(encoded, **parameters))


@pytest.mark.parametrize("seconds", [1 / 44100, 0.01, 0.1, 65535.5 / 44100, 65537 / 44100, 1.6, 1e6, 1e308])
@pytest.mark.parametrize("sr", [22050, 44100])
def test_equals_librosa_for_a_duration(seconds, sr):
    samples = noise(70_001, 2)
    encoded = encode(samples, 44100)
    y = load_clip(encoded, sr=sr, duration=seconds)
    assert_same(y, loaded_by_librosa(encoded, sr=sr, duration=min(seconds, 1e6)))
    assert_same(load_clip((samples.T, 44100), sr=sr, duration=seconds), y)
    assert len(y) == -(-min(int(min(seconds, 1e6) * 44100), 70_001) * sr // 44100)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3000),
    channels=st.integers(1, 7),
    rate=st.one_of(st.integers(1000, 200_000), st.floats(1000, 200_000)),
    sr=st.one_of(st.integers(2000, 100_000), st.floats(2000, 100_000)),
    res_type=st.sampled_from([*SOXR, "fft"]),
)
def test_equals_librosa_between_any_two_rates(n, channels, rate, sr, res_type):
    samples = noise(n, channels).T
    expected = librosa.resample(librosa.to_mono(samples), orig_sr=rate, target_sr=sr, res_type=res_type)
    assert_same(load_clip((samples, rate), sr=sr, res_type=res_type), expected)


def test_many_channels_are_averaged_to_rounding():
    samples = noise(500, 300)
    y = load_clip((samples.T, 22050))
    np.testing.assert_allclose(y, samples.mean(axis=1, dtype=np.float64), atol=1e-6)
    assert_same(load_clip(encode(samples, 22050)), y)


def test_a_sine_keeps_its_frequency_and_level():
    time = np.arange(96000) / 96000
    y = load_clip((0.5 * np.sin(2 * np.pi * 1000 * time), 96000), sr=22050)
    middle = slice(1000, -1000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    np.testing.assert_allclose(y[middle], expected[middle], atol=1e-4)


# -- one sound in all forms --------------------------------------------------------------------------------------------


def memory_mapped(samples, rate, folder):
    np.save(folder / "samples.npy", samples)
    return np.load(folder / "samples.npy", mmap_mode="r"), rate


def read_only(samples, rate, folder):
    samples = samples.copy()
    samples.flags.writeable = False
    return samples, rate


def written(samples, rate, folder, name="a sound é 音.wav") -> Path:
    path = folder / name
    path.write_bytes(encode(samples.T, rate))
    return path


def opened(samples, rate, folder, **how):
    file = written(samples, rate, folder).open("rb", **how)
    file.seek(33)  # wherever it stands
    return file


def mapped_file(samples, rate, folder):
    with written(samples, rate, folder).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


FORMS = {
    "str": lambda samples, rate, folder: str(written(samples, rate, folder)),
    "Path": written,
    "path in bytes that are no UTF-8": lambda samples, rate, folder: written(
        samples, rate, folder, os.fsdecode(b"caf\xe9.wav")
    ),
    "bytes": lambda samples, rate, folder: encode(samples.T, rate),
    "bytearray": lambda samples, rate, folder: bytearray(encode(samples.T, rate)),
    "memoryview": lambda samples, rate, folder: memoryview(encode(samples.T, rate)),
    "memoryview with gaps": lambda samples, rate, folder: memoryview(
        b"".join(bytes([byte, 0]) for byte in encode(samples.T, rate))
    )[::2],
    "BytesIO": lambda samples, rate, folder: io.BytesIO(encode(samples.T, rate)),
    "open file": opened,
    "unbuffered file": lambda samples, rate, folder: opened(samples, rate, folder, buffering=0),
    "mapped file": mapped_file,
    "gzip": lambda samples, rate, folder: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(encode(samples.T, rate)))),
    "float file": lambda samples, rate, folder: encode(samples.T, rate, subtype="FLOAT"),
    "double file": lambda samples, rate, folder: encode(samples.T, rate, subtype="DOUBLE"),
    "24-bit FLAC": lambda samples, rate, folder: encode(samples.T, rate, "FLAC", "PCM_24"),
    "(array, sr)": lambda samples, rate, folder: (samples, rate),
    "(array, NumPy sr)": lambda samples, rate, folder: (samples, np.array(rate)),
    "(list, sr)": lambda samples, rate, folder: (samples.tolist(), rate),
    "float64": lambda samples, rate, folder: (samples.astype(np.float64), float(rate)),
    "long double": lambda samples, rate, folder: (samples.astype(np.longdouble), rate),
    "big-endian": lambda samples, rate, folder: (samples.astype(">f4"), rate),
    "Fortran order": lambda samples, rate, folder: (np.asfortranarray(samples), rate),
    "with gaps": lambda samples, rate, folder: (np.repeat(samples, 3, axis=-1)[..., ::3], rate),
    "backwards": lambda samples, rate, folder: (samples[..., ::-1].copy()[..., ::-1], rate),
    "read-only": read_only,
    "memory-mapped": memory_mapped,
}


@pytest.fixture(params=FORMS)
def form(request, tmp_path):
    """A function from samples and their rate to a clip in one form."""
    if "no UTF-8" in request.param and sys.platform in ("darwin", "win32"):
        pytest.skip("file names are Unicode here")
    made = []

    def make(samples, rate):
        made.append(FORMS[request.param](samples, rate, tmp_path))
        return made[-1]

    yield make
    for clip in made:
        if hasattr(clip, "close"):
            clip.close()


def state(clip):
    """What reading must not change."""
    if isinstance(clip, tuple):
        return np.array(clip[0]).tobytes(), clip[1]
    if hasattr(clip, "read"):
        clip.seek(0)
        return clip.read()
    return Path(clip).read_bytes() if isinstance(clip, str | Path) else bytes(clip)


@pytest.mark.parametrize("shape", [(1,), (2**18 + 1,), (2, 1), (2, 99), (3, 2**18), (2, 280_001)], ids=str)
def test_all_forms_of_a_sound_give_the_same_samples(form, shape):
    samples = noise(*shape[::-1]).T
    expected = librosa.to_mono(samples)
    clip = form(samples, 44100)
    before = state(clip)
    assert_same(load_clip(clip, sr=44100), expected)
    resampled = librosa.resample(expected, orig_sr=44100, target_sr=22050)
    assert_same(load_clip(clip), resampled)
    assert_same(np.concatenate(list(stream_clip(clip))), resampled)
    assert state(clip) == before


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f8", "longdouble"])
@pytest.mark.parametrize("n", LENGTHS)
def test_samples_alone_are_at_the_rate_asked_for(n, kind):
    y = noise(n).astype(kind)
    assert_same(load_clip(y, sr=8000), y.astype(np.float32))
    assert_same(load_clip(y, sr=8000, res_type="kaiser_best"), y.astype(np.float32))


def test_results_do_not_share_memory_with_the_input():
    y = noise(1000)
    before = y.copy()
    for clip in (y, (y, 22050), (y[None], 22050)):
        load_clip(clip)[:] = 0
        np.testing.assert_array_equal(y, before)


def test_a_file_named_like_standard_input_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(encode(noise(100), 22050))
    code = "import soundclf; print(len(soundclf.load_clip('-')))"
    done = subprocess.run([sys.executable, "-c", code], input="no sound", capture_output=True, text=True)
    assert done.stdout == "100\n", done.stderr


def test_a_file_object_may_have_any_name(tmp_path):
    encoded = encode(noise(100), 22050)
    (tmp_path / "sound.raw").write_bytes(encoded)
    with (tmp_path / "sound.raw").open("rb") as file:
        assert_same(load_clip(file), noise(100))


# -- blocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("res_type", ["soxr_hq", "soxr_qq", "fft"])
@pytest.mark.parametrize("sr", [8000, 22050, 44100])
@pytest.mark.parametrize("n", [1, 100, 2**18, 800_000])
def test_blocks_join_to_the_whole(n, sr, res_type):
    for clip in ((noise(n), 22050), encode(noise(n), 22050)):
        blocks = list(stream_clip(clip, sr=sr, res_type=res_type))
        assert all(block.ndim == 1 and block.dtype == np.float32 and len(block) for block in blocks)
        assert_same(np.concatenate(blocks), load_clip(clip, sr=sr, res_type=res_type))


@pytest.mark.parametrize("sr", [22050, 44100])
def test_a_block_is_the_consumers_to_keep_and_to_change(sr):
    clip = encode(noise(800_000, 2), 44100)
    kept = []
    for block in stream_clip(clip, sr=sr):
        kept.append(block.copy())
        block[:] = np.nan
    assert len(kept) > 2
    assert_same(np.concatenate(kept), load_clip(clip, sr=sr))


def test_a_long_file_is_read_in_little_memory(tmp_path):
    path = written(noise(9_000_000), 44100, tmp_path)  # 36 MB of float32
    next(stream_clip(path))  # whatever is imported on the way
    tracemalloc.start()
    n = sum(len(block) for block in stream_clip(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 4_500_000
    assert peak < 9_000_000


def test_streams_of_one_file_object_do_not_disturb_each_other():
    encoded = encode(noise(800_000), 44100)
    file = io.BytesIO(encoded)
    pairs = list(zip(stream_clip(file, sr=44100), stream_clip(file, sr=44100), strict=True))
    assert_same(np.concatenate([first for first, _ in pairs]), noise(800_000))
    assert_same(np.concatenate([second for _, second in pairs]), noise(800_000))


def test_a_stream_that_waits_keeps_nobody_else_waiting():
    waiting = stream_clip(io.BytesIO(encode(noise(800_000), 44100)), sr=44100)
    next(waiting)
    other = threading.Thread(target=load_clip, args=[io.BytesIO(encode(noise(100)))], daemon=True)
    other.start()
    other.join(timeout=30)
    assert not other.is_alive()
    assert sum(map(len, waiting)) == 800_000 - 2**18


def n_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are not listed here")
def test_files_are_closed_after_reading_giving_up_and_failing(tmp_path):
    path = written(noise(200_000), 44100, tmp_path)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(path.read_bytes()[:-1])
    before = n_open()
    load_clip(path)
    abandoned = stream_clip(path)
    next(abandoned)
    assert n_open() == before + 1
    abandoned.close()
    reason_of(cut)
    assert n_open() == before


# -- channels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "subtype", "channels"),
    [("WAV", "PCM_16", 2), ("WAV", "FLOAT", 6), ("FLAC", "PCM_24", 3), ("OGG", "VORBIS", 2), ("WAV", "PCM_16", 1)],
)
@pytest.mark.parametrize("n", LENGTHS)
def test_channels_are_those_of_soundfile(container, subtype, channels, n):
    encoded = encode(noise(n, channels), 44100, container, subtype)
    samples, rate = load_channels(encoded)
    assert rate == 44100
    assert samples.shape == (channels, n)
    assert_same(samples, soundfile.read(io.BytesIO(encoded), dtype="float32", always_2d=True)[0].T)


def test_channels_of_arrays():
    samples = noise(1000, 2).T
    for given_, expected in [((samples, 8000), (samples, 8000)), (samples[0], (samples[:1], 16000))]:
        found, rate = load_channels(given_, sr=16000)
        assert_same(found, expected[0])
        assert rate == expected[1]
    found, _ = load_channels((samples, 8000), duration=0.01)
    assert_same(found, samples[:, :80])


def test_channels_have_the_errors_of_clips(tmp_path):
    with pytest.raises(AudioError, match=r"nothing\.wav': there is no such file\.$"):
        load_channels(tmp_path / "nothing.wav")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(encode(noise(1000, 2))[:-100])
    with pytest.raises(AudioError, match=r"cut\.wav': it is truncated"):
        load_channels(cut)
    with pytest.raises(ParameterError, match="'duration' parameter of open_channels"):
        load_channels(cut, duration=0)


# -- threads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("res_type", ["soxr_hq", "kaiser_fast"])
def test_the_same_clip_in_many_threads(form, res_type):
    samples = noise(20_000, 2).T
    clip = form(samples, 44100)
    expected = load_clip((samples, 44100), res_type=res_type)
    with ThreadPoolExecutor(8) as pool:
        for y in pool.map(lambda _: load_clip(clip, res_type=res_type), range(16)):
            assert_same(y, expected)


def test_the_first_use_of_a_resampler_may_be_in_many_threads():
    # librosa's lazy import of resampy breaks in threads; without a lock, more often than not at this switch interval.
    printed = run(
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import librosa.core.audio\n"
        "from soundclf.audio import _resampling\n"
        "sys.setswitchinterval(1e-6)\n"
        "def resampler(_):\n"
        "    _resampling.check_res_type('kaiser_fast')\n"
        "    return _resampling._import_librosa_resample('kaiser_fast')\n"
        "with ThreadPoolExecutor(32) as pool:\n"
        "    print(len(set(pool.map(resampler, range(32)))))\n"
    )
    assert printed == "1"


# -- files whose headers are odd, and whose samples are all there ------------------------------------------------------

SAMPLES = (noise(100) * 32768).astype("<i2").tobytes()
CHUNK = b"LIST" + struct.pack("<I", 4) + b"INFO"
ACCEPTED = {
    "a chunk before the format": wav(SAMPLES, before=b"JUNK" + struct.pack("<I", 28) + bytes(28)),
    "a chunk after the samples": wav(SAMPLES, after=CHUNK),
    "bytes after the samples": wav(SAMPLES, after=b"\0" * 1001),
    **{f"RIFF size {size:#x}": wav(SAMPLES, riff_size=size) for size in (0, 36, 100, 9999, 0x7FFFFFFF, 0xFFFFFFFF)},
    **{
        f"a stream, RIFF size {riff_size:#x}, data size {data_size:#x}": wav(
            SAMPLES, riff_size=riff_size, data_size=data_size
        )
        for riff_size in (0, 36, 0x7FFFFFFF, 0xFFFFFFFF)
        for data_size in (0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF)
    },
    "a WAV named otherwise": wav(SAMPLES),
}


@pytest.mark.parametrize("case", ACCEPTED)
@pytest.mark.parametrize("as_path", [False, True])
def test_an_odd_header_loses_no_samples(case, as_path, tmp_path):
    clip = ACCEPTED[case]
    if as_path:
        clip = tmp_path / ("sound.mp3" if "named" in case else "sound.wav")
        clip.write_bytes(ACCEPTED[case])
    assert_same(load_clip(clip), noise(100))


def test_a_stream_of_unknown_length_takes_no_more_memory_than_it_has_samples():
    clip = wav(SAMPLES, data_size=0xFFFFFFFF)
    load_clip(clip)
    tracemalloc.start()
    load_clip(clip)
    reason_of(wav(SAMPLES, data_size=0xFFFFFFF0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("WAVEX", "DOUBLE")])
@pytest.mark.parametrize("size", [bytes(4), b"\xff" * 4])
def test_a_stream_may_have_a_longer_header(container, subtype, size):
    encoded = encode(noise(100, 2), 22050, container, subtype)
    at = encoded.find(b"data")
    assert at > 44
    streamed = encoded[:4] + size + encoded[8 : at + 4] + size + encoded[at + 8 :]
    assert_same(load_clip(streamed), load_clip(encoded))


def test_flac_of_unknown_length():
    encoded = bytearray(encode(noise(70_001, 2), 44100, "FLAC"))
    numbers = int.from_bytes(encoded[18:26], "big")
    assert numbers % 2**36 == 70_001
    encoded[18:26] = (numbers - 70_001).to_bytes(8, "big")  # as an encoder that writes to a pipe leaves it
    assert_same(load_clip(encoded), load_clip(encode(noise(70_001, 2), 44100)))


def test_au_of_unknown_length():
    encoded = bytearray(encode(noise(100), 22050, "AU"))
    assert encoded[8:12] == struct.pack(">I", 200)
    encoded[8:12] = b"\xff" * 4
    assert_same(load_clip(encoded), noise(100))


def mp3(n: int = 50_000) -> bytes:
    return encode(noise(n, 2) / 4, 44100, "MP3")


def test_mp3_with_tags_before_and_after():
    encoded = mp3()
    expected = load_clip(encoded)
    cover = b"ID3\x03\x00\x00" + bytes([0, 2, 0, 0]) + bytes(2 * 128 * 128)
    assert_same(load_clip(cover + encoded), expected)
    assert_same(load_clip(cover + encoded + b"TAG" + bytes(125)), expected)


def test_mp3_without_a_frame_count_is_read_to_its_end():
    encoded = mp3()
    at = encoded.find(b"Xing")
    assert at > 0
    uncounted = encoded[:at] + bytes(4) + encoded[at + 4 :]
    with soundfile.SoundFile(io.BytesIO(uncounted)) as file:
        assert file.frames > 55_000  # a guess from the size of the first frame, and far too high
    y = load_clip(uncounted, sr=44100)
    assert 50_000 <= len(y) < 55_000
    assert_same(y, loaded_by_librosa(uncounted, sr=44100))


# -- files that are cut off --------------------------------------------------------------------------------------------

CUT = {
    **{
        ("WAV", subtype): "bytes of samples" for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")
    },
    **{(container, "PCM_16"): "bytes of samples" for container in ("AIFF", "AU", "W64")},
    ("RF64", "PCM_16"): "samples",
    ("CAF", "PCM_16"): "bytes of samples",
    ("FLAC", "PCM_16"): "truncated or damaged after",
    ("FLAC", "PCM_24"): "truncated or damaged after",
    ("OGG", "VORBIS"): "its last Ogg page is cut off",
    ("OGG", "OPUS"): "its last Ogg page is cut off",
    ("MP3", "MPEG_LAYER_III"): "samples",
}
UNOPENED = "it begins as {} does, but libsndfile cannot open it: it is truncated, damaged or in a coding that "
UNOPENED += "libsndfile does not decode"


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize(("container", "subtype"), CUT)
def test_a_file_that_is_cut_off_is_refused(container, subtype, as_path, tmp_path):
    encoded = encode(noise(70_001, 2), RATE, container, subtype)
    # Not reported: the last frame of MP3, which some encoders count once too often, and the last 6 bytes of CAF.
    last = {"MP3": 1000, "CAF": 7}.get(container, 1)
    for size in (len(encoded) - last, len(encoded) * 9 // 10, len(encoded) // 2):
        clip = tmp_path / "cut" if as_path else encoded[:size]
        if as_path:
            clip.write_bytes(encoded[:size])
        reason = reason_of(clip, sr=RATE)
        if container == "CAF" and size < len(encoded) - last:  # libsndfile does not open these
            assert reason == UNOPENED.format("CAF")
        else:
            assert CUT[container, subtype] in reason
            assert re.match(
                r"it is truncated(: its header promises (\d+) \D*, and (\d+) are there| or |: its last)", reason
            )
            numbers = [int(number) for number in re.findall(r"(\d+) (?:bytes|samples|are)", reason)]
            assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(("container", "last"), [("MP3", 1), ("CAF", 6)])
def test_undetectable_truncation_returns_the_remaining_samples(container, last):
    encoded = encode(noise(70_001, 2), RATE, container)
    y, whole = load_clip(encoded[:-last], sr=RATE), load_clip(encoded, sr=RATE)
    assert len(whole) - 1152 <= len(y) < len(whole)
    if container == "CAF":
        assert_same(y, whole[: len(y)])


def test_ogg_that_ends_between_two_pages_is_taken_as_a_stream_that_ended_there():
    encoded = encode(noise(200_000), RATE, "OGG")
    pages = [match.start() for match in re.finditer(b"OggS", encoded)]
    assert len(pages) > 5
    whole = load_clip(encoded, sr=RATE)
    y = load_clip(encoded[: pages[-2]], sr=RATE)
    assert 0 < len(y) < len(whole)
    assert_same(y, whole[: len(y)])


@pytest.mark.parametrize("container", ["WAV", "AIFF", "FLAC", "OGG", "MP3", "CAF", "AU", "W64"])
def test_a_cut_anywhere_in_the_header_has_a_sentence(container, monkeypatch):
    encoded = encode(noise(70_001, 2), RATE, container)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)  # what a callback of libsndfile's could not raise
    for size in range(1, 64):
        reason = reason_of(encoded[:size])
        assert re.match(
            r"it is not audio in a format that libsndfile reads|it begins as \w+ does, but|it is truncated: |"
            r"it is truncated or damaged after 0.000 s|it holds no samples",
            reason,
        )
    assert unraisable == []


def test_what_lies_beyond_the_duration_is_not_asked_for():
    encoded = encode(noise(70_001), 44100)
    assert_same(load_clip(encoded[:10_000], sr=44100, duration=0.1), noise(70_001)[:4410])


# -- clips that cannot be used -----------------------------------------------------------------------------------------


def fifo(folder):
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


def named(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def closed(folder):
    file = io.BytesIO(wav())
    file.close()
    return file


def pipe(folder):
    reader, writer = os.pipe()
    os.write(writer, wav())
    os.close(writer)
    return os.fdopen(reader, "rb")


def endless(folder):
    return Path("/dev/zero").open("rb")


class Burning(io.BytesIO):
    """A file object that fails while it is read."""

    def read(self, size=-1):
        if size:
            raise OSError("disk on fire")
        return b""


RANDOM = np.random.default_rng(0).bytes(5000)
NOT_AUDIO = "it is not audio in a format that libsndfile reads"
FOREIGN = "it is {}, which libsndfile does not decode; convert it to WAV, FLAC, OGG or MP3"
REWOUND = r"the file object cannot be rewound and read \(.+\)"
FLOATS = np.array([0, 0.5, np.nan, np.inf, -np.inf])
BAD_FILES = {
    "missing": (lambda folder: folder / "missing.wav", "there is no such file"),
    "empty path": ("", "its path is empty"),
    "NUL in the path": ("a\0b.wav", r"its path cannot be used \(.*null (byte|character).*\)"),
    "path through a file": (
        lambda folder: named("a.wav", wav())(folder) / "b.wav",
        r"its path cannot be used \(Not a dir.*\)",
    ),
    "long path": ("x" * 5000, r"its path cannot be used \(File name too long\)"),
    "directory": (lambda folder: folder, "it is a directory, not a file"),
    "FIFO": (fifo, "it is not a regular file"),
    "device": ("/dev/zero", "it is not a regular file"),
    "empty file": (named("empty.wav", b""), "the file is empty"),
    "no bytes": (b"", "the file is empty"),
    "no frames": (encode(np.zeros((0, 2))), "it holds no samples"),
    "no frames and a chunk": (wav(b"", after=CHUNK), "it holds no samples"),
    "a stream that never began": (wav(b"", riff_size=36), "it holds no samples"),
    "text": (named("text.wav", b"This is no sound.\n" * 9), NOT_AUDIO),
    "random bytes": (named("random.wav", RANDOM), NOT_AUDIO),
    "zeros": (bytes(5000), NOT_AUDIO),
    "AVI": (b"RIFF" + struct.pack("<I", 100) + b"AVI LIST" + bytes(92), NOT_AUDIO),
    "raw": (named("sound.raw", wav()), r"its name ends in \.raw, which stands for samples without a header; read .*"),
    "m4a": (struct.pack(">I", 32) + b"ftypM4A " + bytes(100), FOREIGN.format("MPEG-4 audio (m4a, AAC)")),
    "AAC": (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + RANDOM, FOREIGN.format("AAC audio")),
    "AAC with a checksum": (b"\xff\xf8\x50\x80\x2e\x7f\xfc" + RANDOM, FOREIGN.format("AAC audio")),
    "AAC, ADIF": (b"ADIF" + RANDOM, FOREIGN.format("AAC audio")),
    "WMA": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + RANDOM, FOREIGN.format("Windows Media audio")),
    "WebM": (b"\x1a\x45\xdf\xa3" + RANDOM, FOREIGN.format("Matroska or WebM")),
    "AMR": (b"#!AMR\n" + RANDOM, FOREIGN.format("AMR audio")),
    "AMR-WB": (b"#!AMR-WB\n" + RANDOM, FOREIGN.format("AMR audio")),
    "unknown coding": (wav(tag=0x1234), UNOPENED.format("WAV")),
    "Speex": (b"OggS\0\2" + bytes(8) + b"\1" + bytes(11) + b"\1\x50" + b"Speex   " + bytes(72), UNOPENED.format("Ogg")),
    "no channels": (wav(channels=0), "it has no channels"),
    "no channels, behind a chunk": (wav(channels=0, before=CHUNK), "it has no channels"),
    "no rate": (wav(rate=0), UNOPENED.format("WAV")),
    "negative rate": (wav(rate=2**31), UNOPENED.format("WAV")),
    "rate of 1 Hz": (wav(rate=1), "its sampling rate of 1 Hz is too far from the requested 22050 Hz to be resampled"),
    "rate of 2 GHz": (
        wav(rate=2**31 - 1),
        r"its sampling rate of 2.14748e\+09 Hz is too far from the requested 22050 Hz .*",
    ),
    "4 GB promised": (
        wav(data_size=0xFFFFFFF0),
        "it is truncated: its header promises 4294967280 bytes of samples, and 200 are there",
    ),
    "NaN": (encode(FLOATS[:3], subtype="FLOAT"), "it contains NaN or infinity"),
    "infinity": (encode(FLOATS[[0, 3]], subtype="FLOAT"), "it contains NaN or infinity"),
    "infinities that cancel": (encode(FLOATS[None, 3:], subtype="DOUBLE"), "it contains NaN or infinity"),
    "beyond float32": (encode(np.array([0, 1e300]), subtype="DOUBLE"), "it contains NaN or infinity"),
    "text mode": (
        lambda folder: named("sound.wav", wav())(folder).open(encoding="utf-8"),
        "the file object was opened as text; open it with mode 'rb'",
    ),
    "StringIO": (io.StringIO("sound"), "the file object was opened as text; open it with mode 'rb'"),
    "closed": (closed, REWOUND),
    "write-only": (lambda folder: (folder / "new.wav").open("wb"), REWOUND),
    "unseekable": (pipe, REWOUND),
    "open device": (endless, "the file is empty"),
    "failing": (lambda folder: Burning(wav()), r"the file object cannot be rewound and read \(disk on fire\)"),
    "cut gzip": (lambda folder: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(wav())[:-9])), REWOUND),
}
BAD_ARRAYS = {
    "no samples": (np.zeros(0), "it holds no samples"),
    "lists of several lengths": (
        ([[0.5, 0.5], [0.5]], 8000),
        r"its samples are lists of several lengths, where \(n,\) or \(channels, n\) is expected",
    ),
    "no samples in two channels": ((np.zeros((2, 0)), 8000), "it holds no samples"),
    "no channels": ((np.zeros((0, 9)), 8000), "it has no channels"),
    "integers": (
        np.zeros(9, np.int16),
        r"its samples are integers \(int16\), whose full scale is not known; divide .*",
    ),
    "unsigned": ((np.zeros(9, np.uint8), 8000), r"its samples are integers \(uint8\), whose full .*"),
    "bool": ((np.zeros(9, bool), 8000), r"its samples are integers \(bool\), whose full scale .*"),
    "list of integers": (([0, 1], 8000), r"its samples are integers \(int64\), .*"),
    "one number": (np.array(0.5), r"its samples have the shape \(\), where \(n,\), or .* is expected"),
    "channels without a rate": (
        np.zeros((2, 9)),
        r"its samples have the shape \(2, 9\), where \(n,\), or an \(array, sr\) tuple for several channels is .*",
    ),
    "three dimensions": (
        (np.zeros((2, 3, 4)), 8000),
        r"its samples have the shape \(2, 3, 4\), where \(n,\) or \(channels, n\) is expected",
    ),
    "transposed": (
        (np.zeros((8000, 2)), 8000),
        r"its samples have the shape \(8000, 2\), which is 8000 channels of 2 samples; transpose them to \(channels.*",
    ),
    "NaN": (FLOATS[:3], "it contains NaN or infinity"),
    "infinity": (FLOATS[[0, 3]], "it contains NaN or infinity"),
    "infinities that cancel": ((FLOATS[3:, None], 22050), "it contains NaN or infinity"),
    "NaN behind the first block": (np.r_[np.zeros(70_000), np.nan], "it contains NaN or infinity"),
    "beyond float32": (np.array([1e300]), "it contains NaN or infinity"),
    "rate of 0": ((np.zeros(9), 0), "its sampling rate is 0, which is not a number of Hz above 0"),
    "negative rate": ((np.zeros(9), -8000), "its sampling rate is -8000, which is not a number of Hz above 0"),
    "rate NaN": ((np.zeros(9), np.nan), "its sampling rate is nan, which is not a number of Hz above 0"),
    "rate infinite": ((np.zeros(9), np.inf), "its sampling rate is inf, which is not a number of Hz above 0"),
    "rate absurd": ((np.zeros(9), 1e300), r"its sampling rate of 1e\+300 Hz is too far from the requested 22050 Hz .*"),
}


@pytest.mark.parametrize("case", [*BAD_FILES, *(f"array: {name}" for name in BAD_ARRAYS)])
def test_each_unusable_clip_has_its_own_message(case, tmp_path):
    clip, reason = BAD_ARRAYS[case.removeprefix("array: ")] if case.startswith("array: ") else BAD_FILES[case]
    if case in ("FIFO", "device", "open device") and sys.platform == "win32":
        pytest.skip("there are none here")
    clip = clip(tmp_path) if callable(clip) else clip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AudioError) as caught:
            load_clip(clip)
        with pytest.raises(AudioError) as streamed:
            list(stream_clip(clip))
    if hasattr(clip, "close"):
        clip.close()
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.reason == reason or re.fullmatch(reason, error.reason)
    assert str(error) == str(streamed.value) == f"Clip, {error.clip}: {error.reason}."
    assert len(error.clip) <= 120
    if isinstance(clip, str | Path):
        assert error.clip.startswith(repr(str(clip))[:100])
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is AudioError
        assert (str(again), again.reason, again.clip, again.position) == (str(error), error.reason, error.clip, None)


@pytest.mark.parametrize(
    ("clip", "named"),
    [
        (b"", "0 encoded bytes"),
        (np.zeros(0), r"array of shape \(0,\) and type float64"),
        ((np.zeros((2, 0), np.float32), 8000), r"\(array of shape \(2, 0\) and type float32, 8000\)"),
        ("missing.wav", "'missing.wav'"),
        (Path("missing.wav"), "'missing.wav'"),
    ],
)
def test_an_error_names_its_clip(clip, named):
    with pytest.raises(AudioError) as caught:
        load_clip(clip)
    assert re.fullmatch(named, caught.value.clip)


def test_an_error_names_an_open_file(tmp_path):
    (tmp_path / "empty.wav").touch()
    with (tmp_path / "empty.wav").open("rb") as file, pytest.raises(AudioError) as caught:
        load_clip(file)
    assert str(caught.value) == f"Clip, {str(tmp_path / 'empty.wav')!r}: the file is empty."


@pytest.mark.parametrize(
    "clip",
    [
        encode(noise(100), 44100),
        (noise(100), 44100),
        (noise(100)[None], 44100),
    ],
)
def test_a_duration_of_less_than_a_sample_is_refused(clip):
    assert reason_of(clip, duration=1e-5) == "a duration of 1e-05 s is less than one sample at its 44100 Hz"
    assert len(load_clip(clip, duration=1 / 44100)) == 1


@pytest.mark.parametrize("res_type", [*SOXR, *OTHERS])
@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_an_absurd_rate_takes_neither_time_nor_memory(rate, res_type):
    tracemalloc.start()
    reason = reason_of(wav(rate=rate), res_type=res_type)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason.startswith("its sampling rate of ")
    assert peak < 2_000_000


@pytest.mark.parametrize(("rate", "sr"), [(22050.5, 22050), (22050, 8000.5), (2**31 - 1, 2e6)])
def test_polyphase_needs_a_simple_ratio(rate, sr):
    reason = reason_of((noise(100), rate), sr=sr, res_type="polyphase")
    assert reason == (
        f'polyphase resampling needs a simple ratio of whole numbers, not {rate:g} to {sr:g} Hz; use "soxr_hq"'
    )


# -- what is no clip at all --------------------------------------------------------------------------------------------

ALLOWED = (
    "a clip must be a path, encoded bytes, a seekable binary file object, a 1-D float array or an (array, sr) tuple"
)


class Returned(os.PathLike):
    """A path in bytes."""

    def __fspath__(self):
        return b"sound.wav"


PAIR = "a tuple as a clip must be (array, sr), got "
NO_CLIPS = {
    "None": (None, f"{ALLOWED}, got NoneType"),
    "dict": ({}, f"{ALLOWED}, got dict"),
    "int": (3, f"{ALLOWED}, got int"),
    "float": (0.5, f"{ALLOWED}, got float"),
    "list": ([0.1, 0.2], f"{ALLOWED}, got list"),
    "NumPy float": (np.float64(0.5), f"{ALLOWED}, got float64"),
    "NumPy bytes": (np.bytes_(wav()), f"{ALLOWED}, got bytes_"),
    "1-tuple": ((noise(9),), f"{PAIR}(ndarray)"),
    "3-tuple": ((noise(9), 8000, 1), f"{PAIR}(ndarray, int, int)"),
    "(sr, array), as SciPy reads": ((8000, noise(9)), f"{PAIR}(int, ndarray)"),
    "rate as text": ((noise(9), "8000"), f"{PAIR}(ndarray, str)"),
    "no rate": ((noise(9), None), f"{PAIR}(ndarray, NoneType)"),
    "rate True": ((noise(9), True), f"{PAIR}(ndarray, bool)"),
    "two rates": ((noise(9), [8000, 8000]), f"{PAIR}(ndarray, list)"),
    "rates in lists of several lengths": ((noise(9), [[8000], [8000, 8000]]), f"{PAIR}(ndarray, list)"),
    "complex": (np.zeros(9, complex), "samples must be floats, got an array of type complex128"),
    "array of paths": (np.array(["a.wav"]), "samples must be floats, got an array of type <U5"),
    "(path, sr)": (("a.wav", 8000), "samples must be floats, got an array of type <U5"),
    "path of bytes": (
        Returned(),
        "a path must be a str or a pathlib.Path; bytes are taken as the encoded sound itself",
    ),
}


@pytest.mark.parametrize("case", NO_CLIPS)
def test_other_types_raise_a_type_error_that_lists_the_forms_of_a_clip(case):
    clip, message = NO_CLIPS[case]
    for call in (load_clip, lambda clip: next(stream_clip(clip))):
        with pytest.raises(TypeError) as caught:
            call(clip)
        assert str(caught.value) == message
        assert not isinstance(caught.value, ValueError)


def test_a_file_object_must_give_bytes():
    with (
        soundfile.SoundFile(io.BytesIO(wav())) as file,
        pytest.raises(TypeError, match=re.escape(f"{ALLOWED}, got SoundFile")),
    ):
        load_clip(file)


# -- the other parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        *(
            ({"sr": value}, "'sr' parameter of {} must be a number in (0, inf)")
            for value in (0, -1, np.nan, "8000", None)
        ),
        *(
            ({"duration": value}, "'duration' parameter of {} must be None or a number in (0, inf)")
            for value in (0, -1, np.nan, np.inf, "1")
        ),
        ({"res_type": "kaiser_fst"}, "'res_type' parameter of {} must be 'soxr_vhq' or 'soxr_hq' or"),
        ({"res_type": "soxr_ultra"}, "'res_type' parameter of {} must be 'soxr_vhq' or 'soxr_hq' or"),
        ({"res_type": None}, "'res_type' parameter of {} must be 'soxr_vhq' or 'soxr_hq' or"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("function", [load_clip, stream_clip])
def test_a_bad_parameter_is_refused_at_once(function, parameters, message):
    with pytest.raises(ParameterError) as caught:
        function(noise(9), **parameters)
    assert message.format(function.__name__) in str(caught.value)
    assert repr(*parameters.values()) in str(caught.value)


@pytest.mark.parametrize("sr", [np.int64(8000), np.float32(8000), 8000.0])
def test_numbers_of_numpy_are_numbers(sr):
    expected = load_clip((noise(1000), 44100), sr=8000, duration=0.01)
    assert_same(load_clip((noise(1000), np.int32(44100)), sr=sr, duration=np.float64(0.01)), expected)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    printed = run(
        "import sys\n"
        "sys.modules['resampy'] = sys.modules['samplerate'] = None\n"
        "import numpy as np, soundclf\n"
        "from soundclf.audio._resampling import check_res_type\n"
        "for name in ('kaiser_best', 'kaiser_fast', 'sinc_best', 'linear'):\n"
        "    for call in (check_res_type, lambda name: soundclf.load_clip((np.zeros(9), 8000), res_type=name),\n"
        "                 lambda name: soundclf.stream_clip((np.zeros(9), 8000), res_type=name)):\n"
        "        try: call(name)\n"
        "        except ImportError as error: print(error)\n"
        "soundclf.load_clip((np.zeros(9), 8000))\n"
        "print('librosa' in sys.modules)\n"
    ).splitlines()
    sentence = 'res_type=\'{0}\' needs the package {1}: pip install "soundclf[{1}]", or use res_type="soxr_hq"'
    names = {"kaiser_best": "resampy", "kaiser_fast": "resampy", "sinc_best": "samplerate", "linear": "samplerate"}
    assert printed[:-1] == [sentence.format(*pair) for pair in names.items() for _ in range(3)]
    assert printed[-1] == "False"  # the resamplers of soxr need no librosa


def test_installed_packages_are_accepted():
    for res_type in [*SOXR, *OTHERS]:
        check_res_type(res_type)
