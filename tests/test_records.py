"""A record is there whole or not at all, and what was damaged is refused by name."""

import copy
import hashlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodlib import images, methods, records, study

ENVIRONMENT = {
    "commit": "",
    "python": "3.13",
    "platform": "",
    "processor": "",
    "device": "processor",
    "backend": "",
    "packages": {},
}


def made_up(epochs=2, n=9, seed=0, status="complete"):
    """A record's JSON entries and its arrays, for four classes."""
    rng = np.random.default_rng(seed)
    arrays = {
        "truth": np.arange(n, dtype=np.uint8) % 4,
        "truth_simple": np.arange(4, dtype=np.uint8),
        "labels": rng.integers(0, 4, (epochs, n), dtype=np.uint8),
        "labels_simple": rng.integers(0, 4, 4, dtype=np.uint8),
        "probabilities": rng.dirichlet(np.ones(4), n).astype(np.float16),
        "probabilities_simple": rng.dirichlet(np.ones(4), 4).astype(np.float16),
        "confusion_train": rng.integers(0, 9, (epochs, 4, 4), dtype=np.int32),
    }
    content = {
        "id": "fake-four-0123456789",
        "status": status,
        "reason": "" if status == "complete" else "it broke",
        "config": {
            "method": "fake",
            "task": "four",
            "seed": 0,
            "images": "drawn",
            "images_per_class": 9,
        },
        "data": "drawn-1",
        "history": {"loss": [0.5] * epochs} if status == "complete" else {},
        "weights": "",
        "environment": ENVIRONMENT,
        "started": "2025-01-01T00:00:00+00:00",
        "seconds": 1.5,
    }
    return content, arrays if status == "complete" else None


@pytest.fixture
def good(tmp_path):
    return records.write(tmp_path / "runs", *made_up())


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --------------------------------------------------------------------------- write and read


def test_what_is_written_is_read(tmp_path):
    content, arrays = made_up()
    written = records.write(tmp_path / "new" / "folder", content, arrays)
    record = records.read(written.path)
    records.check(record)
    assert {**content, "schema": records.SCHEMA}.items() <= record.content.items()
    assert set(record.arrays) == set(arrays)
    for name, array in arrays.items():
        assert record.arrays[name].dtype == array.dtype
        assert np.array_equal(record.arrays[name], array)
    assert record.epochs == 2
    assert sorted(p.name for p in written.path.parent.iterdir()) == sorted(
        [written.path.name, record.content["arrays"]["file"]]
    )


@pytest.mark.parametrize("status", ["failed", "infeasible"])
def test_a_run_without_predictions_is_a_record_too(tmp_path, status):
    record = records.read(records.write(tmp_path, *made_up(status=status)).path)
    records.check(record)
    assert (record.status, record.reason) == (status, "it broke")
    with pytest.raises(records.RecordError, match=f"{record.path.name}.*it broke"):
        _ = record.arrays


def test_entries_are_attributes_and_others_are_not(good):
    assert good.config["method"] == "fake"
    with pytest.raises(AttributeError, match="'colour'"):
        _ = good.colour
    assert copy.copy(good).id == good.id
    assert copy.deepcopy(good).id == good.id


def test_confusion_counts_true_classes_in_rows(good):
    truth, labels = good.arrays["truth"], good.arrays["labels"]
    for epoch, row in ((None, 1), (1, 0), (2, 1)):
        expected = np.zeros((4, 4), int)
        for true, said in zip(truth, labels[row], strict=True):
            expected[true, said] += 1
        assert np.array_equal(good.confusion(epoch=epoch), expected)
        assert np.array_equal(good.confusion("TRAIN", epoch), good.arrays["confusion_train"][row])
    simple = good.confusion("TEST_SIMPLE")
    assert simple.sum(axis=1).tolist() == [1] * 4
    assert simple.argmax(axis=1).tolist() == good.arrays["labels_simple"].tolist()


def test_a_record_written_again_takes_its_predictions_with_it(good):
    folder = good.path.parent
    content, arrays = made_up(epochs=3, seed=1)
    records.write(folder, content, arrays)
    (record,) = records.read_all(folder)
    assert np.array_equal(record.arrays["labels"], arrays["labels"])
    assert len(list(folder.iterdir())) == 2
    records.write(folder, *made_up(status="failed"))
    assert [path.name for path in folder.iterdir()] == [good.path.name]


def test_other_runs_are_left_alone(good):
    folder = good.path.parent
    before = listing(folder)
    content, arrays = made_up(seed=1)
    records.write(folder, content | {"id": "fake-four-1123456789"}, arrays)
    assert listing(folder).items() > before.items()
    assert [record.id[-10:] for record in records.read_all(folder)] == ["0123456789", "1123456789"]


def test_no_record_is_missing_and_not_damaged(tmp_path):
    with pytest.raises(records.MissingRecordError, match="no record fake-four-0123456789"):
        records.read(tmp_path / "fake-four-0123456789.json")
    assert records.read_all(tmp_path / "nowhere") == []


def test_differences_are_counted_array_by_array(good):
    assert records.differences(good, good.arrays) == []
    other = {name: array.copy() for name, array in good.arrays.items()}
    other["labels"][0, :2] ^= 1
    other["probabilities"][3, 0] += np.float16(0.25)
    other["truth"] = other["truth"].astype(np.int64)
    del other["confusion_train"]
    assert records.differences(good, other) == [
        "confusion_train: in only one of the two",
        "labels: 2 of 18 entries differ",
        "probabilities: 1 of 36 entries differ by up to 0.25",
        "truth: another shape or type",
    ]


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


def edit(path, **entries):
    """Edit the JSON by hand; ``a__b`` is b in a."""
    content = json.loads(path.read_text())
    for key, value in entries.items():
        place = content
        *outer, last = key.split("__")
        for part in outer:
            place = place[part]
        place[last] = value
    path.write_text(json.dumps(content))


def forge(path, raw):
    """Put other predictions in place of a record's, its checksum made to agree."""
    name = json.loads(path.read_text())["arrays"]["file"]
    path.with_name(name).write_bytes(raw)
    edit(path, arrays__sha256=hashlib.sha256(raw).hexdigest())


def forge_arrays(path, **changed):
    arrays = {k: v for k, v in (made_up()[1] | changed).items() if v is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    forge(path, buffer.getvalue())


def npz(path):
    return next(path.parent.glob("*.npz"))


def flip(path, place):
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


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
    before = listing(good.path.parent)
    content, arrays = made_up()
    with pytest.raises(records.RecordError):
        records.write(good.path.parent, content | wrong, arrays)
    assert listing(good.path.parent) == before
    records.check(records.read(good.path))


def test_objects_are_never_unpickled(good, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    forge_arrays(good.path, truth=np.array([Trap()], dtype=object))
    refused(good.path, "no plain arrays")
    assert not (tmp_path / "sprung").exists()


# -------------------------------------------------------------------------------------- id

CONFIG = {"method": "fake", "task": "two", "seed": 0, "depth": 3, "rate": 0.5, "epochs": 8}
DEFAULTS = {"seed": 0, "depth": 3, "rate": 0.5, "epochs": 1}


def test_the_id_is_the_same_tomorrow():
    assert records.identify(CONFIG, DEFAULTS, "abc") == "fake-two-fe914cf8b8"
    assert records.identify(CONFIG | {"rate": 0.1}, DEFAULTS, "abc") == "fake-two-1496b8088f"


def test_ids_of_the_papers_baselines_are_frozen():
    """Records would be lost if these changed."""
    assert study.identify({"method": "NB", "task": "four"}) == "NB-four-3531c940b9"
    assert study.identify({"method": "NB", "task": "two"}) == "NB-two-adc499db28"


@given(st.integers(1, 100), st.permutations(list(CONFIG)))
def test_epochs_and_order_are_not_part_of_the_id(epochs, order):
    shuffled = {key: CONFIG[key] for key in order} | {"epochs": epochs}
    assert records.identify(shuffled, DEFAULTS, "abc") == records.identify(CONFIG, DEFAULTS, "abc")


def test_defaults_are_not_part_of_the_id():
    short = {"method": "fake", "task": "two"}
    assert records.identify(short, DEFAULTS, "abc") == records.identify(CONFIG, DEFAULTS, "abc")


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["depth", "seed"]), st.integers(4, 9), min_size=1))
def test_every_other_setting_is(changed):
    assert records.identify(CONFIG | changed, DEFAULTS, "abc") != records.identify(
        CONFIG, DEFAULTS, "abc"
    )


def test_the_images_are_part_of_the_id():
    ids = {records.identify(CONFIG, DEFAULTS, data) for data in ("abc", "abd", "abc-400")}
    assert len(ids) == 3


def test_a_setting_added_later_changes_no_id(monkeypatch):
    def first(data, task, seed, checkpoint, *, depth: int = 3): ...

    def second(data, task, seed, checkpoint, *, wide: bool = False, depth: int = 3): ...

    configs = [{"method": "fake", "task": "four", "depth": d} for d in (3, 4)]
    monkeypatch.setitem(methods.METHODS, "fake", first)
    before = [study.identify(config) for config in configs]
    monkeypatch.setitem(methods.METHODS, "fake", second)
    assert [study.identify(config) for config in configs] == before
    assert study.identify(configs[0] | {"wide": True}) not in before


# ------------------------------------------------------------------------------ interrupted

KILLED = """
import os, random, signal, sys, time
from pathlib import Path

sys.path.insert(0, sys.argv[2])
from test_records import made_up
from bloodlib import records

folder, kills = Path(sys.argv[1]), 60
rng = random.Random(1)
contents = [(made_up(epochs=e, seed=e, n=400)) for e in range(1, 5)]
records.write(folder, *contents[0])  # everything is imported once


def forever():
    while True:
        content, arrays = rng.choice(contents)
        ident = f"fake-four-{rng.randrange(4):010}"
        records.write(folder, content | {"id": ident}, arrays)


seen = left = 0
for kill in range(kills):
    rng.seed(kill)
    child = os.fork()
    if not child:
        try:
            forever()
        finally:
            os._exit(1)
    time.sleep(rng.uniform(0.002, 0.05))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the writer stopped by itself: {status}"
    found = records.read_all(folder)
    for record in found:
        records.check(record)
    seen += len(found)
    left += sum(path.suffix == ".tmp" for path in folder.iterdir())
print(seen, left)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_a_writer_killed_at_any_moment_leaves_only_whole_records(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    seen, left = map(int, result.stdout.split())
    assert seen > 60
    assert left > 0, "no kill hit a writer at work: the test shows nothing"
    # what was left lying about is in nobody's way
    for record in records.read_all(tmp_path):
        records.write(tmp_path, made_up()[0] | {"id": record.id}, made_up()[1])
        assert len(list(tmp_path.glob(f"{record.id}.*.npz"))) == 1


def test_leftovers_do_not_disturb(good):
    folder = good.path.parent
    (folder / f".{good.path.name}.123.tmp").write_text('{"half')
    (folder / f"{good.id}.deadbeef.npz").write_bytes(b"half")
    (folder / "README.md").write_text("about")
    (record,) = records.read_all(folder)
    records.check(record)
    records.write(folder, *made_up(seed=1))
    assert not (folder / f"{good.id}.deadbeef.npz").exists()


# ------------------------------------------------------------------------------ environment


def test_the_environment_says_what_computed_it(monkeypatch):
    found = records.environment("", "")
    assert found["device"] == "processor"
    assert found["packages"]["numpy"] == np.__version__
    assert set(found["packages"]) <= set(records.PACKAGES)
    assert records.environment("A GPU", "jax")["device"] == "A GPU"


def test_outside_a_checkout_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(records.paths, "checkout", lambda: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert records.commit.__wrapped__() == ""
