"""What is in a collection, and what is wrong with it."""

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
from .._utils.text import format_count, format_table
from .._utils.validation import BOOLEAN, N_JOBS, NONE, Rule, check_params, integer_in
from ..audio import Fingerprint, check_path, open_channels, resample_blocks
from ..exceptions import AudioError
from ..transformers import detect_input_kind

__all__ = ["ClipCheck", "check_clips"]

_RATE = 22050  # Hz, the default rate of transformers
_SILENT = 1e-4  # of full scale: what dithered silence of 16 bits stays below
_IN_A_ROW = 3  # samples at full scale that make a clipped place
_LISTED = 10  # clips of a kind that a text names

_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "n_jobs": (NONE, N_JOBS),
    "verbose": (integer_in(0), BOOLEAN),
}


@dataclass(frozen=True, eq=False)
class ClipCheck:
    """What is in a collection of clips, and what is wrong with it.

    Made by :func:`check_clips`. ``print`` shows it as text. Clips that cannot be used have a duration of NaN, no
    channels, and so on.

    Attributes
    ----------
    clips : ndarray of shape (n_clips,), object
        The clips.
    target : ndarray of shape (n_clips,) or None
        Their labels, if they are known.
    errors : dict of int to AudioError
        Why a clip cannot be used, by its position.
    duration : ndarray of shape (n_clips,)
        In seconds, as decoded.
    rate : ndarray of shape (n_clips,)
        Sampling rates in Hz.
    channels : ndarray of shape (n_clips,), int
        Numbers of channels.
    format : ndarray of shape (n_clips,), str
        Container and coding of files, by libsndfile's names, such as "WAV PCM_16".
    peak : ndarray of shape (n_clips,)
        The largest sample, as a share of full scale; lossy formats can exceed 1.
    silent : ndarray of shape (n_clips,), bool
        Whether no channel's samples differ by more than 2e-4 of full scale, which is 80 dB below it.
    clipped : ndarray of shape (n_clips,), int
        In how many places three or more samples of a channel in a row are at full scale.
    duplicates : list of list of int
        For each sound that occurs more than once, its positions, as :func:`soundclf.evaluation.find_duplicates` returns
        them; silent clips are listed in ``silent`` alone.

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
        return "\n\n".join([format_table(_durations(self)), "\n".join(_spreads(self)), *_findings(self)])


def check_clips(dataset: Mapping[str, Any], *, n_jobs: int | None = None, verbose: int = 0) -> ClipCheck:
    """Find out what is in a collection: what cannot be used, is silent, clipped or there twice, and how it spreads.

    Every clip is decoded once, to its end, block by block.

    Parameters
    ----------
    dataset : Bunch or mapping
        With "data", a sequence of clips, and if they are known "target", their labels: as the loaders of
        :mod:`soundclf.datasets` give them. Bare arrays of samples are taken to be at 22,050 Hz.
    n_jobs : int, default=None
        Number of threads over clips, as for a transformer.
    verbose : int, default=0
        With 1 or more, a progress bar over the clips.

    Returns
    -------
    ClipCheck
        What was found, clip by clip; ``print`` shows a summary.

    Raises
    ------
    ValueError, TypeError
        If "data" is not a sequence of clips, holds an object that is no clip, or differs from "target" in length.
    ParameterError
        For a parameter outside its range.

    See Also
    --------
    soundclf.evaluation.find_duplicates : Duplicates alone.

    Notes
    -----
    Three samples in a row at full scale are what Audacity's "Find Clipping" looks for by default. Sounds that were
    clipped and made quieter afterwards are not found.

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
        raise ValueError('dataset must be a Bunch or a dict with "data", as the loaders of soundclf.datasets give')
    if detect_input_kind(dataset["data"]) == "samples":
        rows = dataset["data"].to_numpy() if hasattr(dataset["data"], "iloc") else dataset["data"]
        clips: list[Any] = [np.asarray(row, float) for row in rows]
    else:
        clips = list(dataset["data"])
    target = None if dataset.get("target") is None else np.asarray(dataset["target"])
    if target is not None and len(target) != len(clips):
        raise ValueError(f'"data" has {len(clips):,} clips and "target" {len(target):,} labels')
    found: dict[int, _Heard] = {}
    errors: dict[int, AudioError] = {}
    with _progress(len(clips), bool(verbose)) as bar:

        def keep(position: int, result: _Heard | AudioError) -> bool:
            if isinstance(result, AudioError):
                errors[position] = result
            else:
                found[position] = result
            bar.update()
            return True

        run_parallel(_heard, clips, keep, n_jobs)
    heard = [found.get(position, _Heard()) for position in range(len(clips))]
    sounds: dict[bytes, list[int]] = {}
    for position in sorted(found):
        fingerprint = found[position].fingerprint
        if fingerprint is not None:
            sounds.setdefault(fingerprint, []).append(position)
    return ClipCheck(
        clips=np.array([*clips, None], dtype=object)[:-1],  # None keeps NumPy from looking into the clips
        target=target,
        errors={position: errors[position] for position in sorted(errors)},
        duration=np.array([row.duration for row in heard]),
        rate=np.array([row.rate for row in heard]),
        channels=np.array([row.channels for row in heard], np.intp),
        format=np.array([row.format for row in heard], str),
        peak=np.array([row.peak for row in heard]),
        silent=np.array([row.silent for row in heard], bool),
        clipped=np.array([row.clipped for row in heard], np.intp),
        duplicates=[positions for positions in sounds.values() if len(positions) > 1],
    )


def _progress(total: int, wanted: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="check_clips", unit="clip", disable=not wanted)


@dataclass
class _Heard:
    """What a clip is like; by default, what is said of one that cannot be used."""

    duration: float = np.nan
    rate: float = np.nan
    channels: int = 0
    format: str = ""
    peak: float = np.nan
    silent: bool = False
    clipped: int = 0
    fingerprint: bytes | None = None


def _heard(position: int, clip: Any) -> _Heard | AudioError:
    """Listen to a clip, or say why that cannot be done."""
    try:
        with open_channels(clip) as (rate, blocks):
            kind, subtype = _format_of(clip)
            levels = _Levels(127 / 128 if subtype in ("PCM_S8", "PCM_U8") else 32767 / 32768)
            for _ in resample_blocks(rate, iter([np.zeros(64, np.float32)]), _RATE, "soxr_hq"):
                pass  # a rate that transformers cannot resample makes the clip unusable
            fingerprint = Fingerprint()
            for block in levels.mixed(blocks):
                fingerprint.update(block)
    except AudioError as error:
        return AudioError(error.reason, error.clip, position)
    except TypeError as error:
        raise TypeError(f"Clip {position}: {error}") from error
    return _Heard(
        duration=levels.n_samples / rate,
        rate=rate,
        channels=len(levels.high),
        format=f"{kind} {subtype}".strip(),
        peak=float(np.maximum(levels.high, -levels.low).max()),
        silent=bool((levels.high - levels.low <= 2 * _SILENT).all()),
        clipped=levels.clipped,
        fingerprint=None if fingerprint.is_silent else fingerprint.compute_digest(rate),
    )


def _format_of(clip: Any) -> tuple[str, str]:
    if not isinstance(clip, str | os.PathLike):
        return "", ""
    path = check_path(clip)
    info = soundfile.info(os.fsencode(path) if os.name != "nt" else path)
    return info.format, info.subtype


class _Levels:
    """Extremes of blocks of ``(n, channels)`` samples that go by, and places at full scale."""

    def __init__(self, full_scale: float):
        self._full_scale = np.float32(full_scale)
        self._full = np.zeros((0, 0), bool)  # which of the last samples are at full scale
        self.high = self.low = np.zeros(0, np.float32)
        self.n_samples = 0
        self.clipped = 0

    def mixed(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Take note of blocks, and give them as mono."""
        for block in blocks:
            high, low = block.max(axis=0), block.min(axis=0)
            if not self.n_samples:
                self.high, self.low = high, low
                self._full = np.zeros((_IN_A_ROW, block.shape[1]), bool)
            self.high, self.low = np.maximum(self.high, high), np.minimum(self.low, low)
            self.n_samples += len(block)
            full = np.concatenate([self._full, np.abs(block) >= self._full_scale])
            self.clipped += int((~full[:-3] & full[1:-2] & full[2:-1] & full[3:]).sum())
            self._full = full[-_IN_A_ROW:]
            mono = block[:, 0]
            for channel in range(1, block.shape[1]):
                mono = mono + block[:, channel]
            yield np.ascontiguousarray(mono / np.float32(block.shape[1]) if block.shape[1] > 1 else mono)


# -- as text -----------------------------------------------------------------------------------------------------------


def _durations(found: ClipCheck) -> list[list[str]]:
    rows = [["", "clips", "shortest", "median", "longest", "in all"]]
    labels = [] if found.target is None else np.unique(found.target).tolist()
    parts = [(str(label), found.target == label) for label in labels]
    for name, part in [*parts, ("all", np.ones(len(found.clips), bool))]:
        lengths = found.duration[part & found.usable]
        figures = [lengths.min(), np.median(lengths), lengths.max(), lengths.sum()] if len(lengths) else []
        times = [_time(figure) for figure in figures] or ["-"] * 4
        rows.append([name, f"{int(np.sum(part)):,}", *times])
    return rows


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d} min"


def _spreads(found: ClipCheck) -> list[str]:
    kinds = {
        "rate": [f"{rate:,.0f} Hz" for rate in found.rate[found.usable]],
        "channels": found.channels[found.usable].tolist(),
        "format": [kind or "samples" for kind in found.format[found.usable]],
    }
    return [
        f"{name:<8}  " + (", ".join(f"{value}: {n:,}" for value, n in Counter(values).most_common()) or "-")
        for name, values in kinds.items()
    ]


def _findings(found: ClipCheck) -> list[str]:
    names = [str(clip) if isinstance(clip, os.PathLike) else clip for clip in found.clips]
    texts = [f"{name!r}" if isinstance(name, str) else f"clip {i}" for i, name in enumerate(names)]
    by_places = np.argsort(-found.clipped, kind="stable")[: np.count_nonzero(found.clipped)]
    labels = found.target
    pairs = [
        " = ".join(texts[i] for i in same)
        + ("" if labels is None or len(set(labels[same].tolist())) == 1 else f", labelled {_words(labels[same])}")
        for same in found.duplicates
    ]
    return [
        *_listed("Cannot be used", [f"{texts[i]}: {error.reason}." for i, error in found.errors.items()], None),
        *_listed("Silent", [texts[i] for i in np.flatnonzero(found.silent)]),
        *_listed("Clipped", [f"{texts[i]}: in {format_count(int(found.clipped[i]), 'place')}" for i in by_places]),
        *_listed("There more than once", pairs),
    ] or ["Nothing is unreadable, silent, clipped or there twice."]


def _words(labels: np.ndarray) -> str:
    return " and ".join(map(repr, np.unique(labels).tolist()))


def _listed(title: str, lines: Sequence[str], most: int | None = _LISTED) -> list[str]:
    if not lines:
        return []
    shown = list(lines[:most])
    more = [] if len(shown) == len(lines) else [f"and {len(lines) - len(shown):,} more"]
    return ["\n  ".join([f"{title}: {len(lines):,}", *shown, *more])]
