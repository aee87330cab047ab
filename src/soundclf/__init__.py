"""Classify sounds with scikit-learn: from audio files to a trained, evaluated, saved and served classifier.

>>> from sklearn.pipeline import make_pipeline
>>> from soundclf import DenseAudioClassifier, MFCCMeanTransformer
>>> clf = make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier())

Importing soundclf loads neither TensorFlow, Keras, scikeras nor librosa.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import evaluation as evaluation
    from . import features as features
    from . import persistence as persistence
    from . import plotting as plotting
    from . import timeline as timeline
    from .audio import load_clip as load_clip
    from .audio import stream_clip as stream_clip
    from .classifiers import ConvAudioClassifier as ConvAudioClassifier
    from .classifiers import DenseAudioClassifier as DenseAudioClassifier
    from .exceptions import AudioError as AudioError
    from .exceptions import AudioWarning as AudioWarning
    from .exceptions import DownloadError as DownloadError
    from .exceptions import FeatureDriftWarning as FeatureDriftWarning
    from .exceptions import LeakWarning as LeakWarning
    from .exceptions import ModelError as ModelError
    from .exceptions import ModelWarning as ModelWarning
    from .exceptions import ParameterError as ParameterError
    from .persistence import load as load
    from .persistence import save as save
    from .presets import make_classifier as make_classifier
    from .timeline import predict_stream as predict_stream
    from .timeline import predict_timeline as predict_timeline
    from .transformers import LogMelTransformer as LogMelTransformer
    from .transformers import MFCCMeanTransformer as MFCCMeanTransformer
    from .transformers import MFCCStatisticsTransformer as MFCCStatisticsTransformer

_HOMES = {
    "AudioError": "exceptions",
    "AudioWarning": "exceptions",
    "ConvAudioClassifier": "classifiers",
    "DenseAudioClassifier": "classifiers",
    "DownloadError": "exceptions",
    "FeatureDriftWarning": "exceptions",
    "LeakWarning": "exceptions",
    "LogMelTransformer": "transformers",
    "MFCCMeanTransformer": "transformers",
    "MFCCStatisticsTransformer": "transformers",
    "ModelError": "exceptions",
    "ModelWarning": "exceptions",
    "ParameterError": "exceptions",
    "load": "persistence",
    "load_clip": "audio",
    "make_classifier": "presets",
    "predict_stream": "timeline",
    "predict_timeline": "timeline",
    "save": "persistence",
    "stream_clip": "audio",
}
_MODULES = ("datasets", "evaluation", "features", "persistence", "plotting", "timeline")

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in _MODULES:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({name for name in globals() if name.startswith("__")} | {*__all__})
