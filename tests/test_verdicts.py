"""The rules for verdicts on invented numbers, and the claims held against the print."""

import dataclasses

import pytest

from bloodlib import paper
from bloodlib.evidence import verdicts
from bloodlib.evidence.verdicts import (
    CONTRADICTS,
    DIRECTION,
    FAILS,
    HOLDS,
    NOT,
    OPEN,
    REPRODUCED,
    UNDECIDABLE,
    UNTESTED,
    Difference,
)

CLEAR = Difference(0.3, 0.1, 0.5, 0.2, 0.4)
AGAINST = Difference(-0.3, -0.5, -0.1, -0.4, -0.2)
WIDE = Difference(0.3, -0.1, 0.6, 0.2, 0.4)


@pytest.mark.parametrize(
    ("difference", "state"),
    [
        (CLEAR, HOLDS),
        (AGAINST, FAILS),
        (WIDE, OPEN),  # other cells could undo it
        (CLEAR._replace(least=-0.01), OPEN),  # another seed does undo it
        (AGAINST._replace(most=0.01), OPEN),
        (CLEAR._replace(low=0.0), OPEN),
        (CLEAR._replace(runs=2), OPEN),  # too few seeds to say
        (AGAINST._replace(runs=2), OPEN),
    ],
)
def test_a_difference(difference, state):
    assert difference.state == state


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([CLEAR] * 5, REPRODUCED),
        ([CLEAR] * 4 + [AGAINST], NOT),
        ([CLEAR] * 3 + [WIDE] * 2, DIRECTION),
        ([CLEAR] * 2 + [WIDE] * 2, UNDECIDABLE),
        ([AGAINST], NOT),
    ],
)
def test_higher(differences, verdict):
    assert verdicts.higher(differences) == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Difference(0.0, -0.04, 0.04, -0.04, 0.04), REPRODUCED),  # no more, but no less
        (Difference(0.0, -0.06, 0.06, -0.04, 0.04), UNDECIDABLE),
        (Difference(0.0, -0.04, 0.04, -0.06, 0.06), UNDECIDABLE),
        (CLEAR._replace(runs=2), UNDECIDABLE),
        (AGAINST, NOT),
        (AGAINST._replace(runs=2), UNDECIDABLE),
    ],
)
def test_no_less(difference, verdict):
    assert verdicts.no_less([difference]) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.80, 0.86, REPRODUCED),
        (0.833, 0.86, REPRODUCED),  # 0.83 may be 0.834
        (0.836, 0.86, NOT),
        (0.70, 0.824, NOT),
        (0.70, 0.90, UNDECIDABLE),  # inside, like every other number
    ],
)
def test_a_printed_number(low, high, verdict):
    assert verdicts.number(0.83, low, high) == verdict
    assert verdicts.number(0.83, low, high, possible=False) == CONTRADICTS
    assert verdicts.number(0.83) == UNTESTED


@pytest.mark.parametrize(
    ("ends", "other", "expected"),
    [
        ((0.8, 0.9), (0.2, 0.4), (2, 4.5)),
        ((0.8, 0.9), (0.0, 0.5), (1.6, float("inf"))),  # a score that may be zero
        ((0.0, 0.9), (0.0, 0.0), (0, float("inf"))),
    ],
)
def test_ratio(ends, other, expected):
    assert verdicts.ratio(ends, other) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ends", "other", "ahead", "verdict"),
    [
        ((0.8, 0.86), 0.3, CLEAR, REPRODUCED),
        ((0.8, 0.86), 0.3, AGAINST, REPRODUCED),  # that it is higher follows from both
        ((0.8, 0.86), 0.6, CLEAR, DIRECTION),  # the number, not as many times
        ((0.9, 0.96), 0.3, CLEAR, DIRECTION),  # as many times, another number
        ((0.5, 0.96), 0.3, WIDE, UNDECIDABLE),
        ((0.5, 0.96), 0.3, AGAINST, NOT),
    ],
)
def test_a_number_and_how_many_times_the_others(ends, other, ahead, verdict):
    assert verdicts.number_and_times(0.83, 2, ends, [(other, other)], [ahead]) == verdict


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([Difference(0.01, -0.02, 0.04, -0.1, 0.1)] * 2, REPRODUCED),
        ([Difference(0.01, -0.02, 0.06, -0.1, 0.1)], UNDECIDABLE),
        ([Difference(0.01, -0.06, 0.02, -0.1, 0.1)], UNDECIDABLE),
        ([CLEAR], NOT),
        ([AGAINST, Difference(0.01, -0.02, 0.04, -0.1, 0.1)], NOT),
        ([Difference(0.04, 0.01, 0.07, 0.03, 0.05)], UNDECIDABLE),  # told from zero, yet small
        ([WIDE], UNDECIDABLE),
    ],
)
def test_alike(differences, verdict):
    assert verdicts.alike(differences) == verdict


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([(0.78, 0.80, 0.86), (0.94, 0.95, 0.96)], REPRODUCED),
        ([(0.0, 0.1, 0.3), (0.0, 0.0, 0.4)], UNDECIDABLE),  # an interval that ends at zero has it
        ([(0.78, 0.80, 0.86), (0.94, 0.93, 0.96)], UNDECIDABLE),
        ([(0.78, 0.80, 0.86), (0.94, 0.90, 0.93)], NOT),
    ],
)
def test_so_high_wherever_it_is_tried(scores, verdict):
    assert verdicts.above(scores) == verdict
    expected = DIRECTION if verdict == REPRODUCED else verdict
    assert verdicts.above(scores, then=DIRECTION) == expected


@pytest.mark.parametrize(
    ("values", "limits", "verdict"),
    [
        ([5], {"low": 5, "high": 5}, REPRODUCED),
        ([4, 5], {"low": 5}, NOT),
        ([6], {"high": 5, "otherwise": UNDECIDABLE}, UNDECIDABLE),
        ([5], {"high": 5, "then": UNDECIDABLE}, UNDECIDABLE),
    ],
)
def test_within(values, limits, verdict):
    assert verdicts.within(values, **limits) == verdict


# ---------------------------------------------------------------------------------------- claims


def test_every_claim_has_a_rule_and_a_sentence():
    assert {claim.id for claim in paper.CLAIMS} == set(verdicts.CLAIMS)
    assert set(verdicts.PRINT) <= {*verdicts.CLAIMS, "dclnn-is-max-pooling"}


def test_a_claim_is_judged_by_its_numbers_and_says_them():
    found = verdicts.judge("no-basophil", {"basophils": 2, "numbers": "8, 171"})
    assert found.verdict == NOT
    assert found.evidence.endswith("2 of the published photographs carry the label basophil: "
                                   "numbers 8, 171.")  # fmt: skip
    assert verdicts.judge("no-basophil", {"basophils": 0, "numbers": ""}).verdict == REPRODUCED
    assert verdicts.judge("f1-083", None) == (UNTESTED, "")
    with pytest.raises(ValueError, match="no claim 'nonsense'"):
        verdicts.judge("nonsense", None)


@pytest.mark.parametrize(
    ("claim", "numbers"),
    [
        ("f1-083", {"low": float("nan"), "high": 0.9, "ours": ""}),
        ("larger-dataset", {"differences": [], "accuracies": "", "gains": ""}),
        (
            "larger-dataset",
            {"differences": [CLEAR._replace(low=float("nan"))], "accuracies": "", "gains": ""},
        ),
    ],
)
def test_no_number_is_no_verdict(claim, numbers):
    with pytest.raises(ValueError, match="a rule needs numbers"):
        verdicts.judge(claim, numbers)


# ----------------------------------------------------------------------- held against the print


@pytest.fixture
def printed(monkeypatch):
    """A function that changes a number: ``printed(("two", "NB", "Average", "f1"), "0.9")``."""

    def change(where, number):
        cells = tuple(
            dataclasses.replace(c, printed=number)
            if (c.task, c.method, c.class_, c.measure) == where
            else c
            for c in paper.CELLS
        )
        assert cells != paper.CELLS
        monkeypatch.setattr(paper, "CELLS", cells)

    return change


def test_what_section_6_2_reads_off_the_tables_is_true():
    assert {verdicts.judge_print(name).verdict for name in verdicts.PRINT} == {verdicts.TRUE}


@pytest.mark.parametrize(
    ("where", "number", "claim", "verdict"),
    [
        # 0.61 and 0.61 may be any two numbers of a range; 0.60 and 0.61 meet at 0.605 at best
        (("four", "AveragePooling", "EOSINOPHIL", "recall"), "0.61",
         "average-pooling-better-somewhere", "can't be told"),
        (("four", "AveragePooling", "EOSINOPHIL", "recall"), "0.60",
         "average-pooling-better-somewhere", "false"),
        (("four", "MaxPooling", "Average", "f1"), "0.79", "max-pooling-better-overall", "false"),
        (("two", "MaxPooling", "Average", "f1"), "0.95", "pooling-same-on-two", "false"),
        (("four", "SVM", "Average", "precision"), "0.44", "average-precision-088", "can't be told"),
        (("four", "SVM", "Average", "precision"), "0.5", "average-precision-088", "false"),
        (("four", "NB", "Average", "recall"), "0.2", "recall-almost-triple", "false"),
        (("four", "DCLNN", "Average", "f1"), "0.84", "f1-083", "false"),
        (("two", "NB", "Average", "f1"), "0.2", "baselines-better-on-two", "false"),
        (("two", "NB", "Average", "f1"), "0.99", "better-results", "false"),
        (("four", "NB", "LYMPHOCYTE", "f1"), "1", "dclnn-beats-baselines-four", "can't be told"),
    ],
)  # fmt: skip
def test_other_numbers_get_other_verdicts(printed, where, number, claim, verdict):
    printed(where, number)
    assert verdicts.judge_print(claim).verdict == verdict
