"""Does anything ask for more cores than there are? Wall time, CPU time and threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .data import tiled, tutorial_split, wav_clips
from .lab import Options, race
from .report import Section, digits, ratio, spread, table

STATUS = Path("/proc/self/status")


class MostThreads(threading.Thread):
    """Watches how many threads this process has, not counting itself."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Look every hundredth of a second."""
        while STATUS.exists() and not self._over.wait(0.01):
            self.most = max(self.most, int(STATUS.read_text().split("Threads:")[1].split()[0]) - 1)

    def stop(self) -> int:
        """Look no more, and give the largest number seen."""
        self._over.set()
        self.join()
        return self.most


def measured(function: Callable[..., object], *arguments: object) -> dict:
    """Run a function, and give the CPU seconds and the most threads of the process that it runs in."""
    watch = MostThreads()
    watch.start()
    start = time.process_time()
    function(*arguments)
    return {"cpu": time.process_time() - start, "threads": watch.stop(), "process": os.getpid()}


def transform(n_jobs: int, quick: bool) -> None:
    from soundclf import MFCCMeanTransformer

    MFCCMeanTransformer(n_jobs=n_jobs).transform(tiled(wav_clips(), 15 if quick else 300))


def fit(quick: bool) -> None:
    from soundclf import DenseAudioClassifier

    X_train, _, y_train, _ = tutorial_split()
    DenseAudioClassifier(n_networks=1, epochs=2 if quick else 10, random_state=0).fit(X_train, y_train)


def here(function: Callable[..., None], *arguments: object) -> Callable[[bool], Callable[[], dict]]:
    return lambda quick: lambda: measured(function, *arguments, quick)


def in_two_processes(function: Callable[..., None], *arguments: object) -> Callable[[bool], Callable[[], dict]]:
    def setup(quick: bool) -> Callable[[], dict]:
        from joblib import Parallel, delayed

        def work() -> dict:
            start = time.perf_counter()
            parts = Parallel(n_jobs=2, backend="loky")(delayed(measured)(function, *arguments, quick) for _ in "ab")
            return {
                "seconds": time.perf_counter() - start,
                "cpu": sum(part["cpu"] for part in parts),
                "threads": max(part["threads"] for part in parts),
                "processes": len({part["process"] for part in parts}),
            }

        return work

    return setup


CONTENDERS = {
    "transform, n_jobs=1": here(transform, 1),
    "transform, n_jobs=2": here(transform, 2),
    "transform, n_jobs=-1": here(transform, -1),
    "two processes, transform with n_jobs=-1 in each": in_two_processes(transform, -1),
    "fit": here(fit),
    "two processes, a fit in each": in_two_processes(fit),
}


def run(options: Options) -> list[Section]:
    answers = race("threads", list(CONTENDERS), options, one_thread=False)
    rows = []
    for name, runs in answers.items():
        wall, cpu = ([run[key] for run in runs] for key in ("seconds", "cpu"))
        rows.append(
            [
                name,
                digits(ratio(wall, [1])),
                spread(wall),
                digits(ratio(cpu, [1])),
                digits(ratio(cpu, wall)),
                str(max(run["threads"] for run in runs) or "unknown"),
                str(max(run.get("processes", 1) for run in runs)),
            ]
        )
    section = Section(
        "Threads",
        [
            "`transform` of 300 WAV clips and `fit` for 10 epochs on 6,985 rows, with whatever threads the libraries "
            f"choose, on {os.cpu_count()} cores. Two processes do the work twice, as `joblib.Parallel(n_jobs=2)` does "
            "in a grid search; CPU seconds are those of both. A process' threads include idle ones, such as those of "
            "BLAS and TensorFlow.",
            table(
                ["", "wall s, median", "quartiles", "CPU s, median", "CPU / wall", "threads per process", "processes"],
                rows,
            ),
        ],
    )
    return [section]
