"""Maps of answers: what they add up to, what they point to, and what is frozen of them."""

import types

import numpy as np
import pytest

from bloodlib.analyses import attention
from bloodlib.analyses.attention import ASKED, BINS, COARSE, HIDDEN, MAPS, SIGNS
from bloodlib.data import boxes, images, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.models import dclnn, training, weights
from bloodlib.study import measurements, records

SMALL = (12, 16)


@pytest.fixture(autouse=True)
def forget():
    measurements.read.cache_clear()
    yield
    measurements.read.cache_clear()


def cells(n=3, size=SMALL):
    drawn = [synthetic.draw(k % 4, np.random.default_rng(k), size) for k in range(n)]
    return np.stack(drawn).astype(np.float32)


def score(model, pixels, labels):
    """The output of each image's label, before the softmax."""
    keras = training.load_keras()
    body = keras.Model(model.inputs, model.layers[-2].output)
    kernel, bias = model.layers[-1].get_weights()
    found = np.asarray(body([pixels], training=False)) @ kernel + bias
    return found[np.arange(len(labels)), labels]


# ------------------------------------------------------------------------------------- the maps


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_maps_add_up_to_the_score(pooling):
    """Integrated gradients to its change from the empty picture, HiResCAM (no biases) to all."""
    model = dclnn.build(4, pooling, hidden=8, seed=1, size=SMALL)
    pixels, labels = cells(), np.array([2, 0, 3], np.uint8)
    found = attention.mapper(model, steps=64)(pixels, labels)
    assert (found.shape, found.dtype) == ((3, len(MAPS), *SMALL), np.float32)
    there, here = (score(model, x, labels) for x in (attention.empty(pixels), pixels))
    np.testing.assert_allclose(found[:, 0].sum(axis=(1, 2)), here - there, rtol=0.03, atol=2e-3)
    np.testing.assert_allclose(found[:, 1].sum(axis=(1, 2)), here, rtol=1e-3, atol=1e-5)


def test_few_steps_are_nearly_as_good_as_many():
    model = dclnn.build(4, hidden=8, seed=1, size=SMALL)
    pixels, labels = cells(), np.zeros(3, np.uint8)
    few, many = (np.abs(attention.mapper(model, n)(pixels, labels)[:, 0]) for n in (8, 64))
    assert np.abs(few - many).sum() < 0.1 * many.sum()


def only_left(classes=2):
    """A network whose hidden layer sees nothing but the left half of the pooled maps."""
    model = dclnn.build(classes, hidden=8, seed=3, size=SMALL)
    layer = model.get_layer("hidden")
    kernel, bias = layer.get_weights()
    _, height, width, filters = model.get_layer("pool").output.shape
    seen = kernel.reshape(height, width, filters, -1)
    seen[:, width // 2 :] = 0
    layer.set_weights([kernel, bias])
    return model


def test_maps_point_to_what_the_network_uses_and_to_nothing_else():
    box = np.zeros(SMALL, bool)
    box[:, :10] = True  # three pooled columns, 2 pixels each, that see 2 more at either side
    pixels, labels = cells(4), np.array([0, 1, 0, 1], np.uint8)
    found = attention.share(attention.mapper(only_left())(pixels, labels), box)
    np.testing.assert_allclose(found, 1)
    whole = dclnn.build(2, hidden=8, seed=3, size=SMALL)
    found = attention.share(attention.mapper(whole)(pixels, labels), box)
    assert (found < 0.95).all()


def test_another_backend_is_told_what_to_do(monkeypatch):
    backend = types.SimpleNamespace(backend=lambda: "jax")
    monkeypatch.setattr(training, "load_keras", lambda: types.SimpleNamespace(backend=backend))
    with pytest.raises(ImportError, match="set KERAS_BACKEND=tensorflow"):
        attention.mapper(None)


# --------------------------------------------------------------------------- shares and hiding


def test_a_share_is_the_weight_in_the_box_of_all_and_of_what_speaks_for_the_class():
    found = np.array([[3.0, -1.0], [0.0, 4.0]])
    box = np.array([[True, True], [False, False]])
    np.testing.assert_allclose(attention.share(found, box), [4 / 8, 3 / 7])
    np.testing.assert_allclose(attention.share(-np.abs(found), box), [4 / 8, 0.5])
    np.testing.assert_allclose(attention.share(np.zeros((2, 2)), box[:, :1] & box), [0.5, 0.5])
    many = attention.share(np.stack([found, found.T]), box)
    assert many.shape == (2, len(SIGNS))


def test_what_is_hidden_has_the_median_colour_and_the_rest_stays():
    pixels = cells()
    box = np.zeros((3, *SMALL), bool)
    box[:, 2:6, 3:9] = True
    hidden = attention.hide(pixels, box)
    np.testing.assert_array_equal(hidden[~box], pixels[~box])
    for before, after in zip(pixels, hidden, strict=True):
        colour = np.median(before.reshape(-1, 3), axis=0)
        assert (after[2:6, 3:9] == colour).all()
    moved = attention.elsewhere(box)
    assert moved.sum() == box.sum()
    assert not (moved & box).any()


def test_an_even_map_has_an_even_profile_and_one_on_the_cell_lies_in_the_box():
    across, down = np.meshgrid(np.linspace(-2, 3, 80), np.linspace(-1.4, 2.2, 60))
    placed = np.stack([across, down], axis=-1)[None].repeat(2, axis=0)
    on_cell = boxes.inside(placed).astype(float)
    maps = np.stack([np.full_like(on_cell, -3.0), on_cell], axis=1)
    sums = attention.profile(maps, placed, np.array([1, 3]))
    assert sums.shape == (len(CLASSES), 3, BINS, BINS)
    assert not sums[[0, 2]].any()
    seen = sums[1, 2] > 0
    np.testing.assert_allclose(sums[1, 0][seen], sums[1, 2][seen])
    middle = np.zeros((BINS, BINS), bool)
    middle[BINS // 3 : 2 * BINS // 3, BINS // 3 : 2 * BINS // 3] = True
    assert not sums[3, 1][~middle].any()
    np.testing.assert_allclose(
        sums[3, 1][middle & seen] / sums[3, 2][middle & seen], 4800 / on_cell[0].sum()
    )
    # what is further from the box than its width, and what is nowhere, is left out
    near = ((placed >= -1) & (placed < 2)).all(axis=-1)
    assert sums[:, 2].sum() == near.sum()
    assert not attention.profile(maps, np.full_like(placed, np.nan), np.array([1, 3])).any()


def test_the_blob_is_in_the_middle():
    found = attention.blob((60, 80))
    assert found.shape == (60, 80)
    np.testing.assert_allclose(found, found[::-1, ::-1])
    assert found[30, 40] == found.max() > 10 * found[0, 0]


# ---------------------------------------------------------------------------------- frozen


@pytest.fixture
def small_study(folder, folders, monkeypatch):
    """A made-up dataset, boxes in its images, and networks that were never trained."""
    grid = np.stack(np.meshgrid((np.arange(80) - 20) / 30, (np.arange(60) - 10) / 20), axis=-1)
    monkeypatch.setattr(
        boxes, "coordinates", lambda split, rows, size: np.stack([grid] * (rows.stop - rows.start))
    )
    monkeypatch.setattr(
        weights, "load", lambda task: dclnn.build(len(TASKS[task]), hidden=32, seed=7)
    )
    monkeypatch.setattr(weights, "provenance", lambda task: {"weights": task})
    build = dclnn.build
    monkeypatch.setattr(dclnn, "build", lambda n, **more: build(n, **({"hidden": 32} | more)))
    monkeypatch.setattr(attention, "STEPS", 2)


def test_all_that_is_shown_is_frozen(small_study, monkeypatch):
    attention.remake()
    n = len(images.names("TEST"))
    found, made = attention.read(), measurements.read("attention").made
    assert made["settings"]["weights"] == {task: task for task in TASKS}
    np.testing.assert_allclose(found["area"], 30 * 20 / 4800)
    np.testing.assert_allclose(found["visible"], 1)
    assert (found["blob"] > found["area"]).all()
    for task, names in TASKS.items():
        labels = attention.answers(weights.load(task), images.load("TEST").pixels)
        np.testing.assert_array_equal(found[f"labels_{task}"], labels)
        assert found[f"shares_{task}"].shape == (n, len(ASKED), len(MAPS), len(SIGNS))
        assert found[f"hidden_{task}"].shape == (n, len(HIDDEN))
        assert found[f"hidden_{task}"].max() < len(names)
        counted = found[f"profile_{task}"][:, -1].sum(axis=(1, 2))
        np.testing.assert_array_equal(counted > 0, [True] * len(CLASSES))
    assert found["examples"].shape == (8, len(MAPS), *COARSE)
    np.testing.assert_allclose(found["examples"].max(axis=(2, 3)), 1)
    # a second start takes all of it from the cache
    monkeypatch.setattr(attention._Measure, "__call__", None)
    attention.remake()
    assert measurements.read("attention").made["images_from_cache"] == 2 * n


def test_another_class_is_never_the_answer(small_study):
    measure = attention._Measure("four", weights.load("four"), dclnn.build(4, seed=0))
    asked = []
    explain = measure.explain[0]
    measure.explain = (lambda x, y: asked.append(y) or explain(x, y)), measure.explain[1]
    measure(images.load("TEST").pixels, slice(0, 8))
    assert (asked[0] != asked[1]).all()
    assert asked[1].max() < 4


def test_what_is_missing_or_misshapen_is_refused(folders):
    with pytest.raises(records.MissingRecordError, match="bloodlib measure attention"):
        attention.read()
    measurements.save("attention", {"area": np.zeros(3)}, {}, stored.Clock())
    with pytest.raises(records.RecordError, match=r"no area .*: `bloodlib measure attention`"):
        attention.read()
