"""The training loop: from data and a schedule to a state and a history.

Every epoch is one call of a Keras graph.
"""

from __future__ import annotations

import copy
import numbers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._utils.progress import show_progress
from ._backend import get_versions
from ._checkpoint import Checkpoint
from ._networks import Architecture, Network, TrainingState, acquire_network
from ._scikeras import run_in_scikeras

__all__ = ["Schedule", "TrainingData", "train_network"]

_DECAY = 0.95  # of the moving average of the weights, per epoch


@dataclass
class TrainingData:
    """Training or validation rows: float32 ``(n, ...)``, integer classes ``(n,)`` and float32 weights ``(n,)``."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray


@dataclass
class Schedule:
    """Length of the training, choice of the final weights, checkpoint and callbacks."""

    epochs: int
    batch_size: int
    patience: int | None = None
    restore_best: bool = True
    average: bool = True
    checkpoint: Any = None
    learning_rates: Sequence[float] | None = None
    callbacks: Sequence[Any] = ()
    progress: str | None = None  # text in front of a progress bar


def _watches_batches(keras: Any, callback: Any) -> bool:
    """Return whether a callback has hooks for batches, in its class or set on itself."""
    for name in ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"):
        hook = getattr(callback, name, None)
        if hook is not None and getattr(hook, "__func__", hook) is not getattr(keras.callbacks.Callback, name, None):
            return True
    return False


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
    """Train a network.

    Parameters
    ----------
    architecture : Architecture
        Architecture of the network, with the optimizer.
    data : TrainingData
        Training rows.
    schedule : Schedule
        Epochs, batch size, patience, callbacks.
    validation : TrainingData, default=None
        Validation rows, on which each epoch is evaluated.
    state : TrainingState, default=None
        State to continue from; None for initial weights.
    seeds : iterator of int, default=None
        Seeds of the initial weights; used if ``state`` is None.
    learning_rate : float, default=0.001
        Learning rate of an optimizer given by name.

    Returns
    -------
    state : TrainingState
        State after the epoch with the lowest validation loss with ``schedule.restore_best`` and validation rows, else
        after the last epoch.
    history : dict of str to list of float
        Records of Keras' History in this call.
    best_epoch : int
        Epoch of this call, counted from 0, with the lowest validation loss; without validation rows, the last one.
    """
    shared = isinstance(architecture.optimizer, str) and not schedule.callbacks
    with acquire_network(architecture, shared=shared) as network:
        if state is None:
            if seeds is None:
                raise TypeError("train_network needs a state to continue from, or seeds for initial weights")
            state = network.make_initial_state(seeds)
        start = network.name_state(state)
        if not isinstance(architecture.optimizer, str):
            learning_rate = architecture.optimizer.get_config().get("learning_rate")
        checkpoint = None
        if schedule.checkpoint is not None:
            checkpoint = _open_checkpoint(architecture, data, schedule, validation, start, learning_rate)

        def train() -> tuple[TrainingState, dict[str, list[float]], int]:
            network.load(start)
            if isinstance(learning_rate, numbers.Real):  # neither a schedule nor that of an inner optimizer
                network.model.optimizer.learning_rate = learning_rate
            return _run_epochs(network, data, validation, schedule, start, checkpoint)

        return run_in_scikeras(network.model, data.X, data.y, data.sample_weight, train)


def _make_tensors(network: Network, data: TrainingData) -> tuple[Any, Any, Any]:
    tf = network.tf
    return (
        tf.constant(data.X, tf.float32),
        tf.constant(data.y, tf.int32),
        tf.constant(data.sample_weight, tf.float32),
    )


def _update_average(
    average: dict[str, np.ndarray], weights: dict[str, np.ndarray], n_averaged: int
) -> dict[str, np.ndarray]:
    """Update the average over ``n_averaged`` epochs by another one.

    It is the plain mean at first and a moving average later; with ``n_averaged=0`` it is the weights.
    """
    decay = np.float32(min(_DECAY, n_averaged / (n_averaged + 1)))
    return {name: decay * average[name] + (1 - decay) * new for name, new in weights.items()}


def _open_checkpoint(
    architecture: Architecture,
    data: TrainingData,
    schedule: Schedule,
    validation: TrainingData | None,
    start: TrainingState,
    learning_rate: Any,
) -> Checkpoint:
    """Open the checkpoint of this fit, which its data, parameters and initial state identify."""
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
        "with": get_versions(),
    }
    rows = [array for part in (data, validation) if part is not None for array in vars(part).values()]
    states = [part[name] for part in (start.weights, start.average, start.optimizer) for name in sorted(part)]
    return Checkpoint(schedule.checkpoint, [*rows, *states], settings)


def _make_generator(state: Any) -> np.random.Generator:
    generator = np.random.default_rng()
    generator.bit_generator.state = copy.deepcopy(dict(state))
    return generator


def _check_same_kind(state: TrainingState, start: TrainingState) -> None:
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
        raise TypeError("its numbers have the wrong types")
    _make_generator(state.random)


@dataclass
class _Progress:
    """Progress of a training."""

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
        """Start, or continue from the last epoch in the checkpoint."""

        def restore(states: dict[str, TrainingState], values: dict[str, Any]) -> tuple[_Progress, TrainingState]:
            for state in states.values():
                _check_same_kind(state, start)
            last, best = states["last"], states.get("best")
            progress = cls(last.average, last.epochs, _make_generator(last.random), best=best, **values)
            progress.check(schedule, validated=validated)
            return progress, last

        restored = None if checkpoint is None else checkpoint.load(restore)
        if restored is None:
            return cls(start.average, start.epochs, _make_generator(start.random))
        progress, last = restored
        network.load(last)
        return progress

    def check(self, schedule: Schedule, *, validated: bool) -> None:
        """Raise an exception if this cannot be the progress of such a fit."""
        measured = [*self.history.values()]
        counts = (self.epoch, self.best_epoch, self.n_averaged)
        figures = (self.best_loss, *(value for values in measured for value in values))
        if {type(count) for count in counts} != {int} or {type(figure) for figure in figures} != {float}:
            raise TypeError("its numbers have the wrong types")
        if not 0 <= self.best_epoch < self.epoch <= min(schedule.epochs, self.n_averaged):
            raise ValueError("its epochs are not those of this fit")
        names = {"loss", "accuracy"} | ({"val_loss", "val_accuracy"} if validated else set())
        if self.history.keys() != names or {len(values) for values in measured} != {self.epoch}:
            raise ValueError("its history is not that of its epochs")
        if (self.best is not None) != (validated and schedule.restore_best):
            raise ValueError("its best epoch is not stored as this fit stores it")

    def save(self, network: Network, checkpoint: Checkpoint) -> None:
        last = network.copy_state(self.average, self.n_averaged, self.generator)
        values = {name: getattr(self, name) for name in ("epoch", "best_epoch", "best_loss", "history")}
        checkpoint.save({"last": last, "best": self.best}, values)


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
    # One call of the graph per epoch, unless a callback has to be called for every batch.
    by_batch = any(_watches_batches(keras, callback) for callback in copies)
    per_call = batch_size if by_batch else n_rows
    steps = -(-n_rows // batch_size)
    callbacks = keras.callbacks.CallbackList(
        copies, add_history=True, model=model, epochs=schedule.epochs, steps=steps, verbose=0
    )
    rows = _make_tensors(network, data)
    validation_rows = None if validation is None else _make_tensors(network, validation)
    now = _Progress.begin(network, start, schedule, checkpoint, validated=validation_rows is not None)
    model.stop_training = False
    logs: dict[str, float] = {}
    callbacks.on_train_begin()
    n_epochs = schedule.epochs - now.epoch
    with show_progress(schedule.progress or "", n_epochs, "epoch", enabled=schedule.progress) as update:
        for epoch in range(now.epoch, schedule.epochs):
            patience = None if validation_rows is None else schedule.patience
            if patience is not None and epoch - 1 - now.best_epoch >= patience:
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
            now.average = _update_average(
                now.average, network.copy_weights(), now.n_averaged if schedule.average else 0
            )
            now.n_averaged += 1
            if validation_rows is not None and validation is not None:
                callbacks.on_test_begin()
                sums = network.evaluate_rows(validation_rows, now.average)
                loss, accuracy = (value / len(validation.y) for value in sums)
                callbacks.on_test_end({"loss": loss, "accuracy": accuracy})
                logs |= {"val_accuracy": accuracy, "val_loss": loss}
                if loss < now.best_loss:
                    now.best_epoch, now.best_loss = epoch, loss
                    if schedule.restore_best:
                        now.best = network.copy_state(now.average, now.n_averaged, now.generator)
            callbacks.on_epoch_end(epoch, logs)
            diverged = [name for name in ("loss", "val_loss") if not np.isfinite(logs.get(name, 0.0))]
            if diverged:
                raise ValueError(
                    f"Training diverged: the {diverged[0]} became {logs[diverged[0]]} in epoch {epoch + 1}. Use a "
                    "smaller learning_rate, and normalize=True where the features have large values"
                )
            now.epoch = epoch + 1
            if checkpoint is not None:
                now.history = {name: [*now.history.get(name, []), value] for name, value in logs.items()}
                now.save(network, checkpoint)
            update(**logs)
            if model.stop_training:
                break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.on_train_end(logs)
    if not schedule.average:  # then the weights that the optimizer or a callback set in the end are the result
        now.average = network.copy_weights()
    history = now.history or {name: np.asarray(values).tolist() for name, values in model.history.history.items()}
    if now.best is None:
        last = len(history["loss"]) - 1
        state = network.copy_state(now.average, now.n_averaged, now.generator)
        return state, history, now.best_epoch if validation_rows is not None else last
    return now.best, history, now.best_epoch
