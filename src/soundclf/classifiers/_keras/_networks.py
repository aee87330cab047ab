"""The Keras networks: arrays in, arrays out.

This is the only module that imports Keras or scikeras, and it does so inside functions. Everything it hands out is
NumPy, so that what a classifier keeps can be stored, copied and used for prediction without TensorFlow.

A fit borrows a compiled network of the right shape from a small pool, loads the state to start from, trains, and
reads the state back. Tracing a network costs more than training it on a small data set, so the folds and candidates
of a search share one graph; a network belongs to one fit at a time.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

__all__ = [
    "Architecture",
    "Network",
    "TrainingState",
    "acquire_network",
    "build_keras_model",
    "get_versions",
    "import_backend",
    "import_scikeras_wrapper",
]

_POOL_SIZE = 4
_MASKS = 1 << 22  # of the hidden layers' outputs that dropout decides on before a call of the graph; a byte each
_JUDGED = 1 << 21  # numbers in the rows that are judged in a call; convolutions make ten times as many of them
_pool: list[Network] = []
_wrapper_base: list[type] = []
_pids: list[int] = []
_lock = threading.RLock()


class Architecture(Protocol):
    """What a compiled network is made from; two fits with equal ones share a graph.

    ``optimizer`` is a name that Keras knows, or a Keras optimizer, which is never shared.
    """

    n_varied: int

    @property
    def dropout(self) -> float:
        """Share of outputs that are dropped in training."""

    @property
    def optimizer(self) -> Any:
        """Its name, or a Keras optimizer."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of a row."""

    @property
    def n_masked(self) -> int:
        """Outputs of a row that dropout decides on."""

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the trained weights and of the running means and variances."""

    def connect(self, keras: Any, inputs: Any, top: str | None, suffix: str = "") -> Any:
        """Apply new layers to an input of shape ``input_shape``; ``top`` is the last one's activation."""

    def vary(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw what training varies rows by, ``(n_rows, n_varied)``."""

    def parts(self, keras: Any, model: Any) -> Any:
        """Give what :meth:`logits` needs of a model."""

    def logits(self, tf: Any, parts: Any, X: Any, masks: Any, varied: Any) -> Any:
        """Compute what a batch's loss is computed from, in training; ``masks`` are the factors of dropout, or None."""

    def losses(self, tf: Any, logits: Any, y: Any, sample_weight: Any, varied: Any) -> Any:
        """Compute the weighted cross-entropy of every row."""


@dataclass
class TrainingState:
    """All that training continues from: named arrays and the state of NumPy's generator.

    ``weights`` holds the trained variables and the running means and variances by layer and name, such as
    ``hidden_1/kernel``, ``average`` their moving average over ``epochs`` epochs; ``optimizer`` the optimizer's
    variables by the names it gives them, or as ``variable_0``, ``variable_1``, ... in its order where the names are
    unknown; ``random`` the state of NumPy's generator that orders the rows and draws the dropout masks.
    """

    weights: dict[str, np.ndarray]
    average: dict[str, np.ndarray]
    epochs: int
    optimizer: dict[str, np.ndarray]
    random: Mapping[str, Any]


_ABSENT = object()


def _keras() -> Any:
    """Import Keras and make sure that TensorFlow is behind it, and was not forked, which it does not survive."""
    if _pids and os.getpid() not in _pids:
        raise RuntimeError(
            "TensorFlow was in use before this process was forked, and would hang in it; use threads, or processes "
            "that start afresh, as those of joblib's backend 'loky' do"
        )
    import keras

    _pids[:] = [os.getpid()]

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"soundclf trains with TensorFlow, but Keras runs on {keras.backend.backend()!r}: "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    return keras


def import_scikeras_wrapper() -> type:
    """Give scikeras' wrapper, and leave Keras as it was.

    Importing scikeras replaces how Keras objects are pickled and copied, for the whole process. Unless the user has
    imported it, that is undone, and its modules are taken out of ``sys.modules`` again so that a later import by the
    user works as it should.
    """
    with _lock:
        if not _wrapper_base:
            keras = _keras()
            if "scikeras" in sys.modules:
                from scikeras.wrappers import BaseWrapper
            else:
                owners = (keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
                names = ("__reduce__", "__deepcopy__")
                before = [(owner, name, vars(owner).get(name, _ABSENT)) for owner in owners for name in names]
                try:
                    from scikeras.wrappers import BaseWrapper
                finally:
                    for owner, name, value in before:
                        if value is not _ABSENT:
                            setattr(owner, name, value)
                        elif name in vars(owner):
                            delattr(owner, name)
                    for name in [m for m in sys.modules if m == "scikeras" or m.startswith("scikeras.")]:
                        del sys.modules[name]
            _wrapper_base.append(BaseWrapper)
        return _wrapper_base[0]


def import_backend() -> None:
    """Import Keras and TensorFlow, which prints to standard error and takes seconds."""
    _keras()


def get_versions() -> list[str]:
    """Name the versions that the numbers of a training depend on."""
    keras = _keras()
    import tensorflow as tf

    return [keras.__version__, tf.__version__, np.__version__]


def _make_optimizer(keras: Any, optimizer: Any) -> Any:
    if isinstance(optimizer, str):
        known = {
            name.lower(): kind
            for name, kind in vars(keras.optimizers).items()
            if isinstance(kind, type)
            and issubclass(kind, keras.optimizers.Optimizer)
            and name not in ("Optimizer", "LossScaleOptimizer")
        }
        if optimizer.lower() not in known:
            raise ValueError(f"Keras has no optimizer named {optimizer!r}; it has {', '.join(sorted(known))}")
        return known[optimizer.lower()]()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"optimizer must be the name of a Keras optimizer or a keras.optimizers.Optimizer, got {optimizer!r}"
        )
    return type(optimizer).from_config(optimizer.get_config()) if optimizer.built else copy.deepcopy(optimizer)


def _fused(keras: Any, optimizer: Any) -> Any:
    """Make an optimizer do the same with fewer operations, where that is possible: Adam's update in three.

    The update of Keras' Adam takes a dozen passes over each variable, and a quarter of a small network's time. The
    operations of others do parts of it in one pass each: gradient descent moves a mean, and Adagrad divides by a root.
    TensorFlow's operation for all of Adam would start a second thread for every matrix, which takes longer.
    Everything around it (clipping, decay of weights, schedules) stays Keras'.
    """
    if type(optimizer) not in (keras.optimizers.Adam, keras.optimizers.AdamW) or optimizer.amsgrad:
        return optimizer
    import tensorflow as tf

    kind, ops = type(optimizer), tf.raw_ops

    class Fused(kind):  # type: ignore[misc,valid-type]
        def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
            rates: dict[Any, Any] = {}
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                weights, i = variable.value, self._get_variable_index(variable)
                mean, square = self._momentums[i].value, self._velocities[i].value
                dtype = weights.dtype
                if dtype not in rates:
                    step, rate = tf.cast(self.iterations + 1, dtype), tf.cast(learning_rate, dtype)
                    first, second = (tf.pow(tf.cast(beta, dtype), step) for beta in (self.beta_1, self.beta_2))
                    rates[dtype] = rate * tf.sqrt(1 - second) / (1 - first)
                g = tf.cast(gradient, dtype)
                for moment, beta, seen in ((mean, self.beta_1, g), (square, self.beta_2, tf.square(g))):
                    ops.ResourceApplyGradientDescent(
                        var=moment.handle, alpha=tf.cast(1 - beta, dtype), delta=moment - seen
                    )
                ops.ResourceApplyAdagradV2(
                    var=weights.handle,
                    accum=square.handle,
                    lr=rates[dtype],
                    epsilon=tf.cast(self.epsilon, dtype),
                    grad=tf.convert_to_tensor(mean),
                    update_slots=False,
                )

    for name in ("__module__", "__name__", "__qualname__"):  # a callback that saves the model saves it with Keras' Adam
        setattr(Fused, name, getattr(kind, name))
    optimizer.__class__ = Fused  # rather than a new one: not all that it was told is in its configuration
    return optimizer


class Network:
    """One Keras graph with the functions that train and judge it."""

    def __init__(self, architecture: Architecture):
        import tensorflow as tf

        keras = _keras()
        self.tf, self.keras = tf, keras
        self.key = (architecture, keras.config.floatx())
        # The top layer gives logits: cross-entropy from them loses no digits, and softmax is monotonic.
        inputs = keras.Input(architecture.input_shape, dtype="float32")
        self.model = keras.Model(inputs, architecture.connect(keras, inputs, top=None), name="soundclf")
        self.model.compile(
            optimizer=_fused(keras, _make_optimizer(keras, architecture.optimizer)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            auto_scale_loss=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self._architecture = architecture
        self._parts = architecture.parts(keras, self.model)
        self._dropped = min(round(architecture.dropout * 2**16), 2**16 - 1)  # of every 2**16 outputs
        self._weights = _name_weights(self.model, architecture)
        self._optimizer = _name_optimizer(self.model.optimizer)
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
            tf.TensorSpec((None, architecture.n_varied), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((), tf.int32),
        )
        self._train_graph = tf.function(self._train_steps, input_signature=rows + order, autograph=False)
        weights = {name: tf.TensorSpec(variable.shape, tf.float32) for name, variable in self._weights.items()}
        self._judge_graph = tf.function(self._judge, input_signature=(*rows, weights), autograph=False)

    def _right(self, logits: Any, y: Any) -> Any:
        """Count the rows classified rightly."""
        tf = self.tf
        return tf.reduce_sum(tf.cast(tf.math.in_top_k(y, logits, 1), tf.float32))

    def _train_steps(
        self, X: Any, y: Any, sample_weight: Any, kept: Any, varied: Any, order: Any, batch_size: Any
    ) -> Any:
        tf, architecture = self.tf, self._architecture
        model, variables = self.model, self.model.trainable_variables
        scale = 2**16 / (2**16 - self._dropped)

        def step(first: Any, loss: Any, right: Any) -> tuple[Any, Any, Any]:
            batch = order[first : first + batch_size]
            labels, varied_by = tf.gather(y, batch), varied[first : first + batch_size]
            masks = None
            if self._dropped and architecture.n_masked:
                masks = scale * tf.cast(kept[first : first + batch_size], tf.float32)
            with tf.GradientTape() as tape:
                logits = architecture.logits(tf, self._parts, tf.gather(X, batch), masks, varied_by)
                weights = tf.gather(sample_weight, batch)
                batch_loss = tf.reduce_sum(architecture.losses(tf, logits, labels, weights, varied_by))
                mean_loss = model.optimizer.scale_loss(batch_loss / tf.cast(tf.shape(batch)[0], tf.float32))
            model.optimizer.apply(tape.gradient(mean_loss, variables), variables)
            return first + batch_size, loss + batch_loss, right + self._right(logits, labels)

        n_rows = tf.shape(order)[0]
        return tf.while_loop(lambda first, *_: first < n_rows, step, (0, 0.0, 0.0), parallel_iterations=1)[1:]

    def _draw_kept(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw which of the hidden layers' outputs dropout keeps, for some rows in turn: bool ``(n_rows, n_units)``.

        16 random bits an output, drawn in one go by NumPy: TensorFlow's generators, asked by every layer in every
        step, would take a quarter of a small network's time.
        """
        n_units = self._architecture.n_masked if self._dropped else 0
        bits = generator.integers(0, 2**64, (n_rows, -(-n_units // 4)), dtype=np.uint64)
        return bits.view(np.uint16)[:, :n_units] >= self._dropped

    def train_rows(
        self, rows: tuple[Any, Any, Any], order: np.ndarray, batch_size: int, generator: np.random.Generator
    ) -> tuple[float, float]:
        """Train on the rows named by ``order``, batch by batch, within the graph; the masks come from ``generator``.

        Gives the sum of the weighted losses and the number of rows classified rightly, each as its batch saw it.
        """
        tf = self.tf
        n_units = self._architecture.n_masked
        per_call = batch_size * max(1, _MASKS // (batch_size * max(1, n_units)))
        sums = np.zeros(2)
        for first in range(0, len(order), per_call):
            part = order[first : first + per_call]
            kept = tf.constant(self._draw_kept(len(part), generator))
            varied = tf.constant(self._architecture.vary(len(part), generator))
            batch = tf.constant(min(batch_size, len(part)), tf.int32)
            with self._one_thread():
                sums += [
                    float(value) for value in self._train_graph(*rows, kept, varied, tf.constant(part, tf.int32), batch)
                ]
        return float(sums[0]), float(sums[1])

    def judge_rows(self, rows: tuple[Any, Any, Any], weights: dict[str, np.ndarray]) -> tuple[float, float]:
        """Give the same sums for rows judged by given weights, without touching those of the model."""
        n_rows, *shape = rows[0].shape
        per_call = max(1, _JUDGED // math.prod(shape))
        sums = np.zeros(2)
        for first in range(0, n_rows, per_call):
            part = [values[first : first + per_call] for values in rows]
            with self._one_thread():
                sums += [float(value) for value in self._judge_graph(*part, weights)]
        return float(sums[0]), float(sums[1])

    def _judge(self, X: Any, y: Any, sample_weight: Any, weights: Any) -> Any:
        tf = self.tf
        known = {id(variable): weights[name] for name, variable in self._weights.items()}
        trained = [known[id(variable)] for variable in self.model.trainable_variables]
        others = [known.get(id(variable), variable) for variable in self.model.non_trainable_variables]
        logits, _ = self.model.stateless_call(trained, others, X, training=False)
        losses = sample_weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        return tf.reduce_sum(losses), self._right(logits, y)

    def _one_thread(self) -> Any:
        """Run the operations of a graph one after the other: for networks of this size a second thread only waits.

        So a fit keeps one core busy, and as many fits as there are cores run side by side. TensorFlow's own settings
        for the process stay as they are. Objects of optimizers may bring conditions (schedules, accumulated gradients),
        each of which would wait for a thread of TensorFlow's pool while it holds one: with few cores, for ever.
        """
        if not isinstance(self._architecture.optimizer, str):
            return contextlib.nullcontext()
        return self.tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")

    def initial_state(self, seeds: Iterator[int]) -> TrainingState:
        """Give freshly initialised weights, a fresh optimizer and a fresh generator."""
        glorot = self.keras.initializers.GlorotUniform
        weights = {
            name: np.asarray(glorot(seed=next(seeds))(array.shape, dtype="float32")) if array.ndim > 1 else array
            for name, array in self._fresh_weights.items()
        }
        random = np.random.default_rng(next(seeds)).bit_generator.state
        return TrainingState(weights, weights, 0, self._fresh_optimizer, random)

    def name_state(self, state: TrainingState) -> TrainingState:
        """Return a state with the optimizer's variables under their names, which may be unknown so far."""
        return replace(state, optimizer=_match_optimizer(self._optimizer, state.optimizer))

    def load(self, state: TrainingState) -> None:
        """Set all variables, those of the optimizer included."""
        _assign(self._weights, state.weights)
        _assign(self._optimizer, _match_optimizer(self._optimizer, state.optimizer))

    def weights(self) -> dict[str, np.ndarray]:
        """Copy the trained variables, and the running means and variances."""
        return self._read()[0]

    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        values = iter([np.array(value.numpy()) for value in self._read_graph()])
        return {name: next(values) for name in self._weights}, {name: next(values) for name in self._optimizer}

    def state(self, average: dict[str, np.ndarray], epochs: int, generator: np.random.Generator) -> TrainingState:
        """Copy all that training goes on from."""
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


def _name_optimizer(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's variables by name; a name that comes again, as that of an optimizer within, is numbered."""
    named: dict[str, Any] = {}
    for variable in optimizer.variables:
        name, n = variable.name, 2
        while name in named:
            name, n = f"{variable.name}_{n}", n + 1
        named[name] = variable
    return named


def _match_optimizer(variables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values of an optimizer's variables under their names, also if they are only numbered so far."""
    numbered = [f"variable_{i}" for i in range(len(variables))]
    if values.keys() == variables.keys():
        return {name: values[name] for name in variables}
    if values.keys() == set(numbered):
        return {name: values[number] for name, number in zip(variables, numbered, strict=True)}
    raise ValueError(
        f"The state of the optimizer has the variables {', '.join(sorted(values))}, while those of Keras' are "
        f"{', '.join(sorted(variables))}"
    )


def _assign(variables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> None:
    if variables.keys() != values.keys():
        raise ValueError(f"The weights are {', '.join(sorted(values))}, not {', '.join(sorted(variables))}")
    for name, variable in variables.items():
        variable.assign(values[name])


@contextlib.contextmanager
def acquire_network(architecture: Architecture, *, shared: bool) -> Iterator[Network]:
    """Lend a network for one fit; what users may have touched through callbacks is not lent again."""
    network = None
    if shared:
        key = (architecture, _keras().config.floatx())
        with _lock:
            for i, candidate in enumerate(_pool):
                if candidate.key == key:
                    network = _pool.pop(i)
                    break
    network = network or Network(architecture)
    yield network
    if shared:  # not after an exception: the state of such a network is anybody's guess
        with _lock:
            _pool.append(network)
            del _pool[:-_POOL_SIZE]


def build_keras_model(
    architecture: Architecture, states: Sequence[TrainingState], mean: np.ndarray | None, scale: np.ndarray | None
) -> Any:
    """Build the compiled Keras model that a fitted classifier stands for.

    Parameters
    ----------
    architecture : Architecture
        Of each of its networks, and their optimizer.
    states : sequence of TrainingState
        Their averaged weights. Of a single network, the model's optimizer gets the state too.
    mean, scale : ndarray or None
        What inputs are standardised by, of a shape that fits a row's.

    Returns
    -------
    keras.Model
        From raw features to probabilities, the mean of those of the networks. Inputs are float64 up to and including
        the standardisation, as in training.
    """
    keras = _keras()
    inputs = keras.Input(architecture.input_shape, dtype="float64" if mean is not None else "float32")
    start = inputs
    if mean is not None and scale is not None:
        start = keras.layers.Rescaling(1 / scale, -mean / scale, dtype="float64", name="normalize")(inputs)
    outputs = []
    for i, state in enumerate(states):
        suffix = "" if len(states) == 1 else f"_of_network_{i + 1}"
        outputs.append(architecture.connect(keras, start, top="softmax", suffix=suffix))
        tower = keras.Model(start, outputs[-1])
        _assign(_name_weights(tower, architecture, suffix), state.average)
    together = outputs[0] if len(outputs) == 1 else keras.layers.Average(dtype="float32", name="mean")(outputs)
    model = keras.Model(inputs, together, name="soundclf")
    model.compile(
        optimizer=_make_optimizer(keras, architecture.optimizer),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        auto_scale_loss=False,
    )
    model.optimizer.build(model.trainable_variables)
    if len(states) == 1:
        variables = _name_optimizer(model.optimizer)
        _assign(variables, _match_optimizer(variables, states[0].optimizer))
    return model
