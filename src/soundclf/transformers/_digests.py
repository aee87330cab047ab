"""Digests of clips, which identify them in a cache."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import check_path
from ..exceptions import AudioError

__all__ = ["FileDigests", "compute_digest", "get_file_version"]

_MOST_FILES = 1 << 16  # digests remembered: about 20 MB
_TICK = 100_000_000  # ns by which the clock that stamps files may be behind; Linux stamps them every 4 to 10 ms
_COARSE_TICK = 3_000_000_000  # ns, where times are whole seconds, as on FAT and HFS+

Version = tuple[int, int, int, int]


class FileDigests:
    """SHA-256 digests of whole files, remembered in this process.

    A digest is used again for the same absolute path while the file's modification time, change time, size and inode
    are the same. It is remembered only if these did not change while the file was read, and if both times were then at
    least 0.1 s in the past (3 s if the modification time is a whole number of seconds, as some file systems store it):
    any later change then changes one of them. Beyond ``n_most`` files, the least recently used digest is dropped. An
    object can be shared between threads.

    Parameters
    ----------
    n_most : int, default=65536
        Number of digests to remember.
    """

    def __init__(self, n_most: int = _MOST_FILES):
        self._n_most = n_most
        self._digests: OrderedDict[str, tuple[Version, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def compute(self, path: Path) -> bytes:
        """Compute the digest of a file, or return the one remembered."""
        name = os.path.abspath(path)  # noqa: PTH100 - without resolving links, which may change
        version = get_file_version(path)
        with self._lock:
            if version is not None and name in self._digests and self._digests[name][0] == version:
                self._digests.move_to_end(name)
                return self._digests[name][1]
        start = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if version is not None and version == get_file_version(path) and _is_settled(version, start):
            with self._lock:
                self._digests[name] = version, digest
                self._digests.move_to_end(name)
                while len(self._digests) > self._n_most:
                    self._digests.popitem(last=False)
        return digest

    def reset_lock(self) -> None:
        """Replace the lock, in the child of a fork: a thread that held it does not exist there."""
        self._lock = threading.Lock()


def _is_settled(version: Version, now: int) -> bool:
    """Check that any change from now on changes the times of a file."""
    modified, changed = version[:2]
    tick = _TICK if modified % 1_000_000_000 else _COARSE_TICK
    return max(modified, changed) <= now - tick


_files = FileDigests()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_files.reset_lock)


def get_file_version(clip: Any) -> Version | None:
    """Return modification time, change time, size and inode of a file; None if the clip is not a file."""
    if not isinstance(clip, str | os.PathLike):
        return None
    try:
        status = Path(clip).stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def compute_digest(clip: Any) -> bytes | None:
    """Compute a digest of the content of a clip in any form; None if it cannot be used."""
    try:
        if isinstance(clip, str | os.PathLike):
            # If the content does not determine the format, libsndfile uses the suffix of the file.
            path = Path(check_path(clip))
            if path.suffix.lower() == ".sd2":  # whose sampling rate is in another file
                return None
            return b"file" + path.suffix.lower().encode() + _files.compute(path)
        if isinstance(clip, np.ndarray):
            return _compute_sample_digest(clip)
        if isinstance(clip, tuple):
            samples, rate = clip
            return _compute_sample_digest(np.asarray(samples)) + repr(float(rate)).encode()
        if isinstance(clip, np.bytes_) or not isinstance(clip, bytes | bytearray | memoryview):
            return None
        return b"file" + hashlib.sha256(clip).digest()
    except (AudioError, AttributeError, BufferError, OSError, OverflowError, TypeError, ValueError):
        return None


def _compute_sample_digest(samples: np.ndarray) -> bytes:
    if samples.dtype.kind != "f":
        raise TypeError("samples are floats")
    form = f"samples{samples.dtype.str}{samples.shape}".encode()
    return form + hashlib.sha256(np.ascontiguousarray(samples).data).digest()
