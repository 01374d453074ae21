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
# *What do convolution and pooling do?*
#
# The paper's section 4.1 explains them with two small examples (its Figures 1 and 2), section 4.3 with
# equations. Here the examples are computed, tried on a cell, and the equations set beside the code
# that does what they mean.

# %% tags=["parameters"]
kind = "NEUTROPHIL"  # class of the cell, one of images.CLASSES
seed = 0  # which cell, and the first weights of the small network at the end
rate = 0.05  # how far that network steps
steps = 200  # and how often

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import correlate2d

from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.paper import equations

chapter.begin()

# %% [markdown]
# ## A kernel moves over an image
#
# A kernel is a small square of numbers. It is laid on the image, each pixel under it is multiplied
# with the number that lies on it, and the products are added up: one number of the new image. Then
# the kernel moves on by one pixel, the stride.

# %%
image = np.array(
    [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
)
kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
feature = correlate2d(image, kernel, mode="valid")
int((image[:3, :3] * kernel).sum()), feature

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-1", "caption": "The paper's Figure 1, computed: an image (green), a kernel (yellow) and the convolved feature (pink). The dashed squares are the first position of the kernel and its result."}, "image": {"alt": "A green matrix of 5 by 5 zeros and ones, a star, a yellow matrix of 3 by 3 with ones in the corners and in the middle, an equals sign, and a pink matrix of 3 by 3 numbers. A red dashed square marks the upper left 3 by 3 numbers of the green matrix, another the upper left number of the pink one."}}
matrices = {"Image": image, "∗ Kernel": kernel, "= Feature": feature}
figure = figures.plot_matrices(matrices, ["palegreen", "khaki", "pink"])
for axis, size in ((figure.axes[0], 3), (figure.axes[2], 1)):
    axis.add_patch(plt.Rectangle((0, 0), size, size, fill=False, ec="#C00000", lw=2.2, ls="--"))
plots.show(figure)

# %% tags=["remove-input"]
chapter.cite(corner=int(feature[0, 0]), side=len(image), side_after=len(feature))

# %% [markdown]
# The red square of {numref}`fig-paper-1` gives {glue:text}`corner`. The feature is smaller than the image,
# {glue:text}`side_after` numbers on a side instead of {glue:text}`side`: a 3 × 3 kernel has no place on the
# outermost pixels. It is largest where the image looks like the kernel.
#
# ## Other numbers, other features
#
# "The modification of kernel generates the features that have the variant effects", says section 4.1.
# {numref}`fig-kernels` tries four kernels on one cell, in grey and at the 60 × 80 pixels that the network
# sees.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kernels", "caption": "Four kernels and what they make of one image (a photograph of BCCD, MIT licence, turned by this book). Edges are shown by their size, bright on black. Pictures that say so are drawn by `bloodlib.data.synthetic`."}, "image": {"alt": "Four pairs of a yellow 3 by 3 matrix and a grey picture of a blood smear. Identity: the picture as it is. Edges: bright outlines of cells on black. Sharpen: the same picture with harder outlines. Blur: the same picture out of focus."}}
grey, published = figures.load_grey(kind, seed)
plots.show(figures.plot_kernels(grey, published))

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
effects = pd.DataFrame(
    [{"Kernel": name} | equations.effect(grey, one) for name, one in equations.KERNELS.items()]
)
tables.show(
    effects,
    "tbl-kernels",
    "The same in numbers. Like the image: correlation of the feature with it. Like its edges: correlation of the feature's size with how steeply the image rises or falls. Contrast: mean difference of neighbours, divided by that in the image.",
)

# %% tags=["remove-input"]
found = effects.set_index("Kernel")
chapter.cite(edges_like=found.loc["Edges", "Like its edges"])
chapter.cite(edges_image=found.loc["Edges", "Like the image"])
chapter.cite(sharpen_contrast=found.loc["Sharpen", "Contrast"])
chapter.cite(blur_contrast=found.loc["Blur", "Contrast"])

# %% [markdown]
# The claim holds ({numref}`tbl-kernels`). The edge detector follows the outlines (correlation
# {glue:text}`edges_like:.2f`) more than the image itself ({glue:text}`edges_image:.2f`); sharpening multiplies the
# contrast of neighbours by {glue:text}`sharpen_contrast:.1f`, blurring by {glue:text}`blur_contrast:.1f`. Where an
# image has a black corner left by its turning, that is among the strongest edges: a network sees it too.
#
# These kernels were made by hand. A network begins with kernels drawn by chance and changes them
# until its answers improve; the first layer has 32 of them.
#
# ## Pooling
#
# Pooling cuts each map into 2 × 2 windows and keeps one number of each: the largest, or the mean.

# %%
values = np.array([[12, 20, 30, 0], [8, 12, 2, 0], [34, 70, 37, 4], [112, 100, 25, 12]])
windows = values.reshape(2, 2, 2, 2)  # [row of windows, row, column of windows, column]
largest, mean = windows.max(axis=(1, 3)), windows.mean(axis=(1, 3))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-2", "caption": "The paper's Figure 2, computed: a map in windows of 2 × 2, stride 2, and what max pooling and average pooling keep of them."}, "image": {"alt": "A matrix of 4 by 4 numbers in four colours, one for each window of 2 by 2. Arrows lead to two matrices of 2 by 2 numbers in the same colours, titled Maximum and Average."}}
colours = np.array([["pink", "khaki"], ["palegreen", "lightblue"]])
plots.show(
    figures.plot_matrices(
        {"Map": values, "→ Maximum": largest, "→ Average": mean},
        [colours.repeat(2, axis=0).repeat(2, axis=1), colours, colours],
    )
)

# %% tags=["remove-input"]
chapter.cite(window=", ".join(map(str, values[:2, :2].ravel())), window_largest=largest[0, 0])
chapter.cite(window_mean=mean[0, 0])

# %% [markdown]
# Of the window {glue:text}`window` in {numref}`fig-paper-2`, max pooling keeps {glue:text}`window_largest` and
# average pooling {glue:text}`window_mean:.0f`. Either way a quarter of the numbers is left. The maximum says
# that a feature is there, somewhere in the window; the mean says how much of it there is.
#
# ## Forward: equations 6 to 9
#
# Section 4.3 writes a network out as equations. They are set here as printed, misprints included;
# {numref}`tbl-differences` says what is done instead. $P$ is the output of a neuron, $W$ a weight, and the
# upper indices $l, j$ name layer and map.
#
# (eq-6)=
# ```{math}
# P^{l,j}_{x,y} = \tanh\Bigl(\sum_{r=0}^{j_h} \sum_{t=0}^{f-1} \sum_{c=0}^{j_w} W^{j,t}_{r,c} P^{l-1,t}_{x+r,x+c} + bias^{l,j}\Bigr) \tag{6}
# ```
#
# **A convolution layer.** {numref}`fig-paper-1`, with one kernel for each map $t$ of the layer before, their
# results added up, a bias added, and the sum squeezed between −1 and 1 by tanh. In code:
# `equations.correlate`; bias and tanh follow in `equations.Network`, as for every layer.
#
# (eq-7)=
# ```{math}
# P^{l,j}_{x,y} = \tanh\Bigl(W^k \sum_{r=0}^{S_h} \sum_{c=0}^{S_w} P^{l-1,t}_{xS_h+r,yS_w+c} + bias^{l,j}\Bigr) \tag{7}
# ```
#
# **A subsample layer.** The sum of a window times one weight for the whole map; with the weight ¼ and
# neither bias nor tanh it is average pooling. In code: `equations.subsample`.
#
# (eq-8)=
# ```{math}
# P_{l,k} = \tanh\Bigl(\sum_{x=0}^{S_h} \sum_{j=0}^{S-1} \sum_{y=0}^{S_w} W^{k,j}_{x,y} P^{l-1,t}_{x,y} + bias_{l,k}\Bigr) \tag{8}
# ```
#
# **The hidden layer.** Each of its neurons $k$ is connected to every neuron of every map, each time with
# a weight of its own. In code: `equations.dense`.
#
# (eq-9)=
# ```{math}
# P_{l,i} = \tanh\Bigl(\sum_{k=0}^{H} W^l_{i,k} P_{l-1,k} + bias_{l,i}\Bigr) \tag{9}
# ```
#
# **The output layer.** The same once more, from the hidden neurons to one neuron for each class. The
# largest output names the class. In code: `equations.dense` again.
#
# ## Backward: equations 10 to 13
#
# To learn, the network has to know in which direction to change each weight. What the paper calls a
# deviation, $d(P)$ or $d(I)$, is how fast the error grows with the output $P$ of a neuron, or with its
# input, the sum that enters tanh ($\delta'$ is the slope there). It is known at the output, answer minus
# truth, and is handed back from layer to layer. $C$ stands for the convolution layer, $S$ for the
# subsample layer.
#
# (eq-10)=
# ```{math}
# d(P^{C,j}_{x,y}) = d(I^{S,j}_{x/2,y/2}) W_j \tag{10}
# ```
#
# **Back through pooling.** Each neuron of a window gets the deviation of the one number that the window
# became, times the weight. In code: `equations.subsample_backward`. With max pooling only the largest neuron
# would get it.
#
# (eq-11)=
# ```{math}
# d(I^{C,j}_{x,y}) = \delta'(v_j) d(P^{C,j}_{x,y}) \tag{11}
# ```
#
# **Back through tanh.** Where tanh is flat, a change of the input changes little. In code:
# `equations.Network.gradients`.
#
# (eq-12)=
# ```{math}
# \Delta W^{j,n}_{r,c} = \sum_{y=0}^{f_w} \sum_{x=0}^{f_h} d(I^{C,j}_{x,y}) P^{l-1,n}_{x+r,y+c} \tag{12}
# ```
#
# **To a kernel's weight.** The weight was used at every place of the map, so what it did is added up over
# all of them: the deviation there times the pixel that it was multiplied with. In code:
# `equations.correlate_backward`.
#
# (eq-13)=
# ```{math}
# \Delta bias^{C,j} = \sum_{y=0}^{f_w} \sum_{x=0}^{f_h} d(I^{C,j}_{x,y}) \tag{13}
# ```
#
# **To its bias.** The same with nothing to multiply by. In code: `equations.correlate_backward` too.
#
# The code's answers agree with those of Keras, and its derivatives with finite differences; the tests of
# this book compare them.
#
# ## The print beside the code

# %% tags=["remove-input"]
counted = equations.count_differences()
chapter.cite(n_formulas=counted["formulas"], n_equations=len(counted["equations"]))
chapter.cite(n_missing=counted["missing"], n_against=counted["other_network"])

# %% [markdown]
# {numref}`tbl-differences` lists the {glue:text}`n_formulas` places where the code does something else than the
# print; of the eight numbered equations, {glue:text}`n_equations` are among them. Most are slips of an index.
# {glue:text}`n_against` are of another kind: there the equations describe another network than section 4.2
# does, with tanh for ReLU and softmax, a weighted sum for the maximum, a squared error for the
# cross-entropy. {glue:text}`n_missing` formulas are missing altogether.

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
# None of this says that the paper's results came from wrong formulas: its network was most likely
# a library's, which has its own. It says that the network can't be rebuilt from the equations alone.
#
# ## It learns
#
# The equations, as done, are a class of some hundred lines, `equations.Network`. Here it is as section 4.3
# has it, tanh, weighted sums and squared error, with 8 kernels and 16 hidden neurons. It learns to tell
# mononuclear from polynuclear cells from a few dozen drawn cells of 12 × 16 pixels.

# %%
losses, found = figures.compute_learning(rate=rate, steps=steps, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-learning", "caption": "The loss of a small network in NumPy, trained by equations 6 to 13 on drawn cells. Dotted: the loss of one who always gives both classes one half."}, "image": {"alt": "A curve of the loss over the steps of training. It falls steeply at first, stays for a while at a dotted line, and then sinks below it, with jumps upwards in between."}}
figure, axis = plt.subplots(figsize=(7, 3.2))
axis.plot(losses)
axis.axhline(found["even"], color="#888888", lw=1, ls=":")
axis.set(xlabel="step", ylabel="loss", ylim=(0, None))
plots.show(figure)

# %% tags=["remove-input"]
for name in ("cells", "others", "accuracy", "accuracy_others", "chance", "first", "last"):
    chapter.cite({name: found[name]})

# %% [markdown]
# The loss falls from {glue:text}`first:.2f` to {glue:text}`last:.2f`. At first the network only learns that both
# classes are equally frequent, the dotted line in {numref}`fig-learning`; then it begins to tell them apart.
# Where the curve jumps up, a step was too long; the paper says neither how long its steps are nor how
# they are chosen.
#
# In the end {glue:text}`accuracy:.2f` of the {glue:text}`cells` cells that it learnt from are named rightly, and
# {glue:text}`accuracy_others:.2f` of {glue:text}`others` others, where guessing gives {glue:text}`chance:.2f`. So the
# equations, once repaired, do learn, and the gap between the two numbers shows what to look for with the
# large network: how it does on cells it has not seen.

# %% tags=["remove-input"]
turned = correlate2d(image, kernel[::-1, ::-1], mode="valid")
chapter.cite(q_same=(turned == feature).sum(), q_of=turned.size)
edge = np.array([[1, 0, -1]] * 3)
chapter.cite(q_edge=int(correlate2d(image, edge, mode="valid")[0, 2]))
chapter.cite(q_edge_turned=int(correlate2d(image, edge[::-1, ::-1], mode="valid")[0, 2]))
_, far = figures.compute_learning(rate=0.2, steps=50)
chapter.cite(q_far=far["last"], q_far_accuracy=far["accuracy"], q_even=far["even"])
_, near = figures.compute_learning(rate=0.05, steps=50)
chapter.cite(q_near=near["last"])

# %% [markdown]
# ## Questions
#
# **1. Does it matter which way up the kernel is?** In mathematics a convolution turns the kernel upside down first. In the first
# code cell, put `kernel[::-1, ::-1]` for `kernel`. What changes? And with `kernel = np.array([[1, 0, -1]] * 3)`?
#
# :::{dropdown} Answer
# With the paper's kernel nothing: {glue:text}`q_same` of {glue:text}`q_of` numbers are the same, because this kernel looks the
# same upside down. The other one does not, and the upper right number turns from {glue:text}`q_edge` into
# {glue:text}`q_edge_turned`. Networks don't turn the kernel; what they call convolution is a correlation. As they learn
# their kernels, they would only learn them turned.
# :::
#
# **2. Can one learn faster?** Run this chapter with a step four times as long, and 50 of them: `-p rate 0.2 -p steps 50`
# ({doc}`run_it_yourself`). Where does the loss end?
#
# :::{dropdown} Answer
# At {glue:text}`q_far:.2f`, with {glue:text}`q_far_accuracy:.2f` of its own cells right. One who gives both classes one half has
# {glue:text}`q_even:.2f`, and with short steps the loss is {glue:text}`q_near:.2f` after as many. Long steps drive neurons to where tanh is
# flat; there the deviations are nearly zero (equation 11), and a network that has got there learns slowly.
# :::
