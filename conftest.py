"""Run the Python code and the commands in the README and on the documentation's pages as tests.

Each page runs from top to bottom, in a temporary folder that `examples/follow_along.py` has filled with generated
recordings: in folders, in the layouts of public data sets, and a long one. Lists of paths and labels are defined.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from doctest import ELLIPSIS
from functools import cache, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # one process per core: more threads would compete
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

sys.path.insert(0, str(Path(__file__).parent / "examples"))
from follow_along import prepare

# The code that every page starts with: the only block of the guide.
_GUIDE = (Path(__file__).parent / "docs" / "guide.md").read_text(encoding="utf-8")
_START = _GUIDE.split("```")[1].removeprefix("python")

collect_ignore_glob = ["docs/*.py"]


@cache
def _make_files() -> Path:
    """Return the folder that is copied for every page."""
    folder = tempfile.TemporaryDirectory(prefix="soundclf-pages-")
    atexit.register(folder.cleanup)
    prepare(Path(folder.name))
    return Path(folder.name)


def _enter_page(namespace: dict[str, Any], *, with_recordings: bool) -> None:
    home = Path(tempfile.mkdtemp(prefix="soundclf-page-"))
    namespace["_previous"] = Path.cwd()
    namespace["_home"] = home
    shutil.copytree(_make_files(), home, dirs_exist_ok=True)
    if not with_recordings:
        (home / "recordings").rename(home / "known")
    os.chdir(home)
    exec(_START if with_recordings else _START.replace("recordings", "known"), namespace)  # noqa: S102


def _leave_page(namespace: dict[str, Any]) -> None:
    import matplotlib.pyplot as plt
    import sklearn
    from joblib.externals.loky import get_reusable_executor

    plt.close("all")
    sklearn.set_config(enable_metadata_routing=False)  # some pages enable it
    get_reusable_executor().shutdown(wait=True)  # processes that work in the page's folder
    os.chdir(namespace["_previous"])
    shutil.rmtree(namespace["_home"])


def _run_commands(example: Example) -> str | None:
    """Run commands and return what went wrong, if anything did."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c", str(example.parsed)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False)  # noqa: S603
    return f"exit code {done.returncode}: {done.stderr}" if done.returncode else None


def _make_pages(patterns: list[str], excluded: list[str], *, with_recordings: bool) -> Sybil:
    return Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), CodeBlockParser("sh", _run_commands)],
        path=str(Path(__file__).parent),
        patterns=patterns,
        excludes=excluded,
        setup=partial(_enter_page, with_recordings=with_recordings),
        teardown=_leave_page,
    )


# Pages whose commands and processes take long. Those of the README always run.
_SLOW_PAGES = {"command.md", "evaluation.md", "scale.md", "start.md", "tune.md"}


@pytest.hookimpl(tryfirst=True)  # before pytest deselects slow tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the pages that take long."""
    for item in items:
        if item.path.parent.name == "docs" and item.path.name in _SLOW_PAGES:
            item.add_marker(pytest.mark.slow)


_COMPLETE = ["README.md", "docs/start.md"]
pytest_collect_file = (
    _make_pages(_COMPLETE, [], with_recordings=False) + _make_pages(["docs/*.md"], _COMPLETE, with_recordings=True)
).pytest()
