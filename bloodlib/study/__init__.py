"""From ``study.yml`` to records of predictions: :func:`run` is the one way to obtain a result.

It returns the record of a configuration if there is one and computes it otherwise; chapters under
papermill, ``bloodlib study`` and Snakemake are doors to it. May import ``data``, ``models`` and
``paper``.
"""

import contextlib
import dataclasses
import functools
import itertools
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import filelock
import numpy as np

from bloodlib.data import images, paths, splits, stored, synthetic
from bloodlib.models import (
    baselines,  # noqa: F401  (registers its methods)
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
#: Runs that take so little that checking the records may include one. An SVM's seconds are those
#: of a machine that had its kernel matrix from the run before.
CHEAP_METHODS, CHEAP_SECONDS = ("NB", "KNN"), 60


class RunError(Exception):
    """A run that ended without predictions; its record says why."""


class BusyError(Exception):
    """A run that another process is computing."""


def resolve(config: dict) -> dict:
    """Every setting of a run: those given, checked, and the defaults of the rest.

    Parameters
    ----------
    config : dict
        ``method`` and ``task``, and any of ``seed``, ``images``, ``images_per_class``,
        ``split_by``, ``fold`` (:func:`bloodlib.data.splits.split`), ``resize``
        (:func:`bloodlib.data.images.resize`) and the method's own settings.

    Raises
    ------
    ValueError
        For a setting that does not exist or has a wrong value.
    """
    given = dict(config)
    for key, known in (("method", methods.METHODS), ("task", images.TASKS)):
        if not isinstance(given.get(key), str) or given[key] not in known:
            raise ValueError(
                f"{key} is {given.get(key)!r}. {methods.suggest(given.get(key), known)}"
            )
    common = {"method": given.pop("method"), "task": given.pop("task")}
    for key, default in COMMON.items():
        common[key] = given.pop(key, default)
    if type(common["seed"]) is not int or common["seed"] < 0:
        raise ValueError(f"seed is {common['seed']!r}, which is not a whole number from 0")
    if common["images"] not in ("published", "drawn"):
        raise ValueError(f"images is {common['images']!r}. There are: published, drawn.")
    n = common["images_per_class"]
    if n is not None and (type(n) is not int or n < 5):
        raise ValueError(f"images_per_class is {n!r}, which is not a whole number from 5")
    by, fold = common["split_by"], common["fold"]
    splits.check(by, fold)
    if by != "published" and common["images"] != "published":
        raise ValueError(f"split_by {by} divides the published images; drawn cells have no {by}")
    if common["resize"] not in ("averaged", "sampled"):
        raise ValueError(f"resize is {common['resize']!r}. There are: averaged, sampled.")
    if common["resize"] != "averaged" and common["images"] != "published":
        raise ValueError("resize is for the published images; drawn cells are drawn small")
    return common | methods.check(common["method"], given)


def identify(config: dict) -> str:
    """Id of a run, from its settings and its images; see ``records.identify``."""
    config = resolve(config)
    method = config["method"]
    frozen = COMMON | methods.defaults(method) | records.defaults(method)
    return records.identify(config, frozen, _data_hash(config))


def with_profile(config: dict, profile: str) -> dict:
    """A configuration at the scale of a profile of ``study.yml``.

    Raises
    ------
    ValueError
        If there is no such profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"there is no profile {profile!r}. {methods.suggest(profile, PROFILES)}")
    config = resolve(config)
    if profile == "recorded":  # as it is, also where there is no study.yml
        return config
    scale = _study()["profiles"].get(profile, {})
    return resolve(config | {key: value for key, value in scale.items() if key in config})


def runs() -> list[dict]:
    """The configurations that ``study.yml`` lists, a list under a setting multiplied out."""
    listed = []
    for entry in _study()["runs"]:
        listed += _multiplied(entry)
    return listed


def added(table: int) -> list[dict]:
    """The configurations with which ``study.yml`` adds rows to a table of the paper.

    They are those of the entries with ``table: 1`` or ``table: 2``; away from a checkout there are
    none.
    """
    try:
        paths.checkout()
    except FileNotFoundError:
        return []
    return [
        config
        for entry in _study()["runs"]
        if entry.get("table") == table
        for config in _multiplied(entry)
    ]


def grid(profile: str = "full", source: str = "published", only: Iterable[str] = ()) -> list[dict]:
    """The runs of ``study.yml`` at the scale of a profile.

    Parameters
    ----------
    profile : {"recorded", "quick", "full"}
        See :func:`run`.
    source : {"published", "drawn"}
        Which images. Drawn cells can't be held out by photograph, nor reduced: such runs are left
        out.
    only : iterable of str
        Words, each of which a run's id or description must hold.

    Raises
    ------
    ValueError
        If no run holds them.
    """
    only = list(only)
    found = [
        config
        for given in runs()
        if source == "published"
        or (given["split_by"], given["resize"]) == ("published", "averaged")
        for config in [with_profile(given | {"images": source}, profile)]
        if all(word in f"{identify(config)} {describe(config)}" for word in only)
    ]
    if not found:
        raise ValueError(f"no run of study.yml holds {' and '.join(only)}: see --list")
    return found


def run(config: dict, profile: str = "recorded") -> records.Record:
    """The record of a run, computed if there is none.

    Parameters
    ----------
    config : dict
        See :func:`resolve`.
    profile : {"recorded", "quick", "full"}
        ``recorded`` reads a frozen record; ``quick`` runs the same code on few
        images, ``full`` at the paper's scale, where there is no record yet.

    Returns
    -------
    records.Record
        Complete, with predictions.

    Raises
    ------
    records.MissingRecordError
        For ``recorded``, where there is no record.
    RunError
        If the run has no solution, or failed.
    """
    config = with_profile(config, profile)
    if profile != "recorded":
        return compute(config)
    record = recorded(config)
    if record is None:
        raise records.MissingRecordError(
            f"there is no record {identify(config)} of {describe(config)}. "
            f"`bloodlib study --only {identify(config)}` computes it."
        )
    return _complete(record, config)


def recorded(config: dict) -> records.Record | None:
    """The record of a run at hand, or None; one with too few epochs does not count."""
    try:
        record = records.read(path(config))
    except records.MissingRecordError:
        return None
    _own(record)
    short = record.status == "complete" and record.epochs < resolve(config).get("epochs", 1)
    return None if short else record


def is_open(config: dict) -> bool:
    """Whether a run is still to be computed: no record, one with too few epochs, or a failure."""
    record = recorded(config)
    return record is None or record.status == "failed"


def path(config: dict) -> Path:
    """Where a run's record lies, or would lie.

    Frozen records hold the published images, all of them; the rest stays in the cache.
    """
    config = resolve(config)
    whole = config["images"] == "published" and config["images_per_class"] is None
    folder = records.folder() if whole else paths.cache_folder() / "runs"
    return folder / f"{identify(config)}.json"


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
    BusyError
        If another process is at the run and isn't waited for.
    """
    config = resolve(config)
    with lock(config, wait):
        record = _compute(config) if is_open(config) else recorded(config)
    return _complete(record, config)


@contextlib.contextmanager
def lock(config: dict, wait: bool = True) -> Iterator[None]:
    """Hold a run and its record, so that no other process computes or replaces it.

    Raises
    ------
    BusyError
        If another process holds it and isn't waited for.
    """
    locks = paths.cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(locks / f"{identify(config)}.lock", timeout=-1 if wait else 0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise BusyError(f"another process is computing {describe(config)}") from None
    try:
        yield
    finally:
        held.release()


def table():
    """Every frozen run, one a row; read once, and again only after a change of the files.

    Returns
    -------
    DataFrame
        By id: every setting under its name (missing where the method has no such setting),
        ``status``, ``precision`` (of networks), ``epochs`` that were run (missing without epochs),
        ``seconds``, ``started``, ``device``, and the ``record`` itself.
    """
    return _table(tuple(records.read_all()))


@functools.lru_cache(maxsize=1)
def _table(found):
    import pandas as pd

    rows = {}
    for record in found:
        history = record.history.values() if record.has_epochs else ()
        rows[record.id] = {
            **({"precision": "float32"} if record.has_epochs else {}),
            **record.config,
            "status": record.status,
            "epochs": len(next(iter(history), ())) or None,
            "seconds": record.seconds,
            "started": record.started,
            "device": record.environment["device"],
            "record": record,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def select(**where) -> list[records.Record]:
    """Frozen, complete records whose configuration has these values.

    Parameters
    ----------
    **where
        Settings and values, such as ``method="DCLNN", task="two"``.

    Raises
    ------
    records.RecordError
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
    records.RecordError
        Naming the file and the first thing that is wrong.
    """
    records.check(record)
    _own(record)


def expected_seconds(config: dict, known: Iterable[records.Record]) -> float | None:
    """What a run may take: the median of those among the known records that are most like it.

    Parameters
    ----------
    config : dict
        See :func:`resolve`.
    known : iterable of Record
        Those of the same method on as many images count, epoch by epoch.

    Returns
    -------
    float or None
        None if there are none of them.
    """
    config = resolve(config)
    found = {}
    for record in known:
        other = record.config
        if record.status == "complete" and all(
            other[key] == config[key] for key in ("method", "images", "images_per_class")
        ):
            alike = sum(other.get(key) == value for key, value in config.items())
            epoch = record.seconds / other.get("epochs", 1)
            found.setdefault(alike, []).append(epoch * config.get("epochs", 1))
    return float(np.median(found[max(found)])) if found else None


def describe(config: dict) -> str:
    """A run in words: what differs from the defaults."""
    config = resolve(config)
    defaults = COMMON | methods.defaults(config["method"])
    differing = [f"{k} {v}" for k, v in config.items() if k in defaults and v != defaults[k]]
    return ", ".join([f"{config['method']} {config['task']}", *differing])


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
        The dataset, or drawn cells.
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
        identity = synthetic.data_hash(_drawn(n))
    else:
        identity = splits.data_hash(split_by, fold)
        loaded = {split: images.load(split, filter=resize) for split in images.SPLITS}
    pixels = {split: found.pixels for split, found in loaded.items()}
    four = {split: found.labels for split, found in loaded.items()}
    if split_by != "published":
        pixels, four = (splits.rearrange(of, split_by, fold) for of in (pixels, four))
    nuclei = np.array([images.NUCLEI[name] for name in images.CLASSES], dtype=np.uint8)
    two = {split: nuclei[labels] for split, labels in four.items()}
    data = methods.Data(pixels, {"four": four, "two": two}, identity)
    if source == "published":

        def numbers():
            return splits.groups("photograph")[splits.split(split_by, fold).train]

        data = dataclasses.replace(data, photographs=numbers)
    return data.head(n) if source == "published" and n else data


def is_cheap(record: records.Record) -> bool:
    """Whether a run takes so little that checking the records may include it."""
    cheap = record.config["method"] in CHEAP_METHODS and record.seconds < CHEAP_SECONDS
    return record.status == "complete" and cheap


def repeat(record: records.Record) -> dict[str, np.ndarray]:
    """The predictions of a recorded run, computed again from its settings; nothing is recorded.

    Returns
    -------
    dict of array
        For :func:`bloodlib.study.records.differences`.
    """
    config = resolve(record.config)
    data = load(*(config[key] for key in DATA))
    settings = {k: config[k] for k in methods.defaults(config["method"])}
    with tempfile.TemporaryDirectory(prefix="bloodlib-") as folder:
        predictions = methods.METHODS[config["method"]](
            data, config["task"], config["seed"], Path(folder, "checkpoint.npz"), **settings
        )
    return _arrays(predictions, data, config["task"])


@functools.lru_cache(maxsize=1024)
def _own(record):
    """Refuse a record whose settings or images are not those of its id."""
    try:
        config = resolve(record.config)
    except ValueError as error:
        raise records.RecordError(f"{record.path}: {error}. {records.REMEDY}") from error
    if unsaid := config.keys() - record.config.keys():
        raise records.RecordError(
            f"{record.path} doesn't say its {', '.join(sorted(unsaid))}. A setting added after a "
            "record was written needs the value that it had, in bloodlib/study/defaults.json."
        )
    expected, data = identify(config), _data_hash(config)
    if record.path.stem != expected or record.id != expected:
        raise records.RecordError(
            f"{record.path}: its settings belong to the id {expected}. {records.REMEDY}"
        )
    if record.data != data:
        raise records.RecordError(
            f"{record.path}: it was not made on the images {data}. {records.REMEDY}"
        )


def _multiplied(entry):
    """The configurations of an entry of ``study.yml``, whose ``table`` is no setting of a run."""
    if entry.get("table") not in (None, 1, 2):
        raise ValueError(f"study.yml: table is {entry['table']!r}. There are: 1, 2.")
    settings = {key: value for key, value in entry.items() if key != "table"}
    values = [value if isinstance(value, list) else [value] for value in settings.values()]
    chosen = [dict(zip(settings, one, strict=True)) for one in itertools.product(*values)]
    try:
        return [resolve(config) for config in chosen]
    except ValueError as error:
        raise ValueError(f"study.yml: {error}") from None


def _complete(record, config):
    if record.status != "complete":
        raise RunError(f"{describe(config)}: {record.status}: {record.reason}")
    return record


def _compute(config):
    name = identify(config)
    data = load(*(config[key] for key in DATA))
    started, clock = datetime.now(UTC), time.monotonic()
    settings = {k: config[k] for k in methods.defaults(config["method"])}
    checkpoint = paths.cache_folder() / "checkpoints" / f"{name}.npz"

    def record(status, reason="", predictions=None):
        history = predictions.history if predictions else {}
        device = (predictions.device, predictions.backend) if predictions else ("", "")
        return records.write(
            path(config).parent,
            {
                "id": name,
                "status": status,
                "reason": reason,
                "config": config,
                "data": _data_hash(config),
                "history": history,
                "weights": predictions.weights if predictions else "",
                "environment": stored.environment(*device),
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(sum(history.get("seconds", [time.monotonic() - clock])), 1),
            },
            _arrays(predictions, data, config["task"]) if predictions else None,
        )

    try:
        method = methods.METHODS[config["method"]]
        return record(
            "complete", "", method(data, config["task"], config["seed"], checkpoint, **settings)
        )
    except methods.InfeasibleError as error:
        return record("infeasible", str(error))
    except OSError:
        raise  # a full or read-only disk is not the run's failure
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        if _shorter(config):  # an extension that fails leaves the record that there was
            raise RunError(f"{describe(config)}: failed: {reason}") from error
        return record("failed", reason)


def _shorter(config):
    """Whether there is a complete record of the run, if with fewer epochs."""
    try:
        return records.read(path(config)).status == "complete"
    except records.RecordError:
        return False


def _arrays(predictions, data, task):
    arrays = {
        "truth": data.labels[task]["TEST"],
        "truth_simple": data.labels[task]["TEST_SIMPLE"],
        "labels": predictions.labels,
        "labels_simple": predictions.labels_simple,
        "probabilities": predictions.probabilities,
        "probabilities_simple": predictions.probabilities_simple,
        "confusion_train": predictions.confusion_train,
    }
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


def _study():
    path = paths.checkout() / "study.yml"
    return _parsed(path, path.read_bytes())


@functools.lru_cache(maxsize=1)
def _parsed(path, raw):
    import yaml

    try:
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    whole = isinstance(found, dict) and all(
        isinstance(found.get(name), kind) for name, kind in (("profiles", dict), ("runs", list))
    )
    for entry in [*found["profiles"].values(), *found["runs"]] if whole else [None]:
        if not (isinstance(entry, dict) and all(isinstance(key, str) for key in entry)):
            raise ValueError(f"{path} has no profiles and runs, each a set of names and values")
    return found
