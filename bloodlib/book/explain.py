"""Where a number comes from: its place in the paper, the runs behind ours, how to repeat them.

A number has an address, such as ``tbl-paper-1/four/DCLNN/NEUTROPHIL/recall``
(``paper.TableCell.address``). ``bloodlib explain`` prints what :func:`explain` knows of
it; ``show_*`` put the same on a page, for all numbers and all runs.
"""

import difflib
import shlex
import textwrap

import pandas as pd

from bloodlib import paper, study
from bloodlib.analyses.claims import verdict
from bloodlib.book import tables
from bloodlib.data import stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import with_interval
from bloodlib.models.methods import suggest
from bloodlib.study import records

#: The measures of the tables as the paper writes them, and where section 4.4 defines them.
MEASURES = {"precision": ("precision", 15), "recall": ("recall", 16), "f1": ("F1", 17)}


def explain(address: str = "") -> dict:
    """Everything known about where a number, a run or a verdict comes from.

    Parameters
    ----------
    address : str
        Of a number of Table 1 or 2, or the beginning of one, in upper or lower case; or the id of
        a stored record, or of a claim.

    Returns
    -------
    dict
        For JSON. Of a number: its entries in ``comparison.table_cells``; ``printed`` and
        ``place`` in the paper; ``computed``, how; ``records``, for each run what :func:`describe`
        says and its ``value``. Of a record: :func:`describe`. Of a claim: its entries in
        ``paper.CLAIMS`` and its verdict. Of a beginning: its ``address``, and what
        is ``below``, one part further.

    Raises
    ------
    ValueError
        If there is no such address; the message names the nearest.
    bloodlib.data.stored.StoredError
        If a record can't be trusted.
    """
    claims = {claim.id: claim for claim in paper.CLAIMS}
    if address in claims:
        return vars(claims[address]) | verdict(address)._asdict()
    frozen = {path.stem: path for path in records.folder().glob("*.json")}
    if address in frozen:
        return describe(records.read(frozen[address]))
    found = ""
    for part in address.strip("/").split("/") if address else ():
        names = {longer.rpartition("/")[2]: longer for longer in _below(found)}
        same = [name for name in names if name.lower() == part.lower()]
        if not same:
            place = f"below {found}" if found else "among tables, records and claims"
            known = names if found else [*names, *claims, *frozen]
            near = difflib.get_close_matches(part, known, n=1) or names
            raise ValueError(f"there is no {part!r} {place}. {suggest(part, near)}")
        found = names[same[0]]
    below = _below(found)
    if not below:
        return _number(found)
    if _below(below[0]):
        return {
            "address": found,
            "below": [{"address": each, "numbers": len(_within(each))} for each in below],
        }
    return {"address": found, "below": [*map(_rows(_within(found)[0]).get, below)]}


def describe(record: records.Record) -> dict:
    """Where a run comes from: its configuration, its images, its machine, how to repeat it.

    Returns
    -------
    dict
        Entries of the record, see ``results/README.md``, without its history and weights;
        ``description``, its configuration in words; ``check``, "verified" or what is wrong;
        ``command``, which computes it again and compares.
    """
    try:
        study.check(record)
        check = "verified"
    except stored.StoredError as error:
        check = str(error)
    left_out = ("schema", "history", "weights")
    return {name: value for name, value in record.content.items() if name not in left_out} | {
        "description": study.describe(record.config),
        "check": check,
        "command": f"bloodlib study --verify --only {shlex.quote(record.id)}",
    }


def text(found: dict) -> str:
    """What :func:`explain` returns, to be read in a terminal."""
    if "below" in found:
        lines = [
            f"{each['address']:52} {each['numbers']} numbers"
            if "numbers" in each
            else f"{each['address']:52} paper {each['paper']:.2f}, ours {_ours(each)}"
            for each in found["below"]
        ]
        if not found["address"]:
            lines += [
                "",
                "Also ids of records (bloodlib study --list) and claims (bloodlib report).",
            ]
        return "\n".join(lines)
    if "verdict" in found:
        names = ("place", "text", "about", "verdict", "evidence")
        return _lines({"Claim": found["id"]} | {n.capitalize(): found[n] for n in names})
    if "config" in found:
        return _lines(_facts(found))
    number = {
        "Number": found["address"],
        "Paper": f"{found['printed']} in {found['place']}",
        "Ours": _ours(found),
        "Computed": found["computed"],
    }
    blocks = [_lines(number)]
    for run in found["records"]:
        name, *facts = _facts(run).items()
        blocks.append(_lines(dict([name, ("Value", f"{run['value']:.4f}"), *facts])))
    return "\n\n".join(blocks)


# ----------------------------------------------------------------------------------- on a page


def show_numbers(cells: list[dict], table: int):
    """Every number of a table of the paper, with the runs behind it.

    Parameters
    ----------
    cells : list of dict
        See :func:`bloodlib.evidence.comparison.table_cells`.
    table : {1, 2}

    Returns
    -------
    IPython.display.Markdown
        For a cell with ``mystnb={"markdown_format": "myst"}``.
    """
    from IPython.display import Markdown

    parts, rows = [], {row["address"]: row for row in cells}
    groups = dict.fromkeys((cell.task, cell.method) for cell in paper.table_cells(table=table))
    for task, method in groups:
        above, runs = f"tbl-paper-{table}/{task}/{method}", _runs(method, task)
        links = (tables.link(study.describe(run.config), run.id) for run in runs)
        numbers = pd.DataFrame(
            [
                {
                    "Number": f"{{anchor}}`{cell.class_}/{cell.measure} <{cell.address}>`",
                    "Paper": cell.printed,
                    "Ours": _ours(rows[cell.address]),
                }
                | {f"Run {k}": f"{value:.4f}" for k, value in enumerate(_values(cell, runs), 1)}
                for cell in paper.table_cells(table=table, task=task, method=method)
            ]
        )
        parts += [
            f"**{method}, {task} classes.** {{numref}}`{tables.anchor(above)}` has the numbers "
            f"of `{above}`. {_computed('Precision, recall and F1 (equations 15 to 17)', runs)} "
            + " ".join(f"Run {k} is {link}." for k, link in enumerate(links, 1)),
            tables.markdown(
                numbers,
                tables.anchor(above),
                f"Table {table}, {task} classes, {method}: the paper's numbers, ours, each run's.",
            ),
        ]
    return Markdown("\n\n".join(parts))


def show_runs():
    """Every stored run, folded by method and run; first those behind Tables 1 and 2.

    The others are in a container of the class ``screen``, which print leaves out.

    Returns
    -------
    IPython.display.Markdown
        For a cell with ``mystnb={"markdown_format": "myst"}``.
    """
    from IPython.display import Markdown

    behind = {run.id for name in comparison.COMPARED for task in TASKS for run in _runs(name, task)}
    blocks = {}
    for record in records.read_all():
        study.check(record)  # or the page, and the build, tell of it
        facts = _facts(describe(record))
        run, settings = facts.pop("Run"), facts.pop("Settings")
        text = f"{{anchor}}`{run}`\n\n```text\n{_lines(facts)}\n```"
        group = blocks.setdefault((record.id not in behind, settings.partition(",")[0]), [])
        group.append(f":::::{{dropdown}} {settings}\n{text}\n:::::")
    parts = {False: [], True: [":::::::{container} screen"]}
    for (other, name), group in sorted(blocks.items()):
        title = f"{name} classes: {len(group)}{' other' * other}"
        parts[other] += [f"::::::{{dropdown}} {title}", *sorted(group), "::::::"]
    return Markdown("\n\n".join([*parts[False], *parts[True], ":::::::"]))


# ------------------------------------------------------------------------------ what they share


def _within(address):
    """The printed numbers whose addresses begin so."""
    return [cell for cell in paper.TABLE_CELLS if f"{cell.address}/".startswith(f"{address}/")]


def _below(address):
    """Addresses one part longer, in the order of the page."""
    parts = address.count("/") + 2 if address else 1
    cells = _within(address) if address else paper.TABLE_CELLS
    longer = ["/".join(cell.address.split("/")[:parts]) for cell in cells]
    return [each for each in dict.fromkeys(longer) if each != address]


def _runs(method, task):
    """The stored runs behind our numbers, by their seeds."""
    found = comparison.compared(method, task)
    return sorted(found, key=lambda record: (record.config["seed"], record.id))


def _values(cell, runs):
    """The number that each of the runs gives."""
    if not runs:
        return []
    measured = scores.printed_rows(comparison.confusions(runs), cell.measure)
    return measured[:, [*TASKS[cell.task], "Average"].index(cell.class_)].tolist()


def _rows(cell):
    """Our numbers of the cell's method and task, by address."""
    key = cell.method, cell.task
    return {row["address"]: row for row in comparison.table_cells({key: comparison.compared(*key)})}


def _number(address):
    (cell,) = _within(address)
    runs = _runs(cell.method, cell.task)
    measure, equation = MEASURES[cell.measure]
    what = f"{measure.capitalize()} of {cell.class_} (equation {equation})"
    if cell.class_ == "Average":
        what = f"The plain mean of the classes' {measure} (equation {equation})"
    return _rows(cell)[address] | {
        "printed": cell.printed,
        "place": f"Table {cell.table} (section 6.2): {cell.task} classes, {cell.method}, "
        f"row {cell.class_}, column {measure}",
        "computed": _computed(what, runs),
        "records": [
            {"value": value} | describe(run)
            for value, run in zip(_values(cell, runs), runs, strict=True)
        ],
    }


def _computed(what, runs):
    """How a number is computed from runs, in a sentence."""
    if not runs:
        return "No run is recorded for this row; `bloodlib study` computes what is missing."
    epoch = f" after epoch {comparison.EPOCH}" if runs[0].has_epochs else ""
    n = "of one run" if len(runs) == 1 else f"mean over {len(runs)} runs"
    return (
        f"{what} on the {len(runs[0].arrays['truth']):,} images of TEST{epoch}, {n}; in brackets "
        "the 95\u00a0% CI over cells."
    )


def _facts(run):
    """A run's provenance by label, in words."""
    environment = run["environment"]
    versions = {"Python": environment["python"]} | environment["packages"]
    device = environment["device"].replace("processor", environment["processor"])
    started = run["started"][:16].replace("T", " ")
    backend = environment.get("backend") and f", Keras on {environment['backend']}"
    return {
        "Run": run["id"],
        "Settings": run["description"],
        "Seed": run["config"]["seed"],
        "State": f"{run['status']}{run['reason'] and ': '}{run['reason']}",
        "Data": run["data"],
        "Commit": environment["commit"] or "not recorded",
        "Packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Device": f"{device}, {environment['platform']}{backend or ''}",
        "Started": f"{started} UTC, for {run['seconds']:,.0f} seconds",
        "SHA-256": (run["arrays"] or {"sha256": "none"})["sha256"],
        "Checked": run["check"],
        "Repeat": run["command"],
    }


def _lines(facts):
    """Facts by label, in lines that fit a terminal and a page."""
    wrap = textwrap.TextWrapper(78, subsequent_indent=" " * 10, break_on_hyphens=False)
    wrap.break_long_words = False
    return "\n".join(wrap.fill(f"{label:10}{words}") for label, words in facts.items())


def _ours(cell):
    return with_interval(cell["ours"], cell["low"], cell["high"])
