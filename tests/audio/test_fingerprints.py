"""Fingerprints: equal for equal samples at the same rate, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from soundclf.audio import Fingerprint


def noise(n: int = 10_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=n).astype(np.float32)


def make_fingerprint(*blocks: np.ndarray) -> Fingerprint:
    fingerprint = Fingerprint()
    for block in blocks:
        fingerprint.update(block)
    return fingerprint


@pytest.mark.parametrize("cuts", [[1], [5000], [3, 4, 9999]], ids=str)
def test_block_boundaries_do_not_matter(cuts):
    whole, parts = make_fingerprint(noise()), make_fingerprint(*np.split(noise(), cuts))
    assert parts.compute_digest(22050) == whole.compute_digest(22050)
    assert parts.n_samples == whole.n_samples == 10_000


def test_memory_layout_does_not_matter():
    assert make_fingerprint(noise().repeat(2)[::2]).compute_digest(8000) == make_fingerprint(noise()).compute_digest(
        8000
    )


def test_other_samples_or_rates_differ():
    changed = noise()
    changed[-1] += 1e-6
    digests = [make_fingerprint(y).compute_digest(8000) for y in (noise(), changed, noise()[:-1], noise(seed=1))]
    assert len({*digests, make_fingerprint(noise()).compute_digest(16000)}) == 5


def test_equal_rates_of_different_types_do_not_differ():
    fingerprint = make_fingerprint(noise())
    assert fingerprint.compute_digest(8000) == fingerprint.compute_digest(8000.0)


def test_a_digest_may_be_computed_before_the_end():
    fingerprint = make_fingerprint(noise())
    fingerprint.compute_digest(8000)
    fingerprint.update(noise(seed=1))
    assert fingerprint.compute_digest(8000) == make_fingerprint(noise(), noise(seed=1)).compute_digest(8000)


@pytest.mark.parametrize(
    ("samples", "is_silent"),
    [
        (np.zeros(100, np.float32), True),
        (np.full(100, 0.5, np.float32), True),  # a constant offset is inaudible
        (np.tile(np.float32([-1, 1]) / 2**15, 50), True),  # dither of the last of 16 bits
        (noise(), False),
    ],
    ids=["zeros", "constant", "dither", "noise"],
)
def test_silence(samples, is_silent):
    assert make_fingerprint(*np.split(samples, 4)).is_silent is is_silent
