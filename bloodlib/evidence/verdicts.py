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
from fractions import Fraction
from importlib import resources
from typing import NamedTuple

import numpy as np
import yaml

from bloodlib import paper
from bloodlib.data import images
from bloodlib.paper import arithmetic
from bloodlib.paper.arithmetic import CONVENTIONS, Span, span

REPRODUCED = "reproduced"
DIRECTION = "reproduced in direction only"
NOT = "not reproduced"
CONTRADICTS = "contradicts itself"
UNDECIDABLE = "can't be told"
UNTESTED = "not tested yet"
VERDICTS = (REPRODUCED, DIRECTION, NOT, CONTRADICTS, UNDECIDABLE, UNTESTED)
#: Verdicts on what is held against the print alone; the third is UNDECIDABLE.
TRUE, FALSE = "true", "false"

#: Fewer runs of a network say nothing about what its seed does.
RUNS = 3
#: A printed number inside a wider interval is not confirmed by it.
WIDTH = 0.1
#: Scores that differ by less are "virtually identical".
ALIKE = 0.05

HOLDS, FAILS, OPEN = "holds", "fails", "open"
_TABLE = yaml.safe_load(
    resources.files(__package__).joinpath("rules.yml").read_text(encoding="utf-8")
)
CLAIMS, PRINT = _TABLE["claims"], _TABLE["print"]


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
    def state(self) -> str:
        """Whether the one score is higher: see the module's rules."""
        if self.runs >= RUNS and self.low > 0 and self.least > 0:
            return HOLDS
        if self.runs >= RUNS and self.high < 0 and self.most < 0:
            return FAILS
        return OPEN


def within(
    values: Iterable[float],
    low: float = -math.inf,
    high: float = math.inf,
    then: str = REPRODUCED,
    otherwise: str = NOT,
) -> str:
    """Verdict ``then`` if all values lie from ``low`` to ``high``, both included."""
    return then if all(low <= value <= high for value in values) else otherwise


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


def no_less(differences: Iterable[Difference]) -> str:
    """Verdict on "no less in any of these".

    Not reproduced if one fails. Reproduced if, with enough runs, neither an interval nor a pair of
    runs goes below zero by more than :data:`ALIKE`. The rest can't be told.
    """
    if any(d.state == FAILS for d in differences):
        return NOT
    close = all(min(d.low, d.least) >= -ALIKE and d.runs >= RUNS for d in differences)
    return REPRODUCED if close else UNDECIDABLE


def alike(differences: Iterable[Difference]) -> str:
    """Verdict on "virtually identical".

    Reproduced if no interval goes beyond :data:`ALIKE` on either side; not reproduced if a
    difference holds or fails and is larger than that.
    """
    if any(d.state != OPEN and abs(d.value) > ALIKE for d in differences):
        return NOT
    close = all(-ALIKE <= d.low <= d.high <= ALIKE for d in differences)
    return REPRODUCED if close else UNDECIDABLE


def above(scores: Iterable[tuple[float, float, float]], then: str = REPRODUCED) -> str:
    """Verdict on "so high, all of these": what each must exceed, and the ends of its interval.

    One interval below is enough against it; for it, all must lie above: ``then``.
    """
    if any(high < least for least, _, high in scores):
        return NOT
    return then if all(low > least for least, low, _ in scores) else UNDECIDABLE


def number(
    printed: float, low: float | None = None, high: float | None = None, possible: bool = True
) -> str:
    """Verdict on a printed score, from the ends of our interval, which may be missing.

    Contradicts itself if the paper's own tables exclude it. Not reproduced if it lies outside of
    our interval by more than its rounding. Inside, it is reproduced if the interval is no wider
    than :data:`WIDTH`; a wider one confirms nothing.
    """
    if not possible:
        return CONTRADICTS
    if low is None:
        return UNTESTED
    if not low - 0.005 <= printed <= high + 0.005:
        return NOT
    return REPRODUCED if high - low <= WIDTH else UNDECIDABLE


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
) -> str:
    """Verdict on "so high, and more than so many times the others".

    Reproduced if both are; else the direction is, if the score is :func:`higher` at all. The
    ratio's interval is that of the ends, which is wider than need be.
    """
    times = above([(least, *ratio(ends, other)) for other in others])
    parts, ahead = (number(printed, *ends), times), higher(differences)
    if set(parts) == {REPRODUCED}:
        return REPRODUCED
    if ahead in (REPRODUCED, DIRECTION):
        return DIRECTION
    return NOT if NOT in (*parts, ahead) else UNDECIDABLE


# ---------------------------------------------------------------------------------------- claims

_RULES = {
    rule.__name__: rule
    for rule in (within, higher, no_less, alike, above, number, number_and_times)
}


class Verdict(NamedTuple):
    """A verdict and the sentence that carries it."""

    verdict: str
    evidence: str


def judge(claim: str, numbers: Mapping | None) -> Verdict:
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
        return Verdict(UNTESTED, "")
    entry = CLAIMS[claim]
    says = entry["says"].format(**numbers)
    if "rule" not in entry:
        return Verdict(entry["verdict"], says)
    rule = _RULES[entry["rule"]]
    given = {"values": np.atleast_1d(numbers[entry["of"]])} if "of" in entry else numbers
    told = {name: given[name] for name in inspect.signature(rule).parameters if name in given}
    for found in told.values():
        if not np.size(found) or np.isnan(np.array(found, dtype=float)).any():
            raise ValueError(f"a rule needs numbers, not {found}: is a run or an interval missing?")
    return Verdict(rule(**entry.get("with", {}), **told), says)


def pairs(name: str) -> list[tuple[paper.Cell, paper.Cell]]:
    """Printed numbers that a claim holds against each other, by ``compares`` of the table."""
    spec = _TABLE["compares"][name]
    places = {(c.task, c.method, c.class_, c.measure): c for c in paper.CELLS}
    found = []
    for cell in paper.CELLS:
        if all(getattr(cell, key) in np.atleast_1d(v) for key, v in spec["second"].items()):
            one = vars(cell) | spec["first"]
            first = places[one["task"], one["method"], one["class_"], one["measure"]]
            if "only" not in spec or called(cell) in spec["only"]:
                found.append((first, cell))
    return found


def called(cell: paper.Cell) -> str:
    """A printed number in words, such as "neutrophil recall"."""
    return f"{cell.class_.lower()} {cell.measure.replace('f1', 'F1')}"


# ------------------------------------------------------------------------ claims and the print


# ------------------------------------------------------------------------ claims and the print


def judge_print(name: str) -> Verdict:
    """Hold a claim against the paper's own numbers, by ``print`` of the table.

    True or false if that holds for all numbers that may be behind the printed ones, rounded or
    truncated. Ranges in the evidence are for rounding.
    """
    rule = PRINT[name]
    decide = {"higher": _higher, "times": _times, "equal": _equal, "alike": _alike}[rule["rule"]]
    holds, evidence = decide(name, rule)
    found = {holds(convention) for convention in CONVENTIONS}
    verdict = TRUE if found == {True} else FALSE if found == {False} else UNDECIDABLE
    return Verdict(verdict, evidence)


def _all(found: Iterable[bool | None]) -> bool | None:
    """Whether all hold; None if that can't be told."""
    found = list(found)
    return False if False in found else None if None in found else True


def _right(cell: paper.Cell, convention: str = "rounded") -> Span:
    """Right answers on TEST of a cell's block: any number, if no matrix gives the printed ones."""
    block = arithmetic.bounds(cell.method, images.counts(cell.task)["TEST"], convention)
    return Span(*map(Fraction, block.correct or (0, block.images)))


def _higher(name, rule):
    compared = pairs(name)
    counted = list({(a.task, b.method): (a, b) for a, b in compared}.values())
    if not rule.get("right_answers"):
        counted = []

    def holds(convention):
        ahead = [span(a, convention).above(span(b, convention)) for a, b in compared]
        return _all(
            ahead + [_right(a, convention).above(_right(b, convention)) for a, b in counted]
        )

    a, b = min(compared, key=lambda pair: pair[0].value - pair[1].value)
    gap = float(span(a).low - span(b).high)
    said = (
        f"{sum(a.value > b.value for a, b in compared)} of {len(compared)}; nearest are "
        f"{a.printed} and {b.printed} ({called(a)}), at least {gap:.2f} apart before rounding."
    )
    if "class_rows" in rule:
        rows = pairs(rule["class_rows"])
        above = [called(a) for a, b in rows if a.value > b.value]
        said += f" Class rows: higher in {len(above)} of {len(rows)} ({', '.join(above)}), "
        said += f"equal in {sum(a.value == b.value for a, b in rows)}."
    if counted:
        least = min(_right(a).low - _right(b).high for a, b in counted)
        said += f" At least {int(least):,} more of TEST's images are right."
    return holds, said + rule.get("note", "")


def _times(name, rule):
    least, most = rule["with"]["least"], rule["with"].get("most", math.inf)
    compared = pairs(name)

    def ends(pair, convention="rounded"):
        ours, other = (span(cell, convention) for cell in pair)
        return ratio((ours.low, ours.high), (other.low, other.high))

    def holds(convention):
        found = [ends(pair, convention) for pair in compared]
        if all(low > least and high < most for low, high in found):
            return True
        return False if any(high <= least or low >= most for low, high in found) else None

    listed = (
        f"{a.value / b.value:.2f} times {b.method}'s {b.printed} ({{:.2f}} to {{:.2f}})".format(
            *map(float, ends((a, b)))
        )
        for a, b in compared
    )
    return holds, f"{' and '.join(listed)}."


def _equal(name, rule):
    *rows, average = paper.cells(**rule["with"])

    def mean(convention="rounded"):
        shares = [Fraction(1, len(rows))] * len(rows)
        return arithmetic.mean_span([span(row, convention) for row in rows], shares)

    def holds(convention):
        possible = mean(convention).meets(span(average, convention))
        return average.value == rule["value"] and possible

    return holds, f"Printed is {average.printed}; the mean of its class rows is {mean()}."


def _alike(name, rule):
    compared = pairs(name)
    gaps = [abs(round(100 * (a.value - b.value))) for a, b in compared]
    said = f"{gaps.count(0)} of {len(gaps)} numbers are equal"
    if rule["hundredths"]:
        ours, theirs = map(_right, compared[0])
        said += (
            f", no two differ by more than {max(gaps) / 100:.2f}. Identical they can't be: "
            f"AveragePooling has {int(theirs.low - ours.high)} to {int(theirs.high - ours.low)} "
            "more images right."
        )
    else:
        spelled = [f"{a.printed} and {b.printed}" for a, b in compared if a.printed != b.printed]
        said += f"; spelled differently: {', '.join(spelled)}."
    return lambda convention: max(gaps) <= rule["hundredths"], said
