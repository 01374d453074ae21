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
# # Where does it look?
#
# The class is in the white cell. But nothing in training says so: a network gets a whole image and one word. The red
# cells, the stain, the ground of the slide would do as well, as long as photographs of one class share them. Does DCLNN
# look at the cell?

# %% tags=["parameters"]
task = "four"  # the figures' number of classes: four | two

# %% tags=["remove-input"]
import numpy as np

from bloodlib.analyses import attribution, plots
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison

chapter.begin()
measured = attribution.read()
numbers = np.unique(photographs.photographs("TEST"))
chapter.cite(
    images=len(images.names("TEST")),
    photographs=len(numbers),
    uncovered=len(photographs.uncovered("TEST")) or "none",
    published=len(images.photograph_numbers()),
    annotated=photographs.boxes()["photograph"].nunique(),
    area=measured["area"].mean(),
    visible=measured["visible"].mean(),
    half=(measured["visible"] < 0.5).sum(),
    nothing=(measured["visible"] == 0).sum() or "none",
    steps=attribution.STEPS,
)

# %% [markdown]
# ## Two maps, one box
#
# A map gives every place of an image a weight: how much it did for the answer's score. We draw two, which start from
# different ends.
#
# - **Integrated gradients** {cite}`sundararajan2017axiomatic` start at the pixels. On the way from an empty picture, all
#   in the image's median colour, to the image itself, they add up what each pixel does to the score. All pixels together
#   make up the whole change (here in {glue:text}`steps` steps, which is nearly so).
# - **HiResCAM** {cite}`draelos2020hirescam` starts at the second convolution: what each of its outputs is, times what one more
#   of it would do to the score. It is Grad-CAM {cite}`selvaraju2017gradcam` without the step that averages over
#   places, which misleads for networks that, like this one, know what comes from where.
#
# Where the cell is we know from elsewhere. The photographs are those of the BCCD dataset, whose annotators drew a box
# round each white cell; {glue:text}`annotated` of the {glue:text}`published` photographs have one or more. Of the
# {glue:text}`photographs` photographs behind TEST, {glue:text}`uncovered` is without its one box. {doc}`12_photographs` found how each image lies in
# its photograph; so the box can be carried into the image. In the mean {glue:text}`visible:.0%` of it lies inside.
# {glue:text}`half` of {glue:text}`images:,` images show less than half of it, and {glue:text}`nothing` nothing at all:
# the augmentation shifted the cell out of the picture, and left its name. {numref}`fig-attention-examples` shows images, boxes and maps.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-attention-examples", "caption": "The middle image of each class, in the order of names (photographs of BCCD, MIT licence, turned by this book), and the two maps of its answer with four classes, at a quarter of the network's resolution. Dashed: the box that BCCD's annotators drew. Where the images can't be had, drawn cells take their place and say so; the maps are then theirs, and there is no box."}, "image": {"alt": "Four pictures of white cells among red cells, one a class, and below each two maps in which bright patches lie on the white cell, inside the dashed box, and little lies elsewhere."}}
plots.show_photographs(attribution.plot_examples())

# %% [markdown]
# ## How much is on the cell?
#
# A map that looks right need not be right: some look the same for a network that has learned nothing {cite}`adebayo2018sanity`.
# So we count, for all images: the share of a map's weight that lies in the box, beside the box's share of the image,
# which is what an even map would have there. And we do the same with maps that should fail: those of the network as it was
# before training, those of another class than the one it answered, and a blob in the middle of the image, since the cell
# is often there.

# %%
found = attribution.compute_shares()

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    found,
    "tbl-attention",
    "The share of a map's weight that lies in the white cell's box, mean over TEST: all weight, or what speaks for the class. For the network's answer, with its interval by cell; for another class, drawn at random; for the network before training; for a blob in the middle; for an even map.",
    columns=["task", "map", "sign", ("share", "low", "high"), "other", "untrained", "blob", "area"],
    headings={
        "sign": "Weight",
        "share": "Its answer",
        "other": "Another class",
        "blob": "Middle blob",
        "area": "Even",
    },
    fmt={"map": attribution.MAPS.get},
)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-attention", "caption": "A dot for each photograph of TEST: the share of the map's weight in the box (mean over its images) over the area of the box. With a white middle: most of its images are wrong. Grey: the network before training. On the dotted line lie maps that know nothing of the cell."}, "image": {"alt": "Two panels, one for each map. Small grey dots lie along the dotted diagonal. The coloured dots lie far above it: boxes that take up a fiftieth to a fifth of the image hold between a seventh and nine tenths of the weight. Dots with a white middle tend to lie lower than the others."}}
each = attribution.compute_images()
own = each[each["task"] == task].drop(columns="task")
means = own.groupby(["class", "photograph"], observed=True).mean().reset_index()
plots.show(attribution.plot_photographs(means))

# %% tags=["remove-input"]
for row in found.itertuples():
    sign = "all" if row.sign == attribution.SIGNS[0] else "for"
    name = f"{row.task}_{row.map}_{sign}"
    chapter.cite({name: comparison.with_interval(row.share, row.low, row.high)})
    for column in ("share", "other", "untrained", "blob"):
        chapter.cite({f"{name}_{column}": getattr(row, column)})
sides = [comparison.beside(row.low, row.high, row.area) for row in found.itertuples()]
chapter.cite(sides=" or ".join(dict.fromkeys(sides)))

# %% [markdown]
# It does ({numref}`tbl-attention`). With four classes {glue:text}`four_pixels_all` of the weight of integrated gradients, and
# {glue:text}`four_features_all` of HiResCAM's, lie in a box that takes up {glue:text}`area:.2f` of the image. With two classes
# it is {glue:text}`two_pixels_all` and {glue:text}`two_features_all`. The intervals in brackets are for other cells of the
# same kind; they are {glue:text}`sides` what an even map would have.
#
# The measure can fail: before training the same network has {glue:text}`four_pixels_all_untrained:.2f` and
# {glue:text}`four_features_all_untrained:.2f` there ({numref}`fig-attention`). A blob in the middle would have
# {glue:text}`four_pixels_all_blob:.2f`. But it can't tell one class from another: the map of a class that the
# network did not answer has as much weight on the cell, {glue:text}`four_pixels_all_other:.2f`. Only its sign differs. Of
# what speaks for the class, {glue:text}`four_pixels_for_share:.2f` is on the cell if that class is the answer, and
# {glue:text}`four_pixels_for_other:.2f` if it is not. So these maps say where the network looks, and little of why it answers
# what it does.
#
# ## Right and wrong
#
# {numref}`tbl-attention-classes` has the same by class and answer.

# %% tags=["remove-input"]
groups = each.assign(answer=np.where(each["right"], "right", "wrong")).groupby(
    ["task", "class", "answer"], observed=True
)
classes = groups[["visible", "area", *attribution.MAPS]].mean()
classes = classes.assign(images=groups.size()).reset_index()
by = classes.set_index(["class", "answer"])
four = by[by["task"] == "four"].drop(columns="task")
pairs = four.unstack("answer").dropna()
for answer in ("right", "wrong"):
    for name in ("area", "pixels"):
        value = float(four.loc[("NEUTROPHIL", answer), name])
        chapter.cite({f"{answer}_{name}": value})
chapter.cite(n_pairs=len(pairs), n_fewest=pairs["images"]["wrong"].min())
chapter.cite(n_less=(pairs["pixels"]["wrong"] < pairs["pixels"]["right"]).sum())
chapter.cite(n_smaller=(pairs["area"]["wrong"] < pairs["area"]["right"]).sum())

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    classes,
    "tbl-attention-classes",
    "By class and answer: images; how much of the box is in the image; the box's share of the image, which an even map would have; the share of all weight that is in the box.",
    columns=["task", "class", "answer", "images", "visible", "area", *attribution.MAPS],
    headings={"visible": "Box in the image", "area": "Even"} | attribution.MAPS,
    fmt={"visible": ".0%"},
)

# %% [markdown]
# With four classes, wrong answers have less of the weight on the cell than right ones in {glue:text}`n_less` of
# {glue:text}`n_pairs` classes, though in one of them only {glue:text}`n_fewest` image was wrong. But in {glue:text}`n_smaller` of them their boxes are smaller, too. Wrongly answered neutrophils
# have {glue:text}`wrong_pixels:.2f` of the weight in {glue:text}`wrong_area:.2f` of the image, the others
# {glue:text}`right_pixels:.2f` in {glue:text}`right_area:.2f`. Whether the network errs because it looks elsewhere, or because
# the cell shows it too little, a map can't say.

# %% [markdown]
# ## The direct question
#
# Instead of asking where the network looked, one can take the cell away. In {numref}`tbl-hidden` the box is painted over in the
# image's median colour; then, to see what painting as such does, the same box half an image away; then all
# but the box. Such images are strange to a network, and what it says of them has to be read with care.

# %% tags=["remove-input"]
hidden = attribution.compute_hidden()
for row in hidden.itertuples():
    place = ["nothing", *attribution.HIDDEN].index(row.hidden)
    name = f"{row.task}_hidden_{place}"
    chapter.cite({name: row.accuracy, f"{name}_same": row.same})
    chapter.cite(chapter.difference(f"{name}_change", (row.change, row.least, row.most)))
for kind, its in images.TASKS.items():
    chapter.cite({f"{kind}_guess": 1 / len(its)})

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    hidden.assign(change=hidden["change"].where(hidden["hidden"] != "nothing")),
    "tbl-hidden",
    "Accuracy on TEST where something is painted over, with its interval by cell; its change, on the same cells; how many answers stay; and the class that is answered most.",
    columns=[
        "task",
        "hidden",
        ("accuracy", "low", "high"),
        ("change", "least", "most"),
        "same",
        ("favourite", "given"),
    ],
    headings={"same": "Same answer"},
    fmt={"same": ".0%"},
)

# %% [markdown]
# Without the cell, accuracy falls from {glue:text}`four_hidden_0:.2f` to {glue:text}`four_hidden_1:.2f` with four classes and from
# {glue:text}`two_hidden_0:.2f` to {glue:text}`two_hidden_1:.2f` with two, where guessing is {glue:text}`four_guess:.2f` and
# {glue:text}`two_guess:.2f`. As much painted elsewhere leaves {glue:text}`four_hidden_2_same:.1%` and
# {glue:text}`two_hidden_2_same:.1%` of the answers as they were. And with nothing but the cell, accuracy is
# {glue:text}`four_hidden_3:.2f` and {glue:text}`two_hidden_3:.2f`: a change of {glue:text}`four_hidden_3_change` and
# {glue:text}`two_hidden_3_change` (with four classes {glue:text}`four_hidden_3_change_side` zero, with two {glue:text}`two_hidden_3_change_side` it). With all else painted
# over, {glue:text}`four_hidden_3_same:.0%` and {glue:text}`two_hidden_3_same:.0%` of the answers stay: most of what it goes by is in the box.
#
# All of this is one network for each task, the run of seed 0 with its weights in 8 bits.
#
# In one sentence: DCLNN looks at the white cell. What it sees there is another question, and {doc}`18_disturbance` suggests
# that much of it is colour.

# %% [markdown]
# ## Questions
#
# How often is the answer right where at least half of the box lies in the image, and where less does?

# %%
measured, kind, least = attribution.read(), "four", 0.5
right = measured[f"labels_{kind}"] == images.labels("TEST", kind)
shown = measured["visible"] >= least
round(float(right[shown].mean()), 2), round(float(right[~shown].mean()), 2)

# %% tags=["remove-input"]
behind = photographs.photographs("TEST")
wrong = measured["labels_two"] != images.labels("TEST", "two")
worst = np.bincount(behind[wrong]).argmax()
among = worst in behind[measured["visible"] < 0.5]
chapter.cite(q_worst=worst, q_among="is among them" if among else "is not among them")
for kind in images.TASKS:
    right = measured[f"labels_{kind}"] == images.labels("TEST", kind)
    for name, limit in {"half": 0.5, "most": 0.9}.items():
        shown = measured["visible"] >= limit
        chapter.cite(
            {f"q_{kind}_{name}": right[shown].mean(), f"q_{kind}_{name}_not": right[~shown].mean()}
        )
hidden_images = {limit: measured["visible"] < limit for limit in (0.5, 0.9)}
chapter.cite(q_half_images=hidden_images[0.5].sum(), q_most_images=hidden_images[0.9].sum())
chapter.cite(q_half_photographs=len(np.unique(behind[hidden_images[0.5]])))

# %% [markdown]
# **1. Does it need the whole cell?** Put 0.9 for `least`.
#
# :::{dropdown} Answer
# With 0.5 it is {glue:text}`q_four_half:.2f` and {glue:text}`q_four_half_not:.2f`; with 0.9 {glue:text}`q_four_most:.2f` and
# {glue:text}`q_four_most_not:.2f`. The second numbers are of {glue:text}`q_half_images` and of
# {glue:text}`q_most_images` images. An edge of the cell more or less matters little; whether less than half of it does, so few
# images hardly tell.
# :::
#
# **2. And with two classes?** Put `"two"` for `kind`, and 0.5 for `least` again. Would you believe it?
#
# :::{dropdown} Answer
# {glue:text}`q_two_half_not:.2f` of the images with less than half of the box are right, and {glue:text}`q_two_half:.2f` of the
# others. It looks as if the network did better without the cell. But these are {glue:text}`q_half_images` images of
# {glue:text}`q_half_photographs` photographs, and number {glue:text}`q_worst`, which holds most of the mistakes with two classes
# ({doc}`12_photographs`), {glue:text}`q_among`.
# :::
