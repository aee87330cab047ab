"""The Python code and the commands in the README and in the documentation's pages run as tests, page by page.

Each page runs from its top to its end, in a folder of its own. There it finds what such a page takes for granted:
generated recordings in folders and in the layouts of public data sets, a long recording, lists of paths and labels.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from doctest import ELLIPSIS
from functools import cache, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import soundfile
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

collect_ignore_glob = ["docs/*.py"]

_ALONE = ["README.md", "docs/start.md"]  # pages that make their recordings themselves


@cache
def _prepared() -> tempfile.TemporaryDirectory[str]:
    """Give the folder that is copied for every page."""
    from soundclf.datasets import make_sounds

    home = tempfile.TemporaryDirectory(prefix="soundclf-pages-")
    folder = Path(home.name)
    sounds = make_sounds(120, directory=folder / "recordings", random_state=0)
    clips = [(Path(path), *Path(path).stem.split("-")) for path in sounds.data]  # with class, recording and take
    numbers = {label: i for i, label in enumerate(sounds.target_names)}
    _table(
        folder / "sounds.csv",
        ["file", "species", "site"],
        ([path.relative_to(folder), label, label + recording] for path, label, recording, _ in clips),
    )
    _table(
        folder / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv",
        ["slice_file_name", "fsID", "fold", "class"],
        (
            [f"{numbers[label]}{recording}-{take}.wav", f"{numbers[label]}{recording}", int(recording) % 5 + 1, label]
            for _, label, recording, take in clips
        ),
    )
    for path, label, recording, take in clips:
        fold, number = int(recording) % 5 + 1, numbers[label]
        _copy(path, folder / "UrbanSound8K" / "audio" / f"fold{fold}" / f"{number}{recording}-{take}.wav")
        scene = f"{fold}-{number}{recording}-{'ABC'[int(take)]}.wav"
        _copy(path, folder / "ESC-10" / f"{number + 1:03d} - {label.title()}" / scene)
    soundfile.write(folder / "day.wav", [y for path in sounds.data[::6] for y in soundfile.read(path)[0]], sounds.sr)
    _copy(clips[0][0], folder / "bark.wav")
    _copy(clips[-1][0], folder / "new" / "bark.wav")
    return home


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _table(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])


def _begin(namespace: dict[str, Any], *, recordings: str) -> None:
    home = Path(tempfile.mkdtemp(prefix="soundclf-page-"))
    namespace.update(_left=Path.cwd(), _home=home)
    shutil.copytree(_prepared().name, home, dirs_exist_ok=True)
    if recordings != "recordings":
        (home / "recordings").rename(home / recordings)
    os.chdir(home)
    paths = sorted(map(str, Path(recordings).glob("*/*.wav")))
    labels = [Path(path).parent.name for path in paths]
    namespace.update(paths=paths, labels=labels)
    namespace.update(train_paths=paths[::2], train_labels=labels[::2], test_paths=paths[1::2], test_labels=labels[1::2])


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


def _pages(patterns: list[str], excluded: list[str], recordings: str) -> Sybil:
    return Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), CodeBlockParser("sh", _run)],
        path=str(Path(__file__).parent),
        patterns=patterns,
        excludes=excluded,
        setup=partial(_begin, recordings=recordings),
        teardown=_end,
    )


pytest_collect_file = (_pages(_ALONE, [], "known") + _pages(["docs/*.md"], _ALONE, "recordings")).pytest()
