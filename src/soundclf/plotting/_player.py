"""Audio player with waveform and spectrogram for notebooks."""

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

_RATE = 22050  # Hz of the audio that is played
_MAX_DURATION = 30  # seconds that are played


class ClipPlayer:
    """Waveform and spectrogram of a clip with an audio player, displayed by notebooks.

    The audio is embedded as 16-bit mono at 22,050 Hz, the input of a transformer with default parameters, and does not
    depend on the file. At most the first 30 seconds are embedded (1.8 MB of HTML).

    Parameters
    ----------
    clip : str, pathlib.Path, bytes, binary file object, ndarray or (ndarray, sr) tuple
        As for :func:`soundclf.load_clip`.
    sr : number > 0 [scalar], default=22050
        Sampling rate of an array passed without one, in Hz.
    duration : float > 0, default=30.0
        Length to show from the start, in seconds. None shows the entire clip.

    Attributes
    ----------
    waveform : WaveformDisplay
        Waveform at the clip's own rate, with all its channels.
    spectrogram : SpectrogramDisplay
        Spectrogram of the audio that is played.

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
        # Read one more second to find out whether the clip is longer than what is shown.
        samples, rate = load_channels(clip, sr=sr, duration=None if duration is None else float(duration) + 1)
        n_shown = samples.shape[1] if duration is None else max(1, int(duration * rate))
        self._is_cut = samples.shape[1] > n_shown
        samples = samples[:, :n_shown]
        self.title = get_file_name(clip)
        self.waveform = WaveformDisplay(samples, rate, title=self.title)
        self._played = load_clip((samples, rate), sr=_RATE)
        self.spectrogram = SpectrogramDisplay.from_clip((self._played, _RATE), sr=_RATE)

    def __repr__(self) -> str:
        name = "" if self.title is None else f"{shorten(self.title)}, "
        return f"<{type(self).__name__}: {name}{self._get_caption()}>"

    def _get_caption(self) -> str:
        n_channels, n_samples = self.waveform.samples.shape
        channels = "1 channel" if n_channels == 1 else f"{n_channels} channels"
        first = "the first " if self._is_cut else ""
        return f"{first}{n_samples / self.waveform.sr:.2f} s, {channels} at {self.waveform.sr:,.0f} Hz"

    def _repr_html_(self) -> str:
        image, audio = self._render_image(), self._encode_audio()
        name = escape("clip" if self.title is None else shorten(self.title))
        part = f"the first {_MAX_DURATION} s" if len(self._played) > _MAX_DURATION * _RATE else "all"
        return (
            '<figure style="margin:0;max-width:800px">'
            f'<img src="data:image/png;base64,{_encode_base64(image)}" alt="Waveform and spectrogram of {name}" '
            'style="width:100%">'
            f'<audio controls src="data:audio/wav;base64,{_encode_base64(audio)}" style="width:100%"></audio>'
            f"<figcaption>{name}: {self._get_caption()}. The player contains {part} of it as 16-bit mono WAV, "
            f"{_RATE:,} Hz ({len(audio) / 1000:,.0f} kB).</figcaption></figure>"
        )

    def _render_image(self) -> bytes:
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

    def _encode_audio(self) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, self._played[: _MAX_DURATION * _RATE], _RATE, format="WAV", subtype="PCM_16")
        return file.getvalue()


def _encode_base64(contents: bytes) -> str:
    return base64.b64encode(contents).decode("ascii")
