"""Dense networks: their Keras layers, how they are trained, and their forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

__all__ = ["ACTIVATIONS", "DenseArchitecture", "compute_dense_probabilities"]

_ROWS = 1024  # at a time: what a layer gives stays in the processor's cache

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * ndtr(x),
    "silu": lambda x: x * expit(x),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
    "sigmoid": expit,
    "linear": lambda x: x,
}


def compute_dense_probabilities(
    X: NDArray[np.floating],
    coefs: Sequence[NDArray[np.floating]],
    intercepts: Sequence[NDArray[np.floating]],
    activation: str,
) -> NDArray[np.float64]:
    """Give the class probabilities of dense networks with a softmax on top, averaged over the networks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        What the networks were trained on: standardised, float32.
    coefs, intercepts : sequences of ndarray
        Weights ``(n_networks, n_in, n_out)`` and biases ``(n_networks, n_out)`` of each layer.
    activation : str
        Of all layers but the last; one of ACTIVATIONS.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), float64
        Rows sum to 1. Sums are taken in float64, so that a row gets the same numbers alone as among others.
    """
    probabilities = np.empty((len(X), intercepts[-1].shape[1]))
    biases = [intercept[:, np.newaxis] for intercept in intercepts]
    for start in range(0, len(X), _ROWS):
        hidden = X[np.newaxis, start : start + _ROWS].astype(np.float64)
        for coef, bias in zip(coefs[:-1], biases[:-1], strict=True):
            hidden = ACTIVATIONS[activation](hidden @ coef + bias)
        logits = hidden @ coefs[-1] + biases[-1]
        exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
        shares = exponentials / exponentials.sum(axis=2, keepdims=True)
        probabilities[start : start + _ROWS] = shares.mean(axis=0)
    return probabilities


@dataclass(frozen=True)
class DenseArchitecture:
    """What a compiled dense network is made from; two fits with equal ones share a graph.

    ``optimizer`` is a name that Keras knows, or a Keras optimizer, which is never shared.
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
        """Outputs of a row that dropout decides on."""
        return sum(self.hidden_layer_sizes)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights."""
        layers = (*(f"hidden_{i + 1}" for i in range(len(self.hidden_layer_sizes))), "classes")
        return tuple(f"{layer}/{name}" for layer in layers for name in ("kernel", "bias"))

    n_varied = 0  # numbers drawn for each row in every epoch

    def connect(self, keras: Any, inputs: Any, top: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``top`` is the last one's activation."""
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
        return keras.layers.Dense(self.n_classes, activation=top, dtype="float32", name=f"classes{suffix}")(hidden)

    def vary(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Draw what training varies rows by, ``(n_rows, n_varied)``: nothing."""
        return np.empty((n_rows, 0), np.float32)

    def parts(self, keras: Any, model: Any) -> Any:
        """Give what :meth:`logits` needs of a model."""
        return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]

    def logits(self, tf: Any, parts: Any, X: Any, masks: Any, varied: Any) -> Any:
        """Compute what a batch's loss is computed from, in training; ``masks`` are the factors of dropout, or None."""
        *hidden_layers, classes = parts
        factors = [None] * len(hidden_layers)
        if masks is not None and hidden_layers:
            factors = tf.split(masks, list(self.hidden_layer_sizes), axis=1)
        hidden = X
        for layer, factor in zip(hidden_layers, factors, strict=True):
            hidden = layer(hidden) if factor is None else layer(hidden) * factor
        return classes(hidden)

    def losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, varied: Any) -> Any:
        """Compute the weighted cross-entropy of every row."""
        return sample_weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
