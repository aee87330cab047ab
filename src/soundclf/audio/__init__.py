"""Clips in any form -> mono float32 samples at a rate: decoding, diagnosis of bad files, resampling, fingerprints."""

from .._utils.modules import set_public_module
from ._arrays import count_frames as count_frames
from ._arrays import stream_live_blocks as stream_live_blocks
from ._clips import Clip as Clip
from ._clips import get_versions as get_versions
from ._clips import load_channels as load_channels
from ._clips import load_clip, stream_clip
from ._clips import open_channels as open_channels
from ._clips import open_mono as open_mono
from ._describe import describe_clip as describe_clip
from ._files import check_path as check_path
from ._files import read_file_object as read_file_object
from ._fingerprints import Fingerprint as Fingerprint
from ._resampling import RES_TYPES as RES_TYPES
from ._resampling import check_res_type as check_res_type
from ._resampling import resample_blocks as resample_blocks

__all__ = ["load_clip", "stream_clip"]

set_public_module(__name__, load_clip, stream_clip)
