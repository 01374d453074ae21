"""The rooms of the library import one way only, as pyproject.toml has them."""

import subprocess
import sys

from conftest import CHECKOUT


def test_rooms_import_one_way_only():
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
