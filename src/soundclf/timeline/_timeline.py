"""The predictions of a model for a recording, window by window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.optional import import_optional
from .._utils.validation import Rule, check_params, real_in
from ..exceptions import AudioError, ParameterError
from ._export import export_segments
from ._segments import Segment, average_windows, merge_segments

__all__ = ["Timeline"]

_MERGING: dict[str, tuple[Rule, ...]] = {
    "high": (real_in(0, 1, closed="both"),),
    "low": (real_in(0, 1, closed="both"),),
    "min_duration": (real_in(0),),
    "min_gap": (real_in(0),),
}


@dataclass(frozen=True, eq=False)
class Timeline:
    """Class probabilities of a recording over time, window by window.

    Returned by :func:`predict_timeline`.

    Attributes
    ----------
    path : str or None
        Path of the recording; None if it was not passed as a path.
    starts, ends : ndarray of shape (n_windows,)
        Start and end times of the windows, in seconds.
    probabilities : ndarray of shape (n_windows, n_classes)
        Class probabilities of each window, from the model's ``predict_proba``.
    classes : ndarray of shape (n_classes,)
        The model's ``classes_``.
    duration : float
        Duration of the recording, in seconds; of a damaged one, of the part before the damage.
    hop : float
        Time from the start of one window to the start of the next, in seconds; the last window may start earlier.
    sr : float
        Sampling rate at which windows were cut, in Hz.
    damage : AudioError or None
        With ``on_error="warn"``, why the recording could not be read to its end; None if it could.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.timeline import Timeline
    >>> starts, classes = np.arange(5.0), np.array(["bird", "rain"])
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.1, 0.9]])
    >>> timeline = Timeline("day.wav", starts, starts + 2, probabilities, classes, duration=6.0, hop=1.0, sr=22050)
    >>> for start, end, label, probability in timeline.segments():
    ...     print(f"{start:g} to {end:g} s: {label} {probability:.2f}")
    0 to 3 s: bird 0.83
    3 to 6 s: rain 0.83
    """

    path: str | None
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    classes: np.ndarray
    duration: float
    hop: float
    sr: float
    damage: AudioError | None = None

    def __repr__(self) -> str:
        recording = "" if self.path is None else f"{self.path!r}: "
        return f"<Timeline {recording}{len(self.starts):,} windows in {self.duration:g} s, {len(self.classes)} classes>"

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each window."""
        return self.classes[self.probabilities.argmax(axis=1)]

    def segments(
        self, *, high: float = 0.5, low: float = 0.3, min_duration: float = 0.0, min_gap: float = 0.0
    ) -> list[Segment]:
        """Merge windows into non-overlapping segments with one label each.

        The probabilities of all windows that cover a moment are averaged, with triangular weights: 1 in the middle of a
        window, 0 at its ends. A segment is a stretch of time in which one class stays the most probable with a
        probability of at least ``low``, and reaches ``high`` at least once (hysteresis thresholding [1]_). Boundaries
        have a resolution of 1/16 of a window. Where one sound is followed at once by another, and the windows are
        classified correctly, the boundary is within one hop of the true one.

        Parameters
        ----------
        high : float in [0, 1], default=0.5
            Probability that a segment must reach at least once.
        low : float in [0, 1], default=0.3
            Probability below which a segment ends; at most ``high``. If both are 0, segments cover the whole recording.
        min_duration : float >= 0, default=0.0
            Minimum duration of a segment, in seconds; shorter ones are dropped.
        min_gap : float >= 0, default=0.0
            Minimum gap between consecutive segments of one label, in seconds; segments with a shorter gap are joined,
            both before and after short segments are dropped.

        Returns
        -------
        list of Segment
            Segments sorted by time.

        Raises
        ------
        ParameterError
            For a parameter outside its range.

        References
        ----------
        .. [1] J. Canny, "A Computational Approach to Edge Detection", IEEE Trans. PAMI 8(6), 1986, on two thresholds.
        """
        values = {"high": high, "low": low, "min_duration": min_duration, "min_gap": min_gap}
        check_params("Timeline.segments", values, _MERGING)
        if low > high:
            raise ParameterError(f"Timeline.segments needs low <= high, got low={low} and high={high}")
        edges, shares = average_windows(self.starts, self.ends, self.hop, self.probabilities)
        return merge_segments(edges, shares, self.classes, **values)

    def export(self, path: str | os.PathLike[str], segments: Sequence[Segment] | None = None) -> None:
        """Write segments to a file for other programs.

        The extension of the path determines the format; all are UTF-8, with times in seconds. The file is written
        atomically: after an error, nothing has changed.

        - ``.csv``: a table with the columns start, end, label and probability.
        - ``.txt``: an Audacity label track, with the tab-separated columns start, end and label; sed_eval reads it too.
        - ``.TextGrid``: an interval tier for Praat, with empty intervals between segments.
        - ``.jams``: an annotation of the namespace "tag_open"; needs the extra ``soundclf[jams]``.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing one is replaced.
        segments : sequence of Segment, default=None
            Segments to write; by default ``self.segments()``.

        Raises
        ------
        ParameterError
            If the path has another extension.
        ValueError
            If a label contains a tab or line break (``.txt``), or if segments overlap or lie outside the recording
            (``.TextGrid``).
        OSError
            If the file cannot be written.
        ImportError
            If the package jams is not installed.
        """
        export_segments(self.segments() if segments is None else segments, self.duration, path)

    def to_frame(self) -> Any:
        """Return the probabilities as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row per window, indexed by "start" and "end" in seconds, and one column per class.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_optional("pandas", extra="pandas", feature="Timeline.to_frame")
        index = pd.MultiIndex.from_arrays([self.starts, self.ends], names=["start", "end"])
        return pd.DataFrame(self.probabilities, index=index, columns=self.classes)
