"""What leaks: other splits of the same images, and the types of leakage."""

import json

import numpy as np
import pytest
from test_comparison import freeze, invented

from bloodlib import paper, study
from bloodlib.analyses import leakage
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import comparison, intervals


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
        splits.pooled(images.labels)[rows], splits.pooled(photographs.cells)[rows], 4
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
    assert list(zip(found["method"], found["split_by"], found["runs"], strict=True)) == [
        ("NB", "published", 1),
        ("NB", "image", 2),
        ("compact CNN", "cell", 3),
    ]
    assert found["folds"][1] == pytest.approx(shares, abs=0.05)
    assert found["folds"][2] == pytest.approx([0.6, 0.5], abs=0.05)


def test_a_network_is_shown_with_its_last_ten_epochs(folders):
    config = {"method": "DCLNN", "task": "four", "epochs": 27}
    labels = invented(np.random.default_rng(8), "four", 27)
    run = freeze(config, labels)
    held_out(config | {"split_by": "cell"}, 0.5)
    found = leakage.compute_splits()
    each = comparison.accuracies(run, range(16, 26))
    assert found["late"][0] == pytest.approx(each)
    assert found["accuracy"][0] == pytest.approx(each[-1])
    assert found["step"][0] == pytest.approx(np.abs(np.diff(each)).mean())
    assert f"mean {np.mean(each):.2f}" in leakage.show_splits(found)["late"][0]


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


def test_selecting_the_epoch_on_the_test_set_has_a_price(folders):
    (without,) = [f for f in leakage.findings() if f["type"].startswith("L1,")]
    assert "more on TEST" not in without["evidence"]
    gains = []
    for seed, epochs in enumerate((30, 40)):
        labels = invented(np.random.default_rng(seed), "four", epochs)
        run = freeze({"method": "DCLNN", "task": "four", "epochs": epochs, "seed": seed}, labels)
        each = comparison.accuracies(run, range(1, 31))  # the epochs that all runs have
        gains.append(max(each) - each[comparison.EPOCH - 1])
    (found,) = [f for f in leakage.findings() if f["type"].startswith("L1,")]
    assert f"the best of 30 epochs scores {np.mean(gains):.3f} more" in found["evidence"]


def test_the_audit_is_plain_json():
    found = json.loads(json.dumps(leakage.audit()))
    blocks = {(cell.task, cell.method) for cell in paper.CELLS}
    assert set(found["tables"]) == {"/".join(block) for block in blocks}
    for block in found["tables"].values():
        assert block["feasible"] is (block["accuracy"] is not None)
    assert set(found["cells"]) == set(images.SPLITS)
    assert found["replay"]["TEST"] == dict.fromkeys(("found", "expected", "agree"), 71)
    assert all(len(pair["photographs"]) == 2 for pair in found["pairs"])
    assert all(finding["evidence"] in leakage.audit_text(found) for finding in found["leakage"])
    types = {finding["type"].split()[0].strip(",") for finding in found["leakage"]}
    assert types == {"L1", "L1.1", "L1.2", "L1.3", "L1.4", "L2", "L3.1", "L3.2", "L3.3"}
