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
#
# *Is 25 a good number of epochs, and what does another seed change?*
#
# :::{admonition} In short
# TEST's 68 cells are too few to say whether another number of epochs is better. Over the late epochs of one run, accuracy has a standard
# deviation of {glue:text}`least_epoch:.0f` to {glue:text}`most_epoch:.0f` points, over seeds of {glue:text}`least_seed:.0f` to {glue:text}`most_seed:.0f`. An epoch
# chosen on TEST gains {glue:text}`selected:.0f` points on the half of the cells used to choose it, and on average none on the other half.
# One of {glue:text}`trained` runs of Tables 1 and 2 learned nothing.
# :::
#
# The paper tried several numbers of epochs and concludes from its Figure 7 that 25 is "a good option trade-off between
# precision and computing time". It reports one number for each score and does not say of how many runs. A run starts from
# random weights, sees its images in random order and randomly altered, and leaves out random nodes; the *seed* decides all of that.

# %% tags=["parameters"]
task = "four"  # four | two
pooling = "max"  # max | average
seed = 0

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats

from bloodlib import study
from bloodlib.analyses import epoch_selection, plots
from bloodlib.book import chapter, figures, interactive, tables
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import EPOCH

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The loop
#
# The ablation is a loop over settings, seeds and epochs. Each record holds what the network answered for every image of
# TEST after every epoch, so that any epoch can be scored later. `study.run(config | {"seed": 10}, "full")` trains a seed
# that has no record.

# %%
accuracy = []
for classes, layer in itertools.product(TASKS, ("max", "average")):
    config = {"method": "DCLNN", "task": classes, "pooling": layer}
    for run in comparison.saved(config):
        for epoch in range(1, run.epochs + 1):
            right = float(scores.accuracy(run.confusion(epoch=epoch)))
            accuracy.append((classes, layer, run.config["seed"], epoch, right))
columns = ["task", "pooling", "seed", "epoch", "accuracy"]
accuracy = pd.DataFrame(accuracy, columns=columns)

# %% [markdown]
# ## Number of epochs
#
# The paper's text calls the measure of its Figure 7 precision, its caption accuracy; {numref}`fig-paper-7` has both. On the
# screen, choose the classes, the pooling and the seed, and drag the epoch: the scores below it are what Table 1 or 2 would say had
# training ended there.

# %% mystnb={"figure": {"name": "fig-paper-7", "caption": "Precision (as the paper's text says) and accuracy (as its caption says) over epochs: training red, TEST (which the paper calls validation) blue, with its 95 % CI over cells as a band ({doc}`intervals`). Dotted: epoch 25, or the one that you choose. The curves of TEST jump from epoch to epoch."}, "image": {"alt": "Two panels over epochs, for average precision and accuracy. The red training curves rise smoothly and flatten; the blue curves of TEST rise with jumps from one epoch to the next, inside a band that is wider than most of the jumps. A dotted vertical line marks epoch 25."}}
config = {"method": "DCLNN", "task": task, "pooling": pooling, "seed": seed}
run = study.run(config)
curves = figures.compute_curves([run])
plots.show(figures.plot_curves(curves, ("precision", "accuracy"), mark=EPOCH))

# %% tags=["remove-input"]
interactive.show("curves", "fig-paper-7", interactive.compute_curves(run))

# %% tags=["remove-input"]
own = np.array(comparison.accuracies(run, range(1, EPOCH + 1)))
best = int(own.argmax()) + 1
gain = comparison.difference([run], [run], epochs=(best, EPOCH))
assert gain.low < 0
chapter.cite(best=best, rank=int((own > own[-1]).sum()) + 1, gain=100 * gain.value)

# %% [markdown]
# Of the first 25 epochs of this run, number {glue:text}`best` is the best; epoch 25 has rank {glue:text}`rank`. The best is {glue:text}`gain:.0f` points more
# accurate, but the 95 % CI of this difference, on the same cells, includes zero, although the best was picked after the fact. And these
# images are TEST: a number of epochs chosen from this figure is chosen on the test set.
#
# Some seeds with four classes and max pooling were trained on to epoch 40 ({numref}`fig-longer`).

# %% mystnb={"figure": {"name": "fig-longer", "caption": "Runs that go on after epoch 25 (dotted): the mean over seeds, training red and TEST blue, with the range of the seeds as a band. Training improves to the end; accuracy on TEST goes on jumping."}, "image": {"alt": "Three panels over epochs, for average precision, accuracy and loss. The red training curves of precision and accuracy rise smoothly to the end and that of loss falls. The blue curves of TEST jump, in a band as wide as their jumps, and rise little after the dotted epoch 25; the loss on TEST does not fall with that of training."}}
longer = [run for run in comparison.compared("DCLNN", "four") if run.epochs >= 40]
means = figures.compute_curves(longer)
plots.show(figures.plot_curves(means, ("precision", "accuracy", "loss"), mark=EPOCH))

# %%
late = comparison.difference(longer, longer, epochs=(range(31, 41), comparison.LATE))
loss = means[means["images"] == "training"].set_index("epoch")["loss"]
print(f"accuracy on TEST, epochs 31 to 40 minus 16 to 25: {comparison.signed(*late)}")
print(f"training loss: {loss[EPOCH]:.2f} after epoch 25, {loss[40]:.2f} after epoch 40")

# %% tags=["remove-input"]
assert late.low < 0 < late.high
assert loss[40] < loss[EPOCH]
chapter.cite(longer=len(longer))

# %% [markdown]
# In these {glue:text}`longer` seeds training loss goes on falling after epoch 25. The 95 % CI of the gain on TEST includes zero.
#
# ## Seeds
#
# Accuracy varies with the epoch at which one stops, the seed, and the cells of TEST.

# %%
spread = []
for (classes, layer), own in accuracy.groupby(["task", "pooling"]):
    runs = comparison.saved({"method": "DCLNN", "task": classes, "pooling": layer})
    by_epoch = own.pivot(index="epoch", columns="seed", values="accuracy")
    late = by_epoch.loc[comparison.LATE]
    over_both = comparison.estimate(runs, seeds=True)
    spread.append(
        {
            "task": classes,
            "pooling": layer,
            "runs": len(runs),
            "in_float32": sum(map(comparison.in_float32, runs)),
            "mean (over cells)": comparison.estimate(runs),
            "over_cells_and_seeds": f"{over_both.low:.2f}–{over_both.high:.2f}",
            "SD over seeds": by_epoch.loc[EPOCH].std(),
            "SD over late epochs": np.sqrt(late.var().mean()),
        }
    )
spread = pd.DataFrame(spread)

# %% mystnb={"figure": {"name": "fig-seeds", "caption": "Accuracy on TEST after each of epochs 16 to 25 of every run with our default settings, by seed. Dotted: chance. In all runs but one, which learned nothing, the epochs lie farther apart than the means of the runs."}, "image": {"alt": "Two panels, four and two classes. Over each seed stands a column of dark dots for max pooling and, for some seeds, one of pale dots for average pooling, one dot an epoch. With four classes the columns reach over 20 to 40 points and overlap; with two they are shorter and lie near 0.9, but for one run whose dots lie on the dotted line."}}
late = accuracy[accuracy["epoch"].isin(comparison.LATE)]
colours = {name: plots.COLOURS[f"{name.title()}Pooling"] for name in ("max", "average")}
style = {"palette": colours, "hue_order": colours, "dodge": True, "jitter": False}
figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 3), sharey=True)
for axis, (classes, own) in zip(axes, late.groupby("task"), strict=True):
    style["legend"] = axis is axes[0]
    sns.stripplot(own, x="seed", y="accuracy", hue="pooling", ax=axis, **style)
    axis.axhline(1 / len(TASKS[classes]), color="0.5", lw=1, ls=":")
    axis.set(title=f"{classes} classes", ylabel="accuracy on TEST", ylim=(0, 1))
sns.move_legend(axes[0], "lower left", ncols=2)
plots.show(figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    spread,
    "tbl-spread",
    "Accuracy on TEST after epoch 25: mean over runs with its 95 % CI over cells, for these runs, and over cells and seeds ({doc}`intervals`); and standard deviations (SD) over seeds and over the last ten epochs of a run. The other runs of each row are in mixed bfloat16.",
    decimals=3,
    columns=list(spread),
    headings={name: name for name in spread if name.startswith("SD")},
)

# %% tags=["remove-input"]
deviations = 100 * spread[["SD over seeds", "SD over late epochs"]]
widths = [100 * (cells.high - cells.low) for cells in spread["mean (over cells)"]]
assert min(widths) > deviations.to_numpy().max()
least, most = deviations.min(), deviations.max()
chapter.cite(least_seed=least.iloc[0], least_epoch=least.iloc[1])
chapter.cite(most_seed=most.iloc[0], most_epoch=most.iloc[1])

# %% [markdown]
# The CI over cells is the widest of the three ({numref}`fig-seeds`, {numref}`tbl-spread`). It is about other cells and not about other seeds
# (the next column is over both): more runs make the mean steadier and leave this interval as wide as it is. The SD over seeds rests on
# three runs in most rows. Rounding to 16 bits changes a run as another seed would, so that runs of both number formats count as seeds here.
#
# ## The plateau
#
# Every run begins on a plateau: its training loss is that of constant probabilities, $\ln 4 \approx 1.39$ with four classes, until the
# network finds something to learn. Runs of five other settings of the network were still there at their end.

# %%
settings = {
    "as in the tables": {},
    "batches of 128": {"batch_size": 128},
    "tanh": {"activation": "tanh"},
    "Adam, 0.001": {"optimizer": "Adam", "learning_rate": 0.001},
    "Adadelta, 0.001": {"learning_rate": 0.001},
    "SGD, 0.01, momentum 0.9": {"optimizer": "SGD", "learning_rate": 0.01},
}
plateau = []
for words, changed in settings.items():
    runs = comparison.saved({"method": "DCLNN", "task": "four"} | changed)
    for run in sorted(runs, key=lambda run: run.config["seed"]):
        loss = pd.Series(run.history["loss"])
        each = -(-int(run.confusion("TRAIN").sum()) // run.config["batch_size"])
        loss.index = each * (loss.index + 1)  # steps
        row = {"setting": words, "seed": run.config["seed"], "steps": loss.index[-1]}
        row |= {"left": loss.index[loss < 1.35].min(), "loss": loss.iloc[-1]}
        used = len(np.unique(run.arrays["labels"][-1]))
        plateau.append(row | {"classes_used": used, "curve": loss})
plateau = pd.DataFrame(plateau)

# %% mystnb={"figure": {"name": "fig-plateau", "caption": "Training loss with four classes over steps, one line a run. Dotted: the loss of constant probabilities. Grey: runs with the settings of the tables, which leave the plateau one after the other; batches of 128 take fewer steps in as many epochs."}, "image": {"alt": "Training loss over steps on a logarithmic axis. Six grey lines start at the dotted line of constant probabilities and fall away from it one after another; five coloured lines stay on the dotted line, or come down to it, and that of batches of 128 ends early."}}
figure, axis = plt.subplots(figsize=(7.2, 3.2))
for words, own in plateau.groupby("setting", sort=False):
    colour = "0.6" if words == "as in the tables" else None
    for curve in own["curve"]:
        (line,) = axis.plot(curve.index, curve, color=colour, lw=1.2)
        colour = line.get_color()
    line.set_label(words)
axis.axhline(np.log(4), color="0.3", lw=1, ls=":")
axis.set(xscale="log", xlabel="steps", ylabel="training loss", ylim=(0, 1.6))
axis.legend(fontsize=8, loc="lower left")
plots.show(figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    plateau,
    "tbl-plateau",
    "Runs with four classes: steps taken, the step at the end of the first epoch whose mean training loss is below 1.35 (– if there is none), the last training loss, and how many of the four classes the network uses on TEST at its end.",
    columns=["setting", "seed", "steps", "left", "loss", "classes_used"],
    headings={"left": "Left the plateau", "loss": "Last loss"},
    fmt={"left": ",.0f"},
)

# %% tags=["remove-input"]
usual = plateau[plateau["setting"] == "as in the tables"]
others = plateau.drop(usual.index)
chapter.cite(usual=len(usual), usual_left=int(usual["left"].count()))
assert (others["classes_used"] < 4).mean() > 0.5
chapter.cite(others=len(others), stayed=int(others["left"].isna().sum()))

# %% [markdown]
# With the settings of the tables, {glue:text}`usual_left` of {glue:text}`usual` runs leave the plateau ({numref}`fig-plateau`, {numref}`tbl-plateau`). Of
# {glue:text}`others` runs with the other settings, {glue:text}`stayed` did not leave it, and most of these use fewer than four classes. So few runs,
# in mixed bfloat16, are no proof that a setting can't learn. And in 25 epochs, batches of 128 take only a quarter of the steps. `study.yml` lists
# second and third seeds of all five settings, and batches of 128 for as many steps as the others; {doc}`cost` says which are still to be run.
#
# Which runs of Tables 1 and 2 give every image of TEST the same probabilities at their end?

# %%
nothing, trained = [], 0
for classes, layer in itertools.product(TASKS, ("max", "average")):
    config = {"method": "DCLNN", "task": classes, "pooling": layer}
    for run in comparison.saved(config):
        trained += 1
        if run.is_constant:
            nothing.append(run)
            right, loss = comparison.estimate([run]).value, run.history["loss"]
            print(f"{classes} classes, {layer} pooling, seed {run.config['seed']}:")
            print(f"  accuracy {right:.2f}, loss {loss[0]:.3f}, {loss[1]:.3f} …")
low, high = stats.binomtest(len(nothing), trained).proportion_ci()
print(f"{len(nothing)} of {trained} runs, 95 % CI {low:.0%} to {high:.0%}")

# %% tags=["remove-input"]
(dead,) = nothing
assert dead.config["task"] == "two"
assert np.allclose(dead.history["loss"][1:], np.log(2), atol=1e-3)
chapter.cite(trained=trained, dead=dead.config["seed"])

# %% [markdown]
# One, of seed {glue:text}`dead`. From its second epoch on, its training loss is $\ln 2 \approx 0.693$, that of constant probabilities with two
# classes: nothing of the image reaches its answer. So it is when all hidden units are *dead*: where the input of a ReLU is negative for every
# image, it passes nothing on and gets no gradient. The paper reports no such run. It counts in our means as any other does.
#
# ## Choosing the epoch
#
# *On TEST.* TEST's cells were divided in two at random, again and again. The epoch that is best on one half was
# scored on the other, for each run of Tables 1 and 2.

# %%
halves = epoch_selection.compute_halves(draws=1000)
gains = halves.groupby(["task", "pooling"], as_index=False).agg(
    runs=("seed", "size"), selected=("selected", "mean"), other=("other", "mean")
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    gains,
    "tbl-halves",
    "Accuracy of the best of 25 epochs minus that of epoch 25: on the half of TEST's cells used to choose the epoch, and on the other half. Means over runs and divisions.",
    decimals=3,
    columns=["task", "pooling", "runs", "selected", "other"],
    headings={"selected": "On the half used to choose", "other": "On the other half"},
    fmt=dict.fromkeys(("selected", "other"), "+.3f"),
)

# %% tags=["remove-input"]
gain = 100 * halves[["selected", "other"]].mean()
assert abs(gain["other"]) < 0.5  # "on average none"
chapter.cite(selected=gain["selected"], halved=len(halves), worse=int((halves["other"] < 0).sum()))

# %% [markdown]
# The choice gains {glue:text}`selected:.1f` points on the half used to make it and on average none on the other ({numref}`tbl-halves`); in
# {glue:text}`worse` of {glue:text}`halved` runs the chosen epoch is worse there than epoch 25. The gain is *selection bias*: the luck of the
# cells used to choose.
#
# *Without TEST.* The same network was trained on folds of TRAIN's cells, each cell held out once ({doc}`comparison`); the epoch that is
# best there never saw TEST ({numref}`fig-folds`, {numref}`tbl-chosen`).

# %%
folds = epoch_selection.compute_folds()
tested = comparison.compared("DCLNN", "four")
each = np.array([comparison.accuracies(run, folds["epoch"]) for run in tested])
by_folds = folds["accuracy"].argmax() + 1
chosen = {
    "the paper's": np.full(len(tested), EPOCH),
    "the best on folds of TRAIN's cells": np.full(len(tested), by_folds),
    "each run's best on TEST": each.argmax(axis=1) + 1,
}
picked = pd.DataFrame(
    {
        "epoch": how,
        "number": ", ".join(map(str, np.unique(epochs))),
        "accuracy_on_TEST": each[range(len(tested)), epochs - 1].mean(),
    }
    for how, epochs in chosen.items()
)

# %% mystnb={"figure": {"name": "fig-folds", "caption": "DCLNN with four classes and max pooling. Blue: accuracy on TRAIN's cells, held out in five folds, all together; band: from the lowest fold to the highest; dot: its best epoch. Grey: each run on TEST. Dotted: epoch 25."}, "image": {"alt": "Accuracy over 25 epochs. A blue line for the cells of TRAIN rises and flattens inside a band; thin grey lines of runs on TEST rise with it and jump up and down from epoch to epoch."}}
colour = plots.COLOURS["DCLNN"]
axis = folds.plot(x="epoch", y="accuracy", color=colour, figsize=(7.2, 3))
band = folds["lowest"], folds["highest"]
axis.fill_between(folds["epoch"], *band, color=colour, alpha=0.18)
axis.plot(folds["epoch"], each.T, color="0.35", lw=0.8)
best = folds.loc[folds["accuracy"].idxmax()]
axis.plot(best["epoch"], best["accuracy"], "o", color=colour)
axis.axvline(EPOCH, color="0.5", lw=1, ls=":")
axis.set(ylabel="accuracy", ylim=(0, 1))
axis.legend(axis.lines[:2], ["TRAIN's cells", "TEST, each run"], loc="lower center")
plots.show(axis.figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    picked,
    "tbl-chosen",
    "DCLNN with four classes on TEST after epochs chosen in three ways: mean accuracy over runs.",
    decimals=3,
    columns=list(picked),
    headings={"accuracy_on_TEST": "Accuracy on TEST"},
)

# %% tags=["remove-input"]
fixed, honest, tuned = picked["accuracy_on_TEST"]
chapter.cite(fold_epoch=int(best["epoch"]), honest=honest, fixed=fixed, added=100 * (tuned - fixed))

# %% [markdown]
# The folds choose epoch {glue:text}`fold_epoch`, which gives {glue:text}`honest:.0%` on TEST; epoch 25 gives {glue:text}`fixed:.0%`. Choosing each run's
# best epoch on TEST would add {glue:text}`added:.0f` points to a printed number.
#
# ## Questions
#
# How many runs does it take until twice the standard error of their mean is one point, at the largest SD over seeds?

# %%
wanted = 0.01
most = spread["SD over seeds"].max()
int(np.ceil((2 * most / wanted) ** 2))

# %% tags=["remove-input"]
chapter.cite(q_two_points=int(np.ceil((2 * most / 0.02) ** 2)))
largest = spread.groupby("task")["SD over late epochs"].agg(["min", "max"])
assert largest.loc["two", "max"] < largest.loc["four", "min"]

# %% [markdown]
# **1. How many for two points?** Put 0.02 for 0.01.
#
# :::{dropdown} Answer
# {glue:text}`q_two_points` runs: an error twice as large needs a quarter of the runs. The standard deviation itself comes from a few
# runs and is a rough guess. However many runs there are, the CI over cells stays as wide.
# :::
#
# **2. Is training steadier with two classes?** Compare the standard deviations over late epochs in {numref}`tbl-spread`, and run this
# chapter with `-p task two` ({doc}`run_it_yourself`).
#
# :::{dropdown} Answer
# Yes: with both poolings, accuracy varies about half as much from one late epoch to the next; with the defaults
# its standard deviation is {glue:text}`least_epoch:.0f` to {glue:text}`most_epoch:.0f` points.
# :::
