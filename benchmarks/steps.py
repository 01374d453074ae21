"""What the scripts that train have in common: their settings, and a check that they agree."""

import argparse
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from bloodlib.models import dclnn, training

#: Steps of the check, and their learning rate: at the lineage's 1.0 the second loss is so large
#: that Keras cuts it off on JAX, and on TensorFlow not.
CHECKED, LEARNING_RATE = 4, 0.05


def arguments(description: str) -> argparse.ArgumentParser:
    """Settings of a script that trains; the defaults are the lineage's, without augmentation."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--augment", action="store_true", help="turn, shift and mirror the images")
    parser.add_argument("--size", type=int, nargs=2, default=(60, 80), help="height and width")
    parser.add_argument("--hidden", type=int, default=128, help="nodes of the hidden layer")
    parser.add_argument("--images", type=int, default=2560, help="how many to go through")
    parser.add_argument("--seconds", type=float, default=1.5, help="of a round, at least")
    parser.add_argument("--check", action="store_true", help="tell the first losses, too")
    return parser


def network(options: argparse.Namespace):
    """DCLNN with a script's settings, in stock Keras."""
    size = tuple(options.size)
    return dclnn.build(4, hidden=options.hidden, size=size, precision=options.precision)


def batches(options: argparse.Namespace, pixels: np.ndarray, labels: np.ndarray) -> Iterator:
    """Batches without end, shuffled and augmented as bloodlib does: float32 images and labels."""
    for epoch in itertools.count():
        yield from training._batches(pixels, labels, options.batch, options.augment, 0, epoch)


def weights(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """The same weights in every framework: Glorot's uniform ones, biases of zero."""
    rng, found = np.random.default_rng(0), []
    for shape in shapes:
        ends = np.prod(shape[:-2]) * (shape[-2] + shape[-1]) if len(shape) > 1 else 0
        limit = np.sqrt(6 / ends) if ends else 0
        found.append(rng.uniform(-limit, limit, shape).astype("float32"))
    return found


def check(
    step: Callable[[np.ndarray, np.ndarray], float], pixels: np.ndarray, labels: np.ndarray
) -> list[float]:
    """Losses of the first steps without dropout, from :func:`weights`, the same for everybody.

    Parameters
    ----------
    step : callable
        Learns from float32 images and their labels, and returns the loss there was before.
    pixels, labels : array
        Images of TRAIN.
    """
    rows = np.random.default_rng(0).permutation(len(labels))[: 32 * CHECKED].reshape(CHECKED, -1)
    return [float(step(pixels[batch].astype("float32"), labels[batch])) for batch in rows]


def keras_check(model, pixels: np.ndarray, labels: np.ndarray) -> list[float]:
    """:func:`check` for a compiled Keras model."""
    for layer in model.layers:
        if "dropout" in layer.name:
            layer.rate = 0
    model.optimizer.learning_rate = LEARNING_RATE
    variables = model.trainable_variables
    for variable, value in zip(variables, weights([v.shape for v in variables]), strict=True):
        variable.assign(value)

    def step(images, labels):
        return model.train_on_batch(images, labels, return_dict=True)["loss"]

    return check(step, pixels, labels)
