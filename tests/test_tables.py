"""Tables as the pages and the terminal get them."""

import json
import re
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docutils import nodes
from docutils.core import publish_doctree
from myst_parser.parsers.docutils_ import Parser
from sklearn.metrics import confusion_matrix

from bloodlib import paper, study
from bloodlib.book import tables
from bloodlib.data import images
from bloodlib.evidence import comparison, verdicts
from bloodlib.study import records

ENVIRONMENT = {
    "commit": "0123456789abcdef",
    "python": "3.12",
    "platform": "Linux x86_64",
    "processor": "A Processor",
    "device": "processor",
    "backend": "",
    "packages": {},
}


def rendered(shown):
    """A table as docutils reads it: node, caption, header, rows."""
    tree = publish_doctree(
        shown.data,
        parser=Parser(),
        settings_overrides={"myst_enable_extensions": ["colon_fence"], "report_level": 5},
    )
    assert not list(tree.findall(nodes.problematic)), tree.pformat()
    assert not list(tree.findall(nodes.system_message)), tree.pformat()
    (table,) = tree.findall(nodes.table)
    rows = [[entry.astext() for entry in row.children] for row in table.findall(nodes.row)]
    (title,) = table.findall(nodes.title)
    return table, title.astext(), rows[0], rows[1:]


FRAME = pd.DataFrame(
    {
        "Name": ["a", "b|c", "d"],
        "Ours": [0.1234, np.nan, 1.0],
        "Runs": [1, 20, 3],
        "Note": ["x", None, "–"],
    }
)


def test_show_is_a_numbered_table_with_a_caption():
    table, caption, header, rows = rendered(tables.show(FRAME, "tbl-x", "A caption, *so*."))
    assert table["names"] == ["tbl-x"] or "tbl-x" in table["ids"]
    assert caption == "A caption, so."
    assert header == ["Name", "Ours", "Runs", "Note"]
    assert rows == [["a", "0.12", "1", "x"], ["b|c", "–", "20", "–"], ["d", "1.00", "3", "–"]]


def test_show_aligns_numbers_escapes_pipes_and_changes_nothing():
    before = FRAME.copy(deep=True)
    text = tables.show(FRAME, "tbl-x", "C", decimals=3).data
    assert text.splitlines()[4:6] == ["| :-- | --: | --: | :-- |", "| a | 0.123 | 1 | x |"]
    assert "b\\|c" in text
    pd.testing.assert_frame_equal(FRAME, before)


def test_show_chooses_heads_and_formats_columns():
    frame = pd.DataFrame(
        {
            "task": ["two", "four", "four"],
            "share": [0.256, -0.5, np.nan],
            "low": [0.1, np.nan, np.nan],
            "high": [0.4, np.nan, np.nan],
            "photograph": [7, 8, -1],
        }
    )
    columns = {
        "photograph": "Worst",
        "task": "Classes",
        ("share", "low", "high"): "Right",
        "share": "In percent",
        ("low", "photograph"): "Both",
    }
    fmt = {
        "Classes": str.capitalize,
        "In percent": "+.0%",
        "Both": lambda low, number: f"{low} of {number}",
    }
    _, _, header, rows = rendered(tables.show(frame, "tbl-x", "C", columns=columns, fmt=fmt))
    assert header == list(columns.values())
    assert rows == [
        ["7", "Two", "0.26 (0.10\u2060–\u20600.40)", "+26%", "0.1 of 7"],
        ["8", "Four", "-0.50", "−50%", "–"],
        ["-1", "Four", "–", "–", "–"],
    ]


# --------------------------------------------------------------------------- what they hold


def test_load_cells_puts_ours_beside_the_papers():
    cells = comparison.cells({})
    for number, cell in enumerate(cells):
        cell["ours"] = number / 1000
        if cell["class"] != "Average":
            cell |= {"low": number / 1000 - 0.2, "high": number / 1000 + 0.3}
    frame = tables.load_cells(cells, 1, method=["NB", "SVM"], task="four")
    assert list(frame.columns) == ["Classes", "Method", "Class"] + [
        f"{name}: {source}"
        for name in tables.MEASURE_NAMES.values()
        for source in ("paper", "ours")
    ]
    assert frame[["Method", "Class"]].to_numpy().tolist() == [
        [m, c.capitalize()] for m in ("NB", "SVM") for c in (*images.TASKS["four"], "Average")
    ]
    assert set(frame["Classes"]) == {"four"}
    known = {(c["class"].capitalize(), c["measure"]): c for c in cells
             if (c["table"], c["task"], c["method"]) == (1, "four", "SVM")}  # fmt: skip
    found = frame[frame["Method"] == "SVM"].set_index("Class")
    for (class_, measure), cell in known.items():
        name = tables.MEASURE_NAMES[measure]
        assert found.loc[class_, f"{name}: paper"] == cell["paper"]
        ours, low, high = (f"{cell['ours'] + d:.2f}" for d in (0, -0.2, 0.3))
        text = ours if class_ == "Average" else f"{ours} ({low}–{high})"
        assert found.loc[class_, f"{name}: ours"] == text


def test_an_interval_is_drawn_to_scale_and_hidden_from_screen_readers():
    from bs4 import BeautifulSoup

    text = tables.interval_drawn({"ours": 0.5, "low": 0.25, "high": 1.0, "paper": 0.0})
    svg = BeautifulSoup(text, "html.parser").svg
    assert (svg["aria-hidden"], svg["viewbox"]) == ("true", "0 0 64 10")
    axis, line, printed = svg("path")
    assert axis["d"] == "M4 5H60"  # from 0 to 1
    assert line["d"] == "M18.0 5H60.0"
    assert svg.circle["cx"] == "32.0"
    assert printed["d"].startswith("M4.0 1")
    assert not set("|–") & set(text)  # it stands in a cell of a table
    without = {"ours": 0.5, "low": 0.25, "high": 1.0, "paper": None}
    assert "printed" not in tables.interval_drawn(without)
    assert tables.interval_drawn(dict.fromkeys(("ours", "low", "high")) | {"paper": 0.3}) == ""


@pytest.mark.parametrize(("table", "rows"), [(1, 24), (2, 16)])
def test_load_cells_of_a_whole_table(table, rows):
    frame = tables.load_cells(comparison.cells({}), table)
    assert len(frame) == rows
    assert len(rendered(tables.show(frame, "tbl-x", "C"))[3]) == rows
    assert (frame.filter(like=": ours") == "–").all(axis=None)


def test_claims_settings_and_verdicts_are_all_there():
    claims = tables.load_claims()
    assert len(claims) == len(paper.CLAIMS)
    assert claims["Verdict"].isin(verdicts.VERDICTS).all()
    some = tables.load_claims("section 6.2")
    assert 0 < len(some) < len(claims)
    assert some["Where"].str.startswith("section 6.2").all()
    assert tables.load_verdicts()["Claims"].sum() == len(paper.CLAIMS)
    assert "(blank)" in set(tables.load_stated()["Printed"])
    for frame, n in (
        (claims, len(paper.CLAIMS)),
        (tables.load_settings(), len(paper.UNSTATED)),
        (tables.load_stated(), len(paper.STATED)),
    ):
        _, _, header, rows = rendered(tables.show(frame, "tbl-x", "C"))
        assert len(rows) == n
        assert {len(row) for row in rows} == {len(header)}


def test_photographs_are_counted():
    facts = images.dataset()
    found = tables.load_photographs(facts).set_index("")["number"]
    assert found["photographs published"] == facts["photographs"]
    assert found["photographs with several labels"] == len(facts["photographs_with_several_labels"])


def test_load_measures_are_the_equations():
    confusion = np.array([[8, 2], [1, 9]])
    frame = tables.load_measures(confusion, "two").set_index("Class")
    assert list(frame.index) == ["Mononuclear", "Polynuclear"]
    assert frame.loc["Mononuclear", "Precision"] == pytest.approx(8 / 9)
    assert frame.loc["Polynuclear", "Recall"] == pytest.approx(9 / 10)
    assert frame.loc["Mononuclear", tables.MEASURE_NAMES["f1"]] == pytest.approx(16 / 19)
    assert frame["Equation 14"].tolist() == [pytest.approx(17 / 20)] * 2


def record(config, labels, **more):
    """A record that lies nowhere."""
    config = study.resolve(config)
    n = len(images.TASKS[config["task"]])
    found = types.SimpleNamespace(
        id=study.identify(config),
        status="complete",
        config=config,
        epochs=1,
        seconds=90.0,
        started="2025-06-07T08:09:10+00:00",
        environment=ENVIRONMENT,
        path=Path("elsewhere", "a record.json"),
        confusion=lambda split="TEST", epoch=None: np.diag([labels] * n) + 1,
    )
    vars(found).update(more)
    return found


def predicting(config, rng):
    """A record with random labels on the images of both folders."""
    found = record(config, 8)
    arrays, task = {}, found.config["task"]
    for split, suffix in (("TEST", ""), ("TEST_SIMPLE", "_simple")):
        truth = images.labels(split, task)
        taken = np.where(rng.random(len(truth)) < 0.7, truth, 0)
        arrays |= {f"truth{suffix}": truth, f"labels{suffix}": taken if suffix else taken[None]}

    def confusion(split="TEST", epoch=None):
        suffix = "_simple" if split == "TEST_SIMPLE" else ""
        return confusion_matrix(arrays[f"truth{suffix}"], arrays[f"labels{suffix}"].ravel())

    vars(found).update(arrays=arrays, confusion=confusion)
    return found


def test_load_runs():
    config = {"method": "SVM", "task": "two", "kernel": "linear", "seed": 3}
    found = predicting(config, np.random.default_rng(0))
    (row,) = tables.load_runs([found]).to_dict("records")
    assert row["Run"] == "SVM two, seed 3, kernel linear"
    assert row["Minutes"] == 1.5
    assert row["Record"] == f"`{found.id}`"
    for split, column in (("TEST", "Accuracy on TEST"), ("TEST_SIMPLE", "on TEST_SIMPLE")):
        confusion = found.confusion(split)
        value, low, high = map(float, re.findall(r"\d\.\d\d", row[column]))
        assert value == pytest.approx(np.trace(confusion) / confusion.sum(), abs=0.005)
        assert low < value < high
    vars(found).update(config=study.resolve(config | {"images_per_class": 400}))
    (row,) = tables.load_runs([found]).to_dict("records")
    assert re.fullmatch(r"0\.\d\d", row["Accuracy on TEST"])


def test_load_measured_has_the_equations_with_intervals():
    found = predicting({"method": "NB", "task": "four"}, np.random.default_rng(1))
    frame = tables.load_measured(found)
    plain = tables.load_measures(found.confusion(), "four")
    assert list(frame.columns) == list(plain.columns)
    assert frame["Class"].tolist() == plain["Class"].tolist()
    for column in plain.columns[1:]:
        for text, expected in zip(frame[column], plain[column], strict=True):
            value, low, high = map(float, re.findall(r"\d\.\d\d", text))
            assert value == pytest.approx(expected, abs=0.005)
            assert low <= value <= high
    vars(found).update(config=found.config | {"images_per_class": 400})
    assert tables.load_measured(found)["Recall"].tolist() == [f"{v:.2f}" for v in plain["Recall"]]


def test_no_line_ends_inside_an_interval():
    frame = pd.DataFrame({"Ours": ["0.79 (0.61–0.93)"], "Pages": ["1036–1044 – and on"]})
    (row,) = rendered(tables.show(frame, "tbl-x", "From 0.1–0.2, C"))[3]
    assert row == ["0.79 (0.61\u2060–\u20600.93)", "1036\u2060–\u20601044 – and on"]


def test_load_records_names_those_without_a_result(monkeypatch):
    good = record({"method": "NB", "task": "four"}, 1)
    bad = record({"method": "SVM", "task": "four"}, 1, status="failed")
    bad.config = {"method": "gone"}
    monkeypatch.setattr(records, "read_all", lambda: [good, bad])
    first, second, *missing = tables.load_records().to_dict("records")
    assert first["Run"] == "NB four"
    assert first["Started (UTC)"] == "2025-06-07 08:09"
    assert first["On"] == "A Processor"
    assert first["Commit"] == "`0123456789`"
    assert (second["Run"], second["State"]) == (bad.id, "failed")
    assert {row["State"] for row in missing} == {"missing"}


def test_load_setup(monkeypatch):
    monkeypatch.setattr(study, "select", lambda **_: [])
    frame = tables.load_setup()
    assert frame["Setup"].tolist() == list(paper.SETUP)
    assert set(frame["Ours"]) == {"not recorded"}
    gpu = record({"method": "DCLNN", "task": "two"}, 1, environment=ENVIRONMENT | {"device": "H"})
    cpu = record({"method": "DCLNN", "task": "two"}, 1)
    monkeypatch.setattr(study, "select", lambda **_: [gpu, cpu])
    ours = tables.load_setup().set_index("Setup")["Ours"]
    assert ours["Graphic Card"] == "H; none"
    assert ours["Processor"] == "A Processor"
    assert ours["RAM"] == "not recorded"


def test_load_run_counts():
    cells = comparison.cells({})
    for cell in cells:
        cell["runs"] = 3 if (cell["method"], cell["task"]) == ("SVM", "two") else 0
    frame = tables.load_run_counts(cells).set_index("Row")
    assert list(frame.index) == list(comparison.COMPARED)
    assert frame.loc["SVM", "two classes"] == 3
    assert frame.to_numpy().sum() == 3


@pytest.mark.parametrize(("at_hand", "words"), [(True, images.DATA_HASH), (False, "not at hand")])
def test_load_environment_tells_whether_there_are_images(monkeypatch, at_hand, words):
    monkeypatch.setattr(tables, "available", lambda: at_hand)
    frame = tables.load_environment().set_index("")["value"]
    assert words in frame["images"]
    assert {"bloodlib", "commit", "Python", "numpy", "scikit-learn"} <= set(frame.index)


# --------------------------------------------------------------------------- the report


def test_report_has_every_number_and_every_claim():
    report = json.loads(json.dumps(tables.report()))
    assert set(report) == {"cells", "claims"}
    assert len(report["cells"]) == 120
    for cell in report["cells"]:
        assert set(cell) == {
            "address", "table", "task", "method", "class", "measure",
            "paper", "ours", "low", "high", "runs", "frozen",
        }  # fmt: skip
    assert [claim["id"] for claim in report["claims"]] == [claim.id for claim in paper.CLAIMS]
    for claim in report["claims"]:
        assert set(claim) == {"id", "place", "text", "verdict", "evidence"}
        assert claim["verdict"] in verdicts.VERDICTS


def test_report_in_words():
    report = {
        "cells": comparison.cells({}),
        "claims": [
            {"id": "x", "place": "p", "text": "t", "verdict": "reproduced", "evidence": "Seen."},
            {"id": "y", "place": "q", "text": "u", "verdict": "not tested yet", "evidence": ""},
        ],
    }
    text = tables.report_text(report)
    assert "Table 1" in text
    assert "Table 2" in text
    assert "–" in text
    assert "nan" not in text.lower()
    assert "[reproduced] x (p)\n      t\n      Seen.\n  [not tested yet] y (q)\n      u" in text
