"""Labels and probabilities of test clips from one pass over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from ..classifiers import ConvAudioClassifier, DenseAudioClassifier

__all__ = ["predict_once"]

# Classifiers whose labels are the classes of the largest probabilities. Of others, such as SVC, they may differ.
_ARGMAX = (DenseAudioClassifier, ConvAudioClassifier, CalibratedClassifierCV)


def predict_once(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what ``predict`` and, if there is one, ``predict_proba`` return, in one pass where that can be.

    Pipelines transform X once, and classifiers that predict the most probable class compute probabilities once. Only
    estimators of exactly the known types are treated so, since subclasses may predict otherwise; all others are called
    twice.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : sequence of clips or array-like
        What to predict.

    Returns
    -------
    labels : ndarray of shape (n_clips,)
        As of ``estimator.predict(X)``.
    probabilities : ndarray of shape (n_clips, n_classes) or None
        As of ``estimator.predict_proba(X)``; None if the estimator has no such method.
    """
    kind = type(estimator)
    if kind is Pipeline and hasattr(estimator, "predict"):
        *steps, (_, final) = estimator.steps
        for _, step in steps:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return predict_once(final, X)
    if kind in (GridSearchCV, RandomizedSearchCV) and hasattr(estimator, "predict"):
        return predict_once(estimator.best_estimator_, X)
    if kind is FrozenEstimator:
        return predict_once(estimator.estimator, X)
    if kind is StackingClassifier and is_classifier(estimator.final_estimator_):
        codes, probabilities = predict_once(estimator.final_estimator_, estimator.transform(X))
        return estimator.classes_[codes], probabilities
    if kind in _ARGMAX or (kind is VotingClassifier and estimator.voting == "soft"):
        probabilities = estimator.predict_proba(X)
        return estimator.classes_[probabilities.argmax(axis=1)], probabilities
    labels = estimator.predict(X)
    return labels, estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else None
