"""Training: a function of its seed, unharmed by a kill, and of use when it goes wrong."""

import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest
from networks import assert_same, drawn, outcome, train
from scipy import ndimage

from bloodlib.data import images, synthetic
from bloodlib.models import networks, training


@pytest.fixture(scope="module")
def unbroken(keras, tmp_path_factory):
    """Four epochs in one go."""
    return train(tmp_path_factory.mktemp("unbroken"), epochs=4)


# ----------------------------------------------------------------------------- augmentation


class Chance:
    """Gives what it is told in place of chance: the angle, the shifts, whether to mirror."""

    def __init__(self, angle=0.0, down=0.0, right=0.0, mirror=False):
        self.angle, self.shift, self.mirror = angle, (down, right), mirror

    def uniform(self, low, high, size):
        if np.ndim(size) == 0:
            assert (low, high) == (-10, 10)
            return np.full(size, self.angle)
        assert (low, high, size[0]) == (-0.1, 0.1, 2)
        return np.repeat(np.array(self.shift)[:, None], size[1], axis=1)

    def random(self, size):
        return np.full(size, 0.0 if self.mirror else 1.0)


def turned(pixels, angle, down, right, mirror):
    """Each pixel from its source about the centre: mirrored, turned, shifted, nearest at edges."""
    size = np.array(pixels.shape[1:3])
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = np.array([[cos, sin], [-sin, cos]]) @ np.diag([1, -1 if mirror else 1])  # row, column
    centre = (size - 1) / 2
    offset = centre + np.array([down, right]) * size - matrix @ centre
    result = np.empty(pixels.shape)
    for image, new in zip(pixels, result, strict=True):
        for channel in range(pixels.shape[3]):
            new[..., channel] = ndimage.affine_transform(
                image[..., channel].astype(float), matrix, offset, order=1, mode="nearest"
            )
    return result


@pytest.mark.parametrize("seed", range(6))
def test_equals_scipy(keras, seed):
    rng = np.random.default_rng(seed)
    drawn_by_chance = {
        "angle": rng.uniform(-10, 10),
        "down": rng.uniform(-0.1, 0.1),
        "right": rng.uniform(-0.1, 0.1),
        "mirror": seed % 2 == 0,
    }
    pixels = drawn().pixels["TEST"][:4]
    found = training.augment(pixels, Chance(**drawn_by_chance))
    np.testing.assert_allclose(found, turned(pixels, **drawn_by_chance), atol=0.02)


# -------------------------------------------------------------------------------- training


def test_form_of_the_predictions(unbroken):
    data = drawn()
    assert unbroken.labels.shape == (4, 12)
    assert unbroken.labels_simple.shape == (12,)
    assert unbroken.labels.dtype == unbroken.labels_simple.dtype == np.uint8
    for found in (unbroken.probabilities, unbroken.probabilities_simple):
        assert found.shape == (12, 4)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found.astype(float).sum(axis=1), 1, atol=2e-3)
    assert np.ptp(unbroken.probabilities.max(axis=1)) > 0.005  # images get different answers
    assert unbroken.confusion_train.dtype == np.int32
    # every image is seen once an epoch, with its own label
    np.testing.assert_array_equal(
        unbroken.confusion_train.sum(axis=2),
        np.tile(np.bincount(data.labels["four"]["TRAIN"]), (4, 1)),
    )


def test_two_runs_are_one_and_another_seed_is_another(unbroken, tmp_path):
    assert_same(outcome(train(tmp_path / "again", epochs=4)), outcome(unbroken))
    other = train(tmp_path / "other", epochs=1, seed=4)
    assert other.weights != unbroken.weights
    assert other.history["loss"][0] != unbroken.history["loss"][0]


def test_two_epochs_and_two_more_are_four(unbroken, tmp_path):
    half = train(tmp_path, epochs=2)
    np.testing.assert_array_equal(half.labels, unbroken.labels[:2])
    assert half.weights != unbroken.weights
    assert_same(outcome(train(tmp_path, epochs=4)), outcome(unbroken))
    # what has gone further is kept
    assert_same(outcome(train(tmp_path, epochs=3)), outcome(unbroken))


def test_it_learns(keras, tmp_path):
    data = drawn(800, 200, (30, 40))
    found = train(
        tmp_path,
        data=data,
        epochs=6,
        optimizer="Adam",
        learning_rate=0.001,
        hidden=64,
        hidden_dropout=0.2,
        batch_size=16,
    )
    assert (found.labels[-1] == data.labels["four"]["TEST"]).mean() > 0.6
    assert found.history["loss"][-1] < 0.7 * found.history["loss"][0]


# ------------------------------------------------------------------- other processes, backends


def test_importing_the_module_imports_no_backend():
    code = (
        "import sys, bloodlib.models.training; "
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")


@pytest.mark.gpu
def test_a_gpu_is_named_and_its_memory_grows_as_needed(keras):
    if not training.device_name():
        pytest.skip("no GPU here")
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        for gpu in tensorflow.config.list_physical_devices("GPU"):
            assert tensorflow.config.experimental.get_memory_growth(gpu)


@pytest.mark.parametrize("pooling", ["max", pytest.param("average", marks=pytest.mark.long)])
def test_the_plain_code_of_the_page_and_the_recorded_training_take_the_same_steps(keras, pooling):
    page = jupytext.read(Path(__file__).parents[1] / "chapters" / "training.py")
    (source,) = [cell.source for cell in page.cells if "def build_network" in cell.source]
    keras.utils.set_random_seed(0)
    known = {"keras": keras, "images": images, "task": "four"}
    exec(source, known)
    plain, recorded = known["build_network"](pooling), networks.build_dclnn(4, pooling)
    recorded.set_weights(plain.get_weights())
    for model in (plain, recorded):
        for layer in model.layers:
            if "dropout" in layer.name:
                layer.rate = 0
        # at 1.0 the first steps overshoot (a loss of 18), and roundings grow over the next
        model.compile(keras.optimizers.Adadelta(0.01), "sparse_categorical_crossentropy")
    cells = synthetic.load("TRAIN", n=32)
    batch = cells.pixels.astype("float32"), cells.labels.astype("int32")
    losses = np.array(
        [[float(m.train_on_batch(*batch)) for m in (plain, recorded)] for _ in range(20)]
    )
    assert losses[-1, 0] < losses[0, 0] - 0.02  # it learns
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=0, atol=1e-5)
