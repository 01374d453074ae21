"""How sure are the book's numbers? ``compute_*`` gathers, ``plot_*`` draws.

Everything here is about the stored runs that stand beside the paper's rows, on TEST, and about
other cells than TEST's. It is computed by :mod:`bloodlib.evidence.intervals`.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from bloodlib.analyses import plots
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.study import records

METHODS = ("NB", "SVM", "DCLNN")
#: Which rows are compared, the first minus the second.
PAIRS = (("SVM", "NB"), ("DCLNN", "SVM"), ("MaxPooling", "AveragePooling"))
#: The scores of a whole method.
SCORES = {
    "accuracy": scores.accuracy,
    "average precision": lambda confusion: scores.precision(confusion).mean(axis=-1),
    "average recall": lambda confusion: scores.recall(confusion).mean(axis=-1),
    "average F1": lambda confusion: scores.f1(confusion).mean(axis=-1),
}
#: The intervals whose coverage is drawn, by their names in :func:`compute_coverage`.
DRAWN = {
    "images": ("exact, images as observations", "#999999"),
    "bootstrap": ("percentiles of the bootstrap by cell", "#E69F00"),
    "gaffke": ("this book's interval by cell", "#0072B2"),
}
ALL = "All"


def numbers(confusion: np.ndarray) -> np.ndarray:
    """All of :data:`SCORES` [..., 4] of confusion matrices."""
    return np.stack([score(confusion) for score in SCORES.values()], axis=-1)


# ------------------------------------------------------------------------------ effective sizes


def compute_effective(runs: list[records.Record]) -> pd.DataFrame:
    """How alike a cell's images are in being right, and as how many independent ones they count.

    Parameters
    ----------
    runs : list of Record
        Of one method and task; what is estimated is averaged over them.

    Returns
    -------
    pandas.DataFrame
        A row for each class, and :data:`ALL`: ``class, images, cells, wrong, icc, deff,
        effective``, see ``intervals.design_effect``. What no run tells, as where all
        images are right, is nan. For all classes together, ``deff`` is how many times greater the
        variance of accuracy is than if images were independent, and there is no ``icc``.
    """
    task = runs[0].config["task"]
    truth, cells = images.labels("TEST", task), photographs.cells("TEST")
    correct = comparison.predicted(runs) == truth
    rows = []
    for label, name in enumerate(TASKS[task]):
        own = truth == label
        successes, sizes = intervals.tally(correct[:, own], cells[own])
        icc, deff = (pd.Series(each).mean() for each in intervals.design_effect(successes, sizes))
        right = correct[:, own].mean(axis=1)
        wrong = (~correct[:, own]).sum(axis=1).mean()
        variance = own.sum() * (right * (1 - right)).mean()
        rows.append((name, own.sum(), len(sizes), wrong, icc, deff, variance))
    names = ["class", "images", "cells", "wrong", "icc", "deff", "variance"]
    found = pd.DataFrame(rows, columns=names)
    known = found.dropna(subset="deff")
    deff = np.average(known["deff"], weights=known["variance"]) if len(known) else np.nan
    whole = {name: found[name].sum() for name in ("images", "cells", "wrong")}
    whole |= {"class": ALL, "deff": deff}
    found = pd.concat([found.drop(columns="variance"), pd.DataFrame([whole])], ignore_index=True)
    return found.assign(effective=found["images"] / found["deff"])


# ------------------------------------------------------------------------ one cell, one observation


def compute_votes() -> pd.DataFrame:
    """How many cells of each class the majority of their images gets right, with exact intervals.

    Runs of a row vote together.
    """
    rows = []
    for task, names in TASKS.items():
        groups = images.labels("TEST", task), photographs.cells("TEST")
        truth, cell = np.unique(np.stack(groups), axis=1, return_inverse=True)
        n = np.bincount(truth[0])
        found = {"Classes": task, "Class": [name.capitalize() for name in names]}
        for method in METHODS:
            labels = comparison.predicted(comparison.compared(method, task))
            votes = intervals.vote(labels.ravel(), np.tile(cell, len(labels)))
            right = np.bincount(truth[0], votes == truth[0]).astype(int)
            columns = zip(right, n, *intervals.clopper_pearson(right, n), strict=True)
            found[method] = [f"{r} of {k} ({low:.2f}–{high:.2f})" for r, k, low, high in columns]
        rows.append(pd.DataFrame(found))
    return pd.concat(rows, ignore_index=True)


# ---------------------------------------------------------------------------- three intervals


def compute_recalls(method: str = "DCLNN", task: str = "four") -> pd.DataFrame:
    """Recalls and accuracy of a row, and three intervals for each.

    Returns
    -------
    pandas.DataFrame
        A row for each class, then :data:`ALL`, which is the accuracy: ``class, cells, recall``,
        and the ends ``NAME_low, NAME_high`` for each name of :data:`DRAWN`.
    """
    runs = comparison.compared(method, task)
    labels, drawn = comparison.predicted(runs), comparison.resamples(task, unseen=False)
    value, *ends = comparison.estimate(runs, _recalls)
    truth, cells = images.labels("TEST", task), photographs.cells("TEST")
    sizes = np.append(np.bincount(truth), len(truth))
    found = {
        "images": intervals.clopper_pearson(np.rint(value * sizes), sizes),
        "bootstrap": intervals.bounds(_recalls, labels, drawn),
        "gaffke": ends,
    }
    k = [len(np.unique(cells[truth == label])) for label in range(len(TASKS[task]))]
    frame = pd.DataFrame({"class": [*TASKS[task], ALL], "cells": [*k, sum(k)], "recall": value})
    for name, (low, high) in found.items():
        frame[f"{name}_low"], frame[f"{name}_high"] = low, high
    return frame


# ------------------------------------------------------------------------------------- coverage


def compute_coverage(
    icc: float,
    recalls: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
    simulations: int = 1000,
    resamples: int = 500,
) -> pd.DataFrame:
    """Simulated fractions of intervals that contain a recall, with the sizes of TEST's cells.

    A cell's images are right with a probability of the cell's own, drawn from a beta distribution.

    Parameters
    ----------
    icc : float
        How alike a cell's images are in being right, between 0 and 1.
    recalls : tuple of float
        The true recalls that are tried.
    simulations, resamples : int

    Returns
    -------
    pandas.DataFrame
        ``class, cells, recall, interval, share``. Intervals of the recall are ``bootstrap``
        (percentiles), ``gaffke`` and ``images`` (Clopper and Pearson's, as if images were
        independent); ``majority`` (the same, a cell being one observation) is one of the
        probability that the majority of a cell's images is right.
    """
    truth, cells = images.labels("TEST"), photographs.cells("TEST")
    rows = []
    for (label, name), recall in itertools.product(enumerate(images.CLASSES), recalls):
        sizes = np.unique(cells[truth == label], return_counts=True)[1]
        rng, k = np.random.default_rng(0), len(sizes)
        shape = recall * (1 / icc - 1), (1 - recall) * (1 / icc - 1)
        found = rng.binomial(sizes, rng.beta(*shape, (simulations, k)))
        weights = rng.multinomial(k, np.full(k, 1 / k), resamples)
        drawn = weights @ found.T / (weights @ sizes)[:, None]
        votes = (2 * found > sizes).sum(axis=-1)
        majority = stats.betabinom.sf(sizes // 2, sizes, *shape).mean()
        ends = {
            "bootstrap": (recall, np.quantile(drawn, [0.025, 0.975], axis=0)),
            "gaffke": (recall, intervals.gaffke(found, sizes, resamples)),
            "images": (recall, intervals.clopper_pearson(found.sum(axis=-1), sizes.sum())),
            "majority": (majority, intervals.clopper_pearson(votes, k)),
        }
        for interval, (true, (low, high)) in ends.items():
            rows.append((name, k, recall, interval, np.mean((low <= true) & (true <= high))))
    return pd.DataFrame(rows, columns=["class", "cells", "recall", "interval", "share"])


def plot_coverage(coverage: pd.DataFrame) -> plt.Figure:
    """Coverage over the true recall, a panel for each class; dotted: 95 percent."""
    figure, axes = plt.subplots(
        1, len(images.CLASSES), figsize=(7.2, 2.9), sharey=True, sharex=True
    )
    for axis, (name, chosen) in zip(axes, coverage.groupby("class", sort=False), strict=True):
        for interval, (label, colour) in DRAWN.items():
            line = chosen[chosen["interval"] == interval]
            axis.plot(line["recall"], line["share"], "o-", ms=3.5, color=colour, label=label)
        axis.axhline(0.95, color=COLOURS["paper"], lw=1, ls=":")
        axis.set(ylim=(0, 1.02), xlabel="true recall")
        axis.set_title(f"{name.capitalize()}\n{chosen['cells'].iloc[0]} cells", fontsize=9)
    axes[0].set_ylabel("contain the truth")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def simulate(icc: float, simulations: int = 400, resamples: int = 400) -> pd.DataFrame:
    """Simulate runs on cells like TEST's, and count how often intervals contain the truth.

    With four classes.

    Each cell has a probability of its own of being taken for each class, drawn from a Dirichlet
    distribution round those of its class: a row of the network's confusion matrix, or, for the
    differences, of the SVM's too. A half is added to each count, so that no chance is 0.

    Parameters
    ----------
    icc : float
    simulations, resamples : int

    Returns
    -------
    pandas.DataFrame
        A row for each of :data:`SCORES`: ``score``, and the fractions of ``percentiles``, of
        ``bounds``, both of the network's score, and of ``differences``, the bounds of
        the network minus the SVM.
    """
    n_classes, truth = len(images.CLASSES), images.labels("TEST")
    plain, unseen = (
        intervals.resample(truth, photographs.cells("TEST"), n_classes, resamples, unseen=unseen)
        for unseen in (False, True)
    )
    clusters = unseen.clusters
    order = np.argsort(clusters, kind="stable")
    _, first, sizes = np.unique(clusters, return_index=True, return_counts=True)
    rates, expected = {}, {}
    for method in ("DCLNN", "SVM"):
        found = comparison.confusions(comparison.compared(method, "four")).sum(axis=0) + 0.5
        rates[method] = found / found.sum(axis=-1, keepdims=True)
        expected[method] = numbers(rates[method] * np.bincount(truth)[:, None])
    rng = np.random.default_rng(0)
    covered = np.empty((simulations, 3, len(SCORES)), dtype=bool)
    for row in covered:
        labels = {}
        for method, rate in rates.items():
            chances = rng.gamma(rate[truth[first]] * (1 / icc - 1))
            chances /= chances.sum(axis=-1, keepdims=True)
            counts = rng.multinomial(sizes, chances)
            taken = np.empty(len(truth), dtype=int)
            taken[order] = np.repeat(np.tile(np.arange(n_classes), len(sizes)), counts.ravel())
            labels[method] = taken[None]
        ours, other = labels["DCLNN"], labels["SVM"]
        score = expected["DCLNN"]
        found = (
            (intervals.bounds(numbers, ours, plain), score),
            (intervals.bounds(numbers, ours, unseen), score),
            (intervals.bounds(numbers, ours, unseen, other), score - expected["SVM"]),
        )
        row[:] = [(low <= true) & (true <= high) for (low, high), true in found]
    shares = covered.mean(axis=0)
    names = ("percentiles", "bounds", "differences")
    return pd.DataFrame({"score": list(SCORES)} | dict(zip(names, shares, strict=True)))


# ---------------------------------------------------------------------------------- differences


def compute_differences() -> pd.DataFrame:
    """Differences of whole methods on the same cells, with their CIs by cell.

    Returns
    -------
    pandas.DataFrame
        A row for each task, pair of :data:`PAIRS` and score: ``task, first, second, score,
        value``; ``low, high``, the 95 % CI over cells; ``least, most``, the percentiles of the
        bootstrap, which are too narrow; ``excludes_zero``, whether the CI does. Without
        rows where a run is missing.
    """
    rows = []
    for task in TASKS:
        drawn = comparison.resamples(task, unseen=False)
        for pair in PAIRS:
            runs = [comparison.compared(method, task) for method in pair]
            if all(runs):
                found = comparison.difference(*runs, numbers)
                first, second = map(comparison.predicted, runs)
                narrow = intervals.bounds(numbers, first, drawn, second)
                columns = zip(SCORES, *found, *narrow, strict=True)
                rows += [(task, *pair, *column) for column in columns]
    names = ["task", "first", "second", "score", "value", "low", "high", "least", "most"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(excludes_zero=(found["low"] > 0) | (found["high"] < 0))


def plot_differences(found: pd.DataFrame) -> plt.Figure:
    """Differences with their CIs, a panel for each score; filled: the CI excludes zero."""
    rows = list(dict.fromkeys(zip(found["task"], found["first"], found["second"], strict=True)))
    figure, axes = plt.subplots(
        1, len(SCORES), figsize=(7.2, 1.0 + 0.3 * len(rows)), sharex=True, sharey=True
    )
    for axis, score in zip(axes, SCORES, strict=True):
        own = found[found["score"] == score]
        y = [rows.index(row) for row in zip(own["task"], own["first"], own["second"], strict=True)]
        plots.plot_intervals(
            axis, y, own["value"], own["low"], own["high"], own["first"].map(COLOURS),
            hollow=~own["excludes_zero"],
        )  # fmt: skip
        axis.axvline(0, color=COLOURS["paper"], lw=1, ls=":")
        axis.set_title(score.capitalize().replace(" ", "\n").replace("f1", "F1"), fontsize=9)
        axis.tick_params(labelsize=8)
    plots.in_rows(axes, [f"{task}: {first} − {second}" for task, first, second in rows])
    return figure


# ----------------------------------------------------------------------------------- the seeds


def compute_levels() -> pd.DataFrame:
    """How wide the networks' intervals of accuracy are, and what is not in them.

    Returns
    -------
    pandas.DataFrame
        A row for each task and network of Table 2 that has a run: ``task, method, runs``;
        ``width`` of the 95 % CI over cells; ``moved``, how far accuracy on TEST went up and down
        over :data:`bloodlib.evidence.comparison.LATE`, the mean over runs.
    """
    rows = []
    for task in TASKS:
        for method in ("MaxPooling", "AveragePooling"):
            if runs := comparison.compared(method, task):
                _, low, high = comparison.estimate(runs)
                found = scores.accuracy(
                    [comparison.confusions(runs, epoch) for epoch in comparison.LATE]
                )
                rows.append((task, method, len(runs), high - low, np.ptp(found, axis=0).mean()))
    return pd.DataFrame(rows, columns=["task", "method", "runs", "width", "moved"])


# -------------------------------------------------------------------------------- what they share


def _recalls(confusion):
    """Recall of each class, then accuracy [..., classes + 1]."""
    accuracy = scores.accuracy(confusion)[..., None]
    return np.concatenate([scores.recall(confusion), accuracy], axis=-1)
