"""What the trained networks answer for pictures from anywhere, and how unlike TRAIN these are.

The out-of-distribution score is of six numbers of a picture, mean and spread of each channel: their
Mahalanobis distance from those of TRAIN. It knows nothing of cells: it says whether a picture was
lit, stained and framed as the images that the networks learned from.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bloodlib import study
from bloodlib.data import images, stored
from bloodlib.data.images import TASKS
from bloodlib.models import weights
from bloodlib.study import records

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
    if weights.read(task)[2]["weights"] != record.weights:
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


def describe(pixels: np.ndarray) -> np.ndarray:
    """Mean and logarithm of the standard deviation (plus one) of each channel: float array [n, 6].

    Parameters
    ----------
    pixels : array [n, height, width, 3]
        RGB in 0..255.
    """
    flat = np.asarray(pixels).reshape(len(pixels), -1, 3).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), np.log1p(flat.std(axis=1))], axis=1)


def distance(pixels: np.ndarray, reference: dict[str, np.ndarray]) -> np.ndarray:
    """Mahalanobis distance of images [n, 60, 80, 3] from TRAIN's: float array [n]."""
    apart = describe(pixels) - reference["mean"]
    return np.sqrt(np.einsum("ij,jk,ik->i", apart, reference["precision"], apart))


def fraction_nearer(distances: np.ndarray, reference: dict[str, np.ndarray]) -> np.ndarray:
    """The fraction of TRAIN's images that are nearer than these distances: float array [n]."""
    return np.interp(distances, reference["distances"], np.linspace(0, 1, 101))


def load_reference() -> dict[str, np.ndarray]:
    """What TRAIN's images are like, as stored.

    Returns
    -------
    dict of array
        ``mean`` [6] and ``precision`` [6, 6], the inverse of the covariance, of what
        :func:`describe` says of them; ``distances`` [101], percentiles of their own distances.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is none, or it can't be trusted.
    """
    shapes = {"mean": (6,), "precision": (6, 6), "distances": (101,)}
    arrays = records.read_measured(NAME, shapes)[0]
    return {name: arrays[name] for name in shapes}


def compute() -> None:
    """Measure TRAIN's light and colours, and how far TEST and PBC are; write ``likeness.npz``.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images or no pictures of PBC, or not the published ones.
    """
    from bloodlib.analyses import external_validation

    clock = stored.Clock()
    train, test = (images.load(split).pixels for split in ("TRAIN", "TEST"))
    there = np.stack([images.resize(picture) for picture in external_validation.load()])
    found = describe(train)
    arrays = {"mean": found.mean(axis=0), "precision": np.linalg.inv(np.cov(found.T))}
    arrays["distances"] = np.percentile(distance(train, arrays), range(101))
    arrays |= {"test": distance(test, arrays), "laboratory": distance(there, arrays)}
    settings = {"version": 1}  # raised when the computation changes
    records.save_measured(NAME, arrays, settings, clock)


# ----------------------------------------------------------------------------------- the pictures


class PictureError(ValueError):
    """A file that no answer can be given for; the message says why."""


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


def predict(paths: Iterable[Path]) -> Iterator[dict]:
    """What both networks answer for pictures, one after the other.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        Read as they are needed, a few at once.

    Yields
    ------
    dict
        For JSON. ``file``, and ``error`` where there is no answer; otherwise by task ``answer`` and
        ``chances``, the probabilities of the classes by name; ``distance``, how unlike the training
        images it is, see :func:`distance`; ``nearer``, the fraction of these that are less unlike;
        ``unlike``, whether hardly one of them is as far from the others.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the networks are not there.
    """
    reference, paths = load_reference(), iter(paths)
    while some := list(itertools.islice(paths, AT_ONCE)):
        found, pixels = [{"file": str(path)} for path in some], []
        for path, one in zip(some, found, strict=True):
            try:
                pixels.append(read(path))
            except PictureError as error:
                one["error"] = str(error)
        readable = [one for one in found if "error" not in one]
        if readable:
            distances = distance(np.stack(pixels), reference)
            nearer = fraction_nearer(distances, reference)
            predicted = {task: weights.predict(task, np.stack(pixels)) for task in TASKS}
            for k, one in enumerate(readable):
                chances = {
                    task: dict(zip(names, predicted[task][k].tolist(), strict=True))
                    for task, names in TASKS.items()
                }
                one["answer"] = {task: max(of, key=of.get) for task, of in chances.items()}
                one |= {"chances": chances, "distance": float(distances[k])}
                one |= {"nearer": float(nearer[k]), "unlike": bool(nearer[k] >= LIMIT)}
        yield from found


def text(answer: dict) -> str:
    """An answer of :func:`predict` in lines."""
    lines = [answer["file"]]
    for task, chances in answer["chances"].items():
        order = sorted(chances.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name.lower()} {value:.2f}" for name, value in order)
        lines.append(f"  {task + ' classes':16}{shown}")
    said = f"{answer['nearer']:.0%} of the training images are less unlike the others"
    if answer["unlike"]:
        said += ": the answer is a guess"
    lines.append(f"  {'light, colours':16}{said}")
    return "\n".join(lines)
