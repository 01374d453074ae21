"""Fetching: the whole dataset or nothing, whatever the other side of the line does."""

import socket
import tarfile
import threading

import pytest
from archives import TOP, archive, left_behind, member, send
from made_up import VICTIM, published

from bloodlib.data import fetching, images


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


def test_fetch_tries_twice(server):
    server.ways["flaky"] = lambda h, c: send(h, c if len(server.asked) > 1 else c[:99], len(c))
    fetching.fetch(f"{server.url}/flaky")
    assert server.asked == ["flaky", "flaky"]


def test_a_link_elsewhere_in_the_repository_is_passed_over(server, place):
    server.content = archive(extra=[(member(f"{TOP}/latest", tarfile.SYMTYPE, "/etc"), b"")])
    folder = fetching.fetch(f"{server.url}/good")
    assert {path.name for path in folder.iterdir()} == images.SOURCE.hashes.keys()


def test_no_server(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(images.DatasetError, match=r"127\.0\.0\.1 cannot be reached"):
            fetching.fetch(f"http://127.0.0.1:{free.getsockname()[1]}/good")
    assert not place.exists()


def test_a_look_up_that_hangs_is_given_up_in_time(place, monkeypatch):
    release = threading.Event()

    def hang(*_):
        assert release.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    with pytest.raises(images.DatasetError, match=r"github\.com cannot be reached"):
        fetching.fetch(timeout=0.3)
    release.set()  # it hung until here


def test_fetch_goes_through_a_proxy(server, place, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    fetching.fetch("http://images.invalid/good")
    assert server.asked == ["good"]
