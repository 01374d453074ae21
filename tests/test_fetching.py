"""Fetching: the whole dataset or nothing, whatever the other side of the line does."""

import socket
import threading

import pytest
from archives import left_behind, send
from made_up import VICTIM, published

from bloodlib.data import images


def test_fetch(server, place):
    folder = images.fetch(f"{server.url}/good")
    assert folder == place / images.FOLDER == images.find()
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    assert files == published()
    assert len(left_behind(place)) == len(published())  # no archive, no README, no temporary file
    assert images.fetch(f"{server.url}/good") == folder
    assert server.asked == ["good"]


def test_fetch_asks_nobody_when_the_images_are_there(folder):
    assert images.fetch("http://127.0.0.1:9/") == folder


@pytest.mark.parametrize("harm", ["another picture", "no photographs"])
def test_fetch_never_touches_a_folder_that_is_something_else(server, folder, harm):
    if harm == "another picture":
        (folder / VICTIM).write_bytes(b"another picture")
    else:
        (folder / "Original_Images").rename(folder / "elsewhere")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    named = VICTIM if harm == "another picture" else "no Original_Images"
    with pytest.raises(images.DatasetError, match=f"{named}.* move the folder away|Move the fol"):
        images.fetch(f"{server.url}/good")
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert not server.asked


def test_what_kaggle_s_copy_lacks_is_fetched(server, place, folder):
    kaggle = place / "dataset2-master" / "images"
    kaggle.parent.mkdir()
    (folder / "images").rename(kaggle)
    folder.rename(place / "elsewhere")
    assert images.find() == kaggle.parent
    assert images.fetch(f"{server.url}/good") == folder == images.find()
    assert images.verify() == images.SOURCE.hashes


def test_fetch_tries_twice(server):
    server.ways["flaky"] = lambda h, c: send(h, c if len(server.asked) > 1 else c[:99], len(c))
    images.fetch(f"{server.url}/flaky")
    assert server.asked == ["flaky", "flaky"]


def test_no_server(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(images.DatasetError, match=r"127\.0\.0\.1.* cannot be reached"):
            images.fetch(f"http://127.0.0.1:{free.getsockname()[1]}/good", timeout=0.3)
    assert not place.exists()


def test_a_look_up_that_hangs_is_given_up(place, monkeypatch):
    release = threading.Event()

    def hang(*_, **__):
        assert release.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(images.DatasetError, match=r"github\.com.* cannot be reached"):
        images.fetch(timeout=0.3)
    release.set()  # it hung until here


def test_fetch_goes_through_a_proxy(server, place, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    images.fetch("http://images.invalid/good")
    assert server.asked == ["good"]
