"""Sounds listed in a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .._utils.optional import import_optional
from .._utils.text import format_count
from .._utils.validation import NONE, Rule, check_params
from ._collection import MISSING, find_present, format_first, make_bunch

__all__ = ["load_audio_table", "read_csv"]

_NAME = Rule("the name of a column", lambda v: isinstance(v, str))
_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "path": (_NAME,),
    "label": (_NAME,),
    "group": (NONE, _NAME),
    "fold": (NONE, _NAME),
    "root": (NONE, Rule("a path", lambda v: isinstance(v, str | os.PathLike))),
    "missing": MISSING,
}


def load_audio_table(
    table: Any,
    *,
    path: str = "path",
    label: str = "label",
    group: str | None = None,
    fold: str | None = None,
    root: str | os.PathLike[str] | None = None,
    missing: Literal["raise", "skip", "keep"] = "raise",
    return_X_y: bool = False,
) -> Any:
    r"""Load paths and labels of sounds from a table.

    Parameters
    ----------
    table : str, path-like or pandas.DataFrame
        A CSV, TSV or Parquet file, recognized by its extension, or a DataFrame. Parquet needs pandas and pyarrow.
    path : str, default="path"
        Name of the column of file paths.
    label : str, default="label"
        Name of the column of labels.
    group : str, default=None
        Name of the column of the recording that each clip was cut from.
    fold : str, default=None
        Name of the column of each clip's fold.
    root : str or path-like, default=None
        Folder that relative paths start from; by default the folder of the table file, or the working directory for a
        DataFrame.
    missing : {"raise", "skip", "keep"}, default="raise"
        What to do with rows whose file is missing: raise an AudioError that lists them, skip them with a warning, or
        keep them.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With these attributes, in the order of the table:

        data : ndarray of shape (n_clips,), object
            Paths of the files, as str.
        target : ndarray of shape (n_clips,), str
            Labels.
        target_names : list of str
            The labels in ``target``, sorted.
        groups : ndarray of shape (n_clips,), str, or None
            The recording of each clip, with ``group``.
        fold : ndarray of shape (n_clips,), or None
            The fold of each clip, with ``fold``: int if all are integers, otherwise str.
        cv : sklearn.model_selection.PredefinedSplit or None
            Uses each fold as the test set in turn, in sorted order.
        frame : pandas.DataFrame or None
            All columns, with numbers parsed; None if pandas is not installed.
        missing : list of str
            Paths of the rows that were skipped.
        DESCR : str
            A short description.

    Raises
    ------
    AudioError
        If files are missing and ``missing="raise"``; lists the rows, counted from 0.
    ValueError
        If a column is missing or duplicated or has empty cells, the table has no rows, a line has too few or too many
        cells, or the file is of another type.
    ImportError
        If pandas or pyarrow is needed for a Parquet file and not installed.
    ParameterError
        If a parameter is out of range.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from soundclf.datasets import load_audio_table, make_sounds
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = make_sounds(2, classes=["bell", "rain"], directory=folder, random_state=0).data
    ...     table = Path(folder, "sounds.csv")
    ...     _ = table.write_text(f"path,label,day\n{paths[0]},bell,1\n{paths[1]},rain,2\n")
    ...     sounds = load_audio_table(table, fold="day")
    >>> sounds.target.tolist(), sounds.fold.tolist()
    (['bell', 'rain'], [1, 2])
    """
    values = {"path": path, "label": label, "group": group, "fold": fold, "root": root, "missing": missing}
    check_params("load_audio_table", values, _PARAMETERS)
    frame, home, name = _open_table(table)
    columns = frame if isinstance(frame, dict) else _convert_frame(frame, name)
    wanted = {"path": path, "label": label, "group": group, "fold": fold}
    for role, column in wanted.items():
        if column is not None and column not in columns:
            raise ValueError(
                f"{_capitalize(name)} has no column {column!r} for {role}; it has {format_first(list(columns))}"
            )
    cells = {
        role: _convert_cells(columns[column], column, name) for role, column in wanted.items() if column is not None
    }
    if not cells["path"]:
        raise ValueError(f"{_capitalize(name)} has no rows")
    base = Path(home if root is None else root)
    paths = [str(base / cell) for cell in cells["path"]]
    kept = find_present(paths, missing, f"of {name}")
    n_classes = len({label for label, keep in zip(cells["label"], kept, strict=True) if keep})
    descr = f"{format_count(int(kept.sum()), 'sound')} of {format_count(n_classes, 'class')} from {name}."
    return make_bunch(
        paths,
        cells["label"],
        groups=cells.get("group"),
        fold=cells.get("fold"),
        frame=frame,
        parse_numbers=isinstance(frame, dict),  # the columns of a DataFrame have their types already
        kept=kept,
        descr=descr,
        return_X_y=return_X_y,
    )


def _open_table(table: Any) -> tuple[Any, Path, str]:
    """Return a table as a DataFrame or a dict of columns, its folder, and its name in messages."""
    if hasattr(table, "columns") and hasattr(table, "iloc"):
        return table, Path(), "the DataFrame"
    if not isinstance(table, str | os.PathLike):
        raise TypeError(f"table must be a path or a DataFrame, got {type(table).__name__}")
    file = Path(table)
    name = f"the table {str(file)!r}"
    if not file.is_file():
        raise FileNotFoundError(f"{_capitalize(name)} does not exist")
    suffix = file.suffix.lower()
    if suffix in (".parquet", ".pq"):
        pd = import_optional("pandas", extra="parquet", feature=f"Reading {name}")
        import_optional("pyarrow", extra="parquet", feature=f"Reading {name}")
        try:
            frame = pd.read_parquet(file, engine="pyarrow")
        except (ValueError, OSError) as error:
            raise ValueError(f"{_capitalize(name)} cannot be read: {error}") from error
        return frame, file.parent, name
    if suffix not in (".csv", ".tsv"):
        raise ValueError(f"{_capitalize(name)} must be a .csv, .tsv or .parquet file")
    return read_csv(file, "," if suffix == ".csv" else "\t"), file.parent, name


def _capitalize(name: str) -> str:
    return f"T{name[1:]}"


def _convert_frame(frame: Any, name: str) -> dict[str, Sequence[Any]]:
    """Convert the columns of a DataFrame to lists, with None for missing values."""
    _check_header([str(column) for column in frame.columns], name)
    columns = {str(column): frame[column] for column in frame.columns}
    return {
        column: [None if missing else value for value, missing in zip(values.tolist(), values.isna(), strict=True)]
        for column, values in columns.items()
    }


def _check_header(header: Sequence[str], name: str) -> None:
    duplicates = [column for i, column in enumerate(header) if column in header[:i]]
    if duplicates:
        raise ValueError(f"{_capitalize(name)} has more than one column {duplicates[0]!r}")


def read_csv(file: Path, delimiter: str = ",") -> dict[str, Sequence[Any]]:
    """Read the columns of a CSV file as text."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)  # an unterminated quote is an error
        try:
            header = next(reader, None)
            if not header:
                raise ValueError(f"The table {str(file)!r} has no header in its first line")
            _check_header(header, f"the table {str(file)!r}")
            rows = []
            for row in reader:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"The table {str(file)!r} has {len(header)} columns, line {reader.line_num} {len(row)} cells"
                    )
                if row:
                    rows.append(row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                f"The table {str(file)!r} cannot be read, after line {reader.line_num}: {error}"
            ) from error
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _convert_cells(values: Sequence[Any], column: str, name: str) -> list[str]:
    """Convert cells to text; raise if any is empty."""
    empty = [i for i, value in enumerate(values) if value is None or not str(value).strip()]
    if empty:
        raise ValueError(
            f"{_capitalize(name)} has empty cells in column {column!r}, in rows {format_first(empty)} counted from 0"
        )
    whole = all(isinstance(value, float | np.floating) and float(value).is_integer() for value in values)
    return [str(int(value)) if whole else str(value) for value in values]
