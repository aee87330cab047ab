"""Update the figure in the README and on the first page: `python docs/picture.py`.

It is drawn by examples/gallery/5_long_recording.py.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    display = runpy.run_path(str(ROOT / "examples" / "gallery" / "5_long_recording.py"))["display"]
    display.figure_.savefig(ROOT / "docs" / "_static" / "timeline.png", dpi=120)
