"""Downloads: from a server in a thread; a data set is there as a whole, or nothing of it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from soundclf import ParameterError
from soundclf.datasets import fetch_esc50, fetch_fsdd, fetch_urbansound8k
from soundclf.exceptions import DownloadError

FSDD = {f"fsdd-1.0.9/recordings/{digit}_anna_0.wav": b"RIFF" * 900 for digit in range(3)} | {"fsdd-1.0.9/LICENSE": b""}
US8K = {
    "UrbanSound8K/metadata/UrbanSound8K.csv": b"slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    b"7-3-0-0.wav,7,0.0,4.0,1,1,3,dog_bark\n8-9-0-0.wav,8,0.0,4.0,1,2,9,street_music\n",
    "UrbanSound8K/audio/fold1/7-3-0-0.wav": b"bark",
    "UrbanSound8K/audio/fold2/8-9-0-0.wav": b"music",
}
ESC = {
    "ESC-50-master/meta/esc50.csv": b"filename,fold,target,category,esc10,src_file,take\n"
    b"1-7-A-0.wav,1,0,dog,True,7,A\n2-8-A-14.wav,2,14,chirping_birds,False,8,A\n",
    "ESC-50-master/audio/1-7-A-0.wav": b"dog",
    "ESC-50-master/audio/2-8-A-14.wav": b"birds",
}
INSIDE = {fetch_fsdd: FSDD, fetch_urbansound8k: US8K, fetch_esc50: ESC}
NAMES = {fetch_fsdd: "FSDD", fetch_urbansound8k: "UrbanSound8K", fetch_esc50: "ESC-50"}


def tarred(files, mode="w:gz"):
    """An archive of contents by name; a TarInfo in the place of the content stands for itself."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as tar:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.name = name
            if info is not content:
                info.size = len(content)
            tar.addfile(info, None if info is content else io.BytesIO(content))
    return archive.getvalue()


def zipped(files):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def link(kind, target):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def left_in(folder):
    """All that lies in a folder, however deep."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


class Cut:
    """A reply that announces all of a content, and breaks off after ``sent`` bytes."""

    def __init__(self, content, sent):
        self.content, self.sent = content, sent


class Server(ThreadingHTTPServer):
    """Sends the given replies, one for each request of an address, and repeats the last one."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.requests = {}, []

    def url(self, *replies, name="archive.tar.gz"):
        """An address where the replies are found: bytes, a Cut, a status, or a function that waits and gives one."""
        path = f"/{len(self.replies)}/{name}"
        self.replies[path] = list(replies)
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        replies = self.server.replies[self.path]
        self.server.requests.append(self.path)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        reply = reply() if callable(reply) else reply
        if reply is None:  # hang up
            return
        if isinstance(reply, int):
            self.send_error(reply)
            return
        content, sent = (reply.content, reply.sent) if isinstance(reply, Cut) else (reply, len(reply))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with Server() as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch_good(fetch, server, home, pack=tarred, **parameters):
    content = pack(INSIDE[fetch])
    return fetch(home, url=server.url(content), checksum=sha256(content), verbose=0, **parameters)


# -- what arrives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fetch", INSIDE, ids=NAMES.values())
@pytest.mark.parametrize("pack", [tarred, zipped], ids=["tar.gz", "zip"])
def test_a_data_set_is_there_and_complete_and_fetched_once(server, tmp_path, fetch, pack):
    sounds = fetch_good(fetch, server, tmp_path, pack)
    home = tmp_path / NAMES[fetch]
    assert left_in(tmp_path) == sorted(f"{home.name}/{name.partition('/')[2]}" for name in INSIDE[fetch])
    assert [path.name for path in tmp_path.iterdir()] == [home.name]
    assert all(path.startswith(str(home)) for path in sounds.data)
    n_requests = len(server.requests)
    X, y = fetch(str(tmp_path), url="http://127.0.0.1:9/nowhere", return_X_y=True)
    assert len(server.requests) == n_requests
    np.testing.assert_array_equal(X, sounds.data)
    np.testing.assert_array_equal(y, sounds.target)


def test_labels_groups_and_folds_come_along(server, tmp_path):
    sounds = fetch_good(fetch_urbansound8k, server, tmp_path)
    assert (sounds.target.tolist(), sounds.groups.tolist()) == (["dog_bark", "street_music"], ["7", "8"])
    assert sounds.fold.tolist() == [1, 2]
    assert fetch_good(fetch_esc50, server, tmp_path, subset="esc10").target.tolist() == ["dog"]
    assert fetch_good(fetch_fsdd, server, tmp_path).groups.tolist() == ["anna"] * 3


@pytest.mark.parametrize(
    "around",
    [{}, {"._fsdd-1.0.9": b"", ".DS_Store": b""}, {"__MACOSX/._fsdd-1.0.9": b""}],
    ids=["alone", "hidden files", "a zip made on a Mac"],
)
@pytest.mark.parametrize(
    "pack",
    [tarred, zipped, lambda files: tarred(files, "w"), lambda files: tarred(files, "w:xz")],
    ids=["tar.gz", "zip", "tar", "tar.xz"],
)
def test_archives_of_every_kind(server, tmp_path, pack, around):
    content = pack({**around, **FSDD})
    assert len(fetch_fsdd(tmp_path, url=server.url(content), checksum=sha256(content), verbose=0).data) == 3
    assert (tmp_path / "FSDD" / "LICENSE").is_file()


def test_archives_without_a_folder_around(server, tmp_path):
    content = zipped({name.partition("/")[2]: inside for name, inside in FSDD.items()})
    fetch_fsdd(tmp_path, url=server.url(content), checksum=f"md5:{hashlib.md5(content).hexdigest().upper()}", verbose=0)
    assert len(left_in(tmp_path / "FSDD" / "recordings")) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the cache folder is found through XDG_CACHE_HOME")
def test_the_default_place_is_the_users_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fetch_good(fetch_fsdd, server, None)
    assert len(left_in(tmp_path / "cache" / "soundclf" / "FSDD")) == 4
    monkeypatch.setenv("HOME", str(tmp_path))
    fetch_good(fetch_fsdd, server, "~/sounds")
    assert len(left_in(tmp_path / "sounds" / "FSDD")) == 4


@pytest.mark.parametrize("verbose", [0, 1, True])
def test_progress_is_shown_on_demand(server, tmp_path, capsys, verbose):
    content = tarred(FSDD)
    fetch_fsdd(tmp_path, url=server.url(content), checksum=sha256(content), verbose=verbose)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("100%" in shown.err) == bool(verbose)


def test_the_logger_of_pooch_is_unchanged_and_silent(server, tmp_path, caplog):
    import pooch

    logger = pooch.get_logger()
    before = logger.level, list(logger.handlers), logger.propagate, logger.disabled
    levels = []
    content = tarred(FSDD)  # once: a gzip file holds the time

    def reply():
        levels.append(logger.level)
        return content

    fetch_fsdd(tmp_path, url=server.url(reply), checksum=sha256(content), verbose=0)
    assert levels == [logger.level]
    assert (logger.level, list(logger.handlers), logger.propagate, logger.disabled) == before
    assert caplog.records == []


def test_a_downloader_gets_an_owner(server, tmp_path, monkeypatch):
    import pooch

    class Downloader(pooch.HTTPDownloader):
        def __call__(self, url, output_file, pooch, **others):
            assert pooch.get_url  # as a release of pooch may do
            return super().__call__(url, output_file, pooch, **others)

    monkeypatch.setattr("pooch.HTTPDownloader", Downloader)
    assert len(fetch_good(fetch_fsdd, server, tmp_path).data) == 3


@pytest.mark.parametrize("arguments", [(), ("refused",), (3, None)], ids=["nothing", "text", "others"])
def test_a_failure_is_described_wherever_its_cause_is_stored(monkeypatch, arguments):
    import requests

    from soundclf.datasets._fetch import _describe_error

    monkeypatch.setitem(sys.modules, "urllib3", None)  # a release of requests may do without it
    assert _describe_error(requests.exceptions.ConnectionError(*arguments)) == "the server cannot be reached"


def test_a_cut_connection_is_tried_again(server, tmp_path):
    content = tarred(FSDD)
    url = server.url(Cut(content, len(content) // 2), content)
    assert len(fetch_fsdd(tmp_path, url=url, checksum=sha256(content), verbose=0).data) == 3
    assert len(left_in(tmp_path)) == 4
    assert server.replies[url.removeprefix(f"http://127.0.0.1:{server.server_port}")] == [content]


@pytest.mark.slow
def test_processes_that_fetch_at_once_end_with_one_data_set(server, tmp_path):
    content = tarred(FSDD)
    both = threading.Barrier(2)

    def when_both_wait():
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(60)
        return content

    url = server.url(when_both_wait)
    code = (
        "import sys; from soundclf.datasets import fetch_fsdd\n"
        f"print(len(fetch_fsdd({str(tmp_path)!r}, url={url!r}, checksum={sha256(content)!r}, verbose=0).data))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in running] == ["3\n", "3\n"]
    assert not both.broken
    assert sum(path in url for path in server.requests) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["FSDD"]
    assert len(left_in(tmp_path)) == 4


# -- what does not arrive ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failures(server, tmp_path_factory):
    """What fetching says and leaves behind when a download fails: all of them at once, as every one waits for 3 s."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        unused_url = f"http://127.0.0.1:{unused.getsockname()[1]}/archive.tar.gz"
        content = tarred(FSDD)
        calls = {
            "other bytes": (fetch_fsdd, {"url": server.url(content)}),
            "other bytes of UrbanSound8K": (fetch_urbansound8k, {"url": server.url(tarred(US8K))}),
            "a given checksum": (fetch_esc50, {"url": server.url(content), "checksum": sha256(b"")}),
            "cut": (fetch_fsdd, {"url": server.url(Cut(content, len(content) // 2)), "checksum": sha256(content)}),
            "cut ESC-50": (fetch_esc50, {"url": server.url(Cut(zipped(ESC), 99))}),  # only its length reveals it
            "not found": (fetch_urbansound8k, {"url": server.url(404)}),
            "broken": (fetch_fsdd, {"url": server.url(503)}),
            "hangs up": (fetch_fsdd, {"url": server.url(None)}),
            "no TLS": (fetch_fsdd, {"url": server.url(content).replace("http:", "https:")}),
            "no server": (fetch_esc50, {"url": unused_url}),
        }

        def call(case):
            fetch, parameters = calls[case]
            home = tmp_path_factory.mktemp("failure")
            with pytest.raises(DownloadError) as caught:
                fetch(home, verbose=0, **parameters)
            return str(caught.value).replace(parameters["url"], "URL"), left_in(home)

        with ThreadPoolExecutor(len(calls)) as pool:
            return dict(zip(calls, pool.map(call, calls), strict=True))


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (
            "other bytes",
            "What URL returned is not the published FSDD: its checksum is not sha256:"
            "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0. Nothing was saved",
        ),
        (
            "other bytes of UrbanSound8K",
            "What URL returned is not the published UrbanSound8K: its checksum is not "
            "md5:9aa69802bbf37fb986f71ec1483a196e. Nothing was saved",
        ),
        (
            "a given checksum",
            f"What URL returned is not the published ESC-50: its checksum is not {sha256(b'')}. Nothing was saved",
        ),
        (
            "cut",
            "FSDD (12 MB) cannot be downloaded from URL: the connection was closed before the end. Nothing was saved.",
        ),
        (
            "cut ESC-50",
            "ESC-50 (0.6 GB) cannot be downloaded from URL: the connection was closed before the end. ",
        ),
        (
            "not found",
            "UrbanSound8K (6.0 GB) cannot be downloaded from URL: the server answered 404 Not Found. Nothing was "
            "saved. If the data set is already on this machine, use load_urbansound8k(folder)",
        ),
        ("broken", "FSDD (12 MB) cannot be downloaded from URL: the server answered 503 Service Unavailable. "),
        (
            "hangs up",
            "FSDD (12 MB) cannot be downloaded from URL: the server closed the connection without an answer. ",
        ),
        (
            "no TLS",
            "FSDD (12 MB) cannot be downloaded from URL: a secure connection to the server could not be established. ",
        ),
        (
            "no server",
            "ESC-50 (0.6 GB) cannot be downloaded from URL: the server cannot be reached. Nothing was saved. "
            "If the data set is already on this machine, use load_esc50(folder)",
        ),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(failures, case, sentence):
    message, left = failures[case]
    assert message.replace("https:", "http:").startswith(sentence)
    assert left == []


@pytest.mark.slow
def test_a_full_disk_is_reported_and_cleaned_up(server, tmp_path):
    pytest.importorskip("resource")
    content = zipped(FSDD)
    code = (
        "import resource; from soundclf.datasets import fetch_fsdd; import pooch, requests\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"fetch_fsdd({str(tmp_path)!r}, url={server.url(content)!r}, checksum={sha256(content)!r}, verbose=0)"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True)
    assert re.search(r"DownloadError: FSDD \(12 MB\) cannot be downloaded from .*: .*File too large", done.stderr)
    assert left_in(tmp_path) == []


# -- what must not be unpacked -----------------------------------------------------------------------------------------


def evil(kind, outside):
    """An archive that holds the data set, and with it one thing that it must not."""
    names = {
        "../": "../evil.wav",
        "deep ../": "fsdd-1.0.9/recordings/../../../evil.wav",
        "absolute": f"{outside}/evil.wav",
        "..\\": "..\\evil.wav",
        "drive": "C:evil.wav",
    }
    if kind in names:
        return {**FSDD, names[kind]: b"evil"}
    name = "fsdd-1.0.9/recordings/9_evil_0.wav"
    target = outside / "secret"
    special = {
        "symlink": link(tarfile.SYMTYPE, str(target)),
        "symlink up": link(tarfile.SYMTYPE, "../" * 20 + str(target)),
        "symlink inside": link(tarfile.SYMTYPE, "0_anna_0.wav"),
        "hard link": link(tarfile.LNKTYPE, str(target)),
        "hard link up": link(tarfile.LNKTYPE, "../../../../secret"),
        "hard link inside": link(tarfile.LNKTYPE, "fsdd-1.0.9/recordings/0_anna_0.wav"),
        "pipe": link(tarfile.FIFOTYPE, ""),
    }
    if kind == "through a link":
        through = {"fsdd-1.0.9/door": link(tarfile.SYMTYPE, str(outside)), "fsdd-1.0.9/door/evil.wav": b"evil"}
        return {**FSDD, **through}
    return {**FSDD, name: special[kind]}


PATHS = ["../", "deep ../", "absolute", "..\\", "drive"]
LINKS = ["symlink", "symlink up", "symlink inside", "hard link", "hard link up", "hard link inside", "pipe"]


@pytest.mark.parametrize(
    ("pack", "kind", "sentence"),
    [
        *((tarred, kind, "tries to write outside its folder, to '.*evil.wav'") for kind in PATHS),
        *((zipped, kind, "tries to write outside its folder, to '.*evil.wav'") for kind in PATHS),
        *((tarred, kind, "contains '.*_evil_0.wav', which is neither a file nor a folder") for kind in LINKS),
        (tarred, "through a link", "contains '.*/door', which is neither a file nor a folder"),
    ],
)  # fmt: skip
def test_an_archive_that_reaches_outside_is_refused(server, tmp_path, pack, kind, sentence):
    outside, home = tmp_path / "outside", tmp_path / "a" / "b" / "home"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    content = pack(evil(kind, outside))
    with pytest.raises(DownloadError, match=rf"^The archive {sentence}; nothing was extracted$"):
        fetch_fsdd(home, url=server.url(content), checksum=sha256(content), verbose=0)
    assert left_in(tmp_path) == ["outside/secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def spoiled(kind):
    text = np.random.default_rng(0).integers(97, 101, 40000, dtype=np.uint8).tobytes()
    files = {**FSDD, "fsdd-1.0.9/text": text}
    content = {"zip": zipped, "tar.xz": lambda files: tarred(files, "w:xz"), "tar": lambda files: tarred(files, "w")}
    content = content.get(kind.split(" ", maxsplit=1)[0], tarred)(files)
    half = len(content) // 2
    if kind.endswith("cut"):
        return content[:half]
    if kind.endswith("damaged"):
        return content[:half] + b"\xff" * 40 + content[half + 40 :]
    if kind.endswith("garbled"):  # in whole blocks, where what follows cannot even be the start of another
        blocks = zlib.compressobj(wbits=31)
        return blocks.compress(tarred(files, "w")[:20000]) + blocks.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 40
    if kind == "zip encrypted":
        return re.sub(rb"(PK\x03\x04..|PK\x01\x02....)\x00", lambda found: found[1] + b"\1", content, flags=re.DOTALL)
    return {"page": b"<!DOCTYPE html><title>Please sign in</title>", "nothing": b""}[kind]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("tar.gz cut", "^The archive from .* cannot be unpacked: Compressed file ended before"),
        ("tar.gz damaged", "^The archive from .* cannot be unpacked: CRC check failed"),
        ("tar.gz garbled", "^The archive from .* cannot be unpacked: Error -3 while decompressing"),
        ("tar.xz cut", "^The archive from .* cannot be unpacked: Compressed file ended before"),
        ("tar.xz damaged", "^The archive from .* cannot be unpacked: Corrupt input data"),
        ("tar cut", "^The archive from .* cannot be unpacked: unexpected end of data"),
        ("zip damaged", "^The archive from .* cannot be unpacked: Bad CRC-32 for file 'fsdd-1.0.9/text'"),
        ("zip encrypted", "^The archive from .* cannot be unpacked: File .* is encrypted"),
        ("zip cut", "^What was downloaded from .* is neither a zip nor a tar archive$"),
        ("page", "^What was downloaded from .* is neither a zip nor a tar archive$"),
        ("nothing", "^What was downloaded from .* is neither a zip nor a tar archive$"),
    ],
)
def test_a_spoiled_archive_of_the_right_checksum_is_refused(server, tmp_path, kind, sentence):
    content = spoiled(kind)
    with pytest.raises(DownloadError, match=sentence):
        fetch_fsdd(tmp_path, url=server.url(content), checksum=sha256(content), verbose=0)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("files", [ESC, FSDD], ids=["other metadata", "no metadata"])
def test_esc50_is_known_by_its_metadata(server, tmp_path, files):
    with pytest.raises(
        DownloadError,
        match=r"^What was downloaded is not the published ESC-50: meta/esc50.csv differs. Nothing was saved$",
    ):
        fetch_esc50(tmp_path, url=server.url(zipped(files)), verbose=0)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("fetch", "gone", "reason"),
    [
        (fetch_esc50, "ESC-50-master/audio/2-8-A-14.wav", "1 of 2 files of ESC-50 do not exist: row 1: ESC-50/audio"),
        (fetch_urbansound8k, "UrbanSound8K/audio/fold1/7-3-0-0.wav", "1 of 2 files of UrbanSound8K do not exist"),
        (fetch_urbansound8k, "UrbanSound8K/metadata/UrbanSound8K.csv", "UrbanSound8K's metadata is not at"),
        (fetch_fsdd, "fsdd-1.0.9/recordings", "'FSDD' contains no files with names such as '7_jackson_32.wav'"),
    ],
)  # fmt: skip
def test_an_incomplete_archive_is_not_saved(server, tmp_path, fetch, gone, reason):
    content = tarred({name: inside for name, inside in INSIDE[fetch].items() if not name.startswith(gone)})
    with pytest.raises(
        DownloadError, match=rf"(?i)^What was downloaded from .* is not a complete .*: {reason}.*\. Nothing was saved$"
    ):
        fetch(tmp_path, url=server.url(content), checksum=sha256(content), verbose=0)
    assert left_in(tmp_path) == []
    assert len(fetch_good(fetch, server, tmp_path).data) >= 2


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fetch", INSIDE, ids=NAMES.values())
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"url": "ftp://ex.org/a"}, "'url' parameter of fetch_{} must be None or an http or https address, got"),
        ({"url": 3}, "'url' parameter of fetch_{} must be None or an http or https address, got 3"),
        ({"checksum": "0" * 32}, "'checksum' parameter of fetch_{} must be None or \"md5:...\" or \"sha256:...\""),
        ({"checksum": "md5:" + "g" * 32}, "'checksum' parameter of fetch_{} must be"),
        ({"checksum": "sha256:" + "0" * 32}, "'checksum' parameter of fetch_{} must be"),
        ({"checksum": "sha256:" + "0" * 64 + "\n"}, "'checksum' parameter of fetch_{} must be"),
        ({"data_home": 3}, "'data_home' parameter of fetch_{} must be None or a path, got 3"),
        ({"verbose": -1}, "'verbose' parameter of fetch_{} must be an integer in [0, inf) or True or False, got -1"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(tmp_path, fetch, parameters, sentence):
    sentence = sentence.format(NAMES[fetch].lower().replace("-", ""))
    with pytest.raises(ParameterError, match=re.escape(sentence)):
        fetch(**{"data_home": tmp_path, **parameters})
    assert left_in(tmp_path) == []


def test_a_bad_subset_is_named_before_the_download(tmp_path):
    with pytest.raises(ParameterError, match=r"'subset' parameter of fetch_esc50 must be .* Did you mean 'esc10'\?"):
        fetch_esc50(tmp_path, url="http://127.0.0.1:9/nowhere", subset="esc-10")


@pytest.mark.parametrize(
    ("home", "sentence"),
    [
        ("file", r"^data_home='.*file' cannot be used as a folder \(File exists\)$"),
        ("file/below", r"^data_home='.*below' cannot be used as a folder \(Not a directory\)$"),
        ("taken", r"^FSDD belongs in '.*FSDD', which exists and is not a folder$"),
    ],
)
def test_a_place_that_cannot_be_used_is_reported_before_the_download(server, tmp_path, home, sentence):
    (tmp_path / "taken").mkdir()
    for name in ("file", "taken/FSDD"):
        (tmp_path / name).write_bytes(b"mine")
    n_requests = len(server.requests)
    with pytest.raises(DownloadError, match=sentence):
        fetch_good(fetch_fsdd, server, tmp_path / home)
    assert len(server.requests) == n_requests
    assert left_in(tmp_path) == ["file", "taken/FSDD"]
