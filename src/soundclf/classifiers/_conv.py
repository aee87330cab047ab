"""ConvAudioClassifier."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from .._utils.validation import BOOLEAN, Rule, one_of, real_in
from ._base import NeuralClassifier
from ._forward import compute_conv_probabilities
from ._keras._conv import ConvArchitecture
from ._parameters import are_sizes
from ._rows import standardize

__all__ = ["ConvAudioClassifier"]


class ConvAudioClassifier(NeuralClassifier):
    """Convolutional neural networks for mel spectra of sounds.

    A network consists of blocks of a 3 x 3 convolution with stride 2, batch normalization and ReLU; the mean over
    bands; the sum of maximum and mean over time; and a dense layer. Training augments the spectra [1]_ [2]_. Keras
    trains the networks in :meth:`fit`. The fitted weights are NumPy arrays, and prediction consists of a few matrix
    products per block. Loading and using a fitted classifier does not import TensorFlow.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 128)
        Number of channels of each block.
    n_networks : int, default=1
        Number of networks, at least 1. They are trained one after the other from different seeds, and their
        probabilities are averaged.
    dropout : float in [0, 1), default=0.3
        Fraction of the inputs of the last layer that is set to zero at random in every training step.
    normalize : bool, default=True
        Whether to subtract each band's mean and to divide by one standard deviation for all bands.
    shift : bool, default=True
        Whether to rotate each spectrum by a random time, so that its end is followed by its start.
    band_mask : float in [0, 1), default=0.12
        Maximum width of each of two random ranges of bands that are set to the mean, as a fraction of all bands.
    time_mask : float in [0, 1), default=0.15
        Maximum width of each of two random ranges of frames that are set to the mean, as a fraction of all frames.
    mixup : float, default=0.3
        Parameter of the symmetric beta distribution of the weights with which each spectrum, and its label, is mixed
        with another one, at least 0. With 0, spectra are not mixed.
    label_smoothing : float in [0, 1), default=0.1
        Fraction of the target probability that is distributed over all classes.
    optimizer : str or keras.optimizers.Optimizer, default="adamw"
        Name of a Keras optimizer, which is used with its default settings, or an optimizer object. An object is copied
        for every fit as Keras copies it, without the variables excluded by its ``exclude_from_weight_decay``, and a
        fitted classifier that has one imports Keras when it is loaded.
    learning_rate : float, default=0.002
        Learning rate of an optimizer given by name, above 0. An optimizer object has its own.
    schedule : {"cosine", "constant"}, default="cosine"
        Schedule of the learning rate. With "cosine" it decreases to 0 along half a cosine over ``epochs``. In
        :meth:`partial_fit` and with an optimizer object it is constant.
    epochs : int, default=120
        Maximum number of passes over the training rows.
    batch_size : int, default=16
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
    average : bool, default=False
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
        Number of bands seen in :meth:`fit`.
    mean_, scale_ : ndarray of shape ``(n_features_in_,)``, float64, or None
        Mean of each band, and the common standard deviation; None without ``normalize``.
    history_ : dict of str to list of float
        "loss" and "accuracy" of each epoch as in Keras' history, and "val_loss" and "val_accuracy" if there are
        validation rows, averaged over the networks still in training. "accuracy" is that of mixed
        spectra. ``warm_start`` and
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
    LogMelTransformer : Mel spectra of recordings for this classifier.
    DenseAudioClassifier : Classifier for features without a time axis.

    Notes
    -----
    X has the shape ``(n_samples, n_bands, n_frames)``; the number of frames may differ between :meth:`fit` and
    :meth:`predict`. A 2-D X holds spectra of one frame.

    The decreasing learning rate has a similar effect to ``average=True`` and needs fewer epochs.

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
        "channels": (Rule("a tuple or list of one or more integers above 0", lambda v: are_sizes(v) and len(v) > 0),),
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

    def _check_inputs(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        arrays = validate_data(self, X, y, reset=reset, dtype=[np.float32, np.float64], allow_nd=True)
        return (_make_spectra(arrays[0]), arrays[1]) if isinstance(arrays, tuple) else _make_spectra(arrays)

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

    def _get_scaler_rows(self, X: np.ndarray, sample_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return X.transpose(0, 2, 1).reshape(-1, X.shape[1]), np.repeat(sample_weight, X.shape[2])

    def _get_standardization(self, scaler: StandardScaler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scale = np.sqrt(scaler.var_.mean()) or 1.0
        return scaler.mean_, np.full(len(scaler.mean_), scale)

    def _reshape(self, values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[:, np.newaxis]

    def _make_inputs(self, X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> NDArray[np.float32]:
        return standardize(X, self._reshape(mean), self._reshape(scale))

    def _compute_learning_rates(self) -> Sequence[float] | None:
        if self.schedule == "constant" or not isinstance(self.optimizer, str):
            return None
        progress = np.arange(self.epochs) / self.epochs
        rates: list[float] = (self.learning_rate * 0.5 * (1 + np.cos(np.pi * progress))).tolist()
        return rates

    def _compute_probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        inputs = self._make_inputs(X, self.mean_, self.scale_)
        return compute_conv_probabilities(inputs, self._weights, len(self._architecture["channels"]))


def _make_spectra(X: np.ndarray) -> np.ndarray:
    """Return X in the shape ``(n_samples, n_bands, n_frames)``."""
    if X.ndim > 3:
        raise ValueError(f"X must be of shape (n_samples, n_bands, n_frames), got an array of {X.ndim} dimensions")
    if not X.size:
        raise ValueError(f"X must have at least one band and one frame, got an array of shape {X.shape}")
    return X if X.ndim == 3 else X[:, :, np.newaxis]
