"""Every method side by side: what was chosen without TEST, what each has learned, more cells."""

import itertools

import numpy as np
import pytest
from test_comparison import freeze

from bloodlib import study
from bloodlib.analyses import model_comparison
from bloodlib.data import images, photographs, splits, stored
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison, intervals
from bloodlib.models import networks

pytestmark = pytest.mark.usefixtures("style")


def saved(config, share, draw=0):
    """A saved run that classifies a share of what it is tried on correctly."""
    config = study.resolve(config)
    rng = np.random.default_rng(draw)
    truth = splits.labels("TEST", config["task"], config["split_by"], config["fold"])
    wrong = (truth + 1) % len(TASKS[config["task"]])
    epochs = 25 if config["method"] in ("DCLNN", "small") else 1
    labels = np.where(rng.random((epochs, len(truth))) < share, truth, wrong).astype(np.uint8)
    return freeze(config, labels)


def on_fold(method, fold, share, **settings):
    config = {"method": method, "task": "four", "split_by": "train-cell", "fold": fold}
    return saved(config | settings, share, draw=fold)


def correct(run):
    return run.arrays["labels"][-1] == run.arrays["truth"]


# ------------------------------------------------------------------------------ the choice


def test_the_best_settings_over_all_folds_come_first(folders):
    first = [on_fold("histogram", fold, 0.5 + 0.4 * fold, C=0.1) for fold in (0, 1)]
    second = [on_fold("histogram", fold, 0.6) for fold in (0, 1)]
    on_fold("histogram", 0, 0.99, C=10.0)  # on one fold only
    saved({"method": "histogram", "task": "four", "C": 100.0}, 1.0)  # on TEST
    found = model_comparison.compute_candidates("histogram")
    assert [settings["C"] for settings in found["settings"]] == [0.1, 1.0]
    assert found["words"].tolist() == ["C 0.1", "defaults"]
    assert found["chosen"].tolist() == [True, False]
    assert set(found["folds"]) == {2}
    for row, tried in zip(found.itertuples(), (first, second), strict=True):
        each = [correct(run).mean() for run in tried]
        assert row.accuracy == pytest.approx(np.concatenate([correct(r) for r in tried]).mean())
        assert (row.lowest, row.highest) == pytest.approx((min(each), max(each)))


def test_more_seeds_of_one_fold_do_not_make_it_count_more(folders):
    seeds = [on_fold("small", 0, 0.9, seed=seed) for seed in range(3)]
    other = on_fold("small", 1, 0.3)
    (row,) = model_comparison.compute_candidates("small").itertuples()
    parts = [np.mean([correct(run) for run in seeds], axis=0), correct(other)]
    assert row.folds == 2
    assert row.accuracy == pytest.approx(np.concatenate(parts).mean())


def test_what_is_chosen_is_tried_on_test(folders):
    on_fold("histogram", 0, 0.5, bins=4)
    on_fold("histogram", 0, 0.7, C=0.01)
    saved({"method": "histogram", "task": "two", "bins": 4}, 0.9)
    with pytest.raises(stored.MissingError, match=r"colour histogram two, C 0\.01.*study\.yml"):
        model_comparison.runs("histogram", "two")
    chosen = {
        saved({"method": "histogram", "task": "two", "C": 0.01, "seed": seed}, 0.8).id
        for seed in (0, 1)
    }
    assert {run.id for run in model_comparison.runs("histogram", "two")} == chosen
    with pytest.raises(stored.MissingError, match="no settings of small were tried"):
        model_comparison.runs("small", "four")


# ------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("method", ["small", "DCLNN"])
def test_a_network_has_as_many_weights_as_keras_counts(keras, folders, method, task):
    for tuned in model_comparison.TUNED:
        on_fold(tuned, 0, 0.6, **({"halving": "max", "width": 8} if tuned == "small" else {}))
    classes = len(TASKS[task])
    build = networks.build_compact_cnn if method == "small" else networks.build_dclnn
    model = build(classes, 8, "max") if method == "small" else build(classes)
    for other in model_comparison.METHODS:
        saved(model_comparison.settings(other) | {"task": task}, 0.5)
    found = model_comparison.compute_test(task).set_index("method")["weights"]
    assert found[method] == model.count_params()
    assert found["histogram"] == (8**3 + 1) * {"four": 4, "two": 1}[task]
    assert found.drop(["small", "DCLNN", "histogram"]).isna().all()


# --------------------------------------------------------------------------- side by side


@pytest.fixture
def everyone(folders):
    """Every method on TEST, and the choice that it takes: the shares that are correct."""
    for method in model_comparison.TUNED:
        on_fold(method, 0, 0.6)
    shares = dict(zip(model_comparison.METHODS, np.linspace(0.3, 0.9, 7), strict=True))
    for task, (method, share) in itertools.product(TASKS, shares.items()):
        saved({"method": method, "task": task}, share, draw=1)
    for task in TASKS:
        saved({"method": "small", "task": task, "seed": 1}, shares["small"], draw=2)
    more = {"method": "DCLNN", "task": "four", "seed": 1, "precision": "mixed_bfloat16"}
    saved(more, shares["DCLNN"], draw=3)
    return shares


def test_every_method_has_its_interval(everyone):
    found = model_comparison.compute_test("four").set_index("method")
    assert list(found.index) == list(model_comparison.METHODS)
    for method, row in found.iterrows():
        runs = model_comparison.runs(method, "four")
        assert tuple(row[["accuracy", "low", "high"]]) == pytest.approx(comparison.estimate(runs))
        assert row["accuracy"] == pytest.approx(everyone[method], abs=0.03)
        assert np.mean(row["each"]) == pytest.approx(row["accuracy"])
    model_comparison.plot_test(found.reset_index()).canvas.draw()
    assert found["runs"].tolist() == [1, 1, 1, 1, 1, 2, 2]


def test_differences_are_paired(everyone):
    found = model_comparison.compute_differences([("small", "NB"), ("DCLNN", "SVM")])
    assert len(found) == 2 * len(TASKS)
    for row in found.itertuples():
        runs = [model_comparison.runs(method, row.task) for method in (row.first, row.second)]
        expected = comparison.difference(*runs)
        assert (row.difference, row.low, row.high) == pytest.approx(tuple(expected))
        assert row.p_cells < 0.05


# ----------------------------------------------------------------------------- on TRAIN's cells


def test_held_out_is_predicted_by_as_many_runs_as_every_fold_has(folders):
    for method in model_comparison.TUNED:
        on_fold(method, 0, 0.6)
    for fold in range(splits.N_FOLDS):
        runs = [on_fold("NB", fold, 0.5)]
        on_fold("SVM", fold, 0.9)
        if fold:
            on_fold("majority", fold, 0.3)  # the first fold is missing
        for seed in range(1 + fold):
            on_fold("DCLNN", fold, 0.9, seed=seed)
    rows = splits.split("train-cell", fold).test
    assert (model_comparison.held_out("NB")[:, rows] == runs[0].arrays["labels"][-1]).all()
    assert model_comparison.held_out("DCLNN").shape == (1, len(images.names("TRAIN")))
    assert model_comparison.held_out("majority") is None
    found = model_comparison.compute_held_out("SVM").set_index("method")
    assert set(found.index) == {"NB", "SVM", "DCLNN"}
    assert found.loc["NB", "accuracy"] == pytest.approx(0.5, abs=0.03)
    assert found.loc["SVM", ["gap", "gap_low", "gap_high"]].isna().all()
    right = found["accuracy"]
    assert found.loc["NB", "gap"] == pytest.approx(right["SVM"] - right["NB"])
    truth = images.labels("TRAIN")
    drawn = intervals.resample(truth, photographs.cells("TRAIN"), 4, 20_000)
    first, second = (model_comparison.held_out(m)[0] == truth for m in ("SVM", "NB"))
    ends = intervals.paired_bounds(first * 1.0 - second, drawn)
    assert tuple(found.loc["NB", ["gap_low", "gap_high"]]) == pytest.approx(ends)


# ------------------------------------------------------------------------------- learning curve


@pytest.fixture
def grown(folders):
    """The learning curve of Naive Bayes on all fractions; the SVM has no run on a half."""
    for method in model_comparison.TUNED:
        on_fold(method, 0, 0.6)
    for by, folds, share in (("quarter", 4, 0.4), ("half", 2, 0.5), ("published", 1, 0.98)):
        for fold in range(folds):
            saved({"method": "NB", "task": "four", "split_by": by, "fold": fold}, share, fold)
        if by != "half":
            saved({"method": "SVM", "task": "four", "split_by": by}, share)
    # one fold with another seed: it counts no more than the other
    saved({"method": "NB", "task": "four", "split_by": "half", "seed": 1}, 0.0)
    return model_comparison.compute_learning_curve()


def test_a_row_for_each_fraction(grown):
    assert set(grown["method"]) == {"NB"}
    parts = grown.groupby("fraction", sort=False)
    assert parts.size().tolist() == [4, 2, 1]
    np.testing.assert_allclose(parts["accuracy"].mean(), [0.4, 0.5, 0.98], atol=0.03)
    every = len(np.unique(photographs.cells("TRAIN")))
    assert parts["cells"].first().tolist() == [every / 4, every / 2, every]
