"""Drawings of convolution, pooling and the network, and what they compute."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from PIL import Image

from bloodlib.data import images, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.models.networks import parameter_counts
from bloodlib.paper import equations
from bloodlib.paper.equations import KERNELS

# the well-known examples that Figures 1 and 2 show
IMAGE = ((1, 1, 1, 0, 0), (0, 1, 1, 1, 0), (0, 0, 1, 1, 1), (0, 0, 1, 1, 0), (0, 1, 1, 0, 0))
KERNEL = ((1, 0, 1), (0, 1, 0), (1, 0, 1))
MAPS = ((12, 20, 30, 0), (8, 12, 2, 0), (34, 70, 37, 4), (112, 100, 25, 12))
HIDDEN = (32, 64, 128, 256, 512)

_GREEN, _YELLOW, _PINK, _BLUE = "#BFE3B4", "#FFE58A", "#F6C1D0", "#BBDDF5"
#: Of a network's layers; grey without one.
_KINDS = {"Conv2D": "#56B4E9", "Dense": "#6CCBA9"}
_KINDS |= dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), "#F0B440")


# ---------------------------------------------------------------- convolution and pooling


def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Move one kernel across one image [height, width]: equation 6 without bias and tanh."""
    image, kernel = np.asarray(image), np.asarray(kernel)
    return equations.correlate(image[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]


def compute_convolution() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, kernel and convolved feature of the paper's Figure 1; the feature is computed."""
    image, kernel = np.array(IMAGE), np.array(KERNEL)
    return image, kernel, correlate(image, kernel)


def plot_convolution(image: np.ndarray, kernel: np.ndarray, feature: np.ndarray) -> plt.Figure:
    """Figure 1: image green, kernel yellow, feature pink, the kernel's first position in red."""
    figure, axes = plt.subplots(1, 3, figsize=(7, 3.1), width_ratios=(5, 3, 3))
    _squares(axes[0], image, _GREEN, "Image")
    _squares(axes[1], kernel, _YELLOW, "Kernel")
    _squares(axes[2], feature, _PINK, "Feature")
    for axis, (height, width) in ((axes[0], kernel.shape), (axes[2], (1, 1))):
        style = {"fill": False, "edgecolor": "#C00000", "lw": 2.2, "ls": "--"}
        axis.add_patch(plt.Rectangle((0, 0), width, height, **style))
    for axis, sign in zip(axes[1:], "*=", strict=True):
        axis.text(-0.4, 1.5, sign, fontsize=18, ha="center", va="center")
    return figure


def compute_kernels(kind: str = "NEUTROPHIL", seed: int = 0) -> tuple[np.ndarray, dict, bool]:
    """One image of TRAIN in grey, as small as the network sees it, and what kernels make of it.

    Parameters
    ----------
    kind : str
        Class of the cell.
    seed : int
        Which one.

    Returns
    -------
    grey : float array [60, 80]
        The image, 0 to 255.
    features : dict of str to float array [58, 78]
        By the names of :data:`bloodlib.paper.equations.KERNELS`.
    published : bool
        False where the images can't be had and a cell is drawn instead.
    """
    rng = np.random.default_rng(seed)
    published = images.available()
    if published:
        rows = np.flatnonzero(images.labels("TRAIN") == CLASSES.index(kind))
        picture = images.picture("TRAIN", images.names("TRAIN")[rng.choice(rows)])
        small = Image.fromarray(picture).resize((80, 60), Image.Resampling.BILINEAR)
    else:
        small = Image.fromarray(synthetic.draw(kind, rng))
    grey = np.asarray(small.convert("L"), float)
    return grey, {name: correlate(grey, kernel) for name, kernel in KERNELS.items()}, published


def plot_kernels(features: dict[str, np.ndarray], published: bool) -> plt.Figure:
    """Each kernel in yellow with its feature; edges by their size, bright on black."""
    figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.4), width_ratios=(1, 2.3, 1, 2.3))
    for pair, (name, feature) in zip(axes.reshape(4, 2), features.items(), strict=True):
        _squares(pair[0], KERNELS[name], _YELLOW, "", fontsize=11)
        shown = np.abs(feature) if name == "Edges" else feature
        shown = shown.clip(0, 255).astype(np.uint8)
        picture = shown.repeat(4, axis=0).repeat(4, axis=1)[..., None].repeat(3, axis=2)
        pair[1].imshow(picture if published else synthetic.stamp(picture))
        pair[1].set_axis_off()
        pair[1].set_title(name, fontsize=13)
    return figure


def compute_effects(grey: np.ndarray) -> pd.DataFrame:
    """What each kernel does to an image [height, width], in numbers: ``equations.effect``."""
    rows = [{"Kernel": name, **equations.effect(grey, one)} for name, one in KERNELS.items()]
    return pd.DataFrame(rows)


def compute_pooling() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The map of the paper's Figure 2, and its largest and mean values of 2×2 windows, computed."""
    maps = np.array(MAPS)[None, :, :, None]
    pools = (equations.max_pool, equations.average_pool)
    return (np.array(MAPS), *(pool(maps)[0, :, :, 0] for pool in pools))


def plot_pooling(values: np.ndarray, largest: np.ndarray, mean: np.ndarray) -> plt.Figure:
    """Figure 2: a map in 2×2 windows, each with its colour, and what the two poolings keep."""
    figure, axes = plt.subplots(1, 3, figsize=(7, 3.1), width_ratios=(4, 2, 2))
    windows = np.array([[_PINK, _YELLOW], [_GREEN, _BLUE]])
    _squares(axes[0], values, windows.repeat(2, axis=0).repeat(2, axis=1), "Map")
    axes[0].hlines(2, 0, 4, color="#222222", lw=2)
    axes[0].vlines(2, 0, 4, color="#222222", lw=2)
    _squares(axes[1], largest, windows, "Maximum")
    _squares(axes[2], mean, windows, "Average")
    axes[1].text(-0.4, 1, "→", fontsize=18, ha="center", va="center")
    return figure


# ---------------------------------------------------------------- the equations


def load_differences() -> pd.DataFrame:
    """Each formula of section 4.3 that is not computed as printed: three rows, to be compared."""
    rows = []
    for row in equations.DIFFERENCES:
        rows += [
            (row["where"], "printed", f"${row['printed']}$"),
            ("", "done", f"${row['done']}$"),
            ("", "why", row["why"]),
        ]
    return pd.DataFrame(rows, columns=["Equation", "Line", "Formula or reason"])


def compute_learning(
    rate: float = 0.05, steps: int = 200, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, float]]:
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
    curve : pandas.DataFrame
        Columns ``step, loss``; the loss before the step.
    found : dict of str to float
        ``cells`` and ``others``, how many there were; ``accuracy`` on the cells,
        ``accuracy_others`` on the others, ``chance``; the ``first`` and ``last`` loss, and
        ``even``, that of one who gives every class the same.
    """
    cells = synthetic.load("TRAIN", "two", (12, 16), 48)
    others = synthetic.load("TEST", "two", (12, 16), 160)
    classes = len(TASKS["two"])
    network = equations.Network(cells.pixels.shape[1:], classes, seed=seed)
    pixels, targets = cells.pixels / 255, np.eye(classes)[cells.labels]
    losses = [float(network.train_step(pixels, targets, rate)) for _ in range(steps)]

    def accuracy(drawn):
        answers = network.forward(drawn.pixels / 255).argmax(axis=1)
        return float((answers == drawn.labels).mean())

    even = equations.loss(np.full_like(targets, 1 / classes), targets)
    return pd.DataFrame({"step": range(steps), "loss": losses}), {
        "cells": len(cells.labels),
        "others": len(others.labels),
        "accuracy": accuracy(cells),
        "accuracy_others": accuracy(others),
        "chance": 1 / classes,
        "first": losses[0],
        "last": losses[-1],
        "even": float(even),
    }


def plot_learning(curve: pd.DataFrame, even: float) -> plt.Figure:
    """The loss by step, and the loss of one who gives every class the same."""
    figure, axis = plt.subplots(figsize=(7, 3.2))
    axis.plot(curve["step"], curve["loss"], color="#0072B2")
    axis.axhline(even, color="#888888", lw=1, ls=":")
    axis.text(curve["step"].iloc[-1], even, "every class the same", ha="right", va="bottom")
    axis.set(xlabel="step", ylabel="loss", ylim=(0, 1.05 * curve["loss"].max()))
    return figure


# ---------------------------------------------------------------- the network


def compute_alternatives(hidden: int = 128, classes: int = 4) -> pd.DataFrame:
    """Parameters of the network beside those of networks with fewer kinds of layers."""
    counted = {
        "two convolutions, pooling, hidden, output (section 4.2)": {},
        "the same without the pooling layer": {"pooling": False},
        "hidden and output, directly on the pixels": {"pooling": False, "filters": ()},
        "the same nodes as in section 4.2, fully connected in every layer": {"shared": False},
    }
    totals = [sum(parameter_counts(hidden, classes, **how).values()) for how in counted.values()]
    found = pd.DataFrame({"Network": counted.keys(), "Parameters": totals})
    return found.assign(**{"Times ours": found["Parameters"] / totals[0]})


def compute_widths(classes: int = 4) -> pd.DataFrame:
    """Parameters by the number of hidden nodes, which the paper leaves blank."""
    counts = pd.DataFrame([parameter_counts(hidden, classes) for hidden in HIDDEN])
    total = counts.sum(axis=1)
    share = 100 * counts["hidden"] / total
    return pd.DataFrame(
        {"Hidden nodes": HIDDEN, "Parameters": total, "In the hidden layer (%)": share}
    )


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
    """Figure 3: each layer's output as a stack of maps or a column of nodes, in two rows.

    Parameters
    ----------
    layers : pandas.DataFrame
        See :func:`load_layers`.
    """
    columns = -(-len(layers) // 2)
    figure, axis = plt.subplots(figsize=(1.3 * columns, 4.4))
    for i, layer in enumerate(layers.itertuples()):
        across, down = i % columns + 0.5, 1.6 * (i // columns)
        shape = [int(n.replace(",", "")) for n in layer.Output.split("×")]
        colour = _KINDS.get(layer.Kind, "#dddddd")
        if len(shape) == 3:
            sheets = max(2, round(np.log2(shape[2])))
            wide, high = 0.56 * shape[1] / 80, 0.37 * shape[0] / 60
        else:
            sheets, wide, high = 1, 0.12, 0.13 * np.log10(shape[0]) + 0.03
        for sheet in reversed(range(sheets)):
            shift = 0.035 * (sheet - (sheets - 1) / 2)
            place = across - wide / 2 + shift, down - high / 2 - shift
            axis.add_patch(plt.Rectangle(place, wide, high, fc=colour, ec="#333333", lw=0.8))
        lines = (layer.Layer, layer.Output, f"{layer.Parameters:,}")
        for line, text in enumerate(lines):
            grey = line == 2 and not layer.Parameters
            axis.text(
                across, down + 0.48 + 0.21 * line, text, ha="center", va="center", fontsize=14,
                fontweight="normal" if line else "bold", color="#666666" if grey else "#111111",
            )  # fmt: skip
        if i % columns:
            axis.annotate(
                "", (across - 0.38, down), (across - 0.62, down),
                arrowprops={"arrowstyle": "->", "lw": 1.2, "color": "#333333"},
            )  # fmt: skip
    axis.set(xlim=(0, columns), ylim=(2.62, -0.4))
    axis.set_axis_off()
    return figure


def _squares(axis, values, colours, title, fontsize=15):
    """Draw a matrix of numbers as squares, of one colour or of one each."""
    names, codes = np.unique(np.broadcast_to(colours, values.shape), return_inverse=True)
    text = [["1/9" if value == 1 / 9 else f"{value:g}" for value in row] for row in values]
    sns.heatmap(
        codes.reshape(values.shape), cmap=ListedColormap(names), annot=np.array(text), fmt="",
        annot_kws={"fontsize": fontsize, "color": "#222222"}, square=True, cbar=False,
        linewidths=1.5, linecolor="white", xticklabels=[], yticklabels=[], ax=axis,
    )  # fmt: skip
    axis.set_title(title, fontsize=14)
    axis.tick_params(length=0)
    axis.grid(False)
