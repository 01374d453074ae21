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
# # A lesson of 90 minutes
#
# :::{admonition} In short
# Why can a test with thousands of images be a test with a few dozen? Students write a {term}`grouped split`, and find and remove a
# leak ({term}`data leakage`). All code here runs in seconds, on a laptop, without a GPU.
# :::
#
# ## Goals and timetable
#
# After the lesson, students can say why copies of one cell are not independent, write a split that keeps them together, test a
# pipeline for leakage, and report a score with an interval over cells. Students need Python and NumPy.
# {numref}`tbl-timetable` has the plan.
#
# :::{table} Timetable of the lesson, in minutes.
# :name: tbl-timetable
#
# | Minutes | What | Material |
# |---|---|---|
# | 0–15 | Look at photographs and at the images made from them. What makes two images different? | {doc}`images`, {doc}`photographs` |
# | 15–30 | Task 1: a random split | below |
# | 30–50 | Task 2: a grouped split | below |
# | 50–70 | Task 3: break the leak | below |
# | 70–80 | Task 4: an interval over cells | below, {doc}`intervals` |
# | 80–90 | Discussion: which published scores would you now read differently? Nobody knows which cells are from one patient: is even the split by cell too kind? | {doc}`leakage`, {doc}`limitations` |
# :::
#
# The arrow at the top of this page has it as a notebook. Hints are folded: try first.

# %% tags=["parameters"]
source = "published"  # or "drawn": synthetic cells
seed = 0

# %%
import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier

from bloodlib.book import chapter
from bloodlib.data import images, photographs, synthetic
from bloodlib.models import methods

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The data
#
# The lesson uses twelve images of each cell of TRAIN; where the images are not at hand, 160 synthetic cells, each copied twelve times,
# shifted and mirrored.

# %%
rng = np.random.default_rng(seed)
if source == "published" and images.available():
    of_cell = photographs.cells("TRAIN")
    order = pd.Series(of_cell).sample(frac=1, random_state=seed)
    rows = np.sort(order.groupby(order).head(12).index)
    found = images.load("TRAIN")
    pixels, y, cell = found.pixels[rows], found.labels[rows], of_cell[rows]
else:
    source, smears = "synthetic", synthetic.load("TRAIN", n=160)
    moved = [np.roll(smears.pixels, 3 * k, axis=2) for k in range(12)]
    pixels = np.concatenate([one[:, :, :: (-1) ** k] for k, one in enumerate(moved)])
    y, cell = np.tile(smears.labels, 12), np.tile(np.arange(160), 12)
x = methods.histogram(pixels)
print(f"{len(y)} {source} images of {len(np.unique(cell))} cells")
rows = pd.DataFrame({"class": np.array(images.CLASSES)[y], "cell": cell})
# one cell has two labels, and is counted twice
print(rows.groupby("class")["cell"].agg(images="size", cells="nunique"))

# %% [markdown]
# An image is reduced to its {term}`colour histogram`, and takes the class of the most similar training image:

# %%


def accuracy(x, y, test):
    """Accuracy of the nearest neighbour on the images where test is true."""
    model = KNeighborsClassifier(1).fit(x[~test], y[~test])
    return model.score(x[test], y[test])


# %% [markdown]
# ## Task 1: a random split
#
# Hold out a fifth of the images at random, as an array of true and false, and call `accuracy`. Is the result good? Would you use the
# method in a hospital?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "A hint, with its result", "code_prompt_hide": "Hide it"}
random = rng.random(len(y)) < 0.2
by_image = accuracy(x, y, random)
print(f"accuracy with a random split: {by_image:.2f}")

# %% [markdown]
# ## Task 2: a grouped split
#
# Write `grouped(cell, fraction, rng)`: it holds out about that fraction of the cells, with all of their images. Test your function:
# no cell may be on both sides. Compare the accuracy with that of task 1.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "A hint, with its result", "code_prompt_hide": "Hide it"}


def grouped(cell, fraction, rng):
    """True for all images of a random fraction of the cells."""
    numbers = np.unique(cell)
    held_out = rng.choice(numbers, round(fraction * len(numbers)), replace=False)
    return np.isin(cell, held_out)


test = grouped(cell, 0.2, rng)
assert not set(cell[test]) & set(cell[~test])
by_cell = np.mean([accuracy(x, y, grouped(cell, 0.2, rng)) for _ in range(10)])
print(f"accuracy with grouped splits: {by_cell:.2f}")

# %% [markdown]
# :::{dropdown} What to discuss
# The random split gives {glue:text}`by_image:.2f`, grouped splits {glue:text}`by_cell:.2f`. For nearly every test image of the random
# split, training has seen a copy of the same cell, and the nearest neighbour finds it by its colours (on pixels it does not: {doc}`leakage`).
# scikit-learn has `GroupShuffleSplit` and `StratifiedGroupKFold` for grouped splits.
# :::
#
# ## Task 3: break the leak
#
# How do you find a leak in a pipeline that you have not written? Destroy what can be learned, and see what remains. Give each *cell* a
# random class, keep its copies together, and score both splits again. What should come out, and what does?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "A hint, with its result", "code_prompt_hide": "Hide it"}
numbers, place = np.unique(cell, return_inverse=True)
nonsense = rng.integers(4, size=len(numbers))[place]
leak = accuracy(x, nonsense, random)
splits = [accuracy(x, nonsense, grouped(cell, 0.2, rng)) for _ in range(10)]
honest, error = np.mean(splits), np.std(splits, ddof=1) / np.sqrt(10)
print(f"random classes: random split {leak:.2f}, grouped {honest:.2f} ± {error:.2f}")

# %% [markdown]
# :::{dropdown} What to discuss
# With random classes nothing can be learned, so an honest test gives chance, 0.25. Grouped splits give {glue:text}`honest` (± the standard
# error of ten), the random split {glue:text}`leak:.2f`: all of the excess is leakage. Which other leaks would this control find? Choosing settings on
# the test images, or selecting pixels by their labels before splitting: yes, if the whole pipeline is inside. Scaling by the mean of
# all images, which uses no labels, or a class that shares its stain with one slide: no.
# :::
#
# ## Task 4: an interval over cells
#
# Report the accuracy of one grouped split with a {term}`bootstrap` interval, drawing first images, then cells. Which is wider, and
# which would you print?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "A hint, with its result", "code_prompt_hide": "Hide it"}
right = KNeighborsClassifier(1).fit(x[~test], y[~test]).predict(x[test]) == y[test]
of_cell = pd.Series(right).groupby(cell[test]).mean().to_numpy()
for unit, values in {"images": right, "cells": of_cell}.items():
    means = rng.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    print(f"over {len(values)} {unit}: {values.mean():.2f} ({low:.2f} to {high:.2f})")

# %% tags=["remove-input"]
assert by_cell < by_image - 0.05
assert leak > 0.6
assert honest < 0.35
chapter.cite(by_image=by_image, by_cell=by_cell, leak=leak, honest=f"{honest:.2f} ± {error:.2f}")

# %% [markdown]
# :::{dropdown} What to discuss
# The interval over cells is the wider one, and the one to print: a new cell is what the method will meet. With few cells it is still
# too narrow, because what was not seen cannot be drawn; {doc}`intervals` repairs that.
# :::
#
# ## To go on
#
# Each chapter ends with questions and folded answers. For a second lesson: what a class's {term}`prevalence` does to
# {term}`precision` (question 2 of {doc}`intervals`, and {doc}`limitations`); whether a {term}`baseline` is one (the last questions of
# {doc}`tables`); what a step size does (question 2 of {doc}`convolution`); which photographs decide a score ({doc}`photographs`).
