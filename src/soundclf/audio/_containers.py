"""What libsndfile does not say of a file: why it cannot be opened, and what is missing at its end."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import BinaryIO

import soundfile

__all__ = ["EncodedBytes", "explain_unreadable", "find_shortfall", "repair_stream_length"]

_UNKNOWN_LENGTHS = (0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF)  # what is written where none is known


class EncodedBytes(io.BytesIO):
    """Encoded bytes; a damaged header may send libsndfile before their start, where it stays, as in a file."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _opened(source: str | EncodedBytes) -> BinaryIO:
    return Path(source).open("rb") if isinstance(source, str) else EncodedBytes(source.getvalue())


def _ends(source: str | EncodedBytes, size: int = 1 << 17) -> tuple[bytes, bytes]:
    """Give the first 64 and the last ``size`` bytes of a path or encoded bytes."""
    with _opened(source) as file:
        head = file.read(64)
        file.seek(-min(size, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return head, file.read()


def repair_stream_length(source: str | EncodedBytes) -> EncodedBytes | None:
    """Give a WAV that was written as a stream, with 0 for its length, the length that libsndfile takes as unknown."""
    with _opened(source) as file:
        head = file.read(256)
        at = head.find(b"data\0\0\0\0")
        if head[:4] != b"RIFF" or at < 0 or int.from_bytes(head[4:8], "little") not in (0, at, *_UNKNOWN_LENGTHS):
            return None
        samples = head[at + 8 :] + file.read()
    return EncodedBytes(head[: at + 4] + b"\xff\xff\xff\xff" + samples) if samples else None


def find_shortfall(file: soundfile.SoundFile, source: str | EncodedBytes, n_read: int) -> str | None:
    """Tell how far a file that has been read to its end falls short of what its header promises."""
    log = file.extra_info
    for given, actual in re.findall(r"^ *(?:data|SSND|riff|Data Size) *: (\d+) \(should be (\d+)\)", log, re.MULTILINE):
        if int(given) > int(actual) and int(given) not in _UNKNOWN_LENGTHS:
            return f"its header promises {given} bytes of samples, and {actual} are there"
    if file.format == "OGG" and _ogg_is_cut(_ends(source)[1]):
        return "its last Ogg page is cut off"
    if file.format == "MP3" and not _mp3_is_counted(source):
        return None
    counted = re.search(r"does not match value from 'ds64' chunk of (\d+)", log)
    promised = int(counted[1]) if counted else file.frames
    slack = 1152 if file.format == "MP3" else 0  # some encoders count the frame that holds the count
    if n_read + slack < promised < 1 << 62:  # more stands for a number that is not known
        return f"its header promises {promised} samples, and {n_read} are there"
    return None


def _ogg_is_cut(tail: bytes) -> bool:
    start = tail.rfind(b"OggS")
    if start < 0:
        return False
    segments = tail[start + 27 : start + 27 + tail[start + 26]] if len(tail) > start + 26 else b""
    complete = bool(segments) and len(segments) == tail[start + 26]
    return not complete or start + 27 + len(segments) + sum(segments) > len(tail)


def _mp3_is_counted(source: str | EncodedBytes) -> bool:
    """Tell whether an MP3's first frame says how many follow; if not, libsndfile guesses from the file's size."""
    with _opened(source) as file:
        tag = file.read(10)
        file.seek(10 + sum(byte << 7 * i for i, byte in enumerate(tag[:5:-1])) if tag.startswith(b"ID3") else 0)
        frame = file.read(64)
    return b"Xing" in frame or b"Info" in frame


_NOT_DECODED = {  # what is met at the beginning of a file, as a regular expression, and its name
    rb"....ftyp": "MPEG-4 audio (m4a, AAC)",
    rb"\xff[\xf0\xf1\xf8\xf9]|ADIF": "AAC audio",
    rb"\x30\x26\xb2\x75": "Windows Media audio",
    rb"\x1a\x45\xdf\xa3": "Matroska or WebM",
    rb"#!AMR": "AMR audio",
}
_DECODED = {
    rb"(RIFF|RF64)....WAVE": "WAV",
    rb"FORM....AIF[FC]": "AIFF",
    rb"fLaC": "FLAC",
    rb"OggS": "Ogg",
    rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]": "MP3",
    rb"caff": "CAF",
    rb"\.snd": "AU",
    rb"riff\x2e\x91\xcf\x11": "W64",
}


def _name_in(names: dict[bytes, str], head: bytes) -> str:
    return next((name for magic, name in names.items() if re.match(magic, head, re.DOTALL)), "")


def explain_unreadable(source: str | EncodedBytes, error: Exception) -> str:
    """Tell why libsndfile failed to open a path or encoded bytes with ``error``."""
    try:
        head, tail = _ends(source)
    except OSError as failure:
        return f"it cannot be read ({failure})"
    if not head:
        return "the file is empty"
    foreign, name = _name_in(_NOT_DECODED, head), _name_in(_DECODED, head)
    if foreign:
        return f"it is {foreign}, which libsndfile does not decode; convert it to WAV, FLAC, OGG or MP3"
    if name == "Ogg" and _ogg_is_cut(tail):
        return "it is truncated: its last Ogg page is cut off"
    if "Channel count is zero" in str(error) and len(head) == 64:  # and not just cut off before the count
        return "it has no channels"
    if name:
        return (
            f"it begins as {name} does, but libsndfile cannot open it: it is truncated, damaged or in a coding that "
            "libsndfile does not decode"
        )
    return "it is not audio in a format that libsndfile reads"
