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

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib import chapter, figures, images, leakage, splits, tables

chapter.begin()

# %%
found = leakage.load_splits("four")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-splits", "caption": "Accuracy with four classes and nothing changed but the split. Hollow dots: runs, one for each fold held out; bar: all folds together; wide line: interval by cell; dotted: guessing. KNN is the single nearest training image."}, "image": {"alt": "A panel for each method, a row for each split. With images held out at random, the nearest neighbour and the network score far higher than on the published folders; by photograph and by cell they fall back. Naive Bayes hardly changes."}}
figures.plot_splits(found, leakage.SHOWN, 1 / len(images.CLASSES))
plt.show()

# %% tags=["remove-input"]
by = found.set_index(["method", "split_by"])["accuracy"]
for method in leakage.METHODS:
    for split_by in splits.SPLIT_BY:
        glue(f"{method}_{split_by}", float(by[method, split_by]), display=False)
sides = {name: leakage.overlap(name) for name in splits.SPLIT_BY}
glue("random_cells", sides["image"]["cells"], display=False)
glue("random_share", sides["image"]["images"] / len(splits.split("image", 0).test), display=False)

# %% [markdown]
# The method to look at first in {numref}`fig-splits` is the simplest. KNN gives an image the class of the most
# similar training image, pixel by pixel; it knows nothing of cells. On the published folders it is right for
# {glue:text}`KNN_published:.2f` of the images. Held out at random, for {glue:text}`KNN_image:.2f`: it has seen other
# images of the same photograph, and recognises them. By photograph it is at {glue:text}`KNN_photograph:.2f`, by
# cell at {glue:text}`KNN_cell:.2f`.
#
# DCLNN goes from {glue:text}`DCLNN_published:.2f` on the published folders to {glue:text}`DCLNN_image:.2f` on images at
# random, and to {glue:text}`DCLNN_photograph:.2f` by photograph and {glue:text}`DCLNN_cell:.2f` by cell. The SVM of
# the paper's table: {glue:text}`SVM_published:.2f`, {glue:text}`SVM_image:.2f`, {glue:text}`SVM_photograph:.2f`,
# {glue:text}`SVM_cell:.2f`. Naive Bayes, which can't remember images: {glue:text}`NB_published:.2f`,
# {glue:text}`NB_image:.2f`, {glue:text}`NB_photograph:.2f`, {glue:text}`NB_cell:.2f`.
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
