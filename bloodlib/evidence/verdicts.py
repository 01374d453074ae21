"""When a claim of the paper is reproduced: the rules, and the claims that each is for.

A score of ours has an interval over cells like TEST's (``intervals``) and a value for each run. A
difference of two scores

- **holds** if its interval lies above zero and the lowest run of the one is above the highest of
  the other;
- **fails** if its interval lies below zero and the highest run of the one is below the lowest of
  the other;
- is **open** otherwise, and where a network has fewer than :data:`RUNS` runs.

``rules.yml`` gives each claim its rule and the sentence that carries the verdict; :func:`judge` is
told the numbers. :func:`judge_print` holds the same claims against the paper's own numbers.
"""

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
COMPARES, CLAIMS, PRINT = _TABLE["compares"], _TABLE["claims"], _TABLE["print"]


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


def _known(numbers: Iterable) -> list:
    """The numbers of a rule, at least one and none missing."""
    found = list(numbers)
    if not found or np.isnan(np.array(found, dtype=float)).any():
        raise ValueError(f"a rule needs numbers, not {found}: is a run or an interval missing?")
    return found


def always(verdict: str) -> str:
    """A verdict that no number of ours can change: the print alone decides, or nothing can."""
    return verdict


def within(
    values: Iterable[float],
    low: float = -math.inf,
    high: float = math.inf,
    then: str = REPRODUCED,
    otherwise: str = NOT,
) -> str:
    """Verdict ``then`` if all values lie from ``low`` to ``high``, both included."""
    return then if all(low <= value <= high for value in _known(values)) else otherwise


def higher(differences: Iterable[Difference]) -> str:
    """Verdict on "higher in all of these".

    Reproduced if all hold, not reproduced if one fails. If none fails and more than half hold,
    the direction is reproduced. The rest can't be told.
    """
    states = [difference.state for difference in _known(differences)]
    if FAILS in states:
        return NOT
    if set(states) == {HOLDS}:
        return REPRODUCED
    return DIRECTION if 2 * states.count(HOLDS) > len(states) else UNDECIDABLE


def cheaper_and_no_less(saved: float, difference: Difference) -> str:
    """Verdict on "smaller, and no less than the other".

    Not reproduced if nothing is saved, or if the difference fails. Reproduced if, with enough runs,
    neither the interval nor a pair of runs goes below zero by more than :data:`ALIKE`. The rest
    can't be told.
    """
    _known([saved, *difference])
    if saved <= 0 or difference.state == FAILS:
        return NOT
    close = min(difference.low, difference.least) >= -ALIKE and difference.runs >= RUNS
    return REPRODUCED if close else UNDECIDABLE


def number(printed: float, low: float, high: float, rounding: float = 0.005) -> str:
    """Verdict on a printed score.

    Not reproduced if it lies outside of our interval by more than its rounding. Inside, it is
    reproduced if the interval is no wider than :data:`WIDTH`; a wider one confirms nothing.
    """
    _known([printed, low, high])
    if not low - rounding <= printed <= high + rounding:
        return NOT
    return REPRODUCED if high - low <= WIDTH else UNDECIDABLE


def allowed_number(
    possible: bool, printed: float, low: float | None = None, high: float | None = None
) -> str:
    """Verdict on a printed score that the paper's own tables may exclude; ours may be missing."""
    if not possible:
        return CONTRADICTS
    return UNTESTED if low is None else number(printed, low, high)


def ratio(ends: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The ends of a ratio of two scores, from the ends of both; over 0 it has no upper one."""
    low = ends[0] / other[1] if other[1] else math.inf if ends[0] else 0.0
    return low, ends[1] / other[0] if other[0] else math.inf


def times(least: float, ends: tuple[float, float], others: Iterable[tuple[float, float]]) -> str:
    """Verdict on "at least so many times as high as each of these".

    Scores are given by the ends of their intervals. The ratio's interval is that of the ends, which
    is wider than need be: reproduced or not only where even so all of it is on one side.
    """
    _known([ends])
    ratios = [ratio(ends, other) for other in _known(others)]
    if any(high < least for _, high in ratios):
        return NOT
    return REPRODUCED if all(low >= least for low, _ in ratios) else UNDECIDABLE


def number_and_times(
    printed: float,
    least: float,
    ends: tuple[float, float],
    others: Iterable[tuple[float, float]],
    differences: Iterable[Difference],
) -> str:
    """Verdict on "so high, and so many times the others".

    Reproduced if both are; else the direction is, if the score is :func:`higher` at all.
    """
    parts = number(printed, *ends), times(least, ends, others)
    ahead = higher(differences)
    if set(parts) == {REPRODUCED}:
        return REPRODUCED
    if ahead in (REPRODUCED, DIRECTION):
        return DIRECTION
    return NOT if NOT in (*parts, ahead) else UNDECIDABLE


def alike(differences: Iterable[Difference]) -> str:
    """Verdict on "virtually identical".

    Reproduced if no interval goes beyond :data:`ALIKE` on either side; not reproduced if a
    difference holds or fails and is larger than that.
    """
    found = _known(differences)
    if any(d.state != OPEN and abs(d.value) > ALIKE for d in found):
        return NOT
    return REPRODUCED if all(-ALIKE <= d.low <= d.high <= ALIKE for d in found) else UNDECIDABLE


def of_one(ends: Iterable[tuple[float, float]]) -> str:
    """Verdict on "above zero, all of these", found with one network of each task.

    Not reproduced if an interval lies below zero. If all lie above, the direction is: how much of
    it the seed does, one network can't say.
    """
    found = _known(ends)
    if any(high < 0 for _, high in found):
        return NOT
    return DIRECTION if all(low > 0 for low, _ in found) else UNDECIDABLE


def at_least(scores: Iterable[tuple[float, float, float]]) -> str:
    """Verdict on "so high, wherever it is tried": the least that is claimed, and our interval.

    One that lies below is enough against it; for it, all must lie above.
    """
    found = _known(scores)
    if any(high < least for least, _, high in found):
        return NOT
    return REPRODUCED if all(low >= least for least, low, _ in found) else UNDECIDABLE


# ---------------------------------------------------------------------------------------- claims

_RULES = {
    rule.__name__: rule
    for rule in (
        always, within, higher, cheaper_and_no_less, number, allowed_number, number_and_times,
        alike, of_one, at_least,
    )
}  # fmt: skip


class Evidence(NamedTuple):
    """What a claim's rule is told, by its parameters; and what its sentence says besides."""

    told: Mapping
    said: Mapping


class Verdict(NamedTuple):
    """A verdict and the sentence that carries it."""

    verdict: str
    evidence: str


def judge(claim: str, evidence: Evidence | None) -> Verdict:
    """The verdict on a claim of :data:`bloodlib.paper.CLAIMS`; without evidence it is untested.

    Raises
    ------
    ValueError
        If the paper has no such claim, or a number is missing.
    """
    if claim not in CLAIMS:
        raise ValueError(f"the paper has no claim {claim!r}")
    if evidence is None:
        return Verdict(UNTESTED, "")
    rule = CLAIMS[claim]
    found = _RULES[rule["rule"]](**rule.get("with", {}), **evidence.told)
    return Verdict(found, rule["says"].format(**evidence.said))


def pairs(name: str) -> list[tuple[paper.Cell, paper.Cell]]:
    """Printed numbers that a claim holds against each other, by ``compares`` of the table."""
    spec = COMPARES[name]
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


class Comparison(NamedTuple):
    """A sentence about the tables, what the print says of it, and whether it is true.

    True or false if that holds for all numbers that may be behind the printed ones, rounded or
    truncated. Ranges in the evidence are for rounding.
    """

    says: str
    evidence: str
    verdict: str


def judge_print(name: str) -> Comparison:
    """Hold a claim against the paper's own numbers, by ``print`` of the table."""
    rule = PRINT[name]
    decide = {"higher": _higher, "times": _times, "equal": _equal, "alike": _alike, "same": _same}
    holds, evidence = decide[rule["rule"]](name, rule)
    found = {holds(convention) for convention in CONVENTIONS}
    verdict = TRUE if found == {True} else FALSE if found == {False} else UNDECIDABLE
    return Comparison(rule["says"], evidence, verdict)


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
    where = {key: rule["with"][key] for key in ("task", "method", "measure")}
    *rows, average = paper.cells(**where)
    shares = [Fraction(1, len(rows))] * len(rows)

    def mean(convention="rounded"):
        return arithmetic.mean_span([span(row, convention) for row in rows], shares)

    def holds(convention):
        possible = mean(convention).meets(span(average, convention))
        return average.value == rule["with"]["value"] and possible

    return holds, f"Printed is {average.printed}; the mean of its class rows is {mean()}."


def _alike(name, rule):
    compared = pairs(name)
    gaps = [abs(round(100 * (a.value - b.value))) for a, b in compared]
    ours, theirs = map(_right, compared[0])
    return lambda convention: max(gaps) <= 1, (
        f"No two numbers differ by more than {max(gaps) / 100:.2f}, {gaps.count(0)} of {len(gaps)} "
        f"are equal. Identical they can't be: AveragePooling has {int(theirs.low - ours.high)} to "
        f"{int(theirs.high - ours.low)} more images right."
    )


def _same(name, rule):
    compared = pairs(name)
    n = sum(a.value == b.value for a, b in compared)
    spelled = [f"{a.printed} and {b.printed}" for a, b in compared if a.printed != b.printed]
    return lambda convention: n == len(compared), (
        f"{n} of {len(compared)} numbers are equal; spelled differently: {', '.join(spelled)}."
    )
