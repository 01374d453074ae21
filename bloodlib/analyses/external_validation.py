"""External validation: the trained networks on cells of a laboratory that they were not trained on.

The pictures are of PBC, "A dataset of microscopic peripheral blood cell images for development of
automatic recognition systems" by Acevedo et al. (2020), doi:10.17632/snkd93bnjr.1, CC BY 4.0; of
its eight kinds the four of the paper. ``results/pbc.sha256`` names those that are used, in the
format of ``sha256sum``. Another microscope has another scale, another stain other colours: pictures
are brought to those of BCCD in several variants (:data:`VARIANTS`). All but those with the
background alone were set before any answer was seen.
"""

import io
import itertools

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from bloodlib import study
from bloodlib.analyses import plots, stain_normalisation, stored_models
from bloodlib.analyses.plots import COLOURS
from bloodlib.analyses.stain_normalisation import Stain
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import CLASSES, NUCLEI, TASKS
from bloodlib.evidence import comparison
from bloodlib.models import methods, weights
from bloodlib.models.methods import NAMES
from bloodlib.study import records

NAME = "external-validation"
FOLDER = "PBC_dataset_normal_DIB"
MANIFEST = "pbc.sha256"
REMEDY = "Restore it with 'git checkout results'."
SOURCE = "https://doi.org/10.17632/snkd93bnjr.1"
#: What is shown of a picture. All of it, squeezed to the shape of BCCD's; the largest part in the
#: middle that has this shape; or as much as makes white, or red cells as large as in BCCD.
SCALES = ("squeezed", "cropped", "white cells", "red cells")
#: As published; each picture by Reinhard's method; with TRAIN's background; or with TRAIN's
#: background, red cells and nuclei.
RECOLOURED = ("own", "Reinhard", "background", "stain")
#: Every variant, in the order in which answers are kept.
VARIANTS = tuple(itertools.product(SCALES, RECOLOURED))
#: The variant that is quoted. Red cells tell scale and say nothing of the class, and only by stain
#: do nuclei get the colour that they have in TRAIN.
QUOTED = ("red cells", "stain")
METHODS = ("NB", "SVM", *stored_models.METHODS, "DCLNN")


# ---------------------------------------------------------------------------------- the pictures


def manifest() -> dict[str, str]:
    """The pictures that are used: their SHA-256 by ``class/name``, by class, then by name.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the list is not there or can't be read.
    """
    try:
        lines = _listed().decode().splitlines()
        entries = dict(reversed(line.split("  ", 1)) for line in lines)
        if not entries or {name.partition("/")[0].upper() for name in entries} - set(CLASSES):
            raise ValueError("it names no pictures of the four classes")
    except ValueError as error:
        raise stored.StoredError(f"{MANIFEST} can't be read ({error}). {REMEDY}") from error
    return entries


def _listed():
    return stored.read(stored.results_folder() / MANIFEST, REMEDY)


def labels(task: str = "four") -> np.ndarray:
    """True classes of the pictures: uint8 array [n], positions in ``images.TASKS``."""
    names = [name.partition("/")[0].upper() for name in manifest()]
    numbers = NUCLEI if task == "two" else {name: k for k, name in enumerate(CLASSES)}
    return np.array([numbers[name] for name in names], np.uint8)


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

    folder = stored.data_folder() / FOLDER
    if not folder.is_dir():
        raise images.DatasetNotFoundError(
            f"no pictures at {folder}. Download PBC from {SOURCE}, unpack it so that its classes "
            "are folders there, or set BLOODLIB_DATA to the folder that holds it."
        )
    remedy = f"Download PBC again from {SOURCE}."
    files = (stored.read(folder / name, remedy, sha) for name, sha in manifest().items())
    return [np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")) for raw in files]


# ------------------------------------------------------------------------------------- the scale


def red_cells(picture: np.ndarray, least: float = 0.1, most: float = 0.3) -> np.ndarray:
    """Diameters of the red cells that lie alone: those of circles of the same area, in pixels.

    What is darker than the background in green, by Otsu's threshold, and round, whole and free on
    all sides; white cells and platelets are kept out by their size, from ``least`` to ``most`` of
    the picture's height.
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
        if not inside or not least < diameter / height < most:
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
    side = float(np.sqrt(largest[cv2.CC_STAT_WIDTH] * largest[cv2.CC_STAT_HEIGHT]))
    return side if side < 0.9 * min(picture.shape[:2]) else np.nan


def measure_diameters(pictures: list[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Diameters of ``white cells`` and ``red cells``, in pixels: in BCCD's photographs, and in PBC.

    Red cells: medians. White cells: means over the four classes of their medians, in BCCD of the
    boxes that its annotators drew. Of BCCD the photographs behind TRAIN, at 640x480.

    Parameters
    ----------
    pictures : list of uint8 array [height, width, 3]
        See :func:`load`.
    """
    behind = np.setdiff1d(photographs.photographs("TRAIN"), [-1])
    bccd = np.concatenate([red_cells(images.photograph(number)) for number in behind])
    pbc = np.concatenate([red_cells(picture) for picture in pictures])
    drawn = photographs.boxes().drop_duplicates("photograph", keep=False).set_index("photograph")
    drawn = drawn.loc[np.intersect1d(behind, drawn.index)]
    sides = np.sqrt((drawn["right"] - drawn["left"]) * (drawn["bottom"] - drawn["top"]))
    listed = photographs.cell_table().set_index("photograph")["labels"].loc[drawn.index]
    white = (
        sides[listed.isin(CLASSES)].groupby(listed).median(),
        (pd.Series([white_cell(picture) for picture in pictures]).groupby(labels()).median()),
    )
    return {
        "white cells": tuple(float(medians.mean()) for medians in white),
        "red cells": (float(np.median(bccd)), float(np.median(pbc))),
    }


def crop(picture: np.ndarray, scale: str, diameters: dict[str, tuple[float, float]]) -> np.ndarray:
    """The middle of a picture as the methods see it; beyond its edges it is mirrored.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    scale : str
        One of :data:`SCALES`.
    diameters : dict
        See :func:`measure_diameters`.

    Returns
    -------
    uint8 array [60, 80, 3]
    """
    height, width = picture.shape[:2]
    across, down = images.SOURCE.photograph_size
    if scale == "squeezed":
        across, down = width, height
    elif scale == "cropped":
        across, down = min(width, height * across / down), min(height, width * down / across)
    else:
        bccd, pbc = diameters[scale]
        across, down = across * pbc / bccd, down * pbc / bccd

    return window(picture, across, down)


def window(
    picture: np.ndarray, across: float, down: float, centre: tuple[float, float] | None = None
) -> np.ndarray:
    """A part of a picture, in pixels of it, mirrored beyond the edges: uint8 [60, 80, 3].

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    across, down : float
        How much of it is shown.
    centre : (x, y), optional
        Where; the middle by default.
    """

    def mirrored(shown, there, middle):
        start = (there - shown) // 2 if middle is None else round(middle - shown / 2)
        place = (np.arange(shown) + start) % (2 * there)
        return np.minimum(place, 2 * there - 1 - place)

    x, y = centre or (None, None)
    rows = mirrored(round(down), picture.shape[0], y)
    columns = mirrored(round(across), picture.shape[1], x)
    return images.resize(picture[rows][:, columns])


def prepare(
    pictures: list[np.ndarray],
    diameters: dict[str, tuple[float, float]],
    lab: np.ndarray,
    stain: Stain,
) -> np.ndarray:
    """The pictures in every variant, with colours of TRAIN: uint8 [n, variants, 60, 80, 3]."""
    found = []
    for scale in SCALES:
        own = np.stack([crop(picture, scale, diameters) for picture in pictures])
        found += [
            own,
            stain_normalisation.match_reinhard(own, lab),
            stain_normalisation.match_background(own, stain.background),
            stain_normalisation.match_stain(own, stain),
        ]
    return np.stack(found, axis=1)


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
    lab = np.mean([stain_normalisation.measure_lab(image) for image in train[::8]], axis=0)
    stain = stain_normalisation.measure_stain(train[::8])
    pixels = prepare(pictures, diameters, lab, stain)
    stains = {"TRAIN": stain, "PBC": stain_normalisation.measure_stain(pixels[:, 0])}
    settings = {
        "pictures": stored.checksum(_listed()),
        "ways": VARIANTS,
        "rulers": {name: {"bccd": a, "pbc": b} for name, (a, b) in diameters.items()},
        "lab": lab.round(3).tolist(),
        "stain": {
            name: {part: value.round(3).tolist() for part, value in one._asdict().items()}
            for name, one in stains.items()
        },
        "version": 2,  # raised when the computation changes
        "weights": {task: weights.read(task)[2]["weights"] for task in TASKS},
    }
    n, variants = pixels.shape[:2]
    flat = pixels.reshape(-1, *pixels.shape[2:])
    known = {
        task: {"TRAIN": images.labels("TRAIN", task), "TEST": np.repeat(labels(task), variants)}
        for task in TASKS
    }
    data = methods.Data(
        {"TRAIN": train, "TEST": flat, "TEST_SIMPLE": flat[:1]}, known, settings["pictures"]
    )
    arrays = {"truth": labels()}
    for method, task in itertools.product(METHODS, TASKS):

        def answer(rows, method=method, task=task):
            shown = pixels[rows]
            if method == "DCLNN":
                found = weights.predict(task, shown.reshape(-1, *shown.shape[2:]))
                return {"answers": found.reshape(len(shown), variants, -1).astype(np.float16)}
            if method in stored_models.METHODS:
                found = stored_models.predict(method, task, shown.reshape(-1, *shown.shape[2:]))
                return {"answers": found.argmax(axis=1).reshape(len(shown), variants)}
            config = study.resolve(comparison.COMPARED[method] | {"task": task})
            return {"answers": study.predict(config, data).labels[0].reshape(n, variants)}

        size = n if method in METHODS[:2] else 100  # these learn once, and answer for all
        title, asked = f"{NAME} {method} {task}", settings | {"method": method, "task": task}
        found = records.in_chunks(title, asked, answer, n, clock, size)
        arrays[f"{method}_{task}"] = found["answers"]
    records.save_measured(NAME, arrays, settings, clock)


def read() -> dict[str, np.ndarray]:
    """The answers, verified.

    Returns
    -------
    dict of array
        ``truth``: uint8 [n], of four classes; ``DCLNN_four``, ``DCLNN_two``: probabilities, float16
        [n, variants, classes]; ``NB_four`` and so on: labels, [n, variants]. Pictures are in
        the order of :func:`manifest`, variants in that of :data:`VARIANTS`.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there are none, or they can't be trusted.
    """
    records.read_measured(NAME)  # missing as a whole, it needs no list of pictures to be refused
    y_true = labels()
    shapes = {"truth": y_true.shape}
    for method, (task, classes) in itertools.product(METHODS, TASKS.items()):
        more = (len(classes),) if method == "DCLNN" else ()
        shapes[f"{method}_{task}"] = (len(y_true), len(VARIANTS), *more)
    arrays, made = records.read_measured(NAME, shapes)
    asked = made["settings"]["pictures"], [tuple(way) for way in made["settings"]["ways"]]
    if asked != (stored.checksum(_listed()), list(VARIANTS)):
        raise stored.StoredError(
            f"laboratory.npz is not about the pictures of {MANIFEST} in the variants of today: "
            f"run `bloodlib measure {NAME}`."
        )
    return arrays


def predicted(method: str, task: str, variant: tuple[str, str] = QUOTED) -> np.ndarray:
    """Labels that a method gives the pictures in one variant: int array [n]."""
    found = read()[f"{method}_{task}"][:, VARIANTS.index(variant)]
    return found.argmax(axis=-1) if method == "DCLNN" else found.astype(int)


# --------------------------------------------------------------------------------- what is shown


def diameters() -> dict[str, tuple[float, float]]:
    """The diameters that the pictures were scaled with: see :func:`measure_diameters`."""
    found = records.read_measured(NAME)[1]["settings"]["rulers"]
    return {name: tuple(found[name].values()) for name in SCALES[2:]}


def stain(of: str = "TRAIN") -> Stain:
    """The stain of TRAIN's images or of the pictures, ``PBC``, as stored: no image is needed."""
    found = records.read_measured(NAME)[1]["settings"]["stain"][of]
    return Stain(*map(np.array, found.values()))


def internal(task: str) -> comparison.Estimate:
    """Accuracy of the same network on TEST, with its cell-clustered interval."""
    return comparison.estimate([study.run({"method": "DCLNN", "task": task})])


def compute_scores() -> pd.DataFrame:
    """What each method scores in each variant.

    Returns
    -------
    pandas.DataFrame
        ``task, method, scale, colours``; ``accuracy, low, high``: with Clopper and Pearson's
        interval, each picture an observation; ``favourite``: the class that is answered most,
        ``given``: the fraction of pictures that it is answered for; ``sure``: DCLNN's mean
        probability of its answers, otherwise nan.
    """
    rows, arrays = [], read()
    for task, method, (k, variant) in itertools.product(TASKS, METHODS, enumerate(VARIANTS)):
        y_true, y_pred = labels(task), predicted(method, task, variant)
        right, n = (y_pred == y_true).sum(), len(y_true)
        counts, sure = np.bincount(y_pred), np.nan
        if method == "DCLNN":
            sure = arrays[f"DCLNN_{task}"][:, k].max(axis=1).mean(dtype=float)
        score = right / n, *stats.binomtest(int(right), n).proportion_ci()
        favourite = TASKS[task][counts.argmax()], counts.max() / n
        rows.append((task, method, *variant, *score, *favourite, sure))
    columns = ["task", "method", "scale", "colours", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "favourite", "given", "sure"])


def plot_scores(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of each method in each variant, of :func:`compute_scores`; the quoted one in bold.

    Dotted: always the most frequent class; dashed: DCLNN on TEST.
    """
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 7), sharey=True)
    plots.in_rows(axes, [", ".join(variant) for variant in VARIANTS])
    for axis, task in zip(axes, TASKS, strict=True):
        for k, method in enumerate(METHODS):
            own = found[(found["task"] == task) & (found["method"] == method)]
            y, ends = np.arange(len(own)) + 0.16 * (k - 2), (own["low"], own["high"])
            plots.plot_intervals(
                axis, y, own["accuracy"], *ends, COLOURS[method], label=NAMES[method]
            )
        constant = np.bincount(labels(task)).max() / len(labels(task))
        axis.axvline(constant, color="#888888", lw=1, ls=":")
        axis.axvline(internal(task).value, color=COLOURS["DCLNN"], lw=1, ls="--")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy")
    axes[0].get_yticklabels()[VARIANTS.index(QUOTED)].set_fontweight("bold")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(METHODS), fontsize=7)
    return figure
