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
# # Provenance of the numbers
#
# :::{admonition} In short
# Where does each number come from? Each of our numbers in the paper's tables links to this page, which gives the runs behind it, with
# settings, seed, hash of the images, commit, packages, device and date, and the command that repeats each run and compares.
# :::
#
# A terminal prints the same for one number, one method, or everything:
#
# ```bash
# bloodlib explain tbl-paper-1/four/DCLNN/NEUTROPHIL/recall
# bloodlib explain tbl-paper-1/four/DCLNN
# bloodlib explain
# ```

# %% tags=["remove-input"]
from bloodlib.book import chapter, explain
from bloodlib.evidence import comparison

chapter.begin()  # figures in the book's style
cells = comparison.table_cells()

# %% [markdown]
# ## Table 1
#
# An address names the paper's table, the classes, the method, the row and the column. The first three are above each table, the last
# two in it.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
explain.show_numbers(cells, 1)

# %% [markdown]
# ## Table 2
#
# MaxPooling is DCLNN under another name, in the paper and here.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
explain.show_numbers(cells, 2)

# %% [markdown]
# ## The runs
#
# All stored runs by method, those behind Tables 1 and 2 first. "Checked" tells whether checksum, settings, images and true labels of the
# record were right when this page was made.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
explain.show_runs()

# %% [markdown]
# Print leaves the runs of other chapters out. This page in HTML and the files of `results/runs` have them; `bloodlib explain` with a
# file's name, without its ending, prints the same.
