"""What chance does to one network: its runs with other seeds, beside its epochs and the cells."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.book import tables
from bloodlib.book.figures import COLOURS
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.study import study

#: The networks of Tables 1 and 2.
POOLINGS = ("MaxPooling", "AveragePooling")


def table() -> pd.DataFrame:
    """The frozen runs of the network with lineage settings, whatever their seed and precision.

    Returns
    -------
    pandas.DataFrame
        A row for each run. ``task, pooling, seed, precision, id``; ``accuracy`` on TEST after
        epoch 25; ``late``: a tuple of the accuracies after the last ten epochs up to that one;
        ``epochs``; ``simple``: accuracy on TEST_SIMPLE after the last of them; ``minutes``.
    """
    rows = []
    for task in TASKS:
        for pooling in POOLINGS:
            for run in comparison.compared(pooling, task):
                late = comparison.accuracies(run, comparison.LATE)
                config = study.resolve(run.config)
                rows.append(
                    {
                        "task": task,
                        "pooling": pooling,
                        "seed": config["seed"],
                        "precision": config["precision"],
                        "id": run.id,
                        "accuracy": late[-1],
                        "late": tuple(late),
                        "epochs": run.epochs,
                        "simple": float(scores.accuracy(run.confusion("TEST_SIMPLE"))),
                        "minutes": run.seconds / 60,
                    }
                )
    found = pd.DataFrame(rows)
    return found.sort_values(["task", "pooling", "seed", "precision"], ignore_index=True)


def spread(found: pd.DataFrame) -> pd.DataFrame:
    """How far accuracy moves with the seed, with the epoch and with the cells.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`table`.

    Returns
    -------
    pandas.DataFrame
        A row for each network. ``task, pooling, runs``; ``mean`` accuracy after epoch 25;
        ``by_seed``: standard deviation over runs (NaN for one); ``by_epoch``: standard deviation
        over the late epochs within a run, root mean square over runs; ``low, high``: the interval
        by cell.
    """
    rows = []
    for (task, pooling), runs in found.groupby(["task", "pooling"]):
        interval = comparison.estimate(comparison.compared(pooling, task))
        within = [np.std(late, ddof=1) for late in runs["late"]]
        rows.append(
            {
                "task": task,
                "pooling": pooling,
                "runs": len(runs),
                "mean": runs["accuracy"].mean(),
                "by_seed": runs["accuracy"].std(ddof=1),
                "by_epoch": float(np.sqrt(np.mean(np.square(within)))),
                "low": float(interval.low),
                "high": float(interval.high),
            }
        )
    return pd.DataFrame(rows)


def load_runs(found: pd.DataFrame) -> pd.DataFrame:
    """The runs, for a page."""
    late = [f"{min(x):.2f} to {max(x):.2f}, mean {np.mean(x):.2f}" for x in found["late"]]
    return pd.DataFrame(
        {
            "Classes": found["task"],
            "Pooling": found["pooling"].str.removesuffix("Pooling").str.lower(),
            "Seed": [tables.link(str(s), i) for s, i in found[["seed", "id"]].to_numpy()],
            "Precision": found["precision"],
            "Epoch 25": found["accuracy"],
            "Last ten epochs": late,
            "Epochs": found["epochs"],
            "TEST_SIMPLE": found["simple"],
            "Minutes": found["minutes"].round().astype(int),
        }
    )


def load_spread(spread: pd.DataFrame) -> pd.DataFrame:
    """What moves accuracy, for a page."""
    interval = [
        comparison.with_interval(*row) for row in spread[["mean", "low", "high"]].to_numpy()
    ]
    return pd.DataFrame(
        {
            "Classes": spread["task"],
            "Pooling": spread["pooling"].str.removesuffix("Pooling").str.lower(),
            "Runs": spread["runs"],
            "Mean (interval by cell)": interval,
            "SD over seeds": spread["by_seed"],
            "SD over late epochs": spread["by_epoch"],
        }
    )


def plot(found: pd.DataFrame, spread: pd.DataFrame) -> plt.Figure:
    """Each run's epoch 25 and its last ten epochs, before the interval by cell of their mean."""
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7, 3.2), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        for row in spread[spread["task"] == task].itertuples():
            place = POOLINGS.index(row.pooling)
            runs = found[(found["task"] == task) & (found["pooling"] == row.pooling)]
            axis.fill_between(
                [place - 0.4, place + 0.4], row.low, row.high,
                color=COLOURS[row.pooling], alpha=0.18, linewidth=0,
            )  # fmt: skip
            across = place + np.linspace(-0.3, 0.3, len(runs) + 2)[1:-1]
            for x, run in zip(across, runs.itertuples(), strict=True):
                axis.plot([x, x], [min(run.late), max(run.late)], color="0.35", linewidth=1.2)
                axis.plot(
                    x, run.accuracy, "o", markersize=6, color=COLOURS[row.pooling],
                    fillstyle="full" if run.precision == "float32" else "none",
                )  # fmt: skip
                axis.annotate(
                    str(run.seed), (x, min(run.late)), (0, -3), textcoords="offset points",
                    ha="center", va="top", fontsize=8, color="0.35",
                )  # fmt: skip
        axis.axhline(1 / len(TASKS[task]), linestyle=":", color="0.5")
        axis.set(title=f"{task} classes", xticks=range(len(POOLINGS)), xlim=(-0.5, 1.5))
        axis.set_xticklabels([p.removesuffix("Pooling").lower() + " pooling" for p in POOLINGS])
    axes[0].set(ylabel="accuracy on TEST", ylim=(0, 1))
    return figure
