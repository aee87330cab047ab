"""scikit-learn transformers over clips: forms of X, threads, cache, error policy."""

from .._utils.modules import set_public_module
from ._base import ClipTransformer as ClipTransformer
from ._base import detect_input_kind as detect_input_kind
from ._base import open_extractor as open_extractor
from ._log_mel import LogMelTransformer
from ._mfcc import MFCCMeanTransformer, MFCCStatisticsTransformer

__all__ = ["LogMelTransformer", "MFCCMeanTransformer", "MFCCStatisticsTransformer"]

set_public_module(__name__, LogMelTransformer, MFCCMeanTransformer, MFCCStatisticsTransformer)
