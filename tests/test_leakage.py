"""What leaks: other splits of the same images, and the types of leakage."""

import json

import numpy as np
import pytest
from test_comparison import freeze

from bloodlib import paper, study
from bloodlib.analyses import leakage
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import intervals


@pytest.fixture(autouse=True)
def dataset():
    images.dataset()  # read before ``folders`` puts an empty one in its place


def held_out(config, share, seed=0):
    """A frozen run that is right for a share of what its split holds out."""
    config = study.resolve(config)
    rng = np.random.default_rng(seed)
    truth = splits.labels("TEST", config["task"], config["split_by"], config["fold"])
    wrong = (truth + 1) % len(images.TASKS[config["task"]])
    epochs = {"DCLNN": config.get("epochs"), "small": 25}.get(config["method"], 1)
    labels = np.where(rng.random((epochs, len(truth))) < share, truth, wrong).astype(np.uint8)
    return freeze(config, labels)


def test_seeds_are_averaged_then_folds_put_together_and_resampled_by_cell(folders):
    config = {"method": "DCLNN", "task": "four", "split_by": "cell", "epochs": 25}
    first = [held_out(config | {"seed": seed}, 0.6 + seed / 10, seed) for seed in range(3)]
    second = held_out(config | {"fold": 1}, 0.9)
    (row,) = leakage.compute_splits().itertuples()
    each = [run.arrays["labels"][24] == run.arrays["truth"] for run in (*first, second)]
    right = np.concatenate([np.mean(each[:3], axis=0), each[3]])
    assert row.accuracy == pytest.approx(right.mean())
    rows = np.concatenate([splits.split("cell", fold).test for fold in range(2)])
    drawn = intervals.resample(
        splits.pooled(images.labels)[rows], splits.pooled(photographs.cells)[rows], 4, 20_000
    )
    assert (row.low, row.high) == pytest.approx(intervals.mean_bounds(right[None], drawn))


def test_the_table_of_splits_has_what_was_run(folders):
    shares = [0.3, 0.9]
    for fold, share in enumerate(shares):
        config = {"method": "NB", "task": "four", "split_by": "image", "fold": fold}
        held_out(config, share, seed=fold)
        held_out(config | {"var_smoothing": 1e-3}, share)  # other settings
        held_out(config | {"task": "two"}, share)
    held_out({"method": "NB", "task": "four"}, 0.7)
    held_out({"method": "SVM", "task": "four"}, 0.7)  # as published only
    for seed, fold in ((0, 0), (1, 0), (0, 1)):
        config = {"method": "small", "task": "four", "split_by": "cell", "seed": seed, "fold": fold}
        held_out(config, 0.5 + seed / 5, seed=seed)
    found = leakage.compute_splits()
    assert list(zip(found["method"], found["split_by"], strict=True)) == [
        ("NB", "published"),
        ("NB", "image"),
        ("compact CNN", "cell"),
    ]
    assert found["folds"][1] == pytest.approx(shares, abs=0.05)
    assert found["folds"][2] == pytest.approx([0.6, 0.5], abs=0.05)


@pytest.mark.parametrize("folds", [(0,), (0, 3)])
def test_an_image_has_an_answer_for_each_seed_that_held_it_out(folders, folds):
    """Also while some folds are still to be computed."""
    settings, n = {"method": "KNN"}, len(splits.pooled(images.names))
    assert leakage.held_out(settings, "cell").shape == (0, n)
    for fold in folds:
        held_out(settings | {"task": "four", "split_by": "cell", "fold": fold}, fold / 3)
    found = leakage.held_out(settings, "cell")
    assert found.shape == (1, n)
    tried = np.concatenate([splits.split("cell", fold).test for fold in folds])
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(found[0])), np.sort(tried))
    for fold in folds:
        assert (found[0, splits.split("cell", fold).test] == fold / 3).all()


def test_what_is_on_both_sides():
    found = leakage.compute_overlaps().set_index("split_by")
    assert found.loc["cell"].tolist() == [0, 0, 0, 0]
    assert 0.95 < found.loc["image", "fraction"] <= 1
    assert found.loc["photograph", "photographs"] == 0
    train, test = photographs.cells("TRAIN"), photographs.cells("TEST")
    both = set(train) & set(test)
    images = sum(cell in both for cell in test)
    wanted = {"cells": len(both), "images": images, "fraction": images / len(test)}
    assert found.loc["published", list(wanted)].to_dict() == wanted


def test_the_audit_is_plain_json():
    found = json.loads(json.dumps(leakage.audit()))
    blocks = {(cell.task, cell.method) for cell in paper.TABLE_CELLS}
    assert set(found["tables"]) == {"/".join(block) for block in blocks}
    for block in found["tables"].values():
        assert block["feasible"] is (block["accuracy"] is not None)
    assert set(found["cells"]) == set(images.SPLITS)
    assert found["replay"]["TEST"] == dict.fromkeys(("found", "expected", "agree"), 71)
    assert all(len(pair["photographs"]) == 2 for pair in found["pairs"])
    assert all(finding["evidence"] in leakage.audit_text(found) for finding in found["leakage"])
    types = {finding["type"].split()[0].strip(",") for finding in found["leakage"]}
    assert types == {"L1", "L1.1", "L1.2", "L1.3", "L1.4", "L2", "L3.1", "L3.2", "L3.3"}
