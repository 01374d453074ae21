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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd

from bloodlib import paper
from bloodlib.paper import TableCell

CONVENTIONS = ("rounded", "truncated")
METHODS = tuple(dict.fromkeys(cell.method for cell in paper.TABLE_CELLS))
NETWORKS = METHODS[2:]
#: The accuracies that section 1 claims, by task.
CLAIMED = {"two": "0.94", "four": "0.78"}

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


def span(printed: str, convention: str = "rounded", unit: Fraction = Fraction(1, 100)) -> Span:
    """Where a number lies that prints so, in steps of ``unit``; a half may have gone either way."""
    value = Fraction(printed)
    if convention == "rounded":
        return Span(max(value - unit / 2, Fraction(0)), min(value + unit / 2, Fraction(1)))
    return Span(value, min(value + unit, Fraction(1)), closed=value == 1)


def rising(function: Callable[..., Fraction], *spans: Span) -> Span:
    """Where a function of several numbers lies that rises with each of them."""
    ends = (function(*ends) for ends in zip(*((s.low, s.high) for s in spans), strict=True))
    return Span(*ends, closed=all(one.closed for one in spans))


def measured(confusion: np.ndarray, classes: tuple[str, ...], cell: TableCell) -> Fraction:
    """The exact value of a confusion matrix [classes, classes] in the place of a printed number.

    Equations 15 to 17; a class that is never predicted has precision 0. In "Average" classes count
    alike.
    """
    rows = np.asarray(confusion).tolist()
    true = [sum(row) for row in rows]
    predicted = [sum(column) for column in zip(*rows, strict=True)]
    found = []
    for k, class_ in enumerate(classes):
        if cell.class_ in (class_, "Average"):
            above, below = {
                "precision": (rows[k][k], predicted[k]),
                "recall": (rows[k][k], true[k]),
                "f1": (2 * rows[k][k], true[k] + predicted[k]),
            }[cell.measure]
            found.append(Fraction(above, below) if below else Fraction(0))
    return _mean(*found)


def _mean(*values):
    return sum(values) / len(values)


def _f1(precision, recall):
    """Equation 17."""
    return 2 * precision * recall / (precision + recall)


# -------------------------------------------------------------------------- confusion matrices


@dataclass(frozen=True)
class Block:
    """What printed numbers allow: a confusion matrix that gives all of them, sought when asked for.

    Attributes
    ----------
    cells : tuple of bloodlib.paper.TableCell
        The numbers. Of the averages only recall's is linear in whole numbers.
    counts : tuple of (str, int)
        Images of each class.
    convention : {"rounded", "truncated"}
    claimed : Span or None
        Where the fraction of right answers must lie too.
    unit : Fraction
        The last digit that is printed.
    """

    cells: tuple[TableCell, ...]
    counts: tuple[tuple[str, int], ...]
    convention: str = "rounded"
    claimed: Span | None = None
    unit: Fraction = Fraction(1, 100)

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(size for _, size in self.counts)

    @functools.cached_property
    def witness(self) -> np.ndarray | None:
        """A matrix with the most right answers, true classes in rows, predicted in columns."""
        return self.find(-1)

    @property
    def feasible(self) -> bool:
        """Whether there is a confusion matrix."""
        return self.witness is not None

    @functools.cached_property
    def correct(self) -> tuple[int, int] | None:
        """Fewest and most right answers, both reached; None without a matrix."""
        if not self.feasible:
            return None
        return int(np.trace(self.find(1))), int(np.trace(self.witness))

    @property
    def accuracy(self) -> tuple[float, float] | None:
        """Lowest and highest accuracy; None without a matrix."""
        return self.correct and tuple(right / self.images for right in self.correct)

    @functools.cached_property
    def conflict(self) -> tuple[TableCell, ...]:
        """As few printed numbers as no matrix gives together, of recalls first; or none."""
        if self.feasible:
            return ()
        cells = sorted(self.cells, key=lambda cell: cell.measure != "recall")
        some = (s for n in range(len(cells) + 1) for s in itertools.combinations(cells, n))
        return next(s for s in some if replace(self, cells=s).find() is None)

    def find(self, sign: int = 0) -> np.ndarray | None:
        """A matrix with the fewest (sign 1) or most (-1) right answers, or any (0); or None.

        Unknown are the confusion matrix and a 1 for each class that is never predicted. A limit is
        a vector of their coefficients, with the lowest and the highest value of the sum.

        Raises
        ------
        ValueError
            If a cell names another class, or is an average of precision or F1.
        RuntimeError
            If the solver ends without an answer, or with a matrix that does not give the numbers.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        names, sizes = zip(*self.counts, strict=True)
        n, k = self.images, len(names)
        unknown = np.eye(k * k + k, dtype=int)
        matrix, never = unknown[: k * k].reshape(k, k, -1), unknown[k * k :]
        true, predicted, found = matrix.sum(axis=1), matrix.sum(axis=0), matrix[range(k), range(k)]
        limits = [*zip(true, sizes, sizes, strict=True)]
        limits += [(row, 1, math.inf) for row in predicted + never]
        limits += [(row, -math.inf, n) for row in predicted + n * never]
        if self.claimed is not None:
            limits += _within(found.sum(axis=0), true.sum(axis=0), self.claimed)
        for cell in self.cells:
            where = span(cell.printed, self.convention, self.unit)
            if (cell.class_, cell.measure) == ("Average", "recall"):
                whole = math.lcm(*sizes)
                above = sum(whole // size * row for size, row in zip(sizes, found, strict=True))
                limits += _within(n * above, k * whole * true.sum(axis=0), where)
            elif cell.class_ in names:
                i = names.index(cell.class_)
                limits += _limits(cell, where, found[i], true[i], predicted[i], never[i])
            else:
                raise ValueError(
                    f"no constraint on counts: {cell.class_} {cell.measure} of {names}"
                )
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
        right = int(confusion.trace())
        if sign * right > math.ceil(result.mip_dual_bound - 1e-6):
            raise RuntimeError("the solver stopped before the last right answer")
        if not (
            (confusion >= 0).all()
            and tuple(confusion.sum(axis=1)) == sizes
            and (self.claimed is None or self.claimed.holds(Fraction(right, n)))
            and all(
                span(cell.printed, self.convention, self.unit).holds(
                    measured(confusion, names, cell)
                )
                for cell in self.cells
            )
        ):
            raise RuntimeError(f"the solver's matrix does not give the numbers: {confusion}")
        confusion.flags.writeable = False
        return confusion


def _limits(cell: TableCell, where: Span, found, true, predicted, never) -> list[tuple]:
    """A class' printed number as limits on what was found, is true and was predicted."""
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


_block = functools.cache(Block)


def bounds(
    method: str,
    counts: Mapping[str, int],
    convention: str = "rounded",
    average: bool = False,
    claimed: Span | None = None,
) -> Block:
    """What the class rows of a method allow, such as on ``images.counts("four")["TEST"]``.

    With ``average``, the printed average recall must be their mean, too. Asked again, the same
    Block answers.

    Raises
    ------
    ValueError
        If the paper has no such method or class.
    """
    cells = [c for class_ in counts for c in paper.table_cells(method=method, class_=class_)]
    if average:
        where = {"method": method, "task": cells[0].task, "class_": "Average"}
        cells += paper.table_cells(measure="recall", **where)
    return _block(tuple(cells), tuple(counts.items()), convention, claimed)


def of_report(report: pd.DataFrame, accuracy: str | None = None) -> Block:
    """What a class report with four classes allows, whatever its number of decimals.

    Parameters
    ----------
    report : pandas.DataFrame
        ``class, images, precision, recall, f1`` as printed, as in
        ``results/literature_reports.csv``; "" for a number that is not.
    accuracy : str, optional
        The accuracy, as printed.
    """

    def unit(printed):
        return Fraction(1, 10 ** len(printed.partition(".")[2]))

    cells = tuple(
        TableCell(0, "four", "", row["class"], measure, row[measure])
        for _, row in report.iterrows()
        for measure in paper.MEASURES
        if row[measure]
    )
    counts = tuple(zip(report["class"], report["images"].astype(int), strict=True))
    claimed = span(accuracy, unit=unit(accuracy)) if accuracy else None
    return Block(cells, counts, claimed=claimed, unit=unit(cells[0].printed))


def misprints(counts: Mapping[str, int], convention: str = "rounded") -> tuple[int, int]:
    """Misprints of 0.01 in one number that leave no matrix, and how many were tried."""
    found = []
    for method in METHODS[:-1]:  # the rows of the last, MaxPooling, are DCLNN's
        block = bounds(method, counts, convention)
        for (i, cell), step in itertools.product(enumerate(block.cells), (-1, 1)):
            printed = round(100 * cell.value) + step
            if 0 <= printed <= 100:
                changed = replace(cell, printed=f"{printed / 100:.2f}")
                cells = (*block.cells[:i], changed, *block.cells[i + 1 :])
                found.append(replace(block, cells=cells).find() is None)
    return sum(found), len(found)


# ----------------------------------------------------------------- numbers among themselves


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
        alone = bounds(method, counts, convention)
        printed = paper.table_cells(method=method, task=alone.cells[0].task)
        block = {(c.class_, c.measure): c for c in printed}
        where = {key: span(cell.printed, convention) for key, cell in block.items()}
        allowed = []
        for class_ in (*counts, "Average"):
            kind = "F1 from the precision and recall beside it"
            if class_ == "Average":
                kind = "Average F1 from the average precision and recall"
            f1 = rising(_f1, where[class_, "precision"], where[class_, "recall"])
            allowed.append((kind, (class_, "f1"), f1))
        for measure in paper.MEASURES:
            average = rising(_mean, *(where[class_, measure] for class_ in counts))
            allowed.append(("Average as the mean of its class rows", ("Average", measure), average))
        found += [(kind, block[key], one, one.meets(where[key])) for kind, key, one in allowed]
        holds = bounds(method, counts, convention, average=True).feasible
        kind = "Average recall in one matrix with the class rows"
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
        claim = span(CLAIMED[task])
        for split, convention in itertools.product(counts[task], CONVENTIONS):
            block = bounds(method, counts[task][split], convention)
            missing = (math.nan, math.nan)
            fewest, most = block.correct or missing
            low, high = block.accuracy or missing
            lines.append(
                {
                    "task": task,
                    "method": method,
                    "split": split,
                    "convention": convention,
                    "feasible": block.feasible,
                    "fewest": fewest,
                    "most": most,
                    "low": low,
                    "high": high,
                    "claim_low": float(claim.low),
                    "claim_high": float(claim.high),
                    "claimed": replace(block, claimed=claim).find() is not None,
                    "excluded_by": ", ".join(f"{c.words} {c.printed}" for c in block.conflict),
                }
            )
    return pd.DataFrame(lines)


def tables(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, dict]:
    """Every block, for ``bloodlib audit --json``: by "four/NB", …, "two/MaxPooling".

    ``feasible``, ``accuracy``, ``correct`` (right answers), ``images`` and ``witness`` are for
    rounded numbers computed on TEST; ``truncated`` and ``TEST_SIMPLE`` have the same without a
    witness. What can't be had where there is no matrix is None.
    """
    found = {}
    for task, method in itertools.product(counts, METHODS):
        blocks = {
            "TEST": bounds(method, counts[task]["TEST"]),
            "truncated": bounds(method, counts[task]["TEST"], "truncated"),
            "TEST_SIMPLE": bounds(method, counts[task]["TEST_SIMPLE"]),
        }
        each = {
            name: {
                "feasible": block.feasible,
                "accuracy": block.accuracy,
                "correct": block.correct,
                "images": block.images,
            }
            for name, block in blocks.items()
        }
        witness = blocks["TEST"].witness
        found[f"{task}/{method}"] = {
            **each.pop("TEST"),
            "witness": None if witness is None else witness.tolist(),
            **each,
        }
    return found
