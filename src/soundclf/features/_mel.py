"""Mel filters and log-mel spectra."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError
from ._filters import compute_mel_filters, warn_empty_bands
from ._frames import Samples
from ._parameters import FILTER_PARAMETERS, MEL_PARAMETERS, check_mel_parameters, get_filter_bank
from ._spectra import DB, stream_log_mel

__all__ = ["compute_fixed_log_mel", "log_mel", "mel_filters"]


def log_mel(
    y: Samples,
    *,
    sr: float = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Compute the mel spectrum of a sound in decibels.

    Equal to ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, ...))``: decibels of the power, clipped at
    80 dB below the maximum.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks; the result does not depend on where they are cut.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y``, in Hz.
    n_fft : int > 0, default=2048
        Length of the FFT window, in samples.
    hop_length : int > 0, default=512
        Step between frames, in samples.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency, in Hz; at most ``sr / 2``, the default of ``fmax``.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), float32
        With ``n_frames = 1 + n // hop_length`` for an even ``n_fft``, as in librosa.

    Raises
    ------
    AudioError
        If ``y`` holds no samples or non-finite ones, or is too long for the space for temporary files.
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that they contain no bin of the spectrum.

    See Also
    --------
    librosa.feature.melspectrogram : The power itself.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.features import log_mel
    >>> log_mel(np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)).shape
    (128, 44)
    """
    check_mel_parameters("log_mel", MEL_PARAMETERS, locals())
    bank = get_filter_bank(sr, n_fft, n_mels, fmin, fmax)
    frames = np.concatenate(list(stream_log_mel(y, bank, int(n_fft), int(hop_length))))
    return np.ascontiguousarray((frames * np.float32(DB)).T)


def compute_fixed_log_mel(y: Samples, *, n_samples: int, loop: bool, **parameters: Any) -> NDArray[np.float32]:
    """Compute the mel spectrum of a sound that is trimmed, repeated or zero-padded to ``n_samples``."""
    blocks = [y] if isinstance(y, np.ndarray) else list(y)
    samples = np.concatenate(blocks)[:n_samples] if blocks else np.zeros(0, np.float32)
    if not len(samples):
        raise AudioError("it holds no samples")
    fixed = np.resize(samples, n_samples) if loop else np.pad(samples, (0, n_samples - len(samples)))
    return log_mel(fixed, **parameters)


def mel_filters(
    *, sr: float, n_fft: int, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float32]:
    """Compute the triangular filters of a mel spectrum.

    Equal to :func:`librosa.filters.mel`, after M. Slaney, "Auditory Toolbox", 1998, without the second that importing
    it takes.

    Parameters
    ----------
    sr : number > 0 [scalar]
        Sampling rate, in Hz.
    n_fft : int > 0
        Length of the FFT window, in samples.
    n_mels : int > 0, default=128
        Number of bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency, in Hz; at most ``sr / 2``, the default of ``fmax``.

    Returns
    -------
    ndarray of shape (n_mels, 1 + n_fft // 2), float32
        Each filter has unit area over frequency.

    Raises
    ------
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that they contain no bin of the spectrum.

    Examples
    --------
    >>> from soundclf.features import mel_filters
    >>> mel_filters(sr=22050, n_fft=2048).shape
    (128, 1025)
    """
    check_mel_parameters("mel_filters", FILTER_PARAMETERS, locals())
    filters, n_empty = compute_mel_filters(sr, n_fft, n_mels, fmin, fmax)
    warn_empty_bands(n_empty, n_mels, n_fft, stacklevel=2)
    return filters
