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
import numpy as np

from bloodlib.analyses import calibration, plots
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison

chapter.begin()
n = len(images.names("TEST"))
chapter.cite(level=level)

# %% [markdown]
# Confidence here is the probability that a method gives to its own answer, for the frozen runs of Table 1 after
# their last epoch; those that went on after epoch 25 ({doc}`09_epochs`) are left out. {numref}`fig-reliability` puts the answers of each run into bins by confidence, and asks of each bin how
# many are right {cite}`guo2017calibration`.

# %%
reliability = calibration.compute_reliability()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-reliability", "caption": "Reliability diagrams on TEST: the share of answers that is right over their confidence, in ten bins, for each run. A dot's area is the share of the run's answers. Wide lines: intervals by cell. On the dotted line a run would be as sure as it is right; below it, it is too sure."}, "image": {"alt": "Two rows of panels, four and two classes; a panel for each run. Naive Bayes has nearly all answers in one large dot at confidence 1, far below the dotted line. The SVM has its dots between 0.3 and 0.7, near the line. Of DCLNN's runs, some have their largest dot at confidence 1 and smaller ones below the line; one with four classes has its dots between 0.4 and 0.9, above the line. The wide lines of all smaller dots are long."}}
plots.show(calibration.plot_reliability(reliability))

# %% tags=["remove-input"]
found = calibration.compute_calibration()
by_image = found[found["unit"] == "image"]
for row in by_image[by_image["method"] != "DCLNN"].itertuples():
    name = f"{row.task}_{row.method}"
    chapter.cite({f"{name}_right": row.accuracy, f"{name}_sure": row.confidence})
for (task, unit), runs in found[found["method"] == "DCLNN"].groupby(["task", "unit"]):
    chapter.cite({f"{task}_{unit}_gaps": ", ".join(map(comparison.signed, runs["gap"]))})
    for name in ("accuracy", "confidence", "error", "chance"):
        listed = ", ".join(f"{value:.2f}" for value in runs[name])
        chapter.cite({f"{task}_{unit}_{name}": listed})
ours = by_image[by_image["method"] == "DCLNN"]
apart = int(((ours["low"] > 0) | (ours["high"] < 0)).sum())
chapter.cite(runs=len(ours), too_sure=(ours["gap"] > 0).sum())
chapter.cite(beyond=(ours["error"] > ours["chance"]).sum(), apart=apart or "none")
pixels = int(np.prod(images.load.__defaults__[1])) * 3
chapter.cite(pixels=pixels)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
errors = {"error": "Calibration error", "chance": "By chance up to"}
tables.show(
    found,
    "tbl-calibration",
    "Right answers and mean confidence on TEST; their difference, with its interval by cell; the expected calibration error in ten bins; and what this error would be at most, in 95 of 100 cases, for a run that is calibrated and has its right answers on so few cells.",
    columns=["task", "run", "unit", "accuracy", "confidence", ("gap", "low", "high"), *errors],
    headings=errors | {"unit": "By", "accuracy": "Right", "gap": "Confidence − right"},
)

# %% [markdown]
# **Naive Bayes** is sure of everything: its mean confidence is {glue:text}`four_NB_sure:.3f` with four classes, and
# {glue:text}`four_NB_right:.2f` of its answers are right. It multiplies the evidence of {glue:text}`pixels:,` numbers as if each
# were news. **The SVM** promises little, {glue:text}`four_SVM_sure:.2f`, and keeps about that,
# {glue:text}`four_SVM_right:.2f`.
#
# **DCLNN** promises something else in each run. The runs with four classes differ in their seed, and in how numbers were
# rounded ({doc}`22_seeds`). They have {glue:text}`four_image_accuracy` of the images right, and a mean confidence of
# {glue:text}`four_image_confidence`: confidence less right is {glue:text}`four_image_gaps`. With two classes it is
# {glue:text}`two_image_gaps`. In all, {glue:text}`too_sure` of {glue:text}`runs` runs are surer than they are right. For other
# cells than TEST's, {glue:text}`apart` of these differences is told apart from zero.
#
# The calibration error is the mean distance from the dotted line {cite}`guo2017calibration`. It is never zero, not for a
# calibrated run either, and with few cells it can be large by chance alone: the last column of {numref}`tbl-calibration`
# draws right answers that agree with the confidences, all images of a cell alike {cite}`broecker2007reliability`. With
# four classes DCLNN's errors are {glue:text}`four_image_error`, and chance explains {glue:text}`four_image_chance`; with two they
# are {glue:text}`two_image_error` and {glue:text}`two_image_chance`. {glue:text}`beyond` of the {glue:text}`runs` runs have more than
# chance explains. Counted by photograph, so that no photograph weighs more than another, confidence less right is
# {glue:text}`four_photograph_gaps` and {glue:text}`two_photograph_gaps`.
#
# ## Sure, and wrong

# %% tags=["remove-input"]
sure = calibration.compute_sure(level)
networks = sure[sure["method"] == "DCLNN"]
for task, runs in networks.groupby("task"):
    listed = {
        "share": [f"{row.sure / n:.0%}" for row in runs.itertuples()],
        "kept": [f"{row.wrong / row.sure:.0%}" if row.sure else "–" for row in runs.itertuples()],
        "left": [f"{(row.of - row.wrong) / (n - row.sure):.0%}" for row in runs.itertuples()],
        "wrong": [f"{row.wrong} of {row.of}" for row in runs.itertuples()],
    }
    chapter.cite({f"{task}_{name}": ", ".join(values) for name, values in listed.items()})
two = networks[networks["task"] == "two"]
most = int(two.loc[two["wrong"].idxmax(), "most"])
its = two[two["most"] == most]
chapter.cite(most=most, most_share=(its["share"] * its["wrong"]).sum() / two["wrong"].sum())
label = photographs.cell_table().set_index("photograph")["labels"].get(most, "none")
chapter.cite(most_class=label.lower())

# %% [markdown]
# {numref}`tbl-sure` counts answers with a probability of {glue:text}`level` or more.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    sure,
    "tbl-sure",
    f"Answers with a probability of {level} or more: their share of TEST, how many are wrong, how many answers are wrong in all, how many photographs the first show, and the photograph with most of them.",
    columns=["task", "run", "sure", "wrong", "of", "photographs", ("most", "share")],
    headings={
        "wrong": "Wrong though sure",
        "of": "Wrong in all",
        "photographs": "of photographs",
        "most": "Most of one",
    },
    fmt={
        "sure": lambda images: f"{images / n:.0%}",
        "most": lambda number, share: f"{number} ({share:.0%})" if number >= 0 else "–",
    },
)

# %% [markdown]
# Within a run confidence is of use. Of DCLNN's sure answers with four classes {glue:text}`four_kept` are wrong, of the others
# {glue:text}`four_left`. But the same {glue:text}`level` lets {glue:text}`four_share` of the images pass: what one trained network
# calls sure tells little of the next.
#
# With two classes {glue:text}`two_wrong` wrong answers are sure, and {glue:text}`most_share:.0%` of these, all runs together, are
# images of photograph {glue:text}`most`, a {glue:text}`most_class`. {doc}`12_photographs` shows how that one photograph decides the
# score; most of its mistakes come without a warning.
#
# ## Does it help to ask twice?
#
# TEST has the same photograph turned and shifted many times. An answer could be for the photograph: by the majority
# of its images, or by their mean probability. {numref}`tbl-averaging` compares that with asking one image.

# %% tags=["remove-input"]
averaging = calibration.compute_averaging()
for row in averaging.itertuples():
    name = f"{row.task}_{row.method}"
    chapter.cite({f"{name}_vote": row.vote, f"{name}_mean": row.mean})
    chapter.cite(chapter.difference(f"{name}_gain", (row.gain, row.low, row.high)))
behind = photographs.counts()["TEST"]
chapter.cite(photographs=sum(behind.values()), neutrophils=behind["NEUTROPHIL"])
svm = comparison.compared("SVM", "four")
other = np.mean([r.arrays["probabilities"].argmax(1) != r.arrays["labels"][-1] for r in svm])
chapter.cite(svm_other=other)

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    averaging,
    "tbl-averaging",
    "The share of TEST's photographs that is right, each counted once, means over runs: by one image (the mean over its images), by the majority of its images, by their mean probability; and the last less the first, with its interval by cell.",
    columns=["task", "method", "single", "vote", "mean", ("gain", "low", "high")],
    headings={
        "single": "One image",
        "vote": "Majority",
        "mean": "Mean probability",
        "gain": "Mean − one image",
    },
)

# %% [markdown]
# Here every photograph counts once, and {glue:text}`neutrophils` of the {glue:text}`photographs` are neutrophils. The accuracy
# of Table 1 counts images, as many of each class, so that the two are not to be compared.
#
# Averaging hardly helps. With the mean probability DCLNN gets {glue:text}`four_DCLNN_mean:.2f` of the photographs right with four
# classes, a gain of {glue:text}`four_DCLNN_gain`, which is {glue:text}`four_DCLNN_gain_side` zero. The images of a photograph are
# wrong together, and a vote among those who agree changes nothing. The SVM gets
# {glue:text}`four_SVM_mean:.2f` by mean probability and {glue:text}`four_SVM_vote:.2f` by majority:
# its probabilities are fitted apart from its answers. For {glue:text}`svm_other:.1%` of the images another class is more
# probable than the answer, which does not explain all of that; we have not traced the rest.
#
# ## Which photographs stay wrong

# %% tags=["remove-input"]
each = calibration.compute_photographs()
four, binary = (each[each["task"] == task] for task in ("four", "two"))
wrong = four[~four["right"]]
mixed = wrong[(wrong["class"] == "NEUTROPHIL") & (wrong["taken"] == "EOSINOPHIL")]
chapter.cite(wrong=len(wrong), mixed=len(mixed), wrong_sure=wrong["confidence"].mean())
chapter.cite(right_sure=four.loc[four["right"], "confidence"].mean())
chapter.cite(wrong_most=wrong["confidence"].max(), all_wrong=(wrong["share"] == 0).sum())
chapter.cite(wrong_two=(~binary["right"]).sum() or "none")

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    each[~each["right"]].sort_values(["task", "confidence"], ascending=[True, False]),
    "tbl-wrong",
    "Photographs of TEST that DCLNN gets wrong by mean probability over their images, and over runs: what they are taken for and how surely, the probability of the right class, and how many of their images are right by themselves.",
    columns=["task", "photograph", "class", "taken", "confidence", "true", "images", "share"],
    headings={"taken": "Taken for", "true": "Right class", "share": "of them right"},
    fmt={"photograph": str, "taken": str.capitalize, "share": ".0%"},
)

# %% [markdown]
# {numref}`tbl-wrong` lists the photographs that DCLNN gets wrong even with all images and all runs together: {glue:text}`wrong` with four classes,
# {glue:text}`wrong_two` with two. {glue:text}`mixed` of the {glue:text}`wrong` are neutrophils taken for eosinophils. On average the network is less sure of a wrong photograph,
# {glue:text}`wrong_sure:.2f`, than of a right one, {glue:text}`right_sure:.2f`; but it gives its worst
# answer {glue:text}`wrong_most:.2f`, and of {glue:text}`all_wrong` of them no image is right.
#
# In one sentence: how sure DCLNN says it is depends on its seed, and what to make of it has to be found anew for each
# trained network.

# %% tags=["remove-input"]
for name, limit in {"high": 0.99, "low": 0.5}.items():
    found = calibration.compute_sure(limit).query("method == 'DCLNN'")
    for kind, its in found.groupby("task"):
        share = ", ".join(f"{value:.0%}" for value in its["sure"] / n)
        wrong = ", ".join(f"{a} of {b}" for a, b in its[["wrong", "of"]].to_numpy())
        chapter.cite({f"q_{kind}_{name}": share, f"q_{kind}_{name}_wrong": wrong})
        chapter.cite({f"q_{kind}_{name}_photographs": its["photographs"].max()})

# %% [markdown]
# ## Questions
#
# **1. Could a machine answer the sure ones alone?** Run this chapter with `-p level 0.99` ({doc}`run_it_yourself`). Of each run with
# four classes, what share of TEST passes, and how many of the wrong answers with it?
#
# :::{dropdown} Answer
# {glue:text}`q_four_high` of the images pass, with {glue:text}`q_four_high_wrong` wrong answers. That looks like a safe rule, and
# may be one for these runs. But how much it lets pass depends on the run, and it was found on the images that it
# is judged by. With two classes the same rule passes {glue:text}`q_two_high`, and with them {glue:text}`q_two_high_wrong` wrong
# answers. In no run are these of more photographs than {glue:text}`q_two_high_photographs`.
# :::
#
# **2. Is 0.5 a low bar?** With four classes an answer can have a probability as low as a quarter. Run it with `-p level 0.5`.
#
# :::{dropdown} Answer
# {glue:text}`q_four_low` of the images pass with four classes, with {glue:text}`q_four_low_wrong` wrong answers; with two,
# {glue:text}`q_two_low`: one of two probabilities is always at least a half. The same number is another bar for another task and
# another run.
# :::
