"""Every rule gives the verdict that invented numbers and facts call for."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT

from bloodlib import paper
from bloodlib.analyses import attention, gaze, laboratory, model_comparison
from bloodlib.data import images
from bloodlib.evidence import comparison, judging, verdicts
from bloodlib.evidence.judging import (
    CONTRADICTS,
    DIRECTION,
    NOT,
    REPRODUCED,
    UNDECIDABLE,
    UNTESTED,
    VERDICTS,
)
from bloodlib.evidence.verdicts import RULES
from bloodlib.study import records

FACTS = json.loads((CHECKOUT / "results" / "dataset.json").read_text(encoding="utf-8"))


def decide(claim):
    """A rule's verdict, nothing remembered."""
    found = RULES[claim].__wrapped__()
    assert found.verdict in VERDICTS
    assert found.evidence or found.verdict == UNTESTED
    return found


@pytest.fixture
def facts(monkeypatch):
    """The dataset's facts, for a test to alter."""
    altered = copy.deepcopy(FACTS)
    monkeypatch.setattr(verdicts, "dataset", lambda: altered)
    return altered


@pytest.fixture
def cells(monkeypatch):
    """The tables with the paper's own numbers in the place of ours, known to ±0.01.

    ``cells.set`` alters them. Differences of rows are those of the numbers, known to ``within``.
    """

    class Cells(list):
        within = 0.01

        def set(self, value, **where):
            found = [c for c in self if all(c[k] in np.atleast_1d(v) for k, v in where.items())]
            assert found
            for cell in found:
                ours = value(cell["ours"]) if callable(value) else value
                ends = (None, None) if ours is None else (ours - 0.01, ours + 0.01)
                cell |= dict(zip(("ours", "low", "high"), (ours, *ends), strict=True))

    altered = Cells(comparison.cells({}))
    for cell in altered:
        cell["ours"] = cell["paper"]
    altered.set(lambda ours: ours)

    def differences(first, second, task):
        rows = {
            (c["method"], c["class"], c["measure"]): c["ours"]
            for c in altered
            if c["task"] == task and {c["method"]} <= {first, second}
        }
        gains = {
            (name, measure): value - rows[second, name, measure]
            for (method, name, measure), value in rows.items()
            if method == first
        }
        by = altered.within
        return {key: judging.Difference(d, d - by, d + by, d, d) for key, d in gains.items()}

    monkeypatch.setattr(verdicts, "_cells", lambda: altered)
    monkeypatch.setattr(verdicts, "_differences", differences)
    return altered


# --------------------------------------------------------------------------- all of them


def test_every_rule_belongs_to_a_claim():
    assert set(RULES) <= {claim.id for claim in paper.CLAIMS}


def test_verdicts_are_named_once():
    assert len(set(VERDICTS)) == len(VERDICTS)
    assert UNTESTED == "not tested yet"


def test_every_claim_has_a_rule():
    assert {claim.id for claim in paper.CLAIMS} == set(RULES)


def test_verdict_asks_the_rule(monkeypatch):
    monkeypatch.setitem(RULES, "epochs-25", lambda: verdicts.Verdict(NOT, "Invented."))
    assert verdicts.verdict("epochs-25") == (NOT, "Invented.")


def test_a_claim_that_the_paper_does_not_make():
    with pytest.raises(ValueError, match="no claim 'nonsense'"):
        verdicts.verdict("nonsense")


def test_real_facts_give_real_verdicts():
    for claim in paper.CLAIMS:
        found = verdicts.verdict(claim.id)
        assert found.verdict in VERDICTS
        assert found.evidence or found.verdict == UNTESTED
        assert not any(word in found.evidence for word in ("nan", "None", "[]"))


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


@pytest.mark.parametrize("claim", OF_CELLS)
def test_missing_runs_are_not_tested_yet(cells, claim):
    cells.set(None)
    assert decide(claim) == (UNTESTED, "")


@pytest.mark.parametrize("claim", OF_CELLS)
def test_one_missing_row_is_enough(cells, claim):
    missing = "AveragePooling" if "pooling" in claim else "DCLNN"
    missing = "NB" if claim.startswith("baselines") else missing
    cells.set(None, method=missing)
    assert decide(claim) == (UNTESTED, "")


@pytest.mark.parametrize("claim", OF_CELLS)
def test_the_papers_own_numbers_reproduce_what_they_support(cells, claim):
    assert decide(claim).verdict == REPRODUCED


@pytest.mark.parametrize(
    "claim", [c for c in OF_CELLS if c not in ("f1-083", "baselines-better-on-two")]
)
def test_wide_intervals_reproduce_nothing(cells, claim):
    cells.within = 0.9
    for cell in cells:
        cell |= {"low": 0.02, "high": 0.98}
    assert decide(claim).verdict == UNDECIDABLE


# --------------------------------------------------------------------------- the dataset


@pytest.mark.parametrize(("test_images", "verdict"), [(2487, REPRODUCED), (1500, NOT)])
def test_images_13k_abstract(facts, test_images, verdict):
    facts["images"]["TEST"] = dict.fromkeys(images.CLASSES, 0) | {"NEUTROPHIL": test_images}
    assert decide("images-13k-abstract").verdict == verdict


def test_images_13k_abstract_counts_all_three_folders(facts):
    total = sum(sum(found.values()) for found in FACTS["images"].values())
    assert f"{total:,} images" in decide("images-13k-abstract").evidence


@pytest.mark.parametrize(("each", "verdict"), [(3000, REPRODUCED), (3500, REPRODUCED), (2900, NOT)])
def test_images_13k(facts, each, verdict):
    facts["images"]["TRAIN"] = dict.fromkeys(images.CLASSES, each)
    facts["images"]["TEST"] = dict.fromkeys(images.CLASSES, 0)
    found = decide("images-13k")
    assert found.verdict == verdict
    assert f"{4 * each:,}" in found.evidence


@pytest.mark.parametrize(("each", "verdict"), [(2900, REPRODUCED), (2600, DIRECTION)])
def test_pictures_3000_each(facts, each, verdict):
    facts["images"]["TRAIN"] = dict.fromkeys(images.CLASSES, each)
    facts["images"]["TEST"] = dict.fromkeys(images.CLASSES, 0)
    assert decide("pictures-3000-each").verdict == verdict


def test_five_categories(facts, monkeypatch):
    assert decide("five-categories").verdict == CONTRADICTS
    monkeypatch.setattr(images, "CLASSES", (*images.CLASSES, "BASOPHIL"))
    for split in facts["images"].values():
        split["BASOPHIL"] = 3000
    assert decide("five-categories").verdict == REPRODUCED


def test_no_basophil(facts):
    facts["photographs_with_a_basophil"] = [8, 171]
    found = decide("no-basophil")
    assert found.verdict == NOT
    assert "2 of" in found.evidence
    assert "8, 171" in found.evidence
    facts["photographs_with_a_basophil"] = []
    assert decide("no-basophil").verdict == REPRODUCED


@pytest.mark.parametrize(
    ("photographs", "listed", "verdict"),
    [(367, 411, REPRODUCED), (200, 411, REPRODUCED), (200, 250, NOT)],
)
def test_originals_400(facts, photographs, listed, verdict):
    facts |= {"photographs": photographs, "listed": listed}
    found = decide("originals-400")
    assert found.verdict == verdict
    assert str(photographs) in found.evidence
    assert str(listed) in found.evidence


def test_evidence_of_what_only_the_print_decides(facts):
    facts["photographs_with_several_labels"] = [1, 2, 3]
    assert "3 photographs have more than one" in decide("originals-two-labels").evidence
    assert decide("originals-two-labels").verdict == NOT
    assert decide("settings-complete").evidence.startswith(f"{len(paper.UNSTATED)} settings")
    assert decide("settings-complete").verdict == NOT
    assert decide("four-measures-used") == (
        CONTRADICTS,
        "Tables 1 and 2 print F1, precision, recall. Accuracy is printed for no method there; "
        "section 1 gives two percentages of the network, and none of the baselines.",
    )
    assert decide("epochs-precision").verdict == CONTRADICTS


# --------------------------------------------------------------------------- the tables


@pytest.mark.parametrize(
    ("task", "comparisons", "name"),
    [("four", 24, "MONOCYTE"), ("two", 12, "Mononuclear")],
)
def test_dclnn_beats_baselines(cells, task, comparisons, name):
    claim = f"dclnn-beats-baselines-{task}"
    words = f"Of {comparisons} comparisons {comparisons} hold, 0 fail and 0 are open."
    assert decide(claim) == (REPRODUCED, words)
    cells.set(0.985, task=task, method="NB", measure="recall", **{"class": name})
    cells.set(0.98, task=task, method="DCLNN", measure="recall", **{"class": name})
    found = decide(claim)
    assert found.verdict == DIRECTION  # within what other cells could change
    assert f"{comparisons - 1} hold, 0 fail and 1 are open" in found.evidence
    assert f"{name.lower()} recall against NB −0.005 (−0.015 to +0.005)" in found.evidence
    cells.set(0.95, task=task, method="DCLNN", measure="recall", **{"class": name})
    assert decide(claim).verdict == NOT


def test_a_tie_is_not_higher(cells):
    cells.set(0.5, task="two", table=1)
    assert decide("dclnn-beats-baselines-two").verdict == UNDECIDABLE


def test_better_results_looks_at_averages_of_both_tasks(cells):
    assert decide("better-results").evidence.startswith("Of 12 comparisons 12 hold")
    cells.set(0.0, task="four", method="DCLNN", **{"class": "MONOCYTE"})  # not an average
    assert decide("better-results").verdict == REPRODUCED
    cells.set(0.5, task="two", method="DCLNN", measure="f1", **{"class": "Average"})
    found = decide("better-results")
    assert found.verdict == NOT
    assert "Of 12 comparisons 10 hold, 2 fail" in found.evidence
    assert "two averages F1 against NB" in found.evidence


@pytest.mark.parametrize(
    ("claim", "measure", "printed"),
    [("average-precision-088", "precision", 0.88), ("recall-almost-triple", "recall", 0.83)],
)
def test_times_the_baselines(cells, claim, measure, printed):
    average = {"task": "four", "measure": measure, "class": "Average"}
    cells.set(0.30, method=["NB", "SVM"], **average)
    for value, baseline, verdict in [
        (printed, 0.30, REPRODUCED),
        (printed + 0.004, 0.30, REPRODUCED),
        (printed - 0.03, 0.30, DIRECTION),  # as many times, another number
        (printed, 0.60, DIRECTION),  # the number, not as many times
        (0.20, 0.30, NOT),
    ]:
        cells.set(value, method=["DCLNN"], **average)
        cells.set(baseline, method=["SVM"], **average)
        found = decide(claim)
        assert found.verdict == verdict, (value, baseline)
        assert f"{value / baseline:.1f} times the better baseline" in found.evidence
        low, high = (value - 0.01) / (baseline + 0.01), (value + 0.01) / (baseline - 0.01)
        assert f"(between {low:.1f} and {high:.1f})" in found.evidence


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.83, REPRODUCED), (0.844, REPRODUCED), (0.8, NOT)]
)
def test_f1(cells, value, verdict):
    cells.set(value, task="four", method="DCLNN", measure="f1", **{"class": "Average"})
    assert decide("f1-083").verdict == verdict


def test_baselines_better_on_two(cells):
    assert "6 of 6" in decide("baselines-better-on-two").evidence
    assert "below that" not in decide("baselines-better-on-two").evidence
    cells.set(0.45, task="two", method="SVM", measure="recall", **{"class": "Average"})
    found = decide("baselines-better-on-two")
    assert found.verdict == REPRODUCED
    assert "average recall is below that: SVM 0.45 (0.44–0.46)." in found.evidence
    for cell in cells:
        if cell["task"] == "two":
            cell["low"] = 0.0
    found = decide("baselines-better-on-two")
    assert found.verdict == UNDECIDABLE  # higher in all, but other cells could undo each
    assert "in 6 of 6 averages, in 0 with" in found.evidence
    for cell in [c for c in cells if c["task"] == "two" and c["class"] == "Average"][:4]:
        cell["low"] = cell["ours"]
    assert decide("baselines-better-on-two").verdict == DIRECTION
    cells.set(0.10, task="two", method="NB", **{"class": "Average"})
    found = decide("baselines-better-on-two")
    assert found.verdict == NOT
    assert "in 3 of 6" in found.evidence


def test_max_pooling_better_overall(cells):
    assert "+0.06 (+0.05 to +0.07) in precision" in decide("max-pooling-better-overall").evidence
    cells.set(0.9, table=2, task="four", method="AveragePooling", measure="recall")
    found = decide("max-pooling-better-overall")
    assert found.verdict == NOT
    assert "−0.07 (−0.08 to −0.06) in recall" in found.evidence


def test_average_pooling_better_somewhere(cells):
    found = decide("average-pooling-better-somewhere")
    assert "in neutrophil precision" in found.evidence
    assert "of the 12 numbers of the classes" in found.evidence
    cells.set(0.5, table=2, method="AveragePooling", **{"class": ["NEUTROPHIL"]})
    assert decide("average-pooling-better-somewhere").verdict == NOT


def test_pooling_same_on_two(cells):
    assert "largest difference is +0.01" in decide("pooling-same-on-two").evidence.replace("−", "+")
    cells.set(0.8, table=2, task="two", method="AveragePooling")
    found = decide("pooling-same-on-two")
    assert found.verdict == NOT
    assert "0.18" in found.evidence


def test_cost_is_one_of_all_aspects(cells, monkeypatch):
    class Run:
        def __init__(self, seconds):
            self.seconds = seconds

    minutes = {"NB": 0.1, "SVM": 2, "DCLNN": 25}
    monkeypatch.setattr(
        comparison, "compared", lambda method, task: [Run(60 * minutes[method])] * 2
    )
    found = decide("competes-in-all-aspects")
    assert found.verdict == NOT
    assert "took 25 minutes, 2.0 for the SVM and 0.1 for Naive Bayes" in found.evidence
    minutes["DCLNN"] = 1
    assert decide("competes-in-all-aspects").verdict == UNDECIDABLE
    monkeypatch.setattr(comparison, "compared", lambda method, task: [])
    assert decide("competes-in-all-aspects") == (UNTESTED, "")


def test_differences_of_rows_are_those_of_their_runs(monkeypatch):
    """Two runs against one: means, the interval, the ends over pairs, the fewer networks."""

    class Run:
        def __init__(self, right, epochs):
            self.epochs, self.matrix = epochs, np.array([[right, 100 - right], [0, 100]])

        def confusion(self, split, epoch):
            return self.matrix

    rows = {"DCLNN": [Run(80, 25), Run(90, 25)], "NB": [Run(50, 1)]}
    monkeypatch.setattr(comparison, "compared", lambda method, task: rows[method])
    monkeypatch.setattr(
        comparison,
        "difference",
        lambda runs, other, score: comparison.Estimate(
            *(score(np.eye(2)) * end for end in (0.35, 0.1, 0.6))
        ),
    )
    found = verdicts._differences.__wrapped__("DCLNN", "NB", "two")
    assert len(found) == 9
    recall = found["Mononuclear", "recall"]
    assert recall[:3] == pytest.approx((0.35, 0.1, 0.6))
    assert recall[3:] == (pytest.approx(0.3), pytest.approx(0.4), 2)
    rows["DCLNN"] = rows["NB"]
    assert verdicts._differences.__wrapped__("DCLNN", "NB", "two")["Average", "f1"].runs >= 3


# --------------------------------------------------------------------------- accuracies


@pytest.fixture
def accuracies(monkeypatch):
    """A function that makes the network's runs have these accuracies."""

    def give(*values):
        mean = np.mean(values or 0)
        found = comparison.Estimate(mean, mean - 0.02, mean + 0.02)
        monkeypatch.setattr(comparison, "compared", lambda method, task: list(values))
        monkeypatch.setattr(comparison, "estimate", lambda runs: found)

    return give


@pytest.mark.parametrize(("claim", "printed"), [("accuracy-two-94", 94), ("accuracy-four-78", 78)])
def test_an_accuracy_that_the_table_excludes_contradicts_it_whatever_ours_is(
    accuracies, claim, printed
):
    accuracies()
    found = decide(claim)
    assert found.verdict == CONTRADICTS
    assert "Ours" not in found.evidence
    accuracies(printed / 100, printed / 100)
    found = decide(claim)
    assert found.verdict == CONTRADICTS
    ends = f"0.{printed - 2}–0.{printed + 2}"
    assert found.evidence.endswith(f"Ours is 0.{printed}0 ({ends}) over 2 runs.")


@pytest.mark.parametrize(
    ("ours", "reached"), [((0.82, 0.84), REPRODUCED), ((0.80,), NOT), ((0.86,), NOT)]
)
def test_an_accuracy_that_the_table_allows_is_compared_with_ours(
    accuracies, monkeypatch, ours, reached
):
    monkeypatch.setitem(verdicts.arithmetic.PERCENT, "four", 83)
    accuracies()
    assert decide("accuracy-four-78").verdict == UNTESTED
    accuracies(*ours)
    assert decide("accuracy-four-78").verdict == reached


def test_the_evidence_on_an_accuracy_counts_images(accuracies):
    accuracies()
    block = verdicts.arithmetic.bounds("DCLNN", "four")
    words = "Table 1 allows {:,} to {:,} right of 2,487".format(*block.correct)
    assert words in decide("accuracy-four-78").evidence


# ------------------------------------------------------------ the print, the network, the epochs


def test_what_the_network_and_the_equations_say():
    assert decide("fewer-parameters").verdict == NOT
    assert "8,736,324" in decide("fewer-parameters").evidence
    assert decide("kernels-differ").verdict == REPRODUCED
    assert decide("algorithm-implemented").verdict == CONTRADICTS


@pytest.mark.parametrize(("jump", "verdict"), [(0, REPRODUCED), (200, UNDECIDABLE)])
def test_epochs_25(cells, monkeypatch, jump, verdict):
    """Whether 25 is a good number can't be told while the score jumps from epoch to epoch."""

    class Run:
        epochs = 25

        def __init__(self, odd):
            self.odd = odd

        def confusion(self, epoch):
            wrong = 100 + jump * ((epoch + self.odd) % 2)
            return np.array([[1000 - wrong, wrong], [wrong, 1000 - wrong]])

    # two runs whose mean stays where it is
    monkeypatch.setattr(comparison, "compared", lambda method, task: [Run(0), Run(1)])
    monkeypatch.setattr(
        comparison, "estimate", lambda runs, score: comparison.Estimate(0.88, 0.7, 0.9)
    )
    found = decide("epochs-25")
    assert found.verdict == verdict
    assert "is 0.88 (0.70–0.90) at epoch 25" in found.evidence
    assert "No run here goes on after it" in found.evidence
    Run.epochs = 40
    gain = comparison.Estimate(0.02, -0.01, 0.05)
    asked = []
    monkeypatch.setattr(comparison, "difference", lambda *given: asked.append(given[3]) or gain)
    evidence = decide("epochs-25").evidence
    assert "2 runs go on: by epoch 40 it changes by +0.02 (−0.01 to +0.05)." in evidence
    assert asked == [(40, 25)]
    monkeypatch.setattr(comparison, "compared", lambda method, task: [])
    assert decide("epochs-25") == (UNTESTED, "")


# ------------------------------------------------------------------- what was measured besides


def missing(*_):
    raise records.MissingRecordError("nothing was measured")


@pytest.mark.parametrize(
    ("claim", "module", "asked"),
    [
        ("raw-pixels", gaze, "load_shares"),
        ("high-accuracy", laboratory, "load_scores"),
        ("better-than-state-of-art", model_comparison, "runs"),
    ],
)
def test_what_was_not_measured_is_not_tested_yet(monkeypatch, claim, module, asked):
    monkeypatch.setattr(module, asked, missing)
    assert decide(claim) == (UNTESTED, "")


@pytest.mark.parametrize(
    ("share", "change", "verdict"),
    [
        ((0.5, 0.6), (-0.5, -0.3), DIRECTION),  # of one network, never more
        ((0.5, 0.6), (-0.2, 0.1), UNDECIDABLE),  # as right without the cell, for all we know
        ((0.05, 0.6), (-0.5, -0.3), UNDECIDABLE),  # the maps may be even
        ((0.01, 0.02), (-0.5, -0.3), NOT),  # it looks elsewhere
        ((0.5, 0.6), (0.1, 0.2), NOT),  # it is better off without the cell
    ],
)
def test_whether_it_decides_by_the_cell(monkeypatch, share, change, verdict):
    shares = pd.DataFrame(
        [("four", "pixels", "all", 0.5, *share, 0.1), ("four", "pixels", "for", 0.5, 0, 0, 0.1)],
        columns=["task", "map", "sign", "share", "low", "high", "area"],
    )
    hidden = pd.DataFrame(
        [
            ("four", "nothing", 0.8, 0.7, 0.9, 0, 0, 0),
            ("four", attention.HIDDEN[0], 0.3, 0.2, 0.4, -0.5, *change),
        ],
        columns=["task", "hidden", "accuracy", "low", "high", "change", "least", "most"],
    )
    monkeypatch.setattr(gaze, "load_shares", lambda: shares)
    monkeypatch.setattr(gaze, "load_hidden", lambda: hidden)
    found = decide("raw-pixels")
    assert found.verdict == verdict
    assert "50% to 50%" in found.evidence
    assert "from 0.80 to 0.30 (0.20–0.40)" in found.evidence


@pytest.mark.parametrize(
    ("there", "home", "verdict"),
    [
        ((0.94, 0.97), (0.95, 0.98), REPRODUCED),
        ((0.94, 0.97), (0.90, 0.98), UNDECIDABLE),
        ((0.60, 0.70), (0.95, 0.98), NOT),
    ],
)
def test_whether_it_is_right_in_another_laboratory(monkeypatch, there, home, verdict):
    rows = [
        ("DCLNN", *way, task, 0.5, *there)
        for way in (laboratory.WAYS[0], laboratory.MAIN)
        for task in images.TASKS
    ]
    names = ["method", "scale", "tint", "task", "accuracy", "low", "high"]
    monkeypatch.setattr(laboratory, "load_scores", lambda: pd.DataFrame(rows, columns=names))
    monkeypatch.setattr(laboratory, "home", lambda task: comparison.Estimate(0.9, *home))
    assert decide("high-accuracy").verdict == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (judging.Difference(0.2, 0.1, 0.3, 0.1, 0.3), REPRODUCED),
        (judging.Difference(0.2, -0.1, 0.3, 0.1, 0.3), UNDECIDABLE),
        (judging.Difference(-0.2, -0.3, -0.1, -0.3, -0.1), NOT),
    ],
)
def test_whether_it_beats_a_small_network_of_its_time(monkeypatch, difference, verdict):
    monkeypatch.setattr(model_comparison, "runs", lambda method, task: [])
    monkeypatch.setattr(verdicts, "_each", lambda runs, other, score: [difference])
    assert decide("better-than-state-of-art").verdict == verdict


def test_nothing_here_speaks_to_diagnosis(facts):
    facts["photographs"] = 7
    for claim in ("diagnosis-problems-gone", "beneficial-for-diagnosis"):
        found = decide(claim)
        assert found.verdict == UNDECIDABLE
        assert "7 photographs" in found.evidence


@pytest.mark.parametrize("claim", ["pooling-keeps-information", "larger-dataset"])
def test_without_runs_to_compare_with_they_are_not_tested_yet(monkeypatch, claim):
    def frozen(settings, free=()):
        other = settings.get("pooling") == "none" or settings.get("split_by") == "quarter"
        return [] if other else comparison.compared("DCLNN", "four")

    monkeypatch.setattr(comparison, "frozen", frozen)
    monkeypatch.setattr(comparison, "compared", lambda method, task: ["a run"])
    assert decide(claim) == (UNTESTED, "")


@pytest.fixture
def differences(monkeypatch):
    """Runs that exist, and what they differ by, for a test to say."""
    given = []
    monkeypatch.setattr(comparison, "frozen", lambda settings, free=(): ["a run"])
    monkeypatch.setattr(comparison, "estimate", lambda runs: comparison.Estimate(0.8, 0.7, 0.9))
    monkeypatch.setattr(verdicts, "_each", lambda runs, other, score: [given.pop(0)])
    return given


UP = judging.Difference(0.2, 0.1, 0.3, 0.1, 0.3)
OPEN = UP._replace(low=-0.1)
DOWN = judging.Difference(-0.2, -0.3, -0.1, -0.3, -0.1)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((UP, UP), REPRODUCED), ((UP, OPEN), UNDECIDABLE), ((UP, DOWN), NOT)],
)
def test_whether_more_cells_help(differences, found, verdict):
    differences += found
    told = decide("larger-dataset")
    assert told.verdict == verdict
    assert "0.80 (0.70–0.90) with a quarter" in told.evidence
    assert "all of TRAIN's cells less a half +0.20" in told.evidence


@pytest.mark.parametrize(("found", "verdict"), [(UP, REPRODUCED), (OPEN, UNDECIDABLE), (DOWN, NOT)])
def test_whether_pooling_keeps_what_matters(differences, found, verdict):
    differences.append(found)
    told = decide("pooling-keeps-information")
    assert told.verdict == verdict
    assert "1 run without pooling" in told.evidence
