"""Our runs beside the paper's numbers: which run answers which row, and what it gave."""

import numpy as np

from bloodlib import paper, records, scores, study
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


def cells(runs: dict[tuple[str, str], list[records.Record]] | None = None) -> list[dict]:
    """Every printed number of Tables 1 and 2 with ours: the mean over runs.

    Parameters
    ----------
    runs : dict, optional
        Runs by (method, task), in place of the frozen ones of :data:`COMPARED`.

    Returns
    -------
    list of dict
        With ``table, task, method, class, measure, paper, ours, low, high, runs``.
        ``ours`` is None where there is no run, ``low`` and ``high`` are None as long as
        there is no interval.
    """
    if runs is None:
        runs = {(m, t): compared(m, t) for m in COMPARED for t in TASKS}
    measured = {
        (*row, measure): scores.printed_rows(confusions(found), measure).mean(axis=0)
        for row, found in runs.items()
        if found
        for measure in paper.MEASURES
    }
    rows = []
    for cell in paper.CELLS:
        ours = measured.get((cell.method, cell.task, cell.measure))
        position = [*TASKS[cell.task], "Average"].index(cell.class_)
        rows.append(
            {
                "table": cell.table,
                "task": cell.task,
                "method": cell.method,
                "class": cell.class_,
                "measure": cell.measure,
                "paper": cell.value,
                "ours": None if ours is None else float(ours[position]),
                "low": None,
                "high": None,
                "runs": len(runs.get((cell.method, cell.task), [])),
            }
        )
    return rows
