"""Records of other machines come in whole, and never at the cost of ours."""

import json
import shutil

import numpy as np
import pytest
from conftest import FAKE, answer
from made_records import files, merged

from bloodlib import cli, study
from bloodlib.models import methods
from bloodlib.study import merging, records


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


# --------------------------------------------------------------------------------- the command


def test_the_command_says_what_it_did(theirs, folders, capsys):
    study.compute(FAKE)
    theirs()
    theirs(depth=2)
    assert cli.main(["study", "--merge", str(theirs.folder), str(theirs.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines[:-1]) == ["added", "kept", "kept"]
    assert set(lines[-1].split(", ")) == {"1 added", "2 kept", "1 same"}
