"""The compact CNN and the colour baseline, trained on TRAIN and stored to be used on any picture.

Both have the settings that were chosen on folds of TRAIN's cells. The weights of the recorded runs
of the compact CNN were not kept: it was trained again with the same settings and seed, on another
processor, which changes the last digits. ``results/models.json`` says how many images of TEST then
get another class than in the record.
"""

import functools

import numpy as np

from bloodlib import study
from bloodlib.analyses import model_comparison
from bloodlib.data import images, stored
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
        settings[f"small_{task}"] = {
            "record": record.id,
            "weights": found.weights,
            "other_answers": other,
        }

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
        settings[f"histogram_{task}"] = {
            "record": record.id,
            "bins": bins,
            "colours": colours,
            "other_answers": other,
        }
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
        powers = np.exp(shares @ weights.T + bias - (shares @ weights.T + bias).max(1)[:, None])
        return powers / powers.sum(axis=1, keepdims=True)
    session = _session(task, stored.results_folder() / f"{records.MEASURED[NAME]}.npz")
    blocks = (pixels[start : start + 128] for start in range(0, len(pixels), 128))
    found = [session.run(None, {"images": np.asarray(one, np.float32)})[0] for one in blocks]
    return np.concatenate(found) if found else np.empty((0, len(TASKS[task])))


@functools.lru_cache(maxsize=len(TASKS))
def _session(task, file):
    """ONNX Runtime with the compact CNN, its normalisation part of the kernels."""
    import onnxruntime
    from onnx import TensorProto, numpy_helper
    from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

    arrays = records.read_measured(NAME)[0]
    kept = {name: a for name, a in arrays.items() if name.startswith(f"small_{task}")}
    kept["scale"] = np.array(1 / 255)
    nodes = [
        make_node("Mul", ["images", "scale"], ["scaled"]),
        make_node("Transpose", ["scaled"], ["relu_0"], perm=[0, 3, 1, 2]),
    ]
    for layer in range(4):
        kernel, bias = f"small_{task}_kernel_{layer}", f"small_{task}_bias_{layer}"
        nodes += [
            make_node(
                "Conv", [f"relu_{layer}", kernel, bias], [f"conv_{layer}"],
                strides=[2, 2], auto_pad="SAME_UPPER",
            ),
            make_node("Relu", [f"conv_{layer}"], [f"relu_{layer + 1}"]),
        ]  # fmt: skip
    last = [f"small_{task}_kernel_4", f"small_{task}_bias_4"]
    nodes += [
        make_node("GlobalAveragePool", ["relu_4"], ["average"]),
        make_node("Flatten", ["average"], ["flat"]),
        make_node("Gemm", ["flat", *last], ["sum"]),
        make_node("Softmax", ["sum"], ["probabilities"], axis=1),
    ]
    size = [*images.SIZE, 3]
    graph = make_graph(
        nodes,
        "compact CNN",
        [make_tensor_value_info("images", TensorProto.FLOAT, ["n", *size])],
        [make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(TASKS[task])])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in kept.items()],
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 21)], ir_version=10)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
