"""Resampling, block by block where the resampler supports it."""

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

__all__ = ["RES_TYPES", "check_res_type", "get_resampler_version", "resample_blocks", "resample_live_blocks"]

_SOXR = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")
_RESAMPY = ("kaiser_best", "kaiser_fast")
_SAMPLERATE = ("sinc_best", "sinc_medium", "sinc_fastest", "zero_order_hold", "linear")
_PACKAGES = {**dict.fromkeys(_RESAMPY, "resampy"), **dict.fromkeys(_SAMPLERATE, "samplerate")}
RES_TYPES = (*_SOXR, *_RESAMPY, "fft", "scipy", "polyphase", *_SAMPLERATE)
"""The resamplers, as named by librosa."""

_CHUNK = 1 << 15  # samples resampled at a time, if a clip has several blocks
_MAX_RATIO = 100  # a wrong header must not turn a megabyte into a day of sound
_import_lock = threading.Lock()  # librosa's lazy imports break if several threads trigger them at once


def check_res_type(res_type: str) -> None:
    """Check that the package of a resampler is installed.

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
    with _import_lock:
        if package and find_spec(package) is None:
            raise ImportError(
                f'res_type={res_type!r} needs the package {package}: pip install "soundclf[{package}]", '
                'or use res_type="soxr_hq"'
            )


def get_resampler_version(res_type: str) -> str:
    """Return the package that resamples, and its version."""
    package = _PACKAGES.get(res_type, "soxr" if res_type in _SOXR else "scipy")
    return f"{package} {metadata.version(package)}"


def resample_blocks(
    rate: float, blocks: Iterator[NDArray[np.float32]], sr: float, res_type: str
) -> Iterator[NDArray[np.float32]]:
    """Resample mono blocks from ``rate`` to ``sr``; the length is librosa's, ``ceil(n * sr / rate)``."""
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
        samples = np.concatenate(list(blocks))
        if res_type in _RESAMPY and len(samples) * ratio < 1:
            raise AudioError(f"it is too short to be resampled from {rate:g} to {sr:g} Hz by {res_type}")
        resample = _import_librosa_resample(res_type)
        yield np.ascontiguousarray(resample(samples, orig_sr=rate, target_sr=sr, res_type=res_type))
        return
    first, second = next(blocks), next(blocks, None)
    if second is None:  # faster for a single block; the samples are the same
        yield _fix_length(soxr.resample(first, rate, sr, quality=res_type), int(np.ceil(len(first) * ratio)))
        return
    yield from resample_live_blocks(rate, chain([first, second], blocks), sr, res_type)


def resample_live_blocks(
    rate: float, blocks: Iterable[NDArray[np.float32]], sr: float, res_type: str
) -> Iterator[NDArray[np.float32]]:
    """Resample blocks as they arrive with a ``soxr_*`` resampler, yielding after every block what is ready."""
    if rate == sr:
        yield from blocks
        return
    ratio = sr / rate
    _check_ratio(ratio, rate, sr)
    stream = soxr.ResampleStream(rate, sr, 1, dtype="float32", quality=res_type)
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        for start in range(0, len(block), _CHUNK):
            out = stream.resample_chunk(block[start : start + _CHUNK])
            n_out += len(out)
            if len(out):
                yield out
    out = stream.resample_chunk(np.empty(0, np.float32), last=True)
    out = _fix_length(out, int(np.ceil(n_in * ratio)) - n_out)
    if len(out):
        yield out


def _check_ratio(ratio: float, rate: float, sr: float) -> None:
    if not 1e-4 <= ratio <= _MAX_RATIO:
        raise AudioError(f"its sampling rate of {rate:g} Hz is too far from the requested {sr:g} Hz to be resampled")


def _fix_length(samples: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Trim or zero-pad samples to ``n``, which rounding may have missed."""
    return samples[:n] if len(samples) >= n else np.concatenate([samples, np.zeros(n - len(samples), np.float32)])


def _import_librosa_resample(res_type: str) -> Callable[..., NDArray[np.float32]]:
    with _import_lock:
        import librosa

        if res_type in _PACKAGES:
            getattr(import_module(_PACKAGES[res_type]), "resample", None)  # completes a lazy import under the lock
        return librosa.resample


def _has_simple_ratio(rate: float, sr: float) -> bool:
    """Check that a polyphase filter, whose length grows with the terms of the ratio, has a reasonable size."""
    return rate.is_integer() and sr.is_integer() and max(rate, sr) <= 1e6 * math.gcd(int(rate), int(sr))
