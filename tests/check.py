"""``make check``: every fault, fuzzing, coverage and mutants; the last line is the tally.

``--long`` tries what takes minutes too, chance ten times as often, and every mutant; ``--freeze``
tries what takes minutes too, and keeps what was found in ``results/check.json``, from a clean
checkout alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bloodlib.analyses import checked
from bloodlib.data import stored

ROOT = Path(__file__).parents[1]
MODULES = ("scores", "arithmetic", "records")
#: Branches of each of them that tests must reach, in percent.
LEAST = 95
#: How many times as often as in the ordinary tests chance is tried, and the share of the mutants.
SHORT, LONG = (5, 0.15), (50, 1.0)


def run(folder: Path, marks: str, scale: int, share: float) -> tuple[dict, bool]:
    """Run everything, two processes at once: what was found, and whether every test passed."""
    tally, tried, covered = (folder / name for name in ("tally", "mutants", "covered"))
    searched = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "BLOODLIB_SCALE": str(scale),
        "BLOODLIB_TALLY": str(tally),
        "COVERAGE_FILE": str(folder / "lines"),
        "PYTHONPATH": searched,
    }

    def python(*words):
        return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment)

    test = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    mutants = python("tests/mutants.py", str(share), str(tried))
    faults = python(*test, "-p", "tally", "-m", marks, "-o", "timeout=3600", "tests/faults")
    failed = faults.wait()
    environment |= {"BLOODLIB_SCALE": "1", "BLOODLIB_TALLY": ""}
    include = ",".join(f"bloodlib/{module}.py" for module in MODULES)
    files = [f"tests/test_{module}.py" for module in MODULES]
    measured = python(
        *("-m", "coverage", "run", "--branch", f"--include={include}"),
        *(*test, *files, "tests/faults/test_records.py"),
    )
    failed |= measured.wait()
    failed |= python("-m", "coverage", "json", "-q", "-o", str(covered)).wait()
    failed |= mutants.wait()
    if not (tally.exists() and tried.exists() and covered.exists()):
        raise SystemExit("check: a part of it ended without a result; see above.")
    files = json.loads(covered.read_bytes())["files"]
    summaries = {Path(name).stem: found["summary"] for name, found in files.items()}
    found = {
        "faults": json.loads(tally.read_bytes()),
        "mutants": json.loads(tried.read_bytes()),
        "coverage": {
            module: {
                "branches": summaries[module]["num_branches"],
                "reached": summaries[module]["covered_branches"],
            }
            for module in MODULES
        },
    }
    return found, not failed


def main() -> int:
    """Check, and say what was found: 0 if all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="chance more often, every mutant")
    parser.add_argument("--freeze", action="store_true", help="keep it in results/check.json")
    options = parser.parse_args()
    commit = stored.commit()
    if options.freeze and (not commit or commit.endswith("-dirty")):
        print("check: --freeze needs a checkout without changes. Commit them first.")
        return 2
    scale, share = LONG if options.long else SHORT
    marks = "faults" if options.long or options.freeze else "faults and not long"
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bloodlib-") as folder:
        found, passed = run(Path(folder), marks, scale, share)
    found = {
        "command": "make check-freeze",
        "environment": stored.environment("", ""),
        "started": started,
        "seconds": round(time.monotonic() - clock),
        **found,
    }
    problems = [] if passed else ["a test failed"]
    for module, lines in found["coverage"].items():
        share = 100 * lines["reached"] / lines["branches"] if lines["branches"] else 100
        print(f"{module}: {share:.1f} % of {lines['branches']} branches reached")
        if share < LEAST:
            problems.append(f"{module}: less than {LEAST} % of its branches are reached")
    for module, tried in found["mutants"].items():
        for one in tried["survivors"]:
            print(f"{module}.py:{one['line']}: {one['was']} -> {one['is']}: {one['why']}")
            if not one["why"]:
                problems.append(f"{module}.py:{one['line']}: a survivor without an explanation")
    if options.freeze and passed:
        checked.freeze(found)
    for problem in problems:
        print(f"check: {problem}")
    print(checked.tally(found))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
