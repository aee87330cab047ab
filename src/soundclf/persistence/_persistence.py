"""Fitted models as files that run no code when they are loaded, and that tell what they hold.

:func:`save` and :func:`load` go through skops, with a closed list of types, so that a file from a stranger can be
loaded; :func:`describe` tells what a file says of its model.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import math
import os
import platform
import re
import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from sklearn.base import BaseEstimator

from .._utils.files import write_atomically
from .._utils.text import format_list
from .._version import __version__
from ..exceptions import ModelError, ModelWarning
from ..transformers import ClipTransformer
from ._archive import MOST_BYTES, RESET, ModelArchive
from ._checks import Place, check_model, iterate_parts
from ._migrations import FORMAT, fill_parameters, migrate_parts
from ._trusted import CLASSES, FUNCTIONS, UNSOUND

__all__ = ["describe", "load", "save"]

_DESCRIPTION = "soundclf.json"
_SUFFIX = ".skops"
_LIBRARIES = ("keras", "numpy", "scikit-learn", "scipy", "skops", "soundfile", "soxr", "tensorflow")
_MOST = 1000  # characters of a message, or of a parameter that JSON cannot express


def save(model: Any, path: str | os.PathLike[str], *, report: Any = None, trusted: Sequence[Any] = ()) -> None:
    """Write a fitted model to a file that can be loaded without running code.

    The file appears at its place when it is complete; until then, and if the process is killed, there is at most a
    hidden one beside it, ``.NUMBER.NAME``. The model itself stays as it is.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package's, or one of scikit-learn's around it: a pipeline, a search, an ensemble.
    path : str or path-like
        Where to; the name has to end in ``.skops``.
    report : object, default=None
        What shall be known of the model, such as how it was judged: anything that JSON can express, NumPy arrays and
        numbers included.
    trusted : sequence of classes and functions, default=()
        Those of your own that the model holds. They have to be importable, and to be named again in :func:`load`.

    Raises
    ------
    ModelError
        If the model holds what :func:`load` would refuse: objects of Keras (pass optimizers by name, and set
        ``callbacks=None``), types and functions not known to be safe and not among ``trusted``, and others that no
        file can hold. All are named. And for another suffix than ``.skops``, or a report that JSON cannot express.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Load it.
    joblib.dump : For files that nobody but their author loads, whatever they hold.

    Notes
    -----
    File-system paths and numbers of workers (``memory``, ``checkpoint``, ``n_jobs``) of all steps are not written. A
    file of more than 1 GiB is refused, as :func:`load` would refuse it. No file can hold the trees in which
    scikit-learn looks for neighbours among few features: pass ``algorithm="brute"``.

    Examples
    --------
    >>> import numpy as np, tempfile, soundclf
    >>> from sklearn.linear_model import LogisticRegression
    >>> model = LogisticRegression().fit([[0.0], [1.0]], ["dog", "siren"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundclf.save(model, f"{folder}/sounds.skops", report={"accuracy": 0.9})
    ...     soundclf.load(f"{folder}/sounds.skops").predict([[0.9]])
    array(['siren'], dtype='<U5')
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"save takes the model first and then the path, got {type(path).__name__} as the path")
    target = Path(path)
    if target.suffix.lower() != _SUFFIX:
        raise ModelError(f"A model file's name ends in {_SUFFIX}, got {str(path)!r}; for other formats use joblib.dump")
    import skops.io

    names = _names(trusted)
    with _told(f"The model cannot be saved as {str(path)!r}"):
        check_model(model, arrays=False)
        description = json.dumps(_described(model, report), default=_plainly, indent=1)
        draft = io.BytesIO(skops.io.dumps(model))
        content, _ = _checked(ModelArchive(draft), names, "pass those of your own in trusted=[...], here and to load")
        with ZipFile(content, "a", ZIP_STORED) as archive:
            archive.writestr(_DESCRIPTION, description)
        ModelArchive(content).text(_DESCRIPTION)
    try:
        with write_atomically(target) as aside:
            aside.write_bytes(content.getbuffer())
    except OSError as error:
        raise OSError(f"The model cannot be written to {str(path)!r} ({error.strerror})") from error


def load(path: str | os.PathLike[str], *, trusted: Sequence[Any] = ()) -> Any:
    """Load a model that :func:`save` has written.

    Nothing that a file says is run. It is looked through first: types and functions that are not on a closed list are
    refused by their names; so are compressed, damaged and cut files, files above 1 GiB, and arrays, trees and states
    of random generators that are not what they claim to be. Then skops constructs what passed. TensorFlow is not
    imported.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of classes and functions, default=()
        Those beyond the list that the file may hold, your own above all; the objects themselves, not their names.

    Returns
    -------
    estimator
        The model as it was saved, except that ``memory``, ``checkpoint`` and ``n_jobs`` are None in all steps. It
        predicts, and goes on learning, as the one that was saved.

    Raises
    ------
    ModelError
        If the file cannot be loaded: which, and why.

    Warns
    -----
    ModelWarning
        Once, if the file was written with another version of scikit-learn or a newer one of soundclf. Such a model
        may give other results, or none.

    See Also
    --------
    describe : What the file says of its model, without loading it.

    Notes
    -----
    What is trusted: this package's estimators; those of scikit-learn, NumPy's types and universal functions, as skops
    does; and what scikit-learn's keep, such as decision trees, which are checked, scorers and splitters. Not
    gradient boosting (that on histograms is), ``EllipticEnvelope``, ``Birch``, ``BisectingKMeans``, and vectorizers of
    text and dicts, whose compiled code goes wherever a file sends it.

    What a model answers is its author's, and so is the time that it takes.

    Examples
    --------
    >>> import tempfile, soundclf
    >>> from sklearn.linear_model import LogisticRegression
    >>> model = LogisticRegression().fit([[0.0], [1.0]], ["dog", "siren"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundclf.save(model, f"{folder}/sounds.skops")
    ...     loaded = soundclf.load(f"{folder}/sounds.skops")
    >>> loaded.classes_.tolist()
    ['dog', 'siren']
    """
    names = _names(trusted)
    what = f"The model file {str(path)!r}"
    with _told(f"{what} cannot be loaded"), _opened(path) as file:
        size = min(os.fstat(file.fileno()).st_size, MOST_BYTES)
        archive = ModelArchive(io.BytesIO(file.read(size + 1)))  # at once, so that what is checked is what is loaded
        about = _read(archive)
        others = _other_versions(about)
        advice = "if you know the file's author, pass these classes and functions in trusted=[...]"
        content, types = _checked(archive, names, advice)
        del archive
    if others:
        text = f"{what} was written with {_short(' and '.join(others))}: it may predict otherwise, or fail"
        warnings.warn(text, ModelWarning, stacklevel=2)
    import skops.io

    with _told(f"{what} cannot be loaded"):
        model = skops.io.load(content, trusted=types)
        parts = [part for _, part in iterate_parts(model)]
        migrate_parts(parts, about["format"])
        fill_parameters(parts, about["format"])
        check_model(model, arrays=True, trusted=names)
    return model


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a model file says of its model, without loading it.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` has written. What one from elsewhere says need not be true.

    Returns
    -------
    dict
        What JSON can express: "format", an integer; "saved", when, in UTC; "versions" of soundclf, Python and the
        libraries that matter; "model", with its "class", "parameters", and "best_estimator" if it is a search, where
        estimators among the parameters are told of in the same way; "classes", a list or None; "audio", a list with
        the "sr", "duration" and "res_type" of each transformer over clips; and the "report" that was saved with it.

    Raises
    ------
    ModelError
        If it is no model file: which, and why.

    Examples
    --------
    >>> import tempfile, soundclf
    >>> from soundclf.persistence import describe
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundclf.save(soundclf.MFCCMeanTransformer(20), f"{folder}/features.skops")
    ...     about = describe(f"{folder}/features.skops")
    >>> about["model"]["class"], about["model"]["parameters"]["n_mfcc"]
    ('soundclf.transformers.MFCCMeanTransformer', 20)
    >>> about["audio"]
    [{'sr': 22050, 'duration': None, 'res_type': 'soxr_hq'}]
    """
    with _told(f"The model file {str(path)!r} cannot be read"), _opened(path) as file:
        return _read(ModelArchive(file))


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever goes wrong into one sentence."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{what}: {_short(str(error))}") from None
    except RecursionError as error:
        raise ModelError(f"{what}: its parts are nested too deeply, or in themselves") from error
    except MemoryError as error:
        raise ModelError(f"{what}: the memory does not suffice") from error
    except Exception as error:  # what the libraries below may raise for any bytes is a long list
        raise ModelError(f"{what}: {_short(str(error))} ({type(error).__name__})") from error


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    file = Path(path)
    try:
        mode = file.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ModelError("it is a folder")
        if not stat.S_ISREG(mode):  # a pipe or a device could be read for ever
            raise ModelError("it is not a regular file")
        opened = file.open("rb")
    except FileNotFoundError:
        raise ModelError("there is no such file") from None
    except OSError as error:
        raise ModelError(f"it cannot be opened ({error.strerror})") from error
    with opened:
        yield opened


def _names(trusted: Sequence[Any]) -> set[str]:
    """Name what the user trusts, as skops does."""
    if isinstance(trusted, str) or not isinstance(trusted, Sequence):
        raise ModelError(f"trusted must be a list of classes and functions, got {trusted!r}")
    for item in trusted:
        name = getattr(item, "__name__", None)
        module = getattr(item, "__module__", None)
        plain = isinstance(name, str) and isinstance(module, str) and getattr(item, "__qualname__", name) == name
        if not plain or not callable(item):
            raise ModelError(f"trusted must hold importable classes and functions, not their names, got {item!r}")
    return {f"{item.__module__}.{item.__name__}" for item in trusted}


def _checked(archive: ModelArchive, names: set[str], advice: str) -> tuple[io.BytesIO, list[str]]:
    """Give a copy of an archive that skops may construct, and what it has to trust, or name what it must not."""
    import skops.io

    vetted = archive.vetted()
    if vetted.unknown:
        raise ModelError(f"no model file can hold {_where(vetted.unknown, vetted.unknown)}")
    met = vetted.types.keys()
    refused = (UNSOUND & met) | (CLASSES & vetted.values)
    refused |= set(skops.io.get_untrusted_types(data=vetted.archive.getvalue())) - CLASSES - FUNCTIONS
    if refused := refused - names:
        raise ModelError(f"it holds what is not known to be safe, {_where(refused, vetted.types)}; {advice}")
    return vetted.archive, sorted((CLASSES | FUNCTIONS | names) & met)  # the whole list would cost time at every node


def _where(names: Any, places: Mapping[str, Place]) -> str:
    return format_list(sorted(names), show=lambda name: f"{name} ({places[name]})" if name in places else name)


# -- what the file tells -----------------------------------------------------------------------------------------------


def _described(model: Any, report: Any) -> dict[str, Any]:
    parts = [model, *model.get_params(deep=True).values()]
    audio: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, ClipTransformer):
            wanted = {name: getattr(part, name) for name in ("sr", "duration", "res_type")}
            audio += [] if wanted in audio else [wanted]
    versions = {"soundclf": __version__, "python": platform.python_version()}
    return {
        "format": FORMAT,
        "saved": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "versions": versions | _get_versions(_LIBRARIES),
        "model": _shown(model),
        "classes": _classes(model),
        "audio": audio,
        "report": report,
    }


def _get_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    versions = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _classes(model: Any) -> Any:
    classes = getattr(model, "classes_", None)
    return [_shown(label) for label in classes] if isinstance(classes, np.ndarray) else None


def _shown(value: Any) -> Any:
    """Give a parameter in a form that JSON can express; estimators by class and parameters."""
    if isinstance(value, BaseEstimator):
        parameters = {name: _shown(part) for name, part in value.get_params(deep=False).items() if name not in RESET}
        best = getattr(value, "best_estimator_", None)
        shown = {"class": f"{type(value).__module__}.{type(value).__name__}", "parameters": parameters}
        return shown if best is None else {**shown, "best_estimator": _shown(best)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _shown(item) for name, item in value.items()}
    return _short(getattr(value, "__name__", None) or repr(value))


def _plainly(value: Any) -> Any:
    """Give what JSON cannot express of a report in another form."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise ModelError(f"the report holds {type(value).__name__}, which JSON cannot express")


def _read(archive: ModelArchive) -> dict[str, Any]:
    told = archive.text(_DESCRIPTION)
    kinds: dict[str, type | tuple[type, ...]] = {
        "format": int,
        "saved": str,
        "versions": dict,
        "model": dict,
        "classes": (list, type(None)),
        "audio": list,
    }
    if not isinstance(told, dict) or not all(isinstance(told.get(name), kind) for name, kind in kinds.items()):
        raise ModelError(f"its {_DESCRIPTION} does not describe a model")
    if told["format"] > FORMAT:
        version = told["versions"].get("soundclf")
        raise ModelError(f"it was written by soundclf {version}, in a format that soundclf {__version__} does not know")
    return {"report": None, **told}


def _other_versions(told: Mapping[str, Any]) -> list[str]:
    """Name versions that a file was written with and that differ from those here in a way that matters."""
    versions = told["versions"]
    others = []
    if versions.get("scikit-learn") != (here := metadata.version("scikit-learn")):
        others.append(f"scikit-learn {versions.get('scikit-learn')}, here is {here}")
    if _numbers(versions.get("soundclf")) > _numbers(__version__):
        others.append(f"soundclf {versions.get('soundclf')}, here is {__version__}")
    return others


def _numbers(version: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", str(version))[:3])
