"""How networks are fitted: data and a schedule in, a state and a history out.

The loop over epochs runs inside scikeras' wrapper, and every epoch is one call of a Keras graph.
"""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn

from . import networks
from .networks import Architecture, Network, TrainingState

__all__ = ["Schedule", "TrainingData", "train"]

_DECAY = 0.95  # of the moving average of the weights, per epoch


@dataclass
class TrainingData:
    """Rows for a network: float32 ``(n, n_features)``, integer classes ``(n,)`` and float32 weights ``(n,)``."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray


@dataclass
class Schedule:
    """How long to train, what to keep, and who watches."""

    epochs: int
    batch_size: int
    patience: int | None = None
    restore_best: bool = True
    average: bool = True
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


def train(
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
    base: Any = networks.scikeras_base()
    shared = isinstance(architecture.optimizer, str) and not schedule.callbacks
    with networks.borrowed(architecture, shared=shared) as network:
        if state is None:
            if seeds is None:
                raise TypeError("train needs a state to go on from, or seeds for a fresh one")
            state = network.initial_state(seeds)
        network.load(state)
        start = state
        if not isinstance(architecture.optimizer, str):
            learning_rate = architecture.optimizer.get_config()["learning_rate"]
        if isinstance(learning_rate, numbers.Real):  # not a schedule
            network.model.optimizer.learning_rate = learning_rate
        generator = np.random.default_rng()
        generator.bit_generator.state = copy.deepcopy(dict(state.random))
        outcome: dict[str, Any] = {}

        class Wrapper(base):
            """scikeras' wrapper with a faster way through the epochs."""

            def _fit_keras_model(self, X: Any, y: Any, sample_weight: Any, **_: Any) -> None:
                outcome["result"] = _run_epochs(
                    network, TrainingData(X, y, sample_weight), validation, schedule, start, generator
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


def _averaged(average: list[np.ndarray], weights: list[np.ndarray], n_averaged: int) -> list[np.ndarray]:
    """Move an average over some epochs on by one; it starts as a plain mean, and over no epochs it is the weights."""
    decay = np.float32(min(_DECAY, n_averaged / (n_averaged + 1)))
    return [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]


def _run_epochs(
    network: Network,
    data: TrainingData,
    validation: TrainingData | None,
    schedule: Schedule,
    start: TrainingState,
    generator: np.random.Generator,
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
    average, n_averaged = start.average, start.epochs
    best: TrainingState | None = None
    best_epoch, best_loss = 0, np.inf
    epochs: Any = range(schedule.epochs)
    if schedule.progress is not None:
        epochs = schedule.progress(epochs, schedule.epochs)

    model.stop_training = False
    logs: dict[str, float] = {}
    callbacks.on_train_begin()
    for epoch in epochs:
        callbacks.on_epoch_begin(epoch)
        order = generator.permutation(n_rows)
        total = np.zeros(2)
        for step, first in enumerate(range(0, n_rows, per_call)):
            part = order[first : first + per_call]
            if by_batch:
                callbacks.on_train_batch_begin(step)
            total += network.train_rows(rows, part, batch_size, generator)
            if by_batch:
                done = first + len(part)
                callbacks.on_train_batch_end(step, {"loss": total[0] / done, "accuracy": total[1] / done})
                if model.stop_training:
                    break
        n_seen = min(first + per_call, n_rows)
        logs = {"accuracy": total[1] / n_seen, "loss": total[0] / n_seen}
        average = _averaged(average, network.weights(), n_averaged if schedule.average else 0)
        n_averaged += 1
        if judged is not None and validation is not None:
            callbacks.on_test_begin()
            loss, right = (value / len(validation.y) for value in network.judge_rows(judged, average))
            callbacks.on_test_end({"loss": loss, "accuracy": right})
            logs |= {"val_accuracy": right, "val_loss": loss}
            if loss < best_loss:
                best_epoch, best_loss = epoch, loss
                if schedule.restore_best:
                    best = network.state(average, n_averaged, generator)
        callbacks.on_epoch_end(epoch, logs)
        lost = [name for name in ("loss", "val_loss") if not np.isfinite(logs.get(name, 0.0))]
        if lost:
            raise ValueError(
                f"Training diverged: the {lost[0]} became {logs[lost[0]]} in epoch {epoch + 1}. Use a smaller "
                "learning_rate, and normalize=True where the features have large values"
            )
        if schedule.progress is not None:
            epochs.set_postfix({name: f"{value:.3f}" for name, value in logs.items()}, refresh=False)
        waited = judged is not None and schedule.patience is not None and epoch - best_epoch >= schedule.patience
        if waited or model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.on_train_end(logs)
    if not schedule.average:  # what the optimizer or a callback made of the weights in the end counts
        average = network.weights()
    history = {name: np.asarray(values).tolist() for name, values in model.history.history.items()}
    last = len(history["loss"]) - 1
    if best is None:
        return network.state(average, n_averaged, generator), history, best_epoch if judged is not None else last
    return best, history, best_epoch
