"""What CONTRIBUTING.md says of adding a method is done here, with its own blocks of code."""

import re

import numpy as np
import pytest
from conftest import CHECKOUT
from test_comparison import expected, freeze, invented

from bloodlib import cli, paper, study
from bloodlib.book import tables
from bloodlib.data import images
from bloodlib.evidence import comparison
from bloodlib.models import methods
from bloodlib.study import records


def block(language):
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


@pytest.fixture
def forest(checkout, monkeypatch):
    """A checkout with the function and the line."""
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    pasted = compile(block("python"), "CONTRIBUTING.md", "exec")
    exec(pasted, dict(vars(methods)))
    line = block("yaml")
    (said,) = line.splitlines()
    quick = "profiles:\n  quick: {images_per_class: 24, trees: 10}\nruns:\n"
    checkout(f"{quick}  - {{method: majority, task: four}}\n{said}\n")


def rows(table=1):
    frame = tables.load_cells(comparison.table_cells() + comparison.added(table), table)
    return frame[frame["Method"] == "forest"]


def test_the_forest_learns(forest, capsys):
    assert cli.main(["study", "--only", "forest", "--profile", "quick", "--images", "drawn"]) == 0
    for config in study.grid("quick", "drawn", ["forest"]):
        record = study.recorded(config)
        guessing = 1 / len(images.TASKS[config["task"]])
        right = np.mean(record.arrays["labels"][-1] == record.arrays["truth"])
        assert right > guessing + 0.2
    assert comparison.added(1)[0]["ours"] is None, "drawn cells are in Table 1"


def test_table_1_has_a_row_for_each_class_of_it(forest, capsys, monkeypatch):
    assert len(rows()) == 5 + 3
    assert (rows().filter(like="ours") == "–").all(axis=None)
    wanted = {}
    for config in study.runs(1):
        labels = invented(np.random.default_rng(0), config["task"])
        freeze(config, labels)
        wanted[config["task"]] = expected(labels[-1], config["task"])
    shown = rows().set_index(["Classes", "Class"])
    assert shown.filter(like="paper").isna().all(axis=None)
    for task, numbers in wanted.items():
        for (class_, measure), number in numbers.items():
            cell = shown.loc[(task, class_.capitalize()), f"{tables.MEASURE_NAMES[measure]}: ours"]
            assert cell.startswith(f"[{number:.2f}](#forest-{task}-")
            assert re.search(r" \([01]\.\d\d–[01]\.\d\d\)$", cell), "no interval"
    assert rows(2).empty
    monkeypatch.setattr(paper, "CLAIMS", ())  # their verdicts need more than these records
    assert cli.main(["report"]) == 0
    assert len(re.findall(r"(?m)^ *(?:four|two) +forest ", capsys.readouterr().out)) == 8


def test_a_table_that_the_paper_does_not_have_is_refused(checkout):
    checkout("profiles: {}\nruns:\n  - {method: majority, task: four, table: 3}\n")
    with pytest.raises(ValueError, match=r"table is 3\. There are: 1, 2"):
        study.runs()


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_the_forest_is_frozen_and_shown(forest):
    assert cli.main(["study", "--only", "forest four"]) == 0
    assert len(list(records.folder().glob("forest-four-*.json"))) == 1
    averages = rows().set_index(["Classes", "Class"]).loc[("four", "Average")]
    assert float(averages["F1: ours"][1:5]) > 0.25
