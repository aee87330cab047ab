"""Build the documentation: `pip install -e ".[docs]" && python docs/build.py`.

The pages come to build/docs/html, and with them to build/docs all that is made on the way: Sphinx works on a copy, in
which the gallery and the pages of the reference are written beside the others. A warning is an error. What has not
changed is not built again; to start afresh, delete build/docs.
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
    """Write what `soundclf COMMAND --help` says, a file for each command."""
    from typer.testing import CliRunner

    from soundclf.cli import app

    folder.mkdir(exist_ok=True)
    for name in (command.callback.__name__ for command in app.registered_commands):
        told = CliRunner().invoke(app, [name, "--help"], prog_name="soundclf", terminal_width=88)
        (folder / f"{name}.txt").write_text(told.output, encoding="utf-8")


def main() -> int:
    """Copy the sources, draw the house, let the commands tell their options, and Sphinx do the rest."""
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
