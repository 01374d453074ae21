"""Plain ``sphinx-build`` makes the same pages."""

import os
import subprocess
import sys
from pathlib import Path


def test_pages_are_those_of_jupyter_book(root, html, tmp_path):
    tools = Path(sys.executable).parent
    configuration, out = root / "conf.py", tmp_path / "html"
    there = configuration.exists()
    say = {"cwd": root, "env": {**os.environ, "PYTHONIOENCODING": "utf-8"}, "check": True}
    try:
        subprocess.run([tools / "jupyter-book", "config", "sphinx", "."], **say)
        subprocess.run(
            [tools / "sphinx-build", "-b", "html", "-n", "-q", "-d", tmp_path / "d", ".", out],
            **say,
        )
    finally:
        if not there:
            configuration.unlink(missing_ok=True)
    pages = {path.relative_to(html) for path in html.rglob("*.html")}
    assert {path.relative_to(out) for path in out.rglob("*.html")} == pages
