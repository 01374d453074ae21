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
# # Data leakage
#
# :::{admonition} In short
# How much does a random split of the images inflate accuracy? By {glue:text}`inflation_points:.0f` points: the compact CNN classifies
# {glue:text}`compact_random:.0%` of the held-out images correctly with images held out at random, and {glue:text}`compact_cell:.0%` with whole cells held
# out (difference {glue:text}`inflation`, five folds, three seeds, the same images). As published, no photograph is on both sides, and a few
# cells are.
# :::
#
# A score on held-out images says something about new cells only if the held-out images show cells that
# training has not seen. Here the same methods are trained and tried four times on the same images, and
# nothing changes but which images are held out:
#
# - **as published**: the folders TRAIN and TEST;
# - **images at random**: a fifth of all images, drawn one by one, as many public notebooks do;
# - **by photograph**: a fifth, all images of a photograph together ({doc}`photographs`);
# - **by cell**: a fifth, all photographs of a cell together.
#
# The last three divide TRAIN and TEST together, into five fifths with the classes in equal shares.

# %% tags=["remove-input"]
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import leakage, plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, splits
from bloodlib.evidence import comparison, intervals

chapter.begin()

# %%
found = leakage.compute_splits()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-splits", "caption": "Accuracy with four classes and nothing changed but the split. Hollow dots: runs, one for each fold held out; filled: all folds together; wide line: interval by cell; dotted: guessing. KNN gives an image the class of the most similar training image."}, "image": {"alt": "A panel for each method, a row for each split. The network is far to the right of the others on every split. Within a panel the rows differ little, and intervals overlap; with images held out at random each method is a little further to the right. The nearest neighbour lies near guessing on every split."}}
plots.show(figures.plot_splits(found, leakage.SHOWN, 1 / len(images.CLASSES)))

# %% tags=["remove-input"]
by = found.set_index(["method", "split_by"])
accuracy = by["accuracy"].unstack()
sides = leakage.compute_overlaps().set_index("split_by")
network = by.loc["DCLNN"]
means = network["late"].map(np.mean)
chapter.cite(
    {f"{method}_{split}": f"{value:.2f}" for (method, split), value in by["accuracy"].items()}
    | {f"{method}_gain": row["image"] - row["cell"] for method, row in accuracy.iterrows()}
    | {f"mean_{split}": value for split, value in means.items()}
    | {f"late_{name}": f"{min(v):.2f} to {max(v):.2f}" for name, v in network["late"].items()},
    chance=1 / len(images.CLASSES),
    random_cells=sides.loc["image", "cells"],
    random_share=sides.loc["image", "fraction"],
    late_step=network["step"].mean(),
    late_order=" < ".join(leakage.SHOWN[name] for name in means.sort_values().index),
    late_apart=means.max() - means.min(),
    compact_random=accuracy.loc["compact CNN", "image"],
    compact_published=accuracy.loc["compact CNN", "published"],
)

# %% [markdown]
# In {numref}`fig-splits`, DCLNN is right for {glue:text}`DCLNN_published` of the images as published, for
# {glue:text}`DCLNN_photograph` by photograph, for {glue:text}`DCLNN_cell` by cell, and for {glue:text}`DCLNN_image` with
# images at random. There one would expect the highest score: every image held out shows a cell that the
# network was trained on, turned another way.
#
# But each of these is one run, read at epoch 25, and from one late epoch to the next its accuracy moves by
# {glue:text}`late_step:.2f` on average. Over the last ten epochs it was {glue:text}`late_image` with images at random,
# {glue:text}`late_cell` by cell and {glue:text}`late_published` as published, and the means of the ten are
# {glue:text}`mean_image:.2f`, {glue:text}`mean_cell:.2f` and {glue:text}`mean_published:.2f`. By these means the splits
# are {glue:text}`late_apart:.2f` apart, in the order {glue:text}`late_order`. So these runs do not show how much of a score
# is leak; more seeds would. What they show is how easily one reading at a lucky epoch passes for an effect.
#
# ## How much a random split inflates accuracy
#
# The compact CNN was trained with each way of holding images out, in five folds and with three seeds. Each of the
# {glue:text}`pooled:,` images is held out once a seed both ways, so that the two can be compared image by image. A cell's images
# are not independent, so the interval is over cells ({doc}`intervals`) and over seeds:

# %%
labels, cells = splits.pooled(images.labels), splits.groups("cell")
right = {by: np.zeros((3, len(labels))) for by in ("image", "cell")}
for by, is_right in right.items():
    for run in study.select(method="small", task="four", split_by=by):
        held_out = splits.split(by, run.config["fold"]).test
        is_right[run.config["seed"], held_out] = run.arrays["labels"][-1] == run.arrays["truth"]
inflation = right["image"] - right["cell"]  # for each seed and image
drawn = intervals.resample(labels, cells, len(images.CLASSES))
low, high = intervals.mean_bounds(inflation, drawn, limits=(-1, 1))
by_seed = pd.DataFrame({by: values.mean(axis=1) for by, values in right.items()})
print(by_seed.rename_axis("seed").round(3))

# %% tags=["remove-input"]
assert low > 0  # it inflates,
assert np.ptp(inflation.mean(axis=1)) < 0.02  # nearly alike with each seed
chapter.cite(
    inflation=comparison.signed(inflation.mean(), low, high),
    inflation_points=100 * inflation.mean(),
    pooled=len(labels),
    compact_cell=right["cell"].mean(),
    compact_photograph=accuracy.loc["compact CNN", "photograph"],
)

# %% [markdown]
# A random split adds {glue:text}`inflation` to the accuracy of the compact CNN, and nearly the same with each seed. By photograph it reaches
# {glue:text}`compact_photograph:.0%`, by cell {glue:text}`compact_cell:.0%`, as published {glue:text}`compact_published:.0%`: what inflates is that the
# cells held out were seen in training.
#
# ## The methods of the paper
#
# The gain from cell to image is {glue:text}`NB_gain:.2f` for Naive Bayes and {glue:text}`SVM_gain:.2f` for the SVM, from
# {glue:text}`NB_cell` and {glue:text}`SVM_cell`. We had expected the nearest neighbour (KNN) to show the leak most
# clearly. It does not: it is at {glue:text}`KNN_image` with images at random and {glue:text}`KNN_cell` by cell, where
# guessing is {glue:text}`chance:.2f`. An image that was turned, shifted and mirrored is, pixel by pixel, no longer like its
# sibling.
#
# With images at random, {glue:text}`random_share:.1%` of what is held out shows one of {glue:text}`random_cells` cells
# that are in the training images too. {numref}`tbl-sides` has this for each split, and {numref}`tbl-splits`
# the numbers of the figure.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    leakage.compute_overlaps(),
    "tbl-sides",
    "What each split has on both sides: photographs, cells, and the share of the held-out images that show such a cell (first fold).",
    columns=["split_by", "photographs", "cells", "fraction"],
    headings={
        "split_by": "Held out",
        "photographs": "Photographs on both sides",
        "cells": "Cells on both sides",
        "fraction": "Held-out images of such a cell",
    },
    fmt={"split_by": leakage.SHOWN.get, "fraction": ".1%"},
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    leakage.show_splits(found),
    "tbl-splits",
    "Accuracy by method and split, with its interval by cell; the lowest and highest of the folds; for DCLNN, the lowest, the highest and the mean over epochs 16 to 25.",
    columns=["method", "held_out", ("accuracy", "low", "high"), "folds", "late", "runs"],
    headings={"late": "Last ten epochs"},
)

# %% [markdown]
# Intervals are by cell for every split, also where images were held out at random: there they are too narrow for
# new cells, since the cells held out were seen in training.
#
# ## One type after another
#
# Kapoor and Narayanan {cite}`kapoor2023leakage` sorted what they found in the papers of many fields into types of leakage. {numref}`tbl-leakage`
# goes through them for this paper and these data.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(leakage.findings()).rename(columns=str.capitalize),
    "tbl-leakage",
    "Types of leakage after Kapoor and Narayanan: present, absent, or can't be told, and how that is known.",
)

# %% [markdown]
# ## Questions
#
# On how many cells does the recall of monocytes rest, when a fifth is held out?

# %%
by, fold = "cell", 0
chosen = splits.split(by, fold)
labels, cells = splits.pooled(images.labels), splits.groups("cell")
held_out = chosen.test[labels[chosen.test] == images.CLASSES.index("MONOCYTE")]
len(np.unique(cells[held_out])), float(np.isin(cells[held_out], cells[chosen.train]).mean())

# %% tags=["remove-input"]
monocyte = labels == images.CLASSES.index("MONOCYTE")
numbers, seen = {"cell": [], "image": []}, {"cell": [], "image": []}
for by in numbers:
    for fold in range(splits.N_FOLDS):
        train, test = splits.split(by, fold)
        held_out = cells[test[monocyte[test]]]
        numbers[by].append(len(np.unique(held_out)))
        seen[by].append(np.isin(held_out, cells[train]).mean())
chapter.cite(q_fewest=min(numbers["cell"]), q_most=max(numbers["cell"]))
chapter.cite(q_step=1 / min(numbers["cell"]), q_image_cells=min(numbers["image"]))
chapter.cite(q_image_seen=min(seen["image"]))

# %% [markdown]
# **1. Are the other folds better off?** Put 1, 2, 3 and 4 for `fold`. If a cell's images are all right or all wrong, how far
# does recall move with one cell?
#
# :::{dropdown} Answer
# A fold has {glue:text}`q_fewest` to {glue:text}`q_most` cells of monocytes, so one cell moves recall by up to
# {glue:text}`q_step:.0%`. Two methods whose recalls differ by less can't be told apart by one fold.
# :::
#
# **2. Does holding out images at random bring more cells?** Put `"image"` for `"cell"`. The second number is the share of the
# images held out whose cell is in the training images too.
#
# :::{dropdown} Answer
# It brings {glue:text}`q_image_cells` cells into every fold, and {glue:text}`q_image_seen:.0%` of their images show a cell that
# was trained on. The test looks larger, and no longer asks about new cells.
# :::
