"""How a table is printed on a page; every analysis and chapter does it with :func:`show`.

``show(frame, "tbl-name", "Caption.", columns={"task": "Classes", ("gap", "low", "high"): "Gap"},
fmt={"Classes": str.capitalize, "Gap": signed})`` chooses, orders and heads columns and, by heading,
formats them. Several columns under one heading are a number with its interval: "0.79 (0.60–0.90)".
"""

import re
from collections.abc import Callable

import pandas as pd

from bloodlib.evidence.comparison import with_interval


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
    columns: dict[str | tuple[str, ...], str] | None = None,
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
    columns : dict, optional
        Headings of the columns to print, in this order; without it all, under their names. A key
        may be several columns: value, low and high make a number with its interval.
    fmt : dict, optional
        By heading a format such as ".1%", or a function that makes text of a value, or of those of
        several columns; None is given for what is missing, but never for the first.
    """
    columns = {column: column for column in frame} if columns is None else columns
    fmt = fmt or {}

    def text(value, *more, how):
        if value is None:
            return "–"
        if callable(how):
            return str(how(value, *more))
        if how is not None:
            return format(value, how).replace("-", "−")
        if isinstance(value, int):
            return f"{value:,}"
        return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)

    def cells(key, heading):
        several = isinstance(key, tuple)
        how = fmt.get(heading, with_interval if several else None)
        for row in frame[list(key) if several else [key]].to_numpy(object):
            values = (None if pd.isna(value) else value for value in row)
            yield text(*values, how=how).replace("|", "\\|")

    numbers = [not isinstance(key, tuple) and frame[key].dtype.kind in "fi" for key in columns]
    lines = [
        " | ".join(columns.values()),
        " | ".join("--:" if number else ":--" for number in numbers),
        *(" | ".join(row) for row in zip(*(cells(*c) for c in columns.items()), strict=True)),
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
