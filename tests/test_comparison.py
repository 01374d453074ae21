"""Which run stands beside which row of the paper, and what it gives there."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from bloodlib import comparison, images, paper, records, study


def invented(rng, task, epochs=1):
    """Labels on TEST after each epoch, right for more images the later the epoch."""
    truth, classes = images.labels("TEST", task), len(images.TASKS[task])
    rows = []
    for epoch in range(epochs):
        right = rng.random(len(truth)) < 0.3 + 0.6 * (epoch + 1) / epochs
        rows.append(np.where(right, truth, rng.integers(0, classes, len(truth))))
    return np.array(rows, dtype=np.uint8)


def freeze(config, labels, status="complete"):
    """Write a frozen record of the published images, as if it had been run."""
    config = study.resolve(config)
    task, classes = config["task"], len(images.TASKS[config["task"]])
    simple = images.labels("TEST_SIMPLE", task)
    content = {
        "id": study.identify(config),
        "status": status,
        "reason": "" if status == "complete" else "no solution",
        "config": config,
        "data": images.DATA_HASH,
        "history": {"seconds": [1.0] * len(labels)} if status == "complete" else {},
        "weights": "",
        "environment": records.environment("", ""),
        "started": "2025-01-01T00:00:00+00:00",
        "seconds": 1.0,
    }
    arrays = {
        "truth": images.labels("TEST", task),
        "truth_simple": simple,
        "labels": labels,
        "labels_simple": simple,
        "probabilities": np.eye(classes, dtype=np.float16)[labels[-1]],
        "probabilities_simple": np.eye(classes, dtype=np.float16)[simple],
    }
    return records.write(records.folder(), content, arrays if status == "complete" else None)


def ours(method, task, cells=None):
    """Our numbers of a row by class and measure."""
    return {
        (cell["class"], cell["measure"]): cell["ours"]
        for cell in cells or comparison.cells()
        if cell["method"] == method and cell["task"] == task
    }


def expected(labels, task):
    """The same from scikit-learn."""
    truth = images.labels("TEST", task)
    values = precision_recall_fscore_support(truth, labels, zero_division=0)[:3]
    found = {}
    for measure, value in zip(paper.MEASURES, values, strict=True):
        for name, number in zip(images.TASKS[task], value, strict=True):
            found[name, measure] = number
        found["Average", measure] = value.mean()
    return found


def test_without_records_every_cell_waits(folders):
    cells = comparison.cells()
    assert len(cells) == 120
    assert {cell["ours"] for cell in cells} == {None}
    assert {cell["runs"] for cell in cells} == {0}


def test_cells_are_the_papers_in_its_order(folders):
    for cell, printed in zip(comparison.cells(), paper.CELLS, strict=True):
        assert (cell["table"], cell["task"], cell["method"], cell["class"], cell["measure"]) == (
            printed.table, printed.task, printed.method, printed.class_, printed.measure,
        )  # fmt: skip
        assert cell["paper"] == printed.value
        assert cell["low"] is None
        assert cell["high"] is None


@pytest.mark.parametrize("task", ["four", "two"])
@pytest.mark.parametrize(
    ("method", "config"),
    [
        ("NB", {"method": "NB"}),
        ("SVM", {"method": "SVM"}),
        ("DCLNN", {"method": "DCLNN", "epochs": 25}),
        ("MaxPooling", {"method": "DCLNN", "epochs": 25}),
        ("AveragePooling", {"method": "DCLNN", "epochs": 25, "pooling": "average"}),
    ],
)
def test_a_row_is_its_runs(folders, method, config, task):
    labels = invented(np.random.default_rng(0), task, config.get("epochs", 1))
    freeze(config | {"task": task}, labels)
    found = ours(method, task)
    assert found == pytest.approx(expected(labels[-1], task))
    other = {"four": "two", "two": "four"}[task]
    assert set(ours(method, other).values()) == {None}
    rows = {c["method"] for c in comparison.cells() if c["ours"] is not None}
    assert rows == ({"DCLNN", "MaxPooling"} if method in ("DCLNN", "MaxPooling") else {method})


def test_seeds_are_averaged(folders):
    rng = np.random.default_rng(1)
    labels = [invented(rng, "four", 25) for _ in range(3)]
    for seed, found in enumerate(labels):
        freeze({"method": "DCLNN", "task": "four", "seed": seed, "epochs": 25}, found)
    each = [expected(found[-1], "four") for found in labels]
    mean = {key: np.mean([one[key] for one in each]) for key in each[0]}
    assert ours("DCLNN", "four") == pytest.approx(mean)
    assert {c["runs"] for c in comparison.cells() if c["method"] == "DCLNN"} == {0, 3}


@pytest.mark.parametrize(
    "config",
    [
        {"method": "SVM", "kind": "nu"},
        {"method": "SVM", "kernel": "linear"},
        {"method": "SVM", "C": 2.0},
    ],
)
def test_other_settings_are_not_mixed_in(folders, config):
    rng = np.random.default_rng(2)
    plain, other = invented(rng, "four"), invented(rng, "four")
    freeze({"method": "SVM", "task": "four"}, plain)
    freeze(config | {"task": "four"}, other)
    assert ours("SVM", "four") == pytest.approx(expected(plain[-1], "four"))
    assert len(comparison.compared("SVM", "four")) == 1


def test_a_run_without_a_solution_does_not_count(folders):
    freeze({"method": "SVM", "task": "four"}, np.zeros((1, 1), int), status="infeasible")
    assert comparison.compared("SVM", "four") == []
    assert set(ours("SVM", "four").values()) == {None}


def test_too_few_epochs_do_not_count(folders):
    labels = invented(np.random.default_rng(3), "four", 24)
    freeze({"method": "DCLNN", "task": "four", "epochs": 24}, labels)
    assert comparison.compared("DCLNN", "four") == []


def test_epoch_25_is_read_where_more_were_run(folders):
    labels = invented(np.random.default_rng(4), "four", 40)
    freeze({"method": "DCLNN", "task": "four", "epochs": 40}, labels)
    assert ours("DCLNN", "four") == pytest.approx(expected(labels[24], "four"))
    assert ours("DCLNN", "four") != pytest.approx(expected(labels[-1], "four"))


def test_given_runs_stand_in_the_place_of_the_frozen_ones(folders):
    rng = np.random.default_rng(5)
    frozen = freeze({"method": "NB", "task": "four"}, invented(rng, "four"))
    given = freeze({"method": "SVM", "task": "four", "kind": "nu"}, invented(rng, "four"))
    cells = comparison.cells({("SVM", "four"): [given]})
    assert frozen.id in [record.id for record in comparison.compared("NB", "four")]
    assert set(ours("NB", "four", cells).values()) == {None}
    assert ours("SVM", "four", cells) == pytest.approx(expected(given.arrays["labels"][-1], "four"))


def test_epoch_of_the_tables_is_that_of_the_paper():
    assert [u.ours for u in paper.UNSTATED if u.name == "Epoch of Tables 1 and 2"] == [
        str(comparison.EPOCH)
    ]
