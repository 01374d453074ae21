"""Choosing an epoch, on made-up runs of known merit."""

import numpy as np
import pytest

from bloodlib.analyses import seeds
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import comparison
from bloodlib.study import records

N_CELLS, EACH = 40, 5


class Answers:
    """A run with given answers: right [epochs, images]."""

    def __init__(self, right, seed=0, fold=0):
        self.config = {"seed": seed, "fold": fold}
        truth = np.zeros(right.shape[1], np.uint8)
        self.arrays = {"truth": truth, "labels": np.where(right, truth, 1)}
        self.epochs = len(right)

    def confusion(self, epoch):
        right = int((self.arrays["labels"][epoch - 1] == 0).sum())
        return np.array([[right, len(self.arrays["truth"]) - right], [0, 0]])


@pytest.fixture(autouse=True)
def cells(monkeypatch):
    numbers = np.repeat(np.arange(100, 100 + N_CELLS), EACH)
    monkeypatch.setattr(photographs, "cells", lambda split: numbers)
    monkeypatch.setattr(images, "labels", lambda split: np.repeat(np.arange(N_CELLS) % 4, EACH))


def by_cell(right):
    """Answers [epochs, images] that are right or wrong for whole cells [epochs, cells]."""
    return np.repeat(right, EACH, axis=1)


def test_an_epoch_that_is_better_everywhere_is_better_on_the_other_half_too():
    right = np.zeros((25, N_CELLS), bool)
    right[9] = True
    right[:, 0] = True
    (row,) = seeds.compute_halves([Answers(by_cell(right))], draws=50).itertuples()
    assert row.epochs == 1
    assert row.chosen == pytest.approx(0.975, abs=0.01)
    assert row.other == pytest.approx(0.975, abs=0.01)


def test_what_luck_gives_on_one_half_is_missing_on_the_other():
    right = np.random.default_rng(0).random((25, N_CELLS)) < 0.5
    found = seeds.compute_halves([Answers(by_cell(right), seed) for seed in (1, 0)], draws=200)
    assert found["seed"].tolist() == [0, 1]
    assert (found["chosen"] > found["other"] + 0.1).all()
    assert (found["epochs"] > 2).all()
    again = seeds.compute_halves([Answers(by_cell(right))], draws=200)
    assert again["chosen"].iloc[0] == found["chosen"].iloc[0]


def test_halves_are_of_cells_of_each_class(monkeypatch):
    # one class alone is answered: on every half it has the same share, whatever was drawn
    right = np.zeros((25, N_CELLS), bool)
    right[3, np.arange(N_CELLS) % 4 == 2] = True
    (row,) = seeds.compute_halves([Answers(by_cell(right))], draws=50).itertuples()
    assert row.chosen == pytest.approx(row.other) == pytest.approx(0.25)


def test_every_network_of_the_tables_is_asked(monkeypatch):
    right = by_cell(np.random.default_rng(1).random((25, N_CELLS)) < 0.5)
    asked = []
    monkeypatch.setattr(
        comparison,
        "compared",
        lambda *which: asked.append(which) or [Answers(right, 1), Answers(right)],
    )
    found = seeds.compute_all_halves(draws=20)
    assert len(asked) == len(set(asked)) == 4
    assert len(found) == 8
    shown = seeds.show_halves(found)
    assert shown[["Classes", "Pooling", "Seed"]].to_numpy()[1].tolist() == ["four", "max", "1"]


@pytest.fixture
def folds(monkeypatch):
    """Five folds; the third epoch is the best of them, though not in the first fold."""
    right = np.zeros((5, 25, 10), bool)
    right[:, 2, :8] = True
    right[0, 2, 4:] = False
    right[0, 20, :5] = True
    runs = [Answers(right[fold], fold=fold) for fold in range(splits.N_FOLDS)]
    monkeypatch.setattr(comparison, "frozen", lambda wanted, free: list(runs))
    return runs


def test_folds_are_taken_together(folds):
    found = seeds.compute_folds()
    assert len(found) == 25
    row = found.iloc[2]
    assert (row["epoch"], row["lowest"], row["highest"]) == (3, 0.4, 0.8)
    assert row["accuracy"] == pytest.approx(0.72)


def test_a_fold_that_is_missing_is_said(folds):
    del folds[2]
    with pytest.raises(records.MissingRecordError, match="4 of 5 folds"):
        seeds.compute_folds()


def test_the_ways_to_choose_side_by_side(folds):
    right = np.zeros((25, 20), bool)
    right[2, :10] = right[6, :16] = right[24, :12] = True
    found = seeds.compare_epochs([Answers(right)], seeds.compute_folds())
    assert found["epochs"].tolist() == [[25], [3], [7]]
    assert found["accuracy"].tolist() == pytest.approx([0.6, 0.5, 0.8])
    assert seeds.show_epochs(found)["Which"].tolist() == ["25", "3", "7"]


def test_the_figure_has_folds_and_every_run(folds):
    figure = seeds.plot_epochs([Answers(np.zeros((25, 4), bool))] * 2, seeds.compute_folds())
    (axis,) = figure.axes
    curves = [line for line in axis.lines if len(line.get_xdata()) == 25]
    assert len(curves) == 3
    assert axis.lines[-2].get_xdata()[0] == 3  # chosen
