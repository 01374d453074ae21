"""Score anybody's predictions of TEST: by image, by photograph, by cell."""

import csv
from pathlib import Path

import numpy as np
from scipy import stats

from bloodlib.data import images, photographs
from bloodlib.evidence import intervals, scores

COLUMNS = ("image", "predicted")
REMEDY = (
    "A row of the file is the image's path or name, such as TEST/MONOCYTE/_0_1095.jpeg, and the "
    "predicted class; its first line is: image,predicted"
)


def read(path: str | Path) -> tuple[str, np.ndarray]:
    """Predictions from a CSV file, in the order of TEST's images.

    Of an image's path, the class's folder and the file's name count. Case does not matter.

    Returns
    -------
    task : {"four", "two"}
    labels : int array [images of TEST]

    Raises
    ------
    ValueError
        If the file can't be read so, with the number of the line and what to do.
    """
    names = images.names("TEST")
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
                place = places.get("/".join(image.lower().replace("\\", "/").split("/")[-2:]))
                if place is None:
                    raise refuse(f"{image} is no image of TEST")
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
    if missing := np.flatnonzero(labels < 0).tolist():
        raise ValueError(
            f"{path}: {len(missing)} of TEST's {len(names)} images are missing, the first is "
            f"{names[missing[0]]}. Predict all of them: a part has another accuracy."
        )
    return task, labels


def score(path: str | Path) -> dict:
    """Accuracy of predictions, and recall by class, with 95 % confidence intervals.

    Returns
    -------
    dict
        ``file``, ``task``; ``accuracy`` with ``low`` and ``high``, over cells; ``units``: for
        images, photographs and cells ``n``, the ``fraction`` classified correctly (of
        photographs and cells, by majority of their images) and ``low, high``, as if each unit were
        independent; ``classes``: ``class, images, cells, recall, low, high``, over cells.
    """
    task, labels = read(path)
    truth, strata = images.labels("TEST", task), images.labels("TEST")
    behind = {"photographs": photographs.photographs("TEST"), "cells": photographs.cells("TEST")}
    right, names = labels == truth, images.TASKS[task]
    drawn = intervals.resample(truth, behind["cells"], len(names), strata=strata)
    low, high = intervals.bounds(scores.accuracy, labels[None], drawn)
    units = []
    for unit, groups in {"images": np.arange(len(truth)), **behind}.items():
        winner = intervals.vote(labels, groups)
        found = winner == intervals.vote(truth, groups)
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
        f"{found['file']}: {found['task']} classes, TEST",
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
