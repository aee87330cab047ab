"""Displays of spectrograms and MFCCs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.figures import format_time_axis, get_axes, get_file_name, import_pyplot, shorten
from .._utils.validation import BOOLEAN, Rule, check_params, one_of
from ..audio import Clip
from ..features import MEL_PARAMETERS, MFCC_PARAMETERS, check_mel_parameters, get_filter_bank
from ._arrays import check_borders, check_matrix
from ._columns import compute_decibel_columns, compute_mfcc_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

__all__ = ["MFCCDisplay", "SpectrogramDisplay"]

_KINDS: tuple[Rule, ...] = (one_of(["mel", "linear"]),)


class SpectrogramDisplay:
    """Spectrogram of a clip, in decibels.

    Parameters
    ----------
    decibels : array-like of shape (n_bands, n_columns)
        Levels, in dB.
    times : array-like of shape (n_columns + 1,)
        Boundaries of the columns, in seconds, increasing.
    frequencies : array-like of shape (n_bands + 1,)
        Boundaries of the bands, in Hz, increasing.
    kind : {"mel", "linear"}, default="mel"
        Scale of the frequency axis.
    title : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the plot.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    image_ : matplotlib.collections.QuadMesh
        The image.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        Color bar of the image.

    Raises
    ------
    ParameterError
        If the shapes of the arrays do not match.

    See Also
    --------
    librosa.display.specshow : Function that draws the spectrogram.
    soundclf.features.log_mel : Mel spectrogram as a feature.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.plotting import SpectrogramDisplay
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> display = SpectrogramDisplay.from_clip(tone).plot()
    >>> display.ax_.get_ylabel()
    'Frequency (Hz)'
    """

    figure_: Figure
    ax_: Axes
    image_: QuadMesh
    colorbar_: Colorbar | None

    def __init__(
        self,
        decibels: ArrayLike,
        times: ArrayLike,
        frequencies: ArrayLike,
        *,
        kind: Literal["mel", "linear"] = "mel",
        title: str | None = None,
    ):
        check_params(type(self).__name__, {"kind": kind}, {"kind": _KINDS})
        self.decibels = check_matrix(type(self).__name__, "decibels", decibels)
        self.times = check_borders(type(self).__name__, "times", times, self.decibels.shape[1])
        self.frequencies = check_borders(type(self).__name__, "frequencies", frequencies, self.decibels.shape[0])
        self.kind = kind
        self.title = title

    @classmethod
    def from_clip(
        cls,
        clip: Clip,
        *,
        kind: Literal["mel", "linear"] = "mel",
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        duration: float | None = None,
    ) -> Self:
        """Compute the spectrogram of a clip, in dB relative to its maximum, clipped at -80 dB.

        The values equal those of ``librosa.power_to_db(S, ref=np.max)``, where ``S`` is
        ``librosa.feature.melspectrogram(y=y, sr=sr, ...)`` or ``np.abs(librosa.stft(y, ...)) ** 2``. Of a clip with
        more than 4,096 frames, columns are means over several frames, so that there are at most 4,096; a long recording
        is read block by block.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        kind : {"mel", "linear"}, default="mel"
            Whether to compute mel bands or all FFT bins.
        sr : number > 0 [scalar], default=22050
            Sampling rate that the clip is resampled to, in Hz.
        n_fft : int > 0, default=2048
            Length of the FFT window, in samples.
        hop_length : int > 0, default=512
            Number of samples between successive frames.
        n_mels : int > 0, default=128
            Number of mel bands.
        fmin, fmax : float, default=0.0 and None
            Lowest and highest frequency of the mel bands, in Hz. None uses ``sr / 2``.
        duration : float > 0, default=None
            Length to read from the start, in seconds. None reads the entire clip.

        Returns
        -------
        SpectrogramDisplay
            With the file's name as the title.

        Raises
        ------
        AudioError, TypeError
            As from :func:`soundclf.load_clip`.
        ParameterError
            If a parameter is out of range.
        """
        owner = f"{cls.__name__}.from_clip"
        settings: dict[str, Any] = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length}
        bands: dict[str, Any] = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax}
        check_mel_parameters(owner, {"kind": _KINDS, **MEL_PARAMETERS}, {"kind": kind, **settings, **bands})
        bank = None if kind == "linear" else get_filter_bank(sr=sr, n_fft=n_fft, **bands)
        decibels, times = compute_decibel_columns(clip, duration, bank, **settings)
        frequencies = _compute_linear_borders(sr, n_fft) if kind == "linear" else _compute_mel_borders(sr, **bands)
        return cls(decibels, times, frequencies, kind=kind, title=get_file_name(clip))

    def plot(self, ax: Axes | None = None, *, cmap: str = "magma", colorbar: bool = True) -> Self:
        """Draw the spectrogram; colors span the 80 dB below 0 dB, or below the maximum if it is higher.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; by default those of a new figure.
        cmap : str, default="magma"
            Name of a matplotlib colormap. The default is perceptually uniform, also in grayscale.
        colorbar : bool, default=True
            Whether to add a color bar.

        Returns
        -------
        SpectrogramDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        owner = f"{type(self).__name__}.plot"
        check_params(owner, {"cmap": cmap, "colorbar": colorbar}, _get_plot_rules(owner))
        self.figure_, (self.ax_,) = get_axes(owner, ax, 1, (8, 3.5))
        from librosa.display import specshow
        from matplotlib.ticker import AutoLocator

        top = max(0.0, float(self.decibels.max()))
        self.image_ = specshow(
            self.decibels,
            x_coords=self.times,
            y_coords=self.frequencies,
            x_axis="time",
            y_axis=self.kind,
            ax=self.ax_,
            cmap=cmap,
            vmin=top - 80,
            vmax=top,
        )
        self.ax_.set(xlim=self.times[[0, -1]], ylim=self.frequencies[[0, -1]], ylabel="Frequency (Hz)")
        lowest, highest = self.frequencies[[0, -1]]
        marked = self.ax_.get_yticks()
        if ((marked >= lowest) & (marked <= highest)).sum() < 2:  # librosa marks octaves only
            self.ax_.yaxis.set_major_locator(AutoLocator())
        format_time_axis(self.ax_, float(self.times[-1] - self.times[0]))
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_, label="Level (dB)", pad=0.02)
        if self.title is not None:
            self.ax_.set_title(shorten(self.title), parse_math=False)
        return self


class MFCCDisplay:
    """Mel-frequency cepstral coefficients (MFCCs) of a clip.

    Parameters
    ----------
    mfcc : array-like of shape (n_mfcc, n_columns)
        Coefficients.
    times : array-like of shape (n_columns + 1,)
        Boundaries of the columns, in seconds, increasing.
    title : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the plot.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    image_ : matplotlib.collections.QuadMesh
        The image.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        Color bar of the image.

    Raises
    ------
    ParameterError
        If the shapes of the arrays do not match.

    See Also
    --------
    librosa.feature.mfcc : Reference for the values.
    soundclf.MFCCMeanTransformer : Mean MFCCs as features.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.plotting import MFCCDisplay
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> MFCCDisplay.from_clip(tone, n_mfcc=13).plot().mfcc.shape
    (13, 44)
    """

    figure_: Figure
    ax_: Axes
    image_: QuadMesh
    colorbar_: Colorbar | None

    def __init__(self, mfcc: ArrayLike, times: ArrayLike, *, title: str | None = None):
        self.mfcc = check_matrix(type(self).__name__, "mfcc", mfcc)
        self.times = check_borders(type(self).__name__, "times", times, self.mfcc.shape[1])
        self.title = title

    @classmethod
    def from_clip(
        cls,
        clip: Clip,
        *,
        n_mfcc: int = 40,
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        duration: float | None = None,
    ) -> Self:
        """Compute the coefficients of a clip, equal to those of ``librosa.feature.mfcc(y=y, sr=sr, ...)``.

        Of a clip with more than 4,096 frames, columns are means over several frames, so that there are at most 4,096.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        n_mfcc : int > 0, default=40
            Number of coefficients, at most ``n_mels``.
        sr : number > 0 [scalar], default=22050
            Sampling rate that the clip is resampled to, in Hz.
        n_fft : int > 0, default=2048
            Length of the FFT window, in samples.
        hop_length : int > 0, default=512
            Number of samples between successive frames.
        n_mels : int > 0, default=128
            Number of mel bands.
        fmin, fmax : float, default=0.0 and None
            Lowest and highest frequency of the mel bands, in Hz. None uses ``sr / 2``.
        duration : float > 0, default=None
            Length to read from the start, in seconds. None reads the entire clip.

        Returns
        -------
        MFCCDisplay
            With the file's name as the title.

        Raises
        ------
        AudioError, TypeError
            As from :func:`soundclf.load_clip`.
        ParameterError
            If a parameter is out of range.
        """
        settings: dict[str, Any] = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length}
        bands: dict[str, Any] = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax}
        check_mel_parameters(f"{cls.__name__}.from_clip", MFCC_PARAMETERS, {"n_mfcc": n_mfcc, **settings, **bands})
        bank = get_filter_bank(sr=sr, n_fft=n_fft, **bands)
        return cls(*compute_mfcc_columns(clip, duration, bank, n_mfcc=n_mfcc, **settings), title=get_file_name(clip))

    def plot(self, ax: Axes | None = None, *, cmap: str = "viridis", colorbar: bool = True) -> Self:
        """Draw the coefficients.

        Colors span the 98th percentile of the magnitude, symmetrically around 0. Coefficient 0, which follows the level
        and is much larger, is not included and may be outside this range.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; by default those of a new figure.
        cmap : str, default="viridis"
            Name of a matplotlib colormap. The default is perceptually uniform, also in grayscale.
        colorbar : bool, default=True
            Whether to add a color bar.

        Returns
        -------
        MFCCDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        owner = f"{type(self).__name__}.plot"
        check_params(owner, {"cmap": cmap, "colorbar": colorbar}, _get_plot_rules(owner))
        self.figure_, (self.ax_,) = get_axes(owner, ax, 1, (8, 3.5))
        from matplotlib.ticker import MaxNLocator

        limit = float(np.percentile(np.abs(self.mfcc[1:] if len(self.mfcc) > 1 else self.mfcc), 98)) or 1.0
        rows = np.arange(len(self.mfcc) + 1) - 0.5
        self.image_ = self.ax_.pcolormesh(
            self.times, rows, self.mfcc, cmap=cmap, vmin=-limit, vmax=limit, rasterized=True
        )
        self.ax_.set(xlim=self.times[[0, -1]], ylim=rows[[0, -1]], ylabel="Coefficient")
        self.ax_.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        format_time_axis(self.ax_, float(self.times[-1] - self.times[0]))
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_, label="Value", extend="both", pad=0.02)
        if self.title is not None:
            self.ax_.set_title(shorten(self.title), parse_math=False)
        return self


def _get_plot_rules(owner: str) -> Mapping[str, tuple[Rule, ...]]:
    """Return the rules of the parameters of ``plot``; names of colormaps are those of matplotlib."""
    import_pyplot(owner)
    from matplotlib import colormaps

    return {
        "cmap": (Rule("the name of a matplotlib colormap", lambda v: isinstance(v, str) and v in colormaps),),
        "colorbar": (BOOLEAN,),
    }


def _compute_linear_borders(sr: float, n_fft: int) -> NDArray[np.float64]:
    """Return boundaries halfway between FFT bins; the outermost are 0 Hz and half the sampling rate."""
    bins = np.fft.rfftfreq(n_fft, 1 / sr)
    return np.append((bins - sr / n_fft / 2).clip(0), sr / 2)


def _compute_mel_borders(sr: float, n_mels: int, fmin: float, fmax: float | None) -> NDArray[np.float64]:
    """Return boundaries halfway, in mel, between the band centers; the outermost are ``fmin`` and ``fmax``."""
    from librosa import mel_frequencies

    highest = sr / 2 if fmax is None else fmax
    halfway = np.asarray(mel_frequencies(2 * n_mels + 3, fmin=fmin, fmax=highest)[1::2])
    halfway[[0, -1]] = fmin, highest
    return halfway
