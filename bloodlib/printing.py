"""Sphinx extension: the book as a PDF, by Sphinx's LaTeX builder and XeLaTeX.

Jupyter Book brings a class of its own, which needs packages that Debian keeps apart and a page
without room for the tables here. Its order of parts and chapters is kept, Sphinx' own class used.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

#: What LaTeX is told before the book begins.
PREAMBLE = r"""
\usepackage{etoolbox}
\AtBeginEnvironment{longtable}{\footnotesize\setlength{\tabcolsep}{3pt}}
\newenvironment{sphinxVerbatimInput}{}{} % Jupyter Book's, round what cells say
\newenvironment{sphinxVerbatimOutput}{}{}
\makeatletter
\renewenvironment{sphinxthebibliography}[1] % which has a chapter to itself already
  {\let\chapter\@gobbletwo\begin{thebibliography}{#1}}{\end{thebibliography}}
\makeatother
\AtBeginDocument{\setlength{\LTcapwidth}{\linewidth}}
\setcounter{tocdepth}{1}
"""
SETTINGS = {
    "preamble": PREAMBLE,
    "figure_align": "H",  # floats and tables that go over pages may meet, and print over each other
    "fvset": r"\fvset{fontsize=\footnotesize}",
}
#: Small letters on a line of a table.
LINE = 118
NUMBERS = set("0123456789.,()+-\u2212\u2013\u2060% ")


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.connect("config-inited", _set, priority=900)  # after Jupyter Book's
    # Jupyter Book numbers figures by chapter, below parts, in print; if Sphinx knew of it while it
    # reads, it would read every page anew when the builder changes
    app.connect("env-before-read-docs", lambda app, *_: _number_below(app, 1))
    app.connect("doctree-resolved", lambda app, *_: _number_below(app, 2))
    app.add_post_transform(Columns)
    app.add_post_transform(Numbered)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Columns(SphinxPostTransform):
    """Give the tables of the PDF columns as wide as what stands in them asks for."""

    default_priority = 500
    formats = ("latex",)

    def run(self, **kwargs):
        """Put a specification of its columns before each table, which may go over pages."""
        for table in list(self.document.findall(nodes.table)):
            rows = [list(row) for row in table.findall(nodes.row)]
            sides, needs, wishes = [], [], []
            for _, *cells in zip(*rows, strict=True):
                texts = [cell.astext() for cell in cells]
                number = any(texts) and NUMBERS.issuperset("".join(texts))
                sides.append(r"\raggedleft" if number else r"\raggedright")
            for column in zip(*rows, strict=True):
                wide = [_width(cell) for cell in column]
                needs.append(2 + max(word for word, _ in wide))
                wishes.append(2 + max(text for _, text in wide))
            spec = "".join(
                rf">{{{side}\arraybackslash}}p{{\dimexpr {share:.4f}\linewidth-2\tabcolsep}}"
                for side, share in zip(sides, shares(needs, wishes), strict=True)
            )
            place = table.parent.index(table)
            table.parent.insert(place, addnodes.tabular_col_spec(spec=spec))
            table["classes"].append("longtable")


class Numbered(SphinxPostTransform):
    """Equations with the paper's number, which Sphinx would set where LaTeX takes none."""

    default_priority = 500
    formats = ("latex",)

    def run(self, **kwargs):
        """Set them as they are."""
        for block in self.document.findall(nodes.math_block):
            if r"\tag" in block.astext():
                equation = rf"\begin{{equation*}}{block.astext().strip()}\end{{equation*}}"
                block.children = [nodes.Text(equation)]
                block["nowrap"] = True


def shares(needs: list[float], wishes: list[float], line: float = LINE) -> list[float]:
    """How much of the line each column of a table gets.

    Parameters
    ----------
    needs, wishes : list of float
        Of each column, what its longest word takes, and what its longest text would.
    line : float
        What there is.

    Returns
    -------
    list of float
        Their sum is at most 1. Where there is less than wished for, what the needs leave is shared
        out by the roots of what is missing: a text twice as long gets less than twice as much.
    """
    if sum(wishes) <= line:
        return [wish / line for wish in wishes]
    spare = max(0, line - sum(needs))
    roots = [(wish - need) ** 0.5 for need, wish in zip(needs, wishes, strict=True)]
    whole = sum(roots) or 1
    found = [
        min(wish, need + spare * root / whole)
        for need, wish, root in zip(needs, wishes, roots, strict=True)
    ]
    return [width / max(line, sum(found)) for width in found]


def _width(cell):
    """Letters that a cell's longest word takes, and all of it; capitals and code are wider."""
    factor = 1.3 if any(cell.findall(nodes.literal)) else 1

    def wide(text):
        return factor * sum(1.5 if letter.isupper() else 1.05 for letter in text)

    text = cell.astext()
    return max((wide(word) for word in text.split()), default=0), wide(text)


def _set(app, config):
    config.latex_theme = "manual"
    jupyter_books = config.latex_elements.get("preamble", "")
    config.latex_elements |= SETTINGS | {"preamble": f"{PREAMBLE}{jupyter_books}"}


def _number_below(app, depth):
    if app.builder.format == "latex":
        app.config.numfig_secnum_depth = depth
