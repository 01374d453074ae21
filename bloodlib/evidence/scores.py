"""The measures of section 4.4, from a confusion matrix.

Rows of a confusion matrix are the true classes, columns the predicted ones, as in
scikit-learn; leading axes (runs, epochs) are kept. Where a measure would divide
by zero it is 0, scikit-learn's choice too.
"""

import numpy as np


def counts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives, false negatives and true negatives of each class.

    Parameters
    ----------
    confusion : int array [..., classes, classes]

    Returns
    -------
    tuple of int array [..., classes]
    """
    confusion = np.asarray(confusion)
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    fp = confusion.sum(axis=-2) - tp
    fn = confusion.sum(axis=-1) - tp
    tn = confusion.sum(axis=(-2, -1))[..., None] - tp - fp - fn
    return tp, fp, fn, tn


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Equation 14 as printed, each class against the rest [..., classes]."""
    tp, fp, fn, tn = counts(confusion)
    return _ratio(tp + tn, tp + tn + fp + fn)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Fraction of images whose class is right [...]: what "accuracy" means for several classes."""
    confusion = np.asarray(confusion)
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Equation 15 for each class [..., classes]."""
    tp, fp, _, _ = counts(confusion)
    return _ratio(tp, tp + fp)


def recall(confusion: np.ndarray) -> np.ndarray:
    """Equation 16 for each class [..., classes]."""
    tp, _, fn, _ = counts(confusion)
    return _ratio(tp, tp + fn)


def f1(confusion: np.ndarray) -> np.ndarray:
    """Equation 17 for each class [..., classes]."""
    p, r = precision(confusion), recall(confusion)
    return _ratio(2 * p * r, p + r)


#: The measures of Tables 1 and 2, by the names of :data:`bloodlib.paper.MEASURES`.
MEASURES = {"precision": precision, "recall": recall, "f1": f1}


def printed_rows(confusion: np.ndarray, measure: str) -> np.ndarray:
    """A measure as the paper prints it: each class, then ``Average``, their plain mean.

    Returns
    -------
    float array [..., classes + 1]
    """
    values = MEASURES[measure](confusion)
    return np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)


def _ratio(above, below):
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
