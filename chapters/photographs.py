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
# # The photographs behind the images
#
# :::{admonition} In short
# How many photographs and cells are behind the test images? The {glue:text}`n_images:,` images of TEST were made from
# {glue:text}`n_photographs` photographs of {glue:text}`n_cells` cells. Pixels alone identify the photograph of every image, and the published
# random seed gives the same division into TRAIN and TEST for all {glue:text}`n_replayed` photographs.
# :::
#
# The dataset's author took photographs of BCCD and turned, sheared, shifted and mirrored each into many images. The images'
# names do not tell which photograph they came from.

# %% tags=["parameters"]
example = "MONOCYTE/_3_684.jpeg"  # an image of TEST

# %%
import itertools

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from bloodlib.analyses import examples, plots
from bloodlib.book import chapter, interactive, tables
from bloodlib.data import images, photographs, registration, stored, synthetic
from bloodlib.evidence import comparison

# %% tags=["remove-input"]
chapter.begin()

# %% [markdown]
# ## The split, repeated
#
# The notebook that made the dataset is public. It holds out a fifth of the photographs with one white cell, with scikit-learn's
# `train_test_split` and `random_state=10`, before it turns any of them. The same call on the photographs' labels gives the photographs that
# TRAIN and TEST must hold. They agree with those that the matching below found from pixels:

# %%
listed = photographs.cell_table().set_index("photograph")["labels"]
one_cell = listed.ne("") & ~listed.str.contains("+", regex=False)
single = listed[one_cell]
matched = {split: set(photographs.photographs(split)) for split in ("TRAIN", "TEST")}
print("photographs behind", {split: len(found) for split, found in matched.items()})
agree = {}
for group, labels in ("all", single), ("no basophils", single[single != "BASOPHIL"]):
    train, test = train_test_split(labels.index, test_size=0.2, random_state=10)
    repeated = {"TRAIN": set(train), "TEST": set(test)}
    agree[group] = {split: len(matched[split] & repeated[split]) for split in matched}
    print(group, "agree:", agree[group])
print("the basophils:", single[single == "BASOPHIL"].index.tolist())

# %% [markdown]
# **Three photographs of basophils were divided with the others.** The notebook means to leave basophils out, by `label is not 'BASOPHIL'`. In Python this compares two objects,
# not two texts, and is always true. So all three went into the training part. Without them the same call gives another split, which
# agrees with {glue:text}`without` of TEST's photographs only.
#
# **56 images overwrote each other.** The notebook names each image by its photograph and a random number below 10,000. When two images of a
# photograph draw the same number, the second file replaces the first. Of $n$ images from $k$ photographs, $10000k\,(1-(1-1/10000)^{n/k})$
# are expected to remain. 56 are missing, within two standard deviations of the number expected:

# %%
rows = []
for split, n in {"TRAIN": 2500, "TEST": 625}.items():  # images made of each class
    for name, k in photographs.counts()[split].items():  # photographs of the class
        expected = 10_000 * k * (1 - (1 - 1 / 10_000) ** (n / k))
        rows.append((split, name, k, n, expected, images.counts()[split][name]))
columns = ["split", "class", "photographs", "made", "expected", "found"]
files = pd.DataFrame(rows, columns=columns)
print(files.round(1).to_string(index=False))
lost = files["made"].sum() - files["found"].sum()
mean = files["made"].sum() - files["expected"].sum()
print(f"{lost} lost, {mean:.1f} expected, standard deviation {mean**0.5:.1f}")

# %% tags=["remove-input"]
replayed = photographs.replay()
assert all(numbers == matched[split] for split, numbers in replayed.items())
assert agree["all"] == {split: len(numbers) for split, numbers in matched.items()}
assert (single == "BASOPHIL").sum() == 3
assert lost == 56  # of 12,500, within two standard deviations of what is expected
assert abs(lost - mean) < 2 * mean**0.5

# %% [markdown]
# ## One image, matched step by step
#
# We load all photographs and the image in grey, at 320 × 240 pixels. Where there are no photographs, synthetic cells take their place, one of
# them turned as the image was.

# %%
table = photographs.table()
recorded = table[table["split"].eq("TEST") & table["name"].eq(example)].iloc[0]
how = {"dsize": (320, 240), "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP}
shown = "photograph" if images.available("Original_Images") else "synthetic cell"
if shown == "photograph":
    numbers = images.photograph_numbers()
    known = {n: registration.grey(images.photograph(n)) for n in numbers}
    image = registration.grey(images.picture("TEST", example))
else:
    numbers = sorted({*images.photograph_numbers()[::12], recorded["photograph"]})
    rngs = {n: np.random.default_rng(n) for n in numbers}
    cells = {n: synthetic.draw(n % 4, rng, (240, 320)) for n, rng in rngs.items()}
    known = {n: registration.grey(cell) for n, cell in cells.items()}
    turned = registration.compose(**recorded[registration.PARTS])
    image = cv2.warpAffine(known[recorded["photograph"]], turned, **how)

# %% [markdown]
# **Candidates by correlation.** The image is turned back by each of 6,804 maps that the augmentation could have used, reduced to 40 × 30
# pixels, and correlated with every photograph. The black corners are filled with the mean first.


# %%
def small(picture):
    values = cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA)
    values = values.ravel() - values.mean()
    return values / np.linalg.norm(values)


inside = image > 8  # the augmentation fills corners with black
level = float(image[inside].mean())
filled = np.where(inside, image, level).astype(np.uint8)
flips, rotations, shears = ("", "h", "v", "hv"), range(-20, 21, 5), (-8, 0, 8)
shifts = range(-32, 33, 8), range(-24, 25, 8)
grid = itertools.product(flips, rotations, shears, *shifts)
maps = [registration.compose(*parts) for parts in grid]
size = (320, 240)
back = [small(cv2.warpAffine(filled, one, size, borderValue=level)) for one in maps]
correlation = np.stack(back) @ np.stack([small(one) for one in known.values()]).T
candidates = pd.Series(correlation.max(axis=0), known).nlargest(4)
print("photograph and correlation:", candidates.round(2).to_dict())

# %% [markdown]
# **The affine fit.** From the best map of the grid, the six numbers of an affine map are refined until the correlation of the pixels is
# highest (ECC {cite}`evangelidis2008ecc`). For comparison: the recorded map, which a different method found from local features.

# %%
best, second = candidates.index[:2]
stop = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6
mask = cv2.erode(inside.astype(np.uint8), np.ones((9, 9)))
fitted = {}
for number in (best, second):
    start = maps[correlation[:, list(known).index(number)].argmax()]
    start = np.ascontiguousarray(start, np.float32)
    try:
        pair = image, known[number]
        _, found = cv2.findTransformECC(*pair, start, cv2.MOTION_AFFINE, stop, mask)
    except cv2.error:  # no convergence: these two are different pictures
        found = start
    fitted[number] = found
parts = {"fitted": registration.decompose(fitted[best]), "recorded": recorded}
parts = pd.DataFrame(parts)
print(parts.loc[registration.PARTS].T.to_string(float_format="{:.2f}".format))

# %% [markdown]
# **The residual.** The photograph, put through the map, should give the image. What is left of the grey values (0 to 255) is the loss of
# saving a JPEG twice. For the runner-up, another picture is left:

# %%
residual = {}
for number, found in fitted.items():
    turned = cv2.warpAffine(known[number], found, **how)
    both = (inside & (turned > 0)).astype(np.uint8)
    both = cv2.erode(both, np.ones((5, 5))) > 0  # without the blurred edge
    residual[number] = image[both].astype(float) - turned[both]
spread = {number: round(float(left.std()), 1) for number, left in residual.items()}
print("standard deviation of the residual:", spread)
print("of the image:", image[inside].std().round(1))

# %% tags=["remove-input"]
moved = parts.loc[registration.PARTS[1:]]
moved = (moved["fitted"] - moved["recorded"]).astype(float).abs()
if example == "MONOCYTE/_3_684.jpeg":  # others may be blurred, or photographed twice
    assert best == recorded["photograph"]
    assert candidates[best] > candidates[second] + 0.1
    assert parts.loc["flip"].nunique() == 1
    assert moved[["rotation", "shear"]].max() < 0.5  # degrees
    assert moved[["shift_x", "shift_y"]].max() < 1  # pixels
    assert 3 * spread[best] < spread[second]
chapter.cite(
    best=best, second=second, best_spread=spread[best], second_spread=spread[second],
    moved_angle=moved[["rotation", "shear"]].max(),
    moved_shift=moved[["shift_x", "shift_y"]].max(),
)  # fmt: skip

# %% mystnb={"figure": {"name": "fig-example", "caption": "Left: the photograph, turned by the fitted map as the dataset turned it. Middle: the photograph (BCCD, MIT licence) with the outline of the image; the dot marks the same corner in both. Right: residuals of the best photograph and of the runner-up."}, "image": {"alt": "Left, a grey picture of a blood film with a white cell and black wedges at the edges. Middle, the photograph with a slanted dashed parallelogram that leaves the photograph exactly where the image is black. Right, two histograms: a high narrow peak at zero for the best photograph, a low wide one for the runner-up."}}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.2, 2.4))
corners = np.array([[0, 0, 1], [320, 0, 1], [320, 240, 1], [0, 240, 1], [0, 0, 1]])
outline = corners @ fitted[best].T
grey = {"cmap": "gray", "vmin": 0, "vmax": 255}
left.imshow(cv2.warpAffine(known[best], fitted[best], **how), **grey)
left.set_title(f"{shown} {best}, turned")
middle.imshow(known[best], **grey)
middle.set_title(f"{shown} {best}")
middle.plot(*outline.T, "k--")
for axis, corner in (left, corners), (middle, outline):
    axis.plot(*corner[0, :2], "ko", clip_on=False)
    plots.bare(axis)
for number, differences in residual.items():
    right.hist(differences, range(-80, 81, 2), alpha=0.6, label=number, density=True)
right.set(xlabel="residual (grey levels)", yticks=[])
right.legend(title=shown)
plots.show_photographs(figure)

# %% [markdown]
# Photograph {glue:text}`best` is the source of the image ({numref}`fig-example`): its residual has a standard deviation of
# {glue:text}`best_spread:.1f` grey levels, that of the runner-up {glue:text}`second_spread:.1f`. Two methods that share no step agree on the map
# within {glue:text}`moved_angle:.2f`° and {glue:text}`moved_shift:.2f` pixels.
#
# ## All images
#
# For all images, `bloodlib audit --remake` takes the photograph with most local features (SIFT {cite}`lowe2004sift`) in places that one map
# explains (RANSAC {cite}`fischler1981ransac`). Where an image has too few, it compares pixels as above. Labels, names and folders are not used.
# `results/photographs.csv` stores the result, `results/cells.csv` the cell of each photograph; {numref}`tbl-behind` counts them.

# %% mystnb={"markdown_format": "myst"}
cell = photographs.cell_table().set_index("photograph")["cell"]
folder = table["name"].str.partition("/")[0]
table = table.assign(folder=folder, cell=cell[table["photograph"]].to_numpy())
behind = table.groupby(["split", "folder"]).agg(
    images=("name", "size"),
    photographs=("photograph", "nunique"),
    cells=("cell", "nunique"),
    fewest=("photograph", lambda numbers: numbers.value_counts().min()),
    most=("photograph", lambda numbers: numbers.value_counts().max()),
)
tables.show(
    behind.reset_index().rename(columns=str.capitalize),
    "tbl-behind",
    "Images, their photographs and cells; the fewest and most images of a photograph.",
)

# %% [markdown]
# Five checks use what the matching did not: a second method, the labels, the folder of unturned photographs, the numbers in the files' names, and
# two vision-language models, which chose among four photographs, or none.

# %%
made, simple = photographs.provenance(), table[table["split"] == "TEST_SIMPLE"]
augmented = table[table["split"] != "TEST_SIMPLE"]
print("same by pixels alone:", made["of_these_agree"], "of", made["registered_too"])
right = listed[table["photograph"]].to_numpy() == table["folder"]
print(f"in the folder of the photograph's label: {right.sum():,} of {len(table):,}")
print(f"largest rotation in TEST_SIMPLE: {simple['rotation'].abs().max():.2f} degrees")
in_names = augmented["name"].str.extract(r"/_(\d+)_")[0]
counted = in_names.groupby([augmented["split"], folder]).nunique()
counted = counted == behind["photographs"].drop("TEST_SIMPLE")
print("folders with as many photographs by name:", counted.sum(), "of", len(counted))
chosen = pd.read_csv(stored.results_folder() / "handcheck.csv", keep_default_na=False)
missed = (chosen["answer"] != chosen["given"]).sum()
print(f"other photographs chosen by the models: {missed} of {len(chosen)}")

# %% [markdown]
# The strongest check: the fitted maps end exactly where the augmentation's limits are ({numref}`fig-maps`), though the matching allows more.

# %% mystnb={"figure": {"name": "fig-maps", "caption": "The fitted maps of TRAIN's and TEST's images: rotation, shear and shifts. Lines: the limits in the dataset's notebook (20°, 0.2 radians, a tenth of width and height)."}, "image": {"alt": "Four histograms of rotation, shear and the shifts along x and y. Each is flat between two vertical lines and drops to zero at them."}}
limits = {"rotation": 20, "shear": np.rad2deg(0.2), "shift_x": 32, "shift_y": 24}
figure, axes = plt.subplots(1, 4, figsize=(7.2, 2), sharey=True)
augmented[list(limits)].hist(bins=60, ax=axes)
for axis, (name, limit) in zip(axes, limits.items(), strict=True):
    axis.axvline(-limit, color="black", lw=1)
    axis.axvline(limit, color="black", lw=1)
    axis.set_xlabel("pixels" if "shift" in name else "degrees")
axes[0].set_ylabel("images")
plots.show(figure)

# %% tags=["remove-input"]
beyond = {name: (augmented[name].abs() > limit + 0.5).mean() for name, limit in limits.items()}
assert max(beyond.values()) < 0.001  # no false match would respect a limit that it was not told
assert (table["photograph"] >= 0).all()
assert right.all()
assert counted.all()
assert made["of_these_agree"] == made["registered_too"]
held, cells = photographs.photographs("TEST"), photographs.cells("TEST")
in_both = np.isin(cells, photographs.cells("TRAIN"))
pairs = photographs.pair_table()
remarkable = examples.compute_remarkable()
two = remarkable[remarkable["What"] == "two labels"]
assert not matched["TRAIN"] & matched["TEST"]  # no photograph is on both sides,
contradictory = two.set_index("Photographs").loc["206, 278"]
assert contradictory["Labels"] == "lymphocyte, monocyte"
assert contradictory["Images in"] == "TRAIN, TRAIN"
assert two["Photographs"].tolist() == ["206, 278", "242, 249"]
per_class = behind.loc["TEST"]
chapter.cite(
    n_images=len(held),
    n_photographs=len(matched["TEST"]),
    n_cells=len(set(cells)),
    n_replayed=sum(map(len, replayed.values())),
    without=agree["no basophils"]["TEST"],
    monocytes=per_class.loc["MONOCYTE", "photographs"],
    monocyte_images=per_class.loc["MONOCYTE", "fewest"],
    neutrophil_images=per_class.loc["NEUTROPHIL", "most"],
    overlapping=len(pairs),
    one_cell=pairs["same_cell"].sum(),
    across=len(set(cells[in_both])),
    across_images=in_both.sum(),
    apart=(pairs["b"] - pairs["a"]).max(),
    two_images=contradictory["Images"].replace(", ", " and "),
)

# %% [markdown]
# To make the classes equal, photographs of a rare class were used more often: each monocyte photograph gave at least {glue:text}`monocyte_images`
# images of TEST, a neutrophil photograph at most {glue:text}`neutrophil_images`. The recall of monocytes rests on {glue:text}`monocytes` photographs. No photograph
# is behind both TRAIN and TEST. But a photograph is not a cell.
#
# ## The same cell twice
#
# Between two photographs of one piece of film the microscope's stage moved. Every shift of every two photographs is tried
# {cite}`padfield2012masked`: {glue:text}`overlapping` pairs show a common piece of film, and {glue:text}`one_cell` of them the same white cell
# ({numref}`fig-pairs`). {glue:text}`across` cells have one photograph in TRAIN and one in TEST; {glue:text}`across_images` images of TEST show them.
# Two pairs have contradictory labels ({numref}`tbl-pairs`). Photographs 206 and 278 show one large cell with a round nucleus and blue
# cytoplasm, once labelled a lymphocyte and once a monocyte; TRAIN has {glue:text}`two_images` images of them. Photographs 242 and
# 249 show the same two cells, of which one is once called an eosinophil and once a neutrophil; no images were made of them.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pairs", "caption": "All pairs of photographs of the same white cell: number, label, and the folder of the images made from it. Dashed: the part that both show. Titles have the colours of the classes; grey for several labels. Photographs: BCCD (MIT licence). Grey tiles with numbers stand where the photographs cannot be had."}, "image": {"alt": "Rows of photographs, two and two. In each pair the dashed frames hold the same white cell among the same red cells, shifted. Most pairs have titles of one colour, so one label; one has a lymphocyte's and a monocyte's."}}
plots.show_photographs(examples.plot_pairs())

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    remarkable,
    "tbl-pairs",
    "Pairs of the same cell whose labels differ, or with one photograph in TRAIN and one in TEST: the photographs, their labels, the folder of their images, and how many images TRAIN and TEST have of them.",
)

# %% [markdown]
# Overlapping photographs have numbers at most {glue:text}`apart` apart, so numbers seem to follow the slides. Which slide or patient a
# photograph is from was never published.
#
# ## Correct answers by photograph
#
# {numref}`fig-wall` shows TEST as photographs. Click one to see the answers of every run.

# %%
wall = examples.compute_wall(comparison.compared("DCLNN", "four"))
pictures = {number: examples.thumbnail(number) for number in wall["photograph"]}

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-wall", "caption": "TEST's photographs, each as large as the number of its images, shaded by the fraction that DCLNN classifies correctly (four classes, max pooling, epoch 25, mean over runs). Written: the number and, in large tiles, the fraction. A star: another photograph of the same cell is in TRAIN. Photographs: BCCD (MIT licence). Where they cannot be had, tiles are without pictures."}, "image": {"alt": "Four blocks of equal size. Neutrophils are 48 small tiles, eosinophils 13 larger ones, lymphocytes 6, monocytes 4 very large ones. About half of the tiles are dark blue, nearly all right; the rest run from light blue to orange, and one, a monocyte, is dark red, 3 percent right."}}
plots.show_photographs(examples.plot_wall(wall, pictures))

# %% tags=["remove-input"]
interactive.show("wall", "fig-wall", interactive.compute_wall(wall, pictures))

# %% [markdown]
# Errors concentrate in few photographs. For each task and pooling, {numref}`tbl-errors` counts wrong answers over all seeds:

# %% mystnb={"markdown_format": "myst"}
rows = []
for task, method in itertools.product(images.TASKS, ("MaxPooling", "AveragePooling")):
    shares = examples.compute_shares(comparison.compared(method, task))
    wrong = (shares["images"] - shares["right"]).groupby(shares["photograph"]).sum()
    wrong = wrong.sort_values(ascending=False)
    half = (wrong.cumsum() < wrong.sum() / 2).sum() + 1  # so few photographs
    fraction = f"{wrong.iloc[0] / wrong.sum():.0%}"
    rows.append((task, method, wrong.sum(), half, wrong.index[0], fraction))
columns = ["Classes", "Method", "Wrong answers", "Photographs with half"]
columns += ["Worst photograph", "Its fraction"]
errors = pd.DataFrame(rows, columns=columns)
tables.show(
    errors,
    "tbl-errors",
    "DCLNN's wrong answers on TEST, how few photographs have half, and which has most.",
)

# %% tags=["remove-input"]
binary = errors[errors["Classes"] == "two"]
assert set(binary["Worst photograph"]) == {110}
largest = binary.set_index("Method")["Its fraction"]
assert wall.set_index("photograph").loc[110, "class"] == "MONOCYTE"
assert (wall["share"] > 0).all()
assert wall.set_index("photograph").loc[104, "share"] > 0.995
right, total = wall["share"] * wall["images"], wall["images"].sum()
without = ((right.sum() - right) / (total - wall["images"])).set_axis(wall["photograph"])
missing = sorted(matched["TEST"] - set(simple["photograph"]))
twice = simple["photograph"][simple["photograph"].duplicated()]
assert set(listed[missing]) == {"EOSINOPHIL"}
assert set(simple["photograph"]) < matched["TEST"]
chapter.cite(
    all_right=(wall["share"] == 1).sum(),
    binary_max=largest["MaxPooling"],
    binary_average=largest["AveragePooling"],
    simple_files=len(simple),
    simple_photographs=simple["photograph"].nunique(),
    simple_missing=" and ".join(map(str, missing)),
    simple_twice=" and ".join(map(str, sorted(twice))),
    q_all=right.sum() / total,
    q_highest=without.max(),
    q_highest_number=without.idxmax(),
    q_lowest=without.min(),
    q_lowest_number=without.idxmin(),
)

# %% [markdown]
# With two classes, photograph 110, labelled a monocyte, holds {glue:text}`binary_average` of all errors with average pooling, and
# {glue:text}`binary_max` with max pooling, where most others are of the run that learned nothing ({doc}`epochs`). With four, DCLNN calls {glue:text}`neutrophil:.0%` of its images neutrophils. Nobody checked the label: it may be wrong, and not the network. Of
# {glue:text}`n_photographs` photographs, {glue:text}`all_right` are classified correctly in every image and run with four classes; none is wrong
# in all.
#
# **Errors follow the photographs' numbers.** Photographs below 160 look like another film: red cells browner and clumped, with bright
# specks. The fraction of images that DCLNN classifies correctly:

# %%
number = np.where(wall["photograph"] < 160, "below 160", "160 and above")
sums = wall.assign(right=wall["share"] * wall["images"], number=number).pivot_table(
    ["images", "right"], "class", "number", "sum", margins=True, margins_name="all"
)
by_number = sums["right"] / sums["images"]
print(by_number.round(2).to_string())

# %% tags=["remove-input"]
assert (by_number["below 160"] < by_number["160 and above"]).all()
assert by_number.loc["all", "160 and above"] - by_number.loc["all", "below 160"] > 0.2
answers = comparison.predicted(comparison.compared("DCLNN", "four"))[:, held == 110]
assert wall.set_index("photograph")["share"].loc[110].round(2) == 0.03
chapter.cite(neutrophil=(answers == images.CLASSES.index("NEUTROPHIL")).mean())

# %% [markdown]
# Below 160 it is lower in every class. This is exploratory: we chose the cut after seeing {numref}`fig-wall`, and some classes have two photographs
# on a side. If the numbers follow the films, films and not cells are independent, and every interval of this book is too narrow.
#
# Images of a photograph are right or wrong together, so that {glue:text}`n_images:,` images are far fewer independent observations. {doc}`intervals`
# computes confidence intervals over cells.
#
# **TEST_SIMPLE is no second test set.** Its {glue:text}`simple_files` files are {glue:text}`simple_photographs` of TEST's photographs, reduced and
# not turned: {glue:text}`simple_twice` are in it twice, and the eosinophils {glue:text}`simple_missing` are missing.
#
# ## Questions
#
# To match another image, run this page with `-p example NEUTROPHIL/_16_6249.jpeg` ({doc}`run_it_yourself`), or any other
# name in TEST.
#
# **1. How much can one photograph change?** Leave a photograph out, `rest = wall[wall["photograph"] != 110]`, and compute the accuracy that
# is left, `np.average(rest["share"], weights=rest["images"])`. Which photograph moves it most, up and down?
#
# :::{dropdown} Answer
# With all photographs accuracy is {glue:text}`q_all:.3f`. Without number {glue:text}`q_highest_number` it would be {glue:text}`q_highest:.3f`,
# without number {glue:text}`q_lowest_number`, always classified correctly, {glue:text}`q_lowest:.3f`.
# :::
