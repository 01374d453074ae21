"""What leaks from training into testing: the same methods on other splits, and a taxonomy.

The taxonomy is that of Kapoor and Narayanan, "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4 (2023) 100804, doi:10.1016/j.patter.2023.100804.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.data import images, photographs, splits
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.paper import arithmetic
from bloodlib.study import records

PRESENT, ABSENT, UNDECIDABLE = "present", "absent", "can't be told"
#: The methods that are tried on all splits, DCLNN as in Table 1, and one that only recognises.
METHODS = {
    "NB": comparison.COMPARED["NB"],
    "SVM": comparison.COMPARED["SVM"],
    "KNN": {"method": "KNN"},
    "DCLNN": comparison.COMPARED["DCLNN"],
}
#: The splits that hold images out of TRAIN and TEST, in words.
SHOWN = {
    "published": "as published",
    "image": "images at random",
    "photograph": "by photograph",
    "cell": "by cell",
}


class Finding(NamedTuple):
    """A type of leakage, whether it is in these data and this protocol, and how that is known."""

    type: str
    verdict: str
    evidence: str


def runs(method: str, split_by: str, task: str = "four") -> list[records.Record]:
    """Frozen runs of a method of :data:`METHODS` on a split, one for each fold and seed."""
    wanted = METHODS[method] | {"task": task, "split_by": split_by}
    return comparison.frozen(wanted, ("seed", "fold"))


def accuracy(found: list[records.Record]) -> tuple[float, float, float]:
    """Accuracy on what runs held out, all folds together, and its interval by cell.

    Parameters
    ----------
    found : list of Record
        Of one method, task and split. Folds hold out different images; runs of the same fold
        with several seeds count as so many more images of the same cells.

    Returns
    -------
    value, low, high : float
        See :func:`bloodlib.evidence.intervals.bounds`.
    """
    parts = {name: [] for name in ("truth", "labels", "cells", "strata")}
    for run in found:
        by, fold = (study.resolve(run.config)[key] for key in ("split_by", "fold"))
        parts["truth"].append(run.arrays["truth"])
        parts["labels"].append(comparison.predicted([run])[0])
        parts["cells"].append(splits.pooled(photographs.cells)[splits.split(by, fold).test])
        parts["strata"].append(splits.labels("TEST", "four", by, fold))
    truth, labels, cells, strata = (np.concatenate(part) for part in parts.values())
    n_classes = len(images.TASKS[found[0].config["task"]])
    resamples = intervals.resample(truth, cells, n_classes, strata=strata, unseen=True)
    low, high = intervals.bounds(scores.accuracy, labels[None], resamples)
    return float((truth == labels).mean()), float(low), float(high)


def compute_splits(task: str = "four") -> pd.DataFrame:
    """How a score changes with nothing but the split.

    Returns
    -------
    pandas.DataFrame
        ``method, split_by, runs, accuracy, low, high``; ``folds``, the accuracy of each run;
        ``late``, for networks, that after each of the last ten epochs, all runs together.
        Without rows where there is no run.
    """
    rows = []
    for method, by in itertools.product(METHODS, SHOWN):
        if found := runs(method, by, task):
            value, low, high = accuracy(found)
            folds = [
                float((comparison.predicted([run])[0] == run.arrays["truth"]).mean())
                for run in found
            ]
            late = [
                one
                for run in found
                if run.epochs >= comparison.EPOCH
                for one in comparison.accuracies(run, comparison.LATE)
            ]
            rows.append((method, by, len(found), value, low, high, folds, late))
    names = ["method", "split_by", "runs", "accuracy", "low", "high", "folds", "late"]
    return pd.DataFrame(rows, columns=names)


def overlap(by: str, fold: int = 0) -> dict[str, int]:
    """What a split has on both sides.

    Returns
    -------
    dict
        ``photographs`` and ``cells`` on both sides, and ``images`` held out that show such a cell.
    """
    rows = splits.split(by, fold)
    found = {}
    for what, function in (("photographs", photographs.photographs), ("cells", photographs.cells)):
        numbers = splits.pooled(function)
        both = np.intersect1d(numbers[rows.train], numbers[rows.test])
        found[what] = len(both)
    found["images"] = int(np.isin(numbers[rows.test], both).sum())
    return found


def show_splits(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_splits` for a page, numbers with their intervals."""
    return pd.DataFrame(
        [
            {
                "Method": row.method,
                "Held out": SHOWN[row.split_by],
                "Accuracy": comparison.with_interval(row.accuracy, row.low, row.high),
                "Folds": f"{min(row.folds):.2f} to {max(row.folds):.2f}" if row.runs > 1 else "–",
                "Last ten epochs": f"{min(row.late):.2f} to {max(row.late):.2f}, mean "
                f"{np.mean(row.late):.2f}"
                if row.late
                else "–",
                "Runs": row.runs,
            }
            for row in found.itertuples()
        ]
    )


def compute_overlaps() -> pd.DataFrame:
    """What each split has on both sides, in its first fold."""
    rows = []
    for by, shown in SHOWN.items():
        sides = overlap(by)
        share = sides["images"] / len(splits.split(by, 0).test)
        rows.append(
            {
                "Held out": shown,
                "Photographs on both sides": sides["photographs"],
                "Cells on both sides": sides["cells"],
                "Held-out images of such a cell": f"{share:.1%}",
            }
        )
    return pd.DataFrame(rows)


def findings() -> list[Finding]:
    """The types of the taxonomy, one by one, and the choice of epochs on TEST."""
    return [
        _no_test_set(),
        Finding(
            "L1.2 pre-processing on training and test set together",
            ABSENT,
            "Pixels are divided by 255; nothing is estimated from images. The paper states no "
            "other pre-processing.",
        ),
        Finding(
            "L1.3 feature selection on training and test set together",
            ABSENT,
            "No feature is selected: all methods get the pixels.",
        ),
        _duplicates(),
        _selection(),
        Finding(
            "L2 features that are not legitimate",
            UNDECIDABLE,
            "All methods see the whole picture, red cells and stain included. DCLNN looks at the "
            "white cell (chapter 16), but its answers change with the stain (chapter 18); and "
            "nothing published tells one film or person from another.",
        ),
        Finding(
            "L3.1 temporal leakage",
            ABSENT,
            "Nothing is forecast; the photographs carry no dates.",
        ),
        _dependence(),
        _bias(),
    ]


def show_findings() -> pd.DataFrame:
    """The findings as a table."""
    return pd.DataFrame(findings()).rename(columns=str.capitalize)


def audit() -> dict:
    """Everything that ``bloodlib audit --json`` prints."""
    return {
        "tables": arithmetic.tables({task: images.counts(task) for task in images.TASKS}),
        "photographs": photographs.counts("photographs"),
        "cells": photographs.counts("cells"),
        "pairs": photographs.pairs(),
        "overlaps": photographs.pairs(same_cell=False),
        "undecided": photographs.undecided(),
        "leakage": [finding._asdict() for finding in findings()],
    }


def audit_text(audit: dict) -> str:
    """The same, to be read in a terminal."""
    lines = ["Tables: is there a confusion matrix that rounds to every printed number?"]
    for name, block in audit["tables"].items():
        words = (
            "yes, accuracy {:.4f} to {:.4f}".format(*block["accuracy"])
            if block["feasible"]
            else "no"
        )
        lines.append(f"  {name:22} {words}")
    for what in ("photographs", "cells"):
        lines.append(f"{what.capitalize()} behind the images")
        for split, found in audit[what].items():
            listed = ", ".join(f"{n} {name.lower()}" for name, n in found.items())
            lines.append(f"  {split:12} {sum(found.values()):4}  {listed}")
    lines.append(f"Cells photographed twice: {len(audit['pairs'])} pairs of photographs")
    for pair in audit["pairs"]:
        sides = [
            f"{number} ({label.lower() or 'no label'}; {', '.join(split) or 'in no split'})"
            for number, label, split in zip(
                pair["photographs"], pair["labels"], pair["splits"], strict=True
            )
        ]
        lines.append(f"  {' and '.join(sides)}")
    lines.append("Leakage")
    for finding in audit["leakage"]:
        lines.append(f"  [{finding['verdict']}] {finding['type']}")
        lines.append(f"      {finding['evidence']}")
    return "\n".join(lines)


def _no_test_set():
    possible = {
        split: sum(
            arithmetic.bounds(method, images.counts(task)[split]).feasible
            for method, task in itertools.product(arithmetic.METHODS, images.TASKS)
        )
        for split in images.SPLITS
    }
    n = len(arithmetic.METHODS) * len(images.TASKS)
    listed = ", ".join(f"{split} {k} of {n}" for split, k in possible.items())
    return Finding(
        "L1.1 no test set",
        UNDECIDABLE,
        "The paper names no test set. Blocks of its tables that can have been computed on: "
        f"{listed}. Here TEST is held out.",
    )


def _duplicates():
    identical = images.dataset()["identical"]["of TRAIN in TEST"]
    both = overlap("published")
    n = len(images.names("TEST"))
    return Finding(
        "L1.4 duplicates on both sides",
        PRESENT if identical or both["cells"] else ABSENT,
        f"TRAIN and TEST have {identical} files and {both['photographs']} photographs in common, "
        f"but {both['cells']} cells, photographed twice: {both['images']:,} images of TEST "
        f"({both['images'] / n:.1%}) show them.",
    )


def _selection():
    found = comparison.compared("DCLNN", "four")
    gains = []
    for run in found:
        each = comparison.accuracies(run, range(1, run.epochs + 1))
        gains.append(max(each) - each[comparison.EPOCH - 1])
    gain = (
        f" With four classes, the best of {found[0].epochs} epochs scores "
        f"{np.mean(gains):.3f} more on TEST than epoch {comparison.EPOCH}."
        if found
        else ""
    )
    return Finding(
        "L1, selection on the test set (no number of its own)",
        UNDECIDABLE,
        "Section 6.2 chooses the number of epochs on a validation set and does not say which. In "
        "the notebook that the network seems to come from it is TEST; if it is here, too, TEST was "
        f"chosen on.{gain}",
    )


def _dependence():
    n = len(images.names("TEST"))
    found = photographs.counts("photographs")["TEST"], photographs.counts("cells")["TEST"]
    return Finding(
        "L3.2 dependence between samples",
        PRESENT,
        f"TEST's {n:,} images were made from {sum(found[0].values())} photographs of "
        f"{sum(found[1].values())} cells. Whose blood it was isn't published: whether a person is "
        "on both sides can't be told.",
    )


def _bias():
    cells = photographs.counts("cells")["TEST"]
    made = images.counts()["TEST"]
    listed = ", ".join(
        f"{name.lower()} {cells[name]} cells and {made[name]} images" for name in images.CLASSES
    )
    return Finding(
        "L3.3 sampling bias",
        PRESENT,
        f"TEST was filled up to equal classes: {listed}. Blood has no such shares, and all of it "
        "comes from one laboratory.",
    )
