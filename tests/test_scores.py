"""The measures of section 4.4 are scikit-learn's, and equation 14 is the printed one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from bloodlib.evidence import scores

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@st.composite
def answered(draw):
    """True and predicted labels, where classes may be absent, never predicted, or both."""
    classes = draw(st.integers(2, 5))
    n = draw(st.integers(1, 60))
    kinds = st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes)
    truth = draw(hnp.arrays(np.uint8, n, elements=st.sampled_from(draw(kinds))))
    predicted = draw(hnp.arrays(np.uint8, n, elements=st.sampled_from(draw(kinds))))
    return classes, truth, predicted


def tabulate(classes, truth, predicted):
    return confusion_matrix(truth, predicted, labels=range(classes))


@settings(max_examples=150, deadline=None)
@given(answered())
def test_measures_are_those_of_scikit_learn(case):
    classes, truth, predicted = case
    confusion = tabulate(*case)
    expected = precision_recall_fscore_support(
        truth, predicted, labels=range(classes), zero_division=0
    )
    ours = [scores.precision(confusion), scores.recall(confusion), scores.f1(confusion)]
    np.testing.assert_allclose(ours, expected[:3], **CLOSE)
    np.testing.assert_allclose(
        scores.accuracy(confusion), accuracy_score(truth, predicted), **CLOSE
    )
    macro = precision_recall_fscore_support(
        truth, predicted, labels=range(classes), average="macro", zero_division=0
    )
    for measure, average in zip(("precision", "recall", "f1"), macro[:3], strict=True):
        printed = scores.printed_rows(confusion, measure)
        assert printed.shape == (classes + 1,)
        np.testing.assert_allclose(printed[:-1], scores.MEASURES[measure](confusion), **CLOSE)
        np.testing.assert_allclose(printed[-1], average, **CLOSE)


@settings(max_examples=100, deadline=None)
@given(answered())
def test_equation_14_is_the_accuracy_of_each_class_against_the_rest(case):
    classes, truth, predicted = case
    expected = [accuracy_score(truth == k, predicted == k) for k in range(classes)]
    np.testing.assert_allclose(scores.class_accuracy(tabulate(*case)), expected, **CLOSE)


def test_a_worked_example():
    confusion = np.array([[8, 2], [4, 6]])
    assert scores.precision(confusion).tolist() == [8 / 12, 6 / 8]
    assert scores.recall(confusion).tolist() == [0.8, 0.6]
    assert scores.class_accuracy(confusion).tolist() == [0.7, 0.7]
    assert scores.accuracy(confusion) == 0.7
    np.testing.assert_allclose(scores.f1(confusion), [8 / 11, 12 / 18])


@pytest.mark.filterwarnings("error")
def test_where_nothing_is_predicted_or_there_is_nothing_the_measure_is_0():
    confusion = np.array([[5, 0, 0], [3, 0, 0], [0, 0, 0]])
    assert scores.precision(confusion).tolist() == [5 / 8, 0, 0]
    assert scores.recall(confusion).tolist() == [1, 0, 0]
    assert scores.f1(confusion)[1:].tolist() == [0, 0]
    assert scores.accuracy(np.zeros((2, 2), int)) == 0


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_leading_axes_are_kept_whatever_the_integers(dtype):
    confusions = np.random.default_rng(0).integers(0, 250, (2, 3, 4, 4)).astype(dtype)
    for function in (scores.f1, scores.class_accuracy, scores.accuracy):
        found, one = function(confusions), function(confusions[1, 2].astype(int))
        assert found.shape == (2, 3, *np.shape(one))
        np.testing.assert_allclose(found[1, 2], one, **CLOSE)
