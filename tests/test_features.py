"""What methods see: pixels as they are, greys, and shares of colours without the filling."""

import cv2
import numpy as np
import pytest

from bloodlib.data import images
from bloodlib.models import features


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def test_pixels_are_the_numbers_themselves(pixels):
    found = features.compute(pixels, "pixels")
    np.testing.assert_array_equal(found, pixels.reshape(5, -1))
    assert np.shares_memory(found, pixels)


def test_grey_weighs_the_channels(pixels):
    found = features.compute(pixels, "grey")
    assert found.dtype == np.uint8
    expected = pixels.reshape(5, -1, 3) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(found, expected, atol=0.51)


def counted(image, bins, convert=None):
    """Shares of an image, counted pixel by pixel."""
    counts = np.zeros((bins, bins, bins))
    seen = image if convert is None else cv2.cvtColor(image, convert)
    for colour, converted in zip(image.reshape(-1, 3), seen.reshape(-1, 3), strict=True):
        if max(colour) >= features.FILLING:
            counts[tuple(int(c) * bins // 256 for c in converted)] += 1
    return counts.ravel() / counts.sum()


@pytest.mark.parametrize("bins", [2, 3, 8])
@pytest.mark.parametrize(("colours", "convert"), [("RGB", None), ("HSV", cv2.COLOR_RGB2HSV_FULL)])
def test_a_histogram_counts_colours(pixels, bins, colours, convert):
    found = features.histogram(pixels, bins, colours)
    assert found.shape == (5, bins**3)
    for image, shares in zip(pixels, found, strict=True):
        np.testing.assert_allclose(shares, counted(image, bins, convert))


def test_the_usual_histogram_has_eight_bins_a_channel(pixels):
    np.testing.assert_array_equal(
        features.compute(pixels, "histogram"), features.histogram(pixels, 8, "RGB")
    )


def test_filling_changes_nothing():
    plain = np.random.default_rng(1).integers(112, 256, (2, 6, 8, 3), dtype=np.uint8)
    filled = np.concatenate([plain, np.full((2, 3, 8, 3), 12, np.uint8)], axis=1)
    for colours in ("RGB", "HSV"):
        np.testing.assert_array_equal(
            features.histogram(filled, 8, colours), features.histogram(plain, 8, colours)
        )


def test_nothing_but_filling_has_no_colour():
    assert not features.histogram(np.zeros((1, 6, 8, 3), np.uint8)).any()


def test_many_images_are_counted_like_few():
    pixels = np.random.default_rng(2).integers(0, 256, (2100, 2, 3, 3), dtype=np.uint8)
    found = features.histogram(pixels, 4)
    for row in (0, 999, 1000, 2099):
        np.testing.assert_allclose(found[row], counted(pixels[row], 4))


@pytest.mark.parametrize("bins", [1, 17])
def test_too_few_and_too_many_bins_are_refused(pixels, bins):
    with pytest.raises(ValueError, match=f"bins is {bins}: give 2 to 16"):
        features.histogram(pixels, bins)


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_what_was_photographed_is_never_taken_for_filling():
    brightest = np.asarray(images.load("TEST_SIMPLE").pixels).max(axis=-1)
    assert brightest.min() >= features.FILLING
    assert (np.asarray(images.load("TEST").pixels).max(axis=-1) < features.FILLING).mean() > 0.05
