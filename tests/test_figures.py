"""Figures show the numbers that they were given, and the same ones each time."""

import io
import types

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from bloodlib.book import figures
from bloodlib.data import images, registration, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")


def texts(figure):
    """Everything written in a figure."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def svg(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    plt.close(figure)
    return stream.getvalue()


EMPTY = np.array([[3, 1], [0, 0]])
FOUR = np.arange(16).reshape(4, 4) + 100
CURVES = pd.DataFrame(
    [
        {"epoch": e, "images": shown}
        | {f"{name}{end}": e / 10 for name in ("accuracy", "loss") for end in ("", "_low", "_high")}
        for shown in ("training", "TEST")
        for e in range(1, 6)
    ]
)


@pytest.fixture
def cells():
    """All cells, ours a tenth below the paper's, with intervals."""
    known = comparison.table_cells({})
    for cell in known:
        ours = cell["paper"] - 0.1
        cell |= {"ours": ours, "low": ours - 0.04, "high": ours + 0.07}
    return known


def without_runs(cells):
    return [cell | dict.fromkeys(("ours", "low", "high")) for cell in cells]


PLOTS = {
    "confusions": lambda cells: figures.plot_confusions({"One": FOUR, "Two": FOUR + 50}),
    "an empty class": lambda cells: figures.plot_confusions({"": EMPTY}),
    "beside": lambda cells: figures.plot_beside(pd.DataFrame(cells), "class"),
    "averages": lambda cells: figures.plot_averages(cells, "recall"),
    "without runs": lambda cells: figures.plot_averages(without_runs(cells), "f1"),
    "beside without": lambda cells: figures.plot_beside(pd.DataFrame(without_runs(cells)), "task"),
    "curves": lambda cells: figures.plot_curves(CURVES, ("accuracy", "loss"), mark=3),
    "gallery": lambda cells: figures.plot_gallery(2),
}


@pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS)
def test_the_same_file_twice_and_nothing_undefined_in_it(cells, draw):
    assert not any("nan" in text for text in texts(draw(cells)))
    assert svg(draw(cells)) == svg(draw(cells))


def test_numbers_given_are_numbers_written(cells):
    confusions = texts(figures.plot_confusions({"One": FOUR, "Two": FOUR + 50}))
    assert {str(n) for n in (*FOUR.flat, *(FOUR.flat + np.int64(50)))} <= set(confusions)
    averages = texts(figures.plot_averages(cells, "recall"))
    for cell in cells:
        if (cell["class"], cell["measure"]) == ("Average", "recall"):
            assert {f"{cell['paper']:.2f}", f"{cell['ours']:.2f}"} <= set(averages)


def test_curves_are_scores_after_each_epoch_with_intervals(monkeypatch):
    def estimate(runs, score, epoch):
        value = score(confusions["TEST"][epoch - 1])
        return comparison.Estimate(
            value, *(np.add(value, end) for end in ([-0.1, -0.2], [0.3, 0.4]))
        )

    monkeypatch.setattr(comparison, "estimate", estimate)
    rng = np.random.default_rng(0)
    confusions = {split: rng.integers(1, 50, (3, 4, 4)) for split in ("TRAIN", "TEST")}
    record = types.SimpleNamespace(
        config={"method": "DCLNN", "task": "four"},
        epochs=3,
        history={"loss": [3.0, 2.0, 1.0], "val_loss": [6.0, 5.0, 4.0]},
        confusion=lambda split, epoch: confusions[split][epoch - 1],
    )
    frame = figures.compute_curves([record])
    assert frame["epoch"].tolist() == [1, 2, 3, 1, 2, 3]
    assert frame["loss"].tolist() == [3, 2, 1, 6, 5, 4]
    last = confusions["TEST"][2]
    assert frame["accuracy"].iloc[-1] == pytest.approx(np.trace(last) / last.sum())
    precision = (np.diag(last) / last.sum(axis=0)).mean()
    assert frame["precision"].iloc[-1] == pytest.approx(precision)
    tested = frame.iloc[3:]
    for measure, below, over in (("accuracy", 0.1, 0.3), ("precision", 0.2, 0.4)):
        np.testing.assert_allclose(tested[f"{measure}_low"], tested[measure] - below)
        np.testing.assert_allclose(tested[f"{measure}_high"], tested[measure] + over)


def test_the_mean_of_curves_and_the_outermost_runs():
    rng = np.random.default_rng(0)

    def run(epochs, last):
        tables = rng.integers(1, 50, (epochs, 4, 4))
        losses = [last] * epochs
        return types.SimpleNamespace(
            epochs=epochs,
            history={"loss": losses, "val_loss": losses},
            confusion=lambda split, epoch: tables[epoch - 1],
        )

    runs = [run(3, 1.0), run(4, 5.0), run(3, 3.0)]
    found = figures.compute_curves(runs)
    assert found["epoch"].tolist() == [1, 2, 3] * 2  # the fourth only one run has
    assert found[["loss_low", "loss", "loss_high"]].iloc[-1].tolist() == [1.0, 3.0, 5.0]
    last = [run.confusion("TEST", 3) for run in runs]
    right = [np.trace(one) / one.sum() for one in last]
    assert found["accuracy"].iloc[-1] == pytest.approx(np.mean(right))
    ends = found[["accuracy_low", "accuracy_high"]].iloc[-1]
    assert ends.tolist() == pytest.approx([min(right), max(right)])


# --------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("published", [True, False])
def test_gallery_shows_photographs_or_drawn_cells_that_say_so(monkeypatch, published):
    asked = []

    def picture(split, name):
        asked.append((split, name.split("/")[0]))
        return np.zeros((240, 320, 3), np.uint8)

    monkeypatch.setattr(images, "available", lambda *_: published)
    monkeypatch.setattr(registration, "view", picture)
    axes = figures.plot_gallery(2, seed=3).axes
    assert asked == [("TRAIN", name) for name in CLASSES for _ in range(2)] * published
    titles = [name.capitalize() for name in CLASSES for _ in range(2)]
    assert [axis.get_title("left") for axis in axes] == titles
    if not published:
        plain = synthetic.draw(0, np.random.default_rng(3), size=(240, 320))
        shown = axes[0].images[0].get_array()
        np.testing.assert_array_equal(shown, synthetic.stamp(plain))
        assert (shown != plain).any()


def a_run(**config):
    """A run on six images: right, wrong at 0.9, right, wrong at 0.6, wrong at 0.9, right."""
    chances = np.array([[0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.4, 0.6], [0.9, 0.1], [0.2, 0.8]])
    arrays = {
        "truth": np.array([0, 0, 1, 0, 1, 1], np.uint8),
        "labels": np.array([[1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 0, 1]], np.uint8),
        "probabilities": chances.astype(np.float16),
    }
    config = {"method": "NB", "task": "two"} | config
    return types.SimpleNamespace(arrays=arrays, config=config)


def test_mistakes_are_those_it_was_most_sure_of(monkeypatch):
    monkeypatch.setattr(images, "available", lambda: False)
    shown = texts(figures.plot_mistakes(a_run(), 2))
    names = [images.names("TEST")[row].split("/")[1] for row in (1, 4)]
    assert sorted(shown) == sorted(
        [
            *names,
            "Mononuclear\ntaken for polynuclear, 0.90",
            "Polynuclear\ntaken for mononuclear, 0.90",
        ]
    )
    assert len(texts(figures.plot_mistakes(a_run(), 8))) == 2 * 3
    assert texts(figures.plot_mistakes(a_run(), 0)) == []


def test_every_class_and_method_has_a_colour_of_its_own_in_its_table():
    for names in (*TASKS.values(), ("NB", "SVM", "DCLNN"), ("AveragePooling", "MaxPooling")):
        assert len({figures.COLOURS[name] for name in names}) == len(names)
