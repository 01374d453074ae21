"""Which run stands beside which row of the paper, and what it gives there."""

import functools

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from bloodlib import paper, study
from bloodlib.data import images, photographs, splits, stored
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.study import records


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
    division = config["split_by"], config["fold"]
    curves = ("loss", "seconds") if config["method"] in ("DCLNN", "small") else ("seconds",)
    content = {
        "id": study.identify(config),
        "status": status,
        "reason": "" if status == "complete" else "no solution",
        "config": config,
        "data": splits.data_hash(*division),
        "history": dict.fromkeys(curves, [1.0] * len(labels)) if status == "complete" else {},
        "weights": "",
        "environment": stored.environment("", ""),
        "started": "2025-01-01T00:00:00+00:00",
        "seconds": 1.0,
    }
    arrays = {
        "truth": splits.labels("TEST", task, *division),
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
        for cell in cells or comparison.table_cells()
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
    rows = {c["method"] for c in comparison.table_cells() if c["ours"] is not None}
    assert rows == ({"DCLNN", "MaxPooling"} if method in ("DCLNN", "MaxPooling") else {method})


@pytest.mark.parametrize("task", ["four", "two"])
def test_seeds_are_averaged_and_every_number_has_its_interval_by_cell(folders, task):
    rng = np.random.default_rng(6)
    labels = [invented(rng, task, 25) for _ in range(2)]
    for seed, found in enumerate(labels):
        freeze({"method": "DCLNN", "task": task, "seed": seed, "epochs": 25}, found)
    found = {
        (c["class"], c["measure"]): c
        for c in comparison.table_cells()
        if c["method"] == "DCLNN" and c["task"] == task
    }
    runs = comparison.compared("DCLNN", task)  # their order decides which runs are drawn
    last = np.stack([run.arrays["labels"][-1] for run in runs])
    for measure in paper.MEASURES:
        score = functools.partial(scores.printed_rows, measure=measure)
        low, high = intervals.bounds(score, last, by_cell(task, "TEST"))
        each = score(np.stack([run.confusion() for run in runs]))
        both = intervals.with_seeds(each.mean(axis=0), low, high, each)
        for place, name in enumerate([*images.TASKS[task], "Average"]):
            cell = found[name, measure]
            assert (cell["low"], cell["high"]) == pytest.approx((low[place], high[place]))
            assert cell["low"] < cell["ours"] < cell["high"]
            ends = cell["cells_seeds_low"], cell["cells_seeds_high"]
            assert ends == pytest.approx((both[0][place], both[1][place]))
            assert ends[0] <= cell["low"]
            assert cell["high"] <= ends[1]
            mean = np.mean([expected(run, task)[name, measure] for run in last])
            assert (cell["ours"], cell["runs"]) == (pytest.approx(mean), 2)


@functools.cache
def by_cell(task, split):
    """Draws of a split's cells, made here."""
    return intervals.resample(
        images.labels(split, task),
        photographs.cells(split),
        len(images.TASKS[task]),
        strata=images.labels(split),
    )


@pytest.mark.parametrize("task", ["four", "two"])
def test_an_estimate_is_of_its_folder_and_epoch(folders, task):
    labels = invented(np.random.default_rng(8), task, 3)
    run = freeze({"method": "DCLNN", "task": task, "epochs": 3}, labels)
    truth = images.labels("TEST", task)
    for epoch in (1, 3):
        found = comparison.estimate([run], epoch=epoch)
        assert found.value == pytest.approx((labels[epoch - 1] == truth).mean())
        drawn = by_cell(task, "TEST")
        assert found[1:] == intervals.bounds(scores.accuracy, labels[[epoch - 1]], drawn)
        assert str(found) == f"{found.value:.2f} ({found.low:.2f}–{found.high:.2f})"
    simple = comparison.estimate([run], scores.recall, "TEST_SIMPLE")
    right = images.labels("TEST_SIMPLE", task)[None]  # frozen with the true labels
    expected = intervals.bounds(scores.recall, right, by_cell(task, "TEST_SIMPLE"))
    np.testing.assert_array_equal(simple, [np.ones(len(images.TASKS[task])), *expected])


def test_a_difference_is_paired_by_cell(folders):
    rng = np.random.default_rng(9)
    labels = [invented(rng, "four", epochs) for epochs in (2, 1)]
    network = freeze({"method": "DCLNN", "task": "four", "epochs": 2}, labels[0])
    other = freeze({"method": "NB", "task": "four"}, labels[1])
    truth = images.labels("TEST")
    found = comparison.difference([network], [other], epochs=(1, 25))
    first, second = labels[0][0], labels[1][0]
    assert found.value == pytest.approx((first == truth).mean() - (second == truth).mean())
    drawn = by_cell("four", "TEST")
    right = [labels[0] == truth, labels[1] == truth]
    assert found[1:] == intervals.paired_bounds(right[0][0] * 1.0 - right[1][0], drawn)
    recalls = comparison.difference([network], [other], scores.recall, epochs=(1, 25))
    expected = intervals.bounds(scores.recall, first[None], drawn, second[None])
    np.testing.assert_array_equal(recalls[1:], expected)
    both = comparison.difference([network], [other], epochs=(range(1, 3), 25))
    assert both.value == pytest.approx(right[0].mean() - right[1].mean())
    assert both[1:] == intervals.paired_bounds(right[0].mean(axis=0) - right[1][0], drawn)
    elsewhere = records.Record(
        other.path, other.content | {"config": other.config | {"split_by": "cell"}}
    )
    assert comparison.difference([network], [elsewhere], epochs=(1, 1))[1:] == (None, None)
    assert comparison.estimate([elsewhere])[1:] == (None, None)


def test_a_single_run_of_a_network_says_nothing_about_seeds(folders):
    rng = np.random.default_rng(3)
    network = [
        freeze(
            {"method": "DCLNN", "task": "two", "seed": s, "epochs": 25}, invented(rng, "two", 25)
        )
        for s in range(3)
    ]
    other = [freeze({"method": "NB", "task": "two"}, invented(rng, "two"))]
    assert comparison.estimate(network[:1], seeds=True)[1:] == (None, None)
    assert comparison.difference(network[:1], other, seeds=True)[1:] == (None, None)
    assert comparison.estimate(other, seeds=True) == comparison.estimate(other)
    _, low, high = comparison.difference(network, other)
    _, least, most = comparison.difference(network, other, seeds=True)
    assert least < low < high < most


def test_two_methods_are_compared_by_intervals_and_by_tests(folders):
    rng = np.random.default_rng(3)
    truth = images.labels("TEST", "two")
    runs, other = (
        [
            freeze({"method": "DCLNN", "task": "two", "seed": s + start, "epochs": 25}, labels)
            for s, labels in enumerate(found)
        ]
        for start, found in (
            (0, [invented(rng, "two", 25) for _ in range(4)]),
            (4, [np.where(rng.random((25, len(truth))) < 0.5, truth, 1 - truth)] * 4),
        )
    )
    found = comparison.compare(runs, other)
    assert found["p_cells"] < 0.001
    assert found["p_runs"] == pytest.approx(2 / 70)  # the most extreme of 70 ways to exchange runs
    assert found["low"] > 0
    first, second = (
        np.mean([run.arrays["labels"][24] == truth for run in some], axis=0)
        for some in (runs, other)
    )
    _, cell, sizes = np.unique(photographs.cells("TEST"), return_inverse=True, return_counts=True)
    assert found["difference"] == pytest.approx((first - second).mean())
    assert found["once"] == pytest.approx((np.bincount(cell, first - second) / sizes).mean())
    alike = comparison.compare(runs, runs)
    assert (alike["difference"], alike["p_cells"], alike["p_runs"]) == (0, 1, 1)
    assert np.isnan(comparison.compare(runs[:1], other)["p_runs"])


@pytest.mark.parametrize(
    ("write", "numbers", "text"),
    [
        (comparison.with_interval, (None, None, None), "–"),
        (comparison.with_interval, (0.789, np.nan, np.nan), "0.79"),
        (comparison.with_interval, (0.789, 0.6, 1.0), "0.79 (0.60–1.00)"),
        (comparison.signed, (0.123,), "+0.12"),
        (comparison.p_value, (0.0009,), "< 0.001"),
        (comparison.p_value, (0.035,), "0.035"),
        (comparison.p_value, (0.95,), "0.95"),
        (comparison.signed, (-0.123, -0.5, 0.004), "−0.123 (−0.500 to +0.004)"),
        (comparison.signed, (0.113, 0.00096, 0.22), "+0.113 (+0.001 to +0.220)"),
    ],
)
def test_numbers_in_words(write, numbers, text):
    assert write(*numbers) == text


def test_without_a_run_there_is_no_number():
    for call in (comparison.confusions, comparison.predicted, comparison.estimate):
        with pytest.raises(stored.MissingError, match="bloodlib study"):
            call([])
    with pytest.raises(stored.MissingError, match="bloodlib study"):
        comparison.difference([], [])


def test_other_settings_are_not_mixed_in(folders):
    rng = np.random.default_rng(2)
    plain = invented(rng, "four")
    freeze({"method": "SVM", "task": "four"}, plain)
    for config in ({"kind": "nu"}, {"kernel": "linear"}, {"C": 2.0}):
        freeze({"method": "SVM", "task": "four"} | config, invented(rng, "four"))
    assert ours("SVM", "four") == pytest.approx(expected(plain[-1], "four"))
    assert len(comparison.compared("SVM", "four")) == 1


def test_a_run_without_a_solution_does_not_count(folders):
    freeze({"method": "SVM", "task": "four"}, np.zeros((1, 1), int), status="infeasible")
    assert comparison.compared("SVM", "four") == []
    assert set(ours("SVM", "four").values()) == {None}


def test_epoch_25_is_read_where_more_were_run(folders):
    labels = invented(np.random.default_rng(4), "four", 40)
    freeze({"method": "DCLNN", "task": "four", "epochs": 40}, labels)
    assert ours("DCLNN", "four") == pytest.approx(expected(labels[24], "four"))
    assert ours("DCLNN", "four") != pytest.approx(expected(labels[-1], "four"))


def test_given_runs_stand_in_the_place_of_the_frozen_ones(folders):
    rng = np.random.default_rng(5)
    freeze({"method": "NB", "task": "four"}, invented(rng, "four"))
    given = freeze({"method": "SVM", "task": "four", "kind": "nu"}, invented(rng, "four"))
    cells = comparison.table_cells({("SVM", "four"): [given]})
    assert set(ours("NB", "four", cells).values()) == {None}
    assert ours("SVM", "four", cells) == pytest.approx(expected(given.arrays["labels"][-1], "four"))


@pytest.mark.parametrize(
    ("paper", "found"), [(0.2, 0), (0.196, 0), (0.194, 1), (0.604, 0), (0.606, 1)]
)
def test_outside_is_by_more_than_the_rounding_of_the_print(paper, found):
    cells = [{"paper": paper, "low": 0.2, "high": 0.6}, {"paper": 0.9, "low": None, "high": None}]
    assert comparison.count_outside(cells) == (found, 1)


# ------------------------------------------------------------------------------------ reruns


def test_a_rerun_of_what_has_no_chance_gives_the_same():
    runs = comparison.compared("NB", "four")
    (low, high), value = comparison.rerun_range(runs), comparison.estimate(runs).value
    assert low == high == value
    assert not comparison.rerun_range(runs, other=runs).any()


def test_ranges_of_reruns_hold_for_runs_that_are_left_out():
    """Precision, recall and F1 of each class after epoch 25; not for a run that learned nothing."""

    def score(confusion):
        return np.concatenate([one(confusion) for one in scores.MEASURES.values()], axis=-1)

    inside = []
    for method, task in (("DCLNN", "four"), ("DCLNN", "two"), ("AveragePooling", "four")):
        runs = comparison.compared(method, task)
        assert len(runs) >= 3
        for run in runs:
            low, high = comparison.rerun_range([one for one in runs if one is not run], score)
            found = score(run.confusion(epoch=comparison.EPOCH))
            contained = (low <= found) & (found <= high)
            if run.is_constant:
                assert not contained.any()
            else:
                inside += [*contained]
    assert 0.9 < np.mean(inside) < 0.98


def test_a_difference_of_reruns_is_of_all_pairs():
    runs = comparison.compared("DCLNN", "four")
    low, high = comparison.rerun_range(runs, other=runs)
    assert low == pytest.approx(-high)
    assert high > 0
