"""Stain normalisation: what is measured of colours, what is changed, and what is left alone."""

import cv2
import numpy as np
import pytest

from bloodlib.analyses.stain_normalisation import (
    FILL,
    Stain,
    match_background,
    match_reinhard,
    match_stain,
    measure_lab,
    measure_stain,
)

BACKGROUND, RED, NUCLEUS = (250, 230, 205), (200, 165, 170), (90, 45, 140)


def film(*discs, size=(60, 80)):
    """A picture of bare background with discs: (x, y, diameter, colour)."""
    picture = np.full((*size, 3), BACKGROUND, np.uint8)
    for x, y, diameter, colour in discs:
        cv2.circle(picture, (x, y), diameter // 2, colour, -1, cv2.LINE_AA)
    return picture


@pytest.fixture
def pictures():
    """Six pictures of red cells and a nucleus each, some darker than others, with noise."""
    rng, found = np.random.default_rng(0), []
    for light in (1, 0.97, 0.94, 0.9, 0.85, 0.8):
        picture = film(
            (40, 30, 26, NUCLEUS), *((x, y, 16, RED) for x in (8, 72) for y in (10, 30, 50)),
            size=(60, 80),
        )  # fmt: skip
        found.append(np.clip(picture * light + rng.normal(0, 1, picture.shape), 0, 255))
    return np.array(found).astype(np.uint8)


def seen(stain):
    """The colours of red cells and nuclei."""
    return np.exp(np.log(stain.background + 1) - stain.density) - 1


def test_fill_is_no_colour(pictures):
    filled = np.pad(pictures, [(0, 0), (0, 20), (0, 30), (0, 0)])
    for one, other in zip(filled, pictures, strict=True):
        np.testing.assert_allclose(measure_lab(one), measure_lab(other), rtol=1e-5)
    for one, other in zip(measure_stain(filled), measure_stain(pictures), strict=True):
        np.testing.assert_allclose(one, other, atol=0.02 * np.abs(other).max())


def test_reinhards_pictures_get_mean_and_deviation(pictures):
    target = np.array([[60, 5, -5], [8, 6, 5]], float)
    for picture in match_reinhard(pictures, target):
        np.testing.assert_allclose(measure_lab(picture), target, atol=0.7)
    own = match_reinhard(pictures[:1], measure_lab(pictures[0]))
    assert np.abs(own.astype(int) - pictures[:1]).max() <= 1


def test_a_stain_is_background_red_cells_and_nuclei(pictures):
    found = measure_stain(pictures[:1])
    np.testing.assert_allclose(found.background, BACKGROUND, atol=4)
    np.testing.assert_allclose(seen(found), [RED, NUCLEUS], atol=4)


TARGET = Stain(np.array([217.0, 218.0, 219.0]), np.array([[0.14, 0.27, 0.25], [0.38, 0.66, -0.01]]))


def test_pictures_get_the_colours_of_another_stain(pictures):
    found = match_stain(pictures, TARGET)
    assert (found.shape, found.dtype) == (pictures.shape, np.uint8)
    for picture in found:  # the dark ones too
        one = measure_stain(picture[None])
        np.testing.assert_allclose(one.background, TARGET.background, atol=4)
        np.testing.assert_allclose(seen(one), seen(TARGET), atol=6)


def test_another_background_leaves_what_lies_on_it(pictures):
    found = match_background(pictures, TARGET.background)
    own, other = measure_stain(pictures), measure_stain(found)
    np.testing.assert_allclose(other.background, TARGET.background, atol=2)
    np.testing.assert_allclose(other.density, own.density, atol=0.05)


def test_its_own_stain_changes_nothing(pictures):
    one = pictures[:1]
    found = match_stain(one, measure_stain(one))
    assert np.abs(found.astype(int) - one).max() <= 1


@pytest.mark.parametrize("value", [0, 16, 255])
def test_what_cannot_be_measured_stays(pictures, value):
    """A picture of one colour has neither spread nor cells; in black there is no background."""
    plain = np.full_like(pictures[:2], value)
    np.testing.assert_array_equal(match_reinhard(plain, measure_lab(pictures[0])), plain)
    np.testing.assert_array_equal(match_stain(plain, TARGET), plain)
    found = match_background(plain, TARGET.background)
    assert (found == (plain if value <= FILL else TARGET.background)).all()


def test_a_picture_never_turns_black(pictures):
    """Nor does one that is nearly all nucleus, in a stain far from the set's."""
    rng = np.random.default_rng(0)
    strange = rng.integers(0, 256, pictures.shape, dtype=np.uint8)
    dense = TARGET._replace(density=TARGET.density * 40)
    for given in (pictures, strange):
        found = match_stain(given, dense, measure_stain(pictures))
        assert (found.mean(axis=(1, 2, 3)) > FILL).all()
