"""What the paper prints, as data; its equations; and whether its tables can be true.

Imports no other room. Nothing here is computed from our results. The files beside this one keep the
spelling and the order of the page: ``tables.csv``, ``claims.yml``, ``settings.yml``. Hyphens and
line breaks that the page's layout put into words are repaired, nothing else.
"""

import csv
from dataclasses import dataclass, fields
from importlib import resources

import yaml

#: Measures of Tables 1 and 2, in the order of their columns.
MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class TableCell:
    """One printed number of Table 1 or 2.

    All cells have two decimals whose trailing zeros were dropped: "0.6" is 0.60, "1" is 1.00.

    Attributes
    ----------
    table : int
        1 or 2.
    task : str
        "four" or "two" classes.
    method : str
        "NB", "SVM", "DCLNN", "AveragePooling" or "MaxPooling".
    class_ : str
        As printed: "NEUTROPHIL", …, "Mononuclear", "Polynuclear", or "Average".
    measure : str
        One of ``MEASURES``.
    printed : str
        The number exactly as it stands on the page.
    """

    table: int
    task: str
    method: str
    class_: str
    measure: str
    printed: str

    @property
    def address(self) -> str:
        """What ``bloodlib explain`` finds it by; the chapter on provenance has it as an anchor."""
        return f"tbl-paper-{self.table}/{self.task}/{self.method}/{self.class_}/{self.measure}"

    @property
    def value(self) -> float:
        """The printed number."""
        return float(self.printed)

    @property
    def words(self) -> str:
        """Its class and measure, such as "neutrophil recall"."""
        return f"{self.class_.lower()} {self.measure.replace('f1', 'F1')}"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper about its data, its method or its results.

    Attributes
    ----------
    id : str
        Short name, unique.
    place : str
        Where it stands, with the table or figure that it points to.
    text : str
        The paper's own words.
    about : str
        What would have to be true, in terms that can be measured. It ends with "The paper's text
        alone decides." where no run and no image is needed, and with "Nothing in the paper measures
        it." where it has no number.
    """

    id: str
    place: str
    text: str
    about: str


def read(name: str):
    """The content of a YAML file of this folder."""
    return yaml.safe_load(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))


def _read_cells():
    lines = resources.files(__name__).joinpath("tables.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(lines.splitlines()):
        for measure in MEASURES:
            yield TableCell(
                int(row["table"]), row["task"], row["method"], row["class"], measure, row[measure]
            )


#: Every number of Tables 1 and 2.
TABLE_CELLS = tuple(_read_cells())
#: Everything in the paper that could be true or false.
CLAIMS = tuple(Claim(**claim) for claim in read("claims.yml"))
#: What the paper says of its settings. ``stated`` has name, value ("" where a blank is printed) and
#: place of each; ``unstated`` our choice and the reason; ``setup`` the table of section 6.1;
#: ``figures`` the captions, by number.
SETTINGS = read("settings.yml")


def table_cells(**where: int | str) -> tuple[TableCell, ...]:
    """Select printed numbers by the attributes of ``TableCell``, in the order of the page.

    Parameters
    ----------
    **where
        Attributes and the value that each must have, e.g. ``method="NB", measure="recall"``.

    Returns
    -------
    tuple of TableCell
        Empty if each value is printed somewhere but never together (NB in Table 2).

    Raises
    ------
    ValueError
        If an attribute does not exist, or no cell at all has the value asked for.
    """
    names = [field.name for field in fields(TableCell)]
    for name, value in where.items():
        if name not in names:
            raise ValueError(f"a table cell has no attribute {name!r}; it has {', '.join(names)}")
        known = list(dict.fromkeys(getattr(cell, name) for cell in TABLE_CELLS))
        if value not in known:
            raise ValueError(f"no table cell has {name}={value!r}; there are {known}")
    return tuple(
        cell for cell in TABLE_CELLS if all(getattr(cell, name) == where[name] for name in where)
    )
