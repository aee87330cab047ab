"""DenseAudioClassifier."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from .._utils.validation import Rule, one_of
from ._base import NeuralClassifier
from ._forward import ACTIVATIONS, compute_dense_probabilities
from ._keras._dense import DenseArchitecture
from ._parameters import are_sizes

__all__ = ["DenseAudioClassifier"]


class DenseAudioClassifier(NeuralClassifier):
    """Dense neural networks for fixed-length features of sounds.

    Keras trains the networks in :meth:`fit`. The fitted weights are NumPy arrays, and prediction consists of a few
    matrix products. Loading and using a fitted classifier does not import TensorFlow.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100, 200, 100)
        Number of units of each hidden layer. An empty tuple makes the network a multinomial logistic regression.
    n_networks : int, default=4
        Number of networks, at least 1. They are trained one after the other from different seeds, and their
        probabilities are averaged.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "sigmoid", \
"linear"}, default="relu"
        Activation function of the hidden layers, as Keras defines it.
    dropout : float in [0, 1), default=0.2
        Fraction of the units of each hidden layer that is set to zero at random in every training step.
    normalize : bool, default=True
        Whether to standardize each feature to zero mean and unit variance over the training rows. Sound features
        differ in scale by orders of magnitude, and networks train poorly on raw features.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Name of a Keras optimizer, which is used with its default settings, or an optimizer object. An object is copied
        for every fit as Keras copies it, without the variables excluded by its ``exclude_from_weight_decay``, and a
        fitted classifier that has one imports Keras when it is loaded.
    learning_rate : float, default=0.001
        Learning rate of an optimizer given by name, above 0. An optimizer object has its own.
    epochs : int, default=50
        Maximum number of passes over the training rows.
    batch_size : int, default=32
        Number of rows per training step.
    validation_fraction : float in (0, 1), default=0.1
        Fraction of the training rows of each class that ``early_stopping`` sets aside as validation rows: whole
        recordings if :meth:`fit` gets ``groups``. Not used if it gets ``X_val``. At least one row or recording of each
        class remains for training; a class with only one has no validation rows.
    early_stopping : bool, default=False
        Whether to set validation rows aside, and to stop training when the loss on them has not decreased for
        ``patience`` epochs.
    patience : int, default=20
        Number of epochs without a lower validation loss after which ``early_stopping`` stops training.
    restore_best : bool, default=True
        Whether the final weights are those of the epoch with the lowest validation loss, if there are validation rows,
        rather than those of the last epoch.
    average : bool, default=True
        Whether to use a moving average of the weights over the epochs (0.95 of the average and 0.05 of the new weights
        after each epoch) instead of the weights after the last batch. The validation loss is computed with the same
        weights.
    class_weight : dict or "balanced", default=None
        Weights of the classes, ``{label: weight}``, which multiply ``sample_weight``. "balanced" makes them inversely
        proportional to the class frequencies.
    checkpoint : str or path-like, default=None
        Folder in which :meth:`fit` saves its progress after every epoch. If the process is killed, the same fit
        continues from there with bit-identical results; a completed fit is not repeated. The files, of up to five times
        the size of the weights, are identified by data, parameters and versions, so the fits of a search can share a
        folder; they are never deleted. Requires an integer ``random_state``. Cannot be combined with ``callbacks``,
        whose state cannot be saved. :meth:`partial_fit` does not use it.
    callbacks : list of keras.callbacks.Callback, default=None
        Callbacks, called during training as by ``keras.Model.fit``. Each network uses deep copies of its own, which are
        never shared between fits. Their ``model`` is the network in training, from standardized inputs to logits.
        Weights that they set at the end of training have an effect only with ``average=False``.
    warm_start : bool, default=False
        Whether :meth:`fit` continues from the result of the last fit, for another ``epochs`` epochs, instead of
        initializing the weights.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the validation rows and all random numbers in training. With an int, fits on the
        same machine with the same versions are bit-identical. No global random state is read or changed.
    verbose : int, default=0
        Verbosity. With 1 or more, a progress bar over the epochs is shown.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    n_features_in_ : int
        Number of features seen in :meth:`fit`.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the features, if X had any.
    coefs_ : list of ndarray of shape (n_networks, n_in, n_out), float32
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_networks, n_out), float32
        Biases of each layer.
    mean_, scale_ : ndarray of shape ``(n_features_in_,)``, float64, or None
        Mean and standard deviation of each feature; None without ``normalize``.
    history_ : dict of str to list of float
        "loss" and "accuracy" of each epoch as in Keras' history, and "val_loss" and "val_accuracy" if there are
        validation rows, averaged over the networks still in training. ``warm_start`` and
        :meth:`partial_fit` extend it.
    best_epoch_ : int
        Index into the lists of ``history_`` of the epoch of the last fit with the lowest "val_loss"; without validation
        rows, of its last epoch. ``restore_best`` chooses the best epoch of each network separately.
    model_ : keras.Model
        Compiled Keras model with the standardization and all networks, built at every access, which imports TensorFlow.

    Raises
    ------
    ParameterError
        By :meth:`fit`, if a parameter is outside its range.

    See Also
    --------
    MFCCMeanTransformer : Features of recordings for this classifier.
    sklearn.neural_network.MLPClassifier : Dense networks in scikit-learn, without dropout.

    Notes
    -----
    The default network started from a tutorial for UrbanSound8K [1]_. The defaults were chosen by cross-validation,
    which the documentation reports. Weights are initialized as in [2]_, dropout is described in [3]_.

    References
    ----------
    .. [1] J. Salamon, C. Jacoby, J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM Multimedia 2014.
    .. [2] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
       2010.
    .. [3] N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import DenseAudioClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (30, 4)), rng.normal(5, 1, (30, 4))])
    >>> y = ["dog"] * 30 + ["siren"] * 30
    >>> clf = DenseAudioClassifier((8,), epochs=20, random_state=0).fit(X, y)
    >>> clf.predict([[0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0]])
    array(['dog', 'siren'], dtype='<U5')
    """

    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        "hidden_layer_sizes": (Rule("a tuple or list of integers above 0", are_sizes),),
        "activation": (one_of(ACTIVATIONS),),
        **NeuralClassifier._rules,
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100, 200, 100),
        *,
        n_networks: int = 4,
        activation: str = "relu",
        dropout: float = 0.2,
        normalize: bool = True,
        optimizer: Any = "adam",
        learning_rate: float = 0.001,
        epochs: int = 50,
        batch_size: int = 32,
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        patience: int = 20,
        restore_best: bool = True,
        average: bool = True,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_networks = n_networks
        self.activation = activation
        self.dropout = dropout
        self.normalize = normalize
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.restore_best = restore_best
        self.average = average
        self.class_weight = class_weight
        self.checkpoint = checkpoint
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @property
    def coefs_(self) -> list[NDArray[np.float32]]:
        """Weights of each layer, ``(n_networks, n_in, n_out)``."""
        return [self._weights[f"{layer}/kernel"] for layer in self._get_layers()]

    @property
    def intercepts_(self) -> list[NDArray[np.float32]]:
        """Biases of each layer, ``(n_networks, n_out)``."""
        return [self._weights[f"{layer}/bias"] for layer in self._get_layers()]

    def _get_layers(self) -> list[str]:
        """Return the names of the layers of a fitted network, in order."""
        return [*(f"hidden_{i + 1}" for i in range(len(self._architecture["hidden_layer_sizes"]))), "classes"]

    def _check_inputs(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        return validate_data(self, X, y, reset=reset, dtype=np.float64)

    def _get_architecture_parameters(self) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": tuple(int(size) for size in self.hidden_layer_sizes),
            "activation": self.activation,
            "dropout": float(self.dropout),
            "optimizer": self.optimizer.lower() if isinstance(self.optimizer, str) else self.optimizer,
        }

    def _make_architecture(self, n_classes: int, parameters: dict[str, Any]) -> DenseArchitecture:
        return DenseArchitecture(n_features=self.n_features_in_, n_classes=n_classes, **parameters)

    def _compute_probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        inputs = self._make_inputs(X, self.mean_, self.scale_)
        return compute_dense_probabilities(inputs, self.coefs_, self.intercepts_, self._architecture["activation"])
