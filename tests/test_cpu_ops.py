"""Fewer passes, the same numbers: against stock Keras on TensorFlow."""

import os

import numpy as np
import pytest

from bloodlib.models import networks, training

try:
    keras = training.load_keras()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)
if keras.backend.backend() != "tensorflow":
    pytest.skip(f"Keras runs on {os.environ['KERAS_BACKEND']}", allow_module_level=True)

import tensorflow as tf

from bloodlib.models import cpu_ops

SIZE = (21, 30)  # maps of 17 x 26: pooling leaves a row out


def flat_and_busy(n=6, size=SIZE):
    """Images with flat areas, as behind a cell and at a black edge: there maxima are tied."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, *size, 3)).astype("float32")
    pixels[:, :12] = 255
    pixels[:, :, :8] = 0
    return pixels


def gradients(model, pixels, labels):
    with tf.GradientTape() as tape:
        answers = model(pixels, training=False)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, answers))
    return [g.numpy() for g in tape.gradient(loss, [w.value for w in model.trainable_variables])]


@pytest.mark.parametrize("size", [SIZE, (24, 32)])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pooling": "average"},
        {"pooling": "none"},
        {"activation": "tanh"},
        {"strides": 2},
    ],
    ids=str,
)
def test_the_twin_answers_alike_and_has_the_same_gradients(settings, size):
    model = networks.build_dclnn(4, hidden=16, size=size, seed=1, **settings)
    model.set_weights(
        [w if w.ndim > 1 else 0.01 * (1 + np.arange(len(w))) for w in model.get_weights()]
    )
    twin = cpu_ops.twin(model)
    pixels, labels = flat_and_busy(size=size), np.array([0, 1, 2, 3, 0, 1])
    answers = model.predict(pixels, verbose=0)
    assert np.ptp(answers, axis=0).max() > 0.01
    np.testing.assert_allclose(twin.predict(pixels, verbose=0), answers, atol=1e-6)
    for one, other in zip(
        gradients(model, pixels, labels), gradients(twin, pixels, labels), strict=True
    ):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6 * np.abs(one).max())


POOLINGS = {
    "3x3": {"pool_size": 3},
    "another stride": {"pool_size": 2, "strides": 1},
    "padded": {"pool_size": 2, "padding": "same"},
    "as DCLNN's": {"pool_size": 2},
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_twin_pools_as_the_model_does(pooling):
    """Only pooling of 2×2, stride 2, without padding has a faster way; any other stays."""
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(**POOLINGS[pooling]),
            keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 4)),
        ]
    )
    twin, pixels = cpu_ops.twin(model), flat_and_busy()
    np.testing.assert_allclose(
        twin.predict(pixels, verbose=0), model.predict(pixels, verbose=0), atol=1e-4
    )
    faster = any(isinstance(layer, cpu_ops.MaxPoolReLU) for layer in twin.layers)
    assert faster == (pooling == "as DCLNN's")
    assert type(twin.layers[-1]) is keras.layers.Dropout  # it drops whole maps


def test_steps_of_training_stay_together():
    """Ten steps without dropout: the same losses as stock Keras, up to rounding."""
    pixels, labels = flat_and_busy(16), np.arange(16) % 4
    losses = []
    for wrap, optimizer in (
        (lambda m: m, keras.optimizers.Adadelta(0.2)),
        (cpu_ops.twin, cpu_ops.Adadelta(0.2)),
    ):
        model = wrap(networks.build_dclnn(4, hidden=16, size=SIZE, seed=2))
        for name in ("dropout_1", "dropout_2"):
            model.get_layer(name).rate = 0
        model.compile(optimizer, "sparse_categorical_crossentropy")
        losses.append([float(model.train_on_batch(pixels, labels)) for _ in range(10)])
    assert abs(losses[0][0] - losses[0][-1]) > 0.01
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def test_half_the_bits_answer_nearly_alike():
    model = networks.build_dclnn(4, hidden=16, size=SIZE, seed=1)
    short = cpu_ops.twin(networks.build_dclnn(4, hidden=16, size=SIZE, precision="mixed_bfloat16"))
    short.set_weights(model.get_weights())
    assert {w.dtype for w in short.weights if "seed" not in w.path} == {"float32"}
    assert short.get_layer("conv_2").compute_dtype == "bfloat16"
    assert [short.get_layer(n).compute_dtype for n in ("scale", "output")] == ["float32"] * 2
    pixels = flat_and_busy()
    one, other = (m.predict(pixels, verbose=0) for m in (model, short))
    assert other.dtype == np.float32
    assert 0 < np.abs(one - other).max() < 0.02


@pytest.mark.parametrize("rate", [0.25, 0.5, 1 / 256])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dropout_drops_as_many_and_keeps_the_sum(rate, dtype):
    layer = cpu_ops.Dropout(rate, seed=3, dtype=dtype)
    ones = tf.ones((50, 40, 103), dtype)  # not a multiple of four
    dropped = layer(ones, training=True).numpy().astype("float64")
    kept = float(tf.cast(tf.constant(1 / (1 - rate)), dtype))
    assert set(np.unique(dropped)) == {0, kept}
    n = dropped.size
    assert abs((dropped == 0).mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / n)
    other = layer(ones, training=True).numpy() == 0
    both = ((dropped == 0) & other).mean()
    assert abs(both - rate**2) < 4 * np.sqrt(rate**2 * (1 - rate**2) / n)
    assert layer(ones, training=False) is ones


def test_dropout_lets_the_gradient_through_where_it_keeps():
    layer, numbers = cpu_ops.Dropout(0.25, seed=3), tf.random.stateless_normal((7, 11), [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        found = layer(numbers, training=True)
    gradient = tape.gradient(found, numbers, output_gradients=3 * tf.ones_like(found)).numpy()
    kept = found.numpy() != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(gradient, np.where(kept, 4, 0))
    np.testing.assert_allclose(found.numpy(), np.where(kept, numbers.numpy() / 0.75, 0), rtol=1e-6)
