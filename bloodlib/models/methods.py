"""What a method is, what methods see of an image, and the methods that are no networks.

A method is a function from images to predictions. Its settings are its keyword-only arguments:
names, types and defaults are read from the signature, and a wrong name or value is refused. To add
a method, write one function and decorate it with :func:`method`; ``CONTRIBUTING.md`` shows how.

The paper says neither which kind of Naive Bayes and support vector machine it has, nor what they
see. Here they see what the network sees, unless told otherwise: the 60 × 80 × 3 pixels of an image,
as 14,400 numbers from 0 to 1.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args, get_origin

import cv2
import numpy as np

from bloodlib.data.images import SPLITS, TASKS

METHODS: dict[str, Callable[..., "Predictions"]] = {}
#: What readers call a method; records and ``study.yml`` have the short names.
NAMES = {
    "majority": "constant",
    "NB": "Naive Bayes",
    "SVM": "SVM",
    "KNN": "nearest neighbour",
    "nearest-photograph": "nearest photograph",
    "histogram": "colour histogram",
    "small": "compact CNN",
    "DCLNN": "DCLNN",
}
Features = Literal["pixels", "grey", "histogram"]
Colours = Literal["RGB", "HSV"]
#: Where the brightest channel of a pixel is darker than this, the pixel is black filling, or the
#: edge of it. In the images without filling (TEST_SIMPLE) no pixel is.
FILLING = 112


@dataclass(frozen=True, eq=False)
class Data:
    """The images a method learns from and is tried on.

    Attributes
    ----------
    pixels : dict of str to uint8 array [n, height, width, 3]
        RGB images by split.
    labels : dict of str to dict of str to uint8 array [n]
        Labels by task, then by split.
    hash : str
        Identity of these images.
    photographs : int array [n], optional
        Number of the photograph behind each image of TRAIN, where it is known. Those of TEST are no
        method's business.
    """

    pixels: dict[str, np.ndarray]
    labels: dict[str, dict[str, np.ndarray]]
    hash: str
    photographs: np.ndarray | None = None

    def head(self, n: int) -> "Data":
        """The first ``n`` training images of each class, and a quarter as many of TEST.

        Classes are taken evenly spaced through the order of names, so that a
        small sample is not all of one photograph.
        """
        keep = {"TRAIN": n, "TEST": max(1, n // 4), "TEST_SIMPLE": n}
        chosen = {}
        for split in SPLITS:
            four = self.labels["four"][split]
            rows = [np.flatnonzero(four == label) for label in range(len(TASKS["four"]))]
            chosen[split] = np.concatenate(
                [r[np.linspace(0, len(r) - 1, min(len(r), keep[split])).astype(int)] for r in rows]
            )
        return Data(
            {split: self.pixels[split][chosen[split]] for split in SPLITS},
            {
                task: {split: labels[split][chosen[split]] for split in SPLITS}
                for task, labels in self.labels.items()
            },
            f"{self.hash}-{n}",
            None if self.photographs is None else self.photographs[chosen["TRAIN"]],
        )


@dataclass
class Predictions:
    """What a method answered. Scores are computed from it, never stored.

    Attributes
    ----------
    labels : uint8 array [epochs, n]
        Predicted labels on TEST after each epoch; one row where there are no epochs.
    labels_simple : uint8 array [n]
        Predicted labels on TEST_SIMPLE at the end.
    probabilities : float16 array [n, classes]
        Class probabilities on TEST at the end.
    probabilities_simple : float16 array [n, classes]
        Class probabilities on TEST_SIMPLE at the end.
    confusion_train : int32 array [epochs, classes, classes], optional
        Counts on TRAIN (rows: true class), as gathered while each epoch ran.
    history : dict of str to list of float
        ``loss``, ``val_loss`` and ``seconds`` by epoch; empty for methods without epochs.
    weights : str
        Hash of the trained weights, empty for methods without.
    device : str
        Name of the GPU that computed it; empty for the processor.
    backend : str
        Keras' backend, for a network.
    """

    labels: np.ndarray
    labels_simple: np.ndarray
    probabilities: np.ndarray
    probabilities_simple: np.ndarray
    confusion_train: np.ndarray | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    weights: str = ""
    device: str = ""
    backend: str = ""

    @classmethod
    def of(cls, model, features: Callable[[str], np.ndarray], labeller=None) -> "Predictions":
        """What a trained scikit-learn classifier predicts.

        Parameters
        ----------
        model : estimator
            Predicts probabilities. The label is the most probable class, the first of several.
        features : callable
            From "TEST" or "TEST_SIMPLE" to what the model sees, [n, features].
        labeller : estimator, optional
            Predicts the labels in the model's place.
        """
        labels, probabilities = [], []
        for split in ("TEST", "TEST_SIMPLE"):
            seen = features(split)
            found = model.predict_proba(seen)
            predicted = labeller.predict(seen) if labeller else found.argmax(axis=1)
            labels.append(predicted.astype(np.uint8))
            probabilities.append(found.astype(np.float16))
        return cls(labels[0][None], labels[1], *probabilities)


class InfeasibleError(ValueError):
    """The settings have no solution on these images, whatever the effort."""


def method(name: str) -> Callable:
    """Register a function under the name by which ``study.yml`` and the tables call it.

    The function returns :class:`Predictions`. Before its settings it takes ``data``: :class:`Data`,
    of any size; ``task``: "four" or "two", classes; ``seed``: int, of all that is
    left to chance, if anything is; ``checkpoint``: path, where what learns in epochs keeps its
    state after each, and goes on from.
    """

    def register(function):
        METHODS[name] = function
        return function

    return register


def defaults(name: str) -> dict[str, object]:
    """Settings of a method and their default values."""
    return {key: value for key, (_, value) in _settings(name).items()}


def check(name: str, given: dict[str, object]) -> dict[str, object]:
    """Every setting of the method: those given, checked and converted, and the defaults.

    Raises
    ------
    ValueError
        For a method or a setting that does not exist, and for a value of the wrong type.
    """
    known = _settings(name)
    for key in given:
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}. {suggest(key, known)}")
    return {
        key: _checked(f"{name}: {key}", given[key], wanted) if key in given else default
        for key, (wanted, default) in known.items()
    }


def suggest(word: str, known) -> str:
    """A sentence that names what might have been meant."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    listed = ", ".join(str(k) for k in known) or "none"
    return f"Did you mean {near[0]!r}?" if near else f"There are: {listed}."


def compute_features(pixels: np.ndarray, kind: Features = "pixels") -> np.ndarray:
    """Features of images, one row an image.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
        RGB images.
    kind : {"pixels", "grey", "histogram"}
        ``pixels``: all numbers; ``grey``: one number a pixel, as OpenCV weighs the channels
        (0.299, 0.587, 0.114); ``histogram``: see :func:`histogram`.

    Returns
    -------
    float64 array [n, features]
        From 0 to 1.
    """
    n, height, width, channels = pixels.shape
    if kind == "histogram":
        return histogram(pixels)
    if kind == "grey":
        pixels = cv2.cvtColor(pixels.reshape(n * height, width, channels), cv2.COLOR_RGB2GRAY)
    return pixels.reshape(n, -1) / 255


def histogram(pixels: np.ndarray, bins: int = 8, colours: Colours = "RGB") -> np.ndarray:
    """Joint colour histogram of images, the black filling left out.

    Parameters
    ----------
    pixels : uint8 array [n, height, width, 3]
        RGB images.
    bins : int
        Equal parts of each channel, 2 to 16.
    colours : {"RGB", "HSV"}
        The three channels; those of HSV in 0..255, as OpenCV's ``RGB2HSV_FULL`` has them.

    Returns
    -------
    float64 array [n, bins**3]
        Fractions of an image's pixels, which sum to 1; zeros where all of it is filling.

    Raises
    ------
    ValueError
        If there are fewer than 2 bins, or more than 16.
    """
    if not 2 <= bins <= 16:
        raise ValueError(f"bins is {bins}: give 2 to 16 for each channel")
    blocks = [pixels[start : start + 1000] for start in range(0, len(pixels), 1000)]
    return np.concatenate([_shares(block, bins, colours) for block in blocks])


def _settings(name):
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}. {suggest(name, METHODS)}")
    method = METHODS[name]  # its signature is what Sphinx makes of it, where that runs
    usual = method.__kwdefaults__ or {}
    return {key: (method.__annotations__[key], value) for key, value in usual.items()}


def _checked(what, value, wanted):
    """``value`` as the annotation has it: 1 may be 1.0, but True is no number."""
    kinds = get_args(wanted) or (wanted,)
    if get_origin(wanted) is Literal:
        if any(value == choice and type(value) is type(choice) for choice in kinds):
            return value
        raise ValueError(f"{what} is {value!r}. {suggest(value, kinds)}")
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds or (type(value) is float and not math.isfinite(value)):
        raise ValueError(f"{what} is {value!r}, which is not of type {wanted}")
    return value


def _shares(pixels, bins, colours):
    n, height, width, channels = pixels.shape
    filling = pixels.max(axis=-1) < FILLING
    if colours == "HSV":
        flat = pixels.reshape(n * height, width, channels)
        pixels = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL).reshape(pixels.shape)
    parts = pixels.astype(np.int32) * bins // 256
    bin_ = (parts[..., 0] * bins + parts[..., 1]) * bins + parts[..., 2]
    place = bin_ + bins**3 * np.arange(n)[:, None, None]
    counts = np.bincount(place[~filling], minlength=n * bins**3).reshape(n, bins**3)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


# ------------------------------------------------------------- methods that are no networks


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
        See :func:`compute_features`.
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
        See :func:`compute_features`.

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

    common = {"kernel": "precomputed", "cache_size": 1000}
    machine = SVC(C=C, **common) if kind == "C" else NuSVC(nu=nu, **common)
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
    """The most frequent class of TRAIN, whatever the image; probabilities are its fractions."""
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
        See :func:`histogram`.
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
        See :func:`histogram`.
    """
    import pandas as pd
    from sklearn.neighbors import KNeighborsClassifier

    labels, behind = data.labels[task]["TRAIN"], data.photographs
    behind = np.arange(len(labels)) if behind is None else behind
    shares = pd.DataFrame(histogram(data.pixels["TRAIN"], bins, colours))
    means = shares.groupby([behind, labels]).mean()

    def seen(split):
        return np.sqrt(histogram(data.pixels[split], bins, colours))

    model = KNeighborsClassifier(1, algorithm="brute")
    model.fit(np.sqrt(means.to_numpy()), means.index.get_level_values(1))
    return Predictions.of(model, seen)
