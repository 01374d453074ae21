"""What the chapter on attention shows: ``load_*`` gathers it, ``plot_*`` draws it.

It is read from what ``attention`` froze. Where the images can't be had, maps are shown
over drawn cells, of which they are then, too.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from bloodlib.analyses import attention
from bloodlib.analyses.attention import HIDDEN, MAPS, SIGNS, read
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import boxes, images, photographs, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.evidence.comparison import signed, with_interval

DPI = 150  # of figures that hold pictures


def load_shares() -> pd.DataFrame:
    """How much of the maps lies on the white cell, over all images of TEST.

    Returns
    -------
    pandas.DataFrame
        A row for each task, map and sign: ``task, map, sign``; ``share, low, high``, of the
        answer's map in the box, with its interval by cell; ``other``, of another class's map;
        ``untrained``; ``blob``; ``area``, what an even map would have.
    """
    found, rows = read(), []
    for task in TASKS:
        drawn, shares = comparison.resamples(task), found[f"shares_{task}"].astype(float)
        for kind, name in enumerate(MAPS):
            for sign, signs in enumerate(SIGNS):
                ours, other, untrained = shares[:, :, kind, sign].T
                ends = intervals.mean_bounds(ours[None], drawn)
                means = [one.mean() for one in (other, untrained, found["blob"], found["area"])]
                rows.append((task, name, signs, ours.mean(), *ends, *means))
    names = ["task", "map", "sign", "share", "low", "high", "other", "untrained", "blob", "area"]
    return pd.DataFrame(rows, columns=names)


def show_shares(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`load_shares` for a page."""
    return pd.DataFrame(
        [
            {
                "Classes": row.task,
                "Map": MAPS[row.map],
                "Weight": row.sign,
                "Its answer": with_interval(row.share, row.low, row.high),
                "Another class": row.other,
                "Untrained": row.untrained,
                "Middle blob": row.blob,
                "Even": row.area,
            }
            for row in found.itertuples()
        ]
    )


def load_classes() -> pd.DataFrame:
    """The same by class, for all weight, and apart for right and wrong answers.

    Returns
    -------
    pandas.DataFrame
        A row for each task, each of the four classes and each kind of answer that there is:
        ``task, class, answer`` ("right", "wrong"); ``images``; means over these of ``visible`` and
        ``area``, see ``attention.PLACES``, and of the box's share of each map, by
        the map's name.
    """
    found, rows = read(), []
    strata = images.labels("TEST")
    for task in TASKS:
        right = found[f"labels_{task}"] == images.labels("TEST", task)
        shares = found[f"shares_{task}"][:, 0, :, 0].astype(float)
        for label, name in enumerate(CLASSES):
            for answer, given in (("right", right), ("wrong", ~right)):
                own = (strata == label) & given
                if own.any():
                    row = {"task": task, "class": name, "answer": answer, "images": int(own.sum())}
                    row |= {key: float(found[key][own].mean()) for key in ("visible", "area")}
                    rows.append(row | dict(zip(MAPS, shares[own].mean(axis=0), strict=True)))
    return pd.DataFrame(rows)


def show_classes(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`load_classes` for a page."""
    return pd.DataFrame(
        [
            {
                "Classes": row["task"],
                "Class": row["class"].capitalize(),
                "Answer": row["answer"],
                "Images": row["images"],
                "Box in the image": f"{row['visible']:.0%}",
                "Even": row["area"],
            }
            | {title: row[kind] for kind, title in MAPS.items()}
            for row in found.to_dict("records")
        ]
    )


def load_hidden() -> pd.DataFrame:
    """What the networks answer where something is hidden.

    Returns
    -------
    pandas.DataFrame
        A row for each task and each of :data:`HIDDEN`, after "nothing": ``task, hidden``;
        ``accuracy, low, high``, with its interval by cell; ``change`` from nothing hidden, and its
        interval ``least, most``; ``same``, the share of answers that stay; ``favourite``, the
        class that is answered most, and ``given``, the share of images that it is answered for.
    """
    found, rows = read(), []
    for task, names in TASKS.items():
        truth, drawn = images.labels("TEST", task), comparison.resamples(task)
        labels = found[f"labels_{task}"]
        for hidden, one in (
            ("nothing", labels), *zip(HIDDEN, found[f"hidden_{task}"].T, strict=True),
        ):  # fmt: skip
            ends = intervals.bounds(scores.accuracy, one[None], drawn)
            change = (one == truth).mean() - (labels == truth).mean()
            apart = intervals.bounds(scores.accuracy, one[None], drawn, labels[None])
            counts = np.bincount(one, minlength=len(names))
            most = names[counts.argmax()], counts.max() / len(one)
            row = (task, hidden, (one == truth).mean(), *ends, change, *apart)
            rows.append((*row, (one == labels).mean(), *most))
    names = ["task", "hidden", "accuracy", "low", "high", "change", "least", "most", "same"]
    return pd.DataFrame(rows, columns=[*names, "favourite", "given"])


def show_hidden(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`load_hidden` for a page."""
    return pd.DataFrame(
        [
            {
                "Classes": row.task,
                "Hidden": row.hidden,
                "Accuracy": with_interval(row.accuracy, row.low, row.high),
                "Change": "–"
                if row.hidden == "nothing"
                else signed(row.change, row.least, row.most),
                "Same answer": f"{row.same:.0%}",
                "Answered most": f"{row.favourite.capitalize()} ({row.given:.0%})",
            }
            for row in found.itertuples()
        ]
    )


def load_photographs(task: str) -> pd.DataFrame:
    """The box's share of the maps by photograph, absolute weights.

    Returns
    -------
    pandas.DataFrame
        A row for each photograph of TEST and map: ``map, class, photograph``; means over its
        images of ``area``, ``share``, ``untrained`` and ``right``.
    """
    found = read()
    shares = found[f"shares_{task}"][..., 0].astype(float)
    frame = pd.DataFrame(
        {
            "class": np.array(CLASSES)[images.labels("TEST")],
            "photograph": photographs.photographs("TEST"),
            "area": found["area"],
            "right": found[f"labels_{task}"] == images.labels("TEST", task),
        }
    )
    each = [
        frame.assign(map=name, share=shares[:, 0, kind], untrained=shares[:, 2, kind])
        for kind, name in enumerate(MAPS)
    ]
    keys = ["map", "class", "photograph"]
    return pd.concat(each).groupby(keys, sort=False).mean().reset_index()


def plot_photographs(found: pd.DataFrame) -> plt.Figure:
    """Weight in the box over its area: a dot a photograph, a panel for each map.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`load_photographs`. Filled: most images right. Grey: the untrained network. On
        the dotted line lie maps that know nothing of the cell.
    """
    figure, axes = plt.subplots(1, len(MAPS), figsize=(7.2, 3.6), sharex=True, sharey=True)
    for axis, (kind, title) in zip(axes, MAPS.items(), strict=True):
        own = found[found["map"] == kind]
        axis.plot([0, 1], [0, 1], color="#888888", lw=1, ls=":")
        axis.plot(own["area"], own["untrained"], "o", ms=3, color="#bbbbbb")
        for name in CLASSES:
            dots = own[own["class"] == name]
            faces = [COLOURS[name] if right >= 0.5 else "none" for right in dots["right"]]
            axis.scatter(dots["area"], dots["share"], 26, faces, edgecolors=COLOURS[name], zorder=3)
        axis.set(xlabel="area of the box (share of the image)", title=title)
        axis.set(xlim=(0, 1.1 * found["area"].max()), ylim=(0, 1))
    axes[0].set_ylabel("weight of the map in the box")
    handles = [Line2D([], [], ls="", marker="o", color=COLOURS[name]) for name in CLASSES]
    handles += [Line2D([], [], ls="", marker="o", mec="#222222", mfc="none")]
    handles += [Line2D([], [], ls="", marker="o", ms=3, color="#bbbbbb")]
    names = [*(name.capitalize() for name in CLASSES), "most wrong", "untrained"]
    figure.legend(
        handles, names, loc="outside upper center", ncols=6, fontsize=7.5, handletextpad=0
    )
    return figure


def load_profile(task: str) -> np.ndarray:
    """Mean maps about the box: float array [classes, maps, BINS, BINS], 1 for an even map."""
    sums = read()[f"profile_{task}"]
    return sums[:, :-1] / np.maximum(sums[:, -1:], 1)


def plot_profile(means: np.ndarray) -> plt.Figure:
    """Mean maps seen from the box (the frame): a row for each map, a column for each class.

    Parameters
    ----------
    means : array [classes, maps, BINS, BINS]
        See :func:`load_profile`.
    """
    figure, axes = plt.subplots(
        len(MAPS), len(CLASSES), figsize=(7.2, 3.9), sharex=True, sharey=True
    )
    for row, title in enumerate(MAPS.values()):
        for axis, name, mean in zip(axes[row], CLASSES, means[:, row], strict=True):
            drawn = axis.imshow(
                mean, cmap="magma", vmin=0, vmax=means[:, row].max(), extent=(-1, 2, 2, -1)
            )
            axis.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, ec="white", lw=1, ls="--"))
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
            if not row:
                axis.set_title(name.capitalize(), fontsize=9)
        axes[row, 0].set_ylabel(title)
        figure.colorbar(drawn, ax=axes[row], shrink=0.8, label="times an even map")
    return figure


def load_examples() -> list[dict]:
    """Maps of one image of each class, or of drawn cells where there are no images.

    Returns
    -------
    list of dict
        ``picture`` uint8 [240, 320, 3]; ``drawn``, whether it is; ``box``, bool [60, 80] or None;
        ``maps`` [maps, 15, 20]; ``true`` and ``label``, names of classes.
    """
    found, examples = read(), []
    for place, name in enumerate(CLASSES):
        drawn = not images.available()
        if drawn:
            row, box = len(CLASSES) + place, None
            picture = attention.example_drawings()[place]
        else:
            row, number = place, int(attention.example_rows()[place])
            picture = images.picture("TEST", images.names("TEST")[number])
            box = boxes.inside(boxes.coordinates("TEST", slice(number, number + 1)))[0]
        examples.append(
            {
                "picture": picture,
                "drawn": drawn,
                "box": box,
                "maps": found["examples"][row].astype(float),
                "true": name,
                "label": CLASSES[found["example_labels"][row]],
            }
        )
    return examples


def plot_examples(examples: list[dict]) -> plt.Figure:
    """Pictures, stamped if drawn; below, the maps of their answers; dashed: the white cell's box.

    Parameters
    ----------
    examples : list of dict
        See :func:`load_examples`.
    """
    rows = [None, *MAPS.values()]
    figure, axes = plt.subplots(
        len(rows), len(examples), figsize=(7.2, 4.4), squeeze=False, dpi=DPI
    )
    for column, example in zip(axes.T, examples, strict=True):
        height, width = example["picture"].shape[:2]
        frame = (0, width, height, 0)
        for place, (axis, title) in enumerate(zip(column, rows, strict=True)):
            if title:
                axis.imshow(example["picture"].mean(axis=-1), cmap="gray", vmin=0, vmax=400)
                axis.imshow(
                    example["maps"][place - 1], cmap="magma", extent=frame, alpha=0.65, vmin=0,
                    interpolation="bilinear",
                )  # fmt: skip
                if example["drawn"]:
                    axis.text(
                        0.5, 0.02, synthetic.STAMP, color="white", fontsize=5,
                        ha="center", va="bottom", transform=axis.transAxes,
                    )  # fmt: skip
            else:
                stamp = synthetic.stamp if example["drawn"] else np.asarray
                axis.imshow(stamp(example["picture"]))
            if example["box"] is not None:
                h, w = example["box"].shape
                axis.contour(
                    (np.arange(w) + 0.5) * width / w, (np.arange(h) + 0.5) * height / h,
                    example["box"], levels=[0.5], linewidths=1, linestyles="--",
                    colors="white" if title else "black",
                )  # fmt: skip
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
        column[0].set_title(
            f"{example['true'].capitalize()}\nanswer: {example['label'].lower()}", fontsize=8
        )
    for axis, title in zip(axes[1:, 0], rows[1:], strict=True):
        axis.set_ylabel(title, fontsize=8)
    return figure
