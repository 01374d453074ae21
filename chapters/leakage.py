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
# How much does a random split inflate accuracy? By {glue:text}`points:.0f` points: the compact CNN classifies {glue:text}`random:.0%` of the
# held-out images correctly if images are held out at random, and {glue:text}`cell:.0%` if whole cells are. The difference is
# {glue:text}`inflation`, with its 95% CI over cells and seeds (five folds, three seeds, {glue:text}`n_images:,` images). The published folders are
# nearly free of this leak: they share no photograph, and {glue:text}`published_cells` cells.
# :::
#
# A score on held-out images predicts the score on new cells only if training has not seen the held-out cells. Here the same methods
# are trained four times on the same images. Only the rule for holding out images differs:
#
# - **as published**: the folder TEST is held out;
# - **at random**: a fifth of all images, drawn one by one, as many public notebooks do;
# - **by photograph**: a fifth, all images of a photograph together ({doc}`photographs`);
# - **by cell**: a fifth, all photographs of a cell together.
#
# The last three divide TRAIN and TEST together into five folds (*cross-validation*).

# %%
import numpy as np
import pandas as pd

from bloodlib.analyses import leakage, plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, splits
from bloodlib.evidence import comparison, intervals

# %% tags=["remove-input"]
chapter.begin()

# %% [markdown]
# ## The leak in one fold
#
# Each cell was photographed once or twice, and each photograph was turned into many images. A random fifth of the images
# therefore shows cells that are in the other four fifths too:

# %%
cells = splits.groups("cell")
for rule in ("image", "cell"):
    train, test = splits.split(rule, 0)
    seen = np.isin(cells[test], cells[train])
    print(f"by {rule}: {seen.mean():.1%} of {len(test):,} show a cell seen before")

# %% [markdown]
# {numref}`tbl-sides` counts photographs and cells on both sides of each split.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
sides = leakage.compute_overlaps()
tables.show(
    sides,
    "tbl-sides",
    "Photographs and cells on both sides of each split, and the fraction of held-out images that show such a cell (first fold).",
    columns=["split_by", "photographs", "cells", "fraction"],
    headings={
        "split_by": "Held out",
        "photographs": "Photographs on both sides",
        "cells": "Cells on both sides",
        "fraction": "Held-out images of such a cell",
    },
    fmt={"split_by": leakage.SHOWN.get, "fraction": ".1%"},
)

# %% [markdown]
# ## How much a random split inflates accuracy
#
# Every image that was held out both ways has two answers, one from a network that had seen its cell and one from a network that had not.
# Their difference, averaged over images and seeds, is the inflation. Images of a cell are not independent, so whole cells are resampled
# ({doc}`intervals`), and the variation between seeds is added:

# %%
labels = splits.pooled(images.labels)
rows = []
for method, settings in leakage.METHODS.items():
    at_random = leakage.held_out(settings, "image")  # for each seed and image:
    by_cell = leakage.held_out(settings, "cell")  # 1 right, 0 wrong, nan not tried
    seeds = min(len(at_random), len(by_cell))
    both = ~np.isnan(at_random[:seeds] - by_cell[:seeds]).any(axis=0)
    at_random, by_cell = at_random[:seeds, both], by_cell[:seeds, both]
    difference = at_random - by_cell
    drawn = intervals.resample(labels[both], cells[both], len(images.CLASSES), 20_000)
    ends = intervals.mean_bounds(difference, drawn, limits=(-1, 1))
    runs = at_random.mean(axis=1), by_cell.mean(axis=1)  # the accuracy of each seed
    low, high = intervals.with_seeds(difference.mean(), *ends, *runs)
    row = {"method": method, "seeds": seeds, "images": both.sum()}
    row |= {"cell": by_cell.mean(), "image": at_random.mean()}
    rows.append(row | {"difference": difference.mean(), "low": low, "high": high})
inflation = pd.DataFrame(rows)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
found = leakage.compute_splits()
folds = found.set_index(["method", "split_by"])["folds"].map(len).unstack()
inflation["folds"] = inflation["method"].map(folds[["image", "cell"]].min(axis=1))
tables.show(
    inflation,
    "tbl-inflation",
    "Accuracy with four classes on the same images, held out by cell and at random, and the difference with its 95% CI over cells, and over seeds where there are several.",
    columns=["method", "cell", "image", ("difference", "low", "high"), "folds", "seeds", "images"],
    headings={
        "cell": "By cell",
        "image": "At random",
        "difference": "Inflation",
        "folds": "Folds of 5",
        "seeds": "Seeds",
    },
    fmt={"difference": comparison.signed},
)

# %% tags=["remove-input"]
of = inflation.set_index("method")
compact, network = of.loc["compact CNN"], of.loc["DCLNN"]
accuracy = found.set_index(["method", "split_by"])["accuracy"]
per_seed = [
    leakage.held_out(leakage.METHODS["compact CNN"], by).mean(axis=1) for by in ("image", "cell")
]
assert compact["low"] > 0  # a random split inflates the accuracy of the compact CNN,
assert np.ptp(per_seed[0] - per_seed[1]) < 0.02  # nearly alike with each seed;
assert abs(accuracy["compact CNN", "photograph"] - compact["cell"]) < 0.02  # cells add nothing
assert abs(accuracy["compact CNN", "published"] - compact["cell"]) < 0.02  # nor do folders
assert (of.loc[["NB", "KNN"], "difference"] > 0).all()  # the pixel methods gain little
assert (of.loc[["NB", "KNN"], "difference"] < compact["difference"] / 2).all()
assert of.loc["KNN", "image"] < 0.35  # and KNN stays near chance
published = sides.set_index("split_by").loc["published"]
chapter.cite(
    points=100 * compact["difference"],
    random=compact["image"],
    cell=compact["cell"],
    inflation=comparison.signed(*compact[["difference", "low", "high"]]),
    n_images=int(compact["images"]),
    published_cells=int(published["cells"]),
    photograph=accuracy["compact CNN", "photograph"],
    published=accuracy["compact CNN", "published"],
    knn=of.loc["KNN", "image"],
    chance=1 / len(images.CLASSES),
    network_folds=int(network["folds"]),
    network_images=int(network["images"]),
    network_inflation=comparison.signed(*network[["difference", "low", "high"]]),
)

# %% [markdown]
# The compact CNN classifies nearly every image of a cell that it has seen, and {glue:text}`cell:.0%` of those of a cell that it has not
# ({numref}`tbl-inflation`). The three seeds agree within two points. Held out by photograph it reaches {glue:text}`photograph:.0%`, as published
# {glue:text}`published:.0%`: the inflation comes from seeing the cell in training.
#
# Of DCLNN's folds, {glue:text}`network_folds` of 5 are recorded for both splits. Over the {glue:text}`network_images:,` images that were held
# out both ways its difference is {glue:text}`network_inflation`. Naive Bayes and the nearest neighbour (KNN) gain less than half as much as the compact CNN. KNN reaches only
# {glue:text}`knn:.2f` even with a random split, where a constant classifier reaches {glue:text}`chance:.2f`: a turned and shifted image is, pixel by
# pixel, far from its sibling. {numref}`fig-splits` shows all methods and splits.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-splits", "caption": "Accuracy with four classes under each split. Hollow dots: folds; filled: all folds together; pale line: 95% CI over cells; dotted: chance. The compact CNN loses most when whole cells are held out. With images at random the interval is too narrow for new cells, as the held-out cells were seen."}, "image": {"alt": "A panel for each of five methods, with a row for each split. The compact CNN lies near 0.8 as published, by photograph and by cell, and near 1 with images at random. DCLNN lies a little below. Naive Bayes, the SVM and the nearest neighbour lie between 0.25 and 0.45 in every row."}}
plots.show(figures.plot_splits(found, leakage.SHOWN, 1 / len(images.CLASSES)))

# %% [markdown]
# The four splits of a method train on nearly equal numbers of images, so that the amount of training data does not explain the difference.
# Slides and patients were never published. If cells of one patient resemble each other, even the split by cell is optimistic.
#
# ## What a study on such images should do
#
# 1. Hold out whole cells, and whole slides and patients where they are known. Divide first, augment afterwards, and only the training part.
# 2. State how many photographs, cells and patients are behind the test images.
# 3. Give a confidence interval over cells.
# 4. Compare a number from a random split with numbers from random splits only. On these images it cannot be compared with the paper's.
# 5. Select epochs and settings on folds of the training part.
#
# `results/cells.csv` lists the cell of each photograph, `results/photographs.csv` the photograph of each image.
#
# ## A taxonomy of leakage
#
# Kapoor and Narayanan {cite}`kapoor2023leakage` sorted the leaks that they found in many fields into types. {numref}`tbl-leakage` goes through
# these types for this paper and these data.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(leakage.findings()).rename(columns=str.capitalize),
    "tbl-leakage",
    "Types of leakage after Kapoor and Narayanan: whether each is present in these data and this protocol, and the evidence.",
)

# %% [markdown]
# ## Questions
#
# On how many cells does the recall of monocytes rest, when a fifth is held out?

# %%
rule, fold = "cell", 0
train, test = splits.split(rule, fold)
monocytes = test[labels[test] == images.CLASSES.index("MONOCYTE")]
len(np.unique(cells[monocytes])), float(np.isin(cells[monocytes], cells[train]).mean())

# %% tags=["remove-input"]
monocyte = labels == images.CLASSES.index("MONOCYTE")
numbers, seen = {"cell": [], "image": []}, {"cell": [], "image": []}
for by in numbers:
    for fold in range(splits.N_FOLDS):
        train, test = splits.split(by, fold)
        held_out = cells[test[monocyte[test]]]
        numbers[by].append(len(np.unique(held_out)))
        seen[by].append(np.isin(held_out, cells[train]).mean())
chapter.cite(
    q_fewest=min(numbers["cell"]),
    q_most=max(numbers["cell"]),
    q_step=1 / min(numbers["cell"]),
    q_image_cells=min(numbers["image"]),
    q_image_seen=min(seen["image"]),
)

# %% [markdown]
# **1. Do the other folds have more?** Put 1, 2, 3 and 4 for `fold`. If a cell's images are all right or all wrong, how far does one cell move
# recall?
#
# :::{dropdown} Answer
# A fold has {glue:text}`q_fewest` to {glue:text}`q_most` cells of monocytes, so one cell moves recall by up to {glue:text}`q_step:.0%`. One fold
# cannot distinguish two methods whose recalls differ by less.
# :::
#
# **2. Does holding out images at random bring more cells?** Put `"image"` for `"cell"`. The second number is the fraction of the held-out
# images whose cell is in the training images too.
#
# :::{dropdown} Answer
# It brings {glue:text}`q_image_cells` cells into every fold, and {glue:text}`q_image_seen:.0%` of their images show a cell of the training
# images. The test set looks larger, but it no longer asks about new cells.
# :::
