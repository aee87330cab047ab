"""
Create the files used by the documentation
==========================================

Run

    python examples/follow_along.py playground

to create a folder ``playground`` of generated sounds: ``recordings``, one folder per class; ``sounds.csv``, a table of
these; ``UrbanSound8K`` and ``ESC-10``, the same sounds in the layouts of these data sets; ``day.wav``, a concatenation
of some of them; and single clips, ``bark.wav`` and ``new/bark.wav``. Nothing is downloaded. The documentation's tests
run in a copy of this folder.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import soundfile

from soundclf.datasets import make_sounds


def prepare(folder: Path) -> None:
    """Create all files."""
    sounds = make_sounds(120, directory=folder / "recordings", random_state=0)
    write_table(
        folder / "sounds.csv",
        ["file", "species", "site"],
        [[Path(path).relative_to(folder), label, label + number] for path, label, number, _ in parse_names(sounds)],
    )
    write_urbansound8k(folder / "UrbanSound8K", sounds)
    write_esc10(folder / "ESC-10", sounds)
    soundfile.write(folder / "day.wav", [y for path in sounds.data[::6] for y in soundfile.read(path)[0]], sounds.sr)
    shutil.copy(sounds.data[0], folder / "bark.wav")
    (folder / "new").mkdir()
    shutil.copy(sounds.data[-1], folder / "new" / "bark.wav")


def write_table(file: Path, header: list[str], rows: list[list[Any]]) -> None:
    """Write a CSV file."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])


def parse_names(sounds: Any) -> list[tuple[str, str, str, int]]:
    """Return path, class, recording number and take of every clip."""
    return [(path, *Path(path).stem.split("-")) for path in sounds.data]


def write_urbansound8k(root: Path, sounds: Any) -> None:
    """Copy sounds in the layout of UrbanSound8K."""
    rows = []
    for path, label, recording, take in parse_names(sounds):
        fold = int(recording) % 5 + 1
        number = sounds.target_names.index(label)
        name = f"{number}{recording}-{number}-0-{take}.wav"
        target = root / "audio" / f"fold{fold}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append([name, f"{number}{recording}", fold, number, label])
    (root / "metadata").mkdir()
    write_table(root / "metadata" / "UrbanSound8K.csv", ["slice_file_name", "fsID", "fold", "classID", "class"], rows)


def write_esc10(root: Path, sounds: Any) -> None:
    """Copy sounds in the layout of ESC-10."""
    for path, label, recording, take in parse_names(sounds):
        number = sounds.target_names.index(label)
        folder = root / f"{number + 1:03d} - {label.title()}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{int(recording) % 5 + 1}-{number}{recording}-{'ABC'[int(take)]}.wav")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/follow_along.py FOLDER")
    place = Path(sys.argv[1])
    prepare(place)
    print(f"cd {place}, start Python there, and begin each page with the block of docs/guide.md.")
