"""A clip in any form -> mono float32 samples at a rate, whole or as a stream of blocks.

soundfile decodes, soxr resamples. Decoded 16-bit samples are taken as integers and scaled while they are mixed down,
which gives the same numbers as decoding to floats at a fraction of the cost.
"""

from __future__ import annotations

import io
import os
import re
import stat
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from .exceptions import AudioError, describe_clip

__all__ = ["RES_TYPES", "Clip", "check_res_type", "load_clip", "stream_clip"]

Clip = str | os.PathLike[str] | bytes | BinaryIO | NDArray[np.floating] | tuple[NDArray[np.floating], float]

_SOXR = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")
_RESAMPY = ("kaiser_best", "kaiser_fast")
_SAMPLERATE = ("sinc_best", "sinc_medium", "sinc_fastest", "zero_order_hold", "linear")
RES_TYPES = (*_SOXR, *_RESAMPY, "fft", "scipy", "polyphase", *_SAMPLERATE)
"""The resamplers, by librosa's names."""

_BLOCK = 1 << 16  # frames decoded at a time
_FARTHEST = 100  # how many times the rate may be raised: a wrong header must not turn a megabyte into a day of sound
_UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFF000)  # what encoders write that cannot know better
_one_reader = threading.RLock()


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
    for names, package, extra in ((_RESAMPY, "resampy", "resampy"), (_SAMPLERATE, "samplerate", "samplerate")):
        if res_type in names and find_spec(package) is None:
            raise ImportError(
                f'res_type={res_type!r} needs the package {package}: pip install "soundclf[{extra}]", '
                'or use res_type="soxr_hq"'
            )


def load_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> NDArray[np.float32]:
    """Load a clip as mono samples at a rate.

    Parameters
    ----------
    clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
        A path to an audio file, its encoded bytes, a seekable file object (rewound before it is read), float samples
        ``(n,)`` at ``sr``, or a tuple of float samples ``(n,)`` or ``(channels, n)`` and their sampling rate in Hz.
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
    blocks = list(stream_clip(clip, sr=sr, res_type=res_type, duration=duration))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_clip(
    clip: Clip, *, sr: float = 22050, res_type: str = "soxr_hq", duration: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield the samples that :func:`load_clip` would return, block by block.

    Only the ``soxr_*`` resamplers work on blocks; the others need the whole clip in memory.

    Parameters
    ----------
    clip, sr, res_type, duration
        As for :func:`load_clip`.

    Yields
    ------
    ndarray of shape (n,), float32
        At least one sample in all. A block is the consumer's to keep.

    Raises
    ------
    AudioError, TypeError
        As from :func:`load_clip`, while the stream is read.
    """
    check_res_type(res_type)
    try:
        if isinstance(clip, tuple):
            yield from _resampled(*_from_pair(clip, duration), sr, res_type)
        elif isinstance(clip, np.ndarray) and clip.ndim > 0:
            yield from _resampled(sr, _from_array(clip, sr, duration), sr, res_type)
        elif isinstance(clip, bytes | bytearray | memoryview) and not isinstance(clip, np.bytes_):
            yield from _from_file(io.BytesIO(clip), sr, res_type, duration)
        elif isinstance(clip, str | os.PathLike):
            yield from _from_file(_checked_path(clip), sr, res_type, duration)
        elif hasattr(clip, "read") and hasattr(clip, "seek"):
            with _one_reader:  # the same object may stand in X twice
                _rewind(clip)
                yield from _from_file(clip, sr, res_type, duration)
        else:
            raise TypeError(
                "a clip must be a path, encoded bytes, a binary file object, a 1-D float array or an (array, sr) "
                f"tuple, got {type(clip).__name__}"
            )
    except AudioError as error:
        if error.clip is None:
            raise AudioError(error.reason, describe_clip(clip)) from error.__cause__
        raise


# -- arrays ------------------------------------------------------------------------------------------------------------


def _from_pair(clip: tuple[Any, ...], duration: float | None) -> tuple[float, Iterator[NDArray[np.float32]]]:
    if len(clip) != 2 or np.ndim(clip[1]) != 0 or isinstance(clip[1], str | bytes):
        raise TypeError(f"a tuple as a clip must be (array, sr), got {len(clip)} items")
    rate = float(clip[1])
    if not (np.isfinite(rate) and rate > 0):
        raise AudioError(f"its sampling rate is {clip[1]!r}, which is not a number of Hz above 0")
    return rate, _from_array(np.asarray(clip[0]), rate, duration, channels=True)


def _from_array(
    samples: np.ndarray, rate: float, duration: float | None, *, channels: bool = False
) -> Iterator[NDArray[np.float32]]:
    if samples.dtype.kind in "iub":
        raise AudioError(
            f"its samples are integers ({samples.dtype}), whose full scale is not known; divide them by it to get "
            "floats in [-1, 1], for 16-bit samples by 32768"
        )
    if samples.dtype.kind != "f":
        raise TypeError(f"samples must be floats, got an array of type {samples.dtype}")
    if samples.ndim > 2 or (samples.ndim == 2 and not channels):
        form = "(n,) or (channels, n)" if channels else "(n,), or an (array, sr) tuple for several channels"
        raise AudioError(f"its samples have the shape {samples.shape}, where {form} is expected")
    if samples.ndim == 2 and not samples.shape[0]:
        raise AudioError("it has no channels")
    if duration is not None:
        samples = samples[..., : int(duration * rate)]
    if not samples.shape[-1]:
        raise AudioError("it holds no samples")
    for start in range(0, samples.shape[-1], _BLOCK):
        block = samples[..., start : start + _BLOCK]
        yield block.astype(np.float32) if block.ndim == 1 else block.mean(axis=0, dtype=np.float32)


# -- files -------------------------------------------------------------------------------------------------------------


def _checked_path(clip: str | os.PathLike[str]) -> str:
    path = os.fspath(clip)
    if not isinstance(path, str):
        raise TypeError("a path must be a str or a pathlib.Path; bytes are taken as the encoded sound itself")
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise AudioError("there is no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"its path cannot be used ({error})") from error
    if stat.S_ISDIR(mode):
        raise AudioError("it is a directory, not a file")
    if not stat.S_ISREG(mode):  # a pipe or a device could be read for ever
        raise AudioError("it is not a regular file")
    return path


def _rewind(file: Any) -> None:
    try:
        file.seek(0)
        start = file.read(0)
    except (OSError, ValueError) as error:
        raise AudioError(f"the file object cannot be rewound and read ({error})") from error
    if not isinstance(start, bytes):
        raise AudioError("the file object was opened as text; open it with mode 'rb'")


def _from_file(source: Any, sr: float, res_type: str, duration: float | None) -> Iterator[NDArray[np.float32]]:
    """Decode, mix down and resample what a path or a file object holds."""
    try:
        file = soundfile.SoundFile(source)
    except (soundfile.LibsndfileError, TypeError, OSError, ValueError) as error:
        raise AudioError(_why_unreadable(source, error)) from error
    with file:
        yield from _resampled(float(file.samplerate), _decoded(file, source, duration), sr, res_type)


def _decoded(file: soundfile.SoundFile, source: Any, duration: float | None) -> Iterator[NDArray[np.float32]]:
    """Yield a file's frames as mono float32 blocks at its own rate."""
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    wanted = None if duration is None else int(duration * file.samplerate)
    buffer = np.empty((min(_BLOCK, wanted or _BLOCK), file.channels), dtype)
    n_read = 0
    while wanted is None or n_read < wanted:
        want = len(buffer) if wanted is None else min(len(buffer), wanted - n_read)
        try:
            frames = file.read(out=buffer[:want])
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(f"it is truncated or damaged after {n_read / file.samplerate:.3f} s") from error
        n_read += len(frames)
        if len(frames):
            yield _mixed_down(frames)
        if len(frames) < want:
            missing = _what_is_missing(file, source, n_read)
            if missing:
                raise AudioError(f"it is truncated: {missing}")
            break
    if not n_read:
        raise AudioError("it holds no samples")


def _mixed_down(frames: np.ndarray) -> NDArray[np.float32]:
    """Average the channels of ``(n, channels)`` frames: 16-bit integers, or floats."""
    mono = frames[:, 0].astype(np.float32)
    for channel in range(1, frames.shape[1]):
        mono += frames[:, channel]
    scale = frames.shape[1] * (32768 if frames.dtype == np.int16 else 1)
    if scale != 1:
        mono *= np.float32(1 / scale) if scale & (scale - 1) == 0 else np.float32(1) / np.float32(scale)
    return mono


def _ends(source: Any, size: int = 1 << 17) -> tuple[bytes, bytes]:
    """Give the first 64 and the last ``size`` bytes of a path or a file object."""
    with Path(source).open("rb") if isinstance(source, str) else io.BytesIO() as opened:
        file = opened if isinstance(source, str) else source
        file.seek(0)
        head = file.read(64)
        file.seek(0, os.SEEK_END)
        file.seek(-min(size, file.tell()), os.SEEK_END)
        return head, file.read()


def _what_is_missing(file: soundfile.SoundFile, source: Any, n_read: int) -> str | None:
    """Tell how far a file that has been read to its end falls short of what its header promises."""
    for declared, actual in re.findall(
        r"^ *(?:data|SSND|riff|Data Size) *: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE
    ):
        if int(declared) > int(actual) and int(declared) not in _UNKNOWN_LENGTHS:
            return f"its header promises {declared} bytes of samples, and {actual} are there"
    for actual, declared in re.findall(
        r"Calculated frame count (\d+) does not match value .* of (\d+)", file.extra_info
    ):
        if int(declared) > int(actual):
            return f"its header promises {declared} samples, and {actual} are there"
    if file.format == "OGG" and _ogg_is_cut(_ends(source)[1]):
        return "its last Ogg page is cut off"
    slack = 1152 if file.format == "MP3" else 0  # one frame of MP3, whose header may or may not count the padding
    if n_read + slack < file.frames < 2**62:
        return f"its header promises {file.frames} samples, and {n_read} are there"
    return None


def _ogg_is_cut(tail: bytes) -> bool:
    start = tail.rfind(b"OggS")
    if start < 0:
        return False
    segments = tail[start + 27 : start + 27 + tail[start + 26]] if len(tail) > start + 26 else b""
    complete = bool(segments) and len(segments) == tail[start + 26]
    return not complete or start + 27 + len(segments) + sum(segments) > len(tail)


_NOT_DECODED = (
    (4, b"ftyp", "MPEG-4 audio (m4a, AAC)"),
    (0, b"\xff\xf1", "AAC audio"),
    (0, b"\xff\xf9", "AAC audio"),
    (0, b"ADIF", "AAC audio"),
    (0, b"\x30\x26\xb2\x75", "Windows Media audio"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"#!AMR", "AMR audio"),
)


def _why_unreadable(source: Any, error: Exception) -> str:
    try:
        head, tail = _ends(source)
    except (OSError, ValueError) as failure:
        return f"it cannot be read ({failure})"
    if not head:
        return "the file is empty"
    for offset, magic, name in _NOT_DECODED:
        if head[offset:].startswith(magic):
            return f"it is {name}, which libsndfile does not decode; convert it to WAV, FLAC, OGG or MP3"
    if head[:4] == b"OggS" and _ogg_is_cut(tail):
        return "it is truncated: its last Ogg page is cut off"
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and head[22:24] == b"\0\0":
        return "it has no channels"
    if head[:4] in (b"RIFF", b"FORM", b"fLaC", b"OggS", b"caff", b"RF64", b"riff"):
        return "it is truncated or damaged: its header cannot be read"
    detail = getattr(error, "error_string", str(error)).strip().rstrip(".")
    return f"it is not audio in a format that libsndfile reads ({detail})"


# -- resampling --------------------------------------------------------------------------------------------------------


def _resampled(
    rate: float, blocks: Iterator[NDArray[np.float32]], sr: float, res_type: str
) -> Iterator[NDArray[np.float32]]:
    """Bring mono blocks from one rate to another; the length is librosa's, ``ceil(n * sr / rate)``."""
    blocks = _finite(blocks)
    if rate == sr:
        yield from blocks
        return
    ratio = float(sr) / rate
    if not 1e-4 <= ratio <= _FARTHEST:
        raise AudioError(f"its sampling rate of {rate:g} Hz is too far from the {sr:g} Hz asked for to be resampled")
    if not res_type.startswith("soxr"):
        import librosa

        whole = np.concatenate(list(blocks))
        yield np.ascontiguousarray(librosa.resample(whole, orig_sr=rate, target_sr=sr, res_type=res_type))
        return
    stream = soxr.ResampleStream(rate, sr, 1, dtype="float32", quality=res_type)
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        out = stream.resample_chunk(block)
        n_out += len(out)
        if len(out):
            yield out
    n_all = int(np.ceil(n_in * ratio))
    out = stream.resample_chunk(np.empty(0, np.float32), last=True)[: n_all - n_out]
    if len(out) < n_all - n_out:
        out = np.concatenate([out, np.zeros(n_all - n_out - len(out), np.float32)])
    if len(out):
        yield out


def _finite(blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        # One sum is cheaper than a test of every sample, and finite samples of sounds do not overflow it.
        if not np.isfinite(block.sum()) and not np.isfinite(block).all():
            raise AudioError("it contains NaN or infinity")
        yield block
