"""DCLNN, the network of section 4.2: two convolutions, one pooling layer, one hidden layer.

What the paper states is fixed here. What it leaves open is a setting of
:func:`dclnn`, whose default is what the notebook it descends from uses
(:data:`bloodlib.paper.UNSTATED`).

It is trained by :mod:`bloodlib.models.training`.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.data.images import TASKS
from bloodlib.models.methods import Data, Predictions, method
from bloodlib.models.training import device_name, load_keras, train


def build(
    classes: int,
    pooling: str = "max",
    hidden: int = 128,
    hidden_dropout: float = 0.5,
    seed: int = 0,
    size: tuple[int, int] = (60, 80),
    precision: str = "float32",
    activation: str = "relu",
    strides: int = 1,
):
    """The network of section 4.2, untrained.

    Parameters
    ----------
    classes : int
        Number of output nodes.
    pooling : {"max", "average", "none"}
        Kind of the one pooling layer; without it the hidden layer gets four times as many numbers.
    hidden : int
        Nodes of the hidden layer, left blank in the paper.
    hidden_dropout : float
        Dropout after the hidden layer.
    seed : int
        Seed of the initial weights.
    size : tuple of int
        Height and width of the images.
    precision : {"float32", "mixed_bfloat16"}
        Keras' dtype policy of all layers but the scaling and the output, which stay float32.
    activation : {"relu", "tanh"}
        Of both convolutions and the hidden layer: section 4.2 has ReLU, equations 7 to 10 tanh.
    strides : int
        Of the first convolution, in pixels; the lineage has 2 for two classes.

    Returns
    -------
    keras.Sequential
        From uint8 or float images in 0..255, [n, height, width, 3], to probabilities [n, classes].
    """
    keras = load_keras()
    layers = keras.layers
    seeds = iter(np.random.SeedSequence(seed).generate_state(4).tolist())

    def glorot():
        return keras.initializers.GlorotUniform(seed=next(seeds))

    def convolution(filters, name, strides):
        return layers.Conv2D(
            filters, 3, strides, activation=activation, kernel_initializer=glorot(), name=name,
            dtype=precision,
        )  # fmt: skip

    def dense(nodes, activation, name, dtype):
        return layers.Dense(
            nodes, activation=activation, kernel_initializer=glorot(), name=name, dtype=dtype
        )

    pools = {"max": [layers.MaxPooling2D], "average": [layers.AveragePooling2D], "none": []}
    return keras.Sequential(
        [
            keras.Input((*size, 3)),
            layers.Rescaling(1 / 255, name="scale", dtype="float32"),
            convolution(32, "conv_1", strides),
            convolution(64, "conv_2", 1),
            *(pool(2, name="pool", dtype=precision) for pool in pools[pooling]),
            layers.Dropout(0.25, seed=0, name="dropout_1", dtype=precision),
            layers.Flatten(name="flatten", dtype=precision),
            dense(hidden, activation, "hidden", precision),
            layers.Dropout(hidden_dropout, seed=0, name="dropout_2", dtype=precision),
            dense(classes, "softmax", "output", "float32"),
        ],
        name="DCLNN",
    )


@method("DCLNN")
def dclnn(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    epochs: int = 25,
    pooling: Literal["max", "average", "none"] = "max",
    hidden: int = 128,
    hidden_dropout: float = 0.5,
    optimizer: Literal["Adadelta", "Adam", "SGD", "RMSprop"] = "Adadelta",
    learning_rate: float = 1.0,
    batch_size: int = 32,
    augmentation: bool = True,
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
    activation: Literal["relu", "tanh"] = "relu",
    strides: Literal[1, 2] = 1,
) -> Predictions:
    """Train DCLNN and predict TEST after each epoch.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    epochs : int
        How often to go through TRAIN; a checkpoint that has gone further is kept.
    pooling, hidden, hidden_dropout
        See :func:`build`.
    optimizer, learning_rate : str, float
        Keras' optimizer of that name, SGD with a momentum of 0.9; the lineage's is Adadelta at 1.0.
    batch_size : int
        Images a step.
    augmentation : bool
        Whether to :func:`augment` while training.
    precision : {"float32", "mixed_bfloat16"}
        Numbers of 32 bits, or multiplications of 16-bit numbers with weights kept in 32: nearly
        twice as fast on recent processors.
    activation, strides
        See :func:`build`.

    Raises
    ------
    DivergedError
        If the loss becomes NaN or infinite.
    MemoryError
        If the device runs out of memory; the message names a smaller batch.
    """
    keras = load_keras()
    size = data.pixels["TRAIN"].shape[1:3]
    model = build(
        len(TASKS[task]),
        pooling,
        hidden,
        hidden_dropout,
        seed,
        size,
        precision,
        activation,
        strides,
    )
    optimizer_class = getattr(keras.optimizers, optimizer)
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    if keras.backend.backend() == "tensorflow" and not device_name():
        from bloodlib.models import fused

        model = fused.twin(model)
        optimizer_class = getattr(fused, optimizer, optimizer_class)
    return train(
        model,
        optimizer_class(learning_rate=learning_rate, **options),
        data,
        task,
        seed,
        checkpoint,
        epochs=epochs,
        batch_size=batch_size,
        augmentation=augmentation,
        title=f"DCLNN {task} {pooling} seed {seed}",
    )


def parameter_counts(
    hidden: int = 128,
    classes: int = 4,
    *,
    filters: tuple[int, ...] = (32, 64),
    pooling: bool = True,
    shared: bool = True,
    size: tuple[int, int] = (60, 80),
) -> dict[str, int]:
    """Numbers that the network of section 4.2 learns, by layer; needs no Keras.

    Parameters
    ----------
    hidden : int
        Nodes of the hidden layer.
    classes : int
        Nodes of the output layer.
    filters : tuple of int
        Kernels of each 3×3 convolution; none with ``pooling=False`` leaves the
        fully-connected layers, directly on the pixels.
    pooling : bool
        Whether there is the 2×2 pooling layer.
    shared : bool
        False connects each node of a convolution to all nodes before it, as in a
        fully-connected layer of the same size.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    dict of str to int
        By the names of the layers of :func:`build`.
    """
    (height, width), depth = size, 3
    counts = {}
    for i, number in enumerate(filters, 1):
        before = height * width * depth
        height, width = height - 2, width - 2
        nodes = height * width * number
        kernels = (9 * depth + 1) * number
        counts[f"conv_{i}"] = kernels if shared else (before + 1) * nodes
        depth = number
    if pooling:
        height, width = height // 2, width // 2
    counts["hidden"] = (height * width * depth + 1) * hidden
    counts["output"] = (hidden + 1) * classes
    return counts
