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
# test set of {glue:text}`n_test:,` images comes from about {glue:text}`n_simple` photographs.
#
# This book runs everything again, on the same images, and prints the paper's numbers beside ours.
# Every number on these pages is computed by a cell of the page it stands on, from the predictions of
# a recorded run; none is typed. "Figure" and "Table" are the paper's, "Fig." and "Tab." are ours.

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib import chapter, comparison, figures, paper, tables
from bloodlib.images import labels

chapter.begin()
glue("n_test", len(labels("TEST")), display=False)
glue("n_simple", len(labels("TEST_SIMPLE")), display=False)
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
# {numref}`fig-front` draws the averages, {numref}`tbl-averages` has those of the paper's Table 1 in numbers.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-front", "caption": "Average recall by method: hollow the paper, filled ours. Red: two classes; blue: four."}, "image": {"alt": "Grouped bars of average recall for five methods. Naive Bayes and SVM are low, in the paper and here; the network's bars are much higher, and ours with four classes a little below the paper's."}}
cells = comparison.cells()
figures.plot_averages(cells, "recall")
plt.show()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_cells(cells, 1, **{"class": "Average"}).drop(columns="Class"),
    "tbl-averages",
    "Averages over classes on TEST: the paper's number, then ours. A dash: not run yet.",
)

# %% [markdown]
# ## Where to go
#
# - **To read:** start with {doc}`chapters/01_claims` and {doc}`chapters/02_images`; the results begin
#   with {doc}`chapters/06_baselines`.
# - **To run it again:** {doc}`chapters/run_it_yourself` has the two commands.
# - **To teach with it:** every chapter has a parameters cell at its top; the profile `quick` runs the
#   same code on few images in minutes, on drawn cells if the photographs can't be had.
