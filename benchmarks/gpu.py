"""Is there a GPU, does it compute what the processor does, and how fast? ``make gpu``.

For each installed backend of Keras, a process trains DCLNN for 20 steps without chance, and then
for two epochs as the study does; another one takes the same 20 steps on the processor. At last the
first full run of DCLNN that ``study.yml`` lists and ``results`` lacks is trained.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bloodlib import study
from bloodlib.data import images, synthetic
from bloodlib.models import networks, training

STEPS = 20
#: Losses of a GPU and of the processor may differ by this: rounding, which grows step by step.
TOLERANCE = 1e-3
#: What hides every GPU from a backend.
PROCESSOR = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def main(arguments=None) -> int:
    """Try every backend that is installed, then train the first missing run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, help="so many images in an epoch, not all of TRAIN")
    parser.add_argument("--any", action="store_true", help="go on without a GPU, as the tests do")
    parser.add_argument("--no-run", action="store_true", help="don't train a missing run")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(measure(options.images)))
        return 0
    best = 0, ""
    for backend in filter(importlib.util.find_spec, training.INSTALL):
        here = start(backend, 0)
        print(f"{backend}: {here['device'] or 'no GPU, the processor'}", flush=True)
        if not here["device"] and not options.any:
            print(f"  To see why: KERAS_BACKEND={backend} python -c 'import {backend}'")
            continue
        there = start(backend, 0, PROCESSOR)
        furthest = max(abs(a - b) for a, b in zip(here["losses"], there["losses"], strict=True))
        agrees = furthest < TOLERANCE
        print(f"  losses of {STEPS} steps within {furthest:.1e} of the processor's", end="")
        print("." if agrees else f": more than {TOLERANCE}, so its runs would not be this study's.")
        speed = start(backend, options.images)["images_per_second"]
        print(f"  {speed:.0f} images a second", flush=True)
        best = max(best, (speed * agrees, backend))
    if not best[0]:
        print("No GPU can be used here. `pip install '.[gpu]'` installs TensorFlow's on Linux.")
        return 1
    return 0 if options.no_run else train_missing(best[1])


def start(backend, n, environment=None):
    """Measure in a process of its own, as a process has one backend and its GPUs for good."""
    command = [sys.executable, __file__, "--child"]
    command += [] if n is None else ["--images", str(n)]
    variables = os.environ | {"KERAS_BACKEND": backend} | (environment or {})
    ended = subprocess.run(  # noqa: S603 - this file
        command, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(ended.stdout.splitlines()[-1])


def measure(n):
    """The device, the losses of a few steps, and the speed of two epochs of ``n`` images."""
    keras = training.load_keras()
    cells = synthetic.load("TRAIN", n=32)
    batch = cells.pixels.astype("float32"), cells.labels.astype("int32")
    model = networks.build_dclnn(len(images.CLASSES))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
    model.compile(keras.optimizers.Adadelta(0.01), "sparse_categorical_crossentropy")
    found = {
        "device": training.device_name(),
        "losses": [float(model.train_on_batch(*batch)) for _ in range(STEPS)],
    }
    if n == 0:
        return found
    data = study.load("published" if images.available() else "drawn", None)
    data = data.head(n // len(images.CLASSES)) if n else data
    with tempfile.TemporaryDirectory() as folder:
        learned = networks.dclnn(data, "four", 0, Path(folder) / "checkpoint.npz", epochs=2)
    seconds = learned.history["seconds"][-1]
    return found | {"images_per_second": len(data.pixels["TRAIN"]) / seconds}


def train_missing(backend):
    """Train the first full run of DCLNN that has no record, and say how to keep it."""
    missing = [c for c in study.grid(only=["DCLNN"]) if study.recorded(c) is None]
    if not missing:
        print("Every run of DCLNN in study.yml has a record.")
        return 0
    name = study.identify(missing[0])
    command = [Path(sys.executable).with_name("bloodlib"), "study", "--only", name]
    variables = os.environ | {"KERAS_BACKEND": backend}
    code = subprocess.run(command, env=variables).returncode  # noqa: S603 - our own command
    if code == 0:
        print(f"To keep it: git add results/runs/{name}*; git commit; and open a pull request.")
    return code


if __name__ == "__main__":
    sys.exit(main())
