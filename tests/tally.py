"""A plugin of pytest that counts faults and fuzzed inputs: ``-p tally BLOODLIB_TALLY=FILE``."""

import collections
import json
import os
from pathlib import Path

NONE = {"tried": 0, "survived": 0, "skipped": 0, "times": 0, "inputs": 0}
COUNTS = collections.defaultdict(lambda: dict(NONE))


def pytest_runtest_logreport(report):
    """Count a test of ``tests/faults``: its module is its heading.

    What was tried is in ``tried``, how many times in ``times``; a test of chance says so itself,
    and a test that fuzzes says its ``inputs``.
    """
    path = Path(report.location[0])
    if "faults" not in path.parts or (report.when != "call" and not report.skipped):
        return
    count, said = COUNTS[path.stem.removeprefix("test_")], dict(report.user_properties)
    count["skipped"] += report.skipped
    if not report.skipped:
        count["tried"] += 1
        count["survived"] += report.passed
        count["times"] += said.get("times", 1)
        count["inputs"] += said.get("inputs", 0)


def pytest_sessionfinish():
    """Write what was counted."""
    if path := os.environ.get("BLOODLIB_TALLY"):
        Path(path).write_text(json.dumps(COUNTS))
