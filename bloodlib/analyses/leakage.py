"""What leaks from training into testing: the same methods on other splits, and a taxonomy.

The taxonomy is that of Kapoor and Narayanan, "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4 (2023) 100804, doi:10.1016/j.patter.2023.100804.
"""

import itertools

import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import comparison, intervals
from bloodlib.paper import arithmetic

#: The methods of Table 1, and two for comparison, which are tried on all splits.
METHODS = {
    "NB": comparison.COMPARED["NB"],
    "SVM": comparison.COMPARED["SVM"],
    "KNN": {"method": "KNN"},
    "compact CNN": {"method": "small"},
    "DCLNN": comparison.COMPARED["DCLNN"],
}
#: The splits that hold images out of TRAIN and TEST, in words.
SHOWN = {
    "published": "as published",
    "image": "images at random",
    "photograph": "by photograph",
    "cell": "by cell",
}


def held_out(settings: dict, by: str) -> np.ndarray:
    """Whether images are classified correctly by runs that held them out, with four classes.

    Parameters
    ----------
    settings : dict
        Of :data:`METHODS`.
    by : str
        The split, of :data:`SHOWN`.

    Returns
    -------
    float array [seeds, images of TRAIN and TEST]
        1 if correct, 0 if not, nan where no run held the image out. No seeds where no run is
        recorded.
    """
    runs = comparison.saved(settings | {"task": "four", "split_by": by}, ("seed", "fold"))
    configs = [study.resolve(run.config) for run in runs]
    n_seeds = max((config["seed"] + 1 for config in configs), default=0)
    right = np.full((n_seeds, len(splits.pooled(images.names))), np.nan)
    for run, config in zip(runs, configs, strict=True):
        rows = splits.split(by, config["fold"]).test
        answer = run.arrays["labels"][: comparison.EPOCH][-1]
        right[config["seed"], rows] = answer == run.arrays["truth"]
    return right


def compute_splits() -> pd.DataFrame:
    """How accuracy with four classes changes with nothing but the split.

    Returns
    -------
    pandas.DataFrame
        A row for each method and split that has runs: ``method, split_by``; ``accuracy`` on what
        they held out and ``low, high``, its CI over cells: the mean over seeds, all folds together;
        ``folds``, the accuracy on each fold. Methods that have runs on the published split only
        are left out.
    """
    rows = []
    labels, cells = splits.pooled(images.labels), splits.pooled(photographs.cells)
    for method, settings in METHODS.items():
        found = {by: held_out(settings, by) for by in SHOWN}
        found = {by: right for by, right in found.items() if len(right)}
        for by, right in found.items() if set(found) != {"published"} else ():
            tried = ~np.isnan(right).all(axis=0)
            mean = np.nanmean(right[:, tried], axis=0)
            drawn = intervals.resample(labels[tried], cells[tried], len(images.CLASSES), 20_000)
            low, high = intervals.mean_bounds(mean[None], drawn)
            one, placed = 1 if by == "published" else splits.N_FOLDS, np.cumsum(tried) - 1
            folds = [splits.split(by, fold).test for fold in range(one)]
            folds = [float(mean[placed[rows]].mean()) for rows in folds if tried[rows].all()]
            rows.append((method, by, mean.mean(), low, high, folds))
    return pd.DataFrame(rows, columns=["method", "split_by", "accuracy", "low", "high", "folds"])


def compute_overlaps() -> pd.DataFrame:
    """What each split has on both sides, in its first fold.

    Returns
    -------
    pandas.DataFrame
        ``split_by``; ``photographs`` and ``cells`` on both sides; ``images`` held out that show
        such a cell, and their ``fraction``.
    """
    rows = []
    for by in SHOWN:
        train, test = splits.split(by, 0)[:2]
        behind = splits.pooled(photographs.photographs), splits.pooled(photographs.cells)
        both = [np.intersect1d(numbers[train], numbers[test]) for numbers in behind]
        shown = np.isin(behind[1][test], both[1])
        rows.append((by, *map(len, both), shown.sum(), shown.mean()))
    names = ["split_by", "photographs", "cells", "images", "fraction"]
    return pd.DataFrame(rows, columns=names)


def findings() -> list[dict[str, str]]:
    """The types of the taxonomy, one by one, and the choice of epochs on TEST.

    Returns
    -------
    list of dict
        ``type``; ``verdict``, whether it is in these data and this protocol; ``evidence``.
    """
    blocks = list(itertools.product(arithmetic.METHODS, images.TASKS))
    possible = {
        split: sum(
            arithmetic.bounds(method, images.counts(task)[split]).feasible
            for method, task in blocks
        )
        for split in images.SPLITS
    }
    listed = ", ".join(f"{split} {k} of {len(blocks)}" for split, k in possible.items())
    identical = images.dataset()["identical"]["of TRAIN in TEST"]
    both = compute_overlaps().iloc[list(SHOWN).index("published")]
    made, cells = images.counts()["TEST"], photographs.counts("cells")["TEST"]
    behind = photographs.counts("photographs")["TEST"]
    equal = ", ".join(
        f"{name.lower()}s {cells[name]} cells and {made[name]} images" for name in images.CLASSES
    )
    rows = [
        (
            "L1.1 no test set",
            "unknown",
            "The paper names no test set. Groups of rows of its tables that are possible on: "
            f"{listed}. Here TEST is held out.",
        ),
        (
            "L1.2 pre-processing on training and test set together",
            "absent",
            "Pixels are divided by 255; nothing is estimated from images. The paper states no "
            "other pre-processing.",
        ),
        (
            "L1.3 feature selection on training and test set together",
            "absent",
            "No feature is selected by a score on held-out images.",
        ),
        (
            "L1.4 duplicates on both sides",
            "present" if identical or both["cells"] else "absent",
            f"TRAIN and TEST have {identical} files and {both['photographs']} photographs in "
            f"common, but {both['cells']} cells, photographed twice: {both['images']:,} images of "
            f"TEST ({both['fraction']:.1%}) show them.",
        ),
        (
            "L1, selection on the test set (no number of its own)",
            "unknown",
            "Section 6.2 chooses the number of epochs on a validation set and does not say which. "
            "In the Kaggle notebook with a similar network it is TEST. If the paper did the same, "
            "the epoch was selected on TEST.",
        ),
        (
            "L2 features that are not legitimate",
            "unknown",
            "All methods see the whole picture, red cells and stain included. DCLNN looks at the "
            "white cell, as painting it over shows, but its answers change with the stain. Films "
            "and patients were not published.",
        ),
        (
            "L3.1 temporal leakage",
            "absent",
            "Nothing is forecast; the photographs carry no dates.",
        ),
        (
            "L3.2 dependence between samples",
            "present",
            f"TEST's {sum(made.values()):,} images were made from {sum(behind.values())} "
            f"photographs of {sum(cells.values())} cells. Patients were not published, so that "
            "one may be on both sides.",
        ),
        (
            "L3.3 sampling bias",
            "present",
            f"TEST was filled up to equal classes: {equal}. The classes in blood are not equal, "
            "and the laboratory is not known.",
        ),
    ]
    return [dict(zip(("type", "verdict", "evidence"), row, strict=True)) for row in rows]


def compute_replay() -> dict[str, dict[str, int]]:
    """The published split against :func:`bloodlib.data.photographs.replay`, in photographs.

    Returns
    -------
    dict
        By split: ``found`` by the pixels, ``expected`` by the replay, and those that ``agree``.
    """
    found = {split: set(photographs.photographs(split)) - {-1} for split in ("TRAIN", "TEST")}
    return {
        split: {
            "found": len(found[split]),
            "expected": len(expected),
            "agree": len(found[split] & expected),
        }
        for split, expected in photographs.replay().items()
    }


def audit() -> dict:
    """Everything that ``bloodlib audit --json`` prints."""
    table = photographs.table()
    lost = table[table["photograph"] < 0]
    return {
        "tables": arithmetic.tables({task: images.counts(task) for task in images.TASKS}),
        "photographs": photographs.counts("photographs"),
        "cells": photographs.counts("cells"),
        "pairs": photographs.pairs(),
        "overlaps": photographs.pairs(same_cell=False),
        "undecided": (lost["split"] + "/" + lost["name"]).tolist(),
        "replay": compute_replay(),
        "leakage": findings(),
    }


def replay_text(replay: dict[str, dict[str, int]]) -> str:
    """:func:`compute_replay`, to be read in a terminal."""
    lines = ["The split, drawn again from the photographs' labels and the public seed"]
    for split, n in replay.items():
        lines.append(f"  {split:12} {n['agree']} of {n['expected']} photographs agree")
    return "\n".join(lines)


def audit_text(audit: dict) -> str:
    """The same, to be read in a terminal."""
    lines = ["Tables: is there a confusion matrix that rounds to every printed number?"]
    for name, block in audit["tables"].items():
        possible = block["accuracy"]
        words = "yes, accuracy {:.4f} to {:.4f}".format(*possible) if possible else "no"
        lines.append(f"  {name:22} {words}")
    for what in ("photographs", "cells"):
        lines.append(f"{what.capitalize()} behind the images")
        for split, found in audit[what].items():
            listed = ", ".join(f"{n} {name.lower()}" for name, n in found.items())
            lines.append(f"  {split:12} {sum(found.values()):4}  {listed}")
    lines.append(f"Cells photographed twice: {len(audit['pairs'])} pairs of photographs")
    for pair in audit["pairs"]:
        sides = zip(pair["photographs"], pair["labels"], pair["splits"], strict=True)
        described = [
            f"{number} ({label.lower() or 'no label'}; {', '.join(split) or 'in no split'})"
            for number, label, split in sides
        ]
        lines.append(f"  {' and '.join(described)}")
    lines.append(replay_text(audit["replay"]))
    lines.append("Leakage")
    for finding in audit["leakage"]:
        lines.append(f"  [{finding['verdict']}] {finding['type']}\n      {finding['evidence']}")
    return "\n".join(lines)
