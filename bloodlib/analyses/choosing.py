"""What choosing the number of epochs on TEST buys, and what is chosen without TEST.

Section 6.2 of the paper chooses it from curves of the images that its tables are computed on.
Here TEST's cells are divided in two: what the best epoch of the one half has over epoch 25 there,
and what it has on the other half, which had no say. And folds of TRAIN's cells
(``split_by: train-cell``, ``splits``) name an epoch in which TEST had no say at all.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.book.figures import COLOURS
from bloodlib.data import images, photographs, splits
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.evidence.comparison import CHANCE, COMPARED, EPOCH
from bloodlib.study import records

#: How often TEST's cells are divided in two.
DRAWS = 1000


def halves(runs: list[records.Record], draws: int = DRAWS) -> pd.DataFrame:
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


def every(draws: int = DRAWS) -> pd.DataFrame:
    """:func:`halves` of every network of Tables 1 and 2, with ``task`` and ``pooling`` before."""
    found = []
    for task in TASKS:
        for pooling in ("MaxPooling", "AveragePooling"):
            rows = halves(comparison.compared(pooling, task), draws)
            rows.insert(0, "pooling", pooling)
            rows.insert(0, "task", task)
            found.append(rows)
    return pd.concat(found, ignore_index=True)


def show_halves(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`every` for a page."""
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


def on_folds() -> pd.DataFrame:
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


def table(runs: list[records.Record], folds: pd.DataFrame) -> pd.DataFrame:
    """Epochs chosen in three ways, and what the runs have on TEST after them.

    Parameters
    ----------
    runs : list of Record
        On TEST, see :func:`halves`.
    folds : pandas.DataFrame
        See :func:`on_folds`.

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


def show(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`table` for a page."""
    return pd.DataFrame(
        {
            "Epoch": found["how"],
            "Which": [", ".join(map(str, dict.fromkeys(epochs))) for epochs in found["epochs"]],
            "Accuracy on TEST": found["accuracy"],
            "Of each run": [", ".join(f"{one:.2f}" for one in each) for each in found["each"]],
        }
    )


def plot(runs: list[records.Record], folds: pd.DataFrame) -> plt.Figure:
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
