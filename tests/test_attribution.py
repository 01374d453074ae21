"""Maps of answers: what they add up to, what they point to, and what is frozen of them."""

import shutil
import types

import numpy as np
import pytest
from conftest import CHECKOUT

from bloodlib.analyses import attribution
from bloodlib.analyses.attribution import BINS, COARSE, HIDDEN, MAPS, SIGNS, TARGETS
from bloodlib.data import boxes, images, photographs, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.models import networks, training, weights
from bloodlib.study import measurements

SMALL = (12, 16)
N = len(images.names("TEST"))
pytestmark = pytest.mark.usefixtures("style")


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
    model = networks.build_dclnn(4, pooling, hidden=8, seed=1, size=SMALL)
    pixels, labels = cells(), np.array([2, 0, 3], np.uint8)
    found = attribution.make_explainer(model, steps=64)(pixels, labels)
    assert (found.shape, found.dtype) == ((3, len(MAPS), *SMALL), np.float32)
    there, here = (score(model, x, labels) for x in (attribution.median_images(pixels), pixels))
    np.testing.assert_allclose(found[:, 0].sum(axis=(1, 2)), here - there, rtol=0.03, atol=2e-3)
    np.testing.assert_allclose(found[:, 1].sum(axis=(1, 2)), here, rtol=1e-3, atol=1e-5)


def test_another_backend_is_told_what_to_do(monkeypatch):
    backend = types.SimpleNamespace(backend=lambda: "jax")
    monkeypatch.setattr(training, "load_keras", lambda: types.SimpleNamespace(backend=backend))
    with pytest.raises(ImportError, match="set KERAS_BACKEND=tensorflow"):
        attribution.make_explainer(None)


# --------------------------------------------------------------------------- shares and hiding


def test_a_share_is_the_weight_in_the_box_of_all_and_of_what_speaks_for_the_class():
    found = np.array([[3.0, -1.0], [0.0, 4.0]])
    box = np.array([[True, True], [False, False]])
    np.testing.assert_allclose(attribution.share_in_box(found, box), [4 / 8, 3 / 7])
    np.testing.assert_allclose(attribution.share_in_box(-np.abs(found), box), [4 / 8, 0.5])
    np.testing.assert_allclose(
        attribution.share_in_box(np.zeros((2, 2)), box[:, :1] & box), [0.5, 0.5]
    )
    many = attribution.share_in_box(np.stack([found, found.T]), box)
    assert many.shape == (2, len(SIGNS))


def test_what_is_hidden_has_the_median_colour_and_the_rest_stays():
    pixels = cells()
    box = np.zeros((3, *SMALL), bool)
    box[:, 2:6, 3:9] = True
    hidden = attribution.hide(pixels, box)
    np.testing.assert_array_equal(hidden[~box], pixels[~box])
    for before, after in zip(pixels, hidden, strict=True):
        colour = np.median(before.reshape(-1, 3), axis=0)
        assert (after[2:6, 3:9] == colour).all()
    moved = attribution.move(box)
    assert moved.sum() == box.sum()
    assert not (moved & box).any()


def test_an_even_map_has_an_even_profile_and_one_on_the_cell_lies_in_the_box():
    across, down = np.meshgrid(np.linspace(-2, 3, 80), np.linspace(-1.4, 2.2, 60))
    placed = np.stack([across, down], axis=-1)[None].repeat(2, axis=0)
    on_cell = boxes.inside(placed).astype(float)
    maps = np.stack([np.full_like(on_cell, -3.0), on_cell], axis=1)
    sums = attribution.sum_by_place(maps, placed, np.array([1, 3]))
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
    assert not attribution.sum_by_place(maps, np.full_like(placed, np.nan), np.array([1, 3])).any()


# ---------------------------------------------------------------------------------- frozen


@pytest.fixture
def small_study(folder, folders, monkeypatch):
    """A made-up dataset, boxes in its images, and networks that were never trained."""
    grid = np.stack(np.meshgrid((np.arange(80) - 20) / 30, (np.arange(60) - 10) / 20), axis=-1)
    monkeypatch.setattr(
        boxes, "coordinates", lambda split, rows, size: np.stack([grid] * (rows.stop - rows.start))
    )
    monkeypatch.setattr(
        weights, "load", lambda task: networks.build_dclnn(len(TASKS[task]), hidden=32, seed=7)
    )
    monkeypatch.setattr(weights, "provenance", lambda task: {"weights": task})
    build = networks.build_dclnn
    monkeypatch.setattr(
        networks, "build_dclnn", lambda n, **more: build(n, **({"hidden": 32} | more))
    )
    monkeypatch.setattr(attribution, "STEPS", 2)


def test_all_that_is_shown_is_frozen(small_study):
    attribution.compute()
    n = len(images.names("TEST"))
    found, made = attribution.read(), measurements.read("attribution").made
    assert made["settings"]["weights"] == {task: task for task in TASKS}
    np.testing.assert_allclose(found["area"], 30 * 20 / 4800)
    np.testing.assert_allclose(found["visible"], 1)
    assert (found["blob"] > found["area"]).all()
    for task, names in TASKS.items():
        labels = attribution.predict(weights.load(task), images.load("TEST").pixels)
        np.testing.assert_array_equal(found[f"labels_{task}"], labels)
        assert found[f"hidden_{task}"].max() < len(names)
        counted = found[f"profile_{task}"][:, -1].sum(axis=(1, 2))
        np.testing.assert_array_equal(counted > 0, [True] * len(CLASSES))
    assert found["examples"].shape == (8, len(MAPS), *COARSE)
    np.testing.assert_allclose(found["examples"].max(axis=(2, 3)), 1)
    attribution.compute()
    assert measurements.read("attribution").made["images_from_cache"] == 2 * n


def test_what_is_missing_or_misshapen_is_refused(folders):
    with pytest.raises(stored.MissingError, match="bloodlib measure attribution"):
        attribution.read()
    measurements.save("attribution", {"area": np.zeros(3)}, {}, stored.Clock())
    with pytest.raises(stored.StoredError, match=r"no area .*: `bloodlib measure attribution`"):
        attribution.read()


# --------------------------------------------------------------------------- what is shown


@pytest.fixture
def frozen(folders, tmp_path, monkeypatch):
    """Maps that lie on the cell for six tenths, less where the answer is wrong; no images here."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    found = {"area": rng.uniform(0.05, 0.2, N), "visible": np.full(N, 0.9)}
    found["blob"] = found["area"] + 0.05
    for task, names in TASKS.items():
        truth = images.labels("TEST", task)
        wrong = photographs.photographs("TEST") == 110
        labels = np.where(wrong, (truth + 1) % len(names), truth).astype(np.uint8)
        shares = np.empty((N, len(TARGETS), len(MAPS), len(SIGNS)), np.float16)
        shares[:, 0] = np.where(wrong, 0.3, 0.6)[:, None, None]
        shares[:, 0, 1] += 0.1
        shares[:, 1], shares[:, 2] = 0.5, found["area"][:, None, None]
        hidden = np.stack([np.zeros_like(labels), labels, truth], axis=1)
        assert hidden.shape[1] == len(HIDDEN)
        profile = np.ones((len(CLASSES), len(MAPS) + 1, BINS, BINS))
        profile[:, 0, 8:16, 8:16] = 5
        for key, value in (
            ("labels", labels), ("shares", shares), ("hidden", hidden), ("profile", profile),
        ):  # fmt: skip
            found[f"{key}_{task}"] = value
    found["examples"] = rng.random((8, len(MAPS), *COARSE)).astype(np.float16)
    found["example_labels"] = np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8)
    measurements.save("attribution", found, {}, stored.Clock())
    return found


def test_figures_are_drawn_without_images(frozen, folders):
    shutil.copy(CHECKOUT / "results" / boxes.NAME, folders.results)
    boxes.table.cache_clear()
    for figure in (
        attribution.plot_photographs(attribution.compute_photographs("four")),
        attribution.plot_profile("four"),
        attribution.plot_examples(),
    ):
        figure.canvas.draw()
    stamps = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert stamps == [synthetic.STAMP] * len(CLASSES) * len(MAPS)


def test_shares_are_means_with_intervals_by_cell(frozen):
    found = attribution.compute_shares()
    assert len(found) == len(TASKS) * len(MAPS) * len(SIGNS)
    row = found.set_index(["task", "map", "sign"]).loc[("four", "features", "all")]
    ours = frozen["shares_four"][:, 0, 1, 0].astype(float)
    assert row["share"] == pytest.approx(ours.mean())
    ends = intervals.mean_bounds(ours[None], comparison.resamples("four"))
    assert (row["low"], row["high"]) == pytest.approx(ends)
    assert row["other"] == pytest.approx(0.5)
    assert row["untrained"] == pytest.approx(row["area"], abs=1e-3)
    assert row["blob"] == pytest.approx(row["area"] + 0.05)


def test_right_and_wrong_answers_are_told_apart_by_class(frozen):
    found = attribution.compute_classes().set_index(["task", "class", "answer"])
    right, wrong = (found.loc[("four", "MONOCYTE", answer)] for answer in ("right", "wrong"))
    assert right["pixels"] == pytest.approx(0.6, abs=1e-3)
    assert wrong["pixels"] == pytest.approx(0.3, abs=1e-3)
    assert wrong["features"] == pytest.approx(0.4, abs=1e-3)
    worst = photographs.photographs("TEST") == 110
    assert wrong["images"] == worst.sum()
    assert wrong["area"] == pytest.approx(frozen["area"][worst].mean())
    assert wrong["visible"] == pytest.approx(0.9)
    assert found["images"].groupby("task").sum().tolist() == [N] * len(TASKS)
    # nothing else is wrong
    assert found.xs("wrong", level="answer").index.tolist() == [
        (task, "MONOCYTE") for task in TASKS
    ]


def test_answers_with_something_hidden_are_compared_with_those_without(frozen):
    found = attribution.compute_hidden().set_index(["task", "hidden"])
    for task in TASKS:
        truth = images.labels("TEST", task)
        cell = found.loc[(task, "the cell")]
        assert cell["accuracy"] == pytest.approx((truth == 0).mean())
        assert cell["same"] == pytest.approx((frozen[f"labels_{task}"] == 0).mean())
        same = found.loc[(task, "as much elsewhere")]
        assert (same["change"], same["same"]) == (0, 1)
        rest = found.loc[(task, "all but the cell")]
        assert rest["accuracy"] == 1
        assert rest["change"] == pytest.approx(1 - found.loc[(task, "nothing"), "accuracy"])


def test_there_is_a_dot_for_each_photograph(frozen):
    found = attribution.compute_photographs("four")
    numbers = photographs.photographs("TEST")
    assert len(found) == len(np.unique(numbers))
    worst = found.set_index("photograph").loc[110]
    assert (worst["right"], worst["class"]) == (0, "MONOCYTE")
    assert worst["pixels"] == pytest.approx(0.3, abs=1e-3)
    assert worst["area"] == pytest.approx(frozen["area"][numbers == 110].mean())
