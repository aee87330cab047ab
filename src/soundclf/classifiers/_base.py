"""What all classifiers share whose networks Keras trains and NumPy evaluates."""

from __future__ import annotations

import contextlib
import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from .._utils.text import format_list
from .._utils.validation import BOOLEAN, DIRECTORY, NONE, Rule, check_groups, check_params, integer_in, one_of, real_in
from ..exceptions import ParameterError
from ._keras import _networks
from ._keras._training import Schedule, TrainingData, train_network
from ._rows import (
    compute_row_weights,
    count_validation_rows,
    draw_groups,
    draw_rows,
    encode_labels,
    make_generator,
    standardize,
)

__all__ = ["NeuralClassifier"]

_FREE = ("dropout", "shift", "band_mask", "time_mask", "mixup", "label_smoothing")  # may change on the way
_TOO_FEW = "{} needs at least two classes to tell apart, got one class: {}"


class NeuralClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Networks that are trained, kept, resumed and averaged.

    A subclass has the parameters in ``_rules`` beside its own, and says how X is checked, what network there is,
    what a network sees of X, and how its probabilities are computed. What is learned by each variable of the networks
    is stored in ``_weights``, a dict of arrays by name whose first axis is the networks.
    """

    # X_val and y_val belong to fit alone and sample_weight is always wanted, so routing needs no set_fit_request.
    __metadata_request__fit: ClassVar = {"sample_weight": True, "X_val": True, "y_val": True, "groups": True}
    __metadata_request__partial_fit: ClassVar = {"classes": True, "sample_weight": True}

    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        "n_networks": (integer_in(1),),
        "dropout": (real_in(0, 1),),
        "normalize": (BOOLEAN,),
        "optimizer": (
            Rule(
                "the name of a Keras optimizer or a keras.optimizers.Optimizer",
                lambda v: isinstance(v, str) or (hasattr(v, "get_config") and hasattr(v, "apply")),
            ),
        ),
        "learning_rate": (real_in(0, closed="neither"),),
        "epochs": (integer_in(1),),
        "batch_size": (integer_in(1),),
        "validation_fraction": (real_in(0, 1, closed="neither"),),
        "early_stopping": (BOOLEAN,),
        "patience": (integer_in(1),),
        "restore_best": (BOOLEAN,),
        "average": (BOOLEAN,),
        "class_weight": (NONE, one_of(["balanced"]), Rule("a dict of weights", lambda v: isinstance(v, dict))),
        "checkpoint": (NONE, DIRECTORY),
        "callbacks": (NONE, Rule("a list of keras.callbacks.Callback", lambda v: isinstance(v, list | tuple))),
        "warm_start": (BOOLEAN,),
        "random_state": (
            NONE,
            integer_in(0, 2**32),
            Rule("a numpy.random.RandomState", lambda v: isinstance(v, np.random.RandomState)),
        ),
        "verbose": (integer_in(0), BOOLEAN),
    }

    dropout: float
    normalize: bool
    n_networks: int
    optimizer: Any
    learning_rate: float
    epochs: int
    batch_size: int
    validation_fraction: float
    early_stopping: bool
    patience: int
    restore_best: bool
    average: bool
    class_weight: Any
    checkpoint: Any
    callbacks: Any
    warm_start: bool
    random_state: Any
    verbose: int

    _weights: dict[str, np.ndarray]
    _architecture: dict[str, Any]
    _training_states: list[dict[str, Any]]
    _scaler_state: tuple[Any, ...] | None

    @abstractmethod
    def _checked(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Give X, and y if it is passed, as arrays; ``y`` as for scikit-learn's ``validate_data``."""

    @abstractmethod
    def _get_architecture_parameters(self) -> dict[str, Any]:
        """Give the parameters that make up a network."""

    @abstractmethod
    def _make_architecture(self, n_classes: int, parameters: dict[str, Any]) -> Any:
        """Make the architecture of a network from the parameters that make it up."""

    @abstractmethod
    def _probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the probabilities of checked rows."""

    # -- training ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels of at least two classes, of any type that scikit-learn takes as labels: strings, integers, booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.
        X_val : array-like of shape (n_val, n_features), default=None
            Rows to judge every epoch by, in place of ``validation_fraction``. In a pipeline, earlier steps transform
            them with ``make_pipeline(..., transform_input=["X_val"])`` and scikit-learn's metadata routing enabled.
        y_val : array-like of shape (n_val,), default=None
            Their labels, from among those of ``y``.
        groups : array-like of shape (n_samples,), default=None
            The recording that each row is from. Validation rows are then whole recordings: as many as come nearest
            to ``validation_fraction`` of every class, while each class keeps one to train on. In a pipeline they are
            passed on by scikit-learn's metadata routing.

        Returns
        -------
        object
            The classifier itself.

        Raises
        ------
        ValueError
            For NaN or infinity in X, fewer than two classes, labels that fit no classification, negative or only zero
            weights, labels in ``y_val`` that ``y`` lacks, missing ``groups``, no row or recording to spare for
            ``early_stopping=True``, and for training that diverges.
        """
        self._check_parameters()
        with self._unchanged_by_failure():
            return self._fit_whole(X, y, sample_weight, X_val, y_val, groups)

    def _fit_whole(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, groups: Any) -> Self:
        warm = self.warm_start and hasattr(self, "_weights")
        X, y, sample_weight = self._check_rows(X, y, sample_weight, reset=not warm)
        classes = np.unique(y)
        if warm and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"With warm_start=True the classes must stay the same: there were {format_list(self.classes_)}, and y "
                f"has {format_list(classes)}"
            )
        if len(classes) < 2:
            raise ValueError(_TOO_FEW.format(type(self).__name__, format_list(classes)))
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: one of them was passed without the other")
        validation = None
        if X_val is not None and y_val is not None:
            X_val, y_val, weight_val = self._check_rows(X_val, y_val, None, reset=False)
            validation = (X_val, encode_labels(y_val, classes, "y_val"), weight_val)
        if groups is not None:
            groups = check_groups(groups)
            check_consistent_length(X, groups)
        return self._fit(X, y, sample_weight, classes, validation, groups, warm=warm, epochs=self.epochs)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on some rows, going on from where training stands.

        The standardisation follows all rows seen so far. No validation rows are cut off.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels, from among ``classes``.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        object
            The classifier itself.

        Raises
        ------
        ValueError
            As from :meth:`fit`; for a first call without ``classes``, labels not among them, and
            ``class_weight="balanced"``, which cannot be known from a part of the rows.
        """
        self._check_parameters()
        with self._unchanged_by_failure():
            return self._fit_part(X, y, classes, sample_weight)

    def _fit_part(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        warm = hasattr(self, "_weights")
        if isinstance(self.class_weight, str):
            raise ValueError(
                'class_weight="balanced" needs all rows at once; for partial_fit pass the weights as a dict, for '
                "example from sklearn.utils.compute_class_weight"
            )
        if not warm and classes is None:
            raise ValueError("The first call of partial_fit needs classes: all labels that will ever come")
        X, y, sample_weight = self._check_rows(X, y, sample_weight, reset=not warm)
        given = self.classes_ if classes is None else np.unique(np.asarray(classes))
        if warm and not np.array_equal(given, self.classes_):
            raise ValueError(
                f"classes must stay the same in every call of partial_fit: they were {format_list(self.classes_)}, now "
                f"{format_list(given)}"
            )
        if len(given) < 2:
            raise ValueError(_TOO_FEW.format(type(self).__name__, format_list(given)))
        return self._fit(X, y, sample_weight, given, None, None, warm=warm, epochs=1, partial=True)

    def _check_parameters(self) -> None:
        check_params(type(self).__name__, {name: getattr(self, name) for name in self._rules}, self._rules)
        if self.checkpoint is None:
            return
        if self.callbacks:
            raise ParameterError("checkpoint and callbacks exclude each other: the state of callbacks cannot be kept")
        if not integer_in().accepts(self.random_state):
            raise ParameterError(
                "checkpoint needs an integer random_state, by which the same fit is known again, got "
                f"random_state={self.random_state!r}"
            )

    @contextlib.contextmanager
    def _unchanged_by_failure(self) -> Iterator[None]:
        """Leave a fitted classifier as it was if it cannot be fitted anew."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _check_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[NDArray[np.float64], np.ndarray, NDArray[np.float64]]:
        X, y = self._checked(X, y, reset=reset)
        check_classification_targets(y)
        if type_of_target(y) not in ("binary", "multiclass"):
            raise ValueError(f"y must hold one label per row, got {type_of_target(y)} targets, which are not supported")
        if sample_weight is None:
            return X, y, np.ones(len(y))
        weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight", copy=True)
        weights = column_or_1d(weights)
        check_consistent_length(X, weights)
        if (weights < 0).any():
            raise ValueError("sample_weight must not be negative")
        if not weights.any():
            raise ValueError("sample_weight is zero for every row, which leaves nothing to train on")
        return X, y, weights

    def _fit(
        self,
        X: NDArray[np.float64],
        y: np.ndarray,
        sample_weight: NDArray[np.float64],
        classes: np.ndarray,
        validation: tuple[Any, Any, Any] | None,
        groups: np.ndarray | None,
        *,
        warm: bool,
        epochs: int,
        partial: bool = False,
    ) -> Self:
        self._check_structure(warm=warm)
        codes = encode_labels(y, classes, "y")
        counts = sample_weight > 0
        X, codes, sample_weight = X[counts], codes[counts], sample_weight[counts]
        random = make_generator(self.random_state)
        stop_early = bool(self.early_stopping) and not partial
        if stop_early and validation is None:
            held_out = self._held_out(codes, None if groups is None else groups[counts], random)
            validation = (X[held_out], codes[held_out], sample_weight[held_out])
            X, codes, sample_weight = X[~held_out], codes[~held_out], sample_weight[~held_out]
        scaler = self._scaler(X, sample_weight, warm=warm)
        mean, scale = (None, None) if scaler is None else self._standardisation(scaler)

        def rows(X: Any, codes: Any, weights: Any) -> TrainingData:
            return TrainingData(self._inputs(X, mean, scale), codes, weights.astype(np.float32))

        data = rows(X, codes, sample_weight * compute_row_weights(self.class_weight, classes, codes))
        judges = None if validation is None else rows(*validation)
        schedule = Schedule(
            epochs=epochs,
            batch_size=self.batch_size,
            patience=self.patience if stop_early else None,
            restore_best=self.restore_best,
            average=bool(self.average),
            checkpoint=None if partial else self.checkpoint,
            learning_rates=None if partial else self._learning_rates(),
            callbacks=tuple(self.callbacks or ()),
            progress=self._progress if self.verbose else None,
        )
        parameters = self._get_architecture_parameters()
        architecture = self._make_architecture(len(classes), parameters)
        seeds = iter(lambda: int(random.integers(2**31)), None)
        outcomes = [
            train_network(
                architecture,
                data,
                schedule,
                validation=judges,
                state=start,
                seeds=seeds,
                learning_rate=self.learning_rate,
            )
            for start in (self._resumed() if warm else [None] * self.n_networks)
        ]
        states = [state for state, _, _ in outcomes]
        self._remember(outcomes, warm=warm, judged=judges is not None)
        self.classes_ = classes
        self._weights = {name: np.stack([state.average[name] for state in states]) for name in states[0].average}
        self._architecture = parameters
        self._training_states = [{name: value for name, value in vars(s).items() if name != "average"} for s in states]
        self.mean_: NDArray[np.float64] | None = mean
        self.scale_: NDArray[np.float64] | None = scale
        self._scaler_state = None
        if scaler is not None:
            self._scaler_state = (scaler.mean_, scaler.var_, scaler.scale_, scaler.n_samples_seen_)
        return self

    def _remember(self, outcomes: list[tuple[Any, dict[str, list[float]], int]], *, warm: bool, judged: bool) -> None:
        """Append the mean of the networks' histories to the history."""
        history = {name: _mean_of([record[name] for _, record, _ in outcomes]) for name in outcomes[0][1]}
        before: dict[str, list[float]] = getattr(self, "history_", {}) if warm else {}
        n_before, n_new = len(before.get("loss", [])), len(history["loss"])
        nan = float("nan")
        self.history_: dict[str, list[float]] = {
            name: before.get(name, [nan] * n_before) + history.get(name, [nan] * n_new)
            for name in dict.fromkeys([*before, *history])
        }
        best = int(np.argmin(history["val_loss"])) if judged else n_new - 1
        self.best_epoch_ = n_before + best

    def _held_out(self, codes: np.ndarray, groups: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        """Choose the validation rows."""
        parts = count_validation_rows(codes, self.validation_fraction)
        rows = draw_rows(codes, parts, random) if groups is None else draw_groups(codes, parts, groups, random)
        if not rows.any():
            unit = "row" if groups is None else "recording"
            raise ValueError(
                f"early_stopping with validation_fraction={self.validation_fraction} sets no {unit} aside: no class "
                f"has enough {unit}s to give one away and keep one; use more {unit}s, a larger share, or "
                "early_stopping=False"
            )
        return rows

    def _progress(self, epochs: Iterator[int], total: int) -> Any:
        from tqdm.auto import tqdm

        return tqdm(epochs, total=total, desc=type(self).__name__, unit="epoch")

    def _scaler(self, X: np.ndarray, sample_weight: np.ndarray, *, warm: bool) -> StandardScaler | None:
        """Give the standardisation by the rows of this call and, when going on, by all those before."""
        if not self.normalize:
            return None
        scaler = StandardScaler()
        if warm and self._scaler_state is not None:
            scaler.n_features_in_ = self.n_features_in_
            scaler.mean_, scaler.var_, scaler.scale_, scaler.n_samples_seen_ = copy.deepcopy(self._scaler_state)
        rows, weights = self._observed(X, sample_weight)
        return scaler.partial_fit(rows, sample_weight=weights)

    def _observed(self, X: np.ndarray, sample_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the rows that the standardisation follows, and their weights."""
        return X, sample_weight

    def _standardisation(self, scaler: StandardScaler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give what features are standardised by."""
        return scaler.mean_, scaler.scale_

    def _inputs(self, X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
        """Give what a network sees of rows."""
        return standardize(X, mean, scale)

    def _check_structure(self, *, warm: bool) -> None:
        """Go on training only with what the networks were made from."""
        if not warm:
            return
        now = {
            **self._get_architecture_parameters(),
            "normalize": bool(self.normalize),
            "n_networks": int(self.n_networks),
        }
        before = {**self._architecture, "normalize": self.mean_ is not None, "n_networks": len(self._training_states)}
        for name in now:
            if _structure(name, now[name]) != _structure(name, before[name]):
                raise ValueError(
                    f"Training cannot go on with another {name}: it was {before[name]!r}, now it is {now[name]!r}; "
                    "fit anew with warm_start=False"
                )

    def _resumed(self) -> list[_networks.TrainingState]:
        return [
            _networks.TrainingState(average={name: array[i] for name, array in self._weights.items()}, **state)
            for i, state in enumerate(self._training_states)
        ]

    def __dir__(self) -> list[str]:
        # Whoever looks through all attributes, as scikit-learn's HTML does, would otherwise import TensorFlow.
        return [name for name in object.__dir__(self) if name != "model_" and hasattr(self, name)]

    @property
    def model_(self) -> Any:
        """The compiled Keras model."""
        check_is_fitted(self, "_weights")
        architecture = self._make_architecture(len(self.classes_), self._architecture)
        return _networks.build_keras_model(
            architecture, self._resumed(), self._shaped(self.mean_), self._shaped(self.scale_)
        )

    def _learning_rates(self) -> Sequence[float] | None:
        """Give the learning rate of every epoch, if it changes."""
        return None

    def _shaped(self, values: np.ndarray | None) -> np.ndarray | None:
        """Give numbers by feature in the shape that fits a row."""
        return values

    # -- prediction ----------------------------------------------------------------------------------------------------

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows sum to 1; columns are in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            For NaN, infinity or another number of features than in :meth:`fit`.
        """
        check_is_fitted(self, "_weights")
        return self._probabilities(self._checked(X, reset=False))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Give the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, of the type they had in :meth:`fit`.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            For NaN, infinity or another number of features than in :meth:`fit`.
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])


def _structure(name: str, value: Any) -> Any:
    """Reduce a parameter to what has to stay the same while training goes on."""
    if name in _FREE:
        return None  # any will do
    if name == "optimizer" and not isinstance(value, str):
        config = value.get_config()
        rate = config.pop("learning_rate", None)
        return type(value), config | {"learning_rate": rate if isinstance(rate, dict) else None, "name": None}
    return value


def _mean_of(records: list[list[float]]) -> list[float]:
    """Average over networks, epoch by epoch, those that went on so long."""
    length = max(map(len, records))
    return np.nanmean([record + [np.nan] * (length - len(record)) for record in records], axis=0).tolist()
