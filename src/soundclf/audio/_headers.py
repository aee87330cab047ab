"""Headers of audio files: why libsndfile cannot open a file, and what is missing at its end."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import BinaryIO

import soundfile

__all__ = ["EncodedBytes", "explain_unreadable", "find_shortfall", "repair_stream_length"]

_UNKNOWN_LENGTHS = (0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF)  # written by streaming encoders


class EncodedBytes(io.BytesIO):
    """Encoded bytes in which seeking before the start, as a damaged header may ask for, does nothing, as in a file."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _open(source: str | EncodedBytes) -> BinaryIO:
    return Path(source).open("rb") if isinstance(source, str) else EncodedBytes(source.getvalue())


def _read_ends(source: str | EncodedBytes, size: int = 1 << 17) -> tuple[bytes, bytes]:
    """Read the first 64 and the last ``size`` bytes of a path or encoded bytes."""
    with _open(source) as file:
        head = file.read(64)
        file.seek(-min(size, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return head, file.read()


def repair_stream_length(source: str | EncodedBytes) -> EncodedBytes | None:
    """Return a copy of a streamed WAV, whose length is 0, with the length that libsndfile takes as unknown."""
    with _open(source) as file:
        head = file.read(256)
        at = head.find(b"data\0\0\0\0")
        if head[:4] != b"RIFF" or at < 0 or int.from_bytes(head[4:8], "little") not in (0, at, *_UNKNOWN_LENGTHS):
            return None
        samples = head[at + 8 :] + file.read()
    return EncodedBytes(head[: at + 4] + b"\xff\xff\xff\xff" + samples) if samples else None


def find_shortfall(file: soundfile.SoundFile, source: str | EncodedBytes, n_read: int) -> str | None:
    """Compare a file that was read to its end with its header.

    libsndfile reads what is left of a truncated file without an error. Its log is parsed for sizes that it corrected;
    if the log changes, the number of frames in the header still counts.

    Parameters
    ----------
    file : soundfile.SoundFile
        The open file.
    source : str or EncodedBytes
        Where it comes from.
    n_read : int
        Number of frames read.

    Returns
    -------
    str or None
        What is missing, as the end of a sentence.
    """
    log = getattr(file, "extra_info", "")  # text for people, whose wording may change
    log = log if isinstance(log, str) else ""
    for given, actual in re.findall(r"^ *(?:data|SSND|riff|Data Size) *: (\d+) \(should be (\d+)\)", log, re.MULTILINE):
        if int(given) > int(actual) and int(given) not in _UNKNOWN_LENGTHS:
            return f"its header promises {given} bytes of samples, and {actual} are there"
    if file.format == "OGG" and _is_ogg_truncated(_read_ends(source)[1]):
        return "its last Ogg page is cut off"
    if file.format == "MP3" and not _has_mp3_count(source):
        return None
    counted = re.search(r"does not match value from 'ds64' chunk of (\d+)", log)
    promised = int(counted[1]) if counted else file.frames
    slack = 1152 if file.format == "MP3" else 0  # some encoders count the frame with the header
    if n_read + slack < promised < 1 << 62:  # beyond that the number is unknown
        return f"its header promises {promised} samples, and {n_read} are there"
    return None


def _is_ogg_truncated(tail: bytes) -> bool:
    start = tail.rfind(b"OggS")
    if start < 0:
        return False
    segments = tail[start + 27 : start + 27 + tail[start + 26]] if len(tail) > start + 26 else b""
    complete = bool(segments) and len(segments) == tail[start + 26]
    return not complete or start + 27 + len(segments) + sum(segments) > len(tail)


def _has_mp3_count(source: str | EncodedBytes) -> bool:
    """Check whether an MP3's first frame counts the others; if not, libsndfile estimates from the file's size."""
    with _open(source) as file:
        tag = file.read(10)
        file.seek(10 + sum(byte << 7 * i for i, byte in enumerate(tag[:5:-1])) if tag.startswith(b"ID3") else 0)
        frame = file.read(64)
    return b"Xing" in frame or b"Info" in frame


_UNSUPPORTED = {  # beginning of a file, as a regular expression, and the name of its format
    rb"....ftyp": "MPEG-4 audio (m4a, AAC)",
    rb"\xff[\xf0\xf1\xf8\xf9]|ADIF": "AAC audio",
    rb"\x30\x26\xb2\x75": "Windows Media audio",
    rb"\x1a\x45\xdf\xa3": "Matroska or WebM",
    rb"#!AMR": "AMR audio",
}
_SUPPORTED = {
    rb"(RIFF|RF64)....WAVE": "WAV",
    rb"FORM....AIF[FC]": "AIFF",
    rb"fLaC": "FLAC",
    rb"OggS": "Ogg",
    rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]": "MP3",
    rb"caff": "CAF",
    rb"\.snd": "AU",
    rb"riff\x2e\x91\xcf\x11": "W64",
}


def _find_name(names: dict[bytes, str], head: bytes) -> str:
    return next((name for magic, name in names.items() if re.match(magic, head, re.DOTALL)), "")


def explain_unreadable(source: str | EncodedBytes, error: Exception) -> str:
    """Explain why libsndfile failed with ``error`` to open a path or encoded bytes."""
    try:
        head, tail = _read_ends(source)
    except OSError as failure:
        return f"it cannot be read ({failure})"
    if not head:
        return "the file is empty"
    foreign, name = _find_name(_UNSUPPORTED, head), _find_name(_SUPPORTED, head)
    if foreign:
        return f"it is {foreign}, which libsndfile does not decode; convert it to WAV, FLAC, OGG or MP3"
    if name == "Ogg" and _is_ogg_truncated(tail):
        return "it is truncated: its last Ogg page is cut off"
    if "Channel count is zero" in str(error) and len(head) == 64:  # not truncated before the count
        return "it has no channels"
    if name:
        return (
            f"it begins as {name} does, but libsndfile cannot open it: it is truncated, damaged or in a coding that "
            "libsndfile does not decode"
        )
    return "it is not audio in a format that libsndfile reads"
