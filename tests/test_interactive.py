"""The numbers behind the interactive figures are those of the records and of the paper."""

import base64
import json
import re

import numpy as np
import pytest
from conftest import CHECKOUT
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from bloodlib import study
from bloodlib.analyses import examples, out_of_distribution
from bloodlib.book import interactive
from bloodlib.data import photographs
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.models import weights


def frozen(task="four", pooling="max", **more):
    return comparison.saved({"method": "DCLNN", "task": task, "pooling": pooling} | more)


@pytest.fixture(scope="module")
def curves():
    return interactive.compute_curves(frozen("two", "average")[0])


@pytest.fixture(scope="module")
def wall():
    found = examples.compute_wall(frozen())
    pictures = {104: np.full((300, 400, 3), 90, np.uint8)}
    return interactive.compute_wall(found, pictures)


@pytest.mark.parametrize("task", list(TASKS))
def test_a_cell_has_the_photographs_behind_its_images(task):
    run = frozen(task)[0]
    truth, labels = run.arrays["truth"], run.arrays["labels"][-1]
    behind = photographs.photographs("TEST").tolist()
    found = interactive.compute_confusion(run)
    assert [name.lower() for name in found["classes"]] == [name.lower() for name in TASKS[task]]
    assert [[c["images"] for c in row] for row in found["cells"]] == run.confusion().tolist()
    for i, row in enumerate(found["cells"]):
        assert sum(cell["share"] for cell in row) == pytest.approx(1, abs=1e-3)
        for j, cell in enumerate(row):
            here = [n for n, t, p in zip(behind, truth, labels, strict=True) if (t, p) == (i, j)]
            assert cell["images"] == len(here)
            assert cell["photographs"] == [
                [n, here.count(n), behind.count(n)] for n in sorted(set(here))
            ]


def test_photographs_of_other_images_are_not_named():
    assert interactive.compute_confusion(frozen(split_by="cell")[0]) is None


def test_curves_are_the_records_after_each_epoch(curves):
    for task in TASKS:
        for pooling in interactive.PRINTED:
            shown = {
                one["seed"]: one
                for one in curves["runs"]
                if (one["task"], one["pooling"]) == (task, pooling)
            }
            runs = frozen(task, pooling)
            assert set(shown) == {run.config["seed"] for run in runs} | {interactive.MEAN}
            for run in runs:
                one = shown[run.config["seed"]]
                truth, labels = run.arrays["truth"], run.arrays["labels"]
                assert len(one["scores"]) == len(one["band"]) == run.epochs >= 25
                for epoch in (0, 11, 24, run.epochs - 1):
                    want = precision_recall_fscore_support(truth, labels[epoch], zero_division=0)
                    want = np.stack(want[:3], axis=-1)
                    want = np.vstack([want, want.mean(axis=0)])
                    np.testing.assert_allclose(one["scores"][epoch], want, atol=5.1e-5)
                    accuracy = accuracy_score(truth, labels[epoch])
                    assert one["TEST"]["accuracy"][epoch] == pytest.approx(accuracy, abs=1e-4)
                    assert one["TEST"]["precision"][epoch] == one["scores"][epoch][-1][0]
                    low, high = one["band"][epoch]
                    assert low <= accuracy <= high
            # the mean ends with the shortest run
            means = np.mean([shown[run.config["seed"]]["scores"][:25] for run in runs], axis=0)
            np.testing.assert_allclose(shown[interactive.MEAN]["scores"], means, atol=1.1e-4)


def test_the_band_is_the_interval_of_the_book(curves):
    run = frozen()[0]
    one = next(
        one
        for one in curves["runs"]
        if all(one[name] == run.config[name] for name in ("task", "pooling", "seed"))
    )
    _, low, high = comparison.estimate([run], epoch=7)
    assert one["band"][6] == pytest.approx([low, high], abs=1e-4)


def test_every_run_votes_on_every_photograph(wall):
    behind = photographs.photographs("TEST")
    runs = interactive.every_run()
    assert len(runs) == len({tuple(one.values()) for one in wall["runs"]}) == len(wall["runs"])
    tiles = {tile["number"]: tile for block in wall["blocks"] for tile in block["tiles"]}
    assert set(tiles) == set(behind) - {-1}
    ties = 0
    for place, (run, told) in enumerate(zip(runs, wall["runs"], strict=True)):
        config = study.resolve(run.config)
        assert {told[name] == config[name] for name in ("method", "task", "seed")} == {True}
        labels = run.arrays["labels"][24 if run.has_epochs else 0]
        for number, tile in tiles.items():
            own = behind == number
            right, answer = tile["votes"][place]
            assert right == (labels[own] == run.arrays["truth"][own]).sum()
            counts = np.bincount(labels[own], minlength=len(TASKS[run.config["task"]]))
            if answer == -1:
                ties += 1
                assert (counts == counts.max()).sum() > 1
            else:
                assert counts[answer] == counts.max()
            assert tile["images"] == own.sum()
    assert ties
    for block in wall["blocks"]:
        areas = [tile["box"][2] * tile["box"][3] for tile in block["tiles"]]
        assert sum(areas) == pytest.approx(100**2, rel=1e-3)


@pytest.mark.parametrize("kind", ["confusion", "curves", "wall"])
def test_a_page_gets_the_numbers_and_scripts_that_are_there(kind, monkeypatch):
    data, shown = {"a": ["</script><b>", 1.5]}, []
    monkeypatch.setattr("IPython.display.display", lambda given, raw: shown.append(given))
    interactive.show(kind, "fig-x", data)
    text = shown[0]["text/html"]
    assert json.loads(text.split('id="data-fig-x">')[1].split("</script>")[0]) == data
    scripts = re.findall(r'src="../([^"]+)"', text)
    assert f"interactive/{kind}.js" in scripts
    assert all((CHECKOUT / "assets" / script).is_file() for script in scripts)


# ---------------------------------------------------------------------- the page "Try it"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What the scripts give to the page, by name."""
    folder = tmp_path_factory.mktemp("try") / "it"
    interactive.write_try_it(folder)
    found = {}
    for path in folder.iterdir():
        call = re.fullmatch(r'bloodlib\.give\("([\w-]+)", (.*)\);\n', path.read_text("utf-8"))
        assert path.name == f"{call[1]}.js"
        found[call[1]] = json.loads(call[2])
    return found


@pytest.mark.parametrize("task", list(TASKS))
def test_the_networks_are_those_of_the_files(given, task):
    assert set(given) == {"facts", "weights-four", "weights-two"}
    network = given[f"weights-{task}"]
    assert network["classes"] == list(TASKS[task])
    assert network["block"] == weights.BLOCK
    for name, array in weights.read(task)[1].items():
        there = network["arrays"][name]
        raw = base64.b64decode(there["data"])
        found = np.frombuffer(raw, there["type"]).reshape(there["shape"])
        np.testing.assert_array_equal(found, array)


def test_the_reference_is_the_frozen_one(given):
    for name, array in out_of_distribution.load_reference().items():
        np.testing.assert_allclose(given["facts"]["reference"][name], array, rtol=1e-12)
    assert given["facts"]["limit"] == out_of_distribution.LIMIT


@pytest.mark.parametrize("there", [False, True])
def test_photographs_are_offered_only_where_they_can_be_had(monkeypatch, there):
    picture = np.zeros((240, 320, 3), np.uint8)
    monkeypatch.setattr(examples, "thumbnail", lambda number: picture if there else str(number))
    found = interactive.offered_pictures()
    names = [one["name"] for one in found["pictures"]]
    assert names[-4:] == [f"synthetic {name.lower()}" for name in TASKS["four"]]
    assert len(names) == (9 if there else 4)
    assert bool(re.search("BCCD .*MIT", found["credit"])) is there
    assert not there or "monocyte, photograph 110" in names
