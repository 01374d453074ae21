"""What a method without convolutions sees of an image: its pixels, its greys, or its colours."""

from typing import Literal

import cv2
import numpy as np

Features = Literal["pixels", "grey", "histogram"]
Colours = Literal["RGB", "HSV"]
#: Where the brightest channel of a pixel is darker than this, the pixel is black filling, or the
#: edge of it. In the images without filling (TEST_SIMPLE) no pixel is.
FILLING = 112


def compute(pixels: np.ndarray, features: str) -> np.ndarray:
    """Features of images, one row an image.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
        RGB images.
    features : {"pixels", "grey", "histogram"}
        ``pixels``: all numbers; ``grey``: one number a pixel, as OpenCV weighs the channels
        (0.299, 0.587, 0.114); ``histogram``: see :func:`histogram`.

    Returns
    -------
    uint8 array [n, features]
        0 to 255, for ``pixels`` and ``grey``; a view of ``pixels`` where nothing is computed.
    float64 array [n, 512]
        Shares, for ``histogram``.
    """
    n, height, width, channels = pixels.shape
    if features == "pixels":
        return pixels.reshape(n, -1)
    if features == "grey":
        grey = cv2.cvtColor(pixels.reshape(n * height, width, channels), cv2.COLOR_RGB2GRAY)
        return grey.reshape(n, -1)
    return histogram(pixels)


def histogram(pixels: np.ndarray, bins: int = 8, colours: Colours = "RGB") -> np.ndarray:
    """Joint colour histogram of images, the black filling left out.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
        RGB images.
    bins : int
        Equal parts of each channel, 2 to 16.
    colours : {"RGB", "HSV"}
        The three channels; those of HSV in 0..255, as OpenCV's ``RGB2HSV_FULL`` has them.

    Returns
    -------
    float64 array [n, bins**3]
        Shares of an image's pixels, which sum to 1; zeros where all of it is filling.

    Raises
    ------
    ValueError
        If there are fewer than 2 bins, or more than 16.
    """
    if not 2 <= bins <= 16:
        raise ValueError(f"bins is {bins}: give 2 to 16 for each channel")
    blocks = [pixels[start : start + 1000] for start in range(0, len(pixels), 1000)]
    return np.concatenate([_shares(block, bins, colours) for block in blocks])


def _shares(pixels, bins, colours):
    n, height, width, channels = pixels.shape
    filling = pixels.max(axis=-1) < FILLING
    if colours == "HSV":
        flat = pixels.reshape(n * height, width, channels)
        pixels = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL).reshape(pixels.shape)
    parts = pixels.astype(np.int32) * bins // 256
    bin_ = (parts[..., 0] * bins + parts[..., 1]) * bins + parts[..., 2]
    place = bin_ + bins**3 * np.arange(n)[:, None, None]
    counts = np.bincount(place[~filling], minlength=n * bins**3).reshape(n, bins**3)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
