"""Descriptors of every frame other than MFCCs, and statistics over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..exceptions import ParameterError

__all__ = ["DESCRIPTORS", "STATISTICS", "Descriptors", "check_descriptors", "compute_delta", "summarize"]

_DELTA = 9  # frames of the window of librosa.feature.delta
_ROLL = 0.85  # of the magnitude lies below the roll-off, as in librosa
_AMIN = 1e-10
_CONTRAST = 200.0 * 2.0 ** np.arange(-1, 7)  # edges of librosa's octave bands, in Hz; the first is 0
_CONTRAST[0] = 0
_QUANTILE = 0.02  # share of a band's bins in its peak, and in its valley


def compute_delta(frames: NDArray[np.float32], order: int) -> NDArray[np.float32]:
    """Differentiate over time, as :func:`librosa.feature.delta` does: fits of lines or parabolas to 9 frames each.

    Within half a window of the ends, the fit of the nearest whole window is used, as in librosa. Sounds of fewer than 9
    frames, which librosa refuses, are padded with their first and last frames.
    """
    half = _DELTA // 2
    if len(frames) < _DELTA:
        missing = _DELTA - len(frames)
        frames = np.pad(frames, ((missing // 2, missing - missing // 2), (0, 0)), mode="edge")
        return compute_delta(frames, order)[: _DELTA - missing]
    k = np.arange(-half, half + 1, dtype=np.float64)
    slope = k / (k**2).sum()
    if order == 1:
        weights = slope
    else:  # twice the leading coefficient of the parabola
        bent = k**2 - (k**2).mean()
        weights = 2 * bent / (bent**2).sum()
    n_inner = len(frames) - _DELTA + 1
    inner = np.zeros((n_inner, frames.shape[1]), np.float32)
    for i, weight in enumerate(weights.astype(np.float32)):
        if weight:
            inner += weight * frames[i : i + n_inner]
    return np.concatenate([inner[:1].repeat(half, 0), inner, inner[-1:].repeat(half, 0)])


class Descriptors:
    """Compute descriptors block by block, with librosa's definitions and defaults.

    Parameters
    ----------
    names : sequence of str
        Names of DESCRIPTORS.
    sr : float
        Sampling rate, in Hz.
    n_fft : int
        Length of a frame, in samples.
    """

    def __init__(self, names: Sequence[str], sr: float, n_fft: int):
        self._hz = np.fft.rfftfreq(n_fft, 1 / sr)
        self._functions = [_FUNCTIONS[name] for name in names]
        self._blocks: list[list[np.ndarray]] = [[] for _ in names]

    def __call__(self, magnitude: np.ndarray) -> None:
        """Add the magnitudes ``(n, 1 + n_fft // 2)`` of a block of frames."""
        for (compute, _), blocks in zip(self._functions, self._blocks, strict=True):
            blocks.append(compute(magnitude, self._hz))

    def finish(self) -> list[NDArray[np.floating]]:
        """Return the frames ``(n_frames, width)`` of each descriptor."""
        return [
            finish(np.concatenate(blocks)) for (_, finish), blocks in zip(self._functions, self._blocks, strict=True)
        ]


def _normalize(magnitude: np.ndarray) -> np.ndarray:
    total = magnitude.sum(axis=1, dtype=np.float64, keepdims=True)
    return magnitude / np.where(total < np.finfo(np.float32).tiny, 1, total)


def _compute_centroid(magnitude: np.ndarray, hz: np.ndarray) -> np.ndarray:
    return (_normalize(magnitude) @ hz)[:, np.newaxis]


def _compute_bandwidth(magnitude: np.ndarray, hz: np.ndarray) -> np.ndarray:
    shares = _normalize(magnitude)
    around = hz - (shares @ hz)[:, np.newaxis]
    return np.sqrt(np.einsum("nk,nk->n", shares, around * around))[:, np.newaxis]


def _compute_rolloff(magnitude: np.ndarray, hz: np.ndarray) -> np.ndarray:
    below = np.cumsum(magnitude, axis=1)
    return hz[(below >= np.float32(_ROLL) * below[:, -1:]).argmax(axis=1)][:, np.newaxis]


def _compute_flatness(magnitude: np.ndarray, hz: np.ndarray) -> np.ndarray:
    power = np.maximum(magnitude.astype(np.float64) ** 2, _AMIN)
    return (np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1))[:, np.newaxis]


def _compute_peaks_and_valleys(magnitude: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Average the loudest and the faintest bins of each band: ``(n, 2 * n_bands)``."""
    valleys, peaks = [], []
    for bins, n_selected in _find_contrast_bins(hz):
        ordered = np.sort(magnitude[:, bins], axis=1)
        valleys.append(ordered[:, :n_selected].mean(axis=1))
        peaks.append(ordered[:, -n_selected:].mean(axis=1))
    return np.stack([*peaks, *valleys], axis=1)


def _find_contrast_bins(hz: np.ndarray) -> list[tuple[slice, int]]:
    """Find the bins of each of librosa's octave bands, and the number of bins in its peak and its valley."""
    bands = []
    for k, (low, high) in enumerate(pairwise(_CONTRAST)):
        inside = np.flatnonzero((hz >= low) & (hz <= high))
        if not len(inside):
            return []
        first = inside[0] - (k > 0)
        last = inside[-1] + 1 if k < len(_CONTRAST) - 2 else len(hz)
        n_selected = max(1, int(np.rint(_QUANTILE * (last - first))))
        bands.append((slice(first, last if k == len(_CONTRAST) - 2 else last - 1), n_selected))
    return bands


def _compute_contrast(peaks_and_valleys: np.ndarray) -> np.ndarray:
    peaks, valleys = np.split(peaks_and_valleys, 2, axis=1)
    return _convert_to_decibels(peaks) - _convert_to_decibels(valleys)


def _convert_to_decibels(values: np.ndarray) -> np.ndarray:
    """Convert to decibels, as :func:`librosa.power_to_db` does."""
    decibels = 10 * np.log10(np.maximum(values, _AMIN))
    return np.maximum(decibels, decibels.max() - 80)


def _keep(values: np.ndarray) -> np.ndarray:
    return values


# For each descriptor: what is computed for a block of frames, and what for the whole clip at its end.
_FUNCTIONS: dict[str, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "contrast": (_compute_peaks_and_valleys, _compute_contrast),
    "centroid": (_compute_centroid, _keep),
    "bandwidth": (_compute_bandwidth, _keep),
    "rolloff": (_compute_rolloff, _keep),
    "flatness": (_compute_flatness, _keep),
}
DESCRIPTORS: dict[str, int] = {name: len(_CONTRAST) - 1 if name == "contrast" else 1 for name in _FUNCTIONS}  # widths


def check_descriptors(owner: str, names: Sequence[str], sr: float, n_fft: int) -> None:
    """Check that the bands of descriptors contain bins of the spectrum."""
    if "contrast" not in names:
        return
    if sr <= 2 * _CONTRAST[-2]:
        raise ParameterError(f"{owner} needs sr > {2 * _CONTRAST[-2]:g} Hz for the descriptor 'contrast', got sr={sr}")
    bands = _find_contrast_bins(np.fft.rfftfreq(n_fft, 1 / sr))
    if not bands or not all(bins.stop > bins.start for bins, _ in bands):
        raise ParameterError(
            f"{owner} needs a longer window for the descriptor 'contrast', whose narrowest bands contain no bin of an "
            f"FFT of n_fft={n_fft} samples at sr={sr}"
        )


class _Moments:
    """Series over time, ``(width, n_frames)``, and the moments that statistics share."""

    def __init__(self, frames: NDArray[np.floating]):
        self.series = np.ascontiguousarray(frames.T)
        self.mean = self.series.mean(axis=1, dtype=np.float64)

    @cached_property
    def centered(self) -> NDArray[np.float64]:
        return np.subtract(self.series, self.mean[:, np.newaxis], dtype=np.float64)

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        return self.centered * self.centered

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        return self.squares.mean(axis=1)

    def standardize_moment(self, sums: np.ndarray, order: int) -> NDArray[np.float64]:
        """Divide the mean of powers by that of the standard deviation; 0 for constant series."""
        constant = self.variance <= (np.finfo(np.float32).eps * np.abs(self.mean)) ** 2
        return np.where(constant, 0, sums / self.series.shape[1] / np.where(constant, 1, self.variance) ** (order / 2))

    def skewness(self) -> NDArray[np.float64]:
        return self.standardize_moment(np.einsum("dn,dn->d", self.squares, self.centered), 3)

    def kurtosis(self) -> NDArray[np.float64]:
        fourth = self.standardize_moment(np.einsum("dn,dn->d", self.squares, self.squares), 4)
        return np.where(fourth == 0, 0, fourth - 3)


STATISTICS: dict[str, Callable[[_Moments], np.ndarray]] = {
    "mean": lambda moments: moments.mean,
    "std": lambda moments: np.sqrt(moments.variance),
    "min": lambda moments: moments.series.min(axis=1),
    "max": lambda moments: moments.series.max(axis=1),
    "median": lambda moments: np.median(moments.series, axis=1),
    "skewness": _Moments.skewness,
    "kurtosis": _Moments.kurtosis,
}


def summarize(frames: NDArray[np.floating], statistics: Sequence[str]) -> NDArray[np.float64]:
    """Compute statistics over time of frames ``(n_frames, width)``, concatenated."""
    moments = _Moments(frames)
    return np.concatenate([STATISTICS[name](moments) for name in statistics])
