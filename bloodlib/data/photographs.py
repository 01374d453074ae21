"""Which photograph an image was made from, and which photographs show the same cell.

The names of the images don't say. It is recovered from the pixels alone, labels unseen, by
:mod:`bloodlib.data.registration`, and kept in tables that anyone can read without the images:
``results/photographs.csv`` has a row for each image, ``results/cells.csv`` one for each
photograph, ``results/pairs.csv`` one for each two photographs that overlap.
``results/photographs.json`` holds their checksums and how they were made;
``bloodlib audit --remake`` makes them again.
"""

import functools
import io

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from bloodlib.data import images, paths, stored

#: The tables, and the file that vouches for them.
TABLES = ("photographs.csv", "cells.csv", "pairs.csv")
PROVENANCE = "photographs.json"


@functools.cache
def provenance() -> dict:
    """How the tables were made: settings, images, packages, time, and the tables' checksums.

    Raises
    ------
    StoredError
        If there are none.
    """
    path = paths.results_folder() / PROVENANCE
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


def pairs(same_cell: bool = True) -> list[dict]:
    """Photographs of the same cell, two and two; or those that overlap without sharing a cell.

    Returns
    -------
    list of dict
        ``photographs``: two numbers; ``labels``: theirs, as listed; ``splits``: for each of them,
        the splits that hold images of it.
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


def undecided() -> list[str]:
    """Images whose photograph was not found, as ``SPLIT/CLASS/name``."""
    found = table()
    lost = found[found["photograph"] < 0]
    return (lost["split"] + "/" + lost["name"]).tolist()


def disagreements() -> pd.DataFrame:
    """Images in the folder of another class than their photograph's label: rows of the table."""
    found = table()
    found = found[found["photograph"] >= 0]
    labels = cell_table().set_index("photograph")["labels"].loc[found["photograph"]].to_numpy()
    folder = found["name"].str.split("/").str[0]
    return found.assign(folder=folder, labels=labels)[folder.to_numpy() != labels]


def save(images_: pd.DataFrame, cells_: pd.DataFrame, pairs_: pd.DataFrame, made: dict) -> None:
    """Write the tables and, last, the file that vouches for them.

    Parameters
    ----------
    images_, cells_, pairs_ : pandas.DataFrame
        As :func:`table`, :func:`cell_table` and :func:`pair_table` return them.
    made : dict
        How they were made.
    """
    frames = zip(TABLES, (images_, cells_, pairs_), strict=True)
    content = {
        name: frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames
    }
    stored.write(paths.results_folder(), "photographs", content, made)
    for cached in (provenance, table, cell_table, pair_table):
        cached.cache_clear()


_REMEDY = "Restore it with 'git checkout results', or make it with 'bloodlib audit --remake'."


def _read(name: str, **options) -> pd.DataFrame:
    path = paths.results_folder() / name
    raw = stored.read(path, _REMEDY, provenance()["sha256"][name])
    return pd.read_csv(io.BytesIO(raw), **options)
