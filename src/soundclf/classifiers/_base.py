"""Base class of the classifiers whose networks Keras trains and NumPy evaluates."""

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
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._utils.text import format_list
from .._utils.validation import Rule, check_groups, check_params
from ._keras._networks import TrainingState, build_keras_model
from ._keras._training import Schedule, TrainingData, train_network
from ._parameters import RULES, check_checkpoint, check_unchanged
from ._rows import (
    check_sample_weight,
    compute_row_weights,
    draw_validation_rows,
    encode_labels,
    make_generator,
    standardize,
)

__all__ = ["NeuralClassifier"]

_TOO_FEW = "{} needs at least two classes, got one class: {}"


class NeuralClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Base class of classifiers that average the probabilities of one or more networks.

    A subclass has the parameters in ``_rules`` and its own, and defines how X is checked, the architecture, the inputs
    of a network, and how probabilities are computed. The weights of the networks are stored in ``_weights``, a dict of
    arrays by name whose first axis is the networks.
    """

    # X_val and y_val belong to fit alone and sample_weight is always wanted, so routing needs no set_fit_request.
    __metadata_request__fit: ClassVar = {"sample_weight": True, "X_val": True, "y_val": True, "groups": True}
    __metadata_request__partial_fit: ClassVar = {"classes": True, "sample_weight": True}

    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = RULES

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
    def _check_inputs(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Check X, and y if it is passed, and return them as arrays; ``y`` as in scikit-learn's ``validate_data``."""

    @abstractmethod
    def _get_architecture_parameters(self) -> dict[str, Any]:
        """Return the parameters that define the architecture."""

    @abstractmethod
    def _make_architecture(self, n_classes: int, parameters: dict[str, Any]) -> Any:
        """Make the architecture of a network from the parameters that define it."""

    @abstractmethod
    def _compute_probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
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
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels of at least two classes, of any type that scikit-learn accepts: strings, integers, booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights of the rows.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation rows, used instead of ``validation_fraction`` of the training rows. In a pipeline, earlier steps
            transform them with ``make_pipeline(..., transform_input=["X_val"])`` and scikit-learn's metadata routing
            enabled.
        y_val : array-like of shape (n_val,), default=None
            Labels of the validation rows, all of which occur in ``y``.
        groups : array-like of shape (n_samples,), default=None
            Recording that each row comes from. Validation rows are then whole recordings: as many as come closest to
            ``validation_fraction`` of every class, with at least one recording of each class left for training. In a
            pipeline, scikit-learn's metadata routing passes them to this method.

        Returns
        -------
        object
            The fitted classifier.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, if there are fewer than two classes, if labels are not those of a
            classification, if weights are negative or all zero, if ``y_val`` has labels that ``y`` lacks, if ``groups``
            has missing values, if ``early_stopping=True`` finds no validation rows, or if training diverges.
        """
        self._check_parameters()
        with self._restore_after_failure():
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
            raise ValueError("X_val and y_val must be passed together, got only one of them")
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
        """Continue training for one epoch on some rows.

        The standardization follows all rows seen so far. No validation rows are set aside.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels, all of which occur in ``classes``.
        classes : array-like of shape (n_classes,), default=None
            All labels that will occur in any call; required in the first one.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights of the rows.

        Returns
        -------
        object
            The fitted classifier.

        Raises
        ------
        ValueError
            As in :meth:`fit`; also if the first call lacks ``classes``, if ``y`` has labels that are not among them, or
            if ``class_weight="balanced"``, which cannot be computed from a part of the rows.
        """
        self._check_parameters()
        with self._restore_after_failure():
            return self._fit_part(X, y, classes, sample_weight)

    def _fit_part(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        warm = hasattr(self, "_weights")
        if isinstance(self.class_weight, str):
            raise ValueError(
                'class_weight="balanced" needs all rows at once; for partial_fit pass the weights as a dict, for '
                "example from sklearn.utils.compute_class_weight"
            )
        if not warm and classes is None:
            raise ValueError("The first call of partial_fit needs classes: all labels that will occur in any call")
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
        check_checkpoint(self.checkpoint, self.callbacks, self.random_state)

    @contextlib.contextmanager
    def _restore_after_failure(self) -> Iterator[None]:
        """Restore the fitted state if a new fit fails."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _check_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[NDArray[np.float64], np.ndarray, NDArray[np.float64]]:
        X, y = self._check_inputs(X, y, reset=reset)
        check_classification_targets(y)
        if type_of_target(y) not in ("binary", "multiclass"):
            raise ValueError(f"y must hold one label per row, got {type_of_target(y)} targets, which are not supported")
        if sample_weight is None:
            return X, y, np.ones(len(y))
        return X, y, check_sample_weight(sample_weight, X)

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
        if warm:
            self._check_unchanged()
        codes = encode_labels(y, classes, "y")
        used = sample_weight > 0
        X, codes, sample_weight = X[used], codes[used], sample_weight[used]
        random = make_generator(self.random_state)
        stop_early = bool(self.early_stopping) and not partial
        if stop_early and validation is None:
            used_groups = None if groups is None else groups[used]
            mask = draw_validation_rows(codes, self.validation_fraction, used_groups, random)
            validation = (X[mask], codes[mask], sample_weight[mask])
            X, codes, sample_weight = X[~mask], codes[~mask], sample_weight[~mask]
        scaler = self._fit_scaler(X, sample_weight, warm=warm)
        mean, scale = (None, None) if scaler is None else self._get_standardization(scaler)

        def make_data(X: Any, codes: Any, weights: Any) -> TrainingData:
            return TrainingData(self._make_inputs(X, mean, scale), codes, weights.astype(np.float32))

        data = make_data(X, codes, sample_weight * compute_row_weights(self.class_weight, classes, codes))
        validation_data = None if validation is None else make_data(*validation)
        schedule = Schedule(
            epochs=epochs,
            batch_size=self.batch_size,
            patience=self.patience if stop_early else None,
            restore_best=self.restore_best,
            average=bool(self.average),
            checkpoint=None if partial else self.checkpoint,
            learning_rates=None if partial else self._compute_learning_rates(),
            callbacks=tuple(self.callbacks or ()),
            progress=type(self).__name__ if self.verbose else None,
        )
        parameters = self._get_architecture_parameters()
        architecture = self._make_architecture(len(classes), parameters)
        seeds = iter(lambda: int(random.integers(2**31)), None)
        outcomes = [
            train_network(
                architecture,
                data,
                schedule,
                validation=validation_data,
                state=start,
                seeds=seeds,
                learning_rate=self.learning_rate,
            )
            for start in (self._get_training_states() if warm else [None] * self.n_networks)
        ]
        states = [state for state, _, _ in outcomes]
        self._record_history(outcomes, warm=warm, validated=validation_data is not None)
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

    def _record_history(
        self, outcomes: list[tuple[Any, dict[str, list[float]], int]], *, warm: bool, validated: bool
    ) -> None:
        """Append the mean of the networks' histories to the history."""
        history = {name: _average_records([record[name] for _, record, _ in outcomes]) for name in outcomes[0][1]}
        before: dict[str, list[float]] = getattr(self, "history_", {}) if warm else {}
        n_before, n_new = len(before.get("loss", [])), len(history["loss"])
        nan = float("nan")
        self.history_: dict[str, list[float]] = {
            name: before.get(name, [nan] * n_before) + history.get(name, [nan] * n_new)
            for name in dict.fromkeys([*before, *history])
        }
        best = int(np.argmin(history["val_loss"])) if validated else n_new - 1
        self.best_epoch_ = n_before + best

    def _fit_scaler(self, X: np.ndarray, sample_weight: np.ndarray, *, warm: bool) -> StandardScaler | None:
        """Fit the scaler to the rows of this call and, if training continues, of all calls before."""
        if not self.normalize:
            return None
        scaler = StandardScaler()
        if warm and self._scaler_state is not None:
            scaler.n_features_in_ = self.n_features_in_
            scaler.mean_, scaler.var_, scaler.scale_, scaler.n_samples_seen_ = copy.deepcopy(self._scaler_state)
        rows, weights = self._get_scaler_rows(X, sample_weight)
        return scaler.partial_fit(rows, sample_weight=weights)

    def _get_scaler_rows(self, X: np.ndarray, sample_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that the scaler is fitted to, and their weights."""
        return X, sample_weight

    def _get_standardization(self, scaler: StandardScaler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means and scales of the features."""
        return scaler.mean_, scaler.scale_

    def _make_inputs(self, X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
        """Compute the inputs of a network from rows."""
        return standardize(X, mean, scale)

    def _check_unchanged(self) -> None:
        """Check that training continues with the same networks."""
        now = {"normalize": bool(self.normalize), "n_networks": int(self.n_networks)}
        before = {"normalize": self.mean_ is not None, "n_networks": len(self._training_states)}
        check_unchanged(self._architecture | before, self._get_architecture_parameters() | now)

    def _get_training_states(self) -> list[TrainingState]:
        return [
            TrainingState(average={name: array[i] for name, array in self._weights.items()}, **state)
            for i, state in enumerate(self._training_states)
        ]

    def __dir__(self) -> list[str]:
        # Code that reads all attributes, such as scikit-learn's HTML, would otherwise import TensorFlow.
        return [name for name in object.__dir__(self) if name != "model_" and hasattr(self, name)]

    @property
    def model_(self) -> Any:
        """The compiled Keras model."""
        check_is_fitted(self, "_weights")
        architecture = self._make_architecture(len(self.classes_), self._architecture)
        states = self._get_training_states()
        return build_keras_model(architecture, states, self._reshape(self.mean_), self._reshape(self.scale_))

    def _compute_learning_rates(self) -> Sequence[float] | None:
        """Compute the learning rate of every epoch; None if it is constant."""
        return None

    def _reshape(self, values: np.ndarray | None) -> np.ndarray | None:
        """Return one number for each feature in a shape that fits a row."""
        return values

    # -- prediction ----------------------------------------------------------------------------------------------------

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities; rows sum to 1, columns are in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If X contains NaN or infinity, or has another number of features than in :meth:`fit`.
        """
        check_is_fitted(self, "_weights")
        return self._compute_probabilities(self._check_inputs(X, reset=False))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable class.

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
            If the classifier is not fitted.
        ValueError
            If X contains NaN or infinity, or has another number of features than in :meth:`fit`.
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])


def _average_records(records: list[list[float]]) -> list[float]:
    """Average the networks' records of each epoch, over those that trained for so many epochs."""
    length = max(map(len, records))
    return np.nanmean([record + [np.nan] * (length - len(record)) for record in records], axis=0).tolist()
