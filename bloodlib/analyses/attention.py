"""Where the network looks: maps of its answers, and how much of them lies on the white cell.

Two maps of an answer, which differ in what they explain the answer's score by (that before the
softmax):

``pixels``
    Integrated gradients (Sundararajan, Taly and Yan, 2017): what each pixel adds to the score on
    the way from an empty picture to this one. The empty picture has the image's median colour.
``features``
    HiResCAM (Draelos and Carin, 2020) of the second convolution: each output times its gradient,
    summed over filters. Grad-CAM averages the gradient over places first, which for a network
    that ends in a flattened layer can point to places that were not used.

A map is judged by the share of its weight that lies in the cell's box (:mod:`bloodlib.data.boxes`),
beside the box's share of the picture: so much a map that knows nothing would have there. And the
question is put to the network itself: what does it answer if the cell is hidden, or all else?
"""

from collections.abc import Callable

import numpy as np

from bloodlib.analyses.plots import GALLERY_SIZE
from bloodlib.data import boxes, images, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.study import measurements, records

NAME = "attention"
MAPS = {"pixels": "Integrated gradients", "features": "HiResCAM"}
#: What is mapped, the trained network's answer; another class in its place, drawn at random; and
#: the answer of the network as it was before training.
ASKED = ("answer", "another class", "untrained")
SIGNS = ("all", "for it")  # absolute weight; positive weight, which speaks for the class
#: What is hidden under the median colour, the box; the same box half the picture away, over each
#: edge back in at the other side; all but the box.
HIDDEN = ("the cell", "as much elsewhere", "all but the cell")
#: Points on the way from the empty picture; seed of the other class, of the untrained network and
#: of the drawn examples; raised when the computation changes.
STEPS, SEED, VERSION = 8, 0, 2
#: What is known of each box, its share of the picture, how much of it lies in the picture, and its
#: share of :func:`blob`.
PLACES = ("area", "visible", "blob")
#: Bins of the mean map, over three widths and heights of the box.
BINS = 24
#: Height and width to which the maps of examples are reduced, too coarse to be a picture.
COARSE = (15, 20)


# ------------------------------------------------------------------------------------ computing


def remake() -> None:
    """Map the answers for all images of TEST, and write ``results/attention.npz``.

    Takes some ten minutes. It goes on where it was stopped.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images, or not the published ones.
    bloodlib.study.records.RecordError
        If there are no weights, or no boxes.
    ImportError
        If Keras computes with another backend than TensorFlow.
    """
    from bloodlib.models import dclnn, training, weights

    clock = stored.Clock()
    pixels, arrays = images.load("TEST").pixels, {}
    settings = {"steps": STEPS, "seed": SEED, "version": VERSION, "bins": BINS}
    settings["weights"] = {task: weights.provenance(task)["weights"] for task in TASKS}
    for task, names in TASKS.items():
        networks = weights.load(task), dclnn.build(len(names), seed=SEED)
        measure = _Measure(task, *networks)
        found = measurements.in_chunks(
            f"{NAME}-{task}", settings | {"task": task}, lambda rows, m=measure: m(pixels, rows),
            len(pixels), clock,
        )  # fmt: skip
        arrays |= {key: found.pop(key) for key in PLACES}
        found["profile"] = found["profile"].sum(axis=0, dtype=np.float32)
        arrays |= {f"{key}_{task}": value for key, value in found.items()}
        if task == "four":
            rows, drawn = example_rows(), example_drawings()
            small = np.stack([images.resize(picture, boxes.SIZE) for picture in drawn])
            arrays["example_labels"], arrays["examples"] = measure.coarse(
                np.concatenate([pixels[rows], small])
            )
    measurements.save(NAME, arrays, settings, clock, training.load_keras().backend.backend())


class _Measure:
    """What is frozen of each image, for one task."""

    def __init__(self, task, network, untrained):
        self.task, self.network = task, network
        self.explain = mapper(network), mapper(untrained)
        self.untrained = untrained
        rng = np.random.default_rng(SEED)
        self.shift = rng.integers(1, len(TASKS[task]), len(images.names("TEST")))

    def __call__(self, pixels, rows):
        pixels = np.asarray(pixels[rows], np.float32)
        placed = boxes.coordinates("TEST", rows, pixels.shape[1:3])
        box = boxes.inside(placed)
        labels = answers(self.network, pixels)
        other = (labels + self.shift[rows]) % len(TASKS[self.task])
        first = self.explain[0](pixels, labels)
        found = first, self.explain[0](pixels, other)
        found += (self.explain[1](pixels, answers(self.untrained, pixels)),)
        return {
            "area": box.mean(axis=(1, 2), dtype=np.float32),
            "visible": boxes.visible(placed).astype(np.float32),
            "blob": share(blob(pixels.shape[1:3]), box)[:, 0].astype(np.float32),
            "labels": labels,
            "shares": np.stack([share(one, box[:, None]) for one in found], 1).astype(np.float16),
            "hidden": np.stack(
                [
                    answers(self.network, hide(pixels, covered))
                    for covered in (box, elsewhere(box), ~box)
                ],
                axis=1,
            ),
            "profile": profile(first, placed, images.labels("TEST")[rows])[None],
        }

    def coarse(self, pixels):
        pixels = np.asarray(pixels, np.float32)
        labels = answers(self.network, pixels)
        found = np.abs(self.explain[0](pixels, labels))
        n, kinds, height, _ = found.shape
        found = found.reshape(n, kinds, COARSE[0], height // COARSE[0], COARSE[1], -1).sum((3, 5))
        most = np.maximum(found.max(axis=(2, 3), keepdims=True), 1e-30)
        return labels, (found / most).astype(np.float16)


def mapper(model, steps: int = STEPS) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function that maps answers of a network.

    Parameters
    ----------
    model : keras.Sequential
        As :func:`bloodlib.models.dclnn.build` makes it: ``conv_2``, then what ends in ``output``.
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
        away = pixels - empty(pixels)
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


def answers(model, pixels: np.ndarray) -> np.ndarray:
    """Labels that a network gives to images: uint8 [n]."""
    batches = (pixels[start : start + 128] for start in range(0, len(pixels), 128))
    found = [np.asarray(model(np.asarray(one, np.float32), training=False)) for one in batches]
    return np.concatenate(found).argmax(axis=1).astype(np.uint8)


def empty(pixels: np.ndarray) -> np.ndarray:
    """Pictures of nothing but each image's median colour: float32, of the images' shape."""
    colour = np.median(pixels.reshape(len(pixels), -1, 3), axis=1).astype(np.float32)
    return np.broadcast_to(colour[:, None, None], pixels.shape)


def hide(pixels: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Images with their median colour where ``covered`` [n, height, width] is true."""
    return np.where(covered[..., None], empty(pixels), pixels)


def elsewhere(box: np.ndarray) -> np.ndarray:
    """The same boxes half the picture away: what leaves it at one edge comes in at the other."""
    return np.roll(box, (box.shape[-2] // 2, box.shape[-1] // 2), axis=(-2, -1))


def share(maps: np.ndarray, box: np.ndarray) -> np.ndarray:
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


def profile(maps: np.ndarray, placed: np.ndarray, labels: np.ndarray) -> np.ndarray:
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
        Absolute weight, where an even map would have 1 for each pixel; last, pixels counted.
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
    """A map that looks at the middle, whatever the image: a Gaussian, a quarter of each side wide.

    float array of such a height and width.
    """
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
    """What :func:`remake` froze, for the n images of TEST.

    Returns
    -------
    dict of array
        ``area, visible, blob`` [n], see :data:`PLACES`. For each task, with its name behind:
        ``labels`` [n], the network's answers; ``shares`` [n, asked, maps, signs], the box's share
        of each map; ``hidden`` [n, hidden], the answers where something is hidden; ``profile``,
        see :func:`profile`. ``examples`` [8, maps, 15, 20], absolute weights of four images and
        four drawings, greatest 1, and ``example_labels`` [8], the answers.

    Raises
    ------
    bloodlib.study.records.RecordError
        If there is nothing, or it can't be trusted.
    """
    arrays, _ = measurements.read(NAME)
    n = len(images.names("TEST"))
    shapes = {key: (n,) for key in PLACES}
    for task in TASKS:
        shapes |= {
            f"labels_{task}": (n,),
            f"shares_{task}": (n, len(ASKED), len(MAPS), len(SIGNS)),
            f"hidden_{task}": (n, len(HIDDEN)),
            f"profile_{task}": (len(CLASSES), len(MAPS) + 1, BINS, BINS),
        }
    shapes |= {"examples": (2 * len(CLASSES), len(MAPS), *COARSE)}
    for key, shape in shapes.items():
        if key not in arrays or arrays[key].shape != shape:
            raise records.RecordError(
                f"{NAME}.npz has no {key} {shape}: `bloodlib measure {NAME}` makes it anew."
            )
    return arrays
