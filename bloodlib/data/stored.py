"""Stored files: where they lie; written whole or not at all, verified when read, with their origin.

Checksums are SHA-256. Those of text are of its lines as Unix ends them, so that a checkout on
Windows verifies too.
"""

import contextlib
import functools
import hashlib
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

import numpy as np
import platformdirs

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn", "pillow")


class StoredError(Exception):
    """A stored file that can't be trusted; the message names it and says what to do."""


class MissingError(StoredError):
    """Nothing was stored yet; the message says how to make it."""


# ------------------------------------------------------------------------- where things lie

#: The audit event of asking whether there are images. A chapter that asked runs again when the
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


# --------------------------------------------------------------------------------- writing


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


def checksum(raw: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as a compressed ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write(folder: Path, name: str, content: dict[str, bytes], made: dict) -> None:
    """Write files and, last, ``NAME.json``, which holds how they were made and their checksums.

    Parameters
    ----------
    folder : pathlib.Path
    name : str
    content : dict of bytes
        By the files' names. Of a single file the checksum is text, of several it is by name.
    made : dict
        How they were made, for JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums = {file: checksum(raw) for file, raw in content.items()}
    for file, raw in content.items():
        write_atomically(folder / file, raw)
    made = made | {"sha256": sums if len(sums) > 1 else next(iter(sums.values()))}
    write_atomically(folder / f"{name}.json", json.dumps(made, indent=1).encode() + b"\n")


# --------------------------------------------------------------------------------- reading


def read(path: Path, remedy: str, sha256: str | None = None) -> bytes:
    """A stored file's content.

    Parameters
    ----------
    path : pathlib.Path
    remedy : str
        A sentence for the errors: how to restore or make the file.
    sha256 : str, optional
        What its checksum must be.

    Raises
    ------
    StoredError
        If it can't be read, or has another checksum.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StoredError(f"{path} can't be read ({error}). {remedy}") from error
    if path.suffix in (".csv", ".json", ".sha256"):  # text
        raw = raw.replace(b"\r\n", b"\n")
    if sha256 is not None and checksum(raw) != sha256:
        raise StoredError(f"{path} is not the file that was written (SHA-256 differs). {remedy}")
    return raw


def read_json(path: Path, remedy: str) -> dict:
    """A stored JSON object.

    Raises
    ------
    StoredError
        If it can't be read, or is none.
    """
    try:
        content = json.loads(read(path, remedy))
    except ValueError as error:
        raise StoredError(f"{path} can't be read ({error}). {remedy}") from error
    if not isinstance(content, dict):
        raise StoredError(f"{path} can't be read (no object). {remedy}")
    return content


def read_arrays(path: Path, remedy: str, sha256: str | None = None) -> dict[str, np.ndarray]:
    """The arrays of a stored ``.npz`` file.

    Raises
    ------
    StoredError
        If it can't be read, has another checksum, or holds no plain arrays.
    """
    try:
        return unpack(read(path, remedy, sha256))
    except ValueError as error:
        raise StoredError(f"{path} holds {error}. {remedy}") from error


def unpack(raw: bytes) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, none of them pickled.

    Raises
    ------
    ValueError
        If it is none: "no plain arrays", and why. What NumPy and zipfile raise for a damaged file
        is anything from KeyError to NotImplementedError.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except Exception as error:
        raise ValueError(f"no plain arrays: {error}") from error


# ------------------------------------------------------------------ made when, with what, on what


class Clock:
    """Since when something is computed: ``started``, UTC, and ``seconds`` until now.

    ``from_cache`` counts the images taken over from an earlier start, of which they know nothing.
    """

    def __init__(self):
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.from_cache = 0
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the clock was made."""
        return round(time.monotonic() - self._since, 1)


def made(
    command: str, images: str, settings: dict, clock: Clock, backend: str = "", **more
) -> dict:
    """How something was made, for JSON: by which command, of which images, with what, when.

    Parameters
    ----------
    command : str
    images : str
        Hash of the images.
    settings : dict
    clock : Clock
        Made when the computing began.
    backend : str
        Keras' backend, if it was used.
    **more
        Further entries.
    """
    return {
        "command": command,
        "images": images,
        **more,
        "settings": settings,
        "environment": environment("", backend),
        "started": clock.started,
        "seconds": clock.seconds,
        "images_from_cache": clock.from_cache,
    }


def environment(device: str, backend: str) -> dict:
    """What something was computed with and on."""
    installed = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "device": device or "processor",
        "backend": backend,
        "packages": installed,
    }


def processor() -> str:
    """Name of the processor, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@functools.cache
def commit() -> str:
    """Commit of the checkout, with ``-dirty`` if tracked files were changed.

    Empty outside of a checkout, also where the files lie in another repository, or git is
    not to be had or refuses.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        root = checkout()
        own = [f"--git-dir={root / '.git'}", f"--work-tree={root}"]
        describe = ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        ended = subprocess.run(  # noqa: S603
            ["git", *own, *describe],  # noqa: S607
            env=environment, timeout=60, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()
