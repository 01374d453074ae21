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
# Epoch 25 is as good as any other, as far as 68 cells can tell. Over the late epochs of one run, accuracy has a standard deviation of
# {glue:text}`least_epoch:.0%` to {glue:text}`most_epoch:.0%`, over seeds of {glue:text}`least_seed:.0%` to {glue:text}`most_seed:.0%`. An epoch chosen on TEST
# gains {glue:text}`selected:+.0f` points on the cells that chose it, and {glue:text}`other:+.0f` on others.
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

from bloodlib import study
from bloodlib.analyses import epoch_selection, plots
from bloodlib.book import chapter, figures, interactive, tables
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.evidence.comparison import EPOCH

chapter.begin()  # figures in the style of the book; unknown parameters are refused

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
            row = {"task": classes, "pooling": layer, "seed": run.config["seed"]}
            row |= {"precision": run.config["precision"], "id": run.id, "epoch": epoch}
            accuracy.append(row | {"accuracy": float(scores.accuracy(run.confusion(epoch=epoch)))})
accuracy = pd.DataFrame(accuracy).sort_values(["task", "pooling", "seed", "epoch"])

# %% [markdown]
# ## Number of epochs
#
# The paper's text calls the measure of its Figure 7 precision, its caption accuracy; {numref}`fig-paper-7` has both. On the
# screen, choose the classes, the pooling and the seed, and drag the epoch: the scores below it are what Table 1 or 2 would say had
# training ended there.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-7", "caption": "Precision (as the paper's text says) and accuracy (as its caption says) over epochs: training red, validation (TEST) blue, with its 95 % CI over cells as a band ({doc}`intervals`). Dotted: epoch 25, or the one that you choose. The validation curves jump from epoch to epoch."}, "image": {"alt": "Two panels over epochs, for average precision and accuracy. The red training curves rise smoothly and flatten; the blue validation curves rise with jumps from one epoch to the next, inside a band that is wider than most of the jumps. A dotted vertical line marks epoch 25."}}
run = study.run({"method": "DCLNN", "task": task, "pooling": pooling, "seed": seed})
curves = figures.compute_curves([run])
plots.show(figures.plot_curves(curves, ("precision", "accuracy"), mark=EPOCH))

# %% tags=["remove-input"]
interactive.show("curves", "fig-paper-7", interactive.compute_curves(run))

# %% tags=["remove-input"]
own = accuracy[accuracy["id"] == run.id].set_index("epoch")["accuracy"]
best = int(own.idxmax())
chapter.cite(
    best=best,
    rank=int((own > own[EPOCH]).sum()) + 1,
    gain=comparison.signed(*comparison.difference([run], [run], epochs=(best, EPOCH))),
    seconds=run.seconds / run.epochs,
)

# %% [markdown]
# In this run, epoch {glue:text}`best` is the best, and epoch 25 ranks {glue:text}`rank`. The best minus epoch 25, on the same cells, is
# {glue:text}`gain` in accuracy (95 % CI), although the best was picked after the fact. An epoch took {glue:text}`seconds:.0f`
# seconds. And the validation images are TEST: a number of epochs chosen from this figure is chosen on the test set.
#
# Some seeds with four classes and max pooling were trained on to epoch 40 ({numref}`fig-longer`).

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-longer", "caption": "Runs that go on after epoch 25 (dotted): the mean over seeds, training red and validation blue, with the range of the seeds as a band. Training improves to the end; accuracy on TEST goes on jumping."}, "image": {"alt": "Three panels over epochs, for average precision, accuracy and loss. The red training curves of precision and accuracy rise smoothly to the end and that of loss falls. The blue validation curves jump, in a band as wide as their jumps, and rise little after the dotted epoch 25; validation loss does not fall with training loss."}}
longer = [run for run in comparison.compared("DCLNN", "four") if run.epochs >= 40]
means = figures.compute_curves(longer)
plots.show(figures.plot_curves(means, ("precision", "accuracy", "loss"), mark=EPOCH))

# %% tags=["remove-input"]
at = means.set_index(["images", "epoch"])
late = comparison.difference(longer, longer, epochs=(range(31, 41), comparison.LATE))
assert late.low < 0 < late.high
assert at.loc[("training", 40), "loss"] < at.loc[("training", EPOCH), "loss"]
chapter.cite(
    longer=len(longer),
    loss_25=at.loc[("training", EPOCH), "loss"],
    loss_40=at.loc[("training", 40), "loss"],
    late=comparison.signed(*late),
)

# %% [markdown]
# In {glue:text}`longer` seeds, training loss falls from {glue:text}`loss_25:.2f` to {glue:text}`loss_40:.2f`. The mean accuracy on TEST after
# epochs 31 to 40 minus that after epochs 16 to 25 is {glue:text}`late`; the CI over cells includes zero.
#
# ## Seeds

# %%
at25 = accuracy[accuracy["epoch"] == EPOCH]
late = accuracy[accuracy["epoch"].isin(comparison.LATE)]
by_run = late.groupby(["task", "pooling", "id"])["accuracy"].agg(["min", "max", "mean", "std"])
network = ["task", "pooling"]
spread = at25.groupby(network)["accuracy"].agg(runs="size", mean="mean", over_seeds="std")
spread["over_epochs"] = by_run["std"].pow(2).groupby(network).mean().pow(0.5)
spread["float32"] = at25["precision"].eq("float32").groupby([at25[key] for key in network]).sum()

# %% tags=["remove-input"]
spread = spread.reset_index()
for place, row in spread.iterrows():
    own_runs = comparison.saved({"method": "DCLNN", "task": row["task"], "pooling": row["pooling"]})
    _, *over_cells = comparison.estimate(own_runs)
    _, *over_both = comparison.estimate(own_runs, seeds=True)
    ends = ["low", "high", "both_low", "both_high"]
    spread.loc[place, ends] = np.array([*over_cells, *over_both], dtype=float)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-seeds", "caption": "Accuracy on TEST of every run with the notebook's settings, by seed. Point: after epoch 25, filled for float32, hollow for mixed bfloat16. Thin line: its last ten epochs up to there. At the right the mean over seeds with its 95 % CI over cells. Dotted: chance. The lines of single runs are longer than the points are apart."}, "image": {"alt": "Two panels, four and two classes. Over each seed stand a dark point for max pooling and, for some, a pale one for average pooling, each on a thin line, the range of its last ten epochs. The points lie close together and the lines are several times longer. Right: two means stand on long wide lines, the confidence intervals."}}
figure, axes = plt.subplots(1, len(TASKS), figsize=(7.2, 3.4), sharey=True)
last = accuracy["seed"].max() + 1
for axis, classes in zip(axes, TASKS, strict=True):
    for layer, aside in (("max", -0.15), ("average", 0.15)):
        colour = plots.COLOURS[f"{layer.capitalize()}Pooling"]
        own = at25[(at25["task"] == classes) & (at25["pooling"] == layer)]
        ends = by_run.loc[classes, layer].loc[own["id"]]
        axis.vlines(own["seed"] + aside, ends["min"], ends["max"], color=colour, lw=1)
        faces = np.where(own["precision"] == "float32", colour, "white")
        axis.scatter(own["seed"] + aside, own["accuracy"], c=faces, edgecolors=colour, zorder=3)
        mean = spread[(spread["task"] == classes) & (spread["pooling"] == layer)].iloc[0]
        axis.vlines(last + aside, mean["low"], mean["high"], color=colour, lw=5, alpha=0.3)
        axis.plot(last + aside, mean["mean"], "o", color=colour, label=f"{layer} pooling")
    axis.axhline(1 / len(TASKS[classes]), color="0.5", lw=1, ls=":")
    axis.set(title=f"{classes} classes", xlabel="seed", ylim=(0, 1))
    axis.set_xticks(range(last + 1), [*range(last), "mean"])
axes[0].set_ylabel("accuracy on TEST")
axes[0].legend(loc="lower left", fontsize=8)
plots.show(figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    spread,
    "tbl-spread",
    "Accuracy on TEST after epoch 25: mean over runs with its 95 % CI over cells, for these runs, and over cells and seeds ({doc}`intervals`); and standard deviations (SD) over seeds and over the last ten epochs of a run. The other runs of each row are in mixed bfloat16.",
    decimals=3,
    columns=[
        "task",
        "pooling",
        "runs",
        "float32",
        ("mean", "low", "high"),
        ("both_low", "both_high"),
        "over_seeds",
        "over_epochs",
    ],
    headings={
        "float32": "In float32",
        "mean": "Mean (over cells)",
        "both_low": "Over cells and seeds",
        "over_seeds": "SD over seeds",
        "over_epochs": "SD over late epochs",
    },
    fmt={"both_low": "{:.2f}–{:.2f}".format},
)

# %% tags=["remove-input"]
width = spread["high"] - spread["low"]
assert (width > spread[["over_seeds", "over_epochs"]].max(axis=1)).all()
chapter.cite(
    least_epoch=spread["over_epochs"].min(),
    most_epoch=spread["over_epochs"].max(),
    least_seed=spread["over_seeds"].min(),
    most_seed=spread["over_seeds"].max(),
)

# %% [markdown]
# {numref}`fig-seeds` and {numref}`tbl-spread` set three sources of variation side by side: the epoch at which one stops, the seed, and the cells.
# The CI over cells is the widest. It is about other cells and not about other seeds (the next column is over both): more runs make
# the mean steadier and leave this interval as wide as it is. Rounding to 16 bits changes a run as another seed would, so that
# runs of both precisions count as seeds here; {numref}`tbl-seed-runs` lists them.

# %% tags=["remove-input", "hide-output"] mystnb={"markdown_format": "myst", "code_prompt_show": "Show the table", "code_prompt_hide": "Hide the table"}
listed = at25.merge(by_run.reset_index(), on=["task", "pooling", "id"])
tables.show(
    listed,
    "tbl-seed-runs",
    "Every run with the notebook's settings: accuracy on TEST after epoch 25, and over the ten epochs up to there.",
    columns=["task", "pooling", ("seed", "id"), "precision", "accuracy", ("min", "max", "mean")],
    headings={"accuracy": "Epoch 25", "min": "Last ten epochs"},
    fmt={"seed": tables.link, "min": "{:.2f} to {:.2f}, mean {:.2f}".format},
)

# %% [markdown]
# ## The plateau
#
# Every run begins on a plateau: its training loss is that of constant probabilities, $\ln 4 \approx 1.39$ with four classes, until the
# network finds something to learn. Runs of five other settings of the network were still there at their end. How long is long?

# %%
settings = {
    "as in the tables": {},
    "batches of 128": {"batch_size": 128},
    "tanh": {"activation": "tanh"},
    "Adam, 0.001": {"optimizer": "Adam", "learning_rate": 0.001},
    "Adadelta, 0.001": {"learning_rate": 0.001},
    "SGD, 0.01": {"optimizer": "SGD", "learning_rate": 0.01},
}
plateau = []
for words, changed in settings.items():
    for run in comparison.saved({"method": "DCLNN", "task": "four"} | changed):
        loss = np.array(run.history["loss"])
        steps = -(-int(run.confusion("TRAIN").sum()) // run.config["batch_size"])
        left = np.flatnonzero(loss < 1.35)[:1] + 1
        row = {"setting": words, "seed": run.config["seed"], "steps": steps * len(loss)}
        row |= {"left": float(left[0] * steps) if len(left) else np.nan, "loss": loss[-1]}
        answers = len(np.unique(run.arrays["labels"][-1]))
        plateau.append(row | {"answers": answers, "each": steps, "curve": loss})
plateau = (
    pd.DataFrame(plateau)
    .sort_values("seed")
    .sort_values("setting", key=lambda words: words.map(list(settings).index), kind="stable")
)

# %% mystnb={"figure": {"name": "fig-plateau", "caption": "Training loss with four classes over steps, one line a run. Dotted: the loss of constant probabilities. Grey: runs with the settings of the tables, which leave the plateau one after the other; batches of 128 take fewer steps in as many epochs."}, "image": {"alt": "Training loss over steps on a logarithmic axis. Six grey lines start at the dotted line of constant probabilities and fall away from it one after another; five coloured lines stay on the dotted line to their end, and that of batches of 128 ends early."}}
figure, axis = plt.subplots(figsize=(7.2, 3.2))
for words, own in plateau.groupby("setting", sort=False):
    colour = "0.6" if words == "as in the tables" else None
    for run in own.itertuples():
        epochs = np.arange(1, len(run.curve) + 1)
        (line,) = axis.plot(epochs * run.each, run.curve, color=colour, lw=1.2)
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
    "Runs with four classes: steps taken, the step at the end of the first epoch whose mean training loss is below 1.35 (– if there is none), the last training loss, and how many of the four classes the network answers on TEST at its end.",
    columns=["setting", "seed", "steps", "left", "loss", "answers"],
    headings={"left": "Left the plateau", "loss": "Last loss", "answers": "Classes answered"},
    fmt={"left": ",.0f"},
)

# %% tags=["remove-input"]
usual = plateau[plateau["setting"] == "as in the tables"]
others = plateau.drop(usual.index)
short = others[others["setting"] == "batches of 128"].iloc[0]
flat = others[others["left"].isna()]
chapter.cite(
    first_left=usual["left"].min(),
    last_left=usual["left"].max(),
    usual=len(usual),
    usual_left=int(usual["left"].count()),
    others=len(others),
    flat=len(flat),
    collapsed=int((flat["answers"] == 1).sum()),
    short=int(short["steps"]),
)

# %% [markdown]
# With the settings of the tables, {glue:text}`usual_left` of {glue:text}`usual` runs leave the plateau, after {glue:text}`first_left:,.0f` to {glue:text}`last_left:,.0f` steps
# ({numref}`fig-plateau`, {numref}`tbl-plateau`). Of {glue:text}`others` runs with the other settings, {glue:text}`flat` did not leave it;
# {glue:text}`collapsed` of these collapsed to a single answer for every image. So few runs, in mixed bfloat16, are no proof that a setting
# can't learn. And in 25 epochs, batches of 128 take only {glue:text}`short:,` steps. `study.yml` lists second and third seeds of all five settings, and batches of 128 for as many steps as
# the others; {doc}`cost` says which are still to be run.
#
# ## Choosing the epoch
#
# *On TEST.* TEST's cells were divided in two at random, {glue:text}`draws:,` times. The epoch that is best on one half was
# scored on the other, for each run of Tables 1 and 2.

# %%
draws = 1000
halves = epoch_selection.compute_halves(draws)
gains = halves.groupby(["task", "pooling"], as_index=False).agg(
    runs=("seed", "size"), selected=("selected", "mean"), other=("other", "mean")
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    gains,
    "tbl-halves",
    "Accuracy of the best of 25 epochs minus that of epoch 25: on the half of TEST's cells that chose the epoch, and on the other half. Means over runs and divisions.",
    decimals=3,
    columns=["task", "pooling", "runs", "selected", "other"],
    headings={"selected": "On the half that chose", "other": "On the other half"},
    fmt=dict.fromkeys(("selected", "other"), "+.3f"),
)

# %% tags=["remove-input"]
assert halves["selected"].mean() > 2 * halves["other"].mean()
chapter.cite(
    draws=draws,
    selected=100 * halves["selected"].mean(),
    other=100 * halves["other"].mean(),
    worse=int((halves["other"] < 0).sum()),
    halved=len(halves),
    epochs=int(halves["epochs"].median()),
)

# %% [markdown]
# Over all {glue:text}`halved` runs the choice gains {glue:text}`selected:+.1f` points on the half that made it and {glue:text}`other:+.1f` on the other
# ({numref}`tbl-halves`); in {glue:text}`worse` runs the chosen epoch is worse there than epoch 25. Another half chooses another epoch:
# {glue:text}`epochs` different ones in the median run. Most of the gain is the luck of the cells that one chose on.
#
# *Without TEST.* The same network was trained on folds of TRAIN's cells, each cell held out once ({doc}`comparison`); the epoch that is
# best there never saw TEST ({numref}`fig-folds`, {numref}`tbl-chosen`).

# %%
folds = epoch_selection.compute_folds()
tested = comparison.compared("DCLNN", "four")
each = np.array([comparison.accuracies(run, folds["epoch"]) for run in tested])
chosen = {
    "the paper's": np.full(len(tested), EPOCH),
    "the best on folds of TRAIN's cells": np.full(len(tested), folds["accuracy"].argmax() + 1),
    "each run's best on TEST": each.argmax(axis=1) + 1,
}
picked = pd.DataFrame(
    {
        "chosen": how,
        "epochs": ", ".join(map(str, sorted(set(epochs.tolist())))),
        "accuracy": each[range(len(tested)), epochs - 1].mean(),
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
axis.legend(axis.lines[:2], ["TRAIN's cells", "TEST, each run"], loc="lower right")
plots.show(axis.figure)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    picked,
    "tbl-chosen",
    "DCLNN with four classes on TEST after epochs chosen in three ways: mean accuracy over runs.",
    decimals=3,
    columns=["chosen", "epochs", "accuracy"],
    headings={"chosen": "Epoch", "epochs": "Which", "accuracy": "Accuracy on TEST"},
)

# %% tags=["remove-input"]
fixed, honest, tuned = picked["accuracy"]
chapter.cite(fold_epoch=int(best["epoch"]), fixed=fixed, honest=honest, tuned=tuned)

# %% [markdown]
# The folds choose epoch {glue:text}`fold_epoch`, which gives {glue:text}`honest:.0%` on TEST; epoch 25 gives {glue:text}`fixed:.0%`, and each
# run's best epoch on TEST {glue:text}`tuned:.0%`. The last minus the first is what choosing on TEST can add to a printed number.
#
# ## Questions
#
# So many runs are needed until the mean of a network's runs is known to one point, twice its standard error, where
# seeds differ most:

# %%
wanted = 0.01
most = spread["over_seeds"].max()
int(np.ceil((2 * most / wanted) ** 2))

# %% tags=["remove-input"]
two = accuracy[(accuracy["task"] == "two") & (accuracy["pooling"] == "max")]
steps = {
    classes: own.groupby("id")["accuracy"]
    .apply(lambda run: run.iloc[15:25].diff().abs().mean())
    .mean()
    for classes, own in accuracy[accuracy["pooling"] == "max"].groupby("task")
}
assert steps["two"] < steps["four"]
chapter.cite(
    q_two_points=int(np.ceil((2 * most / 0.02) ** 2)),
    q_step_two=100 * steps["two"],
    q_step_four=100 * steps["four"],
)

# %% [markdown]
# **1. And until it is known to two points?** Put 0.02 for 0.01.
#
# :::{dropdown} Answer
# {glue:text}`q_two_points` runs: half the precision costs a quarter of the runs. The standard deviation itself comes from a few
# runs and is a rough guess. However many runs there are, the CI over cells stays as wide.
# :::
#
# **2. Is training steadier with two classes?** Run this chapter with `-p task two` ({doc}`run_it_yourself`), and look at
# how far accuracy moves from one late epoch to the next.
#
# :::{dropdown} Answer
# A little: by {glue:text}`q_step_two:.1f` points on average with two classes, by {glue:text}`q_step_four:.1f` with four.
# :::
