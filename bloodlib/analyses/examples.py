"""Photographs, and the images that were made from them: how each was matched, what runs answer.

Where the photographs can't be had, a tile with the photograph's number stands in the place of each.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import PercentFormatter
from PIL import Image

from bloodlib import study
from bloodlib.analyses.plots import COLOURS, DPI, bare, plot_pictures, shade
from bloodlib.data import images, photographs, registration, stored
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
#: What the best photograph of an image is best in, by the way it was found.
MEASURES = {"features": "inliers", "pixels": "correlation"}
#: Shades for a fraction of right answers, from none to all.
SHADES = "RdYlBu"


def thumbnail(number: int) -> np.ndarray | str:
    """A photograph as small as an image, uint8 [240, 320, 3]; its number where it can't be had."""
    hidden = stored.publishing() and not photographs.is_bccd(number)
    if hidden or not images.available("Original_Images"):
        return str(number)
    whole = Image.fromarray(images.photograph(number))
    return np.asarray(whole.resize(images.SOURCE.image_size, Image.Resampling.BOX))


# -------------------------------------------------------------------------------------- matching


def plot_example(split: str, name: str) -> plt.Figure:
    """An image left, its photograph right; in both, the image's outline and its first corner.

    Parameters
    ----------
    split, name : str
        As for :func:`bloodlib.data.images.picture`.
    """
    table = photographs.table()
    row = table[(table["split"] == split) & (table["name"] == name)].iloc[0]
    width, height = images.SOURCE.image_size
    outline = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    corners = outline @ registration.compose(**row[registration.PARTS]).T
    titles = f"{split}/{name}", f"photograph {row['photograph']}"
    image = registration.view(split, name) if images.available() else titles[0]
    figure = plot_pictures([image, thumbnail(int(row["photograph"]))], titles, 2)
    reach = np.concatenate([outline[:, :2], corners])
    (left, top), (right, bottom) = reach.min(axis=0), reach.max(axis=0)
    for axis, shown in zip(figure.axes, (outline[:, :2], corners), strict=True):
        axis.add_patch(plt.Polygon(shown, fill=False, ec="black", lw=1.5, ls="--"))
        axis.plot(*shown[0], "o", color="black", ms=7)
        axis.set(xlim=(left - 6, right + 6), ylim=(bottom + 6, top - 6))
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
    """Best photograph against second best, of :func:`compute_matches`.

    Features that agree left, correlation right, where a second photograph fits at all.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5))
    colours = {"the same cell": "#D55E00", "another cell": "#0072B2"}
    for axis, (how, measure) in zip(axes, MEASURES.items(), strict=True):
        own = matches[matches["found_by"] == how]
        rivals = own[own["second"] != "none"]
        sns.scatterplot(
            rivals, x=measure, y=f"runner_up_{measure}", hue="second", palette=colours,
            alpha=0.5, lw=0, ax=axis, legend=axis is axes[0],
        )  # fmt: skip
        axis.axline((0, 0), slope=1, color="#888888", lw=1, ls=":")
        axis.set(xlim=(0, None), ylim=(0, None), ylabel="second best")
        axis.set_title(f"{how}: {len(rivals):,} of {len(own):,}")
    axes[0].set_xlabel("best: features that agree")
    axes[1].set_xlabel("best: correlation of pixels")
    axes[0].legend(title="the second best shows")
    return figure


def plot_maps(maps: pd.DataFrame) -> plt.Figure:
    """How often each rotation, shear, shift and scale was fitted, in rows of the table of matches.

    Lines: what the augmentation's notebook asks for. Grey: what the matching would not have let
    pass.
    """
    tolerated = photographs.provenance()["settings"]["limits"]
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 3.6))
    for axis, (name, asked) in zip(axes.flat, ASKED.items(), strict=True):
        middle, limit = float(name.startswith("scale")), tolerated[name]
        edge = 1.12 * limit
        axis.hist(maps[name], np.linspace(middle - limit, middle + limit, 85), color="#56B4E9")
        for side in (-1, 1):
            axis.axvline(middle + side * asked, color="#222222", lw=1)
            axis.axvspan(middle + side * limit, middle + side * edge, color="#d9d9d9", lw=0)
        unit = "" if middle else " (pixels)" if "shift" in name else " (°)"
        axis.set(xlim=(middle - edge, middle + edge), xlabel=name.replace("_", " along ") + unit)
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
    path = stored.results_folder() / "handcheck.csv"
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
        found = pd.DataFrame(
            {
                "class": np.array([name.capitalize() for name in CLASSES])[images.labels(split)],
                "photograph": photographs.photographs(split),
                "cell": photographs.cells(split),
            }
        )
        for name, own in [*found.groupby("class", sort=False), ("all", found)]:
            known = own[own["photograph"] >= 0]
            each = known["photograph"].value_counts()
            ends = dict.fromkeys(map(str, (each.min(), each.max())))
            rows.append((split, name, len(own), len(each), known["cell"].nunique(), "–".join(ends)))
    columns = ["Folder", "Class", "Images", "Photographs", "Cells", "Images of each"]
    return pd.DataFrame(rows, columns=columns)


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
            own = chosen.loc[chosen["class"] == name, "images"].sort_values(ascending=False)
            label = f"{name.capitalize()}: {len(own)}"
            axis.bar(start + np.arange(len(own)), own, 0.9, color=COLOURS[name], label=label)
            start += len(own) + len(chosen) / 40
        axis.set(xticks=[], ylabel="images of each")
        axis.set_title(f"{split}: {chosen['images'].sum():,} images, {len(chosen)} photographs")
        axis.legend(loc="upper left", fontsize=8)
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
        across = ["a side each"] if {*sides} == {"TRAIN", "TEST"} else []
        if why := [*_difference(*pair["labels"]), *across]:
            labels = [label.lower() or "none" for label in pair["labels"]]
            images_of = [counts.get(number, 0) for number in pair["photographs"]]
            cells = (pair["photographs"], labels, sides, images_of, why)
            rows.append([", ".join(map(str, cell)) for cell in cells])
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

    A dot's area is the number of images; the three photographs with most of the wrong answers have
    their number below.
    """
    tasks = [task for task in TASKS if task in set(shares["task"])]
    figure, axes = plt.subplots(len(tasks), 1, figsize=(7.2, 2.7 * len(tasks)), squeeze=False)
    for axis, task in zip(axes.flat, tasks, strict=True):
        own = shares[shares["task"] == task]
        order = own.groupby("photograph")["share"].mean().sort_values(kind="stable").index
        place = own["photograph"].map(order.get_loc)
        sns.scatterplot(
            own, x=place, y="share", hue="class", hue_order=CLASSES, palette=COLOURS,
            style="pooling", size="images", sizes=(10, 70), alpha=0.7, ax=axis,
        )  # fmt: skip
        wrong = (own["images"] - own["right"]).groupby(own["photograph"]).sum().nlargest(3)
        places = sorted(map(order.get_loc, wrong.index))
        axis.set_xticks(places, order[places], fontsize=6, rotation=90)
        axis.set(ylabel="fraction right", title=f"{task} classes")
        axis.set_xlabel(f"TEST's {len(order)} photographs, by their mean fraction")
        handles, names = axis.get_legend_handles_labels()
        axis.get_legend().remove()
    figure.legend(handles, names, loc="outside lower center", ncols=5, fontsize=8)
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
    for (_, task, pooling), own in shares.groupby(["run", "task", "pooling"]):
        wrong = (own["images"] - own["right"]).set_axis(own["photograph"])
        wrong = wrong.sort_values(ascending=False)
        all_right, all_wrong = (int((own["share"] == share).sum()) for share in (1, 0))
        row = {"task": task, "pooling": pooling, "wrong": int(wrong.sum())}
        row |= {"all_right": all_right, "all_wrong": all_wrong, "half": 0}
        if total := row["wrong"]:
            row["half"] = int((wrong.cumsum() < total / 2).sum()) + 1
            row |= {"worst": wrong.index[0], "share": wrong.iloc[0] / total}
        rows.append(row)
    columns = ["task", "pooling", "wrong", "all_right", "all_wrong", "half", "worst", "share"]
    return pd.DataFrame(rows, columns=columns)


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
        format=PercentFormatter(1), label="images of a photograph that DCLNN gets right",
    )  # fmt: skip
    return figure
