"""scikit-learn classifiers whose networks Keras trains and NumPy evaluates."""

from .._utils.modules import set_public_module
from ._base import NeuralClassifier as NeuralClassifier
from ._conv import ConvAudioClassifier
from ._dense import DenseAudioClassifier
from ._keras import import_backend as import_backend

__all__ = ["ConvAudioClassifier", "DenseAudioClassifier"]

set_public_module(__name__, ConvAudioClassifier, DenseAudioClassifier)
