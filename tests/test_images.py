"""The images: what is known of them, what is refused, what is fetched, what is decoded.

Most tests use a small made-up dataset with a manifest of its own. Those marked ``data`` use the
real one.
"""

import dataclasses
import errno
import functools
import gzip
import hashlib
import http.server
import io
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodlib import images, paths

REAL = images.available()
needs_data = [pytest.mark.data, pytest.mark.skipif(not REAL, reason="no real images here")]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
VICTIM = "images/TRAIN/MONOCYTE/_1_7.jpeg"
TOP = f"wbc-classification-{images.SOURCE.commit}"


# ------------------------------------------------------------------------- a made-up dataset


def jpeg(seed, size, mode="RGB", kind="JPEG"):
    """Bytes of a JPEG of coloured blobs."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode).save(file, kind)
    return file.getvalue()


@functools.cache
def published():
    """Content of each file of the made-up dataset, by its path."""
    files = {
        f"images/{split}/{name}/_{i}_{7 * i}.jpeg": jpeg([s, c, i], (320, 240))
        for s, split in enumerate(images.SPLITS)
        for c, name in enumerate(images.CLASSES)
        for i in range(2 + (split == "TRAIN"))
    }
    for number in (0, 3):
        files[f"Original_Images/BloodImage_{number:05d}.jpg"] = jpeg([9, number], (640, 480))
    rows = [",Image,Category", ",0,NEUTROPHIL", ',3,"MONOCYTE,  BASOPHIL"', ",4,", ",5,MONOCYTE"]
    files["labels.csv"] = "\r\n".join(rows).encode()
    return files


def mode(path):
    return "100755" if path.startswith("Original") else "100644"


def publish(monkeypatch, files):
    """Make the module believe that these files are what was published."""
    shas = {
        path: hashlib.sha1(b"blob %d\0%b" % (len(c), c)).hexdigest() for path, c in files.items()
    }
    entries = {p: images.Entry(mode(p), len(c), shas[p][:16]) for p, c in sorted(files.items())}
    hashes = {"labels.csv": shas["labels.csv"]}
    for part in ("images", "Original_Images"):
        inside = {p.partition("/")[2]: p for p in files if p.startswith(f"{part}/")}
        hashes[part] = images.git_tree({name: (mode(p), shas[p]) for name, p in inside.items()})
    monkeypatch.setattr(images, "manifest", lambda: entries)
    monkeypatch.setattr(images, "SOURCE", dataclasses.replace(images.SOURCE, hashes=hashes))
    images.names.cache_clear()
    images._folders.cache_clear()


def write(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder for datasets, an empty cache, and a made-up manifest."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "data sets"))
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    publish(monkeypatch, published())
    yield tmp_path / "data sets"
    images.names.cache_clear()
    images._folders.cache_clear()


@pytest.fixture
def folder(place):
    """The made-up dataset, where it's looked for."""
    write(place / images.FOLDER, published())
    return place / images.FOLDER


# ------------------------------------------------------------- what is known without the images


def test_the_manifest_is_whole():
    text = gzip.decompress(
        (Path(images.__file__).parent / "wbc-classification.txt.gz").read_bytes()
    )
    # of the listing made by git from files whose tree hashes are those of SOURCE
    assert hashlib.sha256(text).hexdigest() == (
        "53fbed78d55a9a1132761c15b385f208c8af99b2674865aaa42de5dd054908e6"
    )
    entries = images.manifest()
    assert len(entries) == 12_884
    assert entries["labels.csv"] == ("100644", 6604, images.SOURCE.hashes["labels.csv"][:16])
    assert {path.partition("/")[0] for path in entries} == images.SOURCE.hashes.keys()


def test_the_manifest_file_depends_on_nothing_but_its_text():
    raw = (Path(images.__file__).parent / "wbc-classification.txt.gz").read_bytes()
    assert raw[3] == 0  # no name of a file in it
    assert raw[4:8] == bytes(4)  # no time
    assert gzip.decompress(raw).decode("ascii").endswith("\n")


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
    code = f"import sys, bloodlib.images; print(sorted({heavy} & sys.modules.keys()))"
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


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_hashes_are_git_s_own(folder):
    def git(*words):
        run = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    git("init", "-q")
    git("-c", "core.autocrlf=false", "add", ".")
    for path in published():
        bit = "+x" if mode(path) == "100755" else "-x"
        git("update-index", f"--chmod={bit}", path)
    tree = git("write-tree")
    assert images.verify(folder) == {
        part: git("rev-parse", f"{tree}:{part}") for part in images.SOURCE.hashes
    }


def test_git_sorts_a_folder_as_if_its_name_ended_in_a_slash():
    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    files = {"a/x": ("100644", empty), "a-b": ("100644", empty), "a0": ("100755", empty)}
    # printed by git write-tree
    assert images.git_tree(files) == "46501e7cc37ed26c089d9fb4238f6c93db585d75"


def flip(folder):
    content = bytearray((folder / VICTIM).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / VICTIM).write_bytes(content)
    return f"{VICTIM} is altered"


def cut(folder):
    whole = (folder / VICTIM).read_bytes()
    (folder / VICTIM).write_bytes(whole[:-9])
    return f"{VICTIM} has {len(whole) - 9:,} bytes instead of {len(whole):,}"


def lose_file(folder):
    (folder / VICTIM).unlink()
    return f"{VICTIM} is missing"


def lose_class(folder):
    shutil.rmtree(folder / "images/TEST/EOSINOPHIL")
    return "dataset: images/TEST/EOSINOPHIL/ is missing. "


def lose_split(folder):
    shutil.rmtree(folder / "images/TEST")
    return "dataset: images/TEST/ is missing. "


def lose_labels(folder):
    (folder / "labels.csv").unlink()
    return "labels.csv is missing"


def stray_file(folder):
    (folder / "images/TEST/EOSINOPHIL/.DS_Store").touch()
    return "images/TEST/EOSINOPHIL/.DS_Store does not belong there"


def stray_class(folder):
    (folder / "images/TEST/BASOPHIL").mkdir()
    return "images/TEST/BASOPHIL/ does not belong there"


def swap(folder):
    other = VICTIM.replace("_1_7", "_2_14")
    spare = folder / "spare"
    (folder / VICTIM).rename(spare)
    (folder / other).rename(folder / VICTIM)
    spare.rename(folder / other)
    return VICTIM


def link(folder):
    real = folder / "elsewhere.jpeg"
    (folder / VICTIM).rename(real)
    (folder / VICTIM).symlink_to(real)
    return VICTIM


DAMAGES = [
    flip,
    cut,
    lose_file,
    lose_class,
    lose_split,
    lose_labels,
    stray_file,
    stray_class,
    swap,
    pytest.param(link, marks=posix),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("earlier", [False, True], ids=["at once", "after a success"])
def test_damage_is_named(folder, damage, earlier):
    if earlier:
        images.verify()
        images.load("TRAIN")
    said = damage(folder)
    for ask in (images.verify, lambda: images.load("TRAIN")):
        with pytest.raises(images.DatasetError) as caught:
            ask()
        assert said in str(caught.value)
        assert str(folder) in str(caught.value)
        assert "bloodlib data --fetch" in str(caught.value)
        assert not isinstance(caught.value, images.DatasetNotFoundError)


def test_many_problems_are_counted(folder):
    for path in list(published())[:9]:
        (folder / path).write_bytes(b"")
    with pytest.raises(images.DatasetError, match="and 4 more"):
        images.verify()


def test_a_tree_hash_that_differs_is_refused(folder, monkeypatch):
    """The manifest holds 16 digits of each hash; the tree hash covers the rest."""
    hashes = images.SOURCE.hashes | {"images": "0" * 40}
    monkeypatch.setattr(images, "SOURCE", dataclasses.replace(images.SOURCE, hashes=hashes))
    with pytest.raises(images.DatasetError, match=f"images has the hash .* instead of {'0' * 40}"):
        images.verify()


def test_a_clone_s_other_files_are_not_looked_at(folder):
    (folder / "README.md").write_text("hello")
    (folder / ".git").mkdir()
    assert images.verify() == images.SOURCE.hashes


def test_a_success_is_remembered_until_a_file_changes(folder, monkeypatch):
    images.verify()
    reads = []
    real = images._read
    monkeypatch.setattr(images, "_read", lambda path: reads.append(path) or real(path))
    images.verify()
    assert not reads
    os.utime(folder / VICTIM, ns=(1, 1))
    images.verify()
    assert len(reads) == len(published())


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


def test_an_unwritable_cache_costs_only_time(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "file"))
    assert images.verify() == images.SOURCE.hashes
    with pytest.raises(images.DatasetError, match="BLOODLIB_CACHE"):
        images.load("TEST")


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


def test_sizes_and_splits_do_not_share_a_file(folder):
    shapes = {
        images.load(split, size=size).pixels.shape
        for split in images.SPLITS
        for size in ((60, 80), (80, 60))
    }
    assert shapes == {(n, h, 140 - h, 3) for n in (12, 8) for h in (60, 80)}
    assert len(list(paths.cache_folder().glob("pixels/*.npy"))) == 6


def test_the_second_load_decodes_nothing(folder, monkeypatch):
    first = images.load("TEST")
    monkeypatch.setattr(images, "_decode_all", lambda *_: pytest.fail("decoded again"))
    for task in images.TASKS:
        np.testing.assert_array_equal(images.load("TEST", task).pixels, first.pixels)


def pixels_file():
    (path,) = paths.cache_folder().glob("pixels/*.npy")
    return path


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(b"not an array"),
        lambda path: np.save(path, np.zeros((8, 60, 80), dtype=np.uint8)),
        lambda path: np.save(path, np.zeros((8, 60, 80, 3), dtype=np.int8)),
        lambda path: np.save(path, np.asfortranarray(np.zeros((7, 60, 80, 3), dtype=np.uint8))),
    ],
    ids=["empty", "short", "long", "text", "shape", "dtype", "count"],
)
def test_a_damaged_cache_is_remade(folder, damage):
    want = np.array(images.load("TEST").pixels)
    size = pixels_file().stat().st_size
    damage(pixels_file())
    np.testing.assert_array_equal(images.load("TEST").pixels, want)
    assert pixels_file().stat().st_size == size
    assert not list(paths.cache_folder().glob("pixels/*.part"))


def test_a_whole_cache_is_never_replaced(folder):
    images.load("TEST")
    before = pixels_file().stat()
    images.load("TEST")
    after = pixels_file().stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_decoder_gets_another_file(folder, monkeypatch):
    images.load("TEST")
    monkeypatch.setattr("PIL.features.version", lambda name: "0.0")
    images.load("TEST")
    assert len(list(paths.cache_folder().glob("pixels/*.npy"))) == 2


def test_another_dataset_gets_another_file(folder, monkeypatch):
    first = images.load("TRAIN").pixels
    files = published() | {VICTIM: jpeg(77, (320, 240))}
    publish(monkeypatch, files)
    write(folder, files)
    assert not np.array_equal(images.load("TRAIN").pixels, first)


def test_a_full_disk_leaves_nothing_half_written(folder, monkeypatch):
    def fill(file, array):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(np, "save", fill)
        with pytest.raises(images.DatasetError, match="No space left"):
            images.load("TEST")
    left = [path.suffix for path in paths.cache_folder().glob("pixels/*")]
    assert set(left) <= {".lock"}
    assert len(images.load("TEST").pixels) == 8


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (jpeg(1, (320, 240))[:-400], "whole JPEG"),
        (jpeg(1, (240, 320)), "240 × 320"),
        (jpeg(1, (320, 240), "L"), "mode L"),
        (jpeg(1, (320, 240), "CMYK"), "mode CMYK"),
        (jpeg(1, (320, 240), kind="PNG"), "whole JPEG"),
        (b"", "whole JPEG"),
    ],
    ids=["truncated", "size", "grey", "CMYK", "PNG", "empty"],
)
def test_a_wrong_image_is_named_even_if_it_was_published_so(place, monkeypatch, content, said):
    files = published() | {VICTIM: content}
    publish(monkeypatch, files)
    write(place / images.FOLDER, files)
    images.verify()
    with pytest.raises(images.DatasetError, match=said) as caught:
        images.load("TRAIN")
    assert str(place / images.FOLDER / VICTIM) in str(caught.value)
    assert not list(paths.cache_folder().glob("pixels/*.npy"))
    assert not list(paths.cache_folder().glob("pixels/*.part"))
    assert len(images.load("TEST").pixels) == 8


def in_processes(function, n=4):
    """Run a function in several processes at once; what it returns must be true in each."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(n)

    def child():
        start.wait()
        sys.exit(0 if function() else 1)

    processes = [context.Process(target=child) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    return [process.exitcode for process in processes]


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_racing_loads_decode_once_and_agree(folder):
    want = np.stack(
        [plain(folder / "images/TEST" / name, (60, 80)) for name in images.names("TEST")]
    )
    log = folder.parent / "log"
    decode = images._decode_all

    def load():
        def noted(*args):
            with log.open("a") as file:
                file.write("x")
            return decode(*args)

        images._decode_all = noted
        return np.array_equal(images.load("TEST").pixels, want)

    assert in_processes(load) == [0] * 4
    assert log.read_text() == "x"


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
    with pytest.raises(images.DatasetError, match=f"{name} is altered"):
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


# --------------------------------------------------------------------------------------- fetch


def archive(files=None, extra=()):
    """A repository's archive as GitHub makes it; ``extra`` are (TarInfo, content) pairs."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        tar.addfile(folder_info := tarfile.TarInfo(TOP))
        folder_info.type = tarfile.DIRTYPE
        for path, content in {"README.md": b"hello", **(files or published())}.items():
            info = tarfile.TarInfo(f"{TOP}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info, content in extra:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in the way that the last part of the address names."""

    def do_GET(self):
        way = self.path.rpartition("/")[2]
        self.server.asked.append(way)
        content = self.server.content
        if way == "404":
            return self.send_error(404)
        if way == "stall":
            return time.sleep(2)
        if way == "html":
            content = b"<!doctype html><title>Sign in</title>"
        if way == "cut":
            content = content[: len(content) // 2]
        short = way == "short" or (way == "flaky" and len(self.server.asked) == 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if short else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(place):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.asked = archive(), []
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield server
        server.shutdown()


def left_behind(place):
    """Everything in the folder of the datasets and the cache but locks and marks."""
    found = [*place.rglob("*"), *paths.cache_folder().rglob("*")] if place.exists() else []
    return [
        p.name for p in found if p.is_file() and p.suffix != ".lock" and "verified" not in p.parts
    ]


def test_fetch(server, place):
    folder = images.fetch(f"{server.url}/good")
    assert folder == place / images.FOLDER == images.find()
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    assert files == published()
    assert len(left_behind(place)) == len(published())  # no archive, no README, no temporary file
    assert images.verify() == images.SOURCE.hashes
    assert images.fetch(f"{server.url}/good") == folder
    assert server.asked == ["good"]


def test_fetch_asks_nobody_when_the_images_are_there(folder):
    assert images.fetch("http://127.0.0.1:9/") == folder


def test_fetch_never_touches_a_folder_that_is_something_else(server, folder):
    flip(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(images.DatasetError, match="move the folder away") as caught:
        images.fetch(f"{server.url}/good")
    assert VICTIM in str(caught.value)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert not server.asked


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("404", "answered 404"),
        ("html", "something else than an archive"),
        ("cut", "cut short or damaged"),
        ("short", "broke off"),
        ("stall", "broke off"),
    ],
)
def test_a_failed_fetch_leaves_nothing_and_can_be_repeated(server, place, way, said):
    with pytest.raises(images.DatasetError, match=said) as caught:
        images.fetch(f"{server.url}/{way}", timeout=0.1)
    assert "again" in str(caught.value)
    assert not left_behind(place)
    assert not images.available()
    images.fetch(f"{server.url}/good")
    assert images.verify() == images.SOURCE.hashes


def test_fetch_tries_twice(server):
    images.fetch(f"{server.url}/flaky")
    assert server.asked == ["flaky", "flaky"]


def test_a_killed_fetch_does_not_matter(server, place):
    part = place / f".{images.FOLDER}.part"
    write(part, {"images/TRAIN/MONOCYTE/half": b"x"})
    images.fetch(f"{server.url}/good")
    assert not part.exists()


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


EVIL = {
    "up": (member(f"{TOP}/../../evil"), b"x"),
    "up from the images": (member(f"{TOP}/images/../../../evil"), b"x"),
    "absolute": (member("/tmp/bloodlib-evil/images/evil"), b"x"),
    "backslash": (member(f"{TOP}\\..\\evil"), b"x"),
    "symlink": (member(f"{TOP}/images/evil", tarfile.SYMTYPE, "/etc/passwd"), b""),
    "hard link": (member(f"{TOP}/{VICTIM}", tarfile.LNKTYPE, f"{TOP}/labels.csv"), b""),
    "symlink for a folder": (member(f"{TOP}/images", tarfile.SYMTYPE, "../.."), b""),
    "device": (member(f"{TOP}/evil", tarfile.CHRTYPE), b""),
    "pipe": (member(f"{TOP}/images/evil", tarfile.FIFOTYPE), b""),
}


@pytest.mark.parametrize("extra", EVIL.values(), ids=EVIL)
def test_an_evil_archive_is_refused(server, place, tmp_path, extra):
    server.content = archive(extra=[extra])
    with pytest.raises(images.DatasetError, match="not to be trusted"):
        images.fetch(f"{server.url}/good")
    assert not left_behind(place)
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/tmp/bloodlib-evil").exists()


def test_a_link_elsewhere_in_the_repository_is_passed_over(server, place):
    server.content = archive(extra=[(member(f"{TOP}/latest", tarfile.SYMTYPE, "/etc"), b"")])
    folder = images.fetch(f"{server.url}/good")
    assert {path.name for path in folder.iterdir()} == images.SOURCE.hashes.keys()


@pytest.mark.parametrize("content", [bytes(50_000_000), b"x"], ids=["large", "small"])
def test_a_member_of_another_size_is_not_written(server, place, content):
    server.content = archive(published() | {VICTIM: content})
    with pytest.raises(images.DatasetError, match=f"archive's {VICTIM} has {len(content):,} bytes"):
        images.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_an_archive_with_a_file_twice_is_refused(server, place):
    server.content = archive(extra=[(member(f"{TOP}/{VICTIM}"), published()[VICTIM])])
    with pytest.raises(images.DatasetError, match="twice"):
        images.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_an_archive_of_other_content_is_refused(server, place):
    changed = published()[VICTIM][:-1] + b"x"
    server.content = archive(published() | {VICTIM: changed})
    with pytest.raises(images.DatasetError, match=f"{VICTIM} is altered"):
        images.fetch(f"{server.url}/good")
    server.content = archive({p: c for p, c in published().items() if p != VICTIM})
    with pytest.raises(images.DatasetError, match=f"{VICTIM} is missing"):
        images.fetch(f"{server.url}/good")
    assert not left_behind(place)


def test_no_server(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(images.DatasetError, match=r"127\.0\.0\.1 cannot be reached"):
            images.fetch(f"http://127.0.0.1:{free.getsockname()[1]}/good")
    assert not place.exists()


def test_a_look_up_that_hangs_is_given_up_in_time(place, monkeypatch):
    release = threading.Event()

    def hang(*_):
        release.wait(20)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    start = time.monotonic()
    with pytest.raises(images.DatasetError, match=r"github\.com cannot be reached"):
        images.fetch(timeout=0.3)
    assert time.monotonic() - start < 2
    release.set()


def test_fetch_goes_through_a_proxy(server, place, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    images.fetch("http://images.invalid/good")
    assert server.asked == ["good"]


@posix
def test_an_unwritable_folder_is_named(server, place):
    place.parent.mkdir(exist_ok=True)
    place.write_text("a file where the folder should be")
    with pytest.raises(images.DatasetError, match="BLOODLIB_DATA"):
        images.fetch(f"{server.url}/good")


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_concurrent_fetches_download_once(server, place):
    url = f"{server.url}/good"
    assert in_processes(lambda: images.fetch(url) == place / images.FOLDER) == [0] * 4
    assert server.asked == ["good"]
    assert len(left_behind(place)) == len(published())


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

    def test_the_second_load_is_quick(self, real_cache):
        images.load("TRAIN")
        code = (
            "import time, numpy, filelock, PIL.Image, PIL.features; from bloodlib import images\n"
            "start = time.perf_counter(); found = images.load('TRAIN')\n"
            "print(time.perf_counter() - start, *found.pixels.shape)"
        )
        taken = []
        for _ in range(10):  # the best counts: other programs may be at work
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            seconds, *shape = done.stdout.split()
            assert [int(n) for n in shape] == [9957, 60, 80, 3]
            taken.append(float(seconds))
            if taken[-1] < 0.2:
                break
        assert min(taken) < 0.2

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
