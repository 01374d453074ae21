"""How unlike the training slides a picture is, and what else could tell.

The score is a Mahalanobis distance on the network's own features: the means of the 64 maps behind
the pooling layer of the network for four classes, over the middle of the picture
(:data:`bloodlib.models.weights.MIDDLE`), so that black corners and borders do not count. Reference
and threshold come from photographs as a microscope gives them, unturned, of half of the training
cells; the other half reports. The network has learned from the cells of both halves.
"""

import cv2
import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from bloodlib import study
from bloodlib.analyses import external_validation, stain_normalisation
from bloodlib.data import images, photographs, stored
from bloodlib.models import weights
from bloodlib.study import records

NAME = "out-of-distribution"
#: A picture that is further away than this fraction of training photographs is flagged.
LIMIT = 0.95
#: Scores that are compared, in the order in which they are stored; high is unlike, or unsure.
SCORES = ("Mahalanobis distance", "nearest neighbours", "energy", "maximum softmax")
#: Neighbours whose distance is taken.
NEIGHBOURS = 3
#: Sets that report, by the name under which their scores are stored.
SETS = {
    "held_out": "photographs of training cells, other half",
    "test_photographs": "photographs behind TEST",
    "TEST_SIMPLE": "TEST_SIMPLE",
    "TEST": "TEST (turned)",
    "PBC": "PBC",
    "PBC_stain": "PBC, red cells and stain as in TRAIN",
}


def load_reference() -> dict[str, np.ndarray]:
    """What training photographs are like, as stored.

    Returns
    -------
    dict of array
        ``mean`` [64] and ``precision`` [64, 64], the inverse of the covariance, of the features of
        :func:`bloodlib.models.weights.features`; ``distances`` [101], percentiles of the distances
        of training photographs from a reference without them; ``sizes`` [2], of white and red
        cells in them, in widths of a photograph.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is none, or it can't be trusted.
    """
    shapes = {"mean": (64,), "precision": (64, 64), "distances": (101,), "sizes": (2,)}
    arrays = records.read_measured(NAME, shapes)[0]
    return {name: arrays[name] for name in shapes}


def distance(features: np.ndarray, reference: dict[str, np.ndarray]) -> np.ndarray:
    """Mahalanobis distance of features [n, 64] from those of training photographs: [n]."""
    apart = features - reference["mean"]
    return np.sqrt(np.einsum("ij,jk,ik->i", apart, reference["precision"], apart))


def fraction_nearer(distances: np.ndarray, reference: dict[str, np.ndarray]) -> np.ndarray:
    """The fraction of training photographs that are nearer than these distances: [n]."""
    return np.interp(distances, reference["distances"], np.linspace(0, 1, 101))


def fit(features: np.ndarray, cells: np.ndarray) -> dict[str, np.ndarray]:
    """A reference of features [n, 64], see :func:`load_reference`; ``cells`` [n] stay together."""

    def shape(some):
        spread = some.std(axis=0) + 1e-3 * some.std()  # maps that are always dark have none
        precision = LedoitWolf().fit(some / spread).precision_ / np.outer(spread, spread)
        return {"mean": some.mean(axis=0), "precision": precision}

    own = np.empty(len(features))
    for others, these in GroupKFold(10).split(features, groups=cells):
        own[these] = distance(features[these], shape(features[others]))
    return shape(features) | {"distances": np.percentile(own, range(101))}


def compute() -> None:
    """Fit the reference, score every set in every way, and write ``likeness.npz``.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no photographs or no pictures of PBC, or not the published ones.
    bloodlib.data.stored.StoredError
        If :func:`bloodlib.analyses.external_validation.compute` has stored nothing.
    """
    clock = stored.Clock()
    cell_of = photographs.cell_table().set_index("photograph")["cell"]
    behind = np.setdiff1d(photographs.photographs("TRAIN"), [-1])
    cells = cell_of.loc[behind].to_numpy()
    chosen = np.random.default_rng(0).permutation(np.unique(cells))
    first = np.isin(cells, chosen[: len(chosen) // 2])
    whole = [images.photograph(number) for number in behind]
    features = weights.features(np.stack([images.resize(one) for one in whole]))
    reference = fit(features[first], cells[first])
    spread = features[first].std(axis=0) + 1e-3 * features[first].std()
    learned = [one for one, is_first in zip(whole, first, strict=True) if is_first]
    white = np.nanmedian([external_validation.white_cell(one) for one in learned])
    red = np.median(np.concatenate([external_validation.red_cells(one) for one in learned]))
    reference["sizes"] = np.array([white, red]) / images.SOURCE.photograph_size[0]

    def score(pixels):
        seen = weights.features(pixels)
        apart = np.linalg.norm((seen[:, None] - features[first]) / spread, axis=2)
        logits = weights.predict("four", pixels, layer="output/sum")
        return np.stack(
            [
                distance(seen, reference),
                np.sort(apart, axis=1)[:, NEIGHBOURS - 1],
                -np.logaddexp.reduce(logits, axis=1),
                1 - weights.predict("four", pixels).max(axis=1),
            ]
        ).astype(np.float32)

    test = [images.photograph(n) for n in np.setdiff1d(photographs.photographs("TEST"), [-1])]
    pictures, sizes = external_validation.load(), external_validation.diameters()
    pbc = np.stack([external_validation.crop(one, "cropped", sizes) for one in pictures])
    scaled = np.stack([external_validation.crop(one, "red cells", sizes) for one in pictures])
    held_out = [one for one, is_first in zip(whole, first, strict=True) if not is_first]
    sets = {
        "held_out": np.stack([images.resize(one) for one in held_out]),
        "test_photographs": np.stack([images.resize(one) for one in test]),
        "TEST_SIMPLE": images.load("TEST_SIMPLE").pixels,
        "TEST": images.load("TEST").pixels,
        "PBC": pbc,
        "PBC_stain": stain_normalisation.match_stain(scaled, external_validation.stain()),
    }
    arrays = reference | {name: score(pixels) for name, pixels in sets.items()}
    arrays["held_out_cells"] = cells[~first]
    found = []
    for alter in ALTERED.values():
        spoilt = [np.ascontiguousarray(alter(one)) for one in held_out]
        pixels = np.stack([images.resize(one) for one in spoilt])
        scale = [measure_sizes(one, reference["sizes"])["scale"] or np.nan for one in spoilt]
        flags = distance(weights.features(pixels), reference), ~shows_a_cell(pixels), scale
        found.append(np.stack(flags).astype(np.float32))
    arrays["altered"] = np.stack(found)
    settings = {"scores": SCORES, "altered": list(ALTERED), "neighbours": NEIGHBOURS, "version": 3}
    records.save_measured(NAME, arrays, settings, clock)


def _bordered(photograph):
    edge = len(photograph) // 12
    inner = photograph[edge:-edge, edge:-edge]
    return np.pad(inner, [(edge, edge), (edge, edge), (0, 0)])


def _without_cell(photograph):
    """The third of width and height, in a corner, that has the least purple."""
    height, width = photograph.shape[:2]
    corners = photograph[: height // 3, : width // 3], photograph[-height // 3 :, -width // 3 :]
    return min(corners, key=lambda corner: contrast(images.resize(corner)[None])[0])


#: Ways to spoil a photograph [480, 640, 3], in the order in which what they lead to is stored.
ALTERED = {
    "turned by 15°, black corners": lambda photograph: cv2.warpAffine(
        photograph, cv2.getRotationMatrix2D((320, 240), 15, 1), (640, 480)
    ),
    "black border": _bordered,
    "colour cast": lambda photograph: (photograph * [1, 0.8, 0.7]).astype(np.uint8),
    "half the scale": lambda photograph: np.tile(photograph, (2, 2, 1)),
    "twice the scale": lambda photograph: photograph[120:360, 160:480],
    "two cells": lambda photograph: np.concatenate(
        [photograph[:, 160:480], photograph[:, 479:159:-1]], axis=1
    ),
    "no white cell": _without_cell,
    "blank field": lambda photograph: np.full_like(
        photograph, np.percentile(photograph, 95, axis=(0, 1))
    ),
    "white": lambda photograph: np.full_like(photograph, 255),
    "black": np.zeros_like,
}


# ------------------------------------------------------------------- white cells, and their size

#: A nucleus must be as much more purple than the rest, in grey levels.
LEAST_CONTRAST = 30
#: Cells so many times as large as in the training images, or as small, are said to be.
OTHER_SCALE = 1.75


def contrast(pixels: np.ndarray) -> np.ndarray:
    """How much the most purple hundredth of pictures [n, 60, 80, 3] stands out: float array [n].

    Purple is the mean of red and blue minus green: its 99th percentile minus its median.
    """
    purple = pixels.astype(float) @ [0.5, -1, 0.5]
    high, median = np.percentile(purple.reshape(len(pixels), -1), [99, 50], axis=1)
    return high - median


def shows_a_cell(pixels: np.ndarray) -> np.ndarray:
    """Whether anything in pictures [n, 60, 80, 3] is as purple as a nucleus: bool array [n]."""
    return contrast(pixels) >= LEAST_CONTRAST


def measure_sizes(picture: np.ndarray, usual: np.ndarray) -> dict[str, float | None]:
    """Sizes of cells in a picture, in its pixels; None for what can't be measured.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    usual : float array [2]
        Sizes of white and red cells in training photographs, in widths of what is shown.

    Returns
    -------
    dict
        ``white_cell``, the mean side of the box round the most purple thing; ``red_cells``, the
        median diameter of those that lie alone, if there are two; ``white_scale`` and
        ``red_scale``, how many times as large as usual they are; ``scale``, the red cells' or else
        the white cell's.
    """
    width, height = images.SOURCE.photograph_size
    across = min(picture.shape[1], picture.shape[0] * width / height)
    factor = max(1, max(picture.shape) / 800)  # larger pictures take long, and tell no more
    if factor > 1:
        size = round(picture.shape[1] / factor), round(picture.shape[0] / factor)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    red = external_validation.red_cells(picture)
    if len(red) < 2:
        red = external_validation.red_cells(picture, 0.04, 0.1)
    white = external_validation.white_cell(picture)
    found = {
        "white_cell": None if np.isnan(white) else white * factor,
        "red_cells": float(np.median(red)) * factor if len(red) > 1 else None,
    }
    times = [s and float(s / across / u) for s, u in zip(found.values(), usual, strict=True)]
    found |= {"white_scale": times[0], "red_scale": times[1], "scale": times[1] or times[0]}
    return found


# --------------------------------------------------------------------------------- what is shown


def compute_flags() -> pd.DataFrame:
    """The fraction of each set that is flagged.

    Returns
    -------
    pandas.DataFrame
        ``set, n, flagged``; for spoilt photographs also the fractions that are ``refused``,
        because no white cell is seen, and said to be at ``another_scale``.
    """
    arrays = records.read_measured(NAME)[0]
    limit = np.interp(LIMIT, np.linspace(0, 1, 101), arrays["distances"])
    sets = [
        {"set": words, "n": arrays[name].shape[1], "flagged": (arrays[name][0] >= limit).mean()}
        for name, words in SETS.items()
    ]
    spoilt = [
        {
            "set": kind,
            "n": len(away),
            "flagged": (away >= limit).mean(),
            "refused": refused.mean(),
            "another_scale": (np.abs(np.log(scale)) > np.log(OTHER_SCALE)).mean(),
        }
        for kind, (away, refused, scale) in zip(ALTERED, arrays["altered"], strict=True)
    ]
    return pd.DataFrame(sets + spoilt)


def compute_agreement() -> tuple[float, int]:
    """In how many cases a turned image of TEST and its photograph, unturned, get the same flag.

    Returns
    -------
    (float, int)
        The fraction, and of how many images.
    """
    arrays = records.read_measured(NAME)[0]
    limit = np.interp(LIMIT, np.linspace(0, 1, 101), arrays["distances"])
    behind = photographs.photographs("TEST")
    known = np.setdiff1d(behind, [-1])
    whole = dict(zip(known, arrays["test_photographs"][0] >= limit, strict=True))
    pairs = zip(behind, arrays["TEST"][0] >= limit, strict=True)
    same = [flag == whole[number] for number, flag in pairs if number >= 0]
    return float(np.mean(same)), len(same)


def compute_auroc(draws: int = 500) -> pd.DataFrame:
    """How well scores separate the training slides from PBC, and right from wrong answers on TEST.

    Returns
    -------
    pandas.DataFrame
        ``score``; ``elsewhere, elsewhere_low, elsewhere_high``: area under the ROC curve, home
        (photographs of the reporting half and behind TEST) against PBC; ``wrong, wrong_low,
        wrong_high``: right against wrong answers for TEST. 95% intervals are percentiles of the
        bootstrap over cells.
    """
    arrays = records.read_measured(NAME)[0]
    run = study.run({"method": "DCLNN", "task": "four"})
    wrong = run.arrays["labels"][-1] != run.arrays["truth"]
    home = np.concatenate([arrays["held_out"], arrays["test_photographs"]], axis=1)
    cell_of = photographs.cell_table().set_index("photograph")["cell"]
    test = cell_of.loc[np.setdiff1d(photographs.photographs("TEST"), [-1])]
    there = -np.arange(1, arrays["PBC"].shape[1] + 1)
    questions = {
        "elsewhere": (
            np.concatenate([home, arrays["PBC"]], axis=1),
            np.repeat([False, True], [home.shape[1], len(there)]),
            np.concatenate([arrays["held_out_cells"], test, there]),
        ),
        "wrong": (arrays["TEST"], wrong, photographs.cells("TEST")),
    }
    found = pd.DataFrame({"score": SCORES})
    rng = np.random.default_rng(0)
    for name, (scores, positive, cells) in questions.items():
        _, cell = np.unique(cells, return_inverse=True)
        n = cell.max() + 1
        taken = rng.multinomial(n, np.full(n, 1 / n), draws)[:, cell]
        drawn = [
            [roc_auc_score(positive, one, sample_weight=weight) for weight in taken]
            for one in scores
        ]
        found[name] = [roc_auc_score(positive, one) for one in scores]
        found[[f"{name}_low", f"{name}_high"]] = np.percentile(drawn, [2.5, 97.5], axis=1).T
    return found
