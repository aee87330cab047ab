"""Whether the features of a saved model's transformers have changed between the versions of libraries.

A file holds the features that every distinct setting of its transformers computes from a fixed reference signal, and
the versions that they were computed with. Under other versions they are computed again when the file is loaded.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ..audio import get_versions
from ..transformers import ClipTransformer
from ._archive import ModelArchive, make_damage_error
from ._json import convert_to_json, shorten
from ._parts import iterate_parts

__all__ = ["Drift", "compute_references", "find_drift", "make_reference_clips", "read_references"]

_TOLERANCE = 0.01  # standard deviations: far above rounding, below what moves probabilities
_SR = 44100  # of the reference signal, in Hz
_N_CLIPS = 4  # of one second each
_MAX_REFERENCES = 16  # distinct settings that are recorded in a file, and compared
_MAX_FEATURES = 2**12  # numbers that are recorded of one clip's features
_MAX_SPECTRA = 2**26  # samples in all windows of one clip; settings beyond that are not compared
_MIN_SPREAD = 1e-3  # of a feature's largest magnitude
_IRRELEVANT = ("on_error", "memory", "n_jobs", "verbose")  # parameters that do not change features


class Drift(NamedTuple):
    """The largest difference between recorded and present features.

    Attributes
    ----------
    size : float
        In units of ``unit``; infinite if features became NaN or their number changed.
    unit : str
        What it is measured in.
    transformer : str
        Name of the transformer's class.
    saved_with, loaded_with : str
        Versions that the features depend on.
    """

    size: float
    unit: str
    transformer: str
    saved_with: str
    loaded_with: str

    def __str__(self) -> str:
        return (
            f"has features that changed since it was saved: those of a reference signal by {self.transformer} "
            f"differ by up to {self.size:.3g} {self.unit} ({self.loaded_with} here, {self.saved_with} then); "
            "train the model again, or install the versions that it was saved with"
        )


def make_reference_clips() -> list[bytes]:
    """Make the reference signal: a chirp with noise of 4 seconds at 44.1 kHz, as four WAV files of 16 bits.

    Sample ``n`` at the time ``t = n / 44100`` is

    ``exp(-(t % 1)) * (0.5 * sin(2 * pi * 50 * (4 / log(320)) * (320 ** (t / 4) - 1)) + 0.1 * noise(n))``,
    ``noise(n) = (2654435769 * n**2 mod 2**32) / 2**31 - 1``,

    so its frequency rises from 50 Hz to 16 kHz, and every second it starts loud and fades.

    Returns
    -------
    list of bytes
        One encoded clip for every second.
    """
    n = np.arange(_N_CLIPS * _SR, dtype=np.uint64)
    t = n / _SR
    noise = (n * n * np.uint64(2654435769) % np.uint64(2**32)) / 2**31 - 1
    chirp = np.sin(2 * np.pi * 50 * (4 / np.log(320)) * (320 ** (t / 4) - 1))
    signal = np.exp(-(t % 1)) * (0.5 * chirp + 0.1 * noise)
    samples = np.round(32767 * signal).astype("<i2").reshape(_N_CLIPS, -1)
    return [_encode_wav(clip.tobytes()) for clip in samples]


def _encode_wav(data: bytes) -> bytes:
    def little(value: int, n_bytes: int) -> bytes:
        return value.to_bytes(n_bytes, "little")

    header = b"fmt " + little(16, 4) + little(1, 2) + little(1, 2) + little(_SR, 4) + little(2 * _SR, 4)
    header += little(2, 2) + little(16, 2) + b"data" + little(len(data), 4)
    return b"RIFF" + little(4 + len(header) + len(data), 4) + b"WAVE" + header + data


def compute_references(model: Any) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Compute what a file records of the features of a model's transformers.

    Parameters
    ----------
    model : estimator
        About to be saved.

    Returns
    -------
    references : list of dict
        For each distinct setting "class", "parameters", "with" (versions), and "features" (the name of a file).
    files : dict of str to bytes
        Arrays in NumPy's format by name. A setting whose features cannot be computed here is left out.
    """
    references: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for transformer, _ in _find_transformers(model):
        setting = _describe_setting(transformer)
        if len(files) == _MAX_REFERENCES or any(setting.items() <= known.items() for known in references):
            continue
        features, versions = None, ""
        with contextlib.suppress(Exception):  # say a resampler that is not installed; the model is saved all the same
            versions = _get_versions(transformer)
            features = _compute_features(transformer)
        if features is None:
            continue
        name = f"reference_{len(files)}.npy"
        buffer = io.BytesIO()
        np.save(buffer, features, allow_pickle=False)
        files[name] = buffer.getvalue()
        references.append({**setting, "with": versions, "features": name})
    return references, files


def read_references(description: Mapping[str, Any], archive: ModelArchive) -> list[dict[str, Any]]:
    """Return what a file records of its transformers' features, with arrays in place of their names.

    Raises
    ------
    ModelError
        If :func:`compute_references` would not have written it so.
    """
    references = description.get("references", [])
    if not isinstance(references, list) or len(references) > _MAX_REFERENCES:
        raise make_damage_error("its reference features cannot be read")
    read = []
    for reference in references:
        if not isinstance(reference, dict) or not isinstance(reference.get("parameters"), dict):
            raise make_damage_error("its reference features cannot be read")
        name = reference.get("features")
        if not isinstance(name, str) or archive.get_size(name) > 4 * _N_CLIPS * _MAX_FEATURES + 1024:
            raise make_damage_error("its reference features cannot be read")
        features = archive.read_array(name)
        if features.dtype != np.float32 or features.ndim != 2 or features.shape[0] != _N_CLIPS:
            raise make_damage_error("its reference features cannot be read")
        read.append({**reference, "features": features})
    return read


def find_drift(model: Any, references: list[dict[str, Any]]) -> Drift | None:
    """Compute features again if versions differ from the recorded ones, and compare them.

    Parameters
    ----------
    model : estimator
        Loaded, and checked.
    references : list of dict
        As recorded in its file, from :func:`read_references`.

    Returns
    -------
    Drift or None
        The largest difference, if it exceeds 0.01 standard deviations.
    """
    drifts: list[Drift] = []
    compared: set[int] = set()
    for transformer, next_step in _find_transformers(model) if references else ():
        position = _find_reference(transformer, references)
        if position is None or position in compared:
            continue
        compared.add(position)
        saved_with, loaded_with = shorten(str(references[position].get("with"))), ""
        features = None
        with contextlib.suppress(Exception):  # say a resampler that is not installed; transform will raise the error
            loaded_with = _get_versions(transformer)
            if saved_with != loaded_with:
                features = _compute_features(transformer)
        if features is None:
            continue
        size, unit = _compare_features(references[position]["features"], features, _find_scale(next_step, transformer))
        drifts.append(Drift(size, unit, type(transformer).__name__, saved_with, loaded_with))
    largest = max(drifts, default=None, key=lambda drift: drift.size)
    return largest if largest is not None and largest.size > _TOLERANCE else None


def _find_transformers(model: Any) -> Iterator[tuple[ClipTransformer, Any]]:
    """Yield the clip transformers of a model, those in pipelines first, and the step that gets their features."""
    parts = [part for _, part in iterate_parts(model)]
    for part in parts:
        steps = [step for _, step in part.steps] if isinstance(part, Pipeline) else []
        for i, step in enumerate(steps):
            if isinstance(step, ClipTransformer):
                yield step, steps[i + 1] if i + 1 < len(steps) else None
    yield from ((part, None) for part in parts if isinstance(part, ClipTransformer))


def _describe_setting(transformer: ClipTransformer) -> dict[str, Any]:
    parameters = {name: getattr(transformer, name) for name in type(transformer)._rules if name not in _IRRELEVANT}
    name = f"{type(transformer).__module__}.{type(transformer).__name__}"
    setting: dict[str, Any] = json.loads(json.dumps({"class": name, "parameters": convert_to_json(parameters)}))
    return setting


def _find_reference(transformer: ClipTransformer, references: list[Any]) -> int | None:
    """Return the position of a setting's record; parameters that did not exist when it was written do not count."""
    setting = _describe_setting(transformer)
    for position, reference in enumerate(references):
        parameters = reference["parameters"].items()
        if reference.get("class") == setting["class"] and all(
            item in setting["parameters"].items() for item in parameters
        ):
            return position
    return None


def _get_versions(transformer: ClipTransformer) -> str:
    features = transformer._get_features_key()
    return f"numpy {np.__version__}, scipy {scipy.__version__}, {get_versions(transformer.res_type)}, {features}"


def _compute_features(transformer: ClipTransformer) -> NDArray[np.float32] | None:
    """Compute the features of the reference clips, ``(n_clips, n_recorded)``, unless that would take long."""
    shape = transformer._get_shape()
    seconds = float(transformer.duration or 1) if "fill" in type(transformer)._rules else 1.0
    n_windows = max(1.0, seconds * float(transformer.sr) / float(getattr(transformer, "hop_length", 512)))
    sizes = float(getattr(transformer, "n_fft", 2048)) + float(getattr(transformer, "n_mels", 128))
    if max(n_windows * sizes, math.prod(shape)) > _MAX_SPECTRA:
        return None
    transformer = copy.copy(transformer)
    for name in ("n_features_in_", "feature_names_in_", "_sklearn_output_config"):
        transformer.__dict__.pop(name, None)
    for name, value in {"on_error": "raise", "memory": None, "n_jobs": None, "verbose": 0}.items():
        setattr(transformer, name, value)
    with warnings.catch_warnings(action="ignore"):  # of settings, which transform repeats for the user's own clips
        features = np.asarray(transformer.transform(make_reference_clips()), np.float32)
    return _thin_out(features.reshape(_N_CLIPS, -1))


def _thin_out(array: np.ndarray) -> np.ndarray:
    """Return evenly spaced columns, as many as are recorded."""
    step = -(-array.shape[1] // _MAX_FEATURES)
    return np.ascontiguousarray(array[:, :: max(step, 1)])


def _find_scale(step: Any, transformer: ClipTransformer) -> np.ndarray | None:
    """Return the standard deviations of training features that the step after a transformer learned."""
    shape = transformer._get_shape()
    for _, part in iterate_parts(step) if step is not None else ():
        scale = vars(part).get("scale_")
        if isinstance(scale, np.ndarray) and scale.shape == shape[:1] and scale.dtype.kind == "f":
            scale = scale.reshape(-1, *[1] * (len(shape) - 1))
            scale = _thin_out(np.broadcast_to(scale, shape).reshape(1, -1))[0]
            return scale if (scale > 0).all() else None
    return None


def _compare_features(saved: np.ndarray, features: np.ndarray, scale: np.ndarray | None) -> tuple[float, str]:
    """Return the largest difference and its unit."""
    unit = "standard deviations of the training data"
    if scale is None:
        unit = "standard deviations over the reference signal's seconds"
        scale = np.maximum(np.nanstd(features, axis=0), _MIN_SPREAD * np.nanmax(np.abs(features), axis=0))
        scale = np.where(scale > 0, scale, 1.0)
    if saved.shape != features.shape or (np.isnan(saved) != np.isnan(features)).any():
        return math.inf, unit
    difference = np.abs(saved.astype(np.float64) - features) / scale
    return float(np.nanmax(difference, initial=0.0)), unit
