"""Which photograph an image was made from, and which photographs show the same cell.

The names of the images don't say. It is recovered from the pixels alone, labels unseen, by
:mod:`bloodlib.data.registration`, and kept in tables that anyone can read without the images:
``results/photographs.csv`` has a row for each image, ``results/cells.csv`` one for each
photograph, ``results/pairs.csv`` one for each two photographs that overlap.
``results/photographs.json`` holds their checksums and how they were made;
``bloodlib audit --remake`` makes them again.

The photographs are those of the BCCD dataset, whose annotators drew a box round each cell.
``results/boxes.csv`` keeps those of the white cells; ``bloodlib measure boxes`` makes it from the
annotations. A box is carried to an image by the map that was fitted to the two.
"""

import functools
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from bloodlib.data import images, stored

#: The tables; ``photographs.json`` vouches for them.
TABLES = ("photographs.csv", "cells.csv", "pairs.csv")
#: Repository and commit of the annotations, where the boxes come from; SHA-256 of their table.
BCCD = "https://github.com/Shenggan/BCCD_Dataset", "d272fb14cdff6e473fafeeeba32aba5f560e9e43"
BOXES_SHA256 = "57de57fffec095ea689a32a1cbb5c5d3898d4101865f9d31adda43ec4f402077"


@functools.cache
def provenance() -> dict:
    """How the tables were made: settings, images, packages, time, and the tables' checksums.

    Raises
    ------
    StoredError
        If there are none.
    """
    path = stored.results_folder() / "photographs.json"
    made = stored.read_json(path, _REMEDY)
    sums = made.get("sha256")
    if not isinstance(sums, dict) or set(TABLES) - set(sums):
        raise stored.StoredError(f"{path} can't be read (a checksum is missing). {_REMEDY}")
    return made


@functools.cache
def table() -> pd.DataFrame:
    """The photograph of each image: ``results/photographs.csv``, verified.

    Returns
    -------
    pandas.DataFrame
        A row for each image of TRAIN, TEST and TEST_SIMPLE, in the order of
        :func:`bloodlib.data.images.names`. ``split, name``: the image. ``photograph``: its number.
        ``found_by``: ``features``, ``pixels`` or ``nothing``. ``inliers, correlation``: of
        features under the fitted map, and of the pixels; ``runner_up, runner_up_inliers,
        runner_up_correlation``: the same of the second best photograph. ``flip`` ("", "h", "v",
        "hv"), ``rotation, shear`` (degrees), ``shift_x, shift_y`` (pixels of 320x240),
        ``scale_x, scale_y``: the fitted map, as
        :func:`bloodlib.data.registration.decompose` gives it. ``registered``: the photograph found
        by pixels alone, where that was tried.

    Raises
    ------
    StoredError
        If the table is not there, or not the one that was written.
    """
    found = _read("photographs.csv", dtype={"registered": "Int64"})
    found["flip"] = found["flip"].fillna("")
    order = [(split, name) for split in images.SPLITS for name in images.names(split)]
    if list(zip(found["split"], found["name"], strict=True)) != order:
        raise stored.StoredError(f"photographs.csv is not about the published images. {_REMEDY}")
    return found


@functools.cache
def cell_table() -> pd.DataFrame:
    """The cell of each photograph: ``results/cells.csv``, verified.

    Returns
    -------
    pandas.DataFrame
        A row for each photograph: ``photograph``, its number; ``labels``, as listed, joined by
        "+"; ``cell``, the lowest number among the photographs of the same cell.

    Raises
    ------
    StoredError
        If the table is not there, or not the one that was written.
    """
    return _read("cells.csv", keep_default_na=False)


@functools.cache
def pair_table() -> pd.DataFrame:
    """Photographs that overlap, two and two: ``results/pairs.csv``, verified.

    Returns
    -------
    pandas.DataFrame
        ``a, b``: their numbers; ``shift_x, shift_y, correlation``: see
        :func:`bloodlib.data.registration.overlaps`; ``common, share``: see
        :func:`bloodlib.data.registration.shared`; ``same_cell``: whether both show the same
        white cell, or only pieces of the same film.

    Raises
    ------
    StoredError
        If the table is not there, or not the one that was written.
    """
    return _read("pairs.csv")


def photographs(split: str) -> np.ndarray:
    """Number of the photograph behind each image of a split: int array [n]; -1 if undecided."""
    found = table()
    return found.loc[found["split"] == split, "photograph"].to_numpy()


def cells(split: str) -> np.ndarray:
    """Number of the cell behind each image of a split: int array [n]; -1 if undecided."""
    found = cell_table()
    return (
        found.set_index("photograph")["cell"].reindex(photographs(split), fill_value=-1).to_numpy()
    )


def counts(what: str = "photographs") -> dict[str, dict[str, int]]:
    """How many photographs, or cells, are behind each split and class.

    Parameters
    ----------
    what : {"photographs", "cells"}
    """
    function = {"photographs": photographs, "cells": cells}[what]
    return {
        split: {
            name: len(set(function(split)[images.labels(split) == label]) - {-1})
            for label, name in enumerate(images.CLASSES)
        }
        for split in images.SPLITS
    }


def replay(seed: int = 10) -> dict[str, set[int]]:
    """The photographs of TRAIN and TEST, as the dataset's own notebook draws them; no image needed.

    The notebook holds out a fifth of the photographs with one white cell listed,
    ``train_test_split(X, y, test_size=0.2, random_state=10)``, and then turns each into many
    images. Its test ``label is not 'BASOPHIL'`` is always true, so that basophils are drawn too,
    which leave no image.

    Parameters
    ----------
    seed : int
        The notebook's ``random_state``.

    Returns
    -------
    dict of str to set of int
        Numbers of the photographs by split, without the basophils.
    """
    found = cell_table().set_index("photograph")["labels"]
    single = found[~found.isin([""]) & ~found.str.contains("+", regex=False)]
    halves = train_test_split(single.index, test_size=0.2, random_state=seed)
    return {
        split: {number for number in half if single[number] != "BASOPHIL"}
        for split, half in zip(("TRAIN", "TEST"), halves, strict=True)
    }


def is_bccd(number: int) -> bool:
    """Whether a photograph is, byte for byte, one of BCCD's, whose licence lets it be shown."""
    return number >= 0 and number not in (96, 280, 329)


def pairs(same_cell: bool = True) -> list[dict]:
    """Photographs of the same cell, two and two; or those that overlap without sharing a cell.

    Returns
    -------
    list of dict
        ``photographs``: two numbers; ``labels``: as listed; ``splits``: for each of them, the
        splits that hold images of it.
    """
    labels = cell_table().set_index("photograph")["labels"]
    images_of = table().groupby("photograph")
    behind = {n: sorted(set(rows["split"]), key=images.SPLITS.index) for n, rows in images_of}
    found = pair_table()
    return [
        {
            "photographs": [int(row.a), int(row.b)],
            "labels": [labels[row.a], labels[row.b]],
            "splits": [behind.get(row.a, []), behind.get(row.b, [])],
        }
        for row in found[found["same_cell"] == same_cell].itertuples()
    ]


_REMEDY = "Restore it with 'git checkout results', or make it with 'bloodlib audit --remake'."


def _read(name: str, **options) -> pd.DataFrame:
    path = stored.results_folder() / name
    raw = stored.read(path, _REMEDY, provenance()["sha256"][name])
    return pd.read_csv(io.BytesIO(raw), **options)


# ------------------------------------------------------------------------ the white cells' boxes


def compute_boxes() -> None:
    """Read the boxes of the white cells from the annotations, and write the table.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no annotations, or not those of the commit.
    """
    folder = stored.data_folder() / "BCCD_Dataset" / "BCCD" / "Annotations"
    rows = []
    for path in sorted(folder.glob("[!.]*.xml")):
        number = int(re.search(r"\d+", path.name)[0])
        for one in ET.parse(path).iterfind("object[name='WBC']/bndbox"):  # noqa: S314
            edges = [int(one.findtext(edge)) for edge in ("xmin", "ymin", "xmax", "ymax")]
            rows.append((number, *edges))
    found = pd.DataFrame(rows, columns=["photograph", "left", "top", "right", "bottom"])
    raw = found.to_csv(index=False, lineterminator="\n").encode()
    if stored.checksum(raw) != BOXES_SHA256:
        raise images.DatasetError(
            f"{folder} does not hold the annotations. Clone {BCCD[0]} to {folder.parents[1]} and "
            f"check out {BCCD[1][:10]}."
        )
    stored.write_atomically(stored.results_folder() / "boxes.csv", raw)


@functools.cache
def boxes() -> pd.DataFrame:
    """The white cells' boxes: ``results/boxes.csv``, verified.

    Returns
    -------
    pandas.DataFrame
        A row for each box: ``photograph``, its number; ``left, top, right, bottom`` in pixels of
        640x480. A photograph may have none, or two.

    Raises
    ------
    StoredError
        If it is not there, or not the one that was written.
    """
    remedy = "Restore it with 'git checkout results', or make it with 'bloodlib measure boxes'."
    raw = stored.read(stored.results_folder() / "boxes.csv", remedy, BOXES_SHA256)
    return pd.read_csv(io.BytesIO(raw))


def coordinates(
    split: str, rows: slice = slice(None), size: tuple[int, int] = images.SIZE
) -> np.ndarray:
    """Where the middle of each pixel of an image is, in the white cell's box.

    Parameters
    ----------
    split : str
    rows : slice
        Which images, in the order of :func:`bloodlib.data.images.names`.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    float32 array [n, height, width, 2]
        Across and down in the photograph: 0 at the left and top edge of the box, 1 at the right
        and bottom edge. nan where the photograph has not just one box.
    """
    from bloodlib.data import registration

    found = table()
    found = found[found["split"] == split].iloc[rows]
    single = boxes().drop_duplicates("photograph", keep=False).set_index("photograph")
    parts = ("flip", "rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y")
    width, height = images.SOURCE.image_size
    down, across = np.mgrid[: size[0], : size[1]]
    # middles of pixels, in pixels of 320x240
    x = (across + 0.5) * width / size[1] - 0.5
    y = (down + 0.5) * height / size[0] - 0.5
    grid = np.stack([x, y, np.ones_like(x)], axis=-1)
    placed = np.full((len(found), *size, 2), np.nan, np.float32)
    for row, place in zip(found.to_dict("records"), placed, strict=True):
        if row["photograph"] in single.index:
            box = single.loc[row["photograph"]].to_numpy().reshape(2, 2) / 2 - 0.25
            matrix = registration.compose(**{part: row[part] for part in parts})
            place[:] = (grid @ matrix.T - box[0]) / (box[1] - box[0])
    return placed


def inside(placed: np.ndarray) -> np.ndarray:
    """Which pixels lie in the box: bool array [n, height, width] of :func:`coordinates`."""
    return ((placed >= 0) & (placed < 1)).all(axis=-1)


def visible(placed: np.ndarray) -> np.ndarray:
    """Fraction of each box that lies in the image: float array [n] of :func:`coordinates`.

    The area of the pixels in the box, where the whole box has the area 1: a pixel's is what one
    step across and one step down span.
    """
    steps = placed[:, 0, 1] - placed[:, 0, 0], placed[:, 1, 0] - placed[:, 0, 0]
    area = np.abs(steps[0][:, 0] * steps[1][:, 1] - steps[0][:, 1] * steps[1][:, 0])
    return np.minimum(inside(placed).sum(axis=(1, 2)) * area, 1.0)
