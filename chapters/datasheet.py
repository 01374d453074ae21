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
# # Datasheet
#
# :::{admonition} In short
# Which questions should a dataset answer before it is used {cite}`gebru2021`, and what is known here? The images' origin, number and defects
# are known. Patients, staining, microscope, consent and the annotators were never published.
# :::

# %% tags=["remove-input"]
import numpy as np

from bloodlib.analyses import examples, external_validation
from bloodlib.book import chapter
from bloodlib.data import images, photographs

chapter.begin()
facts, counts = images.dataset(), images.counts()
cells = photographs.counts("cells")
table, listed = photographs.table(), photographs.cell_table().set_index("photograph")["labels"]
across = np.isin(photographs.cells("TEST"), photographs.cells("TRAIN"))
assert (table["photograph"] >= 0).all()  # no image is undecided,
assert (
    listed[table["photograph"]].to_numpy() == table["name"].str.partition("/")[0]
).all()  # or odd
assert min(cells["TEST"], key=cells["TEST"].get) == "MONOCYTE"
assert max(cells["TEST"], key=cells["TEST"].get) == "NEUTROPHIL"
chapter.cite(
    {split.lower(): sum(counts[split].values()) for split in images.SPLITS}
    | {f"{split.lower()}_cells": len(set(photographs.cells(split))) for split in images.SPLITS}
    | {f"{s.lower()}_photographs": len(set(photographs.photographs(s))) for s in images.SPLITS},
    photographs=facts["photographs"],
    listed=facts["listed"],
    without=facts["listed_without_label"],
    missing=len(facts["listed_but_not_published"]),
    several=len(facts["photographs_with_several_labels"]),
    basophil=len(facts["photographs_with_a_basophil"]),
    single=sum(facts["photographs_with_one_label"].values()),
    eosinophils=facts["photographs_with_one_label"]["EOSINOPHIL"]
    / sum(facts["photographs_with_one_label"].values()),
    fewest=cells["TEST"]["MONOCYTE"],
    most=cells["TEST"]["NEUTROPHIL"],
    twins=facts["identical"]["within TEST_SIMPLE"],
    contradictory=(examples.compute_remarkable()["What"] == "two labels").sum(),
    both_cells=len(np.unique(photographs.cells("TEST")[across])),
    both_images=across.sum(),
    boxes=len(photographs.boxes()),
    boxed=photographs.boxes()["photograph"].nunique(),
    pbc=len(external_validation.manifest()),
    commit=images.SOURCE.commit[:8],
)

# %% [markdown]
# ## Motivation
#
# **For what was it made?** The photographs, BCCD, for detecting blood cells: their annotations are boxes. The images, by another author, for
# classifying four kinds of white cells.
#
# **Who made it, and who paid?** The repository `Shenggan/BCCD_Dataset` publishes the photographs, `dhruvp/wbc-classification` the images, and
# Kaggle's `paultimothymooney/blood-cells` a copy of these. Who took the photographs, and who paid, is not stated.
#
# ## Composition
#
# **What is in it?** {glue:text}`photographs` photographs of stained blood films, 640 × 480 pixels, mostly with one white cell among red ones. And
# images of 320 × 240 pixels made from them by turning, shifting, shearing and mirroring: {glue:text}`train:,` in TRAIN and {glue:text}`test:,` in
# TEST. The {glue:text}`test_simple` images of TEST_SIMPLE are reduced only. {doc}`images` counts them by class.
#
# **How many independent observations is that?** TRAIN shows {glue:text}`train_cells` cells in {glue:text}`train_photographs` photographs, TEST
# {glue:text}`test_cells` cells in {glue:text}`test_photographs`. The classes of TEST have between {glue:text}`fewest` cells (monocytes) and
# {glue:text}`most` (neutrophils). {doc}`photographs` recovers this from the pixels, for every image.
#
# **Is it a sample of something larger?** Probably of more films. {glue:text}`eosinophils:.0%` of the single labels are
# eosinophils, far more than in healthy blood, so cells or people were selected. How many people, healthy or ill, and how cells were selected, is unknown.
#
# **What are the labels?** The folder names one of four classes. The classes go back to a list with {glue:text}`listed` rows, of which
# {glue:text}`without` have no label. Of the published photographs {glue:text}`single` have one label, {glue:text}`several` have several, and
# {glue:text}`basophil` show a basophil. Who annotated, and by which rule, is unknown.
#
# **Is anything missing?** {glue:text}`missing` rows of the list have no published photograph. No folder holds basophils.
#
# **Which errors are known?** Of the cells that were photographed twice, {glue:text}`both_cells` have one photograph in TRAIN and one in TEST:
# {glue:text}`both_images` images of TEST show such a cell. {glue:text}`contradictory` pairs of photographs of one cell have contradictory labels.
# {glue:text}`twins` files of TEST_SIMPLE have an identical twin. In some images the cell lies outside the picture ({doc}`behaviour`). Every image
# is in the folder of its photograph's label.
#
# **Which splits are recommended?** TRAIN and TEST as published share no photograph. For new cells, divide by cell ({doc}`leakage`).
#
# **Does it concern people?** It shows their blood, without names. Consent, ethics approval, age, sex and illness were not published.
#
# ## Collection
#
# **How were the photographs taken?** With a camera on a microscope, from stained films; more is not known. Overlapping photographs have
# neighbouring numbers ({doc}`photographs`), so that numbers seem to follow the slides.
#
# ## Preprocessing
#
# **By its makers:** photographs with a single label were reduced to half their size and divided by photograph. Then altered copies filled every
# class of TRAIN and TEST. Empty corners are black. **By this book:** images are reduced to 60 × 80 pixels; none is left out, corrected or
# relabelled.
#
# **What does this book add?** The photograph and the cell behind each image, and {glue:text}`boxes` boxes round the white cells of
# {glue:text}`boxed` photographs, read from BCCD's annotations. They are in `results/`.
#
# ## wbc-by-cell: a table for other users
#
# `results/wbc-by-cell/` has a table of all images with photograph, cell, class and published split, five folds that share no cell, and label
# conflicts (CC BY 4.0). It matches images by content, so that it works with any copy of the files, such as Kaggle's:
#
# ```python
# import hashlib
# from pathlib import Path
#
# import pandas as pd
#
# found = {}
# for path in Path("dataset2-master").rglob("*.jpeg"):
#     content = path.read_bytes()
#     found[hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()] = str(path)
# assert found, "no images here: is this the folder, and no link to it?"
# table = pd.read_csv("wbc-by-cell.csv").query("split != 'TEST_SIMPLE'").set_index("git_sha1")
# table["path"] = pd.Series(found)
# train, test = table[table["fold"] != 0], table[table["fold"] == 0]
# ```
#
# `train["path"]` and `train["class"]` are what Keras, PyTorch and scikit-learn take.
#
# ## Uses
#
# **What is it good for?** For teaching how such methods work, and what a test set of few cells can show. **For what should it not be used?** For
# diagnosis; for comparing methods whose scores differ by less than the intervals of {doc}`intervals`; for claims about other laboratories. Its
# balanced classes are not those of blood.
#
# ## Distribution and maintenance
#
# **How is it obtained, and under which terms?** From the public repository, commit {glue:text}`commit`: `bloodlib data --fetch` fetches and verifies
# it. The repository states no licence. All photographs but three (96, 280 and 329) are files of BCCD, under the MIT licence: this book shows
# these, and turns them itself ({doc}`cite`).
#
# **Who maintains it?** Nobody known. This book keeps no copy and lists the errors found.
#
# ## External validation
#
# {doc}`external_validation` uses {glue:text}`pbc:,` pictures of PBC {cite}`acevedo2020`, which are not part of this book. Their list is
# `results/pbc.sha256`.
