"""Images that are not what they should be: the dataset is refused with the file's name, and
``bloodlib predict`` answers or says clearly why not.
"""

import contextlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from chance import at_once, full_disk
from made_up import VICTIM, jpeg, posix, publish, published, write
from PIL import Image

from bloodlib import cli
from bloodlib.analyses import prediction
from bloodlib.data import images, stored, synthetic

FOLDER = VICTIM.rpartition("/")[0]

# ------------------------------------------------------------------------- the published dataset


def change(how):
    """What changes the content of one image."""
    return lambda folder: (folder / VICTIM).write_bytes(how((folder / VICTIM).read_bytes()))


def swap(folder):
    other, spare = folder / VICTIM.replace("_1_7", "_2_14"), folder / "spare"
    (folder / VICTIM).rename(spare)
    other.rename(folder / VICTIM)
    spare.rename(other)


def link(folder):
    (folder / VICTIM).unlink()
    (folder / VICTIM).symlink_to(folder / "nowhere.jpeg")


def unreadable(folder):
    (folder / VICTIM).unlink()
    (folder / VICTIM).mkdir()


def upper(folder):
    (folder / VICTIM).rename(folder / VICTIM.replace(".jpeg", ".JPEG"))


def turned(raw):
    """The same picture, said by its camera to lie on its side."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(raw)) as image:
        image.save(file, "JPEG", exif=exif)
    return file.getvalue()


DATASET = {
    "an image truncated": (change(lambda raw: raw[:-9]), f"{VICTIM} is altered"),
    "an image turned by its camera": (change(turned), f"{VICTIM} is altered"),
    "two images exchanged": (swap, VICTIM),
    "an image missing": (lambda f: (f / VICTIM).unlink(), f"{VICTIM} is missing"),
    "an image that can't be read": (unreadable, f"{VICTIM} is missing"),
    "a suffix in capitals": (upper, f"{VICTIM} is missing"),
    "a class missing": (lambda f: shutil.rmtree(f / FOLDER), f"{FOLDER}/.* is missing"),
    "a split missing": (
        lambda f: shutil.rmtree(f / "images/TEST"),
        "images/TEST/EOSINOPHIL/_0_0.jpeg is missing.* and 3 more",
    ),
    "the labels altered": (
        lambda f: (f / "labels.csv").write_bytes(
            (f / "labels.csv").read_bytes().replace(b"4", b"5")
        ),
        "labels.csv is altered",
    ),
}


@pytest.mark.parametrize("earlier", [False, True], ids=["at once", "after a success"])
@pytest.mark.parametrize("fault", [*DATASET, pytest.param("a link to nothing", marks=posix)])
def test_the_dataset_with(folder, fault, earlier):
    spoil, words = DATASET.get(fault, (link, f"{VICTIM} is missing"))
    if earlier:
        images.verify()
        images.load("TRAIN")
    spoil(folder)
    for ask in (images.verify, lambda: images.load("TRAIN")):
        with pytest.raises(images.DatasetError, match=words) as caught:
            ask()
        assert str(folder) in str(caught.value)
        assert "bloodlib data --fetch" in str(caught.value)
        assert not isinstance(caught.value, images.DatasetNotFoundError)


#: Even if they had been published so.
CONTENTS = {
    "a wrong size": jpeg(1, (240, 320)),
    "a text": b"not a picture",
    "nothing": b"",
}


@pytest.mark.parametrize("fault", CONTENTS)
def test_published_as(place, monkeypatch, fault):
    files = published() | {VICTIM: CONTENTS[fault]}
    publish(monkeypatch, files)
    write(place / images.FOLDER, files)
    images.verify()
    with pytest.raises(images.DatasetError, match="no picture of 320 × 240") as caught:
        images.load("TRAIN")
    assert str(place / images.FOLDER / VICTIM) in str(caught.value)
    assert not list(stored.cache_folder().glob("pixels/*.npy"))
    assert not list(stored.cache_folder().glob("pixels/.*.tmp"))
    assert len(images.load("TEST").pixels) == 8


# -------------------------------------------------------------------------- the cache of pixels

CACHE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a text": lambda path: path.write_bytes(b"not an array"),
    "of fewer images": lambda path: np.save(path, np.zeros((7, 60, 80, 3), dtype=np.uint8)),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("fault", CACHE)
def test_a_cache_that_is(folder, fault):
    want = np.array(images.load("TEST").pixels)
    (path,) = stored.cache_folder().glob("pixels/*.npy")
    size = path.stat().st_size
    CACHE[fault](path)
    np.testing.assert_array_equal(images.load("TEST").pixels, want)
    assert path.stat().st_size == size
    assert not list(stored.cache_folder().glob("pixels/.*.tmp"))


@posix
def test_a_full_disk(folder):
    images.verify()
    with full_disk(50_000), pytest.raises(images.DatasetError, match=r"cannot be written.*BLOOD"):
        images.load("TEST")
    assert not list(stored.cache_folder().glob("pixels/*"))
    assert len(images.load("TEST").pixels) == 8


def test_a_cache_that_can_not_be_written(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "file"))
    assert images.verify() == images.SOURCE.hashes
    with pytest.raises(images.DatasetError, match="BLOODLIB_CACHE"):
        images.load("TEST")


def load_made_up():
    """Load images in a process of its own, which knows nothing of the made-up dataset."""
    publish(pytest.MonkeyPatch(), published())
    return lambda: len(images.load("TEST").pixels) == 8


def test_four_processes_at_once(folder, record_property):
    assert at_once(load_made_up) == [0] * 4
    record_property("times", 4)


# ------------------------------------------------------------------------------------- predict

CELL = synthetic.draw(2, np.random.default_rng(0), (240, 320))


def saved(name, mode="RGB", pixels=CELL, **how):
    """A picture's file, as (name, content)."""
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.convert(mode).save(file, Path(name).suffix[1:].lower().replace("jpg", "jpeg"), **how)
    return name, file.getvalue()


def on_its_side():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a right angle, clockwise
    return saved("side.png", pixels=np.rot90(CELL), exif=exif)


def png(width, height, *chunks):
    """A PNG that claims a size, whatever is in it."""

    def chunk(kind, content):
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", b""), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep(kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(np.full((60, 80), 40_000, np.uint16)).save(file, kind)
    return file.getvalue()


TEXT_BOMB = (b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000), 9))
JPEG = saved("a.jpg")[1]
#: How far the reduced picture may be from the plain one's, on average; None: it is another.
ANSWERED = {
    "a wrong suffix": (("cell.txt", JPEG), 12),
    "an accent and a space": (saved("å b.webp"), 12),
    "CMYK": (saved("a.tiff", "CMYK"), 12),
    "turned by its camera": (on_its_side(), 0),
    "grey": (saved("a.png", "L"), None),
    "a moving picture": (saved("a.gif", save_all=True, append_images=[Image.new("L", (9, 9))]), 12),
    "one pixel": (saved("a.png", pixels=CELL[:1, :1]), None),
    "bytes behind its end": (("a.jpg", JPEG + b"more"), 12),
}  # fmt: skip
REFUSED = {
    "nothing": (b"", "can't be read"),
    "a truncated JPEG": (JPEG[:-300], "can't be read"),
    "a truncated PNG": (saved("a.png")[1][:4000], "can't be read"),
    "16 bits": (deep(), "8 bits"),
    "a pixel bomb": (png(60_000, 60_000), "60000 × 60000|can't be read"),
    "a pixel bomb below Pillow's limit": (png(8000, 8000), "8000 × 8000"),
    "a bomb in a text": (png(60, 80, TEXT_BOMB), "can't be read"),
    "PostScript, a programme": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 60\nshowpage\n%%EOF\n",
        "can't be read",
    ),
}


@pytest.mark.parametrize("fault", ANSWERED)
def test_predict_answers(tmp_path, fault):
    pytest.importorskip("onnxruntime")
    (name, content), most = ANSWERED[fault]
    path = tmp_path / name
    path.write_bytes(content)
    found = prediction.read(path)
    assert (found.shape, found.dtype) == ((60, 80, 3), np.uint8)
    if most is not None:
        assert np.abs(found.astype(int) - images.resize(CELL)).mean() <= most
    [answer] = prediction.predict([path])
    if fault in ("grey", "one pixel"):  # read, but without colour there is no nucleus to see
        assert "shows no white cell" in answer["error"]
        return
    assert sum(answer["chances"]["four"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_predict_refuses_and_answers_the_next(tmp_path, capsys, fault):
    pytest.importorskip("onnxruntime")
    content, words = REFUSED[fault]
    bad, good = tmp_path / "bad.jpg", tmp_path / "good.jpg"
    bad.write_bytes(content)
    good.write_bytes(JPEG)
    assert cli.main(["predict", str(bad), str(good)]) == 1
    said = capsys.readouterr()
    assert re.search(f"^bloodlib: {re.escape(str(bad))} .*({words})", said.err, re.MULTILINE)
    assert said.out.startswith(f"{good}\n")


@pytest.mark.parametrize("fault", ["nothing there", "a link to nothing"])
def test_predict_refuses_for_a_file(tmp_path, fault):
    path = tmp_path / "cell.jpg"
    if fault == "a link to nothing":
        with contextlib.suppress(OSError):
            path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(prediction.PictureError, match="can't be read"):
        prediction.read(path)


STREAM = """
import resource, sys
from pathlib import Path
import psutil
from bloodlib.analyses import prediction

files = sorted(Path(sys.argv[1]).iterdir())
n, me, early = int(sys.argv[2]), psutil.Process(), None
answered = 0
for number, answer in enumerate(prediction.predict(files[i % len(files)] for i in range(n))):
    answered += "answer" in answer
    if number == n // 10:
        early = me.memory_info().rss
print(answered, (me.memory_info().rss - early) // 2**20)
"""


@pytest.mark.long
def test_ten_thousand_pictures_in_a_stream(tmp_path, record_property):
    """After a tenth of them, memory grows by no more than a few batches of pictures take."""
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    for k in range(40):
        pixels = synthetic.draw(k % 4, rng, (240, 320))
        Image.fromarray(pixels).save(tmp_path / f"{k}.jpg")
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(tmp_path), "10000"],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    answered, grown = map(int, done.stdout.split())
    assert answered == 10_000
    assert grown < 40  # MB
    record_property("times", 10_000)
