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
# # Attribution, calibration, robustness

# %% tags=["parameters"]
task = "four"  # the figures' number of classes: four | two
level = 0.9  # from which probability on an answer counts as sure
example = "NEUTROPHIL/_16_6249.jpeg"  # an image of TEST

# %% tags=["remove-input"]
import numpy as np

from bloodlib.analyses import attribution, calibration, plots, prediction, robustness
from bloodlib.book import chapter, tables
from bloodlib.data import images, photographs
from bloodlib.evidence import comparison

chapter.begin()

# %% [markdown]
# ## Attribution maps
#
# *Where does it look?*
#
# The class is in the white cell. But nothing in training says so: a network gets a whole image and one word. The red
# cells, the stain, the ground of the slide would do as well, as long as photographs of one class share them. Does DCLNN
# look at the cell?

# %% tags=["remove-input"]
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
# ### Two maps, one box
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
# {glue:text}`photographs` photographs behind TEST, {glue:text}`uncovered` is without its one box. {doc}`photographs` found how each image lies in
# its photograph; so the box can be carried into the image. In the mean {glue:text}`visible:.0%` of it lies inside.
# {glue:text}`half` of {glue:text}`images:,` images show less than half of it, and {glue:text}`nothing` nothing at all:
# the augmentation shifted the cell out of the picture, and left its name. {numref}`fig-attention-examples` shows images, boxes and maps.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-attention-examples", "caption": "The middle image of each class, in the order of names (photographs of BCCD, MIT licence, turned by this book), and the two maps of its answer with four classes, at a quarter of the network's resolution. Dashed: the box that BCCD's annotators drew. Where the images can't be had, drawn cells take their place and say so; the maps are then theirs, and there is no box."}, "image": {"alt": "Four pictures of white cells among red cells, one a class, and below each two maps in which bright patches lie on the white cell, inside the dashed box, and little lies elsewhere."}}
plots.show_photographs(attribution.plot_examples())

# %% [markdown]
# ### How much is on the cell?
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
# ### Right and wrong
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
# ### The direct question
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
# In one sentence: DCLNN looks at the white cell. What it sees there is another question, and the section on robustness suggests
# that much of it is colour.

# %% [markdown]
# ## Calibration
#
# *How sure is it?*
#
# A network doesn't only name a class, it gives it a probability. Whoever uses it will want to trust that: to
# pass answers of 0.99 and have a person look at those of 0.6. That works if, of the answers given with 0.9, nine
# in ten are right. Are they?

# %% tags=["remove-input"]
n = len(images.names("TEST"))
chapter.cite(level=level)

# %% [markdown]
# Confidence here is the probability that a method gives to its own answer, for the frozen runs of Table 1 after
# their last epoch; those that went on after epoch 25 ({doc}`epochs`) are left out. {numref}`fig-reliability` puts the answers of each run into bins by confidence, and asks of each bin how
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
# rounded ({doc}`epochs`). They have {glue:text}`four_image_accuracy` of the images right, and a mean confidence of
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
# ### Sure, and wrong

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
# images of photograph {glue:text}`most`, a {glue:text}`most_class`. {doc}`photographs` shows how that one photograph decides the
# score; most of its mistakes come without a warning.
#
# ### Does it help to ask twice?
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
chapter.cite(neutrophils=behind["NEUTROPHIL"])
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
# ### Which photographs stay wrong

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
# ## Robustness
#
# *What does it stand?*
#
# Another microscope has another lamp and another focus, another laboratory stains redder or bluer, and somebody saves
# pictures small. Here TEST's images are altered so, one alteration at
# a time, and DCLNN is asked again {cite}`hendrycks2019`. It has never seen such images: it was trained on turned, shifted and
# mirrored ones of this laboratory only.

# %% [markdown]
# {numref}`fig-disturbed` shows what is done, to the published image of 320 × 240 pixels, which is then reduced for
# the network as always:
#
# - **blur** by a Gaussian, its standard deviation in pixels of the published image;
# - **brightness**: every pixel times a number, white where it would be more than white;
# - **stain**: more of the blue dye and less of eosin, or the other way round. The colour of each pixel is taken apart
#   into what methylene blue, eosin and neither explain {cite}`ruifrok2001,landini2021`, the one is multiplied and the
#   other divided, and bare glass stays as it is;
# - **JPEG**: saved once more, at a lower quality.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-disturbed", "caption": "One image (a photograph of BCCD, MIT licence, turned by this book) under every disturbance: blur (standard deviation in pixels), brightness (times), stain (blue times, eosin divided by), JPEG (quality). Where the images can't be had, a drawn cell takes its place and says so."}, "image": {"alt": "Four rows of five small pictures of one white cell among red cells. First row sharper to blurred, second dark to bright, third pink to bluish, last row fine to blocky. The cell stays easy to recognise in all but the most blurred."}}
plots.show_photographs(robustness.plot_pictures("TEST", example))

# %%
found = robustness.compute_scores()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-disturbance", "caption": "Accuracy of DCLNN on TEST under each disturbance, with four and with two classes. Hollow: undisturbed (for JPEG at 100). Bands: intervals by cell. Dotted: guessing."}, "image": {"alt": "Four panels. Under blur and JPEG both lines run nearly level. Under brightness both fall to both sides of the undisturbed images, most towards the dark. Under stain both fall steeply towards less blue and more eosin, with four and with two classes down to the dotted line of guessing, and little towards more blue."}}
plots.show(robustness.plot_scores(found))

# %% tags=["remove-input"]
for (task, kind), rows in found.groupby(["task", "kind"], sort=False):
    for place, row in enumerate(rows.itertuples()):  # by strength, from 0
        name = f"{task}_{kind}_{place}"
        chapter.cite({name: row.accuracy, f"{name}_given": row.given})
        chapter.cite({f"{name}_favourite": row.favourite.lower()})
for kind, strengths in robustness.KINDS.items():
    for place, strength in enumerate(strengths):
        chapter.cite({f"{kind}_{place}": strength})
rates = found.set_index(["task", "kind"])
for task in images.TASKS:
    for kind in robustness.KINDS:
        change = rates.loc[(task, kind), "change"]
        chapter.cite({f"{task}_{kind}_worst": comparison.signed(change.min())})
apart = found[(found["least"] > 0) | (found["most"] < 0)]
chapter.cite(altered=len(apart), tried=(found["kind"] != "none").sum())
chapter.cite(apart_kinds=" and ".join(dict.fromkeys(apart["kind"])) or "none")
agree = {
    task: (y_pred[:, 0] == prediction.recorded(task).arrays["labels"][-1]).sum()
    for task, y_pred in robustness.read().items()
}
n = len(images.names("TEST"))
same = "all" if set(agree.values()) == {n} else " and ".join(f"{k:,} of" for k in agree.values())
chapter.cite(agree=same)

# %% [markdown]
# {numref}`fig-disturbance` has two kinds of panels. **Blur and JPEG hardly matter.** In the worst case they change accuracy by
# {glue:text}`four_blur_worst` and {glue:text}`four_JPEG_worst` with four classes, {glue:text}`two_blur_worst` and
# {glue:text}`two_JPEG_worst` with two. What a weak blur takes away was lost to the network anyway, when the image was
# reduced for it.
#
# **Brightness and stain do.** At {glue:text}`brightness_0:g` of the brightness, accuracy is
# {glue:text}`four_brightness_0:.2f` with four classes and {glue:text}`two_brightness_0:.2f` with two, in place of
# {glue:text}`four_none_0:.2f` and {glue:text}`two_none_0:.2f`. With blue times {glue:text}`stain_1:g` and eosin divided by as
# much, the second picture of the third row, it is {glue:text}`four_stain_1:.2f` and {glue:text}`two_stain_1:.2f`. More blue
# does less harm: at {glue:text}`stain_4:g` it is {glue:text}`four_stain_4:.2f` and {glue:text}`two_stain_4:.2f`.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    found[found["kind"] != "none"].groupby(["task", "kind"]).nth([0, -1]),
    "tbl-disturbance",
    "The two ends of each disturbance: accuracy on TEST with its interval by cell; its change from the undisturbed images, on the same cells; and the class that is answered most.",
    columns=[
        "task",
        ("kind", "strength"),
        ("accuracy", "low", "high"),
        ("change", "least", "most"),
        ("favourite", "given"),
    ],
    headings={"kind": "Disturbance"},
    fmt={"kind": "{} {:g}".format},
)

# %% [markdown]
# Which way it errs is in the last column of {numref}`tbl-disturbance`. At stain {glue:text}`stain_0:g`,
# {glue:text}`four_stain_0_given:.0%` of the answers with four classes are {glue:text}`four_stain_0_favourite`, and at
# brightness {glue:text}`brightness_0:g` {glue:text}`four_brightness_0_given:.0%` are
# {glue:text}`four_brightness_0_favourite`. Eosinophils are named for the dye that their granules take up, so red is a good
# sign of them, on one laboratory's slides. With two classes the same images are {glue:text}`two_stain_0_favourite`
# ({glue:text}`two_stain_0_given:.0%`) and {glue:text}`two_brightness_0_favourite`
# ({glue:text}`two_brightness_0_given:.0%`). It looks as if the network went by how red and how dark the picture is, and not by
# how the cell compares with the rest of the same picture, which these disturbances change alike.
#
# TEST's cells tell {glue:text}`altered` of {glue:text}`tried` disturbances, both tasks counted, apart from none at all:
# they are of {glue:text}`apart_kinds`. The bands are as wide as ever ({doc}`intervals`). And all of this is one network
# for each task, the run of seed 0 with its weights in 8 bits; on undisturbed images, {glue:text}`agree` {glue:text}`images:,`
# answers are those of its record. How far apart real laboratories are, no factor here claims to say.
#
# In one sentence: on TEST, blur and compression change little, and half of the light or much less of the blue dye brings the score to guessing
# or near it.

# %% [markdown]
# ## Questions

# %% [markdown]
# ### Attribution maps
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
# ({doc}`photographs`), {glue:text}`q_among`.
# :::
# %% [markdown]
# ### Calibration
#
# **3. Could a machine answer the sure ones alone?** Run this chapter with `-p level 0.99` ({doc}`run_it_yourself`). Of each run with
# four classes, what share of TEST passes, and how many of the wrong answers with it?
#
# :::{dropdown} Answer
# {glue:text}`q_four_high` of the images pass, with {glue:text}`q_four_high_wrong` wrong answers. That looks like a safe rule, and
# may be one for these runs. But how much it lets pass depends on the run, and it was found on the images that it
# is judged by. With two classes the same rule passes {glue:text}`q_two_high`, and with them {glue:text}`q_two_high_wrong` wrong
# answers. In no run are these of more photographs than {glue:text}`q_two_high_photographs`.
# :::
#
# **4. Is 0.5 a low bar?** With four classes an answer can have a probability as low as a quarter. Run it with `-p level 0.5`.
#
# :::{dropdown} Answer
# {glue:text}`q_four_low` of the images pass with four classes, with {glue:text}`q_four_low_wrong` wrong answers; with two,
# {glue:text}`q_two_low`: one of two probabilities is always at least a half. The same number is another bar for another task and
# another run.
# :::
# %% [markdown]
# ### Robustness
#
# Under how many of the disturbances is accuracy with four classes no longer told apart from guessing?

# %%
four = found[(found["task"] == "four") & (found["kind"] != "none")]
int((four["low"] <= 1 / 4).sum()), len(four)

# %% tags=["remove-input"]
for task, its in found[found["kind"] != "none"].groupby("task"):
    guessing = its[its["low"] <= 1 / len(images.TASKS[task])]
    listed = [f"{row.kind} {row.strength:g}" for row in guessing.itertuples()]
    better = its[its["change"] > 0]
    top = its.loc[its["change"].idxmax()]
    chapter.cite({f"q_{task}_guessing": " and ".join(listed) or "none", f"q_{task}_of": len(its)})
    chapter.cite({f"q_{task}_better": len(better)})
    chapter.cite({f"q_{task}_top": f"{top['kind']} {top['strength']:g}"})
    chapter.cite(chapter.difference(f"q_{task}_gain", top[["change", "least", "most"]]))

# %% [markdown]
# **5. And with two classes?** Put `"two"` for `"four"`, and 2 for 4.
#
# :::{dropdown} Answer
# With four classes it is {glue:text}`q_four_guessing`, with two {glue:text}`q_two_guessing`, of {glue:text}`q_four_of` each. That few
# are on this list does not make the others harmless: intervals by cell are wide, and "not told apart from guessing" is a low bar.
# :::
#
# **6. Does blur help?** Put `four["change"] > 0` for `four["low"] <= 1 / 4`. How many disturbances make accuracy higher, and
# should one disturb the images on purpose?
#
# :::{dropdown} Answer
# {glue:text}`q_four_better` of {glue:text}`q_four_of` do with four classes, and {glue:text}`q_two_better` with two. The largest
# gain with four is that of {glue:text}`q_four_top`, {glue:text}`q_four_gain`: {glue:text}`q_four_gain_side` zero, although it was picked
# as the best of {glue:text}`q_four_of` after the fact. Among so many tries, some go up.
# :::
