"""Drawn blood smears of the four classes, to try everything without the dataset.

Each picture shows one white cell among red cells, with the features by which its class is told:

.. code-block:: text

    class        cell   nucleus                                  cytoplasm
    NEUTROPHIL   mid    three to five lobes, linked in an arc    pale pink, fine granules
    EOSINOPHIL   mid    two lobes, linked                        pink, coarse orange-red granules
    MONOCYTE     large  kidney or horseshoe                      grey-blue, a few pale vacuoles
    LYMPHOCYTE   small  round, nearly filling the cell           a thin blue rim

Place, rotation, scale, stain, light, focus and noise vary at random, drawn from one seeded
generator whose use does not depend on the size asked for: the same seed gives the same smear,
larger or smaller. Lengths are fractions of the picture's shorter side, or of the cell's radius.

These are drawings. They resemble the photographs enough to exercise the code, and say nothing about
how well a method does on blood; ``stamp`` writes so across a picture.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bloodlib.data.images import CLASSES, NUCLEI, SIZE, SPLITS, TASKS, Images

VERSION = 1  # raise it whenever the drawing changes: it is part of `data_hash`
COUNTS = {"TRAIN": 400, "TEST": 160, "TEST_SIMPLE": 40}
STAMP = "synthetic, not photographed"

_FINER = 3  # drawn this many times finer than asked for, then reduced
_REACH = 1.3  # half the side of the square a white cell is drawn in, in radii of the cell
_POINTS = np.linspace(0, 2 * np.pi, 36, endpoint=False)
_CIRCLE = np.stack([np.cos(_POINTS), np.sin(_POINTS)], axis=1)
_WAVES = np.concatenate([f(np.outer((2, 3, 5), _POINTS)) for f in (np.cos, np.sin)])
_RINGS = np.array([1.0, 0.91, 0.62, 0.5, 0.38])  # of a red cell: rim, body and three of pallor
_RIM, _RED = (186, 118, 122, 190), (222, 164, 152, 170)


class _Features(NamedTuple):
    """How a class looks; pairs are ranges, lengths are in radii of the cell."""

    radius: tuple[float, float]  # of the cell, in shorter sides of the picture
    uneven: float  # of the cell's outline
    lobes: tuple[int, int]  # discs that make the nucleus, the last number included
    lobe: tuple[float, float]  # their radius
    span: tuple[float, float]  # angle of the arc on which they lie
    out: float  # radius of that arc
    link: float  # width of the strands between them
    stain: tuple[float, float]  # of the nucleus, from 0, light violet, to 1, dark blue
    cytoplasm: tuple[int, int, int]
    granules: tuple[int, float, tuple[int, int, int, int]]  # how many, radius, colour


_FEATURES = {
    "NEUTROPHIL": _Features(
        (0.20, 0.25), 0.02, (3, 5), (0.27, 0.33), (3.4, 4.6), 0.47, 0.12,
        (0.1, 0.7), (230, 178, 208), (130, 0.025, (186, 120, 178, 120)),
    ),
    "EOSINOPHIL": _Features(
        (0.20, 0.25), 0.02, (2, 2), (0.34, 0.40), (1.9, 2.8), 0.46, 0.14,
        (0.1, 0.7), (224, 166, 164), (150, 0.065, (208, 102, 84, 180)),
    ),
    "MONOCYTE": _Features(
        (0.25, 0.30), 0.05, (9, 9), (0.32, 0.40), (2.2, 3.8), 0.36, 0.3,
        (0.0, 0.6), (150, 160, 204), (10, 0.08, (206, 206, 222, 130)),
    ),
    "LYMPHOCYTE": _Features(
        (0.16, 0.20), 0.03, (1, 1), (0.78, 0.86), (0.0, 0.0), 0.05, 0.0,
        (0.5, 1.0), (112, 138, 214), (0, 0.0, (0, 0, 0, 0)),
    ),
}  # fmt: skip


def _outline(rng, centre, radius, uneven=0.03, stretch=0.12):
    """Points of a rounded, slightly irregular and elongated shape, or of one for each centre."""
    phase = rng.uniform(0, 2 * np.pi, (*np.shape(centre)[:-1], 3))
    heights = np.stack(np.broadcast_arrays(stretch / 2, uneven, uneven / 2), axis=-1)
    parts = np.concatenate([heights * np.cos(phase), heights * np.sin(phase)], axis=-1)
    distance = np.asarray(radius)[..., None] * (1 + parts @ _WAVES)
    return centre[..., None, :] + distance[..., None] * _CIRCLE


def _polar(angles, distances):
    return np.stack([distances * np.cos(angles), distances * np.sin(angles)], axis=-1)


def _texture(rng, colour, side, grain, strength):
    """Return a square of one colour, mottled with ``grain`` x ``grain`` spots."""
    spots = np.asarray(colour) + rng.normal(0, strength, (grain, grain, 1))
    spots = Image.fromarray(spots.clip(0, 255).astype(np.uint8))
    return spots.resize((side, side), Image.Resampling.BICUBIC)


def _polygon(pen, points, fill):
    pen.polygon(points.ravel().tolist(), fill=fill)


def _red_cells(rng, pen, extent, unit):
    """Draw red cells with paler centres, alone or in rows; some are cut by the edge."""
    usual = rng.uniform(0.10, 0.125)
    many = int(rng.uniform(0.2, 0.6) * extent.prod() / (np.pi * usual**2)) + 1
    centres = rng.uniform(-usual / 2, extent + usual / 2, (many, 2))
    steps = _polar(rng.uniform(0, 2 * np.pi, many), 1.4 * usual)
    in_row = rng.random(many) < rng.uniform(0, 0.6)
    for k in range(1, many):
        if in_row[k]:
            centres[k] = centres[k - 1] + steps[k]
    radii = usual * rng.uniform(0.8, 1.15, many)
    shapes = _outline(rng, centres, radii, stretch=rng.uniform(0, 0.3, many))
    alphas = (130 * rng.uniform(0.3, 1) * rng.uniform(0.3, 1, many)).astype(int)
    centres = centres[:, None, None]
    rings = unit * (centres + _RINGS[:, None, None] * (shapes[:, None] - centres))
    for cell, alpha in zip(rings.reshape(many, len(_RINGS), -1).tolist(), alphas, strict=True):
        pale = (246, 232, 224, int(alpha))
        for ring, fill in zip(cell, (_RIM, _RED, pale, pale, pale), strict=True):
            pen.polygon(ring, fill=fill)


def _white_cell(label, rng, radius):
    """Return a white cell of ``radius`` pixels on a square, and the mask of its body."""
    look = _FEATURES[label]
    side = round(2 * _REACH * radius)
    middle = np.full(2, side / 2)
    cell = _texture(rng, look.cytoplasm, side, 24, 7)
    pen = ImageDraw.Draw(cell, "RGBA")
    many, size, colour = look.granules
    angles, distances = rng.uniform(0, 2 * np.pi, many), np.sqrt(rng.uniform(0, 0.9, many))
    shades = rng.integers(-22, 23, many)
    places = middle + _polar(angles, radius * distances)
    for place, shade in zip(places.tolist(), shades.tolist(), strict=True):
        tint = (*(value + shade for value in colour[:3]), colour[3])
        pen.circle(place, radius * size, fill=tint)

    count = rng.integers(look.lobes[0], look.lobes[1] + 1)
    span = rng.uniform(*look.span)
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(-span / 2, span / 2, count)
    out = look.out * rng.uniform(0.9, 1.1, count if count < 6 else 1)
    lobes = middle + _polar(angles, radius * out)
    lobe = radius * rng.uniform(*look.lobe)
    stain = rng.uniform(*look.stain)
    colour = (1 - stain) * np.array([138, 88, 196]) + stain * np.array([58, 46, 128])
    nucleus, mask = _texture(rng, colour, side, 18, 13), Image.new("L", (side, side))
    shade, pen = ImageDraw.Draw(nucleus, "RGBA"), ImageDraw.Draw(mask)
    pen.line(lobes.ravel().tolist(), fill=255, width=round(radius * look.link), joint="curve")
    for place in lobes:
        shape = _outline(rng, place, lobe * rng.uniform(0.93, 1.07), stretch=0.2)
        _polygon(pen, shape, 255)
        if 1 < count < 6:  # separate lobes, each paler inside
            _polygon(shade, shape, (40, 20, 100, 60))
            _polygon(shade, place + 0.85 * (shape - place), (168, 124, 216, 60))
    cell.paste(nucleus, mask=mask)

    body = Image.new("L", (side, side))
    _polygon(ImageDraw.Draw(body), _outline(rng, middle, radius, look.uneven), 255)
    return cell, body


def draw(label: str | int, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw one smear.

    Parameters
    ----------
    label
        Class of the white cell: a name in ``bloodlib.data.images.CLASSES``, or its index there.
    rng
        Generator of everything that varies.
    size
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray
        ``uint8`` of shape ``[height, width, 3]``, red, green and blue.
    """
    label = label if isinstance(label, str) else CLASSES[label]
    height, width = size
    unit = _FINER * min(size)  # one length in pixels of the fine drawing
    extent = np.array([width, height]) / min(size)
    ground = rng.normal((226, 221, 216), 3).astype(int).tolist()
    fine = Image.new("RGB", (_FINER * width, _FINER * height), tuple(ground))
    pen = ImageDraw.Draw(fine, "RGBA")
    _red_cells(rng, pen, extent, unit)
    for place in rng.uniform(0, extent, (rng.integers(0, 4), 2)):  # platelets
        _polygon(pen, unit * _outline(rng, place, rng.uniform(0.012, 0.03)), (126, 92, 170, 150))

    radius = rng.uniform(*_FEATURES[label].radius)
    centre = rng.uniform(1.1 * radius, extent - 1.1 * radius)
    cell, body = _white_cell(label, rng, unit * radius)
    fine.paste(cell, tuple((unit * centre - cell.width / 2).round().astype(int)), body)

    small = fine.resize((width, height), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(min(size) * rng.uniform(0.002, 0.006)))
    light = rng.uniform(0.9, 1.04) * rng.normal(1, 0.015, 3)
    across, down = rng.uniform(-0.04, 0.04, 2)  # uneven lighting
    column, row = np.linspace(-1, 1, width)[:, None], np.linspace(-1, 1, height)[:, None, None]
    light = light * (1 + across * column + down * row)
    noise = rng.normal(0, rng.uniform(1, 3), (height, width, 3))
    return (np.asarray(small) * light + noise).clip(0, 255).astype(np.uint8)


def load(
    split: str,
    task: str = "four",
    size: tuple[int, int] = SIZE,
    n: int | None = None,
    seed: int = 0,
) -> Images:
    """Draw a split, in the form in which ``bloodlib.data.images.load`` returns photographs.

    Image ``i`` of a class depends on the seed, the split, the class and ``i`` only: a
    larger ``n`` adds images and changes none, and both tasks show the same ones.

    Parameters
    ----------
    split
        ``"TRAIN"``, ``"TEST"`` or ``"TEST_SIMPLE"``.
    task
        ``"four"`` classes, or ``"two"``: mononuclear or polynuclear.
    size
        Height and width in pixels.
    n
        How many images in all, as many of each class; what does not divide by four goes to the
        first classes. ``COUNTS`` has the defaults.
    seed
        Any other number gives other smears.

    Returns
    -------
    bloodlib.data.images.Images
        Pixels, labels and names such as ``drawn/NEUTROPHIL/0003``, one class after the other.

    Raises
    ------
    ValueError
        If there is no such split or task.
    """
    if split not in SPLITS or task not in TASKS:
        raise ValueError(f"no split {split!r} or no task {task!r}: {SPLITS}, {tuple(TASKS)}")
    n = COUNTS[split] if n is None else n
    counts = [len(range(kind, n, len(CLASSES))) for kind in range(len(CLASSES))]
    which = [(kind, i) for kind, count in enumerate(counts) for i in range(count)]
    pixels = np.empty((n, *size, 3), np.uint8)
    for image, (kind, i) in zip(pixels, which, strict=True):
        image[:] = draw(kind, np.random.default_rng([seed, SPLITS.index(split), kind, i]), size)
    of_kind = [NUCLEI[name] if task == "two" else k for k, name in enumerate(CLASSES)]
    labels = np.repeat(np.array(of_kind, np.uint8), counts)
    return Images(pixels, labels, tuple(f"drawn/{CLASSES[kind]}/{i:04d}" for kind, i in which))


def data_hash(n: Mapping[str, int] | None = None) -> str:
    """Identity of the drawn images for a record: of what was asked for, not of the pixels.

    Parameters
    ----------
    n
        How many images of each split; for splits not named, those of ``COUNTS``.
    """
    asked = {"version": VERSION, "n": {**COUNTS, **(n or {})}, "size": SIZE, "seed": 0}
    return "drawn-" + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def stamp(pixels: np.ndarray) -> np.ndarray:
    """Write ``synthetic, not photographed`` across the bottom of a copy of a picture."""
    height, width = pixels.shape[:2]
    font = ImageFont.load_default(size=max(4, width / 14))
    _, top, _, bottom = font.getbbox(STAMP)
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    band = height - round(1.4 * (bottom - top))
    pen.rectangle((0, band, width, height), fill=(255, 255, 255))
    middle = (width / 2, (band + height) / 2)
    pen.text(middle, STAMP, fill=(20, 20, 20), font=font, anchor="mm")
    return np.asarray(picture)
