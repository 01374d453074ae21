"""Seconds of one epoch of training as ``bloodlib study`` runs it: TRAIN, TEST, the checkpoint."""

import argparse
import tempfile
import time
from pathlib import Path

from material import data, source
from rounds import serve

from bloodlib.models import dclnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--images", type=int, help="of TRAIN; all of them if not given")
parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
options = parser.parse_args()
found = data(options.images)


def measure():
    """One epoch from the beginning, compiling included."""
    clock = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        dclnn.dclnn(found, "four", 0, Path(folder, "c.npz"), epochs=1, precision=options.precision)
    return {"value": time.perf_counter() - clock}


serve(measure, ("keras", "tensorflow"), images=source())
