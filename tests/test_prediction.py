"""Pictures from anywhere: an answer or a clear refusal; the others are answered all the same."""

import json

import numpy as np
import pytest
from PIL import Image

from bloodlib import cli
from bloodlib.analyses import likeness, prediction
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


def asked(*paths):
    return dict(prediction.predict(paths))


def test_an_answer_is_that_of_the_networks_for_the_reduced_picture(saved, cell):
    path = saved(cell)
    answer = asked(path)[path]
    pixels = images.resize(cell)[None]
    for task, names in TASKS.items():
        assert list(answer.chances[task]) == list(names)
        found = list(answer.chances[task].values())
        np.testing.assert_allclose(found, weights.predict(task, pixels)[0], atol=1e-6)
        assert sum(found) == pytest.approx(1, abs=1e-5)
    assert answer.distance == pytest.approx(likeness.distance(pixels)[0])
    assert 0 <= answer.nearer <= 1


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.JPG", "RGB"), ("a.png", "P"), ("a.tiff", "CMYK"), ("a.bmp", "RGB"), ("å b.webp", "RGB")],
)
def test_formats_and_modes(saved, cell, name, mode):
    path = saved(cell, name, mode)
    found = prediction.read(path).astype(int)
    assert found.shape == (60, 80, 3)
    assert np.abs(found - images.resize(cell)).mean() < 12
    assert isinstance(asked(path)[path], prediction.Answer)


def test_grey_pictures_have_three_equal_channels(saved, cell):
    found = prediction.read(saved(cell, mode="L"))
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


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


def test_pictures_are_read_when_they_are_needed(saved, cell, monkeypatch):
    path, taken = saved(cell), []
    monkeypatch.setattr(prediction, "AT_ONCE", 4)

    def files():
        for number in range(10):
            taken.append(number)
            yield path

    found = prediction.predict(files())
    next(found)
    assert len(taken) == 4
    assert len(list(found)) == 9


def test_the_command_says_what_it_thinks_and_what_it_is_not_for(saved, cell, capsys):
    path = saved(cell)
    assert cli.main(["predict", str(path)]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == str(path)
    assert [line.split()[0] for line in lines[1:]] == ["four", "two", "light,"]
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
    answer = asked(path)[path]
    assert answer.unlike
    assert "the answer is a guess" in prediction.text(path, answer)
