"""Accuracy by how many cells were learned from, of runs that were made up."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_contenders import frozen

from bloodlib.analyses import growth
from bloodlib.data import photographs, splits

mpl.use("agg")


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
    found = growth.load(("NB", "SVM"))
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
    found = growth.load(("NB",)).set_index("share")
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
    shown = growth.show(growth.load(("NB",)))
    assert list(shown) == ["Method", "A quarter", "A half", "All", "All less a half", "Runs"]
    assert shown["Runs"].tolist() == ["4 + 2 + 1"]
    assert shown["All less a half"][0].startswith("+0.4")


def test_the_figure_rises_with_the_accuracy(runs):
    found = growth.load(("NB",))
    figure = growth.plot(found)
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), found["accuracy"])
    plt.close(figure)
