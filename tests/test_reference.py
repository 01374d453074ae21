"""The library's reference: what chapters use, and which modules its pages name."""

import re
from pathlib import Path

import pytest

from bloodlib.book import book, reference

ROOT = Path(book.__file__).parent.parent


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (
            "from bloodlib.evidence import scores\nscores.recall(x)",
            ["bloodlib.evidence.scores.recall"],
        ),
        (
            "from bloodlib.evidence import scores as s\ns.MEASURES['f1']",
            ["bloodlib.evidence.scores.MEASURES"],
        ),
        ("from bloodlib.evidence.scores import f1\nf1(x)", ["bloodlib.evidence.scores.f1"]),
        (
            "from bloodlib.data import images\nimages.load.__defaults__",
            ["bloodlib.data.images.load"],
        ),
        ("from bloodlib import a, b\nb.y(a.x())", ["bloodlib.a.x", "bloodlib.b.y"]),
        ("from bloodlib import a\na.x\nlist(map(a.x, []))", ["bloodlib.a.x"]),
        ("import numpy as np\nfrom bloodlib import a\nnp.array(a)", []),
        ("a.x()  # not the library's", []),
    ],
)
def test_what_a_script_uses(script, names):
    assert reference.uses(script) == names


def test_every_module_is_on_one_page():
    pages = ROOT.glob(f"{reference.PAGES}*.md")
    named = [
        name
        for page in pages
        for name in re.findall(r"automodule:: bloodlib\.(\w+)", page.read_text(encoding="utf-8"))
    ]
    modules = {path.stem for path in (ROOT / "bloodlib").glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)


def test_no_comment_is_taken_for_a_type():
    """What stands before a colon in the first line would be."""
    code = r":\w+:`[^`]*`|``.*?``"
    for path in (ROOT / "bloodlib").glob("*.py"):
        before = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            first = line.startswith("#:") and not before.startswith("#:")
            assert not (first and ":" in re.sub(code, "", line[2:])), f"{path.name}: {line}"
            before = line


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("bloodlib.evidence.verdicts", "verdicts"),
        ("bloodlib.evidence.verdicts.RUNS", "verdicts.RUNS"),
        ("equations.convolve", "equations.convolve"),
        ('images.load("TRAIN")', "images.load"),
        ("bloodlib study", None),
        ("images", None),
        ("-p task two", None),
        ("Snakefile", None),
    ],
)
def test_code_that_may_name_something(code, name):
    match = reference.NAMED.fullmatch(code)
    assert (match and (match[1] or match[2])) == name


@pytest.fixture
def site(tmp_path):
    """A book of a chapter and a page of the reference, built by Sphinx."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    folder = tmp_path / "book"
    (folder / "chapters").mkdir(parents=True)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: chapters/one\nchapters:\n- file: chapters/reference_x\n"
    )
    (folder / "chapters" / "reference_x.rst").write_text(
        "X\n=\n\n.. automodule:: bloodlib.evidence.scores\n\n"
        ".. automodule:: bloodlib.models.methods\n\n"
        ".. automodule:: bloodlib.data.splits\n"
    )
    (folder / "chapters" / "one.py").write_text(
        "from bloodlib.evidence import scores\nscores.recall\nscores.nothing\n"
    )
    (folder / "chapters" / "one.rst").write_text(
        "One\n===\n\n"
        "There is ``scores.f1`` and ``scores.nothing``, ``bloodlib.evidence.scores``.\n\n"
        ".. toctree::\n\n   reference_x\n"
    )
    folders = [str(folder), None, str(tmp_path / "html"), str(tmp_path / "trees")]

    def build():
        with docutils_namespace():
            app = Sphinx(
                *folders,
                "html",
                confoverrides={
                    "extensions": ["bloodlib.book.reference"],
                    "root_doc": "chapters/one",
                },
                status=None,
                warningiserror=True,
            )
            app.build()
        read = (Path(app.outdir) / f"chapters/{n}.html" for n in ("one", "reference_x"))
        return [path.read_text(encoding="utf-8") for path in read]

    return folder, build


def test_links_there_and_back(site):
    folder, build = site
    one, entries = build()
    links = re.findall(r'<a class="reference internal" href="reference_x\.html#([\w.-]+)"', one)
    assert set(links) >= {
        "bloodlib.evidence.scores.f1",
        "bloodlib.evidence.scores.recall",
        "module-bloodlib.evidence.scores",
    }
    assert "From the library: " in one
    assert one.count("nothing") == 1  # named in the prose, but not there
    assert entries.count("Used in <a") == 1
    recall = entries[entries.index('id="bloodlib.evidence.scores.recall"') :]
    assert "Used in <a" in recall[: recall.index("</dd>")]

    assert "splits.Split" in entries
    assert "Alias for field" not in entries
    assert "history" in entries
    assert "factory" not in entries

    chapter = folder / "chapters" / "one.py"
    chapter.write_text(chapter.read_text() + "scores.precision\n")
    _, entries = build()
    assert entries.count("Used in <a") == 2  # read again, though it did not change
