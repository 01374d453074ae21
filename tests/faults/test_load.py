"""Many runs: none is lost, none is computed twice, and memory stays flat."""

import collections
import gc

import psutil
import pytest

from bloodlib import study
from bloodlib.study import jobs, records

GRID = """\
profiles:
  quick: {images_per_class: 5}
  full: {}
runs:
  - {method: NB, task: [four, two], seed: [SEEDS]}
"""


@pytest.fixture
def grid(checkout):
    """A hundred runs that take no time."""
    checkout(GRID.replace("SEEDS", ", ".join(map(str, range(50)))))
    return study.grid("quick", "drawn")


def memory():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def compute(outcomes):
    """Compute runs; how many times each ended, and by how many MB memory grew after a tenth."""
    ended, early = collections.Counter(), None
    for config, said, stands in outcomes:
        assert stands, said
        ended[study.identify(config)] += 1
        early = memory() if len(ended) == 10 else early
    return ended, memory() - early


def is_whole(grid, folders, ended):
    names = {study.identify(config) for config in grid}
    assert len(names) == 100
    assert ended == dict.fromkeys(names, 1)
    found = records.read_all(folders.cache / "runs")
    assert {record.id for record in found} == names
    for record in found:
        study.check(record)
    assert len(list((folders.cache / "runs").iterdir())) == 200  # nothing else lies about


def test_a_hundred_runs_one_by_one(grid, folders, record_property):
    ended, grown = compute(jobs.one_by_one(grid, lambda config: None))
    is_whole(grid, folders, ended)
    assert grown < 20  # MB
    record_property("times", 100)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_hundred_runs_over_two_workers(grid, folders, record_property):
    ended, grown = compute(jobs.at_once(grid, lambda config: None, 2, "quick"))
    is_whole(grid, folders, ended)
    assert grown < 20  # MB
    record_property("times", 100)
