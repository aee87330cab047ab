"""Checks of a collection: unreadable, silent, clipped and duplicate clips, durations and formats."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from .._utils.parallel import run_parallel
from .._utils.progress import show_progress
from .._utils.text import format_count, format_list, format_table
from .._utils.validation import BOOLEAN, N_JOBS, NONE, Rule, check_params, integer_in
from ..audio import Fingerprint, check_path, open_channels, resample_blocks
from ..exceptions import AudioError
from ..transformers import detect_input_kind

__all__ = ["ClipCheck", "check_clips"]

_RATE = 22050  # Hz, the default sampling rate of transformers
_SILENCE = 2e-4  # of full scale, from the lowest to the highest sample, as in fingerprints
_RUN = 3  # consecutive samples at full scale that count as clipping
_MAX_LISTED = 10  # clips of each kind in the text

_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "n_jobs": (NONE, N_JOBS),
    "verbose": (integer_in(0), BOOLEAN),
}


@dataclass(frozen=True, eq=False)
class ClipCheck:
    """Result of checking a collection of clips.

    Returned by :func:`check_clips`. ``print`` shows it as text. Clips that cannot be used have a duration, rate and
    peak of NaN and 0 channels.

    Attributes
    ----------
    clips : ndarray of shape (n_clips,), object
        The clips.
    target : ndarray of shape (n_clips,) or None
        Labels of the clips; None if they are unknown.
    errors : dict of int to AudioError
        Errors of the clips that cannot be used, by position.
    duration : ndarray of shape (n_clips,)
        Decoded durations, in seconds.
    rate : ndarray of shape (n_clips,)
        Sampling rates, in Hz.
    channels : ndarray of shape (n_clips,), int
        Numbers of channels.
    format : ndarray of shape (n_clips,), str
        Container and encoding of files, as named by libsndfile, for example "WAV PCM_16".
    peak : ndarray of shape (n_clips,)
        Largest absolute sample, relative to full scale; lossy formats can exceed 1.
    silent : ndarray of shape (n_clips,), bool
        Whether the samples of each channel differ by at most 2e-4 of full scale.
    clipped : ndarray of shape (n_clips,), int
        Number of places where three or more consecutive samples of a channel are at full scale.
    duplicates : list of list of int
        Positions of each sound that occurs more than once, as from :func:`soundclf.evaluation.find_duplicates`; silent
        clips are not included.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.datasets import check_clips
    >>> found = check_clips({"data": [(np.zeros(8000), 8000), (np.sin(np.arange(16000.0)) / 2, 8000)]})
    >>> found
    <ClipCheck: 2 clips, 0 of them cannot be used>
    >>> found.duration.tolist(), found.silent.tolist()
    ([1.0, 2.0], [True, False])
    """

    clips: np.ndarray
    target: np.ndarray | None
    errors: dict[int, AudioError]
    duration: NDArray[np.float64]
    rate: NDArray[np.float64]
    channels: NDArray[np.intp]
    format: np.ndarray
    peak: NDArray[np.float64]
    silent: NDArray[np.bool_]
    clipped: NDArray[np.intp]
    duplicates: list[list[int]]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether each clip can be used."""
        mask = np.ones(len(self.clips), bool)
        mask[list(self.errors)] = False
        return mask

    def __repr__(self) -> str:
        return f"<ClipCheck: {format_count(len(self.clips), 'clip')}, {len(self.errors):,} of them cannot be used>"

    def __str__(self) -> str:
        return "\n\n".join(
            [format_table(_make_duration_rows(self)), "\n".join(_format_properties(self)), *_format_findings(self)]
        )


def check_clips(dataset: Mapping[str, Any], *, n_jobs: int | None = None, verbose: int = 0) -> ClipCheck:
    """Check a collection for unreadable, silent, clipped and duplicate clips, and summarize durations and formats.

    Each clip is decoded once, to its end, block by block.

    Parameters
    ----------
    dataset : Bunch or mapping
        With "data", a sequence of clips, and optionally "target", their labels, as returned by the loaders of
        :mod:`soundclf.datasets`. Arrays of samples without a sampling rate are assumed to be at 22,050 Hz.
    n_jobs : int, default=None
        Number of threads over clips, as for a transformer.
    verbose : int, default=0
        If positive, show a progress bar over the clips.

    Returns
    -------
    ClipCheck
        Result for each clip; ``print`` shows a summary.

    Raises
    ------
    ValueError, TypeError
        If "data" is not a sequence of clips, contains an object that is not a clip, or differs from "target" in length.
    ParameterError
        For a parameter outside its range.

    See Also
    --------
    soundclf.evaluation.find_duplicates : Duplicates alone.

    Notes
    -----
    Three consecutive samples at full scale are the default of Audacity's "Find Clipping". Sounds that were attenuated
    after clipping are not detected.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.datasets import check_clips
    >>> tone = 0.5 * np.sin(np.arange(22050.0))
    >>> found = check_clips({"data": [tone, 0 * tone, np.clip(9 * tone, -1, 1), tone, np.full(9, np.nan)]})
    >>> found.silent.tolist(), (found.clipped > 0).tolist(), found.duplicates
    ([False, True, False, False, False], [False, False, True, False, False], [[0, 3]])
    >>> found.errors[4].reason
    'it contains NaN or infinity'
    """
    check_params("check_clips", {"n_jobs": n_jobs, "verbose": verbose}, _PARAMETERS)
    if not isinstance(dataset, Mapping) or "data" not in dataset:
        raise ValueError('dataset must be a Bunch or a dict with "data", as the loaders of soundclf.datasets return')
    if detect_input_kind(dataset["data"]) == "samples":
        rows = dataset["data"].to_numpy() if hasattr(dataset["data"], "iloc") else dataset["data"]
        clips: list[Any] = [np.asarray(row, float) for row in rows]
    else:
        clips = list(dataset["data"])
    target = None if dataset.get("target") is None else np.asarray(dataset["target"])
    if target is not None and len(target) != len(clips):
        raise ValueError(f'"data" has {len(clips):,} clips and "target" {len(target):,} labels')
    usable: dict[int, _ClipSummary] = {}
    errors: dict[int, AudioError] = {}
    with show_progress("check_clips", len(clips), "clip", enabled=verbose) as update:

        def save(position: int, result: _ClipSummary | AudioError) -> bool:
            if isinstance(result, AudioError):
                errors[position] = result
            else:
                usable[position] = result
            update()
            return True

        run_parallel(_summarize_clip, clips, save, n_jobs)
    summaries = [usable.get(position, _ClipSummary()) for position in range(len(clips))]
    sounds: dict[bytes, list[int]] = {}
    for position in sorted(usable):
        fingerprint = usable[position].fingerprint
        if fingerprint is not None:
            sounds.setdefault(fingerprint, []).append(position)
    return ClipCheck(
        clips=np.array([*clips, None], dtype=object)[:-1],  # None keeps NumPy from making an array of their items
        target=target,
        errors={position: errors[position] for position in sorted(errors)},
        duration=np.array([summary.duration for summary in summaries]),
        rate=np.array([summary.rate for summary in summaries]),
        channels=np.array([summary.channels for summary in summaries], np.intp),
        format=np.array([summary.format for summary in summaries], str),
        peak=np.array([summary.peak for summary in summaries]),
        silent=np.array([summary.silent for summary in summaries], bool),
        clipped=np.array([summary.clipped for summary in summaries], np.intp),
        duplicates=[positions for positions in sounds.values() if len(positions) > 1],
    )


@dataclass
class _ClipSummary:
    """Summary of a clip; the defaults are that of a clip that cannot be used."""

    duration: float = np.nan
    rate: float = np.nan
    channels: int = 0
    format: str = ""
    peak: float = np.nan
    silent: bool = False
    clipped: int = 0
    fingerprint: bytes | None = None


def _summarize_clip(position: int, clip: Any) -> _ClipSummary | AudioError:
    """Decode and summarize a clip, or return the error with its position."""
    try:
        with open_channels(clip) as (rate, blocks):
            kind, subtype = _get_format(clip)
            meter = _LevelMeter(127 / 128 if subtype in ("PCM_S8", "PCM_U8") else 32767 / 32768)
            for _ in resample_blocks(rate, iter([np.zeros(64, np.float32)]), _RATE, "soxr_hq"):
                pass  # a rate that transformers cannot resample makes the clip unusable
            fingerprint = Fingerprint()
            for block in meter.mix_down(blocks):
                fingerprint.update(block)
    except AudioError as error:
        return AudioError(error.reason, error.clip, position)
    except TypeError as error:
        raise TypeError(f"Clip {position}: {error}") from error
    return _ClipSummary(
        duration=meter.n_samples / rate,
        rate=rate,
        channels=len(meter.high),
        format=f"{kind} {subtype}".strip(),
        peak=float(np.maximum(meter.high, -meter.low).max()),
        silent=bool((meter.high - meter.low <= _SILENCE).all()),
        clipped=meter.clipped,
        fingerprint=None if fingerprint.is_silent else fingerprint.compute_digest(rate),
    )


def _get_format(clip: Any) -> tuple[str, str]:
    if not isinstance(clip, str | os.PathLike):
        return "", ""
    path = check_path(clip)
    info = soundfile.info(os.fsencode(path) if os.name != "nt" else path)
    return info.format, info.subtype


class _LevelMeter:
    """Extremes of a stream of blocks ``(n, channels)`` and number of places at full scale."""

    def __init__(self, full_scale: float):
        self._full_scale = np.float32(full_scale)
        self._full = np.zeros((0, 0), bool)  # which of the last samples are at full scale
        self.high = self.low = np.zeros(0, np.float32)
        self.n_samples = 0
        self.clipped = 0

    def mix_down(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Measure blocks and yield them mixed down to mono."""
        for block in blocks:
            high, low = block.max(axis=0), block.min(axis=0)
            if not self.n_samples:
                self.high, self.low = high, low
                self._full = np.zeros((_RUN, block.shape[1]), bool)
            self.high, self.low = np.maximum(self.high, high), np.minimum(self.low, low)
            self.n_samples += len(block)
            full = np.concatenate([self._full, np.abs(block) >= self._full_scale])
            self.clipped += int((~full[:-3] & full[1:-2] & full[2:-1] & full[3:]).sum())
            self._full = full[-_RUN:]
            mono = block[:, 0]
            for channel in range(1, block.shape[1]):
                mono = mono + block[:, channel]
            yield np.ascontiguousarray(mono / np.float32(block.shape[1]) if block.shape[1] > 1 else mono)


# -- as text -----------------------------------------------------------------------------------------------------------


def _make_duration_rows(found: ClipCheck) -> list[list[str]]:
    rows = [["", "clips", "shortest", "median", "longest", "in all"]]
    labels = [] if found.target is None else np.unique(found.target).tolist()
    parts = [(str(label), found.target == label) for label in labels]
    for name, part in [*parts, ("all", np.ones(len(found.clips), bool))]:
        lengths = found.duration[part & found.usable]
        figures = [lengths.min(), np.median(lengths), lengths.max(), lengths.sum()] if len(lengths) else []
        times = [_format_time(figure) for figure in figures] or ["-"] * 4
        rows.append([name, f"{int(np.sum(part)):,}", *times])
    return rows


def _format_time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d} min"


def _format_properties(found: ClipCheck) -> list[str]:
    kinds = {
        "rate": [f"{rate:,.0f} Hz" for rate in found.rate[found.usable]],
        "channels": found.channels[found.usable].tolist(),
        "format": [kind or "samples" for kind in found.format[found.usable]],
    }
    return [
        f"{name:<8}  " + (", ".join(f"{value}: {n:,}" for value, n in Counter(values).most_common()) or "-")
        for name, values in kinds.items()
    ]


def _format_findings(found: ClipCheck) -> list[str]:
    names = [str(clip) if isinstance(clip, os.PathLike) else clip for clip in found.clips]
    texts = [f"{name!r}" if isinstance(name, str) else f"clip {i}" for i, name in enumerate(names)]
    by_places = np.argsort(-found.clipped, kind="stable")[: np.count_nonzero(found.clipped)]
    labels = found.target
    pairs = [
        " = ".join(texts[i] for i in same)
        + (
            ""
            if labels is None or len(set(labels[same].tolist())) == 1
            else f", labeled {_format_labels(labels[same])}"
        )
        for same in found.duplicates
    ]
    return [
        *_format_finding("Cannot be used", [f"{texts[i]}: {error.reason}." for i, error in found.errors.items()], None),
        *_format_finding("Silent", [texts[i] for i in np.flatnonzero(found.silent)]),
        *_format_finding(
            "Clipped", [f"{texts[i]}: in {format_count(int(found.clipped[i]), 'place')}" for i in by_places]
        ),
        *_format_finding("Duplicates", pairs),
    ] or ["No clip is unreadable, silent, clipped or a duplicate."]


def _format_labels(labels: np.ndarray) -> str:
    return " and ".join(map(repr, np.unique(labels).tolist()))


def _format_finding(title: str, lines: Sequence[str], most: int | None = _MAX_LISTED) -> list[str]:
    if not lines:
        return []
    return [f"{title}: {len(lines):,}\n  " + format_list(lines, most, str, "\n  ")]
