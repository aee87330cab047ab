"""Samples -> numbers: pure functions, equal to librosa's to rounding.

librosa is the reference for every definition here. The work is done on blocks of frames that stay in the processor's
cache, in float32 where that is precise enough, and what is linear in time is done once per clip rather than once per
frame.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ._params import NONE, Rule, check_params, integer, real
from .exceptions import AudioError, AudioWarning, ParameterError, describe_clip

__all__ = ["mel_filters", "mfcc_mean"]

_IN_MEMORY = 1 << 25  # bytes of a clip's log-mel spectrum
_LOT = (
    1 << 18
)  # samples in a lot of frames: few enough to stay in the processor's cache, many enough to be worth a call
_PRODUCT = 1 << 18  # multiplications in a matrix product: OpenBLAS takes no second thread for so few
_AMIN = 1e-10  # librosa.power_to_db's floor of the power
_DB = 10 / np.log(10)  # the decibels of a natural logarithm of power
_TOP = np.float32(80 / _DB)  # librosa's range below the clip's maximum: 80 dB
_MEL_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "sr": (real(0, closed="neither"),),
    "n_fft": (integer(1),),
    "n_mels": (integer(1),),
    "fmin": (real(0),),
    "fmax": (NONE, real(0, closed="neither")),
}
MFCC_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    **_MEL_PARAMETERS,
    "n_mfcc": (integer(1),),
    "hop_length": (integer(1),),
}


def _keep_freed_memory() -> None:
    """Let glibc reuse the buffers of one lot of frames for the next, rather than map and fault them in again.

    It returns freed memory to the system above a threshold that follows the largest block freed so far. This block is
    never written to, so it costs nothing; other allocators are not affected.
    """
    np.empty(1 << 24, np.uint8)


_keep_freed_memory()


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
        Float samples, whole or as consecutive blocks. Where they are cut does not change the result.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y`` in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    n_fft : int > 0, default=2048
        Length of the FFT window in samples.
    hop_length : int > 0, default=512
        Samples from one frame to the next.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

    Returns
    -------
    ndarray of shape (n_mfcc,), float32
        Mean coefficients.

    Raises
    ------
    AudioError
        If ``y`` holds no samples, or samples that are not finite, or is too long for the room for temporary files.
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that no bin of the spectrum falls into them.

    See Also
    --------
    librosa.feature.mfcc : The coefficients of every frame.

    Notes
    -----
    As in :func:`librosa.power_to_db`, the log-mel spectrum is clipped at 80 dB below the maximum of the whole clip,
    which is known only at its end. Until then the spectrum is kept, at 4 bytes per band and frame: in memory, and in a
    temporary file if it takes more than 32 MB, as it does after about 25 minutes.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.features import mfcc_mean
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> mfcc_mean(y, sr=22050, n_mfcc=13).shape
    (13,)
    """
    check_bands("mfcc_mean", MFCC_PARAMETERS, locals())
    bank = _filter_bank(float(sr), int(n_fft), int(n_mels), float(fmin), None if fmax is None else float(fmax))
    _warn_of_empty_bands(bank.n_empty, n_mels, n_fft)
    highest, n_frames, total = -np.inf, 0, np.zeros(bank.n_mels)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as shelf:
        for frames in _frames(y, int(n_fft), int(hop_length)):
            log_mel = _log_mel(frames, bank)
            highest = max(highest, log_mel.max())
            n_frames += len(log_mel)
            try:
                shelf.write(log_mel.data)
            except OSError as error:
                folder = tempfile.gettempdir()
                raise AudioError(f"its spectrum does not fit into {folder} ({error.strerror})") from error
        shelf.seek(0)
        while block := shelf.read(256 * 4 * bank.n_mels):  # 256 frames of float32
            log_mel = np.frombuffer(block, np.float32).reshape(-1, bank.n_mels)
            total += np.maximum(log_mel, np.float32(highest) - _TOP).sum(axis=0, dtype=np.float64)
    if not np.isfinite(total).all():
        raise AudioError("it contains NaN, infinity or samples too large to be squared")
    mean = total * (_DB / n_frames)
    return np.asarray(scipy.fft.dct(mean, type=2, norm="ortho")[: int(n_mfcc)].astype(np.float32))


def check_bands(owner: str, table: Mapping[str, tuple[Rule, ...]], values: Mapping[str, Any]) -> None:
    """Check parameters by a table, and what they ask of each other."""
    check_params(owner, values, table)
    sr, fmin, fmax = values["sr"], values["fmin"], values["fmax"]
    if not fmin < (sr / 2 if fmax is None else fmax) <= sr / 2:
        raise ParameterError(f"{owner} needs fmin < fmax <= sr / 2, got fmin={fmin}, fmax={fmax} and sr={sr}")
    if "n_mfcc" in table and values["n_mfcc"] > values["n_mels"]:
        raise ParameterError(
            f"{owner} needs n_mfcc <= n_mels, got n_mfcc={values['n_mfcc']} and n_mels={values['n_mels']}"
        )


def _warn_of_empty_bands(n_empty: int, n_mels: int, n_fft: int) -> None:
    if n_empty:
        warnings.warn(
            f"{n_empty} of {n_mels} mel bands contain no bin of an FFT of {n_fft} samples and stay empty; use "
            "fewer bands or a longer window",
            AudioWarning,
            stacklevel=3,
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
    many = isinstance(y, Iterable) and not isinstance(y, np.ndarray)
    for block in y if many else [y]:
        if not isinstance(block, np.ndarray) or block.ndim != 1 or block.dtype.kind != "f":
            raise ParameterError(
                "The 'y' parameter of mfcc_mean must be a 1-D float array or an iterable of such blocks, got "
                f"{describe_clip(block)}."
            )
        n_samples += len(block)
        yield block
    if not n_samples:
        raise AudioError("it holds no samples")


class _FilterBank(NamedTuple):
    """Hann's window, and the mel filters in groups: the bins that a group covers, its bands, and its filters."""

    window: NDArray[np.floating]
    groups: tuple[tuple[slice, slice, NDArray[np.float32]], ...]
    n_mels: int
    n_empty: int


def _log_mel(frames: np.ndarray, bank: _FilterBank) -> NDArray[np.float32]:
    """Give the natural logarithm of the mel spectrum of frames, ``(n, n_mels)``."""
    mel = np.empty((len(frames), bank.n_mels), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is found later
        spectrum = scipy.fft.rfft(frames * bank.window, axis=1, overwrite_x=True)
        power = np.abs(spectrum)
        np.square(power, out=power)
        power = power.astype(np.float32, copy=False)
        for bins, bands, filters in bank.groups:
            np.matmul(power[:, bins], filters, out=mel[:, bands])
    return np.log(np.maximum(mel, np.float32(_AMIN), out=mel), out=mel)


_HZ_PER_MEL = 200 / 3  # Slaney's scale is linear up to 1000 Hz, with 27 steps to a factor of 6.4 from there
_KNEE = 1000 / _HZ_PER_MEL
_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz / _HZ_PER_MEL, _KNEE + np.log(np.maximum(hz, 1000) / 1000) / _STEP)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _KNEE, mel * _HZ_PER_MEL, 1000 * np.exp(_STEP * (np.maximum(mel, _KNEE) - _KNEE)))


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
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

    Returns
    -------
    ndarray of shape (n_mels, 1 + n_fft // 2), float32
        Each filter has unit area over frequency.

    Raises
    ------
    ParameterError
        If a parameter is outside its range.

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
    check_bands("mel_filters", _MEL_PARAMETERS, locals())
    filters, n_empty = _filters(sr, n_fft, n_mels, fmin, fmax)
    _warn_of_empty_bands(n_empty, n_mels, n_fft)
    return filters


def _filters(sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> tuple[NDArray[np.float32], int]:
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
def _filter_bank(sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> _FilterBank:
    # In float32, an FFT has rounding errors some 140 dB below the loudest component. If bands cover the whole spectrum,
    # they are far below the clipping at 80 dB. If not, what is loudest may lie outside: float64, as in librosa.
    whole = fmin == 0 and fmax in (None, sr / 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    filters, n_empty = _filters(sr, n_fft, n_mels, fmin, fmax)
    groups = _grouped(filters, _PRODUCT // _lot_of(n_fft))
    return _FilterBank(window.astype(np.float32 if whole else np.float64), groups, n_mels, n_empty)


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
