"""What the page "Try it" loads holds what the networks are."""

import base64
import json
import re

import numpy as np
import pytest

from bloodlib.analyses import likeness
from bloodlib.book import tryit
from bloodlib.data import images
from bloodlib.data.images import TASKS
from bloodlib.models import weights


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What the scripts give to the page, by name."""
    folder = tmp_path_factory.mktemp("try") / "it"
    tryit.write(folder)
    found = {}
    for path in folder.iterdir():
        call = re.fullmatch(r'bloodlib\.give\("([\w-]+)", (.*)\);\n', path.read_text("utf-8"))
        assert path.name == f"{call[1]}.js"
        found[call[1]] = json.loads(call[2])
    return found


def test_all_scripts_are_there(given):
    assert set(given) == {"facts", "weights-four", "weights-two"}


@pytest.mark.parametrize("task", list(TASKS))
def test_the_networks_are_those_of_the_files(given, task):
    network = given[f"weights-{task}"]
    assert network["classes"] == list(TASKS[task])
    assert network["block"] == weights.BLOCK
    for name, array in weights.arrays(task).items():
        there = network["arrays"][name]
        raw = base64.b64decode(there["data"])
        found = np.frombuffer(raw, there["type"]).reshape(there["shape"])
        np.testing.assert_array_equal(found, array)


def test_the_reference_is_the_frozen_one(given):
    for name, array in likeness.load_reference()._asdict().items():
        np.testing.assert_allclose(given["facts"]["likeness"][name], array, rtol=1e-12)
    assert given["facts"]["limit"] == likeness.LIMIT


def test_there_is_a_drawn_cell_of_each_class(given):
    names = [drawn["name"] for drawn in given["facts"]["drawn"]]
    assert names == [name.capitalize() for name in images.CLASSES]
    pictures = {drawn["picture"] for drawn in given["facts"]["drawn"]}
    assert len(pictures) == len(names)
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in pictures)
