"""Seconds to build the book in a copy of the checkout, as committed: from nothing, or again."""

import argparse
import os
import shutil
import subprocess
import sys
import time

from material import source
from rounds import peak_gb, serve

from bloodlib.data import paths
from bloodlib.study import records

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--cold", action="store_true", help="a fresh copy, and an empty cache")
options = parser.parse_args()
commit = records.commit().removesuffix("-dirty")
place = paths.cache_folder() / "bench" / f"book-{commit[:10]}"
copy, cache = place / "book", place / "cache"


def fresh():
    """Clone the checkout to where no build has been."""
    shutil.rmtree(place, ignore_errors=True)
    for command in (
        ["git", "clone", "--quiet", str(paths.checkout()), str(copy)],
        ["git", "-C", str(copy), "checkout", "--quiet", commit],
    ):
        subprocess.run(command, check=True)  # noqa: S603


def build():
    """Build the book; what it prints is shown if it fails."""
    environment = os.environ | {"PYTHONPATH": str(copy), "BLOODLIB_CACHE": str(cache)}
    environment.pop("BLOODLIB_RESULTS", None)
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", jupyter_book, "build", ".", "-n", "-W", "--keep-going"]
    clock = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    passed = time.perf_counter() - clock
    if done.returncode:
        raise SystemExit(f"the book doesn't build: {(done.stdout + done.stderr)[-2000:]}")
    return {"value": passed, "peak_gb": peak_gb(children=True)}


def cold():
    """From nothing."""
    fresh()
    return build()


if not options.cold:
    if not (copy / "_build" / "html" / "index.html").exists():
        cold()
    build()
serve(cold if options.cold else build, ("jupyter-book",), images=source())
