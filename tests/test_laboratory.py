"""Cells of another laboratory: the right pictures, answers kept whole, and what is told of them."""

import hashlib
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from bloodlib import cli
from bloodlib.analyses import harmonising, laboratory
from bloodlib.analyses.laboratory import MAIN, METHODS, WAYS
from bloodlib.data import images, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.evidence import intervals
from bloodlib.models import weights
from bloodlib.study import measurements, records

pytestmark = pytest.mark.usefixtures("style")
FOUR = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")


@pytest.fixture
def published(folders, tmp_path, monkeypatch):
    """A folder with three drawn pictures of each class, listed, and two files that are not."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "data sets"))
    folder = tmp_path / "data sets" / laboratory.FOLDER
    rng, lines = np.random.default_rng(0), []
    for name in FOUR:
        (folder / name).mkdir(parents=True)
        for number in range(3):
            drawn = synthetic.draw(name.upper(), rng, (363, 360) if number else (369, 366))
            file = io.BytesIO()
            Image.fromarray(drawn).save(file, "JPEG")
            path = folder / name / f"{name[:2].upper()}_{number}.jpg"
            path.write_bytes(file.getvalue())
            digest = hashlib.sha256(file.getvalue()).hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "neutrophil" / ".DS_1.jpg").write_bytes(b"no picture")
    (folder / "basophil").mkdir()
    (folders.results / laboratory.MANIFEST).write_text("".join(lines))
    return folder


# ---------------------------------------------------------------------------------- the pictures


def test_the_listed_pictures_are_read(published):
    found = laboratory.load()
    assert [picture.shape for picture in found[:3]] == [(369, 366, 3), *[(363, 360, 3)] * 2]
    assert len(found) == len(laboratory.names()) == 12
    assert laboratory.names()[:2].tolist() == ["eosinophil/EO_0.jpg", "eosinophil/EO_1.jpg"]
    with Image.open(published / laboratory.names()[4]) as picture:
        np.testing.assert_array_equal(found[4], np.asarray(picture))


def test_labels_are_those_of_the_folders(published):
    four = laboratory.labels()
    assert [CLASSES[label].lower() for label in four[::3]] == list(FOUR)
    nuclei = [TASKS["two"][label] for label in laboratory.labels("two")[::3]]
    assert nuclei == ["Polynuclear", "Mononuclear", "Mononuclear", "Polynuclear"]


def test_without_pictures_it_says_where_they_are_from(published, capsys):
    published.rename(published.with_name("elsewhere"))
    with pytest.raises(images.DatasetNotFoundError) as caught:
        laboratory.load()
    assert str(published) in str(caught.value)
    assert laboratory.SOURCE in str(caught.value)
    assert "BLOODLIB_DATA" in str(caught.value)
    assert cli.main(["measure", "laboratory"]) == 1
    assert laboratory.SOURCE in capsys.readouterr().err


def test_wrong_pictures_are_named(published):
    names = laboratory.names()
    (published / names[1]).unlink()
    (published / names[5]).write_bytes((published / names[6]).read_bytes())
    for name in names[8:]:
        (published / name).write_bytes(b"")
    with pytest.raises(images.DatasetError) as caught:
        laboratory.load()
    for said in (f"{names[1]} is missing", f"{names[5]} is altered", "and 3 more", "pbc.sha256"):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", [None, "", "no list\n", "0123  basophil/BA_1.jpg\n", "0123 eosinophil/EO_1.jpg\n"]
)
def test_a_list_that_is_none_is_refused(published, folders, text):
    path = folders.results / laboratory.MANIFEST
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(records.RecordError, match="git checkout results"):
        laboratory.names()


# -------------------------------------------------------------------------------------- the answers

RULERS = {
    "white cells": harmonising.Ruler(190.0, 130.0),
    "red cells": harmonising.Ruler(91.0, 70.0),
}


def guess(task, pixels):
    """Answers that depend on the pixels, a picture at a time."""
    means = np.asarray(pixels, float).mean(axis=(1, 2))
    chances = np.stack([means[:, i % 3] * (1 + 0.1 * i) for i in range(len(TASKS[task]))], axis=1)
    return (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def asked(published, monkeypatch):
    """Drawn images to learn from, and networks that only guess; ``asked`` lists their questions."""
    train = synthetic.load("TRAIN", n=24)
    nuclei = np.array([images.NUCLEI[name] for name in CLASSES])
    known = {"four": train.labels, "two": nuclei[train.labels].astype(np.uint8)}
    monkeypatch.setattr(images, "load", lambda split: train)
    monkeypatch.setattr(images, "labels", lambda split, task="four": known[task])
    monkeypatch.setattr(laboratory, "rulers", lambda pictures: RULERS)
    monkeypatch.setattr(weights, "provenance", lambda task: {"weights": task * 16})
    calls = []

    def predict(task, pixels):
        calls.append((task, len(pixels)))
        return guess(task, pixels)

    monkeypatch.setattr(weights, "predict", predict)
    return calls


def test_every_picture_is_asked_about_in_every_way(asked):
    laboratory.remake()
    assert asked == [(task, 12 * len(WAYS)) for task in TASKS]
    arrays = laboratory.read()
    np.testing.assert_array_equal(arrays["truth"], laboratory.labels())
    pictures, train = laboratory.load(), images.load("TRAIN").pixels
    pixels = laboratory.prepare(
        pictures, RULERS, harmonising.tint(train), harmonising.stain(train[::8])
    )
    assert pixels.shape == (12, len(WAYS), 60, 80, 3)
    for task, (k, way) in zip(("four", "two", "two"), enumerate(WAYS), strict=False):
        chances = guess(task, pixels[:, k])
        np.testing.assert_allclose(arrays[f"DCLNN_{task}"][:, k], chances, atol=1e-3)
        own = laboratory.predicted("DCLNN", task, way)
        np.testing.assert_array_equal(own, chances.argmax(axis=1))
    for method in METHODS[:2]:
        assert arrays[f"{method}_four"].max() < 4
        assert arrays[f"{method}_two"].max() < 2


def test_baselines_answer_as_they_do_alone(asked):
    from sklearn.naive_bayes import GaussianNB

    laboratory.remake()
    train, pictures = images.load("TRAIN"), laboratory.load()
    pixels = laboratory.prepare(
        pictures, RULERS, harmonising.tint(train.pixels), harmonising.stain(train.pixels[::8])
    )
    model = GaussianNB().fit(train.pixels.reshape(24, -1) / 255, train.labels)
    for k, way in enumerate(WAYS):
        expected = model.predict(pixels[:, k].reshape(12, -1) / 255)
        np.testing.assert_array_equal(laboratory.predicted("NB", "four", way), expected)


def test_ways_are_scale_by_colours(published):
    target = harmonising.Stain(np.full(3, 210.0), np.array([[0.14, 0.27, 0.25], [0.4, 0.7, 0.0]]))
    tint = harmonising.Tint(np.full(3, 150.0), np.full(3, 20.0))
    pictures = laboratory.load()
    pixels = laboratory.prepare(pictures, RULERS, tint, target)
    place = {way: k for k, way in enumerate(WAYS)}
    assert MAIN in place
    np.testing.assert_array_equal(
        pixels[:, place["squeezed", "own"]], np.stack([images.resize(p) for p in pictures])
    )
    for scale in harmonising.SCALES:
        found = harmonising.tint(pixels[:, place[scale, "channels"]])
        np.testing.assert_allclose(found.mean, tint.mean, atol=1)
        for colours in ("ground", "stain"):
            found = harmonising.stain(pixels[:, place[scale, colours]])
            np.testing.assert_allclose(found.ground, target.ground, atol=4)


def test_what_was_answered_is_not_asked_again(asked):
    laboratory.remake()
    first, n = laboratory.read(), len(asked)
    laboratory.remake()
    assert len(asked) == n
    for name, array in laboratory.read().items():
        np.testing.assert_array_equal(array, first[name])
    assert measurements.read(laboratory.NAME).made["images_from_cache"] == 6 * 12


def test_how_it_was_made_is_kept(asked, folders):
    laboratory.remake()
    made = json.loads((folders.results / "laboratory.json").read_text())
    assert made["command"] == "bloodlib measure laboratory"
    assert made["settings"]["weights"] == {task: task * 16 for task in TASKS}
    assert made["settings"]["ways"] == [list(way) for way in WAYS]
    assert laboratory.size_of("red cells") == RULERS["red cells"]


def other_pictures(folders):
    path = folders.results / laboratory.MANIFEST
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[1], lines[0], *lines[2:]]))


def one_missing(folders):
    arrays, made = measurements.read("laboratory")
    del arrays["SVM_two"]
    measurements.save("laboratory", arrays, made["settings"], stored.Clock())


@pytest.mark.parametrize("harm", [other_pictures, one_missing])
def test_answers_about_other_pictures_are_refused(asked, folders, harm):
    laboratory.remake()
    laboratory.read()
    harm(folders)
    with pytest.raises(records.RecordError, match="`bloodlib measure laboratory` makes it anew"):
        laboratory.read()


# ---------------------------------------------------------------------------------- what is shown


@pytest.fixture
def planted(monkeypatch):
    """Answers for ten pictures: DCLNN gets 8 of them right in the quoted way, SVM 5 and NB 2."""
    four = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3], np.uint8)
    two = np.array([images.NUCLEI[CLASSES[label]] for label in four], np.uint8)
    truth = {"four": four, "two": two}
    arrays = {"truth": four}
    for task, classes in TASKS.items():
        for method, right in zip(METHODS, (2, 5, 8), strict=True):
            labels = np.repeat(truth[task][:, None], len(WAYS), axis=1)
            wrong = (labels + 1) % len(classes)
            k = WAYS.index(MAIN)
            labels[right:, k] = wrong[right:, k]
            chances = np.full((*labels.shape, len(classes)), 0.1 / (len(classes) - 1), np.float16)
            np.put_along_axis(chances, labels[..., None].astype(int), np.float16(0.9), axis=2)
            arrays[f"{method}_{task}"] = chances if method == "DCLNN" else labels
    monkeypatch.setattr(laboratory, "read", lambda: arrays)
    monkeypatch.setattr(laboratory, "labels", lambda task="four": truth[task])
    return truth


def test_scores_are_counted_from_the_answers(planted):
    found = laboratory.load_scores().set_index(["task", "method", "scale", "tint"])
    assert len(found) == 2 * 3 * len(WAYS)
    for method, right in zip(METHODS, (2, 5, 8), strict=True):
        row = found.loc["four", method, *MAIN]
        assert row["accuracy"] == right / 10
        assert [row["low"], row["high"]] == [float(end) for end in intervals.exact(right, 10)]
    row = found.loc["four", "DCLNN", *MAIN]
    assert row["sure"] == pytest.approx(0.9, abs=1e-3)
    assert (row["favourite"], row["given"]) == ("NEUTROPHIL", 0.5)  # the two wrong ones too
    others = found.drop([("four", method, *MAIN) for method in METHODS])
    others = others.drop([("two", method, *MAIN) for method in METHODS])
    assert (others["accuracy"] == 1).all()


def test_confusions_have_true_classes_in_rows(planted):
    expected = np.diag([3, 3, 2, 0])
    expected[3, 0] = 2
    np.testing.assert_array_equal(laboratory.confusion("DCLNN", "four"), expected)


def test_guessing_is_the_most_frequent_class(planted):
    assert laboratory.guessing("four") == 0.3
    assert laboratory.guessing("two") == 0.6


def test_differences_are_of_accuracies_on_the_same_pictures(planted):
    found = laboratory.load_differences().set_index(["task", "other"])
    assert found.loc[("four", "NB"), "difference"] == pytest.approx(0.6)
    assert found.loc[("two", "SVM"), "difference"] == pytest.approx(0.3)
    assert (found["low"] < found["difference"]).all()
    assert (found["difference"] < found["high"]).all()


def test_recalls_stand_beside_those_at_home(planted):
    found = laboratory.load_recalls().set_index(["task", "class"])
    assert found.loc[("four", "LYMPHOCYTE"), "recall"] == 0
    assert found.loc[("four", "MONOCYTE"), "recall"] == 1
    assert found["n"].groupby("task").sum().tolist() == [10, 10]
    run = weights.frozen("two").confusion()
    assert found.loc[("two", "Polynuclear"), "home"] == pytest.approx(run[1, 1] / run[1].sum())


# ------------------------------------------------------------------------------- the frozen answers


def test_the_frozen_answers_are_about_the_listed_pictures():
    arrays = laboratory.read()
    assert len(arrays["truth"]) == len(laboratory.names())
    assert set(np.bincount(laboratory.labels())) <= {299, 300}
    made = measurements.read(laboratory.NAME).made
    for task in TASKS:
        assert made["settings"]["weights"][task] == weights.provenance(task)["weights"]
    assert made["settings"]["ways"] == [list(way) for way in WAYS]


def test_tables_and_figures_show_every_way():
    found = laboratory.load_scores()
    shown = laboratory.show_scores(found)
    assert list(zip(shown["Scale"], shown["Colours"], strict=True)) == list(WAYS)
    quoted = found[(found["scale"] == MAIN[0]) & (found["tint"] == MAIN[1])]
    dclnn = quoted[(quoted["method"] == "DCLNN") & (quoted["task"] == "four")].iloc[0]
    row = shown.iloc[WAYS.index(MAIN)]
    assert row["Four classes"].startswith(f"{dclnn['accuracy']:.2f} ({dclnn['low']:.2f}")
    methods = laboratory.show_methods(found, laboratory.load_differences())
    assert methods["Method"].tolist() == list(METHODS) * 2
    assert (methods["DCLNN less it"] == "–").tolist() == [False, False, True] * 2
    axes = laboratory.plot_scores(found).axes
    ticks = axes[0].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [", ".join(way) for way in WAYS]
    assert [tick.get_text() for tick in ticks if tick.get_fontweight() == "bold"] == [
        ", ".join(MAIN)
    ]
    dots = [line for line in axes[1].lines if line.get_marker() == "o"]
    assert len(dots) == len(METHODS) * len(WAYS)


def test_fields_show_cells_as_large_as_at_home():
    axes = laboratory.plot_fields().axes
    shares = {}
    for axis in axes:
        circles = [patch for patch in axis.patches if isinstance(patch, plt.Circle)]
        across = np.ptp(axis.get_xlim())
        shares[axis.get_title(loc="left") or axis.get_title()] = [
            2 * circle.radius / across for circle in circles[:2]
        ]
    white, red = zip(*shares.values(), strict=True)
    names = list(shares)
    assert names == ["BCCD", *harmonising.SCALES]
    assert white[names.index("white cells")] == pytest.approx(white[0], rel=0.01)
    assert red[names.index("red cells")] == pytest.approx(red[0], rel=0.01)
    assert white[names.index("cropped")] > 1.1 * white[0]


def test_swatches_show_that_channels_can_not_make_nuclei_blue():
    found = laboratory.load_swatches()
    blue = {name: colours[2, 2] - colours[1, 2] for name, colours in found.items()}
    assert blue["TRAIN; PBC, stain"] > 0 > blue["PBC, channels"]
    ground = found["TRAIN; PBC, stain"][0]
    np.testing.assert_allclose(found["PBC, ground"][0], ground, atol=0.01)
    assert laboratory.plot_swatches(found).axes[0].images[0].get_array().shape == (4, 3, 3)


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_the_frozen_answers_are_those_for_the_pictures():
    try:
        pictures = laboratory.load()
    except images.DatasetNotFoundError as error:
        pytest.skip(str(error))
    train = images.load("TRAIN").pixels
    made = measurements.read(laboratory.NAME).made["settings"]
    rulers = laboratory.rulers(pictures)
    for name, ruler in rulers.items():
        np.testing.assert_allclose(ruler, list(made["rulers"][name].values()), rtol=1e-6)
    target = harmonising.stain(train[::8])
    k = WAYS.index(("red cells", "stain"))
    shown = [harmonising.field("red cells", rulers, p.shape[:2]) for p in pictures]
    own = np.stack([harmonising.frame(p, s) for p, s in zip(pictures, shown, strict=True)])
    rows = slice(None, None, 40)
    pixels = harmonising.restained(own, target)[rows]
    for task in TASKS:
        found = weights.predict(task, pixels)
        np.testing.assert_allclose(found, laboratory.read()[f"DCLNN_{task}"][rows, k], atol=2e-3)
