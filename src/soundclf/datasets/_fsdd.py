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

{clips} from {speakers}: {names}. `groups` contains the speaker of each clip, so that splits by group measure
accuracy on unseen speakers.

License: CC BY-SA 4.0. Z. Jackson and contributors, "Free Spoken Digit Dataset (FSDD)".
"""

_NAME = re.compile(r"(\d)_(.+)_(\d+)\.wav", re.IGNORECASE)


def load_fsdd(root: str | os.PathLike[str], *, return_X_y: bool = False) -> Any:
    """Load paths and labels of the Free Spoken Digit Dataset from its folder.

    Parameters
    ----------
    root : str or path-like
        The data set's folder, or the folder ``recordings`` in it, with files named ``digit_speaker_index.wav``.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

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
            The data set defines no folds that separate speakers.
        frame : pandas.DataFrame or None
            Path, digit, speaker and index; None if pandas is not installed.
        DESCR : str
            Description, counts, license and citation.

    Raises
    ------
    NotADirectoryError
        If ``root`` is not a folder.
    FileNotFoundError
        If it contains no file with such a name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from soundclf.datasets import load_fsdd
    >>> with tempfile.TemporaryDirectory() as folder:  # two empty files instead of the data set
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
        raise FileNotFoundError(f"{str(folder)!r} contains no files with names such as '7_jackson_32.wav'")
    matches.sort(key=lambda match: (match[1], match[2], int(match[3])))
    digits, speakers, indices = ([match[i] for match in matches] for i in (1, 2, 3))
    paths = [str(folder / match.string) for match in matches]
    names = sorted(set(speakers))
    return make_bunch(
        paths,
        digits,
        groups=speakers,
        frame={"path": paths, "digit": digits, "speaker": speakers, "index": [int(index) for index in indices]},
        descr=_DESCR.format(
            clips=format_count(len(paths), "clip"), speakers=format_count(len(names), "speaker"), names=", ".join(names)
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
    """Download the Free Spoken Digit Dataset (release 1.0.9, 12 MB) if necessary, and load it.

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
        As from :func:`load_fsdd`.

    Raises
    ------
    DownloadError
        If the archive cannot be downloaded, does not match its checksum, or contains a forbidden member.
    """
    folder = fetch_archive(_ARCHIVE, data_home, url=url, checksum=checksum, verbose=verbose, load=load_fsdd)
    return load_fsdd(folder, return_X_y=return_X_y)
