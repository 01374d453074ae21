"""How sure the numbers are: against counts made here, and with runs that are made up."""

import types

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from bloodlib import study
from bloodlib.analyses import uncertainty
from bloodlib.data import images, photographs
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")
CELLS = photographs.cells("TEST")


def made_up(labels, task, method="NB"):
    """A run with these labels on TEST [epochs, n]."""
    labels, truth = np.atleast_2d(labels), images.labels("TEST", task)

    def confusion(split="TEST", epoch=None):
        row = labels[-1 if epoch is None else epoch - 1]
        return confusion_matrix(truth, row, labels=range(len(TASKS[task])))

    return types.SimpleNamespace(
        config=study.resolve({"method": method, "task": task}),
        epochs=len(labels),
        has_epochs=len(labels) > 1,
        arrays={"truth": truth, "labels": labels},
        confusion=confusion,
    )


def guessed(task, right, rng, alike=True):
    """Labels that are right for about such a share of cells, or of images."""
    truth, n = images.labels("TEST", task), len(TASKS[task])
    kinds, cell = np.unique(CELLS, return_inverse=True)
    drawn = rng.random(len(kinds))[cell] if alike else rng.random(len(truth))
    return np.where(drawn < right, truth, (truth + 1) % n)


@pytest.fixture
def runs(monkeypatch):
    """Runs of every row: DCLNN is right more often than the baselines, the poolings are alike."""
    rng = np.random.default_rng(0)
    found = {}
    for task in TASKS:
        network = guessed(task, 0.95, rng, alike=False)
        pooled = np.where(rng.random(len(network)) < 0.98, network, 0)
        baseline = guessed(task, 0.3, rng)
        found |= {
            ("NB", task): [made_up(baseline, task)],
            ("SVM", task): [made_up(guessed(task, 0.3, rng), task)],
            ("DCLNN", task): [made_up(network, task)],
            ("MaxPooling", task): [made_up(network, task)],
            ("AveragePooling", task): [made_up(pooled, task)],
        }
    monkeypatch.setattr(comparison, "compared", lambda method, task: found[method, task])
    return found


# ------------------------------------------------------------------------------ effective sizes


@pytest.mark.parametrize("task", list(TASKS))
def test_effective_sizes_by_class(task):
    labels = guessed(task, 0.6, np.random.default_rng(1))
    labels[::7] = 0
    found = uncertainty.compute_effective([made_up(labels, task)])
    truth = images.labels("TEST", task)
    assert found["class"].tolist() == [*TASKS[task], uncertainty.ALL]
    variance, independent = 0, 0
    for label, row in zip(range(len(TASKS[task])), found.itertuples(), strict=False):
        own = truth == label
        correct = pd.Series(labels[own] == label).groupby(CELLS[own])
        icc, deff = intervals.design_effect(correct.sum().to_numpy(), correct.size().to_numpy())
        assert (row.images, row.cells) == (own.sum(), correct.ngroups)
        assert row.wrong == (labels[own] != label).sum()
        assert (row.icc, row.deff) == pytest.approx((icc, float(deff)))
        assert row.effective == pytest.approx(own.sum() / deff)
        p = (labels[own] == label).mean()
        independent += own.sum() * p * (1 - p)
        variance += own.sum() * p * (1 - p) * deff
    whole = found.iloc[-1]
    assert (whole["images"], whole["wrong"]) == (len(truth), (labels != truth).sum())
    assert whole["deff"] == pytest.approx(variance / independent)
    assert whole["effective"] == pytest.approx(len(truth) * independent / variance)


def test_what_is_all_right_tells_nothing():
    truth = images.labels("TEST")
    found = uncertainty.compute_effective([made_up(truth, "four")])
    assert found[["icc", "deff", "effective"]].isna().all(axis=None)
    labels = np.where(truth == 0, guessed("four", 0.5, np.random.default_rng(3)), truth)
    found = uncertainty.compute_effective([made_up(labels, "four")])
    assert found["deff"].isna().tolist() == [False, True, True, True, False]
    assert found["deff"].iloc[-1] == found["deff"].iloc[0]
    # a second run, of which something is known, leaves the first out
    other = uncertainty.compute_effective([made_up(truth, "four"), made_up(labels, "four")])
    assert other["deff"].iloc[0] == found["deff"].iloc[0]
    assert other["wrong"].iloc[0] == found["wrong"].iloc[0] / 2


# --------------------------------------------------------------------- votes and three intervals


def test_votes_count_cells(runs):
    page = uncertainty.compute_votes().set_index(["Classes", "Class"])
    assert len(page) == sum(map(len, TASKS.values()))
    for task, names in TASKS.items():
        truth = images.labels("TEST", task)
        for method in uncertainty.METHODS:
            labels = runs[method, task][0].arrays["labels"][0]
            for label, name in enumerate(names):
                right = n = 0
                for cell in np.unique(CELLS[truth == label]):
                    counts = np.bincount(labels[np.isin(CELLS, cell)], minlength=len(names))
                    right += counts[label] > np.delete(counts, label).max()
                    n += 1
                low, high = binomtest(int(right), n).proportion_ci(method="exact")
                text = f"{right} of {n} ({low:.2f}–{high:.2f})"
                assert page.loc[(task, name.capitalize()), method] == text


def test_three_intervals_of_each_recall(runs):
    found = uncertainty.compute_recalls("SVM", "four").set_index("class")
    truth, labels = images.labels("TEST"), runs["SVM", "four"][0].arrays["labels"][0]
    counts = photographs.counts("cells")["TEST"]
    assert found["cells"].tolist() == [*counts.values(), sum(counts.values())]
    for name, own in [*((n, truth == k) for k, n in enumerate(CLASSES)), ("All", truth >= 0)]:
        right = (labels == truth)[own]
        assert found.loc[name, "recall"] == pytest.approx(right.mean())
        exact = binomtest(int(right.sum()), len(right)).proportion_ci(method="exact")
        ends = found.loc[name, ["images_low", "images_high"]].tolist()
        assert ends == pytest.approx(list(exact))
    kinds, cell = np.unique(CELLS[truth == 0], return_inverse=True)
    right = np.bincount(cell, (labels == truth)[truth == 0], len(kinds))
    weights = np.random.default_rng(0).multinomial(
        len(kinds), np.full(len(kinds), 1 / len(kinds)), 10_000
    )
    recalls = weights @ right / (weights @ np.bincount(cell))
    ends = found.loc["NEUTROPHIL", ["bootstrap_low", "bootstrap_high"]].tolist()
    assert ends == pytest.approx(np.quantile(recalls, [0.025, 0.975]).tolist(), abs=0.02)
    own = truth == 0
    limits = intervals.gaffke(*intervals.tally((labels == truth)[own], CELLS[own]))
    ends = found.loc["NEUTROPHIL", ["gaffke_low", "gaffke_high"]].tolist()
    assert ends == pytest.approx(limits, abs=0.01)


# ------------------------------------------------------------------------------------- coverage


@pytest.fixture(scope="module")
def coverage():
    return uncertainty.compute_coverage(0.5, recalls=(0.6, 0.9), simulations=300, resamples=200)


def test_this_books_intervals_are_95_percent_intervals(coverage):
    uncertainty.plot_coverage(coverage).canvas.draw()
    lowest = coverage.groupby("interval")["share"].min()
    assert lowest["gaffke"] > 0.95
    assert lowest["bootstrap"] < 0.75
    assert lowest["images"] < 0.3
    assert lowest["majority"] > 0.93


def test_bounds_of_whole_methods_cover_and_percentiles_do_not(runs):
    found = uncertainty.simulate(0.5, simulations=60, resamples=200)
    assert found["score"].tolist() == list(uncertainty.SCORES)
    assert (found[["bounds", "differences"]] > 0.95).all(axis=None)
    assert (found["percentiles"] < found["bounds"]).all()


# ---------------------------------------------------------------------------------- differences


@pytest.fixture
def differences(runs):
    return uncertainty.compute_differences()


def test_differences_are_those_of_the_scores(runs, differences):
    assert len(differences) == len(TASKS) * len(uncertainty.PAIRS) * len(uncertainty.SCORES)
    for row in differences.itertuples():
        truth, values = images.labels("TEST", row.task), []
        for method in (row.first, row.second):
            labels = runs[method, row.task][0].arrays["labels"][0]
            three = precision_recall_fscore_support(truth, labels, zero_division=0)[:3]
            measured = dict(zip(("precision", "recall", "F1"), np.mean(three, axis=1), strict=True))
            measured["accuracy"] = (labels == truth).mean()
            values.append(measured[row.score.removeprefix("average ")])
        assert row.value == pytest.approx(values[0] - values[1])
        assert row.low < row.value < row.high
        assert row.least <= row.value <= row.most
        assert row.excludes_zero == (row.low > 0 or row.high < 0)


def test_which_differences_exclude_zero(differences):
    apart = differences.groupby(["first", "second"])["excludes_zero"]
    assert apart.all()["DCLNN", "SVM"]
    assert not apart.any()["SVM", "NB"]
    assert not apart.any()["MaxPooling", "AveragePooling"]


def test_a_missing_run_leaves_its_pair_out(runs):
    runs["AveragePooling", "two"] = []
    found = uncertainty.compute_differences()
    rows = set(zip(found["task"], found["first"], strict=True))
    assert ("two", "MaxPooling") not in rows
    assert ("four", "MaxPooling") in rows
    uncertainty.plot_differences(found).canvas.draw()


# ----------------------------------------------------------------------------------- the seeds


def test_levels(runs):
    rng, truth = np.random.default_rng(4), images.labels("TEST")
    shares = [0.9] * 15 + [0.5, *[0.8] * 8, 0.7] + [0.1]  # the 26th is not looked at
    labels = np.stack([guessed("four", share, rng, alike=False) for share in shares])
    runs["MaxPooling", "four"] = [made_up(labels, "four", "DCLNN")]
    runs["AveragePooling", "four"] = []
    found = uncertainty.compute_levels().set_index(["task", "method"])
    assert ("four", "AveragePooling") not in found.index
    row = found.loc["four", "MaxPooling"]
    late = (labels[15:25] == truth).mean(axis=1)
    assert row["moved"] == pytest.approx(late.max() - late.min())
    estimate = comparison.estimate(runs["MaxPooling", "four"])
    assert row["width"] == estimate.high - estimate.low
    assert row["runs"] == 1
