"""Samples -> numbers: pure functions, equal to librosa's to rounding.

librosa is the reference for every definition here. The work is done on blocks of frames that stay in the processor's
cache, in float32, and what is linear in time is done once per clip rather than once per frame.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .exceptions import AudioWarning

__all__ = ["mel_filters", "mfcc_mean"]

_FRAMES = 32  # frames per block: 32 frames of 2048 samples and their spectra stay in the second-level cache
_BANDS = 16  # mel bands per product: neighbouring bands share few of the spectrum's bins
_AMIN = 1e-10  # librosa.power_to_db's floor of the power
_TOP_DB = 80.0  # and its range below the clip's maximum


def mfcc_mean(
    y: NDArray[np.floating] | Iterable[NDArray[np.floating]],
    *,
    sr: float = 22050,
    n_mfcc: int = 40,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Average the mel-frequency cepstral coefficients of a sound over time.

    Equal to ``librosa.feature.mfcc(y=y, sr=sr, ...).mean(axis=1)``. Averaging over time and the discrete cosine
    transform are both linear, so the transform is applied once, to the mean of the log-mel spectrum.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Samples, whole or as consecutive blocks.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y`` in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients.
    n_fft : int > 0, default=2048
        Length of the FFT window in samples.
    hop_length : int > 0, default=512
        Samples from one frame to the next.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz; None stands for ``sr / 2``.

    Returns
    -------
    ndarray of shape (n_mfcc,), float32
        Mean coefficients.

    Raises
    ------
    ValueError
        If ``y`` holds no samples.

    See Also
    --------
    librosa.feature.mfcc : The coefficients of every frame.

    Notes
    -----
    As in :func:`librosa.power_to_db`, the log-mel spectrum is clipped at 80 dB below the maximum of the whole clip,
    which is known only at its end: the spectrum is kept until then, at 4 bytes per band and frame.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.features import mfcc_mean
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> mfcc_mean(y, sr=22050, n_mfcc=13).shape
    (13,)
    """
    bank = _banded_filters(float(sr), int(n_fft), int(n_mels), float(fmin), None if fmax is None else float(fmax))
    blocks = [_log_mel(frames, bank) for frames in _frames(y, int(n_fft), int(hop_length))]
    floor = max(block.max() for block in blocks) - np.float32(_TOP_DB)
    total = np.zeros(int(n_mels))
    for block in blocks:
        total += np.maximum(block, floor, out=block).sum(axis=0)
    mean = total / sum(len(block) for block in blocks)
    return (_dct_basis(int(n_mfcc), int(n_mels)) @ mean).astype(np.float32)


def _frames(y: NDArray[np.floating] | Iterable[NDArray[np.floating]], n_fft: int, hop: int) -> Iterator[np.ndarray]:
    """Yield windowed frames ``(n, n_fft)``, centred at multiples of ``hop``, with zeros beyond both ends."""
    window = _window(n_fft)
    margin = np.zeros(n_fft // 2, np.float32)
    held, skip, empty = margin, 0, True
    blocks: Iterable[np.ndarray] = [y] if isinstance(y, np.ndarray) else y
    for block, last in _with_last(blocks):
        empty = empty and not len(block)
        parts = [held, block, margin] if last else [held, block]
        held = np.concatenate(parts, dtype=np.float32, casting="same_kind")[skip:]
        skip = max(0, skip - sum(map(len, parts)))
        n_frames = (len(held) - n_fft) // hop + 1
        if empty or n_frames < 1:
            continue
        view = np.lib.stride_tricks.sliding_window_view(held, n_fft)[::hop]
        for start in range(0, n_frames, _FRAMES):
            yield view[start : start + _FRAMES] * window
        skip = max(0, n_frames * hop - len(held))
        held = held[n_frames * hop :]
    if empty:
        raise ValueError("a sound needs at least one sample")


def _with_last(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Say of every block whether it is the last."""
    iterator = iter(blocks)
    block = next(iterator, np.empty(0, np.float32))
    for following in iterator:
        yield block, False
        block = following
    yield block, True


def _log_mel(frames: np.ndarray, bank: tuple[tuple[slice, np.ndarray], ...]) -> NDArray[np.float32]:
    """Give the mel spectrum of windowed frames in dB, ``(n, n_mels)``; ``frames`` is overwritten."""
    spectrum = scipy.fft.rfft(frames, axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.concatenate([power[:, bins] @ filters for bins, filters in bank], axis=1)
    np.log(np.maximum(mel, np.float32(_AMIN), out=mel), out=mel)
    mel *= np.float32(10 / np.log(10))
    return mel


@lru_cache(maxsize=16)
def _window(n_fft: int) -> NDArray[np.float32]:
    """Hann's window in its periodic form."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


@lru_cache(maxsize=16)
def _dct_basis(n_mfcc: int, n_mels: int) -> NDArray[np.float64]:
    """Give the first rows of the orthonormal DCT of type 2, ``(n_mfcc, n_mels)``."""
    return np.asarray(scipy.fft.dct(np.eye(n_mels), axis=0, type=2, norm="ortho")[:n_mfcc])


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's scale: linear below 1000 Hz, 27 steps to a factor of 6.4 above."""
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (np.maximum(mel, 15) - 15)))


def mel_filters(
    *, sr: float, n_fft: int, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float32]:
    """Give the triangular filters of a mel spectrum.

    Equal to :func:`librosa.filters.mel`, after M. Slaney, "Auditory Toolbox", 1998, without the second that importing
    it takes.

    Parameters
    ----------
    sr : number > 0 [scalar]
        Sampling rate in Hz.
    n_fft : int > 0
        Length of the FFT window in samples.
    n_mels : int > 0, default=128
        Number of bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz; None stands for ``sr / 2``.

    Returns
    -------
    ndarray of shape (n_mels, 1 + n_fft // 2), float32
        Each filter has unit area over frequency.

    Warns
    -----
    AudioWarning
        If bands are so narrow that no bin of the spectrum falls into them.

    Examples
    --------
    >>> from soundclf.features import mel_filters
    >>> mel_filters(sr=22050, n_fft=2048).shape
    (128, 1025)
    """
    bins = np.arange(1 + n_fft // 2) * sr / n_fft
    lowest, highest = _hz_to_mel(np.array([fmin, sr / 2 if fmax is None else fmax]))
    edges = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2))
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]
    silent = np.flatnonzero((edges[:-2] != 0) & (filters.max(axis=1) == 0))
    if len(silent):
        warnings.warn(
            f"{len(silent)} of {n_mels} mel bands contain no bin of an FFT of {n_fft} samples and stay empty; use "
            "fewer bands or a longer window",
            AudioWarning,
            stacklevel=2,
        )
    return filters


@lru_cache(maxsize=16)
def _banded_filters(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> tuple[tuple[slice, NDArray[np.float32]], ...]:
    """Cut the filters into groups of bands, each with the range of bins that it covers."""
    filters = mel_filters(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    groups = []
    for start in range(0, n_mels, _BANDS):
        group = filters[start : start + _BANDS]
        covered = np.flatnonzero(group.any(axis=0))
        bins = slice(int(covered[0]), int(covered[-1]) + 1) if len(covered) else slice(0, 1)
        groups.append((bins, np.ascontiguousarray(group[:, bins].T)))
    return tuple(groups)
