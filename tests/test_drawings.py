"""What the chapter on the network counts."""

import subprocess
import sys

import pytest

from bloodlib.models import networks


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


def test_numbers_for_verdicts_need_no_keras():
    code = (
        "import sys; from bloodlib.analyses import claims; claims.verdict('fewer-parameters'); "
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
