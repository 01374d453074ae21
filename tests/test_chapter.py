"""A parameter that a chapter does not have is refused; those that it has are taken."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import CHECKOUT

from bloodlib.book import chapter

PARAMETERS = 'profile = "recorded"\nseed: int = 0  # which\n'


def test_known_parameters_pass():
    chapter.refuse_unknown_parameters([PARAMETERS, "# Parameters\nseed = 3\nprofile = 'quick'\n"])
    chapter.refuse_unknown_parameters([PARAMETERS, "other = 1"])
    chapter.refuse_unknown_parameters([])


@pytest.mark.parametrize(
    ("injected", "words"),
    [
        ("profil = 'quick'\n", r"no parameter 'profil'\. Did you mean 'profile'\?"),
        ("seed = 1\nxyz = 2\n", r"no parameter 'xyz'\. There are: "),
    ],
)
def test_unknown_parameters_are_refused(injected, words):
    with pytest.raises(ValueError, match=words):
        chapter.refuse_unknown_parameters([PARAMETERS, f"# Parameters\n{injected}"])


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a = 1\nb = c = 2", {"a", "b", "c"}),
        ("a: int = 1", {"a"}),
        ("x.y = 1\nz[0] = 2\n(p, q) = 1, 2", set()),
        ("%matplotlib inline\na = 1", set()),
        ("def f():\n    a = 1", set()),
    ],
)
def test_assigned(cell, names):
    assert chapter.assigned(cell) == names


# --------------------------------------------------------------------------- README's line


@pytest.fixture
def papermill(tmp_path):
    """Run a chapter as README shows it, away from the user's cache and without images."""

    def tool(name):
        return shutil.which(name, path=os.path.dirname(sys.executable))

    def run(name, *options):
        env = {
            **os.environ,
            "BLOODLIB_CACHE": str(tmp_path / "cache"),
            "BLOODLIB_DATA": str(tmp_path / "no images"),
        }
        given, out = (str(tmp_path / file) for file in ("in.ipynb", "out.ipynb"))
        how = {"cwd": CHECKOUT / "chapters", "env": env, "capture_output": True}
        subprocess.run(
            [tool("jupytext"), "--to", "ipynb", "--output", given, name], check=True, **how
        )
        done = subprocess.run([tool("papermill"), given, out, *options], check=False, **how)
        return done.returncode, done.stderr.decode(errors="replace"), out

    return run


def test_a_misspelt_parameter_of_a_real_chapter(papermill):
    code, printed, _ = papermill("tables.py", "-p", "profil", "quick")
    assert code != 0
    assert "this chapter has no parameter 'profil'. Did you mean 'profile'?" in printed


@pytest.mark.long
def test_a_real_chapter_with_other_parameters(papermill):
    code, printed, out = papermill("tables.py", "-p", "profile", "quick", "-p", "source", "drawn")
    assert code == 0, printed[-3000:]
    notebook = nbformat.read(out, as_version=4)
    injected = [c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert "drawn" in injected[0].source
    shown = [
        output.data.get("text/markdown", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result"
    ]
    table = "\n".join(shown)
    assert "tbl-baseline-runs" in table
    assert "images drawn" in table  # the runs say that they are not of the published images
