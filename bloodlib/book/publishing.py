"""Sphinx extension: what pages offer, load and may run, and where they lead.

Every page that is a notebook offers it executed, its script, and itself on Binder and on Colab.
These two open what the branch :data:`BRANCH` holds: the checkout and, added to it, the notebooks
that a build leaves in ``_build/published``. Where the repository is stands in ``_config.yml``; on
GitHub Actions it is the one that runs them, so that the pages of a fork lead to the fork.

A page runs the scripts that come with the book and those written in it when it was built, and no
other; it asks no other host, and a form goes nowhere but to the book's own search. A content
security policy is written into each page, so that it holds wherever the book is served from, and
from disk.
"""

import base64
import hashlib
import html
import os
import re
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer, PycodeError
from sphinx.util.docutils import ReferenceRole, SphinxDirective
from sphinx.util.nodes import make_refnode

from bloodlib import __version__
from bloodlib.book import chapter, interactive, tables
from bloodlib.data import images, stored

#: The branch that Binder and Colab open.
BRANCH = "published"
#: How the names of the reference's pages begin.
REFERENCE = "chapters/reference_"
#: Where the PDF lies in the pages, if there is one.
PDF = "book.pdf"
#: What the notebooks of the branch begin with.
INSTALL = """\
# Where bloodlib is missing, as on Colab: fetch the book and install it. If the runtime has to be
# restarted then, run this cell once more.
import importlib.util
from pathlib import Path

if importlib.util.find_spec("bloodlib") is None:
    !git clone --quiet --depth 1 --branch {branch} {address} book
    %pip install --quiet ./book
if Path("book/{folder}").is_dir():
    %cd book/{folder}
"""
#: By what is loaded. A page opened from disk has no origin in some browsers, hence ``file:``.
RULES = {
    "default-src": "'none'",
    "style-src": "'self' file: 'unsafe-inline'",  # MathJax and figures bring their own
    "img-src": "'self' file: data: blob:",
    "font-src": "'self' file: data:",
    "connect-src": "'none'",
    "form-action": "'self' file:",
    "base-uri": "'none'",
}
#: What is written between the tags of a script that a browser runs, or is done by a button.
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_NOT_RUN = re.compile(r"""\ssrc=|\stype=["'](?!(?:module|text/javascript)["'])""")
_HANDLER = re.compile(r"""<[^>]*?\son\w+=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_META = '<meta http-equiv="Content-Security-Policy" content="{}">'
_OLD = re.compile('<meta http-equiv="Content-Security-Policy" [^>]*>')


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.add_config_value("publish_dataset_pictures", False, "env")
    app.add_config_value("offers_pdf", False, "html")  # found, not set: new pages when it appears
    app.add_directive("build-table", BuildTable)
    app.add_role("anchor", Anchor())
    app.connect("config-inited", _find)
    app.connect("config-inited", _mock)
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", _tidy)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-resolved", _link)
    app.connect("builder-inited", _leave_pictures_out, priority=100)  # before the chapters run
    app.connect("html-page-context", _offer, priority=900)  # after the theme's buttons
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("html-page-context", _listed)
    app.connect("build-finished", _give)
    app.connect("build-finished", _protect, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def openable(notebook, name: str, address: str):
    """An executed notebook as Binder and Colab open it: with a cell that installs what is missing.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    name : str
        The page, such as ``chapters/intervals``.
    address : str
        Of the repository.
    """
    import nbformat

    folder = Path(name).parent.as_posix()
    first = nbformat.v4.new_code_cell(
        INSTALL.format(branch=BRANCH, address=address, folder=folder), id="install"
    )
    return nbformat.from_dict(notebook | {"cells": [first, *notebook.cells]})


class BuildTable(SphinxDirective):
    """The directive ``build-table``: what is only known at the build.

    Its argument is ``environment`` or ``chapters``, and the table's label is that with
    ``tbl-`` before it. The page is read anew at every build, so that it tells of this one.
    """

    required_arguments = 1

    def run(self) -> list:
        """Parse the table as MyST Markdown."""
        self.env.note_reread()
        if self.arguments[0] == "environment":
            frame, caption = _environment(), "The build."
        else:
            frame, caption = _chapters(Path(self.env.srcdir)), "Runs of the chapters."
        text = tables.markdown(frame, f"tbl-{self.arguments[0]}", caption, decimals=1)
        place = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines()), self.content_offset, place)
        return place.children


class Anchor(ReferenceRole):
    """The role ``anchor``: text that ``tables.link`` leads to.

    A table's cell has no other way to be a target: ``{anchor}`text <address>```, or the address
    alone.
    """

    def run(self) -> tuple[list, list]:
        """Make the target, with the text in it."""
        name = tables.anchor(self.target)
        target = nodes.target("", "", nodes.literal("", self.title), ids=[name], names=[name])
        self.inliner.document.note_explicit_target(target)
        return [target], []


def _environment():
    """What builds the book: versions, machine, commit, images."""
    here = stored.environment("", "")
    rows = {
        "bloodlib": __version__,
        "commit": f"`{here['commit']}`" if here["commit"] else "not in a repository",
        "Python": f"{here['python']} on {here['platform']}",
        "processor": here["processor"],
        "images": f"`{images.DATA_HASH}`" if images.available() else "not at hand: synthetic cells",
    }
    return pd.DataFrame((rows | here["packages"]).items(), columns=["Part", "Value"])


def _chapters(root):
    """When each chapter was run last, how long it took and how much memory."""
    return pd.DataFrame(
        [
            {
                "Chapter": f"{{doc}}`/{name}`",
                "Run at (UTC)": f"{datetime.fromtimestamp(stamp['at'], UTC):%Y-%m-%d %H:%M}",
                "Memory, GB": stamp.get("memory"),
                "Seconds": float(stamp["seconds"]),
            }
            for name, stamp in chapter.stamps(root).items()
            if not stamp["failure"]
        ]
    )


def write_policy(page: Path) -> None:
    """Write the policy of a page into its head, in the place of one that is there."""
    text = page.read_text(encoding="utf-8")
    plain = _OLD.sub("", text)
    head, tag, rest = plain.partition("<head>")
    if not tag:
        raise ValueError(f"{page} has no head for a content security policy")
    new = head + tag + _META.format(policy(plain)) + rest
    if new != text:
        stored.write_atomically(page, new.encode())


def policy(text: str) -> str:
    """The policy of a page: :data:`RULES`, and the hashes of the scripts that are written in it."""
    scripts = [code for given, code in _SCRIPT.findall(text) if not _NOT_RUN.search(given)]
    handlers = [html.unescape("".join(found)) for found in _HANDLER.findall(text)]
    sources = ["'self'", "file:", *_hashes(scripts)]
    if handlers:
        sources += ["'unsafe-hashes'", *_hashes(handlers)]
    rules = RULES | {"script-src": " ".join(sources)}
    return "; ".join(f"{what} {where}" for what, where in rules.items())


def _hashes(scripts: Iterable[str]) -> list[str]:
    digests = {hashlib.sha256(script.encode()).digest() for script in scripts}
    return sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _find(app, config):
    """The repository's address, and whether there is a PDF to offer."""
    if os.environ.get("GITHUB_REPOSITORY"):
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        config.html_theme_options["repository_url"] = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    config.offers_pdf = _pdf(app).is_file()


def _pdf(app):
    return Path(app.srcdir) / "_build" / "latex" / PDF


def _leave_pictures_out(app):
    """Publish as if the images were not here, if ``_config.yml`` says so."""
    if stored.publishing() and not app.config.publish_dataset_pictures and images.available():
        nowhere = Path(app.srcdir) / "_build" / "no-images"
        nowhere.mkdir(parents=True, exist_ok=True)
        os.environ["BLOODLIB_DATA"] = str(nowhere)


def _offer(app, pagename, templatename, context, doctree):
    """Say what the buttons of a page give, and add those for its script and the PDF."""
    for group in context.get("header_buttons", []):
        if group.get("label") != "download-buttons":
            continue
        source, printed = group["buttons"]
        printed |= {"text": "print", "tooltip": "Print this page"}
        more = [(PDF, "book.pdf", "whole book", "fa-book")] if app.config.offers_pdf else []
        if Path(app.srcdir, f"{pagename}.py").is_file():
            source["tooltip"] = "Download the executed notebook"
            more.append((f"_sources/{pagename}.py", ".py", "script", "fa-file-code"))
        for url, text, what, icon in more:
            button = {"type": "link", "url": context["pathto"](url, 1), "text": text}
            button |= {"tooltip": f"Download the {what}", "icon": f"fas {icon}"}
            button["label"] = f"download-{what.split()[-1]}-button"
            group["buttons"].insert(1, button)


def _give(app, exception):
    """Put scripts and PDF where the buttons lead, and the notebooks where the branch takes them."""
    import nbformat

    if exception is not None or app.builder.format != "html":
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    address = app.config.html_theme_options.get("repository_url", "")
    for source in chapter.sources(root):
        name = source.relative_to(root).with_suffix("")
        there = out / "_sources" / name.with_suffix(".py")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, there)
        notebook = source.with_suffix(".ipynb")
        if notebook.is_file():
            found = openable(nbformat.read(notebook, as_version=4), name.as_posix(), address)
            there = root / "_build" / BRANCH / name.with_suffix(".ipynb")
            there.parent.mkdir(parents=True, exist_ok=True)
            stored.write_atomically(there, f"{nbformat.writes(found)}\n".encode())
    if "chapters/try_it" in app.env.all_docs:
        interactive.write_try_it(out / interactive.TRY_IT)
    if app.config.offers_pdf:
        shutil.copyfile(_pdf(app), out / PDF)
    else:
        (out / PDF).unlink(missing_ok=True)


def _without_thebe(app, pagename, templatename, context, doctree):
    """Leave out what Jupyter Book adds for live code: its server is another host."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script.filename}{script.attributes.get('body', '')}".lower()
    ]


def _listed(app, pagename, templatename, context, doctree):
    """Make the works cited items of their list, also to a screen reader."""
    if "citation-list" in context.get("body", ""):
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def _protect(app, exception):
    """Write its content security policy into each page."""
    if exception is None and app.builder.format == "html":
        out = Path(app.outdir)
        for page in sorted(out.rglob("*.html")):
            if "_static" not in page.relative_to(out).parts:  # the theme's pieces of pages
                write_policy(page)


# ---------------------------------------------------------------------- the library's reference


def _mock(app, config):
    """Keep autodoc from importing what it was told to mock, for the source of a base class."""
    for name in ("keras", "keras.layers", "keras.optimizers"):
        ModuleAnalyzer.cache["module", name] = PycodeError(f"{name} is mocked")


def _tidy(app, what, name, obj, options, signature, returns):
    """Defaults of a dataclass as they would be written."""
    signature = re.sub(r"<class '(\w+)'>", r"\1", signature or "").replace("<factory>", "...")
    return signature, returns


def _skip(app, what, name, obj, skip, options):
    """Leave out what only says which field of a tuple it is; the tuple's docstring has it."""
    return skip or str(obj.__doc__).startswith("Alias for field number")


def _link(app, doctree, docname):
    """Link names of the library, such as ``scores.f1``, to their entries; not in print."""
    if docname.startswith(REFERENCE) or app.builder.format == "latex":
        return
    known = app.env.domains["py"].objects
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().split("(")[0]
        found = [full for full in known if f".{full}".endswith(f".{name}")] if "." in name else []
        if len(found) == 1 and not isinstance(literal.parent, nodes.reference):
            entry = known[found[0]]
            place = docname, entry.docname, entry.node_id
            literal.replace_self(make_refnode(app.builder, *place, literal.deepcopy(), name))
