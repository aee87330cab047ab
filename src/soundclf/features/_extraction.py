"""Samples -> numbers: pure functions, equal to librosa's to rounding.

librosa is the reference for every definition here. What is linear in time is done once per clip rather than once per
frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .._utils.validation import NONE, Rule, check_params, integer_in, list_of, real_in
from ..exceptions import AudioError, ParameterError
from ._descriptors import DESCRIPTORS, STATISTICS, Descriptors, check_descriptors, compute_delta, summarize
from ._spectra import DB, FilterBank, Samples, compute_mel_filters, make_filter_bank, stream_log_mel, warn_empty_bands

__all__ = ["log_mel", "mel_filters", "mfcc_mean", "mfcc_statistics"]

_FILTERS: dict[str, tuple[Rule, ...]] = {
    "sr": (real_in(0, closed="neither"),),
    "n_fft": (integer_in(1),),
    "n_mels": (integer_in(1),),
    "fmin": (real_in(0),),
    "fmax": (NONE, real_in(0, closed="neither")),
}
MEL_PARAMETERS: dict[str, tuple[Rule, ...]] = {**_FILTERS, "hop_length": (integer_in(1),)}
MFCC_PARAMETERS: dict[str, tuple[Rule, ...]] = {**MEL_PARAMETERS, "n_mfcc": (integer_in(1),)}
STATISTICS_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    **MFCC_PARAMETERS,
    "deltas": (integer_in(0, 3),),
    "descriptors": (list_of(["log_mel", *DESCRIPTORS]),),
    "statistics": (list_of(STATISTICS, least=1),),
}


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
        Float samples, whole or as consecutive blocks. Where they are cut does not change the result.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y`` in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    n_fft : int > 0, default=2048
        Length of the FFT window in samples.
    hop_length : int > 0, default=512
        Samples from one frame to the next.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

    Returns
    -------
    ndarray of shape (n_mfcc,), float32
        Mean coefficients.

    Raises
    ------
    AudioError
        If ``y`` holds no samples, or samples that are not finite, or is too long for the room for temporary files.
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that no bin of the spectrum falls into them.

    See Also
    --------
    librosa.feature.mfcc : The coefficients of every frame.

    Notes
    -----
    As in :func:`librosa.power_to_db`, the log-mel spectrum is clipped at 80 dB below the maximum of the whole clip,
    which is known only at its end. Until then the spectrum is kept, at 4 bytes per band and frame: in memory, and in a
    temporary file if it takes more than 32 MB, as it does after about 25 minutes.

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
    """Summarise the mel-frequency cepstral coefficients of a sound over time.

    The coefficients are those of ``librosa.feature.mfcc(y=y, sr=sr, ...)``, their differences those of
    ``librosa.feature.delta`` with ``order`` 1 and 2, the descriptors those of the librosa functions named below with
    their defaults.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks. Where they are cut does not change the result.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y`` in Hz.
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    deltas : {0, 1, 2}, default=1
        Highest order of differences over time.
    descriptors : sequence of str, default=()
        Further descriptors of every frame: "log_mel", the decibels of the mel bands (:func:`librosa.power_to_db` of
        :func:`librosa.feature.melspectrogram`); "contrast", "centroid", "bandwidth", "rolloff" and "flatness"
        (:func:`librosa.feature.spectral_contrast` and so on). "contrast" needs ``sr`` above 12,800 Hz.
    statistics : sequence of str, default=("mean", "std", "min", "max", "median")
        What is computed of each of them over time; "skewness" and "kurtosis" can be had too. The standard deviation
        divides by the number of frames; skewness and excess kurtosis are biased, as SciPy's by default, and 0 where
        nothing changes.
    n_fft : int > 0, default=2048
        Length of the FFT window in samples.
    hop_length : int > 0, default=512
        Samples from one frame to the next.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

    Returns
    -------
    ndarray of shape (n_features,), float32
        For the coefficients, their first and second differences, and each descriptor in turn: every statistic in turn
        of all coefficients.

    Raises
    ------
    AudioError
        If ``y`` holds no samples, or samples that are not finite, or is too long for the room for temporary files.
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that no bin of the spectrum falls into them.

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
    bank = get_filter_bank(
        sr, n_fft, n_mels, fmin, fmax, precise="contrast" in descriptors
    )  # whose valleys float32 would fill
    named = [name for name in descriptors if name != "log_mel"]
    watch = Descriptors(named, float(sr), int(n_fft))
    blocks = list(stream_log_mel(y, bank, int(n_fft), int(hop_length), watch if named else None))
    basis = _dct_basis(int(n_mels), int(n_mfcc))
    mfcc = np.concatenate([block @ basis for block in blocks])
    series = [mfcc, *(compute_delta(mfcc, order) for order in range(1, int(deltas) + 1))]
    described = dict(zip(named, watch.finished() if named else [], strict=True))
    if "log_mel" in descriptors:
        described["log_mel"] = np.concatenate(blocks) * np.float32(DB)
    series += [described[name] for name in descriptors]
    return np.concatenate([summarize(frames, statistics) for frames in series]).astype(np.float32)


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
    """Give the mel spectrum of a sound in decibels.

    Equal to ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, ...))``: decibels of the power, clipped at
    80 dB below the maximum.

    Parameters
    ----------
    y : ndarray of shape (n,), or iterable of ndarray
        Float samples, whole or as consecutive blocks. Where they are cut does not change the result.
    sr : number > 0 [scalar], default=22050
        Sampling rate of ``y`` in Hz.
    n_fft : int > 0, default=2048
        Length of the FFT window in samples.
    hop_length : int > 0, default=512
        Samples from one frame to the next.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), float32
        With ``n_frames = 1 + n // hop_length`` for an even ``n_fft``, as in librosa.

    Raises
    ------
    AudioError
        If ``y`` holds no samples, or samples that are not finite, or is too long for the room for temporary files.
    ParameterError
        If a parameter is outside its range.

    Warns
    -----
    AudioWarning
        If bands are so narrow that no bin of the spectrum falls into them.

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
    """Give the mel spectrum of a sound that is cut, repeated or padded to a number of samples."""
    blocks = [y] if isinstance(y, np.ndarray) else list(y)
    samples = np.concatenate(blocks)[:n_samples] if blocks else np.zeros(0, np.float32)
    if not len(samples):
        raise AudioError("it holds no samples")
    whole = np.resize(samples, n_samples) if loop else np.pad(samples, (0, n_samples - len(samples)))
    return log_mel(whole, **parameters)


def check_statistics_parameters(owner: str, values: Mapping[str, Any]) -> None:
    """Check the parameters of statistics, and what they ask of each other."""
    check_mel_parameters(owner, STATISTICS_PARAMETERS, values)
    check_descriptors(owner, values["descriptors"], float(values["sr"]), int(values["n_fft"]))


def get_filter_bank(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None, *, precise: bool = False
) -> FilterBank:
    """Give the filters of parameters, and warn of empty ones where the caller was called."""
    highest = None if fmax is None else float(fmax)
    bank = make_filter_bank(float(sr), int(n_fft), int(n_mels), float(fmin), highest, precise)
    warn_empty_bands(bank.n_empty, n_mels, n_fft, stacklevel=3)
    return bank


@lru_cache(maxsize=16)
def _dct_basis(n_mels: int, n_mfcc: int) -> NDArray[np.float32]:
    """Give the matrix ``(n_mels, n_mfcc)`` from natural logarithms of power to coefficients."""
    basis = scipy.fft.dct(np.eye(n_mels), type=2, norm="ortho", axis=1)[:, :n_mfcc] * DB
    return np.ascontiguousarray(basis.astype(np.float32))


def check_mel_parameters(owner: str, table: Mapping[str, tuple[Rule, ...]], values: Mapping[str, Any]) -> None:
    """Check parameters by a table, and what they ask of each other."""
    check_params(owner, values, table)
    sr, fmin, fmax = values["sr"], values["fmin"], values["fmax"]
    if not fmin < (sr / 2 if fmax is None else fmax) <= sr / 2:
        raise ParameterError(f"{owner} needs fmin < fmax <= sr / 2, got fmin={fmin}, fmax={fmax} and sr={sr}")
    if "n_mfcc" in table and values["n_mfcc"] > values["n_mels"]:
        raise ParameterError(
            f"{owner} needs n_mfcc <= n_mels, got n_mfcc={values['n_mfcc']} and n_mels={values['n_mels']}"
        )


def mel_filters(
    *, sr: float, n_fft: int, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float32]:
    """Give the triangular filters of a mel spectrum.

    Equal to :func:`librosa.filters.mel`, after M. Slaney, "Auditory Toolbox", 1998, without the second that importing
    it takes.

    Parameters
    ----------
    sr : number > 0 [scalar]
        Sampling rate in Hz.
    n_fft : int > 0
        Length of the FFT window in samples.
    n_mels : int > 0, default=128
        Number of bands.
    fmin, fmax : float, default=0.0 and None
        Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.

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
        If bands are so narrow that no bin of the spectrum falls into them.

    Examples
    --------
    >>> from soundclf.features import mel_filters
    >>> mel_filters(sr=22050, n_fft=2048).shape
    (128, 1025)
    """
    check_mel_parameters("mel_filters", _FILTERS, locals())
    filters, n_empty = compute_mel_filters(sr, n_fft, n_mels, fmin, fmax)
    warn_empty_bands(n_empty, n_mels, n_fft, stacklevel=2)
    return filters
