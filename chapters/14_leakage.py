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
# # What leaks?
#
# A score on held-out images says something about new cells only if the held-out images show cells that
# training has not seen. Here the same methods are trained and tried four times on the same images, and
# nothing changes but which images are held out:
#
# - **as published**: the folders TRAIN and TEST;
# - **images at random**: a fifth of all images, drawn one by one, as many public notebooks do;
# - **by photograph**: a fifth, all images of a photograph together ({doc}`12_photographs`);
# - **by cell**: a fifth, all photographs of a cell together.
#
# The last three divide TRAIN and TEST together, into five fifths with the classes in equal shares.

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue

from bloodlib import chapter, figures, images, leakage, splits, tables

chapter.begin()

# %%
found = leakage.load_splits("four")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-splits", "caption": "Accuracy with four classes and nothing changed but the split. Hollow dots: runs, one for each fold held out; bar: all folds together; wide line: interval by cell; dotted: guessing. KNN gives an image the class of the most similar training image."}, "image": {"alt": "A panel for each method, a row for each split. The network is far to the right of the others, and furthest with images held out at random. Naive Bayes and SVM are highest with images at random too, by less. The nearest neighbour lies near guessing on every split."}}
figures.plot_splits(found, leakage.SHOWN, 1 / len(images.CLASSES))
plt.show()

# %% tags=["remove-input"]
by = found.set_index(["method", "split_by"])["accuracy"].unstack()
by = by.reindex(index=list(leakage.METHODS), columns=list(splits.SPLIT_BY))
for method, row in by.iterrows():
    for split_by, value in row.items():
        shown = "(not run yet)" if np.isnan(value) else f"{value:.2f}"
        glue(f"{method}_{split_by}", shown, display=False)
    glue(f"{method}_gain", float(row["image"] - row["cell"]), display=False)
sides = {name: leakage.overlap(name) for name in splits.SPLIT_BY}
glue("random_cells", sides["image"]["cells"], display=False)
glue("random_share", sides["image"]["images"] / len(splits.split("image", 0).test), display=False)
errors = 1 - by.loc["DCLNN"]
glue("fewer", float(errors["cell"] / errors["image"]), display=False)
grouped = by.loc["DCLNN"].drop("image")
glue("grouped", float(grouped.max() - grouped.min()), display=False)
ends = found.set_index(["method", "split_by"]).loc[("DCLNN", "published")]
glue("published_low", float(ends["low"]), display=False)
glue("published_high", float(ends["high"]), display=False)

# %% [markdown]
# In {numref}`fig-splits`, DCLNN is right for {glue:text}`DCLNN_published` of the images as published, for
# {glue:text}`DCLNN_photograph` by photograph, for {glue:text}`DCLNN_cell` by cell, and for
# {glue:text}`DCLNN_image` with images at random: there it makes {glue:text}`fewer:.1f` times fewer errors than by
# cell. It has not become better at telling cells apart; it recognises cells that it was trained on,
# turned another way.
#
# The other three splits are {glue:text}`grouped:.2f` apart, while the interval of the published one is
# {glue:text}`published_low:.2f` to {glue:text}`published_high:.2f`: which cells happen to be held out matters more
# than the few cells that TRAIN and TEST have in common.
#
# The gain from cell to image is {glue:text}`NB_gain:.2f` for Naive Bayes and {glue:text}`SVM_gain:.2f` for the SVM, from
# {glue:text}`NB_cell` and {glue:text}`SVM_cell`. We had expected the nearest neighbour (KNN) to show the leak most
# clearly. It does not: it is at {glue:text}`KNN_image` with images at random and {glue:text}`KNN_cell` by cell, where
# guessing is 0.25. An image that was turned, shifted and mirrored is, pixel by pixel, no longer like its
# sibling; what is alike is the black filling. To profit from a leak, a method must be able to recognise a cell
# that was turned, as the network is.
#
# With images at random, {glue:text}`random_share:.1%` of what is held out shows one of {glue:text}`random_cells` cells
# that are in the training images too. {numref}`tbl-sides` has this for each split, and {numref}`tbl-splits`
# the numbers of the figure.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    leakage.load_sides(),
    "tbl-sides",
    "What each split has on both sides: photographs, cells, and the share of the held-out images that show such a cell (first fold).",
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    leakage.load_scores(found),
    "tbl-splits",
    "Accuracy by method and split, with its interval by cell, and the lowest and highest of the folds.",
)

# %% [markdown]
# Where a method has one run, its row is one draw, and {doc}`09_epochs` shows how far a draw of DCLNN can be
# from the next.
#
# ## One type after another
#
# Kapoor and Narayanan {cite}`kapoor2023leakage` sorted what they found in the papers of many fields into types of leakage. {numref}`tbl-leakage`
# goes through them for this paper and these data.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    leakage.load_findings(),
    "tbl-leakage",
    "Types of leakage after Kapoor and Narayanan: present, absent, or can't be told, and how that is known.",
)
