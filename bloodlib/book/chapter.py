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
from importlib import resources, util
from pathlib import Path
from typing import NamedTuple

from bloodlib.data import stored

PACKAGE = Path(__file__).parents[1]
#: How many chapters run at the same time, where there are as many processors; each may hold a GB.
AT_ONCE = 2
#: What a chapter's process takes over from the caller's environment, and beginnings of more:
#: where programs and libraries are, and what may be used of the machine.
TAKEN_OVER = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP",
    "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "KERAS_BACKEND",
)  # fmt: skip
BEGINNINGS = ("BLOODLIB_", "CUDA_", "NVIDIA_", "OMP_", "SLURM_")
#: Where the kernel notes what it reads.
NOTES = "BLOODLIB_NOTES"


class Outcome(NamedTuple):
    """How a chapter's run ended: after how many seconds, what it read, why it failed ("": not)."""

    source: Path
    seconds: float
    reads: dict[str, str | None]
    failure: str


def setup(app) -> dict:
    """Register the extension with Sphinx."""
    app.add_config_value("papermill_parameters", {}, "env")
    app.connect("config-inited", _settle_folders)
    app.connect("builder-inited", run_stale)
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


def difference(name: str, found) -> dict[str, str]:
    """A difference for :func:`cite`: its text, and as ``<name>_side`` on which side of zero it is.

    Parameters
    ----------
    name : str
    found : bloodlib.evidence.comparison.Estimate
    """
    from bloodlib.evidence import comparison

    return {name: comparison.signed(*found), f"{name}_side": comparison.beside(*found[1:])}


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
            line = f"file {os.path.abspath(given[0])}"
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


def run_all(jobs: dict[Path, dict]) -> Iterator[Outcome]:
    """Execute chapters with their parameters, some at once, each into the notebook beside it.

    Of one that fails, the notebook has the traceback. Their processes end when this one does.
    """
    import joblib

    waiting, running = list(jobs.items()), []
    n = min(AT_ONCE, joblib.cpu_count())
    try:
        while waiting or running:
            while waiting and len(running) < n:
                running.append(_Process(*waiting.pop(0)))
            for process in running:
                if process.has_ended():
                    running.remove(process)
                    yield process.outcome()
                    break
            else:
                time.sleep(0.05)
    finally:
        for process in running:
            process.stop()


def environment(home: Path, cache: Path) -> dict[str, str]:
    """Environment variables for a chapter's process: nothing of the caller's that changes a page.

    Parameters
    ----------
    home : pathlib.Path
        An empty folder, in the place of the user's own with its settings.
    cache : pathlib.Path
        Folder for Matplotlib's list of fonts.
    """
    taken = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in TAKEN_OVER or name.startswith(BEGINNINGS)
    }
    own = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")}
    if site.ENABLE_USER_SITE:  # packages may lie there
        own["PYTHONUSERBASE"] = site.getuserbase()
    git = os.environ.get("GIT_CONFIG_GLOBAL") or os.path.expanduser("~/.gitconfig")
    if os.path.isfile(git):  # it may say whose checkouts are to be trusted
        own["GIT_CONFIG_GLOBAL"] = git
    return taken | own | {
        "BLOODLIB_CACHE": str(stored.cache_folder()),
        "BLOODLIB_DATA": str(stored.data_folder()),
        "BLOODLIB_RESULTS": str(stored.results_folder()),
        NOTES: str(home / "notes.txt"),
        "JUPYTER_PATH": str(home / "jupyter"),
        "LC_ALL": "C.UTF-8",
        "MPLCONFIGDIR": str(cache),
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }  # fmt: skip


class _Process:
    """A process that executes a chapter."""

    def __init__(self, source, parameters):
        self.source, self.started = source, time.time()
        self.root = next(p for p in source.parents if (p / "_toc.yml").is_file())
        self.folder = tempfile.TemporaryDirectory(prefix="bloodlib-", ignore_cleanup_errors=True)
        self.home = Path(self.folder.name)
        command = [sys.executable, "-P", "-m", __spec__.name]
        with (self.home / "printed.txt").open("wb") as printed:
            self.process = subprocess.Popen(  # noqa: S603 - this Python, and our arguments
                [*command, source, json.dumps(parameters), PACKAGE],
                env=environment(self.home, self.root / "_build" / "matplotlib"),
                cwd=source.parent,
                stdin=subprocess.PIPE,  # it ends when this is closed
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which then stops that one
            )

    def has_ended(self):
        return self.process.poll() is not None

    def outcome(self):
        """Write the notebook, and tell how it went."""
        import nbformat

        self.process.stdin.close()
        with self.folder:
            printed = (self.home / "printed.txt").read_text(errors="replace").split("\n")
            failure = f"failed: {printed[-2:][0]}" if self.process.returncode else ""
            executed = self.home / "executed.ipynb"
            if executed.exists():
                notebook = _cleaned(nbformat.read(executed, as_version=4))
                failure = _failure(notebook) or failure
                text = f"{nbformat.writes(notebook)}\n"
                stored.write_atomically(self.source.with_suffix(".ipynb"), text.encode())
            reads = {} if failure else self._reads()
        seconds = round(time.time() - self.started, 1)
        return Outcome(self.source, seconds, reads, failure)

    def _reads(self):
        """What the kernel noted, each with its state now; none if it changed meanwhile."""
        noted = (self.home / "notes.txt").read_text(encoding="utf-8").splitlines()
        names = {name for line in noted if (name := _named(line, _folders(self.root)))}
        now = States(self.root)
        return {
            name: "changed while it ran" if now.time(name) > self.started else now[name]
            for name in sorted(names)
        }

    def stop(self):
        """End the process and its kernel."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


def _execute(source: Path, parameters: dict, home: Path) -> None:
    """Execute a chapter in this process and its kernel, and leave what came of it in a folder."""
    import jupytext
    import papermill
    from ipykernel.kernelspec import write_kernel_spec

    threading.Thread(target=_end_with_parent, daemon=True).start()
    write_kernel_spec(str(home / "jupyter" / "kernels" / "python3"))  # this Python, and no other
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
        **_local_transport(home),
    )


def _end_with_parent():
    os.read(0, 1)  # until the parent closes it, or is no more
    os.kill(os.getpid(), signal.SIGTERM)


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
        try:
            stamp = json.loads(_stamp(root, source).read_bytes())
            found[_name(root, source)] = stamp | {
                "at": float(stamp["at"]),
                "reads": dict(stamp["reads"]),
                "failure": stamp["failure"],
            }
        except (OSError, ValueError, TypeError, KeyError):  # none, or damaged: the chapter runs
            continue
    return found


class States(dict):
    """What is read, by its name, such as ``file results/runs/x.json``: its content, as a hash.

    Of a listed folder the names in it; of images that are asked for whether there are any.
    """

    def __init__(self, root: Path):
        self.folders = _folders(root)

    def path(self, name: str) -> Path:
        """Of the file or folder."""
        place, _, rest = name.partition(" ")[2].partition("/")
        return self.folders[place] / rest

    def time(self, name: str) -> float:
        """When it changed last, in seconds since 1970."""
        if name.startswith("images"):
            return 0
        path = self.path(name)
        return path.stat().st_mtime if path.exists() else 0

    def __missing__(self, name):
        from bloodlib.data import images

        try:
            if name.startswith("file"):
                content = self.path(name).read_bytes()
            elif name.startswith("names"):
                names = (p.name for p in self.path(name).iterdir() if not p.name.startswith("."))
                content = json.dumps(sorted(n for n in names if not n.endswith(".ipynb"))).encode()
            else:
                content = str(images.available(name.removeprefix("images "))).encode()
            self[name] = hashlib.sha256(content).hexdigest()
        except (OSError, KeyError):  # it isn't there
            self[name] = None
        return self[name]


def _folders(root):
    """Folders with what chapters read, by the names that stamps have for them."""
    return {
        "results": stored.results_folder(),
        "bloodlib": PACKAGE,
        "book": root,
    }


def _named(line, folders):
    """The name of what a kernel noted; none for what no chapter depends on."""
    kind, _, path = line.partition(" ")
    if kind == "images":
        return line
    if "__pycache__" in path:
        path = util.source_from_cache(path)
    for place, folder in folders.items():
        if Path(path).is_relative_to(folder):
            parts = Path(path).relative_to(folder).parts
            if kind == "names" and place != "results":  # Python looks there for modules
                return None
            if place == "book" and {"_build", "data", "site-packages"} & set(parts):
                return None
            if any(part.startswith(".") for part in parts):
                return None
            return f"{kind} {'/'.join((place, *parts))}"
    return None


def _fixed(root, source, parameters):
    """What every run of a chapter depends on, whatever it reads, as one hash."""
    lock = root / "requirements.lock"
    given = [
        hashlib.sha256(source.read_bytes()).hexdigest(),
        parameters,
        lock.read_text(encoding="utf-8") if lock.is_file() else "",
        sys.version,
        os.environ.get("KERAS_BACKEND", ""),
    ]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def damaged_records() -> list[str]:
    """What is wrong with each frozen record that can't be trusted: the book must not be built."""
    from bloodlib import study
    from bloodlib.data import stored
    from bloodlib.study import records

    found = []
    for path in sorted(records.folder().glob("*.json")):
        try:
            study.check(records.read(path))
        except stored.StoredError as error:
            found.append(str(error))
    return found


def _settle_folders(app, config):
    """Make the folders that the environment names the same everywhere, and refuse those missing.

    By an exit: of an exception, Jupyter Book would print a traceback.
    """
    from bloodlib.data import images

    try:
        stored.settle()
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from error
    if os.environ.get("BLOODLIB_DATA"):
        try:
            images.find()
        except images.DatasetNotFoundError as error:
            raise SystemExit(f"{error} Unset it to build with drawn cells.") from error
    for stream in (sys.stdout, sys.stderr):  # what they can't write is no reason to fail
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")


def run_stale(app) -> None:
    """Run the chapters that are stale, before Sphinx reads them."""
    root = Path(app.srcdir)
    kinds = (".py", ".md", ".rst")  # a notebook may be what a chapter's last run has left
    missing = [n for n in _pages(root) if not any((root / f"{n}{k}").is_file() for k in kinds)]
    if missing:  # Sphinx would go on with the pages that it made of them before
        raise SystemExit(f"_toc.yml names {', '.join(missing)}, of which there is no source")
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes are stopped
    try:
        with contextlib.chdir(root):
            _bring_up_to_date(root, app.config.papermill_parameters)
    except OSError as error:
        raise SystemExit(
            f"{error.filename2 or error.filename}: {error.strerror}. "
            "Chapters are run in a folder that can be written."
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _bring_up_to_date(root, wanted):
    from sphinx.util import logging

    from bloodlib import study

    logger = logging.getLogger(__name__)
    try:
        study.runs()
    except ValueError as error:  # every chapter would fail of it, minutes later
        raise SystemExit(str(error)) from error
    for problem in damaged_records():
        logger.warning("%s", problem, type="bloodlib", subtype="record")
    chapters, known, now = sources(root), stamps(root), States(root)
    jobs, fixed = {}, {}
    for source, parameters in _parameters(chapters, wanted).items():
        fixed[source] = _fixed(root, source, parameters)
        last = known.get(_name(root, source), {})
        if (
            (last.get("fixed"), last.get("notebook")) != (fixed[source], _digest(source))
            or last.get("failure")
            or any(now[name] != state for name, state in last["reads"].items())
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
    for source, seconds, reads, failure in run_all(jobs):
        name = source.relative_to(root)
        if failure:
            place = f"{source}:1"
            logger.warning(
                "%s %s", name, failure, location=place, type="bloodlib", subtype="chapter"
            )
        else:
            logger.info("ran %s in %s s", name, seconds)
        stamp = {
            "fixed": fixed[source],
            "reads": reads,
            "notebook": _digest(source),
            "seconds": seconds,
            "at": time.time(),
            "failure": failure,
        }
        path = _stamp(root, source)
        path.parent.mkdir(parents=True, exist_ok=True)
        stored.write_atomically(path, json.dumps(stamp, indent=1).encode())
    logger.info("chapters: %d run, %d unchanged", len(jobs), len(chapters) - len(jobs))


def _kept(source, stamp):
    """Put a notebook aside that was edited since the build wrote it: where to, or None."""
    import jupytext
    import nbformat

    notebook = source.with_suffix(".ipynb")
    if not notebook.is_file() or _digest(source) == stamp.get("notebook"):
        return None
    try:
        cells = nbformat.read(notebook, as_version=4).cells
        written = [
            c.source for c in cells if "injected-parameters" not in c.metadata.get("tags", ())
        ]
        if written == [cell.source for cell in jupytext.read(source).cells]:
            return None  # the script has all of it
    except Exception:  # noqa: S110 - no notebook; whatever it is, it is not the build's
        pass
    number = 1
    while (aside := notebook.with_suffix(f".edited-{number}.ipynb")).exists():
        number += 1
    return notebook.rename(aside)


def _parameters(chapters, wanted):
    """The parameters of each chapter among those wanted for the book."""
    known = {source: _parameter_names(source) for source in chapters}
    for name in wanted:
        if not any(name in names for names in known.values()):
            raise ValueError(f"papermill_parameters in _config.yml: no chapter has {name!r}")
    return {s: {k: v for k, v in wanted.items() if k in names} for s, names in known.items()}


def _parameter_names(source):
    import jupytext

    cells = jupytext.read(source).cells
    tagged = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    return set().union(*map(assigned, tagged))


def _pages(root):
    """Names of the pages, in the order of the table of contents."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    return list(parse_toc_yaml(root / "_toc.yml"))


def _name(root, source):
    return source.relative_to(root).with_suffix("").as_posix()


def _stamp(root, source):
    return root / "_build" / "chapters" / f"{_name(root, source).replace('/', '-')}.json"


def _digest(source):
    """SHA-256 of a chapter's notebook: another one than that of its last run is not shown."""
    notebook = source.with_suffix(".ipynb")
    return hashlib.sha256(notebook.read_bytes()).hexdigest() if notebook.is_file() else None


if __name__ == "__main__":
    if sys.argv[3] != str(PACKAGE):  # the environment is another: PYTHONPATH is not taken over
        sys.exit(f"the build takes bloodlib from {sys.argv[3]}, and chapters from {PACKAGE}")
    _execute(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(os.environ["HOME"]))
