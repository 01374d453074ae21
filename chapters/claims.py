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
# # The paper's claims
#
# *What does the paper claim?*
#
# Everything in the paper that could be true or false, in its own words, with the place where it
# stands, what would have to be true, and the verdict so far.

# %% tags=["remove-input"]
from fractions import Fraction

import pandas as pd

from bloodlib import paper
from bloodlib.book import chapter, tables
from bloodlib.data import images
from bloodlib.evidence import verdicts
from bloodlib.paper import arithmetic

chapter.begin()
chapter.cite(
    n_claims=len(paper.CLAIMS), n_unstated=len(paper.SETTINGS["unstated"]), n_cells=len(paper.CELLS)
)
chapter.cite(least_runs=verdicts.RUNS, width=verdicts.WIDTH, alike=verdicts.ALIKE)

# %% [markdown]
# ## The claims
#
# {numref}`tbl-claims` lists {glue:text}`n_claims` claims. "Not tested yet" means that no recorded run
# speaks to it. Where the last column names a number, it was computed for this page.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(tables.load_claims(), "tbl-claims", "The paper's claims and what became of them.")

# %% [markdown]
# ## How a verdict is reached
#
# The rules are code, `bloodlib.evidence.verdicts`, and are tested on invented numbers. They were not blind: the first runs were known
# when they were fixed. A score of ours has one value for each run, and behind it, in brackets, an interval: where the score
# could lie, 95 times in 100, with other cells of the same kinds, as few as TEST's. That is what this book calls an interval by cell
# ({doc}`intervals`); of other laboratories it says nothing. A difference
# of two scores *holds* if its interval lies above zero and even the lowest run of the one is above the highest of the
# other; it *fails* if both lie the other way; it is *open* otherwise, and wherever a network has fewer than
# {glue:text}`least_runs` runs.
#
# - **Higher in all of these:** reproduced if all hold, not reproduced if one fails. If none fails and more than half
#   hold, the direction is reproduced. The rest can't be told.
# - **A printed number:** not reproduced outside of our interval. Inside, it is reproduced if the interval is no wider
#   than {glue:text}`width`; a wider one holds many numbers and confirms none.
# - **So many times higher:** as a number; the ratio's interval is taken from the ends of both.
# - **Virtually identical:** reproduced if no interval of a difference goes beyond ±{glue:text}`alike`, not reproduced if a
#   difference is larger than that and holds or fails.
# - **What the paper's own numbers or sentences exclude** contradicts itself, whatever we find.
#
# - **A number and a ratio together:** reproduced if both are; else in direction, if the score is higher at all.
# - **Seen in one network of each task:** never more than the direction.
# - **So high, wherever it is tried:** not reproduced if one interval lies below.
#
# "Can't be told" means that what there is does not decide it. Mostly the cells of TEST are too few, whatever the network;
# where the reason is another, the last column says so.
#
# ## What is stated
#
# Section 4.2 lists the settings in {numref}`tbl-stated`; they are fixed in `bloodlib.models.networks`.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(paper.SETTINGS["stated"]).replace({"value": {"": "(blank)"}}),
    "tbl-stated",
    "Settings that the paper states, as printed.",
    columns=["name", "value", "place"],
    headings={"name": "Setting", "value": "Printed", "place": "Where"},
)

# %% [markdown]
# ## What is left open
#
# The list does not suffice to build and train the network. {numref}`tbl-unstated` names
# {glue:text}`n_unstated` settings that had to be chosen, for the network, its scores or the baselines, our choice, and the
# reason. Many come from what we call the lineage: a public Kaggle notebook, "Identify Blood Cell Subtypes From Images" by
# P. Mooney, with the same network, the same order of classes as the paper's tables and the colours
# of its Figure 7. That the paper descends from it is our reading; the paper does not say so.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(paper.SETTINGS["unstated"]),
    "tbl-unstated",
    "Settings that the paper leaves open.",
    columns=["name", "ours", "why"],
    headings={"name": "Left open", "ours": "Here"},
)

# %% [markdown]
# ## Numbers as intervals
#
# Tables 1 and 2 print {glue:text}`n_cells` numbers with two decimals, trailing zeros dropped: "0.6" is
# 0.60 and "1" is 1.00. A printed number stands for every number that rounds to it.

# %%
row = {"table": 1, "task": "four", "method": "DCLNN", "class_": "NEUTROPHIL"}
recall = paper.cells(**row, measure="recall")[0]
recall.printed, str(arithmetic.span(recall.printed))

# %% tags=["remove-input"]
where = arithmetic.span(recall.printed)
for name, split in {"q": "TEST", "q_simple": "TEST_SIMPLE"}.items():
    size = images.counts()[split]["NEUTROPHIL"]
    chapter.cite(
        {
            f"{name}_size": size,
            f"{name}_fit": sum(where.holds(Fraction(k, size)) for k in range(size + 1)),
        }
    )
ahead, behind = (
    paper.cells(**row | {"method": method, "class_": "Average"}, measure="recall")[0]
    for method in ("DCLNN", "SVM")
)
chapter.cite(q_ahead=ahead.printed, q_behind=behind.printed)
ahead, behind = (arithmetic.span(cell.printed) for cell in (ahead, behind))
chapter.cite(q_least=float(ahead.low - behind.high), q_most=float(ahead.high - behind.low))

# %% [markdown]
# ## Questions
#
# **1. How many images does a printed number leave open?** TEST has {glue:text}`q_size` neutrophils. How many of them can
# have been found, if the recall is printed as in the last cell? And how many if it had been computed on TEST_SIMPLE, with
# {glue:text}`q_simple_size`? (`images.counts()` has these sizes. Try also `"class_": "MONOCYTE"`.)
#
# :::{dropdown} Answer
# Of TEST's neutrophils, {glue:text}`q_fit` different numbers give a recall that prints so. Of TEST_SIMPLE's it would be
# {glue:text}`q_simple_fit`: with few images the values that a recall can have lie further apart than two decimals, so that
# not every printed number is possible. {doc}`arithmetic` goes on from here.
# :::
#
# **2. By how much is DCLNN ahead of the SVM in print?** In the last cell, set `"class_": "Average"` and then `"method": "SVM"`
# for `"DCLNN"`. What is the least and the most that the two average recalls can differ?
#
# :::{dropdown} Answer
# Printed are {glue:text}`q_ahead` and {glue:text}`q_behind`, and the difference is between {glue:text}`q_least:.2f` and
# {glue:text}`q_most:.2f`: a difference of two rounded numbers is twice as uncertain as each of them. That is what rounding
# leaves open, and nothing else. What few cells leave open is far more ({doc}`intervals`).
# :::
