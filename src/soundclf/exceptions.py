"""What soundclf raises and warns about, beside the exceptions of Python and scikit-learn."""

from __future__ import annotations

from typing import Any

__all__ = ["AudioError", "AudioWarning", "DownloadError", "LeakWarning", "ModelError", "ModelWarning", "ParameterError"]

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


class AudioError(ValueError):
    """A clip that cannot be used.

    Parameters
    ----------
    reason : str
        Why, as the end of a sentence about the clip.
    clip : str, default=None
        The clip: its path, or what kind of object it is.
    position : int, default=None
        Where the clip stands in X, counted from 0.

    Attributes
    ----------
    reason, clip, position
        As given.

    Examples
    --------
    >>> from soundclf import AudioError
    >>> print(AudioError("there is no such file", "'bark.wav'", 3))
    Clip 3, 'bark.wav': there is no such file.
    """

    def __init__(self, reason: str, clip: str | None = None, position: int | None = None):
        super().__init__(reason, clip, position)
        self.reason = reason
        self.clip = clip
        self.position = position

    def __str__(self) -> str:
        where = "Clip" if self.position is None else f"Clip {self.position}"
        return f"{where}: {self.reason}." if self.clip is None else f"{where}, {self.clip}: {self.reason}."


class AudioWarning(UserWarning):
    """Clips that were passed over, or settings that leave part of a sound unheard."""


class LeakWarning(UserWarning):
    """A split that has clips of one recording on both sides, so that what it measures is too good."""


class DownloadError(OSError):
    """A data set that could not be fetched; nothing of it was kept."""


class ModelError(ValueError):
    """A model that cannot be saved, or a file that no model can be loaded from."""


class ModelWarning(UserWarning):
    """A model file that was written with other versions of what its predictions depend on."""


class ParameterError(ValueError, TypeError):
    """An estimator's parameter that is not among the allowed ones."""
