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
# {glue:text}`four_plain:.0%` and {glue:text}`two_plain:.0%` correctly, on another laboratory's cells as published near chance.
# :::
#
# What follows is a model card {cite}`mitchell2019`. Every number is read from records.

# %%
import numpy as np
from IPython.display import display

from bloodlib.analyses import (
    external_validation,
    model_comparison,
    prediction,
    robustness,
)
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, scores
from bloodlib.models import networks, weights

# %% tags=["remove-input"]
chapter.begin()
runs = {task: prediction.recorded(task) for task in images.TASKS}
config, environment = runs["four"].config, runs["four"].environment
found = robustness.compute_scores().set_index(["task", "kind", "strength"])
others = (
    external_validation.compute_scores()
    .set_index(["method", "task", "scale", "colours"])
    .loc["DCLNN"]
)
for task, run in runs.items():
    own = others.loc[(task, external_validation.QUOTED[0], "own")]
    like = others.loc[(task, *external_validation.QUOTED)]
    constant = np.bincount(external_validation.labels(task)).max() / len(
        external_validation.labels()
    )
    assert abs(own["accuracy"] - constant) < 0.05  # near chance
    recall = comparison.estimate([run], scores.recall)
    weakest = int(recall.value.argmin())
    values = {
        "parameters": sum(networks.parameter_counts(classes=len(images.TASKS[task])).values()),
        "megabytes": weights.path(task).stat().st_size / 1e6,
        "accuracy": str(comparison.estimate([run])),
        "plain": comparison.estimate([run]).value,
        "simple_value": comparison.estimate([run], split="TEST_SIMPLE").value,
        "weakest": images.TASKS[task][weakest].lower(),
        "own": own["accuracy"],
        "sure": own["sure"],
        "like": like["accuracy"],
        "dark": found.loc[(task, "brightness", 0.5), "accuracy"],
        "red": found.loc[(task, "stain", 0.6), "accuracy"],
        "id": run.id,
    }
    chapter.cite({f"{task}_{name}": value for name, value in values.items()})
colours = model_comparison.runs("histogram", "four")
chapter.cite(four_colours=str(comparison.estimate(colours)))
held = photographs.photographs("TEST")
wrong = runs["two"].arrays["labels"][-1] != images.labels("TEST", "two")
worst = int(max(set(held[wrong]), key=list(held[wrong]).count))
chapter.cite(
    seed=config["seed"],
    epochs=runs["four"].epochs,
    optimizer=config["optimizer"],
    rate=config["learning_rate"],
    batch=config["batch_size"],
    keras=environment["packages"]["keras"],
    started=runs["four"].started[:10],
    train=sum(images.counts()["TRAIN"].values()),
    train_cells=len(set(photographs.cells("TRAIN"))),
    test=len(held),
    test_cells=sum(photographs.counts("cells")["TEST"].values()),
    pictures=len(external_validation.manifest()),
    worst=worst,
    worst_share=(held[wrong] == worst).mean(),
    worst_wrong=wrong.sum(),
)

# %% [markdown]
# ## Model details
#
# - **Made by** the authors of this book, to reproduce the paper's; trained on {glue:text}`started` with seed {glue:text}`seed`.
# - **Kind:** DCLNN ({doc}`network`), with {glue:text}`four_parameters:,` and {glue:text}`two_parameters:,` parameters. Settings that the
#   paper leaves open are those of the public notebook ({numref}`tbl-unstated`).
# - **Training:** {glue:text}`epochs` epochs with {glue:text}`optimizer`, learning rate {glue:text}`rate`, batches of {glue:text}`batch`, in
#   Keras {glue:text}`keras`. Neither epoch nor seed was selected by a score.
# - **Input:** an image of 60 × 80 pixels, RGB from 0 to 255. **Output:** a probability for each class, whatever the picture shows.
# - **Files:** ONNX, {glue:text}`four_megabytes:.1f` and {glue:text}`two_megabytes:.1f` MB, the hidden layer in 8 bits. Every image of TEST
#   gets the class of the records {glue:text}`four_id` and {glue:text}`two_id` ({doc}`provenance`).
# - **Beside them:** `results/models.npz` has a compact CNN and a colour baseline, trained on the same images ({doc}`comparison`).
# - **Licence:** MIT, as the code.
#
# ## Intended use
#
# To study a network and its scores, in a course or to check this book. **They must not be used for diagnosis or for blood counts.**
# They know neither basophils nor blasts nor abnormal cells.
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
# ## Metrics
#
# Accuracy, precision, recall and F1 with 95% intervals over cells ({doc}`intervals`), on classes that TEST has made equal. The most
# probable class is the prediction.
#
# ## Data
#
# - **Training:** TRAIN, {glue:text}`train:,` images of {glue:text}`train_cells` cells, with augmentation.
# - **Evaluation:** TEST, {glue:text}`test:,` images of {glue:text}`test_cells` cells from the same source. It was evaluated after every
#   epoch for the curves of {doc}`training`, and presumably by the paper to choose the number of epochs.
# - **External validation:** {glue:text}`pictures:,` pictures of PBC ({doc}`external_validation`), one laboratory. Your own:
#   `bloodlib evaluate`.
#
# ## Results
#
# On TEST accuracy is {glue:text}`four_accuracy` with four classes and {glue:text}`two_accuracy` with two
# ({numref}`tbl-card-four` and {numref}`tbl-card-two`); on the unturned photographs, TEST_SIMPLE, {glue:text}`four_simple_value:.2f` and
# {glue:text}`two_simple_value:.2f`. The lowest recalls are those of {glue:text}`four_weakest`s and of {glue:text}`two_weakest` cells.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
for task, run in runs.items():
    caption = f"The network for {task} classes on TEST, with 95% intervals over cells."
    display(tables.show(tables.load_measured(run), f"tbl-card-{task}", caption))

# %% [markdown]
# - **Another laboratory (PBC), as published:** accuracy {glue:text}`four_own:.2f` and {glue:text}`two_own:.2f`, near chance, with a mean
#   confidence of {glue:text}`four_sure:.2f` and {glue:text}`two_sure:.2f`. With TRAIN's stain and scale {glue:text}`four_like:.2f` and
#   {glue:text}`two_like:.2f`. The same steps need not help elsewhere.
# - **At half the brightness:** {glue:text}`four_dark:.2f` and {glue:text}`two_dark:.2f`. **With less blue and more eosin:**
#   {glue:text}`four_red:.2f` and {glue:text}`two_red:.2f` ({doc}`behaviour`).
# - **By photograph:** {glue:text}`worst_share:.0%` of the {glue:text}`worst_wrong` wrong predictions with two classes are images of one
#   photograph, number {glue:text}`worst`.
#
# ## Ethical considerations
#
# Nothing is known of the consent of the people whose blood is shown. Nobody has examined whether images can be recovered from the weights.
# A wrong class of a white cell can harm a patient.
#
# ## Caveats
#
# - Confidence depends on the seed ({doc}`behaviour`), and so do predictions ({doc}`epochs`); other seeds are not shipped.
# - Logistic regression on colour histograms reaches {glue:text}`four_colours` on TEST with four classes ({doc}`comparison`). For a classifier
#   of blood cells start with many cells of several laboratories, and not with these weights.
