"""Windows of a long recording, and what a model makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_ENDLESS = 1 << 62  # samples
_FITTED = ("best_estimator_", "calibrated_classifiers_", "estimators_", "estimator_")  # in place of what was passed


def check_classes(model: Any, owner: str) -> np.ndarray:
    if isinstance(model, type) or not hasattr(model, "predict_proba"):
        raise ParameterError(f"The 'model' parameter of {owner} must have predict_proba, got {_name(model)}.")
    if hasattr(model, "fit"):
        check_is_fitted(model)
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:  # models of several outputs have a list of arrays
        raise ParameterError(
            f"The 'model' parameter of {owner} must have classes_, an array of the labels of which a clip gets one, "
            f"got {_name(model)}."
        )
    return classes


def _name(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__


def _transformers(model: Any) -> Iterator[ClipTransformer]:
    """Find the clip transformers in a model; of an ensemble or a search, those that were fitted."""
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
            seen.add(id(part))  # a part may know the whole
            known = getattr(part, "__dict__", {})
            parts += [known[name] for name in _FITTED if name in known] or known.values()


def find_rates(model: Any) -> list[tuple[float, str]]:
    """Give the sampling rates of a model's transformers, each with the resampler that brings clips to it."""
    return sorted({(float(found.sr), str(found.res_type)) for found in _transformers(model)})


def resolve_rate(model: Any, sr: float | None, owner: str) -> tuple[float, str]:
    """Give the rate and the resampler to bring a recording to windows by."""
    found = find_rates(model)
    if len(found) == 1 and sr in (None, found[0][0]):
        return found[0]
    if sr is not None:
        return float(sr), "soxr_hq"
    if not found:
        raise ParameterError(
            f"{owner} finds no clip transformer of soundclf in the {_name(model)}, by whose sampling rate it would cut "
            "windows; pass sr, in Hz: the model gets each window as a tuple (samples, sr)"
        )
    rates = format_list([f"sr={rate:g} with {res_type!r}" for rate, res_type in found], show=str)
    raise ParameterError(
        f"{owner} finds clip transformers of several rates or resamplers in the {_name(model)}: {rates}; pass sr, in "
        "Hz, from which each resamples its windows"
    )


def convert_to_samples(model: Any, window: float, hop: float, rate: float, owner: str) -> tuple[int, int]:
    """Give the lengths of windows and hops in samples."""
    if hop > window:
        raise ParameterError(f"{owner} needs hop <= window, got hop={hop} and window={window}")
    n_window, n_hop = (round(min(float(seconds) * rate, _ENDLESS)) for seconds in (window, hop))
    if not n_hop:
        raise ParameterError(f"{owner} needs a hop of at least one sample at {rate:g} Hz, got hop={hop}")
    heard = [float(found.duration) for found in _transformers(model) if found.duration is not None]
    if heard and round(min(heard) * rate) < n_window:
        warnings.warn(
            f"A transformer of the model uses the first {min(heard):g} s of each clip, so that the rest of every "
            f"window of {window:g} s stays unheard; pass window={min(heard):g}",
            AudioWarning,
            stacklevel=3,
        )
    return n_window, n_hop


def predict_windows(
    model: Any, lot: Sequence[tuple[int, NDArray[np.float32]]], rate: float, n_classes: int, described: str
) -> NDArray[np.float64]:
    """Classify a lot of windows."""
    try:
        rows = np.asarray(model.predict_proba([(samples, rate) for _, samples in lot]), np.float64)
    except AudioError as error:
        start = lot[error.position or 0][0] / rate
        raise AudioError(f"the window from {start:g} s on cannot be used: {error.reason}", described) from error
    if rows.shape != (len(lot), n_classes):
        raise ValueError(
            f"The model's predict_proba gave an array of shape {rows.shape} for {len(lot)} windows and {n_classes} "
            "classes"
        )
    return rows


def cut_into_windows(
    blocks: Iterable[NDArray[np.float32]], n_window: int, n_hop: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cut samples into windows, each with the position of its first sample.

    The last window ends with the last sample; if there are fewer samples than a window takes, it is all of them.
    """
    parts: list[NDArray[np.float32]] = []
    n_held = start = 0
    last = np.empty(0, np.float32)  # the window before
    for block in blocks:
        parts.append(block)
        n_held += len(block)
        if n_held < n_window:
            continue
        held = np.concatenate(parts)
        while len(held) >= n_window:
            last, held = held[:n_window], held[n_hop:]
            yield start, last
            start += n_hop
        parts, n_held = [held], len(held)
    held = np.concatenate([last, *parts])
    if not len(last):
        if n_held:
            yield 0, held
        return
    rest = np.concatenate(parts)[n_window - n_hop :]  # what comes after the window before
    if len(rest):
        yield start - n_hop + len(rest), np.concatenate([last, rest])[-n_window:]


def stop_at_damage(blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Give blocks until one cannot be read, and warn of that; if it is the first, there is nothing to give."""
    begun = False
    try:
        for block in blocks:
            yield block
            begun = True
    except AudioError as error:
        if not begun:
            raise
        warnings.warn(f"{error} The timeline ends there", AudioWarning, stacklevel=4)
