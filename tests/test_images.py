"""The images: what is known of them, what is refused, what is decoded.

Most tests use a small made-up dataset with a manifest of its own. Those marked ``data`` use the
real one.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up import VICTIM, jpeg, posix, publish, published, write
from PIL import Image

from bloodlib.data import images, paths

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
    for label in range(4):
        own = [name for name, given in zip(names, four, strict=True) if given == label]
        assert own == sorted(own)


def test_misspelt_split_and_task():
    with pytest.raises(ValueError, match="TEST_SIMPLE"):
        images.names("VALIDATION")
    with pytest.raises(ValueError, match="four"):
        images.labels("TEST", "three")


def test_import_is_quick_and_light():
    heavy = "{'pooch', 'PIL', 'tqdm', 'requests', 'filelock'}"
    code = f"import sys, bloodlib.data.images; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
    ("dataset2-master/dataset2-master", "dataset2-master"),
    ("dataset2-master/dataset2-master", "dataset2-master/dataset2-master/images"),
    ("dataset2-master", ""),
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


LEFT = [
    ".DS_Store", "._image.jpeg", "Thumbs.db", "desktop.ini", "Desktop.ini", ".directory",
    "__MACOSX/x", ".ipynb_checkpoints/x", "@eaDir/x", ".gitkeep", ".nfs0001",
]  # fmt: skip


@pytest.mark.parametrize("parent", ["images", "images/TRAIN", "images/TRAIN/MONOCYTE"])
def test_what_systems_leave_in_folders_is_passed_over(folder, parent):
    write(folder / parent, dict.fromkeys(LEFT, b"x"))
    assert images.verify() == images.SOURCE.hashes
    assert len(images.load("TRAIN").pixels) == 12


def flip(folder):
    content = bytearray((folder / VICTIM).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / VICTIM).write_bytes(content)


def test_many_problems_are_counted(folder):
    for path in list(published())[:9]:
        (folder / path).write_bytes(b"")
    with pytest.raises(images.DatasetError, match="and 4 more"):
        images.verify()


def test_a_clone_s_other_files_are_not_looked_at(folder):
    (folder / "README.md").write_text("hello")
    (folder / ".git").mkdir()
    assert images.verify() == images.SOURCE.hashes


def test_thorough_sees_what_size_and_time_hide(folder):
    images.verify()
    stat = (folder / VICTIM).stat()
    flip(folder)
    os.utime(folder / VICTIM, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(images.DatasetError, match="altered"):
        images.verify(thorough=True)
    with pytest.raises(images.DatasetError, match="altered"):  # and the success is forgotten
        images.verify()


def test_another_copy_is_verified_for_itself(folder, tmp_path):
    images.verify()
    other = shutil.copytree(folder, tmp_path / "copy")  # with the same times
    stat = (other / VICTIM).stat()
    flip(other)
    os.utime(other / VICTIM, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(images.DatasetError, match="altered"):
        images.verify(other)


# -------------------------------------------------------------------------------------- pixels


def plain(path, size):
    with Image.open(path) as image:
        return np.asarray(image.resize((size[1], size[0]), Image.BILINEAR))


@pytest.mark.parametrize("size", [(60, 80), (31, 17)])
def test_pixels_equal_a_plain_loop(folder, size):
    got = images.load("TRAIN", "two", size)
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


def test_sizes_splits_and_filters_do_not_share_a_file(folder):
    shapes = {
        images.load(split, size=size, filter=filter).pixels.shape
        for split in images.SPLITS
        for size in ((60, 80), (80, 60))
        for filter in ("averaged", "sampled")
    }
    assert shapes == {(n, h, 140 - h, 3) for n in (12, 8) for h in (60, 80)}
    assert len(list(paths.cache_folder().glob("pixels/*.npy"))) == 12


def pixels_file():
    (path,) = paths.cache_folder().glob("pixels/*.npy")
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_the_second_load_decodes_nothing(folder):
    first, before = images.load("TEST"), pixels_file()
    for task in images.TASKS:
        np.testing.assert_array_equal(images.load("TEST", task).pixels, first.pixels)
    assert pixels_file() == before


def test_another_decoder_gets_another_file(folder, monkeypatch):
    images.load("TEST")
    monkeypatch.setattr("cv2.__version__", "0.0")
    images.load("TEST")
    assert len(list(paths.cache_folder().glob("pixels/*.npy"))) == 2


def test_another_dataset_gets_another_file(folder, monkeypatch):
    first = images.load("TRAIN").pixels
    files = published() | {VICTIM: jpeg(77, (320, 240))}
    publish(monkeypatch, files)
    write(folder, files)
    assert not np.array_equal(images.load("TRAIN").pixels, first)


@pytest.mark.parametrize(
    "how",
    [
        {"subsampling": 0},
        {"subsampling": 1},
        {"subsampling": 2},
        {"progressive": True},
        {"quality": 20},
        {"exif": (exif := Image.Exif())},
    ],
    ids=["4:4:4", "4:2:2", "4:2:0", "progressive", "coarse", "turned"],
)
def test_pixels_are_those_of_pillow(how):
    exif[0x0112] = 6  # to be turned by a right angle, which Pillow leaves to who asks for it
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((320, 240)).save(file, "JPEG", **how)
    with Image.open(file) as image:
        want = np.asarray(image)
    found = images._open("a file", file.getvalue(), (320, 240))
    np.testing.assert_array_equal(found, want)


# --------------------------------------------------------------- pictures and photographs, whole


def test_picture(folder):
    name = images.names("TEST")[0]
    got = images.picture("TEST", name)
    with Image.open(folder / "images/TEST" / name) as image:
        np.testing.assert_array_equal(got, np.asarray(image))
    assert (got.shape, got.dtype) == ((240, 320, 3), np.uint8)


def test_picture_that_was_never_published(folder):
    with pytest.raises(ValueError, match=r"TEST has no image 'NEUTROPHIL/_9\.jpeg'"):
        images.picture("TEST", "NEUTROPHIL/_9.jpeg")


def test_altered_picture(folder):
    name = images.names("TEST")[0]
    path = folder / "images/TEST" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(images.DatasetError, match=rf"{name} is altered.*bloodlib data"):
        images.picture("TEST", name)


def test_photograph(folder):
    got = images.photograph(3)
    with Image.open(folder / "Original_Images/BloodImage_00003.jpg") as image:
        np.testing.assert_array_equal(got, np.asarray(image))
    assert (got.shape, got.dtype) == ((480, 640, 3), np.uint8)


def test_photograph_that_was_never_published(folder):
    with pytest.raises(ValueError, match="no photograph 4"):
        images.photograph(4)


def test_altered_photograph(folder):
    path = folder / "Original_Images/BloodImage_00003.jpg"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(images.DatasetError, match=r"BloodImage_00003\.jpg is altered"):
        images.photograph(3)
    path.unlink()
    with pytest.raises(images.DatasetError, match=r"BloodImage_00003\.jpg cannot be read"):
        images.photograph(3)


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

    def test_photographs(self, real_cache):
        assert images.photograph(12).shape == (480, 640, 3)
        labels = images.photograph_labels()
        assert labels[10] == ("NEUTROPHIL", "EOSINOPHIL")
        assert labels[410] == ("EOSINOPHIL",)
        assert labels[117] == ()

    def test_facts(self, real_cache):
        facts = images.facts()
        assert facts["photographs"] == 367
        assert facts["listed"] == 411
        assert facts["labelled_but_not_published"] == [116]
        labelled = sum(facts["photographs_with_one_label"].values())
        several, none = (
            len(facts["photographs_with_several_labels"]),
            len(facts["photographs_without_label"]),
        )
        assert labelled + several + none == facts["photographs"]
