"""The networks: DCLNN of section 4.2, and a compact CNN of today to compare it with.

What the paper states about DCLNN is fixed here. What it leaves open is a setting of
:func:`dclnn`, whose default is what the Kaggle notebook uses (:data:`bloodlib.paper.SETTINGS`).
Both are trained by :mod:`bloodlib.models.training`.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.data.images import TASKS
from bloodlib.models.methods import Data, Predictions, method
from bloodlib.models.training import load_keras, train

#: Epochs of the compact CNN, as many as the paper's. They are no setting, as the learning rate
#: falls to zero over them, so that fewer or more of them would be another training.
EPOCHS = 25


def build_dclnn(
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
        Of both convolutions and the hidden layer: section 4.2 has ReLU, equations 6 to 9 tanh.
    strides : int
        Of the first convolution, in pixels; the Kaggle notebook has 2 for two classes.

    Returns
    -------
    keras.Sequential
        From uint8 or float images in 0..255, [n, height, width, 3], to probabilities [n, classes].
    """
    keras = load_keras()
    layers = keras.layers
    seeds = np.random.SeedSequence(seed).generate_state(4).tolist()
    glorot = (keras.initializers.GlorotUniform(seed=one) for one in seeds)
    common = {"activation": activation, "dtype": precision}
    pools = {"max": [layers.MaxPooling2D], "average": [layers.AveragePooling2D], "none": []}
    return keras.Sequential(
        [
            keras.Input((*size, 3)),
            layers.Rescaling(1 / 255, name="scale", dtype="float32"),
            layers.Conv2D(32, 3, strides, kernel_initializer=next(glorot), name="conv_1", **common),
            layers.Conv2D(64, 3, kernel_initializer=next(glorot), name="conv_2", **common),
            *(pool(2, name="pool", dtype=precision) for pool in pools[pooling]),
            layers.Dropout(0.25, seed=0, name="dropout_1", dtype=precision),
            layers.Flatten(name="flatten", dtype=precision),
            layers.Dense(hidden, kernel_initializer=next(glorot), name="hidden", **common),
            layers.Dropout(hidden_dropout, seed=0, name="dropout_2", dtype=precision),
            layers.Dense(
                classes, "softmax", kernel_initializer=next(glorot), name="output", dtype="float32"
            ),
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
    epochs : int
        How often to go through TRAIN; a checkpoint that has gone further is kept.
    pooling, hidden, hidden_dropout
        See :func:`build_dclnn`.
    optimizer, learning_rate : str, float
        Keras' optimizer of that name, SGD with a momentum of 0.9; the Kaggle
        notebook's is Adadelta at 1.0.
    batch_size : int
        Images a step.
    augmentation : bool
        Whether to :func:`augment` while training.
    precision : {"float32", "mixed_bfloat16"}
        Numbers of 32 bits, or multiplications of 16-bit numbers with weights kept in 32: nearly
        twice as fast on recent processors.
    activation, strides
        See :func:`build_dclnn`.

    Raises
    ------
    FloatingPointError
        If the loss becomes NaN or infinite.
    """
    model = build_dclnn(
        len(TASKS[task]), pooling, hidden, hidden_dropout, seed,
        data.pixels["TRAIN"].shape[1:3], precision, activation, strides,
    )  # fmt: skip
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    return train(
        model,
        getattr(load_keras().optimizers, optimizer)(learning_rate=learning_rate, **options),
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
        By the names of the layers of :func:`build_dclnn`.
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


def build_compact_cnn(
    classes: int,
    width: int = 16,
    halving: str = "stride",
    seed: int = 0,
    size: tuple[int, int] = (60, 80),
):
    """A compact CNN, untrained: four convolutions, each normalised, no large layer.

    Each convolution has 3×3 kernels and twice the filters of the one before it, and halves height
    and width. What is left is averaged over the whole image (global average pooling, Lin et al.,
    2014, arXiv:1312.4400), which replaces the paper's large fully-connected layer; between
    convolution and ReLU stands batch normalisation (Ioffe and Szegedy, 2015, arXiv:1502.03167).

    Parameters
    ----------
    classes : int
        Number of output nodes.
    width : int
        Filters of the first convolution.
    halving : {"stride", "max"}
        Convolutions of stride 2, or of stride 1 with max-pooling behind ReLU.
    seed : int
        Seed of the initial weights.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    keras.Sequential
        From images in 0..255, [n, height, width, 3], to probabilities [n, classes].
    """
    keras = load_keras()
    layers = keras.layers
    seeds = iter(np.random.SeedSequence(seed).generate_state(5).tolist())
    found = [keras.Input((*size, 3)), layers.Rescaling(1 / 255, name="scale")]
    for number in range(4):
        found += [
            layers.Conv2D(
                width * 2**number,
                3,
                strides=2 if halving == "stride" else 1,
                padding="same",
                use_bias=False,  # normalisation has one
                kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
                name=f"conv_{number + 1}",
            ),
            layers.BatchNormalization(momentum=0.9, name=f"normalise_{number + 1}"),
            layers.ReLU(name=f"relu_{number + 1}"),
        ]
        if halving == "max":
            found.append(layers.MaxPooling2D(2, padding="same", name=f"pool_{number + 1}"))
    output = keras.initializers.GlorotUniform(seed=next(seeds))
    found += [
        layers.GlobalAveragePooling2D(name="average"),
        layers.Dropout(0.2, seed=0, name="dropout"),
        layers.Dense(classes, activation="softmax", kernel_initializer=output, name="output"),
    ]
    return keras.Sequential(found, name="small")


@method("small")
def compact_cnn(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    width: int = 16,
    halving: Literal["stride", "max"] = "stride",
    learning_rate: float = 0.003,
    batch_size: int = 64,
) -> Predictions:
    """Train the compact CNN and predict TEST after each epoch.

    Augmentation and loss are DCLNN's; the optimizer is Adam, with a learning rate that falls along
    half a cosine to zero over :data:`EPOCHS` epochs.

    Parameters
    ----------
    width, halving
        See :func:`build_compact_cnn`.
    learning_rate : float
        Adam's, at the start.
    batch_size : int
        Images a step.

    Raises
    ------
    FloatingPointError
        If the loss becomes NaN or infinite.
    """
    keras = load_keras()
    pixels = data.pixels["TRAIN"]
    steps = EPOCHS * -(-len(pixels) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return train(
        build_compact_cnn(len(TASKS[task]), width, halving, seed, pixels.shape[1:3]),
        keras.optimizers.Adam(schedule),
        data,
        task,
        seed,
        checkpoint,
        epochs=EPOCHS,
        batch_size=batch_size,
        title=f"small {task} seed {seed}",
    )
