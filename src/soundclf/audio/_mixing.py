"""Decoded frames -> mono float32 samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError

__all__ = ["convert_to_floats", "mix_down"]


def mix_down(frames: np.ndarray) -> NDArray[np.float32]:
    """Average the channels of frames.

    Parameters
    ----------
    frames : ndarray of shape (n, channels)
        16-bit integers, which are scaled by 1/32768, or finite floats.

    Returns
    -------
    ndarray of shape (n,), float32
        Mono samples.

    Raises
    ------
    AudioError
        For NaN or infinity.
    """
    is_integer = frames.dtype == np.int16
    n_channels = frames.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is detected below
        floats = frames.astype(np.float32, copy=n_channels == 1)  # all channels at once is faster than one by one
        mono = floats[:, 0] if n_channels == 1 else floats[:, 0] + floats[:, 1]
        for channel in range(2, n_channels):
            mono += floats[:, channel]
        scale = n_channels * (32768 if is_integer else 1)
        if scale != 1:
            mono /= np.float32(scale)
        # One sum is cheaper than a test of every sample, and finite samples of sounds do not overflow it.
        if not is_integer and not np.isfinite(mono.sum()) and not np.isfinite(mono).all():
            raise AudioError("it contains NaN or infinity")
    return mono


def convert_to_floats(frames: np.ndarray) -> NDArray[np.float32]:
    """Convert frames ``(n, channels)`` to floats, each channel as :func:`mix_down` would convert it alone."""
    return np.stack([mix_down(frames[:, [channel]]) for channel in range(frames.shape[1])], axis=1)
