"""Six hours of known sounds, window by window: memory, speed, and whether borders are found where they are."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from .data import ogg_clips
from .lab import Options, once, say
from .report import Goal, Section, digits, table

SR = 44100
HELD_OUT = 5  # the fold that the model is not trained on
BLOCK = SR // 10  # samples of a live block
HOP = 1.0


def write(quick: bool) -> Callable[..., dict]:
    """Put clips in random order into one recording: in its first half those of the training folds, then the others."""

    def work(path: str, hours: float) -> dict:
        rng = np.random.default_rng(0)
        paths, labels, folds = ogg_clips()
        edges, names = [0], []
        with soundfile.SoundFile(path, "w", SR, 1, "PCM_16") as file:
            for held_out in (False, True):
                clips = np.flatnonzero((folds == HELD_OUT) == held_out)
                until = round(hours * 3600 * SR * (1 if held_out else 0.5))
                order = itertools.chain.from_iterable(rng.permutation(clips) for _ in itertools.count())
                while edges[-1] < until:
                    clip = next(order)
                    samples, _ = soundfile.read(paths[clip], dtype="int16")
                    file.write(samples)
                    edges.append(edges[-1] + len(samples))
                    names.append(str(labels[clip]))
        return {"edges": [edge / SR for edge in edges], "labels": names}

    return work


def fit(quick: bool) -> Callable[..., dict]:
    def work(model: str) -> dict:
        import joblib
        from sklearn.pipeline import make_pipeline

        from soundclf import DenseAudioClassifier, MFCCMeanTransformer

        paths, labels, folds = ogg_clips()
        training = folds != HELD_OUT
        classifier = DenseAudioClassifier(random_state=0, epochs=1 if quick else 50)
        clf = make_pipeline(MFCCMeanTransformer(), classifier)
        clf.fit([path for path, kept in zip(paths, training, strict=True) if kept], labels[training])
        joblib.dump(clf, model)
        others = [path for path, kept in zip(paths, training, strict=True) if not kept]
        return {"accuracy": clf.score(others, labels[~training])}

    return work


def predict(quick: bool) -> Callable[..., dict]:
    def work(model: str, path: str, out: str) -> dict:
        import joblib

        from soundclf import predict_timeline

        clf = joblib.load(model)
        start = time.perf_counter()
        timeline = predict_timeline(clf, path, window=4.0, hop=HOP)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        segments = timeline.segments()
        merging = time.perf_counter() - start
        np.savez(out, starts=timeline.starts, ends=timeline.ends, probabilities=timeline.probabilities)
        return {"predict": seconds, "merge": merging, "duration": timeline.duration, "segments": segments}

    return work


def stream(quick: bool) -> Callable[..., dict]:
    """Send the file through predict_stream, and compare with what predict_timeline gave."""

    def work(model: str, path: str, out: str) -> dict:
        import joblib

        from soundclf import predict_stream

        def blocks() -> Iterator[np.ndarray]:
            with soundfile.SoundFile(path) as file:
                yield from file.blocks(BLOCK, dtype="float32")

        clf = joblib.load(model)
        start = time.perf_counter()
        windows = list(predict_stream(clf, blocks(), sr=SR, window=4.0, hop=HOP))
        seconds = time.perf_counter() - start
        known = np.load(out)
        times = np.array([(window.start, window.end) for window in windows])
        same = np.array_equal(times, np.column_stack([known["starts"], known["ends"]]))
        rows = np.array([window.probabilities for window in windows])
        difference = float(np.abs(rows - known["probabilities"]).max()) if same else float("inf")
        return {"predict": seconds, "same": same, "n": len(windows), "difference": difference}

    return work


CONTENDERS = {"write": write, "fit": fit, "predict_timeline": predict, "predict_stream": stream}


def near(times: np.ndarray, others: np.ndarray) -> float:
    """Return the fraction of times that are within a hop of one of the others."""
    if not len(times) or not len(others):
        return 0.0
    others = np.concatenate([[-np.inf], np.sort(others), [np.inf]])
    after = np.searchsorted(others, times)
    return float((np.minimum(others[after] - times, times - others[after - 1]) <= HOP + 1e-6).mean())


def compute_shares(edges: np.ndarray, labels: np.ndarray, segments: list, first: float, last: float) -> list[str]:
    """Compare segments with the known order, between two times."""
    changes = edges[1:-1][labels[1:] != labels[:-1]]
    borders = np.unique([at for start, end, _, _ in segments for at in (start, end)])
    known, found = (at[(at > first + HOP) & (at < last - HOP)] for at in (changes, borders))
    starts = np.array([start for start, *_ in segments])
    grid = np.arange(first, last, 0.05)
    at = np.searchsorted(starts, grid, side="right") - 1
    predicted = [segments[i][2] if i >= 0 and segments[i][1] > t else None for i, t in zip(at, grid, strict=True)]
    correct = np.array(predicted, dtype=object) == labels[np.searchsorted(edges, grid, side="right") - 1]
    shares = (
        near(known, borders),
        near(found, changes),
        correct.mean(),
        np.mean([label is not None for label in predicted]),
    )
    return [f"{len(known):,}", f"{len(found):,}", *(f"{share:.1%}" for share in shares)]


def run(options: Options) -> list[Section]:
    hours = 0.05 if options.quick else 6
    with tempfile.TemporaryDirectory() as folder:
        path, model, out = (str(Path(folder, name)) for name in ("known.wav", "model.joblib", "timeline.npz"))
        say(f"  timeline: writing {hours:g} hours")
        order = once("timeline", "write", options, path=path, hours=hours)
        say("  timeline: training")
        fitted = once("timeline", "fit", options, model=model)
        say("  timeline: predict_timeline")
        whole = once("timeline", "predict_timeline", options, model=model, path=path, out=out)
        say("  timeline: predict_stream")
        live = once("timeline", "predict_stream", options, model=model, path=path, out=out)
    edges, labels = np.array(order["edges"]), np.array(order["labels"])
    half = edges[np.searchsorted(edges, hours * 1800)]
    speeds = [whole["duration"] / answer["predict"] for answer in (whole, live)]
    section = Section(
        "Timelines",
        [
            f"{hours:g} hours of ESC-10's clips in random order, 44.1 kHz mono, 16-bit WAV: in the first half those of "
            f"the folds that the model was trained on, in the second those of fold {HELD_OUT}, of which it classifies "
            f"{fitted['accuracy']:.1%} correctly clip by clip. `make_pipeline(MFCCMeanTransformer(), "
            "DenseAudioClassifier(random_state=0))`, windows of 4 s every second; one run each in a fresh process, "
            "threads as the libraries choose. Times are without imports and loading, peak memory is that of the "
            f"process. `predict_stream` gets blocks of {BLOCK} samples.",
            table(
                ["", "seconds", "times real time", "peak memory in MiB"],
                [
                    [name, digits(answer["predict"]), digits(speed), digits(answer["peak"])]
                    for name, answer, speed in zip(
                        ("predict_timeline", "predict_stream"), (whole, live), speeds, strict=True
                    )
                ],
            ),
            f"Merging into segments takes {digits(whole['merge'])} s. The {live['n']:,} windows of the stream begin "
            f"and end {'where' if live['same'] else 'elsewhere than'} the timeline's do; the largest difference of a "
            f"probability is {live['difference']:.1e}.",
            "Borders: changes from a class to another in the known order, and starts and ends of segments with the "
            "default thresholds; a change is found, and a border correct, if one of the others lies within a hop. Many "
            "clips are a short sound followed by silence.",
            table(
                ["", "changes", "found", "borders of segments", "correct", "time labeled", "correctly"],
                [
                    [name, *(cells[i] for i in (0, 2, 1, 3, 5, 4))]
                    for name, cells in (
                        ("training clips", compute_shares(edges, labels, whole["segments"], 0.0, half)),
                        ("unseen clips", compute_shares(edges, labels, whole["segments"], half, edges[-1])),
                    )
                ],
            ),
        ],
        [
            Goal(f"timeline: peak memory of {hours:g} hours in MiB", "≤", 500, whole["peak"]),
            Goal("timeline: times real time", "≥", 100, speeds[0]),
            Goal("timeline: largest difference of the stream", "≤", 1e-9, live["difference"]),
        ],
    )
    return [section]
