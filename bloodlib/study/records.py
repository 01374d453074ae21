"""A run's record: what was run, where, and what was predicted.

A record is a JSON file and, beside it, an ``.npz`` of predictions whose name
the JSON holds (``results/README.md`` describes both). The JSON is written last and
replaced in one step: a record is there whole, or it is not there.
"""

import contextlib
import functools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from bloodlib.data import images, paths, splits, stored
from bloodlib.models import methods

SCHEMA = 1
#: Arrays of a record, with their type, and whether every complete record has it.
ARRAYS = {
    "truth": (np.uint8, True),
    "truth_simple": (np.uint8, True),
    "labels": (np.uint8, True),
    "labels_simple": (np.uint8, True),
    "probabilities": (np.float16, True),
    "probabilities_simple": (np.float16, True),
    "confusion_train": (np.int32, False),
}


#: A record that can't be trusted, and one that was not made yet: as any stored file.
RecordError, MissingRecordError = stored.StoredError, stored.MissingError


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
        return defaults(config.get("method"), self.content.get("schema", SCHEMA)) | config

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The predictions, by the names in :data:`ARRAYS`, their checksum verified.

        Raises
        ------
        RecordError
            If the file is not there or was changed.
        """
        if self.content["arrays"] is None:
            raise RecordError(f"{self.path} holds no predictions: {self.status}, {self.reason}")
        path = self.path.with_name(self.content["arrays"]["file"])
        return stored.read_arrays(path, REMEDY, self.content["arrays"]["sha256"])

    @property
    def has_epochs(self) -> bool:
        """Whether the method learns in epochs; if not, there is a single row of labels."""
        return methods.has_epochs(self.config["method"])

    @property
    def epochs(self) -> int:
        """Rows of predicted labels: epochs that were run, or 1 for a method without epochs."""
        return len(self.arrays["labels"])

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


REMEDY = "Remove the record, or restore it from the repository; `bloodlib study` makes it anew."


def defaults(method: str, schema: int = SCHEMA) -> dict:
    """The defaults of a method's settings when records of a schema were first written.

    They are frozen in ``defaults.json``: records without a setting mean these, and ids leave these
    out, whatever the defaults are today. A setting added later gets a line there, with the value
    that the runs before it had.
    """
    frozen = _frozen()[str(schema)]
    return frozen["every run"] | frozen.get(method, {})


@functools.cache
def _frozen():
    file = resources.files("bloodlib.study").joinpath("defaults.json")
    return json.loads(file.read_text(encoding="utf-8"))


def identify(config: dict, defaults: dict, data: str) -> str:
    """Id of a run: what differs from the defaults, and the images.

    Parameters
    ----------
    config : dict
        Settings; ``epochs`` is left out of account, so that a run can be extended.
    defaults : dict
        Their defaults.
    data : str
        Hash of the images.
    """
    kept = {k: v for k, v in config.items() if k != "epochs" and v != defaults.get(k)}
    text = json.dumps([kept, data], sort_keys=True)
    digest = stored.checksum(text.encode())[:10]
    return f"{config['method']}-{config['task']}-{digest}"


def folder() -> Path:
    """Where the frozen records lie."""
    return paths.results_folder() / "runs"


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
    RecordError
        If the record would not pass :func:`check`; nothing is written then.
    """
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"{content['id']}.json"
    content = {"schema": SCHEMA, **content, "arrays": None}
    if arrays is not None:
        raw = stored.pack(arrays)
        digest = stored.checksum(raw)
        content["arrays"] = {"file": f"{content['id']}.{digest[:8]}.npz", "sha256": digest}
        beside = where / content["arrays"]["file"]
    record = Record(path, content)
    with _alone(where):
        if arrays is not None:
            was_there = beside.exists()  # then an earlier record may need it
            paths.write_atomically(beside, raw)
        try:
            check(record)
            paths.write_atomically(path, _text(record))
        except (RecordError, OSError):
            if arrays is not None and not was_there:
                beside.unlink()
            raise
        _tidy(record)
    return record


def _text(record):
    return (json.dumps(record.content, indent=1) + "\n").encode()


@contextlib.contextmanager
def _alone(where: Path) -> Iterator[None]:
    """Hold a folder of records: of two writers, one would remove the other's predictions.

    Runs have a lock of their own in the cache, which another user or machine may not share. A
    folder can be held on POSIX alone, and not on every network's disk; elsewhere this does nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    held = os.open(where, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _tidy(record):
    """Remove predictions that a record has no longer."""
    for old in record.path.parent.glob(f"{record.id}.*.npz"):
        if not record.content["arrays"] or old.name != record.content["arrays"]["file"]:
            old.unlink()


def read(path: Path) -> Record:
    """Read a record's JSON file; its predictions are read and verified when asked for.

    Raises
    ------
    MissingRecordError
        If there is no such file.
    RecordError
        If the file is no record, or one of a newer version.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise MissingRecordError(f"there is no record {path.stem}") from None
    except OSError as error:
        raise RecordError(f"{path} is no record: {error}. {REMEDY}") from error
    _refuse(path, raw)
    return Record(path, json.loads(raw))


@functools.lru_cache(maxsize=1024)
def _refuse(path, raw):
    """Refuse a file that holds no record; what was validated once is not validated again."""
    try:
        content = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path} is no record: {error}. {REMEDY}") from error
    version = content.get("schema") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise RecordError(f"{path} was written by a newer bloodlib: update it to read this.")
    _validate(path, content)


def read_all(where: Path | None = None) -> list[Record]:
    """Every record of a folder, in the order of their ids; read again only when a file changes."""
    where = where or folder()
    try:
        found = [(file.name, file.stat()) for file in os.scandir(where)]
    except FileNotFoundError:
        return []
    return list(_read_all(where, tuple(sorted((n, s.st_mtime_ns, s.st_size) for n, s in found))))


@functools.lru_cache(maxsize=2)
def _read_all(where, files):
    return tuple(read(where / name) for name, *_ in files if name.endswith(".json"))


def check(record: Record) -> None:
    """Check everything about a record that can be checked without running it again.

    Raises
    ------
    RecordError
        Naming the file and the first thing that is wrong.
    """
    _validate(record.path, record.content)

    def require(condition, words):
        if not condition:
            raise RecordError(f"{record.path}: {words}. {REMEDY}")

    require(record.path.stem == record.id, "the file's name is not the record's id")
    if record.status != "complete":
        require(record.content["arrays"] is None and record.reason, "no reason is given")
        return
    arrays = record.arrays
    classes = len(images.TASKS[record.config["task"]])
    for name, (dtype, always) in ARRAYS.items():
        require(name in arrays or not always, f"{name} is missing")
        require(
            name not in arrays or arrays[name].dtype == dtype, f"{name} is not {dtype.__name__}"
        )
    require(set(arrays) <= set(ARRAYS), f"unknown arrays {set(arrays) - set(ARRAYS)}")
    require(arrays["labels"].ndim == 2 and len(arrays["labels"]), "labels is not [epochs, n]")
    for suffix in ("", "_simple"):
        truth, labels = arrays[f"truth{suffix}"], arrays[f"labels{suffix}"]
        require(truth.ndim == 1 and len(truth), f"truth{suffix} is not [n]")
        rows = () if suffix else (len(labels),)
        require(
            labels.shape == (*rows, len(truth)), f"labels{suffix} and truth{suffix} differ in shape"
        )
        require(max(labels.max(), truth.max()) < classes, f"labels{suffix} has an unknown class")
        chances = arrays[f"probabilities{suffix}"].astype(float)
        require(chances.shape == (len(truth), classes), f"probabilities{suffix} has a wrong shape")
        require(
            (chances >= 0).all() and np.allclose(chances.sum(axis=1), 1, atol=5e-3),
            f"probabilities{suffix} do not sum to 1",
        )
    for name, values in record.history.items():
        require(len(values) == record.epochs, f"{name} has not one value an epoch")
        require(np.isfinite(values).all(), f"{name} is not finite")
    if "confusion_train" in arrays:
        require(
            arrays["confusion_train"].shape == (record.epochs, classes, classes),
            "confusion_train has a wrong shape",
        )
    if record.config["images"] == "published" and record.config["images_per_class"] is None:
        by, fold = record.config["split_by"], record.config["fold"]
        expected = splits.data_hash(by, fold)
        require(record.data == expected, "it was not made on the published images")
        for split, name in (("TEST", "truth"), ("TEST_SIMPLE", "truth_simple")):
            truth = splits.labels(split, record.config["task"], by, fold)
            require(np.array_equal(arrays[name], truth), f"{name} is not that of {split}")


def differences(record: Record, arrays: dict[str, np.ndarray]) -> list[str]:
    """What differs between a record's predictions and others, in words; empty if nothing does.

    Parameters
    ----------
    record : Record
        Complete.
    arrays : dict of array
        By the names in :data:`ARRAYS`.
    """
    found = []
    for name in sorted(record.arrays.keys() | arrays.keys()):
        ours, theirs = record.arrays.get(name), arrays.get(name)
        if ours is None or theirs is None:
            found.append(f"{name}: in only one of the two")
        elif (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            found.append(f"{name}: another shape or type")
        elif n := int((ours != theirs).sum()):
            most = np.abs(ours.astype(float) - theirs).max()
            by = f" by up to {most:.2g}" if ours.dtype.kind == "f" else ""
            found.append(f"{name}: {n:,} of {ours.size:,} entries differ{by}")
    return found


@functools.cache
def _schema():
    from jsonschema import Draft202012Validator

    schema = resources.files("bloodlib.study").joinpath("record.schema.json")
    text = schema.read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _validate(path, content):
    from jsonschema.exceptions import best_match

    error = best_match(_schema().iter_errors(content))
    if error:
        place = "/".join(map(str, error.absolute_path)) or "the file"
        raise RecordError(f"{path}: {place}: {error.message[:200]}. {REMEDY}")
