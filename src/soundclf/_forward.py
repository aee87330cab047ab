"""The forward pass of dense networks in NumPy, by Keras' definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

__all__ = ["ACTIVATIONS", "dense_probabilities"]

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


def dense_probabilities(
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
