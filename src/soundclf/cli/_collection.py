"""Collections on the command line: options, loading, feature extraction, and unusable clips."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.text import escape_controls, format_count
from ..exceptions import AudioError, AudioWarning
from ._process import PARTLY, is_terminal, make_scratch_directory, print_message

__all__ = [
    "SOURCE",
    "Folds",
    "Group",
    "Jobs",
    "Label",
    "Memory",
    "PathColumn",
    "Preset",
    "PresetOption",
    "RandomState",
    "Root",
    "collect_errors",
    "drop_unusable",
    "extract_features",
    "get_verbosity",
    "list_reasons",
    "load_collection",
    "open_feature_cache",
    "report_unusable",
    "select_rows",
]

SOURCE = "A folder with one subfolder per class, or a table (.csv, .tsv, .parquet)."
_TABLES = (".csv", ".tsv", ".parquet", ".pq")


class Preset(StrEnum):
    """Names of presets; those of ``make_classifier``, whose module takes long to import."""

    fast = "fast"
    balanced = "balanced"
    accurate = "accurate"


def _check_jobs(jobs: int) -> int:
    if jobs == 0:
        raise typer.BadParameter("0 threads cannot do anything; -1 uses all cores.")
    return jobs


Label = Annotated[
    str | None,
    typer.Option(help="Column of labels [default: label]; for a folder, a regular expression for file names."),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|REGEX",
        help="Recording that a clip was cut from: a column; for a folder, a regular expression for file names.",
    ),
]
Folds = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|REGEX",
        help="Fold of a clip: a column; for a folder, a regular expression for file names.",
    ),
]
PathColumn = Annotated[
    str | None, typer.Option("--path", metavar="COLUMN", help="Column of file paths [default: path].")
]
Root = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Folder that paths in a table are relative to [default: the table's folder]."),
]
PresetOption = Annotated[
    Preset, typer.Option("--preset", help="Features and classifier: the more accurate, the slower.")
]
Jobs = Annotated[int, typer.Option(callback=_check_jobs, help="Number of threads; -1 uses all cores.")]
RandomState = Annotated[int, typer.Option(min=0, max=2**32 - 2, help="Seed of the folds and of training.")]
Memory = Annotated[str | None, typer.Option(metavar="DIR", help="Folder that caches features between runs.")]


# Known data sets by the file name of their table: its folder, the loader, and its columns.
_DATA_SETS = {
    "UrbanSound8K.csv": (
        "metadata",
        "load_urbansound8k",
        {"--label": "class", "--group": "fsID", "--folds": "fold", "--path": "slice_file_name"},
    ),
    "esc50.csv": (
        "meta",
        "load_esc50",
        {"--label": "category", "--group": "src_file", "--folds": "fold", "--path": "filename"},
    ),
}


def load_collection(
    source: str, *, label: str | None, group: str | None, folds: str | None, path: str | None, root: str | None
) -> Any:
    """Load a folder, a table or a known data set as the Bunch of its loader; an option that was not given is None."""
    from .. import datasets

    place = Path(source)
    options = {"--label": label, "--group": group, "--folds": folds, "--path": path, "--root": root}
    given = {option: value for option, value in options.items() if value is not None}
    for table, (folder, loader, names) in _DATA_SETS.items():
        home = place if place.is_dir() else place.absolute().parent.parent
        own = (home / folder / table).is_file() and (place.is_dir() or place.absolute() == home / folder / table)
        if own and given.items() <= names.items():
            print_message(
                f"Reading {str(home)!r} with soundclf.datasets.{loader}, which knows its labels, recordings and folds."
            )
            return getattr(datasets, loader)(home)
    if place.is_dir():
        return _load_folder(source, given)
    if not place.exists():
        raise FileNotFoundError(f"There is no folder or table {source!r}")
    if place.suffix.lower() not in _TABLES:
        raise ValueError(f"{source!r} is neither a folder nor a table ({', '.join(_TABLES[:3])})")
    return datasets.load_audio_table(
        source,
        path=path or "path",
        label=label or "label",
        group=group,
        fold=folds,
        root=root,
        missing="skip",
    )


def _load_folder(source: str, given: Mapping[str, str]) -> Any:
    from ..datasets import load_audio_folder

    for option, value in given.items():
        if option in ("--path", "--root"):
            raise typer.BadParameter(f"It is for tables only, and {source!r} is a folder.", param_hint=f"'{option}'")
        try:
            re.compile(value)
        except (re.error, OverflowError) as error:
            reason = f"{value!r} is not a regular expression: {error}."
            raise typer.BadParameter(reason, param_hint=f"'{option}'") from None
    return load_audio_folder(
        source, label=given.get("--label", "parent"), group=given.get("--group"), fold=given.get("--folds")
    )


def get_verbosity() -> int:
    """Return the value of ``verbose``: 1 if messages go to a terminal, else 0."""
    return int(is_terminal())


@contextlib.contextmanager
def open_feature_cache(memory: str | None) -> Iterator[str]:
    """Yield a folder for cached features: the user's, or a temporary one."""
    if memory is not None:
        yield memory
        return
    with make_scratch_directory() as folder:
        yield folder


@contextlib.contextmanager
def collect_errors(registry: dict[Any, Any] | None = None) -> Iterator[list[AudioError]]:
    """Collect the errors that AudioWarnings carry, without showing these warnings; others are shown afterwards.

    With a registry, which the caller keeps, a warning is shown once.
    """
    errors: list[AudioError] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        yield errors
    for warning in caught:
        if isinstance(warning.message, AudioWarning) and warning.message.errors:
            errors += warning.message.errors
        else:
            message, category = warning.message, warning.category
            warnings.warn_explicit(message, category, warning.filename, warning.lineno, registry=registry)


def extract_features(transformer: Any, clips: Sequence[str]) -> tuple[Any, dict[int, AudioError]]:
    """Extract the features of all clips; return them, and the errors of unusable clips by position."""
    from sklearn.base import clone

    extractor = clone(transformer).set_params(on_error="nan", verbose=get_verbosity())
    with collect_errors() as errors:
        rows = extractor.transform(list(clips))
    return rows, {error.position: error for error in errors if error.position is not None}


def drop_unusable(dataset: Any, model: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Extract the features that a model needs, and drop the clips that it cannot use.

    Returns the usable part of the data set, and the path and the reason of every unusable clip.
    """
    import numpy as np

    errors: dict[int, AudioError] = {}
    usable = np.arange(len(dataset.data))
    for part in model.get_params(deep=True).values():
        if hasattr(part, "on_error") and hasattr(part, "transform") and len(usable):
            found = extract_features(part, dataset.data[usable])[1]
            errors |= {int(usable[i]): error for i, error in found.items()}
            usable = np.delete(usable, list(found))
    good = select_rows(dataset, usable)
    classes = np.unique(good["target"])
    if len(classes) < 2:
        what = f"clips of only one class, {escape_controls(classes[0])!r}" if len(classes) else "no usable clips"
        raise ValueError(f"The collection has {what}; a classifier needs two or more classes")
    return good, list_reasons(dataset.data, errors)


def list_reasons(clips: Sequence[str], errors: Mapping[int, AudioError]) -> list[tuple[str, str]]:
    """Return the path of every unusable clip, with the reason."""
    return [(clips[i], f"{error.reason}.") for i, error in sorted(errors.items())]


def select_rows(dataset: Any, rows: Any) -> dict[str, Any]:
    """Return rows of a data set, with splits by its folds."""
    import numpy as np
    from sklearn.model_selection import PredefinedSplit

    names = ("data", "target", "groups", "fold")
    selected = {name: None if dataset[name] is None else dataset[name][rows] for name in names}
    fold = selected["fold"]
    cv = None if fold is None else PredefinedSplit(np.unique(fold, return_inverse=True)[1])
    return {**selected, "cv": cv}


def report_unusable(errors: Sequence[tuple[str, str]], missing: Sequence[str] = ()) -> None:
    """Print the files that could not be used and exit with code 3, if there are any."""
    if errors:
        print_message(f"{format_count(len(errors), 'file')} could not be used:")
        for path, reason in errors:
            print_message(f"  {escape_controls(path)}: {reason}")
    if missing:
        print_message(f"{len(missing):,} more could not be used; see the warnings.")
    if errors or missing:
        raise typer.Exit(PARTLY)
