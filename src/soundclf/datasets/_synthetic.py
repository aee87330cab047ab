"""Synthetic sounds for examples and tests that should not need a download."""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from sklearn.utils import Bunch

from .._utils.files import write_atomically
from .._utils.validation import NONE, Rule, check_params, integer_in, one_of, real_in

__all__ = ["make_sounds"]

_DESCR = """Generated sounds of {} classes: {}.

{} mono clips of {:g} s at {} Hz, from {} recordings. Clips of one recording share the source's pitch, rate and
resonance, the room, its background noise and the microphone, and are therefore more similar than clips of different
recordings: do not split a recording (see `groups`) between training and test data.
"""

# A class's function draws the parameters shared by the clips of a recording from the generator `recording`, which is
# created again with the same seed for each clip, and the parameters of a single clip from `take`.


def _log_uniform(random: Generator, low: float, high: float) -> float:
    """Draw from a log-uniform distribution on [low, high)."""
    return float(low * (high / low) ** random.random())


def _times(n: int, sr: int) -> np.ndarray:
    """Return the times of n samples, in seconds."""
    return np.arange(n) / sr


def _oscillate(frequency: np.ndarray, sr: int, partials: Sequence[float] = (1.0,)) -> np.ndarray:
    """Sum harmonics of a time-varying fundamental, without those that would alias."""
    phase = 2 * np.pi * np.cumsum(frequency) / sr
    sound = np.zeros(len(frequency))
    for k, amplitude in enumerate(partials, start=1):
        sound += amplitude * np.sin(k * phase) * (k * frequency < 0.45 * sr)
    return sound


def _filter(sound: np.ndarray, sr: int, slope: float, peak: float = 1000.0, height: float = 0.0) -> np.ndarray:
    """Tilt a spectrum by `slope` dB per octave, boost it by `height` dB around `peak` Hz, and remove 0 Hz."""
    frequency = np.fft.rfftfreq(len(sound), 1 / sr)
    octaves = np.log2(np.maximum(frequency, 50.0) / 1000.0)
    bump = np.exp(-0.5 * ((octaves - np.log2(peak / 1000.0)) / 0.4) ** 2)
    gain = 10 ** ((slope * octaves + height * bump) / 20) * (frequency > 0)
    return np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))


def _noise(random: Generator, n: int, sr: int, slope: float) -> np.ndarray:
    """Generate Gaussian noise of unit power with a slope in dB per octave: -3 is pink, -6 is brown noise."""
    noise = _filter(random.standard_normal(n), sr, slope)
    return noise / np.std(noise)


def _onsets(take: Generator, period: float, n: int, sr: int) -> np.ndarray:
    """Return the times of events every `period` seconds, the first in the first half of the clip."""
    duration = n / sr
    return np.arange(take.random() * min(period, 0.5 * duration), duration, period)


def _convolve(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(sound, response)[: len(sound)])


def _repeat(event: np.ndarray, onsets: np.ndarray, gains: np.ndarray, n: int, sr: int) -> np.ndarray:
    """Add an event at every onset, scaled by the gains."""
    train = np.zeros(n)
    np.add.at(train, np.minimum((onsets * sr).astype(int), n - 1), gains)
    return _convolve(train, event)


# The classes.


def _bell(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize strikes of a church bell, whose higher partials decay faster."""
    t = _times(n, sr)
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.3]) * (1 + 0.01 * recording.standard_normal(9))
    frequencies = _log_uniform(recording, 600, 900) * ratios
    amplitudes = ratios ** -recording.uniform(0.6, 0.9) * recording.uniform(0.6, 1.0, 9) * (frequencies < 0.45 * sr)
    decays = _log_uniform(recording, 0.6, 1.5) / ratios
    event = np.zeros(n)
    for frequency, amplitude, decay in zip(frequencies, amplitudes, decays, strict=True):
        event += amplitude * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t)
    onsets = _onsets(take, recording.uniform(0.4, 0.9), n, sr)
    return _repeat(event, onsets, take.uniform(0.5, 1.0, len(onsets)), n, sr)


def _bird(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize two alternating kinds of chirps with glides and vibrato."""
    pitch = min(_log_uniform(recording, 2500, 4200), 0.28 * sr)
    onsets = _onsets(take, recording.uniform(0.1, 0.17), n, sr)
    gains = take.uniform(0.4, 1.0, len(onsets))
    song = np.zeros(n)
    for part in range(2):
        t = _times(int(sr * recording.uniform(0.05, 0.15)), sr)
        glide, tremble = recording.uniform(-0.4, 0.4), recording.uniform(0.04, 0.12)
        x = t / t[-1]
        octaves = glide * (x - 0.5) + tremble * np.sin(2 * np.pi * recording.uniform(25, 60) * t)
        whistle = _oscillate(pitch * 2**octaves, sr, (1.0, recording.uniform(0.0, 0.2))) * np.sin(np.pi * x) ** 2
        song += _repeat(whistle, onsets[part::2], gains[part::2], n, sr)
    return song


def _clock(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize alternating resonant clicks at a steady tempo."""
    onsets = _onsets(take, recording.uniform(0.2, 0.5), n, sr)
    gains = take.uniform(0.8, 1.0, len(onsets))
    first = take.integers(2)
    pitch = _log_uniform(recording, 1800, 4000)
    ticking = np.zeros(n)
    for part, ratio in enumerate((1.0, recording.uniform(0.7, 0.95))):
        t = _times(int(0.06 * sr), sr)
        low, high = (min(ratio * pitch * overtone, 0.42 * sr) for overtone in (1.0, recording.uniform(1.5, 2.5)))
        decay = _log_uniform(recording, 0.002, 0.008)
        click = np.sin(2 * np.pi * low * t) + recording.random() * np.sin(2 * np.pi * high * t)
        mine = slice((part + first) % 2, None, 2)
        ticking += _repeat(click * np.exp(-t / decay), onsets[mine], gains[mine], n, sr)
    return ticking


def _drum(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize a snare drum with a falling pitch and random missing beats."""
    t = _times(min(n, int(0.8 * sr)), sr)
    pitch = _log_uniform(recording, 70, 160) * (1 + recording.uniform(0.2, 0.8) * np.exp(-t / 0.03))
    skin = _oscillate(pitch, sr, (1.0, 0.4, 0.2)) * np.exp(-t / _log_uniform(recording, 0.05, 0.15))
    rattle = _noise(take, len(t), sr, recording.uniform(-3, 2)) * np.exp(-t / _log_uniform(recording, 0.01, 0.12))
    onsets = _onsets(take, recording.uniform(0.15, 0.35), n, sr)
    gains = take.uniform(0.4, 1.0, len(onsets)) * (take.random(len(onsets)) < 0.7)
    gains[0] = 1.0
    return _repeat(skin + _log_uniform(recording, 0.03, 0.6) * rattle, onsets, gains, n, sr)


def _engine(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize the uneven pulses of an engine through a resonant, hissing exhaust."""
    t = _times(n, sr)
    wander = 1 + 0.06 * np.sin(2 * np.pi * (take.uniform(0.1, 0.6) * t + take.random()))
    phase = 2 * np.pi * (np.cumsum(_log_uniform(recording, 25, 70) * wander) / sr + 4 * take.random())
    pulses = np.exp(_log_uniform(recording, 20, 60) * (np.cos(phase) - 1))
    pulses *= 1 + recording.uniform(0.1, 0.5) * np.cos(phase / 2) + recording.uniform(0.0, 0.3) * np.sin(phase / 4)
    hiss = _noise(take, n, sr, recording.uniform(-5, -3)) * (0.3 + pulses)
    motor = pulses / np.std(pulses) + _log_uniform(recording, 0.1, 0.4) * hiss
    return _filter(motor, sr, 0.0, _log_uniform(recording, 150, 600), recording.uniform(5, 12))


def _phone(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize an electronic ring: bursts of two alternating tones."""
    t = _times(n, sr)
    low = _log_uniform(recording, 1100, 1450)
    high = low * recording.uniform(1.2, 1.35)
    rate, start = recording.uniform(12, 26), take.random()
    tones = np.where((rate * t + start) % 1 < 0.5, low, high)
    ring = _oscillate(tones, sr, (1.0, *recording.uniform(0.2, 0.5, 5)))
    burst, pause = recording.uniform(0.35, 1.0), recording.uniform(0.1, 0.3)
    position = (t + take.random() * burst) % (burst + pause)
    return ring * np.clip(np.minimum(position, burst - position) / 0.005, 0, 1)


def _rain(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize steady noise with nearby drops."""
    rush = _noise(take, n, sr, recording.uniform(-2, 0))
    t = _times(int(0.02 * sr), sr)
    splash = np.cos(2 * np.pi * _log_uniform(recording, 600, 3000) * t) * np.exp(-t / recording.uniform(0.001, 0.004))
    count = 1 + take.poisson(_log_uniform(recording, 10, 200) * n / sr)
    drops = _repeat(splash, take.random(count) * n / sr, take.lognormal(0.0, 0.8, count), n, sr)
    return rush + recording.uniform(0.3, 2.0) * drops / np.std(drops)


def _siren(recording: Generator, take: Generator, n: int, sr: int) -> np.ndarray:
    """Synthesize a tone that sweeps up and down, through a horn."""
    swing = np.sin(2 * np.pi * (_log_uniform(recording, 0.35, 3.0) * _times(n, sr) + take.random()))
    tone = _log_uniform(recording, 650, 950) * 2 ** (recording.uniform(0.4, 0.7) * swing)
    wail = _oscillate(tone, sr, (1.0, *recording.uniform(0.3, 0.6, 5)))
    return _filter(wail, sr, 0.0, _log_uniform(recording, 700, 1800), recording.uniform(3, 12))


_SYNTHESIZERS: dict[str, Callable[[Generator, Generator, int, int], np.ndarray]] = {
    "bell": _bell,
    "bird": _bird,
    "clock": _clock,
    "drum": _drum,
    "engine": _engine,
    "phone": _phone,
    "rain": _rain,
    "siren": _siren,
}


def _synthesize_clip(entropy: int, name: str, number: int, take_number: int, n: int, sr: int) -> np.ndarray:
    """Synthesize a clip: the source in a room, with background noise, as recorded by a microphone."""
    key = zlib.crc32(name.encode())
    recording = default_rng(SeedSequence(entropy, spawn_key=(key, number)))
    take = default_rng(SeedSequence(entropy, spawn_key=(key, number, take_number)))

    sound = _SYNTHESIZERS[name](recording, take, n, sr)
    noise = _noise(take, n, sr, recording.uniform(-5.5, -4.5))
    snr = recording.uniform(10, 32) + take.uniform(-2, 2)
    level = recording.uniform(-22, -2) + take.uniform(-1.5, 1.5)
    slope, peak, height = recording.uniform(-0.5, 0.5), _log_uniform(recording, 200, 0.4 * sr), recording.uniform(-2, 2)

    t = _times(int(sr * recording.uniform(0.1, 0.5)), sr)
    wet = recording.uniform(0.05, 0.4)
    echo = recording.standard_normal(len(t)) * np.exp(-6.9 * t / t[-1])  # 60 dB down at its end
    echo *= wet / np.sqrt(np.sum(echo**2))
    echo[0] += 1.0

    sound = _convolve(sound, echo)
    sound = _filter(sound / np.std(sound) + 10 ** (-snr / 20) * noise, sr, slope, peak, height)
    return (10 ** (level / 20) * sound / np.abs(sound).max()).astype(np.float32)


def _write_files(files: list[Path], clips: Iterable[np.ndarray], sr: int) -> None:
    import soundfile

    for file in files:
        if file.exists():
            raise FileExistsError(
                f"The file {str(file)!r} already exists; use another directory or remove the file first."
            )
    for file, clip in zip(files, clips, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(file) as temporary:
            soundfile.write(temporary, clip, sr, subtype="PCM_16", format="WAV")


_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "n_samples": (integer_in(1),),
    "classes": (
        NONE,
        Rule("a list of different names", lambda v: np.ndim(v) == 1 and 0 < len(v) == len(set(map(str, v)))),
    ),
    "clips_per_recording": (integer_in(1),),
    "duration": (real_in(0.1, closed="neither"),),
    "sr": (integer_in(8000),),
    "directory": (NONE, Rule("a path", lambda v: isinstance(v, str | os.PathLike))),
    "random_state": (NONE, integer_in(0), Rule("a RandomState", lambda v: isinstance(v, np.random.RandomState))),
}


def make_sounds(
    n_samples: int = 240,
    *,
    classes: Sequence[str] | None = None,
    clips_per_recording: int = 3,
    duration: float = 1.5,
    sr: int = 22050,
    directory: str | os.PathLike[str] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Generate sounds of eight clearly distinguishable classes.

    The classes are "bell", "bird", "clock", "drum", "engine", "phone", "rain" and "siren". Each *recording* has its
    own hidden parameters: pitch, rate and resonance of the source, the room, its background noise, the microphone
    and its gain. Its clips differ in timing, level and noise. As in real collections, clips of one recording are
    therefore more similar to each other than to the rest of their class, and dividing a recording between training
    and test data overestimates the score; pass ``groups`` to a splitter such as
    :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    Parameters
    ----------
    n_samples : int, default=240
        Total number of clips, at least one per class, distributed evenly; the first classes get the remainder.
    classes : sequence of str, default=None
        Classes to generate, without repetition. None generates all classes.
    clips_per_recording : int >= 1, default=3
        Number of clips per recording; the last recording of a class may have fewer.
    duration : float > 0.1, default=1.5
        Length of each clip, in seconds, rounded to a whole number of samples.
    sr : int >= 8000, default=22050
        Sampling rate, in Hz.
    directory : str or path-like, default=None
        Folder in which to write the clips, as 16-bit PCM WAV files ``<class>/<recording>-<take>.wav``. It is created
        if it does not exist. None returns the clips as arrays.
    random_state : int >= 0, RandomState instance or None, default=None
        Seed of the generator. With an int, the sounds are bit-identical on one machine, and a recording does not
        depend on ``n_samples`` or the other ``classes``, so that a larger set contains the smaller one. None uses
        entropy from the operating system. No global random state is read or changed.

    Returns
    -------
    Bunch
        With these attributes:

        data : list of ndarray of shape (round(duration * sr),), float32
            The clips, mono, within [-1, 1], ordered by class. With a ``directory``, the paths of the files instead:
            an ndarray of shape (n_samples,) of str objects.
        target : ndarray of shape (n_samples,) of str
            The class of each clip.
        target_names : list of str
            The classes, in the order of the clips.
        groups : ndarray of shape (n_samples,) of str
            The recording of each clip, such as "bell-003"; counted from 0 within each class.
        sr : int
            Sampling rate, in Hz.
        DESCR : str
            A short description.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    FileExistsError
        If a file that would be written already exists. Then nothing is written.

    Notes
    -----
    Peak levels of recordings are uniformly distributed between -22 and -2 dBFS, and signal-to-noise ratios between
    10 and 32 dB; clips deviate by up to 2 dB. Bells have the partials of church bells [1]_; noise has a power-law
    spectrum, obtained by filtering white noise as in [2]_.

    References
    ----------
    .. [1] N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments", 2nd ed., Springer, 1998, chapter 21.
    .. [2] J. Timmer and M. König, "On generating power law noise", Astronomy and Astrophysics 300, 707-710, 1995.

    Examples
    --------
    >>> from soundclf.datasets import make_sounds
    >>> sounds = make_sounds(12, classes=["rain", "siren"], random_state=0)
    >>> len(sounds.data), sounds.data[0].shape, sounds.data[0].dtype
    (12, (33075,), dtype('float32'))
    >>> sounds.target[[0, -1]].tolist()
    ['rain', 'siren']
    >>> sounds.groups[:4].tolist()
    ['rain-000', 'rain-000', 'rain-000', 'rain-001']
    """
    check_params("make_sounds", locals(), _PARAMETERS)
    chosen = list(_SYNTHESIZERS) if classes is None else [str(name) for name in classes]
    entries = {f"classes[{i}]": name for i, name in enumerate(chosen)}
    check_params("make_sounds", entries, dict.fromkeys(entries, (one_of(_SYNTHESIZERS),)))
    check_params("make_sounds", {"n_samples": n_samples}, {"n_samples": (integer_in(len(chosen)),)})
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(np.iinfo(np.int32).max))
    entropy = int(random_state if random_state is not None else secrets.randbits(64))

    n = round(float(duration) * sr)
    share, rest = divmod(n_samples, len(chosen))
    counts = [share + (i < rest) for i in range(len(chosen))]
    takes = [
        (name, *divmod(i, clips_per_recording))
        for name, count in zip(chosen, counts, strict=True)
        for i in range(count)
    ]
    groups = [f"{name}-{number:03d}" for name, number, _ in takes]
    clips = (_synthesize_clip(entropy, *take, n, sr) for take in takes)
    data: list[np.ndarray] | np.ndarray
    if directory is None:
        data = list(clips)
    else:
        files = [Path(directory, name, f"{name}-{number:03d}-{take}.wav") for name, number, take in takes]
        _write_files(files, clips, sr)
        data = np.array([str(file) for file in files], dtype=object)
    return Bunch(
        data=data,
        target=np.repeat(chosen, counts),
        target_names=chosen,
        groups=np.array(groups),
        sr=int(sr),
        DESCR=_DESCR.format(len(chosen), ", ".join(chosen), n_samples, duration, sr, len(set(groups))),
    )
