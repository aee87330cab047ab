"""Collections on the command line: options, loading, and the clips that cannot be used."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.text import escape_controls
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
    "drop_unusable",
    "extract_features",
    "get_verbosity",
    "list_reasons",
    "load_collection",
    "open_feature_cache",
    "report_unusable",
    "select_rows",
]

SOURCE = "A folder of folders, one for each class, or a table (.csv, .tsv, .parquet)."
_TABLES = (".csv", ".tsv", ".parquet", ".pq")


class Preset(StrEnum):
    """The names that make_classifier takes; its module is too slow to be imported for them."""

    fast = "fast"
    balanced = "balanced"
    accurate = "accurate"


def _check_jobs(jobs: int) -> int:
    if jobs == 0:
        raise typer.BadParameter("0 threads do nothing; -1 is all cores.")
    return jobs


Label = Annotated[
    str | None,
    typer.Option(help="Column of the labels, by default 'label'; for a folder a regular expression on file names."),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|REGEX",
        help="The recording that each clip was cut from: a column, or for a folder a regular expression on file names.",
    ),
]
Folds = Annotated[
    str | None,
    typer.Option(metavar="COLUMN|REGEX", help="The fold that each clip belongs to, told in the same way."),
]
PathColumn = Annotated[
    str | None, typer.Option("--path", metavar="COLUMN", help="Column of the files' paths, by default 'path'.")
]
Root = Annotated[
    str | None, typer.Option(metavar="DIR", help="What paths in a table start from, by default the table's folder.")
]
PresetOption = Annotated[Preset, typer.Option("--preset", help="What the classifier is made of.")]
Jobs = Annotated[int, typer.Option(callback=_check_jobs, help="Threads over clips; -1 is all cores.")]
RandomState = Annotated[int, typer.Option(min=0, max=2**32 - 2, help="Seed of folds and training.")]
Memory = Annotated[
    str | None, typer.Option(metavar="DIR", help="Folder in which features are kept from one run to the next.")
]


# Data sets with a layout of their own, by their table: its folder, the loader, and what its columns are called.
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
    """Load a folder, a table or a known data set as the Bunch of its loader; the options are as the user set them."""
    from .. import datasets

    place = Path(source)
    options = {"--label": label, "--group": group, "--folds": folds, "--path": path, "--root": root}
    given = {option: value for option, value in options.items() if value is not None}
    for table, (folder, loader, names) in _DATA_SETS.items():
        home = place if place.is_dir() else place.absolute().parent.parent
        own = (home / folder / table).is_file() and (place.is_dir() or place.absolute() == home / folder / table)
        if own and given.items() <= names.items():
            print_message(
                f"Reading {str(home)!r} with soundclf.datasets.{loader}, with its own labels, recordings and folds."
            )
            return getattr(datasets, loader)(home)
    if place.is_dir():
        return _folder(source, given)
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


def _folder(source: str, given: Mapping[str, str]) -> Any:
    from ..datasets import load_audio_folder

    for option, value in given.items():
        if option in ("--path", "--root"):
            raise typer.BadParameter(f"It belongs to tables, and {source!r} is a folder.", param_hint=f"'{option}'")
        try:
            re.compile(value)
        except (re.error, OverflowError) as error:
            reason = f"{value!r} is not a regular expression: {error}."
            raise typer.BadParameter(reason, param_hint=f"'{option}'") from None
    return load_audio_folder(
        source, label=given.get("--label", "parent"), group=given.get("--group"), fold=given.get("--folds")
    )


def get_verbosity() -> int:
    """Give ``verbose`` for a terminal, or for a pipe."""
    return int(is_terminal())


@contextlib.contextmanager
def open_feature_cache(memory: str | None) -> Iterator[str]:
    """Give a folder for features: the user's, or one for as long as the command runs."""
    if memory is not None:
        yield memory
        return
    with make_scratch_directory() as folder:
        yield folder


def extract_features(transformer: Any, clips: Sequence[str]) -> tuple[Any, dict[int, Exception]]:
    """Extract features of all clips, and tell by position why there are none of some."""
    import numpy as np
    from sklearn.base import clone

    from ..exceptions import AudioError, AudioWarning

    careful = clone(transformer).set_params(on_error="nan", verbose=get_verbosity())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* clips cannot be used, and their rows are NaN", AudioWarning)
        rows = careful.transform(list(clips))
    errors: dict[int, Exception] = {}
    for position in np.flatnonzero(np.isnan(rows).any(axis=tuple(range(1, rows.ndim)))).tolist():
        try:
            rows[position] = careful.set_params(on_error="raise", verbose=0).transform([clips[position]])[0]
        except AudioError as error:
            errors[position] = error
    return rows, errors


def drop_unusable(dataset: Any, model: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Extract what a model needs of every clip, and leave out the clips that it cannot use, with the reasons."""
    import numpy as np

    errors: dict[int, Exception] = {}
    for part in model.get_params(deep=True).values():
        if hasattr(part, "on_error") and hasattr(part, "transform"):
            errors |= extract_features(part, dataset.data)[1]
    kept = np.ones(len(dataset.data), bool)
    kept[list(errors)] = False
    good = select_rows(dataset, kept)
    classes = np.unique(good["target"])
    if len(classes) < 2:
        held = f"of one class only, {escape_controls(classes[0])!r}" if len(classes) else "that cannot be used"
        raise ValueError(f"The collection holds clips {held}; a classifier needs two classes or more")
    return good, list_reasons(dataset.data, errors)


def list_reasons(clips: Sequence[str], errors: Mapping[int, Exception]) -> list[tuple[str, str]]:
    """Give the files that cannot be used, each with the reason."""
    return [(clips[i], f"{getattr(error, 'reason', error)}.") for i, error in sorted(errors.items())]


def select_rows(dataset: Any, kept: Any) -> dict[str, Any]:
    """Give the rows of a data set that are kept."""
    import numpy as np
    from sklearn.model_selection import PredefinedSplit

    names = ("data", "target", "groups", "fold")
    rows = {name: None if dataset[name] is None else dataset[name][kept] for name in names}
    fold = rows["fold"]
    cv = None if fold is None else PredefinedSplit(np.unique(fold, return_inverse=True)[1])
    return {**rows, "cv": cv}


def report_unusable(errors: Sequence[tuple[str, str]], missing: Sequence[str] = ()) -> None:
    """List the files that could not be used, if there are any, and end with the exit code that says so."""
    if errors:
        print_message(f"{len(errors):,} {'file' if len(errors) == 1 else 'files'} could not be used:")
        for path, reason in errors:
            print_message(f"  {escape_controls(path)}: {reason}")
    if missing:
        print_message(f"{len(missing):,} more could not be used, as the warnings say.")
    if errors or missing:
        raise typer.Exit(PARTLY)
