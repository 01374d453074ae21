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
# # What was this book built with?
#
# This page describes the build that you are reading: its versions, its machine, the identity of
# its images ({numref}`tbl-environment`), and how long each chapter took.

# %% tags=["remove-input"]
from bloodlib.book import chapter, tables

chapter.begin()

# %% [markdown]
# ```{build-table} environment
# ```
#
# Chapters are run by papermill when something they depend on has changed; {numref}`tbl-chapters` tells
# when each was run last.
#
# ```{build-table} chapters
# ```

# %% [markdown]
# The results in this book were not computed by this build. {numref}`tbl-records` lists the records
# they are read from, and where and when each was made. Runs of `study.yml` that this book does without
# stand at its end, as missing.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_records(), "tbl-records", "The frozen records, and runs that have none.", decimals=1
)
