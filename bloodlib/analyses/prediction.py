"""What the trained networks answer for pictures from anywhere: ``bloodlib predict``."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bloodlib.analyses import likeness
from bloodlib.data import images
from bloodlib.data.images import TASKS
from bloodlib.models import weights

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


class PictureError(ValueError):
    """A file that no answer can be given for; the message says why."""


class Answer(NamedTuple):
    """What is said of a picture.

    Attributes
    ----------
    chances : dict of str to dict
        Probabilities of the classes by name, for each task.
    distance : float
        How unlike the training images it is: :func:`bloodlib.analyses.likeness.distance`.
    nearer : float
        The share of the training images that are less unlike, 0 to 1.
    """

    chances: dict[str, dict[str, float]]
    distance: float
    nearer: float

    @property
    def unlike(self) -> bool:
        """Whether hardly a training image is as far from the others."""
        return self.nearer >= likeness.LIMIT


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

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise PictureError(f"{path} has {width} × {height} pixels: reduce it first.")
            if image.mode.startswith(("I", "F")):
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
    bloodlib.study.records.RecordError
        If the networks are not there.
    """
    waiting: list[tuple[Path, np.ndarray | PictureError]] = []
    for path in paths:
        try:
            waiting.append((path, read(path)))
        except PictureError as error:
            waiting.append((path, error))
        if len(waiting) == AT_ONCE:
            yield from _answers(waiting)
            waiting = []
    yield from _answers(waiting)


def _answers(waiting):
    pixels = [found for _, found in waiting if isinstance(found, np.ndarray)]
    if pixels:
        stacked = np.stack(pixels)
        chances = {task: weights.predict(task, stacked) for task in TASKS}
        distances = likeness.distance(stacked)
        nearer = likeness.nearer(distances)
    row = 0
    for path, found in waiting:
        if isinstance(found, PictureError):
            yield path, found
            continue
        each = {
            task: dict(zip(names, map(float, chances[task][row]), strict=True))
            for task, names in TASKS.items()
        }
        yield path, Answer(each, float(distances[row]), float(nearer[row]))
        row += 1


def text(path: Path, answer: Answer) -> str:
    """An answer in lines."""
    lines = [str(path)]
    for task, chances in answer.chances.items():
        order = sorted(chances.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name.lower()} {chance:.2f}" for name, chance in order)
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
    best = {task: max(chances, key=chances.get) for task, chances in answer.chances.items()}
    return {"file": str(path), "answer": best} | answer._asdict() | {"unlike": answer.unlike}
