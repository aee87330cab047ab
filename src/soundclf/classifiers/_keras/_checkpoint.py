"""Checkpoints: files from which the training of a killed process continues.

A checkpoint is a file in NumPy's npz format, written atomically and never unpickled. Its name is a hash of all that
determines a fit: the data, the parameters and the initial state. Different fits, such as those of the candidates and
folds of a search, therefore have different files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..._utils.files import write_atomically
from ._networks import TrainingState

__all__ = ["Checkpoint"]

_FORMAT = 2  # of the files and of the hash; a new number makes old files unknown
T = TypeVar("T")
_GROUPS = ("weights", "average", "optimizer")  # of arrays in a TrainingState


class Checkpoint:
    """The file with the progress of one fit.

    Parameters
    ----------
    folder : path-like
        Folder of the file, created if it does not exist.
    arrays : iterable of ndarray
        Data and states that determine the fit.
    settings : mapping
        Parameters and versions that determine the fit, serializable as JSON.
    """

    def __init__(self, folder: Any, arrays: Iterable[np.ndarray], settings: Mapping[str, Any]):
        digest = hashlib.sha256(json.dumps([_FORMAT, settings], sort_keys=True, default=np.generic.item).encode())
        for array in arrays:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        self._file = Path(folder, f"{digest.hexdigest()}.npz")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"checkpoint={str(folder)!r} cannot be used as a folder ({error.strerror})") from error
        for left in self._file.parent.glob(f".*{self._file.name[-20:]}"):  # by a process killed while writing
            with contextlib.suppress(OSError):
                left.unlink()

    def save(self, states: Mapping[str, TrainingState | None], progress: Mapping[str, Any]) -> None:
        """Save states and progress, replacing those saved before."""
        arrays: dict[str, np.ndarray] = {}
        descriptions: dict[str, Any] = {}
        for name, state in states.items():
            if state is None:
                continue
            for group in _GROUPS:
                arrays |= {f"{name}.{group}.{i}": array for i, array in enumerate(getattr(state, group).values())}
            names = {group: list(getattr(state, group)) for group in _GROUPS}
            descriptions[name] = {"names": names, "epochs": state.epochs, "random": state.random}
        text = json.dumps({"progress": progress, "states": descriptions})
        try:
            with write_atomically(self._file) as draft, draft.open("wb") as file:
                np.savez(file, **arrays, description=np.frombuffer(text.encode(), np.uint8))  # type: ignore[arg-type]
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._file.parent.is_dir():
                return  # another process with the same fit removed the draft, and writes the same file
            warnings.warn(
                f"The checkpoint {str(self._file)!r} cannot be written ({error.strerror}); training continues without "
                "it. Free some space, or choose another folder",
                RuntimeWarning,
                stacklevel=2,
            )

    def load(self, restore: Callable[[dict[str, TrainingState], dict[str, Any]], T]) -> T | None:
        """Return the result of ``restore`` for the saved states and progress, or None without a file.

        A damaged file, or one for which ``restore`` raises an exception, is reported in a warning and not used.
        """
        try:
            with self._file.open("rb") as file, np.load(file, allow_pickle=False) as entry:
                text = json.loads(entry["description"].tobytes())
                states = {
                    name: TrainingState(
                        **{
                            group: {key: entry[f"{name}.{group}.{i}"] for i, key in enumerate(keys)}
                            for group, keys in state["names"].items()
                        },
                        epochs=state["epochs"],
                        random=state["random"],
                    )
                    for name, state in text["states"].items()
                }
                return restore(states, text["progress"])
        except FileNotFoundError:
            return None
        except Exception as error:  # NumPy, zipfile and JSON raise many kinds for damaged files
            warnings.warn(
                f"The checkpoint {str(self._file)!r} cannot be read, so training starts from the beginning: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
