"""Every number has an address, and its address leads to where it comes from."""

import functools
import json
import shutil

import numpy as np
import pytest
from conftest import CHECKOUT
from test_comparison import freeze, invented

from bloodlib import cli, paper, study
from bloodlib.book import explain, tables
from bloodlib.data import images, stored
from bloodlib.evidence import comparison, intervals
from bloodlib.study import records

ADDRESS = "tbl-paper-1/four/DCLNN/NEUTROPHIL/recall"
DCLNN = {"method": "DCLNN", "task": "four", "epochs": 25}


@pytest.fixture
def quick(monkeypatch):
    """Intervals that cost nothing; the numbers themselves are as always."""
    monkeypatch.setattr(
        intervals,
        "bounds",
        lambda score, labels, drawn, *_: [
            np.full_like(score(np.eye(drawn.n_classes)), end) for end in (0.25, 0.75)
        ],
    )


@pytest.fixture
def two_runs(folders):
    """Two runs behind a row, with two seeds; returned in the order of the seeds."""
    rng = np.random.default_rng(3)
    return [freeze(DCLNN | {"seed": seed}, invented(rng, "four", 25)) for seed in (4, 7)]


# ------------------------------------------------------------------------------- the addresses


def test_every_number_is_found_by_its_address_and_is_that_of_the_tables(quick, monkeypatch):
    known = comparison.table_cells()
    assert len({row["address"] for row in known}) == len(known) == len(paper.TABLE_CELLS) == 120
    frozen = {method: comparison.compared(method, "four") for method in comparison.COMPARED}
    assert all(frozen.values()), "this test reads the frozen records of the book"
    monkeypatch.setattr(study, "check", lambda record: None)  # elsewhere, and not 120 times
    monkeypatch.setattr(comparison, "compared", functools.cache(comparison.compared))
    for row, cell in zip(known, paper.TABLE_CELLS, strict=True):
        found = explain.explain(row["address"])
        assert found.items() >= row.items()
        assert row["address"].split("/") == [
            f"tbl-paper-{cell.table}", cell.task, cell.method, cell.class_, cell.measure
        ]  # fmt: skip
        assert (found["printed"], found["paper"]) == (cell.printed, cell.value)
        assert row["frozen"]
        values = [run["value"] for run in found["records"]]
        assert len(values) == row["runs"]
        assert np.mean(values) == pytest.approx(row["ours"])
        runs = {run.id for run in comparison.compared(cell.method, cell.task)}
        assert {run["id"] for run in found["records"]} == runs


def test_from_the_tables_down_every_number_is_reached_once(folders):
    """No frozen run is needed to list what there is."""
    reached, todo = [], [""]
    while todo:
        found = explain.explain(todo.pop())
        for each in found["below"]:
            assert each["address"].startswith(found["address"])
            if "numbers" in each:
                todo.append(each["address"])
            else:
                reached.append(each["address"])
    assert sorted(reached) == sorted(cell.address for cell in paper.TABLE_CELLS)


@pytest.mark.parametrize(
    ("address", "below"),
    [
        ("", ["tbl-paper-1", "tbl-paper-2"]),
        (
            "tbl-paper-1/TWO/nb/polynuclear",
            [f"tbl-paper-1/two/NB/Polynuclear/{m}" for m in paper.MEASURES],
        ),
    ],
)
def test_a_beginning_lists_what_is_below(folders, address, below):
    assert [each["address"] for each in explain.explain(address)["below"]] == below


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tbl-papr-1", "no 'tbl-papr-1' among tables, records and claims.*mean 'tbl-paper-1'"),
        ("tbl-paper-1/four/DCLN", "below tbl-paper-1/four. Did you mean 'DCLNN'"),
        (f"{ADDRESS}/seed", f"no 'seed' below {ADDRESS}"),
        ("recall-almost-tripel", "mean 'recall-almost-triple'"),
        ("../runs", "no '..' among"),
    ],
)
def test_a_wrong_address_names_the_nearest(folders, address, words):
    with pytest.raises(ValueError, match=words):
        explain.explain(address)


# ------------------------------------------------------------------------------- what they say


def test_a_number_of_two_runs(two_runs):
    found = explain.explain(ADDRESS)
    row = next(row for row in comparison.table_cells() if row["address"] == ADDRESS)
    assert {name: found[name] for name in row} == row
    assert found["runs"] == 2
    assert [run["id"] for run in found["records"]] == [record.id for record in two_runs]
    truth = images.labels("TEST") == images.CLASSES.index("NEUTROPHIL")
    for run, record in zip(found["records"], two_runs, strict=True):
        at_25 = record.arrays["labels"][24]
        assert run["value"] == pytest.approx((at_25 == 0)[truth].mean())
        assert run["check"] == "verified"
        assert run["config"]["seed"] == record.config["seed"]
    text = explain.text(found)
    assert f"{row['ours']:.2f} ({row['low']:.2f}–{row['high']:.2f})" in text
    assert "after epoch 25, mean over 2 runs" in " ".join(text.split())
    for record in two_runs:
        assert record.content["arrays"]["sha256"] in text
        assert f"bloodlib study --verify --only {record.id}" in text


def test_without_a_run_the_papers_number_is_there_and_how_to_get_ours(folders):
    found = explain.explain(ADDRESS)
    assert (found["ours"], found["records"], found["frozen"]) == (None, [], False)
    text = explain.text(found)
    assert "`bloodlib study` computes what is missing" in " ".join(text.split())


def test_a_damaged_record_is_not_explained_away(two_runs):
    path = two_runs[0].path.with_name(two_runs[0].content["arrays"]["file"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(stored.StoredError, match=path.name):
        explain.explain(ADDRESS)
    found = explain.explain(two_runs[0].id)
    assert path.name in found["check"]
    assert "Checked   verified" not in explain.text(found)
    assert "Checked   verified" in explain.text(explain.explain(two_runs[1].id))


@pytest.mark.parametrize("address", ["", "tbl-paper-1/four", ADDRESS, "no-basophil"])
def test_in_a_terminal_and_as_json(two_runs, folders, capsys, address):
    shutil.copy(CHECKOUT / "results" / "dataset.json", folders.results)
    arguments = ["explain", address] if address else ["explain"]
    assert cli.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(explain.explain(address)))
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert said == explain.text(found) + "\n"


# ------------------------------------------------------------------------------------ on a page


def test_only_numbers_of_frozen_runs_are_links(two_runs):
    """Other runs than those of the page, such as a quick one, would lead to another number."""
    by_row = {("DCLNN", "four"): two_runs}

    def links(cells):
        return tables.load_cells(cells, 1).to_string().count("](#tbl-paper-1-four-dclnn-")

    assert links(comparison.table_cells()) == links(comparison.table_cells(by_row)) == 15
    assert links(comparison.table_cells({("DCLNN", "four"): two_runs[:1]})) == 0
    other = records.Record(two_runs[0].path.parent / "else" / "x.json", two_runs[0].content)
    assert "](#" in tables.load_runs(two_runs[:1])["Record"][0]
    other.__dict__["arrays"] = two_runs[0].arrays
    assert tables.load_runs([other])["Record"][0] == f"`{other.id}`"
