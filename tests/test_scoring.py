"""Scores of anybody's predictions of TEST and of folds, and files that can't be scored."""

import json

import numpy as np
import pandas as pd
import pytest

from bloodlib import cli
from bloodlib.analyses import scoring
from bloodlib.data import images, photographs, stored
from bloodlib.evidence import comparison

NAMES = images.names("TEST")


def rows(labels, task, written="{}".format):
    classes = images.TASKS[task]
    return [f"{written(name)},{classes[label]}" for name, label in zip(NAMES, labels, strict=True)]


@pytest.fixture
def file(tmp_path):
    def write(lines, head="image,predicted", encoding="utf-8"):
        path = tmp_path / "predictions.csv"
        path.write_text("\n".join([head, *lines]) + "\n", encoding=encoding)
        return path

    return write


@pytest.mark.parametrize("task", images.TASKS)
def test_a_record_s_predictions_have_the_record_s_accuracy(file, task):
    chosen = {"method": "small", "task": task, "split_by": "published"}
    labels = comparison.saved(chosen, ("seed",))[0].arrays["labels"][-1]
    truth = images.labels("TEST", task)
    found = scoring.score(file(rows(labels, task)))
    assert found["task"] == task
    assert found["accuracy"] == round(np.mean(labels == truth), 4)
    assert found["low"] < found["accuracy"] < found["high"]
    assert {row["unit"]: row["n"] for row in found["units"]} == {
        "images": len(truth),
        "photographs": len(set(photographs.photographs("TEST"))),
        "cells": len(set(photographs.cells("TEST"))),
    }
    images_, _, cells = found["units"]
    assert images_["fraction"] == found["accuracy"]
    assert images_["high"] - images_["low"] < cells["high"] - cells["low"]
    for label, row in enumerate(found["classes"]):
        assert row["images"] == np.sum(truth == label)
        assert row["recall"] == round(np.mean(labels[truth == label] == label), 4)
        assert row["low"] < row["recall"] < row["high"]


def test_perfect_predictions_of_few_cells_may_still_be_of_a_worse_classifier(file):
    found = scoring.score(file(rows(images.labels("TEST"), "four")))
    assert [row["fraction"] for row in found["units"]] == [1, 1, 1]
    lows = {row["class"]: row["low"] for row in found["classes"]}
    assert lows["MONOCYTE"] == min(lows.values()) < 0.5


@pytest.mark.parametrize("folds", [[3], pytest.param(range(5), marks=pytest.mark.long)])
def test_folds_are_scored_whole(file, folds):
    table = pd.read_csv(stored.results_folder() / "wbc-by-cell" / "wbc-by-cell.csv")
    table = table[table["fold"].isin(folds) & (table["split"] != "TEST_SIMPLE")]
    lines = [f"{image},EOSINOPHIL" for image in table["image"]]
    found = scoring.score(file(lines))
    assert found["where"] == f"{', '.join(f'fold {fold}' for fold in folds)} of TRAIN and TEST"
    assert found["accuracy"] == round(np.mean(table["class"] == "EOSINOPHIL"), 4)
    assert [row["n"] for row in found["units"]] == [
        len(table), table["photograph"].nunique(), table["cell"].nunique()
    ]  # fmt: skip
    last = table["fold"].iloc[-1]
    with pytest.raises(ValueError, match=f"1 of fold {last}'s [0-9]+ images are missing"):
        scoring.read(file(lines[:-1]))
    with pytest.raises(ValueError, match="images are missing, the first is TEST/"):
        scoring.read(file([line for line in lines if line.startswith("TRAIN/")]))


@pytest.mark.parametrize(
    "written",
    [
        "/kaggle/input/blood-cells/dataset2-master/dataset2-master/images/{}".format,
        lambda name: "C:\\data\\images\\" + name.replace("/", "\\"),
        lambda name: name.upper(),
        lambda name: name.removeprefix("TEST/"),
    ],
)
def test_paths_as_others_write_them(file, written):
    labels = images.labels("TEST")
    path = file(sorted(rows(labels, "four", written)), "Image, Predicted", "utf-8-sig")
    task, where, _, read = scoring.read(path)
    assert (task, where) == ("four", "TEST")
    assert np.array_equal(read, labels)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "TEST/MONOCYTE/none.jpeg,MONOCYTE",
            "line 3: TEST/MONOCYTE/none.jpeg is no image of TRAIN or TEST",
        ),
        (NAMES[1], "line 3: 1 columns in the place of 2"),
        (f"{NAMES[1]},a,b", "line 3: 3 columns"),
        ("", "line 3: 0 columns"),
        (f"TEST_SIMPLE/{NAMES[1]},MONOCYTE", "line 3: .* is no image of TRAIN or TEST"),
        (f"{NAMES[1]},BASOPHIL", "line 3: BASOPHIL is no class of these: NEUTROPHIL, EOSINOPHIL"),
        (f"{NAMES[1]},", "line 3: nothing is no class"),
        (f"{NAMES[1]},Mononuclear", "line 3: Mononuclear is no class of these: NEUTROPHIL"),
        (f"{NAMES[0]},MONOCYTE", "line 3: .* is there a second time"),
        (f"{NAMES[1].rsplit('/', 1)[1]},MONOCYTE", "line 3: .* is no image of TRAIN or TEST"),
    ],
)
def test_a_malformed_line_is_named_with_what_to_do(file, line, says):
    lines = rows(images.labels("TEST"), "four")
    lines[1] = line
    with pytest.raises(ValueError, match=says) as error:
        scoring.read(file(lines))
    assert "its first line is: image,predicted" in str(error.value)


def test_other_columns_a_part_and_no_text_are_refused(file):
    lines = rows(images.labels("TEST"), "four")
    for head in ("file,label", ""):
        with pytest.raises(ValueError, match="line 1: these are not the columns"):
            scoring.read(file(lines, head))
    with pytest.raises(ValueError, match="7 of TEST's 2487 images are missing, the first is"):
        scoring.read(file(lines[:-7]))
    with pytest.raises(ValueError, match="no text with commas"):
        scoring.read(file(lines, encoding="utf-16"))
    path = file([])
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="line 1: these are not the columns"):
        scoring.read(path)


def test_the_command(file, capsys):
    path = str(file(rows(images.labels("TEST"), "four")))
    assert not cli.main(["score", path])
    assert "68 cells" in capsys.readouterr().out
    assert not cli.main(["score", "--json", path])
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1
    assert cli.main(["score", str(file(["x,y"]))])
    said = capsys.readouterr().err
    assert "line 2: x is no image of TRAIN or TEST" in said
    assert "Traceback" not in said
    assert cli.main(["score", "none.csv"])
    assert "none.csv" in capsys.readouterr().err
