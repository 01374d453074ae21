"""What the page "Try it" needs beside its text: the networks, and pictures to try, as scripts.

A browser fetches nothing for a page that was opened from disk, but runs the scripts beside it.
``assets/try-it`` holds those that were written by hand.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np

from bloodlib.analyses import likeness, prediction
from bloodlib.data import images, paths, synthetic
from bloodlib.data.images import TASKS
from bloodlib.models import weights

FOLDER = "try-it"
#: The seed of each class's drawn cell.
SEEDS = (3, 5, 2, 1)


def write(folder: Path) -> None:
    """Write ``weights-four.js``, ``weights-two.js`` and ``facts.js`` into a folder.

    Each calls ``bloodlib.give(name, value)``.

    Raises
    ------
    bloodlib.study.records.RecordError
        If there are no networks, or they can't be trusted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in [("facts", facts()), *((f"weights-{t}", network(t)) for t in TASKS)]:
        script = f"bloodlib.give({json.dumps(name)}, {json.dumps(value)});\n"
        paths.write_atomically(folder / f"{name}.js", script.encode())


def network(task: str) -> dict:
    """A trained network for JSON: ``classes``; ``block``; ``arrays``, each in base 64 by name."""
    return {
        "classes": list(TASKS[task]),
        "block": weights.BLOCK,
        "arrays": {
            name: {
                "shape": list(array.shape),
                "type": array.dtype.name,
                "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
            }
            for name, array in weights.arrays(task).items()
        },
    }


def facts() -> dict:
    """What the page says besides: for ``likeness``, the warning, and drawn cells."""
    return {
        "likeness": {name: a.tolist() for name, a in likeness.load_reference()._asdict().items()},
        "limit": likeness.LIMIT,
        "warning": prediction.WARNING,
        "drawn": [
            {"name": name.capitalize(), "picture": _drawn(label)}
            for label, name in enumerate(images.CLASSES)
        ],
    }


def _drawn(label):
    """A drawn cell as a data URL."""
    from PIL import Image

    pixels = synthetic.draw(label, np.random.default_rng(SEEDS[label]), (240, 320))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
