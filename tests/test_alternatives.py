"""Guessing, going by colour, and the small network: what they are, and that they learn."""

import dataclasses

import numpy as np
import pytest
from networks import SIZE, assert_same, drawn, outcome
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bloodlib import study
from bloodlib.data.images import SPLITS, TASKS
from bloodlib.models import alternatives, dclnn, features, methods, training

METHODS = ("majority", "histogram", "nearest-photograph", "small")


def coloured(n=40, seed=0, noise=45):
    """Images of noise round a colour of their class, the classes in unequal shares."""
    rng = np.random.default_rng(seed)
    colours = np.array([[200, 120, 120], [120, 200, 120], [120, 120, 200], [190, 190, 120]])
    pixels, four = {}, {}
    for split in SPLITS:
        four[split] = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
        off = rng.normal(0, noise, (n, 12, 16, 3))
        pixels[split] = (colours[four[split]][:, None, None] + off).clip(0, 255).astype(np.uint8)
    two = {split: labels // 2 for split, labels in four.items()}
    return methods.Data(pixels, {"four": four, "two": two}, f"coloured-{n}-{seed}-{noise}")


def run(name, data, task="four", seed=0, checkpoint=None, **settings):
    return methods.METHODS[name](data, task, seed, checkpoint, **settings)


def checks_out(found, data, task):
    assert found.labels.shape[1] == len(data.pixels["TEST"])
    for chances, labels, split in (
        (found.probabilities, found.labels[-1], "TEST"),
        (found.probabilities_simple, found.labels_simple, "TEST_SIMPLE"),
    ):
        assert (chances.dtype, labels.dtype) == (np.float16, np.uint8)
        assert chances.shape == (len(data.pixels[split]), len(TASKS[task]))
        np.testing.assert_allclose(chances.sum(axis=1, dtype=float), 1, atol=3e-3)
        np.testing.assert_array_equal(chances[np.arange(len(labels)), labels], chances.max(axis=1))


def test_all_of_them_can_be_asked_for():
    assert set(METHODS) <= set(methods.METHODS)
    for name in METHODS:
        study.resolve({"method": name, "task": "two"})


# --------------------------------------------------------------------------------- majority


@pytest.mark.parametrize("task", TASKS)
def test_the_majority_is_that_of_train(task):
    data = coloured()
    found = run("majority", data, task)
    checks_out(found, data, task)
    shares = np.bincount(data.labels[task]["TRAIN"]) / 40
    assert set(found.labels[0]) == set(found.labels_simple) == {shares.argmax()}
    np.testing.assert_allclose(found.probabilities[0], shares, atol=1e-3)


# ------------------------------------------------------------------------------------ colour


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", [{}, {"bins": 3, "colours": "HSV", "C": 0.01}])
def test_histogram_is_logistic_regression_on_shares(task, settings):
    data = coloured()
    found = run("histogram", data, task, **settings)
    checks_out(found, data, task)
    bins, colours = settings.get("bins", 8), settings.get("colours", "RGB")
    seen = {s: features.histogram(data.pixels[s], bins, colours) for s in SPLITS}
    scaler = StandardScaler().fit(seen["TRAIN"])
    model = LogisticRegression(C=settings.get("C", 1.0), max_iter=1000)
    model.fit(scaler.transform(seen["TRAIN"]), data.labels[task]["TRAIN"])
    for split, chances in (
        ("TEST", found.probabilities),
        ("TEST_SIMPLE", found.probabilities_simple),
    ):
        expected = model.predict_proba(scaler.transform(seen[split]))
        np.testing.assert_allclose(chances, expected, atol=1e-3)
    assert (found.labels[0] == data.labels[task]["TEST"]).mean() > 0.6


def test_where_a_colour_is_does_not_matter():
    data = coloured()
    rng = np.random.default_rng(3)
    mixed = {}
    for split, pixels in data.pixels.items():
        flat = pixels.reshape(len(pixels), -1, 3)
        mixed[split] = flat[:, rng.permutation(flat.shape[1])].reshape(pixels.shape)
    other = dataclasses.replace(data, pixels=mixed)
    for name in ("histogram", "nearest-photograph"):
        one, two = run(name, data), run(name, other)
        np.testing.assert_array_equal(one.probabilities, two.probabilities)


# ------------------------------------------------------------------------ nearest photograph


def photographed(noise=45):
    """Coloured images of three photographs a class."""
    data = coloured(noise=noise)
    labels = data.labels["four"]["TRAIN"].astype(int)
    return dataclasses.replace(data, photographs=lambda: labels * 10 + np.arange(40) % 3)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", [{}, {"bins": 3, "colours": "HSV"}])
def test_the_nearest_photograph_by_its_mean_colours(task, settings):
    data = photographed()
    found = run("nearest-photograph", data, task, **settings)
    checks_out(found, data, task)
    numbers, labels = data.photographs(), data.labels[task]["TRAIN"]
    seen = {s: features.histogram(data.pixels[s], *settings.values()) for s in SPLITS}
    means = {n: seen["TRAIN"][numbers == n].mean(axis=0) for n in np.unique(numbers)}
    assert len(means) < 13
    for split, answers in (("TEST", found.labels[0]), ("TEST_SIMPLE", found.labels_simple)):
        for shares, answer in zip(seen[split], answers, strict=True):
            # Bhattacharyya's coefficient falls as Hellinger's distance grows
            alike = {n: np.sqrt(shares * mean).sum() for n, mean in means.items()}
            assert answer == labels[numbers == max(alike, key=alike.get)][0]


def test_photographs_matter():
    data = photographed(noise=150)
    answers = [run("nearest-photograph", d, bins=8).labels for d in (data, coloured(noise=150))]
    assert (answers[0] != answers[1]).any()


def test_a_photograph_with_two_classes_is_two():
    data = photographed()
    one = dataclasses.replace(data, photographs=lambda: np.zeros(40, int))
    found = run("nearest-photograph", one)
    assert (found.labels[0] == data.labels["four"]["TEST"]).mean() > 0.8


def test_without_photographs_each_image_is_its_own():
    data = coloured()
    alone = dataclasses.replace(data, photographs=lambda: np.arange(40))
    np.testing.assert_array_equal(
        run("nearest-photograph", data).labels, run("nearest-photograph", alone).labels
    )


# --------------------------------------------------------------------------- small network


@pytest.fixture
def short(monkeypatch):
    """Four epochs in place of the usual number."""
    monkeypatch.setattr(alternatives, "EPOCHS", 4)


def small(folder, seed=3, **settings):
    settings = {"width": 4, "batch_size": 8} | settings
    return run("small", drawn(), seed=seed, checkpoint=folder / "checkpoint.npz", **settings)


@pytest.mark.parametrize("halving", ["stride", "max"])
def test_layers_and_weights_of_the_small_network(keras, halving):
    model = alternatives.build(4, 16, halving)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [16, 32, 64, 128]
    assert model.get_layer("output").output.shape == (None, 4)
    after = "relu_4" if halving == "stride" else "pool_4"
    assert model.get_layer(after).output.shape == (None, 4, 5, 128)
    assert model.count_params() * 10 < dclnn.build(4).count_params()
    assert alternatives.build(2, 16, halving).count_params() == model.count_params() - 2 * 129


def test_the_seed_decides_the_small_networks_weights(keras):
    one, again, other = (alternatives.build(4, 4, seed=s, size=SIZE) for s in (1, 1, 2))
    assert (
        training.weights_hash(one) == training.weights_hash(again) != training.weights_hash(other)
    )
    kernels = [w for w in one.get_weights() if w.ndim == 4]
    for kernel in kernels:
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.2)


def test_the_learning_rate_falls_to_zero(keras, short, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        alternatives, "train", lambda model, optimizer, *given, **more: seen.update(o=optimizer)
    )
    small(tmp_path, learning_rate=0.01)
    schedule, steps = seen["o"]._learning_rate, 4 * 3  # epochs, batches of 8 of 20 images
    rates = [float(schedule(step)) for step in range(steps + 1)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[steps // 2] == pytest.approx(0.005)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates == sorted(rates, reverse=True)


@pytest.fixture(scope="module")
def whole(keras, tmp_path_factory):
    """Four epochs in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alternatives, "EPOCHS", 4)
        return small(tmp_path_factory.mktemp("whole"))


def test_form_of_its_predictions(whole):
    assert whole.labels.shape == (4, 12)
    checks_out(whole, drawn(), "four")
    assert len(whole.history["loss"]) == 4


@pytest.mark.parametrize("halving", ["stride", "max"])
def test_it_learns_colours(keras, short, tmp_path, halving):
    data = coloured(200)
    found = run(
        "small", data, checkpoint=tmp_path / "c.npz", width=8, batch_size=8, halving=halving
    )
    checks_out(found, data, "four")
    assert (found.labels[-1] == data.labels["four"]["TEST"]).mean() > 0.8
    assert found.history["loss"][-1] < 0.7 * found.history["loss"][0]


@pytest.mark.parametrize("epoch", [1, 3])
def test_stopped_and_started_again_it_ends_as_the_unbroken_run(
    whole, short, tmp_path, monkeypatch, epoch
):
    """The means of normalisation and the place on the cosine too go on where they were."""
    epoch_, calls = training._epoch, []

    def stop(*given):
        calls.append(given)
        if len(calls) == epoch + 1:
            raise KeyboardInterrupt
        return epoch_(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as state:
        assert len(state["loss"]) == epoch
    assert_same(outcome(small(tmp_path)), outcome(whole))


def test_another_seed_is_another_network(whole, short, tmp_path):
    assert small(tmp_path, seed=4).weights != whole.weights
