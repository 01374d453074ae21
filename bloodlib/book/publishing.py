"""Sphinx extension: what leaves this machine, and the buttons that lead there.

Every page that is a notebook offers it executed, its script, and itself on Binder and on Colab.
These two open what the branch :data:`BRANCH` holds: the checkout and, added to it, the notebooks
that a build leaves in ``_build/published``. Where the repository is stands in ``_config.yml``; on
GitHub Actions it is the one that runs them, so that the pages of a fork lead to the fork.
"""

import os
import shutil
from pathlib import Path

from bloodlib.book import book
from bloodlib.data import images, paths

#: The branch that Binder and Colab open.
BRANCH = "published"
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


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.add_config_value("publish_dataset_pictures", False, "env")
    app.add_config_value("offers_pdf", False, "html")  # found, not set: new pages when it appears
    app.connect("config-inited", _find)
    app.connect("builder-inited", _leave_pictures_out, priority=100)  # before the chapters run
    app.connect("html-page-context", _offer, priority=900)  # after the theme's buttons
    app.connect("build-finished", _give)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def publishing() -> bool:
    """Whether what is built now is to be published: ``BLOODLIB_PUBLISH`` is set."""
    return os.environ.get("BLOODLIB_PUBLISH", "") not in ("", "0")


def openable(notebook, name: str, address: str):
    """An executed notebook as Binder and Colab open it: with a cell that installs what is missing.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    name : str
        The page, such as ``chapters/13_intervals``.
    address : str
        Of the repository.
    """
    import nbformat

    folder = Path(name).parent.as_posix()
    first = nbformat.v4.new_code_cell(
        INSTALL.format(branch=BRANCH, address=address, folder=folder), id="install"
    )
    return nbformat.from_dict(notebook | {"cells": [first, *notebook.cells]})


def _find(app, config):
    """The repository's address, and whether there is a PDF to offer."""
    if os.environ.get("GITHUB_REPOSITORY"):
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        config.html_theme_options["repository_url"] = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    config.offers_pdf = _pdf(app).is_file()


def _pdf(app):
    return Path(app.srcdir) / "_build" / "latex" / PDF


def _leave_pictures_out(app):
    """Publish as if the images were not here, unless ``_config.yml`` says otherwise."""
    if publishing() and not app.config.publish_dataset_pictures and images.available():
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
        pathto = context["pathto"]
        if _is_chapter(app, pagename):
            source["tooltip"] = "Download the executed notebook"
            group["buttons"].insert(
                1,
                {
                    "type": "link",
                    "url": pathto(f"_sources/{pagename}.py", 1),
                    "text": ".py",
                    "tooltip": "Download the script",
                    "icon": "fas fa-file-code",
                    "label": "download-script-button",
                },
            )
        if app.config.offers_pdf:
            group["buttons"].append(
                {
                    "type": "link",
                    "url": pathto(PDF, 1),
                    "text": "book.pdf",
                    "tooltip": "Download the whole book",
                    "icon": "fas fa-book",
                    "label": "download-book-button",
                }
            )


def _give(app, exception):
    """Put scripts and PDF where the buttons lead, and the notebooks where the branch takes them."""
    import nbformat

    if exception is not None or app.builder.format != "html":
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    address = app.config.html_theme_options.get("repository_url", "")
    for source in book.chapters(root):
        name = source.relative_to(root).with_suffix("")
        there = out / "_sources" / name.with_suffix(".py")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, there)
        notebook = source.with_suffix(".ipynb")
        if notebook.is_file():
            found = openable(nbformat.read(notebook, as_version=4), name.as_posix(), address)
            there = root / "_build" / BRANCH / name.with_suffix(".ipynb")
            there.parent.mkdir(parents=True, exist_ok=True)
            paths.write_atomically(there, f"{nbformat.writes(found)}\n".encode())
    if app.config.offers_pdf:
        shutil.copyfile(_pdf(app), out / PDF)
    else:
        (out / PDF).unlink(missing_ok=True)


def _is_chapter(app, pagename):
    return Path(app.srcdir, f"{pagename}.py").is_file()
