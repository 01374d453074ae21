"""How often the book's intervals contain the truth, and how many cells and runs would settle more.

    python benchmarks/coverage.py    # some minutes; writes results/coverage.json and its tables

Cells and seeds are crossed: the logit of the chance that a run classifies an image of a cell
correctly is the class's, plus an effect of the cell, one of the run (on all cells of a class, with
correlations between classes), and one of both. Their sizes are those of DCLNN's runs on TEST, by
analysis of variance. A wrong image is taken for the other classes as these runs take them.
"""

import argparse
import dataclasses
import itertools

import numpy as np
import pandas as pd
from scipy import special, stats

from bloodlib.analyses import model_comparison
from bloodlib.data import images, photographs, stored
from bloodlib.evidence import comparison, intervals, scores

Y_TRUE, CELL, CLASSES = images.labels("TEST"), photographs.cells("TEST"), images.CLASSES
SCORES = [f"{name.capitalize()} recall" for name in CLASSES] + ["Accuracy", "Average F1"]
RUNS = (1, 3, 6, 10)
#: Differences that no interval settles, and the method that depends on no seed among them.
OPEN = (("MaxPooling", "AveragePooling"), ("DCLNN", "histogram"), ("small", "DCLNN"))
TIMES = (1, 4, 16, 64)  # as many cells as TEST has


def score(confusion):
    """All of :data:`SCORES` [..., 6]."""
    more = scores.accuracy(confusion), scores.f1(confusion).mean(axis=-1)
    return np.concatenate([scores.recall(confusion), np.stack(more, axis=-1)], axis=-1)


def estimate_effects():
    """What a class's logits vary by: mean, and standard deviations of cells, runs and both."""
    y_pred = comparison.predicted(comparison.compared("DCLNN", "four"))
    rows, by_run = [], []
    for label in range(len(CLASSES)):
        own = label == Y_TRUE
        right = pd.DataFrame((y_pred[:, own] == label).T).groupby(CELL[own])
        right, wrong = right.sum() + 0.5, (right.size() - right.sum().T).T + 0.5
        logit = np.log(right / wrong).to_numpy()
        cells, runs = logit.shape
        of_cell, of_run = logit.mean(axis=1, keepdims=True), logit.mean(axis=0, keepdims=True)
        rest = (logit - of_cell - of_run + logit.mean()).var() * logit.size
        both = rest / (cells - 1) / (runs - 1)
        spread = of_cell.var(ddof=1) - both / runs, of_run.var(ddof=1) - both / cells, both
        rows.append([logit.mean(), *np.sqrt(np.maximum(spread, 0))])
        by_run.append(of_run[0])
    found = pd.DataFrame(rows, list(CLASSES), ["mean", "cell", "seed", "both"])
    confusion = comparison.confusions(comparison.compared("DCLNN", "four")).sum(axis=0) + 0.5
    np.fill_diagonal(confusion, 0)
    return found, np.corrcoef(by_run), confusion / confusion.sum(axis=1, keepdims=True)


class Laboratory:
    """Cells like TEST's, and networks that are trained on them, drawn as often as one likes."""

    def __init__(self, seeds=1.0):
        self.effects, self.correlation, self.taken = estimate_effects()
        self.effects["seed"] *= seeds
        self.effects["both"] *= bool(seeds)
        self.rng = np.random.default_rng(0)
        kinds, self.cell = np.unique(np.stack([Y_TRUE, CELL]), axis=1, return_inverse=True)
        self.kinds = kinds[0]
        self.truth = self.score(self.train(50_000)).mean(axis=0)

    def train(self, runs):
        """Effects of some runs on each class [runs, classes]."""
        drawn = self.rng.multivariate_normal(np.zeros(len(CLASSES)), self.correlation, runs)
        return drawn * self.effects["seed"].to_numpy()

    def score(self, runs):
        """Scores of these runs on all cells that there could be [runs, 6]."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        spread = np.hypot(self.effects["cell"], self.effects["both"]).to_numpy()
        logits = self.effects["mean"].to_numpy() + runs
        recall = special.expit(logits[..., None] + spread[:, None] * nodes) @ weights
        recall /= weights.sum()
        confusion = (1 - recall)[..., None] * self.taken + recall[..., None] * np.eye(len(CLASSES))
        return score(confusion * np.bincount(Y_TRUE)[:, None])

    def draw_cells(self):
        """Effects of new cells [cells]."""
        return self.rng.normal(size=len(self.kinds)) * self.effects["cell"].to_numpy()[self.kinds]

    def predict(self, runs, cells):
        """Labels that runs give the images of cells [runs, n]."""
        kinds = self.kinds
        both = (
            self.rng.normal(size=(len(runs), len(cells))) * self.effects["both"].to_numpy()[kinds]
        )
        chance = special.expit(
            self.effects["mean"].to_numpy()[kinds] + runs[:, kinds] + cells + both
        )
        right = self.rng.random((len(runs), len(Y_TRUE))) < chance[:, self.cell]
        below = self.taken.cumsum(axis=1)[Y_TRUE]
        wrong = (self.rng.random(right.shape)[..., None] > below).sum(axis=-1)
        return np.where(right, Y_TRUE, np.minimum(wrong, len(CLASSES) - 1))


def simulate_scores(laboratory, simulations, numbers=RUNS, draws=2000):
    """How often intervals of a score contain it, by the number of runs."""
    drawn = intervals.resample(Y_TRUE, CELL, len(CLASSES), draws)
    plain = np.empty_like(drawn.weights)
    for label in range(len(CLASSES)):
        own = drawn.places == label
        k = own.sum()
        plain[:, own] = np.random.default_rng(0).multinomial(k, np.full(k, 1 / k), draws)
    bootstrap = dataclasses.replace(drawn, weights=plain, unseen=0 * drawn.unseen)
    sizes = np.array([*np.bincount(Y_TRUE), len(Y_TRUE)])
    rows = []
    for runs in numbers:
        for _ in range(simulations):
            trained = laboratory.train(runs)
            y_pred = laboratory.predict(trained, laboratory.draw_cells())
            confusion = np.stack([np.bincount(4 * Y_TRUE + one, minlength=16) for one in y_pred])
            each = score(confusion.reshape(-1, 4, 4))
            value, here = each.mean(axis=0), laboratory.score(trained).mean(axis=0)
            cells = intervals.bounds(score, y_pred, drawn)
            right = np.rint(value[:5] * sizes)
            exact = [
                stats.binomtest(int(k), n).proportion_ci()
                for k, n in zip(right, sizes, strict=True)
            ]
            of_images = np.append(np.transpose(exact), [[np.nan]] * 2, axis=1)
            percentiles = intervals.bounds(score, y_pred, bootstrap)
            both = intervals.with_seeds(value, *cells, each) if runs > 1 else [[np.nan] * 6] * 2
            asked = {
                "images": (of_images, here),
                "percentiles": (percentiles, here),
                "cells": (cells, here),
                "cells, of all seeds": (cells, laboratory.truth),
                "cells and seeds": (both, laboratory.truth),
            }
            for name, ((low, high), truth) in asked.items():
                held = np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))
                rows += zip([runs] * 6, SCORES, [name] * 6, held, strict=True)
    found = pd.DataFrame(rows, columns=["runs", "score", "interval", "held"])
    means = found.groupby(["score", "runs", "interval"], sort=False)["held"].mean()
    return means.unstack().reset_index()


def simulate_differences(laboratory, simulations, draws=2000):
    """The same for the accuracy of two networks that are alike, and how often tests see two."""
    drawn = intervals.resample(Y_TRUE, CELL, len(CLASSES), draws)
    rows = []
    for runs in RUNS:
        for _ in range(simulations):
            cells = laboratory.draw_cells()
            trained = [laboratory.train(runs) for _ in range(2)]
            y_pred = [laboratory.predict(one, cells) for one in trained]
            here = np.subtract(*[laboratory.score(one)[:, 4].mean() for one in trained])
            right = [one == Y_TRUE for one in y_pred]
            each = [one.mean(axis=1) for one in right]
            value = each[0].mean() - each[1].mean()
            difference = right[0].mean(axis=0) - right[1].mean(axis=0)
            low, high = intervals.paired_bounds(difference, drawn)
            by_cell = np.bincount(drawn.clusters, difference)
            flips = intervals.sign_flips(by_cell, draws)
            row = {
                "runs": runs,
                "cells": low <= here <= high,
                "cells, of all seeds": low <= 0 <= high,
                "sign flips": flips < 0.05,
            }
            if runs > 1:
                least, most = intervals.with_seeds(value, low, high, *each)
                test = stats.permutation_test(
                    each, lambda a, b: a.mean() - b.mean(), n_resamples=draws
                )
                row |= {"cells and seeds": least <= 0 <= most, "permuted runs": test.pvalue < 0.05}
            rows.append(row)
    return pd.DataFrame(rows).astype(float).groupby("runs").mean().reset_index()


def simulate_needed(simulations, draws=2000):
    """The interval over cells and seeds with more cells and runs: half its width, and zero outside.

    Cells and runs are drawn from those at hand, with replacement.
    """
    rng = np.random.default_rng(0)
    kinds, cell = np.unique(np.stack([Y_TRUE, CELL]), axis=1, return_inverse=True)
    images_of = [np.flatnonzero(cell == one) for one in range(kinds.shape[1])]
    right = {
        m: comparison.predicted(model_comparison.runs(m, "four")) == Y_TRUE for m in np.unique(OPEN)
    }
    rows = []
    for times, _ in itertools.product(TIMES, range(simulations)):
        of_class = [np.flatnonzero(kinds[0] == label) for label in range(len(CLASSES))]
        new = np.concatenate([rng.choice(own, times * len(own)) for own in of_class])
        place = np.concatenate([images_of[one] for one in new])
        group = np.repeat(np.arange(len(new)), [len(images_of[one]) for one in new])
        drawn = intervals.resample(Y_TRUE[place], group, len(CLASSES), draws)
        for pair, runs in itertools.product(OPEN, (*RUNS[1:], 30)):
            found = [right[method] for method in pair]
            part = [one[rng.choice(len(one), runs if len(one) > 1 else 1)] for one in found]
            difference = np.subtract(*[one.mean(axis=0)[place] for one in part])
            over_cells = intervals.paired_bounds(difference, drawn)
            each = [one[:, place].mean(axis=1) for one in part]
            low, high = intervals.with_seeds(difference.mean(), *over_cells, *each)
            value = found[0].mean() - found[1].mean()
            half, settled = (high - low) / 2, low > 0 or high < 0
            rows.append((*pair, value, len(new), runs, half, settled))
    by = ["first", "second", "difference", "cells", "runs"]
    rows.sort(key=lambda row: OPEN.index(row[:2]))
    found = pd.DataFrame(rows, columns=[*by, "half", "settled"])
    return found.groupby(by, sort=False).mean().reset_index()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    n = parser.parse_args().simulations
    clock, laboratory = stored.Clock(), Laboratory()
    effects = laboratory.effects.reset_index(names="class")
    found = {
        "effects": effects,
        "scores": simulate_scores(laboratory, n),
        "no_seeds": simulate_scores(Laboratory(seeds=0), n, (1,)),
        "differences": simulate_differences(laboratory, n // 2),
        "needed": simulate_needed(max(2, n // 5)),
    }
    tables = {
        f"coverage_{name}.csv": table.round(4).to_csv(index=False).encode()
        for name, table in found.items()
    }
    made = stored.made(
        "python benchmarks/coverage.py", images.SOURCE.commit, {"simulations": n}, clock
    )
    stored.write(stored.results_folder(), "coverage", tables, made)
    for name, table in found.items():
        print(name, table.to_string(), sep="\n")
