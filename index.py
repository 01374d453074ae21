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
# **The claim.** A small network, DCLNN, tells white blood cells apart better than Naive Bayes and a support vector
# machine {cite}`tiwari`.
#
# **What holds.** The same happens here, on the same images: with four classes the network is right for
# {glue:text}`DCLNN_four`, the support vector machine for {glue:text}`SVM_four`. But so is a plain count of colours,
# for {glue:text}`histogram_four`, in seconds. That there is more to see than colours does not show on this test set;
# it begins to on the {glue:text}`n_train` cells of the training set, held out in turn: there a compact CNN is right for
# {glue:text}`small_held`, DCLNN for {glue:text}`DCLNN_held`, the count of colours for {glue:text}`histogram_held`. Less the colours
# the compact CNN has {glue:text}`small_gap`, with settings chosen on these very cells, and DCLNN {glue:text}`DCLNN_gap`
# ({doc}`chapters/20_better`).
#
# **How sure.** Not very: the {glue:text}`n_test:,` test images were made from {glue:text}`n_photographs` photographs of
# {glue:text}`n_cells` cells. They tell the network from the support vector machine in {glue:text}`DCLNN_apart` of
# {glue:text}`DCLNN_compared` scores, max from average pooling in {glue:text}`MaxPooling_apart` of {glue:text}`MaxPooling_compared`
# ({doc}`chapters/13_intervals`).

# %% tags=["remove-input"]
import pandas as pd
from myst_nb import glue

from bloodlib import paper
from bloodlib.analyses import model_comparison, plots, uncertainty
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison

chapter.begin()
found = pd.concat([model_comparison.compute_test(task) for task in images.TASKS])
for row in found[found["task"] == "four"].itertuples():
    text = comparison.with_interval(row.accuracy, row.low, row.high)
    glue(f"{row.method}_four", text, display=False)
glue("n_test", len(images.labels("TEST")), display=False)
for what in ("photographs", "cells"):
    glue(f"n_{what}", sum(photographs.counts(what)["TEST"].values()), display=False)
held = model_comparison.compute_held_out().set_index("method")
for method in ("small", "DCLNN", "histogram"):
    text = comparison.with_interval(*held.loc[method, ["accuracy", "low", "high"]])
    glue(f"{method}_held", text, display=False)
for method in ("small", "DCLNN"):
    less = model_comparison.compute_held_out(method).set_index("method").loc["histogram"]
    gap = comparison.signed(*less[["gap", "gap_low", "gap_high"]])
    glue(f"{method}_gap", gap, display=False)
glue("n_train", len(set(photographs.cells("TRAIN"))), display=False)
apart = uncertainty.compute_differences().groupby("first", sort=False)["excludes_zero"]
apart = apart.agg(["sum", "size"])
for first, row in apart.iterrows():
    glue(f"{first}_apart", int(row["sum"]) or "none", display=False)
    glue(f"{first}_compared", int(row["size"]), display=False)
glue("n_claims", len(paper.CLAIMS), display=False)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-front", "caption": "How often each method is right on TEST. Dots: our runs and their mean; wide lines: where it might lie with other cells of the same kind (chapter 13); diamonds: the paper's average recall, which is the same measure as its classes are equally large; dotted: guessing."}, "image": {"alt": "Two panels, four and two classes, a line for each method. Most frequent class, Naive Bayes and SVM lie at or little above guessing, in the paper and here. Nearest photograph lies between. Colour histogram, compact CNN and DCLNN lie far to the right, close together, and their wide lines overlap; the paper's diamonds for DCLNN lie within them."}}
plots.show(model_comparison.plot_test(found))

# %% [markdown]
# {numref}`fig-front` has every method that was tried, and {numref}`tbl-verdicts` counts the paper's {glue:text}`n_claims` claims
# by their verdict; each stands in {doc}`chapters/01_claims` with its reason.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
counted = tables.load_claims().value_counts("Verdict").reset_index(name="Claims")
tables.show(counted, "tbl-verdicts", "The paper's claims by verdict.")

# %% [markdown]
# ## Where to go
#
# ::::{grid} 1 2 2 2
# :gutter: 3
#
# :::{grid-item-card} To read
# :link: chapters/01_claims
# :link-type: doc
# What does the paper claim, and what became of each claim? The results begin with chapter 6, the doubts with chapter 11.
# :::
#
# :::{grid-item-card} To run it again
# :link: chapters/run_it_yourself
# :link-type: doc
# Two commands on a laptop; one more for the whole study, on one machine or many.
# :::
#
# :::{grid-item-card} To teach with it
# :link: chapters/13_intervals
# :link-type: doc
# Every chapter ends with questions and folded answers. What is a number worth, for a start?
# :::
#
# :::{grid-item-card} To play with it
# :link: chapters/try_it
# :link-type: doc
# Give the trained network a picture of a cell, here in the browser, and see where it looks.
# :::
# ::::
#
# Every score on these pages is computed by a cell of the page it stands on, from the predictions of a recorded run; none is
# typed. Ours in the paper's tables are links to where they come from ({doc}`chapters/provenance`). "Figure" and "Table" are the
# paper's, "Fig." and "Tab." are ours.
