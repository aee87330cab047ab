"""The description in a model file: its format, versions, parameters, classes, audio settings and report."""

from __future__ import annotations

import contextlib
import datetime as dt
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from .._version import __version__
from ..exceptions import ModelError
from ..transformers import ClipTransformer
from ._archive import ModelArchive
from ._json import convert_to_json
from ._migrations import FORMAT

__all__ = ["DESCRIPTION", "find_other_versions", "make_description", "read_description"]

DESCRIPTION = "soundclf.json"  # its name in the archive
_LIBRARIES = ("keras", "numpy", "scikit-learn", "scipy", "skops", "soundfile", "soxr", "tensorflow")


def make_description(model: Any, report: Any, references: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the description of a model.

    Parameters
    ----------
    model : estimator
        About to be saved.
    report : object
        As passed by the user.
    references : list of dict
        Records of the features of a reference signal.

    Returns
    -------
    dict
        What JSON can express, except for the report.
    """
    audio: list[dict[str, Any]] = []
    for part in [model, *model.get_params(deep=True).values()]:
        if isinstance(part, ClipTransformer):
            setting = {name: getattr(part, name) for name in ("sr", "duration", "res_type")}
            audio += [] if setting in audio else [setting]
    classes = getattr(model, "classes_", None)
    versions = {"soundclf": __version__, "python": platform.python_version()}
    return {
        "format": FORMAT,
        "saved": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "versions": versions | _get_versions(_LIBRARIES),
        "model": convert_to_json(model),
        "classes": [convert_to_json(label) for label in classes] if isinstance(classes, np.ndarray) else None,
        "audio": audio,
        "references": references,
        "report": report,
    }


def read_description(archive: ModelArchive) -> dict[str, Any]:
    """Return the description in a model file.

    Raises
    ------
    ModelError
        If it is not one, or of a format that this version does not know.
    """
    description = archive.read_json(DESCRIPTION)
    types: dict[str, type | tuple[type, ...]] = {
        "format": int,
        "saved": str,
        "versions": dict,
        "model": dict,
        "classes": (list, type(None)),
        "audio": list,
    }
    if not isinstance(description, dict) or not all(isinstance(description.get(k), t) for k, t in types.items()):
        raise ModelError(f"its {DESCRIPTION} does not describe a model")
    if description["format"] > FORMAT:
        version = description["versions"].get("soundclf")
        raise ModelError(f"it was written by soundclf {version}, in a format that soundclf {__version__} does not know")
    return {"report": None, **description}


def find_other_versions(description: Mapping[str, Any]) -> list[str]:
    """Return the versions that a file was written with, where they differ from those here in a way that matters."""
    versions = description["versions"]
    others = []
    if versions.get("scikit-learn") != (here := metadata.version("scikit-learn")):
        others.append(f"scikit-learn {versions.get('scikit-learn')}, here is {here}")
    if _parse_version(versions.get("soundclf")) > _parse_version(__version__):
        others.append(f"soundclf {versions.get('soundclf')}, here is {__version__}")
    return others


def _get_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    versions = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _parse_version(version: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", str(version))[:3])
