"""The soundclf command as a process: signals, pipes, terminals and temporary files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import soundclf
from soundclf import DenseAudioClassifier, MFCCMeanTransformer
from soundclf.datasets import load_audio_folder, make_sounds

COMMAND = shutil.which("soundclf", path=str(Path(sys.executable).parent)) or shutil.which("soundclf")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="other signals and pipes")

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def start(*arguments, **options):
    assert COMMAND, "the package is not installed: pip install -e ."
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([COMMAND, *map(str, arguments)], text=True, **pipes)


def run(*arguments, **options):
    process = start(*arguments, **options)
    stdout, stderr = process.communicate(timeout=500)
    assert "Traceback" not in (stderr or "")
    return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("process") / "sounds"
    make_sounds(400, classes=["drum", "siren"], directory=folder, duration=0.2, random_state=0)
    return folder


@pytest.fixture(scope="module")
def model(sounds):
    X, y = load_audio_folder(sounds, return_X_y=True)
    pipeline = soundclf_pipeline().fit(X[::10], y[::10])
    soundclf.save(pipeline, sounds.parent / "model.skops")
    return sounds.parent / "model.skops"


def soundclf_pipeline():
    from sklearn.pipeline import make_pipeline

    return make_pipeline(MFCCMeanTransformer(), DenseAudioClassifier(epochs=5, n_networks=1, random_state=0))


def test_version():
    assert run("--version")[:2] == (0, f"soundclf {soundclf.__version__}\n")


@pytest.mark.slow
def test_demo_runs_the_whole_workflow_and_leaves_nothing(tmp_path):
    (tmp_path / "joblib.py").write_text("raise SystemExit(9)")  # the working folder is not imported from
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code, stdout, stderr = run("demo", "--n-samples", "120", cwd=tmp_path, env={**os.environ, "TMPDIR": str(scratch)})
    assert (code, stderr) == (0, "")
    assert re.match(r"\[ +0\.\d s\] Loading ", stdout)
    assert "120 WAV files of 8 classes, cut from 40 generated recordings" in stdout
    accuracy = float(re.search(r"accuracy\s+([\d.]+)", stdout)[1])
    assert 0.5 < accuracy <= 1  # chance is 0.125
    assert "TensorFlow imported: False" in stdout
    answers = re.findall(r"^ +(\w+) +-> (\w+) +[\d.]+%$", stdout, re.MULTILINE)
    assert len(answers) == len({true for true, _ in answers}) == 8
    assert sum(true == predicted for true, predicted in answers) >= 4
    assert "Done." in stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joblib.py", "scratch"]
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_demo_interrupted_by_a_terminal(tmp_path):
    """A terminal sends Ctrl-C to the new process as well."""
    process = start("demo", "--n-samples", "120", cwd=tmp_path, start_new_session=True)
    while "A new process" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr.read() == "Interrupted by SIGINT.\n"
    assert process.wait(timeout=100) == 130


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_predict_interrupted(model, sounds, tmp_path, number, code):
    # 400 lines do not fit into a pipe, so the process is still running when the signal is sent.
    long = tmp_path / ("a" * 200) / ("b" * 200)
    long.parent.mkdir()
    long.symlink_to(sounds)
    process = start("predict", model, long, "--json", "--top", 2, cwd=tmp_path)
    first = process.stdout.readline()
    process.send_signal(number)
    lines = (first + process.stdout.read()).splitlines(keepends=True)  # communicate would miss buffered lines
    stderr = process.stderr.read()
    assert process.wait(timeout=100) == code
    assert all(line.endswith("\n") for line in lines)
    paths = [json.loads(line)["path"] for line in lines]
    assert paths == load_audio_folder(long, label=lambda path: "-").data.tolist()[: len(lines)]
    name = signal.Signals(number).name
    done = re.fullmatch(rf"Interrupted by {name} after (\d+) of 400 files\.\n", stderr)
    assert done, stderr
    assert int(done[1]) == len(lines)
    assert 1 <= len(lines) < 400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a" * 200]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_train_interrupted_leaves_nothing(sounds, tmp_path, number, code):
    (tmp_path / "out").mkdir()
    (tmp_path / "tmp").mkdir()
    target = tmp_path / "out" / "m.skops"
    target.write_text("an older model")
    process = start("train", sounds, "--out", target, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})
    assert process.stderr.readline() == "400 of 400 files are usable.\n"  # extraction and training follow
    process.send_signal(number)
    stdout, stderr = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=300) == code, stderr
    assert stdout == ""
    assert stderr.splitlines()[-1] == f"Interrupted by {signal.Signals(number).name}."
    assert "Traceback" not in stderr
    assert [(path.name, path.read_text()) for path in target.parent.iterdir()] == [("m.skops", "an older model")]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_train_interrupted_repeatedly(sounds, tmp_path):
    out, scratch = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    scratch.mkdir()
    arguments = ["train", sounds, "--out", out / "m.skops", "--preset", "fast", "--group", "(.+)-"]
    process = start(*arguments, env={**os.environ, "TMPDIR": str(scratch)})
    process.stderr.readline()
    while not (made := list(scratch.rglob("*.sqlite"))):
        assert process.poll() is None
    for i in range(2000):  # so that cleaning up takes a while
        made[0].with_name(f"{i}").touch()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)  # or the process would only receive signals
    assert process.returncode in (130, -signal.SIGINT)  # which is 130 to a shell
    assert process.stderr.read() == "Interrupted by SIGINT.\n"
    assert [*out.iterdir(), *scratch.iterdir()] == []


def test_a_reader_that_leaves(model, sounds):
    process = start("predict", model, sounds)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=100) == 141


def test_a_reader_that_was_never_there(sounds):
    read, write = os.pipe()
    os.close(read)
    code, _, stderr = run("check", sounds, stdout=write)
    os.close(write)
    assert (code, stderr) == (141, "")


def test_a_reader_that_stops_reading(sounds, tmp_path):
    import fcntl
    import termios

    long = tmp_path / ("a" * 200) / ("b" * 200)
    long.parent.mkdir()
    long.symlink_to(sounds)
    process = start("check", long, "--csv")
    waiting = 0
    while waiting < 1 << 15:  # half of what a pipe holds
        waiting = int.from_bytes(fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)), sys.byteorder)
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=100) == 143
    assert process.stdout.read().endswith("\n")
    assert process.stderr.read() == "Interrupted by SIGTERM.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["predict", "MODEL", "SOUNDS"], ["--version"], ["predict", "--help"]])
def test_a_full_disk(model, sounds, arguments):
    known = {"MODEL": model, "SOUNDS": sounds}
    with Path("/dev/full").open("w") as full:
        code, _, stderr = run(*(known.get(word, word) for word in arguments), stdout=full)
    assert code == 1
    assert stderr == "Error: No space left on device.\n"


@pytest.mark.slow
def test_started_without_streams(sounds, tmp_path):
    out = tmp_path / "m.skops"
    shell = 'exec "$0" train "$1" --out "$2" --preset fast --no-evaluate <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, COMMAND, sounds, out], check=False)
    assert done.returncode == 0
    assert soundclf.load(out).classes_.tolist() == ["drum", "siren"]


def test_output_that_is_not_in_utf_8(model, sounds, tmp_path):
    folder = tmp_path / "späß"
    folder.mkdir()
    for name in ("雨.wav", "rain.wav"):
        shutil.copy(sounds / "drum" / "drum-000-0.wav", folder / name)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code, stdout, stderr = run("predict", model, folder, env=environment)
    assert (code, stderr) == (0, "")
    names = [line.split("\t")[0].rpartition("/")[2] for line in stdout.splitlines()]
    assert names == ["rain.wav", "\\u96e8.wav"]
    code, stdout, stderr = run("check", tmp_path, env=environment)
    assert (code, stderr) == (0, "")  # no progress bar in a pipe
    assert stdout.split("\n")[1].startswith("sp\\xe4\\xdf ")


def test_results_come_as_they_are_ready(model, sounds):
    paths = load_audio_folder(sounds).data.tolist()
    process = start("predict", model, "-", stdin=subprocess.PIPE)
    stdout, stderr = process.communicate("\n".join(paths), timeout=100)
    assert [line.split("\t")[0] for line in stdout.splitlines()] == paths
    assert stderr == ""  # no progress bar in a pipe


def on_terminal(*arguments, both=False):
    """Run the command with standard error (``both``: and standard output) on a terminal; return what it shows."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    process = start(*arguments, stderr=slave, **({"stdout": slave} if both else {}))
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:  # Linux: the other side has closed
        pass
    os.close(master)
    stdout = "" if both else process.stdout.read()
    return process.wait(timeout=100), stdout, shown.decode()


def test_progress_on_a_terminal(model, sounds):
    code, stdout, shown = on_terminal("predict", model, sounds)
    assert code == 0
    assert len(stdout.splitlines()) == 400
    assert re.search(r"predict: +100%.*400/400 \[\d\d:\d\d<00:00, .*file/s\]", shown)
    code, _, shown = on_terminal("check", sounds)
    assert re.search(r"check_clips: +100%.*400/400 \[\d\d:\d\d<00:00, .*clip/s\]", shown)


def test_lines_and_progress_on_one_terminal(model, sounds):
    code, _, shown = on_terminal("predict", model, sounds, both=True)
    assert code == 0
    # A line of data begins at the start of a line: after a line break, or after the bar is cleared.
    for path in load_audio_folder(sounds).data:
        assert re.search(rf"[\r\n]{re.escape(path)}\t\w+\t[01]\.\d\d\d\r\n", shown)
