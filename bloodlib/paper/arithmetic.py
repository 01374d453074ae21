"""Can the printed tables be true? What Tables 1 and 2 allow, in whole numbers of images.

A block is one method's rows for one task. Precision, recall and F1 are fractions of counts, so that
a printed number is a pair of linear inequalities in the integers of a confusion matrix: whether
there is such a matrix, and how many right answers it may have, is an integer programme. HiGHS
(:func:`scipy.optimize.milp`) searches in floating point; a matrix that it finds is believed only
after every number was recomputed from it in exact fractions.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pandas as pd

from bloodlib import paper
from bloodlib.data import images
from bloodlib.paper import Cell

CONVENTIONS = ("rounded", "truncated")
METHODS = tuple(dict.fromkeys(cell.method for cell in paper.CELLS))
NETWORKS = METHODS[2:]
CONSISTENT, IMPOSSIBLE = "consistent", "impossible"
TRUE, FALSE, UNDECIDABLE = "true", "false", "can't be told"


# ------------------------------------------------------------------------------ printed numbers


@dataclass(frozen=True)
class Span:
    """Where a number lies.

    Attributes
    ----------
    low : fractions.Fraction
        Its lower end, exactly.
    high : fractions.Fraction
        Its upper end, exactly.
    closed : bool
        Whether it may be ``high``; ``low`` it may always be.
    """

    low: Fraction
    high: Fraction
    closed: bool = True

    def holds(self, value: Fraction) -> bool:
        """Whether a value lies in it."""
        return self.low <= value and (value < self.high or (self.closed and value == self.high))

    def meets(self, other: "Span") -> bool:
        """Whether some value lies in both."""
        low = max(self.low, other.low)
        if self.high == other.high:
            return low < self.high or (low == self.high and self.closed and other.closed)
        return min(self, other, key=lambda span: span.high).holds(low)

    def above(self, other: "Span") -> bool | None:
        """Whether its number is greater than the other's; None if that can't be told."""
        if self.low > other.high or (self.low == other.high and not other.closed):
            return True
        return False if self.high <= other.low else None

    def __str__(self) -> str:
        return f"{float(self.low):.3f} to {float(self.high):.3f}"


def span(cell: Cell, convention: str = "rounded") -> Span:
    """Where the true value of a printed number lies.

    Parameters
    ----------
    cell : bloodlib.paper.Cell
    convention : {"rounded", "truncated"}
        Rounded: a half may have gone either way, so that both ends are included.

    Raises
    ------
    ValueError
        If there is no such convention.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {CONVENTIONS}, not {convention!r}")
    ends = cell.interval if convention == "rounded" else cell.truncated
    low, high = (Fraction(str(end)) for end in ends)
    return Span(low, high, convention == "rounded" or low == high)


def sizes(split: str, task: str) -> dict[str, int]:
    """Images of each class in a split, in the order of a confusion matrix's rows."""
    tally = np.bincount(images.labels(split, task)).tolist()
    return dict(zip(images.TASKS[task], tally, strict=True))


def measured(
    confusion: np.ndarray, classes: tuple[str, ...], cell: Cell, mean: str = "macro"
) -> Fraction:
    """The exact value that a confusion matrix gives in the place of a printed number.

    Equations 15 to 17; a class that is never predicted has precision 0, as in
    :mod:`bloodlib.evidence.scores`.

    Parameters
    ----------
    confusion : int array [classes, classes]
    classes : tuple of str
        Names of its rows.
    cell : bloodlib.paper.Cell
        Tells class and measure; "Average" is the mean over classes.
    mean : {"macro", "weighted"}
        Whether classes count alike in "Average", or by their images.
    """
    rows = np.asarray(confusion).tolist()
    true = [sum(row) for row in rows]
    predicted = [sum(column) for column in zip(*rows, strict=True)]

    def value(k):
        above, below = {
            "precision": (rows[k][k], predicted[k]),
            "recall": (rows[k][k], true[k]),
            "f1": (2 * rows[k][k], true[k] + predicted[k]),
        }[cell.measure]
        return Fraction(above, below) if below else Fraction(0)

    if cell.class_ != "Average":
        return value(classes.index(cell.class_))
    shares = _shares(true, mean)
    return sum(share * value(k) for k, share in enumerate(shares))


def _shares(counts: Iterable[int], mean: str) -> list[Fraction]:
    """How much each class counts in an average."""
    counts = list(counts)
    if mean == "weighted":
        return [Fraction(n, sum(counts)) for n in counts]
    if mean == "macro":
        return [Fraction(1, len(counts))] * len(counts)
    raise ValueError(f"mean must be 'macro' or 'weighted', not {mean!r}")


# -------------------------------------------------------------------------- confusion matrices


@dataclass(frozen=True, eq=False)
class Block:
    """What a block of printed numbers allows.

    Attributes
    ----------
    images : int
        How many there are.
    correct : (int, int) or None
        Fewest and most right answers of a confusion matrix that gives every printed number;
        both are reached. None if there is no such matrix.
    witness : int array [classes, classes] or None
        A matrix with the most right answers: true classes in rows, predicted ones in columns.
    """

    images: int
    correct: tuple[int, int] | None
    witness: np.ndarray | None
    _find_conflict: Callable[[], tuple[Cell, ...]] = field(default=tuple, repr=False)

    @property
    def feasible(self) -> bool:
        """Whether there is a confusion matrix."""
        return self.witness is not None

    @property
    def accuracy(self) -> tuple[float, float] | None:
        """Lowest and highest share of right answers."""
        return None if self.correct is None else tuple(n / self.images for n in self.correct)

    @functools.cached_property
    def conflict(self) -> tuple[Cell, ...]:
        """Printed numbers that no matrix gives together, though it can without any one of them.

        One or two if that is enough; empty if there is a matrix.
        """
        return self._find_conflict()


def solve(
    cells: Iterable[Cell],
    counts: Mapping[str, int],
    convention: str = "rounded",
    mean: str = "macro",
    accuracy: Span | None = None,
) -> Block:
    """Whether there is a confusion matrix behind printed numbers, and what accuracy it may have.

    Parameters
    ----------
    cells : iterable of bloodlib.paper.Cell
        Numbers that it must give. Of the averages only recall's is linear in whole numbers.
    counts : mapping of str to int
        Images of each class, in the order of the matrix' rows.
    convention : {"rounded", "truncated"}
        How the numbers were printed.
    mean : {"macro", "weighted"}
        What an average recall is; see :func:`measured`.
    accuracy : Span, optional
        Where the share of right answers must lie.

    Returns
    -------
    Block

    Raises
    ------
    ValueError
        If a class has no images, if a cell names another class, or if it is an average of
        precision or F1.
    RuntimeError
        If the solver ends without an answer, or with a matrix that does not give the numbers.
    """
    cells, classes = tuple(cells), tuple(counts)
    if min(counts.values()) < 1:
        raise ValueError(f"every class needs an image: {dict(counts)}")
    for cell in cells:
        if cell.class_ not in classes and (cell.class_, cell.measure) != ("Average", "recall"):
            raise ValueError(f"no constraint on counts: {cell.class_} {cell.measure} of {classes}")
    problem = _Problem(counts, convention, mean, accuracy)
    fewest = problem.matrix(cells, sign=1)
    if fewest is None:
        return Block(problem.images, None, None, functools.partial(_conflict, problem, cells))
    witness = problem.matrix(cells, sign=-1)
    if witness is None:
        raise RuntimeError("the solver found a matrix, and then that there is none")
    witness.flags.writeable = False
    correct = int(np.trace(fewest)), int(np.trace(witness))
    return Block(problem.images, correct, witness)


class _Problem:
    """An integer programme: a confusion matrix, and a 1 for each class that is never predicted.

    A limit is a vector of coefficients with the lowest and the highest value of the sum.
    """

    def __init__(self, counts, convention, mean, accuracy):
        self.counts, self.images = dict(counts), sum(counts.values())
        self.convention, self.mean, self.accuracy = convention, mean, accuracy
        k = len(self.counts)
        each = np.eye(k * k + k, dtype=int)
        matrix = each[: k * k].reshape(k, k, -1)
        self.true, self.predicted = matrix.sum(axis=1), matrix.sum(axis=0)
        self.found = matrix[range(k), range(k)]
        self.never = each[k * k :]

    def matrix(self, cells: tuple[Cell, ...], sign: int = 0) -> np.ndarray | None:
        """A matrix with the fewest (sign 1) or most (-1) right answers, or any (0); or None."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        limits = self.frame() + [limit for cell in cells for limit in self.limits(cell)]
        rows, low, high = (np.array(part, dtype=float) for part in zip(*limits, strict=True))
        scale = np.abs(rows).max(axis=1)  # so that the tolerance stays far below a whole image
        k = len(self.counts)
        result = milp(
            sign * self.found.sum(axis=0),
            integrality=np.ones(k * k + k),
            bounds=Bounds(0, np.repeat([self.images, 1], [k * k, k])),
            constraints=LinearConstraint(rows / scale[:, None], low / scale, high / scale),
            options={"mip_rel_gap": 0},
        )
        if result.status == 2:  # HiGHS widens all limits a little: what it excludes is excluded
            return None
        if result.status != 0:
            raise RuntimeError(f"the solver ended without an answer: {result.message}")
        confusion = np.rint(result.x[: k * k]).astype(int).reshape(k, k)
        if sign * np.trace(confusion) > math.ceil(result.mip_dual_bound - 1e-6):
            raise RuntimeError("the solver stopped before the last right answer")
        self.check(confusion, cells)
        return confusion

    def check(self, confusion: np.ndarray, cells: tuple[Cell, ...]) -> None:
        """Refuse a matrix that does not give every number, in exact fractions."""
        classes, right = tuple(self.counts), Fraction(int(confusion.trace()), self.images)
        if not (
            (confusion >= 0).all()
            and confusion.sum(axis=1).tolist() == list(self.counts.values())
            and (self.accuracy is None or self.accuracy.holds(right))
            and all(
                span(cell, self.convention).holds(measured(confusion, classes, cell, self.mean))
                for cell in cells
            )
        ):
            raise RuntimeError(f"the solver's matrix does not give the numbers: {confusion}")

    def frame(self) -> list[tuple]:
        """What holds whatever is printed."""
        n, limits = self.images, []
        for i, size in enumerate(self.counts.values()):
            limits.append((self.true[i], size, size))
            limits.append((self.predicted[i] + self.never[i], 1, math.inf))
            limits.append((self.predicted[i] + n * self.never[i], -math.inf, n))
        if self.accuracy is not None:
            limits += _within(self.found.sum(axis=0), self.true.sum(axis=0), self.accuracy)
        return limits

    def limits(self, cell: Cell) -> list[tuple]:
        """A printed number."""
        if cell.class_ != "Average":
            i = list(self.counts).index(cell.class_)
            parts = (self.found, self.true, self.predicted, self.never)
            return _limits(cell, self.convention, *(part[i] for part in parts))
        n = list(self.counts.values())
        weights = [s / m for s, m in zip(_shares(n, self.mean), n, strict=True)]
        whole = math.lcm(*(weight.denominator for weight in weights))
        above = sum(int(w * whole) * f for w, f in zip(weights, self.found, strict=True))
        where = span(cell, self.convention)
        return _within(self.images * above, whole * self.true.sum(axis=0), where)


def _limits(cell: Cell, convention: str, found, true, predicted, never) -> list[tuple]:
    """A class' printed number as limits on what was found, is true and was predicted."""
    where = span(cell, convention)
    if cell.measure == "recall":
        return _within(found, true, where)
    if cell.measure == "f1":
        return _within(2 * found, true + predicted, where)
    return [*_within(found, predicted, where, never), (never, 0, int(where.low == 0))]


def _within(above, below, where: Span, never=0) -> list[tuple]:
    """``where`` holds the fraction above / below, as limits: what, lowest and highest value.

    Whole numbers that don't reach a bound stay 1 away from it; a class never predicted (0 / 0,
    taken as 0) need not.
    """
    a, b = where.low.as_integer_ratio()
    c, d = where.high.as_integer_ratio()
    lower = (b * above - a * below, 0, math.inf)
    if where.closed:
        return [lower, (d * above - c * below, -math.inf, 0)]
    return [lower, (d * above - c * below - never, -math.inf, -1)]


def _conflict(problem: _Problem, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """See :attr:`Block.conflict`; recalls first, of which it is the easiest to see."""
    cells = sorted(cells, key=lambda cell: cell.measure != "recall")
    for n in (1, 2):
        for some in itertools.combinations(cells, n):
            if problem.matrix(some) is None:
                return some
    kept = tuple(cells)
    for cell in cells:
        rest = tuple(other for other in kept if other != cell)
        if problem.matrix(rest) is None:
            kept = rest
    return kept


@functools.cache
def bounds(
    method: str,
    task: str,
    split: str = "TEST",
    convention: str = "rounded",
    average: str | None = None,
    accuracy: Span | None = None,
) -> Block:
    """What a block of Table 1 or 2 allows, if its numbers were computed on a split.

    Parameters
    ----------
    method : str
        One of ``METHODS``.
    task : {"four", "two"}
    split : {"TEST", "TEST_SIMPLE", "TRAIN"}
    convention : {"rounded", "truncated"}
    average : {"macro", "weighted"}, optional
        Which mean the printed average recall must be; by default it need not be any.
    accuracy : Span, optional
        Where the accuracy must lie.
    """
    cells = [
        cell
        for cell in paper.cells(method=method, task=task)
        if cell.class_ != "Average" or (average and cell.measure == "recall")
    ]
    return solve(cells, sizes(split, task), convention, average or "macro", accuracy)


def tables() -> dict[str, dict]:
    """Every block, for ``bloodlib audit --json``: by "four/NB", …, "two/MaxPooling".

    ``feasible``, ``accuracy``, ``correct`` (right answers), ``images`` and ``witness`` are for
    rounded numbers computed on TEST; ``truncated`` and ``TEST_SIMPLE`` have the same without a
    witness. What can't be had where there is no matrix is None.
    """

    def content(block):
        ends = {"accuracy": block.accuracy, "correct": block.correct}
        return {
            "feasible": block.feasible,
            **{name: None if end is None else list(end) for name, end in ends.items()},
            "images": block.images,
        }

    found = {}
    for task, method in itertools.product(images.TASKS, METHODS):
        block = bounds(method, task)
        found[f"{task}/{method}"] = {
            **content(block),
            "witness": None if block.witness is None else block.witness.tolist(),
            "truncated": content(bounds(method, task, convention="truncated")),
            "TEST_SIMPLE": content(bounds(method, task, "TEST_SIMPLE")),
        }
    return found


def pairs(cells: Iterable[Cell], size: int, total: int, convention: str = "rounded") -> np.ndarray:
    """Counts that printed numbers of one class allow, the other classes left aside.

    Parameters
    ----------
    cells : iterable of bloodlib.paper.Cell
        Precision, recall and F1 of the class, or some of them.
    size, total : int
        Images of the class, and of all classes.
    convention : {"rounded", "truncated"}

    Returns
    -------
    int array [pairs, 2]
        How many of the class were found (TP), and how many images were called by its name.
    """
    found, predicted = np.mgrid[: size + 1, : total + 1]
    possible = (predicted >= found) & (predicted - found <= total - size)
    for cell in cells:
        for part, low, high in _limits(cell, convention, found, size, predicted, predicted == 0):
            possible &= (low <= part) & (part <= high)
    return np.argwhere(possible)


def misprints(convention: str = "rounded") -> tuple[int, int]:
    """How many misprints the class rows would give away: each number changed by 0.01, up or down.

    Returns
    -------
    noticed, tried : int
        Rows that are the same in both tables are tried once.
    """
    tried = {}
    for method, task in itertools.product(METHODS, images.TASKS):
        rows = [c for c in paper.cells(method=method, task=task) if c.class_ != "Average"]
        for i, step in itertools.product(range(len(rows)), (-1, 1)):
            printed = round(100 * rows[i].value) + step
            if 0 <= printed <= 100:
                changed = replace(rows[i], printed=f"{printed / 100:.2f}")
                key = (task, i, step, *(cell.value for cell in rows))
                tried[key] = [*rows[:i], changed, *rows[i + 1 :]], task
    problems = {t: _Problem(sizes("TEST", t), convention, "macro", None) for t in images.TASKS}
    noticed = [problems[task].matrix(cells) is None for cells, task in tried.values()]
    return sum(noticed), len(noticed)


# ----------------------------------------------------------------- numbers among themselves


class Check(NamedTuple):
    """A printed number held against others by interval arithmetic.

    Attributes
    ----------
    kind : str
        What was held against what.
    cell : bloodlib.paper.Cell
        The number.
    allowed : Span or None
        Where the others put it; None where a confusion matrix was searched instead.
    holds : bool
        Whether it can be true.
    """

    kind: str
    cell: Cell
    allowed: Span | None
    holds: bool


def f1_span(precision: Span, recall: Span) -> Span:
    """Where F1 lies (equation 17), given precision and recall; it rises with both."""

    def f1(p, r):
        return 2 * p * r / (p + r) if p + r else Fraction(0)

    closed = precision.closed and recall.closed
    return Span(f1(precision.low, recall.low), f1(precision.high, recall.high), closed)


def mean_span(spans: Iterable[Span], shares: Iterable[Fraction]) -> Span:
    """Where a weighted mean lies."""
    spans, shares = list(spans), list(shares)
    low, high = (
        sum(share * getattr(one, end) for share, one in zip(shares, spans, strict=True))
        for end in ("low", "high")
    )
    return Span(low, high, all(one.closed for one in spans))


F1_OF_ROW = "F1 from the precision and recall beside it"
F1_OF_AVERAGES = "Average F1 from the average precision and recall"
MEANS = {"macro": "plain", "weighted": "weighted"}


@functools.cache
def checks(convention: str = "rounded") -> tuple[Check, ...]:
    """Every F1 and every average of Tables 1 and 2 held against the numbers it follows from.

    Weights are the classes' sizes in TEST. Precision, recall and F1 are taken as independent of
    each other; only the average recall is also sought in a confusion matrix that gives all
    numbers of the class rows.
    """
    found = []
    for task, method in itertools.product(images.TASKS, METHODS):
        block = {(c.class_, c.measure): c for c in paper.cells(method=method, task=task)}
        where = {key: span(cell, convention) for key, cell in block.items()}
        for class_ in (*images.TASKS[task], "Average"):
            kind = F1_OF_AVERAGES if class_ == "Average" else F1_OF_ROW
            allowed = f1_span(where[class_, "precision"], where[class_, "recall"])
            holds = allowed.meets(where[class_, "f1"])
            found.append(Check(kind, block[class_, "f1"], allowed, holds))
        for (mean, word), measure in itertools.product(MEANS.items(), paper.MEASURES):
            shares = _shares(sizes("TEST", task).values(), mean)
            allowed = mean_span((where[c, measure] for c in images.TASKS[task]), shares)
            cell, holds = block["Average", measure], allowed.meets(where["Average", measure])
            found.append(
                Check(f"Average as the {word} mean of its class rows", cell, allowed, holds)
            )
        for mean, word in MEANS.items():
            holds = bounds(method, task, "TEST", convention, mean).feasible
            kind = f"Average recall, {word}, in one matrix with the class rows"
            found.append(Check(kind, block["Average", "recall"], None, holds))
    return tuple(found)


# ------------------------------------------------------------------------------------------ claims

#: The accuracies of section 1, in percent, by the task that they are claimed for.
PERCENT = {"two": 94, "four": 78}


def percentage(task: str, convention: str = "rounded", digits: int = 0) -> Span:
    """Accuracies that print as the percentage of section 1.

    Parameters
    ----------
    task : {"four", "two"}
    convention : {"rounded", "truncated"}
        How the percentage was printed.
    digits : int
        Decimals of the percentage that are taken as known to be 0.
    """
    value, unit = Fraction(PERCENT[task], 100), Fraction(1, 100 * 10**digits)
    if convention == "truncated":
        return Span(value, value + unit, closed=False)
    return Span(value - unit / 2, value + unit / 2)


class Comparison(NamedTuple):
    """A sentence about the tables, and what the print says of it.

    Attributes
    ----------
    says : str
        The paper's words, shortened.
    verdict : str
        TRUE or FALSE if that holds for all numbers that may be behind the printed ones, rounded
        or truncated; else UNDECIDABLE.
    evidence : str
        The numbers; where they are ranges, for rounding.
    """

    says: str
    verdict: str
    evidence: str


@functools.cache
def comparisons() -> dict[str, Comparison]:
    """What section 6.2 reads off Tables 1 and 2, by the ids of :data:`bloodlib.paper.CLAIMS`.

    ``dclnn-is-max-pooling`` is no claim of the paper, but what its two tables show.
    """
    return {
        "better-results": _better_results(),
        "dclnn-beats-baselines-four": _beats("four"),
        "average-precision-088": _times("precision", "“more than double”", 2, math.inf),
        "recall-almost-triple": _times("recall", "“almost triple”, taken as 2.5 to 3", 2.5, 3),
        "f1-083": _f1(),
        "baselines-better-on-two": _better_on_two(),
        "dclnn-beats-baselines-two": _beats("two"),
        "average-pooling-better-somewhere": _better_somewhere(),
        "max-pooling-better-overall": _max_pooling(),
        "pooling-same-on-two": _same_on_two(),
        "dclnn-is-max-pooling": _one_row(),
    }


def _decide(test: Callable[[str], bool | None]) -> str:
    """TRUE or FALSE if a test says so for rounding and for truncation."""
    found = {test(convention) for convention in CONVENTIONS}
    return TRUE if found == {True} else FALSE if found == {False} else UNDECIDABLE


def _all(found: Iterable[bool | None]) -> bool | None:
    """Whether all hold; None if that can't be told."""
    found = list(found)
    return False if False in found else None if None in found else True


def _cell(task: str, method: str, class_: str, measure: str) -> Cell:
    (cell,) = paper.cells(task=task, method=method, class_=class_, measure=measure)
    return cell


def _name(cell: Cell) -> str:
    return f"{cell.class_.lower()} {cell.measure.replace('f1', 'F1')}"


def _all_higher(higher: list[tuple[Cell, Cell]]) -> str:
    """Whether the first number of each pair is higher."""
    return _decide(lambda c: _all(span(a, c).above(span(b, c)) for a, b in higher))


def _least(higher: list[tuple[Cell, Cell]]) -> str:
    """The pair of numbers that are nearest to each other, and how many pairs are in order."""
    a, b = min(higher, key=lambda pair: pair[0].value - pair[1].value)
    n = sum(a.value > b.value for a, b in higher)
    gap = span(a).low - span(b).high
    return (
        f"{n} of {len(higher)}; nearest are {a.printed} and {b.printed} ({_name(a)}), "
        f"at least {float(gap):.2f} apart before rounding"
    )


def _right(task: str, method: str, convention: str = "rounded") -> Span:
    """Right answers on TEST: any number, if no matrix gives the printed ones."""
    block = bounds(method, task, convention=convention)
    return Span(*map(Fraction, block.correct or (0, block.images)))


def _better_results() -> Comparison:
    rows = [(task, method) for task in images.TASKS for method in ("NB", "SVM")]
    higher = [
        (_cell(task, "DCLNN", "Average", measure), _cell(task, method, "Average", measure))
        for task, method in rows
        for measure in paper.MEASURES
    ]

    def test(convention):
        return _all(
            [
                *(span(a, convention).above(span(b, convention)) for a, b in higher),
                *(_right(t, "DCLNN", convention).above(_right(t, m, convention)) for t, m in rows),
            ]
        )

    ahead = min(_right(t, "DCLNN").low - _right(t, m).high for t, m in rows)
    return Comparison(
        "DCLNN has “better results” than NB and SVM",
        _decide(test),
        f"Averages: {_least(higher)}. At least {int(ahead):,} more of TEST's images are right.",
    )


def _beats(task: str) -> Comparison:
    higher = [
        (_cell(task, "DCLNN", name, measure), _cell(task, method, name, measure))
        for name in images.TASKS[task]
        for measure in paper.MEASURES
        for method in ("NB", "SVM")
    ]
    words = "“thoroughly outperforms”" if task == "four" else "“still outraces”"
    return Comparison(
        f"DCLNN {words} both in every cell, {task} classes",
        _all_higher(higher),
        f"{_least(higher)}.",
    )


def _times(measure: str, words: str, least: float, most: float) -> Comparison:
    ours, *others = (_cell("four", m, "Average", measure) for m in ("DCLNN", "NB", "SVM"))

    def ratio(other, convention):
        a, b = span(ours, convention), span(other, convention)
        return a.low / b.high, a.high / b.low

    def test(convention):
        found = [ratio(other, convention) for other in others]
        if all(low > least and high < most for low, high in found):
            return True
        return False if any(high <= least or low >= most for low, high in found) else None

    listed = (
        f"{ours.value / other.value:.2f} times {other.method}'s {other.printed} "
        f"({float(low):.2f} to {float(high):.2f})"
        for other in others
        for low, high in [ratio(other, "rounded")]
    )
    return Comparison(
        f"DCLNN's average {measure} {ours.printed} is {words}",
        _decide(test),
        f"{' and '.join(listed)}.",
    )


def _f1() -> Comparison:
    cell = _cell("four", "DCLNN", "Average", "f1")
    (check,) = (c for c in checks() if c.cell == cell and "plain" in c.kind)
    return Comparison(
        "F1 “equal to 0.83”",
        TRUE if cell.value == 0.83 and check.holds else FALSE,
        f"Printed is {cell.printed}; the mean of its class rows is {check.allowed}.",
    )


def _better_on_two() -> Comparison:
    higher = [
        (_cell("two", method, "Average", measure), _cell("four", method, "Average", measure))
        for method in ("NB", "SVM")
        for measure in paper.MEASURES
    ]
    return Comparison(
        "NB and SVM have “better performance” with two classes",
        _all_higher(higher),
        f"{_least(higher)}. Guessing scores 0.50 instead of 0.25.",
    )


def _poolings(task: str, first: str, *names: str) -> list[tuple[Cell, Cell]]:
    second = "MaxPooling" if first == "AveragePooling" else "AveragePooling"
    return [
        (_cell(task, first, name, measure), _cell(task, second, name, measure))
        for name in names
        for measure in paper.MEASURES
    ]


def _better_somewhere() -> Comparison:
    every = _poolings("four", "AveragePooling", *images.CLASSES)
    named = {("NEUTROPHIL", "precision"), ("EOSINOPHIL", "recall")}
    higher = [(a, b) for a, b in every if (a.class_, a.measure) in named]
    better = [_name(a) for a, b in every if a.value > b.value]
    return Comparison(
        "AveragePooling is better in neutrophil precision and eosinophil recall",
        _all_higher(higher),
        f"{_least(higher)}. Of {len(every)} cells it is higher in {len(better)}: "
        f"{', '.join(better)}.",
    )


def _max_pooling() -> Comparison:
    higher = _poolings("four", "MaxPooling", "Average")
    every = _poolings("four", "MaxPooling", *images.CLASSES)
    n = sum(a.value > b.value for a, b in every)
    same = sum(a.value == b.value for a, b in every)
    ahead = _right("four", "MaxPooling").low - _right("four", "AveragePooling").high
    return Comparison(
        "“Comprehensively MaxPooling outperforms AveragePooling”, four classes",
        _all_higher(higher),
        f"Averages: {_least(higher)}. Class rows: higher in {n} of {len(every)}, equal in {same}. "
        f"At least {int(ahead)} more images are right.",
    )


def _same_on_two() -> Comparison:
    every = _poolings("two", "MaxPooling", *images.TASKS["two"], "Average")
    gaps = [abs(round(100 * (a.value - b.value))) for a, b in every]
    theirs, ours = (_right("two", m) for m in ("AveragePooling", "MaxPooling"))
    return Comparison(
        "“Virtually identical” with two classes",
        TRUE if max(gaps) <= 1 else FALSE,
        f"No two numbers differ by more than {max(gaps) / 100:.2f}, {gaps.count(0)} of {len(gaps)} "
        f"are equal. Identical they can't be: AveragePooling has {int(theirs.low - ours.high)} to "
        f"{int(theirs.high - ours.low)} more images right.",
    )


def _one_row() -> Comparison:
    first, second = (
        [c for t in images.TASKS for c in paper.cells(task=t, method=m)]
        for m in ("DCLNN", "MaxPooling")
    )
    both = list(zip(first, second, strict=True))
    n = sum(a.value == b.value for a, b in both)
    spelled = [f"{a.printed} and {b.printed}" for a, b in both if a.printed != b.printed]
    return Comparison(
        "DCLNN's rows in Table 1 are MaxPooling's in Table 2",
        TRUE if n == len(both) else FALSE,
        f"{n} of {len(both)} numbers are equal; spelled differently: {', '.join(spelled)}.",
    )


# ---------------------------------------------------------------------------- tables of the chapter


def _range(ends: tuple | None, form: str = ".4f") -> str:
    return "none" if ends is None else " to ".join(format(end, form) for end in ends)


def _verdict(block: Block) -> str:
    return CONSISTENT if block.feasible else IMPOSSIBLE


def _rows() -> list[tuple[str, str]]:
    return list(itertools.product(images.TASKS, METHODS))


def load_row(method: str, task: str, class_: str) -> pd.DataFrame:
    """How each printed number of a class narrows its counts on TEST, if rounded."""
    counts = sizes("TEST", task)
    row = {c.measure: c for c in paper.cells(method=method, task=task, class_=class_)}
    lines, known = [], []
    for measure in ("recall", "precision", "f1"):
        known.append(row[measure])
        found = pairs(known, counts[class_], sum(counts.values()))
        (least, fewest), (most, last) = found.min(axis=0).tolist(), found.max(axis=0).tolist()
        lines.append(
            {
                "Known": "and " * (len(known) > 1)
                + f"{measure.replace('f1', 'F1')} {row[measure].printed}",
                "Found": _range((least, most), ","),
                "Called so": _range((fewest, last), ","),
                "Pairs": len(found),
            }
        )
    return pd.DataFrame(lines)


def load_blocks() -> pd.DataFrame:
    """Every block on TEST: whether it can be true, and the accuracies that it allows."""
    lines = []
    for task, method in _rows():
        block, cut = (bounds(method, task, convention=c) for c in CONVENTIONS)
        lines.append(
            {
                "Classes": task,
                "Row": method,
                "Verdict": _verdict(block),
                "Right answers": _range(block.correct, ","),
                "Accuracy": _range(block.accuracy),
                "Accuracy if cut": _range(cut.accuracy),
            }
        )
    return pd.DataFrame(lines)


def load_possible_accuracy() -> pd.DataFrame:
    """Accuracies that the print allows on TEST and TEST_SIMPLE, for the figure.

    Returns
    -------
    pandas.DataFrame
        Columns ``task, method, split, convention, low, high``, the last two missing where there
        is no matrix; ``claim_low, claim_high`` is what rounds to section 1's percentage.
    """
    lines = []
    for (task, method), split, convention in itertools.product(
        _rows(), ("TEST", "TEST_SIMPLE"), CONVENTIONS
    ):
        low, high = bounds(method, task, split, convention).accuracy or (math.nan, math.nan)
        claim = percentage(task)
        lines.append(
            {
                "task": task,
                "method": method,
                "split": split,
                "convention": convention,
                "low": low,
                "high": high,
                "claim_low": float(claim.low),
                "claim_high": float(claim.high),
            }
        )
    return pd.DataFrame(lines)


def load_checks() -> pd.DataFrame:
    """How many F1s and averages can be true, by what they were held against."""
    lines = {}
    for convention, heading in zip(CONVENTIONS, ("If rounded", "If cut"), strict=True):
        for check in checks(convention):
            line = lines.setdefault(check.kind, {"Numbers": 0, "If rounded": 0, "If cut": 0})
            line["Numbers"] += convention == "rounded"
            line[heading] += check.holds
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return frame.rename_axis("Held against each other").reset_index()


def load_sets() -> pd.DataFrame:
    """On which split each block may have been computed, and a number that excludes TEST_SIMPLE."""
    lines = []
    for task, method in _rows():
        line = {"Classes": task, "Row": method}
        for split in ("TEST", "TRAIN", "TEST_SIMPLE"):
            fits = [bounds(method, task, split, c).feasible for c in CONVENTIONS]
            words = itertools.compress(("rounded", "cut"), fits)
            line[split] = " or ".join(words) or IMPOSSIBLE
        conflict = bounds(method, task, "TEST_SIMPLE").conflict
        line["Excluded by"] = ", ".join(f"{_name(cell)} {cell.printed}" for cell in conflict)
        lines.append(line)
    return pd.DataFrame(lines)


def load_percentages() -> pd.DataFrame:
    """Whether a network of the tables can have the accuracy of section 1 on TEST."""
    lines = []
    for task, method in itertools.product(PERCENT, NETWORKS):
        line = {"Section 1": f"{PERCENT[task]} percent, {task} classes", "Row": method}
        for convention, heading in zip(CONVENTIONS, ("If rounded", "If cut"), strict=True):
            line[heading] = _range(bounds(method, task, convention=convention).accuracy)
            claimed = bounds(method, task, convention=convention, accuracy=percentage(task))
            line[f"{heading}: verdict"] = _verdict(claimed)
        lines.append(line)
    return pd.DataFrame(lines)


def load_comparisons() -> pd.DataFrame:
    """What section 6.2 reads off the tables, held against the print."""
    return pd.DataFrame(
        [
            {"The paper says": c.says, "The print says": c.evidence, "Verdict": c.verdict}
            for c in comparisons().values()
        ]
    )
