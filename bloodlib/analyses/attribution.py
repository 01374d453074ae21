"""Attribution maps: which pixels a network's answers depend on, and how many show the white cell.

Two maps of an answer explain its score before the softmax:

``pixels``
    Integrated gradients (Sundararajan, Taly and Yan, 2017): what each pixel adds to the score on
    the way from a baseline, an image of the median colour, to this one.
``features``
    HiResCAM (Draelos and Carin, 2020) of the second convolution: each output times its gradient,
    summed over filters. Grad-CAM averages the gradient over places first, which for a network
    that ends in a flattened layer can point to places that were not used.

A map is judged by the share of its weight in the cell's box (:mod:`bloodlib.data.boxes`), beside
the box's share of the image: so much a uniform map has there. Occlusion asks the network itself:
what does it answer if the cell is hidden, or all else?
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from bloodlib.analyses import robustness
from bloodlib.analyses.plots import COLOURS, GALLERY_SIZE, bare
from bloodlib.data import boxes, images, photographs, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.study import measurements

NAME = "attribution"
MAPS = {"pixels": "Integrated gradients", "features": "HiResCAM"}
#: What is mapped: the trained network's answer; another class, drawn at random; the answer of the
#: network as it was before training.
TARGETS = ("answer", "another class", "untrained")
SIGNS = ("all", "for it")  # absolute weight; positive weight, which speaks for the class
#: What is hidden under the median colour: the box; the same box half the picture away, over each
#: edge back in at the other side; all but the box.
HIDDEN = ("the cell", "as much elsewhere", "all but the cell")
#: Points on the way from the baseline; seed of the other class, of the untrained network and
#: of the drawn examples; raised when the computation changes.
STEPS, SEED, VERSION = 8, 0, 2
#: Of each box: its share of the image, the part of it in the image, its share of a central blob.
PLACES = ("area", "visible", "blob")
#: Bins of the mean map, over three widths and heights of the box.
BINS = 24
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
    settings = {"steps": STEPS, "seed": SEED, "version": VERSION, "bins": BINS}
    settings["weights"] = {task: weights.provenance(task)["weights"] for task in TASKS}
    for task, names in TASKS.items():
        both = weights.load(task), networks.build_dclnn(len(names), seed=SEED)
        explain = [make_explainer(network) for network in both]
        shifts = np.random.default_rng(SEED).integers(1, len(names), len(pixels))

        def describe(rows, task=task, both=both, explain=explain, shifts=shifts):
            return _describe(task, both, explain, pixels, rows, shifts[rows])

        found = measurements.in_chunks(
            f"{NAME}-{task}", settings | {"task": task}, describe, len(pixels), clock
        )
        arrays |= {key: found.pop(key) for key in PLACES}
        found["profile"] = found["profile"].sum(axis=0, dtype=np.float32)
        arrays |= {f"{key}_{task}": value for key, value in found.items()}
        if task == "four":
            small = np.stack([images.resize(one, boxes.SIZE) for one in example_drawings()])
            shown = np.concatenate([pixels[example_rows()], small]).astype(np.float32)
            labels = predict(both[0], shown)
            arrays["example_labels"] = labels
            arrays["examples"] = _coarse(np.abs(explain[0](shown, labels)))
    measurements.save(NAME, arrays, settings, clock, training.load_keras().backend.backend())


def _describe(task, networks, explain, pixels, rows, shifts):
    """All that is stored of some images, for one task."""
    pixels = np.asarray(pixels[rows], np.float32)
    placed = boxes.coordinates("TEST", rows, pixels.shape[1:3])
    box = boxes.inside(placed)
    labels, untrained = (predict(network, pixels) for network in networks)
    other = (labels + shifts) % len(TASKS[task])
    answer = explain[0](pixels, labels)
    maps = answer, explain[0](pixels, other), explain[1](pixels, untrained)
    covered = box, move(box), ~box
    return {
        "area": box.mean(axis=(1, 2), dtype=np.float32),
        "visible": boxes.visible(placed).astype(np.float32),
        "blob": share_in_box(blob(pixels.shape[1:3]), box)[:, 0].astype(np.float32),
        "labels": labels,
        "shares": np.stack([share_in_box(one, box[:, None]) for one in maps], 1).astype(np.float16),
        "hidden": np.stack([predict(networks[0], hide(pixels, one)) for one in covered], axis=1),
        "profile": sum_by_place(answer, placed, images.labels("TEST")[rows])[None],
    }


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

    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"KERAS_BACKEND is {backend!r}, but maps take gradients with TensorFlow: "
            "set KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    names = [layer.name for layer in model.layers]
    middle = names.index("conv_2") + 1
    output = model.layers[-1]

    def features(pictures):
        for layer in model.layers[:middle]:
            pictures = layer(pictures)
        return pictures

    def score(found, labels):
        for layer in model.layers[middle:-1]:
            found = layer(found, training=False)
        return tf.gather(found @ output.kernel + output.bias, labels, axis=1, batch_dims=1)

    @tf.function(reduce_retracing=True)
    def by_pixels(pictures, labels):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            found = score(features(pictures), labels)
        return tape.gradient(found, pictures)

    @tf.function(reduce_retracing=True)
    def by_features(pictures, labels):
        outputs = features(pictures)
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            found = score(outputs, labels)
        return tf.reduce_sum(outputs * tape.gradient(found, outputs), axis=-1)

    def maps(pixels, labels):
        pixels, labels = np.asarray(pixels, np.float32), np.asarray(labels, np.int32)
        away = pixels - median_images(pixels)
        gradient = np.zeros_like(pixels)
        for step in range(steps):
            here = pixels - away * np.float32(1 - (step + 0.5) / steps)
            gradient += by_pixels(here, labels).numpy()
        first = (gradient / steps * away).sum(axis=-1)
        second = by_features(pixels, labels).numpy()
        rim = [(side - inner) // 2 for side, inner in zip(first.shape, second.shape, strict=True)]
        second = np.pad(second, [(width, width) for width in rim])
        return np.stack([first, second], axis=1)

    return maps


def predict(model, pixels: np.ndarray) -> np.ndarray:
    """Labels that a network gives to images: uint8 [n]."""
    batches = (pixels[start : start + 128] for start in range(0, len(pixels), 128))
    found = [np.asarray(model(np.asarray(one, np.float32), training=False)) for one in batches]
    return np.concatenate(found).argmax(axis=1).astype(np.uint8)


def median_images(pixels: np.ndarray) -> np.ndarray:
    """Images of nothing but each image's median colour: float32, of the images' shape."""
    colour = np.median(pixels.reshape(len(pixels), -1, 3), axis=1).astype(np.float32)
    return np.broadcast_to(colour[:, None, None], pixels.shape)


def hide(pixels: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Images with their median colour where ``covered`` [n, height, width] is true."""
    return np.where(covered[..., None], median_images(pixels), pixels)


def move(box: np.ndarray) -> np.ndarray:
    """The same boxes half the picture away: what leaves it at one edge comes in at the other."""
    return np.roll(box, (box.shape[-2] // 2, box.shape[-1] // 2), axis=(-2, -1))


def share_in_box(maps: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Share of a map's weight that lies in a box.

    Parameters
    ----------
    maps : array [..., height, width]
    box : bool array [..., height, width]
        Broadcast together.

    Returns
    -------
    float array [..., 2]
        Of :data:`SIGNS`. A map without any weight has the box's share of the picture.
    """
    weights = np.stack([np.abs(maps), np.maximum(maps, 0)], axis=-3).astype(float)
    weights = np.where(weights.sum(axis=(-2, -1), keepdims=True) > 0, weights, 1.0)
    return (weights * box[..., None, :, :]).sum(axis=(-2, -1)) / weights.sum(axis=(-2, -1))


def sum_by_place(maps: np.ndarray, placed: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sums of maps by class and by where a pixel is, seen from the box.

    Parameters
    ----------
    maps : array [n, kinds, height, width]
    placed : array [n, height, width, 2]
        See :func:`bloodlib.data.boxes.coordinates`.
    labels : int array [n]
        Of the four classes.

    Returns
    -------
    float64 array [classes, kinds + 1, BINS, BINS]
        Absolute weight, where a uniform map has 1 for each pixel; last, pixels counted.
        From one width and height of the box before it to one behind it.
    """
    weights = np.abs(maps)
    weights = weights / np.maximum(weights.mean(axis=(2, 3), keepdims=True), 1e-30)
    weights = np.concatenate([weights, np.ones_like(weights[:, :1])], axis=1)
    place = np.floor((placed + 1) / 3 * BINS)
    near = ((place >= 0) & (place < BINS)).all(axis=-1)
    across, down = np.where(near[..., None], place, 0).astype(int).transpose(3, 0, 1, 2)
    bins = (labels[:, None, None].astype(int) * BINS + down) * BINS + across
    n = len(CLASSES) * BINS * BINS
    sums = [np.bincount(bins[near], one[near], n) for one in weights.transpose(1, 0, 2, 3)]
    return np.stack(sums).reshape(-1, len(CLASSES), BINS, BINS).transpose(1, 0, 2, 3)


def blob(size: tuple[int, int] = boxes.SIZE) -> np.ndarray:
    """A map of the middle, whatever the image: a Gaussian, a quarter of each side wide."""
    down, across = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * 0.25**2)) for side in size
    )
    return down[:, None] * across


def example_rows() -> np.ndarray:
    """Rows of TEST whose maps are shown: of each class the middle one in the order of names."""
    labels = images.labels("TEST")
    return np.array([np.median(np.flatnonzero(labels == k)) for k in range(len(CLASSES))], int)


def example_drawings() -> list[np.ndarray]:
    """Drawn cells, one of each class, to show maps over where the images can't be had."""
    return [
        synthetic.draw(label, np.random.default_rng([SEED, label]), GALLERY_SIZE)
        for label in range(len(CLASSES))
    ]


def read() -> dict[str, np.ndarray]:
    """What :func:`compute` stored, for the n images of TEST.

    Returns
    -------
    dict of array
        ``area, visible, blob`` [n], see :data:`PLACES`. For each task, with its name behind:
        ``labels`` [n], the network's answers; ``shares`` [n, targets, maps, signs], the box's
        share of each map; ``hidden`` [n, hidden], the answers where something is hidden;
        ``profile``, see :func:`sum_by_place`. ``examples`` [8, maps, 15, 20], absolute weights of
        four images and four drawings, greatest 1, and ``example_labels`` [8], the answers.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is nothing, or it can't be trusted.
    """
    arrays, _ = measurements.read(NAME)
    n = len(images.names("TEST"))
    shapes = {key: (n,) for key in PLACES}
    for task in TASKS:
        shapes |= {
            f"labels_{task}": (n,),
            f"shares_{task}": (n, len(TARGETS), len(MAPS), len(SIGNS)),
            f"hidden_{task}": (n, len(HIDDEN)),
            f"profile_{task}": (len(CLASSES), len(MAPS) + 1, BINS, BINS),
        }
    shapes |= {"examples": (2 * len(CLASSES), len(MAPS), *COARSE)}
    measurements.check(NAME, arrays, shapes)
    return arrays


# --------------------------------------------------------------------------------- what is shown


def compute_shares() -> pd.DataFrame:
    """How much of the maps lies on the white cell, over all images of TEST.

    Returns
    -------
    pandas.DataFrame
        ``task, map, sign``; ``share, low, high``, of the answer's map in the box, with its
        cell-clustered interval; ``other``, of another class's map; ``untrained``; ``blob``;
        ``area``, the share of a uniform map.
    """
    found, rows = read(), []
    for task in TASKS:
        drawn, shares = comparison.resamples(task), found[f"shares_{task}"].astype(float)
        for kind, name in enumerate(MAPS):
            for sign, signs in enumerate(SIGNS):
                answer, other, untrained = shares[:, :, kind, sign].T
                ends = intervals.mean_bounds(answer[None], drawn)
                means = [one.mean() for one in (other, untrained, found["blob"], found["area"])]
                rows.append((task, name, signs, answer.mean(), *ends, *means))
    names = ["task", "map", "sign", "share", "low", "high", "other", "untrained", "blob", "area"]
    return pd.DataFrame(rows, columns=names)


def _each_image(task):
    """What is known of each image of TEST: its box, and the box's share of the maps' weight."""
    found = read()
    shares = found[f"shares_{task}"][..., 0].astype(float)
    columns = {
        "task": task,
        "class": pd.Categorical.from_codes(images.labels("TEST"), CLASSES),
        "photograph": photographs.photographs("TEST"),
        "right": found[f"labels_{task}"] == images.labels("TEST", task),
        "visible": found["visible"].astype(float),
        "area": found["area"].astype(float),
    }
    for kind, name in enumerate(MAPS):
        columns |= {name: shares[:, 0, kind], f"{name}_untrained": shares[:, 2, kind]}
    return pd.DataFrame(columns)


def compute_classes() -> pd.DataFrame:
    """The shares by class, for all weight, and apart for right and wrong answers.

    Returns
    -------
    pandas.DataFrame
        A row for each task, each of the four classes and each kind of answer that there is:
        ``task, class, answer`` ("right", "wrong"); ``images``; means over these of ``visible`` and
        ``area``, see :data:`PLACES`, and of the box's share of each map, by the map's name.
    """
    each = pd.concat([_each_image(task) for task in TASKS])
    each["answer"] = np.where(each["right"], "right", "wrong")
    by = each.groupby(["task", "class", "answer"], observed=True)
    means = by[["visible", "area", *MAPS]].mean()
    return means.assign(images=by.size()).reset_index().astype({"class": str})


def compute_hidden() -> pd.DataFrame:
    """What the networks answer where something is hidden.

    Returns
    -------
    pandas.DataFrame
        A row for each task and each of :data:`HIDDEN`, after "nothing": ``task, hidden``; what
        :func:`bloodlib.analyses.robustness.compare` has; ``same``, the share of answers that stay.
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


def compute_photographs(task: str) -> pd.DataFrame:
    """The box's share of the maps by photograph, absolute weights.

    Returns
    -------
    pandas.DataFrame
        A row for each photograph of TEST: ``class, photograph``; means over its images of
        ``right, area``, the share of each map, by its name, and of the untrained network's, with
        ``_untrained`` behind.
    """
    by = _each_image(task).drop(columns="task").groupby(["class", "photograph"], observed=True)
    return by.mean().reset_index().astype({"class": str})


def plot_photographs(found: pd.DataFrame) -> plt.Figure:
    """Weight in the box over its area, of :func:`compute_photographs`: a dot a photograph.

    Filled: most images right. Grey: the untrained network. On the dotted line lie maps that
    know nothing of the cell.
    """
    figure, axes = plt.subplots(1, len(MAPS), figsize=(7.2, 3.6), sharex=True, sharey=True)
    for axis, (kind, title) in zip(axes, MAPS.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="#888888", lw=1, ls=":")
        axis.plot(found["area"], found[f"{kind}_untrained"], "o", ms=3, color="#bbbbbb")
        for name, dots in found.groupby("class"):
            faces = np.where(dots["right"] >= 0.5, COLOURS[name], "none")
            axis.scatter(dots["area"], dots[kind], 26, faces, edgecolors=COLOURS[name], zorder=3)
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


def plot_profile(task: str) -> plt.Figure:
    """Mean maps seen from the box (the frame): a row for each map, a column for each class."""
    sums = read()[f"profile_{task}"]
    means = sums[:, :-1] / np.maximum(sums[:, -1:], 1)
    figure, axes = plt.subplots(
        len(MAPS), len(CLASSES), figsize=(7.2, 3.9), sharex=True, sharey=True
    )
    for row, title in enumerate(MAPS.values()):
        for axis, name, mean in zip(axes[row], CLASSES, means[:, row], strict=True):
            drawn = axis.imshow(
                mean, cmap="magma", vmin=0, vmax=means[:, row].max(), extent=(-1, 2, 2, -1)
            )
            axis.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, ec="white", lw=1, ls="--"))
            bare(axis)
            if not row:
                axis.set_title(name.capitalize(), fontsize=9)
        axes[row, 0].set_ylabel(title)
        figure.colorbar(drawn, ax=axes[row], shrink=0.8, label="times a uniform map")
    return figure


def plot_examples() -> plt.Figure:
    """One picture of each class; below, the maps of the answer; dashed: the white cell's box.

    Where the images can't be had, pictures are drawn, and stamped so.
    """
    found, there = read(), images.available()
    figure, axes = plt.subplots(1 + len(MAPS), len(CLASSES), figsize=(7.2, 4.4), dpi=150)
    for place, (column, name) in enumerate(zip(axes.T, CLASSES, strict=True)):
        if there:
            number = int(example_rows()[place])
            picture = shown = images.picture("TEST", images.names("TEST")[number])
            box = boxes.inside(boxes.coordinates("TEST", slice(number, number + 1)))[0]
        else:
            picture = example_drawings()[place]
            shown, box = synthetic.stamp(picture), None
        row = place + (0 if there else len(CLASSES))
        height, width = picture.shape[:2]
        column[0].imshow(shown)
        for axis, weights in zip(column[1:], found["examples"][row].astype(float), strict=True):
            axis.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=400)
            axis.imshow(
                weights, cmap="magma", extent=(0, width, height, 0), alpha=0.65, vmin=0,
                interpolation="bilinear",
            )  # fmt: skip
            if not there:
                axis.text(
                    0.5, 0.02, synthetic.STAMP, color="white", fontsize=5,
                    ha="center", va="bottom", transform=axis.transAxes,
                )  # fmt: skip
        for axis in column:
            if box is not None:
                h, w = box.shape
                axis.contour(
                    (np.arange(w) + 0.5) * width / w, (np.arange(h) + 0.5) * height / h,
                    box, levels=[0.5], linewidths=1, linestyles="--",
                    colors="black" if axis is column[0] else "white",
                )  # fmt: skip
            bare(axis)
        answer = CLASSES[found["example_labels"][row]].lower()
        column[0].set_title(f"{name.capitalize()}\nanswer: {answer}", fontsize=8)
    for axis, title in zip(axes[1:, 0], MAPS.values(), strict=True):
        axis.set_ylabel(title, fontsize=8)
    return figure
