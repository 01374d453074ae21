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
# # What it costs
#
# A result that takes days to repeat is seldom repeated. Here is what the pieces of this book cost, beside other
# ways to do the same, and how near that comes to what a machine can do at all.

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib.analyses import bench, cost
from bloodlib.book import chapter, tables

chapter.begin()
machine = bench.read()["machine"]
rows = {row["row"]: row for row in bench.read()["rows"]}
glue("processor", machine["processor"], display=False)
glue("memory", machine["memory_gb"], display=False)
glue("rounds", len(rows["training"]["rounds"]["float32"]), display=False)
seconds = {name: row["made"]["seconds"] for name, row in rows.items()}
longest = sum(seconds.pop(name) for name in ("svm-full", "loss-curves"))
glue("minutes", sum(seconds.values()) / 60, display=False)
glue("long_minutes", longest / 60, display=False)
others = {name: row["made"]["others"] for name, row in rows.items() if name != "loss-curves"}
busiest = max(others, key=others.get)
glue("busiest", rows[busiest]["work"], display=False)
glue("others", others[busiest], display=False)
glue("others_median", sorted(others.values())[len(others) // 2], display=False)

# %% [markdown]
# All of it was measured on one machine ({glue:text}`processor`, {glue:text}`memory` GB of memory, no graphics card)
# with one command, and can be measured on another:
#
# ```bash
# bloodlib bench           # all but the two longest rows
# bloodlib bench --full    # with them: the SVM on all images, and the loss curves
# ```
#
# That took {glue:text}`minutes:.0f` minutes, and {glue:text}`long_minutes:.0f` more for the longest two.
#
# Seconds tell of a machine as much as of a program, so ratios come first. Ours and every other way are started as
# programs of their own, get ready, and are then given turns on the whole machine, {glue:text}`rounds` rounds of
# them or fewer where one takes minutes. What slows the machine down for a while slows all of them. What is compared
# are medians ({numref}`fig-ratios`), and beside each speed the answers are compared too. Other programs took {glue:text}`others_median:.0%` of
# the processors in the median of all measurements, and {glue:text}`others:.0%` in the one that was disturbed most
# ({glue:text}`busiest`).

# %%
ratios = cost.load_ratios()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-ratios", "caption": "How many times better ours is than the best other way that was measured, which is named below the work. Black lines: from the least to the greatest ratio of a round. Orange: what was aimed at."}, "image": {"alt": "Bars on a logarithmic scale that start at one, equally good. Those of the support vector machines are the longest by far. Those of training and of the matching of photographs are short, and that of JPEG files points the other way: Keras' loader is quicker."}}
cost.plot_ratios(ratios)
plt.show()

# %% [markdown]
# ## Training
#
# A training image takes DCLNN {glue:text}`operations:.2f` billion additions and multiplications, forward and
# backward, and nearly all of them are in the second convolution. How fast a processor can do such work at most is
# measured by multiplying two matrices of 2,048 rows: {glue:text}`peak_float32:.0f` billion operations a second with
# numbers of 32 bits, {glue:text}`peak_mixed_bfloat16:.0f` billion with numbers of 16 (bfloat16).

# %% tags=["remove-input"]
training = rows["training"]
each = training["also"] | {training["ours_is"]: training["ours"]}
glue("operations", bench.operations() / 1e9, display=False)
for precision, value in each.items():
    peer = training["peers"][f"Keras {precision}"]
    limit = training["limits"][precision]
    glue(f"peak_{precision}", limit * bench.operations() / 1e9, display=False)
    glue(f"speed_{precision}", value, display=False)
    glue(f"against_{precision}", value / peer, display=False)
    glue(f"share_{precision}", value / limit, display=False)
glue("against_stock", training["ours"] / training["peers"]["Keras float32"], display=False)
glue("fastest", training["ours_is"], display=False)
glue("training_ratio", training["ratio"], display=False)
glue("training_best", training["best"], display=False)
for name in ("training", "training-128"):
    row, key = rows[name], name.replace("-", "_")
    wanted = row["target"] * row["peers"][row["best"]]
    glue(f"{key}_wanted", wanted, display=False)
    glue(f"{key}_wanted_share", wanted / row["limit"], display=False)
    glue(f"{key}_share", row["share"], display=False)
glue("times", training["target"], display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    cost.load_speeds("training"),
    "tbl-training-speed",
    "Training with the lineage's settings: batches of 32, augmented. Mixed bfloat16 multiplies in 16 bits and keeps weights in 32.",
)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    cost.load_speeds("training-128"),
    "tbl-training-speed-128",
    "Training in batches of 128, not augmented.",
)

# %% [markdown]
# Before anything was written, measurements of stock Keras let us predict three things. Its convolutions already run near
# the limit, so in 32 bits little is to be gained. Half the bits double the limit. And what can be saved is between the
# multiplications.
#
# {numref}`tbl-training-speed` has what came of it, and {numref}`tbl-training-speed-128` the same for larger batches. In 32 bits ours is {glue:text}`against_float32:.2f` times as fast as Keras, and at
# {glue:text}`share_float32:.0%` of the limit; in 16 bits {glue:text}`against_mixed_bfloat16:.2f` times as fast as Keras in 16
# bits, at {glue:text}`share_mixed_bfloat16:.0%` of the limit. Against Keras as one finds it, in 32 bits, the fastest of
# ours ({glue:text}`fastest`) is {glue:text}`against_stock:.2f` times as fast; against the best of all others,
# {glue:text}`training_best`, it is {glue:text}`training_ratio:.2f` times as fast.
#
# We had aimed at {glue:text}`times:g` times the best. That would be {glue:text}`training_wanted:.0f` images/s in batches of 32, for
# which {glue:text}`training_wanted_share:.0%` of all that the processor can multiply would do, and
# {glue:text}`training_128_wanted:.0f` in batches of 128, for which it would take {glue:text}`training_128_wanted_share:.0%`. Ours
# come to {glue:text}`training_share:.0%` and {glue:text}`training_128_share:.0%`.

# %%
parts = cost.load_parts()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-step", "caption": "Where the time of a training step of 32 images goes: its parts, each measured alone. Convolutions are blue: forward; backward, for what came in (maps) and for their weights. Black line: the step as it runs, with everything else that a framework does."}, "image": {"alt": "Four stacked bars: Keras and ours, in 32 and in 16 bits. The three parts of the second convolution fill most of each bar. Those of 16 bits are shorter than those of 32. Dropout and Adadelta are visibly shorter in ours than in Keras."}}
cost.plot_parts(parts)
plt.show()

# %% tags=["remove-input"]
stock, ours = parts.loc["Keras float32"], parts.loc["ours float32"]
second = [name for name in cost.PARTS if name.startswith("convolution 2")]
glue("second", float(stock[second].sum() / stock[list(cost.PARTS)].sum()), display=False)
for short, name in (("pool", "pooling and ReLU"), ("drop", "dropout"), ("adadelta", "Adadelta")):
    glue(f"{short}_stock", float(stock[name]), display=False)
    glue(f"{short}_ours", float(ours[name]), display=False)
waits = rows["steps"]["details"]["Keras float32"]["waits"]
glue("wait", max(waits), display=False)
glue("augmentation", rows["augmentation"]["ours"], display=False)

# %% [markdown]
# In {numref}`fig-step` the second convolution takes {glue:text}`second:.0%` of the parts of Keras' step in 32 bits. Ours
# computes it with the same operations. Three other parts are written anew. The gradient of the
# pooling layer remembers where each maximum was in place of searching for it, and is compiled:
# {glue:text}`pool_ours:.1f` ms in place of {glue:text}`pool_stock:.1f` ms, forward and backward, for 32 images. Dropout decides
# with random numbers of 8 bits, where Keras draws 32: {glue:text}`drop_ours:.1f` ms in place of
# {glue:text}`drop_stock:.1f` ms. It drops as many, but others; the other parts give the same results. Adadelta goes through
# the weights once and not once for each operation of its formula: {glue:text}`adadelta_ours:.1f` ms in place of
# {glue:text}`adadelta_stock:.1f` ms. Augmentation takes one thread {glue:text}`augmentation:.1%` of a step, beside the step
# before it.
#
# One cost isn't in any of these numbers, which are about steady steps: where the images come to Keras' `fit` from a
# `PyDataset`, `fit` went on for up to {glue:text}`wait:.1f` s after the last batch of an epoch, waiting for a batch
# that nobody makes. Ours doesn't use `fit`.
#
# ## Support vector machines
#
# scikit-learn's machine computes its kernel number by number, an inner product of 14,400 pixels each, and again for
# every task. Ours computes all inner products at once by multiplying matrices, shares them between tasks, and gives
# scikit-learn the kernel ({doc}`06_baselines`). The labels are the same.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    cost.load_speeds("svm-full"),
    "tbl-svm-speed",
    "The RBF machine on all images, both tasks: fit on TRAIN, predict TEST, without probabilities.",
)

# %% tags=["remove-input"]
full, decoding = rows["svm-full"], rows["decoding"]
loop = decoding["peers"]["Pillow in a loop"]
glue("svm_ours", full["ours"], display=False)
glue("svm_peer", full["peers"][full["best"]] / 60, display=False)
small = rows["svm-500"]["peers"]
glue("svm_threads", small["scikit-learn"] / small["scikit-learn, one thread"], display=False)
glue("decoding_loop", decoding["ours"] / loop, display=False)
glue("decoding_ratio", decoding["ratio"], display=False)
glue("decoding_best", decoding["best"], display=False)
glue("loading", rows["loading"]["ours"], display=False)
glue("photographs_ratio", rows["photographs"]["ratio"], display=False)

# %% [markdown]
# On all images ({numref}`tbl-svm-speed`) that is {glue:text}`svm_ours:.0f` seconds in place of {glue:text}`svm_peer:.0f` minutes. scikit-learn was
# given one thread for its inner products. Left to itself it divides each of them among the processors; on 500
# images that takes {glue:text}`svm_threads:.2f` times the time.
#
# ## Images
#
# Decoding is done once on a machine: afterwards the images are loaded in {glue:text}`loading:.2f` s.
# {numref}`tbl-decoding` has the first time. Against a plain loop, which gives the same pixels, ours is {glue:text}`decoding_loop:.2f` times as
# fast. Keras' loader does another, cheaper thing: it decodes less exactly, and makes a pixel from the four nearest in place
# of all that it covers, so that its pixels are others. Against the better of the two, {glue:text}`decoding_best`, ours is
# {glue:text}`decoding_ratio:.2f` times as fast.
#
# The photographs behind images are found {glue:text}`photographs_ratio:.2f` times as fast by two processes as by one
# ({doc}`12_photographs`).

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    cost.load_speeds("decoding"),
    "tbl-decoding",
    "From JPEG files in memory to arrays of 60 × 80.",
)

# %% [markdown]
# ## Are the answers the same?
#
# A fast wrong answer is worth nothing. {numref}`tbl-agreement` has what was compared beside each speed. For training, each
# framework starts from the same weights, learns from the same images without dropout, and tells its first losses.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    cost.load_agreement(),
    "tbl-agreement",
    "Answers, compared between all that were measured in a row. Where numbers are compared, the largest difference as a share; where texts are, the number of places that differ.",
)

# %% [markdown]
# A few steps don't show what rounding does to thousands. {numref}`fig-losses` has the training loss over two epochs: five
# seeds of stock Keras, which differ by chance alone, and ours with the seed 0.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-losses", "caption": "Training loss, mean over each tenth of an epoch, with the lineage's settings. Grey: stock Keras in 32 bits, a line for each of five seeds. Ours: seed 0."}, "image": {"alt": "Curves that fall over two epochs. The two coloured curves of ours run among the five grey ones of stock Keras."}}
losses = cost.load_losses()
cost.plot_losses(losses)
plt.show()

# %% tags=["remove-input"]
inside = rows["loss-curves"]["correct"]["inside"]
for precision, share in inside.items():
    glue(f"inside_{precision}", share, display=False)
targets = cost.load_targets()
missed = targets.loc[targets["Met"] == "no", "Work"].tolist()
glue("n_targets", len(targets), display=False)
glue("n_met", len(targets) - len(missed), display=False)
glue("missed", ", ".join(missed) or "none", display=False)
size, hidden, svm = (cost.load_growth(f"{what}-growth") for what in ("size", "hidden", "svm"))
glue("size_slope", cost.slope(size), display=False)
glue("svm_slope", cost.slope(svm), display=False)
by_nodes = hidden.set_index("label")["seconds"]
glue("hidden_times", float(by_nodes["512"] / by_nodes["32"]), display=False)
glue("largest", size["label"].iloc[-1], display=False)
glue("largest_gb", float(size["peak_gb"].iloc[-1]), display=False)
glue("epoch", rows["epoch"]["ours"], display=False)
glue("epoch_precision", rows["epoch"]["ours_is"], display=False)
glue("epoch_gb", rows["epoch-memory"]["ours"], display=False)
glue("svm_gb", float(svm["peak_gb"].iloc[-1]), display=False)

# %% [markdown]
# If ours were one more seed of stock Keras, about 95% of its tenths would lie inside the prediction interval that the five
# seeds give. {glue:text}`inside_float32:.0%` do in 32 bits and {glue:text}`inside_mixed_bfloat16:.0%` in 16. For what seeds do to scores,
# see {doc}`22_seeds`.
#
# ## How costs grow
#
# {numref}`fig-growth` is for whoever wants larger images or a wider network. Training grows with the number of pixels to the
# power of {glue:text}`size_slope:.2f`; at 1 it would be in proportion. From 32 to 512 hidden nodes a step gets
# {glue:text}`hidden_times:.1f` times as long: the convolutions don't change. An SVM grows with the power of
# {glue:text}`svm_slope:.2f` of the images.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-growth", "caption": "Cost by size, ours, in 32 bits. Above: seconds; both axes are logarithmic. Below: the most memory that the process held."}, "image": {"alt": "Six panels. Above, three lines that rise: training by image size rises steadily, training by hidden nodes is flat at first, and the SVM rises steepest. Below, memory rises with each of them, slowly at first."}}
cost.plot_growth(size, hidden, svm)
plt.show()

# %% [markdown]
# The first epoch of a full training takes {glue:text}`epoch:.0f` s in {glue:text}`epoch_precision`, with compiling, the predictions
# of TEST and the checkpoint. A full training holds {glue:text}`epoch_gb:.1f` GB at most; the SVM on all images
# {glue:text}`svm_gb:.1f` GB.

# %% tags=["remove-input"]
study = cost.load_study()
glue("study_runs", int(study["Runs"].iloc[-1]), display=False)
glue("study_hours", float(study["Hours"].iloc[-1]), display=False)

# %% [markdown]
# ## What the study cost
#
# {numref}`tbl-study-cost` adds up the {glue:text}`study_runs` runs whose predictions this book reads:
# {glue:text}`study_hours:.1f` hours. Some runs shared the machine with others, and two networks stood still for part of
# their time; hours of use would be fewer.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    study,
    "tbl-study-cost",
    "Time of the frozen runs, training and prediction, by method and device.",
)

# %% [markdown]
# ## What was aimed at
#
# Of {glue:text}`n_targets` targets that were set before measuring, {glue:text}`n_met` are met
# ({numref}`tbl-targets`). Missed: {glue:text}`missed`.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(cost.load_targets(), "tbl-targets", "Targets and what was measured.")

# %% [markdown]
# ## Questions
#
# These are the billions of additions and multiplications for one training image:

# %%
bench.operations(size=(60, 80), hidden=128) / 1e9

# %% tags=["remove-input"]
usual = bench.operations()
glue("q_hidden", bench.operations(hidden=512) / usual, display=False)
glue("q_size", bench.operations(size=(240, 320)) / usual, display=False)
now = rows["epoch"]["ours"] * 25 / 3600
glue("q_now", now, display=False)
glue("q_then", now * bench.operations(size=(240, 320)) / usual, display=False)

# %% [markdown]
# **1. What would a wider hidden layer cost?** The paper leaves its width blank. Put `hidden=512`.
#
# :::{dropdown} Answer
# {glue:text}`q_hidden:.2f` times the operations, for four times the hidden nodes. Parameters and work lie in different places:
# nearly all parameters in the hidden layer ({doc}`04_network`), nearly all work in the second convolution. The step that
# we measured gets {glue:text}`hidden_times:.1f` times as long from 32 to 512 nodes.
# :::
#
# **2. What would the images cost as they were published?** Put `size=(240, 320)`.
#
# :::{dropdown} Answer
# {glue:text}`q_size:.1f` times the operations. A training of 25 epochs takes {glue:text}`q_now:.1f` hours here; were time in
# proportion, it would take {glue:text}`q_then:.0f`. That is perhaps why the network sees so little of its images.
# :::
