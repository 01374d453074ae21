"""What the trained networks answer for pictures from anywhere, or why they are not asked."""

import glob
import io
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bloodlib import study
from bloodlib.analyses import external_validation, out_of_distribution
from bloodlib.analyses.out_of_distribution import OTHER_SCALE
from bloodlib.data import images, stored
from bloodlib.data.images import TASKS
from bloodlib.models import weights
from bloodlib.study import records

#: How far a probability may be from the record's.
TOLERANCE = 0.02
#: Larger pictures are refused, unread; a few hundred bytes can claim to hold gigabytes.
MOST_PIXELS = 50_000_000
#: How many pictures are held at once.
AT_ONCE = 64
#: Pillow knows more, and runs other programmes for some of them.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
#: Of a folder, the files whose names end so.
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm")
WARNING = (
    "Not for diagnosis: the networks know four kinds of cells from one collection of slides, and "
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
    file, remedy = weights.path(task), f"Run `{weights.COMMAND}` to write it again."
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


# ----------------------------------------------------------------------------------- the pictures


class PictureError(ValueError):
    """A file that no answer can be given for; the message says why."""


def find(given: Iterable[str | Path]) -> Iterator[Path]:
    """Files by name, those of a folder, those that a pattern such as ``slides/*.png`` matches."""
    for one in map(str, given):
        if os.path.isdir(one):
            found = sorted(Path(one).iterdir())
            found = [p for p in found if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
        else:
            found = [] if os.path.exists(one) else sorted(map(Path, glob.glob(one)))
        yield from found or [Path(one)]


def open_picture(path: str | Path) -> np.ndarray:
    """A picture, turned as its camera says, white where it is transparent: uint8 [h, w, 3].

    Parameters
    ----------
    path : str or pathlib.Path
        ``-`` is the standard input.

    Raises
    ------
    PictureError
        If there is no picture in the file, or none that can be used.
    """
    from PIL import Image, ImageOps

    if str(path).startswith(("http:/", "https:/", "ftp:/", "file:/")):
        raise PictureError(f"{path} is an address: download the picture, and give the file.")
    if os.path.isdir(path):
        raise PictureError(f"{path} is a folder without pictures: give one that has some.")
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise PictureError(f"{path} is no file, but a pipe or a device: save the picture first.")
    try:
        source = io.BytesIO(sys.stdin.buffer.read()) if str(path) == "-" else path
        with Image.open(source, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise PictureError(f"{path} has {width} × {height} pixels: reduce it first.")
            if image.mode.startswith(("I", "F")) or _has_16_bits(image):
                raise PictureError(f"{path} has more than 8 bits a channel: save it with 8 first.")
            image = ImageOps.exif_transpose(image)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return np.asarray(image.convert("RGB"))
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PictureError(f"{path} can't be read as a picture: {why}.") from error


def read(path: str | Path) -> np.ndarray:
    """A picture as the networks see it, of other shapes than 4:3 the middle: uint8 [60, 80, 3].

    Raises
    ------
    PictureError
        See :func:`open_picture`.
    """
    return view(open_picture(path))


def view(picture: np.ndarray, scale: float = 1) -> np.ndarray:
    """The middle of a picture, 4:3, or ``scale`` times as much of it: uint8 [60, 80, 3]."""
    width, height = images.SOURCE.photograph_size
    across = scale * min(picture.shape[1], picture.shape[0] * width / height)
    return external_validation.window(picture, across, across * height / width)


def check_cell(path: str | Path, pixels: np.ndarray) -> None:
    """Refuse a picture [60, 80, 3] in which no white cell is seen.

    Raises
    ------
    PictureError
        If nothing in it is as purple as a nucleus.
    """
    if not out_of_distribution.shows_a_cell(pixels[None])[0]:
        raise PictureError(
            f"{path} shows no white cell: no hundredth of it is as purple as a stained nucleus. "
            "Give a colour picture with one white cell, larger if it is small."
        )


def _has_16_bits(image):
    """Whether channels have 16 bits in the file; Pillow makes 8 of those of colours, unasked."""
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if str(arguments[0]).endswith((";16B", ";16L", ";16N")):
            return True
        if image.format == "PPM" and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return True
    return False


def predict(paths: Iterable[str | Path], scale: bool = False) -> Iterator[dict]:
    """What both networks answer for pictures, one after the other.

    Parameters
    ----------
    paths : iterable of str or pathlib.Path
        Files, folders or patterns, read as they are needed, a few at once; ``-`` is the standard
        input.
    scale : bool
        Crop, or mirror at the edges, until cells are as large as in the training images.

    Yields
    ------
    dict
        For JSON. ``file``, and ``error`` where there is no answer; otherwise by task ``answer`` and
        ``chances``, the probabilities of the classes by name; ``contradiction``, whether the
        answers exclude each other; ``distance``, how unlike the training slides it is; ``nearer``,
        the fraction of training photographs that are nearer to the others; ``unlike``, whether
        nearly all are; ``white_cell`` and ``red_cells``, measured sizes in pixels of the picture,
        and ``scale``, how many times as large as in the training images; None where they can't be
        measured; ``scaled``, whether the picture was brought to their scale.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the networks are not there.
    """
    reference, paths = out_of_distribution.load_reference(), find(paths)
    while some := list(itertools.islice(paths, AT_ONCE)):
        found, pixels = [{"file": str(path)} for path in some], []
        for path, one in zip(some, found, strict=True):
            try:
                picture = open_picture(path)
                check_cell(path, view(picture))
                sizes = out_of_distribution.measure_sizes(picture, reference["sizes"])
                one |= {name: sizes[name] for name in ("white_cell", "red_cells", "scale")}
                one["scaled"] = bool(scale and one["scale"])
                pixels.append(view(picture, one["scale"] if one["scaled"] else 1))
            except PictureError as error:
                one["error"] = str(error)
        readable = [one for one in found if "error" not in one]
        if readable:
            shown = np.stack(pixels)
            distances = out_of_distribution.distance(weights.features(shown), reference)
            nearer = out_of_distribution.fraction_nearer(distances, reference)
            predicted = {task: weights.predict(task, shown) for task in TASKS}
            for k, one in enumerate(readable):
                chances = {
                    task: dict(zip(map(str.lower, names), predicted[task][k].tolist(), strict=True))
                    for task, names in TASKS.items()
                }
                one["answer"] = {task: max(of, key=of.get) for task, of in chances.items()}
                nuclei = TASKS["two"][images.NUCLEI[one["answer"]["four"].upper()]].lower()
                one["contradiction"] = nuclei != one["answer"]["two"]
                one |= {"chances": chances, "distance": float(distances[k])}
                one["nearer"] = float(nearer[k])
                one["unlike"] = bool(nearer[k] >= out_of_distribution.LIMIT)
        yield from found


def text(answer: dict) -> str:
    """An answer of :func:`predict` in lines; a flagged one has no probabilities."""
    four, two = answer["answer"].values()
    statement = f"{four}, {two}"
    if answer["contradiction"]:
        statement = f"the networks contradict each other: {four} by one, {two} by the other"
    if answer["unlike"]:
        statement = f"flagged, as the picture is unlike the training slides: {statement}"
    lines = [answer["file"], f"  {'answer':16}{statement}"]
    for task, chances in answer["chances"].items():
        order = sorted(chances.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name} {value:.2f}" for name, value in order)
        if not answer["unlike"]:
            lines.append(f"  {task + ' classes':16}{shown}")
    said = (
        f"further from the training photographs than {answer['nearer']:.0%} of them from the others"
    )
    lines.append(f"  {'distance':16}{said}")
    sizes = [
        f"{name} {f'{size:.0f} pixels' if size else 'not measurable'}"
        for name, size in (("white cell", answer["white_cell"]), ("red cells", answer["red_cells"]))
    ]
    scale = answer["scale"]
    if scale and answer["scaled"]:
        sizes.append(f"shown at {1 / scale:.2g} times its scale")
    elif scale and not 1 / OTHER_SCALE < scale < OTHER_SCALE:
        sizes.append(f"cells are {scale:.1f} times as large as in the training images: try --scale")
    lines.append(f"  {'size':16}{', '.join(sizes)}")
    return "\n".join(lines)
