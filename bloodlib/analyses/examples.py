"""Photographs, and the images that were made from them: which show the same cell, what runs answer.

Where the photographs can't be had, a tile with the photograph's number stands in the place of each.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import PercentFormatter
from PIL import Image

from bloodlib import study
from bloodlib.analyses.plots import COLOURS, DPI, bare, plot_pictures, shade
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import CLASSES
from bloodlib.evidence import comparison
from bloodlib.study import records

#: Shades for a fraction of right answers, from none to all.
SHADES = "RdYlBu"


def thumbnail(number: int) -> np.ndarray | str:
    """A photograph as small as an image, uint8 [240, 320, 3]; its number where it can't be had."""
    hidden = stored.publishing() and not photographs.is_bccd(number)
    if hidden or not images.available("Original_Images"):
        return str(number)
    whole = Image.fromarray(images.photograph(number))
    return np.asarray(whole.resize(images.SOURCE.image_size, Image.Resampling.BOX))


# ------------------------------------------------------------------------- the same cell twice


def plot_pairs() -> plt.Figure:
    """Photographs of the same cell side by side, two and two; dashed: what both of them show.

    Above each: its number, label and side. The colours are those of the classes.
    """
    table = photographs.pair_table()
    shifts = table.loc[table["same_cell"], ["shift_x", "shift_y"]].astype(int).to_numpy()
    shown = []
    for pair, shift in zip(photographs.pairs(), shifts, strict=True):
        parts = (pair[part] for part in ("photographs", "labels", "splits"))
        shown += [(*one, sign * shift) for *one, sign in zip(*parts, (1, -1), strict=True)]
    titles = []
    for number, label, splits, _ in shown:
        short = "+".join(f"{name[:3].lower()}." for name in label.split("+") if name)
        titles.append(f"{number} {short or 'no label'}\n{_side(splits)}")
    figure = plot_pictures([thumbnail(number) for number, *_ in shown], titles, 8)
    width, height = images.SOURCE.image_size
    for axis, title, (_, label, _, (x, y)) in zip(figure.axes, titles, shown, strict=False):
        axis.set_title(title, fontsize=7, color=COLOURS.get(label, "#777777"))
        place, size = (max(0, x) + 7, max(0, y) + 7), (width - abs(x) - 14, height - abs(y) - 14)
        axis.add_patch(plt.Rectangle(place, *size, fill=False, lw=0.8, ls="--", ec="white"))
    return figure


def compute_remarkable() -> pd.DataFrame:
    """Pairs of the same cell whose labels differ, or that are in TRAIN and in TEST, and why."""
    table = photographs.table()
    counts = table.loc[table["split"] != "TEST_SIMPLE", "photograph"].value_counts()
    rows = []
    for pair in photographs.pairs():
        sides = [_side(splits) for splits in pair["splits"]]
        across = ["two folders"] if {*sides} == {"TRAIN", "TEST"} else []
        if why := [*_difference(*pair["labels"]), *across]:
            labels = [label.lower() or "none" for label in pair["labels"]]
            images_of = [counts.get(number, 0) for number in pair["photographs"]]
            cells = (pair["photographs"], why, labels, sides, images_of)
            rows.append([", ".join(map(str, cell)) for cell in cells])
    return pd.DataFrame(rows, columns=["Photographs", "What", "Labels", "Images in", "Images"])


def _difference(label, other):
    """Whether the labels of two photographs can be true of the same cell; [] if they are alike."""
    names, others = label.split("+"), other.split("+")
    if {*names} == {*others} or not (label and other):
        return []
    return ["two labels"] if len(names) == len(others) else ["one shows a second cell"]


def _side(splits):
    """The side of the split on which a photograph is: TRAIN, TEST, or none."""
    return "TRAIN" if "TRAIN" in splits else "TEST" if splits else "no folder"


# ---------------------------------------------------------------------- what runs make of them


def compute_shares(runs: list[records.Record]) -> pd.DataFrame:
    """How many images of each of TEST's photographs each run gets right.

    Parameters
    ----------
    runs : list of Record
        On the published TEST; read at :data:`bloodlib.evidence.comparison.EPOCH`.

    Returns
    -------
    pandas.DataFrame
        A row for each run and photograph: ``run``, its place in the list, ``task, pooling``,
        ``class`` (of the four), ``photograph, images, right, share``.
    """
    numbers, labels = photographs.photographs("TEST"), images.labels("TEST")
    frames = []
    for place, run in enumerate(runs):
        config = study.resolve(run.config)
        right = comparison.predicted([run])[0] == images.labels("TEST", config["task"])
        frame = pd.DataFrame({"class": labels, "photograph": numbers, "right": right})
        frame = frame[numbers >= 0].groupby(["class", "photograph"])["right"]
        frame = frame.agg(images="size", right="sum").reset_index()
        frame = frame.assign(run=place, task=config["task"], pooling=config.get("pooling", ""))
        frames.append(frame.assign(share=frame["right"] / frame["images"]))
    found = pd.concat(frames, ignore_index=True)
    return found.assign(**{"class": found["class"].map(dict(enumerate(CLASSES)))})


def compute_wall(runs: list[records.Record]) -> pd.DataFrame:
    """TEST's photographs, and how often runs get their images right.

    Parameters
    ----------
    runs : list of Record
        As for :func:`compute_shares`.

    Returns
    -------
    pandas.DataFrame
        ``class, photograph, images, share, also_in_train``: the fraction of right answers is the
        mean over runs; the last tells whether another photograph of its cell is behind TRAIN.
        By class, the largest fraction first.
    """
    found = compute_shares(runs).groupby(["class", "photograph", "images"], sort=False)["share"]
    found = found.mean().reset_index()
    cell = photographs.cell_table().set_index("photograph")["cell"].reindex(found["photograph"])
    found["also_in_train"] = np.isin(cell, photographs.cells("TRAIN"))
    order = np.lexsort([-found["share"], found["class"].map(CLASSES.index)])
    return found.iloc[order].reset_index(drop=True)


def strips(sizes: np.ndarray) -> np.ndarray:
    """Fill a rectangle of 4 by 3 with rectangles of given areas, row by row, in the order given.

    Parameters
    ----------
    sizes : array [n]
        What areas are proportional to; they should not differ much.

    Returns
    -------
    float array [n, 4]
        Left, top, width and height of each.
    """
    sizes = np.asarray(sizes, dtype=float)
    placed, top = [], 0.0
    for row in np.array_split(sizes, round(np.sqrt(len(sizes)))):
        high, wide = 3 * row.sum() / sizes.sum(), 4 * row / row.sum()
        left = np.cumsum(wide) - wide
        placed.append(np.column_stack([left, np.full_like(wide, top), wide, high + 0 * wide]))
        top += high
    return np.concatenate(placed)


def plot_wall(wall: pd.DataFrame, pictures: dict[int, np.ndarray | str]) -> plt.Figure:
    """TEST's photographs, each as large as the images made from it, shaded by what is right.

    Parameters
    ----------
    wall : pandas.DataFrame
        Of :func:`compute_wall`.
    pictures : dict of int to uint8 array or str
        Of :func:`thumbnail`, by number; a tile without a picture has its number alone.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 6.3), dpi=DPI)
    for axis, (name, own) in zip(axes.flat, wall.groupby("class", sort=False), strict=True):
        bare(axis)
        title = f"{name.capitalize()}: {len(own)} photographs, {own['images'].sum()} images"
        axis.set_title(title, color=COLOURS[name], fontsize=9)
        for row, (x, y, wide, high) in zip(own.itertuples(), strips(own["images"]), strict=True):
            colour, ink = shade(row.share, SHADES)
            axis.add_patch(plt.Rectangle((x, y), wide, high, fc=colour, ec="white", lw=1.2))
            text = f"{row.photograph}{'*' * row.also_in_train}"
            text += f": {row.share:.0%}" if wide > 0.7 else ""
            axis.text(x + wide / 2, y + 0.03, text, ha="center", va="top", fontsize=6, color=ink)
            if isinstance(picture := pictures.get(row.photograph), np.ndarray):
                scale = min((wide - 0.06) / 4, (high - 0.16) / 3)
                left, top = x + wide / 2 - 2 * scale, y + 0.13
                extent = left, left + 4 * scale, top + 3 * scale, top
                axis.imshow(picture, extent=extent, zorder=2)
        axis.set(xlim=(0, 4), ylim=(3, 0), aspect="equal")
    figure.colorbar(
        ScalarMappable(cmap=SHADES), ax=axes, location="bottom", shrink=0.5, aspect=35, pad=0.01,
        format=PercentFormatter(1), label="images of a photograph that DCLNN classifies correctly",
    )  # fmt: skip
    return figure
