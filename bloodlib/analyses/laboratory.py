"""Cells from another laboratory: what the trained networks are worth where nobody trained them.

The pictures are of PBC, "A dataset of microscopic peripheral blood cell images for development of
automatic recognition systems" by Acevedo et al. (2020), doi:10.17632/snkd93bnjr.1, CC BY 4.0; of
its eight kinds the four of the paper. ``results/pbc.sha256`` names those that are used, in the
format of ``sha256sum``. Another microscope has another scale, another stain other colours: pictures
are brought to those of BCCD in several ways (:data:`WAYS`), all but those of :data:`AFTERWARDS` set
before any answer was seen.
"""

import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import harmonising
from bloodlib.analyses.harmonising import SCALES, TINTS, Ruler, Stain, Tint
from bloodlib.analyses.plots import COLOURS
from bloodlib.data import boxes, images, paths, photographs, stored
from bloodlib.data.images import CLASSES, NUCLEI, TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.evidence.comparison import signed, with_interval
from bloodlib.models import methods, weights
from bloodlib.study import measurements, records

NAME = "laboratory"
FOLDER = "PBC_dataset_normal_DIB"
MANIFEST = "pbc.sha256"
REMEDY = "Restore it with 'git checkout results'."
SOURCE = "https://doi.org/10.17632/snkd93bnjr.1"
#: Every way, in the order in which answers are kept.
WAYS = tuple(itertools.product(SCALES, TINTS))
#: The way that is quoted. Red cells tell scale and say nothing of the class, and only by stain do
#: nuclei get the colour that they have in TRAIN.
MAIN = ("red cells", "stain")
#: What was added to see why, when the answers for the others were known.
AFTERWARDS = ("ground",)
METHODS = ("NB", "SVM", "DCLNN")
#: Height and width of nearly all pictures.
SIZE = (363, 360)
VERSION = 1  # raised when the computation changes


# ---------------------------------------------------------------------------------- the pictures


def names() -> np.ndarray:
    """The pictures that are used, as ``class/name``: str array [n], by class, then by name.

    Raises
    ------
    bloodlib.study.records.RecordError
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
    bloodlib.data.images.DatasetError
        If one is missing, or not the one in the list.
    """
    from PIL import Image

    folder = paths.data_folder() / FOLDER
    if not folder.is_dir():
        raise images.DatasetNotFoundError(
            f"no pictures at {folder}. Download PBC from {SOURCE}, unpack it so that its classes "
            "are folders there, or set BLOODLIB_DATA to the folder that holds it."
        )
    found, wrong = [], []
    for name, digest in _manifest().items():
        try:
            raw = (folder / name).read_bytes()
        except OSError:
            wrong.append(f"{name} is missing")
            continue
        if stored.checksum(raw) != digest:
            wrong.append(f"{name} is altered")
        elif not wrong:
            found.append(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise images.DatasetError(
            f"{folder} does not hold the pictures of {MANIFEST}: {', '.join(wrong[:3])}{more}. "
            f"Download it again from {SOURCE}."
        )
    return found


def _listed():
    """SHA-256 of the list, however its lines end."""
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


def rulers(pictures: list[np.ndarray]) -> dict[str, Ruler]:
    """How large cells are in the photographs behind TRAIN, and in PBC's pictures.

    Red cells: medians. White cells: means over the four classes of their medians, in BCCD of the
    boxes that its annotators drew.

    Parameters
    ----------
    pictures : list of uint8 array [height, width, 3]
        See :func:`load`.
    """
    behind = np.setdiff1d(photographs.photographs("TRAIN"), [-1])
    ours = np.concatenate([harmonising.red_cells(images.photograph(number)) for number in behind])
    theirs = np.concatenate([harmonising.red_cells(picture) for picture in pictures])
    drawn = boxes.table().drop_duplicates("photograph", keep=False).set_index("photograph")
    drawn = drawn.loc[np.intersect1d(behind, drawn.index)]
    sides = np.sqrt((drawn["right"] - drawn["left"]) * (drawn["bottom"] - drawn["top"]))
    listed = photographs.cell_table().set_index("photograph")["labels"].loc[drawn.index]
    white = np.array([harmonising.white_cell(picture) for picture in pictures])
    four = labels()
    return {
        "white cells": Ruler(
            float(np.mean([sides[listed == name].median() for name in CLASSES])),
            float(np.mean([np.median(white[four == label]) for label in range(len(CLASSES))])),
        ),
        "red cells": Ruler(float(np.median(ours)), float(np.median(theirs))),
    }


def prepare(
    pictures: list[np.ndarray], rulers: dict[str, Ruler], colours: Tint, dyes: Stain
) -> np.ndarray:
    """The pictures in every way: uint8 array [n, ways, 60, 80, 3].

    Parameters
    ----------
    pictures : list of uint8 array [height, width, 3]
    rulers : dict of Ruler
    colours : Tint
        Of TRAIN.
    dyes : Stain
        Of TRAIN.
    """
    found = []
    for scale in SCALES:
        own = np.stack(
            [harmonising.frame(p, harmonising.field(scale, rulers, p.shape[:2])) for p in pictures]
        )
        found += [
            own,
            harmonising.tinted(own, colours),
            harmonising.relit(own, dyes.ground),
            harmonising.restained(own, dyes),
        ]
    return np.stack(found, axis=1)


# -------------------------------------------------------------------------------------- the answers


def remake() -> None:
    """Have the networks and the baselines answer in every way; write ``results/laboratory.npz``.

    The networks are those of ``weights``; the baselines, as in Table 1, learn from
    TRAIN first. Takes some ten minutes, most of them for the SVM. It goes on where it was stopped.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no pictures or no images, or not the right ones.
    bloodlib.study.records.RecordError
        If there are no weights, or no boxes.
    """
    clock, pictures = stored.Clock(), load()
    train = images.load("TRAIN").pixels
    found, colours, dyes = rulers(pictures), harmonising.tint(train), harmonising.stain(train[::8])
    pixels = prepare(pictures, found, colours, dyes)
    n, ways = pixels.shape[:2]
    flat = pixels.reshape(-1, *pixels.shape[2:])
    settings = {
        "pictures": _listed(),
        "ways": WAYS,
        "rulers": {name: ruler._asdict() for name, ruler in found.items()},
        "tint": _plain(colours, harmonising.tint(pixels[:, 0])),
        "stain": _plain(dyes, harmonising.stain(pixels[:, 0])),
        "version": VERSION,
        "weights": {task: weights.provenance(task)["weights"] for task in TASKS},
    }
    data = methods.Data(
        {"TRAIN": train, "TEST": flat, "TEST_SIMPLE": flat[:1]},
        {
            task: {"TRAIN": images.labels("TRAIN", task), "TEST": np.repeat(labels(task), ways)}
            for task in TASKS
        },
        settings["pictures"],
    )
    arrays = {"truth": labels()}
    for task in TASKS:

        def network(rows, task=task):
            shown = pixels[rows]
            chances = weights.predict(task, shown.reshape(-1, *shown.shape[2:]))
            return {"chances": chances.reshape(len(shown), ways, -1).astype(np.float16)}

        title, asked = f"{NAME} {task}", settings | {"task": task}
        answers = measurements.in_chunks(title, asked, network, n, clock)
        arrays[f"DCLNN_{task}"] = answers["chances"]
    for method, task in itertools.product(METHODS[:2], TASKS):
        config = study.resolve(comparison.COMPARED[method] | {"task": task})

        def baseline(rows, config=config):
            own = {key: config[key] for key in methods.defaults(config["method"])}
            answer = methods.METHODS[config["method"]]
            predicted = answer(data, config["task"], config["seed"], None, **own)
            return {"labels": predicted.labels[0].reshape(n, ways)}

        title, asked = f"{NAME} {method} {task}", settings | {"config": config}
        answers = measurements.in_chunks(title, asked, baseline, n, clock, size=n)
        arrays[f"{method}_{task}"] = answers["labels"]
    measurements.save(NAME, arrays, settings, clock)


def _plain(ours, theirs):
    """Colours of TRAIN and of the pictures as published, for JSON."""
    return {
        name: {part: value.round(3).tolist() for part, value in found._asdict().items()}
        for name, found in (("TRAIN", ours), ("PBC", theirs))
    }


def read() -> dict[str, np.ndarray]:
    """The answers, verified.

    Returns
    -------
    dict of array
        ``truth``: uint8 [n], of four classes; ``DCLNN_four``, ``DCLNN_two``: probabilities, float16
        [n, ways, classes]; ``NB_four`` and so on: labels, uint8 [n, ways]. Pictures are in the
        order of :func:`names`, ways in that of :data:`WAYS`.

    Raises
    ------
    bloodlib.study.records.RecordError
        If there are none, or they can't be trusted.
    """
    arrays, made = measurements.read(NAME)
    truth = labels()
    good = made["settings"]["pictures"] == _listed() and np.array_equal(arrays.get("truth"), truth)
    for task, classes in TASKS.items():
        for method in METHODS:
            shape = (len(truth), len(WAYS)) + ((len(classes),) if method == "DCLNN" else ())
            good = good and arrays.get(f"{method}_{task}", np.empty(0)).shape == shape
    if not good:
        raise records.RecordError(
            f"{NAME}.npz is not about the pictures of {MANIFEST} in {len(WAYS)} ways: "
            f"`bloodlib measure {NAME}` makes it anew."
        )
    return arrays


def predicted(method: str, task: str, way: tuple[str, str] = MAIN) -> np.ndarray:
    """Labels that a method gives the pictures in one way: int array [n]."""
    found = read()[f"{method}_{task}"][:, WAYS.index(way)]
    return found.argmax(axis=-1) if method == "DCLNN" else found.astype(int)


def confusion(method: str, task: str, way: tuple[str, str] = MAIN) -> np.ndarray:
    """Counts of (true, predicted) in one way: int array [classes, classes]."""
    counts = np.zeros((len(TASKS[task]),) * 2, dtype=int)
    np.add.at(counts, (labels(task), predicted(method, task, way)), 1)
    return counts


# ---------------------------------------------------------------------------------- what is shown


def size_of(name: str) -> Ruler:
    """The ruler that the pictures were scaled with: ``white cells`` or ``red cells``."""
    return Ruler(**measurements.read(NAME).made["settings"]["rulers"][name])


def guessing(task: str) -> float:
    """What naming the most frequent class always would score."""
    return float(np.bincount(labels(task)).max() / len(labels(task)))


def home(task: str) -> comparison.Estimate:
    """Accuracy of the same network on TEST, with its interval by cell."""
    return comparison.estimate([weights.frozen(task)])


def load_scores() -> pd.DataFrame:
    """What each method scores in each way.

    Returns
    -------
    pandas.DataFrame
        ``task, method, scale, tint``; ``accuracy, low, high``: with Clopper and Pearson's interval,
        each picture an observation; ``favourite``: the class that is answered most, ``given``: the
        share of pictures that it is answered for; ``sure``: DCLNN's mean probability of its
        answers, otherwise nan.
    """
    rows = []
    for task, method, way in itertools.product(TASKS, METHODS, WAYS):
        counts = confusion(method, task, way)
        n, answered = counts.sum(), counts.sum(axis=0)
        low, high = intervals.exact(np.trace(counts), n)
        sure = np.nan
        if method == "DCLNN":
            chances = read()[f"DCLNN_{task}"][:, WAYS.index(way)]
            sure = float(chances.max(axis=1).mean(dtype=float))
        favourite = TASKS[task][answered.argmax()], answered.max() / n
        accuracy = float(scores.accuracy(counts))
        rows.append((task, method, *way, accuracy, float(low), float(high), *favourite, sure))
    columns = ["task", "method", "scale", "tint", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "favourite", "given", "sure"])


def show_scores(found: pd.DataFrame) -> pd.DataFrame:
    """DCLNN's rows of :func:`load_scores`, both tasks beside each other, for a page."""
    rows = {way: {"Scale": way[0], "Colours": way[1]} for way in WAYS}
    for one in found[found["method"] == "DCLNN"].itertuples():
        rows[one.scale, one.tint] |= {
            f"{one.task.capitalize()} classes": with_interval(one.accuracy, one.low, one.high),
            f"Answered most, {one.task}": f"{one.favourite[:4].capitalize()}. ({one.given:.0%})",
            f"Confidence, {one.task}": one.sure,
        }
    return pd.DataFrame(rows.values())


def plot_scores(found: pd.DataFrame) -> plt.Figure:
    """Accuracy of each method in each way, with intervals; the quoted way in bold.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`load_scores`. Dotted: naming one class always; dashed: DCLNN on TEST.
    """
    figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 5.2), sharey=True)
    # a gap after each scale
    places = {way: i + 0.6 * (i // len(TINTS)) for i, way in enumerate(WAYS)}
    for axis, task in zip(axes, TASKS, strict=True):
        for k, method in enumerate(METHODS):
            for row in found[(found["task"] == task) & (found["method"] == method)].itertuples():
                y = places[row.scale, row.tint] + 0.22 * (k - 1)
                axis.plot([row.low, row.high], [y, y], lw=4, alpha=0.3, color=COLOURS[method])
                axis.plot(row.accuracy, y, "o", ms=4, color=COLOURS[method])
        axis.axvline(guessing(task), color="#888888", lw=1, ls=":")
        axis.axvline(home(task).value, color=COLOURS["DCLNN"], lw=1, ls="--")
        axis.set(xlim=(0, 1.02), title=f"{task} classes", xlabel="accuracy")
        axis.grid(True, axis="x")
        axis.grid(False, axis="y")
    axes[0].set_yticks(list(places.values()), [f"{scale}, {tint}" for scale, tint in WAYS])
    axes[0].get_yticklabels()[WAYS.index(MAIN)].set_fontweight("bold")
    axes[0].invert_yaxis()
    handles = [
        plt.Line2D([], [], marker="o", ms=4, lw=4, alpha=0.8, color=COLOURS[method], label=method)
        for method in METHODS
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(METHODS), fontsize=8)
    return figure


def load_recalls() -> pd.DataFrame:
    """Recall of each class, here and at home.

    Returns
    -------
    pandas.DataFrame
        ``task, class, n``; DCLNN's ``recall, low, high`` with Clopper and Pearson's interval;
        ``home, least, most``: that on TEST, with its interval by cell.
    """
    rows = []
    for task, classes in TASKS.items():
        counts, at_home = confusion("DCLNN", task), weights.frozen(task)
        n, right = counts.sum(axis=1), np.diagonal(counts)
        ends = intervals.exact(right, n)
        columns = n, right / n, *ends, *comparison.estimate([at_home], scores.recall)
        rows += [(task, *row) for row in zip(classes, *columns, strict=True)]
    names = ["task", "class", "n", "recall", "low", "high", "home", "least", "most"]
    return pd.DataFrame(rows, columns=names)


def show_recalls(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`load_recalls` for a page."""
    return pd.DataFrame(
        [
            {
                "Classes": row.task,
                "Class": row._2.capitalize(),
                "Pictures": row.n,
                "Recall here": with_interval(row.recall, row.low, row.high),
                "on TEST": with_interval(row.home, row.least, row.most),
            }
            for row in found.itertuples()
        ]
    )


def load_differences() -> pd.DataFrame:
    """Accuracy of DCLNN less that of the others on the same pictures.

    Returns
    -------
    pandas.DataFrame
        ``task, other, difference, low, high``: see ``intervals.bounds``, each picture
        a cell of its own.
    """
    rows, n = [], len(labels())
    for task in TASKS:
        drawn = intervals.resample(
            labels(task), np.arange(n), len(TASKS[task]), strata=labels(), unseen=True
        )
        ours = predicted("DCLNN", task)
        for other in METHODS[:2]:
            theirs = predicted(other, task)
            difference = (ours == labels(task)).mean() - (theirs == labels(task)).mean()
            ends = intervals.bounds(scores.accuracy, ours[None], drawn, theirs[None])
            rows.append((task, other, float(difference), *map(float, ends)))
    return pd.DataFrame(rows, columns=["task", "other", "difference", "low", "high"])


def show_methods(found: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Every method in the quoted way, and what DCLNN is ahead of it, for a page."""
    ahead = differences.set_index(["task", "other"])
    rows = []
    for row in found[(found["scale"] == MAIN[0]) & (found["tint"] == MAIN[1])].itertuples():
        other = (row.task, row.method) in ahead.index
        rows.append(
            {
                "Classes": row.task,
                "Method": row.method,
                "Accuracy": with_interval(row.accuracy, row.low, row.high),
                "DCLNN less it": signed(*ahead.loc[(row.task, row.method)]) if other else "–",
                "Answered most": f"{row.favourite.capitalize()} ({row.given:.0%})",
            }
        )
    return pd.DataFrame(rows)


def plot_fields() -> plt.Figure:
    """What the network sees of a photograph of BCCD and, scale by scale, of a picture of PBC.

    Discs have the sizes of white and red cells; hatched is what lies beyond the picture's edges.
    """
    found = {name: size_of(name) for name in SCALES[2:]}
    shown = {"BCCD": (images.SOURCE.photograph_size[::-1], [r.ours for r in found.values()])}
    for scale in SCALES:
        shown[scale] = (
            harmonising.field(scale, found, SIZE),
            [ruler.theirs for ruler in found.values()],
        )
    figure, axes = plt.subplots(1, len(shown), figsize=(7.2, 1.4))
    for axis, (title, ((down, across), (white, red))) in zip(axes, shown.items(), strict=True):
        beyond = {"facecolor": "none", "edgecolor": "#888888", "hatch": "////", "lw": 0}
        for side in (-1, 1) if title != "BCCD" else ():
            axis.axvspan(side * SIZE[1] / 2, side * max(SIZE[1], across), **beyond)
            axis.axhspan(side * SIZE[0] / 2, side * max(SIZE[0], down), **beyond)
        axis.add_patch(plt.Circle((0, 0), white / 2, color="#6A51A3"))
        for x, y in itertools.product((-1.5, 0, 1.5), (-1.8, 1.8)):
            axis.add_patch(plt.Circle((x * red, y * red), red / 2, color="#D9A5A0"))
        axis.set(xlim=(-across / 2, across / 2), ylim=(-down / 2, down / 2), xticks=[], yticks=[])
        axis.set_title(title, fontsize=8)
        axis.set_box_aspect(3 / 4)
        axis.grid(False)
        axis.spines[:].set_visible(True)
    return figure


def load_swatches() -> dict[str, np.ndarray]:
    """Colours of ground, red cells and nuclei: float arrays [3, 3] by whose they are."""

    def seen(ground, density):
        return np.exp(np.log(ground + 1) - np.vstack([np.zeros(3), density])) - 1

    made = measurements.read(NAME).made["settings"]
    dyes = {name: Stain(*map(np.array, found.values())) for name, found in made["stain"].items()}
    tints = {name: Tint(*map(np.array, found.values())) for name, found in made["tint"].items()}
    own = seen(*dyes["PBC"])
    even = (own - tints["PBC"].mean) / tints["PBC"].deviation
    return {
        "TRAIN; PBC, stain": seen(*dyes["TRAIN"]),
        "PBC, own": own,
        "PBC, channels": even * tints["TRAIN"].deviation + tints["TRAIN"].mean,
        "PBC, ground": seen(dyes["TRAIN"].ground, dyes["PBC"].density),
    }


def plot_swatches(found: dict[str, np.ndarray]) -> plt.Figure:
    """A patch for each colour of :func:`load_swatches`."""
    figure, axis = plt.subplots(figsize=(5.2, 1.9))
    axis.imshow(harmonising.whole(np.stack(list(found.values()))), aspect="auto")
    axis.set_yticks(range(len(found)), found)
    axis.set_xticks(range(3), ["ground", "red cells", "nuclei"])
    axis.tick_params(length=0, labelsize=8)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return figure
