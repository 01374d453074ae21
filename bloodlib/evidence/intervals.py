"""Intervals that know about photographs: TEST's images are many, its cells are few.

Images made from one photograph are right or wrong together. What was drawn from a population
is the cell: a cluster here is all images of one cell, and intervals are about cells like these.

``bounds``
    For any score, and for 4 cells as well as for 48: each class gets one cell more, that nobody
    saw, wrong in all its images for the low end, right in all for the high end. For the recall of
    a class that is Gaffke's bound (2005; Learned-Miller and Thomas, 2019, arXiv:1905.06208), and
    where each cell is all right or all wrong it is Clopper and Pearson's. Gaffke's is a conjecture
    that no simulation has refuted. Its use for precision and F1 is ours, and only simulated.
``bounds`` of ``resample(..., unseen=False)``
    Percentiles of the cluster bootstrap (Efron and Tibshirani, 1993, chapter 13; Davison and
    Hinkley, 1997, section 3.8). **With few cells they are far too narrow**, and without any width
    where every image is right. BCa can't mend that: it too knows only the cells that were seen.
``clopper_pearson``
    For counts of independent cells.

:func:`~bloodlib.analyses.uncertainty.compute_coverage` simulates how often they contain the truth;
that, and no name, makes a 95 % interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

Score = Callable[[np.ndarray], np.ndarray]  # of confusion matrices, leading axes kept
TAIL = (1 - 0.95) / 2  # what each end of every interval leaves out

# ------------------------------------------------------------------- any score, by resampling


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
    weights : float array [resamples, clusters]
        How often each cluster is drawn; no whole numbers where there are unseen cells.
    unseen : float array [resamples, strata]
        Images of the unseen cell of each stratum.
    wrong : int array [resamples, strata]
        What the unseen cell is taken for where it is wrong.
    seed : int
        Also decides which runs are drawn.
    """

    truth: np.ndarray
    clusters: np.ndarray
    n_classes: int
    strata: np.ndarray
    weights: np.ndarray
    unseen: np.ndarray
    wrong: np.ndarray
    seed: int


def resample(
    truth: np.ndarray,
    groups: np.ndarray,
    n_classes: int,
    resamples: int = 10_000,
    seed: int = 0,
    *,
    strata: np.ndarray | None = None,
    unseen: bool = True,
) -> Resamples:
    """Draw clusters with replacement within each class, as many as the class has.

    Parameters
    ----------
    truth : int array [n]
        True class of each image.
    groups : int array [n]
        Cell of each image; images of one class and one group are a cluster.
    n_classes : int
        Classes of the confusion matrices, at least 2.
    resamples, seed : int
    strata : int array [n], optional
        Within what to draw, if not within classes. For the task of two classes these are the
        four, as TEST was made with as many images of each of them.
    unseen : bool
        Give each stratum its unseen cell. Weights are then drawn from a Dirichlet distribution
        (Rubin's Bayesian bootstrap, 1981), where the unseen cell's parameter is 1, and that of a
        cluster too if all are of one size; otherwise it goes with size, as for a design effect
        where a cell's images are alike. Strata keep their images.
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
    sizes = np.bincount(clusters)
    rng = np.random.default_rng(seed)
    weights, extra = np.empty((resamples, len(sizes))), np.zeros((resamples, len(kinds)))
    for s in range(len(kinds)):
        inside = pairs[0] == s
        m, k = sizes[inside], inside.sum()
        if unseen:
            drawn = rng.dirichlet(_concentrations(m), resamples) * m.sum()
            weights[:, inside], extra[:, s] = drawn[:, :-1] / m, drawn[:, -1]
        else:
            weights[:, inside] = rng.multinomial(k, np.full(k, 1 / k), resamples)
    wrong = (truth[first] + rng.integers(1, n_classes, extra.shape)) % n_classes
    return Resamples(truth, clusters, n_classes, truth[first], weights, extra, wrong, seed)


def bounds(
    score: Score, labels: np.ndarray, resamples: Resamples, other: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a score, the mean over runs, that is honest about few cells.

    Its low end is a percentile of the draws in which every unseen cell is wrong, taken for
    another class at random; its high end of those in which every one is right.

    Cells and runs are crossed: each resample draws cells, the same for every run, and runs
    (the pigeonhole bootstrap of Owen, 2007). With one run there is nothing to draw, and
    **the interval says nothing about seeds**; with two or three it says too little.

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
    low, high : float array [*]
    """
    right = np.broadcast_to(resamples.strata, resamples.wrong.shape)
    low = _draws(score, labels, resamples, resamples.wrong, 1)
    high = _draws(score, labels, resamples, right, 1)
    if other is not None:
        low = low - _draws(score, other, resamples, right, 2)
        high = high - _draws(score, other, resamples, resamples.wrong, 2)
    return np.quantile(low, TAIL, axis=0), np.quantile(high, 1 - TAIL, axis=0)


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
    if not limits[0] <= np.min(values) <= np.max(values) <= limits[1]:
        raise ValueError(
            f"values reach from {np.min(values)} to {np.max(values)}, beyond {limits}: give limits"
        )
    sums = np.stack([np.bincount(resamples.clusters, row) for row in values])
    seen = _over_runs(resamples.weights @ sums.T, resamples.seed, 1)
    unseen, n = resamples.unseen.sum(axis=-1), len(resamples.truth)
    low = np.quantile((seen + limits[0] * unseen) / n, TAIL)
    high = np.quantile((seen + limits[1] * unseen) / n, 1 - TAIL)
    return float(low), float(high)


# ----------------------------------------------------------------------- one class, by its counts


def vote(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Majority vote of each group's images; a tie has no winner, label -1, which is never right.

    Parameters
    ----------
    labels : int array [..., n]
        Each run votes by itself.
    groups : int array [n]

    Returns
    -------
    int array [..., groups]
        In rising order of groups.
    """
    labels = np.asarray(labels)
    found = np.stack([tally(labels == k, groups)[0] for k in range(labels.max() + 1)], axis=-1)
    tied = (found == found.max(axis=-1, keepdims=True)).sum(axis=-1) > 1
    return np.where(tied, -1, found.argmax(axis=-1))


def tally(correct: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Successes [..., groups] and sizes [groups] of each group, in rising order of groups.

    Parameters
    ----------
    correct : bool array [..., n]
    groups : int array [n]
    """
    correct, groups = np.asarray(correct, dtype=bool), np.asarray(groups)
    if correct.shape[-1:] != groups.shape:
        raise ValueError(f"{len(groups)} groups for {correct.shape}: give one for every image")
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    return np.add.reduceat(correct[..., order], starts, axis=-1, dtype=int), sizes


def clopper_pearson(successes: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's interval (1934) for a proportion of independent observations.

    Parameters
    ----------
    successes, n : int array [*]
        Broadcast together; where n is 0 the interval is 0 to 1.

    Returns
    -------
    low, high : float array [*]
    """
    successes, n = np.broadcast_arrays(successes, n)
    if not np.all((successes >= 0) & (successes <= n)):
        raise ValueError(f"{successes} successes of {n}: give whole numbers, from 0 to n")
    low = stats.beta.ppf(TAIL, successes, n - successes + 1)
    high = stats.beta.ppf(1 - TAIL, successes + 1, n - successes)
    return np.where(successes == 0, 0.0, low), np.where(successes == n, 1.0, high)


def design_effect(successes: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intracluster correlation and Kish's design effect.

    The correlation is estimated by one-way analysis of variance for clusters of unequal size
    (Donner and Klar, 2000, section 1.3). The design effect is 1 + (m - 1) icc (Kish, 1965), where
    m is the mean size of an image's cluster, and a negative icc counts as 0. So many images count
    as one that is independent of the others.

    Without any variance, as where all is right, or with one cluster, both are nan: the effective
    number is between the clusters and the images, and nothing tells where. Where each cluster has
    one image only icc is nan.

    Parameters
    ----------
    successes : int array [..., clusters]
    sizes : int array [clusters]
        As :func:`tally` gives them.

    Returns
    -------
    icc, deff : float array [...]
    """
    k, n = len(sizes), sizes.sum()
    shares, p = successes / sizes, successes.sum(axis=-1, keepdims=True) / n
    weighted = (sizes**2).sum() / n
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.divide((sizes * (shares - p) ** 2).sum(axis=-1), k - 1)
        within = np.divide((sizes * shares * (1 - shares)).sum(axis=-1), n - k)
        typical = np.divide(n - weighted, k - 1)
        icc = (between - within) / (between + (typical - 1) * within)
    return icc, np.where(weighted == 1, 1.0, 1 + (weighted - 1) * np.maximum(icc, 0))


def gaffke(
    successes: np.ndarray, sizes: np.ndarray, draws: int = 10_000
) -> tuple[np.ndarray, np.ndarray]:
    """Gaffke's bounds for the fraction of successes: :func:`bounds`, for many recalls at once.

    They assume nothing of a cell's share but that it lies between 0 and 1.

    Parameters
    ----------
    successes : int array [..., clusters]
    sizes : int array [clusters]
        As :func:`tally` gives them.
    draws : int

    Returns
    -------
    low, high : float array [...]
    """
    drawn = np.random.default_rng(0).dirichlet(_concentrations(sizes), draws)
    seen = successes / sizes @ drawn[:, :-1].T
    high = np.quantile(seen + drawn[:, -1], 1 - TAIL, axis=-1)
    return np.quantile(seen, TAIL, axis=-1), np.minimum(high, 1)


# ---------------------------------------------------------------------------------- what they share


def _draws(score, labels, resamples, taken, stream):
    """A score on each resample [resamples, *], where unseen cells are taken for these classes."""
    k, weights = resamples.n_classes, resamples.weights
    labels = _labels("labels", labels, k)
    if labels.shape[1:] != resamples.truth.shape:
        raise ValueError(f"labels are {labels.shape}: give [runs, {len(resamples.truth)}]")
    found = np.empty((len(weights), len(labels), k * k))
    for run, cells in enumerate((resamples.clusters * k + resamples.truth) * k + labels):
        counts = np.bincount(cells, minlength=weights.shape[1] * k * k)
        found[:, run] = weights @ counts.reshape(-1, k * k)
    for s, true in enumerate(resamples.strata):
        found[np.arange(len(found)), :, true * k + taken[:, s]] += resamples.unseen[:, s, None]
    return _over_runs(score(found.reshape(*found.shape[:2], k, k)), resamples.seed, stream)


def _over_runs(values, seed, stream):
    """Mean [resamples, ...] of values [resamples, runs, ...] over runs drawn with replacement."""
    runs = values.shape[1]
    rng = np.random.default_rng([seed, stream])
    times = rng.multinomial(runs, np.full(runs, 1 / runs), len(values))
    return np.einsum("ri,ri...->r...", times / runs, values)


def _concentrations(sizes):
    """Dirichlet parameters of clusters, and of the unseen one last."""
    return np.append(sizes * (sizes.sum() / (sizes**2).sum()), 1.0)


def _labels(name, labels, n_classes):
    labels = np.asarray(labels).astype(np.intp)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} has a label outside 0 to {n_classes - 1}: number classes from 0")
    return labels
