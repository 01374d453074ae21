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
# # Where does each number come from?
#
# Each of our numbers in the paper's tables is a link to this page. Here the number stands beside
# that of each run behind it, and each run has its settings, its seed, the hash of its images, the
# commit of the code, its packages, device and date, and the command that computes it again and compares. The same
# is printed in a terminal, here for one number, one method, and everything there is:
#
# ```bash
# bloodlib explain tbl-paper-1/four/DCLNN/NEUTROPHIL/recall
# bloodlib explain tbl-paper-1/four/DCLNN
# bloodlib explain
# ```

# %% tags=["remove-input"]
from bloodlib.book import chapter, explain
from bloodlib.evidence import comparison

chapter.begin()
cells = comparison.cells()

# %% [markdown]
# ## Table 1
#
# An address names the paper's table, the classes, the method, the row and the column. The first three stand
# above each table, the last two in it.

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
# All frozen runs, those behind Tables 1 and 2 first, then those of other chapters. "Checked" says whether the record
# had its checksum, its settings, its images and its true labels when this page was made.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
explain.show_runs()

# %% [markdown]
# In print the runs of other chapters are left out. They are on this page in HTML and, as files, in `results/runs`;
# `bloodlib explain` followed by such a file's name, without its ending, prints the same.
