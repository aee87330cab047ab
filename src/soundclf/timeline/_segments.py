"""Windows that overlap -> stretches of time with one label each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Segment", "average_windows", "merge_segments"]

_SLICES = 16  # of a window
_ROUNDING = 1e-9  # seconds by which sums of times are off at most


class Segment(NamedTuple):
    """A stretch of a recording with one label.

    Attributes
    ----------
    start, end : float
        In seconds from the recording's start.
    label : object
        A class, as the model was trained on it.
    probability : float
        Of that class, on average over the segment.

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
    """Consecutive slices of time, from the first to before the last, and the class they go to."""

    first: int
    last: int
    code: int


def average_windows(
    starts: NDArray[np.float64], ends: NDArray[np.float64], hop: float, probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut time into slices, and average for each the probabilities of the windows that cover it.

    A window's weight falls from its middle to nothing at its ends. Slices are a sixteenth of a window, or a hop where
    that is less.

    Parameters
    ----------
    starts, ends : ndarray of shape (n_windows,)
        In seconds, both ascending, without time between windows, and all of one length.
    hop : float
        Seconds from one window to the next; the last may come sooner.
    probabilities : ndarray of shape (n_windows, n_classes)
        Of each window.

    Returns
    -------
    edges : ndarray of shape (n_slices + 1,)
        Where time is cut, in seconds.
    shares : ndarray of shape (n_slices, n_classes)
        The averages.
    """
    length = ends[0] - starts[0]
    step = hop / max(1, round(_SLICES * hop / length))
    edges = np.append(np.arange(np.ceil(ends[-1] / step - _ROUNDING)) * step, ends[-1])
    middles = (edges[:-1] + edges[1:]) / 2
    first = np.searchsorted(ends, middles)  # of the windows that cover each slice
    n_covering = np.searchsorted(starts, middles) - first
    shares = np.zeros((len(middles), probabilities.shape[1]))
    total = np.zeros((len(middles), 1))
    for i in range(n_covering.max()):
        slices = np.flatnonzero(i < n_covering)
        windows = first[slices] + i
        off = np.abs(middles[slices] - (starts[windows] + ends[windows]) / 2)
        weights = (1 - 2 * off / length)[:, np.newaxis]
        shares[slices] += weights * probabilities[windows]
        total[slices] += weights
    return edges, shares / total


def merge_segments(
    edges: NDArray[np.float64],
    shares: NDArray[np.float64],
    classes: np.ndarray,
    *,
    high: float,
    low: float,
    min_duration: float,
    min_gap: float,
) -> list[Segment]:
    """Merge slices of time into segments; the parameters are those of ``Timeline.segments``."""
    codes = np.where(shares.max(axis=1) >= low, shares.argmax(axis=1), -1)
    cuts = np.flatnonzero(np.diff(codes)) + 1
    runs = [
        _Run(int(first), int(last), int(codes[first]))
        for first, last in zip([0, *cuts], [*cuts, len(codes)], strict=True)
        if codes[first] >= 0 and shares[first:last, codes[first]].max() >= high
    ]
    runs = _closed(runs, edges, min_gap)
    runs = [run for run in runs if edges[run.last] - edges[run.first] >= min_duration - _ROUNDING]
    runs = _closed(runs, edges, min_gap)
    widths, labels = np.diff(edges), classes.tolist()
    return [
        Segment(
            float(edges[first]),
            float(edges[last]),
            labels[code],
            float(np.average(shares[first:last, code], weights=widths[first:last])),
        )
        for first, last, code in runs
    ]


def _closed(runs: list[_Run], edges: NDArray[np.float64], min_gap: float) -> list[_Run]:
    """Join neighbours of one class with less than ``min_gap`` seconds between them."""
    joined: list[_Run] = []
    for run in runs:
        before = joined[-1] if joined else None
        if before and before.code == run.code and edges[run.first] - edges[before.last] < min_gap - _ROUNDING:
            joined[-1] = _Run(before.first, run.last, run.code)
        else:
            joined.append(run)
    return joined
