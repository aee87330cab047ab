"""From samples in memory to means of 40 MFCCs, on one thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import rfft

from .data import tiled, wav_clips
from .extraction import SR, make_frame_batches, samples_of
from .lab import Options, race
from .report import Goal, Section, comparison, ratio


def samples(quick: bool) -> list[np.ndarray]:
    return [samples_of(path) for path in tiled(wav_clips(), 15 if quick else 150)]


def over(function: Callable[[np.ndarray], object], clips: list) -> Callable[[], dict]:
    def work() -> dict:
        for clip in clips:
            function(clip)
        return {"n": len(clips)}

    return work


def ours(quick: bool) -> Callable[[], dict]:
    from soundclf.features import mfcc_mean

    return over(lambda y: mfcc_mean(y, sr=SR, n_mfcc=40), samples(quick))


def bare(quick: bool) -> Callable[[], dict]:
    clips = [list(make_frame_batches(y)) for y in samples(quick)[:15]]
    return over(lambda batches: [rfft(frames, axis=1) for frames in batches], clips * (1 if quick else 10))


def theirs(quick: bool) -> Callable[[], dict]:
    import librosa

    return over(lambda y: librosa.feature.mfcc(y=y, sr=SR, n_mfcc=40).mean(axis=1), samples(quick))


CONTENDERS = {"soundclf": ours, "bare float32 FFTs": bare, "librosa": theirs}


def run(options: Options) -> list[Section]:
    answers = race("mfcc", list(CONTENDERS), options, one_thread=True)
    ms = {name: [1000 * run["seconds"] / run["n"] for run in runs] for name, runs in answers.items()}
    section = Section(
        "MFCCs of samples in memory",
        [
            f"{answers['soundclf'][0]['n']} clips of UrbanSound8K as mono float32 samples at 22,050 Hz, one thread: "
            "`soundclf.features.mfcc_mean(y, sr=22050, n_mfcc=40)`, nothing but the FFTs it needs (`scipy.fft.rfft` of "
            "precomputed float32 frames, in batches of 32), and `librosa.feature.mfcc(...).mean(axis=1)`.",
            comparison(ms, "ms per clip"),
        ],
        [
            Goal("MFCCs: times the bare FFTs", "≤", 2.2, ratio(ms["soundclf"], ms["bare float32 FFTs"])),
            Goal("MFCCs: times as fast as librosa", "≥", 3, ratio(ms["librosa"], ms["soundclf"])),
        ],
    )
    return [section]
