"""What TEST's few cells leave of its many images, and what a single cell changes."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses import model_comparison
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.study import records

ALL = "All"


def compute_effective(runs: list[records.Record]) -> pd.DataFrame:
    """How alike a cell's images are in being right, and as how many independent ones they count.

    The intracluster correlation is estimated by one-way analysis of variance for clusters of
    unequal size (Donner and Klar, 2000, section 1.3). The design effect is 1 + (m - 1) icc (Kish,
    1965), where m is the mean size of an image's cluster, and a negative icc counts as 0.

    Parameters
    ----------
    runs : list of Record
        Of one method and task; what is estimated is averaged over them.

    Returns
    -------
    pandas.DataFrame
        A row for each class, and :data:`ALL`: ``class, images, cells, wrong, icc, deff,
        effective``. What no run tells, as where all images are right, is nan. For all classes
        together, ``deff`` is how many times greater the variance of accuracy is than if images
        were independent, and there is no ``icc``.
    """
    task = runs[0].config["task"]
    y_true, cells = images.labels("TEST", task), photographs.cells("TEST")
    right = pd.DataFrame((comparison.predicted(runs) == y_true).T.astype(float))
    rows = []
    for label, name in enumerate(TASKS[task]):
        own = y_true == label
        by_cell = right[own].groupby(cells[own])
        sizes, shares = by_cell.size(), by_cell.mean()
        n, k, p = sizes.sum(), len(sizes), right[own].mean()
        weighted = (sizes**2).sum() / n
        between = ((shares - p) ** 2).mul(sizes, axis=0).sum() / (k - 1)
        within = (shares * (1 - shares)).mul(sizes, axis=0).sum() / (n - k)
        icc = (between - within) / (between + ((n - weighted) / (k - 1) - 1) * within)
        deff = 1 + (weighted - 1) * icc.clip(lower=0)
        wrong, variance = n - right[own].sum().mean(), n * (p * (1 - p)).mean()
        rows.append((name, n, k, wrong, icc.mean(), deff.mean(), variance))
    names = ["class", "images", "cells", "wrong", "icc", "deff", "variance"]
    found = pd.DataFrame(rows, columns=names)
    known = found.dropna(subset="deff")
    deff = np.average(known["deff"], weights=known["variance"]) if len(known) else np.nan
    whole = found[["images", "cells", "wrong"]].sum().to_dict() | {"class": ALL, "deff": deff}
    found = pd.concat([found.drop(columns="variance"), pd.DataFrame([whole])], ignore_index=True)
    return found.assign(effective=found["images"] / found["deff"])


def compute_influence() -> pd.DataFrame:
    """How far the accuracies of Tables 1 and 2, and of colours, move if one cell is left out.

    Returns
    -------
    pandas.DataFrame
        A row for each task and method: ``task, method, accuracy``; ``least, most``, of it with a
        cell left out; ``moved``, the larger change; ``class, images`` of the cell that makes it.
    """
    methods = ("NB", "SVM", "MaxPooling", "AveragePooling", "histogram")
    cells, kinds = photographs.cells("TEST"), images.labels("TEST")
    rows = []
    for task in TASKS:
        for method in methods:
            right = comparison.predicted(model_comparison.runs(method, task))
            right = (right == images.labels("TEST", task)).mean(axis=0)
            left = {cell: right[cells != cell].mean() for cell in np.unique(cells)}
            cell = max(left, key=lambda one: abs(left[one] - right.mean()))
            rows.append(
                {
                    "task": task,
                    "method": method,
                    "accuracy": right.mean(),
                    "least": min(left.values()),
                    "most": max(left.values()),
                    "moved": left[cell] - right.mean(),
                    "class": images.CLASSES[kinds[cells == cell][0]],
                    "images": (cells == cell).sum(),
                }
            )
    return pd.DataFrame(rows)


def load_simulated(name: str) -> pd.DataFrame:
    """A table that ``benchmarks/coverage.py`` stored: ``scores``, ``needed``, ...

    Raises
    ------
    bloodlib.data.stored.StoredError
        If it is not there, or was changed.
    """
    folder, remedy = stored.results_folder(), "Run `python benchmarks/coverage.py`."
    made = stored.read_json(folder / "coverage.json", remedy)
    file = f"coverage_{name}.csv"
    return pd.read_csv(io.BytesIO(stored.read(folder / file, remedy, made["sha256"][file])))


def plot_coverage(coverage: pd.DataFrame) -> plt.Figure:
    """Coverage by the number of runs, a panel for each score of :func:`load_simulated`."""
    lines = {
        "percentiles": ("percentile bootstrap over cells", "#E69F00", "o-"),
        "cells": ("CI over cells, for these runs", "#0072B2", "o-"),
        "cells, of all seeds": ("CI over cells, against all seeds", "#0072B2", "o--"),
        "cells and seeds": ("CI over cells and seeds", "#009E73", "o-"),
    }
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 4.2), sharex=True, sharey=True)
    for axis, (name, own) in zip(axes.flat, coverage.groupby("score", sort=False), strict=True):
        for column, (label, colour, style) in lines.items():
            axis.plot(own["runs"], own[column], style, ms=3.5, color=colour, label=label)
        axis.axhline(0.95, color="#222222", lw=1, ls=":")
        axis.set(ylim=(0.3, 1.02), title=name, xticks=own["runs"])
    figure.supxlabel("runs", fontsize=9)
    figure.supylabel("contain the truth", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
