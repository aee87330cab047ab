"""What the documentation has to hold; its code and its examples run elsewhere."""

from __future__ import annotations

import ast
import re
from functools import reduce
from pathlib import Path

import pytest

import soundclf
from soundclf.cli import app

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")


def public_names():
    """All names that users may import, once each, by their shortest path."""
    modules = soundclf._MODULES
    short = {id(getattr(soundclf, name)) for name in soundclf.__all__}
    names = [f"soundclf.{name}" for name in soundclf.__all__ if name not in modules]
    for module in modules:
        home = getattr(soundclf, module)
        names += [f"soundclf.{module}.{name}" for name in home.__all__ if id(getattr(home, name)) not in short]
    return names


def found(name):
    """Return the object of a public name."""
    return reduce(getattr, name.split(".")[1:], soundclf)


def listed_names():
    """All names in the reference, with the module that is current where they stand."""
    module = ""
    for line in REFERENCE.splitlines():
        if match := re.match(r"\.\. (?:currentmodule|automodule):: (\S+)", line):
            module = match[1]
        elif match := re.match(r"(?:   |\.\. py:data:: )(\w+)$", line):
            yield f"{module}.{match[1]}"


def test_the_reference_lists_every_public_name_once():
    assert sorted(listed_names()) == sorted(public_names())


def test_public_names_have_an_example_unless_it_would_need_the_net():
    without = [name for name in public_names() if ">>>" not in (found(name).__doc__ or "")]
    assert sorted(without) == [
        "soundclf.datasets.AUDIO_EXTENSIONS",
        "soundclf.datasets.fetch_esc50",
        "soundclf.datasets.fetch_fsdd",
        "soundclf.datasets.fetch_urbansound8k",
    ]


def test_every_command_tells_its_options():
    page = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    names = [command.callback.__name__ for command in app.registered_commands]
    assert re.findall(r"literalinclude\} commands/(\w+)\.txt", page) == names


def test_every_page_and_example_is_in_a_table_of_contents():
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    listed = set()
    for path in (ROOT / "docs").glob("*.md"):
        for toctree in re.findall(r":::\{toctree\}\n(.*?):::", path.read_text(encoding="utf-8"), re.DOTALL):
            listed |= set(re.findall(r"^(\w+)$", toctree, re.MULTILINE))
    assert pages - listed == set()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.stem)
def test_examples_begin_with_a_title_and_can_be_read(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    title, line, *_ = text.splitlines()
    assert line == "=" * len(title)
