"""Helpers shared by all loaders: find the files and assemble a Bunch."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import PredefinedSplit
from sklearn.utils import Bunch

from .._utils.text import format_count, format_list
from .._utils.validation import Rule, one_of
from ..exceptions import AudioError, AudioWarning

__all__ = ["MISSING", "DataSetError", "check_directory", "find_present", "format_first", "make_bunch"]

MISSING: tuple[Rule, ...] = (one_of(["raise", "skip", "keep"]),)
_MAX_LISTED = 5  # items of a long list in a message


class DataSetError(AudioError):
    """An AudioError about a whole data set, whose reason is a complete sentence."""

    def __str__(self) -> str:
        return f"{self.reason[:1].upper()}{self.reason[1:]}."


def format_first(items: Sequence[Any]) -> str:
    """Join the first few items of a list, followed by "and N more"."""
    return format_list(items, _MAX_LISTED, str)


def check_directory(root: Any, what: str) -> Path:
    """Return a path to an existing folder."""
    folder = Path(root)
    if not folder.is_dir():
        reason = "it is not a folder" if folder.exists() else "there is no such folder"
        raise NotADirectoryError(f"{what} cannot be read from {str(folder)!r}: {reason}")
    return folder


def find_present(paths: Sequence[str], missing: str, where: str) -> np.ndarray:
    """Return a mask of the rows to keep: those whose file exists, or all with ``missing="keep"``.

    ``where`` names the source of the rows in the message about missing files.
    """
    exists = np.array([os.path.isfile(path) for path in paths], bool)  # noqa: PTH113 - a Path fails on some names
    absent = [f"row {i}: {path}" for i, path in enumerate(paths) if not exists[i]]
    if absent and missing != "keep":
        sentence = f"{len(absent):,} of {format_count(len(paths), 'file')} {where} do not exist: {format_first(absent)}"
        if missing == "raise":
            raise DataSetError(sentence)
        errors = [
            AudioError("there is no such file", repr(str(path)), i) for i, path in enumerate(paths) if not exists[i]
        ]
        warnings.warn(AudioWarning(f"{sentence}. Their rows are skipped", errors), stacklevel=3)
    return exists | (missing == "keep")


def make_bunch(
    paths: Sequence[str],
    labels: Sequence[str],
    *,
    groups: Sequence[Any] | None = None,
    fold: Sequence[Any] | None = None,
    frame: Any,
    parse_numbers: bool = False,
    kept: np.ndarray | None = None,
    descr: str,
    return_X_y: bool,
    **more: Any,
) -> Any:
    """Assemble a Bunch, or data and target only, from the rows in the mask ``kept``.

    ``frame`` is a DataFrame or a mapping of columns. With ``parse_numbers``, text columns that contain only numbers
    are converted to numeric columns.
    """
    kept = np.ones(len(paths), bool) if kept is None else kept
    data = np.array([*paths, None], dtype=object)[:-1][kept]  # None keeps NumPy from making an array of characters
    target = np.asarray(labels, dtype=str)[kept]
    if not len(data):
        raise DataSetError("none of the data set's clips exist")
    if return_X_y:
        return data, target
    bunch = Bunch(data=data, target=target, target_names=np.unique(target).tolist(), DESCR=descr)
    bunch.groups = None if groups is None else np.asarray(groups, dtype=str)[kept]
    bunch.fold, bunch.cv = None, None
    if fold is not None:
        bunch.fold = np.asarray(_parse_integers(fold))[kept]
        bunch.cv = PredefinedSplit(np.unique(bunch.fold, return_inverse=True)[1])
    bunch.frame = _make_data_frame(frame, np.flatnonzero(kept), parse_numbers)
    bunch.missing = [str(path) for path, keep in zip(paths, kept, strict=True) if not keep]
    bunch.update(more)
    return bunch


def _parse_integers(values: Sequence[Any]) -> Sequence[Any]:
    """Convert values to integers if all of them are integers, otherwise to text."""
    texts = [str(value) for value in values]
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        return texts
    return texts if any("_" in text for text in texts) else numbers  # to Python, 1_23 and 12_3 are one number


def _make_data_frame(columns: Any, rows: np.ndarray, parse_numbers: bool) -> Any:
    """Make a DataFrame of the given rows; None without pandas."""
    try:
        import pandas as pd
    except ImportError:
        return None
    try:
        full = pd.DataFrame(columns)
    except (TypeError, ValueError):  # pyarrow strings cannot store file names that are not valid UTF-8
        full = pd.DataFrame(columns, dtype=object)
    frame = full.iloc[rows].reset_index(drop=True)
    for name in frame.columns if parse_numbers else ():
        with contextlib.suppress(ValueError, TypeError):
            frame[name] = pd.to_numeric(frame[name])
    return frame
