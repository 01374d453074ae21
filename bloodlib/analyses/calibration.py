"""Calibration: is an answer right as often as it is sure? By image, by photograph and by cell.

Confidence is the probability that a method gives to its own answer: a network's softmax, Naive
Bayes' posterior, the SVM's sigmoids by Platt. Probabilities are recorded after the last epoch. The
answer for a photograph, or a cell, is the class of the largest mean probability over its images,
and its confidence that mean.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses.plots import COLOURS
from bloodlib.data import images, photographs
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.study import records

METHODS = ("NB", "SVM", "DCLNN")
UNITS = ("image", "photograph", "cell")
#: Bins of equal width in which confidence is compared with the share of right answers.
BINS = 10
#: From which confidence on an answer counts as sure.
SURE = 0.9


class Answers(NamedTuple):
    """What runs answer for images, photographs or cells, and how sure they are.

    Attributes
    ----------
    numbers : int array [n]
        Of photographs, or of cells; for images their rows.
    truth : int array [n]
        True label in the task.
    strata : int array [n]
        True label of the four classes.
    cells : int array [n]
    labels : int array [runs, n]
    confidence : float array [runs, n]
    probabilities : float array [runs, n, classes]
    n_classes : int
    """

    numbers: np.ndarray
    truth: np.ndarray
    strata: np.ndarray
    cells: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray
    n_classes: int

    @property
    def right(self) -> np.ndarray:
        """Whether an answer is right: bool array [runs, n]."""
        return self.labels == self.truth

    def resamples(self) -> intervals.Resamples:
        """Draws of cells within the four classes, as everywhere in this book."""
        return intervals.resample(
            self.truth, self.cells, self.n_classes, strata=self.strata, unseen=True
        )


def answers(runs: list[records.Record], unit: str = "image") -> Answers:
    """Answers of runs of one method and task on TEST, after their last epoch.

    Parameters
    ----------
    runs : list of Record
    unit : {"image", "photograph", "cell"}

    Raises
    ------
    ValueError
        If there is no such unit.
    """
    task = runs[0].config["task"]
    found = {
        "image": np.arange(len(images.names("TEST"))),
        "photograph": photographs.photographs("TEST"),
        "cell": photographs.cells("TEST"),
    }
    if unit not in found:
        raise ValueError(f"unit is {unit!r}. There are: {', '.join(UNITS)}.")
    probabilities = np.stack([run.arrays["probabilities"].astype(float) for run in runs])
    numbers, first, place = np.unique(found[unit], return_index=True, return_inverse=True)
    if unit == "image":
        # an SVM's most probable class need not be its answer
        labels = np.stack([run.arrays["labels"][-1] for run in runs]).astype(int)
    else:
        probabilities = np.stack([_means(one, place) for one in probabilities])
        labels = probabilities.argmax(axis=-1)
    return Answers(
        numbers,
        images.labels("TEST", task)[first],
        images.labels("TEST")[first],
        found["cell"][first],
        labels,
        np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0],
        probabilities,
        len(TASKS[task]),
    )


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


def calibration_of(run: records.Record, unit: str = "image") -> dict:
    """Confidence and right answers of a run.

    Returns
    -------
    dict
        ``accuracy, confidence``; ``gap``, the second minus the first, and its cell-clustered
        interval ``low, high``; ``error``, see :func:`calibration_error`; ``chance``, see
        :func:`expected_error`.
    """
    found = answers([run], unit)
    gap = found.confidence - found.right
    low, high = intervals.mean_bounds(gap, found.resamples(), (-1.0, 1.0))
    return {
        "accuracy": float(found.right.mean()),
        "confidence": float(found.confidence.mean()),
        "gap": float(gap.mean()),
        "low": low,
        "high": high,
        "error": calibration_error(found.confidence[0], found.right[0]),
        "chance": expected_error(found.confidence[0], found.cells),
    }


def compute_calibration() -> pd.DataFrame:
    """:func:`calibration_of` of each run by image, and of networks by photograph too.

    Returns
    -------
    pandas.DataFrame
        ``task, method, seed, unit``, and the entries of :func:`calibration_of`.
    """
    return pd.DataFrame(
        [
            key | {"unit": unit} | calibration_of(run, unit)
            for key, run in _runs()
            for unit in (UNITS[:2] if key["method"] == "DCLNN" else UNITS[:1])
        ]
    )


def compute_reliability() -> pd.DataFrame:
    """Share of right answers by confidence, for each run.

    Returns
    -------
    pandas.DataFrame
        A row for each bin that has answers: ``task, method, seed``; ``confidence``, the mean;
        ``share`` that is right, and ``low, high``, Gaffke's cell-clustered bounds; ``weight``, the
        share of all answers that is in the bin; ``cells``, how many are.
    """
    rows = []
    for key, run in _runs():
        found = answers([run])
        confidence, right = found.confidence[0], found.right[0]
        place = _bin(confidence)
        for number in np.unique(place):
            own = place == number
            successes, sizes = intervals.tally(right[own], found.cells[own])
            low, high = intervals.gaffke(successes, sizes, draws=4000)
            row = {"confidence": confidence[own].mean(), "share": right[own].mean()}
            row |= {"low": low, "high": high, "weight": own.mean(), "cells": len(sizes)}
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
    tasks = list(dict.fromkeys(found["task"]))
    runs = sorted(
        set(zip(found["method"], found["seed"], strict=True)),
        key=lambda run: (METHODS.index(run[0]), run[1]),
    )
    figure, axes = plt.subplots(
        len(tasks), len(runs), figsize=(7.2, 0.6 + 6.6 * len(tasks) / len(runs)), sharex=True,
        sharey=True, squeeze=False,
    )  # fmt: skip
    for row, task in zip(axes, tasks, strict=True):
        for axis, (method, seed) in zip(row, runs, strict=True):
            own = found[(found["task"] == task) & (found["method"] == method)]
            own, colour = own[own["seed"] == seed], COLOURS[method]
            axis.plot([0, 1], [0, 1], color="#888888", lw=1, ls=":")
            axis.vlines(own["confidence"], own["low"], own["high"], colour, lw=4, alpha=0.3)
            axis.scatter(own["confidence"], own["share"], 5 + 90 * own["weight"], colour, zorder=3)
            axis.set_title(f"{run_title(method, seed)}\n{task} classes", fontsize=8)
            axis.set(xlim=(-0.02, 1.06), ylim=(-0.03, 1.05), aspect="equal")
            axis.tick_params(labelsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("confidence", fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("share right", fontsize=8)
    return figure


# ------------------------------------------------------------------------------ sure and wrong


def compute_sure(level: float = SURE) -> pd.DataFrame:
    """How often answers are sure, and how often they are then wrong.

    Parameters
    ----------
    level : float
        From which confidence on an answer is sure.

    Returns
    -------
    pandas.DataFrame
        A row for each run: ``task, method, seed``; ``sure``, how many images have a sure answer;
        ``wrong``, how many of them are wrong, and ``of``, how many are in all; ``photographs``,
        how many these wrong ones show; ``most``, the number of the photograph with most of them,
        -1 if there is none, and ``share``, its share of them.
    """
    rows = []
    numbers = photographs.photographs("TEST")
    for key, run in _runs():
        found = answers([run])
        sure, right = found.confidence[0] >= level, found.right[0]
        counts = pd.Series(numbers[sure & ~right]).value_counts()
        row = {"sure": int(sure.sum()), "wrong": int(counts.sum()), "of": int((~right).sum())}
        row |= {"photographs": len(counts), "most": -1, "share": np.nan}
        if len(counts):
            row |= {"most": int(counts.index[0]), "share": float(counts.iloc[0] / counts.sum())}
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
    for task in TASKS:
        for method in METHODS:
            if runs := comparison.ended(method, task):
                images_, together = answers(runs), answers(runs, "photograph")
                numbers = photographs.photographs("TEST")
                right, sizes = intervals.tally(images_.right, numbers)
                single = right / sizes
                vote = intervals.vote(images_.labels, numbers) == together.truth
                gain = together.right - single
                ends = intervals.mean_bounds(gain, together.resamples(), (-1.0, 1.0))
                shares = (one.mean() for one in (single, vote, together.right, gain))
                rows.append((task, method, len(sizes), *shares, *ends))
    names = ["task", "method", "photographs", "single", "vote", "mean", "gain", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def compute_photographs(method: str = "DCLNN") -> pd.DataFrame:
    """The answer for each photograph, all its images and all runs averaged.

    Returns
    -------
    pandas.DataFrame
        A row for each task and photograph: ``task, photograph, class`` (of the four); ``right``;
        ``taken`` for, ``confidence``, the mean probability of that, ``true``, that of the right
        class; ``images``, and ``share`` of them that is right. Without rows where there is no run.
    """
    frames = []
    numbers = photographs.photographs("TEST")
    for task, names in TASKS.items():
        if runs := comparison.ended(method, task):
            found = answers(runs, "photograph")
            right, sizes = intervals.tally(answers(runs).right, numbers)
            means = found.probabilities.mean(axis=0)
            taken, places = means.argmax(axis=-1), np.arange(len(means))
            columns = {
                "task": task,
                "photograph": found.numbers,
                "class": np.array(CLASSES)[found.strata],
                "right": taken == found.truth,
                "taken": np.array(names)[taken],
                "confidence": means[places, taken],
                "true": means[places, found.truth],
                "images": sizes,
                "share": right.mean(axis=0) / sizes,
            }
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


# ------------------------------------------------------------------------------- what they share


def _runs():
    """The runs of Table 1, by task, method and seed, and what they are."""
    for task in TASKS:
        for method in METHODS:
            runs = comparison.ended(method, task)
            for run in sorted(runs, key=lambda run: run.config["seed"]):
                yield {"task": task, "method": method, "seed": run.config["seed"]}, run


def run_title(method, seed):
    """A run in words; the baselines have no seeds."""
    return f"{method}, seed {seed}" if method == "DCLNN" else method


def _bin(confidence):
    return np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)


def _means(probabilities, place):
    """Mean probabilities [groups, classes] of images [n, classes], groups by their places."""
    sums = [np.bincount(place, column) for column in probabilities.T]
    return np.stack(sums, axis=1) / np.bincount(place)[:, None]
