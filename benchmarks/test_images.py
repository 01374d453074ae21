"""Reading the images: JPEG files to arrays of 60 × 80, and arrays decoded before."""

import numpy as np
import pytest
from PIL import Image

from bloodlib.data import images

pytestmark = pytest.mark.skipif(not images.available(), reason="no real images here")
N = 2487


@pytest.fixture
def folder():
    """TEST's images."""
    return images.find() / "images" / "TEST"


def test_decoding_ours(contest, monkeypatch, tmp_path):
    """All of TEST, nothing decoded before."""

    def work():
        monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / str(np.random.default_rng().random())))
        return images.load("TEST").pixels

    contest("decoding JPEG files", "bloodlib", work, ours=True, images=N)


def test_decoding_pillow(contest, folder):
    """A plain loop."""

    def work():
        found = []
        for name in images.names("TEST"):
            with Image.open(folder / name) as image:
                found.append(np.asarray(image.resize((80, 60), Image.Resampling.BILINEAR)))
        return np.stack(found)

    contest("decoding JPEG files", "Pillow in a loop", work, images=N)


def test_decoding_keras(contest, folder):
    """Keras' loader, which looks at four pixels for each of its own: its pixels are others."""
    from bloodlib.models import training

    keras = training.load_keras()

    def work():
        found = keras.utils.image_dataset_from_directory(
            folder, image_size=(60, 80), batch_size=256, shuffle=False, verbose=False
        )
        return np.concatenate([batch for batch, _ in found.as_numpy_iterator()])

    contest("decoding JPEG files", "Keras' loader", work, images=N)


def test_loading(contest):
    """TRAIN, decoded before."""
    contest("loading TRAIN, decoded before", "bloodlib", lambda: images.load("TRAIN"), ours=True)
