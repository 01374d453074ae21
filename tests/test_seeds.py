"""Seeds beside epochs and cells, on made-up runs."""

import numpy as np
import pytest

from bloodlib import study
from bloodlib.analyses import seeds
from bloodlib.evidence import comparison
from bloodlib.models import methods


class Run:
    """A network's run whose accuracy after an epoch is given."""

    def __init__(self, task, seed, right, precision="float32"):
        self.config = {"method": "DCLNN", "task": task, "seed": seed, "precision": precision}
        self.id, self.seconds, self.right = f"DCLNN-{task}-{seed}", 90.0, right
        self.epochs = 25

    def confusion(self, split="TEST", epoch=None):
        right = 50 if split == "TEST_SIMPLE" else self.right(epoch)
        return np.array([[right, 100 - right], [0, 0]])


@pytest.fixture
def runs(monkeypatch):
    rows = {
        ("MaxPooling", "four"): [
            Run("four", 1, lambda e: 60 + e % 2, "mixed_bfloat16"),
            Run("four", 0, lambda e: 70 + 4 * (e % 2)),
            Run("four", 0, lambda e: 65, "mixed_bfloat16"),
        ],
        ("AveragePooling", "two"): [Run("two", 0, lambda e: e)],
    }
    monkeypatch.setattr(comparison, "compared", lambda pooling, task: rows.get((pooling, task), []))
    monkeypatch.setattr(comparison, "estimate", lambda found: comparison.Estimate(0.5, 0.4, 0.8))
    return seeds.compute_runs()


def test_every_run_with_its_late_epochs(runs):
    assert len(runs) == 4
    assert runs["seed"].tolist() == [0, 0, 1, 0]
    assert runs["precision"].tolist()[:3] == ["float32", "mixed_bfloat16", "mixed_bfloat16"]
    assert runs["accuracy"].tolist() == [0.74, 0.65, 0.61, 0.25]
    assert runs["late"].iloc[3] == pytest.approx(np.arange(16, 26) / 100)
    assert set(runs["simple"]) == {0.5}
    assert set(runs["minutes"]) == {1.5}


def test_spread_over_seeds_and_over_epochs(runs):
    found = seeds.compute_spread(runs).set_index(["task", "pooling"])
    row = found.loc["four", "MaxPooling"]
    assert row["runs"] == 3
    assert row["mean"] == pytest.approx(np.mean([0.74, 0.65, 0.61]))
    assert row["by_seed"] == pytest.approx(np.std([0.74, 0.65, 0.61], ddof=1))
    within = [np.std([0.70, 0.74] * 5, ddof=1), 0, np.std([0.60, 0.61] * 5, ddof=1)]
    assert row["by_epoch"] == pytest.approx(np.sqrt(np.mean(np.square(within))))
    assert (row["low"], row["high"]) == (0.4, 0.8)
    assert np.isnan(found.loc["two", "AveragePooling"]["by_seed"])


def test_tables_for_the_page(runs):
    shown = seeds.show_runs(runs)
    assert shown["Last ten epochs"].iloc[0] == "0.70 to 0.74, mean 0.72"
    assert shown["Pooling"].tolist() == ["max"] * 3 + ["average"]
    spread = seeds.show_spread(seeds.compute_spread(runs))
    assert "(0.40–0.80)" in spread["Mean (interval by cell)"].iloc[0]


def test_the_figure_has_every_run(runs):
    figure = seeds.plot_spread(runs, seeds.compute_spread(runs))
    four, two = figure.axes
    points = [line for line in four.lines if line.get_marker() == "o"]
    assert sorted(line.get_ydata()[0] for line in points) == [0.61, 0.65, 0.74]
    assert [line.get_fillstyle() for line in points] == ["full", "none", "none"]
    assert [text.get_text() for text in four.texts] == ["0", "0", "1"]
    assert sum(line.get_marker() == "o" for line in two.lines) == 1


def test_the_frozen_runs():
    found = seeds.compute_runs()
    free = ("pooling", "precision", "epochs")
    lineage = {k: v for k, v in methods.defaults("DCLNN").items() if k not in free}
    assert set(found["id"]) == {
        record.id
        for record in study.select(
            method="DCLNN", split_by="published", resize="averaged", **lineage
        )
        if record.epochs >= 25 and record.config["pooling"] != "none"
    }
