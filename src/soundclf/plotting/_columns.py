"""Frames and samples of a clip -> as many columns as can be seen in a picture, however long the clip is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..audio import Clip, describe_clip, open_channels, stream_clip
from ..exceptions import AudioError
from ..features import DB, TOP_DB, FilterBank, stream_log_mel, stream_power

__all__ = ["compute_decibel_columns", "compute_mfcc_columns", "compute_peak_samples"]

_MOST = 1 << 12  # columns; an even number
_MOST_SAMPLES = 1 << 22  # of a channel
_AMIN = 1e-10  # librosa.power_to_db's floor of the power


class _Columns:
    """Means over frames; the number of frames to a column doubles whenever there are more columns than can be seen."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, 0))
        self._n_frames = 0
        self._width = 1

    def add(self, frames: np.ndarray) -> None:
        if not len(self._sums):
            self._sums = np.zeros((_MOST, frames.shape[1]))
        positions = np.arange(self._n_frames, self._n_frames + len(frames))
        while positions[-1] // self._width >= _MOST:
            self._sums[: _MOST // 2] = self._sums[::2] + self._sums[1::2]
            self._sums[_MOST // 2 :] = 0
            self._width *= 2
        np.add.at(self._sums, positions // self._width, frames)
        self._n_frames += len(frames)

    def means(self) -> NDArray[np.float64]:
        """Give the columns, ``(n_columns, n_bands)``."""
        counts = np.diff(np.append(np.arange(0, self._n_frames, self._width), self._n_frames))
        return self._sums[: len(counts)] / counts[:, np.newaxis]

    def borders(self, seconds: float, duration: float) -> NDArray[np.float64]:
        """Tell where columns begin and end, ``(n_columns + 1,)``; frames are centred ``seconds`` apart from 0."""
        borders = (np.arange(0, self._n_frames, self._width) - 0.5) * seconds
        return np.append(borders.clip(0, duration), duration)


class _Peaks:
    """The highest and lowest of samples; how many share one doubles whenever there are more than can be seen."""

    def __init__(self) -> None:
        self._high = self._low = np.zeros((0, 0), np.float32)
        self._n_samples = 0
        self.width = 1

    def add(self, block: np.ndarray) -> None:
        if not len(self._high):
            self._high = np.full((_MOST_SAMPLES, block.shape[1]), -np.inf, np.float32)
            self._low = -self._high
        positions = np.arange(self._n_samples, self._n_samples + len(block))
        while positions[-1] // self.width >= _MOST_SAMPLES:
            for peaks, farther, none in ((self._high, np.maximum, -np.inf), (self._low, np.minimum, np.inf)):
                peaks[: _MOST_SAMPLES // 2] = farther(peaks[::2], peaks[1::2])
                peaks[_MOST_SAMPLES // 2 :] = none
            self.width *= 2
        columns, firsts = np.unique(positions // self.width, return_index=True)
        self._high[columns] = np.maximum(self._high[columns], np.maximum.reduceat(block, firsts))
        self._low[columns] = np.minimum(self._low[columns], np.minimum.reduceat(block, firsts))
        self._n_samples += len(block)

    def farthest(self) -> NDArray[np.float32]:
        """Give the samples farthest from zero, ``(channels, n)``."""
        n = -(-self._n_samples // self.width)
        high, low = self._high[:n], self._low[:n]
        return np.ascontiguousarray(np.where(high >= -low, high, low).T)


class _Counted:
    """Blocks of a clip, and afterwards its duration."""

    def __init__(self, clip: Clip, sr: float, duration: float | None):
        self._blocks = stream_clip(clip, sr=sr, duration=duration)
        self._sr = sr
        self._n_samples = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks:
            self._n_samples += len(block)
            yield block

    @property
    def duration(self) -> float:
        return self._n_samples / self._sr


def compute_peak_samples(clip: Clip, sr: float, duration: float | None) -> tuple[NDArray[np.float32], float]:
    """Give the samples of a clip ``(channels, n)``, or of a long one those farthest from zero, and their rate."""
    peaks = _Peaks()
    with open_channels(clip, sr=sr, duration=duration) as (rate, blocks):
        for block in blocks:
            peaks.add(block)
    return peaks.farthest(), rate / peaks.width


def compute_decibel_columns(
    clip: Clip, duration: float | None, bank: FilterBank | None, *, sr: float, n_fft: int, hop_length: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give the spectrogram of a clip ``(n_bands, n_columns)``, in decibels below its maximum, and times of its borders.

    Columns hold means of the power, in mel bands or in all bins. A clip without a sound is all at the floor.
    """
    blocks = _Counted(clip, sr, duration)
    columns = _Columns()
    for power in stream_power(blocks, bank, int(n_fft), int(hop_length)):
        columns.add(power)
    means = columns.means()
    highest = means.max()
    if not np.isfinite(highest):
        raise AudioError("it contains samples too large to be squared", describe_clip(clip))
    decibels = 10 * np.log10(np.maximum(means, _AMIN) / max(highest, _AMIN)) if highest > _AMIN else means - TOP_DB
    return decibels.clip(-TOP_DB, 0).T.astype(np.float32), columns.borders(hop_length / sr, blocks.duration)


def compute_mfcc_columns(
    clip: Clip, duration: float | None, bank: FilterBank, *, n_mfcc: int, sr: float, n_fft: int, hop_length: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give the coefficients of a clip ``(n_mfcc, n_columns)``, and times of their borders."""
    blocks = _Counted(clip, sr, duration)
    columns = _Columns()
    for log_mel in stream_log_mel(blocks, bank, int(n_fft), int(hop_length)):
        columns.add(log_mel)
    mfcc = scipy.fft.dct(columns.means() * DB, type=2, norm="ortho")[:, : int(n_mfcc)]
    return mfcc.T.astype(np.float32), columns.borders(hop_length / sr, blocks.duration)
