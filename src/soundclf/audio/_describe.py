"""Clips in words, for messages."""

from __future__ import annotations

from typing import Any

__all__ = ["describe_clip"]

_SHOWN = 120  # characters of a clip's description in a message


def describe_clip(clip: Any) -> str:
    """Name a clip in a few words: its path, or its type and size."""
    if isinstance(clip, bytes | bytearray | memoryview):
        return f"{len(clip)} encoded bytes"
    if isinstance(clip, tuple) and len(clip) == 2:
        return f"({describe_clip(clip[0])}, {clip[1]!r})"
    if hasattr(clip, "shape") and hasattr(clip, "dtype"):
        return f"array of shape {clip.shape} and type {clip.dtype}"
    name = getattr(clip, "name", None)
    text = repr(name) if isinstance(name, str) and hasattr(clip, "read") else repr(_plain(clip))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain(clip: Any) -> Any:
    return str(clip) if hasattr(clip, "__fspath__") else clip
