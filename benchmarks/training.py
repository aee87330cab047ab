"""The tutorial's network on the tutorial's features: an epoch, the time to its accuracy, and many fits in a row."""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from .data import tutorial_split
from .lab import Options, once, race, say
from .report import Goal, Section, comparison, digits, ratio, spread, table
from .rivals import scikeras_classifier, tutorial_network
from .worker import memory

FEW, MANY = 2, 12  # epochs; the difference of two fits is the cost of epochs alone
REACHED = 0.787  # what the tutorial reports


def timed(fit: Callable[[int], object]) -> Callable[[], dict]:
    """Split the time of a fit into that of an epoch and that of the start-up."""

    def work() -> dict:
        times = []
        for epochs in (FEW, MANY):
            start = time.perf_counter()
            fit(epochs)
            times.append(time.perf_counter() - start)
        epoch = (times[1] - times[0]) / (MANY - FEW)
        return {"epoch": epoch, "start": times[0] - FEW * epoch}

    return work


def tutorial_fit(epochs: int) -> dict[str, list[float]]:
    """Fit as published: one-hot labels, every epoch evaluated on the test rows, the best one saved."""
    from keras.callbacks import ModelCheckpoint
    from sklearn.preprocessing import LabelBinarizer

    X_train, X_test, y_train, y_test = tutorial_split()
    one_hot = LabelBinarizer().fit(y_train)
    with tempfile.TemporaryDirectory() as folder:
        return (
            tutorial_network(one_hot=True)
            .fit(
                X_train,
                one_hot.transform(y_train),
                batch_size=32,
                epochs=epochs,
                validation_data=(X_test, one_hot.transform(y_test)),
                callbacks=[ModelCheckpoint(str(Path(folder, "best.keras")), save_best_only=True)],
                verbose=0,
            )
            .history
        )


def plain_fit(epochs: int) -> None:
    from sklearn.preprocessing import LabelBinarizer

    X_train, _, y_train, _ = tutorial_split()
    one_hot = LabelBinarizer().fit_transform(y_train)
    tutorial_network(one_hot=True).fit(X_train, one_hot, batch_size=32, epochs=epochs, verbose=0)


def scikeras_fit(epochs: int) -> None:
    X_train, _, y_train, _ = tutorial_split()
    scikeras_classifier(epochs).fit(X_train, y_train)


def soundclf_fit(epochs: int, *, validating: bool = False) -> None:
    from soundclf import DenseAudioClassifier

    X_train, X_test, y_train, y_test = tutorial_split()
    clf = DenseAudioClassifier(n_networks=1, dropout=0.5, epochs=epochs, random_state=0)
    clf.fit(X_train, y_train, **({"X_val": X_test, "y_val": y_test} if validating else {}))


def mlp_fit(epochs: int) -> None:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X_train, _, y_train, _ = tutorial_split()
    clf = MLPClassifier((100, 200, 100), batch_size=32, max_iter=epochs, tol=0, n_iter_no_change=epochs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is given
        clf.fit(X_train, y_train)


EPOCHS = {
    "tutorial's fit": tutorial_fit,
    "plain Keras fit": plain_fit,
    "scikeras": scikeras_fit,
    "soundclf, validating": lambda epochs: soundclf_fit(epochs, validating=True),
    "soundclf": soundclf_fit,
    "scikit-learn MLPClassifier": mlp_fit,
}


def tutorial_in_full(quick: bool) -> Callable[[], dict]:
    def work() -> dict:
        start = time.perf_counter()
        import tensorflow as tf  # noqa: F401

        imported = time.perf_counter()
        accuracies = tutorial_fit(4 if quick else 200)["val_accuracy"]
        return {
            "fit": time.perf_counter() - imported,
            "all": time.perf_counter() - start,
            "accuracy": max(accuracies),
            "reached": first_to_reach(accuracies),
        }

    return work


def soundclf_in_full(quick: bool) -> Callable[..., dict]:
    def work(epochs: int) -> dict:
        X_train, X_test, y_train, y_test = tutorial_split()
        start = time.perf_counter()
        import tensorflow as tf  # noqa: F401

        from soundclf import DenseAudioClassifier

        imported = time.perf_counter()
        clf = DenseAudioClassifier(n_networks=1, epochs=epochs, random_state=0)
        clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
        return {
            "fit": time.perf_counter() - imported,
            "all": time.perf_counter() - start,
            "accuracy": clf.score(X_test, y_test),
            "reached": first_to_reach(clf.history_["val_accuracy"]),
        }

    return work


def first_to_reach(accuracies: list[float]) -> int | None:
    """Count the epochs until the tutorial's accuracy, if it is reached."""
    return next((epoch for epoch, accuracy in enumerate(accuracies, 1) if accuracy >= REACHED), None)


SIZES = ((100, 200, 100), (100, 100), (200, 100), (100,))


def twenty_fits(quick: bool) -> Callable[[], dict]:
    from soundclf import DenseAudioClassifier

    X_train, _, y_train, _ = tutorial_split()

    def work() -> dict:
        seconds, held = [], []
        for seed in range(2 if quick else 5):
            for sizes in SIZES:
                start = time.perf_counter()
                DenseAudioClassifier(sizes, n_networks=1, epochs=10, random_state=seed).fit(X_train, y_train)
                seconds.append(time.perf_counter() - start)
                held.append(memory("VmRSS"))
        return {"fits": seconds, "held": held}

    return work


CONTENDERS = {
    **{name: (lambda quick, fit=fit: timed(fit)) for name, fit in EPOCHS.items()},
    "tutorial, in full": tutorial_in_full,
    "soundclf, in full": soundclf_in_full,
    "twenty fits": twenty_fits,
}


def cost_of_epochs(options: Options) -> Section:
    answers = race("training", list(EPOCHS), options, one_thread=False)
    epoch, start = (
        {name: [1000 * run[key] for run in runs] for name, runs in answers.items()} for key in ("epoch", "start")
    )
    return Section(
        "Training: an epoch",
        [
            "Published features, the tutorial's split (6,985 training rows of 40), its network (100, 200, 100 units, "
            f"ReLU, dropout 0.5), Adam, batches of 32. Every run fits {FEW} epochs and then {MANY}, from building the "
            "network on: the difference gives the cost of an epoch, what remains is start-up. Threads as the libraries "
            "choose. `tutorial's fit` evaluates every epoch on the 1,747 test rows and saves the best, as published; "
            "`soundclf, validating` evaluates every epoch on the same rows and restores the best. MLPClassifier has no "
            "dropout. soundclf standardizes the features and averages the weights; the others do neither.",
            comparison(epoch, "ms per epoch"),
            comparison(start, "start-up in ms"),
        ],
        [
            Goal(
                "training: validating, epochs per second against the tutorial's fit",
                "≥",
                6,
                ratio(epoch["tutorial's fit"], epoch["soundclf, validating"]),
            ),
            Goal(
                "training: epochs per second against a plain Keras fit",
                "≥",
                3.5,
                ratio(epoch["plain Keras fit"], epoch["soundclf"]),
            ),
        ],
    )


def time_to_accuracy(options: Options) -> Section:
    say("  training: the tutorial's 200 epochs")
    tutorial = once("training", "tutorial, in full", options)
    found = once("training", "soundclf, in full", options, epochs=200)["reached"]
    if found is None:
        return Section("Training: time to 78.7 %", [f"soundclf did not reach {REACHED:.1%} in 200 epochs."])
    say(f"  training: soundclf's {found} epochs")
    ours = [once("training", "soundclf, in full", options, epochs=found) for _ in range(options.rounds)]
    fit, whole = ([run[key] for run in ours] for key in ("fit", "all"))
    reached = (
        f"reaches {REACHED:.1%} first in epoch {tutorial['reached']}"
        if tutorial["reached"]
        else f"never reaches {REACHED:.1%} in this run"
    )
    return Section(
        "Training: time to 78.7 %",
        [
            "Validation accuracy on the tutorial's split, which it reports as 78.7 %. The tutorial's fit as published, "
            f"200 epochs on features as they are, once: it {reached}. soundclf's defaults, evaluated on the same rows, "
            f"with one network, for as many epochs as it took in a first fit to reach {REACHED:.1%}: "
            f"{found}. Each fit in a fresh process, building and tracing the network included; the last column adds "
            "the imports of TensorFlow and soundclf.",
            table(
                ["", "accuracy", "fit in s", "quartiles", "with imports in s"],
                [
                    [
                        "tutorial's 200 epochs, best one",
                        f"{tutorial['accuracy']:.4f}",
                        digits(tutorial["fit"]),
                        "one run",
                        digits(tutorial["all"]),
                    ],
                    [
                        f"soundclf, {found} epochs",
                        f"{ours[0]['accuracy']:.4f}",
                        digits(statistics.median(fit)),
                        f"{spread(fit)}",
                        digits(statistics.median(whole)),
                    ],
                ],
            ),
            f"With imports, soundclf is {digits(ratio([tutorial['all']], whole))} times as fast.",
        ],
        [Goal("training: time to 78.7 %, times as fast as the tutorial", "≥", 30, ratio([tutorial["fit"]], fit))],
    )


def many_fits(options: Options) -> Section:
    say("  training: twenty fits in one process")
    answer = once("training", "twenty fits", options)
    fits, held = answer["fits"], answer["held"]
    parts = {
        "first fit, TensorFlow's import included": slice(1),
        "fits 2 to 5, medians": slice(1, 5),
        "last 5 fits, medians": slice(-5, None),
    }
    return Section(
        "Training: many fits in one process",
        [
            f"{len(fits)} fits of 10 epochs, as in a search: hidden sizes {', '.join(map(str, SIZES))}, one after the "
            "other, then the same with the next seed. Memory is what the process holds after a fit.",
            table(
                ["", "fit in s", "memory in MiB"],
                [
                    [part, digits(statistics.median(fits[which])), digits(statistics.median(held[which]))]
                    for part, which in parts.items()
                ],
            ),
            f"From the fifth fit to the last, memory grew by {held[-1] - held[4]:.1f} MiB "
            f"({(held[-1] - held[4]) / (len(held) - 5):.2f} MiB per fit).",
        ],
    )


def run(options: Options) -> list[Section]:
    return [cost_of_epochs(options), time_to_accuracy(options), many_fits(options)]
