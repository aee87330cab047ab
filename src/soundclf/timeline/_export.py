"""Segments -> files for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .._utils.files import write_atomically
from .._utils.text import format_csv_row
from .._version import __version__
from ..exceptions import ParameterError
from ._segments import Segment

__all__ = ["export_segments"]

_TIER = "sounds"  # the name of the one tier in a TextGrid


def _csv(segments: Sequence[Segment], duration: float) -> str:
    cells = [(round(s.start, 6), round(s.end, 6), s.label, round(s.probability, 6)) for s in segments]
    return "".join(f"{format_csv_row(row)}\n" for row in [Segment._fields, *cells])


def _audacity(segments: Sequence[Segment], duration: float) -> str:
    for segment in segments:
        if set(str(segment.label)) & set("\t\r\n"):
            raise ValueError(
                f"The label {segment.label!r} has a tab or line break in it, which Audacity's labels cannot have; "
                "rename the class, or export to .csv, .TextGrid or .jams"
            )
    return "".join(f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label, _ in segments)


def _textgrid(segments: Sequence[Segment], duration: float) -> str:
    intervals, reached = [], 0.0
    for start, end, label, _ in segments:
        if not reached <= start < end <= duration:
            raise ValueError(
                "A TextGrid needs segments in the order of time that do not overlap and lie within the recording's "
                f"{duration:g} s, got one from {start:g} to {end:g} s after one that ends at {reached:g} s"
            )
        if start > reached:
            intervals.append((reached, start, ""))
        intervals.append((start, end, str(label)))
        reached = end
    if reached < duration:
        intervals.append((reached, duration, ""))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_digits(duration)}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        f'        name = "{_TIER}"',
        "        xmin = 0",
        f"        xmax = {_digits(duration)}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, end, label) in enumerate(intervals, start=1):
        quoted = label.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {_digits(start)}",
            f"            xmax = {_digits(end)}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


def _digits(seconds: float) -> str:
    return np.format_float_positional(seconds, trim="-")


def _jams(segments: Sequence[Segment], duration: float) -> str:
    try:
        import jams
    except ImportError:
        raise ImportError('A .jams file needs the package jams: pip install "soundclf[jams]"') from None
    made = jams.JAMS()
    made.file_metadata.duration = duration
    by = jams.AnnotationMetadata(annotation_tools=f"soundclf {__version__}", data_source="program")
    annotation = jams.Annotation(namespace="tag_open", time=0, duration=duration, annotation_metadata=by)
    for start, end, label, probability in segments:
        annotation.append(time=start, duration=end - start, value=str(label), confidence=probability)
    made.annotations.append(annotation)
    made.validate()
    return str(made.dumps(indent=2)) + "\n"


_FORMATS: dict[str, Callable[[Sequence[Segment], float], str]] = {
    ".csv": _csv,
    ".txt": _audacity,
    ".TextGrid": _textgrid,
    ".jams": _jams,
}


def export_segments(segments: Sequence[Segment], duration: float, path: str | os.PathLike[str]) -> None:
    """Write segments to a file, as a whole or not at all; see ``Timeline.export``."""
    target = Path(path)
    written = {suffix.lower(): text_of for suffix, text_of in _FORMATS.items()}.get(target.suffix.lower())
    if written is None:
        raise ParameterError(
            f"The 'path' parameter of Timeline.export must end in {' or '.join(_FORMATS)}, which tells the format, got "
            f"{str(target)!r}."
        )
    content = written(segments, float(duration)).encode()
    try:
        with write_atomically(target) as aside:
            aside.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; nothing was written", str(path)) from None
