"""The images of the paper: find them, verify them, decode them (:mod:`bloodlib.data.fetching` fetches).

The images come from the public repository ``dhruvp/wbc-classification``, at one commit. It took
the photographs of the BCCD dataset (MIT), each listed with the name of its white blood cell, and
made about 2,500 turned, shifted and sheared images a class from them. **The repository states no
licence**: the images are fetched from it by whoever wants them and are not part of this book.

The manifest, ``wbc-classification.txt.gz``, lists mode, size, name and the first 16 digits of
git's own SHA-1 of each file, so that names, labels and counts are known without the images. In a
clone of the repository, at the commit of ``SOURCE``, this makes it::

    git ls-tree -r -l HEAD -- images Original_Images labels.csv \
        | awk '{print $1, $4, substr($3, 1, 16), $5}' | gzip -9n > wbc-classification.txt.gz
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from bloodlib.data import paths

#: The four classes, in the paper's order.
CLASSES = ("NEUTROPHIL", "EOSINOPHIL", "MONOCYTE", "LYMPHOCYTE")
#: Classes of each task; a label is a position here.
TASKS = {"four": CLASSES, "two": ("Mononuclear", "Polynuclear")}
SPLITS = ("TRAIN", "TEST", "TEST_SIMPLE")
NUCLEI = {"NEUTROPHIL": 1, "EOSINOPHIL": 1, "MONOCYTE": 0, "LYMPHOCYTE": 0}  # index in TASKS["two"]
FOLDER = "wbc-classification"


@dataclass(frozen=True)
class Source:
    """Where the images come from, and what they must be."""

    repository: str
    commit: str
    hashes: Mapping[str, str]  # git's object name of each part of the dataset
    image_size: tuple[int, int]  # width, height
    photograph_size: tuple[int, int]

    @property
    def archive(self) -> str:
        """Address of the repository's archive at the commit."""
        return f"{self.repository}/archive/{self.commit}.tar.gz"


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


class Entry(NamedTuple):
    """One line of the manifest."""

    mode: str
    size: int
    sha: str


@functools.cache
def manifest() -> dict[str, Entry]:
    """Mode, size and the beginning of git's hash of each published file, by its path."""
    lines = gzip.decompress(Path(__file__).with_name(f"{FOLDER}.txt.gz").read_bytes()).decode()
    entries = {}
    for line in lines.splitlines():
        mode, size, sha, path = line.split(" ", 3)
        entries[path] = Entry(mode, int(size), sha)
    return entries


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
    """Labels of a split's images: uint8 of shape (n,), indices into ``TASKS[task]``.

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
    """Folder of the images, verified or not.

    Raises
    ------
    DatasetNotFoundError
        If it is not in the folder of the datasets.
    """
    folder = paths.data_folder() / FOLDER
    if not folder.is_dir():
        raise DatasetNotFoundError(
            f"no images at {folder}. Run 'bloodlib data --fetch', "
            f"or set BLOODLIB_DATA to the folder that holds {FOLDER}/."
        )
    return folder


def available() -> bool:
    """Whether there are images on this machine, verified or not."""
    return (paths.data_folder() / FOLDER).is_dir()


def verify(folder: str | os.PathLike | None = None, thorough: bool = False) -> dict[str, str]:
    """Check that a folder holds the published dataset, to the last bit.

    Git's hashes of ``SOURCE`` are recomputed from the files. A success is remembered in the cache
    under names, sizes and times of all files, so that the next call only lists the folder. What
    lies beside the dataset's three parts (a clone's other files) is not looked at.

    Parameters
    ----------
    folder : path, optional
        Folder with ``images/``, ``Original_Images/`` and ``labels.csv``; by default ``find()``.
    thorough : bool
        Read every file, whatever is remembered.

    Returns
    -------
    dict
        Git's hash of ``images``, ``Original_Images`` and ``labels.csv``.

    Raises
    ------
    DatasetError
        If a file is missing, added or altered; the message names it.
    """
    folder = find() if folder is None else Path(folder)
    found = _scan(folder)
    mark = paths.cache_folder() / "verified" / _fingerprint(folder, found)
    if thorough or not mark.exists():
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
        _refuse(folder, _differences(found))
        _refuse(folder, _alterations(folder))
        with contextlib.suppress(OSError):  # a cache that can't be written costs time, no more
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    return dict(SOURCE.hashes)


def _scan(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of all that lies in the dataset's parts; a folder's path ends in a slash."""
    expected, found, waiting = _folders(), {}, [""]
    try:
        while waiting:
            parent = waiting.pop()
            with os.scandir(folder / parent) as entries:
                for entry in entries:
                    if not parent and entry.name not in SOURCE.hashes:
                        continue
                    path = parent + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        path += "/"
                        found[path] = (0, 0)
                        if path in expected:  # a folder too many is named, not entered
                            waiting.append(path)
                    else:
                        stat = entry.stat(follow_symlinks=False)
                        found[path] = (stat.st_size, stat.st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetNotFoundError(
            f"no folder {error.filename}. Run 'bloodlib data --fetch'."
        ) from error
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return found


@functools.cache
def _folders() -> set[str]:
    """Folders that the dataset consists of, each ending in a slash."""
    innermost = {path.rpartition("/")[0] for path in manifest() if "/" in path}
    outer = {str(parent) for path in innermost for parent in PurePosixPath(path).parents[:-1]}
    return {f"{path}/" for path in innermost | outer}


def _differences(found: Mapping[str, tuple[int, int]]) -> list[str]:
    """Name what a list of the files already shows to be wrong."""
    expected, folders = manifest(), _folders()
    absent = tuple(sorted(folders - found.keys()))
    problems = [f"{path} is missing" for path in absent if not path.startswith(absent, 0, -1)]
    for path, entry in expected.items():
        if path not in found:
            if not path.startswith(absent):
                problems.append(f"{path} is missing")
        elif found[path][0] != entry.size:
            problems.append(f"{path} has {found[path][0]:,} bytes instead of {entry.size:,}")
    strays = found.keys() - expected.keys() - folders
    return problems + [f"{path} does not belong there" for path in sorted(strays)]


def _alterations(folder: Path) -> list[str]:
    """Name what only the content of the files shows to be wrong."""
    expected = manifest()
    files = list(expected)
    shas = _in_threads(lambda path: _sha(_read(folder / path)), files, "verifying")
    blobs = dict(zip(files, shas, strict=True))
    problems = [
        f"{path} is altered"
        for path, sha in blobs.items()
        if not sha.startswith(expected[path].sha)
    ]
    if not problems:
        tree = {path: (expected[path].mode, sha) for path, sha in blobs.items()}
        for part, sha in _tree_entries(tree).items():
            if sha != SOURCE.hashes[part]:
                problems.append(f"{part} has the hash {sha} instead of {SOURCE.hashes[part]}")
    return problems


def git_tree(files: Mapping[str, tuple[str, str]]) -> str:
    """Hash that git gives a folder: of the modes and hashes of its files, by their paths.

    Modes come from the manifest: Windows, and many ways to copy files, lose the real ones.
    """
    modes = {path: mode for path, (mode, _) in files.items()}
    lines = {}
    for name, sha in _tree_entries(files).items():
        mode = modes.get(name, "40000")  # anything else is a folder
        key = name if name in modes else f"{name}/"  # git sorts folders so
        lines[key.encode()] = f"{mode} {name}\0".encode() + bytes.fromhex(sha)
    return _sha(b"".join(lines[key] for key in sorted(lines)), kind="tree")


def _tree_entries(files: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Hash of each file and folder at the top of a set of paths."""
    entries, folders = {}, collections.defaultdict(dict)
    for path, (mode, sha) in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders[name][rest] = (mode, sha)
        else:
            entries[name] = sha
    return entries | {name: git_tree(inside) for name, inside in folders.items()}


def _sha(content: bytes, kind: str = "blob") -> str:
    """Git's name for a content."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()  # noqa: S324


def _fingerprint(folder: Path, found: Mapping[str, tuple[int, int]]) -> str:
    lines = [f"{path}\0{size} {time}\n" for path, (size, time) in sorted(found.items())]
    lines += [str(folder.resolve()), *SOURCE.hashes.values()]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _refuse(folder: Path, problems: list[str]) -> None:
    if problems:
        more = f", and {len(problems) - 5:,} more" if len(problems) > 5 else ""
        raise DatasetError(
            f"{folder} is not the published dataset: {', '.join(problems[:5])}{more}. "
            "Mend these files, or move the folder away and run 'bloodlib data --fetch'."
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error


def _in_threads(function: Callable, items: Sequence, title: str) -> Iterable:
    """Apply a function to all items, in order and on all cores.

    Items are handed out in lots: one by one, threads would mostly wait for each other.
    """
    from tqdm import tqdm

    lots = [items[start : start + 50] for start in range(0, len(items), 50)]
    with (
        ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool,  # one reads while another computes
        tqdm(desc=title, total=len(items), leave=False, disable=None) as bar,  # on a terminal
    ):
        for results in pool.map(lambda lot: [function(item) for item in lot], lots):
            bar.update(len(results))
            yield from results


# -------------------------------------------------------------------------------------- pixels


def load(
    split: str,
    task: str = "four",
    size: tuple[int, int] = (60, 80),
    filter: str = "averaged",
) -> Images:
    """Images of one split, verified, resized and in memory-mapped arrays.

    The first call decodes the images, reduces them with :func:`resize`, and keeps the array in the
    cache; later calls, of any process, only map it.

    Parameters
    ----------
    split : {"TRAIN", "TEST", "TEST_SIMPLE"}
    task : {"four", "two"}
        What the labels tell apart.
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
    from filelock import FileLock

    target, inside = labels(split, task), names(split)
    folder = find()
    verify(folder)
    shape = (len(inside), *size, 3)
    path = paths.cache_folder() / "pixels" / _pixels_name(split, size, filter)
    pixels = _mapped(path, shape)
    if pixels is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):  # of two processes, one decodes and the other waits
                pixels = _mapped(path, shape)
                if pixels is None:
                    files = [folder / "images" / split / name for name in inside]
                    pixels = _decode_all(files, size, filter)
                    paths.write_atomically(path, lambda file: np.save(file, pixels))
                    pixels = _mapped(path, shape)
        except OSError as error:
            raise DatasetError(
                f"{path} cannot be written: {error.strerror}. Set BLOODLIB_CACHE to another folder."
            ) from error
    return Images(pixels, target, inside)


def resize(
    picture: np.ndarray, size: tuple[int, int] = (60, 80), filter: str = "averaged"
) -> np.ndarray:
    """A picture as the methods see it, reduced with a bilinear filter.

    Parameters
    ----------
    picture : uint8 array [height, width, 3]
    size : (int, int)
        Height and width that it gets.
    filter : {"averaged", "sampled"}
        Pillow's, which averages over all that becomes one pixel, or OpenCV's, as in the lineage,
        which sees only the four pixels in the middle of it.

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
    return _open(find() / path, _published(path), SOURCE.image_size)


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
        raise ValueError(f"there is no photograph {number}; see bloodlib.data.images.photograph_numbers")
    return _open(find() / path, _published(path), SOURCE.photograph_size)


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
    return json.loads((paths.results_folder() / "dataset.json").read_text(encoding="utf-8"))


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
    several = [number for number, named in cells.items() if len(named) > 1]
    basophils = [number for number, named in cells.items() if "BASOPHIL" in named]
    single = collections.Counter(named[0] for named in cells.values() if len(named) == 1)
    return {
        "commit": SOURCE.commit,
        "hashes": dict(SOURCE.hashes),
        "images": counts(),
        "listed": len(listed),
        "listed_without_label": sum(not named for named in listed.values()),
        "listed_but_not_published": lost,
        "labelled_but_not_published": [number for number in lost if listed[number]],
        "photographs": len(published),
        "photographs_without_label": [number for number, named in cells.items() if not named],
        "photographs_with_one_label": dict(single.most_common()),
        "photographs_with_several_labels": several,
        "photographs_with_a_basophil": basophils,
        "identical": _identical(),
    }


def _identical() -> dict[str, int]:
    """Count the images that have a byte-identical twin in the same or in another split."""
    shas = {
        split: [manifest()[f"images/{split}/{name}"].sha for name in names(split)]
        for split in SPLITS
    }
    found = {}
    for split, own in shas.items():
        times = collections.Counter(own)
        found[f"within {split}"] = sum(times[sha] > 1 for sha in own)
        for other in SPLITS:
            if other != split:
                theirs = set(shas[other])
                found[f"of {split} in {other}"] = sum(sha in theirs for sha in own)
    return found


def _published(path: str) -> bytes:
    """Content of one file, compared with the manifest."""
    content = _read(find() / path)
    if not _sha(content).startswith(manifest()[path].sha):
        _refuse(find(), [f"{path} is altered"])
    return content


def _open(path: Path, content: bytes, size: tuple[int, int]) -> np.ndarray:
    """Decode a JPEG whole, and make sure that it is what the dataset consists of.

    Pillow reads what it is, and OpenCV its pixels: both use libjpeg-turbo, with the same pixels,
    but Pillow takes twice as long.
    """
    import cv2
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG"])
        if (image.mode, image.size) != ("RGB", size):
            raise DatasetError(
                f"{path} has the mode {image.mode} and {image.width} × {image.height} pixels "
                f"instead of RGB and {size[0]} × {size[1]}. Run 'bloodlib data' to check all files."
            )
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
        if pixels is None or not content.endswith(b"\xff\xd9"):  # the marker of a JPEG's end
            raise ValueError("it ends too early")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{path} is not a whole JPEG ({error}). Run 'bloodlib data' to check all files."
        ) from error
    return pixels


def _decode_all(files: list[Path], size: tuple[int, int], filter: str = "averaged") -> np.ndarray:
    def decode(path):
        return resize(_open(path, _read(path), SOURCE.image_size), size, filter)

    pixels = np.empty((len(files), *size, 3), dtype=np.uint8)
    for i, image in enumerate(_in_threads(decode, files, "decoding")):
        pixels[i] = image
    return pixels


def _pixels_name(split: str, size: tuple[int, int], filter: str) -> str:
    """Name of the file of pixels: all that they depend on is in it."""
    import cv2
    import PIL

    made = f"{SOURCE.hashes['images'][:12]}-pillow{PIL.__version__}-opencv{cv2.__version__}"
    return f"{split}-{size[0]}x{size[1]}-{filter}-{made}.npy"


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Map a file of pixels, or return None if there is none or it is damaged."""
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = pixels.offset + pixels.nbytes == path.stat().st_size
    except (OSError, ValueError, EOFError, AttributeError):
        return None
    return pixels if whole and pixels.shape == shape and pixels.dtype == np.uint8 else None
