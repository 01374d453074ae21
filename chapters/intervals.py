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
#
# :::{admonition} In short
# TEST's {glue:text}`images:,` images show {glue:text}`cells` cells, and images of one cell are right or wrong together: DCLNN's
# accuracy is known about as well as from {glue:text}`effective:.0f` independent images. This book prints two 95 % confidence intervals (CI):
# one over cells, for the runs at hand, and one over cells and seeds. In simulations the first contains the mean of these runs over all
# cells in at least {glue:text}`least_cells:.0%` of cases, the second the mean over all seeds in at least {glue:text}`least_both:.0%`. The
# percentile bootstrap over cells falls to {glue:text}`least_percentiles:.0%`, intervals over images to {glue:text}`least_images:.0%`.
# :::

# %% tags=["parameters"]
profile = "recorded"  # recorded | quick: few images, not for quoting | full
task = "four"  # four | two
positive = None  # the class to count for; the first of the task's if None
settings = {}  # of another run, as in study.yml: {"method": "SVM", "kernel": "linear"}

# %%
import numpy as np
import pandas as pd
from scipy import stats

from bloodlib import study
from bloodlib.analyses import plots, uncertainty
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.models.methods import NAMES

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## Scores
#
# Section 4.4 defines four measures. Here they are applied to the confusion matrix of one run on TEST: {glue:text}`method` with {glue:text}`task` classes.

# %%
run = study.run({"method": "NB", "task": task} | settings, profile)
task = run.config["task"]
confusion = run.confusion("TEST")
confusion

# %% [markdown]
# Rows are the true classes, columns the predicted ones. For one class, the matrix holds four counts
# ({numref}`fig-counting`): true positives (TP), images of the class that were found; false negatives (FN), those that were
# missed; false positives (FP), other images taken for the class; and true negatives (TN), the rest.

# %% mystnb={"figure": {"name": "fig-counting", "caption": "A confusion matrix and the four counts for one class."}, "image": {"alt": "A square of numbers with the true classes in rows and the predicted classes in columns. The cell where row and column of one class meet is marked TP, the rest of its row FN, the rest of its column FP, and everything else TN."}}
plots.show(figures.plot_counting(confusion, task, positive or images.TASKS[task][0]))

# %% [markdown]
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
# Precision (positive predictive value) is the fraction of the images called by this name that belong to the class, recall (sensitivity) the
# fraction of the class that is called so, and F1 their harmonic mean. {numref}`tbl-measures` has all four, and the specificity, which the
# paper does not print. The rows called "Average" in the paper's tables are plain means of the classes; F1 is averaged too, and is not the
# F1 of the averages.

# %%
true, called, hits = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
measured = pd.DataFrame(
    {
        "Class": [name.capitalize() for name in images.TASKS[task]],
        "Equation 14": scores.class_accuracy(confusion),
        "Precision": scores.precision(confusion),
        "Recall": scores.recall(confusion),
        "Specificity": 1 - (called - hits) / (confusion.sum() - true),
        "F1": scores.f1(confusion),
    }
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(measured, "tbl-measures", "The four measures for each class, and the specificity.")

# %% tags=["remove-input"]
k = len(images.TASKS[task])
chapter.cite(method=NAMES[run.config["method"]], task=task, eq14=measured["Equation 14"].mean())
chapter.cite(accuracy=scores.accuracy(confusion), chance=1 / k, eq14_chance=1 - 2 * (k - 1) / k**2)

# %% [markdown]
# **Two things called accuracy.** Equation 14 is written for one class against the rest. With several classes the rest is
# large, and its true negatives make the number high: averaged over the classes it is {glue:text}`eq14:.2f`, where guessing gives
# {glue:text}`eq14_chance:.2f` (with four equal classes 1/16 true positives and 9/16 true negatives). The fraction of images whose class is right is {glue:text}`accuracy:.2f`, where guessing gives
# {glue:text}`chance:.2f`. In this book accuracy means the second.
#
# ## 68 cells
#
# The images that were made from one photograph are alike ({doc}`photographs`). If the images of a cell are right or wrong independently of each other,
# each of them counts; if they are all right or all wrong, only the cell does. Between the two lies the intracluster
# correlation $\rho$. With $m$ images a cell, the variance of a score is $1 + (m - 1) \rho$ times that of independent images
# {cite}`kish1965`: the design effect. The number of images divided by it is the effective sample size
# ({numref}`tbl-effective`). A quarter of the accuracy rests on the four cells of monocytes, so its effective sample size is below
# that of the neutrophils.

# %%
effective = uncertainty.compute_effective(comparison.compared("DCLNN", "four"))

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    effective,
    "tbl-effective",
    "DCLNN with four classes: how alike the images of a cell are in being right, by analysis of variance, and the effective sample size; means over runs. The row All is for accuracy.",
    columns=["class", "images", "wrong", "cells", "icc", "deff", "effective"],
    headings={"icc": "Correlation", "deff": "Design effect", "effective": "Effective sample size"},
    fmt={"images": ",.0f", "cells": ",.0f"} | dict.fromkeys(("wrong", "deff", "effective"), ",.0f"),
)

# %% tags=["remove-input"]
counts = photographs.counts("cells")["TEST"]
assert sum(counts.values()) == 68, "the title of the section"
assert min(counts, key=counts.get) == "MONOCYTE"
assert counts["MONOCYTE"] == 4, "“four cells”, below"
sizes = effective["effective"]
assert sizes.iloc[-1] < sizes[0]
chapter.cite(images=len(images.names("TEST")), cells=sum(counts.values()), effective=sizes.iloc[-1])

# %% [markdown]
# ## The bootstrap, and a bound, in ten lines
#
# The cell is what was drawn from a population, so intervals must resample cells. Here are the images of the four cells of monocytes,
# in one run:

# %%
first = comparison.compared("DCLNN", "four")[0]
y_true, y_pred = images.labels("TEST"), comparison.predicted([first])[0]
monocyte = y_true == images.CLASSES.index("MONOCYTE")
cell = photographs.cells("TEST")[monocyte]
by_cell = pd.Series(y_pred == y_true)[monocyte].groupby(cell).agg(["sum", "size"])
print(by_cell.set_axis(["right", "images"], axis=1))

# %% [markdown]
# The cluster bootstrap {cite}`efron1993` draws as many cells, with replacement. It can't draw what was not seen: if all four were right, its
# interval would have no width. Gaffke's bound {cite}`learnedmiller2019`, made for cells of equal size, gives each cell a random weight and
# adds one unseen cell: all wrong for the lower limit, all right for the upper. Our extension weights cells by their size.

# %%
rng = np.random.default_rng(0)
right, size = by_cell["sum"].to_numpy(), by_cell["size"].to_numpy()
drawn = rng.integers(len(size), size=(10_000, len(size)))
recalls = right[drawn].sum(axis=1) / size[drawn].sum(axis=1)
percentiles = np.quantile(recalls, [0.025, 0.975])

concentration = size * size.sum() / (size**2).sum()  # cells of one size: 1 for each
weights = rng.dirichlet([*concentration, 1], 10_000)
seen, unseen = weights[:, :-1] @ (right / size), weights[:, -1]
bound = np.quantile(seen, 0.025), np.quantile(seen + unseen, 0.975)

# %% [markdown]
# Gaffke's bound is conjectured to hold, with no known counterexample. Phan, Thomas and Learned-Miller
# {cite}`phan2021` proved one for the same assumptions, a little wider:

# %%
proved = intervals.proved_bounds(right / size)
three = pd.DataFrame([percentiles, bound, proved], ["bootstrap", "Gaffke", "proved"])
print(three.set_axis(["low", "high"], axis=1).round(2))

# %% tags=["remove-input"]
assert proved[0] <= bound[0] + 0.01
assert bound[1] - 0.01 <= proved[1]

# %% [markdown]
# ## Two intervals
#
# **95 % CI over cells, for these runs.** Every class gets its unseen cell, every run is scored on the same draws of cells, and the
# mean over runs is taken. With cells of equal size that is Gaffke's bound for a recall; unequal sizes, precision, F1 and averages are our
# extension, checked by simulation below. It is about other cells, and about the networks that were trained.
#
# **95 % CI over cells and seeds.** A network trained again with another seed is another network. The $k$ runs of a row give a
# $t$ interval for the mean over seeds; the squares of its half-width and of that of the interval over cells are added, for each limit
# separately {cite}`zou2008`. It needs two runs or more. Naive Bayes, the SVM and the histogram depend on no seed: their two intervals are the same.

# %%
runs = comparison.compared("DCLNN", "four")
value, low, high = comparison.estimate(runs, scores.recall)
each = scores.recall(comparison.confusions(runs))
half = stats.t.ppf(0.975, len(runs) - 1) * each.std(axis=0, ddof=1) / np.sqrt(len(runs))
both_low = np.maximum(value - np.hypot(value - low, half), 0)
both_high = np.minimum(value + np.hypot(high - value, half), 1)

span = "{:.2f}–{:.2f}".format
shown = pd.DataFrame(
    {
        "recall": value,
        "lowest run": each.min(axis=0),
        "highest run": each.max(axis=0),
        "over cells": list(map(span, low, high)),
        "over cells and seeds": list(map(span, both_low, both_high)),
    },
    index=[name.lower() for name in images.CLASSES],
)
print(shown.round(2).to_string())

# %% tags=["remove-input"]
_, *library = comparison.estimate(runs, scores.recall, seeds=True)
np.testing.assert_allclose(library, [both_low, both_high])

# %% [markdown]
# The two differ most for neutrophils, of which single runs find very different fractions. The intervals of the paper's rows are in
# {doc}`tables`.
#
# ## Coverage
#
# A 95 % interval must contain the truth in at least 95 of 100 cases. `benchmarks/coverage.py` makes the truth:
# cells as many and as large as TEST's, and runs, crossed. The log odds of a right answer (its *logit*) are the sum of a random number for
# each cell, one for each run and class, and one for each run and cell, with the standard deviations of DCLNN's runs (in neutrophils,
# {glue:text}`seed_sd:.1f` between seeds). The code prints how often intervals contain the truth, in the worst of six scores ({numref}`fig-coverage`).
# `images`, `percentiles` and `cells` are the bootstrap over images, that over cells and our CI over cells, compared with the mean of
# these runs over all cells; `cells, of all seeds` and `cells and seeds` are our two CIs compared with the mean over all seeds.

# %%
coverage = uncertainty.load_simulated("scores")
worst = coverage.drop(columns="score").groupby("runs").min()
print(worst.round(2).to_string(na_rep="–"))

# %% mystnb={"figure": {"name": "fig-coverage", "caption": "How often 95 % intervals contain the truth, by the number of runs, simulated with the sizes of TEST's cells. Percentile bootstrap and CI over cells are compared with the mean of these runs, dashed with that of all seeds. Dotted: 95 %. The vertical axis begins at 30 %."}, "image": {"alt": "Six panels, the recalls of four classes, accuracy and average F1, over 1, 3, 6 and 10 runs. Both CIs run at or above the dotted line at 95 percent, the percentile bootstrap below it, lowest for monocytes. A dashed line, the CI over cells compared with all seeds, starts far below for neutrophils and rises with runs."}}
plots.show(uncertainty.plot_coverage(coverage))

# %% tags=["remove-input"]
effects = uncertainty.load_simulated("effects").set_index("class")
without = uncertainty.load_simulated("no_seeds")
same = coverage["cells"].min(), without["cells"].min()
neutrophils = coverage[coverage["score"] == "Neutrophil recall"].set_index("runs")
assert coverage["cells, of all seeds"].idxmin() == neutrophils["cells, of all seeds"].argmin()
chapter.cite(
    seed_sd=effects.loc["NEUTROPHIL", "seed"],
    least_cells=min(same),
    least_both=coverage["cells and seeds"].min(),
    least_percentiles=coverage["percentiles"].min(),
    least_images=coverage["images"].min(),
    one_run=neutrophils.loc[1, "cells, of all seeds"],
    six_runs=neutrophils.loc[6, "cells, of all seeds"],
    three_runs=neutrophils.loc[3, "cells and seeds"],
)

# %% [markdown]
# Intervals that take images for independent observations (column `images`) fail most. An interval over
# cells that is interpreted as one over all seeds fails for neutrophils: {glue:text}`one_run:.0%` with one run, {glue:text}`six_runs:.0%` with six.
# The interval over cells and seeds reaches {glue:text}`three_runs:.0%` there with three runs, and more elsewhere; for averages and
# for accuracy both are wider than they need be.
#
# ## One cell more or less
#
# We leave one cell of TEST out at a time, and print the lowest and the highest accuracy, and the cell that moves it most. With two
# classes, about a third of DCLNN's errors are images of one cell, labelled a monocyte; most others are of the run that learned nothing
# ({doc}`epochs`).

# %%
influence = uncertainty.compute_influence()
moves = ["task", "method", "accuracy", "least", "most", "moved", "class", "images"]
print(influence[moves].replace(NAMES).round(3).to_string(index=False))

# %% tags=["remove-input"]
network = influence[(influence["method"] == "MaxPooling") & (influence["task"] == "two")].iloc[0]
assert network["class"] == "MONOCYTE"
n = len(images.names("TEST"))
left = (1 - network["most"]) * (n - network["images"]) / ((1 - network["accuracy"]) * n)
assert 0.32 < 1 - left < 0.38  # “about a third”
n_dead = (images.labels("TEST", "two") == 0).sum() - network["images"]  # of a constant answer
runs_two = comparison.compared("DCLNN", "two")
assert n_dead > 0.5 * left * (1 - network["accuracy"]) * n * len(runs_two)  # “most others”

# %% [markdown]
# ## What no interval here contains
#
# The cells of one slide, and of one patient, are alike too: same stain, same light, same disease. BCCD does not say which
# photographs come from which slide or patient. If its cells come from a few patients, every interval in this book is too narrow, by an unknown
# factor.
#
# ## Questions
#
# The CI over cells of DCLNN's accuracy with four classes:

# %%
labels, answers = images.labels("TEST"), comparison.predicted(runs)
groups = photographs.cells("TEST")  # what is drawn
resamples = intervals.resample(labels, groups, 4)
print(np.round(intervals.bounds(scores.accuracy, answers, resamples), 2))

# %% tags=["remove-input"]
by_image = intervals.resample(labels, np.arange(len(labels)), 4, 2000)
ends = [intervals.bounds(scores.accuracy, answers, one) for one in (resamples, by_image)]
rare = confusion.copy()
rare[-1] //= 10
before, after = (
    [float(one(matrix)[-1]) for one in scores.MEASURES.values()] for matrix in (confusion, rare)
)
assert after[0] < before[0]
assert abs(after[1] - before[1]) < 0.05
assert after[2] < before[2]
chapter.cite(q_cells=np.ptp(ends[0]), q_images=np.ptp(ends[1]))
chapter.cite(q_before=before[0], q_after=after[0])

# %% [markdown]
# **1. What happens if images are drawn and not cells?** Let every image be its own group: `groups = np.arange(len(labels))`.
#
# :::{dropdown} Answer
# The interval is {glue:text}`q_images:.2f` wide in place of {glue:text}`q_cells:.2f`, as it takes a turned copy of a photograph for
# an independent observation.
# :::
#
# **2. What do the scores do when a class is rare?** Below `confusion = run.confusion("TEST")` add a line, `confusion[-1] //= 10`.
#
# :::{dropdown} Answer
# Recall stays, because it looks at the class's own row. Precision falls from {glue:text}`q_before:.2f` to
# {glue:text}`q_after:.2f`, because as many images of the other classes are still called so, and F1 falls with it. In blood the classes
# are not equally frequent, as they are in TEST, so precision and F1 in a clinic differ from the tables'.
# :::
