"""Pictures from anywhere: an answer or a clear refusal; the others are answered all the same."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodlib import cli
from bloodlib.analyses import out_of_distribution, prediction
from bloodlib.data import images, synthetic
from bloodlib.data.images import TASKS
from bloodlib.models import weights

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
        assert list(answer["chances"][task]) == [name.lower() for name in names]
        found = list(answer["chances"][task].values())
        np.testing.assert_allclose(found, weights.predict(task, pixels)[0], atol=1e-6)
        assert sum(found) == pytest.approx(1, abs=1e-5)
    features, reference = weights.features(pixels), out_of_distribution.load_reference()
    found = out_of_distribution.distance(features, reference)
    assert answer["distance"] == pytest.approx(found[0], rel=1e-4)
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
    assert first["answer"]["two"] in [name.lower() for name in TASKS["two"]]
    assert first["white_cell"] > 0
    assert set(second) == {"file", "error"}
    assert "No such file" in second["error"]


def answer(**other):
    """An answer as :func:`prediction.predict` gives them."""
    chances = {
        "four": {"eosinophil": 0.9, "neutrophil": 0.1},
        "two": {"polynuclear": 0.8, "mononuclear": 0.2},
    }
    sizes = {"white_cell": 40.0, "red_cells": None, "scale": 1.0, "scaled": False}
    common = {"file": "a.png", "nearer": 0.5, "unlike": False, "contradiction": False}
    return (
        common
        | sizes
        | {"answer": {"four": "eosinophil", "two": "polynuclear"}}
        | other
        | {"chances": chances}
    )


@pytest.mark.parametrize(
    ("other", "said", "unsaid"),
    [
        ({}, ["eosinophil, polynuclear", "eosinophil 0.90"], ["guess", "contradict"]),
        ({"unlike": True}, ["flagged", "eosinophil"], ["0.9"]),
        ({"contradiction": True}, ["contradict each other"], []),
        ({"scale": 3.0}, ["3.0 times as large", "--scale"], []),
        ({"white_cell": None, "scale": None}, ["white cell not measurable"], ["times"]),
    ],
)
def test_a_statement_says_how_far_to_trust_it(other, said, unsaid):
    text = prediction.text(answer(**other))
    assert all(words in text for words in said)
    assert not any(words in text for words in unsaid)


def test_another_laboratorys_colours_are_a_guess(saved, cell):
    [found] = prediction.predict([saved((cell * [1, 0.9, 0.6]).astype(np.uint8))])
    assert found["unlike"]
    assert "flagged" in prediction.text(found)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 190, 200)])
def test_pictures_without_a_white_cell_are_refused(saved, colour):
    [found] = prediction.predict([saved(np.full((240, 320, 3), colour, np.uint8))])
    assert "shows no white cell" in found["error"]


def test_cells_at_another_scale_are_cropped_on_request(saved, cell):
    path = saved(np.tile(cell, (2, 2, 1)))
    [plain] = prediction.predict([path])
    [scaled] = prediction.predict([path], scale=True)
    assert plain["scale"] == scaled["scale"] < 1
    assert (plain["scaled"], scaled["scaled"]) == (False, True)
    assert plain["chances"] != scaled["chances"]


def test_folders_patterns_and_the_standard_input(saved, cell, tmp_path, monkeypatch):
    import io

    files = [saved(cell, name) for name in ("a.png", "b.JPG", "c.tif")]
    (tmp_path / "notes.txt").write_text("no picture")
    assert list(prediction.find([tmp_path])) == files
    assert list(prediction.find([f"{tmp_path}/*.tif", files[0]])) == [files[2], files[0]]
    given = io.TextIOWrapper(io.BytesIO(files[0].read_bytes()))
    monkeypatch.setattr("sys.stdin", given)
    np.testing.assert_array_equal(prediction.read("-"), prediction.read(files[0]))


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
        (lambda path: path.mkdir(), "is a folder without pictures"),
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
