"""Scratch memory that a thread uses again, so that the system need not map and clear new pages for every clip."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["reuse_buffer"]

_MAX_BYTES = 1 << 22  # of a buffer that is reused; a larger one is freed
_MAX_BUFFERS = 8  # that a thread holds between uses


class _FreeBuffers(threading.local):
    """The buffers of a thread that are not in use."""

    def __init__(self) -> None:
        self.buffers: list[NDArray[np.uint8]] = []


_free = _FreeBuffers()


@contextmanager
def reuse_buffer(shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[np.ndarray]:
    """Provide an array with arbitrary contents, exclusively, as long as the context lasts.

    Contexts may nest, overlap and end in another thread than they began in. A thread holds at most 32 MB of buffers,
    which are freed when it ends.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Type of its elements.

    Yields
    ------
    ndarray
        The array; no view of it may be used after the context has ended.
    """
    dtype = np.dtype(dtype)
    n_bytes = dtype.itemsize * math.prod(shape)
    buffer = _take(n_bytes)
    try:
        yield buffer[:n_bytes].view(dtype).reshape(shape)
    finally:
        if len(buffer) <= _MAX_BYTES and len(_free.buffers) < _MAX_BUFFERS:
            _free.buffers.append(buffer)


def _take(n_bytes: int) -> NDArray[np.uint8]:
    """Take the smallest free buffer that is large enough, or make one."""
    fitting = [i for i, buffer in enumerate(_free.buffers) if len(buffer) >= n_bytes]
    if fitting:
        return _free.buffers.pop(min(fitting, key=lambda i: len(_free.buffers[i])))
    if _free.buffers and n_bytes <= _MAX_BYTES:  # replaced by a larger one, rather than held beside it
        _free.buffers.pop(min(range(len(_free.buffers)), key=lambda i: len(_free.buffers[i])))
    return np.empty(n_bytes, np.uint8)
