"""What chance does to one network: its runs with other seeds, beside its epochs and the cells."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import tables
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs, splits
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import CHANCE, COMPARED, EPOCH
from bloodlib.study import records

#: The networks of Tables 1 and 2.
POOLINGS = ("MaxPooling", "AveragePooling")


def compute_runs() -> pd.DataFrame:
    """The frozen runs of the network with lineage settings, whatever their seed and precision.

    Returns
    -------
    pandas.DataFrame
        A row for each run. ``task, pooling, seed, precision, id``; ``accuracy`` on TEST after
        epoch 25; ``late``: a tuple of the accuracies after the last ten epochs up to that one;
        ``epochs``; ``simple``: accuracy on TEST_SIMPLE after the last of them; ``minutes``.
    """
    rows = []
    for task in TASKS:
        for pooling in POOLINGS:
            for run in comparison.compared(pooling, task):
                late = comparison.accuracies(run, comparison.LATE)
                config = study.resolve(run.config)
                rows.append(
                    {
                        "task": task,
                        "pooling": pooling,
                        "seed": config["seed"],
                        "precision": config["precision"],
                        "id": run.id,
                        "accuracy": late[-1],
                        "late": tuple(late),
                        "epochs": run.epochs,
                        "simple": float(scores.accuracy(run.confusion("TEST_SIMPLE"))),
                        "minutes": run.seconds / 60,
                    }
                )
    found = pd.DataFrame(rows)
    return found.sort_values(["task", "pooling", "seed", "precision"], ignore_index=True)


def compute_spread(found: pd.DataFrame) -> pd.DataFrame:
    """How far accuracy moves with the seed, with the epoch and with the cells.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`compute_runs`.

    Returns
    -------
    pandas.DataFrame
        A row for each network. ``task, pooling, runs``; ``mean`` accuracy after epoch 25;
        ``by_seed``: standard deviation over runs (NaN for one); ``by_epoch``: standard deviation
        over the late epochs within a run, root mean square over runs; ``low, high``: the interval
        by cell.
    """
    rows = []
    for (task, pooling), runs in found.groupby(["task", "pooling"]):
        interval = comparison.estimate(comparison.compared(pooling, task))
        within = [np.std(late, ddof=1) for late in runs["late"]]
        rows.append(
            {
                "task": task,
                "pooling": pooling,
                "runs": len(runs),
                "mean": runs["accuracy"].mean(),
                "by_seed": runs["accuracy"].std(ddof=1),
                "by_epoch": float(np.sqrt(np.mean(np.square(within)))),
                "low": float(interval.low),
                "high": float(interval.high),
            }
        )
    return pd.DataFrame(rows)


def show_runs(found: pd.DataFrame) -> pd.DataFrame:
    """The runs, for a page."""
    late = [f"{min(x):.2f} to {max(x):.2f}, mean {np.mean(x):.2f}" for x in found["late"]]
    return pd.DataFrame(
        {
            "Classes": found["task"],
            "Pooling": found["pooling"].str.removesuffix("Pooling").str.lower(),
            "Seed": [tables.link(str(s), i) for s, i in found[["seed", "id"]].to_numpy()],
            "Precision": found["precision"],
            "Epoch 25": found["accuracy"],
            "Last ten epochs": late,
            "Epochs": found["epochs"],
            "TEST_SIMPLE": found["simple"],
            "Minutes": found["minutes"].round().astype(int),
        }
    )


def show_spread(spread: pd.DataFrame) -> pd.DataFrame:
    """What moves accuracy, for a page."""
    interval = [
        comparison.with_interval(*row) for row in spread[["mean", "low", "high"]].to_numpy()
    ]
    return pd.DataFrame(
        {
            "Classes": spread["task"],
            "Pooling": spread["pooling"].str.removesuffix("Pooling").str.lower(),
            "Runs": spread["runs"],
            "Mean (interval by cell)": interval,
            "SD over seeds": spread["by_seed"],
            "SD over late epochs": spread["by_epoch"],
        }
    )


def plot_spread(found: pd.DataFrame, spread: pd.DataFrame) -> plt.Figure:
    """Each run's epoch 25 and its last ten epochs, before the interval by cell of their mean."""
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7, 3.2), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        for row in spread[spread["task"] == task].itertuples():
            place = POOLINGS.index(row.pooling)
            runs = found[(found["task"] == task) & (found["pooling"] == row.pooling)]
            axis.fill_between(
                [place - 0.4, place + 0.4], row.low, row.high,
                color=COLOURS[row.pooling], alpha=0.18, linewidth=0,
            )  # fmt: skip
            across = place + np.linspace(-0.3, 0.3, len(runs) + 2)[1:-1]
            for x, run in zip(across, runs.itertuples(), strict=True):
                axis.plot([x, x], [min(run.late), max(run.late)], color="0.35", linewidth=1.2)
                axis.plot(
                    x, run.accuracy, "o", markersize=6, color=COLOURS[row.pooling],
                    fillstyle="full" if run.precision == "float32" else "none",
                )  # fmt: skip
                axis.annotate(
                    str(run.seed), (x, min(run.late)), (0, -3), textcoords="offset points",
                    ha="center", va="top", fontsize=8, color="0.35",
                )  # fmt: skip
        axis.axhline(1 / len(TASKS[task]), linestyle=":", color="0.5")
        axis.set(title=f"{task} classes", xticks=range(len(POOLINGS)), xlim=(-0.5, 1.5))
        axis.set_xticklabels([p.removesuffix("Pooling").lower() + " pooling" for p in POOLINGS])
    axes[0].set(ylabel="accuracy on TEST", ylim=(0, 1))
    return figure


#: How often TEST's cells are divided in two.
DRAWS = 1000


def compute_halves(runs: list[records.Record], draws: int = DRAWS) -> pd.DataFrame:
    """Choose the best epoch on half of TEST's cells, and look at the other half.

    Parameters
    ----------
    runs : list of Record
        Of networks on TEST, with at least ``comparison.EPOCH`` epochs; later ones
        are left out.
    draws : int
        How often the cells of each class are divided in two at random.

    Returns
    -------
    pandas.DataFrame
        A row for each run. ``seed``; ``chosen``: accuracy of the best epoch less that of epoch 25
        on the half it was chosen on, the mean over divisions; ``other``: the same on the other
        half; ``epochs``: how many different epochs were ever the best.
    """
    found, inverse, sizes = np.unique(
        photographs.cells("TEST"), return_inverse=True, return_counts=True
    )
    first = np.zeros(len(found), np.int64)
    first[inverse] = images.labels("TEST")  # of a cell
    rng = np.random.default_rng(0)
    half = np.zeros((draws, len(found)), bool)
    for label in np.unique(first):
        members = np.flatnonzero(first == label)
        order = rng.permuted(np.tile(members, (draws, 1)), axis=1)
        # of an odd number of cells the larger part falls to either half
        many = len(members) // 2 + rng.integers(0, 1 + len(members) % 2, draws)
        np.put_along_axis(half, order, np.arange(len(members)) < many[:, None], axis=1)
    rows = []
    for run in runs:
        right = run.arrays["labels"][:EPOCH] == run.arrays["truth"]
        by_cell = np.stack([np.bincount(inverse, epoch) for epoch in right], axis=1)
        here = half @ by_cell / (half @ sizes)[:, None]
        there = ~half @ by_cell / (~half @ sizes)[:, None]
        best, every = here.argmax(axis=1), np.arange(draws)
        rows.append(
            {
                "seed": run.config["seed"],
                "chosen": float(np.mean(here[every, best] - here[:, -1])),
                "other": float(np.mean(there[every, best] - there[:, -1])),
                "epochs": len(np.unique(best)),
            }
        )
    return pd.DataFrame(rows).sort_values("seed", ignore_index=True)


def compute_all_halves(draws: int = DRAWS) -> pd.DataFrame:
    """:func:`compute_halves` of every network of Tables 1 and 2."""
    found = []
    for task in TASKS:
        for pooling in ("MaxPooling", "AveragePooling"):
            rows = compute_halves(comparison.compared(pooling, task), draws)
            rows.insert(0, "pooling", pooling)
            rows.insert(0, "task", task)
            found.append(rows)
    return pd.concat(found, ignore_index=True)


def show_halves(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_all_halves` for a page."""
    return pd.DataFrame(
        {
            "Classes": found["task"],
            "Pooling": found["pooling"].str.removesuffix("Pooling").str.lower(),
            "Seed": found["seed"].astype(str),
            "On the half that chose": found["chosen"],
            "On the other": found["other"],
            "Epochs ever chosen": found["epochs"],
        }
    )


def compute_folds() -> pd.DataFrame:
    """Accuracy of DCLNN on TRAIN's cells, each held out in its fold, by epoch, four classes.

    Returns
    -------
    pandas.DataFrame
        ``epoch`` from 1 to 25; ``accuracy`` on what was held out, all folds together;
        ``lowest, highest``: of a fold.

    Raises
    ------
    MissingRecordError
        If a fold has no run.
    """
    wanted = COMPARED["DCLNN"] | {"task": "four", "split_by": "train-cell"}
    runs = {run.config["fold"]: run for run in comparison.frozen(wanted, (*CHANCE, "fold"))}
    if len(runs) < splits.N_FOLDS:
        raise records.MissingRecordError(
            f"{len(runs)} of {splits.N_FOLDS} folds of TRAIN's cells have a run of DCLNN: run "
            "the others with split_by: train-cell"
        )
    right = [run.arrays["labels"][:EPOCH] == run.arrays["truth"] for run in runs.values()]
    each = np.stack([one.mean(axis=1) for one in right])
    return pd.DataFrame(
        {
            "epoch": np.arange(1, EPOCH + 1),
            "accuracy": np.concatenate(right, axis=1).mean(axis=1),
            "lowest": each.min(axis=0),
            "highest": each.max(axis=0),
        }
    )


def compare_epochs(runs: list[records.Record], folds: pd.DataFrame) -> pd.DataFrame:
    """Epochs chosen in three ways, and what the runs have on TEST after them.

    Parameters
    ----------
    runs : list of Record
        On TEST, see :func:`compute_halves`.
    folds : pandas.DataFrame
        See :func:`compute_folds`.

    Returns
    -------
    pandas.DataFrame
        ``how``; ``epochs``: a list, one for each run; ``each``: accuracies on TEST; ``accuracy``:
        their mean.
    """
    curves = np.array([comparison.accuracies(run, folds["epoch"]) for run in runs])
    chosen = {
        "the paper's": [EPOCH] * len(runs),
        "the best on folds of TRAIN's cells": [
            int(folds["epoch"][folds["accuracy"].idxmax()])
        ] * len(runs),
        "each run's best on TEST": (curves.argmax(axis=1) + 1).tolist(),
    }  # fmt: skip
    rows = []
    for how, epochs in chosen.items():
        each = [curve[epoch - 1] for curve, epoch in zip(curves, epochs, strict=True)]
        rows.append({"how": how, "epochs": epochs, "each": each, "accuracy": float(np.mean(each))})
    return pd.DataFrame(rows)


def show_epochs(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compare_epochs` for a page."""
    return pd.DataFrame(
        {
            "Epoch": found["how"],
            "Which": [", ".join(map(str, dict.fromkeys(epochs))) for epochs in found["epochs"]],
            "Accuracy on TEST": found["accuracy"],
            "Of each run": [", ".join(f"{one:.2f}" for one in each) for each in found["each"]],
        }
    )


def plot_epochs(runs: list[records.Record], folds: pd.DataFrame) -> plt.Figure:
    """Accuracy by epoch: on TRAIN's cells held out, with the range of folds, and on TEST."""
    figure, axis = plt.subplots(figsize=(7.2, 3))
    axis.fill_between(
        folds["epoch"], folds["lowest"], folds["highest"], color=COLOURS["DCLNN"], alpha=0.18, lw=0
    )
    axis.plot(folds["epoch"], folds["accuracy"], color=COLOURS["DCLNN"], label="TRAIN's cells")
    for number, run in enumerate(runs):
        curve = comparison.accuracies(run, folds["epoch"])
        label = None if number else "TEST, each run"
        axis.plot(folds["epoch"], curve, color="0.35", lw=0.8, label=label)
    best = folds.loc[folds["accuracy"].idxmax()]
    axis.plot(best["epoch"], best["accuracy"], "o", color=COLOURS["DCLNN"])
    axis.axvline(EPOCH, color="#888888", lw=1, ls=":")
    axis.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    axis.legend(loc="lower right", fontsize=8)
    return figure
