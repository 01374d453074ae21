"""What the trained networks answer for pictures from anywhere, and how unlike TRAIN these are.

The out-of-distribution score is of six numbers of a picture, mean and spread of each channel: their
Mahalanobis distance from those of TRAIN. It knows nothing of cells: it says whether a picture was
lit, stained and framed as the images that the networks learned from.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bloodlib import study
from bloodlib.data import images, stored
from bloodlib.data.images import TASKS
from bloodlib.models import weights
from bloodlib.study import measurements, records

NAME = "out-of-distribution"
#: Further from TRAIN's mean than this fraction of its images counts as unlike them.
LIMIT = 0.99
#: How far a probability may be from the record's.
TOLERANCE = 0.02
#: Larger pictures are refused, unread; a few hundred bytes can claim to hold gigabytes.
MOST_PIXELS = 50_000_000
#: How many pictures are held at once.
AT_ONCE = 64
#: Pillow knows more, and runs other programmes for some of them.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
WARNING = (
    "Not for diagnosis: the networks know four kinds of cells from one laboratory's slides, and "
    "name one of them for every picture, whatever it shows."
)


# ------------------------------------------------------------------- the networks and their record


def recorded(task: str) -> records.Record:
    """The run whose weights are stored: DCLNN with every setting at its default.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If there is none.
    """
    return study.run({"method": "DCLNN", "task": task})


def check(task: str) -> dict[str, float]:
    """Compare stored weights with their record, on every image of TEST and TEST_SIMPLE.

    Returns
    -------
    dict
        ``images``: how many were compared; ``furthest``: how far a probability is from the
        record's, at most.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If an image gets another class, or a probability is further off than :data:`TOLERANCE`.
    bloodlib.data.images.DatasetError
        If there are no images.
    """
    record, n, furthest = recorded(task), 0, 0.0
    file, remedy = weights.path(task), f"`{weights.COMMAND}` makes it anew."
    if weights.provenance(task)["weights"] != record.weights:
        raise stored.StoredError(f"{file} is not of {record.id}. {remedy}")
    for split, suffix in (("TEST", ""), ("TEST_SIMPLE", "_simple")):
        found = weights.predict(task, images.load(split).pixels)
        labels = record.arrays[f"labels{suffix}"]
        other = np.flatnonzero(found.argmax(axis=1) != (labels if suffix else labels[-1]))
        if len(other):
            raise stored.StoredError(
                f"{file} gives {len(other)} images of {split} another class than {record.id} "
                f"does, {images.names(split)[other[0]]} first. {remedy}"
            )
        furthest = max(furthest, np.abs(found - record.arrays[f"probabilities{suffix}"]).max())
        n += len(found)
    if furthest > TOLERANCE:
        raise stored.StoredError(f"{file} is off by up to {furthest:.3f} from {record.id}.")
    return {"images": n, "furthest": float(furthest)}


# ------------------------------------------------------------------- the out-of-distribution score


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


def describe(pixels: np.ndarray) -> np.ndarray:
    """Mean and logarithm of the standard deviation (plus one) of each channel: float array [n, 6].

    Parameters
    ----------
    pixels : array [n, height, width, 3]
        RGB in 0..255.
    """
    flat = np.asarray(pixels).reshape(len(pixels), -1, 3).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), np.log1p(flat.std(axis=1))], axis=1)


def distance(pixels: np.ndarray, reference: Reference) -> np.ndarray:
    """Mahalanobis distance of images [n, 60, 80, 3] from TRAIN's: float array [n]."""
    apart = describe(pixels) - reference.mean
    return np.sqrt(np.einsum("ij,jk,ik->i", apart, reference.precision, apart))


def fraction_nearer(distances: np.ndarray, reference: Reference) -> np.ndarray:
    """The fraction of TRAIN's images that are nearer than these distances: float array [n]."""
    return np.interp(distances, reference.distances, np.linspace(0, 1, 101))


def load_reference() -> Reference:
    """The stored reference.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is none, or it can't be trusted.
    """
    shapes = {"mean": (6,), "precision": (6, 6), "distances": (101,)}
    arrays, _ = measurements.read(NAME, shapes)
    return Reference(*(arrays[name] for name in Reference._fields))


def compute() -> None:
    """Measure TRAIN's light and colours, and how far TEST and PBC are; write ``likeness.npz``.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images or no pictures of PBC, or not the published ones.
    """
    from bloodlib.analyses import external_validation

    clock = stored.Clock()
    found = describe(images.load("TRAIN").pixels)
    precision = np.linalg.inv(np.cov(found.T))
    reference = Reference(found.mean(axis=0), precision, np.empty(0))
    train, test = (distance(images.load(split).pixels, reference) for split in ("TRAIN", "TEST"))
    there = np.stack([images.resize(picture) for picture in external_validation.load()])
    arrays = {
        **reference._replace(distances=np.percentile(train, range(101)))._asdict(),
        "test": test,
        "laboratory": distance(there, reference),
    }
    settings = {"version": 1}  # raised when the computation changes
    measurements.save(NAME, arrays, settings, clock)


# ----------------------------------------------------------------------------------- the pictures


class PictureError(ValueError):
    """A file that no answer can be given for; the message says why."""


class Answer(NamedTuple):
    """What is said of a picture.

    Attributes
    ----------
    probabilities : dict of str to dict
        Of the classes by name, for each task.
    distance : float
        How unlike the training images it is: :func:`distance`.
    nearer : float
        The fraction of the training images that are less unlike, 0 to 1.
    """

    probabilities: dict[str, dict[str, float]]
    distance: float
    nearer: float

    @property
    def unlike(self) -> bool:
        """Whether hardly a training image is as far from the others."""
        return self.nearer >= LIMIT


def read(path: Path) -> np.ndarray:
    """A picture as the networks see it: uint8 array [60, 80, 3].

    It is turned as its camera says; of other shapes than 4:3 the middle is taken; what is
    transparent is white.

    Raises
    ------
    PictureError
        If there is no picture in the file, or none that can be used.
    """
    from PIL import Image, ImageOps

    if str(path).startswith(("http:/", "https:/", "ftp:/", "file:/")):
        raise PictureError(f"{path} is an address: download the picture, and give the file.")
    if os.path.isdir(path):
        raise PictureError(f"{path} is a folder: give the pictures in it, such as {path}/*.png.")
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise PictureError(f"{path} is no file, but a pipe or a device: save the picture first.")
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise PictureError(f"{path} has {width} × {height} pixels: reduce it first.")
            if image.mode.startswith(("I", "F")) or _has_16_bits(image):
                raise PictureError(f"{path} has more than 8 bits a channel: save it with 8 first.")
            image = ImageOps.exif_transpose(image)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            pixels = np.asarray(image.convert("RGB"))
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PictureError(f"{path} can't be read as a picture: {why}.") from error
    height, width = pixels.shape[:2]
    down, across = weights.SIZE
    scale = min(height / down, width / across)
    tall, wide = round(down * scale), round(across * scale)
    top, left = (height - tall) // 2, (width - wide) // 2
    return images.resize(pixels[top : top + tall, left : left + wide])


def _has_16_bits(image):
    """Whether channels have 16 bits in the file; Pillow makes 8 of those of colours, unasked."""
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if str(arguments[0]).endswith((";16B", ";16L", ";16N")):
            return True
        if image.format == "PPM" and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return True
    return False


def predict(paths: Iterable[Path]) -> Iterator[tuple[Path, Answer | PictureError]]:
    """What both networks answer for pictures, one after the other.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        Read as they are needed, a few at once.

    Yields
    ------
    path : pathlib.Path
    answer : Answer or PictureError
        The error in the place of an answer where there is none.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the networks are not there.
    """
    reference, paths = load_reference(), iter(paths)
    while some := list(itertools.islice(paths, AT_ONCE)):
        found: dict[Path, Answer | PictureError] = {}
        pixels = {}
        for path in some:
            try:
                pixels[path] = read(path)
            except PictureError as error:
                found[path] = error
        if pixels:
            together = np.stack(list(pixels.values()))
            distances = distance(together, reference)
            nearer = fraction_nearer(distances, reference)
            answers = [weights.predict(task, together).tolist() for task in TASKS]
            for path, *of, apart, closer in zip(pixels, *answers, distances, nearer, strict=True):
                probabilities = {
                    task: dict(zip(names, values, strict=True))
                    for (task, names), values in zip(TASKS.items(), of, strict=True)
                }
                found[path] = Answer(probabilities, float(apart), float(closer))
        yield from ((path, found[path]) for path in some)


def text(path: Path, answer: Answer) -> str:
    """An answer in lines."""
    lines = [str(path)]
    for task, probabilities in answer.probabilities.items():
        order = sorted(probabilities.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name.lower()} {value:.2f}" for name, value in order)
        lines.append(f"  {task + ' classes':16}{shown}")
    said = f"{answer.nearer:.0%} of the training images are less unlike the others"
    if answer.unlike:
        said += ": the answer is a guess"
    lines.append(f"  {'light, colours':16}{said}")
    return "\n".join(lines)


def as_json(path: Path, answer: Answer | PictureError) -> dict:
    """An answer for programs: ``file``, and ``error`` or the answer."""
    if isinstance(answer, PictureError):
        return {"file": str(path), "error": str(answer)}
    return {
        "file": str(path),
        "answer": {task: max(of, key=of.get) for task, of in answer.probabilities.items()},
        "chances": answer.probabilities,
        "distance": answer.distance,
        "nearer": answer.nearer,
        "unlike": answer.unlike,
    }
