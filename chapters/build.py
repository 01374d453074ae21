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
# # This build
#
# :::{admonition} In short
# What was this book built with? {numref}`tbl-environment` has versions, machine and images, {numref}`tbl-chapters` time and peak
# memory of each chapter, and {numref}`tbl-records` the records that the results are read from.
# :::

# %% tags=["remove-input"]
from bloodlib.book import chapter, tables

chapter.begin()  # figures in the book's style

# %% [markdown]
# ```{build-table} environment
# ```
#
# Papermill runs a chapter when something that it depends on has changed, at most two at once.
#
# ```{build-table} chapters
# ```

# %% [markdown]
# This build did not compute the results: it reads records. Runs of `study.yml` without a record come last, as missing.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    tables.load_records(), "tbl-records", "Records by their start; last, missing ones.", decimals=1
)
