"""Calibration: against counts made here, with runs that are made up."""

import types

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from bloodlib import study
from bloodlib.analyses import calibration
from bloodlib.data import images, photographs
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")
CELLS, NUMBERS = photographs.cells("TEST"), photographs.photographs("TEST")


def a_run(labels, sure, task="four", method="DCLNN", seed=0):
    """A run that gives its labels on TEST [n] such a probability [n], and the rest to the next."""
    n = len(TASKS[task])
    probabilities = np.zeros((len(labels), n))
    rows = np.arange(len(labels))
    probabilities[rows, labels] = sure
    probabilities[rows, (labels + 1) % n] += 1 - np.asarray(sure)
    return types.SimpleNamespace(
        config=study.resolve({"method": method, "task": task, "seed": seed}),
        epochs=1,
        has_epochs=False,
        arrays={"labels": labels[None], "probabilities": probabilities.astype(np.float16)},
    )


def wrong_where(marked, task="four"):
    truth = images.labels("TEST", task).astype(int)
    return np.where(marked, (truth + 1) % len(TASKS[task]), truth)


@pytest.fixture
def rows(monkeypatch):
    """Runs of every row, to be replaced by a test: sure of 0.75 and right."""
    found = {
        (method, task): [a_run(wrong_where(False, task), np.full(len(CELLS), 0.75), task, method)]
        for method in calibration.METHODS
        for task in TASKS
    }
    monkeypatch.setattr(comparison, "compared", lambda method, task: found[method, task])
    return found


# ------------------------------------------------------------------------------ the measure itself


def test_the_calibration_error_is_that_of_a_slow_loop():
    rng = np.random.default_rng(0)
    sure = np.append(rng.random(300), [0.0, 1.0, 0.1])
    right = rng.random(303) < sure**2
    expected = 0.0
    for low in range(10):
        own = (sure >= low / 10) & ((sure < (low + 1) / 10) | (low == 9))
        expected += own.sum() / 303 * abs(right[own].mean() - sure[own].mean())
    assert calibration.calibration_error(sure, right) == pytest.approx(expected)


def test_chance_is_right_about_how_often_it_is_exceeded():
    rng = np.random.default_rng(1)
    sure, cells = rng.uniform(0.5, 1, 400), np.arange(400) // 8
    limit = calibration.expected_error(sure, cells, draws=2000)
    drawn = [rng.random(50)[cells] < sure for _ in range(2000)]
    above = np.mean([calibration.calibration_error(sure, right) > limit for right in drawn])
    assert 0.03 < above < 0.07


# ----------------------------------------------------------------------------------- the answers


def test_an_svms_confidence_is_in_its_answer_not_in_its_most_probable_class():
    run = a_run(wrong_where(False), np.full(len(CELLS), 0.4))  # the next class has 0.6
    found = calibration.answers([run])
    assert found["right"].all()
    np.testing.assert_allclose(found["confidence"], 0.4, atol=1e-3)


def test_the_images_of_a_photograph_answer_by_their_mean_probability():
    first = np.zeros(len(NUMBERS), bool)
    first[np.unique(NUMBERS, return_index=True)[1]] = True
    # one image of each is wrong and very sure, the others right and less so
    run = a_run(wrong_where(first), np.where(first, 1.0, 0.75))
    found = calibration.answers([run], "photograph")
    numbers, sizes = np.unique(NUMBERS, return_counts=True)
    assert found["photograph"].tolist() == numbers.tolist()
    right = 0.75 * (sizes - 1) / sizes
    assert found["right"].tolist() == (right > 0.5).tolist()
    np.testing.assert_allclose(found["confidence"], np.maximum(right, 1 - right), atol=1e-3)


def test_each_run_tells_how_sure_it_is_with_an_interval(rows):
    wrong = np.random.default_rng(2).random(len(CELLS)) < 0.5
    rows["DCLNN", "four"] = [
        a_run(wrong_where(wrong), np.full(len(CELLS), sure), seed=seed)
        for seed, sure in ((2, 0.3), (0, 0.95))
    ]
    found = calibration.compute_calibration()
    ours = found[(found["task"] == "four") & (found["method"] == "DCLNN")]
    assert list(zip(ours["seed"], ours["unit"], strict=True)) == [
        (0, "image"), (0, "photograph"), (2, "image"), (2, "photograph"),
    ]  # fmt: skip
    ours = ours[ours["unit"] == "image"].set_index("seed")
    np.testing.assert_allclose(ours["accuracy"], (~wrong).mean())
    np.testing.assert_allclose(ours["gap"], np.array([0.95, 0.3]) - (~wrong).mean(), atol=1e-3)
    assert ((ours["low"] < ours["gap"]) & (ours["gap"] < ours["high"])).all()
    np.testing.assert_allclose(ours["error"], ours["gap"].abs(), atol=1e-3)
    assert (ours["error"] > ours["chance"]).tolist() == [True, True]
    fine = found[(found["task"] == "two") & (found["unit"] == "image")]
    np.testing.assert_allclose(fine["gap"], -0.25, atol=1e-3)


def test_reliability_has_a_bin_for_each_confidence_and_its_interval(rows):
    half = CELLS % 2 == 0
    sure = np.where(half, 0.95, 0.55)
    wrong = ~half & (np.random.default_rng(3).random(len(CELLS)) < 0.5)
    rows["DCLNN", "four"] = [a_run(wrong_where(wrong), sure)]
    found = calibration.compute_reliability()
    ours = found[(found["task"] == "four") & (found["method"] == "DCLNN")]
    np.testing.assert_allclose(ours["confidence"], [0.55, 0.95], atol=1e-3)
    np.testing.assert_allclose(ours["share"], [(~wrong[~half]).mean(), 1.0])
    np.testing.assert_allclose(ours["weight"], [(~half).mean(), half.mean()])
    assert ours["cells"].tolist() == [len(np.unique(CELLS[~half])), len(np.unique(CELLS[half]))]
    low, high = intervals.gaffke(*intervals.tally(~wrong[~half], CELLS[~half]))
    assert ours["low"].iloc[0] == pytest.approx(low, abs=0.02)
    assert ours["high"].iloc[0] == pytest.approx(high, abs=0.02)


# --------------------------------------------------------------------------- sure, and together


def test_sure_and_wrong_are_counted_with_their_photographs(rows):
    worst, other = NUMBERS == 110, NUMBERS == 104
    wrong = worst | other | (NUMBERS == 139)
    sure = np.where(wrong & ~other, 0.99, 0.6)
    rows["DCLNN", "two"] = [a_run(wrong_where(wrong, "two"), sure, "two")]
    found = calibration.compute_sure(0.9)
    ours = found.set_index(["task", "method"]).loc[("two", "DCLNN")]
    surely = (wrong & ~other).sum()
    assert (ours["sure"], ours["wrong"], ours["of"]) == (surely, surely, wrong.sum())
    assert (ours["photographs"], ours["most"]) == (2, 110)
    assert ours["share"] == pytest.approx(worst.sum() / surely)


def test_together_a_photograph_is_right_if_most_of_it_is(rows):
    place = pd.Series(NUMBERS).groupby(NUMBERS).cumcount().to_numpy()
    size = pd.Series(NUMBERS).groupby(NUMBERS).transform("size").to_numpy()
    rows["DCLNN", "four"] = [a_run(wrong_where(place < 0.3 * size), np.full(len(CELLS), 0.9))]
    found = calibration.compute_averaging().set_index(["task", "method"]).loc[("four", "DCLNN")]
    share = 1 - (place < 0.3 * size).astype(float)
    assert found["photographs"] == len(np.unique(NUMBERS))
    assert found["single"] == pytest.approx(pd.Series(share).groupby(NUMBERS).mean().mean())
    assert (found["vote"], found["mean"]) == (1, 1)
    assert found["gain"] == pytest.approx(1 - found["single"])
    assert found["low"] < found["gain"] < found["high"]


def test_what_stays_wrong_together_is_told_with_how_sure_it_is(rows):
    wrong = np.isin(NUMBERS, (110, 104))
    sure = np.where(NUMBERS == 110, 0.95, 0.65)
    rows["DCLNN", "four"] = [a_run(wrong_where(wrong), sure)]
    each = calibration.compute_photographs()
    assert len(each) == 2 * len(np.unique(NUMBERS))
    wrong = each[~each["right"]].set_index("photograph")
    assert set(wrong.index) == {110, 104}
    label = CLASSES.index("MONOCYTE")
    assert (wrong.loc[110, "class"], wrong.loc[110, "taken"]) == (
        CLASSES[label],
        CLASSES[label + 1 - 4],
    )
    assert wrong.loc[110, "confidence"] == pytest.approx(0.95, abs=1e-3)
    assert wrong.loc[[110, 104], "images"].tolist() == [(n == NUMBERS).sum() for n in (110, 104)]
    assert (wrong["share"] == 0).all()
