"""External validation: the right pictures and scale, answers kept whole, what is told of them."""

import hashlib
import io
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from bloodlib import cli
from bloodlib.analyses import external_validation, stain_normalisation, stored_models
from bloodlib.analyses.external_validation import METHODS, QUOTED, VARIANTS
from bloodlib.analyses.stain_normalisation import match_stain, measure_stain
from bloodlib.data import images, stored, synthetic
from bloodlib.data.images import CLASSES, TASKS
from bloodlib.models import weights
from bloodlib.study import records

pytestmark = pytest.mark.usefixtures("style")
FOUR = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")


@pytest.fixture
def published(folders, tmp_path, monkeypatch):
    """A folder with three drawn pictures of each class, listed, and two files that are not."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "data sets"))
    folder = tmp_path / "data sets" / external_validation.FOLDER
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
    (folders.results / external_validation.MANIFEST).write_text("".join(lines))
    return folder


# ---------------------------------------------------------------------------------- the pictures


def test_the_listed_pictures_are_read(published):
    found = external_validation.load()
    assert [picture.shape for picture in found[:3]] == [(369, 366, 3), *[(363, 360, 3)] * 2]
    assert len(found) == len(external_validation.manifest()) == 12
    with Image.open(published / list(external_validation.manifest())[4]) as picture:
        np.testing.assert_array_equal(found[4], np.asarray(picture))


def test_without_pictures_it_says_where_they_are_from(published, capsys):
    published.rename(published.with_name("elsewhere"))
    with pytest.raises(images.DatasetNotFoundError) as caught:
        external_validation.load()
    assert str(published) in str(caught.value)
    assert external_validation.SOURCE in str(caught.value)
    assert "BLOODLIB_DATA" in str(caught.value)
    assert cli.main(["measure", "external-validation"]) == 1
    assert external_validation.SOURCE in capsys.readouterr().err


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_wrong_picture_is_named(published, harm):
    name = list(external_validation.manifest())[5]
    harm(published / name)
    with pytest.raises(stored.StoredError, match=f"{name}.*Download PBC again"):
        external_validation.load()


def test_without_the_list_it_says_how_to_restore_it(published, folders):
    (folders.results / external_validation.MANIFEST).unlink()
    with pytest.raises(stored.StoredError, match="git checkout results"):
        external_validation.manifest()


# ------------------------------------------------------------------------------------- the scale

BACKGROUND, RED, NUCLEUS = (250, 230, 205), (200, 165, 170), (90, 45, 140)
DIAMETERS = {"white cells": (190.0, 130.0), "red cells": (91.0, 70.0)}


def film(*discs, size=(363, 360)):
    """A picture of bare background with discs: (x, y, diameter, colour)."""
    picture = np.full((*size, 3), BACKGROUND, np.uint8)
    for x, y, diameter, colour in discs:
        cv2.circle(picture, (x, y), diameter // 2, colour, -1, cv2.LINE_AA)
    return picture


def test_red_cells_that_lie_alone_are_measured():
    lone = [(80, 80, 60, RED), (200, 90, 70, RED), (100, 280, 80, RED)]
    apart = [
        (0, 180, 70, RED),  # cut by the edge
        (280, 200, 70, RED), (310, 225, 70, RED),  # overlapping
        (190, 190, 20, NUCLEUS),  # a platelet
        (260, 320, 40, RED), (230, 330, 40, RED),
    ]  # fmt: skip
    found = external_validation.red_cells(film(*lone, *apart))
    np.testing.assert_allclose(sorted(found), [60, 70, 80], atol=3)


def test_the_white_cell_is_measured():
    picture = film((180, 180, 130, NUCLEUS), (60, 60, 66, RED), (300, 60, 20, NUCLEUS))
    assert external_validation.white_cell(picture) == pytest.approx(130, abs=6)
    assert np.isnan(external_validation.white_cell(np.full_like(picture, (0, 255, 0))))


def test_cells_are_shown_as_large_as_in_bccd_and_in_the_middle():
    """The network sees 80 pixels where a photograph of BCCD has 640, and 60 where it has 480."""
    for size, (scale, (bccd, pbc)) in itertools.product(
        [(363, 360), (369, 366), (340, 341)], DIAMETERS.items()
    ):
        picture = film((size[1] // 2, size[0] // 2, round(pbc), NUCLEUS), size=size)
        found = external_validation.crop(picture, scale, DIAMETERS)
        assert (found.shape, found.dtype) == ((60, 80, 3), np.uint8)
        rows, columns = np.nonzero(found[..., 1] < 140)
        assert (rows.mean(), columns.mean()) == pytest.approx((29.5, 39.5), abs=0.7)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == pytest.approx((bccd / 8,) * 2, abs=1.6)


# -------------------------------------------------------------------------------------- the answers


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
    monkeypatch.setattr(external_validation, "measure_diameters", lambda pictures: DIAMETERS)
    monkeypatch.setattr(weights, "read", lambda task: (b"", {}, {"weights": task * 16}))
    calls = []

    def predict(task, pixels):
        calls.append((task, len(pixels)))
        return guess(task, pixels)

    monkeypatch.setattr(weights, "predict", predict)
    monkeypatch.setattr(stored_models, "predict", lambda method, task, pixels: guess(task, pixels))
    return calls


def test_every_picture_is_asked_about_in_every_way(asked):
    external_validation.compute()
    assert asked == [(task, 12 * len(VARIANTS)) for task in TASKS]
    arrays = external_validation.read()
    np.testing.assert_array_equal(arrays["truth"], external_validation.labels())
    pictures, train = external_validation.load(), images.load("TRAIN").pixels
    lab = np.mean([stain_normalisation.measure_lab(image) for image in train[::8]], axis=0)
    colours = lab, measure_stain(train[::8])
    pixels = external_validation.prepare(pictures, DIAMETERS, *colours)
    assert pixels.shape == (12, len(VARIANTS), 60, 80, 3)
    for task, (k, way) in zip(("four", "two", "two"), enumerate(VARIANTS), strict=False):
        chances = guess(task, pixels[:, k])
        np.testing.assert_allclose(arrays[f"DCLNN_{task}"][:, k], chances, atol=1e-3)
        own = external_validation.predicted("DCLNN", task, way)
        np.testing.assert_array_equal(own, chances.argmax(axis=1))
    for method in METHODS[:2]:
        assert arrays[f"{method}_four"].max() < 4
        assert arrays[f"{method}_two"].max() < 2
    assert external_validation.diameters() == DIAMETERS
    external_validation.compute()  # what was answered is not asked again
    assert len(asked) == len(TASKS)
    assert (
        records.read_measured(external_validation.NAME)[1]["images_from_cache"]
        == 2 * len(METHODS) * 12
    )


def other_pictures(folders):
    path = folders.results / external_validation.MANIFEST
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[1], lines[0], *lines[2:]]))


def one_missing(folders):
    arrays, made = records.read_measured("external-validation")
    del arrays["SVM_two"]
    records.save_measured("external-validation", arrays, made["settings"], stored.Clock())


@pytest.mark.parametrize("harm", [other_pictures, one_missing])
def test_answers_about_other_pictures_are_refused(asked, folders, harm):
    external_validation.compute()
    external_validation.read()
    harm(folders)
    with pytest.raises(stored.StoredError, match="`bloodlib measure external-validation`"):
        external_validation.read()


# ---------------------------------------------------------------------------------- what is shown


RIGHT = {"NB": 2, "SVM": 5, "histogram": 6, "small": 7, "DCLNN": 8}


@pytest.fixture
def planted(monkeypatch):
    """Answers for ten pictures: DCLNN gets 8 of them right in the quoted way, SVM 5 and NB 2."""
    four = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3], np.uint8)
    two = np.array([images.NUCLEI[CLASSES[label]] for label in four], np.uint8)
    truth = {"four": four, "two": two}
    arrays = {"truth": four}
    for task, classes in TASKS.items():
        for method, right in RIGHT.items():
            labels = np.repeat(truth[task][:, None], len(VARIANTS), axis=1)
            wrong = (labels + 1) % len(classes)
            k = VARIANTS.index(QUOTED)
            labels[right:, k] = wrong[right:, k]
            chances = np.full((*labels.shape, len(classes)), 0.1 / (len(classes) - 1), np.float16)
            np.put_along_axis(chances, labels[..., None].astype(int), np.float16(0.9), axis=2)
            arrays[f"{method}_{task}"] = chances if method == "DCLNN" else labels
    monkeypatch.setattr(external_validation, "read", lambda: arrays)
    monkeypatch.setattr(external_validation, "labels", lambda task="four": truth[task])
    return truth


def test_scores_are_counted_from_the_answers(planted):
    found = external_validation.compute_scores().set_index(["task", "method", "scale", "colours"])
    assert len(found) == 2 * len(METHODS) * len(VARIANTS)
    for method, right in RIGHT.items():
        row = found.loc["four", method, *QUOTED]
        assert row["accuracy"] == right / 10
        exact = stats.binomtest(right, 10).proportion_ci()
        assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high))
    row = found.loc["four", "DCLNN", *QUOTED]
    assert row["sure"] == pytest.approx(0.9, abs=1e-3)
    assert (row["favourite"], row["given"]) == ("NEUTROPHIL", 0.5)  # the two wrong ones too


# ------------------------------------------------------------------------------- the frozen answers


def test_figures_are_drawn():
    external_validation.plot_scores(external_validation.compute_scores()).canvas.draw()


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_the_frozen_answers_are_those_for_the_pictures():
    try:
        pictures = external_validation.load()
    except images.DatasetNotFoundError as error:
        pytest.skip(str(error))
    train = images.load("TRAIN").pixels
    rulers = external_validation.measure_diameters(pictures)
    for name, ruler in rulers.items():
        assert ruler == pytest.approx(external_validation.diameters()[name], rel=1e-6)
    target = measure_stain(train[::8])
    k = VARIANTS.index(("red cells", "stain"))
    own = np.stack([external_validation.crop(one, "red cells", rulers) for one in pictures])
    rows = slice(None, None, 40)
    pixels = match_stain(own, target)[rows]
    for task in TASKS:
        found = weights.predict(task, pixels)
        np.testing.assert_allclose(
            found, external_validation.read()[f"DCLNN_{task}"][rows, k], atol=2e-3
        )
