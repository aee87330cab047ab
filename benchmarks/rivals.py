"""What soundclf is measured against, in a module of its own so that fitted pipelines of it can be pickled."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


def librosa_means(path: str, **load: str) -> np.ndarray:
    """Average 40 MFCCs over time, by the recipe that tutorials publish."""
    import librosa

    y, sr = librosa.load(path, **load)
    return np.mean(librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).T, axis=0)


class LibrosaMeans(TransformerMixin, BaseEstimator):
    """The recipe as a transformer, as one writes it in an afternoon."""

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return a row for each path."""
        return np.array([librosa_means(path) for path in X])

    def __sklearn_is_fitted__(self):
        return True


def tutorial_network(n_classes: int = 10, *, one_hot: bool = False):
    """Build the tutorial's network, compiled."""
    from keras import Sequential
    from keras.layers import Activation, Dense, Dropout, Input

    model = Sequential([Input((40,))])
    for units in (100, 200, 100):
        model.add(Dense(units))
        model.add(Activation("relu"))
        model.add(Dropout(0.5))
    model.add(Dense(n_classes))
    model.add(Activation("softmax"))
    loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    model.compile(loss=loss, metrics=["accuracy"], optimizer="adam")
    return model


def scikeras_classifier(epochs: int):
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(
        model=tutorial_network, loss="sparse_categorical_crossentropy", epochs=epochs, batch_size=32, verbose=0
    )
