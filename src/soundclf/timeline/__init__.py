"""Long recordings: windows -> probabilities over time -> labeled segments."""

from .._utils.modules import set_public_module
from ._prediction import Window, predict_stream, predict_timeline
from ._segments import Segment
from ._timeline import Timeline

__all__ = ["Segment", "Timeline", "Window", "predict_stream", "predict_timeline"]

set_public_module(__name__, Segment, Timeline, Window, predict_stream, predict_timeline)
