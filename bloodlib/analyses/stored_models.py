"""The compact CNN and the colour baseline, trained on TRAIN and stored to be used on any picture.

Both have the settings that were chosen on folds of TRAIN's cells. The weights of the recorded runs
of the compact CNN were not kept: it was trained again with the same settings and seed, on another
processor, which changes the last digits. ``results/models.json`` says how many images of TEST then
get another class than in the record.
"""

import numpy as np
from scipy.special import softmax

from bloodlib import study
from bloodlib.analyses import model_comparison
from bloodlib.data import stored
from bloodlib.data.images import TASKS
from bloodlib.models import methods
from bloodlib.study import records

NAME = "stored-models"
METHODS = ("histogram", "small")
#: Keras' constant of batch normalisation.
EPSILON = 1e-3


def compute() -> None:
    """Train both models on TRAIN for both tasks, minutes each, and write ``results/models.npz``.

    The compact CNN goes on from its checkpoint in the cache.

    Raises
    ------
    bloodlib.data.images.DatasetError
        If there are no images.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    clock, arrays, settings = stored.Clock(), {}, {"version": 1}
    for task in TASKS:
        record = study.run(model_comparison.settings("small") | {"task": task})
        data = study.load(*(record.config[key] for key in study.DATA))
        checkpoint = stored.cache_folder() / "checkpoints" / f"{record.id}.npz"
        found = study.predict(record.config, data, checkpoint)
        kept = stored.read_arrays(checkpoint, f"Remove it and run `bloodlib measure {NAME}` again.")
        for layer in range(4):
            kernel, gamma, beta, mean, variance = (
                kept[f"weight_{5 * layer + i}"] for i in range(5)
            )
            factor = gamma / np.sqrt(variance + EPSILON)
            arrays[f"small_{task}_kernel_{layer}"] = (kernel * factor).transpose(3, 2, 0, 1)
            arrays[f"small_{task}_bias_{layer}"] = beta - mean * factor
        arrays[f"small_{task}_kernel_4"] = kept["weight_20"]
        arrays[f"small_{task}_bias_4"] = kept["weight_21"]
        other = int((found.labels[-1] != record.arrays["labels"][-1]).sum())
        made = {"record": record.id, "weights": found.weights, "other_answers": other}
        settings[f"small_{task}"] = made

        record = study.run(model_comparison.settings("histogram") | {"task": task})
        bins, colours = record.config["bins"], record.config["colours"]
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=record.config["C"], max_iter=1000)
        )
        shares = methods.histogram(data.pixels["TRAIN"], bins, colours)
        model.fit(shares, data.labels[task]["TRAIN"])
        scaler, regression = (step for _, step in model.steps)
        weights, bias = regression.coef_ / scaler.scale_, regression.intercept_
        if len(weights) == 1:  # of two classes scikit-learn keeps one
            weights, bias = np.concatenate([0 * weights, weights]), np.append(0, bias)
        arrays[f"histogram_{task}_weights"] = weights
        arrays[f"histogram_{task}_bias"] = bias - weights @ scaler.mean_
        labels = model.predict(methods.histogram(data.pixels["TEST"], bins, colours))
        other = int((labels != record.arrays["labels"][-1]).sum())
        made = {"record": record.id, "bins": bins, "colours": colours, "other_answers": other}
        settings[f"histogram_{task}"] = made
    records.save_measured(NAME, arrays, settings, clock, "tensorflow")


def predict(method: str, task: str, pixels: np.ndarray) -> np.ndarray:
    """Class probabilities of images [n, 60, 80, 3] in 0..255: float array [n, classes].

    Parameters
    ----------
    method : {"histogram", "small"}
    task : {"four", "two"}
    pixels : uint8 array [n, 60, 80, 3]

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the models are not there, or can't be trusted.
    """
    arrays, made = records.read_measured(NAME)
    if method == "histogram":
        settings = made["settings"][f"histogram_{task}"]
        shares = methods.histogram(pixels, settings["bins"], settings["colours"])
        weights, bias = arrays[f"histogram_{task}_weights"], arrays[f"histogram_{task}_bias"]
        return softmax(shares @ weights.T + bias, axis=1)
    blocks = [pixels[start : start + 128] for start in range(0, len(pixels), 128)]
    return np.concatenate([_compact_cnn(block, arrays, f"small_{task}") for block in blocks])


def _compact_cnn(pixels, arrays, name):
    """The compact CNN on some images, with its normalisation part of the kernels."""
    seen = pixels.astype(np.float32) / 255
    for layer in range(4):
        kernel = arrays[f"{name}_kernel_{layer}"].astype(np.float32)
        odd = [side % 2 for side in seen.shape[1:3]]  # Keras' "same": one more at the far edges
        seen = np.pad(seen, [(0, 0), (odd[0], 1), (odd[1], 1), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(1, 2))[:, ::2, ::2]
        sums = np.tensordot(windows, kernel, axes=([3, 4, 5], [1, 2, 3]))
        seen = np.maximum(sums + arrays[f"{name}_bias_{layer}"], 0)
    sums = seen.mean(axis=(1, 2)) @ arrays[f"{name}_kernel_4"] + arrays[f"{name}_bias_4"]
    return softmax(sums, axis=1)
