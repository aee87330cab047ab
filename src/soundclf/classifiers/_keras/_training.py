"""How networks are fitted: data and a schedule in, a state and a history out.

The loop over epochs runs inside scikeras' wrapper, and every epoch is one call of a Keras graph.
"""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sklearn

from . import _networks
from ._checkpoint import Checkpoint
from ._networks import Architecture, Network, TrainingState

__all__ = ["Schedule", "TrainingData", "train_network"]

_DECAY = 0.95  # of the moving average of the weights, per epoch


@dataclass
class TrainingData:
    """Rows for a network: float32 ``(n, n_features)``, integer classes ``(n,)`` and float32 weights ``(n,)``."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray


@dataclass
class Schedule:
    """How long to train, what to keep, where, and who watches."""

    epochs: int
    batch_size: int
    patience: int | None = None
    restore_best: bool = True
    average: bool = True
    checkpoint: Any = None
    learning_rates: Sequence[float] | None = None
    callbacks: Sequence[Any] = ()
    progress: Callable[[Iterator[int], int], Any] | None = None


def _watches_batches(keras: Any, callback: Any) -> bool:
    names = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(keras.callbacks.Callback, name)
        for name in names
    )


def _copy_callbacks(keras: Any, callbacks: Sequence[Any]) -> list[Any]:
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"callbacks must hold keras.callbacks.Callback objects, got {callback!r}")
    try:
        return [copy.deepcopy(callback) for callback in callbacks]
    except TypeError as error:
        raise TypeError(f"callbacks are copied for every fit, and one of them cannot be copied: {error}") from error


def train_network(
    architecture: Architecture,
    data: TrainingData,
    schedule: Schedule,
    *,
    validation: TrainingData | None = None,
    state: TrainingState | None = None,
    seeds: Iterator[int] | None = None,
    learning_rate: float = 0.001,
) -> tuple[TrainingState, dict[str, list[float]], int]:
    """Fit a network through scikeras.

    Parameters
    ----------
    architecture : Architecture
        The network and its optimizer.
    data : TrainingData
        The rows to train on.
    schedule : Schedule
        Epochs, batch size, patience, callbacks.
    validation : TrainingData, default=None
        Rows to judge every epoch by.
    state : TrainingState, default=None
        Where to go on from; by default from fresh weights.
    seeds : iterator of int, default=None
        Where the seeds of fresh weights come from.
    learning_rate : float, default=0.001
        Of an optimizer given by name.

    Returns
    -------
    state : TrainingState
        After the best epoch by validation loss if there is validation and ``schedule.restore_best``, else after the
        last.
    history : dict of str to list of float
        What Keras' History recorded in this call.
    best_epoch : int
        The epoch of this call, counted from 0, that ``state`` is from.
    """
    base: Any = _networks.import_scikeras_wrapper()
    shared = isinstance(architecture.optimizer, str) and not schedule.callbacks
    with _networks.acquire_network(architecture, shared=shared) as network:
        if state is None:
            if seeds is None:
                raise TypeError("train needs a state to go on from, or seeds for a fresh one")
            state = network.initial_state(seeds)
        state = start = network.name_state(state)
        network.load(state)
        if not isinstance(architecture.optimizer, str):
            learning_rate = architecture.optimizer.get_config().get("learning_rate")
        if isinstance(learning_rate, numbers.Real):  # neither a schedule nor that of an optimizer within
            network.model.optimizer.learning_rate = learning_rate
        checkpoint = None
        if schedule.checkpoint is not None:
            checkpoint = _checkpoint(architecture, data, schedule, validation, state, learning_rate)
        outcome: dict[str, Any] = {}

        class Wrapper(base):
            """scikeras' wrapper with a faster way through the epochs."""

            def _fit_keras_model(self, X: Any, y: Any, sample_weight: Any, **_: Any) -> None:
                outcome["result"] = _run_epochs(
                    network, TrainingData(X, y, sample_weight), validation, schedule, start, checkpoint
                )

        model = network.model
        with sklearn.config_context(transform_output="default"):  # scikeras passes arrays through transformers
            Wrapper(model=lambda: model, verbose=0).fit(data.X, data.y, sample_weight=data.sample_weight)
        result: tuple[TrainingState, dict[str, list[float]], int] = outcome["result"]
        return result


def _tensors(network: Network, data: TrainingData) -> tuple[Any, Any, Any]:
    tf = network.tf
    return (
        tf.constant(data.X, tf.float32),
        tf.constant(data.y, tf.int32),
        tf.constant(data.sample_weight, tf.float32),
    )


def _averaged(average: dict[str, np.ndarray], weights: dict[str, np.ndarray], n_averaged: int) -> dict[str, np.ndarray]:
    """Move an average over some epochs on by one; it starts as a plain mean, and over no epochs it is the weights."""
    decay = np.float32(min(_DECAY, n_averaged / (n_averaged + 1)))
    return {name: decay * average[name] + (1 - decay) * new for name, new in weights.items()}


def _checkpoint(
    architecture: Architecture,
    data: TrainingData,
    schedule: Schedule,
    validation: TrainingData | None,
    start: TrainingState,
    learning_rate: Any,
) -> Checkpoint:
    """Find the place of this fit: by its data, its parameters and the state it starts from, seeds among it."""
    network = {name: value for name, value in vars(architecture).items() if name != "optimizer"}
    optimizer = architecture.optimizer
    settings = {
        "network": network,
        "optimizer": optimizer
        if isinstance(optimizer, str)
        else [type(optimizer).__name__, optimizer.get_config() | {"name": None}],  # Keras numbers optimizers by name
        "learning_rate": learning_rate,
        "schedule": [schedule.epochs, schedule.batch_size, schedule.patience, schedule.restore_best, schedule.average],
        "learning_rates": schedule.learning_rates,
        "validated": validation is not None,
        "start": [start.epochs, start.random],
        "with": _networks.get_versions(),
    }
    rows = [array for part in (data, validation) if part is not None for array in vars(part).values()]
    states = [part[name] for part in (start.weights, start.average, start.optimizer) for name in sorted(part)]
    return Checkpoint(schedule.checkpoint, [*rows, *states], settings)


def _generator(state: Any) -> np.random.Generator:
    generator = np.random.default_rng()
    generator.bit_generator.state = copy.deepcopy(dict(state))
    return generator


def _check_alike(state: TrainingState, start: TrainingState) -> None:
    """Raise an exception if one state's arrays cannot have come from the other's."""
    for name in ("weights", "average", "optimizer"):
        arrays, expected = getattr(state, name), getattr(start, name)
        kinds, expected_kinds = (
            {key: (np.shape(array), np.asarray(array).dtype) for key, array in part.items()}
            for part in (arrays, expected)
        )
        if kinds != expected_kinds:
            raise ValueError(f"the shapes or types of its {name} are not those of this network")
    if type(state.epochs) is not int:
        raise TypeError("its numbers are of the wrong types")
    _generator(state.random)


@dataclass
class _Progress:
    """Where a run through the epochs stands."""

    average: dict[str, np.ndarray]
    n_averaged: int
    generator: np.random.Generator
    epoch: int = 0
    best: TrainingState | None = None
    best_epoch: int = 0
    best_loss: float = np.inf
    history: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        network: Network,
        start: TrainingState,
        schedule: Schedule,
        checkpoint: Checkpoint | None,
        *,
        validated: bool,
    ) -> _Progress:
        """Start, or go on from the last epoch that was kept."""

        def checked(states: dict[str, TrainingState], further: dict[str, Any]) -> tuple[_Progress, TrainingState]:
            for state in states.values():
                _check_alike(state, start)
            last, best = states["last"], states.get("best")
            progress = cls(last.average, last.epochs, _generator(last.random), best=best, **further)
            progress.check(schedule, validated=validated)
            return progress, last

        kept = None if checkpoint is None else checkpoint.load(checked)
        if kept is None:
            return cls(start.average, start.epochs, _generator(start.random))
        network.load(kept[1])
        return kept[0]

    def check(self, schedule: Schedule, *, validated: bool) -> None:
        """Raise an exception if no fit of this kind can have come to stand here."""
        measured = [*self.history.values()]
        counts = (self.epoch, self.best_epoch, self.n_averaged)
        figures = (self.best_loss, *(value for values in measured for value in values))
        if {type(count) for count in counts} != {int} or {type(figure) for figure in figures} != {float}:
            raise TypeError("its numbers are of the wrong types")
        if not 0 <= self.best_epoch < self.epoch <= min(schedule.epochs, self.n_averaged):
            raise ValueError("its epochs are not those of this fit")
        names = {"loss", "accuracy"} | ({"val_loss", "val_accuracy"} if validated else set())
        if self.history.keys() != names or {len(values) for values in measured} != {self.epoch}:
            raise ValueError("its history is not that of its epochs")
        if (self.best is not None) != (validated and schedule.restore_best):
            raise ValueError("its best epoch is not kept as this fit keeps it")

    def keep(self, network: Network, checkpoint: Checkpoint) -> None:
        last = network.state(self.average, self.n_averaged, self.generator)
        further = {name: getattr(self, name) for name in ("epoch", "best_epoch", "best_loss", "history")}
        checkpoint.save({"last": last, "best": self.best}, further)


def _run_epochs(
    network: Network,
    data: TrainingData,
    validation: TrainingData | None,
    schedule: Schedule,
    start: TrainingState,
    checkpoint: Checkpoint | None,
) -> tuple[TrainingState, dict[str, list[float]], int]:
    keras, model = network.keras, network.model
    n_rows, batch_size = len(data.y), schedule.batch_size
    copies = _copy_callbacks(keras, schedule.callbacks)
    # One call of the graph per epoch, unless somebody wants to be called for every batch.
    by_batch = any(_watches_batches(keras, callback) for callback in copies)
    per_call = batch_size if by_batch else n_rows
    steps = -(-n_rows // batch_size)
    callbacks = keras.callbacks.CallbackList(
        copies, add_history=True, model=model, epochs=schedule.epochs, steps=steps, verbose=0
    )
    rows = _tensors(network, data)
    judged = None if validation is None else _tensors(network, validation)
    now = _Progress.begin(network, start, schedule, checkpoint, validated=judged is not None)
    epochs: Any = range(now.epoch, schedule.epochs)
    if schedule.progress is not None:
        epochs = schedule.progress(epochs, len(epochs))

    model.stop_training = False
    logs: dict[str, float] = {}
    callbacks.on_train_begin()
    for epoch in epochs:
        if judged is not None and schedule.patience is not None and epoch - 1 - now.best_epoch >= schedule.patience:
            break
        if schedule.learning_rates is not None:
            model.optimizer.learning_rate = schedule.learning_rates[epoch]
        callbacks.on_epoch_begin(epoch)
        order = now.generator.permutation(n_rows)
        total = np.zeros(2)
        for step, first in enumerate(range(0, n_rows, per_call)):
            part = order[first : first + per_call]
            if by_batch:
                callbacks.on_train_batch_begin(step)
            total += network.train_rows(rows, part, batch_size, now.generator)
            if by_batch:
                done = first + len(part)
                callbacks.on_train_batch_end(step, {"loss": total[0] / done, "accuracy": total[1] / done})
                if model.stop_training:
                    break
        n_seen = min(first + per_call, n_rows)
        logs = {"accuracy": float(total[1] / n_seen), "loss": float(total[0] / n_seen)}
        now.average = _averaged(now.average, network.weights(), now.n_averaged if schedule.average else 0)
        now.n_averaged += 1
        if judged is not None and validation is not None:
            callbacks.on_test_begin()
            loss, right = (value / len(validation.y) for value in network.judge_rows(judged, now.average))
            callbacks.on_test_end({"loss": loss, "accuracy": right})
            logs |= {"val_accuracy": right, "val_loss": loss}
            if loss < now.best_loss:
                now.best_epoch, now.best_loss = epoch, loss
                if schedule.restore_best:
                    now.best = network.state(now.average, now.n_averaged, now.generator)
        callbacks.on_epoch_end(epoch, logs)
        lost = [name for name in ("loss", "val_loss") if not np.isfinite(logs.get(name, 0.0))]
        if lost:
            raise ValueError(
                f"Training diverged: the {lost[0]} became {logs[lost[0]]} in epoch {epoch + 1}. Use a smaller "
                "learning_rate, and normalize=True where the features have large values"
            )
        now.epoch = epoch + 1
        if checkpoint is not None:
            now.history = {name: [*now.history.get(name, []), value] for name, value in logs.items()}
            now.keep(network, checkpoint)
        if schedule.progress is not None:
            epochs.set_postfix({name: f"{value:.3f}" for name, value in logs.items()}, refresh=False)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.on_train_end(logs)
    if not schedule.average:  # what the optimizer or a callback made of the weights in the end counts
        now.average = network.weights()
    history = now.history or {name: np.asarray(values).tolist() for name, values in model.history.history.items()}
    if now.best is None:
        last = len(history["loss"]) - 1
        state = network.state(now.average, now.n_averaged, now.generator)
        return state, history, now.best_epoch if judged is not None else last
    return now.best, history, now.best_epoch
