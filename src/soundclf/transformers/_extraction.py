"""From a clip to its features, and to its fingerprint from the same decoded samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import Fingerprint, count_frames, open_mono, resample_blocks, stream_clip
from ..exceptions import AudioError

__all__ = ["SaveFingerprint", "extract_clip"]

SaveFingerprint = Callable[[bytes | None], object]


def extract_clip(
    extractor: partial[NDArray[np.float32]],
    loading: dict[str, Any],
    clip: Any,
    save_fingerprint: SaveFingerprint | None = None,
) -> NDArray[np.float32]:
    """Extract the features of a clip.

    Parameters
    ----------
    extractor : callable
        From an iterable of blocks of samples to an array.
    loading : dict
        The parameters "sr", "res_type" and "duration" of :func:`soundclf.stream_clip`.
    clip : clip
        In any form.
    save_fingerprint : callable, default=None
        If given, the clip is decoded to its end, whatever the duration, and ``save_fingerprint(digest)`` is called with
        the fingerprint of the whole clip: None if it is silent, or if what follows the duration cannot be decoded.

    Returns
    -------
    ndarray
        The features: the same, whether or not there is a fingerprint to save.

    Raises
    ------
    AudioError, TypeError
        If the clip cannot be used; no fingerprint is saved then.
    """
    if save_fingerprint is None:
        return extractor(stream_clip(clip, **loading))
    fingerprint = Fingerprint()
    sr, duration = float(loading["sr"]), loading["duration"]
    with open_mono(clip, sr=sr) as (rate, decoded):
        blocks = _update(fingerprint, decoded)
        used = blocks if duration is None else _crop(blocks, rate, duration)
        features = extractor(resample_blocks(rate, used, sr, loading["res_type"]))
        try:
            for _ in blocks:  # what follows the duration
                pass
        except AudioError:
            digest = None
        else:
            digest = None if fingerprint.is_silent else fingerprint.compute_digest(rate)
    save_fingerprint(digest)
    return features


def _update(fingerprint: Fingerprint, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        fingerprint.update(block)
        yield block


def _crop(blocks: Iterator[NDArray[np.float32]], rate: float, duration: float) -> Iterator[NDArray[np.float32]]:
    """Yield the blocks up to a duration in seconds, and leave the others to be read."""
    n_left = count_frames(duration, rate)
    while n_left:
        block = next(blocks, None)
        if block is None:
            return
        yield block[:n_left]
        n_left -= min(len(block), n_left)
