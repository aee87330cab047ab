"""Build the documentation: `pip install -e ".[docs]" && python docs/build.py`.

The pages are written to build/docs/html. Sphinx works on a copy of the sources in build/docs, where it also generates
the gallery and the API reference. Warnings are errors. Only changed pages are rebuilt; for a clean build, delete
build/docs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "docs"
COPY = BUILD / "copy"


def write_help(folder: Path) -> None:
    """Write the output of `soundclf COMMAND --help` to one file per command."""
    from typer.testing import CliRunner

    from soundclf.cli import app

    folder.mkdir(exist_ok=True)
    for name in (command.callback.__name__ for command in app.registered_commands):
        result = CliRunner().invoke(app, [name, "--help"], prog_name="soundclf", terminal_width=88)
        (folder / f"{name}.txt").write_text(result.output, encoding="utf-8")


def main() -> int:
    """Copy the sources, draw the rooms, write the help of the commands, and run Sphinx."""
    sys.dont_write_bytecode = True
    from house import draw

    for name in ("docs", "examples"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, COPY / name, ignore=ignored, dirs_exist_ok=True)
    for name in ("CHANGELOG.md", "LICENSE", "README.md"):
        shutil.copy2(ROOT / name, COPY / name)
    draw(COPY / "docs" / "_static" / "house.svg")
    write_help(COPY / "docs" / "commands")
    environment = {**os.environ, "MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html"]
    command = [*sphinx, "--doctree-dir", BUILD / "doctrees", COPY / "docs", BUILD / "html"]
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
    if not code:
        print(BUILD / "html" / "index.html")  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
