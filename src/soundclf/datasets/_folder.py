"""Load sounds from one folder per class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from .._utils.text import format_count, format_list
from .._utils.validation import NONE, Rule, check_params, one_of
from ..audio import stream_clip
from ..exceptions import AudioError, AudioWarning
from ._collection import DataSetError, check_directory, format_first, make_bunch

__all__ = ["AUDIO_EXTENSIONS", "load_audio_folder"]

AUDIO_EXTENSIONS = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav",
)  # fmt: skip
_UNREADABLE = (
    ".aac",
    ".ac3",
    ".amr",
    ".ape",
    ".m4a",
    ".mka",
    ".mp4",
    ".webm",
    ".wma",
    ".wv",
)  # audio formats that libsndfile cannot read

Namer = str | re.Pattern[str] | Callable[[Path], Any]

_NAMER = Rule(
    "a regular expression or a function of a path",
    lambda v: callable(v) or (isinstance(getattr(v, "pattern", v), str) and _is_valid_pattern(v)),
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


def _is_valid_pattern(pattern: str | re.Pattern[str]) -> bool:
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
    """Load paths and labels of sounds from one folder per class.

    Subfolders and links to folders are searched recursively, each folder once; a folder that is also the target of a
    link is listed under its own name. Files and folders whose names start with a dot and files with other extensions
    are ignored and listed in ``ignored``.

    Parameters
    ----------
    root : str or path-like
        The folder that contains the folders of the classes.
    label : "parent", str, re.Pattern or callable, default="parent"
        How to obtain a clip's label: "parent" uses the name of its folder, a regular expression is searched in the
        file name, and a function is called with the path. The value of a regular expression is its first group, or
        the entire match if it has no group. With "parent", files directly in ``root`` are ignored.
    group : str, re.Pattern or callable, default=None
        How to obtain the recording that a clip was cut from, as for ``label``.
    fold : str, re.Pattern or callable, default=None
        How to obtain a clip's fold, as for ``label``.
    extensions : iterable of str, default=AUDIO_EXTENSIONS
        File extensions of sounds, case-insensitive; by default those of the formats that libsndfile reads.
    errors : {"keep", "skip", "raise"}, default="keep"
        What to do with files that cannot be decoded. "keep" opens no file and leaves errors to the transformer. "skip"
        and "raise" decode all files and skip such files with a warning that lists them, or raise an AudioError.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With these attributes, rows sorted by path:

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
            Path, label, group and fold; None if pandas is not installed.
        ignored : list of str
            Paths of the files that were ignored.
        missing : list of str
            Paths of the sounds that were skipped: those in unsupported formats and files that cannot be decoded.
        DESCR : str
            A short description.

    Raises
    ------
    NotADirectoryError
        If ``root`` is not a folder.
    AudioError
        If it contains no sound, or a file cannot be decoded and ``errors="raise"``.
    ValueError
        If a regular expression does not match a file name, or a label, group or fold is empty.
    OSError
        If a folder cannot be read.
    ParameterError
        If a parameter is out of range.

    Warns
    -----
    AudioWarning
        If sounds are in unsupported formats, or files are skipped.

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
    suffixes = tuple(ending.lower() for ending in endings)
    sounds, ignored, unsupported = [], [], []
    for path in sorted(_walk_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        hidden, ending = _is_hidden(path, folder), path.name.lower()
        if hidden or not ending.endswith(suffixes) or (label == "parent" and path.parent == folder):
            ignored.append(str(path))
            if not hidden and ending.endswith(_UNREADABLE):
                unsupported.append(path)
        else:
            sounds.append(path)
    if unsupported:
        warnings.warn(
            AudioWarning(
                f"{format_count(len(unsupported), 'sound')} in unsupported formats: "
                f"{format_first([path.relative_to(folder).as_posix() for path in unsupported])}. Convert them, for "
                "example to FLAC",
                [AudioError("its format is not supported", repr(str(path))) for path in unsupported],
            ),
            stacklevel=2,
        )
    if not sounds:
        where = "no sounds in folders of classes" if label == "parent" else "no sounds"
        more = f", including {format_count(len(unsupported), 'sound')} in unsupported formats" if unsupported else ""
        raise DataSetError(f"the folder {str(folder)!r} contains {where}; {_describe_ignored(ignored)}{more}")
    undecodable = [] if errors == "keep" else _find_undecodable(sounds, errors)
    skipped = set(undecodable)
    sounds = [path for path in sounds if str(path) not in skipped]
    if not sounds:
        raise DataSetError(f"no sound in the folder {str(folder)!r} can be decoded")
    labels = [path.parent.name if label == "parent" else _apply_namer(label, path, "label") for path in sounds]
    groups = None if group is None else [_apply_namer(group, path, "group") for path in sounds]
    folds = None if fold is None else [_apply_namer(fold, path, "fold") for path in sounds]
    paths = [str(path) for path in sounds]
    optional = {"group": groups, "fold": folds}
    columns = {"path": paths, "label": labels} | {name: cells for name, cells in optional.items() if cells is not None}
    descr = (
        f"{format_count(len(paths), 'sound')} of {format_count(len(set(labels)), 'class')} below {str(folder)!r}; "
        f"{_describe_ignored(ignored)}, {len(undecodable)} skipped as undecodable."
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
        missing=[str(path) for path in unsupported] + undecodable,
    )


def _describe_ignored(ignored: Sequence[str]) -> str:
    return f"{format_count(len(ignored), 'hidden or other file')} ignored"


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _walk_files(root: Path) -> Iterator[Path]:
    """Yield all files below a folder, visiting each folder once: links after other folders, hidden ones last."""
    seen: set[str] = set()
    tops = [root]
    while tops:
        tops.sort(key=lambda path: (_is_hidden(path, root), path.relative_to(root).as_posix()))
        for parent, folders, files in os.walk(tops.pop(0), onerror=_raise_error):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            tops += [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
            yield from (Path(parent, name) for name in files)


def _raise_error(error: OSError) -> None:
    raise error


def _apply_namer(namer: Any, path: Path, what: str) -> str:
    """Apply a regular expression or a function to a file."""
    if callable(namer):
        name = namer(path)
        source = f"The {what} function returned {name!r}"
    else:
        match = re.search(namer, path.name)
        pattern = namer.pattern if isinstance(namer, re.Pattern) else namer
        if match is None:
            raise ValueError(f"The {what} expression {pattern!r} does not match the file name {path.name!r} ({path})")
        name = match[1] if match.re.groups else match[0]
        source = f"The {what} expression {pattern!r} found {name!r}"
    if name is None or name != name or not str(name).strip():  # NaN differs from itself
        raise ValueError(f"{source} for the file name {path.name!r}, which is not a valid {what} ({path})")
    return str(name)


def _find_undecodable(sounds: Iterable[Path], errors: str) -> list[str]:
    bad, reasons = [], []
    for path in sounds:
        try:
            for _ in stream_clip(path):
                pass
        except AudioError as error:
            if errors == "raise":
                raise
            bad.append(str(path))
            reasons.append(error)
    if bad:
        shown = format_list(reasons, 10, str, " ")
        message = f"{format_count(len(bad), 'file')} cannot be decoded and are skipped. {shown}"
        warnings.warn(AudioWarning(message, reasons), stacklevel=3)
    return bad
