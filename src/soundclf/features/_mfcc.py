"""Mel-frequency cepstral coefficients, summarized over time.

Whatever is linear in time is computed once per clip rather than once per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ._descriptors import Descriptors, compute_delta, summarize
from ._frames import Samples
from ._parameters import MFCC_PARAMETERS, check_mel_parameters, check_statistics_parameters, get_filter_bank
from ._spectra import DB, stream_log_mel

__all__ = ["mfcc_mean", "mfcc_statistics"]


def mfcc_mean(
    y: Samples,
    *,
    sr: float = 22050,
    n_mfcc: int = 40,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Average the mel-frequency cepstral coefficients of a sound over time.

    Equal to ``librosa.feature.mfcc(y=y, sr=sr, ...).mean(axis=1)``. Averaging over time and the discrete cosine
    transform are both linear, so the transform is applied once, to the mean of the log-mel spectrum.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks; the result does not depend on where they are cut.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y``, in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
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
    ndarray of shape (n_mfcc,), float32
        Mean coefficients.

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
    librosa.feature.mfcc : The coefficients of every frame.

    Notes
    -----
    As in :func:`librosa.power_to_db`, the log-mel spectrum is clipped at 80 dB below the maximum of the whole clip,
    which is known only at its end. Until then the spectrum is buffered, at 4 bytes per band and frame: in memory, and
    in a temporary file beyond 32 MB, which is about 25 minutes.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.features import mfcc_mean
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> mfcc_mean(y, sr=22050, n_mfcc=13).shape
    (13,)
    """
    check_mel_parameters("mfcc_mean", MFCC_PARAMETERS, locals())
    bank = get_filter_bank(sr, n_fft, n_mels, fmin, fmax)
    n_frames, total = 0, np.zeros(bank.n_mels)
    for log_mel in stream_log_mel(y, bank, int(n_fft), int(hop_length)):
        n_frames += len(log_mel)
        total += log_mel.sum(axis=0, dtype=np.float64)
    mean = total * (DB / n_frames)
    return np.asarray(scipy.fft.dct(mean, type=2, norm="ortho")[: int(n_mfcc)].astype(np.float32))


def mfcc_statistics(
    y: Samples,
    *,
    sr: float = 22050,
    n_mfcc: int = 40,
    deltas: int = 1,
    descriptors: Sequence[str] = (),
    statistics: Sequence[str] = ("mean", "std", "min", "max", "median"),
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Summarize the mel-frequency cepstral coefficients of a sound over time.

    The coefficients are those of ``librosa.feature.mfcc(y=y, sr=sr, ...)``, their differences those of
    ``librosa.feature.delta`` with ``order`` 1 and 2, the descriptors those of the librosa functions named below with
    their defaults.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks; the result does not depend on where they are cut.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y``, in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    deltas : {0, 1, 2}, default=1
        Highest order of differences over time.
    descriptors : sequence of str, default=()
        Further descriptors of every frame: "log_mel", the decibels of the mel bands (:func:`librosa.power_to_db` of
        :func:`librosa.feature.melspectrogram`); "contrast", "centroid", "bandwidth", "rolloff" and "flatness"
        (:func:`librosa.feature.spectral_contrast` and so on). "contrast" needs ``sr`` above 12,800 Hz.
    statistics : sequence of str, default=("mean", "std", "min", "max", "median")
        Statistics of each of them over time; also "skewness" and "kurtosis". The standard deviation
        divides by the number of frames; skewness and excess kurtosis are biased, as SciPy's by default, and 0 where
        nothing changes.
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
    ndarray of shape (n_features,), float32
        For the coefficients, their first and second differences, and each descriptor in turn: every statistic in turn
        of all coefficients.

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
    mfcc_mean : Their mean alone, which needs no coefficients of single frames.
    librosa.feature.delta : Differences over time.

    Notes
    -----
    librosa refuses differences of fewer than 9 frames; here the first and last frame of such a sound are repeated.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.features import mfcc_statistics
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> mfcc_statistics(y, n_mfcc=13, deltas=1, statistics=["mean", "std"]).shape
    (52,)
    """
    check_statistics_parameters("mfcc_statistics", locals())
    # The valleys of spectral contrast would be lost in the rounding errors of float32.
    bank = get_filter_bank(sr, n_fft, n_mels, fmin, fmax, precise="contrast" in descriptors)
    named = [name for name in descriptors if name != "log_mel"]
    collector = Descriptors(named, float(sr), int(n_fft))
    blocks = list(stream_log_mel(y, bank, int(n_fft), int(hop_length), collector if named else None))
    basis = _compute_dct_basis(int(n_mels), int(n_mfcc))
    mfcc = np.concatenate([block @ basis for block in blocks])
    series = [mfcc, *(compute_delta(mfcc, order) for order in range(1, int(deltas) + 1))]
    computed = dict(zip(named, collector.finish() if named else [], strict=True))
    if "log_mel" in descriptors:
        computed["log_mel"] = np.concatenate(blocks) * np.float32(DB)
    series += [computed[name] for name in descriptors]
    return np.concatenate([summarize(frames, statistics) for frames in series]).astype(np.float32)


@lru_cache(maxsize=16)
def _compute_dct_basis(n_mels: int, n_mfcc: int) -> NDArray[np.float32]:
    """Compute the matrix ``(n_mels, n_mfcc)`` from natural logarithms of power to coefficients."""
    basis = scipy.fft.dct(np.eye(n_mels), type=2, norm="ortho", axis=1)[:, :n_mfcc] * DB
    return np.ascontiguousarray(basis.astype(np.float32))
