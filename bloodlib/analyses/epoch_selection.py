"""What selecting the number of epochs does.

Section 6.2 of the paper selects the number of epochs from curves of the images that its tables are
computed on. Here TEST's cells are divided in two: what the best epoch of the one half gains there
over epoch 25, and what it gains on the other half, which had no say. And folds of TRAIN's cells
(``split_by: train-cell``, :mod:`bloodlib.data.splits`) select an epoch without TEST.
"""

import itertools

import numpy as np
import pandas as pd

from bloodlib.data import images, photographs, splits, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.evidence.comparison import CHANCE, COMPARED, EPOCH


def compute_halves(draws: int = 1000) -> pd.DataFrame:
    """Select the best epoch of every network on half of TEST's cells, and look at the other half.

    Parameters
    ----------
    draws : int
        How often the cells of each class are divided in two at random.

    Returns
    -------
    pandas.DataFrame
        A row for each run. ``task, pooling, seed``; ``selected``: accuracy of the best epoch up to
        25 minus that of epoch 25 on the half it was selected on, the mean over divisions;
        ``other``: the same on the other half; ``epochs``: how many different epochs were ever best.
    """
    cells, inverse, sizes = np.unique(
        photographs.cells("TEST"), return_inverse=True, return_counts=True
    )
    labels = np.zeros(len(cells), np.int64)
    labels[inverse] = images.labels("TEST")
    half = _divide(labels, draws)
    rows = []
    for task, pooling in itertools.product(TASKS, ("MaxPooling", "AveragePooling")):
        runs = comparison.compared(pooling, task)
        for run in sorted(runs, key=lambda run: run.config["seed"]):
            right = np.array([np.bincount(inverse, epoch) for epoch in comparison.correct([run])]).T
            here = half @ right / (half @ sizes)[:, None]
            there = ~half @ right / (~half @ sizes)[:, None]
            best, every = here.argmax(axis=1), np.arange(draws)
            gains = [np.mean(some[every, best] - some[:, -1]) for some in (here, there)]
            rows.append((task, pooling, run.config["seed"], *gains, len(np.unique(best))))
    names = ["task", "pooling", "seed", "selected", "other", "epochs"]
    return pd.DataFrame(rows, columns=names)


def _divide(labels, draws):
    """Half of the cells of each class, at random: bool array [draws, cells]."""
    rng = np.random.default_rng(0)
    half = np.zeros((draws, len(labels)), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = rng.permuted(np.tile(members, (draws, 1)), axis=1)
        # of an odd number of cells the larger part falls to either half
        many = len(members) // 2 + rng.integers(0, 1 + len(members) % 2, draws)
        np.put_along_axis(half, order, np.arange(len(members)) < many[:, None], axis=1)
    return half


def compute_folds() -> pd.DataFrame:
    """Accuracy of DCLNN on TRAIN's cells, each held out in its fold, by epoch, four classes.

    Returns
    -------
    pandas.DataFrame
        ``epoch`` from 1 to 25; ``accuracy``, the mean over seeds, on all that was held out;
        ``lowest, highest`` of a fold.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If a fold has no run.
    """
    wanted = COMPARED["DCLNN"] | {"task": "four", "split_by": "train-cell"}
    folds = comparison.by_fold(comparison.saved(wanted, (*CHANCE, "fold")))
    if len(folds) < splits.N_FOLDS:
        raise stored.MissingError(
            f"{len(folds)} of {splits.N_FOLDS} folds of TRAIN's cells have a run of DCLNN: run "
            "the others with split_by: train-cell"
        )
    right = [comparison.correct(runs) for runs in folds.values()]
    each = np.stack([fold.mean(axis=1) for fold in right])
    return pd.DataFrame(
        {
            "epoch": np.arange(1, EPOCH + 1),
            "accuracy": np.concatenate(right, axis=1).mean(axis=1),
            "lowest": each.min(axis=0),
            "highest": each.max(axis=0),
        }
    )
