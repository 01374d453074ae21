"""When a claim of the paper is reproduced: the rules, and the claims that each is for.

The paper's numbers are about the images of TEST, so they are held against reruns on these images:
:func:`bloodlib.evidence.comparison.rerun_range` says what one more run may score, or by how much
two may differ. A difference **holds** if two reruns would differ that way, **fails** if they would
differ the other way, and is **open** otherwise, or with fewer than :data:`RUNS` runs of a network.
Whether it also holds for other cells is a question of its own, which the interval over cells and
seeds answers, or a paired test over cells (:attr:`Judgement.other_cells`).

``rules.yml`` gives each claim its rule, where its numbers come from, and the sentence that carries
the verdict; :func:`judge` is told the numbers. :func:`judge_print` holds the same claims against
the paper's own numbers.
"""

import inspect
import itertools
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from fractions import Fraction
from importlib import resources
from typing import NamedTuple

import numpy as np
import yaml

from bloodlib import paper
from bloodlib.evidence import comparison
from bloodlib.paper.arithmetic import CONVENTIONS, Span, span

#: Fewer runs of a network say nothing about what its seed does.
RUNS = 3
#: Scores that differ by no more are alike.
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
    """A verdict, the sentence that carries it, and whether a difference holds for other cells.

    The last is "yes", "no" or "open", and "" where a claim is not about a difference of scores.
    """

    verdict: Verdict
    evidence: str
    other_cells: str = ""


# ------------------------------------------------------------------------------------- the rules


class Difference(NamedTuple):
    """A score minus another: its mean, the 95 % CI for other cells, and the range over reruns.

    ``p`` is of a paired test over cells, where there is one.
    """

    value: float
    low: float
    high: float
    least: float
    most: float
    runs: int = RUNS
    p: float = 1.0

    @property
    def holds(self) -> bool | None:
        """Whether the one score is higher on these images; None if that is open."""
        if self.runs < RUNS or self.least <= 0 <= self.most:
            return None
        return self.least > 0

    @property
    def holds_elsewhere(self) -> bool | None:
        """Whether the one score is higher on other cells; None if that is open."""
        known = self.low > 0 or self.high < 0 or self.p < 0.05
        return self.value > 0 if known else None

    def __str__(self) -> str:
        return comparison.signed(self.value, self.least, self.most).replace("(", "(reruns ")


def within(
    values: Iterable[float],
    low: float = -math.inf,
    high: float = math.inf,
    then: str = Verdict.REPRODUCED,
    otherwise: str = Verdict.NOT,
) -> str:
    """Verdict ``then`` if all values lie from ``low`` to ``high``, both included."""
    return then if all(low <= value <= high for value in values) else otherwise


def higher(differences: Iterable[Difference]) -> Verdict:
    """Verdict on "higher in all of these".

    Reproduced if all hold, not reproduced if one fails. If none fails and all means are higher, the
    direction is reproduced. The rest can't be told.
    """
    states = [difference.holds for difference in differences]
    if False in states:
        return Verdict.NOT
    if set(states) == {True}:
        return Verdict.REPRODUCED
    known = all(d.value > 0 and d.runs >= RUNS for d in differences)
    return Verdict.DIRECTION if known else Verdict.UNDECIDABLE


def alike(differences: Iterable[Difference], most: float = ALIKE) -> Verdict:
    """Verdict on "alike", and with an infinite ``most`` on "no less".

    Reproduced if, with enough runs, the means differ by no more than :data:`ALIKE`; not reproduced
    if a difference is larger than that, and holds or fails. The rest can't be told.
    """
    apart = [d for d in differences if not -ALIKE <= d.value <= most]
    if any(d.holds is not None for d in apart):
        return Verdict.NOT
    known = not apart and all(d.runs >= RUNS for d in differences)
    return Verdict.REPRODUCED if known else Verdict.UNDECIDABLE


def above(scores: Iterable[tuple[float, float, float]], then: str = Verdict.REPRODUCED) -> str:
    """Verdict on "so high, all of these": what each must exceed, and the ends of its interval.

    One interval below is enough against it; for it, all must lie above: ``then``.
    """
    if any(high < least for least, _, high in scores):
        return Verdict.NOT
    return then if all(low > least for least, low, _ in scores) else Verdict.UNDECIDABLE


def number(printed: float, value: float, low: float, high: float, possible: bool = True) -> Verdict:
    """Verdict on a printed score, from the mean of our runs and what a rerun may give.

    Contradicts itself if the paper's own tables exclude it. Not reproduced if no rerun may give it,
    its rounding allowed for. Reproduced if one may, and our mean is :data:`ALIKE`.
    """
    if not possible:
        return Verdict.CONTRADICTS
    if not low - 0.005 <= printed <= high + 0.005:
        return Verdict.NOT
    return Verdict.REPRODUCED if abs(value - printed) <= ALIKE else Verdict.UNDECIDABLE


def number_and_times(
    printed: float,
    least: float,
    value: float,
    low: float,
    high: float,
    others: Iterable[float],
    differences: Iterable[Difference],
) -> Verdict:
    """Verdict on "so high, and more than so many times the others".

    Reproduced if both are; else the direction is, if the score is :func:`higher` at all.
    """
    times = above([(least * other, low, high) for other in others])
    parts, ahead = (number(printed, value, low, high), times), higher(differences)
    if set(parts) == {Verdict.REPRODUCED}:
        return Verdict.REPRODUCED
    if ahead in (Verdict.REPRODUCED, Verdict.DIRECTION):
        return Verdict.DIRECTION
    return Verdict.NOT if Verdict.NOT in (*parts, ahead) else Verdict.UNDECIDABLE


# ---------------------------------------------------------------------------------------- claims

_RULES = {rule.__name__: rule for rule in (within, higher, alike, above, number, number_and_times)}


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
    rule, told = _RULES[entry["rule"]], _told(claim, numbers)
    for found in (value for name, value in told.items() if name not in entry.get("with", {})):
        if not np.size(found) or np.isnan(np.array(found, dtype=float)).any():
            raise ValueError(f"a rule needs numbers, not {found}: is a run or an interval missing?")
    elsewhere = ""
    if rule in (higher, number_and_times):
        states = {d.holds_elsewhere for d in told["differences"]}
        elsewhere = "no" if False in states else "open" if None in states else "yes"
    return Judgement(Verdict(rule(**told)), says, elsewhere)


def _told(claim, numbers):
    """What the rule of a claim is told, by its parameters."""
    entry = CLAIMS[claim]
    given = {"values": np.atleast_1d(numbers[entry["of"]])} if "of" in entry else numbers
    names = inspect.signature(_RULES[entry["rule"]]).parameters
    return {name: given[name] for name in names if name in given} | entry.get("with", {})


def reachable(claim: str, numbers: Mapping) -> list[Verdict]:
    """Which verdicts a claim can get with as many runs as there are, whatever they had answered.

    The claim's rule is asked again with scores that are as far above, as far below, as near and as
    uncertain as scores can be.
    """
    entry = CLAIMS[claim]
    if "rule" not in entry:
        return [Verdict(entry["verdict"])]
    rule, told = _RULES[entry["rule"]], _told(claim, numbers)
    ends = (told[end] for end in ("low", "high") if end in entry.get("with", {}))
    imagined = [{"values": [end + step]} for end in ends for step in (-1, 0, 1)]
    printed = told.get("printed", 0)
    for other, (value, low, high) in itertools.product(
        (0.01, 1), [(1, 1, 1), (0.5, -1, 1), (0, 0, 0), (-0.5, -1, 1), (-1, -1, -1)]
    ):
        differences = told.get("differences", ())
        imagined.append(
            {
                "differences": [d._replace(value=value, least=low, most=high) for d in differences],
                "scores": [
                    (least, least + low, least + high) for least, *_ in told.get("scores", ())
                ],
                "others": [other],
                "value": printed + value,
                "low": printed + low,
                "high": printed + high,
            }
        )
    found = {
        rule(**told | {name: value for name, value in one.items() if name in told})
        for one in imagined
        if ("values" in one) == ("values" in told)
    }
    return [verdict for verdict in Verdict if verdict in found]


def pairs(name: str) -> list[tuple[paper.TableCell, paper.TableCell]]:
    """Printed numbers that a claim holds against each other, by ``compares`` of the table."""
    spec = _TABLE["compares"][name]
    places = {(c.task, c.method, c.class_, c.measure): c for c in paper.TABLE_CELLS}
    found = []
    for cell in paper.TABLE_CELLS:
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
