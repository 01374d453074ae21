"""What is shown of photographs is what the tables and the runs say, with and without pictures."""

import types

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT

from bloodlib.analyses import examples
from bloodlib.data import images, photographs
from bloodlib.data.images import CLASSES

mpl.use("agg")


@pytest.fixture(autouse=True)
def no_images(tmp_path, monkeypatch):
    """No dataset, the book's style, and no figure left open."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    with plt.style.context("bloodlib.book.book"):
        yield
    plt.close("all")


def a_run(wrong, task="four", pooling="max"):
    """A run that is right but for images of TEST [n] that are marked."""
    truth = images.labels("TEST", task)
    labels = np.where(wrong, (truth + 1) % len(images.TASKS[task]), truth)
    config = {"method": "DCLNN", "task": task, "pooling": pooling}
    return types.SimpleNamespace(
        arrays={"labels": labels[None]}, epochs=1, has_epochs=False, config=config
    )


@pytest.fixture
def wrong():
    """All images of photograph 110, and one of photograph 104."""
    numbers = photographs.photographs("TEST")
    found = numbers == 110
    found[np.flatnonzero(numbers == 104)[0]] = True
    return found


# --------------------------------------------------------------------------- tables and counts


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (("NEUTROPHIL", "NEUTROPHIL"), None),
        (("EOSINOPHIL+EOSINOPHIL", "EOSINOPHIL"), None),
        (("", "NEUTROPHIL"), None),
        (("LYMPHOCYTE", "MONOCYTE"), "two labels"),
        (("NEUTROPHIL+EOSINOPHIL", "NEUTROPHIL+NEUTROPHIL"), "two labels"),
        (("NEUTROPHIL", "NEUTROPHIL+EOSINOPHIL"), "one shows a second cell"),
    ],
)
@pytest.mark.parametrize("across", [True, False])
def test_remarkable_pairs(monkeypatch, labels, why, across):
    splits = [["TRAIN"], ["TEST", "TEST_SIMPLE"] if across else ["TRAIN"]]
    pair = {"photographs": [1, 2], "labels": list(labels), "splits": splits}
    monkeypatch.setattr(photographs, "pairs", lambda: [pair])
    found = examples.compute_remarkable()["What"].tolist()
    reasons = [reason for reason in (why, "two folders" if across else None) if reason]
    assert found == ([", ".join(reasons)] if reasons else [])


# --------------------------------------------------------------------------- the check by eye


def test_the_check_by_eye_is_about_the_matching_that_is_stored():
    """Its answer is the letter of the photograph that the table names, or none if not offered."""
    check = pd.read_csv(CHECKOUT / "results" / "handcheck.csv", keep_default_na=False)
    known = check.merge(photographs.table(), on=["split", "name", "photograph"])
    assert len(known) == len(check)
    for row in check.itertuples():
        letters = dict(zip(row.offered.split("+"), "ABCD", strict=False))
        assert row.answer == letters.get(str(row.photograph), "none")


# --------------------------------------------------------------------------- shares and errors


def test_shares_count_each_photograph_s_images(wrong):
    runs = [a_run(wrong), a_run(~wrong, "two", "average")]
    found = examples.compute_shares(runs)
    first, second = (found[found["run"] == run].set_index("photograph") for run in (0, 1))
    assert first["images"].sum() == second["images"].sum() == len(wrong)
    assert (first.loc[110, "share"], second.loc[110, "share"]) == (0, 1)
    assert first.loc[104, "right"] == first.loc[104, "images"] - 1
    assert second.loc[104, "right"] == 1
    assert (first.drop([104, 110])["share"] == 1).all()
    assert set(first["class"]) == set(CLASSES)
    assert first.loc[110, "class"] == "MONOCYTE"


# --------------------------------------------------------------------------- the wall


def test_the_wall_is_the_mean_over_runs(wrong):
    found = examples.compute_wall([a_run(wrong), a_run(np.zeros_like(wrong))])
    assert found.set_index("photograph").loc[110, "share"] == 0.5
    assert list(dict.fromkeys(found["class"])) == list(CLASSES)
    for _, own in found.groupby("class"):
        assert own["share"].is_monotonic_decreasing
    both = np.intersect1d(photographs.cells("TEST"), photographs.cells("TRAIN"))
    marked = found.loc[found["also_in_train"], "photograph"]
    cell = photographs.cell_table().set_index("photograph")["cell"]
    assert set(cell[marked]) == set(both)


def test_every_figure_is_drawn_without_images(wrong):
    assert examples.thumbnail(110) == "110"
    wall = examples.compute_wall([a_run(wrong)])
    for figure in (examples.plot_wall(wall, {110: "110"}), examples.plot_pairs()):
        figure.canvas.draw()
