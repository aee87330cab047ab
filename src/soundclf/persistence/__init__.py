"""Model files that run no code and outlive library versions."""

from .._utils.modules import set_public_module
from ._persistence import describe, load, save

__all__ = ["describe", "load", "save"]

set_public_module(__name__, describe, load, save)
