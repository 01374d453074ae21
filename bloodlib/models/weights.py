"""The trained networks as files of a few megabytes: what needs no training starts from here.

``results/weights-four.onnx`` and ``results/weights-two.onnx`` hold DCLNN as trained for a stored
record, in ONNX (https://onnx.ai), which runs in ONNX Runtime, in browsers too. Nearly all of the
8.7 million weights belong to the hidden layer. They are kept as 8-bit numbers, of which
:data:`BLOCK` share a scale; all other weights stay as trained.
"""

import functools
import json
from pathlib import Path

import numpy as np

from bloodlib import __version__
from bloodlib.data import stored
from bloodlib.data.images import TASKS
from bloodlib.models import training

#: Weights of the hidden layer that share a scale, so many consecutive ones of one node.
BLOCK = 32
#: Height and width of the images.
SIZE = (60, 80)
#: Rows and columns of the 28 × 38 pooled maps that lie in the middle three fifths of an image.
MIDDLE = slice(6, 22), slice(8, 30)
#: The layers that have weights, each a kernel and a bias, in Keras' order.
LAYERS = ("conv_1", "conv_2", "hidden", "output")
COMMAND = "bloodlib weights --write"
_OPSET, _IR_VERSION = 21, 10  # DequantizeLinear knows blocks since opset 21
_BLANK = "0" * 64  # in the place of the file's checksum while it is computed


def path(task: str) -> Path:
    """Where a task's file lies."""
    return stored.results_folder() / f"weights-{task}.onnx"


def export(record, file: Path) -> None:
    """Write a record's network as an ONNX file, its hidden layer in 8 bits.

    Its input ``images`` are float32 images in 0..255, [n, 60, 80, 3]; its output ``probabilities``
    is float32 [n, classes]. The same weights give the same file, byte for byte, in one checkout.

    Parameters
    ----------
    record : bloodlib.study.records.Record
        Of DCLNN; the weights are those of the checkpoint that training left in the cache.
    file : pathlib.Path
        Replaced in one step.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If the checkpoint is not there, is damaged, or does not hold the record's weights.
    """
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    arrays = _arrays(_trained(record))
    names = TASKS[record.config["task"]]
    graph = helper.make_graph(
        _nodes(record.config["pooling"]),
        "DCLNN",
        [tensor("images", *SIZE, 3)],
        [tensor("probabilities", len(names))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="bloodlib",
        producer_version=__version__,
    )
    made = {
        "record": record.id,
        **{name: getattr(record, name) for name in ("config", "data", "weights", "environment")},
        "classes": list(names),
        "command": COMMAND,
        "commit": stored.commit(),
    }
    plain = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in made.items()
    }
    helper.set_model_props(model, plain | {"sha256": _BLANK})
    raw = model.SerializeToString(deterministic=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    stored.write_atomically(file, raw.replace(_BLANK.encode(), stored.checksum(raw).encode()))


def read(task: str) -> tuple[bytes, dict[str, np.ndarray], dict]:
    """A file, its checksum verified.

    Returns
    -------
    raw : bytes
        All of it.
    arrays : dict of array
        By name: kernels with the filters first, the hidden layer in 8 bits.
    made : dict
        What the file says of itself: ``record``, ``config``, ``data``, ``weights`` and
        ``environment`` as in the record of the run (``results/README.md``); ``classes``, in the
        order of the probabilities; ``command`` and ``commit`` that made it; ``sha256``, its
        checksum, with 64 zeros in its own place.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is no file, or it is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    file = path(task)
    remedy = f"Restore it with 'git checkout results', or make it with `{COMMAND}`."
    raw = stored.read(file, remedy)
    try:
        model = onnx.load_model_from_string(raw)
        made = {entry.key: entry.value for entry in model.metadata_props}
        digest = made["sha256"]
    except (DecodeError, KeyError) as error:
        raise stored.StoredError(f"{file} is damaged ({error}). {remedy}") from error
    blanked = raw.replace(digest.encode(), _BLANK.encode()) if digest else raw
    if stored.checksum(blanked) != digest:
        raise stored.StoredError(f"{file} is not the file that was written. {remedy}")
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    for name in ("config", "environment", "classes"):
        made[name] = json.loads(made[name])
    return raw, arrays, made


def load(task: str):
    """The network in Keras, with the weights of the file, for what needs more than answers.

    Returns
    -------
    keras.Sequential
        As ``networks.build_dclnn`` makes it, on any backend. The hidden layer's weights are
        those trained, rounded to 8 bits.

    Raises
    ------
    bloodlib.data.stored.StoredError
        If there is no file, or it is damaged.
    ImportError
        If Keras' backend is not installed.
    """
    from bloodlib.models import networks

    _, arrays, made = read(task)
    config = made["config"]
    model = networks.build_dclnn(
        len(made["classes"]), config["pooling"], config["hidden"], config["hidden_dropout"]
    )
    scale = np.repeat(arrays["hidden/scale"], BLOCK, axis=0)
    found = {"hidden/kernel": arrays["hidden/quantised"].astype(np.float32) * scale}
    for name in ("conv_1/kernel", "conv_2/kernel"):
        found[name] = arrays[name].transpose(2, 3, 1, 0)
    kept = arrays | found
    model.set_weights([kept[f"{layer}/{kind}"] for layer in LAYERS for kind in ("kernel", "bias")])
    return model


def features(pixels: np.ndarray) -> np.ndarray:
    """Means of the pooled maps of the network for four classes, over the middle: [n, 64].

    Parameters
    ----------
    pixels : uint8 or float array [n, 60, 80, 3]
        RGB images in 0..255.
    """
    blocks = (pixels[start : start + 128] for start in range(0, len(pixels), 128))
    maps = (predict("four", block, layer="pool")[:, :, *MIDDLE] for block in blocks)
    return np.concatenate([some.mean(axis=(2, 3), dtype=float) for some in maps])


def predict(
    task: str, pixels: np.ndarray, batch_size: int = 128, layer: str = "probabilities"
) -> np.ndarray:
    """Class probabilities of images, by ONNX Runtime: neither Keras nor TensorFlow is needed.

    Parameters
    ----------
    task : {"four", "two"}
        Which network.
    pixels : uint8 or float array [n, 60, 80, 3]
        RGB images in 0..255.
    batch_size : int
        Images at once.
    layer : {"probabilities", "output/sum", "pool"}
        What to return: the answer, what its softmax is taken of, or the pooled maps.

    Returns
    -------
    float32 array [n, classes], or of maps [n, 64, 28, 38]

    Raises
    ------
    ValueError
        If the images have another shape.
    bloodlib.data.stored.StoredError
        If there is no file, or it is damaged.
    ImportError
        If ONNX Runtime is not installed.
    """
    if pixels.ndim != 4 or pixels.shape[1:] != (*SIZE, 3):
        raise ValueError(f"the images are {pixels.shape}: give [n, {SIZE[0]}, {SIZE[1]}, 3]")
    file = path(task)
    session = _session(task, file, file.stat().st_mtime_ns if file.exists() else 0)
    blocks = (pixels[start : start + batch_size] for start in range(0, len(pixels), batch_size))
    given = ({"images": np.asarray(block, np.float32)} for block in blocks)
    found = [session.run([layer], one)[0] for one in given]
    return np.concatenate(found) if found else np.empty((0, len(TASKS[task])), np.float32)


@functools.lru_cache(maxsize=len(TASKS))
def _session(task, file, written):
    """ONNX Runtime with a task's network, kept for as long as the file is not written anew."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "ONNX Runtime is not installed here: pip install onnxruntime, where it has wheels."
        ) from error
    model = onnx.load_model_from_string(read(task)[0])
    for name in ("output/sum", "pool"):
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def _trained(record):
    """The weights of a record, float32 in Keras' order."""
    checkpoint = stored.cache_folder() / "checkpoints" / f"{record.id}.npz"
    remedy = (
        f"Remove {record.path} and run `bloodlib study --only {record.id}`: it trains the network, "
        "which takes long without a GPU, and records it anew."
    )
    arrays = stored.read_arrays(checkpoint, remedy)
    found = [arrays.get(f"weight_{i}", np.empty(0)) for i in range(2 * len(LAYERS))]
    if training.weights_hash(found) != record.weights:
        raise stored.StoredError(f"{checkpoint} does not hold the weights of {record.id}. {remedy}")
    return found


def _arrays(trained):
    """The arrays of a file by name, from the weights in Keras' order."""
    names = [f"{layer}/{kind}" for layer in LAYERS for kind in ("kernel", "bias")]
    arrays = dict(zip(names, trained, strict=True))
    for name in ("conv_1/kernel", "conv_2/kernel"):
        arrays[name] = np.ascontiguousarray(arrays[name].transpose(3, 2, 0, 1))  # filters first
    kernel = arrays.pop("hidden/kernel")
    blocks = kernel.reshape(-1, BLOCK, kernel.shape[1])
    scale = np.abs(blocks).max(axis=1) / np.float32(127)
    scale[scale == 0] = 1
    quantised = np.rint(blocks / scale[:, None]).astype(np.int8).reshape(kernel.shape)
    return arrays | {
        "scale": np.float32(1 / 255),
        "hidden/quantised": quantised,
        "hidden/scale": scale,
    }


def _nodes(pooling):
    """The layers of :func:`bloodlib.models.networks.build_dclnn`, without those of training."""
    from onnx.helper import make_node

    pool = {"max": "MaxPool", "average": "AveragePool"}[pooling]
    return [
        make_node("Mul", ["images", "scale"], ["scaled"]),
        make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        make_node("Conv", ["planes", "conv_1/kernel", "conv_1/bias"], ["conv_1/sum"]),
        make_node("Relu", ["conv_1/sum"], ["conv_1"]),
        make_node("Conv", ["conv_1", "conv_2/kernel", "conv_2/bias"], ["conv_2/sum"]),
        make_node("Relu", ["conv_2/sum"], ["conv_2"]),
        make_node(pool, ["conv_2"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Transpose", ["pool"], ["pooled"], perm=[0, 2, 3, 1]),
        make_node("Flatten", ["pooled"], ["flatten"]),
        make_node(
            "DequantizeLinear", ["hidden/quantised", "hidden/scale"], ["hidden/kernel"],
            axis=0, block_size=BLOCK,
        ),
        make_node("Gemm", ["flatten", "hidden/kernel", "hidden/bias"], ["hidden/sum"]),
        make_node("Relu", ["hidden/sum"], ["hidden"]),
        make_node("Gemm", ["hidden", "output/kernel", "output/bias"], ["output/sum"]),
        make_node("Softmax", ["output/sum"], ["probabilities"], axis=1),
    ]  # fmt: skip
