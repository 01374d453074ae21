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
# # Limitations
#
# :::{admonition} In short
# What do the results of this book not show? They hold for {glue:text}`cells` cells of one origin, for our choice of the settings that
# the paper leaves open, and for few seeds. At the prevalence of blood, most cells that DCLNN calls eosinophils would be neutrophils.
# :::

# %%
import numpy as np
import pandas as pd

from bloodlib import paper
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, scores

chapter.begin()

# %% tags=["remove-input"]
counted = photographs.counts("cells")["TEST"]
runs = {
    (method, task): comparison.compared(method, task)
    for method in ("DCLNN", "AveragePooling")
    for task in images.TASKS
}
trained = [run for each in runs.values() for run in each]
fewest, most = (end(map(len, runs.values())) for end in (min, max))
short = sum(run.config["precision"] != "float32" for run in trained)
assert {run.environment["device"] for run in trained} == {"processor"}
chapter.cite(
    cells=sum(counted.values()),
    monocytes=counted["MONOCYTE"],
    images=len(images.names("TEST")),
)

# %% [markdown]
# ## The data
#
# - **Few cells.** TEST's {glue:text}`images:,` images show {glue:text}`cells` cells, {glue:text}`monocytes` of them monocytes. Every
#   interval of this book is therefore wide, and no number of further copies would narrow it ({doc}`intervals`).
# - **Slides and patients are unknown.** The {term}`cell-clustered` interval takes cells as independent. Cells of one slide share stain
#   and light. If few slides are behind TEST, every interval here is too narrow, and nothing published tells by how much.
# - **One origin.** All images come from one collection. On another laboratory's cells accuracy is near chance until scale and
#   stain are matched; no other was tried ({doc}`external_validation`).
# - **Labels were taken as published.** No haematologist checked them for this book. Some labels contradict each other
#   ({doc}`photographs`).
# - **Four kinds of cells.** Basophils, immature and malignant cells are absent: a method must give them one of four names.
# - **Equal classes.** TEST has as many images of each class. Blood does not, as the last section shows.
#
# ## Our reproduction
#
# {numref}`tbl-deviations` lists where we differ from the paper or cannot know, and what follows for the intervals.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
deviations = [
    ("Settings", f"{len(paper.SETTINGS['unstated'])} left open", "chosen, mostly as in the Kaggle notebook ({numref}`tbl-unstated`)", "not in any interval; {doc}`variants` tries others"),
    ("Seeds", "number of runs not stated", f"{fewest} to {most} runs of a network", "the CI over cells holds for these runs; {doc}`intervals` adds a CI over cells and seeds"),
    ("Number format", "not stated", f"{short} of {len(trained)} runs multiply in bfloat16, the others in float32", "pooled as if they differed by seed alone"),
    ("Layers", "not stated", "older records: pooling and dropout rewritten for processors; newer ones: stock Keras", "losses and gradients agreed in tests; rounding differs"),
    ("Hardware", "a graphics card", "processors only", "rounding and the order of sums differ; costs are not comparable ({doc}`cost`)"),
    ("Baselines", "variant and input not stated", "Naive Bayes and SVM on pixels, scikit-learn's defaults", "a tuned baseline would narrow the distance ({doc}`comparison`)"),
    ("Selection", "25 epochs, from a curve", "the same 25 epochs", "if that curve was of TEST, every score of TEST is too high ({doc}`leakage`)"),
]  # fmt: skip
tables.show(
    pd.DataFrame(deviations, columns=["", "Paper", "Here", "Consequence for the intervals"]),
    "tbl-deviations",
    "How this reproduction differs from the paper.",
)

# %% [markdown]
# ## The statistics
#
# - For recalls, the limits are {term}`Gaffke's bound`, which is conjectured to hold. For other scores our extension of it is
#   supported by simulation alone ({doc}`intervals`).
# - Rules for verdicts were fixed after the first runs, and many comparisons were made without a correction ({doc}`claims`).
# - A claim that cannot be decided with {glue:text}`cells` cells is not thereby refuted.
#
# ## Predictive values in blood
#
# The scores of the tables weight the classes equally. In blood, neutrophils are frequent and eosinophils rare. We take the middles of
# the usual ranges of a {term}`differential count` {cite}`kratz2004,medlineplus`, without basophils and scaled to 100 %, as
# {term}`prevalence`, and weight the rows of the {term}`confusion matrix` with it:

# %%
ranges = {  # percent
    "NEUTROPHIL": (40, 70),
    "EOSINOPHIL": (1, 4),
    "MONOCYTE": (2, 8),
    "LYMPHOCYTE": (20, 40),
}
middles = np.array([np.mean(ranges[name]) for name in images.CLASSES])
prevalence = middles / middles.sum()


def in_blood(confusion):
    """Confusion matrices whose rows sum to the prevalence."""
    rates = confusion / confusion.sum(axis=-1, keepdims=True)
    return rates * prevalence[:, None]


four = comparison.compared("DCLNN", "four")  # the runs
positive = comparison.estimate(four, lambda found: scores.precision(in_blood(found)))
in_test = comparison.estimate(four, scores.precision)
# the fractions of blood cells that would be reported for each class
counts = comparison.estimate(four, lambda found: in_blood(found).sum(axis=-2))

eosinophil = images.CLASSES.index("EOSINOPHIL")
assert positive.value[eosinophil] < 0.5 < in_test.value[eosinophil]
assert positive.value.argmin() == eosinophil
values = pd.DataFrame({"class": images.CLASSES, "prevalence": prevalence})
values[["in TEST", "low", "high"]] = np.transpose(in_test)
values[["in blood", "least", "most"]] = np.transpose(positive)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
chapter.cite(
    in_blood=positive.value[eosinophil],
    in_test=in_test.value[eosinophil],
    true=prevalence[eosinophil],
    reported=counts.value[eosinophil],
)
tables.show(
    values,
    "tbl-predictive",
    "Positive predictive value (precision) of DCLNN with four classes at TEST's prevalence and at that of a normal differential count: mean over runs, and 95 % CI over cells.",
    columns=["class", "prevalence", ("in TEST", "low", "high"), ("in blood", "least", "most")],
    headings={"in TEST": "In TEST"},
    fmt={"prevalence": ".1%"},
)

# %% [markdown]
# Of the cells that DCLNN calls eosinophils, {glue:text}`in_test:.0%` are eosinophils in TEST, and {glue:text}`in_blood:.0%` would be in
# blood ({numref}`tbl-predictive`): some of the many neutrophils are called eosinophils, and outnumber them. A count with
# {glue:text}`true:.0%` eosinophils would be reported as {glue:text}`reported:.0%`. This assumes that recalls
# in blood are those of TEST, which the chapter on external validation contradicts.
