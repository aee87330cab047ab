"""What stands on both sides of a split: recordings, and identical sounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metadata_routing import get_routing_for_object

from .._utils.parallel import run_parallel
from .._utils.text import format_list
from .._utils.validation import check_groups
from ..audio import Fingerprint, open_mono
from ..exceptions import AudioError, LeakWarning
from ..transformers import detect_input_kind

__all__ = ["check_splits", "find_duplicates", "find_leaks", "generate_splits", "take_rows", "warn_leaks"]

_MENTIONED = 0.05  # share of test clips up to which leaks of a data set's own folds are mentioned, and not warned of


def find_leaks(groups: ArrayLike, splits: Any) -> NDArray[Any]:
    """List the recordings that have clips on both sides of a split.

    Parameters
    ----------
    groups : array-like of shape (n_clips,)
        The recording that each clip was cut from.
    splits : iterable of (train, test) or a splitter
        Positions of the training and test clips of each split, as scikit-learn's splitters give them; or such a
        splitter, if it needs nothing but ``groups``, such as ``dataset.cv``.

    Returns
    -------
    ndarray of shape (n_leaks,)
        Those recordings, sorted, each once; empty if every split keeps all recordings whole.

    Raises
    ------
    ValueError
        If ``groups`` or ``splits`` are neither of these.

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


def check_splits(splits: Any, name: str) -> Any:
    """Return a splitter, or a list of pairs of positions, as it was passed by that name; refuse what is neither."""
    if isinstance(splits, type):
        raise ValueError(f"{name} is a class, where a splitter is expected: {splits.__name__}(...)")
    if hasattr(splits, "split") and not isinstance(splits, str):
        return splits
    pairs = list(splits) if isinstance(splits, Iterable) and not isinstance(splits, str) else [splits]
    for pair in pairs:
        if not isinstance(pair, Sequence | np.ndarray) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f"{name} must be a splitter or (train, test) pairs of positions, got {type(splits).__name__}; folds "
                "told clip by clip become a splitter by sklearn.model_selection.PredefinedSplit(folds)"
            )
    return pairs


def generate_splits(splitter: Any, y: np.ndarray | None, groups: np.ndarray | None) -> Iterable[tuple[Any, Any]]:
    """Split, passing groups only to those that ask for them; the others would warn."""
    known = y if groups is None else groups
    rows = np.zeros(0 if known is None else len(known))
    asks = get_routing_for_object(splitter).consumes("split", ["groups"])
    wanted = asks or not hasattr(splitter, "get_metadata_routing")  # one that is not scikit-learn's cannot say so
    pairs: Iterable[tuple[Any, Any]] = splitter.split(rows, y, groups if wanted else None)
    return pairs


def take_rows(values: np.ndarray, part: Any) -> np.ndarray:
    """Return the rows at positions or under a mask; an empty list is no array of integers."""
    part = np.asarray(part)
    taken: np.ndarray = values[part if part.size else part.astype(int)]
    return taken


def find_duplicates(X: Any, *, n_jobs: int | None = None) -> list[list[int]]:
    """Find identical audio under different names.

    Clips are identical if their samples, mixed down to mono, and their sampling rates are equal: a copy is found in
    another folder, under another name, or converted without loss to another format. Clips that cannot be decoded equal
    nothing, and neither do silent clips, whose samples differ by at most 2e-4 of full scale: they are equal by chance
    and reveal nothing about each other.

    Parameters
    ----------
    X : sequence of clips, or array-like of shape (n_clips, n_features)
        Clips as for a transformer; or rows of numbers, which are compared as they are, silent or not.
    n_jobs : int, default=None
        Number of threads over clips, as for a transformer.

    Returns
    -------
    list of list of int
        For each sound that occurs more than once, its positions in X, ascending.

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

    if getattr(X, "ndim", 1) == 2 or (len(X) and detect_input_kind(X) == "samples"):
        run_parallel(_compute_row_key, list(np.asarray(X)), save_fingerprint, n_jobs)
    else:
        clips = list(X if isinstance(X, list | tuple) else np.asarray(X))
        run_parallel(_compute_fingerprint, clips, save_fingerprint, n_jobs)
    return group_equal(fingerprints)


def group_equal(fingerprints: Mapping[int, bytes]) -> list[list[int]]:
    """Return the positions of each fingerprint that occurs more than once, ascending."""
    groups: dict[bytes, list[int]] = {}
    for position in sorted(fingerprints):
        groups.setdefault(fingerprints[position], []).append(position)
    return [positions for positions in groups.values() if len(positions) > 1]


def _compute_row_key(position: int, row: np.ndarray) -> bytes:
    return repr(row.tolist()).encode() if row.dtype.hasobject else row.tobytes()


def _compute_fingerprint(position: int, clip: Any) -> bytes | None:
    """Compute the fingerprint of a clip; None if it cannot be decoded or is silent."""
    fingerprint = Fingerprint()
    try:
        with open_mono(clip) as (rate, blocks):
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
    """Name the leaks of splits; those of a data set's own folds only if they touch many clips."""
    doubled = [position for positions in duplicates for position in positions]
    touched = [np.isin(test, doubled) for _, test in splits]
    if groups is not None:
        touched = [
            part | np.isin(groups[test], groups[train]) for part, (train, test) in zip(touched, splits, strict=True)
        ]
    share = np.concatenate(touched).mean()
    if not (len(leaks) or duplicates) or (own and share < _MENTIONED):
        return
    told, advice = [], "give identical sounds one group, or keep one of them"
    if len(leaks):
        have = "recording has" if len(leaks) == 1 else "recordings have"
        told.append(f"{len(leaks)} {have} clips on both sides, which touches {share:.0%} of the test clips")
        advice = "use the data set's folds, or cv=None"
    if duplicates:
        are = "sound is" if len(duplicates) == 1 else "sounds are"
        told.append(
            f"{len(duplicates)} {are} on both sides under different names, such as clips {format_list(duplicates[0])}"
        )
    warnings.warn(
        f"This split leaks: {'; and '.join(told)}. What it measures is how well known recordings are recognized; "
        f"{advice}",
        LeakWarning,
        stacklevel=4,
    )
