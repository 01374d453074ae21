"""Photographs, and the images that were made from them: how each was matched, what runs answer.

Where the photographs can't be had, a tile with the photograph's number stands in the place of each.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from PIL import Image

from bloodlib import study
from bloodlib.analyses.plots import COLOURS, DPI, bare
from bloodlib.data import images, paths, photographs, registration, stored
from bloodlib.data.images import CLASSES, SPLITS, TASKS
from bloodlib.evidence import comparison
from bloodlib.study import records

#: What the augmentation's notebook asks for, on pictures of 320x240, in degrees, pixels, and scale,
#: as distances from doing nothing.
ASKED = {
    "rotation": 20.0,
    "shift_x": 32.0,
    "scale_x": 0.0,
    "shear": float(np.rad2deg(0.2)),
    "shift_y": 24.0,
    "scale_y": 0.0,
}
#: Shades for a fraction of right answers, from none to all.
SHADES = "RdYlBu"


def thumbnail(number: int) -> np.ndarray | None:
    """A photograph as small as an image, uint8 [240, 320, 3]; None where it can't be had."""
    if not images.available("Original_Images"):
        return None
    whole = Image.fromarray(images.photograph(number))
    return np.asarray(whole.resize(images.SOURCE.image_size, Image.Resampling.BOX))


# -------------------------------------------------------------------------------------- matching


def load_example(split: str, name: str) -> dict:
    """An image, its photograph, and where the one lies in the other.

    Parameters
    ----------
    split, name : str
        As for :func:`bloodlib.data.images.picture`.

    Returns
    -------
    dict
        ``name``; ``number`` of the photograph; ``corners`` [4, 2] of the image in the photograph
        at 320x240; ``image`` and ``photograph``, their pixels, or None.
    """
    table = photographs.table()
    row = table[(table["split"] == split) & (table["name"] == name)].iloc[0]
    parts = ["flip", "rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y"]
    outline = np.column_stack([_outline(), np.ones(4)])
    return {
        "name": f"{split}/{name}",
        "number": int(row["photograph"]),
        "corners": outline @ registration.compose(**row[parts]).T,
        "image": images.picture(split, name) if images.available() else None,
        "photograph": thumbnail(int(row["photograph"])),
    }


def plot_example(example: dict) -> plt.Figure:
    """The image left, its photograph right; in both, the image's outline and its first corner."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), sharex=True, sharey=True)
    for axis, picture, corners, title in (
        (axes[0], example["image"], _outline(), example["name"]),
        (axes[1], example["photograph"], example["corners"], f"photograph {example['number']}"),
    ):
        bare(axis)
        _tile(axis, (0, 0, *images.SOURCE.image_size), picture, title)
        axis.add_patch(plt.Polygon(corners, fill=False, ec="black", lw=1.5, ls="--", zorder=3))
        axis.plot(*corners[0], "o", color="black", ms=7, zorder=3)
        axis.set_title(title, fontsize=8)
    reach = np.concatenate([_outline(), example["corners"]])
    (left, top), (right, bottom) = reach.min(axis=0) - 6, reach.max(axis=0) + 6
    axes[0].set(xlim=(left, right), ylim=(bottom, top))
    return figure


def compute_matches() -> pd.DataFrame:
    """The table of matches, and in ``second`` what the second best photograph of an image shows.

    ``second`` is "the same cell", "another cell", or "none" where no other photograph fits.
    """
    found = photographs.table()
    cell = photographs.cell_table().set_index("photograph")["cell"]
    same = cell.reindex(found["photograph"]).to_numpy() == cell.reindex(found["runner_up"])
    second = np.where(same, "the same cell", "another cell")
    return found.assign(second=np.where(found["runner_up"] < 0, "none", second))


def plot_matches(matches: pd.DataFrame) -> plt.Figure:
    """Best photograph against second best: features that agree left, correlation right.

    Parameters
    ----------
    matches : pandas.DataFrame
        Of :func:`compute_matches`. A dot's area is the number of images.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5))
    colours = {"none": "#999999", "the same cell": "#D55E00", "another cell": "#0072B2"}
    measures = {"features": "inliers", "pixels": "correlation"}
    for axis, (how, measure) in zip(axes, measures.items(), strict=True):
        chosen = matches[matches["found_by"] == how]
        right, top = 1.02 * chosen[measure].max(), 1.1 * chosen[f"runner_up_{measure}"].max()
        none = -0.15 * top
        rival = chosen[f"runner_up_{measure}"].where(chosen["second"] != "none", none)
        dots = chosen.assign(x=chosen[measure].round(2), y=rival.round(2))
        dots = dots.value_counts(["x", "y", "second"]).reset_index()
        colour = dots["second"].map(colours)
        axis.scatter(dots["x"], dots["y"], 7 + 0.3 * dots["count"], colour, alpha=0.6, lw=0)
        axis.plot([0, right], [0, right], color="#888888", lw=1, ls=":")
        axis.axhline(none / 2, color="#888888", lw=0.8)
        ticks = [tick for tick in axis.get_yticks() if 0 <= tick <= top]
        axis.set_yticks([none, *ticks], ["none", *(f"{tick:g}" for tick in ticks)])
        axis.set(xlim=(0, right), ylim=(1.8 * none, top), ylabel="second best")
        axis.set_title(f"found by {how}: {len(chosen):,}")
    axes[0].set_xlabel("best: features that agree")
    axes[1].set_xlabel("best: correlation of pixels")
    handles = [Line2D([], [], ls="", marker="o", color=colour) for colour in colours.values()]
    names = ["no second photograph fits", "it shows the same cell", "it shows another cell"]
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def compute_maps() -> pd.DataFrame:
    """The fitted maps of TRAIN's and TEST's images, rows of the table of matches."""
    found = photographs.table()
    return found[(found["split"] != "TEST_SIMPLE") & (found["photograph"] >= 0)]


def plot_maps(maps: pd.DataFrame) -> plt.Figure:
    """How often each rotation, shear, shift and scale was fitted.

    Lines: what the augmentation's notebook asks for. Grey: what the matching would not have let
    pass.
    """
    tolerated = photographs.provenance()["settings"]["limits"]
    titles = {"rotation": "rotation (°)", "shear": "shear (°)"}
    titles |= {"shift_x": "shift along x (pixels)", "shift_y": "shift along y (pixels)"}
    titles |= {"scale_x": "scale along x", "scale_y": "scale along y"}
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 3.6))
    for axis, (name, asked) in zip(axes.flat, ASKED.items(), strict=True):
        middle, limit = float(name.startswith("scale")), tolerated[name]
        edge = 1.12 * limit
        axis.hist(maps[name], np.linspace(middle - limit, middle + limit, 85), color="#56B4E9")
        for side in (-1, 1):
            axis.axvline(middle + side * asked, color="#222222", lw=1)
            axis.axvspan(middle + side * limit, middle + side * edge, color="#d9d9d9", lw=0)
        axis.set(xlim=(middle - edge, middle + edge), xlabel=titles[name])
    for axis in axes[:, 0]:
        axis.set_ylabel("images")
    return figure


def load_handcheck() -> pd.DataFrame:
    """The blind check of the matching: ``results/handcheck.csv``.

    Returns
    -------
    pandas.DataFrame
        A row for each image that was looked at: ``item, split, name, photograph``; ``offered``,
        numbers of four photographs joined by "+"; ``answer``, the letter of the one that the
        table names, or "none"; ``given``, what the checker said.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If it is not there, or was made for another table.
    """
    path = paths.results_folder() / "handcheck.csv"
    raw = stored.read(path, "Restore it with 'git checkout results'.")
    found = pd.read_csv(io.BytesIO(raw), keep_default_na=False)
    known = found.merge(photographs.table(), on=["split", "name", "photograph"])
    letters = [dict(zip(four.split("+"), "ABCD", strict=False)) for four in found["offered"]]
    right = [
        of.get(str(number), "none") for of, number in zip(letters, found["photograph"], strict=True)
    ]
    if len(known) < len(found) or right != found["answer"].tolist():
        raise stored.StoredError(f"{path} was made for another table of photographs.")
    return found


# ------------------------------------------------------------------------- behind the folders


def compute_behind() -> pd.DataFrame:
    """Images, photographs and cells of each split and class, and the images of a photograph."""
    rows = []
    for split in SPLITS:
        labels = images.labels(split)
        numbers, cells = photographs.photographs(split), photographs.cells(split)
        for label, name in enumerate([*CLASSES, "all"]):
            own = (labels == label) | (name == "all")
            known = own & (numbers >= 0)
            behind, each = np.unique(numbers[known], return_counts=True)
            ends = {each.min(), each.max()} if len(each) else ()
            rows.append(
                {
                    "Folder": split,
                    "Class": name.capitalize() if name != "all" else "all",
                    "Images": int(own.sum()),
                    "Photographs": len(behind),
                    "Cells": len(np.unique(cells[known])),
                    "Images of each": "–".join(map(str, sorted(ends))) or "–",
                }
            )
    return pd.DataFrame(rows)


def compute_contributions() -> pd.DataFrame:
    """Images that each photograph gave: ``split, class, photograph, images``."""
    found = photographs.table()
    found = found[found["photograph"] >= 0]
    found = found.assign(**{"class": found["name"].str.partition("/")[0]})
    columns = ["split", "class", "photograph"]
    return found.groupby(columns, sort=False).size().rename("images").reset_index()


def plot_contributions(contributions: pd.DataFrame) -> plt.Figure:
    """A bar for each photograph, as high as the images made from it; one panel a folder."""
    figure, axes = plt.subplots(2, 1, figsize=(7.2, 4.2), sharey=True)
    for axis, split in zip(axes, ("TRAIN", "TEST"), strict=True):
        chosen, start = contributions[contributions["split"] == split], 0
        for name in CLASSES:
            own = np.sort(chosen.loc[chosen["class"] == name, "images"])[::-1]
            axis.bar(start + np.arange(len(own)), own, 0.9, align="edge", color=COLOURS[name])
            axis.text(
                start + len(own) / 2, own.max(initial=0), f"{name.capitalize()}\n{len(own)}",
                ha="center", va="bottom", fontsize=8, color=COLOURS[name], fontweight="bold",
            )  # fmt: skip
            start += len(own) + len(chosen) / 40
        axis.margins(x=0.04, y=0.28)
        axis.set(xticks=[], ylabel="images of each")
        axis.set_title(f"{split}: {chosen['images'].sum():,} images, {len(chosen)} photographs")
    return figure


def compute_simple() -> dict:
    """What TEST_SIMPLE, the test photographs as they are, has and has not.

    Returns
    -------
    dict
        ``files``; ``photographs``, how many are behind them; ``new``, how many of these are not
        behind TEST; ``missing``, numbers of TEST's photographs that are not behind them, and their
        ``labels``; ``twice``, numbers of those with several files; ``identical``,
        whether these files are the same to the last byte; ``turned``, the largest rotation that
        was fitted, in degrees, and ``flipped``, how many were fitted mirrored.
    """
    found = photographs.table()
    found = found[found["split"] == "TEST_SIMPLE"]
    sha = found["name"].map(lambda name: images.manifest()[f"images/TEST_SIMPLE/{name}"])
    several = found["photograph"].duplicated(keep=False)
    numbers, behind_test = found["photograph"], photographs.photographs("TEST")
    missing = np.setdiff1d(behind_test, numbers)
    label = photographs.cell_table().set_index("photograph")["labels"]
    return {
        "files": len(found),
        "photographs": numbers.nunique(),
        "new": len(np.setdiff1d(numbers, behind_test)),
        "missing": missing.tolist(),
        "labels": sorted(set(label[missing].str.lower())),
        "twice": sorted(set(numbers[several])),
        "identical": bool((sha[several].groupby(numbers[several]).nunique() == 1).all()),
        "turned": float(found["rotation"].abs().max()),
        "flipped": int((found["flip"] != "").sum()),
    }


# ------------------------------------------------------------------------- the same cell twice


def load_pairs() -> list[dict]:
    """Photographs of the same cell, two and two: ``photographs.pairs``, and pictures.

    Returns
    -------
    list of dict
        Also with ``shift`` (of :func:`bloodlib.data.registration.overlaps`) and ``pictures``, two
        of pixels or None.
    """
    rows = photographs.pair_table()
    shifts = rows.loc[rows["same_cell"], ["shift_x", "shift_y"]].astype(int).to_numpy().tolist()
    return [
        pair | {"shift": shift, "pictures": [thumbnail(number) for number in pair["photographs"]]}
        for pair, shift in zip(photographs.pairs(), shifts, strict=True)
    ]


def plot_pairs(pairs: list[dict]) -> plt.Figure:
    """Photographs of the same cell side by side; dashed: what both of them show.

    Parameters
    ----------
    pairs : list of dict
        Of :func:`load_pairs`. The colour of a frame is that of the label.
    """
    width, height = images.SOURCE.image_size
    rows = -(-len(pairs) // 4)
    figure, axes = plt.subplots(rows, 4, figsize=(7.2, 0.95 * rows), dpi=DPI, squeeze=False)
    for axis in axes.flat:
        bare(axis)
    for axis, pair in zip(axes.flat, pairs, strict=False):
        parts = (pair[part] for part in ("photographs", "labels", "splits", "pictures"))
        for side, (number, label, splits, picture) in enumerate(zip(*parts, strict=True)):
            left, colour = side * (width + 12), COLOURS.get(label, "#777777")
            _tile(axis, (left, 0, width, height), picture, number, edge=colour)
            x, y = (-1 if side else 1) * np.array(pair["shift"])
            axis.add_patch(
                plt.Rectangle(
                    (left + max(0, x) + 7, max(0, y) + 7), width - abs(x) - 14,
                    height - abs(y) - 14, fill=False, lw=0.8, ls="--", zorder=3,
                    ec="#777777" if picture is None else "white",
                )
            )  # fmt: skip
            short = "+".join(f"{name[:3].lower()}." for name in label.split("+") if name)
            axis.text(
                left, -10, f"{number} {short or 'no label'}\n{_side(splits)}",
                fontsize=6.5, va="bottom", color=colour, linespacing=1.0,
            )  # fmt: skip
        axis.set(xlim=(-4, 2 * width + 16), ylim=(height + 4, -4))
    return figure


def compute_remarkable() -> pd.DataFrame:
    """Pairs of the same cell whose labels differ, or that are in TRAIN and in TEST, and why."""
    table = photographs.table()
    counts = table.loc[table["split"] != "TEST_SIMPLE", "photograph"].value_counts()
    rows = []
    for pair in photographs.pairs():
        sides = [_side(splits) for splits in pair["splits"]]
        across = ["a side each"] if {*sides} == {"TRAIN", "TEST"} else []
        if why := [*_difference(*pair["labels"]), *across]:
            rows.append(
                {
                    "Photographs": ", ".join(map(str, pair["photographs"])),
                    "Labels": ", ".join(label.lower() or "none" for label in pair["labels"]),
                    "Images in": ", ".join(sides),
                    "Images": ", ".join(str(counts.get(n, 0)) for n in pair["photographs"]),
                    "What": ", ".join(why),
                }
            )
    return pd.DataFrame(rows, columns=["Photographs", "Labels", "Images in", "Images", "What"])


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


def plot_shares(shares: pd.DataFrame) -> plt.Figure:
    """A column of dots for each photograph, a dot for each run; a panel for each task.

    A dot's area is the number of images; the photographs with most of the wrong answers have their
    number below.
    """
    tasks = [task for task in TASKS if task in set(shares["task"])]
    figure, axes = plt.subplots(len(tasks), 1, figsize=(7.2, 2.7 * len(tasks)), squeeze=False)
    for axis, task in zip(axes.flat, tasks, strict=True):
        own = shares[shares["task"] == task]
        order = own.groupby("photograph")["share"].mean().sort_values(kind="stable").index
        colours = own["class"].map(COLOURS)
        axis.scatter(
            own["photograph"].map(order.get_loc), own["share"], 0.45 * own["images"],
            facecolors=colours.where(own["pooling"] == "max", "none"), edgecolors=colours,
            linewidths=0.9, clip_on=False, zorder=3,
        )  # fmt: skip
        wrong = (own["images"] - own["right"]).groupby(own["photograph"]).mean()
        worst = wrong[wrong > 0.05 * wrong.sum()].nlargest(3).index
        for nth, place in enumerate(sorted(map(order.get_loc, worst))):
            axis.annotate(
                str(order[place]), (place, 0), xytext=(0, -9 - 7 * (nth % 2)),
                textcoords="offset points", ha="center", va="top", fontsize=7,
            )  # fmt: skip
        axis.set(ylim=(-0.02, 1.02), xticks=[], ylabel="fraction right", title=f"{task} classes")
        axis.set_xlim(-1.5, len(order) + 0.5)
        axis.set_xlabel(f"TEST's {len(order)} photographs, by their mean fraction", labelpad=20)
    dot = {"ls": "", "marker": "o"}
    handles = [Line2D([], [], color=COLOURS[n], label=n.capitalize(), **dot) for n in CLASSES]
    for face, pooling in (("#222222", "max pooling"), ("none", "average pooling")):
        handles.append(Line2D([], [], mec="#222222", mfc=face, label=pooling, **dot))
    figure.legend(handles=handles, loc="outside upper center", ncols=6, fontsize=7.5)
    return figure


def compute_errors(shares: pd.DataFrame) -> pd.DataFrame:
    """Where the errors of each run are.

    Returns
    -------
    pandas.DataFrame
        A row for each run of :func:`compute_shares`: ``task, pooling``; ``wrong`` images;
        ``all_right, all_wrong``, how many photographs are; ``half``, how few photographs hold half
        of the errors; ``worst``, the one with the most, and its ``share`` of them (both missing
        where there is no error).
    """
    rows = []
    for _, own in shares.groupby("run"):
        wrong = (own["images"] - own["right"]).set_axis(own["photograph"])
        wrong = wrong.sort_values(ascending=False)
        total = int(wrong.sum())
        rows.append(
            {
                "task": own["task"].iloc[0],
                "pooling": own["pooling"].iloc[0],
                "wrong": total,
                "all_right": int((own["share"] == 1).sum()),
                "all_wrong": int((own["share"] == 0).sum()),
                "half": int((wrong.cumsum() < total / 2).sum()) + 1 if total else 0,
                "worst": wrong.index[0] if total else None,
                "share": wrong.iloc[0] / total if total else None,
            }
        )
    return pd.DataFrame(rows)


def compute_class(shares: pd.DataFrame, name: str) -> pd.DataFrame:
    """Photographs of a class and the share of their images that is right, by task and pooling."""
    own = shares[shares["class"] == name]
    own = own.assign(column=own["task"] + ", " + own["pooling"])
    wide = own.pivot_table("share", ["photograph", "images"], "column", sort=False)
    wide = wide[own["column"].unique()].sort_index().rename_axis(columns=None)
    return wide.rename_axis(["Photograph", "Images"]).reset_index()


def compute_wall(runs: list[records.Record]) -> pd.DataFrame:
    """TEST's photographs, and how often runs get their images right.

    Parameters
    ----------
    runs : list of Record
        As for :func:`compute_shares`.

    Returns
    -------
    pandas.DataFrame
        ``class, photograph, images, share, also_in_train``: the share of right answers is the
        mean over runs; the last tells whether another photograph of its cell is behind TRAIN.
        By class, the largest share first.
    """
    found = compute_shares(runs).groupby(["class", "photograph", "images"], sort=False)["share"]
    found = found.mean().reset_index()
    cell = photographs.cell_table().set_index("photograph")["cell"].reindex(found["photograph"])
    found["also_in_train"] = np.isin(cell, photographs.cells("TRAIN"))
    order = np.lexsort([-found["share"], found["class"].map(CLASSES.index)])
    return found.iloc[order].reset_index(drop=True)


def load_pictures(wall: pd.DataFrame) -> dict[int, np.ndarray]:
    """The photographs of a wall by number; none where they can't be had."""
    if not images.available("Original_Images"):
        return {}
    return {number: thumbnail(number) for number in wall["photograph"].tolist()}


def strips(sizes: np.ndarray) -> np.ndarray:
    """Fill a rectangle of 4 by 3 with rectangles of given areas, row by row, in the order given.

    Their width by height comes as near to that of a photograph, 4:3, as rows allow.

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
    layouts = []
    for rows in range(1, len(sizes) + 1):
        placed, top = [], 0.0
        for row in np.array_split(sizes, rows):
            high, wide = 3 * row.sum() / sizes.sum(), 4 * row / row.sum()
            left = np.cumsum(wide) - wide
            placed.append(np.column_stack([left, np.full_like(wide, top), wide, high + 0 * wide]))
            top += high
        layouts.append(np.concatenate(placed))
    return min(layouts, key=lambda t: np.abs(np.log(t[:, 2] / t[:, 3] / (4 / 3))).sum())


def plot_wall(wall: pd.DataFrame, pictures: dict[int, np.ndarray]) -> plt.Figure:
    """TEST's photographs, each as large as the images made from it, shaded by what is right.

    Parameters
    ----------
    wall : pandas.DataFrame
        Of :func:`compute_wall`.
    pictures : dict of int to uint8 array
        Photographs by number; a tile without one has its number alone.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 6.3), dpi=DPI)
    for axis, (name, own) in zip(axes.flat, wall.groupby("class", sort=False), strict=True):
        bare(axis)
        axis.set(xlim=(0, 4), ylim=(3, 0), aspect="equal")
        title = f"{name.capitalize()}: {len(own)} photographs, {own['images'].sum()} images"
        axis.set_title(title, color=COLOURS[name], fontsize=9)
        for row, box in zip(own.itertuples(), strips(own["images"]), strict=True):
            _draw_brick(axis, box, row, pictures.get(row.photograph))
    figure.colorbar(
        ScalarMappable(cmap=SHADES), ax=axes, location="bottom", shrink=0.5, aspect=35, pad=0.01,
        format=PercentFormatter(1), label="images of a photograph that DCLNN gets right",
    )  # fmt: skip
    return figure


def _draw_brick(axis, box, row, picture):
    """A photograph of the wall: its shade, number and share, and its picture if there is one."""
    x, y, wide, high = box
    shade = plt.get_cmap(SHADES)(row.share)
    axis.add_patch(plt.Rectangle((x, y), wide, high, fc=shade, ec="white", lw=1.2))
    large = wide > 0.7
    number = f"{row.photograph}{'*' * row.also_in_train}"
    dark = np.dot(shade[:3], (0.3, 0.6, 0.1)) <= 0.5
    style = {"color": "white" if dark else "#222222", "ha": "center"}
    if picture is None:
        size = 9 if large else 6.5
        text = f"{number}\n{row.share:.0%}"
        axis.text(x + wide / 2, y + high / 2, text, fontsize=size, va="center", **style)
        return
    line, border = (0.15, 0.05) if large else (0.11, 0.03)
    scale = min((wide - 2 * border) / 4, (high - line - border) / 3)
    top = y + line + (high - line - border - 3 * scale) / 2
    _tile(axis, (x + wide / 2 - 2 * scale, top, 4 * scale, 3 * scale), picture)
    text, size = (f"{number}: {row.share:.0%}", 7.5) if large else (number, 6)
    place = x + wide / 2, top - 0.45 * line
    axis.text(*place, text, fontsize=size, va="center_baseline", **style)


def _outline():
    """The corners of an image of 320x240, [4, 2]."""
    width, height = images.SOURCE.image_size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]])


def _tile(axis, box, picture, text="", edge="none"):
    """A picture, or a grey tile with a text, at left, top, width and height."""
    x, y, wide, high = box
    face = "none"
    if picture is None:
        face = "#eeeeee"
        axis.text(
            x + wide / 2, y + high / 2, text, ha="center", va="center", fontsize=8, zorder=4,
            bbox={"facecolor": face, "lw": 0, "pad": 1},
        )  # fmt: skip
    else:
        limits = axis.get_xlim(), axis.get_ylim()  # which a picture would change
        extent = (x, x + wide, y + high, y)
        axis.imshow(picture, extent=extent, interpolation="antialiased", zorder=2)
        axis.set(xlim=limits[0], ylim=limits[1])
    axis.add_patch(plt.Rectangle((x, y), wide, high, fc=face, ec=edge, lw=1.5, zorder=2))
