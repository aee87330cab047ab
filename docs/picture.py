"""Make the picture of the README and the first page anew: `python docs/picture.py`.

It is what examples/gallery/5_long_recording.py draws.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    drawn = runpy.run_path(str(ROOT / "examples" / "gallery" / "5_long_recording.py"))["display"]
    drawn.figure_.savefig(ROOT / "docs" / "_static" / "timeline.png", dpi=120)
