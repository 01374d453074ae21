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
from pathlib import Path

import nbformat
import pytest
from chance import SCALE
from made_records import edit, made_up
from made_up import posix
from sphinx.errors import ExtensionError
from tiny_book import STRICT, build, chapter, command, kernelspec, page

from bloodlib.book import book, tables
from bloodlib.study import records

# --------------------------------------------------------------------------- stale or damaged

NOTEBOOK, STAMP = "chapters/one.ipynb", "_build/chapters/chapters-one.json"


def write(name, text):
    return lambda root: (root / name).write_text(text)


def older(root):
    """The notebook of an earlier source, as another branch or a backup may bring it."""
    (root / NOTEBOOK).write_text('{"cells": [], "an older": "run"}')


def as_new(root):
    """A stamp that claims the notebook is of this source, and does not know which notebook."""
    stamp = json.loads((root / STAMP).read_text())
    (root / STAMP).write_text(json.dumps({k: v for k, v in stamp.items() if k != "notebook"}))
    older(root)


STALE = {
    "a notebook lost": lambda root: (root / NOTEBOOK).unlink(),
    "a notebook edited by hand": write(NOTEBOOK, '{"cells": [{"outputs": 43}]}'),
    "a notebook of an older run": older,
    "a notebook truncated": write(NOTEBOOK, '{"cel'),
    "a notebook emptied": write(NOTEBOOK, ""),
    "a stamp lost": lambda root: (root / STAMP).unlink(),
    "a stamp truncated": write(STAMP, '{"key": "12'),
    "a stamp emptied": write(STAMP, ""),
    "a stamp that is something else": write(STAMP, "[1, 2]"),
    "a stamp that is no text": lambda root: (root / STAMP).write_bytes(b"\xff\0"),
    "a stamp without a time": write(STAMP, '{"key": "12", "seconds": 1}'),
    "a stamp of another key": write(STAMP, '{"key": "12", "seconds": 1, "at": 1}'),
    "a stamp that knows no notebook": as_new,
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
    assert list(book.stamps(tiny)) == ["chapters/one", "chapters/two"]


def test_a_failed_chapter_runs_again_until_it_is_mended(tiny, update):
    update.failing = {"one"}
    assert update() == ["one", "two"]
    assert list(book.stamps(tiny)) == ["chapters/two"]
    assert update() == ["one"]
    update.failing = set()
    assert update() == ["one"]
    assert update() == []
    assert list(book.stamps(tiny)) == ["chapters/one", "chapters/two"]


def test_a_chapter_that_failed_after_a_good_run_leaves_no_stamp(tiny, update):
    update()
    source = tiny / "chapters" / "one.py"
    good = source.read_text()
    source.write_text(good + "1 / 0\n")
    update.failing = {"one"}
    assert update() == ["one"]
    source.write_text(good)  # the page still shows the traceback: the old stamp would be wrong
    update.failing = set()
    assert update() == ["one"]


@pytest.mark.parametrize("left", [True, False], ids=["its notebook left", "nothing left"])
def test_a_chapter_that_was_removed_is_not_shown_as_it_was(tiny, update, left):
    update()
    (tiny / "chapters" / "two.py").unlink()
    if not left:
        (tiny / "chapters" / "two.ipynb").unlink()
    with pytest.raises(ExtensionError, match="names chapters/two, of which there is no source"):
        update()


STUDIES = {
    "a setting misspelt": ("{method: NB, task: four, kid: Gaussian}", "study.yml: .*mean 'kind'"),
    "a method misspelt": ("{method: NBB, task: four}", "study.yml: method is 'NBB'"),
    "a table that is none": ("{method: NB, task: four, table: 3}", "study.yml: table is 3"),
    "half a line": ("{method: NB", "is no YAML"),
}


@pytest.mark.parametrize("fault", STUDIES)
def test_a_study_that_no_chapter_could_read_stops_the_build_at_once(tiny, update, fault):
    entry, words = STUDIES[fault]
    (tiny / "study.yml").write_text(f"profiles: {{}}\nruns:\n  - {entry}\n")
    with pytest.raises(ExtensionError, match=words):
        update()
    assert not list(book.stamps(tiny))
    (tiny / "study.yml").write_text("profiles: {}\nruns: []\n")
    assert update() == ["one", "two"]


# --------------------------------------------------------------------------- a chapter that fails

FAILURES = {
    "an error": ("1 / 0", "ZeroDivisionError: division by zero"),
    "a syntax error": ("value = (", "SyntaxError"),
    "a kernel that dies": ("import os\nos._exit(3)", "its kernel died"),
    "a kernel that is killed": ("import os\nos.kill(os.getpid(), 9)", "its kernel died"),
    "a module that is missing": ("import no_such_module", "No module named 'no_such_module'"),
    "an exit": ("raise SystemExit(2)", "SystemExit"),
    "a record that is missing": (
        "from bloodlib import study\nstudy.run({'method': 'NB', 'task': 'two'})",
        "MissingError: there is no record NB-two",
    ),
    "a table that is missing": (
        "from bloodlib.data import photographs\nphotographs.table()",
        "StoredError.*photographs.csv can't be read",
    ),
    "a measurement that is missing": (
        "from bloodlib.study import measurements\nmeasurements.read('attribution')",
        "`bloodlib measure attribution` makes it",
    ),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_chapter_with(tiny, fault):
    code, words = FAILURES[fault]
    source = tiny / "chapters" / "two.py"
    source.write_text(chapter("Two", code))
    assert book.key(source, {}, book.surroundings(tiny))
    with pytest.raises(book.ChapterError, match=words):
        book.run(source, {})
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    shown = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert "42" not in json.dumps([out for out in shown if out.output_type != "error"])


def test_interrupted_it_leaves_no_half_notebook(tiny, monkeypatch):
    source = tiny / "chapters" / "two.py"

    def interrupted(_, path, **__):
        Path(path).write_text("{half")
        raise KeyboardInterrupt

    monkeypatch.setattr("papermill.execute_notebook", interrupted)
    with pytest.raises(KeyboardInterrupt):
        book.run(source, {})
    assert sorted(p.name for p in source.parent.iterdir()) == ["draft.py", "one.py", "two.py"]


def test_a_machine_busy_with_other_work_is_no_failure(tiny, monkeypatch):
    """A kernel may take minutes to answer; nbclient would give it four seconds."""
    from nbclient import NotebookClient

    patience = []
    init = NotebookClient.__init__

    def remember(self, *given, **more):
        init(self, *given, **more)
        patience.append(self.iopub_timeout)

    monkeypatch.setattr(NotebookClient, "__init__", remember)
    book.run(tiny / "chapters" / "two.py", {})
    assert patience == [600]


def test_a_kernel_of_another_environment_is_refused(tiny, tmp_path, monkeypatch):
    other = str(tmp_path / "elsewhere" / "python")
    argv = [other, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    monkeypatch.setenv("JUPYTER_PATH", kernelspec(tmp_path / "jupyter", argv))
    with pytest.raises(book.KernelError) as caught:
        book.run(tiny / "chapters" / "two.py", {})
    assert other in str(caught.value)
    assert f"{sys.executable} -m ipykernel install --sys-prefix" in str(caught.value)
    assert not (tiny / "chapters" / "two.ipynb").exists()


def test_without_a_kernel(monkeypatch):
    from jupyter_client import kernelspec

    def missing(self, name):
        raise kernelspec.NoSuchKernel(name)

    monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", missing)
    with pytest.raises(book.KernelError, match=r"no kernel python3.*ipykernel install"):
        book._check_kernel()


# --------------------------------------------------------------------------- records and runs


RECORDS = {
    "truncated": lambda path: path.write_text('{"schema"'),
    "of another seed": lambda path: edit(path, config__seed=1),
    "of predictions that are gone": lambda path: next(path.parent.glob("*.npz")).unlink(),
    "of a newer bloodlib": lambda path: edit(path, schema=99),
}


@pytest.mark.parametrize("fault", RECORDS)
def test_the_book_names_a_record(fake, folders, fault):
    """Each build looks at every frozen record, whichever chapters run."""
    content, arrays = made_up()
    record = records.write(records.folder(), content, arrays)
    found = book.untrusted()
    assert len(found) == 1  # it is made up: the book does not take it for a run
    assert "belong to the id" in found[0] or "no setting" in found[0]
    RECORDS[fault](record.path)
    (found,) = book.untrusted()
    assert str(record.path.parent / record.id) in found


def test_the_book_says_which_record_it_does_without(fake, folders, checkout):
    checkout("profiles: {}\nruns:\n  - {method: fake, task: two, depth: [1, 2]}\n")
    found = tables.load_records()
    assert found[["Run", "State"]].to_numpy().tolist() == [
        ["fake two, depth 1", "missing"],
        ["fake two, depth 2", "missing"],
    ]


# --------------------------------------------------------------------------- whole builds


def test_a_failing_chapter_is_named_and_heals(tiny):
    source = tiny / "chapters" / "two.py"
    good = source.read_text()
    source.write_text(chapter("Two", "1 / 0"))
    failed = build(tiny, *STRICT)
    assert failed.code != 0
    assert "two says 42" not in page(tiny, "two")
    assert failed.ran == ["one", "two"]
    words = r"WARNING: chapters.two\.py failed in cell 1: ZeroDivisionError: division by zero"
    assert re.search(words, failed.printed), failed.printed[-3000:]

    lenient = build(tiny)
    assert (lenient.code, lenient.ran) == (0, ["two"])
    assert "ZeroDivisionError: division by zero" in page(tiny, "two")
    assert "Traceback" in page(tiny, "two")

    source.write_text(good)
    healed = build(tiny, *STRICT)
    assert (healed.code, healed.ran) == (0, ["two"]), healed.printed[-3000:]
    assert "ZeroDivisionError" not in page(tiny, "two")
    assert "two says 42" in page(tiny, "two")


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process group")
def test_a_killed_build_leaves_no_half_notebook(tiny):
    (tiny / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [file: chapters/two]\n")
    source, started = tiny / "chapters" / "two.py", tiny / "started"
    source.write_text(
        chapter(
            "Two",
            f"print('begun')\n\n# %%\nopen({str(started)!r}, 'w')\nimport time\ntime.sleep(90)",
        )
    )
    running = subprocess.Popen(
        **command(tiny),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    running.kill()
    running.wait()
    with contextlib.suppress(ProcessLookupError):  # the kernel has a group of its own, or none
        os.killpg(running.pid, signal.SIGKILL)
    assert started.exists()
    assert not (tiny / "chapters" / "two.ipynb").exists()
    assert book.stamps(tiny) == {}


def missing_chapter(tiny):
    (tiny / "chapters" / "two.py").unlink()
    (tiny / "chapters" / "two.ipynb").unlink()
    return {}


def damaged_record(tiny):
    record = records.write(records.folder(), *made_up())
    record.path.write_text("{")
    return {}


def other_kernel(tiny):
    argv = ["/nowhere/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (tiny / "chapters" / "two.py").write_text(chapter("Two", "print('two says', 6 * 6)"))
    return {"env": {"JUPYTER_PATH": kernelspec(tiny.parent / "jupyter", argv)}}


def unwritable(tiny):
    shutil.rmtree(tiny / "_build" / "chapters")
    (tiny / "_build" / "chapters").write_text("a file in the way")
    return {}


def nearly_full(tiny):
    import resource

    (tiny / "chapters" / "two.py").write_text(chapter("Two", "print('two says', 6 * 6)"))
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))}


LOUD = {
    "a chapter that is missing": (missing_chapter, "_toc.yml names chapters/two, of which"),
    "a damaged record": (damaged_record, "fake-four-0123456789.json is no record"),
    "a kernel of another environment": (other_kernel, "/nowhere/python, not this environment"),
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


@pytest.mark.long
def test_a_build_without_utf_8(tiny):
    """As on a server where nobody has set a language; the folder's name has an accent."""
    (tiny / "chapters" / "two.py").write_text(
        chapter("Two", "print('two says', 6 * 7, 'µm – née')"), encoding="utf-8"
    )
    given = command(tiny, *STRICT)
    given["env"] = {k: v for k, v in given["env"].items() if not k.startswith(("LC_", "LANG"))}
    given["env"].pop("PYTHONIOENCODING")
    given["env"] |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(**given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-3000:].decode(errors="replace")
    assert "two says 42 µm – née" in page(tiny, "two")


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
