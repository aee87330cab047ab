"""Clips that are files or encoded bytes -> blocks of samples: soundfile decodes."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..exceptions import AudioError
from ._arrays import BLOCK, Conversion, count_frames
from ._describe import make_form_error
from ._headers import EncodedBytes, explain_unreadable, find_shortfall, repair_stream_length

__all__ = ["check_path", "get_decoder_version", "open_file", "read_file_object"]

_reader_lock = threading.Lock()


def get_decoder_version() -> str:
    """Return the name and version of the decoder, on which samples depend in their last digits."""
    return f"libsndfile {getattr(soundfile, '__libsndfile_version__', soundfile.__version__)}"


def check_path(clip: str | os.PathLike[str]) -> str:
    """Check that a path leads to a regular file.

    Parameters
    ----------
    clip : str or path-like
        The path.

    Returns
    -------
    str
        The path, in a form that libsndfile takes for a file.

    Raises
    ------
    AudioError
        If there is no such file, or it is not a regular one.
    TypeError
        For a path in bytes.
    """
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
    if not stat.S_ISREG(mode):  # reading a pipe or a device may never end
        raise AudioError("it is not a regular file")
    return os.path.join(".", path) if path == "-" else path  # noqa: PTH118 - libsndfile takes "-" for standard input


def read_file_object(file: Any) -> bytes:
    """Read a seekable file object from its start to its current end.

    Parameters
    ----------
    file : binary file object
        Left at its end.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    AudioError
        If it is in text mode, or cannot be rewound and read.
    TypeError
        If ``read`` returns something else.
    """
    try:
        with _reader_lock:  # the same object may be in X twice
            start = file.read(0)
            if isinstance(start, str):
                raise AudioError("the file object was opened as text; open it with mode 'rb'")
            if not isinstance(start, bytes):
                raise make_form_error(file)
            file.seek(0, os.SEEK_END)
            size = file.tell()  # and no further: reading a device may never end
            file.seek(0)
            return b"".join(iter(lambda: file.read(size), b""))
    except AudioError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise AudioError(f"the file object cannot be rewound and read ({error})") from error


class _ForwardFile(soundfile.SoundFile):
    """A file that is read once, from start to end.

    In a seekable file soundfile seeks after every block to where the block ended. That changes the samples that follow
    in MP3 and Opus, and fails in streamed FLAC.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def open_file(
    source: str | EncodedBytes, duration: float | None, convert: Conversion
) -> Iterator[tuple[float, Iterator[NDArray[np.float32]]]]:
    """Open a path or encoded bytes: their sampling rate, and their blocks."""
    try:
        # libsndfile takes a name in bytes, which need not be valid UTF-8, except on Windows.
        file = _ForwardFile(os.fsencode(source) if isinstance(source, str) and os.name != "nt" else source)
    except TypeError:  # soundfile's answer to this suffix
        raise AudioError(
            "its name ends in .raw, which stands for samples without a header; read them with numpy.fromfile and pass "
            "(array, sr)"
        ) from None
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(explain_unreadable(source, error)) from error
    with file:
        repaired = None if file.frames else repair_stream_length(source)
        if repaired is None:
            yield float(file.samplerate), _decode(file, source, duration, convert)
        else:
            with open_file(repaired, duration, convert) as opened:
                yield opened


def _decode(
    file: _ForwardFile, source: str | EncodedBytes, duration: float | None, convert: Conversion
) -> Iterator[NDArray[np.float32]]:
    """Decode a file block by block at its own rate.

    16-bit samples are decoded as integers and scaled while they are mixed down: the same numbers as decoding to floats
    at a fraction of the cost.
    """
    as_integers = file.subtype == "PCM_16" and file.format != "SDS"  # SDS files have more bits than the subtype says
    n_requested = count_frames(duration, file.samplerate)
    buffer = np.empty((min(BLOCK, n_requested), file.channels), np.int16 if as_integers else np.float32)
    n_read = 0
    while n_read < n_requested:
        n_next = min(len(buffer), n_requested - n_read)
        try:
            frames = file.read(out=buffer[:n_next])
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(f"it is truncated or damaged after {n_read / file.samplerate:.3f} s") from error
        n_read += len(frames)
        if len(frames):
            yield convert(frames)
        if len(frames) < n_next:
            shortfall = find_shortfall(file, source, n_read)
            if shortfall:
                raise AudioError(f"it is truncated: {shortfall}")
            break
    if not n_read:
        raise AudioError("it holds no samples")
