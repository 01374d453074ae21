"""A made-up record, and what somebody may do to one by hand."""

import hashlib
import io
import json

import numpy as np

ENVIRONMENT = {
    "commit": "",
    "python": "3.13",
    "platform": "",
    "processor": "",
    "device": "processor",
    "backend": "",
    "packages": {},
}


def made_up(epochs=2, n=9, seed=0, status="complete"):
    """A record's JSON entries and its arrays, for four classes."""
    rng = np.random.default_rng(seed)
    arrays = {
        "truth": np.arange(n, dtype=np.uint8) % 4,
        "truth_simple": np.arange(4, dtype=np.uint8),
        "labels": rng.integers(0, 4, (epochs, n), dtype=np.uint8),
        "labels_simple": rng.integers(0, 4, 4, dtype=np.uint8),
        "probabilities": rng.dirichlet(np.ones(4), n).astype(np.float16),
        "probabilities_simple": rng.dirichlet(np.ones(4), 4).astype(np.float16),
        "confusion_train": rng.integers(0, 9, (epochs, 4, 4), dtype=np.int32),
    }
    content = {
        "id": "fake-four-0123456789",
        "status": status,
        "reason": "" if status == "complete" else "it broke",
        "config": {
            "method": "fake",
            "task": "four",
            "seed": 0,
            "images": "drawn",
            "images_per_class": 9,
        },
        "data": "drawn-1",
        "history": {"loss": [0.5] * epochs} if status == "complete" else {},
        "weights": "",
        "environment": ENVIRONMENT,
        "started": "2025-01-01T00:00:00+00:00",
        "seconds": 1.5,
    }
    return content, arrays if status == "complete" else None


def edit(path, **entries):
    """Edit the JSON by hand; ``a__b`` is b in a."""
    content = json.loads(path.read_text())
    for key, value in entries.items():
        place = content
        *outer, last = key.split("__")
        for part in outer:
            place = place[part]
        place[last] = value
    path.write_text(json.dumps(content))


def forge(path, raw):
    """Put other predictions in place of a record's, its checksum made to agree."""
    name = json.loads(path.read_text())["arrays"]["file"]
    path.with_name(name).write_bytes(raw)
    edit(path, arrays__sha256=hashlib.sha256(raw).hexdigest())


def forge_arrays(path, **changed):
    arrays = {k: v for k, v in (made_up()[1] | changed).items() if v is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    forge(path, buffer.getvalue())


def npz(path):
    return next(path.parent.glob("*.npz"))


def flip(path, place):
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def files(folder):
    """Content of each file of a folder, by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
