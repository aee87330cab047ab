"""Fitted models as files that run no code when they are loaded, and that describe what they hold.

:func:`save` and :func:`load` use skops, with a closed list of types, so that a file from a stranger can be loaded;
:func:`describe` returns what a file says about its model.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

from .._utils.files import write_atomically
from .._utils.text import format_list
from ..exceptions import FeatureDriftWarning, ModelError, ModelWarning
from ._archive import MAX_BYTES, ModelArchive
from ._checks import check_model
from ._description import DESCRIPTION, find_other_versions, make_description, read_description
from ._drift import compute_references, find_drift, read_references
from ._json import convert_report, shorten
from ._migrations import fill_parameters, migrate_parts
from ._nodes import check_archive
from ._parts import Place, iterate_parts
from ._requests import detach_requests
from ._trusted import CLASSES, FUNCTIONS, UNSAFE

__all__ = ["describe", "load", "save"]

_SUFFIX = ".skops"


def save(model: Any, path: str | os.PathLike[str], *, report: Any = None, trusted: Sequence[Any] = ()) -> None:
    """Write a fitted model to a file that can be loaded without running code.

    The file appears at its place when it is complete; until then, and if the process is killed, there is at most a
    hidden one beside it, ``.NUMBER.NAME``. The model itself is not changed.

    Parameters
    ----------
    model : estimator
        A fitted estimator of soundclf or scikit-learn, such as a pipeline, a search or an ensemble.
    path : str or path-like
        The file to write; its name must end in ``.skops``.
    report : object, default=None
        Information about the model, such as its scores: anything that JSON can express, NumPy arrays and numbers
        included. :func:`describe` returns it.
    trusted : sequence of classes and functions, default=()
        Your own, or those of other packages, that the model holds. They must be importable, and be passed to
        :func:`load` as well.

    Raises
    ------
    ModelError
        If the model holds what :func:`load` would refuse: objects of Keras (pass optimizers by name, and set
        ``callbacks=None``), types and functions not known to be safe and not among ``trusted``, and others that no
        file can hold. All are named. Also for another suffix than ``.skops``, or a report that JSON cannot express.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Load it.
    joblib.dump : Save anything, in files that only their author should load.

    Notes
    -----
    File-system paths and numbers of workers (``memory``, ``checkpoint``, ``n_jobs``) of all steps are not written. A
    file of more than 1 GiB is refused, as :func:`load` would refuse it. No file can hold the trees in which
    scikit-learn looks for neighbors among few features: pass ``algorithm="brute"``.

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

    names = _get_names(trusted)
    with _explain_errors(f"The model cannot be saved as {str(path)!r}"):
        model = detach_requests(model)
        check_model(model, arrays=False)
        references, files = compute_references(model)
        description = json.dumps(make_description(model, report, references), default=convert_report, indent=1)
        draft = ModelArchive(io.BytesIO(skops.io.dumps(model)))
        advice = "pass your own in trusted=[...], here and to load, or use joblib.dump"
        content, _ = _check_content(draft, names, advice, trees=False)
        with ZipFile(content, "a", ZIP_STORED) as archive:
            archive.writestr(DESCRIPTION, description)
            for name, data in files.items():
                archive.writestr(name, data)
        ModelArchive(content).read_json(DESCRIPTION)
    try:
        with write_atomically(target) as temporary:
            temporary.write_bytes(content.getbuffer())
    except OSError as error:
        raise OSError(f"The model cannot be written to {str(path)!r} ({error.strerror})") from error


def load(path: str | os.PathLike[str], *, trusted: Sequence[Any] = ()) -> Any:
    """Load a model that :func:`save` has written.

    No code in the file is run. Its content is checked first: types and functions that are not on a closed list are
    refused with their names; so are compressed, damaged and truncated files, files above 1 GiB, and arrays, trees and
    states of random generators that are inconsistent. Then skops constructs what passed. TensorFlow is not imported.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of classes and functions, default=()
        Further ones that the file may hold; the objects themselves, not their names.

    Returns
    -------
    estimator
        The model as it was saved, except that ``memory``, ``checkpoint`` and ``n_jobs`` are None in all steps. It
        predicts, and can be trained further, like the one that was saved.

    Raises
    ------
    ModelError
        If the file cannot be loaded, with the reason.

    Warns
    -----
    ModelWarning
        Once, if the file was written with another version of scikit-learn or a newer one of soundclf. Such a model
        may give other results, or fail.
    FeatureDriftWarning
        If other versions of libraries compute other features of a reference signal than those saved with the model.

    See Also
    --------
    describe : Return what the file says about its model, without loading it.

    Notes
    -----
    Trusted are the estimators of soundclf and scikit-learn, NumPy's types, universal functions and plain functions of
    arrays, and what fitted estimators of scikit-learn hold: decision trees, which are checked, scorers, splitters. Not
    gradient boosting (that on histograms is), ``EllipticEnvelope``, ``Birch``, ``BisectingKMeans``, and vectorizers of
    text and dicts, whose compiled code follows whatever indices a file holds.

    The predictions of a model, and the time that they take, are up to its author.

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
    names = _get_names(trusted)
    what = f"The model file {str(path)!r}"
    with _explain_errors(f"{what} cannot be loaded"), _open_file(path) as file:
        size = min(os.fstat(file.fileno()).st_size, MAX_BYTES)
        archive = ModelArchive(io.BytesIO(file.read(size + 1)))  # at once, so that what is checked is what is loaded
        description = read_description(archive)
        advice = "if you know the file's author, pass these classes and functions in trusted=[...]"
        content, types = _check_content(archive, names, advice)
        references = read_references(description, archive)
        del archive
    if others := find_other_versions(description):
        text = f"{what} was written with {shorten(' and '.join(others))}: it may predict otherwise, or fail"
        warnings.warn(text, ModelWarning, stacklevel=2)
    import skops.io

    with _explain_errors(f"{what} cannot be loaded"):
        model = skops.io.load(content, trusted=types)
        parts = [part for _, part in iterate_parts(model)]
        migrate_parts(parts, description["format"])
        fill_parameters(parts, description["format"])
        check_model(model, arrays=True, trusted=names)
        drift = find_drift(model, references)
    if drift is not None:
        warnings.warn(FeatureDriftWarning(f"{what} {drift}", drift.size), stacklevel=2)
    return model


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a model file says about its model, without loading it.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` has written. The description in a file from elsewhere need not be true.

    Returns
    -------
    dict
        What JSON can express: "format", an integer; "saved", when, in UTC; "versions" of soundclf, Python and the
        libraries that matter; "model", with its "class", "parameters", and "best_estimator" if it is a search, where
        estimators among the parameters are described in the same way; "classes", a list or None; "audio", a list with
        the "sr", "duration" and "res_type" of each transformer over clips; and the "report" that was saved with it.

    Raises
    ------
    ModelError
        If it is not a model file, with the reason.

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
    with _explain_errors(f"The model file {str(path)!r} cannot be read"), _open_file(path) as file:
        description = read_description(ModelArchive(file))
        description.pop("references", None)
        return description


@contextlib.contextmanager
def _explain_errors(what: str) -> Iterator[None]:
    """Raise every error as a ModelError with one sentence."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{what}: {shorten(str(error))}") from None
    except RecursionError as error:
        raise ModelError(f"{what}: its parts are nested too deeply, or in themselves") from error
    except MemoryError as error:
        raise ModelError(f"{what}: the memory does not suffice") from error
    except Exception as error:  # what the libraries below may raise for any bytes is a long list
        raise ModelError(f"{what}: {shorten(str(error))} ({type(error).__name__})") from error


@contextlib.contextmanager
def _open_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
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


def _get_names(trusted: Sequence[Any]) -> set[str]:
    """Return the names of trusted classes and functions, as skops has them."""
    if isinstance(trusted, str) or not isinstance(trusted, Sequence):
        raise ModelError(f"trusted must be a list of classes and functions, got {trusted!r}")
    for item in trusted:
        name = getattr(item, "__name__", None)
        module = getattr(item, "__module__", None)
        plain = isinstance(name, str) and isinstance(module, str) and getattr(item, "__qualname__", name) == name
        if not plain or not callable(item):
            raise ModelError(f"trusted must hold importable classes and functions, not their names, got {item!r}")
    return {f"{item.__module__}.{item.__name__}" for item in trusted}


def _check_content(
    archive: ModelArchive, names: set[str], advice: str, *, trees: bool = True
) -> tuple[io.BytesIO, list[str]]:
    """Return a copy of an archive that skops may read, and the types that it has to trust for it."""
    import skops.io

    checked = check_archive(archive, trees=trees)
    if checked.unknown:
        places = _list_places(checked.unknown, checked.unknown)
        raise ModelError(f"no model file can hold {places}; joblib.dump and joblib.load can, for your own models")
    types = checked.types.keys()
    refused = (UNSAFE & types) | (CLASSES & checked.values)
    refused |= set(skops.io.get_untrusted_types(data=checked.archive.getvalue())) - CLASSES - FUNCTIONS
    if refused := refused - names:
        raise ModelError(f"it holds what is not known to be safe, {_list_places(refused, checked.types)}; {advice}")
    return checked.archive, sorted((CLASSES | FUNCTIONS | names) & types)  # the whole list would take time at each node


def _list_places(names: Iterable[str], places: Mapping[str, Place]) -> str:
    return format_list(sorted(names), show=lambda name: f"{name} ({places[name]})" if name in places else name)
