"""Intervals over cells: against slow loops, against published formulas, and by simulation."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import confusion_matrix

from bloodlib.data import images, photographs
from bloodlib.evidence import intervals, scores


def recalls(confusion):
    return scores.printed_rows(confusion, "recall")


def invented(seed=0, cells=(5, 3, 4), runs=2, images=(1, 8)):
    """Truth, groups and labels of a few cells, whose images mostly share their label."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(cells)), cells)
    sizes = rng.integers(*images, len(classes), endpoint=True)
    truth = np.repeat(classes, sizes)
    groups = np.repeat(rng.permutation(len(classes)) * 7 - 20, sizes)
    favourite = rng.integers(0, len(cells), (runs, len(classes)))
    random = rng.integers(0, len(cells), (runs, len(truth)))
    labels = np.where(
        rng.random(random.shape) < 0.7, np.repeat(favourite, sizes, axis=1), random
    ).astype(np.uint8)
    order = rng.permutation(len(truth))
    return truth[order].astype(np.uint8), groups[order], labels[:, order]


@st.composite
def cases(draw):
    classes = draw(st.integers(2, 4))
    cells = draw(st.lists(st.integers(1, 6), min_size=classes, max_size=classes))
    return invented(draw(st.integers(0, 10**6)), cells, draw(st.integers(1, 3))), classes


# ------------------------------------------------------------------------- resamples, confusions


@settings(max_examples=30, deadline=None)
@given(cases())
def test_confusions_are_scikit_learns_of_the_drawn_cells_and_one_unseen_cell_a_class(case):
    (truth, groups, labels), classes = case
    drawn = intervals.resample(truth, groups, classes, 15)
    scored = []
    for run in labels:
        intervals.bounds(lambda c: scored.append(c) or c, run[None], drawn)  # low, then high
    assert (drawn.wrong != drawn.strata).all()
    true = np.concatenate([truth, drawn.strata])
    for number, found in enumerate(scored):
        assert found.shape == (15, 1, classes, classes)
        for b in range(15):
            taken = drawn.strata if number % 2 else drawn.wrong[b]
            answers = np.concatenate([labels[number // 2], taken]).astype(int)
            weights = np.concatenate([drawn.weights[b][drawn.clusters], drawn.unseen[b]])
            expected = confusion_matrix(true, answers, sample_weight=weights, labels=range(classes))
            np.testing.assert_allclose(found[b, 0], expected, rtol=1e-5, atol=1e-5)
        sizes = np.broadcast_to(np.bincount(truth), (15, 1, classes))
        np.testing.assert_allclose(found.sum(axis=-1), sizes, rtol=1e-5)


def test_strata_finer_than_classes_give_both_tasks_the_same_resamples():
    four, groups, _ = invented(cells=(6, 2, 3, 4))
    two = np.array([1, 1, 0, 0])[four]
    fine = intervals.resample(four, groups, 4, 50)
    coarse = intervals.resample(two, groups, 2, 50, strata=four)
    np.testing.assert_array_equal(fine.weights, coarse.weights)
    assert coarse.strata.tolist() == [1, 1, 0, 0]
    without = intervals.resample(two, groups, 2, 50)
    assert not np.array_equal(fine.weights, without.weights)


# ------------------------------------------------------------------------- scores, differences


def test_bounds_of_a_difference_have_signs_and_hold_it():
    truth, groups, labels = invented(5, runs=2, cells=(9, 9))
    resamples = intervals.resample(truth, groups, 2, 2000)
    low, high = intervals.bounds(recalls, labels[:1], resamples, other=labels[1:])
    swapped = intervals.bounds(recalls, labels[1:], resamples, other=labels[:1])
    np.testing.assert_allclose([low, high], [-swapped[1], -swapped[0]], atol=1e-12)
    one, other = (recalls(confusion_matrix(truth, x)) for x in labels)
    assert ((low <= one - other) & (one - other <= high)).all()


def test_the_seed_decides_everything():
    truth, groups, labels = invented(runs=3)
    first, same, other = (
        intervals.bounds(recalls, labels, intervals.resample(truth, groups, 3, 60, seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_votes_are_those_of_a_slow_count(case):
    (_, groups, labels), _ = case

    def winner(votes):
        (first, most), *rest = Counter(votes.tolist()).most_common()
        return -1 if rest and rest[0][1] == most else first

    expected = [winner(labels[0][groups == g]) for g in np.unique(groups)]
    np.testing.assert_array_equal(intervals.vote(labels[0], groups), expected)


# ------------------------------------------------------------------------------- one class


def of_one_class(shares, draws=intervals.DRAWS, images=20):
    """Intervals of a mean over cells of one size, of these shares right."""
    shares = np.atleast_2d(np.repeat(shares, images, axis=-1))
    cells = np.arange(shares.shape[1]) // images
    drawn = intervals.resample(0 * cells, cells, 2, draws)
    return np.transpose([intervals.mean_bounds(row[None], drawn) for row in shares])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_intervals_of_a_recall_hold_it_and_mirror_it(shares):
    low, high = of_one_class(shares, 5000)[:, 0]
    assert 0 <= low <= np.mean(shares) + 1e-6
    assert np.mean(shares) - 1e-6 <= high <= 1 + 1e-6
    mirrored = of_one_class(1 - np.array(shares), 5000)[:, 0]
    np.testing.assert_allclose([low, high], 1 - mirrored[::-1], atol=1e-6)


@pytest.mark.parametrize("right", [0, 1, 2, 4])
def test_for_cells_all_right_or_all_wrong_gaffkes_bounds_are_the_exact_ones(right):
    exact = stats.binomtest(right, 4).proportion_ci()
    found = of_one_class(np.arange(4) < right)[:, 0]
    np.testing.assert_allclose(found, exact, atol=0.005)


SHARES = np.array([0.2, 0.55, 0.9, 0.9, 1.0, 0.75])


def test_gaffkes_bounds_are_as_published():
    """Algorithm 1 of Learned-Miller and Thomas (2019): order statistics, and gaps between them."""
    uniform = np.sort(np.random.default_rng(9).random((200_000, 6)), axis=1)
    ends = []
    for z in (np.sort(SHARES), np.sort(1 - SHARES)):
        gaps = np.diff(np.append(z, 1.0))
        ends.append(np.quantile(1 - uniform @ gaps, 0.975))
    np.testing.assert_allclose(of_one_class(SHARES)[:, 0], [1 - ends[1], ends[0]], atol=0.004)


@pytest.mark.parametrize("shares", [SHARES, np.arange(13) / 12, [1.0] * 4, [0.0, 1.0] * 3])
def test_the_proved_bounds_are_as_published_and_no_narrower_than_gaffkes(shares):
    """Phan et al.: the greatest of Gaffke's values for cells of no greater mean, here by a LP."""
    low, high = intervals.proved_bounds(np.asarray(shares), 20_000)
    narrow = of_one_class(shares)[:, 0]
    assert low <= narrow[0] + 0.01
    assert narrow[1] - 0.01 <= high
    n = len(shares)
    uniform = np.sort(np.random.default_rng(4).random((300, n)), axis=1)
    rising = np.eye(n, n) - np.eye(n, n, 1)  # each is at most the next one
    found = []
    for one in uniform:
        gain = np.diff(one, prepend=0)
        best = optimize.linprog(
            -gain,
            np.vstack([rising[:-1], np.ones(n)]),
            [0] * (n - 1) + [np.sum(shares)],
            bounds=(0, 1),
        )
        found.append(-best.fun + 1 - one[-1])
    exact = np.quantile(found, 0.975)
    assert high == pytest.approx(exact, abs=0.05)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_bounds_of_a_recall_and_of_a_mean_are_the_same(seed):
    truth, groups, labels = invented(seed, cells=(9, 4, 6), runs=2, images=(10, 30))
    drawn = intervals.resample(truth, groups, 3, 20_000)
    low, high = intervals.bounds(scores.recall, labels, drawn)
    for label in range(3):
        own = truth == label
        alone = intervals.resample(0 * groups[own], groups[own], 2, 20_000)
        expected = intervals.mean_bounds(labels[:, own] == label, alone)
        np.testing.assert_allclose([low[label], high[label]], expected, atol=0.015)


def test_bounds_of_a_mean_are_those_of_accuracy_and_move_with_the_limits():
    truth, groups, labels = invented(5, (4, 6, 3), runs=3)
    drawn = intervals.resample(truth, groups, 3)
    right = labels == truth
    expected = intervals.bounds(scores.accuracy, labels, drawn)
    assert intervals.mean_bounds(right, drawn) == pytest.approx(expected)
    twice = intervals.mean_bounds(2 * right - 1.0, drawn, (-1, 1))
    assert twice == pytest.approx([2 * end - 1 for end in expected])


@pytest.mark.long
def test_other_draws_hardly_move_a_printed_end():
    cells = photographs.cells("TEST")
    truth, right = images.labels("TEST"), np.random.default_rng(0).random(cells.max() + 1) < 0.7
    labels = np.where(right[cells], truth, (truth + 1) % 4)[None]
    ends = [
        intervals.bounds(recalls, labels, intervals.resample(truth, cells, 4, seed=seed))
        for seed in range(8)
    ]
    spread = np.std(ends, axis=0, ddof=1)
    assert np.median(spread) < 0.0004
    assert spread.max() < 0.001  # of the four monocytes


# ------------------------------------------------------------------------------- cells and seeds


def test_over_cells_and_seeds_is_students_interval_where_cells_tell_nothing():
    each = np.array([0.7, 0.8, 0.75, 0.9])
    expected = stats.t.interval(0.95, 3, each.mean(), stats.sem(each))
    assert intervals.with_seeds(*[each.mean()] * 3, each) == pytest.approx(expected)
    other = np.array([0.5, 0.6, 0.2])
    value = each.mean() - other.mean()
    welch = stats.ttest_ind(each, other, equal_var=False).confidence_interval()
    assert intervals.with_seeds(value, value, value, each, other) == pytest.approx(tuple(welch))
    two = intervals.with_seeds(*[np.full(2, each.mean())] * 3, np.stack([each, each + 5], axis=1))
    assert np.transpose(two) == pytest.approx(np.array([expected, expected]))
    one = intervals.with_seeds(value, -0.1, 0.9, each, other[:1])
    alone = stats.t.interval(0.95, 3, 0, stats.sem(each))[1]
    assert one == pytest.approx(
        (value - np.hypot(value + 0.1, alone), value + np.hypot(0.9 - value, alone))
    )


def test_runs_that_agree_and_single_runs_add_nothing():
    assert intervals.with_seeds(0.8, 0.6, 0.9, np.array([0.8])) == (0.6, 0.9)
    assert intervals.with_seeds(0.8, 0.6, 0.9, np.full(3, 0.8)) == pytest.approx((0.6, 0.9))
    assert intervals.with_seeds(0.8, 0.6, 0.9, np.array([0.0, 1.0])) == (0.0, 1.0)


# ---------------------------------------------------------------------------- narrower, and tests


@pytest.mark.parametrize("cells", [(4,), (45, 13, 4, 6)])
def test_likelihood_bounds_of_what_never_differs_are_the_exact_ones(cells):
    sizes = np.repeat([20 * max(cells) // k for k in cells], cells)
    truth, groups = np.repeat(np.arange(len(cells)), cells), np.arange(sum(cells))
    truth, groups = np.repeat(truth, sizes), np.repeat(groups, sizes)
    drawn = intervals.resample(truth, groups, max(len(cells), 2))
    low, high = intervals.likelihood_bounds(np.zeros(len(truth)), drawn)
    shares = np.bincount(truth) / len(truth)

    def chance(differ):  # that no cell of those seen is one of those that differ
        return np.prod((1 - differ) ** cells)

    bounds = [(0, 0.999)] * len(cells)
    likely = {"type": "ineq", "fun": lambda differ: np.log(chance(differ) / 0.025)}
    start = np.full(len(cells), 0.01)
    found = optimize.minimize(lambda x: -shares @ x, start, bounds=bounds, constraints=likely)
    assert high == pytest.approx(-found.fun, abs=0.002)
    assert low == pytest.approx(-high)
    wide = intervals.mean_bounds(np.zeros((1, len(truth))), drawn, (-1, 1))
    assert high <= wide[1] + 0.003


@pytest.mark.parametrize("seed", range(3))
def test_likelihood_bounds_are_the_optimum_that_a_solver_finds(seed):
    """Cells of unequal size, one class or two: their weights are the unknowns."""
    truth, groups, labels = invented(seed, cells=(4, 3)[: seed + 1], images=(1, 12))
    classes = truth.max() + 1
    drawn = intervals.resample(truth, groups, max(classes, 2), 2)
    values = (labels[0] == truth) - (labels[1] == truth) * 0.5
    cells = np.unique(groups)
    sizes = np.array([(groups == g).sum() for g in cells])
    means = np.array([values[groups == g].mean() for g in cells])
    own = np.array([truth[groups == g][0] for g in cells])
    share = np.array([sizes[own == c].sum() for c in range(classes)]) / sizes.sum()
    effective = [sizes[own == c].sum() ** 2 / (sizes[own == c] ** 2).sum() for c in range(classes)]
    counts = sizes / np.bincount(own, sizes)[own] * np.array(effective)[own]

    def excess(weights):  # of the log likelihood, over what is still likely
        return (counts * np.log(weights * np.array(effective)[own] / counts)).sum() - np.log(0.025)

    def mean(weights):  # of the least: cells that were not seen are at -1
        return share[own] @ (weights * (means + 1)) - 1

    limits = [{"type": "ineq", "fun": excess}] + [
        {"type": "ineq", "fun": lambda w, c=c: 1 - w[own == c].sum()} for c in range(classes)
    ]
    start = 0.9 * counts / np.array(effective)[own]
    found = optimize.minimize(mean, start, bounds=[(1e-9, 1)] * len(own), constraints=limits)
    assert found.success
    assert intervals.likelihood_bounds(values, drawn)[0] == pytest.approx(found.fun, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(cases())
def test_likelihood_bounds_hold_the_mean_and_keep_within_the_limits(case):
    (truth, groups, labels), classes = case
    drawn = intervals.resample(truth, groups, classes, 10)
    values = (labels[0] == truth) - (labels[-1] == truth).astype(float)
    low, high = intervals.likelihood_bounds(values, drawn)
    assert -1 <= low <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= high <= 1
    assert intervals.likelihood_bounds(np.ones(len(truth)), drawn)[1] == 1
    ends = intervals.mean_bounds(values[None], drawn, (-1, 1))
    assert intervals.paired_bounds(values, drawn) == (max(low, ends[0]), min(high, ends[1]))


def test_sign_flips_are_the_exact_test():
    differences = np.array([3.0, 1.0, 2.0, 4.0, 1.0, -1.0])
    exact = stats.permutation_test(
        (differences, np.zeros(6)), lambda a, b: np.sum(a - b), permutation_type="samples"
    )
    assert intervals.sign_flips(differences) == pytest.approx(exact.pvalue, abs=0.01)
    assert intervals.sign_flips(np.zeros(4), 100) == 1
    assert intervals.sign_flips(np.array([1.0, 0.5])) == pytest.approx(0.5, abs=0.01)


def test_what_does_not_fit_is_refused():
    truth, groups, labels = invented()
    drawn = intervals.resample(truth, groups, 3, 5)
    refused = {
        "one of each": lambda: intervals.resample(truth, groups[1:], 3),
        "truth has a label outside 0 to 1": lambda: intervals.resample(truth, groups, 2),
        "strata must divide classes": lambda: intervals.resample(
            truth, groups, 3, strata=truth * 0
        ),
        "give .runs": lambda: intervals.bounds(recalls, labels[0], drawn),
        "labels has a label outside 0 to 2": lambda: intervals.bounds(recalls, labels + 3, drawn),
        "outside 0 to 2": lambda: intervals.bounds(recalls, labels.astype(int) - 1, drawn),
        "beyond": lambda: intervals.mean_bounds(2.0 * labels, drawn),
        "beyond .-1": lambda: intervals.likelihood_bounds(2.0 + labels[0], drawn),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError, match=words):
            call()
