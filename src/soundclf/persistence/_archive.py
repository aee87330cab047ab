"""What a model file may hold: its archive and schema are looked through, and skops gets a copy of what passed.

skops constructs no types but those it is told to trust. How large, deep and entangled a file is, what its arrays claim
to be, and which of two nodes with one id counts, is left to the file's author. Here it is not: what is not understood
is refused, and what is handed on is written anew.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from ..exceptions import ModelError
from ._checks import Place, check_generator, check_random_state, check_tree

__all__ = ["MOST_BYTES", "RESET", "ModelArchive", "Vetted"]

MOST_BYTES = 2**30  # of a file
_SCHEMA = "schema.json"
_PROTOCOL = 2  # of skops' schemas; another would have to be understood first
_MOST_TEXT = 2**25  # characters of a schema in which nothing is shared
_MOST_INDEX = 2**23  # bytes of the archive's directory
_DEPTH = 100  # nodes within nodes
_NODE = 100  # characters that a node takes at least
_NAME = 500  # characters of the name of a class and its module

RESET = ("checkpoint", "memory", "n_jobs")  # paths and numbers of workers of the author's
_NONE = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null"}
_KEYS = {"builtins.str", "builtins.int", "builtins.float", "numpy.str_", "numpy.int64", "numpy.int32", "numpy.float64"}
_NO_OBJECTS = {"numpy.dtype", "sklearn.tree._tree.Tree"}  # which have loaders of their own
_LOSSES = ("sklearn._loss._loss.Cy", "sklearn.linear_model._sgd_fast.")
_Node = dict[str, Any]


def _damaged(reason: str) -> ModelError:
    return ModelError(f"it is damaged: {reason}")


@dataclass(frozen=True)
class Vetted:
    """An archive for skops.

    Attributes
    ----------
    archive : BytesIO
        What passed, written anew.
    types : dict of str to Place
        Names of all classes and functions in it, and where each is met first.
    values : set of str
        Those that are met as values, and might be called, rather than as what an object is of.
    unknown : dict of str to Place
        The same as ``types`` for kinds of objects that no model file holds; if there are any, the archive is empty.
    """

    archive: io.BytesIO
    types: dict[str, Place]
    values: set[str]
    unknown: dict[str, Place]


class ModelArchive:
    """A file in skops' format that is not compressed.

    Parameters
    ----------
    file : binary file object
        Seekable; anything may be in it.

    Raises
    ------
    ModelError
        If it is no such file, or larger than allowed: why, as the end of a sentence about it.
    """

    def __init__(self, file: BinaryIO):
        size = file.seek(0, io.SEEK_END)
        if size > MOST_BYTES:
            raise ModelError(f"it is larger than {MOST_BYTES >> 20} MiB")
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
            raise _damaged("its end is missing")
        if int.from_bytes(end[-10:-6], "little") > _MOST_INDEX:  # all of which zipfile would keep as objects
            raise ModelError("it is an archive of too many files")
        self._zip = ZipFile(file)
        members = self._zip.infolist()
        if any(member.compress_type != ZIP_STORED or member.flag_bits & 1 for member in members):
            raise ModelError("it is compressed or encrypted, as model files never are")
        self._sizes = {member.filename: member.file_size for member in members}
        if len(self._sizes) < len(members) or sum(self._sizes.values()) > size:
            raise _damaged("files in it overlap")

    def text(self, name: str, most: int = _MOST_TEXT) -> Any:
        """Give what a JSON file in the archive holds."""
        if name not in self._sizes:
            raise ModelError(f"it was not written by soundclf.save (it holds no {name})")
        if self._sizes[name] > most:
            raise ModelError(f"its {name} is larger than {most >> 20} MiB")
        return json.loads(self._zip.read(name))

    def array(self, name: Any) -> np.ndarray:
        """Give an array, if it is all that it claims to be."""
        if not isinstance(name, str) or name not in self._sizes:
            raise _damaged("an array is missing")
        with self._zip.open(name) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise _damaged("an array is in a format that is not known")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            n_bytes = dtype.itemsize * math.prod(shape)
            if dtype.hasobject or dtype.itemsize < 1 or min(shape, default=0) < 0:
                raise _damaged("an array is of a type that arrays in model files never are")
            if file.tell() + n_bytes != self._sizes[name]:
                raise _damaged("an array has not the size that it claims")
        array = np.load(io.BytesIO(self._zip.read(name)), allow_pickle=False)
        if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:  # NumPy counts on 0 and 1
            raise _damaged("an array of booleans holds other values")
        return array

    def vetted(self) -> Vetted:
        """Look through all that skops would construct.

        Returns
        -------
        Vetted
            A copy of it, in which paths and numbers of workers are None.

        Raises
        ------
        ModelError
            For anything that :func:`skops.io.dump` would not have written so.
        """
        schema = self.text(_SCHEMA)
        if not isinstance(schema, dict) or schema.get("protocol") != _PROTOCOL:
            raise ModelError("it was written by another version of skops, whose files are not known here")
        walk = _Walk(self)
        root = walk.node(schema, Place(None, "model"))
        copy = io.BytesIO()
        if not walk.unknown:
            with ZipFile(copy, "w", ZIP_STORED) as target:
                for name, new in walk.files.items():
                    target.writestr(new, self._zip.read(name))
                text = json.dumps({**root, "protocol": _PROTOCOL}, separators=(",", ":"))
                target.writestr(_SCHEMA, text)
            copy.seek(0)
        return Vetted(copy, walk.types, walk.values, walk.unknown)


class _Walk:
    """Goes through the nodes of a schema once, as skops will, and gives them anew.

    Where an id comes again, skops takes what it met first, whatever is written there; so does this.
    """

    def __init__(self, archive: ModelArchive):
        self._archive = archive
        self._met: dict[int, tuple[_Node, int, int] | None] = {}
        self._ids = 0
        self._text = 0
        self._bytes = 0
        self._depth = 0
        self.files: dict[str, str] = {}  # from names as given to names of our own
        self._given: dict[str, str] = {}  # and back
        self.types: dict[str, Place] = {}
        self.values: set[str] = set()
        self.unknown: dict[str, Place] = {}

    def node(self, state: Any, where: Place) -> _Node:
        if not isinstance(state, dict):
            raise _damaged(f"{where} is no node")
        key = state.get("__id__")
        if key is not None and type(key) is not int:
            raise _damaged(f"{where} is no node")
        if key in self._met:
            known = self._met[key]
            if known is None:
                raise _damaged(f"{where} is a part of itself")
            self._grow(known[1], known[2])
            return known[0]
        loader, module, name = (state.get(part) for part in ("__loader__", "__module__", "__class__"))
        if loader == "LossNode" and module == "_loss":  # as older versions of scikit-learn call it
            module = "sklearn._loss._loss"
        if not isinstance(loader, str) or not isinstance(module, str) or not isinstance(name, str):
            raise _damaged(f"{where} is no node")
        if len(module) + len(name) > _NAME:
            raise _damaged(f"{where} is of a type with an endless name")
        if key is not None:
            self._met[key] = None
        self._depth += 1
        if self._depth > _DEPTH:
            raise ModelError(f"its parts are nested more than {_DEPTH} deep")
        before = self._text, self._bytes
        self._grow(_NODE + len(module) + len(name))
        node: _Node = {"__class__": name, "__module__": module, "__loader__": loader}
        kind = f"{module}.{name}"
        self.types.setdefault(kind, where)
        kinds, look = _LOADERS.get(loader, (None, None))
        if look is None or not (kinds is None or kind in kinds):
            self.unknown.setdefault(kind, where)
        else:
            node |= look(self, state, where, kind)
        self._depth -= 1
        if key is not None:
            self._ids += 1
            node["__id__"] = self._ids
            self._met[key] = node, self._text - before[0], self._bytes - before[1]
        return node

    def _grow(self, n: int, n_bytes: int = 0) -> None:
        """Count text and arrays, each time that they are referred to: what is constructed of them may be copies."""
        self._text += n
        self._bytes += n_bytes
        if self._text > _MOST_TEXT:
            raise ModelError(f"it describes a model of more than {_MOST_TEXT >> 20} MiB beside its arrays")
        if self._bytes > 2 * MOST_BYTES:
            raise ModelError("it refers to arrays again and again")

    def _json(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, str) or isinstance(json.loads(content), dict | list):
            raise _damaged(f"{where} is no plain value")
        self._grow(len(content))
        return {"content": content}

    def _sequence(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, list):
            raise _damaged(f"{where} is no sequence")
        return {"content": [self.node(item, Place(where, f"[{i}]")) for i, item in enumerate(content)]}

    def _mapping(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict):
            raise _damaged(f"{where} is no mapping")
        self._grow(sum(map(len, content)))
        key_types = self.node(state.get("key_types"), where)
        types = [_kind(key) for key in self.parts(key_types, "ListNode")]
        if len(types) != len(content) or not _KEYS.issuperset(types):
            others = ", ".join(sorted({*types} - _KEYS)) or "alike in JSON"
            raise ModelError(f"{where} has keys that no model file can hold ({others})")
        content = {name: self.node(item, Place(where, f".{name}")) for name, item in content.items()}
        return {"content": content, "key_types": key_types}

    def _array(self, state: _Node, where: Place, kind: str) -> _Node:
        if not (kind == "numpy.ndarray" or _is_scalar(kind)):
            self.unknown.setdefault(kind, where)
            return {}
        if state.get("type") == "json":
            shape = self.node(state.get("shape"), where)
            looked = self._sequence(state, where, kind)
            if not _is_nested(looked["content"], self.value(shape)):
                raise _damaged(f"{where} is no array of objects")
            return {"type": "json", "shape": shape, **looked}
        name: Any = state.get("file")
        array = self._archive.array(name)
        if array.ndim and kind != "numpy.ndarray":
            raise _damaged(f"{where} is no single number")
        if name in self.files:
            raise _damaged(f"{where} refers to another part's array")
        self.files[name] = new = f"{len(self.files)}.npy"
        self._given[new] = name
        self._grow(0, array.nbytes)
        return {"type": "numpy", "file": new}

    def _parts(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict):
            raise _damaged(f"{where} lacks its parts")
        return {"content": {name: self.node(item, Place(where, f".{name}")) for name, item in content.items()}}

    def _generator(self, state: _Node, where: Place, kind: str) -> _Node:
        looked = self._parts(state, where, kind)
        check_generator(*(self.value(looked["content"][part]) for part in ("bit_generator", "seed_seq")))
        return looked

    def _random_state(self, state: _Node, where: Place, kind: str) -> _Node:
        content = self.node(state.get("content"), where)
        check_random_state(self.value(content))
        return {"content": content}

    def _dtype(self, state: _Node, where: Place, kind: str) -> _Node:
        content = self.node(state.get("content"), where)
        self.value(content)
        return {"content": content}

    def _slice(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict) or any(type(content.get(end)) not in (int, type(None)) for end in _SLICE):
            raise _damaged(f"{where} is no slice")
        return {"content": {end: content.get(end) for end in _SLICE}}

    def _name(self, state: _Node, where: Place, kind: str) -> _Node:
        self.values.add(kind)
        return {}

    def _object(self, state: _Node, where: Place, kind: str) -> _Node:
        if kind in _NO_OBJECTS or kind.startswith(_LOSSES):
            self.unknown.setdefault(kind, where)
            return {}
        attributes = state.get("content")
        if attributes is None:
            return {}
        if isinstance(attributes, dict) and isinstance(attributes.get("content"), dict):
            kept = {name: _NONE if name in RESET else item for name, item in attributes["content"].items()}
            attributes = {**attributes, "content": kept}
        content = self.node(attributes, where)
        if content["__loader__"] == "DictNode":
            import sklearn
            from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

            named = content["content"]
            named |= {name: _NONE for name in RESET if name in named}  # also where an id stands for what came before
            if "_n_threads" in named:  # which KMeans takes from the machine
                named["_n_threads"] = {**_NONE, "content": str(_openmp_effective_n_threads())}
            if "_sklearn_version" in named:  # else every estimator would warn by itself
                named["_sklearn_version"] = {**_NONE, "content": json.dumps(sklearn.__version__)}
        elif content.get("content") != "null":  # what compiled classes make their state of
            self.unknown.setdefault(kind, where)
        return {"content": content}

    def _tree(self, state: _Node, where: Place, kind: str) -> _Node:
        looked = self._reduced(state, where, kind)
        n_features, n_classes, n_outputs = self.value(looked["__reduce__"]["args"])
        check_tree(n_features, n_classes, n_outputs, self.value(looked["content"]))
        return looked

    def _loss(self, state: _Node, where: Place, kind: str) -> _Node:
        if not kind.startswith(_LOSSES):
            self.unknown.setdefault(kind, where)
            return {}
        return self._reduced(state, where, kind)

    def _reduced(self, state: _Node, where: Place, kind: str) -> _Node:
        reduced = state.get("__reduce__")
        if not isinstance(reduced, dict):
            raise _damaged(f"{where} lacks its parts")
        args = self.node(reduced.get("args"), where)
        return {"__reduce__": {"args": args}, "content": self.node(state.get("content"), where)}

    def parts(self, node: _Node, *loaders: str) -> Iterable[_Node]:
        """Give the nodes in a list or tuple."""
        if node["__loader__"] not in loaders:
            raise _damaged("a sequence is none")
        content: list[_Node] = node["content"]
        return content

    def value(self, node: _Node) -> Any:
        """Give what a node of plain values and arrays, already looked through, stands for."""
        loader, content = node["__loader__"], node.get("content")
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader == "DictNode" and isinstance(content, dict):
            return {name: self.value(item) for name, item in content.items()}
        if loader == "NdArrayNode" and node.get("type") == "numpy":
            return self._archive.array(self._given[node["file"]])
        return [self.value(item) for item in self.parts(node, "TupleNode", "ListNode")]


def _kind(node: _Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _is_nested(items: list[_Node], axes: Any, *, within: bool = False) -> bool:
    """Tell whether lists are nested as an array of objects is, and hold nothing that NumPy would take apart."""
    if not axes or len(items) != axes[0]:
        return False
    if len(axes) > 1:
        return all(
            item["__loader__"] == "ListNode" and _is_nested(item["content"], axes[1:], within=True) for item in items
        )
    return not within or not any(
        item["__loader__"] in ("ListNode", "TupleNode", "MaskedArrayNode") or _kind(item) == "numpy.ndarray"
        for item in items
    )


def _is_scalar(kind: str) -> bool:
    module, _, name = kind.rpartition(".")
    scalar = getattr(np, name, None)
    return module == "numpy" and isinstance(scalar, type) and issubclass(scalar, np.generic)


_SLICE = ("start", "stop", "step")
_Look = Callable[[_Walk, _Node, Place, str], _Node]
# For each of skops' loaders that is known: what it may construct, where that is not left to skops; and what to look at.
_LOADERS: dict[str, tuple[set[str] | None, _Look]] = {
    "JsonNode": ({"builtins.str"}, _Walk._json),
    "ListNode": ({"builtins.list"}, _Walk._sequence),
    "TupleNode": ({"builtins.tuple"}, _Walk._sequence),
    "SetNode": ({"builtins.set"}, _Walk._sequence),
    "DictNode": ({"builtins.dict", "sklearn.utils._bunch.Bunch"}, _Walk._mapping),
    "SliceNode": ({"builtins.slice"}, _Walk._slice),
    "NdArrayNode": (None, _Walk._array),
    "MaskedArrayNode": ({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}, _Walk._parts),
    "DTypeNode": ({"numpy.dtype"}, _Walk._dtype),
    "RandomStateNode": ({"numpy.random.mtrand.RandomState"}, _Walk._random_state),
    "RandomGeneratorNode": ({"numpy.random._generator.Generator"}, _Walk._generator),
    "TypeNode": (None, _Walk._name),
    "FunctionNode": (None, _Walk._name),
    "ObjectNode": (None, _Walk._object),
    "TreeNode": ({"sklearn.tree._tree.Tree"}, _Walk._tree),
    "LossNode": (None, _Walk._loss),
}
