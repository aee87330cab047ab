"""Loaders of labeled sound collections.

Every loader returns a Bunch with paths in ``data``, labels in ``target``, the recording each clip was cut from in
``groups`` and, if the data set defines folds, ``fold`` and ``cv``.
"""

from .._utils.modules import set_public_module
from ._check import ClipCheck, check_clips
from ._esc50 import fetch_esc50, load_esc50
from ._folder import AUDIO_EXTENSIONS, load_audio_folder
from ._fsdd import fetch_fsdd, load_fsdd
from ._synthetic import make_sounds
from ._table import load_audio_table
from ._urbansound8k import fetch_urbansound8k, load_urbansound8k

__all__ = [
    "AUDIO_EXTENSIONS",
    "ClipCheck",
    "check_clips",
    "fetch_esc50",
    "fetch_fsdd",
    "fetch_urbansound8k",
    "load_audio_folder",
    "load_audio_table",
    "load_esc50",
    "load_fsdd",
    "load_urbansound8k",
    "make_sounds",
]

set_public_module(
    __name__,
    ClipCheck,
    check_clips,
    fetch_esc50,
    fetch_fsdd,
    fetch_urbansound8k,
    load_audio_folder,
    load_audio_table,
    load_esc50,
    load_fsdd,
    load_urbansound8k,
    make_sounds,
)
