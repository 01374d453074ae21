"""Corruption robustness: TEST's images blurred, lit, stained and compressed otherwise.

Each image is corrupted as published, at 320x240, and then reduced as ``images`` does.
The kinds are after those of Hendrycks and Dietterich (2019), with the stain in the place of what
no microscope does. Nothing is trained here, and nothing chosen by what comes out.
"""

import io

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from bloodlib.analyses.plots import COLOURS, GALLERY_SIZE, bare
from bloodlib.analyses.stain_normalisation import to_pixels
from bloodlib.data import images, registration, stored, synthetic
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.study import records

NAME = "robustness"
#: Strengths of each kind, the Gaussian's standard deviation in pixels of 320x240; what brightness
#: is multiplied by; what the blue dye is multiplied and eosin divided by; Pillow's quality.
KINDS = {
    "blur": (1.0, 2.0, 3.0, 4.0, 6.0),
    "brightness": (0.5, 0.7, 0.85, 1.15, 1.3),
    "stain": (0.6, 0.75, 0.9, 1.15, 1.4),
    "JPEG": (95.0, 75.0, 50.0, 25.0, 10.0),
}
#: What the strength is, for axes, and where on them the image as published has its place.
AXES = {
    "blur": ("SD (pixels)", 0),
    "brightness": ("factor", 1),
    "stain": ("blue ×, eosin ÷", 1),
    "JPEG": ("quality", 100),
}
#: Every corruption, in the order in which labels are kept; first, none.
CONDITIONS = (("none", 0.0), *((kind, s) for kind, strengths in KINDS.items() for s in strengths))
#: Optical density of methylene blue and of eosin in red, green and blue, "Giemsa" in the plug-in
#: for colour deconvolution by Landini, Martinelli and Piccinini (2021).
DYES = np.array([[0.834750233, 0.513556283, 0.196330403], [0.092789, 0.954111, 0.283111]])
DYES = np.vstack([DYES, np.cross(*DYES)])  # and of a rest perpendicular to both
DYES /= np.linalg.norm(DYES, axis=1, keepdims=True)


def corrupt(picture: np.ndarray, kind: str, strength: float) -> np.ndarray:
    """A picture as another focus, lamp, stain or file would have it.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
        RGB.
    kind : {"none", "blur", "brightness", "stain", "JPEG"}
    strength : float
        See :data:`KINDS`.

    Returns
    -------
    uint8 array [height, width, 3]
    """
    if kind == "none":
        return picture
    if kind == "blur":
        return cv2.GaussianBlur(picture, (0, 0), strength)
    if kind == "brightness":
        return to_pixels(picture * np.float32(strength))
    if kind == "stain":
        return change_stain(picture, strength)
    if kind != "JPEG":
        raise ValueError(f"corrupt() does not know {kind!r}, which KINDS may list")
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=int(strength))
    return np.asarray(Image.open(file))


def change_stain(picture: np.ndarray, factor: float) -> np.ndarray:
    """A picture with more of one dye and less of the other.

    By colour deconvolution (Ruifrok and Johnston, 2001): the optical density of each pixel is a
    sum of those of methylene blue, of eosin and of a rest perpendicular to both. It is
    counted from the picture's background, the 95th percentile of each colour, so that bare glass
    stays as it is.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    factor : float
        What the amount of methylene blue is multiplied and that of eosin divided by.
    """
    change = np.linalg.inv(DYES) @ np.diag([factor, 1 / factor, 1.0]) @ DYES
    background = np.log(np.percentile(picture.reshape(-1, 3), 95, axis=0) + 1)
    density = background - np.log(picture + np.float32(1))
    return to_pixels(np.exp(background - density @ change) - 1)


def compute() -> None:
    """Corrupt TEST's images, have both networks answer, and write ``results/disturbance.npz``.

    Takes some minutes, and goes on where it was stopped.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images, or not the published ones.
    bloodlib.data.stored.StoredError
        If there are no weights.
    """
    from bloodlib.models import weights

    images.verify()
    clock, names = stored.Clock(), images.names("TEST")
    settings = {
        "kinds": KINDS,
        "version": 1,  # raised when the computation changes
        "weights": {task: weights.read(task)[2]["weights"] for task in TASKS},
    }

    def answered(rows):
        pictures = [images.picture("TEST", name) for name in names[rows]]
        pixels = np.stack(
            [images.resize(corrupt(one, *how)) for one in pictures for how in CONDITIONS]
        )
        shape = len(pictures), len(CONDITIONS)
        return {
            task: weights.predict(task, pixels).argmax(axis=1).astype(np.uint8).reshape(shape)
            for task in TASKS
        }

    arrays = records.in_chunks(NAME, settings, answered, len(names), clock)
    records.save_measured(NAME, arrays, settings, clock)


def read() -> dict[str, np.ndarray]:
    """Labels by task, uint8 [n, conditions] in the order of :data:`CONDITIONS`.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there are none, or they can't be trusted.
    """
    n = len(images.names("TEST"))
    arrays, made = records.read_measured(NAME, {task: (n, len(CONDITIONS)) for task in TASKS})
    if made["settings"]["kinds"] != {kind: list(values) for kind, values in KINDS.items()}:
        raise stored.StoredError(
            "the stored predictions are of other corruptions: run `bloodlib measure robustness`"
        )
    return arrays


# --------------------------------------------------------------------------------- what is shown


def compare(task: str, labels: np.ndarray, before: np.ndarray) -> dict:
    """Answers on TEST beside earlier ones.

    Parameters
    ----------
    task : {"four", "two"}
    labels, before : int array [n]

    Returns
    -------
    dict
        ``accuracy, low, high`` of the labels, with its cell-clustered interval; ``change`` from
        ``before``, and its interval ``least, most``; ``favourite``, the class that is answered
        most, and ``given``, the fraction of images that it is answered for.
    """
    truth, drawn = images.labels("TEST", task), comparison.resamples(task)
    low, high = intervals.bounds(scores.accuracy, labels[None], drawn)
    least, most = intervals.bounds(scores.accuracy, labels[None], drawn, before[None])
    counts = np.bincount(labels, minlength=len(TASKS[task]))
    accuracy = (labels == truth).mean()
    return {
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "change": accuracy - (before == truth).mean(),
        "least": least,
        "most": most,
        "favourite": TASKS[task][counts.argmax()],
        "given": counts.max() / len(labels),
    }


def compute_scores() -> pd.DataFrame:
    """Accuracy on TEST under each corruption: ``task, kind, strength`` and what compare has."""
    return pd.DataFrame(
        [
            {"task": task, "kind": kind, "strength": strength} | compare(task, one, labels[:, 0])
            for task, labels in read().items()
            for (kind, strength), one in zip(CONDITIONS, labels.T, strict=True)
        ]
    )


def plot_scores(found: pd.DataFrame) -> plt.Figure:
    """Accuracy over the strength, of :func:`compute_scores`, a panel for each kind.

    Bands: cell-clustered intervals. Hollow: as published. Dotted: guessing.
    """
    figure, axes = plt.subplots(1, len(KINDS), figsize=(7.2, 2.9), sharey=True)
    colours = {"four": COLOURS["DCLNN"], "two": COLOURS["Polynuclear"]}
    for axis, (kind, (strength, place)) in zip(axes, AXES.items(), strict=True):
        for task, colour in colours.items():
            own = found[(found["task"] == task) & found["kind"].isin(["none", kind])]
            own = own.assign(x=own["strength"].where(own["kind"] == kind, place)).sort_values("x")
            axis.axhline(1 / len(TASKS[task]), color=colour, lw=1, ls=":")
            axis.fill_between(own["x"], own["low"], own["high"], color=colour, alpha=0.15, lw=0)
            faces = np.where(own["kind"] == kind, colour, "white")
            axis.plot(own["x"], own["accuracy"], color=colour, label=f"{task} classes", zorder=2)
            axis.scatter(own["x"], own["accuracy"], 20, faces, edgecolors=colour, zorder=3)
        axis.set(ylim=(0, 1.02), title=kind)
        axis.set_xlabel(strength, fontsize=8)
    axes[0].set_ylabel("accuracy on TEST")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8)
    return figure


def plot_pictures(split: str, name: str) -> plt.Figure:
    """An image under every corruption; where there are no images a synthetic cell, stamped so."""
    published = images.available()
    if published:
        picture = registration.view(split, name)
    else:
        picture = synthetic.draw("NEUTROPHIL", np.random.default_rng(0), GALLERY_SIZE)
    columns = max(map(len, KINDS.values()))
    figure, axes = plt.subplots(len(KINDS), columns, figsize=(7.2, 4.9), dpi=150)
    for row, (kind, strengths) in zip(axes, KINDS.items(), strict=True):
        for axis in row:
            bare(axis)
        for axis, strength in zip(row, strengths, strict=False):
            shown = corrupt(picture, kind, strength)
            axis.imshow(shown if published else synthetic.stamp(shown))
            axis.set_title(f"{kind} {strength:g}", fontsize=7, fontweight="normal", pad=2)
    return figure
