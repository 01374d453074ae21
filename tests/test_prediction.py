"""Pictures from anywhere: an answer or a clear refusal; the others are answered all the same."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodlib import cli
from bloodlib.analyses import external_validation, prediction
from bloodlib.data import images, stored, synthetic
from bloodlib.data.images import TASKS
from bloodlib.models import weights
from bloodlib.study import records

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def cell():
    """A drawn cell, in the published size."""
    return synthetic.draw(2, np.random.default_rng(0), (240, 320))


@pytest.fixture
def saved(tmp_path):
    """A function that writes a picture to a file."""

    def save(pixels, name="cell.png", mode="RGB", **how):
        path = tmp_path / name
        Image.fromarray(pixels).convert(mode).save(path, **how)
        return path

    return save


def test_an_answer_is_that_of_the_networks_for_the_reduced_picture(saved, cell):
    path = saved(cell)
    [answer] = prediction.predict([path])
    pixels = images.resize(cell)[None]
    for task, names in TASKS.items():
        assert list(answer["chances"][task]) == list(names)
        found = list(answer["chances"][task].values())
        np.testing.assert_allclose(found, weights.predict(task, pixels)[0], atol=1e-6)
        assert sum(found) == pytest.approx(1, abs=1e-5)
    reference = prediction.load_reference()
    assert answer["distance"] == pytest.approx(prediction.distance(pixels, reference)[0])
    assert 0 <= answer["nearer"] <= 1


def test_what_is_transparent_is_white(tmp_path, cell):
    clear = np.dstack([cell, np.zeros(cell.shape[:2], np.uint8)])
    clear[:, 160:, 3] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    found = prediction.read(tmp_path / "clear.png")
    assert (found[:, :38] == 255).all()
    np.testing.assert_array_equal(found[:, 42:], images.resize(cell)[:, 42:])


@pytest.mark.parametrize("axis", [0, 1])
def test_of_other_shapes_the_middle_is_taken(saved, cell, axis):
    border = [(0, 0)] * 3
    border[axis] = (40, 40)
    path = saved(np.pad(cell, border, constant_values=7))
    np.testing.assert_array_equal(prediction.read(path), images.resize(cell))


def test_the_command_answers_and_says_what_it_is_not_for(saved, cell, capsys):
    path = saved(cell)
    assert cli.main(["predict", str(path)]) == 0
    said = capsys.readouterr()
    assert str(path) in said.out
    assert "Not for diagnosis" in said.err


def test_the_command_for_programs(saved, cell, tmp_path, capsys):
    path = saved(cell)
    assert cli.main(["predict", "--json", str(path), str(tmp_path / "none.png")]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["file"] == str(path)
    assert set(first) == {"file", "answer", "chances", "distance", "nearer", "unlike"}
    assert first["answer"]["two"] in TASKS["two"]
    assert set(second) == {"file", "error"}
    assert "No such file" in second["error"]


def test_a_picture_unlike_all_training_images_is_said_to_be(saved):
    path = saved(np.full((240, 320, 3), (0, 255, 0), np.uint8))
    [answer] = prediction.predict([path])
    assert answer["unlike"]
    assert "the answer is a guess" in prediction.text(answer)


@pytest.mark.parametrize(
    ("format", "channels"),
    [("png", 1), ("png", 4), ("tiff", 3), ("ppm", 3)],
)
def test_pictures_of_16_bits_are_refused_in_words(tmp_path, format, channels):
    import cv2

    path = tmp_path / f"deep.{format}"
    cv2.imwrite(str(path), np.full((60, 80, channels), 40_000, np.uint16))
    with pytest.raises(prediction.PictureError, match="more than 8 bits a channel"):
        prediction.read(path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda path: path.mkdir(), "is a folder: give the pictures in it"),
        (os.mkfifo, "is no file, but a pipe or a device"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, saved, cell, capsys, made, said):
    made(tmp_path / "other")
    assert cli.main(["predict", str(tmp_path / "other"), str(saved(cell))]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert "cell.png" in printed.out


def test_an_address_is_refused_in_words():
    [answer] = prediction.predict([Path("https://example.org/cell.png")])
    assert "is an address: download the picture" in answer["error"]


# ------------------------------------------------------------------- the out-of-distribution score


def some(n=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 8, 3), dtype=np.uint8)


def test_distances_are_those_of_scipy():
    from scipy.spatial.distance import mahalanobis

    given = prediction.describe(some())
    reference = {"mean": given.mean(axis=0), "precision": np.linalg.inv(np.cov(given.T))}
    others = some(5, 1)
    described = prediction.describe(others)
    want = [mahalanobis(one, *reference.values()) for one in described]
    np.testing.assert_allclose(prediction.distance(others, reference), want)


def test_the_frozen_reference_knows_its_own_from_another_laboratory():
    reference = prediction.load_reference()
    assert (np.diff(reference["distances"]) >= 0).all()
    arrays = records.read_measured(prediction.NAME)[0]
    assert arrays["test"].shape == (len(images.names("TEST")),)
    own, there = (
        (prediction.fraction_nearer(arrays[name], reference) >= prediction.LIMIT).mean()
        for name in ("test", "laboratory")
    )
    assert own < 0.03
    assert there > 0.95


def test_a_damaged_reference_is_refused(folders):
    records.save_measured(prediction.NAME, {"mean": np.zeros(6)}, {}, stored.Clock())
    with pytest.raises(stored.StoredError, match="bloodlib measure out-of-distribution"):
        prediction.load_reference()


def test_it_is_made_from_train_and_tried_on_others(folders, monkeypatch):
    rng = np.random.default_rng(0)
    drawn = {"TRAIN": some(60), "TEST": some(20, 1)}
    monkeypatch.setattr(images, "load", lambda split: images.Images(drawn[split], None, ()))
    monkeypatch.setattr(external_validation, "load", lambda: [synthetic.draw(0, rng, (30, 40))] * 3)
    prediction.compute()
    arrays, made = records.read_measured(prediction.NAME)
    assert made["command"] == "bloodlib measure out-of-distribution"
    assert (arrays["test"].shape, arrays["laboratory"].shape) == ((20,), (3,))
    described = prediction.describe(drawn["TRAIN"])
    np.testing.assert_allclose(arrays["mean"], described.mean(axis=0))
    found = prediction.distance(drawn["TRAIN"], prediction.load_reference())
    assert arrays["distances"][-1] == pytest.approx(found.max())
