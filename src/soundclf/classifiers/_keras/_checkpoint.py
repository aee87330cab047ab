"""How a killed training goes on: its state on disk, under a fingerprint of all that determines it.

An entry is a file of NumPy's npz format, written aside and moved into place, and never unpickled. It is keyed by the
data, the parameters and the state that training started from, so that other fits, such as those of a search's
candidates and folds, have entries of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ._networks import TrainingState

__all__ = ["Checkpoint"]

_FORMAT = 2  # of the entries and of the fingerprint; a new number makes old entries unknown
T = TypeVar("T")
_PARTS = ("weights", "average", "optimizer")  # of arrays in a TrainingState


class Checkpoint:
    """A place on disk for the progress of one fit.

    Parameters
    ----------
    folder : path-like
        Where the entries are; it is made if it does not exist.
    arrays : iterable of ndarray
        Data and states that determine the fit.
    settings : mapping
        What else does, as JSON can express it.
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
        for left in self._file.parent.glob(f".{self._file.name}.*"):  # of a process killed while writing
            with contextlib.suppress(OSError):
                left.unlink()

    def save(self, states: Mapping[str, TrainingState | None], progress: Mapping[str, Any]) -> None:
        """Keep states and progress, in place of what was kept before."""
        arrays: dict[str, np.ndarray] = {}
        described: dict[str, Any] = {}
        for name, state in states.items():
            if state is None:
                continue
            for part in _PARTS:
                arrays |= {f"{name}.{part}.{i}": array for i, array in enumerate(getattr(state, part).values())}
            names = {part: list(getattr(state, part)) for part in _PARTS}
            described[name] = {"names": names, "epochs": state.epochs, "random": state.random}
        text = json.dumps({"progress": progress, "states": described})
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            with aside.open("wb") as file:
                np.savez(file, **arrays, description=np.frombuffer(text.encode(), np.uint8))  # type: ignore[arg-type]
            with contextlib.suppress(FileNotFoundError):  # another fit of the same took it away, and keeps the same
                aside.replace(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            warnings.warn(
                f"The checkpoint {str(self._file)!r} cannot be written ({error.strerror}); training goes on without it",
                RuntimeWarning,
                stacklevel=2,
            )

    def load(self, checked: Callable[[dict[str, TrainingState], dict[str, Any]], T]) -> T | None:
        """Give what ``checked`` makes of what was kept, or None.

        A damaged entry, or one that ``checked`` raises an exception for, is told of in a warning and done without.
        """
        try:
            with self._file.open("rb") as file, np.load(file, allow_pickle=False) as entry:
                text = json.loads(entry["description"].tobytes())
                states = {
                    name: TrainingState(
                        **{
                            part: {key: entry[f"{name}.{part}.{i}"] for i, key in enumerate(keys)}
                            for part, keys in state["names"].items()
                        },
                        epochs=state["epochs"],
                        random=state["random"],
                    )
                    for name, state in text["states"].items()
                }
                return checked(states, text["progress"])
        except FileNotFoundError:
            return None
        except Exception as error:  # what NumPy, zipfile and JSON may raise for any bytes is a long list
            warnings.warn(
                f"The checkpoint {str(self._file)!r} cannot be read, and training starts anew: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
