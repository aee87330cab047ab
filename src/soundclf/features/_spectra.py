"""Samples -> spectra and mel bands, which all features begin with.

Blocks of frames that stay in the processor's cache are transformed in float32 where that is precise enough. The
buffers that a block needs are reused by the next one, and by the next clip of the thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .._utils.buffers import reuse_buffer
from ..exceptions import AudioError
from ._filters import FilterBank, compute_hann_window
from ._frames import Samples, count_frames_per_block, stream_frames

__all__ = ["DB", "TOP_DB", "stream_log_mel", "stream_power"]

_MAX_BYTES = 1 << 25  # of a clip's log-mel spectrum in memory
_AMIN = 1e-10  # librosa.power_to_db's floor of the power
DB = 10 / np.log(10)  # decibels per unit of the natural logarithm of power
TOP_DB = 80.0  # librosa's range below the maximum of a clip


def stream_log_mel(
    y: Samples,
    bank: FilterBank,
    n_fft: int,
    hop: int,
    observe: Callable[[np.ndarray], None] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Stream the log-mel spectrum of a sound, ``(n, n_mels)`` at a time, as the natural logarithm of power.

    As in :func:`librosa.power_to_db`, it is clipped at 80 dB below the maximum of the whole clip, which is known only
    at its end. Until then the spectrum is buffered in memory, and in a temporary file beyond 32 MB.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks.
    bank : FilterBank
        Window and mel filters.
    n_fft, hop : int
        Length of a frame and step between frames, in samples.
    observe : callable, default=None
        Called with the magnitudes ``(n, 1 + n_fft // 2)`` of every block of frames, which are overwritten afterwards.

    Yields
    ------
    ndarray of shape (n, n_mels), float32
        Consecutive frames.

    Raises
    ------
    AudioError
        For samples that are not finite, or too large to be squared, and if there is no room for the temporary file.
    """
    highest = -np.inf
    with tempfile.SpooledTemporaryFile(_MAX_BYTES) as buffer:
        for magnitude in _stream_magnitudes(y, bank.window, n_fft, hop):
            if observe is not None:
                observe(magnitude)
            log_mel = _compute_log_mel(magnitude, bank)
            highest = np.maximum(highest, log_mel.max())  # propagates NaN, as max() may not
            try:
                buffer.write(log_mel.data)
            except OSError as error:
                folder = tempfile.gettempdir()
                raise AudioError(f"its spectrum does not fit into {folder} ({error.strerror})") from error
        if not np.isfinite(highest):
            raise AudioError("it contains NaN, infinity or samples too large to be squared")
        lowest = np.float32(highest) - np.float32(TOP_DB / DB)
        buffer.seek(0)
        while block := buffer.read(256 * 4 * bank.n_mels):  # 256 frames of float32
            yield np.maximum(np.frombuffer(block, np.float32).reshape(-1, bank.n_mels), lowest)


def stream_power(y: Samples, bank: FilterBank | None, n_fft: int, hop: int) -> Iterator[NDArray[np.float32]]:
    """Stream the power in mel bands, ``(n, n_mels)`` at a time, or without a bank in bins, ``(n, 1 + n_fft // 2)``."""
    window = compute_hann_window(n_fft).astype(np.float32) if bank is None else bank.window
    for magnitude in _stream_magnitudes(y, window, n_fft, hop):
        with np.errstate(over="ignore", invalid="ignore"):
            yield np.square(magnitude) if bank is None else _compute_mel(magnitude, bank)


def _stream_magnitudes(y: Samples, window: np.ndarray, n_fft: int, hop: int) -> Iterator[NDArray[np.floating]]:
    """Stream the magnitudes of the spectra of frames, ``(n, 1 + n_fft // 2)`` at a time, in one buffer."""
    n_frames, n_bins = count_frames_per_block(n_fft, hop), 1 + n_fft // 2
    with reuse_buffer((n_frames * max(n_fft, n_bins),), window.dtype) as buffer:
        for frames in stream_frames(y, n_fft, hop):
            n = len(frames)
            windowed, magnitudes = buffer[: n * n_fft].reshape(n, n_fft), buffer[: n * n_bins].reshape(n, n_bins)
            with np.errstate(over="ignore", invalid="ignore"):  # infinity is detected later
                np.multiply(frames, window, out=windowed)
                spectra = scipy.fft.rfft(windowed, axis=1, overwrite_x=True)
                yield np.abs(spectra, out=magnitudes)


def _compute_mel(magnitude: np.ndarray, bank: FilterBank) -> NDArray[np.float32]:
    """Compute the power in mel bands, ``(n, n_mels)``; the magnitudes are overwritten."""
    power = np.square(magnitude, out=magnitude).astype(np.float32, copy=False)
    mel = np.empty((len(power), bank.n_mels), np.float32)
    for bins, bands, filters in bank.groups:
        np.matmul(power[:, bins], filters, out=mel[:, bands])
    return mel


def _compute_log_mel(magnitude: np.ndarray, bank: FilterBank) -> NDArray[np.float32]:
    """Compute the natural logarithm of the mel spectrum, ``(n, n_mels)``; the magnitudes are overwritten."""
    with np.errstate(over="ignore", invalid="ignore"):
        mel = _compute_mel(magnitude, bank)
    return np.log(np.maximum(mel, np.float32(_AMIN), out=mel), out=mel)
