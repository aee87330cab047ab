"""Cache of features, keyed by the content of clips.

One SQLite file holds tens of thousands of small rows, can be read and written by several threads and processes at once,
and stays intact if a process is killed while it writes. Its rows are bytes that become float32 numbers: nothing is
unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import DIRECTORY, NONE, Rule
from ..audio import read_file_object
from ..exceptions import AudioError
from ._digests import compute_digest, get_file_version
from ._extraction import SaveFingerprint

__all__ = ["MEMORY_RULES", "FeatureCache", "get_cache_directory"]

MEMORY_RULES = (
    NONE,
    DIRECTORY,
    Rule("a joblib.Memory", lambda v: hasattr(v, "location") and hasattr(v, "cache")),
)

_FILE = "soundclf-features.sqlite"
_TIMEOUT = 60  # seconds to wait for another process that is writing
_LIMIT = 4 << 30  # bytes of a file's used pages above which rows are deleted when a cache is closed
_TARGET = 3 << 30  # bytes that remain then
_BATCH = 1000  # rows deleted in a transaction, so that other processes do not wait long
_REFRESH = 24 * 3600  # seconds after which a row that is read is marked as used again
_CHECK = 8  # bytes of checksum after every row
# Threads with the same clip take turns, so that the second one finds the row that the first one saved. Different clips
# may share a lock, which costs little: there are many more locks than threads.
_clip_locks = [threading.Lock() for _ in range(1024)]


def _after_fork() -> None:
    _clip_locks[:] = [threading.Lock() for _ in _clip_locks]  # threads that held one do not exist in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def get_cache_directory(memory: Any) -> Path | None:
    """Return the folder of a ``memory`` parameter; None if there is none."""
    location = memory if memory is None or isinstance(memory, str | os.PathLike) else memory.location
    return None if location is None else Path(location).absolute()


class FeatureCache:
    """Function from clips to rows of features that saves its results in a file.

    If the file cannot be used, because it is damaged or locked or the disk is full, a warning is issued and rows are
    computed without it. When a cache is closed and its file holds more than 4 GiB, the least recently used rows are
    deleted until 3 GiB remain. Times of use are updated once a day. The file does not shrink; its space is reused.

    A clip is identified by a digest of its content. Digests of files are remembered by the rule of
    :class:`FileDigests`: for the same absolute path, while modification time, change time, size and inode are the same.
    A row is saved only if these did not change while the clip was looked up and extracted.

    Parameters
    ----------
    extract : callable
        ``extract(clip, save_fingerprint)``, as :func:`extract_clip`: from a clip to its row.
    settings : mapping
        Everything besides the clip that a row depends on. The version of soundclf is not part of it, so that rows whose
        numbers do not change stay valid after a release.
    shape : tuple of int
        Shape of a clip's features.
    folder : Path
        Folder of the file; created if it does not exist.

    Raises
    ------
    OSError
        If the folder cannot be created.
    """

    def __init__(
        self,
        extract: Callable[..., NDArray[np.float32]],
        settings: Mapping[str, Any],
        shape: tuple[int, ...],
        folder: Path,
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"memory={str(folder)!r} cannot be used as a folder ({error.strerror})") from error
        self._extract = extract
        self._settings = json.dumps(dict(settings), sort_keys=True).encode()
        self._shape = shape
        self._n_bytes = 4 * math.prod(shape) + _CHECK
        self._path = folder / _FILE
        self._connect()

    def _connect(self) -> None:
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._can_write = True
        with self._report_database_errors():
            database = sqlite3.connect(self._path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)
            self._database = database
            with contextlib.suppress(sqlite3.OperationalError):  # another process may be doing this
                database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers
            database.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last rows, never the file
            database.execute(
                "CREATE TABLE IF NOT EXISTS features "
                "(clip BLOB PRIMARY KEY, row BLOB, used INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
            )
            if not database.execute("SELECT 1 FROM pragma_table_info('features') WHERE name = 'used'").fetchone():
                with contextlib.suppress(sqlite3.OperationalError):  # another process may have done this
                    database.execute("ALTER TABLE features ADD COLUMN used INTEGER NOT NULL DEFAULT 0")
            database.execute("CREATE INDEX IF NOT EXISTS features_by_use ON features (used)")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_database", "_can_write")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connect()  # a connection cannot be shared between processes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._database is not None:
                with contextlib.suppress(sqlite3.Error):  # another process is writing; rows are deleted another time
                    self._database.execute("PRAGMA busy_timeout = 0")
                    _delete_unused_rows(self._database)
            self._close()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    @contextlib.contextmanager
    def _report_database_errors(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if writing:
                self._can_write = False  # rows can still be read from a full disk
            else:
                self._close()
            advice = "" if isinstance(error, sqlite3.OperationalError) else "; if it is damaged, delete it"
            lack = "features computed from now on are not saved" if writing else "features are computed without it"
            warnings.warn(
                f"the feature cache {str(self._path)!r} cannot be used ({error}), so {lack}{advice}",
                RuntimeWarning,
                stacklevel=2,
            )

    def __call__(self, clip: Any, save_fingerprint: SaveFingerprint | None = None) -> NDArray[np.float32]:
        """Return the saved row of a clip, or compute and save the row, and its fingerprint if asked to."""
        before = get_file_version(clip)
        source = _read_clip(clip)
        digest = compute_digest(source)
        if digest is None:  # not a usable clip; the extraction raises the reason
            return self._extract(clip, save_fingerprint)
        key = hashlib.sha256(digest + self._settings).digest()
        with _clip_locks[int.from_bytes(key[:4], "little") % len(_clip_locks)]:
            row = self._load_row(key)
            if row is None:
                row = self._extract_row(clip, source, save_fingerprint)
                if get_file_version(clip) == before:  # else the row may be of other content
                    self._save_row(key, row)
            return row

    def _extract_row(self, clip: Any, source: Any, save_fingerprint: SaveFingerprint | None) -> NDArray[np.float32]:
        try:
            return self._extract(source, save_fingerprint)
        except AudioError:
            if source is clip:
                raise
            return self._extract(clip)  # so that the error names the clip

    def _load_row(self, key: bytes) -> NDArray[np.float32] | None:
        with self._lock, self._report_database_errors():
            if self._database is not None:
                query = "SELECT row, used FROM features WHERE clip = ?"
                found = self._database.execute(query, (key,)).fetchone()
                if found and isinstance(found[0], bytes) and len(found[0]) == self._n_bytes:
                    row, check = found[0][:-_CHECK], found[0][-_CHECK:]
                    if check == _checksum(key, row):
                        self._update_use(key, found[1])
                        return np.frombuffer(row, "<f4").astype(np.float32).reshape(self._shape)
        return None

    def _update_use(self, key: bytes, used: Any) -> None:
        now = int(time.time())
        if self._database is not None and not (isinstance(used, int) and now - _REFRESH < used <= now):
            with contextlib.suppress(sqlite3.OperationalError):  # a full disk or a read-only file can still be read
                self._database.execute("UPDATE features SET used = ? WHERE clip = ?", (now, key))

    def _save_row(self, key: bytes, features: NDArray[np.float32]) -> None:
        row = features.astype("<f4").tobytes()
        with self._lock, self._report_database_errors(writing=True):
            if self._database is not None and self._can_write:
                values = (key, row + _checksum(key, row), int(time.time()))
                self._database.execute("INSERT OR REPLACE INTO features (clip, row, used) VALUES (?, ?, ?)", values)


def _delete_unused_rows(database: sqlite3.Connection) -> None:
    """Delete the least recently used rows if the file holds more than its limit."""
    (n_pages,), (n_free,), (page_size,) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    size = (n_pages - n_free) * page_size
    if size <= _LIMIT:
        return
    (n_rows,) = database.execute("SELECT COUNT(*) FROM features").fetchone()
    n_left = math.ceil(n_rows * (size - _TARGET) / size)
    while n_left > 0:
        query = "DELETE FROM features WHERE clip IN (SELECT clip FROM features ORDER BY used LIMIT ?)"
        database.execute(query, (min(n_left, _BATCH),))
        n_left -= _BATCH


def _read_clip(clip: Any) -> Any:
    """Read a file object, so that lookup and extraction use the same bytes."""
    if hasattr(clip, "read") and hasattr(clip, "seek"):
        try:
            return read_file_object(clip)
        except (AudioError, TypeError):
            return clip  # the extraction raises the reason
    return clip


def _checksum(key: bytes, row: bytes) -> bytes:
    return hashlib.blake2b(row, digest_size=_CHECK, key=key).digest()
