"""What would do better: every method side by side, what it costs, and how settings were chosen.

The settings of the methods in :data:`TUNED` were chosen without TEST: on folds of TRAIN that
keep the images of a cell together (``split_by: train-cell``, :mod:`bloodlib.data.splits`). TEST was
asked once, about what was chosen. The other methods have the settings of the book's tables, or
none.
"""

import itertools
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses.plots import COLOURS, in_rows
from bloodlib.data import images, photographs, splits
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.evidence.comparison import CHANCE
from bloodlib.models.dclnn import parameter_counts
from bloodlib.study import records

#: Methods whose settings are chosen, with four classes, and used for both tasks.
TUNED = ("nearest-photograph", "histogram", "small")
#: The method that the others are held against.
REFERENCE = "small"
METHODS = ("majority", "NB", "SVM", *TUNED, "DCLNN")
NAMES = {
    "majority": "most frequent class",
    "NB": "Naive Bayes",
    "SVM": "SVM",
    "nearest-photograph": "nearest photograph",
    "histogram": "colour histogram",
    "small": "small network",
    "DCLNN": "DCLNN",
}
#: How many numbers NB and SVM see of an image.
FEATURES = {"pixels": 60 * 80 * 3, "grey": 60 * 80, "histogram": 8**3}


class Size(NamedTuple):
    """What a method keeps and does.

    Attributes
    ----------
    parameters : int
        Numbers that it has learned.
    multiplications : int
        To answer for one image.
    at_most : bool
        Whether both are upper bounds.
    """

    parameters: int
    multiplications: int
    at_most: bool = False


def compute_candidates(method: str) -> pd.DataFrame:
    """The settings of a method that were tried on folds of TRAIN's cells, the best first.

    Parameters
    ----------
    method : str
        One of :data:`TUNED`.

    Returns
    -------
    pandas.DataFrame
        ``settings`` (a dictionary, without those of chance), ``words``; ``folds``: how many;
        ``accuracy`` on what they held out, all folds together; ``lowest, highest``: of a fold;
        ``seconds`` of a run. Settings tried on fewer folds than others are left out: a fold is
        easy or hard by itself.
    """
    by_settings: dict[str, list[records.Record]] = {}
    for run in study.select(method=method, task="four", split_by="train-cell", seed=0):
        by_settings.setdefault(str(_settings(run.config)), []).append(run)
    folds = max(map(len, by_settings.values()), default=0)
    rows = []
    for runs in by_settings.values():
        right = [run.arrays["labels"][-1] == run.arrays["truth"] for run in runs]
        if len(runs) == folds:
            settings = _settings(runs[0].config)
            each = [float(one.mean()) for one in right]
            words = study.describe({"method": method, "task": "four"} | settings)
            rows.append(
                {
                    "settings": settings,
                    "words": words.partition(", ")[2] or "defaults",
                    "folds": folds,
                    "accuracy": float(np.concatenate(right).mean()),
                    "lowest": min(each),
                    "highest": max(each),
                    "seconds": float(np.mean([run.seconds for run in runs])),
                }
            )
    names = ["settings", "words", "folds", "accuracy", "lowest", "highest", "seconds"]
    found = pd.DataFrame(rows, columns=names)
    return found.sort_values(["accuracy", "words"], ascending=[False, True], ignore_index=True)


def settings(method: str) -> dict:
    """What stands for a method: ``method`` and the settings that were chosen, or the book's.

    Raises
    ------
    records.MissingRecordError
        If settings are to be chosen and none were tried.
    """
    if method not in TUNED:
        return comparison.COMPARED.get(method, {"method": method})
    tried = compute_candidates(method)
    if tried.empty:
        raise records.MissingRecordError(
            f"no settings of {method} were tried on folds of TRAIN's cells: run some with "
            "split_by: train-cell"
        )
    return {"method": method} | tried["settings"][0]


def runs(method: str, task: str) -> list[records.Record]:
    """The frozen runs of a method on TEST, with the settings that stand for it.

    Raises
    ------
    records.MissingRecordError
        If there is none; the message has what ``study.yml`` needs.
    """
    wanted = settings(method) | {"task": task}
    found = comparison.frozen(wanted)
    if not found:
        raise records.MissingRecordError(
            f"there is no record of {study.describe(study.resolve(wanted))}. Add it to study.yml "
            "and run `bloodlib study`."
        )
    return found


def held_out(method: str) -> np.ndarray | None:
    """What a method answered for TRAIN, each image when its cell was held out, with four classes.

    Returns
    -------
    uint8 array [images of TRAIN] or None
        Of the run with the lowest seed in each fold; None where a fold has no run.
    """
    wanted = settings(method) | {"task": "four", "split_by": "train-cell"}
    answers, folds = np.zeros(len(images.names("TRAIN")), np.uint8), set()
    found = comparison.frozen(wanted, (*CHANCE, "fold"))
    for run in sorted(found, key=lambda run: -run.config["seed"]):
        fold = run.config["fold"]
        if fold < splits.N_FOLDS:
            folds.add(fold)
            answers[splits.split("train-cell", fold).test] = comparison.predicted([run])[0]
    return answers if len(folds) == splits.N_FOLDS else None


def compute_held_out(of: str = REFERENCE) -> pd.DataFrame:
    """Every method on TRAIN's cells, each when it was held out: more cells than TEST has.

    Parameters
    ----------
    of : str
        The method that the others are held against.

    Returns
    -------
    pandas.DataFrame
        A row for each method that has runs on all folds: ``method``; ``accuracy, low, high`` with
        four classes, the interval by cell; ``gap, gap_low, gap_high``: the accuracy of ``of`` less
        its own, on the same cells.
    """
    answers = {method: held_out(method) for method in METHODS}
    answers = {method: found[None] for method, found in answers.items() if found is not None}
    truth = images.labels("TRAIN")
    drawn = intervals.resample(truth, photographs.cells("TRAIN"), len(TASKS["four"]), unseen=True)
    right = {method: float((found == truth).mean()) for method, found in answers.items()}
    rows = []
    for method, found in answers.items():
        low, high = intervals.bounds(scores.accuracy, found, drawn)
        rows.append([method, right[method], float(low), float(high), *[np.nan] * 3])
        if of in answers and method != of:
            gap = intervals.bounds(scores.accuracy, answers[of], drawn, found)
            rows[-1][4:] = right[of] - right[method], *map(float, gap)
    names = ["method", "accuracy", "low", "high", "gap", "gap_low", "gap_high"]
    return pd.DataFrame(rows, columns=names)


def show_held_out(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_held_out` for a page."""
    rows = []
    for row in found.itertuples():
        told = row.gap_low > 0 or row.gap_high < 0
        missing = np.isnan(row.gap)
        rows.append(
            {
                "Method": NAMES[row.method],
                "Accuracy held out": comparison.with_interval(row.accuracy, row.low, row.high),
                f"{NAMES[REFERENCE].capitalize()} less this": "–"
                if missing
                else comparison.signed(row.gap, row.gap_low, row.gap_high),
                "Told apart": "–" if missing else "yes" if told else "no",
            }
        )
    return pd.DataFrame(rows)


def size(config: dict) -> Size:
    """How many numbers a method has learned from the published images, and how much it multiplies.

    Parameters
    ----------
    config : dict
        See :func:`bloodlib.study.resolve`.

    Returns
    -------
    Size
        That of an SVM is an upper bound: it keeps its support vectors, which the record has not.
    """
    config = study.resolve(config)
    method, classes = config["method"], len(TASKS[config["task"]])
    if method == "majority":
        return Size(classes, 0)
    if method in ("NB", "SVM"):
        seen = FEATURES[config["features"]]
    if method == "NB":  # Gaussian: a mean and a variance each; and the classes' shares
        each = 2 if config["kind"] == "Gaussian" else 1
        return Size(each * seen * classes + classes, each * seen * classes)
    if method == "SVM":
        kept = len(images.names("TRAIN"))
        machines = classes * (classes - 1) // 2
        return Size(kept * (seen + classes - 1) + machines, kept * seen, at_most=True)
    if method == "DCLNN":
        counts = parameter_counts(hidden=config["hidden"], classes=classes)
        # a kernel's number is used at each place of the map, a weight of the others once
        maps = 58 * 78 * 27 * 32 + 56 * 76 * 288 * 64
        dense = 28 * 38 * 64 * config["hidden"] + config["hidden"] * classes
        return Size(sum(counts.values()), maps + dense)
    if method == "small":
        return _small(config, classes)
    bins = config["bins"] ** 3
    if method == "histogram":  # weights, and the mean and the deviation that shares are scaled by
        return Size((bins + 1) * classes + 2 * bins, bins * (classes + 1))
    kept = len(set(photographs.photographs("TRAIN")))
    return Size(kept * bins, kept * bins)


def compute_test(task: str) -> pd.DataFrame:
    """Every method on TEST: how often it is right, what it has learned, what it took.

    Parameters
    ----------
    task : {"four", "two"}

    Returns
    -------
    pandas.DataFrame
        A row for each of :data:`METHODS`. ``method, task, runs`` (records); ``accuracy, low,
        high``: the mean over runs and its interval by cell; ``each``: of each run; ``size``:
        see :func:`size`; ``seconds``: of the quickest run, as other work only makes runs slower;
        ``device``.
    """
    rows = []
    for method in METHODS:
        found = runs(method, task)
        value, low, high = comparison.estimate(found)
        quickest = min(found, key=lambda run: run.seconds)
        environment = quickest.environment
        rows.append(
            {
                "method": method,
                "task": task,
                "runs": found,
                "accuracy": float(value),
                "low": float(low),
                "high": float(high),
                "each": scores.accuracy(comparison.confusions(found)).tolist(),
                "size": size(found[0].config),
                "seconds": quickest.seconds,
                "device": environment["device"].replace("processor", environment["processor"]),
            }
        )
    return pd.DataFrame(rows)


def show_test(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_test` for a page."""

    def bound(row, number):
        return f"≤ {number:,}" if row.size.at_most else f"{number:,}"

    return pd.DataFrame(
        [
            {
                "Method": NAMES[row.method],
                "Accuracy on TEST": comparison.with_interval(row.accuracy, row.low, row.high),
                "Runs": len(row.runs),
                "Numbers learned": bound(row, row.size.parameters),
                "Multiplications an image": bound(row, row.size.multiplications),
                "Seconds": f"{row.seconds:,.0f}",
                "On": row.device,
            }
            for row in found.itertuples()
        ]
    )


def show_candidates() -> pd.DataFrame:
    """The rows of :func:`compute_candidates` of all methods in :data:`TUNED`, for a page."""
    rows = []
    for method in TUNED:
        for row in compute_candidates(method).itertuples():
            rows.append(
                {
                    "Method": NAMES[method],
                    "Settings": row.words,
                    "Folds": row.folds,
                    "Accuracy held out": row.accuracy,
                    "By fold": f"{row.lowest:.2f} to {row.highest:.2f}",
                    "Seconds": round(row.seconds),
                    "Chosen": "yes" if row.Index == 0 else "",
                }
            )
    return pd.DataFrame(rows)


def compute_differences(task: str) -> pd.DataFrame:
    """Accuracy of :data:`REFERENCE` less that of each other method, on the same cells.

    Returns
    -------
    pandas.DataFrame
        ``method`` (the other), ``value, low, high``.
    """
    rows = [
        (other, *comparison.difference(runs(REFERENCE, task), runs(other, task)))
        for other in METHODS
        if other != REFERENCE
    ]
    return pd.DataFrame(rows, columns=["method", "value", "low", "high"]).astype(
        dict.fromkeys(("value", "low", "high"), float)
    )


def show_differences(tasks: tuple[str, ...] = tuple(TASKS)) -> pd.DataFrame:
    """The rows of :func:`compute_differences` for a page."""
    return pd.DataFrame(
        [
            {
                "Classes": task,
                "Compared": f"{NAMES[REFERENCE]} − {NAMES[row.method]}",
                "Difference in accuracy": comparison.signed(row.value, row.low, row.high),
                "Told apart": "yes" if row.low > 0 or row.high < 0 else "no",
            }
            for task in tasks
            for row in compute_differences(task).itertuples()
        ]
    )


def plot_test(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of every method with its interval by cell, a panel for each task.

    Filled: the mean over runs; hollow: runs, where there are several; dotted: guessing. Diamonds:
    the average recall that the paper prints in Table 1; with classes as equal in size as those of
    TEST it is the accuracy.

    Parameters
    ----------
    found : pandas.DataFrame
        The rows of :func:`compute_test` of one task or both.
    """
    printed = {
        (cell.method, cell.task): cell.value
        for cell in paper.cells(table=1, class_="Average", measure="recall")
    }
    tasks = list(dict.fromkeys(found["task"]))
    figure, axes = plt.subplots(1, len(tasks), figsize=(7.2, 3.0), sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        for row in found[found["task"] == task].itertuples():
            y, colour = METHODS.index(row.method), COLOURS[row.method]
            axis.plot([row.low, row.high], [y, y], color=colour, lw=6, alpha=0.3)
            if len(row.each) > 1:
                axis.plot(row.each, [y] * len(row.each), "o", ms=4, mfc="white", mec=colour)
            axis.plot(row.accuracy, y, "o", ms=5, color=colour)
            if (row.method, task) in printed:
                axis.plot(printed[row.method, task], y, "D", ms=6, mfc="none", mec=COLOURS["paper"])
        axis.axvline(1 / len(TASKS[task]), color="#888888", lw=1, ls=":")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy on TEST")
    in_rows(axes[0], [NAMES[name] for name in METHODS])
    return figure


def _small(config, classes):
    """Size of :func:`bloodlib.models.alternatives.build`."""
    filters = [3, *(config["width"] * 2**number for number in range(4))]
    height, width = 60, 80
    parameters, multiplications = 0, 0
    for inputs, outputs in itertools.pairwise(filters):
        halved = -(-height // 2), -(-width // 2)
        places = np.prod(halved if config["halving"] == "stride" else (height, width))
        height, width = halved
        parameters += 9 * inputs * outputs + 4 * outputs  # normalisation has four each
        multiplications += int(places) * (9 * inputs * outputs + 2 * outputs)
    dense = filters[-1] * classes
    return Size(parameters + dense + classes, multiplications + dense)


def _settings(config):
    """A method's own settings, without those of chance."""
    config = study.resolve(config)
    common = {"method", "task", *study.COMMON, *CHANCE}
    return {key: value for key, value in config.items() if key not in common}


#: Ways to divide, by how they are called.
SHARES = {"a quarter": "quarter", "a half": "half", "all": "published"}


def compute_learning_curve(methods: tuple[str, ...] = METHODS) -> pd.DataFrame:
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
        wanted = settings(method) | {"task": "four"}
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


def show_learning_curve(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_learning_curve` for a page."""
    rows = []
    for method, its in found.groupby("method", sort=False):
        row = {"Method": NAMES[method]}
        for one in its.itertuples():
            row[one.share.capitalize()] = comparison.with_interval(one.accuracy, one.low, one.high)
        last = its.iloc[-1]
        row["All less a half"] = comparison.signed(
            last["gain"], last["gain_low"], last["gain_high"]
        )
        row["Runs"] = " + ".join(map(str, its["runs"]))
        rows.append(row)
    return pd.DataFrame(rows)


def plot_learning_curve(found: pd.DataFrame) -> plt.Figure:
    """Accuracy by the number of cells learned from, on a logarithmic axis; a line for each method.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`compute_learning_curve`.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    for method, its in found.groupby("method", sort=False):
        colour = COLOURS[method]
        axis.plot(its["cells"], its["accuracy"], "o-", color=colour, label=NAMES[method])
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
