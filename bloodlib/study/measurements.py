"""What ``bloodlib measure`` found: arrays of numbers, and how they were made.

Two files in ``results`` for each name in :data:`FILES`: ``.npz`` holds the arrays, ``.json`` their
checksum, the command, the images, the environment, time and settings.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bloodlib.data import images, stored

#: The files' names, by what ``bloodlib measure`` calls them.
FILES = {
    "attribution": "attention",
    "robustness": "disturbance",
    "external-validation": "laboratory",
    "out-of-distribution": "likeness",
}


class Measurement(NamedTuple):
    """Arrays by name, and how they were made."""

    arrays: dict[str, np.ndarray]
    made: dict


def save(
    name: str,
    arrays: dict[str, np.ndarray],
    settings: dict,
    clock: stored.Clock,
    backend: str = "",
) -> None:
    """Store arrays that ``bloodlib measure NAME`` makes; see :func:`bloodlib.data.stored.made`."""
    made = stored.made(f"bloodlib measure {name}", images.DATA_HASH, settings, clock, backend)
    content = {f"{FILES[name]}.npz": stored.pack(arrays)}
    stored.write(stored.results_folder(), FILES[name], content, made)


def read(name: str, shapes: dict[str, tuple[int, ...]] | None = None) -> Measurement:
    """Read what was measured, its checksum and the shapes of its arrays verified.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If it was not measured; the message names the command.
    bloodlib.data.stored.StoredError
        If it can't be trusted, or an array is not there or has another shape.
    """
    folder = stored.results_folder()
    files = folder / f"{FILES[name]}.json", folder / f"{FILES[name]}.npz"
    remedy = f"`bloodlib measure {name}` makes it; 'git checkout results' restores it."
    for file in files:
        if not file.exists():
            raise stored.MissingError(f"there is no {file}. {remedy}")
    made = stored.read_json(files[0], remedy)
    arrays = stored.read_arrays(files[1], remedy, made.get("sha256", ""))
    if made.get("images") != images.DATA_HASH:
        raise stored.StoredError(f"{files[1]} is not about the published images. {remedy}")
    for key, shape in (shapes or {}).items():
        if key not in arrays or arrays[key].shape != shape:
            raise stored.StoredError(f"{files[1]} has no {key} {shape}: {remedy}")
    return Measurement(arrays, made)


def in_chunks(
    name: str,
    settings: dict,
    function: Callable[[slice], dict[str, np.ndarray]],
    n: int,
    clock: stored.Clock,
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
    folder = stored.cache_folder() / "measured" / f"{name}-{stored.checksum(text.encode())[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with tqdm(total=n, desc=name, unit=" images", disable=None) as bar:
        for start in range(0, n, size):
            rows, path = slice(start, min(start + size, n)), folder / f"{start:05}.npz"
            try:
                found.append(stored.unpack(path.read_bytes()))
                clock.from_cache += rows.stop - start
            except (FileNotFoundError, ValueError):  # not computed yet, or damaged
                found.append(function(rows))
                stored.write_atomically(path, stored.pack(found[-1]))
            bar.update(rows.stop - start)
    return {key: np.concatenate([chunk[key] for chunk in found]) for key in found[0]}
