"""What leaves this machine: versions and addresses agree, the wheel works without a checkout."""

import functools
import os
import re
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
import yaml
from conftest import CHECKOUT
from PIL import Image

from bloodlib import __version__
from bloodlib.analyses import prediction
from bloodlib.book import figures, publishing
from bloodlib.data import synthetic


@functools.cache
def text(name):
    return (CHECKOUT / name).read_text(encoding="utf-8")


def test_version_address_and_branch_are_the_same_everywhere():
    cited, book = yaml.safe_load(text("CITATION.cff")), yaml.safe_load(text("_config.yml"))
    assert cited["version"] == __version__
    assert re.findall(r"## \[(\d.*?)\]", text("CHANGELOG.md"))[0] == __version__
    assert f"Version {__version__} is not released" in text("chapters/cite.md")
    address = book["repository"]["url"]
    assert cited["repository-code"] == address
    assert f'Repository = "{address}"' in text("pyproject.toml")
    assert book["repository"]["branch"] == publishing.BRANCH
    assert f"HEAD:refs/heads/{publishing.BRANCH}" in text(".github/workflows/book.yml")


def test_actions_are_pinned_and_may_do_little():
    for path in (CHECKOUT / ".github" / "workflows").glob("*.yml"):
        uses = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
        assert uses
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses), path.name
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}, path.name


def test_readmes_picture_is_that_of_the_records(tmp_path):
    """Its words and numbers; how they are drawn is matplotlib's business."""
    figures.draw_finding(tmp_path / "finding.svg")
    shown, drawn = (
        re.findall(r"<text[^>]*>(.*?)</text>", file.read_text(encoding="utf-8"))
        for file in (CHECKOUT / "_static" / "finding.svg", tmp_path / "finding.svg")
    )
    assert len(shown) > 20
    assert shown == drawn, "write it anew with bloodlib.book.figures.draw_finding"


# ------------------------------------------------------------------------ a notebook elsewhere


def test_a_notebook_that_is_opened_elsewhere_installs_what_is_missing():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    found = publishing.openable(notebook, "chapters/leakage", "https://example.org/a/b")
    nbformat.validate(found)
    first, second = found.cells
    assert second.source == "1 + 1"
    assert f"--branch {publishing.BRANCH} https://example.org/a/b book" in first.source
    assert "%cd book/chapters" in first.source
    assert len(notebook.cells) == 1
    assert "%cd book/.\n" in publishing.openable(notebook, "index", "x").cells[0].source


# ------------------------------------------------------------------------------------ the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package as the wheel has it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation",
         "--python", sys.executable, "--out-dir", folder, CHECKOUT],
        check=True,
        timeout=300,
    )  # fmt: skip
    assert (folder / f"bloodlib-{__version__}.tar.gz").is_file()
    with zipfile.ZipFile(folder / f"bloodlib-{__version__}-py3-none-any.whl") as file:
        file.extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture
def away(wheel, tmp_path):
    """A function that runs the wheel's command away from any checkout."""

    def run(*arguments):
        env = {k: v for k, v in os.environ.items() if not k.startswith("BLOODLIB_")}
        return subprocess.run(
            [sys.executable, "-m", "bloodlib.cli", *map(str, arguments)],
            cwd=tmp_path,
            env=env | {"PYTHONPATH": str(wheel), "BLOODLIB_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    return run


@pytest.mark.long
def test_the_wheel_answers_away_from_a_checkout(away, tmp_path):
    pixels = synthetic.draw(1, np.random.default_rng(0), size=(240, 320))
    Image.fromarray(pixels).save(tmp_path / "cell.png")
    done = away("predict", tmp_path / "cell.png")
    assert done.returncode == 0, done.stderr
    [answer] = prediction.predict([tmp_path / "cell.png"])
    assert done.stdout.strip() == prediction.text(answer).strip()


@pytest.mark.long
@pytest.mark.parametrize("command", [["report"], ["explain", "tbl-paper-1/four/NB"], ["audit"]])
def test_the_wheel_has_the_frozen_results(away, command):
    done = away(*command)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 4


@pytest.mark.long
def test_what_needs_the_checkout_says_so(away):
    done = away("study", "--list")
    assert done.returncode == 1
    assert "Clone the repository and work in its folder." in done.stderr
    assert "Traceback" not in done.stderr
