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
# For the compact CNN a random split inflates accuracy by {glue:text}`points:.1f` points: it classifies {glue:text}`random:.1%` of the
# held-out images correctly if images are held out at random, and {glue:text}`cell:.1%` if whole cells are (five folds, three seeds).
# For DCLNN, trained once a fold, the difference is inconclusive. The published folders are nearly free of this leak: they have no
# photograph in common, but {glue:text}`published_cells` cells.
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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bloodlib.analyses import leakage, plots
from bloodlib.book import chapter, tables
from bloodlib.data import images, splits
from bloodlib.evidence import intervals
from bloodlib.models.methods import NAMES

# %% tags=["remove-input"]
chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The leak in one fold
#
# Each cell was photographed once or twice, and each photograph was turned into many images. A random fifth of the images
# therefore shows cells that are in the other four fifths too:

# %%
photos, cells = splits.groups("photograph"), splits.groups("cell")
for rule, words in leakage.SHOWN.items():
    train, test = splits.split(rule, 0)[:2]
    both = np.intersect1d(cells[train], cells[test])
    seen = np.isin(cells[test], both).mean()
    shared = len(np.intersect1d(photos[train], photos[test]))
    print(f"{words}: {shared} photographs and {len(both)} cells on both sides,")
    print(f"  {seen:.1%} of {len(test):,} held-out images show a cell seen in training")

# %% [markdown]
# ## How much a random split inflates accuracy
#
# Every image that was held out both ways has two answers, one from a network that had seen its cell and one from a network that had not.
# Their difference, averaged over images and seeds, is the inflation. Images of a cell are not independent, so whole cells are resampled
# ({doc}`intervals`), and the variation between seeds is added. DCLNN has one seed; there the variation between its networks, one a fold,
# takes that place:

# %%
labels = splits.pooled(images.labels)
found = leakage.compute_splits()  # accuracy by method, split and fold
accuracies = found.set_index(["method", "split_by"])
rows = []
for method, settings in leakage.METHODS.items():
    at_random = leakage.held_out(settings, "image")  # for each seed and image:
    by_cell = leakage.held_out(settings, "cell")  # 1 right, 0 wrong, nan not held out
    seeds = min(len(at_random), len(by_cell))
    both = ~np.isnan(at_random[:seeds] - by_cell[:seeds]).any(axis=0)
    at_random, by_cell = at_random[:seeds, both], by_cell[:seeds, both]
    difference = at_random - by_cell
    drawn = intervals.resample(labels[both], cells[both], len(images.CLASSES), 20_000)
    ends = intervals.mean_bounds(difference, drawn, limits=(-1, 1))
    runs = at_random.mean(axis=1), by_cell.mean(axis=1)  # the accuracy of each seed
    folds = [accuracies.loc[(method, by), "folds"] for by in ("image", "cell")]
    if method == "DCLNN" and seeds == 1:
        runs = folds  # the accuracy of each fold's network
    low, high = intervals.with_seeds(difference.mean(), *ends, *runs)
    row = {"method": method, "folds": min(map(len, folds)), "seeds": seeds}
    row |= {"cell": by_cell.mean(), "image": at_random.mean()}
    rows.append(row | {"difference": difference.mean(), "low": low, "high": high})
inflation = pd.DataFrame(rows)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    inflation,
    "tbl-inflation",
    "Accuracy with four classes on the same images, held out by cell and at random, and the difference with its 95 % CI over cells and, of the networks, over runs. Folds: recorded for both splits, of five.",
    columns=["method", "cell", "image", ("difference", "low", "high"), "folds", "seeds"],
    headings={"cell": "By cell", "image": "At random", "difference": "Inflation"},
)

# %% tags=["remove-input"]
of = inflation.set_index("method")
compact, network, pixels = of.loc["compact CNN"], of.loc["DCLNN"], of.loc[["NB", "KNN"]]
accuracy, trained = accuracies["accuracy"], accuracies.loc["DCLNN", "folds"]
settings = leakage.METHODS["compact CNN"]
seeds = [leakage.held_out(settings, by).mean(axis=1) for by in ("image", "cell")]
assert min(compact["low"], compact["image"] - 0.98) > 0  # “nearly every image”
assert np.ptp(seeds[0] - seeds[1]) < 0.02  # “alike with each of the three seeds”
for by in ("photograph", "published"):
    assert abs(accuracy["compact CNN", by] - compact["cell"]) < 0.02  # “about as much”
assert pixels["difference"].between(0, compact["difference"] / 2).all()
assert pixels.loc["KNN", "image"] < 0.31  # “30%”
assert network["low"] < 0 < network["high"]
train, test = splits.split("published", 0)[:2]
chapter.cite(
    points=100 * compact["difference"],
    random=compact["image"],
    cell=compact["cell"],
    published_cells=len(np.intersect1d(cells[train], cells[test])),
    network_least=min(trained["image"]),
    network_most=max(trained["image"]),
)

# %% [markdown]
# The compact CNN classifies nearly every image of a cell that it has seen, and {glue:text}`cell:.0%` of those of a cell that it has not
# ({numref}`tbl-inflation`); the difference is alike with each of the three seeds. Held out by photograph, or as published, it reaches
# about as much as by cell ({numref}`fig-splits`).
#
# The difference of DCLNN is inconclusive. Its accuracy jumps from epoch to epoch ({doc}`epochs`), and after the last
# one the networks with images at random classify {glue:text}`network_least:.0%` to {glue:text}`network_most:.0%` correctly.
#
# Naive Bayes and the nearest neighbour on pixels gain less than half as much as the compact CNN. The nearest neighbour classifies only 30%
# correctly even with a random split, where a constant classifier reaches 25%: pixel by pixel, a turned
# image is far from its sibling. On colour histograms, which turning hardly changes, it finds the sibling ({doc}`lesson`).

# %% mystnb={"figure": {"name": "fig-splits", "caption": "Accuracy with four classes under each split. Hollow dots: folds; filled: all folds together; pale line: 95 % CI over cells; dotted: chance. The compact CNN loses most when whole cells are held out. With images at random the interval is too narrow for new cells, as the held-out cells were seen."}, "image": {"alt": "A panel for each of five methods, a row for each split. The compact CNN lies near 0.8, with images at random near 1. DCLNN lies near 0.8 in every row, its folds with images at random from below 0.6 to above 0.9. Naive Bayes, the SVM and the nearest neighbour lie between 0.25 and 0.45."}}
figure, axes = plt.subplots(1, len(leakage.METHODS), figsize=(7.2, 2.6), sharey=True)
for axis, (method, own) in zip(axes, found.groupby("method", sort=False), strict=True):
    rows = own["split_by"].map(list(leakage.SHOWN).index)
    ends = own["accuracy"], own["low"], own["high"]
    plots.plot_intervals(axis, rows, *ends, "#0072B2", runs=own["folds"])
    axis.axvline(1 / len(images.CLASSES), color="gray", lw=1, ls=":")
    title = NAMES.get(method, method).replace(" ", "\n")
    axis.set(xlim=(0, 1.02), title=title, xlabel="accuracy")
plots.in_rows(axes, leakage.SHOWN.values())
plots.show(figure)

# %% [markdown]
# All splits leave nearly equal numbers of images to train on. Slides and patients were never published. If cells of one patient resemble each other, even the split by cell is optimistic.
#
# ## What a study on such images should do
#
# 1. Hold out whole cells, and whole slides and patients where they are known. Divide first, augment afterwards, and only the training part.
# 2. State how many photographs, cells and patients are behind the test images.
# 3. Give a confidence interval over cells.
# 4. Compare a number from a random split with numbers from random splits only.
# 5. Select epochs and settings on folds of the training part.
#
# `results/cells.csv` lists the cell of each photograph, `results/photographs.csv` the photograph of each image.
#
# ## A taxonomy of leakage
#
# Kapoor and Narayanan {cite}`kapoor2023leakage` sorted the leaks that they found in many fields into types. {numref}`tbl-leakage` goes through
# them for this paper and these data.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(leakage.findings()).rename(columns=str.capitalize),
    "tbl-leakage",
    "Types of leakage after Kapoor and Narayanan: whether each is present in these data and this protocol, and the evidence.",
)

# %% [markdown]
# ## Questions
#
# On how many cells does the recall of monocytes rest in each fold, if cells or images are held out?

# %%
monocyte = labels == images.CLASSES.index("MONOCYTE")
counted = {"cell": [], "image": []}
for rule, numbers in counted.items():
    for fold in range(splits.N_FOLDS):
        test = splits.split(rule, fold).test
        numbers.append(len(np.unique(cells[test[monocyte[test]]])))
print(counted)

# %% tags=["remove-input"]
assert set(counted["cell"]) == {3, 4}
assert set(counted["image"]) == {18}
assert np.isin(cells[test], cells[splits.split("image", fold).train]).all()

# %% [markdown]
# **1. If a cell's images are all right or all wrong, how far does one cell move the recall of a fold?**
#
# :::{dropdown} Answer
# A fold has three or four cells of monocytes, so one cell moves recall by up to a third. One fold cannot distinguish two methods whose recalls
# differ by less, and the leak of {glue:text}`points:.1f` points is smaller than that.
# :::
#
# **2. Images at random bring all 18 cells of monocytes into every fold. Is this a better test?**
#
# :::{dropdown} Answer
# No: all of their images show a cell of the training images. The test set looks larger, but it no longer asks about new cells. As
# published, {glue:text}`published_cells` cells are on both sides.
# :::
