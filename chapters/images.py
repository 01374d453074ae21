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
# What are the data? {glue:text}`n_all:,` images of stained blood, 320 × 240 pixels, copied from {glue:text}`n_behind` photographs with one
# labelled white blood cell each, of four classes; the edge of an image may cut the cell. The classes of TRAIN and TEST are balanced, the
# photographs are not: TEST's {glue:text}`n_fewest_images` monocyte images come from {glue:text}`n_fewest` photographs.
# :::
#
# The paper speaks of "around 13k augmented pictures". They are public: the repository `dhruvp/wbc-classification` made them from
# photographs of the BCCD dataset, and Kaggle's `paultimothymooney/blood-cells` has a copy. The stain, the magnification and
# the laboratory are not stated.

# %% tags=["parameters"]
per_class = 4  # pictures of each class in the gallery
seed = 0  # which pictures

# %%
import numpy as np
import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, photographs, synthetic

chapter.begin()  # figures in the book's style

# %% [markdown]
# `load` returns pixels, true labels and names. Without the images, the book shows synthetic cells:

# %%
test = images.load("TEST") if images.available() else synthetic.load("TEST")
print(test.pixels.shape, test.pixels.dtype, "labels", np.bincount(test.labels).tolist())
for label, name in enumerate(images.CLASSES):
    mean = test.pixels[test.labels == label].mean(axis=(0, 1, 2))
    print(f"{name:10} mean red, green, blue: {mean.round(1)}")

# %% [markdown]
# The methods see images reduced to 60 × 80 pixels by a bilinear filter. {numref}`fig-gallery` shows some at full size.

# %% mystnb={"figure": {"name": "fig-gallery", "caption": "Images of each class from TRAIN, chosen at random. Photographs: BCCD (MIT licence), turned by this book as the dataset turned them. Pictures that say so are synthetic. Several white cells are cut by an edge, and not every eosinophil shows red granules."}, "image": {"alt": "Four rows of blood smears, a row for each class. Each picture shows pink red cells and a white cell with a violet nucleus, sometimes cut by the edge: in lobes for neutrophils and eosinophils, of which few show red granules; large and round or folded for monocytes; round for lymphocytes."}}
plots.show_photographs(figures.plot_gallery(per_class, seed))

# %% [markdown]
# Nucleus and cytoplasm distinguish the classes:
#
# - **Neutrophil:** a nucleus in two to five lobes joined by threads, or an unsegmented band; pale pink cytoplasm with fine granules.
# - **Eosinophil:** mostly two lobes; coarse orange-red granules fill the cytoplasm.
# - **Monocyte:** the largest cell; a folded or kidney-shaped nucleus with loose chromatin; blue-grey cytoplasm, often with vacuoles, and
#   very fine reddish granules.
# - **Lymphocyte:** mostly small, its round, dense nucleus nearly filling it; large and reactive lymphocytes have more, blue cytoplasm.
#
# Whether the classes include bands and younger granulocytes is not stated. Turning and shifting left the black corners empty.
#
# ## How many images
#
# TRAIN and TEST were filled up with altered copies until the classes were equal. TEST_SIMPLE holds {glue:text}`n_simple` of TEST's
# photographs, reduced but not turned, two of them twice. {numref}`tbl-counts` counts images and the photographs behind them ({doc}`photographs`).

# %% mystnb={"markdown_format": "myst"}
counted = pd.DataFrame(images.counts()), pd.DataFrame(photographs.counts())
both = counted[0].map("{:,}".format) + " / " + counted[1].astype(str)
both = both.rename_axis("Class").rename(str.capitalize).reset_index()
tables.show(both, "tbl-counts", "Images / photographs of each class, by folder.")

# %% [markdown]
# ## The photographs
#
# The repository has {glue:text}`n_photographs` photographs, and a list of {glue:text}`n_listed` that names the white cells on each;
# {glue:text}`n_unpublished` of these were not published. Photographs with one label of the four classes became images; a plus joins the labels
# of several cells:

# %%
labels = photographs.cell_table()["labels"].replace("", "no label")
print(labels.value_counts().to_string())

# %% [markdown]
# "There was no image of basophil in the obtained dataset", says the paper; {glue:text}`n_basophil` photographs carry that label, alone or beside
# another, but no class of images was made of it.

# %% tags=["remove-input"]
facts, behind = images.dataset(), counted[1]["TEST"]
assert behind.idxmin() == "MONOCYTE"
simple = set(photographs.photographs("TEST_SIMPLE"))
assert len(simple) == len(images.names("TEST_SIMPLE")) - 2
chapter.cite(
    n_all=counted[0].to_numpy().sum(),
    n_behind=len(set(photographs.table()["photograph"])),
    n_fewest=behind.min(),
    n_simple=len(simple),
    n_fewest_images=counted[0].loc["MONOCYTE", "TEST"],
    n_photographs=facts["photographs"],
    n_listed=facts["listed"],
    n_unpublished=len(facts["listed_but_not_published"]),
    n_basophil=len(facts["photographs_with_a_basophil"]),
)

# %%
for pair, n in facts["identical"].items():
    print(f"identical files {pair}: {n}")
assert facts["identical"]["within TRAIN"] == facts["identical"]["within TEST"] == 0
assert facts["identical"]["of TRAIN in TEST"] == 0

# %% [markdown]
# No file of TRAIN or TEST has an identical one in either folder. Different files may still show the same cell: {doc}`photographs`.
#
# ## Origin and licence
#
# The repository states no licence for the images; BCCD's photographs are under the MIT licence. This book therefore shows BCCD's
# photographs, turned by its own code, and does not contain the dataset's files. `bloodlib data --fetch` fetches them from this commit, and
# they are used only if git's hashes agree.

# %%
print(images.SOURCE.repository, images.SOURCE.commit, sep="\n")
for part, digest in images.SOURCE.hashes.items():
    print(f"{part:16} {digest}")

# %% [markdown]
# ## Questions
#
# **1. How accurate is a constant classifier** on TEST and on TEST_SIMPLE? The fraction of the most frequent class:

# %%
for split in ("TEST", "TEST_SIMPLE"):
    for task, classes in images.TASKS.items():
        labels = images.labels(split, task)
        share = np.bincount(labels) / len(labels)
        most = classes[share.argmax()]
        print(f"{split}, {task} classes: {share.max():.1%} {most}")
        assert most.lower() in ("neutrophil", "polynuclear")
        chapter.cite({f"q_{split}_{task}": share.max()})

# %% [markdown]
# :::{dropdown} Answer
# Calling every cell a neutrophil is correct for {glue:text}`q_TEST_SIMPLE_four:.0%` of TEST_SIMPLE and {glue:text}`q_TEST_four:.0%` of TEST.
# Nearly the same photographs are behind both, with other numbers of copies.
# :::
#
# **2. And with two classes?**
#
# :::{dropdown} Answer
# Always answering "polynuclear" is correct for {glue:text}`q_TEST_SIMPLE_two:.0%` of TEST_SIMPLE and {glue:text}`q_TEST_two:.0%` of TEST. An accuracy
# of 80% on TEST_SIMPLE would be below that of this constant answer.
# :::
