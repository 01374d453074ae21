"""Maps of answers: what they add up to, what they point to, and what is frozen of them."""

import shutil
import types

import numpy as np
import pytest
from conftest import CHECKOUT

from bloodlib.analyses import attribution
from bloodlib.analyses.attribution import COARSE, HIDDEN, MAPS, SIGNS, TARGETS
from bloodlib.data import images, photographs, stored, synthetic
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.models import networks, training, weights
from bloodlib.study import records

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


# ---------------------------------------------------------------------------------- frozen


@pytest.fixture
def small_study(folder, folders, monkeypatch):
    """A made-up dataset, boxes in its images, and networks that were never trained."""
    grid = np.stack(np.meshgrid((np.arange(80) - 20) / 30, (np.arange(60) - 10) / 20), axis=-1)
    monkeypatch.setattr(
        photographs,
        "coordinates",
        lambda split, rows, size: np.stack([grid] * (rows.stop - rows.start)),
    )
    monkeypatch.setattr(
        weights, "load", lambda task: networks.build_dclnn(len(TASKS[task]), hidden=32, seed=7)
    )
    monkeypatch.setattr(weights, "read", lambda task: (b"", {}, {"weights": task}))
    build = networks.build_dclnn
    monkeypatch.setattr(
        networks, "build_dclnn", lambda n, **more: build(n, **({"hidden": 32} | more))
    )
    monkeypatch.setattr(attribution, "STEPS", 2)


def test_all_that_is_shown_is_frozen(small_study):
    attribution.compute()
    n = len(images.names("TEST"))
    found, made = attribution.read(), records.read_measured("attribution")[1]
    assert made["settings"]["weights"] == {task: task for task in TASKS}
    np.testing.assert_allclose(found["area"], 30 * 20 / 4800)
    np.testing.assert_allclose(found["visible"], 1)
    assert (found["blob"] > found["area"]).all()
    for task in TASKS:
        pixels = images.load("TEST").pixels
        labels = attribution.predict(weights.load(task), pixels)
        np.testing.assert_array_equal(found[f"labels_{task}"], labels)
        box = np.zeros(pixels.shape[:3], bool)
        box[:, 10:30, 20:50] = True
        elsewhere = np.roll(box, (30, 40), axis=(1, 2))
        assert not (box & elsewhere).any()
        for place, covered in enumerate((box, elsewhere, ~box)):
            shown = attribution.hide(pixels, covered)
            labels = attribution.predict(weights.load(task), shown)
            np.testing.assert_array_equal(found[f"hidden_{task}"][:, place], labels)
    assert found["examples"].shape == (8, len(MAPS), *COARSE)
    np.testing.assert_allclose(found["examples"].max(axis=(2, 3)), 1)
    attribution.compute()
    assert records.read_measured("attribution")[1]["images_from_cache"] == 2 * n


def test_what_is_missing_or_misshapen_is_refused(folders):
    with pytest.raises(stored.MissingError, match="bloodlib measure attribution"):
        attribution.read()
    records.save_measured("attribution", {"area": np.zeros(3)}, {}, stored.Clock())
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
        found |= {f"labels_{task}": labels, f"shares_{task}": shares, f"hidden_{task}": hidden}
    found["examples"] = rng.random((8, len(MAPS), *COARSE)).astype(np.float16)
    found["example_labels"] = np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8)
    records.save_measured("attribution", found, {}, stored.Clock())
    return found


def test_figures_are_drawn_without_images(frozen, folders):
    shutil.copy(CHECKOUT / "results" / "boxes.csv", folders.results)
    photographs.boxes.cache_clear()
    attribution.plot_examples().canvas.draw()


def test_shares_are_means_with_intervals_by_cell(frozen):
    found = attribution.compute_shares()
    assert len(found) == len(TASKS) * len(MAPS)
    row = found.set_index(["task", "map"]).loc[("four", "features")]
    ours = frozen["shares_four"][:, 0, 1, 0].astype(float)
    assert row["share"] == pytest.approx(ours.mean())
    ends = intervals.mean_bounds(ours[None], comparison.resamples("four"))
    assert (row["low"], row["high"]) == pytest.approx(ends)
    assert row["other"] == pytest.approx(0.5)
    assert row["untrained"] == pytest.approx(row["area"], abs=1e-3)


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
