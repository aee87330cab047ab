"""What soundclf raises and warns about, beside the exceptions of Python and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AudioError",
    "AudioWarning",
    "DownloadError",
    "FeatureDriftWarning",
    "LeakWarning",
    "ModelError",
    "ModelWarning",
    "ParameterError",
]


class AudioError(ValueError):
    """A clip that cannot be used.

    Parameters
    ----------
    reason : str
        Why, as the end of a sentence about the clip.
    clip : str, default=None
        The clip: its path, or what kind of object it is.
    position : int, default=None
        Where the clip stands in X, counted from 0.

    Attributes
    ----------
    reason, clip, position
        As given.

    Examples
    --------
    >>> from soundclf import AudioError
    >>> print(AudioError("there is no such file", "'bark.wav'", 3))
    Clip 3, 'bark.wav': there is no such file.
    """

    def __init__(self, reason: str, clip: str | None = None, position: int | None = None):
        super().__init__(reason, clip, position)
        self.reason = reason
        self.clip = clip
        self.position = position

    def __str__(self) -> str:
        where = "Clip" if self.position is None else f"Clip {self.position}"
        return f"{where}: {self.reason}." if self.clip is None else f"{where}, {self.clip}: {self.reason}."


class AudioWarning(UserWarning):
    """Clips that were skipped, or settings that leave part of a recording unused.

    Parameters
    ----------
    message : str
        The warning.
    errors : sequence of AudioError, default=()
        Why clips were skipped: one error for each, in the order of their positions.

    Attributes
    ----------
    errors : tuple of AudioError
        As given.

    Examples
    --------
    >>> import warnings
    >>> from soundclf import AudioWarning, MFCCMeanTransformer
    >>> with warnings.catch_warnings(record=True, action="always", category=AudioWarning) as caught:
    ...     rows = MFCCMeanTransformer(on_error="nan").transform(["bark.wav"])
    >>> print(caught[0].message)
    1 of 1 clips cannot be used, and their rows are NaN. Clip 0, 'bark.wav': there is no such file.
    >>> [(error.position, error.reason) for error in caught[0].message.errors]
    [(0, 'there is no such file')]
    """

    def __init__(self, message: str = "", errors: Sequence[AudioError] = ()):
        super().__init__(message)
        self.errors = tuple(errors)


class LeakWarning(UserWarning):
    """A split that has clips of one recording on both sides, so that what it measures is too good.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import KFold
    >>> from soundclf import LeakWarning
    >>> from soundclf.evaluation import cross_validate_clips
    >>> rows = {"data": [[0.1], [0.2], [0.3], [0.4]], "target": ["dog", "siren"] * 2, "groups": [1, 2, 1, 2]}
    >>> with warnings.catch_warnings(record=True, action="always", category=LeakWarning) as caught:
    ...     result = cross_validate_clips(DummyClassifier(), rows, cv=KFold(2))
    >>> result.leaks.tolist()
    [1, 2]
    >>> print(str(caught[0].message).split(".")[0])
    This split leaks: 2 recordings have clips on both sides, which affects 100% of the test clips
    """


class DownloadError(OSError):
    """A data set that could not be fetched; nothing of it was saved.

    Examples
    --------
    >>> import tempfile
    >>> from soundclf import DownloadError
    >>> from soundclf.datasets import fetch_esc50
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     try:
    ...         fetch_esc50(data_home=file.name)
    ...     except DownloadError as error:
    ...         print(error)  # doctest: +ELLIPSIS
    data_home='...' cannot be used as a folder (...)
    """


class ModelError(ValueError):
    """A model that cannot be saved, or a file that no model can be loaded from.

    Examples
    --------
    >>> import soundclf
    >>> try:
    ...     soundclf.load("sounds.skops")
    ... except soundclf.ModelError as error:
    ...     print(error)
    The model file 'sounds.skops' cannot be loaded: there is no such file
    """


class ModelWarning(UserWarning):
    """A model file that was written with other versions of what its predictions depend on.

    Examples
    --------
    Such a file can be refused:

    >>> import tempfile, warnings
    >>> import soundclf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundclf.save(soundclf.MFCCMeanTransformer(), f"{folder}/features.skops")
    ...     with warnings.catch_warnings(action="error", category=soundclf.ModelWarning):
    ...         soundclf.load(f"{folder}/features.skops")
    MFCCMeanTransformer()
    """


class FeatureDriftWarning(ModelWarning):
    """A loaded model whose features are no longer those that it was trained on.

    Other versions of NumPy, SciPy, a resampler, libsndfile or soundclf compute other features of a reference signal
    than those that were saved with the model.

    Parameters
    ----------
    message : str
        The warning.
    drift : float, default=nan
        The largest difference, in standard deviations of the training data, or of the reference signal if the model
        does not know those.

    Attributes
    ----------
    drift : float
        As given.

    Examples
    --------
    >>> from soundclf import FeatureDriftWarning
    >>> FeatureDriftWarning("The features changed", 0.5).drift
    0.5
    """

    def __init__(self, message: str = "", drift: float = float("nan")):
        super().__init__(message)
        self.drift = drift


class ParameterError(ValueError, TypeError):
    """An estimator's parameter that is not among the allowed ones.

    Examples
    --------
    >>> from soundclf import MFCCMeanTransformer, ParameterError
    >>> try:
    ...     MFCCMeanTransformer(n_mfcc=0).transform(["bark.wav"])
    ... except ParameterError as error:
    ...     print(error)
    The 'n_mfcc' parameter of MFCCMeanTransformer must be an integer in [1, inf), got 0 (int).
    """
