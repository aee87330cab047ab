"""Sounds in folders, one for each class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from .._utils.text import format_count
from .._utils.validation import NONE, Rule, check_params, one_of
from ..audio import stream_clip
from ..exceptions import AudioError, AudioWarning
from ._collection import DataSetError, check_directory, format_few, make_bunch

__all__ = ["AUDIO_EXTENSIONS", "load_audio_folder"]

AUDIO_EXTENSIONS = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav",
)  # fmt: skip
_UNREADABLE = (".aac", ".ac3", ".amr", ".ape", ".m4a", ".mka", ".mp4", ".webm", ".wma", ".wv")  # sounds, all the same

Namer = str | re.Pattern[str] | Callable[[Path], Any]

_NAMER = Rule(
    "a regular expression or a function of a path",
    lambda v: callable(v) or (isinstance(getattr(v, "pattern", v), str) and _compiles(v)),
)
_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "label": (one_of(["parent"]), _NAMER),
    "group": (NONE, _NAMER),
    "fold": (NONE, _NAMER),
    "extensions": (
        Rule(
            'a list of file name endings such as ".wav"',
            lambda v: isinstance(v, tuple) and all(isinstance(e, str) and e.startswith(".") for e in v),
        ),
    ),
    "errors": (one_of(["keep", "skip", "raise"]),),
}


def _compiles(pattern: str | re.Pattern[str]) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def load_audio_folder(
    root: str | os.PathLike[str],
    *,
    label: Literal["parent"] | Namer = "parent",
    group: Namer | None = None,
    fold: Namer | None = None,
    extensions: Iterable[str] = AUDIO_EXTENSIONS,
    errors: Literal["keep", "skip", "raise"] = "keep",
    return_X_y: bool = False,
) -> Any:
    """Load the paths of sounds that lie in folders, one for each class.

    Folders within folders are searched too, links among them, each once: a folder that a link leads to as well counts
    under its own name, not the link's. Files and folders whose names start with a dot, and files with other extensions,
    are ignored; ``DESCR`` says how many, ``ignored`` which.

    Parameters
    ----------
    root : str or path-like
        The folder that holds the folders of the classes.
    label : "parent", str, re.Pattern or callable, default="parent"
        Where a clip's label comes from: the name of the folder that it lies in, or what a regular expression finds in
        the file's name, or what a function makes of the file's path. Of a regular expression, the first group counts
        if it has one, else the whole match. With "parent", files that lie in ``root`` itself are ignored.
    group : str, re.Pattern or callable, default=None
        Where the recording that a clip was cut from is named, in the same ways.
    fold : str, re.Pattern or callable, default=None
        Where the fold that a clip belongs to is named, in the same ways.
    extensions : iterable of str, default=AUDIO_EXTENSIONS
        Endings of the names of sounds, upper or lower case: by default those of the formats that libsndfile reads.
    errors : {"keep", "skip", "raise"}, default="keep"
        What to do about files that cannot be decoded: keep them for the transformer to tell of, without opening any;
        or decode all of them, and leave out such files with a warning that lists them, or raise an AudioError.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    Bunch
        With these attributes, rows sorted by path:

        data : ndarray of shape (n_clips,), object
            Paths of the files, as str.
        target : ndarray of shape (n_clips,), str
            Labels.
        target_names : list of str
            The labels that occur, sorted.
        groups : ndarray of shape (n_clips,), str, or None
            The recording of each clip, with ``group``.
        fold : ndarray of shape (n_clips,), or None
            The fold of each clip, with ``fold``: int where all are whole numbers, else str.
        cv : sklearn.model_selection.PredefinedSplit or None
            Each fold in turn as the test set, in sorted order.
        frame : pandas.DataFrame or None
            Path, label, group and fold; None without pandas.
        ignored : list of str
            Paths of the files that were passed over.
        missing : list of str
            Paths of the sounds that were left out: those in formats that cannot be read, and files that cannot be
            decoded.
        DESCR : str
            A short description.

    Raises
    ------
    NotADirectoryError
        If ``root`` is no folder.
    AudioError
        If there is no sound in it, and with ``errors="raise"``.
    ValueError
        For a file name that a regular expression does not match, and for an empty label, group or fold.
    OSError
        For a folder that cannot be read.
    ParameterError
        For a parameter outside its range.

    Warns
    -----
    AudioWarning
        For sounds in formats that cannot be read, and for files left out.

    Examples
    --------
    >>> import tempfile
    >>> from soundclf.datasets import load_audio_folder, make_sounds
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_sounds(6, classes=["bell", "rain"], directory=folder, random_state=0)
    ...     sounds = load_audio_folder(folder, group=r"(.+)-")
    >>> sounds.target.tolist()
    ['bell', 'bell', 'bell', 'rain', 'rain', 'rain']
    >>> sounds.groups.tolist()
    ['bell-000', 'bell-000', 'bell-000', 'rain-000', 'rain-000', 'rain-000']
    """
    listable = isinstance(extensions, Iterable) and not isinstance(extensions, str)
    endings: Any = tuple(extensions) if listable else extensions
    values = {"label": label, "group": group, "fold": fold, "extensions": endings, "errors": errors}
    check_params("load_audio_folder", values, _PARAMETERS)
    folder = check_directory(root, "An audio folder")
    known = tuple(ending.lower() for ending in endings)
    sounds, ignored, foreign = [], [], []
    for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        hidden, ending = _is_hidden(path, folder), path.name.lower()
        if hidden or not ending.endswith(known) or (label == "parent" and path.parent == folder):
            ignored.append(str(path))
            if not hidden and ending.endswith(_UNREADABLE):
                foreign.append(path)
        else:
            sounds.append(path)
    if foreign:
        warnings.warn(
            f"{format_count(len(foreign), 'sound')} in formats that cannot be read: "
            f"{format_few([path.relative_to(folder).as_posix() for path in foreign])}. Convert them, for "
            "example to FLAC",
            AudioWarning,
            stacklevel=2,
        )
    if not sounds:
        where = "no sounds in folders of classes" if label == "parent" else "no sounds"
        more = f", {format_count(len(foreign), 'sound')} in formats that cannot be read among them" if foreign else ""
        raise DataSetError(f"the folder {str(folder)!r} holds {where}; {_passed_over(ignored)}{more}")
    undecodable = [] if errors == "keep" else _undecodable(sounds, errors)
    left_out = set(undecodable)
    sounds = [path for path in sounds if str(path) not in left_out]
    if not sounds:
        raise DataSetError(f"not one sound in the folder {str(folder)!r} can be decoded")
    labels = [path.parent.name if label == "parent" else _named(label, path, "label") for path in sounds]
    groups = None if group is None else [_named(group, path, "group") for path in sounds]
    folds = None if fold is None else [_named(fold, path, "fold") for path in sounds]
    paths = [str(path) for path in sounds]
    known_too = {"group": groups, "fold": folds}
    columns = {"path": paths, "label": labels} | {name: cells for name, cells in known_too.items() if cells is not None}
    descr = (
        f"{format_count(len(paths), 'sound')} of {format_count(len(set(labels)), 'class')} below {str(folder)!r}; "
        f"{_passed_over(ignored)}, {len(undecodable)} left out as undecodable."
    )
    return make_bunch(
        paths,
        labels,
        groups=groups,
        fold=folds,
        frame=columns,
        descr=descr,
        return_X_y=return_X_y,
        ignored=ignored,
        missing=[str(path) for path in foreign] + undecodable,
    )


def _passed_over(ignored: Sequence[str]) -> str:
    return f"{format_count(len(ignored), 'hidden or other file')} ignored"


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _files(root: Path) -> Iterator[Path]:
    """Walk through folders, each once: links when all else is done, hidden ones last."""
    seen: set[str] = set()
    tops = [root]
    while tops:
        tops.sort(key=lambda path: (_is_hidden(path, root), path.relative_to(root).as_posix()))
        for parent, folders, files in os.walk(tops.pop(0), onerror=_raise):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            tops += [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
            yield from (Path(parent, name) for name in files)


def _raise(error: OSError) -> None:
    raise error


def _named(namer: Any, path: Path, what: str) -> str:
    """Apply a regular expression or a function to a file."""
    if callable(namer):
        name = namer(path)
        by = f"The {what} function gives {name!r}"
    else:
        match = re.search(namer, path.name)
        pattern = namer.pattern if isinstance(namer, re.Pattern) else namer
        if match is None:
            raise ValueError(f"The {what} expression {pattern!r} does not match the file name {path.name!r} ({path})")
        name = match[1] if match.re.groups else match[0]
        by = f"The {what} expression {pattern!r} finds {name!r}"
    if name is None or name != name or not str(name).strip():  # NaN differs from itself
        raise ValueError(f"{by} for the file name {path.name!r}, which is no {what} ({path})")
    return str(name)


def _undecodable(sounds: Iterable[Path], errors: str) -> list[str]:
    bad, reasons = [], []
    for path in sounds:
        try:
            for _ in stream_clip(path):
                pass
        except AudioError as error:
            if errors == "raise":
                raise
            bad.append(str(path))
            reasons.append(str(error))
    if bad:
        shown = " ".join(reasons[:10]) + (f" And {len(bad) - 10} more." if len(bad) > 10 else "")
        warnings.warn(
            f"{format_count(len(bad), 'file')} cannot be decoded and left out. {shown}", AudioWarning, stacklevel=3
        )
    return bad
