"""Other ways to hold images out: at random, by photograph, by cell; within TRAIN; fewer cells.

The published folders TRAIN and TEST are put together and divided anew into five folds with the
classes in equal shares; a fold is held out in the place of TEST. To choose settings, TRAIN alone
is divided so, by cell: TEST is in none of its folds. To see what more cells would bring, a half or
a quarter of TRAIN's is trained on, and TEST stays as it is.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bloodlib.data import images

#: What is kept together. By ``published``, the folders as they are; ``image``, nothing, images are
#: drawn at random, as many public notebooks do; ``photograph`` and ``cell``, all images of one;
#: ``train-cell``, all images of one cell, within TRAIN, and TEST is left out; ``half`` and
#: ``quarter``, that share of TRAIN's cells is trained on.
SPLIT_BY = ("published", "image", "photograph", "cell", "train-cell", "half", "quarter")
N_FOLDS = 5
#: Into how many parts TRAIN's cells are divided where only one part is trained on.
PARTS = {"half": 2, "quarter": 4}
#: The divisions that hold out the published TEST.
ON_TEST = ("published", *PARTS)


class Split(NamedTuple):
    """Rows of TRAIN followed by those of TEST that are trained on, and that are held out.

    Attributes
    ----------
    train : int array
    test : int array
    """

    train: np.ndarray
    test: np.ndarray


def split(by: str, fold: int) -> Split:
    """Divide the images of TRAIN and TEST.

    Parameters
    ----------
    by : {"published", "image", "photograph", "cell", "train-cell", "half", "quarter"}
        See :data:`SPLIT_BY`.
    fold : int
        Which fifth is held out; 5 begins another division of the same kind, and so on. Of ``half``
        and ``quarter``: which part is trained on, in the same way.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If there is no such way to divide, or no such fold.
    """
    check(by, fold)
    n_train, n_test = (len(images.names(name)) for name in ("TRAIN", "TEST"))
    train, test = np.split(np.arange(n_train + n_test), [n_train])
    if by == "published":
        return Split(train, test)
    seed, number = divmod(fold, PARTS.get(by, N_FOLDS))
    chosen = _divide(by, seed)[number]
    return Split(chosen.test, test) if by in PARTS else chosen


@functools.cache
def _divide(by, seed):
    """All folds of a division."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    folds, n = StratifiedKFold if by == "image" else StratifiedGroupKFold, PARTS.get(by, N_FOLDS)
    division = folds(n, shuffle=True, random_state=seed)
    labels, together = pooled(images.labels), groups(by)
    if by in ("train-cell", *PARTS):
        n_train = len(images.names("TRAIN"))
        labels, together = labels[:n_train], together[:n_train]
    return [Split(*rows) for rows in division.split(labels, labels, together)]


def groups(by: str) -> np.ndarray | None:
    """Number of the photograph or the cell of each image of TRAIN and TEST; None for ``image``."""
    from bloodlib.data import photographs

    if by in ("published", "image"):
        return None
    return pooled(photographs.photographs if by == "photograph" else photographs.cells)


def pooled(function) -> np.ndarray:
    """Values of a function of a folder's name, for TRAIN and TEST one after the other."""
    return np.concatenate([function("TRAIN"), function("TEST")])


def check(by: str, fold: int) -> None:
    """Refuse a way to divide that does not exist.

    Raises
    ------
    ValueError
        If there is no such way, or no such fold.
    """
    if by not in SPLIT_BY:
        raise ValueError(f"split_by is {by!r}. There are: {', '.join(SPLIT_BY)}.")
    if type(fold) is not int or fold < 0:
        raise ValueError(f"fold is {fold!r}, which is not a whole number from 0")
    if by == "published" and fold:
        raise ValueError("the published folders are one division: their fold is 0")


def rearrange(of: Mapping[str, np.ndarray], by: str, fold: int) -> dict[str, np.ndarray]:
    """Arrays of TRAIN and TEST divided anew, row by row; that of TEST_SIMPLE stays as it is.

    Parameters
    ----------
    of : mapping of array
        By split, in the order of :func:`bloodlib.data.images.names`.
    by, fold : str, int
        See :func:`split`.
    """
    rows, pool = split(by, fold), pooled(of.__getitem__)
    return {**of, "TRAIN": pool[rows.train], "TEST": pool[rows.test]}


def labels(split_name: str, task: str, by: str = "published", fold: int = 0) -> np.ndarray:
    """True labels of TRAIN, TEST (what is held out) or TEST_SIMPLE: uint8 array [n]."""
    true = {name: images.labels(name, task) for name in images.SPLITS}
    return rearrange(true, by, fold)[split_name]


def data_hash(by: str = "published", fold: int = 0) -> str:
    """Identity of the images and of their division.

    The first digits of the SHA-256 of the rows held out, or of those trained on where TEST is held
    out, are put behind the hash of the images.
    """
    if by == "published":
        return images.DATA_HASH
    chosen = split(by, fold)
    rows = (chosen.train if by in ON_TEST else chosen.test).astype("<i4").tobytes()
    return f"{images.DATA_HASH}-{hashlib.sha256(rows).hexdigest()[:10]}"


def compute_by_cell() -> None:
    """Write ``results/wbc-by-cell/wbc-by-cell.csv``, and its checksum into the metadata beside it.

    A row for each image of TRAIN, TEST and TEST_SIMPLE, for use without this package: its path and
    git's SHA-1 of its content, ``class``, ``photograph``, ``cell``, ``split``; ``replayed``, the
    split that :func:`bloodlib.data.photographs.replay` gives its photograph; ``fold``, which of the
    folds of ``cell`` holds its cell out; ``conflict``, whether the labels of the cell's photographs
    contradict each other.
    """
    import pandas as pd

    from bloodlib.data import photographs, stored

    table, cells = photographs.table(), photographs.cell_table().set_index("photograph")
    cell = cells["cell"][table["photograph"]].to_numpy()
    replayed = {n: name for name, numbers in photographs.replay().items() for n in numbers}
    fold_of, pooled_cells = {}, groups("cell")
    for fold in range(N_FOLDS):
        fold_of |= dict.fromkeys(pooled_cells[split("cell", fold).test], fold)
    labels = cells.loc[cells["labels"] != "", "labels"].str.split("+").map(set)
    labels = labels.groupby(cells["cell"]).agg(list)
    conflicts = labels.index[[not set.intersection(*each) for each in labels]]
    path = table["split"] + "/" + table["name"]
    rows = pd.DataFrame(
        {
            "image": path,
            "git_sha1": [images.manifest()[f"images/{one}"] for one in path],
            "class": table["name"].str.partition("/")[0],
            "photograph": table["photograph"],
            "cell": cell,
            "split": table["split"],
            "replayed": table["photograph"].map(replayed),
            "fold": [fold_of[one] for one in cell],
            "conflict": np.isin(cell, conflicts),
        }
    )
    folder = stored.results_folder() / "wbc-by-cell"
    described = stored.read_json(folder / "croissant.json", "Restore it: 'git checkout results'.")
    raw = rows.to_csv(index=False, lineterminator="\n").encode()
    described["distribution"][0]["sha256"] = stored.checksum(raw)
    stored.write_atomically(folder / "wbc-by-cell.csv", raw)
    text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
    stored.write_atomically(folder / "croissant.json", text.encode())
