"""What importing soundclf costs, and which way its modules may import each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import soundclf

PACKAGE = Path(soundclf.__file__).parent
HEAVY = ("tensorflow", "keras", "scikeras", "librosa", "matplotlib")
# From the bottom to the top: a module may import those of lower floors only.
FLOORS = {
    "exceptions": 0,
    "_atomic": 1,
    "_params": 1,
    "_parallel": 1,
    "_containers": 1,
    "_resampling": 1,
    "_figure": 1,
    "_dense": 1,
    "_conv": 1,
    "_segments": 1,
    "_exports": 2,
    "_timeline": 3,
    "_windows": 5,
    "audio": 2,
    "_rows": 2,
    "_scores": 2,
    "_report": 2,
    "_results": 3,
    "networks": 2,
    "_cache": 3,
    "_checkpoint": 3,
    "_training": 4,
    "_spectra": 2,
    "_descriptors": 2,
    "features": 3,
    "_clip_transformer": 4,
    "_leaks": 5,
    "_neural": 5,
    "_model_types": 1,
    "_model_state": 6,
    "_model_file": 7,
    "classifiers": 6,
    "transformers": 6,
    "presets": 7,
    "datasets": 7,
    "evaluation": 8,
    "timeline": 8,
    "persistence": 8,
    "plotting": 8,
    "cli": 10,
}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def floor(path: Path) -> int:
    return FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]


def own_imports(path: Path):
    """Names of this package's modules that a module imports, wherever in its text."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.split(".")[0] == "soundclf":
            yield from (
                [alias.name for alias in node.names] if node.module == "soundclf" else [node.module.split(".")[1]]
            )


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_is_light():
    assert run(f"import soundclf, sys; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_no_module_imports_anything_heavy_at_its_top():
    names = [".".join(("soundclf", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in modules()]
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


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_imports_run_one_way(path):
    upward = [name for name in own_imports(path) if name in FLOORS and FLOORS[name] >= floor(path)]
    assert upward == []


def test_only_networks_imports_keras():
    offenders = [
        path.name
        for path in modules()
        if path.name != "networks.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0] in ("keras", "scikeras", "tensorflow")
    ]
    assert offenders == []


def test_every_public_name_is_there_and_documented():
    for name in soundclf.__all__:
        assert getattr(soundclf, name).__doc__
        assert name in dir(soundclf)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = soundclf.nothing
