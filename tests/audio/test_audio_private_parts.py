"""What happens when parts of other libraries that are private, or promise nothing, are gone."""

from __future__ import annotations

import types

import numpy as np
import pytest
import soundfile

import soundclf
from soundclf import AudioError, MFCCMeanTransformer
from soundclf.audio import _files, _resampling


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "tone.wav"
    tone = np.sin(np.arange(22050.0) / 10) / 2
    soundfile.write(path, tone, 22050, subtype="PCM_16")
    return path


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def test_truncation_is_found_without_the_log_of_libsndfile(wav, monkeypatch):
    """`SoundFile.extra_info` is a log for people; without it, Ogg pages and frame counts are still compared."""
    monkeypatch.delattr(soundfile.SoundFile, "extra_info")
    assert len(soundclf.load_clip(wav)) == 22050
    flac = wav.with_suffix(".flac")
    soundfile.write(flac, soundclf.load_clip(wav), 22050)
    with pytest.raises(AudioError, match="truncated"):
        soundclf.load_clip(truncate(flac))


@pytest.mark.parametrize(
    "log",
    ["", "data : many\n", "data : 99999999 (should be )\n", b"data : 9", None],
    ids=["empty", "words", "partial", "bytes", "None"],
)
def test_a_changed_log_of_libsndfile_breaks_nothing(wav, monkeypatch, log):
    monkeypatch.setattr(soundfile.SoundFile, "extra_info", property(lambda self: log))
    assert len(soundclf.load_clip(wav)) == 22050
    assert len(soundclf.load_clip(truncate(wav))) < 22050  # without the log, half a WAV is half a clip


def test_the_version_of_libsndfile_may_be_unknown(wav, monkeypatch, tmp_path):
    """Cache keys then hold the version of soundfile."""
    monkeypatch.delattr(soundfile, "__libsndfile_version__")
    expected = MFCCMeanTransformer().transform([str(wav)])
    np.testing.assert_array_equal(MFCCMeanTransformer(memory=tmp_path / "cache").transform([str(wav)]), expected)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_soundfile_may_stop_asking_whether_files_are_seekable(wav, monkeypatch, suffix):
    """`_ForwardFile.seekable` keeps soundfile from seeking after every block; these formats do not depend on it."""
    path = wav.with_name(f"other{suffix}")
    soundfile.write(path, np.sin(np.arange(600_000.0) / 10) / 2, 44100)
    expected = soundclf.load_clip(path)
    monkeypatch.delattr(_files._ForwardFile, "seekable")
    np.testing.assert_array_equal(soundclf.load_clip(path), expected)


@pytest.mark.parametrize(("package", "res_type"), [("resampy", "kaiser_fast"), ("samplerate", "linear")])
def test_resamplers_may_be_imported_otherwise_than_librosa_does_today(wav, monkeypatch, package, res_type):
    """Their import is completed under a lock, because librosa's lazy one is not safe in threads; nothing needs it."""
    pytest.importorskip(package)
    expected = soundclf.load_clip(wav, sr=16000, res_type=res_type)
    monkeypatch.setattr(_resampling, "import_module", types.ModuleType)
    np.testing.assert_array_equal(soundclf.load_clip(wav, sr=16000, res_type=res_type), expected)
