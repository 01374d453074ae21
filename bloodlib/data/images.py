r"""The images of the paper: fetch them, find them, verify them, decode them.

The images come from the public repository ``dhruvp/wbc-classification``, at one commit. It took
the photographs of the BCCD dataset (MIT), each listed with the name of its white blood cell, and
made about 2,500 turned, shifted and sheared images a class from them. **The repository states no
licence**: the images are fetched from it by each user and are not part of this book.

The manifest, ``wbc-classification.txt.gz``, lists mode, size, git's SHA-1 and name of each file,
so that names, labels and counts are known without the images. In a clone of the repository, at
the commit of ``SOURCE``, this makes it:

.. code-block:: text

    git ls-tree -r -l HEAD -- images Original_Images labels.csv \
        | awk '{print $1, $4, $3, $5}' | gzip -9n > wbc-classification.txt.gz
"""

import collections
import contextlib
import csv
import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from bloodlib.data import stored

#: The four classes, in the paper's order.
CLASSES = ("NEUTROPHIL", "EOSINOPHIL", "MONOCYTE", "LYMPHOCYTE")
#: Classes of each task; a label is a position here.
TASKS = {"four": CLASSES, "two": ("Mononuclear", "Polynuclear")}
SPLITS = ("TRAIN", "TEST", "TEST_SIMPLE")
NUCLEI = {"NEUTROPHIL": 1, "EOSINOPHIL": 1, "MONOCYTE": 0, "LYMPHOCYTE": 0}  # index in TASKS["two"]
FOLDER = "wbc-classification"
SIZE = (60, 80)  # height and width of the images that the methods see


@dataclass(frozen=True)
class Source:
    """Where the images come from, and what they must be."""

    repository: str
    commit: str
    hashes: Mapping[str, str]  # git's object name of each part of the dataset
    image_size: tuple[int, int]  # width, height
    photograph_size: tuple[int, int]


SOURCE = Source(
    repository="https://github.com/dhruvp/wbc-classification",
    commit="0b22eb2084b1004d464fb5ab87adc85ab94b2079",
    hashes={
        "images": "02428e1e78df2a17e9089ff6e3aa5ffc3a1279c9",
        "Original_Images": "c616905643c71c38ec152d91fa4351eaefb329c7",
        "labels.csv": "33d2dec892903a6d9fc06c608d647665f10dee56",
    },
    image_size=(320, 240),
    photograph_size=(640, 480),
)
DATA_HASH = SOURCE.hashes["images"]  # what the record of a run calls its data


class DatasetError(Exception):
    """The images are not what was published; the message names the file and the way out."""


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """There are no images on this machine."""


class Images(NamedTuple):
    """Images of one split, classes in the order of ``CLASSES``, then by name.

    Attributes
    ----------
    pixels : uint8 array of shape (n, height, width, 3), RGB; read-only, mapped from a file
    labels : uint8 array of shape (n,), indices into ``TASKS[task]``
    names : tuple of n str, such as ``"NEUTROPHIL/_0_1095.jpeg"``
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


# ------------------------------------------------------------ what is known without the images


@functools.cache
def manifest() -> dict[str, str]:
    """Git's SHA-1 of each published file, by its path."""
    packed = Path(__file__).with_name(f"{FOLDER}.txt.gz").read_bytes()
    lines = (line.split(" ", 3) for line in gzip.decompress(packed).decode().splitlines())
    return {path: sha for _mode, _size, sha, path in lines}


@functools.cache
def names(split: str) -> tuple[str, ...]:
    """Names of a split's images, in the order in which ``load`` returns them.

    Raises
    ------
    ValueError
        If there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    return tuple(
        path.removeprefix(f"images/{split}/")
        for name in CLASSES
        for path in sorted(manifest())
        if path.startswith(f"images/{split}/{name}/")
    )


def labels(split: str, task: str = "four") -> np.ndarray:
    """True labels of a split's images: uint8 of shape (n,), indices into ``TASKS[task]``.

    Raises
    ------
    ValueError
        If there is no such split or task.
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {tuple(TASKS)}, not {task!r}")
    index = NUCLEI if task == "two" else {name: i for i, name in enumerate(CLASSES)}
    return np.array([index[_class(name)] for name in names(split)], dtype=np.uint8)


def counts(task: str = "four") -> dict[str, dict[str, int]]:
    """Count the images by split and class of a task."""
    tally = {split: np.bincount(labels(split, task)).tolist() for split in SPLITS}
    return {split: dict(zip(TASKS[task], tally[split], strict=True)) for split in SPLITS}


def photograph_numbers() -> tuple[int, ...]:
    """Numbers of the photographs that were published."""
    stems = (PurePosixPath(path).stem for path in manifest() if path.endswith(".jpg"))
    return tuple(sorted(int(stem.removeprefix("BloodImage_")) for stem in stems))


def _class(name: str) -> str:
    return name.partition("/")[0]


# ----------------------------------------------------------------------------- find and verify


def find() -> Path:
    """Folder that holds ``images/`` and, if it is whole, the photographs and ``labels.csv``.

    It is ``wbc-classification/`` in the folder of the datasets; else this folder itself or what
    lies up to two folders below it, as Kaggle's copy does (``dataset2-master/dataset2-master``).

    Raises
    ------
    DatasetNotFoundError
        If there is none.
    """
    sys.audit(stored.ASKED, "images")
    data, usual = stored.data_folder(), stored.data_folder() / FOLDER
    if usual.is_dir():
        return usual
    top = data.parent if data.name == "images" else data
    for depth in ("", "[!.]*/", "[!.]*/[!.]*/"):  # not in the folder of a fetch at work
        for inside in sorted(top.glob(f"{depth}images/TRAIN/{CLASSES[0]}")):
            return inside.parents[2]
    where = f"{usual}, a link to {os.readlink(usual)}" if usual.is_symlink() else str(data)
    raise DatasetNotFoundError(
        f"no images at {where}. Run 'bloodlib data --fetch', or set BLOODLIB_DATA to the folder "
        f"that holds {FOLDER}/ or Kaggle's dataset2-master/."
    )


def available(part: str = "images") -> bool:
    """Whether a part of the dataset is on this machine, verified or not.

    Parameters
    ----------
    part : {"images", "Original_Images", "labels.csv"}
        Kaggle's copy has not all of them.
    """
    sys.audit(stored.ASKED, part)
    try:
        return (find() / part).exists()
    except DatasetNotFoundError:
        return False


def verify(thorough: bool = False) -> dict[str, str]:
    """Check that the folder of the images holds the published dataset, to the last bit.

    Git's hashes are computed from the files and compared with the manifest's. A success is
    remembered in the cache under names, sizes and times of all files, so that the next call only
    looks at these. Other files are never read, and may lie beside.

    Parameters
    ----------
    thorough : bool
        Read every file, whatever is remembered.

    Returns
    -------
    dict
        Git's hash of ``images``, ``Original_Images`` and ``labels.csv``, of those that are there.

    Raises
    ------
    DatasetError
        If a file is missing or altered; the message names it.
    """
    folder = find()
    parts = {
        part: sha
        for part, sha in SOURCE.hashes.items()
        if part == "images" or os.path.lexists(folder / part)
    }
    expected = {path: sha for path, sha in manifest().items() if _class(path) in parts}
    state, problems = [str(folder.resolve())], []
    for path, sha in expected.items():
        if (folder / path).is_file():
            stat = (folder / path).stat()
            state.append(f"{path} {sha} {stat.st_size} {stat.st_mtime_ns}")
        else:
            problems.append(f"{path} is missing")
    mark = hashlib.sha256("\n".join(state).encode(errors="surrogateescape")).hexdigest()
    mark = stored.cache_folder() / "verified" / mark
    if thorough or problems or not mark.exists():
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
        if not problems:
            own = _in_threads(lambda path: _sha(_read(folder / path)), list(expected), "verifying")
            pairs = zip(expected.items(), own, strict=True)
            problems = [f"{path} is altered" for (path, sha), sha_here in pairs if sha_here != sha]
        if problems:
            more = f", and {len(problems) - 5:,} more" if len(problems) > 5 else ""
            raise DatasetError(
                f"{folder} is not the published dataset: {', '.join(problems[:5])}{more}. "
                "Mend these files, or move the folder away and run 'bloodlib data --fetch'."
            )
        with contextlib.suppress(OSError):  # a cache that can't be written costs time, no more
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    return parts


def _sha(content: bytes) -> str:
    """Git's name for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error


def _in_threads(function: Callable, items: Sequence, title: str) -> Iterable:
    """Apply a function to all items, in order and on all cores."""
    import joblib
    from tqdm import tqdm

    pool = joblib.Parallel(
        2 * joblib.cpu_count(),  # one reads while another computes
        prefer="threads", batch_size=50, return_as="generator",
    )  # fmt: skip
    found = pool(joblib.delayed(function)(item) for item in items)
    return tqdm(found, title, len(items), leave=False, disable=None)  # on a terminal


# --------------------------------------------------------------------------------------- fetch


def fetch() -> Path:
    """Clone the images into the folder of the datasets with git, unless they are there.

    Git asks for one commit, whose name vouches for every byte. What it says goes to the terminal.

    Returns
    -------
    pathlib.Path
        Folder of the images, verified.

    Raises
    ------
    DatasetError
        If the repository can't be fetched, or if there is a folder already that is not the
        dataset. Nothing but the dataset is ever left behind.
    """
    from filelock import FileLock

    target = stored.data_folder() / FOLDER
    if not os.path.lexists(target) and not all(map(available, SOURCE.hashes)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f".{FOLDER}.lock")):
                if not target.exists():  # another process may have been quicker
                    _clone(target)
        except OSError as error:
            raise DatasetError(
                f"the images cannot be stored: {error}. "
                "Set BLOODLIB_DATA to a folder that can be written."
            ) from error
    folder = find()
    if missing := SOURCE.hashes.keys() - verify().keys():
        raise DatasetError(
            f"{folder} has no {' and no '.join(sorted(missing))}. "
            "Move the folder away and run 'bloodlib data --fetch' again."
        )
    return folder


def _clone(target: Path) -> None:
    """Clone beside the target, then move there in one step."""
    if shutil.which("git") is None:
        raise DatasetError(
            f"git is needed. Install it, or unpack {SOURCE.repository}/archive/{SOURCE.commit}.zip "
            f"in {target.parent}."
        )
    part = target.with_name(f".{FOLDER}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    environment["GIT_TERMINAL_PROMPT"] = "0"  # no repository asks for a password here

    def git(*words, timeout=None):
        subprocess.run(  # noqa: S603
            ["git", "-C", str(part), *words],  # noqa: S607
            check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            timeout=timeout,
        )  # fmt: skip

    try:
        part.mkdir()
        git("init", "--quiet")
        git("config", "core.autocrlf", "false")  # the bytes as they were published
        git("config", "http.lowSpeedLimit", "1000")  # bytes a second; given up after
        git("config", "http.lowSpeedTime", "60")  # seconds of less
        git("ls-remote", "--quiet", SOURCE.repository, "HEAD", timeout=30)  # is there a network?
        git("fetch", "--depth=1", SOURCE.repository, SOURCE.commit)
        git("checkout", "--quiet", "FETCH_HEAD")
        os.replace(part, target)
    except subprocess.SubprocessError as error:
        raise DatasetError(
            f"{SOURCE.repository} cannot be fetched; what git says is above. Connect to the "
            "network and run 'bloodlib data --fetch' again, or set BLOODLIB_DATA to a folder that "
            "has the images."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


# -------------------------------------------------------------------------------------- pixels


def load(
    split: str,
    task: str = "four",
    size: tuple[int, int] = SIZE,
    filter: str = "averaged",
) -> Images:
    """Images of one split, verified, resized and in memory-mapped arrays.

    The first call decodes the images, reduces them with :func:`resize`, and keeps the array in the
    cache; later calls, of any process, only map it.

    Parameters
    ----------
    split : {"TRAIN", "TEST", "TEST_SIMPLE"}
    task : {"four", "two"}
        The classes of the labels.
    size : (int, int)
        Height and width of an image.
    filter : {"averaged", "sampled"}
        See :func:`resize`.

    Returns
    -------
    Images
        Pixels are uint8 of shape (n, height, width, 3) in RGB, labels are uint8 of shape (n,).

    Raises
    ------
    ValueError
        If there is no such split or task.
    DatasetNotFoundError, DatasetError
        If there are no images, or not those that were published.
    """
    import cv2
    import PIL

    target, inside = labels(split, task), names(split)
    folder = find() / "images" / split
    verify()
    # all that the pixels depend on is in the file's name
    made = f"{SOURCE.hashes['images'][:12]}-pillow{PIL.__version__}-opencv{cv2.__version__}"
    path = stored.cache_folder() / "pixels" / f"{split}-{size[0]}x{size[1]}-{filter}-{made}.npy"
    shape = (len(inside), *size, 3)
    pixels = _mapped(path, shape)
    if pixels is None:

        def decode(name):
            whole = _decode(folder / name, _read(folder / name), SOURCE.image_size)
            return resize(whole, size, filter)

        decoded = np.empty(shape, np.uint8)
        for row, image in zip(decoded, _in_threads(decode, inside, "decoding"), strict=True):
            row[:] = image
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stored.write_atomically(path, lambda file: np.save(file, decoded))
            pixels = _mapped(path, shape)
        except OSError as error:
            raise DatasetError(
                f"{path} cannot be written: {error.strerror}. Set BLOODLIB_CACHE to another folder."
            ) from error
    return Images(pixels, target, inside)


def resize(
    picture: np.ndarray, size: tuple[int, int] = SIZE, filter: str = "averaged"
) -> np.ndarray:
    """A picture as the methods see it, reduced with a bilinear filter.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    size : (int, int)
        Height and width that it gets.
    filter : {"averaged", "sampled"}
        Pillow's, which averages over all that becomes one pixel, or OpenCV's, as in the Kaggle
        notebook, which sees only the four pixels in the middle of it.

    Raises
    ------
    ValueError
        If there is no such filter.
    """
    import cv2
    from PIL import Image

    if filter == "sampled":
        return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
    if filter != "averaged":
        raise ValueError(f"there is no filter {filter!r}. There are: averaged, sampled.")
    reduced = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(reduced)


def picture(split: str, name: str) -> np.ndarray:
    """One image as published: uint8 of shape (240, 320, 3), RGB.

    Raises
    ------
    ValueError
        If the split has no image of this name (see ``names``).
    DatasetNotFoundError, DatasetError
        If there are no images, or this file is not the one that was published.
    """
    if name not in names(split):
        raise ValueError(f"{split} has no image {name!r}; see bloodlib.data.images.names")
    path = f"images/{split}/{name}"
    return _decode(find() / path, _published(path), SOURCE.image_size)


def photograph(number: int) -> np.ndarray:
    """One of the photographs that the images were made from: uint8 of shape (480, 640, 3), RGB.

    Raises
    ------
    ValueError
        If no photograph of this number was published (see ``photograph_numbers``).
    DatasetNotFoundError, DatasetError
        If there are no images, or this file is not the one that was published.
    """
    path = f"Original_Images/BloodImage_{number:05d}.jpg"
    if path not in manifest():
        raise ValueError(
            f"there is no photograph {number}; see bloodlib.data.images.photograph_numbers"
        )
    return _decode(find() / path, _published(path), SOURCE.photograph_size)


def photograph_labels() -> dict[int, tuple[str, ...]]:
    """Read from ``labels.csv`` which cells each photograph shows: none, one or several.

    Raises
    ------
    DatasetNotFoundError, DatasetError
        If there are no images, or the list is not the one that was published.
    """
    rows = csv.DictReader(io.StringIO(_published("labels.csv").decode(), newline=""))
    return {
        int(row["Image"]): tuple(filter(None, map(str.strip, row["Category"].split(","))))
        for row in rows
    }


@functools.cache
def dataset() -> dict:
    """What :func:`facts` found, stored in ``results/dataset.json``: needs no images."""
    return json.loads((stored.results_folder() / "dataset.json").read_text(encoding="utf-8"))


def facts() -> dict:
    """Facts about the real dataset, of which the book keeps a copy.

    Returns
    -------
    dict
        Plain numbers, strings, lists and dictionaries. ``photographs`` are files,
        ``listed`` are rows of ``labels.csv``; ``identical`` are counted in images, byte by byte.

    Raises
    ------
    DatasetNotFoundError, DatasetError
        If there are no images, or not those that were published.
    """
    verify()
    listed, published = photograph_labels(), photograph_numbers()
    cells = {number: listed.get(number, ()) for number in published}
    lost = sorted(listed.keys() - cells.keys())
    single = collections.Counter(named[0] for named in cells.values() if len(named) == 1)
    identical, shas = {}, manifest()
    for split in SPLITS:
        own = [shas[f"images/{split}/{name}"] for name in names(split)]
        for other in SPLITS:
            times = collections.Counter(shas[f"images/{other}/{name}"] for name in names(other))
            what = f"within {split}" if other == split else f"of {split} in {other}"
            identical[what] = sum(times[sha] > (other == split) for sha in own)
    return {
        "commit": SOURCE.commit,
        "hashes": dict(SOURCE.hashes),
        "images": counts(),
        "listed": len(listed),
        "listed_without_label": sum(not named for named in listed.values()),
        "listed_but_not_published": lost,
        "labelled_but_not_published": [number for number in lost if listed[number]],
        "photographs": len(published),
        "photographs_without_label": [n for n, named in cells.items() if not named],
        "photographs_with_one_label": dict(single.most_common()),
        "photographs_with_several_labels": [n for n, named in cells.items() if len(named) > 1],
        "photographs_with_a_basophil": [n for n, named in cells.items() if "BASOPHIL" in named],
        "identical": identical,
    }


def _published(path: str) -> bytes:
    """Content of one file, compared with the manifest."""
    folder, part = find(), _class(path)
    if not available(part):
        raise DatasetNotFoundError(
            f"{folder} has no {part}: some copies of the images, such as Kaggle's, come without. "
            "'bloodlib data --fetch' fetches a whole one."
        )
    content = _read(folder / path)
    if _sha(content) != manifest()[path]:
        raise DatasetError(f"{folder / path} is altered. Run 'bloodlib data' to check all files.")
    return content


def _decode(path: Path, content: bytes, size: tuple[int, int]) -> np.ndarray:
    """Decode a JPEG. OpenCV and Pillow give the same pixels; Pillow takes twice as long."""
    import cv2

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if pixels is None or pixels.shape != (*size[::-1], 3):
        raise DatasetError(
            f"{path} is no picture of {size[0]} × {size[1]} pixels. "
            "Run 'bloodlib data' to check all files."
        )
    return pixels


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Map a file of pixels, or return None if there is none or it is damaged."""
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None
