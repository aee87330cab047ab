"""Measure soundclf against its goals and against others: ``python -m benchmarks OUT.md``."""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from .lab import Options, others, say
from .report import Section, machine, table

GROUPS = ("extraction", "mfcc", "training", "serving", "search", "long", "timeline", "threads", "growth")


def markdown(head: str, quick: bool, sections: list[Section]) -> str:
    if others:
        head += (
            f"\n- Other work on this machine, in {len(others)} pauses between runs: {statistics.median(others):.2f} "
            f"cores busy in the median, at most {max(others):.2f}. Much more than 0 distorts the figures."
        )
    parts = ["# Benchmarks", head]
    if quick:
        parts.append("**A quick run on far less data than the text below says: its figures mean nothing.**")
    for section in sections:
        parts += [f"## {section.title}", *section.text]
    goals = [goal.row() for section in sections for goal in section.goals]
    if goals:
        parts += ["## Goals", table(["", "goal", "measured", ""], goals)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.md", help="where to write the tables")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each contender that count")
    parser.add_argument("--only", choices=GROUPS, action="append", help="groups, by default all")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it works; the figures mean nothing")
    arguments = parser.parse_args()

    options = Options(arguments.out, arguments.rounds, arguments.quick)
    command = shlex.join(["python", "-m", "benchmarks", *(Path(word).name for word in sys.argv[1:])])
    head = machine(command)
    sections, failed = [], []
    for name in GROUPS:
        if arguments.only and name not in arguments.only:
            continue
        start = time.perf_counter()
        say(f"{name} …")
        try:
            sections += import_module(f"benchmarks.{name}").run(options)
        except Exception:  # one group must not cost the figures of the others
            traceback.print_exc()
            failed.append(name)
            sections.append(Section(name.capitalize(), ["This group failed, and has no figures."]))
        say(f"{name}: {time.perf_counter() - start:.0f} s")
        options.out.write_text(markdown(head, options.quick, sections), encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
