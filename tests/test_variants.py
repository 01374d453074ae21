"""Readings of the printed rows: how near they come, and what that is worth."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support
from test_comparison import freeze, invented

from bloodlib import paper, study
from bloodlib.analyses import variants
from bloodlib.data import images
from bloodlib.data.images import TASKS
from bloodlib.evidence import scores

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")


def labels(task, share, seed=0, epochs=1):
    """Labels on TEST, right for a share of the images."""
    truth, classes = images.labels("TEST", task), len(TASKS[task])
    rng = np.random.default_rng(seed)
    rows = [
        np.where(rng.random(len(truth)) < share, truth, rng.integers(0, classes, len(truth)))
        for _ in range(epochs)
    ]
    return np.array(rows, dtype=np.uint8)


def numbers(found, task):
    """Precision, recall and F1 of each class, from scikit-learn."""
    values = precision_recall_fscore_support(images.labels("TEST", task), found, zero_division=0)
    return np.array(values[:3]).T


def test_a_printed_row_is_read_without_its_average():
    assert variants.printed("NB", "two").tolist() == [[0.56, 0.51, 0.54], [0.56, 0.61, 0.58]]
    for row in variants.ROWS:
        for task, names in TASKS.items():
            assert variants.printed(row, task).shape == (len(names), len(paper.MEASURES))
    assert variants.printed("AveragePooling", "four")[0].tolist() == [0.64, 0.81, 0.71]


@pytest.mark.parametrize("task", list(TASKS))
def test_distance_is_the_root_mean_square_of_differences(task):
    found = labels(task, 0.5)[0]
    confusion = np.zeros((len(TASKS[task]),) * 2, int)
    np.add.at(confusion, (images.labels("TEST", task), found), 1)
    ours, theirs = numbers(found, task), variants.printed("SVM", task)
    np.testing.assert_allclose(variants.measured(confusion), ours)
    expected = np.sqrt(((ours - theirs) ** 2).sum() / ours.size)
    assert variants.distance(variants.measured(confusion), theirs) == pytest.approx(expected)
    assert variants.distance(theirs, theirs) == 0
    assert variants.distance(theirs + 0.1, theirs) == pytest.approx(0.1)


def test_hits_allow_for_rounding_and_for_cutting():
    theirs = np.full((2, 3), 0.5)
    ours = np.array([[0.495, 0.5, 0.5099], [0.4949, 0.5101, 0.51]])
    assert variants.hits(ours, theirs) == 4


def test_readings_are_ordered_by_distance_and_named_by_their_settings(folders):
    for settings, share in (({}, 0.2), ({"kind": "Bernoulli"}, 0.9), ({"features": "grey"}, 0.5)):
        freeze({"method": "NB", "task": "two"} | settings, labels("two", share))
    freeze({"method": "NB", "task": "four"}, labels("four", 0.5))
    freeze({"method": "SVM", "task": "two"}, labels("two", 0.5))
    freeze({"method": "NB", "task": "two", "split_by": "image"}, held_out("image"))
    found = variants.compute("NB", "two")
    theirs = variants.printed("NB", "two")
    expected = {
        name: variants.distance(numbers(labels("two", share)[0], "two"), theirs)
        for name, share in (("defaults", 0.2), ("kind Bernoulli", 0.9), ("features grey", 0.5))
    }
    assert found["reading"].tolist() == sorted(expected, key=expected.get)
    np.testing.assert_allclose(found["distance"], sorted(expected.values()))
    np.testing.assert_allclose(found["closest"], found["distance"])
    assert found.set_index("reading")["usual"].to_dict() == {
        "defaults": True, "kind Bernoulli": False, "features grey": False,
    }  # fmt: skip
    for row in found.itertuples():
        (run,) = row.runs
        assert row.accuracy == pytest.approx(scores.accuracy(run.confusion()))
        assert row.hits == variants.hits(row.numbers, theirs)


def held_out(split_by):
    """Labels for what another split holds out."""
    from bloodlib.data import splits

    return splits.labels("TEST", "two", split_by, 0)[None]


def test_a_printed_row_itself_has_distance_zero(folders, monkeypatch):
    freeze({"method": "NB", "task": "two"}, labels("two", 0.6))
    freeze({"method": "NB", "task": "two", "kind": "multinomial"}, labels("two", 0.7))
    exact = numbers(labels("two", 0.7)[0], "two")
    monkeypatch.setattr(variants, "printed", lambda row, task: exact)
    found = variants.compute("NB", "two")
    assert found["reading"][0] == "kind multinomial"
    assert found["distance"][0] == 0
    assert found["hits"].tolist()[0] == exact.size


def test_networks_are_read_at_epoch_25_and_runs_of_chance_are_one_reading(folders):
    common = {"method": "DCLNN", "task": "two"}
    first = labels("two", 0.9, seed=1, epochs=26)
    first[3] = images.labels("TEST", "two")  # nearest at another epoch
    second = labels("two", 0.8, seed=2, epochs=25)
    freeze(common | {"epochs": 26}, first)
    freeze(common | {"seed": 4, "precision": "mixed_bfloat16"}, second)
    freeze(common | {"hidden": 64}, labels("two", 0.6, epochs=25))
    freeze(common | {"hidden": 32, "epochs": 24}, labels("two", 0.6, epochs=24))  # too short
    freeze(common | {"pooling": "average"}, labels("two", 0.7, epochs=25))
    found = variants.compute("DCLNN", "two").set_index("reading")
    assert set(found.index) == {"defaults", "hidden 64"}
    theirs = variants.printed("DCLNN", "two")
    each = [variants.distance(numbers(one, "two"), theirs) for one in (first[24], second[24])]
    usual = found.loc["defaults"]
    assert usual["distance"] == pytest.approx(np.mean(each))
    assert len(usual["runs"]) == 2
    assert usual["usual"]
    every = [variants.distance(numbers(one, "two"), theirs) for one in (*first, *second)]
    assert usual["closest"] == pytest.approx(min(every)) != pytest.approx(min(each))
    assert list(variants.compute("AveragePooling", "two")["reading"]) == ["pooling average"]


def test_how_far_readings_are_from_each_other(folders):
    for kind, share in (("Gaussian", 0.3), ("Bernoulli", 0.35), ("multinomial", 0.9)):
        freeze({"method": "NB", "task": "two", "kind": kind}, labels("two", share))
    found = variants.compute("NB", "two")
    each = list(found["numbers"])
    expected = [
        min(variants.distance(one, other) for other in each if other is not one) for one in each
    ]
    np.testing.assert_allclose(variants.among(found), expected)


def test_a_guess_is_as_often_right_as_there_are_classes():
    assert variants.guess("NB", "two") == pytest.approx(
        variants.distance(np.full((2, 3), 0.5), variants.printed("NB", "two"))
    )
    assert variants.guess("NB", "four") < variants.guess("DCLNN", "four")


@pytest.fixture
def several(folders):
    """Some readings of every row, with four and with two classes."""
    for task in TASKS:
        for i, kind in enumerate(("Gaussian", "Bernoulli")):
            freeze({"method": "NB", "task": task, "kind": kind}, labels(task, 0.2 + 0.3 * i, i))
        for i, kernel in enumerate(("rbf", "linear", "poly")):
            freeze(
                {"method": "SVM", "task": task, "kernel": kernel}, labels(task, 0.1 + 0.2 * i, i)
            )
        network = invented(np.random.default_rng(5), task, 25)
        freeze({"method": "DCLNN", "task": task}, network)
        freeze({"method": "DCLNN", "task": task, "pooling": "average"}, network)
    return variants.compute_all()


def test_the_summary_names_the_nearest_and_two_checks(several):
    found = variants.summarise(several).set_index(["row", "task"])
    assert set(found.index) == {(row, task) for row in variants.ROWS for task in TASKS}
    for (row, task), line in found.iterrows():
        tried = several[row, task]
        assert line["tried"] == len(tried)
        assert line["nearest"] == tried["reading"][0]
        assert line["distance"] == tried["distance"].min()
        assert line["printed"] == 3 * len(TASKS[task])
        assert line["guess"] == variants.guess(row, task)
    theirs = variants.printed("NB", "four")
    control = min(variants.distance(n, theirs) for n in several["SVM", "four"]["numbers"])
    assert found.loc[("NB", "four"), "control"] == pytest.approx(control)
    assert np.isnan(found.loc[("DCLNN", "four"), "control"])
    assert np.isnan(found.loc[("DCLNN", "four"), "among"])  # one reading
    usual = several["SVM", "two"].set_index("reading").loc["defaults", "distance"]
    assert found.loc[("SVM", "two"), "usual"] == usual


def test_without_records_there_is_nothing_to_read(folders):
    assert variants.compute_all() == {}
    assert variants.compute("NB", "two").empty


def test_tables_say_which_reading_is_the_books(several):
    shown = variants.show(several["SVM", "four"], 2)
    assert len(shown) == 2
    every = variants.show(several["SVM", "four"])
    assert sorted(every["Reading"]) == [
        "defaults (in the book's tables)", "kernel linear", "kernel poly",
    ]  # fmt: skip
    assert every["Distance"].is_monotonic_increasing
    summary = variants.show_summary(variants.summarise(several))
    line = summary[(summary["Row"] == "NB") & (summary["Classes"] == "two")].iloc[0]
    assert line["Numbers met"].endswith(" of 6")


def test_the_figure_has_a_dot_for_each_reading(several):
    figure = variants.plot(several)
    for axis, task in zip(figure.axes, TASKS, strict=True):
        drawn = {}
        for line in axis.lines:
            drawn.setdefault((line.get_marker(), line.get_markersize()), []).extend(
                line.get_xdata()
            )
        dots = [d for row in variants.ROWS for d in several[row, task]["distance"]]
        assert sorted(drawn["o", 5.0]) == pytest.approx(sorted(dots))
        assert len(drawn["o", 10.0]) == len(variants.ROWS)  # ringed: one a row
        assert len(drawn["x", 4.0]) == 3 + 2  # SVM beside NB, NB beside SVM


def test_words_leave_out_what_chance_varies():
    config = {"method": "DCLNN", "task": "four", "seed": 3, "precision": "mixed_bfloat16"}
    assert variants._words(study.resolve(config)) == "defaults"
    assert variants._words(study.resolve(config | {"hidden": 64})) == "hidden 64"
