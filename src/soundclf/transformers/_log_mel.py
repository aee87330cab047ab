"""Transformer from clips to mel spectra of one size."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import Rule, one_of, real_in
from ..features import MEL_PARAMETERS, check_mel_parameters, compute_fixed_log_mel
from ._base import ClipTransformer

__all__ = ["LogMelTransformer"]


class LogMelTransformer(ClipTransformer, auto_wrap_output_keys=None):
    """Log-mel spectrograms of sounds, in dB, all of the same size.

    Each clip becomes a matrix ``(n_mels, n_frames)``, the input of convolutional networks. All clips are brought to the
    same duration first: longer ones are cut, shorter ones are repeated from their start or padded with silence. The
    numbers equal those of ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, ...))`` of those samples.
    The transformer is stateless and works without being fitted. Its output is 3-D, which no DataFrame holds, so it has
    no ``set_output``.

    Parameters
    ----------
    duration : float > 0, default=5.0
        Duration that each clip is cut or extended to, in seconds.
    fill : {"loop", "pad"}, default="loop"
        How shorter clips are extended: by repetition, or with silence.
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
        return partial(compute_fixed_log_mel, n_samples=self._get_n_samples(), loop=self.fill == "loop", **settings)

    def _get_n_samples(self) -> int:
        return max(1, round(float(self.duration or 0) * float(self.sr)))

    def _get_shape(self) -> tuple[int, ...]:
        n_fft = int(self.n_fft)
        return int(self.n_mels), 1 + (self._get_n_samples() + 2 * (n_fft // 2) - n_fft) // int(self.hop_length)

    def _get_feature_names(self) -> list[str]:
        n_mels, n_frames = self._get_shape()
        return [f"log_mel_{band}_{frame}" for band in range(n_mels) for frame in range(n_frames)]
