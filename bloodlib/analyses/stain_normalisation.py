"""Stain normalisation: pictures get the colours of other pictures.

By Reinhard's method, picture by picture; or against the background of each picture, as another lamp
would change them, and with one map of optical densities for all pictures, as other dyes would.
Pictures in which nothing can be measured, and those that would turn black, stay as they are.
"""

from typing import NamedTuple

import cv2
import numpy as np

#: A pixel is fill, not blood, where no channel is above this; TRAIN's images were turned.
FILL = 15


class Stain(NamedTuple):
    """What a stain does.

    Attributes
    ----------
    background : float array [3]
        The colour of bare glass.
    density : float array [2, 3]
        Optical density, against the background, of red cells and of nuclei.
    """

    background: np.ndarray
    density: np.ndarray


def measure_lab(pixels: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of L*, a* and b* of an image without its fill: [2, 3].

    nan where there is nothing but fill.
    """
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    blood = lab[pixels.max(axis=-1) > FILL]
    if not len(blood):
        return np.full((2, 3), np.nan)
    return np.stack([blood.mean(axis=0), blood.std(axis=0)])


def measure_stain(pixels: np.ndarray) -> Stain:
    """The colours of background, red cells and nuclei: medians over pictures, and over pixels.

    A picture's background is the 95th percentile of each channel. Where, against it, green comes
    through less than 0.6 times as well as blue is a nucleus; more than 0.85 times as well, but less
    than 0.85 of all, a red cell.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]

    Returns
    -------
    Stain
        nan for what is in none of the pictures.
    """
    background = _backgrounds(pixels)
    there = np.isfinite(background[:, 0])
    pixels, background = pixels[there], background[there]
    density = _density(pixels, background)
    through = np.exp(-density)
    purple = 1 - through[..., 1] / through[..., 2]
    blood = pixels.max(axis=-1) > FILL
    red = blood & (purple < 0.15) & (through[..., 1] < 0.85)
    nuclei = blood & (purple > 0.4)
    parts = background, density[red], density[nuclei]
    glass, *found = (np.median(p, axis=0) if len(p) else np.full(3, np.nan) for p in parts)
    return Stain(glass, np.array(found, float))


def match_reinhard(pixels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pictures [n, height, width, 3] whose L*, a* and b* have a target's means and deviations.

    The method of Reinhard et al. (2001, doi:10.1109/38.946629), in CIELAB as is usual in pathology.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : float array [2, 3]
        See :func:`measure_lab`.
    """
    found = pixels.copy()
    for picture, changed in zip(pixels, found, strict=True):
        mean, deviation = measure_lab(picture)
        if not (deviation > 1e-3).all():  # nan, too, is not
            continue
        lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        lab = ((lab - mean) / deviation * target[1] + target[0]).astype(np.float32)
        changed[:] = to_pixels(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    return found


def match_background(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Pictures on another background [3]: each channel multiplied, picture by picture."""
    return _recolour(pixels, np.eye(3, dtype=np.float32), background)


def match_stain(pixels: np.ndarray, target: Stain, own: Stain | None = None) -> np.ndarray:
    """Pictures in which background, red cells and nuclei have other colours.

    Each picture gets the background; against it, one linear map of optical densities takes those
    of red cells and nuclei, measured over all pictures, to those wanted, and leaves the direction
    perpendicular to both. Without red cells or nuclei in any picture all stay as they are.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : Stain
    own : Stain, optional
        The pictures' own; by default measured on them.
    """
    own, wanted = (_basis(stain.density) for stain in (own or measure_stain(pixels), target))
    if own is None or wanted is None:
        return pixels
    return _recolour(pixels, np.linalg.inv(own) @ wanted, target.background)


def _basis(density):
    """Two densities and what is perpendicular to both; None if they span no plane."""
    rest = np.cross(*density)
    length = np.linalg.norm(rest)
    return np.vstack([density, rest / length]) if length > 1e-6 else None  # nan, too, is None


def _backgrounds(pixels):
    """The 95th percentile of each picture's channels, without fill: [n, 3], nan if all is fill."""
    found = np.full((len(pixels), 3), np.nan)
    for image, background in zip(pixels, found, strict=True):
        blood = image[image.max(axis=-1) > FILL]
        if len(blood):
            background[:] = np.percentile(blood, 95, axis=0)
    return found


def _density(pixels, background):
    """Optical density of each pixel against its picture's background."""
    levels = np.log(np.arange(1, 257, dtype=np.float32))
    return np.log(background + 1).astype(np.float32)[:, None, None] - levels[pixels]


def _recolour(pixels, change, background):
    """Change densities by a matrix, set the background; pictures without one stay as they are."""
    own = _backgrounds(pixels)
    there = np.isfinite(own[:, 0])
    found = pixels.copy()
    density = _density(pixels[there], own[there])
    if not np.array_equal(change, np.eye(3)):
        density = density @ change
    changed = to_pixels(np.exp(np.log(background + 1) - density) - 1)
    black = changed.mean(axis=(1, 2, 3)) <= FILL
    found[there] = np.where(black[:, None, None, None], pixels[there], changed)
    return found


def to_pixels(values: np.ndarray) -> np.ndarray:
    """Numbers as the nearest values that a pixel can have: uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
