"""A fitted classifier in use: in a fresh process, and warm."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import joblib
from sklearn.pipeline import Pipeline, make_pipeline

from .data import tutorial_split, wav_clips
from .lab import Contender, Options, child_environment, once, say
from .report import Goal, Section, comparison, ratio
from .rivals import LibrosaMeans, scikeras_classifier

OURS, THEIRS = "soundclf", "librosa + scikeras"
ANSWER = "import sys, joblib; print(joblib.load(sys.argv[1]).predict(sys.argv[2:]))"
TASKS = {
    "wav": "`predict` of one WAV file, ms",
    "row": "`predict_proba` of one row, ms",
    "rows": "`predict_proba` of 1,000 rows, ms",
}


def clip() -> str:
    return next(path for path in wav_clips() if path.endswith("100852-0-0-0.wav"))  # 4 s, 44.1 kHz stereo


def per_call(function: Callable[[], object], at_least: float) -> float:
    """Call a function for some time, and give the mean seconds of a call."""
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < at_least:
        function()
        calls += 1
    return passed / calls


def pipelines() -> dict[str, Pipeline]:
    from soundclf import DenseAudioClassifier, MFCCMeanTransformer

    return {
        OURS: make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier(epochs=1, random_state=0)),
        THEIRS: make_pipeline(LibrosaMeans(), scikeras_classifier(1)),
    }


def prepare(quick: bool) -> Callable[..., dict]:
    """Fit and save both pipelines, so that those who serve have not trained."""
    X_train, _, y_train, _ = tutorial_split()

    def work(models: dict[str, str]) -> dict:
        for name, clf in pipelines().items():
            clf[-1].fit(X_train, y_train)
            joblib.dump(clf, models[name])
        return {}

    return work


def serve(quick: bool) -> Callable[..., dict]:
    rows = tutorial_split()[1][:1000]
    load = lru_cache(joblib.load)
    at_least = 0.05 if quick else 0.5

    def work(model: str) -> dict:
        clf = load(model)
        calls = {
            "wav": lambda: clf.predict([clip()]),
            "row": lambda: clf[-1].predict_proba(rows[:1]),
            "rows": lambda: clf[-1].predict_proba(rows),
        }

        def requests(n_threads: int) -> float:
            """Return the throughput of threads, in one-row requests per second."""
            with ThreadPoolExecutor(n_threads) as pool:
                return sum(1 / seconds for seconds in pool.map(per_call, [calls["row"]] * n_threads, repeat(at_least)))

        figures = {name: 1000 * per_call(call, at_least) for name, call in calls.items()}
        return {**figures, "1 thread": requests(1), "4 threads": requests(4)}

    return work


CONTENDERS = {"prepare": prepare, OURS: serve, THEIRS: serve}


def fresh_runs(models: dict[str, str], options: Options) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(options.rounds + 1):
        say(f"  serving: fresh processes, round {turn} of {options.rounds}")
        for name, model in models.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", ANSWER, model, clip()],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(one_thread=False),
            )
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def run(options: Options) -> list[Section]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        models = {name: str(Path(folder, f"{i}.joblib")) for i, name in enumerate((OURS, THEIRS))}
        once("serving", "prepare", options, models=models)
        fresh = fresh_runs(models, options)
        processes = {name: stack.enter_context(Contender("serving", name, quick=options.quick)) for name in models}
        answers: dict[str, list[dict]] = {name: [] for name in models}
        for turn in range(options.rounds + 1):
            say(f"  serving: warm, round {turn} of {options.rounds}")
            for name, process in processes.items():
                answer = process.run(model=models[name])
                if turn:
                    answers[name].append(answer)
    figures = {
        key: {name: [run[key] for run in runs] for name, runs in answers.items()}
        for key in (*TASKS, "1 thread", "4 threads")
    }
    warm = [comparison(figures[key], unit) for key, unit in TASKS.items()]
    requests = {
        f"{name}, {threads}": figures[threads][name] for name in models for threads in ("1 thread", "4 threads")
    }
    section = Section(
        "Serving",
        [
            "A pipeline from path to class, the tutorial's network, fitted on 6,985 rows for one epoch. "
            f"`{THEIRS}` is a transformer of librosa's default recipe and scikeras' KerasClassifier. **Fresh**: a new "
            "Python process that loads the pipeline with joblib and classifies one WAV file (4 s, 44.1 kHz stereo), "
            "from its start to its end.",
            comparison(fresh, "fresh process, s"),
            "**Warm**, in a process that has loaded the pipeline and answered before: the WAV file through the "
            "pipeline, feature rows through the classifier alone. Each run calls again and again for half a second.",
            *warm,
            "**Requests** of one row each, answered per second, from one thread and from four at once.",
            comparison(requests, "requests per second", f"{OURS}, 1 thread"),
        ],
        [
            Goal("serving: fresh process, share of librosa + scikeras", "≤", 0.333, ratio(fresh[OURS], fresh[THEIRS])),
            Goal(
                "serving: warm WAV, times as fast as librosa + scikeras",
                "≥",
                20,
                ratio(figures["wav"][THEIRS], figures["wav"][OURS]),
            ),
            Goal(
                "serving: one row, times as fast as scikeras",
                "≥",
                100,
                ratio(figures["row"][THEIRS], figures["row"][OURS]),
            ),
        ],
    )
    return [section]
