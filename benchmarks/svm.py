"""Seconds to fit an RBF support vector machine and to predict, both tasks one after the other."""

import argparse
import os
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--plain", action="store_true", help="scikit-learn's own kernel, on float64")
parser.add_argument("--images", type=int, help="of TRAIN; all of them if not given")
parser.add_argument(
    "--one-thread", action="store_true", help="no threads in BLAS: an inner product is short"
)
options = parser.parse_args()
if options.one_thread:
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from material import data, source  # noqa: E402
from rounds import serve  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

from bloodlib.data.images import TASKS  # noqa: E402
from bloodlib.models import baselines  # noqa: E402


def plain(task):
    """Labels from scikit-learn alone."""
    machine = SVC(C=1, kernel="rbf", gamma="scale").fit(
        pixels["TRAIN"], found.labels[task]["TRAIN"]
    )
    return machine.predict(pixels["TEST"])


def ours(task):
    """Labels as :func:`bloodlib.models.baselines.support_vector_machine` finds them."""
    machine = SVC(C=1, kernel="precomputed", cache_size=1000)
    machine.fit(baselines._kernel(found, "TRAIN", "rbf"), found.labels[task]["TRAIN"])
    return machine.predict(baselines._kernel(found, "TEST", "rbf"))


def measure():
    """Time of both tasks, and the labels predicted."""
    baselines._products.cache_clear()
    clock = time.perf_counter()
    labels = [plain(task) if options.plain else ours(task) for task in TASKS]
    passed = time.perf_counter() - clock
    return {"value": passed, "answer": "".join(str(label) for of in labels for label in of)}


found = data(options.images)
if options.plain:
    pixels = {name: of.reshape(len(of), -1) / 255 for name, of in found.pixels.items()}
serve(measure, ("scikit-learn",), images=source())
