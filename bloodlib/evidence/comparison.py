"""Our runs beside the paper's numbers: which run answers which row, and what it gave."""

import functools
import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

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

#: What there is of a number of ours: see :func:`cells`.
NUMBERS = ("ours", "low", "high", "rerun_low", "rerun_high")
#: Settings in which runs of one row may differ; the rounding of numbers is chance, as a seed is.
CHANCE = ("seed", "precision")


def compared(method: str, task: str) -> list[records.Record]:
    """The stored runs that stand beside the paper's row of a method: all that chance may vary."""
    return frozen(COMPARED[method] | {"task": task})


def frozen(settings: dict, free: tuple[str, ...] = CHANCE) -> list[records.Record]:
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


def ended(method: str, task: str) -> list[records.Record]:
    """Those of :func:`compared` that ended at :data:`EPOCH`, or have no epochs.

    Probabilities, and answers on TEST_SIMPLE, are kept of the end of a run alone.
    """
    return [run for run in compared(method, task) if not run.has_epochs or run.epochs == EPOCH]


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


def accuracies(run: records.Record, epochs: Iterable[int]) -> list[float]:
    """Accuracy of a network on the images it was tried on, after each of some epochs."""
    return [float(scores.accuracy(run.confusion(epoch=epoch))) for epoch in epochs]


@functools.cache
def resamples(task: str, unseen: bool = True, split: str = "TEST") -> intervals.Resamples:
    """Draws of the cells of TEST, or of TEST_SIMPLE, always the same.

    They are drawn within the four classes for both tasks. ``unseen`` is for
    :func:`bloodlib.evidence.intervals.bounds`: see there.
    """
    return intervals.resample(
        images.labels(split, task),
        photographs.cells(split),
        len(TASKS[task]),
        strata=images.labels(split),
        unseen=unseen,
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
) -> Estimate:
    """A score of runs of one method: their mean, and ``intervals.bounds`` by cell.

    Parameters
    ----------
    runs : list of Record
    score : callable
        From confusion matrices [..., classes, classes] to numbers ``[..., *]``.
    split : {"TEST", "TEST_SIMPLE"}
    epoch : int
        Of networks, and of TEST.

    Returns
    -------
    Estimate
        Without an interval where runs were tried on other images than the published ones.
    """
    labels, value = _measured(runs, score, epoch, split)
    if not on_test(runs):
        return Estimate(value, None, None)
    drawn = resamples(runs[0].config["task"], split=split)
    return Estimate(value, *intervals.bounds(score, labels, drawn))


def difference(
    runs: list[records.Record],
    other: list[records.Record],
    score: intervals.Score = scores.accuracy,
    epochs: tuple[int | range, int | range] = (EPOCH, EPOCH),
) -> Estimate:
    """The score of runs minus that of others, on the same cells of TEST.

    Parameters
    ----------
    runs, other : list of Record
        Of one task; their numbers may differ.
    score : callable
        As for :func:`estimate`.
    epochs : tuple of int or range
        After which epoch, of the runs and of the others; of several epochs the mean counts.
    """
    ours, value = _measured(runs, score, epochs[0])
    theirs, subtracted = _measured(other, score, epochs[1])
    if not on_test([*runs, *other]):
        return Estimate(value - subtracted, None, None)
    drawn = resamples(runs[0].config["task"])
    return Estimate(value - subtracted, *intervals.bounds(score, ours, drawn, theirs))


def rerun_range(
    runs: list[records.Record],
    score: intervals.Score = scores.accuracy,
    other: list[records.Record] | None = None,
) -> np.ndarray:
    """Where one more run would score on the same images: from where to where, [2, *].

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


def _measured(runs, score, epochs, split="TEST"):
    """Labels of runs after an epoch or several, and the mean of a score."""
    each = [(runs, int(epoch), split) for epoch in np.atleast_1d(epochs)]
    labels = np.concatenate([predicted(*one) for one in each])
    return labels, np.concatenate([score(confusions(*one)) for one in each]).mean(axis=0)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval in brackets, where there is one; "–" where there is no number."""
    if value is None:
        return "–"
    return f"{value:.2f} ({low:.2f}–{high:.2f})" if _is_known(low) else f"{value:.2f}"


def signed(value: float, low: float | None = None, high: float | None = None) -> str:
    """A difference with its sign, and its interval in brackets, where there is one.

    With three decimals if it or an end would look like zero with two.
    """
    if not _is_known(low):
        return f"{value:+.2f}".replace("-", "−")
    digits = 3 if min(abs(value), abs(low), abs(high)) < 0.005 else 2
    return f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})".replace("-", "−")


def beside(low: float | None, high: float | None, reference: float = 0.0) -> str:
    """Where an interval lies: "above" a number, "below" it, or "not told apart from" it.

    "not compared with" where there is no interval.
    """
    if not _is_known(low):
        return "not compared with"
    return "above" if low > reference else "below" if high < reference else "not told apart from"


def _is_known(end):
    return end is not None and not np.isnan(end)


def cells(runs: dict[tuple[str, str], list[records.Record]] | None = None) -> list[dict]:
    """Every printed number of Tables 1 and 2 with ours: the mean over runs, and its interval.

    Parameters
    ----------
    runs : dict, optional
        Runs by (method, task), in place of the stored ones of :data:`COMPARED`.

    Returns
    -------
    list of dict
        With ``address, table, task, method, class, measure, paper, ours, low, high, rerun_low,
        rerun_high, runs, frozen``. ``ours`` is None where there is no run. ``low`` and ``high`` are
        ``intervals.bounds``, by cell; None where runs were tried on other images than the published
        TEST. ``rerun_low`` and ``rerun_high`` are :func:`rerun_range` of these runs. ``frozen``:
        whether the runs are :func:`compared`'s.
    """
    asked = itertools.product(COMPARED, TASKS) if runs is None else runs
    saved = {row: compared(*row) for row in asked}
    runs = saved if runs is None else runs
    numbers = {}  # by the runs: those of DCLNN and MaxPooling are the same
    rows = []
    for cell in paper.CELLS:
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
        As :func:`cells`, by run; ``paper`` is None, ``method`` has the settings that differ from
        their defaults, and ``address`` is the id of the first run.
    """
    rows, groups = [], {}
    for config in study.runs(table):
        alike = {key: value for key, value in config.items() if key not in CHANCE}
        groups[study.identify(alike)] = alike
    for ident, config in groups.items():
        task, runs = config["task"], frozen(config)
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


def outside(cells: list[dict], low: str = "low", high: str = "high") -> tuple[int, int]:
    """How many printed numbers lie outside an interval of ours, and how many stand beside one.

    Outside by more than the print's rounding; ``low`` and ``high`` name the ends.
    """
    there = [cell for cell in cells if cell[low] is not None]
    inside = [cell[low] - 0.005 <= cell["paper"] <= cell[high] + 0.005 for cell in there]
    return inside.count(False), len(inside)


def _numbers(runs, task):
    """Numbers of runs and the ends of their intervals by measure and class; None without a run."""
    found = {}
    for measure in paper.MEASURES:
        score = functools.partial(scores.printed_rows, measure=measure)
        ends = (*estimate(runs, score), *rerun_range(runs, score)) if runs else (None,) * 5
        for place, class_ in enumerate([*TASKS[task], "Average"]):
            values = [None if each is None else float(each[place]) for each in ends]
            found[measure, class_] = dict(zip(NUMBERS, values, strict=True))
    return found
