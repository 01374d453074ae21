"""An RBF support vector machine, both tasks: fit on images of TRAIN, predict a quarter as many."""

import os

import pytest
from conftest import data

from bloodlib import study  # noqa: F401  (registers the methods)
from bloodlib.data.images import TASKS
from bloodlib.models import methods

#: All images only where asked for: scikit-learn's own kernel takes 40 minutes for them.
SIZES = [500, 1000, 2000] + ([None] if os.environ.get("BENCH_FULL") else [])

#: Other machines, from where, and the number format of their images.
PEERS = {
    "scikit-learn": ("sklearn.svm", "float64"),
    "scikit-learn-intelex, float64": ("sklearnex.svm", "float64"),
    "scikit-learn-intelex, float32": ("sklearnex.svm", "float32"),
}


@pytest.fixture(params=SIZES, ids=lambda n: f"{n or 'all'} images")
def found(request):
    """Images of TRAIN and TEST."""
    return data(request.param)


def row(found):
    """The row's name."""
    return f"SVM, {len(found.pixels['TRAIN']):,} images"


def test_ours(contest, found, tmp_path):
    """As the book runs it: one kernel matrix, from one matrix product; probabilities as well."""

    def work():
        return [methods.METHODS["SVM"](found, task, 0, tmp_path) for task in TASKS]

    contest(row(found), "bloodlib", work, ours=True, rounds=2)


@pytest.mark.parametrize("peer", PEERS)
def test_peer(contest, found, peer):
    """Fit and labels alone, with the peer's own kernel."""
    module, number_format = PEERS[peer]
    machine = pytest.importorskip(module, reason=f"{module} is not installed").SVC
    pixels = {
        name: (of.reshape(len(of), -1) / 255).astype(number_format)
        for name, of in found.pixels.items()
    }

    def work():
        for task in TASKS:
            model = machine(C=1, kernel="rbf", gamma="scale")
            model.fit(pixels["TRAIN"], found.labels[task]["TRAIN"]).predict(pixels["TEST"])

    contest(row(found), peer, work, rounds=2)
