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
# # The networks' card
#
# This book ships two trained networks, `results/weights-four.onnx` and `results/weights-two.onnx`. They are what {doc}`try_it` and
# `bloodlib predict` answer with. What follows is a model card {cite}`mitchell2019`: what they are, for what they are meant, and
# how they do. Numbers are read from records, as everywhere.

# %% tags=["remove-input"]

from IPython.display import display

from bloodlib.analyses import external_validation, model_comparison, prediction, robustness
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, scores
from bloodlib.models import networks, weights

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
    recall = comparison.estimate([run], scores.recall)
    weakest = int(recall.value.argmin())
    values = {
        "parameters": sum(networks.parameter_counts(classes=len(images.TASKS[task])).values()),
        "megabytes": weights.path(task).stat().st_size / 1e6,
        "minutes": run.seconds / 60,
        "accuracy": str(comparison.estimate([run])),
        "simple": str(comparison.estimate([run], split="TEST_SIMPLE")),
        "weakest": images.TASKS[task][weakest].lower(),
        "recall": comparison.with_interval(*(part[weakest] for part in recall)),
        "guessing": 1 / len(images.TASKS[task]),
        "own": comparison.with_interval(*own[["accuracy", "low", "high"]]),
        "sure": own["sure"],
        "given": own["given"],
        "favourite": own["favourite"].lower(),
        "like": comparison.with_interval(*like[["accuracy", "low", "high"]]),
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
# ## What they are
#
# - **Made by** the authors of this book, to repeat those of the paper; trained on {glue:text}`started`, with the seed {glue:text}`seed`.
# - **Kind:** DCLNN, two convolutions and one pooling layer ({doc}`network`), with {glue:text}`four_parameters:,` parameters for four classes and
#   {glue:text}`two_parameters:,` for two. What the paper leaves open is taken from its lineage ({numref}`tbl-unstated`).
# - **Training:** {glue:text}`epochs` epochs with {glue:text}`optimizer`, learning rate {glue:text}`rate`, batches of {glue:text}`batch`, in Keras
#   {glue:text}`keras`; {glue:text}`four_minutes:.0f` and {glue:text}`two_minutes:.0f` minutes. Neither epoch nor seed was picked by a score: it is the
#   first seed, after the paper's number of epochs.
# - **Input:** one image of 60 × 80 pixels, red, green and blue from 0 to 255. **Output:** a probability for each class. They always
#   name one, whatever the picture shows.
# - **Files:** ONNX, {glue:text}`four_megabytes:.1f` and {glue:text}`two_megabytes:.1f` MB, the hidden layer in 8 bits. Every image of TEST gets the class
#   that it has in the records {glue:text}`four_id` and {glue:text}`two_id` ({doc}`provenance`).
# - **Licence:** MIT, as the code.
#
# ## For what they are meant
#
# To look at a network, and to learn what such scores are worth: in a course, or for somebody who wants to check this book. **They must not be used to
# diagnose anything, or to count anybody's blood.** They know neither basophils nor blasts nor any sick cell, don't notice a picture without
# a cell, and fail without a warning on the slides of another laboratory.
#
# ## What may matter
#
# Stain, light, camera and scale matter, and were measured. So does the class. Age, sex, origin and illness of
# the people may matter and can't be examined, as nothing is known of them ({doc}`datasheet`). Combinations of factors were not measured either.
#
# ## How they were measured
#
# Accuracy, precision, recall and F1 ({doc}`intervals`), on classes that TEST has made equal; with intervals over other cells of the same kind
# ({doc}`intervals`). No threshold is set: the most probable class is the answer.
#
# ## On what
#
# - **Trained on** TRAIN: {glue:text}`train:,` images of {glue:text}`train_cells` cells, turned, shifted and mirrored further while training.
# - **Tried on** TEST: {glue:text}`test:,` images of {glue:text}`test_cells` cells, from the same source. TEST was also looked at after every epoch, by us
#   for the curves of {doc}`training`, and presumably by the paper, to choose the number of epochs that we use.
# - **And on** {glue:text}`pictures:,` pictures of another laboratory ({doc}`external_validation`).
#
# ## How they do
#
# On TEST the network for four classes is right for {glue:text}`four_accuracy` of the images, the one for two for {glue:text}`two_accuracy`; on the unturned
# photographs for {glue:text}`four_simple` and {glue:text}`two_simple`. {numref}`tbl-card-four` and {numref}`tbl-card-two` have the classes. The weakest
# recalls are those of {glue:text}`four_weakest`s, {glue:text}`four_recall`, and of {glue:text}`two_weakest` cells, {glue:text}`two_recall`.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
for task, run in runs.items():
    caption = f"The network for {task} classes on TEST, with intervals by cell."
    display(tables.show(tables.load_measured(run), f"tbl-card-{task}", caption))

# %% [markdown]
# - **Another laboratory, in its own colours:** {glue:text}`four_own` and {glue:text}`two_own`, where guessing is {glue:text}`four_guessing:.2f` and
#   {glue:text}`two_guessing:.2f`. {glue:text}`four_given:.0%` of the pictures are called {glue:text}`four_favourite`, with a mean confidence of
#   {glue:text}`four_sure:.2f`. With TRAIN's stain mapped onto them: {glue:text}`four_like` and {glue:text}`two_like`.
# - **At half the brightness:** {glue:text}`four_dark:.2f` and {glue:text}`two_dark:.2f`. **With less blue and more eosin:** {glue:text}`four_red:.2f` and
#   {glue:text}`two_red:.2f` ({doc}`behaviour`).
# - **By photograph:** of the {glue:text}`worst_wrong` wrong answers with two classes, {glue:text}`worst_share:.0%` are images of one photograph, number
#   {glue:text}`worst`.
#
# ## What to think of
#
# The photographs show parts of people's blood; nothing is known of their consent. The networks keep no photograph, but nobody has examined whether
# something of the images could be got back from their weights. A wrong class of a white cell can harm a patient, which is why the page that runs them
# says what it is not for.
#
# ## What to keep in mind
#
# - Probabilities are not to be trusted as such: how sure a network is depends on its seed ({doc}`behaviour`).
# - Each is one draw; other seeds give other networks ({doc}`epochs`), which are not shipped.
# - A linear method that sees a histogram of colours and no shapes scores {glue:text}`four_colours` on TEST with four classes ({doc}`comparison`). Whoever needs a classifier of blood cells should start with
#   many cells of several laboratories, and not with these weights.
