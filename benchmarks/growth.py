"""How time and memory grow with the number of clips, their length, and the number of rows."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
import soundfile

from .data import tiled, tutorial_split, wav_clips
from .lab import Options, once, say
from .report import Section, digits, spread, table
from .serving import per_call

SIZES = {
    "clips": (50, 200, 800),
    "seconds": (4, 8, 16, 32, 64),
    "rows": (1, 10, 100, 1_000, 10_000, 100_000),
}
WHAT = {
    "clips": "number of clips (transform)",
    "seconds": "length of a clip in s (transform)",
    "rows": "number of rows (predict_proba)",
}


def clips(quick: bool) -> Callable[..., dict]:
    def work(n: int, folder: str) -> dict:
        from soundclf import MFCCMeanTransformer

        paths = tiled(wav_clips(), n)
        MFCCMeanTransformer().transform(paths[:1])  # imports and filters
        start = time.perf_counter()
        MFCCMeanTransformer().transform(paths)
        return {"time": time.perf_counter() - start}

    return work


def seconds(quick: bool) -> Callable[..., dict]:
    def work(n: int, folder: str) -> dict:
        from soundclf import MFCCMeanTransformer

        path = str(Path(folder, f"{n}.wav"))
        return {"time": per_call(lambda: MFCCMeanTransformer().transform([path]), 0.2)}

    return work


def rows(quick: bool) -> Callable[..., dict]:
    def work(n: int, folder: str) -> dict:
        clf = joblib.load(Path(folder, "clf.joblib"))
        X = np.random.default_rng(0).normal(0, 50, (n, 40)).astype(np.float32)
        clf.predict_proba(X[:1])
        return {"time": per_call(lambda: clf.predict_proba(X), 0.2)}

    return work


def prepare(quick: bool) -> Callable[..., dict]:
    """Write what the others read; in a process of its own, so that they need not generate or fit."""

    def work(folder: str) -> dict:
        from soundclf import DenseAudioClassifier

        rng = np.random.default_rng(0)
        for length in SIZES["seconds"]:
            soundfile.write(Path(folder, f"{length}.wav"), rng.normal(0, 0.1, (length * 44100, 2)), 44100, "PCM_16")
        X_train, _, y_train, _ = tutorial_split()
        joblib.dump(DenseAudioClassifier(epochs=1).fit(X_train, y_train), Path(folder, "clf.joblib"))
        return {}

    return work


CONTENDERS = {"clips": clips, "seconds": seconds, "rows": rows, "prepare": prepare}


MIB = (50, 100, 200, 500, 1000)  # ticks


def draw(times: dict[str, list[float]], peaks: dict[str, list[float]], sizes: dict, path: Path) -> None:
    """Draw a panel for each kind of growth: time on the left axis, memory on the right one."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for panel, (kind, numbers) in zip(panels, sizes.items(), strict=True):
        right = panel.twinx()
        lines = [
            *panel.loglog(numbers, np.multiply(times[kind], 1000), "o-", color="black", label="time"),
            *right.loglog(numbers, peaks[kind], "s--", color="#d55e00", markerfacecolor="white", label="peak memory"),
        ]
        panel.set(xlabel=WHAT[kind], ylabel="time in ms")
        panel.set_xticks(numbers, [f"{n // 1000}k" if n >= 1000 else f"{n}" for n in numbers])
        right.set(ylabel="peak memory in MiB", ylim=(50, 1000))
        right.set_yticks(MIB, [f"{mib}" for mib in MIB])
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        for axis in (panel.xaxis, panel.yaxis, right.yaxis):  # no digits between those
            axis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(color="0.9")
        panel.legend(handles=lines, loc="upper left")
    figure.savefig(path, dpi=120)


def growth_of(values: Sequence[float], numbers: Sequence[int]) -> float:
    """Return the exponent of growth between the two largest sizes; 1 is linear."""
    return float(np.log(values[-1] / values[-2]) / np.log(numbers[-1] / numbers[-2]))


def run(options: Options) -> list[Section]:
    sizes = {kind: numbers[:2] if options.quick else numbers for kind, numbers in SIZES.items()}
    runs: dict[tuple[str, int], list[dict]] = {(kind, n): [] for kind, numbers in sizes.items() for n in numbers}
    with tempfile.TemporaryDirectory() as folder:
        once("growth", "prepare", options, folder=folder)
        turns = min(options.rounds, 3)
        for turn in range(turns):
            say(f"  growth: round {turn + 1} of {turns}")
            for (kind, n), answers in runs.items():
                answers.append(once("growth", kind, options, one_thread=True, n=n, folder=folder))
    times, peaks = (
        {kind: [statistics.median(run[key] for run in runs[kind, n]) for n in sizes[kind]] for kind in sizes}
        for key in ("time", "peak")
    )
    plot = options.out.with_name(f"{options.out.stem}-growth.png")
    draw(times, peaks, sizes, plot)
    lines = [
        [
            WHAT[kind],
            f"{n:,}",
            digits(1000 * times[kind][i]),
            spread([1000 * run["time"] for run in runs[kind, n]]),
            digits(1e6 * times[kind][i] / n),
            digits(peaks[kind][i]),
        ]
        for kind, numbers in sizes.items()
        for i, n in enumerate(numbers)
    ]
    exponents = ", ".join(f"{digits(growth_of(times[kind], sizes[kind]), 2)} in the {WHAT[kind]}" for kind in sizes)
    section = Section(
        "Growth",
        [
            f"Each figure from {turns} fresh processes of one thread, after a first call that does not count: "
            "UrbanSound8K's WAV clips again and again; one file of generated noise, 44.1 kHz stereo, 16 bit; random "
            "rows. Peak memory is that of the whole process, Python and its libraries included.",
            table(["against", "n", "ms, median", "quartiles", "µs per unit", "peak memory in MiB"], lines),
            f"Between the two largest sizes, time grows with an exponent of {exponents}; 1 is in proportion.",
            f"![Time and peak memory against the number of clips, their length and the number of rows]({plot.name})",
        ],
    )
    return [section]
