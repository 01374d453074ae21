"""The rules for verdicts on invented numbers, and the claims held against the print."""

import dataclasses

import pytest

from bloodlib import paper
from bloodlib.evidence import verdicts
from bloodlib.evidence.verdicts import Difference, Verdict

CLEAR = Difference(0.3, 0.1, 0.5, 0.2, 0.4)
AGAINST = Difference(-0.3, -0.5, -0.1, -0.4, -0.2)
WIDE = Difference(0.3, -0.1, 0.6, 0.2, 0.4)


@pytest.mark.parametrize(
    ("difference", "holds"),
    [
        (CLEAR, True),
        (AGAINST, False),
        (WIDE, None),  # other cells could undo it
        (CLEAR._replace(least=-0.01), None),  # another seed does undo it
        (AGAINST._replace(most=0.01), None),
        (CLEAR._replace(low=0.0), None),
        (CLEAR._replace(runs=2), None),  # too few seeds to say
        (AGAINST._replace(runs=2), None),
    ],
)
def test_a_difference(difference, holds):
    assert difference.holds is holds


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([CLEAR] * 5, Verdict.REPRODUCED),
        ([CLEAR] * 4 + [AGAINST], Verdict.NOT),
        ([CLEAR] * 3 + [WIDE] * 2, Verdict.DIRECTION),
        ([CLEAR] * 2 + [WIDE] * 2, Verdict.UNDECIDABLE),
        ([AGAINST], Verdict.NOT),
    ],
)
def test_higher(differences, verdict):
    assert verdicts.higher(differences) == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Difference(0.0, -0.04, 0.04, -0.04, 0.04), Verdict.REPRODUCED),  # no more, but no less
        (Difference(0.0, -0.06, 0.06, -0.04, 0.04), Verdict.UNDECIDABLE),
        (Difference(0.0, -0.04, 0.04, -0.06, 0.06), Verdict.UNDECIDABLE),
        (CLEAR._replace(runs=2), Verdict.UNDECIDABLE),
        (AGAINST, Verdict.NOT),
        (AGAINST._replace(runs=2), Verdict.UNDECIDABLE),
    ],
)
def test_no_less(difference, verdict):
    assert verdicts.no_less([difference]) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.80, 0.86, Verdict.REPRODUCED),
        (0.833, 0.86, Verdict.REPRODUCED),  # 0.83 may be 0.834
        (0.836, 0.86, Verdict.NOT),
        (0.70, 0.824, Verdict.NOT),
        (0.70, 0.90, Verdict.UNDECIDABLE),  # inside, like every other number
    ],
)
def test_a_printed_number(low, high, verdict):
    assert verdicts.number(0.83, low, high) == verdict
    assert verdicts.number(0.83, low, high, possible=False) == Verdict.CONTRADICTS
    assert verdicts.number(0.83) == Verdict.UNTESTED


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
        ((0.8, 0.86), 0.3, CLEAR, Verdict.REPRODUCED),
        ((0.8, 0.86), 0.3, AGAINST, Verdict.REPRODUCED),  # that it is higher follows from both
        ((0.8, 0.86), 0.6, CLEAR, Verdict.DIRECTION),  # the number, not as many times
        ((0.9, 0.96), 0.3, CLEAR, Verdict.DIRECTION),  # as many times, another number
        ((0.5, 0.96), 0.3, WIDE, Verdict.UNDECIDABLE),
        ((0.5, 0.96), 0.3, AGAINST, Verdict.NOT),
    ],
)
def test_a_number_and_how_many_times_the_others(ends, other, ahead, verdict):
    assert verdicts.number_and_times(0.83, 2, ends, [(other, other)], [ahead]) == verdict


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([Difference(0.01, -0.02, 0.04, -0.1, 0.1)] * 2, Verdict.REPRODUCED),
        ([Difference(0.01, -0.02, 0.06, -0.1, 0.1)], Verdict.UNDECIDABLE),
        ([Difference(0.01, -0.06, 0.02, -0.1, 0.1)], Verdict.UNDECIDABLE),
        ([CLEAR], Verdict.NOT),
        ([AGAINST, Difference(0.01, -0.02, 0.04, -0.1, 0.1)], Verdict.NOT),
        (
            [Difference(0.04, 0.01, 0.07, 0.03, 0.05)],
            Verdict.UNDECIDABLE,
        ),  # told from zero, yet small
        ([WIDE], Verdict.UNDECIDABLE),
    ],
)
def test_alike(differences, verdict):
    assert verdicts.alike(differences) == verdict


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([(0.78, 0.80, 0.86), (0.94, 0.95, 0.96)], Verdict.REPRODUCED),
        (
            [(0.0, 0.1, 0.3), (0.0, 0.0, 0.4)],
            Verdict.UNDECIDABLE,
        ),  # an interval that ends at zero has it
        ([(0.78, 0.80, 0.86), (0.94, 0.93, 0.96)], Verdict.UNDECIDABLE),
        ([(0.78, 0.80, 0.86), (0.94, 0.90, 0.93)], Verdict.NOT),
    ],
)
def test_so_high_wherever_it_is_tried(scores, verdict):
    assert verdicts.above(scores) == verdict
    expected = Verdict.DIRECTION if verdict == Verdict.REPRODUCED else verdict
    assert verdicts.above(scores, then=Verdict.DIRECTION) == expected


@pytest.mark.parametrize(
    ("values", "limits", "verdict"),
    [
        ([5], {"low": 5, "high": 5}, Verdict.REPRODUCED),
        ([4, 5], {"low": 5}, Verdict.NOT),
        ([6], {"high": 5, "otherwise": Verdict.UNDECIDABLE}, Verdict.UNDECIDABLE),
        ([5], {"high": 5, "then": Verdict.UNDECIDABLE}, Verdict.UNDECIDABLE),
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
    assert found.verdict == Verdict.NOT
    assert found.evidence.endswith("2 of the published photographs carry the label basophil: "
                                   "numbers 8, 171.")  # fmt: skip
    assert (
        verdicts.judge("no-basophil", {"basophils": 0, "numbers": ""}).verdict == Verdict.REPRODUCED
    )
    assert verdicts.judge("f1-083", None) == (Verdict.UNTESTED, "")
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
    assert {verdicts.judge_print(name)[0] for name in verdicts.PRINT} == {True}


@pytest.mark.parametrize(
    ("where", "number", "claim", "holds"),
    [
        # 0.61 and 0.61 may be any two numbers of a range; 0.60 and 0.61 meet at 0.605 at best
        (("four", "AveragePooling", "EOSINOPHIL", "recall"), "0.61",
         "average-pooling-better-somewhere", None),
        (("four", "AveragePooling", "EOSINOPHIL", "recall"), "0.60",
         "average-pooling-better-somewhere", False),
        (("four", "MaxPooling", "Average", "f1"), "0.79", "max-pooling-better-overall", False),
        (("two", "MaxPooling", "Average", "f1"), "0.95", "pooling-same-on-two", False),
        (("four", "SVM", "Average", "precision"), "0.44", "average-precision-088", None),
        (("four", "SVM", "Average", "precision"), "0.5", "average-precision-088", False),
        (("four", "NB", "Average", "recall"), "0.2", "recall-almost-triple", False),
        (("two", "NB", "Average", "f1"), "0.2", "baselines-better-on-two", False),
        (("two", "NB", "Average", "f1"), "0.99", "better-results", False),
        (("four", "NB", "LYMPHOCYTE", "f1"), "1", "dclnn-beats-baselines-four", None),
    ],
)  # fmt: skip
def test_other_numbers_get_other_verdicts(printed, where, number, claim, holds):
    printed(where, number)
    assert verdicts.judge_print(claim)[0] is holds
