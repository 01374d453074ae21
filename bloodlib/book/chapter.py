"""How a chapter begins, its parameters checked, its figures in the book's style; its numbers."""

import ast
import functools
from importlib import resources

from bloodlib.models.methods import suggest


def begin() -> None:
    """Begin a chapter: call it in the first cell after the parameters.

    Papermill only warns of a parameter that the chapter does not have, and runs
    on with the default; here it is refused. Figures get the book's style and are
    drawn as SVG for the page and as PDF for print, the same on every run.

    Raises
    ------
    ValueError
        If papermill set a parameter that the chapter does not have.
    """
    import matplotlib.pyplot as plt
    from IPython import get_ipython
    from IPython.core.pylabtools import print_figure
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    shell = get_ipython()
    refuse_unknown_parameters(shell.user_ns["In"])
    plt.style.use(str(resources.files("bloodlib.book").joinpath("book.mplstyle")))
    set_matplotlib_formats("svg", metadata={"Date": None})
    undated = functools.partial(print_figure, fmt="pdf", metadata={"CreationDate": None})
    shell.display_formatter.formatters["application/pdf"].for_type(plt.Figure, undated)


def cite(values: dict[str, object]) -> None:
    """Give the chapter's prose values by their names, for ``{glue:text}`name```."""
    import numpy as np
    from myst_nb import glue

    for name, value in values.items():
        glue(name, value.item() if isinstance(value, np.generic) else value, display=False)


def difference(name: str, found) -> dict[str, str]:
    """A difference for :func:`cite`: its text, and as ``<name>_side`` on which side of zero it is.

    Parameters
    ----------
    name : str
    found : bloodlib.evidence.comparison.Estimate
    """
    from bloodlib.evidence import comparison

    return {name: comparison.signed(*found), f"{name}_side": comparison.beside(*found[1:])}


def refuse_unknown_parameters(cells: list[str]) -> None:
    """Compare the cell that papermill injected with the chapter's own parameters.

    Parameters
    ----------
    cells : list of str
        Sources of the cells executed so far, the parameters first.

    Raises
    ------
    ValueError
        If the injected cell sets a name that the cells before it do not.
    """
    known = set()
    for cell in cells:
        names = assigned(cell)
        if cell.startswith("# Parameters\n"):
            for name in sorted(names - known):
                raise ValueError(f"this chapter has no parameter {name!r}. {suggest(name, known)}")
        known |= names


def assigned(cell: str) -> set[str]:
    """Names that a cell gives a value to, at its top level."""
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError):  # a cell with a magic command assigns no parameter
        return set()
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
