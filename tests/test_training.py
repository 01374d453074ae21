"""Training: a function of its seed, unharmed by a kill, and of use when it goes wrong."""

import subprocess
import sys

import numpy as np
import pytest
from networks import SIZE, assert_same, drawn, outcome, train
from scipy import ndimage

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


def test_nothing_drawn_changes_nothing(keras):
    pixels = drawn().pixels["TEST"]
    result = training.augment(pixels, Chance())
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, pixels)


def test_mirror_image(keras):
    pixels = drawn().pixels["TEST"]
    np.testing.assert_array_equal(
        training.augment(pixels, Chance(mirror=True)), pixels[:, :, ::-1], strict=False
    )


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-1, 2), (-2, -3)])
def test_shift_by_whole_pixels_repeats_the_edge(keras, down, right):
    pixels = drawn(size=(20, 32)).pixels["TEST"]
    shifted = training.augment(pixels, Chance(down=down / 20, right=right / 32))
    rows = np.clip(np.arange(20) + down, 0, 19)
    columns = np.clip(np.arange(32) + right, 0, 31)
    np.testing.assert_allclose(shifted, pixels[:, rows][:, :, columns], atol=1e-3)


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


def test_is_a_function_of_the_generator_and_of_nothing_else(keras):
    pixels = drawn().pixels["TEST"]
    before = pixels.copy()
    one, again, other = (training.augment(pixels, np.random.default_rng([5, s])) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert all((a != b).any() for a, b in zip(one, other, strict=True))
    np.testing.assert_array_equal(pixels, before)
    assert pixels.min() - 1e-3 <= one.min() <= one.max() <= pixels.max() + 1e-3


def test_what_chance_draws(keras):
    """Images whose channels are a pixel's column and row tell where each pixel came from."""
    n, height, width = 1500, 20, 28
    rows, columns = np.mgrid[:height, :width].astype(float)
    image = np.stack([columns, rows, np.full_like(rows, 7)], axis=-1)
    result = training.augment(np.repeat(image[None], n, axis=0), np.random.default_rng(0))
    inner = (slice(None), slice(7, 13), slice(7, 21))  # beyond the reach of the edges
    x, y = columns[inner[1:]] - (width - 1) / 2, rows[inner[1:]] - (height - 1) / 2
    known = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=1)
    moved = result[inner][..., :2].reshape(n, x.size, 2) - [(width - 1) / 2, (height - 1) / 2]
    (shift, across, along) = np.einsum("ip,npc->inc", np.linalg.pinv(known), moved)
    np.testing.assert_allclose(result[..., 2], 7, atol=1e-3)

    angle = np.rad2deg(np.arctan2(-along[:, 0], along[:, 1]))
    assert 9.8 < np.abs(angle).max() <= 10.001
    assert abs(angle.mean()) < 0.6
    mirrored = across[:, 0] < 0
    assert 0.45 < mirrored.mean() < 0.55
    for vector in (across, along):  # nothing is stretched or sheared
        np.testing.assert_allclose(np.linalg.norm(vector, axis=1), 1, atol=1e-3)
    np.testing.assert_allclose((across * along).sum(axis=1), 0, atol=1e-3)
    for part, length in ((shift[:, 0], width), (shift[:, 1], height)):
        assert 0.098 * length < np.abs(part).max() <= 0.1001 * length
        assert abs(part.mean()) < 0.01 * length
    assert abs(np.corrcoef([angle, mirrored, *shift.T]) - np.eye(4)).max() < 0.1


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
    best = unbroken.probabilities.max(axis=1)  # in half precision two may be equal
    np.testing.assert_array_equal(unbroken.probabilities[np.arange(12), unbroken.labels[-1]], best)
    assert np.ptp(best) > 0.005  # alive: images get different answers
    assert unbroken.confusion_train.dtype == np.int32
    # every image is seen once an epoch, with its own label
    np.testing.assert_array_equal(
        unbroken.confusion_train.sum(axis=2),
        np.tile(np.bincount(data.labels["four"]["TRAIN"]), (4, 1)),
    )
    assert {name: len(values) for name, values in unbroken.history.items()} == dict.fromkeys(
        training.HISTORY, 4
    )
    assert unbroken.backend == training.load_keras().backend.backend()


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


def test_order_and_augmentation_depend_on_seed_epoch_and_step(keras):
    pixels, labels = drawn().pixels["TRAIN"], drawn().labels["four"]["TRAIN"]

    def batches(*, augmentation=True, seed=0, epoch=0):
        return list(training._batches(pixels, labels, 8, augmentation, seed, epoch))

    forth, again = batches(), list(training._ahead(iter(batches())))
    for step in range(3):
        for one, other in zip(forth[step], again[step], strict=True):
            np.testing.assert_array_equal(one, other)
    for other in (batches(seed=1), batches(epoch=1)):
        assert any((forth[step][0] != other[step][0]).any() for step in range(2))
    plain = batches(augmentation=False)
    assert [len(plain[step][1]) for step in range(3)] == [8, 8, 4]
    seen = np.concatenate([plain[step][0] for step in range(3)])
    found = sorted(image.tobytes() for image in seen.astype(np.uint8))
    assert found == sorted(image.tobytes() for image in pixels)
    for step in range(3):  # augmenting changes neither order nor labels
        np.testing.assert_array_equal(plain[step][1], forth[step][1])


def test_an_error_in_making_a_batch_is_raised():
    def batches():
        yield 1
        raise OSError("no such image")

    ahead = training._ahead(batches())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="no such image"):
        next(ahead)


def test_dropout_depends_on_seed_and_epoch(keras):
    def masks(seed, epoch):
        model = networks.build_dclnn(4, size=SIZE, hidden=64, seed=0)
        training._seed_dropout(model, seed, epoch)
        found = [
            keras.ops.convert_to_numpy(
                model.get_layer(f"dropout_{i}")(np.ones((2, 500), dtype="float32"), training=True)
            )
            == 0
            for i in (1, 2)
        ]
        assert [0.2 < mask.mean() < 0.3 for mask in found[:1]] == [True]
        assert 0.45 < found[1].mean() < 0.55
        return np.array(found)

    np.testing.assert_array_equal(masks(0, 0), masks(0, 0))
    for other in (masks(1, 0), masks(0, 1)):
        assert (masks(0, 0) != other).mean() > 0.2


def test_without_the_second_dropout(keras, tmp_path):
    found = train(tmp_path, hidden_dropout=0.0, epochs=1)
    assert np.isfinite(found.history["loss"]).all()


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


def test_an_error_that_is_none_of_memory_stays_what_it_is(keras, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(keras.Sequential, "train_on_batch", fail)
    with pytest.raises(RuntimeError, match=r"^something else$"):
        train(tmp_path, epochs=1)


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
