"""Plots of clips, training histories, collections and long recordings, modeled on scikit-learn's displays.

A display is created from data or by a class method such as ``from_clip``. Its method ``plot(ax=None)`` draws it, stores
the matplotlib artists as attributes, and returns the display. matplotlib (the extra ``soundclf[plot]``) is imported by
the first call of ``plot``.
"""

from .._utils.modules import set_public_module
from ._classes import ClassBalanceDisplay
from ._history import TrainingHistoryDisplay
from ._player import ClipPlayer
from ._spectrogram import MFCCDisplay, SpectrogramDisplay
from ._timeline import TimelineDisplay
from ._waveform import WaveformDisplay

__all__ = [
    "ClassBalanceDisplay",
    "ClipPlayer",
    "MFCCDisplay",
    "SpectrogramDisplay",
    "TimelineDisplay",
    "TrainingHistoryDisplay",
    "WaveformDisplay",
]

set_public_module(
    __name__,
    ClassBalanceDisplay,
    ClipPlayer,
    MFCCDisplay,
    SpectrogramDisplay,
    TimelineDisplay,
    TrainingHistoryDisplay,
    WaveformDisplay,
)
