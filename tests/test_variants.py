"""Variants of the printed rows: how near they come, and what that is worth."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support
from test_comparison import freeze, invented

from bloodlib.analyses import variants
from bloodlib.data import images, splits
from bloodlib.data.images import TASKS

pytestmark = pytest.mark.usefixtures("style")


def labels(task, share, draw=0, epochs=1):
    """Labels on TEST, right for a share of the images."""
    truth, classes = images.labels("TEST", task), len(TASKS[task])
    rng = np.random.default_rng(draw)
    rows = [
        np.where(rng.random(len(truth)) < share, truth, rng.integers(0, classes, len(truth)))
        for _ in range(epochs)
    ]
    return np.array(rows, dtype=np.uint8)


def numbers(found, task):
    """Precision, recall and F1 of each class, from scikit-learn."""
    values = precision_recall_fscore_support(images.labels("TEST", task), found, zero_division=0)
    return np.array(values[:3]).T


def off(found, row, task):
    return variants.distance(numbers(found, task), variants.printed(row, task))


def test_a_printed_row_is_read_without_its_average():
    assert variants.printed("NB", "two").tolist() == [[0.56, 0.51, 0.54], [0.56, 0.61, 0.58]]


def test_distance_is_the_root_mean_square_of_differences():
    ours, theirs = numbers(labels("four", 0.5)[0], "four"), variants.printed("SVM", "four")
    expected = np.sqrt(((ours - theirs) ** 2).sum() / ours.size)
    assert variants.distance(ours, theirs) == pytest.approx(expected)
    assert variants.distance(theirs + 0.1, theirs) == pytest.approx(0.1)
    assert variants.guess("NB", "two") == pytest.approx(
        np.sqrt(((variants.printed("NB", "two") - 0.5) ** 2).mean())
    )


def test_hits_allow_for_rounding_and_for_cutting():
    theirs = np.full((2, 3), 0.5)
    ours = np.array([[0.495, 0.5, 0.5099], [0.4949, 0.5101, 0.51]])
    assert variants.hits(ours, theirs) == 4


def test_variants_are_ordered_by_distance_and_named_by_their_settings(folders):
    tried = {"defaults": ({}, 0.2), "kind Bernoulli": ({"kind": "Bernoulli"}, 0.9)}
    tried["features grey"] = {"features": "grey"}, 0.5
    for settings, share in tried.values():
        freeze({"method": "NB", "task": "two"} | settings, labels("two", share))
    freeze({"method": "NB", "task": "four"}, labels("four", 0.5))
    freeze({"method": "SVM", "task": "two"}, labels("two", 0.5))
    other = {"method": "NB", "task": "two", "split_by": "image"}
    freeze(other, splits.labels("TEST", "two", "image", 0)[None])
    found = variants.compute("NB", "two")
    expected = {
        name: off(labels("two", share)[0], "NB", "two") for name, (_, share) in tried.items()
    }
    assert found["variant"].tolist() == sorted(expected, key=expected.get)
    np.testing.assert_allclose(found["distance"], sorted(expected.values()))
    assert found[found["usual"]]["variant"].tolist() == ["defaults"]
    each = list(found["numbers"])
    nearest = [min(variants.distance(a, b) for b in each if b is not a) for a in each]
    np.testing.assert_allclose(found["neighbour"], nearest)


def test_networks_are_read_at_epoch_25_and_runs_of_chance_are_one_variant(folders):
    common = {"method": "DCLNN", "task": "two"}
    first = labels("two", 0.9, draw=1, epochs=26)
    second = labels("two", 0.8, draw=2, epochs=25)
    freeze(common | {"epochs": 26}, first)
    freeze(common | {"seed": 4, "precision": "mixed_bfloat16"}, second)
    freeze(common | {"hidden": 64}, labels("two", 0.6, epochs=25))
    freeze(common | {"hidden": 32, "epochs": 24}, labels("two", 0.6, epochs=24))  # too short
    freeze(common | {"pooling": "average"}, labels("two", 0.7, epochs=25))
    found = variants.compute("DCLNN", "two").set_index("variant")
    assert set(found.index) == {"defaults", "hidden 64"}
    each = [off(one, "DCLNN", "two") for one in (first[24], second[24])]
    usual = found.loc["defaults"]
    assert usual["distance"] == pytest.approx(np.mean(each))
    assert usual["runs"] == 2
    assert usual["usual"]
    assert list(variants.compute("AveragePooling", "two")["variant"]) == ["pooling average"]


@pytest.fixture
def several(folders):
    """Some variants of every row, with four and with two classes."""
    for task in TASKS:
        for i, kind in enumerate(("Gaussian", "Bernoulli")):
            freeze({"method": "NB", "task": task, "kind": kind}, labels(task, 0.2 + 0.3 * i, i))
        for i, kernel in enumerate(("rbf", "linear", "poly")):
            config = {"method": "SVM", "task": task, "kernel": kernel}
            freeze(config, labels(task, 0.1 + 0.2 * i, i))
        network = invented(np.random.default_rng(5), task, 25)
        for pooling in ("max", "average"):
            freeze({"method": "DCLNN", "task": task, "pooling": pooling}, network)
    return {(row, task): variants.compute(row, task) for task in TASKS for row in variants.ROWS}


def test_the_summary_names_the_nearest_and_the_controls(several):
    found = variants.summarise(several).set_index(["row", "task"])
    assert set(found.index) == {(row, task) for row in variants.ROWS for task in TASKS}
    for (row, task), line in found.iterrows():
        tried = several[row, task]
        assert line["tried"] == len(tried)
        assert line["nearest"] == tried["variant"][0]
        assert line["distance"] == tried["distance"].min()
        assert line["usual"] == tried["distance"][tried["usual"]].item()
    theirs = variants.printed("NB", "four")
    control = min(variants.distance(n, theirs) for n in several["SVM", "four"]["numbers"])
    assert found.loc[("NB", "four"), "control"] == pytest.approx(control)
    assert np.isnan(found.loc[("DCLNN", "four"), "control"])
    variants.plot(several).canvas.draw()
