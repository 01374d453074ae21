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
# *What is the network?*
#
# The paper calls it DCLNN, for "double convolution layer neural network". Section 4.2 lists its parts:
# two convolutions, one pooling layer, one hidden layer and the output. Here it is built from that list,
# drawn, and its parameters, the numbers that it learns, are counted.

# %% tags=["parameters"]
task = "four"  # four | two classes
pooling = "max"  # max | average
hidden = 128  # nodes of the hidden layer, which the paper leaves blank

# %% tags=["remove-input"]
import math

import pandas as pd

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.models import networks

chapter.begin()

# %% [markdown]
# ## Its layers
#
# `networks.build_dclnn` is the network of all chapters that follow, in Keras. It is built here and not trained.

# %%
classes = len(images.TASKS[task])
model = networks.build_dclnn(classes, pooling, hidden)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-3", "caption": "The paper's Figure 3, drawn from the model: each layer with its name, the shape of its output (rows × columns × maps, or nodes) and the number of its parameters. Blue: convolution. Orange: pooling. Green: fully connected. Grey: nothing to learn."}, "image": {"alt": "Two rows of blocks joined by arrows. Above: the image, its scaling, two convolutions with thicker and thicker stacks of maps, and the pooling layer with maps half as high and wide. Below: dropout, the maps laid out as one long column of nodes, the hidden layer, dropout, and the output with one node for each class. The hidden layer has nearly all of the parameters."}}
layers = figures.load_layers(model)
plots.show(figures.plot_network(layers))

# %% tags=["remove-input"]
total = model.count_params()
by_name = layers.set_index("Layer")
chapter.cite(total=total, millions=total / 1e6, share_hidden=by_name.loc["hidden", "Share (%)"])
chapter.cite(in_convolutions=by_name.loc[["conv_1", "conv_2"], "Parameters"].sum())
chapter.cite(flat=by_name.loc["flatten", "Output"], pixels=by_name.loc["image", "Output"])
chapter.cite(hidden_nodes=hidden)

# %% [markdown]
# Read {numref}`fig-paper-3` from left to right. A convolution loses one pixel at each edge and makes one map
# for each of its kernels; pooling halves height and width; `flatten` lays all that is left out as one row
# of {glue:text}`flat` numbers, each of which is connected to each of the {glue:text}`hidden_nodes` hidden nodes.
# Dropout ignores a share of the nodes at random while training, and does nothing afterwards.
#
# The paper leaves the number of hidden nodes blank; {numref}`tbl-unstated` has our choice and
# why. The scaling to 0…1 and the second dropout are not in its list either.
#
# ## Where the parameters are
#
# {numref}`tbl-layers` counts them, as Keras does.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(layers, "tbl-layers", "The layers of the network, and what they have to learn.")

# %% [markdown]
# Of {glue:text}`total:,` parameters {glue:text}`share_hidden:.1f` % are in the hidden layer. The two convolutions,
# which give the network its name, have {glue:text}`in_convolutions:,` together.
#
# ## Do convolution and pooling save parameters?
#
# Section 4.1 says that they "may significantly reduce the magnitude of parameters". That can be
# counted. {numref}`tbl-alternatives` has the same network with parts taken away, and with every node
# connected to every other.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
counted = {
    "two convolutions, pooling, hidden, output (section 4.2)": {},
    "the same without the pooling layer": {"pooling": False},
    "hidden and output, directly on the pixels": {"pooling": False, "filters": ()},
    "the same nodes as in section 4.2, fully connected in every layer": {"shared": False},
}
totals = pd.Series(
    [sum(networks.parameter_counts(hidden, classes, **how).values()) for how in counted.values()]
)
tables.show(
    pd.DataFrame(
        {"Network": list(counted), "Parameters": totals, "Times ours": totals / totals[0]}
    ),
    "tbl-alternatives",
    "Parameters of this network and of others with the same hidden and output layer.",
)

# %% tags=["remove-input"]
_, unpooled, direct, connected = totals
chapter.cite(n_pixels=math.prod(model.input_shape[1:]), direct_millions=direct / 1e6)
chapter.cite(times_direct=total / direct, times_unpooled=unpooled / total)
chapter.cite(connected_billions=connected / 1e9)

# %% [markdown]
# - **Against fully-connected layers on the pixels: no.** Hidden and output layer directly on the
#   {glue:text}`pixels` numbers of an image would need {glue:text}`direct_millions:.2f` million parameters. With convolution and
#   pooling before it the network has {glue:text}`millions:.2f` million: {glue:text}`times_direct:.1f` times as many,
#   because {glue:text}`flat` numbers come out of the pooling layer where {glue:text}`n_pixels:,` went in.
# - **Pooling alone: yes.** Without it there would be {glue:text}`times_unpooled:.1f` times as many.
# - **Convolution against a fully-connected layer of the same size: yes, by far.** Sharing a kernel among
#   all places is what makes layers as wide as these possible at all; connected one by one, they would need
#   {glue:text}`connected_billions:.1f` billion.
#
# So the sentence is true of each layer by itself and not of this network, whose kernels multiply the
# numbers that reach the hidden layer and whose one pooling layer does not make up for it.
#
# ## What the blank costs
#
# As nearly everything is in the hidden layer, the number that the paper leaves blank decides how large
# its network was ({numref}`tbl-widths`).

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
nodes = [32, 64, 128, 256, 512]
counts = pd.DataFrame([networks.parameter_counts(number, classes) for number in nodes])
widths = counts.sum(axis=1)
share = 100 * counts["hidden"] / widths
tables.show(
    pd.DataFrame({"Hidden nodes": nodes, "Parameters": widths, "In the hidden layer (%)": share}),
    "tbl-widths",
    "Parameters of the network by the number of its hidden nodes.",
)

# %% tags=["remove-input"]
chapter.cite(fewest=widths.min() / 1e6, most=widths.max() / 1e6)
chapter.cite(images=sum(images.counts()["TRAIN"].values()))

# %% [markdown]
# Between {glue:text}`fewest:.1f` and {glue:text}`most:.1f` million parameters would all fit the description. Any
# of them is many times the {glue:text}`images:,` images of TRAIN: the network has room to learn its images by
# heart, which is why dropout and augmentation are there, and why the numbers that count are those on
# cells it has not seen.

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
# {glue:text}`q_half:,`, {glue:text}`q_half_share:.0%` of those with 128. Nearly all parameters join the pooled maps to
# hidden nodes, so that their number goes with that of the nodes.
# :::
#
# **2. How many parameters does the second pair of classes cost?** Run it with `-p task two` and compare.
#
# :::{dropdown} Answer
# {glue:text}`q_fewer`: two output nodes, each with a weight for each of 128 hidden nodes, and a bias. What the network is asked
# costs next to nothing, how it looks costs all.
# :::
#
# **3. And images as large as published?** `networks.parameter_counts(128, 4)` counts the parameters without Keras. Give it
# `size=(240, 320)`, the height and width of the published images.
#
# :::{dropdown} Answer
# {glue:text}`q_large:.1f` times as many. The convolutions have as many as before, since a kernel doesn't know how large the
# image is; the hidden layer has that many more numbers to join.
# :::
