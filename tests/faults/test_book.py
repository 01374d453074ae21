"""The book: what fails is seen or heals, and no page ever shows an old number as new."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from chance import SCALE
from made_up import posix
from tiny_book import STRICT, build, chapter, command, page, run

from bloodlib.book import chapter as chapters

# --------------------------------------------------------------------------- stale or damaged

NOTEBOOK, STAMP = "chapters/one.ipynb", "_build/chapters/chapters-one.json"


def write(name, text):
    return lambda root: (root / name).write_text(text)


def changed(**entries):
    """The stamp with other entries; those that are None removed."""

    def change(root):
        stamp = json.loads((root / STAMP).read_text()) | entries
        kept = {name: value for name, value in stamp.items() if value is not None}
        (root / STAMP).write_text(json.dumps(kept))

    return change


STALE = {
    "a notebook lost": lambda root: (root / NOTEBOOK).unlink(),
    "a notebook edited by hand": write(NOTEBOOK, '{"cells": [{"outputs": 43}]}'),
    "a stamp lost": lambda root: (root / STAMP).unlink(),
    "a stamp that is something else": write(STAMP, "[1, 2]"),
    "a stamp without a time": changed(at=None),
    "a stamp that doesn't know what was read": changed(reads=None),
    "a stamp of what is nowhere": changed(reads={"file /elsewhere/x": "12"}),
    "a stamp of a file that changed while it was read": changed(
        reads={f"file {__file__}": "changed while it ran"}
    ),
    "a source that is older but another": lambda root: (
        (root / "chapters/one.py").write_text("seed = 2"),
        os.utime(root / "chapters/one.py", (1, 1)),
    ),
}


@pytest.mark.parametrize("fault", STALE)
def test_a_chapter_runs_again_after(tiny, update, fault):
    assert update() == ["one", "two"]
    STALE[fault](tiny)
    assert update() == ["one"]
    assert update() == []


def test_a_failed_chapter_runs_again_until_it_is_mended(tiny, update):
    update()
    source = tiny / "chapters" / "one.py"
    good = source.read_text()
    source.write_text(good + "1 / 0\n")
    update.failing = {"one"}
    for _ in range(2):
        assert update() == ["one"]
    source.write_text(good)  # the page still shows the traceback
    update.failing = set()
    assert update() == ["one"]
    assert update() == []


@pytest.mark.parametrize("left", [True, False], ids=["its notebook left", "nothing left"])
def test_a_chapter_that_was_removed_is_not_shown_as_it_was(tiny, update, left):
    update()
    (tiny / "chapters" / "two.py").unlink()
    if not left:
        (tiny / "chapters" / "two.ipynb").unlink()
    with pytest.raises(SystemExit, match="names chapters/two, of which there is no source"):
        update()


# --------------------------------------------------------------------------- a chapter that fails

FAILURES = {
    "an error": ("1 / 0", "cell 1: ZeroDivisionError: division by zero"),
    "a kernel that is killed": ("import os\nos.kill(os.getpid(), 9)", "Kernel died"),
    "an exit": ("raise SystemExit(2)", "SystemExit"),
    "a record that is missing": (
        "from bloodlib import study\nstudy.run({'method': 'NB', 'task': 'two'})",
        "MissingError: there is no record NB-two",
    ),
    "a warning": (
        "import warnings\nwarnings.warn('a µ')",
        "on stderr in cell 1: .*: UserWarning: a µ",
    ),
    "no Python at all": (b"\xff\0", "failed: "),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_chapter_fails_with(tiny, fault):
    code, words = FAILURES[fault]
    source = tiny / "chapters" / "two.py"
    if isinstance(code, bytes):
        source.write_bytes(code)
    else:
        source.write_text(chapter("Two", code), encoding="utf-8")
    assert re.search(words, run(source).failure)
    assert source.with_suffix(".ipynb").exists() == isinstance(code, str)


def test_a_chapter_is_run_by_the_package_that_builds_the_book(tiny, tmp_path, monkeypatch):
    """PYTHONPATH may hold another one, which a chapter would not see."""
    monkeypatch.setattr(chapters, "PACKAGE", tmp_path)
    assert "the build takes bloodlib from" in run(tiny / "chapters" / "two.py").failure


# --------------------------------------------------------------------------- whole builds


def append(source):
    source.write_text(source.read_text() + "# changed\n")


def missing_chapter(tiny):
    (tiny / "chapters" / "two.py").unlink()
    (tiny / "chapters" / "two.ipynb").unlink()
    return {}


def unwritable(tiny):
    shutil.rmtree(tiny / "_build" / "chapters")
    (tiny / "_build" / "chapters").write_text("a file in the way")
    return {}


def notebook_in_the_way(tiny):
    append(tiny / "chapters" / "two.py")
    (tiny / "chapters" / "two.ipynb").unlink()
    (tiny / "chapters" / "two.ipynb" / "x").mkdir(parents=True)
    return {}


def nearly_full(tiny):
    import resource

    append(tiny / "chapters" / "two.py")
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))}


LOUD = {
    "a chapter that is missing": (missing_chapter, "_toc.yml names chapters/two, of which"),
    "a notebook that can't be written": (notebook_in_the_way, "Chapters are run in a folder that"),
    "a folder that can't be written": (unwritable, "_build/chapters"),
    "a full disk": (nearly_full, "too large"),
}


@pytest.mark.long
@posix
@pytest.mark.parametrize("fault", LOUD)
def test_a_build_fails_loudly_with(tiny, fault):
    assert build(tiny, *STRICT).code == 0
    prepare, words = LOUD[fault]
    given = command(tiny, *STRICT)
    more = prepare(tiny)
    given["env"] |= more.pop("env", {})
    done = subprocess.run(
        **given, **more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert done.returncode != 0
    assert words in printed, printed[-3000:]
    assert "Traceback" not in printed


@pytest.mark.long
@posix
def test_a_build_where_no_language_is_set(tiny):
    """As on many a server; the folder's name has an accent."""
    (tiny / "chapters" / "two.py").write_text(
        chapter("Two", "print('two says', 6 * 7, 'µm – née ≤')"), encoding="utf-8"
    )
    (tiny / "chapters" / "one.py").write_text(chapter("One", "1 / 0  # ≤"), encoding="utf-8")
    given = command(tiny)
    given["env"] = {k: v for k, v in given["env"].items() if not k.startswith(("LC_", "LANG"))}
    given["env"].pop("PYTHONIOENCODING")
    given["env"] |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(**given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = done.stdout.decode(errors="replace")
    assert done.returncode == 0, printed[-3000:]
    assert "Logging error" not in printed
    assert "two says 42 µm – née ≤" in page(tiny, "two")


@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0,
    reason="can't take the network away",
)
def test_a_build_without_any_network(tiny):
    """Not even the one inside the machine."""
    given = command(tiny, *STRICT)
    given["args"] = ["unshare", "-n", *given["args"]]
    done = subprocess.run(**given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-3000:].decode(errors="replace")
    assert "two says 42" in page(tiny, "two")


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="kills a process group")
def test_a_build_killed_at_any_moment_heals(tiny, record_property):
    """The page that the next build makes has the new number, wherever the last one was killed."""
    rng, times, source = random.Random(6), 2 + 2 * SCALE, tiny / "chapters" / "two.py"
    start = time.monotonic()
    assert build(tiny, *STRICT).code == 0
    longest = time.monotonic() - start
    for number in range(100, 100 + times):
        source.write_text(chapter("Two", f"print('two says', {number})"))
        running = subprocess.Popen(
            **command(tiny),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(rng.uniform(0.3, 1) * longest)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        healed = build(tiny, *STRICT)
        assert healed.code == 0, healed.printed[-3000:]
        assert f"two says {number}" in page(tiny, "two")
        assert f"two says {number - 1}" not in page(tiny, "two")
    record_property("times", times)
