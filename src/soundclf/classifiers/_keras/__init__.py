"""Keras networks and their training: the only place that imports Keras, TensorFlow or scikeras."""

from ._backend import import_backend as import_backend
