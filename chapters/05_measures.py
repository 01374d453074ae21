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
# # How are the scores computed?
#
# Section 4.4 defines four measures. Here they are applied to one confusion matrix that can be
# followed by hand: what one run, {glue:text}`run`, answered on TEST.

# %% tags=["parameters"]
profile = "recorded"  # recorded | quick: few images, not for quoting | full
task = "four"  # four | two
positive = None  # the class to count for; the first of the task's if None
settings = {}  # of another run, as in study.yml: {"method": "SVM", "kernel": "linear"}

# %% tags=["remove-input"]
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.evidence import scores

chapter.begin()

# %%
run = study.run({"method": "NB", "task": task} | settings, profile)
task = run.config["task"]
confusion = run.confusion("TEST")
confusion

# %% [markdown]
# Rows are the true classes, columns the predicted ones. For one class, everything in this matrix
# is one of four counts ({numref}`fig-counting`): true positives (TP), images of the class that were
# found; false negatives (FN), those that were missed; false positives (FP), other images taken
# for the class; and true negatives (TN), the rest.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-counting", "caption": "A confusion matrix and the four counts for one class."}, "image": {"alt": "A square of numbers with the true classes in rows and the predicted classes in columns. The cell where row and column of one class meet is marked TP, the rest of its row FN, the rest of its column FP, and everything else TN."}}
plots.show(figures.plot_counting(confusion, task, positive or images.TASKS[task][0]))

# %% [markdown]
# ## Equations 14 to 17
#
# (eq-14)=
# ```{math}
# \text{Accuracy} = \frac{TP + TN}{TP + TN + FP + FN} \tag{14}
# ```
#
# (eq-15)=
# ```{math}
# \text{Precision} = \frac{TP}{TP + FP} \tag{15}
# ```
#
# (eq-16)=
# ```{math}
# \text{Recall} = \frac{TP}{TP + FN} \tag{16}
# ```
#
# (eq-17)=
# ```{math}
# F_1 = \frac{2 \cdot \text{Precision} \cdot \text{Recall}}{\text{Precision} + \text{Recall}} \tag{17}
# ```
#
# Precision asks: of the images called by this name, how many are it? Recall asks: of the images
# that are it, how many are called so? F1 is their harmonic mean, near the smaller of the two.
# {numref}`tbl-measures` has all four, computed from the matrix above.

# %% tags=["hide-input"] mystnb={"markdown_format": "myst"}
measured = {
    "Class": [name.capitalize() for name in images.TASKS[task]],
    "Equation 14": scores.class_accuracy(confusion),
    "Precision": scores.precision(confusion),
    "Recall": scores.recall(confusion),
    "F1": scores.f1(confusion),
}
tables.show(
    pd.DataFrame(measured),
    "tbl-measures",
    "The four measures for each class.",
)

# %% [markdown]
# ## Two things called accuracy
#
# Equation 14 is written for one class against the rest. With several classes the rest is large,
# and its true negatives make the number high whatever the method does:

# %%
by_class = scores.class_accuracy(confusion)
by_class.round(2), round(float(scores.accuracy(confusion)), 2)

# %% tags=["remove-input"]
k = len(images.TASKS[task])
chapter.cite(run=study.describe(run.config), eq14=by_class.mean())
chapter.cite(accuracy=scores.accuracy(confusion), chance=1 / k, eq14_chance=1 - 2 * (k - 1) / k**2)

# %% [markdown]
# Averaged over the classes, equation 14 gives {glue:text}`eq14:.2f`. The share of images whose class is
# right, which is what most people mean by accuracy, is {glue:text}`accuracy:.2f`. Guessing by chance among
# equal classes would score {glue:text}`eq14_chance:.2f` by the first reading and {glue:text}`chance:.2f` by the
# second. Where this book says accuracy, it means the second.
#
# ## Average
#
# The rows called "Average" in the paper's tables are plain means of the rows above them: each class
# counts the same. F1 is averaged too, and is not the F1 of the averages.

# %% tags=["remove-input"]
rare = confusion.copy()
rare[-1] //= 10
chapter.cite(q_class=images.TASKS[task][-1].lower() + "s")
for name, matrix in {"all": confusion, "rare": rare}.items():
    for measure, score in scores.MEASURES.items():
        chapter.cite({f"q_{measure}_{name}": score(matrix)[-1]})
always = np.zeros_like(confusion)
always[:, np.bincount(images.labels("TRAIN", task)).argmax()] = confusion.sum(axis=1)
chapter.cite(q_accuracy=scores.accuracy(always), q_eq14=scores.class_accuracy(always).mean())
chapter.cite(q_f1=scores.f1(always).mean())

# %% [markdown]
# ## Questions
#
# **1. What does F1 do when a class is rare?** Below `confusion = run.confusion("TEST")` add a line, `confusion[-1] //= 10`:
# of {glue:text}`q_class` only a tenth is left, and the method answers for each image what it did before.
#
# :::{dropdown} Answer
# Recall stays about what it was, {glue:text}`q_recall_all:.2f` and {glue:text}`q_recall_rare:.2f`: it only looks at the row of the
# class. Precision falls from {glue:text}`q_precision_all:.2f` to {glue:text}`q_precision_rare:.2f`, because as many of the others are
# still called so, and F1 falls with it, from {glue:text}`q_f1_all:.2f` to {glue:text}`q_f1_rare:.2f`. The method is as good as
# before. In blood the classes are not equal as in TEST, so that precision and F1 of a clinic are not those of the tables.
# :::
#
# **2. What score has a method that always says the same?** Run this chapter with `-y "settings: {method: majority}"`, which
# names the most frequent class of TRAIN for every image ({doc}`run_it_yourself`).
#
# :::{dropdown} Answer
# Accuracy is {glue:text}`q_accuracy:.2f`; equation 14, averaged over the classes, {glue:text}`q_eq14:.2f`; the average F1
# {glue:text}`q_f1:.2f`. Three numbers for the same answers: which one a paper calls accuracy decides how well it seems to do.
# :::
