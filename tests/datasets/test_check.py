"""What is in a collection, and what is wrong with it: check_clips."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from soundclf import AudioError, ParameterError
from soundclf.datasets import ClipCheck, check_clips, load_audio_folder
from soundclf.evaluation import find_duplicates

RATE = 8000


def tone(n=RATE, level=0.5):
    return level * np.sin(np.arange(n) / 7)


def wav(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return str(path)


def check(*clips, **options):
    return check_clips({"data": list(clips)}, **options)


@pytest.fixture
def clips(tmp_path):
    """Clips of all kinds, good and bad."""
    stereo = np.stack([tone(), np.roll(tone(), 5)], axis=1)
    (tmp_path / "empty.wav").touch()
    return [
        wav(tmp_path / "0.wav", tone()),
        wav(tmp_path / "1.flac", tone(3 * RATE, 0.25), rate=16000),
        str(tmp_path / "empty.wav"),
        wav(tmp_path / "3.ogg", stereo, rate=44100),
        wav(tmp_path / "4.wav", stereo, subtype="PCM_24"),
        str(tmp_path / "not there.wav"),
        wav(tmp_path / "6.wav", np.zeros(10)),
    ]


def test_the_summary_of_each_clip(clips):
    found = check(*clips)
    assert isinstance(found, ClipCheck)
    assert found.clips.tolist() == clips
    assert found.target is None
    for position, clip in enumerate(clips):
        if position in (2, 5):
            continue
        info = soundfile.info(clip)
        samples = soundfile.read(clip, dtype="float32")[0]
        assert found.duration[position] == info.frames / info.samplerate
        assert (found.rate[position], found.channels[position]) == (info.samplerate, info.channels)
        assert found.format[position] == f"{info.format} {info.subtype}"
        assert found.peak[position] == pytest.approx(np.abs(samples).max(), abs=1e-7)
    assert found.usable.tolist() == [True, True, False, True, True, False, True]
    assert list(found.errors) == [2, 5]
    assert all(isinstance(error, AudioError) and error.position == i for i, error in found.errors.items())
    assert [error.reason for error in found.errors.values()] == ["the file is empty", "there is no such file"]
    assert np.isnan([found.duration[2], found.rate[2], found.peak[2]]).all()
    assert (found.channels[2], found.format[2], found.clipped[2], bool(found.silent[2])) == (0, "", 0, False)
    assert found.silent.tolist() == [False] * 6 + [True]
    assert repr(found) == "<ClipCheck: 7 clips, 2 of them cannot be used>"


def test_threads_change_nothing(clips):
    one, several = check(*clips), check(*clips, n_jobs=4)
    for name in ("duration", "rate", "channels", "format", "peak", "silent", "clipped"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    assert str(one) == str(several)


def test_clips_in_other_forms_than_files(clips):
    samples, rate = soundfile.read(clips[4])
    found = check(
        Path(clips[4]), Path(clips[4]).read_bytes(), io.BytesIO(Path(clips[4]).read_bytes()), (samples.T, rate)
    )
    assert found.duplicates == [[0, 1, 2, 3]]
    assert found.format.tolist() == ["WAV PCM_24", "", "", ""]
    assert found.channels.tolist() == [2] * 4
    rows = check_clips({"data": np.stack([tone(22050), 0 * tone(22050)])})
    assert (rows.duration.tolist(), rows.silent.tolist()) == ([1.0, 1.0], [False, True])
    pandas = pytest.importorskip("pandas")
    frame = check_clips({"data": pandas.DataFrame(np.stack([tone(22050), 0 * tone(22050)])), "target": ["a", "b"]})
    assert (frame.duration.tolist(), frame.silent.tolist()) == ([1.0, 1.0], [False, True])


def test_a_file_named_like_standard_input_is_a_file(tmp_path):
    Path(wav(tmp_path / "a.wav", tone())).rename(tmp_path / "-")
    code = "from soundclf.datasets import check_clips; print(check_clips({'data': ['-']}).format.tolist())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, input="no sound", capture_output=True, text=True)
    assert done.stdout == "['WAV PCM_16']\n", done.stderr


@pytest.mark.parametrize("level", [0.0, 0.7, -1.0])
def test_a_constant_is_silent(level, tmp_path):
    assert check(wav(tmp_path / "a.wav", np.full(500, level))).silent.tolist() == [True]


def test_silence_ends_80_decibels_below_full_scale(tmp_path):
    quiet, louder = (wav(tmp_path / f"{level}.wav", tone(level=level), subtype="FLOAT") for level in (0.99e-4, 1.02e-4))
    dithered = wav(tmp_path / "c.wav", np.random.default_rng(0).integers(-3, 4, RATE).astype(np.int16))
    one_side = wav(tmp_path / "d.wav", np.stack([np.zeros(RATE), tone()], axis=1))
    assert check(quiet, louder, dithered, one_side).silent.tolist() == [True, False, True, False]


def test_clipping_is_three_samples_at_full_scale(tmp_path):
    def places(*samples, n_channels=1, **options):
        frames = np.array(samples, np.float32).reshape(-1, n_channels)
        return int(check(wav(tmp_path / "x.wav", frames, **options)).clipped[0])

    assert places(0, 1, 1, 0.9, -1, -1, 0) == 0
    assert places(0, 1, 1, 1, 0.9, -1, -1, -1, -1, -1, 0) == 2
    assert places(1, 1, 1) == places(1, -1, 1) == 1
    assert places(0, 0.9999, 0.9999, 0.9999) == 0
    assert places(0, 1.5, 1.2, 1.0, 0, subtype="FLOAT") == 1
    assert places(0, 1, 1, 1, 0, subtype="PCM_U8") == places(0, 1, 1, 1, 0, subtype="PCM_24") == 1
    assert places(0, 1, 0, 1, 0.2, 1, n_channels=2) == 1
    assert places(1, 0, 0, 1, 1, 0, n_channels=2) == 0
    hot = np.clip(1.5 * tone(20 * RATE, 1.0), -1, 1)
    full = np.abs(np.round(hot * 32768).clip(-32768, 32767)) >= 32767
    runs = np.flatnonzero(np.diff(np.r_[0, full, 0])).reshape(-1, 2)
    assert places(*hot) == np.sum(runs[:, 1] - runs[:, 0] >= 3)


@pytest.mark.parametrize("start", range((1 << 18) - 4, (1 << 18) + 2))
def test_clipping_is_found_across_blocks(start, tmp_path):
    samples = np.zeros((1 << 18) + 100)
    samples[start : start + 3] = 1
    assert check(wav(tmp_path / "a.wav", samples)).clipped.tolist() == [1]


def test_duplicates_are_those_of_find_duplicates(tones, tone_files, tmp_path):
    sound = (32767 * tone()).astype(np.int16)
    copies = [shutil.copy(tone_files[3], tmp_path / "a copy"), wav(tmp_path / "b.flac", sound, rate=22050)]
    stereo = wav(tmp_path / "c.wav", np.stack([sound, sound], axis=1), rate=22050)
    X = [*tone_files, *map(str, copies), wav(tmp_path / "d.wav", sound, rate=22050), stereo, (tones[0][3], 22050)]
    found = check_clips({"data": X})
    assert found.duplicates == find_duplicates(X)
    assert found.duplicates == [[3, 24, 28], [25, 26, 27]]


def test_as_text(tmp_path):
    for name, samples in {
        "a/1.wav": tone(),
        "a/2.wav": tone(2 * RATE),
        "b/3 é.wav": tone(),
        "b/4.wav": 0 * tone(),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        wav(tmp_path / name, samples)
    wav(tmp_path / "b" / "5.wav", np.sign(tone(200 * RATE)), rate=RATE)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "6.wav").touch()
    found = check_clips(load_audio_folder(tmp_path))
    at = str(tmp_path)
    assert (
        str(found)
        == f"""\
     clips  shortest  median   longest    in all
a        2    1.00 s  1.50 s    2.00 s    3.00 s
b        3    1.00 s  1.00 s  3:20 min  3:22 min
c        1         -       -         -         -
all      6    1.00 s  1.00 s  3:20 min  3:25 min

rate      8,000 Hz: 5
channels  1: 5
format    WAV PCM_16: 5

Cannot be used: 1
  '{at}/c/6.wav': the file is empty.

Silent: 1
  '{at}/b/4.wav'

Clipped: 1
  '{at}/b/5.wav': in 1 place

Duplicates: 1
  '{at}/a/1.wav' = '{at}/b/3 é.wav', labeled 'a' and 'b'"""
    )
    many = str(check(*(wav(tmp_path / f"{i}.wav", np.zeros(100 + i)) for i in range(15))))
    assert "Silent: 15\n" in many
    assert many.endswith("9.wav' and 5 more")
    assert str(check(wav(tmp_path / "a.wav", tone(1_000_000), rate=250))).split("\n")[1].split()[-1] == "1:06:40"


def test_a_long_recording_takes_little_memory(tmp_path):
    path = wav(tmp_path / "long.wav", np.tile(np.stack([tone(), tone()], axis=1), (500, 1)), rate=44100)
    check(path)
    tracemalloc.start()
    try:
        found = check(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.duration[0] == 500 * RATE / 44100
    assert peak < 500 * RATE * 2 * 4 / 2  # half of its samples as float32


def test_progress(clips, capsys):
    check(*clips)
    assert capsys.readouterr().err == ""
    check(*clips, verbose=1)
    assert "check_clips: 100%" in capsys.readouterr().err


def test_what_is_refused(clips):
    with pytest.raises(ValueError, match='dataset must be a Bunch or a dict with "data"'):
        check_clips(clips)
    with pytest.raises(ValueError, match='"data" has 7 clips and "target" 2 labels'):
        check_clips({"data": clips, "target": ["a", "b"]})
    with pytest.raises(ValueError, match="X contains no clips"):
        check_clips({"data": []})
    with pytest.raises(TypeError, match="Clip 1: a clip must be a path"):
        check(clips[0], {"no": "clip"})
    with pytest.raises(ParameterError, match="The 'n_jobs' parameter of check_clips"):
        check(*clips, n_jobs=0)


def test_esc10(real_data):
    found = check_clips(load_audio_folder(real_data / "esc10"), n_jobs=2)
    assert (len(found.errors), found.duplicates, found.silent.any()) == (0, [], False)
    assert set(found.format.tolist()) == {"OGG VORBIS"}
    infos = [soundfile.info(path) for path in found.clips]
    np.testing.assert_array_equal(found.duration, [info.frames / info.samplerate for info in infos])
