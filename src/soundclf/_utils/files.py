"""Files that exist completely or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["write_atomically"]

_LONGEST = 50  # characters of a name, up to 200 bytes: file systems take 255


@contextlib.contextmanager
def write_atomically(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Write to a hidden temporary file in the folder of the target, and rename it when it is complete.

    A symbolic link is preserved: the file that it points to is replaced. After a failure nothing remains; a killed
    process may leave the hidden file, ``.NUMBER.NAME``, whose suffix is that of the target.

    Parameters
    ----------
    target : str or path-like
        The file; an existing one is replaced.

    Yields
    ------
    Path
        The temporary file to write to; it must exist when the context ends.
    """
    final = Path(os.path.realpath(target))
    aside = final.with_name(f".{secrets.token_hex(4)}.{final.name[-_LONGEST:]}")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(final)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    with contextlib.suppress(OSError):  # not on every system, nor for every folder
        _sync_folder(final.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
