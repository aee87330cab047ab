"""A clip in any form -> mono float32 samples at a rate, whole or as a stream of blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import NONE, check_params, one_of, real_in
from ..exceptions import AudioError
from ._arrays import Conversion, read_array, read_pair
from ._describe import describe_clip, make_form_error
from ._files import check_path, get_decoder_version, open_file, read_file_object
from ._headers import EncodedBytes
from ._mixing import convert_to_floats, mix_down
from ._resampling import RES_TYPES, check_res_type, get_resampler_version, resample_blocks

__all__ = ["Clip", "get_versions", "load_channels", "load_clip", "open_channels", "open_mono", "stream_clip"]

Clip = str | os.PathLike[str] | bytes | BinaryIO | NDArray[np.floating] | tuple[NDArray[np.floating], float]

_RULES = {
    "sr": (real_in(0, closed="neither"),),
    "res_type": (one_of(RES_TYPES),),
    "duration": (NONE, real_in(0, closed="neither")),
}


def get_versions(res_type: str) -> str:
    """Return the versions of decoder and resampler, on which samples depend in their last digits."""
    return f"{get_decoder_version()}, {get_resampler_version(res_type)}"


def load_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> NDArray[np.float32]:
    """Load a clip as mono samples at a rate.

    Parameters
    ----------
    clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
        The path of an audio file, its encoded bytes, a seekable file object (read from start to end), float samples
        ``(n,)`` at ``sr``, or a tuple of float samples ``(n,)`` or ``(channels, n)`` and their sampling rate in Hz.
    sr : number > 0 [scalar], default=22050
        Sampling rate of the result, in Hz.
    res_type : str, default="soxr_hq"
        Resampler, as named by librosa.
    duration : float > 0, default=None
        Duration to read from the start, in seconds. None reads the whole clip.

    Returns
    -------
    ndarray of shape (n,), float32
        The average of the channels.

    Raises
    ------
    AudioError
        If the clip cannot be used, with the reason.
    TypeError
        If ``clip`` has none of these forms.
    ParameterError
        If another parameter is outside its range.
    ImportError
        If the package of ``res_type`` is not installed.

    See Also
    --------
    librosa.load : The reference for files.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import load_clip
    >>> stereo = np.zeros((2, 44100), dtype=np.float32)
    >>> load_clip((stereo, 44100), sr=22050).shape
    (22050,)
    """
    _check_parameters("load_clip", sr, res_type, duration)
    blocks = list(_stream(clip, float(sr), res_type, duration))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Stream the samples that :func:`load_clip` would return, block by block.

    Only the ``soxr_*`` resamplers work on blocks; the others need the whole clip in memory. A file object is read into
    memory, undecoded; pass long recordings by path.

    Parameters
    ----------
    clip, sr, res_type, duration
        As for :func:`load_clip`.

    Returns
    -------
    iterator of ndarray of shape (n,), float32
        At least one sample in total. A block is not overwritten later.

    Raises
    ------
    AudioError, TypeError
        As :func:`load_clip`, while the stream is read.
    ParameterError, ImportError
        As :func:`load_clip`, immediately.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import stream_clip
    >>> minute = np.zeros(60 * 44100)
    >>> sum(len(block) for block in stream_clip((minute, 44100), sr=22050)) / 22050
    60.0
    """
    _check_parameters("stream_clip", sr, res_type, duration)
    return _stream(clip, float(sr), res_type, duration)


def _check_parameters(owner: str, sr: float, res_type: str, duration: float | None) -> None:
    check_params(owner, {"sr": sr, "res_type": res_type, "duration": duration}, _RULES)
    check_res_type(res_type)


def load_channels(clip: Clip, *, sr: float = 22050, duration: float | None = None) -> tuple[NDArray[np.float32], float]:
    """Load the channels of a clip at its own rate: the samples ``(channels, n)``, and the rate.

    ``sr`` is the rate of an array that comes without one. Errors are those of :func:`load_clip`.
    """
    with open_channels(clip, sr=sr, duration=duration) as (rate, blocks):
        return np.ascontiguousarray(np.concatenate(list(blocks)).T), rate


def open_channels(
    clip: Clip, *, sr: float = 22050, duration: float | None = None
) -> AbstractContextManager[tuple[float, Iterator[NDArray[np.float32]]]]:
    """Open the channels of a clip: its own rate, and blocks ``(n, channels)``, as long as it is open."""
    _check_parameters("open_channels", sr, "soxr_hq", duration)
    return _open(clip, float(sr), duration, convert_to_floats)


_Opened = tuple[float, Iterator[NDArray[np.float32]]]  # a rate, and blocks


def _stream(clip: Any, sr: float, res_type: str, duration: float | None) -> Iterator[NDArray[np.float32]]:
    with _open(clip, sr, duration, mix_down) as (rate, blocks):
        yield from resample_blocks(rate, blocks, sr, res_type)


def open_mono(
    clip: Clip, *, sr: float = 22050, duration: float | None = None
) -> AbstractContextManager[tuple[float, Iterator[NDArray[np.float32]]]]:
    """Open a clip mixed down at its own rate: the rate, and mono blocks ``(n,)``, as long as it is open.

    ``sr`` is the rate of an array that comes without one. Errors are those of :func:`load_clip`.
    """
    _check_parameters("open_mono", sr, "soxr_hq", duration)
    return _open(clip, float(sr), duration, mix_down)


@contextmanager
def _open(clip: Any, sr: float, duration: float | None, convert: Conversion) -> Iterator[_Opened]:
    """Open a clip: its own rate and its blocks. Errors raised while it is open get the name of the clip."""
    try:
        if isinstance(clip, tuple):
            yield read_pair(clip, duration, convert)
        elif isinstance(clip, np.ndarray):
            yield sr, read_array(clip, sr, duration, convert)
        else:
            with open_file(_find_source(clip), duration, convert) as opened:
                yield opened
    except AudioError as error:
        if error.clip is None:
            raise AudioError(error.reason, describe_clip(clip)) from error.__cause__
        raise


def _find_source(clip: Any) -> str | EncodedBytes:
    """Return the path, or the encoded bytes, of a clip that is not an array."""
    if isinstance(clip, bytes | bytearray | memoryview) and not isinstance(clip, np.bytes_):
        return EncodedBytes(bytes(clip))
    if isinstance(clip, str | os.PathLike):
        return check_path(clip)
    if hasattr(clip, "read") and hasattr(clip, "seek"):
        return EncodedBytes(read_file_object(clip))
    raise make_form_error(clip)
