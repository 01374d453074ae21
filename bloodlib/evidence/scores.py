"""The measures of section 4.4, from a confusion matrix.

Rows of a confusion matrix are the true classes, columns the predicted ones, as in
scikit-learn; leading axes (runs, epochs) are kept. Where a measure would divide
by zero it is 0, scikit-learn's choice too.
"""

import numpy as np


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Equation 14 as printed, each class against the rest [..., classes]."""
    confusion = np.asarray(confusion, dtype=float)
    n = confusion.sum(axis=(-2, -1))[..., None]
    either = confusion.sum(axis=-2) + confusion.sum(axis=-1)  # TP is in both
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(n - either + 2 * tp, n)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Fraction of images whose class is right [...]: what "accuracy" means for several classes."""
    confusion = np.asarray(confusion)
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Equation 15 for each class [..., classes]."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), np.sum(confusion, axis=-2))


def recall(confusion: np.ndarray) -> np.ndarray:
    """Equation 16 for each class [..., classes]."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), np.sum(confusion, axis=-1))


def f1(confusion: np.ndarray) -> np.ndarray:
    """Equation 17 for each class [..., classes]."""
    p, r = precision(confusion), recall(confusion)
    return _ratio(2 * p * r, p + r)


#: The measures of Tables 1 and 2, by the names of :data:`bloodlib.paper.MEASURES`.
MEASURES = {"precision": precision, "recall": recall, "f1": f1}


def printed_tables(confusion: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 as the paper prints them, each class, then ``Average``.

    Returns
    -------
    float array [..., 3, classes + 1]
        The average is the plain mean of the classes.
    """
    p, r = precision(confusion), recall(confusion)
    values = np.stack([p, r, _ratio(2 * p * r, p + r)], axis=-2)
    return np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)


def printed_rows(confusion: np.ndarray, measure: str) -> np.ndarray:
    """One measure of :func:`printed_tables` [..., classes + 1]."""
    return printed_tables(confusion)[..., list(MEASURES).index(measure), :]


def _ratio(above, below):
    above, below = np.multiply(above, 1.0), np.multiply(below, 1.0)  # single precision stays
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
