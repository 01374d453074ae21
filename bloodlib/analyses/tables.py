"""How a table is printed on a page; every analysis and chapter does it with :func:`show`.

``show(frame, "tbl-name", "Caption.", columns=["task", ("gap", "low", "high")],
headings={"gap": "Difference"}, fmt={"gap": signed})`` chooses and orders columns. Several columns
in one are a number with its interval: "0.79 (0.60–0.90)".
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bloodlib.evidence.comparison import signed, with_interval

#: Headings of columns that recur; those of others are their names, "all_right" as "All right".
HEADINGS = {"task": "Classes", "first": "Compared", "favourite": "Answered most"}
#: How columns that recur are printed.
FORMATS: dict[str, str | Callable] = {
    "class": str.capitalize,
    "pooling": lambda name: name.removesuffix("Pooling").lower(),
    "first": "{} − {}".format,
    "favourite": lambda name, share: f"{name.capitalize()} ({share:.0%})",
    **dict.fromkeys(("seconds", "minutes"), ",.0f"),
    **dict.fromkeys(("change", "difference", "gain", "gap"), signed),
}


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
        return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)

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
