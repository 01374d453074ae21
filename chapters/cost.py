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
# # Cost
#
# *How long does it take, and what is still to be run?*
#
# :::{admonition} In short
# The {glue:text}`study_runs` recorded runs took {glue:text}`study_hours:.0f` hours on processors with two cores. {glue:text}`missing_runs` runs of `study.yml`
# have no record yet and would take about {glue:text}`missing_hours:.0f` more; `bloodlib study` computes them.
# :::

# %%
import json

import matplotlib.pyplot as plt
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots
from bloodlib.book import chapter, tables
from bloodlib.data import stored
from bloodlib.models.methods import NAMES
from bloodlib.study import records

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The study
#
# {numref}`tbl-study-cost` has the hours by method, {numref}`tbl-runs` the median time of a run.

# %%
runs = pd.DataFrame(
    {
        "method": (NAMES | {"KNN": "nearest neighbours"})[run.config["method"]],
        "number_format": run.config.get("precision", "float32").removeprefix("mixed_"),
        "on": where["device"].replace("processor", where["processor"]),
        "hours": run.seconds / 3600,
        "longest": run.seconds / 3600,
    }
    for run in records.read_all()
    for where in [run.environment]
)
hours = runs.groupby(["method", "number_format", "on"], as_index=False).agg(
    runs=("hours", "size"), hours=("hours", "sum"), longest=("longest", "max")
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    hours.sort_values("hours", ascending=False),
    "tbl-study-cost",
    "Hours of the recorded runs, training and prediction, by method, number format and device. Other work ran on some of these machines, so these are upper limits; the time of an SVM depends on whether an earlier run had left its kernel in memory.",
    columns=["method", "number_format", "on", "runs", "hours", "longest"],
)

# %% [markdown]
# What `study.yml` lists and no record has yet is in {numref}`tbl-missing`, the most useful first. This book reports nothing of these runs.

# %%
missing = pd.DataFrame(
    {
        "run": study.describe({k: v for k, v in config.items() if k not in ("seed", "fold")}),
        "seed": config["seed"],
        "hours": study.estimate_hours(config),
    }
    for config in study.runs()
    if study.is_open(config)
).reindex(columns=["run", "seed", "hours"])
listed = missing.groupby("run", sort=False, as_index=False).agg(
    seeds=("seed", lambda some: ", ".join(map(str, sorted(set(some))))),
    runs=("hours", "size"),
    hours=("hours", "sum"),
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    listed,
    "tbl-missing",
    "Runs of `study.yml` without a record, and the hours that they may take: as many as the median recorded run of the same method and number format, by epochs.",
    decimals=1,
    columns=["run", "seeds", "runs", "hours"],
)

# %% tags=["remove-input"]
short = runs[(runs["method"] == "DCLNN") & (runs["number_format"] == "bfloat16")]
chapter.cite(
    study_runs=len(runs),
    study_hours=runs["hours"].sum(),
    missing_runs=len(missing),
    missing_hours=missing["hours"].sum(),
    short=len(short),
    emulated=int(short["on"].str.contains("Xeon").sum()),
)

# %% [markdown]
# ## Training
#
# {numref}`tbl-training-speed` and {numref}`fig-ratios` are of one machine without a GPU ({glue:text}`processor`, {glue:text}`memory` GB of memory); `make bench`
# measures yours.

# %%
measured = json.loads((stored.results_folder() / "bench.json").read_bytes())
rows = pd.DataFrame(measured["rows"]).set_index("row")
training = rows[rows.index.str.startswith("training")]
speeds = pd.DataFrame(
    {
        "batch": work.removeprefix("training, batches of "),
        "way": way.replace("ours", "Keras with layers of our own").replace("_", " "),
        "speed": speed,
        "against": speed / row["peers"]["Keras on tensorflow, float32"],
    }
    for work, row in training.iterrows()
    for way, speed in ({row["ours_is"]: row["ours"]} | row["also"] | row["peers"]).items()
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    speeds,
    "tbl-training-speed",
    "Images a second in training, by batch size. Mixed bfloat16 multiplies in 16 bits and keeps the weights in 32.",
    columns=["batch", "way", "speed", "against"],
    headings={"speed": "Images/s", "against": "Against Keras, float32"},
    fmt={"speed": ".0f"},
)

# %% tags=["remove-input"]
own = speeds[speeds["way"].str.startswith("Keras with layers")]
stock = speeds[speeds["way"].str.startswith("Keras on tensorflow, ")].set_index(["batch", "way"])
gains = [
    row.speed
    / stock.loc[(row.batch, row.way.replace("with layers of our own", "on tensorflow")), "speed"]
    for row in own.itertuples()
]
chapter.cite(
    processor=measured["machine"]["processor"],
    memory=measured["machine"]["memory_gb"],
    least=min(gains),
    most=max(gains),
)

# %% [markdown]
# Keras on TensorFlow is the fastest framework here. Layers and an optimizer of our own were {glue:text}`least:.2f` to {glue:text}`most:.2f` times as fast,
# not worth their code, and were left out again. Most recorded runs in mixed bfloat16 were trained with them: run again, their
# dropout draws other nodes.
#
# {glue:text}`emulated` of the {glue:text}`short` recorded runs in mixed bfloat16 are of a processor without 16-bit instructions (AVX-512 BF16 or AMX).
# It emulates bfloat16 and is slower with it than in float32, as `bloodlib study` says before it starts.
#
# ## Support vector machines and images

# %% mystnb={"figure": {"name": "fig-ratios", "caption": "Speed-up over the fastest alternative measured, which is named below the work: its median time over that of our code; logarithmic axis, 1 is equally fast. The support vector machines are tens of times faster than scikit-learn's own kernel, but slower than scikit-learn-intelex in float32 (the row with processor time)."}, "image": {"alt": "Horizontal bars on a logarithmic axis. Against scikit-learn the bars of the support vector machines are the longest by far; against scikit-learn-intelex one points to the left, as that of decoding JPEG files does: Keras' loader is faster."}}
contests = rows.drop(training.index).dropna(subset=["ratio"])
figure, axis = plt.subplots(figsize=(7.2, 3.5))
names = [f"{work}\n{best}" for work, best in contests["best"].items()]
axis.barh(names, contests["ratio"] - 1, left=1)
labels = contests["ratio"].map("{:.3g}".format)
axis.bar_label(axis.containers[0], labels, padding=4)
axis.set(xscale="log", xlabel="times as fast as the alternative", xlim=(0.2, 200))
axis.set_xticks([1, 10, 100], ["1", "10", "100"])
axis.invert_yaxis()
plots.show(figure)

# %% tags=["remove-input"]
svm = rows.loc["SVM, 9,957 images"]
intel = rows.loc["SVM, 1,000 images, processor time"]
double, single = (
    intel["peers"][f"scikit-learn-intelex, {kind}"] / intel["ours"]
    for kind in ("float64", "float32")
)
assert rows.loc["decoding JPEG files", "ratio"] < 1
assert single < 1 < double
chapter.cite(
    svm_ours=svm["ours"],
    svm_peer=svm["peers"][svm["best"]] / 60,
    intel_double=double,
    intel_single=single,
)

# %% [markdown]
# One product of matrices gives the RBF kernel of all images: {glue:text}`svm_ours:.0f` seconds for both tasks, where scikit-learn's own kernel takes
# {glue:text}`svm_peer:.0f` minutes, with the same labels. The better peer is scikit-learn-intelex, Intel's code behind the same interface: for 1,000 images,
# on one thread of another processor, it takes {glue:text}`intel_single:.2f` times our time in float32 and {glue:text}`intel_double:.2f` times in float64,
# while ours computes probabilities as well. Keras' loader decodes images faster, from four neighbours of a pixel, and returns other
# pixels.
#
# ## Question
#
# **What would a wider hidden layer cost, or images as they were published?** These are the billions of additions and multiplications of
# a training step for one image. Put `hidden = 512`, then `height, width = 240, 320`.

# %%
height, width, hidden, classes = 60, 80, 128, 4
first = (height - 2) * (width - 2) * 32 * 9 * 3
second = (height - 4) * (width - 4) * 64 * 9 * 32
dense = ((height - 4) // 2) * ((width - 4) // 2) * 64 * hidden + hidden * classes
operations = 2 * (2 * first + 3 * (second + dense)) / 1e9
operations

# %% tags=["remove-input"]
wider = operations + 6 * ((height - 4) // 2 * ((width - 4) // 2) * 64 + classes) * 384 / 1e9
chapter.cite(q_hidden=wider / operations, q_size=240 * 320 / (height * width))

# %% [markdown]
# :::{dropdown} Answer
# {glue:text}`q_hidden:.2f` times the operations for four times the hidden nodes, which hold nearly all parameters ({doc}`network`). Larger images
# need a little more than {glue:text}`q_size:.0f` times the operations, as many times as they have more pixels.
# :::
