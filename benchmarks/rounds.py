"""What every script here does: get ready, say so, and measure once for each line of its input.

``bloodlib bench`` keeps the scripts of a row running side by side and gives each its turn, round
after round, so that what slows the machine down for a while slows all of them. By hand::

    echo | python benchmarks/train_ours.py --precision mixed_bfloat16
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata


def serve(measure: Callable[[], dict], versions: tuple[str, ...] = (), **about) -> None:
    """Say in a line of JSON that all is ready, then measure once for each line of input.

    Parameters
    ----------
    measure : callable
        Returns a dict with ``value``; with ``answer``, where there is something to compare.
    versions : tuple of str
        Packages whose versions to tell.
    **about
        What else to tell, such as ``images="drawn"``.
    """
    _say({"ready": True, "versions": {name: metadata.version(name) for name in versions}} | about)
    for _ in sys.stdin:
        found = measure()
        _say({"peak_gb": peak_gb()} | found)


def peak_gb(children: bool = False) -> float | None:
    """The most memory that this process has held, or any of those it started, in GB.

    None where the system doesn't tell (Windows).
    """
    try:
        import resource
    except ImportError:
        return None
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(who).ru_maxrss * unit / 1e9, 3)


def rate(step: Callable[[], object], seconds: float) -> float:
    """How often a step is done in a second, over at least so many seconds and two steps."""
    steps, clock = 0, time.perf_counter()
    while (passed := time.perf_counter() - clock) < seconds or steps < 2:
        step()
        steps += 1
    return steps / passed


def _say(line):
    print(json.dumps(line), flush=True)
