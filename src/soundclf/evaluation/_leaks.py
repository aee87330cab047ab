"""Leaks of a split: recordings, and identical sounds, on both sides of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.parallel import run_parallel
from .._utils.text import format_list
from .._utils.validation import check_groups
from ..audio import Fingerprint, open_mono
from ..exceptions import AudioError, LeakWarning
from ..transformers import detect_input_kind
from ._splits import check_splits, generate_splits, take_rows

__all__ = ["compute_fingerprint", "find_duplicates", "find_leaks", "group_equal", "list_clips", "warn_leaks"]

_MENTIONED = 0.05  # share of test clips below which leaks of a data set's own folds cause no warning


def find_leaks(groups: ArrayLike, splits: Any) -> NDArray[Any]:
    """List the recordings that have clips on both sides of a split.

    Parameters
    ----------
    groups : array-like of shape (n_clips,)
        Recording that each clip was cut from.
    splits : iterable of (train, test) or a splitter
        Positions of the training and test clips of each split, as scikit-learn's splitters yield them; or a splitter
        that needs nothing but ``groups``, such as ``dataset.cv``.

    Returns
    -------
    ndarray of shape (n_leaks,)
        The recordings, sorted and unique; empty if no recording is on both sides of a split.

    Raises
    ------
    ValueError
        If ``groups`` or ``splits`` is none of these.

    Examples
    --------
    >>> from soundclf.evaluation import find_leaks
    >>> find_leaks(["a", "a", "b", "b", "c"], [([0, 2, 3], [1, 4])]).tolist()
    ['a']
    """
    groups = check_groups(groups)
    splits = check_splits(splits, "splits")
    pairs = generate_splits(splits, None, groups) if hasattr(splits, "split") else splits
    leaks = [np.intersect1d(take_rows(groups, train), take_rows(groups, test)) for train, test in pairs]
    return np.unique(np.concatenate([groups[:0], *leaks]))


def find_duplicates(X: Any, *, n_jobs: int | None = None) -> list[list[int]]:
    """Find identical audio under different names.

    Clips are identical if their sampling rates and their samples, mixed down to mono, are equal: copies are found in
    other folders, under other names, and in other lossless formats. Clips that cannot be decoded are ignored. So are
    silent clips, whose samples differ by at most 2e-4 of full scale: they are equal by chance.

    Parameters
    ----------
    X : sequence of clips, or array-like of shape (n_clips, n_features)
        Clips, as for a transformer; or rows of numbers, which are compared as they are, silent or not.
    n_jobs : int, default=None
        Number of threads over clips, as for a transformer.

    Returns
    -------
    list of list of int
        Positions in X, ascending, of each sound that occurs more than once.

    Examples
    --------
    >>> import numpy as np
    >>> from soundclf.evaluation import find_duplicates
    >>> tone, noise = np.sin(np.arange(2000.0)), np.random.default_rng(0).normal(size=2000)
    >>> find_duplicates([(tone, 22050), (noise, 22050), (tone, 22050)])
    [[0, 2]]
    """
    fingerprints: dict[int, bytes] = {}

    def save_fingerprint(position: int, fingerprint: bytes | None) -> bool:
        if fingerprint is not None:
            fingerprints[position] = fingerprint
        return True

    clips = list_clips(X)
    if clips is None:
        run_parallel(_compute_row_key, list(np.asarray(X)), save_fingerprint, n_jobs)
    else:
        run_parallel(compute_fingerprint, clips, save_fingerprint, n_jobs)
    return group_equal(fingerprints)


def list_clips(X: Any) -> list[Any] | None:
    """Return X as a list of clips; None if it is rows of numbers."""
    if getattr(X, "ndim", 1) == 2 or (len(X) and detect_input_kind(X) == "samples"):
        return None
    return list(X if isinstance(X, list | tuple) else np.asarray(X))


def group_equal(fingerprints: Mapping[int, bytes]) -> list[list[int]]:
    """Return the positions of each fingerprint that occurs more than once, ascending."""
    groups: dict[bytes, list[int]] = {}
    for position in sorted(fingerprints):
        groups.setdefault(fingerprints[position], []).append(position)
    return [positions for positions in groups.values() if len(positions) > 1]


def _compute_row_key(position: int, row: np.ndarray) -> bytes:
    return repr(row.tolist()).encode() if row.dtype.hasobject else row.tobytes()


def compute_fingerprint(position: int, clip: Any, sr: float = 22050) -> bytes | None:
    """Compute the fingerprint of a clip; None if it cannot be decoded or is silent.

    ``sr`` is the rate of an array that comes without one.
    """
    fingerprint = Fingerprint()
    try:
        with open_mono(clip, sr=sr) as (rate, blocks):
            for block in blocks:
                fingerprint.update(block)
    except AudioError:
        return None
    except TypeError as error:
        raise TypeError(f"Clip {position}: {error}") from error
    return None if fingerprint.is_silent else fingerprint.compute_digest(rate)


def warn_leaks(
    leaks: np.ndarray,
    duplicates: list[list[int]],
    groups: np.ndarray | None,
    splits: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    own: bool,
) -> None:
    """Warn about the leaks of splits; about those of a data set's own folds only if they affect many clips."""
    doubled = [position for positions in duplicates for position in positions]
    affected = [np.isin(test, doubled) for _, test in splits]
    if groups is not None:
        affected = [
            part | np.isin(groups[test], groups[train]) for part, (train, test) in zip(affected, splits, strict=True)
        ]
    share = np.concatenate(affected).mean()
    if not (len(leaks) or duplicates) or (own and share < _MENTIONED):
        return
    parts, advice = [], "give identical sounds one group, or keep one of them"
    if len(leaks):
        have = "recording has" if len(leaks) == 1 else "recordings have"
        parts.append(f"{len(leaks)} {have} clips on both sides, which affects {share:.0%} of the test clips")
        advice = "use the data set's folds, or cv=None"
    if duplicates:
        are = "sound is" if len(duplicates) == 1 else "sounds are"
        parts.append(
            f"{len(duplicates)} {are} on both sides under different names, for example clips "
            f"{format_list(duplicates[0])}"
        )
    warnings.warn(
        f"This split leaks: {'; and '.join(parts)}. It measures how well known recordings are recognized; {advice}",
        LeakWarning,
        stacklevel=4,
    )
