"""The recordings and published features that the measurements use."""

from __future__ import annotations

import itertools
import os
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from sklearn.model_selection import train_test_split

DATA = Path(os.environ.get("SOUNDCLF_DATA", "../shared/data"))


def _some(paths: list[Path]) -> list[str]:
    if not paths:
        raise FileNotFoundError(f"no recordings in {DATA}; set SOUNDCLF_DATA")
    return [str(path) for path in paths]


def tiled(paths: list[str], n: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(paths), n))


def wav_clips() -> list[str]:
    """Return the 15 clips of UrbanSound8K."""
    return _some(sorted((DATA / "UrbanSound8K" / "audio").glob("fold*/*.wav")))


def wav_clips_16_bit() -> list[str]:
    return [path for path in wav_clips() if soundfile.info(path).subtype == "PCM_16"]


def ogg_clips() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return ESC-10's paths, labels and folds."""
    paths = _some(sorted((DATA / "esc10").glob("[0-9]*/*.ogg")))
    labels = np.array([Path(path).parent.name[6:] for path in paths])
    return paths, labels, np.array([int(Path(path).name[0]) for path in paths])


@cache
def tutorial_split() -> list[np.ndarray]:
    """Return X_train, X_test, y_train and y_test of the tutorial's split of the published features."""
    published = np.load(DATA / "UrbanSound8K" / "mfcc40_mean_kaiser_fast.npz", allow_pickle=False)
    return train_test_split(published["X"], published["y"], test_size=0.2, random_state=0)
