"""What more cells would bring: accuracy on TEST of methods that learned from fewer of TRAIN's.

A method with the settings that stand for it (``contenders.settings``) learns from a
quarter, a half or all of TRAIN's cells, and answers for the same TEST.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses import contenders
from bloodlib.book.figures import COLOURS
from bloodlib.data import photographs, splits
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import CHANCE

#: Ways to divide, by how they are called.
SHARES = {"a quarter": "quarter", "a half": "half", "all": "published"}


def load(methods: tuple[str, ...] = contenders.METHODS) -> pd.DataFrame:
    """Accuracy with four classes by how many cells were learned from.

    Parameters
    ----------
    methods : tuple of str
        Those without runs on every share are left out.

    Returns
    -------
    pandas.DataFrame
        A row for each method and share: ``method, share, cells`` (mean over runs), ``runs``;
        ``accuracy, low, high``: the mean over runs and its interval by cell; ``least, most``: of a
        run; ``gain, gain_low, gain_high``: that less the accuracy with the share before, on the
        same cells of TEST, nan for the first share.
    """
    rows = []
    for method in methods:
        wanted = contenders.settings(method) | {"task": "four"}
        found = {
            share: comparison.frozen(wanted | {"split_by": by}, (*CHANCE, "fold"))
            for share, by in SHARES.items()
        }
        if not all(found.values()):
            continue
        before = None
        for share, runs in found.items():
            each = scores.accuracy(comparison.confusions(runs))
            gain = comparison.difference(runs, before) if before else (np.nan,) * 3
            ends = map(float, (*comparison.estimate(runs), each.min(), each.max(), *gain))
            cells = np.mean([_cells(SHARES[share], run.config.get("fold", 0)) for run in runs])
            rows.append((method, share, float(cells), len(runs), *ends))
            before = runs
    names = ["accuracy", "low", "high", "least", "most", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=["method", "share", "cells", "runs", *names])


def show(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`load` for a page: a row for each method, a column for each share."""
    rows = []
    for method, its in found.groupby("method", sort=False):
        row = {"Method": contenders.SHOWN[method]}
        for one in its.itertuples():
            row[one.share.capitalize()] = comparison.with_interval(one.accuracy, one.low, one.high)
        last = its.iloc[-1]
        row["All less a half"] = comparison.signed(
            last["gain"], last["gain_low"], last["gain_high"]
        )
        row["Runs"] = " + ".join(map(str, its["runs"]))
        rows.append(row)
    return pd.DataFrame(rows)


def plot(found: pd.DataFrame) -> plt.Figure:
    """Accuracy by the number of cells learned from, on a logarithmic axis; a line for each method.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`load`. Thin lines upright: from the least to the greatest of the runs.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    for method, its in found.groupby("method", sort=False):
        colour = COLOURS[method]
        axis.plot(its["cells"], its["accuracy"], "o-", color=colour, label=contenders.SHOWN[method])
        axis.vlines(its["cells"], its["least"], its["most"], color=colour, lw=1)
    axis.set(xscale="log", ylim=(0, 1), xlabel="cells learned from", ylabel="accuracy on TEST")
    axis.axhline(0.25, color="#888888", lw=1, ls=":")
    places = found.groupby("share", sort=False)["cells"].mean()
    axis.set_xticks(places, [f"{cells:.0f}" for cells in places])
    axis.minorticks_off()
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _cells(by, fold):
    """How many cells a run learned from."""
    return len(np.unique(photographs.cells("TRAIN")[splits.split(by, fold).train]))
