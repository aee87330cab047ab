"""The child's side of a measurement: ``python -m benchmarks.worker GROUP CONTENDER [--quick]``.

Sets a contender up once, then does its work once for every line on standard input, a JSON object of arguments, and
answers with a line of JSON: seconds and CPU seconds of this run, the process' peak memory, and what the work adds or
knows better. A contender whose package is not installed answers with the package's name.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path


def memory(field: str) -> float:
    """Return a memory figure of this process, in MiB: VmHWM is its peak, VmRSS its current size.

    Where there is no /proc, both are the peak. On Linux, that of getrusage also counts the process this one was
    started from.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split(f"{field}:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group")
    parser.add_argument("contender")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error
    missing = ""
    try:
        work = import_module(f"benchmarks.{arguments.group}").CONTENDERS[arguments.contender](arguments.quick)
    except ModuleNotFoundError as error:
        missing = error.name
    for line in sys.stdin:
        if missing:
            answer = {"missing": missing}
        else:
            start, start_cpu = time.perf_counter(), time.process_time()
            figures = work(**json.loads(line)) or {}
            answer = {
                "seconds": time.perf_counter() - start,
                "cpu": time.process_time() - start_cpu,
                "peak": memory("VmHWM"),
                **figures,
            }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
