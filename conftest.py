"""The Python code in the README and in the documentation's pages runs as tests, page by page.

Each page runs from its top to its end, in a folder of its own. There it finds what such a page takes for granted:
generated recordings in folders and in the layouts of public data sets, a long recording, lists of paths and labels.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from doctest import ELLIPSIS
from functools import cache, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import soundfile
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

collect_ignore_glob = ["docs/*.py"]


@cache
def _prepared() -> Path:
    """Give the folder that is copied for every page."""
    from soundclf.datasets import make_sounds

    home = tempfile.TemporaryDirectory(prefix="soundclf-pages-")
    _prepared.home = home  # type: ignore[attr-defined] - kept until the end of the session
    folder = Path(home.name)
    sounds = make_sounds(120, directory=folder / "recordings", random_state=0)
    _city(folder / "UrbanSound8K", sounds)
    _scenes(folder / "ESC-10", sounds)
    soundfile.write(folder / "day.wav", [y for path in sounds.data[::6] for y in soundfile.read(path)[0]], sounds.sr)
    shutil.copy(sounds.data[0], folder / "bark.wav")
    return folder


def _numbered(sounds: Any) -> list[tuple[str, str, str, int]]:
    """Give path, class, recording and take of every clip; recordings are named by class and number."""
    return [(path, *Path(path).stem.split("-")) for path in sounds.data]


def _city(root: Path, sounds: Any) -> None:
    """Lay out sounds as UrbanSound8K."""
    rows = []
    for path, label, recording, take in _numbered(sounds):
        fold = int(recording) % 5 + 1
        number = sounds.target_names.index(label)
        name = f"{number}{recording}-{number}-0-{take}.wav"
        target = root / "audio" / f"fold{fold}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append([name, f"{number}{recording}", fold, number, label])
    (root / "metadata").mkdir()
    with (root / "metadata" / "UrbanSound8K.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["slice_file_name", "fsID", "fold", "classID", "class"], *rows])


def _scenes(root: Path, sounds: Any) -> None:
    """Lay out sounds as ESC-10."""
    for path, label, recording, take in _numbered(sounds):
        number = sounds.target_names.index(label)
        folder = root / f"{number + 1:03d} - {label.title()}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{int(recording) % 5 + 1}-{number}{recording}-{'ABC'[int(take)]}.wav")


def _begin(namespace: dict[str, Any], *, with_recordings: bool) -> None:
    home = Path(tempfile.mkdtemp(prefix="soundclf-page-"))
    namespace["_left"] = Path.cwd()
    namespace["_home"] = home
    shutil.copytree(_prepared(), home, dirs_exist_ok=True)
    paths = sorted(str(path.relative_to(home)) for path in home.glob("recordings/*/*.wav"))
    if not with_recordings:
        (home / "recordings").rename(home / "known")
        paths = [path.replace("recordings", "known", 1) for path in paths]
    labels = [Path(path).parent.name for path in paths]
    namespace.update(paths=paths, labels=labels)
    namespace.update(train_paths=paths[::2], train_labels=labels[::2], test_paths=paths[1::2], test_labels=labels[1::2])
    os.chdir(home)


def _end(namespace: dict[str, Any]) -> None:
    import matplotlib.pyplot as plt
    import sklearn
    from joblib.externals.loky import get_reusable_executor

    plt.close("all")
    sklearn.set_config(enable_metadata_routing=False)  # which pages turn on
    get_reusable_executor().shutdown(wait=True)  # processes that work in the page's folder
    os.chdir(namespace["_left"])
    shutil.rmtree(namespace["_home"])


def _pages(patterns: list[str], excluded: list[str], *, with_recordings: bool) -> Sybil:
    return Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)],
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
