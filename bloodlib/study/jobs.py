"""Runs as jobs: one by one, several at once on one machine, or on many machines.

:func:`run` is what ``Snakefile`` calls on whichever machine a job lands; the others are
``bloodlib study``.
"""

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bloodlib import study
from bloodlib.data import paths


def run(chapter: str, config: dict, profile: str, log: Path) -> None:
    """Run a chapter with papermill on one configuration, which records the run.

    Parameters
    ----------
    chapter : str
        Name of a chapter with the parameters ``profile`` and ``settings``.
    config : dict
        See :func:`bloodlib.study.resolve`.
    profile : {"quick", "full"}
        See :func:`bloodlib.study.run`.
    log : pathlib.Path
        Where the executed notebook is left.

    Raises
    ------
    bloodlib.book.chapter.ChapterError
        If the chapter failed and there is no record. With one, whatever failed after it was written
        stands in the log.
    """
    from bloodlib.book import chapter as chapters

    log.parent.mkdir(parents=True, exist_ok=True)
    source = paths.checkout() / "chapters" / f"{chapter}.py"
    try:
        chapters.run(source, {"profile": profile, "settings": config}, log)
    except chapters.ChapterError as error:
        if study.is_open(config):
            raise
        print(f"{log}: {error}", file=sys.stderr)


def one_by_one(
    configs: list[dict], started: Callable[[dict], None]
) -> Iterator[tuple[dict, str, bool]]:
    """Compute runs in this process, those that another process is computing last.

    Parameters
    ----------
    configs : list of dict
        See :func:`bloodlib.study.resolve`.
    started : callable
        Called with each run when it starts.

    Yields
    ------
    tuple of dict, str and bool
        Each run as it ends, what became of it in words, and whether it has a record that stands.
    """
    later = []
    for config in configs:
        started(config)
        try:
            yield config, *_compute(config, wait=False)
        except study.BusyError:
            later.append(config)
    for config in later:
        started(config)
        yield config, *_compute(config, wait=True)


def at_once(
    configs: list[dict], started: Callable[[dict], None], n: int, profile: str
) -> Iterator[tuple[dict, str, bool]]:
    """Compute runs in processes of their own, ``n`` at once, each on its share of the processors.

    Only Linux can keep a process to some of the processors; elsewhere they share them all.

    Parameters
    ----------
    configs, started
        As for :func:`one_by_one`; the runs are such of ``study.yml``.
    n : int
        How many at once.
    profile : {"quick", "full"}
        The profile that the runs are of.

    Yields
    ------
    tuple of dict, str and bool
        As from :func:`one_by_one`.

    Raises
    ------
    ValueError
        If there are fewer processors than ``n``.
    """
    pinned = hasattr(os, "sched_setaffinity")
    processors = sorted(os.sched_getaffinity(0)) if pinned else range(os.cpu_count() or 1)
    if not 1 <= n <= len(processors):
        raise ValueError(f"--jobs {n}: there are {len(processors)} processors here")
    shares = queue.SimpleQueue()
    for share in np.array_split(processors, n):
        shares.put(share.tolist())

    def pin():
        if pinned:  # this thread alone, and with it the processes that it starts
            os.sched_setaffinity(0, shares.get())

    def work(config):
        started(config)
        name = study.identify(config)
        command = ["study", "--only", name, "--profile", profile, "--images", config["images"]]
        ended = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bloodlib.cli", *command],
            env=os.environ | {"TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        said = (ended.stdout.strip().splitlines() or [""])[-1]
        if ended.returncode not in (0, 1):
            said = f"{name}  its process ended with {ended.returncode}: {said}"
        return said, ended.returncode == 0

    with ThreadPoolExecutor(n, initializer=pin) as pool:
        running = {pool.submit(work, config): config for config in configs}
        try:
            for ended in as_completed(running):
                yield running[ended], *ended.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def time_left(
    waiting: Collection[float | None], ended: Collection[tuple[float, float]], n: int = 1
) -> str:
    """How long the runs that are left may take, at the pace of those that ended, in words.

    Parameters
    ----------
    waiting : collection of float or None
        Expected seconds of each run that has not ended (``study.expected_seconds``).
    ended : collection of tuple of float
        Expected and real seconds of those that have.
    n : int
        Runs at once.
    """
    known = [seconds for seconds in waiting if seconds is not None]
    if not known:
        return "time left unknown"
    pace = sum(real for _, real in ended) / sum(guess for guess, _ in ended) if ended else 1
    words = "about" if len(known) == len(waiting) else "more than"
    return f"{words} {tqdm.format_interval(pace * sum(known) / n)} left"


def _compute(config, wait):
    try:
        record = study.compute(config, wait)
    except study.RunError as error:
        return f"{study.identify(config)}  {error}", not study.is_open(config)
    return f"{record.id}  {study.describe(config)}  {record.seconds:.0f} s", True
