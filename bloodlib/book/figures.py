"""The book's figures, in pairs: ``load_*`` gathers what a figure shows, ``plot_*`` draws it."""

import io
from importlib import resources
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap

from bloodlib import study
from bloodlib.analyses.plots import COLOURS, GALLERY_SIZE, bare, in_rows, plot_intervals, upright
from bloodlib.data import images, paths, synthetic
from bloodlib.data.images import CLASSES, SPLITS, TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.study import records


def load_gallery(n: int = 4, seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Some images of TRAIN by class, or drawn cells, which say so, where there are no images.

    Parameters
    ----------
    n : int
        How many of each class.
    seed : int
        Which ones.

    Returns
    -------
    dict of str to list of uint8 array [240, 320, 3]
    """
    rng = np.random.default_rng(seed)
    if not images.available():
        return {
            name: [synthetic.stamp(synthetic.draw(label, rng, size=GALLERY_SIZE)) for _ in range(n)]
            for label, name in enumerate(CLASSES)
        }
    labels, names = images.labels("TRAIN"), images.names("TRAIN")
    chosen = {
        name: rng.choice(np.flatnonzero(labels == label), n, replace=False)
        for label, name in enumerate(CLASSES)
    }
    return {
        name: [images.picture("TRAIN", names[row]) for row in rows] for name, rows in chosen.items()
    }


def plot_gallery(pictures: dict[str, list[np.ndarray]]) -> plt.Figure:
    """One row of pictures for each class."""
    n = len(next(iter(pictures.values())))
    figure, axes = plt.subplots(len(pictures), n, figsize=(7, 1.45 * len(pictures)), squeeze=False)
    for row, (name, found) in zip(axes, pictures.items(), strict=True):
        for axis, picture in zip(row, found, strict=True):
            axis.imshow(picture)
            bare(axis)
        row[0].set_ylabel(name.capitalize(), color=COLOURS[name], fontweight="bold")
    return figure


def compute_counts() -> pd.DataFrame:
    """Images by split and class: columns ``class``, ``split``, ``images``."""
    counted = pd.DataFrame(images.counts()).rename_axis("class").reset_index()
    return counted.melt("class", var_name="split", value_name="images")


def plot_counts(counts: pd.DataFrame) -> plt.Figure:
    """Bars of the number of images, a panel for each split with a scale of its own."""
    figure, axes = plt.subplots(1, len(SPLITS), figsize=(7, 2.8))
    for axis, split in zip(axes, SPLITS, strict=True):
        chosen = counts[counts["split"] == split]
        names = [f"{name[:4].capitalize()}." for name in chosen["class"]]
        bars = axis.bar(names, chosen["images"], color=chosen["class"].map(COLOURS))
        axis.bar_label(bars, padding=2, fontsize=9)
        axis.set_title(f"{split}: {chosen['images'].sum():,}")
        axis.margins(y=0.12)
    axes[0].set_ylabel("images")
    return figure


def plot_confusion(confusion: np.ndarray, task: str, title: str = "", axis=None) -> plt.Axes:
    """A confusion matrix: true classes in rows, shade by share of the row, numbers of images."""
    axis = axis or plt.subplots(figsize=(4.2, 3.4))[1]
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    names = [name.capitalize() for name in TASKS[task]]
    sns.heatmap(
        share, annot=confusion, fmt="d", vmin=0, vmax=1, cmap="Blues", cbar=False, square=True,
        xticklabels=names, yticklabels=names, linewidths=1, ax=axis,
    )  # fmt: skip
    axis.set(xlabel="predicted", ylabel="true", title=title)
    axis.tick_params(axis="x", rotation=30)
    axis.tick_params(axis="y", rotation=0)
    axis.grid(False)
    return axis


def plot_confusions(confusions: dict[str, np.ndarray], task: str) -> plt.Figure:
    """Confusion matrices side by side, by their titles."""
    figure, axes = plt.subplots(
        1, len(confusions), figsize=(3.7 * len(confusions), 3.6), squeeze=False
    )
    for axis, (title, confusion) in zip(axes[0], confusions.items(), strict=True):
        plot_confusion(confusion, task, title, axis)
    return figure


def select_cells(cells: list[dict], table: int, task: str, methods: list[str]) -> pd.DataFrame:
    """The cells of some methods in a table, as columns for plotting."""
    found = pd.DataFrame(cells)
    found = found[(found["table"] == table) & (found["task"] == task)]
    # None too, where there is no run yet, or no interval
    numbers = dict.fromkeys(("ours", "low", "high"), float)
    return found[found["method"].isin(methods)].astype(numbers)


def plot_beside(cells: pd.DataFrame) -> plt.Figure:
    """The paper's numbers (hollow) beside ours (filled), with our intervals by cell (wide lines).

    A panel for each measure, a line for each method and class; dotted: guessing.
    """
    measures = list(dict.fromkeys(cells["measure"]))
    rows = list(dict.fromkeys(zip(cells["method"], cells["class"], strict=True)))
    chance = 1 / len(TASKS[cells["task"].iloc[0]])
    figure, axes = plt.subplots(
        1, len(measures), figsize=(7.2, 1.1 + 0.26 * len(rows)), sharey=True, squeeze=False
    )
    for axis, measure in zip(axes[0], measures, strict=True):
        chosen = cells[cells["measure"] == measure].set_index(["method", "class"]).loc[rows]
        plot_intervals(
            axis, range(len(rows)), chosen["ours"], chosen["low"], chosen["high"],
            [COLOURS[method] for method, _ in rows], printed=chosen["paper"],
            label="ours" if axis is axes[0, 0] else "",
        )  # fmt: skip
        axis.axvline(chance, color="#888888", lw=1, ls=":")
        axis.set(xlim=(0, 1.04), title=measure.capitalize() if measure != "f1" else "F1 score")
    in_rows(axes[0], [f"{method}  {name.capitalize()}" for method, name in rows])
    figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    return figure


def plot_counting(confusion: np.ndarray, task: str, positive: str) -> plt.Figure:
    """Where the four counts of section 4.4 lie in a confusion matrix, for one class."""
    k = TASKS[task].index(positive)
    kinds = np.full(confusion.shape, "TN")
    kinds[k], kinds[:, k], kinds[k, k] = "FN", "FP", "TP"
    colours = {"TP": "#009E73", "FN": "#E69F00", "FP": "#56B4E9", "TN": "#eeeeee"}
    figure, axis = plt.subplots(figsize=(5.2, 3.8))
    names = [name.capitalize() for name in TASKS[task]]
    sns.heatmap(
        np.vectorize(list(colours).index)(kinds), cmap=ListedColormap(colours.values()), vmax=3,
        annot=np.char.add(np.char.add(confusion.astype(str), "\n"), kinds), fmt="", cbar=False,
        annot_kws={"color": "black"}, xticklabels=names, yticklabels=names, linewidths=2, ax=axis,
    )  # fmt: skip
    axis.set(xlabel="predicted", ylabel="true")
    axis.tick_params(length=0, labelrotation=0)
    axis.set_title(
        f"{names[k]}: precision {scores.precision(confusion)[k]:.2f}, "
        f"recall {scores.recall(confusion)[k]:.2f}"
    )
    return figure


def compute_curves(record) -> pd.DataFrame:
    """Accuracy, average precision and loss after each epoch, on TRAIN and on TEST.

    Parameters
    ----------
    record : bloodlib.study.records.Record
        Of a network. TRAIN is counted while the epoch ran, on augmented images and with
        dropout, as Keras does; TEST after it.

    Returns
    -------
    pandas.DataFrame
        Columns ``epoch, images ("training" or "validation"), accuracy, precision, loss``, and
        ``accuracy_low, accuracy_high, precision_low, precision_high``, the intervals by cell of
        validation, without a number where it was not on the published TEST.
    """
    found = _curves(record)
    columns = [f"{name}_{end}" for name in ("accuracy", "precision") for end in ("low", "high")]
    found[columns] = np.nan
    if comparison.on_test([record]):
        epochs = range(1, record.epochs + 1)
        ends = [comparison.estimate([record], _both, epoch=epoch)[1:] for epoch in epochs]
        tested = found["images"] == "validation"
        found.loc[tested, columns] = np.moveaxis(ends, 1, 2).reshape(len(epochs), -1)
    return found


def _curves(record):
    epochs = range(1, record.epochs + 1)
    frames = []
    for split, shown, loss in (("TRAIN", "training", "loss"), ("TEST", "validation", "val_loss")):
        found = _both(np.stack([record.confusion(split, epoch) for epoch in epochs]))
        named = {"accuracy": found[:, 0], "precision": found[:, 1], "loss": record.history[loss]}
        frames.append(pd.DataFrame({"epoch": epochs, "images": shown, **named}))
    return pd.concat(frames, ignore_index=True)


def _both(confusion):
    """Accuracy and average precision of confusion matrices: [..., 2]."""
    return np.stack(
        [scores.accuracy(confusion), scores.precision(confusion).mean(axis=-1)], axis=-1
    )


def compute_mean_curves(runs: list[records.Record]) -> pd.DataFrame:
    """The mean of several runs' :func:`compute_curves`, for intervals their smallest and largest.

    Parameters
    ----------
    runs : list of bloodlib.study.records.Record
        Of one network, with other seeds; epochs that not all of them have are left out.
    """
    names = ["accuracy", "precision", "loss"]
    every = pd.concat(map(_curves, runs)).groupby(["images", "epoch"])[names]
    low, high = every.min().add_suffix("_low"), every.max().add_suffix("_high")
    found = every.mean().join([low, high])[every.size() == len(runs)]
    return found.reset_index()


def plot_curves(
    curves: pd.DataFrame, measures: tuple[str, ...], mark: int | None = None
) -> plt.Figure:
    """Curves over epochs, training red and validation blue as in the paper's Figure 7.

    The band round validation is its interval by cell, where there is one, or the range of runs.

    Parameters
    ----------
    curves : pandas.DataFrame
        See :func:`compute_curves` and :func:`compute_mean_curves`.
    measures : tuple of str
        A panel for each of these columns.
    mark : int, optional
        An epoch to mark with a line.
    """
    figure, axes = plt.subplots(1, len(measures), figsize=(7.2, 3.2), squeeze=False)
    for axis, measure in zip(axes[0], measures, strict=True):
        for shown, colour in (("training", "#D1242F"), ("validation", "#1F5FBF")):
            chosen = curves[curves["images"] == shown]
            axis.plot(chosen["epoch"], chosen[measure], color=colour, label=shown)
            if shown == "validation" and f"{measure}_low" in chosen:
                ends = chosen[f"{measure}_low"], chosen[f"{measure}_high"]
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

    Ours with intervals by cell: the thin lines.
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
    """Write README's picture: average recall by method, the paper beside ours, as SVG.

    Parameters
    ----------
    path : pathlib.Path
        Where to.
    """
    drawn = io.BytesIO()
    with plt.style.context(str(resources.files("bloodlib.book").joinpath("book.mplstyle"))):
        figure = plot_averages(comparison.cells(), "recall")
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
    paths.write_atomically(path, drawn.getvalue())


def load_mistakes(record, n: int = 8) -> list[dict]:
    """The images of TEST that a run is most sure of and wrong about.

    Parameters
    ----------
    record : bloodlib.study.records.Record
    n : int
        How many.

    Returns
    -------
    list of dict
        ``pixels`` as the method saw them (None where the images can't be had), ``name``,
        ``true``, ``predicted``, ``probability``.
    """
    arrays, names = record.arrays, TASKS[record.config["task"]]
    wrong = np.flatnonzero(arrays["labels"][-1] != arrays["truth"])
    chances = arrays["probabilities"].astype(float)
    worst = wrong[np.argsort(-chances[wrong, arrays["labels"][-1][wrong]], kind="stable")[:n]]
    seen = {key: study.resolve(record.config)[key] for key in study.DATA}
    whole = seen == {key: study.COMMON[key] for key in study.DATA}
    pixels = None
    if seen["images"] == "drawn" or images.available():
        pixels = study.load(*seen.values()).pixels["TEST"]
    return [
        {
            "pixels": None if pixels is None else pixels[row],
            "name": images.names("TEST")[row] if whole else f"number {row}",
            "true": names[arrays["truth"][row]],
            "predicted": names[arrays["labels"][-1][row]],
            "probability": chances[row, arrays["labels"][-1][row]],
        }
        for row in worst
    ]


def plot_mistakes(mistakes: list[dict]) -> plt.Figure:
    """Pictures with what they are and what they were taken for; a tile with a name without one."""
    columns = 4
    rows = max(1, -(-len(mistakes) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(7.2, 1.75 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_facecolor("#eeeeee")
        bare(axis)
    for axis, found in zip(axes.flat, mistakes, strict=False):
        if found["pixels"] is None:
            axis.text(0.5, 0.5, found["name"].split("/")[-1], ha="center", fontsize=7)
        else:
            axis.imshow(found["pixels"])
        axis.set_title(
            f"{found['true'].capitalize()}\ntaken for {found['predicted'].lower()}, "
            f"{found['probability']:.2f}",
            fontsize=7,
            fontweight="normal",
        )
    return figure


def plot_possible_accuracy(possible: pd.DataFrame) -> plt.Figure:
    """Accuracies that the print allows: a row of panels a task, baselines left, networks right.

    All panels have the same scale. Filled: the printed numbers were rounded; hollow: cut. The grey
    band is what rounds to the paper's percentage.

    Parameters
    ----------
    possible : pandas.DataFrame
        See :func:`bloodlib.paper.arithmetic.compute_blocks`.
    """
    baseline = possible["method"].isin(["NB", "SVM"])
    tasks = list(dict.fromkeys(possible["task"]))
    figure, axes = plt.subplots(len(tasks), 2, figsize=(7.2, 4.4), squeeze=False)
    for task, row in zip(tasks, axes, strict=True):
        for axis, chosen in zip(row, (baseline, ~baseline), strict=True):
            found = possible[(possible["task"] == task) & chosen]
            _draw_spans(axis, found)
            axis.set(title=f"{task} classes", xlim=(found["low"].min(), found["high"].max()))
        low, high = found[["claim_low", "claim_high"]].iloc[0]
        axis.axvspan(low, high, color="#e4e4e4", lw=0, zorder=0)
        middle = (low + high) / 2
        axis.text(middle, -0.8, f"{middle:.0%}", ha="center", va="center", fontsize=8)
        axis.set_xlim(min(low, found["low"].min()), max(high, found["high"].max()))
    width = 1.3 * max(np.diff(axis.get_xlim())[0] for axis in axes.flat)
    for axis in axes.flat:
        centre = np.mean(axis.get_xlim())
        axis.set_xlim(centre - width / 2, centre + width / 2)
    for axis in axes[-1]:
        axis.set_xlabel("accuracy")
    return figure


def _draw_spans(axis, possible):
    """The spans of some methods on some splits, or the word that there is none."""
    rows = possible.groupby(["method", "split"], sort=False)
    for y, ((method, _), own) in enumerate(rows):
        for one in own.dropna().itertuples():
            filled = one.convention == "rounded"
            axis.barh(
                y, one.high - one.low, 0.5, left=one.low, edgecolor=COLOURS[method],
                facecolor=COLOURS[method] if filled else "none", lw=0 if filled else 1.2,
            )  # fmt: skip
        if own["low"].isna().all():
            axis.text(
                0.98, y, "impossible", ha="right", va="center", fontsize=7, color="#777777",
                transform=axis.get_yaxis_transform(),
            )  # fmt: skip
    axis.set_yticks(range(len(rows)), [", ".join(name) for name in rows.groups])
    axis.tick_params(labelsize=7)
    axis.set_ylim(len(rows) - 0.4, -1.3)
    upright(axis)


def plot_splits(found: pd.DataFrame, shown: dict[str, str], chance: float) -> plt.Figure:
    """Accuracy of each method under each split: dots are runs, wide lines intervals by cell.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`bloodlib.analyses.leakage.compute_splits`.
    shown : dict of str to str
        The splits in words.
    chance : float
        What guessing scores; dotted.
    """
    methods = list(dict.fromkeys(found["method"]))
    colours = dict(zip(shown, ("#222222", "#D55E00", "#0072B2", "#009E73"), strict=True))
    figure, axes = plt.subplots(
        1, len(methods), figsize=(7.2, 2.6), sharey=True, sharex=True, squeeze=False
    )
    for axis, method in zip(axes[0], methods, strict=True):
        own = found[found["method"] == method]
        plot_intervals(
            axis, own["split_by"].map(list(shown).index), own["accuracy"], own["low"], own["high"],
            own["split_by"].map(colours), runs=own["folds"],
        )  # fmt: skip
        axis.axvline(chance, color="#888888", lw=1, ls=":")
        axis.set(xlim=(0, 1.02), title=method, xlabel="accuracy")
    in_rows(axes[0], shown.values())
    return figure
