"""How the command line learns what is wrong with clips: from attributes of errors, not from messages."""

from __future__ import annotations

import ast
import io
import re
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import soundclf
import soundclf.cli
from soundclf import AudioError, AudioWarning, MFCCMeanTransformer
from soundclf.cli import app
from soundclf.cli._collection import collect_errors, drop_unusable
from soundclf.cli._process import print_message
from soundclf.datasets import load_audio_folder, make_sounds

MATCHING = {"removeprefix", "removesuffix", "startswith", "endswith", "partition", "rpartition", "search", "fullmatch"}


def calls_that_match(tree):
    """Find calls of string methods and of ``re`` on text made from an object, such as ``str(error)``."""
    texts = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and re.search(r"\bstr\(|\.message\b", ast.unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MATCHING:
            of = ast.unparse(node)
            named = isinstance(node.func.value, ast.Name) and node.func.value.id in texts
            if named or re.search(r"str\((error|warning|exception|caught)|\.message\b|\.reason\b", of):
                yield of


def test_messages_are_not_parsed():
    modules = list(Path(soundclf.cli.__file__).parent.glob("*.py"))
    assert len(modules) > 8
    found = set()
    for path in modules:
        source = path.read_text(encoding="utf-8")
        assert "filterwarnings" not in source  # which matches messages
        found |= set(calls_that_match(ast.parse(source)))
    completed = "text.endswith(('.', '!', '?', '…'))"  # the full stop of an error message
    assert found <= {completed, "str(model['class']).rpartition('.')"}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extraction") / "sounds"
    make_sounds(48, classes=["bird", "drum"], directory=folder, duration=0.2, random_state=0)
    (folder / "bird" / "bird-900-empty.wav").touch()
    (folder / "drum" / "drum-901-text.wav").write_text("not audio\n" * 50)
    return folder


@pytest.fixture
def transformed(monkeypatch):
    """Count how often each clip is passed to ``MFCCMeanTransformer.transform``."""
    counts = Counter()
    transform = MFCCMeanTransformer.transform

    def count(self, X):
        counts.update(Path(clip).name for clip in X)
        return transform(self, X)

    monkeypatch.setattr(MFCCMeanTransformer, "transform", count)
    return counts


@pytest.fixture(scope="module")
def model(sounds):
    path = sounds.parent / "model.skops"
    X, y = load_audio_folder(sounds, return_X_y=True)
    good = [i for i, name in enumerate(X) if "-90" not in name]
    soundclf.save(make_pipeline(MFCCMeanTransformer(), GaussianNB()).fit(X[good], y[good]), path)
    return path


def test_predict_transforms_unusable_clips_once(sounds, model, transformed):
    result = CliRunner().invoke(app, ["predict", str(model), str(sounds)])
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 48
    assert "drum-901-text.wav: it is not audio in a format that libsndfile reads." in result.stderr
    assert transformed["bird-900-empty.wav"] == 1
    assert transformed["drum-901-text.wav"] == 1


@pytest.mark.parametrize("command", ["features", "evaluate", "train"])
def test_unusable_clips_are_transformed_once(sounds, tmp_path, transformed, command):
    arguments = {
        "features": ["--out", str(tmp_path / "x.npz")],
        "evaluate": ["--preset", "fast"],
        "train": ["--preset", "fast", "--out", str(tmp_path / "m.skops"), "--no-evaluate"],
    }
    result = CliRunner().invoke(app, [command, str(sounds), *arguments[command]])
    assert result.exit_code == 3, result.output
    assert "2 files could not be used:" in result.stderr
    assert "bird-900-empty.wav: the file is empty." in result.stderr
    assert transformed["bird-900-empty.wav"] == transformed["drum-901-text.wav"] == 1
    assert transformed["bird-000-0.wav"] >= 1


def test_clips_unusable_for_one_part_of_a_model_are_not_passed_to_the_next(sounds, transformed):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union

    union = make_union(MFCCMeanTransformer(), MFCCMeanTransformer(n_mfcc=13))
    good, errors = drop_unusable(load_audio_folder(sounds), make_pipeline(union, LogisticRegression()))
    assert [(Path(path).name, reason) for path, reason in errors] == [
        ("bird-900-empty.wav", "the file is empty."),
        ("drum-901-text.wav", "it is not audio in a format that libsndfile reads."),
    ]
    assert len(good["data"]) == 48
    assert transformed["bird-900-empty.wav"] == transformed["drum-901-text.wav"] == 1
    assert transformed["bird-000-0.wav"] == 2


def test_collected_errors_and_other_warnings():
    error = AudioError("there is no such file", "'a.wav'", 0)
    with warnings.catch_warnings(record=True, action="always") as shown, collect_errors() as errors:
        warnings.warn(AudioWarning("1 clip", [error]), stacklevel=1)
        warnings.warn(AudioWarning("a short window"), stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert errors == [error]
    assert [str(warning.message) for warning in shown] == ["a short window", "something else"]


def test_too_many_folds_are_reported_without_a_parameter_of_python(tmp_path):
    make_sounds(8, classes=["bird", "drum"], directory=tmp_path / "few", duration=0.2, random_state=0)
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "few"), "--preset", "fast"])
    assert result.exit_code == 1
    assert result.stderr.endswith("the largest, 'bird', has 4.\n")
    assert "cv" not in result.stderr


def test_messages_without_external_write_mode_of_tqdm(monkeypatch):
    """Lines are written even if tqdm cannot clear its bars."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=object))
    monkeypatch.setattr(sys, "stderr", Terminal())
    print_message("Wrote m.skops.")
    assert sys.stderr.getvalue() == "Wrote m.skops.\n"
