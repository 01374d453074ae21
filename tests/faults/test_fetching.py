"""Fetching: whatever the other side does, there is the whole dataset in the end or nothing of it.

What must come of each fault: an error that says what to do, nothing left behind, and a fetch from a
good server succeeds afterwards.
"""

import contextlib
import os
import random
import shutil
import threading
import time
import zipfile
from pathlib import Path

import pytest
from archives import TOP, archive, left_behind, send
from chance import SCALE, at_once, count_calls, full_disk, kill_at_random
from made_up import VICTIM, posix, publish, published, write

from bloodlib.data import images


def fetch_made_up(url):
    """What a process of its own does, which knows nothing of the made-up dataset."""
    publish(pytest.MonkeyPatch(), published())
    return lambda: images.fetch(url).is_dir()


def fetch_again(server):
    server.content = archive()
    images.fetch(f"{server.url}/good")
    assert images.verify(thorough=True) == images.SOURCE.hashes


# ------------------------------------------------------------------------------------- the server


def stall(after):
    def way(handler, content):
        if after:
            send(handler, content[:after], len(content))
            handler.wfile.flush()
        time.sleep(2)

    return way


PAGE = "something else than the images.*a page to sign in.*again"
ANSWERS = {
    "404": (lambda h, c: h.send_error(404), "answered 404.*again later"),
    "403": (lambda h, c: h.send_error(403), "answered 403.*again later"),
    "503": (lambda h, c: h.send_error(503), "answered 503.*again later"),
    "a page to sign in": (lambda h, c: send(h, b"<!doctype html>"), PAGE),
    "nothing": (lambda h, c: send(h, b""), PAGE),
    "another kind of archive": (lambda h, c: send(h, b"\x1f\x8b" + c[2:9]), PAGE),
    "stalls before the answer": (stall(0), "broke off.*again later"),
    "stalls in the answer": (stall(5000), "broke off.*again later"),
    "hangs up": (lambda h, c: h.connection.close(), "broke off.*again later"),
    "breaks off in the middle": (lambda h, c: send(h, c[:5000], len(c)), "broke off.*again later"),
    "breaks off at the last byte": (lambda h, c: send(h, c[:-1], len(c)), "broke off.*again later"),
    "sends half and says it is whole": (lambda h, c: send(h, c[:5000]), PAGE),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_a_server_that(server, place, fault):
    way, words = ANSWERS[fault]
    server.ways["bad"] = way
    with pytest.raises(images.DatasetError, match=words):
        images.fetch(f"{server.url}/bad", timeout=0.1)
    assert not left_behind(place)
    assert not images.available()
    fetch_again(server)


# ------------------------------------------------------------------------------------ the archive


def other(content):
    return archive(published() | {VICTIM: content})


def without(path):
    return archive({p: c for p, c in published().items() if p != path})


def link():
    """An archive with a symbolic link to a file of the system in the place of an image."""
    info = zipfile.ZipInfo(f"{TOP}/{VICTIM}")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return archive({p: c for p, c in published().items() if p != VICTIM}, [(info, b"/etc/passwd")])


ALTERED = published()[VICTIM][:-1] + b"x"
ARCHIVES = {
    "a name outside": (lambda: archive(extra=[("../../evil", b"x")]), None),
    "an absolute name": (lambda: archive(extra=[("/tmp/bloodlib-evil/evil", b"x")]), None),
    "a name outside from the images": (
        lambda: archive(extra=[(f"{TOP}/images/../../../evil", b"x")]),
        None,
    ),
    "a bomb beside the images": (
        lambda: archive(extra=[(f"{TOP}/evil", bytes(50_000_000))]),
        None,
    ),
    "a link for an image": (link, f"{VICTIM} has another size"),
    "an image of 50 MB": (lambda: other(bytes(50_000_000)), f"{VICTIM} has another size"),
    "an image of one byte": (lambda: other(b"x"), f"{VICTIM} has another size"),
    "an image altered": (lambda: other(ALTERED), f"{VICTIM} is altered"),
    "an image missing": (lambda: without(VICTIM), f"no item named.*{VICTIM}"),
    "no image at all": (lambda: archive({"LICENSE": b"MIT"}), "no item named"),
    "labels missing": (lambda: without("labels.csv"), "no item named.*labels.csv"),
}


@pytest.mark.parametrize("fault", ARCHIVES)
def test_an_archive_with(server, place, tmp_path, fault):
    make, words = ARCHIVES[fault]
    server.content = make()
    if words is None:  # what is not among the published files is not looked at
        images.fetch(f"{server.url}/good")
        assert len(left_behind(place)) == len(published())
    else:
        with pytest.raises(images.DatasetError, match=f"{words}.*bloodlib data --fetch"):
            images.fetch(f"{server.url}/good")
        assert not left_behind(place)
        fetch_again(server)
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/tmp/bloodlib-evil").exists()


def try_at_random(server, place, spoil, times, record_property):
    """Each spoiled archive is refused, or was not spoiled where it counts."""
    rng, whole, refused = random.Random(1), archive(), 0
    for _ in range(times):
        server.content = spoil(whole, rng)
        try:
            folder = images.fetch(f"{server.url}/good")
        except images.DatasetError:
            assert not left_behind(place)
            refused += 1
        else:
            assert images.verify(thorough=True) == images.SOURCE.hashes
            folder.rename(folder.with_name("whole"))
            shutil.rmtree(folder.with_name("whole"))
    assert refused > times / 2
    record_property("times", times)


def test_an_archive_cut_at_any_byte(server, place, record_property):
    def cut(whole, rng):
        return whole[: rng.randrange(len(whole))]

    try_at_random(server, place, cut, 25 * SCALE, record_property)


def test_an_archive_with_any_bit_altered(server, place, record_property):
    def flip(whole, rng):
        spoiled = bytearray(whole)
        spoiled[rng.randrange(10, len(whole))] ^= 1 << rng.randrange(8)
        return bytes(spoiled)

    try_at_random(server, place, flip, 25 * SCALE, record_property)


def test_a_connection_cut_at_any_byte(server, place, record_property):
    rng, times = random.Random(2), 4 * SCALE
    for _ in range(times):
        at = rng.randrange(len(server.content))
        server.ways["bad"] = lambda h, c, at=at: send(h, c[:at], len(c))
        with pytest.raises(images.DatasetError, match="broke off"):
            images.fetch(f"{server.url}/bad", timeout=0.3)
        assert not left_behind(place)
    fetch_again(server)
    record_property("times", times)


# -------------------------------------------------------------------------------- this side


@contextlib.contextmanager
def in_the_way(path):
    """A file where a folder should be: nothing can be written there, not even by root."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where the folder should be")
    try:
        yield
    finally:
        path.unlink()


DISKS = {
    "full at once": lambda place: full_disk(0),
    "full in the download": lambda place: full_disk(10_000),
    "no folder for the data": lambda place: in_the_way(place),
}


@posix
@pytest.mark.parametrize("fault", DISKS)
def test_a_disk(server, place, fault):
    with (
        DISKS[fault](place),
        pytest.raises(images.DatasetError, match=r"cannot be stored.*BLOODLIB_DATA"),
    ):
        images.fetch(f"{server.url}/good")
    assert not left_behind(place)
    assert not images.available()
    fetch_again(server)


@posix
def test_four_processes_at_once(server, place, record_property):
    assert at_once(fetch_made_up, f"{server.url}/good") == [0] * 4
    assert server.asked == ["good"]
    assert len(left_behind(place)) == len(published())
    record_property("times", 4)


def test_a_fetch_that_was_killed_while_it_extracted(server, place):
    part = place / f".{images.FOLDER}.part"
    write(part, {"images/TRAIN/MONOCYTE/half": b"x"})
    fetch_again(server)
    assert not part.exists()


@posix
@pytest.mark.long
def test_killed_at_any_moment(server, place, record_property):
    """Whatever is there after a kill is whole, and the next fetch heals the rest."""
    rng, times, killed, whole = random.Random(3), 15 * SCALE, 0, 0
    calls = count_calls(fetch_made_up, f"{server.url}/good")
    for _ in range(times):
        shutil.rmtree(place / images.FOLDER, ignore_errors=True)
        killed += kill_at_random(fetch_made_up, f"{server.url}/good", rng=rng, calls=calls)
        if images.available():
            whole += 1
            assert images.verify(thorough=True) == images.SOURCE.hashes
    fetch_again(server)
    assert len(left_behind(place)) == len(published()), left_behind(place)
    assert killed > times / 2
    record_property("times", times)


def test_interrupted_by_hand(server, place, monkeypatch):
    """Ctrl-C just before the dataset is put in its place."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            images.fetch(f"{server.url}/good")
    assert not left_behind(place)
    assert not images.available()
    fetch_again(server)


def test_a_server_that_never_ends_is_left_when_the_disk_is_full(server, place):
    stop = threading.Event()

    def endless(handler, content):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not stop.is_set():
                handler.wfile.write(bytes(100_000))

    server.ways["endless"] = endless
    with full_disk(1_000_000), pytest.raises(images.DatasetError, match="cannot be stored"):
        images.fetch(f"{server.url}/endless")
    stop.set()
    assert not left_behind(place)
