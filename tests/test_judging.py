"""The rules for verdicts, on invented numbers."""

import pytest

from bloodlib.evidence import judging
from bloodlib.evidence.judging import (
    DIRECTION,
    FAILS,
    HOLDS,
    NOT,
    OPEN,
    REPRODUCED,
    UNDECIDABLE,
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
        (CLEAR._replace(least=0.0), OPEN),
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
        ([WIDE] * 3, UNDECIDABLE),
        ([AGAINST], NOT),
    ],
)
def test_higher(differences, verdict):
    assert judging.higher(differences) == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (CLEAR, REPRODUCED),
        (Difference(0.0, -0.04, 0.04, -0.04, 0.04), REPRODUCED),  # no more, but no less
        (Difference(0.0, -0.06, 0.06, -0.04, 0.04), UNDECIDABLE),
        (Difference(0.0, -0.04, 0.04, -0.06, 0.06), UNDECIDABLE),
        (CLEAR._replace(runs=2), UNDECIDABLE),
        (AGAINST, NOT),
        (AGAINST._replace(runs=2), UNDECIDABLE),
    ],
)
def test_no_less(difference, verdict):
    assert judging.no_less(difference) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.80, 0.86, REPRODUCED),
        (0.833, 0.86, REPRODUCED),  # 0.83 may be 0.834
        (0.836, 0.86, NOT),
        (0.70, 0.824, NOT),
        (0.78, 0.88, REPRODUCED),
        (0.70, 0.90, UNDECIDABLE),  # inside, like every other number
    ],
)
def test_a_printed_number(low, high, verdict):
    assert judging.number(0.83, low, high) == verdict


@pytest.mark.parametrize(
    ("ends", "others", "verdict"),
    [
        ((0.8, 0.9), [(0.3, 0.35), (0.2, 0.4)], REPRODUCED),  # 0.8 / 0.4 is 2
        ((0.8, 0.9), [(0.3, 0.35), (0.2, 0.41)], UNDECIDABLE),
        ((0.8, 0.9), [(0.1, 0.2), (0.46, 0.6)], NOT),
    ],
)
def test_times(ends, others, verdict):
    assert judging.times(2, ends, others) == verdict


@pytest.mark.parametrize(
    ("number", "times", "higher", "verdict"),
    [
        (REPRODUCED, REPRODUCED, REPRODUCED, REPRODUCED),
        (REPRODUCED, NOT, REPRODUCED, DIRECTION),
        (NOT, REPRODUCED, DIRECTION, DIRECTION),
        (UNDECIDABLE, UNDECIDABLE, REPRODUCED, DIRECTION),
        (UNDECIDABLE, UNDECIDABLE, UNDECIDABLE, UNDECIDABLE),
        (NOT, UNDECIDABLE, UNDECIDABLE, NOT),
        (REPRODUCED, REPRODUCED, NOT, REPRODUCED),
        (UNDECIDABLE, UNDECIDABLE, NOT, NOT),
    ],
)
def test_a_number_and_how_many_times_the_others(number, times, higher, verdict):
    assert judging.both(number, times, higher) == verdict


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
    assert judging.alike(differences) == verdict


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([(0.1, 0.3), (0.2, 0.4)], DIRECTION),  # never more: it is one network
        ([(0.1, 0.3), (-0.1, 0.4)], UNDECIDABLE),
        ([(0.1, 0.3), (0.0, 0.4)], UNDECIDABLE),
        ([(0.1, 0.3), (-0.4, -0.1)], NOT),
    ],
)
def test_a_finding_of_one_network(ends, verdict):
    assert judging.of_one(ends) == verdict


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([(0.78, 0.80, 0.86), (0.94, 0.94, 0.96)], REPRODUCED),
        ([(0.78, 0.80, 0.86), (0.94, 0.93, 0.96)], UNDECIDABLE),
        ([(0.78, 0.80, 0.86), (0.94, 0.90, 0.93)], NOT),
    ],
)
def test_so_high_wherever_it_is_tried(scores, verdict):
    assert judging.at_least(scores) == verdict
