"""scikit-learn classifiers whose networks Keras trains and NumPy evaluates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from .._utils.validation import BOOLEAN, Rule, integer_in, one_of, real_in
from ._base import NeuralClassifier
from ._keras._conv import ConvArchitecture, compute_conv_probabilities
from ._keras._dense import ACTIVATIONS, DenseArchitecture, compute_dense_probabilities
from ._rows import standardize

__all__ = ["ConvAudioClassifier", "DenseAudioClassifier"]


def _are_sizes(value: Any) -> bool:
    return isinstance(value, tuple | list | np.ndarray) and all(integer_in(1).accepts(size) for size in value)


class DenseAudioClassifier(NeuralClassifier):
    """Networks of dense layers over fixed-length features of sounds.

    Keras trains them, through scikeras, inside :meth:`fit`; what is kept afterwards are NumPy arrays, and prediction is
    a few matrix products. A fitted classifier is loaded and used without TensorFlow ever being imported.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100, 200, 100)
        Units of each hidden layer; the empty tuple gives multinomial logistic regression.
    n_networks : int >= 1, default=4
        How many networks are trained, one after the other, from initial weights, orders of rows and dropout masks of
        their own; their probabilities are averaged. Four of 50 epochs each are a little more accurate than one of any
        length.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "sigmoid", \
"linear"}, default="relu"
        Activation of the hidden layers, as Keras defines it.
    dropout : float in [0, 1), default=0.2
        Share of the units of each hidden layer that is left out at every training step.
    normalize : bool, default=True
        Whether to standardise each feature to zero mean and unit variance over the training rows. Features of sounds
        differ in scale by orders of magnitude, and networks train badly on them as they are.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        The name of a Keras optimizer, or an optimizer object, which is copied for every fit, as Keras copies: without
        what its ``exclude_from_weight_decay`` was told. An object has to be imported from Keras to be loaded again; a
        name keeps fitted classifiers free of TensorFlow.
    learning_rate : float > 0, default=0.001
        Step size of an optimizer given by name; an optimizer object brings its own.
    epochs : int >= 1, default=50
        Passes over the training rows, at most.
    batch_size : int >= 1, default=32
        Rows per training step.
    validation_fraction : float in (0, 1), default=0.1
        Share of the training rows, the same of each class, that early stopping sets aside to judge every epoch by:
        whole recordings where :meth:`fit` gets ``groups``. Not used when it gets ``X_val``. Every class keeps at least
        one row, or recording, to train on; a class that has no other is judged by none.
    early_stopping : bool, default=False
        Whether to set validation rows aside, and to stop once the loss on them has not fallen for ``patience`` epochs.
    patience : int >= 1, default=20
        See ``early_stopping``.
    restore_best : bool, default=True
        Whether to keep the epoch with the lowest loss on the validation rows, if there are any, rather than the last.
    average : bool, default=True
        Whether to keep a moving average of the weights over the epochs (0.95 of the average and 0.05 of the new
        weights after each) rather than the weights as the last batch left them. Epochs are judged by what would be
        kept.
    class_weight : dict or "balanced", default=None
        Weights of the classes ``{label: weight}``; "balanced" makes them inversely proportional to the classes'
        frequencies. They multiply ``sample_weight``.
    checkpoint : str or path-like, default=None
        A folder in which :meth:`fit` keeps its progress after every epoch, so that the same fit, after its process was
        killed, goes on from there and ends with the same weights to the last bit, and a finished one is not repeated.
        The entries, of up to five times the size of the weights, are found by data, parameters and versions, so that
        the fits of a search share a folder; nothing removes them. Needs an integer ``random_state``, and goes with no
        ``callbacks``, whose state cannot be kept. :meth:`partial_fit` does not use it.
    callbacks : list of keras.callbacks.Callback, default=None
        Called during training, as by ``keras.Model.fit``. Each fit works on deep copies, so that estimators cloned for
        a search never share one, and each network has copies of its own, one after the other. Their ``model`` is the
        network in training, from standardised features to logits.
        What they do to its weights in the end counts only with ``average=False``.
    warm_start : bool, default=False
        Whether :meth:`fit` goes on from what the last fit kept, for another ``epochs`` epochs, rather than from fresh
        weights.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, dropout, order of the rows and the choice of validation rows. With an int, two
        fits on the same machine with the same versions are identical to the last bit. None takes fresh entropy from
        the operating system. No global random state is read or changed.
    verbose : int, default=0
        With 1 or more, a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of features seen in :meth:`fit`.
    feature_names_in_ : ndarray of shape ``(n_features_in_,)``
        Names of the features, if X had any.
    coefs_ : list of ndarray of shape (n_networks, n_in, n_out), float32
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_networks, n_out), float32
        Biases of each layer.
    mean_, scale_ : ndarray of shape ``(n_features_in_,)``, float64, or None
        What features are standardised by; None without ``normalize``.
    history_ : dict of str to list of float
        Keras' history: "loss" and "accuracy" per epoch, and "val_loss" and "val_accuracy" where there are validation
        rows; the mean over the networks still in training. It grows under ``warm_start`` and :meth:`partial_fit`.
    best_epoch_ : int
        Index into the lists of ``history_`` of the epoch with the lowest "val_loss" of the last fit, of its last
        epoch without validation. Each network keeps its own best.
    model_ : keras.Model
        The compiled Keras model, standardisation and all networks included, built anew at every access. This imports
        TensorFlow.

    Raises
    ------
    ParameterError
        From :meth:`fit`, for a parameter outside its range.

    See Also
    --------
    MFCCMeanTransformer : Features for it, from recordings.
    sklearn.neural_network.MLPClassifier : scikit-learn's own, without dropout.

    Notes
    -----
    The network and its training follow the tutorial recipe for UrbanSound8K [1]_ that the defaults started from; the
    defaults themselves were chosen by cross-validation, which the documentation reports. Layers are initialised after
    Glorot and Bengio [2]_, dropout is that of [3]_.

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
        "hidden_layer_sizes": (Rule("a tuple or list of integers above 0", _are_sizes),),
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

    def _checked(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
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

    def _probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        inputs = self._inputs(X, self.mean_, self.scale_)
        return compute_dense_probabilities(inputs, self.coefs_, self.intercepts_, self._architecture["activation"])


class ConvAudioClassifier(NeuralClassifier):
    """Convolutional networks over mel spectra of sounds.

    Each looks at the spectrum as at a picture: blocks of a 3 x 3 convolution that halves bands and frames, batch
    normalisation and ReLU; then the mean over bands, the sum of maximum and mean over time, and a dense layer. Spectra
    are varied anew in every epoch of training [1]_ [2]_. Keras trains the networks, through scikeras, inside
    :meth:`fit`; what is kept afterwards are NumPy arrays, and prediction is a few matrix products for each block. A
    fitted classifier is loaded and used without TensorFlow ever being imported.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 128)
        Channels of each block.
    n_networks : int >= 1, default=1
        How many networks are trained, one after the other, from different seeds; their probabilities are averaged.
    dropout : float in [0, 1), default=0.3
        Share of the last layer's inputs that are zeroed at random in training.
    normalize : bool, default=True
        Whether to subtract each band's mean, and to divide by one standard deviation for all bands.
    shift : bool, default=True
        Whether training turns each spectrum by a random time, its end following its start.
    band_mask, time_mask : float in [0, 1), default=0.12 and 0.15
        Training sets two ranges of bands, and two of frames, to the mean, each up to this share of all.
    mixup : float >= 0, default=0.3
        Training mixes each spectrum, and its label, with another; the shares are drawn from a beta distribution with
        this parameter. 0 mixes nothing.
    label_smoothing : float in [0, 1), default=0.1
        Share of the target's probability that is spread over all classes.
    optimizer : str or keras.optimizers.Optimizer, default="adamw"
        The name of a Keras optimizer, with its default settings; or an optimizer, which is copied for every fit and
        costs the promise to load without TensorFlow.
    learning_rate : float > 0, default=0.002
        Of an optimizer given by name, at the start.
    schedule : {"cosine", "constant"}, default="cosine"
        Whether the learning rate falls to 0 along half a cosine over ``epochs``, or stays, as it does in
        :meth:`partial_fit` and with an optimizer object.
    epochs : int >= 1, default=120
        Passes over the training rows.
    batch_size : int >= 1, default=16
        Rows per training step.
    validation_fraction : float in (0, 1), default=0.1
        As for :class:`DenseAudioClassifier`.
    early_stopping : bool, default=False
        Whether to set validation rows aside, and to stop once the loss on them has not fallen for ``patience`` epochs.
    patience : int >= 1, default=20
        See ``early_stopping``.
    restore_best : bool, default=True
        Whether to keep the epoch with the lowest loss on the validation rows, if there are any, rather than the last.
    average : bool, default=False
        Whether to keep a moving average of the weights over the epochs (0.95 of the average and 0.05 of the new weights
        after each) rather than the weights as the last batch left them. A falling learning rate averages as well, and
        needs fewer epochs.
    class_weight : dict or "balanced", default=None
        Weights of the classes ``{label: weight}``; "balanced" makes them inversely proportional to the classes'
        frequencies.
    checkpoint : str or path-like, default=None
        A folder in which :meth:`fit` keeps its progress, as for :class:`DenseAudioClassifier`.
    callbacks : list of keras.callbacks.Callback, default=None
        Called during training, as for :class:`DenseAudioClassifier`.
    warm_start : bool, default=False
        Whether :meth:`fit` goes on from what the last fit kept, for another ``epochs`` epochs.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, dropout, variation, order of the rows and the choice of validation rows.
    verbose : int, default=0
        With 1 or more, a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of bands seen in :meth:`fit`.
    mean_, scale_ : ndarray of shape ``(n_features_in_,)``, float64, or None
        What bands are standardised by; None without ``normalize``.
    history_ : dict of str to list of float
        Keras' history, the mean over the networks still in training; accuracies of training are those of mixed spectra.
    best_epoch_ : int
        Index into the lists of ``history_`` of the epoch with the lowest "val_loss" of the last fit, of its last
        epoch without validation.
    model_ : keras.Model
        The compiled Keras model, standardisation and all networks included, built anew at every access. This imports
        TensorFlow.

    See Also
    --------
    LogMelTransformer : Spectra for it, from recordings.
    DenseAudioClassifier : For features without time.

    Notes
    -----
    X is ``(n_samples, n_bands, n_frames)``; the number of frames may differ between :meth:`fit` and :meth:`predict`. A
    2-D X holds spectra of one frame.

    References
    ----------
    .. [1] D. S. Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
       Interspeech 2019.
    .. [2] H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf import ConvAudioClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(-50, 3, size=(24, 8, 10))
    >>> X[:12, 4:] += 20
    >>> X[12:, :4] += 20
    >>> y = ["dog"] * 12 + ["siren"] * 12
    >>> clf = ConvAudioClassifier((8,), epochs=20, learning_rate=0.01, random_state=0).fit(X, y)
    >>> clf.predict(X[[0, -1]])
    array(['dog', 'siren'], dtype='<U5')
    """

    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        **NeuralClassifier._rules,
        "channels": (Rule("a tuple or list of one or more integers above 0", lambda v: _are_sizes(v) and len(v) > 0),),
        "shift": (BOOLEAN,),
        "band_mask": (real_in(0, 1),),
        "time_mask": (real_in(0, 1),),
        "mixup": (real_in(0),),
        "label_smoothing": (real_in(0, 1),),
        "schedule": (one_of(["cosine", "constant"]),),
    }

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 128),
        *,
        n_networks: int = 1,
        dropout: float = 0.3,
        normalize: bool = True,
        shift: bool = True,
        band_mask: float = 0.12,
        time_mask: float = 0.15,
        mixup: float = 0.3,
        label_smoothing: float = 0.1,
        optimizer: Any = "adamw",
        learning_rate: float = 0.002,
        schedule: Literal["cosine", "constant"] = "cosine",
        epochs: int = 120,
        batch_size: int = 16,
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        patience: int = 20,
        restore_best: bool = True,
        average: bool = False,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.channels = channels
        self.n_networks = n_networks
        self.dropout = dropout
        self.normalize = normalize
        self.shift = shift
        self.band_mask = band_mask
        self.time_mask = time_mask
        self.mixup = mixup
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
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

    def _checked(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        checked = validate_data(self, X, y, reset=reset, dtype=[np.float32, np.float64], allow_nd=True)
        return (_spectra(checked[0]), checked[1]) if isinstance(checked, tuple) else _spectra(checked)

    def _get_architecture_parameters(self) -> dict[str, Any]:
        return {
            "channels": tuple(int(size) for size in self.channels),
            "dropout": float(self.dropout),
            "shift": bool(self.shift),
            "band_mask": float(self.band_mask),
            "time_mask": float(self.time_mask),
            "mixup": float(self.mixup),
            "label_smoothing": float(self.label_smoothing),
            "optimizer": self.optimizer.lower() if isinstance(self.optimizer, str) else self.optimizer,
        }

    def _make_architecture(self, n_classes: int, parameters: dict[str, Any]) -> ConvArchitecture:
        return ConvArchitecture(n_bands=self.n_features_in_, n_classes=n_classes, **parameters)

    def _observed(self, X: np.ndarray, sample_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return X.transpose(0, 2, 1).reshape(-1, X.shape[1]), np.repeat(sample_weight, X.shape[2])

    def _standardisation(self, scaler: StandardScaler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scale = np.sqrt(scaler.var_.mean()) or 1.0
        return scaler.mean_, np.full(len(scaler.mean_), scale)

    def _shaped(self, values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[:, np.newaxis]

    def _inputs(self, X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
        return standardize(X, self._shaped(mean), self._shaped(scale))

    def _learning_rates(self) -> Sequence[float] | None:
        if self.schedule == "constant" or not isinstance(self.optimizer, str):
            return None
        done = np.arange(self.epochs) / self.epochs
        rates: list[float] = (self.learning_rate * 0.5 * (1 + np.cos(np.pi * done))).tolist()
        return rates

    def _probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        inputs = self._inputs(X, self.mean_, self.scale_)
        return compute_conv_probabilities(inputs, self._weights, len(self._architecture["channels"]))


def _spectra(X: np.ndarray) -> np.ndarray:
    """Give X as ``(n_samples, n_bands, n_frames)``."""
    if X.ndim > 3:
        raise ValueError(f"X must be of shape (n_samples, n_bands, n_frames), got an array of {X.ndim} dimensions")
    if not X.size:
        raise ValueError(f"X must have at least one band and one frame, got an array of shape {X.shape}")
    return X if X.ndim == 3 else X[:, :, np.newaxis]
