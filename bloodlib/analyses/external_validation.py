"""External validation: the trained networks on cells of a laboratory that they were not trained on.

The pictures are of PBC, "A dataset of microscopic peripheral blood cell images for development of
automatic recognition systems" by Acevedo et al. (2020), doi:10.17632/snkd93bnjr.1, CC BY 4.0; of
its eight kinds the four of the paper. ``results/pbc.sha256`` names those that are used, in the
format of ``sha256sum``. Another microscope has another scale, another stain other colours: pictures
are brought to those of BCCD in several variants (:data:`VARIANTS`), all but those with the
background alone were set before any answer was seen.
"""

import io
import itertools
from typing import NamedTuple

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots, prediction, stain_normalisation
from bloodlib.analyses.plots import COLOURS
from bloodlib.analyses.stain_normalisation import Channels, Stain
from bloodlib.data import boxes, images, paths, photographs, stored
from bloodlib.data.images import CLASSES, NUCLEI, TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.models import methods, weights
from bloodlib.study import measurements

NAME = "external-validation"
FOLDER = "PBC_dataset_normal_DIB"
MANIFEST = "pbc.sha256"
REMEDY = "Restore it with 'git checkout results'."
SOURCE = "https://doi.org/10.17632/snkd93bnjr.1"
#: What is shown of a picture: all of it, squeezed to the shape of BCCD's; the largest part in the
#: middle that has this shape; or as much as makes white, or red cells as large as in BCCD.
SCALES = ("squeezed", "cropped", "white cells", "red cells")
#: As published; each channel with TRAIN's mean and standard deviation; with TRAIN's background; or
#: with TRAIN's background, red cells and nuclei.
RECOLOURED = ("own", "channels", "background", "stain")
#: Every variant, in the order in which answers are kept.
VARIANTS = tuple(itertools.product(SCALES, RECOLOURED))
#: The variant that is quoted. Red cells tell scale and say nothing of the class, and only by stain
#: do nuclei get the colour that they have in TRAIN.
QUOTED = ("red cells", "stain")
METHODS = ("NB", "SVM", "DCLNN")
#: Height and width of nearly all pictures.
SIZE = (363, 360)
VERSION = 1  # raised when the computation changes


class Diameters(NamedTuple):
    """Diameter of cells in pixels: in BCCD's photographs of 640x480, and in PBC's pictures."""

    bccd: float
    pbc: float


# ---------------------------------------------------------------------------------- the pictures


def names() -> np.ndarray:
    """The pictures that are used, as ``class/name``: str array [n], by class, then by name.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the list is not there or can't be read.
    """
    return np.array(list(_manifest()))


def labels(task: str = "four") -> np.ndarray:
    """True classes of the pictures: uint8 array [n], positions in ``images.TASKS``."""
    four = [CLASSES.index(name.partition("/")[0].upper()) for name in names()]
    nuclei = np.array([NUCLEI[name] for name in CLASSES])
    return (np.array(four) if task == "four" else nuclei[four]).astype(np.uint8)


def load() -> list[np.ndarray]:
    """The pictures, each verified: uint8 arrays [height, width, 3], RGB, some of other sizes.

    Raises
    ------
    bloodlib.data.images.DatasetNotFoundError
        If there are none.
    bloodlib.data.stored.StoredError
        If one is missing, or not the one in the list.
    """
    from PIL import Image

    folder = paths.data_folder() / FOLDER
    if not folder.is_dir():
        raise images.DatasetNotFoundError(
            f"no pictures at {folder}. Download PBC from {SOURCE}, unpack it so that its classes "
            "are folders there, or set BLOODLIB_DATA to the folder that holds it."
        )
    remedy = f"Download PBC again from {SOURCE}."
    found = []
    for name, digest in _manifest().items():
        raw = stored.read(folder / name, remedy, digest)
        found.append(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
    return found


def _listed():
    """SHA-256 of the list."""
    return stored.checksum(stored.read(paths.results_folder() / MANIFEST, REMEDY))


def _manifest():
    """SHA-256 by name."""
    path = paths.results_folder() / MANIFEST
    raw = stored.read(path, REMEDY)
    try:
        entries = dict(reversed(line.split("  ", 1)) for line in raw.decode().splitlines())
        if not entries or {name.partition("/")[0].upper() for name in entries} - set(CLASSES):
            raise ValueError("it names no pictures of the four classes")
    except ValueError as error:
        raise stored.StoredError(f"{path} can't be read ({error}). {REMEDY}") from error
    return entries


# ------------------------------------------------------------------------------------- the scale


def red_cells(picture: np.ndarray) -> np.ndarray:
    """Diameters of the red cells that lie alone: those of circles of the same area, in pixels.

    What is darker than the background in green, by Otsu's threshold, and round, whole and free on
    all sides; white cells and platelets are kept out by their size.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]

    Returns
    -------
    float array [cells]
    """
    height, width = picture.shape[:2]
    green = cv2.GaussianBlur(picture[..., 1], (0, 0), 1.5)
    _, dark = cv2.threshold(green, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in outlines:
        left, top, across, down = cv2.boundingRect(outline)
        area = cv2.contourArea(outline)
        diameter = 2 * np.sqrt(area / np.pi)
        inside = left > 1 and top > 1 and left + across < width - 1 and top + down < height - 1
        if not inside or not 0.1 < diameter / height < 0.3:
            continue
        _, axes, _ = cv2.fitEllipse(outline)
        if min(axes) > 0.75 * max(axes) and area > 0.95 * cv2.contourArea(cv2.convexHull(outline)):
            found.append(diameter)
    return np.array(found)


def white_cell(picture: np.ndarray) -> float:
    """Mean side of the box round the largest purple thing of a PBC picture, in pixels.

    Purple is what has less green than red and blue, by Otsu's threshold; nan if there is none.
    """
    red, green, blue = np.moveaxis(cv2.GaussianBlur(picture, (0, 0), 2).astype(float), -1, 0)
    purple = np.clip((red + blue) / 2 - green + 64, 0, 255).astype(np.uint8)
    _, inside = cv2.threshold(purple, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    found = cv2.connectedComponentsWithStats(inside)[2][1:]
    if not len(found):
        return np.nan
    largest = found[found[:, cv2.CC_STAT_AREA].argmax()]
    return float(np.sqrt(largest[cv2.CC_STAT_WIDTH] * largest[cv2.CC_STAT_HEIGHT]))


def measure_diameters(pictures: list[np.ndarray]) -> dict[str, Diameters]:
    """How large cells are in the photographs behind TRAIN, and in PBC's pictures.

    Red cells: medians. White cells: means over the four classes of their medians, in BCCD of the
    boxes that its annotators drew.

    Parameters
    ----------
    pictures : list of uint8 array [height, width, 3]
        See :func:`load`.
    """
    behind = np.setdiff1d(photographs.photographs("TRAIN"), [-1])
    bccd = np.concatenate([red_cells(images.photograph(number)) for number in behind])
    pbc = np.concatenate([red_cells(picture) for picture in pictures])
    drawn = boxes.table().drop_duplicates("photograph", keep=False).set_index("photograph")
    drawn = drawn.loc[np.intersect1d(behind, drawn.index)]
    sides = np.sqrt((drawn["right"] - drawn["left"]) * (drawn["bottom"] - drawn["top"]))
    listed = photographs.cell_table().set_index("photograph")["labels"].loc[drawn.index]
    white = pd.Series([white_cell(picture) for picture in pictures]).groupby(labels()).median()
    return {
        "white cells": Diameters(
            float(np.mean([sides[listed == name].median() for name in CLASSES])),
            float(white.mean()),
        ),
        "red cells": Diameters(float(np.median(bccd)), float(np.median(pbc))),
    }


def field(scale: str, diameters: dict[str, Diameters], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width, in a picture's pixels, of what is shown of it.

    Parameters
    ----------
    scale : str
        One of :data:`SCALES`.
    diameters : dict of Diameters
        Of the last two of them, by their names.
    size : tuple of int
        Height and width of the picture; what is shown may reach beyond it.
    """
    height, width = size
    across, down = images.SOURCE.photograph_size
    if scale == "squeezed":
        return height, width
    if scale == "cropped":
        across, down = min(width, height * across / down), min(height, width * down / across)
        return round(down), round(across)
    cells = diameters[scale]
    return round(down * cells.pbc / cells.bccd), round(across * cells.pbc / cells.bccd)


def crop(picture: np.ndarray, shown: tuple[int, int]) -> np.ndarray:
    """The middle of a picture as the methods see it; beyond its edges it is mirrored.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    shown : tuple of int
        Height and width of what is shown, in the picture's pixels.

    Returns
    -------
    uint8 array [60, 80, 3]
    """
    margins = [
        max(0, -(-(wanted - has) // 2))
        for wanted, has in zip(shown, picture.shape[:2], strict=True)
    ]
    wide = np.pad(picture, [(m, m) for m in margins] + [(0, 0)], mode="symmetric")
    top, left = ((has - wanted) // 2 for wanted, has in zip(shown, wide.shape[:2], strict=True))
    return images.resize(wide[top : top + shown[0], left : left + shown[1]])


def prepare(
    pictures: list[np.ndarray],
    diameters: dict[str, Diameters],
    channels: Channels,
    stain: Stain,
) -> tuple[np.ndarray, int]:
    """The pictures in every variant, and how often one could not be given other colours.

    Parameters
    ----------
    pictures : list of uint8 array [height, width, 3]
    diameters : dict of Diameters
    channels : Channels
        Of TRAIN.
    stain : Stain
        Of TRAIN.

    Returns
    -------
    pixels : uint8 array [n, variants, 60, 80, 3]
    unchanged : int
    """
    found, unchanged = [], 0
    for scale in SCALES:
        own = np.stack([crop(p, field(scale, diameters, p.shape[:2])) for p in pictures])
        recoloured = (
            stain_normalisation.match_channels(own, channels),
            stain_normalisation.match_background(own, stain.background),
            stain_normalisation.match_stain(own, stain),
        )
        found += [own, *(pixels for pixels, _ in recoloured)]
        unchanged += sum(n for _, n in recoloured)
    return np.stack(found, axis=1), unchanged


# ----------------------------------------------------------------------------------- the answers


def compute() -> None:
    """Have networks and baselines answer in every variant; write ``results/laboratory.npz``.

    The networks are those of ``weights``; the baselines, as in Table 1, learn from
    TRAIN first. Takes some ten minutes, most of them for the SVM. It goes on where it was stopped.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no pictures or no images.
    bloodlib.data.stored.StoredError
        If there are no weights or no boxes, or a picture is not the right one.
    """
    clock, pictures = stored.Clock(), load()
    train = images.load("TRAIN").pixels
    diameters = measure_diameters(pictures)
    channels = stain_normalisation.measure_channels(train)
    stain = stain_normalisation.measure_stain(train[::8])
    pixels, unchanged = prepare(pictures, diameters, channels, stain)
    n, variants = pixels.shape[:2]
    flat = pixels.reshape(-1, *pixels.shape[2:])
    own = pixels[:, 0]
    settings = {
        "pictures": _listed(),
        "ways": VARIANTS,
        "rulers": {name: cells._asdict() for name, cells in diameters.items()},
        "tint": _plain(TRAIN=channels, PBC=stain_normalisation.measure_channels(own)),
        "stain": _plain(TRAIN=stain, PBC=stain_normalisation.measure_stain(own)),
        "unchanged": unchanged,
        "version": VERSION,
        "weights": {task: weights.provenance(task)["weights"] for task in TASKS},
    }
    data = methods.Data(
        {"TRAIN": train, "TEST": flat, "TEST_SIMPLE": flat[:1]},
        {
            task: {
                "TRAIN": images.labels("TRAIN", task),
                "TEST": np.repeat(labels(task), variants),
            }
            for task in TASKS
        },
        settings["pictures"],
    )
    arrays = {"truth": labels()}
    for task in TASKS:

        def network(rows, task=task):
            shown = pixels[rows]
            found = weights.predict(task, shown.reshape(-1, *shown.shape[2:]))
            return {"chances": found.reshape(len(shown), variants, -1).astype(np.float16)}

        title, asked = f"{NAME} {task}", settings | {"task": task}
        answers = measurements.in_chunks(title, asked, network, n, clock)
        arrays[f"DCLNN_{task}"] = answers["chances"]
    for method, task in itertools.product(METHODS[:2], TASKS):
        config = study.resolve(comparison.COMPARED[method] | {"task": task})

        def baseline(rows, config=config):
            predicted = study.predict(config, data)
            return {"labels": predicted.labels[0].reshape(n, variants)}

        title, asked = f"{NAME} {method} {task}", settings | {"config": config}
        answers = measurements.in_chunks(title, asked, baseline, n, clock, size=n)
        arrays[f"{method}_{task}"] = answers["labels"]
    measurements.save(NAME, arrays, settings, clock)


def _plain(**measured):
    """Colours of TRAIN and of the pictures as published, for JSON."""
    return {
        name: {part: value.round(3).tolist() for part, value in found._asdict().items()}
        for name, found in measured.items()
    }


def read() -> dict[str, np.ndarray]:
    """The answers, verified.

    Returns
    -------
    dict of array
        ``truth``: uint8 [n], of four classes; ``DCLNN_four``, ``DCLNN_two``: probabilities, float16
        [n, variants, classes]; ``NB_four`` and so on: labels, uint8 [n, variants]. Pictures are in
        the order of :func:`names`, variants in that of :data:`VARIANTS`.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there are none, or they can't be trusted.
    """
    arrays, made = measurements.read(NAME)
    truth = labels()
    shapes = {"truth": truth.shape}
    for method, (task, classes) in itertools.product(METHODS, TASKS.items()):
        more = (len(classes),) if method == "DCLNN" else ()
        shapes[f"{method}_{task}"] = (len(truth), len(VARIANTS), *more)
    measurements.check(NAME, arrays, shapes)
    if made["settings"]["pictures"] != _listed() or not np.array_equal(arrays["truth"], truth):
        raise stored.StoredError(
            f"laboratory.npz is not about the pictures of {MANIFEST}: "
            f"`bloodlib measure {NAME}` makes it anew."
        )
    return arrays


def predicted(method: str, task: str, variant: tuple[str, str] = QUOTED) -> np.ndarray:
    """Labels that a method gives the pictures in one variant: int array [n]."""
    found = read()[f"{method}_{task}"][:, VARIANTS.index(variant)]
    return found.argmax(axis=-1) if method == "DCLNN" else found.astype(int)


def confusion(method: str, task: str, variant: tuple[str, str] = QUOTED) -> np.ndarray:
    """Counts of (true, predicted) in one variant: int array [classes, classes]."""
    from sklearn.metrics import confusion_matrix

    found = predicted(method, task, variant)
    return confusion_matrix(labels(task), found, labels=range(len(TASKS[task])))


# --------------------------------------------------------------------------------- what is shown


def diameters() -> dict[str, Diameters]:
    """The diameters that the pictures were scaled with: of ``white cells`` and ``red cells``."""
    found = measurements.read(NAME).made["settings"]["rulers"]
    return {name: Diameters(*found[name].values()) for name in SCALES[2:]}


def majority_accuracy(task: str) -> float:
    """Accuracy of naming the most frequent class always."""
    return float(np.bincount(labels(task)).max() / len(labels(task)))


def internal(task: str) -> comparison.Estimate:
    """Accuracy of the same network on TEST, with its cell-clustered interval."""
    return comparison.estimate([prediction.recorded(task)])


def compute_scores() -> pd.DataFrame:
    """What each method scores in each variant.

    Returns
    -------
    pandas.DataFrame
        ``task, method, scale, colours``; ``accuracy, low, high``: with Clopper and Pearson's
        interval, each picture an observation; ``favourite``: the class that is answered most,
        ``given``: the share of pictures that it is answered for; ``sure``: DCLNN's mean
        probability of its answers, otherwise nan.
    """
    rows = []
    for task, method, variant in itertools.product(TASKS, METHODS, VARIANTS):
        counts = confusion(method, task, variant)
        n, answered = counts.sum(), counts.sum(axis=0)
        low, high = intervals.clopper_pearson(np.trace(counts), n)
        sure = np.nan
        if method == "DCLNN":
            probabilities = read()[f"DCLNN_{task}"][:, VARIANTS.index(variant)]
            sure = float(probabilities.max(axis=1).mean(dtype=float))
        favourite = TASKS[task][answered.argmax()], answered.max() / n
        accuracy = float(scores.accuracy(counts))
        rows.append((task, method, *variant, accuracy, float(low), float(high), *favourite, sure))
    columns = ["task", "method", "scale", "colours", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "favourite", "given", "sure"])


def side_by_side(found: pd.DataFrame) -> pd.DataFrame:
    """DCLNN's rows of :func:`compute_scores`, both tasks beside each other.

    Columns but ``scale`` and ``colours`` have the task's name behind: ``accuracy_four`` ...
    """
    own = found[found["method"] == "DCLNN"].drop(columns="method")
    four, two = (own[own["task"] == task].drop(columns="task") for task in TASKS)
    return four.merge(two, on=["scale", "colours"], suffixes=("_four", "_two"))


def plot_scores(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of each method in each variant, of :func:`compute_scores`; the quoted one in bold.

    Dotted: always the most frequent class; dashed: DCLNN on TEST.
    """
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 5.2), sharey=True)
    # a gap after each scale
    places = {variant: i + 0.6 * (i // len(RECOLOURED)) for i, variant in enumerate(VARIANTS)}
    for axis, task in zip(axes, TASKS, strict=True):
        for k, method in enumerate(METHODS):
            rows = found[(found["task"] == task) & (found["method"] == method)]
            variants = zip(rows["scale"], rows["colours"], strict=True)
            y = [places[variant] + 0.22 * (k - 1) for variant in variants]
            ends = rows["accuracy"], rows["low"], rows["high"]
            plots.plot_intervals(axis, y, *ends, COLOURS[method], label=method)
        axis.axvline(majority_accuracy(task), color="#888888", lw=1, ls=":")
        axis.axvline(internal(task).value, color=COLOURS["DCLNN"], lw=1, ls="--")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy")
        plots.upright(axis)
    axes[0].set_yticks(list(places.values()), [", ".join(variant) for variant in VARIANTS])
    axes[0].get_yticklabels()[VARIANTS.index(QUOTED)].set_fontweight("bold")
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(METHODS), fontsize=8)
    return figure


def compute_recalls() -> pd.DataFrame:
    """Recall of each class, on PBC and on TEST.

    Returns
    -------
    pandas.DataFrame
        ``task, class, n``; DCLNN's ``recall, low, high`` with Clopper and Pearson's interval;
        ``internal, least, most``: that on TEST, with its cell-clustered interval.
    """
    frames = []
    for task, classes in TASKS.items():
        counts = confusion("DCLNN", task)
        n, right = counts.sum(axis=1), np.diagonal(counts)
        low, high = intervals.clopper_pearson(right, n)
        on_test = comparison.estimate([prediction.recorded(task)], scores.recall)
        columns = {"task": task, "class": classes, "n": n}
        columns |= {"recall": right / n, "low": low, "high": high}
        columns |= dict(zip(("internal", "least", "most"), on_test, strict=True))
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def compute_differences() -> pd.DataFrame:
    """Accuracy of DCLNN minus that of the others on the same pictures.

    Returns
    -------
    pandas.DataFrame
        ``task, other, difference, low, high``: see ``intervals.bounds``, each picture
        a cell of its own.
    """
    rows, n = [], len(labels())
    for task in TASKS:
        truth = labels(task)
        drawn = intervals.resample(
            truth, np.arange(n), len(TASKS[task]), strata=labels(), unseen=True
        )
        network = predicted("DCLNN", task)
        for other in METHODS[:2]:
            baseline = predicted(other, task)
            difference = (network == truth).mean() - (baseline == truth).mean()
            ends = intervals.bounds(scores.accuracy, network[None], drawn, baseline[None])
            rows.append((task, other, float(difference), *map(float, ends)))
    return pd.DataFrame(rows, columns=["task", "other", "difference", "low", "high"])


def compare_methods(found: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Every method in the quoted variant, and DCLNN minus it with ``least, most``.

    Parameters
    ----------
    found, differences : pandas.DataFrame
        Of :func:`compute_scores` and :func:`compute_differences`.
    """
    quoted = found[(found["scale"] == QUOTED[0]) & (found["colours"] == QUOTED[1])]
    ahead = differences.rename(columns={"other": "method", "low": "least", "high": "most"})
    return quoted.merge(ahead, how="left", on=["task", "method"])


def plot_fields() -> plt.Figure:
    """What the network sees of a photograph of BCCD and, scale by scale, of a picture of PBC.

    Discs have the sizes of white and red cells; hatched is what lies beyond the picture's edges.
    """
    found = diameters()
    shown = {
        "BCCD": (images.SOURCE.photograph_size[::-1], [cells.bccd for cells in found.values()])
    }
    for scale in SCALES:
        shown[scale] = field(scale, found, SIZE), [cells.pbc for cells in found.values()]
    figure, axes = plt.subplots(1, len(shown), figsize=(7.2, 1.4))
    for axis, (title, ((down, across), (white, red))) in zip(axes, shown.items(), strict=True):
        beyond = {"facecolor": "none", "edgecolor": "#888888", "hatch": "////", "lw": 0}
        for side in (-1, 1) if title != "BCCD" else ():
            axis.axvspan(side * SIZE[1] / 2, side * max(SIZE[1], across), **beyond)
            axis.axhspan(side * SIZE[0] / 2, side * max(SIZE[0], down), **beyond)
        axis.add_patch(plt.Circle((0, 0), white / 2, color="#6A51A3"))
        for x, y in itertools.product((-1.5, 0, 1.5), (-1.8, 1.8)):
            axis.add_patch(plt.Circle((x * red, y * red), red / 2, color="#D9A5A0"))
        plots.bare(axis)
        axis.set(xlim=(-across / 2, across / 2), ylim=(-down / 2, down / 2))
        axis.set_title(title, fontsize=8)
        axis.set_box_aspect(3 / 4)
        axis.spines[:].set_visible(True)
    return figure


def compute_swatches() -> dict[str, np.ndarray]:
    """Colours of background, red cells and nuclei: float arrays [3, 3] by whose they are."""

    def seen(background, density):
        return np.exp(np.log(background + 1) - np.vstack([np.zeros(3), density])) - 1

    def measured(name, kind):
        found = measurements.read(NAME).made["settings"][name]
        return {whose: kind(*map(np.array, of.values())) for whose, of in found.items()}

    dyes, channels = measured("stain", Stain), measured("tint", Channels)
    own = seen(*dyes["PBC"])
    even = (own - channels["PBC"].mean) / channels["PBC"].deviation
    return {
        "TRAIN; PBC, stain": seen(*dyes["TRAIN"]),
        "PBC, own": own,
        "PBC, channels": even * channels["TRAIN"].deviation + channels["TRAIN"].mean,
        "PBC, background": seen(dyes["TRAIN"].background, dyes["PBC"].density),
    }


def plot_swatches() -> plt.Figure:
    """A patch for each colour of :func:`compute_swatches`."""
    found = compute_swatches()
    figure, axis = plt.subplots(figsize=(5.2, 1.9))
    patches = stain_normalisation.to_pixels(np.stack(list(found.values())))
    axis.imshow(patches, aspect="auto")
    plots.bare(axis)
    axis.set_yticks(range(len(found)), found)
    axis.set_xticks(range(3), ["background", "red cells", "nuclei"])
    axis.tick_params(length=0, labelsize=8)
    return figure
