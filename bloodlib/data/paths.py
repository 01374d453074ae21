"""Where things lie, and how a file is written: whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import platformdirs

#: The audit event of asking whether there are images: a chapter that asked runs again when the
#: answer changes.
ASKED = "bloodlib.images"


def settle() -> None:
    """Make the folders that environment variables name absolute, for other processes.

    Raises
    ------
    FileNotFoundError
        If ``BLOODLIB_RESULTS`` names no folder; the others may be made.
    """
    for name in ("BLOODLIB_DATA", "BLOODLIB_RESULTS", "BLOODLIB_CACHE"):
        if os.environ.get(name):
            os.environ[name] = str(_named(name))
    results = _named("BLOODLIB_RESULTS")
    if results and not results.is_dir():
        raise FileNotFoundError(
            f"BLOODLIB_RESULTS is {results}, which is no folder. Name a copy of results/, or "
            "unset it."
        )


def _named(variable):
    """The folder that an environment variable names; None if it is not set, or empty."""
    chosen = os.environ.get(variable)
    return Path(os.path.abspath(os.path.expanduser(chosen))) if chosen else None


def checkout() -> Path:
    """Folder that holds ``study.yml``: the working directory's, or the package's own.

    Raises
    ------
    FileNotFoundError
        If neither lies in a checkout of the book.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "study.yml").is_file() and (folder / "_toc.yml").is_file():
            return folder
    raise FileNotFoundError(
        f"no checkout of the book at {here} or above it (no study.yml and _toc.yml). "
        "Clone the repository and work in its folder."
    )


def publishing() -> bool:
    """Whether what is built now is to be published: ``BLOODLIB_PUBLISH`` is set."""
    return os.environ.get("BLOODLIB_PUBLISH", "") not in ("", "0")


def cache_folder() -> Path:
    """Folder for what can be remade: ``BLOODLIB_CACHE``, or the user's cache."""
    if chosen := _named("BLOODLIB_CACHE"):
        return chosen
    return platformdirs.user_cache_path("bloodlib", appauthor=False)


def data_folder() -> Path:
    """Folder of the datasets: ``BLOODLIB_DATA``, ``data/`` in the checkout, or the user's cache."""
    if chosen := _named("BLOODLIB_DATA"):
        return chosen
    try:
        beside = checkout() / "data"
    except FileNotFoundError:
        beside = None
    return beside if beside and beside.is_dir() else cache_folder() / "data"


def results_folder() -> Path:
    """Folder of the records: ``BLOODLIB_RESULTS``, ``results/`` in the checkout, or the package's.

    Raises
    ------
    FileNotFoundError
        If there is none of them.
    """
    if chosen := _named("BLOODLIB_RESULTS"):
        return chosen
    installed = Path(__file__).parents[1] / "frozen"  # results/, as the wheel has it
    try:
        return checkout() / "results"
    except FileNotFoundError:
        if installed.is_dir():
            return installed
        raise


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file in one step: it has the old content or the new, whatever happens.

    Parameters
    ----------
    path : pathlib.Path
    content : bytes or callable
        What to write, or a function that writes it into the file it is given.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
