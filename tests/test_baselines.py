"""The methods that are no networks predict what scikit-learn's estimators do."""

import dataclasses
import functools

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

from bloodlib import study
from bloodlib.data import synthetic
from bloodlib.data.images import CLASSES, NUCLEI, SPLITS, TASKS
from bloodlib.models import methods

KINDS = ("pixels", "grey", "histogram")


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


def photographed(noise=45):
    """Coloured images of three photographs a class."""
    data = coloured(noise=noise)
    labels = data.labels["four"]["TRAIN"].astype(int)
    return dataclasses.replace(data, photographs=labels * 10 + np.arange(40) % 3)


def run(name, data, task="four", **settings):
    """The predictions of a method, whose form is checked."""
    found = methods.METHODS[name](data, task, 0, None, **settings)
    assert found.labels.shape == (1, len(data.pixels["TEST"]))
    assert found.labels.dtype == found.labels_simple.dtype == np.uint8
    for chances, split in (
        (found.probabilities, "TEST"),
        (found.probabilities_simple, "TEST_SIMPLE"),
    ):
        assert chances.dtype == np.float16
        assert chances.shape == (len(data.pixels[split]), len(TASKS[task]))
        np.testing.assert_allclose(chances.sum(axis=1, dtype=float), 1, atol=3e-3)
    return found


def seen(data, split, kind="pixels"):
    return methods.compute_features(data.pixels[split], kind)


def is_plain(found, model, data, see, atol=1e-3):
    """Whether labels and probabilities are those of a fitted estimator."""
    for split, chances, labels in (
        ("TEST", found.probabilities, found.labels[0]),
        ("TEST_SIMPLE", found.probabilities_simple, found.labels_simple),
    ):
        expected = model.predict_proba(see(split))
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(chances, expected, atol=atol)
        np.testing.assert_array_equal(labels, expected.argmax(axis=1))


# ------------------------------------------------------------------------------ Naive Bayes

BAYES = {
    "Gaussian": lambda kind: GaussianNB(),
    "multinomial": lambda kind: MultinomialNB(),
    "Bernoulli": lambda kind: BernoulliNB(binarize=0 if kind == "histogram" else 0.5),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", BAYES)
@pytest.mark.parametrize("what", KINDS)
def test_kinds_of_naive_bayes_are_scikit_learns(kind, what, task):
    data = drawn()
    found = run("NB", data, task, kind=kind, features=what)
    times = 12 * 16 if (kind, what) == ("multinomial", "histogram") else 1  # counts of pixels
    model = BAYES[kind](what).fit(times * seen(data, "TRAIN", what), data.labels[task]["TRAIN"])
    is_plain(found, model, data, lambda split: times * seen(data, split, what))


# ------------------------------------------------------------------- support vector machines


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly"])
@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize(
    ("settings", "plain"),
    [({"C": 0.5}, SVC(C=0.5)), ({"kind": "nu", "nu": 0.2}, NuSVC(nu=0.2))],
    ids=["C", "nu"],
)
def test_support_vector_machines_are_plain_ones(kernel, what, settings, plain):
    data = drawn()
    found = run("SVM", data, kernel=kernel, features=what, **settings)
    plain = plain.set_params(kernel=kernel, gamma="scale")
    plain.fit(seen(data, "TRAIN", what), data.labels["four"]["TRAIN"])
    expected = plain.predict(seen(data, "TEST", what))
    assert len(np.unique(expected)) > 1
    # both stop when they are near enough: an image on the border may fall to either side
    assert (found.labels[0] != expected).sum() <= 1
    assert (found.labels_simple != plain.predict(seen(data, "TEST_SIMPLE", what))).sum() <= 1


@pytest.mark.parametrize("task", TASKS)
def test_probabilities_are_platts_over_five_folds(task):
    data = drawn()
    train = seen(data, "TRAIN")
    plain = SVC(gamma=1 / (train.shape[1] * train.var()))  # the same width in every fold
    plain = CalibratedClassifierCV(plain, method="sigmoid", cv=5, ensemble=False)
    plain.fit(train, data.labels[task]["TRAIN"])
    expected = plain.predict_proba(seen(data, "TEST"))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(run("SVM", data, task).probabilities, expected, atol=1e-3)


def test_an_infeasible_nu_is_said_to_be_so():
    """Two polynuclear cells to one mononuclear bound it by two thirds."""
    data = drawn()
    labels = data.labels["two"]["TRAIN"]
    keep = np.sort(np.concatenate([np.flatnonzero(labels), np.flatnonzero(labels == 0)[::2]]))
    data = methods.Data(
        data.pixels | {"TRAIN": data.pixels["TRAIN"][keep]},
        {t: found | {"TRAIN": found["TRAIN"][keep]} for t, found in data.labels.items()},
        "unbalanced",
    )
    with pytest.raises(methods.InfeasibleError, match=r"nu = 0\.9 is infeasible"):
        run("SVM", data, "two", kind="nu", nu=0.9)
    run("SVM", data, "two", kind="nu", nu=0.5)
    with pytest.raises(ValueError, match="nu") as caught:
        run("SVM", data, "two", kind="nu", nu=2.0)
    assert not isinstance(caught.value, methods.InfeasibleError)


def test_nothing_is_shared_between_runs():
    """What a run takes and gives doesn't depend on the runs before it, nor on the seed."""
    alone = run("SVM", drawn(seed=1))
    run("SVM", drawn())
    again = methods.METHODS["SVM"](drawn(seed=1), "four", 7, None)
    assert alone.probabilities.tobytes() == again.probabilities.tobytes()


# --------------------------------------------------------- nearest neighbours, constant, colour


@pytest.mark.parametrize("task", TASKS)
def test_the_nearest_neighbour_is_the_most_similar_training_image(task):
    data = drawn()
    found = run("KNN", data, task)
    train = seen(data, "TRAIN")
    for split, labels in (("TEST", found.labels[0]), ("TEST_SIMPLE", found.labels_simple)):
        distances = ((seen(data, split)[:, None] - train) ** 2).sum(axis=2)
        assert labels.tolist() == data.labels[task]["TRAIN"][distances.argmin(axis=1)].tolist()


@pytest.mark.parametrize("task", TASKS)
def test_the_majority_is_that_of_train(task):
    data = coloured()
    found = run("majority", data, task)
    shares = np.bincount(data.labels[task]["TRAIN"]) / 40
    assert set(found.labels[0]) == set(found.labels_simple) == {shares.argmax()}
    np.testing.assert_allclose(found.probabilities[0], shares, atol=1e-3)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", [{}, {"bins": 3, "colours": "HSV", "C": 0.01}])
def test_histogram_is_logistic_regression_on_shares(task, settings):
    data = coloured()
    bins, colours = settings.get("bins", 8), settings.get("colours", "RGB")
    scaler = StandardScaler().fit(methods.histogram(data.pixels["TRAIN"], bins, colours))

    def see(split):
        return scaler.transform(methods.histogram(data.pixels[split], bins, colours))

    model = LogisticRegression(C=settings.get("C", 1.0), max_iter=1000)
    model.fit(see("TRAIN"), data.labels[task]["TRAIN"])
    is_plain(run("histogram", data, task, **settings), model, data, see)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", [{}, {"bins": 3, "colours": "HSV"}])
def test_the_nearest_photograph_by_its_mean_colours(task, settings):
    data = photographed()
    found = run("nearest-photograph", data, task, **settings)
    numbers, labels = data.photographs, data.labels[task]["TRAIN"]
    shares = {s: methods.histogram(data.pixels[s], *settings.values()) for s in SPLITS}
    means = {n: shares["TRAIN"][numbers == n].mean(axis=0) for n in np.unique(numbers)}
    assert len(means) < 13
    for split, answers in (("TEST", found.labels[0]), ("TEST_SIMPLE", found.labels_simple)):
        for row, answer in zip(shares[split], answers, strict=True):
            # Bhattacharyya's coefficient falls as Hellinger's distance grows
            alike = {n: np.sqrt(row * mean).sum() for n, mean in means.items()}
            assert answer == labels[numbers == max(alike, key=alike.get)][0]


def test_settings_added_later_rename_no_record():
    """Records would be lost if these changed."""
    assert study.identify({"method": "NB", "task": "four"}) == "NB-four-3531c940b9"
    assert study.identify({"method": "SVM", "task": "two", "kind": "nu"}) == "SVM-two-bff219283c"
