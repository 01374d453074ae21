"""Our runs beside the paper's numbers: which run answers which row, and what it gave."""

import functools
import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

from bloodlib import paper, study
from bloodlib.data import images, photographs, splits, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import intervals, scores
from bloodlib.study import records

#: The epoch at which Tables 1 and 2 are read (:data:`bloodlib.paper.SETTINGS`).
EPOCH = 25
#: The last ten epochs up to that one.
LATE = range(EPOCH - 9, EPOCH + 1)
#: Which of our runs stands beside a row of the paper's tables; all seeds of it, in any precision.
COMPARED = {
    "NB": {"method": "NB"},
    "SVM": {"method": "SVM", "kind": "C", "kernel": "rbf"},
    "DCLNN": {"method": "DCLNN", "pooling": "max"},
    "AveragePooling": {"method": "DCLNN", "pooling": "average"},
    "MaxPooling": {"method": "DCLNN", "pooling": "max"},
}

#: What there is of a number of ours (:func:`table_cells`).
NUMBERS = (
    *("ours", "low", "high", "cells_seeds_low", "cells_seeds_high"),
    *("rerun_low", "rerun_high"),
)
#: Settings in which runs of one row may differ; the rounding of numbers is chance, as a seed is.
CHANCE = ("seed", "precision")


def compared(method: str, task: str) -> list[records.Record]:
    """The stored runs that stand beside the paper's row of a method: all that chance may vary."""
    return saved(COMPARED[method] | {"task": task})


def saved(settings: dict, free: tuple[str, ...] = CHANCE) -> list[records.Record]:
    """The stored runs with these settings and otherwise the defaults, whatever ``free`` ones are.

    Networks may have gone through more epochs.
    """
    wanted = study.resolve(settings)
    for name in free:
        wanted.pop(name, None)
    epochs = wanted.pop("epochs", 1)
    return [record for record in study.select(**wanted) if record.epochs >= epochs]


def by_fold(runs: list[records.Record]) -> dict[int, list[records.Record]]:
    """Runs by the fold that they held out; those of a fold by their seeds."""
    found: dict[int, list[records.Record]] = {}
    for run in sorted(runs, key=lambda run: run.config["seed"]):
        found.setdefault(study.resolve(run.config)["fold"], []).append(run)
    return dict(sorted(found.items()))


def correct(runs: list[records.Record]) -> np.ndarray:
    """How often each image is classified correctly by runs that held out the same: [epochs, n].

    The mean over runs, after each epoch up to :data:`EPOCH`; one row for methods without epochs.
    """
    return np.mean([run.arrays["labels"][:EPOCH] == run.arrays["truth"] for run in runs], axis=0)


def confusions(runs: list[records.Record], epoch: int = EPOCH, split: str = "TEST") -> np.ndarray:
    """Confusion matrices [runs, classes, classes], of networks after an epoch.

    On TEST_SIMPLE they are those after the last epoch, whatever ``epoch`` is.
    """
    return np.stack(
        [
            run.confusion(split, epoch if split == "TEST" and run.has_epochs else None)
            for run in _there(runs)
        ]
    )


def predicted(runs: list[records.Record], epoch: int = EPOCH, split: str = "TEST") -> np.ndarray:
    """Labels [runs, n], of networks after an epoch; TEST_SIMPLE as for :func:`confusions`."""
    if split == "TEST_SIMPLE":
        return np.stack([run.arrays["labels_simple"] for run in _there(runs)])
    return np.stack(
        [run.arrays["labels"][epoch - 1 if run.has_epochs else -1] for run in _there(runs)]
    )


def _there(runs):
    """Runs, if there are any."""
    if not runs:
        raise stored.MissingError("there is no run: `bloodlib study` computes those that miss")
    return runs


def in_float32(run: records.Record) -> bool:
    """Whether a run multiplied in float32; of networks, others did in mixed bfloat16."""
    return run.config.get("precision", "float32") == "float32"


def training_minutes(runs: list[records.Record]) -> float:
    """How long a method's runs took: the median of those in float32, nan where there is none.

    Training and prediction, of networks to :data:`EPOCH`. Other work ran beside some of them.
    """
    found = [run.history.get("seconds", [run.seconds])[:EPOCH] for run in runs if in_float32(run)]
    return float(np.median([sum(each) for each in found])) / 60 if found else np.nan


def accuracies(run: records.Record, epochs: Iterable[int]) -> list[float]:
    """Accuracy of a network on the images it was tried on, after each of some epochs."""
    return [float(scores.accuracy(run.confusion(epoch=epoch))) for epoch in epochs]


@functools.cache
def resamples(task: str, split: str = "TEST") -> intervals.Resamples:
    """Draws of the cells of TEST, or of TEST_SIMPLE, within the four classes, always the same."""
    return intervals.resample(
        images.labels(split, task),
        photographs.cells(split),
        len(TASKS[task]),
        strata=images.labels(split),
    )


def on_test(runs: list[records.Record]) -> bool:
    """Whether runs were tried on the published TEST, all of it, so that its cells are known."""
    whole = ("images", "images_per_class")
    configs = [study.resolve(run.config) for run in runs]
    return all(
        config["split_by"] in splits.ON_TEST and all(config[k] == study.COMMON[k] for k in whole)
        for config in configs
    )


class Estimate(NamedTuple):
    """A score, or several, and its 95 % CI over cells; the ends are None where there is none."""

    value: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None

    def __str__(self):
        """The number of one score with its interval, as the book prints it."""
        return with_interval(*self)


def estimate(
    runs: list[records.Record],
    score: intervals.Score = scores.accuracy,
    split: str = "TEST",
    epoch: int = EPOCH,
    *,
    seeds: bool = False,
) -> Estimate:
    """A score of runs of one method: their mean, and ``intervals.bounds``.

    Parameters
    ----------
    runs : list of Record
    score : callable
        From confusion matrices [..., classes, classes] to numbers ``[..., *]``.
    split : {"TEST", "TEST_SIMPLE"}
    epoch : int
        Of networks, and of TEST.
    seeds : bool
        Whether the interval is over cells and seeds (``intervals.with_seeds``). A single run of a
        network has none; methods without epochs depend on no seed.

    Returns
    -------
    Estimate
        Without an interval where runs were tried on other images than the published ones.
    """
    value, over_cells, over_both = _intervals([(runs, epoch)], score, split)
    return Estimate(value, *(over_both if seeds else over_cells))


def difference(
    runs: list[records.Record],
    other: list[records.Record],
    score: intervals.Score = scores.accuracy,
    epochs: tuple[int | range, int | range] = (EPOCH, EPOCH),
    *,
    seeds: bool = False,
) -> Estimate:
    """The score of runs minus that of others, on the same cells of TEST.

    The interval is ``intervals.bounds``, of accuracy ``intervals.paired_bounds``.

    Parameters
    ----------
    runs, other : list of Record
        Of one task; their numbers may differ.
    score : callable
        As for :func:`estimate`.
    epochs : tuple of int or range
        After which epoch, of the runs and of the others; of several epochs the mean counts.
    seeds : bool
        As for :func:`estimate`.
    """
    both = list(zip((runs, other), epochs, strict=True))
    value, over_cells, over_both = _intervals(both, score)
    return Estimate(value, *(over_both if seeds else over_cells))


def compare(runs: list[records.Record], other: list[records.Record]) -> dict:
    """The accuracy of runs on TEST minus that of others, by intervals and by tests.

    Returns
    -------
    dict
        ``difference, low, high``: see :func:`difference`; ``cells_seeds_low, cells_seeds_high``:
        the interval over cells and seeds; ``p_cells``: ``intervals.sign_flips``, where every image
        counts, and ``p_cells_once``, where every cell does; ``once``: the difference then;
        ``p_runs``: of a permutation of the runs, nan where a method has a single one.
    """
    drawn = resamples(runs[0].config["task"])
    right = [predicted(each) == drawn.truth for each in (runs, other)]
    cells = np.bincount(drawn.clusters, right[0].mean(axis=0) - right[1].mean(axis=0))
    once = cells / np.bincount(drawn.clusters)
    each, p_runs = [one.mean(axis=1) for one in right], np.nan
    if min(map(len, each)) > 1:
        p_runs = stats.permutation_test(each, lambda a, b: np.mean(a) - np.mean(b), rng=0).pvalue
    value, over_cells, over_both = _intervals([(runs, EPOCH), (other, EPOCH)], scores.accuracy)
    return {
        "difference": float(value),
        "low": over_cells[0],
        "high": over_cells[1],
        "cells_seeds_low": over_both[0],
        "cells_seeds_high": over_both[1],
        "p_cells": intervals.sign_flips(cells),
        "p_runs": p_runs,
        "once": once.mean(),
        "p_cells_once": intervals.sign_flips(once),
    }


def rerun_range(
    runs: list[records.Record],
    score: intervals.Score = scores.accuracy,
    other: list[records.Record] | None = None,
) -> np.ndarray:
    """Where one more run would score on the same images: from where to where, ``[2, *]``.

    The central 95 % of the scores after each epoch of :data:`LATE`, over all runs: a network's
    scores jump from one epoch to the next as much as from seed to seed. With ``other``, of the
    differences of every such score and every one of those runs. Nothing is said of other cells.
    Of DCLNN's runs of the paper's rows, the range of the others holds 94 % of the scores of one
    that is left out (a test computes it). A method without chance has one score: both ends.
    """
    each, others = (
        np.concatenate([score(confusions(some, epoch)) for epoch in LATE]) if some else np.zeros(1)
        for some in (runs, other)
    )
    gaps = np.array([one - others for one in each])
    return np.quantile(gaps.reshape(-1, *each.shape[1:]), (0.025, 0.975), axis=0)


def _intervals(methods, score, split="TEST"):
    """A score of one method's runs, or of one minus another's: its value and both intervals.

    ``methods`` has runs, and after which epoch or epochs. The interval over cells comes first,
    then that over cells and seeds; the ends are None where there is none.
    """
    labels, each = [], []
    for runs, epochs in methods:
        after = [(runs, int(epoch), split) for epoch in np.atleast_1d(epochs)]
        labels.append(np.concatenate([predicted(*one) for one in after]))
        each.append(np.mean([score(confusions(*one)) for one in after], axis=0))
    value = each[0].mean(axis=0) - (each[1].mean(axis=0) if len(each) > 1 else 0)
    everything = [run for runs, _ in methods for run in runs]
    if not on_test(everything):
        return value, (None, None), (None, None)
    task = everything[0].config["task"]
    drawn = resamples(task) if split == "TEST" else resamples(task, split)  # as cached
    if len(labels) > 1 and score is scores.accuracy:
        first, second = ((one == drawn.truth).mean(axis=0) for one in labels)
        low, high = intervals.paired_bounds(first - second, drawn)
    else:
        low, high = intervals.bounds(score, labels[0], drawn, *labels[1:])
    if any(len(runs) == 1 and runs[0].has_epochs for runs, _ in methods):
        return value, (low, high), (None, None)
    return value, (low, high), intervals.with_seeds(value, low, high, *each)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval in brackets, where there is one; "–" where there is no number."""
    if value is None:
        return "–"
    return f"{value:.2f} ({low:.2f}–{high:.2f})" if _is_known(low) else f"{value:.2f}"


def p_value(p: float) -> str:
    """A p-value with as many decimals as it bears."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def signed(value: float, low: float | None = None, high: float | None = None) -> str:
    """A difference with its sign, and its interval in brackets, where there is one.

    With three decimals if it or an end would look like zero with two.
    """
    known = [value, low, high] if _is_known(low) else [value]
    digits = 3 if min(map(abs, known)) < 0.005 else 2
    value, *ends = (f"{one:+.{digits}f}".replace("-", "−") for one in known)
    return f"{value} ({' to '.join(ends)})" if ends else value


def _is_known(end):
    return end is not None and not np.isnan(end)


def table_cells(runs: dict[tuple[str, str], list[records.Record]] | None = None) -> list[dict]:
    """Every printed number of Tables 1 and 2 with ours: the mean over runs, and its interval.

    Parameters
    ----------
    runs : dict, optional
        Runs by (method, task), in place of the stored ones of :data:`COMPARED`.

    Returns
    -------
    list of dict
        With ``address, table, task, method, class, measure, paper``, each of :data:`NUMBERS`,
        ``runs`` and ``frozen``. ``ours`` is None where there is no run. ``low`` and ``high`` are of
        the 95 % CI over cells, for these runs; ``cells_seeds_low`` and ``cells_seeds_high`` of that
        over cells and seeds, None for a single run of a network. All four are None where runs were
        tried on other images than the published TEST. ``rerun_low`` and ``rerun_high`` are
        :func:`rerun_range` of these runs. ``frozen``: whether the runs are :func:`compared`'s.
    """
    asked = itertools.product(COMPARED, TASKS) if runs is None else runs
    saved = {row: compared(*row) for row in asked}
    runs = saved if runs is None else runs
    numbers = {}  # by the runs: those of DCLNN and MaxPooling are the same
    rows = []
    for cell in paper.TABLE_CELLS:
        found = runs.get((cell.method, cell.task), [])
        ids = frozenset(run.id for run in found)
        if (cell.task, ids) not in numbers:
            numbers[cell.task, ids] = _numbers(found, cell.task)
        rows.append(
            {
                "address": cell.address,
                "table": cell.table,
                "task": cell.task,
                "method": cell.method,
                "class": cell.class_,
                "measure": cell.measure,
                "paper": cell.value,
                **numbers[cell.task, ids][cell.measure, cell.class_],
                "runs": len(found),
                "frozen": bool(ids) and ids == {run.id for run in saved[cell.method, cell.task]},
            }
        )
    return rows


def added(table: int) -> list[dict]:
    """Rows that ``study.yml`` adds to a table of the paper, which prints nothing there.

    Parameters
    ----------
    table : {1, 2}

    Returns
    -------
    list of dict
        As :func:`table_cells`, by run; ``paper`` is None, ``method`` has the settings that differ
        from their defaults, and ``address`` is the id of the first run.
    """
    rows, groups = [], {}
    for config in study.runs(table):
        alike = {key: value for key, value in config.items() if key not in CHANCE}
        groups[study.identify(alike)] = alike
    for ident, config in groups.items():
        task, runs = config["task"], saved(config)
        rows += [
            {
                "address": runs[0].id if runs else ident,
                "table": table,
                "task": task,
                "method": study.describe(config).replace(f" {task}", "", 1),
                "class": class_,
                "measure": measure,
                "paper": None,
                **numbers,
                "runs": len(runs),
                "frozen": len(runs) == 1,
            }
            for (measure, class_), numbers in _numbers(runs, task).items()
        ]
    return rows


def count_outside(cells: list[dict], low: str = "low", high: str = "high") -> tuple[int, int]:
    """How many printed numbers lie outside an interval of ours, and how many stand beside one.

    Outside by more than the print's rounding; ``low`` and ``high`` name the ends.
    """
    there = [cell for cell in cells if cell[low] is not None]
    inside = [cell[low] - 0.005 <= cell["paper"] <= cell[high] + 0.005 for cell in there]
    return inside.count(False), len(inside)


def _numbers(runs, task):
    """Numbers of runs and the ends of their intervals by measure and class; None without a run."""
    every = [None] * len(NUMBERS)
    if runs:
        found, over_cells, over_both = _intervals([(runs, EPOCH)], scores.printed_tables)
        every = [found, *over_cells, *over_both, *rerun_range(runs, scores.printed_tables)]
    return {
        (measure, class_): {
            name: None if one is None else float(one[m, c])
            for name, one in zip(NUMBERS, every, strict=True)
        }
        for m, measure in enumerate(paper.MEASURES)
        for c, class_ in enumerate([*TASKS[task], "Average"])
    }
