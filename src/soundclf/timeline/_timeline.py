"""What a model says of a recording, window by window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import Rule, check_params, real_in
from ..exceptions import ParameterError
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
    """What a model says of a recording, window by window.

    Made by :func:`predict_timeline`.

    Attributes
    ----------
    path : str or None
        The recording; None if it was not passed as a path.
    starts, ends : ndarray of shape (n_windows,)
        In seconds.
    probabilities : ndarray of shape (n_windows, n_classes)
        What ``predict_proba`` gave for each window.
    classes : ndarray of shape (n_classes,)
        The model's ``classes_``.
    duration : float
        Of the recording, in seconds.
    hop : float
        Seconds from one window to the next; the last may come sooner.
    sr : float
        The sampling rate in Hz at which windows were cut.

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
        """Merge windows into segments with one label each, which do not overlap.

        Windows overlap, and all that cover a moment vote for it: their probabilities are averaged, with weights that
        fall from the middle of a window to nothing at its ends. Where one class stays the most probable, and its
        probability at ``low`` or more, is a segment, if the probability comes to ``high`` somewhere in it [1]_. Borders
        fall on sixteenths of a window; where a sound gives way to another at once, and the windows are classified
        rightly, within a hop of that.

        Parameters
        ----------
        high : float in [0, 1], default=0.5
            Probability that a segment must reach.
        low : float in [0, 1], default=0.3
            Probability that it must not fall below; at most ``high``. With 0 for both, every moment belongs to a
            segment.
        min_duration : float >= 0, default=0.0
            Shorter segments, in seconds, are dropped.
        min_gap : float >= 0, default=0.0
            Neighbouring segments of one label with less than so many seconds between them are joined, both before and
            after short ones are dropped.

        Returns
        -------
        list of Segment
            In the order of time.

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
        """Write segments to a file for other programs, as a whole or not at all.

        What the path ends in tells the format; all are UTF-8, with times in seconds.

        - ``.csv``: a table of start, end, label and probability, with a header.
        - ``.txt``: Audacity's labels, three columns with tabs between them: start, end and label. sed_eval reads them
          too.
        - ``.TextGrid``: an interval tier for Praat, empty where there is no segment.
        - ``.jams``: an annotation of the namespace "tag_open"; needs the extra ``soundclf[jams]``.

        Parameters
        ----------
        path : str or path-like
            The file; one that exists is replaced.
        segments : sequence of Segment, default=None
            What to write; by default ``self.segments()``.

        Raises
        ------
        ParameterError
            If the path ends otherwise.
        ValueError
            For a label with a tab or line break in Audacity's labels, and segments that overlap or lie outside the
            recording in a TextGrid.
        OSError
            If the file cannot be written.
        ImportError
            If the package jams is not installed.
        """
        export_segments(self.segments() if segments is None else segments, self.duration, path)

    def to_frame(self) -> Any:
        """Give the probabilities as a DataFrame; needs pandas.

        Returns
        -------
        pandas.DataFrame
            A row for every window, indexed by "start" and "end" in seconds, and a column for every class.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError('Timeline.to_frame needs the package pandas: pip install "soundclf[pandas]"') from None
        index = pd.MultiIndex.from_arrays([self.starts, self.ends], names=["start", "end"])
        return pd.DataFrame(self.probabilities, index=index, columns=self.classes)
