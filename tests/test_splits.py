"""Other ways to hold images out: whole, disjoint, in equal shares, nothing kept on both sides."""

import json
import shutil
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT

from bloodlib import study
from bloodlib.analyses import scoring
from bloodlib.data import images, photographs, splits

#: What is made for others, and what a copy of the results need not have.
BY_CELL = CHECKOUT / "results" / "wbc-by-cell"
NO_RUNS = shutil.ignore_patterns("runs", "*.onnx", "*.npz")
N_TRAIN, N_TEST = len(images.names("TRAIN")), len(images.names("TEST"))
RANDOM = [by for by in splits.SPLIT_BY if by not in splits.ON_TEST]
#: Those that divide TRAIN and TEST together.
POOLED = [by for by in RANDOM if by != "train-cell"]
#: Rows of TRAIN and TEST by the number in an image's name: as uneven as the real photographs.
NUMBER = {s: np.array([int(n.split("_")[1]) for n in images.names(s)]) for s in ("TRAIN", "TEST")}


def photographs_of(split):
    """Made-up photographs: those of TEST are not those of TRAIN."""
    return 1000 * images.labels(split).astype(int) + NUMBER[split] + 500 * (split == "TEST")


def cells_of(split):
    """Made-up cells, of two photographs each; three of TEST are also in TRAIN."""
    number = 1000 * images.labels(split).astype(int) + NUMBER[split] // 2
    shared = (images.labels(split) == 0) & (NUMBER[split] < 6)
    return number + 500 * (split == "TEST") * ~shared


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setattr(photographs, "photographs", photographs_of)
    monkeypatch.setattr(photographs, "cells", cells_of)
    splits._divide.cache_clear()
    yield
    splits._divide.cache_clear()


GROUPS = {"photograph": photographs_of, "cell": cells_of, "train-cell": cells_of}
PARTS = {"half": 2, "quarter": 4}


def numbers(by):
    return np.concatenate([GROUPS[by](split) for split in ("TRAIN", "TEST")])


LABELS = np.concatenate([images.labels(split) for split in ("TRAIN", "TEST")])


# ---------------------------------------------------------------------------------- divisions


@pytest.mark.parametrize("by", RANDOM)
@pytest.mark.parametrize("first", [0, 5])
def test_five_folds_hold_out_each_image_once(by, first):
    """In folds of TRAIN alone no image of TEST is trained on or held out."""
    every = np.arange(N_TRAIN + N_TEST if by in POOLED else N_TRAIN)
    folds = [splits.split(by, first + k) for k in range(5)]
    held_out = np.concatenate([fold.test for fold in folds])
    np.testing.assert_array_equal(np.sort(held_out), every)
    for fold in folds:
        both = np.concatenate([fold.train, fold.test])
        np.testing.assert_array_equal(np.sort(both), every)


@pytest.mark.parametrize(
    ("by", "off"), [("image", 0.0002), ("photograph", 0.02), ("cell", 0.02), ("train-cell", 0.06)]
)
def test_a_fold_is_a_fifth_with_the_classes_in_equal_shares(by, off):
    all_labels = LABELS if by in POOLED else LABELS[:N_TRAIN]
    shares = np.bincount(all_labels) / len(all_labels)
    for fold in range(5):
        test = splits.split(by, fold).test
        assert len(test) / len(all_labels) == pytest.approx(0.2, abs=off)
        np.testing.assert_allclose(np.bincount(LABELS[test]) / len(test), shares, atol=2 * off)


def test_the_published_division_is_that_of_the_folders():
    rows = splits.split("published", 0)
    np.testing.assert_array_equal(rows.train, np.arange(N_TRAIN))
    np.testing.assert_array_equal(rows.test, N_TRAIN + np.arange(N_TEST))


@pytest.mark.parametrize(("by", "n"), PARTS.items())
@pytest.mark.parametrize("first", [0, 1])
def test_parts_of_train_share_no_cell_and_hold_each_image_once_and_test_stays(by, n, first):
    parts = [splits.split(by, first * n + k) for k in range(n)]
    cells = [set(numbers("cell")[part.train]) for part in parts]
    assert sum(map(len, cells)) == len(set.union(*cells))
    trained = np.concatenate([part.train for part in parts])
    np.testing.assert_array_equal(np.sort(trained), np.arange(N_TRAIN))
    shares = np.bincount(LABELS[:N_TRAIN]) / N_TRAIN
    for part in parts:
        np.testing.assert_array_equal(part.test, N_TRAIN + np.arange(N_TEST))
        assert len(part.train) / N_TRAIN == pytest.approx(1 / n, abs=0.05)
        found = np.bincount(LABELS[part.train]) / len(part.train)
        np.testing.assert_allclose(found, shares, atol=0.1)


@pytest.mark.parametrize(
    ("by", "fold", "words"),
    [
        ("patient", 0, "'patient'. There are: published, image"),
        ("image", -1, "fold is -1"),
        ("image", True, "fold is True"),
        ("published", 1, "their fold is 0"),
    ],
)
def test_what_does_not_exist_is_refused(by, fold, words):
    for door in (splits.check, splits.split, splits.data_hash):
        if door is splits.data_hash and by == "published":
            continue  # it looks nothing up
        with pytest.raises(ValueError, match=words.replace(".", r"\.")):
            door(by, fold)


# ------------------------------------------------------------------------- images and labels


def coded(split, first):
    """Pixels that say which row of TRAIN and TEST they are."""
    rows = first + np.arange(len(images.names(split)))
    return np.stack([rows // 65536, rows // 256 % 256, rows % 256], axis=1).astype(np.uint8)[
        :, None, None
    ]


def decoded(pixels):
    return pixels[:, 0, 0].astype(int) @ [65536, 256, 1]


@pytest.fixture(scope="module")
def pixels():
    first = {"TRAIN": 0, "TEST": N_TRAIN, "TEST_SIMPLE": N_TRAIN + N_TEST}
    return {split: coded(split, first[split]) for split in images.SPLITS}


@pytest.mark.parametrize(
    ("by", "fold"),
    [("published", 0), ("image", 0), ("photograph", 1), ("cell", 6), ("half", 1), ("quarter", 3)],
)
def test_pixels_keep_their_labels(pixels, by, fold):
    found, rows = splits.rearrange(pixels, by, fold), splits.split(by, fold)
    np.testing.assert_array_equal(decoded(found["TRAIN"]), rows.train)
    np.testing.assert_array_equal(decoded(found["TEST"]), rows.test)
    assert found["TEST_SIMPLE"] is pixels["TEST_SIMPLE"]
    for task in images.TASKS:
        true = {split: images.labels(split, task) for split in images.SPLITS}
        arranged = splits.rearrange(true, by, fold)
        for split in images.SPLITS:
            of_split = splits.labels(split, task, by, fold)
            np.testing.assert_array_equal(arranged[split], of_split, strict=True)


@pytest.mark.parametrize(
    ("by", "fold"), [("published", 0), ("cell", 1), ("train-cell", 0), ("half", 1)]
)
@pytest.mark.parametrize("n", [None, 9])
def test_a_method_may_ask_for_the_photographs_of_its_training_images(monkeypatch, by, fold, n):
    first = {"TRAIN": 0, "TEST": N_TRAIN, "TEST_SIMPLE": N_TRAIN + N_TEST}

    def load(split, filter):
        pixels = coded(split, first[split])
        return types.SimpleNamespace(pixels=pixels, labels=images.labels(split))

    monkeypatch.setattr(images, "load", load)
    study.load.cache_clear()
    try:
        found = study.load("published", n, by, fold)
    finally:
        study.load.cache_clear()
    seen = decoded(found.pixels["TRAIN"])
    assert len(seen) == (4 * n if n else len(splits.split(by, fold).train))
    np.testing.assert_array_equal(found.photographs, numbers("photograph")[seen])


# ----------------------------------------------------------------------------------- identity


def test_images_at_random_have_the_identity_of_the_frozen_records():
    """Records would be lost if these changed."""
    assert splits.data_hash() == images.DATA_HASH == "02428e1e78df2a17e9089ff6e3aa5ffc3a1279c9"
    assert splits.data_hash("image", 0) == f"{images.DATA_HASH}-c9aede5f3f"
    config = {"method": "NB", "task": "four", "split_by": "image"}
    assert study.identify(config) == "NB-four-9f6626d45d"


def test_each_division_has_an_identity_of_its_own():
    folds = [(by, fold) for by in RANDOM for fold in (0, 1, 5, 10)]
    folds += [(by, fold) for by, n in PARTS.items() for fold in range(2 * n)]
    first = {(by, fold): splits.data_hash(by, fold) for by, fold in folds}
    assert len({*first.values(), splits.data_hash()}) == len(folds) + 1
    splits._divide.cache_clear()  # drawn anew, they are the same
    assert {key: splits.data_hash(*key) for key in folds} == first


# ------------------------------------------------------------------------------- frozen tables


class TestFrozen:
    @pytest.fixture(autouse=True)
    def planted(self):
        """Nothing is planted here: the photographs are those of the results folder."""
        splits._divide.cache_clear()
        yield
        splits._divide.cache_clear()

    @pytest.mark.parametrize("by", GROUPS)
    def test_real_groups_are_on_one_side_only(self, by):
        number = splits.groups(by)
        for fold in range(5):
            rows = splits.split(by, fold)
            assert set(number[rows.train]).isdisjoint(number[rows.test])
            counts = pd.Series(LABELS[rows.test]).value_counts(normalize=True)
            n = N_TRAIN + N_TEST if by in POOLED else N_TRAIN
            assert len(rows.test) / n == pytest.approx(0.2, abs=0.03)
            assert counts.min() > 0.2
            assert counts.max() < 0.3

    def test_the_table_for_others_is_written_again_byte_for_byte(self, tmp_path, monkeypatch):
        kept = {path.name: path.read_bytes() for path in BY_CELL.iterdir()}
        shutil.copytree(CHECKOUT / "results", tmp_path / "results", ignore=NO_RUNS)
        (tmp_path / "results" / "wbc-by-cell" / "wbc-by-cell.csv").write_text("altered")
        monkeypatch.setenv("BLOODLIB_RESULTS", str(tmp_path / "results"))
        splits.compute_by_cell()
        written = (tmp_path / "results" / "wbc-by-cell").iterdir()
        assert {path.name: path.read_bytes() for path in written} == kept

    def test_the_table_for_others_says_what_it_holds(self):
        table = pd.read_csv(BY_CELL / "wbc-by-cell.csv")
        described = json.loads((BY_CELL / "croissant.json").read_text(encoding="utf-8"))
        fields = described["recordSet"][0]["field"]
        columns = [field["source"]["extract"]["column"] for field in fields]
        assert columns == list(table) == [field["name"] for field in fields]
        assert (table["replayed"] == table["split"].replace("TEST_SIMPLE", "TEST")).all()
        assert table.groupby("cell")["fold"].nunique().max() == 1
        pooled = table[table["split"] != "TEST_SIMPLE"]
        for fold in range(splits.N_FOLDS):
            held_out = splits.split("cell", fold).test
            np.testing.assert_array_equal(np.flatnonzero(pooled["fold"] == fold), np.sort(held_out))
        two = table[table["conflict"]]
        assert set(two["photograph"]) == {206, 278}
        assert set(two["class"]) == {"LYMPHOCYTE", "MONOCYTE"}

    def test_the_metadata_are_croissant(self):
        croissant = pytest.importorskip("mlcroissant")
        dataset = croissant.Dataset(str(BY_CELL / "croissant.json"))
        assert not dataset.metadata.ctx.issues.errors
        assert sum(1 for _ in dataset.records("images")) == 12_515

    @pytest.mark.data
    @pytest.mark.skipif(not images.available(), reason="no real images here")
    def test_the_loader_finds_images_whatever_they_are_called(self, tmp_path, monkeypatch):
        names = images.names("TEST")[::100]
        for k, name in enumerate(names):
            place = tmp_path / "dataset2-master" / "a" / f"{k}.jpeg"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(images.find() / "images/TEST" / name, place)
        shutil.copy(BY_CELL / "wbc-by-cell.csv", tmp_path)
        monkeypatch.chdir(tmp_path)
        code = (BY_CELL / "README.md").read_text(encoding="utf-8").split("```python")[1]
        code = code.split("```")[0]
        page = (CHECKOUT / "chapters" / "datasheet.py").read_text(encoding="utf-8")
        assert code.strip() in page.replace("\n# ", "\n").replace("\n#\n", "\n\n")
        exec(code, space := {})
        loaded = pd.concat([space["train"], space["test"]]).dropna(subset="path")
        assert sorted(loaded["image"]) == sorted(f"TEST/{name}" for name in names)
        for row in loaded.itertuples():
            assert names[int(Path(row.path).stem)] == row.image.removeprefix("TEST/")

    @pytest.mark.data
    @pytest.mark.long
    @pytest.mark.skipif(not images.available(), reason="no real images here")
    def test_the_example_for_others_scores_what_it_says(self, tmp_path, monkeypatch):
        shutil.copy(BY_CELL / "wbc-by-cell.csv", tmp_path)
        monkeypatch.chdir(tmp_path)
        readme = (BY_CELL / "README.md").read_text(encoding="utf-8")
        find, classify = readme.split("```python")[1:3]
        space = {}
        for code in (find.replace("dataset2-master", str(images.find() / "images")), classify):
            exec(code.split("```")[0], space)
        accuracy = scoring.score("predictions.csv")["accuracy"]
        assert f"`bloodlib score predictions.csv` gives {accuracy:.3f}." in readme
