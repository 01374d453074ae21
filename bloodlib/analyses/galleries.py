"""What the chapter on photographs shows: ``load_*`` gathers it, ``plot_*`` draws it.

Where the photographs can't be had, a tile with the photograph's number stands in the place of each.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from PIL import Image

from bloodlib.analyses.plots import COLOURS, bare
from bloodlib.data import images, paths, photographs
from bloodlib.data.images import CLASSES, SPLITS, TASKS
from bloodlib.evidence import comparison
from bloodlib.study import records, study

#: What the augmentation's notebook asks for, on pictures of 320x240, in degrees, pixels, and scale,
#: as distances from doing nothing.
ASKED = {
    "rotation": 20.0,
    "shear": float(np.rad2deg(0.2)),
    "shift_x": 32.0,
    "shift_y": 24.0,
    "scale_x": 0.0,
    "scale_y": 0.0,
}
NEUTRAL = {"scale_x": 1.0, "scale_y": 1.0}  # what doing nothing is, where it is not 0
#: Shades for a share of right answers, from none to all.
SHADES = "RdYlBu"
DPI = 180  # of figures that hold photographs


# -------------------------------------------------------------------------------------- matching


def load_example(split: str, name: str) -> dict:
    """An image, its photograph, and where the one lies in the other.

    Parameters
    ----------
    split, name : str
        See :func:`bloodlib.data.images.picture`.

    Returns
    -------
    dict
        ``name``; ``number`` of the photograph; ``corners`` [4, 2] of the image in the photograph
        at 320x240; ``image`` and ``photograph``, their pixels, or None.
    """
    from bloodlib.data import matching

    table = photographs.table()
    row = table[(table["split"] == split) & (table["name"] == name)].iloc[0]
    parts = ("flip", "rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y")
    width, height = images.SOURCE.image_size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    return {
        "name": f"{split}/{name}",
        "number": int(row["photograph"]),
        "corners": corners @ matching.compose(**row[list(parts)]).T,
        "image": images.picture(split, name) if images.available() else None,
        "photograph": thumbnail(int(row["photograph"]), width),
    }


def plot_example(example: dict) -> plt.Figure:
    """The image left, its photograph right; in both, the image's outline and its first corner."""
    width, height = images.SOURCE.image_size
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), sharex=True, sharey=True)
    for axis, picture, corners, title in (
        (axes[0], example["image"], frame, example["name"]),
        (axes[1], example["photograph"], example["corners"], f"photograph {example['number']}"),
    ):
        _tile(axis, (0, 0, width, height), picture)
        if picture is None:
            axis.text(width / 2, height / 2, title, ha="center", va="center", fontsize=8)
        axis.add_patch(plt.Polygon(corners, fill=False, ec="black", lw=1.5, ls="--", zorder=3))
        axis.plot(*corners[0], "o", color="black", ms=7, zorder=3)
        bare(axis)
        axis.set_aspect("equal")
        axis.set_title(title, fontsize=8)
    reach = np.concatenate([frame, example["corners"]])
    low, high = reach.min(axis=0) - 6, reach.max(axis=0) + 6
    axes[0].set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    return figure


def load_matches() -> pd.DataFrame:
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
        See :func:`load_matches`. A dot's area is the number of images.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5))
    colours = {"none": "#999999", "the same cell": COLOURS["EOSINOPHIL"], "another cell": "#0072B2"}
    for axis, (how, best, second, unit, none) in zip(
        axes,
        (
            ("features", "inliers", "runner_up_inliers", "features that agree", -6),
            ("pixels", "correlation", "runner_up_correlation", "correlation of pixels", -0.15),
        ),
        strict=True,
    ):
        chosen = matches[matches["found_by"] == how]
        chosen = chosen.assign(
            x=chosen[best].round(2), y=chosen[second].where(chosen["second"] != "none", none)
        )
        dots = chosen.round({"y": 2}).value_counts(["x", "y", "second"]).reset_index()
        for name, colour in colours.items():
            own = dots[dots["second"] == name]
            axis.scatter(own["x"], own["y"], 7 + 0.3 * own["count"], colour, alpha=0.6, lw=0)
        right = 1.0 if how == "pixels" else 1.02 * chosen[best].max()
        top = 1.0 if how == "pixels" else 1.2 * max(chosen[second].max(), 1)
        axis.plot([0, right], [0, right], color="#888888", lw=1, ls=":")
        axis.axhline(none / 2, color="#888888", lw=0.8)
        ticks = [tick for tick in axis.get_yticks() if 0 <= tick <= top]
        axis.set_yticks([none, *ticks], ["none", *(f"{tick:g}" for tick in ticks)])
        axis.set(xlim=(0, right), ylim=(1.8 * none, top), xlabel=f"best: {unit}")
        axis.set_ylabel("second best")
        axis.set_title(f"found by {how}: {len(chosen):,}")
    handles = [Line2D([], [], ls="", marker="o", color=colour) for colour in colours.values()]
    figure.legend(
        handles, ["no second photograph fits", "it shows the same cell", "it shows another cell"],
        loc="outside lower center", ncols=3, fontsize=8,
    )  # fmt: skip
    return figure


def load_maps() -> pd.DataFrame:
    """The fitted maps of TRAIN's and TEST's images, rows of the table of matches."""
    found = photographs.table()
    return found[(found["split"] != "TEST_SIMPLE") & (found["photograph"] >= 0)]


def plot_maps(maps: pd.DataFrame) -> plt.Figure:
    """How often each rotation, shear, shift and scale was fitted.

    Lines: what the augmentation's notebook asks for. Grey: what the matching would not have let
    pass.
    """
    tolerated = photographs.provenance()["settings"]["limits"]
    shown = ("rotation (°)", "shift along x (pixels)", "scale along x")
    shown += ("shear (°)", "shift along y (pixels)", "scale along y")
    names = ("rotation", "shift_x", "scale_x", "shear", "shift_y", "scale_y")
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 3.6))
    for axis, name, title in zip(axes.flat, names, shown, strict=True):
        middle, limit = NEUTRAL.get(name, 0.0), tolerated[name]
        edge = 1.12 * limit
        bins = np.linspace(middle - limit, middle + limit, 85)
        axis.hist(maps[name], bins, color="#56B4E9")
        for side in (-1, 1):
            axis.axvline(middle + side * ASKED[name], color="#222222", lw=1)
            axis.axvspan(middle + side * limit, middle + side * edge, color="#d9d9d9", lw=0)
        axis.set(xlim=(middle - edge, middle + edge), xlabel=title)
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
    bloodlib.data.photographs.TableError
        If it is not there, or was made for another table.
    """
    path = paths.results_folder() / "handcheck.csv"
    try:
        found = pd.read_csv(path, keep_default_na=False)
    except OSError as error:
        raise photographs.TableError(
            f"{path} can't be read ({error}). Restore it with 'git checkout results'."
        ) from error
    known = found.merge(photographs.table(), on=["split", "name", "photograph"])
    numbers = [row.offered.split("+")[:4] for row in found.itertuples()]
    right = [
        dict(zip(four, "ABCD", strict=True)).get(str(row.photograph), "none") == row.answer
        for four, row in zip(numbers, found.itertuples(), strict=True)
    ]
    if len(known) < len(found) or not all(right):
        raise photographs.TableError(f"{path} was made for another table of photographs.")
    return found


# ------------------------------------------------------------------------------ what came of it


def load_behind() -> pd.DataFrame:
    """Images, photographs and cells of each split and class, and the images of a photograph."""
    rows = []
    for split in SPLITS:
        labels = images.labels(split)
        numbers, cells = photographs.photographs(split), photographs.cells(split)
        for label, name in enumerate([*CLASSES, "all"]):
            own = (labels == label) | (name == "all")
            each = np.unique(numbers[own & (numbers >= 0)], return_counts=True)[1]
            rows.append(
                {
                    "Folder": split,
                    "Class": name.capitalize() if name != "all" else "all",
                    "Images": int(own.sum()),
                    "Photographs": len(each),
                    "Cells": len(np.unique(cells[own & (numbers >= 0)])),
                    "Images of each": "–".join(map(str, sorted({each.min(), each.max()}))),
                }
            )
    return pd.DataFrame(rows)


def load_contributions() -> pd.DataFrame:
    """Images that each photograph gave: ``split, class, photograph, images``."""
    found = photographs.table()
    found = found[found["photograph"] >= 0]
    found = found.assign(**{"class": found["name"].str.partition("/")[0]})
    columns = ["split", "class", "photograph"]
    return found.groupby(columns, sort=False).size().rename("images").reset_index()


def plot_contributions(contributions: pd.DataFrame) -> plt.Figure:
    """A bar for each photograph, as high as the images made from it; one panel a folder."""
    splits = ("TRAIN", "TEST")
    figure, axes = plt.subplots(len(splits), 1, figsize=(7.2, 4.2), sharey=True)
    for axis, split in zip(axes, splits, strict=True):
        chosen, start = contributions[contributions["split"] == split], 0
        gap, wide = len(chosen) / 40, 0.8 if len(chosen) < 100 else 1.0
        for name in CLASSES:
            own = np.sort(chosen.loc[chosen["class"] == name, "images"])[::-1]
            axis.bar(start + np.arange(len(own)), own, wide, align="edge", color=COLOURS[name])
            axis.text(
                start + len(own) / 2, own.max(), f"{name.capitalize()}\n{len(own)}",
                ha="center", va="bottom", fontsize=8, color=COLOURS[name], fontweight="bold",
            )  # fmt: skip
            start += len(own) + gap
        axis.margins(x=0.04, y=0.28)
        axis.set(xticks=[], ylabel="images of each")
        axis.set_title(f"{split}: {chosen['images'].sum():,} images, {len(chosen)} photographs")
    return figure


def load_simple() -> dict:
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
    sha = found["name"].map(lambda name: images.manifest()[f"images/TEST_SIMPLE/{name}"].sha)
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
        Also with ``shift`` (see :class:`bloodlib.data.matching.Overlap`) and ``pictures``, two of
        pixels or None.
    """
    rows = photographs.pair_table()
    rows = rows[rows["same_cell"]]
    return [
        pair
        | {
            "shift": (int(row.shift_x), int(row.shift_y)),
            "pictures": [thumbnail(number, 160) for number in pair["photographs"]],
        }
        for pair, row in zip(photographs.pairs(), rows.itertuples(), strict=True)
    ]


def plot_pairs(pairs: list[dict]) -> plt.Figure:
    """Photographs of the same cell side by side; dashed: what both of them show.

    Parameters
    ----------
    pairs : list of dict
        See :func:`load_pairs`. The colour of a frame is that of the label.
    """
    width, height = images.SOURCE.image_size
    step_x, step_y = 2 * width + 70, height + 140
    columns, rows = 4, -(-len(pairs) // 4)
    size = 7.2 / (columns * step_x - 50)
    figure, axis = plt.subplots(figsize=(7.2, rows * step_y * size), dpi=DPI)
    for place, pair in enumerate(pairs):
        y = step_y * (place // columns)
        sides = zip(
            pair["photographs"], pair["labels"], pair["splits"], pair["pictures"], strict=True
        )
        for side, (number, label, splits, picture) in enumerate(sides):
            x = step_x * (place % columns) + side * (width + 12)
            colour = COLOURS.get(label, "#777777")
            _tile(axis, (x, y, width, height), picture, edge=colour)
            if picture is None:
                axis.text(
                    x + width / 2, y + height / 2, number, ha="center", va="center",
                    zorder=4, bbox={"facecolor": "#eeeeee", "lw": 0, "pad": 1},
                )  # fmt: skip
            left, top = (-1 if side else 1) * np.array(pair["shift"])
            corner = (x + max(0, left) + 7, y + max(0, top) + 7)
            dashed = "#777777" if picture is None else "white"
            axis.add_patch(
                plt.Rectangle(
                    corner, width - abs(left) - 14, height - abs(top) - 14,
                    fill=False, ec=dashed, lw=0.8, ls="--", zorder=3,
                )
            )  # fmt: skip
            axis.text(
                x, y - 10, f"{number} {_short(label)}\n{_side(splits)}",
                fontsize=6.5, va="bottom", color=colour, linespacing=1.0,
            )  # fmt: skip
    bare(axis)
    axis.set(xlim=(-4, columns * step_x - 50), ylim=(rows * step_y - 133, -125), aspect="equal")
    return figure


def load_remarkable() -> pd.DataFrame:
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


# ------------------------------------------------------------------------------------- the wall


def load_wall(runs: list[records.Record]) -> pd.DataFrame:
    """TEST's photographs, and how often runs get their images right.

    Parameters
    ----------
    runs : list of Record
        On the published TEST; read at :data:`bloodlib.evidence.comparison.EPOCH`.

    Returns
    -------
    pandas.DataFrame
        ``class, photograph, images, share, also_in_train``: the share of right answers is the
        mean over runs; the last tells whether another photograph of its cell is behind TRAIN.
        By class, the largest share first.
    """
    shares = load_shares(runs)
    columns = ["class", "photograph", "images"]
    found = shares.groupby(columns, sort=False)["share"].mean().reset_index()
    cell = photographs.cell_table().set_index("photograph")["cell"].reindex(found["photograph"])
    found["also_in_train"] = np.isin(cell, photographs.cells("TRAIN"))
    order = found["class"].map(CLASSES.index)
    found = found.assign(order=order).sort_values(["order", "share"], ascending=[True, False])
    return found.drop(columns="order").reset_index(drop=True)


def strips(sizes: np.ndarray, width: float = 4.0, height: float = 3.0) -> np.ndarray:
    """Fill a rectangle with rectangles of given areas, row by row, in the order given.

    Their width by height comes as near to that of a photograph, 4:3, as rows allow.

    Parameters
    ----------
    sizes : array [n]
        What areas are proportional to; they should not differ much.
    width, height : float
        Of the rectangle.

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
            high = height * row.sum() / sizes.sum()
            wide = width * row / row.sum()
            left = np.cumsum(wide) - wide
            placed += [(x, top, w, high) for x, w in zip(left, wide, strict=True)]
            top += high
        layouts.append(np.array(placed))
    return min(layouts, key=lambda t: np.abs(np.log(t[:, 2] / t[:, 3] / (4 / 3))).sum())


def plot_wall(wall: pd.DataFrame, pictures: dict[int, np.ndarray]) -> plt.Figure:
    """TEST's photographs, each as large as the images made from it, shaded by what is right.

    Parameters
    ----------
    wall : pandas.DataFrame
        See :func:`load_wall`.
    pictures : dict of int to uint8 array
        Photographs by number; a tile without one has its number alone.
    """
    shades, width, gap = plt.get_cmap(SHADES), 400.0, 14.0
    per_class = wall.groupby("class")["images"].sum()
    unit = width * width * 3 / 4 / per_class.max()  # area of one image
    figure, axis = plt.subplots(figsize=(7.2, 6.3), dpi=DPI)
    for place, name in enumerate(dict.fromkeys(wall["class"])):
        own = wall[wall["class"] == name]
        x0, y0 = (place % 2) * (width + gap), (place // 2) * (width * 3 / 4 + 40)
        axis.text(
            x0, y0 - 6, f"{name.capitalize()}: {len(own)} photographs, {per_class[name]} images",
            color=COLOURS[name], fontweight="bold", fontsize=9, va="bottom",
        )  # fmt: skip
        tiles = strips(own["images"], width, unit * per_class[name] / width)
        for row, (x, y, wide, high) in zip(own.itertuples(), tiles, strict=True):
            box = (x0 + x, y0 + y, wide, high)
            _draw_brick(axis, box, row, shades(row.share), pictures.get(row.photograph))
    bare(axis)
    axis.set(xlim=(-2, 2 * width + gap + 2), ylim=(width * 1.5 + 44, -30), aspect="equal")
    figure.colorbar(
        ScalarMappable(Normalize(0, 1), shades), ax=axis, location="bottom", shrink=0.5, aspect=35,
        pad=0.01, format=PercentFormatter(1), label="images of a photograph that DCLNN gets right",
    )  # fmt: skip
    return figure


def _draw_brick(axis, box, row, shade, picture):
    """A photograph of the wall: its shade, number and share, and its picture if there is one."""
    x, y, wide, high = box
    axis.add_patch(plt.Rectangle((x, y), wide, high, fc=shade, ec="white", lw=1.2))
    large = wide > 70
    line, border = (15, 5) if large else (11, 3)
    number = f"{row.photograph}{'*' * row.also_in_train}"
    share = f"{row.share:.0%}"
    colour = "#222222" if np.dot(shade[:3], (0.3, 0.6, 0.1)) > 0.5 else "white"
    if picture is None:
        axis.text(
            x + wide / 2, y + high / 2, f"{number}\n{share}", color=colour,
            fontsize=9 if large else 6.5, ha="center", va="center",
        )  # fmt: skip
        return
    scale = min((wide - 2 * border) / 4, (high - line - border) / 3)
    top = y + line + (high - line - border - 3 * scale) / 2
    _tile(axis, (x + wide / 2 - 2 * scale, top, 4 * scale, 3 * scale), picture)
    axis.text(
        x + wide / 2, top - 0.45 * line, f"{number}: {share}" if large else number, color=colour,
        fontsize=7.5 if large else 6, ha="center", va="center_baseline",
    )  # fmt: skip


# ------------------------------------------------------------------------ where the errors live


def load_shares(runs: list[records.Record]) -> pd.DataFrame:
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
        frame = frame[frame["photograph"] >= 0].groupby(["class", "photograph"])["right"]
        frame = frame.agg(images="size", right="sum").reset_index()
        frame["class"] = [CLASSES[label] for label in frame["class"]]
        frame.insert(0, "pooling", config.get("pooling", ""))
        frame.insert(0, "task", config["task"])
        frame.insert(0, "run", place)
        frames.append(frame.assign(share=frame["right"] / frame["images"]))
    return pd.concat(frames, ignore_index=True)


def plot_shares(shares: pd.DataFrame) -> plt.Figure:
    """A column of dots for each photograph, a dot for each run; a panel for each task.

    A dot's area is the number of images; the photographs with most of the wrong answers have their
    number below.
    """
    tasks = [task for task in TASKS if task in set(shares["task"])]
    figure, axes = plt.subplots(len(tasks), 1, figsize=(7.2, 2.7 * len(tasks)), squeeze=False)
    for axis, task in zip(axes.flat, tasks, strict=True):
        own = shares[shares["task"] == task]
        wrong = (own["images"] - own["right"]).groupby(own["photograph"]).mean()
        order = own.groupby("photograph")["share"].mean().sort_values(kind="stable").index
        x = own["photograph"].map(pd.Series(range(len(order)), order))
        for (name, pooling), dots in own.groupby(["class", "pooling"]):
            axis.scatter(
                x[dots.index], dots["share"], 0.45 * dots["images"], linewidths=0.9,
                facecolors=COLOURS[name] if pooling == "max" else "none",
                edgecolors=COLOURS[name], clip_on=False, zorder=3,
            )  # fmt: skip
        wrong = wrong[wrong > 0.05 * wrong.sum()].nlargest(3)
        for nth, place in enumerate(sorted(map(order.get_loc, wrong.index))):
            axis.annotate(
                str(order[place]), (place, 0), xytext=(0, -9 - 7 * (nth % 2)),
                textcoords="offset points", ha="center", va="top", fontsize=7,
            )  # fmt: skip
        axis.set(ylim=(-0.02, 1.02), xticks=[], ylabel="share right", title=f"{task} classes")
        axis.set_xlim(-1.5, len(order) + 0.5)
        axis.set_xlabel(f"TEST's {len(order)} photographs, by their mean share", labelpad=20)
    handles = [Line2D([], [], ls="", marker="o", color=COLOURS[name]) for name in CLASSES]
    handles += [
        Line2D([], [], ls="", marker="o", mec="#222222", mfc=c) for c in ("#222222", "none")
    ]
    names = [*(name.capitalize() for name in CLASSES), "max pooling", "average pooling"]
    figure.legend(
        handles, names, loc="outside upper center", ncols=6, fontsize=7.5, handletextpad=0
    )
    return figure


def load_errors(shares: pd.DataFrame) -> pd.DataFrame:
    """Where the errors of each run are: a row for each run of :func:`load_shares`."""
    rows = []
    for _, own in shares.groupby("run"):
        wrong = (own["images"] - own["right"]).sort_values(ascending=False)
        sums = wrong.cumsum() / max(wrong.sum(), 1)
        rows.append(
            {
                "Classes, pooling": f"{own['task'].iloc[0]}, {own['pooling'].iloc[0]}",
                "Wrong images": int(wrong.sum()),
                "Photographs all right": int((own["share"] == 1).sum()),
                "all wrong": int((own["share"] == 0).sum()),
                "Half of the errors in": int((sums < 0.5).sum()) + 1,
                "Worst photograph": f"{own.loc[wrong.index[0], 'photograph']} ({sums.iloc[0]:.0%})",
            }
        )
    return pd.DataFrame(rows)


def load_class(shares: pd.DataFrame, name: str) -> pd.DataFrame:
    """Photographs of a class and the share of their images that is right, by task and pooling."""
    own = shares[shares["class"] == name]
    columns = list(dict.fromkeys(zip(own["task"], own["pooling"], strict=True)))
    wide = own.pivot_table(
        index=["photograph", "images"], columns=["task", "pooling"], values="share", sort=False
    )[columns].sort_index()
    wide.columns = [f"{task}, {pooling}" for task, pooling in columns]
    return wide.rename_axis(["Photograph", "Images"]).reset_index()


# ------------------------------------------------------------------------------------- pictures


def thumbnail(number: int, width: int) -> np.ndarray | None:
    """A photograph reduced to a width, uint8 [3 width / 4, width, 3]; None if there are none."""
    if not images.available():
        return None
    whole = Image.fromarray(images.photograph(number))
    return np.asarray(whole.resize((width, 3 * width // 4), Image.Resampling.BOX))


def load_pictures(wall: pd.DataFrame) -> dict[int, np.ndarray]:
    """The photographs of a wall, no larger than it shows them; none where they can't be had."""
    pictures = {}
    for row in wall.itertuples():
        picture = thumbnail(row.photograph, int(24 * np.sqrt(row.images)))
        if picture is not None:
            pictures[row.photograph] = picture
    return pictures


def show(figure: plt.Figure):
    """Show a figure in a cell, as JPEG if it holds photographs: as SVG they would be megabytes.

    Returns
    -------
    IPython.display.Image or None
    """
    if not any(axis.images for axis in figure.axes):
        plt.show()
        return None
    from IPython import display

    stream = io.BytesIO()
    quality = {"quality": 85, "optimize": True}
    figure.savefig(stream, format="jpeg", dpi=DPI, bbox_inches="tight", pil_kwargs=quality)
    plt.close(figure)
    return display.Image(stream.getvalue(), format="jpeg")


def _tile(axis, box, picture, edge="none"):
    """A picture, or a grey tile, at left, top, width and height."""
    x, y, wide, high = box
    if picture is not None:
        extent = (x, x + wide, y + high, y)
        axis.imshow(picture, extent=extent, interpolation="antialiased", zorder=2)
    face = "#eeeeee" if picture is None else "none"
    axis.add_patch(plt.Rectangle((x, y), wide, high, fc=face, ec=edge, lw=1.5, zorder=2))


def _short(label):
    """A photograph's label in a few letters: "neu.+eos."."""
    return "+".join(name[:3].lower() + "." for name in label.split("+")) if label else "no label"


def _side(splits):
    """The side of the split on which a photograph is: TRAIN, TEST, or none."""
    return "TRAIN" if "TRAIN" in splits else "TEST" if splits else "no folder"
