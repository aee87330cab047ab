"""memory=: features of clips are computed once, and what is kept of them can be trusted."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import soundclf
from soundclf import AudioError, DenseAudioClassifier, MFCCMeanTransformer, ParameterError
from soundclf.transformers import _cache

SR = 22050


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, in a list that grows; they still are."""
    opened = []
    init = soundfile.SoundFile.__init__

    def counting(self, file, *args, **kwargs):
        opened.append(file)
        init(self, file, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", counting)
    return opened


def database(folder):
    return sqlite3.connect(folder / "soundclf-features.sqlite")


def n_kept(folder):
    return database(folder).execute("SELECT COUNT(*) FROM features").fetchone()[0]


# -- what is found again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_clip_is_decoded_once_and_gives_the_same_row(tone_files, tmp_path, decoded, n_jobs):
    expected = MFCCMeanTransformer().transform(tone_files)
    decoded.clear()
    for memory in (str(tmp_path), tmp_path, joblib.Memory(tmp_path, verbose=0)):
        transformer = MFCCMeanTransformer(memory=memory, n_jobs=n_jobs)
        features = transformer.transform(tone_files[::-1])
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features[::-1], expected)
    assert len(decoded) == len(tone_files)


def test_a_search_decodes_every_clip_once_per_feature_setting(tone_files, tones, tmp_path, decoded):
    pipeline = make_pipeline(MFCCMeanTransformer(memory=tmp_path), DenseAudioClassifier((8,), epochs=2, random_state=0))
    grid = {"mfccmeantransformer__n_mfcc": [13, 20], "denseaudioclassifier__dropout": [0.0, 0.2, 0.5]}
    search = GridSearchCV(pipeline, grid, cv=4, return_train_score=True).fit(tone_files, tones[1])
    assert len(decoded) == 2 * len(tone_files)
    plain = GridSearchCV(pipeline.set_params(mfccmeantransformer__memory=None), grid, cv=4, return_train_score=True)
    plain.fit(tone_files, tones[1])
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


def test_the_same_clip_often_at_once_is_decoded_once(tone_files, tmp_path, decoded):
    with ThreadPoolExecutor(4) as pool:
        rows = list(
            pool.map(lambda _: MFCCMeanTransformer(memory=tmp_path, n_jobs=4).transform(tone_files[:2] * 8), range(4))
        )
    assert len(decoded) == 2
    for row in rows:
        np.testing.assert_array_equal(row, np.tile(rows[0][:2], (8, 1)))


def test_content_counts_wherever_it_lies(tone_files, tmp_path, decoded):
    transformer = MFCCMeanTransformer(memory=tmp_path / "cache")
    expected = transformer.transform(tone_files[:1])
    moved = shutil.copy(tone_files[0], tmp_path / "of another name.WAV")
    np.testing.assert_array_equal(transformer.transform([moved, Path(moved)]), np.tile(expected, (2, 1)))
    assert len(decoded) == 1


@pytest.mark.parametrize("form", ["bytes", "file object", "array", "tuple", "stereo", "2-D"])
def test_clips_of_every_form(tone_files, tones, tmp_path, form):
    forms = {
        "bytes": [Path(path).read_bytes() for path in tone_files[:3]],
        "file object": [io.BytesIO(Path(path).read_bytes()) for path in tone_files[:3]],
        "array": tones[0][:3],
        "tuple": [(clip, 16000) for clip in tones[0][:3]],
        "stereo": [(np.stack([clip, clip[::-1]]), SR) for clip in tones[0][:3]],
        "2-D": np.stack(tones[0][:3]),
    }
    expected = MFCCMeanTransformer().transform(forms[form])
    for _ in range(2):
        np.testing.assert_array_equal(MFCCMeanTransformer(memory=tmp_path).transform(forms[form]), expected)
    assert n_kept(tmp_path) == 3


def test_arrays_that_differ_in_form_alone_are_different_clips(tones, tmp_path):
    y = tones[0][0][:4000]
    clips = [y, (y, 8000), (y, 16000), (y.reshape(2, -1), SR), y.astype(np.float64), y[::-1]]
    expected = MFCCMeanTransformer().transform(clips)
    transformer = MFCCMeanTransformer(memory=tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(transformer.transform(clips), expected)
    assert n_kept(tmp_path) == len(clips)


def test_a_changed_file_is_noticed(tone_files, tmp_path):
    path = Path(shutil.copy(tone_files[0], tmp_path / "clip.wav"))
    transformer = MFCCMeanTransformer(memory=tmp_path)
    before = transformer.transform([path])
    times = path.stat()
    shutil.copy(tone_files[-1], path)  # of the same size
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    after = transformer.transform([path])
    np.testing.assert_array_equal(after, MFCCMeanTransformer().transform(tone_files[-1:]))
    assert (before != after).any()


@pytest.mark.parametrize(
    "other",
    [
        {"n_mfcc": 39},
        {"sr": 22051},
        {"n_fft": 2047},
        {"hop_length": 511},
        {"n_mels": 127},
        {"fmin": 1.0},
        {"fmax": 11000.0},
        {"res_type": "soxr_vhq"},
        {"duration": 0.1},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_parameters_never_hit(tone_files, tmp_path, decoded, other):
    MFCCMeanTransformer(memory=tmp_path).transform(tone_files[:1])
    changed = MFCCMeanTransformer(memory=tmp_path, **other)
    np.testing.assert_array_equal(
        changed.transform(tone_files[:1]), changed.set_params(memory=None).transform(tone_files[:1])
    )
    assert len(decoded) == 3
    assert n_kept(tmp_path) == 2


def test_parameters_that_change_no_row_hit(tone_files, tmp_path, decoded):
    MFCCMeanTransformer(memory=tmp_path).transform(tone_files[:2])
    MFCCMeanTransformer(memory=tmp_path, on_error="nan", n_jobs=2, sr=22050.0).transform(tone_files[:2])
    assert len(decoded) == 2


def test_errors_are_not_saved(tone_files, tmp_path):
    path = tmp_path / "clip.wav"
    transformer = MFCCMeanTransformer(memory=tmp_path)
    for spoil in (lambda: None, path.touch, lambda: path.write_bytes(b"these are no sounds" * 20)):
        spoil()
        with pytest.raises(AudioError) as with_cache:
            transformer.transform([tone_files[0], path])
        with pytest.raises(AudioError) as without:
            MFCCMeanTransformer().transform([tone_files[0], path])
        assert str(with_cache.value) == str(without.value)
    shutil.copy(tone_files[1], path)
    np.testing.assert_array_equal(transformer.transform([path]), MFCCMeanTransformer().transform(tone_files[1:2]))


def test_what_is_no_clip_is_refused_as_without(tone_files, tmp_path):
    for clip in (np.bytes_(b"RIFF"), (1, 2, 3), (np.zeros(9), "fast"), 3.5, np.zeros((2, 2, 2)), np.arange(9)):
        messages = []
        for memory in (None, tmp_path):
            with pytest.raises((AudioError, TypeError, ValueError)) as refusal:
                MFCCMeanTransformer(memory=memory).transform([tone_files[0], clip])
            messages.append(str(refusal.value))
        assert messages[0] == messages[1]


# -- the parameter -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [3, b"cache", "", True, ["cache"]])
def test_a_bad_memory_gets_its_sentence(tone_files, memory):
    with pytest.raises(
        ParameterError, match=r"'memory' parameter of .* must be None or the path of a folder or a joblib"
    ):
        MFCCMeanTransformer(memory=memory).fit(tone_files)


def test_a_memory_without_a_location_saves_nothing(tone_files, decoded):
    for _ in range(2):
        MFCCMeanTransformer(memory=joblib.Memory(None)).transform(tone_files[:1])
    assert len(decoded) == 2


def test_a_file_in_the_folders_place_is_reported(tone_files):
    with pytest.raises(OSError, match=r"memory='.*' cannot be used as a folder \(File exists\)"):
        MFCCMeanTransformer(memory=tone_files[0]).transform(tone_files)


# -- threads and processes ---------------------------------------------------------------------------------------------


def features_of(paths, memory):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return MFCCMeanTransformer(memory=memory).transform(paths)


def test_processes_share_it(tone_files, tmp_path):
    expected = MFCCMeanTransformer().transform(tone_files)
    tasks = [np.roll(np.arange(len(tone_files)), 5 * i) for i in range(8)]
    results = Parallel(n_jobs=4)(
        delayed(features_of)([tone_files[i] for i in task], tmp_path / "new") for task in tasks
    )
    for task, features in zip(tasks, results, strict=True):
        np.testing.assert_array_equal(features, expected[task])
    assert n_kept(tmp_path / "new") == len(tone_files)


def test_clips_spread_over_processes(tone_files, tmp_path):
    expected = MFCCMeanTransformer().transform(tone_files)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        np.testing.assert_array_equal(features_of(tone_files, tmp_path), expected)
    assert n_kept(tmp_path) == len(tone_files)


@pytest.mark.slow
def test_many_processes_that_open_a_new_cache_at_once(tone_files, tmp_path):
    code = (
        "import sys, time, warnings; from soundclf import MFCCMeanTransformer; warnings.simplefilter('error')\n"
        "sys.stdout.write('ready'); sys.stdout.flush(); sys.stdin.readline()\n"
        "MFCCMeanTransformer(memory=sys.argv[1]).transform(sys.argv[2:])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), *tone_files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout.read(5) == "ready"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    assert n_kept(tmp_path) == len(tone_files)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
def test_a_process_killed_while_it_writes_leaves_nothing_corrupt(tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=300).astype(np.float32) for _ in range(3000)]
    joblib.dump(clips, tmp_path / "clips")
    code = (
        "import sys, joblib; from soundclf import MFCCMeanTransformer\n"
        "clips = joblib.load(sys.argv[1]); print(flush=True)\n"
        "MFCCMeanTransformer(memory=sys.argv[2]).transform(clips)"
    )
    n_before = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "clips", tmp_path / "cache"], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if (tmp_path / "cache" / "soundclf-features.sqlite").exists() and n_rows(tmp_path) > n_before + 100:
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert database(tmp_path / "cache").execute("PRAGMA integrity_check").fetchone() == ("ok",)
        n_before = n_kept(tmp_path / "cache")
        assert 100 < n_before < len(clips)
    np.testing.assert_array_equal(features_of(clips, tmp_path / "cache"), MFCCMeanTransformer().transform(clips))
    assert n_kept(tmp_path / "cache") == len(clips)


def n_rows(folder):
    try:
        return n_kept(folder / "cache")
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


# -- what a file can hold ----------------------------------------------------------------------------------------------


def replace_rows(folder, row):
    with database(folder) as connection:
        connection.execute("UPDATE features SET row = ?", (row,))


class Bomb:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    "row", [b"", b"\0" * 160, b"\0" * 168, "text", 7, None, pickle.dumps(Bomb())], ids=lambda row: repr(row)[:9]
)
def test_foreign_rows_are_computed_again(tone_files, tmp_path, decoded, row):
    expected = features_of(tone_files[:2], tmp_path)
    replace_rows(tmp_path, row)
    np.testing.assert_array_equal(features_of(tone_files[:2], tmp_path), expected)
    np.testing.assert_array_equal(features_of(tone_files[:2], tmp_path), expected)
    assert len(decoded) == 4


def test_a_row_with_a_changed_bit_or_of_another_clip_is_computed_again(tone_files, tmp_path, decoded):
    expected = features_of(tone_files[:2], tmp_path)
    with database(tmp_path) as connection:
        (first, row), (second, _) = connection.execute("SELECT clip, row FROM features").fetchall()
        connection.execute("UPDATE features SET row = ? WHERE clip = ?", (row, second))
        connection.execute("UPDATE features SET row = ? WHERE clip = ?", (bytes([row[0] ^ 1]) + row[1:], first))
    np.testing.assert_array_equal(features_of(tone_files[:2], tmp_path), expected)
    assert len(decoded) == 4


def damage(path):
    path.write_bytes(b"no database at all" * 1000)


def cut(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 100])


def occupy(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [damage, cut, occupy])
def test_a_damaged_file_is_reported_and_nothing_is_lost(tone_files, tmp_path, spoil):
    expected = features_of(tone_files, tmp_path)
    spoil(tmp_path / "soundclf-features.sqlite")
    with pytest.warns(
        RuntimeWarning, match=r"feature cache '.*' cannot be used \(.*\), so features are computed"
    ) as caught:
        features = MFCCMeanTransformer(memory=tmp_path, n_jobs=2).transform(tone_files)
    np.testing.assert_array_equal(features, expected)
    assert len(caught) == 1


# -- keys and eviction -------------------------------------------------------------------------------------------------


def keys_of(folder):
    with contextlib.closing(database(folder)) as connection:
        return {key for (key,) in connection.execute("SELECT clip FROM features")}


def test_keys_depend_on_the_features_version_and_not_on_modules_or_releases(tone_files, tmp_path, decoded, monkeypatch):
    features_of(tone_files[:2], tmp_path)
    monkeypatch.setattr(soundclf, "__version__", "99.0")
    monkeypatch.setattr(soundclf.features.mfcc_mean, "__module__", "elsewhere")
    features_of(tone_files[:2], tmp_path)
    assert len(decoded) == 2
    monkeypatch.setattr(MFCCMeanTransformer, "_features", ("mfcc_mean", 2))
    features_of(tone_files[:2], tmp_path)
    assert len(decoded) == 4
    assert n_kept(tmp_path) == 4


class Doubled(MFCCMeanTransformer):
    def _make_extractor(self):
        extractor = super()._make_extractor()
        return functools.partial(lambda blocks: 2 * extractor(blocks))


def test_a_subclass_with_an_extractor_of_its_own_has_rows_of_its_own(tone_files, tmp_path):
    expected = features_of(tone_files[:2], tmp_path)
    np.testing.assert_array_equal(Doubled(memory=tmp_path).transform(tone_files[:2]), 2 * expected)


def set_use(folder, seconds):
    with contextlib.closing(database(folder)) as connection, connection:
        connection.execute("UPDATE features SET used = ?", (seconds,))


def test_rows_unused_for_longest_are_deleted_beyond_the_limit(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=300).astype(np.float32) for _ in range(600)]
    transformer = MFCCMeanTransformer(memory=tmp_path)
    transformer.transform(clips[:300])
    set_use(tmp_path, 1000)
    transformer.transform(clips[:20])  # read again
    with contextlib.closing(database(tmp_path)) as connection:
        recent = {key for (key,) in connection.execute("SELECT clip FROM features WHERE used > 1000")}
        (size,) = connection.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
    assert len(recent) == 20
    monkeypatch.setattr(_cache, "_LIMIT", size)
    monkeypatch.setattr(_cache, "_TARGET", int(1.3 * size))
    monkeypatch.setattr(_cache, "_BATCH", 7)
    before = keys_of(tmp_path)
    transformer.transform(clips[300:])
    after = keys_of(tmp_path)
    assert len(after - before) == 300  # the new rows are all there
    assert recent <= after
    assert 50 < len(before - after) < 280
    np.testing.assert_array_equal(transformer.transform(clips), MFCCMeanTransformer().transform(clips))


def test_nothing_is_deleted_below_the_limit_or_while_another_process_writes(tmp_path, tone_files, monkeypatch):
    features_of(tone_files, tmp_path)
    assert n_kept(tmp_path) == len(tone_files)
    monkeypatch.setattr(_cache, "_LIMIT", 0)
    monkeypatch.setattr(_cache, "_TARGET", 0)
    with contextlib.closing(database(tmp_path)) as writer:
        writer.isolation_level = None
        writer.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        features_of(tone_files, tmp_path)
        assert time.monotonic() - start < 20
        writer.execute("ROLLBACK")
    assert n_kept(tmp_path) == len(tone_files)
    features_of(tone_files, tmp_path)
    assert n_kept(tmp_path) == 0


def test_a_file_without_times_of_use_is_still_used(tone_files, tmp_path, decoded):
    expected = features_of(tone_files[:2], tmp_path)
    with contextlib.closing(database(tmp_path)) as connection:
        connection.executescript("DROP INDEX features_by_use; ALTER TABLE features DROP COLUMN used")
    np.testing.assert_array_equal(features_of(tone_files[:2], tmp_path), expected)
    assert len(decoded) == 2


def test_nothing_stays_open(tone_files, tmp_path):
    features_of(tone_files, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["soundclf-features.sqlite"]  # no log, no lock


# -- threads within workers --------------------------------------------------------------------------------------------


class Watched(io.BytesIO):
    """An encoded clip that knows which threads have read it."""

    def __init__(self, encoded):
        super().__init__(encoded)
        self.threads = set()

    def seek(self, *args):
        self.threads.add(threading.get_ident())
        time.sleep(0.002)  # long enough for another thread to come
        return super().seek(*args)


def test_minus_one_job_inside_a_worker_is_one_thread(tone_files):
    def threads_of(clips):
        MFCCMeanTransformer(n_jobs=-1).transform(clips)
        return set.union(*(clip.threads for clip in clips)), threading.get_ident()

    clips = [[Watched(Path(path).read_bytes()) for path in tone_files] for _ in range(2)]
    for threads, own in Parallel(n_jobs=2, backend="threading")(delayed(threads_of)(part) for part in clips):
        assert threads == {own}
    if joblib.cpu_count() > 1:
        assert len(threads_of(clips[0])[0]) > 1
