"""A clip in any form -> mono float32 samples at a rate, whole or as a stream of blocks.

soundfile decodes, soxr resamples. Decoded 16-bit samples are taken as integers and scaled while they are mixed down,
which gives the same numbers as decoding to floats at a fraction of the cost.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from .._utils.validation import NONE, check_params, one_of, real_in
from ..exceptions import AudioError
from ._containers import EncodedBytes, explain_unreadable, find_shortfall, repair_stream_length
from ._describe import describe_clip
from ._resampling import RES_TYPES, check_res_type, get_resampler, resample_blocks, resample_live_blocks

__all__ = [
    "RES_TYPES",
    "Clip",
    "check_path",
    "check_res_type",
    "get_versions",
    "load_channels",
    "load_clip",
    "open_channels",
    "open_mono",
    "read_file_object",
    "stream_clip",
    "stream_live_blocks",
]

Clip = str | os.PathLike[str] | bytes | BinaryIO | NDArray[np.floating] | tuple[NDArray[np.floating], float]

_BLOCK = 1 << 18  # frames decoded at a time: most clips at once
_ALL = 1 << 62  # more frames than a file has
_MOST_CHANNELS = 1024  # of a file that libsndfile reads; an array with more is (n, channels), not (channels, n)
_MANY_CHANNELS = 16  # of a live block; one with more, and with fewer samples, is (n, channels)
_one_reader = threading.Lock()
_PARAMETERS = {
    "sr": (real_in(0, closed="neither"),),
    "res_type": (one_of(RES_TYPES),),
    "duration": (NONE, real_in(0, closed="neither")),
}


def get_versions(res_type: str) -> str:
    """Tell the versions of what decodes and resamples, on which samples depend in their last digits."""
    return f"libsndfile {soundfile.__libsndfile_version__}, {get_resampler(res_type)}"


def load_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> NDArray[np.float32]:
    """Load a clip as mono samples at a rate.

    Parameters
    ----------
    clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
        A path to an audio file, its encoded bytes, a seekable file object (read from its start to its end), float
        samples ``(n,)`` at ``sr``, or a tuple of float samples ``(n,)`` or ``(channels, n)`` and their sampling rate in
        Hz.
    sr : number > 0 [scalar], default=22050
        Sampling rate in Hz of what is returned.
    res_type : str, default="soxr_hq"
        Resampler, by librosa's name.
    duration : float > 0, default=None
        How much to read from the start, in seconds. None reads everything.

    Returns
    -------
    ndarray of shape (n,), float32
        Channels are averaged.

    Raises
    ------
    AudioError
        If the clip cannot be used, with the reason.
    TypeError
        If it is none of the forms above.
    ParameterError
        If another parameter is outside its range.
    ImportError
        If the package of ``res_type`` is not installed.

    See Also
    --------
    librosa.load : The same for files, and the reference for this function.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import load_clip
    >>> stereo = np.zeros((2, 44100), dtype=np.float32)
    >>> load_clip((stereo, 44100), sr=22050).shape
    (22050,)
    """
    _check_parameters("load_clip", sr, res_type, duration)
    blocks = list(_blocks(clip, float(sr), res_type, duration))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Give the samples that :func:`load_clip` would return, block by block.

    Only the ``soxr_*`` resamplers work on blocks; the others need the whole clip in memory. So does a file object,
    undecoded; a long recording is better given by its path.

    Parameters
    ----------
    clip, sr, res_type, duration
        As for :func:`load_clip`.

    Returns
    -------
    iterator of ndarray of shape (n,), float32
        At least one sample in all. A block is the consumer's to keep.

    Raises
    ------
    AudioError, TypeError
        As from :func:`load_clip`, while the stream is read.
    ParameterError, ImportError
        As from :func:`load_clip`, at once.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import stream_clip
    >>> minute = np.zeros(60 * 44100)
    >>> sum(len(block) for block in stream_clip((minute, 44100), sr=22050)) / 22050
    60.0
    """
    _check_parameters("stream_clip", sr, res_type, duration)
    return _blocks(clip, float(sr), res_type, duration)


def _check_parameters(owner: str, sr: float, res_type: str, duration: float | None) -> None:
    check_params(owner, {"sr": sr, "res_type": res_type, "duration": duration}, _PARAMETERS)
    check_res_type(res_type)


def load_channels(clip: Clip, *, sr: float = 22050, duration: float | None = None) -> tuple[NDArray[np.float32], float]:
    """Load a clip as it is, at its own rate and channel by channel: the samples ``(channels, n)``, and the rate.

    ``sr`` is the rate of an array that comes without one. Errors are those of :func:`load_clip`.
    """
    with open_channels(clip, sr=sr, duration=duration) as (rate, blocks):
        return np.ascontiguousarray(np.concatenate(list(blocks)).T), rate


def open_channels(
    clip: Clip, *, sr: float = 22050, duration: float | None = None
) -> AbstractContextManager[tuple[float, Iterator[NDArray[np.float32]]]]:
    """Open a clip as it is: its own rate, and blocks ``(n, channels)``, as long as it is open."""
    _check_parameters("open_channels", sr, "soxr_hq", duration)
    return _opened(clip, float(sr), duration, _as_floats)


_Form = Callable[[np.ndarray], NDArray[np.float32]]  # what becomes of frames (n, channels)
_Opened = tuple[float, Iterator[NDArray[np.float32]]]  # a rate, and blocks of what frames became


def _blocks(clip: Any, sr: float, res_type: str, duration: float | None) -> Iterator[NDArray[np.float32]]:
    with _opened(clip, sr, duration, _mixed_down) as (rate, blocks):
        yield from resample_blocks(rate, blocks, sr, res_type)


def open_mono(
    clip: Clip, *, sr: float = 22050, duration: float | None = None
) -> AbstractContextManager[tuple[float, Iterator[NDArray[np.float32]]]]:
    """Open a clip mixed down at its own rate: the rate, and mono blocks ``(n,)``, as long as it is open.

    ``sr`` is the rate of an array that comes without one. Errors are those of :func:`load_clip`.
    """
    _check_parameters("open_mono", sr, "soxr_hq", duration)
    return _opened(clip, float(sr), duration, _mixed_down)


@contextmanager
def _opened(clip: Any, sr: float, duration: float | None, form: _Form) -> Iterator[_Opened]:
    """Give a clip's own rate and its blocks; what goes wrong with them meanwhile is told with the clip's name."""
    try:
        if isinstance(clip, tuple):
            yield _from_pair(clip, duration, form)
        elif isinstance(clip, np.ndarray):
            yield sr, _from_array(clip, sr, duration, form)
        else:
            with _opened_file(_source(clip), duration, form) as opened:
                yield opened
    except AudioError as error:
        if error.clip is None:
            raise AudioError(error.reason, describe_clip(clip)) from error.__cause__
        raise


def _source(clip: Any) -> str | EncodedBytes:
    """Give the path, or the encoded bytes, of what is not an array."""
    if isinstance(clip, bytes | bytearray | memoryview) and not isinstance(clip, np.bytes_):
        return EncodedBytes(bytes(clip))
    if isinstance(clip, str | os.PathLike):
        return check_path(clip)
    if hasattr(clip, "read") and hasattr(clip, "seek"):
        return EncodedBytes(read_file_object(clip))
    raise _no_clip(clip)


def _no_clip(clip: Any) -> TypeError:
    return TypeError(
        "a clip must be a path, encoded bytes, a seekable binary file object, a 1-D float array or an (array, sr) "
        f"tuple, got {type(clip).__name__}"
    )


# -- arrays ------------------------------------------------------------------------------------------------------------


def _from_pair(clip: tuple[Any, ...], duration: float | None, form: _Form) -> _Opened:
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
    return rate, _from_array(samples, rate, duration, form, channels=True)


def _is_number(rate: Any) -> bool:
    return not isinstance(rate, list | tuple) and np.ndim(rate) == 0 and np.asarray(rate).dtype.kind in "iuf"


def _from_array(
    samples: np.ndarray, rate: float, duration: float | None, form: _Form, *, channels: bool = False
) -> Iterator[NDArray[np.float32]]:
    if samples.dtype.kind in "iub":
        raise AudioError(
            f"its samples are integers ({samples.dtype}), whose full scale is not known; divide them by it to get "
            "floats in [-1, 1], for 16-bit samples by 32768"
        )
    if samples.dtype.kind != "f":
        raise TypeError(f"samples must be floats, got an array of type {samples.dtype}")
    if samples.ndim != 1 and not (channels and samples.ndim == 2):
        expected = "(n,) or (channels, n)" if channels else "(n,), or an (array, sr) tuple for several channels"
        raise AudioError(f"its samples have the shape {samples.shape}, where {expected} is expected")
    if samples.ndim == 2 and not samples.shape[0]:
        raise AudioError("it has no channels")
    if samples.ndim == 2 and samples.shape[0] > _MOST_CHANNELS:
        raise AudioError(
            f"its samples have the shape {samples.shape}, which is {samples.shape[0]} channels of {samples.shape[1]} "
            "samples; transpose them to (channels, n)"
        )
    frames = np.atleast_2d(np.asarray(samples)).T
    if not len(frames):
        raise AudioError("it holds no samples")
    frames = frames[: _n_wanted(duration, rate)]
    for start in range(0, len(frames), _BLOCK):
        yield form(frames[start : start + _BLOCK])


def _n_wanted(duration: float | None, rate: float) -> int:
    n_wanted = _ALL if duration is None else int(min(duration * rate, _ALL))
    if not n_wanted:
        raise AudioError(f"a duration of {duration:g} s is less than one sample at its {rate:g} Hz")
    return n_wanted


def _mixed_down(frames: np.ndarray) -> NDArray[np.float32]:
    """Average the channels of ``(n, channels)`` frames: 16-bit integers, or floats, which have to be finite."""
    integers = frames.dtype == np.int16
    n_channels = frames.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is found below
        floats = frames.astype(np.float32, copy=n_channels == 1)  # all channels in one go is faster than one by one
        mono = floats[:, 0] if n_channels == 1 else floats[:, 0] + floats[:, 1]
        for channel in range(2, n_channels):
            mono += floats[:, channel]
        scale = n_channels * (32768 if integers else 1)
        if scale != 1:
            mono /= np.float32(scale)
        # One sum is cheaper than a test of every sample, and finite samples of sounds do not overflow it.
        if not integers and not np.isfinite(mono.sum()) and not np.isfinite(mono).all():
            raise AudioError("it contains NaN or infinity")
    return mono


def _as_floats(frames: np.ndarray) -> NDArray[np.float32]:
    """Give ``(n, channels)`` frames as floats, as :func:`_mixed_down` does for each of several channels."""
    return np.stack([_mixed_down(frames[:, [channel]]) for channel in range(frames.shape[1])], axis=1)


def stream_live_blocks(blocks: Iterable[Any], rate: float, sr: float, res_type: str) -> Iterator[NDArray[np.float32]]:
    """Mix down and resample blocks of samples as they come, giving what is ready after every block.

    The samples are those of :func:`load_clip` for all blocks together. A ``soxr_*`` resampler holds some back, about a
    thousand at the lower rate.

    Parameters
    ----------
    blocks : iterable of ndarray
        Float samples ``(n,)`` or ``(channels, n)`` of any number, also none. They may be overwritten once the next
        block has been asked for.
    rate, sr : float
        Their sampling rate and that of what is given, in Hz.
    res_type : str
        A ``soxr_*`` resampler; if the rates are equal, any.

    Yields
    ------
    ndarray of shape (n,), float32
        Channels are averaged.

    Raises
    ------
    AudioError, TypeError
        For a block that cannot be used, with its number, counted from 0.
    """
    yield from resample_live_blocks(rate, _mixed_down_live(blocks, rate), sr, res_type)


def _mixed_down_live(blocks: Iterable[Any], rate: float) -> Iterator[NDArray[np.float32]]:
    n_channels = None
    for position, block in enumerate(blocks):
        try:
            if not isinstance(block, np.ndarray):
                raise TypeError(f"a block must be a float array (n,) or (channels, n), got {type(block).__name__}")
            if block.ndim and not block.shape[-1]:
                continue
            if block.ndim == 2 and block.shape[0] > max(_MANY_CHANNELS, block.shape[1]):
                raise AudioError(
                    f"its samples have the shape {block.shape}, which is {block.shape[0]} channels of {block.shape[1]} "
                    "samples; transpose them to (channels, n)"
                )
            channels = block.shape[0] if block.ndim == 2 else 1
            if n_channels not in (None, channels):
                raise AudioError(f"it has {channels} channels, where blocks before had {n_channels}")
            n_channels = channels
            yield from _from_array(block, rate, None, _mixed_down, channels=True)
        except AudioError as error:
            raise AudioError(error.reason, f"block {position}") from error
        except TypeError as error:
            raise TypeError(f"Block {position}: {error}") from error


# -- files -------------------------------------------------------------------------------------------------------------


def check_path(clip: str | os.PathLike[str]) -> str:
    """Give the path of a regular file, or say why there is none."""
    path = os.fspath(clip)
    if not isinstance(path, str):
        raise TypeError("a path must be a str or a pathlib.Path; bytes are taken as the encoded sound itself")
    if not path:
        raise AudioError("its path is empty")
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise AudioError("there is no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"its path cannot be used ({getattr(error, 'strerror', error)})") from error
    if stat.S_ISDIR(mode):
        raise AudioError("it is a directory, not a file")
    if not stat.S_ISREG(mode):  # a pipe or a device could be read for ever
        raise AudioError("it is not a regular file")
    return os.path.join(".", path) if path == "-" else path  # noqa: PTH118 - which to libsndfile is standard input


def read_file_object(file: Any) -> bytes:
    """Read a file object from its start to its end, and no further: a device could go on for ever."""
    try:
        with _one_reader:  # the same object may stand in X twice
            start = file.read(0)
            if isinstance(start, str):
                raise AudioError("the file object was opened as text; open it with mode 'rb'")
            if not isinstance(start, bytes):
                raise _no_clip(file)
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(0)
            return b"".join(iter(lambda: file.read(size), b""))
    except AudioError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise AudioError(f"the file object cannot be rewound and read ({error})") from error


class _Forward(soundfile.SoundFile):
    """A file that is read once, from its start to its end.

    In a seekable file soundfile seeks after every block, to where the block ended. That changes the samples that follow
    in MP3 and Opus, and fails in streamed FLAC.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _opened_file(source: str | EncodedBytes, duration: float | None, form: _Form) -> Iterator[_Opened]:
    """Give the rate of what a path or encoded bytes hold, and its blocks."""
    try:
        # libsndfile takes a name in bytes, which need not be valid UTF-8, except on Windows.
        file = _Forward(os.fsencode(source) if isinstance(source, str) and os.name != "nt" else source)
    except TypeError:  # what soundfile says of this one suffix
        raise AudioError(
            "its name ends in .raw, which stands for samples without a header; read them with numpy.fromfile and pass "
            "(array, sr)"
        ) from None
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(explain_unreadable(source, error)) from error
    with file:
        streamed = None if file.frames else repair_stream_length(source)
        if streamed is None:
            yield float(file.samplerate), _decoded(file, source, duration, form)
        else:
            with _opened_file(streamed, duration, form) as opened:
                yield opened


def _decoded(
    file: _Forward, source: str | EncodedBytes, duration: float | None, form: _Form
) -> Iterator[NDArray[np.float32]]:
    """Yield a file's frames as float32 blocks at its own rate."""
    as_integers = file.subtype == "PCM_16" and file.format != "SDS"  # an SDS file has more bits than its subtype says
    n_wanted = _n_wanted(duration, file.samplerate)
    buffer = np.empty((min(_BLOCK, n_wanted), file.channels), np.int16 if as_integers else np.float32)
    n_read = 0
    while n_read < n_wanted:
        want = min(len(buffer), n_wanted - n_read)
        try:
            frames = file.read(out=buffer[:want])
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(f"it is truncated or damaged after {n_read / file.samplerate:.3f} s") from error
        n_read += len(frames)
        if len(frames):
            yield form(frames)
        if len(frames) < want:
            missing = find_shortfall(file, source, n_read)
            if missing:
                raise AudioError(f"it is truncated: {missing}")
            break
    if not n_read:
        raise AudioError("it holds no samples")
