"""Transformers from clips to mel-frequency cepstral coefficients: their means, and statistics of them and more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import Rule
from ..features import (
    DESCRIPTORS,
    MFCC_PARAMETERS,
    STATISTICS_PARAMETERS,
    check_mel_parameters,
    check_statistics_parameters,
    mfcc_mean,
    mfcc_statistics,
)
from ._base import ClipTransformer

__all__ = ["MFCCMeanTransformer", "MFCCStatisticsTransformer"]


class MFCCMeanTransformer(ClipTransformer):
    """Mean mel-frequency cepstral coefficients of sounds.

    Each clip becomes one row: its MFCCs [1]_, averaged over time. The numbers equal those of
    ``librosa.feature.mfcc(y=y, sr=sr, ...).mean(axis=1)`` on ``librosa.load(clip, sr=sr, res_type=res_type)``. The
    transformer is stateless and works without being fitted.

    Parameters
    ----------
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    sr : number > 0, default=22050
        Sampling rate that clips are resampled to, in Hz.
    n_fft : int > 0, default=2048
        Length of the FFT window, in samples.
    hop_length : int > 0, default=512
        Step between frames, in samples.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin : float >= 0, default=0.0
        Lowest frequency, in Hz.
    fmax : float, default=None
        Highest frequency, in Hz; at most ``sr / 2``, the default.
    res_type : str, default="soxr_hq"
        Resampler, as named by librosa. The ``kaiser_*`` ones need the extra ``soundclf[resampy]``; ``linear``,
        ``zero_order_hold`` and ``sinc_*`` need ``soundclf[samplerate]``.
    duration : float > 0, default=None
        Duration to use from the start of each clip, in seconds. If None, the whole clip is used.
    on_error : {"raise", "nan"}, default="raise"
        What to do about clips that cannot be used: raise an AudioError for the first one, or fill their rows with NaN
        and issue one AudioWarning that lists them all.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Directory in which the features of each clip are cached, so that cross-validation and searches compute them
        once. Cached features are identified by the content of the clip, not by its path, and by the parameters above;
        whole files are read for that, even with ``duration``, once per process while they do not change. When a cache
        is closed and its file holds more than 4 GiB, the least recently used rows are deleted until 3 GiB remain. Of a
        Memory, only the location is used.
    n_jobs : int, default=None
        Number of threads over clips. None means 1 unless in a :func:`joblib.parallel_config` context. -1 means all
        cores, or 1 inside a joblib worker, such as one of a search with ``n_jobs=2``.
    verbose : int, default=0
        If positive, show a progress bar over the clips.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the columns; only after fitting on a DataFrame of samples.

    See Also
    --------
    soundclf.features.mfcc_mean : The same for the samples of one sound.
    librosa.feature.mfcc : The coefficients frame by frame.

    References
    ----------
    .. [1] S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in
       continuously spoken sentences", IEEE Trans. ASSP 28(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import MFCCMeanTransformer
    >>> time = np.arange(22050) / 22050
    >>> clips = [np.sin(2 * np.pi * 440 * time), (np.sin(2 * np.pi * 880 * time[::2]), 11025)]
    >>> transformer = MFCCMeanTransformer(n_mfcc=13)
    >>> transformer.transform(clips).shape
    (2, 13)
    >>> transformer.get_feature_names_out()[:2]
    array(['mfcc_mean_0', 'mfcc_mean_1'], dtype=object)
    """

    _features: ClassVar[tuple[str, int]] = ("mfcc_mean", 1)
    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {**ClipTransformer._rules, **MFCC_PARAMETERS}

    def __init__(
        self,
        n_mfcc: int = 40,
        *,
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        res_type: str = "soxr_hq",
        duration: float | None = None,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.n_mfcc = n_mfcc
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.res_type = res_type
        self.duration = duration
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_mel_parameters(type(self).__name__, MFCC_PARAMETERS, vars(self))

    def _make_extractor(self) -> partial[NDArray[np.float32]]:
        return partial(mfcc_mean, **{name: getattr(self, name) for name in MFCC_PARAMETERS})

    def _get_shape(self) -> tuple[int, ...]:
        return (int(self.n_mfcc),)

    def _get_feature_names(self) -> list[str]:
        return [f"mfcc_mean_{i}" for i in range(self.n_mfcc)]


class MFCCStatisticsTransformer(ClipTransformer):
    """Statistics over time of the mel-frequency cepstral coefficients of sounds.

    Each clip becomes one row: statistics of its MFCCs, of their first and second differences, and of further
    descriptors of each frame. All are computed from one spectrogram. The frames are those of
    :func:`librosa.feature.mfcc`, :func:`librosa.feature.delta` and so on. The transformer is stateless and works
    without being fitted.

    Parameters
    ----------
    n_mfcc : int > 0, default=40
        Number of coefficients, at most ``n_mels``.
    deltas : {0, 1, 2}, default=1
        Highest order of differences over time.
    descriptors : sequence of str, default=("log_mel", "contrast")
        Further descriptors of each frame: "log_mel", the decibels of the mel bands; "contrast" [1]_ in seven octave
        bands, which needs ``sr`` above 12,800 Hz; "centroid", "bandwidth" and "rolloff" in Hz; "flatness".
    statistics : sequence of str, default=("mean", "std", "min", "max", "median")
        Statistics over time of each of these; "skewness" and "kurtosis" are available too.
    sr : number > 0, default=22050
        Sampling rate that clips are resampled to, in Hz.
    n_fft : int > 0, default=2048
        Length of the FFT window, in samples.
    hop_length : int > 0, default=512
        Step between frames, in samples.
    n_mels : int > 0, default=128
        Number of mel bands.
    fmin : float >= 0, default=0.0
        Lowest frequency, in Hz.
    fmax : float, default=None
        Highest frequency, in Hz; at most ``sr / 2``, the default.
    res_type : str, default="soxr_hq"
        Resampler, as named by librosa. The ``kaiser_*`` ones need the extra ``soundclf[resampy]``; ``linear``,
        ``zero_order_hold`` and ``sinc_*`` need ``soundclf[samplerate]``.
    duration : float > 0, default=None
        Duration to use from the start of each clip, in seconds. If None, the whole clip is used.
    on_error : {"raise", "nan"}, default="raise"
        What to do about clips that cannot be used: raise an AudioError for the first one, or fill their rows with NaN
        and issue one AudioWarning that lists them all.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Directory in which the features of each clip are cached, so that cross-validation and searches compute them
        once. Cached features are identified by the content of the clip, not by its path, and by the parameters above;
        whole files are read for that, even with ``duration``, once per process while they do not change. When a cache
        is closed and its file holds more than 4 GiB, the least recently used rows are deleted until 3 GiB remain. Of a
        Memory, only the location is used.
    n_jobs : int, default=None
        Number of threads over clips. None means 1 unless in a :func:`joblib.parallel_config` context. -1 means all
        cores, or 1 inside a joblib worker, such as one of a search with ``n_jobs=2``.
    verbose : int, default=0
        If positive, show a progress bar over the clips.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the columns; only after fitting on a DataFrame of samples.

    See Also
    --------
    soundclf.features.mfcc_statistics : The same for the samples of one sound.
    MFCCMeanTransformer : The means alone.

    References
    ----------
    .. [1] D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import MFCCStatisticsTransformer
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> transformer = MFCCStatisticsTransformer(n_mfcc=13, descriptors=["centroid"], statistics=["mean", "std"])
    >>> transformer.transform([tone]).shape
    (1, 54)
    >>> transformer.get_feature_names_out()[[0, 13, 26, 53]]
    array(['mfcc_mean_0', 'mfcc_std_0', 'mfcc_delta_mean_0', 'centroid_std'],
          dtype=object)
    """

    _features: ClassVar[tuple[str, int]] = ("mfcc_statistics", 1)
    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {**ClipTransformer._rules, **STATISTICS_PARAMETERS}

    def __init__(
        self,
        n_mfcc: int = 40,
        *,
        deltas: int = 1,
        descriptors: Sequence[str] = ("log_mel", "contrast"),
        statistics: Sequence[str] = ("mean", "std", "min", "max", "median"),
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        res_type: str = "soxr_hq",
        duration: float | None = None,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.n_mfcc = n_mfcc
        self.deltas = deltas
        self.descriptors = descriptors
        self.statistics = statistics
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.res_type = res_type
        self.duration = duration
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_statistics_parameters(type(self).__name__, vars(self))

    def _make_extractor(self) -> partial[NDArray[np.float32]]:
        return partial(mfcc_statistics, **{name: getattr(self, name) for name in STATISTICS_PARAMETERS})

    def _get_shape(self) -> tuple[int, ...]:
        return (sum(width for _, width in self._get_series()) * len(list(self.statistics)),)

    def _get_series(self) -> list[tuple[str, int]]:
        """Return the names and widths of the series that statistics are computed of."""
        orders = ["mfcc", "mfcc_delta", "mfcc_delta2"][: int(self.deltas) + 1]
        widths = {"log_mel": int(self.n_mels), **DESCRIPTORS}
        return [(name, int(self.n_mfcc)) for name in orders] + [(name, widths[name]) for name in self.descriptors]

    def _get_feature_names(self) -> list[str]:
        return [
            f"{name}_{statistic}_{i}" if width > 1 else f"{name}_{statistic}"
            for name, width in self._get_series()
            for statistic in self.statistics
            for i in range(width)
        ]
