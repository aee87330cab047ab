"""Windows and mel filters, equal to librosa's."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioWarning
from ._frames import BLOCK

__all__ = ["FilterBank", "compute_hann_window", "compute_mel_filters", "make_filter_bank", "warn_empty_bands"]

_PRODUCT = 1 << 18  # multiplications in a matrix product: OpenBLAS starts no second thread for so few


class FilterBank(NamedTuple):
    """A Hann window, and mel filters in groups: the bins that a group covers, its bands, and its filters."""

    window: NDArray[np.floating]
    groups: tuple[tuple[slice, slice, NDArray[np.float32]], ...]
    n_mels: int
    n_empty: int


def compute_hann_window(n_fft: int) -> NDArray[np.float64]:
    """Compute the periodic Hann window, as :func:`scipy.signal.windows.hann` does."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def warn_empty_bands(n_empty: int, n_mels: int, n_fft: int, stacklevel: int) -> None:
    """Warn of mel bands without a bin of the spectrum."""
    if n_empty:
        warnings.warn(
            f"{n_empty} of {n_mels} mel bands contain no bin of an FFT of {n_fft} samples and stay empty; use "
            "fewer bands or a longer window",
            AudioWarning,
            stacklevel=stacklevel + 1,
        )


_HZ_PER_MEL = 200 / 3  # Slaney's scale is linear up to 1000 Hz, with 27 steps to a factor of 6.4 from there
_KNEE = 1000 / _HZ_PER_MEL
_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz / _HZ_PER_MEL, _KNEE + np.log(np.maximum(hz, 1000) / 1000) / _STEP)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _KNEE, mel * _HZ_PER_MEL, 1000 * np.exp(_STEP * (np.maximum(mel, _KNEE) - _KNEE)))


def compute_mel_filters(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> tuple[NDArray[np.float32], int]:
    """Compute mel filters ``(n_mels, 1 + n_fft // 2)`` and the number of empty ones.

    As in librosa, a single empty filter that starts at 0 Hz does not count.
    """
    bins = np.fft.rfftfreq(n_fft, 1 / sr)
    lowest, highest = _hz_to_mel(np.array([fmin, sr / 2 if fmax is None else fmax]))
    edges = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2))
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]
    empty = filters.max(axis=1) == 0
    return filters, int(empty.sum()) if (empty & (edges[:-2] != 0)).any() else 0


@lru_cache(maxsize=16)
def make_filter_bank(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None, precise: bool = False
) -> FilterBank:
    """Make the window and the filters, cached.

    The rounding errors of a float32 FFT are about 140 dB below the loudest component. If the bands cover the whole
    spectrum, that is far below the clipping at 80 dB. If not, the loudest component may lie outside the bands, and the
    window is float64, as in librosa; so it is if ``precise``.
    """
    whole = fmin == 0 and fmax in (None, sr / 2)
    window = compute_hann_window(n_fft)
    filters, n_empty = compute_mel_filters(sr, n_fft, n_mels, fmin, fmax)
    groups = _group_filters(filters, _PRODUCT // max(1, BLOCK // n_fft))
    return FilterBank(window.astype(np.float32 if whole and not precise else np.float64), groups, n_mels, n_empty)


def _group_filters(filters: NDArray[np.float32], most: int) -> tuple[tuple[slice, slice, NDArray[np.float32]], ...]:
    """Group neighboring bands such that bins times bands are at most ``most`` in each group."""
    groups = []
    first = 0
    while first < len(filters):
        last = first + 1
        bins = _find_bins(filters[first:last])
        while last < len(filters):
            wider = _find_bins(filters[first : last + 1])
            if (wider.stop - wider.start) * (last + 1 - first) > most:
                break
            bins, last = wider, last + 1
        groups.append((bins, slice(first, last), np.ascontiguousarray(filters[first:last, bins].T)))
        first = last
    return tuple(groups)


def _find_bins(filters: NDArray[np.float32]) -> slice:
    """Find the range of bins that filters cover."""
    bins = np.flatnonzero(filters.any(axis=0))
    return slice(int(bins[0]), int(bins[-1]) + 1) if len(bins) else slice(0, 1)
