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
# # How good are Naive Bayes and the support vector machine?
#
# The paper compares its network with two classical methods (sections 2.1 and 2.2, Table 1). It says
# neither which variant it used nor what the methods saw. We give them what the network gets: the
# 60 × 80 × 3 pixels of each image, as 14,400 numbers, all of TRAIN to learn from, all of TEST to
# be asked about.

# %% tags=["parameters"]
profile = "recorded"  # recorded | quick: few images, not for quoting | full
source = "published"  # published: the paper's images | drawn: drawn cells
seed = 0  # without effect: these methods leave nothing to chance

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib import chapter, comparison, figures, images, paper, scores, study, tables

chapter.begin()

# %% [markdown]
# ## Naive Bayes
#
# (eq-1)=
# ```{math}
# P(y|x) = \frac{P(x|y)\,P(y)}{P(x)} \tag{1}
# ```
#
# "Naive" means that $P(x|y)$ is taken as a product over pixels, as if they were independent. With a
# normal distribution for each pixel and class this is Gaussian Naive Bayes, scikit-learn's
# `GaussianNB`.

# %%
common = {"seed": seed, "images": source}
nb = {
    task: study.run({"method": "NB", "task": task, **common}, profile)
    for task in images.TASKS
}  # fmt: skip

# %% [markdown]
# ## Support vector machines
#
# Two error functions are printed. The first is the C-SVM, whose $C$ is the paper's $Const$:
#
# (eq-2)=
# ```{math}
# \frac{v^T v}{2} + Const \sum_{k=1}^{M} \theta_k \tag{2}
# ```
#
# (eq-3)=
# ```{math}
# y_k (v^T \phi(x_k) + b) \ge 1 - \theta_k, \quad \theta_k \ge 0, \quad k = 1, \dots, M \tag{3}
# ```
#
# The second is the nu-SVM, whose $\nu$ is the paper's $w$:
#
# (eq-4)=
# ```{math}
# \frac{v^T v}{2} - w \rho + \frac{1}{M} \sum_{k=1}^{M} \theta_k \tag{4}
# ```
#
# (eq-5)=
# ```{math}
# y_k (v^T \phi(x_k) + b) \ge \rho - \theta_k, \quad \theta_k \ge 0, \quad \rho \ge 0 \tag{5}
# ```
#
# $\nu$ bounds the share of margin errors from above; it can't exceed twice the smaller class's share
# in any pair of classes, or there is no solution. We run both, with a radial (RBF) and with a linear
# kernel. Table 1 has one row called SVM. The text before it names the kernel $\phi$ and the penalty
# $C$, so our row is the C-SVM, with scikit-learn's defaults for the rest: RBF kernel, $C = 1$,
# `gamma="scale"`.

# %%
svm = {
    (task, kind, kernel): study.run(
        {"method": "SVM", "task": task, "kind": kind, "kernel": kernel}
        | common, profile,
    )
    for task in images.TASKS
    for kind in ("C", "nu")
    for kernel in ("rbf", "linear")
}  # fmt: skip

# %% [markdown]
# ## Four classes
#
# {numref}`tbl-baselines` puts the paper's rows beside ours, and {numref}`fig-baselines-four` draws them.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
runs = {("NB", task): [nb[task]] for task in images.TASKS}
runs |= {("SVM", task): [svm[task, "C", "rbf"]] for task in images.TASKS}
cells = comparison.cells(runs)
tables.show(
    tables.load_cells(cells, 1, method=["NB", "SVM"]),
    "tbl-baselines",
    "The rows of Naive Bayes and SVM in Table 1: the paper's number, then ours, on TEST.",
)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-baselines-four", "caption": "Naive Bayes and SVM with four classes: the paper (hollow) and ours (filled). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score. In each, one line for each class and method joins a hollow point, the paper's value, and a filled one, ours. The points scatter round the dotted line of guessing, few of them far from it."}}
figures.plot_beside(figures.load_row(cells, 1, "four", ["NB", "SVM"]))
plt.show()

# %% tags=["remove-input"]
glue("chance_four", 1 / len(images.TASKS["four"]), display=False)
glue("chance_two", 1 / len(images.TASKS["two"]), display=False)
for task in images.TASKS:
    row = {"table": 1, "task": task, "method": "DCLNN", "class_": "Average", "measure": "recall"}
    glue(f"dclnn_{task}", paper.cells(**row)[0].value, display=False)
for name, run in {"nb": nb["four"], "svm": svm["four", "C", "rbf"]}.items():
    glue(f"{name}_four", float(scores.accuracy(run.confusion())), display=False)
for name, run in {"nb": nb["two"], "svm": svm["two", "C", "rbf"]}.items():
    glue(f"{name}_two", float(scores.accuracy(run.confusion())), display=False)

# %% [markdown]
# Right are {glue:text}`nb_four:.2f` of the images with Naive Bayes and {glue:text}`svm_four:.2f` with the SVM, where
# guessing scores {glue:text}`chance_four:.2f`. Both averages lie above the paper's, and single classes differ from it
# more than averages do, in both directions. {numref}`fig-baseline-confusions` shows what is taken for what.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-baseline-confusions", "caption": "What Naive Bayes and the SVM answer for TEST, four classes. Numbers are images; the shade is their share of the row."}, "image": {"alt": "Two confusion matrices of four classes. Counts are spread over all cells; the diagonal is only a little darker than the rest."}}
figures.plot_confusions(
    {"Naive Bayes": nb["four"].confusion(), "SVM": svm["four", "C", "rbf"].confusion()}, "four"
)
plt.show()

# %% [markdown]
# ## Two classes
#
# Told apart into mononuclear (monocytes, lymphocytes) and polynuclear (neutrophils, eosinophils),
# Naive Bayes is right for {glue:text}`nb_two:.2f` of the images and the SVM for {glue:text}`svm_two:.2f`, where
# guessing scores {glue:text}`chance_two:.2f` ({numref}`fig-baselines-two`). A method that has learned something
# from TRAIN can still do worse than guessing on TEST: what it goes by, such as the stain or the light
# of a photograph, is there for other classes. With few photographs, such accidents don't average out.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-baselines-two", "caption": "Naive Bayes and SVM with two classes: the paper (hollow) and ours (filled). Dotted: what guessing would score."}, "image": {"alt": "Three panels, for precision, recall and F1 score. In each, lines join the paper's value and ours for the two classes and the average, for both methods. The points lie round the dotted line of guessing."}}
figures.plot_beside(figures.load_row(cells, 1, "two", ["NB", "SVM"]))
plt.show()

# %% [markdown]
# ## Every variant
#
# {numref}`tbl-baseline-runs` has all of them. None comes near the average recalls of {glue:text}`dclnn_four:.2f` and {glue:text}`dclnn_two:.2f` printed for the network;
# that the choice of variant moves the accuracy by several points is worth remembering when rows
# of a table differ by as much.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_runs([*nb.values(), *svm.values()]),
    "tbl-baseline-runs",
    "Every baseline run. Minutes are those of the machine in the record, on which other work ran too.",
)
