"""The book, built once for all tests that read it."""

import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from bs4 import BeautifulSoup


def pytest_collection_modifyitems(items):
    """The whole book takes minutes."""
    for item in items:
        if "built" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def root(pytestconfig) -> Path:
    """The checkout."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def build(root):
    """A function that builds the book as README and the continuous integration do."""
    jupyter_book = shutil.which("jupyter-book", path=os.path.dirname(sys.executable))

    def build(*options):
        done = subprocess.run(
            [jupyter_book, "build", ".", "-n", "-W", "--keep-going", *options],
            cwd=root,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        return types.SimpleNamespace(code=done.returncode, printed=printed)

    return build


@pytest.fixture(scope="session")
def built(build):
    """The outcome of the build that the pages are read from."""
    return build()


@pytest.fixture(scope="session")
def html(root, built) -> Path:
    """Folder of the pages."""
    folder = root / "_build" / "html"
    assert (folder / "index.html").is_file(), built.printed[-3000:]
    return folder


@pytest.fixture(scope="session")
def contents(root) -> list[str]:
    """The pages of the table of contents, the front page first."""
    import yaml

    found = []

    def walk(entry):
        if isinstance(entry, dict):
            found.extend(entry[key] for key in ("root", "file") if key in entry)
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    walk(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))
    return found


@pytest.fixture(scope="session")
def pages(html, contents) -> dict[str, BeautifulSoup]:
    """The built pages of the table of contents, by name."""
    return {
        name: BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for name in contents
    }
