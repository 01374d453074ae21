"""Sphinx extension: the book as a PDF, by Sphinx's LaTeX builder and XeLaTeX.

Jupyter Book brings a class of its own, which needs packages that Debian keeps apart and a page
without room for the tables here. Its order of parts and chapters is kept, Sphinx' own class used.
The library's reference is left out, and what is marked as for the screen only.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from bloodlib import __version__
from bloodlib.book.publishing import REFERENCE

#: What LaTeX is told before the book begins.
PREAMBLE = r"""
\usepackage{etoolbox,placeins,needspace}
\setmonofont{lmmono10-regular.otf}[BoldFont=lmmonolt10-bold.otf, ItalicFont=lmmono10-italic.otf,
  BoldItalicFont=lmmonolt10-boldoblique.otf, Scale=MatchLowercase]
\protected\def\sphinxcode#1{\textup{\texttt{#1}}} % in a link too
\AtBeginEnvironment{longtable}{\footnotesize\setlength{\tabcolsep}{3pt}}
\pretocmd{\sphinxatlongtablestart}{\FloatBarrier\Needspace{7\baselineskip}}{}{}
\setlength{\abovecaptionskip}{3pt}
\renewcommand{\topfraction}{.85}
\renewcommand{\textfraction}{.1}
\renewcommand{\floatpagefraction}{.7}
\newenvironment{sphinxVerbatimInput}{}{} % Jupyter Book's, round what cells say
\newenvironment{sphinxVerbatimOutput}{}{}
\makeatletter
\patchcmd{\LT@start}{\global\@colroom\@colht}{}{}{} % or it forgets a figure above it on its page
\renewenvironment{sphinxthebibliography}[1] % which has a chapter to itself already
  {\let\chapter\@gobbletwo\begin{thebibliography}{#1}}{\end{thebibliography}}
\makeatother
\AtBeginDocument{\setlength{\LTcapwidth}{\linewidth}}
\setcounter{tocdepth}{1}
\hypersetup{pdflang=en, pdfsubject={A reproducible companion to a paper on white blood cells},
  pdfkeywords={reproducibility, white blood cells, convolutional neural network, data leakage}}
"""
#: What stands at the foot of the title page.
IMPRINT = r"""
\authoraddress{Text and figures: CC BY 4.0. Code: MIT licence.\\\url{%s}}
"""
#: The first pages, which have no chapter's title.
FRONT = r"""\sphinxtableofcontents
\chapter*{In short}\markboth{In short}{In short}\addcontentsline{toc}{chapter}{In short}"""
SETTINGS = {
    "tableofcontents": FRONT,
    "fncychap": r"\usepackage[Sonny]{fncychap}",  # numbers in figures, not in words
    "figure_align": "!htp",  # and before a table that may go over pages, no figure waits
    "fvset": r"\fvset{fontsize=\footnotesize}",
    "releasename": f"Version {__version__}",
    "printindex": "",
}
#: Small letters on a line of a table.
LINE = 118
NARROW = set(".,:;()ijlt ")
NUMBERS = set("0123456789.,()+-\u2212\u2013% ")


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.connect("config-inited", _set, priority=900)  # after Jupyter Book's
    # Jupyter Book numbers figures by chapter, below parts, in print; if Sphinx knew of it while it
    # reads, it would read every page anew when the builder changes
    app.connect("env-before-read-docs", lambda app, *_: _number_below(app, 1))
    app.connect("doctree-resolved", lambda app, *_: _number_below(app, 2))
    for transform in (Shortened, Printed):
        app.add_post_transform(transform)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Shortened(SphinxPostTransform):
    """Leave out the library's reference, and what is for the screen only."""

    default_priority = 5  # before references are resolved: those to the reference become text
    formats = ("latex",)

    def run(self, **kwargs):
        """Cut; what leads to a part for the screen leads to its place."""
        for page in list(self.document.findall(addnodes.start_of_file)):
            if page["docname"].startswith(REFERENCE):
                page.parent.remove(page)
                self.app.builder.docnames.discard(page["docname"])
        for link in list(self.document.findall(addnodes.pending_xref)):
            name = link["reftarget"].rpartition("/")[2]
            if link["reftype"] == "doc" and f"chapters/{name}".startswith(REFERENCE):
                link.replace_self(nodes.Text(self.env.titles[f"chapters/{name}"].astext()))
        for block in list(self.document.findall(nodes.container)):
            if "screen" in block["classes"]:
                targets = [nodes.target("", "", ids=t["ids"]) for t in block.findall(nodes.target)]
                block.replace_self(nodes.paragraph("", "", *targets))


class Printed(SphinxPostTransform):
    """What paper needs: numbers of chapters, columns as wide as their text asks for, equations."""

    default_priority = 510  # after references are resolved
    formats = ("latex",)

    def run(self, **kwargs):
        """Change what is there."""
        for link in list(self.document.findall(nodes.reference)):
            if link.children and "doc" in getattr(link[0], "attributes", {}).get("classes", ()):
                name = link["refuri"].removeprefix("%")  # by its number paper is searched
                number = rf", chapter~\ref{{\detokenize{{{name}::doc}}}}"
                link.parent.insert(
                    link.parent.index(link) + 1, nodes.raw("", number, format="latex")
                )
        for block in list(self.document.findall(nodes.container)):
            if "sd-card-title" in block["classes"]:
                title = nodes.strong("", block.astext())
                block.replace_self(nodes.paragraph("", "", title))
        for cell in self.document.findall(nodes.entry):
            if not any(cell.findall(nodes.image)) and not _text(cell).strip():
                cell.children = []  # or it would be two lines high
        for table in list(self.document.findall(nodes.table)):
            rows = [list(row) for row in table.findall(nodes.row)]
            columns = list(zip(*rows, strict=True))
            spec = "".join(
                rf">{{{_side(cells)}\arraybackslash}}"
                rf"p{{\dimexpr {share:.4f}\linewidth-2\tabcolsep}}"
                for cells, share in zip(columns, shares(columns), strict=True)
            )
            place = table.parent.index(table)
            table.parent.insert(place, addnodes.tabular_col_spec(spec=spec))
            table["classes"].append("longtable")  # it may go over pages
        for block in list(self.document.findall(nodes.math_block)):
            if r"\tag" in block.astext():  # the paper's number, which Sphinx would set elsewhere
                equation = rf"\begin{{equation*}}{block.astext().strip()}\end{{equation*}}"
                block.children = [nodes.Text(equation)]
                block["nowrap"] = True


def shares(columns: list[tuple[nodes.entry, ...]]) -> list[float]:
    """How much of the line each column of a table gets, at most 1 together.

    What its longest text asks for; where that is too much, what its longest word does, and of what
    is left a part by the root of what is missing: a text twice as long gets less than twice as
    much.
    """
    widths = [[_width(cell) for cell in cells] for cells in columns]
    needs = [2 + max(word for word, _ in column) for column in widths]
    wishes = [2 + max(text for _, text in column) for column in widths]
    if sum(wishes) <= LINE:
        return [wish / LINE for wish in wishes]
    spare = max(0, LINE - sum(needs))
    roots = [(wish - need) ** 0.5 for need, wish in zip(needs, wishes, strict=True)]
    whole = sum(roots) or 1
    found = [need + spare * root / whole for need, root in zip(needs, roots, strict=True)]
    return [width / max(LINE, sum(found)) for width in found]


def _text(cell):
    """What paper shows of a cell's text."""
    cell = cell.deepcopy()
    for raw in list(cell.findall(nodes.raw)):
        raw.parent.remove(raw)
    return cell.astext().replace("\u2060", "")


def _width(cell):
    """Letters that a cell's longest word takes, and all of it; capitals, code, heads are wider."""
    factor = 1.3 if any(cell.findall(nodes.literal)) else 1
    if isinstance(cell.parent.parent, nodes.thead):
        factor = 1.15

    def wide(text):
        return factor * sum(
            1.5 if letter.isupper() else 0.7 if letter in NARROW else 1.05 for letter in text
        )

    text = _text(cell)
    return max((wide(word) for word in re.split(r"[ \n]+", text)), default=0), wide(text)


def _side(cells):
    """Numbers below a head to the right, words to the left."""
    below = "".join(map(_text, cells[1:]))
    return r"\raggedleft" if below and NUMBERS.issuperset(below) else r"\raggedright"


def _set(app, config):
    config.latex_theme = "manual"
    config.latex_domain_indices = False
    imprint = IMPRINT % config.html_theme_options.get("repository_url", "")
    jupyter_books = config.latex_elements.get("preamble", "")
    preamble = f"{PREAMBLE}{imprint}{jupyter_books}"
    config.latex_elements |= SETTINGS | {"preamble": preamble}


def _number_below(app, depth):
    if app.builder.format == "latex":
        app.config.numfig_secnum_depth = depth
