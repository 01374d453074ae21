"""Fetching: the whole dataset or nothing, whatever the other side of the line does."""

import http.server
import io
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest
from made_up import VICTIM, in_processes, posix, published, write

from bloodlib import fetching, images, paths

TOP = f"wbc-classification-{images.SOURCE.commit}"


def archive(files=None, extra=()):
    """A repository's archive as GitHub makes it; ``extra`` are (TarInfo, content) pairs."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        tar.addfile(folder_info := tarfile.TarInfo(TOP))
        folder_info.type = tarfile.DIRTYPE
        for path, content in {"README.md": b"hello", **(files or published())}.items():
            info = tarfile.TarInfo(f"{TOP}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info, content in extra:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in the way that the last part of the address names."""

    def do_GET(self):
        way = self.path.rpartition("/")[2]
        self.server.asked.append(way)
        content = self.server.content
        if way == "404":
            return self.send_error(404)
        if way == "stall":
            return time.sleep(2)
        if way == "html":
            content = b"<!doctype html><title>Sign in</title>"
        if way == "cut":
            content = content[: len(content) // 2]
        short = way == "short" or (way == "flaky" and len(self.server.asked) == 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if short else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(place):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.asked = archive(), []
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield server
        server.shutdown()


def left_behind(place):
    """Everything in the folder of the datasets and the cache but locks and marks."""
    found = [*place.rglob("*"), *paths.cache_folder().rglob("*")] if place.exists() else []
    return [
        p.name for p in found if p.is_file() and p.suffix != ".lock" and "verified" not in p.parts
    ]


def test_fetch(server, place):
    folder = fetching.fetch(f"{server.url}/good")
    assert folder == place / images.FOLDER == images.find()
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    assert files == published()
    assert len(left_behind(place)) == len(published())  # no archive, no README, no temporary file
    assert images.verify() == images.SOURCE.hashes
    assert fetching.fetch(f"{server.url}/good") == folder
    assert server.asked == ["good"]


def test_fetch_asks_nobody_when_the_images_are_there(folder):
    assert fetching.fetch("http://127.0.0.1:9/") == folder


def test_fetch_never_touches_a_folder_that_is_something_else(server, folder):
    (folder / VICTIM).write_bytes(b"another picture")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(images.DatasetError, match="move the folder away") as caught:
        fetching.fetch(f"{server.url}/good")
    assert VICTIM in str(caught.value)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert not server.asked


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("404", "answered 404"),
        ("html", "something else than an archive"),
        ("cut", "cut short or damaged"),
        ("short", "broke off"),
        ("stall", "broke off"),
    ],
)
def test_a_failed_fetch_leaves_nothing_and_can_be_repeated(server, place, way, said):
    with pytest.raises(images.DatasetError, match=said) as caught:
        fetching.fetch(f"{server.url}/{way}", timeout=0.1)
    assert "again" in str(caught.value)
    assert not left_behind(place)
    assert not images.available()
    fetching.fetch(f"{server.url}/good")
    assert images.verify() == images.SOURCE.hashes


def test_fetch_tries_twice(server):
    fetching.fetch(f"{server.url}/flaky")
    assert server.asked == ["flaky", "flaky"]


def test_a_killed_fetch_does_not_matter(server, place):
    part = place / f".{images.FOLDER}.part"
    write(part, {"images/TRAIN/MONOCYTE/half": b"x"})
    fetching.fetch(f"{server.url}/good")
    assert not part.exists()


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


EVIL = {
    "up": (member(f"{TOP}/../../evil"), b"x"),
    "up from the images": (member(f"{TOP}/images/../../../evil"), b"x"),
    "absolute": (member("/tmp/bloodlib-evil/images/evil"), b"x"),
    "backslash": (member(f"{TOP}\\..\\evil"), b"x"),
    "symlink": (member(f"{TOP}/images/evil", tarfile.SYMTYPE, "/etc/passwd"), b""),
    "hard link": (member(f"{TOP}/{VICTIM}", tarfile.LNKTYPE, f"{TOP}/labels.csv"), b""),
    "symlink for a folder": (member(f"{TOP}/images", tarfile.SYMTYPE, "../.."), b""),
    "device": (member(f"{TOP}/evil", tarfile.CHRTYPE), b""),
    "pipe": (member(f"{TOP}/images/evil", tarfile.FIFOTYPE), b""),
}


@pytest.mark.parametrize("extra", EVIL.values(), ids=EVIL)
def test_an_evil_archive_is_refused(server, place, tmp_path, extra):
    server.content = archive(extra=[extra])
    with pytest.raises(images.DatasetError, match="not to be trusted"):
        fetching.fetch(f"{server.url}/good")
    assert not left_behind(place)
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/tmp/bloodlib-evil").exists()


def test_a_link_elsewhere_in_the_repository_is_passed_over(server, place):
    server.content = archive(extra=[(member(f"{TOP}/latest", tarfile.SYMTYPE, "/etc"), b"")])
    folder = fetching.fetch(f"{server.url}/good")
    assert {path.name for path in folder.iterdir()} == images.SOURCE.hashes.keys()


@pytest.mark.parametrize("content", [bytes(50_000_000), b"x"], ids=["large", "small"])
def test_a_member_of_another_size_is_not_written(server, place, content):
    server.content = archive(published() | {VICTIM: content})
    with pytest.raises(images.DatasetError, match=f"archive's {VICTIM} has {len(content):,} bytes"):
        fetching.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_an_archive_with_a_file_twice_is_refused(server, place):
    server.content = archive(extra=[(member(f"{TOP}/{VICTIM}"), published()[VICTIM])])
    with pytest.raises(images.DatasetError, match="twice"):
        fetching.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_an_archive_of_other_content_is_refused(server, place):
    changed = published()[VICTIM][:-1] + b"x"
    server.content = archive(published() | {VICTIM: changed})
    with pytest.raises(images.DatasetError, match=f"{VICTIM} is altered"):
        fetching.fetch(f"{server.url}/good")
    server.content = archive({p: c for p, c in published().items() if p != VICTIM})
    with pytest.raises(images.DatasetError, match=f"{VICTIM} is missing"):
        fetching.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_no_server(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(images.DatasetError, match=r"127\.0\.0\.1 cannot be reached"):
            fetching.fetch(f"http://127.0.0.1:{free.getsockname()[1]}/good")
    assert not place.exists()


def test_a_look_up_that_hangs_is_given_up_in_time(place, monkeypatch):
    release = threading.Event()

    def hang(*_):
        release.wait(20)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    start = time.monotonic()
    with pytest.raises(images.DatasetError, match=r"github\.com cannot be reached"):
        fetching.fetch(timeout=0.3)
    assert time.monotonic() - start < 2
    release.set()


def test_fetch_goes_through_a_proxy(server, place, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    fetching.fetch("http://images.invalid/good")
    assert server.asked == ["good"]


@posix
def test_an_unwritable_folder_is_named(server, place):
    place.parent.mkdir(exist_ok=True)
    place.write_text("a file where the folder should be")
    with pytest.raises(images.DatasetError, match="BLOODLIB_DATA"):
        fetching.fetch(f"{server.url}/good")


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_concurrent_fetches_download_once(server, place):
    url = f"{server.url}/good"
    assert in_processes(lambda: fetching.fetch(url) == place / images.FOLDER) == [0] * 4
    assert server.asked == ["good"]
    assert len(left_behind(place)) == len(published())
