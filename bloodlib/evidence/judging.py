"""When a claim about scores is reproduced: the rules, which know nothing of the numbers.

A score of ours has an interval over cells like TEST's (``intervals``) and a value for
each run. A difference of two scores

- **holds** if its interval lies above zero and the lowest run of the one is above the highest of
  the other;
- **fails** if its interval lies below zero and the highest run of the one is below the lowest of
  the other;
- is **open** otherwise, and where a network has fewer than :data:`RUNS` runs.

The functions below go from such findings to a verdict. They know nothing of records or of the
paper, so that they can be tried on invented numbers.
"""

from collections.abc import Iterable
from typing import NamedTuple

REPRODUCED = "reproduced"
DIRECTION = "reproduced in direction only"
NOT = "not reproduced"
CONTRADICTS = "contradicts itself"
UNDECIDABLE = "can't be told"
UNTESTED = "not tested yet"
VERDICTS = (REPRODUCED, DIRECTION, NOT, CONTRADICTS, UNDECIDABLE, UNTESTED)

#: Fewer runs of a network say nothing about what its seed does.
RUNS = 3
#: A printed number inside a wider interval is not confirmed by it.
WIDTH = 0.1
#: Scores that differ by less are "virtually identical".
ALIKE = 0.05

HOLDS, FAILS, OPEN = "holds", "fails", "open"


class Difference(NamedTuple):
    """A score less another: its mean, the interval by cell, and the ends over pairs of runs."""

    value: float
    low: float
    high: float
    least: float
    most: float
    runs: int = RUNS

    @property
    def state(self) -> str:
        """Whether the one score is higher: see the module's rules."""
        if self.runs >= RUNS and self.low > 0 and self.least > 0:
            return HOLDS
        if self.runs >= RUNS and self.high < 0 and self.most < 0:
            return FAILS
        return OPEN


def higher(differences: Iterable[Difference]) -> str:
    """Verdict on "higher in all of these".

    Reproduced if all hold, not reproduced if one fails. If none fails and more than half hold,
    the direction is reproduced. The rest can't be told.
    """
    states = [difference.state for difference in differences]
    if FAILS in states:
        return NOT
    if set(states) == {HOLDS}:
        return REPRODUCED
    return DIRECTION if 2 * states.count(HOLDS) > len(states) else UNDECIDABLE


def no_less(difference: Difference) -> str:
    """Verdict on "no less than the other".

    Not reproduced if it fails. Reproduced if, with enough runs, neither the interval nor a pair of
    runs goes below zero by more than :data:`ALIKE`. The rest can't be told.
    """
    if difference.state == FAILS:
        return NOT
    close = min(difference.low, difference.least) >= -ALIKE and difference.runs >= RUNS
    return REPRODUCED if close else UNDECIDABLE


def number(printed: float, low: float, high: float, rounding: float = 0.005) -> str:
    """Verdict on a printed score.

    Not reproduced if it lies outside of our interval by more than its rounding. Inside, it is
    reproduced if the interval is no wider than :data:`WIDTH`; a wider one confirms nothing.
    """
    if not low - rounding <= printed <= high + rounding:
        return NOT
    return REPRODUCED if high - low <= WIDTH else UNDECIDABLE


def times(least: float, ends: tuple[float, float], others: Iterable[tuple[float, float]]) -> str:
    """Verdict on "at least so many times as high as each of these".

    Scores are given by the ends of their intervals. The ratio's interval is that of the ends, which
    is wider than need be: reproduced or not only where even so all of it is on one side.
    """
    ratios = [(ends[0] / high, ends[1] / low) for low, high in others]
    if any(high < least for _, high in ratios):
        return NOT
    return REPRODUCED if all(low >= least for low, _ in ratios) else UNDECIDABLE


def both(number: str, times: str, higher: str) -> str:
    """Verdict on "so high, and so many times the others", from the three above.

    Where not both parts are reproduced, the direction is if the score is higher at all.
    """
    if {number, times} == {REPRODUCED}:
        return REPRODUCED
    if higher in (REPRODUCED, DIRECTION):
        return DIRECTION
    return NOT if NOT in (number, times, higher) else UNDECIDABLE


def alike(differences: Iterable[Difference]) -> str:
    """Verdict on "virtually identical".

    Reproduced if no interval goes beyond :data:`ALIKE` on either side; not reproduced if a
    difference holds or fails and is larger than that.
    """
    found = list(differences)
    if any(d.state != OPEN and abs(d.value) > ALIKE for d in found):
        return NOT
    return REPRODUCED if all(-ALIKE <= d.low <= d.high <= ALIKE for d in found) else UNDECIDABLE


def of_one(ends: Iterable[tuple[float, float]]) -> str:
    """Verdict on "above zero, all of these", found with one network of each task.

    Not reproduced if an interval lies below zero. If all lie above, the direction is: how much of
    it the seed does, one network can't say.
    """
    found = list(ends)
    if any(high < 0 for _, high in found):
        return NOT
    return DIRECTION if all(low > 0 for low, _ in found) else UNDECIDABLE


def at_least(scores: Iterable[tuple[float, float, float]]) -> str:
    """Verdict on "so high, wherever it is tried": the least that is claimed, and our interval.

    One that lies below is enough against it; for it, all must lie above.
    """
    found = list(scores)
    if any(high < least for least, _, high in found):
        return NOT
    return REPRODUCED if all(low >= least for least, low, _ in found) else UNDECIDABLE
