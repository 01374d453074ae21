"""Attribution maps: which pixels a network's answers depend on, and how many show the white cell.

Two maps of an answer explain its score before the softmax:

``pixels``
    Integrated gradients (Sundararajan, Taly and Yan, 2017): what each pixel adds to the score on
    the way from a baseline, an image of the median colour, to this one.
``features``
    HiResCAM (Draelos and Carin, 2020) of the second convolution: each output times its gradient,
    summed over filters. Grad-CAM averages the gradient over places first, which for a network
    that ends in a flattened layer can point to places that were not used.

A map is judged by the fraction of its weight in the cell's box
(:func:`bloodlib.data.photographs.boxes`), beside the box's fraction of the image: so much a uniform
map has there. Occlusion asks the network itself: what does it answer if the cell is hidden, or all
else?
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses import robustness
from bloodlib.analyses.plots import GALLERY_SIZE, bare
from bloodlib.data import images, photographs, registration, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.study import records

NAME = "attribution"
MAPS = {"pixels": "Integrated gradients", "features": "HiResCAM"}
#: What is mapped. The trained network's answer; another class, drawn at random; the answer of the
#: network as it was before training.
TARGETS = ("answer", "another class", "untrained")
SIGNS = ("all", "for it")  # absolute weight; positive weight, which speaks for the class
#: What is hidden under the median colour. The box; the same box half the picture away, over each
#: edge back in at the other side; all but the box.
HIDDEN = ("the cell", "as much elsewhere", "all but the cell")
#: Points on the way from the baseline.
STEPS = 8
#: Of the other class, of the untrained network and of the drawn examples.
SEED = 0
#: Height and width to which the maps of examples are reduced, too coarse to be a picture.
COARSE = (15, 20)


# ------------------------------------------------------------------------------- the computation


def compute() -> None:
    """Map the answers for all images of TEST, and write ``results/attention.npz``.

    Takes some ten minutes, and goes on where it was stopped.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images, or not the published ones.
    bloodlib.data.stored.StoredError
        If there are no weights, or no boxes.
    ImportError
        If Keras computes with another backend than TensorFlow.
    """
    from bloodlib.models import networks, training, weights

    clock = stored.Clock()
    pixels, arrays = images.load("TEST").pixels, {}
    # the version is raised when the computation changes
    settings = {"steps": STEPS, "seed": SEED, "version": 3}
    settings["weights"] = {task: weights.read(task)[2]["weights"] for task in TASKS}
    for task, names in TASKS.items():
        network, fresh = weights.load(task), networks.build_dclnn(len(names), seed=SEED)
        explain, explain_fresh = make_explainer(network), make_explainer(fresh)
        shifts = np.random.default_rng(SEED).integers(1, len(names), len(pixels))

        def describe(
            rows, names=names, network=network, fresh=fresh, shifts=shifts,
            explain=explain, explain_fresh=explain_fresh,
        ):  # fmt: skip
            some = np.asarray(pixels[rows], np.float32)
            placed = photographs.coordinates("TEST", rows, some.shape[1:3])
            box = photographs.inside(placed)
            labels = predict(network, some)
            maps = (
                explain(some, labels),
                explain(some, (labels + shifts[rows]) % len(names)),
                explain_fresh(some, predict(fresh, some)),
            )
            # what leaves the picture at one edge comes in at the other
            elsewhere = np.roll(box, (box.shape[1] // 2, box.shape[2] // 2), axis=(1, 2))
            hidden = [predict(network, hide(some, one)) for one in (box, elsewhere, ~box)]
            shares = [share_in_box(one, box[:, None]) for one in maps]
            return {
                "area": box.mean(axis=(1, 2), dtype=np.float32),
                "visible": photographs.visible(placed).astype(np.float32),
                "blob": share_in_box(_blob(some.shape[1:3]), box)[:, 0].astype(np.float32),
                "labels": labels,
                "shares": np.stack(shares, axis=1).astype(np.float16),
                "hidden": np.stack(hidden, axis=1),
            }

        title = f"{NAME}-{task}"
        found = records.in_chunks(title, settings | {"task": task}, describe, len(pixels), clock)
        arrays |= {key: found.pop(key) for key in ("area", "visible", "blob")}
        arrays |= {f"{key}_{task}": value for key, value in found.items()}
        if task == "four":
            rows, drawings = examples()
            small = np.stack([images.resize(one, images.SIZE) for one in drawings])
            shown = np.concatenate([pixels[rows], small]).astype(np.float32)
            labels = predict(network, shown)
            arrays["example_labels"] = labels
            arrays["examples"] = _coarse(np.abs(explain(shown, labels)))
    records.save_measured(NAME, arrays, settings, clock, training.load_keras().backend.backend())


def _blob(size):
    """A map of the middle, whatever the image: a Gaussian, a quarter of each side wide."""
    down, across = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * 0.25**2)) for side in size
    )
    return down[:, None] * across


def _coarse(maps):
    """Maps [n, kinds, height, width] reduced to :data:`COARSE`, the greatest weight of each 1."""
    n, kinds, height, _ = maps.shape
    sums = maps.reshape(n, kinds, COARSE[0], height // COARSE[0], COARSE[1], -1).sum((3, 5))
    most = np.maximum(sums.max(axis=(2, 3), keepdims=True), 1e-30)
    return (sums / most).astype(np.float16)


def make_explainer(model, steps: int = STEPS) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function that makes both attribution maps of a network's answers.

    Parameters
    ----------
    model : keras.Sequential
        As :func:`bloodlib.models.networks.build_dclnn` makes it: ``conv_2``, then what ends
        in ``output``.
    steps : int
        In how many steps gradients are integrated, at the middle of each.

    Returns
    -------
    callable
        From images [n, height, width, 3] and labels [n] to maps, float32
        [n, 2, height, width], in the order of :data:`MAPS`: what speaks for the label is
        positive, what speaks against it negative.

    Raises
    ------
    ImportError
        If Keras computes with another backend than TensorFlow.
    """
    from bloodlib.models.training import load_keras

    keras = load_keras()
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"KERAS_BACKEND is {keras.backend.backend()!r}, but maps take gradients with "
            "TensorFlow: set KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    *layers, output = model.layers
    middle = [layer.name for layer in layers].index("conv_2") + 1
    front, back = keras.Sequential(layers[:middle]), keras.Sequential(layers[middle:])

    @tf.function(reduce_retracing=True)
    def gradients(pictures, labels):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            features = front(pictures)
            scores = back(features, training=False) @ output.kernel + output.bias
            score = tf.gather(scores, labels, axis=1, batch_dims=1)
        by_pixel, by_feature = tape.gradient(score, [pictures, features])
        return by_pixel, tf.reduce_sum(features * by_feature, axis=-1)

    def maps(pixels, labels):
        pixels, labels = np.asarray(pixels, np.float32), np.asarray(labels, np.int32)
        away = pixels - median_images(pixels)
        gradient = np.zeros_like(pixels)
        for step in range(steps):
            here = pixels - away * np.float32(1 - (step + 0.5) / steps)
            gradient += gradients(here, labels)[0].numpy()
        first = (gradient / steps * away).sum(axis=-1)
        second = gradients(pixels, labels)[1].numpy()
        rim = [(side - inner) // 2 for side, inner in zip(first.shape, second.shape, strict=True)]
        return np.stack([first, np.pad(second, [(width, width) for width in rim])], axis=1)

    return maps


def predict(model, pixels: np.ndarray) -> np.ndarray:
    """Labels that a network gives to some images: uint8 [n]."""
    found = np.asarray(model(np.asarray(pixels, np.float32), training=False))
    return found.argmax(axis=1).astype(np.uint8)


def median_images(pixels: np.ndarray) -> np.ndarray:
    """Images of nothing but each image's median colour: float32, of the images' shape."""
    colour = np.median(pixels.reshape(len(pixels), -1, 3), axis=1).astype(np.float32)
    return np.broadcast_to(colour[:, None, None], pixels.shape)


def hide(pixels: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Images with their median colour where ``covered`` [n, height, width] is true."""
    return np.where(covered[..., None], median_images(pixels), pixels)


def share_in_box(maps: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Fraction of a map's weight that lies in a box.

    Parameters
    ----------
    maps : array [..., height, width]
    box : bool array [..., height, width]
        Broadcast together.

    Returns
    -------
    float array [..., 2]
        Of :data:`SIGNS`. A map without any weight has the box's fraction of the picture.
    """
    weights = np.stack([np.abs(maps), np.maximum(maps, 0)], axis=-3).astype(float)
    weights = np.where(weights.sum(axis=(-2, -1), keepdims=True) > 0, weights, 1.0)
    return (weights * box[..., None, :, :]).sum(axis=(-2, -1)) / weights.sum(axis=(-2, -1))


def examples() -> tuple[np.ndarray, list[np.ndarray]]:
    """Rows of TEST whose maps are shown, of each class the middle one in the order of names.

    And synthetic cells, one of each class, to show maps over where the images can't be had.
    """
    labels, classes = images.labels("TEST"), range(len(CLASSES))
    rows = np.array([np.median(np.flatnonzero(labels == k)) for k in classes], int)
    rngs = [np.random.default_rng([SEED, k]) for k in classes]
    return rows, [synthetic.draw(k, rng, GALLERY_SIZE) for k, rng in enumerate(rngs)]


def read() -> dict[str, np.ndarray]:
    """What :func:`compute` stored, for the n images of TEST.

    Returns
    -------
    dict of array
        ``area, visible, blob`` [n], of each box: its fraction of the image, the part of it in the
        image, its fraction of a central blob. For each task, with its name behind: ``labels``
        [n], the network's answers; ``shares`` [n, targets, maps, signs], the box's fraction of each
        map;
        ``hidden`` [n, hidden], the answers where something is hidden. ``examples``
        [8, maps, 15, 20], absolute weights of four images and four drawings, greatest 1, and
        ``example_labels`` [8], the answers.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is nothing, or it can't be trusted.
    """
    n = len(images.names("TEST"))
    shapes = dict.fromkeys(("area", "visible", "blob"), (n,))
    for task in TASKS:
        shapes |= {
            f"labels_{task}": (n,),
            f"shares_{task}": (n, len(TARGETS), len(MAPS), len(SIGNS)),
            f"hidden_{task}": (n, len(HIDDEN)),
        }
    shapes |= {"examples": (2 * len(CLASSES), len(MAPS), *COARSE)}
    return records.read_measured(NAME, shapes)[0]


# --------------------------------------------------------------------------------- what is shown


def compute_shares() -> pd.DataFrame:
    """How much of the maps' weight lies on the white cell, over all images of TEST.

    Returns
    -------
    pandas.DataFrame
        ``task, map``; ``share, low, high``, of the answer's map in the box, with its cell-clustered
        interval; ``other``, of another class's map; ``untrained``; ``area``, that of a uniform map.
    """
    found, rows = read(), []
    for task in TASKS:
        drawn, shares = comparison.resamples(task), found[f"shares_{task}"][..., 0].astype(float)
        for name, (answer, other, untrained) in zip(MAPS, shares.transpose(2, 1, 0), strict=True):
            ends = intervals.mean_bounds(answer[None], drawn)
            means = [one.mean() for one in (other, untrained, found["area"])]
            rows.append((task, name, answer.mean(), *ends, *means))
    names = ["task", "map", "share", "low", "high", "other", "untrained", "area"]
    return pd.DataFrame(rows, columns=names)


def compute_hidden() -> pd.DataFrame:
    """What the networks answer where something is hidden.

    Returns
    -------
    pandas.DataFrame
        A row for each task and each of :data:`HIDDEN`, after "nothing": ``task, hidden``; what
        :func:`bloodlib.analyses.robustness.compare` has; ``same``, that of unchanged answers.
    """
    found, rows = read(), []
    for task in TASKS:
        before = found[f"labels_{task}"]
        for name, labels in zip(
            ("nothing", *HIDDEN), (before, *found[f"hidden_{task}"].T), strict=True
        ):
            row = robustness.compare(task, labels, before)
            rows.append({"task": task, "hidden": name} | row | {"same": (labels == before).mean()})
    return pd.DataFrame(rows)


def plot_examples() -> plt.Figure:
    """One picture of each class; below, the maps of the answer; dashed: the white cell's box.

    Where the images can't be had, pictures are drawn, and labelled so.
    """
    found, (rows, drawings), there = read(), examples(), images.available()
    figure, axes = plt.subplots(1 + len(MAPS), len(CLASSES), figsize=(7.2, 4.4), dpi=150)
    height, width = images.SIZE
    frame = {"extent": (-0.5, width - 0.5, height - 0.5, -0.5)}  # pixels of the network
    for place, (column, name) in enumerate(zip(axes.T, CLASSES, strict=True)):
        if there:
            picture = registration.view("TEST", images.names("TEST")[rows[place]])
            own = slice(rows[place], rows[place] + 1)
            box = photographs.inside(photographs.coordinates("TEST", own))[0]
            for axis, colour in zip(column, ("black", "white", "white"), strict=True):
                axis.contour(box, [0.5], linewidths=1, linestyles="--", colors=colour)
        else:
            picture, place = drawings[place], place + len(CLASSES)
        column[0].imshow(picture, **frame)
        for axis, weights in zip(column[1:], found["examples"][place].astype(float), strict=True):
            axis.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=400, **frame)
            style = {"alpha": 0.65, "vmin": 0, "interpolation": "bilinear"}
            axis.imshow(weights, cmap="magma", **style, **frame)
        for axis in column:
            bare(axis)
            axis.set_xlabel("" if there else synthetic.STAMP, fontsize=7)
        answer = CLASSES[found["example_labels"][place]]
        mark = "✓" if answer == name else "✗"
        column[0].set_title(f"{name.capitalize()}\nanswer: {answer.lower()} {mark}", fontsize=8)
    for axis, title in zip(axes[1:, 0], MAPS.values(), strict=True):
        axis.set_ylabel(title, fontsize=8)
    return figure
