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
# # Model card
#
# :::{admonition} In short
# This book ships two trained networks, `results/weights-four.onnx` and `results/weights-two.onnx`, used by {doc}`try_it`,
# `bloodlib predict` and `bloodlib evaluate`. They are for studying a network, not for diagnosis: on TEST they classify
# {glue:text}`four_plain:.0%` and {glue:text}`two_plain:.0%` correctly, on another laboratory's cells, with their own stain, near chance.
# :::
#
# What follows is a model card {cite}`mitchell2019`. Every number is computed from stored predictions.

# %%
import numpy as np
import pandas as pd
from IPython.display import display

from bloodlib.analyses import (
    external_validation,
    model_comparison,
    prediction,
    robustness,
)
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison
from bloodlib.models import weights

chapter.begin()  # figures in the book's style
runs = {task: prediction.recorded(task) for task in images.TASKS}
for task, run in runs.items():
    file = weights.path(task)
    print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, from record {run.id}")

# %% [markdown]
# ## Model details
#
# - **Made by** the authors of this book, to reproduce the paper's.
# - **Kind:** DCLNN ({doc}`network`), in ONNX, the hidden layer in 8 bits. Every image of TEST gets the class of the record that is
#   printed above ({doc}`provenance`).
# - **Training:** {numref}`tbl-card-settings`. Settings that the paper leaves open are mostly those of the public notebook
#   ({numref}`tbl-unstated`). Neither epoch nor seed was selected by a score.
# - **Input:** an image of 60 × 80 pixels, RGB from 0 to 255. **Output:** a probability for each class, whatever the picture shows.
# - **Beside them:** `results/models.npz` has a compact CNN and a colour baseline, trained on the same images ({doc}`comparison`).
# - **Licence:** MIT, as the code.

# %% mystnb={"markdown_format": "myst"}
stated = ["epochs", "optimizer", "learning_rate", "batch_size", "augmentation", "seed"]
settings = pd.DataFrame({f"{task} classes": run.config for task, run in runs.items()})
settings = settings.loc[stated].rename(lambda name: name.replace("_", " "))
settings.loc["number format"] = [run.config["precision"] for run in runs.values()]
settings.loc["trained"] = [run.started[:10] for run in runs.values()]
settings = settings.rename_axis("Setting").reset_index()
tables.show(settings, "tbl-card-settings", "Settings of the two networks' training.")

# %% [markdown]
# ## Intended use
#
# To study a network and its scores, in a course or to check this book. **They must not be used for diagnosis or for blood counts**:
# in normal blood they would report far too many eosinophils ({doc}`limitations`). They know neither basophils nor
# blasts nor abnormal cells, and don't separate bands and immature granulocytes.
#
# `bloodlib predict` refuses pictures without anything as purple as a nucleus, and flags pictures that are unlike the training slides
# ({numref}`tbl-flags`). The flag notices stain and light. It does not notice every wrong scale, a second cell, a class that the
# networks don't know, or a wrong prediction.
#
# ## Factors
#
# Stain, light, camera, scale and class matter and were measured. Age, sex, origin and illness may matter; nothing is known of the people
# ({doc}`datasheet`).
#
# ## Data
#
# - **Training:** TRAIN, with augmentation.
# - **Evaluation:** TEST, from the same source ({doc}`datasheet`). It was evaluated after every
#   epoch for the curves of {doc}`training`, and presumably by the paper to choose the number of epochs.
# - **External validation:** PBC ({doc}`external_validation`), one laboratory. Your own: `bloodlib evaluate`.
#
# ## Results
#
# {numref}`tbl-card-conditions` has the accuracy under several conditions. TEST_SIMPLE scores higher with two classes because
# photograph 110, labelled a monocyte, counts there once.

# %% mystnb={"markdown_format": "myst"}
corrupted = robustness.compute_scores().set_index(["kind", "strength", "task"])
corrupted = corrupted["accuracy"].sort_index()
other = external_validation.compute_scores().query("method == 'DCLNN'")
other = other.set_index(["scale", "colours", "task"])[["accuracy", "sure"]].sort_index()
scale, stain = external_validation.QUOTED
own, matched = other.loc[scale, "own"], other.loc[scale, stain]
accuracy = {
    split: {task: comparison.estimate([run], split=split).value for task, run in runs.items()}
    for split in ("TEST", "TEST_SIMPLE")
}
conditions = {
    "TEST": accuracy["TEST"],
    "TEST_SIMPLE (not turned)": accuracy["TEST_SIMPLE"],
    "TEST at half the brightness": corrupted["brightness", 0.5],
    "TEST with less blue and more eosin": corrupted["stain", 0.6],
    "PBC, at TRAIN's scale": own["accuracy"],
    "PBC, mean confidence there": own["sure"],
    "PBC, at TRAIN's scale and stain": matched["accuracy"],
}
for task in runs:
    y_true = external_validation.labels(task)
    constant = np.bincount(y_true).max() / len(y_true)
    assert abs(own.loc[task, "accuracy"] - constant) < 0.05  # near chance
rows = pd.DataFrame(conditions).T.add_suffix(" classes")
rows = rows.rename_axis("Accuracy on").reset_index()
tables.show(rows, "tbl-card-conditions", "Accuracy, and on PBC mean confidence.")

# %% [markdown]
# By class, with 95 % CIs over cells ({doc}`intervals`); the classes of TEST are equally frequent
# ({numref}`tbl-card-four` and {numref}`tbl-card-two`):

# %% mystnb={"markdown_format": "myst"}
for task, run in runs.items():
    table = tables.load_measured(run).drop(columns="Equation 14")
    caption = f"The network for {task} classes on TEST, with 95 % CIs over cells."
    display(tables.show(table, f"tbl-card-{task}", caption))

# %% [markdown]
# The photographs whose images make up most of the wrong predictions with two classes:

# %%
wrong = runs["two"].arrays["labels"][-1] != images.labels("TEST", "two")
errors = pd.Series(photographs.photographs("TEST")[wrong]).value_counts()
print(wrong.sum(), "wrong, by", errors.head(3).rename_axis("photograph").to_string())
assert errors.index[0] == 110

# %% tags=["remove-input"]
chapter.cite(
    four_plain=conditions["TEST"]["four"],
    two_plain=conditions["TEST"]["two"],
    four_colours=comparison.estimate(model_comparison.runs("histogram", "four")).value,
)

# %% [markdown]
# ## Ethical considerations
#
# Nothing is known of the consent of the people whose blood is shown. Nobody has examined whether images can be recovered from the weights.
# A wrong class of a white cell can harm a patient.
#
# ## Caveats
#
# - Confidence depends on the seed ({doc}`behaviour`), and so do predictions ({doc}`epochs`); other seeds are not shipped.
# - Matching PBC's stain and scale raises accuracy there; whether it does elsewhere was not tested.
# - Logistic regression on colour histograms classifies {glue:text}`four_colours:.0%` of TEST correctly with four classes
#   ({doc}`comparison`). For a classifier of blood cells start with many cells of several laboratories, and not with these weights.
