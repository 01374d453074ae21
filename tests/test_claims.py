"""From invented records and facts comes the verdict on a claim that they call for."""

import copy

import numpy as np
import pandas as pd
import pytest

from bloodlib import paper
from bloodlib.analyses import attribution, claims, external_validation, model_comparison
from bloodlib.data import images, stored
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.verdicts import Difference, Verdict
from bloodlib.paper import arithmetic


def decide(claim):
    """The verdict on a claim, nothing remembered."""
    claims.verdict.cache_clear()
    found = claims.verdict(claim)
    claims.verdict.cache_clear()
    assert found.verdict in Verdict
    return found


@pytest.mark.long
def test_every_claim_gets_a_verdict_from_what_is_stored():
    for claim in paper.CLAIMS:
        found = claims.verdict(claim.id)
        assert found.verdict in Verdict
        assert found.evidence or found.verdict == Verdict.UNTESTED
        assert not any(word in found.evidence for word in ("nan", "None", "[]"))


def test_a_claim_that_the_paper_does_not_make():
    with pytest.raises(ValueError, match="no claim 'nonsense'"):
        claims.verdict("nonsense")


# --------------------------------------------------------------------------- the dataset


@pytest.fixture
def facts(monkeypatch):
    """The dataset's facts, for a test to alter."""
    altered = copy.deepcopy(images.dataset())
    monkeypatch.setattr(images, "dataset", lambda: altered)
    return altered


@pytest.mark.parametrize(
    ("claim", "each", "verdict", "said"),
    [
        ("images-13k-abstract", 3110, Verdict.REPRODUCED, f"{4 * 3110 + 71:,} images"),
        ("images-13k", 3125, Verdict.REPRODUCED, "12,500"),
        ("images-13k", 3000, Verdict.NOT, "12,000"),
        ("pictures-3000-each", 2400, Verdict.DIRECTION, "2,400 to 2,400"),
    ],
)
def test_how_many_images_there_are(facts, claim, each, verdict, said):
    facts["images"]["TRAIN"] = dict.fromkeys(images.CLASSES, each)
    facts["images"]["TEST"] = dict.fromkeys(images.CLASSES, 0)
    found = decide(claim)
    assert found.verdict == verdict
    assert said in found.evidence


def test_what_the_facts_say_of_the_photographs(facts):
    facts |= {"photographs": 200, "photographs_with_several_labels": [1, 2, 3]}
    assert decide("five-categories").verdict == Verdict.REPRODUCED
    assert decide("originals-400").verdict == Verdict.NOT
    assert "3 photographs have more than one" in decide("originals-two-labels").evidence
    found = decide("diagnosis-problems-gone")
    assert found.verdict == Verdict.UNDECIDABLE
    assert "200 photographs" in found.evidence


def test_what_the_print_and_the_network_decide():
    settings = f"{len(paper.SETTINGS['unstated'])} settings"
    assert settings in decide("settings-complete").evidence
    assert "print F1, precision, recall." in decide("four-measures-used").evidence
    assert decide("four-measures-used").verdict == Verdict.NOT
    assert decide("epochs-precision").verdict == Verdict.CONTRADICTS
    assert decide("algorithm-implemented").verdict == Verdict.CONTRADICTS
    assert decide("fewer-parameters").verdict == Verdict.NOT
    assert "8,736,324" in decide("fewer-parameters").evidence
    assert decide("kernels-differ").verdict == Verdict.REPRODUCED


# --------------------------------------------------------------------------- the tables

OF_CELLS = [
    "dclnn-beats-baselines-four",
    "dclnn-beats-baselines-two",
    "better-results",
    "average-precision-088",
    "recall-almost-triple",
    "f1-083",
    "baselines-better-on-two",
    "max-pooling-better-overall",
    "average-pooling-better-somewhere",
    "pooling-same-on-two",
]


@pytest.fixture
def ours(monkeypatch):
    """The tables with the paper's own numbers in the place of ours, known to ``within``.

    ``ours.set(value, method="NB")`` alters them; None takes them away.
    """

    class Ours(dict):
        within = 0.01

        def set(self, value, **where):
            self.update((cell.address, value) for cell in paper.table_cells(**where))

    altered = Ours({cell.address: cell.value for cell in paper.TABLE_CELLS})

    def cells():
        for cell in paper.TABLE_CELLS:
            value, by = altered[cell.address], altered.within
            yield {"address": cell.address, "ours": value, "runs": 3} | (
                {}
                if value is None
                else dict.fromkeys(("low", "rerun_low"), max(0, value - by))
                | dict.fromkeys(("high", "rerun_high"), min(1, value + by))
            )

    def rows(first, second, task):
        found = {}
        for cell in paper.table_cells(method=first, task=task):
            where = {"task": task, "class_": cell.class_, "measure": cell.measure}
            (other,) = paper.table_cells(method=second, **where)
            values = altered[cell.address], altered[other.address]
            if None in values:
                raise stored.MissingError("a run is missing")
            gain, by = values[0] - values[1], altered.within
            found[cell.class_, cell.measure] = Difference(gain, *(gain - by, gain + by) * 2)
        return found

    claims._ours.cache_clear()
    monkeypatch.setattr(comparison, "table_cells", lambda: list(cells()))
    monkeypatch.setattr(claims, "_rows", rows)
    monkeypatch.setattr(claims, "_ours", claims._ours.__wrapped__)
    return altered


@pytest.mark.parametrize("claim", OF_CELLS)
def test_the_papers_own_numbers_reproduce_what_they_support_and_missing_ones_nothing(ours, claim):
    ours.within = 0.004
    assert decide(claim).verdict == Verdict.REPRODUCED
    ours.within = 0.9  # a rerun may give anything
    unsure = claim in ("f1-083", "pooling-same-on-two")  # what they say is that means are near
    assert decide(claim).verdict == (Verdict.REPRODUCED if unsure else Verdict.DIRECTION)
    missing = "AveragePooling" if "pooling" in claim else "DCLNN"
    ours.set(None, method="NB" if claim.startswith("baselines") else missing)
    assert decide(claim) == (Verdict.UNTESTED, "", "")


NOT, DIRECTION, REPRODUCED = Verdict.NOT, Verdict.DIRECTION, Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("claim", "value", "where", "verdict"),
    [
        ("dclnn-beats-baselines-four", 0.3, ("four", "DCLNN", "MONOCYTE", "recall"), NOT),
        ("dclnn-beats-baselines-two", 0.3, ("two", "DCLNN", "Mononuclear", "recall"), NOT),
        ("better-results", 0.0, ("four", "DCLNN", "MONOCYTE", "f1"), REPRODUCED),
        ("better-results", 0.5, ("two", "DCLNN", "Average", "f1"), NOT),
        ("average-precision-088", 0.85, ("four", "DCLNN", "Average", "precision"), DIRECTION),
        ("average-precision-088", 0.60, ("four", "SVM", "Average", "precision"), DIRECTION),
        ("recall-almost-triple", 0.20, ("four", "DCLNN", "Average", "recall"), NOT),
        ("baselines-better-on-two", 0.31, ("two", "SVM", "Average", "recall"), DIRECTION),
        ("f1-083", 0.75, ("four", "DCLNN", "Average", "f1"), NOT),
        ("baselines-better-on-two", 0.10, ("two", "NB", "Average", "recall"), NOT),
        ("max-pooling-better-overall", 0.9, ("four", "AveragePooling", "Average", "recall"), NOT),
        ("average-pooling-better-somewhere", 0.5,
         ("four", "AveragePooling", "NEUTROPHIL", "precision"), NOT),
        ("pooling-same-on-two", 0.8, ("two", "AveragePooling", "Average", "f1"), NOT),
    ],
)  # fmt: skip
def test_an_altered_number_alters_the_verdict(ours, claim, value, where, verdict):
    ours.set(value, **dict(zip(("task", "method", "class_", "measure"), where, strict=True)))
    assert decide(claim).verdict == verdict


# ------------------------------------------------------------------------------- of the runs


class Run:
    """A run of two classes that are right as often, which ``jump`` from epoch to epoch."""

    def __init__(self, right=80, epochs=25, seconds=60, jump=0, odd=0, precision="float32"):
        self.right, self.epochs, self.seconds = right, epochs, seconds
        self.jump, self.odd = jump, odd
        self.config, self.environment = {"precision": precision}, {"processor": "AMD"}
        self.has_epochs, self.history = epochs > 1, {}

    def confusion(self, split="TEST", epoch=25):
        """The same for each split."""
        right = self.right - self.jump * (((epoch or 0) + self.odd) % 2)
        return np.array([[right, 100 - right], [100 - right, right]])


@pytest.fixture
def runs(monkeypatch):
    """Runs by row, for a test to fill, with invented intervals over cells."""

    def estimate(runs, score=scores.accuracy):
        value = score(comparison.confusions(runs)).mean(axis=0)
        return comparison.Estimate(value, value - 0.1, value + 0.1)

    def difference(runs, other, score=scores.accuracy, epochs=None, seeds=False):
        gap = estimate(runs, score).value - estimate(other, score).value
        return comparison.Estimate(gap, gap - 0.1, gap + 0.1)

    found = {}
    monkeypatch.setattr(comparison, "compared", lambda method, task: found.get(method, []))
    monkeypatch.setattr(comparison, "estimate", estimate)
    monkeypatch.setattr(comparison, "difference", difference)
    return found


def test_cost_is_one_of_all_aspects(runs, ours):
    runs |= {"NB": [Run(seconds=6)], "SVM": [Run(seconds=120)]}
    assert decide("competes-in-all-aspects") == (Verdict.UNTESTED, "", "")
    runs["DCLNN"] = [Run(seconds=s) for s in (1500, 1620, 3000)]
    runs["DCLNN"].append(Run(seconds=60, precision="mixed_bfloat16"))
    found = decide("competes-in-all-aspects")
    assert found.verdict == Verdict.UNDECIDABLE
    assert "took 27 minutes (median; AMD), the SVM 2.0, Naive Bayes 0.1" in found.evidence
    ours.set(0.1, method="DCLNN", task="two", measure="recall")
    assert decide("competes-in-all-aspects").verdict == Verdict.NOT


def test_an_accuracy_that_the_table_excludes_contradicts_it_whatever_ours_is(runs):
    assert decide("accuracy-two-94") == (Verdict.UNTESTED, "", "")
    runs["DCLNN"] = [Run(right=94)] * 2
    found = decide("accuracy-two-94")
    assert found.verdict == Verdict.CONTRADICTS
    assert "Mean of our 2 runs: 0.940 (reruns 0.94 to 0.94)" in found.evidence


@pytest.mark.parametrize(
    ("right", "jump", "reached"),
    [(83, 0, Verdict.REPRODUCED), (80, 0, Verdict.NOT), (75, -10, Verdict.UNDECIDABLE)],
)
def test_an_accuracy_that_the_table_allows_is_compared_with_reruns(
    runs, monkeypatch, right, jump, reached
):
    monkeypatch.setitem(arithmetic.CLAIMED, "four", "0.83")
    runs["DCLNN"] = [Run(right=right, jump=jump, odd=1)]
    assert decide("accuracy-four-78").verdict == reached


@pytest.mark.parametrize(("jump", "verdict"), [(0, Verdict.REPRODUCED), (20, Verdict.UNDECIDABLE)])
def test_epochs_25(runs, jump, verdict):
    """Whether 25 is a good number can't be told while the score jumps from epoch to epoch."""
    assert decide("epochs-25") == (Verdict.UNTESTED, "", "")
    runs["DCLNN"] = [Run(jump=jump), Run(jump=jump, odd=1)]  # their mean stays where it is
    found = decide("epochs-25")
    assert found.verdict == verdict
    assert f"is {0.8 - jump / 200:.2f} at epoch 25" in found.evidence
    runs["DCLNN"] = [Run(epochs=40), Run(epochs=50)]
    assert "Later: +0.000 by epoch 40 (2 runs)" in decide("epochs-25").evidence


UP = Difference(0.2, 0.1, 0.3, 0.1, 0.3)
OPEN = Difference(0.2, -0.1, 0.3, -0.1, 0.3)
DOWN = Difference(-0.2, -0.3, -0.1, -0.3, -0.1)


@pytest.fixture
def differences(runs, monkeypatch):
    """What runs differ by, one after the other."""
    given = []
    runs["MaxPooling"] = [Run()]
    monkeypatch.setattr(comparison, "saved", lambda settings, free=(): [Run()])
    monkeypatch.setattr(model_comparison, "runs", lambda method, task: [Run()])
    monkeypatch.setattr(claims, "_subtract", lambda runs, other: [given.pop(0)])
    return given


@pytest.mark.parametrize(
    ("claim", "found", "verdict"),
    [
        ("larger-dataset", (UP, UP), Verdict.REPRODUCED),
        ("larger-dataset", (UP, OPEN), Verdict.DIRECTION),
        ("larger-dataset", (UP, UP._replace(runs=2)), Verdict.UNDECIDABLE),
        ("larger-dataset", (UP, DOWN), Verdict.NOT),
        ("pooling-keeps-information", (UP,), Verdict.REPRODUCED),
        ("pooling-keeps-information", (UP._replace(runs=1),), Verdict.UNDECIDABLE),
        ("pooling-keeps-information", (DOWN,), Verdict.NOT),
        ("better-than-state-of-art", (UP, UP), Verdict.REPRODUCED),
        ("better-than-state-of-art", (UP, DOWN), Verdict.NOT),
    ],
)
def test_what_other_runs_say(differences, claim, found, verdict):
    differences += found
    assert decide(claim).verdict == verdict


# ------------------------------------------------------------------- what was measured besides


@pytest.mark.parametrize(
    ("claim", "module", "asked"),
    [
        ("raw-pixels", attribution, "compute_shares"),
        ("high-accuracy", external_validation, "compute_scores"),
        ("better-than-state-of-art", model_comparison, "runs"),
        ("larger-dataset", comparison, "saved"),
        ("pooling-keeps-information", comparison, "saved"),
    ],
)
def test_what_was_not_measured_is_not_tested_yet(monkeypatch, claim, module, asked):
    def missing(*_):
        raise stored.MissingError("nothing was measured")

    monkeypatch.setattr(module, asked, missing)
    assert decide(claim) == (Verdict.UNTESTED, "", "")
    if module is comparison:
        monkeypatch.setattr(module, asked, lambda *_: [])
        assert decide(claim) == (Verdict.UNTESTED, "", "")


@pytest.mark.parametrize(
    ("share", "change", "verdict"),
    [
        ((0.5, 0.6), (-0.5, -0.3), Verdict.DIRECTION),  # of one network, never more
        (
            (0.5, 0.6),
            (-0.2, 0.1),
            Verdict.UNDECIDABLE,
        ),  # as right without the cell, for all we know
        ((0.05, 0.6), (-0.5, -0.3), Verdict.UNDECIDABLE),  # the maps may be even
        ((0.01, 0.02), (-0.5, -0.3), Verdict.NOT),  # it looks elsewhere
        ((0.5, 0.6), (0.1, 0.2), Verdict.NOT),  # it is better off without the cell
    ],
)
def test_whether_it_decides_by_the_cell(monkeypatch, share, change, verdict):
    shares = pd.DataFrame(
        [("four", "pixels", 0.5, *share, 0.1)],
        columns=["task", "map", "share", "low", "high", "area"],
    )
    hidden = pd.DataFrame(
        [
            ("four", "nothing", 0.8, 0.7, 0.9, 0, 0, 0),
            ("four", attribution.HIDDEN[0], 0.3, 0.2, 0.4, -0.5, *change),
        ],
        columns=["task", "hidden", "accuracy", "low", "high", "change", "least", "most"],
    )
    monkeypatch.setattr(attribution, "compute_shares", lambda: shares)
    monkeypatch.setattr(attribution, "compute_hidden", lambda: hidden)
    found = decide("raw-pixels")
    assert found.verdict == verdict
    assert "50% to 50%" in found.evidence
    assert "from 0.80 to 0.30 with" in found.evidence


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.95, 0.97, Verdict.REPRODUCED),
        (0.90, 0.97, Verdict.UNDECIDABLE),
        (0.60, 0.70, Verdict.NOT),
    ],
)
def test_whether_it_is_right_in_another_laboratory(monkeypatch, low, high, verdict):
    rows = [
        ("DCLNN", *way, task, 0.5, low, high)
        for way in ((external_validation.QUOTED[0], "own"), external_validation.QUOTED)
        for task in images.TASKS
    ]
    names = ["method", "scale", "colours", "task", "accuracy", "low", "high"]
    monkeypatch.setattr(
        external_validation, "compute_scores", lambda: pd.DataFrame(rows, columns=names)
    )
    assert decide("high-accuracy").verdict == verdict
