"""What the paper did not try: guessing, two ways to go by colour alone, and a network of today."""

from pathlib import Path
from typing import Literal

import numpy as np

from bloodlib.data.images import TASKS
from bloodlib.models import features
from bloodlib.models.methods import Data, Predictions, method
from bloodlib.models.training import load_keras, train

#: Epochs of the small network, as many as the paper's. They are no setting, as the learning rate
#: falls to zero over them, so that fewer or more of them would be another training.
EPOCHS = 25


@method("majority")
def majority(data: Data, task: str, seed: int, checkpoint: Path) -> Predictions:
    """The most frequent class of TRAIN, whatever the image.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.

    Returns
    -------
    Predictions
        Its probabilities are the shares of the classes in TRAIN.
    """
    shares = np.bincount(data.labels[task]["TRAIN"], minlength=len(TASKS[task]))
    shares = shares / shares.sum()
    return Predictions.from_probabilities(
        {split: np.tile(shares, (len(data.pixels[split]), 1)) for split in ("TEST", "TEST_SIMPLE")}
    )


@method("histogram")
def colour_histogram(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    bins: int = 8,
    colours: features.Colours = "RGB",
    C: float = 1.0,
) -> Predictions:
    """Logistic regression on an image's colour histogram: how much of each colour, not where.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    bins, colours : int, str
        See :func:`bloodlib.models.features.histogram`.
    C : float
        scikit-learn's inverse strength of regularisation, of weights of standardised shares.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def seen(split):
        return features.histogram(data.pixels[split], bins, colours)

    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    model.fit(seen("TRAIN"), data.labels[task]["TRAIN"])
    return Predictions.from_probabilities(
        {split: model.predict_proba(seen(split)) for split in ("TEST", "TEST_SIMPLE")}
    )


@method("nearest-photograph")
def nearest_photograph(
    data: Data,
    task: str,
    seed: int,
    checkpoint: Path,
    *,
    bins: int = 8,
    colours: features.Colours = "RGB",
) -> Predictions:
    """The class of the photograph of TRAIN whose colours are most like an image's.

    A photograph has the mean histogram of the images that were made from it; where the photographs
    are unknown, each image is its own. Histograms are compared by Hellinger's distance.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    bins, colours : int, str
        See :func:`bloodlib.models.features.histogram`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    histograms = features.histogram(data.pixels["TRAIN"], bins, colours)
    labels = data.labels[task]["TRAIN"]
    behind = data.photographs() if data.photographs else np.arange(len(labels))
    _, first, which = np.unique(
        np.stack([behind, labels]), axis=1, return_index=True, return_inverse=True
    )
    means = np.zeros((len(first), bins**3))
    np.add.at(means, which, histograms)
    means /= np.bincount(which)[:, None]
    model = KNeighborsClassifier(1, algorithm="brute").fit(np.sqrt(means), labels[first])
    return Predictions.from_probabilities(
        {
            split: model.predict_proba(
                np.sqrt(features.histogram(data.pixels[split], bins, colours))
            )
            for split in ("TEST", "TEST_SIMPLE")
        }
    )


def build(
    classes: int,
    width: int = 16,
    halving: str = "stride",
    seed: int = 0,
    size: tuple[int, int] = (60, 80),
):
    """A small network of today, untrained: four convolutions, each normalised, no large layer.

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
def small(
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
    """Train the small network and predict TEST after each epoch.

    Augmentation and loss are DCLNN's; the optimizer is Adam, with a learning rate that falls along
    half a cosine to zero over :data:`EPOCHS` epochs.

    Parameters
    ----------
    data, task, seed, checkpoint
        See :func:`bloodlib.models.methods.method`.
    width, halving
        See :func:`build`.
    learning_rate : float
        Adam's, at the start.
    batch_size : int
        Images a step.

    Raises
    ------
    DivergedError
        If the loss becomes NaN or infinite.
    MemoryError
        If the device runs out of memory; the message names a smaller batch.
    """
    keras = load_keras()
    pixels = data.pixels["TRAIN"]
    steps = EPOCHS * -(-len(pixels) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return train(
        build(len(TASKS[task]), width, halving, seed, pixels.shape[1:3]),
        keras.optimizers.Adam(schedule),
        data,
        task,
        seed,
        checkpoint,
        epochs=EPOCHS,
        batch_size=batch_size,
        title=f"small {task} seed {seed}",
    )
