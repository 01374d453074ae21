"""Corrupted images: what each kind does to a picture, and what is told of the answers."""

import numpy as np
import pytest

from bloodlib.analyses import robustness
from bloodlib.analyses.robustness import CONDITIONS, corrupt
from bloodlib.data import images, stored, synthetic
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.models import weights
from bloodlib.study import records

pytestmark = pytest.mark.usefixtures("style")
PICTURE = synthetic.draw("EOSINOPHIL", np.random.default_rng(1), (240, 320))


def distance(a, b):
    return np.abs(a.astype(float) - b).mean()


# --------------------------------------------------------------------------------- the pictures


@pytest.mark.parametrize("how", CONDITIONS)
def test_a_corrupted_picture_is_a_picture(how):
    before = PICTURE.copy()
    found = corrupt(PICTURE, *how)
    assert (found.shape, found.dtype) == (PICTURE.shape, np.uint8)
    np.testing.assert_array_equal(PICTURE, before)
    assert (distance(found, PICTURE) == 0) == (how[0] == "none")


def test_blur_has_the_width_it_says():
    dot = np.zeros((81, 81, 3), np.uint8)
    dot[38:43, 38:43] = 255
    found = corrupt(dot, "blur", 4.0)[40, :, 0].astype(float)
    x = np.arange(81) - 40
    width = np.sqrt((found * x**2).sum() / found.sum())
    assert width == pytest.approx(np.sqrt(4.0**2 + (5**2 - 1) / 12), rel=0.05)


def dyed(blue, eosin, ground=(230, 228, 225)):
    """The colour of glass with so much of each dye."""
    return (np.array(ground) + 1) * np.exp(-np.array([blue, eosin]) @ robustness.DYES[:2]) - 1


def test_stain_multiplies_one_dye_divides_the_other_and_leaves_glass():
    picture = np.full((20, 20, 3), dyed(0, 0))
    picture[:4, :10], picture[:4, 10:] = dyed(0.8, 0.1), dyed(0.1, 0.7)
    picture = np.rint(picture).astype(np.uint8)
    found = corrupt(picture, "stain", 1.4)
    np.testing.assert_array_equal(found[10:], picture[10:])
    np.testing.assert_allclose(found[0, 0], dyed(0.8 * 1.4, 0.1 / 1.4), atol=2)
    np.testing.assert_allclose(found[0, 19], dyed(0.1 * 1.4, 0.7 / 1.4), atol=2)
    assert distance(robustness.change_stain(PICTURE, 1.0), PICTURE) < 0.51


# ---------------------------------------------------------------------------------- the answers


@pytest.fixture
def network(monkeypatch):
    """A network in the place of the frozen ones: brighter images get a higher label."""
    calls = []

    def predict(task, pixels):
        calls.append((task, len(pixels)))
        n = len(TASKS[task])
        labels = (pixels.mean(axis=(1, 2, 3)) * n / 256).astype(int)
        return np.eye(n, dtype=np.float32)[labels]

    monkeypatch.setattr(weights, "predict", predict)
    monkeypatch.setattr(weights, "read", lambda task: (b"", {}, {"weights": task}))
    return calls


def test_every_image_is_answered_under_every_corruption(folder, folders, network, monkeypatch):
    monkeypatch.setattr(images, "verify", lambda: None)
    robustness.compute()
    found, made = robustness.read(), records.read_measured("robustness")[1]
    names = images.names("TEST")
    assert network == [(task, len(names) * len(CONDITIONS)) for task in TASKS]
    assert made["settings"]["weights"] == {task: task for task in TASKS}
    for task in TASKS:
        for row, name in enumerate(names):
            for column, how in enumerate(CONDITIONS):
                seen = images.resize(corrupt(images.picture("TEST", name), *how))
                label = int(seen.mean() * len(TASKS[task]) / 256)
                assert found[task][row, column] == label
    robustness.compute()
    assert len(network) == len(TASKS)
    assert records.read_measured("robustness")[1]["images_from_cache"] == len(names)


def freeze(**arrays):
    records.save_measured("robustness", arrays, {"kinds": robustness.KINDS}, stored.Clock())


@pytest.fixture
def frozen(folders):
    """Answers that are right uncorrupted and under brightness, and all the first class else."""
    found = {}
    for task in TASKS:
        truth = images.labels("TEST", task)
        kept = [kind in ("none", "brightness") for kind, _ in CONDITIONS]
        found[task] = np.where(kept, truth[:, None], 0).astype(np.uint8)
    freeze(**found)
    return found


def test_scores_are_those_of_the_labels_with_intervals_by_cell(frozen):
    found = robustness.compute_scores().set_index(["task", "kind", "strength"])
    assert len(found) == len(TASKS) * len(CONDITIONS)
    none = found.xs("none", level="kind")
    assert (none["accuracy"] == 1).all()
    assert (none["change"] == 0).all()
    for task in TASKS:
        truth = images.labels("TEST", task)
        blurred = found.loc[(task, "blur", 2.0)]
        assert blurred["accuracy"] == pytest.approx((truth == 0).mean())
        assert blurred["change"] == pytest.approx((truth == 0).mean() - 1)
        assert blurred["most"] < 0
        labels = np.zeros((1, len(truth)), int)
        ends = intervals.bounds(scores.accuracy, labels, comparison.resamples(task))
        assert (blurred["low"], blurred["high"]) == pytest.approx(ends)
        assert (blurred["favourite"], blurred["given"]) == (TASKS[task][0], 1)


def test_figures_are_drawn(frozen):
    robustness.plot_scores(robustness.compute_scores()).canvas.draw()
    robustness.plot_pictures("TEST", images.names("TEST")[0]).canvas.draw()


def test_what_is_not_about_test_is_refused(folders):
    with pytest.raises(stored.MissingError, match="bloodlib measure robustness"):
        robustness.read()
    good = np.zeros((len(images.names("TEST")), len(CONDITIONS)), np.uint8)
    for two in (good[:-1], good[:, :-1]):
        freeze(four=good, two=two)
        with pytest.raises(stored.StoredError, match="bloodlib measure robustness"):
            robustness.read()
    freeze(four=good)
    with pytest.raises(stored.StoredError, match="no two"):
        robustness.read()
