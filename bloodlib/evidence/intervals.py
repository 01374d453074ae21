"""Intervals that know about photographs: TEST's images are many, its cells are few.

Images made from one photograph are right or wrong together. What was drawn from a population
is the cell: a cluster here is all images of one cell, and intervals are about cells like these.

``interval`` of ``bootstrap``
    Percentiles of the cluster bootstrap, for any score (Efron and Tibshirani, 1993, chapter 13;
    Davison and Hinkley, 1997, section 3.8). **With few cells they are far too narrow**, and
    without any width where every image is right. BCa can't mend that: it too knows only the
    cells that were seen.
``bounds``
    For any score, and for 4 cells as well as for 48: each class gets one cell more, that nobody
    saw, wrong in all its images for the low end, right in all for the high end. For the recall of
    a class that is Gaffke's bound (2005; Learned-Miller and Thomas, 2019, arXiv:1905.06208), and
    where each cell is all right or all wrong it is Clopper and Pearson's. Gaffke's is a conjecture
    that no simulation has refuted. Its use for precision and F1 is ours, and only simulated.
``clopper_pearson``
    For counts of independent cells.

``coverage`` simulates how often they contain the truth; that, and no name, makes a 95 % interval.

Arrays that do not fit together and impossible counts are a ValueError everywhere.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

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
    seed : int
        Also decides which runs are drawn.
    unseen : float array [resamples, strata], optional
        Images of the unseen cell of each stratum.
    wrong : int array [resamples, strata], optional
        What the unseen cell is taken for where it is wrong.
    """

    truth: np.ndarray
    clusters: np.ndarray
    n_classes: int
    strata: np.ndarray
    weights: np.ndarray
    seed: int
    unseen: np.ndarray | None = None
    wrong: np.ndarray | None = None


def resample(
    truth: np.ndarray,
    groups: np.ndarray,
    n_classes: int,
    resamples: int = 10_000,
    seed: int = 0,
    *,
    strata: np.ndarray | None = None,
    unseen: bool = False,
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
        Give each stratum its unseen cell, as :func:`bounds` needs it. Weights are then drawn from
        a Dirichlet distribution (Rubin's Bayesian bootstrap, 1981), where the unseen cell's
        parameter is 1, and that of a cluster too if all are of one size; otherwise it goes with
        size, as for a design effect where a cell's images are alike. Strata keep their images.
    """
    truth, groups = _integers("truth", truth, 1), _integers("groups", groups, 1)
    strata = truth if strata is None else _integers("strata", strata, 1)
    if not len(truth) == len(groups) == len(strata) > 0:
        raise ValueError(
            f"truth, groups and strata have {len(truth)}, {len(groups)} and {len(strata)} entries: "
            "give one of each for every image"
        )
    _within("truth", truth, n_classes)
    if n_classes < 2 or resamples < 1:
        raise ValueError(f"{n_classes} classes, {resamples} resamples: give at least 2, and 1")
    kinds, first, stratum = np.unique(strata, return_index=True, return_inverse=True)
    if np.any(truth != truth[first][stratum]):
        raise ValueError("a stratum has images of several classes: strata must divide classes")
    pairs, clusters = np.unique(np.stack([stratum, groups]), axis=1, return_inverse=True)
    sizes = np.bincount(clusters)
    rng = np.random.default_rng(seed)
    weights, extra = np.empty((resamples, len(sizes))), np.empty((resamples, len(kinds)))
    for s in range(len(kinds)):
        inside = pairs[0] == s
        m, k = sizes[inside], inside.sum()
        if unseen:
            drawn = rng.dirichlet(_concentrations(m), resamples) * m.sum()
            weights[:, inside], extra[:, s] = drawn[:, :-1] / m, drawn[:, -1]
        else:
            weights[:, inside] = rng.multinomial(k, np.full(k, 1 / k), resamples)
    found = Resamples(truth, clusters, n_classes, truth[first], weights, seed)
    if not unseen:
        return found
    wrong = (found.strata + rng.integers(1, n_classes, extra.shape)) % n_classes
    return replace(found, unseen=extra, wrong=wrong)


def confusions(resamples: Resamples, labels: np.ndarray, unseen: str | None = None) -> np.ndarray:
    """Confusion matrices of every run on every resample.

    Parameters
    ----------
    resamples : Resamples
    labels : int array [runs, n]
        Predicted labels.
    unseen : {"right", "wrong"}, optional
        What the unseen cells are; left out if not given.

    Returns
    -------
    float array [resamples, runs, classes, classes]
    """
    k = resamples.n_classes
    labels = _integers("labels", labels, 2)
    if labels.shape[1] != len(resamples.truth) or not len(labels):
        raise ValueError(f"labels are {labels.shape}: give [runs, {len(resamples.truth)}]")
    _within("labels", labels, k)
    cells = (resamples.clusters * k + resamples.truth) * k + labels
    weights = resamples.weights
    found = np.empty((len(weights), len(labels), k * k))
    for run, cell in enumerate(cells):
        counts = np.bincount(cell, minlength=weights.shape[1] * k * k)
        found[:, run] = weights @ counts.reshape(-1, k * k)
    if unseen is not None:
        if resamples.unseen is None or unseen not in ("right", "wrong"):
            raise ValueError(
                f"unseen cells are {unseen!r}: call resample with unseen=True, and "
                "give 'right' or 'wrong'"
            )
        rows = np.arange(len(found))
        for s, true in enumerate(resamples.strata):
            taken = true if unseen == "right" else resamples.wrong[:, s]
            found[rows, :, true * k + taken] += resamples.unseen[:, s, None]
    return found.reshape(*found.shape[:2], k, k)


def bootstrap(
    score: Score, labels: np.ndarray, resamples: Resamples, other: np.ndarray | None = None
) -> np.ndarray:
    """A score on each resample: the mean over runs, which are drawn with replacement too.

    Cells and runs are crossed: each resample draws cells, the same for every run, and runs
    (the pigeonhole bootstrap of Owen, 2007). With one run there is nothing to draw, and
    **the draws say nothing about seeds**; with two or three they say too little.

    Parameters
    ----------
    score : callable
        From confusion matrices [..., classes, classes] to numbers ``[..., *]``, as in
        :mod:`bloodlib.evidence.scores`.
    labels : int array [runs, n]
    resamples : Resamples
    other : int array [runs, n], optional
        Another method's labels, of as many runs as it has: the draws are of the score of ``labels``
        minus that of these, on the same cells.

    Returns
    -------
    float array [resamples, *]
    """
    draws = _over_runs(score(confusions(resamples, labels)), resamples.seed, 1)
    if other is None:
        return draws
    return draws - _over_runs(score(confusions(resamples, other)), resamples.seed, 2)


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of draws ``[resamples, *]``: with few cells far too narrow."""
    low, high = np.quantile(draws, [TAIL, 1 - TAIL], axis=0)
    return low, high


def bounds(
    score: Score,
    labels: np.ndarray,
    resamples: Resamples,
    other: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a score that is honest about few cells.

    Its low end is a percentile of the draws in which every unseen cell is wrong, taken for
    another class at random; its high end of those in which every one is right.

    Parameters
    ----------
    score, labels
        As for :func:`bootstrap`; the score must not fall when a wrong label is put right.
    resamples : Resamples
        Made with ``unseen=True``.
    other : int array [runs, n], optional
        Another method's labels: the interval is of the score of ``labels`` less that of these,
        on the same cells. An unseen cell is then right for one and wrong for the other.

    Returns
    -------
    low, high : float array [*]
    """
    ends = []
    for ours, theirs, quantile in (("wrong", "right", TAIL), ("right", "wrong", 1 - TAIL)):
        draws = _over_runs(score(confusions(resamples, labels, ours)), resamples.seed, 1)
        if other is not None:
            values = score(confusions(resamples, other, theirs))
            draws = draws - _over_runs(values, resamples.seed, 2)
        ends.append(np.quantile(draws, quantile, axis=0))
    return ends[0], ends[1]


def mean_bounds(
    values: np.ndarray,
    resamples: Resamples,
    limits: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """Interval of a mean over images, as :func:`bounds`, for what is no score of labels.

    Of shares of right answers it is :func:`bounds` of accuracy. The unseen cells have the least
    possible value for the low end, and the greatest for the high end.

    Parameters
    ----------
    values : float array [runs, n]
        The mean is over runs too.
    resamples : Resamples
        Made with ``unseen=True``.
    limits : tuple of float
        Least and greatest possible value.
    """
    values = np.asarray(values, dtype=float)
    n = len(resamples.truth)
    if values.ndim != 2 or values.shape[1] != n or not len(values):
        raise ValueError(f"values are {values.shape}: give [runs, {n}]")
    if resamples.unseen is None:
        raise ValueError("there are no unseen cells: call resample with unseen=True")
    if not limits[0] <= values.min() <= values.max() <= limits[1]:
        raise ValueError(f"values reach from {values.min()} to {values.max()}, beyond {limits}")
    sums = np.stack([np.bincount(resamples.clusters, row) for row in values])
    seen = _over_runs(resamples.weights @ sums.T, resamples.seed, 1)
    unseen = resamples.unseen.sum(axis=-1)
    low, high = (
        np.quantile((seen + limit * unseen) / n, quantile)
        for limit, quantile in zip(limits, (TAIL, 1 - TAIL), strict=True)
    )
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
    labels = _integers("labels", labels)
    n_classes = labels.max(initial=0) + 1
    _within("labels", labels, n_classes)
    found = np.stack([tally(labels == k, groups)[0] for k in range(n_classes)], axis=-1)
    tied = (found == found.max(axis=-1, keepdims=True)).sum(axis=-1) > 1
    return np.where(tied, -1, found.argmax(axis=-1))


def tally(correct: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Successes [..., groups] and sizes [groups] of each group, in rising order of groups.

    Parameters
    ----------
    correct : bool array [..., n]
    groups : int array [n]
    """
    correct, groups = np.asarray(correct, dtype=bool), _integers("groups", groups, 1)
    if not len(groups) or correct.shape[-1:] != groups.shape:
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
    return np.vectorize(_clopper_pearson, otypes=[float, float])(successes, n)


@functools.cache
def _clopper_pearson(successes, n):
    if not 0 <= successes <= n or successes % 1 or n % 1:
        raise ValueError(f"{successes} successes of {n}: give whole numbers, from 0 to n")
    if n == 0:
        return 0.0, 1.0
    return stats.binomtest(int(successes), int(n)).proportion_ci(1 - 2 * TAIL)


class Majority(NamedTuple):
    """Cells that are ``right`` of how many ``cells`` [classes], with an exact interval."""

    right: np.ndarray
    cells: np.ndarray
    low: np.ndarray
    high: np.ndarray


def majority(truth: np.ndarray, labels: np.ndarray, groups: np.ndarray, n_classes: int) -> Majority:
    """Recall of each class where a cell is one observation, right if its majority vote is.

    The interval is for the chance that the majority of a cell's images is right, **which is
    not the recall over images**.

    Parameters
    ----------
    truth, groups : int array [n]
        Images of one class and one group are a cell.
    labels : int array [runs, n]
        All runs vote together.
    n_classes : int
    """
    truth, groups = _integers("truth", truth, 1), _integers("groups", groups, 1)
    labels = _integers("labels", labels, 2)
    if truth.shape != groups.shape:
        raise ValueError(f"{len(truth)} true classes, {len(groups)} groups: give one an image")
    _within("truth", truth, n_classes)
    pairs, cells = np.unique(np.stack([truth, groups]), axis=1, return_inverse=True)
    correct = vote(labels.ravel(), np.tile(cells, len(labels))) == pairs[0]
    n = np.bincount(pairs[0], minlength=n_classes)
    right = np.bincount(pairs[0], correct, n_classes).astype(int)
    return Majority(right, n, *clopper_pearson(right, n))


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
    successes, sizes = _counts(successes, sizes)
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
    successes: np.ndarray,
    sizes: np.ndarray,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaffke's bounds for the share of successes: :func:`bounds`, for many recalls at once.

    They assume nothing of a cell's share but that it lies between 0 and 1.

    Parameters
    ----------
    successes : int array [..., clusters]
    sizes : int array [clusters]
        As :func:`tally` gives them.
    draws, seed : int

    Returns
    -------
    low, high : float array [...]
    """
    successes, sizes = _counts(successes, sizes)
    drawn = np.random.default_rng(seed).dirichlet(_concentrations(sizes), draws)
    seen = successes / sizes @ drawn[:, :-1].T
    high = np.quantile(seen + drawn[:, -1], 1 - TAIL, axis=-1)
    return np.quantile(seen, TAIL, axis=-1), np.minimum(high, 1)


# ----------------------------------------------------------------------- what covers, and what not


class Coverage(NamedTuple):
    """Share of intervals that contain the truth, its Monte Carlo error, and their mean width."""

    share: float
    error: float
    width: float


def coverage(
    sizes: np.ndarray,
    recall: float,
    icc: float,
    simulations: int = 2000,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Coverage]:
    """Simulate a class's recall, and count how often each interval contains the truth.

    A cell's images are right with a chance of the cell's own, drawn from a beta distribution.

    Parameters
    ----------
    sizes : int array [clusters]
        Images of each cell.
    recall, icc : float
        Mean and intracluster correlation, between 0 and 1.
    simulations, resamples, seed : int

    Returns
    -------
    dict of str to Coverage
        Of the recall by ``bootstrap`` (percentiles), ``gaffke`` and ``images`` (Clopper and
        Pearson's, as if images were independent); by ``majority`` (the same, a cell being one
        observation) of the chance that the majority of a cell's images is right.
    """
    if not (0 < recall < 1 and 0 < icc < 1):
        raise ValueError(f"recall is {recall}, icc {icc}: give numbers between 0 and 1")
    _, sizes = _counts(np.zeros_like(sizes), sizes)
    rng, k = np.random.default_rng(seed), len(sizes)
    shape = recall * (1 / icc - 1), (1 - recall) * (1 / icc - 1)
    found = rng.binomial(sizes, rng.beta(*shape, (simulations, k)))
    weights = rng.multinomial(k, np.full(k, 1 / k), resamples)
    intervals = {
        "bootstrap": interval(weights @ found.T / (weights @ sizes)[:, None]),
        "gaffke": gaffke(found, sizes, resamples, seed),
        "images": clopper_pearson(found.sum(axis=-1), sizes.sum()),
        "majority": clopper_pearson((2 * found > sizes).sum(axis=-1), k),
    }
    majority = stats.betabinom.sf(sizes // 2, sizes, *shape).mean()
    measured = {}
    for name, (low, high) in intervals.items():
        truth = majority if name == "majority" else recall
        share = np.mean((low <= truth) & (truth <= high))
        error = np.sqrt(share * (1 - share) / simulations)
        measured[name] = Coverage(float(share), float(error), float(np.mean(high - low)))
    return measured


# ---------------------------------------------------------------------------------- what they share


def _over_runs(values, seed, stream):
    """Mean [resamples, ...] of values [resamples, runs, ...] over runs drawn with replacement."""
    runs = values.shape[1]
    rng = np.random.default_rng([seed, stream])
    times = rng.multinomial(runs, np.full(runs, 1 / runs), len(values))
    return np.einsum("ri,ri...->r...", times / runs, values)


def _concentrations(sizes):
    """Dirichlet parameters of clusters, and of the unseen one last."""
    return np.append(sizes * (sizes.sum() / (sizes**2).sum()), 1.0)


def _integers(name, values, ndim=None):
    values = np.asarray(values)
    if values.dtype.kind not in "iu" or ndim not in (None, values.ndim):
        axes = "" if ndim is None else f" with {ndim} axes"
        raise ValueError(f"{name} is {values.dtype} {values.shape}: give whole numbers{axes}")
    return values.astype(np.intp)


def _within(name, labels, n_classes):
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"{name} has a label outside 0 to {n_classes - 1}: number classes from 0")


def _counts(successes, sizes):
    successes, sizes = _integers("successes", successes), _integers("sizes", sizes, 1)
    if not len(sizes) or successes.shape[-1:] != sizes.shape:
        raise ValueError(f"successes {successes.shape}, sizes {sizes.shape}: the last axes differ")
    if np.any(sizes < 1) or np.any(successes < 0) or np.any(successes > sizes):
        raise ValueError("each cluster must have an image, and no more successes than images")
    return successes, sizes
