"""What becomes of each claim of the paper, and the numbers that decide it.

A verdict is a function of records and facts, registered under the claim's id; on
scores it follows the rules of :mod:`bloodlib.evidence.judging`. A claim that nothing speaks
to yet is "not tested yet".
"""

import functools
import itertools
import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bloodlib import paper
from bloodlib.data import images, paths
from bloodlib.evidence import comparison, judging, scores
from bloodlib.evidence.comparison import with_interval
from bloodlib.evidence.judging import CONTRADICTS, DIRECTION, NOT, REPRODUCED, UNDECIDABLE, UNTESTED
from bloodlib.paper import arithmetic, equations
from bloodlib.study import records


class Verdict(NamedTuple):
    """A verdict and the sentence that carries it."""

    verdict: str
    evidence: str


RULES: dict[str, Callable[[], Verdict]] = {}


def rule(claim: str, *arguments) -> Callable:
    """Register the rule that decides a claim of :data:`bloodlib.paper.CLAIMS`.

    A rule that misses a record leaves the claim untested. With arguments, it is called with them.
    """

    def register(function):
        def decide():
            try:
                return function(*arguments)
            except records.MissingRecordError:
                return Verdict(UNTESTED, "")

        RULES[claim] = functools.cache(decide)
        return function

    return register


def verdict(claim: str) -> Verdict:
    """The verdict on a claim, by its id.

    Raises
    ------
    ValueError
        If the paper has no such claim.
    """
    if claim not in RULES:
        raise ValueError(f"the paper has no claim {claim!r}")
    return RULES[claim]()


@functools.cache
def dataset() -> dict:
    """Facts about the published images and the list of their photographs.

    Frozen in ``results/dataset.json`` by ``bloodlib data --facts``, so that they can be
    read where the images are not.
    """
    return json.loads((paths.results_folder() / "dataset.json").read_text(encoding="utf-8"))


def _augmented():
    found = dataset()["images"]
    return {name: found["TRAIN"][name] + found["TEST"][name] for name in images.CLASSES}


@rule("images-13k-abstract")
def _images_13k_abstract():
    n = sum(sum(found.values()) for found in dataset()["images"].values())
    return Verdict(
        REPRODUCED if round(n, -3) == 13000 else NOT,
        f"TRAIN, TEST and TEST_SIMPLE together hold {n:,} images.",
    )


@rule("images-13k")
def _images_13k():
    n = sum(_augmented().values())
    return Verdict(
        REPRODUCED if abs(n - 13000) <= 1000 else NOT,
        f"TRAIN and TEST hold {n:,} augmented images, each in the folder of its class.",
    )


@rule("pictures-3000-each")
def _pictures_3000_each():
    found = _augmented()
    low, high = min(found.values()), max(found.values())
    near = all(abs(n - 3000) <= 250 for n in found.values())
    return Verdict(
        REPRODUCED if near else DIRECTION,
        f"Each class has {low:,} to {high:,} augmented images, around 3,000. (Four times 3,000 are "
        "12,000, not the 13,000 of the same paragraph.)",
    )


@rule("five-categories")
def _five_categories():
    n = len(_augmented())
    names = set(dataset()["photographs_with_one_label"])
    return Verdict(
        REPRODUCED if n == 5 else CONTRADICTS,
        f"The augmented images come in {n} folders. {len(names)} types are named in the list "
        "of the photographs; the next sentence of the paper takes one of the five back.",
    )


@rule("no-basophil")
def _no_basophil():
    numbers = dataset()["photographs_with_a_basophil"]
    return Verdict(
        NOT if numbers else REPRODUCED,
        f"True of the augmented images. But {len(numbers)} of the published photographs carry the "
        f"label basophil: numbers {', '.join(map(str, numbers))}.",
    )


@rule("originals-400")
def _originals_400():
    facts = dataset()
    n, listed = facts["photographs"], facts["listed"]
    return Verdict(
        REPRODUCED if round(n, -2) == 400 or round(listed, -2) == 400 else NOT,
        f"{n} photographs are published, all JPEG; the list beside them has {listed} rows.",
    )


@rule("originals-two-labels")
def _originals_two_labels():
    names = sorted(name.lower() for name in dataset()["photographs_with_one_label"])
    several = len(dataset()["photographs_with_several_labels"])
    return Verdict(
        NOT,
        f"The list names {', '.join(names)}, not mononuclear and polynuclear; {several} "
        "photographs have more than one label. The two classes can be derived from these names.",
    )


@rule("settings-complete")
def _settings_complete():
    return Verdict(
        NOT,
        f"{len(paper.UNSTATED)} settings had to be chosen here, of the network, its scores and the "
        "baselines; the number of hidden nodes is printed as a blank.",
    )


@rule("four-measures-used")
def _four_measures_used():
    measures = sorted({_called(cell.measure) for cell in paper.CELLS}, key=str.lower)
    return Verdict(
        CONTRADICTS,
        f"Tables 1 and 2 print {', '.join(measures)}. Accuracy is printed for no method there; "
        "section 1 gives two percentages of the network, and none of the baselines.",
    )


@functools.cache
def _cells():
    return comparison.cells()


def _ours(table, task, class_=None):
    """Our numbers by (method, class, measure)."""
    found = {
        (cell["method"], cell["class"], cell["measure"]): cell
        for cell in _cells()
        if (cell["table"], cell["task"]) == (table, task) and class_ in (None, cell["class"])
    }
    if any(cell["ours"] is None for cell in found.values()):
        raise records.MissingRecordError(f"Table {table} has no numbers of ours for {task} classes")
    return found


def _there(runs):
    """Runs, if there are any."""
    if not runs:
        raise records.MissingRecordError("a run is missing")
    return runs


def _called(measure):
    return {"f1": "F1"}.get(measure, measure)


def _shown(cell):
    return with_interval(**cell)


def _ends(cell):
    return cell["low"], cell["high"]


@functools.cache
def _differences(first, second, task):
    """A row less another, by (class, measure): see ``judging.Difference``."""

    def score(confusion):
        """All rows of the printed table, measure after measure."""
        rows = [scores.printed_rows(confusion, measure=measure) for measure in paper.MEASURES]
        return np.concatenate(rows, axis=-1)

    runs = [comparison.compared(method, task) for method in (first, second)]
    names = [(c, m) for m in paper.MEASURES for c in (*images.TASKS[task], "Average")]
    return dict(zip(names, _each(*runs, score), strict=True))


def _each(runs, other, score):
    """A score of runs less that of others, as the rules want it, for each of its numbers."""
    networks = [len(found) for found in (runs, other) if found[0].epochs > 1]
    each = [score(comparison.confusions(found)) for found in (runs, other)]
    least, most = each[0].min(0) - each[1].max(0), each[0].max(0) - each[1].min(0)
    numbers = zip(*comparison.difference(runs, other, score), least, most, strict=True)
    fewest = min(networks, default=judging.RUNS)
    return [judging.Difference(*map(float, row), fewest) for row in numbers]


def _accuracy_of(confusion):
    return scores.accuracy(confusion)[..., None]


def _number_of(runs):
    return f"{len(runs)} run{'s' * (len(runs) > 1)}"


def _counted(differences):
    """The sentence that counts what the rules found, and names what does not hold."""
    states = [d.state for d in differences.values()]
    held, failed, still = (
        states.count(state) for state in (judging.HOLDS, judging.FAILS, judging.OPEN)
    )
    words = f"Of {len(states)} comparisons {held} hold, {failed} fail and {still} are open"
    named = [
        f"{' '.join(map(_called, key))} {comparison.signed(*d[:3])}"
        for key, d in differences.items()
        if d.value <= 0
    ]
    return f"{words}." + (f" Ours is not higher in {'; '.join(named)}." if named else "")


def _against_baselines(task, averages):
    """DCLNN less each baseline, in the averages or in the classes."""
    return {
        (task, "averages" if averages else name.lower(), measure, f"against {baseline}"): found
        for baseline in ("NB", "SVM")
        for (name, measure), found in _differences("DCLNN", baseline, task).items()
        if (name == "Average") == averages
    }


@rule("dclnn-beats-baselines-four", "four")
@rule("dclnn-beats-baselines-two", "two")
def _beats(task):
    _ours(1, task)
    found = {key[1:]: d for key, d in _against_baselines(task, averages=False).items()}
    return Verdict(judging.higher(found.values()), _counted(found))


@rule("better-results")
def _better_results():
    found = {}
    for task in images.TASKS:
        _ours(1, task)
        found |= _against_baselines(task, averages=True)
    return Verdict(judging.higher(found.values()), _counted(found))


@rule("average-precision-088", "precision", 0.88, 2, "more than 2")
@rule("recall-almost-triple", "recall", 0.83, 2.5, "almost 3")
def _times(measure, printed, least, words):
    """A printed average of DCLNN, and how many times that of each baseline ours is."""
    ours = _ours(1, "four", "Average")
    cell = ours["DCLNN", "Average", measure]
    baselines = [ours[method, "Average", measure] for method in ("NB", "SVM")]
    decided = judging.both(
        judging.number(printed, *_ends(cell)),
        judging.times(least, _ends(cell), map(_ends, baselines)),
        judging.higher(
            _differences("DCLNN", baseline, "four")["Average", measure]
            for baseline in ("NB", "SVM")
        ),
    )
    ratio = cell["ours"] / max(baseline["ours"] for baseline in baselines)
    low, high = (
        np.divide(_ends(cell), max(baselines, key=lambda b: b["ours"])[end])[i]
        for i, end in enumerate(("high", "low"))
    )
    return Verdict(
        decided,
        f"Ours is {_shown(cell)}, {ratio:.1f} times the better baseline (between {low:.1f} and "
        f"{high:.1f}); {words} was claimed.",
    )


@rule("f1-083")
def _f1():
    cell = _ours(1, "four", "Average")["DCLNN", "Average", "f1"]
    return Verdict(judging.number(0.83, *_ends(cell)), f"Ours is {_shown(cell)}.")


@rule("baselines-better-on-two")
def _baselines_better_on_two():
    four, two = (_ours(1, task, "Average") for task in ("four", "two"))
    rows = [row for row in four if row[0] != "DCLNN"]
    told = sum(two[row]["low"] > four[row]["high"] for row in rows)
    lower = sum(two[row]["high"] < four[row]["low"] for row in rows)
    higher = sum(two[row]["ours"] > four[row]["ours"] for row in rows)
    below = [
        f"{method} {_shown(two[method, 'Average', 'recall'])}"
        for method in ("NB", "SVM")
        if two[method, "Average", "recall"]["ours"] < 0.5
    ]
    note = f" With two classes, average recall is below that: {', '.join(below)}." if below else ""
    return Verdict(
        NOT
        if lower
        else REPRODUCED
        if told == len(rows)
        else DIRECTION
        if 2 * told > len(rows)
        else UNDECIDABLE,
        f"Higher with two classes in {higher} of {len(rows)} averages, in {told} with intervals "
        f"that do not overlap; guessing scores 0.50 instead of 0.25.{note}",
    )


@rule("max-pooling-better-overall")
def _max_pooling_better_overall():
    _ours(2, "four")
    found = _differences("MaxPooling", "AveragePooling", "four")
    gains = {measure: found["Average", measure] for measure in paper.MEASURES}
    listed = ", ".join(f"{comparison.signed(*d[:3])} in {_called(m)}" for m, d in gains.items())
    return Verdict(judging.higher(gains.values()), f"Max minus average pooling: {listed}.")


@rule("average-pooling-better-somewhere")
def _average_pooling_better_somewhere():
    _ours(2, "four")
    found = _differences("AveragePooling", "MaxPooling", "four")
    named = {key: found[key] for key in (("NEUTROPHIL", "precision"), ("EOSINOPHIL", "recall"))}
    listed = ", ".join(
        f"{comparison.signed(*d[:3])} in {name.lower()} {measure}"
        for (name, measure), d in named.items()
    )
    higher = sum(d.value > 0 for (name, _), d in found.items() if name != "Average")
    return Verdict(
        judging.higher(named.values()),
        f"Average minus max pooling: {listed}. It is higher in {higher} of the {len(found) - 3} "
        "numbers of the classes.",
    )


@rule("pooling-same-on-two")
def _pooling_same_on_two():
    _ours(2, "two")
    found = _differences("MaxPooling", "AveragePooling", "two")
    name, largest = max(found.items(), key=lambda item: abs(item[1].value))
    return Verdict(
        judging.alike(found.values()),
        f"The largest difference is {comparison.signed(*largest[:3])}, in {name[0].lower()} "
        f"{_called(name[1])}; virtually identical would be within ±{judging.ALIKE} for all cells.",
    )


@rule("competes-in-all-aspects")
def _competes_in_all_aspects():
    runs = {m: _there(comparison.compared(m, "four")) for m in ("NB", "SVM", "DCLNN")}
    minutes = {m: min(run.seconds for run in found) / 60 for m, found in runs.items()}
    dearer = minutes["DCLNN"] > max(minutes["NB"], minutes["SVM"])
    return Verdict(
        NOT if dearer else UNDECIDABLE,
        f"In scores it may ({_beats('four').verdict}). Not in cost: at its quickest, training with "
        f"prediction took {minutes['DCLNN']:.0f} minutes, {minutes['SVM']:.1f} for the SVM and "
        f"{minutes['NB']:.1f} for Naive Bayes.",
    )


@rule("accuracy-two-94", "two")
@rule("accuracy-four-78", "four")
def _accuracy(task):
    """A percentage of section 1: first whether Table 1 allows it, then whether ours is near."""
    claimed = arithmetic.percentage(task)
    block = arithmetic.bounds("DCLNN", task)
    possible = any(
        arithmetic.bounds("DCLNN", task, convention=convention, accuracy=claimed).feasible
        for convention in arithmetic.CONVENTIONS
    )
    low, high = block.correct
    print_ = (
        f"Table 1 allows {low:,} to {high:,} right of {block.images:,}, an accuracy of "
        f"{block.accuracy[0]:.4f} to {block.accuracy[1]:.4f}."
    )
    runs = comparison.compared("DCLNN", task)
    if not runs:
        return Verdict(UNTESTED if possible else CONTRADICTS, print_)
    ours = comparison.estimate(runs)
    printed = arithmetic.PERCENT[task] / 100
    reached = judging.number(printed, float(ours.low), float(ours.high))
    return Verdict(
        reached if possible else CONTRADICTS,
        f"{print_} Ours is {ours.value:.3f} ({ours.low:.2f}–{ours.high:.2f}) over "
        f"{_number_of(runs)}.",
    )


@rule("epochs-precision")
def _epochs_precision():
    return Verdict(
        CONTRADICTS,
        f"The text says precision, the caption “{paper.FIGURES[7]}”: the figure shows one of them.",
    )


@rule("fewer-parameters")
def _fewer_parameters():
    from bloodlib.book import drawings

    here = drawings.parameter_counts()
    plain = sum(drawings.parameter_counts(filters=(), pooling=False).values())
    total = sum(here.values())
    return Verdict(
        NOT if total >= plain else REPRODUCED,
        f"The network has {total:,} parameters, {here['hidden'] / total:.1%} of them in the hidden "
        f"layer; its fully-connected layers put directly on the pixels would have {plain:,}.",
    )


@rule("pooling-keeps-information")
def _pooling_keeps_information():
    from bloodlib.book import drawings

    runs = _there(comparison.compared("MaxPooling", "four"))
    without = _there(comparison.frozen({"method": "DCLNN", "task": "four", "pooling": "none"}))
    [found] = _each(runs, without, _accuracy_of)
    sizes = [sum(drawings.parameter_counts(pooling=pooling).values()) for pooling in (True, False)]
    return Verdict(
        judging.no_less(found) if sizes[0] < sizes[1] else NOT,
        f"{sizes[0]:,} parameters with pooling, {sizes[1]:,} without. Accuracy with it less that "
        f"without is {comparison.signed(*found[:3])}; {_number_of(without)} without pooling.",
    )


@rule("kernels-differ")
def _kernels_differ():
    from bloodlib.book import drawings

    effects = drawings.drawn_effects().set_index("Kernel")
    edges, sharper = effects["Like its edges"], effects["Contrast"]
    holds = edges.idxmax() == "Edges" and sharper["Sharpen"] > 1 > sharper["Blur"]
    return Verdict(
        REPRODUCED if holds else NOT,
        f"On a drawn cell, an edge kernel's feature correlates {edges['Edges']:.2f} with edges; "
        f"sharpening multiplies the contrast by {sharper['Sharpen']:.1f}, blurring by "
        f"{sharper['Blur']:.1f}.",
    )


@rule("algorithm-implemented")
def _algorithm_implemented():
    found = equations.count_differences()
    return Verdict(
        CONTRADICTS if found["other_network"] else REPRODUCED,
        f"{found['formulas']} formulas can't be used as printed, {found['other_network']} of them "
        f"describe another network than section 4.2, and {found['missing']} are missing.",
    )


@rule("epochs-25")
def _epochs_25():
    runs = _there(comparison.compared("DCLNN", "four"))
    epochs = range(1, comparison.EPOCH + 1)
    matrices = np.stack([[run.confusion(epoch=e) for e in epochs] for run in runs])
    found = scores.precision(matrices).mean(axis=-1)  # of each run: their mean is smoother
    jump = np.abs(np.diff(found[:, -10:])).mean()
    after = " No run here goes on after it: what comes then was not seen."
    if longer := [run for run in runs if run.epochs > comparison.EPOCH]:
        last = min(run.epochs for run in longer)
        gain = comparison.difference(
            longer, longer, lambda m: scores.precision(m).mean(axis=-1), (last, comparison.EPOCH)
        )
        after = (
            f" {len(longer)} runs go on: by epoch {last} it changes by {comparison.signed(*gain)}."
        )
    ours = str(comparison.estimate(runs, lambda m: scores.precision(m).mean(axis=-1)))
    return Verdict(
        UNDECIDABLE if jump > 0.01 else REPRODUCED,
        f"Average precision on TEST is {ours} at epoch {epochs[-1]}, but a run moves by {jump:.2f} "
        f"from one late epoch to the next.{after} And TEST is what the tables are computed on.",
    )


@rule("raw-pixels")
def _raw_pixels():
    from bloodlib.analyses import attention, gaze

    shares, hidden = gaze.load_shares(), gaze.load_hidden()
    maps = shares[shares["sign"] == shares["sign"][0]]  # all weight, not what speaks for the class
    ends = [(row.low - row.area, row.high - row.area) for row in maps.itertuples()]
    by = hidden.set_index(["hidden", "task"])
    before, without = by.loc["nothing"], by.loc[attention.HIDDEN[0]]
    ends += [(-row.most, -row.least) for row in without.itertuples()]
    falls = " and ".join(
        f"from {before.loc[row.Index, 'accuracy']:.2f} to "
        f"{with_interval(row.accuracy, row.low, row.high)} with {row.Index} classes"
        for row in without.itertuples()
    )
    return Verdict(
        judging.of_one(ends),
        f"{maps['share'].min():.0%} to {maps['share'].max():.0%} of two kinds of maps lie in the "
        f"white cell's box, {maps['area'].mean():.0%} of the image. With the box painted over, "
        f"accuracy falls {falls}. Seen in one network for each task.",
    )


@rule("larger-dataset")
def _larger_dataset():
    words = {"published": "all of TRAIN's cells", "half": "a half", "quarter": "a quarter"}
    network = {"method": "DCLNN", "task": "four"}
    runs = {
        by: _there(comparison.frozen(network | {"split_by": by}, (*comparison.CHANCE, "fold")))
        for by in words
    }
    pairs = list(itertools.pairwise(runs))
    found = [_each(runs[more], runs[fewer], _accuracy_of)[0] for more, fewer in pairs]
    shown = [f"{comparison.estimate(of)} with {words[by]}" for by, of in runs.items()]
    gains = [
        f"{words[more]} less {words[fewer]} {comparison.signed(*difference[:3])}"
        for (more, fewer), difference in zip(pairs, found, strict=True)
    ]
    return Verdict(
        judging.higher(found),
        f"Trained on fewer cells for as many epochs, accuracy on TEST is {', '.join(shown)}; "
        f"{', '.join(gains)}.",
    )


@rule("high-accuracy")
def _high_accuracy():
    from bloodlib.analyses import laboratory

    found = laboratory.load_scores()
    by = found[found["method"] == "DCLNN"].set_index(["scale", "tint", "task"])
    sentences, reached = [], []
    for task in images.TASKS:
        plain, matched = (by.loc[(*way, task)] for way in (laboratory.WAYS[0], laboratory.MAIN))
        home = laboratory.home(task)
        claimed = arithmetic.PERCENT[task] / 100
        reached += [(claimed, plain["low"], plain["high"]), (claimed, home.low, home.high)]
        ends = ["accuracy", "low", "high"]
        there, brought = (with_interval(*row[ends]) for row in (plain, matched))
        sentences.append(
            f"With {task} classes accuracy is {home} on TEST, {there} on those as they are, and "
            f"{brought} where scale and stain are brought to those of the training images."
        )
    alone = judging.at_least(reached[1::2])
    return Verdict(
        judging.at_least(reached),
        f"The claim names no laboratory; by TEST alone it would be “{alone}”. Asked were one "
        f"network for each task, and {len(laboratory.labels()):,} cells of another laboratory. "
        f"{' '.join(sentences)}",
    )


@rule("diagnosis-problems-gone")
@rule("beneficial-for-diagnosis")
def _of_diagnosis():
    return Verdict(
        UNDECIDABLE,
        f"No data speaks to it, ours or the paper's: {dataset()['photographs']} photographs of "
        "single cells, without a patient, a diagnosis or the time that anybody took.",
    )


@rule("better-than-state-of-art")
def _better_than_state_of_art():
    from bloodlib.analyses import model_comparison

    found = {}
    for task in images.TASKS:
        runs = [model_comparison.runs(method, task) for method in ("DCLNN", "small")]
        [found[task]] = _each(*runs, _accuracy_of)
    listed = " and ".join(f"{comparison.signed(*d[:3])} with {task}" for task, d in found.items())
    return Verdict(
        judging.higher(found.values()),
        "The paper tries no such model. Less a small network of parts known by 2015, its settings "
        f"chosen without TEST, DCLNN's accuracy is {listed} classes.",
    )
