"""What pages compute in the browser: the interactive figures, and the page "Try it".

A chapter draws its figure as always; :func:`show` adds the numbers behind it as JSON, and the
script of ``assets/interactive`` that puts an interactive figure in the place of the picture.
Without JavaScript, in print and in a PDF the picture stands.

The page "Try it" runs the networks with the scripts of ``assets/try-it``; :func:`write_try_it`
gives it weights and pictures as scripts, as a browser fetches nothing for a page that was opened
from disk.
"""

import base64
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bloodlib import paper, study
from bloodlib.analyses import examples, out_of_distribution, plots, prediction, robustness
from bloodlib.data import images, photographs, stored, synthetic
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.models import weights
from bloodlib.study import records

#: What each kind of figure needs beside its own script, in the folder of the built book.
LIBRARIES = {"curves": ("plot/d3.min.js", "plot/plot.umd.min.js")}
#: The paper's rows for DCLNN with a kind of pooling, by table and method.
PRINTED = {"max": (1, "DCLNN"), "average": (2, "AveragePooling")}
#: Settings that say most of a run; their values are told, at the defaults too.
TOLD = ("pooling", "kind", "kernel", "features")
#: The seed of the mean over seeds.
MEAN = "mean of all"
#: Pixels of a photograph's width for the root of its images.
SCALE = 20
#: The folder of "Try it" in the built book; the seed of each class's synthetic cell there; and the
#: photograph, a monocyte, of which most errors with two classes are.
TRY_IT = "try-it"
SEEDS = (3, 5, 2, 1)
HARD = 110


def compute_confusion(run: records.Record) -> dict | None:
    """Which photographs are behind each cell of a run's confusion matrix on TEST, at the end.

    Parameters
    ----------
    run : bloodlib.study.records.Record

    Returns
    -------
    dict or None
        ``classes``; ``cells``, by true and by predicted class: ``images``, ``share`` of the row,
        ``colour`` and ``ink``, and ``photographs``, each its number, its images in this cell, and
        how many it has. None where the run was tried on other images than the published TEST.
    """
    if not comparison.on_test([run]):
        return None
    found = pd.DataFrame({"true": run.arrays["truth"], "answer": run.arrays["labels"][-1]})
    found["photograph"] = photographs.photographs("TEST")
    of, confusion = found["photograph"].value_counts(), run.confusion()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)

    def cell(i, j):
        here = found.loc[(found["true"] == i) & (found["answer"] == j), "photograph"]
        behind = here.value_counts().sort_index()
        return {
            "images": len(here),
            "share": round(float(shares[i, j]), 4),
            **_shade(shares[i, j], "Blues"),
            "photographs": [[number, n, int(of[number])] for number, n in behind.items()],
        }

    names = _named(run.config["task"])
    places = range(len(names))
    return {"classes": names, "cells": [[cell(i, j) for j in places] for i in places]}


def compute_curves(run: records.Record) -> dict | None:
    """DCLNN's stored runs after each epoch, one by one and their mean over seeds.

    Parameters
    ----------
    run : bloodlib.study.records.Record
        The one to begin with.

    Returns
    -------
    dict or None
        ``start``: ``task, pooling, seed, epoch``. ``classes`` by task, ``Average`` last.
        ``printed`` by task and pooling: ``table``, ``method`` and ``scores``, precision, recall
        and F1 for each class. ``runs``: ``task, pooling, seed`` (:data:`MEAN` for the mean), by
        epoch the accuracy and average precision of ``training`` and ``TEST``, the
        ``band`` of TEST's accuracy (its 95 % CI over cells), and ``scores`` for each class.
        Numbers of ours have four decimals. None where the run is not among the stored ones.
    """
    frozen, curves = set(), []
    for task, pooling in itertools.product(TASKS, PRINTED):
        kind = {"task": task, "pooling": pooling}
        runs = comparison.saved({"method": "DCLNN"} | kind)
        runs = sorted(runs, key=lambda one: one.config["seed"])
        frozen |= {one.id for one in runs}
        curves += [kind | {"seed": one.config["seed"]} | _by_epoch([one]) for one in runs]
        if len(runs) > 1:
            curves.append(kind | {"seed": MEAN} | _by_epoch(runs))
    if run.id not in frozen:
        return None
    config = study.resolve(run.config)
    return {
        "start": {name: config[name] for name in ("task", "pooling", "seed")}
        | {"epoch": comparison.EPOCH},
        "classes": {task: [*_named(task), "Average"] for task in TASKS},
        "printed": {
            task: {pooling: _printed(task, *row) for pooling, row in PRINTED.items()}
            for task in TASKS
        },
        "runs": curves,
    }


def compute_wall(wall: pd.DataFrame, pictures: dict[int, np.ndarray]) -> dict:
    """TEST's photographs as tiles, and what every stored run makes of each.

    Parameters
    ----------
    wall : pandas.DataFrame
        See :func:`bloodlib.analyses.examples.compute_wall`.
    pictures : dict of int to uint8 array or str
        Photographs by number, of :func:`bloodlib.analyses.examples.thumbnail`.

    Returns
    -------
    dict
        ``answers`` by task, the names of the classes. ``runs``: ``method, task, settings, seed,
        compared`` (whether it stands in Table 1 or 2). ``blocks``, one for each class: ``name,
        images, tiles``. A tile is a photograph: ``number, images, share, starred`` (another
        photograph of its cell is in TRAIN), ``colour, ink``, ``box`` (left, top, width and height
        in percent of the block), ``picture`` where there is one, and ``votes``, for each run how
        many images are right and the position of the most frequent answer, -1 for a tie.
    """
    runs = every_run()
    votes = _votes(runs)

    def tile(row, box):
        number = int(row.photograph)
        shown = {}
        if isinstance(pictures.get(number), np.ndarray):
            picture = Image.fromarray(pictures[number])
            width = int(SCALE * np.sqrt(row.images))
            picture.thumbnail((width, width), Image.Resampling.LANCZOS)
            shown["picture"] = _data_url(picture, 80)
        return shown | {
            "number": number,
            "images": int(row.images),
            "share": round(float(row.share), 4),
            "starred": bool(row.also_in_train),
            **_shade(row.share, examples.SHADES),
            "box": np.round(box / (4, 3, 4, 3) * 100, 3).tolist(),
            "votes": votes[number],
        }

    blocks = [
        {
            "name": name.capitalize(),
            "images": int(own["images"].sum()),
            "tiles": list(map(tile, own.itertuples(), examples.strips(own["images"]))),
        }
        for name, own in wall.groupby("class", sort=False)
    ]
    compared = {r.id for m in comparison.COMPARED for t in TASKS for r in comparison.compared(m, t)}
    return {
        "answers": {task: _named(task) for task in TASKS},
        "runs": [_in_words(run) | {"compared": run.id in compared} for run in runs],
        "blocks": blocks,
    }


def every_run() -> list[records.Record]:
    """Every stored run on the published TEST, by method, task, settings and seed."""
    runs = [r for r in records.read_all() if r.status == "complete" and comparison.on_test([r])]
    return sorted(runs, key=lambda run: tuple(_in_words(run).values()))


def show(kind: str, figure: str, data: dict | None):
    """What makes a figure of a page in ``chapters/`` interactive, for the end of a cell.

    Parameters
    ----------
    kind : str
        "confusion", "curves" or "wall".
    figure : str
        The figure's name, such as ``fig-wall``.
    data : dict or None
        What the script reads; None, and nothing is shown.
    """
    from IPython.display import display

    if data is None:
        return
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    scripts = (*LIBRARIES.get(kind, ()), "interactive/shared.js", f"interactive/{kind}.js")
    html = [
        '<link rel="stylesheet" href="../interactive/interactive.css">',
        f'<script type="application/json" id="data-{figure}">{text}</script>',
        *(f'<script src="../{name}" defer></script>' for name in scripts),
    ]
    # In a PDF the Markdown counts, and there is none
    display({"text/html": "\n".join(html), "text/markdown": ""}, raw=True)


def write_try_it(folder: Path) -> None:
    """Write ``weights-four.js``, ``weights-two.js`` and ``facts.js`` into a folder.

    Each calls ``bloodlib.give(name, value)``.

    Raises
    ------
    StoredError
        If there are no networks, or they can't be trusted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reference = out_of_distribution.load_reference()
    given = {
        "facts": {
            "reference": {name: array.tolist() for name, array in reference.items()},
            "limit": out_of_distribution.LIMIT,
            "contrast": out_of_distribution.LEAST_CONTRAST,
            "nuclei": {name: TASKS["two"][place] for name, place in images.NUCLEI.items()},
            "warning": prediction.WARNING,
            "stain": {
                "dyes": robustness.DYES.tolist(),
                "inverse": np.linalg.inv(robustness.DYES).tolist(),
            },
            **offered_pictures(),
        }
    }
    for task, classes in TASKS.items():
        arrays = {
            name: {
                "shape": array.shape,
                "type": array.dtype.name,
                "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
            }
            for name, array in weights.read(task)[1].items()
        }
        given[f"weights-{task}"] = {"classes": classes, "block": weights.BLOCK, "arrays": arrays}
    for name, value in given.items():
        script = f"bloodlib.give({json.dumps(name)}, {json.dumps(value)});\n"
        stored.write_atomically(folder / f"{name}.js", script.encode())


def offered_pictures() -> dict:
    """The ``pictures`` that "Try it" offers, and in ``credit`` where they are from.

    Photographs of TEST where they can be had, which the networks were not trained on: the first of
    each class, and :data:`HARD`. Then synthetic cells. Of each its ``name``, ``words`` for a
    sentence, and the ``picture`` as a data URL.
    """
    labels = photographs.cell_table().set_index("photograph")["labels"].str.lower()
    tested = labels[sorted(set(photographs.photographs("TEST").tolist()))]
    found = []
    for number in [*(tested.eq(name.lower()).idxmax() for name in images.CLASSES), HARD]:
        if isinstance(pixels := examples.thumbnail(number), np.ndarray):
            about = {"name": f"{labels[number]}, photograph {number}"}
            about["words"] = f"photograph {number}, labelled {labels[number]}"
            found.append(about | {"picture": _data_url(Image.fromarray(pixels), 95)})
    for label, name in enumerate(images.CLASSES):
        pixels = synthetic.draw(label, np.random.default_rng(SEEDS[label]), (240, 320))
        drawn = {"name": f"synthetic {name.lower()}", "words": f"the synthetic {name.lower()}"}
        found.append(drawn | {"picture": _data_url(Image.fromarray(pixels), 90)})
    credit = "Photographs of test cells: BCCD (MIT licence), reduced. Synthetic cells: by code. "
    credit += f"Most errors with two classes are about photograph {HARD}. Is it labelled rightly?"
    return {"pictures": found, "credit": credit if len(found) > len(SEEDS) else ""}


def _by_epoch(runs):
    """Curves and scores of runs of one kind: their means, after each epoch that all have."""
    epochs = range(1, min(run.epochs for run in runs) + 1)
    tables = {
        split: np.stack([[run.confusion(split, epoch) for epoch in epochs] for run in runs])
        for split in ("TRAIN", "TEST")
    }
    right = np.stack(
        [run.arrays["labels"][: len(epochs)] == run.arrays["truth"] for run in runs], axis=1
    )
    drawn = comparison.resamples(runs[0].config["task"])
    ends = [intervals.mean_bounds(one, drawn) for one in right]
    printed = [scores.printed_rows(tables["TEST"], measure) for measure in scores.MEASURES]
    return {
        **{
            shown: {
                "accuracy": _rounded(scores.accuracy(tables[split]).mean(axis=0)),
                "precision": _rounded(scores.precision(tables[split]).mean(axis=(0, -1))),
            }
            for shown, split in (("training", "TRAIN"), ("TEST", "TEST"))
        },
        "band": _rounded(ends),
        "scores": _rounded(np.stack(printed, axis=-1).mean(axis=0)),
    }


def _printed(task, table, method):
    """The paper's numbers of a row: precision, recall and F1 for each class, then Average."""
    found = {
        (cell.class_, cell.measure): cell.value
        for cell in paper.TABLE_CELLS
        if (cell.table, cell.method, cell.task) == (table, method, task)
    }
    rows = [[found[name, m] for m in scores.MEASURES] for name in (*TASKS[task], "Average")]
    return {"table": table, "method": method, "scores": rows}


def _votes(runs):
    """By photograph of TEST, for each run: how many images are right, and the usual answer."""
    behind = photographs.photographs("TEST")
    votes = {}
    for run in runs:
        labels = comparison.predicted([run])[0]
        right = np.bincount(behind, labels == run.arrays["truth"])[np.unique(behind)]
        answers = intervals.vote(labels, behind)
        for number, n, answer in zip(np.unique(behind), right, answers, strict=True):
            votes.setdefault(int(number), []).append([int(n), int(answer)])
    return votes


def _in_words(run):
    """Method, task, settings and seed of a run, without what chance may vary."""
    config = study.resolve(run.config)
    usual = study.resolve({"method": config["method"], "task": config["task"]})
    chance = (*comparison.CHANCE, "epochs")
    told = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in config.items()
        if name in TOLD or (name not in chance and value != usual[name])
    ]
    words = {"method": config["method"], "task": config["task"]}
    return words | {"settings": ", ".join(told), "seed": config["seed"]}


def _named(task):
    return [name.capitalize() for name in TASKS[task]]


def _rounded(values):
    return np.round(values, 4).tolist()


def _shade(share, colours):
    return dict(zip(("colour", "ink"), plots.shade(share, colours), strict=True))


def _data_url(picture, quality):
    """A PIL image as a data URL."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
