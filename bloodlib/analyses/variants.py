"""Which variant of what the paper leaves open comes nearest to its printed rows.

A variant is a method with settings that the paper does not state. Its distance from a printed row
is the root mean square of the differences of precision, recall and F1 of each class; the row
called Average follows from the classes and is left out.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses import plots
from bloodlib.analyses.plots import COLOURS
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import CHANCE, COMPARED, EPOCH
from bloodlib.study import records

#: Printed rows, and what every variant of them has in common.
ROWS = {
    "NB": {"method": "NB"},
    "SVM": {"method": "SVM"},
    "DCLNN": COMPARED["DCLNN"],
    "AveragePooling": COMPARED["AveragePooling"],
}
#: The method whose variants are a row's negative controls: they can't be right about it.
CONTROLS = {"NB": "SVM", "SVM": "NB"}


def printed(row: str, task: str) -> np.ndarray:
    """The numbers of a printed row without its Average: float array [classes, measures]."""
    cells = {(c.class_, c.measure): c.value for c in paper.cells(method=row, task=task)}
    return np.array([[cells[name, m] for m in paper.MEASURES] for name in TASKS[task]])


def measured(confusion: np.ndarray) -> np.ndarray:
    """The same numbers of confusion matrices [..., classes, classes]: [..., classes, measures]."""
    return np.stack([scores.MEASURES[m](confusion) for m in paper.MEASURES], axis=-1)


def distance(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Root mean square difference of numbers [..., classes, measures]: [...]."""
    return np.sqrt(np.mean((ours - theirs) ** 2, axis=(-2, -1)))


def hits(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """How many numbers [..., classes, measures] are equal to two decimals: [...].

    A printed number may have been rounded or cut, so that ours counts from half a hundredth below
    it to one above.
    """
    off = np.round(ours - theirs, 9)
    return ((off >= -0.005) & (off <= 0.01)).sum(axis=(-2, -1))


def guess(row: str, task: str) -> float:
    """Distance from a printed row of guessing, all classes equally often, on average.

    With the classes of TEST in equal fractions, as they nearly are, every number is then one over
    the number of classes.
    """
    return float(distance(np.full((len(TASKS[task]), 3), 1 / len(TASKS[task])), printed(row, task)))


def compute(row: str, task: str) -> pd.DataFrame:
    """Every variant of a row that has saved runs on the published folders, the nearest first.

    Runs that differ by chance alone (``comparison.CHANCE``) are of one variant.

    Parameters
    ----------
    row : str
        One of :data:`ROWS`.
    task : {"four", "two"}

    Returns
    -------
    pandas.DataFrame
        A row for each variant. ``variant``: its settings that are not the defaults, in words;
        ``usual``: whether it is the one in the book's tables; its ``records`` and how many
        ``runs`` they are; ``distance``: the mean over runs, of networks after epoch 25;
        ``hits``: the most printed numbers that one run has; ``numbers``: its numbers
        [classes, measures], the mean over runs; ``accuracy`` on TEST; ``neighbour``: the distance
        of the nearest other variant, which one would see if the row had been printed from that
        one, and it was not tried.
    """
    found: dict[str, list[records.Record]] = {}
    whole = {key: study.COMMON[key] for key in study.DATA if key != "resize"}
    for run in study.select(**ROWS[row], task=task, **whole):
        if not run.has_epochs or run.epochs >= EPOCH:
            found.setdefault(_words(run.config), []).append(run)
    usual = {run.id for run in comparison.compared(row, task)}
    theirs = printed(row, task)
    rows = []
    for words, runs in found.items():
        confusions = comparison.confusions(runs)
        ours = measured(confusions)
        rows.append(
            {
                "variant": words,
                "usual": any(run.id in usual for run in runs),
                "records": runs,
                "runs": len(runs),
                "distance": float(distance(ours, theirs).mean()),
                "hits": int(hits(ours, theirs).max()),
                "numbers": ours.mean(axis=0),
                "accuracy": float(scores.accuracy(confusions).mean()),
            }
        )
    numbers = np.stack([row["numbers"] for row in rows])
    apart = distance(numbers[:, None], numbers[None])
    np.fill_diagonal(apart, np.inf)
    rows = pd.DataFrame(rows).assign(neighbour=apart.min(axis=1))
    return rows.sort_values(["distance", "variant"], ignore_index=True)


def control_distances(
    every: dict[tuple[str, str], pd.DataFrame], row: str, task: str
) -> np.ndarray:
    """Distances from a row of the other method's variants: float array, empty without a control."""
    if row not in CONTROLS:
        return np.array([])
    return distance(np.stack(every[CONTROLS[row], task]["numbers"]), printed(row, task))


def summarise(every: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """A line for each row and task.

    Parameters
    ----------
    every : dict of pandas.DataFrame
        :func:`compute` by row and task, of all of :data:`ROWS`.

    Returns
    -------
    pandas.DataFrame
        ``task, row, tried``; ``nearest`` in words, its ``distance`` and ``hits`` of ``printed``
        numbers; ``usual``: the distance of the variant in the book's tables; ``guess``: that of
        guessing; ``control``: the least of :func:`control_distances`; ``neighbour``: the median
        over variants.
    """
    rows = []
    for (row, task), found in every.items():
        first = found.iloc[0]
        rows.append(
            {
                "task": task,
                "row": row,
                "tried": len(found),
                "nearest": first["variant"],
                "distance": first["distance"],
                "hits": first["hits"],
                "printed": printed(row, task).size,
                "usual": found["distance"][found["usual"]].min(),
                "guess": guess(row, task),
                "control": min(control_distances(every, row, task), default=np.nan),
                "neighbour": found["neighbour"].median(),
            }
        )
    return pd.DataFrame(rows)


def plot(every: dict[tuple[str, str], pd.DataFrame]) -> plt.Figure:
    """Distances of all variants from their row, a panel for each task.

    Dots are variants, ringed that of the book's tables; grey crosses are variants of the other
    method, which can't be right; dotted: guessing.
    """
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 1.2 + 0.5 * len(ROWS)), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        for y, row in enumerate(ROWS):
            found, off = every[row, task], control_distances(every, row, task)
            usual = found.loc[found["usual"], "distance"]
            dots, ring = {"ms": 5, "color": COLOURS[row]}, {"ms": 10, "mfc": "none"}
            axis.plot(found["distance"], [y] * len(found), "o", alpha=0.5, **dots)
            axis.plot(usual, [y] * len(usual), "o", mec=COLOURS["paper"], **ring)
            axis.plot(off, [y + 0.28] * len(off), "x", ms=4, alpha=0.5, color="#777777")
            axis.plot([guess(row, task)] * 2, [y - 0.4, y + 0.4], ":", color=COLOURS["paper"])
        axis.set(title=f"{task} classes", xlabel="distance from the printed row", xlim=(0, None))
    plots.in_rows(axes, ROWS)
    return figure


def _words(config):
    """What differs from the defaults, without method, task, chance, and how long it went on."""
    free = {*CHANCE, "epochs"}
    config = {k: v for k, v in study.resolve(config).items() if k not in free}
    return study.describe(config).partition(", ")[2] or "defaults"
