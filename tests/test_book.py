"""The Sphinx extension runs what is stale and only that, and a failure is seen and heals.

Most tests put a stand-in in the place of papermill; those that build a book do it in a folder
whose name has a space and an accent, with chapters that take no time.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import types

import nbformat
import psutil
import pytest
from tiny_book import STRICT, build, chapter, command, page, run

from bloodlib.book import chapter as chapters
from bloodlib.data import images, stored

# --------------------------------------------------------------------------- what is stale


def test_chapters_are_those_of_the_contents_in_their_order(tiny):
    assert [p.name for p in chapters.sources(tiny)] == ["one.py", "two.py"]
    (tiny / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n"
        "  - caption: B\n    chapters:\n"
        "      - file: chapters/two\n        sections: [{file: chapters/one}]\n"
        "      - url: https://example.org\n"
    )
    assert [p.name for p in chapters.sources(tiny)] == ["two.py", "one.py"]


def append(name):
    def change(root):
        with (root / name).open("a") as file:
            file.write("# changed\n")

    return change


def write(name):
    return lambda root: (root / name).write_text("{}")


CHANGES = {
    "an edited chapter": (append("chapters/two.py"), ["two"]),
    "the lock": (append("requirements.lock"), ["one", "two"]),
    "a file that one reads": (append("results/facts.json"), ["one"]),
    "a file that one reads, removed": (
        lambda root: (root / "results/facts.json").unlink(),
        ["one"],
    ),
    "a file that one looked for, there now": (write("results/runs/a.json"), ["one", "two"]),
    "a record more, among which two chooses": (write("results/runs/b.json"), ["two"]),
    "the log of a job beside the records": (write("results/runs/b.ipynb"), []),
    "a record half written": (write("results/runs/.b.json.1.tmp"), []),
    "a file that none reads": (write("results/other.json"), []),
    "images that arrive": (
        lambda root: (stored.data_folder() / images.FOLDER / "images").mkdir(parents=True),
        ["two"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_chapters_that_read_it_run_again_after(tiny, update, change):
    update.reads = {
        "one": ["file results/facts.json", "file results/runs/a.json"],
        "two": ["names results/runs", "images images"],
    }
    assert update() == ["one", "two"]
    assert update() == []
    act, again = CHANGES[change]
    act(tiny)
    assert update() == again
    assert update() == []


def test_parameters_go_to_the_chapters_that_have_them(tiny, update):
    (tiny / "chapters" / "two.py").write_text(
        chapter("Two", "kind: str = 'a'", ' tags=["parameters"]')
    )
    assert update() == ["one", "two"]
    assert update(seed=2) == ["one"]
    assert update.given == {"seed": 2}
    assert update(seed=2) == []
    assert update(seed=2, kind="b") == ["two"]
    with pytest.raises(ValueError, match=r"_config\.yml: no chapter has 'sede'"):
        update(sede=2)


def test_a_copied_book_runs_its_chapters_again(tiny, update, tmp_path_factory):
    update()  # its stamps name files of the first place, which may stay as they are
    copy = shutil.copytree(tiny, tmp_path_factory.mktemp("elsewhere") / "book")
    config = types.SimpleNamespace(papermill_parameters={})
    chapters.run_stale(types.SimpleNamespace(srcdir=str(copy), config=config))
    for name, stamp in chapters.stamps(copy).items():
        assert stamp["at"] != chapters.stamps(tiny)[name]["at"]


# --------------------------------------------------------------------------- edited notebooks


def add_a_cell(notebook, text="my own"):
    found = nbformat.read(notebook, as_version=4)
    found.cells.append(nbformat.v4.new_markdown_cell(text))
    nbformat.write(found, notebook)


def test_what_was_added_to_a_notebook_is_kept(tiny, update, capsys):
    update()
    notebook = tiny / "chapters" / "one.ipynb"
    for n in (1, 2):
        add_a_cell(notebook, f"my own {n}")
        assert update() == ["one"]
        assert update() == []
        assert "my own" not in notebook.read_text()
        assert f"my own {n}" in (tiny / f"chapters/one.edited-{n}.ipynb").read_text()


def test_a_notebook_that_was_only_opened_and_saved_is_replaced(tiny, update):
    update()
    notebook = tiny / "chapters" / "one.ipynb"
    notebook.write_text(json.dumps(json.loads(notebook.read_text()), indent=4))
    assert update() == ["one"]
    assert not list(tiny.rglob("*.edited-*"))


# --------------------------------------------------------------------------- one chapter, run

READS = """\
import json
from pathlib import Path
from bloodlib import paper
from bloodlib import study
from bloodlib.data import images, stored
from bloodlib.data.splits import *
study.unlisted()
(stored.results_folder() / "facts.json").read_text()
[*(stored.results_folder() / "runs").glob("*.json")]
try:
    json.loads((stored.results_folder() / "runs" / "none.json").read_bytes())
except FileNotFoundError:
    images.available()
Path("written.txt").write_text("")
print("seen")
"""


def test_what_a_chapter_reads_is_noted(tiny):
    """Modules however they are imported, data files of packages, records, and where it looked."""
    (tiny / "chapters" / "two.py").write_text(chapter("Two", READS))
    found = run(tiny / "chapters" / "two.py").reads
    package, results = chapters.PACKAGE, tiny / "results"
    assert {
        f"file {package}/book/chapter.py", f"file {package}/data/images.py",
        f"file {package}/data/splits.py", f"file {package}/paper/__init__.py",
        f"file {results}/facts.json", f"file {results}/runs/none.json", f"names {results}/runs",
        "images images", f"names {stored.cache_folder()}/runs",
    } <= set(found)  # fmt: skip
    assert found[f"file {results}/runs/none.json"] is None
    assert not [name for name in found if "written" in name or "cli" in name]


def test_same_notebook_twice_without_paths_and_times(tiny):
    source = tiny / "chapters" / "one.py"
    written = []
    for _ in range(2):
        run(source, seed=5)
        written.append(source.with_suffix(".ipynb").read_bytes())
    assert written[0] == written[1]
    notebook = nbformat.reads(written[0].decode(), as_version=4)
    nbformat.validate(notebook)
    assert not re.search(r"\d\d:\d\d:\d\d", written[0].decode())
    assert str(tiny.parent) not in written[0].decode()
    injected = [c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert [c.source.strip() for c in injected] == ["# Parameters\nseed = 5"]
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "5"
    left = {p.name for p in source.parent.iterdir()}
    assert left == {"draft.py", "one.ipynb", "one.py", "two.py"}


PLAIN = """\
import os, sys, time
import bloodlib
import matplotlib as mpl
from bloodlib.book import chapter
chapter.begin()
seen = [mpl.rcParams[name] for name in ("figure.figsize", "image.cmap")]
seen += [os.environ.get(name) for name in ("COLUMNS", "LANG", "PYTHONWARNINGS")]
[*seen, mpl.get_backend(), time.tzname, bloodlib.__version__, "planted" in globals()]
"""


def test_nothing_of_the_callers_changes_a_page(tiny, tmp_path, monkeypatch):
    """Not the home folder's settings, not environment variables, not what lies on their paths."""
    source, home = tiny / "chapters" / "one.py", tmp_path / "home"
    source.write_text(chapter("One", PLAIN))
    run(source)
    plain = source.with_suffix(".ipynb").read_bytes()
    files = {
        ".config/matplotlib/matplotlibrc": "figure.figsize: 1, 1\nimage.cmap: jet\n",
        ".ipython/profile_default/startup/00.py": "planted = print('planted')\n",
        ".ipython/profile_default/ipython_kernel_config.py": "raise SystemExit(1)\n",
        ".jupyter/jupyter_config.py": "raise SystemExit(1)\n",
        ".keras/keras.json": '{"backend": "none"}',
        "modules/bloodlib/__init__.py": "__version__ = 'planted'\n",
        "modules/kernels/python3/kernel.json": '{"argv": ["false"], "display_name": "other"}',
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    for name, value in {
        "HOME": home, "USERPROFILE": home, "MPLCONFIGDIR": "/proc/none", "MPLBACKEND": "agg",
        "MATPLOTLIBRC": home / ".config/matplotlib/matplotlibrc", "IPYTHONDIR": home / ".ipython",
        "PYTHONWARNINGS": "error", "PYTHONPATH": home / "modules", "PYTHONSTARTUP": home / "none",
        "JUPYTER_PATH": home / "modules", "JUPYTER_CONFIG_DIR": home / ".jupyter", "COLUMNS": 20,
        "LANG": "de_DE", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONDEVMODE": 1, "NO_COLOR": 1,
        "FORCE_COLOR": 1, "PYTHONIOENCODING": "cp1252", "KERAS_HOME": home / ".keras",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    run(source)
    assert source.with_suffix(".ipynb").read_bytes() == plain


# --------------------------------------------------------------------------- whole builds


@pytest.mark.long
def test_a_chapter_that_is_edited_runs_again_alone_and_one_that_fails_is_named_and_heals(tiny):
    source, other = tiny / "chapters" / "two.py", tiny / "chapters" / "one.py"
    source.write_text(source.read_text().replace("# # Two", "# (second)=\n# # Two"))
    other.write_text(other.read_text() + "\n# %% [markdown]\n# Then: {ref}`second`\n")
    first = build(tiny, *STRICT)
    assert (first.code, first.ran) == (0, ["one", "two"]), first.printed[-3000:]
    assert "two says 42" in page(tiny, "two")
    assert "Then: Two" in page(tiny, "one")
    source.write_text(source.read_text().replace("6 * 7", "6 * 6").replace("# Two", "# Zwei"))
    add_a_cell(tiny / "chapters" / "two.ipynb")  # set aside, and no page of the book
    edited = build(tiny, *STRICT)
    assert (edited.code, edited.ran) == (0, ["two"])
    assert "two says 36" in page(tiny, "two")
    assert "Then: Zwei" in page(tiny, "one")

    good = source.read_text()
    source.write_text(chapter("Two", "1 / 0"))
    failed = build(tiny, *STRICT)
    assert failed.code != 0
    words = r"WARNING: chapters.two\.py failed in cell 1: ZeroDivisionError: division by zero"
    assert re.search(words, failed.printed), failed.printed[-3000:]
    lenient = build(tiny)
    assert (lenient.code, lenient.ran) == (0, ["two"])
    assert "ZeroDivisionError: division by zero" in page(tiny, "two")
    source.write_text(good)
    healed = build(tiny, *STRICT)
    assert (healed.code, healed.ran) == (0, ["two"]), healed.printed[-3000:]
    assert "ZeroDivisionError" not in page(tiny, "two")


@pytest.mark.long
def test_images_that_are_named_and_not_there_end_a_build(tiny, monkeypatch):
    monkeypatch.setenv("BLOODLIB_DATA", "no images")
    done = subprocess.run(**command(tiny, *STRICT), capture_output=True, encoding="utf-8")
    assert done.returncode != 0
    assert re.search(r"no images at .*no images.*BLOODLIB_DATA", done.stdout + done.stderr)
    monkeypatch.setenv("BLOODLIB_DATA", "")
    assert build(tiny, *STRICT).code == 0


def processes_in(folder):
    """Processes that were started for a chapter in this folder."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(folder) in str(p.info["cmdline"])]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_stopped_leaves_no_process_and_no_half_notebook(tiny, sent):
    (tiny / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [file: chapters/two]\n")
    source, started = tiny / "chapters" / "two.py", tiny / "started"
    code = f"open({str(started)!r}, 'w').write(str(__import__('os').getpid()))\nimport time\n"
    source.write_text(chapter("Two", code + "time.sleep(3600)"))
    running = subprocess.Popen(
        **command(tiny), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    while not (started.exists() and started.read_text()):
        assert running.poll() is None, running.stdout.read()
        time.sleep(0.1)
    kernel = psutil.Process(int(started.read_text()))
    running.send_signal(sent)
    printed, _ = running.communicate(timeout=300)
    assert running.returncode != 0
    while kernel.is_running() or processes_in(source):  # the test's time limit is the end of it
        time.sleep(0.1)
    assert "Traceback" not in printed
    assert not (tiny / "chapters" / "two.ipynb").exists()
    assert chapters.stamps(tiny) == {}
