"""Reduce the frames or samples of a clip of any length to the number of columns that a plot can show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..audio import Clip, describe_clip, open_channels, stream_clip
from ..exceptions import AudioError
from ..features import DB, TOP_DB, FilterBank, stream_log_mel, stream_power

__all__ = ["compute_decibel_columns", "compute_mfcc_columns", "compute_peak_samples"]

_MAX_COLUMNS = 1 << 12  # columns; an even number
_MAX_SAMPLES = 1 << 22  # per channel
_AMIN = 1e-10  # librosa.power_to_db's floor of the power


class _Columns:
    """Means over frames; the number of frames per column doubles whenever there are too many columns."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, 0))
        self._n_frames = 0
        self._width = 1

    def add(self, frames: np.ndarray) -> None:
        if not len(self._sums):
            self._sums = np.zeros((_MAX_COLUMNS, frames.shape[1]))
        positions = np.arange(self._n_frames, self._n_frames + len(frames))
        while positions[-1] // self._width >= _MAX_COLUMNS:
            self._sums[: _MAX_COLUMNS // 2] = self._sums[::2] + self._sums[1::2]
            self._sums[_MAX_COLUMNS // 2 :] = 0
            self._width *= 2
        np.add.at(self._sums, positions // self._width, frames)
        self._n_frames += len(frames)

    def compute_means(self) -> NDArray[np.float64]:
        """Return the mean of each column, of shape (n_columns, n_bands)."""
        counts = np.diff(np.append(np.arange(0, self._n_frames, self._width), self._n_frames))
        return self._sums[: len(counts)] / counts[:, np.newaxis]

    def compute_borders(self, seconds: float, duration: float) -> NDArray[np.float64]:
        """Return the column boundaries, of shape (n_columns + 1,); frame ``i`` is centered at ``i * seconds``."""
        borders = (np.arange(0, self._n_frames, self._width) - 0.5) * seconds
        return np.append(borders.clip(0, duration), duration)


class _Peaks:
    """Minima and maxima over samples; the number of samples per value doubles whenever there are too many values."""

    def __init__(self) -> None:
        self._high = self._low = np.zeros((0, 0), np.float32)
        self._n_samples = 0
        self.width = 1

    def add(self, block: np.ndarray) -> None:
        if not len(self._high):
            self._high = np.full((_MAX_SAMPLES, block.shape[1]), -np.inf, np.float32)
            self._low = -self._high
        positions = np.arange(self._n_samples, self._n_samples + len(block))
        while positions[-1] // self.width >= _MAX_SAMPLES:
            for peaks, choose, none in ((self._high, np.maximum, -np.inf), (self._low, np.minimum, np.inf)):
                peaks[: _MAX_SAMPLES // 2] = choose(peaks[::2], peaks[1::2])
                peaks[_MAX_SAMPLES // 2 :] = none
            self.width *= 2
        columns, firsts = np.unique(positions // self.width, return_index=True)
        self._high[columns] = np.maximum(self._high[columns], np.maximum.reduceat(block, firsts))
        self._low[columns] = np.minimum(self._low[columns], np.minimum.reduceat(block, firsts))
        self._n_samples += len(block)

    def get_extremes(self) -> NDArray[np.float32]:
        """Return the samples with the largest magnitude, of shape (channels, n)."""
        n = -(-self._n_samples // self.width)
        high, low = self._high[:n], self._low[:n]
        return np.ascontiguousarray(np.where(high >= -low, high, low).T)


class _CountedBlocks:
    """Blocks of a clip, and its duration after they have been read."""

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
    """Return samples of shape (channels, n) and their rate; of a long clip, the samples of largest magnitude."""
    peaks = _Peaks()
    with open_channels(clip, sr=sr, duration=duration) as (rate, blocks):
        for block in blocks:
            peaks.add(block)
    return peaks.get_extremes(), rate / peaks.width


def compute_decibel_columns(
    clip: Clip, duration: float | None, bank: FilterBank | None, *, sr: float, n_fft: int, hop_length: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Compute a spectrogram (n_bands, n_columns), in dB relative to its maximum, and the boundaries of its columns.

    A column is the mean power per mel band, or per bin without a filter bank. A silent clip is at the floor throughout.
    """
    blocks = _CountedBlocks(clip, sr, duration)
    columns = _Columns()
    for power in stream_power(blocks, bank, int(n_fft), int(hop_length)):
        columns.add(power)
    means = columns.compute_means()
    highest = means.max()
    if not np.isfinite(highest):
        raise AudioError("it contains samples too large to be squared", describe_clip(clip))
    decibels = 10 * np.log10(np.maximum(means, _AMIN) / max(highest, _AMIN)) if highest > _AMIN else means - TOP_DB
    return decibels.clip(-TOP_DB, 0).T.astype(np.float32), columns.compute_borders(hop_length / sr, blocks.duration)


def compute_mfcc_columns(
    clip: Clip, duration: float | None, bank: FilterBank, *, n_mfcc: int, sr: float, n_fft: int, hop_length: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Compute the coefficients of a clip, of shape (n_mfcc, n_columns), and the boundaries of their columns."""
    blocks = _CountedBlocks(clip, sr, duration)
    columns = _Columns()
    for log_mel in stream_log_mel(blocks, bank, int(n_fft), int(hop_length)):
        columns.add(log_mel)
    mfcc = scipy.fft.dct(columns.compute_means() * DB, type=2, norm="ortho")[:, : int(n_mfcc)]
    return mfcc.T.astype(np.float32), columns.compute_borders(hop_length / sr, blocks.duration)
