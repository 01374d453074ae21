"""Seconds that a fresh process takes: to import bloodlib, to print its help, or for nothing."""

import argparse
import statistics
import subprocess
import sys
import time

from rounds import serve

COMMANDS = {
    "nothing": ["-c", "pass"],
    "import": ["-c", "import bloodlib"],
    "help": ["-m", "bloodlib.cli", "--help"],
}
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=COMMANDS)
options = parser.parse_args()


def measure():
    """The median of five processes."""
    passed = []
    for _ in range(5):
        clock = time.perf_counter()
        subprocess.run(  # noqa: S603
            [sys.executable, *COMMANDS[options.what]], check=True, stdout=subprocess.DEVNULL
        )
        passed.append(time.perf_counter() - clock)
    return {"value": statistics.median(passed), "peak_gb": None}


measure()
serve(measure)
