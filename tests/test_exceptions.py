"""Error messages."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from soundclf import AudioError, ParameterError
from soundclf._utils.validation import BOOLEAN, NONE, check_params, integer_in, one_of, real_in
from soundclf.audio._describe import describe_clip


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AudioError("the file is empty"), "Clip: the file is empty."),
        (AudioError("the file is empty", "'a.wav'"), "Clip, 'a.wav': the file is empty."),
        (AudioError("the file is empty", "'a.wav'", 0), "Clip 0, 'a.wav': the file is empty."),
    ],
)
def test_audio_error_reads_as_a_sentence_and_travels(error, sentence):
    assert isinstance(error, ValueError)
    for same in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(same) == sentence
        assert (same.reason, same.clip, same.position) == (error.reason, error.clip, error.position)


def test_clips_are_described_in_few_words(tmp_path):
    assert describe_clip("a b.wav") == "'a b.wav'"
    assert describe_clip(Path("a.wav")) == "'a.wav'"
    assert describe_clip(b"RIFF") == "4 encoded bytes"
    assert describe_clip(np.zeros((2, 3))) == "array of shape (2, 3) and type float64"
    assert describe_clip((np.zeros(3), 8000)) == "(array of shape (3,) and type float64, 8000)"
    assert len(describe_clip("a" * 1000)) <= 120
    with (tmp_path / "a.wav").open("wb") as file:
        assert describe_clip(file) == repr(str(tmp_path / "a.wav"))
    assert "BytesIO" in describe_clip(io.BytesIO())


TABLE = {
    "size": (integer_in(1, 9),),
    "rate": (real_in(0, 1, closed="right"), NONE),
    "how": (one_of(["soft", "hard"]),),
    "on": (BOOLEAN,),
}
GOOD = {"size": 3, "rate": 0.5, "how": "soft", "on": True}


@pytest.mark.parametrize(
    "change",
    [{}, {"size": np.int64(8)}, {"rate": 1}, {"rate": np.float32(0.1)}, {"rate": None}, {"on": np.bool_(False)}],
)
def test_allowed_values_pass(change):
    check_params("Thing", GOOD | change, TABLE)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"size": 10}, "The 'size' parameter of Thing must be an integer in [1, 9), got 10 (int)."),
        ({"size": True}, "The 'size' parameter of Thing must be an integer in [1, 9), got True (bool)."),
        ({"rate": 0}, "The 'rate' parameter of Thing must be a number in (0, 1] or None, got 0 (int)."),
        ({"rate": float("inf")}, "The 'rate' parameter of Thing must be a number in (0, 1] or None, got inf (float)."),
        ({"rate": "1"}, "The 'rate' parameter of Thing must be a number in (0, 1] or None, got '1' (str)."),
        (
            {"how": "sofd"},
            "The 'how' parameter of Thing must be 'soft' or 'hard', got 'sofd' (str). Did you mean 'soft'?",
        ),
        ({"on": 1}, "The 'on' parameter of Thing must be True or False, got 1 (int)."),
    ],
)
def test_each_bad_value_has_its_message(change, sentence):
    with pytest.raises(ParameterError) as caught:
        check_params("Thing", GOOD | change, TABLE)
    assert str(caught.value) == sentence
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)
