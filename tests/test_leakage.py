"""What leaks: other splits of the same images, and the types of leakage."""

import json

import numpy as np
import pytest
from test_comparison import freeze, invented

from bloodlib import paper, study
from bloodlib.analyses import leakage
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import comparison, intervals, scores


def held_out(config, share, seed=0):
    """A frozen run that is right for a share of what its split holds out."""
    config = study.resolve(config)
    rng = np.random.default_rng(seed)
    truth = splits.labels("TEST", config["task"], config["split_by"], config["fold"])
    wrong = (truth + 1) % len(images.TASKS[config["task"]])
    labels = np.where(rng.random(len(truth)) < share, truth, wrong).astype(np.uint8)[None]
    return freeze(config, labels)


def test_runs_of_a_split_are_its_folds_and_no_others(folders):
    ours = [
        held_out({"method": "NB", "task": "four", "split_by": "cell", "fold": fold}, 0.5)
        for fold in (0, 3)
    ]
    held_out({"method": "NB", "task": "four", "split_by": "photograph"}, 0.5)
    held_out({"method": "NB", "task": "two", "split_by": "cell"}, 0.5)
    held_out({"method": "NB", "task": "four"}, 0.5)
    held_out({"method": "NB", "task": "four", "split_by": "cell", "var_smoothing": 1e-3}, 0.5)
    found = leakage.runs("NB", "cell")
    assert sorted(run.id for run in found) == sorted(run.id for run in ours)
    assert len(leakage.runs("NB", "published")) == 1
    assert leakage.runs("KNN", "cell") == []


@pytest.mark.parametrize("task", images.TASKS)
def test_folds_are_put_together_and_resampled_by_cell(folders, task):
    config = {"method": "NB", "task": task, "split_by": "cell"}
    found = [held_out(config | {"fold": fold}, 0.6 + fold / 10, seed=fold) for fold in range(3)]
    value, low, high = leakage.accuracy(found)
    truth = np.concatenate([run.arrays["truth"] for run in found])
    labels = np.concatenate([run.arrays["labels"][-1] for run in found])
    assert value == pytest.approx((truth == labels).mean())
    rows = np.concatenate([splits.split("cell", fold).test for fold in range(3)])
    resamples = intervals.resample(
        truth,
        splits.pooled(photographs.cells)[rows],
        len(images.TASKS[task]),
        strata=splits.pooled(images.labels)[rows],
        unseen=True,
    )
    assert (low, high) == pytest.approx(intervals.bounds(scores.accuracy, labels[None], resamples))
    assert low < value < high


def test_the_table_of_splits_has_what_was_run(folders):
    config = {"method": "NB", "task": "four", "split_by": "image"}
    shares = [0.3, 0.9]
    for fold, share in enumerate(shares):
        held_out(config | {"fold": fold}, share, seed=fold)
    held_out({"method": "SVM", "task": "four"}, 0.7)
    found = leakage.compute_splits()
    assert list(zip(found["method"], found["split_by"], found["runs"], strict=True)) == [
        ("NB", "image", 2),
        ("SVM", "published", 1),
    ]
    assert sorted(found["folds"][0]) == pytest.approx(shares, abs=0.05)
    shown = leakage.show_splits(found)
    assert shown["Held out"].tolist() == ["images at random", "as published"]
    low, high = sorted(found["folds"][0])
    assert shown["Folds"].tolist() == [f"{low:.2f} to {high:.2f}", "–"]
    assert shown["Accuracy"][1].startswith(f"{found['accuracy'][1]:.2f} (")


def test_a_network_is_shown_with_its_last_ten_epochs(folders):
    labels = invented(np.random.default_rng(8), "four", 27)
    run = freeze({"method": "DCLNN", "task": "four", "epochs": 27}, labels)
    found = leakage.compute_splits()
    each = [float(scores.accuracy(run.confusion(epoch=epoch))) for epoch in range(16, 26)]
    assert found["late"][0] == pytest.approx(each)
    assert found["accuracy"][0] == pytest.approx(each[-1])
    (shown,) = leakage.show_splits(found)["Last ten epochs"]
    assert shown == f"{min(each):.2f} to {max(each):.2f}, mean {np.mean(each):.2f}"


def test_what_is_on_both_sides():
    random, by_cell = leakage.overlap("image"), leakage.overlap("cell")
    assert by_cell == {"photographs": 0, "cells": 0, "images": 0}
    n = len(splits.split("image", 0).test)
    assert 0.95 * n < random["images"] <= n
    by_photograph = leakage.overlap("photograph")
    assert by_photograph["photographs"] == 0
    published = leakage.overlap("published")
    train, test = photographs.cells("TRAIN"), photographs.cells("TEST")
    both = set(train) & set(test)
    assert published["cells"] == len(both)
    assert published["images"] == sum(cell in both for cell in test)


def test_the_published_folders_share_cells_but_no_photograph():
    found = leakage.overlap("published")
    assert found["photographs"] == 0
    assert found["cells"] > 0
    (finding,) = [f for f in leakage.findings() if f.type.startswith("L1.4")]
    assert finding.verdict == leakage.PRESENT
    assert f"but {found['cells']} cells" in finding.evidence


def test_without_anything_in_common_nothing_is_present(monkeypatch):
    monkeypatch.setattr(leakage, "overlap", lambda by: {"photographs": 0, "cells": 0, "images": 0})
    (finding,) = [f for f in leakage.findings() if f.type.startswith("L1.4")]
    assert finding.verdict == leakage.ABSENT


def test_every_type_of_the_taxonomy_has_a_verdict_and_a_reason():
    found = leakage.findings()
    numbers = [finding.type.split()[0].strip(",") for finding in found]
    assert sorted(numbers) == [
        "L1",
        *(f"L1.{k}" for k in (1, 2, 3, 4)),
        "L2",
        "L3.1",
        "L3.2",
        "L3.3",
    ]
    assert {f.verdict for f in found} <= {leakage.PRESENT, leakage.ABSENT, leakage.UNDECIDABLE}
    assert all(finding.evidence.endswith(".") for finding in found)


def test_choosing_the_epoch_on_the_test_set_has_a_price(folders):
    (without,) = [f for f in leakage.findings() if f.type.startswith("L1,")]
    assert "more on TEST" not in without.evidence
    labels = invented(np.random.default_rng(0), "four", 30)
    labels[[3, comparison.EPOCH - 1]] = labels[[comparison.EPOCH - 1, 3]]
    run = freeze({"method": "DCLNN", "task": "four", "epochs": 30}, labels)
    each = [scores.accuracy(run.confusion(epoch=e)) for e in range(1, 31)]
    (found,) = [f for f in leakage.findings() if f.type.startswith("L1,")]
    assert f"scores {max(each) - each[comparison.EPOCH - 1]:.3f} more" in found.evidence


def test_the_audit_is_plain_json():
    found = leakage.audit()
    assert json.loads(json.dumps(found)) == found
    blocks = {(cell.task, cell.method) for cell in paper.CELLS}
    assert set(found["tables"]) == {"/".join(block) for block in blocks}
    for block in found["tables"].values():
        assert block["feasible"] is (block["accuracy"] is not None)
    for what in ("photographs", "cells"):
        assert {split: set(of) for split, of in found[what].items()} == {
            split: set(images.CLASSES) for split in images.SPLITS
        }
    for pair in found["pairs"]:
        assert set(pair) >= {"photographs", "labels", "splits"}
        assert len(pair["photographs"]) == len(pair["labels"]) == len(pair["splits"]) == 2


def test_the_audit_can_be_read_too():
    found = leakage.audit()
    text = leakage.audit_text(found)
    for finding in found["leakage"]:
        assert finding["evidence"] in text
    low, high = found["tables"]["two/DCLNN"]["accuracy"]
    assert f"accuracy {low:.4f} to {high:.4f}" in text
    for pair in found["pairs"]:
        assert f"{pair['photographs'][0]} (" in text
