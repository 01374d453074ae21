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
# # Convolution and pooling
#
# :::{admonition} In short
# What do convolution and pooling do, and can the network be built from the paper's equations? Kernels bring out features, as the paper
# says, and pooling keeps a quarter of the numbers. The printed equations contain slips, and in part describe another network; a network
# computed from the repaired equations learns. Tests compare the code here with Keras and with {term}`finite differences`.
# :::
#
# Section 4.1 has two small examples (Figures 1 and 2), section 4.3 equations.

# %% tags=["parameters"]
kind = "NEUTROPHIL"  # class of the cell, one of images.CLASSES
seed = 0  # which cell, and the first weights of the small network at the end
rate = 0.05  # learning rate of that network
steps = 200  # number of steps

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from scipy.signal import correlate2d

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import synthetic
from bloodlib.paper import equations

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## A kernel moves over an image
#
# A {term}`kernel` is a small square of weights. At each place of the image, the pixels under it are multiplied by its weights and
# summed: one number of the {term}`feature map`. It moves by one pixel, the stride.

# %%
image = np.array(
    [
        [1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 0],
        [0, 1, 1, 0, 0],
    ]
)
kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
feature = correlate2d(image, kernel, mode="valid")
print(feature)
assert feature[0, 0] == (image[:3, :3] * kernel).sum()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-1", "caption": "The paper's Figure 1, computed: an image (green), a kernel (yellow) and the feature map (pink). The dashed squares are the first position of the kernel and its result."}, "image": {"alt": "A green matrix of 5 by 5 zeros and ones, a star, a yellow matrix of 3 by 3 with ones in the corners and in the middle, an equals sign, and a pink matrix of 3 by 3 numbers. A red dashed square marks the upper left 3 by 3 numbers of the green matrix, another the upper left number of the pink one."}}
matrices = {"Image": image, "∗ Kernel": kernel, "= Feature": feature}
figure = figures.plot_matrices(matrices, ["palegreen", "khaki", "pink"])
for axis, size in ((figure.axes[0], 3), (figure.axes[2], 1)):
    axis.add_patch(plt.Rectangle((0, 0), size, size, fill=False, ec="#C00000", lw=2.2, ls="--"))
plots.show(figure)


# %% [markdown]
# The feature map is smaller than the image ({numref}`fig-paper-1`), because a 3 × 3 kernel cannot be centred on the outermost pixels. It is
# largest where the image resembles the kernel.
#
# ## Other weights, other features
#
# "The modification of kernel generates the features that have the variant effects", says section 4.1. {numref}`fig-kernels` shows four
# kernels on a synthetic cell, in grey, at the 60 × 80 pixels that the network sees; {numref}`tbl-kernels` measures their effects.

# %%
picture = Image.fromarray(synthetic.draw(kind, np.random.default_rng(seed)))
grey = np.asarray(picture.convert("L"), float)
kernels = equations.KERNELS
effects = [{"Kernel": name} | equations.effect(grey, kernels[name]) for name in kernels]
effects = pd.DataFrame(effects)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kernels", "caption": "Four kernels and their feature maps on one synthetic cell. Edges are shown by their absolute value, bright on black."}, "image": {"alt": "Four pairs of a yellow 3 by 3 matrix and a grey picture of a blood smear. Identity: the picture as it is. Edges: bright outlines of cells on black. Sharpen: the same picture with harder outlines. Blur: the same picture out of focus."}}
plots.show(figures.plot_kernels(grey))

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
by = effects.set_index("Kernel")
assert by.loc["Edges", "Like its edges"] > by.loc["Edges", "Like the image"]
assert by.loc["Blur", "Contrast"] < 1 < by.loc["Sharpen", "Contrast"]
tables.show(
    effects,
    "tbl-kernels",
    "Effects of the kernels. Like the image: correlation of the feature map with it. Like its edges: correlation of the map's absolute value with the gradient magnitude of the image. Contrast: mean difference between neighbours, relative to the image.",
)

# %% [markdown]
# For this picture the claim holds: the feature map of the edge kernel resembles the outlines more than the image, sharpening raises the
# contrast of neighbours, blurring lowers it. A network starts with random kernels,
# DCLNN with 32 in its first layer, and changes them until its predictions improve.
#
# ## Pooling
#
# {term}`Pooling <pooling>` divides each feature map into windows of 2 × 2 and keeps one number of each, the maximum or the mean.

# %%
values = np.array([[12, 20, 30, 0], [8, 12, 2, 0], [34, 70, 37, 4], [112, 100, 25, 12]])
windows = values.reshape(2, 2, 2, 2)  # [row of windows, row, column of windows, column]
largest, mean = windows.max(axis=(1, 3)), windows.mean(axis=(1, 3))
print("maximum", largest.tolist(), "average", mean.tolist())

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-2", "caption": "The paper's Figure 2, computed: a map in windows of 2 × 2, stride 2, and what max pooling and average pooling keep of them."}, "image": {"alt": "A matrix of 4 by 4 numbers in four colours, one for each window of 2 by 2. Arrows lead to two matrices of 2 by 2 numbers in the same colours, titled Maximum and Average."}}
colours = np.array([["pink", "khaki"], ["palegreen", "lightblue"]])
plots.show(
    figures.plot_matrices(
        {"Map": values, "→ Maximum": largest, "→ Average": mean},
        [colours.repeat(2, axis=0).repeat(2, axis=1), colours, colours],
    )
)


# %% [markdown]
# Either way a quarter of the numbers is left ({numref}`fig-paper-2`). The maximum shows whether a feature occurs in the window, the mean how
# much of it there is.
#
# ## Forward: equations 6 to 9
#
# The equations are set as printed, misprints included; {numref}`tbl-differences` says what is done instead. $P$ is the output of a
# neuron, $W$ a weight; $l$ and $j$ name layer and map.
#
# (eq-6)=
# ```{math}
# P^{l,j}_{x,y} = \tanh\Bigl(\sum_{r=0}^{j_h} \sum_{t=0}^{f-1} \sum_{c=0}^{j_w} W^{j,t}_{r,c} P^{l-1,t}_{x+r,x+c} + bias^{l,j}\Bigr) \tag{6}
# ```
#
# **Convolution layer.** {numref}`fig-paper-1`, with one kernel for each map $t$ of the layer before. Tanh maps the sum of the results
# and a bias to between −1 and 1. In code: `equations.correlate`.
#
# (eq-7)=
# ```{math}
# P^{l,j}_{x,y} = \tanh\Bigl(W^k \sum_{r=0}^{S_h} \sum_{c=0}^{S_w} P^{l-1,t}_{xS_h+r,yS_w+c} + bias^{l,j}\Bigr) \tag{7}
# ```
#
# **Subsample layer.** The sum of a window times one weight for the whole map. With the weight ¼, no bias and no tanh it is average
# pooling. In code: `equations.subsample`.
#
# (eq-8)=
# ```{math}
# P_{l,k} = \tanh\Bigl(\sum_{x=0}^{S_h} \sum_{j=0}^{S-1} \sum_{y=0}^{S_w} W^{k,j}_{x,y} P^{l-1,t}_{x,y} + bias_{l,k}\Bigr) \tag{8}
# ```
#
# **Hidden layer.** Each neuron $k$ has a weight for every neuron of every map. In code: `equations.dense`.
#
# (eq-9)=
# ```{math}
# P_{l,i} = \tanh\Bigl(\sum_{k=0}^{H} W^l_{i,k} P_{l-1,k} + bias_{l,i}\Bigr) \tag{9}
# ```
#
# **Output layer.** The same from the hidden neurons to one neuron for each class. The largest output names the class.
#
# ## Backward: equations 10 to 13
#
# Training needs the direction in which to change each weight. What the paper calls a deviation, $d(P)$ or $d(I)$, is the derivative of
# the error by a neuron's output $P$, or by its input, the sum that enters tanh ($\delta'$ is the slope there). It is known at the
# output, prediction minus truth, and is propagated back from layer to layer: $C$ is the convolution layer, $S$ the subsample layer.
#
# (eq-10)=
# ```{math}
# d(P^{C,j}_{x,y}) = d(I^{S,j}_{x/2,y/2}) W_j \tag{10}
# ```
#
# **Back through pooling.** Each neuron of a window receives the deviation of the number that the window became, times the weight. In
# code: `equations.subsample_backward`. With max pooling only the largest neuron would receive it.
#
# (eq-11)=
# ```{math}
# d(I^{C,j}_{x,y}) = \delta'(v_j) d(P^{C,j}_{x,y}) \tag{11}
# ```
#
# **Back through tanh.** Where tanh is flat, the input matters little. In code: `equations.Network.gradients`.
#
# (eq-12)=
# ```{math}
# \Delta W^{j,n}_{r,c} = \sum_{y=0}^{f_w} \sum_{x=0}^{f_h} d(I^{C,j}_{x,y}) P^{l-1,n}_{x+r,y+c} \tag{12}
# ```
#
# **To a kernel's weight.** The deviation times the pixel, summed over all places of the map. In code: `equations.correlate_backward`.
#
# (eq-13)=
# ```{math}
# \Delta bias^{C,j} = \sum_{y=0}^{f_w} \sum_{x=0}^{f_h} d(I^{C,j}_{x,y}) \tag{13}
# ```
#
# **To its bias.** The same without the pixel.
#
# ## The print beside the code

# %% tags=["remove-input"]
counted = equations.count_differences()
chapter.cite({f"n_{name}": counted[name] for name in ("formulas", "missing", "other_network")})

# %% [markdown]
# {numref}`tbl-differences` lists {glue:text}`n_formulas` formulas that the code does not compute as printed. Most are slips of an index.
# In {glue:text}`n_other_network` the equations describe another network than section 4.2 does: tanh for {term}`ReLU` and
# {term}`softmax`, a weighted sum for the maximum, {term}`squared error` for {term}`cross-entropy`. {glue:text}`n_missing` formulas are missing.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
rows = []
for row in equations.DIFFERENCES:
    rows.append((row["where"], "printed", f"${row['printed']}$"))
    rows.append(("", "done", f"${row['done']}$"))
    rows.append(("", "why", row["why"]))
tables.show(
    pd.DataFrame(rows, columns=["Equation", "Line", "Formula or reason"]),
    "tbl-differences",
    "The formulas of section 4.3 as printed, as done here, and why. A dash: no formula is printed.",
)

# %% [markdown]
# The network cannot be rebuilt from the equations alone. That does not make the paper's results wrong: its network was most likely a
# library's.
#
# ## Training by the equations
#
# `equations.Network` computes them as done here: tanh, weighted sums, squared error, 8 kernels and 16 hidden neurons. It learns to
# separate mononuclear from polynuclear cells on {glue:text}`n_cells` synthetic cells of 12 × 16 pixels,
# and is tested on {glue:text}`n_others` others.

# %%
cells = synthetic.load("TRAIN", "two", (12, 16), 48)
others = synthetic.load("TEST", "two", (12, 16), 160)
targets = np.eye(2)[cells.labels]


def train(rate, steps):
    """Losses before each step of gradient descent; accuracy on cells and others."""
    network = equations.Network((12, 16, 3), 2, seed=seed)
    pixels = cells.pixels / 255
    losses = [network.train_step(pixels, targets, rate) for _ in range(steps)]
    right = [
        (network.forward(some.pixels / 255).argmax(axis=1) == some.labels).mean()
        for some in (cells, others)
    ]
    return losses, right


losses, accuracy = train(rate, steps)
print(f"loss {losses[0]:.2f} to {losses[-1]:.2f}")
print(f"accuracy {accuracy[0]:.2f}, on other cells {accuracy[1]:.2f}")

# %% mystnb={"figure": {"name": "fig-learning", "caption": "Loss over the steps of training by equations 6 to 13, on synthetic cells. Dotted: the loss at the constant output 0.5 for both classes."}, "image": {"alt": "A curve of the loss over the steps of training. It falls steeply at first, stays for a while at a dotted line, and then sinks below it, with jumps upwards in between."}}
constant = equations.loss(np.full_like(targets, 0.5), targets)
figure, axis = plt.subplots(figsize=(7, 3.2))
axis.plot(losses)
axis.axhline(constant, color="black", lw=1.5, ls=":")
axis.set(xlabel="step", ylabel="loss", ylim=(0, None))
plots.show(figure)

# %% [markdown]
# At first the network learns only that both classes are equally frequent, the dotted line of {numref}`fig-learning`; then it learns to
# separate them. Where the loss jumps up, the {term}`learning rate` was too high; the paper states none. The gap between the two accuracies is
# {term}`overfitting`.

# %% tags=["remove-input"]
turned = correlate2d(image, kernel[::-1, ::-1], mode="valid")
assert (turned == feature).all()
edge = np.array([[1, 0, -1]] * 3)
upper_right = [int(correlate2d(image, one, mode="valid")[0, 2]) for one in (edge, edge[::-1, ::-1])]
(far, far_accuracy), (near, _) = train(0.2, 50), train(0.05, 50)
assert far[-1] > constant > near[-1]
chapter.cite(q_edge=upper_right[0], q_edge_turned=upper_right[1], q_far=far[-1], q_near=near[-1])
chapter.cite(q_far_accuracy=far_accuracy[0], q_constant=constant)
chapter.cite(n_cells=len(cells.labels), n_others=len(others.labels))

# %% [markdown]
# ## Questions
#
# **1. Does the orientation of the kernel matter?** A mathematical convolution rotates the kernel by 180° first. Put
# `kernel[::-1, ::-1]` for `kernel` where the feature map is computed. What changes? And with `kernel = np.array([[1, 0, -1]] * 3)`?
#
# :::{dropdown} Answer
# With the paper's kernel nothing changes, because it is symmetric. With the other one, the upper right number turns from
# {glue:text}`q_edge` into {glue:text}`q_edge_turned`. A network's convolution is a correlation; it would learn rotated kernels.
# :::
#
# **2. Can it learn faster?** Run this chapter with a learning rate four times as high, and 50 steps: `-p rate 0.2 -p steps 50`
# ({doc}`run_it_yourself`). Where does the loss end?
#
# :::{dropdown} Answer
# At {glue:text}`q_far:.2f`, above the {glue:text}`q_constant:.2f` of a constant output, with {glue:text}`q_far_accuracy:.0%` of its own
# cells correct. The lower rate reaches {glue:text}`q_near:.2f` in as many steps. The higher one drives neurons to where tanh is flat, and learning stalls
# (equation 11).
# :::
