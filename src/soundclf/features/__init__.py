"""Samples -> numbers: pure functions on arrays, equal to librosa's to rounding.

librosa is the reference for every definition here.
"""

from .._utils.modules import set_public_module
from ._descriptors import DESCRIPTORS as DESCRIPTORS
from ._filters import FilterBank as FilterBank
from ._mel import compute_fixed_log_mel as compute_fixed_log_mel
from ._mel import log_mel, mel_filters
from ._mfcc import mfcc_mean, mfcc_statistics
from ._parameters import MEL_PARAMETERS as MEL_PARAMETERS
from ._parameters import MFCC_PARAMETERS as MFCC_PARAMETERS
from ._parameters import STATISTICS_PARAMETERS as STATISTICS_PARAMETERS
from ._parameters import check_mel_parameters as check_mel_parameters
from ._parameters import check_statistics_parameters as check_statistics_parameters
from ._parameters import get_filter_bank as get_filter_bank
from ._spectra import DB as DB
from ._spectra import TOP_DB as TOP_DB
from ._spectra import stream_log_mel as stream_log_mel
from ._spectra import stream_power as stream_power

__all__ = ["log_mel", "mel_filters", "mfcc_mean", "mfcc_statistics"]

set_public_module(__name__, log_mel, mel_filters, mfcc_mean, mfcc_statistics)
