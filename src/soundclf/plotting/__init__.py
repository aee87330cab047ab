"""Pictures of clips, of training, of collections and of long recordings, after scikit-learn's displays.

A display takes data, or makes it with a class method such as ``from_clip``; ``plot(ax=None)`` draws it and returns the
display, whose attributes are then what was drawn. matplotlib, which the extra ``soundclf[plot]`` brings, is imported by
the first ``plot``.
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
