"""The drawn smears: seeded, of any size, balanced, told apart by shape and not by one colour."""

import numpy as np
import pytest

from bloodlib.data import images, synthetic
from bloodlib.data.images import CLASSES


@pytest.fixture(scope="module")
def train():
    return synthetic.load("TRAIN")


@pytest.mark.parametrize("size", [(60, 80), (33, 20)])
@pytest.mark.parametrize("label", CLASSES)
def test_any_size(label, size):
    pixels = synthetic.draw(label, np.random.default_rng(0), size)
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 10


def test_same_seed_same_images_and_other_seed_or_split_others():
    first, again = synthetic.load("TEST", n=8), synthetic.load("TEST", n=8)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    others = [synthetic.load("TEST", n=8, seed=1), synthetic.load("TRAIN", n=8)]
    for k in range(8):
        assert all((first.pixels[k] != other.pixels[k]).any() for other in others)


def test_two_classes_follow_the_nucleus():
    two, four = synthetic.load("TEST", "two", n=8), synthetic.load("TEST", "four", n=8)
    assert four.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    told = dict(zip(four.labels.tolist(), two.labels.tolist(), strict=True))
    assert told == dict(enumerate(images.NUCLEI[name] for name in CLASSES))
    np.testing.assert_array_equal(two.pixels, four.pixels)


@pytest.mark.parametrize("asked", [("VALIDATION", "four"), ("TRAIN", "five")])
def test_unknown_split_or_task(asked):
    with pytest.raises(ValueError, match="no split"):
        synthetic.load(*asked)


def _nucleus(pixels):
    """Where a picture is dark violet."""
    red, green, blue = np.moveaxis(pixels.astype(int), -1, 0)
    return (blue - green > 35) & (green < 120) & (blue > red)


# of the default TRAIN, by class: mean colour, and share of the pixels in the nucleus
MEANS = [[211.8, 192.1, 193.4], [210.7, 188.2, 186.6], [201.5, 187.0, 194.4], [205.6, 190.0, 191.1]]
NUCLEI = [0.0452, 0.0336, 0.071, 0.0583]


def test_drawing_is_the_one_of_its_version(train):
    """Coarse properties of the drawing, whatever the version of Pillow.

    If this fails because the drawing was changed, raise ``synthetic.VERSION`` with these numbers.
    """
    assert synthetic.VERSION == 1
    by_class = train.pixels.reshape(4, 100, -1, 3)
    np.testing.assert_allclose(by_class.mean(axis=(1, 2)), MEANS, atol=0.5)
    shares = [_nucleus(pixels).mean() for pixels in train.pixels.reshape(4, 6000, 80, 3)]
    np.testing.assert_allclose(shares, NUCLEI, atol=0.002)


@pytest.mark.parametrize("size", [(240, 320), (300, 240)])
def test_stamp_changes_only_a_band_at_the_bottom(size):
    pixels = synthetic.draw("EOSINOPHIL", np.random.default_rng(0), size)
    before = pixels.copy()
    stamped = synthetic.stamp(pixels)
    np.testing.assert_array_equal(pixels, before)
    assert (stamped.shape, stamped.dtype) == (pixels.shape, np.uint8)
    rows = np.flatnonzero((stamped != pixels).any(axis=(1, 2)))
    assert rows.min() > 0.8 * size[0]
    written = (stamped[rows.min() :] < 100).all(axis=2)
    assert 0.02 < written.mean() < 0.5  # dark letters on a light band
