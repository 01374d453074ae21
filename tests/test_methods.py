"""Settings come from a method's signature, wrong ones are refused; what methods see of images."""

from typing import Literal

import cv2
import numpy as np
import pytest

from bloodlib.data import images
from bloodlib.data.images import SPLITS
from bloodlib.models import methods


@pytest.fixture
def tried(monkeypatch):
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))

    @methods.method("tried")
    def function(
        data,
        task,
        seed,
        checkpoint,
        *,
        trees: int = 100,
        share: float = 0.5,
        kind: Literal["C", "nu"] = "C",
        limit: float | None = None,
        fast: bool = False,
        size: Literal[1, 2] = 1,
    ): ...

    return function


DEFAULTS = {
    "trees": 100,
    "share": 0.5,
    "kind": "C",
    "limit": None,
    "fast": False,
    "size": 1,
}


def test_settings_are_the_keyword_only_arguments(tried):
    assert methods.METHODS["tried"] is tried
    assert methods.defaults("tried") == DEFAULTS
    assert methods.check("tried", {}) == DEFAULTS


def test_defaults_of_every_method_pass_their_own_check():
    for name in methods.METHODS:
        defaults = methods.defaults(name)
        assert methods.check(name, defaults) == defaults


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trees", True),
        ("trees", "1"),
        ("share", float("nan")),
        ("share", None),
        ("kind", "c"),
        ("limit", "none"),
        ("fast", 1),
        ("size", True),
    ],
)
def test_wrong_values_are_refused_by_name(tried, key, value):
    with pytest.raises(ValueError, match=f"tried: {key} is ") as caught:
        methods.check("tried", {key: value})
    assert repr(value) in str(caught.value)


def test_whole_numbers_become_floats_where_floats_are_wanted(tried):
    checked = methods.check("tried", {"share": 1, "limit": 2})
    assert (checked["share"], checked["limit"]) == (1.0, 2.0)
    assert type(checked["share"]) is type(checked["limit"]) is float


@pytest.mark.parametrize(
    ("given", "hint"),
    [({"tree": 5}, "Did you mean 'trees'?"), ({"zzz": 5}, "There are: trees, share, kind")],
)
def test_unknown_settings_are_refused_with_a_suggestion(tried, given, hint):
    with pytest.raises(ValueError, match="tried has no setting") as caught:
        methods.check("tried", given)
    assert hint in str(caught.value)


def test_unknown_methods_are_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"no method 'SWM'\. Did you mean 'SVM'\?"):
        methods.defaults("SWM")


# ------------------------------------------------------------------------------- Data.head


def numbered(counts):
    """Data whose pixels tell where they came from: one pixel, its value the row."""
    four, pixels = {}, {}
    for split in SPLITS:
        four[split] = np.repeat(np.arange(4, dtype=np.uint8), counts[split])
        n = len(four[split])
        pixels[split] = np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    two = {split: (labels < 2).astype(np.uint8) for split, labels in four.items()}
    return methods.Data(pixels, {"four": four, "two": two}, "abc")


def test_head_takes_each_class_evenly_and_keeps_pixels_with_their_labels():
    data = numbered({"TRAIN": 40, "TEST": 20, "TEST_SIMPLE": (3, 8, 0, 1)})
    head = data.head(8)
    counts = {s: np.bincount(head.labels["four"][s], minlength=4).tolist() for s in SPLITS}
    assert counts == {"TRAIN": [8] * 4, "TEST": [2] * 4, "TEST_SIMPLE": [3, 8, 0, 1]}
    for split in SPLITS:
        rows = head.pixels[split][:, 0, 0, 0]
        assert len(set(rows)) == len(rows)
        for task in ("four", "two"):
            assert np.array_equal(data.labels[task][split][rows], head.labels[task][split])
    first = head.pixels["TRAIN"][:8, 0, 0, 0].astype(int)
    assert (first[0], first[-1]) == (0, 39)
    assert np.ptp(np.diff(first)) <= 1
    assert head.hash == "abc-8"


# --------------------------------------------------------------------- what is seen of an image


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def test_features_are_numbers_from_0_to_1(pixels):
    flat = pixels.reshape(5, -1)
    np.testing.assert_allclose(methods.compute_features(pixels, "pixels"), flat / 255)
    grey = pixels.reshape(5, -1, 3) @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(methods.compute_features(pixels, "grey"), grey, atol=0.51 / 255)
    np.testing.assert_array_equal(
        methods.compute_features(pixels, "histogram"), methods.histogram(pixels, 8, "RGB")
    )


def counted(image, bins, convert=None):
    """Shares of an image, counted pixel by pixel."""
    counts = np.zeros((bins, bins, bins))
    seen = image if convert is None else cv2.cvtColor(image, convert)
    for colour, converted in zip(image.reshape(-1, 3), seen.reshape(-1, 3), strict=True):
        if max(colour) >= methods.FILLING:
            counts[tuple(int(c) * bins // 256 for c in converted)] += 1
    return counts.ravel() / counts.sum()


@pytest.mark.parametrize("bins", [2, 3, 8])
@pytest.mark.parametrize(("colours", "convert"), [("RGB", None), ("HSV", cv2.COLOR_RGB2HSV_FULL)])
def test_a_histogram_counts_colours(pixels, bins, colours, convert):
    found = methods.histogram(pixels, bins, colours)
    assert found.shape == (5, bins**3)
    for image, shares in zip(pixels, found, strict=True):
        np.testing.assert_allclose(shares, counted(image, bins, convert))


def test_filling_changes_nothing_and_has_no_colour():
    plain = np.random.default_rng(1).integers(112, 256, (2, 6, 8, 3), dtype=np.uint8)
    filled = np.concatenate([plain, np.full((2, 3, 8, 3), 12, np.uint8)], axis=1)
    for colours in ("RGB", "HSV"):
        np.testing.assert_array_equal(
            methods.histogram(filled, 8, colours), methods.histogram(plain, 8, colours)
        )
    assert not methods.histogram(np.zeros((1, 6, 8, 3), np.uint8)).any()


@pytest.mark.parametrize("bins", [1, 17])
def test_too_few_and_too_many_bins_are_refused(pixels, bins):
    with pytest.raises(ValueError, match=f"bins is {bins}: give 2 to 16"):
        methods.histogram(pixels, bins)


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_what_was_photographed_is_never_taken_for_filling():
    brightest = np.asarray(images.load("TEST_SIMPLE").pixels).max(axis=-1)
    assert brightest.min() >= methods.FILLING
    assert (np.asarray(images.load("TEST").pixels).max(axis=-1) < methods.FILLING).mean() > 0.05
