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

from bloodlib import chapter, comparison, figures, tables, verdicts

chapter.begin()
cells = comparison.cells()
for claim in (
    "max-pooling-better-overall",
    "average-pooling-better-somewhere",
    "pooling-same-on-two",
):
    found = verdicts.verdict(claim)
    name = claim.replace("-", "_")
    glue(f"{name}_verdict", found.verdict, display=False)
    glue(f"{name}_evidence", found.evidence or "No recorded run speaks to it yet.", display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_cells(cells, 2),
    "tbl-paper-2",
    "The paper's Table 2, after epoch 25: the paper's number, then ours on TEST. A dash: not run yet.",
)

# %% [markdown]
# {numref}`tbl-paper-2` and {numref}`fig-pooling` show both. The paper's MaxPooling rows are its DCLNN rows of
# Table 1, cell for cell: one run stands in both tables, and so it does here.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pooling", "caption": "Max and average pooling with four classes: the paper (hollow) and ours (filled). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score. In each, one line for each class and kind of pooling joins the paper's value and ours."}}
figures.plot_beside(figures.load_row(cells, 2, "four", ["AveragePooling", "MaxPooling"]))
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
# A difference between two runs is not yet a difference between two methods. Compare it with how far one
# and the same network moves from one epoch to the next ({doc}`09_epochs`); and another seed is another draw.
