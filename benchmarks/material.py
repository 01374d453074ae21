"""What is measured on: the published images, or drawn ones where there are none."""

import cv2
import numpy as np

from bloodlib.data import images, synthetic
from bloodlib.models import methods
from bloodlib.study import study


def source() -> str:
    """Which images there are: "published" or "drawn"."""
    return "published" if images.available() else "drawn"


def split(name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of a split, evenly spaced: uint8 [n, 60, 80, 3], and their labels, four classes."""
    if not images.available():
        found = synthetic.load(name, n=n)
        return found.pixels, found.labels
    found = images.load(name)
    rows = np.linspace(0, len(found.labels) - 1, min(n, len(found.labels))).astype(int)
    return found.pixels[rows], found.labels[rows]


def train(n: int, size: tuple[int, int] = (60, 80)) -> tuple[np.ndarray, np.ndarray]:
    """Images of TRAIN at any height and width, and their labels as int32."""
    pixels, labels = split("TRAIN", n)
    if size != pixels.shape[1:3]:
        pixels = np.stack([cv2.resize(image, size[::-1]) for image in pixels])
    return pixels, labels.astype("int32")


def data(n: int | None) -> methods.Data:
    """Images for a method: ``n`` of TRAIN and a quarter as many of TEST; all of them for None.

    Of drawn ones there are 2,000 at most.
    """
    if images.available():
        found = study.load("published", None)
        return found.head(n // 4) if n else found
    n = min(n or 2000, 2000)
    loaded = {
        name: synthetic.load(name, n=many)
        for name, many in zip(images.SPLITS, (n, n // 4, 8), strict=True)
    }
    nuclei = np.array([images.NUCLEI[name] for name in images.CLASSES], dtype=np.uint8)
    four = {name: found.labels for name, found in loaded.items()}
    two = {name: nuclei[labels] for name, labels in four.items()}
    pixels = {name: found.pixels for name, found in loaded.items()}
    return methods.Data(pixels, {"four": four, "two": two}, "drawn")
