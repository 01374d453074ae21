# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two convolutions and the evidence
#
# A paper claims that a small network, DCLNN, tells white blood cells apart better than Naive Bayes
# and a support vector machine {cite}`tiwari`. It leaves about half of its settings unstated, and its
# test set of {glue:text}`n_test:,` images was made from {glue:text}`n_photographs` photographs of {glue:text}`n_cells`
# cells.
#
# This book runs everything again, on the same images, and prints the paper's numbers beside ours.
# Every number on these pages is computed by a cell of the page it stands on, from the predictions of
# a recorded run; none is typed. Ours in the paper's tables are links to where they come from
# ({doc}`chapters/provenance`). "Figure" and "Table" are the paper's, "Fig." and "Tab." are ours.

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib import certainty, chapter, comparison, figures, paper, photographs, tables
from bloodlib.images import labels

chapter.begin()
glue("n_test", len(labels("TEST")), display=False)
for what in ("photographs", "cells"):
    glue(f"n_{what}", sum(photographs.counts(what)["TEST"].values()), display=False)
found = certainty.differences()
apart = found.groupby(["first", "second"], sort=False)["apart"].agg(["sum", "size"])
for (first, _), row in apart.iterrows():
    glue(f"{first}_apart", int(row["sum"]) or "none", display=False)
    glue(f"{first}_compared", int(row["size"]), display=False)
glue("n_claims", len(paper.CLAIMS), display=False)

# %% [markdown]
# ## What was claimed, and what holds so far
#
# {numref}`tbl-verdicts` counts the paper's {glue:text}`n_claims` claims by their verdict; each stands
# in {doc}`chapters/01_claims` with its reason.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
counted = tables.load_verdicts()
tables.show(counted, "tbl-verdicts", "The paper's claims by verdict.")

# %% [markdown]
# {numref}`fig-front` draws the averages, {numref}`tbl-averages` has those of the paper's Table 1 in numbers. Ours come
# with intervals over cells like TEST's. On the same cells, the test set tells DCLNN from the SVM in
# {glue:text}`DCLNN_apart` of {glue:text}`DCLNN_compared` scores, the SVM from Naive Bayes in {glue:text}`SVM_apart` of
# {glue:text}`SVM_compared`, and max from average pooling in {glue:text}`MaxPooling_apart` of
# {glue:text}`MaxPooling_compared` ({doc}`chapters/13_intervals`).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-front", "caption": "Average recall by method: hollow the paper, filled ours. Red: two classes; blue: four. Thin lines: intervals by cell (chapter 13)."}, "image": {"alt": "Grouped bars of average recall for five methods. Naive Bayes and SVM are low, in the paper and here; the network's bars are much higher. Each bar of ours has a thin line, the interval by cell, long enough to hold most of the paper's values."}}
cells = comparison.cells()
figures.plot_averages(cells, "recall")
plt.show()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_cells(cells, 1, **{"class": "Average"}).drop(columns="Class"),
    "tbl-averages",
    "Averages over classes on TEST: the paper's number, then ours with its interval by cell (chapter 13). A dash: not run yet.",
)

# %% [markdown]
# ## Where to go
#
# - **To read:** start with {doc}`chapters/01_claims` and {doc}`chapters/02_images`; the results begin
#   with {doc}`chapters/06_baselines`.
# - **To run it again:** {doc}`chapters/run_it_yourself` has the two commands.
# - **To teach with it:** every chapter has a parameters cell at its top; the profile `quick` runs the
#   same code on few images in minutes, on drawn cells if the photographs can't be had.
