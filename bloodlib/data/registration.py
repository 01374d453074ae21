"""Find the photograph that an image was made from, by its pixels alone.

SIFT features (Lowe 2004) of the image are compared with those of all photographs and of their
mirror images; an affine map is fitted by RANSAC (Fischler and Bolles 1981) to the photographs
with most of the nearest features. A map counts if the augmentation could have made it
(:data:`LIMITS`). What features leave undecided is found by :func:`register`, which
compares pixels and needs no features; it also checks a sample of the rest.

Photographs are compared with photographs by :func:`overlaps`: the microscope's stage moved
between two of them, nothing else, so that every shift of every pair can be tried.
"""

import functools
from typing import NamedTuple

import cv2
import joblib
import numpy as np
import pandas as pd
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm, trange

from bloodlib.data import images, photographs, stored

#: Height and width at which images and photographs are compared.
SIZE = (240, 320)
#: Of :func:`decompose`, and columns of ``results/photographs.csv``.
PARTS = ["flip", "rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y"]
#: What the augmentation of the published images did, with a tolerance. It turned by up to 20°,
#: sheared by up to 0.2 radians, shifted by up to a tenth of height and width, never scaled (1).
LIMITS = {
    "rotation": 20 + 1.0,
    "shear": np.rad2deg(0.2) + 1.0,
    "shift_x": 0.1 * SIZE[1] + 3,
    "shift_y": 0.1 * SIZE[0] + 3,
    "scale_x": 0.03,
    "scale_y": 0.03,
}
#: What decides, as ``results/photographs.json`` has it. A match by features has so many ``inliers``
#: and such a ``correlation`` of pixels at least; one by pixels alone, a correlation of
#: ``by_pixels`` and a ``margin`` to the runner-up's. Photographs ``overlap`` from this correlation.
#: They show the same cell if so much of their white cells' union there is cell in both
#: (``common``), and if so much of the white cells of one of them lies there (``shared``). A
#: ``sample`` of images, drawn with the ``seed``, is found by pixels too, as a check of features.
SETTINGS = {
    "size": SIZE,
    "limits": {name: round(float(value), 3) for name, value in LIMITS.items()},
    "inliers": 10,
    "correlation": 0.7,
    "by_pixels": 0.6,
    "margin": 0.2,
    "overlap": 0.85,
    "common": 0.4,
    "shared": 0.5,
    "sample": 300,
    "seed": 0,
    "opencv": cv2.__version__,
}


class Fit(NamedTuple):
    """A photograph, and the map from the image's coordinates to the photograph's.

    Attributes
    ----------
    photograph : int
        Its number; -1 for none.
    inliers : int
        Features that agree with the map.
    correlation : float
        Of the pixels' grey values under the map; -1 for none.
    matrix : float array [2, 3]
        ``matrix @ (x, y, 1)``, pixels of 320x240.
    """

    photograph: int
    inliers: int
    correlation: float
    matrix: np.ndarray


NONE = Fit(-1, 0, -1.0, np.full((2, 3), np.nan))


class Index(NamedTuple):
    """The photographs, and their features.

    Attributes
    ----------
    numbers : tuple of int
        Numbers of the photographs.
    grey : uint8 array [photographs, 240, 320]
    descriptors : float32 array [features, 128]
        Of unit length; of the first photograph, of its mirror image, of the second, …
    points : float32 array [features, 2]
        x and y in the photograph itself.
    starts : int array [2 photographs + 1]
        Where the features of each photograph and of each mirror image begin.
    small : float32 array [photographs, 30 * 40]
        Grey values, of mean 0 and length 1.
    """

    numbers: tuple[int, ...]
    grey: np.ndarray
    descriptors: np.ndarray
    points: np.ndarray
    starts: np.ndarray
    small: np.ndarray


def grey(pixels: np.ndarray) -> np.ndarray:
    """Grey values of an RGB picture at :data:`SIZE`: uint8 [240, 320]."""
    value = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(value, SIZE[::-1], interpolation=cv2.INTER_AREA)


def index(pictures: dict[int, np.ndarray]) -> Index:
    """Index photographs by their features.

    Parameters
    ----------
    pictures : dict of int to uint8 array [240, 320]
        Grey values by number.
    """
    points, descriptors = [], []
    for picture in pictures.values():
        for mirrored in (False, True):
            xy, found = _features(picture[:, ::-1].copy() if mirrored else picture)
            if mirrored:
                xy[:, 0] = SIZE[1] - 1 - xy[:, 0]
            points.append(xy)
            descriptors.append(found)
    return Index(
        tuple(pictures),
        np.stack(list(pictures.values())),
        np.concatenate(descriptors),
        np.concatenate(points),
        np.cumsum([0, *map(len, points)]),
        np.stack([_small(picture, np.ones(SIZE)).ravel() for picture in pictures.values()]),
    )


def match(picture: np.ndarray, known: Index) -> tuple[Fit, Fit]:
    """The photograph whose features fit best, and the second best.

    Parameters
    ----------
    picture : uint8 array [240, 320]
    known : Index

    Returns
    -------
    tuple of Fit
        :data:`NONE` where no photograph fits.
    """
    points, descriptors = _features(picture)
    if len(points) < 3 or not len(known.descriptors):
        return NONE, NONE
    strongest = descriptors[:40] @ known.descriptors.T  # these choose the candidates
    nearest = strongest.argmax(axis=1)
    close = strongest[np.arange(len(nearest)), nearest] > 0.8
    block = np.searchsorted(known.starts, nearest, side="right") - 1
    votes = np.bincount(block[close], minlength=len(known.starts) - 1)
    fits = {}
    for candidate in np.argsort(-votes, kind="stable")[:6]:
        start, stop = known.starts[candidate], known.starts[candidate + 1]
        if start == stop:
            continue
        own = descriptors @ known.descriptors[start:stop].T
        best = own.argmax(axis=1)
        alike = own[np.arange(len(own)), best] > 0.85
        if alike.sum() < 3:
            continue
        matrix, agrees = cv2.estimateAffine2D(
            points[alike], known.points[start:stop][best[alike]], method=cv2.RANSAC,
            ransacReprojThreshold=2.5, maxIters=2000, confidence=0.999,
        )  # fmt: skip
        number = known.numbers[candidate // 2]
        if matrix is None or agrees.sum() <= fits.get(number, NONE).inliers:
            continue
        if np.isfinite(matrix).all() and augmented(matrix):
            agreement = correlation(picture, known.grey[candidate // 2], matrix)
            fits[number] = Fit(number, int(agrees.sum()), agreement, matrix)
    ranked = sorted(fits.values(), key=lambda fit: (-fit.inliers, -fit.correlation))
    return (*ranked, NONE, NONE)[:2]


def register(picture: np.ndarray, known: Index, candidates: int = 6) -> tuple[Fit, Fit]:
    """The photograph whose pixels correlate best with the image's, and the second best.

    The image is put through a grid of 6,804 maps that undo what the augmentation can do, at
    40x30 pixels, and correlated with every photograph; the best photographs are aligned
    more finely by maximising the correlation (Evangelidis and Psarakis 2008).

    Parameters
    ----------
    picture : uint8 array [240, 320]
    known : Index
    candidates : int
        How many photographs to align finely.

    Returns
    -------
    tuple of Fit
        With 0 inliers.
    """
    forward, reduced = _grid()
    inside = cv2.erode((picture > 8).astype(np.uint8), np.ones((9, 9)))  # not the black filling
    small = _small(picture, inside)
    turned = np.stack([cv2.warpAffine(small, matrix, small.shape[::-1]) for matrix in reduced])
    turned = turned.reshape(len(turned), -1)
    score = turned @ known.small.T / (np.linalg.norm(turned, axis=1, keepdims=True) + 1e-6)
    fits = []
    for place in np.argsort(-score.max(axis=0))[:candidates]:
        pair = picture, known.grey[place], inside
        starts = np.argsort(-score[:, place])[:4]  # from one alone the alignment can miss
        refined = [_refine(*pair, forward[start]) for start in starts]
        found = [
            Fit(known.numbers[place], 0, correlation(*pair[:2], matrix), matrix)
            for matrix in refined
            if matrix is not None and augmented(matrix)
        ]
        fits += sorted(found, key=lambda fit: -fit.correlation)[:1]
    fits.sort(key=lambda fit: -fit.correlation)
    return (*fits, NONE, NONE)[:2]


def correlation(picture: np.ndarray, photograph: np.ndarray, matrix: np.ndarray) -> float:
    """Correlation of the grey values of an image and a photograph under a map.

    Only where both are: the image's black filling, outside of the photograph, does not count.
    Where the map is off by part of a pixel, a line of it does, and lowers the correlation.
    """
    warped = cv2.warpAffine(
        photograph.astype(np.float32), matrix, SIZE[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=-1e6,
    )  # fmt: skip
    inside = warped >= 0
    if inside.sum() < 0.3 * inside.size:
        return -1.0
    a, b = warped[inside], picture[inside].astype(np.float32)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else -1.0


def decompose(matrix: np.ndarray) -> dict:
    """Flips, rotation, shear, shift and scale of a map, in the order in which they were applied.

    The augmentation maps an image's row and column, flipped back, by a rotation times a shift
    times a shear about the middle; this is undone here.

    Parameters
    ----------
    matrix : float array [2, 3]

    Returns
    -------
    dict
        ``flip``: "", "h", "v" or "hv"; ``rotation`` and ``shear`` in degrees; ``shift_x`` and
        ``shift_y`` in pixels of 320x240; ``scale_x`` and ``scale_y``, which should be 1.
    """
    linear = matrix[::-1, 1::-1]  # rows and columns in the place of x and y
    middle = (np.array(SIZE) - 1) / 2
    signs = np.where(np.diag(linear) < 0, -1, 1)
    unflipped = linear * signs
    rotation = np.arctan2(unflipped[1, 0], unflipped[0, 0])
    shear = np.arctan2(-unflipped[0, 1], unflipped[1, 1]) - rotation
    turned = linear @ middle + matrix[::-1, 2] - middle
    cosine, sine = np.cos(rotation), np.sin(rotation)
    shift = np.array([[cosine, sine], [-sine, cosine]]) @ turned
    scale = np.linalg.norm(unflipped, axis=0)
    return {
        "flip": "h" * bool(signs[1] < 0) + "v" * bool(signs[0] < 0),
        "rotation": np.rad2deg(rotation),
        "shear": np.rad2deg(shear),
        "shift_x": shift[1],
        "shift_y": shift[0],
        "scale_x": scale[1],
        "scale_y": scale[0],
    }


def compose(
    flip: str, rotation: float, shear: float, shift_x: float, shift_y: float,
    scale_x: float = 1, scale_y: float = 1,
) -> np.ndarray:  # fmt: skip
    """The map [2, 3] of which :func:`decompose` gives the parts."""
    turn, lean = np.deg2rad(rotation), np.deg2rad(rotation + shear)
    rotated = np.array([[np.cos(turn), -np.sin(lean)], [np.sin(turn), np.cos(lean)]])
    linear = rotated * [scale_y, scale_x]
    linear = linear * [-1 if "v" in flip else 1, -1 if "h" in flip else 1]
    middle = (np.array(SIZE) - 1) / 2
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    offset = back @ [shift_y, shift_x] + middle - linear @ middle
    return np.column_stack([linear, offset])[::-1][:, [1, 0, 2]]


def view(split: str, name: str) -> np.ndarray:
    """An image as figures show it: its photograph, turned by our own code as the image is turned.

    BCCD's photographs may be shown under its licence; the images' own files come without one. Where
    an image has no such photograph, this is its file, or grey where the book is to be published.

    Parameters
    ----------
    split, name : str
        As for :func:`bloodlib.data.images.picture`.

    Returns
    -------
    uint8 array [240, 320, 3]
    """
    found = photographs.table()
    row = found[(found["split"] == split) & (found["name"] == name)].iloc[0]
    number = int(row["photograph"])
    if photographs.is_bccd(number) and images.available("Original_Images"):
        whole = cv2.resize(images.photograph(number), SIZE[::-1], interpolation=cv2.INTER_AREA)
        turned = compose(**row[PARTS])
        return cv2.warpAffine(whole, turned, SIZE[::-1], flags=cv2.WARP_INVERSE_MAP)
    if stored.publishing():
        return np.full((*SIZE, 3), 225, np.uint8)
    return images.picture(split, name)


def augmented(matrix: np.ndarray) -> bool:
    """Whether the augmentation can have made this map: see :data:`LIMITS`."""
    parts = decompose(matrix)
    return all(
        abs(parts[name] - name.startswith("scale")) <= limit for name, limit in LIMITS.items()
    )


def decided(best: Fit, second: Fit) -> bool:
    """Whether features alone decide: enough of them, pixels that agree, and nobody near."""
    return (
        best.inliers >= SETTINGS["inliers"]
        and best.correlation >= SETTINGS["correlation"]
        and best.correlation > second.correlation
    )


def overlaps(known: Index) -> pd.DataFrame:
    """Pairs of photographs that show a piece of the same blood film, by their pixels.

    Every shift that leaves 15 % of the picture in common is tried for every pair, at 80x60
    pixels (masked normalised cross-correlation: Padfield 2012); where this is high, again at
    320x240.

    Parameters
    ----------
    known : Index

    Returns
    -------
    pandas.DataFrame
        ``a, b``: their numbers. What is at (x, y) in the first is at (x - ``shift_x``,
        y - ``shift_y``) in the second, in pixels of 320x240. ``correlation``: of the grey values of
        what both show.
    """
    height, width = SIZE[0] // 4, SIZE[1] // 4
    shape = (2 * height, 2 * width)

    def correlate(first, second):
        return fft.irfft2(first * second.conj(), shape, workers=-1)

    small = np.stack([_flattened(picture, (width, height)) for picture in known.grey])
    spectrum, squares = fft.rfft2(small, shape), fft.rfft2(small**2, shape)
    window = fft.rfft2(np.ones((height, width), np.float32), shape)
    n = np.maximum(correlate(window, window), 1)
    enough = n >= 0.15 * height * width
    sum_a, sum_b = correlate(spectrum, window), correlate(window, spectrum)
    spread_a = np.maximum(correlate(squares, window) - sum_a**2 / n, 1e-3)
    spread_b = np.maximum(correlate(window, squares) - sum_b**2 / n, 1e-3)
    found = []
    for a in trange(len(small) - 1, desc="pairs", disable=None):
        after = slice(a + 1, None)
        product = correlate(spectrum[a], spectrum[after]) - sum_a[a] * sum_b[after] / n
        value = np.where(enough, product / np.sqrt(spread_a[a] * spread_b[after]), -1)
        value = value.reshape(len(value), -1)
        for b in np.flatnonzero(value.max(axis=1) > 0.6):
            y, x = np.unravel_index(value[b].argmax(), shape)
            x, y = (x + width) % shape[1] - width, (y + height) % shape[0] - height
            pair = (_flattened(known.grey[place], SIZE[::-1]) for place in (a, a + 1 + b))
            shift, agreement = _align(*pair, (4 * int(x), 4 * int(y)))
            if agreement >= SETTINGS["overlap"]:
                numbers = known.numbers[a], known.numbers[a + 1 + b]
                found.append((*numbers, *shift, round(agreement, 4)))
    return pd.DataFrame(found, columns=["a", "b", "shift_x", "shift_y", "correlation"])


def white_cells(pixels: np.ndarray) -> np.ndarray:
    """Where the white cells' nuclei are: pieces of at least 350 pixels far bluer than green.

    Parameters
    ----------
    pixels : uint8 array [240, 320, 3]

    Returns
    -------
    uint8 array [240, 320]
        1 for nucleus.
    """
    purple = (pixels[..., 2].astype(int) - pixels[..., 1] > 45).astype(np.uint8)
    opened = cv2.morphologyEx(purple, cv2.MORPH_OPEN, np.ones((5, 5)))
    _, piece, sizes, _ = cv2.connectedComponentsWithStats(opened)
    large = sizes[:, cv2.CC_STAT_AREA] >= 350
    large[0] = False  # the background
    return large[piece].astype(np.uint8)


def shared(a: np.ndarray, b: np.ndarray, shift: tuple[int, int]) -> tuple[float, float]:
    """How far two overlapping photographs show the same white cells.

    Parameters
    ----------
    a, b : uint8 array [240, 320]
        See :func:`white_cells`.
    shift : tuple of int
        See :func:`overlaps`.

    Returns
    -------
    common : float
        Where both photographs look, the fraction of the cells' union that is cell in both (IoU).
    share : float
        The fraction of a photograph's white cells that lies there; the larger of the two.
    """
    move = np.float32([[1, 0, -shift[0]], [0, 1, -shift[1]]])
    there = cv2.warpAffine(a, move, SIZE[::-1], flags=cv2.INTER_NEAREST)
    here = b & cv2.warpAffine(np.ones_like(a), move, SIZE[::-1], flags=cv2.INTER_NEAREST)
    union = (there | here).sum()
    both = (there & here).sum() / union if union else 0.0
    return float(both), float(max(there.sum() / max(a.sum(), 1), here.sum() / max(b.sum(), 1)))


def compute() -> None:
    """Match every image and every photograph, and write the tables of :mod:`~.photographs`.

    Takes minutes, on all processors.

    Raises
    ------
    bloodlib.data.images.DatasetNotFoundError, bloodlib.data.images.DatasetError
        If there are no images, or they are not the published ones.
    """
    images.verify()
    clock = stored.Clock()
    numbers = images.photograph_numbers()
    known = index({number: grey(images.photograph(number)) for number in numbers})
    pairs = _pairs(known)
    cells = _cells(numbers, pairs)
    cell = dict(zip(cells["photograph"], cells["cell"], strict=True))
    todo = [(split, name) for split in images.SPLITS for name in images.names(split)]
    drawn = np.random.default_rng(SETTINGS["seed"]).permutation(len(todo))[: SETTINGS["sample"]]
    jobs = (
        joblib.delayed(_match_image)(*image, place in drawn, known, cell)
        for place, image in enumerate(todo)
    )
    rows = joblib.Parallel(-1, batch_size=50, return_as="generator")(jobs)
    found = pd.DataFrame(tqdm(rows, "images", len(todo), disable=None))
    found["registered"] = found["registered"].astype("Int64")
    both = found[found["registered"].notna() & (found["found_by"] == "features")]
    made = stored.made(
        "bloodlib audit --remake",
        images.DATA_HASH,
        SETTINGS,
        clock,
        photographs=images.SOURCE.hashes["Original_Images"],
        registered_too=len(both),
        of_these_agree=int((both["registered"] == both["photograph"]).sum()),
    )
    tables = zip(photographs.TABLES, (found, cells, pairs), strict=True)
    content = {name: frame.to_csv(index=False, lineterminator="\n") for name, frame in tables}
    raw = {name: text.encode() for name, text in content.items()}
    stored.write(stored.results_folder(), "photographs", raw, made)


def _match_image(split, name, in_sample, known, cell):
    """A row of ``results/photographs.csv``; of two photographs of one cell the better is taken."""
    cv2.setNumThreads(1)  # each processor has a worker
    picture = grey(images.picture(split, name))
    best, second = match(picture, known)
    found_by, registered = "features", None
    if not decided(best, second) or in_sample:
        by_pixels = register(picture, known)
        if by_pixels[0].correlation >= SETTINGS["by_pixels"]:
            registered = by_pixels[0].photograph
        if not decided(best, second):
            best, second = by_pixels
            ahead = best.correlation >= second.correlation + SETTINGS["margin"]
            one_cell = second is not NONE and cell[best.photograph] == cell[second.photograph]
            sure = registered is not None and (ahead or one_cell)
            found_by = "pixels" if sure else "nothing"
    row = {
        "split": split,
        "name": name,
        "photograph": -1 if found_by == "nothing" else best.photograph,
        "found_by": found_by,
        "inliers": best.inliers,
        "correlation": round(best.correlation, 4),
        "runner_up": second.photograph,
        "runner_up_inliers": second.inliers,
        "runner_up_correlation": round(second.correlation, 4),
    }
    if best is not NONE:
        parts = decompose(best.matrix)
        row |= {"flip": parts.pop("flip")} | {
            part: round(float(value), 3) for part, value in parts.items()
        }
    return row | {"registered": registered}


def _pairs(known):
    """Overlapping photographs, and whether they show the same cell."""
    found = overlaps(known)
    cells = {
        number: white_cells(
            cv2.resize(images.photograph(number), SIZE[::-1], interpolation=cv2.INTER_AREA)
        )
        for number in np.unique(found[["a", "b"]])
    }
    both = [
        shared(cells[row.a], cells[row.b], (row.shift_x, row.shift_y)) for row in found.itertuples()
    ]
    found[["common", "share"]] = np.array(both).reshape(-1, 2)
    enough = found["share"] >= SETTINGS["shared"]
    found["same_cell"] = enough & (found["common"] >= SETTINGS["common"])
    return found.round({"common": 3, "share": 3})


def _cells(numbers, pairs):
    """The cell of each photograph: the lowest number of those that show it."""
    linked = pairs[pairs["same_cell"]]
    ends = [np.searchsorted(numbers, linked[end]) for end in ("a", "b")]
    graph = coo_array((np.ones(len(linked)), ends), shape=(len(numbers),) * 2)
    component = connected_components(graph, directed=False)[1]
    lowest = pd.Series(numbers).groupby(component).transform("min")
    listed = images.photograph_labels()
    labels = ["+".join(listed.get(number, ())) for number in numbers]
    return pd.DataFrame({"photograph": numbers, "labels": labels, "cell": lowest})


def _flattened(picture, size):
    """A picture at a width and height, without its slow changes of brightness: float32."""
    sized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return sized - cv2.GaussianBlur(sized, (0, 0), 0.075 * size[0])


def _align(a, b, shift):
    """The shift of highest correlation within 6 pixels of a first one, and that correlation."""
    margin = 6
    (height, width), (x, y) = SIZE, shift
    top, bottom = max(0, y) + margin, min(height, height + y) - margin
    left, right = max(0, x) + margin, min(width, width + x) - margin
    piece = a[top:bottom, left:right]
    area = b[top - y - margin : bottom - y + margin, left - x - margin : right - x + margin]
    score = cv2.matchTemplate(area, piece, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(score.argmax(), score.shape)
    return (x + margin - int(column), y + margin - int(row)), float(score.max())


def _features(picture):
    """Places [n, 2] and descriptors of unit length [n, 128] of features, the strongest first."""
    places, descriptors = cv2.SIFT_create(nfeatures=400).detectAndCompute(picture, None)
    if not places:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    order = np.argsort([-place.response for place in places], kind="stable")
    descriptors = descriptors[order] / np.linalg.norm(descriptors[order], axis=1, keepdims=True)
    return np.array([places[k].pt for k in order], np.float32), descriptors


@functools.cache
def _grid():
    """What the augmentation can do, in steps that the alignment can bridge: maps [n, 2, 3].

    First as in :class:`Fit`, then for pictures of 40x30 pixels.
    """
    forward = np.stack(
        [
            compose(flip, rotation, shear, 8.0 * x, 8.0 * y)
            for flip in ("", "h", "v", "hv")
            for rotation in range(-20, 21, 5)
            for shear in (-8, 0, 8)
            for y in range(-3, 4)
            for x in range(-4, 5)
        ]
    )
    scale = np.array([[8, 0, 3.5], [0, 8, 3.5], [0, 0, 1]])  # 3.5: the middle of 8 pixels
    full = np.concatenate([forward, np.tile([[[0, 0, 1.0]]], (len(forward), 1, 1))], axis=1)
    return forward, (np.linalg.inv(scale) @ full @ scale)[:, :2]


def _small(picture, inside):
    """Grey values at 40x30, float32, of mean 0 and length 1; 0 outside."""
    small = cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA).astype(np.float32)
    inside = cv2.resize(inside, (40, 30), interpolation=cv2.INTER_NEAREST) > 0
    small = np.where(inside, small - small[inside].mean() if inside.any() else 0, 0)
    return small / max(np.linalg.norm(small), 1e-6)


def _refine(picture, photograph, inside, matrix):
    """Align two pictures at half the size from a first map; None if that fails."""
    small = [
        cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for whole in (picture, photograph)
    ]
    mask = np.ascontiguousarray(inside[::2, ::2])
    first = np.ascontiguousarray(matrix, np.float32)
    first[:, 2] = _scaled(first, 0.5)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        _, found = cv2.findTransformECC(
            *small, first, cv2.MOTION_AFFINE, criteria, mask, gaussFiltSize=5
        )
    except cv2.error as error:
        if error.code != cv2.Error.StsNoConv:
            raise
        return None
    found = found.astype(float)
    found[:, 2] = _scaled(found, 2)
    return found


def _scaled(matrix, by):
    """Offset of a map when the middles of the first pixels stay together at another size."""
    return by * matrix[:, 2] + (by - 1) / 2 * (1 - matrix[:, :2].sum(axis=1))
