"""The nodes of a model file's schema: each is checked, and skops gets a copy of what passed.

skops constructs only the types that it may trust. It leaves to the file's author how large, deep and entangled a
file is, what its arrays claim to be, and which of two nodes with one id counts. Here what is not understood is refused,
and what is handed on to skops is a new file.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from ..exceptions import ModelError
from ._archive import MAX_BYTES, MAX_TEXT, ModelArchive, make_damage_error
from ._arrays import check_generator, check_random_state, check_tree
from ._parts import Place

__all__ = ["RESET", "CheckedArchive", "check_archive"]

RESET = ("checkpoint", "memory", "n_jobs")  # paths and numbers of workers on the author's machine

_SCHEMA = "schema.json"
_PROTOCOL = 2  # of skops' schemas; another would have to be understood first
_MAX_DEPTH = 100  # nodes within nodes
_MIN_NODE = 100  # characters that a node takes
_MAX_NAME = 500  # characters of the name of a class and its module
_NONE = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null"}
_KEYS = {"builtins.str", "builtins.int", "builtins.float", "numpy.str_", "numpy.int64", "numpy.int32", "numpy.float64"}
_NO_OBJECTS = {"numpy.dtype", "sklearn.tree._tree.Tree"}  # which have loaders of their own
_LOSSES = ("sklearn._loss._loss.Cy", "sklearn.linear_model._sgd_fast.")
_SLICE = ("start", "stop", "step")
_Node = dict[str, Any]


@dataclass(frozen=True)
class CheckedArchive:
    """A copy of a model file that skops may read.

    Attributes
    ----------
    archive : BytesIO
        The copy, in which paths and numbers of workers are None.
    types : dict of str to Place
        Names of all classes and functions in it, and the first place of each.
    values : set of str
        Those that are values, and might be called, rather than the type of an object.
    unknown : dict of str to Place
        The same as ``types`` for kinds of objects that no model file can hold; if there are any, the archive is empty.
    """

    archive: io.BytesIO
    types: dict[str, Place]
    values: set[str]
    unknown: dict[str, Place]


def check_archive(archive: ModelArchive, *, trees: bool = True) -> CheckedArchive:
    """Check everything that skops would construct from a model file.

    Parameters
    ----------
    archive : ModelArchive
        The file.
    trees : bool, default=True
        Whether to check the nodes of decision trees, whose fields another version of scikit-learn may name otherwise.

    Returns
    -------
    CheckedArchive
        A copy of the file.

    Raises
    ------
    ModelError
        For anything that :func:`skops.io.dump` would have written differently.
    """
    schema = archive.read_json(_SCHEMA)
    if not isinstance(schema, dict) or schema.get("protocol") != _PROTOCOL:
        raise ModelError("it was written by another version of skops, whose files are not known here")
    checker = _NodeChecker(archive, trees=trees)
    root = checker.check_node(schema, Place(None, "model"))
    target = io.BytesIO()
    if not checker.unknown:
        with ZipFile(target, "w", ZIP_STORED) as file:
            for name, new in checker.files.items():
                file.writestr(new, archive.read(name))
            file.writestr(_SCHEMA, json.dumps({**root, "protocol": _PROTOCOL}, separators=(",", ":")))
        target.seek(0)
    return CheckedArchive(target, checker.types, checker.values, checker.unknown)


class _NodeChecker:
    """Checks the nodes of a schema in the order in which skops reads them, and makes copies of them.

    Where an id comes again, skops takes the first node with that id, whatever is written there; so does this.
    """

    def __init__(self, archive: ModelArchive, *, trees: bool):
        self._archive = archive
        self._trees = trees
        self._nodes: dict[int, tuple[_Node, int, int] | None] = {}
        self._ids = 0
        self._text = 0
        self._bytes = 0
        self._depth = 0
        self.files: dict[str, str] = {}  # from the file's names to names in the copy
        self._originals: dict[str, str] = {}  # and back
        self.types: dict[str, Place] = {}
        self.values: set[str] = set()
        self.unknown: dict[str, Place] = {}

    def check_node(self, state: Any, where: Place) -> _Node:
        if not isinstance(state, dict):
            raise make_damage_error(f"{where} is no node")
        key = state.get("__id__")
        if key is not None and type(key) is not int:
            raise make_damage_error(f"{where} is no node")
        if key in self._nodes:
            known = self._nodes[key]
            if known is None:
                raise make_damage_error(f"{where} is a part of itself")
            self._count(known[1], known[2])
            return known[0]
        loader, module, name = (state.get(part) for part in ("__loader__", "__module__", "__class__"))
        if loader == "LossNode" and module == "_loss":  # as older versions of scikit-learn call it
            module = "sklearn._loss._loss"
        if not isinstance(loader, str) or not isinstance(module, str) or not isinstance(name, str):
            raise make_damage_error(f"{where} is no node")
        if len(module) + len(name) > _MAX_NAME:
            raise make_damage_error(f"{where} is of a type with an endless name")
        if key is not None:
            self._nodes[key] = None
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ModelError(f"its parts are nested more than {_MAX_DEPTH} deep")
        before = self._text, self._bytes
        self._count(_MIN_NODE + len(module) + len(name))
        node: _Node = {"__class__": name, "__module__": module, "__loader__": loader}
        kind = f"{module}.{name}"
        self.types.setdefault(kind, where)
        kinds, check = _LOADERS.get(loader, (None, None))
        if check is None or not (kinds is None or kind in kinds):
            self.unknown.setdefault(kind, where)
        else:
            node |= check(self, state, where, kind)
        self._depth -= 1
        if key is not None:
            self._ids += 1
            node["__id__"] = self._ids
            self._nodes[key] = node, self._text - before[0], self._bytes - before[1]
        return node

    def _count(self, n_characters: int, n_bytes: int = 0) -> None:
        """Count text and arrays each time that they are referred to, since skops may copy them."""
        self._text += n_characters
        self._bytes += n_bytes
        if self._text > MAX_TEXT:
            raise ModelError(f"it describes a model of more than {MAX_TEXT >> 20} MiB beside its arrays")
        if self._bytes > 2 * MAX_BYTES:
            raise ModelError("it refers to arrays again and again")

    def _check_json(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, str) or isinstance(json.loads(content), dict | list):
            raise make_damage_error(f"{where} is no plain value")
        self._count(len(content))
        return {"content": content}

    def _check_sequence(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, list):
            raise make_damage_error(f"{where} is no sequence")
        return {"content": [self.check_node(item, Place(where, f"[{i}]")) for i, item in enumerate(content)]}

    def _check_mapping(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict):
            raise make_damage_error(f"{where} is no mapping")
        self._count(sum(map(len, content)))
        key_types = self.check_node(state.get("key_types"), where)
        types = [_get_name(key) for key in self.get_items(key_types, "ListNode")]
        if len(types) != len(content) or not _KEYS.issuperset(types):
            others = ", ".join(sorted({*types} - _KEYS)) or "alike in JSON"
            raise ModelError(f"{where} has keys that no model file can hold ({others})")
        content = {name: self.check_node(item, Place(where, f".{name}")) for name, item in content.items()}
        return {"content": content, "key_types": key_types}

    def _check_array(self, state: _Node, where: Place, kind: str) -> _Node:
        if not (kind == "numpy.ndarray" or _is_scalar(kind)):
            self.unknown.setdefault(kind, where)
            return {}
        if state.get("type") == "json":
            shape = self.check_node(state.get("shape"), where)
            checked = self._check_sequence(state, where, kind)
            if not _is_nested(checked["content"], self.get_value(shape)):
                raise make_damage_error(f"{where} is no array of objects")
            return {"type": "json", "shape": shape, **checked}
        name: Any = state.get("file")
        array = self._archive.read_array(name)
        if array.ndim and kind != "numpy.ndarray":
            raise make_damage_error(f"{where} is no single number")
        if name in self.files:
            raise make_damage_error(f"{where} refers to another part's array")
        self.files[name] = new = f"{len(self.files)}.npy"
        self._originals[new] = name
        self._count(0, array.nbytes)
        return {"type": "numpy", "file": new}

    def _check_parts(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict):
            raise make_damage_error(f"{where} lacks its parts")
        return {"content": {name: self.check_node(item, Place(where, f".{name}")) for name, item in content.items()}}

    def _check_generator(self, state: _Node, where: Place, kind: str) -> _Node:
        checked = self._check_parts(state, where, kind)
        check_generator(*(self.get_value(checked["content"][part]) for part in ("bit_generator", "seed_seq")))
        return checked

    def _check_random_state(self, state: _Node, where: Place, kind: str) -> _Node:
        content = self.check_node(state.get("content"), where)
        check_random_state(self.get_value(content))
        return {"content": content}

    def _check_dtype(self, state: _Node, where: Place, kind: str) -> _Node:
        content = self.check_node(state.get("content"), where)
        self.get_value(content)
        return {"content": content}

    def _check_slice(self, state: _Node, where: Place, kind: str) -> _Node:
        content = state.get("content")
        if not isinstance(content, dict) or any(type(content.get(end)) not in (int, type(None)) for end in _SLICE):
            raise make_damage_error(f"{where} is no slice")
        return {"content": {end: content.get(end) for end in _SLICE}}

    def _check_name(self, state: _Node, where: Place, kind: str) -> _Node:
        self.values.add(kind)
        return {}

    def _check_object(self, state: _Node, where: Place, kind: str) -> _Node:
        if kind in _NO_OBJECTS or kind.startswith(_LOSSES):
            self.unknown.setdefault(kind, where)
            return {}
        attributes = state.get("content")
        if attributes is None:
            return {}
        if isinstance(attributes, dict) and isinstance(attributes.get("content"), dict):
            reset = {name: _NONE if name in RESET else item for name, item in attributes["content"].items()}
            attributes = {**attributes, "content": reset}
        content = self.check_node(attributes, where)
        if content["__loader__"] == "DictNode":
            import sklearn

            named = content["content"]
            named |= {name: _NONE for name in RESET if name in named}  # also where an id stands for what came before
            if "_n_threads" in named:  # which KMeans takes from the machine
                named["_n_threads"] = {**_NONE, "content": str(_get_n_threads())}
            if "_sklearn_version" in named:  # else every estimator would warn by itself
                named["_sklearn_version"] = {**_NONE, "content": json.dumps(sklearn.__version__)}
        elif content.get("content") != "null":  # what compiled classes make their state of
            self.unknown.setdefault(kind, where)
        return {"content": content}

    def _check_tree(self, state: _Node, where: Place, kind: str) -> _Node:
        checked = self._check_reduced(state, where, kind)
        if self._trees:
            n_features, n_classes, n_outputs = self.get_value(checked["__reduce__"]["args"])
            check_tree(n_features, n_classes, n_outputs, self.get_value(checked["content"]))
        return checked

    def _check_loss(self, state: _Node, where: Place, kind: str) -> _Node:
        if not kind.startswith(_LOSSES):
            self.unknown.setdefault(kind, where)
            return {}
        return self._check_reduced(state, where, kind)

    def _check_reduced(self, state: _Node, where: Place, kind: str) -> _Node:
        reduced = state.get("__reduce__")
        if not isinstance(reduced, dict):
            raise make_damage_error(f"{where} lacks its parts")
        args = self.check_node(reduced.get("args"), where)
        return {"__reduce__": {"args": args}, "content": self.check_node(state.get("content"), where)}

    def get_items(self, node: _Node, *loaders: str) -> Iterable[_Node]:
        """Return the nodes in a list or tuple."""
        if node["__loader__"] not in loaders:
            raise make_damage_error("a sequence is none")
        content: list[_Node] = node["content"]
        return content

    def get_value(self, node: _Node) -> Any:
        """Return the value of a checked node of plain values and arrays."""
        loader, content = node["__loader__"], node.get("content")
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader == "DictNode" and isinstance(content, dict):
            return {name: self.get_value(item) for name, item in content.items()}
        if loader == "NdArrayNode" and node.get("type") == "numpy":
            return self._archive.read_array(self._originals[node["file"]])
        return [self.get_value(item) for item in self.get_items(node, "TupleNode", "ListNode")]


def _get_name(node: _Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _is_nested(items: list[_Node], axes: Any, *, within: bool = False) -> bool:
    """Return whether lists are nested as an array of objects is, and hold nothing that NumPy would take apart."""
    if not axes or len(items) != axes[0]:
        return False
    if len(axes) > 1:
        return all(
            item["__loader__"] == "ListNode" and _is_nested(item["content"], axes[1:], within=True) for item in items
        )
    return not within or not any(
        item["__loader__"] in ("ListNode", "TupleNode", "MaskedArrayNode") or _get_name(item) == "numpy.ndarray"
        for item in items
    )


def _get_n_threads() -> int:
    """Return the number of threads that scikit-learn's KMeans would use on this machine."""
    try:
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

        return int(_openmp_effective_n_threads())
    except (ImportError, AttributeError, TypeError):  # private to scikit-learn
        return os.cpu_count() or 1


def _is_scalar(kind: str) -> bool:
    module, _, name = kind.rpartition(".")
    scalar = getattr(np, name, None)
    return module == "numpy" and isinstance(scalar, type) and issubclass(scalar, np.generic)


_Check = Callable[[_NodeChecker, _Node, Place, str], _Node]
# For each known loader of skops: what it may construct (None leaves that to skops), and how its node is checked.
_LOADERS: dict[str, tuple[set[str] | None, _Check]] = {
    "JsonNode": ({"builtins.str"}, _NodeChecker._check_json),
    "ListNode": ({"builtins.list"}, _NodeChecker._check_sequence),
    "TupleNode": ({"builtins.tuple"}, _NodeChecker._check_sequence),
    "SetNode": ({"builtins.set"}, _NodeChecker._check_sequence),
    "DictNode": (
        {"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"},
        _NodeChecker._check_mapping,
    ),
    "SliceNode": ({"builtins.slice"}, _NodeChecker._check_slice),
    "NdArrayNode": (None, _NodeChecker._check_array),
    "MaskedArrayNode": ({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}, _NodeChecker._check_parts),
    "DTypeNode": ({"numpy.dtype"}, _NodeChecker._check_dtype),
    "RandomStateNode": ({"numpy.random.mtrand.RandomState"}, _NodeChecker._check_random_state),
    "RandomGeneratorNode": ({"numpy.random._generator.Generator"}, _NodeChecker._check_generator),
    "TypeNode": (None, _NodeChecker._check_name),
    "FunctionNode": (None, _NodeChecker._check_name),
    "ObjectNode": (None, _NodeChecker._check_object),
    "TreeNode": ({"sklearn.tree._tree.Tree"}, _NodeChecker._check_tree),
    "LossNode": (None, _NodeChecker._check_loss),
}
