"""Score anybody's predictions of TEST or of held-out folds: by image, photograph and cell."""

import csv
from pathlib import Path

import numpy as np
from scipy import stats

from bloodlib.data import images, photographs, splits
from bloodlib.evidence import intervals, scores

COLUMNS = ("image", "predicted")
REMEDY = (
    "A row of the file is the image's path or name, such as TEST/MONOCYTE/_0_1095.jpeg, and the "
    "predicted class; its first line is: image,predicted"
)


def read(path: str | Path) -> tuple[str, str, np.ndarray, np.ndarray]:
    """Predictions from a CSV file: of TEST or, if images of TRAIN are among them, of whole folds.

    Of an image's path, the folders of split and class and the file's name count; without a split
    it is TEST's. Case does not matter. Folds are those of ``results/wbc-by-cell``, which hold
    images of TRAIN and of TEST.

    Returns
    -------
    task : {"four", "two"}
    where : str
        What was predicted, in words.
    rows : int array [n]
        Places of the predicted images among TRAIN's followed by TEST's, rising.
    labels : int array [n]

    Raises
    ------
    ValueError
        If the file can't be read so, with the number of the line and what to do.
    """
    n_train = len(images.names("TRAIN"))
    names = [f"{split}/{name}" for split in ("TRAIN", "TEST") for name in images.names(split)]
    places = {name.lower(): place for place, name in enumerate(names)}
    task, labels = None, np.full(len(names), -1)

    def refuse(what):
        return ValueError(f"{path}, line {max(lines.line_num, 1)}: {what}. {REMEDY}")

    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        try:
            if [word.strip().lower() for word in next(lines, [])] != list(COLUMNS):
                raise refuse("these are not the columns image and predicted")
            for row in lines:
                if len(row) != len(COLUMNS):
                    raise refuse(f"{len(row)} columns in the place of {len(COLUMNS)}")
                image, predicted = (word.strip() for word in row)
                *above, kind, name = ["", *image.lower().replace("\\", "/").split("/")]
                known = [split for split in images.SPLITS if split.lower() in above[-1:]]
                split = known[0].lower() if known else "test"
                place = places.get(f"{split}/{kind}/{name}")
                if place is None:
                    raise refuse(f"{image} is no image of TRAIN or TEST")
                if labels[place] >= 0:
                    raise refuse(f"{image} is there a second time")
                classes = {
                    name.lower(): (of, label)
                    for of, named in images.TASKS.items()
                    for label, name in enumerate(named)
                }
                of, labels[place] = classes.get(predicted.lower(), (None, -1))
                task = task or of
                if of is None or of != task:
                    known = ", ".join(images.TASKS[task or "four"])
                    raise refuse(f"{predicted or 'nothing'} is no class of these: {known}")
        except (csv.Error, UnicodeDecodeError) as error:
            raise refuse(f"no text with commas ({error})") from error
    whole, where = {"TEST": np.arange(n_train, len(names))}, "TEST"
    if (labels[:n_train] >= 0).any():
        folds = [splits.split("cell", fold).test for fold in range(splits.N_FOLDS)]
        whole = {f"fold {n}": rows for n, rows in enumerate(folds) if (labels[rows] >= 0).any()}
        where = f"{', '.join(whole)} of TRAIN and TEST"
    for part, rows in whole.items():
        if missing := rows[labels[rows] < 0].tolist():
            raise ValueError(
                f"{path}: {len(missing)} of {part}'s {len(rows)} images are missing, the first is "
                f"{names[missing[0]]}. Predict all of TEST, or all images of a fold of "
                "results/wbc-by-cell: a part has another accuracy."
            )
    rows = np.flatnonzero(labels >= 0)
    return task, where, rows, labels[rows]


def score(path: str | Path) -> dict:
    """Accuracy of predictions, and recall by class, with 95 % confidence intervals.

    Returns
    -------
    dict
        ``file``, ``task``, ``where``; ``accuracy`` with ``low`` and ``high``, over cells;
        ``units``: for images, photographs and cells ``n``, the ``fraction`` classified
        correctly (of photographs and cells, by majority of their images) and ``low, high``, as if
        each unit were independent; ``classes``: ``class, images, cells, recall, low, high``, over
        cells.
    """
    task, where, rows, labels = read(path)
    truth = splits.pooled(lambda split: images.labels(split, task))[rows]
    strata = splits.pooled(images.labels)[rows]
    behind = {
        "photographs": splits.pooled(photographs.photographs)[rows],
        "cells": splits.pooled(photographs.cells)[rows],
    }
    right, names = labels == truth, images.TASKS[task]
    drawn = intervals.resample(truth, behind["cells"], len(names), strata=strata)
    low, high = intervals.bounds(scores.accuracy, labels[None], drawn)
    units = []
    for unit, groups in {"images": np.arange(len(truth)), **behind}.items():
        winner = intervals.vote(labels, groups)
        found = (winner == intervals.vote(truth, groups)) & (winner >= 0)
        ends = stats.binomtest(int(found.sum()), len(found)).proportion_ci()
        units.append(_row(found.mean(), *ends, unit=unit, n=len(found)))
    classes = []
    lows, highs = intervals.bounds(scores.recall, labels[None], drawn)
    for label, name in enumerate(names):
        chosen = truth == label
        row = _row(right[chosen].mean(), lows[label], highs[label], images=int(chosen.sum()))
        row["recall"] = row.pop("fraction")
        classes.append({"class": name, "cells": len(set(behind["cells"][chosen])), **row})
    whole = _row(right.mean(), low, high)
    return {
        "file": str(path),
        "task": task,
        "where": where,
        "accuracy": whole["fraction"],
        **{end: whole[end] for end in ("low", "high")},
        "units": units,
        "classes": classes,
    }


def _row(fraction, low, high, **more):
    ends = {"fraction": fraction, "low": low, "high": high}
    return more | {name: round(float(value), 4) for name, value in ends.items()}


def text(found: dict) -> str:
    """What :func:`score` found, to be read."""
    interval = "{:.3f} ({:.3f} to {:.3f})".format
    lines = [
        f"{found['file']}: {found['task']} classes, {found['where']}",
        f"accuracy {interval(found['accuracy'], found['low'], found['high'])}, 95 % CI over cells",
        "",
        "classified correctly, as if each were independent (photographs and cells by majority):",
    ]
    for row in found["units"]:
        share = interval(row["fraction"], row["low"], row["high"])
        lines.append(f"  {row['n']:5,} {row['unit']:12} {share}")
    lines += ["", "recall, 95 % CI over cells:"]
    for row in found["classes"]:
        share = interval(row["recall"], row["low"], row["high"])
        of = f"{row['images']:,} images, {row['cells']} cells"
        lines.append(f"  {row['class'].lower():12} {share}  {of}")
    return "\n".join(lines)
