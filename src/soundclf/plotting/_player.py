"""A clip to look at and to listen to, in a notebook."""

from __future__ import annotations

import base64
import io
from html import escape

import soundfile

from .._utils.figures import get_file_name, import_pyplot, shorten
from .._utils.validation import NONE, check_params, real_in
from ..audio import Clip, load_channels, load_clip
from ._spectrogram import SpectrogramDisplay
from ._waveform import WaveformDisplay

__all__ = ["ClipPlayer"]

_RATE = 22050  # of what is played, in Hz
_LONGEST = 30  # seconds that are played


class ClipPlayer:
    """A clip that a notebook shows as its waveform and spectrogram, with a player below.

    What is embedded plays without the file: 16-bit samples, as a transformer hears them by default, in mono at 22,050
    Hz, no more than the first 30 seconds, which are 1.8 MB of HTML.

    Parameters
    ----------
    clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
        As for :func:`soundclf.load_clip`.
    sr : number > 0 [scalar], default=22050
        Sampling rate in Hz of an array that comes without one.
    duration : float > 0, default=30.0
        How much to show from the start, in seconds. None shows everything.

    Attributes
    ----------
    waveform : WaveformDisplay
        The samples, at the clip's own rate and with all its channels.
    spectrogram : SpectrogramDisplay
        The spectrum of what is heard.

    Raises
    ------
    AudioError, TypeError, ParameterError
        As from :func:`soundclf.load_clip`.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.plotting import ClipPlayer
    >>> ClipPlayer(np.sin(2 * np.pi * 440 * np.arange(22050) / 22050))
    <ClipPlayer: 1.00 s, 1 channel at 22,050 Hz>
    """

    def __init__(self, clip: Clip, *, sr: float = 22050, duration: float | None = 30.0):
        check_params(type(self).__name__, {"duration": duration}, {"duration": (NONE, real_in(0, closed="neither"))})
        # One second more tells whether there is more than is shown.
        samples, rate = load_channels(clip, sr=sr, duration=None if duration is None else float(duration) + 1)
        n_shown = samples.shape[1] if duration is None else max(1, int(duration * rate))
        self._more = samples.shape[1] > n_shown
        samples = samples[:, :n_shown]
        self.title = get_file_name(clip)
        self.waveform = WaveformDisplay(samples, rate, title=self.title)
        self._heard = load_clip((samples, rate), sr=_RATE)
        self.spectrogram = SpectrogramDisplay.from_clip((self._heard, _RATE), sr=_RATE)

    def __repr__(self) -> str:
        name = "" if self.title is None else f"{shorten(self.title)}, "
        return f"<{type(self).__name__}: {name}{self._get_caption()}>"

    def _get_caption(self) -> str:
        n_channels, n_samples = self.waveform.samples.shape
        channels = "1 channel" if n_channels == 1 else f"{n_channels} channels"
        first = "the first " if self._more else ""
        return f"{first}{n_samples / self.waveform.sr:.2f} s, {channels} at {self.waveform.sr:,.0f} Hz"

    def _repr_html_(self) -> str:
        picture, sound = self._picture(), self._sound()
        name = escape("clip" if self.title is None else shorten(self.title))
        part = f"the first {_LONGEST} s" if len(self._heard) > _LONGEST * _RATE else "all"
        return (
            '<figure style="margin:0;max-width:800px">'
            f'<img src="data:image/png;base64,{_text(picture)}" alt="Waveform and spectrogram of {name}" '
            'style="width:100%">'
            f'<audio controls src="data:audio/wav;base64,{_text(sound)}" style="width:100%"></audio>'
            f"<figcaption>{name}: {self._get_caption()}. The player holds {part} of it as a WAV file of 16 bits, mono, "
            f"{_RATE:,} Hz ({len(sound) / 1000:,.0f} kB).</figcaption></figure>"
        )

    def _picture(self) -> bytes:
        import_pyplot(type(self).__name__)
        from matplotlib.figure import Figure

        n_channels = len(self.waveform.samples)
        figure = Figure(figsize=(8, 3 + n_channels), layout="constrained")
        axes = figure.subplots(n_channels + 1, sharex=True, height_ratios=[1.0] * n_channels + [2.0])
        self.waveform.plot(axes[:-1])
        self.spectrogram.plot(axes[-1])
        for one in axes:
            one.label_outer()
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=100)
        return file.getvalue()

    def _sound(self) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, self._heard[: _LONGEST * _RATE], _RATE, format="WAV", subtype="PCM_16")
        return file.getvalue()


def _text(contents: bytes) -> str:
    return base64.b64encode(contents).decode("ascii")
