"""Every number has an address, and its address leads to where it comes from."""

import functools
import json
import re
import shlex
import shutil

import numpy as np
import pytest
from conftest import CHECKOUT
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import roles
from myst_parser.parsers.docutils_ import Parser
from test_comparison import freeze, invented

from bloodlib import cli, paper, study
from bloodlib.book import explain, publishing, tables
from bloodlib.data import images
from bloodlib.evidence import comparison, intervals
from bloodlib.study import records

ADDRESS = "tbl-paper-1/four/DCLNN/NEUTROPHIL/recall"
DCLNN = {"method": "DCLNN", "task": "four", "epochs": 25}


@pytest.fixture
def quick(monkeypatch):
    """Intervals that cost nothing; the numbers themselves are as always."""
    monkeypatch.setattr(
        intervals, "bounds", lambda score, labels, *_: [np.full(9, end) for end in (0.25, 0.75)]
    )


@pytest.fixture
def two_runs(folders):
    """Two runs behind a row, with two seeds; returned in the order of the seeds."""
    rng = np.random.default_rng(3)
    return [freeze(DCLNN | {"seed": seed}, invented(rng, "four", 25)) for seed in (4, 7)]


# ------------------------------------------------------------------------------- the addresses


def test_every_number_is_found_by_its_address_and_is_that_of_the_tables(quick, monkeypatch):
    known = comparison.cells()
    assert len({row["address"] for row in known}) == len(known) == len(paper.CELLS) == 120
    frozen = {method: comparison.compared(method, "four") for method in comparison.COMPARED}
    assert all(frozen.values()), "this test reads the frozen records of the book"
    monkeypatch.setattr(study, "check", lambda record: None)  # elsewhere, and not 120 times
    monkeypatch.setattr(comparison, "compared", functools.cache(comparison.compared))
    for row, cell in zip(known, paper.CELLS, strict=True):
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
    assert sorted(reached) == sorted(cell.address for cell in paper.CELLS)


@pytest.mark.parametrize(
    ("address", "below"),
    [
        ("", ["tbl-paper-1", "tbl-paper-2"]),
        ("tbl-paper-1", ["tbl-paper-1/four", "tbl-paper-1/two"]),
        (
            "tbl-paper-2/two/",
            ["tbl-paper-2/two/AveragePooling", "tbl-paper-2/two/MaxPooling"],
        ),
        (
            "tbl-paper-1/TWO/nb/polynuclear",
            [f"tbl-paper-1/two/NB/Polynuclear/{m}" for m in paper.MEASURES],
        ),
    ],
)
def test_a_beginning_lists_what_is_below(folders, address, below):
    assert [each["address"] for each in explain.explain(address)["below"]] == below


def test_counts_of_what_is_below(folders):
    counts = {each["address"]: each["numbers"] for each in explain.explain("")["below"]}
    assert counts == {"tbl-paper-1": 72, "tbl-paper-2": 48}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tbl-papr-1", "no 'tbl-papr-1' among tables, records and claims.*mean 'tbl-paper-1'"),
        ("tbl-paper-3/four", "mean 'tbl-paper-[12]'"),
        ("xyz", "There are: tbl-paper-1, tbl-paper-2."),
        ("tbl-paper-1/for", "no 'for' below tbl-paper-1. Did you mean 'four'"),
        ("tbl-paper-1/four/DCLN", "below tbl-paper-1/four. Did you mean 'DCLNN'"),
        ("tbl-paper-2/four/NB", "There are: AveragePooling, MaxPooling."),
        ("tbl-paper-1/two/NB/NEUTROPHIL", "There are: Mononuclear, Polynuclear, Average."),
        ("tbl-paper-1/DCLNN", "below tbl-paper-1. There are: four, two."),
        (f"{ADDRESS[:-6]}recal", "mean 'recall'"),
        (f"{ADDRESS}/seed", f"no 'seed' below {ADDRESS}"),
        ("tbl-paper-1//DCLNN", "no '' below tbl-paper-1"),
        ("recall-almost-tripel", "mean 'recall-almost-triple'"),
        ("DCLNN-four-0000000000", "There are: tbl-paper-1"),
        ("../runs", "no '..' among"),
    ],
)
def test_a_wrong_address_names_the_nearest(folders, address, words):
    with pytest.raises(ValueError, match=words):
        explain.explain(address)


def test_a_wrong_id_names_the_nearest_record(two_runs):
    ident = two_runs[0].id
    with pytest.raises(ValueError, match=f"mean '{ident}'"):
        explain.explain(ident[:-1])


# ------------------------------------------------------------------------------- what they say


def test_a_number_of_two_runs(two_runs):
    found = explain.explain(ADDRESS)
    row = next(row for row in comparison.cells() if row["address"] == ADDRESS)
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
    assert text.splitlines()[0] == f"Number    {ADDRESS}"
    assert "0.94 in Table 1 (section 6.2): four classes, DCLNN, row NEUTROPHIL" in text
    assert f"{row['ours']:.2f} ({row['low']:.2f}–{row['high']:.2f})" in text
    words = " ".join(text.split())
    assert "Recall of NEUTROPHIL (equation 16) on the 2,487 images of TEST" in words
    assert "after epoch 25, mean over 2 runs" in words
    for record in two_runs:
        environment = record.environment
        for word in (
            f"Run       {record.id}",
            f"Settings  DCLNN four, seed {record.config['seed']}",
            f"Data      {images.DATA_HASH}",
            f"Commit    {environment['commit'] or 'not recorded'}",
            "Started   2025-01-01 00:00 UTC, for 1 seconds",
            f"SHA-256   {record.content['arrays']['sha256']}",
            f"Repeat    bloodlib study --verify --only {record.id}",
        ):
            assert word in text
        assert f"numpy {environment['packages']['numpy']}" in words


def test_an_average_says_so_and_a_method_without_epochs_names_none(folders):
    freeze({"method": "NB", "task": "two"}, invented(np.random.default_rng(0), "two"))
    found = explain.explain("tbl-paper-1/two/NB/Average/f1")
    assert found["computed"].startswith(
        "The plain mean of the classes' F1 (equation 17) on the 2,487 images of TEST, of one run;"
    )
    assert found["ours"] == found["records"][0]["value"]


def test_without_a_run_the_papers_number_is_there_and_how_to_get_ours(folders):
    found = explain.explain(ADDRESS)
    assert (found["ours"], found["records"], found["frozen"]) == (None, [], False)
    text = explain.text(found)
    assert "Ours      –" in text
    assert "`bloodlib study` computes what is missing" in " ".join(text.split())


def test_a_damaged_record_is_not_explained_away(two_runs):
    path = two_runs[0].path.with_name(two_runs[0].content["arrays"]["file"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(records.RecordError, match=path.name):
        explain.explain(ADDRESS)
    found = explain.explain(two_runs[0].id)
    assert path.name in found["check"]
    assert "Checked   verified" not in explain.text(found)
    assert "Checked   verified" in explain.text(explain.explain(two_runs[1].id))


def test_a_run_without_a_result_says_why(folders):
    labels = images.labels("TEST", "two")[None]
    record = freeze({"method": "SVM", "task": "two", "kind": "nu"}, labels, "infeasible")
    text = explain.text(explain.explain(record.id))
    assert "State     infeasible: no solution" in text
    assert "SHA-256   none" in text


def test_the_command_can_be_pasted_whatever_the_method_is_called(folders):
    record = records.Record(folders.results / "x.json", {
        "id": "nearest photograph-four-0123456789", "arrays": None,
        "config": {"method": "NB", "task": "four"},
    })  # fmt: skip
    command = explain.describe(record)["command"]
    assert shlex.split(command)[-1] == record.id
    assert tables.anchor(record.id) == "nearest-photograph-four-0123456789"


def test_a_claim_has_its_place_and_its_verdict(folders):
    shutil.copy(CHECKOUT / "results" / "dataset.json", folders.results)
    found = explain.explain("originals-400")
    claim = next(claim for claim in paper.CLAIMS if claim.id == "originals-400")
    assert (found["place"], found["text"]) == (claim.place, claim.text)
    text = " ".join(explain.text(found).split())
    assert claim.text in text
    assert f"Verdict {found['verdict']}" in text


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
    assert all(len(line) <= 80 for line in said.splitlines())


def test_a_wrong_address_ends_in_one_sentence(folders, capsys):
    assert cli.main(["explain", "tbl-paper-1/four/DCLN"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "bloodlib: there is no 'DCLN' below tbl-paper-1/four. Did you mean 'DCLNN'?\n"
    )


# ------------------------------------------------------------------------------------ on a page


def parsed(*shown):
    """Markdown of a page as docutils reads it, with the book's role."""
    roles.register_local_role("anchor", publishing.Anchor())
    roles.register_generic_role("numref", nodes.inline)  # Sphinx's; what it leads to is its affair
    try:
        return publish_doctree(
            "\n\n".join(each.data for each in shown),
            parser=Parser(),
            settings_overrides={
                "myst_enable_extensions": ["colon_fence"], "report_level": 5, "env": None
            },
        )  # fmt: skip
    finally:
        for name in ("anchor", "numref"):
            roles._roles.pop(name)


def test_links_of_all_tables_lead_to_the_rows_and_runs_of_the_page(quick):
    cells = comparison.cells()
    page = parsed(
        explain.show_numbers(cells, 1), explain.show_numbers(cells, 2), explain.show_runs()
    )
    assert not list(page.findall(nodes.system_message)), page.pformat()
    targets = {ident: node for node in page.findall(nodes.target) for ident in node["ids"]}
    assert all(re.fullmatch("[a-z][a-z0-9-]*", ident) for ident in targets)
    frozen = records.read_all()
    wanted = [cell.address for cell in paper.CELLS] + [record.id for record in frozen]
    assert sorted(targets) == sorted(tables.anchor(address) for address in wanted)
    links = [
        *re.findall(r"\]\(#(.*?)\)", tables.load_cells(cells, 1).to_string()),
        *re.findall(r"\]\(#(.*?)\)", tables.load_cells(cells, 2).to_string()),
    ]
    assert links == [tables.anchor(cell.address) for cell in paper.CELLS]
    runs = re.findall(r"\]\(#(.*?)\)", tables.load_records().to_string())
    assert runs == [tables.anchor(record.id) for record in frozen]
    inside = {link["refid"] for link in page.findall(nodes.reference)}
    assert inside == {
        tables.anchor(run.id)
        for method in comparison.COMPARED
        for task in images.TASKS
        for run in comparison.compared(method, task)
    }
    (screen,) = (box for box in page.findall(nodes.container) if "screen" in box["classes"])
    left_out = {ident for node in screen.findall(nodes.target) for ident in node["ids"]}
    assert left_out == {tables.anchor(record.id) for record in frozen} - inside
    named = {name for table in page.findall(nodes.table) for name in table["names"]}
    referred = set(re.findall(r"\{numref\}`(.*?)`", explain.show_numbers(cells, 1).data))
    referred |= set(re.findall(r"\{numref\}`(.*?)`", explain.show_numbers(cells, 2).data))
    assert named == referred
    assert len(named) == 10


def test_the_rows_of_the_page_say_what_explain_says(two_runs):
    frame = explain.load_numbers(comparison.cells(), 1, "four", "DCLNN")
    assert list(frame.columns) == ["Number", "Paper", "Ours", "Run 1", "Run 2"]
    assert len(frame) == 15
    found = explain.explain(ADDRESS)
    (row,) = frame[frame["Number"] == f"{{anchor}}`NEUTROPHIL/recall <{ADDRESS}>`"].to_numpy()
    assert list(row[1:]) == [
        found["printed"],
        comparison.with_interval(found["ours"], found["low"], found["high"]),
        *(f"{run['value']:.4f}" for run in found["records"]),
    ]
    text = explain.show_numbers(comparison.cells(), 1).data
    assert f"Run 1 is [DCLNN four, seed 4](#{two_runs[0].id.lower()})." in text
    assert "No recorded run stands beside this row yet" in text  # the other methods'


def test_only_numbers_of_frozen_runs_are_links(two_runs):
    """Other runs than those of the page, such as a quick one, would lead to another number."""
    by_row = {("DCLNN", "four"): two_runs}

    def links(cells):
        return tables.load_cells(cells, 1).to_string().count("](#tbl-paper-1-four-dclnn-")

    assert links(comparison.cells()) == links(comparison.cells(by_row)) == 15
    assert links(comparison.cells({("DCLNN", "four"): two_runs[:1]})) == 0
    other = records.Record(two_runs[0].path.parent / "else" / "x.json", two_runs[0].content)
    assert "](#" in tables.load_runs(two_runs[:1])["Record"][0]
    other.__dict__["arrays"] = two_runs[0].arrays
    assert tables.load_runs([other])["Record"][0] == f"`{other.id}`"


def test_the_terminals_tables_have_no_links(two_runs):
    report = {"cells": comparison.cells(), "claims": []}
    assert "](#" not in tables.report_text(report)
