"""What everything costs, beside other ways to do it: ``make bench`` (pytest-benchmark).

A benchmark's group is a row of ``results/bench.json``: what is done, by ours and by its peers, one
after the other. The JSON file has pytest-benchmark's statistics, and ``rows`` with the ratios.
"""

import os

import pytest

from bloodlib import study
from bloodlib.data import images, synthetic
from bloodlib.models import methods

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


@pytest.fixture
def contest(benchmark):
    """A function that times some work: ``contest(row, name, work, images=...)``.

    ``ours`` says whose way it is; with ``images``, how many the work goes through, the row is about
    images a second, else about seconds. Returns what the work returned last.
    """

    def measure(row, name, work, *, ours=False, images=None, rounds=ROUNDS):
        benchmark.group, benchmark.name = row, name
        benchmark.extra_info |= {"ours": ours, "images": images, "source": source()}
        return benchmark.pedantic(work, rounds=rounds, warmup_rounds=int(rounds > 1))

    return measure


def source():
    """Which images there are: "published" or "drawn"."""
    return "published" if images.available() else "drawn"


def split(name, n):
    """Images of a split, evenly spaced, [n, 60, 80, 3], and their labels, four classes."""
    if not images.available():
        found = synthetic.load(name, n=n)
        return found.pixels, found.labels.astype("int32")
    found = images.load(name)
    rows = range(0, len(found.labels), max(1, len(found.labels) // n))[:n]
    return found.pixels[rows], found.labels[rows].astype("int32")


def data(n) -> methods.Data:
    """``n`` images of TRAIN and a quarter as many of TEST, for a method; all of them for None."""
    found = study.load(source(), None)
    return found.head(n // 4) if n else found


def pytest_benchmark_update_json(config, benchmarks, output_json):
    """Add the rows: ours, its peers, and how many times better ours is than the best of them."""
    groups = {}
    for found in output_json["benchmarks"]:
        groups.setdefault(found["group"], []).append(found)
    output_json["rows"] = [row(name, found) for name, found in groups.items()]


def row(name, found):
    """One row of the contest; ``ratio`` is above 1 where ours is better."""
    values, ours = {}, []
    for one in found:
        n, median = one["extra_info"]["images"], one["stats"]["median"]
        values[one["name"]] = n / median if n else median
        if one["extra_info"]["ours"]:
            ours.append(one["name"])
    per_second = found[0]["extra_info"]["images"] is not None
    better = max if per_second else min
    first = better(ours, key=values.get)
    peers = {label: value for label, value in values.items() if label not in ours}
    best = better(peers, key=peers.get) if peers else None
    ratio = None
    if best:
        ratio = values[first] / peers[best] if per_second else peers[best] / values[first]
    return {
        "row": name,
        "unit": "images/s" if per_second else "s",
        "ours": values[first],
        "ours_is": first,
        "also": {label: values[label] for label in ours if label != first},
        "peers": peers,
        "best": best,
        "ratio": ratio,
        "images": found[0]["extra_info"]["source"],
    }
