"""A book of two chapters, and its builds."""

import os
import re
import shutil
import subprocess
import sys
import types

from bs4 import BeautifulSoup

from bloodlib.book import chapter as chapters

HEADER = """\
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

"""
CONFIG = """\
title: Tiny
author: Nobody
only_build_toc_files: true
exclude_patterns: [".*", "**.edited-*"]
execute: {execute_notebooks: "off"}
sphinx:
  extra_extensions: [bloodlib.book.chapter, bloodlib.book.publishing]
  config:
    html_theme: basic
    html_theme_options: {}
    papermill_parameters: {}
"""
TOC = """\
format: jb-book
root: index
chapters:
  - file: chapters/one
  - file: chapters/two
"""


def chapter(title, code, tags=""):
    return f"{HEADER}# %% [markdown]\n# # {title}\n\n# %%{tags}\n{code}\n"


def run(source, **parameters):
    """How the run of one chapter ended."""
    (outcome,) = chapters.run_all({source: parameters})
    return outcome


JUPYTER_BOOK = shutil.which("jupyter-book", path=os.path.dirname(sys.executable))


def command(root, *options):
    return {
        "args": [JUPYTER_BOOK, "build", ".", *options],
        "cwd": root,
        "env": {**os.environ, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
    }


def build(root, *options):
    """Build the tiny book: exit code, chapters run, what was printed."""
    done = subprocess.run(
        **command(root, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    ran = re.findall(r"(?:ran|WARNING:) chapters[/\\](\w+)\.py (?:in|failed)", printed)
    counted = re.search(r"chapters: (\d+) run, (\d+) unchanged", printed)
    assert counted, printed[-3000:]
    assert int(counted[1]) == len(ran)
    return types.SimpleNamespace(code=done.returncode, ran=sorted(ran), printed=printed)


def page(root, name):
    html = (root / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser").get_text()


STRICT = ("-n", "-W", "--keep-going")
