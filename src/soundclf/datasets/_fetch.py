"""Downloads: an archive comes, is checked, is unpacked aside, and appears in its place as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from .._params import NONE, Rule, check_params, integer
from ..exceptions import DownloadError

__all__ = ["Archive", "fetched"]

_TIMEOUT = 30  # seconds of silence after which a connection counts as lost
_RETRIES = 2

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
            lambda v: isinstance(v, str) and v.partition(":")[0] in ("md5", "sha256") and v.partition(":")[2].isalnum(),
        ),
    ),
    "verbose": (integer(0), Rule("True or False", lambda v: isinstance(v, bool))),
}


@dataclass(frozen=True)
class Archive:
    """An archive that somebody publishes: what it is called, where it is, how it is known to be the right one."""

    name: str
    url: str
    checksum: str | None
    size: str
    loader: str
    inside: Mapping[str, str] = field(default_factory=dict)  # files in it and their checksums


def fetched(archive: Archive, data_home: Any, *, url: str | None, checksum: str | None, verbose: Any) -> Path:
    """Give the folder of an unpacked archive, downloading it if it is not there."""
    given = {"data_home": data_home, "url": url, "checksum": checksum, "verbose": verbose}
    check_params(f"fetch_{archive.loader.removeprefix('load_')}", given, _PARAMETERS)
    import pooch

    home = Path(pooch.os_cache("soundclf") if data_home is None else data_home).expanduser()
    target = home / archive.name
    if target.is_dir():
        return target
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{archive.name}-", dir=home) as folder:
        file = _downloaded(archive, Path(folder), url or archive.url, checksum or archive.checksum, bool(verbose))
        unpacked = Path(folder, "unpacked")
        _unpack(file, unpacked)
        inside = list(unpacked.iterdir())
        root = inside[0] if len(inside) == 1 and inside[0].is_dir() else unpacked
        if checksum is None:
            _check_inside(archive, root)
        with contextlib.suppress(OSError):  # another process was first, and its copy is as good
            root.rename(target)
        if not target.is_dir():
            raise DownloadError(f"{archive.name} was unpacked, but cannot be put into {str(target)!r}")
    return target


def _downloaded(archive: Archive, folder: Path, url: str, checksum: str | None, verbose: bool) -> Path:
    import pooch
    import requests

    name = PurePosixPath(urlsplit(url).path).name or "archive"
    downloads = pooch.create(folder, base_url="", registry={name: checksum}, urls={name: url}, retry_if_failed=_RETRIES)
    log = pooch.get_logger()
    level = log.level
    try:
        log.setLevel("WARNING")
        return Path(downloads.fetch(name, downloader=pooch.HTTPDownloader(progressbar=verbose, timeout=_TIMEOUT)))
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"{archive.name} ({archive.size}) cannot be downloaded from {url}: {_reason(error)}. Nothing was kept. If "
            f"the data set is on this machine already, use {archive.loader}(folder)"
        ) from error
    except ValueError as error:  # pooch's, for a checksum
        raise DownloadError(
            f"What {url} gave is not the published {archive.name}: its checksum is not {checksum}. Nothing was kept"
        ) from error
    finally:
        log.setLevel(level)


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.Timeout):
        return f"the server was silent for {_TIMEOUT} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut in the middle"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "there is no connection to the server"
    return str(error)


def _unpack(file: Path, folder: Path) -> None:
    """Unpack an archive, or refuse all of it if anything in it would land elsewhere or is no file or folder."""
    folder.mkdir()
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as zipped:
                for name in zipped.namelist():
                    _check_name(name)
                zipped.extractall(folder)  # noqa: S202, names are checked
        elif tarfile.is_tarfile(file):
            with tarfile.open(file) as tarred:
                for member in tarred:
                    _check_name(member.name)
                    if not (member.isfile() or member.isdir()):
                        raise DownloadError(f"The archive holds {member.name!r}, which is neither a file nor a folder")
                tarred.extractall(folder, filter="data")
        else:
            raise DownloadError(f"What was downloaded as {file.name} is neither a zip nor a tar archive")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DownloadError(f"The archive {file.name} cannot be unpacked: {error}") from error


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in str(path):
        raise DownloadError(f"The archive tries to write outside its folder, to {name!r}; nothing of it was kept")


def _check_inside(archive: Archive, root: Path) -> None:
    import pooch

    for name, checksum in archive.inside.items():
        algorithm, _, expected = checksum.partition(":")
        if not (root / name).is_file() or pooch.file_hash(str(root / name), alg=algorithm) != expected:
            raise DownloadError(
                f"What was downloaded is not the published {archive.name}: {name} differs. Nothing was kept"
            )
