"""Every method side by side: on TEST, on TRAIN's cells held out, and by cells learned from.

The settings of the methods in :data:`TUNED` were chosen without TEST: on folds of TRAIN that
keep the images of a cell together (``split_by: train-cell``, :mod:`bloodlib.data.splits`). TEST
was used once, for what was chosen. The other methods have the settings of the book's tables, or
none.
"""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses import plots
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs, splits, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.evidence.comparison import CHANCE
from bloodlib.models import methods
from bloodlib.models.networks import parameter_counts
from bloodlib.paper import arithmetic
from bloodlib.study import records

#: Methods whose settings are chosen, with four classes, and used for both tasks.
TUNED = ("nearest-photograph", "histogram", "small")
METHODS = ("majority", "NB", "SVM", "nearest-photograph", "histogram", "small", "DCLNN")
#: Naive Bayes on what logistic regression sees.
ON_COLOURS = {"Naive Bayes on colours": {"method": "NB", "features": "histogram"}}
#: Fractions of TRAIN's cells, and the splits that train on them.
FRACTIONS = {"A quarter": "quarter", "A half": "half", "All": "published"}

# -------------------------------------------------------------------------- settings and runs


def compute_candidates(method: str) -> pd.DataFrame:
    """Settings of a method that were tried on folds of TRAIN's cells, four classes, best first.

    Returns
    -------
    pandas.DataFrame
        ``method, settings`` (a dictionary), ``words, folds`` (how many); ``accuracy``, the mean
        over seeds, on all that was held out; ``lowest, highest`` of a fold; ``seconds`` of a run;
        ``chosen``. Settings tried on fewer folds than others are left out: a fold is easy or hard
        by itself.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If none were tried.
    """
    tried: dict[str, list[records.Record]] = {}
    for run in study.select(method=method, task="four", split_by="train-cell"):
        tried.setdefault(str(_settings(run.config)), []).append(run)
    rows = []
    for runs in tried.values():
        settings = _settings(runs[0].config)
        words = study.describe({"method": method, "task": "four"} | settings)
        right = [comparison.correct(some)[-1] for some in comparison.by_fold(runs).values()]
        each = [one.mean() for one in right]
        rows.append(
            {
                "method": method,
                "settings": settings,
                "words": words.partition(", ")[2] or "defaults",
                "folds": len(each),
                "accuracy": np.concatenate(right).mean(),
                "lowest": min(each),
                "highest": max(each),
                "seconds": np.mean([run.seconds for run in runs]),
            }
        )
    if not rows:
        raise stored.MissingError(
            f"no settings of {method} were tried on folds of TRAIN's cells: run some with "
            "split_by: train-cell"
        )
    found = pd.DataFrame(rows)
    found = found[found["folds"] == found["folds"].max()]
    found = found.sort_values(["accuracy", "words"], ascending=[False, True], ignore_index=True)
    return found.assign(chosen=found.index == 0)


def settings(method: str) -> dict:
    """What represents a method: ``method`` and the settings that were chosen, or the book's."""
    if method not in TUNED:
        return (comparison.COMPARED | ON_COLOURS).get(method, {"method": method})
    return {"method": method} | compute_candidates(method)["settings"][0]


def runs(method: str, task: str) -> list[records.Record]:
    """The saved runs of a method on TEST, with the settings that represent it.

    Raises
    ------
    stored.MissingError
        If there is none; the message has what ``study.yml`` needs.
    """
    wanted = settings(method) | {"task": task}
    found = comparison.saved(wanted)
    if not found:
        raise stored.MissingError(
            f"there is no record of {study.describe(study.resolve(wanted))}. Add it to study.yml "
            "and run `bloodlib study`."
        )
    return found


# ------------------------------------------------------------------------------------- on TEST


def _count_weights(method, task):
    """Weights of a network or of logistic regression; nan for other methods."""
    config, classes = study.resolve(settings(method) | {"task": task}), len(TASKS[task])
    if method == "DCLNN":
        return sum(parameter_counts(config["hidden"], classes).values())
    if method == "histogram":
        return (config["bins"] ** 3 + 1) * (1 if classes == 2 else classes)
    if method != "small":
        return np.nan
    filters = config["width"] * 2 ** np.arange(4)  # 3×3 kernels, four numbers of normalisation each
    kernels = 9 * np.append(3, filters[:-1]) * filters
    return int(kernels.sum() + 4 * filters.sum() + (filters[-1] + 1) * classes)


def compute_test(task: str) -> pd.DataFrame:
    """Every method on TEST: its accuracy, what it has learned, what it took.

    Returns
    -------
    pandas.DataFrame
        A row for each of :data:`METHODS`: ``method, task, runs``; ``accuracy, low, high``: the mean
        over runs and its 95 % CI over cells; ``cells_seeds_low, cells_seeds_high``: that over cells
        and seeds; ``each``: of each run; ``weights``: how many; ``seconds``:
        ``comparison.training_minutes``.
    """
    rows = []
    for method in METHODS:
        found = runs(method, task)
        over_cells, over_both = (comparison.estimate(found, seeds=seeds) for seeds in (False, True))
        rows.append(
            {
                "method": method,
                "task": task,
                "runs": len(found),
                "accuracy": float(over_cells.value),
                "low": float(over_cells.low),
                "high": float(over_cells.high),
                "cells_seeds_low": over_both.low,
                "cells_seeds_high": over_both.high,
                "each": scores.accuracy(comparison.confusions(found)).tolist(),
                "weights": _count_weights(method, task),
                "seconds": 60 * comparison.training_minutes(found),
            }
        )
    return pd.DataFrame(rows)


def plot_test(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of every method with its CI, a panel for each task of :func:`compute_test`.

    The panels stand one above the other, no wider than a phone.

    Diamonds: the average recall that the paper prints in Table 1, which is the accuracy where
    classes are as equal in size as those of TEST; dashed: the accuracy that section 1 claims;
    dotted: chance.
    """
    printed = {
        (cell.method, cell.task): cell.value
        for cell in paper.table_cells(table=1, class_="Average", measure="recall")
    }
    tasks = list(dict.fromkeys(found["task"]))
    figure, axes = plt.subplots(len(tasks), 1, figsize=(3.2, 2.5 * len(tasks)), squeeze=False)
    for axis, task in zip(axes[:, 0], tasks, strict=True):
        own = found[found["task"] == task]
        plots.plot_intervals(
            axis, range(len(own)), own["accuracy"], own["low"], own["high"],
            own["method"].map(COLOURS), runs=own["each"],
            printed=[printed.get((method, task), np.nan) for method in own["method"]],
        )  # fmt: skip
        axis.axvline(1 / len(TASKS[task]), color="#888888", lw=1, ls=":")
        axis.axvline(float(arithmetic.CLAIMED[task]), color="#222222", lw=1, ls="--")
        axis.set(xlim=(0, 1.02), title=f"{task} classes")
        plots.in_rows([axis], own["method"].map(methods.NAMES))
    axes[-1, 0].set_xlabel("accuracy on TEST")
    return figure


def compute_differences(pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Accuracy on TEST of the first method of a pair minus the second's, on the same cells.

    Returns
    -------
    pandas.DataFrame
        A row for each task and pair: ``task, first, second``, and the columns of
        ``comparison.compare``.
    """
    rows = [
        {"task": task, "first": first, "second": second}
        | comparison.compare(runs(first, task), runs(second, task))
        for task in TASKS
        for first, second in pairs
    ]
    return pd.DataFrame(rows)


# ----------------------------------------------------------------------------- on TRAIN's cells


def held_out(method: str) -> np.ndarray | None:
    """Labels of TRAIN's images, each predicted when its cell was held out, with four classes.

    Returns
    -------
    uint8 array [runs, images of TRAIN] or None
        As many runs as every fold has; None where a fold has none.
    """
    wanted = settings(method) | {"task": "four", "split_by": "train-cell"}
    found = comparison.by_fold(comparison.saved(wanted, (*CHANCE, "fold")))
    if len(found) < splits.N_FOLDS:
        return None
    fewest = min(map(len, found.values()))
    labels = np.empty((fewest, len(images.names("TRAIN"))), np.uint8)
    for fold, some in found.items():
        labels[:, splits.split("train-cell", fold).test] = comparison.predicted(some[:fewest])
    return labels


def compute_held_out(reference: str = "small") -> pd.DataFrame:
    """Every method on TRAIN's cells, each when it was held out: more cells than TEST has.

    Returns
    -------
    pandas.DataFrame
        A row for each method that has runs on all folds: ``method``; ``accuracy, low, high`` with
        four classes, the 95 % CI over cells; ``gap, gap_low, gap_high``: the accuracy of
        ``reference`` minus its own, on the same cells; ``p_cells``: of sign flips of the cells.
    """
    y_true = images.labels("TRAIN")
    drawn = intervals.resample(y_true, photographs.cells("TRAIN"), len(TASKS["four"]), 20_000)
    right = {method: held_out(method) for method in METHODS}
    right = {
        m: (y_pred == y_true).mean(axis=0) for m, y_pred in right.items() if y_pred is not None
    }
    rows = []
    for method, found in right.items():
        gap = [np.nan] * 4
        if reference in right and method != reference:
            gaps = right[reference] - found
            p_cells = intervals.sign_flips(np.bincount(drawn.clusters, gaps))
            gap = [gaps.mean(), *intervals.paired_bounds(gaps, drawn), p_cells]
        rows.append([method, found.mean(), *intervals.mean_bounds(found[None], drawn), *gap])
    names = ["accuracy", "low", "high", "gap", "gap_low", "gap_high", "p_cells"]
    return pd.DataFrame(rows, columns=["method", *names])


# ------------------------------------------------------------------------------- learning curve


def compute_learning_curve() -> pd.DataFrame:
    """Accuracy on TEST with four classes by how many of TRAIN's cells were learned from.

    Returns
    -------
    pandas.DataFrame
        A row for each run of the methods that have runs on every one of :data:`FRACTIONS`, as many
        of each fold: ``method, fraction, cells`` (mean over runs), ``accuracy``.
    """
    rows = []
    for method in METHODS:
        wanted = settings(method) | {"task": "four"}
        found = {
            fraction: _balanced(comparison.saved(wanted | {"split_by": by}, (*CHANCE, "fold")))
            for fraction, by in FRACTIONS.items()
        }
        for fraction, some in found.items() if all(found.values()) else ():
            cells = np.mean([_cells(run.config) for run in some])
            each = scores.accuracy(comparison.confusions(some))
            rows += [(method, fraction, cells, accuracy) for accuracy in each]
    return pd.DataFrame(rows, columns=["method", "fraction", "cells", "accuracy"])


# ------------------------------------------------------------------------------ what they share


def _settings(config):
    """A method's own settings, without those of chance."""
    config = study.resolve(config)
    common = {"method", "task", *study.COMMON, *CHANCE}
    return {key: value for key, value in config.items() if key not in common}


def _balanced(runs):
    """As many runs of each fold, in their order, so that none counts more than another."""
    folds = comparison.by_fold(runs)
    fewest = min(map(len, folds.values()), default=0)
    kept = {run.id for some in folds.values() for run in some[:fewest]}
    return [run for run in runs if run.id in kept]


def _cells(config):
    """How many cells a run learned from."""
    config = study.resolve(config)
    rows = splits.split(config["split_by"], config["fold"]).train
    return len(np.unique(photographs.cells("TRAIN")[rows]))
