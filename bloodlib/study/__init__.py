"""From ``study.yml`` to records of predictions: :func:`run` is the one way to obtain a result.

It returns the record of a configuration if there is one and computes it otherwise; chapters under
papermill, ``bloodlib study`` and Snakemake are doors to it. May import ``data``, ``models`` and
``paper``.
"""

import contextlib
import functools
import itertools
import json
import os
import tempfile
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import filelock
import numpy as np

from bloodlib.data import images, splits, stored, synthetic
from bloodlib.models import (
    methods,
    networks,  # noqa: F401  (registers its methods)
)
from bloodlib.study import records

PROFILES = ("recorded", "quick", "full")
#: Settings that every run has, and their defaults.
COMMON = {
    "seed": 0,
    "images": "published",
    "images_per_class": None,
    "split_by": "published",
    "fold": 0,
    "resize": "averaged",
}
#: Those of them that say which images a run sees; the arguments of :func:`load`.
DATA = ("images", "images_per_class", "split_by", "fold", "resize")


class RunError(Exception):
    """A run that ended without predictions; its record says why."""


# ------------------------------------------------------------------------- what there is to run


def resolve(config: dict, profile: str = "recorded") -> dict:
    """Every setting of a run: those given, checked, and the defaults of the rest.

    Parameters
    ----------
    config : dict
        ``method`` and ``task``, and any of ``seed``, ``images``, ``images_per_class``,
        ``split_by``, ``fold`` (:func:`bloodlib.data.splits.split`), ``resize``
        (:func:`bloodlib.data.images.resize`) and the method's own settings.
    profile : {"recorded", "quick", "full"}
        At which scale of ``study.yml``, for settings that are not given; ``recorded`` changes none.

    Raises
    ------
    ValueError
        For a profile or setting that does not exist, or a wrong value.
    """
    if profile not in PROFILES:
        raise ValueError(f"there is no profile {profile!r}. {methods.suggest(profile, PROFILES)}")
    common = {"method": None, "task": None, **COMMON}
    own = {key: value for key, value in config.items() if key not in common}
    found = common | {key: value for key, value in config.items() if key in common}
    choices = {
        "method": methods.METHODS,
        "task": images.TASKS,
        "images": ("published", "drawn"),
        "resize": ("averaged", "sampled"),
    }
    for key, known in choices.items():
        if not isinstance(found[key], str) or found[key] not in known:
            raise ValueError(f"{key} is {found[key]!r}. {methods.suggest(found[key], known)}")
    for key, least in (("seed", 0), ("images_per_class", 5)):
        value, absent = found[key], key == "images_per_class" and found[key] is None
        if not absent and (type(value) is not int or value < least):
            raise ValueError(f"{key} is {value!r}, which is not a whole number from {least}")
    splits.check(found["split_by"], found["fold"])
    for key in ("split_by", "resize"):
        if found["images"] == "drawn" and found[key] != COMMON[key]:
            raise ValueError(f"{key} is {found[key]!r}, which synthetic cells can't be")
    found |= methods.check(found["method"], own)
    scale = _scale(profile)
    missing = {key: value for key, value in scale.items() if key in found.keys() - config.keys()}
    return resolve(config | missing) if missing else found


def identify(config: dict) -> str:
    """Id of a run: what differs from the first defaults of its settings, and the images.

    ``epochs`` is left out of account, so that a run can be extended.
    """
    config = resolve(config)
    method = config["method"]
    usual = COMMON | methods.defaults(method) | records.defaults(method)
    kept = {k: v for k, v in config.items() if k != "epochs" and v != usual.get(k)}
    text = json.dumps([kept, _data_hash(config)], sort_keys=True)
    return f"{method}-{config['task']}-{stored.checksum(text.encode())[:10]}"


def describe(config: dict) -> str:
    """A run in words: what differs from the defaults."""
    config = resolve(config)
    usual = COMMON | methods.defaults(config["method"])
    differing = [f"{k} {v}" for k, v in config.items() if k in usual and v != usual[k]]
    name = methods.NAMES.get(config["method"], config["method"])
    return ", ".join([f"{name} {config['task']}", *differing])


def runs(table: int | None = None) -> list[dict]:
    """The configurations that ``study.yml`` lists, a list under a setting multiplied out.

    Parameters
    ----------
    table : {1, 2}, optional
        Those only that add a row to this table of the paper; none away from a checkout.
    """
    try:
        entries, found = _study()["runs"], []
    except FileNotFoundError:
        if table is None:
            raise
        return []
    for entry in entries:
        if entry.get("table") not in (None, 1, 2):
            raise ValueError(f"study.yml: table is {entry['table']!r}. There are: 1, 2.")
        settings = {key: value for key, value in entry.items() if key != "table"}
        values = [value if isinstance(value, list) else [value] for value in settings.values()]
        for chosen in itertools.product(*values):
            try:
                config = resolve(dict(zip(settings, chosen, strict=True)))
            except ValueError as error:
                raise ValueError(f"study.yml: {error}") from None
            if table in (None, entry.get("table")):
                found.append(config)
    return found


def grid(profile: str = "full", source: str = "published", only: Iterable[str] = ()) -> list[dict]:
    """The runs of ``study.yml`` at the scale of a profile.

    Parameters
    ----------
    profile : {"recorded", "quick", "full"}
        See :func:`run`.
    source : {"published", "drawn"}
        Which images. Synthetic cells can't be held out by photograph, nor reduced: such runs are
        left out.
    only : iterable of str
        Words, each of which a run's id or description must hold.

    Raises
    ------
    ValueError
        If no run holds them.
    """
    only, found = list(only), []
    for given in runs():
        usual = all(given[key] == COMMON[key] for key in ("split_by", "resize"))
        if usual or source == "published":
            free = given.keys() - _scale(profile).keys()
            config = resolve({key: given[key] for key in free} | {"images": source}, profile)
            if all(word in f"{identify(config)} {describe(config)}" for word in only):
                found.append(config)
    if not found:
        raise ValueError(f"no run of study.yml holds {' and '.join(only)}: see --list")
    return found


@functools.lru_cache(maxsize=1)
def load(
    source: str,
    images_per_class: int | None,
    split_by: str = "published",
    fold: int = 0,
    resize: str = "averaged",
) -> methods.Data:
    """The images of a run.

    Parameters
    ----------
    source : {"published", "drawn"}
        The dataset, or synthetic cells.
    images_per_class : int or None
        Take only so many of TRAIN, and a quarter as many of TEST.
    split_by, fold : str, int
        What is held out in the place of TEST: see :func:`bloodlib.data.splits.split`.
    resize : {"averaged", "sampled"}
        See :func:`bloodlib.data.images.resize`.
    """
    n = images_per_class
    if source == "drawn":
        loaded = {split: synthetic.load(split, n=k) for split, k in _drawn(n).items()}
        identity, photographs = synthetic.data_hash(_drawn(n)), None
    else:
        photographs = splits.groups("photograph")[splits.split(split_by, fold).train]
        identity = splits.data_hash(split_by, fold)
        loaded = {split: images.load(split, filter=resize) for split in images.SPLITS}
    pixels = {split: found.pixels for split, found in loaded.items()}
    four = {split: found.labels for split, found in loaded.items()}
    if split_by != "published":
        pixels, four = (splits.rearrange(of, split_by, fold) for of in (pixels, four))
    nuclei = np.array([images.NUCLEI[name] for name in images.CLASSES], dtype=np.uint8)
    two = {split: nuclei[labels] for split, labels in four.items()}
    data = methods.Data(pixels, {"four": four, "two": two}, identity, photographs)
    return data.head(n) if n and source == "published" else data


# ------------------------------------------------------------------------- records of what was run


def run(config: dict, profile: str = "recorded") -> records.Record:
    """The record of a run, computed if there is none.

    Parameters
    ----------
    config : dict
        See :func:`resolve`.
    profile : {"recorded", "quick", "full"}
        ``recorded`` reads a stored record; ``quick`` runs the same code on few
        images, ``full`` at the paper's scale, where there is no record yet.

    Returns
    -------
    records.Record
        Complete, with predictions.

    Raises
    ------
    bloodlib.data.stored.MissingError
        For ``recorded``, where there is no record.
    RunError
        If the run has no solution, or failed.
    """
    config = resolve(config, profile)
    if profile != "recorded":
        return compute(config)
    record = recorded(config)
    if record is None:
        raise stored.MissingError(
            f"there is no record {identify(config)} of {describe(config)}. "
            f"`bloodlib study --only {identify(config)}` computes it."
        )
    return _complete(record, config)


def recorded(config: dict) -> records.Record | None:
    """The record of a run at hand, or None; one with too few epochs does not count."""
    try:
        record = records.read(path(config))
    except stored.MissingError:
        return None
    _own(record)
    short = record.status == "complete" and record.epochs < resolve(config).get("epochs", 1)
    return None if short else record


def is_open(config: dict) -> bool:
    """Whether a run is still to be computed: no record, one with too few epochs, or a failure."""
    record = recorded(config)
    return record is None or record.status == "failed"


def estimate_hours(config: dict) -> float | None:
    """How long a run may take: the median of recorded runs of its method and precision, by epochs.

    None where there is no such record, as of runs on fewer images.
    """
    config = resolve(config)
    names = ("method", "precision", "images", "images_per_class")
    alike = {name: config[name] for name in names if name in config}
    found = [run.seconds / run.config.get("epochs", 1) for run in select(**alike)]
    return float(np.median(found)) * config.get("epochs", 1) / 3600 if found else None


def unlisted() -> list[records.Record]:
    """Complete records that ``study.yml`` does not list: a reader's own runs, the oldest first.

    Those on all of the published images lie with the stored ones; quick ones and those on drawn
    cells in the cache, which no published book looks at. What can't be read there, or was made of
    other synthetic cells by another version, is left out.
    """
    listed = {identify(config) for config in runs()}
    found = [run for run in select() if run.id not in listed]
    folder, names = stored.cache_folder() / "runs", []
    if not stored.publishing():
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(folder)  # unlike glob, it is seen where there is no folder yet
    for name in names:
        if name.endswith(".json"):
            with contextlib.suppress(stored.StoredError):
                check(record := records.read(folder / name))
                found += [record] if record.status == "complete" else []
    return sorted(found, key=lambda run: (run.started, run.id))


def path(config: dict) -> Path:
    """Where a run's record lies, or would lie.

    Stored records hold the published images, all of them; the rest stays in the cache.
    """
    config = resolve(config)
    whole = config["images"] == "published" and config["images_per_class"] is None
    folder = records.folder() if whole else stored.cache_folder() / "runs"
    return folder / f"{identify(config)}.json"


def select(**where) -> list[records.Record]:
    """Stored, complete records whose configuration has these values.

    Parameters
    ----------
    **where
        Settings and values, such as ``method="DCLNN", task="two"``.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If settings or images of one of them do not belong to its id.
    """
    found = [
        record
        for record in records.read_all()
        if record.status == "complete" and where.items() <= record.config.items()
    ]
    for record in found:
        _own(record)
    return found


def check(record: records.Record) -> None:
    """:func:`bloodlib.study.records.check`, and whether settings and images belong to the id.

    Raises
    ------
    bloodlib.data.stored.StoredError
        Naming the file and the first thing that is wrong.
    """
    records.check(record)
    _own(record)


@functools.lru_cache(maxsize=1024)
def _own(record):
    """Refuse a record whose settings or images are not those of its id."""
    try:
        config = resolve(record.config)
    except ValueError as error:
        raise stored.StoredError(f"{record.path}: {error}. {records.REMEDY}") from error
    if unsaid := config.keys() - record.config.keys():
        raise stored.StoredError(
            f"{record.path} doesn't say its {', '.join(sorted(unsaid))}. A setting added after a "
            "record was written needs the value that it had, in bloodlib/study/defaults.json."
        )
    expected, data = identify(config), _data_hash(config)
    if record.path.stem != expected or record.id != expected:
        wrong = f"its settings belong to the id {expected}"
    elif record.data != data:
        wrong = f"it was not made on the images {data}"
    else:
        return
    raise stored.StoredError(f"{record.path}: {wrong}. {records.REMEDY}")


def _complete(record, config):
    if record.status != "complete":
        raise RunError(f"{describe(config)}: {record.status}: {record.reason}")
    return record


# ------------------------------------------------------------------------------------ computing


def predict(config: dict, data: methods.Data, checkpoint: Path | None = None):
    """What a method answers with a configuration's settings; nothing is recorded.

    Returns
    -------
    bloodlib.models.methods.Predictions
    """
    config = resolve(config)
    method = methods.METHODS[config["method"]]
    settings = {key: config[key] for key in methods.defaults(config["method"])}
    return method(data, config["task"], config["seed"], checkpoint, **settings)


def compute(config: dict, wait: bool = True) -> records.Record:
    """Compute a run that has no complete record, and write its record.

    A network goes on from its checkpoint.

    Parameters
    ----------
    config : dict
        See :func:`resolve`.
    wait : bool
        Whether to wait for another process that is at the same run, and to return what it recorded.

    Raises
    ------
    RunError
        If there is no solution or the run failed; the record says so.
    filelock.Timeout
        If another process is at the run and isn't waited for.
    """
    config = resolve(config)
    lock = stored.cache_folder() / "locks" / f"{identify(config)}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock, timeout=-1 if wait else 0):
        record = _compute(config) if is_open(config) else recorded(config)
    return _complete(record, config)


def repeat(record: records.Record) -> list[str]:
    """Compute a recorded run again from its settings, and say what differs; nothing is recorded.

    Returns
    -------
    list of str
        A line for each array of predictions that is another one; empty if none is.
    """
    data = load(*(record.config[key] for key in DATA))
    with tempfile.TemporaryDirectory(prefix="bloodlib-") as folder:
        predictions = predict(record.config, data, Path(folder, "checkpoint.npz"))
    again, found = _arrays(predictions, data, record.config["task"]), []
    for name in sorted(record.arrays.keys() | again.keys()):
        one, other = record.arrays.get(name), again.get(name)
        if one is None or other is None or one.shape != other.shape:
            found.append(f"{name} has another shape")
        elif n := int((one != other).sum()):
            most = np.abs(one.astype(float) - other).max()
            found.append(f"{name}: {n:,} of {one.size:,} entries differ, by up to {most:.2g}")
    return found


def _compute(config):
    data = load(*(config[key] for key in DATA))
    started, clock = datetime.now(UTC), time.monotonic()
    checkpoint = stored.cache_folder() / "checkpoints" / f"{identify(config)}.npz"

    def record(status, reason="", predictions=None):
        found = predictions or methods.Predictions(None, None, None, None)
        return records.write(
            path(config).parent,
            {
                "id": identify(config),
                "status": status,
                "reason": reason,
                "config": config,
                "data": _data_hash(config),
                "history": found.history,
                "weights": found.weights,
                "environment": stored.environment(found.device, found.backend),
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(sum(found.history.get("seconds", [time.monotonic() - clock])), 1),
            },
            _arrays(predictions, data, config["task"]) if predictions else None,
        )

    try:
        return record("complete", predictions=predict(config, data, checkpoint))
    except methods.InfeasibleError as error:
        return record("infeasible", str(error))
    except OSError:
        raise  # a full or read-only disk is not the run's failure
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        try:  # an extension that fails leaves the shorter record that there was
            kept = records.read(path(config)).status == "complete"
        except stored.StoredError:
            kept = False
        if kept:
            raise RunError(f"{describe(config)}: failed: {reason}") from error
        return record("failed", reason)


def _arrays(predictions, data, task):
    arrays = {name: getattr(predictions, name, None) for name in records.ARRAYS}
    arrays["truth"] = data.labels[task]["TEST"]
    arrays["truth_simple"] = data.labels[task]["TEST_SIMPLE"]
    return {name: np.asarray(value) for name, value in arrays.items() if value is not None}


def _drawn(images_per_class):
    """How many images to draw of each split, where TEST has a quarter of TRAIN's."""
    n = images_per_class or 400
    return {"TRAIN": 4 * n, "TEST": n, "TEST_SIMPLE": max(4, n // 10)}


def _data_hash(config):
    n = config["images_per_class"]
    if config["images"] == "drawn":
        return synthetic.data_hash(_drawn(n))
    published = splits.data_hash(config["split_by"], config["fold"])
    return published if n is None else f"{published}-{n}"


def _scale(profile):
    """The settings of a profile; none of ``recorded``, also where there is no study.yml."""
    return {} if profile == "recorded" else _study()["profiles"].get(profile, {})


def _study():
    path = stored.checkout() / "study.yml"
    return _parsed(path, path.read_bytes())


@functools.lru_cache(maxsize=1)
def _parsed(path, raw):
    import yaml

    try:
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    whole = isinstance(found, dict) and all(
        isinstance(found.get(name), kind) for name, kind in (("profiles", dict), ("runs", list))
    )
    for entry in [*found["profiles"].values(), *found["runs"]] if whole else [None]:
        if not (isinstance(entry, dict) and all(isinstance(key, str) for key in entry)):
            raise ValueError(f"{path} has no profiles and runs, each a set of names and values")
    return found
