"""The soundclf command: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from typer.testing import CliRunner

import soundclf
from soundclf import MFCCMeanTransformer, presets
from soundclf.cli import app
from soundclf.cli._collection import Preset
from soundclf.datasets import load_audio_folder, make_sounds
from soundclf.persistence import describe

CLASSES = ["bird", "drum", "rain", "siren"]
PARTLY = 3


def run(*arguments, code=0, **options):
    """Run the command in this process; check its exit code and that there is no traceback."""
    result = CliRunner().invoke(app, list(map(str, arguments)), **options)
    assert "Traceback" not in result.output
    assert result.exit_code == code, result.output
    return result


def refused(*arguments, code=1):
    """Return the error message of a run that fails."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.endswith((".\n", "?\n"))
    return result.stderr.strip()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """48 sounds of four classes from 16 recordings."""
    folder = tmp_path_factory.mktemp("cli") / "sounds"
    make_sounds(48, classes=CLASSES, directory=folder, duration=0.5, random_state=0)
    return folder


@pytest.fixture(scope="module")
def trained(sounds):
    """A model of these sounds, and the result of soundclf train."""
    model = sounds.parent / "model.skops"
    return model, run("train", sounds, "--out", model, "--preset", "fast", "--group", "(.+)-")


@pytest.fixture(scope="module")
def model(trained):
    return trained[0]


@pytest.fixture
def with_bad_ones(sounds, tmp_path):
    """The sounds, with one bad file of each kind among them."""
    folder = tmp_path / "all kinds"
    shutil.copytree(sounds, folder)
    good = folder / "bird" / "bird-000-0.wav"
    samples, rate = soundfile.read(good, dtype="float32")
    bird = folder / "bird"
    (bird / "bird-900-empty.wav").touch()
    (bird / "bird-901-cut.wav").write_bytes(good.read_bytes()[:-500])
    (bird / "bird-902-text.wav").write_text("this is no sound\n" * 50)
    soundfile.write(bird / "bird-903-nan.wav", np.where(np.arange(len(samples)) == 7, np.nan, samples), rate, "FLOAT")
    soundfile.write(bird / "bird-904-none.wav", np.zeros(0), rate)
    soundfile.write(bird / "bird-905-silent.wav", np.zeros(rate), rate)
    soundfile.write(bird / "bird-906-loud.wav", np.clip(9 * samples, -1, 1), rate)
    shutil.copy(good, folder / "rain" / "rain-907-copy.wav")
    return folder


REASONS = {
    "bird-900-empty.wav": "the file is empty",
    "bird-901-cut.wav": "it is truncated: its header promises 22050 bytes of samples, and 21550 are there",
    "bird-902-text.wav": "it is not audio in a format that libsndfile reads",
    "bird-903-nan.wav": "it contains NaN or infinity",
    "bird-904-none.wav": "it holds no samples",
}


def strict_json(text):
    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=no_constant)


def table(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def written_table(path, paths, labels, **more):
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["path", "label", *more])
        rows.writerows(zip(paths, labels, *more.values(), strict=True))
    return path


# -- the command as a whole --------------------------------------------------------------------------------------------


def test_help_describes_each_command():
    whole = run("--help").stdout
    commands = ["check", "features", "evaluate", "train", "predict", "describe", "plot", "demo"]
    assert re.findall(r"^  (\w+)  +[A-Z].*\.$", whole.partition("Commands:")[2], re.MULTILINE) == commands
    for code in (0, 1, 2, 3, 130, 141, 143):
        assert re.search(rf"^ +{code}  \w", whole, re.MULTILINE)
    for command in commands:
        printed = run(command, "--help").stdout
        assert f"Examples:\n    soundclf {command}" in printed
        assert all(len(line) <= 100 for line in printed.split("\n"))
    assert run("--version").stdout == f"soundclf {soundclf.__version__}\n"
    assert "Usage:" in CliRunner().invoke(app, []).output


def test_help_imports_nothing_heavy():
    heavy = [
        "tensorflow",
        "keras",
        "librosa",
        "sklearn",
        "scipy",
        "numpy",
        "soundfile",
        "matplotlib",
        "pandas",
        "joblib",
    ]
    code = f"""
import sys
from soundclf.cli import app
for command in ([], ["predict"], ["train"]):
    app([*command, "--help"], standalone_mode=False)
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


def test_presets_are_those_of_make_classifier():
    assert [preset.value for preset in Preset] == list(presets.PRESETS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chekc"], "No such command 'chekc'"),
        (["check"], "Missing argument"),
        (["demo", "--n-samples", "3"], "--n-samples"),
        (["demo", "--n-samples", "many"], "--n-samples"),
        (["check", ".", "--json", "--csv"], "cannot be combined"),
        (["check", ".", "--jobs", "0"], "0 threads"),
        (["check", ".", "--group", "("], "not a regular expression"),
        (["check", ".", "--group", f"a{{{2**64}}}"], "not a regular expression"),
        (["check", ".", "--path", "file"], "It is for tables only"),
        (["train", ".", "--out", "m.skops", "--preset", "best"], "'best'"),
        (["train", ".", "--out", "m.pkl"], "must end in .skops or .joblib"),
        (["train", "."], "--out"),
        (["features", ".", "--out", "x.txt"], "must end in .parquet or .csv or .npz"),
        (["evaluate", ".", "--report", "x.pdf"], "must end in .html"),
        (["plot", "song", "x.wav", "--out", "x.png"], "'song'"),
        (["plot", "mfcc", "x.wav", "--out", "x.gif"], "must end in .png"),
        (["plot", "mfcc", *["x.wav"] * 21, "--out", "x.png"], "At most 20"),
        (["predict", "m.skops", "x.wav", "--top", "0"], "--top"),
        (["predict", "m.skops", "x.wav", "--hop", "1"], "It needs --window"),
        (["predict", "m.skops", "x.wav", "--window", "0"], "must be positive and finite"),
        (["predict", "m.skops", "x.wav", "--window", "nan"], "must be positive and finite"),
        (["predict", "m.skops", "x.wav", "--window", "1", "--hop", "2"], "at most --window"),
        (["predict", "m.skops", "x.wav", "--window", "1", "--top", "2"], "needs --json"),
    ],
)
def test_wrong_usage(arguments, message):
    result = run(*arguments, code=2)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_errors_are_one_sentence(sounds, model, tmp_path):
    absent = tmp_path / "no folder" / "file"
    wav = sounds / "bird" / "bird-000-0.wav"
    (tmp_path / "empty").mkdir()
    shutil.copytree(sounds / "bird", tmp_path / "one" / "bird")
    paths = load_audio_folder(sounds, return_X_y=True)[0].tolist()
    sheet = written_table(tmp_path / "sounds.csv", paths, ["a", "b"] * 24)
    assert "There is no folder or table" in refused("check", tmp_path / "nothing")
    assert "is neither a folder nor a table" in refused("check", wav)
    assert "contains no sounds" in refused("check", tmp_path / "empty")
    assert "has no column 'species' for label; it has path, label" in refused("check", sheet, "--label", "species")
    assert "does not match the file name" in refused("evaluate", sounds, "--group", r"\d{4}")
    out = tmp_path / "m.skops"
    assert "clips of only one class, 'bird'" in refused("train", tmp_path / "one", "--out", out)
    assert "clips of only one class, 'bird'" in refused("evaluate", tmp_path / "one")
    assert "is not a folder" in refused("train", sounds, "--out", f"{absent}.skops")
    assert "is not a folder" in refused("features", sounds, "--out", f"{absent}.npz")
    assert "is not a folder" in refused("evaluate", sounds, "--report", f"{absent}.html")
    assert "is not a folder" in refused("plot", "mfcc", wav, "--out", f"{absent}.png")
    (tmp_path / "x.csv").mkdir()
    assert "not a regular file" in refused("features", sounds, "--out", tmp_path / "x.csv")
    assert "There is nothing to plot" in refused("plot", "mfcc", tmp_path / "no.wav", "--out", tmp_path / "x.png")
    assert "there is no such file" in refused("predict", tmp_path / "no.skops", wav)
    assert "there is no such file" in refused("predict", tmp_path / "no.joblib", wav)
    assert "there is no such file" in refused("describe", tmp_path / "no.skops")
    (tmp_path / "bad.skops").write_bytes(model.read_bytes()[:5000])
    assert "cannot be loaded" in refused("predict", tmp_path / "bad.skops", wav)
    assert "cannot be read" in refused("describe", tmp_path / "bad.skops")
    assert "There are no files to classify" in refused("predict", model, "-")
    assert "contains no sounds" in refused("predict", model, tmp_path / "empty")
    (tmp_path / "empty" / "memo.m4a").touch()
    assert "including 1 sound in unsupported formats" in refused("predict", model, tmp_path / "empty")
    content = sheet.read_bytes()
    (tmp_path / "link.csv").symlink_to(sheet)
    for same in (sheet, tmp_path / "link.csv"):
        assert "it is the input table" in refused("features", sheet, "--out", same)
    assert sheet.read_bytes() == content
    (tmp_path / "m.joblib.json").mkdir()
    assert "not a regular file" in refused("train", sounds, "--out", tmp_path / "m.joblib")
    assert not out.exists()


@pytest.mark.skipif(os.name == "nt", reason="whole paths are limited there")
@pytest.mark.parametrize("letter", ["x", "雨"])
def test_output_with_the_longest_name(sounds, tmp_path, letter):
    most = 255 - len(".parquet")
    for ending in (".csv", ".npz"):
        out = tmp_path / (letter * (most // len(letter.encode())) + ending)
        run("features", sounds, "--out", out)
        assert [path.name for path in tmp_path.iterdir()] == [out.name]
        out.unlink()


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_of_a_good_collection(sounds):
    result = run("check", sounds)
    assert re.search(r"^drum +12 +0\.50 s +0\.50 s +0\.50 s +6\.00 s$", result.stdout, re.MULTILINE)
    assert "rate      22,050 Hz: 48" in result.stdout
    assert "No clip is unreadable, silent, clipped or a duplicate." in result.stdout
    assert result.stderr == ""


def test_check_of_a_bad_one(with_bad_ones):
    printed = run("check", with_bad_ones, code=PARTLY).stdout
    assert "Cannot be used: 5\n" in printed
    for name, reason in REASONS.items():
        assert re.search(rf"^  '.*{name}': {reason}\.$", printed, re.MULTILINE)
    assert re.search(r"^Silent: 1\n  '.*bird-905-silent.wav'$", printed, re.MULTILINE)
    assert re.search(r"^Clipped: 1\n  '.*bird-906-loud.wav': in \d+ places$", printed, re.MULTILINE)
    assert "bird-000-0.wav' = '" in printed
    assert printed.rstrip().endswith("rain-907-copy.wav', labeled 'bird' and 'rain'")


def test_check_for_other_programs(with_bad_ones):
    printed = strict_json(run("check", with_bad_ones, "--json", "--group", r"-(\d+)-", code=PARTLY).stdout)
    assert (printed["clips"], printed["usable"]) == (56, 51)
    assert {Path(item["path"]).name: item["error"] for item in printed["unusable"]} == REASONS
    assert [item["label"] for item in printed["classes"]] == CLASSES
    assert printed["rates"] == [{"value": 22050.0, "clips": 51}]
    assert [Path(path).name for path in printed["silent"]] == ["bird-905-silent.wav"]
    assert [[Path(path).name for path in same] for same in printed["duplicates"]] == [
        ["bird-000-0.wav", "rain-907-copy.wav"]
    ]
    rows = table(run("check", with_bad_ones, "--csv", "--group", r"-(\d+)-", code=PARTLY).stdout)
    assert len(rows) == 56
    errors = {Path(row["path"]).name: row["error"] for row in rows if row["error"]}
    assert errors == REASONS
    (loud,) = [row for row in rows if row["path"].endswith("loud.wav")]
    assert loud["group"] == "906"
    assert int(loud["clipped"]) == printed["clipped"][0]["places"]
    assert float(loud["peak"]) == 1


def test_a_class_of_nothing_but_bad_files_is_still_json(tmp_path):
    for name in ("a/1.wav", "b/2.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    printed = strict_json(run("check", tmp_path, "--json", code=PARTLY).stdout)
    assert printed["classes"][0] == {
        "label": "a", "clips": 1, "shortest": None, "median": None, "longest": None, "seconds": None,
    }  # fmt: skip
    assert run("check", tmp_path, code=PARTLY).stdout.count("-\n") >= 3


def test_several_collections_are_combined(sounds, tmp_path):
    shutil.copytree(sounds / "bird", tmp_path / "more" / "bird")
    printed = strict_json(run("check", sounds, tmp_path / "more", "--json").stdout)
    assert (printed["clips"], len(printed["duplicates"])) == (60, 12)


def test_files_that_are_not_there_and_foreign_formats(sounds, tmp_path):
    paths = [sounds / "bird" / "bird-000-0.wav", sounds / "rain" / "rain-000-0.wav", tmp_path / "gone.wav"]
    sheet = written_table(tmp_path / "sounds.tsv.csv", paths, ["bird", "rain", "rain"])
    result = run("check", sheet, "--json", code=PARTLY)
    assert strict_json(result.stdout)["unusable"] == [{"path": str(paths[2]), "error": "there is no such file"}]
    assert "1 of 3 files of the table" in result.stderr
    folder = tmp_path / "folder" / "bird"
    folder.mkdir(parents=True)
    shutil.copy(paths[0], folder)
    (folder / "song.m4a").touch()
    result = run("check", folder.parent, "--csv", code=PARTLY)
    assert table(result.stdout)[1]["error"] == "it is in a format that libsndfile does not decode"
    assert result.stderr.startswith("Warning: 1 sound in unsupported formats: bird/song.m4a.")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission(with_bad_ones):
    (with_bad_ones / "bird" / "bird-001-0.wav").chmod(0)
    printed = run("check", with_bad_ones, code=PARTLY).stdout
    assert re.search(r"bird-001-0.wav': it cannot be read \(.*Permission denied.*\)\.$", printed, re.MULTILINE)


def test_rows_without_a_file(sounds, tmp_path):
    wav = sounds / "bird" / "bird-000-0.wav"
    paths = [wav, sounds, tmp_path / "no.wav", tmp_path / ("long" * 100)]
    sheet = written_table(tmp_path / "sounds.csv", paths, ["a", "b", "b", "b"])
    printed = strict_json(run("check", sheet, "--json", code=PARTLY).stdout)
    assert [item["error"] for item in printed["unusable"]] == ["it is not a file", *["there is no such file"] * 2]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot be there")
def test_classes_of_any_name_stay_in_their_lines(sounds, tmp_path):
    labels = ["two\nlines", "esc\x1b[31m", "plain"]
    for label in labels:
        shutil.copytree(sounds / "rain", tmp_path / label)
    lines = run("check", tmp_path).stdout.split("\n")
    assert [line.split("  ")[0] for line in lines[1:5]] == ["esc\\x1b[31m", "plain", "two\\nlines", "all"]
    assert len({len(line) for line in lines[:5]}) == 1
    printed = strict_json(run("check", tmp_path, "--json").stdout)
    assert [item["label"] for item in printed["classes"]] == sorted(labels)


# -- features ----------------------------------------------------------------------------------------------------------


def test_features_as_csv(with_bad_ones, tmp_path):
    out = tmp_path / "x.csv"
    result = run("features", with_bad_ones, "--out", out, "--group", "(.+)-", code=PARTLY)
    assert result.stdout == ""
    assert result.stderr.split("\n")[:2] == [f"Wrote 51 rows of 40 features to {out}.", "5 files could not be used:"]
    assert f"bird-902-text.wav: {REASONS['bird-902-text.wav']}." in result.stderr
    rows = table(out.read_text())
    assert list(rows[0])[:4] == ["path", "label", "group", "mfcc_mean_0"]
    assert (rows[0]["label"], rows[0]["group"]) == ("bird", "bird-000")
    values = np.array([[float(row[f"mfcc_mean_{i}"]) for i in range(40)] for row in rows], np.float32)
    expected = MFCCMeanTransformer().transform([row["path"] for row in rows])
    np.testing.assert_array_equal(values, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all kinds", "x.csv"]


def test_features_as_npz(sounds, tmp_path):
    out = tmp_path / "x.npz"
    run(
        "features",
        sounds,
        "--out",
        out,
        "--kind",
        "statistics",
        "--folds",
        r"-\d(\d)\d-",
        "--memory",
        tmp_path / "cache",
    )
    with np.load(out, allow_pickle=False) as arrays:
        assert set(arrays) == {"X", "feature_names", "path", "label", "fold"}
        assert arrays["X"].shape == (48, len(arrays["feature_names"]))
        assert arrays["X"].dtype == np.float32
        expected = soundclf.MFCCStatisticsTransformer().transform(arrays["path"][:2])
        np.testing.assert_allclose(arrays["X"][:2], expected, rtol=1e-6)
        assert set(arrays["label"]) == set(CLASSES)
        assert arrays["fold"].dtype.kind == "i"
    assert (tmp_path / "cache").is_dir()


def test_features_as_parquet(sounds, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    out = tmp_path / "x.parquet"
    run("features", sounds, "--out", out)
    read = parquet.read_table(out)
    assert (read.num_rows, read.num_columns) == (48, 42)
    assert read.column_names[:3] == ["path", "label", "mfcc_mean_0"]
    assert str(read.schema.field("mfcc_mean_0").type) == "float"
    if sys.platform == "linux":
        shutil.copytree(sounds / "bird", tmp_path / "more" / os.fsdecode(b"\xff"))
        assert "cannot contain the file name" in refused("features", tmp_path / "more", "--out", out)


def test_parquet_without_pyarrow_fails_before_the_work(sounds, tmp_path):
    code = f"""
import sys
sys.modules["pyarrow"] = None
import importlib.util
from soundclf.cli import app
app(["features", {str(sounds)!r}, "--out", {str(tmp_path / "x.parquet")!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'pip install "soundclf[parquet]"' in done.stderr
    assert done.stderr.count("\n") == 1


def test_features_of_nothing_usable(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.wav").touch()
    assert "No file of" in refused("features", tmp_path, "--out", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


# -- evaluate ----------------------------------------------------------------------------------------------------------


class References(HTMLParser):
    """The resources that a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action", "poster")]
        self.found += [tag] if tag in ("script", "link", "iframe") else []

    def handle_data(self, data):
        self.text.append(data)


def test_evaluate_by_recordings(sounds, tmp_path):
    report = tmp_path / "re port.html"
    result = run("evaluate", sounds, "--preset", "fast", "--group", "(.+)-", "--report", report)
    assert "48 test clips from 16 recordings" in result.stdout
    assert "No recording is on both sides of a split." in result.stdout
    assert result.stderr == f"Wrote {report}.\n"
    page = References()
    page.feed(report.read_text("utf-8"))
    (picture,) = page.found
    assert picture.startswith("data:image/png;base64,iVBORw0KGgo")
    text = "".join(page.text)
    assert 'make_classifier("fast", random_state=0)' in text
    assert "Evaluation of sounds" in text
    assert not re.search(r"https?:|@import|url\(", report.read_text("utf-8"))


def test_evaluate_escapes_names(sounds, tmp_path):
    folder = tmp_path / "<b>bold & loud"
    shutil.copytree(sounds / "bird", folder / "<script>alert(1)<script>")
    shutil.copytree(sounds / "rain", folder / "rain")
    (folder / "rain" / "rain-99-<i>.wav").touch()
    report = tmp_path / "x.html"
    result = run(
        "evaluate", folder, "--preset", "fast", "--folds", r"-\d*(\d)-", "--report", report, "--json", code=PARTLY
    )
    printed = strict_json(result.stdout)
    assert [Path(item["path"]).name for item in printed["unusable"]] == ["rain-99-<i>.wav"]
    page = References()
    page.feed(report.read_text("utf-8"))
    assert len(page.found) == 1
    text = "".join(page.text)
    assert "<b>bold & loud" in text
    assert "<script>alert(1)" in text
    assert "rain-99-<i>.wav: the file is empty." in text


def test_evaluate_for_other_programs(sounds):
    printed = strict_json(run("evaluate", sounds, "--preset", "fast", "--folds", r"-\d*(\d)-", "--json").stdout)
    assert printed["cv_description"] == "the data set's own folds"
    assert printed["test_clips"] == [12] * 4
    assert np.sum(printed["confusion_matrix"]) == printed["clips"] == 48
    assert np.trace(printed["confusion_matrix"]) / 48 == pytest.approx(printed["accuracy"]["pooled"])
    low, high = printed["accuracy"]["interval"]
    assert low <= printed["accuracy"]["pooled"] <= high
    assert [item["label"] for item in printed["classes"]] == CLASSES
    result = run("evaluate", sounds, "--preset", "fast", "--folds", r"-\d*(\d)-", "--csv")
    rows = table(result.stdout)
    assert len({row["path"] for row in rows}) == 48
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == pytest.approx(printed["accuracy"]["pooled"])
    assert all(Path(row["path"]).parent.name == row["label"] and row["fold"] in "0123" for row in rows)


def test_evaluate_without_recordings(sounds, tmp_path):
    folder = tmp_path / "few"
    for name in CLASSES[:2]:
        shutil.copytree(sounds / name, folder / name)
    result = run("evaluate", folder, "--preset", "fast")
    assert "Recordings are unknown: if several clips were cut from one" in result.stderr
    for clip in sorted(folder.rglob("*.wav"))[4:]:
        clip.unlink()
    shutil.copy(sounds / "drum" / "drum-000-0.wav", folder / "drum")
    printed = run("evaluate", folder, "--preset", "fast", code=1).stderr.split("\n")[-2]
    assert printed == (
        "Error: Cross-validation is not possible (train --no-evaluate skips it): 5 folds need 5 clips of a class, and "
        "the largest, 'bird', has 4."
    )


# -- train, describe ---------------------------------------------------------------------------------------------------


def test_train_reports_accuracy(trained, sounds):
    model, result = trained
    figure = re.fullmatch(
        r"Accuracy on unseen recordings: (\d\.\d{3}) \(.* to .*; 48 clips of 4 classes, .*\)\n",
        result.stdout,
    )
    messages = result.stderr.split("\n")
    assert messages[0] == "48 of 48 files are usable."
    assert messages[-2].startswith(f"Wrote {model} (")
    printed = describe(model)
    assert printed["classes"] == CLASSES
    assert printed["report"]["trained_on"] == {"clips": dict.fromkeys(CLASSES, 12), "recordings": 16, "left_out": 0}
    evaluation = printed["report"]["evaluation"]
    assert f"{evaluation['accuracy']['pooled']:.3f}" == figure[1]
    assert str(sounds.parent) not in json.dumps(printed)
    same = run("evaluate", sounds, "--preset", "fast", "--group", "(.+)-", "--json").stdout
    assert strict_json(same)["accuracy"] == evaluation["accuracy"]


def test_describe(model):
    printed = run("describe", model).stdout
    assert re.search(r"^model +Pipeline\(MFCCMeanTransformer, DenseAudioClassifier\)$", printed, re.MULTILINE)
    assert re.search(r"^classes +4: bird, drum, rain, siren$", printed, re.MULTILINE)
    assert re.search(r"^trained on +48 clips of 4 classes from 16 recordings$", printed, re.MULTILINE)
    assert re.search(r"^evaluated +accuracy \d\.\d{3} \(", printed, re.MULTILINE)
    assert strict_json(run("describe", model, "--json").stdout) == describe(model)


def test_describe_of_any_model(tmp_path):
    plain = tmp_path / "plain.skops"
    soundclf.save(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), plain, report=[1, float("nan")])
    printed = run("describe", plain).stdout
    assert "LinearRegression" in printed
    assert "[1, null]" in printed
    assert strict_json(run("describe", plain, "--json").stdout)["report"] == [1, None]


@pytest.mark.parametrize(
    "foreign",
    [
        {"audio": [1]},
        {"audio": 5},
        {"versions": [1]},
        {"model": {"class": "x", "parameters": [1]}},
    ],
)
def test_describe_of_a_foreign_description(model, tmp_path, foreign):
    twin = tmp_path / "m.joblib"
    twin.touch()
    beside = tmp_path / "m.joblib.json"
    beside.write_text(json.dumps({**describe(model), **foreign}))
    assert "was not written by soundclf" in refused("describe", twin)
    assert strict_json(run("describe", twin, "--json").stdout).items() >= foreign.items()
    beside.write_text(json.dumps({**describe(model), **foreign})[:-1])
    assert f"{str(beside)!r} does not describe a model" in refused("describe", twin)


def test_describe_of_scores_beyond_floats(model, tmp_path):
    report = describe(model)["report"]
    report["evaluation"]["accuracy"]["pooled"] = 10**400
    soundclf.save(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "m.skops", report=report)
    assert f"{10**400}" in run("describe", tmp_path / "m.skops").stdout


def test_train_leaves_bad_files_out(with_bad_ones, tmp_path):
    out = tmp_path / "m.skops"
    result = run("train", with_bad_ones, "--out", out, "--preset", "fast", "--no-evaluate", code=PARTLY)
    assert result.stdout == ""
    first = result.stderr.split("\n")[0]
    assert first == "51 of 56 files are usable; of these, 1 silent, 1 clipped, 2 duplicated."
    assert "5 files could not be used:" in result.stderr
    report = describe(out)["report"]
    assert report["evaluation"] is None
    assert report["trained_on"]["left_out"] == 5
    assert sum(report["trained_on"]["clips"].values()) == 51
    fitted = soundclf.load(out)
    assert fitted[0].memory is None
    assert fitted[1].verbose == 0


def test_joblib_requires_trust(sounds, tmp_path):
    out = tmp_path / "m.joblib"
    run("train", sounds, "--out", out, "--preset", "balanced", "--no-evaluate")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.joblib", "m.joblib.json"]
    wav = sounds / "siren" / "siren-000-0.wav"
    assert "loading it can run arbitrary code" in refused("predict", out, wav)
    answer = run("predict", out, wav, "--trust").stdout.split("\t")
    assert answer[:2] == [str(wav), "siren"]
    fitted = joblib.load(out)
    assert fitted[0].memory is None
    assert fitted[0].n_jobs is None
    printed = run("describe", out).stdout
    assert (
        "Pipeline(MFCCStatisticsTransformer, VotingClassifier(DenseAudioClassifier, ExtraTreesClassifier))" in printed
    )
    (tmp_path / "m.joblib.json").unlink()
    assert "there is no description" in refused("describe", out)
    (tmp_path / "code.joblib").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    (tmp_path / "damaged.pkl").write_bytes(b"\x80\x05nonsense")
    assert "cannot be loaded" in refused("predict", tmp_path / "damaged.pkl", wav, "--trust")
    assert "is a sound file; the model comes first: soundclf predict MODEL" in refused("predict", wav, wav)


# -- predict -----------------------------------------------------------------------------------------------------------


def test_predict_agrees_with_the_model(model, sounds):
    result = run("predict", model, sounds, "--top", 9)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    paths = load_audio_folder(sounds).data.tolist()
    assert [row[0] for row in rows] == paths
    fitted = soundclf.load(model)
    probabilities = fitted.predict_proba(paths)
    assert [row[1] for row in rows] == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert all(sorted(row[1::2]) == CLASSES for row in rows)
    values = np.array([list(map(float, row[2::2])) for row in rows])
    np.testing.assert_allclose(values, np.sort(probabilities)[:, ::-1], atol=6e-4)
    assert result.stderr == ""


def test_predict_continues_after_bad_files(model, with_bad_ones):
    result = run("predict", model, with_bad_ones, with_bad_ones / "gone.wav", code=PARTLY)
    assert len(result.stdout.splitlines()) == 51
    printed = result.stderr.splitlines()
    assert printed[0] == "6 files could not be used:"
    listed = {Path(line.partition(": ")[0]).name: line.partition(": ")[2] for line in printed[1:]}
    assert listed == {name: f"{reason}." for name, reason in REASONS.items()} | {"gone.wav": "there is no such file."}
    rows = table(run("predict", model, with_bad_ones, "--csv", code=PARTLY).stdout)
    assert [row["path"] for row in rows] == load_audio_folder(with_bad_ones).data.tolist()
    assert {Path(row["path"]).name for row in rows if row["error"]} == set(REASONS)
    assert all(bool(row["label"]) != bool(row["error"]) for row in rows)
    lines = run("predict", model, with_bad_ones, "--json", "--top", 2, code=PARTLY).stdout.splitlines()
    objects = [strict_json(line) for line in lines]
    assert [item["path"] for item in objects] == [row["path"] for row in rows]
    assert [item.get("error") for item in objects] == [row["error"] or None for row in rows]
    good = [item for item in objects if "error" not in item]
    assert all(item["top"][0] == {key: item[key] for key in ("label", "probability")} for item in good)
    assert {len(item["top"]) for item in good} == {2}


def test_predict_names_sounds_in_formats_that_cannot_be_read(model, sounds, tmp_path):
    shutil.copy(sounds / "rain" / "rain-000-0.wav", tmp_path / "b.wav")
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    result = run("predict", model, tmp_path, "--json", code=PARTLY)
    first, second = map(strict_json, result.stdout.splitlines())
    assert first["error"].startswith("it is MPEG-4 audio (m4a, AAC), which libsndfile does not decode")
    assert second["label"] in CLASSES
    assert result.stderr == f"1 file could not be used:\n  {tmp_path / 'a.m4a'}: {first['error']}\n"


def test_predict_of_nothing_but_bad_files(model, tmp_path):
    result = run("predict", model, tmp_path / "a.wav", tmp_path / "b.wav", code=PARTLY)
    assert result.stdout == ""
    assert "2 files could not be used:" in result.stderr


def test_predict_reads_a_list(model, sounds):
    paths = load_audio_folder(sounds).data.tolist()[:3]
    result = run("predict", model, "-", "--csv", input="\n".join(paths))
    assert [row["path"] for row in table(result.stdout)] == paths


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot be there")
def test_unusual_file_names(model, sounds, tmp_path):
    folder = tmp_path / "rain"
    folder.mkdir()
    names = [
        "with space.wav",
        "späß 雨.wav",
        "two\nlines.wav",
        "re\rturn.wav",
        "tab\tand \x1b[31mred.wav",
        "-dash.wav",
        b"\xff\xfe.wav",
    ]
    for name in names:
        shutil.copy(sounds / "rain" / "rain-000-0.wav", folder / os.fsdecode(name))
    paths = sorted(load_audio_folder(tmp_path).data.tolist())
    assert sorted(Path(path).name for path in paths) == sorted(map(os.fsdecode, names))
    lines = run("predict", model, folder).stdout_bytes.split(b"\n")[:-1]
    assert len(lines) == len(names)
    assert all(line.count(b"\t") == 2 for line in lines)
    assert any(line.startswith(os.fsencode(folder) + b"/tab\\tand \\x1b[31mred.wav\t") for line in lines)
    assert any(line.startswith(os.fsencode(folder) + b"/\xff\xfe.wav\t") for line in lines)
    objects = [strict_json(line) for line in run("predict", model, folder, "--json").stdout_bytes.splitlines()]
    assert sorted(item["path"] for item in objects) == paths
    rows = table(run("predict", model, folder, "--csv").stdout_bytes.decode("utf-8", "surrogateescape"))
    assert sorted(row["path"] for row in rows) == paths
    run("check", tmp_path)
    out = tmp_path.with_suffix(".npz")
    run("features", tmp_path, "--out", out)
    with np.load(out) as arrays:
        assert sorted(arrays["path"].tolist()) == paths


def test_predict_with_windows(model, sounds, tmp_path):
    parts = [soundfile.read(sounds / name / f"{name}-000-0.wav")[0] for name in ("siren", "drum") for _ in range(6)]
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    soundfile.write(whole, np.concatenate(parts), 22050)
    cut.write_bytes(whole.read_bytes()[: 22050 * 2 * 5])
    arguments = ["predict", model, whole, cut, tmp_path / "gone.wav", "--window", 0.5, "--hop", 0.25]
    result = run(*arguments, code=PARTLY)
    timeline = soundclf.predict_timeline(soundclf.load(model), whole, window=0.5, hop=0.25)
    expected = [f"{whole}\t{s:.3f}\t{e:.3f}\t{label}\t{p:.3f}" for s, e, label, p in timeline.segments()]
    lines = result.stdout.splitlines()
    assert lines[: len(expected)] == expected
    assert all(line.startswith(f"{cut}\t") for line in lines[len(expected) :])
    assert len(lines) > len(expected)
    printed = result.stderr.splitlines()
    assert printed[0] == "2 files could not be used:"
    assert printed[1].startswith(f"  {cut}: it is truncated: its header promises ")
    assert printed[2] == f"  {tmp_path / 'gone.wav'}: there is no such file."
    first, second, third = map(strict_json, run(*arguments, "--json", "--top", 2, code=PARTLY).stdout.splitlines())
    assert [segment["label"] for segment in first["segments"]] == [segment.label for segment in timeline.segments()]
    assert len(first["windows"]) == len(timeline.starts)
    np.testing.assert_allclose(
        [w["top"][1]["probability"] for w in first["windows"]], np.sort(timeline.probabilities)[:, -2]
    )
    assert second["error"].startswith("it is truncated")
    assert second["segments"]
    assert set(third) == {"path", "error"}
    (line,) = run("predict", model, whole, "--window", 1e305).stdout.splitlines()
    assert line.split("\t")[1:3] == ["0.000", "6.000"]
    rows = table(run(*arguments, "--csv", code=PARTLY).stdout)
    assert list(rows[0]) == ["path", "start", "end", "label", "probability", "error"]
    assert [row["path"] for row in rows if row["error"]] == [str(cut), str(tmp_path / "gone.wav")]


def test_unsuitable_models(sounds, tmp_path):
    wav = sounds / "siren" / "siren-000-0.wav"
    X, y = load_audio_folder(sounds, return_X_y=True)
    without = make_pipeline(MFCCMeanTransformer(), LinearSVC()).fit(X[::6], y[::6])
    soundclf.save(without, tmp_path / "svm.skops")
    assert "not a classifier with probabilities: Pipeline has no predict_proba" in refused(
        "predict", tmp_path / "svm.skops", wav
    )
    rows = soundclf.DenseAudioClassifier(epochs=1, n_networks=1).fit([[0.0], [1.0]] * 4, ["a", "b"] * 4)
    soundclf.save(rows, tmp_path / "rows.skops")
    refused("predict", tmp_path / "rows.skops", wav)
    joblib.dump({"no": "model"}, tmp_path / "dict.joblib")
    assert "not a classifier" in refused("predict", tmp_path / "dict.joblib", wav, "--trust")


# -- plot, known data sets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["waveform", "spectrogram", "mfcc"])
def test_plot(sounds, tmp_path, kind):
    good = [sounds / name / f"{name}-000-0.wav" for name in CLASSES[:2]]
    out = tmp_path / "x.png"
    result = run("plot", kind, *good, tmp_path / "gone.wav", "--out", out, code=PARTLY)
    assert result.stderr.splitlines()[:2] == [f"Wrote {out}.", "1 file could not be used:"]
    import matplotlib.image

    height, width, _ = matplotlib.image.imread(out).shape
    assert height == pytest.approx(0.8 * width, rel=0.01)
    run("plot", kind, good[0], "--out", tmp_path / "y.svg")
    assert "<svg" in (tmp_path / "y.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.png", "y.svg"]


@pytest.mark.slow
def test_esc10_as_a_folder(real_data):
    printed = strict_json(run("check", real_data / "esc10", "--folds", "^(.)-", "--group", "^.-(.+)-", "--json").stdout)
    assert (printed["clips"], len(printed["classes"])) == (400, 10)
    assert printed["formats"] == [{"value": "OGG VORBIS", "clips": 400}]
    assert printed["rates"] == [{"value": 44100.0, "clips": 400}]


@pytest.mark.slow
def test_urbansound8k_by_its_table(real_data, tmp_path):
    sheet = real_data / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    for source in (sheet, sheet.parents[1]):
        result = run("check", source, "--json", code=PARTLY)
        printed = strict_json(result.stdout)
        assert (printed["clips"], printed["usable"], len(printed["classes"])) == (8732, 15, 10)
        assert "soundclf.datasets.load_urbansound8k" in result.stderr
    out = tmp_path / "x.csv"
    run("features", sheet, "--folds", "fold", "--out", out, code=PARTLY)
    rows = table(out.read_text())
    assert {row["fold"] for row in rows} == {"1", "2", "3", "5", "7", "10"}
    assert {row["group"] for row in rows} >= {"100032", "7383"}
    run("features", sheet, "--path", "slice_file_name", "--root", sheet.parents[1] / "audio" / "fold2",
        "--label", "classID", "--out", out, code=PARTLY)  # fmt: skip
    assert [row["label"] for row in table(out.read_text())] == ["3"]
