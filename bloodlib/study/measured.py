"""What ``bloodlib measure`` found, frozen: arrays of numbers, and how they were made.

``results/NAME.npz`` holds the arrays, ``results/NAME.json`` their checksum, the command, the
images, the environment, time and settings. The JSON file is written last: what is read is whole.
"""

import functools
import hashlib
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from bloodlib.data import images, paths
from bloodlib.study import records


class Measurement(NamedTuple):
    """Arrays by name, and how they were made."""

    arrays: dict[str, np.ndarray]
    made: dict


class Clock:
    """Since when something is computed: ``started``, UTC, and ``seconds`` until now.

    ``from_cache`` counts what was taken over from an earlier start, of which they know nothing.
    """

    def __init__(self):
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.from_cache = 0
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the clock was made."""
        return round(time.monotonic() - self._since, 1)


def save(
    name: str, arrays: dict[str, np.ndarray], settings: dict, clock: Clock, backend: str = ""
) -> None:
    """Write arrays and, last, the file that vouches for them.

    Parameters
    ----------
    name : str
        What is measured: ``bloodlib measure NAME`` must make it.
    arrays : dict of array
    settings : dict
        What it was made with, for JSON.
    clock : Clock
        Made when the computing began.
    backend : str
        Keras' backend, if it was used.
    """
    folder = paths.results_folder()
    folder.mkdir(parents=True, exist_ok=True)
    raw = _packed(arrays)
    made = {
        "command": f"bloodlib measure {name}",
        "images": images.DATA_HASH,
        "settings": settings,
        "environment": records.environment("", backend),
        "started": clock.started,
        "seconds": clock.seconds,
        "images_from_cache": clock.from_cache,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    paths.write_atomically(folder / f"{name}.npz", raw)
    paths.write_atomically(folder / f"{name}.json", json.dumps(made, indent=1).encode() + b"\n")
    read.cache_clear()


@functools.cache
def read(name: str) -> Measurement:
    """Read what was measured, its checksum verified.

    Raises
    ------
    bloodlib.study.records.MissingRecordError
        If it was not measured; the message names the command.
    bloodlib.study.records.RecordError
        If it can't be trusted.
    """
    folder = paths.results_folder()
    files = folder / f"{name}.json", folder / f"{name}.npz"
    remedy = f"`bloodlib measure {name}` makes it; 'git checkout results' restores it."
    try:
        made, raw = json.loads(files[0].read_bytes()), files[1].read_bytes()
    except FileNotFoundError as error:
        raise records.MissingRecordError(f"there is no {error.filename}. {remedy}") from None
    except (OSError, ValueError) as error:
        raise records.RecordError(f"{files[0]} can't be read ({error}). {remedy}") from error
    if not isinstance(made, dict) or hashlib.sha256(raw).hexdigest() != made.get("sha256"):
        raise records.RecordError(f"{files[0]} does not vouch for {files[1].name}. {remedy}")
    if made.get("images") != images.DATA_HASH:
        raise records.RecordError(f"{files[1]} is not about the published images. {remedy}")
    return Measurement(_unpacked(raw), made)


def in_chunks(
    name: str,
    settings: dict,
    function: Callable[[slice], dict[str, np.ndarray]],
    n: int,
    clock: Clock,
    size: int = 100,
) -> dict[str, np.ndarray]:
    """Compute something for n images, some at a time; what was computed is kept in the cache.

    Parameters
    ----------
    name : str
        What is computed; the title of the progress bar.
    settings : dict
        All that the outcome depends on, for JSON: with others, all is computed anew.
    function : callable
        From the rows of a chunk to arrays with an entry for each image, or one for the chunk,
        along the first axis.
    n : int
        How many images.
    clock : Clock
        It is told of what was in the cache.
    size : int
        How many images make a chunk.

    Returns
    -------
    dict of array
        The chunks' arrays, one behind the other.
    """
    from tqdm import tqdm

    text = json.dumps([settings, images.DATA_HASH, n, size], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    folder = paths.cache_folder() / "measured" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with tqdm(total=n, desc=name, unit=" images", disable=None) as bar:
        for start in range(0, n, size):
            rows, path = slice(start, min(start + size, n)), folder / f"{start:05}.npz"
            try:
                found.append(_unpacked(path.read_bytes()))
                clock.from_cache += rows.stop - start
            except (OSError, records.RecordError):  # not computed yet, or damaged
                found.append(function(rows))
                paths.write_atomically(path, _packed(found[-1]))
            bar.update(rows.stop - start)
    return {key: np.concatenate([chunk[key] for chunk in found]) for key in found[0]}


def _packed(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(raw):
    try:
        return records.unpack(raw)
    except ValueError as error:
        raise records.RecordError(str(error)) from error
