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
# # The images
#
# *What is in the images?*
#
# The paper's section 5 speaks of "around 13k augmented pictures". They are public: the repository
# `dhruvp/wbc-classification`, which also feeds the Kaggle set `paultimothymooney/blood-cells`. Its
# author took photographs of blood smears from the BCCD dataset, listed with the
# name of the white cell on each, and made some thousands of turned, shifted, sheared and mirrored
# images of each class from them.

# %% tags=["parameters"]
per_class = 4  # pictures of each class in the gallery
seed = 0  # which pictures

# %% tags=["remove-input"]
import numpy as np
import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images

chapter.begin()
facts = images.dataset()
counts = pd.DataFrame(images.counts())
total = counts.sum()
chapter.cite(n_train=total["TRAIN"], n_test=total["TEST"], n_simple=total["TEST_SIMPLE"])
chapter.cite(n_fewest=min(images.counts()["TEST_SIMPLE"].values()))
chapter.cite(n_photographs=facts["photographs"], n_listed=facts["listed"])
chapter.cite(n_basophil=len(facts["photographs_with_a_basophil"]))
chapter.cite(n_twins=facts["identical"]["within TEST_SIMPLE"])

# %% [markdown]
# ## Some of them
#
# {numref}`fig-gallery` shows a few images of each class, chosen by chance. Where the photographs
# can't be had, it shows drawn cells instead, and says so inside each picture.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-gallery", "caption": "Images of each class from TRAIN, chosen at random: photographs of BCCD (MIT licence), turned by this book as the dataset turned them. Pictures that say so are drawn by `bloodlib.data.synthetic` and are only there to show what to look for."}, "image": {"alt": "Four rows of pictures of blood smears, one row for each class. Each picture shows pink red cells and one larger white cell with a violet nucleus: in several lobes for neutrophils, in two lobes among red granules for eosinophils, kidney-shaped for monocytes, round and nearly filling the cell for lymphocytes."}}
plots.show(figures.plot_gallery(per_class, seed))

# %% [markdown]
# What tells the classes apart, for a person:
#
# - **Neutrophil:** a nucleus in three to five lobes, pale granules.
# - **Eosinophil:** two lobes, coarse orange-red granules.
# - **Monocyte:** a large cell with a folded, kidney-shaped nucleus and no granules.
# - **Lymphocyte:** a small cell that its round nucleus nearly fills.
#
# The black corners of many images are what the turning and shifting left empty.
#
# ## How many
#
# The images come in three folders: TRAIN with {glue:text}`n_train:,`, TEST with {glue:text}`n_test:,` and
# TEST_SIMPLE with {glue:text}`n_simple` images. TEST_SIMPLE holds nearly all test photographs themselves, reduced
# but not turned ({doc}`photographs`); TEST was made from them. {numref}`fig-counts` counts by class: TRAIN and TEST were
# filled up until the classes were equal, TEST_SIMPLE shows how few photographs of a class there were.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-counts", "caption": "Images by folder and class. The scales differ."}, "image": {"alt": "Three bar charts. TRAIN and TEST have four bars of nearly equal height. TEST_SIMPLE has a tall bar for neutrophils, a lower one for eosinophils, and two very low ones for monocytes and lymphocytes."}}
axes = counts.rename(str.capitalize).plot.bar(
    subplots=True, layout=(1, 3), figsize=(7, 3), legend=False, sharey=False, ylabel="images"
)
for axis in axes.flat:
    axis.bar_label(axis.containers[0], fontsize=9)
plots.show(axes[0, 0].figure)

# %% [markdown]
# So the test set's {glue:text}`n_test:,` images stem from about {glue:text}`n_simple` photographs, and one class
# in it from {glue:text}`n_fewest`. That is the question behind this book: how much can so few cells tell?
#
# ## The photographs behind them
#
# The repository has {glue:text}`n_photographs` photographs and a list with {glue:text}`n_listed` rows of what is
# on them. {numref}`tbl-photographs` compares that with what the paper says.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
rows = {
    "photographs published": facts["photographs"],
    "rows in the list of labels": facts["listed"],
    "rows without a label": facts["listed_without_label"],
    "rows whose photograph is not published": len(facts["listed_but_not_published"]),
}
for name, number in facts["photographs_with_one_label"].items():
    rows[f"photographs labelled {name.lower()} and nothing else"] = number
rows["photographs with several labels"] = len(facts["photographs_with_several_labels"])
basophil = len(facts["photographs_with_a_basophil"])
rows["photographs with a basophil, alone or among others"] = basophil
tables.show(
    pd.DataFrame(rows.items(), columns=["", "number"]),
    "tbl-photographs",
    "The published photographs and their labels.",
)

# %% [markdown]
# "There was no image of basophil in the obtained dataset", says the paper. {glue:text}`n_basophil` of the
# published photographs carry the label; none of the augmented images was made into a class of its own.
#
# No two images of TRAIN or of TEST are the same file, and none stands in both. In TEST_SIMPLE,
# {glue:text}`n_twins` files have a twin. Whether two *different* files show the same cell is another
# question, which file hashes can't answer.
#
# ## As a network sees them
#
# The network and the baselines see 60 × 80 pixels. The images are reduced with Pillow's bilinear
# filter, which averages over the area that a new pixel covers.

# %%
names, labels = images.names("TRAIN"), images.labels("TRAIN")
names[0], images.CLASSES[labels[0]]

# %% [markdown]
# With the images at hand, `images.load("TRAIN")` returns the pixels, the labels and the names.
#
# ## Where they come from, and under which terms
#
# The repository states no licence for the images; the photographs in it are those of the BCCD
# dataset, which is under the MIT licence. This book therefore does not carry the images: whoever
# builds it fetches them (`bloodlib data --fetch`) from the commit in {numref}`tbl-source`, and they
# are used only if the hashes agree.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
source = images.SOURCE
rows = {"repository": source.repository, "commit": f"`{source.commit}`"}
rows |= {name: f"`{digest}`" for name, digest in source.hashes.items()}
tables.show(
    pd.DataFrame(rows.items(), columns=["", "value"]),
    "tbl-source",
    "Identity of the published images, by git's own hashes.",
)

# %% tags=["remove-input"]
for task in images.TASKS:
    most = np.bincount(images.labels("TRAIN", task)).argmax()
    chapter.cite({f"q_{task}": images.TASKS[task][most].lower()})
    for split in ("TEST", "TEST_SIMPLE"):
        share = float((images.labels(split, task) == most).mean())
        chapter.cite({f"q_{split}_{task}": share})

# %% [markdown]
# ## Questions
#
# **1. How good is who always says the same?** In the cell above that calls `images.labels`, put `"TEST_SIMPLE"` for
# `"TRAIN"` and look at `np.bincount(labels)`. What share of these images has somebody right who calls every cell a neutrophil?
# And of TEST's?
#
# :::{dropdown} Answer
# {glue:text}`q_TEST_SIMPLE_four:.0%` of TEST_SIMPLE and {glue:text}`q_TEST_four:.0%` of TEST. The photographs are the same, only
# their mix differs: TEST was filled up until the classes were equal. An accuracy means little without the accuracy of the
# one who always says the same, on the same images.
# :::
#
# **2. And with two classes?** `images.labels("TEST_SIMPLE", "two")` has the labels of the paper's second task. What is
# the accuracy of always saying "{glue:text}`q_two`"?
#
# :::{dropdown} Answer
# {glue:text}`q_TEST_SIMPLE_two:.0%` on TEST_SIMPLE, {glue:text}`q_TEST_two:.0%` on TEST. So a method with an accuracy of 0.8 on
# TEST_SIMPLE would be worse than one that never looks.
# :::
