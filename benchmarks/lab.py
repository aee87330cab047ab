"""The parent's side of a measurement: contenders as child processes, run in turns so that all see the same machine."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PAUSE = 0.5  # seconds before every run: pools of processes and threads take a moment to fall asleep after theirs
others: list[float] = []  # cores that were busy with other work, pause by pause


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    out: Path
    rounds: int
    quick: bool


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def child_environment(*, one_thread: bool) -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(ONE_THREAD if one_thread else {})}


class Contender:
    """A child process that does a contender's work whenever it is asked to, and answers with a dict of figures."""

    def __init__(self, group: str, name: str, *, quick: bool, one_thread: bool = False):
        self.what = f"{group}: {name}"
        command = [sys.executable, "-m", "benchmarks.worker", group, name, *(["--quick"] if quick else [])]
        # TensorFlow is verbose, so the output of children is shown only if they fail.
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=child_environment(one_thread=one_thread),
            text=True,
        )

    def ask(self, **arguments: Any) -> None:
        """Have the work begun."""
        print(json.dumps(arguments), file=self._process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        """Wait for the work, and give its figures."""
        line = self._process.stdout.readline()
        if not line:
            self._words.seek(0)
            raise RuntimeError(f"{self.what} failed:\n{self._words.read()}")
        return json.loads(line)

    def run(self, **arguments: Any) -> dict[str, Any]:
        """Have the work done."""
        self.ask(**arguments)
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._words.close()


def pause() -> None:
    """Wait for earlier processes to become idle, and record how many cores other processes use."""
    stat = Path("/proc/stat")  # counts hundredths of a second of all cores, other containers included

    def busy() -> int:
        return sum(map(int, stat.read_text().split()[1:4]))  # user, nice and system

    if not stat.exists():
        time.sleep(PAUSE)
        return
    before, start = busy(), time.perf_counter()
    time.sleep(PAUSE)
    others.append((busy() - before) / 100 / (time.perf_counter() - start))


def round_trip(n: int = 500, times: int = 20) -> float | None:
    """Return the minimum round-trip time of a byte between two cores, in ns; None if it cannot be measured.

    It shows whether the cores share a cache, which can change from second to second on a virtual machine.
    """
    if not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        return None
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        other = os.fork()
        if not other:
            for _ in range(n * times):
                while not page[0]:
                    pass
                page[0] = 0
            os._exit(0)
        best = float("inf")
        for _ in range(times):
            start = time.perf_counter_ns()
            for _ in range(n):
                page[0] = 1
                while page[0]:
                    pass
            best = min(best, (time.perf_counter_ns() - start) / n)
        os.waitpid(other, 0)
    return best


def once(group: str, name: str, options: Options, *, one_thread: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a contender a single time, cold, in a fresh process."""
    with Contender(group, name, quick=options.quick, one_thread=one_thread) as contender:
        return contender.run(**arguments)


def race(
    group: str, names: list[str], options: Options, *, one_thread: bool, **arguments: Any
) -> dict[str, list[dict[str, Any]]]:
    """Run contenders in turns, A B C A B C …; a first round, for warming up, does not count.

    A contender whose package is not installed has an empty list of answers. An answer's ``round_trip`` is that of
    :func:`round_trip` right before the run.
    """
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with ExitStack() as stack:
        contenders = {
            name: stack.enter_context(Contender(group, name, quick=options.quick, one_thread=one_thread))
            for name in names
        }
        for turn in range(options.rounds + 1):
            say(f"  {group}: round {turn} of {options.rounds}" + (" (warming up)" if not turn else ""))
            for name, contender in contenders.items():
                if not turn:  # others may still be setting themselves up
                    contender.run(**arguments)
                    continue
                pause()
                before = round_trip()
                answer = contender.run(**arguments)
                if "missing" not in answer:
                    answers[name].append({**answer, "round_trip": before})
    return answers
