"""The library's reference: which modules its pages name, and what leads there."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import CHECKOUT

from bloodlib.book import publishing


def test_every_module_is_on_one_page():
    named = [
        name
        for page in CHECKOUT.glob(f"{publishing.REFERENCE}*.md")
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
    (folder / "chapters" / "one.rst").write_text(
        "One\n===\n\n"
        "There is ``scores.f1(x)`` and ``scores.nothing``, ``bloodlib.evidence.scores``.\n\n"
        ".. toctree::\n\n   reference_x\n"
    )
    config = yaml.safe_load((CHECKOUT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]
    names = ("sphinx.ext.autodoc", "sphinx.ext.napoleon", "bloodlib.book.publishing")
    given = {k: v for k, v in config["config"].items() if k.startswith(("autodoc", "napoleon"))}
    given |= {"extensions": list(names), "root_doc": "chapters/one"}
    folders = [str(folder), None, str(tmp_path / "html"), str(tmp_path / "trees")]

    def build():
        with docutils_namespace():
            app = Sphinx(*folders, "html", confoverrides=given, status=None, warningiserror=True)
            app.build()
        read = (Path(app.outdir) / f"chapters/{n}.html" for n in ("one", "reference_x"))
        return [path.read_text(encoding="utf-8") for path in read]

    return build


def test_names_in_a_page_lead_to_their_entries(site):
    one, entries = site()
    links = re.findall(r'<a class="reference internal" href="reference_x\.html#([\w.-]+)"', one)
    assert {"bloodlib.evidence.scores.f1", "module-bloodlib.evidence.scores"} <= set(links)
    assert not [link for link in links if link.endswith("nothing")]
    assert "nothing" in one  # named in the prose, but not there
    assert "Alias for field" not in entries
    assert "factory" not in entries
