"""The archive of a model file: read within limits, and refused where it claims more than it holds."""

from __future__ import annotations

import io
import json
import math
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from ..exceptions import ModelError

__all__ = ["MAX_BYTES", "MAX_TEXT", "ModelArchive", "make_damage_error"]

MAX_BYTES = 2**30  # of a file
MAX_TEXT = 2**25  # characters of a schema in which nothing is shared
_MAX_INDEX = 2**23  # bytes of the archive's directory


def make_damage_error(reason: str) -> ModelError:
    """Return the error for a file that no version of soundclf would have written."""
    return ModelError(f"it is damaged: {reason}")


class ModelArchive:
    """A file in skops' format that is not compressed.

    Parameters
    ----------
    file : binary file object
        Seekable; its content need not be trusted.

    Raises
    ------
    ModelError
        If it is not such a file, or larger than allowed: the reason, as the end of a sentence about the file.
    """

    def __init__(self, file: BinaryIO):
        size = file.seek(0, io.SEEK_END)
        if size > MAX_BYTES:
            raise ModelError(f"it is larger than {MAX_BYTES >> 20} MiB")
        file.seek(0)
        head = file.read(4)
        file.seek(-min(size, 42), io.SEEK_END)
        end = file.read(42)
        if not size:
            raise ModelError("it is empty")
        if head[:1] == b"\x80":
            raise ModelError("it is a pickle, which can run any code when it is loaded; joblib.load reads your own")
        if head != b"PK\3\4":
            raise ModelError("it is no file in skops' format")
        if len(end) < 22 or end[-22:-18] != b"PK\5\6" or end[-2:] != b"\0\0" or end[:4] == b"PK\6\7":
            raise make_damage_error("its end is missing")
        if int.from_bytes(end[-10:-6], "little") > _MAX_INDEX:  # all of which zipfile would keep as objects
            raise ModelError("it is an archive of too many files")
        self._zip = ZipFile(file)
        members = self._zip.infolist()
        if any(member.compress_type != ZIP_STORED or member.flag_bits & 1 for member in members):
            raise ModelError("it is compressed or encrypted, as model files never are")
        self._sizes = {member.filename: member.file_size for member in members}
        if len(self._sizes) < len(members) or sum(self._sizes.values()) > size:
            raise make_damage_error("files in it overlap")

    def read_json(self, name: str, max_size: int = MAX_TEXT) -> Any:
        """Return the content of a JSON file in the archive."""
        if name not in self._sizes:
            raise ModelError(f"it was not written by soundclf.save (it holds no {name})")
        if self._sizes[name] > max_size:
            raise ModelError(f"its {name} is larger than {max_size >> 20} MiB")
        return json.loads(self._zip.read(name))

    def read_array(self, name: Any) -> np.ndarray:
        """Return an array, if its header agrees with its size."""
        if not isinstance(name, str) or name not in self._sizes:
            raise make_damage_error("an array is missing")
        with self._zip.open(name) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise make_damage_error("an array is in a format that is not known")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            n_bytes = dtype.itemsize * math.prod(shape)
            if dtype.hasobject or dtype.itemsize < 1 or min(shape, default=0) < 0:
                raise make_damage_error("an array is of a type that arrays in model files never are")
            if file.tell() + n_bytes != self._sizes[name]:
                raise make_damage_error("an array has not the size that it claims")
        array = np.load(io.BytesIO(self._zip.read(name)), allow_pickle=False)
        if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:  # NumPy counts on 0 and 1
            raise make_damage_error("an array of booleans holds other values")
        return array

    def get_size(self, name: str) -> int:
        """Return the size of a file in the archive in bytes, 0 if there is none."""
        return self._sizes.get(name, 0)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file in the archive."""
        return self._zip.read(name)
