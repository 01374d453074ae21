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
# # Does deep learning classify white blood cells at 94%?
#
# *Two convolutions and the evidence: a reproduction of a paper of 2018. The 94% is for two classes, not for four.*
#
# :::{admonition} In short
# **Claimed.** A small convolutional network, {term}`DCLNN`, reaches 94% accuracy with two classes and 78% with four, and beats Naive
# Bayes and a support vector machine (SVM) {cite}`tiwari`.
#
# **Found.** Retrained on the same images, it reaches {glue:text}`DCLNN_two:.0%` and {glue:text}`DCLNN_four:.0%` on average over runs, far
# above both baselines. But with two classes one of {glue:text}`n_runs` runs learned nothing ({glue:text}`stuck:.0%`); the others reach
# {glue:text}`least:.0%` to {glue:text}`most:.0%` ({doc}`chapters/epochs`). Over seeds the lead over the SVM is therefore uncertain there. Logistic regression on a {term}`colour histogram` reaches
# {glue:text}`histogram_two:.0%` and {glue:text}`histogram_four:.0%` in seconds. On cells of one other laboratory, shown at the same scale,
# one trained network for each task drops to chance ({glue:text}`own_two:.0%` and {glue:text}`own_four:.0%`), until their stain is matched to the training images
# ({glue:text}`stain_two:.0%` and {glue:text}`stain_four:.0%`).
#
# **How sure?** Not very. The {glue:text}`n_test:,` test images are altered copies of {glue:text}`n_photographs` photographs of
# {glue:text}`n_cells` cells, {glue:text}`n_monocytes` of them labelled monocytes ({numref}`fig-views`). With four classes the
# {term}`95 % CI over cells` is {glue:text}`DCLNN_low:.0%` to {glue:text}`DCLNN_high:.0%`. And on these test images no classifier can have
# both the numbers of the paper's Table 1 and either of its percentages ({doc}`chapters/arithmetic`).
# :::

# %% tags=["remove-input"]
import pandas as pd

from bloodlib import paper
from bloodlib.analyses import examples, external_validation, model_comparison, plots
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs, registration
from bloodlib.evidence.verdicts import Verdict
from bloodlib.paper import arithmetic

chapter.begin()
found = pd.concat([model_comparison.compute_test(task) for task in images.TASKS])
by = found.set_index(["method", "task"])
outside = external_validation.compute_scores().set_index(["method", "scale", "task", "colours"])
outside = outside.sort_index()["accuracy"]["DCLNN", external_validation.QUOTED[0]]
chapter.cite({f"{method}_{task}": value for (method, task), value in by["accuracy"].items()})
chapter.cite({f"{colours}_{task}": value for (task, colours), value in outside.items()})
chapter.cite(
    n_test=len(images.labels("TEST")),
    n_photographs=sum(photographs.counts()["TEST"].values()),
    n_cells=sum(photographs.counts("cells")["TEST"].values()),
    n_monocytes=photographs.counts("cells")["TEST"]["MONOCYTE"],
    n_claims=len(paper.CLAIMS),
    DCLNN_low=by.loc[("DCLNN", "four"), "low"],
    DCLNN_high=by.loc[("DCLNN", "four"), "high"],
)
stuck, least, *_, most = sorted(by.loc[("DCLNN", "two"), "each"])
chapter.cite(n_runs=by.loc[("DCLNN", "two"), "runs"], stuck=stuck, least=least, most=most)
assert stuck < 0.55 < 0.9 < least
assert by.loc[("DCLNN", "two"), "cells_seeds_low"] < by.loc[("SVM", "two"), "accuracy"]
# what the words say; arithmetic and external_validation assert theirs
assert arithmetic.CLAIMED == {"two": "0.94", "four": "0.78"}
recalls = paper.table_cells(table=1, class_="Average", measure="recall")
printed = {(cell.method, cell.task): cell.value for cell in recalls}
for task in images.TASKS:
    baselines = [("NB", task), ("SVM", task)]
    assert printed["DCLNN", task] > max(map(printed.get, baselines))
    assert printed["DCLNN", task] != float(arithmetic.CLAIMED[task])
    assert by.loc[("DCLNN", task), "low"] > by.loc[baselines, "accuracy"].max()
assert by.loc["histogram", "seconds"].max() < 60

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-views", "caption": "Photograph 110, labelled a monocyte (nobody checked the label), and seven of the test images made from it (BCCD, MIT licence; turned by this book), or grey tiles where there are no images. A score on TEST counts each as an independent image."}, "image": {"alt": "A photograph of a white blood cell among red cells, and seven copies of it, turned, shifted, sheared and mirrored, with black corners. Grey tiles with file names where there are no images."}}
matched = photographs.table()
names = matched[(matched["split"] == "TEST") & (matched["photograph"] == 110)]["name"]
views = names[:: len(names) // 7][:7]
pictures = [registration.view("TEST", one) if images.available() else one for one in views]
titles = [f"photograph 110: {len(names)} test images", *views.str.split("/").str[1]]
plots.show_photographs(plots.plot_pictures([examples.thumbnail(110), *pictures], titles))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-front", "caption": "Accuracy on TEST. Filled dots: means over our runs; hollow: single runs; wide lines: 95 % CIs over cells ({doc}`chapters/intervals`); diamonds: the paper's average recall, which equals accuracy where classes are equally large; dashed: the accuracy that it claims for DCLNN; dotted: chance. The paper's two numbers for DCLNN, diamond and dashed line, disagree."}, "image": {"alt": "Two panels, four classes above two, a line for each method. Most frequent class, Naive Bayes and SVM lie at or little above chance. Nearest photograph lies between. Colour histogram, compact CNN and DCLNN lie far right, with overlapping wide lines and the paper's diamonds. A dashed line marks 78 percent above, 94 below."}}
plots.show(model_comparison.plot_test(found))

# %% [markdown]
# {numref}`fig-front` compares the methods. {numref}`tbl-verdicts` counts the verdicts on {glue:text}`n_claims` claims of the paper
# ({doc}`chapters/claims`).

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
counted = tables.load_claims()["Verdict"].value_counts()
counted = counted.reindex([verdict for verdict in Verdict if verdict in counted])
tables.show(
    counted.reset_index(name="Claims"),
    "tbl-verdicts",
    "The paper's claims by verdict. In direction only: DCLNN scores higher, but by less than claimed or not over the whole range of reruns; or it was seen in one network only.",
)

# %% [markdown]
# ## Where to go
#
# ::::{grid} 1 2 2 2
# :gutter: 3
#
# :::{grid-item-card} To read
# :link: chapters/claims
# :link-type: doc
# What the paper claims, and the verdict on each claim.
# :::
#
# :::{grid-item-card} To run it again
# :link: chapters/run_it_yourself
# :link-type: doc
# Two commands build and test the book on a laptop; a third computes the study.
# :::
#
# :::{grid-item-card} To teach with it
# :link: chapters/lesson
# :link-type: doc
# A lesson of 90 minutes on data leakage, with tasks and hints.
# :::
#
# :::{grid-item-card} To try it
# :link: chapters/try_it
# :link-type: doc
# Give the trained network a picture of a cell, in the browser.
# :::
# ::::
#
# Every score is computed on its page from a recorded run's predictions ({doc}`chapters/provenance`). "Figure" and "Table" are the paper's, "Fig." and "Tab." are ours.
