"""The numbers behind the verdict on each claim of the paper, gathered for ``evidence.verdicts``."""

import contextlib
import functools
import itertools
import math
from collections import Counter

import numpy as np
from PIL import Image

from bloodlib import paper
from bloodlib.analyses import attribution, external_validation, model_comparison
from bloodlib.data import images, stored, synthetic
from bloodlib.evidence import comparison, scores, verdicts
from bloodlib.evidence.comparison import signed, with_interval
from bloodlib.evidence.verdicts import Difference, Judgement
from bloodlib.models.networks import parameter_counts
from bloodlib.paper import arithmetic, equations


@functools.cache
def verdict(claim: str) -> Judgement:
    """The verdict on a claim, by its id; untested where a record or a stored table is missing.

    Raises
    ------
    ValueError
        If the paper has no such claim.
    """
    numbers = None
    if claim in verdicts.CLAIMS:
        with contextlib.suppress(stored.MissingError):
            numbers = _SOURCES[verdicts.CLAIMS[claim]["numbers"]](claim)
    return verdicts.judge(claim, numbers)


# -------------------------------------------------------------------- the images, and the print


def _dataset(claim):
    facts = images.dataset()
    folders = facts["images"]
    augmented = [n + folders["TEST"][name] for name, n in folders["TRAIN"].items()]
    named = sorted(name.lower() for name in facts["photographs_with_one_label"])
    basophils = facts["photographs_with_a_basophil"]
    return {
        "files": sum(sum(folder.values()) for folder in folders.values()),
        "n": sum(augmented),
        "each": augmented,
        "least": min(augmented),
        "most": max(augmented),
        "folders": len(augmented),
        "named": len(named),
        "names": ", ".join(named),
        "basophils": len(basophils),
        "numbers": ", ".join(map(str, basophils)),
        "photographs": facts["photographs"],
        "listed": facts["listed"],
        "several": len(facts["photographs_with_several_labels"]),
    }


def _print(claim):
    measures = sorted((name.replace("f1", "F1") for name in paper.MEASURES), key=str.lower)
    return equations.count_differences() | {
        "unstated": len(paper.SETTINGS["unstated"]),
        "measures": ", ".join(measures),
        "caption": paper.SETTINGS["figures"][7],
    }


# -------------------------------------------------------------------------------- Tables 1 and 2


@functools.cache
def _ours():
    """Ours of every printed number, by its address; those without a run are left out."""
    return {cell["address"]: cell for cell in comparison.cells() if cell["ours"] is not None}


def _number(cell):
    """Ours of a printed number, with its interval."""
    if cell.address not in _ours():
        raise stored.MissingError(f"{cell.address} has no number of ours")
    found = _ours()[cell.address]
    return comparison.Estimate(found["ours"], found["low"], found["high"])


def _there(runs):
    """Runs, if there are any."""
    if not runs:
        raise stored.MissingError("a run is missing")
    return runs


def _each(runs, other, score):
    """A score of runs minus that of others, as the rules want it, for each of its numbers."""
    networks = [len(found) for found in (runs, other) if found[0].has_epochs]
    each = [score(comparison.confusions(found)) for found in (runs, other)]
    least, most = each[0].min(0) - each[1].max(0), each[0].max(0) - each[1].min(0)
    numbers = zip(*comparison.difference(runs, other, score), least, most, strict=True)
    fewest = min(networks, default=verdicts.RUNS)
    return [Difference(*map(float, row), fewest) for row in numbers]


def _accuracy_difference(runs, other):
    return _each(runs, other, lambda confusion: scores.accuracy(confusion)[..., None])[0]


@functools.cache
def _rows(first, second, task):
    """A row of the tables minus another, by class and measure."""

    def score(confusion):
        rows = [scores.printed_rows(confusion, measure=measure) for measure in paper.MEASURES]
        return np.concatenate(rows, axis=-1)

    runs = [_there(comparison.compared(method, task)) for method in (first, second)]
    names = [(c, m) for m in paper.MEASURES for c in (*images.TASKS[task], "Average")]
    return dict(zip(names, _each(*runs, score), strict=True))


def _differences(name):
    """Printed numbers that are held against each other, with the difference of ours."""
    return [
        (a, b, _rows(a.method, b.method, a.task)[a.class_, a.measure])
        for a, b in verdicts.pairs(name)
    ]


def _higher(claim):
    found = _differences(claim)
    states = Counter(d.holds for _, _, d in found)
    lower = [
        f"{a.words} against {b.method} ({a.task} classes) {signed(*d[:3])}"
        for a, b, d in found
        if d.value <= 0
    ]
    return {
        "differences": [d for *_, d in found],
        "n": len(found),
        "hold": states[True],
        "fail": states[False],
        "open": states[None],
        "lower": f" Ours is not higher in {'; '.join(lower)}." if lower else "",
    }


def _poolings(claim):
    found = [(a.words.removeprefix("average "), d) for a, _, d in _differences(claim)]
    name, largest = max(found, key=lambda one: abs(one[1].value))
    rows = _differences("average-pooling-class-rows")
    return {
        "differences": [d for _, d in found],
        "listed": ", ".join(f"{signed(*d[:3])} in {name}" for name, d in found),
        "largest": f"{signed(*largest[:3])}, in {name}",
        "higher": sum(d.value > 0 for *_, d in rows),
        "numbers": len(rows),
        "alike": verdicts.ALIKE,
    }


def _times(claim):
    found = _differences(claim)
    ours, others = _number(found[0][0]), [_number(b) for _, b, _ in found]
    best = max(others)
    low, high = verdicts.ratio(ours[1:], best[1:])
    return {
        "ends": ours[1:],
        "others": [other[1:] for other in others],
        "differences": [d for *_, d in found],
        "ours": str(ours),
        "ratio": ours.value / best.value if best.value else math.inf,
        "low": low,
        "high": high,
    }


def _f1(claim):
    (cell,) = paper.cells(task="four", method="DCLNN", class_="Average", measure="f1")
    found = _number(cell)
    return {"low": found.low, "high": found.high, "ours": str(found)}


def _better_on_two(claim):
    apart, below = [], []
    for two, four in verdicts.pairs(claim):
        ours, other = _number(two), _number(four)
        ends = ours.low - other.high, ours.high - other.low
        apart.append(Difference(ours.value - other.value, *ends, *ends))
        if two.measure == "recall" and ours.value < 0.5:
            below.append(f"{two.method} {ours}")
    note = f" With two classes, average recall is below that: {', '.join(below)}." if below else ""
    return {
        "differences": apart,
        "higher": sum(d.value > 0 for d in apart),
        "hold": sum(d.low > 0 for d in apart),
        "n": len(apart),
        "below": note,
    }


def _all_aspects(claim):
    runs = {m: _there(comparison.compared(m, "four")) for m in ("NB", "SVM", "DCLNN")}
    minutes = {m: min(run.seconds for run in found) / 60 for m, found in runs.items()}
    dearer = minutes["DCLNN"] - max(minutes["NB"], minutes["SVM"])
    scored = verdict("dclnn-beats-baselines-four").verdict
    return {"values": [dearer], "scores": scored} | minutes


def _accuracy(claim):
    """A percentage of section 1: what Table 1 allows, and what ours is."""
    task = "two" if claim == "accuracy-two-94" else "four"
    counts, claimed = images.counts(task)["TEST"], arithmetic.span(arithmetic.CLAIMED[task])
    block = arithmetic.bounds("DCLNN", counts)
    found = {
        "possible": any(
            arithmetic.bounds("DCLNN", counts, convention, claimed=claimed).feasible
            for convention in arithmetic.CONVENTIONS
        ),
        "printed": float(arithmetic.CLAIMED[task]),
        "images": block.images,
        "ours": "",
    }
    found |= dict(zip(("fewest", "most"), block.correct, strict=True))
    found |= dict(zip(("lowest", "highest"), block.accuracy, strict=True))
    if runs := comparison.compared("DCLNN", task):
        value, low, high = comparison.estimate(runs)
        shown = f" Ours is {value:.3f} ({low:.2f}–{high:.2f}) over {_number_of(runs)}."
        found |= {"low": float(low), "high": float(high), "ours": shown}
    return found


def _number_of(runs):
    return f"{len(runs)} run{'s' * (len(runs) > 1)}"


# --------------------------------------------------------------------------- what the network does


def _parameters(claim):
    here = parameter_counts()
    total, plain = sum(here.values()), sum(parameter_counts(filters=(), pooling=False).values())
    return {
        "values": [plain - total],
        "total": total,
        "hidden": here["hidden"] / total,
        "plain": plain,
    }


def _without_pooling(claim):
    runs = _there(comparison.compared("MaxPooling", "four"))
    without = _there(comparison.frozen({"method": "DCLNN", "task": "four", "pooling": "none"}))
    found = _accuracy_difference(runs, without)
    pooled, plain = (sum(parameter_counts(pooling=pooling).values()) for pooling in (True, False))
    return {
        "differences": [found],
        "pooled": pooled,
        "plain": plain,
        "difference": signed(*found[:3]),
        "runs": _number_of(without),
    }


def _kernels(claim):
    """On a drawn cell: the same numbers with the images and without."""
    picture = Image.fromarray(synthetic.draw("NEUTROPHIL", np.random.default_rng(0)))
    grey = np.asarray(picture.convert("L"), float)
    effects = {name: equations.effect(grey, one) for name, one in equations.KERNELS.items()}
    edges = {name: effect["Like its edges"] for name, effect in effects.items()}
    sharpen, blur = (effects[name]["Contrast"] for name in ("Sharpen", "Blur"))
    ahead = 2 * edges["Edges"] - sum(sorted(edges.values())[-2:])
    return {
        "values": [ahead, sharpen - 1, 1 - blur],
        "edges": edges["Edges"],
        "sharpen": sharpen,
        "blur": blur,
    }


def _epochs(claim):
    def precision(confusion):
        return scores.precision(confusion).mean(axis=-1)

    runs = _there(comparison.compared("DCLNN", "four"))
    matrices = np.stack([[run.confusion(epoch=e) for e in comparison.LATE] for run in runs])
    jump = np.abs(np.diff(precision(matrices))).mean()  # of each run: their mean is smoother
    after = " No run here goes on after it: what comes then was not seen."
    if longer := [run for run in runs if run.epochs > comparison.EPOCH]:
        last = min(run.epochs for run in longer)
        gain = comparison.difference(longer, longer, precision, (last, comparison.EPOCH))
        after = f" {len(longer)} runs go on: by epoch {last} it changes by {signed(*gain)}."
    return {
        "values": [jump],
        "ours": str(comparison.estimate(runs, precision)),
        "jump": jump,
        "after": after,
    }


def _raw_pixels(claim):
    maps, hidden = attribution.compute_shares(), attribution.compute_hidden()
    by = hidden.set_index(["hidden", "task"])
    before, without = by.loc["nothing"], by.loc[attribution.HIDDEN[0]]
    above = [*maps[["area", "low", "high"]].itertuples(index=False, name=None)]
    above += [(0, -row.most, -row.least) for row in without.itertuples()]
    falls = [
        f"from {before.loc[task, 'accuracy']:.2f} to "
        f"{with_interval(row['accuracy'], row['low'], row['high'])} with {task} classes"
        for task, row in without.iterrows()
    ]
    return {
        "scores": above,
        "least": maps["share"].min(),
        "most": maps["share"].max(),
        "area": maps["area"].mean(),
        "falls": " and ".join(falls),
    }


def _more_cells(claim):
    words = {"published": "all of TRAIN's cells", "half": "a half", "quarter": "a quarter"}
    network = {"method": "DCLNN", "task": "four"}
    runs = {
        by: _there(comparison.frozen(network | {"split_by": by}, (*comparison.CHANCE, "fold")))
        for by in words
    }
    found = {
        f"{words[more]} less {words[fewer]}": _accuracy_difference(runs[more], runs[fewer])
        for more, fewer in itertools.pairwise(runs)
    }
    shown = [f"{comparison.estimate(of)} with {words[by]}" for by, of in runs.items()]
    return {
        "differences": list(found.values()),
        "accuracies": ", ".join(shown),
        "gains": ", ".join(f"{name} {signed(*d[:3])}" for name, d in found.items()),
    }


def _elsewhere(claim):
    found = external_validation.compute_scores()
    by = found[found["method"] == "DCLNN"].set_index(["scale", "colours", "task"])
    sentences, there, at_home = [], [], []
    for task in images.TASKS:
        plain, matched = (
            by.loc[(*way, task), ["accuracy", "low", "high"]]
            for way in (external_validation.VARIANTS[0], external_validation.QUOTED)
        )
        home, claimed = external_validation.internal(task), float(arithmetic.CLAIMED[task])
        there.append((claimed, plain["low"], plain["high"]))
        at_home.append((claimed, home.low, home.high))
        sentences.append(
            f"With {task} classes accuracy is {home} on TEST, {with_interval(*plain)} on those as "
            f"they are, and {with_interval(*matched)} where scale and stain are brought to those "
            "of the training images."
        )
    return {
        "scores": [*there, *at_home],
        "alone": verdicts.above(at_home),
        "cells": len(external_validation.labels()),
        "accuracies": " ".join(sentences),
    }


def _compact_cnn(claim):
    found = {
        task: _accuracy_difference(*(model_comparison.runs(m, task) for m in ("DCLNN", "small")))
        for task in images.TASKS
    }
    listed = " and ".join(f"{signed(*d[:3])} with {task}" for task, d in found.items())
    return {"differences": list(found.values()), "listed": listed}


#: Where the numbers of a claim come from, by the names in ``rules.yml``.
_SOURCES = {
    source.__name__.removeprefix("_"): source
    for source in (
        _dataset, _print, _higher, _poolings, _times, _f1, _better_on_two, _all_aspects, _accuracy,
        _parameters, _without_pooling, _kernels, _epochs, _raw_pixels, _more_cells, _elsewhere,
        _compact_cnn,
    )
}  # fmt: skip
