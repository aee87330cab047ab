"""The samples of a clip over time."""

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
    """The samples of a clip over time, an axis for each channel.

    A long clip is drawn as an envelope, as :func:`librosa.display.waveshow` does; zooming in shows samples.

    Parameters
    ----------
    samples : ndarray of shape (n,) or (channels, n)
        Float samples.
    sr : number > 0 [scalar]
        Their sampling rate in Hz.
    title : str, default=None
        What is written above.

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        One for each channel.
    figure_ : matplotlib.figure.Figure
        What they are on.
    waves_ : list of librosa.display.AdaptiveWaveplot
        What is drawn of each channel: ``steps``, a line through the samples, and ``envelope``, which is what is seen of
        more than 11,025 samples.

    Raises
    ------
    AudioError
        If the samples cannot be used, with the reason.

    See Also
    --------
    SpectrogramDisplay : The spectrum over time.
    ClipPlayer : Waveform and spectrogram beside a player, in a notebook.

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
        """Read a clip as it is: at its own rate, with all its channels.

        Of a clip of more than four million samples a channel, the one farthest from zero stands for as many as are
        needed to have no more than that, and ``sr`` is their rate; a long recording is read block by block.

        Parameters
        ----------
        clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
            As for :func:`soundclf.load_clip`.
        sr : number > 0 [scalar], default=22050
            Sampling rate in Hz of an array that comes without one.
        duration : float > 0, default=None
            How much to read from the start, in seconds. None reads everything.

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
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Where to draw: one axes for each channel, or one that is divided between them; by default a new figure.

        Returns
        -------
        WaveformDisplay
            The display itself.

        Raises
        ------
        ImportError
            Without matplotlib.
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
