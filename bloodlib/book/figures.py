"""The book's figures of numbers: ``compute_*`` gathers what a figure shows, ``plot_*`` draws it."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from scipy.signal import correlate2d

from bloodlib import study
from bloodlib.analyses.plots import (
    COLOURS,
    GALLERY_SIZE,
    in_rows,
    plot_intervals,
    plot_pictures,
    upright,
)
from bloodlib.data import images, registration, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.models.methods import NAMES
from bloodlib.paper import equations
from bloodlib.study import records


def plot_gallery(n: int = 4, seed: int = 0) -> plt.Figure:
    """Images of TRAIN, ``n`` of each class by chance; without images, synthetic cells."""
    rng = np.random.default_rng(seed)
    y_true, names = images.labels("TRAIN"), images.names("TRAIN")
    pictures = []
    for label in range(len(CLASSES)):
        if images.available():
            rows = rng.choice(np.flatnonzero(y_true == label), n, replace=False)
            pictures += [registration.view("TRAIN", names[row]) for row in rows]
        else:
            drawn = [synthetic.draw(label, rng, size=GALLERY_SIZE) for _ in range(n)]
            pictures += map(synthetic.stamp, drawn)
    return plot_pictures(pictures, np.repeat([name.capitalize() for name in CLASSES], n), n)


def plot_confusions(confusions: dict[str, np.ndarray]) -> plt.Figure:
    """Confusion matrices side by side, by their titles: true classes in rows, numbers of images.

    The shade is the fraction of the row.
    """
    n = len(confusions)
    figure, axes = plt.subplots(1, n, figsize=(0.5 + 3.7 * n, 3.6), squeeze=False)
    for axis, (title, confusion) in zip(axes[0], confusions.items(), strict=True):
        sns.heatmap(
            confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1), annot=confusion,
            fmt="d", vmin=0, vmax=1, cmap="Blues", cbar=False, square=True, linewidths=1, ax=axis,
        )  # fmt: skip
        _name_classes(axis, len(confusion), title)
        axis.tick_params(axis="x", rotation=30)
    return figure


def plot_counting(confusion: np.ndarray, task: str, positive: str) -> plt.Figure:
    """Where the four counts of section 4.4 lie in a confusion matrix, for one class."""
    k = TASKS[task].index(positive)
    kinds = np.full(confusion.shape, "TN")
    kinds[k], kinds[:, k], kinds[k, k] = "FN", "FP", "TP"
    _, codes = np.unique(kinds, return_inverse=True)  # FN, FP, TN, TP
    text = np.char.add(np.char.add(confusion.astype(str), "\n"), kinds)
    figure, axis = plt.subplots(figsize=(5.2, 3.8))
    sns.heatmap(
        codes.reshape(confusion.shape), cmap=["#E69F00", "#56B4E9", "#eeeeee", "#009E73"],
        annot=text, fmt="", annot_kws={"color": "black"}, cbar=False, linewidths=2, ax=axis,
    )  # fmt: skip
    _name_classes(axis, len(confusion), f"Counted for: {positive.capitalize()}")
    return figure


def _name_classes(axis, n, title):
    (names,) = (names for names in TASKS.values() if len(names) == n)
    shown = [name.capitalize() for name in names]
    axis.set(xlabel="predicted", ylabel="true", title=title, xticklabels=shown, yticklabels=shown)
    axis.tick_params(length=0, labelrotation=0)
    axis.grid(False)


def plot_beside(cells: pd.DataFrame, by: str) -> plt.Figure:
    """The paper's numbers (diamonds) beside ours (dots), with our 95 % CIs over cells (wide lines).

    A panel for each measure. Ticks: range of reruns, for networks; dotted: chance.

    Parameters
    ----------
    cells : pandas.DataFrame
        Of :func:`bloodlib.evidence.comparison.table_cells`.
    by : {"class", "task"}
        What the rows of a method are.
    """
    measures = cells["measure"].unique()
    height = 1.1 + 0.26 * len(cells) / len(measures)
    figure, axes = plt.subplots(1, len(measures), figsize=(7.2, height), sharey=True)
    for axis, measure in zip(axes, measures, strict=True):
        own = cells[cells["measure"] == measure].reset_index()
        networks = own[own["rerun_low"] < own["rerun_high"]]
        for end in ("rerun_low", "rerun_high"):
            axis.plot(networks[end], networks.index, "|", color="#111111", ms=7)
        chance = 1 / own["task"].map(TASKS).map(len)
        axis.vlines(chance, own.index - 0.5, own.index + 0.5, color="#888888", lw=1, ls=":")
        plot_intervals(
            axis, own.index, own["ours"], own["low"], own["high"],
            list(own["method"].map(COLOURS)), printed=own["paper"],
            label="ours" if axis is axes[0] else "",
        )  # fmt: skip
        axis.set(xlim=(0, 1.04), title=measure.capitalize() if measure != "f1" else "F1 score")
    in_rows(axes, own["method"] + ", " + own[by].str.lower())
    figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    return figure


def compute_curves(runs: list[records.Record]) -> pd.DataFrame:
    """Accuracy, average precision and loss after each epoch, on TRAIN and on TEST: means of runs.

    TRAIN is counted while the epoch ran, on augmented images and with dropout, as Keras does; TEST
    after it.

    Parameters
    ----------
    runs : list of bloodlib.study.records.Record
        Of one network, with other seeds; epochs that not all of them have are left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``epoch, images ("training" or "TEST"), accuracy, precision, loss``, and each
        of these with ``_low`` and ``_high``: the smallest and the largest of the runs, or for
        TEST of one run its 95 % CI over cells, without a number where there is none.
    """
    frames = []
    for run in runs:
        epochs = range(1, run.epochs + 1)
        for split, shown, loss in (
            ("TRAIN", "training", "loss"),
            ("TEST", "TEST", "val_loss"),
        ):
            found = _both(np.stack([run.confusion(split, epoch) for epoch in epochs]))
            named = {"accuracy": found[:, 0], "precision": found[:, 1], "loss": run.history[loss]}
            frames.append(pd.DataFrame({"epoch": epochs, "images": shown, **named}))
    every = pd.concat(frames).groupby(["images", "epoch"], sort=False)
    ends = [every.min().add_suffix("_low"), every.max().add_suffix("_high")]
    found = every.mean().join(ends)[every.size() == len(runs)].reset_index()
    if len(runs) == 1:
        columns = [f"{name}_{end}" for end in ("low", "high") for name in ("accuracy", "precision")]
        found[columns] = np.nan
        if comparison.on_test(runs):
            estimates = [comparison.estimate(runs, _both, epoch=epoch) for epoch in epochs]
            bounds = [np.concatenate([one.low, one.high]) for one in estimates]
            found.loc[found["images"] == "TEST", columns] = bounds
    return found


def _both(confusion):
    """Accuracy and average precision of confusion matrices: [..., 2]."""
    precision = scores.precision(confusion).mean(axis=-1)
    return np.stack([scores.accuracy(confusion), precision], axis=-1)


def plot_curves(
    curves: pd.DataFrame, measures: tuple[str, ...], mark: int | None = None
) -> plt.Figure:
    """Curves over epochs, training red and TEST blue as in the paper's Figure 7.

    The band round TEST is its 95 % CI over cells, where there is one, or the range of runs.

    Parameters
    ----------
    curves : pandas.DataFrame
        See :func:`compute_curves`.
    measures : tuple of str
        A panel for each of these columns.
    mark : int, optional
        An epoch to mark with a line.
    """
    figure, axes = plt.subplots(1, len(measures), figsize=(7.2, 3.2), squeeze=False)
    for axis, measure in zip(axes[0], measures, strict=True):
        for shown, colour in (("training", "#D1242F"), ("TEST", "#1F5FBF")):
            chosen = curves[curves["images"] == shown]
            axis.plot(chosen["epoch"], chosen[measure], color=colour, label=shown)
        ends = chosen[f"{measure}_low"], chosen[f"{measure}_high"]  # of TEST
        axis.fill_between(chosen["epoch"], *ends, color=colour, alpha=0.15, lw=0)
        if mark:
            axis.axvline(mark, color="#888888", lw=1, ls=":")
        axis.set(xlabel="epoch", title=measure.capitalize())
        if measure != "loss":
            axis.set_ylim(0, 1)
    axes[0, 0].legend(loc="best")
    return figure


def plot_averages(cells: list[dict], measure: str) -> plt.Figure:
    """Figures 4 to 6: averages by method, red two classes and blue four, the paper beside ours.

    Ours with 95 % CIs over cells: the thin lines.
    """
    methods = ["NB", "SVM", "DCLNN", "AveragePooling", "MaxPooling"]
    frame = pd.DataFrame(cells)
    frame = frame[(frame["class"] == "Average") & (frame["measure"] == measure)]
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    bars = [("two", "paper"), ("two", "ours"), ("four", "paper"), ("four", "ours")]
    colours = {"two": "#D1242F", "four": "#1F5FBF"}
    for place, (task, source) in enumerate(bars):
        chosen = frame[frame["task"] == task].set_index("method").reindex(methods)
        value, low, high = chosen[[source, "low", "high"]].astype(float).to_numpy().T
        x = np.arange(len(methods)) + (place - 1.5) * 0.2
        face = "white" if source == "paper" else colours[task]
        style = {"facecolor": face, "edgecolor": colours[task]}
        drawn = axis.bar(x, value, 0.19, label=f"{task} classes, {source}", **style)
        axis.bar_label(drawn, fmt="%.2f", fontsize=7, padding=1)
        if source == "ours":
            ends = [value - low, high - value]
            axis.errorbar(x, value, ends, fmt="none", elinewidth=1.4, ecolor="#111111")
    axis.set_xticks(range(len(methods)), methods)
    axis.set(ylim=(0, 1.16), ylabel=f"average {'F1 score' if measure == 'f1' else measure}")
    axis.legend(ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    return figure


def draw_finding(path: Path) -> None:
    """Write README's picture to a path: average recall, the paper beside ours, as SVG."""
    drawn = io.BytesIO()
    with plt.style.context("bloodlib.book.book"):
        figure = plot_averages(comparison.table_cells(), "recall")
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
    stored.write_atomically(path, drawn.getvalue())


def plot_mistakes(run: records.Record, n: int = 8) -> plt.Figure:
    """The ``n`` images of TEST that a run is most sure of and wrong about, as the method saw them.

    Titles say what they are, what they were taken for, and the probability. Tiles with a name
    where the images can't be had.
    """
    classes = [name.capitalize() for name in TASKS[run.config["task"]]]
    y_true, y_pred = run.arrays["truth"], run.arrays["labels"][-1]
    wrong = np.flatnonzero(y_pred != y_true)
    sure = run.arrays["probabilities"].astype(float)[wrong, y_pred[wrong]]
    order = np.argsort(-sure, kind="stable")[:n]
    rows = wrong[order]
    seen = {key: study.resolve(run.config)[key] for key in study.DATA}
    if seen == {key: study.COMMON[key] for key in study.DATA}:
        names = [images.names("TEST")[row] for row in rows]
        if images.available():
            pictures = [images.resize(registration.view("TEST", name)) for name in names]
        else:
            pictures = [name.split("/")[-1] for name in names]
    elif seen["images"] == "drawn" or images.available():
        pictures = study.load(*seen.values()).pixels["TEST"][rows]
    else:
        pictures = [f"number {row}" for row in rows]
    titles = [
        f"{classes[y_true[row]]}\ntaken for {classes[y_pred[row]].lower()}, {probability:.2f}"
        for row, probability in zip(rows, sure[order], strict=True)
    ]
    return plot_pictures(pictures, titles)


def plot_possible_accuracy(possible: pd.DataFrame) -> plt.Figure:
    """Accuracies that the print allows: a row of panels a task, baselines left, networks right.

    All panels have the same scale. Filled: the printed numbers were rounded; hollow: cut. The grey
    band is what rounds to the paper's percentage.

    Parameters
    ----------
    possible : pandas.DataFrame
        See :func:`bloodlib.paper.arithmetic.compute_blocks`.
    """
    names = possible["method"].replace(NAMES) + ", " + possible["split"]
    baseline = possible["method"].isin(["NB", "SVM"])
    panels = [(task, kind) for task in possible["task"].unique() for kind in (True, False)]
    figure, axes = plt.subplots(len(panels) // 2, 2, figsize=(7.2, 4.4), squeeze=False)
    for axis, (task, kind) in zip(axes.flat, panels, strict=True):
        own = possible[(possible["task"] == task) & (baseline == kind)].assign(name=names)
        rows, known = own["name"].unique().tolist(), own.dropna(subset=["low"])
        colours = known["method"].map(COLOURS)
        axis.barh(
            known["name"].map(rows.index), known["high"] - known["low"], 0.5, left=known["low"],
            edgecolor=colours, color=colours.where(known["convention"] == "rounded", "none"),
        )  # fmt: skip
        for name in set(rows) - set(known["name"]):
            place, across = (0.98, rows.index(name)), axis.get_yaxis_transform()
            axis.text(*place, "impossible", ha="right", va="center", fontsize=7, transform=across)
        axis.set_yticks(range(len(rows)), rows)
        axis.tick_params(labelsize=7)
        axis.set(ylim=(len(rows) - 0.4, -0.7), title=f"{task} classes", xlabel="accuracy")
        if not kind:
            axis.axvspan(*own[["claim_low", "claim_high"]].iloc[0], color="#e4e4e4", lw=0, zorder=0)
        upright(axis)
    width = 1.1 * max(np.ptp(axis.get_xlim()) for axis in axes.flat)
    for axis in axes.flat:
        axis.set_xlim(np.mean(axis.get_xlim()) + np.array([-0.5, 0.5]) * width)
    return figure


# ---------------------------------------------- convolution, pooling and the network, drawn

#: Of a network's layers; grey without one.
_KINDS = {"Conv2D": "#56B4E9", "Dense": "#6CCBA9"}
_KINDS |= dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), "#F0B440")


def plot_matrices(matrices: dict[str, np.ndarray], colours: list) -> plt.Figure:
    """Matrices side by side, by their titles; each has one colour, or one for each number."""
    widths = [values.shape[1] for values in matrices.values()]
    figure, axes = plt.subplots(1, len(matrices), figsize=(7, 3.1), width_ratios=widths)
    for axis, (title, values), colour in zip(axes, matrices.items(), colours, strict=True):
        _squares(axis, values, colour, 15)
        axis.set_title(title, fontsize=14)
    return figure


def plot_kernels(grey: np.ndarray) -> plt.Figure:
    """Each kernel in yellow with its map of a synthetic cell; edges by their absolute value."""
    figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.4), width_ratios=(1, 2.3, 1, 2.3))
    for pair, (name, kernel) in zip(axes.reshape(4, 2), equations.KERNELS.items(), strict=True):
        _squares(pair[0], kernel, "khaki", 11)
        feature = correlate2d(grey, kernel, mode="valid")
        shown = np.abs(feature) if name == "Edges" else feature
        picture = np.kron(shown.clip(0, 255).astype(np.uint8), np.ones((4, 4), np.uint8))
        pair[1].imshow(synthetic.stamp(np.dstack([picture] * 3)))
        pair[1].set_axis_off()
        pair[1].set_title(name, fontsize=13)
    return figure


def plot_network(layers: pd.DataFrame) -> plt.Figure:
    """Figure 3: stacks of maps and columns of nodes, in two rows.

    ``layers`` has rows of ``Layer, Kind, Output`` (such as 28×38×64) and ``Parameters``.
    """
    columns = -(-len(layers) // 2)
    figure, axis = plt.subplots(figsize=(1.3 * columns, 4.4))
    for i, layer in enumerate(layers.itertuples()):
        across, down = i % columns + 0.5, 1.6 * (i // columns)
        height, *rest = (int(n.replace(",", "")) for n in layer.Output.split("×"))
        if rest:
            sheets = max(2, round(np.log2(rest[1])))
            wide, high = 0.56 * rest[0] / 80, 0.37 * height / 60
        else:
            sheets, wide, high = 1, 0.12, 0.13 * np.log10(height) + 0.03
        style = {"fc": _KINDS.get(layer.Kind, "#dddddd"), "ec": "#333333", "lw": 0.8}
        for sheet in reversed(range(sheets)):
            shift = 0.035 * (sheet - (sheets - 1) / 2)
            place = across - wide / 2 + shift, down - high / 2 - shift
            axis.add_patch(plt.Rectangle(place, wide, high, **style))
        axis.text(across, down + 0.48, layer.Layer, ha="center", fontsize=14, fontweight="bold")
        below = f"{layer.Output}\n{layer.Parameters:,}"
        axis.text(across, down + 0.53, below, ha="center", va="top", fontsize=14)
        if i % columns:
            arrow = {"arrowstyle": "->", "lw": 1.2}
            axis.annotate("", (across - 0.38, down), (across - 0.62, down), arrowprops=arrow)
    axis.set(xlim=(0, columns), ylim=(2.62, -0.4))
    axis.set_axis_off()
    return figure


def _squares(axis, values, colours, fontsize):
    """Draw a matrix of numbers as squares, of one colour or of one each."""
    names, codes = np.unique(np.broadcast_to(colours, values.shape), return_inverse=True)
    text = [["1/9" if value == 1 / 9 else f"{value:g}" for value in row] for row in values]
    sns.heatmap(
        codes.reshape(values.shape), cmap=ListedColormap(names), annot=np.array(text), fmt="",
        annot_kws={"fontsize": fontsize, "color": "#222222"}, square=True, cbar=False,
        linewidths=1.5, linecolor="white", xticklabels=[], yticklabels=[], ax=axis,
    )  # fmt: skip
    axis.tick_params(length=0)
    axis.grid(False)
