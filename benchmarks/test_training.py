"""Training DCLNN: our step, stock Keras', and PyTorch's, all fed the same augmented batches.

``KERAS_BACKEND=jax make bench`` measures stock Keras on JAX.
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
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "Keras"])
def test_keras(contest, batches, size, precision, ours):
    """Our layers and optimizer for processors, or those of Keras."""
    keras = training.load_keras()
    model, adadelta = networks.build_dclnn(4, precision=precision), keras.optimizers.Adadelta
    backend = keras.backend.backend()
    if ours:
        if backend != "tensorflow":
            pytest.skip("our step is for TensorFlow")
        from bloodlib.models import cpu_ops

        model, adadelta = cpu_ops.twin(model), cpu_ops.Adadelta
    model.compile(adadelta(1.0), "sparse_categorical_crossentropy")
    name = f"{'ours' if ours else f'Keras on {backend}'}, {precision}"
    work = steps(batches, model.train_on_batch)
    contest(f"training, batches of {size}", name, work, ours=ours, images=STEPS * size)


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
