"""Records that were killed, damaged, edited or raced for: none is ever taken for what it is not."""

import os
import random
import re

import numpy as np
import pytest
from chance import SCALE, count_calls, end, full_disk, kill_at_random, start
from conftest import FAKE
from made_records import cut, edit, files, flip, forge, forge_arrays, made_up, npz
from made_up import posix

from bloodlib import study
from bloodlib.data import images, stored
from bloodlib.study import records


@pytest.fixture
def good(tmp_path):
    return records.write(tmp_path / "runs", *made_up())


# ---------------------------------------------------------------------------------- damage


def refused(path, *words):
    """Reading and checking the record is refused, naming one of its files."""
    with pytest.raises(stored.StoredError) as caught:
        records.check(records.read(path))
    text = str(caught.value)
    assert type(caught.value) is stored.StoredError
    assert str(path.parent / path.stem) in text
    for word in words:
        assert word in text
    return text


FILES = {
    "npz changed by a byte": (lambda p: flip(npz(p), 200), "is not the file"),
    "npz missing": (lambda p: npz(p).unlink(), "can't be read"),
    "npz a text": (lambda p: forge(p, b"no arrays"), "no plain arrays"),
    "JSON truncated": (cut, "is no record"),
    "JSON not UTF-8": (lambda p: p.write_bytes(b"\xff{}"), "is no record"),
    "JSON a list": (lambda p: p.write_text("[]"), "is not of type 'object'"),
    "JSON a folder": (lambda p: (p.unlink(), p.mkdir()), "is no record"),
    "renamed": (lambda p: edit(p, id="fake-four-9999999999"), "not the record's id"),
    "id with a path in it": (lambda p: edit(p, id="../x-four-0123456789"), "id"),
    "of a newer version": (lambda p: edit(p, schema=99), "newer bloodlib"),
    "an unknown key": (lambda p: edit(p, accuracy=0.99), "accuracy"),
    "seed a truth value": (lambda p: edit(p, config__seed=True), "config/seed"),
    "another task": (lambda p: edit(p, config__task="two"), "unknown class"),
    "said to be published": (
        lambda p: edit(p, config__images="published", config__images_per_class=None),
        "not made on the published images",
    ),
    "said to be published, hash too": (
        lambda p: edit(
            p,
            config__images="published",
            config__images_per_class=None,
            data=images.DATA_HASH,
        ),
        "truth is not that of TEST",
    ),
    "complete without arrays": (lambda p: edit(p, arrays=None), "holds no predictions"),
    "failed with arrays": (lambda p: edit(p, status="failed", reason="x"), "no reason"),
    "failed without a reason": (
        lambda p: edit(p, status="failed", arrays=None),
        "no reason is given",
    ),
    "losses of other epochs": (lambda p: edit(p, history__loss=[0.5]), "loss has not one value"),
    "loss not a number": (lambda p: edit(p, history__loss=[0.5, float("nan")]), "not finite"),
    "seconds negative": (lambda p: edit(p, seconds=-1), "seconds"),
}


@pytest.mark.parametrize("damage", FILES)
def test_a_damaged_record_is_refused_by_name(good, damage):
    change, words = FILES[damage]
    records.check(records.read(good.path))
    change(good.path)
    refused(good.path, words)


def with_(name, change):
    """The made-up array ``name``, changed."""
    array = made_up()[1][name].copy()
    return {name: change(array)}


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


ARRAYS = {
    "probabilities NaN": (with_("probabilities", put((0, 0), np.nan)), "sum to 1"),
    "probabilities of another sum": (with_("probabilities", lambda a: a / 2), "sum to 1"),
    "probabilities negative": (
        with_("probabilities", put(0, [1.5, -0.5, 0, 0])),
        "probabilities do not",
    ),
    "probabilities of two classes": (
        with_("probabilities_simple", lambda a: a[:, :2]),
        "(4, 2), not (4, 4)",
    ),
    "probabilities in float64": (with_("probabilities", lambda a: a.astype(float)), "float16"),
    "probabilities missing": ({"probabilities": None}, "probabilities is missing"),
    "label out of range": (with_("labels", put((0, 0), 4)), "unknown class"),
    "labels of one epoch, flat": (with_("labels", lambda a: a[0]), "(9,), not (1, 9)"),
    "labels of the simple by epoch": (
        with_("labels_simple", lambda a: a[None]),
        "(1, 4), not (4,)",
    ),
    "no images": (
        {
            "truth": np.zeros(0, np.uint8),
            "labels": np.zeros((2, 0), np.uint8),
            "probabilities": np.zeros((0, 4), np.float16),
        },
        "no predictions",
    ),
    "truth missing": ({"truth": None}, "truth is missing"),
    "confusion of other epochs": (with_("confusion_train", lambda a: a[1:]), "confusion_train"),
    "an array more": ({"accuracy": np.ones(1)}, "unknown arrays {'accuracy'}"),
}


@pytest.mark.parametrize("damage", ARRAYS)
def test_wrong_predictions_are_refused_by_name(good, damage):
    changed, words = ARRAYS[damage]
    forge_arrays(good.path)
    records.check(records.read(good.path))  # forging alone is not what is refused
    forge_arrays(good.path, **changed)
    refused(good.path, words)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "fake"},
        {"config": {}},
        {"history": {"loss": [1.0]}},
        {"accuracy": 1},
        {"status": "failed", "reason": "it broke"},
    ],
)
def test_a_failing_check_leaves_the_earlier_record(good, wrong):
    before = files(good.path.parent)
    content, arrays = made_up()
    with pytest.raises(stored.StoredError):
        records.write(good.path.parent, content | wrong, arrays)
    assert files(good.path.parent) == before
    records.check(records.read(good.path))


def test_objects_are_never_unpickled(good, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    forge_arrays(good.path, truth=np.array([Trap()], dtype=object))
    refused(good.path, "no plain arrays")
    assert not (tmp_path / "sprung").exists()


# ---------------------------------------------------------------------------- edited by hand

BY_HAND = {
    "another seed": ({"config__seed": 1}, "belong to the id"),
    "another method": ({"config__method": "NB"}, "has no setting 'depth'|belong to the id"),
    "a setting of another value": ({"config__depth": 9}, "belong to the id"),
    "a mistyped setting": ({"config__dept": 9}, "no setting 'dept'. Did you mean 'depth'"),
    "a setting of another type": ({"config__depth": "3"}, "depth is '3'"),
    "images of another year": ({"data": "drawn-of-old"}, "not made on the images"),
    "fewer images": ({"config__images_per_class": 6}, "belong to the id"),
}


@pytest.mark.parametrize("edited", BY_HAND)
def test_a_record_edited_by_hand_is_not_read_as_a_result(fake, folders, monkeypatch, edited):
    """By none of the ways by which the book and the command read one."""
    record = study.compute(FAKE)
    entries, words = BY_HAND[edited]
    edit(record.path, **entries)
    monkeypatch.setattr(records, "folder", lambda: record.path.parent)
    for read in (study.select, lambda: study.recorded(FAKE), lambda: study.run(FAKE, "full")):
        with pytest.raises(stored.StoredError, match=words) as caught:
            read()
        assert str(record.path) in str(caught.value)
    assert len(fake.calls) == 1


SETTINGS = {
    "no such method": ({"method": "fak"}, "method is 'fak'. Did you mean 'fake'?"),
    "no such task": ({"task": "tow"}, "task is 'tow'. Did you mean 'two'?"),
    "a task by its number": ({"task": 2}, "task is 2. There are: four, two."),
    "half a seed": ({"seed": 1.0}, "seed is 1.0"),
    "a true seed": ({"seed": True}, "seed is True"),
    "no such images": ({"images": "real"}, "images is 'real'. There are: published, drawn."),
    "too few images": ({"images_per_class": 4}, "images_per_class is 4"),
    "another filter": ({"resize": "nearest"}, "resize is 'nearest'"),
    "a filter for what is drawn": (
        {"images": "drawn", "resize": "sampled"},
        "resize is 'sampled', which synthetic cells can't be",
    ),
    "half an image": ({"images_per_class": 5.0}, "images_per_class is 5.0"),
    "a mistyped setting": ({"dept": 4}, "fake has no setting 'dept'. Did you mean 'depth'?"),
    "a setting in quotes": ({"depth": "4"}, "fake: depth is '4'"),
    "a setting that is NaN": ({"rate": float("nan")}, "fake: rate is nan"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_refused(fake, setting):
    wrong, words = SETTINGS[setting]
    config = {"method": "fake", "task": "four"} | wrong
    for door in (study.resolve, study.identify, study.run, study.compute, study.describe):
        with pytest.raises(ValueError, match=re.escape(words)):
            door(config)
    assert not fake.calls


# -------------------------------------------------------------------------- killed at any moment


def write_many(folder, n, seed):
    """Write records of four runs, in any order."""
    rng = random.Random(seed)
    contents = [made_up(epochs=e, seed=e, n=400) for e in range(1, 5)]
    records.write(folder, *contents[0])

    def write():
        for _ in range(n):
            content, arrays = rng.choice(contents)
            ident = f"fake-four-{rng.randrange(4):010}"
            records.write(folder, content | {"id": ident}, arrays)

    return write


@posix
@pytest.mark.long
def test_a_writer_killed_at_any_moment(tmp_path, record_property):
    """Some hundred kills: each record is whole, and what is left lying about is in nobody's way."""
    rng, times = random.Random(1), 15 * SCALE
    calls = count_calls(write_many, tmp_path, 5, 0)
    seen = killed = 0
    for turn in range(times):
        killed += kill_at_random(write_many, tmp_path, 5, turn, rng=rng, calls=calls)
        found = records.read_all(tmp_path)
        for record in found:
            records.check(record)
        seen += len(found)
    assert seen > times
    assert killed > times / 2, "few kills hit a writer at work: the test shows little"
    record_property("times", times)


# ------------------------------------------------------------------------------------ full disks

WRITERS = {
    "a record": lambda folder: records.write(folder, *made_up(epochs=9, seed=5, n=400)),
    "a record without predictions": lambda folder: records.write(folder, *made_up(status="failed")),
    "any file": lambda folder: stored.write_atomically(folder / "any", bytes(100_000)),
}


@posix
@pytest.mark.parametrize("what", WRITERS)
def test_a_disk_full_at_any_byte_of(tmp_path, what, record_property):
    """The error of the disk is raised, what there was is whole, and nothing half is left."""
    good = records.write(tmp_path, *made_up())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rng, times = random.Random(5), 10 * SCALE
    for _ in range(times):
        with full_disk(rng.randrange(400)), pytest.raises(OSError, match="too large"):
            WRITERS[what](tmp_path)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        records.check(records.read(good.path))
    WRITERS[what](tmp_path)
    record_property("times", times)


@posix
def test_a_disk_full_while_a_run_is_recorded(fake, folders):
    """No failure of the run: the same command goes on when there is space."""
    study.load("drawn", 5)
    with full_disk(300), pytest.raises(OSError, match="too large"):
        study.compute(FAKE)
    assert study.recorded(FAKE) is None
    assert study.compute(FAKE).status == "complete"


# ------------------------------------------------------------------------------------ two at once


def write_in_turns(folder, seed):
    def write():
        for turn in range(25):
            records.write(folder, *made_up(epochs=1 + turn % 3, seed=100 * seed + turn, n=50))

    return write


@pytest.mark.long
def test_writers_that_share_no_lock(tmp_path, record_property):
    """As on two machines with a folder of results in common: the last record is whole."""
    times = 10 * SCALE

    for _ in range(times):
        children = [start(write_in_turns, tmp_path, seed) for seed in range(3)]
        assert [end(child) for child in children] == [0] * 3
        (record,) = records.read_all(tmp_path)
        records.check(record)
    record_property("times", times)
