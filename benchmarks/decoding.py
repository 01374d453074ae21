"""Images a second from JPEG files to arrays of 60 x 80: ours, a plain loop, or Keras' loader."""

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
from material import source
from PIL import Image
from rounds import serve

from bloodlib.data import images, synthetic

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--by", choices=("ours", "loop", "keras"), default="ours")
parser.add_argument("--images", type=int, default=2487, help="how many, at most")
options = parser.parse_args()
SIZE = (60, 80)


def files(folder):
    """The first images of TEST by class, or drawn ones, written to a folder of their own."""
    if images.available():
        names = images.names("TEST")[: options.images]
        return [images.find() / "images" / "TEST" / name for name in names]
    rng, found = np.random.default_rng(0), []
    for number in range(min(options.images, 400)):
        path = folder / "drawn" / images.CLASSES[number % 4] / f"{number:04}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(synthetic.draw(number % 4, rng, (240, 320))).save(path)
        found.append(path)
    return sorted(found)


def loop():
    """What one would write first."""
    pixels = []
    for path in paths:
        with Image.open(path) as image:
            pixels.append(np.asarray(image.resize(SIZE[::-1], Image.Resampling.BILINEAR)))
    return np.stack(pixels)


def keras_loader():
    """Keras' loader; it resizes without looking at all pixels, so that its answer is another."""
    found = keras.utils.image_dataset_from_directory(
        linked, image_size=SIZE, batch_size=256, shuffle=False, verbose=False
    )
    return np.concatenate([batch for batch, _ in found.as_numpy_iterator()])


def measure():
    """Decode all files."""
    clock = time.perf_counter()
    pixels = {
        "ours": lambda: images._decode_all(paths, SIZE),
        "loop": loop,
        "keras": keras_loader,
    }[options.by]()
    passed = time.perf_counter() - clock
    assert pixels.shape == (len(paths), *SIZE, 3)
    return {"value": len(paths) / passed, "answer": hashlib.sha256(pixels.tobytes()).hexdigest()}


with tempfile.TemporaryDirectory() as temporary:
    paths = files(Path(temporary))
    versions = ("pillow",)
    if options.by == "keras":
        from bloodlib.models import training

        keras = training.load_keras()
        versions = ("keras", "tensorflow")
        linked = Path(temporary, "linked")  # Keras wants a folder for itself
        for path in paths:
            link = linked / path.parent.name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    measure()  # the files are in the system's memory from here on, for everybody
    serve(measure, versions, images=source())
