"""An image's photograph is found by its pixels: the right one, its map, or none."""

import contextlib
import functools
import hashlib
import io
import json
import types
from pathlib import Path

import cv2
import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import publish, write
from PIL import Image

from bloodlib.data import images, photographs, registration, stored

ROOT = Path(registration.__file__).parents[1]
FLIPS = ("", "h", "v", "hv")
HEIGHT, WIDTH = registration.SIZE
LEAST = registration.SETTINGS


def film(seed, size=(480, 640), nuclei=()):
    """Draw a blood film: pink cells, grain, and a purple nucleus at each (x, y, radius)."""
    rng = np.random.default_rng(seed)
    height, width = size
    pixels = np.full((height, width, 3), (226, 216, 214), np.uint8)
    for x, y, radius in rng.uniform((0, 0, 26), (width, height, 40), (height * width // 9000, 3)):
        place, colour = (int(x), int(y)), rng.uniform((190, 140, 140), (225, 180, 170))
        cv2.circle(pixels, place, int(radius), colour, -1, cv2.LINE_AA)
        cv2.circle(pixels, place, int(radius / 3), colour + 20, -1, cv2.LINE_AA)
    for x, y, radius in nuclei:
        cv2.circle(pixels, (x, y), radius, (110, 60, 150), -1, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), 4)
    return (pixels + 10 * (grain / grain.std())[..., None]).clip(0, 255).astype(np.uint8)


def jpeg(pixels):
    """Bytes of a JPEG such as the published ones."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return file.getvalue()


def augment(photograph, matrix):
    """What the augmentation made of a photograph, as it was stored: outside is black."""
    small = cv2.resize(photograph, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    stored = jpeg(cv2.warpAffine(small, matrix, (WIDTH, HEIGHT), flags=how))
    return np.asarray(Image.open(io.BytesIO(stored)))


def drawn_parts(rng, flip):
    """Draw what the augmentation drew."""
    limits = {"rotation": 20, "shear": np.rad2deg(0.2), "shift_x": 32, "shift_y": 24}
    return {"flip": flip} | {name: rng.uniform(-limit, limit) for name, limit in limits.items()}


def same_map(matrix, parts, degrees, pixels):
    found = registration.decompose(matrix)
    assert found["flip"] == parts["flip"]
    for name in ("rotation", "shear"):
        assert found[name] == pytest.approx(parts[name], abs=degrees)
    for name in ("shift_x", "shift_y"):
        assert found[name] == pytest.approx(parts[name], abs=pixels)
    for name in ("scale_x", "scale_y"):
        assert found[name] == pytest.approx(1, abs=0.01)


@functools.cache
def films():
    return {7 * k: film(k, nuclei=[(320, 240, 60)] if k % 2 else []) for k in range(12)}


@functools.cache
def known(*without):
    """The index of twelve photographs, or of fewer."""
    return registration.index(
        {n: registration.grey(f) for n, f in films().items() if n not in without}
    )


# -------------------------------------------------------------------------------------- maps

DRAWN = ("flip", "rotation", "shear", "shift_x", "shift_y")
PARTS = st.fixed_dictionaries(
    {
        "flip": st.sampled_from(FLIPS),
        "rotation": st.floats(-20, 20),
        "shear": st.floats(-11.45, 11.45),
        "shift_x": st.floats(-32, 32),
        "shift_y": st.floats(-24, 24),
        "scale_x": st.floats(0.975, 1.025),
        "scale_y": st.floats(0.975, 1.025),
    }
)


@given(PARTS)
def test_a_map_is_the_sum_of_its_parts(parts):
    matrix = registration.compose(**parts)
    found = registration.decompose(matrix)
    assert found.keys() == parts.keys()
    assert found.pop("flip") == parts["flip"]
    for name, value in found.items():
        assert value == pytest.approx(parts[name], abs=1e-9)
    np.testing.assert_allclose(
        registration.compose(**registration.decompose(matrix)), matrix, rtol=0, atol=1e-9
    )


def keras(rotation, shear, shift_x, shift_y, middle):
    """ImageDataGenerator's matrix of Keras 2, from (row, column, 1) to the photograph's."""
    a, s = np.deg2rad([rotation, shear])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    move = np.array([[1, 0, shift_y], [0, 1, shift_x], [0, 0, 1]])
    lean = np.array([[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]])
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = middle, -np.array(middle)
    return there @ turn @ move @ lean @ back


@given(PARTS, st.floats(0, 239), st.floats(0, 319))
def test_a_map_is_what_keras_did(parts, row, column):
    flip, rotation, shear, shift_x, shift_y = (parts[name] for name in DRAWN)
    from_row = HEIGHT - 1 - row if "v" in flip else row
    from_column = WIDTH - 1 - column if "h" in flip else column
    matrix = registration.compose(flip, rotation, shear, shift_x, shift_y)
    x, y = matrix @ [column, row, 1]
    middle = ((HEIGHT - 1) / 2, (WIDTH - 1) / 2)
    of_keras = keras(rotation, shear, shift_x, shift_y, middle) @ [from_row, from_column, 1]
    np.testing.assert_allclose([y, x, 1], of_keras, rtol=0, atol=1e-9)


@given(PARTS)
def test_every_map_of_the_augmentation_is_accepted(parts):
    assert registration.augmented(registration.compose(**parts))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("name", "by"),
    [("rotation", 21.5), ("rotation", 90), ("shear", 14), ("shift_x", 36), ("shift_y", 28),
     ("scale_x", 0.035), ("scale_y", 0.035)],
)  # fmt: skip
def test_no_other_map_is_accepted(name, by, sign):
    parts = dict.fromkeys(("rotation", "shear", "shift_x", "shift_y"), 0)
    parts |= {"flip": "h", "scale_x": 1, "scale_y": 1}
    assert registration.augmented(registration.compose(**parts))
    parts[name] += sign * by
    assert not registration.augmented(registration.compose(**parts))
    assert not registration.augmented(registration.NONE.matrix)


# ---------------------------------------------------------------------------- the photograph


@pytest.mark.parametrize("flip", FLIPS)
def test_features_find_the_photograph_and_the_map(flip):
    rng = np.random.default_rng(len(flip) + ("v" in flip))
    for number in rng.choice(list(films()), 3, replace=False):
        parts = drawn_parts(rng, flip)
        picture = registration.grey(augment(films()[number], registration.compose(**parts)))
        best, second = registration.match(picture, known())
        assert best.photograph == number
        assert best.inliers >= 20
        assert best.correlation > 0.9
        assert second.photograph != number
        assert registration.decided(best, second)
        same_map(best.matrix, parts, degrees=0.5, pixels=1)


@pytest.mark.parametrize(("number", "flip"), [(21, "v"), (49, "hv"), (0, "h")])
def test_pixels_find_what_has_few_features(number, flip):
    blurred = cv2.GaussianBlur(films()[number], (0, 0), 10)
    parts = {"flip": flip, "rotation": -12, "shear": 5, "shift_x": 20, "shift_y": -10}
    picture = registration.grey(augment(blurred, registration.compose(**parts)))
    assert not registration.decided(*registration.match(picture, known()))
    best, second = registration.register(picture, known(), candidates=3)
    assert best.photograph == number
    assert best.correlation > max(LEAST["by_pixels"], second.correlation + LEAST["margin"])
    same_map(best.matrix, parts, degrees=0.5, pixels=1)


def test_a_photograph_that_is_not_there_is_not_found():
    parts = {"flip": "h", "rotation": 8, "shear": 0, "shift_x": 5, "shift_y": 5}
    picture = registration.grey(augment(films()[21], registration.compose(**parts)))
    assert registration.match(picture, known())[0].photograph == 21
    best, second = registration.match(picture, known(21))
    assert not registration.decided(best, second)
    assert (
        registration.register(picture, known(21), candidates=3)[0].correlation < LEAST["by_pixels"]
    )


def test_what_has_no_features_has_no_photograph():
    nothing = registration.NONE, registration.NONE
    for level in (0, 120, 255):
        blank = np.full(registration.SIZE, level, np.uint8)
        assert registration.match(blank, known()) == nothing
        with np.errstate(invalid="ignore"):
            assert registration.register(blank, known(), candidates=1)[0] is registration.NONE
    ramp = np.tile(np.linspace(20, 250, WIDTH).astype(np.uint8), (HEIGHT, 1))
    assert registration.match(ramp, known()) == nothing
    noise = np.random.default_rng(0).integers(0, 256, registration.SIZE, dtype=np.uint8)
    assert registration.match(noise, registration.index({1: blank, 2: blank})) == nothing


def test_there_is_no_correlation_with_nothing():
    picture, same = registration.grey(films()[0]), np.array([[1.0, 0, 0], [0, 1, 0]])
    assert registration.correlation(picture, np.full_like(picture, 9), same) == -1
    assert registration.correlation(np.full_like(picture, 9), picture, same) == -1
    away = np.array([[1.0, 0, 0.75 * WIDTH], [0, 1, 0]])  # a quarter in common is too little
    assert registration.correlation(picture, picture, away) == -1


# ----------------------------------------------------------------------------------- overlaps


def crops(scene, places):
    """Grey pieces of a scene as the microscope took them, by number; (x, y) of 320x240."""
    pieces = {n: scene[y : y + HEIGHT, x : x + WIDTH] for n, (x, y) in places.items()}
    return {
        n: registration.grey(np.array(Image.open(io.BytesIO(jpeg(p))))) for n, p in pieces.items()
    }


@functools.cache
def scene():
    return cv2.resize(film(50, (1200, 1600)), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("second", [(203, 100), (61, 187), (140, 21), (363, 130), (19, 262)])
def test_two_pieces_of_a_film_overlap_by_their_shift(second):
    first = (140, 100)
    pieces = crops(scene(), {4: first, 9: second})
    pieces[9] = cv2.convertScaleAbs(pieces[9], alpha=0.8, beta=20)  # another exposure
    x, y = second[0] - first[0], second[1] - first[1]
    (found,) = registration.overlaps(registration.index(pieces)).to_numpy()
    assert found[:4].tolist() == [4, 9, x, y]
    assert 0.9 < found[4] <= 1
    (back,) = registration.overlaps(registration.index({9: pieces[9], 4: pieces[4]})).to_numpy()
    assert back[:4].tolist() == [9, 4, -x, -y]


def test_what_shares_too_little_is_no_overlap():
    """Unrelated photographs, a narrow edge in common, and a photograph mirrored or turned."""
    picture = registration.grey(films()[7])
    mirrored = {2: picture[:, ::-1], 3: picture[::-1], 4: picture[::-1, ::-1]}
    for pictures in (
        crops(scene(), {1: (0, 0), 2: (290, 0)}),
        {1: picture} | {n: c.copy() for n, c in mirrored.items()},
    ):
        assert registration.overlaps(registration.index(pictures)).empty
    assert registration.overlaps(known()).empty


# ---------------------------------------------------------------------------------- the cells


def seen(*nuclei):
    """Where nuclei are, at (x, y, radius) of 320x240."""
    doubled = [(2 * x, 2 * y, 2 * radius) for x, y, radius in nuclei]
    pixels = cv2.resize(film(3, nuclei=doubled), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return registration.white_cells(pixels)


@pytest.mark.parametrize(
    ("first", "second", "shift", "common", "share"),
    [
        ([(100, 80, 25)], [(140, 60, 25)], (-40, 20), (0.9, 1), (1, 1)),
        ([(100, 80, 25)], [(140, 60, 25)], (40, -20), (0, 0), (1, 1)),  # the wrong shift
        ([(60, 80, 25)], [(260, 160, 25)], (150, 0), (0, 0), (0, 0)),  # both lie outside
        ([], [], (20, 0), (0, 0), (0, 0)),
        # each has a cell of its own, and a piece of the other's lies at the border
        ([(60, 80, 30), (317, 200, 20)], [(170, 200, 20), (260, 60, 30)], (147, 0),
         (0.7, 1), (0, LEAST["shared"])),
        # a cell that is cut is all there is
        ([(100, 80, 25)], [(0, 80, 25)], (100, 0), (0.85, 1), (1, 1)),
    ],
)  # fmt: skip
def test_what_two_photographs_share_of_their_cells(first, second, shift, common, share):
    found = registration.shared(seen(*first), seen(*second), shift)
    for value, (low, high) in zip(found, (common, share), strict=True):
        assert low <= value <= high


# ------------------------------------------------------------------------------------- remake

#: Photographs: 0 and 3 show the same cell, 5 a piece of the same film and another cell. 12 is
#: 11 taken a second time.
PLACES = {0: (200, 150), 3: (120, 210), 5: (580, 330)}
LABELS = {0: "NEUTROPHIL", 3: "NEUTROPHIL", 5: "MONOCYTE", 8: "EOSINOPHIL", 9: "LYMPHOCYTE"}
LABELS |= {11: "EOSINOPHIL", 12: ""}
CELLS = {number: {3: 0, 12: 11}.get(number, number) for number in LABELS}
SHIFTS = {(0, 3): (-40, 30), (0, 5): (190, 90), (3, 5): (230, 60), (11, 12): (-2, 0)}


@functools.cache
def published():
    """Files of a small dataset, and the photograph and the map of each image."""
    rng = np.random.default_rng(5)
    wide = film(60, (900, 1240), [(500, 400, 60), (1000, 700, 60)])
    pictures = {n: wide[y : y + 480, x : x + 640] for n, (x, y) in PLACES.items()}
    pictures |= {n: film(n, nuclei=[(300, 200, 60)]) for n in (8, 9, 11)}
    noise = rng.normal(0, 8, (480, 640, 1))
    pictures[12] = (np.roll(pictures[11], 4, axis=1) + noise).clip(0, 255).astype(np.uint8)
    lost = film(77)  # not published
    of_class = {"NEUTROPHIL": [0, 3], "EOSINOPHIL": [8], "MONOCYTE": [5], "LYMPHOCYTE": [9]}
    files, truth = {}, {}

    def add(split, name, picture, number, parts):
        path = f"{split}/{name}"
        files[f"images/{path}"] = jpeg(augment(picture, registration.compose(**parts)))
        truth[path] = number, parts

    still = {"flip": "", "rotation": 0, "shear": 0, "shift_x": 0, "shift_y": 0}
    for folder, numbers in of_class.items():
        for split, n in (("TRAIN", 2), ("TEST", 1), ("TEST_SIMPLE", 1)):
            for k in range(n):
                number = numbers[(k + (split == "TEST")) % len(numbers)]
                parts = drawn_parts(rng, rng.choice(FLIPS)) if split != "TEST_SIMPLE" else still
                add(split, f"{folder}/_{k}_{k}.jpeg", pictures[number], number, parts)
    blurred = cv2.GaussianBlur(pictures[11], (0, 0), 10)
    turned = still | {"flip": "h", "rotation": 8, "shear": 3}
    add("TRAIN", "EOSINOPHIL/_8_1.jpeg", blurred, 11, turned)
    add("TRAIN", "MONOCYTE/_8_2.jpeg", pictures[9], 9, drawn_parts(rng, "v"))  # a wrong folder
    add("TEST", "MONOCYTE/_8_3.jpeg", lost, -1, drawn_parts(rng, ""))
    for number, picture in pictures.items():
        files[f"Original_Images/BloodImage_{number:05d}.jpg"] = jpeg(picture)
    rows = ["," + f"{n},{label}" for n, label in LABELS.items()]
    files["labels.csv"] = "\n".join([",Image,Category", *rows]).encode()
    return files, truth


def forget():
    for function in (
        images.names,
        photographs.provenance,
        photographs.table,
        photographs.cell_table,
        photographs.pair_table,
    ):
        function.cache_clear()


@contextlib.contextmanager
def small_dataset(folder):
    """The small dataset, a cache and a folder of results; images are matched by a thread."""
    write(folder / "data" / images.FOLDER, published()[0])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "CACHE", "RESULTS"):
            patch.setenv(f"BLOODLIB_{name}", str(folder / name.lower()))
        publish(patch, published()[0])
        patch.setitem(registration.SETTINGS, "sample", 3)
        forget()
        with joblib.parallel_config("sequential"):
            yield
    forget()


@pytest.fixture
def dataset(tmp_path):
    with small_dataset(tmp_path):
        yield tmp_path / "data" / images.FOLDER


def written():
    return {path.name: path.read_bytes() for path in stored.results_folder().glob("*")}


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    """What an unbroken run wrote: bytes of the files, and the tables as they are read."""
    with small_dataset(tmp_path_factory.mktemp("remade")):
        registration.compute()
        return types.SimpleNamespace(
            files=written(),
            photographs=photographs.table(),
            cells=photographs.cell_table(),
            pairs=photographs.pair_table(),
        )


def test_each_image_is_given_its_photograph_and_its_map(remade):
    table = remade.photographs
    table = table.set_index(table["split"] + "/" + table["name"])
    assert sorted(table.index) == sorted(published()[1])
    for path, (number, parts) in published()[1].items():
        row = table.loc[path]
        assert row["photograph"] == number
        if number >= 0:
            same_map(registration.compose(**row[list(parts)]), parts, degrees=0.5, pixels=1)
            assert row["correlation"] > LEAST["correlation"]


def test_it_is_said_how_each_was_found(remade):
    table, made = remade.photographs, json.loads(remade.files["photographs.json"])
    how = table.set_index("name")["found_by"]
    assert how["MONOCYTE/_8_3.jpeg"] == "nothing"
    assert (how == "features").sum() > 12
    # of two photographs of one cell the better is taken
    row = table[table["name"] == "EOSINOPHIL/_8_1.jpeg"].iloc[0]
    assert (row["photograph"], row["runner_up"], row["found_by"]) == (11, 12, "pixels")
    assert row["correlation"] < row["runner_up_correlation"] + LEAST["margin"]
    # a sample is registered too
    both = table[table["registered"].notna() & (table["found_by"] == "features")]
    np.testing.assert_array_equal(both["registered"], both["photograph"])
    assert made["registered_too"] == made["of_these_agree"] == len(both) > 0
    assert made["images"] == images.DATA_HASH
    assert made["settings"]["inliers"] == LEAST["inliers"]


def test_photographs_of_one_cell_are_found(remade):
    found = {(row.a, row.b): (row.shift_x, row.shift_y) for row in remade.pairs.itertuples()}
    assert found == SHIFTS
    assert remade.pairs["same_cell"].tolist() == [True, False, False, True]
    assert (remade.pairs["correlation"] > 0.85).all()
    assert remade.cells.set_index("photograph")["cell"].to_dict() == CELLS
    assert dict(zip(remade.cells["photograph"], remade.cells["labels"], strict=True)) == LABELS


def test_altered_images_are_refused_before_anything_is_done(dataset):
    path = dataset / "images/TRAIN/MONOCYTE/_0_0.jpeg"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(images.DatasetError, match=r"MONOCYTE/_0_0\.jpeg"):
        registration.compute()
    assert written() == {}


def test_without_images_it_is_said_where_to_get_them(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(images.DatasetNotFoundError, match="bloodlib data --fetch"):
        registration.compute()


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_what_is_published_is_turned_from_bccds_photographs(monkeypatch):
    listing = stored.data_folder() / "BCCD_Dataset" / "blobs.txt"
    if not listing.exists():
        pytest.skip("no list of BCCD's files here")
    bccd = {line.split()[0] for line in listing.read_text(encoding="utf-8").splitlines()}
    for number in images.photograph_numbers():
        path = images.find() / "Original_Images" / f"BloodImage_{number:05d}.jpg"
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert photographs.is_bccd(number) is (blob in bccd)
    monkeypatch.setenv("BLOODLIB_PUBLISH", "1")
    table = photographs.table()
    ours = table[table["photograph"].map(photographs.is_bccd)]
    for row in ours.sample(12, random_state=0).itertuples():
        shown, theirs = registration.view(row.split, row.name), images.picture(row.split, row.name)
        assert np.corrcoef(shown.ravel(), theirs.ravel())[0, 1] > 0.95
        assert not np.array_equal(shown, theirs)
    for row in table[~table["photograph"].map(photographs.is_bccd)].head(3).itertuples():
        assert np.ptp(registration.view(row.split, row.name)) == 0


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
@pytest.mark.parametrize(("how", "n"), [("features", 12), ("pixels", 2)])
def test_real_images_are_found_as_the_frozen_table_says(how, n):
    table = photographs.table()
    rows = table[table["found_by"] == how].sample(n, random_state=0)
    others = images.photograph_numbers()[::30]
    index = registration.index(
        {n: registration.grey(images.photograph(n)) for n in sorted({*rows["photograph"], *others})}
    )
    for row in rows.itertuples():
        picture = registration.grey(images.picture(row.split, row.name))
        best, second = registration.match(picture, index)
        assert registration.decided(best, second) == (how == "features")
        if how == "pixels":
            best, _ = registration.register(picture, index, 2)
        assert best.photograph == row.photograph
        assert best.correlation == pytest.approx(row.correlation, abs=0.01)
        parts = {name: getattr(row, name) for name in ("flip", *registration.LIMITS)}
        same_map(best.matrix, parts, degrees=0.1, pixels=0.3)
