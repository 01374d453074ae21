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
from bloodlib.evidence import comparison, intervals
from bloodlib.paper import arithmetic
from bloodlib.study import records

PRESENT, ABSENT, UNDECIDABLE = "present", "absent", "can't be told"
#: The methods that are tried on all splits, DCLNN as in Table 1, and one that only recognises.
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


class Finding(NamedTuple):
    """A type of leakage, whether it is in these data and this protocol, and how that is known."""

    type: str
    verdict: str
    evidence: str


def compute_accuracy(runs: list[records.Record]) -> tuple[float, float, float]:
    """Accuracy on what runs held out, and its CI by cell: the mean over seeds, all folds together.

    Parameters
    ----------
    runs : list of Record
        Of one method, task and split; folds may have different numbers of seeds.

    Returns
    -------
    value, low, high : float
        See :func:`bloodlib.evidence.intervals.mean_bounds`.
    """
    by, task = (study.resolve(runs[0].config)[key] for key in ("split_by", "task"))
    folds = comparison.by_fold(runs)
    right = np.concatenate([comparison.correct(own)[-1] for own in folds.values()])
    truth = np.concatenate([own[0].arrays["truth"] for own in folds.values()])
    cells = splits.pooled(photographs.cells)
    cells = np.concatenate([cells[splits.split(by, fold).test] for fold in folds])
    strata = np.concatenate([splits.labels("TEST", "four", by, fold) for fold in folds])
    drawn = intervals.resample(truth, cells, len(images.TASKS[task]), strata=strata)
    return float(right.mean()), *intervals.mean_bounds(right[None], drawn)


def compute_splits() -> pd.DataFrame:
    """How accuracy with four classes changes with nothing but the split.

    Returns
    -------
    pandas.DataFrame
        A row for each method and split that has runs: ``method, split_by, runs``; ``accuracy, low,
        high``, see :func:`compute_accuracy`; ``folds``, the accuracy on each fold, the mean over
        seeds. For networks ``late``, the accuracy after each of the last ten epochs, all folds
        together, and ``step``, how far a run's moves from one of them to the next. Methods that
        have runs on the published split only are left out.
    """
    rows = []
    for method, settings in METHODS.items():
        found = {
            by: comparison.frozen(settings | {"task": "four", "split_by": by}, ("seed", "fold"))
            for by in SHOWN
        }
        if not any(found[by] for by in SHOWN if by != "published"):
            continue
        for by, runs in found.items():
            if not runs:
                continue
            right = [comparison.correct(own) for own in comparison.by_fold(runs).values()]
            curve = np.concatenate(right, axis=1).mean(axis=1)
            network = len(curve) > 1
            each = [comparison.accuracies(run, comparison.LATE) for run in runs if network]
            rows.append(
                {
                    "method": method,
                    "split_by": by,
                    "runs": len(runs),
                    **dict(zip(("accuracy", "low", "high"), compute_accuracy(runs), strict=True)),
                    "folds": [float(one[-1].mean()) for one in right],
                    "late": curve[-len(comparison.LATE) :].tolist() if network else [],
                    "step": np.abs(np.diff(each)).mean() if network else np.nan,
                }
            )
    return pd.DataFrame(rows)


def show_splits(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`compute_splits` for a page, ranges in words."""
    return found.assign(
        held_out=found["split_by"].map(SHOWN),
        folds=[f"{min(f):.2f} to {max(f):.2f}" if len(f) > 1 else "–" for f in found["folds"]],
        late=[
            f"{min(late):.2f} to {max(late):.2f}, mean {np.mean(late):.2f}" if late else "–"
            for late in found["late"]
        ],
    )


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


def compute_overlaps() -> pd.DataFrame:
    """:func:`overlap` of each split in its first fold, with the fraction of the held-out images."""
    found = pd.DataFrame([{"split_by": by, **overlap(by)} for by in SHOWN])
    return found.assign(fraction=found["images"] / [len(splits.split(by, 0).test) for by in SHOWN])


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
    gain = ""
    if found := comparison.compared("DCLNN", "four"):
        epochs = min(run.epochs for run in found)  # some went on
        curves = np.array([comparison.accuracies(run, range(1, epochs + 1)) for run in found])
        gains = curves.max(axis=1) - curves[:, comparison.EPOCH - 1]
        gain = (
            f" With four classes, the best of {epochs} epochs scores {gains.mean():.3f} more on "
            f"TEST than epoch {comparison.EPOCH}."
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
