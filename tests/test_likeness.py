"""How unlike the training images a picture is."""

import numpy as np
import pytest

from bloodlib.analyses import likeness
from bloodlib.data import images, synthetic
from bloodlib.study import measurements, records


def some(n=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 8, 3), dtype=np.uint8)


def test_the_six_numbers():
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, :, 1] = 200
    found = likeness.numbers(pixels)
    np.testing.assert_allclose(found, [[0, 100, 0, 0, np.log(101), 0]])


def test_distances_are_those_of_scipy():
    from scipy.spatial.distance import mahalanobis

    given = likeness.numbers(some())
    reference = likeness.Reference(
        given.mean(axis=0), np.linalg.inv(np.cov(given.T)), np.linspace(0, 5, 101)
    )
    others = some(5, 1)
    want = [
        mahalanobis(one, reference.mean, reference.precision) for one in likeness.numbers(others)
    ]
    np.testing.assert_allclose(likeness.distance(others, reference), want)


def test_the_frozen_reference_knows_its_own_from_another_laboratory():
    reference = likeness.load_reference()
    assert (np.diff(reference.distances) >= 0).all()
    arrays = measurements.read(likeness.NAME).arrays
    assert arrays["test"].shape == (len(images.names("TEST")),)
    own, there = (
        (likeness.nearer(arrays[name]) >= likeness.LIMIT).mean() for name in ("test", "laboratory")
    )
    assert own < 0.03
    assert there > 0.95


def test_nearer_is_a_share_that_rises():
    found = likeness.nearer(np.array([0, *likeness.load_reference().distances, 1e6]))
    assert (found[0], found[-1]) == (0, 1)
    assert (np.diff(found) >= 0).all()


def test_a_damaged_reference_is_refused(monkeypatch):
    likeness.load_reference.cache_clear()
    broken = measurements.Measurement({"mean": np.zeros(6)}, {})
    monkeypatch.setattr(measurements, "read", lambda name: broken)
    with pytest.raises(records.RecordError, match="bloodlib measure likeness"):
        likeness.load_reference()
    likeness.load_reference.cache_clear()


def test_it_is_made_from_train_and_tried_on_others(folders, monkeypatch):
    from bloodlib.analyses import laboratory

    rng = np.random.default_rng(0)
    drawn = {"TRAIN": some(60), "TEST": some(20, 1)}
    monkeypatch.setattr(images, "load", lambda split: images.Images(drawn[split], None, ()))
    monkeypatch.setattr(laboratory, "load", lambda: [synthetic.draw(0, rng, (30, 40))] * 3)
    likeness.remake()
    arrays, made = measurements.read(likeness.NAME)
    assert made["command"] == "bloodlib measure likeness"
    assert (arrays["test"].shape, arrays["laboratory"].shape) == ((20,), (3,))
    numbers = likeness.numbers(drawn["TRAIN"])
    np.testing.assert_allclose(arrays["mean"], numbers.mean(axis=0))
    assert arrays["distances"][-1] == pytest.approx(likeness.distance(drawn["TRAIN"]).max())
    likeness.load_reference.cache_clear()
