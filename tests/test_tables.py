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
from bloodlib.evidence import comparison, scores, verdicts
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
    before = FRAME.copy(deep=True)
    table, caption, header, rows = rendered(tables.show(FRAME, "tbl-x", "A caption, *so*."))
    pd.testing.assert_frame_equal(FRAME, before)
    assert table["names"] == ["tbl-x"] or "tbl-x" in table["ids"]
    assert caption == "A caption, so."
    assert header == ["Name", "Ours", "Runs", "Note"]
    assert rows == [["a", "0.12", "1", "x"], ["b|c", "–", "20", "–"], ["d", "1.00", "3", "–"]]


def test_show_chooses_heads_and_formats_columns():
    frame = pd.DataFrame(
        {
            "task": ["two", "four", "four"],
            "share": [0.256, -0.5, np.nan],
            "all_right": [0.256, -0.5, np.nan],
            "low": [0.1, np.nan, np.nan],
            "high": [0.4, np.nan, np.nan],
            "photograph": [7, 8, -1],
        }
    )
    shown = tables.show(
        frame,
        "tbl-x",
        "C",
        columns=[
            "photograph",
            "task",
            ("share", "low", "high"),
            "all_right",
            ("low", "photograph"),
        ],
        headings={"photograph": "Worst", "low": "Both"},
        fmt={
            "task": str.capitalize,
            "all_right": "+.0%",
            "low": lambda low, number: f"{low} of {number}",
        },
    )
    _, _, header, rows = rendered(shown)
    assert header == ["Worst", "Classes", "Share", "All right", "Both"]
    assert rows == [
        ["7", "Two", "0.26 (0.10\u2060–\u20600.40)", "+26%", "0.1 of 7"],
        ["8", "Four", "-0.50", "−50%", "–"],
        ["-1", "Four", "–", "–", "–"],
    ]


# --------------------------------------------------------------------------- what they hold


def test_load_cells_puts_ours_beside_the_papers():
    cells = comparison.table_cells({})
    for number, cell in enumerate(cells):
        cell["ours"] = number / 1000
        if cell["class"] != "Average":
            cell |= {"low": number / 1000 - 0.2, "high": number / 1000 + 0.3}
    frame = tables.load_cells(cells, 1, method=["NB", "SVM"], task="four")
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


def test_every_claim_has_its_row():
    claims = tables.load_claims()
    assert len(claims) == len(paper.CLAIMS)
    assert claims["Verdict"].isin(list(verdicts.Verdict)).all()
    _, _, header, rows = rendered(tables.show(claims, "tbl-x", "C"))
    assert len(rows) == len(paper.CLAIMS)
    assert {len(row) for row in rows} == {len(header)}


def record(config, labels, **more):
    """A record that lies nowhere."""
    config = study.resolve(config)
    n = len(images.TASKS[config["task"]])
    found = types.SimpleNamespace(
        id=study.identify(config),
        status="complete",
        config=config,
        epochs=1,
        has_epochs=False,
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

    vars(found).update(arrays=arrays, confusion=confusion, has_epochs=False)
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


def test_load_measured_has_the_equations_with_intervals():
    found = predicting({"method": "NB", "task": "four"}, np.random.default_rng(1))
    frame = tables.load_measured(found)
    confusion = found.confusion()
    plain = {"Equation 14": scores.class_accuracy(confusion)}
    plain |= {tables.MEASURE_NAMES[name]: of(confusion) for name, of in scores.MEASURES.items()}
    assert list(frame) == ["Class", *plain]
    for column in plain:
        for text, expected in zip(frame[column], plain[column], strict=True):
            value, low, high = map(float, re.findall(r"\d\.\d\d", text))
            assert value == pytest.approx(expected, abs=0.005)
            assert low <= value <= high
    vars(found).update(config=found.config | {"images_per_class": 400})
    assert tables.load_measured(found)["Recall"].tolist() == [f"{v:.2f}" for v in plain["Recall"]]


def test_load_records_names_those_without_a_result(monkeypatch):
    good = record({"method": "NB", "task": "four"}, 1)
    bad = record({"method": "SVM", "task": "four"}, 1, status="failed")
    bad.config = {"method": "gone"}
    monkeypatch.setattr(records, "read_all", lambda: [good, bad])
    first, second, *missing = tables.load_records().to_dict("records")
    assert first["Run"] == "Naive Bayes four"
    assert first["Started (UTC)"] == "2025-06-07 08:09"
    assert (second["Run"], second["State"]) == (bad.id, "failed")
    assert {row["State"] for row in missing} == {"missing"}


def test_load_setup():
    found = tables.load_setup().set_index("Setup")
    assert list(found.index) == list(paper.SETTINGS["setup"])
    assert found.loc["RAM", "Ours"] == "not recorded"
    assert found.loc["Processor", "Ours"] != "not recorded"


# --------------------------------------------------------------------------- the report


def test_report_has_every_number_and_every_claim():
    report = json.loads(json.dumps(tables.report()))
    assert set(report) == {"cells", "claims"}
    assert len(report["cells"]) == 120 + len(comparison.added(1) + comparison.added(2))
    assert [claim["id"] for claim in report["claims"]] == [claim.id for claim in paper.CLAIMS]
    assert {claim["verdict"] for claim in report["claims"]} <= set(verdicts.Verdict)
    text = tables.report_text(report)
    for words in ("Table 1", "Table 2", *(claim.id for claim in paper.CLAIMS)):
        assert words in text
    assert "nan" not in text.split()
