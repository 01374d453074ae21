"""The Sphinx extension runs what is stale and only that, and a failure is seen and heals.

Most tests put a stand-in in the place of papermill; those that build a book do it in a folder
whose name has a space and an accent, with chapters that take no time.
"""

import re
import sys
from pathlib import Path

import joblib
import nbformat
import pytest
from tiny_book import STRICT, build, chapter, kernelspec, page

from bloodlib.book import book
from bloodlib.data import images

# --------------------------------------------------------------------------- what is stale


def test_chapters_are_those_of_the_contents_in_their_order(tiny):
    assert [p.name for p in book.chapters(tiny)] == ["one.py", "two.py"]
    (tiny / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n"
        "  - caption: B\n    chapters:\n"
        "      - file: chapters/two\n        sections: [{file: chapters/one}]\n"
        "      - url: https://example.org\n"
    )
    assert [p.name for p in book.chapters(tiny)] == ["two.py", "one.py"]


def test_the_log_of_a_job_beside_a_record_makes_nothing_stale(tiny, update):
    update()
    (tiny / "results" / "runs" / "run.ipynb").write_text("{}")
    assert update() == []
    (tiny / "results" / "runs" / "run.json").write_text("{1}\n")
    assert update() == ["one", "two"]


def test_what_did_not_change_does_not_run(update):
    assert update() == ["one", "two"]
    assert update() == []


def test_only_the_edited_chapter_runs(tiny, update):
    update()
    with (tiny / "chapters" / "two.py").open("a") as file:
        file.write("# a remark\n")
    assert update() == ["two"]
    assert update() == []


@pytest.mark.parametrize("name", ["study.yml", "requirements.lock", "results/facts.json"])
def test_what_every_chapter_depends_on(tiny, update, name):
    update()
    with (tiny / name).open("a") as file:
        file.write("# changed\n")
    assert update() == ["one", "two"]


def test_records_that_come_and_go(tiny, update):
    update()
    new = tiny / "results" / "runs" / "other.json"
    new.write_text("{}")
    assert update() == ["one", "two"]
    (tiny / "results" / "runs" / ".other.json.1.tmp").write_text("half")
    assert update() == []
    new.unlink()
    assert update() == ["one", "two"]


def test_images_that_arrive(tiny, update, tmp_path, monkeypatch):
    update()
    (tmp_path / "images" / images.FOLDER).mkdir(parents=True)
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "images"))
    assert update() == ["one", "two"]
    assert update() == []
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "no images"))
    assert update() == ["one", "two"]


def test_parameters_go_to_the_chapters_that_have_them(update):
    assert update() == ["one", "two"]
    assert update(seed=2) == ["one"]
    assert update.given == {"seed": 2}
    assert update(seed=2) == []
    assert update(seed=3) == ["one"]


def test_a_misspelt_parameter_is_refused(update):
    with pytest.raises(ValueError, match=r"_config\.yml: no chapter has 'sede'"):
        update(sede=2)


def test_a_parameter_with_a_type(tiny, update):
    (tiny / "chapters" / "one.py").write_text(
        chapter("One", "seed: int = 1", ' tags=["parameters"]')
    )
    update()
    assert update(seed=2) == ["one"]


def test_no_chapter_runs_because_another_did(tiny, update):
    (tiny / "chapters" / "two.py").write_text(chapter("Two", "from bloodlib.book import book"))
    update()
    assert update() == []
    with (tiny / "chapters" / "one.py").open("a") as file:
        file.write("# a remark\n")
    assert update() == ["one"]


def test_stamps_tell_when_and_how_long(tiny, update):
    update()
    for stamp in book.stamps(tiny).values():
        assert stamp["at"] > 0
        assert stamp["seconds"] >= 0


# --------------------------------------------------------------------------- the key


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in bloodlib's place; a chapter's key after a module of it was edited."""
    folder = tmp_path / "bloodlib"
    (folder / "book").mkdir(parents=True)
    for name, text in {
        "a": "from bloodlib import b\n",
        "b": "import os\nfrom bloodlib.c import thing\n",
        "c": "def late():\n    import bloodlib.d\n",
        "d": "from bloodlib import a\n",  # a circle
        "other": "",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(book, "PACKAGE", folder)
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "from bloodlib import a",
        "from bloodlib.a import x",
        "import bloodlib.a as a",
        "def f():\n    from bloodlib import nothing, a",
    ],
)
def test_key_covers_imported_modules_and_theirs(tiny, package, line):
    source = tiny / "chapters" / "one.py"
    source.write_text(line)
    keys = [book.key(source, {}, book.surroundings(tiny))]
    for name in "abcd":
        with (package / f"{name}.py").open("a") as file:
            file.write("# edited\n")
        keys.append(book.key(source, {}, book.surroundings(tiny)))
    assert len(set(keys)) == 5
    with (package / "other.py").open("a") as file:
        file.write("# edited\n")
    assert book.key(source, {}, book.surroundings(tiny)) == keys[-1]


def test_key_is_the_same_twice_and_follows_the_style(tiny, package):
    source = tiny / "chapters" / "one.py"
    first = book.key(source, {"seed": 1}, book.surroundings(tiny))
    assert book.key(source, {"seed": 1}, book.surroundings(tiny)) == first
    assert book.key(source, {"seed": 2}, book.surroundings(tiny)) != first
    (package / "book" / "book.mplstyle").write_text("font.size: 9\n")
    assert book.key(source, {"seed": 1}, book.surroundings(tiny)) != first


def test_key_covers_what_the_books_own_modules_import():
    """The module tables imports study, study imports baselines: read from the real sources."""
    found = {path.stem for path in book._modules(Path(book.__file__).with_name("tables.py"))}
    assert {"study", "baselines", "records", "images", "verdicts"} <= found
    assert "cli" not in found


# --------------------------------------------------------------------------- one chapter, run


def test_same_notebook_twice_without_paths_and_times(tiny):
    source = tiny / "chapters" / "one.py"
    written = []
    for _ in range(2):
        book.run(source, {"seed": 5})
        written.append(source.with_suffix(".ipynb").read_bytes())
    assert written[0] == written[1]
    notebook = nbformat.reads(written[0].decode(), as_version=4)
    nbformat.validate(notebook)
    assert "papermill" not in notebook.metadata
    assert not any({"papermill", "execution"} & set(cell.metadata) for cell in notebook.cells)
    assert not re.search(r"\d\d:\d\d:\d\d", written[0].decode())
    assert str(tiny.parent) not in written[0].decode()
    injected = [c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert [c.source.strip() for c in injected] == ["# Parameters\nseed = 5"]
    assert "hide-input" in injected[0].metadata["tags"]
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "5"
    assert sorted(p.name for p in source.parent.iterdir() if p.stem not in ("two", "draft")) == [
        "one.ipynb",
        "one.py",
    ]


def test_a_notebook_may_be_written_elsewhere(tiny, tmp_path):
    source, log = tiny / "chapters" / "one.py", tmp_path / "log.ipynb"
    book.run(source, {"seed": 5}, log)
    assert nbformat.read(log, as_version=4).cells[-1].outputs[0].data["text/plain"] == "5"
    assert not source.with_suffix(".ipynb").exists()


@pytest.mark.parametrize("python", ["python", sys.executable])
def test_a_kernel_of_this_environment_is_taken(tmp_path, monkeypatch, python):
    monkeypatch.setenv("JUPYTER_PATH", kernelspec(tmp_path / "jupyter", [python, "-m", "x"]))
    book._check_kernel()


def test_a_long_folder_for_temporary_files_is_no_place_for_sockets():
    assert book._local_transport("/tmp/" + 100 * "x") == {}
    if sys.platform != "win32":
        (config,) = book._local_transport("/tmp/x").values()
        assert config.KernelManager.transport == "ipc"


# --------------------------------------------------------------------------- whole builds


def test_edit_one_chapter_and_it_alone_runs_again(tiny):
    first = build(tiny, *STRICT)
    assert (first.code, first.ran) == (0, ["one", "two"]), first.printed[-3000:]
    assert "two says 42" in page(tiny, "two")
    again = build(tiny, *STRICT)
    assert (again.code, again.ran) == (0, [])
    source = tiny / "chapters" / "two.py"
    source.write_text(source.read_text().replace("6 * 7", "6 * 6"))
    edited = build(tiny, *STRICT)
    assert (edited.code, edited.ran) == (0, ["two"])
    assert "two says 36" in page(tiny, "two")
    assert sorted(path.name for path in tiny.rglob("*.ipynb") if "_build" not in path.parts) == [
        "one.ipynb",
        "two.ipynb",
    ]


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one processor")
def test_two_chapters_run_at_once(tiny):
    """Each waits for the other, which it would do for ever if they ran one after the other."""
    for mine, other in (("one", "two"), ("two", "one")):
        waits = (
            f"import pathlib, time\npathlib.Path('{mine}').touch()\n"
            f"for _ in range(600):\n    if pathlib.Path('{other}').exists():\n        break\n"
            "    time.sleep(0.1)\nelse:\n    raise TimeoutError('alone')"
        )
        (tiny / "chapters" / f"{mine}.py").write_text(chapter(mine, waits))
    both = build(tiny, *STRICT)
    assert (both.code, both.ran) == (0, ["one", "two"]), both.printed[-3000:]


def test_when_each_chapter_ran(monkeypatch, tmp_path):
    stamp = {"at": 0, "seconds": 2}
    monkeypatch.setattr(book, "stamps", lambda root: {"chapters/01_claims": stamp})
    (row,) = book.load_chapters(tmp_path).to_dict("records")
    assert row == {
        "Chapter": "{doc}`/chapters/01_claims`",
        "Run at (UTC)": "1970-01-01 00:00",
        "Seconds": 2.0,
    }
