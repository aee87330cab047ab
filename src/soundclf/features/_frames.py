"""Samples -> blocks of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.buffers import reuse_buffer
from ..audio import describe_clip
from ..exceptions import AudioError, ParameterError

__all__ = ["BLOCK", "Samples", "count_frames_per_block", "stream_frames"]

Samples = NDArray[np.floating] | Iterable[NDArray[np.floating]]

BLOCK = 1 << 18  # samples in a block of frames: few enough for the processor's cache, enough to be worth a call


def count_frames_per_block(n_fft: int, hop: int) -> int:
    """Count the frames in a block."""
    return max(1, min(BLOCK // n_fft, BLOCK // hop))


def stream_frames(y: Samples, n_fft: int, hop: int) -> Iterator[np.ndarray]:
    """Stream blocks of frames ``(n, n_fft)``, centered at multiples of ``hop``, with zeros beyond both ends.

    All blocks but the last have the same number of frames, wherever ``y`` is cut into blocks. They share one buffer, so
    a block is overwritten when the next one is requested.
    """
    n_frames = count_frames_per_block(n_fft, hop)
    step = n_frames * hop  # samples from one block of frames to the next
    margin = np.zeros(n_fft // 2, np.float32)
    n_held = skip = 0
    with reuse_buffer(((n_frames - 1) * hop + n_fft,), np.float32) as samples:
        (width,) = samples.strides
        frames = np.lib.stride_tricks.as_strided(samples, (n_frames, n_fft), (hop * width, width))
        for block in chain([margin], _check_blocks(y), [margin]):
            start = min(skip, len(block))
            skip -= start
            while start < len(block):
                part = block[start : start + len(samples) - n_held]
                with np.errstate(over="ignore"):  # infinity is detected later
                    samples[n_held : n_held + len(part)] = part
                start += len(part)
                n_held += len(part)
                if n_held == len(samples):
                    yield frames
                    n_held = max(0, len(samples) - step)
                    samples[:n_held] = samples[len(samples) - n_held :]
                    gap = min(step + n_held - len(samples), len(block) - start)  # between frames that do not touch
                    skip = step + n_held - len(samples) - gap
                    start += gap
        if n_held >= n_fft:
            yield frames[: (n_held - n_fft) // hop + 1]


def _check_blocks(y: Any) -> Iterator[NDArray[np.float32]]:
    n_samples = 0
    many = isinstance(y, Iterable) and not isinstance(y, np.ndarray | str)
    for block in y if many else [y]:
        if not isinstance(block, np.ndarray) or block.ndim != 1 or block.dtype.kind != "f":
            raise ParameterError(
                "The 'y' parameter must be a 1-D float array or an iterable of such blocks, got "
                f"{describe_clip(block)}."
            )
        n_samples += len(block)
        yield block
    if not n_samples:
        raise AudioError("it holds no samples")
