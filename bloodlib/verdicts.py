"""What becomes of each claim of the paper, and the numbers that decide it.

A verdict is a function of records and facts, registered under the claim's id. A
claim that nothing speaks to yet is "not tested yet".
"""

import functools
import json
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from bloodlib import arithmetic, comparison, images, paper, paths, scores

REPRODUCED = "reproduced"
DIRECTION = "reproduced in direction only"
NOT = "not reproduced"
CONTRADICTS = "contradicts itself"
UNDECIDABLE = "can't be told"
UNTESTED = "not tested yet"
VERDICTS = (REPRODUCED, DIRECTION, NOT, CONTRADICTS, UNDECIDABLE, UNTESTED)


class Verdict(NamedTuple):
    """A verdict and the sentence that carries it."""

    verdict: str
    evidence: str


RULES: dict[str, Callable[[], Verdict]] = {}


def rule(claim: str) -> Callable:
    """Register the rule that decides a claim of :data:`bloodlib.paper.CLAIMS`."""

    def register(function):
        RULES[claim] = functools.cache(function)
        return RULES[claim]

    return register


def verdict(claim: str) -> Verdict:
    """The verdict on a claim, by its id.

    Raises
    ------
    ValueError
        If the paper has no such claim.
    """
    if claim not in {c.id for c in paper.CLAIMS}:
        raise ValueError(f"the paper has no claim {claim!r}")
    return RULES[claim]() if claim in RULES else Verdict(UNTESTED, "")


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
        f"Each class has {low:,} to {high:,} augmented images: nearer {round(low, -2):,} than "
        f"3,000, and four times 3,000 would not be the 13,000 of the same paragraph.",
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
        f"{len(paper.UNSTATED)} settings had to be chosen here before anything could be run; "
        "the number of hidden nodes is printed as a blank.",
    )


@rule("four-measures-used")
def _four_measures_used():
    measures = sorted({cell.measure for cell in paper.CELLS})
    return Verdict(
        CONTRADICTS,
        f"Tables 1 and 2 print {', '.join(measures)}. Accuracy is printed for no method there.",
    )


@functools.cache
def _cells():
    return comparison.cells()


def _ours(table, task, **where):
    """Our numbers by (method, class, measure), or None while a run is missing."""
    cells = [
        cell
        for cell in _cells()
        if cell["table"] == table
        and cell["task"] == task
        and all(cell[key] in np.atleast_1d(value) for key, value in where.items())
    ]
    if any(cell["ours"] is None for cell in cells):
        return None
    return {(cell["method"], cell["class"], cell["measure"]): cell["ours"] for cell in cells}


def _shown(table, task, method, class_, measure):
    """Our number of a row with its interval by cell."""
    wanted = {"table": table, "task": task, "method": method, "class": class_, "measure": measure}
    (cell,) = [cell for cell in _cells() if wanted.items() <= cell.items()]
    return comparison.with_interval(**cell)


def _differences(first, second, task):
    """The interval by cell of our rows' difference, by (class, measure); {} without runs."""
    runs = [comparison.compared(method, task) for method in (first, second)]
    if not all(runs):
        return {}
    found = {}
    for measure in paper.MEASURES:
        score = functools.partial(scores.printed_rows, measure=measure)
        _, *ends = comparison.difference(*runs, score)
        for name, low, high in zip([*images.TASKS[task], "Average"], *ends, strict=True):
            found[name, measure] = low, high
    return found


def _apart(pairs, tasks=("four",), averages=False):
    """The sentence that says how many differences of rows are more than other cells could be."""
    found = [
        _told(ends)
        for task in tasks
        for pair in pairs
        for (name, _), ends in _differences(*pair, task).items()
        if (name == "Average") == averages
    ]
    some = sum(found) or "none"
    return f" TEST's cells tell {some} of the {len(found)} differences from zero." if found else ""


def _told(ends):
    """Whether an interval of a difference leaves out zero."""
    low, high = ends
    return low > 0 or high < 0


_BASELINES = (("DCLNN", "NB"), ("DCLNN", "SVM"))
_POOLINGS = (("MaxPooling", "AveragePooling"),)


def _beats(task):
    """How often DCLNN scores higher than both baselines, over classes and measures."""
    ours = _ours(1, task)
    if ours is None:
        return Verdict(UNTESTED, "")
    rows = [(c, m) for method, c, m in ours if method == "DCLNN" and c != "Average"]
    lost = [
        f"{c.lower()} {m}, {b} {_shown(1, task, b, c, m)} and "
        f"DCLNN {_shown(1, task, 'DCLNN', c, m)}"
        for c, m in rows
        for b in ("NB", "SVM")
        if ours["DCLNN", c, m] <= ours[b, c, m]
    ]
    words = f"DCLNN scores higher in {2 * len(rows) - len(lost)} of {2 * len(rows)} comparisons"
    return Verdict(
        NOT if lost else REPRODUCED,
        (f"{words}; not in {'; '.join(lost)}." if lost else f"{words}.")
        + _apart(_BASELINES, (task,)),
    )


@rule("dclnn-beats-baselines-four")
def _dclnn_beats_baselines_four():
    return _beats("four")


@rule("dclnn-beats-baselines-two")
def _dclnn_beats_baselines_two():
    return _beats("two")


@rule("better-results")
def _better_results():
    ours = {task: _ours(1, task, **{"class": "Average"}) for task in images.TASKS}
    if None in ours.values():
        return Verdict(UNTESTED, "")
    higher = [
        found["DCLNN", c, m] > value
        for found in ours.values()
        for (method, c, m), value in found.items()
        if method != "DCLNN"
    ]
    return Verdict(
        REPRODUCED if all(higher) else NOT,
        f"DCLNN's average is higher in {sum(higher)} of {len(higher)} comparisons with NB and SVM."
        + _apart(_BASELINES, images.TASKS, averages=True),
    )


def _times(measure, printed, least, words):
    """A printed average of DCLNN, and how many times that of the better baseline ours is."""
    ours = _ours(1, "four", **{"class": "Average", "measure": measure})
    if ours is None:
        return Verdict(UNTESTED, "")
    value = ours["DCLNN", "Average", measure]
    ratio = value / max(ours["NB", "Average", measure], ours["SVM", "Average", measure])
    near, many = abs(value - printed) < 0.005, ratio >= least
    return Verdict(
        REPRODUCED if near and many else DIRECTION if ratio > 1 else NOT,
        f"Ours is {_shown(1, 'four', 'DCLNN', 'Average', measure)}, {ratio:.1f} times the better "
        f"baseline; {words} was claimed.",
    )


@rule("average-precision-088")
def _average_precision():
    return _times("precision", 0.88, 2, "more than 2")


@rule("recall-almost-triple")
def _recall_almost_triple():
    return _times("recall", 0.83, 2.5, "almost 3")


@rule("f1-083")
def _f1():
    ours = _ours(1, "four", **{"class": "Average", "measure": "f1"})
    if ours is None:
        return Verdict(UNTESTED, "")
    value = ours["DCLNN", "Average", "f1"]
    return Verdict(
        REPRODUCED if abs(value - 0.83) < 0.005 else NOT,
        f"Ours is {_shown(1, 'four', 'DCLNN', 'Average', 'f1')}.",
    )


@rule("baselines-better-on-two")
def _baselines_better_on_two():
    four, two = (_ours(1, t, method=["NB", "SVM"], **{"class": "Average"}) for t in ("four", "two"))
    if four is None or two is None:
        return Verdict(UNTESTED, "")
    rows = list(four)
    higher = sum(two[row] > four[row] for row in rows)
    below = [
        f"{method} {_shown(1, 'two', method, 'Average', 'recall')}"
        for method in ("NB", "SVM")
        if two[method, "Average", "recall"] < 0.5
    ]
    note = f" With two classes, average recall is below that: {', '.join(below)}." if below else ""
    return Verdict(
        REPRODUCED if higher == len(rows) else NOT,
        f"Higher with two classes in {higher} of {len(rows)} averages, where guessing scores 0.50 "
        f"instead of 0.25.{note}",
    )


@rule("max-pooling-better-overall")
def _max_pooling_better_overall():
    ours = _ours(2, "four", **{"class": "Average"})
    if ours is None:
        return Verdict(UNTESTED, "")
    gains = {
        m: ours["MaxPooling", "Average", m] - v
        for (p, _, m), v in ours.items()
        if p != "MaxPooling"
    }
    ends = _differences(*_POOLINGS[0], "four")
    spans = {
        m: " ({} to {})".format(*map(comparison.signed, ends["Average", m])) if ends else ""
        for m in gains
    }
    listed = ", ".join(
        f"{gain:+.3f}".replace("-", "−") + f"{spans[m]} in {m}" for m, gain in gains.items()
    )
    undecided = ends and not any(_told(ends["Average", m]) for m in gains)
    return Verdict(
        UNDECIDABLE if undecided else REPRODUCED if min(gains.values()) > 0 else NOT,
        f"Max minus average pooling: {listed}.{_apart(_POOLINGS, averages=True)}",
    )


@rule("average-pooling-better-somewhere")
def _average_pooling_better_somewhere():
    ours = _ours(2, "four")
    if ours is None:
        return Verdict(UNTESTED, "")
    better = [
        f"{c.lower()} {m}"
        for (method, c, m), value in ours.items()
        if method == "AveragePooling" and c != "Average" and value > ours["MaxPooling", c, m]
    ]
    named = {"neutrophil precision", "eosinophil recall"} <= set(better)
    words = f"Average pooling is better in {', '.join(better)}."
    return Verdict(
        REPRODUCED if named else DIRECTION if better else NOT,
        words + _apart(_POOLINGS) if better else "It is better nowhere.",
    )


@rule("pooling-same-on-two")
def _pooling_same_on_two():
    ours = _ours(2, "two")
    if ours is None:
        return Verdict(UNTESTED, "")
    gap = max(abs(v - ours["MaxPooling", c, m]) for (_, c, m), v in ours.items())
    printed = {
        (cell.method, cell.class_, cell.measure): cell.value
        for cell in paper.cells(table=2, task="two")
    }
    theirs = max(abs(v - printed["MaxPooling", c, m]) for (_, c, m), v in printed.items())
    ends = _differences(*_POOLINGS[0], "two")
    undecided = ends and not any(map(_told, ends.values()))
    return Verdict(
        REPRODUCED if gap <= theirs + 0.005 else UNDECIDABLE if undecided else NOT,
        f"The largest difference of a row is {gap:.2f}; in the paper's table it is {theirs:.2f}."
        + _apart(_POOLINGS, ("two",)),
    )


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
    near = claimed.holds(Fraction(float(ours.value)))
    return Verdict(
        CONTRADICTS if not possible else REPRODUCED if near else NOT,
        f"{print_} Ours is {ours.value:.3f} ({ours.low:.2f}–{ours.high:.2f}) over {len(runs)} "
        f"run{'s' * (len(runs) > 1)}.",
    )


@rule("accuracy-two-94")
def _accuracy_two():
    return _accuracy("two")


@rule("accuracy-four-78")
def _accuracy_four():
    return _accuracy("four")


@rule("epochs-precision")
def _epochs_precision():
    return Verdict(
        CONTRADICTS,
        f"The text says precision, the caption “{paper.FIGURES[7]}”: the figure shows one of them.",
    )


@rule("fewer-parameters")
def _fewer_parameters():
    from bloodlib import drawings

    here = drawings.parameter_counts()
    plain = sum(drawings.parameter_counts(filters=(), pooling=False).values())
    total = sum(here.values())
    return Verdict(
        NOT if total >= plain else REPRODUCED,
        f"The network has {total:,} parameters, {here['hidden'] / total:.1%} of them in the hidden "
        f"layer; its fully-connected layers put directly on the pixels would have {plain:,}.",
    )


@rule("kernels-differ")
def _kernels_differ():
    from bloodlib import drawings

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
    from bloodlib import drawings

    found = drawings.count_differences()
    return Verdict(
        CONTRADICTS if found["against_4_2"] else REPRODUCED,
        f"{found['formulas']} formulas can't be used as printed, {found['against_4_2']} of them "
        f"describe another network than section 4.2, and {found['missing']} are missing.",
    )


@rule("epochs-25")
def _epochs_25():
    runs = comparison.compared("DCLNN", "four")
    if not runs:
        return Verdict(UNTESTED, "")
    epochs = range(1, comparison.EPOCH + 1)
    matrices = np.stack([[run.confusion(epoch=e) for e in epochs] for run in runs])
    found = scores.precision(matrices).mean(axis=(0, -1))
    jump = np.abs(np.diff(found[-10:])).mean()
    ours = _shown(1, "four", "DCLNN", "Average", "precision")
    return Verdict(
        UNDECIDABLE if jump > 0.01 else REPRODUCED,
        f"Average precision on TEST is {ours} at epoch {epochs[-1]}, but moves by {jump:.2f} from "
        "one late epoch to the next; and TEST is what the tables are computed on.",
    )
