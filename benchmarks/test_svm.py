"""An RBF support vector machine, both tasks: fit on images of TRAIN, predict a quarter as many."""

import os

import pytest
from conftest import data
from sklearn.svm import SVC

from bloodlib import study  # noqa: F401  (registers the methods)
from bloodlib.data.images import TASKS
from bloodlib.models import methods

#: All images only where asked for: scikit-learn's own kernel takes 40 minutes for them.
SIZES = [500, 1000, 2000] + ([None] if os.environ.get("BENCH_FULL") else [])


@pytest.fixture(params=SIZES, ids=lambda n: f"{n or 'all'} images")
def found(request):
    """Images of TRAIN and TEST."""
    return data(request.param)


def row(found):
    """The row's name."""
    return f"SVM, {len(found.pixels['TRAIN']):,} images"


def test_ours(contest, found, tmp_path):
    """As the book runs it: the kernel matrix in float32, from one matrix product."""

    def work():
        return [methods.METHODS["SVM"](found, task, 0, tmp_path) for task in TASKS]

    contest(row(found), "bloodlib", work, ours=True, rounds=2)


def test_scikit_learn(contest, found):
    """scikit-learn's own kernel, on float64."""
    pixels = {name: of.reshape(len(of), -1) / 255 for name, of in found.pixels.items()}

    def work():
        for task in TASKS:
            model = SVC(C=1, kernel="rbf", gamma="scale")
            model.fit(pixels["TRAIN"], found.labels[task]["TRAIN"]).predict(pixels["TEST"])

    contest(row(found), "scikit-learn", work, rounds=2)
