"""The tables of photographs: read whole or not at all, and what the frozen ones say."""

import collections

import numpy as np
import pandas as pd
import pytest

from bloodlib.data import images, photographs, registration, stored

NAMES = {
    "TRAIN": (
        "NEUTROPHIL/_0_1.jpeg",
        "NEUTROPHIL/_0_7.jpeg",
        "NEUTROPHIL/_1_5.jpeg",
        "EOSINOPHIL/_0_3.jpeg",
        "MONOCYTE/_0_2.jpeg",
    ),
    "TEST": ("NEUTROPHIL/_0_9.jpeg", "LYMPHOCYTE/_0_4.jpeg", "LYMPHOCYTE/_1_8.jpeg"),
    "TEST_SIMPLE": ("LYMPHOCYTE/_0_6.jpeg",),
}
#: Behind the images in this order; of the third and the last in TEST none was found.
BEHIND = [10, 10, -1, 12, 13, 11, 14, -1, 14]


def planted():
    """Tables about nine images and six photographs: 10 and 11 show the same cell."""
    named = [(split, name) for split in images.SPLITS for name in NAMES[split]]
    table = pd.DataFrame(named, columns=["split", "name"])
    found = np.array(BEHIND) >= 0
    table["photograph"] = BEHIND
    table["found_by"] = np.where(found, "features", "nothing")
    table["inliers"] = np.where(found, 31, 0)
    table["correlation"] = np.where(found, 0.9713, -1.0)
    table["runner_up"], table["runner_up_inliers"] = -1, 0
    table["runner_up_correlation"] = -1.0
    table["flip"] = ["", "h", "", "v", "hv", "", "h", "", ""]
    for k, part in enumerate(("rotation", "shear", "shift_x", "shift_y", "scale_x", "scale_y")):
        table[part] = np.where(found, 0.123 * k - 0.2, np.nan)
    table["registered"] = pd.array([None, 10, -1] + [None] * 4 + [-1, 14], dtype="Int64")
    cells = pd.DataFrame(
        {
            "photograph": [10, 11, 12, 13, 14, 15],
            "labels": ["NEUTROPHIL", "NEUTROPHIL", "MONOCYTE", "MONOCYTE", "LYMPHOCYTE", ""],
            "cell": [10, 10, 12, 13, 14, 15],
        }
    )
    pairs = pd.DataFrame(
        [[10, 11, -40, 30, 0.9613, 0.934, 1.0, True], [13, 15, 190, 90, 0.9008, 0.0, 0.0, False]],
        columns=["a", "b", "shift_x", "shift_y", "correlation", "common", "share", "same_cell"],
    )
    return table, cells, pairs


def forget():
    for function in (
        photographs.provenance,
        photographs.table,
        photographs.cell_table,
        photographs.pair_table,
    ):
        function.cache_clear()


def write(*tables):
    csv = [table.to_csv(index=False).encode() for table in tables]
    content = dict(zip(photographs.TABLES, csv, strict=True))
    stored.write(stored.results_folder(), "photographs", content, {"seed": 0})
    forget()


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results with the planted tables."""
    monkeypatch.setenv("BLOODLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(images, "names", NAMES.__getitem__)
    write(*planted())
    yield tmp_path / "results"
    forget()


READERS = {
    "photographs.csv": photographs.table,
    "cells.csv": photographs.cell_table,
    "pairs.csv": photographs.pair_table,
}


# --------------------------------------------------------------------------- written and read


def test_what_is_saved_is_read(results):
    for read, saved in zip(READERS.values(), planted(), strict=True):
        pd.testing.assert_frame_equal(read(), saved, check_dtype=False, check_exact=True)
    assert photographs.provenance()["seed"] == 0
    assert {path.name for path in results.iterdir()} == {*READERS, "photographs.json"}


def test_lines_may_end_as_on_windows(results):
    """A clone with core.autocrlf, or an archive unpacked as text, has such line ends."""
    before = [read().copy() for read in READERS.values()]
    for name in [*READERS, "photographs.json"]:
        raw = (results / name).read_bytes()
        (results / name).write_bytes(raw.replace(b"\n", b"\r\n"))
    forget()
    for read, table in zip(READERS.values(), before, strict=True):
        pd.testing.assert_frame_equal(read(), table)


# ------------------------------------------------------------------------------------- damage


def refused(read, *words):
    forget()
    with pytest.raises(stored.StoredError) as caught:
        read()
    for word in (*words, "git checkout results", "bloodlib audit --remake"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_a_table_changed_by_one_byte_or_missing_is_refused(results, name):
    raw = bytearray((results / name).read_bytes())
    raw[-1] ^= 1
    (results / name).write_bytes(raw)
    refused(READERS[name], str(results / name), "is not the file")
    for other in READERS.keys() - {name}:
        READERS[other]()
    (results / name).unlink()
    refused(READERS[name], str(results / name), "can't be read")


@pytest.mark.parametrize("raw", [None, b"", b'{"sha256": {'])
def test_tables_that_nothing_vouches_for_are_refused(results, raw):
    (results / "photographs.json").unlink()
    if raw is not None:
        (results / "photographs.json").write_bytes(raw)
    for read in (photographs.provenance, *READERS.values()):
        refused(read, str(results / "photographs.json"), "can't be read")


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table[::-1],
        lambda table: table[:-1],
        lambda table: pd.concat([table, table[-1:]]),
        lambda table: table.assign(name=table["name"].str.replace("_0_3", "_0_33")),
        lambda table: table.assign(split=table["split"].replace("TEST_SIMPLE", "TEST")),
    ],
    ids=["reversed", "one missing", "one twice", "renamed", "in another split"],
)
def test_a_table_about_other_images_is_refused(results, change):
    table, cells, pairs = planted()
    write(change(table), cells, pairs)
    refused(photographs.table, "photographs.csv is not about the published images")


# ----------------------------------------------------------------------------- what they say


def test_photographs_and_cells_go_with_the_images(results):
    assert photographs.photographs("TRAIN").tolist() == [10, 10, -1, 12, 13]
    assert photographs.photographs("TEST").tolist() == [11, 14, -1]
    assert photographs.cells("TRAIN").tolist() == [10, 10, -1, 12, 13]
    assert photographs.cells("TEST").tolist() == [10, 14, -1]


def test_the_undecided_are_not_counted(results):
    none = dict.fromkeys(images.CLASSES, 0)
    assert photographs.counts() == {
        "TRAIN": none | {"NEUTROPHIL": 1, "EOSINOPHIL": 1, "MONOCYTE": 1},
        "TEST": none | {"NEUTROPHIL": 1, "LYMPHOCYTE": 1},
        "TEST_SIMPLE": none | {"LYMPHOCYTE": 1},
    }


def test_pairs_that_share_a_cell_and_pairs_that_do_not(results):
    assert photographs.pairs() == [
        {
            "photographs": [10, 11],
            "labels": ["NEUTROPHIL", "NEUTROPHIL"],
            "splits": [["TRAIN"], ["TEST"]],
        }
    ]
    assert photographs.pairs(same_cell=False) == [
        {
            "photographs": [13, 15],
            "labels": ["MONOCYTE", ""],
            "splits": [["TRAIN"], []],  # no image was made of 15
        }
    ]


# ------------------------------------------------------------------------------ the frozen ones


class TestFrozen:
    """The tables in the results folder, which need no images."""

    def test_every_image_was_matched(self):
        assert len(photographs.table()) == 9957 + 2487 + 71
        assert (photographs.table()["photograph"] >= 0).all()
        assert set(photographs.table()["photograph"]) <= set(images.photograph_numbers())

    def test_the_augmentation_can_have_made_every_map(self):
        table = photographs.table()
        for name, limit in registration.LIMITS.items():
            assert (abs(table[name] - name.startswith("scale")) <= limit).all()
        # it used its whole range, and no more: 20°, 0.2 radians, a tenth of 320 and of 240
        assert 19.5 < abs(table["rotation"]).quantile(0.99) < 20
        assert 11 < abs(table["shear"]).quantile(0.99) < np.rad2deg(0.2)
        assert 31 < abs(table["shift_x"]).quantile(0.99) < 32.2
        assert 23 < abs(table["shift_y"]).quantile(0.99) < 24.2
        augmented = table.loc[table["split"] != "TEST_SIMPLE", "flip"]
        assert augmented.value_counts(normalize=True).between(0.22, 0.28).all()
        simple = table[table["split"] == "TEST_SIMPLE"]
        assert (simple["flip"] == "").all()
        assert (abs(simple[["rotation", "shear", "shift_x", "shift_y"]]) < 0.5).all(axis=None)

    def test_training_and_test_share_no_photograph_but_cells(self):
        train, test, simple = (set(photographs.photographs(s)) for s in images.SPLITS)
        assert train.isdisjoint(test)
        assert simple <= test
        train, test = (set(photographs.cells(split)) for split in ("TRAIN", "TEST"))
        assert len(train & test) == 6
        listed = photographs.cell_table().set_index("photograph")["labels"]
        table = photographs.table()
        folder = table["name"].str.partition("/")[0]
        assert (listed[table["photograph"]].to_numpy() == folder).all()

    def test_cells_are_those_that_the_pairs_join(self):
        pairs = photographs.pair_table()
        assert (pairs["a"] < pairs["b"]).all()
        assert not pairs.duplicated(["a", "b"]).any()
        assert (pairs["correlation"] >= registration.SETTINGS["overlap"]).all()
        least = registration.SETTINGS
        same = (pairs["common"] >= least["common"]) & (pairs["share"] >= least["shared"])
        np.testing.assert_array_equal(pairs["same_cell"], same)
        cell = photographs.cell_table().set_index("photograph")["cell"]
        assert (cell[pairs["a"]].to_numpy() == cell[pairs["b"]].to_numpy())[same].all()
        # no more were joined than the pairs join
        joined = collections.Counter(cell)
        linked = set(pairs["a"][same]) | set(pairs["b"][same])
        assert {number for number in cell.index if joined[cell[number]] > 1} == linked

    def test_one_cell_alone_has_two_names(self):
        named = [
            (*pair["photographs"], *pair["labels"])
            for pair in photographs.pairs()
            if not set.intersection(*(set(label.split("+")) for label in pair["labels"]))
        ]
        assert named == [(206, 278, "LYMPHOCYTE", "MONOCYTE")]


def test_the_published_split_is_drawn_again_from_the_labels_and_the_public_seed():
    for seed, same in ((10, True), (11, False)):
        for split, numbers in photographs.replay(seed).items():
            assert (numbers == set(photographs.photographs(split)) - {-1}) is same
    assert {split: len(numbers) for split, numbers in photographs.replay().items()} == {
        "TRAIN": 277,
        "TEST": 71,
    }
