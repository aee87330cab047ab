"""The Python code and the commands in the README and in the documentation's pages runs as tests, page by page.

Each page runs from its top to its end, in a folder of its own. There it finds what such a page takes for granted:
generated recordings in folders and in the layouts of public data sets, a long recording, lists of paths and labels.
"""

from __future__ import annotations

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
if "PYTEST_XDIST_WORKER" in os.environ:  # a process for each core: more threads in each only get in each other's way
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

sys.path.insert(0, str(Path(__file__).parent / "examples"))
from follow_along import prepare

# What pages begin with, and readers are told to begin with: the guide's only block.
_GUIDE = (Path(__file__).parent / "docs" / "guide.md").read_text(encoding="utf-8")
_FIRST = _GUIDE.split("```")[1].removeprefix("python")

collect_ignore_glob = ["docs/*.py"]


@cache
def _prepared() -> Path:
    """Give the folder that is copied for every page."""
    home = tempfile.TemporaryDirectory(prefix="soundclf-pages-")
    _prepared.home = home  # type: ignore[attr-defined] - kept until the end of the session
    prepare(Path(home.name))
    return Path(home.name)


def _begin(namespace: dict[str, Any], *, with_recordings: bool) -> None:
    home = Path(tempfile.mkdtemp(prefix="soundclf-page-"))
    namespace["_left"] = Path.cwd()
    namespace["_home"] = home
    shutil.copytree(_prepared(), home, dirs_exist_ok=True)
    if not with_recordings:
        (home / "recordings").rename(home / "known")
    os.chdir(home)
    exec(_FIRST if with_recordings else _FIRST.replace("recordings", "known"), namespace)  # noqa: S102


def _end(namespace: dict[str, Any]) -> None:
    import matplotlib.pyplot as plt
    import sklearn
    from joblib.externals.loky import get_reusable_executor

    plt.close("all")
    sklearn.set_config(enable_metadata_routing=False)  # which pages turn on
    get_reusable_executor().shutdown(wait=True)  # processes that work in the page's folder
    os.chdir(namespace["_left"])
    shutil.rmtree(namespace["_home"])


def _run(example: Example) -> str | None:
    """Run commands, and say what went wrong if something did."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c", str(example.parsed)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False)  # noqa: S603
    return f"exit code {done.returncode}: {done.stderr}" if done.returncode else None


def _pages(patterns: list[str], excluded: list[str], *, with_recordings: bool) -> Sybil:
    return Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), CodeBlockParser("sh", _run)],
        path=str(Path(__file__).parent),
        patterns=patterns,
        excludes=excluded,
        setup=partial(_begin, with_recordings=with_recordings),
        teardown=_end,
    )


_ALONE = ["README.md", "docs/start.md"]
pytest_collect_file = (
    _pages(_ALONE, [], with_recordings=False) + _pages(["docs/*.md"], _ALONE, with_recordings=True)
).pytest()
