"""What the figures of all analyses have in common: colours, axes, and the plot of intervals.

``plots.plot_intervals(axis, y, value, low, high, colour)`` draws rows of dots on their intervals;
``printed=`` adds the paper's numbers as hollow diamonds, ``runs=`` single runs as small circles;
``plots.in_rows(axes, names)`` then names the rows. Each class and each method keeps its colour.
``plots.plot_pictures(pictures, titles)`` is a gallery.
:func:`show` shows figures that hold photographs.
"""

import io
from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex, to_rgb

#: Of figures that hold photographs.
DPI = 180
#: Height and width at which galleries show an image, as published.
GALLERY_SIZE = (240, 320)
#: Of Okabe and Ito, which people with any kind of colour vision can tell apart.
COLOURS = {
    "NEUTROPHIL": "#0072B2",
    "EOSINOPHIL": "#D55E00",
    "MONOCYTE": "#009E73",
    "LYMPHOCYTE": "#CC79A7",
    "Mononuclear": "#56B4E9",
    "Polynuclear": "#E69F00",
    "NB": "#999999",
    "SVM": "#E69F00",
    "DCLNN": "#0072B2",
    "AveragePooling": "#56B4E9",
    "MaxPooling": "#0072B2",
    "majority": "#222222",
    "nearest-photograph": "#56B4E9",
    "histogram": "#CC79A7",
    "small": "#009E73",
    "paper": "#222222",
}


def bare(axis: plt.Axes) -> None:
    """Take ticks, grid and frame from a picture's axes."""
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_visible(False)


def upright(axis: plt.Axes) -> None:
    """Draw the grid upright, for a plot whose numbers run along the bottom."""
    axis.grid(True, axis="x")
    axis.grid(False, axis="y")


def in_rows(axes: Iterable[plt.Axes], names: Iterable[str]) -> None:
    """Give panels side by side a row for each name, if any, the first on top; an upright grid."""
    names = list(names)
    for axis in axes:
        upright(axis)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(max(len(names), 1) - 0.5, -0.5)


def plot_intervals(
    axis: plt.Axes, y, value, low, high, colour, *, hollow=False, runs=None, printed=None, label=""
) -> None:
    """Dots on their intervals, in rows: a wide pale line from low to high, a dot at the value.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    y, value, low, high : array-like [n]
        Rows, values and the ends of their intervals; nothing is drawn for what is missing.
    colour : str or list of str
        One, or one for each row.
    hollow : bool or list of bool
        Which dots are only outlined.
    runs : list of array-like, optional
        The single runs behind each row: small hollow circles, where there are several.
    printed : array-like [n], optional
        The paper's numbers: hollow diamonds.
    label : str
        Of the dots in a legend; the paper's are then labelled too.
    """
    y, value, low, high = (np.asarray(some, dtype=float) for some in (y, value, low, high))
    colours = np.broadcast_to(np.asarray(colour, dtype=object), y.shape)
    faces = np.where(np.broadcast_to(hollow, y.shape), "white", colours)
    if (bounded := np.isfinite(low)).any():
        axis.hlines(
            y[bounded], low[bounded], high[bounded], colors=colours[bounded], lw=5, alpha=0.3
        )
    for row, each, own in zip(y, () if runs is None else runs, colours, strict=False):
        if len(each) > 1:
            axis.scatter(each, np.full(len(each), row), s=16, facecolors="white", edgecolors=own)
    if printed is not None:
        axis.scatter(
            np.asarray(printed, dtype=float), y, s=36, marker="D", facecolors="none",
            edgecolors=COLOURS["paper"], label="paper" if label else None, zorder=2.5,
        )  # fmt: skip
    axis.scatter(
        value, y, s=25, facecolors=faces, edgecolors=colours, label=label or None, zorder=3
    )


def shade(fraction: float, colours: str) -> tuple[str, str]:
    """The colour of a fraction in a colour map, and black or white, whichever is readable on it."""
    colour = to_hex(plt.get_cmap(colours)(float(fraction)))
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = linear @ (0.2126, 0.7152, 0.0722)  # of WCAG; at 0.179 both contrasts are 4.58
    return colour, "#000000" if light > 0.179 else "#ffffff"


def plot_pictures(
    pictures: Iterable[np.ndarray | str], titles: Iterable[str], columns: int = 4
) -> plt.Figure:
    """Pictures in rows, with titles; a text in the place of a picture stands on a grey tile."""
    pictures = list(pictures)
    rows = max(1, -(-len(pictures) // columns))
    figure, axes = plt.subplots(
        rows, columns, figsize=(7.2, rows * (5.4 / columns + 0.3)), squeeze=False
    )
    for axis in axes.flat:
        bare(axis)
    for axis, picture, title in zip(axes.flat, pictures, titles, strict=False):
        axis.set_title(title, fontsize=7, fontweight="normal")
        if isinstance(picture, str):
            height, width = GALLERY_SIZE
            axis.set(facecolor="#eeeeee", xlim=(0, width), ylim=(height, 0), aspect="equal")
            axis.text(width / 2, height / 2, picture, ha="center", va="center", fontsize=7)
        else:
            axis.imshow(picture)
    return figure


def show(figure: plt.Figure) -> None:
    """Show a figure in a cell."""
    from IPython.display import display

    display(figure)
    plt.close(figure)


def show_photographs(figure: plt.Figure):
    """Show a figure in a cell, as JPEG if it holds photographs: as SVG they would be megabytes.

    Returns
    -------
    IPython.display.Image or None
    """
    if not any(axis.images for axis in figure.axes):
        show(figure)
        return None
    from IPython import display

    stream = io.BytesIO()
    quality = {"quality": 85, "optimize": True}
    figure.savefig(stream, format="jpeg", dpi=DPI, bbox_inches="tight", pil_kwargs=quality)
    plt.close(figure)
    return display.Image(stream.getvalue(), format="jpeg")
