"""Dense networks: their Keras layers and their loss in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DenseArchitecture"]


@dataclass(frozen=True)
class DenseArchitecture:
    """Hyperparameters of a compiled dense network; two fits with equal architectures share a graph.

    ``optimizer`` is the name of a Keras optimizer, or an optimizer object, which is never shared.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_classes: int
    activation: str
    dropout: float
    optimizer: Any

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of a row."""
        return (self.n_features,)

    @property
    def n_masked(self) -> int:
        """Number of outputs per row that dropout may zero."""
        return sum(self.hidden_layer_sizes)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights."""
        layers = (*(f"hidden_{i + 1}" for i in range(len(self.hidden_layer_sizes))), "classes")
        return tuple(f"{layer}/{name}" for layer in layers for name in ("kernel", "bias"))

    n_random = 0  # random numbers for the augmentation of a row

    def apply_layers(self, keras: Any, inputs: Any, activation: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``activation`` is that of the last one."""
        hidden = inputs
        for i, size in enumerate(self.hidden_layer_sizes):
            hidden = keras.layers.Dense(
                size,
                activation=self.activation,
                dtype="float32",  # whatever the process-wide policy is
                name=f"hidden_{i + 1}{suffix}",
            )(hidden)
            if self.dropout > 0:
                dropout = keras.layers.Dropout(self.dropout, seed=i, dtype="float32", name=f"dropout_{i + 1}{suffix}")
                hidden = dropout(hidden)
        return keras.layers.Dense(self.n_classes, activation=activation, dtype="float32", name=f"classes{suffix}")(
            hidden
        )

    def draw_augmentation(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Draw the random numbers of the augmentation, ``(n_rows, n_random)``: none."""
        return np.empty((n_rows, 0), np.float32)

    def find_layers(self, keras: Any, model: Any) -> Any:
        """Return the layers of a model that :meth:`compute_logits` applies."""
        return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]

    def compute_logits(self, tf: Any, layers: Any, X: Any, masks: Any, augmentation: Any) -> Any:
        """Compute the logits of a batch in training; ``masks`` are the factors of dropout, or None."""
        *hidden_layers, classes = layers
        factors = [None] * len(hidden_layers)
        if masks is not None and hidden_layers:
            factors = tf.split(masks, list(self.hidden_layer_sizes), axis=1)
        hidden = X
        for layer, factor in zip(hidden_layers, factors, strict=True):
            hidden = layer(hidden) if factor is None else layer(hidden) * factor
        return classes(hidden)

    def compute_losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, augmentation: Any) -> Any:
        """Compute the weighted cross-entropy of every row."""
        return sample_weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
