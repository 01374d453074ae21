"""Methods that are no networks: the paper's Naive Bayes and support vector machines, and others.

The paper does not say which kind, which kernel, or what they see. Here they see what the network
sees, unless told otherwise: the 60 × 80 × 3 pixels of an image, as 14,400 numbers from 0 to 1.
Each takes ``data``, ``task``, ``seed`` and ``checkpoint`` as every method does
(:func:`bloodlib.models.methods.method`).
"""

from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.models.methods import (
    Colours,
    Data,
    Features,
    InfeasibleError,
    Predictions,
    compute_features,
    histogram,
    method,
)


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
    kind : {"Gaussian", "multinomial", "Bernoulli"}
        A normal distribution for each feature; features as counts, of pixels for a histogram; or
        only whether a pixel is brighter than half, or a colour there at all.
    features : {"pixels", "grey", "histogram"}
        See :func:`bloodlib.models.methods.compute_features`.
    var_smoothing : float
        Fraction of the largest variance of a feature that is added to all, as in scikit-learn; for
        the Gaussian kind.
    """
    from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB

    model = {
        "Gaussian": GaussianNB(var_smoothing=var_smoothing),
        "multinomial": MultinomialNB(),
        "Bernoulli": BernoulliNB(binarize=0 if features == "histogram" else 0.5),
    }[kind]
    counted = kind == "multinomial" and features == "histogram"

    def seen(split):
        pixels = data.pixels[split]
        found = compute_features(pixels, features)
        return found * np.prod(pixels.shape[1:3]) if counted else found

    model.fit(seen("TRAIN"), data.labels[task]["TRAIN"])
    return Predictions.of(model, seen)


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

    Labels are the machine's own; probabilities, which it has none of, are Platt's sigmoids over
    five folds of TRAIN. The kernel matrix is computed once for all of these.

    Parameters
    ----------
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
        See :func:`bloodlib.models.methods.compute_features`.

    Raises
    ------
    InfeasibleError
        If ``nu`` is above twice the smaller class's share in a pair of classes.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.metrics.pairwise import pairwise_kernels
    from sklearn.svm import SVC, NuSVC

    train = compute_features(data.pixels["TRAIN"], features)
    gamma = 1 / (train.shape[1] * train.var())

    def against_train(split):
        seen = train if split == "TRAIN" else compute_features(data.pixels[split], features)
        return pairwise_kernels(
            seen, train, kernel, filter_params=True, gamma=gamma, degree=3, coef0=0
        )

    machine = (
        SVC(C=C, kernel="precomputed", cache_size=1000)
        if kind == "C"
        else NuSVC(nu=nu, kernel="precomputed", cache_size=1000)
    )
    model = CalibratedClassifierCV(machine, method="sigmoid", cv=5, ensemble=False)
    try:
        model.fit(against_train("TRAIN"), data.labels[task]["TRAIN"])
    except ValueError as error:
        if "infeasible" in str(error):
            raise InfeasibleError(f"nu = {nu} is infeasible on these classes") from error
        raise
    return Predictions.of(model, against_train, model.calibrated_classifiers_[0].estimator)


@method("KNN")
def nearest_neighbours(
    data: Data, task: str, seed: int, checkpoint: Path, *, n_neighbors: int = 1
) -> Predictions:
    """The class of the most similar training images, by Euclidean distance of their pixels.

    Not in the paper. With one neighbour it recognises only what it has seen before: the measure of
    what a split leaks. ``n_neighbors`` of them vote.
    """
    from sklearn.neighbors import KNeighborsClassifier

    def flat(split):
        pixels = data.pixels[split]
        return pixels.reshape(len(pixels), -1).astype(np.float32) / 255

    model = KNeighborsClassifier(n_neighbors, algorithm="brute")
    return Predictions.of(model.fit(flat("TRAIN"), data.labels[task]["TRAIN"]), flat)


@method("majority")
def constant(data: Data, task: str, seed: int, checkpoint: Path) -> Predictions:
    """The most frequent class of TRAIN, whatever the image; probabilities are its shares."""
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior")
    model.fit(data.pixels["TRAIN"], data.labels[task]["TRAIN"])
    return Predictions.of(model, data.pixels.get)


@method("histogram")
def colour_histogram(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    bins: int = 8,
    colours: Colours = "RGB",
    C: float = 1.0,
) -> Predictions:
    """Logistic regression on an image's colour histogram: how much of each colour, not where.

    Parameters
    ----------
    bins, colours : int, str
        See :func:`bloodlib.models.methods.histogram`.
    C : float
        scikit-learn's inverse strength of regularisation, of weights of standardised shares.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def seen(split):
        return histogram(data.pixels[split], bins, colours)

    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    return Predictions.of(model.fit(seen("TRAIN"), data.labels[task]["TRAIN"]), seen)


@method("nearest-photograph")
def nearest_photograph(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    bins: int = 8,
    colours: Colours = "RGB",
) -> Predictions:
    """The class of the photograph of TRAIN whose colours are most like an image's.

    A photograph has the mean histogram of the images that were made from it; where the photographs
    are unknown, each image is its own. Histograms are compared by Hellinger's distance.

    Parameters
    ----------
    bins, colours : int, str
        See :func:`bloodlib.models.methods.histogram`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    labels = data.labels[task]["TRAIN"]
    behind = data.photographs() if data.photographs else np.arange(len(labels))
    _, first, which = np.unique(
        np.stack([behind, labels]), axis=1, return_index=True, return_inverse=True
    )
    means = np.zeros((len(first), bins**3))
    np.add.at(means, which, histogram(data.pixels["TRAIN"], bins, colours))
    means /= np.bincount(which)[:, None]

    def seen(split):
        return np.sqrt(histogram(data.pixels[split], bins, colours))

    model = KNeighborsClassifier(1, algorithm="brute").fit(np.sqrt(means), labels[first])
    return Predictions.of(model, seen)
