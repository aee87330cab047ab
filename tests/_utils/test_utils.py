"""Helpers that all rooms share."""

from __future__ import annotations

import csv
import io
import threading
import tracemalloc

import numpy as np
import pytest

from soundclf._utils.buffers import reuse_buffer
from soundclf._utils.files import write_atomically
from soundclf._utils.modules import set_public_module
from soundclf._utils.optional import import_optional
from soundclf._utils.progress import show_progress
from soundclf._utils.text import escape_controls, format_count, format_csv_row, format_list, format_table


def test_lists_end_with_how_many_more():
    assert format_list(["a", "b"]) == "'a', 'b'"
    assert format_list(np.arange(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert format_list(range(2000), 1, separator="; ") == "0 and 1,999 more"
    assert format_list([1, 2, 3], None, show=lambda n: f"clip {n}") == "clip 1, clip 2, clip 3"


def test_counts_have_the_right_number():
    assert [format_count(n, "clip") for n in (0, 1, 1000)] == ["0 clips", "1 clip", "1,000 clips"]
    assert format_count(2, "class") == "2 classes"


def test_control_characters_reach_no_terminal():
    assert escape_controls("a\x1b[31m\nb\u2028") == "a\\x1b[31m\\nb\\u2028"
    assert format_table([["", "n"], ["a\n", "10"], ["b", "7"]]) == "      n\na\\n  10\nb     7"


@pytest.mark.parametrize(
    "cells", [["a,b", 'say "hi"', 1.5], ["line\nbreak", "return\rhere", ""]], ids=["commas", "breaks"]
)
def test_rows_of_csv_are_read_back(cells):
    assert next(csv.reader(io.StringIO(format_csv_row(cells), newline=""))) == [str(cell) for cell in cells]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def fail():
        with write_atomically(target) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert target.read_text() == "old"
    with write_atomically(target) as temporary:
        assert temporary.suffix == ".csv"
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_link_is_preserved(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to("real.csv")
    with write_atomically(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_a_missing_package_is_named_with_its_extra():
    assert import_optional("json.decoder", extra="x", feature="JSON").JSONDecoder
    with pytest.raises(ImportError) as caught:
        import_optional("no_such_package.part", extra="plot", feature="Drawing")
    assert str(caught.value) == 'Drawing needs the package no_such_package: pip install "soundclf[plot]"'


def test_progress_is_shown_on_standard_error_only_if_enabled(capfd):
    with show_progress("quiet", 2, "clip", enabled=0) as update:
        update()
    assert capfd.readouterr() == ("", "")
    with show_progress("clips", 2, "clip", enabled=1) as update:
        update()
        update(1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "clips" in err
    assert "2/2" in err


def test_public_paths():
    def function():
        """Do nothing."""

    set_public_module("soundclf.somewhere", function)
    assert function.__module__ == "soundclf.somewhere"


# -- buffers -----------------------------------------------------------------------------------------------------------


def address(array):
    return array.__array_interface__["data"][0]


def test_a_buffer_is_used_again_in_its_thread():
    with reuse_buffer((1000,), np.float32) as buffer:
        first = address(buffer)
    with reuse_buffer((10, 50), np.float64) as buffer:
        assert address(buffer) == first
        assert (buffer.shape, buffer.dtype) == ((10, 50), np.float64)


def test_buffers_in_use_are_exclusive():
    with reuse_buffer((64,), np.uint8) as one, reuse_buffer((64,), np.uint8) as other:
        one[:], other[:] = 1, 2
        assert (one == 1).all()
        assert (other == 2).all()


def test_buffers_are_not_shared_between_threads():
    found = []
    barrier = threading.Barrier(2)

    def work():
        with reuse_buffer((4096,), np.uint8) as buffer:
            barrier.wait()
            found.append(address(buffer))
            barrier.wait()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2


def test_streams_that_take_turns_do_not_disturb_each_other():
    """Two generators in one thread hold buffers of their own."""
    from soundclf.features._frames import stream_frames

    one, other = np.ones(2**20, np.float32), np.zeros(2**20, np.float32)
    for ones, zeros in zip(stream_frames(one, 2048, 512), stream_frames(other, 2048, 512), strict=True):
        assert ones.any()
        assert not zeros.any()


def test_large_buffers_are_freed():
    tracemalloc.start()
    try:
        with reuse_buffer((2**24,), np.uint8):
            assert tracemalloc.get_traced_memory()[0] >= 2**24
        assert tracemalloc.get_traced_memory()[0] < 2**23
    finally:
        tracemalloc.stop()
