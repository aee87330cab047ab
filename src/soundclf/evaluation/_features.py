"""Features of clips, extracted once for all splits, with fingerprints from the same decoded samples."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sklearn.base import clone

from .._utils.parallel import run_parallel
from .._utils.progress import show_progress
from ..exceptions import AudioError, ParameterError
from ..transformers import ClipTransformer, open_extractor
from ._leaks import compute_fingerprint, find_duplicates, group_equal, list_clips

__all__ = ["cache_features", "extract_features"]


@contextlib.contextmanager
def cache_features(estimators: Sequence[Any]) -> Iterator[list[Any]]:
    """Return clones whose transformers save the features of clips, in one cache, while they are evaluated."""
    prepared = [clone(estimator) for estimator in estimators]
    parts = [part for clf in prepared for part in [clf, *clf.get_params(deep=True).values()]]
    uncached = [part for part in parts if isinstance(part, ClipTransformer) and part.memory is None]
    with tempfile.TemporaryDirectory(prefix="soundclf-", ignore_cleanup_errors=True) as folder:
        for part in uncached:
            part.set_params(memory=folder)
        try:
            yield prepared
        finally:
            for part in uncached:  # a frozen one is the user's own
                part.set_params(memory=None)


def extract_features(
    estimators: Sequence[Any], X: Any, n_jobs: int | None, *, verbose: bool = False
) -> list[list[int]]:
    """Extract the features of all clips into the caches of estimators, and find duplicates, decoding each clip once.

    A clip is decoded once for every transformer of other settings. A clip that cannot be extracted is left for the
    fits to report. Estimators that do not begin with transformers over clips only get their duplicates found.

    Parameters
    ----------
    estimators : sequence of estimators
        Those of :func:`cache_features`.
    X : sequence of clips, or array-like of shape (n_clips, n_features)
        The data set.
    n_jobs : int or None
        Number of threads over clips; None is that of the first transformer.
    verbose : bool, default=False
        Whether to show a progress bar over the clips.

    Returns
    -------
    list of list of int
        As :func:`find_duplicates` returns them.
    """
    transformers = [part for estimator in estimators for part in _find_entries(estimator)]
    clips = list_clips(X) if transformers else None
    with contextlib.ExitStack() as stack:
        extractors = []
        for transformer in transformers if clips else []:
            with contextlib.suppress(ParameterError, ImportError):  # left for the fits to raise
                extractors.append(stack.enter_context(open_extractor(transformer)))
        if not extractors or clips is None:
            return find_duplicates(X, n_jobs=n_jobs)
        update = stack.enter_context(show_progress(type(transformers[0]).__name__, len(clips), "clip", enabled=verbose))
        fingerprints: dict[int, bytes] = {}

        def save(position: int, fingerprint: bytes | None) -> bool:
            if fingerprint is not None:
                fingerprints[position] = fingerprint
            update()
            return True

        run_parallel(
            partial(_extract, extractors, float(transformers[0].sr)),
            clips,
            save,
            transformers[0].n_jobs if n_jobs is None else n_jobs,
        )
    return group_equal(fingerprints)


def _extract(extractors: Sequence[Callable[..., Any]], sr: float, position: int, clip: Any) -> bytes | None:
    """Extract the features of a clip, and return its fingerprint."""
    fingerprints: list[bytes | None] = []
    for extract in extractors:
        with contextlib.suppress(AudioError, TypeError):
            if fingerprints:
                extract(clip)
            else:
                extract(clip, fingerprints.append)
    # There is none if no row had to be extracted, or none could be.
    return fingerprints[0] if fingerprints else compute_fingerprint(position, clip, sr)


def _find_entries(estimator: Any) -> list[ClipTransformer]:
    """Return the transformers over clips that an estimator hands its X to, each once."""
    if isinstance(estimator, ClipTransformer):
        return [estimator]
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        return []
    if hasattr(estimator, "steps"):  # a pipeline
        steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        return _find_entries(steps[0]) if steps else []
    found: dict[int, ClipTransformer] = {}
    for value in estimator.get_params(deep=False).values():
        members = value if isinstance(value, list | tuple) else [value]
        for member in members:
            if isinstance(member, tuple) and len(member) == 2:  # of a vote, a stack or a union, with its name
                member = member[1]
            found |= {id(part): part for part in _find_entries(member)}
    return list(found.values())
