"""Stain normalisation: pictures get the colours of other pictures.

Channel by channel; or against the background of each picture, as another lamp would change them,
and with one map of optical densities for all pictures, as other dyes would. Pictures in which
nothing can be measured stay as they are.
"""

from typing import NamedTuple

import numpy as np

#: A pixel is fill, not blood, where no channel is above this; TRAIN's images were turned.
FILL = 15


class Channels(NamedTuple):
    """Colours of pictures: ``mean`` and ``deviation`` of each channel, float arrays [3]."""

    mean: np.ndarray
    deviation: np.ndarray


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


def measure_channels(pixels: np.ndarray) -> Channels:
    """Mean and standard deviation of each channel of pictures [n, height, width, 3], without fill.

    nan where there is nothing but fill.
    """
    blood = pixels[pixels.max(axis=-1) > FILL]
    if not len(blood):
        return Channels(np.full(3, np.nan), np.full(3, np.nan))
    return Channels(blood.mean(axis=0), np.array([channel.std() for channel in blood.T]))


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


def match_channels(pixels: np.ndarray, target: Channels) -> np.ndarray:
    """Pictures whose channels have other means and standard deviations, taken over all of them.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : Channels
    """
    own, values = measure_channels(pixels), np.arange(256)[:, None]
    if not (own.deviation > 1e-6).all():
        return pixels
    table = to_pixels((values - own.mean) / own.deviation * target.deviation + target.mean)
    return np.stack([table[pixels[..., channel], channel] for channel in range(3)], axis=-1)


def match_background(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Pictures on another background [3]: each channel multiplied, picture by picture."""
    return _recolour(pixels, np.eye(3, dtype=np.float32), background)


def match_stain(pixels: np.ndarray, target: Stain) -> np.ndarray:
    """Pictures in which background, red cells and nuclei have other colours.

    Each picture gets the background; against it, one linear map of optical densities takes those
    of red cells and nuclei, measured over all pictures, to those wanted, and leaves the direction
    perpendicular to both. Without red cells or nuclei in any picture all stay as they are.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : Stain
    """
    own, wanted = (_basis(stain.density) for stain in (measure_stain(pixels), target))
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
    found[there] = to_pixels(np.exp(np.log(background + 1) - density) - 1)
    return found


def to_pixels(values: np.ndarray) -> np.ndarray:
    """Numbers as the nearest values that a pixel can have: uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
