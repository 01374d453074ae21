"""Every method side by side: on TEST, on TRAIN's cells held out, and by cells learned from.

The settings of the methods in :data:`TUNED` were chosen without TEST: on folds of TRAIN that
keep the images of a cell together (``split_by: train-cell``, :mod:`bloodlib.data.splits`). TEST
was used once, for what was chosen. The other methods have the settings of the book's tables, or
none.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses import plots
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs, splits, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.evidence.comparison import CHANCE, EPOCH
from bloodlib.models.networks import parameter_counts
from bloodlib.paper import arithmetic
from bloodlib.study import records

#: Methods whose settings are chosen, with four classes, and used for both tasks.
TUNED = ("nearest-photograph", "histogram", "small")
NAMES = {
    "majority": "most frequent class",
    "NB": "Naive Bayes",
    "SVM": "SVM",
    "nearest-photograph": "nearest photograph",
    "histogram": "colour histogram",
    "small": "compact CNN",
    "DCLNN": "DCLNN",
}
METHODS = tuple(NAMES)
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
        return comparison.COMPARED.get(method, {"method": method})
    return {"method": method} | compute_candidates(method)["settings"][0]


def runs(method: str, task: str) -> list[records.Record]:
    """The saved runs of a method on TEST, with the settings that represent it.

    Raises
    ------
    stored.MissingError
        If there is none; the message has what ``study.yml`` needs.
    """
    wanted = settings(method) | {"task": task}
    found = comparison.frozen(wanted)
    if not found:
        raise stored.MissingError(
            f"there is no record of {study.describe(study.resolve(wanted))}. Add it to study.yml "
            "and run `bloodlib study`."
        )
    return found


# ------------------------------------------------------------------------------------- on TEST


def count_parameters(method: str, task: str) -> int:
    """How many numbers a method learns from the published images, with what represents it.

    For the SVM an upper bound: it keeps its support vectors, which the record has not.
    """
    config = study.resolve(settings(method) | {"task": task})
    classes, seen = len(TASKS[task]), 60 * 80 * 3
    if method == "majority":
        return classes
    if method == "NB":  # Gaussian: a mean and a variance each; and the classes' frequencies
        return (2 * seen + 1) * classes
    if method == "SVM":
        return len(images.names("TRAIN")) * (seen + classes - 1) + classes * (classes - 1) // 2
    if method == "DCLNN":
        return sum(parameter_counts(config["hidden"], classes).values())
    if method == "small":  # 3×3 kernels and four numbers of normalisation a map; the last layer
        filters = config["width"] * 2 ** np.arange(4)
        kernels = 9 * np.append(3, filters[:-1]) * filters
        return int(kernels.sum() + 4 * filters.sum() + (filters[-1] + 1) * classes)
    bins = config["bins"] ** 3
    if method == "nearest-photograph":
        return len(set(photographs.photographs("TRAIN"))) * bins
    # histogram: weights, and the mean and deviation that fractions are scaled by
    return (bins + 1) * (1 if classes == 2 else classes) + 2 * bins


def compute_test(task: str) -> pd.DataFrame:
    """Every method on TEST: its accuracy, what it has learned, what it took.

    Returns
    -------
    pandas.DataFrame
        A row for each of :data:`METHODS`. ``method, task``; ``runs``, and how many of them are in
        16 bits, ``short``; ``accuracy, low, high``: the mean over runs and its CI by cell;
        ``each``: of each run; ``parameters``: see :func:`count_parameters`; ``seconds``: of the
        quickest run, of networks to epoch 25, as other work only makes runs slower; ``device``.
    """
    rows = []
    for method in METHODS:
        found = runs(method, task)
        value, low, high = comparison.estimate(found)
        configs = [study.resolve(run.config) for run in found]
        precisions = [config.get("precision", "float32") for config in configs]
        quickest = min(found, key=_seconds)
        environment = quickest.environment
        rows.append(
            {
                "method": method,
                "task": task,
                "runs": len(found),
                "short": len(found) - precisions.count("float32"),
                "accuracy": float(value),
                "low": float(low),
                "high": float(high),
                "each": scores.accuracy(comparison.confusions(found)).tolist(),
                "parameters": count_parameters(method, task),
                "seconds": _seconds(quickest),
                "device": environment["device"].replace("processor", environment["processor"]),
            }
        )
    return pd.DataFrame(rows)


def plot_test(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of every method with its CI, a panel for each task of :func:`compute_test`.

    Diamonds: the average recall that the paper prints in Table 1, which is the accuracy where
    classes are as equal in size as those of TEST; dashed: the accuracy that section 1 claims;
    dotted: chance.
    """
    printed = {
        (cell.method, cell.task): cell.value
        for cell in paper.cells(table=1, class_="Average", measure="recall")
    }
    tasks = list(dict.fromkeys(found["task"]))
    figure, axes = plt.subplots(1, len(tasks), figsize=(7.2, 3.0), sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        own = found[found["task"] == task]
        plots.plot_intervals(
            axis, range(len(own)), own["accuracy"], own["low"], own["high"],
            own["method"].map(COLOURS), runs=own["each"],
            printed=[printed.get((method, task), np.nan) for method in own["method"]],
        )  # fmt: skip
        axis.axvline(1 / len(TASKS[task]), color="#888888", lw=1, ls=":")
        axis.axvline(float(arithmetic.CLAIMED[task]), color="#222222", lw=1, ls="--")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy on TEST")
    plots.in_rows(axes[0], own["method"].map(NAMES))
    return figure


def compute_differences(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """Accuracy on TEST of the first method of a pair minus the second's, on the same cells.

    Returns
    -------
    pandas.DataFrame
        A row for each task and pair: ``task, first, second, value, low, high``.
    """
    rows = [
        (task, *pair, *map(float, comparison.difference(*(runs(method, task) for method in pair))))
        for task in TASKS
        for pair in pairs
    ]
    return pd.DataFrame(rows, columns=["task", "first", "second", "value", "low", "high"])


# ----------------------------------------------------------------------------- on TRAIN's cells


def held_out(method: str) -> np.ndarray | None:
    """Labels of TRAIN's images, each predicted when its cell was held out, with four classes.

    Returns
    -------
    uint8 array [runs, images of TRAIN] or None
        As many runs as every fold has; None where a fold has none.
    """
    wanted = settings(method) | {"task": "four", "split_by": "train-cell"}
    found = comparison.by_fold(comparison.frozen(wanted, (*CHANCE, "fold")))
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
        four classes, the CI by cell; ``gap, gap_low, gap_high``: the accuracy of ``reference``
        minus its own, on the same cells.
    """
    labels = {method: held_out(method) for method in METHODS}
    labels = {method: found for method, found in labels.items() if found is not None}
    truth = images.labels("TRAIN")
    drawn = intervals.resample(truth, photographs.cells("TRAIN"), len(TASKS["four"]))
    right = {method: (found == truth).mean() for method, found in labels.items()}
    rows = []
    for method, found in labels.items():
        gap = [np.nan] * 3
        if reference in labels and method != reference:
            ends = intervals.bounds(scores.accuracy, labels[reference], drawn, found)
            gap = [right[reference] - right[method], *ends]
        rows.append([method, right[method], *intervals.bounds(scores.accuracy, found, drawn), *gap])
    names = ["accuracy", "low", "high", "gap", "gap_low", "gap_high"]
    return pd.DataFrame(rows, columns=["method", *names]).astype(dict.fromkeys(names, float))


# ------------------------------------------------------------------------------- learning curve


def compute_learning_curve() -> pd.DataFrame:
    """Accuracy on TEST with four classes by how many of TRAIN's cells were learned from.

    Returns
    -------
    pandas.DataFrame
        A row for each method that has runs on every fraction, and each of :data:`FRACTIONS`:
        ``method, fraction, cells`` (mean over runs), ``runs``, as many of each fold;
        ``accuracy, low, high``: the mean over runs and its CI by cell; ``least, most`` of a run;
        ``gain, gain_low, gain_high``: that minus the accuracy with the fraction before, on the
        same cells of TEST, nan for the first.
    """
    rows = []
    for method in METHODS:
        wanted = settings(method) | {"task": "four"}
        found = {
            fraction: _balanced(comparison.frozen(wanted | {"split_by": by}, (*CHANCE, "fold")))
            for fraction, by in FRACTIONS.items()
        }
        before = None
        for fraction, some in found.items() if all(found.values()) else ():
            each = scores.accuracy(comparison.confusions(some))
            gain = comparison.difference(some, before) if before else [np.nan] * 3
            cells = np.mean([_cells(run.config) for run in some])
            ends = comparison.estimate(some)
            rows.append([method, fraction, len(some), cells, *ends, each.min(), each.max(), *gain])
            before = some
    names = ["cells", "accuracy", "low", "high", "least", "most", "gain", "gain_low", "gain_high"]
    found = pd.DataFrame(rows, columns=["method", "fraction", "runs", *names])
    return found.astype(dict.fromkeys(names, float))


def plot_learning_curve(found: pd.DataFrame) -> plt.Figure:
    """Accuracy by the number of cells learned from, with the range of runs; dotted: guessing."""
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    for method, own in found.groupby("method", sort=False):
        ends = own["accuracy"] - own["least"], own["most"] - own["accuracy"]
        style = {"fmt": "o-", "color": COLOURS[method], "label": NAMES[method], "elinewidth": 1}
        axis.errorbar(own["cells"], own["accuracy"], ends, **style)
    axis.set(xscale="log", ylim=(0, 1), xlabel="cells learned from", ylabel="accuracy on TEST")
    axis.axhline(0.25, color="#888888", lw=1, ls=":")
    places = found.groupby("fraction", sort=False)["cells"].mean()
    axis.set_xticks(places, [f"{cells:.0f}" for cells in places])
    axis.minorticks_off()
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


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


def _seconds(run):
    """Of computing, of networks to epoch 25."""
    return sum(run.history.get("seconds", [run.seconds])[:EPOCH])
