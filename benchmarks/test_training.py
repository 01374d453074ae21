"""Training DCLNN: a step in Keras and one in PyTorch, both fed the same augmented batches.

``KERAS_BACKEND=jax make bench`` measures Keras on JAX.
"""

import itertools

import numpy as np
import pytest
from conftest import split

from bloodlib.models import networks, training

STEPS = 20


@pytest.fixture(params=[32, 128], ids=lambda size: f"batches of {size}")
def size(request):
    """Images a step."""
    return request.param


@pytest.fixture
def batches(size):
    """Batches without end, shuffled and augmented, as float32 images and labels."""
    pixels, labels = split("TRAIN", 2560)
    rng = np.random.default_rng(0)

    def endless():
        while True:
            rows = rng.choice(len(labels), size, replace=False)
            yield training.augment(pixels[rows], rng), labels[rows]

    return endless()


def steps(batches, learn):
    """Learn from some batches."""

    def work():
        for images, labels in itertools.islice(batches, STEPS):
            learn(images, labels)

    return work


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_ours(contest, batches, size, precision):
    """DCLNN in Keras, as it is trained here."""
    keras = training.load_keras()
    model = networks.build_dclnn(4, precision=precision)
    model.compile(keras.optimizers.Adadelta(1.0), "sparse_categorical_crossentropy")
    name = f"Keras on {keras.backend.backend()}, {precision}"
    work = steps(batches, model.train_on_batch)
    contest(f"training, batches of {size}", name, work, ours=True, images=STEPS * size)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_torch(contest, batches, size, precision):
    """The same network in PyTorch: eager, channels last."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 28 * 38, 128), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(128, 4)),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)

    def learn(images, labels):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
        nn.functional.cross_entropy(logits.float(), torch.from_numpy(labels).long()).backward()
        optimizer.step()

    work = steps(batches, learn)
    contest(f"training, batches of {size}", f"PyTorch, {precision}", work, images=STEPS * size)
