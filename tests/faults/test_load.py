"""A hundred runs: none is lost, none is computed twice, and memory stays flat."""

import gc

import psutil

from bloodlib import study
from bloodlib.study import records

GRID = """\
profiles:
  quick: {images_per_class: 5}
  full: {}
runs:
  - {method: NB, task: [four, two], seed: [SEEDS]}
"""


def memory():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def test_a_hundred_runs(checkout, folders, record_property):
    checkout(GRID.replace("SEEDS", ", ".join(map(str, range(50)))))
    grid, early = study.grid("quick", "drawn"), None
    for number, config in enumerate(grid):
        study.compute(config)
        early = memory() if number == 10 else early
    assert memory() - early < 20  # MB
    before = {path: path.stat().st_mtime_ns for path in (folders.cache / "runs").iterdir()}
    assert len(before) == 200  # nothing else lies about
    for config in grid:
        study.check(study.compute(config))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    found = {record.id for record in records.read_all(folders.cache / "runs")}
    assert found == {study.identify(config) for config in grid}
    record_property("times", 100)
