"""Output files, JSON, and text for terminals."""

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
    """Escape control characters, except line breaks."""
    return "\n".join(map(escape_controls, text.split("\n")))


def format_json(value: Any, *, indent: int | None = None) -> str:
    """Return strict JSON: ASCII, with null for numbers that are not finite."""
    return json.dumps(_replace_nonfinite(value), allow_nan=False, indent=indent)


def _replace_nonfinite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _replace_nonfinite(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        return _replace_nonfinite(value.tolist())
    if isinstance(value, list | tuple):
        return [_replace_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_output(path: str, endings: Sequence[str], option: str = "--out") -> Path:
    """Check before the work that a file can be written after it."""
    target = Path(path)
    if target.suffix.lower() not in endings:
        raise typer.BadParameter(f"{path!r} must end in {' or '.join(endings)}.", param_hint=f"'{option}'")
    folder = Path(os.path.realpath(target)).parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path!r} cannot be written: {str(folder)!r} is not a folder")
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{path!r} cannot be written: it exists and is not a regular file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{path!r} cannot be written: {error.strerror} in {str(folder)!r}") from error
    return target
