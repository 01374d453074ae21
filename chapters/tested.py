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
# # How this book was tested
#
# A number is worth as much as the program that computed it. So things were broken on purpose, and
# somebody looked at what came of it.

# %% tags=["remove-input"]
from myst_nb import glue

from bloodlib.analyses import checked
from bloodlib.book import chapter, tables

chapter.begin()

# %%
found = checked.read()
sums = checked.totals(found)

# %% tags=["remove-input"]
for name, n in sums.items():
    glue(name, f"{n:,}", display=False)
glue("fell", f"{sums['tried'] - sums['survived']:,}", display=False)
glue("all", f"{sum(one['mutants'] for one in found['mutants'].values()):,}", display=False)
glue("command", found["command"], display=False)
glue("commit", found["environment"]["commit"][:10], display=False)
glue("started", found["started"][:10], display=False)
glue("minutes", round(found["seconds"] / 60), display=False)
glue("processor", found["environment"]["processor"], display=False)
reached = [c["reached"] / c["branches"] for c in found["coverage"].values() if c["branches"]]
glue("least", 100 * min(reached), display=False)

# %% [markdown]
# ## Faults
#
# {glue:text}`tried` faults were tried, and {glue:text}`fell` of them did harm; {glue:text}`skipped` more need
# something that was not there when they were counted ({numref}`tbl-faults`). A fault is a line of a table in `tests/faults`: a download cut at
# any byte, an image with one bit altered, a process killed while it writes, a full disk, two
# writers at once, a record edited by hand. Where chance decides, a fault was tried many times; all together,
# {glue:text}`times` times.
#
# What counts as survived:
#
# - **Fetching**: a clear error or a clean retry, and nothing left behind. Half a dataset never passes for a whole one.
# - **Images**: the dataset is refused with the file's name. `bloodlib predict` answers or says why it doesn't.
# - **Records**: after a kill each record is whole or not there, and what was changed is refused by name.
# - **Training**: a run that was killed ends as the unbroken run does, to the last bit. A loss that is no number ends it.
# - **The book**: the build fails and says where, or the next one heals. No page shows an old number as new.
# - **Many runs**: none is lost, none is computed twice, and memory stays flat.
# - **Hostile input**: what is read is never run, and every parser refuses in its own words what it can't read.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(checked.load_faults(found), "tbl-faults", "Faults that were tried.")

# %% [markdown]
# Fuzzing gives a parser files with some bytes altered, left out or repeated, and any bytes at all. It was done {glue:text}`inputs`
# times. Each was read, or refused with the error that the parser promises.
#
# ## Would the tests notice?
#
# Tests that pass may be tests that look away. So the three modules that the numbers go through were changed, each time in one place: another comparison, another sign, a
# number one higher, a line left out. Such a mutant is killed if a test fails. Of {glue:text}`all` mutants
# {glue:text}`mutants` were tried, and {glue:text}`killed` were killed ({numref}`tbl-mutants`).
# The tests reach at least {glue:text}`least:.1f` % of the branches of each module.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    checked.load_modules(found),
    "tbl-mutants",
    "Mutants and branches of the modules that compute and keep the numbers.",
)

# %% [markdown]
# Left alive, each with the reason:

# %% tags=["remove-input"]
survivors = checked.load_survivors(found)
print(survivors.to_string(index=False) if len(survivors) else "none")

# %% [markdown]
# ## What was not tested
#
# - The dependencies are held against lists of known holes once a week, where the book is published; here nothing could be looked up.
# - A disk that loses what it said it had written, and a processor that miscalculates, were not tried.
# - A record's predictions are protected by a checksum. Its losses and times are not: who edits those by hand is not found out.
#
# All this was found on {glue:text}`started` by {glue:text}`command` at commit {glue:text}`commit`, on {glue:text}`processor`, in {glue:text}`minutes` minutes.

# %% [markdown]
# ## Questions

# %% tags=["remove-input"]
most = max(found["faults"].values(), key=lambda one: one["times"] / max(one["tried"], 1))
heading = next(name for name, one in found["faults"].items() if one is most)
glue("q_heading", checked.HEADINGS[heading].lower(), display=False)
glue("q_times", f"{most['times']:,}", display=False)
glue("q_tried", f"{most['tried']:,}", display=False)
glue("q_share", 100 * checked.unnoticed(found), display=False)

# %% [markdown]
# **1. Under which heading is chance tried most often for each fault?** Divide a column of {numref}`tbl-faults` by another.
#
# :::{dropdown} Answer
# Under "{glue:text}`q_heading`": {glue:text}`q_tried` faults were tried {glue:text}`q_times` times. A kill at a random moment
# or a random byte says little once, and more the more often it is tried.
# :::
#
# **2. How many mistakes of the mutants' kind could the tests still miss?** `checked.unnoticed` takes the mutants that were tried as a
# sample.
#
# :::{dropdown} Answer
# With 95 % confidence no more than {glue:text}`q_share:.0f` % of them. Mistakes that people make are of other kinds too, so that this is a
# hope for those.
# :::
