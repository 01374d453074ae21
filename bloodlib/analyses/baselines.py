"""Baselines on ``wbc-by-cell``: the study's methods, and features of a pretrained network.

The network is EfficientNet-Lite0, trained on ImageNet; ``benchmarks/pretrained.py`` computes its
features, fits logistic regression to them, and stores what that predicts.
"""

import numpy as np
import pandas as pd

from bloodlib.analyses import leakage, model_comparison
from bloodlib.data import images, photographs, splits, stored
from bloodlib.evidence import comparison, intervals
from bloodlib.models import methods

#: Height and width of what the network sees. The whole image, as published or reduced to half; or
#: 128 × 128 pixels of it round the white cell, as published or enlarged.
VIEWS = {
    "half": (120, 160),
    "whole": (240, 320),
    "cell": (128, 128),
    "cell-enlarged": (224, 224),
}
VIEW_NAMES = {
    "half": "whole image, 160 × 120",
    "whole": "whole image, 320 × 240",
    "cell": "cropped to the cell, 128 × 128",
    "cell-enlarged": "the same, enlarged to 224 × 224",
}
#: The views of which all images are predicted.
PREDICTED = ("whole", "cell")
#: Settings of C, of logistic regression, that are tried on every fourth image of TRAIN.
SETTINGS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
STEP = 4
#: The study's methods that are baselines.
METHODS = ("majority", "NB", "SVM", "histogram", "DCLNN", "small")


def choose(tried: np.ndarray) -> float:
    """The C with the highest accuracy on folds of TRAIN's cells, the smallest of equals.

    Parameters
    ----------
    tried : uint8 array [settings, n]
        Labels predicted with each of :data:`SETTINGS`, of every fourth image of TRAIN.
    """
    return SETTINGS[int((tried == images.labels("TRAIN")[::STEP]).mean(axis=1).argmax())]


def read() -> dict[str, np.ndarray]:
    """What ``benchmarks/pretrained.py`` stored, with ``VIEW`` of :data:`VIEWS`.

    Returns
    -------
    dict of uint8 array
        ``tried_VIEW`` [settings, n]: see :func:`choose`; of :data:`PREDICTED` also ``cell_VIEW``:
        labels of TRAIN's and TEST's images, each predicted when its cell was held out; and
        ``TEST_VIEW``: of TEST's, trained on TRAIN.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If it is not there, or was changed.
    """
    folder, remedy = stored.results_folder(), "Run `python benchmarks/pretrained.py`."
    made = stored.read_json(folder / "pretrained.json", remedy)
    return stored.read_arrays(folder / "pretrained.npz", remedy, made["sha256"])


def compute_settings() -> pd.DataFrame:
    """Accuracy of logistic regression on features of each view, on folds of TRAIN's cells.

    Returns
    -------
    pandas.DataFrame
        A row for each of :data:`VIEWS`, a column for each C of :data:`SETTINGS`.
    """
    found, truth = read(), images.labels("TRAIN")[::STEP]
    rows = {VIEW_NAMES[view]: (found[f"tried_{view}"] == truth).mean(axis=1) for view in VIEWS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=SETTINGS)


def compute(reference: str = "small") -> pd.DataFrame:
    """All baselines with four classes: each cell held out in five folds, and on TEST.

    Returns
    -------
    pandas.DataFrame
        A row for each method: ``method``; ``cell, cell_low, cell_high``: accuracy on all images,
        held out by cell, with its 95 % CI over cells; ``gap, gap_low, gap_high``: the accuracy of
        ``reference`` minus it, on the same images; ``TEST, TEST_low, TEST_high``: accuracy on TEST.
    """
    stored_labels, truth, right = read(), splits.pooled(images.labels), {}
    for method in METHODS:
        by_cell = leakage.held_out(model_comparison.settings(method), "cell").mean(axis=0)
        runs = model_comparison.runs(method, "four")
        right[methods.NAMES[method]] = by_cell, comparison.correct(runs)[-1]
    for view in PREDICTED:
        labels = stored_labels[f"cell_{view}"], stored_labels[f"TEST_{view}"]
        parts = truth, images.labels("TEST")
        right[f"ImageNet features, {VIEW_NAMES[view]}"] = [
            (own == part).astype(float) for own, part in zip(labels, parts, strict=True)
        ]
    drawn = {
        "cell": intervals.resample(truth, splits.pooled(photographs.cells), 4, 20_000),
        "TEST": intervals.resample(images.labels("TEST"), photographs.cells("TEST"), 4),
    }
    rows, best = [], right[methods.NAMES[reference]][0]
    for method, each in right.items():
        row = {"method": method}
        for where, own in zip(drawn, each, strict=True):
            low, high = intervals.mean_bounds(own[None], drawn[where])
            row |= {where: own.mean(), f"{where}_low": low, f"{where}_high": high}
        if each[0] is not best:
            low, high = intervals.paired_bounds(best - each[0], drawn["cell"])
            row |= {"gap": (best - each[0]).mean(), "gap_low": low, "gap_high": high}
        rows.append(row)
    return pd.DataFrame(rows)
