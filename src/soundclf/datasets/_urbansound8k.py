"""UrbanSound8K: 8,732 slices of city sounds in ten folds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .._utils.text import format_count
from .._utils.validation import check_params
from ._collection import MISSING, check_directory, find_present, make_bunch
from ._fetch import Archive, fetch_archive
from ._table import read_csv

__all__ = ["fetch_urbansound8k", "load_urbansound8k"]

_ARCHIVE = Archive(
    name="UrbanSound8K",
    url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
    checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
    size="6.0 GB",
    loader="load_urbansound8k",
)

_DESCR = """UrbanSound8K: slices of up to 4 s of recordings of city sounds, in 10 official folds.

The metadata lists {rows:,} slices from {recordings:,} recordings; {here:,} of them are present{absent}.

Slices in the metadata, by class and fold:

{table}

`groups` contains the Freesound recording (fsID) of each slice. All but five recordings are confined to one fold; a
random split separates slices of the same recording and overestimates accuracy by tens of percentage points.

License: CC BY-NC 3.0. J. Salamon, C. Jacoby, J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", 22nd ACM
International Conference on Multimedia, 2014.
"""


def load_urbansound8k(
    root: str | os.PathLike[str],
    *,
    missing: Literal["raise", "skip", "keep"] = "skip",
    return_X_y: bool = False,
) -> Any:
    r"""Load paths and labels of UrbanSound8K from its folder.

    Parameters
    ----------
    root : str or path-like
        The folder that contains ``metadata/UrbanSound8K.csv`` and ``audio/fold1`` to ``audio/fold10``.
    missing : {"raise", "skip", "keep"}, default="skip"
        What to do with slices in the metadata whose file is missing: raise an AudioError, skip them with a warning, or
        keep their rows.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With these attributes, in the order of the metadata:

        data : ndarray of shape (n_clips,), object
            Paths of the files, as str.
        target : ndarray of shape (n_clips,), str
            Class, such as "dog_bark".
        target_names : list of str
            The classes in ``target``, sorted.
        groups : ndarray of shape (n_clips,), str
            The Freesound recording that the slice was cut from.
        fold : ndarray of shape (n_clips,), int
            Official fold, 1 to 10.
        cv : sklearn.model_selection.PredefinedSplit
            Uses each fold as the test set in turn.
        frame : pandas.DataFrame or None
            The metadata of the rows; None if pandas is not installed.
        missing : list of str
            Paths of the files that were skipped.
        DESCR : str
            Description, counts by class and fold, license and citation.

    Raises
    ------
    NotADirectoryError, FileNotFoundError
        If ``root`` or the metadata in it does not exist.
    AudioError
        If all files are missing, or any file with ``missing="raise"``.

    Warns
    -----
    AudioWarning
        If files are missing and ``missing="skip"``.

    References
    ----------
    .. [1] J. Salamon, C. Jacoby, J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM Multimedia 2014.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from soundclf.datasets import load_urbansound8k
    >>> with tempfile.TemporaryDirectory() as folder:  # only the metadata columns that are read
    ...     Path(folder, "metadata").mkdir()
    ...     table = Path(folder, "metadata", "UrbanSound8K.csv")
    ...     _ = table.write_text("slice_file_name,fsID,fold,class\n344-3-0-0.wav,344,5,dog_bark\n")
    ...     sounds = load_urbansound8k(folder, missing="keep")
    >>> sounds.target.tolist(), sounds.fold.tolist(), sounds.groups.tolist()
    (['dog_bark'], [5], ['344'])
    """
    check_params("load_urbansound8k", {"missing": missing}, {"missing": MISSING})
    folder = check_directory(root, "UrbanSound8K")
    metadata = folder / "metadata" / "UrbanSound8K.csv"
    if not metadata.is_file():
        raise FileNotFoundError(
            f"UrbanSound8K's metadata is not at {str(metadata)!r}; root must be the folder that contains "
            "'metadata' and 'audio'"
        )
    frame = read_csv(metadata)
    try:
        names, folds, labels, recordings = (frame[name] for name in ("slice_file_name", "fold", "class", "fsID"))
    except KeyError as error:
        raise ValueError(f"The table {str(metadata)!r} is not that of UrbanSound8K: it has no column {error}") from None
    invalid = next((fold for fold in folds if not fold.isdecimal()), None)
    if invalid is not None:
        raise ValueError(f"The table {str(metadata)!r} is not that of UrbanSound8K: a fold is {invalid!r}")
    paths = [str(folder / "audio" / f"fold{fold}" / name) for fold, name in zip(folds, names, strict=True)]
    kept = find_present(paths, missing, "of UrbanSound8K")
    n_absent = sum(not Path(path).is_file() for path in paths)
    descr = _DESCR.format(
        rows=len(paths),
        recordings=len(set(recordings)),
        here=len(paths) - n_absent,
        absent=f", {format_count(n_absent, 'file')} missing" if n_absent else "",
        table=_format_counts(np.asarray(labels), np.asarray(folds, int)),
    )
    return make_bunch(
        paths,
        labels,
        groups=recordings,
        fold=folds,
        frame=frame,
        parse_numbers=True,
        kept=kept,
        descr=descr,
        return_X_y=return_X_y,
    )


def _format_counts(labels: np.ndarray, folds: np.ndarray) -> str:
    numbers = np.unique(folds)
    lines = ["class".ljust(18) + "".join(f"{number:>5}" for number in numbers) + "  all"]
    for label in np.unique(labels):
        counts = [int(np.sum((labels == label) & (folds == number))) for number in numbers]
        lines.append(f"{label:<18}" + "".join(f"{count:5}" for count in counts) + f"{sum(counts):5}")
    return "\n".join(lines)


def fetch_urbansound8k(
    data_home: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    checksum: str | None = None,
    verbose: int = 1,
    return_X_y: bool = False,
) -> Any:
    """Download UrbanSound8K if necessary, and load it.

    The archive (6.0 GB) is verified against its published checksum and unpacked. ``data_home`` never contains an
    incomplete data set.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder where data sets are stored; by default "soundclf" in the user's cache folder.
    url : str, default=None
        Alternative URL of the archive, such as a mirror.
    checksum : str, default=None
        Expected checksum of the archive, as "md5:..." or "sha256:..."; by default that of the official archive.
    verbose : int, default=1
        If positive, show a progress bar.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        As returned by :func:`load_urbansound8k`.

    Raises
    ------
    DownloadError
        If the archive cannot be downloaded, does not match its checksum, or contains a forbidden member.
    """
    folder = fetch_archive(
        _ARCHIVE,
        data_home,
        url=url,
        checksum=checksum,
        verbose=verbose,
        load=lambda folder: load_urbansound8k(folder, missing="raise"),
    )
    return load_urbansound8k(folder, missing="raise", return_X_y=return_X_y)
