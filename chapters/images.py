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
# :::{admonition} In short
# What are the data? {glue:text}`n_all:,` images of stained blood, 320 × 240 pixels, each with one white blood cell of four classes. They are
# altered copies of {glue:text}`n_behind` photographs, so that the classes of TRAIN and TEST look balanced while the photographs are not: TEST's
# {glue:text}`n_fewest_images` monocyte images come from {glue:text}`n_fewest` photographs.
# :::
#
# The paper speaks of "around 13k augmented pictures". They are public: the repository `dhruvp/wbc-classification` made them from
# photographs of the BCCD dataset, and Kaggle's `paultimothymooney/blood-cells` has a copy.

# %% tags=["parameters"]
per_class = 4  # pictures of each class in the gallery
seed = 0  # which pictures

# %%
import numpy as np
import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, photographs, synthetic

# %% tags=["remove-input"]
chapter.begin()

# %% [markdown]
# `load` returns pixels, true labels and names. Where the images are not at hand, the book draws cells:

# %%
test = images.load("TEST") if images.available() else synthetic.load("TEST")
print(test.pixels.shape, test.pixels.dtype, "labels", np.bincount(test.labels).tolist())

# %% [markdown]
# The methods see images reduced to 60 × 80 pixels by a bilinear filter that averages over the area of each new pixel. {numref}`fig-gallery` shows
# some at full size.

# %% mystnb={"figure": {"name": "fig-gallery", "caption": "Images of each class from TRAIN, chosen at random. Photographs: BCCD (MIT licence), turned by this book as the dataset turned them. Pictures that say so are drawn, and only show what to look for."}, "image": {"alt": "Four rows of pictures of blood smears, one row for each class. Each picture shows pink red cells and one larger white cell with a violet nucleus: in several lobes for neutrophils, in two lobes among red granules for eosinophils, kidney-shaped for monocytes, round and nearly filling the cell for lymphocytes."}}
plots.show_photographs(figures.plot_gallery(per_class, seed))

# %% [markdown]
# A person distinguishes the classes by the nucleus and the granules:
#
# - **Neutrophil:** a nucleus in three to five lobes, pale granules.
# - **Eosinophil:** two lobes, coarse orange-red granules.
# - **Monocyte:** a large cell with a folded, kidney-shaped nucleus and no granules.
# - **Lymphocyte:** a small cell that its round nucleus nearly fills.
#
# The black corners are what turning and shifting left empty.
#
# ## How many
#
# The images come in three folders. TRAIN and TEST were filled up with altered copies until the classes were equal. TEST_SIMPLE holds TEST's
# photographs, reduced but not turned. {numref}`tbl-counts` counts images and, behind the slash, the photographs that they were made from
# ({doc}`photographs`).

# %% mystnb={"markdown_format": "myst"}
counted = pd.DataFrame(images.counts()), pd.DataFrame(photographs.counts())
both = counted[0].map("{:,}".format) + " / " + counted[1].astype(str)
both = both.rename_axis("Class").rename(str.capitalize).reset_index()
tables.show(both, "tbl-counts", "Images / photographs of each class, by folder.")

# %% [markdown]
# ## The photographs
#
# The repository has {glue:text}`n_photographs` photographs and a list with {glue:text}`n_listed` rows that names the white cells on each, of which
# {glue:text}`n_unpublished` have no published photograph. Photographs with one label of the four classes became images:

# %%
print(photographs.cell_table()["labels"].replace("", "no label").value_counts().to_string())

# %% [markdown]
# "There was no image of basophil in the obtained dataset", says the paper; {glue:text}`n_basophil` photographs carry that label, alone or beside
# another, but no class of images was made of it.

# %% tags=["remove-input"]
facts, behind = images.dataset(), counted[1]["TEST"]
assert behind.idxmin() == "MONOCYTE"
assert not any(
    facts["identical"][part] for part in ("within TRAIN", "within TEST", "of TRAIN in TEST")
)
chapter.cite(
    n_all=counted[0].to_numpy().sum(),
    n_behind=len(set(photographs.table()["photograph"])),
    n_fewest=behind.min(),
    n_fewest_images=counted[0].loc["MONOCYTE", "TEST"],
    n_photographs=facts["photographs"],
    n_listed=facts["listed"],
    n_unpublished=len(facts["listed_but_not_published"]),
    n_basophil=len(facts["photographs_with_a_basophil"]),
    n_twins=facts["identical"]["within TEST_SIMPLE"],
)
for split in ("TEST", "TEST_SIMPLE"):
    for task in images.TASKS:
        share = np.bincount(images.labels(split, task)) / len(images.labels(split))
        assert images.TASKS[task][share.argmax()].lower() in ("neutrophil", "polynuclear")
        chapter.cite({f"q_{split}_{task}": share.max()})

# %% [markdown]
# No two files of TRAIN or of TEST are identical, and none is in both folders; {glue:text}`n_twins` files of TEST_SIMPLE have an identical twin.
# Different files may still show the same cell: {doc}`photographs`.
#
# ## Origin and licence
#
# The repository states no licence for the images; BCCD's photographs are under the MIT licence. This book therefore does not contain the
# dataset's own files. `bloodlib data --fetch` fetches them from this commit, and they are used only if git's hashes agree. What the book
# shows are BCCD's photographs, and views of them that its own code turned.

# %%
print(images.SOURCE.repository, images.SOURCE.commit)
for part, digest in images.SOURCE.hashes.items():
    print(f"{part:16} {digest}")

# %% [markdown]
# ## Questions
#
# **1. How accurate is a constant classifier?** Compute `np.bincount(images.labels("TEST_SIMPLE")).max() / len(images.labels("TEST_SIMPLE"))`, and
# the same for TEST.
#
# :::{dropdown} Answer
# Calling every cell a neutrophil is correct for {glue:text}`q_TEST_SIMPLE_four:.0%` of TEST_SIMPLE and {glue:text}`q_TEST_four:.0%` of TEST. The
# photographs are the same, only their numbers differ. An accuracy means little without that of a constant classifier on the same images.
# :::
#
# **2. And with two classes?** `images.labels("TEST_SIMPLE", "two")` has the labels of the paper's second task.
#
# :::{dropdown} Answer
# Always answering "polynuclear" is correct for {glue:text}`q_TEST_SIMPLE_two:.0%` of TEST_SIMPLE and {glue:text}`q_TEST_two:.0%` of TEST. An accuracy
# of 80% on TEST_SIMPLE would be worse than that.
# :::
