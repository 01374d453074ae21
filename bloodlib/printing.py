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
\setcounter{tocdepth}{1}
"""
#: Letters on a line of a table.
LINE = 100
NUMBERS = "0123456789.,()+-\u2212\u2013\u2060% "


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.connect("config-inited", _set, priority=900)  # after Jupyter Book's
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
            rows = [[cell.astext() for cell in row] for row in table.findall(nodes.row)]
            spec = addnodes.tabular_col_spec(spec=specification(rows))
            table.parent.insert(table.parent.index(table), spec)
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


def specification(rows: list[list[str]]) -> str:
    """Columns of a table for LaTeX, together at most as wide as the page.

    A column gets room for its longest word, and more the longer its texts are. Numbers stand to the
    right.

    Parameters
    ----------
    rows : list of list of str
        What the cells say, the header first.
    """
    found = []
    for header, *cells in zip(*rows, strict=True):
        texts = [header, *cells]
        word = max(len(word) for text in texts for word in text.split() or [""])
        width = word + 1 + (max(map(len, texts)) - word) ** 0.6
        number = any(cells) and all(set(text) <= set(NUMBERS) for text in cells)
        found.append((width, r"\raggedleft" if number else r"\raggedright"))
    whole = max(LINE, sum(width for width, _ in found))
    return "".join(
        rf">{{{side}\arraybackslash}}p{{\dimexpr {width / whole:.4f}\linewidth-2\tabcolsep}}"
        for width, side in found
    )


def _set(app, config):
    config.latex_theme = "manual"
    config.latex_elements["preamble"] = PREAMBLE + config.latex_elements.get("preamble", "")
