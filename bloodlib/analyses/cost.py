"""What everything costs: what chapter 15 shows. ``load_*`` gathers, ``plot_*`` draws.

What is measured side by side comes from ``results/bench.json`` (``bench``), what the
study took from its records.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses import bench
from bloodlib.study import records

OURS, PEER, TARGET = "#0072B2", "#999999", "#D55E00"
#: The parts of a training step, in the order in which they are drawn.
PARTS = {
    "convolution 1": "#56B4E9",
    "convolution 1, weights": "#9AD3F2",
    "convolution 2": "#0072B2",
    "convolution 2, maps": "#3B93C7",
    "convolution 2, weights": "#77B7DC",
    "pooling and ReLU": "#E69F00",
    "dropout": "#CC79A7",
    "hidden layer": "#009E73",
    "Adadelta": "#D55E00",
}


def load_ratios() -> pd.DataFrame:
    """How many times better ours is than the best peer.

    Returns
    -------
    pandas.DataFrame
        A row for each frozen row that has a ratio: ``row, work, ratio, low, high, best, target,
        met``; ``low`` and ``high`` are the least and the greatest ratio of a round.
    """
    found = []
    for row in bench.read()["rows"]:
        if row["ratio"] is not None:
            ours, best = (np.array(row["rounds"][row[name]]) for name in ("ours_is", "best"))
            each = ours / best if row["unit"].endswith("/s") else best / ours
            kept = {name: row[name] for name in ("row", "work", "ratio", "best", "target", "met")}
            found.append(kept | {"low": each.min(), "high": each.max()})
    return pd.DataFrame(found)


def plot_ratios(ratios: pd.DataFrame) -> plt.Figure:
    """Bars of ratios on a logarithmic scale, rounds as thin lines, targets as ticks.

    Parameters
    ----------
    ratios : pandas.DataFrame
        See :func:`load_ratios`.
    """
    ratios = ratios.astype({"target": float})  # None, where there is none
    figure, axis = plt.subplots(figsize=(7.2, 1.0 + 0.42 * len(ratios)))
    for y, row in enumerate(ratios.itertuples()):
        axis.barh(y, row.ratio - 1, left=1, height=0.55, color=OURS, alpha=0.85)
        axis.plot([row.low, row.high], [y, y], color="#111111", lw=1.2)
        axis.annotate(
            f"{row.ratio:.3g}", (np.nanmax([row.ratio, row.high, row.target, 1]), y), (5, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    marks = ratios["target"], range(len(ratios))
    axis.plot(*marks, "|", ms=15, mew=2, color=TARGET, label="aimed at")
    axis.axvline(1, color="#222222", lw=1)
    axis.set_xscale("log")
    axis.set_xlim(right=2 * np.nanmax([*ratios["high"], *ratios["target"], 1]))
    names = zip(ratios["work"], ratios["best"], strict=True)
    axis.set_yticks(range(len(ratios)), [f"{work}\n{best}" for work, best in names], fontsize=8)
    axis.set_ylim(len(ratios) - 0.4, -0.6)
    axis.set_xlabel("times as good; more is better")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(True, axis="x")
    axis.grid(False, axis="y")
    figure.legend(loc="outside upper right", fontsize=8)
    return figure


def load_speeds(name: str) -> pd.DataFrame:
    """All that was measured in a row, the best first, for a page."""
    row = bench.row(name)
    more, ours, median = row["unit"].endswith("/s"), _ours(row), f"Median ({row['unit']})"
    values, found = ours | row["peers"], []
    worst = -np.inf if more else np.inf
    order = {label: worst if value is None else value for label, value in values.items()}
    for label in sorted(values, key=order.get, reverse=more):
        value, rounds = values[label], row["rounds"].get(label)
        one = {"": f"ours, {label}" if label in ours else label}
        if value is None:
            one |= {"Ours against it": "–", median: "not measured"}
        else:
            times = row["ours"] / value if more else value / row["ours"]
            one |= {"Ours against it": f"{times:.2f} times", median: f"{value:.4g}"}
        one["Rounds"] = f"{min(rounds):.4g} to {max(rounds):.4g}" if rounds else "–"
        found.append(one)
    return pd.DataFrame(found)


def load_targets() -> pd.DataFrame:
    """Every target: what was aimed at and what came out, ``met`` or not, for a page."""
    found = []
    for row in bench.read()["rows"]:
        if row["target"] is None:
            continue
        if row["ratio"] is None:
            target = f"at most {row['target']:g} {row['unit']}"
            measured = f"{row['ours']:.3g} {row['unit']}"
        else:
            target = f"{row['target']:g} times {row['best']}"
            measured = f"{row['ratio']:.3g} times"
        met = "yes" if row["met"] else "no"
        found.append({"Work": row["work"], "Target": target, "Measured": measured, "Met": met})
    return pd.DataFrame(found)


def load_agreement() -> pd.DataFrame:
    """What was compared beside each speed, and how far answers were apart, for a page."""
    found = []
    for row in bench.read()["rows"]:
        if correct := row["correct"]:
            apart = correct.get("apart") or {}
            worst = max(apart, key=apart.get, default=None)
            found.append(
                {
                    "Work": row["work"],
                    "Compared": correct["what"],
                    "Furthest apart": f"{apart[worst]:g} ({worst})"
                    if worst and apart[worst]
                    else "0"
                    if apart
                    else ", ".join(f"{v:.0%} inside ({k})" for k, v in correct["inside"].items()),
                    "Agree": "yes" if correct["agree"] else "no",
                }
            )
    return pd.DataFrame(found)


# -------------------------------------------------------------------------------- a training step


def load_parts() -> pd.DataFrame:
    """Where the time of a training step goes.

    Returns
    -------
    pandas.DataFrame
        Milliseconds: a row for stock Keras and for ours in each precision, a column for each of
        :data:`PARTS` measured alone, and ``whole``, the step as it runs, and ``augmentation``,
        which runs beside it.
    """
    row = bench.row("steps")
    ours, found = _ours(row), {}
    values = ours | row["peers"]
    for label in ("Keras float32", "float32", "Keras mixed_bfloat16", "mixed_bfloat16"):
        if told := row["details"].get(label):
            more = {"whole": values[label], "augmentation": told["augmentation"]}
            found[f"ours {label}" if label in ours else label] = told["parts"] | more
    return pd.DataFrame(found).T[[*PARTS, "whole", "augmentation"]]


def plot_parts(parts: pd.DataFrame) -> plt.Figure:
    """Stacked bars of the parts of a step; the line across is the step as it runs.

    Parameters
    ----------
    parts : pandas.DataFrame
        See :func:`load_parts`.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    left = np.zeros(len(parts))
    for part, colour in PARTS.items():
        axis.barh(range(len(parts)), parts[part], left=left, height=0.6, color=colour, label=part)
        left += parts[part].to_numpy()
    for y, whole in enumerate(parts["whole"]):
        axis.plot([whole, whole], [y - 0.4, y + 0.4], color="#111111", lw=2)
    axis.set_yticks(range(len(parts)), parts.index)
    axis.set_ylim(len(parts) - 0.5, -0.5)
    axis.set_xlabel("milliseconds, for 32 images")
    axis.grid(True, axis="x")
    axis.grid(False, axis="y")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    return figure


# ------------------------------------------------------------------------------- how costs grow


def load_growth(name: str) -> pd.DataFrame:
    """Cost by size: ``label``, ``x``, ``seconds`` of an image or of a fit, ``peak_gb``.

    Parameters
    ----------
    name : {"size-growth", "hidden-growth", "svm-growth"}
        ``x`` is pixels, nodes or images.
    """
    row = bench.row(name)
    values, per_image = _ours(row), row["unit"].endswith("/s")
    return pd.DataFrame(
        [
            {
                "label": label,
                "x": int(np.prod([int(side) for side in label.split(" × ")])),
                "seconds": 1 / values[label] if per_image else values[label],
                "peak_gb": row["peak_gb"][label],
            }
            for label in row["rounds"]
        ]
    ).sort_values("x", ignore_index=True)


def slope(growth: pd.DataFrame) -> float:
    """The power of ``x`` with which seconds grow: slope of a straight line through logarithms."""
    return float(np.polyfit(np.log(growth["x"]), np.log(growth["seconds"]), 1)[0])


def plot_growth(size: pd.DataFrame, hidden: pd.DataFrame, svm: pd.DataFrame) -> plt.Figure:
    """Costs over sizes, both on logarithmic scales; memory below.

    Parameters
    ----------
    size, hidden, svm : pandas.DataFrame
        See :func:`load_growth`.
    """
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 4.6), sharex="col")
    panels = (
        (size, "training by image size", "ms an image", 1e3),
        (hidden, "training by hidden nodes", "ms an image", 1e3),
        (svm, "SVM by images", "s", 1),
    )
    for column, (growth, title, unit, times) in zip(axes.T, panels, strict=True):
        column[0].plot(growth["x"], times * growth["seconds"], "o-", ms=4, color=OURS)
        column[0].set(xscale="log", yscale="log", ylabel=unit)
        column[0].set_title(title, fontsize=9)
        column[1].plot(growth["x"], growth["peak_gb"].astype(float), "o-", ms=4, color=TARGET)
        column[1].set(ylim=(0, None), ylabel="GB at most")
        column[1].set_xticks(growth["x"], growth["label"], rotation=45, fontsize=8)
        column[1].minorticks_off()
        column[0].yaxis.set_major_formatter("{x:g}")
        column[0].yaxis.set_minor_formatter(
            "{x:g}" if np.ptp(np.log10(growth["seconds"])) < 1 else ""
        )
    return figure


# ------------------------------------------------------------------------------------ the study


def load_study() -> pd.DataFrame:
    """What the frozen runs took.

    Returns
    -------
    pandas.DataFrame
        A row for each method and device, the dearest first, and one for all together: ``Method``,
        ``On``, ``Runs``, ``Hours`` on that device, ``Longest``, minutes.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for run in records.read_all():
        device = run.environment["device"].replace("processor", run.environment["processor"])
        found.setdefault((run.config["method"], device), []).append(run.seconds)
    found = dict(sorted(found.items(), key=lambda item: -sum(item[1])))
    every = [seconds for each in found.values() for seconds in each]
    return pd.DataFrame(
        [
            {
                "Method": method,
                "On": device,
                "Runs": len(seconds),
                "Hours": f"{sum(seconds) / 3600:.2f}",
                "Longest (minutes)": f"{max(seconds) / 60:.1f}",
            }
            for (method, device), seconds in {**found, ("all", ""): every}.items()
        ]
    )


# ---------------------------------------------------------------------------------- loss curves


def load_losses() -> pd.DataFrame:
    """Training loss of each tenth of an epoch: ``epoch, loss, run, stock``."""
    row = bench.row("loss-curves")
    return pd.DataFrame(
        [
            {"epoch": (k + 1) / 10, "loss": loss, "run": label, "stock": label in row["peers"]}
            for label, told in row["details"].items()
            for k, loss in enumerate(told["losses"])
        ]
    )


def plot_losses(losses: pd.DataFrame) -> plt.Figure:
    """Loss curves: stock Keras in grey, one line a seed, ours in colour.

    Parameters
    ----------
    losses : pandas.DataFrame
        See :func:`load_losses`.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    colours = {"float32": OURS, "mixed_bfloat16": TARGET}
    labelled = False
    for run, curve in losses.groupby("run", sort=False):
        stock = curve["stock"].iloc[0]
        label = (None if labelled else "stock Keras, five seeds") if stock else f"ours, {run}"
        labelled |= stock
        axis.plot(
            curve["epoch"], curve["loss"], label=label, lw=1 if stock else 1.8,
            color=PEER if stock else colours[run], zorder=1 if stock else 2,
        )  # fmt: skip
    axis.set(xlabel="epoch", ylabel="training loss", yscale="log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.legend(fontsize=8)
    return figure


def _ours(row):
    """What our own scripts gave in a row, by their labels."""
    return {row["ours_is"]: row["ours"], **row["also"]}
