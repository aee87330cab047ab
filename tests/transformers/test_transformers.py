"""MFCCMeanTransformer: collections of clips, errors, parallel work. The numbers are tested in test_features.py."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from pathlib import Path

import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from soundclf import AudioError, AudioWarning, DenseAudioClassifier, MFCCMeanTransformer, ParameterError


@pytest.fixture
def mixed(tone_files, tmp_path):
    """Good files with bad ones between them, and the reasons."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.wav").write_text("these are no sounds " * 20)
    whole = Path(tone_files[0]).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    clips = [
        tone_files[0],
        str(tmp_path / "missing.wav"),
        tone_files[1],
        str(tmp_path / "empty.wav"),
        str(tmp_path / "notes.wav"),
        str(tmp_path / "cut.wav"),
        tone_files[2],
    ]
    reasons = {1: "there is no such file", 3: "the file is empty", 4: "not audio", 5: "it is truncated"}
    return clips, reasons


def test_equals_librosa_on_files_of_any_kind(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for sr, channels, subtype in ((44100, 2, "PCM_16"), (48000, 1, "PCM_24"), (8000, 6, "FLOAT"), (22050, 1, "PCM_U8")):
        paths.append(tmp_path / f"{sr}.wav")
        soundfile.write(paths[-1], 0.1 * rng.standard_normal((sr // 2, channels)), sr, subtype=subtype)
    expected = []
    for path in paths:
        y, sr = librosa.load(path, sr=16000)
        expected.append(
            librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20, n_fft=1000, hop_length=300, n_mels=64, fmin=50, fmax=7000).mean(
                axis=1
            )
        )
    transformer = MFCCMeanTransformer(20, sr=16000, n_fft=1000, hop_length=300, n_mels=64, fmin=50, fmax=7000)
    features = transformer.transform(paths)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-3)


def test_duration_crops_from_the_start(tone_files):
    y, sr = librosa.load(tone_files[0], sr=22050, duration=0.1)
    expected = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1)
    np.testing.assert_allclose(MFCCMeanTransformer(duration=0.1).transform(tone_files[:1])[0], expected, atol=1e-3)


def test_is_stateless(tone_files):
    transformer = MFCCMeanTransformer()
    unfitted = transformer.transform(tone_files)
    np.testing.assert_array_equal(transformer.fit(tone_files[:1]).transform(tone_files), unfitted)
    assert vars(transformer) == vars(MFCCMeanTransformer())
    assert MFCCMeanTransformer().fit(["there/is/nothing.wav"]) is not None  # no clip is read


def test_columns_are_remembered_only_for_samples(tone_files, tones):
    transformer = MFCCMeanTransformer().fit(np.stack(tones[0]))
    assert transformer.n_features_in_ == 4410
    with pytest.raises(ValueError, match="X has 4000 features, but MFCCMeanTransformer is expecting 4410"):
        transformer.transform(np.stack(tones[0])[:, :4000])
    transformer.fit(tone_files)
    assert not hasattr(transformer, "n_features_in_")
    frame = pd.DataFrame(np.stack(tones[0])[:, :3], columns=["a", "b", "c"])
    assert MFCCMeanTransformer().fit(frame).feature_names_in_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "pickle"])
def test_copies_give_the_same(tone_files, copied):
    transformer = MFCCMeanTransformer(7, n_jobs=2)
    np.testing.assert_array_equal(copied(transformer).transform(tone_files), transformer.transform(tone_files))


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_raise_names_the_first_bad_clip(mixed, n_jobs):
    clips, _ = mixed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AudioError) as caught:
            MFCCMeanTransformer(n_jobs=n_jobs).transform(clips)
    assert str(caught.value) == f"Clip 1, '{clips[1]}': there is no such file."
    assert (caught.value.position, caught.value.clip, caught.value.reason) == (
        1,
        repr(clips[1]),
        "there is no such file",
    )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_nan_keeps_the_number_of_rows_and_warns_once(mixed, n_jobs):
    clips, reasons = mixed
    with pytest.warns(AudioWarning) as caught:
        rows = MFCCMeanTransformer(on_error="nan", n_jobs=n_jobs).transform(clips)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("4 of 7 clips cannot be used, and their rows are NaN. Clip 1, ")
    for position, reason in reasons.items():
        assert f"Clip {position}, '{clips[position]}': " in text
        assert reason in text
    assert caught[0].filename == __file__
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == list(reasons)
    assert np.isnan(rows[list(reasons)]).all()
    good = [clip for position, clip in enumerate(clips) if position not in reasons]
    np.testing.assert_array_equal(np.delete(rows, list(reasons), axis=0), MFCCMeanTransformer().transform(good))


def test_a_long_list_of_bad_clips_is_cut(tmp_path):
    with pytest.warns(AudioWarning, match=r"30 of 30 clips .* Clip 19, .* and 10 more\.$"):
        MFCCMeanTransformer(on_error="nan").transform([str(tmp_path / f"{i}.wav") for i in range(30)])


def test_good_clips_do_not_warn(tone_files):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MFCCMeanTransformer(on_error="nan").transform(tone_files)
        MFCCMeanTransformer().transform([np.ones(1), np.ones(99, np.float32), np.zeros(3000)])  # shorter than a window


def test_nan_rows_in_samples(tones):
    X = np.stack(tones[0]).astype(float)
    X[3, 5] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        MFCCMeanTransformer().transform(X)
    with pytest.warns(AudioWarning, match="Clip 3, array of shape .*: it contains NaN or infinity"):
        rows = MFCCMeanTransformer(on_error="nan").fit_transform(X)
    assert np.flatnonzero(np.isnan(rows[:, 0])).tolist() == [3]


def test_nan_rows_meet_scikit_learns_own_error_and_two_ways_on(mixed):
    clips, reasons = mixed
    labels = np.array(["a", "b", "b", "a", "b", "a", "a"])
    with pytest.warns(AudioWarning):
        X = MFCCMeanTransformer(on_error="nan").transform(clips)
    classifier = DenseAudioClassifier((4,), epochs=2, random_state=0)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier.fit(X, labels)
    readable = ~np.isnan(X).any(axis=1)
    assert readable.sum() == 7 - len(reasons)
    assert classifier.fit(X[readable], labels[readable]).predict(X[readable]).shape == (3,)
    imputing = make_pipeline(MFCCMeanTransformer(on_error="nan"), SimpleImputer(), classifier)
    with pytest.warns(AudioWarning):
        assert imputing.fit(clips, labels).predict(clips).shape == (7,)
    tolerant = make_pipeline(MFCCMeanTransformer(on_error="nan"), HistGradientBoostingClassifier(max_iter=2))
    with pytest.warns(AudioWarning):
        assert tolerant.fit(clips, labels).predict(clips).shape == (7,)


@pytest.mark.parametrize(
    ("X", "error", "sentence"),
    [
        ("bark.wav", ValueError, r"X is one clip, .* wrap it in a list: \[clip\]"),
        (Path("bark.wav"), ValueError, "X is one clip"),
        (b"RIFF", ValueError, "X is one clip"),
        (np.zeros(100), ValueError, r"1-D array of numbers.* wrap the samples of one clip in a list, \[samples\]"),
        ((np.zeros(100), 22050), ValueError, r"one \(array, sr\) clip, .* wrap it in a list: \[\(array, sr\)\]"),
        ([0.0, 0.1, 0.2], ValueError, "sequence of numbers; wrap the samples of one clip in a list"),
        (pd.Series([0.0, 0.1]), ValueError, "1-D array of numbers"),
        (np.array([b"RIFF", b"RIFX"]), ValueError, "array of bytes, in which NumPy has cut trailing zeros off"),
        (pd.DataFrame({"path": ["a.wav"]}), ValueError, r'pass the column that holds them, for example X\["path"\]'),
        (pd.DataFrame({"path": ["a.wav"], "label": ["a"]}), ValueError, "pass the column that holds them"),
        (np.array([["a.wav"]]), ValueError, r"2-D array of strings; .* X\[:, 0\]"),
        ([], ValueError, "X contains no clips"),
        (np.array([], dtype=object), ValueError, "X contains no clips"),
        (np.zeros((2, 3, 4)), ValueError, "Found array with dim 3"),
        (np.zeros((2, 3), complex), ValueError, "Complex data not supported"),
        (
            3,
            TypeError,
            "X must be a list, tuple, 1-D array, Series or Index of clips, or a 2-D array of samples, got int",
        ),
        ({"a": 1}, TypeError, "got dict"),
        ((clip for clip in ["a.wav"]), TypeError, "got generator"),
        (None, TypeError, "got NoneType"),
        (["a.wav", None], TypeError, "Clip 1: a clip must be a path, .* got NoneType"),
        ([np.zeros(100), 3.0], TypeError, "Clip 1: a clip must be a path, .* got float"),
        (np.array([["a.wav"]], dtype=object), ValueError, r"2-D array of strings; .* X\[:, 0\]"),
        ([np.zeros(100, np.int16)], AudioError, r"Clip 0, .*: its samples are integers \(int16\).* by 32768"),
        ([np.zeros((2, 100))], AudioError, r"Clip 0, .*: its samples have the shape \(2, 100\)"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | type) else None,
)
def test_what_is_no_sequence_of_clips(X, error, sentence, tone_files):
    if isinstance(X, list) and X and X[-1] is None:
        X = [tone_files[0], None]
    with pytest.raises(error, match=sentence):
        MFCCMeanTransformer().transform(X)


def test_file_object_as_the_whole_X(tone_files):
    with Path(tone_files[0]).open("rb") as file, pytest.raises(ValueError, match="X is one clip"):
        MFCCMeanTransformer().fit(file)


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist], ids=["array", "lists"])
def test_whole_numbers_in_two_dimensions_are_used_unscaled_with_a_warning(form):
    X = np.random.default_rng(0).integers(-5, 5, (3, 500))
    with pytest.warns(AudioWarning, match="^X is an array of integers, .* for 16-bit samples by 32768$") as caught:
        rows = MFCCMeanTransformer().transform(form(X))
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(rows, MFCCMeanTransformer().transform(X.astype(float)))


def test_labels_of_another_number_are_reported_before_clips_are_read(tmp_path):
    missing = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for call in (MFCCMeanTransformer().fit, MFCCMeanTransformer().fit_transform):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[2, 3\]"):
            call(missing, ["dog", "siren", "dog"])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"n_mfcc": 0}, r"'n_mfcc' parameter of MFCCMeanTransformer must be an integer in \[1, inf\), got 0 \(int\)"),
        ({"n_mfcc": 200}, "needs n_mfcc <= n_mels, got n_mfcc=200 and n_mels=128"),
        ({"sr": -1}, r"'sr' .* a number in \(0, inf\)"),
        ({"sr": "22050"}, "'sr'"),
        ({"hop_length": 1.5}, "'hop_length'"),
        ({"fmin": 9000, "fmax": 8000}, "needs fmin < fmax <= sr / 2"),
        ({"fmax": 12000}, "needs fmin < fmax <= sr / 2"),
        ({"res_type": "soxr_hg"}, r"'res_type' .*Did you mean 'soxr_hq'\?"),
        ({"duration": 0}, "'duration' .* None or a number"),
        ({"on_error": "ignore"}, "'on_error' .* 'raise' or 'nan', got 'ignore'"),
        ({"n_jobs": 0}, "'n_jobs' .* None or an integer other than 0"),
        ({"verbose": -1}, "'verbose'"),
    ],
    ids=str,
)
def test_a_bad_parameter_gets_its_sentence(parameters, sentence, tone_files):
    for call in (MFCCMeanTransformer(**parameters).fit, MFCCMeanTransformer(**parameters).transform):
        with pytest.raises(ParameterError, match=sentence):
            call(tone_files)


# -- parallel work -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2, -1, 5])
def test_threads_change_nothing(tone_files, n_jobs):
    expected = MFCCMeanTransformer().transform(tone_files)
    np.testing.assert_array_equal(MFCCMeanTransformer(n_jobs=n_jobs).transform(tone_files), expected)


@pytest.mark.parametrize("backend", ["threading", "loky", "sequential"])
def test_parallel_config_is_honoured(tone_files, backend):
    expected = MFCCMeanTransformer().transform(tone_files)
    with joblib.parallel_config(backend=backend, n_jobs=2 if backend != "sequential" else 1):
        np.testing.assert_array_equal(MFCCMeanTransformer().transform(tone_files), expected)
        with pytest.raises(AudioError, match=r"Clip 0, 'missing\.wav': there is no such file"):
            MFCCMeanTransformer().transform(["missing.wav", *tone_files])


def test_progress_is_shown_only_when_asked_for(tone_files, capsys):
    MFCCMeanTransformer().transform(tone_files)
    assert capsys.readouterr() == ("", "")
    MFCCMeanTransformer(verbose=1, n_jobs=2).transform(tone_files)
    out, err = capsys.readouterr()
    assert out == ""
    assert "24/24" in err


def test_inputs_are_never_changed(tones):
    clips = [clip.copy() for clip in tones[0]]
    for clip in clips:
        clip.setflags(write=False)
    MFCCMeanTransformer().transform(clips)
    for clip, original in zip(clips, tones[0], strict=True):
        np.testing.assert_array_equal(clip, original)


@pytest.mark.parametrize("n_jobs", [1, 2, 7])
def test_no_clip_is_begun_after_a_bad_one(tone_files, n_jobs):
    begun = []

    class Clip(io.BytesIO):
        def seek(self, *where):
            begun.append(self)
            return super().seek(*where)

    clips = [Clip(Path(path).read_bytes()) for path in tone_files]
    with pytest.raises(AudioError, match="Clip 3, "):
        MFCCMeanTransformer(n_jobs=n_jobs).transform([*clips[:3], b"no sound", *clips[3:]])
    assert len(set(map(id, begun))) < 3 + 2 * n_jobs


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_an_exception_in_a_clip_ends_the_work(tone_files, n_jobs):
    class Clip(io.BytesIO):
        def seek(self, *where):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MFCCMeanTransformer(n_jobs=n_jobs).transform([*tone_files, Clip(), *tone_files])
