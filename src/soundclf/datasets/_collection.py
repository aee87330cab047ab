"""What every loader ends with: rows of metadata become a Bunch."""

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

__all__ = ["MISSING", "DataSetError", "check_directory", "find_present", "format_few", "make_bunch"]

MISSING: tuple[Rule, ...] = (one_of(["raise", "skip", "keep"]),)
_LISTED = 5  # of a long list in a message


class DataSetError(AudioError):
    """An AudioError about many clips, whose sentence stands by itself."""

    def __str__(self) -> str:
        return f"{self.reason[:1].upper()}{self.reason[1:]}."


def format_few(items: Sequence[Any]) -> str:
    """Name the first few of many things."""
    return format_list(items, _LISTED, str)


def check_directory(root: Any, what: str) -> Path:
    """Give a folder that is there."""
    folder = Path(root)
    if not folder.is_dir():
        reason = "it is not a folder" if folder.exists() else "there is no such folder"
        raise NotADirectoryError(f"{what} cannot be read from {str(folder)!r}: {reason}")
    return folder


def find_present(paths: Sequence[str], missing: str, where: str) -> np.ndarray:
    """Say which files to keep: those that are there, or all; ``where`` ends the sentence about those that are not."""
    there = np.array([os.path.isfile(path) for path in paths], bool)  # noqa: PTH113 - a Path fails on some names
    absent = [f"row {i}: {path}" for i, path in enumerate(paths) if not there[i]]
    if absent and missing != "keep":
        sentence = f"{len(absent):,} of {format_count(len(paths), 'file')} {where} are not there: {format_few(absent)}"
        if missing == "raise":
            raise DataSetError(sentence)
        warnings.warn(f"{sentence}. Their rows are left out", AudioWarning, stacklevel=3)
    return there | (missing == "keep")


def make_bunch(
    paths: Sequence[str],
    labels: Sequence[str],
    *,
    groups: Sequence[Any] | None = None,
    fold: Sequence[Any] | None = None,
    frame: Any,
    numbers: bool = False,
    kept: np.ndarray | None = None,
    descr: str,
    return_X_y: bool,
    **more: Any,
) -> Any:
    """Assemble a Bunch, or data and target alone, from the rows that are ``kept``.

    ``frame`` is a DataFrame or a mapping of columns; of a mapping's columns, those that hold nothing but the text of
    numbers become such with ``numbers``.
    """
    kept = np.ones(len(paths), bool) if kept is None else kept
    data = np.array([*paths, None], dtype=object)[:-1][kept]  # None keeps NumPy from making an array of characters
    target = np.asarray(labels, dtype=str)[kept]
    if not len(data):
        raise DataSetError("not one clip of the data set is there")
    if return_X_y:
        return data, target
    bunch = Bunch(data=data, target=target, target_names=np.unique(target).tolist(), DESCR=descr)
    bunch.groups = None if groups is None else np.asarray(groups, dtype=str)[kept]
    bunch.fold, bunch.cv = None, None
    if fold is not None:
        bunch.fold = np.asarray(_numbers(fold))[kept]
        bunch.cv = PredefinedSplit(np.unique(bunch.fold, return_inverse=True)[1])
    bunch.frame = _data_frame(frame, np.flatnonzero(kept), numbers)
    bunch.missing = [str(path) for path, keep in zip(paths, kept, strict=True) if not keep]
    bunch.update(more)
    return bunch


def _numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Read whole numbers where all values are such."""
    texts = [str(value) for value in values]
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        return texts
    return texts if any("_" in text for text in texts) else numbers  # to Python, 1_23 and 12_3 are one number


def _data_frame(columns: Any, rows: np.ndarray, numbers: bool) -> Any:
    """Make a DataFrame of some rows; None without pandas."""
    try:
        import pandas as pd
    except ImportError:
        return None
    try:
        whole = pd.DataFrame(columns)
    except UnicodeEncodeError:  # strings of pyarrow's cannot hold names that are not valid UTF-8
        whole = pd.DataFrame(columns, dtype=object)
    frame = whole.iloc[rows].reset_index(drop=True)
    for name in frame.columns if numbers else ():
        with contextlib.suppress(ValueError, TypeError):
            frame[name] = pd.to_numeric(frame[name])
    return frame
