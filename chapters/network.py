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
# # The network
#
# :::{admonition} In short
# What is DCLNN, and does its design save parameters? It has two convolutions, one pooling layer and a hidden layer, with
# {glue:text}`millions:.1f` million parameters. Nearly all are in the hidden layer, whose size the paper leaves blank. Fully
# connected layers directly on the pixels would need {glue:text}`direct_millions:.1f` million. These are counts, not estimates.
# :::
#
# DCLNN stands for "double convolution layer neural network". Its parameters are the numbers that
# training sets.

# %% tags=["parameters"]
task = "four"  # four | two classes
pooling = "max"  # max | average
hidden = 128  # nodes of the hidden layer, which the paper leaves blank

# %%
import math

import matplotlib.pyplot as plt
import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images, photographs
from bloodlib.models import networks, training

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The method in one figure
#
# {numref}`fig-method` shows how an image becomes a class, and how photographs become a score.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-method", "caption": "The method. Above: DCLNN, from an image to a class. Below: the evaluation, from photographs to a score with its interval. Photographs are divided before they are copied; cells are what the interval counts. Dashed: training sets the network's parameters."}, "image": {"alt": "Two rows of boxes joined by lines, read from left to right. Above: image, first convolution, second convolution, pooling, hidden layer, classes. Below: photographs, TRAIN and TEST, turned copies, training, confusion matrix, scores with an interval over cells. A dashed arrow leads from training up to the network."}}
n = {split: sum(photographs.counts()[split].values()) for split in ("TRAIN", "TEST")}
copies = {split: sum(images.counts()[split].values()) for split in n}
cells = sum(photographs.counts("cells")["TEST"].values())
network = [
    "image\n60 × 80 × 3",
    "convolution\n32 kernels",
    "convolution\n64 kernels",
    "pooling\n2 × 2",
    f"hidden layer\n{hidden} nodes",
    "classes\n4 or 2",
]
study = [
    f"photographs\n{sum(n.values())}",
    f"TRAIN {n['TRAIN']}\nTEST {n['TEST']}",
    f"turned copies\n{copies['TRAIN']:,}\n{copies['TEST']:,}",
    "training\non TRAIN",
    "confusion\nmatrix on TEST",
    f"scores, 95 % CI\nover {cells} cells",
]
figure, axis = plt.subplots(figsize=(7.4, 2.6))
for height, row, colour in ((1, network, "#CFE8F7"), (0, study, "#F8E3BC")):
    box = {"boxstyle": "round", "fc": colour, "ec": "#333333"}
    axis.plot([0, 5], [height, height], color="#333333", lw=1, zorder=0)
    for place, text in enumerate(row):
        axis.text(place, height, text, ha="center", va="center", fontsize=8.5, bbox=box)
axis.annotate("", (3, 0.75), (3, 0.25), arrowprops={"arrowstyle": "->", "ls": "--"})
axis.set(xlim=(-0.55, 5.6), ylim=(-0.4, 1.35))
axis.set_axis_off()
plots.show(figure)

# %% [markdown]
# ## Its layers
#
# In Keras, before training:

# %%
keras = training.load_keras()  # "import keras" without its backend's first messages
classes = len(images.TASKS[task])
kinds = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
model = keras.Sequential(
    [
        keras.Input((60, 80, 3)),
        keras.layers.Rescaling(1 / 255, name="scale"),
        keras.layers.Conv2D(32, 3, activation="relu", name="conv_1"),
        keras.layers.Conv2D(64, 3, activation="relu", name="conv_2"),
        kinds[pooling](2, name="pool"),
        keras.layers.Dropout(0.25, name="dropout_1"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(hidden, activation="relu", name="hidden"),
        keras.layers.Dropout(0.5, name="dropout_2"),
        keras.layers.Dense(classes, activation="softmax", name="output"),
    ]
)

# %% tags=["remove-input"]
recorded = networks.build_dclnn(classes, pooling, hidden)  # the network of all other pages
assert [x.output.shape for x in recorded.layers] == [x.output.shape for x in model.layers]

# %%
layers = pd.DataFrame(
    {
        "Layer": ["image", *(layer.name for layer in model.layers)],
        "Kind": ["Input", *(type(layer).__name__ for layer in model.layers)],
        "Output": [model.input_shape, *(layer.output.shape for layer in model.layers)],
        "Parameters": [0, *(layer.count_params() for layer in model.layers)],
    }
)
layers["Output"] = ["×".join(f"{n:,}" for n in one[1:]) for one in layers["Output"]]
layers["Share (%)"] = 100 * layers["Parameters"] / model.count_params()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-3", "caption": "The paper's Figure 3, drawn from the model: each layer with its name, the shape of its output (rows × columns × maps, or nodes) and its number of parameters. Blue: convolution. Orange: pooling. Green: fully connected. Grey: nothing to learn."}, "image": {"alt": "Two rows of blocks joined by arrows. Above: the image, its scaling, two convolutions with thicker stacks of maps, and the pooling layer with maps half as high and wide. Below: dropout, one long column of nodes, the hidden layer with nearly all parameters, dropout, and the output with one node for each class."}}
plots.show(figures.plot_network(layers))

# %% [markdown]
# {numref}`fig-paper-3` draws the layers. A {term}`convolution` makes one map for each of its kernels. `flatten` lays the pooled maps out as
# one row of numbers, each connected to each hidden node. {term}`Dropout <dropout>` ignores a random fraction of the nodes during
# training. The number of hidden nodes, the scaling to 0…1 and the second dropout are our choice ({numref}`tbl-unstated`).
#
# ## Where the parameters are
#
# A 3 × 3 kernel loses a pixel at each edge; {term}`pooling` halves height and width. A kernel has 9 weights for each map that it reads,
# and a bias; a connected node has a weight for each of its inputs, and a bias:

# %%
height, width = 60 - 2, 80 - 2  # conv_1
height, width = height - 2, width - 2  # conv_2
height, width = height // 2, width // 2  # pool
flat = height * width * 64
counts = {
    "conv_1": 3 * 3 * 3 * 32 + 32,
    "conv_2": 3 * 3 * 32 * 64 + 64,
    "hidden": flat * hidden + hidden,
    "output": hidden * classes + classes,
}
total = sum(counts.values())
print(f"{height} × {width} × 64 = {flat:,} pooled numbers, {total:,} parameters")
assert flat == model.get_layer("flatten").output.shape[1]
assert total == model.count_params()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    layers, "tbl-layers", "The layers of the network and their parameters, as Keras counts them."
)

# %% [markdown]
# Of {glue:text}`total:,` parameters, {glue:text}`share:.1%` are in the hidden layer ({numref}`tbl-layers`). The two convolutions, which
# give the network its name, have {glue:text}`in_convolutions:,`.
#
# ## Do convolution and pooling save parameters?
#
# Section 4.1 says that they "may significantly reduce the magnitude of parameters". {numref}`tbl-alternatives` compares:

# %% mystnb={"markdown_format": "myst"}
others = {
    "two convolutions, pooling, hidden, output (section 4.2)": {},
    "the same without the pooling layer": {"pooling": False},
    "hidden and output, directly on the pixels": {"pooling": False, "filters": ()},
    "section 4.2, if every layer were fully connected": {"shared": False},
}
every = [networks.parameter_counts(hidden, classes, **how) for how in others.values()]
compared = pd.DataFrame(
    {"Network": list(others), "Parameters": pd.DataFrame(every).sum(axis=1).astype(int)}
)
compared["Relative to DCLNN"] = compared["Parameters"] / total
tables.show(
    compared,
    "tbl-alternatives",
    "Parameters of this network and of others with the same hidden and output layer.",
    fmt={"Relative to DCLNN": ",.1f"},
)

# %% tags=["remove-input"]
_, unpooled, direct, connected = compared["Parameters"]
assert direct < total < unpooled < connected
chapter.cite(
    total=total,
    millions=total / 1e6,
    share=counts["hidden"] / total,
    in_convolutions=counts["conv_1"] + counts["conv_2"],
    times_direct=total / direct,
    direct_millions=direct / 1e6,
    flat=flat,
    pixels=math.prod(model.input_shape[1:]),
)

# %% [markdown]
# - **Against fully connected layers on the pixels: no.** The network has {glue:text}`times_direct:.1f` times as many parameters, because
#   {glue:text}`flat:,` numbers leave the pooling layer where {glue:text}`pixels:,` enter.
# - **Pooling alone: yes.** Without it there would be more.
# - **Convolution against a fully connected layer of the same size: yes, by far.** All places share a kernel.
#
# So the sentence holds for each layer by itself, not for this network.
#
# ## What the blank leaves open
#
# The number of hidden nodes decides how large the paper's network was ({numref}`tbl-widths`).

# %% mystnb={"markdown_format": "myst"}
nodes = [32, 64, 128, 256, 512]
layer = pd.DataFrame([networks.parameter_counts(number, classes) for number in nodes])
widths = pd.DataFrame({"Hidden nodes": nodes, "Parameters": layer.sum(axis=1)})
widths["In the hidden layer (%)"] = 100 * layer["hidden"] / widths["Parameters"]
assert widths["Parameters"].min() > 200 * copies["TRAIN"]
tables.show(
    widths,
    "tbl-widths",
    "Parameters of the network by its number of hidden nodes.",
)

# %% [markdown]
# Any of them has over two hundred times as many parameters as TRAIN has images, and can memorise these
# ({term}`overfitting`). Dropout and {term}`augmentation` counter that, and only scores on unseen cells count.

# %% tags=["remove-input"]
changes = ({}, {"hidden": 64}, {"classes": 2}, {"size": (240, 320)})
whole, half, two, large = (sum(networks.parameter_counts(**one).values()) for one in changes)
chapter.cite(q_half=half, q_half_share=half / whole, q_fewer=whole - two, q_large=large / whole)

# %% [markdown]
# ## Questions
#
# **1. Half as many hidden nodes: how many parameters are left?** Run this chapter with `-p hidden 64` ({doc}`run_it_yourself`).
#
# :::{dropdown} Answer
# {glue:text}`q_half:,`, {glue:text}`q_half_share:.0%` of those with 128. Nearly all parameters connect the pooled maps with hidden
# nodes.
# :::
#
# **2. How many parameters do two more classes cost?** Run it with `-p task two` and compare.
#
# :::{dropdown} Answer
# {glue:text}`q_fewer`: two output nodes, each with a weight for each of 128 hidden nodes, and a bias.
# :::
#
# **3. And images as large as published?** `networks.parameter_counts(128, 4)` counts without Keras. Give it `size=(240, 320)`, the
# height and width of the published images.
#
# :::{dropdown} Answer
# {glue:text}`q_large:.1f` times as many. The convolutions have as many as before; the hidden layer has more inputs.
# :::
