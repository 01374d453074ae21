"""The paper's tables beside ours: ``load_*`` gathers a table, :func:`show` prints it on a page."""

import numpy as np
import pandas as pd

from bloodlib import __version__, paper, study
from bloodlib.analyses import claims
from bloodlib.analyses.tables import anchor, link, markdown, show  # noqa: F401  chapters' one door
from bloodlib.data import stored
from bloodlib.data.images import DATA_HASH, SOURCE, TASKS, available
from bloodlib.evidence import scores, verdicts
from bloodlib.evidence.comparison import COMPARED, added, cells, estimate, with_interval
from bloodlib.study import records

MEASURE_NAMES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
#: Equations 14 to 17, by the titles of their columns.
EQUATIONS = {"Equation 14": scores.class_accuracy} | {
    MEASURE_NAMES[name]: measure for name, measure in scores.MEASURES.items()
}


def load_cells(cells: list[dict], table: int, linked: bool = True, **where) -> pd.DataFrame:
    """A printed table with ours: a row for each method and class, paper and ours by measure.

    Ours is text, with its interval in brackets, and drawn where it is a link.

    Parameters
    ----------
    cells : list of dict
        See :func:`bloodlib.evidence.comparison.cells`.
    table : {1, 2}
        Which table of the paper.
    linked : bool
        Make ours of frozen runs a link to where it comes from, for a page.
    **where
        Values that ``task``, ``method`` or ``class`` must have; a list means any of them.
    """
    rows = {}
    for cell in cells:
        if cell["table"] != table or any(cell[k] not in np.atleast_1d(v) for k, v in where.items()):
            continue
        ours = with_interval(cell["ours"], cell["low"], cell["high"])
        if linked and cell["frozen"]:
            number, _, interval = ours.partition(" ")
            ours = f"{link(number, cell['address'])} {interval_drawn(cell)} {interval}".rstrip()
        row = rows.setdefault((cell["task"], cell["method"], cell["class"].capitalize()), {})
        name = MEASURE_NAMES[cell["measure"]]
        row |= {f"{name}: paper": cell["paper"], f"{name}: ours": ours}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(["Classes", "Method", "Class"]).reset_index()


def interval_drawn(cell: dict) -> str:
    """The interval of a cell as a little SVG from 0 to 1, for a page; "" without interval.

    A line from end to end, a dot at ours, a hollow diamond at the paper's, if it has one. A screen
    reader passes it by: the numbers stand beside it.
    """
    if cell["low"] is None or cell["ours"] is None:
        return ""
    low, high, ours = (round(4 + 56 * cell[key], 1) for key in ("low", "high", "ours"))
    diamond = ""
    if cell["paper"] is not None:
        printed = round(4 + 56 * cell["paper"], 1)
        diamond = f'<path class="printed" d="M{printed} 1l4 4-4 4-4-4z"/>'
    return (
        '<svg class="interval" viewBox="0 0 64 10" aria-hidden="true">'
        f'<path class="axis" d="M4 5H60"/><path d="M{low} 5H{high}"/>'
        f'<circle cx="{ours}" cy="5" r="2.5"/>{diamond}</svg>'
    )


def load_runs(runs: list[records.Record]) -> pd.DataFrame:
    """Runs in words, their accuracy on TEST and TEST_SIMPLE with intervals, and what they cost."""
    return pd.DataFrame(
        [
            {
                "Run": study.describe(record.config),
                "Accuracy on TEST": str(estimate([record])),
                "on TEST_SIMPLE": str(estimate([record], split="TEST_SIMPLE")),
                "Minutes": record.seconds / 60,
                "Record": _linked(f"`{record.id}`", record),
            }
            for record in runs
        ]
    )


def load_claims(place: str = "") -> pd.DataFrame:
    """Claims of the paper: where, in its words, what would have to be true, the verdict.

    Parameters
    ----------
    place : str
        Only claims whose place begins so.
    """
    return pd.DataFrame(
        [
            {
                "Where": claim.place,
                "The paper says": f"“{claim.text}”",
                "True if": claim.about,
                "Verdict": claims.verdict(claim.id).verdict,
                "Because": claims.verdict(claim.id).evidence,
            }
            for claim in paper.CLAIMS
            if claim.place.startswith(place)
        ]
    )


def load_settings() -> pd.DataFrame:
    """What the paper leaves unstated, with the value used here and why."""
    return pd.DataFrame(paper.UNSTATED).set_axis(["Left open", "Here", "Why"], axis=1)


def load_stated() -> pd.DataFrame:
    """The settings that the paper states, as printed."""
    found = pd.DataFrame(paper.STATED).replace({"value": {"": "(blank)"}})
    return found.set_axis(["Setting", "Printed", "Where"], axis=1)


def load_run_counts(cells: list[dict]) -> pd.DataFrame:
    """How many runs stand behind each row of Tables 1 and 2."""
    frame = pd.DataFrame(cells).drop_duplicates(["method", "task"])
    wide = frame.pivot(index="method", columns="task", values="runs").loc[list(COMPARED)]
    return wide.rename(columns="{} classes".format).rename_axis("Row").reset_index()


def load_setup() -> pd.DataFrame:
    """The setup table of section 6.1 beside the machine of the network's frozen runs."""
    runs = study.select(method="DCLNN")
    here = {
        "Processor": {r.environment["processor"] for r in runs},
        "Operating System": {r.environment["platform"] for r in runs},
        "Graphic Card": {r.environment["device"].replace("processor", "none") for r in runs},
    }
    return pd.DataFrame(
        [
            {
                "Setup": name,
                "Paper": printed,
                "Ours": "; ".join(sorted(here.get(name, ()))) or "not recorded",
            }
            for name, printed in paper.SETUP.items()
        ]
    )


def load_verdicts() -> pd.DataFrame:
    """How many claims have which verdict."""
    given = [claims.verdict(claim.id).verdict for claim in paper.CLAIMS]
    return pd.DataFrame(
        [{"Verdict": v, "Claims": given.count(v)} for v in verdicts.VERDICTS if v in given]
    )


def load_photographs(facts: dict) -> pd.DataFrame:
    """The photographs and the list of their labels: see :func:`bloodlib.data.images.facts`."""
    rows = {
        "photographs published": facts["photographs"],
        "rows in the list of labels": facts["listed"],
        "rows without a label": facts["listed_without_label"],
        "rows whose photograph is not published": len(facts["listed_but_not_published"]),
    }
    rows |= {
        f"photographs labelled {name.lower()} and nothing else": n
        for name, n in facts["photographs_with_one_label"].items()
    }
    rows |= {
        "photographs with several labels": len(facts["photographs_with_several_labels"]),
        "photographs with a basophil, alone or among others": len(
            facts["photographs_with_a_basophil"]
        ),
    }
    return pd.DataFrame({"": rows.keys(), "number": rows.values()})


def load_source() -> pd.DataFrame:
    """Where the images come from, and what they are verified against."""
    rows = {"repository": SOURCE.repository, "commit": f"`{SOURCE.commit}`"}
    rows |= {name: f"`{digest}`" for name, digest in SOURCE.hashes.items()}
    return pd.DataFrame({"": rows.keys(), "value": rows.values()})


def load_measures(confusion: np.ndarray, task: str) -> pd.DataFrame:
    """Equations 14 to 17 for each class of a confusion matrix."""
    classes = {"Class": [name.capitalize() for name in TASKS[task]]}
    return pd.DataFrame(classes | {name: of(confusion) for name, of in EQUATIONS.items()})


def load_measured(run: records.Record) -> pd.DataFrame:
    """Equations 14 to 17 of a run on TEST after its last epoch, with intervals by cell.

    Without them where the run was tried on other images.
    """
    columns = {"Class": [name.capitalize() for name in TASKS[run.config["task"]]]}
    for name, measure in EQUATIONS.items():
        value, *ends = estimate([run], measure, epoch=run.epochs)
        low, high = ([None] * len(value) if end is None else end for end in ends)
        columns[name] = [with_interval(*one) for one in zip(value, low, high, strict=True)]
    return pd.DataFrame(columns)


def load_environment() -> pd.DataFrame:
    """What builds the book: versions, machine, commit, images."""
    here = stored.environment("", "")
    rows = {
        "bloodlib": __version__,
        "commit": f"`{here['commit']}`" if here["commit"] else "not in a repository",
        "Python": f"{here['python']} on {here['platform']}",
        "processor": here["processor"],
        "images": f"`{DATA_HASH}`" if available() else "not at hand: drawn cells in their place",
    }
    rows |= here["packages"]
    return pd.DataFrame({"": rows.keys(), "value": rows.values()})


def load_records() -> pd.DataFrame:
    """Every frozen record: what was run, when, on what, and for how long.

    Runs of ``study.yml`` that have none come last, as missing.
    """
    rows = {}
    for record in records.read_all():
        complete, where = record.status == "complete", record.environment
        rows[record.id] = {
            "Run": _linked(study.describe(record.config) if complete else record.id, record),
            "State": record.status,
            "Started (UTC)": record.started[:16].replace("T", " "),
            "On": where["device"].replace("processor", where["processor"]),
            "Minutes": record.seconds / 60,
            "Commit": f"`{where['commit'][:10]}`",
        }
    for config in study.runs():
        missing = {"Run": study.describe(config), "State": "missing"}
        rows.setdefault(study.identify(config), missing)
    return pd.DataFrame(rows.values())


def report() -> dict:
    """Everything of Tables 1 and 2 and every claim, for ``bloodlib report --json``."""
    return {
        "cells": cells() + added(1) + added(2),
        "claims": [
            {"id": claim.id, "place": claim.place, "text": claim.text}
            | claims.verdict(claim.id)._asdict()
            for claim in paper.CLAIMS
        ],
    }


def report_text(report: dict) -> str:
    """The same, to be read in a terminal."""
    parts = []
    for table in (1, 2):
        frame = load_cells(report["cells"], table, linked=False)
        text = frame.to_string(index=False, float_format="{:.2f}".format, na_rep="–")
        parts.append(f"Table {table}: the paper's number, then ours\n{text}\n")
    parts.append("Claims")
    for claim in report["claims"]:
        parts.append(f"  [{claim['verdict']}] {claim['id']} ({claim['place']})")
        parts += [f"      {claim[part]}" for part in ("text", "evidence") if claim[part]]
    return "\n".join(parts)


def _linked(text, record):
    """A link to a record's provenance, where it is frozen: other records stand on no page."""
    return link(text, record.id) if record.path.parent == records.folder() else text
