"""The paper's baselines: Naive Bayes (equation 1) and support vector machines (2 to 5).

The paper does not say which kind, which kernel, or what they see. Here they see
what the network sees: the 60 × 80 × 3 pixels of an image, as 14,400 numbers.
"""

import functools
from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.images import TASKS
from bloodlib.methods import Data, InfeasibleError, Predictions, method


@method("NB")
def naive_bayes(
    data: Data, task: str, seed: int, checkpoint: Path, *, var_smoothing: float = 1e-9
) -> Predictions:
    """Gaussian Naive Bayes on pixels: equation 1 with a normal P(x|y) for each pixel.

    Parameters
    ----------
    data : Data
        Images.
    task : {"four", "two"}
        Classes to tell apart.
    seed : int
        Without effect: nothing is left to chance.
    checkpoint : pathlib.Path
        Without effect: there is nothing to go on from.
    var_smoothing : float
        Share of the largest pixel variance that is added to all, as in scikit-learn.
    """
    from sklearn.naive_bayes import GaussianNB

    model = GaussianNB(var_smoothing=0)  # partial_fit smooths by each block's own variance
    classes = np.arange(len(TASKS[task]))
    for rows in _blocks(len(data.pixels["TRAIN"])):
        model.partial_fit(
            _flat(data.pixels["TRAIN"][rows]), data.labels[task]["TRAIN"][rows], classes=classes
        )
    share, deviation = model.class_prior_, model.theta_ - model.class_prior_ @ model.theta_
    model.epsilon_ = var_smoothing * (share @ (model.var_ + deviation**2)).max()
    model.var_ += model.epsilon_
    chances = {
        split: np.concatenate(
            [
                model.predict_proba(_flat(data.pixels[split][rows]))
                for rows in _blocks(len(data.pixels[split]))
            ]
        )
        for split in ("TEST", "TEST_SIMPLE")
    }
    return Predictions(
        labels=chances["TEST"].argmax(axis=1).astype(np.uint8)[None],
        labels_simple=chances["TEST_SIMPLE"].argmax(axis=1).astype(np.uint8),
        probabilities=chances["TEST"].astype(np.float16),
        probabilities_simple=chances["TEST_SIMPLE"].astype(np.float16),
    )


@method("SVM")
def support_vector_machine(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    kind: Literal["C", "nu"] = "C",
    kernel: Literal["rbf", "linear"] = "rbf",
    C: float = 1.0,
    nu: float = 0.5,
) -> Predictions:
    """Support vector machine on pixels: equations 2 and 3 (``C``) or 4 and 5 (``nu``).

    The kernel matrix is computed once by matrix multiplication and handed to
    scikit-learn, which answers as :class:`sklearn.svm.SVC` on the pixels would.
    Labels are the machine's own; probabilities, which it has none of, are Platt's
    sigmoids over five folds of TRAIN.

    Parameters
    ----------
    data : Data
        Images.
    task : {"four", "two"}
        Classes to tell apart.
    seed : int
        Without effect: nothing is left to chance.
    checkpoint : pathlib.Path
        Without effect: there is nothing to go on from.
    kind : {"C", "nu"}
        Which of the paper's two error functions.
    kernel : {"rbf", "linear"}
        Kernel; the width of the RBF kernel is scikit-learn's ``gamma="scale"``.
    C : float
        Const of equation 2, for ``kind="C"``.
    nu : float
        w of equation 4, for ``kind="nu"``.

    Raises
    ------
    InfeasibleError
        If ``nu`` is above twice the smaller class's share in a pair of classes.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC, NuSVC

    machine = (
        SVC(C=C, kernel="precomputed", cache_size=1000)
        if kind == "C"
        else NuSVC(nu=nu, kernel="precomputed", cache_size=1000)
    )
    model = CalibratedClassifierCV(machine, method="sigmoid", cv=5, ensemble=False)
    try:
        model.fit(_kernel(data, "TRAIN", kernel), data.labels[task]["TRAIN"])
    except ValueError as error:
        if "infeasible" in str(error):
            raise InfeasibleError(f"nu = {nu} is infeasible on these classes") from error
        raise
    machine = model.calibrated_classifiers_[0].estimator
    labels, chances = {}, {}
    for split in ("TEST", "TEST_SIMPLE"):
        matrix = _kernel(data, split, kernel)
        labels[split] = machine.predict(matrix).astype(np.uint8)
        chances[split] = model.predict_proba(matrix).astype(np.float16)
    return Predictions(
        labels["TEST"][None], labels["TEST_SIMPLE"], chances["TEST"], chances["TEST_SIMPLE"]
    )


@method("KNN")
def nearest_neighbours(
    data: Data, task: str, seed: int, checkpoint: Path, *, n_neighbors: int = 1
) -> Predictions:
    """The class of the most similar training images, by Euclidean distance of their pixels.

    Not in the paper. With one neighbour it knows nothing of cells and recognises only what it has
    seen before: the measure of what a split leaks.

    Parameters
    ----------
    data : Data
        Images.
    task : {"four", "two"}
        Classes to tell apart.
    seed : int
        Without effect: nothing is left to chance.
    checkpoint : pathlib.Path
        Without effect: there is nothing to go on from.
    n_neighbors : int
        How many neighbours vote.
    """
    from sklearn.neighbors import KNeighborsClassifier

    def flat(split):
        pixels = data.pixels[split]
        return pixels.reshape(len(pixels), -1).astype(np.float32) / 255

    model = KNeighborsClassifier(n_neighbors, algorithm="brute")
    model.fit(flat("TRAIN"), data.labels[task]["TRAIN"])
    chances = {split: model.predict_proba(flat(split)) for split in ("TEST", "TEST_SIMPLE")}
    labels = {split: found.argmax(axis=1).astype(np.uint8) for split, found in chances.items()}
    return Predictions(
        labels["TEST"][None],
        labels["TEST_SIMPLE"],
        chances["TEST"].astype(np.float16),
        chances["TEST_SIMPLE"].astype(np.float16),
    )


def _flat(pixels):
    return pixels.reshape(len(pixels), -1).astype(np.float64) / 255


def _blocks(n, size=1000):
    return [slice(start, start + size) for start in range(0, n, size)]


def _kernel(data, split, kernel):
    """Kernel of a split against TRAIN, float64 [n, n_train]."""
    products, squares, train_squares, variance = _products(data, split)
    if kernel == "linear":
        return products
    gamma = 1 / (np.prod(data.pixels["TRAIN"].shape[1:]) * variance)
    return np.exp(-gamma * (squares[:, None] - 2 * products + train_squares))


@functools.lru_cache(maxsize=3)
def _products(data, split):
    """Inner products with TRAIN, shared between tasks, kinds and kernels."""
    train = data.pixels["TRAIN"].reshape(len(data.pixels["TRAIN"]), -1)
    other = data.pixels[split].reshape(len(data.pixels[split]), -1)
    products = np.zeros((len(other), len(train)))
    squares, train_squares = np.zeros(len(other)), np.zeros(len(train))
    for columns in _blocks(train.shape[1], 1200):
        a = np.ascontiguousarray(other[:, columns]) / 255
        b = a if split == "TRAIN" else np.ascontiguousarray(train[:, columns]) / 255
        products += a @ b.T
        squares += np.einsum("ij,ij->i", a, a)
        train_squares += np.einsum("ij,ij->i", b, b)
    mean = train.mean(dtype=np.float64) / 255
    variance = train_squares.sum() / train.size - mean**2
    return products, squares, train_squares, variance
