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
# # Attribution, calibration and robustness
#
# :::{admonition} In short
# What do DCLNN's answers depend on, how far can its probabilities be trusted, and what does it tolerate? They depend on the white
# cell: with the cell painted over, accuracy falls to {glue:text}`without_four:.0%` with four classes and {glue:text}`without_two:.0%` with
# two. Calibration differs from seed to seed. Under blur and JPEG compression accuracy falls by {glue:text}`worst_blur:.0f` points at most; a redder
# stain brings it to guessing, half the brightness to {glue:text}`dark:.0%` with four classes and to guessing with two. All rests on
# {glue:text}`cells` test cells; the first and the last part on one network a task.
# :::

# %% tags=["parameters"]
task = "four"  # the figures' number of classes: four | two
level = 0.9  # from which probability on an answer counts as sure
example = "NEUTROPHIL/_16_6249.jpeg"  # an image of TEST

# %%
import numpy as np
import pandas as pd

from bloodlib.analyses import attribution, calibration, plots, robustness
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs, synthetic
from bloodlib.evidence import comparison

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## Attribution maps
#
# Nothing in training says that the class is in the white cell: red cells, stain or background would do as well, if photographs
# of a class share them. An attribution map gives every place of an image a weight: how much it contributed to the answer's score.
#
# - **Integrated gradients** {cite}`sundararajan2017axiomatic` add up what each pixel contributes on the way from an image
#   of the median colour to the image itself.
# - **HiResCAM** {cite}`draelos2020hirescam` multiplies each output of the second convolution by its gradient. Grad-CAM
#   {cite}`selvaraju2017gradcam` averages the gradient over places first, which misleads for networks with a flattened layer.
#
# BCCD's annotators drew a box round the white cell of nearly every photograph. {doc}`photographs` found how each image lies in
# its photograph, so the box can be carried into the image ({numref}`fig-attribution-examples`).

# %% mystnb={"figure": {"name": "fig-attribution-examples", "caption": "Above, the middle image of each class in the order of names (photographs of BCCD, MIT licence, turned by this book), with DCLNN's answer: ✓ right, ✗ wrong. Below, the two maps of that answer at a quarter of the network's resolution: brighter is more weight. Dashed: the annotators' box. Without the images: synthetic cells, labelled so, without a box."}, "image": {"alt": "Four pictures of white cells among red cells, one a class, titled with class and answer; below each two maps, brightest on the white cell. With the images, a dashed box holds nearly all that is bright; only the lymphocyte's HiResCAM reaches beyond and has faint spots elsewhere."}}
plots.show_photographs(attribution.plot_examples())

# %% [markdown]
# One image a class proves nothing, and a map can look right for a network that has learned nothing {cite}`adebayo2018sanity`. So we
# compare the fraction of a map's weight in the box, for all images, with that of a uniform map, of the network before training, and of
# another class.

# %%
measured = attribution.read()
shares = attribution.compute_shares()
assert (shares["low"] > shares["area"]).all()  # the CIs exclude a uniform map
assert (shares["untrained"] < 0.5 * shares["low"]).all()
assert ((shares["other"] - shares["share"]).abs() < 0.01).all()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    shares,
    "tbl-attribution",
    "Fraction of a map's weight in the white cell's box, mean over TEST, with its cell-clustered 95 % CI (the conservative one of {doc}`intervals`, here and below); the same for another class, drawn at random, for the network before training, and for a uniform map.",
    columns=["task", "map", ("share", "low", "high"), "other", "untrained", "area"],
    headings={"share": "Its answer", "other": "Another class", "area": "Uniform map"},
    fmt={"map": attribution.MAPS.get},
)

# %% [markdown]
# DCLNN looks at the cell ({numref}`tbl-attribution`): both maps hold several times the weight of a
# uniform map in the box, where {glue:text}`share_least:.0%` to {glue:text}`share_most:.0%` of the weight lies. Before training they are nearly
# uniform. But a map doesn't say why the network answers as it does: that of another class lies on the cell as much.
#
# ### Hiding the cell
#
# We also paint the box over in the image's median colour, then as much half an image away, then all but the box
# ({numref}`tbl-hidden`). Such images are strange to a network, so read its answers with care.

# %%
hidden = attribution.compute_hidden()
by = hidden.set_index(["hidden", "task"])
cell, elsewhere, rest = (by.loc[name] for name in attribution.HIDDEN)
assert (cell["most"] < 0).all()  # the CIs of the change exclude zero
assert (elsewhere["same"] > 0.98).all()
assert ((rest["least"] < 0) & (rest["most"] > 0) & (rest["same"] > 0.85)).all()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    hidden.assign(change=hidden["change"].where(hidden["hidden"] != "nothing")),
    "tbl-hidden",
    "Accuracy on TEST where something is painted over, with its cell-clustered 95 % CI; its change, on the same cells; how many answers stay the same.",
    columns=["task", "hidden", ("accuracy", "low", "high"), ("change", "least", "most"), "same"],
    headings={"same": "Same answer"},
    fmt={"same": ".0%"},
)

# %% tags=["remove-input"]
chapter.cite(
    share_least=shares["share"].min(),
    share_most=shares["share"].max(),
    cells=len(np.unique(photographs.cells("TEST"))),
    without_four=cell.loc["four", "accuracy"],
    without_two=cell.loc["two", "accuracy"],
    half=(measured["visible"] < 0.5).sum(),
)

# %% [markdown]
# Without the cell, accuracy is near guessing. Painting elsewhere changes hardly any answer. With nothing but the cell, accuracy
# changes by less than the test set can show.
#
# ## Calibration
#
# A network gives each answer a probability, its confidence. A laboratory might pass answers of 0.99 and have a person look
# at those of 0.6, if the network is calibrated: of the answers given with 0.9, nine in ten are right. A reliability diagram
# sorts a run's answers into ten bins by confidence and counts how many are right {cite}`guo2017calibration`. The mean distance of the
# two, weighted by answers, is the *expected calibration error* (ECE):

# %%
run = calibration.ended("DCLNN", task)[0]
answered = calibration.answers(run)
bins = np.minimum(10 * answered["confidence"], 9).astype(int)
diagram = answered.groupby(bins)[["confidence", "right"]].mean()
diagram["answers"] = bins.value_counts()
distance = (diagram["confidence"] - diagram["right"]).abs()
error = np.average(distance, weights=diagram["answers"])
print(diagram.round(2).rename_axis("bin"))
print(f"expected calibration error, seed {run.config['seed']}: {error:.2f}")

# %% [markdown]
# {numref}`fig-reliability` has the runs of Table 1 that ended after 25 epochs; longer ones kept no probabilities of that epoch.

# %% mystnb={"figure": {"name": "fig-reliability", "caption": "Reliability diagrams on TEST: the fraction of answers that is right over their confidence, in ten bins, for each run. A dot's area is proportional to its number of answers; wide lines are cell-clustered 95 % CIs. On the dotted line a run is calibrated; below it, overconfident."}, "image": {"alt": "Four panels, baselines left, DCLNN's seeds right, four classes above two. Naive Bayes has nearly all answers at confidence 1, far below the dotted line; the SVM lies near it. With four classes, two seeds of DCLNN lie below the line and one above; with two classes all lie near it, most answers at confidence 1."}}
plots.show(calibration.plot_reliability(calibration.compute_reliability()))

# %%
found = calibration.compute_calibration(level)
networks = found[found["method"] == "DCLNN"]
four, two = (networks[networks["task"] == name] for name in ("four", "two"))
bayes = found[found["method"] == "NB"]
assert (bayes["confidence"] > 0.99).all()
assert (bayes["low"] > 0).all()
assert (networks["low"] < 0).all()  # DCLNN: the CIs include zero
assert (networks["high"] > 0).all()
assert four["gap"].min() < 0 < four["gap"].max()
assert (two["gap"] > 0).all()
assert (networks["error"] > networks["chance"]).sum() > len(networks) / 2
assert np.isclose(networks["error"], error).any()  # the error above

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    found,
    "tbl-calibration",
    f"Accuracy and mean confidence on TEST; confidence minus accuracy with its cell-clustered 95 % CI; the ECE in ten bins, and in brackets what a calibrated run on so few cells stays below in 95 of 100 cases; the fraction of answers with a probability of {level} or more, and the fraction of these that is wrong.",
    columns=[
        *("task", "run", "accuracy", "confidence", ("gap", "low", "high")),
        *(("error", "chance"), "sure", "wrong"),
    ],
    headings={
        "gap": "Confidence − accuracy",
        "error": "ECE (by chance)",
        "wrong": "Wrong of these",
    },
    fmt={"error": "{:.2f} ({:.2f})".format, "sure": ".0%", "wrong": ".0%"},
)

# %% [markdown]
# **Naive Bayes** is certain of nearly everything and often wrong: it takes 14,400 numbers as independent. **The SVM**'s confidence is
# low, as is its accuracy.
#
# **DCLNN** differs from seed to seed ({numref}`tbl-calibration`). With four classes, confidence minus accuracy runs from
# {glue:text}`gap_least` to {glue:text}`gap_most`; with two, all runs are overconfident by a few points. Each run's CI
# includes zero, but most have a larger ECE than a calibrated network would reach by chance {cite}`broecker2007reliability`. So the
# confidence below which to call a person has to be found for each trained network.
#
# Which photographs are behind the answers that are sure and wrong?

# %%
sure_and_wrong = {}
for run in calibration.ended("DCLNN", "two"):
    answered = calibration.answers(run)
    mistaken = answered[(answered["confidence"] >= level) & ~answered["right"]]
    sure_and_wrong[run.config["seed"]] = mistaken["photograph"].value_counts()
sure_and_wrong = pd.DataFrame(sure_and_wrong).sort_index(axis=1).fillna(0).astype(int)
print(sure_and_wrong.add_prefix("seed "))
total = sure_and_wrong.sum(axis=1)
assert total.idxmax() == 110

# %% tags=["remove-input"]
chapter.cite(
    gap_least=comparison.signed(four["gap"].min()), gap_most=comparison.signed(four["gap"].max()),
    worst_share=total.max() / total.sum(),
)  # fmt: skip

# %% [markdown]
# With two classes, {glue:text}`worst_share:.0%` of them are images of photograph 110, labelled a monocyte; nobody checked the label
# ({doc}`photographs`).
#
# ## Robustness
#
# Microscopes differ in lamp and focus, laboratories in stain, and files are compressed. We alter TEST's images so, one alteration
# at a time {cite}`hendrycks2019`, at their published size of 320 × 240 pixels ({numref}`fig-corrupted`). DCLNN was trained on turned,
# shifted and mirrored images only.
#
# - **Blur** by a Gaussian, its standard deviation in pixels.
# - **Brightness**: every pixel times a factor.
# - **JPEG**: saved again at a lower quality.
# - **Stain**: colour deconvolution {cite}`ruifrok2001,landini2021`, which assumes a Romanowsky stain, splits a pixel's optical density
#   into what methylene blue, eosin and neither explain; blue is multiplied and eosin divided by a factor. On a synthetic cell:

# %%
picture = synthetic.draw("NEUTROPHIL", np.random.default_rng(0), (240, 320))
background = np.percentile(picture, 95, axis=(0, 1))  # stays as it is
density = np.log(background + 1) - np.log(picture + 1.0)
blue, eosin, rest = np.moveaxis(density @ np.linalg.inv(robustness.DYES), -1, 0)
redder = np.stack([0.6 * blue, eosin / 0.6, rest], axis=-1) @ robustness.DYES
redder = (np.exp(np.log(background + 1) - redder) - 1).clip(0, 255)
assert np.allclose(redder, robustness.corrupt(picture, "stain", 0.6), atol=1)
for name, shown in {"before": picture, "after": redder}.items():
    print("mean colour", name, shown.mean(axis=(0, 1)).round())

# %% mystnb={"figure": {"name": "fig-corrupted", "caption": "One image (a photograph of BCCD, MIT licence, turned by this book) under every corruption: blur (standard deviation in pixels), brightness (factor), stain (blue times, eosin divided by), JPEG (quality). Without the images, a synthetic cell takes its place, stamped so."}, "image": {"alt": "Four rows of five small pictures of one white cell among red cells. First row sharp to blurred, second dark to bright, third pink to bluish, last row fine to blocky. The cell stays easy to recognise in all but the most blurred."}}
plots.show_photographs(robustness.plot_pictures("TEST", example))

# %%
found = robustness.compute_scores()
corrupted = found[found["kind"] != "none"]
changed = corrupted[(corrupted["least"] > 0) | (corrupted["most"] < 0)]
worst = corrupted.groupby("kind")["change"].min()
assert set(changed["kind"]) == {"brightness", "stain"}
assert (worst[["blur", "JPEG"]] > -0.06).all()
assert (worst[["brightness", "stain"]] < -0.3).all()
by = corrupted.set_index(["task", "kind", "strength"])
dark, red = by.loc[("four", "brightness", 0.5)], by.loc[("four", "stain", 0.6)]
assert dark["favourite"] == red["favourite"] == "EOSINOPHIL"
assert by.loc[("two", "brightness", 0.5), "given"] == 1  # one class for all images
assert 0.05 * len(corrupted) == 2  # CIs that would exclude zero by chance

# %% mystnb={"figure": {"name": "fig-robustness", "caption": "Accuracy of DCLNN on TEST under each corruption, with four and with two classes. Hollow: uncorrupted (for JPEG at 100). Bands: cell-clustered 95 % CIs. Dotted: guessing."}, "image": {"alt": "Four panels. Under blur and JPEG both lines run nearly level. Under brightness both fall to both sides of the uncorrupted images, most towards the dark. Under stain both fall steeply towards less blue and more eosin, down to the dotted line of guessing, and little towards more blue."}}
plots.show(robustness.plot_scores(found))

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    corrupted.groupby(["task", "kind"]).nth([0, -1]),
    "tbl-robustness",
    "The two ends of each corruption: accuracy on TEST with its cell-clustered 95 % CI; its change from the uncorrupted images, on the same cells; the class that is answered most, and for how many images.",
    columns=[
        *("task", ("kind", "strength"), ("accuracy", "low", "high")),
        *(("change", "least", "most"), ("favourite", "given")),
    ],
    headings={"kind": "Corruption"},
    fmt={"kind": "{} {:g}".format},
)

# %% tags=["remove-input"]
chapter.cite(
    dark=dark["accuracy"], red=red["accuracy"], dark_given=dark["given"], red_given=red["given"],
    worst_blur=-100 * min(worst["blur"], worst["JPEG"]),
    changed=len(changed), tried=len(corrupted),
)  # fmt: skip

# %% [markdown]
# **Blur and JPEG change little** ({numref}`fig-robustness`): reducing images to 80 × 60 pixels blurs them anyway.
#
# **Brightness and stain matter.** With four classes, half the brightness brings accuracy to {glue:text}`dark:.0%`, and blue times 0.6
# to {glue:text}`red:.0%`, which is guessing. More blue does less harm. {glue:text}`red_given:.0%` of the reddest images and
# {glue:text}`dark_given:.0%` of the darkest are called eosinophils ({numref}`tbl-robustness`), which are named for taking up the
# red dye. DCLNN seems to go by the cell's own redness and darkness, without correcting for its surroundings.
#
# For {glue:text}`changed` of {glue:text}`tried` corruptions, all of brightness or stain, the 95 % CI of the change excludes zero, where
# chance alone would give two at most. The others may do harm as well. {doc}`external_validation` tests a real laboratory.
#
# ## Questions
#
# **1. Does it need the whole cell?** Augmentation shifted some cells partly out of the picture. How many answers are right where
# at least half of the box is visible, and where less is? Put 0.9 for `least`.

# %%
least = 0.5
right = measured["labels_four"] == images.labels("TEST", "four")
shown = measured["visible"] >= least
round(float(right[shown].mean()), 2), round(float(right[~shown].mean()), 2)

# %% tags=["remove-input"]
partly = measured["visible"] < 0.9
chapter.cite(
    q_half=right[measured["visible"] < 0.5].mean(),
    q_partly=right[partly].mean(),
    q_images=partly.sum(),
)

# %% [markdown]
# :::{dropdown} Answer
# With less than half of the box {glue:text}`q_half:.0%` of {glue:text}`half` images are right; with less than 0.9
# {glue:text}`q_partly:.0%` of {glue:text}`q_images`. An edge of the cell matters little.
# :::
#
# **2. Could a machine answer the sure ones alone** (*selective prediction*)? How many answers of each run have a confidence of 0.99
# or more, and how many of these are wrong?

# %%
strict = calibration.compute_calibration(0.99)
strict = strict[(strict["method"] == "DCLNN") & (strict["task"] == "four")]
assert strict["sure"].min() < 0.1 < 0.5 < strict["sure"].max()
assert strict["wrong"].max() < 0.05
print(strict[["run", "sure", "wrong"]].round(2).to_string(index=False))

# %% tags=["remove-input"]
chapter.cite(q_sure_least=strict["sure"].min(), q_sure_most=strict["sure"].max())

# %% [markdown]
# :::{dropdown} Answer
# Between {glue:text}`q_sure_least:.0%` and {glue:text}`q_sure_most:.0%`, nearly all of them right. A rule that passes most answers of one
# trained network passes hardly any of the next, and here it was chosen and judged on the same images.
# :::
