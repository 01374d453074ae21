"""Equations 6 to 13 against hand-made examples, Keras and finite differences."""

import copy
import itertools

import numpy as np
import pytest

from bloodlib.paper import equations
from bloodlib.paper.equations import Network

# ---------------------------------------------------------------- by hand

FIGURE_1 = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
FIGURE_1_KERNEL = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
FIGURE_1_FEATURE = [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
FIGURE_2 = [[12, 20, 30, 0], [8, 12, 2, 0], [34, 70, 37, 4], [112, 100, 25, 12]]


def test_figure_1():
    image = np.array(FIGURE_1, dtype=np.uint8)[None, :, :, None]
    kernel = np.array(FIGURE_1_KERNEL, dtype=np.int8)[:, :, None, None]
    np.testing.assert_array_equal(equations.correlate(image, kernel)[0, :, :, 0], FIGURE_1_FEATURE)


def test_kernel_is_not_turned_and_bytes_do_not_overflow():
    image = np.zeros((1, 3, 4, 1), dtype=np.uint8)
    image[0, 0, 2], image[0, 1, 0] = 200, 100
    kernel = np.arange(9, dtype=np.uint8).reshape(3, 3, 1, 1)
    found = equations.correlate(image, kernel)[0, :, :, 0]
    np.testing.assert_array_equal(found, [[2 * 200 + 3 * 100, 1 * 200]])


def test_figure_2():
    image = np.array(FIGURE_2)[None, :, :, None]
    mean = equations.subsample(image, np.array([0.25]))[0, :, :, 0]
    np.testing.assert_array_equal(mean, [[13, 8], [79, 19.5]])


def test_losses():
    outputs, targets = np.array([[0.5, 0.25], [0.25, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    half_squares = (0.25 + 0.0625 + 0.0625) / 2
    assert equations.loss(outputs, targets) == pytest.approx(half_squares / 2)


# ---------------------------------------------------------------- against Keras


def test_network_equals_keras():
    pytest.importorskip("tensorflow")
    import keras

    network = Network((11, 14, 3), 4, filters=5)
    model = keras.Sequential(
        [
            keras.Input((11, 14, 3)),
            keras.layers.Conv2D(5, 3, activation="tanh"),
            keras.layers.AveragePooling2D(2),
            keras.layers.Activation("tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.Dense(4, activation="tanh"),
        ]
    )
    weights = network.weights
    model.set_weights(
        [*weights["convolution"], *weights["hidden"], *weights["output"]]
    )  # the subsample layer begins as the average
    images = np.random.default_rng(20).uniform(size=(3, 11, 14, 3))
    expected = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(network.forward(images), expected, rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------- gradients


@pytest.fixture
def case():
    """A network with odd maps before its subsample layer, all weights away from zero."""
    network = Network((9, 8, 2), 3, filters=3, hidden=5)
    random = np.random.default_rng(7)
    for weight in itertools.chain(*network.weights.values()):
        weight += random.normal(0, 0.2, weight.shape)
    return network, random.normal(size=(4, 9, 8, 2)), np.eye(3)[[0, 1, 2, 1]]


def central_difference(function, array, step=1e-6):
    found = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        above = function()
        array[place] = kept - step
        found[place] = (above - function()) / (2 * step)
        array[place] = kept
    return found


def distance(found, expected):
    assert found.shape == expected.shape
    assert np.linalg.norm(expected) > 1e-4  # a gradient of zeros would prove nothing
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_gradients_equal_finite_differences(case):
    network, images, targets = case
    loss, found = network.gradients(images, targets)
    assert loss == equations.loss(network.forward(images), targets)
    assert set(found) == {*network.weights, "images"}
    arrays = [*itertools.chain(*network.weights.values()), images]
    derivatives = [*itertools.chain(*(found[name] for name in network.weights)), found["images"]]
    for array, derivative in zip(arrays, derivatives, strict=True):
        expected = central_difference(
            lambda: equations.loss(network.forward(images), targets), array
        )
        assert distance(derivative, expected) < 1e-6


# ---------------------------------------------------------------- learning


def test_train_step_goes_down_by_rate_times_gradient(case):
    network, images, targets = case
    before = copy.deepcopy(network.weights)
    loss, found = network.gradients(images, targets)
    assert network.train_step(images, targets, rate=0.01) == loss
    for name, weights in network.weights.items():
        for old, new, derivative in zip(before[name], weights, found[name], strict=True):
            np.testing.assert_allclose(new, old - 0.01 * derivative)
    assert equations.loss(network.forward(images), targets) < loss


def test_a_seed_is_a_network():
    first, again, other = (
        Network((8, 8, 1), 2, seed=seed).weights["convolution"][0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    reach = np.sqrt(6 / (9 * (1 + 8)))  # Glorot and Bengio: inputs and outputs of a neuron
    assert 0.9 * reach < np.abs(first).max() <= reach


def test_differences_are_counted():
    assert equations.count_differences() == {
        "formulas": 14, "equations": [*range(6, 14)], "missing": 2, "other_network": 4
    }  # fmt: skip
