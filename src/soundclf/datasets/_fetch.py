"""Download archives, verify and unpack them in a temporary folder, and install them atomically."""

from __future__ import annotations

import contextlib
import lzma
import os
import re
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .._utils.validation import NONE, Rule, check_params, integer_in
from ..exceptions import DownloadError

__all__ = ["Archive", "fetch_archive"]

_TIMEOUT = 30  # seconds without data before a connection is considered lost
_RETRIES = 2
_UNPACKING_ERRORS = (  # RuntimeError is raised for encrypted members
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip

_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "data_home": (NONE, Rule("a path", lambda v: isinstance(v, str | os.PathLike))),
    "url": (
        NONE,
        Rule("an http or https address", lambda v: isinstance(v, str) and v.startswith(("http://", "https://"))),
    ),
    "checksum": (
        NONE,
        Rule(
            '"md5:..." or "sha256:..." with a hexadecimal sum',
            lambda v: isinstance(v, str) and re.fullmatch(r"md5:[\da-fA-F]{32}|sha256:[\da-fA-F]{64}", v) is not None,
        ),
    ),
    "verbose": (integer_in(0), Rule("True or False", lambda v: isinstance(v, bool))),
}


@dataclass(frozen=True)
class Archive:
    """A published archive: its name, address, checksum, and the loader of its contents."""

    name: str
    url: str
    checksum: str | None
    size: str
    loader: str
    inside: Mapping[str, str] = field(default_factory=dict)  # checksums of files in the archive


def fetch_archive(
    archive: Archive,
    data_home: Any,
    *,
    url: str | None,
    checksum: str | None,
    verbose: Any,
    load: Callable[[Path], Any],
) -> Path:
    """Return the folder of an unpacked archive, downloading it if necessary; ``load`` raises if it is incomplete."""
    given = {"data_home": data_home, "url": url, "checksum": checksum, "verbose": verbose}
    check_params(f"fetch_{archive.loader.removeprefix('load_')}", given, _PARAMETERS)
    import pooch

    home = Path(pooch.os_cache("soundclf") if data_home is None else data_home).expanduser()
    target = home / archive.name
    if target.is_dir():
        return target
    if os.path.lexists(target):
        raise DownloadError(f"{archive.name} belongs in {str(target)!r}, which exists and is not a folder")
    source = url or archive.url
    try:
        home.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{archive.name}-", dir=home)
    except OSError as error:
        raise DownloadError(f"data_home={str(home)!r} cannot be used as a folder ({error.strerror})") from error
    with temporary as folder:
        file = _download(archive, Path(folder), source, checksum or archive.checksum, bool(verbose))
        unpacked = Path(folder, "unpacked")
        _unpack(file, unpacked, source)
        inside = [path for path in unpacked.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        root = inside[0] if len(inside) == 1 and inside[0].is_dir() else unpacked
        if checksum is None:
            _check_inside(archive, root)
        try:
            load(root)
        except (OSError, ValueError) as error:
            reason = str(error).replace(str(root), archive.name).rstrip(".")
            raise DownloadError(
                f"What was downloaded from {source} is not a complete {archive.name}: {reason}. Nothing was saved"
            ) from error
        with contextlib.suppress(OSError):  # another process was faster; its copy is equally good
            root.rename(target)
        if not target.is_dir():
            raise DownloadError(f"{archive.name} was unpacked, but cannot be moved to {str(target)!r}")
    return target


def _download(archive: Archive, folder: Path, url: str, checksum: str | None, verbose: bool) -> Path:
    import pooch
    import requests

    file = folder / "archive"
    # pooch.retrieve reports on its logger at level INFO; its downloader alone reports nothing.
    download = pooch.HTTPDownloader(progressbar=verbose, timeout=_TIMEOUT)
    owner = pooch.create(path=folder, base_url="")  # a downloader's third argument, which this one ignores so far
    try:
        for n_failed in range(1, _RETRIES + 2):
            try:
                download(url, str(file), owner)
                if checksum is None or _has_checksum(file, checksum):
                    return file
            except requests.exceptions.RequestException:
                if n_failed > _RETRIES:
                    raise
            if n_failed <= _RETRIES:
                time.sleep(n_failed)
    except (requests.exceptions.RequestException, OSError) as error:
        raise DownloadError(
            f"{archive.name} ({archive.size}) cannot be downloaded from {url}: {_describe_error(error)}. Nothing was "
            f"saved. If the data set is already on this machine, use {archive.loader}(folder)"
        ) from error
    raise DownloadError(
        f"What {url} returned is not the published {archive.name}: its checksum is not {checksum}. Nothing was saved"
    )


def _has_checksum(file: Path, checksum: str) -> bool:
    import pooch

    algorithm, _, expected = checksum.partition(":")
    return bool(pooch.file_hash(str(file), alg=algorithm).lower() == expected.lower())


def _describe_error(error: Exception) -> str:
    import requests

    # The cause is urllib3's, where requests happens to leave it. Without it the description is less precise.
    cause = type(error.args[0]).__name__ if error.args else ""
    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.Timeout) or cause == "ReadTimeoutError":
        return f"the server sent nothing for {_TIMEOUT} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was closed before the end"
    if isinstance(error, requests.exceptions.SSLError):
        return "a secure connection to the server could not be established"
    if cause == "ProtocolError":
        return "the server closed the connection without an answer"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the server cannot be reached"
    return str(error)


def _unpack(file: Path, folder: Path, source: str) -> None:
    """Unpack an archive; refuse it if a member would be written elsewhere or is neither a file nor a folder."""
    folder.mkdir()
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as zipped:
                for name in zipped.namelist():
                    _check_name(name)
                zipped.extractall(folder)  # noqa: S202 - names are checked
        elif tarfile.is_tarfile(file):
            with tarfile.open(file) as tarred:
                for member in tarred:
                    _check_name(member.name)
                    if not (member.isfile() or member.isdir()):
                        raise DownloadError(
                            f"The archive contains {member.name!r}, which is neither a file nor a folder; nothing "
                            "was extracted"
                        )
                    tarred.extract(member, folder, filter="data")
                while tarred.fileobj and tarred.fileobj.read(
                    1 << 20
                ):  # up to the checksum at the end of a compressed file
                    pass
        else:
            raise DownloadError(f"What was downloaded from {source} is neither a zip nor a tar archive")
    except DownloadError:
        raise
    except _UNPACKING_ERRORS as error:
        raise DownloadError(f"The archive from {source} cannot be unpacked: {error}. Nothing was saved") from error


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in str(path):
        raise DownloadError(f"The archive tries to write outside its folder, to {name!r}; nothing was extracted")


def _check_inside(archive: Archive, root: Path) -> None:
    for name, checksum in archive.inside.items():
        if not (root / name).is_file() or not _has_checksum(root / name, checksum):
            raise DownloadError(
                f"What was downloaded is not the published {archive.name}: {name} differs. Nothing was saved"
            )
