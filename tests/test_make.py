"""``make env`` installs what is locked, from the index that pip is set to, with uv or without."""

import os
import shutil
import subprocess

import pytest
from conftest import CHECKOUT

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("make"), reason="needs make, and scripts for sh"
)
SAID = 'echo "$(basename "$0") $* $UV_DEFAULT_INDEX" >> said\n'
PYTHON = f"""#!/bin/sh
{SAID}
case "$*" in
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"config get global.index-url"*) test -n "$SET" && echo "$SET" ;;
    *"config get"*) exit 1 ;;
    *uv.txt) cp fake/uv .venv/bin && cp .venv/uv.txt fetched ;;
esac
"""
UV = "uv==2 \\\n    --hash=sha256:3 \\\n    --hash=sha256:4\n"
LOCK = f"typer==1 \\\n    --hash=sha256:1\n{UV}    # via bloodlib\n"


@pytest.fixture
def make_env(tmp_path):
    """A function that runs it with a Python and a uv that only say what they were asked."""
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "fake").mkdir()

    def run(uv_ends=0, on_path=False, **given):
        scripts = {"fake/python": PYTHON, "fake/uv": f"#!/bin/sh\n{SAID}exit {uv_ends}\n"}
        tools = tmp_path / "tools"
        tools.mkdir()
        if on_path:
            scripts["tools/uv"] = scripts["fake/uv"]
        for name, script in scripts.items():
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
        for name in ("sh", "awk", "basename", "cp", "mkdir", "touch", "test", "echo"):
            if where := shutil.which(name):
                (tools / name).symlink_to(where)
        done = subprocess.run(
            [shutil.which("make"), "env", f"PYTHON={tmp_path / 'fake' / 'python'}"],
            cwd=tmp_path,
            env={"PATH": str(tools), **given},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, (tmp_path / "said").read_text().splitlines()

    return run


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({}, ""),
        ({"PIP_INDEX_URL": "file:///mine"}, "file:///mine"),
        ({"SET": "file:///configured"}, "file:///configured"),
        ({"SET": "file:///configured", "UV_DEFAULT_INDEX": "file:///uvs"}, "file:///uvs"),
    ],
)
def test_uv_asks_the_index_that_pip_is_set_to(make_env, given, index):
    _, said = make_env(on_path=True, **given)
    (installed,) = (line for line in said if line.startswith("uv "))
    assert "--require-hashes -r requirements.lock" in installed
    assert installed.endswith(f"requirements.lock {index}")
    assert not any("pip install" in line and ".lock" in line for line in said if line[0] != "u")


def test_uv_comes_from_the_lock_by_its_hashes(make_env, tmp_path):
    _, said = make_env()
    assert (tmp_path / "fetched").read_text() == UV
    assert any("--require-hashes -r .venv/uv.txt" in line for line in said)
    assert any(line.startswith("uv pip install") for line in said)


def test_where_uv_fails_pip_installs_the_same(make_env):
    printed, said = make_env(uv_ends=1, on_path=True)
    assert "pip does" in printed
    asked = "python -m pip install --quiet --require-hashes -r requirements.lock"
    assert any(asked in line for line in said)
