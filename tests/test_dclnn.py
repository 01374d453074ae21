"""The network: as printed, a function of its seed, unharmed by a kill, the same on each backend.

Backends that this Python lacks are tried in the Pythons that ``BLOODLIB_PYTHONS`` lists
(paths, separated as in PATH), and skipped if none has them.
"""

import functools
import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bloodlib import dclnn, methods, records, study, synthetic
from bloodlib.images import NUCLEI, SPLITS

SIZE = (24, 32)
# 20 images: two full batches and a half one. At the default rate so small a network soon dies.
SMALL = {"hidden": 16, "batch_size": 8, "learning_rate": 0.1}
BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture(scope="module")
def keras():
    try:
        return dclnn.load_keras()
    except ImportError as error:
        pytest.skip(str(error))


@functools.cache
def drawn(train=20, test=12, size=SIZE):
    loaded = {
        split: synthetic.load(split, size=size, n=train if split == "TRAIN" else test)
        for split in SPLITS
    }
    nuclei = np.array(list(NUCLEI.values()), dtype=np.uint8)
    return methods.Data(
        {split: found.pixels for split, found in loaded.items()},
        {
            "four": {split: found.labels for split, found in loaded.items()},
            "two": {split: nuclei[found.labels] for split, found in loaded.items()},
        },
        "drawn",
    )


def train(folder, task="four", seed=3, data=None, **settings):
    return dclnn.dclnn(
        data or drawn(), task, seed, Path(folder) / "checkpoint.npz", **(SMALL | settings)
    )


def outcome(predictions):
    """Everything of a run that may not depend on how or when it was computed."""
    losses = {f"history_{k}": predictions.history[k] for k in ("loss", "val_loss")}
    arrays = {k: v for k, v in vars(predictions).items() if isinstance(v, np.ndarray)}
    return {"weights": predictions.weights, **losses, **arrays}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)


@pytest.fixture(scope="module")
def unbroken(keras, tmp_path_factory):
    """Four epochs in one go."""
    return train(tmp_path_factory.mktemp("unbroken"), epochs=4)


# ------------------------------------------------------------------------------ the network


@pytest.mark.parametrize(
    ("classes", "total"),
    # 3·3·3·32 + 32, 3·3·32·64 + 64, 28·38·64·128 + 128, 128·classes + classes
    [(4, 896 + 18_496 + 8_716_416 + 516), (2, 896 + 18_496 + 8_716_416 + 258)],
)
def test_shapes_and_parameters_of_section_4_2(keras, classes, total):
    model = dclnn.build(classes)
    assert [
        (layer.name, layer.output.shape[1:], layer.count_params()) for layer in model.layers
    ] == [
        ("scale", (60, 80, 3), 0),
        ("conv_1", (58, 78, 32), 896),
        ("conv_2", (56, 76, 64), 18_496),
        ("pool", (28, 38, 64), 0),
        ("dropout_1", (28, 38, 64), 0),
        ("flatten", (68_096,), 0),
        ("hidden", (128,), 8_716_416),
        ("dropout_2", (128,), 0),
        ("output", (classes,), total - 8_735_808),
    ]
    assert model.count_params() == total
    assert f"{total / 1e6:.1f}" == "8.7"


def test_layers_as_stated(keras):
    model = dclnn.build(4, hidden_dropout=0.4)
    for name, filters in (("conv_1", 32), ("conv_2", 64)):
        conv = model.get_layer(name)
        assert (conv.filters, conv.kernel_size, conv.strides) == (filters, (3, 3), (1, 1))
        assert (conv.padding, conv.activation.__name__) == ("valid", "relu")
    assert model.get_layer("pool").pool_size == model.get_layer("pool").strides == (2, 2)
    assert model.get_layer("hidden").activation.__name__ == "relu"
    assert model.get_layer("output").activation.__name__ == "softmax"
    assert [model.get_layer(f"dropout_{i}").rate for i in (1, 2)] == [0.25, 0.4]


def test_initial_weights_are_glorot_uniform_and_biases_nothing(keras):
    model = dclnn.build(4)
    for name, inputs, outputs in (
        ("conv_1", 9 * 3, 9 * 32),
        ("conv_2", 9 * 32, 9 * 64),
        ("hidden", 68_096, 128),
        ("output", 128, 4),
    ):
        kernel, bias = model.get_layer(name).get_weights()
        limit = np.sqrt(6 / (inputs + outputs))
        assert 0.97 * limit < np.abs(kernel).max() <= limit * 1.000001
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.08)
        assert kernel.mean() == pytest.approx(0, abs=0.1 * limit)
        assert not bias.any()


def test_seed_decides_the_initial_weights(keras):
    one, again, other = (dclnn.build(4, seed=s, hidden=8, size=SIZE) for s in (1, 1, 2))
    assert dclnn.weights_hash(one) == dclnn.weights_hash(again) != dclnn.weights_hash(other)
    for name in ("conv_1", "conv_2", "hidden", "output"):
        kernels = [model.get_layer(name).get_weights()[0] for model in (one, again, other)]
        np.testing.assert_array_equal(kernels[0], kernels[1])
        assert (kernels[0] != kernels[2]).all()


@pytest.mark.parametrize("classes", [2, 4])
def test_answers_are_probabilities(keras, classes):
    pixels = drawn().pixels["TEST"]
    found = dclnn.build(classes, size=SIZE, hidden=8).predict(pixels, verbose=0)
    assert found.shape == (len(pixels), classes)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_pixels_are_scaled_to_one_whatever_their_type(keras):
    pixels = drawn().pixels["TEST"]
    model = dclnn.build(4, size=SIZE, hidden=8)
    scaled = keras.Model(model.inputs, model.get_layer("scale").output).predict(pixels, verbose=0)
    np.testing.assert_allclose(scaled, pixels / 255, atol=1e-6)
    np.testing.assert_array_equal(
        model.predict(pixels, verbose=0), model.predict(pixels.astype("float32"), verbose=0)
    )


@pytest.mark.parametrize(("pooling", "reduce"), [("max", np.max), ("average", np.mean)])
def test_pooling(keras, pooling, reduce):
    model = dclnn.build(4, pooling, size=SIZE, hidden=8)
    parts = [model.get_layer(name).output for name in ("conv_2", "pool")]
    before, after = keras.Model(model.inputs, parts).predict(drawn().pixels["TEST"], verbose=0)
    n, height, width, filters = before.shape
    blocks = before.reshape(n, height // 2, 2, width // 2, 2, filters)
    np.testing.assert_allclose(after, reduce(blocks, axis=(2, 4)), atol=1e-6)


def test_a_pooling_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"'maximum'.*Did you mean"):
        methods.check("DCLNN", {"pooling": "maximum"})


def test_the_defaults_are_the_lineage():
    assert methods.defaults("DCLNN") == {
        "epochs": 25,
        "pooling": "max",
        "hidden": 128,
        "hidden_dropout": 0.5,
        "optimizer": "Adadelta",
        "learning_rate": 1.0,
        "batch_size": 32,
        "augmentation": True,
        "precision": "float32",
    }


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
    result = dclnn.augment(pixels, Chance())
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, pixels)


def test_mirror_image(keras):
    pixels = drawn().pixels["TEST"]
    np.testing.assert_array_equal(
        dclnn.augment(pixels, Chance(mirror=True)), pixels[:, :, ::-1], strict=False
    )


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-1, 2), (-2, -3)])
def test_shift_by_whole_pixels_repeats_the_edge(keras, down, right):
    pixels = drawn(size=(20, 32)).pixels["TEST"]
    shifted = dclnn.augment(pixels, Chance(down=down / 20, right=right / 32))
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
    found = dclnn.augment(pixels, Chance(**drawn_by_chance))
    np.testing.assert_allclose(found, turned(pixels, **drawn_by_chance), atol=0.02)


def test_is_a_function_of_the_generator_and_of_nothing_else(keras):
    pixels = drawn().pixels["TEST"]
    before = pixels.copy()
    one, again, other = (dclnn.augment(pixels, np.random.default_rng([5, s])) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert all((a != b).any() for a, b in zip(one, other, strict=True))
    np.testing.assert_array_equal(pixels, before)
    assert pixels.min() - 1e-3 <= one.min() <= one.max() <= pixels.max() + 1e-3


def test_what_chance_draws(keras):
    """Images whose channels are a pixel's column and row tell where each pixel came from."""
    n, height, width = 1500, 20, 28
    rows, columns = np.mgrid[:height, :width].astype(float)
    image = np.stack([columns, rows, np.full_like(rows, 7)], axis=-1)
    result = dclnn.augment(np.repeat(image[None], n, axis=0), np.random.default_rng(0))
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
        dclnn.HISTORY, 4
    )
    assert unbroken.backend == dclnn.load_keras().backend.backend()


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
        return list(dclnn._batches(pixels, labels, 8, augmentation, seed, epoch))

    forth, again = batches(), list(dclnn._ahead(iter(batches())))
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

    ahead = dclnn._ahead(batches())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="no such image"):
        next(ahead)


def test_dropout_depends_on_seed_and_epoch(keras):
    def masks(seed, epoch):
        model = dclnn.build(4, size=SIZE, hidden=64, seed=0)
        dclnn._seed_dropout(model, seed, epoch)
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


# ----------------------------------------------------------------------- when it goes wrong


@pytest.mark.parametrize("batch_size", [8, 32])  # in the middle of an epoch, in its last step
def test_a_loss_that_is_no_number_stops(keras, tmp_path, batch_size):
    with pytest.raises(dclnn.DivergedError, match=r"(nan|inf) in epoch 1"):
        train(tmp_path, epochs=3, optimizer="SGD", learning_rate=1e10, batch_size=batch_size)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_is_recorded(keras, tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path))
    config = {
        **{"method": "DCLNN", "task": "two", "images": "drawn", "images_per_class": 5},
        **{"epochs": 2, "hidden": 8, "optimizer": "SGD", "learning_rate": 1e10},
    }
    with pytest.raises(study.RunError, match="failed: DivergedError"):
        study.compute(config)
    record = records.read(tmp_path / "runs" / f"{study.identify(config)}.json")
    assert record.status == "failed"
    assert "DivergedError: the loss became" in record.reason


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8915386368 bytes."),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."),
    ],
)
def test_out_of_memory_names_a_smaller_batch(keras, tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(keras.Sequential, "train_on_batch", fail)
    with pytest.raises(MemoryError, match=r"batches of 64: try batch_size=32") as caught:
        train(tmp_path, epochs=1, batch_size=64)
    assert caught.value.__cause__ is error


def test_another_error_stays_what_it_is(keras, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(keras.Sequential, "train_on_batch", fail)
    with pytest.raises(RuntimeError, match=r"^something else$"):
        train(tmp_path, epochs=1)


def _cut(raw):
    return raw[: len(raw) // 2]


def _nothing(raw):
    return b""


def _other_bytes(raw):
    return b"no archive" * 10


def _one_byte_changed(raw):
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


@pytest.mark.parametrize("damage", [_cut, _nothing, _other_bytes, _one_byte_changed])
def test_a_damaged_checkpoint_is_named_and_not_used(keras, tmp_path, damage):
    model = dclnn.build(2, size=SIZE, hidden=4)
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    file = tmp_path / "run.npz"
    empty = dclnn._restore(model, file)
    rows = {name: [0] for name in empty} | {"TEST": np.ones((1, 2)), "TEST_SIMPLE": np.ones((1, 2))}
    dclnn._save(model, file, rows)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    other = dclnn.build(2, size=SIZE, hidden=4, seed=9)
    other.compile("sgd")
    other.optimizer.build(other.trainable_variables)
    untouched = dclnn.weights_hash(other)
    assert untouched != dclnn.weights_hash(model)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match=r"run\.npz is damaged .*starts anew"):
        assert dclnn._restore(other, file) == empty
    assert dclnn.weights_hash(other) == untouched


def test_training_starts_anew_where_the_checkpoint_is_damaged(unbroken, tmp_path):
    train(tmp_path, epochs=1)
    file = tmp_path / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=r"checkpoint\.npz is damaged"):
        assert_same(outcome(train(tmp_path, epochs=4)), outcome(unbroken))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train(tmp_path, epochs=4)  # it was replaced


# ------------------------------------------------------------------- other processes, backends

PRELUDE = """
import io, os, signal, sys
from pathlib import Path
import numpy as np
from bloodlib import dclnn, methods

folder = Path(sys.argv[1])
with np.load(folder / "images.npz") as stored:
    pixels = {s: stored[s] for s in ("TRAIN", "TEST", "TEST_SIMPLE")}
    labels = {t: {s: stored[f"{t}_{s}"] for s in pixels} for t in ("four", "two")}
data = methods.Data(pixels, labels, "drawn")

def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
RUN = """
found = dclnn.dclnn(data, "four", 3, folder / sys.argv[2] / "checkpoint.npz",
                    epochs=3, hidden=16, batch_size=8, learning_rate=0.1)
arrays = {k: v for k, v in vars(found).items() if isinstance(v, np.ndarray)}
losses = {f"history_{k}": found.history[k] for k in ("loss", "val_loss")}
np.savez(folder / sys.argv[2] / "outcome.npz", weights=found.weights, **arrays, **losses)
"""
#: What kills a run, in the order in which one run is killed, and the epochs it then has.
DEATHS = {
    "after the first epoch's checkpoint": (
        """
save = dclnn._save
def _save(*given):
    save(*given)
    die()
dclnn._save = _save
""",
        1,
    ),
    "in the middle of the second epoch": (
        """
ahead = dclnn._ahead
def _ahead(batches):
    for step, batch in enumerate(ahead(batches)):
        if step == 1:
            die()
        yield batch
dclnn._ahead = _ahead
""",
        1,
    ),
    "in the middle of writing the second checkpoint": (
        """
savez = np.savez
def half(file, **arrays):
    whole = io.BytesIO()
    savez(whole, **arrays)
    file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
    file.flush()
    die()
np.savez = half
""",
        1,
    ),
}
PROBABILITIES = """
model = dclnn.build(4, sys.argv[2], size=pixels["TEST"].shape[1:3])
with np.load(folder / "weights.npz") as stored:
    model.set_weights([stored[name] for name in stored.files])
np.save(folder / (sys.argv[2] + ".npy"), model.predict(pixels["TEST"], verbose=0))
"""


@functools.cache
def python_with(backend):
    """A Python that has the backend: this one, or one of BLOODLIB_PYTHONS."""
    listed = os.environ.get("BLOODLIB_PYTHONS", "").split(os.pathsep)
    for python in [sys.executable, *filter(None, listed)]:
        look = f"import importlib.util as u; raise SystemExit(u.find_spec({backend!r}) is None)"
        if subprocess.run([python, "-c", look], check=False).returncode == 0:
            return python
    return None


def start(backend, code, *arguments):
    """Run code with Keras on a backend, in a Python that has it."""
    python = python_with(backend)
    if python is None:
        pytest.skip(f"{backend} is not installed, nor in a Python of BLOODLIB_PYTHONS")
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(Path(dclnn.__file__).parents[1]),
    }
    return subprocess.run(
        [python, "-c", PRELUDE + code, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def put_images(folder, data):
    arrays = {f"{t}_{s}": data.labels[t][s] for t in ("four", "two") for s in SPLITS}
    np.savez(folder / "images.npz", **data.pixels, **arrays)


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_anywhere_a_run_ends_as_the_unbroken_one(backend, tmp_path):
    put_images(tmp_path, drawn())
    whole = start(backend, RUN, tmp_path, "whole")
    assert whole.returncode == 0, whole.stderr
    # quiet: nothing printed, and on stderr nothing but the bar
    assert whole.stdout == ""
    lines = [line for line in whole.stderr.replace("\r", "\n").splitlines() if line.strip()]
    assert all(line.startswith("DCLNN four max seed 3:") for line in lines), whole.stderr
    assert "100%" in lines[-1]

    for where, (patch, epochs) in DEATHS.items():
        ended = start(backend, patch + RUN, tmp_path, "broken")
        assert ended.returncode in (-9, 15), (where, ended.returncode, ended.stderr[-2000:])
        assert not (tmp_path / "broken" / "outcome.npz").exists()
        with np.load(tmp_path / "broken" / "checkpoint.npz") as state:
            assert len(state["loss"]) == epochs, where
    finished = start(backend, RUN, tmp_path, "broken")
    assert finished.returncode == 0, finished.stderr
    assert "damaged" not in finished.stderr

    one, other = (dict(np.load(tmp_path / name / "outcome.npz")) for name in ("whole", "broken"))
    assert len(one["history_loss"]) == len(one["labels"]) == len(one["confusion_train"]) == 3
    assert len(str(one["weights"])) == 64
    assert_same(one, other)
    # no unfinished file outlives the run
    assert [p.name for p in (tmp_path / "broken").glob("checkpoint*")] == ["checkpoint.npz"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_weights_give_the_same_probabilities(keras, backend, tmp_path):
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is what the others are compared with")
    data = drawn(8, 64, (60, 80))
    put_images(tmp_path, data)
    for pooling in ("max", "average"):
        model = dclnn.build(4, pooling, seed=5)
        # larger than a fresh network's, for answers that are not all alike
        weights = [
            3 * weight if weight.ndim > 1 else weight + 0.1 for weight in model.get_weights()
        ]
        model.set_weights(weights)
        np.savez(tmp_path / "weights.npz", *weights)
        here = model.predict(data.pixels["TEST"], verbose=0)
        assert np.ptp(here, axis=0).max() > 0.2
        ended = start(backend, PROBABILITIES, tmp_path, pooling)
        assert ended.returncode == 0, ended.stderr
        there = np.load(tmp_path / f"{pooling}.npy")
        print(f"{backend}, {pooling}: largest difference {np.abs(here - there).max():.1e}")
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-4)


@pytest.mark.parametrize("backend", ["nonsense", *BACKENDS])
def test_a_backend_that_is_not_installed_says_what_to_install(backend):
    if backend in BACKENDS and importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed")
    ended = subprocess.run(
        [sys.executable, "-c", "from bloodlib import dclnn; dclnn.load_keras()"],
        env=os.environ
        | {"KERAS_BACKEND": backend, "PYTHONPATH": str(Path(dclnn.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"ImportError: KERAS_BACKEND is {backend!r}")
    install = dclnn.INSTALL.get(backend, "Choose one of tensorflow, jax, torch")
    assert install in said


def test_importing_the_module_imports_no_backend():
    code = (
        "import sys, bloodlib.dclnn; "
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")


@pytest.mark.gpu
def test_a_gpu_is_named_and_its_memory_grows_as_needed(keras):
    if not dclnn.device_name():
        pytest.skip("no GPU here")
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        for gpu in tensorflow.config.list_physical_devices("GPU"):
            assert tensorflow.config.experimental.get_memory_growth(gpu)
