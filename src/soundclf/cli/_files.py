"""Files that the command writes, and names that it shows."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from .._utils.text import escape_controls

__all__ = ["check_output", "escape_lines", "format_json"]


def escape_lines(text: str) -> str:
    """Give several lines that a terminal shows and does not obey."""
    return "\n".join(map(escape_controls, text.split("\n")))


def format_json(value: Any, *, indent: int | None = None) -> str:
    """Give JSON that every parser takes: in ASCII, and with null for numbers that are not finite."""
    return json.dumps(_strict(value), allow_nan=False, indent=indent)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _strict(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        return _strict(value.tolist())
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_output(path: str, endings: Sequence[str], option: str = "--out") -> Path:
    """Find out before the work whether a file can be written when it is done."""
    target = Path(path)
    if target.suffix.lower() not in endings:
        raise typer.BadParameter(f"{path!r} must end in {' or '.join(endings)}.", param_hint=f"'{option}'")
    folder = Path(os.path.realpath(target)).parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path!r} cannot be written: {str(folder)!r} is not a folder")
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{path!r} cannot be written: it is there, and not a regular file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{path!r} cannot be written: {error.strerror} in {str(folder)!r}") from error
    return target
