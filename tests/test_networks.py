"""The networks: as printed, a function of their seed, the same on each backend, and they learn."""

import numpy as np
import pytest
from networks import BACKENDS, SIZE, assert_same, drawn, outcome, put_images, start
from test_baselines import coloured

from bloodlib.models import networks, training


@pytest.mark.parametrize(
    ("classes", "total"),
    # 3·3·3·32 + 32, 3·3·32·64 + 64, 28·38·64·128 + 128, 128·classes + classes
    [(4, 896 + 18_496 + 8_716_416 + 516), (2, 896 + 18_496 + 8_716_416 + 258)],
)
def test_shapes_and_parameters_of_section_4_2(keras, classes, total):
    model = networks.build_dclnn(classes)
    assert [
        (layer.name, layer.output.shape[1:], layer.count_params()) for layer in model.layers
    ] == [
        ("scale", (60, 80, 3), 0),
        ("conv_1", (58, 78, 32), 896),
        ("conv_2", (56, 76, 64), 18_496),
        ("pool", (28, 38, 64), 0),
        ("dropout_1", (28, 38, 64), 0),
        ("flatten", (68_096,), 0),
        ("hidden", (128,), 8_716_416),
        ("dropout_2", (128,), 0),
        ("output", (classes,), total - 8_735_808),
    ]
    assert model.count_params() == total
    assert f"{total / 1e6:.1f}" == "8.7"


def test_without_pooling_the_hidden_layer_gets_all_maps():
    model = networks.build_dclnn(4, "none", size=SIZE, hidden=8)
    height, width = SIZE
    assert model.get_layer("hidden").weights[0].shape == ((height - 4) * (width - 4) * 64, 8)


PROBABILITIES = """
model = networks.build_dclnn(4, sys.argv[2], size=pixels["TEST"].shape[1:3])
with np.load(folder / "weights.npz") as stored:
    model.set_weights([stored[name] for name in stored.files])
np.save(folder / (sys.argv[2] + ".npy"), model.predict(pixels["TEST"], verbose=0))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_weights_give_the_same_probabilities(keras, backend, tmp_path):
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is what the others are compared with")
    data = drawn(8, 64, (60, 80))
    put_images(tmp_path, data)
    for pooling in ("max", "average"):
        model = networks.build_dclnn(4, pooling, seed=5)
        # larger than a fresh network's, for answers that are not all alike
        weights = [
            3 * weight if weight.ndim > 1 else weight + 0.1 for weight in model.get_weights()
        ]
        model.set_weights(weights)
        np.savez(tmp_path / "weights.npz", *weights)
        here = model.predict(data.pixels["TEST"], verbose=0)
        assert np.ptp(here, axis=0).max() > 0.2
        ended = start(backend, PROBABILITIES, tmp_path, pooling)
        assert ended.returncode == 0, ended.stderr
        there = np.load(tmp_path / f"{pooling}.npy")
        print(f"{backend}, {pooling}: largest difference {np.abs(here - there).max():.1e}")
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-4)


# ------------------------------------------------------------------------------ the compact CNN


def small(folder, seed=3, data=None, **settings):
    settings = {"width": 4, "batch_size": 8} | settings
    return networks.compact_cnn(
        data or drawn(), "four", seed, folder / "checkpoint.npz", **settings
    )


@pytest.fixture
def short(monkeypatch):
    """Four epochs in place of the usual number."""
    monkeypatch.setattr(networks, "EPOCHS", 4)


@pytest.mark.parametrize("halving", ["stride", "max"])
def test_layers_and_weights_of_the_compact_cnn(keras, halving):
    model = networks.build_compact_cnn(4, 16, halving)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [16, 32, 64, 128]
    assert model.get_layer("output").output.shape == (None, 4)
    after = "relu_4" if halving == "stride" else "pool_4"
    assert model.get_layer(after).output.shape == (None, 4, 5, 128)
    assert model.count_params() * 10 < networks.build_dclnn(4).count_params()
    kernels = [w for w in networks.build_compact_cnn(4, 4, seed=1).get_weights() if w.ndim == 4]
    for kernel in kernels:
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.2)


@pytest.fixture(scope="module")
def whole(keras, tmp_path_factory):
    """Four epochs in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "EPOCHS", 4)
        return small(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("halving", ["stride", "max"])
def test_it_learns_colours(keras, short, tmp_path, halving):
    data = coloured(200)
    found = small(tmp_path, data=data, width=8, halving=halving)
    assert found.labels.shape == (4, 200)
    assert (found.labels[-1] == data.labels["four"]["TEST"]).mean() > 0.8
    assert found.history["loss"][-1] < 0.7 * found.history["loss"][0]


@pytest.mark.parametrize("epoch", [1, pytest.param(3, marks=pytest.mark.long)])
def test_stopped_and_started_again_it_ends_as_the_unbroken_run(
    whole, short, tmp_path, monkeypatch, epoch
):
    """The means of normalisation and the place on the cosine too go on where they were."""
    run, calls = training._epoch, []

    def stop(*given):
        calls.append(given)
        if len(calls) == epoch + 1:
            raise KeyboardInterrupt
        return run(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as state:
        assert len(state["loss"]) == epoch
    assert_same(outcome(small(tmp_path)), outcome(whole))
    assert small(tmp_path / "other", seed=4).weights != whole.weights
