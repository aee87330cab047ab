"""Loaders: what lies in folders and stands in tables, with nothing left out or guessed in silence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import PredefinedSplit
from sklearn.utils import Bunch

from soundclf import AudioError, AudioWarning, MFCCMeanTransformer, ParameterError
from soundclf.datasets import AUDIO_EXTENSIONS, load_audio_folder, load_audio_table, load_esc50, load_fsdd
from soundclf.datasets import load_urbansound8k as load_us8k


def fill(root, *names):
    """Make files that hold nothing, with the folders that they lie in."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def below(root, paths):
    return [Path(path).relative_to(root).as_posix() for path in paths]


def without_pandas(code):
    code = f"import sys; sys.modules['pandas'] = None; from soundclf.datasets import *\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def check_form(bunch, n, groups=True, fold=None):
    """What every loader promises of its Bunch."""
    assert isinstance(bunch, Bunch)
    assert (bunch.data.shape, bunch.data.dtype) == ((n,), object)
    assert all(type(path) is str for path in bunch.data)
    assert (bunch.target.shape, bunch.target.dtype.kind) == ((n,), "U")
    assert bunch.target_names == sorted(set(bunch.target.tolist()))
    assert all(type(name) is str for name in bunch.target_names)
    assert (bunch.groups is not None) == groups
    if groups:
        assert (bunch.groups.shape, bunch.groups.dtype.kind) == ((n,), "U")
    if fold is None:
        assert bunch.fold is None
        assert bunch.cv is None
    else:
        assert (bunch.fold.shape, bunch.fold.dtype.kind) == ((n,), fold)
        assert isinstance(bunch.cv, PredefinedSplit)
        splits = list(bunch.cv.split())
        assert len(splits) == len(set(bunch.fold.tolist()))
        for name, (train, test) in zip(sorted(set(bunch.fold.tolist())), splits, strict=True):
            np.testing.assert_array_equal(test, np.flatnonzero(bunch.fold == name))
            np.testing.assert_array_equal(train, np.flatnonzero(bunch.fold != name))
    assert (len(bunch.frame), bunch.frame.index.tolist()) == (n, list(range(n)))
    assert isinstance(bunch.DESCR, str)


# -- folders -----------------------------------------------------------------------------------------------------------

CLIPS = ["cat/1-a.wav", "cat/2-b.wav", "dog/3-a.flac", "dog/deep/er/4-c.ogg"]


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "sounds", *CLIPS[::-1])


def test_a_folder_gives_sorted_paths_and_the_names_of_their_folders(folder):
    sounds = load_audio_folder(folder)
    check_form(sounds, 4, groups=False)
    assert sounds.data.tolist() == [str(folder / name) for name in CLIPS]
    assert sounds.target.tolist() == ["cat", "cat", "dog", "er"]
    assert sounds.target_names == ["cat", "dog", "er"]
    assert (sounds.ignored, sounds.missing) == ([], [])
    assert sounds.frame.to_dict("list") == {"path": sounds.data.tolist(), "label": sounds.target.tolist()}
    X, y = load_audio_folder(str(folder), return_X_y=True)
    np.testing.assert_array_equal(X, sounds.data)
    np.testing.assert_array_equal(y, sounds.target)


def test_order_is_that_of_whole_paths(tmp_path):
    names = ["B/1.wav", "a b/1.wav", "a-b/1.wav", "a/1.wav", "a/10.wav", "a/2.wav", "a/b/0.wav", "é/ß 音.wav"]
    fill(tmp_path, *names[::-1])
    sounds = load_audio_folder(tmp_path)
    assert below(tmp_path, sounds.data) == names
    assert sounds.target.tolist() == ["B", "a b", "a-b", "a", "a", "a", "b", "é"]


def test_one_clip_is_a_vector_of_one(tmp_path):
    check_form(load_audio_folder(fill(tmp_path, "a/1.wav")), 1, groups=False)


def test_folds_with_underscores_are_no_numbers(tmp_path):
    sounds = load_audio_folder(fill(tmp_path, "a/1_23-x.wav", "a/12_3-x.wav", "a/4_5-x.wav"), fold=r"(.+)-")
    assert sounds.fold.tolist() == ["12_3", "1_23", "4_5"]
    assert sounds.cv.get_n_splits() == 3


def test_what_is_hidden_or_of_another_kind_is_ignored_and_counted(folder):
    others = [".DS_Store", ".git/a/1.wav", "a.wav", "cat/.1.wav", "cat/.wav", "cat/2.txt", "cat/wav", "dog/.x/y/3.wav"]
    sounds = load_audio_folder(fill(folder, *others))
    assert below(folder, sounds.data) == CLIPS
    assert below(folder, sounds.ignored) == others
    assert "4 sounds of 3 classes below" in sounds.DESCR
    assert "8 hidden or other files ignored, 0 skipped" in sounds.DESCR


def test_a_hidden_folder_can_be_the_root(tmp_path):
    assert load_audio_folder(fill(tmp_path / ".kept", "a/1.wav")).target.tolist() == ["a"]


def test_endings_count_in_upper_and_lower_case(tmp_path):
    fill(tmp_path, *(f"a/{i}{ending.upper()}" for i, ending in enumerate(AUDIO_EXTENSIONS)), "a/x.Wav")
    assert len(load_audio_folder(tmp_path).data) == len(AUDIO_EXTENSIONS) + 1
    assert len(load_audio_folder(tmp_path, extensions=[".WAV"]).data) == 2
    fill(tmp_path, "a/x.part.wav")
    assert below(tmp_path, load_audio_folder(tmp_path, extensions=iter([".part.wav"])).data) == ["a/x.part.wav"]


def test_all_endings_are_libsndfiles(tones, tmp_path):
    """Whatever soundfile can write under its usual ending is found, and read."""
    (tmp_path / "a").mkdir()
    endings = {"AIFF": ".aiff", "AU": ".au", "CAF": ".caf", "FLAC": ".flac", "MP3": ".mp3", "OGG": ".ogg"}
    for kind, ending in (endings | {"RF64": ".rf64", "W64": ".w64", "WAV": ".wav"}).items():
        soundfile.write(tmp_path / "a" / f"1{ending}", tones[0][0], 22050, format=kind)
    sounds = load_audio_folder(tmp_path, errors="raise")
    assert len(sounds.data) == 9


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (r"\d-(.)", ["a", "b", "a", "c", "z"]),
        (re.compile(r"(?<=-)."), ["a", "b", "a", "c", "z"]),
        (r"^\d", ["1", "2", "3", "4", "5"]),
        (r"^(\d)-(.)", ["1", "2", "3", "4", "5"]),
        (lambda path: path.suffix, [".wav", ".wav", ".flac", ".ogg", ".wav"]),
        (lambda path: int(path.name[0]) % 2, ["1", "0", "1", "0", "1"]),
    ],
)
def test_labels_and_groups_by_expression_or_function(folder, label, expected):
    fill(folder, "5-z.wav")  # in root itself, which counts where a label is no folder's name
    order = np.argsort([Path(path).name for path in load_audio_folder(folder, label=label).data])
    sounds = load_audio_folder(folder, label=label, group=label)
    check_form(sounds, 5)
    assert sounds.target[order].tolist() == expected
    assert sounds.groups[order].tolist() == expected
    assert sounds.frame["group"].tolist() == sounds.groups.tolist()


def test_text_stays_text_in_the_frame(tmp_path):
    sounds = load_audio_folder(fill(tmp_path, "007/1e3.wav", "008/2e3.wav"), group="[^.]+")
    assert sounds.frame["label"].tolist() == ["007", "008"]
    assert sounds.frame["group"].tolist() == ["1e3", "2e3"]


@pytest.mark.parametrize("what", ["label", "group"])
@pytest.mark.parametrize(
    ("namer", "sentence"),
    [
        (r"(\d)x", r"^The {} expression '\(\\\\d\)x' does not match the file name '1-a.wav' \(.*cat.1-a.wav\)$"),
        (re.compile("nothing"), r"^The {} expression 'nothing' does not match the file name '1-a.wav' \(.*\)$"),
        (r"1|(2)|\d", r"^The {} expression .* found None for the file name '1-a.wav', which is not a valid {} \(.*\)$"),
        ("x*", r"^The {} expression 'x\*' found '' for the file name '1-a.wav', which is not a valid {} \(.*\)$"),
        (
            lambda path: None,
            r"^The {} function returned None for the file name '1-a.wav', which is not a valid {} \(.*\)$",
        ),
        (
            lambda path: " ",
            r"^The {} function returned ' ' for the file name '1-a.wav', which is not a valid {} \(.*\)$",
        ),
    ],
)
def test_a_file_without_a_name_is_reported(folder, what, namer, sentence):
    with pytest.raises(ValueError, match=sentence.replace("{}", what)):
        load_audio_folder(folder, **{what: namer})


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"label": "("}, "'label' parameter of load_audio_folder must be 'parent' or a regular expression or"),
        ({"label": None}, "'label' parameter of load_audio_folder must be 'parent' or a regular expression or"),
        ({"label": "*parent"}, "Did you mean 'parent'?"),
        ({"group": 3}, "'group' parameter of load_audio_folder must be None or a regular expression or a function"),
        ({"group": re.compile(b"a")}, "'group' parameter of load_audio_folder must be None or a regular expression"),
        ({"extensions": ".wav"}, "'extensions' parameter of load_audio_folder must be a list of file name endings"),
        ({"extensions": ["wav"]}, "'extensions' parameter of load_audio_folder must be a list of file name endings"),
        ({"extensions": 3}, "'extensions' parameter of load_audio_folder must be a list of file name endings"),
        ({"errors": "ignore"}, "'errors' parameter of load_audio_folder must be 'keep' or 'skip' or 'raise', got"),
    ],
)  # fmt: skip
def test_a_bad_parameter_of_a_folder_is_named(folder, parameters, sentence):
    with pytest.raises(ParameterError, match=re.escape(sentence)):
        load_audio_folder(folder, **parameters)


@pytest.mark.parametrize(
    ("names", "parameters", "sentence"),
    [
        ([], {}, r"^The folder '.*' contains no sounds in folders of classes; 0 hidden or other files ignored\.$"),
        (
            ["1.wav", "a/b.txt"],
            {},
            r"^The folder '.*' contains no sounds in folders of classes; 2 hidden or other files",
        ),
        (["1.txt"], {"label": "1"}, r"^The folder '.*' contains no sounds; 1 hidden or other file ignored\.$"),
    ],
)
def test_a_folder_without_sounds_is_reported(tmp_path, names, parameters, sentence):
    with pytest.raises(AudioError, match=sentence):
        load_audio_folder(fill(tmp_path, *names), **parameters)


@pytest.mark.parametrize("load", [load_audio_folder, load_us8k, load_esc50, load_fsdd])
def test_what_is_no_folder_is_reported(tmp_path, load):
    fill(tmp_path, "file")
    with pytest.raises(NotADirectoryError, match=r"cannot be read from '.*file': it is not a folder$"):
        load(tmp_path / "file")
    with pytest.raises(NotADirectoryError, match=r"cannot be read from '.*gone': there is no such folder$"):
        load(str(tmp_path / "gone"))


def test_links_are_followed_and_loops_end(folder, tmp_path):
    fill(tmp_path / "elsewhere", "6-e.wav", "sub/7-f.wav")
    fill(tmp_path, "one.wav")
    (folder / "bee").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "cat" / "loop").symlink_to(folder, target_is_directory=True)
    (tmp_path / "elsewhere" / "loop").symlink_to(".", target_is_directory=True)
    (folder / "dog" / "5-d.wav").symlink_to(tmp_path / "one.wav")
    sounds = load_audio_folder(folder)
    assert below(folder, sounds.data) == [
        "bee/6-e.wav", "bee/sub/7-f.wav", *CLIPS[:2], "dog/3-a.flac", "dog/5-d.wav", CLIPS[3],
    ]  # fmt: skip
    assert sounds.target.tolist() == ["bee", "sub", "cat", "cat", "dog", "dog", "er"]


@pytest.mark.parametrize("alias", ["ape", "zebra", ".hidden", "cat/ape", ".hidden/ape"])
def test_a_folder_counts_under_its_own_name_not_that_of_a_link(folder, alias):
    (folder / alias).parent.mkdir(exist_ok=True)
    (folder / alias).symlink_to(folder / "dog", target_is_directory=True)
    sounds = load_audio_folder(folder)
    assert below(folder, sounds.data) == CLIPS
    assert sounds.ignored == []


def test_a_link_that_shows_counts_before_a_hidden_one(tmp_path):
    fill(tmp_path / "elsewhere", "1.wav")
    (tmp_path / "sounds" / ".a").mkdir(parents=True)
    for name in (".a/cat", "cat", ".cat", "dog"):
        (tmp_path / "sounds" / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert load_audio_folder(tmp_path / "sounds").target.tolist() == ["cat"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders are opened by descriptors")
def test_a_folder_that_cannot_be_read_is_reported(folder):
    """One whose path is too long to be opened: that is refused to every user."""
    where = os.open(folder / "cat", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 240, dir_fd=where)
        deeper = os.open("d" * 240, os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = deeper
    os.close(where)
    with pytest.raises(OSError, match="File name too long"):
        load_audio_folder(folder)


def test_formats_that_cannot_be_read_are_reported(folder):
    foreign = ["cat/0.m4a", "cat/1.WMA", "cat/2.aac", "cat/3.mp4", "cat/4.webm", "dog/5.amr"]
    fill(folder, *foreign, "cat/.6.m4a")
    with pytest.warns(AudioWarning) as warned:
        sounds = load_audio_folder(folder)
    (warning,) = warned
    assert str(warning.message) == (
        "6 sounds in unsupported formats: cat/0.m4a, cat/1.WMA, cat/2.aac, cat/3.mp4, cat/4.webm and 1 more. "
        "Convert them, for example to FLAC"
    )
    assert warning.filename == __file__
    assert len(sounds.ignored) == 7
    assert below(folder, sounds.missing) == foreign
    with (
        pytest.warns(AudioWarning, match="^1 sound in unsupported formats"),
        pytest.raises(AudioError, match="1 hidden or other"),
    ):
        load_audio_folder(fill(folder / "new", "a/1.m4a"))


def test_folds_by_the_names_of_files(folder):
    sounds = load_audio_folder(folder, fold=r"^\d", group=r"-(.)")
    check_form(sounds, 4, fold="i")
    assert sounds.fold.tolist() == [1, 2, 3, 4]
    assert list(sounds.frame) == ["path", "label", "group", "fold"]
    named = load_audio_folder(folder, fold=lambda path: path.suffix)
    check_form(named, 4, groups=False, fold="U")
    assert named.fold.tolist() == [".wav", ".wav", ".flac", ".ogg"]
    with pytest.raises(ValueError, match=r"The fold expression '\[12\]' does not match the file name '3-a.flac'"):
        load_audio_folder(folder, fold="[12]")
    with pytest.raises(ParameterError, match="The 'fold' parameter of load_audio_folder must be None or"):
        load_audio_folder(folder, fold=3)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot be there")
def test_names_that_are_not_valid_utf_8(tmp_path):
    name = os.fsdecode(b"\xff.wav")
    sounds = load_audio_folder(fill(tmp_path, f"cat/{name}"))
    check_form(sounds, 1, groups=False)
    assert sounds.frame["path"].tolist() == sounds.data.tolist() == [str(tmp_path / "cat" / name)]


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), ValueError(), TypeError()]
)
def test_text_that_the_strings_of_pandas_refuse_is_stored_as_objects(folder, monkeypatch, error):
    make = pd.DataFrame

    def refuse(columns, dtype=None):
        if dtype is None:
            raise error
        return make(columns, dtype=dtype)

    monkeypatch.setattr(pd, "DataFrame", refuse)
    sounds = load_audio_folder(folder)
    assert sounds.frame["path"].dtype == object
    assert sounds.frame["path"].tolist() == sounds.data.tolist()


@pytest.fixture
def with_bad_ones(tone_files, tmp_path):
    """Two good files, one that is cut, one that is text and one that is empty."""
    fill(tmp_path, "a/3 empty.wav")
    shutil.copy(tone_files[0], tmp_path / "a" / "1.wav")
    (tmp_path / "a" / "2 cut.wav").write_bytes(Path(tone_files[0]).read_bytes()[:-500])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "4 text.WAV").write_bytes(b"these are no sounds" * 50)
    shutil.copy(tone_files[1], tmp_path / "b" / "5.wav")
    return tmp_path


def test_files_that_cannot_be_decoded_are_kept_unopened(with_bad_ones):
    assert len(load_audio_folder(with_bad_ones).data) == 5


def test_files_that_cannot_be_decoded_are_left_out(with_bad_ones):
    bad = ["a/2 cut.wav", "a/3 empty.wav", "b/4 text.WAV"]
    with pytest.warns(AudioWarning, match="^3 files cannot be decoded and are skipped") as warned:
        sounds = load_audio_folder(with_bad_ones, errors="skip", group=r"^\d")
    (warning,) = warned
    assert warning.filename == __file__
    assert all(str(with_bad_ones / name) in str(warning.message) for name in bad)
    check_form(sounds, 2)
    assert below(with_bad_ones, sounds.data) == ["a/1.wav", "b/5.wav"]
    assert (sounds.target.tolist(), sounds.groups.tolist()) == (["a", "b"], ["1", "5"])
    assert below(with_bad_ones, sounds.missing) == bad
    assert "0 hidden or other files ignored, 3 skipped as undecodable" in sounds.DESCR
    assert MFCCMeanTransformer().fit_transform(sounds.data).shape == (2, 40)


def test_the_first_file_that_cannot_be_decoded_raises(with_bad_ones):
    with pytest.raises(AudioError, match=r"^Clip, '.*2 cut.wav': it is truncated"):
        load_audio_folder(with_bad_ones, errors="raise")


def test_a_folder_of_undecodable_files_alone_is_reported(tmp_path):
    with (
        pytest.warns(AudioWarning, match=r"^12 files cannot be decoded and are skipped\. Clip, .* and 2 more$"),
        pytest.raises(AudioError, match=r"^No sound in the folder '.*' can be decoded\.$"),
    ):
        load_audio_folder(fill(tmp_path, *(f"a/{i}.wav" for i in range(12))), errors="skip")


def test_loaders_do_without_pandas(folder, tmp_path):
    (tmp_path / "t.csv").write_text(f"path,label,day\n{folder / CLIPS[0]},cat,1\n")
    done = without_pandas(
        f"a, b = load_audio_folder({str(folder)!r}), load_audio_table({str(tmp_path / 't.csv')!r}, fold='day')\n"
        "print(a.frame, b.frame, len(a.data), b.fold.tolist(), b.target.tolist())"
    )
    assert done.stdout == "None None 4 [1] ['cat']\n", done.stderr


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path):
    """A folder of files, and the rows of a table that names them, one of them by its whole path."""
    names = ["b é.wav", "deep/a.wav", "x,y.wav", "c.wav"]
    fill(tmp_path / "audio", *names)
    paths = [*names[:3], str(tmp_path / "audio" / "c.wav")]
    return pd.DataFrame(
        {
            "file": paths,
            "kind": ["dog", "cat", "big, bad dog", "cat"],
            "who": ["007", "8", "8", "9"],
            "day": [2, 1, 10, 2],
            "level": [0.5, -1, 2, 1e3],
        }
    )


COLUMNS = {"path": "file", "label": "kind", "group": "who", "fold": "day"}


def csv(table, file):
    table.to_csv(file, index=False)


def tsv(table, file):
    table.to_csv(file, sep="\t", index=False, encoding="utf-8-sig")


def parquet(table, file):
    pytest.importorskip("pyarrow")
    table.to_parquet(file)


@pytest.mark.parametrize(
    ("write", "ending"), [(csv, ".csv"), (csv, ".CSV"), (tsv, ".tsv"), (parquet, ".parquet"), (parquet, ".pq")]
)
def test_a_table_of_every_kind(listed, tmp_path, write, ending):
    file = tmp_path / "audio" / f"table{ending}"
    write(listed, file)
    sounds = load_audio_table(file, **COLUMNS)
    check_form(sounds, 4, fold="i")
    assert sounds.data.tolist() == [str(tmp_path / "audio" / name) for name in listed["file"]]
    assert sounds.target.tolist() == listed["kind"].tolist()
    assert sounds.groups.tolist() == listed["who"].tolist()
    assert sounds.fold.tolist() == [2, 1, 10, 2]
    assert sounds.missing == []
    assert f"4 sounds of 3 classes from the table {str(file)!r}." == sounds.DESCR
    assert sounds.frame[["file", "kind", "day", "level"]].equals(listed[["file", "kind", "day", "level"]])
    X, y = load_audio_table(str(file), **COLUMNS, return_X_y=True)
    np.testing.assert_array_equal(X, sounds.data)
    np.testing.assert_array_equal(y, sounds.target)


def test_a_data_frame(listed, tmp_path, monkeypatch):
    listed["when"] = pd.to_datetime(["2024-01-01"] * 4)
    listed["maybe"] = pd.array([1, None, 3, 4], dtype="Int64")
    listed.index = list("wxyz")
    before = listed.copy()
    sounds = load_audio_table(listed, **COLUMNS, root=tmp_path / "audio")
    check_form(sounds, 4, fold="i")
    assert sounds.data[0] == str(tmp_path / "audio" / "b é.wav")
    assert sounds.frame.equals(listed.reset_index(drop=True))  # types and all
    assert listed.equals(before)
    assert sounds.DESCR == "4 sounds of 3 classes from the DataFrame."
    monkeypatch.chdir(tmp_path / "audio")
    assert load_audio_table(listed, **COLUMNS).data.tolist() == listed["file"].tolist()


def test_root_counts_before_the_tables_folder(listed, tmp_path):
    csv(listed, tmp_path / "table.csv")
    sounds = load_audio_table(tmp_path / "table.csv", **COLUMNS, root=str(tmp_path / "audio"))
    assert sounds.data.tolist() == [str(tmp_path / "audio" / name) for name in listed["file"]]


def test_default_columns(tmp_path):
    (fill(tmp_path, "1.wav") / "t.csv").write_text('path,label\n\n"1.wav","a ""b"""\n\n')
    sounds = load_audio_table(tmp_path / "t.csv")
    check_form(sounds, 1, groups=False)
    assert sounds.target.tolist() == ['a "b"']


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2", "1", "10"], [2, 1, 10]),
        (["b", "a", "10"], ["b", "a", "10"]),
        (["1.5", "1", "2"], ["1.5", "1", "2"]),
        ([2.0, 1.0, 10.0], [2, 1, 10]),
        (pd.array([2, 1, 10], dtype="Int64"), [2, 1, 10]),
        (pd.Categorical(["b", "a", "b"]), ["b", "a", "b"]),
        ([0.5, 1.0, 2.0], ["0.5", "1.0", "2.0"]),
    ],
)
def test_folds_are_whole_numbers_or_names(values, expected):
    table = pd.DataFrame({"path": ["a", "b", "c"], "label": ["x", "y", "x"], "fold": values})
    sounds = load_audio_table(table, fold="fold", group="fold", missing="keep")
    check_form(sounds, 3, fold="i" if isinstance(expected[0], int) else "U")
    assert sounds.fold.tolist() == expected
    assert sounds.groups.tolist() == [str(value) for value in expected]


def test_labels_of_numbers_are_text():
    table = pd.DataFrame({"path": ["a", "b"], "label": [1.0, 2.0]})
    assert load_audio_table(table, missing="keep").target.tolist() == ["1", "2"]


@pytest.fixture
def partly(tmp_path):
    """A table of eight rows, of which those with odd numbers have a file."""
    (fill(tmp_path, *(f"{i}.wav" for i in range(1, 8, 2)), "0.wav/is a folder") / "t.csv").write_text(
        "path,label,day\n" + "".join(f"{i}.wav,{'ab'[i % 2]},{i // 3}\n" for i in range(8))
    )
    return tmp_path / "t.csv"


def test_absent_files_raise_by_default(partly):
    with pytest.raises(
        AudioError,
        match=r"^4 of 8 files of the table '.*t.csv' do not exist: row 0: .*0.wav, row 2: .*2.wav, row 4: .*, row 6: ",
    ):
        load_audio_table(partly)
    with pytest.raises(AudioError, match=r"^8 of 8 files .*, row 4: \S+ and 3 more\.$"):
        load_audio_table(partly, root=partly.parent / "gone")


def test_absent_files_are_left_out(partly):
    with pytest.warns(AudioWarning, match=r"^4 of 8 files .*, row 6: .*6.wav. Their rows are skipped$") as warned:
        sounds = load_audio_table(partly, fold="day", group="day", missing="skip")
    assert [warning.filename for warning in warned] == [__file__]
    check_form(sounds, 4, fold="i")
    assert below(partly.parent, sounds.data) == ["1.wav", "3.wav", "5.wav", "7.wav"]
    assert below(partly.parent, sounds.missing) == ["0.wav", "2.wav", "4.wav", "6.wav"]
    assert (sounds.fold.tolist(), sounds.target_names) == ([0, 1, 1, 2], ["b"])
    assert sounds.frame["day"].tolist() == [0, 1, 1, 2]
    assert sounds.DESCR.startswith("4 sounds of 1 class from")


def test_absent_files_are_kept(partly):
    sounds = load_audio_table(partly, fold="day", missing="keep")
    check_form(sounds, 8, groups=False, fold="i")
    assert sounds.missing == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,class\n1.wav,a\n", r"^The table '.*t.csv' has no column 'label' for label; it has path, class$"),
        ("label\na\n", r"^The table '.*t.csv' has no column 'path' for path; it has label$"),
        ("path,label,label\n1.wav,a,b\n", r"^The table '.*t.csv' has more than one column 'label'$"),
        ("path,label\n1.wav,a\n2.wav,\n", r"has empty cells in column 'label', in rows 1 counted from 0$"),
        ("path,label\n  ,a\n2.wav,b\n,c\n", r"has empty cells in column 'path', in rows 0, 2 counted from 0$"),
        ("path,label\n1.wav,a\n2.wav\n", r"^The table '.*t.csv' has 2 columns, line 3 1 cells$"),
        ("path,label\n1.wav,a,b\n", r"^The table '.*t.csv' has 2 columns, line 2 3 cells$"),
        ('path,label\n1.wav,"a\n2.wav,b\n', r"^The table '.*' cannot be read, after line 3: unexpected end of data$"),
        ("path,label\n1.wav,\ud8ff\n", r"^The table '.*t.csv' cannot be read, after line \d: 'utf-8' codec"),
        ("", r"^The table '.*t.csv' has no header in its first line$"),
        ("\npath,label\n1.wav,a\n", r"^The table '.*t.csv' has no header in its first line$"),
        ("path,label\n", r"^The table '.*t.csv' has no rows$"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_reported(tmp_path, text, sentence):
    (tmp_path / "t.csv").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(ValueError, match=sentence):
        load_audio_table(tmp_path / "t.csv", missing="keep")


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT, "", " "], ids=repr)
@pytest.mark.parametrize("column", ["file", "kind", "who", "day"])
def test_gaps_of_a_data_frame_are_reported(listed, gap, column):
    listed[column] = listed[column].astype(object)
    listed.loc[[1, 3], column] = gap
    with pytest.raises(
        ValueError, match=rf"^The DataFrame has empty cells in column '{column}', in rows 1, 3 counted from 0$"
    ):
        load_audio_table(listed, **COLUMNS, missing="keep")


def test_gaps_where_nothing_is_asked_for_are_kept(listed):
    listed.loc[1, "level"] = np.nan
    assert load_audio_table(listed, **COLUMNS, missing="keep").frame["level"].isna().tolist() == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("table", "error", "sentence"),
    [
        ("gone.csv", FileNotFoundError, r"^The table '.*gone.csv' does not exist$"),
        ("t.xlsx", ValueError, r"^The table '.*t.xlsx' must be a .csv, .tsv or .parquet file$"),
        (3, TypeError, "^table must be a path or a DataFrame, got int$"),
        ({"path": ["a"]}, TypeError, "^table must be a path or a DataFrame, got dict$"),
        (pd.DataFrame([["a", "b", "c"]], columns=["path", "label", "path"]), ValueError, "more than one column 'path'"),
    ],
)
def test_what_is_no_table_is_reported(tmp_path, table, error, sentence):
    fill(tmp_path, "t.xlsx")
    with pytest.raises(error, match=sentence):
        load_audio_table(tmp_path / table if isinstance(table, str) else table, missing="keep")


def test_a_damaged_parquet_file_is_reported(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"no table" * 9)
    with pytest.raises(ValueError, match=r"^The table '.*t.parquet' cannot be read: "):
        load_audio_table(tmp_path / "t.parquet")


def test_parquet_without_pandas_is_reported(tmp_path):
    done = without_pandas(f"load_audio_table({str(fill(tmp_path, 't.parquet') / 't.parquet')!r})")
    assert re.search(
        r"ImportError: Reading the table '.*t.parquet' needs the package pandas: "
        r'pip install "soundclf\[parquet\]"\n$',
        done.stderr,
    )


def test_parquet_without_pyarrow_is_reported(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs the package pyarrow: pip install \"soundclf\[parquet\]\"$"):
        load_audio_table(fill(tmp_path, "t.parquet") / "t.parquet")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"path": None}, r"'path' parameter of load_audio_table must be the name of a column, got None"),
        ({"fold": 3}, r"'fold' parameter of load_audio_table must be None or the name of a column, got 3"),
        ({"root": 3}, r"'root' parameter of load_audio_table must be None or a path, got 3"),
        ({"missing": "skp"}, r"'missing' parameter of load_audio_table must be .* Did you mean 'skip'\?"),
    ],
)
def test_a_bad_parameter_of_a_table_is_named(listed, parameters, sentence):
    with pytest.raises(ParameterError, match=sentence):
        load_audio_table(listed, **parameters)


# -- UrbanSound8K ------------------------------------------------------------------------------------------------------

US8K, ESC = "metadata/UrbanSound8K.csv", "meta/esc50.csv"
US8K_HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"


@pytest.fixture
def us8k(tmp_path):
    fill(tmp_path, "audio/fold1/10-3-0-0.wav", "audio/fold10/9-9-0-0.wav", "metadata/UrbanSound8K.csv")
    rows = ["10-3-0-0.wav,10,0.0,4.0,1,1,3,dog_bark", "10-3-0-1.wav,10,4.5,8.5,1,1,3,dog_bark"]
    rows.append("9-9-0-0.wav,9,0.0,4.0,1,10,9,street_music")
    (tmp_path / "metadata" / "UrbanSound8K.csv").write_text(US8K_HEADER + "\n".join(rows) + "\n")
    return tmp_path


def test_urbansound8k(us8k):
    with pytest.warns(AudioWarning, match=r"^1 of 3 files of UrbanSound8K do not exist: row 1: .*0-1.wav") as warned:
        sounds = load_us8k(us8k)
    assert [warning.filename for warning in warned] == [__file__]
    check_form(sounds, 2, fold="i")
    assert below(us8k, sounds.data) == ["audio/fold1/10-3-0-0.wav", "audio/fold10/9-9-0-0.wav"]
    assert below(us8k, sounds.missing) == ["audio/fold1/10-3-0-1.wav"]
    assert sounds.target.tolist() == ["dog_bark", "street_music"]
    assert (sounds.groups.tolist(), sounds.fold.tolist()) == (["10", "9"], [1, 10])
    assert sounds.frame.iloc[1].to_dict() == {
        "slice_file_name": "9-9-0-0.wav", "fsID": 9, "start": 0, "end": 4, "salience": 1, "fold": 10, "classID": 9,
        "class": "street_music",
    }  # fmt: skip
    assert "lists 3 slices from 2 recordings; 2 of them are present, 1 file missing." in sounds.DESCR
    assert re.search(r"class +1 +10 +all\ndog_bark +2 +0 +2\nstreet_music +0 +1 +1\n", sounds.DESCR)


@pytest.mark.parametrize("load", [load_us8k, load_esc50])
def test_absent_files_of_a_data_set(us8k, esc50, load):
    root, n = (us8k, 3) if load is load_us8k else (esc50, 4)
    with pytest.raises(AudioError, match=rf"^1 of {n} files of .* do not exist: row 1: "):
        load(root, missing="raise")
    X, y = load(root, missing="keep", return_X_y=True)
    assert len(X) == len(y) == n
    with pytest.raises(
        ParameterError, match=r"'missing' parameter of .* must be 'raise' or 'skip' or 'keep', got None"
    ):
        load(root, missing=None)
    shutil.rmtree(root / "audio")
    with (
        pytest.warns(AudioWarning, match=f"^{n} of {n} files of"),
        pytest.raises(AudioError, match=r"^None of the data set's clips exist"),
    ):
        load(root)
    assert len(load(root, missing="keep").data) == n


@pytest.mark.parametrize(
    ("load", "file", "text", "error", "sentence"),
    [
        (load_us8k, US8K, None, FileNotFoundError, "s metadata is not at '.*'; root"),
        (load_us8k, US8K, "a,fold\n", ValueError, "it has no column 'slice_file_name'$"),
        (load_us8k, US8K, US8K_HEADER + "a,1,0,4,1,x,3,b\n", ValueError, "is not that of UrbanSound8K: a fold is 'x'$"),
        (load_esc50, ESC, None, FileNotFoundError, "has neither meta/esc50.csv nor folders such"),
        (load_esc50, ESC, "filename,fold,category,esc10\n", ValueError, "not that of ESC-50: it has no column 'src_f"),
    ],
)  # fmt: skip
def test_a_data_set_without_its_metadata_is_reported(tmp_path, load, file, text, error, sentence):
    if text:
        (fill(tmp_path, file) / file).write_text(text)
    with pytest.raises(error, match=sentence):
        load(tmp_path)


# -- ESC-50, ESC-10 and FSDD -------------------------------------------------------------------------------------------


@pytest.fixture
def esc50(tmp_path):
    root = tmp_path / "ESC-50-master"
    fill(root, "meta/esc50.csv", "audio/1-10-A-0.wav", "audio/2-10-B-0.wav", "audio/5-8-A-14.wav", "audio/stray.wav")
    rows = ["1-10-A-0.wav,1,0,dog,True,10,A", "1-99-A-0.wav,1,0,dog,True,99,A"]
    rows += ["5-8-A-14.wav,5,14,chirping_birds,False,8,A", "2-10-B-0.wav,2,0,dog,True,10,B"]
    header = "filename,fold,target,category,esc10,src_file,take\n"
    (root / "meta" / "esc50.csv").write_text(header + "\n".join(rows) + "\n")
    return root


def test_esc50_as_in_its_archive(esc50):
    with pytest.warns(AudioWarning, match=r"^1 of 4 files of ESC-50 do not exist: row 1: .*1-99-A-0.wav") as warned:
        sounds = load_esc50(esc50)
    assert [warning.filename for warning in warned] == [__file__]
    check_form(sounds, 3, fold="i")
    assert below(esc50, sounds.data) == ["audio/1-10-A-0.wav", "audio/5-8-A-14.wav", "audio/2-10-B-0.wav"]
    assert sounds.target.tolist() == ["dog", "chirping_birds", "dog"]
    assert (sounds.groups.tolist(), sounds.fold.tolist()) == (["10", "8", "10"], [1, 5, 2])
    assert sounds.frame["esc10"].tolist() == [True, False, True]
    assert sounds.frame["target"].tolist() == [0, 14, 0]
    assert below(esc50, sounds.missing) == ["audio/1-99-A-0.wav"]
    assert "3 clips from 2 recordings (1 file missing);" in sounds.DESCR


def test_esc10_out_of_the_archive(esc50):
    fill(esc50, "audio/1-99-A-0.wav")
    sounds = load_esc50(esc50, subset="esc10", missing="raise")
    check_form(sounds, 3, fold="i")
    assert set(sounds.target) == {"dog"}
    assert sounds.DESCR.startswith("ESC-10: ")
    assert "3 clips from 2 recordings; " in sounds.DESCR


def test_esc_in_folders_of_classes(tmp_path):
    clips = ["001 - Dog bark/1-20-A.ogg", "001 - Dog bark/5-3-B.ogg", "010 - Fire crackling/2-7-A.OGG"]
    fill(tmp_path, *clips[::-1], "001 - Dog bark/cover.ogg", "001 - Dog bark/.1-1-A.ogg", "misc/1-1-A.ogg", "README.md")
    sounds = load_esc50(tmp_path)
    check_form(sounds, 3, fold="i")
    assert below(tmp_path, sounds.data) == clips
    assert sounds.target.tolist() == ["Dog bark", "Dog bark", "Fire crackling"]
    assert (sounds.groups.tolist(), sounds.fold.tolist()) == (["20", "3", "7"], [1, 5, 2])
    assert sounds.frame.iloc[1].to_dict() == {
        "filename": "5-3-B.ogg", "fold": 5, "category": "Dog bark", "src_file": 3, "take": "B",
    }  # fmt: skip
    assert sounds.DESCR.startswith("ESC-50: ")
    with pytest.raises(ValueError, match=r"has 2 classes and no metadata that says which of them are in ESC-10$"):
        load_esc50(tmp_path, subset="esc10")
    fill(tmp_path, *(f"{i:03} - {i}/1-{i}-A.ogg" for i in range(20, 28)))
    assert load_esc50(tmp_path, subset="esc10").DESCR.startswith("ESC-10: ")


def test_a_bad_subset_is_named(esc50):
    with pytest.raises(ParameterError, match=r"'subset' parameter of load_esc50 must be None or 'esc10', got 'ESC-10'"):
        load_esc50(esc50, subset="ESC-10")


@pytest.mark.parametrize("where", ["recordings", "."])
def test_fsdd_by_its_names(tmp_path, where):
    clips = ["0_anna_2.wav", "0_anna_10.wav", "0_b_c_0.wav", "7_anna_0.WAV"]
    fill(tmp_path / where, *clips[::-1], "10_anna_1.wav", "7_anna.wav", "7_anna_x.wav", "7_anna_1.txt", ".7_anna_1.wav")
    sounds = load_fsdd(tmp_path)
    check_form(sounds, 4)
    assert below(tmp_path / where, sounds.data) == clips
    assert sounds.target.tolist() == ["0", "0", "0", "7"]
    assert sounds.groups.tolist() == ["anna", "anna", "b_c", "anna"]
    assert sounds.frame["index"].tolist() == [2, 10, 0, 0]
    assert sounds.frame["digit"].tolist() == ["0", "0", "0", "7"]
    assert "4 clips from 2 speakers: anna, b_c." in sounds.DESCR
    np.testing.assert_array_equal(load_fsdd(tmp_path / where, return_X_y=True)[0], sounds.data)


def test_a_folder_without_digits_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"contains no files with names such as '7_jackson_32.wav'$"):
        load_fsdd(fill(tmp_path, "jackson_7.wav"))


# -- the real ones -----------------------------------------------------------------------------------------------------

OFFICIAL = {
    "air_conditioner": 1000, "car_horn": 429, "children_playing": 1000, "dog_bark": 1000, "drilling": 1000,
    "engine_idling": 1000, "gun_shot": 374, "jackhammer": 1000, "siren": 929, "street_music": 1000,
}  # fmt: skip


@pytest.mark.slow
def test_the_real_urbansound8k_in_full(real_data):
    sounds = load_us8k(real_data / "UrbanSound8K", missing="keep")
    check_form(sounds, 8732, fold="i")
    assert Counter(sounds.target.tolist()) == OFFICIAL
    assert len(set(sounds.groups)) == 1297
    assert np.bincount(sounds.fold).tolist() == [0, 873, 888, 925, 990, 936, 823, 838, 806, 816, 837]
    assert sounds.missing == []
    assert "lists 8,732 slices from 1,297 recordings; 15 of them are present, 8,717 files missing." in sounds.DESCR
    for name, number in OFFICIAL.items():
        assert re.search(rf"^{name} .* {number}$", sounds.DESCR, flags=re.MULTILINE)


@pytest.mark.slow
def test_the_real_urbansound8k_as_it_is_here(real_data):
    with pytest.warns(
        AudioWarning, match=r"^8,717 of 8,732 files of UrbanSound8K do not exist: row .* and 8,712 more\."
    ):
        sounds = load_us8k(real_data / "UrbanSound8K")
    check_form(sounds, 15, fold="i")
    assert len(sounds.missing) == 8717
    assert all(Path(path).is_file() for path in sounds.data)
    for path, group, fold, name in zip(sounds.data, sounds.groups, sounds.fold, sounds.frame["class"], strict=True):
        assert Path(path).name.split("-")[0] == group
        assert Path(path).parent.name == f"fold{fold}"
        assert sounds.target[sounds.data == path] == name


@pytest.mark.slow
def test_the_real_esc10(real_data):
    sounds = load_esc50(real_data / "esc10", subset="esc10", missing="raise")
    check_form(sounds, 400, fold="i")
    assert set(Counter(sounds.target.tolist()).values()) == {40}
    assert np.bincount(sounds.fold).tolist() == [0, 80, 80, 80, 80, 80]
    assert len(set(sounds.groups)) == 304
    assert len(set(zip(sounds.groups, sounds.fold, strict=True))) == 304  # folds keep recordings whole
    assert sounds.DESCR.startswith("ESC-10: recordings of environmental sounds, 5 s each, 10 classes")
    assert "400 clips from 304 recordings; " in sounds.DESCR
    as_folder = load_audio_folder(real_data / "esc10", group=r"\d-(\d+)-")
    np.testing.assert_array_equal(as_folder.data, sounds.data)
    np.testing.assert_array_equal(as_folder.groups, sounds.groups)
