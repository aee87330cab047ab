"""Fixtures: generated sounds and features, and the folder of real recordings."""

from __future__ import annotations

import os
import signal

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: scikit-learn's array API checks run only with it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")  # doctests draw too

from pathlib import Path

import numpy as np
import pytest
import soundfile

SR = 22050

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in background jobs of a shell; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests are skipped without it."""
    folder = Path(os.environ.get("SOUNDCLF_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at SOUNDCLF_DATA={folder}")
    return folder.resolve()


@pytest.fixture(scope="session")
def tones() -> tuple[list[np.ndarray], np.ndarray]:
    """Twenty-four short sounds of three classes that are easy to separate."""
    rng = np.random.default_rng(0)
    time = np.arange(SR // 5) / SR
    clips, labels = [], []
    for label, frequency in (("high", 4000), ("low", 200), ("mid", 1000)):
        for _ in range(8):
            tone = np.sin(2 * np.pi * frequency * rng.uniform(0.97, 1.03) * time)
            clips.append((0.3 * tone + 0.01 * rng.standard_normal(len(time))).astype(np.float32))
            labels.append(label)
    return clips, np.array(labels)


@pytest.fixture(scope="session")
def tone_files(tones: tuple[list[np.ndarray], np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The tones as WAV files of 32-bit floats, so that samples are exact."""
    folder = tmp_path_factory.mktemp("tones")
    paths = []
    for i, clip in enumerate(tones[0]):
        path = folder / f"{tones[1][i]}-{i}.wav"
        soundfile.write(path, clip, SR, subtype="FLOAT")
        paths.append(str(path))
    return paths


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Ninety rows of three classes in eight dimensions, of very different scales, that float32 holds exactly."""
    rng = np.random.default_rng(1)
    y = np.repeat(["cat", "dog", "owl"], 30)
    X = rng.normal(size=(90, 8)) + 4 * np.eye(8)[np.searchsorted(["cat", "dog", "owl"], y)]
    order = rng.permutation(90)
    return (X * 10.0 ** np.arange(-3, 5) + 7)[order].astype(np.float32).astype(float), y[order]
