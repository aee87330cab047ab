"""scikit-learn transformers over clips: one decoding, one spectrum, features of many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import Rule, one_of, real_in
from ..features import (
    DESCRIPTORS,
    MEL_PARAMETERS,
    MFCC_PARAMETERS,
    STATISTICS_PARAMETERS,
    check_mel_parameters,
    check_statistics_parameters,
    compute_fixed_log_mel,
    mfcc_mean,
    mfcc_statistics,
)
from ._base import ClipTransformer

__all__ = ["LogMelTransformer", "MFCCMeanTransformer", "MFCCStatisticsTransformer"]


class MFCCMeanTransformer(ClipTransformer):
    """Mean mel-frequency cepstral coefficients of sounds.

    Every clip becomes one row: its MFCCs [1]_, averaged over time. The numbers equal those of
    ``librosa.feature.mfcc(y=y, sr=sr, ...).mean(axis=1)`` on ``librosa.load(clip, sr=sr, res_type=res_type)``. The
    transformer learns nothing and works without being fitted.

    Parameters
    ----------
    n_mfcc : int >= 1, default=40
        Number of coefficients, at most ``n_mels``.
    sr : number > 0, default=22050
        Sampling rate in Hz that clips are brought to.
    n_fft : int >= 1, default=2048
        Length of the FFT window in samples.
    hop_length : int >= 1, default=512
        Samples from one frame to the next.
    n_mels : int >= 1, default=128
        Number of mel bands.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float, default=None
        Highest frequency in Hz, at most ``sr / 2``, which None stands for.
    res_type : str, default="soxr_hq"
        Resampler, by librosa's name. The ``kaiser_*`` ones need the extra ``soundclf[resampy]``; ``linear``,
        ``zero_order_hold`` and ``sinc_*`` need ``soundclf[samplerate]``.
    duration : float > 0, default=None
        How much of each clip to use from its start, in seconds. None uses everything.
    on_error : {"raise", "nan"}, default="raise"
        What to do about a clip that cannot be used: raise an AudioError, or give a row of NaN and, once, a warning that
        lists all such clips.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Folder in which the features of every clip are saved, so that cross-validation and searches compute them once.
        They are found again by the content of the clip and the parameters above, wherever the clip lies and whatever it
        is called; whole files are read for that, also with ``duration``. When a cache is closed and its file holds more
        than 4 GiB, the rows that have been unused for longest are deleted until 3 GiB remain. Of a Memory, only the
        location is used.
    n_jobs : int, default=None
        Number of threads over clips; None is 1 unless :func:`joblib.parallel_config` says otherwise, -1 uses all cores,
        or one inside a worker of joblib's, such as those of a search with ``n_jobs=2``.
    verbose : int, default=0
        With 1 or more, a progress bar over the clips.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip, only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the columns, only after fitting on a DataFrame of samples.

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

    Every clip becomes one row: statistics of its MFCCs, of their first and second differences, and of further
    descriptors of every frame. All come from one decoding and one spectrum. The frames are those of
    :func:`librosa.feature.mfcc`, :func:`librosa.feature.delta` and so on. The transformer learns nothing and works
    without being fitted.

    Parameters
    ----------
    n_mfcc : int >= 1, default=40
        Number of coefficients, at most ``n_mels``.
    deltas : {0, 1, 2}, default=1
        Highest order of differences over time.
    descriptors : sequence of str, default=("log_mel", "contrast")
        Further descriptors of every frame: "log_mel", the decibels of the mel bands; "contrast" [1]_ in seven octave
        bands, which needs ``sr`` above 12,800 Hz; "centroid", "bandwidth" and "rolloff" in Hz; "flatness".
    statistics : sequence of str, default=("mean", "std", "min", "max", "median")
        What is computed of each over time; "skewness" and "kurtosis" can be had too.
    sr : number > 0, default=22050
        Sampling rate in Hz that clips are brought to.
    n_fft : int >= 1, default=2048
        Length of the FFT window in samples.
    hop_length : int >= 1, default=512
        Samples from one frame to the next.
    n_mels : int >= 1, default=128
        Number of mel bands.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float, default=None
        Highest frequency in Hz, at most ``sr / 2``, which None stands for.
    res_type : str, default="soxr_hq"
        Resampler, by librosa's name. The ``kaiser_*`` ones need the extra ``soundclf[resampy]``; ``linear``,
        ``zero_order_hold`` and ``sinc_*`` need ``soundclf[samplerate]``.
    duration : float > 0, default=None
        How much of each clip to use from its start, in seconds. None uses everything.
    on_error : {"raise", "nan"}, default="raise"
        What to do about a clip that cannot be used: raise an AudioError, or give a row of NaN and, once, a warning that
        lists all such clips.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Folder in which the features of every clip are saved, so that cross-validation and searches compute them once.
        They are found again by the content of the clip and the parameters above, wherever the clip lies and whatever it
        is called; whole files are read for that, also with ``duration``. When a cache is closed and its file holds more
        than 4 GiB, the rows that have been unused for longest are deleted until 3 GiB remain. Of a Memory, only the
        location is used.
    n_jobs : int, default=None
        Number of threads over clips; None is 1 unless :func:`joblib.parallel_config` says otherwise, -1 uses all cores,
        or one inside a worker of joblib's, such as those of a search with ``n_jobs=2``.
    verbose : int, default=0
        With 1 or more, a progress bar over the clips.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip, only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the columns, only after fitting on a DataFrame of samples.

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
        return (sum(width for _, width in self._series()) * len(list(self.statistics)),)

    def _series(self) -> list[tuple[str, int]]:
        """Name what statistics are computed of, and say how wide each is."""
        orders = ["mfcc", "mfcc_delta", "mfcc_delta2"][: int(self.deltas) + 1]
        widths = {"log_mel": int(self.n_mels), **DESCRIPTORS}
        return [(name, int(self.n_mfcc)) for name in orders] + [(name, widths[name]) for name in self.descriptors]

    def _get_feature_names(self) -> list[str]:
        return [
            f"{name}_{statistic}_{i}" if width > 1 else f"{name}_{statistic}"
            for name, width in self._series()
            for statistic in self.statistics
            for i in range(width)
        ]


class LogMelTransformer(ClipTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Mel spectra of sounds in decibels, all of the same size.

    Every clip becomes a matrix of bands and frames, for networks that look at spectra as at pictures. It is brought to
    the same duration first: a longer one is cut, a shorter one repeated from its start (or followed by silence). The
    numbers equal those of ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, ...))`` of those samples.
    The transformer learns nothing and works without being fitted. Three dimensions fit into no DataFrame, so it has no
    ``set_output``.

    Parameters
    ----------
    duration : float > 0, default=5.0
        Seconds that every clip is brought to.
    fill : {"loop", "pad"}, default="loop"
        What follows the end of a shorter clip: the clip again, or silence.
    sr : number > 0, default=22050
        Sampling rate in Hz that clips are brought to.
    n_fft : int >= 1, default=2048
        Length of the FFT window in samples.
    hop_length : int >= 1, default=512
        Samples from one frame to the next.
    n_mels : int >= 1, default=128
        Number of mel bands.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float, default=None
        Highest frequency in Hz, at most ``sr / 2``, which None stands for.
    res_type : str, default="soxr_hq"
        Resampler, by librosa's name. The ``kaiser_*`` ones need the extra ``soundclf[resampy]``; ``linear``,
        ``zero_order_hold`` and ``sinc_*`` need ``soundclf[samplerate]``.
    on_error : {"raise", "nan"}, default="raise"
        What to do about a clip that cannot be used: raise an AudioError, or give a row of NaN and, once, a warning that
        lists all such clips.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Folder in which the features of every clip are saved, so that cross-validation and searches compute them once.
        They are found again by the content of the clip and the parameters above, wherever the clip lies and whatever it
        is called; whole files are read for that, also with ``duration``. When a cache is closed and its file holds more
        than 4 GiB, the rows that have been unused for longest are deleted until 3 GiB remain. Of a Memory, only the
        location is used.
    n_jobs : int, default=None
        Number of threads over clips; None is 1 unless :func:`joblib.parallel_config` says otherwise, -1 uses all cores,
        or one inside a worker of joblib's, such as those of a search with ``n_jobs=2``.
    verbose : int, default=0
        With 1 or more, a progress bar over the clips.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip, only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the columns, only after fitting on a DataFrame of samples.

    See Also
    --------
    soundclf.features.log_mel : The same for the samples of one sound, of any length.
    librosa.feature.melspectrogram : The power itself.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import LogMelTransformer
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> LogMelTransformer(duration=2.0, n_mels=64).transform([tone]).shape
    (1, 64, 87)
    """

    _features: ClassVar[tuple[str, int]] = ("log_mel", 1)
    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        **ClipTransformer._rules,
        **MEL_PARAMETERS,
        "duration": (real_in(0, closed="neither"),),
        "fill": (one_of(["loop", "pad"]),),
    }

    def __init__(
        self,
        duration: float = 5.0,
        *,
        fill: str = "loop",
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        res_type: str = "soxr_hq",
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.duration = duration
        self.fill = fill
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.res_type = res_type
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_mel_parameters(type(self).__name__, MEL_PARAMETERS, vars(self))

    def _make_extractor(self) -> partial[NDArray[np.float32]]:
        settings = {name: getattr(self, name) for name in MEL_PARAMETERS}
        return partial(compute_fixed_log_mel, n_samples=self._n_samples(), loop=self.fill == "loop", **settings)

    def _n_samples(self) -> int:
        return max(1, round(float(self.duration or 0) * float(self.sr)))

    def _get_shape(self) -> tuple[int, ...]:
        n_fft = int(self.n_fft)
        return int(self.n_mels), 1 + (self._n_samples() + 2 * (n_fft // 2) - n_fft) // int(self.hop_length)

    def _get_feature_names(self) -> list[str]:
        n_mels, n_frames = self._get_shape()
        return [f"log_mel_{band}_{frame}" for band in range(n_mels) for frame in range(n_frames)]
