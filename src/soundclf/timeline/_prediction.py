"""Classification of long and live recordings, window by window."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from .._utils.progress import show_progress
from .._utils.validation import BOOLEAN, NONE, Rule, check_params, integer_in, one_of, real_in
from ..audio import Clip, check_path, describe_clip, stream_clip, stream_live_blocks
from ..exceptions import AudioError, AudioWarning, ParameterError
from ._segments import Segment
from ._timeline import Timeline
from ._windows import (
    check_classes,
    convert_to_samples,
    cut_into_windows,
    find_rates,
    predict_windows,
    resolve_rate,
    stop_at_damage,
)

__all__ = ["Segment", "Timeline", "Window", "predict_stream", "predict_timeline"]

# Windows per batch. NumPy's BLAS computes matrix products of more rows in threads, which cost more time than they save.
_MAX_WINDOWS = 16
_MAX_SAMPLES = 1 << 23  # new samples per batch

_WINDOW_RULES: dict[str, tuple[Rule, ...]] = {
    "window": (real_in(0, closed="neither"),),
    "hop": (real_in(0, closed="neither"),),
    "sr": (NONE, real_in(0, closed="neither")),
}
_PARAMETERS = {**_WINDOW_RULES, "on_error": (one_of(["raise", "warn"]),), "verbose": (integer_in(0), BOOLEAN)}


class Window(NamedTuple):
    """The prediction for a window of a live recording.

    Attributes
    ----------
    start, end : float
        Start and end, in seconds from the first sample.
    label : object
        Most probable class.
    probabilities : ndarray of shape (n_classes,)
        Class probabilities, in the order of the model's ``classes_``.

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

    The recording is decoded, mixed down and resampled as a stream, so memory does not grow with its length. The
    probabilities of a window are those of ``model.predict_proba`` for a clip of the same samples.

    Parameters
    ----------
    model : classifier
        A fitted pipeline from clips to classes, or an ensemble of or a search over such pipelines, with
        ``predict_proba``.
    path : str, pathlib.Path or another clip
        The recording, in any form that :func:`soundclf.load_clip` takes.
    window : float > 0, default=4.0
        Length of a window, in seconds, rounded to whole samples. Use the length of the training clips.
    hop : float > 0, default=1.0
        Time from the start of one window to the start of the next, in seconds, rounded to whole samples; at most
        ``window``.
    sr : number > 0, default=None
        Sampling rate at which windows are cut, in Hz. None takes the sampling rate and the resampler of the model's
        clip transformers; ``sr`` is required for a model whose transformers differ in these, or that has no transformer
        of soundclf. The model gets each window as a tuple ``(samples, sr)``.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a recording that is damaged or truncated after its beginning: raise an AudioError, or warn and
        return the timeline of the part before the damage.
    verbose : int, default=0
        If 1 or more, show a progress bar.

    Returns
    -------
    Timeline
        Start, end and probabilities of each window; its method ``segments`` merges windows into segments.

    Raises
    ------
    AudioError
        If the recording cannot be used or, with ``on_error="raise"``, cannot be read to its end.
    ParameterError
        For a model without ``predict_proba``, a model whose sampling rate is not known, and a parameter outside its
        range.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Warns
    -----
    AudioWarning
        If a transformer's ``duration`` is shorter than a window; and with ``on_error="warn"``, if the recording is
        damaged.

    See Also
    --------
    predict_stream : Classify a live recording.

    Notes
    -----
    The last window ends where the recording ends, so it may start less than one hop after the previous one. A
    recording shorter than ``window`` is a single window of its own length.

    Windows are classified in batches, with the transformer's ``n_jobs``. A transformer with ``memory`` caches the
    features of every window. Resamplers other than ``soxr_*`` load the whole recording into memory.

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
    >>> recording = np.concatenate(sounds.data)  # sorted by class
    >>> timeline = predict_timeline(model, recording, window=1.5, hop=0.5)
    >>> timeline.probabilities.shape
    (34, 2)
    >>> [(start, end, label) for start, end, label, _ in timeline.segments()]
    [(0.0, 9.0, 'drum'), (9.0, 18.0, 'siren')]
    """
    values = {"window": window, "hop": hop, "sr": sr, "on_error": on_error, "verbose": verbose}
    check_params("predict_timeline", values, _PARAMETERS)
    classes = check_classes(model, "predict_timeline")
    rate, res_type = resolve_rate(model, sr, "predict_timeline")
    n_window, n_hop = convert_to_samples(model, window, hop, rate, "predict_timeline")
    recording = describe_clip(path)
    damage: list[AudioError] = []
    starts, lengths, probabilities = [], [], []
    blocks = stream_clip(path, sr=rate, res_type=res_type)
    if on_error == "warn":
        blocks = stop_at_damage(blocks, damage.append)
    windows = cut_into_windows(blocks, n_window, n_hop)
    n_at_once = max(1, min(_MAX_WINDOWS, _MAX_SAMPLES // n_hop))
    total = _get_duration(path) if verbose else None
    with show_progress("predict_timeline", total, "s", enabled=verbose) as update:
        n_seconds = 0
        while batch := list(islice(windows, n_at_once)):
            probabilities.append(predict_windows(model, batch, rate, len(classes), recording))
            starts += [start for start, _ in batch]
            lengths += [len(samples) for _, samples in batch]
            seconds = int((starts[-1] + lengths[-1]) / rate)
            update(seconds - n_seconds)
            n_seconds = seconds
    for error in damage:
        warnings.warn(AudioWarning(f"{error} The timeline ends there", [error]), stacklevel=2)
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
        damage=damage[0] if damage else None,
    )


def predict_stream(
    model: Any,
    blocks: Iterable[NDArray[np.floating]],
    *,
    sr: float,
    window: float = 4.0,
    hop: float = 1.0,
) -> Iterator[Window]:
    """Classify a live recording, window by window, as its samples arrive.

    The windows are those of :func:`predict_timeline` for the same samples in a file. The last window is yielded when
    the blocks end.

    Parameters
    ----------
    model : classifier
        As for :func:`predict_timeline`.
    blocks : iterable of ndarray
        Float samples of shape ``(n,)`` or ``(channels, n)``, in blocks of any length. A block may be overwritten once
        the next one is requested. Blocks of sounddevice have the shape ``(n, channels)``: pass ``block.T``.
    sr : number > 0
        Sampling rate of the blocks, in Hz.
    window, hop : float > 0, default=4.0 and 1.0
        As for :func:`predict_timeline`.

    Returns
    -------
    iterator of Window
        Start and end, the most probable class, and the probabilities of all classes.

    Raises
    ------
    AudioError
        During iteration, for a block that cannot be used; the message has its number.
    TypeError
        If ``blocks`` is a single array, or not an iterable; during iteration, for a block that is not a float array.
    ParameterError
        As from :func:`predict_timeline`; also if the model's sampling rate differs from ``sr`` and its resampler is
        not one of ``soxr_*``.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Warns
    -----
    AudioWarning
        As from :func:`predict_timeline`.

    Notes
    -----
    A window is classified as soon as its last sample is available. The latency is the length of a block, plus a few
    milliseconds to classify a window, plus the delay of the resampler if ``sr`` is not the model's sampling rate:
    ``soxr_hq`` holds back fewer than 1,000 samples at the lower of the two rates, which is 45 ms at 22,050 Hz, and
    ``soxr_vhq`` fewer than 2,000. A prediction describes the whole window: a new sound becomes the most probable class
    after about half a window.

    If the model has several sampling rates, or no transformer of soundclf, windows are cut at ``sr``.

    Probabilities may differ from those of :func:`predict_timeline` by rounding errors, because matrix products of a
    single row are rounded differently from those of several rows.

    Examples
    --------
    With a microphone, a callback puts blocks into a queue, and a generator yields them:
    ``while (block := queue.get()) is not None: yield block``. Here blocks are cut from an array:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from soundclf import MFCCMeanTransformer, predict_stream
    >>> from soundclf.datasets import make_sounds
    >>> sounds = make_sounds(12, classes=["drum", "siren"], random_state=0)
    >>> model = make_pipeline(MFCCMeanTransformer(), LogisticRegression(max_iter=2000))
    >>> model = model.fit(sounds.data, sounds.target)
    >>> blocks = np.array_split(np.concatenate([sounds.data[0], sounds.data[-1]]), 100)
    >>> for prediction in predict_stream(model, blocks, sr=22050, window=1.5, hop=1.5):
    ...     print(f"{prediction.start} to {prediction.end} s: {prediction.label}")
    0.0 to 1.5 s: drum
    1.5 to 3.0 s: siren
    """
    check_params(
        "predict_stream", {"window": window, "hop": hop, "sr": sr}, {**_WINDOW_RULES, "sr": _WINDOW_RULES["sr"][1:]}
    )
    if isinstance(blocks, np.ndarray) or not isinstance(blocks, Iterable):
        what = "a single array; wrap it in a list" if isinstance(blocks, np.ndarray) else type(blocks).__name__
        raise TypeError(f"blocks must be an iterable of arrays, got {what}")
    classes = check_classes(model, "predict_stream")
    given = float(sr)
    found = find_rates(model)
    rate, res_type = found[0] if len(found) == 1 else (given, "soxr_hq")
    if rate != given and not res_type.startswith("soxr"):
        raise ParameterError(
            f"predict_stream cannot resample from {given:g} Hz to the model's {rate:g} Hz with res_type={res_type!r}, "
            f"which needs the whole recording; pass blocks at {rate:g} Hz"
        )
    n_window, n_hop = convert_to_samples(model, window, hop, rate, "predict_stream")
    windows = cut_into_windows(stream_live_blocks(blocks, given, rate, res_type), n_window, n_hop)

    def stream() -> Iterator[Window]:
        for start, samples in windows:
            (row,) = predict_windows(model, [(start, samples)], rate, len(classes), "the stream")
            label = classes[row.argmax()]
            label = label.item() if isinstance(label, np.generic) else label
            yield Window(start / rate, (start + len(samples)) / rate, label, row)

    return stream()


def _get_duration(path: Any) -> int | None:
    """Return the duration in the header of a file, in seconds, if it is known."""
    if isinstance(path, str | os.PathLike):
        with contextlib.suppress(AudioError, OSError, TypeError, soundfile.LibsndfileError):
            return round(soundfile.info(check_path(path)).duration)
    return None
