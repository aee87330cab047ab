"""Long recordings: windows -> probabilities over time -> labelled segments."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from .._utils.validation import BOOLEAN, NONE, Rule, check_params, integer_in, one_of, real_in
from ..audio import Clip, check_path, describe_clip, stream_clip, stream_live_blocks
from ..exceptions import AudioError, ParameterError
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

# Windows that go through the model together. The matrix products of more rows wake threads of NumPy's BLAS, which cost
# more than they do.
_AT_ONCE = 16
_SAMPLES = 1 << 23  # of new sound in them

_WINDOWS: dict[str, tuple[Rule, ...]] = {
    "window": (real_in(0, closed="neither"),),
    "hop": (real_in(0, closed="neither"),),
    "sr": (NONE, real_in(0, closed="neither")),
}
_PARAMETERS = {**_WINDOWS, "on_error": (one_of(["raise", "warn"]),), "verbose": (integer_in(0), BOOLEAN)}


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
    >>> recording = np.concatenate(sounds.data)  # class by class
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
    described = describe_clip(path)
    starts, lengths, probabilities = [], [], []
    blocks = stream_clip(path, sr=rate, res_type=res_type)
    if on_error == "warn":
        blocks = stop_at_damage(blocks)
    windows = cut_into_windows(blocks, n_window, n_hop)
    n_at_once = max(1, min(_AT_ONCE, _SAMPLES // n_hop))
    with _progress(path, bool(verbose)) as reached:
        while lot := list(islice(windows, n_at_once)):
            probabilities.append(predict_windows(model, lot, rate, len(classes), described))
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
    TypeError
        If ``blocks`` is one array, or no iterable; while it is iterated over, for a block that is no array of floats.
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
    A microphone's callback puts blocks into a queue, and a generator takes them out, until None comes:
    ``while (block := queue.get()) is not None: yield block``. Here they come from memory:

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
    if isinstance(blocks, np.ndarray) or not isinstance(blocks, Iterable):
        what = "one array; wrap it in a list" if isinstance(blocks, np.ndarray) else type(blocks).__name__
        raise TypeError(f"blocks must be an iterable of arrays, got {what}")
    classes = check_classes(model, "predict_stream")
    given = float(sr)
    found = find_rates(model)
    rate, res_type = found[0] if len(found) == 1 else (given, "soxr_hq")
    if rate != given and not res_type.startswith("soxr"):
        raise ParameterError(
            f"predict_stream cannot resample from {given:g} to the model's {rate:g} Hz with the model's "
            f"res_type={res_type!r}, which needs whole recordings; pass blocks of {rate:g} Hz"
        )
    n_window, n_hop = convert_to_samples(model, window, hop, rate, "predict_stream")
    windows = cut_into_windows(stream_live_blocks(blocks, given, rate, res_type), n_window, n_hop)

    def heard() -> Iterator[Window]:
        for start, samples in windows:
            (row,) = predict_windows(model, [(start, samples)], rate, len(classes), "the stream")
            label = classes[row.argmax()]
            label = label.item() if isinstance(label, np.generic) else label
            yield Window(start / rate, (start + len(samples)) / rate, label, row)

    return heard()


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
            total = round(soundfile.info(check_path(path)).duration)  # what the header says
    with tqdm(desc="predict_timeline", total=total, unit="s") as bar:
        yield lambda seconds: bar.update(int(seconds) - bar.n)
