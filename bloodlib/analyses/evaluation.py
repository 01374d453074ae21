"""The stored networks and baselines on a laboratory's own cells: a folder of labelled pictures.

Pictures are shown as they are, with TRAIN's stain, and with TRAIN's stain and scale, which are
stored: no image of the training slides is needed. Whole pictures are read one at a time, twice;
what is kept of each is what the networks see, 14 kB.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix
from tqdm import tqdm

from bloodlib.analyses import (
    external_validation,
    out_of_distribution,
    plots,
    prediction,
    stain_normalisation,
    stored_models,
)
from bloodlib.data import images
from bloodlib.data.images import CLASSES, NUCLEI, TASKS
from bloodlib.evidence import intervals, scores
from bloodlib.models import weights
from bloodlib.models.methods import NAMES

METHODS = ("DCLNN", *stored_models.METHODS)
#: What folders and labels may be called, without case, signs and a plural's s.
SYNONYMS = {
    "EOSINOPHIL": "eosinophil eosinophile eosino eosin eo",
    "LYMPHOCYTE": "lymphocyte lympho lymph lym ly lymphocytetypical typicallymphocyte lyt",
    "MONOCYTE": "monocyte mono mon mo",
    "NEUTROPHIL": "neutrophil neutrophile neutro neut neu ne segmentedneutrophil bandneutrophil "
    "neutrophilsegmented neutrophilband segneutrophil ng ngb polymorphonuclearneutrophil pmn",
}
#: What boxes of white cells may be called that don't say which.
WHITE = ("", "wbc", "whitebloodcell", "whitecell", "leukocyte", "leucocyte", "cell")
#: From so many pictures on, red cells give the scale, otherwise the white cells.
ENOUGH = 5
#: Draws of groups for the intervals; pictures of which the stain is measured, at most.
DRAWS, STAINED = 2000, 500


class Cell(NamedTuple):
    """A cell: its picture, class (a number), group or "", and box in pixels or None."""

    path: Path
    label: int
    group: str
    box: tuple[float, float, float, float] | None


class Cells(NamedTuple):
    """Cells as the networks see them.

    Attributes
    ----------
    pixels : dict of str to uint8 array [n, 60, 80, 3]
        By what was done to them: ``as they are``, ``stain``, ``scale and stain``.
    labels : int array [n]
        Positions in ``images.CLASSES``.
    groups : int array [n]
        Numbers of the groups; each picture is its own where none are given.
    facts : dict
        For JSON, see :func:`score`.
    """

    pixels: dict[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray
    facts: dict


def class_of(name: str) -> int | None:
    """The position in ``images.CLASSES`` of a class by one of its names; None if it has none."""
    plain = re.sub("[^a-z]", "", str(name).lower())
    for k, known in enumerate(CLASSES):
        if {plain, plain.removesuffix("s")} & set(SYNONYMS[known].split()):
            return k
    return None


def read_table(path: str | Path, *needed: str) -> pd.DataFrame:
    """A user's CSV, its columns in lower case and its cells text.

    Raises
    ------
    ValueError
        If it can't be read or lacks a column that is needed.
    """
    try:
        found = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=str.lower)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read as a CSV table ({error}).") from error
    if missing := [name for name in needed if name not in found]:
        raise ValueError(
            f"{path} has no column {' and no '.join(missing)}. Its columns are {', '.join(found)}."
        )
    return found


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Boxes of a CSV, or of a folder with annotations of Pascal VOC: file, label and four edges.

    Raises
    ------
    ValueError
        If there are none, or one can't be read.
    """
    edges = ["left", "top", "right", "bottom"]
    if Path(path).is_dir():
        rows = []
        for file in sorted(Path(path).glob("[!.]*.xml")):
            try:
                for one in ET.parse(file).iterfind("object"):  # noqa: S314
                    where = [one.findtext(f"bndbox/{e}") for e in ("xmin", "ymin", "xmax", "ymax")]
                    rows.append((file.stem, one.findtext("name"), *where))
            except ET.ParseError as error:
                raise ValueError(f"{file} is no annotation of Pascal VOC ({error}).") from error
        found = pd.DataFrame(rows, columns=["file", "label", *edges])
    else:
        found = read_table(path, "file", *edges)
        found = found.assign(label=found.get("label", ""))
    if not len(found):
        raise ValueError(f"{path} has no boxes. Give a CSV, or a folder of Pascal VOC's XML files.")
    try:
        return found.astype(dict.fromkeys(edges, float))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} has a box without four numbers ({error}). Give left, top, right and bottom."
        ) from error


def find(
    folder: str | Path,
    labels: str | Path | None = None,
    groups: str | Path | None = None,
    boxes: str | Path | None = None,
) -> tuple[list[Cell], dict[str, int]]:
    """The labelled cells of a folder, and how many pictures are left out, by the reason.

    Parameters
    ----------
    folder : path
        Its folders are the classes (:data:`SYNONYMS`), unless ``labels`` are given.
    labels, groups : path, optional
        CSV with the columns file and label, or group (patient or slide); one file may have both.
        A file is named from the folder on, or by its name alone, with or without its ending.
    boxes : path, optional
        Where the white cells are: see :func:`read_boxes`. A box may name its class.

    Raises
    ------
    ValueError
        If there is no folder, a table can't be used, or no cell is left.
    """
    folder, left, found = Path(folder), {}, []
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}. Give one with a folder for each class.")
    label_of, group_of, around = {}, {}, {}
    if labels:
        given = read_table(labels, "file", "label")
        label_of = dict(zip(given["file"], given["label"], strict=True))
        if "group" in given:
            group_of = dict(zip(given["file"], given["group"], strict=True))
    if groups:
        given = read_table(groups, "file", "group")
        group_of = dict(zip(given["file"], given["group"], strict=True))
    if boxes:
        given = read_boxes(boxes)
        around = dict(list(given.groupby(given["file"].map(lambda name: Path(name).stem))))

    def leave_out(reason):
        left[reason] = left.get(reason, 0) + 1

    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in prediction.SUFFIXES or any(p[0] == "." for p in inside.parts):
            continue
        names = inside.as_posix(), path.name, path.stem

        def named(table, usual, names=names):
            return next((table[name] for name in names if name in table), usual)

        own = named(label_of, "") if labels else inside.parent.name
        group = named(group_of, "")
        places = [(own, None)]
        if boxes:
            rows = around.get(path.stem, pd.DataFrame()).itertuples()
            places = [
                (
                    row.label if class_of(row.label) is not None else own,
                    (row.left, row.top, row.right, row.bottom),
                )
                for row in rows
                if class_of(row.label) is not None
                or re.sub("[^a-z]", "", row.label.lower()) in WHITE
            ]
            if not places:
                leave_out("without a box of a white cell")
        for label, box in places:
            number = class_of(label)
            if number is None:
                leave_out(f"of the class {label!r}" if label else "without a label")
            else:
                found.append(Cell(path, number, group, box))
    if not found:
        raise ValueError(
            f"{folder} has no labelled picture of {', '.join(CLASSES).lower()}. Put those of each "
            "class into a folder of its name, or give --labels."
        )
    return found, left


def load(
    folder: str | Path,
    labels: str | Path | None = None,
    groups: str | Path | None = None,
    boxes: str | Path | None = None,
) -> Cells:
    """Read the cells of a folder and show them in every way; the parameters are :func:`find`'s.

    Around a box as much is shown as makes boxes as large as those of the training slides. Without
    boxes the middle is shown, and then as much of it as makes red cells, or white cells where too
    few of those are measured, as large as in the training slides. One factor serves all pictures.
    """
    cells, left = find(folder, labels, groups, boxes)
    usual, target = out_of_distribution.load_reference()["sizes"], external_validation.stain()
    sides = [_side(cell.box) for cell in cells if cell.box]
    scale = 1.0
    if sides:
        scale = float(np.median(sides) / external_validation.diameters()["white cells"][0])
    kept, plain, sizes, refused = [], [], [], []
    for cell in tqdm(cells, "reading", unit=" pictures", disable=None, leave=False):
        try:
            picture = prediction.open_picture(cell.path)
            seen = _shown(picture, cell.box, scale)
            prediction.check_cell(cell.path, seen)
        except prediction.PictureError as error:
            refused.append({"file": str(cell.path), "error": str(error)})
            continue
        kept.append(cell)
        plain.append(seen)
        if not boxes:
            measured = out_of_distribution.measure_sizes(picture, usual)
            sizes.append((measured["white_scale"], measured["red_scale"]))
    if not kept:
        raise ValueError(f"no picture in {folder} can be used. {refused[0]['error']}")
    pixels = {"as they are": np.stack(plain)}
    pixels["stain"], unchanged = _stained(pixels["as they are"], target)
    if not boxes:
        white, red = np.array(sizes, float).T
        measured = red if np.isfinite(red).sum() >= ENOUGH else white
        scale = float(np.nanmedian(measured)) if np.isfinite(measured).any() else None
        if scale:
            again = tqdm(kept, "scaling", unit=" pictures", disable=None, leave=False)
            scaled = [_shown(prediction.open_picture(cell.path), None, scale) for cell in again]
            pixels["scale and stain"], _ = _stained(np.stack(scaled), target)
    named = [cell.group or f"picture {k}" for k, cell in enumerate(kept)]
    known, numbers = np.unique(named, return_inverse=True)
    facts = {
        "folder": str(folder),
        "pictures": len(kept),
        "groups": len(known) if any(cell.group for cell in kept) else None,
        "scale": scale,
        "stain_not_measured": unchanged,
        "left_out": left,
        "refused": refused,
    }
    return Cells(pixels, np.array([cell.label for cell in kept]), numbers, facts)


def _side(box):
    """The mean side of a box."""
    left, top, right, bottom = box
    return np.sqrt(max(right - left, 1) * max(bottom - top, 1))


def _shown(picture, box, scale):
    """The middle of a picture, or what is round a box, at a scale."""
    if box is None:
        return prediction.view(picture, scale)
    width, height = images.SOURCE.photograph_size
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return external_validation.window(picture, scale * width, scale * height, centre)


def _stained(pixels, target):
    """Pictures with another stain, and how many stay as they are; some hundred at once."""
    some = pixels[:: -(-len(pixels) // STAINED)]
    own = stain_normalisation.measure_stain(some)
    blocks = [pixels[start : start + 200] for start in range(0, len(pixels), 200)]
    found = np.concatenate([stain_normalisation.match_stain(b, target, own) for b in blocks])
    return found, int((found == pixels).all(axis=(1, 2, 3)).sum())


def score(cells: Cells) -> dict:
    """What every method answers for cells, shown in every way, and how often that is right.

    Returns
    -------
    dict
        For JSON. ``folder, pictures``; ``groups``, how many, None where none were given;
        ``left_out``, pictures by the reason; ``refused``, a file and an error each;
        ``stain_not_measured``, pictures that stay as they are; ``scale``, how many times as large
        as in the training slides cells are, None if not measured; ``classes``, pictures of each;
        ``results``, for each method, task and way of showing ``accuracy`` and ``balanced``, each a
        number and its 95% interval, ``recall``, the same by class, ``confusion`` (rows: true
        class), ``guessing``, the fraction of the most frequent class, and ``flagged``, that of
        pictures unlike the training slides.
    """
    reference, results = out_of_distribution.load_reference(), []
    for task, names in TASKS.items():
        y_true = cells.labels
        if task == "two":
            y_true = np.array([NUCLEI[CLASSES[label]] for label in cells.labels])
        resamples = intervals.resample(y_true, cells.groups, len(names), DRAWS, strata=cells.labels)
        for way, pixels in cells.pixels.items():
            away = out_of_distribution.distance(weights.features(pixels), reference)
            nearer = out_of_distribution.fraction_nearer(away, reference)
            for method in METHODS:
                if method == "DCLNN":
                    y_pred = weights.predict(task, pixels).argmax(axis=1)
                else:
                    y_pred = stored_models.predict(method, task, pixels).argmax(axis=1)
                counts = confusion_matrix(y_true, y_pred, labels=range(len(names)))
                value = _scores(counts)
                low, high = intervals.bounds(_scores, y_pred[None], resamples)
                three = [
                    [None if np.isnan(v) else round(float(v), 4) for v in one]
                    for one in zip(value, low, high, strict=True)
                ]
                results.append(
                    {
                        "task": task,
                        "shown": way,
                        "method": method,
                        "accuracy": three[0],
                        "balanced": three[1],
                        "recall": dict(zip(map(str.lower, names), three[2:], strict=True)),
                        "confusion": counts.tolist(),
                        "guessing": float(counts.sum(axis=1).max() / counts.sum()),
                        "flagged": float((nearer >= out_of_distribution.LIMIT).mean()),
                    }
                )
    classes = {name.lower(): int((cells.labels == k).sum()) for k, name in enumerate(CLASSES)}
    return cells.facts | {"classes": classes, "results": results}


def _scores(confusion):
    """Accuracy, balanced accuracy over the classes that there are, and the recalls."""
    n = confusion.sum(axis=-1)
    recall = np.where(n > 0, scores.recall(confusion), np.nan)
    accuracy = scores.accuracy(confusion)
    return np.concatenate([np.stack([accuracy, np.nanmean(recall, axis=-1)], -1), recall], -1)


def text(found: dict) -> str:
    """Results of :func:`score` in lines."""
    counted = ", ".join(f"{n} {name}" for name, n in found["classes"].items())
    over = f"{found['groups']} groups" if found["groups"] else "pictures"
    lines = [
        f"{found['folder']}: {found['pictures']} cells ({counted}); 95% intervals over {over}",
        *(f"left out: {n} {reason}" for reason, n in found["left_out"].items()),
        f"refused: {len(found['refused'])} pictures",
        *(f"  {one['error']}" for one in found["refused"]),
        f"stain not measured, picture left as it is: {found['stain_not_measured']}",
    ]
    if found["scale"]:
        lines.append(f"cells are {found['scale']:.2f} times as large as in the training slides")
    else:
        lines.append("scale not measured: cells are shown as large as they are")

    def interval(three):
        return "-" if three[0] is None else "{:.2f} ({:.2f}-{:.2f})".format(*three)

    for task, rows in pd.DataFrame(found["results"]).groupby("task", sort=False):
        shown = rows[["shown"]].assign(method=rows["method"].map(NAMES))
        for score in ("accuracy", "balanced"):
            shown[score] = rows[score].map(interval)
        for name in rows["recall"].iloc[0]:
            shown[name] = [interval(recall[name]) for recall in rows["recall"]]
        shown["flagged"] = rows["flagged"].map("{:.0%}".format)
        guessing = rows["guessing"].iloc[0]
        lines += ["", f"{task} classes, most frequent class {guessing:.2f}; by class: recall"]
        lines.append(shown.to_string(index=False))
    return "\n".join(lines)


def plot(found: dict, cells: Cells) -> plt.Figure:
    """Eight of the cells, shown in every way, and the accuracy of each method."""
    ways = list(cells.pixels)
    figure = plt.figure(figsize=(7.2, 1 + len(ways) + 2.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[len(ways), 2.6])
    some = np.linspace(0, len(cells.labels) - 1, 8).astype(int)
    for row, way in zip(above.subplots(len(ways), 8, squeeze=False), ways, strict=True):
        for axis, k in zip(row, some, strict=True):
            axis.imshow(cells.pixels[way][k])
            plots.bare(axis)
        row[0].set_ylabel(way, fontsize=7)
    axes = below.subplots(1, 2, sharey=True)
    plots.in_rows(axes, ways)
    rows = pd.DataFrame(found["results"]).groupby("task", sort=False)
    for axis, (task, one) in zip(axes, rows, strict=True):
        for k, (method, own) in enumerate(one.groupby("method", sort=False)):
            three = np.stack(own["accuracy"].to_numpy()).T
            y, colour = np.arange(len(own)) + 0.22 * (k - 1), plots.COLOURS[method]
            plots.plot_intervals(axis, y, *three, colour, label=NAMES[method])
        axis.axvline(one["guessing"].iloc[0], color="#888888", lw=1, ls=":")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy")
    axes[0].legend(fontsize=7)
    return figure
