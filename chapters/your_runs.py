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
# # Your runs
#
# *How do your runs compare with the recorded ones?*
#
# :::{admonition} In short
# Papermill runs a chapter over a grid of settings, epochs and seeds; every run leaves a record. Build the book again, and this page
# sets your runs beside the recorded ones. {glue:text}`state`
# :::
#
# These lines train both poolings with three seeds on few images, in some minutes, and show them here:
#
# ```bash
# cd chapters; mkdir -p mine
# jupytext --to ipynb --output mine/training.ipynb training.py
# for pooling in max average; do for seed in 1 2 3; do
#   papermill mine/training.ipynb mine/$pooling-$seed.ipynb -p profile quick \
#     -p pooling $pooling -p seed $seed -y "settings: {epochs: 12}"
# done; done
# cd .. && jupyter-book build .
# ```
#
# `settings` takes any setting of the method, such as `{hidden: 64, batch_size: 128}`; `-p profile full` trains at the paper's
# scale, `-p source drawn` on synthetic cells, which needs no images. `tables.py` does the same for the baselines, which no seed changes.
# A run with more epochs goes on from the record of the shorter one. Runs on all of the published images lie in
# `results/runs`, all others in the user's cache.
#
# :::{warning}
# A full run with the settings of Tables 1 and 2 and a seed of your own counts there as one more seed: it changes the book's numbers.
# :::

# %%
import textwrap
from itertools import groupby

import matplotlib.pyplot as plt
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots
from bloodlib.book import chapter, tables
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, scores
from bloodlib.models import methods

chapter.begin()  # figures in the book's style
own = study.unlisted()
runs = own
if not own:  # an example
    for row in ("DCLNN", "AveragePooling"):
        runs = runs + comparison.compared(row, "four")

# %% tags=["remove-input"]
chapter.cite(
    state=f"Runs of yours that were found: {len(own)}."
    if own
    else "There is none of yours yet: as an example, it shows the recorded runs of both poolings."
)

# %% [markdown]
# Runs that differ by seed and number format alone belong together; those with the same answers, as of a deterministic method, count
# once. The recorded runs to compare with have the method's default settings, after epoch 25 where there are epochs. A run that was not evaluated on all of TEST, such as a quick one, has no confidence
# interval and is compared with your own run of the default settings on the same images, if there is one.


# %%
def average_recall(confusion):
    return scores.recall(confusion).mean(axis=-1)


def alike(run):
    """What runs of one row have in common: classes, method, settings, images."""
    chance = ("seed", "precision", "epochs")
    config = {k: v for k, v in run.config.items() if k not in chance}
    images, number = config.pop("images"), config.pop("images_per_class")
    words = study.describe(config).partition(", ")[2] or "defaults"
    many = f"{number} a class" if number else "all"
    return (
        run.config["task"],
        run.config["method"],
        words,
        many if images == "published" else f"drawn, {many}",
    )


groups = {}
for key, some in groupby(sorted(runs, key=alike), key=alike):
    distinct = {run.arrays["labels"].tobytes(): run for run in some}
    groups[key] = list(distinct.values())
rows = []
for (task, method, words, images), some in groups.items():
    epoch = min(run.epochs for run in some)
    recorded = comparison.saved({"method": method, "task": task})
    recorded = [run for run in recorded if run not in own]
    usual = groups.get((task, method, "defaults", images), [])
    other, name = usual, "your defaults"
    if comparison.on_test(some):
        other, name = recorded, "recorded"
    row = {"task": task, "method": method, "settings": words, "images": images}
    row["runs"] = len(some)
    row |= {"epoch": epoch if some[0].has_epochs else None}
    for score, of in {"accuracy": scores.accuracy, "recall": average_recall}.items():
        row[score], row[f"{score}_low"], row[f"{score}_high"] = comparison.estimate(
            some, of, epoch=epoch
        )
    row["each"] = [comparison.accuracies(run, [epoch])[0] for run in some]
    if other and {run.id for run in other} != {run.id for run in some}:
        last = min(run.epochs for run in other)
        last = comparison.EPOCH if other is recorded else last
        found = comparison.difference(some, other, epochs=(epoch, last))
        row["minus"] = name
        row["difference"], row["low"], row["high"] = found
    rows.append(row)
names = ["minus", "difference", "low", "high"]
rows = pd.DataFrame(rows)
rows = rows.reindex(columns=[*rows.columns.union(names, sort=False)])
rows[["accuracy", "recall"]] = rows[["accuracy", "recall"]].astype(float)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    rows,
    "tbl-your-runs",
    "Your runs, or recorded ones if you have none: settings that differ from the defaults, the images that were learned from (quick runs have few a class, *drawn* ones are synthetic), how many runs, after which epoch, scores on TEST with their 95 % CI over cells, and the accuracy minus that of what they are compared with.",
    columns=[
        "task", "method", "settings", "images", "runs", "epoch",
        ("accuracy", "accuracy_low", "accuracy_high"), ("recall", "recall_low", "recall_high"),
        ("difference", "low", "high"), "minus",
    ],
    headings={"recall": "Average recall", "minus": "Compared with"},
    fmt={"epoch": ".0f"},
)  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-your-runs", "caption": "Your runs beside the recorded ones (left out where a method has none). Filled: mean accuracy on TEST; small circles: single runs; wide line: 95 % CI over cells, for runs that were evaluated on all of TEST. Dotted: chance."}, "image": {"alt": "Rows of dots, one for each setting that was run, under a row for the recorded runs of its method: mean accuracy on TEST, the single runs around it, and a wide line where there is a confidence interval."}}
shown = [task for task in TASKS if task in set(rows["task"])]
figure, axes = plt.subplots(
    len(shown), 1, figsize=(7.2, 0.8 * len(shown) + 0.42 * (len(rows) + len(shown))), squeeze=False
)
for axis, task in zip(axes[:, 0], shown, strict=True):
    here = rows[rows["task"] == task]
    lines = []
    for method, some in here.groupby("method", sort=False):
        recorded = [
            run for run in comparison.saved({"method": method, "task": task}) if run not in own
        ]
        if own and recorded:
            each = [comparison.accuracies(run, [min(25, run.epochs)])[0] for run in recorded]
            lines.append(
                (f"{methods.NAMES[method]}, recorded", *comparison.estimate(recorded), each, "0.4")
            )
        for row in some.itertuples():
            words = f"{methods.NAMES[method]}, {row.settings}" + (
                f" [{row.images}]" if row.images != "all" else ""
            )
            words = textwrap.fill(words, 40)
            ends = row.accuracy, row.accuracy_low, row.accuracy_high
            lines.append((words, *ends, row.each, plots.COLOURS.get(method, "#0072B2")))
    names, value, low, high, each, colours = zip(*lines, strict=True)
    plots.plot_intervals(axis, range(len(names)), value, low, high, colours, runs=each)
    plots.in_rows([axis], names)
    axis.tick_params(axis="y", labelsize=8)
    axis.axvline(1 / len(TASKS[task]), color="0.5", lw=1, ls=":")
    axis.set(xlim=(0, 1.03), title=f"{task} classes", xlabel="accuracy on TEST")
plots.show(figure)

# %% [markdown]
# Records keep the answers after every epoch, so that a grid over epochs is one run. {numref}`fig-your-epochs` shows its curve.

# %% mystnb={"figure": {"name": "fig-your-epochs", "caption": "Accuracy on TEST after each epoch: your networks in colours, the recorded runs with the default settings in grey. If you have no runs, recorded ones are in colours. Quick runs are on part of TEST."}, "image": {"alt": "Accuracy on TEST over epochs: a line for each run of a network, which rises and jumps from epoch to epoch. Lines of your runs, or of recorded ones if you have none, are coloured; those to compare with are thin and grey."}}
figure, axes = plt.subplots(1, len(shown), figsize=(7.2, 3), sharey=True, squeeze=False)
for axis, task in zip(axes[0], shown, strict=True):
    for run in comparison.saved({"method": "DCLNN", "task": task}) if own else ():
        epochs = range(1, run.epochs + 1)
        axis.plot(epochs, comparison.accuracies(run, epochs), color="0.8", lw=0.8)
    for (classes, method, words, images), some in groups.items():
        if classes == task and some[0].has_epochs:
            colour = None
            for run in some:
                epochs = range(1, run.epochs + 1)
                each = comparison.accuracies(run, epochs)
                (line,) = axis.plot(epochs, each, color=colour, lw=1.2)
                colour = line.get_color()
            which = f" [{images}]" if images != "all" else ""
            line.set_label(f"{methods.NAMES[method]}, {words}{which}")
    axis.set(title=f"{task} classes", xlabel="epoch", ylim=(0, 1))
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, loc="lower right")
axes[0, 0].set_ylabel("accuracy on TEST")
plots.show(figure)

# %% [markdown]
# {numref}`fig-your-runs` and {numref}`tbl-your-runs` have every row. Before you read a difference, look at how far single runs of one row
# lie apart, and at its interval: {doc}`intervals` says what can be concluded, {doc}`epochs` how far seeds and epochs move a score. A
# run on few images or synthetic cells says whether code runs, nothing about the paper.
