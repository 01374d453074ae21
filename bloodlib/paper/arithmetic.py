"""Can the printed tables be true? What Tables 1 and 2 allow, in whole numbers of images.

A block is one method's rows for one task. Precision, recall and F1 are fractions of counts, so that
a printed number is a pair of linear inequalities in the integers of a confusion matrix: whether
there is such a matrix, and how many right answers it may have, is an integer programme. HiGHS
(:func:`scipy.optimize.milp`) searches in floating point; a matrix that it finds is believed only
after every number was recomputed from it in exact fractions.

``counts`` are the images of each class that the numbers were computed on, in the order of a
confusion matrix's rows; their names tell which task it is.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd

from bloodlib import paper
from bloodlib.paper import Cell

CONVENTIONS = ("rounded", "truncated")
METHODS = tuple(dict.fromkeys(cell.method for cell in paper.CELLS))
NETWORKS = METHODS[2:]
#: The accuracies of section 1, in percent, by the task that they are claimed for.
PERCENT = {"two": 94, "four": 78}

# ------------------------------------------------------------------------------ printed numbers


@dataclass(frozen=True)
class Span:
    """Where a number lies: from ``low``, included, to ``high``, included if ``closed``."""

    low: Fraction
    high: Fraction
    closed: bool = True

    def holds(self, value: Fraction) -> bool:
        """Whether a value lies in it."""
        return self.low <= value and (value < self.high or (self.closed and value == self.high))

    def meets(self, other: "Span") -> bool:
        """Whether some value lies in both."""
        low = max(self.low, other.low)
        return self.holds(low) and other.holds(low)

    def above(self, other: "Span") -> bool | None:
        """Whether its number is greater than the other's; None if that can't be told."""
        if self.low > other.high or (self.low == other.high and not other.closed):
            return True
        return False if self.high <= other.low else None

    def __str__(self) -> str:
        return f"{float(self.low):.3f} to {float(self.high):.3f}"


def span(cell: Cell, convention: str = "rounded") -> Span:
    """Where the true value of a printed number lies; a rounded half may have gone either way."""
    ends = {"rounded": cell.interval, "truncated": cell.truncated}[convention]
    low, high = (Fraction(str(end)) for end in ends)
    return Span(low, high, convention == "rounded" or low == high)


def percentage(task: str, convention: str = "rounded", digits: int = 0) -> Span:
    """Accuracies that print as section 1's percentage, ``digits`` of its decimals being 0."""
    value, unit = Fraction(PERCENT[task], 100), Fraction(1, 100 * 10**digits)
    if convention == "truncated":
        return Span(value, value + unit, closed=False)
    return Span(value - unit / 2, value + unit / 2)


def measured(
    confusion: np.ndarray, classes: tuple[str, ...], cell: Cell, mean: str = "macro"
) -> Fraction:
    """The exact value of a confusion matrix [classes, classes] in the place of a printed number.

    Equations 15 to 17; a class that is never predicted has precision 0. In "Average" classes count
    alike (``mean="macro"``) or by their images ("weighted").
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
    return sum(share * value(k) for k, share in enumerate(_shares(true, mean)))


def _shares(counts: Iterable[int], mean: str) -> list[Fraction]:
    """How much each class counts in an average."""
    counts = list(counts)
    whole = {"macro": [1] * len(counts), "weighted": counts}[mean]
    return [Fraction(n, sum(whole)) for n in whole]


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
    _cells: tuple[Cell, ...]
    _find: Callable[[tuple[Cell, ...]], np.ndarray | None]

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
        """As few printed numbers as no matrix gives together, of recalls first; or none."""
        if self.feasible:
            return ()
        cells = sorted(self._cells, key=lambda cell: cell.measure != "recall")
        some = (s for n in range(len(cells) + 1) for s in itertools.combinations(cells, n))
        return next(s for s in some if self._find(s) is None)


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
    convention : {"rounded", "truncated"}
    mean : {"macro", "weighted"}
        What an average recall is.
    accuracy : Span, optional
        Where the share of right answers must lie.

    Raises
    ------
    ValueError
        If a cell names another class, or is an average of precision or F1.
    RuntimeError
        If the solver ends without an answer, or with a matrix that does not give the numbers.
    """
    return _solve(tuple(cells), tuple(counts.items()), convention, mean, accuracy)


@functools.cache
def _solve(cells, counts, convention, mean, accuracy) -> Block:
    counts = dict(counts)
    find = functools.partial(
        find_matrix, counts=counts, convention=convention, mean=mean, accuracy=accuracy
    )
    fewest, most = (find(cells, sign=sign) for sign in (1, -1))
    correct = None
    if fewest is not None or most is not None:
        correct = int(np.trace(fewest)), int(np.trace(most))
        most.flags.writeable = False
    return Block(sum(counts.values()), correct, most, cells, find)


def find_matrix(
    cells: Iterable[Cell],
    counts: Mapping[str, int],
    convention: str,
    mean: str = "macro",
    accuracy: Span | None = None,
    sign: int = 0,
) -> np.ndarray | None:
    """A matrix with the fewest (sign 1) or most (-1) right answers, or any (0); or None.

    Unknown are the confusion matrix and a 1 for each class that is never predicted. A limit is a
    vector of their coefficients, with the lowest and the highest value of the sum.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    names, sizes, n = list(counts), list(counts.values()), sum(counts.values())
    k = len(counts)
    unknown = np.eye(k * k + k, dtype=int)
    matrix, never = unknown[: k * k].reshape(k, k, -1), unknown[k * k :]
    true, predicted, found = matrix.sum(axis=1), matrix.sum(axis=0), matrix[range(k), range(k)]
    limits = [*zip(true, sizes, sizes, strict=True)]
    limits += [(row, 1, math.inf) for row in predicted + never]
    limits += [(row, -math.inf, n) for row in predicted + n * never]
    if accuracy is not None:
        limits += _within(found.sum(axis=0), true.sum(axis=0), accuracy)
    for cell in cells:
        if (cell.class_, cell.measure) == ("Average", "recall"):
            weights = [s / m for s, m in zip(_shares(sizes, mean), sizes, strict=True)]
            whole = math.lcm(*(weight.denominator for weight in weights))
            above = sum(int(w * whole) * f for w, f in zip(weights, found, strict=True))
            limits += _within(n * above, whole * true.sum(axis=0), span(cell, convention))
        elif cell.class_ in counts:
            i = names.index(cell.class_)
            limits += _limits(cell, convention, found[i], true[i], predicted[i], never[i])
        else:
            raise ValueError(f"no constraint on counts: {cell.class_} {cell.measure} of {names}")
    rows, low, high = (np.array(part, dtype=float) for part in zip(*limits, strict=True))
    scale = np.abs(rows).max(axis=1)  # so that the tolerance stays far below a whole image
    result = milp(
        sign * found.sum(axis=0),
        integrality=np.ones(k * k + k),
        bounds=Bounds(0, np.repeat([n, 1], [k * k, k])),
        constraints=LinearConstraint(rows / scale[:, None], low / scale, high / scale),
        options={"mip_rel_gap": 0},
    )
    if result.status == 2:  # HiGHS widens all limits a little: what it excludes is excluded
        return None
    if result.status != 0:
        raise RuntimeError(f"the solver ended without an answer: {result.message}")
    confusion = np.rint(result.x[: k * k]).astype(int).reshape(k, k)
    right = Fraction(int(confusion.trace()), n)
    if sign * confusion.trace() > math.ceil(result.mip_dual_bound - 1e-6):
        raise RuntimeError("the solver stopped before the last right answer")
    if not (
        (confusion >= 0).all()
        and confusion.sum(axis=1).tolist() == sizes
        and (accuracy is None or accuracy.holds(right))
        and all(
            span(cell, convention).holds(measured(confusion, tuple(names), cell, mean))
            for cell in cells
        )
    ):
        raise RuntimeError(f"the solver's matrix does not give the numbers: {confusion}")
    return confusion


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


def bounds(
    method: str,
    counts: Mapping[str, int],
    convention: str = "rounded",
    average: str | None = None,
    accuracy: Span | None = None,
) -> Block:
    """:func:`solve` for the class rows of a method, such as on ``images.counts("four")["TEST"]``.

    ``average`` says which mean the printed average recall must be; by default it need not be any.
    """
    task = _task(counts)
    cells = paper.cells(method=method, task=task, measure="recall", class_="Average")
    return solve(
        _rows(method, task) + (cells if average else ()),
        counts,
        convention,
        average or "macro",
        accuracy,
    )


def _task(counts: Mapping[str, int]) -> str:
    """The task that has these classes."""
    return paper.cells(class_=next(iter(counts)))[0].task


def _rows(method: str, task: str) -> tuple[Cell, ...]:
    """The class rows of a block."""
    return tuple(c for c in paper.cells(method=method, task=task) if c.class_ != "Average")


def pairs(cells: Iterable[Cell], size: int, total: int, convention: str = "rounded") -> np.ndarray:
    """Counts that printed numbers of one class allow, the other classes left aside.

    ``size`` and ``total`` are the images of the class and of all classes. Of each pair [pairs, 2]
    the first is how many of the class were found (TP), the second how many were called so.
    """
    found, predicted = np.mgrid[: size + 1, : total + 1]
    possible = (predicted >= found) & (predicted - found <= total - size)
    for cell in cells:
        for part, low, high in _limits(cell, convention, found, size, predicted, predicted == 0):
            possible &= (low <= part) & (part <= high)
    return np.argwhere(possible)


def misprints(counts: Mapping[str, int], convention: str = "rounded") -> tuple[int, int]:
    """Misprints of 0.01 in one number that leave no matrix, and how many were tried."""
    found = []
    for method in METHODS[:-1]:  # the rows of the last, MaxPooling, are DCLNN's
        rows = _rows(method, _task(counts))
        for i, step in itertools.product(range(len(rows)), (-1, 1)):
            printed = round(100 * rows[i].value) + step
            if 0 <= printed <= 100:
                changed = replace(rows[i], printed=f"{printed / 100:.2f}")
                cells = (*rows[:i], changed, *rows[i + 1 :])
                found.append(find_matrix(cells, counts, convention) is None)
    return sum(found), len(found)


# ----------------------------------------------------------------- numbers among themselves


def f1_span(precision: Span, recall: Span) -> Span:
    """Where F1 lies (equation 17), given precision and recall; it rises with both."""

    def f1(p, r):
        return 2 * p * r / (p + r) if p + r else Fraction(0)

    closed = precision.closed and recall.closed
    return Span(f1(precision.low, recall.low), f1(precision.high, recall.high), closed)


def mean_span(spans: Iterable[Span], shares: Iterable[Fraction]) -> Span:
    """Where a weighted mean lies."""
    spans, shares = list(spans), list(shares)
    low = sum(share * one.low for share, one in zip(shares, spans, strict=True))
    high = sum(share * one.high for share, one in zip(shares, spans, strict=True))
    return Span(low, high, all(one.closed for one in spans))


F1_OF_ROW = "F1 from the precision and recall beside it"
F1_OF_AVERAGES = "Average F1 from the average precision and recall"
MEANS = {"macro": "plain", "weighted": "weighted"}


def checks(counts: Mapping[str, int], convention: str = "rounded") -> pd.DataFrame:
    """Every F1 and every average of a task held against the numbers it follows from.

    Precision, recall and F1 are taken as independent of each other; only the average recall is also
    sought in a confusion matrix that gives all numbers of the class rows.

    Returns
    -------
    pandas.DataFrame
        ``kind``; ``cell``; ``allowed``, the Span where the others put it, None where a confusion
        matrix was searched; ``holds``, whether it can be true.
    """
    found = []
    for method in METHODS:
        block = {(c.class_, c.measure): c for c in paper.cells(method=method, task=_task(counts))}
        where = {key: span(cell, convention) for key, cell in block.items()}
        allowed = []
        for class_ in (*counts, "Average"):
            kind = F1_OF_AVERAGES if class_ == "Average" else F1_OF_ROW
            f1 = f1_span(where[class_, "precision"], where[class_, "recall"])
            allowed.append((kind, (class_, "f1"), f1))
        for (mean, word), measure in itertools.product(MEANS.items(), paper.MEASURES):
            shares = _shares(counts.values(), mean)
            average = mean_span((where[class_, measure] for class_ in counts), shares)
            kind = f"Average as the {word} mean of its class rows"
            allowed.append((kind, ("Average", measure), average))
        found += [(kind, block[key], one, one.meets(where[key])) for kind, key, one in allowed]
        for mean, word in MEANS.items():
            kind = f"Average recall, {word}, in one matrix with the class rows"
            holds = bounds(method, counts, convention, mean).feasible
            found.append((kind, block["Average", "recall"], None, holds))
    return pd.DataFrame(found, columns=["kind", "cell", "allowed", "holds"])


# ---------------------------------------------------------------------------- every block


def compute_blocks(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> pd.DataFrame:
    """Every block on every split, by ``images.counts(task)`` of each task.

    Returns
    -------
    pandas.DataFrame
        ``task, method, split, convention``; ``feasible``; ``fewest, most`` right answers and ``low,
        high`` accuracy, missing where there is no matrix; ``claim_low, claim_high``, what rounds to
        section 1's percentage, and ``claimed``, whether a matrix can have that too; ``excluded_by``
        the printed numbers that no matrix gives together.
    """
    lines = []
    for task, method in itertools.product(counts, METHODS):
        claim = percentage(task)
        for split, convention in itertools.product(counts[task], CONVENTIONS):
            block = bounds(method, counts[task][split], convention)
            claimed = bounds(method, counts[task][split], convention, accuracy=claim)
            fewest, most = block.correct or (math.nan, math.nan)
            excluded = (
                f"{c.class_.lower()} {c.measure.replace('f1', 'F1')} {c.printed}"
                for c in block.conflict
            )
            lines.append(
                {
                    "task": task,
                    "method": method,
                    "split": split,
                    "convention": convention,
                    "feasible": block.feasible,
                    "fewest": fewest,
                    "most": most,
                    "low": fewest / block.images,
                    "high": most / block.images,
                    "claim_low": float(claim.low),
                    "claim_high": float(claim.high),
                    "claimed": claimed.feasible,
                    "excluded_by": ", ".join(excluded),
                }
            )
    return pd.DataFrame(lines)


def tables(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, dict]:
    """Every block, for ``bloodlib audit --json``: by "four/NB", …, "two/MaxPooling".

    ``feasible``, ``accuracy``, ``correct`` (right answers), ``images`` and ``witness`` are for
    rounded numbers computed on TEST; ``truncated`` and ``TEST_SIMPLE`` have the same without a
    witness. What can't be had where there is no matrix is None.
    """

    def content(method, counts, convention="rounded"):
        block = bounds(method, counts, convention)
        return {
            "feasible": block.feasible,
            "accuracy": block.accuracy,
            "correct": block.correct,
            "images": block.images,
        }

    found = {}
    for task, method in itertools.product(counts, METHODS):
        test, simple = counts[task]["TEST"], counts[task]["TEST_SIMPLE"]
        witness = bounds(method, test).witness
        found[f"{task}/{method}"] = {
            **content(method, test),
            "witness": None if witness is None else witness.tolist(),
            "truncated": content(method, test, "truncated"),
            "TEST_SIMPLE": content(method, simple),
        }
    return found
