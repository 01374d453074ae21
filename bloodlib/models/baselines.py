"""The paper's baselines: Naive Bayes (equation 1) and support vector machines (2 to 5).

The paper does not say which kind, which kernel, or what they see. Here they see
what the network sees, unless told otherwise: the 60 × 80 × 3 pixels of an image, as
14,400 numbers.
"""

import functools
from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.data.images import TASKS
from bloodlib.models.features import Features, compute
from bloodlib.models.methods import Data, InfeasibleError, Predictions, method


@method("NB")
def naive_bayes(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    kind: Literal["Gaussian", "multinomial", "Bernoulli"] = "Gaussian",
    features: Features = "pixels",
    var_smoothing: float = 1e-9,
) -> Predictions:
    """Naive Bayes: equation 1 with a P(x|y) for each feature, as if features were independent.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    kind : {"Gaussian", "multinomial", "Bernoulli"}
        A normal distribution for each feature; features as counts, of pixels for a histogram; or
        only whether a pixel is brighter than half, or a colour there at all.
    features : {"pixels", "grey", "histogram"}
        What it sees: see :func:`bloodlib.models.features.compute`.
    var_smoothing : float
        Share of the largest variance of a feature that is added to all, as in scikit-learn; for
        the Gaussian kind.
    """
    from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB

    model = {
        "Gaussian": GaussianNB(var_smoothing=0),  # partial_fit smooths by each block's own variance
        "multinomial": MultinomialNB(),
        "Bernoulli": BernoulliNB(binarize=0 if features == "histogram" else 0.5),
    }[kind]

    def seen(split, rows):
        pixels = data.pixels[split][rows]
        found = _scaled(compute(pixels, features))
        counted = kind == "multinomial" and features == "histogram"
        return found * np.prod(pixels.shape[1:3]) if counted else found

    classes = np.arange(len(TASKS[task]))
    for rows in _blocks(len(data.pixels["TRAIN"])):
        model.partial_fit(seen("TRAIN", rows), data.labels[task]["TRAIN"][rows], classes=classes)
    if kind == "Gaussian":
        share, deviation = model.class_prior_, model.theta_ - model.class_prior_ @ model.theta_
        model.epsilon_ = var_smoothing * (share @ (model.var_ + deviation**2)).max()
        model.var_ += model.epsilon_
    chances = {
        split: np.concatenate(
            [model.predict_proba(seen(split, rows)) for rows in _blocks(len(data.pixels[split]))]
        )
        for split in ("TEST", "TEST_SIMPLE")
    }
    return Predictions.from_probabilities(chances)


@method("SVM")
def support_vector_machine(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    kind: Literal["C", "nu"] = "C",
    kernel: Literal["rbf", "linear", "poly"] = "rbf",
    C: float = 1.0,
    nu: float = 0.5,
    features: Features = "pixels",
) -> Predictions:
    """Support vector machine: equations 2 and 3 (``C``) or 4 and 5 (``nu``).

    The kernel matrix is computed once by matrix multiplication and handed to
    scikit-learn, which answers as :class:`sklearn.svm.SVC` on the features would.
    Labels are the machine's own; probabilities, which it has none of, are Platt's
    sigmoids over five folds of TRAIN.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    kind : {"C", "nu"}
        Which of the paper's two error functions.
    kernel : {"rbf", "linear", "poly"}
        Kernel: Gaussian, inner product, or its third power; factors are scikit-learn's
        ``gamma="scale"``.
    C : float
        Const of equation 2, for ``kind="C"``.
    nu : float
        w of equation 4, for ``kind="nu"``.
    features : {"pixels", "grey", "histogram"}
        What it sees: see :func:`bloodlib.models.features.compute`.

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
        model.fit(_kernel(data, "TRAIN", kernel, features), data.labels[task]["TRAIN"])
    except ValueError as error:
        if "infeasible" in str(error):
            raise InfeasibleError(f"nu = {nu} is infeasible on these classes") from error
        raise
    machine = model.calibrated_classifiers_[0].estimator
    labels, chances = {}, {}
    for split in ("TEST", "TEST_SIMPLE"):
        matrix = _kernel(data, split, kernel, features)
        labels[split] = machine.predict(matrix)
        chances[split] = model.predict_proba(matrix)
    return Predictions.from_probabilities(chances, labels)


@method("KNN")
def nearest_neighbours(
    data: Data, task: str, seed: int, checkpoint: Path, *, n_neighbors: int = 1
) -> Predictions:
    """The class of the most similar training images, by Euclidean distance of their pixels.

    Not in the paper. With one neighbour it knows nothing of cells and recognises only what it has
    seen before: the measure of what a split leaks.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    n_neighbors : int
        How many neighbours vote.
    """
    from sklearn.neighbors import KNeighborsClassifier

    def flat(split):
        pixels = data.pixels[split]
        return pixels.reshape(len(pixels), -1).astype(np.float32) / 255

    model = KNeighborsClassifier(n_neighbors, algorithm="brute")
    model.fit(flat("TRAIN"), data.labels[task]["TRAIN"])
    return Predictions.from_probabilities(
        {split: model.predict_proba(flat(split)) for split in ("TEST", "TEST_SIMPLE")}
    )


def _scaled(values):
    """Features as numbers from 0 to 1."""
    return values / 255 if values.dtype == np.uint8 else values


def _blocks(n, size=1000):
    return [slice(start, start + size) for start in range(0, n, size)]


def _kernel(data, split, kernel, features="pixels"):
    """Kernel of a split against TRAIN, float64 [n, n_train]."""
    products, squares, train_squares, gamma = _products(data, split, features)
    if kernel == "linear":
        return products
    if kernel == "poly":
        return (gamma * products) ** 3
    distances = squares[:, None] - 2 * products
    distances += train_squares
    distances *= -gamma  # in place: at full scale this is most of a gigabyte
    return np.exp(distances, out=distances)


@functools.lru_cache(maxsize=3)
def _products(data, split, features):
    """Inner products with TRAIN, shared between tasks, kinds and kernels."""
    train, other = (compute(data.pixels[name], features) for name in ("TRAIN", split))
    products = np.zeros((len(other), len(train)))
    squares, train_squares = np.zeros(len(other)), np.zeros(len(train))
    for columns in _blocks(train.shape[1], 1200):
        a = _scaled(np.ascontiguousarray(other[:, columns]))
        b = a if split == "TRAIN" else _scaled(np.ascontiguousarray(train[:, columns]))
        products += a @ b.T
        squares += np.einsum("ij,ij->i", a, a)
        train_squares += np.einsum("ij,ij->i", b, b)
    mean = train.mean(dtype=np.float64) / (255 if train.dtype == np.uint8 else 1)
    variance = train_squares.sum() / train.size - mean**2
    return products, squares, train_squares, 1 / (train.shape[1] * variance)
