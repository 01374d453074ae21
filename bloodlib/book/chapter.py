"""Sphinx extension: run every stale chapter with papermill before the book is read.

A chapter is a page of the table of contents with a ``.py`` beside it. While it runs, its kernel
notes which of the package's modules, records and other files of the book it opens, which folders of
records it lists and whether it asks for the images. It is stale when one of these, its source, its
parameters, the lock or Python is another, when its notebook is, or when its last run failed. What
that run was is its stamp, in ``_build/chapters``.

Each chapter runs in a process of its own, with an environment of its own. One that fails, or prints
on stderr, is a Sphinx warning at every build until it is mended.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import resources, util
from pathlib import Path
from typing import NamedTuple

from bloodlib.data import stored

PACKAGE = Path(__file__).parents[1]
#: How many chapters run at the same time, where there are as many processors; each may hold a GB.
AT_ONCE = 2
#: How the names begin of what a chapter's process takes over from the caller's environment, where
#: programs and libraries are, and what may be used of the machine.
TAKEN_OVER = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMP", "TEMP", "SYSTEMROOT", "WINDIR",
    "COMSPEC", "KERAS_BACKEND", "BLOODLIB_", "CUDA_", "NVIDIA_", "OMP_", "SLURM_",
)  # fmt: skip
#: Where the kernel notes what it reads.
NOTES = "BLOODLIB_NOTES"


class Outcome(NamedTuple):
    """How a chapter's run ended: seconds, its kernel's peak memory in GB, what it read, failure."""

    source: Path
    seconds: float
    memory: float | None
    reads: dict[str, str | None]
    failure: str


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.add_config_value("papermill_parameters", {}, "env")
    app.connect("config-inited", _settle_folders)
    app.connect("builder-inited", run_stale)
    app.connect("env-updated", _write_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# ------------------------------------------------------------------------------ inside a chapter


def begin() -> None:
    """Begin a chapter: call it in the first cell after the parameters.

    Papermill only warns of a parameter that the chapter does not have, and runs
    on with the default; here it is refused. Figures get the book's style and no other, and are
    drawn as SVG for the page and as PDF for print, the same on every run.

    Raises
    ------
    ValueError
        If papermill set a parameter that the chapter does not have.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    from IPython import get_ipython
    from IPython.core.pylabtools import print_figure
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    shell = get_ipython()
    refuse_unknown_parameters(shell.user_ns["In"])
    mpl.rcdefaults()
    plt.style.use(str(resources.files("bloodlib.book").joinpath("book.mplstyle")))
    set_matplotlib_formats("svg", metadata={"Date": None})
    undated = functools.partial(print_figure, fmt="pdf", metadata={"CreationDate": None})
    shell.display_formatter.formatters["application/pdf"].for_type(plt.Figure, undated)


def cite(values: dict[str, object] | None = None, /, **named) -> None:
    """Give the chapter's prose values by their names, for ``{glue:text}`name```."""
    import numpy as np
    from myst_nb import glue

    for name, value in ((values or {}) | named).items():
        plain = value.item() if isinstance(value, np.generic | np.ndarray) else value
        glue(name, plain, display=False)


def refuse_unknown_parameters(cells: list[str]) -> None:
    """Compare the cell that papermill injected with the chapter's own parameters.

    Parameters
    ----------
    cells : list of str
        Sources of the cells executed so far, the parameters first.

    Raises
    ------
    ValueError
        If the injected cell sets a name that the cells before it do not.
    """
    from bloodlib.models.methods import suggest

    known = set()
    for cell in cells:
        names = assigned(cell)
        if cell.startswith("# Parameters\n"):
            for name in sorted(names - known):
                raise ValueError(f"this chapter has no parameter {name!r}. {suggest(name, known)}")
        known |= names


def assigned(cell: str) -> set[str]:
    """Names that a cell gives a value to, at its top level."""
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError):  # a cell with a magic command assigns no parameter
        return set()
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def load_ipython_extension(shell) -> None:
    """Note from now on what the kernel reads, a line each: how, and which file or folder."""
    notes = open(os.environ[NOTES], "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    known = set()

    def note(event, given):
        if event == "open" and isinstance(given[0], str) and not _writes(*given[1:]):
            path = os.path.abspath(given[0])
            compiled = "__pycache__" in path
            line = f"file {util.source_from_cache(path) if compiled else path}"
        elif event in ("os.listdir", "os.scandir") and isinstance(given[0], str):
            line = f"names {os.path.abspath(given[0])}"
        elif event == stored.ASKED:
            line = f"images {given[0]}"
        else:
            return
        if line not in known:
            known.add(line)
            notes.write(f"{line}\n")

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "bloodlib":
            note("open", (module.__file__, "r", 0))
    sys.addaudithook(note)


def _writes(mode, flags):
    if mode is None:
        return flags & (os.O_WRONLY | os.O_RDWR)
    return set(mode) & set("wax+")


# ------------------------------------------------------------------------------ running chapters


def sources(root: Path) -> list[Path]:
    """Sources of the chapters, in the order of the table of contents."""
    return [root / f"{name}.py" for name in _pages(root) if (root / f"{name}.py").is_file()]


def environment(home: Path, cache: Path) -> dict[str, str]:
    """Environment variables for a chapter's process: nothing of the caller's that changes a page.

    Parameters
    ----------
    home : pathlib.Path
        An empty folder, in the place of the user's own with its settings.
    cache : pathlib.Path
        Folder for Matplotlib's list of fonts.
    """
    taken = {n: value for n, value in os.environ.items() if n.upper().startswith(TAKEN_OVER)}
    return taken | {
        **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(home)),
        "PYTHONUSERBASE": site.getuserbase(),  # packages may lie there
        "BLOODLIB_CACHE": str(stored.cache_folder()),
        "BLOODLIB_DATA": str(stored.data_folder()),
        "BLOODLIB_RESULTS": str(stored.results_folder()),
        NOTES: str(home / "notes.txt"),
        "JUPYTER_PATH": str(home / "jupyter"),
        "LC_ALL": "C.UTF-8",
        "MPLCONFIGDIR": str(cache),
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }


def run_all(jobs: dict[Path, dict]) -> Iterator[Outcome]:
    """Execute chapters with their parameters, some at once, each into the notebook beside it.

    Of one that fails, the notebook has the traceback. Their processes end when this one does.
    """
    import joblib

    stopped, running = threading.Event(), []
    with ThreadPoolExecutor(min(AT_ONCE, joblib.cpu_count())) as pool:
        started = [pool.submit(_run, *job, running, stopped) for job in jobs.items()]
        try:
            for one in as_completed(started):
                yield one.result()
        finally:
            stopped.set()
            for process in running:  # of which some may have ended
                process.stdin.close()


def _run(source, parameters, running, stopped):
    """Execute a chapter in a process of its own, which ends when its standard input is closed."""
    import nbformat

    started = time.time()
    root = next(p for p in source.parents if (p / "_toc.yml").is_file())
    with tempfile.TemporaryDirectory(prefix="bloodlib-", ignore_cleanup_errors=True) as home:
        home = Path(home)
        if not stopped.is_set():
            process = subprocess.Popen(  # noqa: S603 - this Python, and our arguments
                [
                    sys.executable,
                    "-P",
                    "-m",
                    __spec__.name,
                    source,
                    json.dumps(parameters),
                    PACKAGE,
                ],
                env=environment(home, root / "_build" / "matplotlib"),
                cwd=source.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for this process, which then stops that one
            )
            running.append(process)
            printed = process.stdout.read()
            failure = f"failed: {printed.strip()[-500:]}" if process.wait() else ""
        if stopped.is_set():
            return None
        executed = home / "executed.ipynb"
        if executed.exists():
            notebook = _cleaned(nbformat.read(executed, as_version=4))
            failure = _failure(notebook) or failure
            text = f"{nbformat.writes(notebook)}\n"
            stored.write_atomically(source.with_suffix(".ipynb"), text.encode())
        reads = {} if failure else _reads(home / "notes.txt", root, started)
        memory = float(peak.read_text()) if (peak := home / "memory.txt").exists() else None
    return Outcome(source, round(time.time() - started, 1), memory, reads, failure)


def _reads(notes, root, started):
    """What the kernel noted, each with its state now, unless that changed meanwhile."""
    found = {}
    for name in sorted(set(notes.read_text(encoding="utf-8").splitlines())):
        kind, _, path = name.partition(" ")
        if kind == "images" or _belongs(kind, Path(path), root):
            changed = kind != "images" and os.path.exists(path) and os.stat(path).st_mtime > started
            found[name] = "changed while it ran" if changed else state(name)
    return found


def _belongs(kind, path, root):
    """Whether a file or listed folder is of the results, a reader's runs, the package, the book."""
    runs = stored.results_folder(), stored.cache_folder() / "runs"
    if kind == "names":  # in other folders Python looks for modules
        return any(path.is_relative_to(place) for place in runs)
    for place in (*runs, PACKAGE, root):
        if path.is_relative_to(place):
            parts = path.relative_to(place).parts
            left_out = {"_build", "data", "site-packages"} if place == root else set()
            return not left_out & set(parts) and not any(part.startswith(".") for part in parts)
    return False


def _execute(source: Path, parameters: dict, home: Path) -> None:
    """Execute a chapter in this process and its kernel, and leave what came of it in a folder."""
    import jupytext
    import papermill
    from ipykernel.kernelspec import write_kernel_spec
    from traitlets.config import Config

    threading.Thread(target=_end_with_parent, daemon=True).start()
    write_kernel_spec(str(home / "jupyter" / "kernels" / "python3"))  # this Python, and no other
    kernel = {}
    if sys.platform != "win32" and len(os.fsencode(home)) < 80:  # what a socket's name may have
        # through files, without any network
        address = {"transport": "ipc", "ip": str(home / "kernel")}
        kernel = {"config": Config({"KernelManager": address})}
    papermill.execute_notebook(
        jupytext.read(source),
        home / "executed.ipynb",
        parameters=parameters,
        cwd=source.parent,
        kernel_name="python3",
        language="python",
        progress_bar=False,
        extra_arguments=[
            "--log-level=CRITICAL",  # a kernel is ended by an interrupt, which is no error
            f"--IPKernelApp.extra_extensions={__spec__.name}",
        ],
        iopub_timeout=600,  # of 4 seconds, a machine busy with other work takes more
        **kernel,
    )
    with contextlib.suppress(ImportError):  # Windows does not count it
        import resource

        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        (home / "memory.txt").write_text(f"{peak / (1e9 if sys.platform == 'darwin' else 1e6):.1f}")


def _end_with_parent():
    os.read(0, 1)  # until the parent closes it, or is no more
    os.kill(os.getpid(), signal.SIGTERM)


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


def _failure(notebook):
    """Why a chapter failed, or what it prints where only warnings go; "" if neither."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return f"failed in cell {cell.execution_count}: {output.ename}: {output.evalue}"
            if output.get("name") == "stderr":
                return f"prints on stderr in cell {cell.execution_count}: {output.text.strip()}"
    return ""


# ------------------------------------------------------------------------------ what is stale


def stamps(root: Path) -> dict[str, dict]:
    """What is known of each chapter's last run: when it was and how many seconds it took.

    By the chapter's name; without those that were not run, or whose stamp is damaged.
    """
    found = {}
    for source in sources(root):
        with contextlib.suppress(OSError, ValueError, TypeError):  # none or damaged: it runs
            stamp = {"failure": "", **json.loads(_stamp(root, source).read_bytes())}
            if {"at", "seconds"} <= set(stamp) and isinstance(stamp.get("reads"), dict):
                found[source.relative_to(root).with_suffix("").as_posix()] = stamp
    return found


def state(name: str) -> str | None:
    """The state of what a chapter reads, as a hash: None if it isn't there.

    Parameters
    ----------
    name : str
        As the kernel notes it: ``file`` and a path, for its content; ``names`` and a folder, for
        what lies in it; ``images``, for whether there are any.
    """
    from bloodlib.data import images

    kind, _, path = name.partition(" ")
    try:
        if kind == "file":
            content = Path(path).read_bytes()
        elif kind == "names":
            names = {p.name for p in Path(path).iterdir() if p.suffix != ".ipynb"}
            content = json.dumps(sorted(n for n in names if not n.startswith("."))).encode()
        else:
            content = str(images.available(path)).encode()
    except (OSError, KeyError):
        return None
    return hashlib.sha256(content).hexdigest()


def _fixed(root, source, parameters):
    """What every run of a chapter depends on, whatever it reads, as one hash."""
    lock = root / "requirements.lock"
    given = [
        os.path.abspath(source),  # what it read is noted by path: a copied book runs again
        hashlib.sha256(source.read_bytes()).hexdigest(),
        parameters,
        lock.read_text(encoding="utf-8") if lock.is_file() else "",
        sys.version,
        os.environ.get("KERAS_BACKEND", ""),
    ]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _settle_folders(app, config):
    """Make the folders that the environment names the same everywhere, and refuse those missing.

    By an exit: of an exception, Jupyter Book would print a traceback.
    """
    from bloodlib.data import images

    try:
        stored.settle()
        if os.environ.get("BLOODLIB_DATA"):
            images.find()
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from error
    except images.DatasetNotFoundError as error:
        raise SystemExit(f"{error} Unset it to build with synthetic cells.") from error


def run_stale(app) -> None:
    """Run the chapters that are stale, before Sphinx reads them."""
    root = Path(app.srcdir)
    kinds = (".py", ".md", ".rst")  # a notebook may be what a chapter's last run has left
    missing = [n for n in _pages(root) if not any((root / f"{n}{k}").is_file() for k in kinds)]
    if missing:  # Sphinx would go on with the pages that it made of them before
        raise SystemExit(f"_toc.yml names {', '.join(missing)}, of which there is no source")
    try:
        with contextlib.chdir(root):
            app.chapters_ran = _bring_up_to_date(root, app.config.papermill_parameters)
    except OSError as error:
        raise SystemExit(
            f"{error.filename2 or error.filename}: {error.strerror}. "
            "Chapters are run in a folder that can be written."
        ) from error


def _bring_up_to_date(root, wanted):
    from sphinx.util import logging

    logger = logging.getLogger(__name__)
    known, now = stamps(root), functools.cache(state)
    chapters, jobs, fixed = _parameters(sources(root), wanted), {}, {}
    for source, parameters in chapters.items():
        fixed[source] = _fixed(root, source, parameters)
        last = known.get(source.relative_to(root).with_suffix("").as_posix(), {"reads": {}})
        if (
            (last.get("fixed"), last.get("notebook")) != (fixed[source], _digest(source))
            or last["failure"]
            or any(now(name) != before for name, before in last["reads"].items())
        ):
            if kept := _kept(source, last):
                logger.info(
                    "%s was edited since it was built; what was edited is now %s. What is to stay "
                    "in the book belongs in %s.",
                    *(p.relative_to(root) for p in (source.with_suffix(".ipynb"), kept, source)),
                )
            jobs[source] = parameters
    if jobs:
        logger.info("chapters: running %d", len(jobs))
    failures = 0
    for source, seconds, memory, reads, failure in run_all(jobs):
        name = source.relative_to(root)
        if failure:
            failures += 1
            about = {"location": f"{source}:1", "type": "bloodlib", "subtype": "chapter"}
            logger.warning("%s %s", name, failure, **about)
        else:
            logger.info("ran %s in %s s", name, seconds)
        stamp = {
            "fixed": fixed[source],
            "reads": reads,
            "notebook": _digest(source),
            "seconds": seconds,
            "memory": memory,
            "at": time.time(),
            "failure": failure,
        }
        path = _stamp(root, source)
        path.parent.mkdir(parents=True, exist_ok=True)
        stored.write_atomically(path, json.dumps(stamp, indent=1).encode())
    logger.info("chapters: %d run, %d unchanged", len(jobs), len(chapters) - len(jobs))
    return bool(jobs) and not failures  # one that failed runs again at the next build


def _write_all(app, env):
    """After a run all pages are written: they name the numbers of one another's figures."""
    return env.found_docs if app.chapters_ran else ()


def _kept(source, stamp):
    """Put a notebook aside that was edited since the build wrote it: where to, or None."""
    import jupytext

    notebook = source.with_suffix(".ipynb")
    if not notebook.is_file() or _digest(source) == stamp.get("notebook"):
        return None
    with contextlib.suppress(Exception):  # no notebook; whatever it is, it is not the build's
        cells = jupytext.read(notebook).cells
        own = [c.source for c in cells if "injected-parameters" not in c.metadata.get("tags", ())]
        if own == [cell.source for cell in jupytext.read(source).cells]:
            return None  # the script has all of it
    number = 1
    while (aside := notebook.with_suffix(f".edited-{number}.ipynb")).exists():
        number += 1
    return notebook.rename(aside)


def _parameters(chapters, wanted):
    """The parameters of each chapter among those wanted for the book."""
    import jupytext

    known = {}
    for source in chapters:
        cells = jupytext.read(source).cells
        tagged = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
        known[source] = set().union(*map(assigned, tagged))
    if unknown := set(wanted) - set().union(*known.values()):
        raise ValueError(f"papermill_parameters in _config.yml: no chapter has {unknown.pop()!r}")
    return {s: {k: v for k, v in wanted.items() if k in names} for s, names in known.items()}


def _pages(root):
    """Names of the pages, in the order of the table of contents."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    return list(parse_toc_yaml(root / "_toc.yml"))


def _stamp(root, source):
    name = source.relative_to(root).with_suffix(".json").as_posix().replace("/", "-")
    return root / "_build" / "chapters" / name


def _digest(source):
    """SHA-256 of a chapter's notebook: another one than that of its last run is not shown."""
    notebook = source.with_suffix(".ipynb")
    return hashlib.sha256(notebook.read_bytes()).hexdigest() if notebook.is_file() else None


if __name__ == "__main__":
    if sys.argv[3] != str(PACKAGE):  # the environment is another: PYTHONPATH is not taken over
        sys.exit(f"the build takes bloodlib from {sys.argv[3]}, and chapters from {PACKAGE}")
    _execute(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(os.environ["HOME"]))
