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
# # Epochs and seeds

# %% tags=["parameters"]
task = "four"  # four | two
pooling = "max"  # max | average
seed = 0

# %% tags=["remove-input"]
import numpy as np
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots, seeds
from bloodlib.book import chapter, figures, interactive, tables
from bloodlib.evidence import comparison, scores

chapter.begin()

# %% [markdown]
# ## Number of epochs
#
# *Is 25 a good number of epochs?*
#
# The paper tried several numbers of epochs and concludes from its Figure 7 that 25 is "a good option
# trade-off between precision and computing time". Its text calls the figure's measure precision, its
# caption accuracy; here are both, up to epoch {glue:text}`epochs` for one run, and for some seeds beyond it.

# %%
config = {"method": "DCLNN", "task": task, "pooling": pooling}
run = study.run(config | {"seed": seed})
curves = figures.compute_curves([run])

# %% [markdown]
# On the screen, {numref}`fig-paper-7` has all frozen runs: choose the number of classes, the pooling and the seed, and drag
# the epoch, or move it with the arrow keys; the scores below it are what Table 1 or 2 would say had training ended there.
# Its band is drawn for accuracy alone.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-7", "caption": "Precision (as the paper's text says) and accuracy (as its caption says) over epochs: training red, validation blue, with its interval by cell as a band ({doc}`intervals`). Dotted: epoch 25, or the one that you choose."}, "image": {"alt": "Two panels over epochs, for average precision and accuracy. The red training curves rise smoothly and flatten; the blue validation curves rise with jumps from one epoch to the next, inside a band that is wider than most of the jumps. A dotted vertical line marks epoch 25."}}
plots.show(figures.plot_curves(curves, ("precision", "accuracy"), mark=comparison.EPOCH))

# %% tags=["remove-input"]
interactive.show("curves", "fig-paper-7", interactive.compute_curves(run))


# %% tags=["remove-input"]
asked = {
    "": run,
    "q_average_": study.run({"method": "DCLNN", "task": "four", "pooling": "average"}),
    "q_two_": study.run({"method": "DCLNN", "task": "two", "pooling": "max"}),
}
for prefix, its in asked.items():
    accuracy = pd.Series(comparison.accuracies(its, range(1, its.epochs + 1)))
    best = int(accuracy.idxmax()) + 1
    gain = comparison.difference([its], [its], epochs=(best, comparison.EPOCH))
    rank = (accuracy > accuracy[comparison.EPOCH - 1]).sum() + 1
    chapter.cite({f"{prefix}gain": comparison.signed(*gain), f"{prefix}best_epoch": best})
    chapter.cite({f"{prefix}rank": rank, f"{prefix}step": accuracy.diff().abs()[-10:].mean()})
    if its is run:
        chapter.cite(
            gain_side=comparison.beside(*gain[1:]),
            best=str(comparison.estimate([run], epoch=best)),
        )
chapter.cite(
    epochs=run.epochs,
    at25=str(comparison.estimate([run])),
    precision25=str(comparison.estimate([run], lambda c: scores.precision(c).mean(axis=-1))),
    seconds=run.seconds / run.epochs,
)

# %% [markdown]
# At epoch 25 validation accuracy is {glue:text}`at25` and average precision {glue:text}`precision25`; brackets are
# intervals by cell. The best of the {glue:text}`epochs` epochs is number {glue:text}`best_epoch`, with an accuracy of
# {glue:text}`best`; epoch 25 is at place {glue:text}`rank`. From one epoch to the next, validation accuracy moved by
# {glue:text}`step:.3f` on average over the last ten. An epoch took {glue:text}`seconds:.0f` seconds.
#
# Can {numref}`fig-paper-7` name the epoch at which more training stops paying? On the same cells, the best epoch
# less epoch 25 is {glue:text}`gain` in accuracy: {glue:text}`gain_side` zero, although the best was picked after the fact.
# And the validation images are TEST, the images that the tables are computed on: a number of epochs chosen from this
# figure is chosen on the test set.

# %% [markdown]
# ### After epoch 25
#
# Is anything to come after epoch 25? {glue:text}`n_longer` seeds with four classes and max pooling were trained on, to epoch
# {glue:text}`last` ({numref}`fig-longer`).

# %%
tested = comparison.compared("DCLNN", "four")
longer = [run for run in tested if run.epochs > comparison.EPOCH]
spread = figures.compute_curves(longer)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-longer", "caption": "Runs that go on after epoch 25 (dotted): the mean over their seeds, training red and validation blue, with the range from the lowest to the highest seed as a band."}, "image": {"alt": "Three panels over epochs, for average precision, accuracy and loss. The red training curves of precision and accuracy rise smoothly to the end and that of loss falls. The blue validation curves jump, inside a band as wide as their jumps, and rise little after the dotted line at epoch 25; validation loss does not fall with training loss."}}
plots.show(figures.plot_curves(spread, ("precision", "accuracy", "loss"), mark=comparison.EPOCH))

# %% tags=["remove-input"]
last = int(spread["epoch"].max())
after = spread.set_index(["images", "epoch"])
gain = comparison.difference(longer, longer, epochs=(last, comparison.EPOCH))
late_gain = comparison.difference(
    longer, longer, epochs=(range(last - 9, last + 1), comparison.LATE)
)
chapter.cite(
    chapter.difference("after_gain", gain) | chapter.difference("late_gain", late_gain),
    n_longer=len(longer),
    last=last,
    top_epoch=after.loc["validation", "accuracy"].idxmax(),
    top=after.loc["validation", "accuracy"].max(),
    minutes_more=np.mean(
        [run.seconds / 60 * (1 - comparison.EPOCH / run.epochs) for run in longer]
    ),
)
for name, epoch in {"25": comparison.EPOCH, "last": last}.items():
    late = [comparison.accuracies(run, range(epoch - 9, epoch + 1)) for run in longer]
    for split in ("training", "validation"):
        its = after.loc[split, epoch]
        chapter.cite({f"{split}_{name}": its["accuracy"], f"{split}_loss_{name}": its["loss"]})
    chapter.cite({f"lowest_{name}": its["accuracy_low"], f"highest_{name}": its["accuracy_high"]})
    chapter.cite({f"late_{name}": np.mean(late)})
    chapter.cite({f"late_{name}_low": np.min(late), f"late_{name}_high": np.max(late)})

# %% [markdown]
# From epoch 25 to {glue:text}`last` accuracy on TEST goes from {glue:text}`validation_25:.2f` (from seed to seed
# {glue:text}`lowest_25:.2f` to {glue:text}`highest_25:.2f`) to {glue:text}`validation_last:.2f` ({glue:text}`lowest_last:.2f` to
# {glue:text}`highest_last:.2f`): on the same cells {glue:text}`after_gain`, {glue:text}`after_gain_side` zero. Meanwhile training accuracy goes from
# {glue:text}`training_25:.2f` to {glue:text}`training_last:.2f`; training loss goes from {glue:text}`training_loss_25:.2f` to
# {glue:text}`training_loss_last:.2f`, validation loss from {glue:text}`validation_loss_25:.2f` to {glue:text}`validation_loss_last:.2f`.
# The mean of the seeds is highest after epoch {glue:text}`top_epoch`, with {glue:text}`top:.2f`. The epochs after 25 took
# {glue:text}`minutes_more:.0f` minutes a run.
#
# A single epoch is a draw: the last ten epochs up to 25 lie between {glue:text}`late_25_low:.2f` and {glue:text}`late_25_high:.2f`, with a mean of
# {glue:text}`late_25:.2f`; the last ten up to {glue:text}`last` between {glue:text}`late_last_low:.2f` and {glue:text}`late_last_high:.2f`, with a
# mean of {glue:text}`late_last:.2f`: {glue:text}`late_gain`, {glue:text}`late_gain_side` zero. Whoever stops at a fixed epoch, be it 25 or {glue:text}`last`, gets one of these.

# %% [markdown]
# ### What choosing on TEST buys
#
# To see what such a choice is worth, TEST's cells were divided in two at random, {glue:text}`n_draws:,` times: the epoch that is best
# on one half was looked at on the other. Every network of Tables 1 and 2 was asked, with each of its seeds
# ({numref}`tbl-halves`).

# %%
halved = seeds.compute_halves()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    halved,
    "tbl-halves",
    "Accuracy of the best of 25 epochs less that of epoch 25: on the half of TEST's cells that chose it, and on the other half. Means over divisions.",
    decimals=3,
    columns=["task", "pooling", "seed", "selected", "other", "epochs"],
    headings={
        "selected": "On the half that chose",
        "other": "On the other",
        "epochs": "Epochs ever chosen",
    },
)

# %% tags=["remove-input"]
chapter.cite(
    n_draws=seeds.DRAWS,
    halved_chosen=comparison.signed(halved["selected"].mean()),
    halved_other=comparison.signed(halved["other"].mean()),
    halved_runs=len(halved),
    halved_below=(halved["other"] < 0).sum(),
    halved_epochs=int(halved["epochs"].median()),
)

# %% [markdown]
# Over all {glue:text}`halved_runs` runs, the chosen epoch has {glue:text}`halved_chosen` on the cells that chose it, and
# {glue:text}`halved_other` on the others; in {glue:text}`halved_below` runs it is worse there than epoch 25. Another half names
# another epoch: in the median run, {glue:text}`halved_epochs` different ones were the best at some time. What is gained by
# choosing is the luck of the cells that one chose on.

# %% [markdown]
# ### Chosen without TEST
#
# The same network was trained on folds of TRAIN's cells, each cell held out in turn ({doc}`comparison`). There the best epoch is
# chosen with TEST unseen ({numref}`fig-folds`, {numref}`tbl-chosen`).

# %%
folds = seeds.compute_folds()
accuracy = np.array([comparison.accuracies(run, folds["epoch"]) for run in tested])
chosen = {
    "the paper's": [comparison.EPOCH] * len(tested),
    "the best on folds of TRAIN's cells": [folds["accuracy"].argmax() + 1] * len(tested),
    "each run's best on TEST": accuracy.argmax(axis=1) + 1,
}
each = {how: accuracy[range(len(tested)), np.array(e) - 1] for how, e in chosen.items()}

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-folds", "caption": "DCLNN with four classes and max pooling. Blue: accuracy on TRAIN's cells, held out in five folds, all together; band: from the lowest fold to the highest; dot: the epoch chosen. Grey: each run on TEST. Dotted: epoch 25."}, "image": {"alt": "Accuracy over 25 epochs. A blue line for the cells of TRAIN rises and flattens inside a band; thin grey lines of runs on TEST rise with it and jump up and down from epoch to epoch."}}
colour = plots.COLOURS["DCLNN"]
axis = folds.plot(x="epoch", y="accuracy", color=colour, figsize=(7.2, 3))
axis.fill_between(folds["epoch"], folds["lowest"], folds["highest"], color=colour, alpha=0.18)
axis.plot(folds["epoch"], accuracy.T, color="0.35", lw=0.8)
best = folds.loc[folds["accuracy"].idxmax()]
axis.plot(best["epoch"], best["accuracy"], "o", color=colour)
axis.axvline(comparison.EPOCH, color="0.5", lw=1, ls=":")
axis.set(ylabel="accuracy", ylim=(0, 1))
axis.legend(axis.lines[:2], ["TRAIN's cells", "TEST, each run"], loc="lower right", fontsize=8)
plots.show(axis.figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    pd.DataFrame(
        {
            "how": list(chosen),
            "which": [", ".join(map(str, dict.fromkeys(epochs))) for epochs in chosen.values()],
            "accuracy": [some.mean() for some in each.values()],
            "each": [", ".join(f"{one:.2f}" for one in some) for some in each.values()],
        }
    ),
    "tbl-chosen",
    "DCLNN with four classes on TEST after epochs chosen in three ways; mean over runs.",
    decimals=3,
    columns=["how", "which", "accuracy", "each"],
    headings={"how": "Epoch", "accuracy": "Accuracy on TEST", "each": "Of each run"},
)

# %% tags=["remove-input"]
fixed, honest, tuned = (some.mean() for some in each.values())
at25 = folds.iloc[-1]
chapter.cite(
    fold_epoch=folds["accuracy"].argmax() + 1,
    fold_gain=comparison.signed(honest - fixed),
    test_gain=comparison.signed(tuned - honest),
    fold_accuracy=at25["accuracy"],
    folds_low=at25["lowest"],
    folds_high=at25["highest"],
)

# %% [markdown]
# The folds choose epoch {glue:text}`fold_epoch`. On TEST that is {glue:text}`fold_gain` beside epoch 25; each run's best epoch
# on TEST would have {glue:text}`test_gain` more: that much choosing on TEST buys, in print. After epoch 25 accuracy on the
# cells of TRAIN is {glue:text}`fold_accuracy:.2f`, from {glue:text}`folds_low:.2f` to {glue:text}`folds_high:.2f` by fold.

# %% [markdown]
# ## Seeds
#
# *What the seed does*
#
# The paper reports one number for each score and does not say of how many runs. A run starts from random
# weights, sees its images in random order and randomly altered, and forgets a random share of its nodes.
# The seed decides all of that. Here is the same network with other seeds.

# %%
runs = seeds.compute_runs()
spread = runs.groupby(["task", "pooling"], as_index=False).agg(
    runs=("accuracy", "size"),
    mean=("accuracy", "mean"),
    by_seed=("accuracy", "std"),
    by_epoch=("deviation", lambda each: np.sqrt(np.mean(each**2))),
)
networks = zip(spread["pooling"], spread["task"], strict=True)
ends = [comparison.estimate(comparison.compared(*network))[1:] for network in networks]
spread[["low", "high"]] = np.array(ends, dtype=float)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-seeds", "caption": "Accuracy on TEST of every run with the lineage's settings; the number below is its seed. Point: after epoch 25, filled for float32, hollow for mixed bfloat16. Line: its last ten epochs up to there. Band: interval by cell of the mean ({doc}`intervals`). Dotted: guessing."}, "image": {"alt": "Two panels, four and two classes, each with max and average pooling. For each run a point stands on a vertical line, the range of its last ten epochs. Points of different seeds lie close together inside the wide shaded band, the interval by cell; the lines are several times as long, and some reach below the band."}}
plots.show(seeds.plot_spread(runs, spread))

# %% tags=["remove-input"]
networks = spread.set_index(["task", "pooling"])
layer = f"{pooling.capitalize()}Pooling"
row = networks.loc[task, layer]
own = runs[(runs["task"] == task) & (runs["pooling"] == layer)]["accuracy"]
chapter.cite(
    task=task,
    n=len(own),
    lowest=own.min(),
    highest=own.max(),
    mean=row["mean"],
    by_seed=row["by_seed"],
    by_epoch=row["by_epoch"],
    below=row["mean"] - row["low"],
    above=row["high"] - row["mean"],
    seed_ratio=spread["by_seed"].div(spread["by_epoch"]).mean(),
    n_short=(runs["precision"] != "float32").sum(),
    n_all=len(runs),
)

# %% [markdown]
# With {glue:text}`task` classes, {glue:text}`n` runs end between {glue:text}`lowest:.2f` and {glue:text}`highest:.2f` at
# epoch 25, with a mean of {glue:text}`mean:.2f` ({numref}`tbl-spread`). Their standard deviation is {glue:text}`by_seed:.3f`; that of the last
# ten epochs within a run is {glue:text}`by_epoch:.3f`. On average over the networks with several
# runs, the first is {glue:text}`seed_ratio:.1f` times the second.
#
# The interval by cell reaches {glue:text}`below:.2f` below the mean and {glue:text}`above:.2f` above it. It is about other cells, not other seeds: more runs
# make the mean steadier, and leave that interval as wide as it is. More runs cannot replace more cells.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    spread,
    "tbl-spread",
    "What moves the accuracy on TEST.",
    decimals=3,
    columns=["task", "pooling", "runs", ("mean", "low", "high"), "by_seed", "by_epoch"],
    headings={
        "mean": "Mean (interval by cell)",
        "by_seed": "SD over seeds",
        "by_epoch": "SD over late epochs",
    },
)

# %% [markdown]
# ### Every run
#
# {glue:text}`n_short` of the {glue:text}`n_all` runs of {numref}`tbl-seed-runs` were multiplied in 16-bit numbers (mixed
# bfloat16, weights kept in 32), which takes about half the time on a machine that does nothing else ({doc}`cost`). That rounds every product, and so
# changes a run as another seed would; in {numref}`fig-seeds` their points are hollow.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    runs,
    "tbl-seed-runs",
    "Every run of the network with the lineage's settings: accuracy after epoch 25, over the ten epochs up to there, and, after the last of its epochs, on TEST_SIMPLE.",
    columns=[
        "task",
        "pooling",
        ("seed", "id"),
        "precision",
        "accuracy",
        ("low", "high", "mean"),
        "epochs",
        "simple",
        "minutes",
    ],
    headings={"accuracy": "Epoch 25", "low": "Last ten epochs", "simple": "TEST_SIMPLE"},
    fmt={"seed": tables.link, "low": "{:.2f} to {:.2f}, mean {:.2f}".format},
)

# %% [markdown]
# ## Questions

# %% [markdown]
# ### Number of epochs
#
# **1. Is 25 as good with the other pooling?** Run this chapter with `-p pooling average` ({doc}`run_it_yourself`). At
# which place is epoch 25, which epoch is best, and what would you gain by stopping there?
#
# :::{dropdown} Answer
# Epoch 25 is at place {glue:text}`q_average_rank`, the best is epoch {glue:text}`q_average_best_epoch`, and stopping there
# would gain {glue:text}`q_average_gain` in accuracy. The bracket is the interval by cell: TEST can't tell that it is a gain. And
# you know the best epoch only because you looked at TEST.
# :::
#
# **2. Is it steadier with two classes?** Run it with `-p task two`. How far does accuracy move from one late epoch to the next?
#
# :::{dropdown} Answer
# By {glue:text}`q_two_step:.3f` on average over the last ten, with four classes by {glue:text}`step:.3f`. Epoch 25 is at place
# {glue:text}`q_two_rank` of its run, and the best one, {glue:text}`q_two_best_epoch`, would gain {glue:text}`q_two_gain`.
# :::
# %% [markdown]
# ### Seeds
#
# So many runs are needed until the mean of a network's runs is known to one point, twice its standard error, where seeds
# differ most:

# %%
wanted = 0.01
most = spread["by_seed"].max()
int(np.ceil((2 * most / wanted) ** 2))

# %% tags=["remove-input"]
other = networks.loc["two", "AveragePooling"]
far = {
    "cells": (other["high"] - other["low"]) / 2,
    "epochs": other["by_epoch"],
    "seeds": other["by_seed"],
}
chapter.cite(
    {f"q_{key}": other[key] for key in ("mean", "by_seed", "by_epoch", "low", "high")},
    q_one=int(np.ceil((2 * most / 0.01) ** 2)),
    q_two=int(np.ceil((2 * most / 0.02) ** 2)),
    q_runs=spread.loc[spread["by_seed"].idxmax(), "runs"],
    q_order=", ".join(sorted(far, key=far.get, reverse=True)),
)

# %% [markdown]
# **3. And until it is known to two points?** Put 0.02 for 0.01.
#
# :::{dropdown} Answer
# {glue:text}`q_two` runs, where one point takes {glue:text}`q_one`: half the precision costs a quarter of the runs. The standard
# deviation itself comes from {glue:text}`q_runs` runs and is a rough guess. And however many runs there are, the interval
# by cell stays.
# :::
#
# **4. Are two classes steadier?** Run this chapter with `-p task two -p pooling average` ({doc}`run_it_yourself`).
#
# :::{dropdown} Answer
# The mean is {glue:text}`q_mean:.2f`, its standard deviation over seeds {glue:text}`q_by_seed:.3f` and over late epochs
# {glue:text}`q_by_epoch:.3f`; the interval by cell runs from {glue:text}`q_low:.2f` to {glue:text}`q_high:.2f`. In the order of how
# far they move the score: {glue:text}`q_order`.
# :::
