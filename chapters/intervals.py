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
# # Scores and confidence intervals

# %% tags=["parameters"]
profile = "recorded"  # recorded | quick: few images, not for quoting | full
task = "four"  # four | two
positive = None  # the class to count for; the first of the task's if None
settings = {}  # of another run, as in study.yml: {"method": "SVM", "kernel": "linear"}

# %% tags=["remove-input"]
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots, uncertainty
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, intervals, scores

chapter.begin()

# %% [markdown]
# ## Scores
#
# *How are the scores computed?*
#
# Section 4.4 defines four measures. Here they are applied to one confusion matrix that can be
# followed by hand: what one run, {glue:text}`run`, answered on TEST.

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
# ### Equations 14 to 17
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
# ### Two things called accuracy
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
# ### Average
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
# ## Confidence intervals
#
# *How sure are these numbers?*
#
# Images made from one photograph are right or wrong together. {doc}`photographs` finds that TEST's
# {glue:text}`images:,` images show {glue:text}`cells` cells, so a score on TEST says less about the next cell than its many
# images suggest. How much less, and which differences are left?

# %% tags=["remove-input"]
counts = photographs.counts("cells")["TEST"]
chapter.cite(images=len(images.names("TEST")))
chapter.cite(photographs=sum(photographs.counts()["TEST"].values()), cells=sum(counts.values()))
chapter.cite(fewest=min(counts.values()), fewest_class=min(counts, key=counts.get).lower() + "s")

# %% [markdown]
# ### As many images as that?
#
# If a cell's images are as alike in being right as images of different cells, they are as good as independent. If
# they are all right or all wrong, only the cell counts. Between the two lies the intracluster correlation,
# $\rho$. With $m$ images a cell, the variance of a score is
#
# $$
# 1 + (m - 1) \rho
# $$
#
# times that of independent images {cite}`kish1965`. This is the design effect, and the images divided by it
# are the effective number. {numref}`tbl-effective` estimates it from what the three methods get right and wrong
# with four classes.

# %%
effective = {}
for method in uncertainty.METHODS:
    runs = comparison.compared(method, "four")
    effective[method] = uncertainty.compute_effective(runs)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.concat(effective, names=["method"]).reset_index("method"),
    "tbl-effective",
    "How alike a cell's images are in being right, by analysis of variance, and what that leaves of their number. The row All is for accuracy. A dash: nothing tells.",
    columns=["method", "class", "images", "wrong", "cells", "icc", "deff", "effective"],
    headings={"icc": "Correlation", "deff": "Design effect", "effective": "Effective images"},
    fmt=dict.fromkeys(("wrong", "deff", "effective"), ",.0f"),
)

# %% tags=["remove-input"]
for method, found in effective.items():
    found = found.set_index("class")
    chapter.cite({f"effective_{method}": found.loc[uncertainty.ALL, "effective"]})
least = effective["DCLNN"].iloc[:-1].sort_values("wrong").iloc[0]
chapter.cite(least_class=least["class"].lower() + "s", least_wrong=round(least["wrong"]))
chapter.cite(least_images=least["images"])
icc = float(np.nanmedian([row for found in effective.values() for row in found["icc"]]))
icc_most = max(found["icc"].max() for found in effective.values())
chapter.cite(icc=icc, icc_most=icc_most)

# %% [markdown]
# In plain words: to know how often DCLNN is right, TEST's {glue:text}`images:,` images are worth
# {glue:text}`effective_DCLNN:.0f` independent ones; for the SVM they are worth {glue:text}`effective_SVM:.0f`, for Naive
# Bayes {glue:text}`effective_NB:.0f`. Where hardly anything is wrong, the estimate is empty: of {glue:text}`least_images`
# {glue:text}`least_class`, DCLNN gets {glue:text}`least_wrong` wrong, and nobody can see from that how alike the images of a
# cell are.
#
# ### One cell, one observation
#
# The simplest honest count lets each cell speak once: it is right if most of its images are. TEST's
# {glue:text}`photographs` photographs show {glue:text}`cells` cells, some of them more than once, and a cell is one
# observation here. Counts of independent observations have an exact interval {cite}`clopper1934`, in
# {numref}`tbl-votes`. It is about the majority of a cell's images, not about single images.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    uncertainty.compute_votes(),
    "tbl-votes",
    "Cells whose images are mostly right, of how many, with Clopper and Pearson's 95% interval.",
)

# %% [markdown]
# ### Three intervals for one number
#
# For recalls over images, and for precision, F1 and averages, there is no such formula. One can resample: draw
# cells with replacement within each class, as many as there are, and take the middle 95% of the scores
# {cite}`efron1993`. But what was not seen can't be drawn. Where a class has few cells, or all of them are right,
# resampling finds nothing to worry about.
#
# The intervals of this book therefore give each class one cell more, that nobody saw: wrong in all its images for
# the low end, right in all of them for the high end, with random weights in the place of resamples. For a recall this
# is Gaffke's bound {cite}`learnedmiller2019`, which nobody has proved to hold, and nobody has seen fail; for the other
# scores it is our extension of it. In {numref}`tbl-three` both stand beside an interval that takes every image for
# an observation.
#
# Both take ten lines. Here is the monocytes' recall of one run, first by cell:

# %%
run = comparison.compared("DCLNN", "four")[0]
y_true, y_pred = images.labels("TEST"), comparison.predicted([run])[0]
monocyte = y_true == images.CLASSES.index("MONOCYTE")
cell = photographs.cells("TEST")[monocyte]
by_cell = pd.Series(y_pred == y_true)[monocyte].groupby(cell).agg(["sum", "size"])
print(by_cell)

# %% [markdown]
# The bootstrap draws as many cells, with replacement. Gaffke's bound gives each cell a random weight, in the mean its
# number of images, and one weight more to the cell that nobody saw:

# %%
rng = np.random.default_rng(0)
right, size = by_cell["sum"].to_numpy(), by_cell["size"].to_numpy()
drawn = rng.integers(len(size), size=(10_000, len(size)))
percentiles = np.quantile(right[drawn].sum(axis=1) / size[drawn].sum(axis=1), [0.025, 0.975])

concentration = size * size.sum() / (size**2).sum()  # cells of one size: 1 for each
weights = rng.dirichlet([*concentration, 1], 10_000)
seen, unseen = weights[:, :-1] @ (right / size), weights[:, -1]
bound = np.quantile(seen, 0.025), np.quantile(seen + unseen, 0.975)
print(pd.DataFrame([percentiles, bound], ["percentiles", "bound"], ["low", "high"]).round(2))

# %% [markdown]
# {numref}`tbl-three` has all classes, and means over the runs.

# %%
recalls = uncertainty.compute_recalls("DCLNN", "four")

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
firsts = ["images_low", "bootstrap_low", "gaffke_low"]
tables.show(
    recalls.replace({"class": {uncertainty.ALL: "All (accuracy)"}}),
    "tbl-three",
    "DCLNN's recalls and accuracy with four classes, and three intervals: exact, as if images were independent; percentiles of the bootstrap by cell; and this book's.",
    columns=["class", "cells", "recall", *((low, low[:-3] + "high") for low in firsts)],
    headings=dict(zip(firsts, ("Exact, by image", "Percentiles", "Ours, by cell"), strict=True)),
    fmt=dict.fromkeys(firsts, "{:.2f}–{:.2f}".format),
)

# %% [markdown]
# ### Which of them are 95% intervals?
#
# An interval may be called that if it contains the truth 95 times in 100. To count, we make the truth: cells as
# many and as large as TEST's, each with a chance of its own that an image of it is right. The correlation is
# {glue:text}`icc:.2f`, the median of those in {numref}`tbl-effective`. {numref}`fig-coverage` tries several true recalls.

# %%
coverage = uncertainty.compute_coverage(icc)
alike = uncertainty.compute_coverage(icc_most)
simulated = uncertainty.simulate(icc)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-coverage", "caption": "How often intervals for a class's recall contain the truth, simulated with the sizes of TEST's cells. Dotted: the 95% that they should reach."}, "image": {"alt": "Four panels, one a class, with the true recall along the bottom. The line of this book's intervals runs just above the dotted line at 95 percent everywhere. The percentiles of the bootstrap come near it for neutrophils only, and fall far below where the class has few cells and the recall is high. Intervals that take images for observations lie lowest, far below the others."}}
plots.show(uncertainty.plot_coverage(coverage))

# %% tags=["remove-input"]
lowest = coverage.groupby("interval")["share"].min()
for name, share in lowest.items():
    chapter.cite({f"lowest_{name}": share})
for name, share in alike.groupby("interval")["share"].min().items():
    chapter.cite({f"alike_{name}": share})
chapter.cite(simulated_percentiles=simulated["percentiles"].min())
chapter.cite(simulated_bounds=simulated["bounds"].min())
chapter.cite(simulated_differences=simulated["differences"].min())

# %% [markdown]
# Percentiles are not 95% intervals here: in the worst case {glue:text}`lowest_bootstrap:.0%` of them contain the truth. An
# interval over images is none at all, with {glue:text}`lowest_images:.0%`. This book's contain it in at least
# {glue:text}`lowest_gaffke:.1%` of the simulations, and the exact ones of {numref}`tbl-votes` in at least
# {glue:text}`lowest_majority:.1%`. With {glue:text}`icc_most:.2f`, the highest correlation of {numref}`tbl-effective`, the worst
# case is {glue:text}`alike_bootstrap:.0%` for percentiles, {glue:text}`alike_images:.0%` over images, and
# {glue:text}`alike_gaffke:.1%` for this book's.
#
# For the scores of a whole method we simulated confusion matrices ({numref}`tbl-simulated`): percentiles contain the
# truth in {glue:text}`simulated_percentiles:.1%` or more, ours in {glue:text}`simulated_bounds:.1%`, and ours of a
# difference in {glue:text}`simulated_differences:.1%`. They are cautious, then: they say 95% and do better. That is the
# price of {glue:text}`fewest` {glue:text}`fewest_class`.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    simulated,
    "tbl-simulated",
    "How often intervals contain the truth for scores of a whole method with four classes, simulated: of a network like ours, and of its difference from an SVM like ours.",
    columns=["score", "percentiles", "bounds", "differences"],
    headings={"bounds": "Ours, by cell", "differences": "Ours, of a difference"},
    fmt=dict.fromkeys(("percentiles", "bounds", "differences"), ".1%"),
)

# %% [markdown]
# ### Table 1 with its intervals
#
# {numref}`fig-certainty-four` and {numref}`fig-certainty-two` draw all of Table 1 again: the paper's number, ours, and
# its interval by cell.

# %% tags=["remove-input"]
cells = comparison.cells()
for task in images.TASKS:
    chosen = [c for c in cells if c["table"] == 1 and c["task"] == task]
    outside, n = comparison.outside(chosen)
    chapter.cite({f"outside_{task}": outside, f"printed_{task}": n})
widths = {
    name: np.mean([c["high"] - c["low"] for c in cells if c["class"].lower() == name])
    for name in ("neutrophil", "monocyte")
}
for name, width in widths.items():
    chapter.cite({f"width_{name}": width})

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-certainty-four", "caption": "Table 1 with four classes: the paper (hollow), ours (filled), and our interval by cell (wide line). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score, with a line for each class and the average of Naive Bayes, SVM and DCLNN. The wide lines of Naive Bayes and SVM overlap each other and the dotted line of guessing. Those of DCLNN lie to the right, but for monocyte recall, whose line reaches across guessing. The lines of monocytes and lymphocytes, with few cells, are the longest. Nearly all of the paper's hollow points lie on our wide lines; that of DCLNN's eosinophil precision lies at the end of its."}}
plots.show(figures.plot_beside(cells, 1, "four", list(uncertainty.METHODS)))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-certainty-two", "caption": "Table 1 with two classes: the paper (hollow), ours (filled), and our interval by cell (wide line). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score, with a line for both classes and the average of Naive Bayes, SVM and DCLNN. The wide lines of Naive Bayes and SVM overlap each other and lie across the dotted line of guessing; those of DCLNN lie to the right of it, near 1, but for mononuclear recall, whose line reaches across. The paper's hollow points lie on our wide lines."}}
plots.show(figures.plot_beside(cells, 1, "two", list(uncertainty.METHODS)))

# %% [markdown]
# With four classes {glue:text}`outside_four` of the paper's {glue:text}`printed_four` numbers lie outside our intervals, with two
# classes {glue:text}`outside_two` of {glue:text}`printed_two`. Inside is less than reproduced: if the paper's numbers are of the same
# images, as we take it, other cells don't enter into the difference at all, and it comes from settings and seeds. And outside
# is not yet different: of so many 95 % intervals some miss by chance. The intervals are as wide as their cells are few, on
# average {glue:text}`width_neutrophil:.2f` for neutrophils and {glue:text}`width_monocyte:.2f` for monocytes.
#
# ### What the test set can't tell apart
#
# Overlapping intervals don't settle whether one method is better: all were tried on the same cells, and a hard cell
# is hard for each of them. So the difference itself is computed on the same draws of cells. The cell that nobody
# saw is then wrong for one method and right for the other ({numref}`tbl-told-apart`, {numref}`fig-differences`).

# %%
differences = uncertainty.compute_differences()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-differences", "caption": "Differences between methods on the same cells, with intervals by cell (wide lines). Filled: the interval leaves zero out; hollow: the test set can't tell the two apart."}, "image": {"alt": "Four panels, for accuracy and for average precision, recall and F1. In each, six differences with wide lines. DCLNN less SVM lies to the right of zero with four and with two classes, filled. SVM less Naive Bayes and max less average pooling have lines across zero, hollow."}}
plots.show(uncertainty.plot_differences(differences))


# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
def span(low, high):
    return f"{comparison.signed(low)} to {comparison.signed(high)}".replace(" ", "\u00a0")


tables.show(
    differences.rename(columns={"value": "difference", "excludes_zero": "ours_excludes_zero"}),
    "tbl-told-apart",
    "Differences on the same cells; precision, recall and F1 are averages. Percentiles are those of the bootstrap, which are too narrow.",
    columns=[
        "task",
        ("first", "second"),
        "score",
        "difference",
        ("least", "most"),
        ("low", "high"),
        "ours_excludes_zero",
    ],
    headings={"least": "Percentiles", "low": "Ours, by cell"},
    fmt={"score": lambda score: score.removeprefix("average "), "least": span, "low": span},
)

# %% tags=["remove-input"]
pairs = differences.groupby(["first", "second"], sort=False)["excludes_zero"].agg(["sum", "size"])
for (first, _), row in pairs.iterrows():
    chapter.cite({f"{first}_apart": row["sum"] or "none", f"{first}_compared": row["size"]})
left = differences[~differences["excludes_zero"]]
narrow = (left["least"] <= 0) & (left["most"] >= 0)
chapter.cite(untold=len(left), untold_narrow=narrow.sum())

# %% [markdown]
# DCLNN and the SVM are told apart in {glue:text}`DCLNN_apart` of {glue:text}`DCLNN_compared` scores, the SVM and Naive
# Bayes in {glue:text}`SVM_apart` of {glue:text}`SVM_compared`, max and average pooling in {glue:text}`MaxPooling_apart` of
# {glue:text}`MaxPooling_compared`. Is that only our caution? Of the {glue:text}`untold` differences that are not told apart,
# {glue:text}`untold_narrow` have a zero even between the percentiles, which are too narrow.
#
# That two methods are not told apart does not make them equal. It says that TEST has too few cells to know.
#
# ### What no interval here contains
#
# A network trained again with another seed is another network. Our draws know seeds as a second level: beside cells,
# they draw the runs behind a row. {numref}`tbl-seeds` has their number. A row with one run has nothing to
# draw, and its interval, like every difference above that it is part of, is about that one network.

# %% tags=["remove-input"]
levels = uncertainty.compute_levels()
chapter.cite(moved=levels["moved"].max())

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    levels,
    "tbl-seeds",
    "Runs behind each network; the width of the interval by cell of its accuracy; and the range of accuracy over the ten epochs up to the 25th, mean over runs.",
    columns=["task", "method", "runs", "width", "moved"],
    headings={
        "method": "Network",
        "width": "Width of the interval",
        "moved": "Moved over ten epochs",
    },
)

# %% [markdown]
# The last column hints at what is missing, and is no more than a hint. Another epoch goes on from the weights that are
# there, another seed starts from others; and already among ten epochs accuracy ranged over up to {glue:text}`moved:.2f`,
# mean over a network's runs, on the same cells. A difference between two networks with one run each may say little of the difference between their methods,
# even where the test set tells the two apart.
#
# And nothing here is about other laboratories, stains or cameras: the intervals are about more cells like these,
# photographed like these.

# %% [markdown]
# ## Questions

# %% [markdown]
# ### Scores
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
# %% [markdown]
# ### Confidence intervals
#
# This is the interval of DCLNN's accuracy with four classes, from 2,000 draws of TEST's cells:

# %%
truth = images.labels("TEST")
answers = comparison.predicted(comparison.compared("DCLNN", "four"))
groups = photographs.cells("TEST")  # what is drawn
drawn = intervals.resample(truth, groups, 4, 2000, unseen=True)
np.round(intervals.bounds(scores.accuracy, answers, drawn), 2)

# %% [markdown]
# And this is how many cells a test set would need, to see a difference of two points between max and average pooling. An
# interval gets narrower with the square root of the number of cells:

# %%
wanted = 0.02
largest = comparison.compared("MaxPooling", "four")
mean = comparison.compared("AveragePooling", "four")
value, low, high = comparison.difference(largest, mean)
needed = sum(counts.values()) * ((high - low) / 2 / wanted) ** 2
round(float(needed))

# %% tags=["remove-input"]
units = {"cells": groups, "images": np.arange(len(truth))}
for name, unit in units.items():
    drawn = intervals.resample(truth, unit, 4, 2000, unseen=True)
    ends = intervals.bounds(scores.accuracy, answers, drawn)
    chapter.cite(
        {f"q_{name}": f"{ends[0]:.2f} to {ends[1]:.2f}", f"q_{name}_width": ends[1] - ends[0]}
    )
half, cells_now = (high - low) / 2, sum(counts.values())
chapter.cite(q_half=half, q_few=round(cells_now * (half / 0.05) ** 2, -2))
chapter.cite(q_many=round(cells_now * (half / 0.02) ** 2, -2))

# %% [markdown]
# **3. What happens if images are drawn and not cells?** In the first of the two cells, let every image be its own group:
# `groups = np.arange(len(truth))`.
#
# :::{dropdown} Answer
# By cell the interval is {glue:text}`q_cells`, by image {glue:text}`q_images`: {glue:text}`q_images_width:.2f` wide in place
# of {glue:text}`q_cells_width:.2f`. Nothing was measured better. The second interval takes it that a turned copy of a
# photograph is news.
# :::
#
# **4. How many cells would it take?** In the second cell, put 0.05 for 0.02: five points in place of two.
#
# :::{dropdown} Answer
# On TEST the interval of the difference reaches {glue:text}`q_half:.2f` to either side. For five points it would take about
# {glue:text}`q_few:,.0f` cells, for two points about {glue:text}`q_many:,.0f`, where TEST has {glue:text}`cells`. This is a rough
# figure: it takes the new cells to be like these, and the interval to shrink as a percentile's does. More images of the same
# cells would not do.
# :::
