"""What the choice of an epoch does, on runs that were made up."""

import numpy as np
import pytest
from test_comparison import freeze

from bloodlib.analyses import epoch_selection
from bloodlib.data import photographs, splits, stored
from bloodlib.data.images import TASKS

EPOCHS = 25


def network(right, task="four", **settings):
    """A saved run of DCLNN that is right where asked: bool array [epochs, n]."""
    config = {"method": "DCLNN", "task": task, "epochs": len(right)} | settings
    by, fold = config.get("split_by", "published"), config.get("fold", 0)
    truth = splits.labels("TEST", task, by, fold)
    labels = np.where(right, truth, (truth + 1) % len(TASKS[task])).astype(np.uint8)
    return freeze(config, labels)


def by_cell(right):
    """Right or wrong for whole cells [epochs, cells]: [epochs, images]."""
    return right[:, np.unique(photographs.cells("TEST"), return_inverse=True)[1]]


N_CELLS = len(np.unique(photographs.cells("TEST")))


# --------------------------------------------------------------------------- selecting the epoch


def test_an_epoch_that_is_better_everywhere_is_better_on_the_other_half_too(folders):
    right = np.zeros((EPOCHS, N_CELLS), bool)
    right[9] = True
    network(by_cell(right))
    (row,) = epoch_selection.compute_halves(draws=50).itertuples()
    assert (row.task, row.pooling, row.seed, row.epochs) == ("four", "MaxPooling", 0, 1)
    assert row.selected == row.other == 1


def test_what_luck_gives_on_one_half_is_missing_on_the_other(folders):
    right = np.random.default_rng(0).random((EPOCHS, N_CELLS)) < 0.5
    for seed in (1, 0):
        network(by_cell(right), seed=seed)
    network(by_cell(right), pooling="average")
    found = epoch_selection.compute_halves(draws=200)
    assert found["seed"].tolist() == [0, 1, 0]
    assert (found["selected"] > found["other"] + 0.1).all()
    assert (found["epochs"] > 2).all()
    assert found["selected"].nunique() == 1  # the same division for all


def fold(number, good, **settings):
    """A run on a fold of TRAIN's cells that is right for a share of it, by epoch."""
    n = len(splits.split("train-cell", number).test)
    right = np.arange(n) < np.rint(np.array(good) * n)[:, None]
    return network(right, split_by="train-cell", fold=number, **settings)


@pytest.fixture
def folds(folders):
    """The third epoch is the best over all folds, not in the first, which has two seeds."""
    curves = np.full((splits.N_FOLDS, EPOCHS), 0.2)
    curves[:, 2], curves[0, 2], curves[0, 20] = 0.8, 0.4, 0.5
    for number, curve in enumerate(curves[1:], 1):
        fold(number, curve)
    with pytest.raises(stored.MissingError, match="4 of 5 folds"):
        epoch_selection.compute_folds()
    fold(0, curves[0] - 0.1)
    fold(0, curves[0] + 0.1, seed=1)
    return epoch_selection.compute_folds()


def test_folds_are_taken_together_seeds_first(folds):
    sizes = [len(splits.split("train-cell", number).test) for number in range(splits.N_FOLDS)]
    row = folds.iloc[2]
    assert row["epoch"] == 3
    assert row["lowest"] == pytest.approx(0.4, abs=1e-3)
    assert row["highest"] == pytest.approx(0.8, abs=1e-3)
    wanted = np.average([0.4, *[0.8] * 4], weights=sizes)
    assert row["accuracy"] == pytest.approx(wanted, abs=1e-3)
