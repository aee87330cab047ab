"""From one sampling rate to another, block by block where the resampler can."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from itertools import chain

import numpy as np
import soxr
from numpy.typing import NDArray

from ..exceptions import AudioError

__all__ = ["RES_TYPES", "check_res_type", "get_resampler", "resample_blocks", "resample_live_blocks"]

_SOXR = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")
_RESAMPY = ("kaiser_best", "kaiser_fast")
_SAMPLERATE = ("sinc_best", "sinc_medium", "sinc_fastest", "zero_order_hold", "linear")
_PACKAGES = {**dict.fromkeys(_RESAMPY, "resampy"), **dict.fromkeys(_SAMPLERATE, "samplerate")}
RES_TYPES = (*_SOXR, *_RESAMPY, "fft", "scipy", "polyphase", *_SAMPLERATE)
"""The resamplers, by librosa's names."""

_PIECE = 1 << 15  # samples resampled at a time, where a clip has several blocks
_FARTHEST = 100  # how many times the rate may be raised: a wrong header must not turn a megabyte into a day of sound
_one_loader = threading.Lock()  # librosa imports resamplers lazily, in a way that breaks if several threads come first


def check_res_type(res_type: str) -> None:
    """Refuse a resampler whose package is not installed.

    Parameters
    ----------
    res_type : str
        One of RES_TYPES.

    Raises
    ------
    ImportError
        With the command that installs the package.
    """
    package = _PACKAGES.get(res_type)
    with _one_loader:
        if package and find_spec(package) is None:
            raise ImportError(
                f'res_type={res_type!r} needs the package {package}: pip install "soundclf[{package}]", '
                'or use res_type="soxr_hq"'
            )


def get_resampler(res_type: str) -> str:
    """Name the package that resamples, and its version."""
    package = _PACKAGES.get(res_type, "soxr" if res_type in _SOXR else "scipy")
    return f"{package} {metadata.version(package)}"


def resample_blocks(
    rate: float, blocks: Iterator[NDArray[np.float32]], sr: float, res_type: str
) -> Iterator[NDArray[np.float32]]:
    """Bring mono blocks from one rate to another; the length is librosa's, ``ceil(n * sr / rate)``."""
    if rate == sr:
        yield from blocks
        return
    ratio = sr / rate
    _check_ratio(ratio, rate, sr)
    if res_type == "polyphase" and not _has_simple_ratio(rate, sr):
        raise AudioError(
            f'polyphase resampling needs a simple ratio of whole numbers, not {rate:g} to {sr:g} Hz; use "soxr_hq"'
        )
    if not res_type.startswith("soxr"):
        whole = np.concatenate(list(blocks))
        if res_type in _RESAMPY and len(whole) * ratio < 1:
            raise AudioError(f"it is too short to be resampled from {rate:g} to {sr:g} Hz by {res_type}")
        resample = _resample_of_librosa(res_type)
        yield np.ascontiguousarray(resample(whole, orig_sr=rate, target_sr=sr, res_type=res_type))
        return
    first, second = next(blocks), next(blocks, None)
    if second is None:  # the resampler is faster if it knows that nothing follows; the samples are the same
        yield _of_length(soxr.resample(first, rate, sr, quality=res_type), int(np.ceil(len(first) * ratio)))
        return
    yield from resample_live_blocks(rate, chain([first, second], blocks), sr, res_type)


def resample_live_blocks(
    rate: float, blocks: Iterable[NDArray[np.float32]], sr: float, res_type: str
) -> Iterator[NDArray[np.float32]]:
    """Give the same by a ``soxr_*`` resampler, and after every block what is ready, as long as there may be more."""
    if rate == sr:
        yield from blocks
        return
    ratio = sr / rate
    _check_ratio(ratio, rate, sr)
    stream = soxr.ResampleStream(rate, sr, 1, dtype="float32", quality=res_type)
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        for start in range(0, len(block), _PIECE):
            out = stream.resample_chunk(block[start : start + _PIECE])
            n_out += len(out)
            if len(out):
                yield out
    out = stream.resample_chunk(np.empty(0, np.float32), last=True)
    out = _of_length(out, int(np.ceil(n_in * ratio)) - n_out)
    if len(out):
        yield out


def _check_ratio(ratio: float, rate: float, sr: float) -> None:
    if not 1e-4 <= ratio <= _FARTHEST:
        raise AudioError(f"its sampling rate of {rate:g} Hz is too far from the {sr:g} Hz asked for to be resampled")


def _of_length(samples: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Cut samples, or add zeros, to a length that rounding may have missed."""
    return samples[:n] if len(samples) >= n else np.concatenate([samples, np.zeros(n - len(samples), np.float32)])


def _resample_of_librosa(res_type: str) -> Callable[..., NDArray[np.float32]]:
    with _one_loader:
        import librosa

        if res_type in _PACKAGES:
            _ = import_module(_PACKAGES[res_type]).resample  # is loaded by this
        return librosa.resample


def _has_simple_ratio(rate: float, sr: float) -> bool:
    """Tell whether a polyphase filter, whose length grows with the terms of the ratio, stays of a reasonable size."""
    return rate.is_integer() and sr.is_integer() and max(rate, sr) <= 1e6 * math.gcd(int(rate), int(sr))
