"""Clips that are arrays, and blocks of a live recording -> blocks of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError
from ._mixing import mix_down
from ._resampling import resample_live_blocks

__all__ = ["BLOCK", "Conversion", "count_frames", "read_array", "read_pair", "stream_live_blocks"]

Conversion = Callable[[np.ndarray], NDArray[np.float32]]
"""A function that converts frames ``(n, channels)`` to samples."""

BLOCK = 1 << 18  # frames decoded at a time: most clips at once
_MAX_FRAMES = 1 << 62  # more than any file has
_MAX_CHANNELS = 1024  # of a file that libsndfile reads; an array with more is (n, channels), not (channels, n)
_MAX_LIVE_CHANNELS = 16  # a live block with more, and with fewer samples than channels, is (n, channels)


def read_pair(
    clip: tuple[Any, ...], duration: float | None, convert: Conversion
) -> tuple[float, Iterator[NDArray[np.float32]]]:
    """Read an ``(array, sr)`` tuple: its sampling rate, and its blocks."""
    if len(clip) != 2 or not _is_number(clip[1]):
        given = ", ".join(type(item).__name__ for item in clip)
        raise TypeError(f"a tuple as a clip must be (array, sr), got ({given})")
    rate = float(clip[1])
    if not (np.isfinite(rate) and rate > 0):
        raise AudioError(f"its sampling rate is {rate:g}, which is not a number of Hz above 0")
    try:
        samples = np.asarray(clip[0])
    except ValueError:
        raise AudioError("its samples are lists of several lengths, where (n,) or (channels, n) is expected") from None
    return rate, read_array(samples, rate, duration, convert, allow_channels=True)


def _is_number(rate: Any) -> bool:
    return not isinstance(rate, list | tuple) and np.ndim(rate) == 0 and np.asarray(rate).dtype.kind in "iuf"


def read_array(
    samples: np.ndarray, rate: float, duration: float | None, convert: Conversion, *, allow_channels: bool = False
) -> Iterator[NDArray[np.float32]]:
    """Read float samples ``(n,)``, or ``(channels, n)`` if channels are allowed, block by block."""
    if samples.dtype.kind in "iub":
        raise AudioError(
            f"its samples are integers ({samples.dtype}), whose full scale is not known; divide them by it to get "
            "floats in [-1, 1], for 16-bit samples by 32768"
        )
    if samples.dtype.kind != "f":
        raise TypeError(f"samples must be floats, got an array of type {samples.dtype}")
    if samples.ndim != 1 and not (allow_channels and samples.ndim == 2):
        expected = "(n,) or (channels, n)" if allow_channels else "(n,), or an (array, sr) tuple for several channels"
        raise AudioError(f"its samples have the shape {samples.shape}, where {expected} is expected")
    if samples.ndim == 2 and not samples.shape[0]:
        raise AudioError("it has no channels")
    if samples.ndim == 2 and samples.shape[0] > _MAX_CHANNELS:
        raise AudioError(_describe_transposed(samples))
    frames = np.atleast_2d(np.asarray(samples)).T
    if not len(frames):
        raise AudioError("it holds no samples")
    frames = frames[: count_frames(duration, rate)]
    for start in range(0, len(frames), BLOCK):
        yield convert(frames[start : start + BLOCK])


def count_frames(duration: float | None, rate: float) -> int:
    """Count the frames in a duration in seconds, None being all."""
    n_frames = _MAX_FRAMES if duration is None else int(min(duration * rate, _MAX_FRAMES))
    if not n_frames:
        raise AudioError(f"a duration of {duration:g} s is less than one sample at its {rate:g} Hz")
    return n_frames


def _describe_transposed(samples: np.ndarray) -> str:
    return (
        f"its samples have the shape {samples.shape}, which is {samples.shape[0]} channels of {samples.shape[1]} "
        "samples; transpose them to (channels, n)"
    )


def stream_live_blocks(blocks: Iterable[Any], rate: float, sr: float, res_type: str) -> Iterator[NDArray[np.float32]]:
    """Mix down and resample blocks of a live recording as they arrive.

    The samples are those of :func:`load_clip` for all blocks together. A ``soxr_*`` resampler delays about a thousand
    samples at the lower rate.

    Parameters
    ----------
    blocks : iterable of ndarray
        Float samples ``(n,)`` or ``(channels, n)``, possibly empty. A block may be overwritten once the next one has
        been requested.
    rate, sr : float
        Sampling rates of the blocks and of the result, in Hz.
    res_type : str
        A ``soxr_*`` resampler; any if the rates are equal.

    Yields
    ------
    ndarray of shape (n,), float32
        The average of the channels.

    Raises
    ------
    AudioError, TypeError
        For a block that cannot be used, with its number, counted from 0.
    """
    yield from resample_live_blocks(rate, _mix_live_blocks(blocks, rate), sr, res_type)


def _mix_live_blocks(blocks: Iterable[Any], rate: float) -> Iterator[NDArray[np.float32]]:
    n_channels = None
    for position, block in enumerate(blocks):
        try:
            if not isinstance(block, np.ndarray):
                raise TypeError(f"a block must be a float array (n,) or (channels, n), got {type(block).__name__}")
            if block.ndim and not block.shape[-1]:
                continue
            if block.ndim == 2 and block.shape[0] > max(_MAX_LIVE_CHANNELS, block.shape[1]):
                raise AudioError(_describe_transposed(block))
            channels = block.shape[0] if block.ndim == 2 else 1
            if n_channels not in (None, channels):
                raise AudioError(f"it has {channels} channels, but earlier blocks had {n_channels}")
            n_channels = channels
            yield from read_array(block, rate, None, mix_down, allow_channels=True)
        except AudioError as error:
            raise AudioError(error.reason, f"block {position}") from error
        except TypeError as error:
            raise TypeError(f"Block {position}: {error}") from error
