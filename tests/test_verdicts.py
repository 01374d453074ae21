"""Every rule gives the verdict that invented numbers and facts call for."""

import copy
import json

import numpy as np
import pytest
from conftest import CHECKOUT

from bloodlib import comparison, images, paper, verdicts
from bloodlib.verdicts import (
    CONTRADICTS,
    DIRECTION,
    NOT,
    REPRODUCED,
    RULES,
    UNDECIDABLE,
    UNTESTED,
    VERDICTS,
)

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
    """The tables with the paper's own numbers in the place of ours; ``cells.set`` alters them.

    There are no runs behind them.
    """

    class Cells(list):
        def set(self, value, **where):
            found = [c for c in self if all(c[k] in np.atleast_1d(v) for k, v in where.items())]
            assert found
            for cell in found:
                cell["ours"] = value(cell["ours"]) if callable(value) else value

    known = comparison.cells({})
    for cell in known:
        cell["ours"] = cell["paper"]
    altered = Cells(known)
    monkeypatch.setattr(verdicts, "_cells", lambda: altered)
    monkeypatch.setattr(comparison, "compared", lambda method, task: [])
    return altered


@pytest.fixture
def differences(cells, monkeypatch):
    """A function that gives two rows' differences these ends, by (class, measure)."""

    def give(ends):
        monkeypatch.setattr(verdicts, "_differences", lambda *row: ends(*row))

    return give


# --------------------------------------------------------------------------- all of them


def test_every_rule_belongs_to_a_claim():
    assert set(RULES) <= {claim.id for claim in paper.CLAIMS}


def test_verdicts_are_named_once():
    assert len(set(VERDICTS)) == len(VERDICTS)
    assert UNTESTED == "not tested yet"


def test_a_claim_without_a_rule_is_not_tested_yet():
    without = [claim.id for claim in paper.CLAIMS if claim.id not in RULES]
    assert without
    for claim in without:
        assert verdicts.verdict(claim) == (UNTESTED, "")


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
        "Tables 1 and 2 print f1, precision, recall. Accuracy is printed for no method there.",
    )
    assert decide("epochs-precision").verdict == CONTRADICTS


# --------------------------------------------------------------------------- the tables


@pytest.mark.parametrize(
    ("task", "comparisons", "name"),
    [("four", 24, "MONOCYTE"), ("two", 12, "Mononuclear")],
)
def test_dclnn_beats_baselines(cells, task, comparisons, name):
    claim = f"dclnn-beats-baselines-{task}"
    assert f"{comparisons} of {comparisons}" in decide(claim).evidence
    cells.set(0.99, task=task, method="NB", measure="recall", **{"class": name})
    cells.set(0.98, task=task, method="DCLNN", measure="recall", **{"class": name})
    found = decide(claim)
    assert found.verdict == NOT
    assert f"{comparisons - 1} of {comparisons}" in found.evidence
    assert f"{name.lower()} recall, NB 0.99 and DCLNN 0.98" in found.evidence


def test_a_tie_is_not_higher(cells):
    cells.set(0.5, task="two", table=1)
    assert decide("dclnn-beats-baselines-two").verdict == NOT
    assert decide("better-results").verdict == NOT


def test_better_results_looks_at_averages_of_both_tasks(cells):
    assert "12 of 12" in decide("better-results").evidence
    cells.set(0.0, task="four", method="DCLNN", **{"class": "MONOCYTE"})  # not an average
    assert decide("better-results").verdict == REPRODUCED
    cells.set(0.5, task="two", method="DCLNN", measure="f1", **{"class": "Average"})
    found = decide("better-results")
    assert found.verdict == NOT
    assert "10 of 12" in found.evidence


@pytest.mark.parametrize(
    ("claim", "measure", "printed"),
    [("average-precision-088", "precision", 0.88), ("recall-almost-triple", "recall", 0.83)],
)
def test_times_the_better_baseline(cells, claim, measure, printed):
    average = {"task": "four", "measure": measure, "class": "Average"}
    cells.set(0.30, method=["NB", "SVM"], **average)
    for value, baseline, verdict in [
        (printed, 0.30, REPRODUCED),
        (printed + 0.004, 0.30, REPRODUCED),
        (printed - 0.02, 0.30, DIRECTION),  # as many times, another number
        (printed, 0.60, DIRECTION),  # the number, not as many times
        (0.20, 0.30, NOT),
    ]:
        cells.set(value, method=["DCLNN"], **average)
        cells.set(baseline, method=["SVM"], **average)
        found = decide(claim)
        assert found.verdict == verdict, (value, baseline)
        assert f"{value / baseline:.1f} times" in found.evidence


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.83, REPRODUCED), (0.834, REPRODUCED), (0.8, NOT)]
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
    assert "average recall is below that: SVM 0.45." in found.evidence
    cells.set(0.10, task="two", method="NB", **{"class": "Average"})
    found = decide("baselines-better-on-two")
    assert found.verdict == NOT
    assert "3 of 6" in found.evidence
    assert "NB 0.10, SVM 0.45" in found.evidence


def test_max_pooling_better_overall(cells):
    assert "+0.060 in precision" in decide("max-pooling-better-overall").evidence
    cells.set(0.9, table=2, task="four", method="AveragePooling", measure="recall")
    found = decide("max-pooling-better-overall")
    assert found.verdict == NOT
    assert "−0.070 in recall" in found.evidence


def test_average_pooling_better_somewhere(cells):
    found = decide("average-pooling-better-somewhere")
    assert "neutrophil precision" in found.evidence
    assert "average" not in found.evidence.removeprefix("Average pooling")
    cells.set(0.5, table=2, method="AveragePooling", **{"class": ["NEUTROPHIL"]})
    assert decide("average-pooling-better-somewhere").verdict == DIRECTION
    cells.set(0.0, table=2, method="AveragePooling")
    found = decide("average-pooling-better-somewhere")
    assert found == (NOT, "It is better nowhere.")


def test_pooling_same_on_two(cells):
    assert "is 0.01; in the paper's table it is 0.01" in decide("pooling-same-on-two").evidence
    cells.set(0.8, table=2, task="two", method="AveragePooling")
    found = decide("pooling-same-on-two")
    assert found.verdict == NOT
    assert "0.18" in found.evidence


# ------------------------------------------------------------------------------- intervals by cell


def test_our_numbers_come_with_their_intervals(cells):
    for cell in cells:
        cell |= {"low": cell["ours"] - 0.26, "high": cell["ours"] + 0.11}
    assert "Ours is 0.88 (0.62–0.99)," in decide("average-precision-088").evidence
    assert decide("f1-083").evidence == "Ours is 0.83 (0.57–0.94)."
    cells.set(0.9, method="NB", task="two", measure="recall", **{"class": "Polynuclear"})
    cells.set(0.5, method="DCLNN", task="two", measure="recall", **{"class": "Polynuclear"})
    words = "polynuclear recall, NB 0.90 (0.35–0.72) and DCLNN 0.50 (0.72–1.09)"
    assert words in decide("dclnn-beats-baselines-two").evidence


@pytest.mark.parametrize(
    ("claim", "n"),
    [
        ("dclnn-beats-baselines-four", 24),
        ("dclnn-beats-baselines-two", 12),
        ("better-results", 12),
        ("max-pooling-better-overall", 3),
        ("average-pooling-better-somewhere", 12),
        ("pooling-same-on-two", 6),
    ],
)
def test_evidence_counts_the_differences_that_other_cells_would_not_undo(differences, claim, n):
    def ends(first, second, task):
        names = [*images.TASKS[task], "Average"]
        return {(c, m): limits for c in names for m in paper.MEASURES}

    assert "TEST's cells" not in decide(claim).evidence
    for limits, some in (((-0.5, 0.25), "none"), ((0.1, 0.25), n), ((-0.5, -0.25), n)):
        differences(ends)
        words = f" TEST's cells tell {some} of the {n} differences from zero."
        assert decide(claim).evidence.endswith(words)
        if claim.startswith("max"):
            low, high = (f"{end:+.2f}".replace("-", "−") for end in limits)
            assert f"+0.060 ({low} to {high}) in precision" in decide(claim).evidence


def test_a_difference_that_the_cells_cannot_tell_from_zero_decides_nothing(cells, differences):
    cells.set(0.8, table=2, task="two", method="AveragePooling")
    assert decide("max-pooling-better-overall").verdict == REPRODUCED
    assert decide("pooling-same-on-two").verdict == NOT

    def spread(low, high):
        def ends(first, second, task):
            names = [*images.TASKS[task], "Average"]
            return {(c, m): (low, high) for c in names for m in paper.MEASURES}

        differences(ends)

    spread(-0.1, 0.3)
    assert decide("max-pooling-better-overall").verdict == UNDECIDABLE
    assert decide("pooling-same-on-two").verdict == UNDECIDABLE
    spread(0.1, 0.3)
    assert decide("max-pooling-better-overall").verdict == REPRODUCED
    assert decide("pooling-same-on-two").verdict == NOT
    cells.set(0.95, table=2, task="four", method="AveragePooling")
    assert decide("max-pooling-better-overall").verdict == NOT


def test_differences_of_rows_are_those_of_their_runs(cells, monkeypatch):
    asked = []

    def difference(runs, other, score):
        asked.append((runs, other))
        spread = score(np.eye(2))
        return comparison.Estimate(0 * spread, spread - 2, spread + np.arange(3))

    monkeypatch.setattr(comparison, "difference", difference)
    assert verdicts._differences("MaxPooling", "AveragePooling", "two") == {}
    monkeypatch.setattr(comparison, "compared", lambda method, task: [method + task])
    found = verdicts._differences("MaxPooling", "AveragePooling", "two")
    assert asked == [(["MaxPoolingtwo"], ["AveragePoolingtwo"])] * 3
    assert found["Average", "f1"] == (-1, 3)
    assert found["Mononuclear", "recall"] == (-1, 1)
    assert len(found) == 9


# --------------------------------------------------------------------------- accuracies


@pytest.fixture
def accuracies(monkeypatch):
    """A function that makes the network's runs have these accuracies."""

    def give(*values):
        found = comparison.Estimate(np.mean(values or 0), 0.25, 0.975)
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
    assert found.evidence.endswith(f"Ours is 0.{printed}0 (0.25–0.97) over 2 runs.")


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
        def confusion(self, epoch):
            wrong = 100 + jump * (epoch % 2)
            return np.array([[1000 - wrong, wrong], [wrong, 1000 - wrong]])

    monkeypatch.setattr(comparison, "compared", lambda method, task: [Run()])
    found = decide("epochs-25")
    assert found.verdict == verdict
    assert "is 0.88 at epoch 25" in found.evidence
    monkeypatch.setattr(comparison, "compared", lambda method, task: [])
    assert decide("epochs-25") == (UNTESTED, "")
