"""Overlapping windows -> non-overlapping segments with one label each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Segment", "average_windows", "merge_segments"]

_SLICES = 16  # per window
_ROUNDING = 1e-9  # maximum rounding error of sums of times, in seconds


class Segment(NamedTuple):
    """A stretch of a recording with one label.

    Attributes
    ----------
    start, end : float
        Start and end, in seconds from the beginning of the recording.
    label : object
        Class label.
    probability : float
        Mean probability of the class over the segment.

    Examples
    --------
    >>> from soundclf.timeline import Segment
    >>> start, end, label, _ = Segment(12.0, 17.0, "rain", 0.93)
    >>> end - start, label
    (5.0, 'rain')
    """

    start: float
    end: float
    label: Any
    probability: float


class _Run(NamedTuple):
    """Consecutive slices of time, ``first`` included and ``last`` excluded, and the index of their class."""

    first: int
    last: int
    code: int


def average_windows(
    starts: NDArray[np.float64], ends: NDArray[np.float64], hop: float, probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide time into slices, and average over each slice the probabilities of the windows that cover it.

    Weights are triangular: 1 in the middle of a window, 0 at its ends. A slice is about 1/16 of a window long, at most
    one hop.

    Parameters
    ----------
    starts, ends : ndarray of shape (n_windows,)
        Start and end times of the windows, in seconds: ascending, without gaps, all windows of the same length.
    hop : float
        Time from the start of one window to the start of the next, in seconds; the last window may start earlier.
    probabilities : ndarray of shape (n_windows, n_classes)
        Class probabilities of each window.

    Returns
    -------
    edges : ndarray of shape (n_slices + 1,)
        Boundaries of the slices, in seconds.
    averages : ndarray of shape (n_slices, n_classes)
        Averaged class probabilities of each slice.
    """
    length = ends[0] - starts[0]
    step = hop / max(1, round(_SLICES * hop / length))
    edges = np.append(np.arange(np.ceil(ends[-1] / step - _ROUNDING)) * step, ends[-1])
    middles = (edges[:-1] + edges[1:]) / 2
    first = np.searchsorted(ends, middles)  # first of the windows that cover each slice
    n_covering = np.searchsorted(starts, middles) - first
    averages = np.zeros((len(middles), probabilities.shape[1]))
    total = np.zeros((len(middles), 1))
    for i in range(n_covering.max()):
        slices = np.flatnonzero(i < n_covering)
        windows = first[slices] + i
        distance = np.abs(middles[slices] - (starts[windows] + ends[windows]) / 2)
        weights = (1 - 2 * distance / length)[:, np.newaxis]
        averages[slices] += weights * probabilities[windows]
        total[slices] += weights
    return edges, averages / total


def merge_segments(
    edges: NDArray[np.float64],
    averages: NDArray[np.float64],
    classes: np.ndarray,
    *,
    high: float,
    low: float,
    min_duration: float,
    min_gap: float,
) -> list[Segment]:
    """Merge slices of time into segments; the parameters are those of ``Timeline.segments``."""
    codes = np.where(averages.max(axis=1) >= low, averages.argmax(axis=1), -1)
    cuts = np.flatnonzero(np.diff(codes)) + 1
    runs = [
        _Run(int(first), int(last), int(codes[first]))
        for first, last in zip([0, *cuts], [*cuts, len(codes)], strict=True)
        if codes[first] >= 0 and averages[first:last, codes[first]].max() >= high
    ]
    runs = _join_close(runs, edges, min_gap)
    runs = [run for run in runs if edges[run.last] - edges[run.first] >= min_duration - _ROUNDING]
    runs = _join_close(runs, edges, min_gap)
    widths, labels = np.diff(edges), classes.tolist()
    return [
        Segment(
            float(edges[first]),
            float(edges[last]),
            labels[code],
            float(np.average(averages[first:last, code], weights=widths[first:last])),
        )
        for first, last, code in runs
    ]


def _join_close(runs: list[_Run], edges: NDArray[np.float64], min_gap: float) -> list[_Run]:
    """Join consecutive runs of one class with a gap of less than ``min_gap`` seconds."""
    joined: list[_Run] = []
    for run in runs:
        previous = joined[-1] if joined else None
        if previous and previous.code == run.code and edges[run.first] - edges[previous.last] < min_gap - _ROUNDING:
            joined[-1] = _Run(previous.first, run.last, run.code)
        else:
            joined.append(run)
    return joined
