"""Helpers of displays: matplotlib on demand, axes, names that fit, time in readable units, colors."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..exceptions import ParameterError
from .optional import import_optional

__all__ = [
    "PRIMARY_COLOR",
    "SECONDARY_COLOR",
    "compute_labels_width",
    "compute_rows_height",
    "format_time_axis",
    "get_axes",
    "get_file_name",
    "import_pyplot",
    "shorten",
]

# Blue and orange of Okabe and Ito: distinct for color-blind readers, and in grayscale.
PRIMARY_COLOR = "#0072B2"
SECONDARY_COLOR = "#E69F00"

_LONGEST = 60  # characters of a name in a figure
_STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)  # seconds between ticks
_TICKS = 9  # at most, on an axis of minutes or hours


def import_pyplot(owner: str) -> Any:
    """Import matplotlib's pyplot; if it is not installed, raise an error that says how to install it."""
    return import_optional("matplotlib.pyplot", extra="plot", feature=owner)


def get_axes(
    owner: str, ax: Any, n: int, figsize: tuple[float, float], height_ratios: Sequence[float] | None = None
) -> tuple[Any, list[Any]]:
    """Return a figure and ``n`` axes, one above the other: those passed, parts of the one passed, or new ones."""
    plt = import_pyplot(owner)
    from matplotlib.axes import Axes

    if ax is None:
        grid = {"height_ratios": height_ratios}
        figure, axes = plt.subplots(
            n, figsize=figsize, layout="constrained", sharex=True, squeeze=False, gridspec_kw=grid
        )
        return figure, list(axes.flat)
    place = ax.get_subplotspec() if isinstance(ax, Axes) else None
    if n > 1 and place is not None:
        ax.set_axis_off()
        parts = place.subgridspec(n, 1, height_ratios=height_ratios)
        first = ax.figure.add_subplot(parts[0])
        return ax.figure, [first, *(ax.figure.add_subplot(parts[i], sharex=first) for i in range(1, n))]
    axes = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) != n or not all(isinstance(one, Axes) for one in axes):
        allowed = "a matplotlib Axes" if n == 1 else f"a matplotlib Axes made by subplots, or {n} of them"
        given = type(ax).__name__ if len(axes) == 1 else f"{len(axes)} of them"
        raise ParameterError(f"The 'ax' parameter of {owner} must be None or {allowed}, got {given}.")
    return axes[0].figure, axes


def compute_rows_height(n: int, each: float = 0.2) -> float:
    """Compute the height in inches at which the labels of ``n`` rows do not touch."""
    return 0.9 + max(0.6, each * n)


def compute_labels_width(labels: Iterable[Any]) -> float:
    """Compute the width in inches at which the labels leave six inches to the plot."""
    return 6.5 + 0.08 * max(len(shorten(label)) for label in labels)


def shorten(text: Any) -> str:
    """Shorten a text in its middle so that it fits, on one line and in characters that can be drawn."""
    plain = " ".join(str(text).encode("utf-8", "replace").decode().split())
    half = _LONGEST // 2
    return plain if len(plain) <= _LONGEST else f"{plain[:half]}…{plain[1 - half :]}"


def get_file_name(clip: Any) -> str | None:
    """Return the name of a clip's file without its folder, or None if it does not come from a file."""
    path = getattr(clip, "name", None) if hasattr(clip, "read") else clip
    if not isinstance(path, str | os.PathLike):
        return None
    return os.path.basename(os.fspath(path)) or None  # noqa: PTH119 - a Path would parse what it is given


def format_time_axis(ax: Any, duration: float) -> None:
    """Format an axis in seconds, or in minutes and hours if there are many, and label it."""
    from matplotlib import ticker

    if duration <= 120:
        ax.xaxis.set_major_locator(ticker.AutoLocator())
        seconds = ticker.ScalarFormatter(useOffset=False)
        seconds.set_scientific(False)
        ax.xaxis.set_major_formatter(seconds)
        ax.set_xlabel("Time (s)")
        return
    hours = duration > 7200

    class WholeMinutes(ticker.Locator):
        def __call__(self) -> Any:
            return self.tick_values(*ax.get_xlim())

        def tick_values(self, vmin: float, vmax: float) -> Any:
            if vmax - vmin < _STEPS[0]:  # zoomed in
                return ticker.AutoLocator().tick_values(vmin, vmax)
            step = next((step for step in _STEPS if (vmax - vmin) / step <= _TICKS), _STEPS[-1])
            return np.arange(math.ceil(vmin / step), math.floor(vmax / step) + 1) * step

    def text(seconds: float, _: Any) -> str:
        minutes, rest = divmod(round(seconds, 3), 60)
        second = f"{rest:02.0f}" if rest.is_integer() else f"{rest:06.3f}".rstrip("0")
        return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{second}" if hours else f"{minutes:.0f}:{second}"

    ax.xaxis.set_major_locator(WholeMinutes())
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(text))
    ax.set_xlabel("Time (h:min:s)" if hours else "Time (min:s)")
