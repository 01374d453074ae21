"""Our runs beside the paper's numbers: which run answers which row, and what it gave."""

import functools

import numpy as np

from bloodlib import images, intervals, paper, photographs, records, scores, study
from bloodlib.images import TASKS

#: The epoch at which Tables 1 and 2 are read (:data:`bloodlib.paper.UNSTATED`).
EPOCH = 25
#: Which of our runs stands beside a row of the paper's tables; all seeds of it.
COMPARED = {
    "NB": {"method": "NB"},
    "SVM": {"method": "SVM", "kind": "C", "kernel": "rbf"},
    "DCLNN": {"method": "DCLNN", "pooling": "max"},
    "AveragePooling": {"method": "DCLNN", "pooling": "average"},
    "MaxPooling": {"method": "DCLNN", "pooling": "max"},
}


def compared(method: str, task: str) -> list[records.Record]:
    """The frozen runs that stand beside the paper's row of a method, one for each seed."""
    wanted = study.resolve(COMPARED[method] | {"task": task})
    del wanted["seed"]
    epochs = wanted.pop("epochs", 1)
    return [record for record in study.select(**wanted) if record.epochs >= epochs]


def confusions(runs: list[records.Record], epoch: int = EPOCH) -> np.ndarray:
    """Confusion matrices on TEST [runs, classes, classes], of networks after an epoch."""
    return np.stack([r.confusion(epoch=epoch if r.epochs > 1 else None) for r in runs])


def predicted(runs: list[records.Record], epoch: int = EPOCH) -> np.ndarray:
    """Labels on TEST [runs, n], of networks after an epoch."""
    return np.stack([r.arrays["labels"][epoch - 1 if r.epochs > 1 else -1] for r in runs])


@functools.cache
def resamples(task: str, unseen: bool = True) -> intervals.Resamples:
    """Draws of TEST's cells, within the four classes for both tasks, always the same.

    ``unseen`` is for :func:`bloodlib.intervals.bounds`: see there.
    """
    return intervals.resample(
        images.labels("TEST", task),
        photographs.cells("TEST"),
        len(TASKS[task]),
        strata=images.labels("TEST"),
        unseen=unseen,
    )


def on_test(runs: list[records.Record]) -> bool:
    """Whether runs were tried on the published TEST, so that its cells are known."""
    return all(
        study.resolve(run.config)[key] == study.COMMON[key] for run in runs for key in study.DATA
    )


def cells(runs: dict[tuple[str, str], list[records.Record]] | None = None) -> list[dict]:
    """Every printed number of Tables 1 and 2 with ours: the mean over runs, and its interval.

    Parameters
    ----------
    runs : dict, optional
        Runs by (method, task), in place of the frozen ones of :data:`COMPARED`.

    Returns
    -------
    list of dict
        With ``table, task, method, class, measure, paper, ours, low, high, runs``.
        ``ours`` is None where there is no run. ``low`` and ``high`` are
        :func:`bloodlib.intervals.bounds`, by cell; None where runs were tried on other
        images than the published TEST.
    """
    if runs is None:
        runs = {(m, t): compared(m, t) for m in COMPARED for t in TASKS}
    measured = {}
    for (method, task), found in runs.items():
        for measure in paper.MEASURES if found else ():
            score = functools.partial(scores.printed_rows, measure=measure)
            ours = score(confusions(found)).mean(axis=0)
            ends = (
                intervals.bounds(score, predicted(found), resamples(task))
                if on_test(found)
                else np.full((2, len(ours)), None)
            )
            measured[method, task, measure] = np.stack([ours, *ends], axis=-1)
    rows = []
    for cell in paper.CELLS:
        numbers = measured.get((cell.method, cell.task, cell.measure))
        position = [*TASKS[cell.task], "Average"].index(cell.class_)
        rows.append(
            {
                "table": cell.table,
                "task": cell.task,
                "method": cell.method,
                "class": cell.class_,
                "measure": cell.measure,
                "paper": cell.value,
                **dict.fromkeys(("ours", "low", "high")),
                **_plain(numbers, position),
                "runs": len(runs.get((cell.method, cell.task), [])),
            }
        )
    return rows


def _plain(numbers, position):
    """A number and the ends of its interval, for JSON."""
    if numbers is None:
        return {}
    found = zip(("ours", "low", "high"), numbers[position], strict=True)
    return {name: None if value is None else float(value) for name, value in found}
