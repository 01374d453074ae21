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
# # The dataset's sheet
#
# Questions that whoever passes on a dataset should answer {cite}`gebru2021`, answered for the images of this book. Its makers have
# published no such sheet, so most of what only they can know is not known to us. Where that is so, it says so.

# %% tags=["remove-input"]
import numpy as np

from bloodlib.analyses import examples, external_validation
from bloodlib.book import chapter
from bloodlib.data import images, photographs

chapter.begin()
facts = images.dataset()
counts = images.counts()
behind, cells = photographs.counts(), photographs.counts("cells")
pairs = examples.compute_remarkable()
both = np.isin(photographs.cells("TEST"), photographs.cells("TRAIN"))
chapter.cite(
    train=sum(counts["TRAIN"].values()),
    test=sum(counts["TEST"].values()),
    simple=sum(counts["TEST_SIMPLE"].values()),
    photographs=facts["photographs"],
    listed=facts["listed"],
    without=facts["listed_without_label"],
    missing=len(facts["listed_but_not_published"]),
    several=len(facts["photographs_with_several_labels"]),
    basophil=len(facts["photographs_with_a_basophil"]),
    single=sum(facts["photographs_with_one_label"].values()),
    train_photographs=sum(behind["TRAIN"].values()),
    test_photographs=sum(behind["TEST"].values()),
    train_cells=len(set(photographs.cells("TRAIN"))),
    test_cells=sum(cells["TEST"].values()),
    fewest=min(cells["TEST"].values()),
    fewest_class=min(cells["TEST"], key=cells["TEST"].get).lower() + "s",
    most=max(cells["TEST"].values()),
    twins=facts["identical"]["within TEST_SIMPLE"],
    contradictory=(pairs["What"] == "two labels").sum(),
    both_cells=len(np.unique(photographs.cells("TEST")[both])),
    both_images=both.sum(),
    boxes=len(photographs.boxes()),
    boxed=photographs.boxes()["photograph"].nunique(),
    undecided=len(photographs.undecided()) or "none",
    disagree=len(photographs.disagreements()) or "none",
    pbc=len(external_validation.manifest()),
)
chapter.cite(commit=images.SOURCE.commit[:8])

# %% [markdown]
# ## Motivation
#
# **For what was it made?** The photographs, BCCD, to find blood cells in pictures: its annotations are boxes round them. The images, by another
# author, to train a classifier of four kinds of white cells. The paper uses the images to compare methods. We use them because the
# paper does.
#
# **Who made it, and who paid?** The photographs are published by the repository `Shenggan/BCCD_Dataset`, the images by
# `dhruvp/wbc-classification` and again by the Kaggle set `paultimothymooney/blood-cells`. Who took the photographs, and who paid
# for them, is not said there.
#
# ## Composition
#
# **What is in it?** Photographs of stained blood films, 640 × 480 pixels, mostly with one white cell among red ones: {glue:text}`photographs` are
# published. And images of 320 × 240 that were made from them by turning, shifting, shearing and mirroring: {glue:text}`train:,` in
# TRAIN, {glue:text}`test:,` in TEST; {glue:text}`simple` in TEST_SIMPLE are not turned. {doc}`images` counts them by class.
#
# **How many things are that really?** TRAIN's images show {glue:text}`train_cells` cells in {glue:text}`train_photographs` photographs, TEST's
# {glue:text}`test_cells` cells in {glue:text}`test_photographs`. Of the {glue:text}`fewest_class` TEST has {glue:text}`fewest` cells, of the
# class with most {glue:text}`most`. We found nobody who had published that; {doc}`photographs` recovers it from the pixels, and leaves
# {glue:text}`undecided` of the images undecided.
#
# **Is it a sample of something larger?** Surely of more films, and we don't know how it was drawn: from how many people, sick or
# healthy, on how many days, which cells of a film, by whom chosen.
#
# **What are the labels?** One of four classes for an image, by its folder. They go back to a list with {glue:text}`listed` rows, of which
# {glue:text}`without` have no label. {glue:text}`single` of the published photographs have a single label, {glue:text}`several` have several,
# {glue:text}`basophil` a basophil. Whether one person or several named the cells, and by what rule, is not said.
#
# **Is anything missing?** {glue:text}`missing` rows of the list have no published photograph. Basophils are in none of the folders of
# images.
#
# **What is wrong in it?** {glue:text}`both_cells` cells were photographed twice, with one photograph behind TRAIN and one behind TEST:
# {glue:text}`both_images` images of TEST show such a cell. {glue:text}`contradictory` pairs of photographs of the same cell have contradictory
# labels. {glue:text}`twins` files of TEST_SIMPLE have a twin. In some images the cell lies outside of the picture ({doc}`behaviour`).
# Of the images, {glue:text}`disagree` lie in a folder that their photograph's label doesn't name.
#
# **Which splits are recommended?** TRAIN and TEST, as published. No photograph is behind both. For new cells, divide by cell
# ({doc}`leakage`): `results/cells.csv` says which photographs show the same one.
#
# **Are people in it?** Parts of their blood. The photographs carry no names, and we know of nothing that would tell whose they are. Nothing
# is published of consent, of an ethics committee, or of age, sex and illness, so that no result can be given by any of these.
#
# ## How it was collected
#
# **How were the photographs taken?** Through a microscope with a camera, from stained films. Which microscope, magnification, stain and camera,
# and when, is not in the repositories. Photographs that overlap have neighbouring numbers ({doc}`photographs`), so that the numbers
# seem to follow the slides.
#
# ## What was done to it
#
# **By its makers:** photographs with a single label were halved in size and divided by photograph; then every class of TRAIN
# and of TEST was filled up to about the same number of altered copies. Empty corners are black. **By us:** images are reduced to
# 60 × 80 pixels, and nothing is left out, corrected or named anew. The raw files stay as they are and are checked against git's
# hashes.
#
# **What did we add?** The photograph and the cell behind each image, and {glue:text}`boxes` boxes round the white cells of {glue:text}`boxed`
# photographs, read from BCCD's annotations. They are in `results/`.
#
# ## Uses
#
# **What is it good for?** To teach: how such methods work, and what a test set of few cells can't tell. **For what should it not be
# used?** To decide on patients; to compare methods whose scores are nearer to each other than the intervals of {doc}`intervals`; to
# claim anything of other laboratories. Its equal classes are not those of blood.
#
# **What else has it been used for?** For public notebooks; those that we read take its images for as many observations.
#
# ## Distribution and maintenance
#
# **How is it had, and under which terms?** From the public repository, commit {glue:text}`commit`; `bloodlib data --fetch` fetches and checks it.
# The repository states no licence. All photographs but three (96, 280 and 329) are files of BCCD, under the MIT licence: this book shows these, and
# turns them itself ({doc}`cite`).
#
# **Who looks after it?** We know of nobody. We keep no copy, and can't correct it; mistakes found in it are in this book.
#
# ## The other laboratory
#
# {doc}`external_validation` uses {glue:text}`pbc:,` pictures of PBC {cite}`acevedo2020`, whose makers describe it in an article: people, stain, machine and who named
# the cells. They are not passed on here either; their list is in `results/pbc.sha256`.
