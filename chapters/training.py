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
# # Training
#
# *How is DCLNN trained, and what does it learn?*
#
# :::{admonition} In short
# About sixty lines of plain Keras train the network of section 4.2, with the settings of the Kaggle notebook where the paper is silent.
# The run shown here classifies {glue:text}`fraction:.0%` of TEST correctly after its last epoch. Over its last {glue:text}`n_late` epochs the accuracy
# varied by {glue:text}`jump:.0f` points, a variation that intervals over cells leave out.
# :::
#
# This is the chapter to run in batches: with other parameters it trains, records, and shows the same figures for another run
# ({doc}`your_runs`).

# %% tags=["parameters"]
profile = "recorded"  # recorded | quick: minutes, not for quoting | full
task = "four"  # four | two
pooling = "max"  # max | average
seed = 0  # weights, order, augmentation and dropout
source = "published"  # published: the paper's images | drawn: synthetic cells
settings = {}  # others, as in study.yml: {"split_by": "cell", "hidden": 64}
loop = "small"  # plain Keras: small: on 256 images | plain: on all, 25 epochs

# %%
import pandas as pd

from bloodlib import study
from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, interactive, tables
from bloodlib.data import images
from bloodlib.evidence import comparison
from bloodlib.evidence.comparison import estimate
from bloodlib.models import training

chapter.begin()  # figures in the book's style

# %% [markdown]
# ## The training in plain Keras
#
# The next cells train the network. They run whenever this page is built, on 64 images of each class and for two epochs:
# enough to see that the code runs, far too little to learn from. With `-p loop plain` the same cells train on all of TRAIN for 25
# epochs, on a GPU if Keras finds one. First the images, 60 × 80 pixels in RGB, and their labels:

# %% tags=["remove-stderr"]
images_per_class, epochs, kinds = 64, 2, ["max", "average"]
if loop == "plain":
    images_per_class, epochs, kinds = None, 25, [pooling]
obstacle = ""
if source == "published" and not images.available():
    obstacle = "no images here: `bloodlib data --fetch`, or `-p source drawn`"
try:
    keras = training.load_keras()  # "import keras" without its backend's first messages
except ImportError as error:
    obstacle = str(error)
if obstacle:
    print("Nothing is trained here:", obstacle)
else:
    data = study.load(source, images_per_class)
    x_train, y_train = data.pixels["TRAIN"], data.labels[task]["TRAIN"]
    x_test, y_test = data.pixels["TEST"], data.labels[task]["TEST"]
    what = "synthetic cells" if source == "drawn" else "images"
    print(f"{len(x_train)} {what} to train on, {len(x_test)} to test on")

# %% [markdown]
# The network of section 4.2, with its one pooling layer between the convolutions and the hidden layer ({doc}`network`). What the
# paper leaves open (128 nodes, both dropout rates) is as in the Kaggle notebook.


# %%
def build_network(pooling):
    layers = keras.layers
    pools = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
    return keras.Sequential(
        [
            keras.Input((60, 80, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            pools[pooling](2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(len(images.TASKS[task]), activation="softmax"),
        ]
    )


# %% [markdown]
# The Kaggle notebook augments: each time an image is used, it is mirrored or not, turned by up to 10 degrees and shifted by up to a
# tenth of its height and width. Keras' layers for this act in training only, so that they can precede the network. Then compile
# with the notebook's optimizer, fit, and evaluate on TEST after each epoch:


# %%
def fit(pooling):
    keras.utils.set_random_seed(seed)
    augment = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(10 / 360, fill_mode="nearest"),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
    ]
    network = build_network(pooling)
    model = keras.Sequential([keras.Input((60, 80, 3)), *augment, network])
    model.compile(
        optimizer=keras.optimizers.Adadelta(learning_rate=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model.fit(
        x_train,
        y_train,
        batch_size=32,
        epochs=epochs,
        validation_data=(x_test, y_test),
        verbose=0,
    )


# %% [markdown]
# Now change one thing and leave the rest, the seed too, as it is. Here it is the pooling layer ({doc}`tables`):

# %% tags=["remove-stderr"]
if not obstacle:
    found = {kind: pd.DataFrame(fit(kind).history) for kind in kinds}
    for frame in found.values():
        frame.index += 1
    print(pd.concat(found, names=["pooling", "epoch"]).round(3))

# %% [markdown]
# `loss` and `accuracy` are Keras' means over the epoch, with augmentation and dropout; those with `val_` are of TEST. At this size
# they say nothing about the network, and no number of this book comes from them.
#
# ## The recorded run
#
# The recorded runs take the same steps; a test feeds both the same batches and compares the losses. Most in mixed bfloat16 (multiplications
# in 16 bits, weights in 32) used layers of our own, since left out: run again, their dropout leaves out other nodes ({doc}`cost`). Recorded runs also save a checkpoint after
# each epoch and draw order, augmentation and dropout from the seed alone, so that a run that was stopped ends as it would have
# ended, and they store what the network answers for each image of TEST. These lines read a record; with another profile they
# train.

# %% tags=["remove-stderr"]
config = {"method": "DCLNN", "task": task, "pooling": pooling}
config |= {"seed": seed, "images": source} | settings
run = study.run(config, profile)
task = run.config["task"]
print(f"{study.describe(run.config)}: record {run.id}")

# %% tags=["remove-input"]
curves = figures.compute_curves([run])
late = curves[curves["images"] == "TEST"].set_index("epoch")["accuracy"].iloc[-10:]
where = run.environment
every = study.select(method="DCLNN")
assert all(one.environment["device"] == "processor" for one in every)
chapter.cite(
    fraction=float(estimate([run], epoch=run.epochs).value),
    last=str(estimate([run], epoch=run.epochs)),
    simple=str(estimate([run], split="TEST_SIMPLE")),
    epochs=run.epochs,
    minutes=run.seconds / 60,
    device=where["device"].replace("processor", where["processor"]),
    precision=run.config["precision"],
    n_late=len(late),
    jump=100 * (late.max() - late.min()),
    every=len(every),
    whole=sum(one.config["precision"] == "float32" for one in every),
)

# %% [markdown]
# It took {glue:text}`minutes:.0f` minutes for {glue:text}`epochs` epochs in {glue:text}`precision` on {glue:text}`device`. Of the {glue:text}`every` recorded runs of DCLNN,
# {glue:text}`whole` were trained in float32 and all others in mixed bfloat16. No run used a GPU. `make gpu` finds one, compares its losses with the processor's, measures images per second, and
# trains a missing run; these steps were tested on processors only ({doc}`run_it_yourself`). {numref}`tbl-runs` has the usual times.
#
# ## Accuracy and loss
#
# {numref}`fig-paper-8` is the paper's Figure 8, which prints no numbers. Training is counted as Keras counts it, while the epoch
# runs, on augmented images and with dropout, which makes it look worse than it is; TEST, which the paper calls validation, after the epoch.

# %% mystnb={"figure": {"name": "fig-paper-8", "caption": "Model accuracy and loss over epochs, as in the paper's Figure 8: training in red, TEST in blue. Band: 95 % CI over cells ({doc}`intervals`), for runs evaluated on all of TEST. Its curve jumps from epoch to epoch."}, "image": {"alt": "Two panels over epochs. Left, accuracy: the training curve rises smoothly; the curve of TEST rises too, but jumps up and down from epoch to epoch, inside a band that is wider than its jumps. Right, loss: the training curve falls smoothly, that of TEST is jagged and lies above it."}}
plots.show(figures.plot_curves(curves, ("accuracy", "loss")))

# %% [markdown]
# After the last epoch, accuracy is {glue:text}`last` on TEST and {glue:text}`simple` on the unaltered photographs of TEST_SIMPLE. Brackets are 95 % CIs
# over other cells of the same kind; a run that was not evaluated on all of TEST, such as a quick one, has none. Which of the last
# epochs one stops at changes the result by up to {glue:text}`jump:.0f` points, with the same network, seed and cells.
#
# ## Confusion matrix
#
# {numref}`fig-confusion` counts the answers after the last epoch, {numref}`tbl-training` has the scores. The most frequent mistake:
# {glue:text}`confused`. On the screen, each entry of the matrix names the photographs behind its images ({doc}`photographs`).

# %% mystnb={"figure": {"name": "fig-confusion", "caption": "What DCLNN answers for TEST after the last epoch. Numbers are images, shades are fractions of the row. Off the diagonal are mistakes."}, "image": {"alt": "A confusion matrix. Most images lie on the diagonal; the largest counts beside it are where one class is taken for another."}}
plots.show(figures.plot_confusions({"": run.confusion()}))

# %% tags=["remove-input"]
wrong, names = run.confusion(), images.TASKS[task]
rows = wrong.sum(axis=1)
wrong[range(len(rows)), range(len(rows))] = 0
i, j = divmod(int(wrong.argmax()), len(rows))
words = f"{wrong[i, j]} of {rows[i]} {names[i].lower()} images are called {names[j].lower()}s"
chapter.cite(confused=words)

# %% tags=["remove-input"]
interactive.show("confusion", "fig-confusion", interactive.compute_confusion(run))

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_measured(run),
    "tbl-training",
    "The measures for each class after the last epoch, with 95 % CIs over cells ({doc}`intervals`) for runs evaluated on all of TEST. Equation 14 is the accuracy of one class against the rest.",
)

# %% [markdown]
# ## Most confident mistakes
#
# {numref}`fig-mistakes` shows the mistakes of which the network was most sure. Several are of one and the same cell: there are many
# test images and few cells.

# %% mystnb={"figure": {"name": "fig-mistakes", "caption": "The network's most confident mistakes on TEST, with its probability (photographs of BCCD, MIT licence, turned by this book). Grey tiles with a name stand where the images can't be had."}, "image": {"alt": "Two rows of four small pictures of single white cells among red cells, each titled with the true class, the class it was taken for, and a probability near 1; grey tiles with file names where there are no images."}}
plots.show(figures.plot_mistakes(run))

# %% tags=["remove-input"]
short = {"precision": "mixed_bfloat16"}
asked = {"published": {}, "one": {"seed": 1} | short, "two": {"seed": 2} | short}
asked |= {"image": {"split_by": "image"}, "cell": {"split_by": "cell"}}
for name, changed in asked.items():
    found = comparison.saved({"method": "DCLNN", "task": "four"} | changed, free=())
    chapter.cite({f"q_{name}": f"{estimate(found).value:.0%}"})
at_random = {"method": "DCLNN", "task": "four", "split_by": "image"}
chapter.cite(q_least=min(estimate([run]).value for run in comparison.saved(at_random, ("fold",))))

# %% [markdown]
# ## Questions
#
# **1. Is it the network or its luck?** Run this chapter with `-p seed 1` and `-p seed 2`, each with
# `-y "settings: {precision: mixed_bfloat16}"`, as these runs were recorded. Which accuracy would you print?
#
# :::{dropdown} Answer
# Seed 0 has {glue:text}`q_published`, seed 1 {glue:text}`q_one` and seed 2 {glue:text}`q_two`, with the same network on the same images. An honest row
# gives their mean and says that there were three ({doc}`epochs`).
# :::
#
# **2. What if it has seen the cell before?** Run it with `-y "settings: {split_by: image}"`, which holds out a fifth of all images at
# random, and with `split_by: cell`, which holds out all images of a cell together.
#
# :::{dropdown} Answer
# {glue:text}`q_image` with images at random, {glue:text}`q_cell` by cell, and {glue:text}`q_published` on the published TEST. Each is one run, of the
# first fold. The other folds at random go down to {glue:text}`q_least:.0%`: {doc}`leakage` has the difference over all folds.
# :::
