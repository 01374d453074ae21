"""When a claim of the paper is reproduced: the rules, and the claims that each is for.

A score of ours has an interval over cells like TEST's (``intervals``) and a value for each run. A
difference of two scores

- **holds** if its interval lies above zero and the lowest run of the one is above the highest of
  the other;
- **fails** if its interval lies below zero and the highest run of the one is below the lowest of
  the other;
- is **open** otherwise, and where a network has fewer than :data:`RUNS` runs.

``rules.yml`` gives each claim its rule, where its numbers come from, and the sentence that carries
the verdict; :func:`judge` is told the numbers. :func:`judge_print` holds the same claims against
the paper's own numbers.
"""

import inspect
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from fractions import Fraction
from importlib import resources
from typing import NamedTuple

import numpy as np
import yaml

from bloodlib import paper
from bloodlib.paper.arithmetic import CONVENTIONS, Span, span

#: Fewer runs of a network say nothing about what its seed does.
RUNS = 3
#: A printed number inside a wider interval is not confirmed by it.
WIDTH = 0.1
#: Scores that differ by less are "virtually identical".
ALIKE = 0.05

_TABLE = yaml.safe_load(
    resources.files(__package__).joinpath("rules.yml").read_text(encoding="utf-8")
)
CLAIMS, PRINT = _TABLE["claims"], _TABLE["print"]


class Verdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    DIRECTION = "reproduced in direction only"
    NOT = "not reproduced"
    CONTRADICTS = "contradicts itself"
    UNDECIDABLE = "can't be told"
    UNTESTED = "not tested yet"


class Judgement(NamedTuple):
    """A verdict and the sentence that carries it."""

    verdict: Verdict
    evidence: str


# ------------------------------------------------------------------------------------- the rules


class Difference(NamedTuple):
    """A score minus another: its mean, the interval by cell, and the ends over pairs of runs."""

    value: float
    low: float
    high: float
    least: float
    most: float
    runs: int = RUNS

    @property
    def holds(self) -> bool | None:
        """Whether the one score is higher, by the module's rules; None if that is open."""
        if self.runs >= RUNS and self.low > 0 and self.least > 0:
            return True
        if self.runs >= RUNS and self.high < 0 and self.most < 0:
            return False
        return None


def within(
    values: Iterable[float],
    low: float = -math.inf,
    high: float = math.inf,
    then: Verdict = Verdict.REPRODUCED,
    otherwise: Verdict = Verdict.NOT,
) -> Verdict:
    """Verdict ``then`` if all values lie from ``low`` to ``high``, both included."""
    return then if all(low <= value <= high for value in values) else otherwise


def higher(differences: Iterable[Difference]) -> Verdict:
    """Verdict on "higher in all of these".

    Reproduced if all hold, not reproduced if one fails. If none fails and more than half hold,
    the direction is reproduced. The rest can't be told.
    """
    states = [difference.holds for difference in differences]
    if False in states:
        return Verdict.NOT
    if set(states) == {True}:
        return Verdict.REPRODUCED
    return Verdict.DIRECTION if 2 * states.count(True) > len(states) else Verdict.UNDECIDABLE


def no_less(differences: Iterable[Difference]) -> Verdict:
    """Verdict on "no less in any of these".

    Not reproduced if one fails. Reproduced if, with enough runs, neither an interval nor a pair of
    runs goes below zero by more than :data:`ALIKE`. The rest can't be told.
    """
    if any(d.holds is False for d in differences):
        return Verdict.NOT
    close = all(min(d.low, d.least) >= -ALIKE and d.runs >= RUNS for d in differences)
    return Verdict.REPRODUCED if close else Verdict.UNDECIDABLE


def alike(differences: Iterable[Difference]) -> Verdict:
    """Verdict on "virtually identical".

    Reproduced if no interval goes beyond :data:`ALIKE` on either side; not reproduced if a
    difference holds or fails and is larger than that.
    """
    if any(d.holds is not None and abs(d.value) > ALIKE for d in differences):
        return Verdict.NOT
    close = all(-ALIKE <= d.low <= d.high <= ALIKE for d in differences)
    return Verdict.REPRODUCED if close else Verdict.UNDECIDABLE


def above(
    scores: Iterable[tuple[float, float, float]], then: Verdict = Verdict.REPRODUCED
) -> Verdict:
    """Verdict on "so high, all of these": what each must exceed, and the ends of its interval.

    One interval below is enough against it; for it, all must lie above: ``then``.
    """
    if any(high < least for least, _, high in scores):
        return Verdict.NOT
    return then if all(low > least for least, low, _ in scores) else Verdict.UNDECIDABLE


def number(
    printed: float, low: float | None = None, high: float | None = None, possible: bool = True
) -> Verdict:
    """Verdict on a printed score, from the ends of our interval, which may be missing.

    Contradicts itself if the paper's own tables exclude it. Not reproduced if it lies outside of
    our interval by more than its rounding. Inside, it is reproduced if the interval is no wider
    than :data:`WIDTH`; a wider one confirms nothing.
    """
    if not possible:
        return Verdict.CONTRADICTS
    if low is None:
        return Verdict.UNTESTED
    if not low - 0.005 <= printed <= high + 0.005:
        return Verdict.NOT
    return Verdict.REPRODUCED if high - low <= WIDTH else Verdict.UNDECIDABLE


def ratio(ends: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The ends of a ratio of two scores, from the ends of both; over 0 it has no upper one."""
    low = ends[0] / other[1] if other[1] else math.inf if ends[0] else 0.0
    return low, ends[1] / other[0] if other[0] else math.inf


def number_and_times(
    printed: float,
    least: float,
    ends: tuple[float, float],
    others: Iterable[tuple[float, float]],
    differences: Iterable[Difference],
) -> Verdict:
    """Verdict on "so high, and more than so many times the others".

    Reproduced if both are; else the direction is, if the score is :func:`higher` at all. The
    ratio's interval is that of the ends, which is wider than need be.
    """
    times = above([(least, *ratio(ends, other)) for other in others])
    parts, ahead = (number(printed, *ends), times), higher(differences)
    if set(parts) == {Verdict.REPRODUCED}:
        return Verdict.REPRODUCED
    if ahead in (Verdict.REPRODUCED, Verdict.DIRECTION):
        return Verdict.DIRECTION
    return Verdict.NOT if Verdict.NOT in (*parts, ahead) else Verdict.UNDECIDABLE


# ---------------------------------------------------------------------------------------- claims

_RULES = {
    rule.__name__: rule
    for rule in (within, higher, no_less, alike, above, number, number_and_times)
}


def judge(claim: str, numbers: Mapping | None) -> Judgement:
    """The verdict on a claim of :data:`bloodlib.paper.CLAIMS`; without numbers it is untested.

    Parameters
    ----------
    claim : str
    numbers : dict or None
        What the claim's rule is told, by its parameters, and what its sentence says, by name. A
        claim with ``of`` in the table has that number for the rule's values.

    Raises
    ------
    ValueError
        If the paper has no such claim, or a number is missing.
    """
    if claim not in CLAIMS:
        raise ValueError(f"the paper has no claim {claim!r}")
    if numbers is None:
        return Judgement(Verdict.UNTESTED, "")
    entry = CLAIMS[claim]
    says = entry["says"].format(**numbers)
    if "rule" not in entry:
        return Judgement(Verdict(entry["verdict"]), says)
    rule = _RULES[entry["rule"]]
    given = {"values": np.atleast_1d(numbers[entry["of"]])} if "of" in entry else numbers
    told = {name: given[name] for name in inspect.signature(rule).parameters if name in given}
    for found in told.values():
        if not np.size(found) or np.isnan(np.array(found, dtype=float)).any():
            raise ValueError(f"a rule needs numbers, not {found}: is a run or an interval missing?")
    return Judgement(Verdict(rule(**entry.get("with", {}), **told)), says)


def pairs(name: str) -> list[tuple[paper.Cell, paper.Cell]]:
    """Printed numbers that a claim holds against each other, by ``compares`` of the table."""
    spec = _TABLE["compares"][name]
    places = {(c.task, c.method, c.class_, c.measure): c for c in paper.CELLS}
    found = []
    for cell in paper.CELLS:
        if all(getattr(cell, key) in np.atleast_1d(v) for key, v in spec["second"].items()):
            one = vars(cell) | spec["first"]
            first = places[one["task"], one["method"], one["class_"], one["measure"]]
            if "only" not in spec or cell.words in spec["only"]:
                found.append((first, cell))
    return found


# ------------------------------------------------------------------------ claims and the print


def judge_print(name: str) -> tuple[bool | None, str]:
    """Hold a sentence on the tables against the printed numbers, by ``print`` of the table.

    True or false if it is for all numbers that may be behind the printed ones, rounded or
    truncated; None if that depends on digits that were dropped. Ranges are for rounding.
    """
    rule, compared = PRINT[name], pairs(name)
    if "within" in rule:
        gaps = [round(abs(a.value - b.value), 2) for a, b in compared]
        said = f"{gaps.count(0)} of {len(gaps)} are equal; the largest difference is {max(gaps)}."
        return max(gaps) <= rule["within"], said
    least, *most = map(Fraction, rule["times"])

    def times(factor, where):
        return Span(factor * where.low, factor * where.high, where.closed)

    found = []
    for convention in CONVENTIONS:
        spans = [[span(cell.printed, convention) for cell in pair] for pair in compared]
        each = [a.above(times(least, b)) for a, b in spans]
        each += [times(factor, b).above(a) for factor in most for a, b in spans]
        found.append(False if False in each else None if None in each else True)
    if least == 1:
        a, b = min(compared, key=lambda pair: pair[0].value - pair[1].value)
        ahead = sum(a.value > b.value for a, b in compared)
        said = f"{ahead} of {len(compared)}; the closest: {a.printed} and {b.printed} ({a.words})."
    else:
        ratios = [f"{a.value / b.value:.2f} times {b.method}'s {b.printed}" for a, b in compared]
        said = f"{' and '.join(ratios)}."
    return found[0] if found[0] == found[1] else None, said + rule.get("note", "")
