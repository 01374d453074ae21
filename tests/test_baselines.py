"""The baselines answer as scikit-learn's estimators do on flattened pixels."""

import functools

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.svm import SVC, NuSVC

from bloodlib import study
from bloodlib.data import synthetic
from bloodlib.data.images import CLASSES, NUCLEI, SPLITS, TASKS
from bloodlib.models import baselines, features, methods


@functools.cache
def drawn(seed=0, counts=(82, 61, 12)):
    """Small drawn images, noisy enough that the methods err."""
    rng = np.random.default_rng(seed)
    nuclei = np.array([NUCLEI[name] for name in CLASSES], np.uint8)
    pixels, four = {}, {}
    for split, n in zip(SPLITS, counts, strict=True):
        found = synthetic.load(split, size=(12, 16), n=n, seed=seed)
        noise = rng.normal(0, 40, found.pixels.shape)
        pixels[split] = (found.pixels + noise).clip(0, 255).astype(np.uint8)
        four[split] = found.labels
    two = {split: nuclei[labels] for split, labels in four.items()}
    return methods.Data(pixels, {"four": four, "two": two}, f"drawn-{seed}")


def flat(data, split):
    return data.pixels[split].reshape(len(data.pixels[split]), -1) / 255


def classes_told_apart(labels, task):
    """A test on predictions that are all alike would show little."""
    return len(np.unique(labels)) == len(TASKS[task])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 17 images or pixels, as the real images come in blocks of a thousand."""
    monkeypatch.setattr(
        baselines, "_blocks", lambda n, size=0: [slice(i, i + 17) for i in range(0, n, 17)]
    )


def checks_out(found, data, task):
    assert found.labels.shape == (1, len(data.pixels["TEST"]))
    for chances, split in (
        (found.probabilities, "TEST"),
        (found.probabilities_simple, "TEST_SIMPLE"),
    ):
        assert chances.dtype == np.float16
        assert chances.shape == (len(data.pixels[split]), len(TASKS[task]))
        np.testing.assert_allclose(chances.sum(axis=1, dtype=float), 1, atol=2e-3)
    assert found.labels.dtype == found.labels_simple.dtype == np.uint8


# ------------------------------------------------------------------------------ Naive Bayes


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("var_smoothing", [1e-9, 1e-2, 1.0])
def test_naive_bayes_is_gaussian_nb_fitted_at_once(small_blocks, task, var_smoothing):
    data = drawn()
    found = baselines.naive_bayes(data, task, 0, None, var_smoothing=var_smoothing)
    model = GaussianNB(var_smoothing=var_smoothing)
    model.fit(flat(data, "TRAIN"), data.labels[task]["TRAIN"])
    expected = model.predict(flat(data, "TEST"))
    assert classes_told_apart(expected, task)
    assert np.array_equal(found.labels[0], expected)
    assert np.array_equal(found.labels_simple, model.predict(flat(data, "TEST_SIMPLE")))
    for chances, split in (
        (found.probabilities, "TEST"),
        (found.probabilities_simple, "TEST_SIMPLE"),
    ):
        np.testing.assert_allclose(chances, model.predict_proba(flat(data, split)), atol=1e-3)
    checks_out(found, data, task)


def test_naive_bayes_whatever_the_order_of_the_images(small_blocks):
    """Blocks of one class each, or mixed."""
    data = drawn()
    order = np.random.default_rng(0).permutation(len(data.pixels["TRAIN"]))
    mixed = methods.Data(
        data.pixels | {"TRAIN": data.pixels["TRAIN"][order]},
        {t: labels | {"TRAIN": labels["TRAIN"][order]} for t, labels in data.labels.items()},
        "mixed",
    )
    first, second = (
        baselines.naive_bayes(d, "four", 0, None, var_smoothing=0.1) for d in (data, mixed)
    )
    assert np.array_equal(first.labels, second.labels)
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-3)


def test_naive_bayes_with_a_pixel_that_never_changes(small_blocks):
    data = drawn()
    pixels = {split: found.copy() for split, found in data.pixels.items()}
    for found in pixels.values():
        found[:, 0, 0] = 0
    data = methods.Data(pixels, data.labels, "constant")
    found = baselines.naive_bayes(data, "four", 0, None)
    model = GaussianNB().fit(flat(data, "TRAIN"), data.labels["four"]["TRAIN"])
    assert np.array_equal(found.labels[0], model.predict(flat(data, "TEST")))
    checks_out(found, data, "four")


def seen(data, split, kind):
    """What a method sees, from 0 to 1."""
    found = features.compute(data.pixels[split], kind)
    return found / 255 if kind in ("pixels", "grey") else found


PLAIN = {
    "Gaussian": lambda kind: GaussianNB(),
    "multinomial": lambda kind: MultinomialNB(),
    "Bernoulli": lambda kind: BernoulliNB(binarize=0 if kind == "histogram" else 0.5),
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("what", ["pixels", "grey", "histogram"])
def test_kinds_of_naive_bayes_are_scikit_learns(small_blocks, kind, what):
    data = drawn()
    found = baselines.naive_bayes(data, "four", 0, None, kind=kind, features=what)
    times = 12 * 16 if (kind, what) == ("multinomial", "histogram") else 1  # counts of pixels
    model = PLAIN[kind](what).fit(times * seen(data, "TRAIN", what), data.labels["four"]["TRAIN"])
    chances = model.predict_proba(times * seen(data, "TEST", what))
    assert np.ptp(chances) > 0.1
    np.testing.assert_allclose(found.probabilities, chances, atol=1e-3)
    assert np.array_equal(found.labels[0], chances.argmax(axis=1))
    checks_out(found, data, "four")


def test_kinds_and_features_of_naive_bayes_differ():
    answers = {
        baselines.naive_bayes(
            drawn(), "four", 0, None, kind=kind, features=what
        ).probabilities.tobytes()
        for kind in PLAIN
        for what in ("pixels", "grey", "histogram")
    }
    assert len(answers) == 9


def test_settings_added_later_rename_no_record():
    """Records would be lost if these changed."""
    assert study.identify({"method": "NB", "task": "four"}) == "NB-four-3531c940b9"
    assert study.identify({"method": "SVM", "task": "two", "kind": "nu"}) == "SVM-two-bff219283c"


# ------------------------------------------------------------------- support vector machines


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        ({"kind": "C"}, SVC()),
        ({"kind": "C", "C": 0.01}, SVC(C=0.01)),
        ({"kind": "nu"}, NuSVC()),
        ({"kind": "nu", "nu": 0.2}, NuSVC(nu=0.2)),
    ],
    ids=["C", "C=0.01", "nu", "nu=0.2"],
)
def test_support_vector_machines_are_plain_ones_on_pixels(task, kernel, settings, plain):
    data = drawn()
    found = baselines.support_vector_machine(data, task, 0, None, kernel=kernel, **settings)
    plain = plain.set_params(kernel=kernel, gamma="scale")
    plain.fit(flat(data, "TRAIN"), data.labels[task]["TRAIN"])
    expected = plain.predict(flat(data, "TEST"))
    if settings.get("C") != 0.01:
        assert classes_told_apart(expected, task)
    assert np.array_equal(found.labels[0], expected)
    assert np.array_equal(found.labels_simple, plain.predict(flat(data, "TEST_SIMPLE")))
    checks_out(found, data, task)


@pytest.mark.parametrize("what", ["grey", "histogram"])
@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly"])
def test_support_vector_machines_on_other_features(what, kernel):
    data = drawn()
    found = baselines.support_vector_machine(data, "four", 0, None, kernel=kernel, features=what)
    plain = SVC(kernel=kernel).fit(seen(data, "TRAIN", what), data.labels["four"]["TRAIN"])
    expected = plain.predict(seen(data, "TEST", what))
    assert len(np.unique(expected)) > 1
    # both stop when they are near enough: an image on the border may fall to either side
    assert (found.labels[0] != expected).sum() <= 1
    assert (found.labels_simple != plain.predict(seen(data, "TEST_SIMPLE", what))).sum() <= 1
    checks_out(found, data, "four")


def test_the_third_power_of_the_inner_product():
    data = drawn()
    found = baselines.support_vector_machine(data, "four", 0, None, kernel="poly")
    plain = SVC(kernel="poly").fit(flat(data, "TRAIN"), data.labels["four"]["TRAIN"])
    assert np.array_equal(found.labels[0], plain.predict(flat(data, "TEST")))


def test_the_cases_above_differ():
    """Settings that changed nothing would be tested by nothing."""
    data, answers = drawn(), []
    for settings in (
        {},
        {"C": 0.01},
        {"kind": "nu"},
        {"kind": "nu", "nu": 0.2},
        {"kernel": "linear"},
        {"kernel": "poly"},
        {"features": "grey"},
        {"features": "histogram"},
    ):
        found = baselines.support_vector_machine(data, "four", 0, None, **settings)
        answers.append(found.labels.tobytes() + found.probabilities.tobytes())
    assert len(set(answers)) == len(answers)


@pytest.mark.parametrize("task", TASKS)
def test_probabilities_are_platts_over_five_folds(task):
    data = drawn()
    train = flat(data, "TRAIN")
    plain = SVC(gamma=1 / (train.shape[1] * train.var()))  # the same width in every fold
    plain = CalibratedClassifierCV(plain, method="sigmoid", cv=5, ensemble=False)
    plain.fit(train, data.labels[task]["TRAIN"])
    found = baselines.support_vector_machine(data, task, 0, None)
    expected = plain.predict_proba(flat(data, "TEST"))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-3)


def test_kernels_are_exact_in_blocks_too(small_blocks):
    data = drawn()
    train, test = flat(data, "TRAIN"), flat(data, "TEST")
    distances = ((test[:, None] - train[None]) ** 2).sum(axis=2)
    gamma = 1 / (train.shape[1] * train.var())
    baselines._products.cache_clear()
    np.testing.assert_allclose(baselines._kernel(data, "TEST", "linear"), test @ train.T)
    np.testing.assert_allclose(
        baselines._kernel(data, "TEST", "rbf"), np.exp(-gamma * distances), rtol=1e-9
    )
    baselines._products.cache_clear()


def test_products_are_computed_once_for_all_tasks_and_kinds():
    data = drawn()
    baselines._products.cache_clear()
    for task in TASKS:
        for settings in ({}, {"kind": "nu"}, {"kernel": "linear"}):
            baselines.support_vector_machine(data, task, 0, None, **settings)
    assert baselines._products.cache_info().misses == len(SPLITS)


def test_products_are_never_those_of_other_images():
    baselines.support_vector_machine(drawn(), "four", 0, None)
    other = drawn(seed=1)
    found = baselines.support_vector_machine(other, "four", 0, None)
    plain = SVC().fit(flat(other, "TRAIN"), other.labels["four"]["TRAIN"])
    assert np.array_equal(found.labels[0], plain.predict(flat(other, "TEST")))


def unbalanced():
    """Two polynuclear cells to one mononuclear."""
    data = drawn()
    labels = data.labels["two"]["TRAIN"]
    keep = np.sort(np.concatenate([np.flatnonzero(labels), np.flatnonzero(labels == 0)[::2]]))
    return methods.Data(
        data.pixels | {"TRAIN": data.pixels["TRAIN"][keep]},
        {t: found | {"TRAIN": found["TRAIN"][keep]} for t, found in data.labels.items()},
        "unbalanced",
    )


def test_an_infeasible_nu_is_said_to_be_so():
    data = unbalanced()
    with pytest.raises(methods.InfeasibleError, match=r"nu = 0\.9 is infeasible"):
        baselines.support_vector_machine(data, "two", 0, None, kind="nu", nu=0.9)
    bound = 2 * np.bincount(data.labels["two"]["TRAIN"]).min() / len(data.labels["two"]["TRAIN"])
    assert 0.5 < bound < 0.8
    baselines.support_vector_machine(data, "two", 0, None, kind="nu", nu=0.5)


def test_a_wrong_value_is_not_called_infeasible():
    with pytest.raises(ValueError, match="nu") as caught:
        baselines.support_vector_machine(drawn(), "two", 0, None, kind="nu", nu=2.0)
    assert not isinstance(caught.value, methods.InfeasibleError)


def test_the_seed_changes_nothing():
    data = drawn()
    for function in (baselines.naive_bayes, baselines.support_vector_machine):
        first, second = (function(data, "four", seed, None) for seed in (0, 1))
        assert first.probabilities.tobytes() == second.probabilities.tobytes()
        assert first.labels.tobytes() == second.labels.tobytes()


# -------------------------------------------------------------------------- nearest neighbours


@pytest.mark.parametrize("task", TASKS)
def test_the_nearest_neighbour_is_the_most_similar_training_image(task):
    data = drawn()
    found = methods.METHODS["KNN"](data, task, 0, None)
    checks_out(found, data, task)
    assert classes_told_apart(found.labels, task)
    train = flat(data, "TRAIN")
    for split, labels in (("TEST", found.labels[0]), ("TEST_SIMPLE", found.labels_simple)):
        distances = ((flat(data, split)[:, None] - train) ** 2).sum(axis=2)
        assert labels.tolist() == data.labels[task]["TRAIN"][distances.argmin(axis=1)].tolist()


def test_several_neighbours_vote():
    data = drawn()
    found = methods.METHODS["KNN"](data, "four", 0, None, n_neighbors=5)
    checks_out(found, data, "four")
    votes = found.probabilities.astype(float) * 5
    np.testing.assert_allclose(votes, votes.round(), atol=5e-3)
    assert (found.probabilities.max(axis=1) < 1).any()
    assert (found.labels != methods.METHODS["KNN"](data, "four", 0, None).labels).any()


def test_the_nearest_neighbour_of_a_training_image_is_itself():
    data = drawn()
    same = methods.Data(
        data.pixels | {"TEST": data.pixels["TRAIN"]},
        {task: of | {"TEST": of["TRAIN"]} for task, of in data.labels.items()},
        "the same on both sides",
    )
    found = methods.METHODS["KNN"](same, "four", 0, None)
    assert found.labels[0].tolist() == data.labels["four"]["TRAIN"].tolist()
