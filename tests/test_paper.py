"""What the paper prints, as data."""

from collections import Counter

import pytest

from bloodlib import paper


def printed(table, task, method, class_):
    """Precision, recall and F1 of a row, as they stand on the page."""
    row = paper.table_cells(table=table, task=task, method=method, class_=class_)
    return " ".join(cell.printed for cell in row)


def test_all_cells_are_there_once():
    keys = [(c.table, c.task, c.method, c.class_, c.measure) for c in paper.TABLE_CELLS]
    assert len(keys) == len(set(keys)) == 120
    assert Counter((c.table, c.task) for c in paper.TABLE_CELLS) == {
        (1, "four"): 45,
        (1, "two"): 27,
        (2, "four"): 30,
        (2, "two"): 18,
    }


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ((1, "four", "NB", "MONOCYTE"), "0.39 0.41 0.40"),
        ((1, "four", "SVM", "LYMPHOCYTE"), "0.17 0.11 0.13"),
        ((1, "four", "DCLNN", "NEUTROPHIL"), "0.6 0.94 0.74"),
        ((1, "four", "DCLNN", "Average"), "0.88 0.83 0.83"),
        ((1, "two", "NB", "Polynuclear"), "0.56 0.61 0.58"),
        ((1, "two", "DCLNN", "Mononuclear"), "0.98 0.88 0.92"),
        ((2, "four", "AveragePooling", "MONOCYTE"), "0.94 0.8 0.86"),
        ((2, "two", "AveragePooling", "Average"), "0.94 0.93 0.93"),
    ],
)
def test_rows_as_printed(row, numbers):
    assert printed(*row) == numbers


@pytest.mark.parametrize(
    "where",
    [
        {"methd": "NB"},
        {"method": "Naive Bayes"},
        {"class_": "BASOPHIL"},
    ],
)
def test_an_unknown_selection_is_refused(where):
    (name,) = where
    with pytest.raises(
        ValueError, match=rf"^(a table cell has no attribute '{name}'|no table cell has {name}=)"
    ):
        paper.table_cells(**where)


def test_a_selection_that_is_never_printed_together_is_empty():
    assert paper.table_cells(table=2, method="NB") == ()
    assert paper.table_cells() == paper.TABLE_CELLS


def test_claims():
    ids = [claim.id for claim in paper.CLAIMS]
    assert len(ids) == len(set(ids)) >= 20
    places = {claim.place.split(",")[0].split(".")[0] for claim in paper.CLAIMS}
    assert places == {"abstract", *(f"section {n}" for n in (1, 3, 4, 5, 6, 7))}
    by_id = {claim.id: claim for claim in paper.CLAIMS}
    assert "94 percent accuracy for the 2 labels" in by_id["accuracy-two-94"].text
    assert by_id["recall-almost-triple"].place == "section 6.2, Table 1, Figure 5"


def test_settings():
    stated = {row["name"]: row for row in paper.SETTINGS["stated"]}
    assert stated["Pool size"] == {
        "name": "Pool size", "value": "2x2", "place": "section 4.2, item 2"
    }  # fmt: skip
    ours = {row["name"]: row["ours"] for row in paper.SETTINGS["unstated"]}
    assert ours["Hidden layer: number of nodes"] == "128"
    assert all(row["ours"] and row["why"] for row in paper.SETTINGS["unstated"])
