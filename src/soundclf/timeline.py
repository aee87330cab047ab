"""Long recordings: windows -> probabilities over time -> labelled segments."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._clip_transformer import ClipTransformer
from ._exports import export_segments
from ._params import FLAG, NONE, Rule, check_params, integer, listed, names, real
from ._segments import Segment, merged, voted
from .audio import Clip, checked_path, resampled_live, stream_clip
from .exceptions import AudioError, AudioWarning, ParameterError, describe_clip

__all__ = ["Segment", "Timeline", "Window", "predict_stream", "predict_timeline"]

# Windows that go through the model together. The matrix products of more rows wake threads of NumPy's BLAS, which cost
# more than they do.
_AT_ONCE = 16
_SAMPLES = 1 << 23  # of new sound in them
_FITTED = ("best_estimator_", "calibrated_classifiers_", "estimators_", "estimator_")  # in place of what was passed

_WINDOWS: dict[str, tuple[Rule, ...]] = {
    "window": (real(0, closed="neither"),),
    "hop": (real(0, closed="neither"),),
    "sr": (NONE, real(0, closed="neither")),
}
_PARAMETERS = {**_WINDOWS, "on_error": (names(["raise", "warn"]),), "verbose": (integer(0), FLAG)}
_MERGING: dict[str, tuple[Rule, ...]] = {
    "high": (real(0, 1, closed="both"),),
    "low": (real(0, 1, closed="both"),),
    "min_duration": (real(0),),
    "min_gap": (real(0),),
}


class Window(NamedTuple):
    """What a model says of a window of a live recording.

    Attributes
    ----------
    start, end : float
        In seconds from the first sample.
    label : object
        The most probable class.
    probabilities : ndarray of shape (n_classes,)
        Of all classes, in the order of the model's ``classes_``.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.timeline import Window
    >>> window = Window(3.0, 7.0, "rain", np.array([0.9, 0.1]))
    >>> f"{window.start:g} s: {window.label} {window.probabilities.max():.0%}"
    '3 s: rain 90%'
    """

    start: float
    end: float
    label: Any
    probabilities: NDArray[np.float64]


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
        edges, shares = voted(self.starts, self.ends, self.hop, self.probabilities)
        return merged(edges, shares, self.classes, **values)

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


def predict_timeline(
    model: Any,
    path: Clip,
    *,
    window: float = 4.0,
    hop: float = 1.0,
    sr: float | None = None,
    on_error: str = "raise",
    verbose: int = 0,
) -> Timeline:
    """Classify a long recording, window by window.

    The recording is decoded, mixed down and resampled as a stream, so that its length does not matter for memory.
    Every window gets the probabilities that ``model.predict_proba`` gives for a clip of those samples.

    Parameters
    ----------
    model : classifier
        A fitted pipeline from clips to classes, or an ensemble or a search over such. It needs ``predict_proba``.
    path : str, pathlib.Path or another clip
        The recording: a path, or any other form that :func:`soundclf.load_clip` takes.
    window : float > 0, default=4.0
        Length of a window in seconds, rounded to whole samples; best that of the clips that the model was trained on.
    hop : float > 0, default=1.0
        Seconds from one window to the next, rounded to whole samples; at most ``window``.
    sr : number > 0, default=None
        Sampling rate in Hz at which windows are cut. None takes that of the model's clip transformers, and their
        resampler; only a model with several rates, or without a transformer of ours, needs another. The model gets
        every window as a tuple ``(samples, sr)``.
    on_error : {"raise", "warn"}, default="raise"
        What to do about a recording that turns out to be damaged or cut off on the way: raise an AudioError, or warn,
        and give the timeline of what came before.
    verbose : int, default=0
        With 1 or more, a progress bar over the recording's seconds.

    Returns
    -------
    Timeline
        Probabilities of every window, with start and end; it merges them into segments.

    Raises
    ------
    AudioError
        If the recording cannot be used, or not to its end and ``on_error="raise"``.
    ParameterError
        For a model without ``predict_proba``, one whose sampling rate cannot be told, and parameters outside their
        range.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Warns
    -----
    AudioWarning
        If a transformer's ``duration`` leaves the end of every window unheard, and as ``on_error="warn"`` says.

    See Also
    --------
    predict_stream : The same while the recording is made.

    Notes
    -----
    The last window ends where the recording ends, and so begins less than a hop after the one before, unless it fits
    without. A recording shorter than a window is one window, as it is.

    Windows go through the model in lots, with the transformer's own ``n_jobs``. A transformer with ``memory`` keeps the
    features of every window. Those resamplers that are not ``soxr_*`` need the whole recording in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from soundclf import MFCCMeanTransformer, predict_timeline
    >>> from soundclf.datasets import make_sounds
    >>> sounds = make_sounds(12, classes=["drum", "siren"], random_state=0)
    >>> model = make_pipeline(MFCCMeanTransformer(), LogisticRegression(max_iter=2000))
    >>> model = model.fit(sounds.data, sounds.target)
    >>> recording = np.concatenate([*sounds.data[:6], *sounds.data[6:]])
    >>> timeline = predict_timeline(model, recording, window=1.5, hop=0.5)
    >>> timeline.probabilities.shape
    (34, 2)
    >>> [(start, end, label) for start, end, label, _ in timeline.segments()]
    [(0.0, 9.0, 'drum'), (9.0, 18.0, 'siren')]
    """
    values = {"window": window, "hop": hop, "sr": sr, "on_error": on_error, "verbose": verbose}
    check_params("predict_timeline", values, _PARAMETERS)
    classes = _classes(model, "predict_timeline")
    rate, res_type = _way_in(model, sr, "predict_timeline")
    n_window, n_hop = _in_samples(model, window, hop, rate, "predict_timeline")
    described = describe_clip(path)
    starts, lengths, probabilities = [], [], []
    blocks = stream_clip(path, sr=rate, res_type=res_type)
    if on_error == "warn":
        blocks = _until_damage(blocks)
    windows = _windows(blocks, n_window, n_hop)
    n_at_once = max(1, min(_AT_ONCE, _SAMPLES // n_hop))
    with _progress(path, bool(verbose)) as reached:
        while lot := list(islice(windows, n_at_once)):
            probabilities.append(_probabilities(model, lot, rate, len(classes), described))
            starts += [start for start, _ in lot]
            lengths += [len(samples) for _, samples in lot]
            reached((starts[-1] + lengths[-1]) / rate)
    ends = np.add(starts, lengths)
    return Timeline(
        path=os.fspath(path) if isinstance(path, str | os.PathLike) else None,
        starts=np.asarray(starts) / rate,
        ends=ends / rate,
        probabilities=np.concatenate(probabilities),
        classes=classes,
        duration=float(ends[-1] / rate),
        hop=n_hop / rate,
        sr=rate,
    )


def predict_stream(
    model: Any,
    blocks: Iterable[NDArray[np.floating]],
    *,
    sr: float,
    window: float = 4.0,
    hop: float = 1.0,
) -> Iterator[Window]:
    """Classify a live recording, window by window, as its samples come in.

    The windows are those that :func:`predict_timeline` gives for the same samples in a file, the last one included,
    which comes when the blocks end.

    Parameters
    ----------
    model : classifier
        As for :func:`predict_timeline`.
    blocks : iterable of ndarray
        Float samples ``(n,)`` or ``(channels, n)``, as they come, in blocks of any sizes. A block may be overwritten
        once the next one has been asked for. Those of sounddevice are ``(n, channels)``: pass ``block.T``.
    sr : number > 0
        Their sampling rate in Hz.
    window, hop : float > 0, default=4.0 and 1.0
        As for :func:`predict_timeline`.

    Returns
    -------
    iterator of Window
        Start and end in seconds from the first sample, the most probable class, and all probabilities.

    Raises
    ------
    AudioError
        While it is iterated over, for a block that cannot be used, by its number.
    ParameterError
        As from :func:`predict_timeline`; and for a model whose resampler is not one of ``soxr_*`` if it needs another
        rate than ``sr``.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Warns
    -----
    AudioWarning
        As from :func:`predict_timeline`.

    Notes
    -----
    A window is classified as soon as its last sample has come. If the blocks have the model's rate, that is with the
    block that holds it; otherwise the resampler holds samples back: ``soxr_hq`` fewer than 1,000 at the lower of the
    two rates, which is 45 ms at 22,050 Hz, and ``soxr_vhq`` fewer than 2,000. To that come the time of a block and that
    of classifying a window, some milliseconds. What is told is told of the whole window: a sound that has just begun
    prevails after about half a window.

    Where a model has several rates, or no transformer of ours, windows are cut at ``sr``.

    Probabilities may differ from those of :func:`predict_timeline` by rounding, since matrix products of one row are
    rounded otherwise than those of many.

    Examples
    --------
    A microphone's callback puts blocks into a queue: ``predict_stream(model, iter(queue.get, None), sr=44100)`` ends
    when it puts None. Here they come from memory:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from soundclf import MFCCMeanTransformer, predict_stream
    >>> from soundclf.datasets import make_sounds
    >>> sounds = make_sounds(12, classes=["drum", "siren"], random_state=0)
    >>> model = make_pipeline(MFCCMeanTransformer(), LogisticRegression(max_iter=2000))
    >>> model = model.fit(sounds.data, sounds.target)
    >>> blocks = np.array_split(np.concatenate([sounds.data[0], sounds.data[-1]]), 100)
    >>> for heard in predict_stream(model, blocks, sr=22050, window=1.5, hop=1.5):
    ...     print(f"{heard.start} to {heard.end} s: {heard.label}")
    0.0 to 1.5 s: drum
    1.5 to 3.0 s: siren
    """
    check_params("predict_stream", {"window": window, "hop": hop, "sr": sr}, {**_WINDOWS, "sr": _WINDOWS["sr"][1:]})
    classes = _classes(model, "predict_stream")
    given = float(sr)
    found = _rates(model)
    rate, res_type = found[0] if len(found) == 1 else (given, "soxr_hq")
    if rate != given and not res_type.startswith("soxr"):
        raise ParameterError(
            f"predict_stream cannot resample from {given:g} to the model's {rate:g} Hz with the model's "
            f"res_type={res_type!r}, which needs whole recordings; pass blocks of {rate:g} Hz"
        )
    n_window, n_hop = _in_samples(model, window, hop, rate, "predict_stream")
    windows = _windows(resampled_live(blocks, given, rate, res_type), n_window, n_hop)

    def heard() -> Iterator[Window]:
        for start, samples in windows:
            (row,) = _probabilities(model, [(start, samples)], rate, len(classes), "the stream")
            label = classes[row.argmax()]
            label = label.item() if isinstance(label, np.generic) else label
            yield Window(start / rate, (start + len(samples)) / rate, label, row)

    return heard()


# -- the model ---------------------------------------------------------------------------------------------------------


def _classes(model: Any, owner: str) -> np.ndarray:
    if isinstance(model, type) or not hasattr(model, "predict_proba"):
        raise ParameterError(f"The 'model' parameter of {owner} must have predict_proba, got {_name(model)}.")
    if hasattr(model, "fit"):
        check_is_fitted(model)
    classes = np.asarray(getattr(model, "classes_", []))
    if classes.ndim != 1 or not len(classes):
        raise ParameterError(
            f"The 'model' parameter of {owner} must tell in classes_ the labels of which it gives each clip one, got "
            f"{_name(model)}."
        )
    return classes


def _name(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__


def _transformers(part: Any) -> Iterator[ClipTransformer]:
    """Find the clip transformers in a model; of an ensemble or a search, those that were fitted."""
    if isinstance(part, ClipTransformer):
        yield part
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _transformers(item)
    elif isinstance(part, Mapping):
        yield from _transformers(list(part.values()))
    elif not isinstance(part, type) and (hasattr(part, "get_params") or hasattr(part, "estimator")):
        known = vars(part)
        fitted = [known[name] for name in _FITTED if name in known]
        yield from _transformers(fitted or list(known.values()))


def _rates(model: Any) -> list[tuple[float, str]]:
    """Give the sampling rates of a model's transformers, each with the resampler that brings clips to it."""
    return sorted({(float(found.sr), str(found.res_type)) for found in _transformers(model)})


def _way_in(model: Any, sr: float | None, owner: str) -> tuple[float, str]:
    """Give the rate and the resampler to bring a recording to windows by."""
    found = _rates(model)
    if len(found) == 1 and sr in (None, found[0][0]):
        return found[0]
    if sr is not None:
        return float(sr), "soxr_hq"
    if not found:
        raise ParameterError(
            f"{owner} finds no clip transformer of soundclf in the {_name(model)}, by whose sampling rate it would cut "
            "windows; pass sr, in Hz: the model gets each window as a tuple (samples, sr)"
        )
    rates = listed([f"sr={rate:g} with {res_type!r}" for rate, res_type in found], show=str)
    raise ParameterError(
        f"{owner} finds clip transformers of several rates or resamplers in the {_name(model)}: {rates}; pass sr, in "
        "Hz, from which each resamples its windows"
    )


def _in_samples(model: Any, window: float, hop: float, rate: float, owner: str) -> tuple[int, int]:
    """Give the lengths of windows and hops in samples."""
    if hop > window:
        raise ParameterError(f"{owner} needs hop <= window, got hop={hop} and window={window}")
    n_window, n_hop = round(float(window) * rate), round(float(hop) * rate)
    if not n_hop:
        raise ParameterError(f"{owner} needs a hop of at least one sample at {rate:g} Hz, got hop={hop}")
    heard = [float(found.duration) for found in _transformers(model) if found.duration is not None]
    if heard and round(min(heard) * rate) < n_window:
        warnings.warn(
            f"A transformer of the model uses the first {min(heard):g} s of each clip, so that the rest of every "
            f"window of {window:g} s stays unheard; pass window={min(heard):g}",
            AudioWarning,
            stacklevel=3,
        )
    return n_window, n_hop


def _probabilities(
    model: Any, lot: Sequence[tuple[int, NDArray[np.float32]]], rate: float, n_classes: int, described: str
) -> NDArray[np.float64]:
    """Classify a lot of windows."""
    try:
        rows = np.asarray(model.predict_proba([(samples, rate) for _, samples in lot]), np.float64)
    except AudioError as error:
        start = lot[error.position or 0][0] / rate
        raise AudioError(f"the window from {start:g} s on cannot be used: {error.reason}", described) from error
    if rows.shape != (len(lot), n_classes):
        raise ValueError(
            f"The model's predict_proba gave an array of shape {rows.shape} for {len(lot)} windows and {n_classes} "
            "classes"
        )
    return rows


# -- the recording -----------------------------------------------------------------------------------------------------


def _windows(
    blocks: Iterable[NDArray[np.float32]], n_window: int, n_hop: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cut samples into windows, each with the position of its first sample.

    The last window ends with the last sample; if there are fewer samples than a window takes, it is all of them.
    """
    parts: list[NDArray[np.float32]] = []
    n_held = start = 0
    last = np.empty(0, np.float32)  # the window before
    for block in blocks:
        parts.append(block)
        n_held += len(block)
        if n_held < n_window:
            continue
        held = np.concatenate(parts)
        while len(held) >= n_window:
            last, held = held[:n_window], held[n_hop:]
            yield start, last
            start += n_hop
        parts, n_held = [held], len(held)
    held = np.concatenate([last, *parts])
    if not len(last):
        if n_held:
            yield 0, held
        return
    rest = np.concatenate(parts)[n_window - n_hop :]  # what comes after the window before
    if len(rest):
        yield start - n_hop + len(rest), np.concatenate([last, rest])[-n_window:]


def _until_damage(blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Give blocks until one cannot be read, and warn of that; if it is the first, there is nothing to give."""
    begun = False
    try:
        for block in blocks:
            yield block
            begun = True
    except AudioError as error:
        if not begun:
            raise
        warnings.warn(f"{error} The timeline ends there", AudioWarning, stacklevel=4)


@contextlib.contextmanager
def _progress(path: Any, wanted: bool) -> Iterator[Any]:
    """Give the function to call with the seconds that have been reached."""
    if not wanted:
        yield lambda seconds: None
        return
    from tqdm.auto import tqdm

    total = None
    if isinstance(path, str | os.PathLike):
        with contextlib.suppress(AudioError, OSError, TypeError, soundfile.LibsndfileError):
            total = round(soundfile.info(checked_path(path)).duration)  # what the header says
    with tqdm(desc="predict_timeline", total=total, unit="s") as bar:
        yield lambda seconds: bar.update(int(seconds) - bar.n)
