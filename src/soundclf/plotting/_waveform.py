"""Display of a waveform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .._utils.figures import PRIMARY_COLOR, format_time_axis, get_axes, get_file_name, shorten
from ..audio import Clip, load_channels
from ._columns import compute_peak_samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WaveformDisplay"]

_MARKED = 200  # samples up to which each is marked


class WaveformDisplay:
    """Waveform of a clip, with one axes per channel.

    A long clip is drawn as an envelope, as :func:`librosa.display.waveshow` does; zooming in shows samples.

    Parameters
    ----------
    samples : ndarray of shape (n,) or (channels, n)
        Samples, as floats.
    sr : number > 0 [scalar]
        Sampling rate, in Hz.
    title : str, default=None
        Title of the plot.

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        One axes per channel.
    figure_ : matplotlib.figure.Figure
        Figure of the axes.
    waves_ : list of librosa.display.AdaptiveWaveplot
        Waveform of each channel: ``steps``, a line through the samples, and ``envelope``, which is shown for more than
        11,025 samples.

    Raises
    ------
    AudioError
        If the samples are invalid, with the reason.

    See Also
    --------
    SpectrogramDisplay : Spectrogram of a clip.
    ClipPlayer : Waveform and spectrogram with an audio player, in a notebook.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.plotting import WaveformDisplay
    >>> stereo = np.sin(2 * np.pi * np.array([[440], [880]]) * np.arange(8000) / 8000)
    >>> display = WaveformDisplay.from_clip((stereo, 8000)).plot()
    >>> len(display.axes_)
    2
    """

    figure_: Figure
    axes_: list[Axes]
    waves_: list[Any]

    def __init__(self, samples: NDArray[np.floating], sr: float, *, title: str | None = None):
        self.samples, self.sr = load_channels((samples, sr))
        self.title = title

    @classmethod
    def from_clip(cls, clip: Clip, *, sr: float = 22050, duration: float | None = None) -> Self:
        """Read a clip at its own sampling rate, with all its channels.

        A clip with more than 2**22 samples per channel is reduced to the samples of largest magnitude in equal
        intervals, and ``sr`` is the rate of these samples; a long recording is read block by block.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        sr : number > 0 [scalar], default=22050
            Sampling rate of an array passed without one, in Hz.
        duration : float > 0, default=None
            Length to read from the start, in seconds. None reads the entire clip.

        Returns
        -------
        WaveformDisplay
            With the file's name as the title.

        Raises
        ------
        AudioError, TypeError, ParameterError
            As from :func:`soundclf.load_clip`.
        """
        return cls(*compute_peak_samples(clip, sr, duration), title=get_file_name(clip))

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Self:
        """Draw the waveform.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw on: one per channel, or one that is split; by default those of a new figure.

        Returns
        -------
        WaveformDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        owner = f"{type(self).__name__}.plot"
        n_channels, n_samples = self.samples.shape
        self.figure_, self.axes_ = get_axes(owner, ax, n_channels, (8, 1 + 1.5 * n_channels))
        from librosa.display import waveshow

        duration = n_samples / self.sr
        limit = max(1.0, float(np.abs(self.samples).max()))
        marker = "." if n_samples <= _MARKED else ""
        self.waves_ = []
        for channel, one in enumerate(self.axes_):
            self.waves_.append(waveshow(self.samples[channel], sr=self.sr, ax=one, color=PRIMARY_COLOR, marker=marker))
            one.set(xlim=(0, duration), ylim=(-limit, limit))
            format_time_axis(one, duration)
            one.set_ylabel("Amplitude" if n_channels == 1 else f"Amplitude,\nchannel {channel + 1}")
            if n_channels > 1:
                one.label_outer()
        if self.title is not None:
            self.axes_[0].set_title(shorten(self.title), parse_math=False)
        return self
