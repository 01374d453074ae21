"""What the chapters on convolution and on the network draw and count."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bloodlib.book import drawings
from bloodlib.data import images
from bloodlib.models import networks
from bloodlib.paper import equations


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def texts(figure):
    return [t.get_text() for axis in figure.axes for t in axis.texts]


def test_figure_1_is_computed():
    image, kernel, feature = drawings.compute_convolution()
    np.testing.assert_array_equal(feature, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])
    numbers = [
        int(t) for t in texts(drawings.plot_convolution(image, kernel, feature)) if t.isdigit()
    ]
    assert numbers == [*image.ravel(), *kernel.ravel(), *feature.ravel()]


def test_figure_2_is_computed():
    values, largest, mean = drawings.compute_pooling()
    np.testing.assert_array_equal(largest, [[20, 30], [112, 37]])
    np.testing.assert_array_equal(mean, [[13, 8], [79, 19.5]])
    assert "19.5" in texts(drawings.plot_pooling(values, largest, mean))


@pytest.mark.parametrize("there", [False, pytest.param(True, marks=pytest.mark.data)])
def test_kernels_do_what_they_are_called(monkeypatch, there):
    if there and not images.available():
        pytest.skip("no images here")
    monkeypatch.setattr(images, "available", lambda *splits: there)
    grey, features, published = drawings.compute_kernels("EOSINOPHIL", seed=1)
    assert published is there
    np.testing.assert_array_equal(features["Identity"], grey[1:-1, 1:-1])
    effects = drawings.compute_effects(grey).set_index("Kernel")
    assert effects.loc["Identity", "Contrast"] == pytest.approx(1)
    assert effects.loc["Edges", "Like its edges"] > effects.loc["Edges", "Like the image"]
    assert effects.loc["Blur", "Contrast"] < 1 < effects.loc["Sharpen", "Contrast"]
    assert len(drawings.plot_kernels(features, published).axes) == 8


def test_edges_of_an_even_image_are_zero():
    edges = drawings.correlate(np.full((5, 6), 7), drawings.KERNELS["Edges"])
    np.testing.assert_array_equal(edges, np.zeros((3, 4)))


def test_differences():
    frame = drawings.load_differences()
    assert len(frame) == 3 * len(equations.DIFFERENCES)
    formulas = frame[frame["Line"] != "why"]["Formula or reason"]
    assert formulas.str.fullmatch(r"\$[^$|]+\$").all()


def test_learning():
    curve, found = drawings.compute_learning(steps=12)
    assert len(curve) == 12
    assert curve["loss"].iloc[0] == found["first"] > found["last"] == curve["loss"].iloc[-1]
    assert found["even"] == pytest.approx(0.25)
    assert 0 <= found["accuracy"] <= 1
    drawings.plot_learning(curve, found["even"])


@pytest.mark.parametrize(
    ("hidden", "classes", "size"), [(128, 4, (60, 80)), (32, 2, (60, 80)), (16, 4, (15, 21))]
)
def test_parameter_counts_equal_keras(hidden, classes, size):
    pytest.importorskip("tensorflow")

    model = networks.build_dclnn(classes, hidden=hidden, size=size)
    counts = networks.parameter_counts(hidden, classes, size=size)
    assert counts == {x.name: x.count_params() for x in model.layers if x.count_params()}
    assert sum(counts.values()) == model.count_params()


def test_alternatives_equal_keras():
    pytest.importorskip("tensorflow")
    from bloodlib.models import training

    keras = training.load_keras()
    layers, size = keras.layers, (8, 9)

    def count(*found):
        return keras.Sequential([keras.Input((*size, 3)), *found]).count_params()

    def ends():
        return layers.Flatten(), layers.Dense(5), layers.Dense(4)

    ours = {"hidden": 5, "classes": 4, "size": size}
    assert count(layers.Conv2D(2, 3), layers.Conv2D(4, 3), *ends()) == sum(
        networks.parameter_counts(**ours, filters=(2, 4), pooling=False).values()
    )
    assert count(*ends()) == sum(
        networks.parameter_counts(**ours, filters=(), pooling=False).values()
    )
    assert count(layers.Flatten(), layers.Dense(6 * 7 * 2), *ends()) == sum(
        networks.parameter_counts(**ours, filters=(2,), pooling=False, shared=False).values()
    )


def test_the_claim_of_fewer_parameters():
    ours, unpooled, direct, connected = drawings.compute_alternatives()["Parameters"]
    assert (ours, direct) == (8_736_324, 14_400 * 128 + 128 + 129 * 4)
    assert direct < ours < unpooled < connected
    widths = drawings.compute_widths().set_index("Hidden nodes")["Parameters"]
    assert widths[128] == ours
    assert list(widths.index) == [32, 64, 128, 256, 512]


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_network_is_drawn_from_the_model(pooling):
    pytest.importorskip("tensorflow")

    model = networks.build_dclnn(4, pooling)
    layers = drawings.load_layers(model)
    assert list(layers["Layer"]) == ["image", *(layer.name for layer in model.layers)]
    assert layers["Parameters"].sum() == model.count_params()
    assert layers["Share (%)"].sum() == pytest.approx(100)
    shapes = layers.set_index("Layer")["Output"]
    assert (shapes["image"], shapes["pool"], shapes["output"]) == ("60×80×3", "28×38×64", "4")
    shown = texts(drawings.plot_network(layers))
    for layer in layers.itertuples():
        assert {layer.Layer, layer.Output, f"{layer.Parameters:,}"} <= set(shown)


def test_numbers_for_verdicts_need_no_keras():
    code = (
        "import sys; from bloodlib.book import drawings; drawings.compute_alternatives(); "
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
