"""Where the white cell is: the boxes that BCCD's annotators drew, carried to each image.

The photographs are those of the BCCD dataset, which has a box for each cell in them.
``results/boxes.csv`` keeps the boxes of the white cells, a row each, in pixels of 640x480;
``bloodlib measure boxes`` makes it from the annotations. A box is carried to an image by the map
that :mod:`bloodlib.data.registration` fitted to the two.
"""

import functools
import hashlib
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd

from bloodlib.data import images, paths, photographs, stored

#: Where the annotations come from; which folder of it; and the SHA-256 of its files, with names.
REPOSITORY = "https://github.com/Shenggan/BCCD_Dataset"
COMMIT = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"
FOLDER = "BCCD_Dataset/BCCD/Annotations"
SHA256 = "2e37aab937d233fdb86e88f1906b441cdf25ceda2d648c6a888b7cd15836602c"
NAME = "boxes.csv"
COLUMNS = ["photograph", "left", "top", "right", "bottom"]
#: Height and width of the images that the methods see.
SIZE = (60, 80)
_REMEDY = "Restore it with 'git checkout results', or make it with 'bloodlib measure boxes'."


def compute() -> pd.DataFrame:
    """Read the boxes of the white cells from the annotations, and write the table.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no annotations, or not those of the commit.
    """
    folder = paths.data_folder() / FOLDER
    files = {  # git on Windows may end lines otherwise
        path.name: path.read_bytes().replace(b"\r\n", b"\n")
        for path in sorted(folder.glob("[!.]*.xml"))
    }
    if not files:
        raise images.DatasetNotFoundError(
            f"no annotations at {folder}. Clone {REPOSITORY} to {folder.parents[1]} and check out "
            f"{COMMIT[:10]}."
        )
    digest = hashlib.sha256()
    for name, raw in files.items():
        digest.update(f"{name} {len(raw)}\0".encode() + raw)
    if digest.hexdigest() != SHA256:
        raise images.DatasetError(
            f"{folder} does not hold the annotations of {REPOSITORY} at {COMMIT[:10]}: its files "
            f"have the SHA-256 {digest.hexdigest()[:10]}… instead of {SHA256[:10]}…."
        )
    rows = []
    for name, raw in files.items():
        number = int(re.search(r"\d+", name)[0])
        for one in ET.fromstring(raw).iterfind("object[name='WBC']/bndbox"):  # noqa: S314
            edges = [int(one.findtext(edge)) for edge in ("xmin", "ymin", "xmax", "ymax")]
            rows.append((number, *edges))
    found = pd.DataFrame(rows, columns=COLUMNS)
    raw = found.to_csv(index=False, lineterminator="\n").encode()
    paths.write_atomically(paths.results_folder() / NAME, raw)
    table.cache_clear()
    return found


@functools.cache
def table() -> pd.DataFrame:
    """The white cells' boxes: ``results/boxes.csv``.

    Returns
    -------
    pandas.DataFrame
        A row for each box: ``photograph``, its number; ``left, top, right, bottom`` in pixels of
        640x480. A photograph may have none, or two.

    Raises
    ------
    StoredError
        If it is not there or has no such rows.
    """
    path = paths.results_folder() / NAME
    width, height = images.SOURCE.photograph_size
    raw = stored.read(path, _REMEDY)
    try:
        found = pd.read_csv(io.BytesIO(raw), dtype=int)
        inside = (found["left"] >= 0) & (found["left"] < found["right"])
        inside &= (found["right"] <= width) & (found["bottom"] <= height)
        inside &= (found["top"] >= 0) & (found["top"] < found["bottom"])
        if list(found) != COLUMNS or not inside.all():
            raise ValueError("a row is no box")
    except (ValueError, KeyError) as error:
        raise stored.StoredError(f"{path} can't be read ({error}). {_REMEDY}") from error
    return found


def uncovered(split: str) -> list[int]:
    """Photographs behind a split that have no white cell's box, or several."""
    boxes = table()["photograph"].value_counts()
    numbers = np.unique(photographs.photographs(split))
    return [int(number) for number in numbers if boxes.get(number, 0) != 1]


def coordinates(split: str, rows: slice = slice(None), size: tuple[int, int] = SIZE) -> np.ndarray:
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

    found = photographs.table()
    found = found[found["split"] == split].iloc[rows]
    boxes = table().drop_duplicates("photograph", keep=False).set_index("photograph")
    parts = ("flip", "rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y")
    width, height = images.SOURCE.image_size
    down, across = np.mgrid[: size[0], : size[1]]
    # middles of pixels, in pixels of 320x240
    x = (across + 0.5) * width / size[1] - 0.5
    y = (down + 0.5) * height / size[0] - 0.5
    grid = np.stack([x, y, np.ones_like(x)], axis=-1)
    placed = np.full((len(found), *size, 2), np.nan, np.float32)
    for row, place in zip(found.to_dict("records"), placed, strict=True):
        if row["photograph"] in boxes.index:
            box = boxes.loc[row["photograph"]].to_numpy().reshape(2, 2) / 2 - 0.25
            matrix = registration.compose(**{part: row[part] for part in parts})
            place[:] = (grid @ matrix.T - box[0]) / (box[1] - box[0])
    return placed


def inside(placed: np.ndarray) -> np.ndarray:
    """Which pixels lie in the box: bool array [n, height, width] of :func:`coordinates`."""
    return ((placed >= 0) & (placed < 1)).all(axis=-1)


def visible(placed: np.ndarray) -> np.ndarray:
    """Share of each box that lies in the image: float array [n] of :func:`coordinates`.

    The area of the pixels in the box, where the whole box has the area 1: a pixel's is what one
    step across and one step down span.
    """
    steps = placed[:, 0, 1] - placed[:, 0, 0], placed[:, 1, 0] - placed[:, 0, 0]
    area = np.abs(steps[0][:, 0] * steps[1][:, 1] - steps[0][:, 1] * steps[1][:, 0])
    return np.minimum(inside(placed).sum(axis=(1, 2)) * area, 1.0)
