"""Preconfigured classifiers of recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, VotingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from ._utils.validation import check_params, one_of
from .classifiers import ConvAudioClassifier, DenseAudioClassifier
from .transformers import LogMelTransformer, MFCCMeanTransformer, MFCCStatisticsTransformer

__all__ = ["PRESETS", "make_classifier"]


def _fast(features: dict[str, Any], training: dict[str, Any]) -> Pipeline:
    return make_pipeline(MFCCMeanTransformer(**features), DenseAudioClassifier(**training))


def _balanced(features: dict[str, Any], training: dict[str, Any]) -> Pipeline:
    # A limit on the leaves, which a thousand clips do not reach, keeps models of large collections small.
    trees = ExtraTreesClassifier(200, max_features=0.1, max_leaf_nodes=500, random_state=training["random_state"])
    members = [("networks", DenseAudioClassifier(**training)), ("trees", trees)]
    return make_pipeline(MFCCStatisticsTransformer(**features), VotingClassifier(members, voting="soft"))


def _accurate(features: dict[str, Any], training: dict[str, Any]) -> VotingClassifier:
    spectra = LogMelTransformer(n_mels=64, hop_length=1024, **features)
    members = [
        ("spectra", make_pipeline(spectra, ConvAudioClassifier(epochs=240, **training))),
        ("statistics", _balanced(features, training)),
    ]
    return VotingClassifier(members, voting="soft", weights=(3, 2))


_MAKERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "fast": _fast,
    "balanced": _balanced,
    "accurate": _accurate,
}

PRESETS = tuple(_MAKERS)
"""Names of the presets of :func:`make_classifier`, from the fastest to the most accurate."""


def make_classifier(
    preset: str = "balanced",
    *,
    memory: Any = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Any:
    """Make an unfitted classifier of recordings.

    The documentation's page on accuracy reports the accuracy of each preset on ESC-10, and its time and memory.

    Parameters
    ----------
    preset : {"fast", "balanced", "accurate"}, default="balanced"
        Name of the preset:

        - "fast": dense networks over mean MFCCs, ``make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier())``;
        - "balanced": the mean of the probabilities of dense networks and of extremely randomized trees, both over
          statistics of each clip, :class:`MFCCStatisticsTransformer`;
        - "accurate": the weighted mean of the probabilities of "balanced" and of a convolutional network over the mel
          spectra of the first 5 seconds of each clip; shorter clips are repeated.
    memory : str, pathlib.Path or joblib.Memory, default=None
        Cache of the features of each clip, as for :class:`MFCCMeanTransformer`.
    n_jobs : int, default=None
        Number of threads, as for :class:`MFCCMeanTransformer`.
    random_state : int, RandomState instance or None, default=None
        Determines the training of the networks and the trees.
    verbose : int, default=0
        Verbosity. With 1 or more, progress bars over clips and epochs are shown.

    Returns
    -------
    sklearn.pipeline.Pipeline or sklearn.ensemble.VotingClassifier
        The unfitted classifier, whose ``set_params`` accepts all parameters of its steps.

    Raises
    ------
    ParameterError
        If there is no such preset.

    Examples
    --------
    >>> from soundclf import make_classifier
    >>> make_classifier("fast", random_state=0)[-1]
    DenseAudioClassifier(random_state=0)
    >>> make_classifier("accurate").named_estimators["spectra"][0]
    LogMelTransformer(hop_length=1024, n_mels=64)
    """
    check_params("make_classifier", {"preset": preset}, {"preset": (one_of(PRESETS),)})
    features = {"memory": memory, "n_jobs": n_jobs, "verbose": verbose}
    return _MAKERS[preset](features, {"random_state": random_state, "verbose": verbose})
