"""Intervals and tests that know about cells: TEST's images are many, its cells are few.

Images of one cell are right or wrong together. What was drawn from a population is the cell: a
cluster here is all images of one cell, and intervals are about cells like these.

``bounds``
    95 % CI over cells, for the runs at hand. Each class gets one cell more, that nobody saw, wrong
    in all its images for the low end, right in all for the high end. For the recall of a class
    that is Gaffke's bound (2005; Learned-Miller and Thomas, 2019, arXiv:1905.06208), and where
    each cell is all right or all wrong it is Clopper and Pearson's. Gaffke's is a conjecture that
    no simulation has refuted. Its use for precision and F1 is ours, and only simulated.
``with_seeds``
    95 % CI over cells and seeds: also about networks trained again.
``likelihood_bounds``
    Narrower for a mean over several classes: not every class has an unlucky cell at once.
``proved_bounds``
    Those of Phan, Thomas and Learned-Miller (2021): a proof in the place of the conjecture.
``sign_flips``
    A test in the place of an interval, for differences.

``benchmarks/coverage.py`` simulates how often they contain the truth; that, and no name, makes a
95 % interval.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import threadpoolctl
from scipy import optimize, stats

#: Several threads wait longer for each other than these sums take.
_one_thread = threadpoolctl.threadpool_limits.wrap(limits=1)
Score = Callable[[np.ndarray], np.ndarray]  # of confusion matrices, leading axes kept
TAIL = (1 - 0.95) / 2  # what each end of every interval leaves out
#: With other draws an end moves by 0.0002 (its standard deviation), of monocytes by up to 0.0009.
DRAWS = 500_000
#: Of the signs of differences, and for a proved bound.
FLIPS = 200_000


@dataclass(frozen=True, eq=False)
class Resamples:
    """Draws of cells; used for several methods, they pair them.

    Attributes
    ----------
    truth : int array [n]
        True class of each image, from 0.
    clusters : int array [n]
        Cluster of each image, from 0.
    n_classes : int
    strata : int array [strata]
        True class of each stratum.
    places : int array [clusters]
        Stratum of each cluster.
    weights : float array [draws, clusters]
        What a cluster counts; its images counts once on average, if nothing were unseen.
    unseen : float array [draws, strata]
        Images of the unseen cell of each stratum.
    wrong : int array [draws, strata]
        What the unseen cell is taken for where it is wrong.
    """

    truth: np.ndarray
    clusters: np.ndarray
    n_classes: int
    strata: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    unseen: np.ndarray
    wrong: np.ndarray


def resample(
    truth: np.ndarray,
    groups: np.ndarray,
    n_classes: int,
    draws: int = DRAWS,
    seed: int = 0,
    *,
    strata: np.ndarray | None = None,
) -> Resamples:
    """Draw weights of cells within each class, and of a cell that nobody saw.

    They come from a Dirichlet distribution (Rubin's Bayesian bootstrap, 1981), where the unseen
    cell's parameter is 1, and that of a cluster too if all are of one size; otherwise it goes with
    size, as for a design effect where a cell's images are alike. Strata keep their images.

    Parameters
    ----------
    truth : int array [n]
        True class of each image.
    groups : int array [n]
        Cell of each image; images of one class and one group are a cluster.
    n_classes : int
        Classes of the confusion matrices, at least 2.
    draws, seed : int
    strata : int array [n], optional
        Within what to draw, if not within classes. For the task of two classes these are the
        four, as TEST was made with as many images of each of them.
    """
    truth = _labels("truth", truth, n_classes)
    strata = truth if strata is None else np.asarray(strata)
    if not truth.shape == np.shape(groups) == strata.shape:
        raise ValueError(
            f"truth, groups and strata are {truth.shape}, {np.shape(groups)} and {strata.shape}: "
            "give one of each for every image"
        )
    kinds, first, stratum = np.unique(strata, return_index=True, return_inverse=True)
    if np.any(truth != truth[first][stratum]):
        raise ValueError("a stratum has images of several classes: strata must divide classes")
    pairs, clusters = np.unique(np.stack([stratum, groups]), axis=1, return_inverse=True)
    sizes, places = np.bincount(clusters), pairs[0]
    of_stratum = tuple(tuple(sizes[places == s]) for s in range(len(kinds)))
    weights, unseen = _weigh(of_stratum, draws, seed)
    rng = np.random.default_rng([seed, 1])
    wrong = (truth[first] + rng.integers(1, n_classes, unseen.shape)) % n_classes
    return Resamples(truth, clusters, n_classes, truth[first], places, weights, unseen, wrong)


@functools.lru_cache(maxsize=1)  # two classes have the same draws as four
def _weigh(sizes, draws, seed):
    """Weights of the clusters of each stratum [draws, clusters], of unseen ones [draws, strata]."""
    rng = np.random.default_rng(seed)
    weights = np.empty((draws, sum(map(len, sizes))), np.float32)
    unseen = np.empty((draws, len(sizes)), np.float32)
    columns = np.split(weights, np.cumsum([len(own) for own in sizes])[:-1], axis=1)
    for s, own in enumerate(map(np.array, sizes)):
        drawn = rng.dirichlet([*_concentrations(own), 1], draws)
        drawn *= own.sum()
        np.divide(drawn[:, :-1], own, out=columns[s], casting="same_kind")
        unseen[:, s] = drawn[:, -1]
    return weights, unseen


def bounds(
    score: Score, labels: np.ndarray, resamples: Resamples, other: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """95 % CI over cells of a score, the mean over these runs.

    Its low end is a percentile of the draws in which every unseen cell is wrong, taken for
    another class at random; its high end of those in which every one is right.

    Parameters
    ----------
    score : callable
        From confusion matrices [..., classes, classes] to numbers ``[..., *]``, as in
        :mod:`bloodlib.evidence.scores`; it must not fall when a wrong label is put right.
    labels : int array [runs, n]
    resamples : Resamples
    other : int array [runs, n], optional
        Another method's labels, of as many runs as it has: the interval is of the score of
        ``labels`` minus that of these, on the same cells. An unseen cell is then right for one
        and wrong for the other.

    Returns
    -------
    low, high : float array [...]
    """
    low, high = (_draws(score, labels, resamples, wrong) for wrong in (True, False))
    if other is not None:
        low = low - _draws(score, other, resamples, wrong=False)
        high = high - _draws(score, other, resamples, wrong=True)
    return np.quantile(low, TAIL, axis=0), np.quantile(high, 1 - TAIL, axis=0)


@_one_thread
def mean_bounds(
    values: np.ndarray, resamples: Resamples, limits: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """Interval of a mean over images, as :func:`bounds`, for what is no score of labels.

    Of fractions of right answers it is :func:`bounds` of accuracy. The unseen cells have the least
    possible value for the low end, and the greatest for the high end.

    Parameters
    ----------
    values : float array [runs, n]
        The mean is over runs too.
    resamples : Resamples
    limits : tuple of float
        Least and greatest possible value.
    """
    _within(values, limits)
    by_cell = np.bincount(resamples.clusters, np.mean(values, axis=0))
    seen = resamples.weights @ by_cell.astype(resamples.weights.dtype)
    unseen, n = resamples.unseen.sum(axis=-1), len(resamples.truth)
    low = np.quantile((seen + limits[0] * unseen) / n, TAIL)
    high = np.quantile((seen + limits[1] * unseen) / n, 1 - TAIL)
    return float(low), float(high)


def with_seeds(
    value: np.ndarray, low: np.ndarray, high: np.ndarray, *each: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """95 % CI over cells and seeds, from that over cells and the scores of single runs.

    Student's t interval for the mean over runs, added in quadrature to that over cells: the
    method of variance estimates recovery (Zou and Donner, 2008). Two methods are compared as by
    Welch (1947). A method of one run adds nothing.

    Parameters
    ----------
    value, low, high : float array [...]
        A score, or a difference of scores, and its interval over cells.
    *each : float array [runs, ...]
        The score of each run, of one method or of two.

    Returns
    -------
    low, high : float array [...]
    """
    found = [np.asarray(one) for one in each if len(one) > 1]
    if not found:
        return low, high
    squares = [one.var(axis=0, ddof=1) / len(one) for one in found]
    error = np.sqrt(sum(squares))
    with np.errstate(invalid="ignore"):  # no variance at all: any degrees of freedom will do
        parts = [square**2 / (len(one) - 1) for square, one in zip(squares, found, strict=True)]
        freedom = np.nan_to_num(error**4 / sum(parts), nan=1.0)
    half = stats.t.ppf(1 - TAIL, freedom) * error
    least = 0.0 if len(each) == 1 else -1.0
    return (
        np.maximum(value - np.hypot(value - low, half), least),
        np.minimum(value + np.hypot(high - value, half), 1.0),
    )


def likelihood_bounds(
    values: np.ndarray, resamples: Resamples, limits: tuple[float, float] = (-1.0, 1.0)
) -> tuple[float, float]:
    """Interval of a mean over images by empirical likelihood (Owen, 2001), with unseen cells.

    The ends are the most extreme means of weighted cells, and of unseen ones at a limit, whose
    likelihood is at least :data:`TAIL` times that of the cells as they are. With one class whose
    cells are all at the other limit that is the exact bound; with several it is narrower than
    :func:`bounds`, which has an unlucky unseen cell in each.

    Parameters
    ----------
    values : float array [n]
        Of each image, such as one method's fraction of right runs minus another's.
    resamples : Resamples
    limits : tuple of float
        Least and greatest possible value.
    """
    _within(values, limits)
    sizes = np.bincount(resamples.clusters)
    means = np.bincount(resamples.clusters, values) / sizes

    def nearest(gaps):
        """The least possible mean of gaps, which unseen cells do not have."""
        parts = []
        gaps = gaps.clip(min=0)
        for s in range(len(resamples.strata)):
            own = resamples.places == s
            share = sizes[own].sum() / sizes.sum()
            parts.append((gaps[own] * share, _concentrations(sizes[own])))

        def weigh(log_scale):
            found = []
            for gap, counts in parts:
                most = np.exp(log_scale) * counts  # of weights times (shift + gap)

                def excess(shift, gap=gap, most=most):
                    return (most / (shift + gap)).sum() - 1

                shift = max(0.0, (most - gap).max())  # no weight is more than 1
                if excess(shift) > 0:
                    shift = optimize.brentq(excess, shift, 2 * most.sum())
                found.append(most / (shift + gap))
            return found

        def likelihood(log_scale):
            weights = weigh(log_scale)
            return sum(
                (counts * np.log(w * counts.sum() / counts)).sum()
                for w, (_, counts) in zip(weights, parts, strict=True)
            ) - np.log(TAIL)

        if not gaps.any():
            return 0.0
        weights = weigh(optimize.brentq(likelihood, -30, 30))
        return sum(w @ gap for w, (gap, _) in zip(weights, parts, strict=True))

    return limits[0] + nearest(means - limits[0]), limits[1] - nearest(limits[1] - means)


def paired_bounds(differences: np.ndarray, resamples: Resamples) -> tuple[float, float]:
    """95 % CI over cells of a difference in accuracy, as narrow as is valid.

    From :func:`mean_bounds` or :func:`likelihood_bounds`, whichever end is nearer.

    Parameters
    ----------
    differences : float array [n]
        Of each image: one method's fraction of right runs minus another's.
    resamples : Resamples
    """
    ends = mean_bounds(differences[None], resamples, (-1.0, 1.0))
    least, most = likelihood_bounds(differences, resamples)
    return max(ends[0], least), min(ends[1], most)


def proved_bounds(shares: np.ndarray, draws: int = FLIPS) -> tuple[float, float]:
    """Proved 95 % interval of a mean of cells between 0 and 1, each counting once.

    Theorem 2.7 of Phan, Thomas and Learned-Miller (2021), ordered by the mean: the largest of
    Gaffke's values for any cells whose mean is no higher. Those lie on the concave hull of the
    weights of the best ``k`` cells.

    Parameters
    ----------
    shares : float array [cells]
    draws : int
    """
    n = len(shares)
    order = np.sort(np.random.default_rng(0).random((draws, n)), axis=1)
    top = np.diff(order, axis=1, prepend=0)[:, ::-1].cumsum(axis=1)  # weight of the best k cells
    top = np.concatenate([np.zeros((draws, 1)), top], axis=1)

    def highest(total):
        best = np.zeros(draws)
        for fewer in range(int(np.floor(total)) + 1):
            for more in range(int(np.ceil(total)), n + 1):
                part = (total - fewer) / (more - fewer) if more > fewer else 0.0
                best = np.maximum(best, top[:, fewer] + part * (top[:, more] - top[:, fewer]))
        return float(np.quantile(best + 1 - order[:, -1], 1 - TAIL))

    return 1 - highest(n - np.sum(shares)), highest(np.sum(shares))


def sign_flips(differences: np.ndarray, draws: int = FLIPS) -> float:
    """P-value of the hypothesis that two methods may be exchanged in every cell.

    Parameters
    ----------
    differences : float array [cells]
        Of the two methods' right answers.
    draws : int
        Of the signs of all differences.
    """
    signs = _signs(draws, len(differences)).astype(float)
    as_large = np.abs(signs @ differences) >= abs(np.sum(differences)) - 1e-9
    return (1 + int(as_large.sum())) / (1 + draws)


@functools.lru_cache(maxsize=4)  # a page asks about many pairs on the same cells
def _signs(draws, n):
    return np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (draws, n))


def vote(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Majority vote of each group's images; a tie has no winner, label -1, which is never right.

    Parameters
    ----------
    labels, groups : int array [n]

    Returns
    -------
    int array [groups]
        In rising order of groups.
    """
    _, place = np.unique(groups, return_inverse=True)
    found = np.zeros((place.max() + 1, np.max(labels) + 1), int)
    np.add.at(found, (place, labels), 1)
    tied = (found == found.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, -1, found.argmax(axis=1))


# ---------------------------------------------------------------------------------- what they share


def _draws(score, labels, resamples, wrong):
    """A score, the mean over runs, on each draw [draws, *]; unseen cells are wrong or right."""
    labels = _labels("labels", labels, resamples.n_classes).astype(np.uint8)
    if labels.shape[1:] != resamples.truth.shape:
        raise ValueError(f"labels are {labels.shape}: give [runs, {len(resamples.truth)}]")
    return _drawn(score, labels.tobytes(), resamples, wrong)


@functools.lru_cache(maxsize=8)  # a method is compared with several others
@_one_thread
def _drawn(score, labels, resamples, wrong, at_once=4_000):
    k, n_clusters = resamples.n_classes, resamples.weights.shape[1]
    labels = np.frombuffer(labels, np.uint8).reshape(-1, len(resamples.truth)).astype(np.intp)
    places = (resamples.clusters * k + resamples.truth) * k + labels
    counts = [np.bincount(run, minlength=n_clusters * k * k).reshape(-1, k * k) for run in places]
    counts = np.moveaxis(counts, -1, 0).reshape(-1, n_clusters).astype(resamples.weights.dtype)
    parts = []
    for start in range(0, len(resamples.weights), at_once):
        rows = slice(start, start + at_once)
        found = (counts @ resamples.weights[rows].T).reshape(k, k, len(labels), -1)
        draw = np.arange(found.shape[-1])
        for s, true in enumerate(resamples.strata):
            if wrong:
                found[true, resamples.wrong[rows, s], :, draw] += resamples.unseen[rows, s, None]
            else:
                found[true, true] += resamples.unseen[rows, s]
        parts.append(score(found.transpose(3, 2, 0, 1)).mean(axis=1))
    return np.concatenate(parts)


def _concentrations(sizes):
    """Dirichlet parameters of clusters of these sizes."""
    return sizes * (sizes.sum() / (sizes**2).sum())


def _within(values, limits):
    if not limits[0] <= np.min(values) <= np.max(values) <= limits[1]:
        raise ValueError(
            f"values reach from {np.min(values)} to {np.max(values)}, beyond {limits}: give limits"
        )


def _labels(name, labels, n_classes):
    labels = np.asarray(labels).astype(np.intp)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} has a label outside 0 to {n_classes - 1}: number classes from 0")
    return labels
