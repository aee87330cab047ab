"""Figures -> Markdown."""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("soundclf", "numpy", "scipy", "scikit-learn", "joblib", "librosa", "soundfile", "soxr", "resampy", "numba"),
    *("tensorflow", "keras", "scikeras", "kaldi-native-fbank", "audioflux", "matplotlib"),
)


@dataclass(frozen=True)
class Goal:
    """A figure to reach: at least or at most ``limit``."""

    what: str
    sign: str  # "≥", "≤" or "="
    limit: float
    measured: float | None

    def row(self) -> list[str]:
        """Write the goal, what was measured, and whether that is enough."""
        if self.measured is None:
            return [self.what, f"{self.sign} {self.limit:g}", "not measured", ""]
        short = {
            "≥": 1 - self.measured / self.limit,
            "≤": self.measured / self.limit - 1,
            "=": abs(self.measured / self.limit - 1),
        }[self.sign]
        return [
            self.what,
            f"{self.sign} {self.limit:g}",
            digits(self.measured),
            "met" if short <= 0 else f"missed by {short:.1%}",
        ]


@dataclass
class Section:
    """What a group has to say."""

    title: str
    text: list[str] = field(default_factory=list)  # paragraphs and tables
    goals: list[Goal] = field(default_factory=list)


def digits(number: float, n: int = 3) -> str:
    """Write a number with ``n`` significant digits, or more if its integer part has more."""
    if not number or not math.isfinite(number):
        return f"{number:g}"
    return f"{number:,.{max(0, n - 1 - math.floor(math.log10(abs(number))))}f}"


def spread(values: Sequence[float]) -> str:
    """Write the range from the first to the third quartile."""
    if len(values) < 2:
        return "one run"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{digits(low)} to {digits(high)}"


def ratio(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Return the ratio of the medians, if both were measured."""
    return statistics.median(values) / statistics.median(others) if values and others else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def comparison(figures: dict[str, Sequence[float]], unit: str, base: str = "soundclf") -> str:
    """Lay out contenders and their runs: median, quartiles, ratio to one of them."""
    rows = []
    for name, values in figures.items():
        if values:
            times = ratio(values, figures[base])
            rows.append([name, digits(statistics.median(values)), spread(values), digits(times) if times else ""])
        else:
            rows.append([name, "not installed", "", ""])
    return table(["contender", f"{unit}, median", "quartiles", f"relative to {base}"], rows)


def machine(command: str) -> str:
    """Describe the machine and the versions of packages."""
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        described = ""
    if described:
        versions["soundclf"] += f" ({described})"
    return "\n".join(
        [
            f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            f"- Command: `{command}`",
            f"- Processor: {_processor()}, {os.cpu_count()} cores; {platform.system()} on {platform.machine()}",
            f"- Versions: {', '.join(f'{name} {number}' for name, number in versions.items())}",
        ]
    )


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or "unknown"
