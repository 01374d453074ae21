"""The table of what others report: every row can be opened, and says only what is allowed."""

import re
from fractions import Fraction

import pandas as pd
import pytest

from bloodlib.data import images, stored
from bloodlib.paper import TableCell, arithmetic

ALLOWED = {
    "classes": {"2", "3", "4"},
    "metric": {"accuracy", "mean recall"},
    "split": {
        *("published", "photographs", "grouped", "unknown"),
        *("random_train", "random_all"),
    },
    "evidence": {"text", "supports", "digits", "code", "none"},
    "selected_on_test": {"yes", "no", "unknown"},
    "pretrained": {"yes", "no", "unknown"},
}
N_TEST = sum(images.counts()["TEST"].values())


def read(name):
    return pd.read_csv(stored.results_folder() / name, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def rows():
    return read("literature.csv")


def test_every_row_has_an_address_a_date_and_allowed_values(rows):
    assert rows["address"].str.fullmatch(r"https://[^\s]+").all()
    assert (rows.groupby("source")["address"].nunique() == 1).all()
    assert rows["opened"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()
    assert (rows[["title", "model", "figures"]] != "").all(axis=None)
    for column, allowed in ALLOWED.items():
        assert set(rows[column]) <= allowed, column
    assert not rows.duplicated(["source", "model", "classes", "split"]).any()


def test_numbers_are_shares_and_counts_are_of_these_images(rows):
    assert rows["value"].astype(float).between(0, 1).all()
    assert set(rows["year"]) <= {"", *map(str, range(2017, 2027))}
    tested = pd.to_numeric(rows["images_tested"])
    total = sum(sum(classes.values()) for classes in images.counts().values())
    assert tested.dropna().between(1, total).all()
    assert (tested[rows["split"] == "published"] == N_TEST).all()


def test_a_split_is_known_from_something_or_unknown(rows):
    assert ((rows["split"] == "unknown") == (rows["evidence"] == "none")).all()


def test_reports_belong_to_rows_and_print_as_many_digits_throughout(rows):
    reports = read("literature_reports.csv")
    key = ["source", "model", "split"]
    assert set(map(tuple, reports[key].to_numpy())) <= set(map(tuple, rows[key].to_numpy()))
    for name, report in reports.groupby(key):
        printed = [value for value in report[["precision", "recall", "f1"]].stack() if value]
        assert printed, name
        assert all(re.fullmatch(r"[01]\.\d+", value) for value in printed), name
        assert len({len(value) for value in printed}) == 1, name
        if name[2] == "published":
            assert report["images"].astype(int).sum() == N_TEST, name


def test_more_printed_digits_allow_fewer_counts():
    """309 of 312 is 0.9904: two digits may be 0.99, four digits not 0.9890."""
    counts = (("EOSINOPHIL", 312), ("NEUTROPHIL", 312))

    def possible(printed, unit):
        cell = TableCell(0, "four", "other", "EOSINOPHIL", "recall", printed)
        return arithmetic.Block((cell,), counts, unit=unit).feasible

    assert possible("0.99", Fraction(1, 100))
    assert possible("0.9904", Fraction(1, 10_000))
    assert not possible("0.9890", Fraction(1, 10_000))
