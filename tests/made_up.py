"""A small made-up dataset with a manifest of its own, for the tests of images and of fetching."""

import dataclasses
import functools
import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from bloodlib.data import images

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
VICTIM = "images/TRAIN/MONOCYTE/_1_7.jpeg"


def jpeg(seed, size, mode="RGB", kind="JPEG"):
    """Bytes of a JPEG of coloured blobs."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode).save(file, kind)
    return file.getvalue()


@functools.cache
def published():
    """Content of each file of the made-up dataset, by its path."""
    files = {
        f"images/{split}/{name}/_{i}_{7 * i}.jpeg": jpeg([s, c, i], (320, 240))
        for s, split in enumerate(images.SPLITS)
        for c, name in enumerate(images.CLASSES)
        for i in range(2 + (split == "TRAIN"))
    }
    for number in (0, 3):
        files[f"Original_Images/BloodImage_{number:05d}.jpg"] = jpeg([9, number], (640, 480))
    rows = [",Image,Category", ",0,NEUTROPHIL", ',3,"MONOCYTE,  BASOPHIL"', ",4,", ",5,MONOCYTE"]
    files["labels.csv"] = "\r\n".join(rows).encode()
    return files


def publish(monkeypatch, files, repository="file:///nowhere", commit="HEAD"):
    """Make the module believe that these files are what was published, and there."""
    shas = {
        path: hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()
        for path, content in sorted(files.items())
    }
    hashes = {
        part: "+".join(sha for path, sha in shas.items() if path.startswith(part))
        for part in images.SOURCE.hashes
    }
    source = dataclasses.replace(images.SOURCE, hashes=hashes, repository=repository, commit=commit)
    monkeypatch.setattr(images, "manifest", lambda: shas)
    monkeypatch.setattr(images, "SOURCE", source)
    images.names.cache_clear()


def write(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
