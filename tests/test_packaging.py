"""What the README and the gate say is what the packaging says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import soundclf

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_floors_in_the_readme_are_those_of_the_packaging():
    names = {"numpy": "NumPy", "scipy": "SciPy", "tensorflow": "TensorFlow", "typer": "Typer"}
    for requirement in PROJECT["dependencies"]:
        name, floor = requirement.split(">=")
        assert f"{names.get(name, name)} ≥ {floor}" in README


def test_the_gate_calls_the_tests_as_the_readme_says():
    command = re.search(r"^    (pip install -e .*pytest)$", README, re.MULTILINE)[1]
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith(command)


def test_public_names_are_in_the_readme():
    for name in soundclf.__all__:
        if name not in ("AudioWarning", "ParameterError"):
            assert name in README


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_links_within_the_project_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
