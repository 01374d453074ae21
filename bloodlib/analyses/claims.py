"""The numbers behind the verdict on each claim of the paper, gathered for ``evidence.verdicts``."""

import contextlib
import functools
import itertools

import numpy as np
from PIL import Image

from bloodlib import paper
from bloodlib.analyses import attribution, external_validation, model_comparison
from bloodlib.data import images, stored, synthetic
from bloodlib.evidence import comparison, intervals, scores, verdicts
from bloodlib.evidence.comparison import signed
from bloodlib.evidence.verdicts import Difference, Judgement, Verdict
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
    return verdicts.judge(claim, _gather(claim))


def reachable(claim: str) -> list[Verdict]:
    """Which verdicts the runs at hand could give a claim, whatever they had answered."""
    numbers = _gather(claim)
    return [Verdict.UNTESTED] if numbers is None else verdicts.reachable(claim, numbers)


def _gather(claim):
    """The numbers of a claim; None where something is missing."""
    if claim in verdicts.CLAIMS:
        with contextlib.suppress(stored.MissingError):
            return _SOURCES[verdicts.CLAIMS[claim]["numbers"]](claim)
    return None


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


def _there(runs):
    """Runs, if there are any."""
    if not runs:
        raise stored.MissingError("a run is missing")
    return runs


def _subtract(runs, other, score=scores.accuracy):
    """A score of runs minus that of others, as the rules want it, for each of its numbers."""
    fewest = min((len(found) for found in (runs, other) if found[0].has_epochs), default=None)
    columns = (
        *comparison.difference(runs, other, score, seeds=fewest != 1),
        *comparison.rerun_range(runs, score, other),
    )
    numbers = zip(*map(np.ravel, columns), strict=True)
    return [Difference(*map(float, row), fewest or verdicts.RUNS) for row in numbers]


@functools.cache
def _rows(first, second, task):
    """A row of the tables minus another, by class and measure."""
    runs = [_there(comparison.compared(method, task)) for method in (first, second)]
    names = [(c, m) for m in paper.MEASURES for c in (*images.TASKS[task], "Average")]
    return dict(zip(names, _subtract(*runs, scores.printed_tables), strict=True))


def _higher(claim):
    compared = verdicts.pairs(claim)
    found = [_rows(a.method, b.method, a.task)[a.class_, a.measure] for a, b in compared]
    called = [a.words.removeprefix("average ") for a, _ in compared]
    return {
        "differences": found,
        "n": len(found),
        "hold": sum(d.holds is True for d in found),
        "means": sum(d.value > 0 for d in found),
        "other": sum(d.low > 0 for d in found),
        "listed": ", ".join(f"{d} in {name}" for d, name in zip(found, called, strict=True)),
        "largest": max(zip(found, called, strict=True), key=lambda one: abs(one[0].value)),
        "alike": verdicts.ALIKE,
    }


def _better_results(claim):
    """What the baselines of the paper do not see: an image's colours, counted."""
    runs = {task: model_comparison.runs("histogram", task) for task in images.TASKS}
    each = [f"{comparison.estimate(found).value:.2f} with {task}" for task, found in runs.items()]
    return _higher(claim) | {"colours": f"{' and '.join(each)} classes"}


@functools.cache
def _ours():
    """Ours of every printed number, by its address; those without a run are left out."""
    return {cell["address"]: cell for cell in comparison.table_cells() if cell["ours"] is not None}


def _number(cell):
    """Ours of a printed number."""
    if cell.address not in _ours():
        raise stored.MissingError(f"{cell.address} has no number of ours")
    return _ours()[cell.address]


def _printed(claim):
    compared = verdicts.pairs(claim)
    ours, *others = (_number(cell) for cell in (compared[0][0], *(b for _, b in compared)))
    value, low, high = (ours[name] for name in ("ours", "rerun_low", "rerun_high"))
    best = max(other["ours"] for other in others)
    return _higher(claim) | {
        "value": value,
        "low": low,
        "high": high,
        "others": [other["ours"] for other in others],
        "runs": ours["runs"],
        "ratio": value / best,
        "ratio_low": low / best,
        "ratio_high": high / best,
    }


def _better_on_two(claim):
    """Two classes minus four: averages on these images, and accuracy paired over cells."""
    cells, paired = comparison.resamples("four").clusters, {}
    for method in ("NB", "SVM"):
        two, four = (
            comparison.predicted(_there(comparison.compared(method, task)))
            == images.labels("TEST", task)
            for task in ("two", "four")
        )
        gained = two.mean(axis=0) - four.mean(axis=0)
        paired[method] = gained.mean(), intervals.sign_flips(np.bincount(cells, gained))
    found = []
    for two, four in verdicts.pairs(claim):
        a, b = (_number(cell) for cell in (two, four))
        reruns = a["rerun_low"] - b["rerun_high"], a["rerun_high"] - b["rerun_low"]
        ends = a["low"] - b["high"], a["high"] - b["low"]
        found.append(Difference(a["ours"] - b["ours"], *ends, *reruns, p=paired[two.method][1]))
    return {
        "differences": found,
        "higher": sum(d.value > 0 for d in found),
        "least": min(d.value for d in found),
        "most": max(d.value for d in found),
        "n": len(found),
        "paired": " and ".join(
            f"{signed(gain)} with {method} (p = {p:.4f})" for method, (gain, p) in paired.items()
        ),
    }


def _all_aspects(claim):
    runs = {m: _there(comparison.compared(m, "four")) for m in ("NB", "SVM", "DCLNN")}
    each = [
        d for task in images.TASKS for m in ("NB", "SVM") for d in _rows("DCLNN", m, task).values()
    ]
    return {
        "values": [sum(d.holds is False for d in each)],
        "lower": sum(d.value < 0 for d in each),
        "n": len(each),
        "processor": runs["DCLNN"][0].environment["processor"],
        **{method: comparison.training_minutes(found) for method, found in runs.items()},
    }


def _accuracy(claim):
    """A percentage of section 1: what Table 1 allows, and what reruns give."""
    task = "two" if claim == "accuracy-two-94" else "four"
    counts, claimed = images.counts(task)["TEST"], arithmetic.span(arithmetic.CLAIMED[task])
    block, runs = arithmetic.bounds("DCLNN", counts), _there(comparison.compared("DCLNN", task))
    low, high = comparison.rerun_range(runs)
    return {
        "possible": any(
            arithmetic.bounds("DCLNN", counts, convention, claimed=claimed).feasible
            for convention in arithmetic.CONVENTIONS
        ),
        "printed": float(arithmetic.CLAIMED[task]),
        "images": block.images,
        "value": float(comparison.estimate(runs).value),
        "low": float(low),
        "high": float(high),
        "runs": len(runs),
        **dict(zip(("fewest", "most"), block.correct, strict=True)),
        **dict(zip(("lowest", "highest"), block.accuracy, strict=True)),
    }


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
    without = _there(comparison.saved({"method": "DCLNN", "task": "four", "pooling": "none"}))
    pooled, plain = (sum(parameter_counts(pooling=pooling).values()) for pooling in (True, False))
    (found,) = _subtract(runs, without)
    return {
        "differences": [found],
        "pooled": pooled,
        "plain": plain,
        "difference": found,
        "runs": len(without),
    }


def _kernels(claim):
    """On a synthetic cell: the same numbers with the images and without."""
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
    longer = [run for run in runs if run.epochs > comparison.EPOCH]
    after = "no run goes on after it"
    if longer:
        last = min(run.epochs for run in longer)
        gain = comparison.difference(longer, longer, precision, (last, comparison.EPOCH))
        after = f"{signed(gain.value)} by epoch {last} ({len(longer)} runs)"
    return {
        "values": [jump],
        "ours": float(comparison.estimate(runs, precision).value),
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
        f"from {before.loc[task, 'accuracy']:.2f} to {row['accuracy']:.2f} with {task} classes"
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
    network = {"method": "DCLNN", "task": "four"}
    runs = {
        by: _there(comparison.saved(network | {"split_by": by}, (*comparison.CHANCE, "fold")))
        for by in ("published", "half", "quarter")
    }
    return {
        "differences": [_subtract(*pair)[0] for pair in itertools.pairwise(runs.values())],
        **{by: float(comparison.estimate(found).value) for by, found in runs.items()},
        **{f"{by}_runs": len(found) for by, found in runs.items()},
    }


def _elsewhere(claim):
    found = external_validation.compute_scores()
    by = found[found["method"] == "DCLNN"].set_index(["scale", "colours", "task"])
    there, sentences = [], []
    for task in images.TASKS:
        plain, matched = (
            by.loc[(external_validation.QUOTED[0], colours, task), ["accuracy", "low", "high"]]
            for colours in ("own", external_validation.QUOTED[1])
        )
        there.append((float(arithmetic.CLAIMED[task]), plain["low"], plain["high"]))
        sentences.append(
            f"With {task} classes {plain['accuracy']:.2f} (95 % CI {plain['low']:.2f} to "
            f"{plain['high']:.2f}) in their own colours, {matched['accuracy']:.2f} with the stain "
            "of the training images."
        )
    return {
        "scores": there,
        "cells": len(external_validation.labels()),
        "accuracies": " ".join(sentences),
    }


def _compact_cnn(claim):
    found = {
        task: _subtract(*(model_comparison.runs(m, task) for m in ("DCLNN", "small")))[0]
        for task in images.TASKS
    }
    listed = " and ".join(f"{d} with {task}" for task, d in found.items())
    return {"differences": list(found.values()), "listed": listed}


#: Where the numbers of a claim come from, by the names in ``rules.yml``.
_SOURCES = {
    source.__name__.removeprefix("_"): source
    for source in (
        _dataset, _print, _higher, _better_results, _printed, _better_on_two, _all_aspects,
        _accuracy, _parameters, _without_pooling, _kernels, _epochs, _raw_pixels, _more_cells,
        _elsewhere, _compact_cnn,
    )
}  # fmt: skip
