"""Seconds to load TRAIN when it has been decoded before: verified by its list, and mapped."""

import tempfile
import time
from pathlib import Path

import numpy as np
from material import source
from rounds import serve

from bloodlib.data import images, synthetic


def measure():
    """Load TRAIN as a chapter does; of drawn images there is only a file to map."""
    clock = time.perf_counter()
    if images.available():
        images.load("TRAIN")
    else:
        images._mapped(drawn, shape)
    return {"value": time.perf_counter() - clock}


with tempfile.TemporaryDirectory() as folder:
    if not images.available():
        pixels = synthetic.load("TRAIN").pixels
        drawn, shape = Path(folder, "drawn.npy"), pixels.shape
        np.save(drawn, pixels)
    measure()
    serve(measure, ("numpy",), images=source())
