"""Scale and colours of pictures from elsewhere: what is measured, shown and changed."""

import cv2
import numpy as np
import pytest

from bloodlib.analyses import harmonising
from bloodlib.analyses.harmonising import SCALES, Ruler, Stain, Tint
from bloodlib.data import images

GROUND, RED, NUCLEUS = (250, 230, 205), (200, 165, 170), (90, 45, 140)
RULERS = {"white cells": Ruler(190, 130), "red cells": Ruler(91, 70)}


def film(*discs, size=(363, 360)):
    """A picture of bare ground with discs: (x, y, diameter, colour)."""
    picture = np.full((*size, 3), GROUND, np.uint8)
    for x, y, diameter, colour in discs:
        cv2.circle(picture, (x, y), diameter // 2, colour, -1, cv2.LINE_AA)
    return picture


# ----------------------------------------------------------------------------------------- rulers


def test_red_cells_that_lie_alone_are_measured():
    lone = [(80, 80, 60, RED), (200, 90, 70, RED), (100, 280, 80, RED)]
    apart = [
        (0, 180, 70, RED),  # cut by the edge
        (280, 200, 70, RED), (310, 225, 70, RED),  # overlapping
        (190, 190, 20, NUCLEUS),  # a platelet
        (260, 320, 40, RED), (230, 330, 40, RED),
    ]  # fmt: skip
    found = harmonising.red_cells(film(*lone, *apart))
    np.testing.assert_allclose(sorted(found), [60, 70, 80], atol=3)


def test_white_cells_are_no_red_cells():
    red = [(x, y, 66, RED) for x in (50, 310) for y in (60, 150, 240)]
    found = harmonising.red_cells(film((180, 180, 130, (180, 130, 180)), *red))
    np.testing.assert_allclose(found, [66] * 6, atol=3)


def test_the_white_cell_is_measured():
    picture = film((180, 180, 130, NUCLEUS), (60, 60, 66, RED), (300, 60, 20, NUCLEUS))
    assert harmonising.white_cell(picture) == pytest.approx(130, abs=6)


# -------------------------------------------------------------------------------------- the frame


@pytest.mark.parametrize("name", RULERS)
@pytest.mark.parametrize("size", [(363, 360), (369, 366), (100, 900)])
def test_cells_are_shown_as_large_as_at_home(name, size):
    height, width = harmonising.field(name, RULERS, size)
    ruler = RULERS[name]
    assert ruler.theirs / width == pytest.approx(ruler.ours / 640, rel=0.01)
    assert ruler.theirs / height == pytest.approx(ruler.ours / 480, rel=0.01)


@pytest.mark.parametrize("size", [(363, 360), (100, 900), (900, 100)])
def test_a_cropped_picture_is_the_largest_of_the_shape(size):
    height, width = harmonising.field("cropped", RULERS, size)
    assert width / height == pytest.approx(4 / 3, rel=0.01)
    assert height <= size[0]
    assert width <= size[1]
    assert height == size[0] or width == size[1]


def test_all_of_a_picture_is_squeezed():
    picture = np.random.default_rng(0).integers(0, 256, (363, 360, 3), dtype=np.uint8)
    shown = harmonising.field("squeezed", RULERS, picture.shape[:2])
    np.testing.assert_array_equal(harmonising.frame(picture, shown), images.resize(picture))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(363, 360), (369, 366), (340, 341)])
def test_the_cell_stays_in_the_middle_and_as_large_as_it_should(scale, size):
    height, width = size
    picture = film((width // 2, height // 2, 60, NUCLEUS), size=size)
    shown = harmonising.field(scale, RULERS, size)
    found = harmonising.frame(picture, shown)
    assert (found.shape, found.dtype) == ((60, 80, 3), np.uint8)
    rows, columns = np.nonzero(found[..., 1] < 140)
    assert rows.mean() == pytest.approx(29.5, abs=0.7)
    assert columns.mean() == pytest.approx(39.5, abs=0.7)
    assert np.ptp(columns) + 1 == pytest.approx(60 * 80 / shown[1], abs=1.6)
    assert np.ptp(rows) + 1 == pytest.approx(60 * 60 / shown[0], abs=1.6)


def test_beyond_the_edge_it_is_mirrored():
    picture = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (90, 1, 3))
    found = harmonising.frame(picture, (90, 120))[30, :, 0].astype(int)
    middle = found[7:73]  # 100 of 120 columns
    assert (np.diff(middle) > 0).all()
    assert (np.diff(found[:6]) < 0).all()
    assert (np.diff(found[-6:]) < 0).all()
    assert found.max() >= 97
    assert found.min() <= 2


# ---------------------------------------------------------------------------------------- colours


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
    return np.exp(np.log(stain.ground + 1) - stain.density) - 1


def test_mean_and_deviation_are_those_of_the_pixels(pictures):
    found = harmonising.tint(pictures)
    flat = pictures.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0))
    np.testing.assert_allclose(found.deviation, flat.std(axis=0))


def test_fill_is_no_colour(pictures):
    filled = np.pad(pictures, [(0, 0), (0, 20), (0, 30), (0, 0)])
    np.testing.assert_allclose(harmonising.tint(filled), harmonising.tint(pictures))
    for one, other in zip(harmonising.stain(filled), harmonising.stain(pictures), strict=True):
        np.testing.assert_allclose(one, other, atol=0.02 * np.abs(other).max())


def test_channels_get_mean_and_deviation(pictures):
    target = Tint(np.array([150, 140, 160]), np.array([20, 25, 15]))
    before = pictures.copy()
    found = harmonising.tint(harmonising.tinted(pictures, target))
    np.testing.assert_allclose(found.mean, target.mean, atol=0.5)
    np.testing.assert_allclose(found.deviation, target.deviation, atol=0.5)
    np.testing.assert_array_equal(pictures, before)
    own = harmonising.tint(pictures)
    np.testing.assert_array_equal(harmonising.tinted(pictures, own), pictures)


def test_a_stain_is_ground_red_cells_and_nuclei(pictures):
    found = harmonising.stain(pictures[:1])
    np.testing.assert_allclose(found.ground, GROUND, atol=4)
    np.testing.assert_allclose(seen(found), [RED, NUCLEUS], atol=4)


TARGET = Stain(np.array([217.0, 218.0, 219.0]), np.array([[0.14, 0.27, 0.25], [0.38, 0.66, -0.01]]))


def test_pictures_get_the_colours_of_another_stain(pictures):
    found = harmonising.restained(pictures, TARGET)
    assert (found.shape, found.dtype) == (pictures.shape, np.uint8)
    for picture in found:  # the dark ones too
        one = harmonising.stain(picture[None])
        np.testing.assert_allclose(one.ground, TARGET.ground, atol=4)
        np.testing.assert_allclose(seen(one), seen(TARGET), atol=6)


def test_another_ground_leaves_what_lies_on_it(pictures):
    found = harmonising.relit(pictures, TARGET.ground)
    own, other = harmonising.stain(pictures), harmonising.stain(found)
    np.testing.assert_allclose(other.ground, TARGET.ground, atol=2)
    np.testing.assert_allclose(other.density, own.density, atol=0.05)


def test_its_own_stain_changes_nothing(pictures):
    one = pictures[:1]
    found = harmonising.restained(one, harmonising.stain(one))
    assert np.abs(found.astype(int) - one).max() <= 1
