"""Sphinx extension: run every stale chapter with papermill before the book is read.

A chapter is a page of the table of contents with a ``.py`` beside it. It is stale
when its source, its parameters, the modules it imports, the records, the lock or
the images (their hash, or that there are none) are not those of its last run, or
its notebook is another; what that run was is its stamp, in ``_build/chapters``.
The executed notebook lies beside the source, where Jupyter Book finds it.

A chapter that fails is a Sphinx warning, and its page shows the traceback: ``-W``
makes the build fail, without it the other pages are still to be had. A failed
chapter leaves no stamp, so that it runs again.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import ReferenceRole, SphinxDirective

from bloodlib import study
from bloodlib.book import chapter, interactive, policy, tables
from bloodlib.data import images, paths
from bloodlib.study import records

PACKAGE = Path(__file__).parents[1]
#: How many chapters run at the same time, where there are as many processors; each may hold a GB.
AT_ONCE = 2
#: A kernel is ended by an interrupt, which is no error to be told of.
QUIET = [
    "--log-level=CRITICAL",
    "--IPKernelApp.exec_lines=__import__('logging').getLogger('tornado').setLevel('CRITICAL')",
]


class KernelError(Exception):
    """The kernel that would run the chapters is not this environment's."""


class ChapterError(Exception):
    """A chapter that failed; the message says in which cell and why."""


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.add_config_value("papermill_parameters", {}, "env")
    app.add_directive("build-table", BuildTable)
    app.add_role("anchor", Anchor())
    app.connect("builder-inited", _run_stale)
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("html-page-context", _listed)
    app.connect("build-finished", _give_networks)
    app.connect("build-finished", _protect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def chapters(root: Path) -> list[Path]:
    """Sources of the chapters, in the order of the table of contents."""
    sources = [root / f"{name}.py" for name in _pages(root)]
    return [source for source in sources if source.is_file()]


def lost(root: Path) -> list[str]:
    """Pages of the table of contents that have no source, such as a chapter that was removed.

    A notebook is none: it may be what a chapter's last run has left.
    """
    return [
        name
        for name in _pages(root)
        if not any((root / f"{name}{suffix}").is_file() for suffix in (".py", ".md", ".rst"))
    ]


def surroundings(root: Path) -> str:
    """What the outcome of every chapter depends on, as one hash."""
    digest = hashlib.sha256()
    package = [PACKAGE / name for name in ("book/book.py", "book/book.mplstyle")]
    for path in [*package, root / "study.yml", root / "requirements.lock"]:
        _add(digest, path.name, path.read_bytes() if path.is_file() else b"")
    results = paths.results_folder()
    found = (p for p in results.rglob("*") if p.is_file() and not p.name.startswith("."))
    for path in sorted(p for p in found if p.suffix != ".ipynb"):  # a notebook is a job's log
        _add(digest, path.relative_to(results).as_posix(), path.read_bytes())
    there = [images.SOURCE.hashes[part] for part in images.SOURCE.hashes if images.available(part)]
    _add(digest, "images", " ".join(there).encode())
    _add(digest, "python", sys.version.encode())
    return digest.hexdigest()


def key(source: Path, parameters: dict, around: str) -> str:
    """Everything that a chapter's outcome depends on, as one hash; for the rest, ``around``."""
    digest = hashlib.sha256()
    _add(digest, "source", source.read_bytes())
    _add(digest, "parameters", json.dumps(parameters, sort_keys=True).encode())
    for path in sorted(_modules(source)):
        _add(digest, path.name, path.read_bytes())
    _add(digest, "surroundings", around.encode())
    return digest.hexdigest()


def _add(digest, name, content):
    digest.update(f"{name} {len(content)}\0".encode())
    digest.update(content)


def untrusted() -> list[str]:
    """What is wrong with each frozen record that can't be trusted: the book must not be built."""
    found = []
    for path in sorted(records.folder().glob("*.json")):
        try:
            study.check(records.read(path))
        except records.RecordError as error:
            found.append(str(error))
    return found


def run(source: Path, parameters: dict, notebook: Path | None = None) -> None:
    """Execute a chapter into a notebook.

    Parameters
    ----------
    source : pathlib.Path
        A py:percent script.
    parameters : dict
        What papermill sets.
    notebook : pathlib.Path, optional
        Where to; beside the source if not given.

    Raises
    ------
    ChapterError
        If a cell fails; the notebook, with the traceback, is written all the same.
    """
    import jupytext
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    _check_kernel()
    failure = ""
    with tempfile.TemporaryDirectory(prefix="bloodlib-") as folder:
        unfinished = Path(folder, "chapter.ipynb")
        try:
            papermill.execute_notebook(
                jupytext.read(source),
                unfinished,
                parameters=parameters,
                cwd=source.parent,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                extra_arguments=QUIET,
                iopub_timeout=600,  # of 4 seconds, a machine busy with other work takes more
                **_local_transport(folder),
            )
        except papermill.PapermillExecutionError as error:
            failure = f"failed in cell {error.exec_count}: {error.ename}: {error.evalue}"
        except DeadKernelError:
            failure = "failed: its kernel died"
        executed = nbformat.writes(_cleaned(nbformat.read(unfinished, as_version=4)))
    paths.write_atomically(notebook or source.with_suffix(".ipynb"), f"{executed}\n".encode())
    if failure:
        raise ChapterError(failure)


def stamps(root: Path) -> dict[str, dict]:
    """What is known of each chapter's last run: when it was and how many seconds it took.

    By the chapter's name; without those that were not run, or whose stamp is damaged.
    """
    found = {}
    for source in chapters(root):
        try:
            stamp = json.loads(_stamp(root, source).read_bytes())
            found[_name(root, source)] = stamp | {"at": float(stamp["at"])}
        except (OSError, ValueError, TypeError, KeyError):  # none, or damaged: the chapter runs
            continue
    return found


class BuildTable(SphinxDirective):
    """The directive ``build-table``: what is only known at the build.

    Its argument is ``environment`` or ``chapters``, and the table's label is that with
    ``tbl-`` before it. The page is read anew at every build, so that it tells of this one.
    """

    required_arguments = 1

    def run(self) -> list:
        """Parse the table as MyST Markdown."""
        self.env.note_reread()
        frame, caption = {
            "environment": lambda: (tables.load_environment(), "The build."),
            "chapters": lambda: (load_chapters(Path(self.env.srcdir)), "Runs of the chapters."),
        }[self.arguments[0]]()
        text = tables.markdown(frame, f"tbl-{self.arguments[0]}", caption, decimals=1)
        place = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines()), self.content_offset, place)
        return place.children


class Anchor(ReferenceRole):
    """The role ``anchor``: text that :func:`bloodlib.book.tables.link` leads to.

    A table's cell has no other way to be a target: ``{anchor}`text <address>```, or the address
    alone.
    """

    def run(self) -> tuple[list, list]:
        """Make the target, with the text in it."""
        name = tables.anchor(self.target)
        target = nodes.target("", "", nodes.literal("", self.title), ids=[name], names=[name])
        self.inliner.document.note_explicit_target(target)
        return [target], []


def load_chapters(root: Path) -> pd.DataFrame:
    """When each chapter was run last, and how long it took."""
    return pd.DataFrame(
        [
            {
                "Chapter": f"{{doc}}`/{name}`",
                "Run at (UTC)": f"{datetime.fromtimestamp(stamp['at'], UTC):%Y-%m-%d %H:%M}",
                "Seconds": float(stamp["seconds"]),
            }
            for name, stamp in stamps(root).items()
        ]
    )


def _run_stale(app):
    import joblib
    from sphinx.errors import ExtensionError
    from sphinx.util import logging

    logger = logging.getLogger(__name__)
    root = Path(app.srcdir)
    if names := lost(root):  # Sphinx would go on with the pages that it made of them before
        raise ExtensionError(f"_toc.yml names {', '.join(names)}, of which there is no source")
    try:
        with contextlib.chdir(root):
            study.runs()
    except ValueError as error:  # every chapter would fail of it, minutes later
        raise ExtensionError(str(error)) from error
    sources = chapters(root)
    parameters = _parameters(sources, app.config.papermill_parameters)
    for problem in untrusted():
        logger.warning("%s", problem, type="bloodlib", subtype="record")
    around, known = surroundings(root), stamps(root)
    keys, stale = {}, []
    for source in sources:
        keys[source] = key(source, parameters[source], around)
        last = known.get(_name(root, source), {})
        if (last.get("key"), last.get("notebook")) != (keys[source], _digest(source)):
            _stamp(root, source).unlink(missing_ok=True)
            stale.append(source)
    if stale:
        try:
            _check_kernel()
        except KernelError as error:
            raise ExtensionError(str(error)) from error
        n = min(AT_ONCE, len(stale), joblib.cpu_count())
        logger.info("chapters: running %d, %d at once", len(stale), n)
        jobs = [joblib.delayed(_attempt)(source, parameters[source]) for source in stale]
        for source, seconds, failure in joblib.Parallel(n, return_as="generator_unordered")(jobs):
            name = source.relative_to(root)
            if failure:
                logger.warning(
                    "%s %s", name, failure,
                    location=f"{source}:1", type="bloodlib", subtype="chapter",
                )  # fmt: skip
                continue
            logger.info("ran %s in %s s", name, seconds)
            stamp = _stamp(root, source)
            stamp.parent.mkdir(parents=True, exist_ok=True)
            content = {
                "key": keys[source],
                "notebook": _digest(source),
                "seconds": seconds,
                "at": time.time(),
            }
            paths.write_atomically(stamp, json.dumps(content).encode())
    logger.info("chapters: %d run, %d unchanged", len(stale), len(sources) - len(stale))


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


def _give_networks(app, exception):
    """Write what the page "Try it" loads, where there is such a page."""
    if exception is None and app.builder.format == "html" and "chapters/try_it" in app.env.all_docs:
        interactive.write_try_it(Path(app.outdir) / interactive.TRY_IT)


def _protect(app, exception):
    """Write its content security policy into each page."""
    if exception is None and app.builder.format == "html":
        out = Path(app.outdir)
        for page in sorted(out.rglob("*.html")):
            if "_static" not in page.relative_to(out).parts:  # the theme's pieces of pages
                policy.write(page)


def _attempt(source, parameters):
    """Run a chapter: which one, how many seconds it took, and why it failed."""
    clock = time.monotonic()
    try:
        run(source, parameters)
    except ChapterError as error:
        return source, 0.0, str(error)
    return source, round(time.monotonic() - clock, 1), ""


def _parameters(sources, wanted):
    """The parameters of each chapter among those wanted for the book."""
    known = {source: _parameter_names(source) for source in sources}
    for name in wanted:
        if not any(name in names for names in known.values()):
            raise ValueError(f"papermill_parameters in _config.yml: no chapter has {name!r}")
    return {s: {k: v for k, v in wanted.items() if k in names} for s, names in known.items()}


def _parameter_names(source):
    import jupytext

    cells = jupytext.read(source).cells
    tagged = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    return set().union(*map(chapter.assigned, tagged))


def _pages(root):
    """Names of the pages, in the order of the table of contents."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    return list(parse_toc_yaml(root / "_toc.yml"))


def _modules(source):
    """The package's modules that a script imports, and those that these import."""
    found, todo = set(), [source]
    while todo:
        for name in _imports(todo.pop().read_text(encoding="utf-8")):
            place = PACKAGE.joinpath(*name.split(".")[1:])
            for module in (place.with_suffix(".py"), place / "__init__.py"):
                if module.is_file() and module not in found:
                    found.add(module)
                    todo.append(module)
    return found


@functools.cache
def _imports(text):
    """Names below ``bloodlib`` that a script imports: modules, and what may be one."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # it will fail, and say where, when it is run
        return frozenset()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(name for name in names if name.split(".")[0] == "bloodlib")


def _name(root, source):
    return source.relative_to(root).with_suffix("").as_posix()


def _stamp(root, source):
    return root / "_build" / "chapters" / f"{_name(root, source).replace('/', '-')}.json"


def _digest(source):
    """SHA-256 of a chapter's notebook: another one than that of its last run is not shown."""
    notebook = source.with_suffix(".ipynb")
    return hashlib.sha256(notebook.read_bytes()).hexdigest() if notebook.is_file() else None


def _check_kernel():
    """Refuse a kernel "python3" that starts another interpreter than this one."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # this environment before the user's
    remedy = f"Run: {sys.executable} -m ipykernel install --sys-prefix"
    try:
        first = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        raise KernelError(f"there is no kernel python3 in this environment. {remedy}") from None
    if os.path.isabs(first) and os.path.realpath(first) != os.path.realpath(sys.executable):
        raise KernelError(f"the kernel python3 starts {first}, not this environment. {remedy}")


def _local_transport(folder):
    """Talk to the kernel through files where the system can: it works without any network."""
    from traitlets.config import Config

    address = os.path.join(folder, "kernel")
    if sys.platform == "win32" or len(os.fsencode(address)) > 90:  # what a socket's name may have
        return {}
    return {"config": Config({"KernelManager": {"transport": "ipc", "ip": address}})}


def _cleaned(notebook):
    """Without papermill's paths and times and random ids, which differ from run to run."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
    return notebook
