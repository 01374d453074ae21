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
# # What others report on these images
#
# :::{admonition} In short
# What is an accuracy on these images worth? That depends on the images held out. {glue:text}`n_four` of {glue:text}`n_sources` public sources report an
# accuracy with four classes: {glue:text}`published_low:.0%` to {glue:text}`published_high:.0%` on the published folder TEST, up to 100% on images
# held out at random. Within a source, the same model loses {glue:text}`paired_points:.0f` points on average on TEST
# ({glue:text}`n_paired` sources, most models from one). The sources are those we could open, not a sample of all.
# :::
#
# The paper names no test set ({doc}`claims`). Many papers, notebooks and repositories have used the same images since. We opened each source
# and noted its numbers, the images it was tested on, and how that can be known, in `results/literature.csv`.

# %%
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from bloodlib.analyses import leakage, plots
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs, stored
from bloodlib.evidence import comparison
from bloodlib.paper import arithmetic

# %% tags=["remove-input"]
chapter.begin()  # figures in the book's style

# %% [markdown]
# ## How the split is known
#
# Often the report itself tells. It prints *supports*, the images of each class: a stratified fifth of all images has {glue:text}`fifth`
# (eosinophil, lymphocyte, monocyte, neutrophil), TEST has {glue:text}`supports`. Digits can tell as well: one source prints six accuracies
# with six decimals, and no number of images. How many images give all six?

# %%
found = pd.read_csv(stored.results_folder() / "literature.csv", dtype={"value": str})
printed = found.loc[found["source"] == "six-architectures", "value"].astype(float)
total = sum(sum(classes.values()) for classes in images.counts().values())
sizes = np.arange(1, total + 1)
right = np.rint(np.outer(printed, sizes))
fits = sizes[(abs(right / sizes - printed.to_numpy()[:, None]) < 5e-7).all(axis=0)]
fits

# %% tags=["remove-input"]
n_test = sum(images.counts()["TEST"].values())
by_class = pd.DataFrame(images.counts()).sort_index()
assert fits[0] == n_test
assert not (fits % n_test).any()  # its multiples
chapter.cite(
    fifth=", ".join(map(str, (by_class.sum(axis=1) / 5).round().astype(int))),
    supports=", ".join(map(str, by_class["TEST"])),
    n_test_images=n_test,
)

# %% [markdown]
# The smallest is the size of TEST, {glue:text}`n_test_images:,` images; the others are its multiples. {numref}`tbl-literature-known` counts
# the numbers by split and by evidence.

# %%
SPLITS = {
    "published": "TEST, as published",
    "photographs": "original photographs",
    "random_train": "random part of TRAIN",
    "random_all": "random part of all images",
    "grouped": "whole photographs or cells",
    "unknown": "not known",
}
known = pd.crosstab(found["split"], found["evidence"]).reindex(SPLITS, fill_value=0)
known["sources"] = found.groupby("split")["source"].nunique()
known = known.fillna({"sources": 0}).astype(int)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    known.reset_index(),
    "tbl-literature-known",
    "Reported numbers by the images they were computed on, and by what shows it: the text, the supports, the digits, the code, or nothing; last, the sources. A source with several splits counts in each.",
    columns=["split", "text", "supports", "digits", "code", "none", "sources"],
    headings={"split": "Images tested on"},
    fmt={"split": SPLITS.get},
)

# %% tags=["remove-input"]
assert known.loc["grouped", "sources"] == 0
chapter.cite(n_sources=found["source"].nunique())

# %% [markdown]
# The published folders hold out whole photographs; no source holds out whole cells. A few mention leakage: one trains the same network on
# a random split to show it, and two point out that validation images resemble training images.
#
# ## Accuracy and split
#
# We compare accuracies with four classes and a known split. A source with several numbers on one split counts once, with their
# mean. {numref}`fig-literature` shows every number.

# %%
found["accuracy"] = found["value"].astype(float)
found["kind"] = found["split"].str.replace(r"random_.*", "random", regex=True)
four = found[(found["classes"] == 4) & (found["metric"] == "accuracy")]
single = four["model"].str.contains("(seed", regex=False)  # of which a mean is listed
compared = four[four["kind"].isin(["published", "random"]) & ~single]
means = compared.groupby(["source", "kind"])["accuracy"].mean().unstack()
print(means.agg(["count", "mean", "min", "max"]).T.astype({"count": int}).round(3))

# %% mystnb={"figure": {"name": "fig-literature", "caption": "Accuracy with four classes that the sources report, by the images tested on; one dot a number. Diamonds: this book's runs on the same images. Dotted: guessing."}, "image": {"alt": "Rows of dots by split. On TEST the dots spread from 26 to 93 percent, most between 80 and 90. On random parts most lie above 95 percent, some at 50 to 72. Unknown splits: 67 to 100. Below, diamonds of this book: the compact CNN has 99 percent with a random split, about 80 on TEST and by cell; DCLNN about 80 on all three."}}
OURS = {
    "published": "TEST",
    "cell": "whole cells held out",
    "image": "random part of all images",
}
own = leakage.compute_splits()
own = own[own["method"].isin(["compact CNN", "DCLNN"]) & own["split_by"].isin(OURS)]
ours = "this book:\n" + own["split_by"].map(OURS)
theirs = four["split"].map(SPLITS)
rows = [*filter(set(theirs).__contains__, SPLITS.values()), *ours.unique()]
palette = {"compact CNN": plots.COLOURS["small"], "DCLNN": plots.COLOURS["DCLNN"]}

figure, axis = plt.subplots(figsize=(3.4, 6))
dots = {"x": "accuracy", "order": rows}
sns.swarmplot(four, y=theirs, color="#555555", alpha=0.7, size=2.5, **dots)
sns.swarmplot(own, y=ours, hue="method", palette=palette, marker="D", **dots)
axis.axvline(1 / len(images.CLASSES), color="#888888", lw=1, ls=":")
axis.set(xlim=(0.2, 1.02), xlabel="Accuracy, four classes", ylabel="")
axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
plots.show(figure)

# %% [markdown]
# How much of the spread goes with the split? Of the variance between the means, the fraction between the two kinds of split (*eta
# squared*), with a 95 % CI from drawing sources with replacement:


# %%
def compare_splits(means):
    """Fraction of the variance between kinds of split; difference of their means."""
    values = means.stack().dropna()
    between = values.groupby("kind").transform("mean")
    gap = means["random"].mean() - means["published"].mean()
    return between.var() / values.var(), gap


draw = {"frac": 1, "replace": True, "random_state": np.random.default_rng(0)}
drawn = [compare_splits(means.sample(**draw)) for _ in range(2000)]
explained, gap = compare_splits(means)
low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
(explained_low, gap_low), (explained_high, gap_high) = low, high

# %% tags=["remove-input"]
on_test = compared.loc[compared["kind"] == "published", "accuracy"]
at_random = compared.loc[compared["kind"] == "random", "accuracy"]
assert gap_low > 0  # the split matters
assert on_test.max() < 0.95
assert at_random.max() == 1
assert (at_random < 0.7).any()  # a random split is no guarantee of a high number
chapter.cite(
    explained=f"{explained:.0%} ({explained_low:.0%} to {explained_high:.0%})",
    gap=f"{100 * gap:.0f} points ({100 * gap_low:.0f} to {100 * gap_high:.0f})",
    n_four=four["source"].nunique(),
    published_low=on_test.min(),
    published_high=on_test.max(),
    random_95=(at_random >= 0.95).mean(),
    random_low=at_random.min(),
)

# %% [markdown]
# The split goes with {glue:text}`explained` of the variance; the means of the two kinds differ by {glue:text}`gap`. Of the single numbers,
# {glue:text}`random_95:.0%` of those from random splits are 95% or more, and none of those on TEST. Networks that did not learn, or features
# of ImageNet left as they are, score {glue:text}`random_low:.0%` and more on a random split.
#
# Sources also differ in model and training. Several report one model on both kinds, mostly as validation on a part of TRAIN and test on
# TEST:

# %%
pairs = compared.pivot_table("accuracy", ["source", "model"], "kind").dropna()
pairs["loss"] = pairs["random"] - pairs["published"]
by_source = pairs["loss"].groupby("source").mean()
print(pairs.round(3))

# %% tags=["remove-input"]
assert (pairs["loss"] > 0).all()  # every model scores lower on TEST
most = pairs.groupby("source").size().max()
assert most > len(pairs) / 2  # in one source
compact = own[own["method"] == "compact CNN"].set_index("split_by")["accuracy"]
chapter.cite(
    n_paired=len(by_source),
    n_pairs=len(pairs),
    most=most,
    paired_points=100 * by_source.mean(),
    paired_low=100 * by_source.min(),
    paired_high=100 * by_source.max(),
    own_points=100 * (compact["image"] - compact["published"]),
)

# %% [markdown]
# All {glue:text}`n_pairs` models, {glue:text}`most` of them from one source, score lower on TEST, by {glue:text}`paired_low:.0f` to
# {glue:text}`paired_high:.0f` points a source. Our compact CNN loses {glue:text}`own_points:.0f` points from a random split to TEST; our runs
# of DCLNN are too unsteady to tell ({doc}`leakage`). Validation numbers are those of the epoch that was chosen by them, which adds a
# little.
#
# ## Can the printed reports be true?
#
# Where a source prints precision, recall and F1 by class, whole numbers of images must give them. The integer programme of {doc}`arithmetic` looks
# for a confusion matrix on the images named:

# %%
keys = ["source", "model", "split"]
reports = pd.read_csv(
    stored.results_folder() / "literature_reports.csv", dtype=str, keep_default_na=False
)
accuracies = found[found["metric"] == "accuracy"].set_index(keys)["value"]
checked = []
for key, report in reports.groupby(keys, sort=False):
    rows = arithmetic.of_report(report, accuracies.get(key))
    conflict = dataclasses.replace(rows, claimed=None).conflict  # without the accuracy
    conflict = ", ".join(f"{number.words} {number.printed}" for number in conflict)
    checked.append((*key, rows.images, rows.feasible, conflict))
checked = pd.DataFrame(checked, columns=[*keys, "images", "possible", "conflict"])

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
addresses = found.drop_duplicates("source").set_index("source")["address"]
checked["source"] = [f"[{name}]({addresses[name]})" for name in checked["source"]]
tables.show(
    checked,
    "tbl-literature-possible",
    "Printed class reports: whether a confusion matrix of so many images gives all printed digits and the accuracy, and if not, as few numbers as can't be true together.",
    columns=["source", "model", "split", "images", "possible", "conflict"],
    headings={"split": "Images tested on", "conflict": "In conflict"},
    fmt={"split": SPLITS.get},
)

# %% tags=["remove-input"]
assert checked.loc[checked["split"] == "published", "possible"].all()
chapter.cite(n_checked=len(checked), n_possible=checked["possible"].sum())

# %% [markdown]
# {glue:text}`n_possible` of {glue:text}`n_checked` reports are possible, all of those on TEST among them ({numref}`tbl-literature-possible`).
# The others may be computed on other images than named, averaged, or mistyped.
#
# ## One monocyte
#
# TEST has {glue:text}`monocyte_images` images of monocytes, and they show {glue:text}`monocyte_cells` cells ({doc}`photographs`), each on about a
# quarter of the images. A network that misclassifies one cell has a recall near {glue:text}`one_missed:.0%`. So do most of the networks that others
# report on TEST:

# %%
on_test = reports[(reports["class"] == "MONOCYTE") & (reports["split"] == "published")]
monocytes = on_test.set_index(["source", "model"])["recall"].astype(float)
one_missed = 3 / photographs.counts("cells")["TEST"]["MONOCYTE"]
near = abs(monocytes - one_missed) < 0.02
print(monocytes.to_string())

# %% [markdown]
# Which cell is it? In our runs of the compact CNN it is always the same one. Their recall of monocytes, by cell:

# %%
cells = photographs.cells("TEST")
is_monocyte = images.labels("TEST") == images.CLASSES.index("MONOCYTE")
compact = {"method": "small", "task": "four", "split_by": "published"}
runs = comparison.saved(compact, ("seed",))
y_pred = {run.config.get("seed", 0): run.arrays["labels"][-1] for run in runs}
right = pd.DataFrame(y_pred)[is_monocyte] == images.CLASSES.index("MONOCYTE")
recalls = right.groupby(cells[is_monocyte]).mean().T.sort_index().rename_axis("seed")
print(recalls.rename_axis(columns="cell").to_string(float_format="{:.2f}".format))

# %% tags=["remove-input"]
assert (recalls.min(axis=1) < 0.25).all()
assert recalls.idxmin(axis=1).nunique() == 1  # the same cell in every run
assert near.sum() > len(near) / 2
missed = recalls.idxmin(axis=1).iloc[0]
chapter.cite(
    near=near.sum(),
    near_of=len(near),
    missed=missed,
    missed_share=(cells == missed).mean(),
    runs_compact=len(runs),
    one_missed=one_missed,
    monocyte_images=is_monocyte.sum(),
    monocyte_cells=photographs.counts("cells")["TEST"]["MONOCYTE"],
    test_cells=len(np.unique(cells)),
    untold=(found["split"] == "unknown").sum(),
)

# %% [markdown]
# {glue:text}`near` of {glue:text}`near_of` reports have a recall within two points of {glue:text}`one_missed:.0%`, and all {glue:text}`runs_compact`
# of our runs misclassify the cell on photograph {glue:text}`missed`, whose label nobody has checked, and which is on {glue:text}`missed_share:.0%` of TEST. The sources do not publish
# which images their networks misclassify, so whether it is the same cell remains open.
#
# ## Five questions to ask of a number on these images
#
# 1. **Which images were held out?** TEST as published, a random part, whole cells? The report's supports tell.
# 2. **Do cells appear on both sides?** If images were drawn one by one, nearly all of them do ({doc}`leakage`).
# 3. **What chose the epoch and the settings?** If the test images did, the number is a best of many ({doc}`epochs`).
# 4. **How many cells, and what interval over them?** TEST shows {glue:text}`test_cells` cells, {glue:text}`monocyte_cells` of them monocytes ({doc}`intervals`).
# 5. **Do the printed digits fit the images?** Precision, recall and supports must come from whole numbers ({doc}`arithmetic`).
#
# ## Sources
#
# {numref}`tbl-literature` lists every number. We searched stored copies of public repositories and pages for the name of the dataset, its
# counts and its class reports, and opened what was found in November 2026. Sources that print numbers only in figures and papers behind a
# paywall are missing; of some papers we saw only the abstract; {glue:text}`untold` numbers have no known split. Many are
# course work.
#
# **To correct a row**, open an issue or a pull request on the [repository](https://github.com/bloodlib/bloodlib) with the name in its column
# `source` and what shows the right value; this page follows. `results/README.md` describes the columns.

# %% tags=["hide-output", "remove-input"] mystnb={"markdown_format": "myst", "code_prompt_show": "Show the table", "code_prompt_hide": "Hide the table"}
links = [f"[{title}]({url})" for title, url in zip(found["title"], found["address"], strict=True)]
measures = found["metric"].map({"accuracy": ""}).fillna(" (" + found["metric"] + ")")
tables.show(
    found.assign(source=links, value=found["value"] + measures),
    "tbl-literature",
    "Every number: its source, model, value, the images tested on and how that is known; whether the test images chose the model, and whether it was pretrained.",
    columns=[
        *("source", "model", "classes", "value", "split", "evidence"),
        *("images_tested", "selected_on_test", "pretrained"),
    ],
    headings={"split": "Images tested on", "evidence": "Known from", "images_tested": "Images"},
    fmt={"split": SPLITS.get, "images_tested": ",.0f"},
)
