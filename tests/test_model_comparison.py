"""Every method side by side: what was chosen without TEST, and what each has learned."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_comparison import freeze

from bloodlib import paper, study
from bloodlib.analyses import model_comparison
from bloodlib.data import images, photographs, splits
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.models import alternatives, dclnn, methods
from bloodlib.study import records

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")


def frozen(config, share, seed=0):
    """A frozen run that is right for a share of what it is tried on."""
    config = study.resolve(config)
    rng = np.random.default_rng(seed)
    truth = splits.labels("TEST", config["task"], config["split_by"], config["fold"])
    wrong = (truth + 1) % len(TASKS[config["task"]])
    epochs = 25 if config["method"] in ("DCLNN", "small") else 1
    labels = np.where(rng.random((epochs, len(truth))) < share, truth, wrong).astype(np.uint8)
    return freeze(config, labels)


def inner(method, fold, share, **settings):
    config = {"method": method, "task": "four", "split_by": "train-cell", "fold": fold}
    return frozen(config | settings, share, seed=fold)


# ------------------------------------------------------------------------------ the choice


def test_the_best_settings_over_all_folds_come_first(folders):
    runs = {0.1: [], 1.0: []}
    for fold in (0, 1):
        runs[0.1].append(inner("histogram", fold, 0.5 + 0.4 * fold, C=0.1))
        runs[1.0].append(inner("histogram", fold, 0.6))
    inner("histogram", 0, 0.99, C=10.0)  # on one fold only
    frozen({"method": "histogram", "task": "four", "C": 100.0}, 1.0)  # on TEST
    found = model_comparison.compute_candidates("histogram")
    assert [settings["C"] for settings in found["settings"]] == [0.1, 1.0]
    assert found["words"].tolist() == ["C 0.1", "defaults"]
    for row, tried in zip(found.itertuples(), runs.values(), strict=True):
        right = np.concatenate([r.arrays["labels"][-1] == r.arrays["truth"] for r in tried])
        each = [np.mean(r.arrays["labels"][-1] == r.arrays["truth"]) for r in tried]
        assert row.accuracy == pytest.approx(right.mean())
        assert (row.lowest, row.highest) == pytest.approx((min(each), max(each)))
        assert row.folds == 2


def test_what_is_chosen_is_tried_on_test(folders):
    inner("histogram", 0, 0.5, bins=4)
    inner("histogram", 0, 0.7, C=0.01)
    frozen({"method": "histogram", "task": "two", "bins": 4}, 0.9)
    with pytest.raises(records.MissingRecordError, match=r"histogram two, C 0\.01.*study\.yml"):
        model_comparison.runs("histogram", "two")
    chosen = [
        frozen({"method": "histogram", "task": "two", "C": 0.01, "seed": seed}, 0.8)
        for seed in (0, 1)
    ]
    assert {r.id for r in model_comparison.runs("histogram", "two")} == {r.id for r in chosen}


def test_without_candidates_nothing_stands_for_a_method(folders):
    assert model_comparison.compute_candidates("small").empty
    with pytest.raises(records.MissingRecordError, match="no settings of small were tried"):
        model_comparison.runs("small", "four")


def test_rows_of_the_paper_are_those_of_the_books_tables(folders):
    frozen({"method": "NB", "task": "two"}, 0.5)
    frozen({"method": "NB", "task": "two", "kind": "Bernoulli"}, 0.9)
    frozen({"method": "majority", "task": "two"}, 0.5)
    (run,) = model_comparison.runs("NB", "two")
    assert run.id == study.identify({"method": "NB", "task": "two"})
    assert [r.config["method"] for r in model_comparison.runs("majority", "two")] == ["majority"]


# ------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("settings", [{}, {"width": 8, "halving": "max"}])
def test_the_small_network_has_as_many_weights_as_keras_counts(keras, task, settings):
    config = {"method": "small", "task": task} | settings
    resolved = study.resolve(config)
    model = alternatives.build(len(TASKS[task]), resolved["width"], resolved["halving"])
    found = model_comparison.size(config)
    assert found.parameters == model.count_params()
    assert found.multiplications == multiplied(model)


@pytest.mark.parametrize("hidden", [128, 16])
def test_dclnn_has_as_many_weights_as_keras_counts(keras, hidden):
    model = dclnn.build(4, hidden=hidden)
    found = model_comparison.size({"method": "DCLNN", "task": "four", "hidden": hidden})
    assert found.parameters == model.count_params()
    assert found.multiplications == multiplied(model)


def multiplied(model):
    """Multiplications of convolutions, normalisation (scale and deviation) and dense layers."""
    total = 0
    for layer in model.layers:
        places = int(np.prod(layer.output.shape[1:-1]))
        kind = type(layer).__name__
        if kind in ("Conv2D", "Dense"):
            total += places * int(np.prod(layer.get_weights()[0].shape))
        if kind == "BatchNormalization":
            total += 2 * places * layer.output.shape[-1]
    return total


def test_sizes_of_what_is_no_network():
    def size(method, **settings):
        return model_comparison.size({"method": method, "task": "four"} | settings)

    assert size("majority") == (4, 0, False)
    assert size("NB").parameters == 2 * 14_400 * 4 + 4  # theta_, var_ and class_prior_
    assert size("NB", kind="Bernoulli", features="grey").parameters == 4_800 * 4 + 4
    n = len(images.names("TRAIN"))
    assert size("SVM") == (n * (14_400 + 3) + 6, n * 14_400, True)
    assert size("histogram", bins=4) == (64 * 4 + 4 + 2 * 64, 64 * 5, False)
    kept = len(set(photographs.photographs("TRAIN")))
    assert size("nearest-photograph").parameters == kept * 512


# --------------------------------------------------------------------------- side by side


@pytest.fixture
def everyone(folders):
    """Every method on TEST, and the choice that it takes."""
    for method in model_comparison.TUNED:
        inner(method, 0, 0.6)
    shares = dict(zip(model_comparison.METHODS, np.linspace(0.3, 0.9, 7), strict=True))
    for task in TASKS:
        for method, share in shares.items():
            frozen({"method": method, "task": task}, share, seed=1)
        frozen({"method": "small", "task": task, "seed": 1}, shares["small"], seed=2)
    return shares


def test_every_method_stands_with_its_interval(everyone):
    found = model_comparison.compute_test("four")
    assert found["method"].tolist() == list(model_comparison.METHODS)
    for row in found.itertuples():
        estimate = comparison.estimate(row.runs)
        assert (row.accuracy, row.low, row.high) == pytest.approx(estimate)
        assert row.accuracy == pytest.approx(everyone[row.method], abs=0.03)
        assert np.mean(row.each) == pytest.approx(row.accuracy)
        assert row.size == model_comparison.size(row.runs[0].config)
        assert row.seconds == 1.0
    assert [len(runs) for runs in found["runs"]] == [1, 1, 1, 1, 1, 2, 1]
    shown = model_comparison.show_test(found).set_index("Method")
    assert shown.loc["SVM", "Numbers learned"].startswith("≤ 143,")
    assert shown.loc["DCLNN", "Numbers learned"] == "8,736,324"
    assert shown.loc["small network", "Runs"] == 2


def test_differences_are_paired(everyone):
    found = model_comparison.compute_differences("two").set_index("method")
    assert set(found.index) == set(model_comparison.METHODS) - {"small"}
    expected = comparison.difference(
        model_comparison.runs("small", "two"), model_comparison.runs("NB", "two")
    )
    assert tuple(found.loc["NB"]) == pytest.approx(expected)
    shown = model_comparison.show_differences().set_index(["Classes", "Compared"])
    assert len(shown) == 2 * 6
    told = shown.loc[("two", "small network − Naive Bayes"), "Told apart"]
    assert told == ("yes" if expected.low > 0 else "no")


def test_the_table_of_candidates_marks_the_chosen(everyone, folders):
    inner("small", 0, 0.9, width=24)
    shown = model_comparison.show_candidates()
    small = shown[shown["Method"] == "small network"]
    assert small["Settings"].tolist() == ["width 24", "defaults"]
    assert small["Chosen"].tolist() == ["yes", ""]
    assert (shown["Chosen"] == "yes").sum() == len(model_comparison.TUNED)


def test_the_figure_has_a_line_for_each_method(everyone):
    import pandas as pd

    found = pd.concat([model_comparison.compute_test(task) for task in TASKS])
    figure = model_comparison.plot_test(found)
    for axis, task in zip(figure.axes, TASKS, strict=True):
        points = [tuple(line.get_xdata()) for line in axis.lines if line.get_markersize() == 5]
        assert [x for (x,) in points] == pytest.approx(
            found[found["task"] == task]["accuracy"].tolist()
        )
        (hollow,) = [line for line in axis.lines if line.get_markersize() == 4]
        assert len(hollow.get_xdata()) == 2
        diamonds = {
            model_comparison.METHODS[int(line.get_ydata()[0])]: float(line.get_xdata()[0])
            for line in axis.lines
            if line.get_marker() == "D"
        }
        recall = paper.cells(table=1, task=task, class_="Average", measure="recall")
        assert diamonds == {cell.method: cell.value for cell in recall}
        assert len(diamonds) == 3


def test_every_method_is_known():
    assert set(model_comparison.METHODS) <= set(methods.METHODS)
    assert set(model_comparison.NAMES) == set(model_comparison.METHODS)


# ------------------------------------------------------------------------------ learning curve


@pytest.fixture
def runs(folders):
    """Naive Bayes on all shares, the SVM not on a half."""
    for by, folds, share in (("quarter", 4, 0.4), ("half", 2, 0.5), ("published", 1, 0.98)):
        for fold in range(folds):
            frozen({"method": "NB", "task": "four", "split_by": by, "fold": fold}, share, fold)
        if by != "half":
            frozen({"method": "SVM", "task": "four", "split_by": by}, share)
    frozen({"method": "NB", "task": "two"}, 0.99)
    frozen({"method": "NB", "task": "four", "split_by": "cell"}, 0.99)


def test_a_row_for_each_share(runs):
    found = model_comparison.compute_learning_curve(("NB", "SVM"))
    assert found["method"].tolist() == ["NB"] * 3
    assert found["runs"].tolist() == [4, 2, 1]
    np.testing.assert_allclose(found["accuracy"], [0.4, 0.5, 0.98], atol=0.03)
    assert (found["least"] <= found["accuracy"]).all()
    assert (found["accuracy"] <= found["most"]).all()
    assert (found["low"] < found["accuracy"]).all()
    assert np.isnan(found["gain"][0])
    np.testing.assert_allclose(found["gain"][1:], np.diff(found["accuracy"]))
    assert found["gain_low"][2] > 0


def test_cells_are_counted(runs):
    found = model_comparison.compute_learning_curve(("NB",)).set_index("share")
    every = len(np.unique(photographs.cells("TRAIN")))
    assert found.loc["all", "cells"] == every
    halves = [
        len(np.unique(photographs.cells("TRAIN")[splits.split("half", fold).train]))
        for fold in (0, 1)
    ]
    assert sum(halves) == every
    assert found.loc["a half", "cells"] == np.mean(halves)
    assert found.loc["a quarter", "cells"] == every / 4


def test_a_page_has_a_column_for_each_share(runs):
    shown = model_comparison.show_learning_curve(model_comparison.compute_learning_curve(("NB",)))
    assert list(shown) == ["Method", "A quarter", "A half", "All", "All less a half", "Runs"]
    assert shown["Runs"].tolist() == ["4 + 2 + 1"]
    assert shown["All less a half"][0].startswith("+0.4")


def test_the_figure_rises_with_the_accuracy(runs):
    found = model_comparison.compute_learning_curve(("NB",))
    figure = model_comparison.plot_learning_curve(found)
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), found["accuracy"])
    plt.close(figure)
