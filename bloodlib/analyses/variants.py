"""Which reading of the text comes nearest to the printed rows: every setting that was tried.

A reading is a method with settings that the paper leaves open. How near its numbers are to a
printed row is the root mean square of their differences, over precision, recall and F1 of each
class; the row called Average follows from the classes and is left out.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses.plots import COLOURS, upright
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import CHANCE, COMPARED, EPOCH
from bloodlib.study import records

#: Printed rows, and what every reading of them has in common.
ROWS = {
    "NB": {"method": "NB"},
    "SVM": {"method": "SVM"},
    "DCLNN": COMPARED["DCLNN"],
    "AveragePooling": COMPARED["AveragePooling"],
}
#: Rows that a reading of the other can't be right about, however near it comes.
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
    """How many numbers [..., classes, measures] are equal to two decimals, up to rounding: [...].

    A printed number may have been rounded or cut, so that ours counts from half a hundredth below
    it to one above.
    """
    off = np.round(ours - theirs, 9)
    return ((off >= -0.005) & (off <= 0.01)).sum(axis=(-2, -1))


def compute(row: str, task: str) -> pd.DataFrame:
    """Every reading of a row that has frozen runs on the published folders, the nearest first.

    Runs that differ by chance alone (``comparison.CHANCE``) are of one reading.

    Parameters
    ----------
    row : str
        One of :data:`ROWS`.
    task : {"four", "two"}

    Returns
    -------
    pandas.DataFrame
        A row for each reading. ``reading``: its settings that are not the defaults, in words;
        ``usual``: whether it is the one that the book's tables have; ``runs``: records;
        ``distance``: the mean over runs, of networks after epoch 25; ``closest``: the least over
        runs, and over the epochs of networks; ``hits``: the most printed numbers that one run has;
        ``numbers``: its numbers [classes, measures], the mean over runs; ``accuracy`` on TEST.
    """
    found: dict[str, list[records.Record]] = {}
    whole = {key: study.COMMON[key] for key in study.DATA if key != "resize"}
    for run in study.select(**ROWS[row], task=task, **whole):
        if run.epochs == 1 or run.epochs >= EPOCH:
            found.setdefault(_words(run.config), []).append(run)
    usual = {run.id for run in comparison.compared(row, task)}
    theirs = printed(row, task)
    rows = []
    for words, runs in found.items():
        ours = measured(comparison.confusions(runs))
        every = [
            distance(measured(run.confusion(epoch=e)), theirs)
            for run in runs
            for e in range(1, run.epochs + 1)
        ]
        rows.append(
            {
                "reading": words,
                "usual": any(run.id in usual for run in runs),
                "runs": runs,
                "distance": float(distance(ours, theirs).mean()),
                "closest": float(min(every)),
                "hits": int(hits(ours, theirs).max()),
                "numbers": ours.mean(axis=0),
                "accuracy": float(scores.accuracy(comparison.confusions(runs)).mean()),
            }
        )
    names = ["reading", "usual", "runs", "distance", "closest", "hits", "numbers", "accuracy"]
    return pd.DataFrame(rows, columns=names).sort_values(["distance", "reading"], ignore_index=True)


def among(found: pd.DataFrame) -> np.ndarray:
    """How far each reading is from the nearest other one: float array [readings].

    That is what one would see if the row had been printed from one of them, and that one was not
    tried.
    """
    numbers = np.stack(found["numbers"])
    apart = distance(numbers[:, None], numbers[None])
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1)


def guess(row: str, task: str) -> float:
    """How far guessing is from a printed row: each class as often as the others, at random.

    On average, with the classes of TEST in equal shares, as they nearly are, every number is one
    over the number of classes.
    """
    return float(distance(np.full((len(TASKS[task]), 3), 1 / len(TASKS[task])), printed(row, task)))


def compute_all() -> dict[tuple[str, str], pd.DataFrame]:
    """:func:`compute` by row and task, where there are any."""
    found = {(row, task): compute(row, task) for task in TASKS for row in ROWS}
    return {key: frame for key, frame in found.items() if len(frame)}


def summarise(every: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """A line for each row and task, from :func:`compute_all`.

    Returns
    -------
    pandas.DataFrame
        ``task, row, tried``; ``nearest`` in words, its ``distance`` and ``hits`` of ``printed``
        numbers; ``usual``: the distance of the reading that the book's tables have; ``guess``: that
        of guessing; ``control``: the least distance to this row among readings of the other
        method, which can't be right; ``among``: the median of :func:`among`.
    """
    rows = []
    for (row, task), found in every.items():
        first, theirs = found.iloc[0], printed(row, task)
        usual = found[found["usual"]]["distance"]
        other = every.get((CONTROLS.get(row), task))
        rows.append(
            {
                "task": task,
                "row": row,
                "tried": len(found),
                "nearest": first["reading"],
                "distance": first["distance"],
                "hits": first["hits"],
                "printed": theirs.size,
                "usual": usual.iloc[0] if len(usual) else np.nan,
                "guess": guess(row, task),
                "control": np.nan
                if other is None
                else distance(np.stack(other["numbers"]), theirs).min(),
                "among": np.median(among(found)) if len(found) > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def show_summary(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`summarise` for a page."""
    return pd.DataFrame(
        {
            "Classes": found["task"],
            "Row": found["row"],
            "Readings": found["tried"],
            "Nearest": found["nearest"],
            "Distance": found["distance"],
            "Numbers met": [f"{r.hits} of {r.printed}" for r in found.itertuples()],
            "Ours": found["usual"],
            "Guessing": found["guess"],
            "Other method": found["control"],
        }
    )


def show(found: pd.DataFrame, n: int | None = None) -> pd.DataFrame:
    """The first rows of :func:`compute` for a page, all of them if no number is given."""
    shown = found.head(len(found) if n is None else n)
    return pd.DataFrame(
        {
            "Reading": [
                f"{r.reading} (in the book's tables)" if r.usual else r.reading
                for r in shown.itertuples()
            ],
            "Distance": shown["distance"],
            "At best": shown["closest"],
            "Accuracy": shown["accuracy"],
            "Runs": [len(runs) for runs in shown["runs"]],
        }
    )


def plot(every: dict[tuple[str, str], pd.DataFrame]) -> plt.Figure:
    """Distances of all readings from their row, a panel for each task.

    Dots are readings, ringed the one of the book's tables; grey crosses are readings of the other
    method, which can't be right; dotted: guessing.

    Parameters
    ----------
    every : dict of DataFrame
        See :func:`compute_all`.
    """
    rows = list(dict.fromkeys(row for row, _ in every))
    figure, axes = plt.subplots(
        1, len(TASKS), figsize=(7.2, 1.2 + 0.5 * len(rows)), sharey=True, squeeze=False
    )
    for axis, task in zip(axes[0], TASKS, strict=True):
        for y, row in enumerate(rows):
            if (row, task) not in every:
                continue
            found, theirs = every[row, task], printed(row, task)
            axis.plot(found["distance"], np.full(len(found), y), "o", ms=5, alpha=0.5,
                      color=COLOURS[row])  # fmt: skip
            usual = found[found["usual"]]["distance"]
            axis.plot(usual, [y] * len(usual), "o", ms=10, mfc="none", mec=COLOURS["paper"])
            other = every.get((CONTROLS.get(row), task))
            if other is not None:
                off = distance(np.stack(other["numbers"]), theirs)
                axis.plot(off, np.full(len(off), y + 0.28), "x", ms=4, alpha=0.5, color="#777777")
            axis.plot([guess(row, task)] * 2, [y - 0.4, y + 0.4], ":", color=COLOURS["paper"])
        axis.set(title=f"{task} classes", xlabel="distance from the printed row", xlim=(0, None))
        upright(axis)
    axes[0, 0].set_yticks(range(len(rows)), rows)
    axes[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _words(config):
    """What differs from the defaults, without method, task, chance, and how long it went on."""
    free = {*CHANCE, "epochs"}
    config = {k: v for k, v in study.resolve(config).items() if k not in free}
    return study.describe(config).partition(", ")[2] or "defaults"
