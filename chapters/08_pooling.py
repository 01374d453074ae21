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
# # Does max pooling beat average pooling?
#
# The paper's Table 2 says that with four classes it does, "comprehensively", and that with two the
# poolings are "virtually identical". Here is the same network with either, and everything else equal.

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib.analyses import claims
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.evidence import comparison

chapter.begin()
cells = comparison.cells()
for task in images.TASKS:
    runs = [comparison.compared(pooling, task) for pooling in ("MaxPooling", "AveragePooling")]
    found = comparison.difference(*runs) if all(runs) else None
    words = comparison.signed(*found) if found else "not known yet"
    glue(f"{task}_difference", words, display=False)
    side = comparison.beside(*found[1:]) if found else "not compared with"
    glue(f"{task}_side", side, display=False)
for claim in (
    "max-pooling-better-overall",
    "average-pooling-better-somewhere",
    "pooling-same-on-two",
):
    found = claims.verdict(claim)
    name = claim.replace("-", "_")
    glue(f"{name}_verdict", found.verdict, display=False)
    glue(f"{name}_evidence", found.evidence or "No recorded run speaks to it yet.", display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_cells(cells + comparison.added(2), 2),
    "tbl-paper-2",
    "The paper's Table 2, after epoch 25: the paper's number, then ours on TEST with its interval by cell (chapter 13)<span class='screen'>, also drawn from 0 to 1 with the paper's as a diamond</span>.",
)

# %% [markdown]
# {numref}`tbl-paper-2` and {numref}`fig-pooling` show both. The paper's MaxPooling rows are its DCLNN rows of
# Table 1, cell for cell: one row stands in both tables, and so it does here, with the same runs.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pooling", "caption": "Max and average pooling with four classes: the paper (hollow) and ours (filled). Wide lines: intervals by cell (chapter 13). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score. In each, every class and kind of pooling has a wide line, the interval by cell, with a filled point, our value, and a hollow one, the paper's. The lines of the two poolings cover nearly the same stretch; those of monocytes and lymphocytes are the longest."}}
figures.plot_beside(figures.select_cells(cells, 2, "four", ["AveragePooling", "MaxPooling"]))
plt.show()

# %% [markdown]
# ## What that says of the claims
#
# - "Comprehensively MaxPooling outperforms AveragePooling", four classes:
#   **{glue:text}`max_pooling_better_overall_verdict`.** {glue:text}`max_pooling_better_overall_evidence`
# - "AveragePooling has better performance at some points":
#   **{glue:text}`average_pooling_better_somewhere_verdict`.** {glue:text}`average_pooling_better_somewhere_evidence`
# - Two classes, "virtually identical":
#   **{glue:text}`pooling_same_on_two_verdict`.** {glue:text}`pooling_same_on_two_evidence`
#
# ## More than TEST's cells can tell?
#
# Both networks were tried on the same cells, so their difference has an interval of its own. In accuracy,
# max pooling less average pooling is {glue:text}`four_difference` with four classes, {glue:text}`four_side` zero, and
# {glue:text}`two_difference` with two, {glue:text}`two_side` zero. {doc}`13_intervals` has the other scores.
#
# Nor is a difference between two runs one between two methods. Compare it with how far one and the
# same network moves from one epoch to the next ({doc}`09_epochs`); and another seed is another draw.

# %% [markdown]
# ## Questions
#
# This is the difference in accuracy with four classes, max less average pooling, means over the runs of each:

# %%
largest, mean = (
    comparison.compared(pooling, "four")
    for pooling in ("MaxPooling", "AveragePooling")
)  # fmt: skip
comparison.signed(*comparison.difference(largest, mean, epochs=(25, 25)))

# %% tags=["remove-input"]
late = range(comparison.EPOCH - 9, comparison.EPOCH + 1)
by_epoch = [float(comparison.difference(largest, mean, epochs=(e, e)).value) for e in late]
glue("q_epochs", len(by_epoch), display=False)
glue("q_ahead", sum(value > 0 for value in by_epoch), display=False)
glue("q_least", comparison.signed(min(by_epoch)), display=False)
glue("q_most", comparison.signed(max(by_epoch)), display=False)
pairs = [
    float(comparison.difference([one], [other]).value) for one in largest for other in mean
]  # fmt: skip
glue("q_pairs", len(pairs), display=False)
glue("q_pairs_ahead", sum(value > 0 for value in pairs), display=False)
glue("q_pairs_least", comparison.signed(min(pairs)), display=False)
glue("q_pairs_most", comparison.signed(max(pairs)), display=False)

# %% [markdown]
# **1. Which pooling wins at another epoch?** Put `(24, 24)`, `(23, 23)` and so on for `(25, 25)`, back to 16.
#
# :::{dropdown} Answer
# Max pooling is ahead after {glue:text}`q_ahead` of the {glue:text}`q_epochs` epochs; the difference runs from
# {glue:text}`q_least` to {glue:text}`q_most`. Whoever may choose the epoch may choose the winner.
# :::
#
# **2. Which wins with one run each?** Put `largest[:1]` and `mean[:1]` in the call, then `largest[1:2]`, and so on. One
# run each is what most papers have.
#
# :::{dropdown} Answer
# Of the {glue:text}`q_pairs` pairs of runs, max pooling is ahead in {glue:text}`q_pairs_ahead`, and the difference runs
# from {glue:text}`q_pairs_least` to {glue:text}`q_pairs_most`. From a single pair one could publish either.
# :::
