"""A grid search over both steps, with the feature cache and without."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial

import soundfile
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline

from .data import ogg_clips
from .lab import Options, once, say
from .report import Goal, Section, digits, table

N_MFCC = [20, 40]


def count_decodes() -> list[int]:
    """Count the files that soundfile opens from now on, regardless of the caller."""
    count = [0]
    real = soundfile.SoundFile.__init__

    def counting(self, *args, **kwargs):
        count[0] += 1
        real(self, *args, **kwargs)

    soundfile.SoundFile.__init__ = counting
    return count


def search(quick: bool, *, cached: bool) -> Callable[[], dict]:
    from soundclf import DenseAudioClassifier, MFCCMeanTransformer

    paths, labels, folds = ogg_clips()
    step = 20 if quick else 1
    paths, labels, folds = paths[::step], labels[::step], folds[::step]
    grid = {
        "mfccmeantransformer__n_mfcc": N_MFCC,
        "denseaudioclassifier__dropout": [0.1, 0.2, 0.5],
        "denseaudioclassifier__hidden_layer_sizes": [(100, 200, 100), (100, 100)],
    }

    def work() -> dict:
        decodes = count_decodes()
        with tempfile.TemporaryDirectory() as folder:
            transformer = MFCCMeanTransformer(memory=folder) if cached else MFCCMeanTransformer()
            clf = make_pipeline(transformer, DenseAudioClassifier(n_networks=1, epochs=20, random_state=0))
            start = time.perf_counter()
            search = GridSearchCV(clf, grid, cv=PredefinedSplit(folds)).fit(paths, labels)
            return {
                "search": time.perf_counter() - start,
                "decodes": decodes[0],
                "per clip and setting": decodes[0] / len(paths) / len(N_MFCC),
                "score": search.best_score_,
                "scores": search.cv_results_["mean_test_score"].tolist(),
                "n": len(paths),
            }

    return work


CONTENDERS = {"with memory=": partial(search, cached=True), "without": partial(search, cached=False)}


def run(options: Options) -> list[Section]:
    answers = {}
    for name in CONTENDERS:
        say(f"  search: {name}")
        answers[name] = once("search", name, options)
    cached, plain = answers.values()
    same = "the same" if cached["scores"] == plain["scores"] else "NOT the same"
    section = Section(
        "Search",
        [
            f"GridSearchCV in one process over {cached['n']} clips of ESC-10 (paths) and its five official folds: 12 "
            "candidates, 2 numbers of coefficients by 3 dropouts by 2 networks, of 20 epochs, and the final fit of the "
            "best. `with memory=` starts from an empty cache folder. Decodes are openings of a file by soundfile; a "
            "feature setting is a number of coefficients. One run each, TensorFlow's import included.",
            table(
                ["", "seconds", "decodes", "decodes per clip and feature setting", "best score"],
                [
                    [
                        name,
                        digits(answer["search"]),
                        f"{answer['decodes']:,}",
                        digits(answer["per clip and setting"]),
                        f"{answer['score']:.4f}",
                    ]
                    for name, answer in answers.items()
                ],
            ),
            f"Without the cache, the search takes {digits(plain['search'] / cached['search'])} times as long; all 12 "
            f"mean scores are {same}.",
        ],
        [Goal("search: decodes per clip and feature setting", "=", 1, cached["per clip and setting"])],
    )
    return [section]
