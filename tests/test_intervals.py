"""Intervals over cells: against slow loops, against published formulas, and by simulation."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, f_oneway
from sklearn.metrics import confusion_matrix

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
@given(cases(), st.booleans())
def test_confusions_are_scikit_learns_of_the_drawn_cells_and_one_unseen_cell_a_class(case, unseen):
    (truth, groups, labels), classes = case
    drawn = intervals.resample(truth, groups, classes, 15, unseen=unseen)
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
            np.testing.assert_allclose(found[b, 0], expected, rtol=1e-9, atol=1e-9)
        if unseen:
            images = np.broadcast_to(np.bincount(truth), (15, 1, classes))
            np.testing.assert_allclose(found.sum(axis=-1), images)


def test_strata_finer_than_classes_give_both_tasks_the_same_resamples():
    four, groups, _ = invented(cells=(6, 2, 3, 4))
    two = np.array([1, 1, 0, 0])[four]
    for unseen in (False, True):
        fine = intervals.resample(four, groups, 4, 50, unseen=unseen)
        coarse = intervals.resample(two, groups, 2, 50, strata=four, unseen=unseen)
        np.testing.assert_array_equal(fine.weights, coarse.weights)
        assert coarse.strata.tolist() == [1, 1, 0, 0]
    without = intervals.resample(two, groups, 2, 50)
    eosinophils = np.unique(coarse.clusters[four == 1])
    assert not (without.weights[:, without.clusters[four == 1]].sum(axis=1) == 2).all()
    assert (fine.weights[:, eosinophils] != without.weights[:, eosinophils]).any()


# ------------------------------------------------------------------- bootstrap, difference, bounds


def test_with_one_image_a_cluster_it_is_the_ordinary_bootstrap_within_classes():
    truth = np.repeat([0, 1], [60, 40])
    labels = truth.copy()
    labels[:15] = 1  # recalls 45 of 60 and 28 of 40
    labels[-12:] = 0
    resamples = intervals.resample(truth, np.arange(100), 2, 20_000, unseen=False)
    for count in (resamples.weights[:, :60], resamples.weights[:, 60:]):
        assert (count.sum(axis=1) == count.shape[1]).all()
        np.testing.assert_allclose(count.var(axis=0), 1 - 1 / count.shape[1], atol=0.05)
    low, high = intervals.bounds(scores.recall, labels[None], resamples)
    for column, n, p in ((0, 60, 45 / 60), (1, 40, 28 / 40)):
        expected = binom.ppf([0.025, 0.975], n, p) / n
        np.testing.assert_allclose([low[column], high[column]], expected, atol=1 / n)


def test_runs_are_drawn_with_replacement_too():
    truth, groups = np.repeat([0, 1], 20), np.arange(40) // 5
    five = np.stack([truth] * 4 + [1 - truth])  # four runs right in all, one in nothing
    resamples = intervals.resample(truth, groups, 2, 8000, unseen=False)
    found = intervals.bounds(scores.accuracy, five, resamples)
    np.testing.assert_allclose(found, binom.ppf([0.025, 0.975], 5, 0.8) / 5)


def test_differences_are_paired_by_cells_but_not_by_runs():
    truth, groups, labels = invented(5, runs=3, cells=(9, 9))
    resamples = intervals.resample(truth, groups, 2, 3000, unseen=False)
    same = intervals.bounds(recalls, labels[:1], resamples, labels[:1])
    np.testing.assert_array_equal(same, 0)
    low, high = intervals.bounds(scores.accuracy, labels, resamples, labels)
    assert low < 0 < high


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


# ------------------------------------------------------------------------------------------ votes


@settings(max_examples=40, deadline=None)
@given(cases())
def test_votes_are_those_of_a_slow_count(case):
    (_, groups, labels), _ = case

    def winner(votes):
        (first, most), *rest = Counter(votes.tolist()).most_common()
        return -1 if rest and rest[0][1] == most else first

    expected = [[winner(run[groups == g]) for g in np.unique(groups)] for run in labels]
    np.testing.assert_array_equal(intervals.vote(labels, groups), expected)


# ----------------------------------------------------------------------------------- one proportion


def test_known_exact_intervals():
    low, high = intervals.clopper_pearson([10, 4, 0, 0, 1], [100, 4, 6, 0, 1])
    # 10 of 100 is in any textbook; 4 of 4 and 0 of 6 have closed forms
    np.testing.assert_allclose(low, [0.0490047, 0.025**0.25, 0, 0, 0.025], rtol=1e-6)
    np.testing.assert_allclose(high, [0.1762226, 1, 1 - 0.025 ** (1 / 6), 1, 1], rtol=1e-6)


@pytest.mark.parametrize("successes", [5, -1, np.nan])
def test_impossible_counts_are_refused(successes):
    with pytest.raises(ValueError, match="successes of"):
        intervals.clopper_pearson([2, successes], 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=9), min_size=2, max_size=8))
def test_the_design_effect_is_that_of_an_analysis_of_variance(clusters):
    values = [np.array(c, dtype=float) for c in clusters]
    sizes = np.array([len(v) for v in values])
    n, k = sizes.sum(), len(sizes)
    icc, deff = intervals.design_effect(np.array([sum(c) for c in clusters]), sizes)
    flat = np.concatenate(values)
    if flat.std() == 0:
        assert np.isnan([icc, deff]).all()
        return
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    if all(v.std() == 0 for v in values):
        expected = 1.0
    else:
        f = f_oneway(*values).statistic
        expected = (f - 1) / (f + typical - 1)
    np.testing.assert_allclose(icc, expected, rtol=1e-6, atol=1e-9)
    mean_size_of_an_images_cluster = np.repeat(sizes, sizes).mean()
    np.testing.assert_allclose(
        deff, 1 + (mean_size_of_an_images_cluster - 1) * max(expected, 0), rtol=1e-6
    )


def test_the_design_effect_where_it_is_known():
    alike = intervals.design_effect(np.array([[5, 0, 5, 5], [5, 5, 5, 5]]), np.full(4, 5))
    np.testing.assert_allclose(np.array(alike)[:, 0], [1, 5])
    assert np.isnan(np.array(alike)[:, 1]).all()
    rng = np.random.default_rng(0)  # beta with parameters 1 and 1: icc = 1 / 3
    icc, _ = intervals.design_effect(rng.binomial(20, rng.random(20_000)), np.full(20_000, 20))
    assert icc == pytest.approx(1 / 3, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30))
def test_intervals_of_a_recall_hold_it_and_mirror_it(seed, k):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, k)
    successes = rng.binomial(sizes, rng.beta(1, 1, (3, k)))
    p = successes.sum(axis=-1) / sizes.sum()
    low, high = intervals.gaffke(successes, sizes)
    assert ((low >= 0) & (low <= p) & (p <= high) & (high <= 1)).all()
    mirrored = intervals.gaffke(sizes - successes, sizes)
    np.testing.assert_allclose([low, high], [1 - mirrored[1], 1 - mirrored[0]], atol=1e-8)


@pytest.mark.parametrize("right", [0, 1, 2, 4])
def test_for_cells_all_right_or_all_wrong_gaffkes_bounds_are_the_exact_ones(right):
    sizes = np.full(4, 155)
    successes = np.where(np.arange(4) < right, sizes, 0)
    found = intervals.gaffke(successes, sizes, draws=200_000)
    np.testing.assert_allclose(found, intervals.clopper_pearson(right, 4), atol=0.005)


def test_gaffkes_bounds_are_as_published():
    """Algorithm 1 of Learned-Miller and Thomas (2019): order statistics, and gaps between them."""
    shares, sizes, draws = np.array([0.2, 0.55, 0.9, 0.9, 1.0, 0.75]), np.full(6, 20), 200_000
    uniform = np.sort(np.random.default_rng(9).random((draws, 6)), axis=1)
    ends = []
    for z in (np.sort(shares), np.sort(1 - shares)):
        gaps = np.diff(np.append(z, 1.0))
        ends.append(np.quantile(1 - uniform @ gaps, 0.975))
    found = intervals.gaffke(np.rint(shares * sizes).astype(int), sizes, draws=draws)
    np.testing.assert_allclose(found, [1 - ends[1], ends[0]], atol=0.004)


def test_bounds_of_a_recall_are_gaffkes():
    truth, groups, labels = invented(2, cells=(9, 4, 6), runs=1, images=(10, 30))
    resamples = intervals.resample(truth, groups, 3, 40_000)
    low, high = intervals.bounds(scores.recall, labels, resamples)
    for label in range(3):
        own = truth == label
        counts = intervals.tally(labels[0, own] == label, groups[own])
        expected = intervals.gaffke(*counts, draws=40_000)
        np.testing.assert_allclose([low[label], high[label]], expected, atol=0.01)


def test_bounds_of_a_mean_are_those_of_accuracy_and_move_with_the_limits():
    truth, groups, labels = invented(5, (4, 6, 3), runs=3)
    drawn = intervals.resample(truth, groups, 3)
    right = labels == truth
    expected = intervals.bounds(scores.accuracy, labels, drawn)
    assert intervals.mean_bounds(right, drawn) == pytest.approx(expected)
    twice = intervals.mean_bounds(2 * right - 1.0, drawn, (-1, 1))
    assert twice == pytest.approx([2 * end - 1 for end in expected])
    with pytest.raises(ValueError, match="beyond"):
        intervals.mean_bounds(np.where(right, 0.6, 0.4), drawn, (0, 0.5))


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
        "give one for every image": lambda: intervals.vote(labels, groups[1:]),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(ValueError, match="outside 0 to 2"):
        intervals.bounds(recalls, labels.astype(int) - 1, drawn)
