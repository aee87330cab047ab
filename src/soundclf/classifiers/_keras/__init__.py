"""Keras graphs and how they are trained: the only place that imports Keras, TensorFlow or scikeras."""

from ._networks import import_backend as import_backend
