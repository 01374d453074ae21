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

# %%
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs

chapter.begin()  # figures in the book's style
table = photographs.table().merge(photographs.cell_table(), on="photograph")
assert len(table) == len(photographs.table())  # every image has a photograph

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
# images of 320 × 240 pixels made from them by turning, shifting, shearing and mirroring, in the folders TRAIN and TEST. The images of
# TEST_SIMPLE are reduced only. {doc}`images` counts them by class.
#
# **How many independent observations is that?** {numref}`tbl-composition` counts images, and the photographs and cells that they show.
# The classes of TEST have between {glue:text}`fewest` cells (monocytes) and {glue:text}`most` (neutrophils). {doc}`photographs` recovers
# this from the pixels, for every image.

# %% mystnb={"markdown_format": "myst"}
behind = table.groupby("split").agg(
    images=("name", "size"),
    photographs=("photograph", "nunique"),
    cells=("cell", "nunique"),
)
behind = behind.rename_axis("Folder").rename(columns=str.capitalize)
tables.show(
    behind.reset_index(),
    "tbl-composition",
    "Images, and the photographs and cells behind them.",
)

# %% [markdown]
# **Is it a sample of something larger?** Probably of more films. How many people, healthy or ill, and how cells were selected, is
# unknown. The single labels of the published photographs, in percent:

# %%
labels = photographs.cell_table()["labels"]
single = labels[labels.isin([*images.CLASSES, "BASOPHIL"])].value_counts(normalize=True)
print((100 * single).round(1).to_string())
assert single["EOSINOPHIL"] > 0.2

# %% [markdown]
# Healthy blood has one to four percent eosinophils ({doc}`limitations`), so cells or people were selected.
#
# **What are the labels?** The folder names one of four classes. The classes go back to a list with {glue:text}`listed` rows, of which
# {glue:text}`without` have no label; {doc}`images` counts its labels. Who annotated, and by which rule, is unknown.
#
# **Is anything missing?** {glue:text}`missing` rows of the list have no published photograph: nearly the same rows as those without a label.
# No folder holds basophils.
#
# **Which errors are known?** Of the cells that were photographed twice, some have one photograph in TRAIN and one in TEST:

# %%
cells_of = table.groupby("split")["cell"].unique()
twice = table[(table["split"] == "TEST") & table["cell"].isin(cells_of["TRAIN"])]
print(f"{twice['cell'].nunique()} cells, {len(twice)} images of TEST")

# %% tags=["remove-input"]
facts, cells = images.dataset(), photographs.counts("cells")["TEST"]
assert (table["labels"] == table["name"].str.partition("/")[0]).all()
assert [*sorted(cells, key=cells.get)][::3] == ["MONOCYTE", "NEUTROPHIL"]
chapter.cite(
    photographs=facts["photographs"],
    listed=facts["listed"],
    without=facts["listed_without_label"],
    missing=len(facts["listed_but_not_published"]),
    fewest=cells["MONOCYTE"],
    most=cells["NEUTROPHIL"],
)

# %% [markdown]
# Photographs 206 and 278 show one cell, labelled a lymphocyte and a monocyte; the labels of 242 and 249, with two cells each, differ
# too. TEST_SIMPLE has two photographs twice ({doc}`photographs`). In some images the cell lies outside the picture ({doc}`behaviour`). Every image is in the folder of its
# photograph's label.
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
# **What does this book add?** The photograph and the cell behind each image, and boxes round the white cells,
# read from BCCD's annotations. They are in `results/`.
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
# **How is it obtained, and under which terms?** From the public repository, at the commit that {doc}`images` names: `bloodlib data --fetch` fetches and verifies
# it. The repository states no licence. All photographs but three (96, 280 and 329) are files of BCCD, under the MIT licence: this book shows
# these, and turns them itself ({doc}`cite`).
#
# **Who maintains it?** Nobody known. This book keeps no copy and lists the errors found.
#
# ## External validation
#
# {doc}`external_validation` uses pictures of PBC {cite}`acevedo2020`, which are not part of this book. Their list is
# `results/pbc.sha256`.
