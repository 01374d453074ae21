"""Calibration: is an answer right as often as it is sure? By image and by photograph.

Confidence is the probability that a method gives to its own answer: a network's softmax, Naive
Bayes' posterior, the SVM's sigmoids by Platt. Probabilities are recorded after the last epoch. The
answer for a photograph is the class of the largest mean probability over its images, and its
confidence that mean.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.study import records

METHODS = ("NB", "SVM", "DCLNN")
#: Bins of equal width in which confidence is compared with the share of right answers.
BINS = 10


def answers(runs: list[records.Record], unit: str = "image") -> pd.DataFrame:
    """Answers on TEST after the last epoch: a run's, or those of several runs' mean probabilities.

    Parameters
    ----------
    runs : list of Record
        For photographs several of one method and task; for images one.
    unit : {"image", "photograph"}

    Returns
    -------
    pandas.DataFrame
        A row for each image, or each photograph: ``photograph, cell``; ``class``, the label of the
        four classes; ``y_true, y_pred, right``; ``confidence``, the probability of the answer,
        and ``true``, that of the right class.
    """
    task = runs[0].config["task"]
    found = pd.DataFrame(
        {
            "photograph": photographs.photographs("TEST"),
            "cell": photographs.cells("TEST"),
            "class": images.labels("TEST"),
            "y_true": images.labels("TEST", task),
        }
    )
    probabilities = np.mean([run.arrays["probabilities"].astype(float) for run in runs], axis=0)
    if unit == "photograph":
        by = found["photograph"].to_numpy()
        probabilities = pd.DataFrame(probabilities).groupby(by).mean().to_numpy()
        found = found.groupby("photograph", as_index=False).first()
        y_pred = probabilities.argmax(axis=1)
    else:  # an SVM's most probable class need not be its answer
        y_pred = runs[0].arrays["labels"][-1]
    rows = np.arange(len(found))
    return found.assign(
        y_pred=y_pred,
        right=y_pred == found["y_true"],
        confidence=probabilities[rows, y_pred],
        true=probabilities[rows, found["y_true"]],
    )


def _ended():
    """The runs of Table 1, by task, method and seed, and what they are."""
    for task, method in itertools.product(TASKS, METHODS):
        for run in sorted(comparison.ended(method, task), key=lambda run: run.config["seed"]):
            seed = run.config["seed"]
            title = f"{method}, seed {seed}" if method == "DCLNN" else method
            yield {"task": task, "method": method, "seed": seed, "run": title}, run


def _bounds(values, found, task):
    """Cell-clustered interval of the mean of values [runs, n], of rows of :func:`answers`."""
    y_true, strata = found["y_true"].to_numpy(), found["class"].to_numpy()
    drawn = intervals.resample(y_true, found["cell"].to_numpy(), len(TASKS[task]), strata=strata)
    return intervals.mean_bounds(values, drawn, (-1.0, 1.0))


# ---------------------------------------------------------------------------------- calibration


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: Guo et al. (2017), equation 3.

    The mean over answers of how far, in their bin, the share that is right is from the mean
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


def compute_calibration() -> pd.DataFrame:
    """Confidence and right answers of each run by image, and of networks by photograph too.

    Returns
    -------
    pandas.DataFrame
        ``task, method, seed, run`` (in words), ``unit``; ``accuracy, confidence``; ``gap``, the
        second minus the first, and its cell-clustered interval ``low, high``; ``error``, see
        :func:`calibration_error`; ``chance``, see :func:`expected_error`.
    """
    rows = []
    for key, run in _ended():
        for unit in ("image", "photograph") if key["method"] == "DCLNN" else ("image",):
            found = answers([run], unit)
            confidence, right = found["confidence"].to_numpy(), found["right"].to_numpy()
            gap = confidence - right
            low, high = _bounds(gap[None], found, key["task"])
            row = {"accuracy": right.mean(), "confidence": confidence.mean(), "gap": gap.mean()}
            row |= {"low": low, "high": high, "error": calibration_error(confidence, right)}
            row["chance"] = expected_error(confidence, found["cell"])
            rows.append(key | {"unit": unit} | row)
    return pd.DataFrame(rows)


def compute_reliability() -> pd.DataFrame:
    """Share of right answers by confidence, for each run.

    Returns
    -------
    pandas.DataFrame
        A row for each bin that has answers: ``task, method, seed, run``; ``confidence``, the mean;
        ``share`` that is right, and ``low, high``, Gaffke's cell-clustered bounds; ``weight``, the
        share of all answers that is in the bin; ``cells``, how many are.
    """
    rows = []
    for key, run in _ended():
        found = answers([run])
        for _, own in found.groupby(_bin(found["confidence"])):
            successes, sizes = intervals.tally(own["right"], own["cell"])
            low, high = intervals.gaffke(successes, sizes, draws=4000)
            row = {"confidence": own["confidence"].mean(), "share": own["right"].mean()}
            row |= {"low": low, "high": high, "weight": len(own) / len(found), "cells": len(sizes)}
            rows.append(key | row)
    return pd.DataFrame(rows)


def plot_reliability(found: pd.DataFrame) -> plt.Figure:
    """Reliability diagrams: a row of panels for each task, a panel for each run.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`compute_reliability`. A dot's area is the share of answers; wide lines are
        cell-clustered intervals; on the dotted line one would be as sure as one is right.
    """
    tasks, runs = found["task"].unique(), found["run"].unique()
    figure, axes = plt.subplots(
        len(tasks), len(runs), figsize=(7.2, 0.6 + 6.6 * len(tasks) / len(runs)), sharex=True,
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axis, (task, run) in zip(axes.flat, itertools.product(tasks, runs), strict=True):
        own = found[(found["task"] == task) & (found["run"] == run)]
        colour = own["method"].map(COLOURS)
        axis.plot([0, 1], [0, 1], color="#888888", lw=1, ls=":")
        axis.vlines(own["confidence"], own["low"], own["high"], colour, lw=4, alpha=0.3)
        axis.scatter(own["confidence"], own["share"], 5 + 90 * own["weight"], colour, zorder=3)
        axis.set_title(f"{run}\n{task} classes", fontsize=8)
        axis.set(xlim=(-0.02, 1.06), ylim=(-0.03, 1.05), aspect="equal")
    figure.supxlabel("confidence", fontsize=8)
    figure.supylabel("share right", fontsize=8)
    return figure


# ------------------------------------------------------------------------------ sure and wrong


def compute_sure(level: float) -> pd.DataFrame:
    """How often answers are sure, and how often they are then wrong.

    Parameters
    ----------
    level : float
        From which confidence on an answer is sure.

    Returns
    -------
    pandas.DataFrame
        A row for each run: ``task, method, seed, run``; ``sure``, how many images have a sure
        answer; ``wrong``, how many of them are wrong, and ``of``, how many are in all;
        ``photographs``, how many these wrong ones show; ``most``, the number of the photograph
        with most of them, -1 if there is none, and ``share``, its share of them.
    """
    rows = []
    for key, run in _ended():
        found = answers([run])
        sure, wrong = found["confidence"] >= level, ~found["right"]
        counts = found.loc[sure & wrong, "photograph"].value_counts()
        row = {"sure": sure.sum(), "wrong": counts.sum(), "of": wrong.sum()}
        row |= {"photographs": len(counts), "most": -1, "share": np.nan}
        if len(counts):
            row |= {"most": counts.index[0], "share": counts.iloc[0] / counts.sum()}
        rows.append(key | row)
    return pd.DataFrame(rows)


# ----------------------------------------------------------------------- many images, one answer


def compute_averaging() -> pd.DataFrame:
    """What is gained when a photograph's images are asked together, each photograph once.

    Returns
    -------
    pandas.DataFrame
        ``task, method, photographs``; ``single``, the mean share of a photograph's images that is
        right; ``vote``, the share of photographs whose majority is right, ``mean`` that whose
        mean probability is largest for the right class; ``gain``, the last minus the first, and
        its cell-clustered interval ``low, high``. Means over runs.
    """
    rows = []
    for task, method in itertools.product(TASKS, METHODS):
        if runs := comparison.ended(method, task):
            each = [answers([run]) for run in runs]
            together = [answers([run], "photograph") for run in runs]
            single = np.stack([one.groupby("photograph")["right"].mean() for one in each])
            mean = np.stack([one["right"] for one in together])
            vote = [intervals.vote(one["y_pred"], one["photograph"]) for one in each]
            ends = _bounds(mean - single, together[0], task)
            vote = np.mean(vote == together[0]["y_true"].to_numpy())
            means = single.mean(), vote, mean.mean(), (mean - single).mean()
            rows.append((task, method, len(together[0]), *means, *ends))
    names = ["task", "method", "photographs", "single", "vote", "mean", "gain", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def compute_photographs() -> pd.DataFrame:
    """DCLNN's answer for each photograph, all its images and all runs averaged.

    Returns
    -------
    pandas.DataFrame
        A row for each task and photograph: ``task`` and the columns of :func:`answers`, ``class``
        in words; ``taken`` for, in words; ``images``, and ``share`` of them that is right.
    """
    frames = []
    for task, names in TASKS.items():
        if runs := comparison.ended("DCLNN", task):
            found = answers(runs, "photograph")
            each = pd.concat([answers([run]) for run in runs]).groupby("photograph")["right"]
            found["class"] = np.array(CLASSES)[found["class"]]
            found["taken"] = np.array(names)[found["y_pred"]]
            found["images"] = each.size().to_numpy() // len(runs)
            found["share"] = each.mean().to_numpy()
            frames.append(found.assign(task=task))
    return pd.concat(frames, ignore_index=True)
