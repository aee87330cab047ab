"""Frames, spectra and mel bands of a sound: what all features begin with.

The work is done on lots of frames that stay in the processor's cache, in float32 where that is precise enough.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..audio import describe_clip
from ..exceptions import AudioError, AudioWarning, ParameterError

__all__ = [
    "DB",
    "TOP_DB",
    "FilterBank",
    "Samples",
    "compute_mel_filters",
    "make_filter_bank",
    "stream_log_mel",
    "stream_power",
    "warn_empty_bands",
]

Samples = NDArray[np.floating] | Iterable[NDArray[np.floating]]

_IN_MEMORY = 1 << 25  # bytes of a clip's log-mel spectrum
_LOT = 1 << 18  # samples in a lot of frames: few enough for the processor's cache, many enough to be worth a call
_PRODUCT = 1 << 18  # multiplications in a matrix product: OpenBLAS takes no second thread for so few
_AMIN = 1e-10  # librosa.power_to_db's floor of the power
DB = 10 / np.log(10)  # the decibels of a natural logarithm of power
TOP_DB = 80.0  # librosa's range below the clip's maximum


def _keep_freed_memory() -> None:
    """Let glibc reuse the buffers of one lot of frames for the next, rather than map and fault them in again.

    It returns freed memory to the system above a threshold that follows the largest block freed so far. This block is
    never written to, so it costs nothing; other allocators are not affected.
    """
    np.empty(1 << 24, np.uint8)


_keep_freed_memory()


def stream_log_mel(
    y: Samples,
    bank: FilterBank,
    n_fft: int,
    hop: int,
    watch: Callable[[np.ndarray], None] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield the log-mel spectrum of a sound, ``(n, n_mels)`` at a time, as the natural logarithm of power.

    As in :func:`librosa.power_to_db`, it is clipped at 80 dB below the maximum of the whole clip, which is known only
    at its end. Until then the spectrum is kept: in memory, and in a temporary file if it takes more than 32 MB.
    ``watch`` gets the magnitudes ``(n, 1 + n_fft // 2)`` of every lot of frames, to be used at once.
    """
    highest = -np.inf
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as shelf:
        for frames in _frames(y, n_fft, hop):
            magnitude = _magnitude(frames, bank.window)
            if watch is not None:
                watch(magnitude)
            log_mel = _log_mel(magnitude, bank)
            highest = np.maximum(highest, log_mel.max())  # which keeps NaN, as max() may not
            try:
                shelf.write(log_mel.data)
            except OSError as error:
                folder = tempfile.gettempdir()
                raise AudioError(f"its spectrum does not fit into {folder} ({error.strerror})") from error
        if not np.isfinite(highest):
            raise AudioError("it contains NaN, infinity or samples too large to be squared")
        lowest = np.float32(highest) - np.float32(TOP_DB / DB)
        shelf.seek(0)
        while block := shelf.read(256 * 4 * bank.n_mels):  # 256 frames of float32
            yield np.maximum(np.frombuffer(block, np.float32).reshape(-1, bank.n_mels), lowest)


def stream_power(y: Samples, bank: FilterBank | None, n_fft: int, hop: int) -> Iterator[NDArray[np.float32]]:
    """Yield the power in mel bands, ``(n, n_mels)`` at a time, or without a bank in bins, ``(n, 1 + n_fft // 2)``."""
    window = _hann(n_fft).astype(np.float32) if bank is None else bank.window
    for frames in _frames(y, n_fft, hop):
        magnitude = _magnitude(frames, window)
        with np.errstate(over="ignore", invalid="ignore"):
            yield _power(magnitude) if bank is None else _mel(magnitude, bank)


def warn_empty_bands(n_empty: int, n_mels: int, n_fft: int, stacklevel: int) -> None:
    if n_empty:
        warnings.warn(
            f"{n_empty} of {n_mels} mel bands contain no bin of an FFT of {n_fft} samples and stay empty; use "
            "fewer bands or a longer window",
            AudioWarning,
            stacklevel=stacklevel + 1,
        )


def _lot_of(n_fft: int) -> int:
    return max(1, _LOT // n_fft)


def _frames(y: NDArray[np.floating] | Iterable[NDArray[np.floating]], n_fft: int, hop: int) -> Iterator[np.ndarray]:
    """Yield frames ``(n, n_fft)``, centred at multiples of ``hop``, with zeros beyond both ends.

    They come in lots, always as many but for the last one, wherever the samples are cut into blocks; and all in the
    same memory, so a lot is to be used before the next one is asked for.
    """
    n_frames = max(1, min(_lot_of(n_fft), _LOT // hop))
    step = n_frames * hop  # samples from one lot to the next
    samples = np.empty((n_frames - 1) * hop + n_fft, np.float32)
    (width,) = samples.strides
    frames = np.lib.stride_tricks.as_strided(samples, (n_frames, n_fft), (hop * width, width))
    margin = np.zeros(n_fft // 2, np.float32)
    n_held = skip = 0
    for block in chain([margin], _checked(y), [margin]):
        start = min(skip, len(block))
        skip -= start
        while start < len(block):
            part = block[start : start + len(samples) - n_held]
            with np.errstate(over="ignore"):  # what becomes infinite is found later
                samples[n_held : n_held + len(part)] = part
            start += len(part)
            n_held += len(part)
            if n_held == len(samples):
                yield frames
                n_held = max(0, len(samples) - step)
                samples[:n_held] = samples[len(samples) - n_held :]
                gap = min(step + n_held - len(samples), len(block) - start)  # between frames that do not touch
                skip = step + n_held - len(samples) - gap
                start += gap
    if n_held >= n_fft:
        yield frames[: (n_held - n_fft) // hop + 1]


def _checked(y: Any) -> Iterator[NDArray[np.float32]]:
    n_samples = 0
    many = isinstance(y, Iterable) and not isinstance(y, np.ndarray | str)
    for block in y if many else [y]:
        if not isinstance(block, np.ndarray) or block.ndim != 1 or block.dtype.kind != "f":
            raise ParameterError(
                "The 'y' parameter must be a 1-D float array or an iterable of such blocks, got "
                f"{describe_clip(block)}."
            )
        n_samples += len(block)
        yield block
    if not n_samples:
        raise AudioError("it holds no samples")


class FilterBank(NamedTuple):
    """Hann's window, and the mel filters in groups: the bins that a group covers, its bands, and its filters."""

    window: NDArray[np.floating]
    groups: tuple[tuple[slice, slice, NDArray[np.float32]], ...]
    n_mels: int
    n_empty: int


def _hann(n_fft: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def _magnitude(frames: np.ndarray, window: np.ndarray) -> NDArray[np.floating]:
    """Give the magnitudes of the spectra of frames, ``(n, 1 + n_fft // 2)``."""
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is found later
        return np.abs(scipy.fft.rfft(frames * window, axis=1, overwrite_x=True))


def _power(magnitude: np.ndarray) -> NDArray[np.float32]:
    return np.square(magnitude, out=magnitude).astype(np.float32, copy=False)


def _mel(magnitude: np.ndarray, bank: FilterBank) -> NDArray[np.float32]:
    power = _power(magnitude)
    mel = np.empty((len(power), bank.n_mels), np.float32)
    for bins, bands, filters in bank.groups:
        np.matmul(power[:, bins], filters, out=mel[:, bands])
    return mel


def _log_mel(magnitude: np.ndarray, bank: FilterBank) -> NDArray[np.float32]:
    """Give the natural logarithm of the mel spectrum, ``(n, n_mels)``; the magnitudes are used up."""
    with np.errstate(over="ignore", invalid="ignore"):
        mel = _mel(magnitude, bank)
    return np.log(np.maximum(mel, np.float32(_AMIN), out=mel), out=mel)


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
    """Give the filters, and how many of them are empty: 0 if only the first is and begins at 0 Hz, as for librosa."""
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
    # In float32, an FFT has rounding errors some 140 dB below the loudest component. If bands cover the whole spectrum,
    # they are far below the clipping at 80 dB. If not, what is loudest may lie outside: float64, as in librosa.
    whole = fmin == 0 and fmax in (None, sr / 2)
    window = _hann(n_fft)
    filters, n_empty = compute_mel_filters(sr, n_fft, n_mels, fmin, fmax)
    groups = _grouped(filters, _PRODUCT // _lot_of(n_fft))
    return FilterBank(window.astype(np.float32 if whole and not precise else np.float64), groups, n_mels, n_empty)


def _grouped(filters: NDArray[np.float32], most: int) -> tuple[tuple[slice, slice, NDArray[np.float32]], ...]:
    """Put neighbouring bands into groups of one or more, whose bins times bands are no more than ``most``."""
    groups = []
    first = 0
    while first < len(filters):
        last = first + 1
        bins = _covered(filters[first:last])
        while last < len(filters):
            wider = _covered(filters[first : last + 1])
            if (wider.stop - wider.start) * (last + 1 - first) > most:
                break
            bins, last = wider, last + 1
        groups.append((bins, slice(first, last), np.ascontiguousarray(filters[first:last, bins].T)))
        first = last
    return tuple(groups)


def _covered(filters: NDArray[np.float32]) -> slice:
    """Give the bins that any of some filters covers."""
    bins = np.flatnonzero(filters.any(axis=0))
    return slice(int(bins[0]), int(bins[-1]) + 1) if len(bins) else slice(0, 1)
