"""What is shown of photographs is what the tables and the runs say, with and without pictures."""

import types

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from bloodlib.analyses import examples
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import CLASSES, SPLITS

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


def test_behind_is_what_the_tables_count():
    found = examples.compute_behind().set_index(["Folder", "Class"])
    for column, what in (("Photographs", "photographs"), ("Cells", "cells")):
        for split, counted in photographs.counts(what).items():
            for name, n in counted.items():
                assert found.loc[(split, name.capitalize()), column] == n
    for split, counted in images.counts().items():
        assert found.loc[(split, "all"), "Images"] == sum(counted.values())


def test_every_image_is_contributed_by_one_photograph():
    found = examples.compute_contributions()
    assert found.groupby("split")["images"].sum().to_dict() == {
        split: len(images.names(split)) - (photographs.photographs(split) < 0).sum()
        for split in SPLITS
    }
    assert not found.duplicated(["split", "photograph"]).any()


def test_twins_in_test_simple_are_the_identical_files():
    found = examples.compute_simple()
    assert found["identical"]
    assert 2 * len(found["twice"]) == images.dataset()["identical"]["within TEST_SIMPLE"]
    assert found["files"] - len(found["twice"]) == found["photographs"]
    behind = len(np.unique(photographs.photographs("TEST")))
    assert found["photographs"] - found["new"] + len(found["missing"]) == behind


def test_second_photographs_are_sorted_by_cell(monkeypatch):
    table = pd.DataFrame({"photograph": [1, 1, 1, -1], "runner_up": [2, 3, -1, 2]})
    cells = pd.DataFrame({"photograph": [1, 2, 3], "cell": [1, 1, 3]})
    monkeypatch.setattr(photographs, "table", lambda: table)
    monkeypatch.setattr(photographs, "cell_table", lambda: cells)
    second = ["the same cell", "another cell", "none", "another cell"]
    assert examples.compute_matches()["second"].tolist() == second


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
    reasons = [reason for reason in (why, "a side each" if across else None) if reason]
    assert found == ([", ".join(reasons)] if reasons else [])


# --------------------------------------------------------------------------- the check by eye


def test_handcheck(folders):
    numbers = photographs.photographs("TEST")
    row = ["0", "TEST", images.names("TEST")[0], str(numbers[0]), f"{numbers[0]}+7+8+9", "A", "B"]
    left_out = ["1", "TEST", images.names("TEST")[1], str(numbers[1]), "5+7+8+9", "none", "none"]
    path = folders.results / "handcheck.csv"
    with pytest.raises(stored.StoredError, match=r"can't be read.*git checkout"):
        examples.load_handcheck()

    def write(*rows):
        header = "item,split,name,photograph,offered,answer,given"
        path.write_text("\n".join([header, *map(",".join, rows)]) + "\n", encoding="utf-8")

    write(row, left_out)
    found = examples.load_handcheck()
    assert found["answer"].tolist() == ["A", "none"]
    assert found["given"].tolist() == ["B", "none"]
    for column, value in ((3, "7"), (4, "5+7+8+9"), (5, "B"), (5, "none"), (2, "NO/other.jpeg")):
        write([*row[:column], value, *row[column + 1 :]], left_out)
        with pytest.raises(stored.StoredError, match="another table"):
            examples.load_handcheck()


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

    errors = examples.compute_errors(found).iloc[0]
    n = first.loc[110, "images"]
    assert errors.drop("share").tolist() == ["four", "max", n + 1, len(first) - 2, 1, 1, 110]
    assert errors["share"] == pytest.approx(n / (n + 1))


def test_a_run_without_errors_has_none_in_any_photograph(wrong):
    (row,) = examples.compute_errors(examples.compute_shares([a_run(wrong & False)])).to_dict(
        "records"
    )
    assert (row["wrong"], row["all_wrong"], row["half"]) == (0, 0, 0)
    assert np.isnan([row["worst"], row["share"]]).all()


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


# --------------------------------------------------------------------------- other pictures


def test_an_image_that_was_not_turned_lies_on_its_photograph():
    figure = examples.plot_example("TEST_SIMPLE", images.names("TEST_SIMPLE")[0])
    image, photograph = (axis.patches[0].get_xy()[:4] for axis in figure.axes)
    np.testing.assert_allclose(image, [[0, 0], [320, 0], [320, 240], [0, 240]])
    np.testing.assert_allclose(photograph, image, atol=1)


def test_every_figure_is_drawn_without_images(wrong):
    wall, shares = examples.compute_wall([a_run(wrong)]), examples.compute_shares([a_run(wrong)])
    assert examples.thumbnail(110) == "110"
    for figure in (
        examples.plot_contributions(examples.compute_contributions()),
        examples.plot_matches(examples.compute_matches()),
        examples.plot_maps(photographs.table()),
        examples.plot_shares(shares),
        examples.plot_wall(wall, {110: "110"}),
        examples.plot_pairs(),
    ):
        figure.canvas.draw()
