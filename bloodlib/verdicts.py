"""What becomes of each claim of the paper, and the numbers that decide it.

A verdict is a function of records and facts, registered under the claim's id. A
claim that nothing speaks to yet is "not tested yet".
"""

import functools
import json
from collections.abc import Callable
from typing import NamedTuple

from bloodlib import images, paper, paths

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
    n = sum(_augmented().values())
    return Verdict(
        REPRODUCED if round(n, -3) == 13000 else NOT,
        f"TRAIN and TEST hold {n:,} images, {round(n, -3):,} to the nearest thousand.",
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
