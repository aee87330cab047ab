"""What the presets reach on ESC-10, what they cost, and what each ingredient adds.

Run from the project's folder, with the real recordings that ``SOUNDCLF_DATA`` names::

    python -m benchmarks.accuracy official --seeds 5 --out accuracy.json    # half an hour on two cores
    python -m benchmarks.accuracy price --out price.json                    # on a quiet machine, a few minutes
    python -m benchmarks.accuracy plot accuracy.json price.json accuracy.png
    python -m benchmarks.accuracy ablation                                  # half an hour

``official`` are ESC-10's own five folds. ``ablation`` does not use them as test data: for each official fold, it trains
without that fold and the next one, and evaluates on the next one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from soundclf import (
    ConvAudioClassifier,
    DenseAudioClassifier,
    LogMelTransformer,
    MFCCMeanTransformer,
    MFCCStatisticsTransformer,
    make_classifier,
)
from soundclf.datasets import load_esc50
from soundclf.presets import PRESETS

DATA = Path(os.environ.get("SOUNDCLF_DATA", "../shared/data"))
FOLDS = (1, 2, 3, 4, 5)


def _statistics(classifier: Any = None, **settings: Any) -> Any:
    chosen = DenseAudioClassifier(random_state=0) if classifier is None else classifier
    return make_pipeline(MFCCStatisticsTransformer(**settings), chosen)


def _conv(features: dict[str, Any] | None = None, **settings: Any) -> Any:
    spectra = LogMelTransformer(**{"n_mels": 64, "hop_length": 1024, **(features or {})})
    return make_pipeline(spectra, ConvAudioClassifier(random_state=0, **settings))


def ingredients() -> dict[str, Any]:
    """Return the pipelines of the ablation by name."""
    moments = {"statistics": ("mean", "std", "min", "max", "median")}
    more = {"statistics": ("mean", "std", "min", "max", "median", "skewness", "kurtosis")}
    alone = {"shift": False, "band_mask": 0.0, "time_mask": 0.0, "mixup": 0.0, "label_smoothing": 0.0}
    return {
        "statistics: mean MFCCs": make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier(random_state=0)),
        "statistics: + std, min, max, median": _statistics(deltas=0, descriptors=(), **moments),
        "statistics: + first differences": _statistics(deltas=1, descriptors=(), **moments),
        "statistics: + mel bands": _statistics(deltas=1, descriptors=("log_mel",), **moments),
        "statistics: + contrast (the default)": _statistics(),
        "statistics: default + second differences": _statistics(deltas=2),
        "statistics: default + skewness, kurtosis": _statistics(**more),
        "statistics: default + centroid, bandwidth, rolloff, flatness": _statistics(
            descriptors=("log_mel", "contrast", "centroid", "bandwidth", "rolloff", "flatness")
        ),
        "statistics: default, one network": _statistics(DenseAudioClassifier(n_networks=1, random_state=0)),
        "statistics: default, dropout 0.5": _statistics(DenseAudioClassifier(dropout=0.5, random_state=0)),
        "statistics: default, logistic regression": _statistics(
            make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
        ),
        "statistics: default, support vector machine": _statistics(make_pipeline(StandardScaler(), SVC(C=5))),
        "statistics: default, extremely randomised trees": _statistics(
            ExtraTreesClassifier(200, max_features=0.1, random_state=0)
        ),
        "statistics: networks and trees (balanced)": make_classifier("balanced", random_state=0),
        "network: the default": _conv(),
        "network: without shifts": _conv(shift=False),
        "network: without masks": _conv(band_mask=0.0, time_mask=0.0),
        "network: without mixup": _conv(mixup=0.0),
        "network: without label smoothing": _conv(label_smoothing=0.0),
        "network: without any of these four": _conv(**alone),
        "network: constant learning rate": _conv(schedule="constant"),
        "network: without dropout": _conv(dropout=0.0),
        "network: half the channels": _conv(channels=(16, 32, 64, 64)),
        "network: half the epochs": _conv(epochs=60),
        "network: twice the epochs": _conv(epochs=240),
        "network: two of them": _conv(n_networks=2),
        "network: 128 bands": _conv({"n_mels": 128}),
        "network: hops of 512": _conv({"hop_length": 512}),
        "both: accurate": make_classifier("accurate", random_state=0),
    }


def one_thread() -> None:
    """Let every process keep to its core."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fit_and_score(task: tuple[Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> tuple[float, float]:
    classifier, X, y, train, test = task
    start = time.perf_counter()
    classifier.fit(X[train], y[train])
    return classifier.score(X[test], y[test]), time.perf_counter() - start


def remembering(classifier: Any, folder: str) -> Any:
    """Have every clip's features computed once."""
    return classifier.set_params(**{name: folder for name in classifier.get_params() if name.endswith("__memory")})


def run(classifiers: list[Any], splits: list[tuple[np.ndarray, np.ndarray]], pool: Any, folder: str) -> np.ndarray:
    """Return accuracy and seconds, of shape (n_classifiers, n_splits, 2)."""
    sounds = load_esc50(DATA / "esc10")
    X, y = np.array(sounds.data), np.array(sounds.target)
    tasks = [(remembering(c, folder), X, y, *split) for c in classifiers for split in splits]
    return np.array(pool.map(fit_and_score, tasks, chunksize=1)).reshape(len(classifiers), len(splits), 2)


def official(only: str | None, seeds: int, jobs: int, out: Path | None) -> None:
    fold = np.array(load_esc50(DATA / "esc10").fold)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in FOLDS]
    table = json.loads(out.read_text()) if out is not None and out.exists() else {}
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(jobs, one_thread) as pool:
        for preset in [only] if only else PRESETS:
            results = run([make_classifier(preset, random_state=s) for s in range(seeds)], splits, pool, folder)
            accuracy, seconds = results[..., 0], results[..., 1]
            means = accuracy.mean(axis=1)
            table[preset] = accuracy.tolist()
            folds = ", ".join(f"{value:.3f}" for value in accuracy.mean(axis=0))
            print(
                f"| {preset} | {means.mean():.4f} +- {means.std():.4f} | {means.min():.4f} to {means.max():.4f} | "
                f"{folds} | {seconds.mean():.1f} s |",
                flush=True,
            )
            if out is not None:
                out.write_text(json.dumps(table))


def price_of(preset: str) -> dict[str, float]:
    """Measure one preset in this process, which does nothing else."""
    sounds = load_esc50(DATA / "esc10")
    X, y, fold = np.array(sounds.data), np.array(sounds.target), np.array(sounds.fold)
    train, test = np.flatnonzero(fold != 1), np.flatnonzero(fold == 1)
    with tempfile.TemporaryDirectory() as folder:
        classifier = make_classifier(preset, random_state=0)
        pipelines = [classifier] if preset != "accurate" else [member for _, member in classifier.estimators]
        transformers = [pipeline[0] for pipeline in pipelines]
        for transformer in transformers:
            transformer.transform(X[:4])
        start = time.perf_counter()
        for transformer in transformers:
            transformer.transform(X[test])
        extraction = (time.perf_counter() - start) / len(test)

        remembering(classifier, folder)
        for transformer in transformers:
            transformer.set_params(memory=folder).transform(X)
        make_classifier("fast", random_state=0).fit(X[train[::8]], y[train[::8]])  # TensorFlow is imported
        start = time.perf_counter()
        classifier.fit(X[train], y[train])
        training = time.perf_counter() - start
        remembering(classifier, None)
        for member in getattr(classifier, "estimators_", [classifier]):
            member[0].set_params(memory=None)
        classifier.predict_proba(X[test[:4]])
        start = time.perf_counter()
        classifier.predict_proba(X[test])
        prediction = (time.perf_counter() - start) / len(test)
        path = Path(folder) / "model.joblib"
        joblib.dump(classifier, path)
        return {
            "extraction": extraction,
            "training": training,
            "prediction": prediction,
            "size": path.stat().st_size,
            "compressed": Path(joblib.dump(classifier, path, compress=3)[0]).stat().st_size,
        }


def price(rounds: int, out: Path | None) -> None:
    table: dict[str, dict[str, float]] = {}
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        measured: dict[str, list[dict[str, float]]] = {preset: [] for preset in PRESETS}
        for _ in range(rounds):
            for preset in PRESETS:
                measured[preset].append(pool.apply(price_of, (preset,)))
    for preset, rows in measured.items():
        table[preset] = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
        spread = " to ".join(f"{f(row['training'] for row in rows):.1f}" for f in (min, max))
        figures = table[preset]
        print(
            f"| {preset} | {figures['extraction'] * 1e3:.1f} ms | {figures['training']:.1f} s ({spread}) | "
            f"{figures['prediction'] * 1e3:.1f} ms | {figures['size']:,.0f} | {figures['compressed']:,.0f} |",
            flush=True,
        )
    if out is not None:
        out.write_text(json.dumps(table))


def ablation(only: str | None, jobs: int) -> None:
    fold = np.array(load_esc50(DATA / "esc10").fold)
    after = {k: k % len(FOLDS) + 1 for k in FOLDS}
    splits = [(np.flatnonzero((fold != k) & (fold != after[k])), np.flatnonzero(fold == after[k])) for k in FOLDS]
    chosen = {name: pipeline for name, pipeline in ingredients().items() if only is None or name.startswith(only)}
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(jobs, one_thread) as pool:
        for name, pipeline in chosen.items():
            [results] = run([pipeline], splits, pool, folder)
            accuracy, seconds = results.mean(axis=0)
            error = results[:, 0].std(ddof=1) / np.sqrt(len(splits))
            print(f"| {name} | {accuracy:.4f} +- {error:.4f} | {seconds:.0f} s |", flush=True)


def plot(accuracy: Path, prices: Path, out: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    reached, cost = json.loads(accuracy.read_text()), json.loads(prices.read_text())
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    for preset in PRESETS:
        means = np.mean(reached[preset], axis=1)
        x = cost[preset]["training"]
        axes.errorbar(
            x, means.mean(), [[means.mean() - means.min()], [means.max() - means.mean()]], fmt="ko", capsize=4
        )
        axes.annotate(f"  {preset}", (x, means.mean()), va="center")
    axes.set(
        xscale="log",
        xlabel="Training time of one fold from features, in s (320 clips, 2 cores)",
        ylabel="Accuracy on ESC-10's five folds",
    )
    axes.margins(x=0.25)
    axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("official", "price", "ablation"):
        command = kinds.add_parser(kind)
        command.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
        command.add_argument("--seeds", type=int, default=5, help="random_state 0 to SEEDS - 1")
        command.add_argument("--rounds", type=int, default=3, help="fresh processes for each preset")
        command.add_argument("--only", help="a preset, or ingredients whose name starts so")
        command.add_argument("--out", type=Path, help="JSON file for the plot; presets measured before stay in it")
    command = kinds.add_parser("plot")
    for name in ("accuracy", "prices", "out"):
        command.add_argument(name, type=Path)
    arguments = parser.parse_args()
    if arguments.kind == "official":
        official(arguments.only, arguments.seeds, arguments.jobs, arguments.out)
    elif arguments.kind == "price":
        price(arguments.rounds, arguments.out)
    elif arguments.kind == "ablation":
        ablation(arguments.only, arguments.jobs)
    else:
        plot(arguments.accuracy, arguments.prices, arguments.out)


if __name__ == "__main__":
    main()
