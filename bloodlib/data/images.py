"""The images of the paper: fetch them, find them, verify them, decode them.

The images come from the public repository ``dhruvp/wbc-classification``, at one commit. It took
the photographs of the BCCD dataset (MIT), each listed with the name of its white blood cell, and
made about 2,500 turned, shifted and sheared images a class from them. **The repository states no
licence**: the images are fetched from it by whoever wants them and are not part of this book.

The manifest, ``wbc-classification.txt.gz``, lists mode, size, git's SHA-1 and name of each file,
so that names, labels and counts are known without the images. In a clone of the repository, at
the commit of ``SOURCE``, this makes it::

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
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
#: Files that operating systems and file servers leave in folders, in lower case; those whose names
#: begin with a dot are passed over too.
LITTER = {
    "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "#recycle",
    "$recycle.bin", "system volume information", "lost+found",
}  # fmt: skip


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
        return f"{self.repository}/archive/{self.commit}.zip"


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
    """What the manifest says of a file: its bytes, and git's SHA-1 of its content."""

    size: int
    sha: str


@functools.cache
def manifest() -> dict[str, Entry]:
    """Size and hash of each published file, by its path."""
    packed = Path(__file__).with_name(f"{FOLDER}.txt.gz").read_bytes()
    lines = (line.split(" ", 3) for line in gzip.decompress(packed).decode().splitlines())
    return {path: Entry(int(size), sha) for _mode, size, sha, path in lines}


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
    sys.audit(paths.ASKED, "images")
    data, usual = paths.data_folder(), paths.data_folder() / FOLDER
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
    sys.audit(paths.ASKED, part)
    try:
        return (find() / part).exists()
    except DatasetNotFoundError:
        return False


def verify(folder: str | os.PathLike | None = None, thorough: bool = False) -> dict[str, str]:
    """Check that a folder holds the published dataset, to the last bit.

    Git's hashes are computed from the files and compared with the manifest's. A success is
    remembered in the cache under names, sizes and times of all files, so that the next call only
    lists the folder. What lies beside the dataset's three parts (a clone's other files) is not
    looked at, nor what operating systems leave in folders.

    Parameters
    ----------
    folder : path, optional
        Folder with ``images/`` and perhaps ``Original_Images/`` and ``labels.csv``; by default
        ``find()``.
    thorough : bool
        Read every file, whatever is remembered.

    Returns
    -------
    dict
        Git's hash of ``images``, ``Original_Images`` and ``labels.csv``, of those that are there.

    Raises
    ------
    DatasetError
        If a file is missing, added or altered; the message names it.
    """
    folder = find() if folder is None else Path(folder)
    parts = {part: sha for part, sha in SOURCE.hashes.items() if os.path.lexists(folder / part)}
    parts.setdefault("images", SOURCE.hashes["images"])
    expected = {path: e.sha for path, e in manifest().items() if _class(path) in parts}
    found = _scan(folder, expected)
    lines = [f"{path}\0{size} {time}\n" for path, (size, time) in sorted(found.items())]
    lines += [str(folder.resolve()), *expected.values()]
    mark = hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()
    mark = paths.cache_folder() / "verified" / mark
    if thorough or not mark.exists():
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
        problems = _differences(expected, found) or _alterations(folder, expected)
        if problems:
            raise DatasetError(
                f"{folder} is not the published dataset: {_few(problems)}. "
                "Mend these files, or move the folder away and run 'bloodlib data --fetch'."
            )
        with contextlib.suppress(OSError):  # a cache that can't be written costs time, no more
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    return parts


def _scan(folder: Path, expected: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Size and time of all that lies where the expected files do; a folder's path ends in "/"."""
    innermost = {path.rpartition("/")[0] for path in expected}
    outer = {str(place) for inner in innermost for place in PurePosixPath(inner).parents}
    folders, found = innermost | outer - {"."}, {}
    for parent in folders:
        try:
            with os.scandir(folder / parent) as entries:
                for entry in entries:
                    path = f"{parent}/{entry.name}".lstrip("/")
                    hidden = entry.name.startswith(".") or entry.name.lower() in LITTER
                    if path in folders or hidden or not (parent or path in expected):
                        continue
                    if entry.is_file():  # or a link to one
                        stat = entry.stat()
                        found[path] = (stat.st_size, stat.st_mtime_ns)
                    else:
                        found[f"{path}/"] = (0, 0)
        except (FileNotFoundError, NotADirectoryError):
            continue  # its files will be missing
        except OSError as error:
            raise DatasetError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return found


def _differences(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    """Name what is missing, and what is too much; of a folder without files the folder alone."""
    present = {path.rpartition("/")[0] for path in found} | {""}
    missing = {}
    for path in (path for path in expected if path not in found):
        parent = path.rpartition("/")[0]
        missing[f"{path if parent in present else parent + '/'} is missing"] = None
    strays = sorted(path for path in found if path not in expected)
    return [*missing, *(f"{path} does not belong there" for path in strays)]


def _alterations(folder: Path, expected: Mapping[str, str]) -> list[str]:
    """Name the files whose content is not what was published."""
    found = _in_threads(lambda path: _sha(_read(folder / path)), list(expected), "verifying")
    pairs = zip(expected.items(), found, strict=True)
    return [f"{path} is altered" for (path, sha), own in pairs if own != sha]


def _sha(content: bytes) -> str:
    """Git's name for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324


def _few(problems: list[str]) -> str:
    """The first of many problems."""
    more = f", and {len(problems) - 5:,} more" if len(problems) > 5 else ""
    return ", ".join(problems[:5]) + more


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


@contextlib.contextmanager
def _held(lock: Path, minutes: int) -> Iterator[None]:
    """Hold a lock; another process that holds it is waited for so long."""
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=60 * minutes):
            yield
    except Timeout:
        raise DatasetError(
            f"another process has held {lock} for {minutes} minutes. End it, and try again."
        ) from None


# --------------------------------------------------------------------------------------- fetch


def fetch(url: str = SOURCE.archive, timeout: float = 8) -> Path:
    """Download the images into the folder of the datasets, unless they are there.

    Parameters
    ----------
    url : str
        Address of the repository's archive at the commit of ``SOURCE``; by default GitHub's.
    timeout : float
        Seconds after which a server that can't be reached is given up; one that has answered
        may pause four times as long.

    Returns
    -------
    pathlib.Path
        Folder of the images, verified.

    Raises
    ------
    DatasetError
        If the server can't be reached, if what it sends is not the dataset, or if there is a
        folder already that is not the dataset. Nothing but the dataset is ever left behind.
    """
    target = paths.data_folder() / FOLDER
    if not os.path.lexists(target) and not all(map(available, SOURCE.hashes)):
        _ask(url, timeout)
        try:
            with _held(target.with_name(f".{FOLDER}.lock"), minutes=60):
                if not target.exists():  # another process may have been quicker
                    _install(url, timeout, target)
        except OSError as error:
            raise DatasetError(
                f"the images cannot be stored: {error}. "
                "Set BLOODLIB_DATA to a folder that can be written."
            ) from error
    folder = find()
    if missing := SOURCE.hashes.keys() - verify(folder).keys():
        raise DatasetError(
            f"{folder} has no {' and no '.join(sorted(missing))}. "
            "Move the folder away and run 'bloodlib data --fetch' again."
        )
    return folder


def _install(url: str, timeout: float, target: Path) -> None:
    """Download, unpack and verify beside the target, then move there in one step."""
    part = target.with_name(f".{FOLDER}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    try:
        for path, content in _contents(_download(url, timeout, part)):
            place = part / FOLDER / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if problems := _alterations(part / FOLDER, {p: e.sha for p, e in manifest().items()}):
            raise DatasetError(
                f"what {url} sent is not the published dataset: {_few(problems)}. "
                "Run 'bloodlib data --fetch' again later."
            )
        os.replace(part / FOLDER, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _ask(url: str, timeout: float) -> None:
    """Give up in time where there is no network: a look-up of a name may hang for minutes."""
    import requests

    answered = threading.Event()

    def ask():
        with contextlib.suppress(requests.RequestException):
            requests.head(url, timeout=timeout)
            answered.set()

    threading.Thread(target=ask, daemon=True).start()
    if not answered.wait(timeout):
        raise DatasetError(
            f"{url} cannot be reached. Connect to the network and run 'bloodlib data --fetch', or "
            "set BLOODLIB_DATA to a folder that has the images."
        )


def _download(url: str, timeout: float, folder: Path) -> Path:
    import pooch
    import requests

    name = f"{FOLDER}.zip"
    shelf = pooch.create(
        path=folder,
        base_url="",
        registry={name: None},  # the archive's hash may change with GitHub's compressor
        urls={name: url},
        retry_if_failed=1,
    )
    get = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(timeout, 4 * timeout))
    try:
        return Path(shelf.fetch(name, downloader=get))
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        problem = f"answered {status}" if status else f"broke off ({type(error).__name__})"
        raise DatasetError(
            f"the download from {url} {problem}. Run 'bloodlib data --fetch' again later."
        ) from error


def _contents(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The published files in the repository's archive, none of another size than published."""
    from tqdm import tqdm

    try:
        with zipfile.ZipFile(archive) as packed:
            top = packed.namelist()[0].partition("/")[0]
            for path, entry in tqdm(manifest().items(), "unpacking", leave=False, disable=None):
                if packed.getinfo(f"{top}/{path}").file_size != entry.size:
                    raise ValueError(f"{path} has another size")
                yield path, packed.read(f"{top}/{path}")
    except Exception as error:  # of a damaged archive, anything from KeyError to zlib.error
        raise DatasetError(
            f"the server sent something else than the images, or not all of them ({error}): "
            "perhaps a page to sign in. Look at the network, then run 'bloodlib data --fetch' "
            "again."
        ) from error


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
    target, inside = labels(split, task), names(split)
    folder = find()
    verify(folder)
    shape = (len(inside), *size, 3)
    path = paths.cache_folder() / "pixels" / _pixels_name(split, size, filter)
    pixels = _mapped(path, shape)
    if pixels is None:
        try:
            with _held(Path(f"{path}.lock"), minutes=10):  # one decodes and the others wait
                pixels = _mapped(path, shape)
                if pixels is None:
                    files = [folder / "images" / split / name for name in inside]
                    decoded = _decode_all(files, size, filter)
                    paths.write_atomically(path, lambda file: np.save(file, decoded))
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
        raise ValueError(
            f"there is no photograph {number}; see bloodlib.data.images.photograph_numbers"
        )
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
    folder, part = find(), _class(path)
    if not available(part):
        raise DatasetNotFoundError(
            f"{folder} has no {part}: some copies of the images, such as Kaggle's, come without. "
            "'bloodlib data --fetch' fetches a whole one."
        )
    content = _read(folder / path)
    if _sha(content) != manifest()[path].sha:
        raise DatasetError(f"{folder / path} is altered. Run 'bloodlib data' to check all files.")
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
