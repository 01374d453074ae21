"""Training a network in Keras: epochs, batches, augmentation, checkpoints.

Written for Keras 3's own API: ``KERAS_BACKEND`` chooses TensorFlow (the default), JAX or PyTorch.
Order, augmentation and dropout of a training step are functions of (seed, epoch, step) alone, and
each epoch ends with a checkpoint, so that a run killed anywhere and started again ends as the
unbroken run does.
"""

import contextlib
import functools
import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from bloodlib.data import stored
from bloodlib.data.images import TASKS
from bloodlib.models.methods import Data, Predictions

INSTALL = {
    "tensorflow": "pip install tensorflow",
    "jax": "pip install 'bloodlib[jax]'",
    "torch": "pip install 'bloodlib[torch]'",
}
HISTORY = ("loss", "val_loss", "seconds")


@functools.cache
def load_keras():
    """Import Keras on the chosen backend, quietly, with GPU memory taken as needed.

    Returns
    -------
    module
        ``keras``.

    Raises
    ------
    ImportError
        If the backend that ``KERAS_BACKEND`` names is not installed.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend not in INSTALL or importlib.util.find_spec(backend) is None:
        raise ImportError(
            f"KERAS_BACKEND is {backend!r}, which is not installed here. "
            + (INSTALL.get(backend) or f"Choose one of {', '.join(INSTALL)}.")
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: memory as needed
    with _no_stderr():  # TensorFlow's first lines come before its log level is read
        import keras

        if backend == "tensorflow":
            import tensorflow

            for gpu in tensorflow.config.list_physical_devices("GPU"):
                tensorflow.config.experimental.set_memory_growth(gpu, True)
    keras.utils.disable_interactive_logging()
    return keras


def device_name() -> str:
    """Name of the GPU that Keras computes on, or an empty string for the processor."""
    backend = load_keras().backend.backend()
    if backend == "tensorflow":
        import tensorflow

        gpus = tensorflow.config.list_physical_devices("GPU")
        details = tensorflow.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("device_name", "GPU") if gpus else ""
    if backend == "jax":
        import jax

        return "" if jax.devices()[0].platform == "cpu" else jax.devices()[0].device_kind
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def has_short_floats() -> bool:
    """Whether the processor has instructions for bfloat16, as far as the system tells."""
    try:
        return "bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def augment(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, shift and mirror images at random, as the Kaggle notebook does while training.

    Rotation by up to 10 degrees, shifts by up to a tenth of height and width, a
    mirror image every second time; what comes in at the edges repeats the
    nearest pixel.

    Parameters
    ----------
    pixels : array [n, height, width, 3]
        Images.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    float32 array [n, height, width, 3]
        In the range of the input.
    """
    n, height, width, _ = pixels.shape
    angle = np.deg2rad(rng.uniform(-10, 10, n))
    down, right = rng.uniform(-0.1, 0.1, (2, n)) * [[height], [width]]
    mirror = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    # where the pixel at (x, y) comes from: about the centre, mirrored, turned, then shifted
    x, y = (width - 1) / 2, (height - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    matrices = np.stack(
        [
            [cos * mirror, -sin, x + right - cos * mirror * x + sin * y],
            [sin * mirror, cos, y + down - sin * mirror * x - cos * y],
        ]
    )
    turned = np.empty(pixels.shape, np.float32)
    for image, matrix, result in zip(pixels, np.moveaxis(matrices, 2, 0), turned, strict=True):
        cv2.warpAffine(
            image.astype(np.float32), matrix, (width, height), dst=result,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
    return turned


def train(
    model,
    optimizer,
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    epochs: int,
    batch_size: int,
    augmentation: bool = True,
    title: str = "",
) -> Predictions:
    """Train a network on TRAIN with cross-entropy, and predict TEST after each epoch.

    Parameters
    ----------
    model : keras.Model
        From float images in 0..255, [n, height, width, 3], to probabilities [n, classes]; its
        layers in a row, those of dropout in any place.
    optimizer : keras.Optimizer
        With or without a schedule of learning rates.
    data : Data
        Images, of the network's size.
    task : {"four", "two"}
        Classes.
    seed : int
        Seed of order, augmentation and dropout; that of the weights is the network's own.
    checkpoint : pathlib.Path
        Where to keep the state after each epoch, and to go on from.
    epochs : int
        How often to go through TRAIN; a checkpoint that has gone further is kept.
    batch_size : int
        Images a step.
    augmentation : bool
        Whether to :func:`augment` while training.
    title : str
        Name of the progress bar.

    Returns
    -------
    Predictions

    Raises
    ------
    FloatingPointError
        If the loss becomes NaN or infinite.
    """
    keras = load_keras()
    x, y = data.pixels["TRAIN"], data.labels[task]["TRAIN"]
    metrics = [_confusion_metric(len(TASKS[task]))]
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    state = _restore(model, checkpoint)
    done = len(state["loss"])
    with tqdm(
        desc=title,
        initial=len(x) * min(done, epochs),
        total=len(x) * epochs,
        unit=" images",
        unit_scale=True,
        mininterval=1.0,
    ) as bar:
        for epoch in range(done, epochs):
            clock = time.monotonic()
            _seed_dropout(model, seed, epoch)
            batches = _batches(x, y, batch_size, augmentation, seed, epoch)
            loss, confusion = _epoch(model, batches, bar)
            tests = {
                split: model.predict(data.pixels[split], batch_size=256, verbose=0)
                for split in ("TEST", "TEST_SIMPLE")
            }
            bar.set_postfix(epoch=epoch + 1, loss=f"{loss:.3f}")
            truth = data.labels[task]["TEST"]
            likelihood = tests["TEST"][np.arange(len(truth)), truth]
            val_loss = -np.log(np.maximum(likelihood, 1e-7)).mean()
            if not np.isfinite([loss, val_loss]).all():  # the last step may be the one that fails
                raise FloatingPointError(
                    f"the loss became {loss + val_loss} in epoch {epoch + 1}: "
                    "lower learning_rate, or train in float32"
                )
            state["loss"].append(loss)
            state["val_loss"].append(val_loss)
            state["seconds"].append(time.monotonic() - clock)
            state["labels"].append(tests["TEST"].argmax(axis=1).astype(np.uint8))
            state["confusion"].append(confusion.astype(np.int32))
            state |= tests
            _save(model, checkpoint, state)
    return Predictions(
        labels=np.stack(state["labels"]),
        labels_simple=state["TEST_SIMPLE"].argmax(axis=1).astype(np.uint8),
        probabilities=state["TEST"].astype(np.float16),
        probabilities_simple=state["TEST_SIMPLE"].astype(np.float16),
        confusion_train=np.stack(state["confusion"]),
        history={name: [round(float(v), 6) for v in state[name]] for name in HISTORY},
        weights=weights_hash(model.get_weights()),
        device=device_name(),
        backend=keras.backend.backend(),
    )


def weights_hash(weights: list[np.ndarray]) -> str:
    """SHA-256 of a network's weights, float32 in Keras' order."""
    return stored.checksum(b"".join(np.ascontiguousarray(w, "<f4").tobytes() for w in weights))


def _batches(pixels, labels, batch_size, augmentation, seed, epoch):
    """One epoch of shuffled, augmented batches, each a function of (seed, epoch, step)."""
    order = np.random.default_rng([seed, epoch]).permutation(len(labels))
    for step, start in enumerate(range(0, len(order), batch_size)):
        rows = np.sort(order[start : start + batch_size])
        images = pixels[rows]
        if augmentation:
            images = augment(images, np.random.default_rng([seed, epoch, step]))
        yield images.astype("float32"), labels[rows].astype("int32")


def _epoch(model, batches, bar):
    """Learn from an epoch's batches: its mean loss and its counts of (true, predicted)."""
    total, confusion, seen = 0.0, 0, 0
    for images, labels in _ahead(batches):
        found = model.train_on_batch(images, labels, return_dict=True)
        total += float(found["loss"]) * len(labels)
        confusion = confusion + np.asarray(found["confusion"])
        seen += len(labels)
        bar.update(min(len(labels), bar.total - bar.n))
        if not np.isfinite(total):
            break
    return total / seen, confusion


def _ahead(batches: Iterator) -> Iterator:
    """The same batches, each made while the one before it is learned from."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _seed_dropout(model, seed, epoch):
    keras = load_keras()
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    for number, layer in enumerate(dropouts):
        if layer.rate:  # else it draws nothing, and has no seed
            start = np.random.SeedSequence([seed, epoch, number]).generate_state(1)[0]
            state = layer.seed_generator.state
            # TensorFlow keeps the state as a signed number, the others as an unsigned one
            dtype = keras.backend.standardize_dtype(state.dtype)
            state.assign(np.array([start >> 1, 0], dtype=dtype))


def _confusion_metric(classes):
    """Counts of (true, predicted) in a batch, before the step that it leads to."""
    keras = load_keras()

    class Confusion(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="confusion")
            self.counts = self.add_variable((classes, classes), initializer="zeros", name="counts")

        def update_state(self, y_true, y_pred, sample_weight=None):
            true = keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), classes)
            predicted = keras.ops.one_hot(keras.ops.argmax(y_pred, axis=-1), classes)
            self.counts.assign_add(keras.ops.matmul(keras.ops.transpose(true), predicted))

        def result(self):
            return keras.ops.convert_to_tensor(self.counts)

    return Confusion()


def _save(model, checkpoint, state):
    arrays = {f"weight_{i}": w for i, w in enumerate(model.get_weights())}
    arrays |= {
        f"optimizer_{i}": load_keras().ops.convert_to_numpy(v)
        for i, v in enumerate(model.optimizer.variables)
    }
    arrays |= {name: np.asarray(value) for name, value in state.items()}
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    for left in checkpoint.parent.glob(f".{checkpoint.name}.*.tmp"):  # by a run that was killed
        left.unlink()
    stored.write_atomically(checkpoint, lambda file: np.savez(file, **arrays))


def _restore(model, checkpoint):
    """The state after the last whole epoch, which model and optimizer take over; empty if none."""
    state = {name: [] for name in (*HISTORY, "labels", "confusion")}
    if not checkpoint.exists():
        return state
    variables = model.optimizer.variables
    try:  # read all of it before any of it is used
        arrays = stored.unpack(checkpoint.read_bytes())
        weights = [arrays[f"weight_{i}"] for i in range(len(model.get_weights()))]
        slots = [arrays[f"optimizer_{i}"] for i in range(len(variables))]
        found = {name: list(arrays[name]) for name in state}
        found |= {name: arrays[name] for name in ("TEST", "TEST_SIMPLE")}
    except (KeyError, ValueError) as error:
        warnings.warn(
            f"{checkpoint} is damaged ({error}): training starts anew and replaces it",
            stacklevel=3,
        )
        return state
    model.set_weights(weights)
    for variable, value in zip(variables, slots, strict=True):
        variable.assign(value)
    return found


@contextlib.contextmanager
def _no_stderr():
    """Send file descriptor 2 nowhere for a while: compiled code writes there directly."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
