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
# # Consistency of the paper's tables
#
# :::{admonition} In short
# Can the printed numbers of Tables 1 and 2 come from any classifier's answers for the test images? Yes: each method's rows fit a
# confusion matrix. But no such matrix gives DCLNN the accuracy of 94% or 78% that section 1 claims. This follows
# from whole numbers alone, if the tables were computed on classes of these sizes and rounded or cut to two digits.
# :::

# %%
import numpy as np
import pandas as pd
from scipy.optimize import LinearConstraint, milp

from bloodlib import paper
from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.evidence import verdicts
from bloodlib.paper import arithmetic

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## One class, by counting
#
# A printed number stands for a range. If the paper rounded, 0.94 is anything from 0.935 to 0.945; if it cut the other digits off (truncated), anything
# from 0.94 up to, but not including, 0.95. We try both. Take DCLNN's neutrophils in Table 1. How many of them can the network have found,
# and how many images can it have called neutrophils?

# %%
counts = images.counts("four")["TEST"]
size, total = counts["NEUTROPHIL"], sum(counts.values())
found, called = np.mgrid[: size + 1, : total + 1]
possible = (found <= called) & (called - found <= total - size)
values = {
    "recall": found / size,
    "precision": found / np.maximum(called, 1),
    "f1": 2 * found / (size + called),
}
left = []
for measure, value in values.items():
    asked = {"method": "DCLNN", "class_": "NEUTROPHIL", "measure": measure}
    (printed,) = paper.table_cells(table=1, **asked)
    possible &= np.abs(value - printed.value) <= 0.005 + 1e-12
    a, b = found[possible], called[possible]
    left.append(len(a))
    print(f"{measure} {printed.printed}: found {a.min()} to {a.max()},", end=" ")
    print(f"called so {b.min()} to {b.max()}: {len(a):,} pairs left")

# %% tags=["remove-input"]
chapter.cite(row_all=left[0], row_left=left[-1])

# %% [markdown]
# Of {glue:text}`row_all:,` pairs of counts that give the recall, the three numbers together leave {glue:text}`row_left`.
#
# ## One method, by an integer programme
#
# The rows of a method must also fit each other, as each image gets one answer. The unknowns are the sixteen whole numbers of a confusion matrix.
# Each printed number is a fraction of their sums, so its range is a pair of linear inequalities. Among all matrices that fulfil them, we
# ask for the one with the most right answers (an *integer programme*: the best whole numbers under such inequalities):

# %%
sizes = np.array(list(counts.values()))
cell = np.eye(16).reshape(4, 4, 16)  # [true, answer]: which of the unknowns each one is
right, answered = cell[range(4), range(4)], cell.sum(axis=0)
limits = [LinearConstraint(cell.sum(axis=1), sizes, sizes)]
for k, class_ in enumerate(counts):
    parts = {  # above / (below + constant)
        "precision": (right[k], answered[k], 0),
        "recall": (right[k], np.zeros(16), sizes[k]),
        "f1": (2 * right[k], answered[k], sizes[k]),
    }
    for number in paper.table_cells(table=1, method="DCLNN", class_=class_):
        above, below, constant = parts[number.measure]
        low, high = number.value - 0.005, number.value + 0.005
        limits.append(LinearConstraint(above - low * below, lb=low * constant))
        limits.append(LinearConstraint(above - high * below, ub=high * constant))
answer = milp(-right.sum(axis=0), integrality=np.ones(16), constraints=limits)
answer.x.reshape(4, 4).round().astype(int)

# %% [markdown]
# There is such a matrix (true classes in rows). The paper's own was not printed. The library also tries cut
# numbers, checks each matrix again in exact fractions, and finds the fewest and the most right answers:

# %%
block = arithmetic.bounds("DCLNN", counts)
print(block.feasible, block.correct)

# %% [markdown]
# ## Every method
#
# Here are all methods on all folders. For each of TEST's rows we also change one number by 0.01 at a time, and count how often no matrix is
# left: would a misprint be noticed?

# %%
every = {task: images.counts(task) for task in images.TASKS}
blocks = arithmetic.compute_blocks(every)
test = blocks[blocks["split"] == "TEST"].set_index(["task", "method"])
rounded, cut = (test[test["convention"] == name] for name in arithmetic.CONVENTIONS)
misprints = pd.DataFrame(
    [
        (task, convention, *arithmetic.misprints(every[task]["TEST"], convention))
        for task in every
        for convention in arithmetic.CONVENTIONS
    ],
    columns=["task", "numbers", "noticed", "tried"],
)
print(misprints.groupby("numbers")[["noticed", "tried"]].sum())

# %% tags=["remove-input"]
assert round(-answer.fun) == block.correct[1]
assert test["feasible"].all()
noticed = misprints.groupby("numbers").sum()
chapter.cite(
    widest=int((rounded["most"] - rounded["fewest"]).max()),
    tried=noticed.loc["rounded", "tried"],
    noticed_rounded=noticed.loc["rounded", "noticed"],
    noticed_cut=noticed.loc["truncated", "noticed"],
)

# %% [markdown]
# All ten methods' rows are consistent, whether the numbers were rounded or cut ({numref}`tbl-arithmetic-blocks`). Together they determine the
# accuracy, which the tables leave out, to within {glue:text}`widest` images ({numref}`fig-arithmetic-accuracy`). The test is not
# perfect: of {glue:text}`tried` misprints by 0.01, {glue:text}`noticed_rounded` would be noticed if numbers were rounded, and
# {glue:text}`noticed_cut` if they were cut.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
verdict, accuracy = {True: "yes", False: "no"}.get, "{:.4f} to {:.4f}".format
tables.show(
    rounded.join(cut.add_suffix("_cut")).reset_index(),
    "tbl-arithmetic-blocks",
    "What each method's rows allow on TEST: right answers, accuracy, and whether it can be the one of section 1 (94% with two classes, 78% with four). All for rounded numbers; last columns: for cut ones.",
    columns=["task", "method", ("fewest", "most"), ("low", "high"), "claimed", ("low_cut", "high_cut"), "claimed_cut"],
    headings={"method": "Row", "fewest": "Right answers", "low": "Accuracy", "claimed": "Fits section 1?", "low_cut": "If cut", "claimed_cut": "Fits section 1, if cut?"},
    fmt={"fewest": "{:,.0f} to {:,.0f}".format, "low": accuracy, "low_cut": accuracy, "claimed": verdict, "claimed_cut": verdict},
)  # fmt: skip

# %% mystnb={"figure": {"name": "fig-arithmetic-accuracy", "caption": "The accuracies that the print allows. Filled: rounded numbers; hollow: cut ones. Grey: what rounds to the percentage of section 1. All panels have the same scale; in the lower right one, the filled bar of AveragePooling ends just before the grey band."}, "image": {"alt": "Four panels, for four and two classes, baselines left and networks right, a row for each method and folder. On TEST each has two short bars; TEST_SIMPLE is impossible everywhere. The grey band at 78 percent lies left of all networks, that at 94 percent right of DCLNN; only AveragePooling's hollow bar lies in it."}}
plots.show(figures.plot_possible_accuracy(blocks[blocks["split"] != "TRAIN"]))

# %% [markdown]
# ## 94 and 78 percent
#
# Can a network of the tables have the accuracy that section 1 claims, rounded to a whole percent ({numref}`tbl-arithmetic-blocks`)?

# %% tags=["remove-input"]
claim = {task: arithmetic.span(share) for task, share in arithmetic.CLAIMED.items()}
enough = int(-(-claim["two"].low * total // 1))
most = {method: int(rounded.loc[("two", method), "most"]) for method in arithmetic.NETWORKS}
fewest = rounded.loc["four"].loc[list(arithmetic.NETWORKS), "fewest"].min()
assert not rounded.loc["two"].loc[list(arithmetic.NETWORKS), "claimed"].any()
assert cut.loc["two"].query("claimed").index.tolist() == ["AveragePooling"]
assert fewest > claim["four"].high * total
chapter.cite(
    enough=enough,
    total=total,
    dclnn=most["DCLNN"],
    average=most["AveragePooling"],
    at_most=int(claim["four"].high * total // 1),
    fewest=int(fewest),
)

# %% [markdown]
# With two classes, 94% takes {glue:text}`enough:,` right answers of {glue:text}`total:,`. DCLNN has at most {glue:text}`dclnn:,`.
# AveragePooling has at most {glue:text}`average:,`; it reaches 94% only if its numbers were cut. With four classes, 78% is at most
# {glue:text}`at_most:,` right answers, and every network has at least {glue:text}`fewest:,`. So the percentages of section 1 do not
# describe the DCLNN of Table 1.
#
# ## F1 and averages
#
# F1 must also fit the precision and the recall beside it, and each average its class rows. The cell prints how many do, if
# rounded and if cut. Ranges are compared as if precision, recall and F1 were independent; only for the average recall could we search one matrix.

# %%
checks = pd.concat(
    arithmetic.checks(every[task]["TEST"], convention).assign(convention=convention)
    for convention in arithmetic.CONVENTIONS
    for task in every
)
agree = checks.groupby(["kind", "convention"], sort=False)["holds"]
agree = agree.agg(lambda holds: f"{holds.sum()} of {holds.size}").unstack()
print(agree.rename_axis(index=None, columns=None).to_string())

# %% tags=["remove-input"]
failing = set(checks.loc[~checks["holds"], "kind"])
assert failing == {"Average F1 from the average precision and recall"}

# %% [markdown]
# The only check that fails would compute the average F1 from the average precision and recall. So the paper's average F1 is the mean of
# the F1 values above it, as in {doc}`intervals`.
#
# ## Which images?
#
# The dataset has three folders, and the paper does not say on which its tables were computed.

# %%
fitting = blocks[blocks["feasible"]].replace({"convention": {"truncated": "cut"}})
fits = fitting.groupby(["task", "method", "split"])["convention"].agg(" or ".join)
fits = fits.unstack(fill_value="impossible")
fits["TEST_SIMPLE"] = fits.get("TEST_SIMPLE", "impossible")

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
simple = blocks[(blocks["split"] == "TEST_SIMPLE") & (blocks["convention"] == "rounded")]
assert (fits["TEST_SIMPLE"] == "impossible").all()
assert not simple["excluded_by"].str.contains(",").any()
train = blocks[(blocks["split"] == "TRAIN") & blocks["claimed"]]
assert (train["task"] + " " + train["method"]).tolist() == 2 * ["two AveragePooling"]
tables.show(
    simple.join(fits, on=["task", "method"]),
    "tbl-arithmetic-sets",
    "On which folder each method's rows can have been computed; and a printed number, if rounded, that TEST_SIMPLE can't give.",
    columns=["task", "method", *fits, "excluded_by"],
    headings={"method": "Row", **{name: name for name in fits}},
)

# %% [markdown]
# Not on TEST_SIMPLE: for each method a single number excludes it ({numref}`tbl-arithmetic-sets`), as few images can't give it. Arithmetic
# can't distinguish TEST from TRAIN. On TRAIN, DCLNN fits neither percentage either; AveragePooling fits 94%, even
# if rounded.
# The claims are about images that the network was not trained on, so we take TEST.
#
# ## What section 6.2 says of the tables
#
# {numref}`tbl-arithmetic-comparisons` compares each sentence with the printed numbers, and asks whether it holds for all that print so.

# %%
judged = map(verdicts.judge_print, verdicts.PRINT)
comparisons = pd.DataFrame(judged, columns=["holds", "evidence"])
comparisons["says"] = [sentence["says"] for sentence in verdicts.PRINT.values()]

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    comparisons,
    "tbl-arithmetic-comparisons",
    "Sentences of section 6.2 about Tables 1 and 2, compared with the print, rounded or cut.",
    columns=["says", "evidence", "holds"],
    headings={"says": "The paper says", "evidence": "The print says", "holds": "True"},
)

# %% tags=["remove-input"]
assert comparisons["holds"].all()
average, largest = (rounded.loc[("two", m)] for m in ("AveragePooling", "MaxPooling"))
chapter.cite(
    apart_least=int(average["fewest"] - largest["most"]),
    apart_most=int(average["most"] - largest["fewest"]),
)

# %% [markdown]
# All are true. Yet the "virtually identical" poolings can't be identical: AveragePooling has {glue:text}`apart_least` to
# {glue:text}`apart_most` more right answers, and the paper chose the other one. {doc}`tables` repeats the runs.

# %% tags=["remove-input"]
for name, one in (("dclnn", block), ("svm", arithmetic.bounds("SVM", counts))):
    least, most = (one.images - right for right in reversed(one.correct))
    chapter.cite({f"wrong_{name}": f"{least:,} to {most:,}"})
small, large = every["four"]["TEST_SIMPLE"]["LYMPHOCYTE"], counts["LYMPHOCYTE"]
recalls = [len({round(k / n, 2) for k in range(n + 1)}) for n in (small, large)]
assert recalls[1] == 101
chapter.cite(small=small, small_recalls=recalls[0], large=large)

# %% [markdown]
# ## Questions
#
# **1. How many mistakes does the print allow?** The cell with `arithmetic.bounds("DCLNN", counts)` shows the fewest and the most right
# answers. How many wrong ones are that, of all images (`block.images`)? And for `"SVM"`?
#
# :::{dropdown} Answer
# DCLNN made {glue:text}`wrong_dclnn` mistakes, the SVM {glue:text}`wrong_svm`.
# :::
#
# **2. Which recalls can a small class have?** Put `"TEST_SIMPLE"` for `"TEST"` in the cell with `images.counts`. How many different
# recalls, printed with two decimals, can its lymphocytes have, and how many can those of TEST?
#
# :::{dropdown} Answer
# {glue:text}`small` lymphocytes can have {glue:text}`small_recalls` recalls. {glue:text}`large` can have every number from 0.00 to 1.00.
# So a small test set excludes single numbers, and a large one only several numbers together.
# :::
