"""What importing soundclf costs, and which way its rooms may import each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import soundclf

PACKAGE = Path(soundclf.__file__).parent
HEAVY = ("tensorflow", "keras", "scikeras", "librosa", "matplotlib")
KERAS = ("keras", "scikeras", "tensorflow")
# From the bottom to the top: a room may import those above it in this list only.
ROOMS = (
    "_version",
    "exceptions",
    "_utils",
    "audio",
    "features",
    "transformers",
    "classifiers",
    "presets",
    "datasets",
    "evaluation",
    "timeline",
    "plotting",
    "persistence",
    "cli",
    "__init__",
)


def find_modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def find_room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Every module of this package, or name in one, that a module imports anywhere in its text, as a dotted path."""
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                start = package[: len(package) + 1 - node.level]
                module = (*start, *(node.module.split(".") if node.module else ()))
            elif node.module.split(".")[0] == "soundclf":
                module = tuple(node.module.split(".")[1:])
            else:
                continue
            yield from ((*module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (tuple(name[1:]) or ("__init__",) for name in names if name[0] == "soundclf")


def find_imported_room(name: tuple[str, ...]) -> str:
    """The room of an imported name; a name of the package itself belongs to its `__init__`."""
    return name[0] if name[0] in ROOMS else "__init__"


def find_arrows() -> dict[tuple[str, str], set[str]]:
    """Which room imports which, each with the modules that do."""
    arrows: dict[tuple[str, str], set[str]] = {}
    for path in find_modules():
        for name in find_imports(path):
            pair = (find_room(path), find_imported_room(name))
            if pair[0] != pair[1]:
                arrows.setdefault(pair, set()).add(path.relative_to(PACKAGE).as_posix())
    return arrows


def format_table() -> str:
    """The rooms and what each imports, as `python tests/test_imports.py` prints it."""
    arrows = find_arrows()
    upward = [pair for pair in arrows if ROOMS.index(pair[1]) >= ROOMS.index(pair[0])]
    lines = [f"{len(ROOMS)} rooms, {len(arrows)} arrows, {len(upward)} that run back up"]
    for room in ROOMS:
        imported = sorted((b for a, b in arrows if a == room), key=ROOMS.index)
        lines.append(f"{room:<13} <- {', '.join(imported) or '-'}")
    return "\n".join(lines)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_is_light():
    assert run(f"import soundclf, sys; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_no_module_imports_anything_heavy_at_its_top():
    names = [".".join(("soundclf", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in find_modules()]
    names = [name.removesuffix(".__init__") for name in names]
    code = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
    heavy = [m for m in {HEAVY} if m in sys.modules]
    if heavy:
        print(name, heavy)
        break
"""
    assert run(code) == ""


def test_every_room_is_in_the_order():
    assert {find_room(path) for path in find_modules()} == set(ROOMS)


def test_imports_run_one_way():
    upward = {pair: modules for pair, modules in find_arrows().items() if ROOMS.index(pair[1]) > ROOMS.index(pair[0])}
    assert upward == {}


def test_rooms_are_entered_by_the_front_door():
    """What one room takes from another is offered by that room's `__init__`; _utils has a door for each module."""
    inside = [
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in find_modules()
        for name in find_imports(path)
        if name[0] not in (find_room(path), "_utils") and len(name) > 2
    ]
    assert inside == []


def test_only_one_room_imports_keras():
    offenders = [
        path.relative_to(PACKAGE).as_posix()
        for path in find_modules()
        if path.parent != PACKAGE / "classifiers" / "_keras"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0] in KERAS
    ]
    assert offenders == []


def test_modules_are_short():
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in find_modules()
    }
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_every_public_name_is_there_and_documented():
    for name in soundclf.__all__:
        assert getattr(soundclf, name).__doc__
        assert name in dir(soundclf)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = soundclf.nothing


@pytest.mark.parametrize("module", soundclf._MODULES)
def test_public_names_know_their_public_path(module):
    home = getattr(soundclf, module)
    for name in home.__all__:
        item = getattr(home, name)
        assert getattr(item, "__module__", home.__name__) == home.__name__


if __name__ == "__main__":
    print(format_table())
