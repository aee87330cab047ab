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


def main() -> int:
    """Copy the sources, draw the house, and let Sphinx do the rest."""
    sys.dont_write_bytecode = True
    from house import draw

    for name in ("docs", "examples"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, COPY / name, ignore=ignored, dirs_exist_ok=True)
    for name in ("CHANGELOG.md", "LICENSE", "README.md"):
        shutil.copy2(ROOT / name, COPY / name)
    draw(COPY / "docs" / "_static" / "house.svg")
    environment = {**os.environ, "MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html"]
    return subprocess.run(  # noqa: S603
        [*sphinx, "--doctree-dir", BUILD / "doctrees", COPY / "docs", BUILD / "html"], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
