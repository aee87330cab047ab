"""Clips in words, for messages."""

from __future__ import annotations

from typing import Any

__all__ = ["describe_clip", "make_form_error"]

_MAX_LENGTH = 120  # characters of a clip's description in a message


def describe_clip(clip: Any) -> str:
    """Describe a clip in a few words: its path, or its type and size."""
    if isinstance(clip, bytes | bytearray | memoryview):
        return f"{len(clip)} encoded bytes"
    if isinstance(clip, tuple) and len(clip) == 2:
        return f"({describe_clip(clip[0])}, {clip[1]!r})"
    if hasattr(clip, "shape") and hasattr(clip, "dtype"):
        return f"array of shape {clip.shape} and type {clip.dtype}"
    name = getattr(clip, "name", None)
    text = repr(name) if isinstance(name, str) and hasattr(clip, "read") else repr(_convert_path(clip))
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def _convert_path(clip: Any) -> Any:
    return str(clip) if hasattr(clip, "__fspath__") else clip


def make_form_error(clip: Any) -> TypeError:
    """Make the error for an object that is not a clip in any form."""
    return TypeError(
        "a clip must be a path, encoded bytes, a seekable binary file object, a 1-D float array or an (array, sr) "
        f"tuple, got {type(clip).__name__}"
    )
