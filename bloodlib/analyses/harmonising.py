"""Pictures of another laboratory brought to the scale and the colours of BCCD.

Scale is told by how large cells are. Colours are changed channel by channel, or against the ground
of each picture, as they would be by another lamp and, in one map for all pictures, by other dyes.
"""

from typing import NamedTuple

import cv2
import numpy as np

from bloodlib.data import images

#: What is shown of a picture, all of it, squeezed to the shape of BCCD's; the largest part in the
#: middle that has this shape; or as much as makes white, or red cells as large as in BCCD.
SCALES = ("squeezed", "cropped", "white cells", "red cells")
#: Colours as published; each channel with the mean and standard deviation that it has in TRAIN;
#: the ground in the colour that it has in TRAIN; or ground, red cells and nuclei.
TINTS = ("own", "channels", "ground", "stain")
#: A pixel is fill, not blood, where no channel is above this; TRAIN's images were turned.
FILL = 15


class Ruler(NamedTuple):
    """Diameter of cells in pixels: in BCCD's photographs of 640x480, and in PBC's pictures."""

    ours: float
    theirs: float


class Tint(NamedTuple):
    """Colours of pictures: ``mean`` and ``deviation`` of each channel, float arrays [3]."""

    mean: np.ndarray
    deviation: np.ndarray


class Stain(NamedTuple):
    """What a stain does: ``ground``, the colour of bare glass, float array [3], and ``density``.

    The latter is the optical density, against the ground, of red cells and of nuclei, float array
    [2, 3].
    """

    ground: np.ndarray
    density: np.ndarray


def red_cells(picture: np.ndarray) -> np.ndarray:
    """Diameters of the red cells that lie alone: those of circles of the same area, in pixels.

    What is darker than the ground in green, by Otsu's threshold, and round, whole and free on
    all sides; white cells and platelets are kept out by their size.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]

    Returns
    -------
    float array [cells]
    """
    height, width = picture.shape[:2]
    green = cv2.GaussianBlur(picture[..., 1], (0, 0), 1.5)
    _, dark = cv2.threshold(green, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in outlines:
        left, top, across, down = cv2.boundingRect(outline)
        area = cv2.contourArea(outline)
        diameter = 2 * np.sqrt(area / np.pi)
        inside = left > 1 and top > 1 and left + across < width - 1 and top + down < height - 1
        if not inside or not 0.1 < diameter / height < 0.3:
            continue
        _, axes, _ = cv2.fitEllipse(outline)
        if min(axes) > 0.75 * max(axes) and area > 0.95 * cv2.contourArea(cv2.convexHull(outline)):
            found.append(diameter)
    return np.array(found)


def white_cell(picture: np.ndarray) -> float:
    """Mean side of the box round the largest purple thing of a PBC picture, in pixels.

    Purple is what has less green than red and blue, by Otsu's threshold.
    """
    red, green, blue = np.moveaxis(cv2.GaussianBlur(picture, (0, 0), 2).astype(float), -1, 0)
    purple = np.clip((red + blue) / 2 - green + 64, 0, 255).astype(np.uint8)
    _, inside = cv2.threshold(purple, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, _, found, _ = cv2.connectedComponentsWithStats(inside)
    largest = found[1:][found[1:, cv2.CC_STAT_AREA].argmax()]
    return float(np.sqrt(largest[cv2.CC_STAT_WIDTH] * largest[cv2.CC_STAT_HEIGHT]))


def field(scale: str, rulers: dict[str, Ruler], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width, in a picture's pixels, of what a way of scaling shows of it.

    Parameters
    ----------
    scale : str
        One of :data:`SCALES`.
    rulers : dict of Ruler
        Of the last two of them, by their names.
    size : tuple of int
        Height and width of the picture; what is shown may reach beyond it.
    """
    height, width = size
    across, down = images.SOURCE.photograph_size
    if scale == "squeezed":
        return height, width
    if scale == "cropped":
        across, down = min(width, height * across / down), min(height, width * down / across)
        return round(down), round(across)
    ruler = rulers[scale]
    return round(down * ruler.theirs / ruler.ours), round(across * ruler.theirs / ruler.ours)


def frame(picture: np.ndarray, shown: tuple[int, int]) -> np.ndarray:
    """The middle of a picture as the methods see it; beyond its edges it is mirrored.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    shown : tuple of int
        Height and width of what is shown, in the picture's pixels.

    Returns
    -------
    uint8 array [60, 80, 3]
    """
    margins = [
        max(0, -(-(wanted - has) // 2))
        for wanted, has in zip(shown, picture.shape[:2], strict=True)
    ]
    wide = np.pad(picture, [(m, m) for m in margins] + [(0, 0)], mode="symmetric")
    top, left = ((has - wanted) // 2 for wanted, has in zip(shown, wide.shape[:2], strict=True))
    return images.resize(wide[top : top + shown[0], left : left + shown[1]])


def tint(pixels: np.ndarray) -> Tint:
    """Mean and standard deviation of each channel, fill left out.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    """
    counts = np.zeros((3, 256))
    for image in pixels:
        blood = image[image.max(axis=-1) > FILL]
        counts += [np.bincount(blood[:, channel], minlength=256) for channel in range(3)]
    shares, values = counts / counts.sum(axis=1, keepdims=True), np.arange(256)
    mean = shares @ values
    return Tint(mean, np.sqrt(shares @ values**2 - mean**2))


def tinted(pixels: np.ndarray, target: Tint) -> np.ndarray:
    """Pictures whose channels have other means and standard deviations, taken over all of them.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : Tint
    """
    own, values = tint(pixels), np.arange(256)[:, None]
    table = whole((values - own.mean) / own.deviation * target.deviation + target.mean)
    return np.stack([table[pixels[..., channel], channel] for channel in range(3)], axis=-1)


def stain(pixels: np.ndarray) -> Stain:
    """The colours of ground, red cells and nuclei: medians over pictures, and over their pixels.

    A picture's ground is the 95th percentile of each channel. Where, against it, green comes
    through less than 0.6 times as well as blue is a nucleus; more than 0.85 times as well, but less
    than 0.85 of all, a red cell.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    """
    density, ground = _density(pixels)
    through = np.exp(-density)
    purple = 1 - through[..., 1] / through[..., 2]
    blood = pixels.max(axis=-1) > FILL
    red = blood & (purple < 0.15) & (through[..., 1] < 0.85)
    nuclei = blood & (purple > 0.4)
    found = [np.median(density[part], axis=0) for part in (red, nuclei)]
    return Stain(np.median(ground, axis=0), np.array(found, float))


def relit(pixels: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Pictures on another ground: each channel multiplied, picture by picture.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    ground : float array [3]
    """
    return _on_ground(_density(pixels)[0], ground)


def restained(pixels: np.ndarray, target: Stain) -> np.ndarray:
    """Pictures in which ground, red cells and nuclei have other colours.

    Each picture gets the ground; against it, one linear map of optical densities takes those of
    red cells and nuclei to the target's, and what is perpendicular to both stays so.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
    target : Stain
    """
    bases = []
    for density in (stain(pixels).density, target.density):
        rest = np.cross(*density)
        bases.append(np.vstack([density, rest / np.linalg.norm(rest)]))
    change = np.linalg.inv(bases[0]) @ bases[1]
    return _on_ground(_density(pixels)[0] @ change, target.ground)


def _density(pixels):
    """Optical density of each pixel against its picture's ground, and the grounds [n, 3]."""
    ground = np.stack(
        [np.percentile(image[image.max(axis=-1) > FILL], 95, axis=0) for image in pixels]
    )
    levels = np.log(np.arange(1, 257, dtype=np.float32))
    return np.log(ground + 1).astype(np.float32)[:, None, None] - levels[pixels], ground


def _on_ground(density, ground):
    return whole(np.exp(np.log(ground + 1) - density) - 1)


def whole(values: np.ndarray) -> np.ndarray:
    """Numbers as the nearest values that a pixel can have: uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
