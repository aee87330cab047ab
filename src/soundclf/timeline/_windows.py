"""Windows of a long recording, and their classification."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._utils.text import format_list
from ..exceptions import AudioError, AudioWarning, ParameterError
from ..transformers import ClipTransformer

__all__ = [
    "check_classes",
    "convert_to_samples",
    "cut_into_windows",
    "find_rates",
    "predict_windows",
    "resolve_rate",
    "stop_at_damage",
]

_MAX_SAMPLES = 1 << 62  # stands for any longer window
# Attributes of ensembles and searches with the fitted estimators.
_FITTED = ("best_estimator_", "calibrated_classifiers_", "estimators_", "estimator_")


def check_classes(model: Any, owner: str) -> np.ndarray:
    """Return the ``classes_`` of a fitted model, or refuse a model without."""
    if isinstance(model, type) or not hasattr(model, "predict_proba"):
        raise ParameterError(f"The 'model' parameter of {owner} must have predict_proba, got {_format_name(model)}.")
    if hasattr(model, "fit"):
        check_is_fitted(model)
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:  # models of several outputs have a list of arrays
        raise ParameterError(
            f"The 'model' parameter of {owner} must have classes_, a 1-D array of labels, got {_format_name(model)}."
        )
    return classes


def _format_name(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__


def _find_transformers(model: Any) -> Iterator[ClipTransformer]:
    """Yield the clip transformers in a model; of an ensemble or a search, the fitted ones."""
    parts, seen = [model], set()
    while parts:
        part = parts.pop()
        if isinstance(part, ClipTransformer):
            yield part
        elif isinstance(part, Mapping):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
        elif id(part) not in seen and (hasattr(part, "get_params") or hasattr(part, "estimator")):
            seen.add(id(part))  # a part can refer to the whole
            known = getattr(part, "__dict__", {})
            parts += [known[name] for name in _FITTED if name in known] or known.values()


def find_rates(model: Any) -> list[tuple[float, str]]:
    """Return the distinct pairs of sampling rate, in Hz, and resampler of a model's clip transformers."""
    return sorted({(float(found.sr), str(found.res_type)) for found in _find_transformers(model)})


def resolve_rate(model: Any, sr: float | None, owner: str) -> tuple[float, str]:
    """Return the sampling rate, in Hz, and the resampler for the windows of a recording."""
    found = find_rates(model)
    if len(found) == 1 and sr in (None, found[0][0]):
        return found[0]
    if sr is not None:
        return float(sr), "soxr_hq"
    if not found:
        raise ParameterError(
            f"{owner} needs sr, in Hz: {_format_name(model)} has no clip transformer of soundclf whose sampling rate "
            "windows could have; the model gets each window as a tuple (samples, sr)"
        )
    rates = format_list([f"sr={rate:g} with {res_type!r}" for rate, res_type in found], show=str)
    raise ParameterError(
        f"{owner} finds several sampling rates or resamplers in {_format_name(model)}: {rates}; "
        "pass sr, in Hz, at which windows are cut before each transformer resamples them"
    )


def convert_to_samples(model: Any, window: float, hop: float, rate: float, owner: str) -> tuple[int, int]:
    """Return the lengths of windows and hops, in samples."""
    if hop > window:
        raise ParameterError(f"{owner} needs hop <= window, got hop={hop} and window={window}")
    n_window, n_hop = (round(min(float(seconds) * rate, _MAX_SAMPLES)) for seconds in (window, hop))
    if not n_hop:
        raise ParameterError(f"{owner} needs a hop of at least one sample at {rate:g} Hz, got hop={hop}")
    durations = [float(found.duration) for found in _find_transformers(model) if found.duration is not None]
    if durations and round(min(durations) * rate) < n_window:
        warnings.warn(
            f"A transformer of the model uses only the first {min(durations):g} s of a clip; the rest of each "
            f"window of {window:g} s is ignored; pass window={min(durations):g}",
            AudioWarning,
            stacklevel=3,
        )
    return n_window, n_hop


def predict_windows(
    model: Any, batch: Sequence[tuple[int, NDArray[np.float32]]], rate: float, n_classes: int, recording: str
) -> NDArray[np.float64]:
    """Compute the class probabilities of a batch of windows."""
    try:
        rows = np.asarray(model.predict_proba([(samples, rate) for _, samples in batch]), np.float64)
    except AudioError as error:
        start = batch[error.position or 0][0] / rate
        raise AudioError(f"the window starting at {start:g} s cannot be used: {error.reason}", recording) from error
    if rows.shape != (len(batch), n_classes):
        raise ValueError(
            f"The model's predict_proba returned an array of shape {rows.shape} for {len(batch)} windows and "
            f"{n_classes} classes"
        )
    return rows


def cut_into_windows(
    blocks: Iterable[NDArray[np.float32]], n_window: int, n_hop: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cut samples into windows, each with the index of its first sample.

    The last window ends with the last sample. Fewer samples than ``n_window`` are one window.
    """
    parts: list[NDArray[np.float32]] = []
    n_buffered = start = 0
    last = np.empty(0, np.float32)  # the previous window
    for block in blocks:
        parts.append(block)
        n_buffered += len(block)
        if n_buffered < n_window:
            continue
        buffer = np.concatenate(parts)
        while len(buffer) >= n_window:
            last, buffer = buffer[:n_window], buffer[n_hop:]
            yield start, last
            start += n_hop
        parts, n_buffered = [buffer], len(buffer)
    buffer = np.concatenate([last, *parts])
    if not len(last):
        if n_buffered:
            yield 0, buffer
        return
    rest = np.concatenate(parts)[n_window - n_hop :]  # samples after the previous window
    if len(rest):
        yield start - n_hop + len(rest), np.concatenate([last, rest])[-n_window:]


def stop_at_damage(
    blocks: Iterable[NDArray[np.float32]], report: Callable[[AudioError], object]
) -> Iterator[NDArray[np.float32]]:
    """Yield blocks until one cannot be read, and report that error; if it is the first block, raise it."""
    n_blocks = 0
    try:
        for block in blocks:
            yield block
            n_blocks += 1
    except AudioError as error:
        if not n_blocks:
            raise
        report(error)
