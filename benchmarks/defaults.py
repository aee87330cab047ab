"""How DenseAudioClassifier's defaults were chosen: three figures per candidate.

Run from the project's folder, with the real recordings that ``SOUNDCLF_DATA`` names::

    python -m benchmarks.defaults                       # every candidate once: an hour or two on two cores
    python -m benchmarks.defaults --only default --seeds 5

Figures: mean accuracy over ESC-10's five official folds, over UrbanSound8K's ten official folds (published features)
and on the tutorial's own random split of those, each as mean and standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import os
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from soundclf import DenseAudioClassifier, MFCCMeanTransformer

DATA = Path(os.environ.get("SOUNDCLF_DATA", "../shared/data"))
ALONE = {"n_networks": 1, "average": False, "epochs": 200}
CANDIDATES = {
    "default": {},
    "epochs=30": {"epochs": 30},
    "epochs=100": {"epochs": 100},
    "n_networks=1": {"n_networks": 1},
    "n_networks=1, epochs=200": {"n_networks": 1, "epochs": 200},
    "n_networks=1, epochs=200, early_stopping=True": {"n_networks": 1, "epochs": 200, "early_stopping": True},
    "n_networks=8": {"n_networks": 8},
    "dropout=0.1": {"dropout": 0.1},
    "dropout=0.3": {"dropout": 0.3},
    "average=False": {"average": False},
    "one network, no average, dropout=0.2": {**ALONE, "dropout": 0.2},
    "the tutorial's: as above, dropout=0.5, not standardized": {**ALONE, "dropout": 0.5, "normalize": False},
}


def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and folds."""
    if name == "esc10":
        paths = sorted((DATA / "esc10").glob("[0-9]*/*.ogg"))
        X = MFCCMeanTransformer(n_jobs=-1).transform(paths)
        return X, np.array([path.parent.name[6:] for path in paths]), np.array([int(path.name[0]) for path in paths])
    published = np.load(DATA / "UrbanSound8K" / "mfcc40_mean_kaiser_fast.npz", allow_pickle=False)
    return published["X"], published["y"], published["fold"]


def one_thread() -> None:
    """Let every process keep to its core: with networks of this size, a second thread mostly waits."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fit_and_score(task: tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]) -> tuple[float, float, int]:
    name, X, y, train, test, seed = task
    start = time.perf_counter()
    clf = DenseAudioClassifier(random_state=seed, **CANDIDATES[name]).fit(X[train], y[train])
    return clf.score(X[test], y[test]), time.perf_counter() - start, len(clf.history_["loss"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CANDIDATES, action="append", help="candidates, by default all")
    parser.add_argument("--seeds", type=int, default=1, help="random_state 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    arguments = parser.parse_args()

    sets = {}
    for name in ("esc10", "urbansound8k"):
        X, y, fold = load(name)
        sets[name] = (X, y, [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)])
    sets["tutorial's split"] = (X, y, [train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)])

    with get_context("spawn").Pool(arguments.jobs, one_thread) as pool:
        for name in arguments.only or CANDIDATES:
            for where, (X, y, splits) in sets.items():
                tasks = [(name, X, y, *split, seed) for seed in range(arguments.seeds) for split in splits]
                results = np.array(pool.map(fit_and_score, tasks, chunksize=1)).reshape(arguments.seeds, -1, 3)
                accuracy = results[..., 0].mean(axis=1)
                _, seconds, epochs = results.mean(axis=(0, 1))
                print(
                    f"{name:<44} {where:<16} {accuracy.mean():.4f} +- {accuracy.std():.4f} "
                    f"over {arguments.seeds} seeds, {epochs:4.0f} epochs, {seconds:5.1f} s per fit",
                    flush=True,
                )


if __name__ == "__main__":
    main()
