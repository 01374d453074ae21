"""The paper's equations 6 to 13 in NumPy: a small network, forward and backward.

Images are ``[n, height, width, channels]``, bytes or float64, and kernels ``[rows, columns, in,
out]``, so weights can be exchanged with Keras. The letters in ``einsum`` are the paper's: neuron
``x, y`` of map ``j``, element ``r, c`` of the kernel, map ``t`` of the layer before; ``n`` counts
images.

What the paper calls output and input "deviation" (or "bias"), d(P) and d(I), are the derivatives of
the loss by a layer's output and by the sum that enters its activation: here ``deltas``.
`DIFFERENCES` shows the print beside what is done, formula by formula.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bloodlib import paper

POOL = 2  # S_h and S_w: the stated pool size, and the 2 of x/2, y/2 in equation 10


def softmax(values):
    """Probabilities over the last axis: the output that section 4.2 states."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0.0), "softmax": softmax}
SLOPES = {"tanh": lambda p: 1.0 - p**2, "relu": lambda p: (p > 0).astype(float)}  # δ'(v) by P


#: Kernels whose effect section 4.1 names, and a blur.
KERNELS = {
    "Identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "Edges": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "Sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "Blur": np.full((3, 3), 1 / 9),
}


# ---------------------------------------------------------------- forward


def correlate(inputs, kernel):
    """Sum of equation 6, without bias and activation: Figure 1's example, an edge detector."""
    windows = sliding_window_view(np.asarray(inputs, float), kernel.shape[:2], axis=(1, 2))
    return np.einsum("nxytrc,rctj->nxyj", windows, kernel, optimize=True)


def effect(image, kernel):
    """What a 3×3 kernel does to an image [height, width], in numbers.

    Returns
    -------
    dict of str to float
        ``Like the image``, the correlation of the feature with the image; ``Like its edges``, that
        of the feature's size with the steepness of the image; ``Contrast``, the mean difference of
        neighbours over that of the image.
    """

    def contrast(values):
        return sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1))

    feature = correlate(image[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
    inner = image[1:-1, 1:-1]
    steep = np.hypot(*np.gradient(image))[1:-1, 1:-1]
    return {
        "Like the image": np.corrcoef(feature.ravel(), inner.ravel())[0, 1],
        "Like its edges": np.corrcoef(np.abs(feature).ravel(), steep.ravel())[0, 1],
        "Contrast": contrast(feature) / contrast(inner),
    }


def convolve(inputs, kernel, bias, activation="tanh"):
    """Output of a convolution layer: equation 6; stride 1, no padding.

    Printed: tanh, P at (x+r, x+c), kernel sums that end at j_h and j_w. Done: tanh or the ReLU
    that section 4.2 states, P at (x+r, y+c), sums over the kernel's rows and columns.
    """
    return ACTIVATIONS[activation](correlate(inputs, kernel) + bias)


def _tiles(maps):
    """``[n, x, y, row * column, map]``: the 2×2 windows; an odd last row or column is left out."""
    n, height, width, depth = maps.shape
    rows, columns = height // POOL, width // POOL
    whole = maps[:, : rows * POOL, : columns * POOL]
    tiles = whole.reshape(n, rows, POOL, columns, POOL, depth).transpose(0, 1, 3, 2, 4, 5)
    return tiles.reshape(n, rows, columns, POOL * POOL, depth)


def subsample(inputs, weight, bias, activation="tanh"):
    """Output of a subsample layer: equation 7, the window's sum times one trained weight a map.

    Printed: W^k, and P of map t, where the neuron is of map j; sums that end at S_h and S_w.
    Done: weight, bias and P of map j; sums over the 2×2 window.
    """
    return ACTIVATIONS[activation](weight * _tiles(inputs).sum(axis=3) + bias)


def max_pool(inputs):
    """Largest value of each 2×2 window: section 4.1's text and Figure 2; no equation is printed."""
    return _tiles(inputs).max(axis=3)


def average_pool(inputs):
    """Mean of each 2×2 window: Figure 2; equation 7 with W = 1/4, no bias and no tanh."""
    return _tiles(inputs).mean(axis=3)


def dense(inputs, weight, bias, activation="tanh"):
    """Output of a fully-connected layer: equations 8 (from maps) and 9 (from hidden neurons).

    Printed: P of map t under a sum over j, sizes of the maps named like those of equation 7's
    window, tanh at the output too. Done: every x, y and map once; tanh, ReLU or softmax.
    """
    return ACTIVATIONS[activation](inputs.reshape(len(inputs), -1) @ weight + bias)


# ---------------------------------------------------------------- backward


def loss(outputs, targets, output="tanh"):
    """Mean over images of half the squared error (tanh) or of the cross-entropy (softmax).

    Printed: only its derivative y - t. Done: the loss that has it, and the stated cross-entropy.
    """
    if output == "softmax":
        floor = np.finfo(float).tiny
        return -(targets * np.log(np.maximum(outputs, floor))).sum() / len(outputs)
    return 0.5 * ((outputs - targets) ** 2).sum() / len(outputs)


def output_deltas(outputs, targets, output="tanh"):
    """d(I) of the output neurons: the first formula after equation 9.

    Printed: y - t δ'(v). Done: (y - t) δ'(v); with softmax and cross-entropy y - t, for targets
    that sum to one.
    """
    if np.shape(outputs) != np.shape(targets):
        raise ValueError(
            f"outputs are {np.shape(outputs)} and targets {np.shape(targets)}: "
            "give one row an image and one column a class"
        )
    deltas = outputs - targets
    return deltas if output == "softmax" else input_deltas(deltas, outputs, output)


def input_deltas(deltas, outputs, activation):
    """d(I) = δ'(v) d(P): equation 11, and the same for the hidden and the subsample layer.

    Printed: δ'(v_j) for a whole map. Done: at each neuron, from its output P (tanh' = 1 - P²).
    """
    return deltas * SLOPES[activation](outputs)


def dense_backward(deltas, inputs, weight):
    """d(P) of the layer before, weight and bias variation: the formulas after equation 9.

    Printed: ΔW of the output from d(P); a sum over "different pictures". Done: ΔW from d(I);
    the sum runs over the neurons of the layer whose d(I) is given.
    """
    flat = inputs.reshape(len(inputs), -1)
    return (deltas @ weight.T).reshape(inputs.shape), flat.T @ deltas, deltas.sum(axis=0)


def upsample(deltas, shape):
    """Deltas of windows (x/2, y/2), rounded down, at each x, y of maps of ``shape``; else zero."""
    spread = deltas.repeat(POOL, axis=1).repeat(POOL, axis=2)
    margins = [(0, whole - there) for whole, there in zip(shape, spread.shape, strict=True)]
    return np.pad(spread, margins)


def subsample_backward(deltas, inputs, weight):
    """d(P) of the maps before (equation 10), weight and bias variation of a subsample layer.

    Printed: Δbias from d(P). Done: Δbias from d(I), as ΔW and equation 13.
    """
    spread = upsample(deltas, inputs.shape)
    return weight * spread, np.einsum("nxyj,nxyj->j", spread, inputs), deltas.sum(axis=(0, 1, 2))


def max_pool_backward(deltas, inputs):
    """d(P) before max pooling: all to the (first) largest value of each window; not printed."""
    place = _tiles(inputs).argmax(axis=3)
    n, x, y, j = np.indices(place.shape, sparse=True)
    below = np.zeros(inputs.shape)
    below[n, x * POOL + place // POOL, y * POOL + place % POOL, j] = deltas
    return below


def average_pool_backward(deltas, inputs):
    """d(P) before average pooling: equation 10 with W = 1/4."""
    return upsample(deltas, inputs.shape) / POOL**2


def convolve_backward(deltas, inputs, kernel):
    """d(P) of the layer before, weight (equation 12) and bias variation (equation 13).

    Printed: sums over f_w × f_h, f being kernels in equation 6; no d(P) below a convolution, which
    a second one needs. Done: sums over the map's neurons; d(P) by the kernel turned around.
    """
    rows, columns = kernel.shape[:2]
    windows = sliding_window_view(inputs, (rows, columns), axis=(1, 2))
    variation = np.einsum("nxyj,nxytrc->rctj", deltas, windows, optimize=True)
    padded = np.pad(deltas, ((0, 0), (rows - 1,) * 2, (columns - 1,) * 2, (0, 0)))
    below = correlate(padded, kernel[::-1, ::-1].swapaxes(2, 3))
    return below, variation, deltas.sum(axis=(0, 1, 2))


# ---------------------------------------------------------------- the network


class Network:
    """Convolutions, one subsample or pooling layer, a hidden and an output layer.

    The defaults are section 4.3's network; ``activation="relu", pooling="max", output="softmax"``
    and ``filters=(32, 64)`` are section 4.2's, without its dropout.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels of an image.
    classes : int
        Number of output neurons.
    filters : tuple of int
        Number of maps of each 3×3 convolution layer.
    hidden : int
        Number of hidden neurons, which the paper leaves empty.
    activation : {"tanh", "relu"}
        Of every layer but the output.
    pooling : {"sum", "max", "average"}
        Equation 7, or the pooling of section 4.1.
    output : {"tanh", "softmax"}
        With squared error, or with cross-entropy.
    seed : int
        Of the first weights (Glorot uniform; the subsample layer begins as the average).

    Attributes
    ----------
    weights : dict of str to ndarray
        ``kernel_1``, ``kernel_bias_1``, …, ``pool_weight`` and ``pool_bias`` (sum only),
        ``hidden_weight``, ``hidden_bias``, ``output_weight``, ``output_bias``.
    """

    def __init__(
        self,
        shape,
        classes,
        *,
        filters=(8,),
        hidden=16,
        activation="tanh",
        pooling="sum",
        output="tanh",
        seed=0,
    ):
        for value, known in (
            (activation, ("tanh", "relu")),
            (pooling, ("sum", "max", "average")),
            (output, ("tanh", "softmax")),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")
        self.activation, self.pooling, self.output = activation, pooling, output
        self.convolutions = range(1, len(filters) + 1)
        height, width, depth = shape
        random = np.random.default_rng(seed)

        def glorot(*size):
            reach = np.sqrt(6 / (np.prod(size[:-2]) * (size[-2] + size[-1])))
            return random.uniform(-reach, reach, size)

        self.weights = {}
        for i, number in zip(self.convolutions, filters, strict=True):
            self.weights[f"kernel_{i}"] = glorot(3, 3, depth, number)
            self.weights[f"kernel_bias_{i}"] = np.zeros(number)
            height, width, depth = height - 2, width - 2, number
        if pooling == "sum":
            self.weights["pool_weight"] = np.full(depth, 1 / POOL**2)
            self.weights["pool_bias"] = np.zeros(depth)
        self.weights["hidden_weight"] = glorot((height // POOL) * (width // POOL) * depth, hidden)
        self.weights["hidden_bias"] = np.zeros(hidden)
        self.weights["output_weight"] = glorot(hidden, classes)
        self.weights["output_bias"] = np.zeros(classes)

    def layers(self, images):
        """Compute the outputs of all layers, the images first, which the backward pass reads."""
        w, layers = self.weights, [images]
        for i in self.convolutions:
            kernel, bias = w[f"kernel_{i}"], w[f"kernel_bias_{i}"]
            layers.append(convolve(layers[-1], kernel, bias, self.activation))
        if self.pooling == "sum":
            pooled = subsample(layers[-1], w["pool_weight"], w["pool_bias"], self.activation)
        else:
            pooled = max_pool(layers[-1]) if self.pooling == "max" else average_pool(layers[-1])
        hidden = dense(pooled, w["hidden_weight"], w["hidden_bias"], self.activation)
        outputs = dense(hidden, w["output_weight"], w["output_bias"], self.output)
        return [*layers, pooled, hidden, outputs]

    def forward(self, images):
        """Compute the outputs ``[n, classes]``; the largest names the class."""
        return self.layers(images)[-1]

    def gradients(self, images, targets):
        """Loss, and its derivatives by each of the weights and by ``"images"``."""
        *maps, pooled, hidden, outputs = self.layers(images)
        w, found = self.weights, {}
        deltas = output_deltas(outputs, targets, self.output) / len(outputs)
        deltas, found["output_weight"], found["output_bias"] = dense_backward(
            deltas, hidden, w["output_weight"]
        )
        deltas, found["hidden_weight"], found["hidden_bias"] = dense_backward(
            input_deltas(deltas, hidden, self.activation), pooled, w["hidden_weight"]
        )
        if self.pooling == "sum":
            deltas = input_deltas(deltas, pooled, self.activation)
            deltas, found["pool_weight"], found["pool_bias"] = subsample_backward(
                deltas, maps[-1], w["pool_weight"]
            )
        elif self.pooling == "max":
            deltas = max_pool_backward(deltas, maps[-1])
        else:
            deltas = average_pool_backward(deltas, maps[-1])
        for i in reversed(self.convolutions):
            deltas = input_deltas(deltas, maps[i], self.activation)
            deltas, found[f"kernel_{i}"], found[f"kernel_bias_{i}"] = convolve_backward(
                deltas, maps[i - 1], w[f"kernel_{i}"]
            )
        return loss(outputs, targets, self.output), found | {"images": deltas}

    def train_step(self, images, targets, rate):
        """One step of gradient descent; the loss before it. The paper prints no update rule."""
        before, found = self.gradients(images, targets)
        for name in self.weights:
            self.weights[name] -= rate * found[name]
        return before


# ---------------------------------------------------------------- the print beside the code


class Difference(NamedTuple):
    """A formula of section 4.3 as printed and as computed here, both in LaTeX.

    Attributes
    ----------
    where : str
        Where it stands.
    printed, done, why : str
        The print, the formula that is computed, and the reason.
    equations : list of int
        Which of equations 6 to 13 it is, or is printed in.
    missing : bool
        Whether the paper prints no such formula.
    other_network : bool
        Whether the print describes another network than section 4.2.
    """

    where: str
    printed: str
    done: str
    why: str
    equations: list[int]
    missing: bool = False
    other_network: bool = False


#: Every formula that is not computed as printed.
DIFFERENCES = tuple(Difference(**row) for row in paper.read("formulas.yml"))


def count_differences() -> dict:
    """Count what section 4.3 prints and the code can't follow.

    Returns
    -------
    dict
        ``formulas`` changed, ``equations`` among 6 to 13 that are among them, ``missing``
        formulas, and formulas that describe an ``other_network`` than section 4.2.
    """
    return {
        "formulas": sum(not row.missing for row in DIFFERENCES),
        "equations": sorted({number for row in DIFFERENCES for number in row.equations}),
        "missing": sum(row.missing for row in DIFFERENCES),
        "other_network": sum(row.other_network for row in DIFFERENCES),
    }
