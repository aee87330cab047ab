"""Files that are there as a whole or not at all."""

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
    """Give a hidden file beside the target to write to, and move it into its place when it is complete.

    A link stays one: what it points to is replaced. After a failure nothing is left; a killed process may leave the
    hidden file, ``.NUMBER.NAME`` or the end of a long name, whose ending is the target's and may tell a format.
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
        _synchronise(final.parent)


def _synchronise(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
