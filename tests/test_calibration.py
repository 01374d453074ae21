"""Calibration: against counts made here, with runs that are made up."""

import types

import matplotlib as mpl
import numpy as np
import pytest

from bloodlib import study
from bloodlib.analyses import calibration
from bloodlib.data import images, photographs
from bloodlib.data.images import TASKS
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
    found = calibration.answers(run)
    assert found["right"].all()
    np.testing.assert_allclose(found["confidence"], 0.4, atol=1e-3)


def test_each_run_tells_how_sure_it_is_with_an_interval(rows):
    wrong = np.random.default_rng(2).random(len(CELLS)) < 0.5
    rows["DCLNN", "four"] = [
        a_run(wrong_where(wrong), np.full(len(CELLS), sure), seed=seed)
        for seed, sure in ((2, 0.3), (0, 0.95))
    ]
    found = calibration.compute_calibration(0.9)
    ours = found[(found["task"] == "four") & (found["method"] == "DCLNN")].set_index("run")
    assert list(ours.index) == ["DCLNN, seed 0", "DCLNN, seed 2"]
    np.testing.assert_allclose(ours["accuracy"], (~wrong).mean())
    np.testing.assert_allclose(ours["gap"], np.array([0.95, 0.3]) - (~wrong).mean(), atol=1e-3)
    assert ((ours["low"] < ours["gap"]) & (ours["gap"] < ours["high"])).all()
    np.testing.assert_allclose(ours["error"], ours["gap"].abs(), atol=1e-3)
    assert (ours["error"] > ours["chance"]).tolist() == [True, True]
    assert ours["sure"].tolist() == [1, 0]
    np.testing.assert_allclose(ours["wrong"], [wrong.mean(), np.nan])
    np.testing.assert_allclose(found[found["task"] == "two"]["gap"], -0.25, atol=1e-3)


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
    drawn = intervals.resample(0 * CELLS[~half], CELLS[~half], 2)
    low, high = intervals.mean_bounds(~wrong[None, ~half], drawn)
    assert ours["low"].iloc[0] == pytest.approx(low, abs=0.02)
    assert ours["high"].iloc[0] == pytest.approx(high, abs=0.02)
