"""Compare this checkout with another one: ``python -m benchmarks.versions OTHER/src OUT.md``.

Both work in turns, each in a process of its own that imports soundclf from its checkout, on the same recordings. The
tables give the medians of both and the median of the ratios of neighboring runs. Features and the probabilities of
seeded fits are compared as well: the number of elements that are not equal to the last bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .data import ogg_clips, tiled, tutorial_split, wav_clips
from .lab import pause
from .report import digits, machine, spread, table

HERE = Path(__file__).resolve().parents[1] / "src"


def make_tasks(folder: Path) -> dict[str, Callable[[], Any]]:
    """Make the tasks, each a function to time; they use nothing but the public API."""
    import soundclf
    from soundclf import DenseAudioClassifier, MFCCMeanTransformer, MFCCStatisticsTransformer

    clips = tiled(wav_clips(), 150)
    X_train, X_test, y_train, _ = tutorial_split()
    clf = DenseAudioClassifier(epochs=2, random_state=0).fit(X_train, y_train)
    model = soundclf.make_classifier("fast", random_state=0)
    model[-1].set_params(epochs=5)
    model.fit(clips[:15], [Path(clip).name.split("-")[1] for clip in clips[:15]])
    saved = folder / f"{os.getpid()}.skops"
    soundclf.save(model, saved)
    recording = np.tile(soundclf.load_clip(wav_clips()[0]), 150)
    answer = "import sys, soundclf; print(soundclf.load(sys.argv[1]).predict(sys.argv[2:]))"
    return {
        "150 WAV clips to mean MFCCs, one thread": lambda: MFCCMeanTransformer().transform(clips),
        "150 WAV clips to mean MFCCs, two threads": lambda: MFCCMeanTransformer(n_jobs=2).transform(clips),
        "60 WAV clips to statistics, one thread": lambda: MFCCStatisticsTransformer().transform(clips[:60]),
        "40 Ogg clips to mean MFCCs, one thread": lambda: MFCCMeanTransformer().transform(ogg_clips()[0][::10]),
        "fit of one network, 20 epochs of 6,985 x 40": lambda: DenseAudioClassifier(
            n_networks=1, epochs=20, random_state=0
        ).fit(X_train, y_train),
        "`predict_proba` of 1,000 rows": lambda: [clf.predict_proba(X_test[:1000]) for _ in range(20)],
        "`predict` of one WAV clip, 50 times": lambda: [model.predict(clips[:1]) for _ in range(50)],
        "fresh process, from start to answer": lambda: subprocess.run(
            [sys.executable, "-c", answer, str(saved), clips[0]], check=True, capture_output=True
        ),
        "timeline of 10 minutes in memory": lambda: soundclf.predict_timeline(model, recording, window=4, hop=1),
    }


def compute_checksums() -> dict[str, str]:
    """Compute checksums of features of all shared clips and of the probabilities of ten seeded fits."""
    from soundclf import DenseAudioClassifier, LogMelTransformer, MFCCMeanTransformer, MFCCStatisticsTransformer

    clips = [*ogg_clips()[0], *wav_clips()]
    outputs = {
        type(transformer).__name__: transformer.transform(clips)
        for transformer in (
            MFCCMeanTransformer(n_jobs=2),
            MFCCStatisticsTransformer(n_jobs=2),
            LogMelTransformer(n_mels=64, hop_length=1024, n_jobs=2),
        )
    }
    X_train, X_test, y_train, _ = tutorial_split()
    for seed in range(10):
        clf = DenseAudioClassifier(epochs=2, n_networks=1 + seed % 2, random_state=seed)
        outputs[f"fit {seed}"] = clf.fit(X_train, y_train).predict_proba(X_test)
    return {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in outputs.items()}


def work() -> None:
    """Answer requests on standard input: a task's name, or ``checksums``."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        tasks = make_tasks(Path(folder))
        print(json.dumps(list(tasks)), file=answers, flush=True)
        for line in sys.stdin:
            name = json.loads(line)
            if name == "checksums":
                answer: Any = compute_checksums()
            else:
                start = time.perf_counter()
                tasks[name]()
                answer = time.perf_counter() - start
            print(json.dumps(answer), file=answers, flush=True)


def start(source: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(source), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.versions", "--work"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )


def ask(process: subprocess.Popen[str], request: str) -> Any:
    print(json.dumps(request), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("other", type=Path, nargs="?", metavar="OTHER/src", help="the src folder of another checkout")
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.md", help="where to write the tables")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each checkout that count")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work()
        return
    sides = {"other": start(arguments.other.resolve()), "this": start(HERE)}
    names, _ = (json.loads(process.stdout.readline()) for process in sides.values())
    rows = []
    for name in names:
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for turn in range(arguments.rounds + 1):
            for side, process in sides.items():
                pause()
                taken = ask(process, name)
                if turn:
                    seconds[side].append(taken)
        ratios = [this / other for this, other in zip(seconds["this"], seconds["other"], strict=True)]
        medians = [digits(statistics.median(seconds[side])) for side in sides]
        rows.append([name, *medians, digits(statistics.median(ratios)), spread(ratios)])
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    sums = [ask(process, "checksums") for process in sides.values()]
    equal = [name for name in sums[0] if sums[0][name] == sums[1][name]]
    for process in sides.values():
        process.stdin.close()
        process.wait()
    head = ["", "other, s", "this, s", "this / other", "quartiles of the ratio"]
    different = ", ".join(sorted(set(sums[0]) - set(equal))) or "none"
    bits = f"Equal to the last bit: {len(equal)} of {len(sums[0])} outputs; different: {different}."
    arguments.out.write_text(
        "\n\n".join(["# Two versions", machine("python -m benchmarks.versions"), table(head, rows), bits]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
