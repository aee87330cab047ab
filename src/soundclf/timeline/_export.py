"""Export of segments to the formats of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .._utils.files import write_atomically
from .._utils.optional import import_optional
from .._utils.text import format_csv_row
from .._version import __version__
from ..exceptions import ParameterError
from ._segments import Segment

__all__ = ["export_segments"]

_TIER = "sounds"  # name of the only tier in a TextGrid


def _format_csv(segments: Sequence[Segment], duration: float) -> str:
    cells = [(round(s.start, 6), round(s.end, 6), s.label, round(s.probability, 6)) for s in segments]
    return "".join(f"{format_csv_row(row)}\n" for row in [Segment._fields, *cells])


def _format_audacity(segments: Sequence[Segment], duration: float) -> str:
    for segment in segments:
        if set(str(segment.label)) & set("\t\r\n"):
            raise ValueError(
                f"The label {segment.label!r} contains a tab or line break, which Audacity labels cannot; "
                "rename the class, or export to .csv, .TextGrid or .jams"
            )
    return "".join(f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label, _ in segments)


def _format_textgrid(segments: Sequence[Segment], duration: float) -> str:
    intervals, previous_end = [], 0.0
    for start, end, label, _ in segments:
        if not previous_end <= start < end <= duration:
            raise ValueError(
                f"A TextGrid needs segments sorted by time, without overlap and within the recording's {duration:g} s, "
                f"got one from {start:g} to {end:g} s after one that ends at {previous_end:g} s"
            )
        if start > previous_end:
            intervals.append((previous_end, start, ""))
        intervals.append((start, end, str(label)))
        previous_end = end
    if previous_end < duration:
        intervals.append((previous_end, duration, ""))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_format_seconds(duration)}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        f'        name = "{_TIER}"',
        "        xmin = 0",
        f"        xmax = {_format_seconds(duration)}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, end, label) in enumerate(intervals, start=1):
        quoted = label.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {_format_seconds(start)}",
            f"            xmax = {_format_seconds(end)}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


def _format_seconds(seconds: float) -> str:
    return np.format_float_positional(seconds, trim="-")


def _format_jams(segments: Sequence[Segment], duration: float) -> str:
    jams = import_optional("jams", extra="jams", feature="A .jams file")
    document = jams.JAMS()
    document.file_metadata.duration = duration
    metadata = jams.AnnotationMetadata(annotation_tools=f"soundclf {__version__}", data_source="program")
    annotation = jams.Annotation(namespace="tag_open", time=0, duration=duration, annotation_metadata=metadata)
    for start, end, label, probability in segments:
        annotation.append(time=start, duration=end - start, value=str(label), confidence=probability)
    document.annotations.append(annotation)
    document.validate()
    return str(document.dumps(indent=2)) + "\n"


_FORMATS: dict[str, Callable[[Sequence[Segment], float], str]] = {
    ".csv": _format_csv,
    ".txt": _format_audacity,
    ".TextGrid": _format_textgrid,
    ".jams": _format_jams,
}


def export_segments(segments: Sequence[Segment], duration: float, path: str | os.PathLike[str]) -> None:
    """Write segments to a file atomically; see ``Timeline.export``."""
    target = Path(path)
    formatter = {suffix.lower(): function for suffix, function in _FORMATS.items()}.get(target.suffix.lower())
    if formatter is None:
        raise ParameterError(
            f"The 'path' parameter of Timeline.export must end in {' or '.join(_FORMATS)}, got {str(target)!r}."
        )
    content = formatter(segments, float(duration)).encode()
    try:
        with write_atomically(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; nothing was written", str(path)) from None
