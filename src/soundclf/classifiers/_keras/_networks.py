"""Keras networks with NumPy arrays as inputs and outputs.

Because every result is a NumPy array, the state of a fitted classifier can be stored, copied and used for prediction
without TensorFlow.

A fit acquires a compiled network of the right shape from a small pool, loads the state to start from, trains, and
reads the state back. Tracing a network costs more than training it on a small data set, so the folds and candidates
of a search share one graph; a network belongs to one fit at a time.
"""

from __future__ import annotations

import contextlib
import copy
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ._backend import import_keras
from ._optimizers import fuse_adam, make_optimizer, match_optimizer, name_optimizer

__all__ = [
    "Architecture",
    "Network",
    "TrainingState",
    "acquire_network",
    "build_keras_model",
]

_POOL_SIZE = 4
_MAX_MASK_SIZE = 1 << 22  # elements of the dropout masks that are drawn for a call of the graph; a byte each
_MAX_VALIDATION_SIZE = 1 << 21  # elements of the rows evaluated in a call; convolutions make ten times as many of them
_pool: list[Network] = []
_lock = threading.RLock()


class Architecture(Protocol):
    """Hyperparameters of a compiled network; two fits with equal architectures share a graph.

    ``optimizer`` is the name of a Keras optimizer, or an optimizer object, which is never shared.
    """

    n_random: int

    @property
    def dropout(self) -> float:
        """Fraction of outputs that are zeroed in training."""

    @property
    def optimizer(self) -> Any:
        """The name of a Keras optimizer, or an optimizer object."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of a row."""

    @property
    def n_masked(self) -> int:
        """Number of outputs per row that dropout may zero."""

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights and of the running means and variances."""

    def apply_layers(self, keras: Any, inputs: Any, activation: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``activation`` is that of the last one."""

    def draw_augmentation(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw the random numbers of the augmentation, ``(n_rows, n_random)``."""

    def find_layers(self, keras: Any, model: Any) -> Any:
        """Return the layers of a model that :meth:`compute_logits` applies."""

    def compute_logits(self, tf: Any, layers: Any, X: Any, masks: Any, augmentation: Any) -> Any:
        """Compute the logits of a batch in training; ``masks`` are the factors of dropout, or None."""

    def compute_losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, augmentation: Any) -> Any:
        """Compute the weighted cross-entropy of every row."""


@dataclass
class TrainingState:
    """State that training continues from: named arrays and the state of NumPy's generator.

    ``weights`` holds the trained variables and the running means and variances by layer and name, such as
    ``hidden_1/kernel``; ``average`` their moving average over ``epochs`` epochs; ``optimizer`` the optimizer's
    variables by the names it gives them, or as ``variable_0``, ``variable_1``, ... in its order where the names are
    unknown; ``random`` the state of NumPy's generator that orders the rows and draws the dropout masks.
    """

    weights: dict[str, np.ndarray]
    average: dict[str, np.ndarray]
    epochs: int
    optimizer: dict[str, np.ndarray]
    random: Mapping[str, Any]


class Network:
    """A Keras model with the graphs that train and evaluate it."""

    def __init__(self, architecture: Architecture):
        import tensorflow as tf

        keras = import_keras()
        self.tf, self.keras = tf, keras
        self.key = (architecture, keras.config.floatx())
        # The last layer returns logits: cross-entropy from them loses no digits, and softmax is monotonic.
        inputs = keras.Input(architecture.input_shape, dtype="float32")
        self.model = keras.Model(inputs, architecture.apply_layers(keras, inputs, activation=None), name="soundclf")
        self.model.compile(
            optimizer=make_optimizer(keras, architecture.optimizer),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            auto_scale_loss=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        fuse_adam(keras, self.model.optimizer)
        self._architecture = architecture
        self._layers = architecture.find_layers(keras, self.model)
        self._n_dropped = min(round(architecture.dropout * 2**16), 2**16 - 1)  # of every 2**16 outputs
        self._weights = _name_weights(self.model, architecture)
        self._optimizer = name_optimizer(self.model.optimizer)
        variables = [*self._weights.values(), *self._optimizer.values()]
        # Variables read one by one through Keras would take a tenth of a small network's epoch.
        self._read_graph = tf.function(lambda: [tf.identity(variable.value) for variable in variables], autograph=False)
        self._fresh_weights, self._fresh_optimizer = self._read()
        rows = (
            tf.TensorSpec((None, *architecture.input_shape), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        )
        order = (
            tf.TensorSpec((None, None), tf.bool),
            tf.TensorSpec((None, architecture.n_random), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((), tf.int32),
        )
        self._train_graph = tf.function(self._train_steps, input_signature=rows + order, autograph=False)
        weights = {name: tf.TensorSpec(variable.shape, tf.float32) for name, variable in self._weights.items()}
        self._evaluate_graph = tf.function(self._evaluate, input_signature=(*rows, weights), autograph=False)

    def _count_correct(self, logits: Any, y: Any) -> Any:
        """Count the correctly classified rows."""
        tf = self.tf
        return tf.reduce_sum(tf.cast(tf.math.in_top_k(y, logits, 1), tf.float32))

    def _train_steps(
        self, X: Any, y: Any, sample_weight: Any, masks: Any, augmentation: Any, order: Any, batch_size: Any
    ) -> Any:
        tf, architecture = self.tf, self._architecture
        model, variables = self.model, self.model.trainable_variables
        scale = 2**16 / (2**16 - self._n_dropped)

        def step(first: Any, loss: Any, n_correct: Any) -> tuple[Any, Any, Any]:
            batch = order[first : first + batch_size]
            labels, batch_augmentation = tf.gather(y, batch), augmentation[first : first + batch_size]
            factors = None
            if self._n_dropped and architecture.n_masked:
                factors = scale * tf.cast(masks[first : first + batch_size], tf.float32)
            with tf.GradientTape() as tape:
                rows = tf.gather(X, batch)
                logits = architecture.compute_logits(tf, self._layers, rows, factors, batch_augmentation)
                weights = tf.gather(sample_weight, batch)
                losses = architecture.compute_losses(tf, logits, labels, weights, batch_augmentation)
                batch_loss = tf.reduce_sum(losses)
                mean_loss = model.optimizer.scale_loss(batch_loss / tf.cast(tf.shape(batch)[0], tf.float32))
            model.optimizer.apply(tape.gradient(mean_loss, variables), variables)
            return first + batch_size, loss + batch_loss, n_correct + self._count_correct(logits, labels)

        n_rows = tf.shape(order)[0]
        return tf.while_loop(lambda first, *_: first < n_rows, step, (0, 0.0, 0.0), parallel_iterations=1)[1:]

    def _draw_masks(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw the dropout masks of some rows: bool ``(n_rows, n_units)``, true for outputs that are not zeroed.

        NumPy draws 16 random bits for each output, all at once: TensorFlow's generators, called by every layer in
        every step, would take a quarter of a small network's time.
        """
        n_units = self._architecture.n_masked if self._n_dropped else 0
        bits = generator.integers(0, 2**64, (n_rows, -(-n_units // 4)), dtype=np.uint64)
        return bits.view(np.uint16)[:, :n_units] >= self._n_dropped

    def train_rows(
        self, rows: tuple[Any, Any, Any], order: np.ndarray, batch_size: int, generator: np.random.Generator
    ) -> tuple[float, float]:
        """Train on the rows with the indices ``order``, batch by batch, within the graph.

        Returns the sum of the weighted losses and the number of correctly classified rows, each computed before the
        update by its batch. ``generator`` draws the dropout masks and the augmentation.
        """
        tf = self.tf
        n_units = self._architecture.n_masked
        per_call = batch_size * max(1, _MAX_MASK_SIZE // (batch_size * max(1, n_units)))
        sums = np.zeros(2)
        for first in range(0, len(order), per_call):
            part = order[first : first + per_call]
            masks = tf.constant(self._draw_masks(len(part), generator))
            augmentation = tf.constant(self._architecture.draw_augmentation(len(part), generator))
            indices, size = tf.constant(part, tf.int32), tf.constant(min(batch_size, len(part)), tf.int32)
            with self._use_one_thread():
                sums += [float(value) for value in self._train_graph(*rows, masks, augmentation, indices, size)]
        return float(sums[0]), float(sums[1])

    def evaluate_rows(self, rows: tuple[Any, Any, Any], weights: dict[str, np.ndarray]) -> tuple[float, float]:
        """Compute the same sums for the given weights, without changing those of the model."""
        n_rows, *shape = rows[0].shape
        per_call = max(1, _MAX_VALIDATION_SIZE // math.prod(shape))
        sums = np.zeros(2)
        for first in range(0, n_rows, per_call):
            part = [values[first : first + per_call] for values in rows]
            with self._use_one_thread():
                sums += [float(value) for value in self._evaluate_graph(*part, weights)]
        return float(sums[0]), float(sums[1])

    def _evaluate(self, X: Any, y: Any, sample_weight: Any, weights: Any) -> Any:
        tf = self.tf
        values = {id(variable): weights[name] for name, variable in self._weights.items()}
        trained = [values[id(variable)] for variable in self.model.trainable_variables]
        others = [values.get(id(variable), variable) for variable in self.model.non_trainable_variables]
        logits, _ = self.model.stateless_call(trained, others, X, training=False)
        losses = sample_weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        return tf.reduce_sum(losses), self._count_correct(logits, y)

    def _use_one_thread(self) -> Any:
        """Run the operations of a graph one after the other: for networks of this size a second thread only waits.

        A fit then uses one core, and as many fits as there are cores can run in parallel. TensorFlow's settings for
        the process do not change. Optimizer objects may contain conditions (schedules, accumulated gradients), each of
        which would wait for a thread of TensorFlow's pool while it holds one: with few cores, forever.
        """
        use_executor = getattr(getattr(self.tf, "experimental", None), "function_executor_type", None)
        if use_executor is None or not isinstance(self._architecture.optimizer, str):
            return contextlib.nullcontext()
        return use_executor("SINGLE_THREADED_EXECUTOR")

    def make_initial_state(self, seeds: Iterator[int]) -> TrainingState:
        """Initialize the weights, the optimizer and the random generator."""
        glorot = self.keras.initializers.GlorotUniform
        weights = {
            name: np.asarray(glorot(seed=next(seeds))(array.shape, dtype="float32")) if array.ndim > 1 else array
            for name, array in self._fresh_weights.items()
        }
        random = np.random.default_rng(next(seeds)).bit_generator.state
        return TrainingState(weights, weights, 0, self._fresh_optimizer, random)

    def name_state(self, state: TrainingState) -> TrainingState:
        """Return a state with the optimizer's variables by name, also if they are only numbered so far."""
        return replace(state, optimizer=match_optimizer(self._optimizer, state.optimizer))

    def load(self, state: TrainingState) -> None:
        """Set all variables, those of the optimizer included."""
        _assign(self._weights, state.weights)
        _assign(self._optimizer, match_optimizer(self._optimizer, state.optimizer))

    def copy_weights(self) -> dict[str, np.ndarray]:
        """Copy the trained variables, and the running means and variances."""
        return self._read()[0]

    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        values = iter([np.array(value.numpy()) for value in self._read_graph()])
        return {name: next(values) for name in self._weights}, {name: next(values) for name in self._optimizer}

    def copy_state(self, average: dict[str, np.ndarray], epochs: int, generator: np.random.Generator) -> TrainingState:
        """Copy the state that training continues from."""
        weights, optimizer = self._read()
        return TrainingState(
            weights,
            average,
            epochs,
            optimizer,
            copy.deepcopy(dict(generator.bit_generator.state)),
        )


def _name_weights(model: Any, architecture: Architecture, suffix: str = "") -> dict[str, Any]:
    """Return a model's weights by layer and name, in the order of the architecture."""
    found = {
        f"{layer.name.removesuffix(suffix)}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.weights
    }
    if found.keys() != set(architecture.weight_names):
        raise RuntimeError(
            f"Keras made weights named {', '.join(sorted(found))}, where soundclf expects "
            f"{', '.join(sorted(architecture.weight_names))}"
        )
    return {name: found[name] for name in architecture.weight_names}


def _assign(variables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> None:
    if variables.keys() != values.keys():
        raise ValueError(f"The weights are {', '.join(sorted(values))}, not {', '.join(sorted(variables))}")
    for name, variable in variables.items():
        variable.assign(values[name])


@contextlib.contextmanager
def acquire_network(architecture: Architecture, *, shared: bool) -> Iterator[Network]:
    """Acquire a network for one fit; one that users' callbacks may have changed is not reused."""
    network = None
    if shared:
        key = (architecture, import_keras().config.floatx())
        with _lock:
            for i, candidate in enumerate(_pool):
                if candidate.key == key:
                    network = _pool.pop(i)
                    break
    network = network or Network(architecture)
    yield network
    if shared:  # not after an exception, which leaves a network in an unknown state
        with _lock:
            _pool.append(network)
            del _pool[:-_POOL_SIZE]


def build_keras_model(
    architecture: Architecture, states: Sequence[TrainingState], mean: np.ndarray | None, scale: np.ndarray | None
) -> Any:
    """Build the compiled Keras model of a fitted classifier.

    Parameters
    ----------
    architecture : Architecture
        Architecture of each network, with the optimizer.
    states : sequence of TrainingState
        States of the networks, of which the averaged weights are used. With a single network, the model's optimizer
        gets its state as well.
    mean, scale : ndarray or None
        Means and standard deviations for the standardization, of a shape that fits a row.

    Returns
    -------
    keras.Model
        Model from raw features to probabilities, averaged over the networks. Inputs are float64 up to and including
        the standardization, as in training.
    """
    keras = import_keras()
    inputs = keras.Input(architecture.input_shape, dtype="float64" if mean is not None else "float32")
    start = inputs
    if mean is not None and scale is not None:
        start = keras.layers.Rescaling(1 / scale, -mean / scale, dtype="float64", name="normalize")(inputs)
    outputs = []
    for i, state in enumerate(states):
        suffix = "" if len(states) == 1 else f"_of_network_{i + 1}"
        outputs.append(architecture.apply_layers(keras, start, activation="softmax", suffix=suffix))
        tower = keras.Model(start, outputs[-1])
        _assign(_name_weights(tower, architecture, suffix), state.average)
    together = outputs[0] if len(outputs) == 1 else keras.layers.Average(dtype="float32", name="mean")(outputs)
    model = keras.Model(inputs, together, name="soundclf")
    model.compile(
        optimizer=make_optimizer(keras, architecture.optimizer),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        auto_scale_loss=False,
    )
    model.optimizer.build(model.trainable_variables)
    if len(states) == 1:
        variables = name_optimizer(model.optimizer)
        _assign(variables, match_optimizer(variables, states[0].optimizer))
    return model
