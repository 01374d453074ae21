"""What is shown of attention is what was frozen, with intervals by cell."""

import shutil

import numpy as np
import pytest
from conftest import CHECKOUT

from bloodlib.analyses import attention, gaze
from bloodlib.analyses.attention import ASKED, BINS, COARSE, HIDDEN, MAPS, SIGNS
from bloodlib.data import boxes, images, photographs, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import comparison, intervals, scores
from bloodlib.study import measurements

pytestmark = pytest.mark.usefixtures("style")
N = len(images.names("TEST"))


@pytest.fixture
def frozen(folders, tmp_path, monkeypatch):
    """Maps that lie on the cell for six tenths, less where the answer is wrong; no images here."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    found = {"area": rng.uniform(0.05, 0.2, N), "visible": np.full(N, 0.9)}
    found["blob"] = found["area"] + 0.05
    for task, names in TASKS.items():
        truth = images.labels("TEST", task)
        wrong = photographs.photographs("TEST") == 110
        labels = np.where(wrong, (truth + 1) % len(names), truth).astype(np.uint8)
        shares = np.empty((N, len(ASKED), len(MAPS), len(SIGNS)), np.float16)
        shares[:, 0] = np.where(wrong, 0.3, 0.6)[:, None, None]
        shares[:, 0, 1] += 0.1
        shares[:, 1], shares[:, 2] = 0.5, found["area"][:, None, None]
        hidden = np.stack([np.zeros_like(labels), labels, truth], axis=1)
        assert hidden.shape[1] == len(HIDDEN)
        profile = np.ones((len(CLASSES), len(MAPS) + 1, BINS, BINS))
        profile[:, 0, 8:16, 8:16] = 5
        for key, value in (
            ("labels", labels), ("shares", shares), ("hidden", hidden), ("profile", profile),
        ):  # fmt: skip
            found[f"{key}_{task}"] = value
    found["examples"] = rng.random((8, len(MAPS), *COARSE)).astype(np.float16)
    found["example_labels"] = np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8)
    measurements.save("attention", found, {}, stored.Clock())
    return found


def test_shares_are_means_with_intervals_by_cell(frozen):
    found = gaze.load_shares()
    assert len(found) == len(TASKS) * len(MAPS) * len(SIGNS)
    row = found.set_index(["task", "map", "sign"]).loc[("four", "features", "all")]
    ours = frozen["shares_four"][:, 0, 1, 0].astype(float)
    assert row["share"] == pytest.approx(ours.mean())
    ends = intervals.mean_bounds(ours[None], comparison.resamples("four"))
    assert (row["low"], row["high"]) == pytest.approx(ends)
    assert row["other"] == pytest.approx(0.5)
    assert row["untrained"] == pytest.approx(row["area"], abs=1e-3)
    assert row["blob"] == pytest.approx(row["area"] + 0.05)
    shown = gaze.show_shares(found)
    assert shown["Map"].unique().tolist() == list(MAPS.values())
    assert shown["Its answer"][2].startswith(f"{ours.mean():.2f} (")


def test_right_and_wrong_answers_are_told_apart_by_class(frozen):
    found = gaze.load_classes().set_index(["task", "class", "answer"])
    right, wrong = (found.loc[("four", "MONOCYTE", answer)] for answer in ("right", "wrong"))
    assert right["pixels"] == pytest.approx(0.6, abs=1e-3)
    assert wrong["pixels"] == pytest.approx(0.3, abs=1e-3)
    assert wrong["features"] == pytest.approx(0.4, abs=1e-3)
    worst = photographs.photographs("TEST") == 110
    assert wrong["images"] == worst.sum()
    assert wrong["area"] == pytest.approx(frozen["area"][worst].mean())
    assert wrong["visible"] == pytest.approx(0.9)
    assert found["images"].groupby("task").sum().tolist() == [N] * len(TASKS)
    # nothing else is wrong
    assert found.xs("wrong", level="answer").index.tolist() == [
        (task, "MONOCYTE") for task in TASKS
    ]
    shown = gaze.show_classes(found.reset_index())
    assert (shown["Box in the image"] == "90%").all()
    assert shown["HiResCAM"][0] == pytest.approx(0.7, abs=1e-3)


def test_answers_with_something_hidden_are_compared_with_those_without(frozen):
    found = gaze.load_hidden().set_index(["task", "hidden"])
    for task, names in TASKS.items():
        truth = images.labels("TEST", task)
        cell = found.loc[(task, "the cell")]
        assert cell["accuracy"] == pytest.approx((truth == 0).mean())
        assert cell["most"] < 0
        assert (cell["favourite"], cell["given"]) == (names[0], 1)
        assert cell["same"] == pytest.approx((frozen[f"labels_{task}"] == 0).mean())
        same = found.loc[(task, "as much elsewhere")]
        assert (same["change"], same["same"]) == (0, 1)
        rest = found.loc[(task, "all but the cell")]
        assert rest["accuracy"] == 1
        assert rest["change"] == pytest.approx(1 - found.loc[(task, "nothing"), "accuracy"])
        labels = np.zeros((1, N), int)
        ends = intervals.bounds(scores.accuracy, labels, comparison.resamples(task))
        assert (cell["low"], cell["high"]) == pytest.approx(ends)
    shown = gaze.show_hidden(found.reset_index())
    assert shown["Change"][0] == "–"
    assert shown["Change"][1].startswith("−")
    assert shown["Same answer"][2] == "100%"


def test_there_is_a_dot_for_each_photograph(frozen):
    found = gaze.load_photographs("four")
    numbers = photographs.photographs("TEST")
    assert len(found) == len(MAPS) * len(np.unique(numbers))
    worst = found[(found["photograph"] == 110) & (found["map"] == "pixels")].iloc[0]
    assert (worst["right"], worst["class"]) == (0, "MONOCYTE")
    assert worst["share"] == pytest.approx(0.3, abs=1e-3)
    assert worst["area"] == pytest.approx(frozen["area"][numbers == 110].mean())
    figure = gaze.plot_photographs(found)
    for axis in figure.axes:
        dots = [dot for drawn in axis.collections for dot in drawn.get_offsets()]
        assert len(dots) == len(np.unique(numbers))
        hollow = sum(
            (drawn.get_facecolor()[:, 3] == 0).sum() if len(drawn.get_facecolor()) else 0
            for drawn in axis.collections
        )
        assert hollow == 1


def test_the_profile_is_drawn_about_the_box(frozen):
    means = gaze.load_profile("four")
    assert means.shape == (len(CLASSES), len(MAPS), BINS, BINS)
    assert means[0, 0, 12, 12] == 5
    assert (means[:, 1] == 1).all()
    figure = gaze.plot_profile(means)
    panels = [axis for axis in figure.axes if axis.images]
    assert len(panels) == len(MAPS) * len(CLASSES)
    np.testing.assert_array_equal(panels[0].images[0].get_array(), means[0, 0])
    assert panels[0].images[0].get_extent() == [-1, 2, 2, -1]


def test_without_images_maps_are_of_drawn_cells_that_say_so(frozen):
    found = gaze.load_examples()
    drawn = attention.example_drawings()
    for place, example in enumerate(found):
        np.testing.assert_array_equal(example["picture"], drawn[place])
        np.testing.assert_array_equal(example["maps"], frozen["examples"][4 + place])
        assert example["label"] == CLASSES[3 - place]
        assert example["box"] is None
    figure = gaze.plot_examples(found)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[0] == "Neutrophil\nanswer: lymphocyte"
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, synthetic.stamp(drawn[0]))
    maps = [axis for axis in figure.axes if len(axis.images) == 2]
    assert len(maps) == len(MAPS) * len(CLASSES)
    assert all([text.get_text() for text in axis.texts] == [synthetic.STAMP] for axis in maps)


def test_with_images_they_are_of_images(frozen, folders, monkeypatch):
    shutil.copy(CHECKOUT / "results" / boxes.NAME, folders.results)
    boxes.table.cache_clear()
    monkeypatch.setattr(images, "available", lambda: True)
    picture = np.full((240, 320, 3), 7, np.uint8)
    asked = []
    monkeypatch.setattr(images, "picture", lambda *name: asked.append(name) or picture)
    found = gaze.load_examples()
    for place, example in enumerate(found):
        assert asked[place][1].startswith(CLASSES[place])
        assert example["picture"] is picture
        np.testing.assert_array_equal(example["maps"], frozen["examples"][place])
        row = slice(attention.example_rows()[place], attention.example_rows()[place] + 1)
        np.testing.assert_array_equal(
            example["box"], boxes.inside(boxes.coordinates("TEST", row))[0]
        )
    figure = gaze.plot_examples(found)
    assert len(figure.axes) == len(CLASSES) * (1 + len(MAPS))
