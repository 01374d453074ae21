"""The images: what is known of them, what is refused, what is decoded.

Most tests use a small made-up dataset with a manifest of its own. Those marked ``data`` use the
real one.
"""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_up import VICTIM, posix, publish, published, write
from PIL import Image

from bloodlib.data import images

REAL = images.available()
needs_data = [pytest.mark.data, pytest.mark.skipif(not REAL, reason="no real images here")]


# ------------------------------------------------------------- what is known without the images


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_of_the_manifest_git_makes_the_published_trees(tmp_path):
    """Git computes the hashes of the folders, which the commit holds, from those of the files."""
    packed = Path(images.__file__).with_name("wbc-classification.txt.gz").read_bytes()
    lines = (line.split(" ", 3) for line in gzip.decompress(packed).decode().splitlines())
    index = "".join(f"{mode} {sha}\t{path}\n" for mode, _, sha, path in lines)

    def git(*words, **given):
        run = ["git", "-C", tmp_path, *words]
        return subprocess.run(run, capture_output=True, text=True, check=True, **given).stdout

    git("init", "-q")
    git("update-index", "--index-info", input=index)
    tree = git("write-tree", "--missing-ok").strip()
    found = {line.split()[3]: line.split()[2] for line in git("ls-tree", tree).splitlines()}
    assert found == images.SOURCE.hashes


def test_counts_are_the_published_ones():
    assert images.counts() == {
        "TRAIN": {"NEUTROPHIL": 2499, "EOSINOPHIL": 2497, "MONOCYTE": 2478, "LYMPHOCYTE": 2483},
        "TEST": {"NEUTROPHIL": 624, "EOSINOPHIL": 623, "MONOCYTE": 620, "LYMPHOCYTE": 620},
        "TEST_SIMPLE": {"NEUTROPHIL": 48, "EOSINOPHIL": 13, "MONOCYTE": 4, "LYMPHOCYTE": 6},
    }
    numbers = images.photograph_numbers()
    assert len(numbers) == 367
    assert 116 not in numbers
    assert (numbers[0], numbers[-1]) == (0, 410)


@pytest.mark.parametrize("split", images.SPLITS)
def test_labels_go_with_names(split):
    names, four, two = images.names(split), images.labels(split), images.labels(split, "two")
    assert len(set(names)) == len(names) == len(four) == len(two)
    assert four.dtype == two.dtype == np.uint8
    mononuclear = {"MONOCYTE", "LYMPHOCYTE"}
    for name, label, nuclei in zip(names, four, two, strict=True):
        cell = name.split("/")[0]
        assert images.CLASSES[label] == cell
        assert images.TASKS["two"][nuclei] == (
            "Mononuclear" if cell in mononuclear else "Polynuclear"
        )
    assert (np.diff(four.astype(int)) >= 0).all()


def test_misspelt_split_and_task():
    with pytest.raises(ValueError, match="TEST_SIMPLE"):
        images.names("VALIDATION")
    with pytest.raises(ValueError, match="four"):
        images.labels("TEST", "three")


# ----------------------------------------------------------------------------- find and verify


def test_no_images(place):
    assert not images.available()
    for ask in (images.find, images.verify, lambda: images.load("TEST"), images.photograph_labels):
        with pytest.raises(
            images.DatasetNotFoundError, match=r"bloodlib data --fetch.*BLOODLIB_DATA"
        ):
            ask()
    assert issubclass(images.DatasetNotFoundError, FileNotFoundError)


#: Where ``images/`` may lie, and what BLOODLIB_DATA may then be.
PLACES = [
    ("wbc-classification", ""),
    ("wbc-classification", "wbc-classification"),  # one folder too deep
    ("wbc-classification", "wbc-classification/images"),
    ("data/wbc-classification", ""),  # one too high
    ("wbc-classification-master", ""),
    ("dataset2-master/dataset2-master", ""),  # as Kaggle packs it
    ("dataset2-master/dataset2-master", "dataset2-master/dataset2-master/images"),
]


@pytest.mark.parametrize(("lies", "given"), PLACES)
def test_the_images_are_found(place, monkeypatch, lies, given):
    write(place / lies, published())
    monkeypatch.setenv("BLOODLIB_DATA", str(place / given))
    assert images.find() == place / lies
    assert images.available()
    assert images.verify() == images.SOURCE.hashes


def test_images_alone_are_enough_to_train_on(folder):
    """Kaggle's copy has no photographs."""
    shutil.rmtree(folder / "Original_Images")
    (folder / "labels.csv").unlink()
    assert images.verify() == {"images": images.SOURCE.hashes["images"]}
    assert len(images.load("TEST").pixels) == 8
    there = [images.available(part) for part in images.SOURCE.hashes]
    assert there == [True, False, False]
    with pytest.raises(images.DatasetNotFoundError, match=r"no Original_Images.*data --fetch"):
        images.photograph(3)
    with pytest.raises(images.DatasetNotFoundError, match=r"no labels\.csv.*data --fetch"):
        images.facts()


@posix
def test_links_are_followed(place, folder):
    """A whole folder may be linked, each of its parts, or a single image."""
    folder.rename(place / "elsewhere")
    folder.mkdir()
    for part in images.SOURCE.hashes:
        (folder / part).symlink_to(place / "elsewhere" / part)
    (place / "elsewhere" / VICTIM).rename(place / "single.jpeg")
    (place / "elsewhere" / VICTIM).symlink_to(place / "single.jpeg")
    assert images.verify() == images.SOURCE.hashes
    assert len(images.load("TRAIN").pixels) == 12
    shutil.rmtree(folder)
    folder.symlink_to(place / "elsewhere")
    assert images.verify() == images.SOURCE.hashes
    (place / "elsewhere").rename(place.parent / "unplugged")
    with pytest.raises(images.DatasetNotFoundError, match=r"a link to .*elsewhere"):
        images.find()


def test_what_lies_beside_is_never_read(folder):
    strays = ["_9_9.jpeg", ".DS_Store", "Thumbs.db", "__MACOSX/x", ".ipynb_checkpoints/x"]
    write(folder / "images/TRAIN/MONOCYTE", dict.fromkeys(strays, b"x"))
    write(
        folder, {"README.md": b"hello", ".git/config": b"", "images/TEST/BASOPHIL/_0_0.jpeg": b""}
    )
    assert images.verify() == images.SOURCE.hashes
    assert len(images.load("TRAIN").pixels) == 12


def flip(folder):
    content = bytearray((folder / VICTIM).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / VICTIM).write_bytes(content)


def test_thorough_sees_what_size_and_time_hide(folder):
    images.verify()
    stat = (folder / VICTIM).stat()
    flip(folder)
    os.utime(folder / VICTIM, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(images.DatasetError, match="altered"):
        images.verify(thorough=True)
    with pytest.raises(images.DatasetError, match="altered"):  # and the success is forgotten
        images.verify()


# -------------------------------------------------------------------------------------- pixels


def plain(path, size):
    with Image.open(path) as image:
        return np.asarray(image.resize((size[1], size[0]), Image.BILINEAR))


@pytest.mark.parametrize("size", [(60, 80), (31, 17)])
def test_pixels_equal_a_plain_loop(folder, size):
    got = [images.load("TRAIN", "two", size) for _ in range(2)][-1]  # decoded, and from the cache
    want = np.stack([plain(folder / "images/TRAIN" / name, size) for name in got.names])
    assert got.pixels.dtype == np.uint8
    assert isinstance(got.pixels, np.memmap)
    assert not got.pixels.flags.writeable
    np.testing.assert_array_equal(got.pixels, want)
    np.testing.assert_array_equal(got.labels, images.labels("TRAIN", "two"))
    assert got.names == images.names("TRAIN")


def test_sampled_pixels_are_the_mean_of_the_four_in_the_middle(folder):
    whole = images.picture("TEST", images.names("TEST")[0]).astype(float)
    # of four by four pixels, the two by two in the middle
    middle = [whole[i::4, j::4] for i in (1, 2) for j in (1, 2)]
    got = images.load("TEST", filter="sampled").pixels[0]
    np.testing.assert_allclose(got, np.mean(middle, axis=0), atol=1)
    assert np.abs(got.astype(int) - images.load("TEST").pixels[0]).max() > 2
    with pytest.raises(ValueError, match="no filter 'nearest'"):
        images.resize(whole.astype(np.uint8), filter="nearest")


# --------------------------------------------------------------- pictures and photographs, whole


NAME = VICTIM.removeprefix("images/TRAIN/")
WHOLE = {
    VICTIM: (lambda: images.picture("TRAIN", NAME), (240, 320, 3)),
    "Original_Images/BloodImage_00003.jpg": (lambda: images.photograph(3), (480, 640, 3)),
}


@pytest.mark.parametrize("path", WHOLE)
def test_a_picture_is_read_whole_or_refused(folder, path):
    ask, shape = WHOLE[path]
    with Image.open(folder / path) as image:
        np.testing.assert_array_equal(ask(), np.asarray(image))
    assert ask().shape == shape
    (folder / path).write_bytes((folder / path).read_bytes()[:-1])
    with pytest.raises(images.DatasetError, match=rf"{path} is altered.*bloodlib data"):
        ask()
    (folder / path).unlink()
    with pytest.raises(images.DatasetError, match=rf"{path} cannot be read"):
        ask()


def test_what_was_never_published_is_refused(folder):
    with pytest.raises(ValueError, match=r"TEST has no image 'NEUTROPHIL/_9\.jpeg'"):
        images.picture("TEST", "NEUTROPHIL/_9.jpeg")
    with pytest.raises(ValueError, match="no photograph 4"):
        images.photograph(4)


def test_photograph_labels(folder):
    assert images.photograph_labels() == {
        0: ("NEUTROPHIL",),
        3: ("MONOCYTE", "BASOPHIL"),
        4: (),
        5: ("MONOCYTE",),
    }


def test_facts_count_twins(place, monkeypatch):
    files = dict(published())
    twins = [f"images/{split}/MONOCYTE/_1_7.jpeg" for split in ("TRAIN", "TEST")]
    for path in (*twins, "images/TRAIN/LYMPHOCYTE/_0_0.jpeg"):
        files[path] = files[VICTIM]
    publish(monkeypatch, files)
    write(place / images.FOLDER, files)
    facts = images.facts()
    found = {what: n for what, n in facts["identical"].items() if n}
    assert found == {"within TRAIN": 2, "of TRAIN in TEST": 2, "of TEST in TRAIN": 1}
    assert facts["listed"] == 4
    assert facts["listed_but_not_published"] == [4, 5]
    assert facts["labelled_but_not_published"] == [5]
    assert facts["photographs_with_one_label"] == {"NEUTROPHIL": 1}
    assert facts["photographs_with_several_labels"] == [3]
    assert facts["photographs_with_a_basophil"] == [3]


# ------------------------------------------------------------------------------- the real ones


@pytest.fixture
def real_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "cache"))


class TestRealImages:
    pytestmark = needs_data

    def test_they_verify(self, real_cache):
        assert images.verify(thorough=True) == images.SOURCE.hashes

    def test_pixels_equal_a_plain_loop(self, real_cache):
        got = images.load("TEST")
        assert got.pixels.shape == (2487, 60, 80, 3)
        for i in (0, 623, 624, 1300, 2486):
            want = plain(images.find() / "images/TEST" / got.names[i], (60, 80))
            np.testing.assert_array_equal(got.pixels[i], want)

    def test_the_stored_facts_are_theirs(self, real_cache):
        assert images.facts() == images.dataset()
