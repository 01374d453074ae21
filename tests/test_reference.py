"""The library's reference: what chapters use, and which modules its pages name."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import CHECKOUT

from bloodlib.book import reference


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("from bloodlib.evidence import scores as s\ns.f1(s.f1)", ["bloodlib.evidence.scores.f1"]),
        ("from bloodlib.evidence.scores import f1\nf1(x)", ["bloodlib.evidence.scores.f1"]),
        ("from bloodlib import study\nstudy.run.x", ["bloodlib.study.run"]),
        ("from bloodlib import a, b\nb.y(a.x())", ["bloodlib.a.x", "bloodlib.b.y"]),
        ("import numpy as np\nfrom bloodlib import a\nnp.array(a)", []),
        ("a.x()  # not the library's", []),
    ],
)
def test_what_a_script_uses(script, names):
    assert reference.uses(script) == names


def test_every_module_is_on_one_page():
    named = [
        name
        for page in CHECKOUT.glob(f"{reference.PAGES}*.md")
        for name in re.findall(r"automodule:: (bloodlib[\w.]*)", page.read_text(encoding="utf-8"))
    ]
    modules = set()
    for path in (CHECKOUT / "bloodlib").rglob("*.py"):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        if path.name != "__init__.py":
            modules.add(".".join(parts))
        elif re.search("^(def|from|import) ", path.read_text(encoding="utf-8"), re.MULTILINE):
            modules.add(".".join(parts[:-1]))
    assert sorted(named) == sorted(modules)


@pytest.fixture
def site(tmp_path):
    """A book of a chapter and a page of the reference, built by Sphinx as the book is."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    folder = tmp_path / "book"
    (folder / "chapters").mkdir(parents=True)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: chapters/one\nchapters:\n- file: chapters/reference_x\n"
    )
    modules = ("evidence.scores", "models.methods", "data.splits")
    (folder / "chapters" / "reference_x.rst").write_text(
        "X\n=\n\n" + "".join(f".. automodule:: bloodlib.{name}\n\n" for name in modules)
    )
    (folder / "chapters" / "one.py").write_text(
        "from bloodlib.evidence import scores\nscores.recall\nscores.nothing\n"
    )
    (folder / "chapters" / "one.rst").write_text(
        "One\n===\n\n"
        "There is ``scores.f1(x)`` and ``scores.nothing``, ``bloodlib.evidence.scores``.\n\n"
        ".. toctree::\n\n   reference_x\n"
    )
    config = yaml.safe_load((CHECKOUT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]
    names = ("sphinx.ext.autodoc", "sphinx.ext.napoleon", "bloodlib.book.reference")
    given = {k: v for k, v in config["config"].items() if k.startswith(("autodoc", "napoleon"))}
    given |= {"extensions": list(names), "root_doc": "chapters/one"}
    folders = [str(folder), None, str(tmp_path / "html"), str(tmp_path / "trees")]

    def build():
        with docutils_namespace():
            app = Sphinx(*folders, "html", confoverrides=given, status=None, warningiserror=True)
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
    assert "Alias for field" not in entries
    assert "factory" not in entries

    chapter = folder / "chapters" / "one.py"
    chapter.write_text(chapter.read_text() + "scores.precision\n")
    _, entries = build()
    assert entries.count("Used in <a") == 2  # read again, though it did not change
