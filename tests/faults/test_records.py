"""Records that were killed, damaged, edited or raced for: none is ever taken for what it is not."""

import io
import os
import random
import re
import types

import numpy as np
import pytest
from chance import SCALE, count_calls, end, full_disk, kill_at_random, start
from conftest import FAKE
from made_records import cut, edit, files, flip, forge, forge_arrays, made_up, npz
from made_up import posix

from bloodlib import study
from bloodlib.data import images, paths
from bloodlib.models import training
from bloodlib.study import records


@pytest.fixture
def good(tmp_path):
    return records.write(tmp_path / "runs", *made_up())


# ---------------------------------------------------------------------------------- damage


def refused(path, *words):
    """Reading and checking the record is refused, naming one of its files."""
    with pytest.raises(records.RecordError) as caught:
        records.check(records.read(path))
    text = str(caught.value)
    assert type(caught.value) is records.RecordError
    assert str(path.parent / path.stem) in text
    for word in words:
        assert word in text
    return text


FILES = {
    "npz changed by a byte": (lambda p: flip(npz(p), 200), "is not the file"),
    "npz changed at its end": (lambda p: flip(npz(p), -1), "is not the file"),
    "npz truncated": (lambda p: cut(npz(p)), "is not the file"),
    "npz empty": (lambda p: npz(p).write_bytes(b""), "is not the file"),
    "npz missing": (lambda p: npz(p).unlink(), "can't be read"),
    "npz a text": (lambda p: forge(p, b"no arrays"), "no plain arrays"),
    "npz a single array": (lambda p: forge(p, single()), "no plain arrays"),
    "npz a broken archive": (lambda p: forge(p, npz(p).read_bytes()[:-30]), "no plain arrays"),
    "npz with pickled objects": (
        lambda p: forge_arrays(p, truth=np.array([{}] * 9, dtype=object)),
        "no plain arrays",
    ),
    "JSON truncated": (cut, "is no record"),
    "JSON empty": (lambda p: p.write_bytes(b""), "is no record"),
    "JSON not UTF-8": (lambda p: p.write_bytes(b"\xff{}"), "is no record"),
    "JSON a list": (lambda p: p.write_text("[]"), "is not of type 'object'"),
    "JSON a folder": (lambda p: (p.unlink(), p.mkdir()), "is no record"),
    "renamed": (lambda p: edit(p, id="fake-four-9999999999"), "not the record's id"),
    "id with a path in it": (lambda p: edit(p, id="../x-four-0123456789"), "id"),
    "arrays elsewhere": (lambda p: edit(p, arrays__file="../x.01234567.npz"), "arrays"),
    "of a newer version": (lambda p: edit(p, schema=99), "newer bloodlib"),
    "of no version": (lambda p: edit(p, schema="1"), "schema"),
    "an unknown key": (lambda p: edit(p, accuracy=0.99), "accuracy"),
    "a key missing": (lambda p: p.write_text('{"schema": 1}'), "required"),
    "seed no number": (lambda p: edit(p, config__seed="0"), "config/seed"),
    "seed a truth value": (lambda p: edit(p, config__seed=True), "config/seed"),
    "another task": (lambda p: edit(p, config__task="two"), "unknown class"),
    "no such task": (lambda p: edit(p, config__task="three"), "config/task"),
    "images renamed": (lambda p: edit(p, config__images="real"), "config/images"),
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
    "status unknown": (lambda p: edit(p, status="done"), "status"),
    "losses of other epochs": (lambda p: edit(p, history__loss=[0.5]), "loss has not one value"),
    "loss not a number": (lambda p: edit(p, history__loss=[0.5, float("nan")]), "not finite"),
    "loss a word": (lambda p: edit(p, history__loss=["a", "b"]), "history/loss/"),
    "seconds negative": (lambda p: edit(p, seconds=-1), "seconds"),
}


def single():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


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
    "probabilities infinite": (with_("probabilities_simple", put((0, 0), np.inf)), "sum to 1"),
    "probabilities of another sum": (with_("probabilities", lambda a: a / 2), "sum to 1"),
    "probabilities negative": (
        with_("probabilities", put(0, [1.5, -0.5, 0, 0])),
        "probabilities do not",
    ),
    "probabilities of fewer": (with_("probabilities", lambda a: a[1:]), "wrong shape"),
    "probabilities of two classes": (with_("probabilities_simple", lambda a: a[:, :2]), "shape"),
    "probabilities in float64": (with_("probabilities", lambda a: a.astype(float)), "float16"),
    "probabilities missing": ({"probabilities": None}, "probabilities is missing"),
    "label out of range": (with_("labels", put((0, 0), 4)), "unknown class"),
    "label of the simple out of range": (with_("labels_simple", put(0, 200)), "unknown class"),
    "truth out of range": (with_("truth", put(0, 4)), "unknown class"),
    "labels signed": (with_("labels", lambda a: a.astype(np.int64)), "uint8"),
    "labels of one epoch, flat": (with_("labels", lambda a: a[0]), "[epochs, n]"),
    "labels of no epoch": (with_("labels", lambda a: a[:0]), "[epochs, n]"),
    "labels of fewer": (with_("labels", lambda a: a[:, 1:]), "differ in shape"),
    "labels with an axis more": (with_("labels", lambda a: a[None]), "[epochs, n]"),
    "labels of the simple by epoch": (with_("labels_simple", lambda a: a[None]), "differ in shape"),
    "truth with an axis more": (with_("truth", lambda a: a[None]), "truth is not [n]"),
    "no images": (
        {
            "truth": np.zeros(0, np.uint8),
            "labels": np.zeros((2, 0), np.uint8),
            "probabilities": np.zeros((0, 4), np.float16),
        },
        "truth is not [n]",
    ),
    "truth missing": ({"truth": None}, "truth is missing"),
    "truth of the simple missing": ({"truth_simple": None}, "truth_simple is missing"),
    "labels missing": ({"labels": None}, "labels is missing"),
    "labels of the simple missing": ({"labels_simple": None}, "labels_simple is missing"),
    "probabilities of the simple missing": (
        {"probabilities_simple": None},
        "probabilities_simple is missing",
    ),
    "confusion of other epochs": (with_("confusion_train", lambda a: a[1:]), "confusion_train"),
    "confusion of two classes": (with_("confusion_train", lambda a: a[:, :2, :2]), "confusion"),
    "confusion in floats": (with_("confusion_train", lambda a: a.astype(float)), "int32"),
    "an array more": ({"accuracy": np.ones(1)}, "unknown arrays {'accuracy'}"),
}


@pytest.mark.parametrize("damage", ARRAYS)
def test_wrong_predictions_are_refused_by_name(good, damage):
    changed, words = ARRAYS[damage]
    forge_arrays(good.path)
    records.check(records.read(good.path))  # forging alone is not what is refused
    forge_arrays(good.path, **changed)
    refused(good.path, words)


def broken(damage):
    arrays = made_up()[1] | ARRAYS[damage][0]
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize("damage", ARRAYS)
def test_what_would_not_pass_the_check_is_not_written(tmp_path, damage):
    with pytest.raises(records.RecordError, match="fake-four-0123456789"):
        records.write(tmp_path, made_up()[0], broken(damage))
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(records.RecordError):
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
        with pytest.raises(records.RecordError, match=words) as caught:
            read()
        assert str(record.path) in str(caught.value)
    assert len(fake.calls) == 1


SETTINGS = {
    "no such method": ({"method": "fak"}, "method is 'fak'. Did you mean 'fake'?"),
    "no method": ({"method": None}, "method is None"),
    "no such task": ({"task": "tow"}, "task is 'tow'. Did you mean 'two'?"),
    "a task by its number": ({"task": 2}, "task is 2. There are: four, two."),
    "a negative seed": ({"seed": -1}, "seed is -1"),
    "half a seed": ({"seed": 1.0}, "seed is 1.0"),
    "a true seed": ({"seed": True}, "seed is True"),
    "a seed in quotes": ({"seed": "1"}, "seed is '1'"),
    "a seed that is no number": ({"seed": float("nan")}, "seed is nan"),
    "no such images": ({"images": "real"}, "images is 'real'. There are: published, drawn."),
    "too few images": ({"images_per_class": 4}, "images_per_class is 4"),
    "another filter": ({"resize": "nearest"}, "resize is 'nearest'"),
    "a filter for what is drawn": ({"images": "drawn", "resize": "sampled"}, "drawn small"),
    "half an image": ({"images_per_class": 5.0}, "images_per_class is 5.0"),
    "a true number of images": ({"images_per_class": True}, "images_per_class is True"),
    "a mistyped setting": ({"dept": 4}, "fake has no setting 'dept'. Did you mean 'depth'?"),
    "a setting in quotes": ({"depth": "4"}, "fake: depth is '4'"),
    "a setting that is NaN": ({"rate": float("nan")}, "fake: rate is nan"),
    "a setting that is infinite": ({"rate": float("inf")}, "fake: rate is inf"),
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
    for record in records.read_all(tmp_path):
        records.write(tmp_path, made_up()[0] | {"id": record.id}, made_up()[1])
        assert len(list(tmp_path.glob(f"{record.id}.*.npz"))) == 1
    record_property("times", times)


class Model:
    """What a checkpoint takes from a network: weights, and an optimizer without any of its own."""

    def __init__(self, weights):
        self.weights, self.optimizer = weights, types.SimpleNamespace(variables=[])

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def state_after(epochs):
    """A network whose weights tell the epoch, and its state."""
    rows = {name: [float(e) for e in range(epochs)] for name in training.HISTORY}
    rows |= {"labels": [np.full(9, e) for e in range(epochs)], "confusion": [np.eye(4)] * epochs}
    rows |= {name: np.full((9, 4), epochs) for name in ("TEST", "TEST_SIMPLE")}
    return Model([np.full((300, 300), epochs, np.float32)]), rows


def save_many(file):
    states = [state_after(epoch) for epoch in range(1, 8)]
    training._save(states[0][0], file, states[0][1])

    def save():
        for model, rows in states:
            training._save(model, file, rows)

    return save


@posix
@pytest.mark.long
def test_a_checkpoint_killed_at_any_moment(tmp_path, record_property):
    """What goes on goes on from a whole epoch: weights and history are of the same."""
    rng, times, file = random.Random(3), 15 * SCALE, tmp_path / "run.npz"
    calls = count_calls(save_many, file)
    seen = set()
    for _ in range(times):
        kill_at_random(save_many, file, rng=rng, calls=calls)
        model = Model([np.zeros((300, 300), np.float32)])
        state = training._restore(model, file)
        (epoch,) = set(model.weights[0].ravel().tolist())
        assert len(state["loss"]) == len(state["labels"]) == epoch == state["TEST"][0, 0]
        seen.add(epoch)
    assert len(seen) > 2
    left = [path for path in tmp_path.iterdir() if path.name != "run.npz"]
    assert len(left) <= 1  # what the last kill left
    record_property("times", times)


# ------------------------------------------------------------------------------------ full disks

WRITERS = {
    "a record": lambda folder, good: records.write(folder, *made_up(epochs=9, seed=5, n=400)),
    "a record without predictions": lambda folder, good: records.write(
        folder, *made_up(status="failed")
    ),
    "a checkpoint": lambda folder, good: training._save(
        state_after(2)[0], folder / "run.npz", state_after(2)[1]
    ),
    "any file": lambda folder, good: paths.write_atomically(folder / "any", bytes(100_000)),
}


@posix
@pytest.mark.parametrize("what", WRITERS)
def test_a_disk_full_at_any_byte_of(tmp_path, what, record_property):
    """The error of the disk is raised, what there was is whole, and nothing half is left."""
    good = records.write(tmp_path, *made_up())
    if what == "a checkpoint":
        WRITERS[what](tmp_path, good)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rng, times = random.Random(5), 10 * SCALE
    for _ in range(times):
        with full_disk(rng.randrange(400)), pytest.raises(OSError, match="too large"):
            WRITERS[what](tmp_path, good)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        records.check(records.read(good.path))
    WRITERS[what](tmp_path, good)
    record_property("times", times)


@posix
def test_a_disk_full_while_a_run_is_recorded(fake, folders):
    """No failure of the run: the same command goes on when there is space."""
    study.load("drawn", 5)
    with full_disk(300), pytest.raises(OSError, match="too large"):
        study.compute(FAKE)
    assert study.recorded(FAKE) is None
    assert study.compute(FAKE).status == "complete"


def test_an_error_of_the_disk_in_training_is_not_the_runs_failure(fake, folders):
    fake.error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        study.compute(FAKE)
    assert study.recorded(FAKE) is None


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
        assert len(list(tmp_path.iterdir())) == 2
    record_property("times", times)
