"""What the print allows, found again without the solver: by counting all possibilities."""

import dataclasses
import itertools
import json
import math
import types
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodlib import paper
from bloodlib.data import images
from bloodlib.paper import arithmetic
from bloodlib.paper.arithmetic import Span

BLOCKS = [(method, task) for task in images.TASKS for method in arithmetic.METHODS]
CONVENTIONS = ["rounded", "truncated"]


# ------------------------------------------------------------------ the same without the solver


def fits(above, below, hundredths, convention):
    """Whether above / below (whole numbers, arrays too) prints so; 0 / 0 is 0."""
    above, below = np.broadcast_arrays(above, below)
    if convention == "rounded":
        ends = (200 * above >= (2 * hundredths - 1) * below) & (
            200 * above <= (2 * hundredths + 1) * below
        )
    else:
        ends = (100 * above >= hundredths * below) & (100 * above < (hundredths + 1) * below)
        if hundredths == 100:
            ends = above == below
    return np.where(below == 0, hundredths == 0, ends)


def printed_rows(cells, names):
    """Precision, recall and F1 in hundredths, by class; None where a number is not given."""
    rows = {name: dict.fromkeys(paper.MEASURES) for name in names}
    for cell in cells:
        if cell.class_ in rows:
            rows[cell.class_][cell.measure] = round(100 * cell.value)
    return rows


def recalled(row, size, convention):
    """All numbers found of a class that give its recall."""
    found = np.arange(size + 1)
    return found if row["recall"] is None else found[fits(found, size, row["recall"], convention)]


def gives(row, found, size, predicted, convention):
    """Whether counts give the precision and the F1 of a class."""
    possible = np.ones(np.broadcast(found, predicted).shape, bool)
    if row["precision"] is not None:
        possible &= fits(found, predicted, row["precision"], convention)
    if row["f1"] is not None:
        possible &= fits(2 * found, size + predicted, row["f1"], convention)
    return possible


def possible_counts(row, size, total, convention):
    """All (found, predicted) of one class that give its numbers."""
    found = recalled(row, size, convention)
    found, predicted = np.meshgrid(found, np.arange(total + 1), indexing="ij")
    possible = (predicted >= found) & (predicted - found <= total - size)
    possible &= gives(row, found, size, predicted, convention)
    return np.stack([found[possible], predicted[possible]], axis=1)


def sums(possible, total):
    """Sums of found (bits of a number) that go with predictions that sum up to all images."""
    reached = {0: 1}
    for pairs in possible:
        after = {}
        for (done, bits), (found, predicted) in itertools.product(reached.items(), pairs.tolist()):
            if done + predicted <= total:
                after[done + predicted] = after.get(done + predicted, 0) | bits << found
        reached = after
    return reached.get(total, 0)


def counted(cells, counts, convention):
    """Fewest and most right answers, class by class: no solver, no matrix.

    The errors can be put off the diagonal if no class has, as the true and as the wrong answer
    together, more than all errors that there are.
    """
    total, rows = sum(counts.values()), printed_rows(cells, counts)
    possible = [possible_counts(rows[c], n, total, convention) for c, n in counts.items()]

    def reached(right):
        errors = total - right
        some = [
            pairs[n + pairs[:, 1] - 2 * pairs[:, 0] <= errors]
            for pairs, n in zip(possible, counts.values(), strict=True)
        ]
        return sums(some, total) >> right & 1

    bits = sums(possible, total)
    candidates = [right for right in range(bits.bit_length()) if bits >> right & 1]
    fewest = next(filter(reached, candidates), None)
    return None if fewest is None else (fewest, next(filter(reached, reversed(candidates))))


def all_of_two(cells, counts, convention):
    """All matrices of two classes that give the class rows [n, found of the first, second]."""
    (n, m), rows = counts.values(), list(printed_rows(cells, counts).values())
    a, b = np.meshgrid(
        recalled(rows[0], n, convention), recalled(rows[1], m, convention), indexing="ij"
    )
    possible = gives(rows[0], a, n, a + m - b, convention)
    possible &= gives(rows[1], b, m, b + n - a, convention)
    return np.stack([a[possible], b[possible]], axis=1)


def class_rows(method, task):
    return [c for c in paper.table_cells(method=method, task=task) if c.class_ != "Average"]


def ends(numbers):
    return (int(numbers.min()), int(numbers.max())) if len(numbers) else None


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("split", ["TEST", "TEST_SIMPLE"])
@pytest.mark.parametrize(("method", "task"), BLOCKS)
def test_counting_class_by_class_finds_the_same(method, task, split, convention):
    counts = images.counts(task)[split]
    expected = counted(class_rows(method, task), counts, convention)
    block = arithmetic.bounds(method, counts, convention)
    assert block.correct == expected
    assert block.feasible == (expected is not None)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("split", ["TEST", "TEST_SIMPLE"])
@pytest.mark.parametrize("method", arithmetic.METHODS)
def test_trying_all_matrices_of_two_classes_finds_the_same(method, split, convention):
    counts = images.counts("two")[split]
    every = all_of_two(class_rows(method, "two"), counts, convention)
    right = every.sum(axis=1)
    assert arithmetic.bounds(method, counts, convention).correct == ends(right)
    n, m = counts.values()
    (cell,) = paper.table_cells(method=method, task="two", class_="Average", measure="recall")
    hundredths = round(100 * cell.value)
    macro = fits(every[:, 0] * m + every[:, 1] * n, 2 * n * m, hundredths, convention)
    found = arithmetic.bounds(method, counts, convention, average=True).correct
    assert found == ends(right[macro])
    claimed = fits(right, n + m, 94, "rounded")
    span = arithmetic.span("0.94")
    found = arithmetic.bounds(method, counts, convention, claimed=span).correct
    assert found == ends(right[claimed])


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("method", "task"), BLOCKS)
def test_a_witness_gives_every_number(method, task, convention):
    block = arithmetic.bounds(method, images.counts(task)["TEST"], convention)
    matrix = block.witness
    assert matrix.sum(axis=1).tolist() == np.bincount(images.labels("TEST", task)).tolist()
    assert matrix.trace() == block.correct[1]
    assert block.accuracy == (block.correct[0] / block.images, block.correct[1] / block.images)
    assert block.conflict == ()
    rows = printed_rows(class_rows(method, task), images.TASKS[task])
    for k, row in enumerate(rows.values()):
        found, true, predicted = matrix[k, k], matrix[k].sum(), matrix[:, k].sum()
        assert fits(found, predicted, row["precision"], convention)
        assert fits(found, true, row["recall"], convention)
        assert fits(2 * found, true + predicted, row["f1"], convention)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 0


# ----------------------------------------------------------------------------- planted numbers


def solve(cells, counts, convention="rounded", claimed=None):
    return arithmetic.Block(tuple(cells), tuple(counts.items()), convention, claimed)


def cell(class_, measure, printed):
    return paper.TableCell(0, "planted", "planted", class_, measure, printed)


def print_as(value, convention):
    """Two decimals, trailing zeros dropped, like the paper's."""
    hundredths = math.floor(100 * value + (Fraction(1, 2) if convention == "rounded" else 0))
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def print_rows(matrix, names, convention, averages=()):
    return [
        cell(name, measure, print_as(value, convention))
        for name, measure in [
            *itertools.product(names, paper.MEASURES),
            *(("Average", measure) for measure in averages),
        ]
        for value in [arithmetic.measured(matrix, names, cell(name, measure, "0"))]
    ]


@st.composite
def matrices(draw, most=60):
    k = draw(st.integers(2, 4))
    rows = st.lists(st.integers(0, most), min_size=k, max_size=k).filter(any)
    return np.array(draw(st.lists(rows, min_size=k, max_size=k)))


@settings(max_examples=40, deadline=None)
@given(matrix=matrices(), convention=st.sampled_from(CONVENTIONS))
def test_what_a_matrix_prints_is_possible(matrix, convention):
    names = tuple("ABCD"[: len(matrix)])
    cells = print_rows(matrix, names, convention, averages=["recall"])
    counts = dict(zip(names, matrix.sum(axis=1).tolist(), strict=True))
    block = solve(cells, counts, convention)
    assert block.feasible
    assert block.correct[0] <= matrix.trace() <= block.correct[1]
    right = Fraction(int(matrix.trace()), int(matrix.sum()))
    exactly = solve(cells, counts, convention, claimed=Span(right, right))
    assert exactly.correct == (matrix.trace(), matrix.trace())


@settings(max_examples=40, deadline=None)
@given(
    matrix=matrices(most=25),
    convention=st.sampled_from(CONVENTIONS),
    which=st.integers(0, 99),
    step=st.sampled_from([-3, -1, 1, 3]),
)
def test_a_changed_digit_is_judged_as_by_counting(matrix, convention, which, step):
    names = tuple("ABCD"[: len(matrix)])
    cells = print_rows(matrix, names, convention)
    k = which % len(cells)
    hundredths = min(max(round(100 * cells[k].value) + step, 0), 100)
    cells[k] = dataclasses.replace(cells[k], printed=f"{hundredths / 100:.2f}")
    counts = dict(zip(names, matrix.sum(axis=1).tolist(), strict=True))
    assert solve(cells, counts, convention).correct == counted(cells, counts, convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_class_that_is_never_predicted_has_precision_0(convention):
    matrix = np.array([[5, 0, 2], [3, 0, 1], [1, 0, 8]])
    cells = print_rows(matrix, ("A", "B", "C"), convention)
    assert cells[3].printed == "0"
    counts = {"A": 7, "B": 4, "C": 9}
    assert solve(cells, counts, convention).feasible
    cells[3] = dataclasses.replace(cells[3], printed="0.5")
    block = solve(cells, counts, convention)
    assert not block.feasible
    assert block.conflict == (cells[4], cells[3])  # recall 0 beside precision 0.5


def test_a_number_that_is_not_reached_is_not_accepted():
    """Cut, 0.5 is at least 0.50 and less than 0.51: 51 of 100 is too many."""
    recalls = [cell("A", "recall", "0.5"), cell("B", "recall", "1")]
    counts = {"A": 100, "B": 10}
    assert solve(recalls, counts, "truncated").correct == (60, 60)
    assert solve(recalls, counts, "rounded").correct == (60, 60)
    counts = {"A": 200, "B": 10}
    assert solve(recalls, counts, "truncated").correct == (110, 111)
    assert solve(recalls, counts, "rounded").correct == (109, 111)  # halves either way


def test_only_what_is_never_predicted_is_excused_for_it():
    """One of a hundred predicted is 0.01 to the last digit: cut, that is no 0.00."""
    counts, recalls = (
        {"A": 50, "B": 150},
        [cell("A", "recall", "0.02"), cell("B", "recall", "0.34")],
    )
    for printed, feasible in (("0", False), ("0.01", True)):
        cells = [cell("A", "precision", printed), *recalls]
        assert solve(cells, counts, "truncated").feasible == feasible


def test_conflicts_are_minimal():
    planted = [
        ("DCLNN", "four", ("NEUTROPHIL", "f1"), "0.76"),
        ("NB", "two", ("Mononuclear", "recall"), "0.55"),
        ("AveragePooling", "two", ("Polynuclear", "precision"), "0.93"),
    ]
    for method, task, where, printed in planted:
        cells = [
            dataclasses.replace(c, printed=printed) if (c.class_, c.measure) == where else c
            for c in class_rows(method, task)
        ]
        counts = images.counts(task)["TEST"]
        block = solve(cells, counts)
        assert block.correct is counted(cells, counts, "rounded") is None
        assert block.accuracy is None
        assert set(block.conflict) <= set(cells)
        assert not solve(block.conflict, counts).feasible
        for one in block.conflict:
            assert solve([c for c in block.conflict if c != one], counts).feasible


@pytest.mark.parametrize(
    ("cells", "counts", "words"),
    [
        ([cell("C", "recall", "1")], {"A": 1, "B": 1}, "C recall"),
        ([cell("Average", "f1", "1")], {"A": 1, "B": 1}, "Average f1"),
    ],
)
def test_what_is_no_constraint_is_refused(cells, counts, words):
    with pytest.raises(ValueError, match=words):
        solve(cells, counts).find()


@pytest.mark.parametrize(
    ("method", "counts", "words"),
    [("CNN", {"NEUTROPHIL": 1}, "method='CNN'"), ("NB", {"BASOPHIL": 1}, "class_='BASOPHIL'")],
)
def test_unknown_names_are_refused(method, counts, words):
    with pytest.raises(ValueError, match=words):
        arithmetic.bounds(method, counts)


@pytest.mark.parametrize(
    ("status", "x", "words"),
    [
        (1, None, "without an answer"),
        (0, [0, 2, 2, 0, 0, 0], "does not give"),
        (0, [1, 1, 1, 1, 0, 0], "last right answer"),
    ],
)
def test_a_solver_without_an_answer_raises(monkeypatch, status, x, words):
    """No status but optimal and infeasible is an answer, nor is a matrix that is wrong."""
    result = types.SimpleNamespace(
        status=status, x=None if x is None else np.array(x, float), message="?", mip_dual_bound=0
    )
    monkeypatch.setattr("scipy.optimize.milp", lambda *args, **more: result)
    recalls = [cell("A", "recall", "0.5"), cell("B", "recall", "0.5")]
    with pytest.raises(RuntimeError, match=words):
        solve(recalls, {"A": 2, "B": 2}).find(1)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_misprints_are_counted_as_by_counting(convention):
    noticed, tried, counts = 0, 0, images.counts("two")["TEST"]
    for method in arithmetic.METHODS[:-1]:  # the last one's rows are DCLNN's
        cells = class_rows(method, "two")
        for i, step in itertools.product(range(len(cells)), (-0.01, 0.01)):
            if cells[i].value + step <= 1:
                changed = dataclasses.replace(cells[i], printed=f"{cells[i].value + step:.2f}")
                rows = [*cells[:i], changed, *cells[i + 1 :]]
                tried += 1
                noticed += not len(all_of_two(rows, counts, convention))
    assert arithmetic.misprints(counts, convention) == (noticed, tried) == (noticed, 48)
    # of 48 numbers in four classes, 4 are 1 and can't grow
    assert arithmetic.misprints(images.counts()["TEST"])[1] == 92


# ------------------------------------------------------------------- numbers among themselves

spans = st.builds(
    lambda low, width, closed: Span(low, low + width, closed or not width),
    st.fractions(0, 1, max_denominator=200),
    st.fractions(0, 1, max_denominator=200),
    st.booleans(),
)


def members(span):
    """Both ends and values near them."""
    tiny = Fraction(1, 10**9)
    values = (span.low, (span.low + span.high) / 2, span.high - tiny, span.high)
    return [value for value in values if span.holds(value)]


@pytest.mark.parametrize(
    ("printed", "rounded", "cut"),
    [("0.6", (0.595, 0.605), (0.6, 0.61)), ("1", (0.995, 1), (1, 1)), ("0", (0, 0.005), (0, 0.01))],
)
def test_what_a_printed_number_can_stand_for(printed, rounded, cut):
    for convention, expected in (("rounded", rounded), ("truncated", cut)):
        found = arithmetic.span(printed, convention)
        assert (float(found.low), float(found.high)) == expected
        assert found.closed == (convention == "rounded" or printed == "1")
    exact = arithmetic.span("0.94", unit=Fraction(1, 1000))
    assert (float(exact.low), float(exact.high)) == (0.9395, 0.9405)


def test_ends_belong_or_do_not():
    half, one = Fraction(1, 2), Fraction(1)
    assert Span(half, one).above(Span(Fraction(0), half)) is None
    assert Span(half, one).above(Span(Fraction(0), half, closed=False)) is True
    assert Span(Fraction(0), half).above(Span(half, one)) is False
    assert not Span(half, one).meets(Span(Fraction(0), half, closed=False))
    assert Span(half, one).meets(Span(Fraction(0), half))


@given(st.lists(spans, min_size=2, max_size=4))
def test_a_mean_lies_where_its_span_says(some):
    def mean(*values):
        return sum(values) / len(values)

    found = arithmetic.rising(mean, *some)
    for values in itertools.islice(itertools.product(*map(members, some)), 30):
        assert found.holds(mean(*values))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_number_is_checked(convention):
    found = pd.concat(
        arithmetic.checks(images.counts(task)["TEST"], convention) for task in images.TASKS
    )
    assert found["kind"].value_counts().to_dict() == {
        "F1 from the precision and recall beside it": 30,
        "Average as the mean of its class rows": 30,
        "Average F1 from the average precision and recall": 10,
        "Average recall in one matrix with the class rows": 10,
    }
    averages = set(paper.table_cells(class_="Average"))
    assert set(found["cell"]) == averages | set(paper.table_cells(measure="f1"))
    printed = {(c.method, c.task, c.class_, c.measure): c.printed for c in paper.table_cells()}
    for _, cell, allowed, _ in found[found["kind"].str.startswith("F1")].itertuples(index=False):
        p, r = (
            arithmetic.span(printed[cell.method, cell.task, cell.class_, measure], convention)
            for measure in ("precision", "recall")
        )
        assert allowed.low == 2 * p.low * r.low / (p.low + r.low)
        assert allowed.high == 2 * p.high * r.high / (p.high + r.high)
        assert allowed.closed == (p.closed and r.closed)
    ranges = found.dropna(subset="allowed")
    for row in ranges.itertuples():
        assert row.holds == row.allowed.meets(arithmetic.span(row.cell.printed, convention))
    failing = ranges[~ranges["holds"]]["kind"]
    assert set(failing) <= {"Average F1 from the average precision and recall"}


# -------------------------------------------------------------------- what the rest is given


@pytest.fixture
def blocks():
    return arithmetic.compute_blocks({task: images.counts(task) for task in images.TASKS})


def test_every_block_is_there_with_what_it_allows(blocks):
    assert len(blocks) == 10 * 3 * 2
    for row in blocks.to_dict("records"):
        counts = images.counts(row["task"])[row["split"]]
        block = arithmetic.bounds(row["method"], counts, row["convention"])
        assert row["feasible"] == block.feasible == (not row["excluded_by"])
        if block.feasible:
            assert (row["fewest"], row["most"]) == block.correct
            assert (row["low"], row["high"]) == block.accuracy


def test_section_1_in_the_blocks(blocks):
    rows = blocks[blocks["split"] == "TEST"].set_index(["task", "method", "convention"])
    assert rows.loc[("two", "AveragePooling"), "claimed"].to_dict() == {
        "rounded": False, "truncated": True
    }  # fmt: skip
    assert rows.loc[("two", "DCLNN", "rounded"), ["claim_low", "claim_high"]].tolist() == [
        0.935, 0.945
    ]  # fmt: skip


def test_tables_are_json():
    counts = {task: images.counts(task) for task in images.TASKS}
    found = json.loads(json.dumps(arithmetic.tables(counts)))
    assert len(found) == len(BLOCKS)
    for name, content in found.items():
        task, method = name.split("/")
        block = arithmetic.bounds(method, counts[task]["TEST"])
        assert content["feasible"] is block.feasible
        assert content["accuracy"] == list(block.accuracy)
        assert np.trace(content["witness"]) == content["correct"][1]
        assert content["images"] == np.sum(content["witness"])
        for key, other in {
            "truncated": arithmetic.bounds(method, counts[task]["TEST"], "truncated"),
            "TEST_SIMPLE": arithmetic.bounds(method, counts[task]["TEST_SIMPLE"]),
        }.items():
            assert content[key]["feasible"] is other.feasible
            assert content[key]["correct"] == (other.correct and list(other.correct))
            assert content[key]["images"] == other.images


# ----------------------------------------------------------------------- a second opinion


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("split", ["TEST", "TEST_SIMPLE"])
def test_what_mlscorecheck_calls_impossible_is_impossible(split, convention):
    """Every class row of the tables, as printed and with one number changed, on one class."""
    from mlscorecheck.check.binary import check_1_testset_no_kfold

    names = {"precision": "ppv", "recall": "sens", "f1": "f1p"}
    found = []
    for method, task in BLOCKS[:-1]:  # the last one's rows are DCLNN's
        counts, rows = images.counts(task)[split], class_rows(method, task)
        for k, (step, measure) in itertools.product(
            range(0, len(rows), 3), [(0, 0), (3, 1), (-1, 2)]
        ):
            cells = rows[k : k + 3]
            hundredths = min(max(round(100 * cells[measure].value) + step, 0), 100)
            cells[measure] = dataclasses.replace(cells[measure], printed=f"{hundredths / 100:.2f}")
            size, half = counts[cells[0].class_], 0.005 * (convention == "truncated")
            other = check_1_testset_no_kfold(
                testset={"p": size, "n": sum(counts.values()) - size},
                scores={names[cell.measure]: cell.value + half for cell in cells},
                eps=0.005,
            )
            possible = solve(cells, counts, convention).feasible
            found.append((bool(other["inconsistency"]), possible))
    assert (True, True) not in found
    assert {impossible for impossible, _ in found} == {True, False}
