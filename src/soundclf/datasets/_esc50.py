"""ESC-50 and its subset ESC-10: environmental sounds in five folds."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .._utils.text import format_count
from .._utils.validation import NONE, Rule, check_params, one_of
from ._collection import MISSING, check_directory, find_present, make_bunch
from ._fetch import Archive, fetch_archive
from ._table import read_csv

__all__ = ["fetch_esc50", "load_esc50"]

_ARCHIVE = Archive(
    name="ESC-50",
    url="https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip",
    checksum=None,  # the host regenerates archives of a branch; the metadata in it is checked instead
    inside={"meta/esc50.csv": "md5:54a0d0055a10bb7df84ad340a148722e"},
    size="0.6 GB",
    loader="load_esc50",
)

_DESCR = """{name}: recordings of environmental sounds, 5 s each, {n_classes} classes, in 5 official folds.

{clips} from {recordings}{absent}; `groups` contains the Freesound recording of each clip. No recording
spans two folds.

License: CC BY-NC 3.0 (ESC-10: CC BY 3.0). K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", 23rd ACM
International Conference on Multimedia, 2015.
"""

_CLASS_FOLDER = re.compile(r"\d{3} - (.+)")
_CLIP_NAME = re.compile(r"(\d)-(\d+)-([A-Z])\.(?:ogg|wav)", re.IGNORECASE)
_SUBSETS: dict[str, tuple[Rule, ...]] = {"subset": (NONE, one_of(["esc10"])), "missing": MISSING}


def load_esc50(
    root: str | os.PathLike[str],
    *,
    subset: Literal["esc10"] | None = None,
    missing: Literal["raise", "skip", "keep"] = "skip",
    return_X_y: bool = False,
) -> Any:
    """Load paths and labels of ESC-50 or ESC-10 from its folder.

    Two layouts are supported: the ESC-50 archive's, with ``meta/esc50.csv`` and ``audio``, and the older one of ESC-10
    and ESC-50, with one folder per class such as ``001 - Dog bark``.

    Parameters
    ----------
    root : str or path-like
        The data set's folder.
    subset : "esc10", default=None
        Load only the ESC-10 subset of an ESC-50 archive. A folder in the older layout must already be ESC-10.
    missing : {"raise", "skip", "keep"}, default="skip"
        What to do with clips in the metadata whose file is missing: raise an AudioError, skip them with a warning, or
        keep their rows. The older layout has no metadata.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With these attributes, in the order of the metadata or, without one, of classes and file names:

        data : ndarray of shape (n_clips,), object
            Paths of the files, as str.
        target : ndarray of shape (n_clips,), str
            Class, as the data set spells it: "dog" in the archive, "Dog bark" in the older layout.
        target_names : list of str
            The classes in ``target``, sorted.
        groups : ndarray of shape (n_clips,), str
            The Freesound recording that the clip was cut from.
        fold : ndarray of shape (n_clips,), int
            Official fold, 1 to 5.
        cv : sklearn.model_selection.PredefinedSplit
            Uses each fold as the test set in turn.
        frame : pandas.DataFrame or None
            The metadata of the rows; None if pandas is not installed.
        missing : list of str
            Paths of the files that were skipped.
        DESCR : str
            Description, counts, license and citation.

    Raises
    ------
    NotADirectoryError, FileNotFoundError
        If ``root`` does not exist or has neither layout.
    AudioError
        If all files are missing, or any file with ``missing="raise"``.
    ValueError
        If ``subset="esc10"`` and a folder in the older layout does not have ten classes.

    Warns
    -----
    AudioWarning
        If files are missing and ``missing="skip"``.

    References
    ----------
    .. [1] K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from soundclf.datasets import load_esc50
    >>> with tempfile.TemporaryDirectory() as folder:  # two empty files instead of the data set
    ...     for name in ("001 - Dog bark/1-30226-A.ogg", "002 - Rain/5-17367-A.ogg"):
    ...         Path(folder, name).parent.mkdir()
    ...         Path(folder, name).touch()
    ...     sounds = load_esc50(folder)
    >>> sounds.target.tolist(), sounds.fold.tolist(), sounds.groups.tolist()
    (['Dog bark', 'Rain'], [1, 5], ['30226', '17367'])
    """
    check_params("load_esc50", {"subset": subset, "missing": missing}, _SUBSETS)
    folder = check_directory(root, "ESC-50")
    metadata = folder / "meta" / "esc50.csv"
    frame = _read_archive(metadata, subset) if metadata.is_file() else _read_class_folders(folder, subset)
    paths = [str(folder / path) for path in frame.pop("path")]
    kept = find_present(paths, missing, "of ESC-50")
    classes, recordings = set(frame["category"]), np.asarray(frame["src_file"])[kept]
    name = "ESC-10" if subset == "esc10" or len(classes) == 10 else "ESC-50"
    descr = _DESCR.format(
        name=name,
        n_classes=len(classes),
        clips=format_count(int(kept.sum()), "clip"),
        recordings=format_count(len(set(recordings.tolist())), "recording"),
        absent="" if kept.all() else f" ({format_count(int((~kept).sum()), 'file')} missing)",
    )
    return make_bunch(
        paths,
        frame["category"],
        groups=frame["src_file"],
        fold=frame["fold"],
        frame=frame,
        parse_numbers=True,
        kept=kept,
        descr=descr,
        return_X_y=return_X_y,
    )


def _read_archive(metadata: Path, subset: str | None) -> dict[str, Sequence[Any]]:
    columns = read_csv(metadata)
    absent = [name for name in ("filename", "fold", "category", "esc10", "src_file") if name not in columns]
    if absent:
        raise ValueError(f"The table {str(metadata)!r} is not that of ESC-50: it has no column {absent[0]!r}")
    rows = [i for i, value in enumerate(columns["esc10"]) if subset is None or value == "True"]
    chosen: dict[str, Sequence[Any]] = {name: [values[i] for i in rows] for name, values in columns.items()}
    chosen["esc10"] = [value == "True" for value in chosen["esc10"]]
    return {**chosen, "path": [f"audio/{name}" for name in chosen["filename"]]}


def _read_class_folders(root: Path, subset: str | None) -> dict[str, Sequence[Any]]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and _CLASS_FOLDER.fullmatch(path.name))
    if not folders:
        raise FileNotFoundError(
            f"{str(root)!r} is not a folder of ESC-50 or ESC-10: it has neither meta/esc50.csv nor folders such as "
            "'001 - Dog bark'"
        )
    if subset == "esc10" and len(folders) != 10:
        raise ValueError(
            f"{str(root)!r} has {len(folders)} classes and no metadata that says which of them are in ESC-10"
        )
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "filename", "fold", "category", "src_file", "take")}
    for folder in folders:
        category = _CLASS_FOLDER.fullmatch(folder.name)
        for file in sorted(folder.iterdir()):
            name = _CLIP_NAME.fullmatch(file.name)
            if name and category:
                row = (f"{folder.name}/{file.name}", file.name, name[1], category[1], name[2], name[3])
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    return dict(columns)


def fetch_esc50(
    data_home: str | os.PathLike[str] | None = None,
    *,
    subset: Literal["esc10"] | None = None,
    url: str | None = None,
    checksum: str | None = None,
    verbose: int = 1,
    return_X_y: bool = False,
) -> Any:
    """Download ESC-50 if necessary, and load it or its subset ESC-10.

    The archive (0.6 GB) is regenerated by its host from time to time and has no fixed checksum. Instead, the checksum
    of the metadata, the archive's checksum of each file, and the presence of all clips are verified. ``data_home``
    never contains an incomplete data set.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder where data sets are stored; by default "soundclf" in the user's cache folder.
    subset : "esc10", default=None
        Load only the ESC-10 subset; the complete archive is downloaded nevertheless.
    url : str, default=None
        Alternative URL of the archive, such as a mirror.
    checksum : str, default=None
        Expected checksum of the archive, as "md5:..." or "sha256:...", instead of the check of its metadata.
    verbose : int, default=1
        If positive, show a progress bar.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        As returned by :func:`load_esc50`.

    Raises
    ------
    DownloadError
        If the archive cannot be downloaded, does not match its checksum, or contains a forbidden member.
    """
    check_params("fetch_esc50", {"subset": subset}, {"subset": _SUBSETS["subset"]})
    folder = fetch_archive(
        _ARCHIVE,
        data_home,
        url=url,
        checksum=checksum,
        verbose=verbose,
        load=lambda folder: load_esc50(folder, missing="raise"),
    )
    return load_esc50(folder, subset=subset, missing="raise", return_X_y=return_X_y)
