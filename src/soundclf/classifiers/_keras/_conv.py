"""Convolutional networks over spectra: their Keras layers, their augmentation and their loss in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._forward import BATCH_NORMALIZATION, EPSILON

__all__ = ["ConvArchitecture"]

_N_MASKS = 2  # of bands, and of frames, for each row


@dataclass(frozen=True)
class ConvArchitecture:
    """Hyperparameters of a compiled convolutional network; two fits with equal architectures share a graph.

    Blocks of a 3 x 3 convolution with stride 2, batch normalization and ReLU; the mean over bands; the sum of maximum
    and mean over time; a dense layer. ``band_mask`` and ``time_mask`` are fractions of the bands and frames.
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
        """Number of outputs per row that dropout may zero."""
        return self.channels[-1]

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights and of the running means and variances."""
        blocks = (
            (f"convolution_{i}/kernel", *(f"normalization_{i}/{name}" for name in BATCH_NORMALIZATION))
            for i in range(1, len(self.channels) + 1)
        )
        return (*(name for block in blocks for name in block), "classes/kernel", "classes/bias")

    n_random = 3 + 4 * _N_MASKS  # random numbers for the augmentation of a row

    def apply_layers(self, keras: Any, inputs: Any, activation: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``activation`` is that of the last one."""
        layers = keras.layers
        pooled = self._apply_trunk(keras, inputs, suffix)
        if self.dropout > 0:
            pooled = layers.Dropout(self.dropout, seed=0, dtype="float32", name=f"dropout{suffix}")(pooled)
        return layers.Dense(self.n_classes, activation=activation, dtype="float32", name=f"classes{suffix}")(pooled)

    def _apply_trunk(self, keras: Any, inputs: Any, suffix: str) -> Any:
        layers, kind = keras.layers, {"dtype": "float32"}
        order = {"data_format": "channels_last"}  # whatever the process-wide one is
        x = layers.Reshape((self.n_bands, -1, 1), **kind, name=f"picture{suffix}")(inputs)
        for i, channels in enumerate(self.channels, start=1):
            name = f"convolution_{i}{suffix}"
            x = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False, **order, **kind, name=name)(x)
            x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, **kind, name=f"normalization_{i}{suffix}")(x)
            x = layers.ReLU(**kind, name=f"relu_{i}{suffix}")(x)
        loudest = layers.GlobalMaxPooling1D(**order, **kind, name=f"loudest{suffix}")
        average = layers.GlobalAveragePooling1D(**order, **kind, name=f"average{suffix}")
        bands = keras.ops.mean(x, axis=1)
        return layers.Add(**kind, name=f"pooled{suffix}")([loudest(bands), average(bands)])

    def draw_augmentation(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Draw the random numbers of the augmentation, ``(n_rows, n_random)``, all from 0 to 1.

        The columns are: the weight of a row in mixup; the shift; an unused number, which keeps seeded fits the same as
        when there was a random gain; sizes and positions of the masks.
        """
        augmentation = generator.random((n_rows, self.n_random), dtype=np.float32)
        augmentation[:, 0] = 1.0
        if self.mixup > 0:
            weight = generator.beta(self.mixup, self.mixup, n_rows)
            augmentation[:, 0] = np.maximum(weight, 1 - weight)
        return augmentation

    def find_layers(self, keras: Any, model: Any) -> Any:
        """Return the layers of a model that :meth:`compute_logits` applies."""
        return keras.Model(model.inputs, model.get_layer("pooled").output), model.get_layer("classes")

    def compute_logits(self, tf: Any, layers: Any, X: Any, masks: Any, augmentation: Any) -> Any:
        """Compute the logits of a batch in training; ``masks`` are the factors of dropout, or None."""
        trunk, classes = layers
        hidden = trunk(self._augment(tf, X, augmentation), training=True)
        return classes(hidden if masks is None else hidden * masks)

    def compute_losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, augmentation: Any) -> Any:
        """Compute the weighted cross-entropy of every row; the target of a mixed row is the mixture of both targets."""
        smoothing = self.label_smoothing
        targets = tf.one_hot(y, self.n_classes) * (1 - smoothing) + smoothing / self.n_classes
        targets = self._mix(tf, targets * sample_weight[:, tf.newaxis], augmentation[:, 0])
        return -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=1)

    def _mix(self, tf: Any, values: Any, weight: Any) -> Any:
        """Mix each row with the one before it."""
        if not self.mixup:
            return values
        weight = tf.reshape(weight, [-1] + [1] * (len(values.shape) - 1))
        return weight * values + (1 - weight) * tf.roll(values, 1, axis=0)

    def _augment(self, tf: Any, X: Any, augmentation: Any) -> Any:
        """Shift, mask and mix spectra."""
        weight, shift, _, *masks = tf.unstack(augmentation, axis=1)
        n_frames = tf.shape(X)[2]
        if self.shift:
            first = tf.cast(shift * tf.cast(n_frames, tf.float32), tf.int32)
            X = tf.gather(X, (first[:, tf.newaxis] + tf.range(n_frames)) % n_frames, axis=2, batch_dims=1)
        for size, position in zip(masks[: 2 * _N_MASKS : 2], masks[1 : 2 * _N_MASKS : 2], strict=True):
            X *= self._make_mask(tf, self.n_bands, self.band_mask * size, position)[:, :, tf.newaxis]
        for size, position in zip(masks[2 * _N_MASKS :: 2], masks[2 * _N_MASKS + 1 :: 2], strict=True):
            X *= self._make_mask(tf, n_frames, self.time_mask * size, position)[:, tf.newaxis, :]
        return self._mix(tf, X, weight)

    @staticmethod
    def _make_mask(tf: Any, length: Any, size: Any, position: Any) -> Any:
        """Make factors ``(n_rows, length)`` that are 0 over a fraction ``size`` at a ``position`` from 0 to 1."""
        size = tf.floor(size * tf.cast(length, tf.float32))[:, tf.newaxis]
        first = tf.floor(position[:, tf.newaxis] * (tf.cast(length, tf.float32) - size + 1))
        indices = tf.cast(tf.range(length), tf.float32)
        return tf.cast((indices < first) | (indices >= first + size), tf.float32)
