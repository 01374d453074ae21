"""Networks trained on a few small drawn images, here and in processes of their own.

Backends that this Python lacks are tried in the Pythons that ``BLOODLIB_PYTHONS`` lists
(paths, separated as in PATH), and skipped if none has them.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bloodlib.data import synthetic
from bloodlib.data.images import NUCLEI, SPLITS
from bloodlib.models import methods, networks

SIZE = (24, 32)
# 20 images: two full batches and a half one. At the default rate so small a network soon dies.
SMALL = {"hidden": 16, "batch_size": 8, "learning_rate": 0.1}
BACKENDS = ("tensorflow", "jax", "torch")


@functools.cache
def drawn(train=20, test=12, size=SIZE):
    loaded = {
        split: synthetic.load(split, size=size, n=train if split == "TRAIN" else test)
        for split in SPLITS
    }
    nuclei = np.array(list(NUCLEI.values()), dtype=np.uint8)
    return methods.Data(
        {split: found.pixels for split, found in loaded.items()},
        {
            "four": {split: found.labels for split, found in loaded.items()},
            "two": {split: nuclei[found.labels] for split, found in loaded.items()},
        },
        "drawn",
    )


def train(folder, task="four", seed=3, data=None, **settings):
    return networks.dclnn(
        data or drawn(), task, seed, Path(folder) / "checkpoint.npz", **(SMALL | settings)
    )


def outcome(predictions):
    """Everything of a run that may not depend on how or when it was computed."""
    losses = {f"history_{k}": predictions.history[k] for k in ("loss", "val_loss")}
    arrays = {k: v for k, v in vars(predictions).items() if isinstance(v, np.ndarray)}
    return {"weights": predictions.weights, **losses, **arrays}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)


PRELUDE = """
import io, os, signal, sys
from pathlib import Path
import numpy as np
from bloodlib.models import methods, networks, training

folder = Path(sys.argv[1])
with np.load(folder / "images.npz") as stored:
    pixels = {s: stored[s] for s in ("TRAIN", "TEST", "TEST_SIMPLE")}
    labels = {t: {s: stored[f"{t}_{s}"] for s in pixels} for t in ("four", "two")}
data = methods.Data(pixels, labels, "drawn")

def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""


@functools.cache
def python_with(backend):
    """A Python that has the backend: this one, or one of BLOODLIB_PYTHONS."""
    listed = os.environ.get("BLOODLIB_PYTHONS", "").split(os.pathsep)
    for python in [sys.executable, *filter(None, listed)]:
        look = f"import importlib.util as u; raise SystemExit(u.find_spec({backend!r}) is None)"
        if subprocess.run([python, "-c", look], check=False).returncode == 0:
            return python
    return None


def start(backend, code, *arguments):
    """Run code with Keras on a backend, in a Python that has it."""
    python = python_with(backend)
    if python is None:
        pytest.skip(f"{backend} is not installed, nor in a Python of BLOODLIB_PYTHONS")
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(Path(networks.__file__).parents[1]),
    }
    return subprocess.run(
        [python, "-c", PRELUDE + code, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def put_images(folder, data):
    arrays = {f"{t}_{s}": data.labels[t][s] for t in ("four", "two") for s in SPLITS}
    np.savez(folder / "images.npz", **data.pixels, **arrays)
