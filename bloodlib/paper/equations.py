"""The paper's equations 6 to 13 in NumPy: a network, forward and backward.

Images are ``[n, height, width, channels]``, bytes or float64, and kernels ``[rows, columns, in,
out]``, so weights can be exchanged with Keras. The letters in ``einsum`` are the paper's: neuron
``x, y`` of map ``j``, element ``r, c`` of the kernel, map ``t`` of the layer before; ``n`` counts
images.

What the paper calls output and input "deviation" (or "bias"), d(P) and d(I), are the derivatives of
the loss by a layer's output and by the sum that enters tanh: here ``deltas``.
``DIFFERENCES`` shows the print beside what is done, formula by formula.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bloodlib import paper

POOL = 2  # S_h and S_w: the stated pool size, and the 2 of x/2, y/2 in equation 10

#: Kernels whose effect section 4.1 names, and a blur.
KERNELS = {
    "Identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "Edges": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "Sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "Blur": np.full((3, 3), 1 / 9),
}

#: Every formula of section 4.3 that is not computed as printed; the file says what a row has.
DIFFERENCES = paper.read("formulas.yml")


def count_differences() -> dict:
    """Count what section 4.3 prints and the code can't follow.

    Returns
    -------
    dict
        ``formulas`` changed, ``equations`` among 6 to 13 that are among them, ``missing``
        formulas, and formulas that describe an ``other_network`` than section 4.2.
    """
    missing = sum("missing" in row for row in DIFFERENCES)
    return {
        "formulas": len(DIFFERENCES) - missing,
        "equations": sorted({number for row in DIFFERENCES for number in row["equations"]}),
        "missing": missing,
        "other_network": sum("other_network" in row for row in DIFFERENCES),
    }


# ---------------------------------------------------------------- forward: sums of layers


def correlate(inputs, kernel):
    """Sum of equation 6, stride 1, no padding.

    Printed: P at (x+r, x+c), kernel sums that end at j_h and j_w. Done: P at (x+r, y+c), sums
    over the kernel's rows and columns.
    """
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


def subsample(inputs, weight):
    """Sum of equation 7: that of a 2×2 window, times one trained weight a map.

    Printed: W^k, and P of map t, where the neuron is of map j; sums that end at S_h and S_w.
    Done: weight and P of map j; sums over the 2×2 window. An odd last row or column is left out.
    """
    n, height, width, depth = inputs.shape
    rows, columns = height // POOL, width // POOL
    whole = inputs[:, : rows * POOL, : columns * POOL]
    return weight * whole.reshape(n, rows, POOL, columns, POOL, depth).sum(axis=(2, 4))


def dense(inputs, weight):
    """Sum of equations 8 (from maps) and 9 (from hidden neurons).

    Printed: P of map t under a sum over j, sizes of the maps named like those of equation 7's
    window. Done: every x, y and map once.
    """
    return inputs.reshape(len(inputs), -1) @ weight


# ------------------------ backward: d(P) of the layer before, weight and bias variation


def dense_backward(deltas, inputs, weight):
    """The formulas after equation 9.

    Printed: ΔW of the output from d(P); a sum over "different pictures". Done: ΔW from d(I);
    the sum runs over the neurons of the layer whose d(I) is given.
    """
    flat = inputs.reshape(len(inputs), -1)
    return (deltas @ weight.T).reshape(inputs.shape), flat.T @ deltas, deltas.sum(axis=0)


def subsample_backward(deltas, inputs, weight):
    """Equation 10: each x, y gets the deltas of its window (x/2, y/2), rounded down; else zero.

    Printed: Δbias from d(P). Done: Δbias from d(I), as ΔW and equation 13.
    """
    spread = deltas.repeat(POOL, axis=1).repeat(POOL, axis=2)
    margins = [(0, whole - there) for whole, there in zip(inputs.shape, spread.shape, strict=True)]
    spread = np.pad(spread, margins)
    return weight * spread, np.einsum("nxyj,nxyj->j", spread, inputs), deltas.sum(axis=(0, 1, 2))


def correlate_backward(deltas, inputs, kernel):
    """Equations 12 (weights) and 13 (bias).

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


def loss(outputs, targets):
    """Half the squared error, the mean over images.

    Printed: only its derivative y - t. Done: the loss that has it.
    """
    return 0.5 * ((outputs - targets) ** 2).sum() / len(outputs)


class Network:
    """The network of section 4.3: a convolution, a subsample, a hidden and an output layer.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels of an image.
    classes : int
        Number of output neurons.
    filters : int
        Number of maps of the 3×3 convolution.
    hidden : int
        Number of hidden neurons, which the paper leaves empty.
    seed : int
        Of the first weights (Glorot uniform; the subsample layer begins as the average).

    Attributes
    ----------
    weights : dict of str to list of ndarray
        Weight and bias of each layer, by its name.
    """

    #: The sum of each layer, and what leads back through it.
    layers = (
        ("convolution", correlate, correlate_backward),
        ("subsample", subsample, subsample_backward),
        ("hidden", dense, dense_backward),
        ("output", dense, dense_backward),
    )

    def __init__(self, shape, classes, *, filters=8, hidden=16, seed=0):
        height, width, depth = shape
        random = np.random.default_rng(seed)

        def glorot(*size):
            reach = np.sqrt(6 / (np.prod(size[:-2]) * (size[-2] + size[-1])))
            return random.uniform(-reach, reach, size)

        neurons = (height - 2) // POOL * ((width - 2) // POOL) * filters
        weights = (
            glorot(3, 3, depth, filters),
            np.full(filters, 1 / POOL**2),
            glorot(neurons, hidden),
            glorot(hidden, classes),
        )
        self.weights = {
            layer[0]: [weight, np.zeros(weight.shape[-1])]
            for layer, weight in zip(self.layers, weights, strict=True)
        }

    def outputs(self, images):
        """Compute the outputs of all layers, the images first, which the backward pass reads."""
        found = [images]
        for name, total, _ in self.layers:
            weight, bias = self.weights[name]
            found.append(np.tanh(total(found[-1], weight) + bias))
        return found

    def forward(self, images):
        """Compute the outputs ``[n, classes]``; the largest names the class."""
        return self.outputs(images)[-1]

    def gradients(self, images, targets):
        """Loss, and its derivatives by the weights of each layer and by ``"images"``.

        Equation 11, d(I) = δ'(v) d(P), goes through tanh, whose slope is 1 - P². Printed: δ'(v_j)
        for a whole map, and y - t δ'(v) for the output. Done: at each neuron; (y - t) δ'(v).
        """
        found = self.outputs(images)
        below, variations = (found[-1] - targets) / len(images), {}
        for k, (name, _, back) in reversed([*enumerate(self.layers)]):
            deltas = (1.0 - found[k + 1] ** 2) * below
            below, *variations[name] = back(deltas, found[k], self.weights[name][0])
        return loss(found[-1], targets), variations | {"images": below}

    def train_step(self, images, targets, rate):
        """One step of gradient descent; the loss before it. The paper prints no update rule."""
        before, found = self.gradients(images, targets)
        for name, weights in self.weights.items():
            for weight, variation in zip(weights, found[name], strict=True):
                weight -= rate * variation
        return before
