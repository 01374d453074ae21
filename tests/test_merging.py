"""Records of other machines come in whole, and never at the cost of ours."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import answer

from bloodlib import cli, merging, methods, records, study

FAKE = {"method": "fake", "task": "four", "images": "drawn", "images_per_class": 5}


@pytest.fixture
def theirs(fake, folders, tmp_path, monkeypatch):
    """A function that computes a run on another machine; records lie in ``theirs.folder``."""

    def compute(**settings):
        with monkeypatch.context() as there:
            there.setenv("BLOODLIB_CACHE", str(tmp_path / "another machine"))
            return study.compute(FAKE | settings)

    compute.folder = tmp_path / "another machine" / "runs"
    return compute


def merged(folder):
    return [outcome for _, outcome, _ in merging.merge(folder)]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_answers(monkeypatch):
    """From now on a fake run answers by its settings alone, as a method without chance does."""

    def method(data, task, seed, checkpoint, *, depth: int = 3, epochs: int = 1):
        return answer(data, task, epochs, seed=depth)

    monkeypatch.setitem(methods.METHODS, "fake", method)


# ------------------------------------------------------------------------------- what is new


def test_what_is_missing_is_copied_byte_for_byte(theirs, folders):
    for depth in (1, 2):
        theirs(depth=depth)
    before = files(theirs.folder)
    assert merged(theirs.folder) == ["added", "added"]
    assert files(folders.cache / "runs") == before == files(theirs.folder)
    for depth in (1, 2):
        assert study.run(FAKE | {"depth": depth}).config["depth"] == depth


def test_merging_twice_changes_nothing(theirs, folders):
    theirs()
    merged(theirs.folder)
    before = files(folders.cache / "runs")
    assert merged(theirs.folder) == ["same"]
    assert files(folders.cache / "runs") == before


def test_records_of_two_machines_come_together(theirs, folders):
    ours = study.compute(FAKE | {"depth": 1})
    theirs(depth=2)
    assert merged(theirs.folder) == ["added"]
    found = records.read_all(folders.cache / "runs")
    assert sorted(record.config["depth"] for record in found) == [1, 2]
    assert study.run(FAKE | {"depth": 1}).content == ours.content


@pytest.mark.parametrize("inside", ["", "runs", "results/runs"])
def test_the_folder_may_be_a_checkout_or_its_results(theirs, tmp_path, inside):
    theirs()
    copy = tmp_path / "a stick"
    shutil.copytree(theirs.folder, copy / inside)
    if inside:
        (copy / "dataset.json").write_text("{}")  # beside the records, and none itself
    assert merged(copy) == ["added"]


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no records in"):
        merged(tmp_path)


def test_a_frozen_record_is_merged_into_the_frozen_ones(fake, folders, tmp_path, monkeypatch):
    config = {"method": "fake", "task": "two"}
    labels = {split: study.images.labels(split, "two") for split in study.images.SPLITS}
    pixels = {split: np.zeros((len(rows), 1), np.uint8) for split, rows in labels.items()}
    data = methods.Data(pixels, {"two": labels}, study.images.DATA_HASH)
    monkeypatch.setattr(study, "load", lambda *_: data)
    study.load.cache_clear = lambda: None
    with monkeypatch.context() as there:
        there.setenv("BLOODLIB_RESULTS", str(tmp_path / "their results"))
        study.compute(config)
    assert merged(tmp_path / "their results") == ["added"]
    assert study.run(config).path.parent == folders.results / "runs"


# -------------------------------------------------------------------------------- what is both


def test_the_same_predictions_computed_twice_are_the_same(theirs, monkeypatch, folders):
    same_answers(monkeypatch)
    ours = study.compute(FAKE)
    theirs()
    (path,) = theirs.folder.glob("*.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"started": "2031-01-01T00:00:00+00:00"}))
    assert merged(theirs.folder) == ["same"]
    assert study.run(FAKE).content == ours.content


def test_other_predictions_do_not_replace_ours(theirs, folders):
    study.compute(FAKE)
    theirs()  # a fake run answers anew each time
    before = files(folders.cache / "runs")
    ((name, outcome, why),) = merging.merge(theirs.folder)
    assert (name, outcome) == (study.identify(FAKE), "kept")
    assert why.startswith("labels")
    assert "ours was made at" in why
    assert files(folders.cache / "runs") == before


def test_probabilities_alone_may_differ(theirs, monkeypatch, folders):
    same_answers(monkeypatch)
    study.compute(FAKE)
    record = theirs()
    rewrite(record, probabilities=np.full_like(record.arrays["probabilities"], 0.25))
    ((_, outcome, why),) = merging.merge(theirs.folder)
    assert outcome == "kept"
    assert why.startswith("probabilities")


def rewrite(record, **arrays):
    """Write other predictions under a record's name, as another machine might have found them."""
    content = {k: v for k, v in record.content.items() if k not in ("schema", "arrays")}
    return records.write(record.path.parent, content, record.arrays | arrays)


def begin_like(longer, shorter):
    """Make the first epochs of one record those of another."""
    labels = longer.arrays["labels"].copy()
    labels[: shorter.epochs] = shorter.arrays["labels"]
    return rewrite(longer, labels=labels)


def test_more_epochs_of_the_same_run_extend_ours(theirs, folders):
    ours = study.compute(FAKE | {"epochs": 2})
    begin_like(theirs(epochs=4), ours)
    assert merged(theirs.folder) == ["extended"]
    assert study.run(FAKE | {"epochs": 4}).epochs == 4
    assert len(list((folders.cache / "runs").glob("*.npz"))) == 1
    assert merged(theirs.folder) == ["same"]


def test_fewer_epochs_of_the_same_run_leave_ours(theirs, folders):
    short = theirs(epochs=2)
    ours = begin_like(study.compute(FAKE | {"epochs": 4}), short)
    assert merged(theirs.folder) == ["same"]
    assert study.run(FAKE).content == ours.content


@pytest.mark.parametrize("epochs", [1, 5])
def test_another_course_of_a_run_does_not_replace_ours(theirs, folders, epochs):
    ours = study.compute(FAKE | {"epochs": 3})
    theirs(epochs=epochs)
    assert merged(theirs.folder) == ["kept"]
    assert study.run(FAKE).content == ours.content


def test_a_success_replaces_a_failure_and_not_the_other_way_round(theirs, fake, folders):
    fake.error = ValueError("no luck here")
    with pytest.raises(study.RunError):
        study.compute(FAKE)
    with pytest.raises(study.RunError):
        theirs(depth=1)
    fake.error = None
    theirs()
    assert sorted(merged(theirs.folder)) == ["added", "failed"]
    assert study.run(FAKE).status == "complete"
    assert study.recorded(FAKE | {"depth": 1}) is None


def test_a_run_without_a_solution_is_merged_too(theirs, fake, folders):
    fake.error = methods.InfeasibleError("nu is too large")
    with pytest.raises(study.RunError):
        theirs()
    assert merged(theirs.folder) == ["added"]
    assert merged(theirs.folder) == ["same"]
    assert study.recorded(FAKE).status == "infeasible"


# -------------------------------------------------------------------------- what is not trusted


def npz(folder):
    return next(folder.glob("*.npz"))


def edit(folder, **entries):
    (path,) = folder.glob("*.json")
    content = json.loads(path.read_text())
    content["config"] |= entries.pop("config", {})
    path.write_text(json.dumps(content | entries))


def forge(folder):
    """Other predictions, their checksum made to agree, that can't be: a class of no name."""
    (path,) = folder.glob("*.json")
    record = records.read(path)
    arrays = record.arrays | {"labels": record.arrays["labels"] + 9}
    np.savez(npz(folder), **arrays)
    digest = hashlib.sha256(npz(folder).read_bytes()).hexdigest()
    edit(folder, arrays={"file": npz(folder).name, "sha256": digest})


DAMAGE = {
    "a byte of the predictions": (
        lambda f: npz(f).write_bytes(npz(f).read_bytes()[:-1] + b"!"),
        "is not the file",
    ),
    "no predictions": (lambda f: npz(f).unlink(), "can't be read"),
    "half of the JSON": (lambda f: next(f.glob("*.json")).write_text("{"), "is no record"),
    "a setting": (lambda f: edit(f, config={"depth": 9}), "belong to the id"),
    "a setting that is none": (lambda f: edit(f, config={"deep": 9}), "no setting 'deep'"),
    "other images": (lambda f: edit(f, data="drawn-of-old"), "was not made on the images"),
    "a class of no name": (forge, "unknown class"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_refused_and_the_others_come_in(theirs, folders, capsys, damage):
    spoil, words = DAMAGE[damage]
    broken = theirs()
    spoil(theirs.folder)
    theirs(depth=2)
    assert cli.main(["study", "--merge", str(theirs.folder)]) == 1
    printed = capsys.readouterr().out
    assert f"refused     {broken.path.stem}" in printed
    assert words in printed
    assert "1 added" in printed
    assert study.recorded(FAKE) is None
    assert study.run(FAKE | {"depth": 2}).status == "complete"
    assert len(list((folders.cache / "runs").iterdir())) == 2  # nothing of the other


def test_a_damaged_record_of_ours_is_named_and_left(theirs, folders):
    ours = study.compute(FAKE)
    theirs()
    ours.path.write_text("{")
    ((_, outcome, why),) = merging.merge(theirs.folder)
    assert outcome == "refused"
    assert str(ours.path) in why
    assert ours.path.read_text() == "{"


def test_a_run_that_is_being_computed_is_not_touched(theirs, folders):
    theirs()
    with study.lock(FAKE):
        ((_, outcome, why),) = merging.merge(theirs.folder)
    assert outcome == "refused"
    assert "another process is computing fake four" in why
    assert merged(theirs.folder) == ["added"]


# ----------------------------------------------------------------------- killed in the middle

KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bloodlib import merging, methods, records
from conftest import answer


@methods.method("fake")
def fake(data, task, seed, checkpoint, *, depth: int = 3, rate: float = 0.5, epochs: int = 1):
    return answer(data, task)


count = 0
true_replace = os.replace


def replace(*names):
    global count
    count += 1
    if count == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    true_replace(*names)


os.replace = replace
print(len(list(merging.merge(Path(sys.argv[2])))))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_killed_in_the_middle_and_started_again(theirs, folders, nth):
    """Two records are four files; killed before any of them is in its place, none is half there."""
    for depth in (1, 2):
        theirs(depth=depth)
    command = [sys.executable, "-c", KILLED, os.path.dirname(__file__), str(theirs.folder)]
    killed = subprocess.run([*command, str(nth)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = records.read_all(folders.cache / "runs")
    assert len(found) == (nth - 1) // 2
    for record in found:
        study.check(record)
    assert merged(theirs.folder) == ["same"] * len(found) + ["added"] * (2 - len(found))
    here = {name: raw for name, raw in files(folders.cache / "runs").items() if name[0] != "."}
    assert here == files(theirs.folder)


# --------------------------------------------------------------------------------- the command


def test_the_command_says_what_it_did(theirs, folders, capsys):
    study.compute(FAKE)
    theirs()
    theirs(depth=2)
    assert cli.main(["study", "--merge", str(theirs.folder), str(theirs.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines[:-1]) == ["added", "kept", "kept"]
    assert set(lines[-1].split(", ")) == {"1 added", "2 kept", "1 same"}
