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
# # Is 25 a good number of epochs?
#
# The paper tried several numbers of epochs and concludes from its Figure 7 that 25 is "a good option
# trade-off between precision and computing time". Its text calls the figure's measure precision, its
# caption accuracy; here are both.

# %% tags=["parameters"]
task = "four"  # four | two
pooling = "max"  # max | average
seed = 0

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from bloodlib import chapter, comparison, figures, study

chapter.begin()

# %%
config = {"method": "DCLNN", "task": task, "pooling": pooling}
run = study.run(config | {"seed": seed})
curves = figures.load_curves(run)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-paper-7", "caption": "Precision (as the paper's text says) and accuracy (as its caption says) over epochs: training red, validation blue. The dotted line is epoch 25."}, "image": {"alt": "Two panels over epochs, for average precision and accuracy. The red training curves rise smoothly and flatten; the blue validation curves rise with jumps from one epoch to the next. A dotted vertical line marks epoch 25."}}
figures.plot_curves(curves, ("precision", "accuracy"), mark=comparison.EPOCH)
plt.show()

# %% tags=["remove-input"]
validation = curves[curves["images"] == "validation"].set_index("epoch")
steps = validation["accuracy"].diff().abs()
glue("epochs", run.epochs, display=False)
glue("at25", float(validation["accuracy"].loc[comparison.EPOCH]), display=False)
glue("precision25", float(validation["precision"].loc[comparison.EPOCH]), display=False)
glue("best", float(validation["accuracy"].max()), display=False)
glue("best_epoch", int(validation["accuracy"].idxmax()), display=False)
glue(
    "rank25",
    int((validation["accuracy"] > validation["accuracy"].loc[comparison.EPOCH]).sum()) + 1,
    display=False,
)
glue("step", float(steps.iloc[-10:].mean()), display=False)
glue("seconds", run.seconds / run.epochs, display=False)

# %% [markdown]
# At epoch 25 validation accuracy is {glue:text}`at25:.3f` and average precision {glue:text}`precision25:.3f`. The best
# of the {glue:text}`epochs` epochs is number {glue:text}`best_epoch`, with {glue:text}`best:.3f`; epoch 25 is at place
# {glue:text}`rank25`. From one epoch to the next, validation accuracy moved by {glue:text}`step:.3f` on average over
# the last ten. An epoch took {glue:text}`seconds:.0f` seconds.
#
# So {numref}`fig-paper-7` shows no point at which more training stops paying; what one reads off it depends
# more on the epoch's luck than on its number. And the validation images are TEST, the images that the tables
# are computed on: a number of epochs chosen from this figure is chosen on the test set.
