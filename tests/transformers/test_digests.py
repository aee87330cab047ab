"""Digests of files, remembered while the files are the same."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from soundclf.transformers import _digests


@pytest.fixture
def hashed(monkeypatch):
    """The files that are hashed as a whole, in a list that grows."""
    names = []
    file_digest = hashlib.file_digest

    def count(file, *args):
        names.append(file.name)
        return file_digest(file, *args)

    monkeypatch.setattr(hashlib, "file_digest", count)
    return names


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(b"first")
    time.sleep(0.15)
    return path


def digest(content):
    return hashlib.sha256(content).digest()


def test_an_unchanged_file_is_hashed_once(file, hashed, monkeypatch):
    digests = _digests.FileDigests()
    monkeypatch.chdir(file.parent)
    for path in (file, file, type(file)("clip.wav")):
        assert digests.compute(path) == digest(b"first")
    assert len(hashed) == 1


def test_every_change_is_noticed(file, hashed):
    digests = _digests.FileDigests()
    digests.compute(file)
    times = file.stat()
    file.write_bytes(b"other")  # of the same size, at the same time of modification
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digests.compute(file) == digest(b"other")
    new = file.with_suffix(".new")
    new.write_bytes(b"third")
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.replace(file)
    assert digests.compute(file) == digest(b"third")
    assert len(hashed) == 3


def test_a_relative_path_means_another_file_in_another_folder(file, monkeypatch):
    digests = _digests.FileDigests()
    (file.parent / "inner").mkdir()
    (file.parent / "inner" / "clip.wav").write_bytes(b"inner")
    for folder, content in ((file.parent, b"first"), (file.parent / "inner", b"inner")):
        monkeypatch.chdir(folder)
        assert digests.compute(type(file)("clip.wav")) == digest(content)


def test_digests_of_files_just_written_are_not_remembered(tmp_path, hashed):
    digests = _digests.FileDigests()
    path = tmp_path / "clip.wav"
    for _ in range(2):
        path.write_bytes(b"first")
        digests.compute(path)
        digests.compute(path)
    assert len(hashed) == 4
    time.sleep(0.15)
    os.utime(path, (0, 10_000_000))  # whole seconds, as of a coarse file system: its change may not show for longer
    time.sleep(0.15)
    digests.compute(path)
    digests.compute(path)
    assert len(hashed) == 6


def test_a_file_changed_while_it_is_hashed_is_not_remembered(file, monkeypatch):
    digests = _digests.FileDigests()
    file_digest = hashlib.file_digest

    def change(opened, *args):
        result = file_digest(opened, *args)
        file.write_bytes(b"other")
        return result

    monkeypatch.setattr(hashlib, "file_digest", change)
    assert digests.compute(file) == digest(b"first")
    monkeypatch.setattr(hashlib, "file_digest", file_digest)
    assert digests.compute(file) == digest(b"other")


def test_the_number_of_digests_is_limited(tmp_path, hashed):
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for path in paths:
        path.write_bytes(path.name.encode())
    time.sleep(0.15)
    digests = _digests.FileDigests(n_most=3)
    for path in (*paths[:3], paths[0], paths[3], paths[0], paths[2]):
        digests.compute(path)
    assert len(hashed) == 4
    digests.compute(paths[1])  # which was unused for longest
    assert len(hashed) == 5


def test_threads_share_digests(tmp_path):
    paths = [tmp_path / f"{i % 10}.wav" for i in range(400)]
    for path in set(paths):
        path.write_bytes(path.name.encode())
    time.sleep(0.15)
    digests = _digests.FileDigests(n_most=5)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(digests.compute, paths)) == [digest(path.name.encode()) for path in paths]
