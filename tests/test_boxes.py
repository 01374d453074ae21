"""The white cells' boxes: read from annotations, and carried to where the cell is in an image."""

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT

from bloodlib.data import images, photographs, registration, stored

OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin>"
    "<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)
MAPS = [
    {"flip": "", "rotation": 0.0, "shear": 0.0, "shift_x": 0.0, "shift_y": 0.0},
    {"flip": "h", "rotation": 12.0, "shear": -6.0, "shift_x": 20.0, "shift_y": -8.0},
    {"flip": "hv", "rotation": -18.0, "shear": 9.0, "shift_x": -25.0, "shift_y": 15.0},
]


@pytest.fixture(autouse=True)
def forget():
    photographs.boxes.cache_clear()
    yield
    photographs.boxes.cache_clear()


@pytest.fixture
def annotations(folders, tmp_path, monkeypatch):
    """Annotations of three photographs: with one white cell, with none, with two."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    folder = tmp_path / "BCCD_Dataset" / "BCCD" / "Annotations"
    folder.mkdir(parents=True)
    red = OBJECT.format("RBC", 1, 2, 3, 4)
    for number, cells in ((3, [(10, 20, 110, 95)]), (7, []), (8, [(1, 1, 9, 9), (5, 5, 40, 60)])):
        found = red + "".join(OBJECT.format("WBC", *cell) for cell in cells) + red
        (folder / f"BloodImage_{number:05d}.xml").write_text(f"<annotation>{found}</annotation>")
    rows = "photograph,left,top,right,bottom\n3,10,20,110,95\n8,1,1,9,9\n8,5,5,40,60\n"
    monkeypatch.setattr(photographs, "BOXES_SHA256", stored.checksum(rows.encode()))
    return folder


def test_only_white_cells_are_taken_from_the_annotations(annotations):
    photographs.compute_boxes()
    found = photographs.boxes()
    assert found.to_numpy().tolist() == [
        [3, 10, 20, 110, 95],
        [8, 1, 1, 9, 9],
        [8, 5, 5, 40, 60],
    ]


def test_other_annotations_and_another_table_are_refused(folders, annotations):
    path = annotations / "BloodImage_00003.xml"
    path.write_text(path.read_text().replace("110", "111"))
    for _ in range(2):
        with pytest.raises(images.DatasetError, match=r"Clone .*Shenggan/BCCD_Dataset.*d272fb14"):
            photographs.compute_boxes()
        for path in annotations.iterdir():
            path.unlink()
    for text in ("", "photograph,left,top,right,bottom\n3,10,20,111,95\n"):
        with pytest.raises(stored.StoredError, match=r"git checkout results.*measure boxes"):
            photographs.boxes()
        (folders.results / "boxes.csv").write_text(text)


def placed(monkeypatch, box, maps):
    """Images of one photograph with such maps, and a box in it."""
    rows = [
        {"split": "TEST", "photograph": 5, "scale_x": 1.0, "scale_y": 1.0} | parts for parts in maps
    ]
    monkeypatch.setattr(photographs, "table", lambda: pd.DataFrame(rows))
    frame = pd.DataFrame([(5, *box)], columns=["photograph", "left", "top", "right", "bottom"])
    monkeypatch.setattr(photographs, "boxes", lambda: frame)
    return photographs.coordinates("TEST")


def test_a_box_is_where_a_painted_one_comes_to_lie(monkeypatch):
    left, top, right, bottom = box = (240, 160, 400, 300)
    photograph = np.zeros((480, 640), np.uint8)
    photograph[top:bottom, left:right] = 255
    small = cv2.resize(photograph, (320, 240), interpolation=cv2.INTER_AREA)
    found = photographs.inside(placed(monkeypatch, box, MAPS))
    for parts, mask in zip(MAPS, found, strict=True):
        back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        image = cv2.warpAffine(small, registration.compose(**parts), (320, 240), flags=back)
        painted = images.resize(np.stack([image] * 3, axis=-1))[..., 0] > 127
        assert (painted & mask).sum() > 0.97 * (painted | mask).sum()


def test_across_and_down_are_those_of_the_photograph(monkeypatch):
    found = placed(monkeypatch, (240, 160, 400, 300), MAPS)
    centre, mirrored = found[0], found[2]
    np.testing.assert_allclose(centre[29:31, 39:41].mean(axis=(0, 1)), [0.5, 80 / 140], atol=0.01)
    assert (np.diff(centre[..., 0], axis=1) > 0).all()
    assert (np.diff(mirrored[..., 0], axis=1) < 0).all()
    assert (np.diff(mirrored[..., 1], axis=0) < 0).all()


@pytest.mark.parametrize(
    ("box", "shift", "share"),
    [
        ((240, 160, 400, 300), 25.0, 1.0),
        ((0, 200, 100, 300), 25.0, 0.5),  # the image begins in the middle of the box
        ((560, 8, 640, 88), -45.0, 0.0),  # it ends before the box begins
    ],
)
def test_so_much_of_a_box_is_in_the_image(monkeypatch, box, shift, share):
    away = {"flip": "", "rotation": 0.0, "shear": 0.0, "shift_x": shift, "shift_y": 0.0}
    found = placed(monkeypatch, box, [away])
    assert photographs.visible(found)[0] == pytest.approx(share, abs=0.04)


def test_without_just_one_box_there_are_no_coordinates(monkeypatch):
    placed(monkeypatch, (0, 0, 9, 9), MAPS[:1])
    twice = pd.DataFrame(
        [(5, 0, 0, 9, 9), (5, 4, 4, 9, 9)], columns=["photograph", "left", "top", "right", "bottom"]
    )
    monkeypatch.setattr(photographs, "boxes", lambda: twice)
    found = photographs.coordinates("TEST")
    assert np.isnan(found).all()
    assert not photographs.inside(found).any()


def test_every_photograph_of_test_has_a_box():
    one = photographs.boxes().drop_duplicates("photograph", keep=False)["photograph"]
    assert set(photographs.photographs("TEST")) <= set(one)
    published = set(images.photograph_numbers())
    assert set(photographs.boxes()["photograph"]) <= published


@pytest.mark.data
def test_the_frozen_table_is_that_of_the_annotations(folders):
    if not (stored.data_folder() / "BCCD_Dataset").is_dir():
        pytest.skip("needs BCCD's annotations")
    photographs.compute_boxes()
    written = (folders.results / "boxes.csv").read_bytes()
    assert written == (CHECKOUT / "results" / "boxes.csv").read_bytes()
