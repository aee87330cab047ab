"""Convolutional networks over spectra: their Keras layers, how they are trained, and their forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ConvArchitecture", "compute_conv_probabilities"]

_ROWS = 4  # at a time
_EPSILON = 1e-3  # Keras' in batch normalisation
_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")  # variables of a layer
_MASKS = 2  # of either kind for each row


@dataclass(frozen=True)
class ConvArchitecture:
    """What a compiled convolutional network is made from; two fits with equal ones share a graph.

    Blocks of a 3 x 3 convolution at every second band and frame, batch normalisation and ReLU; the mean over bands; the
    sum of maximum and mean over time; a dense layer. Masks are shares of the bands and frames.
    """

    n_bands: int
    channels: tuple[int, ...]
    n_classes: int
    dropout: float
    shift: bool
    band_mask: float
    time_mask: float
    mixup: float
    label_smoothing: float
    optimizer: Any

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of a row."""
        return (self.n_bands, None)

    @property
    def n_masked(self) -> int:
        """Outputs of a row that dropout decides on."""
        return self.channels[-1]

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights and of the running means and variances."""
        blocks = (
            (f"convolution_{i}/kernel", *(f"normalization_{i}/{name}" for name in _NORMALIZATION))
            for i in range(1, len(self.channels) + 1)
        )
        return (*(name for block in blocks for name in block), "classes/kernel", "classes/bias")

    n_varied = 3 + 4 * _MASKS  # numbers drawn for each row in every epoch

    def connect(self, keras: Any, inputs: Any, top: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``top`` is the last one's activation."""
        layers = keras.layers
        pooled = self._pooled(keras, inputs, suffix)
        if self.dropout > 0:
            pooled = layers.Dropout(self.dropout, seed=0, dtype="float32", name=f"dropout{suffix}")(pooled)
        return layers.Dense(self.n_classes, activation=top, dtype="float32", name=f"classes{suffix}")(pooled)

    def _pooled(self, keras: Any, inputs: Any, suffix: str) -> Any:
        layers, kind = keras.layers, {"dtype": "float32"}
        order = {"data_format": "channels_last"}  # whatever the process-wide one is
        x = layers.Reshape((self.n_bands, -1, 1), **kind, name=f"picture{suffix}")(inputs)
        for i, channels in enumerate(self.channels, start=1):
            name = f"convolution_{i}{suffix}"
            x = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False, **order, **kind, name=name)(x)
            x = layers.BatchNormalization(momentum=0.9, epsilon=_EPSILON, **kind, name=f"normalization_{i}{suffix}")(x)
            x = layers.ReLU(**kind, name=f"relu_{i}{suffix}")(x)
        loudest = layers.GlobalMaxPooling1D(**order, **kind, name=f"loudest{suffix}")
        average = layers.GlobalAveragePooling1D(**order, **kind, name=f"average{suffix}")
        bands = keras.ops.mean(x, axis=1)
        return layers.Add(**kind, name=f"pooled{suffix}")([loudest(bands), average(bands)])

    def vary(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Draw what training varies rows by, ``(n_rows, n_varied)``, all from 0 to 1.

        What is left of a row that is mixed with another; the shift; a number that is not used, so that
        seeded fits stay the same as when there was a random gain; sizes and places of masks.
        """
        varied = generator.random((n_rows, self.n_varied), dtype=np.float32)
        varied[:, 0] = 1.0
        if self.mixup > 0:
            share = generator.beta(self.mixup, self.mixup, n_rows)
            varied[:, 0] = np.maximum(share, 1 - share)
        return varied

    def parts(self, keras: Any, model: Any) -> Any:
        """Give what :meth:`logits` needs of a model."""
        return keras.Model(model.inputs, model.get_layer("pooled").output), model.get_layer("classes")

    def logits(self, tf: Any, parts: Any, X: Any, masks: Any, varied: Any) -> Any:
        """Compute what a batch's loss is computed from, in training; ``masks`` are the factors of dropout, or None."""
        trunk, classes = parts
        hidden = trunk(self._varied(tf, X, varied), training=True)
        return classes(hidden if masks is None else hidden * masks)

    def losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, varied: Any) -> Any:
        """Compute the weighted cross-entropy of every row; a mixed one counts for both of its classes."""
        smoothing = self.label_smoothing
        targets = tf.one_hot(y, self.n_classes) * (1 - smoothing) + smoothing / self.n_classes
        targets = self._mixed(tf, targets * sample_weight[:, tf.newaxis], varied[:, 0])
        return -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=1)

    def _mixed(self, tf: Any, values: Any, share: Any) -> Any:
        """Mix each row with the one before it."""
        if not self.mixup:
            return values
        share = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return share * values + (1 - share) * tf.roll(values, 1, axis=0)

    def _varied(self, tf: Any, X: Any, varied: Any) -> Any:
        """Shift, mask and mix spectra."""
        share, shift, _, *masks = tf.unstack(varied, axis=1)
        n_frames = tf.shape(X)[2]
        if self.shift:
            first = tf.cast(shift * tf.cast(n_frames, tf.float32), tf.int32)
            X = tf.gather(X, (first[:, tf.newaxis] + tf.range(n_frames)) % n_frames, axis=2, batch_dims=1)
        for size, place in zip(masks[: 2 * _MASKS : 2], masks[1 : 2 * _MASKS : 2], strict=True):
            X *= self._mask(tf, self.n_bands, self.band_mask * size, place)[:, :, tf.newaxis]
        for size, place in zip(masks[2 * _MASKS :: 2], masks[2 * _MASKS + 1 :: 2], strict=True):
            X *= self._mask(tf, n_frames, self.time_mask * size, place)[:, tf.newaxis, :]
        return self._mixed(tf, X, share)

    @staticmethod
    def _mask(tf: Any, length: Any, size: Any, place: Any) -> Any:
        """Give factors ``(n_rows, length)`` that are 0 over a share ``size``, whose ``place`` is from 0 to 1."""
        size = tf.floor(size * tf.cast(length, tf.float32))[:, tf.newaxis]
        first = tf.floor(place[:, tf.newaxis] * (tf.cast(length, tf.float32) - size + 1))
        positions = tf.cast(tf.range(length), tf.float32)
        return tf.cast((positions < first) | (positions >= first + size), tf.float32)


def compute_conv_probabilities(
    X: NDArray[np.float32], weights: Mapping[str, NDArray[np.float32]], n_blocks: int
) -> NDArray[np.float64]:
    """Give the class probabilities of convolutional networks, averaged over the networks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_bands, n_frames), float32
        Standardised spectra.
    weights : mapping of str to ndarray
        Weights of the networks by name, such as ``convolution_1/kernel``, with the networks as first axis.
    n_blocks : int
        Blocks of convolution, normalisation and ReLU.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), float64
        Rows sum to 1.
    """
    top, bias = weights["classes/kernel"], weights["classes/bias"]
    n_networks = len(top)
    names = [
        (f"convolution_{k}/kernel", *(f"normalization_{k}/{name}" for name in _NORMALIZATION))
        for k in range(1, n_blocks + 1)
    ]
    probabilities = np.zeros((len(X), bias.shape[1]))
    for i in range(n_networks):
        blocks = [_folded(*(weights[name][i] for name in block)) for block in names]
        for start in range(0, len(X), _ROWS):
            x = X[start : start + _ROWS, :, :, np.newaxis]
            for kernel, offset in blocks:
                x = _block(x, kernel, offset)
            bands = x.mean(axis=1, dtype=np.float64)
            logits = (bands.max(axis=1) + bands.mean(axis=1)) @ top[i] + bias[i]
            exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities[start : start + _ROWS] += exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities / n_networks


def _folded(
    kernel: np.ndarray, scale: np.ndarray, offset: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put the normalisation into kernel and bias of the convolution before it."""
    factor = scale / np.sqrt(variance + np.float32(_EPSILON))
    return kernel * factor, offset - mean * factor


def _block(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve ``(n, bands, frames, channels)`` at every second band and frame, and take the maximum with 0."""
    n, bands, frames, channels = x.shape
    height, width = -(-bands // 2), -(-frames // 2)
    # Keras pads an odd number on both sides, an even one at its end alone.
    padded = np.pad(x, ((0, 0), (bands % 2, 1), (frames % 2, 1), (0, 0)))
    seen = np.empty((n, height, width, 3, 3, channels), np.float32)
    for i in range(3):
        for j in range(3):
            seen[:, :, :, i, j] = padded[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
    out = seen.reshape(n * height * width, -1) @ kernel.reshape(-1, kernel.shape[3])
    out += bias
    return np.maximum(out, 0, out=out).reshape(n, height, width, -1)
