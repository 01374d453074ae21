"""What a user waits for: the package, its help, and the book."""

import subprocess
import sys

import pytest

from bloodlib.data import paths

BUILD = "from jupyter_book.cli.main import main; main()"


def command(*words, **settings):
    """A function that runs Python with these words, and fails if that fails."""

    def work():
        subprocess.run(  # noqa: S603
            [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, **settings
        )

    return work


def test_import(contest):
    """A fresh process."""
    contest("import bloodlib", "bloodlib", command("-c", "import bloodlib"), ours=True)


def test_help(contest):
    """A fresh process."""
    contest("bloodlib --help", "bloodlib", command("-m", "bloodlib.cli", "--help"), ours=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The last commit, in a folder where no build has been."""
    folder = tmp_path_factory.mktemp("book") / "book"
    checkout = str(paths.checkout())
    subprocess.run(["git", "clone", "--quiet", checkout, str(folder)], check=True)  # noqa: S603, S607
    return folder


def test_book(contest, clone, monkeypatch):
    """From nothing, from the records; then again, with nothing changed."""
    monkeypatch.setenv("PYTHONPATH", str(clone))
    build = command("-c", BUILD, "build", ".", "-n", "-W", "--keep-going", cwd=clone)
    clean = command("-c", BUILD, "clean", ".", "--all", cwd=clone)

    def cold():
        clean()
        build()

    contest("the book, from the records", "jupyter-book", cold, ours=True, rounds=1)


def test_book_again(contest, clone, monkeypatch):
    """With nothing changed."""
    monkeypatch.setenv("PYTHONPATH", str(clone))
    build = command("-c", BUILD, "build", ".", "-n", "-W", "--keep-going", cwd=clone)
    contest("the book, nothing changed", "jupyter-book", build, ours=True, rounds=3)
