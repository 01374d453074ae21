"""Calibration: whether answers are right as often as they are sure.

Confidence is the probability that a method gives to its own answer: a network's softmax, Naive
Bayes' posterior, the SVM's sigmoids by Platt. Probabilities are recorded after the last epoch.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, intervals
from bloodlib.models.methods import NAMES
from bloodlib.study import records

METHODS = ("NB", "SVM", "DCLNN")
#: Bins of equal width in which confidence is compared with the share of right answers.
BINS = 10


def answers(run: records.Record) -> pd.DataFrame:
    """A run's answers on TEST after its last epoch.

    Returns
    -------
    pandas.DataFrame
        A row for each image: ``photograph, cell``; ``class``, the label of the four classes;
        ``y_true, y_pred, right``; ``confidence``, the probability of the answer.
    """
    y_true = images.labels("TEST", run.config["task"])
    y_pred = run.arrays["labels"][-1]  # an SVM's most probable class need not be its answer
    return pd.DataFrame(
        {
            "photograph": photographs.photographs("TEST"),
            "cell": photographs.cells("TEST"),
            "class": images.labels("TEST"),
            "y_true": y_true,
            "y_pred": y_pred,
            "right": y_pred == y_true,
            "confidence": run.arrays["probabilities"][np.arange(len(y_pred)), y_pred].astype(float),
        }
    )


def ended(method: str, task: str) -> list[records.Record]:
    """Runs of Table 1 that ended at epoch 25: of others, probabilities are those of a later one."""
    runs = comparison.compared(method, task)
    return [run for run in runs if not run.has_epochs or run.epochs == comparison.EPOCH]


def _ended():
    """The runs of Table 1, by task, method and seed: what each is, and its answers."""
    for task in images.TASKS:
        for method in METHODS:
            for run in sorted(ended(method, task), key=lambda run: run.config["seed"]):
                seed = f", seed {run.config['seed']}" if method == "DCLNN" else ""
                yield {"task": task, "method": method, "run": NAMES[method] + seed}, answers(run)


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: Guo et al. (2017), equation 3.

    The mean over answers of how far, in their bin, the fraction that is right is from the mean
    confidence.

    Parameters
    ----------
    confidence : float array [n]
    right : bool array [n]
    """
    missing = np.bincount(_bin(confidence), right - confidence)
    return float(np.abs(missing).sum() / len(confidence))


def _bin(confidence):
    return np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)


def expected_error(confidence: np.ndarray, cells: np.ndarray, draws: int = 400) -> float:
    """Calibration error below which a calibrated method stays in 95 of 100 cases.

    With few cells it isn't zero. Right answers are drawn with the given confidence as their
    chance (consistency resampling: Bröcker and Smith, 2007), one draw for all of a cell's answers,
    so that they are as alike as can be.

    Parameters
    ----------
    confidence : float array [n]
    cells : int array [n]
    draws : int
    """
    _, place = np.unique(cells, return_inverse=True)
    drawn = np.random.default_rng(0).random((draws, place.max() + 1))
    found = [calibration_error(confidence, one[place] < confidence) for one in drawn]
    return float(np.quantile(found, 0.95))


def compute_calibration(level: float) -> pd.DataFrame:
    """Confidence and right answers of each run on TEST.

    Parameters
    ----------
    level : float
        From which confidence on an answer is sure.

    Returns
    -------
    pandas.DataFrame
        ``task, method, run`` (in words); ``accuracy, confidence``; ``gap``, the second minus the
        first, and its cell-clustered interval ``low, high``; ``error``, see
        :func:`calibration_error`; ``chance``, see :func:`expected_error`; ``sure``, the fraction of
        answers that are, and ``wrong``, the fraction of these that are wrong.
    """
    rows = []
    for key, found in _ended():
        cells = found["cell"].to_numpy()
        confidence, right = found["confidence"].to_numpy(), found["right"].to_numpy()
        drawn = comparison.resamples(key["task"])
        gap, sure = confidence - right, confidence >= level
        low, high = intervals.mean_bounds(gap[None], drawn, (-1.0, 1.0))
        row = {"accuracy": right.mean(), "confidence": confidence.mean(), "gap": gap.mean()}
        row |= {"low": low, "high": high, "error": calibration_error(confidence, right)}
        row |= {"chance": expected_error(confidence, cells), "sure": sure.mean()}
        rows.append(key | row | {"wrong": (~right[sure]).mean() if sure.any() else np.nan})
    return pd.DataFrame(rows)


def compute_reliability() -> pd.DataFrame:
    """Fraction of right answers by confidence, for each run.

    Returns
    -------
    pandas.DataFrame
        A row for each bin that has answers: ``task, method, run``; ``confidence``, the mean;
        ``share`` that is right, and ``low, high``, Gaffke's cell-clustered bounds; ``weight``, the
        fraction of all answers that is in the bin; ``cells``, how many are.
    """
    rows = []
    for key, found in _ended():
        for _, own in found.groupby(_bin(found["confidence"])):
            drawn = intervals.resample(0 * own["y_true"], own["cell"], 2, draws=4000)
            low, high = intervals.mean_bounds(own["right"].to_numpy()[None], drawn)
            row = {"confidence": own["confidence"].mean(), "share": own["right"].mean()}
            row |= {
                "low": low,
                "high": high,
                "weight": len(own) / len(found),
                "cells": own["cell"].nunique(),
            }
            rows.append(key | row)
    return pd.DataFrame(rows)


def plot_reliability(found: pd.DataFrame) -> plt.Figure:
    """Reliability diagrams: a row of panels for each task, the baselines left, DCLNN right.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`compute_reliability`. A dot's area is the fraction of answers; wide lines are
        cell-clustered intervals; on the dotted line one would be as sure as one is right.
    """
    tasks, networks = found["task"].unique(), found["method"] == "DCLNN"
    runs = dict.fromkeys(found.loc[networks, "run"])
    colours = dict(zip(runs, sns.color_palette("viridis", len(runs)), strict=True))
    figure, axes = plt.subplots(len(tasks), 2, figsize=(7.2, 6.4), sharex=True, sharey=True)
    for row, task in zip(axes, tasks, strict=True):
        for axis, chosen in zip(row, (~networks, networks), strict=True):
            axis.plot([0, 1], [0, 1], color="#888888", lw=1, ls=":")
            for run, own in found[chosen & (found["task"] == task)].groupby("run"):
                at, colour = own["confidence"], colours.get(run, COLOURS[own["method"].iloc[0]])
                axis.vlines(at, own["low"], own["high"], colour, lw=3, alpha=0.3)
                sizes, label = 8 + 150 * own["weight"], run.removeprefix("DCLNN, ")
                axis.scatter(at, own["share"], sizes, label=label, zorder=3, color=colour)
            title = f"{'DCLNN' if chosen is networks else 'Baselines'}, {task} classes"
            axis.set(xlim=(0, 1.03), ylim=(-0.03, 1.05), title=title)
            axis.legend(fontsize=7, loc="upper left", markerscale=0.7, frameon=True)
    figure.supxlabel("confidence", fontsize=8)
    figure.supylabel("fraction right", fontsize=8)
    return figure
