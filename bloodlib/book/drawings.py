"""Drawings of convolution, pooling and the network, and what the equations learn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from PIL import Image
from scipy.signal import correlate2d

from bloodlib.data import images, registration, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.paper import equations

#: Of a network's layers; grey without one.
_KINDS = {"Conv2D": "#56B4E9", "Dense": "#6CCBA9"}
_KINDS |= dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), "#F0B440")


def plot_matrices(matrices: dict[str, np.ndarray], colours: list) -> plt.Figure:
    """Matrices side by side, by their titles; each has one colour, or one for each number."""
    widths = [values.shape[1] for values in matrices.values()]
    figure, axes = plt.subplots(1, len(matrices), figsize=(7, 3.1), width_ratios=widths)
    for axis, (title, values), colour in zip(axes, matrices.items(), colours, strict=True):
        _squares(axis, values, colour, 15)
        axis.set_title(title, fontsize=14)
    return figure


def load_grey(kind: str = "NEUTROPHIL", seed: int = 0) -> tuple[np.ndarray, bool]:
    """One image of TRAIN in grey, [60, 80] from 0 to 255, as small as the network sees it.

    Returns
    -------
    grey : float array [60, 80]
    published : bool
        False where the images can't be had and a cell is drawn instead.
    """
    rng = np.random.default_rng(seed)
    published = images.available()
    if published:
        rows = np.flatnonzero(images.labels("TRAIN") == CLASSES.index(kind))
        picture = registration.view("TRAIN", images.names("TRAIN")[rng.choice(rows)])
        small = Image.fromarray(picture).resize((80, 60), Image.Resampling.BILINEAR)
    else:
        small = Image.fromarray(synthetic.draw(kind, rng))
    return np.asarray(small.convert("L"), float), published


def plot_kernels(grey: np.ndarray, published: bool) -> plt.Figure:
    """Each kernel in yellow with its feature; edges by their size, bright on black."""
    figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.4), width_ratios=(1, 2.3, 1, 2.3))
    for pair, (name, kernel) in zip(axes.reshape(4, 2), equations.KERNELS.items(), strict=True):
        _squares(pair[0], kernel, "khaki", 11)
        feature = correlate2d(grey, kernel, mode="valid")
        shown = np.abs(feature) if name == "Edges" else feature
        picture = np.kron(shown.clip(0, 255).astype(np.uint8), np.ones((4, 4), np.uint8))
        picture = np.dstack([picture] * 3)
        pair[1].imshow(picture if published else synthetic.stamp(picture))
        pair[1].set_axis_off()
        pair[1].set_title(name, fontsize=13)
    return figure


def compute_learning(
    rate: float = 0.05, steps: int = 200, seed: int = 0
) -> tuple[list[float], dict[str, float]]:
    """Train section 4.3's network on a few dozen small drawn cells of two classes.

    Parameters
    ----------
    rate : float
        Step of gradient descent.
    steps : int
        How many, each on all cells.
    seed : int
        Of the first weights.

    Returns
    -------
    losses : list of float
        The loss before each step.
    found : dict of str to float
        ``cells`` and ``others``, how many there were; ``accuracy`` on the cells,
        ``accuracy_others`` on the others, ``chance``; the ``first`` and ``last`` loss, and
        ``even``, that at the same output for every class.
    """
    cells = synthetic.load("TRAIN", "two", (12, 16), 48)
    others = synthetic.load("TEST", "two", (12, 16), 160)
    classes = len(TASKS["two"])
    network = equations.Network(cells.pixels.shape[1:], classes, seed=seed)
    targets = np.eye(classes)[cells.labels]
    losses = [float(network.train_step(cells.pixels / 255, targets, rate)) for _ in range(steps)]
    accuracy, accuracy_others = (
        float((network.forward(drawn.pixels / 255).argmax(axis=1) == drawn.labels).mean())
        for drawn in (cells, others)
    )
    return losses, {
        "cells": len(cells.labels),
        "others": len(others.labels),
        "accuracy": accuracy,
        "accuracy_others": accuracy_others,
        "chance": 1 / classes,
        "first": losses[0],
        "last": losses[-1],
        "even": float(equations.loss(np.full_like(targets, 1 / classes), targets)),
    }


def load_layers(model) -> pd.DataFrame:
    """A Keras model's input and layers: ``Layer, Kind, Output, Parameters, Share (%)``."""
    rows = [("image", "Input", model.input_shape[1:], 0)]
    rows += [
        (layer.name, type(layer).__name__, layer.output.shape[1:], layer.count_params())
        for layer in model.layers
    ]
    found = pd.DataFrame(rows, columns=["Layer", "Kind", "Output", "Parameters"])
    found["Output"] = ["×".join(f"{n:,}" for n in shape) for shape in found["Output"]]
    return found.assign(**{"Share (%)": 100 * found["Parameters"] / model.count_params()})


def plot_network(layers: pd.DataFrame) -> plt.Figure:
    """Figure 3, of :func:`load_layers`: stacks of maps and columns of nodes, in two rows."""
    columns = -(-len(layers) // 2)
    figure, axis = plt.subplots(figsize=(1.3 * columns, 4.4))
    for i, layer in enumerate(layers.itertuples()):
        across, down = i % columns + 0.5, 1.6 * (i // columns)
        height, *rest = (int(n.replace(",", "")) for n in layer.Output.split("×"))
        if rest:
            sheets = max(2, round(np.log2(rest[1])))
            wide, high = 0.56 * rest[0] / 80, 0.37 * height / 60
        else:
            sheets, wide, high = 1, 0.12, 0.13 * np.log10(height) + 0.03
        style = {"fc": _KINDS.get(layer.Kind, "#dddddd"), "ec": "#333333", "lw": 0.8}
        for sheet in reversed(range(sheets)):
            shift = 0.035 * (sheet - (sheets - 1) / 2)
            place = across - wide / 2 + shift, down - high / 2 - shift
            axis.add_patch(plt.Rectangle(place, wide, high, **style))
        axis.text(across, down + 0.48, layer.Layer, ha="center", fontsize=14, fontweight="bold")
        below = f"{layer.Output}\n{layer.Parameters:,}"
        axis.text(across, down + 0.53, below, ha="center", va="top", fontsize=14)
        if i % columns:
            arrow = {"arrowstyle": "->", "lw": 1.2}
            axis.annotate("", (across - 0.38, down), (across - 0.62, down), arrowprops=arrow)
    axis.set(xlim=(0, columns), ylim=(2.62, -0.4))
    axis.set_axis_off()
    return figure


def _squares(axis, values, colours, fontsize):
    """Draw a matrix of numbers as squares, of one colour or of one each."""
    names, codes = np.unique(np.broadcast_to(colours, values.shape), return_inverse=True)
    text = [["1/9" if value == 1 / 9 else f"{value:g}" for value in row] for row in values]
    sns.heatmap(
        codes.reshape(values.shape), cmap=ListedColormap(names), annot=np.array(text), fmt="",
        annot_kws={"fontsize": fontsize, "color": "#222222"}, square=True, cbar=False,
        linewidths=1.5, linecolor="white", xticklabels=[], yticklabels=[], ax=axis,
    )  # fmt: skip
    axis.tick_params(length=0)
    axis.grid(False)
