"""Base class of transformers over clips: forms of X, threads, cache, error policy."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from numbers import Number
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, validate_data

from .._utils.parallel import run_parallel
from .._utils.progress import show_progress
from .._utils.text import format_list
from .._utils.validation import BOOLEAN, N_JOBS, NONE, Rule, check_params, integer_in, one_of, real_in
from ..audio import RES_TYPES, check_res_type, get_versions
from ..exceptions import AudioError, AudioWarning
from ._cache import MEMORY_RULES, FeatureCache, get_cache_directory
from ._extraction import extract_clip

__all__ = ["ClipTransformer", "detect_input_kind", "open_extractor"]

_MAX_LISTED = 20  # clips in a warning
_ROW_INDEPENDENT = ("on_error", "memory", "n_jobs", "verbose")  # parameters that do not change a row


class ClipTransformer(TransformerMixin, BaseEstimator, ABC):
    """Base class of transformers over clips.

    Subclasses have the parameters ``sr``, ``res_type``, ``duration``, ``on_error``, ``memory``, ``n_jobs`` and
    ``verbose`` besides their own. They add the rules of their own to ``_rules`` and implement ``_make_extractor``,
    ``_get_shape`` and ``_get_feature_names``.
    """

    _rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        "sr": (real_in(0, closed="neither"),),
        "res_type": (one_of(RES_TYPES),),
        "duration": (NONE, real_in(0, closed="neither")),
        "on_error": (one_of(["raise", "nan"]),),
        "memory": MEMORY_RULES,
        "n_jobs": (NONE, N_JOBS),
        "verbose": (integer_in(0), BOOLEAN),
    }

    # Name of the features in a cache, whatever module they are computed in, and a number to raise when they change.
    _features: ClassVar[tuple[str, int]]

    def __init_subclass__(cls, **options: Any) -> None:
        # scikit-learn takes auto_wrap_output_keys here; without it, a class would have a set_output that it ignores.
        try:
            super().__init_subclass__(**options)
        except TypeError:
            super().__init_subclass__()

    sr: float
    res_type: str
    duration: float | None
    on_error: str
    memory: Any
    n_jobs: int | None
    verbose: int

    @abstractmethod
    def _make_extractor(self) -> partial[NDArray[np.float32]]:
        """Return the function from an iterable of blocks of samples to an array."""

    @abstractmethod
    def _get_shape(self) -> tuple[int, ...]:
        """Return the shape of a clip's features."""

    @abstractmethod
    def _get_feature_names(self) -> list[str]:
        """Return the names of the features, in the order of the flattened array."""

    def _check_parameters(self) -> None:
        check_params(type(self).__name__, {name: getattr(self, name) for name in self._rules}, self._rules)
        check_res_type(self.res_type)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the form of X; the transformer is stateless, and no clip is read.

        Parameters
        ----------
        X : sequence of clips, or array-like of shape (n_clips, n_samples)
            As for :meth:`transform`.
        y : array-like of shape (n_clips,), default=None
            Labels; only their number is checked, before any clip is read.

        Returns
        -------
        object
            The transformer itself.

        Raises
        ------
        ParameterError
            For a parameter outside its range.
        ValueError, TypeError
            If X is not a sequence of clips, or y of another length.
        """
        self._check_parameters()
        clips = self._list_clips(X, reset=True)
        if y is not None:
            check_consistent_length(clips, y)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the features of each clip.

        Parameters
        ----------
        X : sequence of clips, or array-like of shape (n_clips, n_samples)
            A list, tuple, 1-D object or string array, pandas Series or Index of clips: paths (str or pathlib.Path),
            encoded bytes, seekable binary file objects, 1-D float arrays at the rate ``sr``, ``(array, sr)`` tuples
            with arrays ``(n,)`` or ``(channels, n)``. Or a 2-D array of samples at the rate ``sr``, a clip per row.

        Returns
        -------
        ndarray of shape (n_clips, ...), float32
            The features, in the order of X.

        Raises
        ------
        AudioError
            With ``on_error="raise"``, for the first clip that cannot be used, with its position and the reason.
        ParameterError
            For a parameter outside its range.
        ValueError, TypeError
            If X is not a sequence of clips, or contains an object that is not a clip.

        Warns
        -----
        AudioWarning
            With ``on_error="nan"``, once, if clips cannot be used; its message lists them and its attribute ``errors``
            contains their AudioErrors. Also for a 2-D array of integers, whose full scale is unknown: they are used
            unscaled.
        """
        self._check_parameters()
        clips = self._list_clips(X, reset=False)
        rows = np.full((len(clips), *self._get_shape()), np.nan, np.float32)
        bad: dict[int, AudioError] = {}
        with (
            self._extract() as extract,
            show_progress(type(self).__name__, len(clips), "clip", enabled=self.verbose) as update,
        ):

            def save_row(position: int, result: NDArray[np.float32] | AudioError) -> bool:
                if isinstance(result, AudioError):
                    bad[position] = result
                else:
                    rows[position] = result
                update()
                return not (bad and self.on_error == "raise")

            run_parallel(partial(_compute_row, extract), clips, save_row, self.n_jobs)
        errors = [bad[position] for position in sorted(bad)]
        if errors and self.on_error == "raise":
            raise errors[0]
        if errors:
            listed = format_list(errors, _MAX_LISTED, lambda error: str(error).removesuffix("."), "; ")
            warnings.warn(
                AudioWarning(
                    f"{len(bad)} of {len(clips)} clips cannot be used, and their rows are NaN. {listed}.", errors
                ),
                stacklevel=3,  # past scikit-learn's wrapper for set_output
            )
        return rows

    def _extract(self) -> AbstractContextManager[Callable[..., NDArray[np.float32]]]:
        """Open the function from a clip to its row of features."""
        duration = None if self.duration is None else float(self.duration)
        loading = {"sr": self.sr, "res_type": self.res_type, "duration": duration}
        extractor = self._make_extractor()
        extract = partial(extract_clip, extractor, loading)
        folder = get_cache_directory(self.memory)
        if folder is None:
            return nullcontext(extract)
        settings = {
            name: _normalize_parameter(getattr(self, name)) for name in self._rules if name not in _ROW_INDEPENDENT
        }
        settings |= {"features": self._get_features_key(), "with": get_versions(self.res_type)}
        return FeatureCache(extract, settings, self._get_shape(), folder)

    @classmethod
    def _get_features_key(cls) -> str:
        """Return the name and version of the features in a cache, from the class that defines the extractor."""
        owner = next(part for part in cls.__mro__ if "_make_extractor" in vars(part))
        if "_features" not in vars(owner):  # a subclass with its own extractor must not get its parent's rows
            return f"{owner.__module__}.{owner.__qualname__}"
        name, version = vars(owner)["_features"]
        return f"{name} {version}"

    def _list_clips(self, X: Any, *, reset: bool) -> Sequence[Any]:
        """Turn X into a list of clips."""
        if detect_input_kind(X) == "samples":
            if not reset and np.asarray(X).dtype.kind in "iu":
                warnings.warn(
                    "X is an array of integers, which are used unscaled; divide them by their full scale to get "
                    "floats in [-1, 1], for 16-bit samples by 32768",
                    AudioWarning,
                    stacklevel=4,  # past transform, and scikit-learn's wrapper for set_output
                )
            finite: bool = self.on_error == "raise"
            return list(validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=finite))
        if reset:  # refitting forgets the columns of an earlier 2-D X
            for name in {"n_features_in_", "feature_names_in_"} & vars(self).keys():
                delattr(self, name)
        return list(X if isinstance(X, Sequence) else np.asarray(X, dtype=object))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of a 2-D X; must be those seen in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_features,), object
            Name of each column.
        """
        known = getattr(self, "feature_names_in_", None)
        if input_features is not None and known is not None and not np.array_equal(known, input_features):
            raise ValueError("input_features is not equal to feature_names_in_")
        n_seen = getattr(self, "n_features_in_", None)
        if input_features is not None and n_seen is not None and len(input_features) != n_seen:
            raise ValueError(f"input_features should have length equal to number of features ({n_seen})")
        return np.asarray(self._get_feature_names(), dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.allow_nan = self.on_error == "nan"
        return tags


def _normalize_parameter(value: Any) -> Any:
    """Return a parameter in a form that is the same for equal values."""
    if value is None or isinstance(value, str):
        return value
    return [str(item) for item in value] if isinstance(value, Iterable) else float(value)


def open_extractor(transformer: ClipTransformer) -> AbstractContextManager[Callable[..., NDArray[np.float32]]]:
    """Open the function from a clip to its row of features, with the transformer's cache.

    Its second argument, ``save_fingerprint``, is that of :func:`extract_clip`; it is not called for cached rows.
    """
    transformer._check_parameters()
    return transformer._extract()


def _compute_row(
    extract: Callable[[Any], NDArray[np.float32]], position: int, clip: Any
) -> NDArray[np.float32] | AudioError:
    """Compute the features of a clip, or return the error with its position."""
    try:
        return extract(clip)
    except AudioError as error:
        return AudioError(error.reason, error.clip, position)
    except TypeError as error:
        raise TypeError(f"Clip {position}: {error}") from error


def detect_input_kind(X: Any) -> Literal["clips", "samples"]:
    """Distinguish a sequence of clips from a 2-D array of samples; raise an error with advice for anything else."""
    if isinstance(X, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(X, "read"):
        raise ValueError("X is one clip, where a sequence of clips is expected; wrap it in a list: [clip]")
    if isinstance(X, list | tuple):
        return _detect_list_kind(X)
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        if all(dtype.kind in "biuf" for dtype in X.dtypes if hasattr(dtype, "kind")):
            return "samples"
        raise ValueError(
            "X is a DataFrame, where a sequence of clips is expected; pass the column that holds them, for example "
            'X["path"]'
        )
    if not hasattr(X, "dtype") and hasattr(X, "__array__"):
        X = np.asarray(X)
    if not hasattr(X, "ndim") or not hasattr(X, "dtype"):
        raise TypeError(
            "X must be a list, tuple, 1-D array, Series or Index of clips, or a 2-D array of samples, got "
            f"{type(X).__name__}"
        )
    kind = getattr(X.dtype, "kind", "O")
    if kind == "S":
        raise ValueError(
            "X is an array of bytes, in which NumPy has cut trailing zeros off; pass encoded clips as a list of bytes"
        )
    if X.ndim == 2 and (kind == "U" or (kind == "O" and X.size and isinstance(X.flat[0], str | os.PathLike))):
        raise ValueError("X is a 2-D array of strings; pass the column that holds the paths, for example X[:, 0]")
    if X.ndim == 1:
        if kind in "biufc":
            raise ValueError(
                "X is a 1-D array of numbers. Reshape your data: wrap the samples of one clip in a list, [samples]"
            )
        _check_not_empty(X)
        return "clips"
    return "samples"


def _detect_list_kind(X: list[Any] | tuple[Any, ...]) -> Literal["clips", "samples"]:
    _check_not_empty(X)
    if isinstance(X, tuple) and len(X) == 2 and np.ndim(X[0]) > 0 and isinstance(X[1], Number):
        raise ValueError(
            "X is one (array, sr) clip, where a sequence of clips is expected; wrap it in a list: [(array, sr)]"
        )
    if all(isinstance(item, Number) for item in X):
        raise ValueError("X is a sequence of numbers; wrap the samples of one clip in a list: [samples]")
    if all(isinstance(item, list | tuple) and all(isinstance(value, Number) for value in item) for item in X):
        return "samples"
    return "clips"


def _check_not_empty(X: Any) -> None:
    if not len(X):
        raise ValueError("X contains no clips: found 0 sample(s), while a minimum of 1 is required")
