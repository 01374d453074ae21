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
# # How sure is it?
#
# A network doesn't only name a class, it gives it a probability. Whoever uses it will want to trust that: to
# pass answers of 0.99 and have a person look at those of 0.6. That works if, of the answers given with 0.9, nine
# in ten are right. Are they?

# %% tags=["parameters"]
level = 0.9  # from which probability on an answer counts as sure

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue

from bloodlib import chapter, comparison, confidence, images, photographs, tables

chapter.begin()
n = len(images.names("TEST"))
glue("images", n, display=False)
glue("level", level, display=False)

# %% [markdown]
# Confidence here is the probability that a method gives to its own answer, for the frozen runs of Table 1 after
# their last epoch. {numref}`fig-reliability` puts the answers into bins by confidence, and asks of each bin how many are
# right {cite}`guo2017calibration`.

# %%
reliability = confidence.load_reliability()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-reliability", "caption": "Reliability diagrams on TEST: the share of answers that is right over their confidence, in ten bins; runs of a row together. A dot's area is the share of all answers. Wide lines: intervals by cell. On the dotted line a method would be as sure as it is right; below it, it is too sure."}, "image": {"alt": "Six panels, three methods with four and with two classes. Naive Bayes has nearly all answers in one large dot at confidence 1, far below the dotted line. The SVM has its dots between 0.3 and 0.7, near the line. DCLNN has its largest dot at confidence 1, near the line, and smaller ones between 0.5 and 0.9, below it with four classes. The wide lines of all smaller dots are long."}}
confidence.plot_reliability(reliability)
plt.show()

# %% tags=["remove-input"]
found = confidence.load_calibration()
for row in found.itertuples():
    name = f"{row.task}_{row.method}_{row.unit}"
    glue(f"{name}_right", row.accuracy, display=False)
    glue(f"{name}_sure", row.confidence, display=False)
    glue(f"{name}_gap", comparison.signed(row.gap, row.low, row.high), display=False)
    glue(f"{name}_side", comparison.beside(row.low, row.high), display=False)
    glue(f"{name}_error", row.error, display=False)
    glue(f"{name}_chance", row.chance, display=False)
    side = "more" if row.error > row.chance else "no more"
    glue(f"{name}_beyond", side, display=False)
pixels = int(np.prod(images.load.__defaults__[1])) * 3
glue("pixels", pixels, display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    confidence.show_calibration(found),
    "tbl-calibration",
    "Right answers and mean confidence on TEST; their difference, with its interval by cell; the expected calibration error in ten bins; and what this error would be at most, in 95 of 100 cases, for a method that is calibrated and has its right answers on so few cells.",
)

# %% [markdown]
# **Naive Bayes** is sure of everything: its mean confidence is {glue:text}`four_NB_image_sure:.3f` with four classes, and
# {glue:text}`four_NB_image_right:.2f` of its answers are right. It multiplies the evidence of
# {glue:text}`pixels:,` numbers as if each were news. **The SVM** promises little,
# {glue:text}`four_SVM_image_sure:.2f`, and keeps about that, {glue:text}`four_SVM_image_right:.2f`.
#
# **DCLNN** is too sure on TEST. With four classes its confidence is {glue:text}`four_DCLNN_image_sure:.2f` in the mean, and
# {glue:text}`four_DCLNN_image_right:.2f` of its answers are right; with two {glue:text}`two_DCLNN_image_sure:.2f` and
# {glue:text}`two_DCLNN_image_right:.2f`. For other cells the differences are {glue:text}`four_DCLNN_image_gap` and
# {glue:text}`two_DCLNN_image_gap`, {glue:text}`four_DCLNN_image_side` and {glue:text}`two_DCLNN_image_side` zero.
#
# The calibration error is the mean distance from the dotted line {cite}`guo2017calibration`. It is never zero, not for a calibrated
# method either, and with few cells it can be large by chance alone: the last column of {numref}`tbl-calibration` draws
# right answers that agree with the confidences, all images of a cell alike {cite}`broecker2007reliability`. With four
# classes DCLNN's error is {glue:text}`four_DCLNN_image_error:.3f`, {glue:text}`four_DCLNN_image_beyond` than the
# {glue:text}`four_DCLNN_image_chance:.3f` that chance explains; with two it is {glue:text}`two_DCLNN_image_error:.3f`,
# {glue:text}`two_DCLNN_image_beyond` than {glue:text}`two_DCLNN_image_chance:.3f`. Counted by photograph, so that no photograph
# weighs more than another, the errors are {glue:text}`four_DCLNN_photograph_error:.3f` and
# {glue:text}`two_DCLNN_photograph_error:.3f`, {glue:text}`four_DCLNN_photograph_beyond` and
# {glue:text}`two_DCLNN_photograph_beyond` than chance explains.
#
# ## Sure, and wrong

# %% tags=["remove-input"]
sure = confidence.load_sure(level)
for row in sure.itertuples():
    given = row.sure * n
    name = f"{row.task}_{row.method}"
    glue(f"{name}_share", row.sure, display=False)
    glue(f"{name}_wrong", round(row.wrong), display=False)
    glue(f"{name}_of", round(row.of), display=False)
    glue(f"{name}_kept", row.wrong / given if given else 0.0, display=False)
    glue(f"{name}_left", (row.of - row.wrong) / (n - given), display=False)
    glue(f"{name}_most", row.most, display=False)
    glue(f"{name}_most_share", row.share, display=False)
two = sure[(sure["task"] == "two") & (sure["method"] == "DCLNN")].iloc[0]
label = photographs.cell_table().set_index("photograph")["labels"].get(two["most"], "none")
glue("most_class", label.lower(), display=False)

# %% [markdown]
# {numref}`tbl-sure` counts answers with a probability of {glue:text}`level` or more.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    confidence.show_sure(sure),
    "tbl-sure",
    f"Answers with a probability of {level} or more: their share of TEST, how many are wrong, how many answers are wrong in all, how many photographs the first show, and the photograph with most of them. Means over runs.",
)

# %% [markdown]
# With four classes confidence is of use: DCLNN is sure for {glue:text}`four_DCLNN_share:.0%` of the images, and
# {glue:text}`four_DCLNN_kept:.1%` of these answers are wrong, against {glue:text}`four_DCLNN_left:.0%` of the others. To pass on
# the unsure ones would catch most mistakes.
#
# With two classes it is of little. Of {glue:text}`two_DCLNN_of` wrong answers {glue:text}`two_DCLNN_wrong` are sure, and
# {glue:text}`two_DCLNN_most_share:.0%` of these are images of photograph {glue:text}`two_DCLNN_most`, a
# {glue:text}`most_class`. {doc}`12_photographs` shows how that one photograph decides the score; its
# mistakes come without a warning.
#
# ## Does it help to ask twice?
#
# TEST has the same photograph turned and shifted many times. An answer could be for the photograph: by the majority
# of its images, or by their mean probability. {numref}`tbl-averaging` compares that with asking one image.

# %% tags=["remove-input"]
averaging = confidence.load_averaging()
for row in averaging.itertuples():
    name = f"{row.task}_{row.method}"
    for key in ("single", "vote", "mean"):
        glue(f"{name}_{key}", getattr(row, key), display=False)
    glue(f"{name}_gain", comparison.signed(row.gain, row.low, row.high), display=False)
    glue(f"{name}_helps", comparison.beside(row.low, row.high), display=False)
behind = photographs.counts()["TEST"]
glue("photographs", sum(behind.values()), display=False)
glue("neutrophils", behind["NEUTROPHIL"], display=False)
svm = comparison.compared("SVM", "four")
other = np.mean([r.arrays["probabilities"].argmax(1) != r.arrays["labels"][-1] for r in svm])
glue("svm_other", float(other), display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    confidence.show_averaging(averaging),
    "tbl-averaging",
    "The share of TEST's photographs that is right, each counted once: by one image (the mean over its images), by the majority of its images, by their mean probability; and the last less the first, with its interval by cell.",
)

# %% [markdown]
# Here every photograph counts once, and {glue:text}`neutrophils` of the {glue:text}`photographs` are neutrophils; the accuracy
# of Table 1 counts images, as many of each class. That is why DCLNN's {glue:text}`four_DCLNN_image_right:.2f` with four
# classes is {glue:text}`four_DCLNN_single:.2f` here.
#
# Averaging hardly helps. With the mean probability DCLNN gets {glue:text}`four_DCLNN_mean:.2f` of the photographs right with four
# classes, a gain of {glue:text}`four_DCLNN_gain`, which is {glue:text}`four_DCLNN_helps` zero. The images of a photograph are
# wrong together, and a vote among those who agree changes nothing. The SVM gets
# {glue:text}`four_SVM_mean:.2f` by mean probability and {glue:text}`four_SVM_vote:.2f` by majority:
# its probabilities are fitted apart from its answers, and for {glue:text}`svm_other:.1%` of the images another class is more
# probable than the answer already.
#
# ## Which photographs stay wrong

# %% tags=["remove-input"]
each = confidence.load_photographs()
four, binary = (each[each["task"] == task] for task in ("four", "two"))
wrong = four[~four["right"]]
mixed = wrong[(wrong["class"] == "NEUTROPHIL") & (wrong["taken"] == "EOSINOPHIL")]
for name, value in {
    "wrong": len(wrong),
    "mixed": len(mixed),
    "wrong_sure": float(wrong["confidence"].mean()),
    "right_sure": float(four.loc[four["right"], "confidence"].mean()),
    "wrong_most": float(wrong["confidence"].max()),
    "all_wrong": int((wrong["share"] == 0).sum()),
    "wrong_two": int((~binary["right"]).sum()) or "none",
}.items():
    glue(name, value, display=False)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    confidence.show_wrong(each),
    "tbl-wrong",
    "Photographs of TEST that DCLNN gets wrong by mean probability over their images, and over runs: what they are taken for and how surely, the probability of the right class, and how many of their images are right by themselves.",
)

# %% [markdown]
# {numref}`tbl-wrong` lists the photographs that DCLNN gets wrong even so: {glue:text}`wrong` with four classes,
# {glue:text}`wrong_two` with two. {glue:text}`mixed` of the {glue:text}`wrong` are neutrophils taken for eosinophils; which
# neutrophils these are is a question of {doc}`12_photographs`. On average the network is less sure of a wrong photograph,
# {glue:text}`wrong_sure:.2f`, than of a right one, {glue:text}`right_sure:.2f`; but it gives its worst
# answer {glue:text}`wrong_most:.2f`, and of {glue:text}`all_wrong` of them no image is right.
#
# In one sentence: on TEST, DCLNN is surer than it is right; with four classes its doubt still points to most of its
# mistakes, and with two nearly all of them are one photograph, of which it is sure.
