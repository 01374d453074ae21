"""A laboratory's own folder: its classes, tables and boxes, what is refused, and the numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from bloodlib import cli
from bloodlib.analyses import evaluation, prediction, stored_models
from bloodlib.data import images, synthetic
from bloodlib.data.images import CLASSES
from bloodlib.evidence import intervals, scores
from bloodlib.models import weights

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def laboratory(tmp_path):
    """A folder with three drawn cells of each class, in four formats, and files of no use."""
    folder, rng = tmp_path / "slides", np.random.default_rng(0)
    names = {"EOSINOPHIL": "Eos", "LYMPHOCYTE": "lymphocytes", "MONOCYTE": "mono"}
    for known in CLASSES:
        inside = folder / names.get(known, "Segmented neutrophils")
        inside.mkdir(parents=True)
        for k, ending in enumerate((".png", ".bmp", ".tif")):
            pixels = synthetic.draw(known, rng, (240, 320))
            if known == "MONOCYTE" and ending == ".png":
                pixels = np.dstack([pixels, np.full((240, 320), 255, np.uint8)])
            Image.fromarray(pixels).save(inside / f"{known.lower()}-{k}{ending}")
    (folder / "basophils").mkdir()
    Image.fromarray(pixels[..., :3]).save(folder / "basophils" / "b.png")
    Image.new("RGB", (80, 60), "white").save(folder / "Eos" / "blank.png")
    (folder / "Eos" / "torn.jpg").write_bytes(b"no picture")
    return folder


def test_numbers_are_those_of_the_models(laboratory):
    cells = evaluation.load(laboratory)
    found = evaluation.score(cells)
    assert found["pictures"] == 12
    assert found["left_out"] == {"of the class 'basophils'": 1}
    reasons = sorted(one["error"] for one in found["refused"])
    assert ["shows no white cell" in reasons[0], "can't be read" in reasons[1]] == [True, True]
    files = [cell.path for cell in evaluation.find(laboratory)[0]]
    readable = [path for path in files if path.stem not in ("blank", "torn")]
    shown = np.stack([prediction.read(path) for path in readable])
    np.testing.assert_array_equal(cells.pixels["as they are"], shown)
    for one in found["results"]:
        if (one["task"], one["shown"]) == ("four", "as they are"):
            if one["method"] == "DCLNN":
                y_pred = weights.predict("four", shown).argmax(axis=1)
            else:
                y_pred = stored_models.predict(one["method"], "four", shown).argmax(axis=1)
            accuracy = accuracy_score(cells.labels, y_pred)
            balanced = balanced_accuracy_score(cells.labels, y_pred)
            assert one["accuracy"][0] == pytest.approx(accuracy, abs=1e-4)
            assert one["balanced"][0] == pytest.approx(balanced, abs=1e-4)
            assert one["accuracy"][1] <= accuracy <= one["accuracy"][2]
            assert one["guessing"] == 0.25


def test_intervals_are_over_groups_within_the_four_classes():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 8)
    pixels = np.stack([images.resize(synthetic.draw(CLASSES[k], rng, (240, 320))) for k in labels])
    alone, patients = (
        evaluation.score(evaluation.Cells({"as they are": pixels}, labels, groups, {}))["results"]
        for groups in (np.arange(32), np.arange(32) // 4)
    )
    for one, other in zip(alone, patients, strict=True):
        (value, low, high), grouped = one["accuracy"], other["accuracy"]
        assert grouped[0] == value
        assert grouped[2] - grouped[1] > high - low
    [two] = [one for one in alone if (one["method"], one["task"]) == ("DCLNN", "two")]
    y_true = np.array([images.NUCLEI[CLASSES[k]] for k in labels])
    y_pred = weights.predict("two", pixels).argmax(axis=1)
    drawn = intervals.resample(y_true, np.arange(32), 2, evaluation.DRAWS, strata=labels)
    ends = intervals.bounds(scores.accuracy, y_pred[None], drawn)
    assert two["accuracy"][1:] == pytest.approx(np.ravel(ends), abs=1e-4)


def test_the_command_prints_draws_and_writes_for_programs(laboratory, tmp_path, capsys):
    plot = tmp_path / "found.png"
    assert cli.main(["evaluate", str(laboratory), "--plot", str(plot)]) == 0
    said = capsys.readouterr().out
    assert "12 cells" in said
    assert "balanced" in said
    assert "refused: 2" in said
    with Image.open(plot) as drawn:
        assert drawn.size[0] > 500
    assert cli.main(["evaluate", str(laboratory), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["monocyte"] == 3


def test_tables_name_classes_and_groups(laboratory, tmp_path):
    files = [cell.path for cell in evaluation.find(laboratory)[0]]
    rows = {
        "File": [p.name for p in files[:6]],
        "label": ["NEUT", "mo", "", "x", "eo", "LY"],
    }
    table = tmp_path / "labels.csv"
    pd.DataFrame(rows | {"Group": list("aabbcc")}).to_csv(table, index=False)
    found, left = evaluation.find(laboratory, labels=table)
    assert [CLASSES[cell.label] for cell in found] == [
        "NEUTROPHIL", "MONOCYTE", "EOSINOPHIL", "LYMPHOCYTE"
    ]  # fmt: skip
    assert [cell.group for cell in found] == ["a", "a", "c", "c"]
    assert left["of the class 'x'"] == 1
    assert left["without a label"] == 1 + 15 - 6


def test_boxes_are_cut_and_brought_to_scale(tmp_path):
    """A cell in the corner of a field is shown as it is shown in the middle of a photograph."""
    cell = synthetic.draw("LYMPHOCYTE", np.random.default_rng(3), (480, 640))
    field = np.full((1200, 1600, 3), 225, np.uint8)
    field[100:580, 60:700] = cell
    (tmp_path / "f").mkdir()
    Image.fromarray(field).save(tmp_path / "f" / "field.png")
    side = evaluation.external_validation.diameters()["white cells"][0]
    left, top = 60 + 320 - side / 2, 100 + 240 - side / 2
    box = [left, top, left + side, top + side]
    rows = [["field.png", *box, "lymphocyte"], ["field.png", 0, 0, 9, 9, "RBC"]]
    columns = ["file", "left", "top", "right", "bottom", "label"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "boxes.csv", index=False)
    cells = evaluation.load(tmp_path / "f", boxes=tmp_path / "boxes.csv")
    assert len(cells.labels) == 1
    shown = cells.pixels["as they are"][0].astype(int)
    assert np.abs(shown - images.resize(cell)).mean() < 1
    edges = "".join(
        f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "field.xml").write_text(
        f"<annotation><object><name>Lymphocyte</name><bndbox>{edges}</bndbox></object></annotation>"
    )
    again = evaluation.load(tmp_path / "f", boxes=tmp_path / "voc")
    np.testing.assert_array_equal(again.pixels["as they are"], cells.pixels["as they are"])


@pytest.mark.parametrize(
    ("content", "words"),
    [("a,b\n1,2\n", "no column file and no label"), ("", "can't be read as a CSV table")],
)
def test_a_table_that_is_none_is_refused(laboratory, tmp_path, capsys, content, words):
    table = tmp_path / "labels.csv"
    table.write_text(content)
    assert cli.main(["evaluate", str(laboratory), "--labels", str(table)]) == 1
    assert words in capsys.readouterr().err


def test_a_folder_without_known_classes_is_refused(tmp_path, capsys):
    assert cli.main(["evaluate", str(tmp_path)]) == 1
    assert "give --labels" in capsys.readouterr().err
    assert cli.main(["evaluate", str(tmp_path / "none")]) == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.long
def test_the_page_gives_the_numbers_of_the_command(laboratory, tmp_path, capsys):
    import jupytext
    import nbformat
    import papermill

    page = Path(evaluation.__file__).parents[2] / "chapters" / "external_validation.py"
    nbformat.write(jupytext.read(page), tmp_path / "page.ipynb")
    done = papermill.execute_notebook(
        str(tmp_path / "page.ipynb"), str(tmp_path / "mine.ipynb"), {"folder": str(laboratory)},
        kernel_name="python3", progress_bar=False,
    )  # fmt: skip
    printed = "".join(
        output.get("text", "") for cell in done.cells for output in cell.get("outputs", [])
    )
    assert cli.main(["evaluate", str(laboratory)]) == 0
    assert capsys.readouterr().out.strip() in printed


@pytest.mark.parametrize("method", stored_models.METHODS)
@pytest.mark.parametrize("task", images.TASKS)
@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_stored_models_answer_as_their_records_do(method, task):
    """But for what their provenance says, 44 of 2,487 images at most."""
    from bloodlib import study
    from bloodlib.study import records

    made = records.read_measured(stored_models.NAME)[1]["settings"][f"{method}_{task}"]
    [record] = [run for run in study.select(method=method, task=task) if run.id == made["record"]]
    y_pred = stored_models.predict(method, task, images.load("TEST").pixels).argmax(axis=1)
    assert (y_pred != record.arrays["labels"][-1]).sum() == pytest.approx(
        made["other_answers"], abs=2
    )
