"""The Free Spoken Digit Dataset."""

from __future__ import annotations

import os
import re
from typing import Any

from .._utils.text import format_count
from ._collection import check_directory, make_bunch
from ._fetch import Archive, fetch_archive

__all__ = ["fetch_fsdd", "load_fsdd"]

_ARCHIVE = Archive(
    name="FSDD",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz",
    checksum="sha256:8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
    size="12 MB",
    loader="load_fsdd",
)

_DESCR = """Free Spoken Digit Dataset: English digits, 8 kHz.

Here are {clips} of {speakers}: {names}. `groups` holds the speaker, so that splits by group measure how well
digits of voices are recognised that were not heard in training.

Licence: CC BY-SA 4.0. Z. Jackson and contributors, "Free Spoken Digit Dataset (FSDD)".
"""

_NAME = re.compile(r"(\d)_(.+)_(\d+)\.wav", re.IGNORECASE)


def load_fsdd(root: str | os.PathLike[str], *, return_X_y: bool = False) -> Any:
    """Load paths and labels of the Free Spoken Digit Dataset from its folder.

    Parameters
    ----------
    root : str or path-like
        The data set's folder, or the folder ``recordings`` in it, with files named ``digit_speaker_index.wav``.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    Bunch
        With these attributes, sorted by digit, speaker and index:

        data : ndarray of shape (n_clips,), object
            Paths of the files, as str.
        target : ndarray of shape (n_clips,), str
            Digit, "0" to "9".
        target_names : list of str
            The digits that occur, sorted.
        groups : ndarray of shape (n_clips,), str
            Speaker.
        fold, cv : None
            There are no official folds that keep speakers whole.
        frame : pandas.DataFrame or None
            Path, digit, speaker and index; None without pandas.
        DESCR : str
            What it is, counts, licence and citation.

    Raises
    ------
    NotADirectoryError
        If ``root`` is no folder.
    FileNotFoundError
        If no file in it has such a name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from soundclf.datasets import load_fsdd
    >>> with tempfile.TemporaryDirectory() as folder:  # in place of the data set, two empty files
    ...     for name in ("7_jackson_32.wav", "0_theo_1.wav"):
    ...         Path(folder, name).touch()
    ...     spoken = load_fsdd(folder)
    >>> spoken.target.tolist(), spoken.groups.tolist()
    (['0', '7'], ['theo', 'jackson'])
    """
    folder = check_directory(root, "The Free Spoken Digit Dataset")
    if (folder / "recordings").is_dir():
        folder = folder / "recordings"
    matches = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    if not matches:
        raise FileNotFoundError(f"{str(folder)!r} holds no files named like '7_jackson_32.wav'")
    matches.sort(key=lambda match: (match[1], match[2], int(match[3])))
    digits, speakers, indices = ([match[i] for match in matches] for i in (1, 2, 3))
    paths = [str(folder / match.string) for match in matches]
    known = sorted(set(speakers))
    return make_bunch(
        paths,
        digits,
        groups=speakers,
        frame={"path": paths, "digit": digits, "speaker": speakers, "index": [int(index) for index in indices]},
        descr=_DESCR.format(
            clips=format_count(len(paths), "clip"), speakers=format_count(len(known), "speaker"), names=", ".join(known)
        ),
        return_X_y=return_X_y,
    )


def fetch_fsdd(
    data_home: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    checksum: str | None = None,
    verbose: int = 1,
    return_X_y: bool = False,
) -> Any:
    """Download the Free Spoken Digit Dataset (release 1.0.9, 12 MB) unless it is there, and load it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Where data sets are kept; by default "soundclf" in the user's cache folder.
    url : str, default=None
        Another address of the archive, such as a mirror's.
    checksum : str, default=None
        What the archive must match, as "md5:..." or "sha256:..."; by default the official archive's.
    verbose : int, default=1
        With 1 or more, a progress bar.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    Bunch
        As from :func:`load_fsdd`.

    Raises
    ------
    DownloadError
        If the archive cannot be fetched, does not match its checksum, or holds what it must not.
    """
    folder = fetch_archive(_ARCHIVE, data_home, url=url, checksum=checksum, verbose=verbose, load=load_fsdd)
    return load_fsdd(folder, return_X_y=return_X_y)
