"""The rules for verdicts on invented numbers, and the claims held against the print."""

import dataclasses
from pathlib import Path

import pytest

from bloodlib import paper
from bloodlib.evidence import verdicts
from bloodlib.evidence.verdicts import Difference, Verdict

CLEAR = Difference(0.3, 0.1, 0.5, 0.2, 0.4)
AGAINST = Difference(-0.3, -0.5, -0.1, -0.4, -0.2)
WIDE = Difference(0.3, 0.1, 0.5, -0.1, 0.7)
SAME = Difference(0.01, -0.2, 0.2, -0.1, 0.1)
REPRODUCED, DIRECTION, NOT = Verdict.REPRODUCED, Verdict.DIRECTION, Verdict.NOT
UNDECIDABLE = Verdict.UNDECIDABLE


@pytest.mark.parametrize(
    ("difference", "holds"),
    [
        (CLEAR, True),
        (AGAINST, False),
        (CLEAR._replace(low=-0.1), True),  # of these images, whatever others say
        (WIDE, None),  # another run could undo it
        (CLEAR._replace(least=0.0), None),
        (CLEAR._replace(runs=2), None),  # too few seeds to say
        (AGAINST._replace(runs=2), None),
    ],
)
def test_a_difference(difference, holds):
    assert difference.holds is holds


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([CLEAR] * 5, REPRODUCED),
        ([CLEAR] * 4 + [AGAINST], NOT),
        ([CLEAR, WIDE, WIDE], DIRECTION),
        ([CLEAR, WIDE._replace(value=-0.01)], UNDECIDABLE),
        ([CLEAR, WIDE._replace(runs=2)], UNDECIDABLE),
        ([AGAINST], NOT),
    ],
)
def test_higher(differences, verdict):
    assert verdicts.higher(differences) == verdict


@pytest.mark.parametrize(
    ("difference", "alike", "no_less"),
    [
        (SAME, REPRODUCED, REPRODUCED),
        (SAME._replace(runs=2), UNDECIDABLE, UNDECIDABLE),
        (CLEAR, NOT, REPRODUCED),
        (AGAINST, NOT, NOT),
        (AGAINST._replace(runs=2), UNDECIDABLE, UNDECIDABLE),
        (Difference(0.04, 0.01, 0.07, 0.03, 0.05), REPRODUCED, REPRODUCED),  # small, if certain
        (WIDE, UNDECIDABLE, REPRODUCED),
        (WIDE._replace(value=-0.06), UNDECIDABLE, UNDECIDABLE),
    ],
)
def test_alike_and_no_less(difference, alike, no_less):
    assert verdicts.alike([difference, SAME]) == alike
    assert verdicts.alike([difference, SAME], most=float("inf")) == no_less


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.82, 0.80, 0.86, REPRODUCED),
        (0.79, 0.50, 0.90, REPRODUCED),
        (0.82, 0.80, 0.826, REPRODUCED),  # 0.83 may be 0.826
        (0.82, 0.80, 0.824, NOT),
        (0.70, 0.50, 0.90, UNDECIDABLE),  # a rerun may give it, the mean is another
    ],
)
def test_a_printed_number(value, low, high, verdict):
    assert verdicts.number(0.83, value, low, high) == verdict
    assert verdicts.number(0.83, value, low, high, possible=False) == Verdict.CONTRADICTS


@pytest.mark.parametrize(
    ("value", "low", "high", "other", "ahead", "verdict"),
    [
        (0.83, 0.80, 0.86, 0.3, CLEAR, REPRODUCED),
        (0.83, 0.80, 0.86, 0.6, CLEAR, DIRECTION),  # the number, not as many times
        (0.93, 0.90, 0.96, 0.3, CLEAR, DIRECTION),  # as many times, another number
        (0.70, 0.50, 0.96, 0.3, SAME._replace(value=-0.01), UNDECIDABLE),
        (0.70, 0.50, 0.96, 0.3, AGAINST, NOT),
    ],
)
def test_a_number_and_how_many_times_the_others(value, low, high, other, ahead, verdict):
    found = verdicts.number_and_times(0.83, 2, value, low, high, [other, other], [ahead])
    assert found == verdict


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
    assert sum(entry.get("key", False) for entry in verdicts.CLAIMS.values()) == 10


@pytest.mark.parametrize("claim", verdicts.CLAIMS)
def test_what_shows_more_of_a_claim_is_there(claim):
    page, *labels = verdicts.CLAIMS[claim]["shown"].split()
    text = (Path(__file__).parents[1] / "chapters" / f"{page}.py").read_text(encoding="utf-8")
    assert all(f'"{label}"' in text for label in labels)


def test_a_claim_is_judged_by_its_numbers_and_says_them():
    found = verdicts.judge("no-basophil", {"basophils": 2, "numbers": "8, 171"})
    assert found.verdict == NOT
    assert "2 of the published photographs are labelled basophil (numbers 8, 171)" in found.evidence
    assert verdicts.judge("no-basophil", {"basophils": 0, "numbers": ""}).verdict == REPRODUCED
    assert verdicts.judge("f1-083", None) == (Verdict.UNTESTED, "", "")
    with pytest.raises(ValueError, match="no claim 'nonsense'"):
        verdicts.judge("nonsense", None)


LISTED = {"listed": ""}


@pytest.mark.parametrize(
    ("differences", "verdict", "other_cells"),
    [
        ([CLEAR, CLEAR], REPRODUCED, "yes"),
        ([CLEAR, CLEAR._replace(low=-0.1)], REPRODUCED, "open"),
        ([CLEAR, CLEAR._replace(low=-0.1, p=0.01)], REPRODUCED, "yes"),
        ([CLEAR, AGAINST], NOT, "no"),
    ],
)
def test_other_cells_are_another_question(differences, verdict, other_cells):
    found = verdicts.judge("max-pooling-better-overall", {"differences": differences} | LISTED)
    assert (found.verdict, found.other_cells) == (verdict, other_cells)


@pytest.mark.parametrize(
    "differences", [[], [CLEAR._replace(low=float("nan"))]], ids=["none", "nan"]
)
def test_no_number_is_no_verdict(differences):
    with pytest.raises(ValueError, match="a rule needs numbers"):
        verdicts.judge("max-pooling-better-overall", {"differences": differences} | LISTED)


def test_which_verdicts_the_runs_can_give():
    every = [REPRODUCED, DIRECTION, NOT, UNDECIDABLE]
    for runs, expected in ((3, every), (2, [UNDECIDABLE])):
        numbers = {"differences": [WIDE._replace(runs=runs)] * 2}
        assert verdicts.reachable("max-pooling-better-overall", numbers) == expected
    numbers = {"value": 0.8, "low": 0.7, "high": 0.9}
    assert verdicts.reachable("f1-083", numbers) == [REPRODUCED, NOT, UNDECIDABLE]
    numbers |= {"others": [0.3], "differences": [CLEAR]}
    assert verdicts.reachable("recall-almost-triple", numbers) == every
    assert verdicts.reachable("images-13k", {"n": 12_444}) == [REPRODUCED, NOT]
    assert verdicts.reachable("raw-pixels", {"scores": [(0.1, 0.2, 0.3)]}) == every[1:]
    assert verdicts.reachable("settings-complete", {}) == [NOT]


# ----------------------------------------------------------------------- held against the print


@pytest.fixture
def printed(monkeypatch):
    """A function that changes a number: ``printed(("two", "NB", "Average", "f1"), "0.9")``."""

    def change(where, number):
        cells = tuple(
            dataclasses.replace(c, printed=number)
            if (c.task, c.method, c.class_, c.measure) == where
            else c
            for c in paper.TABLE_CELLS
        )
        assert cells != paper.TABLE_CELLS
        monkeypatch.setattr(paper, "TABLE_CELLS", cells)

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
