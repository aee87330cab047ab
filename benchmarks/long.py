"""A recording of two hours: how much memory it takes, and whether its numbers are librosa's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from .lab import Options, once, say
from .report import Goal, Section, digits, table
from .rivals import librosa_means

SR = 44100


def write(quick: bool) -> Callable[..., dict]:
    """Generate noise and tones whose levels change slowly, ten seconds at a time."""

    def work(path: str, minutes: float) -> dict:
        rng = np.random.default_rng(0)
        time = np.arange(10 * SR) / SR
        noise = rng.normal(0, 0.1, (10 * SR, 2))
        with soundfile.SoundFile(path, "w", SR, 2, "PCM_16") as file:
            for i in range(round(6 * minutes)):
                loudness = 10 ** rng.uniform(-2, 0, 2) * (1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 1, 2)))
                tone = np.sin(2 * np.pi * rng.uniform(100, 8000) * time)[:, None]
                file.write(np.clip(np.roll(noise, i, axis=0) * loudness[0] + 0.3 * tone * loudness[1], -1, 1))
        return {}

    return work


def ours(quick: bool) -> Callable[..., dict]:
    def work(path: str) -> dict:
        from soundclf import MFCCMeanTransformer

        start = time.perf_counter()
        row = MFCCMeanTransformer().transform([path])[0]
        return {"transform": time.perf_counter() - start, "row": row.tolist()}

    return work


def theirs(quick: bool) -> Callable[..., dict]:
    def work(path: str) -> dict:
        import librosa

        librosa.feature.mfcc(y=np.zeros(SR, np.float32), sr=SR)  # its lazy imports and compilation are not counted
        start = time.perf_counter()
        row = librosa_means(path)
        return {"transform": time.perf_counter() - start, "row": row.tolist()}

    return work


CONTENDERS = {"write": write, "soundclf": ours, "librosa": theirs}


def run(options: Options) -> list[Section]:
    minutes, cut = (2, 1) if options.quick else (120, 10)
    with tempfile.TemporaryDirectory() as folder:
        paths = {length: str(Path(folder, f"{length}.wav")) for length in (minutes, cut)}
        for length, path in paths.items():
            say(f"  long: writing {length} minutes")
            once("long", "write", options, path=path, minutes=length)
        say("  long: reading")
        whole, part, reference = (
            once("long", name, options, one_thread=True, path=paths[length])
            for name, length in (("soundclf", minutes), ("soundclf", cut), ("librosa", cut))
        )
    difference = float(np.abs(np.subtract(part["row"], reference["row"])).max())
    section = Section(
        "A long recording",
        [
            "Generated noise and tones of slowly changing level, 44.1 kHz stereo, 16-bit WAV; "
            "`MFCCMeanTransformer().transform([path])` and librosa's default recipe, one thread, each in a fresh "
            "process, one run. Peak memory is that of the whole process; the time is without imports.",
            table(
                ["", "minutes of sound", "seconds", "peak memory in MiB"],
                [
                    [name, f"{length}", digits(answer["transform"]), digits(answer["peak"])]
                    for name, length, answer in (
                        ("soundclf", minutes, whole),
                        ("soundclf", cut, part),
                        ("librosa", cut, reference),
                    )
                ],
            ),
            f"The largest absolute difference between the two rows of the {cut} minutes is {digits(difference)}.",
        ],
        [
            Goal(f"long: peak memory of {minutes} minutes in MiB", "≤", 400, whole["peak"]),
            Goal("long: largest difference to librosa", "≤", 0.01, difference),
        ],
    )
    return [section]
