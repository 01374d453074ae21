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

from bloodlib.analyses import claims, plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.evidence import comparison

chapter.begin()
cells = comparison.cells()
networks = {
    task: [comparison.compared(pooling, task) for pooling in ("MaxPooling", "AveragePooling")]
    for task in images.TASKS
}
for task, runs in networks.items():
    chapter.cite(chapter.difference(task, comparison.difference(*runs)))
for claim in (
    "max-pooling-better-overall",
    "average-pooling-better-somewhere",
    "pooling-same-on-two",
):
    found, name = claims.verdict(claim), claim.replace("-", "_")
    chapter.cite({f"{name}_verdict": found.verdict, f"{name}_evidence": found.evidence})

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_cells(cells + comparison.added(2), 2),
    "tbl-paper-2",
    "The paper's Table 2, after epoch 25: the paper's number, then ours on TEST with its interval by cell (chapter 13).",
)

# %% [markdown]
# {numref}`tbl-paper-2` and {numref}`fig-pooling` show both. The paper's MaxPooling rows are its DCLNN rows of
# Table 1, cell for cell: one row stands in both tables, and so it does here, with the same runs.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pooling", "caption": "Max and average pooling with four classes: the paper (hollow) and ours (filled). Wide lines: intervals by cell (chapter 13). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score. In each, every class and kind of pooling has a wide line, the interval by cell, with a filled point, our value, and a hollow one, the paper's. The lines of the two poolings cover nearly the same stretch; those of monocytes and lymphocytes are the longest."}}
plots.show(figures.plot_beside(cells, 2, "four", ["AveragePooling", "MaxPooling"]))

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
# max pooling less average pooling is {glue:text}`four` with four classes, {glue:text}`four_side` zero, and
# {glue:text}`two` with two, {glue:text}`two_side` zero. {doc}`13_intervals` has the other scores.
#
# Nor is a difference between two runs one between two methods. Compare it with how far one and the
# same network moves from one epoch to the next ({doc}`09_epochs`); and another seed is another draw.

# %% [markdown]
# ## Questions
#
# This is the difference in accuracy with four classes, max less average pooling, means over the runs of each:

# %%
largest, mean = networks["four"]
comparison.signed(*comparison.difference(largest, mean, epochs=(25, 25)))

# %% tags=["remove-input"]
by_epoch = [comparison.difference(largest, mean, epochs=(e, e)).value for e in comparison.LATE]
pairs = [comparison.difference([one], [other]).value for one in largest for other in mean]
for name, found in {"q": by_epoch, "q_pairs": pairs}.items():
    chapter.cite({f"{name}_n": len(found), f"{name}_ahead": sum(value > 0 for value in found)})
    chapter.cite({f"{name}_least": comparison.signed(min(found))})
    chapter.cite({f"{name}_most": comparison.signed(max(found))})

# %% [markdown]
# **1. Which pooling wins at another epoch?** Put `(24, 24)`, `(23, 23)` and so on for `(25, 25)`, back to 16.
#
# :::{dropdown} Answer
# Max pooling is ahead after {glue:text}`q_ahead` of the {glue:text}`q_n` epochs; the difference runs from
# {glue:text}`q_least` to {glue:text}`q_most`. Whoever may choose the epoch may choose the winner.
# :::
#
# **2. Which wins with one run each?** Put `largest[:1]` and `mean[:1]` in the call, then `largest[1:2]`, and so on. One
# run each is what most papers have.
#
# :::{dropdown} Answer
# Of the {glue:text}`q_pairs_n` pairs of runs, max pooling is ahead in {glue:text}`q_pairs_ahead`, and the difference runs
# from {glue:text}`q_pairs_least` to {glue:text}`q_pairs_most`. From a single pair one could publish either.
# :::
