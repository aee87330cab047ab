"""Check that the benchmarks run; their results are not tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_quick_run_writes_its_tables(real_data, tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        str(tmp_path / "out.md"),
        "--quick",
        "--rounds",
        "1",
        "--only",
        "mfcc",
    ]
    environment = {**os.environ, "SOUNDCLF_DATA": str(real_data)}
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1], env=environment, capture_output=True)
    text = (tmp_path / "out.md").read_text(encoding="utf-8")
    for part in ("A quick run", "| soundclf |", "| librosa |", "## Goals", "numpy "):
        assert part in text
