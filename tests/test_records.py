"""A record is there whole or not at all, and what was damaged is refused by name."""

import subprocess

import numpy as np
import pytest
from made_records import made_up

from bloodlib import study
from bloodlib.data import splits, stored
from bloodlib.models import methods
from bloodlib.study import records


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
    with pytest.raises(stored.StoredError, match=f"{record.path.name}.*it broke"):
        _ = record.arrays


def test_entries_are_attributes_and_others_are_not(good):
    assert good.config["method"] == "fake"
    with pytest.raises(AttributeError, match="'colour'"):
        _ = good.colour


def test_confusion_counts_true_classes_in_rows(tmp_path):
    good = records.write(tmp_path, *made_up(epochs=3))
    truth, labels = good.arrays["truth"], good.arrays["labels"]
    for epoch, row in ((None, 2), (1, 0), (2, 1)):
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


def test_the_same_record_written_again_changes_nothing(good):
    before = listing(good.path.parent)
    records.write(good.path.parent, *made_up())
    assert listing(good.path.parent) == before


@pytest.mark.parametrize("seed", [0, 1])  # the same predictions as before, and others
def test_a_record_that_fails_its_check_leaves_the_earlier_whole(good, seed):
    before = listing(good.path.parent)
    content, arrays = made_up(seed=seed)
    with pytest.raises(stored.StoredError, match=good.path.name):
        records.write(good.path.parent, content | {"history": "?"}, arrays)
    assert listing(good.path.parent) == before


def test_leftovers_do_not_disturb(good):
    folder = good.path.parent
    (folder / f".{good.path.name}.123.tmp").write_text('{"half')
    (folder / f"{good.id}.deadbeef.npz").write_bytes(b"half")
    (folder / "README.md").write_text("about")
    (record,) = records.read_all(folder)
    records.check(record)


def test_no_record_is_missing_and_not_damaged(tmp_path):
    with pytest.raises(stored.MissingError, match="no record fake-four-0123456789"):
        records.read(tmp_path / "fake-four-0123456789.json")
    assert records.read_all(tmp_path / "nowhere") == []


# -------------------------------------------------------------------------------------- id


def test_ids_of_the_papers_baselines_are_frozen():
    """Records would be lost if these changed."""
    assert study.identify({"method": "NB", "task": "four"}) == "NB-four-3531c940b9"
    assert study.identify({"method": "NB", "task": "two"}) == "NB-two-adc499db28"
    assert records.defaults("DCLNN")["pooling"] == "max"


def test_a_setting_added_later_changes_no_id(monkeypatch):
    def first(data, task, seed, checkpoint, *, depth: int = 3): ...

    def second(data, task, seed, checkpoint, *, wide: bool = False, depth: int = 3): ...

    configs = [{"method": "fake", "task": "four", "depth": d} for d in (3, 4)]
    monkeypatch.setitem(methods.METHODS, "fake", first)
    before = [study.identify(config) for config in configs]
    monkeypatch.setitem(methods.METHODS, "fake", second)
    assert [study.identify(config) for config in configs] == before
    assert study.identify(configs[0] | {"wide": True}) not in before


# ------------------------------------------------------------------------------ environment


def test_the_environment_says_what_computed_it(monkeypatch):
    found = stored.environment("", "")
    assert found["device"] == "processor"
    assert found["packages"]["numpy"] == np.__version__
    assert set(found["packages"]) <= set(stored.PACKAGES)
    assert stored.environment("A GPU", "jax")["device"] == "A GPU"


def test_outside_a_checkout_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(records.stored, "checkout", lambda: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert stored.commit.__wrapped__() == ""


@pytest.mark.parametrize("committed", [False, True])
def test_somebody_elses_repository_is_not_where_it_comes_from(monkeypatch, tmp_path, committed):
    """The source's archive, unpacked in another checkout, and perhaps committed there."""

    def git(*words):
        me = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *me, *words], cwd=tmp_path, check=True, capture_output=True)

    book = tmp_path / "book"
    book.mkdir()
    (book / "study.yml").write_text("runs: []\n")
    git("init")
    if committed:
        git("add", "book")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(records.stored, "checkout", lambda: book)
    assert stored.commit.__wrapped__() == ""
    monkeypatch.setattr(records.stored, "checkout", lambda: tmp_path)
    (tmp_path / "study.yml").write_text("runs: []\n")
    git("add", "study.yml")
    git("commit", "-m", "a checkout of its own")
    assert len(stored.commit.__wrapped__()) == 40


def test_a_record_of_a_fold_is_not_taken_for_another_folds():
    (record,) = study.select(method="NB", task="four", split_by="cell", fold=2)
    records.check(record)
    config = record.config | {"fold": 1}
    for more, words in (
        ({}, "it was not made on the published images"),
        ({"data": splits.data_hash("cell", 1)}, "truth is not that of TEST"),
    ):
        other = records.Record(record.path, record.content | {"config": config} | more)
        with pytest.raises(stored.StoredError, match=words):
            records.check(other)
