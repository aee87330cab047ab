"""The soundclf command, run as a user runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import soundclf

COMMAND = shutil.which("soundclf", path=str(Path(sys.executable).parent)) or shutil.which("soundclf")


def soundclf_command(*arguments, **options):
    assert COMMAND, "the package is not installed: pip install -e ."
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=500, check=False, **options)


def test_help_and_version():
    assert "demo" in soundclf_command("--help").stdout
    assert soundclf_command("--version").stdout.strip() == f"soundclf {soundclf.__version__}"
    assert "Example: soundclf demo" in soundclf_command("demo", "--help").stdout


def test_bad_usage_has_its_exit_code():
    for arguments in (["dmeo"], ["demo", "--n-samples", "3"], ["demo", "--n-samples", "many"]):
        done = soundclf_command(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_demo_does_the_main_job_and_leaves_nothing(tmp_path):
    done = soundclf_command("demo", "--n-samples", "120", cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "120 WAV files of 8 classes, cut from 40 generated recordings" in done.stdout
    accuracy = float(re.search(r"accuracy\s+([\d.]+)", done.stdout)[1])
    assert 0.5 < accuracy <= 1  # chance is 0.125
    assert "TensorFlow imported: False" in done.stdout
    answers = re.findall(r"^ +(\w+) +-> (\w+) +[\d.]+%$", done.stdout, re.MULTILINE)
    assert len(answers) == len({true for true, _ in answers}) == 8
    assert sum(true == predicted for true, predicted in answers) >= 4
    assert list(tmp_path.iterdir()) == []
