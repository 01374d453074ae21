"""What few cells leave of many images, against an analysis of variance, and one cell's weight."""

import runpy
import types

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from bloodlib import study
from bloodlib.analyses import model_comparison, uncertainty
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import TASKS

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")
CELLS = photographs.cells("TEST")


def made_up(labels, task, method="NB"):
    """A run with these labels on TEST [epochs, n]."""
    labels, truth = np.atleast_2d(labels), images.labels("TEST", task)

    return types.SimpleNamespace(
        config=study.resolve({"method": method, "task": task}),
        epochs=len(labels),
        has_epochs=len(labels) > 1,
        arrays={"truth": truth, "labels": labels},
    )


def guessed(task, right, rng, alike=True):
    """Labels that are right for about such a share of cells, or of images."""
    truth, n = images.labels("TEST", task), len(TASKS[task])
    kinds, cell = np.unique(CELLS, return_inverse=True)
    drawn = rng.random(len(kinds))[cell] if alike else rng.random(len(truth))
    return np.where(drawn < right, truth, (truth + 1) % n)


def analysis_of_variance(clusters):
    """Intracluster correlation and design effect from scipy's F."""
    sizes = np.array([len(one) for one in clusters])
    n, k = sizes.sum(), len(sizes)
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    f = f_oneway(*clusters).statistic
    icc = (f - 1) / (f + typical - 1)
    return icc, 1 + (np.repeat(sizes, sizes).mean() - 1) * max(icc, 0)


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
        icc, deff = analysis_of_variance([one.to_numpy(float) for _, one in correct])
        assert (row.images, row.cells) == (own.sum(), correct.ngroups)
        assert row.wrong == (labels[own] != label).sum()
        assert (row.icc, row.deff) == pytest.approx((icc, deff))
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


# ------------------------------------------------------------------- one cell, and what is stored


def test_the_cell_that_moves_accuracy_most_is_named(monkeypatch):
    truth, kinds = images.labels("TEST", "two"), images.labels("TEST")
    cell = CELLS[kinds == images.CLASSES.index("MONOCYTE")][0]
    labels = np.where(cell == CELLS, 1 - truth, truth)
    for task in TASKS:
        wrong = (images.labels("TEST", task) + 1) % len(TASKS[task])
        labels = np.where(cell == CELLS, wrong, images.labels("TEST", task))
        monkeypatch.setitem(RUNS, task, [made_up(labels, task)])
    monkeypatch.setattr(model_comparison, "runs", lambda method, task: RUNS[task])
    found = uncertainty.compute_influence()
    assert len(found) == 10
    assert set(found["class"]) == {"MONOCYTE"}
    n, own = len(truth), (cell == CELLS).sum()
    np.testing.assert_allclose(found["accuracy"], 1 - own / n)
    np.testing.assert_allclose(found["most"], 1)
    np.testing.assert_allclose(found["moved"], own / n)
    assert (found["images"] == own).all()


RUNS = {}


def test_simulated_tables_are_read_if_they_are_as_written(tmp_path, monkeypatch):
    frame = pd.DataFrame({"score": list("abcdef"), "runs": [1, 3, 6, 10, 1, 3]})
    frame = frame.assign(**dict.fromkeys(("percentiles", "cells", "cells, of all seeds"), 0.9))
    frame["cells and seeds"] = [np.nan, 0.96, 0.97, 0.98, np.nan, 0.95]
    tables = {"coverage_scores.csv": frame.to_csv(index=False).encode(), "coverage_x.csv": b"a"}
    stored.write(tmp_path, "coverage", tables, {})
    monkeypatch.setenv("BLOODLIB_RESULTS", str(tmp_path))
    found = uncertainty.load_simulated("scores")
    pd.testing.assert_frame_equal(found, frame)
    uncertainty.plot_coverage(found).canvas.draw()
    (tmp_path / "coverage_scores.csv").write_text("score,runs\n")
    with pytest.raises(stored.StoredError, match=r"coverage_scores\.csv .*benchmarks/coverage\.py"):
        uncertainty.load_simulated("scores")


@pytest.mark.long
@pytest.mark.data
def test_the_simulation_finds_what_is_stored():
    found = runpy.run_path(str(stored.checkout() / "benchmarks" / "coverage.py"))
    again = found["simulate_scores"](found["Laboratory"](), 60, (3,))
    before = uncertainty.load_simulated("scores").query("runs == 3")
    assert again["score"].tolist() == before["score"].tolist()
    for column in ("percentiles", "cells", "cells, of all seeds", "cells and seeds"):
        np.testing.assert_allclose(again[column], before[column], atol=0.2)  # 60 and 300 times
    assert (again["cells and seeds"] > 0.88).all()
