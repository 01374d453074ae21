"""How unlike the training images a picture is: by its light and its colours.

Six numbers of a picture, mean and spread of each channel, and their Mahalanobis distance from those
of TRAIN. It knows nothing of cells: what it tells is whether a picture was lit, stained and framed
as the images that the networks learned from. What another stain does to them is in chapter 18.
"""

import functools
from typing import NamedTuple

import numpy as np

from bloodlib.data import images, stored
from bloodlib.study import measurements, records

NAME = "likeness"
VERSION = 1  # raised when the computation changes
#: Further from TRAIN's mean than this share of its images counts as unlike them.
LIMIT = 0.99


class Reference(NamedTuple):
    """What TRAIN's images are like.

    Attributes
    ----------
    mean : float array [6]
    precision : float array [6, 6]
        The inverse of their covariance.
    distances : float array [101]
        Percentiles of their own distances.
    """

    mean: np.ndarray
    precision: np.ndarray
    distances: np.ndarray


def numbers(pixels: np.ndarray) -> np.ndarray:
    """Mean and logarithm of the standard deviation (plus one) of each channel.

    Parameters
    ----------
    pixels : array [n, height, width, 3]
        RGB in 0..255.

    Returns
    -------
    float array [n, 6]
    """
    flat = np.asarray(pixels).reshape(len(pixels), -1, 3).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), np.log1p(flat.std(axis=1))], axis=1)


def distance(pixels: np.ndarray, reference: Reference | None = None) -> np.ndarray:
    """Mahalanobis distance of images from TRAIN's: float array [n].

    Parameters
    ----------
    pixels : array [n, 60, 80, 3]
        RGB in 0..255.
    reference : Reference, optional
        The frozen one, if not given.
    """
    reference = reference or load_reference()
    apart = numbers(pixels) - reference.mean
    return np.sqrt(np.einsum("ij,jk,ik->i", apart, reference.precision, apart))


def nearer(distances: np.ndarray) -> np.ndarray:
    """The share of TRAIN's images that are nearer than these distances: float array [n], 0 to 1."""
    return np.interp(distances, load_reference().distances, np.linspace(0, 1, 101))


@functools.cache
def load_reference() -> Reference:
    """The frozen reference.

    Raises
    ------
    bloodlib.study.records.RecordError
        If there is none, or it can't be trusted.
    """
    arrays, _ = measurements.read(NAME)
    found = Reference(*(arrays.get(name, np.empty(0)) for name in Reference._fields))
    if [a.shape for a in found] != [(6,), (6, 6), (101,)]:
        raise records.RecordError(f"{NAME}.npz is damaged: `bloodlib measure {NAME}` makes it.")
    return found


def remake() -> None:
    """Measure TRAIN's light and colours, and how far TEST and PBC are; write ``likeness.npz``.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images or no pictures of PBC, or not the published ones.
    """
    from bloodlib.analyses import laboratory

    clock = stored.Clock()
    found = numbers(images.load("TRAIN").pixels)
    precision = np.linalg.inv(np.cov(found.T))
    reference = Reference(found.mean(axis=0), precision, np.empty(0))
    train, test = (distance(images.load(split).pixels, reference) for split in ("TRAIN", "TEST"))
    there = np.stack([images.resize(picture) for picture in laboratory.load()])
    arrays = {
        **reference._replace(distances=np.percentile(train, range(101)))._asdict(),
        "test": test,
        "laboratory": distance(there, reference),
    }
    measurements.save(NAME, arrays, {"version": VERSION}, clock)
    load_reference.cache_clear()
