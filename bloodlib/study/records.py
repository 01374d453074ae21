"""A run's record: what was run, where, and what was predicted; and what was measured.

A record is a JSON file and, beside it, an ``.npz`` of predictions whose name
the JSON holds (``results/README.md`` describes both). The JSON is written last and
replaced in one step: a record is there whole, or it is not there.

What ``bloodlib measure`` finds lies in ``results`` under the names of :data:`MEASURED`: arrays in
an ``.npz``, and in a ``.json`` their checksum and how they were made.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from bloodlib.data import images, splits, stored

SCHEMA = 1
#: Arrays of a record, with their type; every complete one has all but the last.
ARRAYS = {
    "truth": np.uint8,
    "truth_simple": np.uint8,
    "labels": np.uint8,
    "labels_simple": np.uint8,
    "probabilities": np.float16,
    "probabilities_simple": np.float16,
    "confusion_train": np.int32,
}
#: Names of files in ``results``, by what ``bloodlib measure`` calls them.
MEASURED = {
    "attribution": "attention",
    "robustness": "disturbance",
    "external-validation": "laboratory",
    "out-of-distribution": "likeness",
    "stored-models": "models",
}
REMEDY = "Restore the record from the repository, or remove it and run `bloodlib study`."


@dataclass(frozen=True, eq=False)
class Record:
    """One run, as read from its files.

    Attributes
    ----------
    path : pathlib.Path
        The JSON file.
    content : dict
        What the JSON file holds.
    """

    path: Path
    content: dict

    def __getattr__(self, name):
        """Entries of the JSON file as attributes: ``record.config``, ``record.status``."""
        try:
            return self.__dict__["content"][name]
        except KeyError:
            raise AttributeError(f"a record has no {name!r}") from None

    @functools.cached_property
    def config(self) -> dict:
        """Every setting of the run; what an old record doesn't say is what the default was then."""
        config = self.content["config"]
        return defaults(config.get("method")) | config

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The predictions, by the names in :data:`ARRAYS`, their checksum verified.

        Raises
        ------
        bloodlib.data.stored.StoredError
            If the file is not there or was changed.
        """
        if self.content["arrays"] is None:
            raise stored.StoredError(
                f"{self.path} holds no predictions: {self.status}, {self.reason}"
            )
        path = self.path.with_name(self.content["arrays"]["file"])
        return stored.read_arrays(path, REMEDY, self.content["arrays"]["sha256"])

    @property
    def has_epochs(self) -> bool:
        """Whether the method learns in epochs; if not, there is a single row of labels."""
        return "loss" in self.history

    @property
    def epochs(self) -> int:
        """Rows of predicted labels, one for each epoch that was run, or 1 for methods without."""
        return len(self.arrays["labels"])

    @property
    def is_constant(self) -> bool:
        """Whether every image of TEST gets the same probabilities."""
        return bool((self.arrays["probabilities"] == self.arrays["probabilities"][0]).all())

    def confusion(self, split: str = "TEST", epoch: int | None = None) -> np.ndarray:
        """Confusion matrix, true classes in rows.

        Parameters
        ----------
        split : {"TEST", "TEST_SIMPLE", "TRAIN"}
            TRAIN is counted while the epoch ran, on the images as augmented.
        epoch : int, optional
            After which epoch, from 1; the last one if not given.

        Returns
        -------
        int array [classes, classes]
        """
        row = -1 if epoch is None else epoch - 1
        if split == "TRAIN":
            return self.arrays["confusion_train"][row]
        suffix = "_simple" if split == "TEST_SIMPLE" else ""
        predicted = self.arrays[f"labels{suffix}"]
        predicted = predicted if suffix else predicted[row]
        counts = np.zeros((len(images.TASKS[self.config["task"]]),) * 2, dtype=int)
        np.add.at(counts, (self.arrays[f"truth{suffix}"], predicted), 1)
        return counts


def defaults(method: str) -> dict:
    """The defaults of a method's settings when records of this schema were first written.

    They are stored in ``defaults.json``: records without a setting mean these, and ids leave these
    out, whatever the defaults are today. A setting added later gets a line there, with the value
    that the runs before it had.
    """
    frozen = _json("defaults.json")[str(SCHEMA)]
    return frozen["every run"] | frozen.get(method, {})


@functools.cache
def _json(name):
    return json.loads(resources.files("bloodlib.study").joinpath(name).read_text(encoding="utf-8"))


def folder() -> Path:
    """Where the stored records lie."""
    return stored.results_folder() / "runs"


def write(where: Path, content: dict, arrays: dict[str, np.ndarray] | None) -> Record:
    """Write a record so that it is there whole or not at all.

    Parameters
    ----------
    where : pathlib.Path
        Folder of records.
    content : dict
        The JSON file's entries, without ``arrays``.
    arrays : dict of array or None
        Predictions; none for a run without any.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the record would not pass :func:`check`; nothing is written then.
    """
    where.mkdir(parents=True, exist_ok=True)
    record = Record(where / f"{content['id']}.json", {"schema": SCHEMA, **content, "arrays": None})
    try:
        replaced = (read(record.path).content["arrays"] or {}).get("file")
    except stored.StoredError:
        replaced = None
    new = None
    if arrays is not None:
        raw = stored.pack(arrays)
        digest = stored.checksum(raw)
        name = f"{record.id}.{digest[:8]}.npz"
        record.content["arrays"] = {"file": name, "sha256": digest}
        new = None if (where / name).exists() else where / name
        stored.write_atomically(where / name, raw)
    try:
        check(record)
        stored.write_atomically(record.path, json.dumps(record.content, indent=1).encode() + b"\n")
    except (stored.StoredError, OSError):
        if new:
            new.unlink()
        raise
    if replaced and replaced != (record.content["arrays"] or {}).get("file"):
        (where / replaced).unlink(missing_ok=True)
    return record


def read(path: Path) -> Record:
    """Read a record's JSON file; its predictions are read and verified when asked for.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If there is no such file.
    bloodlib.data.stored.StoredError
        If the file is no record, or one of a newer version.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise stored.MissingError(f"there is no record {path.stem}") from None
    except (OSError, ValueError) as error:
        raise stored.StoredError(f"{path} is no record: {error}. {REMEDY}") from error
    version = content.get("schema") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise stored.StoredError(f"{path} was written by a newer bloodlib: update it to read this.")
    _validate(path, content)
    return Record(path, content)


def read_all(where: Path | None = None) -> list[Record]:
    """Every record of a folder, in the order of their ids; read again only when a file changes."""
    files = [(path, path.stat()) for path in sorted((where or folder()).glob("[!.]*"))]
    return list(_read_all(tuple((path, s.st_mtime_ns, s.st_size) for path, s in files)))


@functools.lru_cache(maxsize=2)
def _read_all(files):
    return tuple(read(path) for path, *_ in files if path.suffix == ".json")


def check(record: Record) -> None:
    """Check everything about a record that can be checked without running it again.

    Raises
    ------
    bloodlib.data.stored.StoredError
        Naming the file and the first thing that is wrong.
    """
    _validate(record.path, record.content)

    def require(condition, words):
        if not condition:
            raise stored.StoredError(f"{record.path}: {words}. {REMEDY}")

    require(record.path.stem == record.id, "the file's name is not the record's id")
    if record.status != "complete":
        require(record.content["arrays"] is None and record.reason, "no reason is given")
        return
    arrays, classes = record.arrays, len(images.TASKS[record.config["task"]])
    missing = ARRAYS.keys() - {"confusion_train"} - arrays.keys()
    require(not missing, f"{', '.join(sorted(missing))} is missing")
    require(arrays.keys() <= ARRAYS.keys(), f"unknown arrays {arrays.keys() - ARRAYS.keys()}")
    n, simple = arrays["truth"].size, arrays["truth_simple"].size
    epochs = len(arrays["labels"]) if arrays["labels"].ndim == 2 else 1
    require(n and simple and epochs, "there are no predictions in it")
    shapes = {
        "truth": (n,),
        "truth_simple": (simple,),
        "labels": (epochs, n),
        "labels_simple": (simple,),
        "probabilities": (n, classes),
        "probabilities_simple": (simple, classes),
        "confusion_train": (epochs, classes, classes),
    }
    for name, array in arrays.items():
        require(array.dtype == ARRAYS[name], f"{name} is not {ARRAYS[name].__name__}")
        require(array.shape == shapes[name], f"{name} is {array.shape}, not {shapes[name]}")
        if array.dtype == np.uint8:
            require(array.max() < classes, f"{name} has an unknown class")
        elif array.dtype == np.float16:
            sums = array.sum(axis=1, dtype=float)
            even = (array >= 0).all() and np.allclose(sums, 1, atol=5e-3)
            require(even, f"{name} do not sum to 1")
    for name, values in record.history.items():
        require(len(values) == epochs, f"{name} has not one value an epoch")
        require(np.isfinite(values).all(), f"{name} is not finite")
    if record.config["images"] == "published" and record.config["images_per_class"] is None:
        by, fold = record.config["split_by"], record.config["fold"]
        expected = splits.data_hash(by, fold)
        require(record.data == expected, "it was not made on the published images")
        for split, name in (("TEST", "truth"), ("TEST_SIMPLE", "truth_simple")):
            truth = splits.labels(split, record.config["task"], by, fold)
            require(np.array_equal(arrays[name], truth), f"{name} is not that of {split}")


def _validate(path, content):
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(_json("record.schema.json"))
    error = best_match(validator.iter_errors(content))
    if error:
        place = "/".join(map(str, error.absolute_path)) or "the file"
        raise stored.StoredError(f"{path}: {place}: {error.message[:200]}. {REMEDY}")


# ---------------------------------------------------------------------------- what was measured


def save_measured(
    name: str,
    arrays: dict[str, np.ndarray],
    settings: dict,
    clock: stored.Clock,
    backend: str = "",
) -> None:
    """Store arrays that ``bloodlib measure NAME`` makes; see :func:`bloodlib.data.stored.made`."""
    made = stored.made(f"bloodlib measure {name}", images.DATA_HASH, settings, clock, backend)
    content = {f"{MEASURED[name]}.npz": stored.pack(arrays)}
    stored.write(stored.results_folder(), MEASURED[name], content, made)


def read_measured(
    name: str, shapes: dict[str, tuple[int, ...]] | None = None
) -> tuple[dict[str, np.ndarray], dict]:
    """What was measured, and how: its checksum and the shapes of its arrays verified.

    Raises
    ------
    bloodlib.data.stored.MissingError
        If it was not measured; the message names the command.
    bloodlib.data.stored.StoredError
        If it can't be trusted, or an array is not there or has another shape.
    """
    folder = stored.results_folder()
    files = folder / f"{MEASURED[name]}.json", folder / f"{MEASURED[name]}.npz"
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
    return arrays, made


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
