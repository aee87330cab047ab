"""What the README and the gate say is what the packaging says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import soundclf

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GATE = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_floors_in_the_readme_are_those_of_the_packaging():
    names = {"numpy": "NumPy", "scipy": "SciPy", "tensorflow": "TensorFlow", "typer": "Typer"}
    for requirement in PROJECT["dependencies"]:
        name, floor = requirement.split(">=")
        assert f"{names.get(name, name)} ≥ {floor}" in README


def test_the_gate_calls_the_tests_as_the_readme_says():
    command = re.search(r"^    (pip install -e .*pytest)$", README, re.MULTILINE)[1]
    assert command in [line.strip() for line in GATE.splitlines()]


def test_the_gate_has_the_legs_of_the_contributing_guide():
    legs = re.search(r"legs=\((\w[^)]*)\)", GATE)[1].split()
    assert legs == re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert legs == re.findall(r"^(\w+)\(\) \{  # leg", GATE, re.MULTILINE)


def test_floors_for_the_gate_are_those_of_the_packaging():
    command = [sys.executable, ROOT / ".ci" / "floors.py"]
    pins = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]} <= set(pins)


def test_public_names_are_in_the_readme():
    for name in soundclf.__all__:
        if not name.endswith(("Warning", "ParameterError")):  # the pages on errors and models have these
            assert name in README


@pytest.mark.parametrize(
    "path",
    [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_links_within_the_project_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
