"""The paper's tables beside ours: ``load_*`` gathers a table, :func:`show` prints it on a page.

``show(frame, "tbl-name", "Caption.", columns=["task", ("gap", "low", "high")],
headings={"gap": "Difference"}, fmt={"gap": signed})`` chooses and orders columns. Several columns
in one are a number with its interval: "0.79 (0.60–0.90)".
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses import claims
from bloodlib.data import images
from bloodlib.evidence import comparison, scores, verdicts
from bloodlib.evidence.comparison import signed, with_interval
from bloodlib.models.methods import NAMES
from bloodlib.study import records

#: Headings of columns that recur; those of others are their names, "all_right" as "All right".
HEADINGS = {
    "task": "Classes",
    "first": "Compared",
    "favourite": "Answered most",
    "low": "CI over cells",
    "cells_seeds_low": "CI over cells and seeds",
    "p_cells": "p, sign flips",
    "p_runs": "p, permuted runs",
    "once": "Each cell once",
    "p_cells_once": "p, each cell once",
}
#: How columns that recur are printed.
FORMATS: dict[str, str | Callable] = {
    "class": str.capitalize,
    "pooling": lambda name: name.removesuffix("Pooling").lower(),
    "method": lambda name: NAMES.get(name, name),
    "first": lambda *pair: " − ".join(NAMES.get(name, name) for name in pair),
    "favourite": lambda name, share: f"{name.capitalize()} ({share:.0%})",
    **dict.fromkeys(("seconds", "minutes", "weights"), ",.0f"),
    **dict.fromkeys(("change", "difference", "gain", "gap", "once"), signed),
    **dict.fromkeys(("p_cells", "p_runs", "p_cells_once"), comparison.p_value),
    "low": lambda low, high: f"{low:+.2f} to {high:+.2f}".replace("-", "−"),
    "cells_seeds_low": lambda low, high: f"{low:.2f}–{high:.2f}",
}
MEASURE_NAMES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


# --------------------------------------------------------------------------- how they are printed


def show(frame: pd.DataFrame, name: str, caption: str, decimals: int = 2, **arranged):
    """Print a table on a page: :func:`markdown` for a cell.

    Returns
    -------
    IPython.display.Markdown
        For a cell with ``mystnb={"markdown_format": "myst"}``.
    """
    from IPython.display import Markdown

    return Markdown(markdown(frame, name, caption, decimals, **arranged))


def markdown(
    frame: pd.DataFrame,
    name: str,
    caption: str,
    decimals: int = 2,
    *,
    columns: Sequence[str | tuple[str, ...]] | None = None,
    headings: dict[str, str] | None = None,
    fmt: dict[str, str | Callable] | None = None,
) -> str:
    """A table in MyST Markdown, numbered and with a caption.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; its index is not printed.
    name : str
        Label for references, such as ``tbl-paper-1``.
    caption : str
        Caption, MyST Markdown.
    decimals : int
        Decimals of numbers without a format; what is missing is printed as "–".
    columns : sequence, optional
        Columns to print, in this order; without it all, under their names. A tuple makes one of
        several: value, low and high are a number with its interval.
    headings : dict, optional
        Headings other than :data:`HEADINGS`, by column, or by the first of several.
    fmt : dict, optional
        Formats other than :data:`FORMATS`, by column, or by the first of several: such as ".1%",
        or a function that makes text of a value, or of those of several columns; None is given
        for what is missing, but never for the first.
    """
    headings = {c: c for c in frame} if columns is None else HEADINGS | (headings or {})
    formats = FORMATS | (fmt or {})
    keys = [(key,) if isinstance(key, str) else key for key in columns or frame]

    def text(value, *more, how):
        if value is None:
            return "–"
        if callable(how):
            return str(how(value, *more))
        if how is not None:
            return format(value, how).replace("-", "−")
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if isinstance(value, int):
            return f"{value:,}"
        return f"{value:.{decimals}f}".replace("-", "−") if isinstance(value, float) else str(value)

    def cells(key):
        how = formats.get(key[0], with_interval if key[1:] else None)
        for row in frame[list(key)].to_numpy(object):
            values = (None if pd.isna(value) else value for value in row)
            yield text(*values, how=how).replace("|", "\\|")

    numbers = [not key[1:] and frame[key[0]].dtype.kind in "fi" for key in keys]
    lines = [
        " | ".join(headings.get(key[0], key[0].replace("_", " ").capitalize()) for key in keys),
        " | ".join("--:" if number else ":--" for number in numbers),
        *(" | ".join(row) for row in zip(*map(cells, keys), strict=True)),
    ]
    rows = "\n".join(f"| {line} |" for line in lines)
    rows = re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", rows)  # no line ends inside an interval
    return f"::::{{table}} {caption}\n:name: {name}\n\n{rows}\n::::"


def link(text: str, address: str) -> str:
    """A link in MyST Markdown to what the chapter on provenance has of a number or a run.

    Parameters
    ----------
    text : str
        What is shown, MyST Markdown.
    address : str
        Of a number, such as ``tbl-paper-1/four/NB/Average/f1``, or the id of a run.
    """
    return f"[{text}](#{anchor(address)})"


def anchor(address: str) -> str:
    """Label and HTML id of an address on that page, such as ``tbl-paper-1-four-nb-average-f1``."""
    from docutils.nodes import make_id

    return make_id(address)


# --------------------------------------------------------------------------------- what they hold


def load_cells(cells: list[dict], table: int, linked: bool = True, **where) -> pd.DataFrame:
    """A printed table with ours: a row for each method and class, paper and ours by measure.

    Ours is text, with its interval in brackets.

    Parameters
    ----------
    cells : list of dict
        See :func:`bloodlib.evidence.comparison.table_cells`.
    table : {1, 2}
        Which table of the paper.
    linked : bool
        Make ours of stored runs a link to where it comes from, for a page.
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
            ours = f"{link(number, cell['address'])} {interval}".rstrip()
        row = rows.setdefault((cell["task"], cell["method"], cell["class"].capitalize()), {})
        name = MEASURE_NAMES[cell["measure"]]
        row |= {f"{name}: paper": cell["paper"], f"{name}: ours": ours}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(["Classes", "Method", "Class"]).reset_index()


def load_claims() -> pd.DataFrame:
    """Claims of the paper: where, in its words, what would have to be true, the verdict."""
    return pd.DataFrame(
        [(c.place, f"“{c.text}”", c.about, *claims.verdict(c.id)[:2]) for c in paper.CLAIMS],
        columns=["Where", "The paper says", "True if", "Verdict", "Because"],
    )


def show_claims(key: bool):
    """The ten key claims, or the others, each on a card: :func:`show` for claims.

    A card has the paper's words and their place, the verdict with its reason, and where to read on;
    its class names the verdict, which ``assets/interactive/claims.js`` filters by.
    """
    from IPython.display import Markdown

    elsewhere = {
        "": "",
        "yes": " The difference also holds for other cells.",
        "open": " For other cells the difference is open.",
        "no": " For other cells the opposite holds.",
    }
    agrees = {True: " The printed tables agree.", False: " The printed tables disagree.", None: ""}
    cards = []
    for claim in paper.CLAIMS:
        entry, found = verdicts.CLAIMS[claim.id], claims.verdict(claim.id)
        if entry.get("key", False) is not key:
            continue
        printed = verdicts.judge_print(claim.id)[0] if claim.id in verdicts.PRINT else None
        page, _, label = entry["shown"].partition(" ")
        others = [other for other in claims.reachable(claim.id) if other != found.verdict]
        cards.append(
            f"::::{{card}} {found.verdict.capitalize()}\n"
            f":class-card: claim {found.verdict.replace(' ', '-').replace(chr(39), '')}\n\n"
            f"“{claim.text}” ({claim.place})\n\n{found.evidence}"
            + elsewhere[found.other_cells]
            + agrees[printed]
            + f"\n\nTrue if: {claim.about} "
            + (f"Could have been: {', '.join(others)}. " if others else "")
            + f"More: {f'{{numref}}`{label}`' if label else f'{{doc}}`{page}`'}"
            + "\n::::"
        )
    return Markdown("\n\n".join(cards))


def load_setup() -> pd.DataFrame:
    """The setup table of section 6.1 beside the machine of the network's stored runs."""
    names = {"Processor": "processor", "Operating System": "platform", "Graphic Card": "device"}
    machines = pd.DataFrame([run.environment for run in study.select(method="DCLNN")])
    ours = {
        name: "; ".join(sorted(machines[key].replace("processor", "none").unique()))
        for name, key in names.items()
        if len(machines)
    }
    rows = [
        (name, printed, ours.get(name, "not recorded"))
        for name, printed in paper.SETTINGS["setup"].items()
    ]
    return pd.DataFrame(rows, columns=["Setup", "Paper", "Ours"])


def load_measured(run: records.Record) -> pd.DataFrame:
    """Equations 14 to 17 of a run on TEST after its last epoch, with 95 % CIs over cells.

    Without them where the run was tried on other images.
    """
    columns = {"Class": [name.capitalize() for name in images.TASKS[run.config["task"]]]}
    for name, measure in {"Equation 14": scores.class_accuracy, **scores.MEASURES}.items():
        value, *ends = comparison.estimate([run], measure, epoch=run.epochs)
        low, high = ([None] * len(value) if end is None else end for end in ends)
        texts = [with_interval(*one) for one in zip(value, low, high, strict=True)]
        columns[MEASURE_NAMES.get(name, name)] = texts
    return pd.DataFrame(columns)


def load_runs(runs: list[records.Record]) -> pd.DataFrame:
    """Runs in words, their accuracy on TEST and TEST_SIMPLE with intervals, and what they cost."""
    return pd.DataFrame(
        [
            {
                "Run": study.describe(run.config),
                "Accuracy on TEST": str(comparison.estimate([run])),
                "on TEST_SIMPLE": str(comparison.estimate([run], split="TEST_SIMPLE")),
                "Minutes": run.seconds / 60,
                "Record": _linked(f"`{run.id}`", run),
            }
            for run in runs
        ]
    )


def load_records() -> pd.DataFrame:
    """Every stored record: what was run, when, on what, and for how long.

    Runs of ``study.yml`` that have none come last, as missing.
    """
    rows = {}
    for record in sorted(records.read_all(), key=lambda record: record.started):
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


def _linked(text, record):
    """A link to a record's provenance, where it is stored: other records stand on no page."""
    return link(text, record.id) if record.path.parent == records.folder() else text


# ------------------------------------------------------------------------------------- the report


def report() -> dict:
    """Everything of Tables 1 and 2 and every claim, for ``bloodlib report --json``."""
    return {
        "cells": comparison.table_cells() + comparison.added(1) + comparison.added(2),
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
