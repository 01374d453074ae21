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
# # Computing cost
#
# *What it costs*
#
# A result that takes days to repeat is seldom repeated. This page says how long the pieces of the book take, beside
# other ways to do the same work, and how many hours the recorded runs took.

# %% tags=["remove-input"]
import json

import matplotlib.pyplot as plt
import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, tables
from bloodlib.data import stored
from bloodlib.study import records

chapter.begin()

# %%
measured = json.loads((stored.results_folder() / "bench.json").read_bytes())
rows = pd.DataFrame(measured["rows"]).set_index("row")
training = rows[rows.index.str.startswith("training")]
contests = rows.drop(training.index).dropna(subset=["ratio"])

# %% tags=["remove-input"]
chapter.cite(processor=measured["machine"]["processor"], memory=measured["machine"]["memory_gb"])

# %% [markdown]
# Everything was measured on one machine ({glue:text}`processor`, {glue:text}`memory` GB of memory, no graphics card,
# with 16-bit instructions). `make bench` measures it on yours with pytest-benchmark, and writes the rows below to
# `_build/bench.json`. Seconds depend on the machine, so {numref}`fig-ratios` shows ratios: the median of our way
# against the median of the fastest alternative.

# %% mystnb={"figure": {"name": "fig-ratios", "caption": "Speed-up over the fastest alternative, which is named below the work; logarithmic axis, 1 is equally fast."}, "image": {"alt": "Horizontal bars on a logarithmic axis. The bars of the support vector machines are the longest by far; that of decoding JPEG files points to the left: Keras' loader is faster."}}
figure, axis = plt.subplots(figsize=(7.2, 3))
names = [f"{work}\n{best}" for work, best in contests["best"].items()]
axis.barh(names, contests["ratio"] - 1, left=1)
axis.bar_label(axis.containers[0], [f"{ratio:.3g}" for ratio in contests["ratio"]], padding=4)
axis.set(xscale="log", xlabel="times as fast as the fastest alternative", xlim=(0.2, 200))
axis.invert_yaxis()
plots.show(figure)

# %% [markdown]
# ## Training

# %% tags=["hide-input"] mystnb={"markdown_format": "myst"}
speeds = [
    {
        "Work": work,
        "Way": way.replace("ours", "Keras with layers of our own"),
        "Images/s": f"{speed:.0f}",
        "Against Keras, float32": f"{speed / row['peers']['Keras on tensorflow, float32']:.2f}",
    }
    for work, row in training.iterrows()
    for way, speed in ({row["ours_is"]: row["ours"]} | row["also"] | row["peers"]).items()
]
tables.show(
    pd.DataFrame(speeds),
    "tbl-training-speed",
    "Images a second in training. Mixed bfloat16 multiplies in 16 bits and keeps the weights in 32.",
)

# %% tags=["remove-input"]
for name, precision in {"usual": "float32", "short": "mixed_bfloat16"}.items():
    gains = [
        (row["also"] | {row["ours_is"]: row["ours"]})[f"ours, {precision}"]
        / row["peers"][f"Keras on tensorflow, {precision}"]
        for _, row in training.iterrows()
    ]
    chapter.cite({f"least_{name}": min(gains), f"most_{name}": max(gains)})

# %% [markdown]
# The networks are trained in Keras on TensorFlow, the fastest of the frameworks here ({numref}`tbl-training-speed`). Nearly
# all of a step is spent in the second convolution. We tried to shorten the rest with layers and an optimizer of our own: a
# gradient of the pooling layer that remembers where each maximum was, dropout from random numbers of 8 bits, and Adadelta in
# one pass. They were {glue:text}`least_usual:.2f` to {glue:text}`most_usual:.2f` times as fast in 32 bits, and
# {glue:text}`least_short:.2f` to {glue:text}`most_short:.2f` times in 16. That was not worth their code, and they were left out. The
# recorded runs of DCLNN in 16 bits were trained with them: run again, they start from the same weights and see the same images in the
# same order, but other nodes are dropped.
#
# Processors without 16-bit instructions (AVX-512 BF16 or AMX) emulate bfloat16, and train more *slowly* with it than in
# 32 bits.
#
# ## Support vector machines and images

# %% tags=["remove-input"]
svm, decoding = rows.loc["SVM, 9,957 images"], rows.loc["decoding JPEG files"]
chapter.cite(svm_ours=svm["ours"], svm_peer=svm["peers"][svm["best"]] / 60)
chapter.cite(decoding_loop=decoding["ours"] / decoding["peers"]["Pillow in a loop"])
chapter.cite(decoding_best=decoding["best"], loading=rows["ours"]["loading TRAIN, decoded before"])

# %% [markdown]
# scikit-learn computes an RBF kernel one inner product at a time. We compute all of them by one product of matrices and
# give scikit-learn the kernel ({doc}`tables`): for all images and both tasks {glue:text}`svm_ours:.0f` seconds
# where scikit-learn's own kernel takes {glue:text}`svm_peer:.0f` minutes, with the same labels. That was measured when both
# tasks still shared one kernel; now each run computes its own, so that its time does not depend on what ran before.
#
# Decoding the images is done once on a machine; afterwards TRAIN is loaded in {glue:text}`loading:.2f` s. Decoding is
# {glue:text}`decoding_loop:.1f` times as fast as a plain loop with Pillow, and slower than {glue:text}`decoding_best`,
# which computes each pixel from four neighbours instead of from all that it covers, and so returns other pixels.
#
# ## The study

# %%
runs = pd.DataFrame(
    [
        {
            "Method": run.config["method"],
            "On": run.environment["device"].replace("processor", run.environment["processor"]),
            "Hours": run.seconds / 3600,
        }
        for run in records.read_all()
    ]
)
hours = runs.groupby(["Method", "On"])["Hours"].agg(Runs="size", Hours="sum", Longest="max")

# %% tags=["remove-input"]
chapter.cite(study_runs=len(runs), study_hours=runs["Hours"].sum())

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    hours.sort_values("Hours", ascending=False).reset_index(),
    "tbl-study-cost",
    "Hours of the recorded runs, training and prediction, by method and device. The time of a support vector machine depends on whether an earlier run had left its kernel in memory.",
)

# %% [markdown]
# The {glue:text}`study_runs` recorded runs took {glue:text}`study_hours:.1f` hours ({numref}`tbl-study-cost`). Some of
# them shared the machine with other work, so that their times are upper limits.
#
# ## Questions
#
# **1. What would a wider hidden layer cost?** The paper leaves its width blank. These are the billions of additions and
# multiplications for one training image: backward, each layer has as many again for its weights and for its input,
# which only the first layer doesn't need. Put `hidden = 512`.

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
# {glue:text}`q_hidden:.2f` times the operations, for four times the hidden nodes. Nearly all parameters are in the hidden
# layer ({doc}`network`), nearly all operations in the second convolution.
# :::
#
# **2. What would the images cost as they were published?** Put `height, width = 240, 320`.
#
# :::{dropdown} Answer
# A little more than {glue:text}`q_size:.0f` times the operations, as many times as there are more pixels. That is perhaps why
# the network sees its images at 60 × 80.
# :::
