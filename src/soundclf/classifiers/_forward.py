"""Forward passes of the trained networks, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

__all__ = ["ACTIVATIONS", "BATCH_NORMALIZATION", "EPSILON", "compute_conv_probabilities", "compute_dense_probabilities"]

EPSILON = 1e-3  # of Keras' batch normalization
BATCH_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")  # names of a layer's variables
_N_ROWS_DENSE = 1024  # at a time: the output of a layer then stays in the processor's cache
_N_ROWS_CONV = 4  # at a time

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
    """Compute the class probabilities of dense networks, averaged over the networks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardized features.
    coefs, intercepts : sequence of ndarray
        Weights ``(n_networks, n_in, n_out)`` and biases ``(n_networks, n_out)`` of each layer.
    activation : str
        Activation of the hidden layers, one of ``ACTIVATIONS``.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), float64
        Probabilities; rows sum to 1. Sums are computed in float64, so that the result for a row does not depend on the
        other rows.
    """
    probabilities = np.empty((len(X), intercepts[-1].shape[1]))
    biases = [intercept[:, np.newaxis] for intercept in intercepts]
    for start in range(0, len(X), _N_ROWS_DENSE):
        hidden = X[np.newaxis, start : start + _N_ROWS_DENSE].astype(np.float64)
        for coef, bias in zip(coefs[:-1], biases[:-1], strict=True):
            hidden = hidden @ coef
            hidden += bias  # in place: fewer large temporary arrays, which the system would map and clear each time
            hidden = np.maximum(hidden, 0, out=hidden) if activation == "relu" else ACTIVATIONS[activation](hidden)
        logits = hidden @ coefs[-1] + biases[-1]
        exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
        shares = exponentials / exponentials.sum(axis=2, keepdims=True)
        probabilities[start : start + _N_ROWS_DENSE] = shares.mean(axis=0)
    return probabilities


def compute_conv_probabilities(
    X: NDArray[np.float32], weights: Mapping[str, NDArray[np.float32]], n_blocks: int
) -> NDArray[np.float64]:
    """Compute the class probabilities of convolutional networks, averaged over the networks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_bands, n_frames), float32
        Standardized spectra.
    weights : mapping of str to ndarray
        Weights of the networks by name, such as ``convolution_1/kernel``, with the networks as first axis.
    n_blocks : int
        Number of blocks of convolution, batch normalization and ReLU.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), float64
        Probabilities; rows sum to 1.
    """
    coef, intercept = weights["classes/kernel"], weights["classes/bias"]
    n_networks = len(coef)
    names = [
        (f"convolution_{k}/kernel", *(f"normalization_{k}/{name}" for name in BATCH_NORMALIZATION))
        for k in range(1, n_blocks + 1)
    ]
    probabilities = np.zeros((len(X), intercept.shape[1]))
    for i in range(n_networks):
        blocks = [_fold_normalization(*(weights[name][i] for name in block)) for block in names]
        for start in range(0, len(X), _N_ROWS_CONV):
            x = X[start : start + _N_ROWS_CONV, :, :, np.newaxis]
            for kernel, offset in blocks:
                x = _apply_block(x, kernel, offset)
            bands = x.mean(axis=1, dtype=np.float64)
            logits = (bands.max(axis=1) + bands.mean(axis=1)) @ coef[i] + intercept[i]
            exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities[start : start + _N_ROWS_CONV] += exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities / n_networks


def _fold_normalization(
    kernel: np.ndarray, scale: np.ndarray, offset: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of a convolution with the batch normalization after it folded in."""
    factor = scale / np.sqrt(variance + np.float32(EPSILON))
    return kernel * factor, offset - mean * factor


def _apply_block(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Apply a convolution with stride 2 and ReLU to an array ``(n, bands, frames, channels)``."""
    n, bands, frames, channels = x.shape
    height, width = -(-bands // 2), -(-frames // 2)
    # Keras pads an odd length on both sides, and an even one only at its end.
    padded = np.pad(x, ((0, 0), (bands % 2, 1), (frames % 2, 1), (0, 0)))
    patches = np.empty((n, height, width, 3, 3, channels), np.float32)
    for i in range(3):
        for j in range(3):
            patches[:, :, :, i, j] = padded[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
    out = patches.reshape(n * height * width, -1) @ kernel.reshape(-1, kernel.shape[3])
    out += bias
    return np.maximum(out, 0, out=out).reshape(n, height, width, -1)
