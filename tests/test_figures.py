"""Figures show the numbers that they were given, and the same ones each time."""

import io
import types

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from bloodlib import study
from bloodlib.book import figures
from bloodlib.data import images, synthetic
from bloodlib.data.images import CLASSES, SPLITS, TASKS
from bloodlib.evidence import comparison

mpl.use("agg")
pytestmark = pytest.mark.usefixtures("style")


def texts(figure):
    """Everything written in a figure."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def bars(axis):
    return [patch.get_height() for patch in axis.patches]


def svg(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    plt.close(figure)
    return stream.getvalue()


COUNTS = pd.DataFrame({"class": CLASSES * 3, "split": np.repeat(SPLITS, 4), "images": range(1, 13)})
FOUR = np.arange(16).reshape(4, 4) + 100
CURVES = pd.DataFrame(
    [
        {"epoch": e, "images": shown, "accuracy": e / 10, "precision": e / 20, "loss": 3 / e}
        for shown in ("training", "validation")
        for e in range(1, 6)
    ]
)


@pytest.fixture
def cells():
    """All cells, ours a tenth below the paper's, with intervals."""
    known = comparison.cells({})
    for cell in known:
        ours = cell["paper"] - 0.1
        cell |= {"ours": ours, "low": ours - 0.04, "high": ours + 0.07}
    return known


def mistakes(n, pixels):
    return [
        {
            "pixels": np.full((60, 80, 3), 10 * i, np.uint8) if pixels else None,
            "name": f"TEST/EOSINOPHIL/_{i}_1.jpeg",
            "true": "EOSINOPHIL",
            "predicted": "MONOCYTE",
            "probability": 0.9 + i / 100,
        }
        for i in range(n)
    ]


# --------------------------------------------------------------------------- each of them


def test_counts():
    figure = figures.plot_counts(COUNTS)
    for axis, (split, chosen) in zip(figure.axes, COUNTS.groupby("split", sort=False), strict=True):
        assert bars(axis) == chosen["images"].tolist()
        assert axis.get_title(loc="left") == f"{split}: {chosen['images'].sum():,}"
        assert [t.get_text() for t in axis.texts] == [str(n) for n in chosen["images"]]
    found = figures.compute_counts()
    assert list(zip(found["split"], found["class"], strict=True)) == [
        (split, name) for split in SPLITS for name in CLASSES
    ]
    assert found.groupby("split")["images"].sum().to_dict() == {
        split: len(images.labels(split)) for split in SPLITS
    }


@pytest.mark.parametrize("task", list(TASKS))
def test_confusion(task):
    n = len(TASKS[task])
    axis = figures.plot_confusion(FOUR[:n, :n], task, "A title")
    assert [t.get_text() for t in axis.texts] == [str(v) for v in FOUR[:n, :n].ravel()]
    names = [name.capitalize() for name in TASKS[task]]
    assert [t.get_text() for t in axis.get_xticklabels()] == names
    assert [t.get_text() for t in axis.get_yticklabels()] == names
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    assert axis.get_title(loc="left") == "A title"


def test_a_class_without_images_is_no_division_by_zero():
    axis = figures.plot_confusion(np.array([[3, 1], [0, 0]]), "two")
    assert "nan" not in texts(axis.figure)


def test_confusions_side_by_side():
    figure = figures.plot_confusions({"One": FOUR, "Two": FOUR + 50}, "four")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["One", "Two"]
    assert {"100", "115", "150", "165"} <= set(texts(figure))


def test_beside(cells):
    frame = figures.select_cells(cells, 1, "four", ["NB", "SVM"])
    figure = figures.plot_beside(frame)
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "Precision", "Recall", "F1 score",
    ]  # fmt: skip
    for axis, measure in zip(figure.axes, ("precision", "recall", "f1"), strict=True):
        chosen = frame[frame["measure"] == measure]
        lines, paper, ours = axis.collections
        rows = range(len(chosen))
        ends = np.stack([segment[:, 0] for segment in lines.get_segments()])
        np.testing.assert_allclose(ends, chosen[["low", "high"]])
        np.testing.assert_allclose(paper.get_offsets(), np.c_[chosen["paper"], rows])
        np.testing.assert_allclose(ours.get_offsets(), np.c_[chosen["ours"], rows])
        (chance,) = axis.lines
        assert set(chance.get_xdata()) == {0.25}
    assert "NB  Neutrophil" in texts(figure)
    assert {"paper", "ours"} <= set(texts(figure))


@pytest.mark.parametrize(
    "draw",
    [
        lambda cells: figures.plot_beside(figures.select_cells(cells, 2, "two", ["MaxPooling"])),
        lambda cells: figures.plot_averages(cells, "f1"),
    ],
)
def test_without_runs_the_paper_is_shown(cells, draw):
    for cell in cells:
        cell |= dict.fromkeys(("ours", "low", "high"))
    written = texts(draw(cells))
    assert any("F1 score" in text for text in written)
    assert not any("nan" in text for text in written)


def test_averages(cells):
    figure = figures.plot_averages(cells, "recall")
    (axis,) = figure.axes
    methods = ["NB", "SVM", "DCLNN", "AveragePooling", "MaxPooling"]
    assert [t.get_text() for t in axis.get_xticklabels()] == methods
    wanted = []
    for task, source in (("two", "paper"), ("two", "ours"), ("four", "paper"), ("four", "ours")):
        for method in methods:
            wanted += {
                cell[source]
                for cell in cells
                if (cell["task"], cell["method"], cell["class"], cell["measure"])
                == (task, method, "Average", "recall")
            }
    assert bars(axis) == wanted
    assert [t.get_text() for t in axis.texts] == [f"{value:.2f}" for value in wanted]
    spans = [segment[:, 1] for lines in axis.collections for segment in lines.get_segments()]
    ours = np.array([wanted[5:10], wanted[15:]]).ravel()
    np.testing.assert_allclose(spans, np.c_[ours - 0.04, ours + 0.07])


def test_counting():
    written = texts(figures.plot_counting(FOUR, "four", "MONOCYTE"))
    expected = {(2, 2): "TP", (2, 0): "FN", (0, 2): "FP", (0, 1): "TN"}
    assert {f"{FOUR[place]}\n{kind}" for place, kind in expected.items()} <= set(written)
    assert sum(text.endswith("TN") for text in written) == 9
    precision, recall = FOUR[2, 2] / FOUR[:, 2].sum(), FOUR[2, 2] / FOUR[2].sum()
    assert f"Monocyte: precision {precision:.2f}, recall {recall:.2f}" in written


def test_curves():
    figure = figures.plot_curves(CURVES, ("accuracy", "loss"), mark=3)
    for axis, measure in zip(figure.axes, ("accuracy", "loss"), strict=True):
        training, validation, mark = axis.lines
        for line, shown in ((training, "training"), (validation, "validation")):
            chosen = CURVES[CURVES["images"] == shown]
            assert line.get_ydata().tolist() == chosen[measure].tolist()
            assert line.get_label() == shown
        assert set(mark.get_xdata()) == {3}
        assert axis.get_title(loc="left") == measure.capitalize()
    assert len(figures.plot_curves(CURVES, ("loss",)).axes[0].lines) == 2


def test_the_band_round_validation_is_its_interval():
    ends = {"accuracy_low": CURVES["accuracy"] - 0.02, "accuracy_high": CURVES["accuracy"] + 0.01}
    known = CURVES.assign(**ends).where(CURVES["images"] == "validation")
    accuracy, loss = figures.plot_curves(
        CURVES.assign(**known[list(ends)]), ("accuracy", "loss")
    ).axes
    assert not loss.collections
    (band,) = accuracy.collections
    corners = {tuple(np.round(corner, 9)) for corner in band.get_paths()[0].vertices}
    for e in range(1, 6):
        assert {(e, round(e / 10 - 0.02, 9)), (e, round(e / 10 + 0.01, 9))} <= corners


@pytest.mark.parametrize("published", [True, False])
def test_load_curves(monkeypatch, published):
    def estimate(runs, score, epoch):
        value = score(confusions["TEST"][epoch - 1])
        return comparison.Estimate(
            value, *(np.add(value, end) for end in ([-0.1, -0.2], [0.3, 0.4]))
        )

    monkeypatch.setattr(comparison, "estimate", estimate)
    rng = np.random.default_rng(0)
    confusions = {split: rng.integers(1, 50, (3, 4, 4)) for split in ("TRAIN", "TEST")}
    settings = {} if published else {"images": "drawn"}
    record = types.SimpleNamespace(
        config={"method": "DCLNN", "task": "four", **settings},
        epochs=3,
        history={"loss": [3.0, 2.0, 1.0], "val_loss": [6.0, 5.0, 4.0]},
        confusion=lambda split, epoch: confusions[split][epoch - 1],
    )
    frame = figures.compute_curves(record)
    assert frame["epoch"].tolist() == [1, 2, 3, 1, 2, 3]
    assert frame["loss"].tolist() == [3, 2, 1, 6, 5, 4]
    last = confusions["TEST"][2]
    assert frame["accuracy"].iloc[-1] == pytest.approx(np.trace(last) / last.sum())
    precision = (np.diag(last) / last.sum(axis=0)).mean()
    assert frame["precision"].iloc[-1] == pytest.approx(precision)
    ends = frame.filter(regex="low|high")
    assert ends.iloc[:3].isna().all(axis=None)
    if not published:
        assert ends.isna().all(axis=None)
        return
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
    found = figures.compute_mean_curves(runs)
    assert found["epoch"].tolist() == [1, 2, 3] * 2  # the fourth only one run has
    assert found[["loss_low", "loss", "loss_high"]].iloc[-1].tolist() == [1.0, 3.0, 5.0]
    last = [run.confusion("TEST", 3) for run in runs]
    right = [np.trace(one) / one.sum() for one in last]
    assert found["accuracy"].iloc[-1] == pytest.approx(np.mean(right))
    ends = found[["accuracy_low", "accuracy_high"]].iloc[-1]
    assert ends.tolist() == pytest.approx([min(right), max(right)])
    figure = figures.plot_curves(found, ("accuracy", "loss"))
    assert [len(axis.collections) for axis in figure.axes] == [1, 1]


# --------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("published", [True, False])
def test_gallery_shows_photographs_or_drawn_cells_that_say_so(monkeypatch, published):
    asked = []

    def picture(split, name):
        asked.append((split, name.split("/")[0]))
        return np.zeros((240, 320, 3), np.uint8)

    monkeypatch.setattr(images, "available", lambda: published)
    monkeypatch.setattr(images, "picture", picture)
    pictures = figures.load_gallery(2, seed=3)
    assert asked == [("TRAIN", name) for name in CLASSES for _ in range(2)] * published
    rng = np.random.default_rng(3)
    for label, name in enumerate(CLASSES):
        assert [shown.shape for shown in pictures[name]] == [(240, 320, 3)] * 2
        for shown in () if published else pictures[name]:
            plain = synthetic.draw(label, rng, size=(240, 320))
            np.testing.assert_array_equal(shown, synthetic.stamp(plain))
            assert (shown != plain).any()


def test_plot_gallery():
    pictures = {
        name: [np.full((24, 32, 3), 10 * i + j, np.uint8) for j in range(3)]
        for i, name in enumerate(CLASSES)
    }
    figure = figures.plot_gallery(pictures)
    shown = [axis.images[0].get_array()[0, 0, 0] for axis in figure.axes]
    assert shown == [10 * i + j for i in range(4) for j in range(3)]
    assert {name.capitalize() for name in CLASSES} <= set(texts(figure))


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
    found = figures.load_mistakes(a_run(), 2)
    names = images.names("TEST")
    assert [m["name"] for m in found] == [names[1], names[4]]
    assert [(m["true"], m["predicted"]) for m in found] == [
        ("Mononuclear", "Polynuclear"),
        ("Polynuclear", "Mononuclear"),
    ]
    assert [m["probability"] for m in found] == pytest.approx([0.9, 0.9], abs=1e-3)
    assert {m["pixels"] is None for m in found} == {True}
    assert len(figures.load_mistakes(a_run(), 8)) == 3


def test_mistakes_show_the_images_that_the_run_saw(monkeypatch):
    asked = []

    def load(*seen):
        asked.append(seen)
        return types.SimpleNamespace(pixels={"TEST": np.arange(6)})

    monkeypatch.setattr(study, "load", load)
    monkeypatch.setattr(images, "available", lambda: False)
    found = figures.load_mistakes(a_run(images="drawn", images_per_class=50))
    assert asked == [("drawn", 50, "published", 0, "averaged")]
    assert [(m["pixels"], m["name"]) for m in found] == [
        (1, "number 1"),
        (4, "number 4"),
        (3, "number 3"),
    ]
    monkeypatch.setattr(images, "available", lambda: True)
    assert figures.load_mistakes(a_run(images_per_class=50))[0]["name"] == "number 1"
    assert asked[-1] == ("published", 50, "published", 0, "averaged")
    assert figures.load_mistakes(a_run(split_by="cell", fold=1))[0]["name"] == "number 1"
    assert asked[-1] == ("published", None, "cell", 1, "averaged")


@pytest.mark.parametrize(("n", "pixels"), [(6, True), (6, False), (0, True)])
def test_plot_mistakes(n, pixels):
    figure = figures.plot_mistakes(mistakes(n, pixels))
    written = texts(figure)
    assert sum(len(axis.images) for axis in figure.axes) == n * pixels
    assert ("_3_1.jpeg" in written) == (n > 0 and not pixels)
    assert ("Eosinophil\ntaken for monocyte, 0.93" in written) == (n > 0)


# --------------------------------------------------------------------------- the files


@pytest.mark.parametrize(
    "draw",
    [
        lambda cells: figures.plot_averages(cells, "f1"),
        lambda cells: figures.plot_curves(CURVES, ("accuracy", "loss"), mark=2),
    ],
    ids=["averages", "curves"],
)
def test_the_same_file_twice(cells, draw):
    first = svg(draw(cells))
    assert first == svg(draw(cells))
    assert b">nan<" not in first
    assert b"<dc:date>" not in first


def test_every_class_and_method_has_a_colour_of_its_own_in_its_table():
    for names in (*TASKS.values(), ("NB", "SVM", "DCLNN"), ("AveragePooling", "MaxPooling")):
        assert len({figures.COLOURS[name] for name in names}) == len(names)
