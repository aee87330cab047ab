"""The spectrum and the cepstrum of a clip over time."""

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
    """The spectrum of a clip over time, in decibels.

    Parameters
    ----------
    decibels : array-like of shape (n_bands, n_columns)
        Levels.
    times : array-like of shape (n_columns + 1,)
        Where columns begin and end, in seconds, ascending.
    frequencies : array-like of shape (n_bands + 1,)
        Where bands begin and end, in Hz, ascending.
    kind : {"mel", "linear"}, default="mel"
        How frequencies are spaced on their axis.
    title : str, default=None
        What is written above.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What is drawn on.
    figure_ : matplotlib.figure.Figure
        What that is on.
    image_ : matplotlib.collections.QuadMesh
        The picture.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        What its colours mean.

    Raises
    ------
    ParameterError
        If the arrays do not belong together.

    See Also
    --------
    librosa.display.specshow : What draws it.
    soundclf.features.log_mel : A mel spectrum as a feature.

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
        """Compute the spectrum of a clip, in decibels below its maximum and down to -80.

        The numbers equal those of ``librosa.power_to_db(S, ref=np.max)``, where ``S`` is
        ``librosa.feature.melspectrogram(y=y, sr=sr, ...)`` or ``np.abs(librosa.stft(y, ...)) ** 2``. Of a clip longer
        than 4,096 frames, columns are means of as many frames as are needed to have no more columns than that; a long
        recording is read block by block.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        kind : {"mel", "linear"}, default="mel"
            Mel bands, or all bins of the FFT.
        sr : number > 0 [scalar], default=22050
            Sampling rate in Hz that the clip is brought to.
        n_fft : int > 0, default=2048
            Length of the FFT window in samples.
        hop_length : int > 0, default=512
            Samples from one frame to the next.
        n_mels : int > 0, default=128
            Number of mel bands.
        fmin, fmax : float, default=0.0 and None
            Lowest and highest frequency of the mel bands in Hz, at most ``sr / 2``, which None stands for.
        duration : float > 0, default=None
            How much to read from the start, in seconds. None reads everything.

        Returns
        -------
        SpectrogramDisplay
            With the file's name as the title.

        Raises
        ------
        AudioError, TypeError
            As from :func:`soundclf.load_clip`.
        ParameterError
            For a parameter outside its range.
        """
        owner = f"{cls.__name__}.from_clip"
        settings: dict[str, Any] = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length}
        bands: dict[str, Any] = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax}
        check_mel_parameters(owner, {"kind": _KINDS, **MEL_PARAMETERS}, {"kind": kind, **settings, **bands})
        bank = None if kind == "linear" else get_filter_bank(sr=sr, n_fft=n_fft, **bands)
        decibels, times = compute_decibel_columns(clip, duration, bank, **settings)
        frequencies = _linear_borders(sr, n_fft) if kind == "linear" else _mel_borders(sr, **bands)
        return cls(decibels, times, frequencies, kind=kind, title=get_file_name(clip))

    def plot(self, ax: Axes | None = None, *, cmap: str = "magma", colorbar: bool = True) -> Self:
        """Draw the picture, its colours spanning 80 dB below 0 dB, or below the loudest if that is above 0 dB.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default a new figure.
        cmap : str, default="magma"
            Name of a matplotlib colormap. The default grows evenly lighter, in grey too.
        colorbar : bool, default=True
            Whether to show what colours mean.

        Returns
        -------
        SpectrogramDisplay
            The display itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        owner = f"{type(self).__name__}.plot"
        check_params(owner, {"cmap": cmap, "colorbar": colorbar}, _drawing(owner))
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
        if ((marked >= lowest) & (marked <= highest)).sum() < 2:  # librosa marks octaves, and there is none
            self.ax_.yaxis.set_major_locator(AutoLocator())
        format_time_axis(self.ax_, float(self.times[-1] - self.times[0]))
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_, label="Level (dB)", pad=0.02)
        if self.title is not None:
            self.ax_.set_title(shorten(self.title), parse_math=False)
        return self


class MFCCDisplay:
    """The mel-frequency cepstral coefficients of a clip over time.

    Parameters
    ----------
    mfcc : array-like of shape (n_mfcc, n_columns)
        Coefficients.
    times : array-like of shape (n_columns + 1,)
        Where columns begin and end, in seconds, ascending.
    title : str, default=None
        What is written above.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What is drawn on.
    figure_ : matplotlib.figure.Figure
        What that is on.
    image_ : matplotlib.collections.QuadMesh
        The picture.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        What its colours mean.

    Raises
    ------
    ParameterError
        If the arrays do not belong together.

    See Also
    --------
    librosa.feature.mfcc : The reference for the numbers.
    soundclf.MFCCMeanTransformer : Their means as features.

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

        Of a clip longer than 4,096 frames, columns are means of as many frames as are needed to have no more columns
        than that.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        n_mfcc : int > 0, default=40
            Number of coefficients, at most ``n_mels``.
        sr : number > 0 [scalar], default=22050
            Sampling rate in Hz that the clip is brought to.
        n_fft : int > 0, default=2048
            Length of the FFT window in samples.
        hop_length : int > 0, default=512
            Samples from one frame to the next.
        n_mels : int > 0, default=128
            Number of mel bands.
        fmin, fmax : float, default=0.0 and None
            Lowest and highest frequency in Hz, at most ``sr / 2``, which None stands for.
        duration : float > 0, default=None
            How much to read from the start, in seconds. None reads everything.

        Returns
        -------
        MFCCDisplay
            With the file's name as the title.

        Raises
        ------
        AudioError, TypeError
            As from :func:`soundclf.load_clip`.
        ParameterError
            For a parameter outside its range.
        """
        settings: dict[str, Any] = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length}
        bands: dict[str, Any] = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax}
        check_mel_parameters(f"{cls.__name__}.from_clip", MFCC_PARAMETERS, {"n_mfcc": n_mfcc, **settings, **bands})
        bank = get_filter_bank(sr=sr, n_fft=n_fft, **bands)
        return cls(*compute_mfcc_columns(clip, duration, bank, n_mfcc=n_mfcc, **settings), title=get_file_name(clip))

    def plot(self, ax: Axes | None = None, *, cmap: str = "viridis", colorbar: bool = True) -> Self:
        """Draw the picture.

        The colours span what 98 % of the values keep to, on both sides of 0. The coefficient 0, which follows the level
        and is much larger, does not count; nor does it show more than whether it is beyond them.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default a new figure.
        cmap : str, default="viridis"
            Name of a matplotlib colormap. The default grows evenly lighter, in grey too.
        colorbar : bool, default=True
            Whether to show what colours mean.

        Returns
        -------
        MFCCDisplay
            The display itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        owner = f"{type(self).__name__}.plot"
        check_params(owner, {"cmap": cmap, "colorbar": colorbar}, _drawing(owner))
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


def _drawing(owner: str) -> Mapping[str, tuple[Rule, ...]]:
    """Give the rules of what pictures are drawn with; the names of colours are matplotlib's."""
    import_pyplot(owner)
    from matplotlib import colormaps

    return {
        "cmap": (Rule("the name of a matplotlib colormap", lambda v: isinstance(v, str) and v in colormaps),),
        "colorbar": (BOOLEAN,),
    }


def _linear_borders(sr: float, n_fft: int) -> NDArray[np.float64]:
    """Give borders halfway between bins; the outermost ones end at 0 Hz and half the rate."""
    bins = np.fft.rfftfreq(n_fft, 1 / sr)
    return np.append((bins - sr / n_fft / 2).clip(0), sr / 2)


def _mel_borders(sr: float, n_mels: int, fmin: float, fmax: float | None) -> NDArray[np.float64]:
    """Give borders halfway, in mel, between the centres of bands; the outermost bands reach to the ends."""
    from librosa import mel_frequencies

    highest = sr / 2 if fmax is None else fmax
    halfway = np.asarray(mel_frequencies(2 * n_mels + 3, fmin=fmin, fmax=highest)[1::2])
    halfway[[0, -1]] = fmin, highest
    return halfway
