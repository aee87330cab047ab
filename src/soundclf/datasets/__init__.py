"""Collections of labelled sounds."""

from ._synthetic import make_sounds

__all__ = ["make_sounds"]
